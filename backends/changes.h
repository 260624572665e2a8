/* The slots whose changes wait for the next system call.
 *
 * Each registered slot is in the set at most once, so room for all that are registered,
 * which brink__changes_join() makes when one is added, is room for ever: putting a slot
 * in cannot fail. Where a slot lies in the set stands in the upper bits of slot->mark,
 * so that taking it out again costs the same however many others wait. The low
 * BRINK__CHANGES_SHIFT bits of the mark are the backend's. Slots that are to come before
 * the others lie at the front, in the order in which they were put there; where one is taken
 * out, another lies there. */
#ifndef BRINK_CHANGES_H
#define BRINK_CHANGES_H

#include "memory.h"
#include "table.h"

#include <errno.h>

#define BRINK__CHANGES_SHIFT 8u
#define BRINK__CHANGES_LIMIT (UINT32_MAX >> BRINK__CHANGES_SHIFT)

struct brink__changes {
	struct brink__slot **slots; /* behind the `first` in no order */
	uint32_t first; /* may be more than there are */
	uint32_t count;
	uint32_t room;       /* at least `registered` */
	uint32_t registered; /* slots that have joined and not left */
};

static inline int brink__changes_join(struct brink__changes *changes)
{
	uint32_t room = changes->room != 0 ? changes->room * 2 : 16;
	struct brink__slot **slots;

	if (changes->registered < changes->room) {
		changes->registered++;
		return 0;
	}
	slots = room <= BRINK__CHANGES_LIMIT ? brink__resize(changes->slots, room, sizeof(struct brink__slot *)) : NULL;
	if (slots == NULL)
		return -ENOMEM;
	changes->slots = slots;
	changes->room = room;
	changes->registered++;
	return 0;
}

/* Puts a slot in that has joined; nothing changes when it is in. */
static inline void brink__changes_put(struct brink__changes *changes, struct brink__slot *slot)
{
	if (slot->mark >> BRINK__CHANGES_SHIFT != 0)
		return;
	changes->slots[changes->count++] = slot;
	slot->mark |= changes->count << BRINK__CHANGES_SHIFT;
}

#define BRINK__CHANGES_OWN ((1u << BRINK__CHANGES_SHIFT) - 1) /* the backend's part of a mark */

/* Has a slot lie in the place with this number; the first is 1. */
static inline void brink__changes_lay(struct brink__changes *changes, struct brink__slot *slot, uint32_t place)
{
	changes->slots[place - 1] = slot;
	slot->mark = (slot->mark & BRINK__CHANGES_OWN) | place << BRINK__CHANGES_SHIFT;
}

/* Puts a slot in as the last of the first; nothing changes when it is one of them. */
static inline void brink__changes_put_first(struct brink__changes *changes, struct brink__slot *slot)
{
	uint32_t place;

	brink__changes_put(changes, slot);
	place = slot->mark >> BRINK__CHANGES_SHIFT;
	if (place <= changes->first)
		return;
	brink__changes_lay(changes, changes->slots[changes->first++], place);
	brink__changes_lay(changes, slot, changes->first);
}

/* Takes a slot out; nothing changes when it is not in. */
static inline void brink__changes_take(struct brink__changes *changes, struct brink__slot *slot)
{
	uint32_t place = slot->mark >> BRINK__CHANGES_SHIFT;

	if (place == 0)
		return;
	brink__changes_lay(changes, changes->slots[--changes->count], place);
	slot->mark &= BRINK__CHANGES_OWN;
}

/* Takes all out. */
static inline void brink__changes_clear(struct brink__changes *changes)
{
	while (changes->count > 0)
		changes->slots[--changes->count]->mark &= BRINK__CHANGES_OWN;
	changes->first = 0;
}

static inline void brink__changes_leave(struct brink__changes *changes, struct brink__slot *slot)
{
	brink__changes_take(changes, slot);
	changes->registered--;
}

static inline void brink__changes_free(struct brink__changes *changes)
{
	brink__free(changes->slots);
}

#endif
