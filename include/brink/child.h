/* The exit of a child process as a callback of a loop. Uses a pidfd where the kernel
 * has them (Linux 5.3 and later), else SIGCHLD as <brink/signal.h> delivers it. */
#ifndef BRINK_CHILD_H
#define BRINK_CHILD_H

#include <brink/base.h>
#include <brink/signal.h>
#include <brink/watch.h>

#include <sys/types.h>

BRINK_BEGIN_DECLS

/* `status` is what waitpid(2) gave: use WIFEXITED(), WEXITSTATUS() and so on; -1 when the
 * process was reaped by somebody else, or by the system because SIGCHLD is ignored. */
typedef void brink_child_fn(brink_child *child, int status);

/* The caller sets `call`; `pid` may be read while it is started. */
struct brink_child {
	brink_child_fn *call;
	pid_t pid;
	/* the library's from here on */
	int status;
	brink_loop *loop;
	struct brink_list node;
	brink_watch watch;
	int resting;
	void *reserved[1];
};

/* Zeroes `child` and sets its callback. */
BRINK_API void brink_child_init(brink_child *child, brink_child_fn *call);

/* Waits for the child process `pid` of this process, reaps it with waitpid(2) when it
 * has ended, and calls `child->call` once, after which it is not started any more. One
 * that has ended already is called in the next turn. Nobody else may reap it, but for a process
 * that traces it (ptrace(2)), which comes first: then it is called up to 100 ms later.
 *   -EEXIST   it is started
 *   -EINVAL   no callback, or `pid` is not positive
 *   -ECHILD   not a child of this process, or reaped already
 *   -ENOMEM, -EMFILE, -ENFILE, -ENOSPC (the system's limit on watches) */
BRINK_API int brink_child_start(brink_loop *loop, brink_child *child, pid_t pid);

/* Stops waiting; the process itself goes on and is the caller's to reap.
 *   -ENOENT   it is not started */
BRINK_API int brink_child_stop(brink_child *child);

BRINK_END_DECLS

#endif
