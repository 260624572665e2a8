/* The loop: one turn after another.
 *
 * A turn waits once for all that is watched and then makes the calls that are due. Begin
 * with turn(), which is the whole order of things; what is above it decides how long to
 * wait and waits, and what is below it turns until there is a reason to return. */
#include "config.h"

#include "loop.h"

#include "os.h"

#include <errno.h>

/* ---- the turn ---- */

/* How long the wait of this turn may last, at most `timeout` (below 0: without end): not at
 * all when there is something to do already, else until the next timer. What other threads
 * hand over is looked at last, after the wakeup flag was cleared by an earlier turn: whoever
 * comes later finds the flag down and writes to the pipe, which ends the wait. */
static int64_t patience(brink_loop *loop, int64_t timeout)
{
	if (loop->ready != NULL || loop->taken != NULL || !brink__list_empty(&loop->hooks[BRINK_HOOK_IDLE]))
		return 0;
	if (loop->wheel.count != 0 && timeout != 0) {
		uint64_t next = brink__wheel_next(&loop->wheel), left;

		brink_loop_update(loop);
		left = next > loop->now ? next - loop->now : 0;
		if (left <= INT64_MAX && (timeout < 0 || left < (uint64_t)timeout))
			timeout = (int64_t)left;
	}
	if (brink__tasks_waiting(loop) || brink__signals_waiting(loop) || atomic_load(&loop->stopping))
		return 0;
	return timeout;
}

/* What fits a 32-bit time_t: 68 years, after which it is waited again. */
#define LONGEST_WAIT (INT32_MAX * INT64_C(1000000000))

/* Waits once and gives what was reported to the ticket rule, which lists the slots that are
 * to be called later in the turn. */
static int collect(brink_loop *loop, int64_t timeout)
{
	int count;

	timeout = patience(loop, timeout);
	if (timeout > LONGEST_WAIT)
		timeout = LONGEST_WAIT;
	brink__trace(loop, BRINK_TRACE_WAIT, -1, 0, NULL, timeout < 0 ? -1 : timeout);
	loop->counters.waits++;
	count = loop->ops->wait(loop->dispatcher, loop->events, loop->batch, timeout);
	loop->unsent = false;
	loop->shares = loop->shares || loop->renew;
	brink__trace(loop, BRINK_TRACE_WOKEN, -1, 0, NULL, count);
	if (count == -EINTR)
		count = 0; /* a signal; whoever turns knows how much time is left */
	if (count > 0) {
		loop->counters.events += (uint64_t)count;
		brink__tickets_take(loop, loop->events, count);
	}
	return count;
}

/* Each kind of work is looked for here: of most there is none in most turns. */
static inline unsigned run_hooks(brink_loop *loop, enum brink_hook_point point)
{
	return brink__likely(brink__list_empty(&loop->hooks[point])) ? 0 : brink__hooks_run(loop, point);
}

static inline unsigned run_all(brink_loop *loop)
{
	unsigned calls = 0;

	if (loop->wheel.count != 0)
		calls += brink__timers_run(loop);
	if (brink__unlikely(brink__signals_waiting(loop)))
		calls += brink__signals_run(loop);
	if (brink__tasks_waiting(loop) || loop->taken != NULL)
		calls += brink__tasks_run(loop);
	calls += brink__tickets_run(loop) - loop->internal_calls;
	loop->internal_calls = 0;
	return calls;
}

/* Whether there is anything left that could ever make a call. */
static bool has_reason_to_run(brink_loop *loop)
{
	return loop->references > 0 || loop->taken != NULL || brink__tasks_waiting(loop);
}

/* What a renewal wants for, descriptors or memory, may come free only by what the loop goes on to do. So where the
 * only fault of the old dispatcher is that it reports what is nobody's, it serves until there is another. */
static int renew(brink_loop *loop)
{
	int result = brink__loop_renew(loop);

	return result < 0 && loop->ops->closing_removes && !loop->incomplete ? 0 : result;
}

