/* What poll(2) says, as bits of an event, and a fresh look at events with it.
 *
 * Requests of io_uring ask and answer in poll's bits, and what a completion tells may be
 * over by the time it is read: then the descriptors themselves are asked. */
#ifndef BRINK_LOOK_H
#define BRINK_LOOK_H

#include "changes.h"
#include "dispatcher.h"
#include "stream.h"

#include <poll.h>

_Static_assert(BRINK_READ == POLLIN && BRINK_WRITE == POLLOUT && BRINK_ERROR == POLLERR &&
               BRINK_EOF == POLLHUP, "events are poll's");

/* The poll(2) bits that answer the request of a direction. */
static inline unsigned brink__look_answers(unsigned direction)
{
	return (direction == BRINK_READ ? POLLIN | POLLRDHUP : POLLOUT) | POLLERR | POLLHUP;
}

/* Bits of an event for bits of poll(2). */
static inline unsigned brink__look_translate(unsigned bits)
{
	unsigned ready = bits & (POLLIN | POLLOUT | POLLERR | POLLHUP);

	if (bits & (POLLERR | POLLHUP))
		ready |= BRINK__DIRECTIONS;
	return bits & POLLRDHUP ? ready | BRINK_READ | BRINK_EOF : ready;
}

/* A completion tells what was when it was made. Where that was before the wait, the program
 * may have read or filled since; so what is now is asked, with one call for all events,
 * as epoll does in the kernel. What is over is armed again. That of a stream is not: it may be of
 * bytes that were moved, and whoever reads it minds no event for nothing. `looks` has room for
 * `count`; returns how many events are left. */
static inline int brink__look_again(struct pollfd *looks, const struct brink__table *table,
                                    struct brink__changes *changes, struct brink__event *events, int count)
{
	const struct pollfd *look = looks;
	int kept = 0, asked = 0;

	for (int i = 0; i < count; i++) {
		uint64_t token = events[i].slot->token;

		if (brink__stream_of(table, token) == NULL)
			looks[asked++] = (struct pollfd){.fd = brink__token_fd(token), .events = POLLIN | POLLOUT | POLLRDHUP};
	}
	if (asked == 0 || poll(looks, (nfds_t)asked, 0) < 0)
		return count;
	for (int i = 0; i < count; i++) {
		struct brink__slot *slot = events[i].slot;
		unsigned now, ready, over;

		if (brink__stream_of(table, slot->token) != NULL) {
			events[kept++] = events[i];
			continue;
		}
		now = brink__look_translate((unsigned)(look++)->revents);
		ready = events[i].ready & slot->open & now;
		over = events[i].ready & slot->open & ~now;
		if (over != 0) {
			slot->armed |= (uint8_t)over;
			brink__changes_put(changes, slot);
		}
		if (ready != 0) {
			ready |= now & (ready & BRINK_READ ? BRINK_EOF | BRINK_ERROR : BRINK_ERROR);
			events[kept++] = (struct brink__event){slot, ready};
		}
	}
	return kept;
}

#endif
