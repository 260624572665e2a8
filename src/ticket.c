/* The ticket rule, in the one place where it stands.
 *
 * A direction of a slot is open or closed. An event for an open direction is delivered
 * and closes it. An event for a closed one sets its remembered bit instead: the kernel
 * may not say it again, so the rearm that opens the direction must then make it look
 * (arm). Where it was not remembered and the kernel still reports the direction by
 * itself (armed), opening is a bit in memory. That is the whole cost of the rule.
 *
 * A remembered bit may only be cleared before the read or write whose EAGAIN leads to
 * the rearm: cleared after it, an edge between the two would be lost. */
#include "config.h"

#include "loop.h"
#include "ticket.h"

static inline void enlist(brink_loop *loop, struct brink__slot *slot)
{
	if (slot->state & BRINK__LISTED)
		return;
	slot->state |= BRINK__LISTED;
	slot->next = NULL;
	*loop->ready_end = slot;
	loop->ready_end = &slot->next;
}

static int fd_of(const struct brink__slot *slot)
{
	return brink__token_fd(slot->token);
}

/* What the event of a slot held beside the directions that it delivers. */
static void hold(brink_loop *loop, struct brink__slot *slot, unsigned ready, unsigned delivered)
{
	unsigned held = ready & slot->wanted & ~delivered;

	if (ready & ~BRINK__DIRECTIONS) {
		slot->state |= ready & (BRINK_EOF | BRINK_ERROR);
		slot->state &= (uint8_t)~BRINK__DRAINS;
	}
	slot->remembered |= (uint8_t)held;
	if (held != 0)
		brink__trace(loop, BRINK_TRACE_HELD, fd_of(slot), held, NULL, 0);
	/* Woken for nothing: where the kernel would do it again for each packet, stop it. After the end of a TCP
	 * connection's peer no packets come. */
	if (delivered == 0 && loop->ops->disarm != NULL && !slot->level &&
	    !((ready & BRINK_EOF) && slot->kind == BRINK__KIND_TCP))
		loop->ops->disarm(loop->dispatcher, slot);
}

static inline void take(brink_loop *loop, struct brink__slot *slot, unsigned ready)
{
	unsigned delivered = ready & slot->open;

	brink__trace(loop, BRINK_TRACE_EVENT, fd_of(slot), ready & ~BRINK__URGENT, NULL, 0);
	if (brink__unlikely(ready != delivered))
		hold(loop, slot, ready, delivered);
	if (brink__unlikely(delivered == 0))
		return;
	if (brink__likely(!slot->level))
		slot->open ^= (uint8_t)delivered;
	slot->pending |= (uint8_t)delivered;
	enlist(loop, slot);
}

void brink__tickets_take(brink_loop *loop, const struct brink__event *events, int count)
{
	for (const struct brink__event *event = events; event < events + count; event++)
		take(loop, event->slot, event->ready);
}

/* What the owner of `directions` is told: EOF with every READ from then on, ERROR with
 * each direction once, and where a rearm failed. */
static unsigned accompany(struct brink__slot *slot, unsigned directions)
{
	unsigned ready = directions;

	if (directions & BRINK_READ)
		ready |= slot->state & BRINK_EOF;
	if ((slot->state & BRINK_ERROR) && (BRINK__TOLD(directions) & ~(unsigned)slot->state)) {
		ready |= BRINK_ERROR;
		slot->state |= (uint8_t)BRINK__TOLD(directions);
	}
	if (slot->state & BRINK__UNARMED)
		ready |= BRINK_ERROR;
	slot->state &= (uint8_t)~BRINK__UNARMED;
	return ready;
}

static inline void call_owner(brink_loop *loop, struct brink__slot *slot, unsigned directions)
{
	brink_watch *watch = slot->owner[directions == BRINK_WRITE];
	unsigned ready = directions;

	slot->pending ^= (uint8_t)directions;
	if (brink__unlikely(slot->state & (BRINK_EOF | BRINK_ERROR | BRINK__UNARMED)))
		ready = accompany(slot, directions);
	brink__trace(loop, BRINK_TRACE_CALL, fd_of(slot), ready, watch, 0);
	watch->call(watch, ready);
}

/* An error that does not end the descriptor (an ICMP message on a datagram socket) is
 * news again when it comes again, and so is everything of a level-triggered watch. */
static void forget(struct brink__slot *slot)
{
	unsigned news = BRINK_ERROR | BRINK__TOLD(BRINK_READ) | BRINK__TOLD(BRINK_WRITE);

	if (slot->level)
		news |= BRINK_EOF;
	else if (slot->kind != BRINK__KIND_DATAGRAM && slot->kind != BRINK__KIND_OTHER)
		return;
	slot->state &= (uint8_t)~news;
}

/* A reader and a writer that are two watches: one call each. */
static unsigned call_both(brink_loop *loop, struct brink__slot *slot)
{
	uint64_t token = slot->token;
	unsigned calls = 0;

	if (slot->pending & BRINK_READ) {
		call_owner(loop, slot, BRINK_READ);
		calls++;
	}
	/* The reader may have stopped the writer, and the slot may be another's now. */
	if (slot->token == token && (slot->pending & BRINK_WRITE)) {
		call_owner(loop, slot, BRINK_WRITE);
		calls++;
	}
	return calls;
}

static inline unsigned call_slot(brink_loop *loop, struct brink__slot *slot)
{
	uint64_t token = slot->token;
	unsigned calls = 1;

	slot->state &= (uint8_t)~(BRINK__LISTED | BRINK__SPENT);
	if (brink__unlikely(slot->pending == 0))
		return 0; /* stopped meanwhile */
	if (brink__likely(slot->pending == BRINK_READ || slot->owner[0] == slot->owner[1]))
		call_owner(loop, slot, slot->pending);
	else
		calls = call_both(loop, slot);
	if (brink__unlikely((slot->state & BRINK_ERROR) | slot->level) && slot->token == token)
		forget(slot);
	return calls;
}

unsigned brink__tickets_run(brink_loop *loop)
{
	struct brink__slot *slot = loop->ready, *next;
	unsigned calls = 0;

	loop->ready = NULL;
	loop->ready_end = &loop->ready;
	loop->drained = loop->woken = false;
	for (; slot != NULL; slot = next) {
		next = slot->next;
		calls += call_slot(loop, slot);
	}
	calls -= loop->drained;
	loop->counters.calls += calls;
	return calls;
}

int brink__ticket_rearm(brink_loop *loop, struct brink__slot *slot, unsigned directions, bool look)
{
	unsigned before = slot->open;
	int result;

	directions &= ~(unsigned)slot->pending;
	slot->open |= (uint8_t)directions;
	if (brink__likely(!look && (directions & (slot->remembered | ~(unsigned)slot->armed)) == 0))
		return 0;
	if (directions == 0)
		return 0;
	brink__trace(loop, BRINK_TRACE_ARM, fd_of(slot), slot->open, NULL, 0);
	loop->counters.changes++;
	result = brink__loop_has_kernel(loop) ? loop->ops->arm(loop->dispatcher, slot) : 0;
	if (result < 0)
		slot->open = (uint8_t)before;
	else
		slot->remembered &= (uint8_t)~directions;
	return result;
}

void brink__ticket_again(brink_loop *loop, struct brink__slot *slot, unsigned directions)
{
	slot->open &= (uint8_t)~directions;
	slot->pending |= (uint8_t)directions;
	enlist(loop, slot);
}
