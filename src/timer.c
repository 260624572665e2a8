#include "config.h"

#include "loop.h"

#include <errno.h>
#include <string.h>

#define TICK_BITS BRINK__WHEEL_TICK_BITS
#define DIGIT_BITS BRINK__WHEEL_DIGIT_BITS
#define DIGIT_MASK (BRINK__WHEEL_SLOTS - 1u)

static brink_timer *timer_at(struct brink_list *node)
{
	return brink_container_of(node, brink_timer, node);
}

/* ---- the wheel ---- */

void brink__wheel_init(struct brink__wheel *wheel, uint64_t now)
{
	memset(wheel, 0, sizeof *wheel);
	wheel->next = UINT64_MAX;
	wheel->base = now >> TICK_BITS;
	brink__list_init(&wheel->near);
	brink__list_init(&wheel->due);
	brink__list_init(&wheel->next_turn);
}

static void place(struct brink__wheel *wheel, brink_timer *timer)
{
	uint64_t tick = timer->deadline >> TICK_BITS, differing;
	unsigned level = 0, index;

	if (tick < wheel->base)
		tick = wheel->base; /* overdue already */
	differing = tick ^ wheel->base;
	if (differing != 0)
		level = (63u - (unsigned)__builtin_clzll(differing)) / DIGIT_BITS;
	index = (unsigned)(tick >> (level * DIGIT_BITS)) & DIGIT_MASK;
	if ((wheel->occupied[level] & UINT64_C(1) << index) == 0) {
		wheel->occupied[level] |= UINT64_C(1) << index;
		brink__list_init(&wheel->slots[level][index]);
	}
	brink__list_append(&wheel->slots[level][index], &timer->node);
}

/* The slot of the earliest timers: in the lowest level that has any, the first. NULL
 * when all are empty. `*start` is the first tick of the slot. */
static struct brink_list *first_slot(struct brink__wheel *wheel, unsigned *level, uint64_t *start)
{
	for (*level = 0; *level < BRINK__WHEEL_LEVELS; ++*level) {
		while (wheel->occupied[*level] != 0) {
			unsigned index = (unsigned)__builtin_ctzll(wheel->occupied[*level]);
			unsigned shift = *level * DIGIT_BITS;

			/* Digits above this level's are the base's, those below are 0. */
			*start = ((wheel->base >> shift) & ~(uint64_t)DIGIT_MASK) << shift | (uint64_t)index << shift;
			if (!brink__list_empty(&wheel->slots[*level][index]))
				return &wheel->slots[*level][index];
			wheel->occupied[*level] &= ~(UINT64_C(1) << index);
		}
	}
	return NULL;
}

/* ---- sorting by deadline, stable ---- */

/* Of two chains, linked by `next` and ended by NULL, one; of equals, the left's first. */
static struct brink_list *merge(struct brink_list *left, struct brink_list *right)
{
	struct brink_list *merged = NULL, **end = &merged;

	while (left != NULL && right != NULL) {
		struct brink_list **from = timer_at(right)->deadline < timer_at(left)->deadline ? &right : &left;

		*end = *from;
		end = &(*from)->next;
		*from = *end;
	}
	*end = left != NULL ? left : right;
	return merged;
}

/* Merge sort from the bottom up: runs[i] holds 2^i sorted timers that came before those
 * of the lower ones. */
static struct brink_list *sort(struct brink_list *chain)
{
	struct brink_list *runs[64] = {NULL}, *run, *sorted = NULL;
	unsigned i;

	while (chain != NULL) {
		run = chain;
		chain = chain->next;
		run->next = NULL;
		for (i = 0; runs[i] != NULL; i++) {
			run = merge(runs[i], run);
			runs[i] = NULL;
		}
		runs[i] = run;
	}
	for (i = 0; i < 64; i++)
		if (runs[i] != NULL)
			sorted = merge(runs[i], sorted);
	return sorted;
}

/* Moves all of `from` into `near`, after those of the same deadline. */
static void sort_in(struct brink__wheel *wheel, struct brink_list *from)
{
	struct brink_list *place = wheel->near.next, *node, *next;

	from->previous->next = NULL;
	node = sort(from->next);
	brink__list_init(from);
	/* Mostly they come after all that are there, which may be very many after a stall. */
	if (place != &wheel->near && timer_at(wheel->near.previous)->deadline <= timer_at(node)->deadline)
		place = &wheel->near;
	for (; node != NULL; node = next) {
		next = node->next;
		while (place != &wheel->near && timer_at(place)->deadline <= timer_at(node)->deadline)
			place = place->next;
		brink__list_insert(place->previous, node);
	}
}

/* ---- moving on ---- */

/* Brings the timers of a slot that is reached to where they belong now: those of a
 * tick that has come to `near`, the others, and those that were postponed, further on. */
static void open_slot(struct brink__wheel *wheel, struct brink_list *slot, uint64_t tick)
{
	struct brink_list all, come, *next;

	brink__list_take(&all, slot);
	brink__list_init(&come);
	for (struct brink_list *node = all.next; node != &all; node = next) {
		next = node->next;
		__builtin_prefetch(next);
		if (timer_at(node)->deadline >> TICK_BITS <= tick)
			brink__list_append(&come, node);
		else
			place(wheel, timer_at(node));
	}
	if (!brink__list_empty(&come))
		sort_in(wheel, &come);
}

/* Moves on until `near` has timers that are due by `limit` and no slot has earlier ones; false:
 * none are left. */
