/* What others than ticket.c know of its rule: the bits of slot->state beside BRINK_EOF and BRINK_ERROR, and the rearm
 * that is no more than a bit. */
#ifndef BRINK_TICKET_H
#define BRINK_TICKET_H

#include "table.h"

#define BRINK__LISTED 1u /* the slot is in a list of slots to call */
/* A read shorter than asked for means that nothing is left: so it is until an end, an
 * error or urgent data has been seen. */
#define BRINK__DRAINS 2u
/* A short read has said that nothing is left: the next read need not ask. */
#define BRINK__SPENT 4u
/* A rearm from another thread failed: the next call says so with ERROR. */
#define BRINK__UNARMED 64u
/* ERROR has been said to this direction's owner. */
#define BRINK__TOLD(direction) ((direction) << 5)

/* The common case of a rearm in READ on the loop's thread, where none is remembered, without its calls: no event is
 * still to be delivered, and the next is reported by itself. False: it is another case. */
static inline bool brink__ticket_reopen(struct brink__slot *slot, const brink_watch *watch)
{
	if ((slot->armed & ~slot->pending & BRINK_READ) == 0 || slot->owner[0] != watch || slot->level)
		return false;
	slot->open |= BRINK_READ;
	return true;
}

_Static_assert(BRINK__TOLD(BRINK_READ) == 32 && BRINK__TOLD(BRINK_WRITE) == 128,
              "the bits fit beside BRINK_ERROR and BRINK_EOF");

#endif
