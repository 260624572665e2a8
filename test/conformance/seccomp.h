#ifndef CONFORMANCE_SECCOMP_H
#define CONFORMANCE_SECCOMP_H

#include <stdbool.h>

/* From now on this process is refused io_uring with `error`, as by the seccomp profiles of
 * containers. False where the system has no such filters. */
bool refuse_io_uring(int error);
/* And a descriptor of a child process. True also where the system has none. */
bool refuse_pidfd(void);

#endif
