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

#include <brink/timer.h>

#include <stdbool.h>
#include <stdint.h>

#define BRINK__WHEEL_TICK_BITS 16
#define BRINK__WHEEL_DIGIT_BITS 6
#define BRINK__WHEEL_LEVELS 8 /* 16 + 8 * 6 = 64 bits of nanoseconds */
#define BRINK__WHEEL_SLOTS (1 << BRINK__WHEEL_DIGIT_BITS)

struct brink__wheel {
	/* No deadline of the wheel is before this; it may be too low after a stop or a
	 * postponement, which costs a look, never a delay. UINT64_MAX when empty. */
	uint64_t next;
	bool exact;    /* next was looked for since the wheel last moved */
	uint64_t base; /* ticks below it, and its own, have been taken out of the slots */
	uint64_t count;
	/* A set bit: the slot's list is initialised, and may hold timers. */
	uint64_t occupied[BRINK__WHEEL_LEVELS];
	struct brink_list slots[BRINK__WHEEL_LEVELS][BRINK__WHEEL_SLOTS];
	struct brink_list near; /* timers of ticks up to base, sorted by deadline */
	struct brink_list due;  /* those of them that are being called */
	uint64_t limit; /* while timers are called: what was due when that began; else 0 */
	struct brink_list next_turn; /* started meanwhile, and due already */
};

void brink__wheel_init(struct brink__wheel *wheel, uint64_t now);

/* `next`, looked for anew where the wheel has moved since. */
uint64_t brink__wheel_next(struct brink__wheel *wheel);

#endif