/* Returns how many calls were made, those of idle hooks too if there were no others. Each
 * kind of work takes its list whole and then calls: what a callback starts, posts or asks
 * for again at its own stage or an earlier one has to wait for the next turn, so that none
 * can starve another. */
static int turn(brink_loop *loop, int64_t timeout)
{
	unsigned calls;
	int result = 0;

	loop->counters.turns++;
	if (brink__unlikely(loop->renew))
		result = renew(loop);
	if (result < 0)
		return result;
	run_hooks(loop, BRINK_HOOK_PREPARE);
	/* A hook may have stopped the last of all, and a renewal have found it gone. */
	if (timeout < 0 && !has_reason_to_run(loop))
		timeout = 0;
	result = collect(loop, timeout);
	if (result < 0)
		return result;
	loop->stale_now = true; /* the wait took time; the first who asks reads the clock */
	run_hooks(loop, BRINK_HOOK_CHECK);
	calls = run_all(loop);
	if (calls == 0)
		calls = run_hooks(loop, BRINK_HOOK_IDLE);
	return (int)calls;
}

/* ---- running ---- */

/* Of those that the thread is inside. */
static _Thread_local brink_loop *innermost;

/* Makes the calling thread the loop's. `thread` and `turning` are only ever compared with
 * the reader's own number: who reads another thread's, or an old one, is not that thread
 * whichever it is, so nothing has to be ordered by them. */
static int enter(brink_loop *loop)
{
	int result = 0;

	if (loop->inside)
		return -EBUSY;
	if (loop->ops->adopt != NULL)
		result = loop->ops->adopt(loop->dispatcher);
	if (result == -EXDEV) {
		loop->renew = true; /* the mechanism is bound to the thread before: a new one, then */
		result = 0;
	}
	if (result < 0)
		return result;
	atomic_store_explicit(&loop->thread, brink__os_thread(), memory_order_relaxed);
	loop->inside = true;
	atomic_store_explicit(&loop->turning, brink__os_thread(), memory_order_relaxed);
	loop->outer = innermost;
	innermost = loop;
	loop->stale_now = true; /* who knows how long ago the last run was */
	return 0;
}

static void send_off(brink_loop *loop)
{
	if (brink__unlikely(loop->unsent) && brink__loop_has_kernel(loop)) {
		loop->ops->flush(loop->dispatcher);
		loop->unsent = false;
	}
}

/* Whoever has run the loop may do something else now: what was written is to be on its way. */
static void leave(brink_loop *loop)
{
	send_off(loop);
	innermost = loop->outer;
	atomic_store_explicit(&loop->turning, 0, memory_order_relaxed);
	loop->inside = false;
}

static void take_all(brink_loop *loop, int (*ask)(struct brink__dispatcher *, struct brink__event *, int capacity))
{
	int count;

	if (ask == NULL || !brink__loop_has_kernel(loop))
		return;
	while ((count = ask(loop->dispatcher, loop->events, loop->batch)) > 0)
		brink__tickets_take(loop, loop->events, count);
}

void brink__loop_rest(brink_loop *loop)
{
	take_all(loop, loop->ops->rest);
}

void brink__loop_gather(brink_loop *loop)
{
	take_all(loop, loop->ops->gather);
}

void brink__loops_before_fork(void)
{
	for (brink_loop *loop = innermost; loop != NULL; loop = loop->outer) {
		send_off(loop);
		brink__loop_gather(loop);
	}
}

/* Uses up a stop. The first look is only to spare the exchange, which does the ordering. */
static bool take_stop(brink_loop *loop)
{
	return atomic_load_explicit(&loop->stopping, memory_order_relaxed) &&
	       atomic_exchange(&loop->stopping, false);
}

int brink_loop_run(brink_loop *loop)
{
	int result = enter(loop);

	if (result < 0)
		return result;
	/* Acquire: who finds the loop stopped sees what the stopper did before. */
	while (result >= 0 && !atomic_load_explicit(&loop->stopping, memory_order_acquire) && has_reason_to_run(loop))
		result = turn(loop, -1);
	leave(loop);
	brink__loop_rest(loop); /* until the next run, which may be another thread's */
	return take_stop(loop) ? 1 : result < 0 ? result : 0;
}

