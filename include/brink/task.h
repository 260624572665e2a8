/* A task: a call that any thread can hand to a loop. */
#ifndef BRINK_TASK_H
#define BRINK_TASK_H

#include <brink/base.h>

BRINK_BEGIN_DECLS

typedef void brink_task_fn(brink_task *task);

/* The caller sets `call`. */
struct brink_task {
	brink_task_fn *call;
	brink_task *next; /* the library's */
};

/* Sets the callback. */
BRINK_API void brink_task_init(brink_task *task, brink_task_fn *call);

/* Hands `task` to the loop, which calls it once, on its own thread, in the next turn (or
 * in this one, when posted before the turn has come to the tasks). Tasks of one thread
 * are called in the order of their posts. The memory is the loop's until the call begins;
 * from then on it may be posted again or freed. Posting a task that is posted already
 * corrupts the queue. What the caller wrote before is seen by the call. Never fails,
 * never allocates. Any thread; also async-signal-safe. */
BRINK_API void brink_task_post(brink_loop *loop, brink_task *task);

/* Takes a posted task back, on the loop's thread: it will not be called. Takes time in
 * proportion to the number of posted tasks.  -ENOENT   it is not posted to this loop */
BRINK_API int brink_task_cancel(brink_loop *loop, brink_task *task);

BRINK_END_DECLS

#endif
