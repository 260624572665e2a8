/* Calls at fixed points of each turn: to run another library's loop inside this one,
 * to flush what the callbacks of a turn have collected, or to use idle time. */
#ifndef BRINK_HOOK_H
#define BRINK_HOOK_H

#include <brink/base.h>

BRINK_BEGIN_DECLS

enum brink_hook_point {
	BRINK_HOOK_PREPARE, /* before the wait; what it starts or posts is taken into account by the wait. Inside
	                     * another loop, where the host waits, also in each brink_loop_prepare() */
	BRINK_HOOK_CHECK,   /* after the wait, before anything else is called */
	BRINK_HOOK_IDLE     /* at the end of a turn in which no watch, timer, signal or task was called. While one
	                     * is started the loop does not sleep */
};

typedef void brink_hook_fn(brink_hook *hook);

/* The caller sets `call`. */
struct brink_hook {
	brink_hook_fn *call;
	/* the library's from here on */
	brink_loop *loop;
	struct brink_list node;
	int point;
	void *reserved[1];
};

/* Zeroes `hook` and sets its callback. */
BRINK_API void brink_hook_init(brink_hook *hook, brink_hook_fn *call);

/* Calls `hook->call` at `point` of every turn, in the order of starting; one that is
 * started by a hook of the same point is called from the next turn (or brink_loop_prepare()) on. Prepare and
 * check hooks alone do not keep brink_loop_run() running; idle hooks do.
 *   -EEXIST   it is started        -EINVAL   no callback, or an unknown point */
BRINK_API int brink_hook_start(brink_loop *loop, brink_hook *hook, enum brink_hook_point point);

/* Stops it.  -ENOENT   it is not started */
BRINK_API int brink_hook_stop(brink_hook *hook);

BRINK_END_DECLS

#endif
