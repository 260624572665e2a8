/* A timer: calls back at a time, once or again and again.
 *
 * Timers are monotonic (setting the wall clock does not move them), never early by
 * the loop's clock, and called in the order of their deadlines; of equal deadlines the
 * one that was started first comes first. */
#ifndef BRINK_TIMER_H
#define BRINK_TIMER_H

#include <brink/base.h>

BRINK_BEGIN_DECLS

typedef void brink_timer_fn(brink_timer *timer);

/* 64 bytes on LP64. The caller sets `call`. */
struct brink_timer {
	brink_timer_fn *call;
	/* the library's from here on */
	brink_loop *loop;
	void *slot;
	struct brink_list node;
	uint64_t deadline;
	uint64_t period;
	brink_timer *ahead;
};

/* Zeroes `timer` and sets its callback. */
BRINK_API void brink_timer_init(brink_timer *timer, brink_timer_fn *call);

/* Calls `timer->call` `after` nanoseconds from brink_loop_now(), and then every `period`
 * nanoseconds; 0: only once. Periods are counted from the first deadline, so they do
 * not drift; those that a slow callback let pass are skipped, not made up for. A timer
 * with `after` 0 is called in the next turn (or in this one, when started by a prepare or check
 * hook, before the turn has come to the timers). One that is active is moved: the new times
 * replace the old ones. A sum beyond the clock's range means never.
 *   -EINVAL   no callback, or active on another loop */
BRINK_API int brink_timer_start(brink_loop *loop, brink_timer *timer, uint64_t after, uint64_t period);

/* Stops it.  -ENOENT   it is not active (a one-shot timer is not, in its own call) */
BRINK_API int brink_timer_stop(brink_timer *timer);

/* Moves the deadline of an active timer to `after` nanoseconds from brink_loop_now(). To
 * move it later costs a store, so that a connection's idle timeout can be restarted at
 * each read; its place among equal deadlines is then any.
 *   -ENOENT   it is not active */
BRINK_API int brink_timer_postpone(brink_timer *timer, uint64_t after);

/* 1 while it is active, else 0. */
BRINK_API int brink_timer_active(const brink_timer *timer);

BRINK_END_DECLS

#endif
