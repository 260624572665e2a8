#include "config.h"

#include "loop.h"

#include <errno.h>
#include <string.h>

void brink_timer_init(brink_timer *timer, brink_timer_fn *call)
{
	memset(timer, 0, sizeof *timer);
	timer->call = call;
}

int brink_timer_active(const brink_timer *timer)
{
	return timer->node.next != NULL;
}

static uint64_t later(uint64_t now, uint64_t after)
{
	return after > UINT64_MAX - now ? UINT64_MAX : now + after;
}

static inline void insert(struct brink__wheel *wheel, brink_timer *timer)
{
	if (timer->deadline < wheel->next)
		wheel->next = timer->deadline;
	if (brink__unlikely(timer->deadline <= wheel->limit))
		brink__wheel_append(&wheel->next_turn, timer);
	else
		brink__wheel_place(wheel, timer);
}

/* Whether `now` is of this turn. */
static inline bool has_time(const brink_loop *loop)
{
	return brink__likely(loop->inside && !loop->stale_now);
}

/* By `now` as it is. */
static inline int start(brink_loop *loop, brink_timer *timer, uint64_t after, uint64_t period)
{
	struct brink__wheel *wheel = &loop->wheel;

	if (timer->node.next != NULL) {
		if (timer->loop != loop)
			return -EINVAL;
		brink__wheel_remove(timer);
	} else {
		loop->references++;
		/* An empty wheel may jump: nothing stands between its base and now. */
		if (wheel->count++ == 0)
			brink__wheel_settle(wheel, loop->now >> BRINK__WHEEL_TICK_BITS, wheel->limit);
	}
	timer->loop = loop;
	timer->period = period;
	timer->deadline = later(loop->now, after);
	insert(wheel, timer);
	return 0;
}

/* Apart, so that those that need no clock have nothing to save. */
static __attribute__((noinline)) int start_by_clock(brink_loop *loop, brink_timer *timer, uint64_t after,
                                                    uint64_t period)
{
	brink_loop_update(loop);
	return start(loop, timer, after, period);
}

int brink_timer_start(brink_loop *loop, brink_timer *timer, uint64_t after, uint64_t period)
{
	if (brink__unlikely(timer->call == NULL))
		return -EINVAL;
	return has_time(loop) ? start(loop, timer, after, period) : start_by_clock(loop, timer, after, period);
}

static void end(brink_timer *timer)
{
	brink__wheel_remove(timer);
	timer->loop->references--;
	timer->loop->wheel.count--;
}

int brink_timer_stop(brink_timer *timer)
{
	if (timer->node.next == NULL)
		return -ENOENT;
	end(timer);
	return 0;
}

/* Whether the timer's slot, when it is opened, will find that it moved. */
static inline bool stays(const struct brink__wheel *wheel, const brink_timer *timer, uint64_t deadline)
{
	return brink__likely(deadline >= timer->deadline && timer->deadline > wheel->settled);
}

/* Whatever way it takes, and by a clock that may have to be read. */
static __attribute__((noinline)) int postpone(brink_timer *timer, uint64_t after)
{
	brink_loop *loop = timer->loop;
	uint64_t deadline;

	if (!has_time(loop))
		brink_loop_update(loop);
	deadline = later(loop->now, after);
	if (stays(&loop->wheel, timer, deadline)) {
		timer->deadline = deadline;
		return 0;
	}
	brink__wheel_remove(timer);
	timer->deadline = deadline;
	insert(&loop->wheel, timer);
	return 0;
}

int brink_timer_postpone(brink_timer *timer, uint64_t after)
{
	const brink_loop *loop = timer->loop;
	uint64_t deadline;

	if (timer->node.next == NULL)
		return -ENOENT;
	deadline = later(loop->now, after);
	if (!has_time(loop) || !stays(&loop->wheel, timer, deadline))
		return postpone(timer, after);
	timer->deadline = deadline;
	return 0;
}

void brink__timer_start_aside(brink_loop *loop, brink_timer *timer, uint64_t after)
{
	if (!brink_timer_active(timer))
		loop->references--;
	brink_timer_start(loop, timer, after, 0);
}

void brink__timer_stop_aside(brink_timer *timer)
{
	if (brink_timer_stop(timer) == 0)
		timer->loop->references++;
}

/* From `near` those that are due, which is all of a tick before the limit's. */
static void take_due(struct brink__wheel *wheel)
{
	struct brink_list *node;

	if (brink__timer_at(wheel->near.previous)->deadline <= wheel->limit) {
		brink__list_take(&wheel->due, &wheel->near);
		return;
	}
	while ((node = wheel->near.next) != &wheel->near && brink__timer_at(node)->deadline <= wheel->limit) {
		brink__list_remove(node);
		brink__list_append(&wheel->due, node);
	}
}

static void call(brink_loop *loop, brink_timer *timer)
{
	uint64_t late = loop->now - timer->deadline;

	if (timer->period != 0) {
		brink__wheel_remove(timer);
		timer->deadline = later(timer->deadline, (late / timer->period + 1) * timer->period);
		insert(&loop->wheel, timer);
	} else {
		end(timer);
	}
	brink__trace(loop, BRINK_TRACE_TIMER, -1, 0, timer, (int64_t)late);
	timer->call(timer);
}

unsigned brink__timers_run(brink_loop *loop)
{
	struct brink__wheel *wheel = &loop->wheel;
	struct brink_list *node;
	unsigned calls = 0;

	if (brink__likely(wheel->next > brink__loop_clock(loop)))
		return 0;
	/* Tick by tick, so that timers are called while they are in the cache, where very many are
	 * due. What their calls start with no delay is for the next turn. */
	brink__wheel_settle(wheel, wheel->base, loop->now);
	while (brink__wheel_advance(wheel)) {
		take_due(wheel);
		while ((node = wheel->due.next) != &wheel->due) {
			call(loop, brink__timer_at(node));
			calls++;
		}
	}
	brink__wheel_settle(wheel, wheel->base, 0);
	if (!brink__list_empty(&wheel->next_turn.timers)) {
		brink__wheel_sort_in(wheel, &wheel->next_turn.timers);
		wheel->next_turn.behind = NULL;
	}
	wheel->exact = false;
	brink__wheel_next(wheel);
	return calls;
}

static void end_list(struct brink_list *list)
{
	while (!brink__list_empty(list))
		end(brink__timer_at(list->next));
}

void brink__timers_end(brink_loop *loop)
{
	struct brink__wheel *wheel = &loop->wheel;
	struct brink__wheel_slot *slot;
	uint64_t start;
	unsigned level;

	end_list(&wheel->near);
	end_list(&wheel->due);
	while ((slot = brink__wheel_first(wheel, &level, &start)) != NULL)
		end_list(&slot->timers);
}
