#include "config.h"

#include "wheel.h"

#include <string.h>

#define TICK_BITS BRINK__WHEEL_TICK_BITS
#define DIGIT_BITS BRINK__WHEEL_DIGIT_BITS
#define DIGIT_MASK (BRINK__WHEEL_SLOTS - 1u)

void brink__wheel_init(struct brink__wheel *wheel, uint64_t now)
{
	memset(wheel, 0, sizeof *wheel);
	wheel->next = UINT64_MAX;
	brink__wheel_settle(wheel, now >> TICK_BITS, 0);
	brink__list_init(&wheel->near);
	brink__list_init(&wheel->due);
	brink__wheel_clear(&wheel->next_turn);
}

struct brink__wheel_slot *brink__wheel_first(struct brink__wheel *wheel, unsigned *level, uint64_t *start)
{
	for (*level = 0; *level < BRINK__WHEEL_LEVELS; ++*level) {
		while (wheel->occupied[*level] != 0) {
			unsigned index = (unsigned)__builtin_ctzll(wheel->occupied[*level]);
			unsigned shift = *level * DIGIT_BITS;

			/* Digits above this level's are the base's, those below are 0. */
			*start = ((wheel->base >> shift) & ~(uint64_t)DIGIT_MASK) << shift | (uint64_t)index << shift;
			if (!brink__list_empty(&wheel->slots[*level][index].timers))
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
		struct brink_list **from = brink__timer_at(right)->deadline < brink__timer_at(left)->deadline ? &right : &left;

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

void brink__wheel_sort_in(struct brink__wheel *wheel, struct brink_list *from)
{
	struct brink_list *place = wheel->near.next, *node, *next;

	from->previous->next = NULL;
	node = sort(from->next);
	brink__list_init(from);
	/* Mostly they come after all that are there, which may be very many after a stall. */
	if (place != &wheel->near && brink__timer_at(wheel->near.previous)->deadline <= brink__timer_at(node)->deadline)
		place = &wheel->near;
	for (; node != NULL; node = next) {
		next = node->next;
		while (place != &wheel->near && brink__timer_at(place)->deadline <= brink__timer_at(node)->deadline)
			place = place->next;
		brink__list_insert(place->previous, node);
	}
}

/* ---- moving on ---- */

/* Both ends: a timer may lie across two cache lines. NULL does no harm, but has no members. */
static void prefetch(const brink_timer *timer)
{
	__builtin_prefetch(timer);
	__builtin_prefetch((const void *)((uintptr_t)timer + offsetof(brink_timer, ahead)));
}

/* Brings the timers of a slot that is reached to where they belong now: those of a
 * tick that has come to `near`, the others, and those that were postponed, further on. */
static void open_slot(struct brink__wheel *wheel, struct brink__wheel_slot *slot, uint64_t tick)
{
	struct brink_list all, come, *next;

	brink__list_take(&all, &slot->timers);
	brink__wheel_clear(slot);
	brink__list_init(&come);
	for (struct brink_list *node = all.next; node != &all; node = next) {
		next = node->next;
		__builtin_prefetch(next);
		prefetch(brink__timer_at(node)->ahead);
		if (brink__timer_at(node)->deadline >> TICK_BITS <= tick)
			brink__list_append(&come, node);
		else
			brink__wheel_place(wheel, brink__timer_at(node));
	}
	if (!brink__list_empty(&come))
		brink__wheel_sort_in(wheel, &come);
}

bool brink__wheel_advance(struct brink__wheel *wheel)
{
	uint64_t last = wheel->limit >> TICK_BITS, start;
	struct brink__wheel_slot *slot;
	unsigned level;

	for (;;) {
		bool any = !brink__list_empty(&wheel->near);
		uint64_t first = any ? brink__timer_at(wheel->near.next)->deadline : UINT64_MAX;

		slot = brink__wheel_first(wheel, &level, &start);
		if (slot == NULL || start > last || start > first >> TICK_BITS) {
			if (first > wheel->limit && last > wheel->base)
				brink__wheel_settle(wheel, last, wheel->limit);
			return first <= wheel->limit;
		}
		if (start > wheel->base)
			brink__wheel_settle(wheel, start, wheel->limit);
		open_slot(wheel, slot, wheel->base);
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
		if (brink__timer_at(node)->deadline < found)
			found = brink__timer_at(node)->deadline;
	return node == slot && found >> TICK_BITS <= last ? found : start << TICK_BITS;
}

uint64_t brink__wheel_next(struct brink__wheel *wheel)
{
	uint64_t next = UINT64_MAX, start;
	struct brink__wheel_slot *slot;
	unsigned level;

	if (wheel->exact)
		return wheel->next;
	slot = brink__wheel_first(wheel, &level, &start);
	if (slot != NULL)
		next = earliest(&slot->timers, level, start);
	if (!brink__list_empty(&wheel->near) && brink__timer_at(wheel->near.next)->deadline < next)
		next = brink__timer_at(wheel->near.next)->deadline;
	wheel->next = next;
	wheel->exact = true;
	return next;
}