int brink_loop_run_once(brink_loop *loop, int64_t timeout)
{
	int result = enter(loop);
	uint64_t until = UINT64_MAX;

	if (result < 0)
		return result;
	if (timeout > 0) {
		brink_loop_update(loop);
		until = (uint64_t)timeout > UINT64_MAX - loop->now ? UINT64_MAX : loop->now + (uint64_t)timeout;
	}
	/* A signal, a timer that was postponed, or an event for a closed direction may end
	 * the wait with nothing to call: then the rest of the time is waited. */
	while (!atomic_load_explicit(&loop->stopping, memory_order_acquire)) {
		if (timeout < 0 && !has_reason_to_run(loop))
			break;
		result = turn(loop, timeout);
		if (result != 0 || timeout == 0 || loop->woken)
			break;
		if (timeout > 0 && brink__loop_clock(loop) >= until)
			break;
		if (timeout > 0)
			timeout = (int64_t)(until - loop->now);
	}
	leave(loop);
	brink__loop_gather(loop); /* the program may fork */
	take_stop(loop);
	return result;
}

void brink_loop_stop(brink_loop *loop)
{
	atomic_store(&loop->stopping, true);
	brink__wakeup(loop);
}

void brink_loop_ref(brink_loop *loop)
{
	loop->references++;
}

void brink_loop_unref(brink_loop *loop)
{
	loop->references--;
}

uint64_t brink_loop_now(brink_loop *loop)
{
	return brink__loop_clock(loop);
}

void brink_loop_update(brink_loop *loop)
{
	loop->now = brink__os_now();
	loop->stale_now = false;
}

/* ---- inside another loop ---- */

/* A mechanism that is bound to the thread before cannot make one here: a new one, then, as on a run. */
static bool is_for_another_thread(const brink_loop *loop)
{
	return !loop->inside && loop->ops->adopt != NULL && loop->ops->adopt(loop->dispatcher) == -EXDEV;
}

int brink_loop_fd(brink_loop *loop)
{
	int fd;

	if (loop->ops->fd == NULL)
		return -ENOTSUP;
	fd = loop->ops->fd(loop->dispatcher);
	if (fd < 0 && is_for_another_thread(loop)) {
		fd = brink__loop_renew(loop);
		if (fd == 0)
			fd = loop->ops->fd(loop->dispatcher);
	}
	if (fd >= 0)
		loop->host_fd = fd;
	return fd;
}

int brink_loop_prepare(brink_loop *loop, int64_t *timeout)
{
	int result = enter(loop);

	if (result < 0)
		return result;
	if (loop->renew)
		result = renew(loop);
	if (result == 0)
		run_hooks(loop, BRINK_HOOK_PREPARE);
	if (result == 0 && loop->ops->flush != NULL) {
		result = loop->ops->flush(loop->dispatcher);
		loop->unsent = false; /* else it is flushed once more, and nobody is told what that said */
	}
	leave(loop);
	brink__loop_gather(loop); /* as run_once: the host may fork before its turn */
	*timeout = patience(loop, result > 0 ? 0 : -1);
	return result < 0 ? result : 0;
}

/* ---- what it tells ---- */

const char *brink_loop_backend(const brink_loop *loop)
{
	return loop->ops->name;
}

unsigned brink_loop_features(const brink_loop *loop)
{
	return brink__loop_features(loop);
}

const char *brink_loop_description(const brink_loop *loop)
{
	return loop->description;
}

void brink_loop_set_data(brink_loop *loop, void *data)
{
	loop->data = data;
}

void *brink_loop_data(const brink_loop *loop)
{
	return loop->data;
}

void brink_loop_counters(const brink_loop *loop, struct brink_counters *counters)
{
	*counters = loop->counters;
}