static bool advance(struct brink__wheel *wheel)
{
	uint64_t last = wheel->limit >> TICK_BITS, start;
	struct brink_list *slot;
	unsigned level;

	for (;;) {
		bool any = !brink__list_empty(&wheel->near);
		uint64_t first = any ? timer_at(wheel->near.next)->deadline : UINT64_MAX;

		slot = first_slot(wheel, &level, &start);
		if (slot == NULL || start > last || start > first >> TICK_BITS) {
			if (first > wheel->limit && last > wheel->base)
				wheel->base = last;
			return first <= wheel->limit;
		}
		if (start > wheel->base)
			wheel->base = start;
		open_slot(wheel, slot, wheel->base);
	}
}

/* From `near` those that are due, which is all of a tick before the limit's. */
static void take_due(struct brink__wheel *wheel)
{
	struct brink_list *node;

	if (timer_at(wheel->near.previous)->deadline <= wheel->limit) {
		brink__list_take(&wheel->due, &wheel->near);
		return;
	}
	while ((node = wheel->near.next) != &wheel->near && timer_at(node)->deadline <= wheel->limit) {
		brink__list_remove(node);
		brink__list_append(&wheel->due, node);
	}
}

#define LOOK_AT 16 /* timers of a slot, for its earliest; beyond that the slot's start will do */

/* The earliest deadline of a slot, or an earlier time. Where all that is seen was postponed
 * beyond the slot, those of later slots may come first: then the time is the slot's start,
 * at which the postponed ones are placed anew. */
static uint64_t earliest(struct brink_list *slot, unsigned level, uint64_t start)
{
	uint64_t last = start + (UINT64_C(1) << (level * DIGIT_BITS)) - 1, found = UINT64_MAX;
	struct brink_list *node = slot->next;

	for (unsigned seen = 0; node != slot && seen < LOOK_AT; node = node->next, seen++)
		if (timer_at(node)->deadline < found)
			found = timer_at(node)->deadline;
	return node == slot && found >> TICK_BITS <= last ? found : start << TICK_BITS;
}

uint64_t brink__wheel_next(struct brink__wheel *wheel)
{
	uint64_t next = UINT64_MAX, start;
	struct brink_list *slot;
	unsigned level;

	if (wheel->exact)
		return wheel->next;
	slot = first_slot(wheel, &level, &start);
	if (slot != NULL)
		next = earliest(slot, level, start);
	if (!brink__list_empty(&wheel->near) && timer_at(wheel->near.next)->deadline < next)
		next = timer_at(wheel->near.next)->deadline;
	wheel->next = next;
	wheel->exact = true;
	return next;
}

/* ---- timers ---- */

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

static void insert(struct brink__wheel *wheel, brink_timer *timer)
{
	if (timer->deadline < wheel->next)
		wheel->next = timer->deadline;
	if (brink__unlikely(timer->deadline <= wheel->limit))
		brink__list_append(&wheel->next_turn, &timer->node);
	else
		place(wheel, timer);
}

int brink_timer_start(brink_loop *loop, brink_timer *timer, uint64_t after, uint64_t period)
{
	struct brink__wheel *wheel = &loop->wheel;

	if (brink__unlikely(timer->call == NULL))
		return -EINVAL;
	if (brink__unlikely(!loop->inside || loop->stale_now))
		brink_loop_update(loop);
	if (timer->node.next != NULL) {
		if (timer->loop != loop)
			return -EINVAL;
		brink__list_remove(&timer->node);
	} else {
		loop->references++;
		/* An empty wheel may jump: nothing stands between its base and now. */
		if (wheel->count++ == 0)
			wheel->base = loop->now >> TICK_BITS;
	}
	timer->loop = loop;
	timer->period = period;
	timer->deadline = later(loop->now, after);
	insert(wheel, timer);
	return 0;
}

static void end(brink_timer *timer)
{
	brink__list_remove(&timer->node);
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

int brink_timer_postpone(brink_timer *timer, uint64_t after)
{
	struct brink__wheel *wheel;
	uint64_t deadline;

	if (timer->node.next == NULL)
		return -ENOENT;
	wheel = &timer->loop->wheel;
	if (brink__unlikely(!timer->loop->inside || timer->loop->stale_now))
		brink_loop_update(timer->loop);
	deadline = later(timer->loop->now, after);
	/* Later, and in a slot that this turn does not open: the slot will find that it moved. */
	if (brink__likely(deadline >= timer->deadline && timer->deadline >> TICK_BITS > wheel->base &&
	                  timer->deadline > wheel->limit)) {
		timer->deadline = deadline;
		return 0;
	}
	brink__list_remove(&timer->node);
	timer->deadline = deadline;
	insert(wheel, timer);
	return 0;
}

static void call(brink_loop *loop, brink_timer *timer)
{
	uint64_t late = loop->now - timer->deadline;

	if (timer->period != 0) {
		brink__list_remove(&timer->node);
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

	if (brink__likely(wheel->count == 0 || wheel->next > brink__loop_clock(loop)))
		return 0;
	/* Tick by tick, so that timers are called while they are in the cache, where very many are
	 * due. What their calls start for now is for the next turn. */
	wheel->limit = loop->now;
	while (advance(wheel)) {
		take_due(wheel);
		while ((node = wheel->due.next) != &wheel->due) {
			call(loop, timer_at(node));
			calls++;
		}
	}
	wheel->limit = 0;
	if (!brink__list_empty(&wheel->next_turn))
		sort_in(wheel, &wheel->next_turn);
	wheel->exact = false;
	brink__wheel_next(wheel);
	return calls;
}

static void end_list(struct brink_list *list)
{
	while (!brink__list_empty(list))
		end(timer_at(list->next));
}

void brink__timers_end(brink_loop *loop)
{
	struct brink__wheel *wheel = &loop->wheel;
	struct brink_list *slot;
	uint64_t start;
	unsigned level;

	end_list(&wheel->near);
	end_list(&wheel->due);
	while ((slot = first_slot(wheel, &level, &start)) != NULL)
		end_list(slot);
}
