/* The filters of kevent(2) that stand for a slot: which there are, and how they are changed.
 *
 * A slot has one for each direction, with EV_DISPATCH: the kernel disables it as it
 * reports. Nothing here is remembered; what the kernel has is the backend's to know. */
#ifndef BRINK_FILTERS_H
#define BRINK_FILTERS_H

#include "table.h"

#include <errno.h>
#include <string.h>
#include <sys/event.h>
#include <time.h>

#define BRINK__FILTER_ENABLE (EV_ADD | EV_ENABLE | EV_DISPATCH)

static inline bool brink__filters_of_pipe(const struct brink__slot *slot)
{
	return slot->kind == BRINK__KIND_PIPE || slot->kind == BRINK__KIND_PIPE_OUT;
}

/* The filters that slot->open asks for. EVFILT_WRITE does not tell that the reader of a
 * full pipe is gone (NetBSD), so who wants to write to a pipe waits for its end, which
 * EVFILT_READ reports, as well. */
static inline unsigned brink__filters_wanted(const struct brink__slot *slot)
{
	return brink__filters_of_pipe(slot) && (slot->open & BRINK_WRITE) ? BRINK__DIRECTIONS : slot->open;
}

/* Writes a change of each filter of `directions`, two at most, and returns how many. The
 * token comes back with each event: its upper half, the descriptor, as ident, and the
 * lower one as udata, which is a pointer or (NetBSD before 10) an integer. */
static inline int brink__filters_describe(struct kevent *changes, const struct brink__slot *slot,
                                          unsigned directions, unsigned flags)
{
	uintptr_t udata = (uint32_t)slot->token;
	int n = 0;

	for (unsigned direction = BRINK_READ; direction <= BRINK_WRITE; direction <<= 2) {
		if ((directions & direction) == 0)
			continue;
		changes[n] = (struct kevent){ .ident = (uintptr_t)brink__token_fd(slot->token),
			                          .filter = direction == BRINK_READ ? EVFILT_READ : EVFILT_WRITE,
			                          .flags = (unsigned short)flags };
		memcpy(&changes[n++].udata, &udata, sizeof udata);
	}
	return n;
}

/* The token and the direction of the filter that an event is of. */
static inline uint64_t brink__filter_token(const struct kevent *event)
{
	return (uint64_t)event->ident << 32 | (uint32_t)(uintptr_t)event->udata;
}

static inline unsigned brink__filter_direction(const struct kevent *event)
{
	return event->filter == EVFILT_READ ? BRINK_READ : BRINK_WRITE;
}

/* kevent() in place. There must be as much room as there are changes: a kernel that has
 * none to say that it refused one stops there, and the changes after it are not made.
 * (The counts' type differs by system; the casts suit all.) */
static inline int brink__filters_exchange(int queue, struct kevent *array, int changes, int room,
                                          const struct timespec *timeout)
{
	int n = kevent(queue, array, (unsigned short)changes, array, (unsigned short)room, timeout);

	return n < 0 ? -errno : n;
}

/* Changes filters of one slot now, taking no events; 0 or the last error. */
static inline int brink__filters_change(int queue, const struct brink__slot *slot, unsigned directions,
                                        unsigned flags)
{
	struct kevent changes[2];
	int n = brink__filters_describe(changes, slot, directions, flags | EV_RECEIPT), result = 0;

	if (n > 0)
		n = brink__filters_exchange(queue, changes, n, n, &(struct timespec){ 0 });
	for (int i = 0; i < n; i++)
		if (changes[i].data != 0)
			result = -(int)changes[i].data;
	return n < 0 ? n : result;
}

#endif
