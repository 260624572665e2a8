/* The timing wheel: timers by deadline, with O(1) start and stop.
 *
 * Time is cut into ticks of 2^16 ns, and a tick's number into eight digits of six
 * bits. A timer stands in the level of the highest digit in which its tick differs from
 * the wheel's base, in the slot of that digit: the far future is kept coarse, the near
 * one fine, and as the base moves on, each timer is placed again at most once a level
 * (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987; the choice of the
 * level by the differing digit is that of the radix heap of Ahuja et al., 1990).
 *
 * Lists keep the order of starting, and placing again keeps the order of a list, so
 * timers of equal deadlines come out as they were started when a slot is sorted by
 * deadline with a stable sort. */
#ifndef BRINK_WHEEL_H
#define BRINK_WHEEL_H

#include "list.h"

#include <brink/timer.h>

#include <stdbool.h>
#include <stdint.h>

#define BRINK__WHEEL_TICK_BITS 16
#define BRINK__WHEEL_DIGIT_BITS 6
#define BRINK__WHEEL_LEVELS 8 /* 16 + 8 * 6 = 64 bits of nanoseconds */
#define BRINK__WHEEL_SLOTS (1 << BRINK__WHEEL_DIGIT_BITS)
#define BRINK__WHEEL_AHEAD 16 /* places between a timer and the one that it has the wheel fetch */

/* A list of timers that lie anywhere in memory is a chain of cache misses, each of which has to end
 * before the next can begin. So each timer is told which one comes AHEAD places after it, and a
 * walk through the list asks for that one in time ("jump pointers": Roth and Sohi, "Effective
 * Jump-Pointer Prefetching for Linked Data Structures", 1999). That is a hint: it is never
 * followed, only prefetched, and may be of a timer that is gone. */
struct brink__wheel_slot {
	struct brink_list timers;
	brink_timer *behind; /* who is told next; NULL: nobody of the list */
	unsigned between;    /* how many have been appended since it, up to AHEAD - 1 */
};

struct brink__wheel {
	/* No deadline of the wheel is before this; it may be too low after a stop or a
	 * postponement, which costs a look, never a delay. UINT64_MAX when empty. */
	uint64_t next;
	bool exact;    /* next was looked for since the wheel last moved */
	uint64_t base; /* ticks below it, and its own, have been taken out of the slots */
	uint64_t settled; /* what is due later than this is in a slot, which this turn does not open */
	uint64_t count;
	/* A set bit: the slot's list is initialised, and may hold timers. */
	uint64_t occupied[BRINK__WHEEL_LEVELS];
	struct brink__wheel_slot slots[BRINK__WHEEL_LEVELS][BRINK__WHEEL_SLOTS];
	struct brink_list near; /* timers of ticks up to base, sorted by deadline */
	struct brink_list due;  /* those of them that are being called */
	uint64_t limit; /* while timers are called: what was due when that began; else 0 */
	struct brink__wheel_slot next_turn; /* started meanwhile, and due already */
};

void brink__wheel_init(struct brink__wheel *wheel, uint64_t now);

/* Sets `base` and `limit`, and what follows from them. */
static inline void brink__wheel_settle(struct brink__wheel *wheel, uint64_t base, uint64_t limit)
{
	uint64_t end = (base << BRINK__WHEEL_TICK_BITS) + (1u << BRINK__WHEEL_TICK_BITS) - 1;

	wheel->base = base;
	wheel->limit = limit;
	wheel->settled = end > limit ? end : limit;
}

/* `next`, looked for anew where the wheel has moved since. */
uint64_t brink__wheel_next(struct brink__wheel *wheel);

/* Moves on until `near` has timers that are due by `limit` and no slot has earlier ones;
 * false: none are left. */
bool brink__wheel_advance(struct brink__wheel *wheel);

/* Moves all of `from` into `near`, after those of the same deadline. */
void brink__wheel_sort_in(struct brink__wheel *wheel, struct brink_list *from);

/* The slot of the earliest timers: in the lowest level that has any, the first. NULL
 * when all are empty. `*start` is the first tick of the slot. */
struct brink__wheel_slot *brink__wheel_first(struct brink__wheel *wheel, unsigned *level, uint64_t *start);

static inline brink_timer *brink__timer_at(struct brink_list *node)
{
	return brink_container_of(node, brink_timer, node);
}

static inline void brink__wheel_append(struct brink__wheel_slot *slot, brink_timer *timer)
{
	brink__list_append(&slot->timers, &timer->node);
	timer->slot = slot;
	if (slot->behind == NULL) {
		slot->behind = timer;
		slot->between = 0;
	} else if (slot->between < BRINK__WHEEL_AHEAD - 1) {
		slot->between++;
	} else {
		slot->behind->ahead = timer;
		slot->behind = brink__timer_at(slot->behind->node.next);
		if (slot->behind == timer)
			slot->between = 0; /* all between have been stopped */
	}
}

/* Takes a timer out of whatever list it is in. */
static inline void brink__wheel_remove(brink_timer *timer)
{
	struct brink__wheel_slot *slot = timer->slot; /* or where it was before */

	if (slot->behind == timer)
		slot->behind = NULL;
	brink__list_remove(&timer->node);
}

static inline void brink__wheel_clear(struct brink__wheel_slot *slot)
{
	brink__list_init(&slot->timers);
	slot->behind = NULL;
}

/* Puts a timer into the slot in which it belongs. */
static inline void brink__wheel_place(struct brink__wheel *wheel, brink_timer *timer)
{
	uint64_t tick = timer->deadline >> BRINK__WHEEL_TICK_BITS, differing;
	unsigned level = 0, index;

	if (tick < wheel->base)
		tick = wheel->base; /* overdue already */
	differing = tick ^ wheel->base;
	if (differing != 0)
		level = (63u - (unsigned)__builtin_clzll(differing)) / BRINK__WHEEL_DIGIT_BITS;
	index = (unsigned)(tick >> (level * BRINK__WHEEL_DIGIT_BITS)) % BRINK__WHEEL_SLOTS;
	if ((wheel->occupied[level] & UINT64_C(1) << index) == 0) {
		wheel->occupied[level] |= UINT64_C(1) << index;
		brink__wheel_clear(&wheel->slots[level][index]);
	}
	brink__wheel_append(&wheel->slots[level][index], timer);
}

#endif
