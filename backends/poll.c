/* poll(2), made to behave like an edge.
 *
 * poll reports what is, not what happens, so a reported direction leaves its pollfd until
 * it is armed again. The trickiest thing is the pollfd with no direction left: POLLHUP
 * and POLLERR are reported whatever was asked, so it must not stand there with an empty
 * mask, or a hung-up descriptor whose owner is busy elsewhere would spin. Its number is
 * stored inverted: a negative descriptor is passed over. */
#include "config.h"

#include "dispatcher.h"
#include "memory.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>

_Static_assert(POLLIN == BRINK_READ && POLLOUT == BRINK_WRITE && POLLERR == BRINK_ERROR && POLLHUP == BRINK_EOF,
               "poll's bits are the library's");

/* NetBSD and macOS do not have it: there a half-close is seen only as READ. */
#ifndef POLLRDHUP
#define POLLRDHUP 0
#endif

/* The two arrays run side by side: entry i of each is one slot, whose mark is i. */
struct brink__dispatcher {
	struct pollfd *polled;
	struct brink__slot **slots;
	uint32_t count, room;
	uint32_t start; /* where the next scan begins, so that all have their turn */
};

/* ---- waiting ---- */

#ifdef HAVE_PPOLL

static int wait_for(struct brink__dispatcher *poller, int64_t timeout)
{
	struct timespec limit = {.tv_sec = (time_t)(timeout / 1000000000), .tv_nsec = (long)(timeout % 1000000000)};

	return ppoll(poller->polled, poller->count, timeout < 0 ? NULL : &limit, NULL);
}

#else

static int wait_for(struct brink__dispatcher *poller, int64_t timeout)
{
	int ms = -1;

	if (timeout >= 0)
		ms = timeout > (int64_t)INT_MAX * 1000000 ? INT_MAX : (int)((timeout + 999999) / 1000000);
	return poll(poller->polled, poller->count, ms);
}

#endif

static void set(struct brink__dispatcher *poller, struct brink__slot *slot, unsigned directions)
{
	struct pollfd *entry = &poller->polled[slot->mark];
	int fd = brink__token_fd(slot->token);

	entry->events = (short)(directions | (directions & BRINK_READ ? POLLRDHUP : 0));
	entry->fd = directions != 0 ? fd : ~fd;
	slot->armed = (uint8_t)directions;
}

static uint32_t translate(short said)
{
	uint32_t ready = (uint32_t)said & (POLLIN | POLLOUT | POLLERR | POLLHUP);

	if (said & (POLLERR | POLLHUP))
		ready |= BRINK_READ | BRINK_WRITE;
	if (said & POLLRDHUP)
		ready |= BRINK_READ | BRINK_EOF;
	return ready;
}

/* One entry that has something to say; false where nobody wants to know. */
static bool report(struct brink__dispatcher *poller, uint32_t place, struct brink__event *event)
{
	struct brink__slot *slot = poller->slots[place];
	short said = poller->polled[place].revents;

	/* Closed without being removed: contained, until its owner stops it. */
	if (said & POLLNVAL) {
		set(poller, slot, 0);
		return false;
	}
	event->slot = slot;
	event->ready = translate(said);
	if (!slot->level)
		set(poller, slot, slot->armed & ~event->ready);
	return true;
}

static int poll_harvest(struct brink__dispatcher *poller, struct brink__event *events, int capacity,
                        int64_t timeout)
{
	int ready = wait_for(poller, timeout), kept = 0;
	uint32_t place;

	if (ready <= 0)
		return ready < 0 ? -errno : 0;
	place = poller->start < poller->count ? poller->start : 0;
	for (uint32_t seen = 0; seen < poller->count && ready > 0 && kept < capacity; seen++) {
		if (poller->polled[place].revents != 0) {
			ready--;
			kept += report(poller, place, &events[kept]);
		}
		place = place + 1 < poller->count ? place + 1 : 0;
	}
	/* Those that did not fit are reported first by the next wait. */
	poller->start = place;
	return kept;
}

/* ---- registrations ---- */

static int grow(struct brink__dispatcher *poller)
{
	uint32_t room = poller->room != 0 ? poller->room * 2 : 64;
	struct pollfd *polled = brink__resize(poller->polled, room, sizeof *polled);
	struct brink__slot **slots;

	if (polled == NULL)
		return -ENOMEM;
	poller->polled = polled;
	slots = brink__resize(poller->slots, room, sizeof *slots);
	if (slots == NULL)
		return -ENOMEM;
	poller->slots = slots;
	poller->room = room;
	return 0;
}

static int poll_add(struct brink__dispatcher *poller, struct brink__slot *slot)
{
	if (poller->count == poller->room && grow(poller) < 0)
		return -ENOMEM;
	slot->mark = poller->count++;
	poller->slots[slot->mark] = slot;
	poller->polled[slot->mark].revents = 0;
	set(poller, slot, slot->open);
	return 0;
}

static int poll_arm(struct brink__dispatcher *poller, struct brink__slot *slot)
{
	set(poller, slot, slot->open);
	return 0;
}

static void poll_remove(struct brink__dispatcher *poller, struct brink__slot *slot)
{
	uint32_t last = --poller->count;

	poller->polled[slot->mark] = poller->polled[last];
	poller->slots[slot->mark] = poller->slots[last];
	poller->slots[slot->mark]->mark = slot->mark;
}

/* ---- life ---- */

static int poll_open(struct brink__dispatcher **opened, const struct brink__dispatcher_options *options)
{
	(void)options;
	*opened = brink__allocate(1, sizeof **opened);
	return *opened != NULL ? 0 : -ENOMEM;
}

static void poll_close(struct brink__dispatcher *poller)
{
	brink__free(poller->polled);
	brink__free(poller->slots);
	brink__free(poller);
}

const struct brink__dispatcher_ops brink__poll = {
	.name = "poll",
	.note = "poll(2), on every system; the cost of a turn grows with the number of watches",
	.features = 0,
	.open = poll_open,
	.close = poll_close,
	.add = poll_add,
	.arm = poll_arm,
	.remove = poll_remove,
	.wait = poll_harvest,
};
