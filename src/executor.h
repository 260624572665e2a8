/* What executors do for the library alone. */
#ifndef BRINK_EXECUTOR_INTERNAL_H
#define BRINK_EXECUTOR_INTERNAL_H

#include <brink/executor.h>

/* As brink_executor_destroy(), but without waiting: the threads run what was posted to its end, and
 * the last of them frees the executor. Not in a forked child, nor from one of its own tasks. */
void brink__executor_leave(brink_executor *executor);

/* In a forked child, which has none of its threads: frees it. NULL is allowed. */
void brink__executor_forget(brink_executor *executor);

#endif
