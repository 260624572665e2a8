/* Signals as callbacks of a loop.
 *
 * While at least one brink_signal for a number is started, the process has the
 * library's handler for it; the handler that was there before is still called, unless
 * it was the default action or to ignore, and is put back when the last one stops.
 * Any number of loops may watch the same signal; each is called. */
#ifndef BRINK_SIGNAL_H
#define BRINK_SIGNAL_H

#include <brink/base.h>

BRINK_BEGIN_DECLS

typedef void brink_signal_fn(brink_signal *signal);

/* The caller sets `call`; `number` may be read while it is started. */
struct brink_signal {
	brink_signal_fn *call;
	int number;
	/* the library's from here on */
	brink_loop *loop;
	struct brink_list node;
	void *reserved[2];
};

/* Zeroes `signal` and sets its callback. */
BRINK_API void brink_signal_init(brink_signal *signal, brink_signal_fn *call);

/* Calls `signal->call` on the loop's thread after the process got signal `number`; several
 * arrivals before the loop gets to it may be one call. A signal that reaches a forked
 * child before it has called brink_loop_after_fork() or exec is not the parent's, whose
 * loop hears nothing of it.
 *   -EEXIST   it is started
 *   -EINVAL   no callback, or a number that cannot be caught (SIGKILL, SIGSTOP, out of range)
 *   -ENOMEM */
BRINK_API int brink_signal_start(brink_loop *loop, brink_signal *signal, int number);

/* Stops it.  -ENOENT   it is not started */
BRINK_API int brink_signal_stop(brink_signal *signal);

BRINK_END_DECLS

#endif
