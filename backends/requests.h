/* The requests of io_uring's slots: written into the submission queue, and their answers taken out of
 * the completion queue.
 *
 * The trickiest invariant: a direction has at most one request in the kernel, and its bit
 * in slot->mark is set from the moment when the request is written into the submission
 * queue until its last completion is taken out of the completion queue. So a request in
 * flight need not be armed again: it has not reported yet, or its end is under way, and
 * where the direction is armed the end makes the next one; a direction without one needs
 * no cancelling; and a completion with a current token is of the direction's one request.
 * An armed direction has a request in flight, or its slot is among the changes.
 *
 * A request holds a reference to its file. That is why remove sees the cancellation
 * through: a request left behind would keep a closed socket open. */
#ifndef BRINK_REQUESTS_H
#define BRINK_REQUESTS_H

#include "changes.h"
#include "dispatcher.h"
#include "look.h"
#include "moves.h"
#include "ring.h"

#include <errno.h>
#include <unistd.h>

#define MARK_LASTING 2u /* times a direction, in slot->mark: its next request is multishot */
#define MARK_MOVE 16u   /* times a direction, in slot->mark: its request moves bytes */
#define MARK_END 32u    /* in slot->mark: the request that tells of the peer's end is in the kernel */
#define DATA_END 2u     /* instead of a direction, in user_data: the answer to that */
#define DATA_CANCEL 8u  /* beside a direction, in user_data: the answer to a cancellation */

struct brink__dispatcher {
	struct brink__ring ring;
	struct brink__receive receive;
	struct brink__changes changes; /* slots for which requests are to be written */
	const struct brink__table *table;
	bool *renew;
	bool moves; /* bytes, of slots that have a stream */
	bool lost;  /* answers, for the kernel had no memory for them */
	struct pollfd looks[]; /* one for each event of a wait: see look.h */
};

/* A standing request that receives can miss the end: where bytes and the peer's end, or its reset, come
 * before the thread takes notice, Linux counts two reasons to look, looks once, receives the bytes, and
 * waits for a third (seen on 6.18 with UNIX sockets; for TCP it looks again after a FIN, but not after a
 * reset). So beside it a poll request waits for the end alone. */
static inline bool brink__request_write_end(struct brink__dispatcher *self, struct brink__slot *slot)
{
	struct io_uring_sqe *sqe = slot->mark & MARK_END ? NULL : brink__ring_entry(&self->ring);

	if (sqe == NULL)
		return (slot->mark & MARK_END) != 0;
	io_uring_prep_poll_add(sqe, brink__token_fd(slot->token), POLLRDHUP | POLLHUP | POLLERR);
	io_uring_sqe_set_data64(sqe, slot->token | DATA_END);
	slot->mark |= MARK_END;
	return true;
}

/* The peer has ended, or failed: what is left is read, and so is the end. */
static inline void brink__request_end(struct brink__dispatcher *self, struct brink__slot *slot, int res)
{
	struct brink__stream *stream = brink__stream_of(self->table, slot->token);

	slot->mark &= ~MARK_END;
	if (stream == NULL || res < 0)
		return;
	stream->over = true;
	if (stream->receiving && !brink__ring_write_cancel(&self->ring, slot->token | BRINK_READ,
	                                                   slot->token | BRINK_READ | DATA_CANCEL))
		*self->renew = true;
}

/* Writes the request of a direction that is due. */
static inline bool brink__request_write(struct brink__dispatcher *self, struct brink__slot *slot, unsigned direction)
{
	struct brink__stream *stream = brink__stream_of(self->table, slot->token);
	int fd = brink__token_fd(slot->token);
	struct io_uring_sqe *sqe;

	if (stream != NULL && direction == BRINK_READ && !stream->direct && !stream->over &&
	    !brink__request_write_end(self, slot))
		return false;
	sqe = brink__ring_entry(&self->ring);
	if (sqe == NULL)
		return false;
	if (stream != NULL && brink__move_write(&self->receive, sqe, fd, direction, stream))
		slot->mark |= MARK_MOVE * direction;
	else
		io_uring_prep_poll_add(sqe, fd, brink__look_answers(direction));
	if (slot->mark & MARK_LASTING * direction && !(slot->mark & MARK_MOVE * direction))
		sqe->len = IORING_POLL_ADD_MULTI;
	io_uring_sqe_set_data64(sqe, slot->token | direction);
	slot->mark |= direction;
	return true;
}

/* Turns the changes into requests. When the kernel takes no more all of them stay: those
 * written already are passed over the next time. */
static inline int brink__requests_write(struct brink__dispatcher *self)
{
	struct brink__changes *changes = &self->changes;

	for (uint32_t i = 0; i < changes->count; i++) {
		struct brink__slot *slot = changes->slots[i];
		unsigned due = slot->armed & ~slot->mark; /* armed, and none in the kernel */

		if ((due & BRINK_READ && !brink__request_write(self, slot, BRINK_READ)) ||
		    (due & BRINK_WRITE && !brink__request_write(self, slot, BRINK_WRITE)))
			return -EBUSY;
	}
	brink__changes_clear(changes);
	return 0;
}

/* And hands them over, without a wait. */
static inline int brink__requests_submit(struct brink__dispatcher *self)
{
	int rc = brink__requests_write(self);

	return rc == 0 ? io_uring_submit_and_get_events(&self->ring.uring) : rc;
}

/* What a completion says of its direction; 0 for nothing. */
static inline unsigned brink__request_says(unsigned direction, int res)
{
	if (res >= 0)
		return brink__look_translate((unsigned)res & brink__look_answers(direction));
	/* Cancelled with the thread that made it; closed without being removed. */
	return res == -ECANCELED || res == -EBADF ? 0 : direction | BRINK_ERROR;
}

/* The answer to a request of `slot` that moves bytes; returns whether it is an event. A request
 * that goes on receiving leaves its direction armed. */
static inline bool brink__request_moved(struct brink__dispatcher *self, struct brink__slot *slot,
                                        const struct io_uring_cqe *cqe, struct brink__piece *piece,
                                        struct brink__event *event)
{
	struct brink__stream *stream = brink__stream_of(self->table, slot->token);
	unsigned direction = (unsigned)cqe->user_data & BRINK__DIRECTIONS;
	bool last = !(cqe->flags & IORING_CQE_F_MORE);
	unsigned ready = 0;

	if (stream != NULL)
		ready = brink__move_answer(&self->receive, direction, stream, cqe->res, piece);
	else if (piece != NULL)
		brink__piece_drop(piece);
	*event = (struct brink__event){slot, ready};
	if (last) {
		slot->mark &= ~(direction | MARK_MOVE * direction);
		if (stream != NULL && direction == BRINK_READ)
			stream->receiving = false;
	}
	if (!(slot->armed & direction))
		return false;
	if (last && ready != 0)
		slot->armed &= (uint8_t)~direction;
	else if (last)
		brink__changes_put(&self->changes, slot);
	return ready != 0;
}

/* The answer to what is nobody's any more, or to what was written beside the requests of a direction. */
static inline void brink__request_aside(struct brink__dispatcher *self, struct brink__slot *slot,
                                        const struct io_uring_cqe *cqe, struct brink__piece *piece)
{
	if (piece != NULL)
		brink__piece_drop(piece);
	if (slot != NULL && !(cqe->user_data & DATA_CANCEL))
		brink__request_end(self, slot, cqe->res);
}

/* Takes one completion; returns whether it is an event.
 *
 * Linux ends every poll request at POLLRDHUP, asked for or not (seen on 6.18). The request
 * of a writer that waits for room while its peer has half-closed would end at once, again
 * and again. A multishot request says so once and then waits for changes, so it takes
 * over where a request ended for nothing. It does not say a readiness again, so it is
 * cancelled when it has reported one, also where nobody wants that now: who asks for the
 * direction later needs a request that looks. */
static inline bool brink__request_answered(struct brink__dispatcher *self, const struct io_uring_cqe *cqe,
                                           struct brink__event *event)
{
	/* 0 is no token, but the answer to brink__ring_quiet(). */
	struct brink__slot *slot = cqe->user_data != 0 ? brink__table_find(self->table, cqe->user_data) : NULL;
	unsigned direction = (unsigned)cqe->user_data & BRINK__DIRECTIONS;
	bool last = !(cqe->flags & IORING_CQE_F_MORE);
	struct brink__piece *piece = brink__receive_take(&self->receive, cqe);

	if (slot == NULL || (cqe->user_data & (DATA_CANCEL | DATA_END))) {
		brink__request_aside(self, slot, cqe, piece);
		return false;
	}
	if (slot->mark & MARK_MOVE * direction)
		return brink__request_moved(self, slot, cqe, piece, event);
	if (last)
		slot->mark &= ~direction;
	*event = (struct brink__event){slot, brink__request_says(direction, cqe->res)};
	if (event->ready != 0 && !last &&
	    !brink__ring_write_cancel(&self->ring, cqe->user_data, cqe->user_data | DATA_CANCEL))
		*self->renew = true;
	if (!(slot->armed & direction))
		return false; /* taken away (level), or reported already (multishot) */
	if (event->ready == 0 && cqe->res >= 0)
		slot->mark |= MARK_LASTING * direction;
	if (event->ready != 0 ? !slot->level || cqe->res < 0 : cqe->res == -EBADF)
		slot->armed &= (uint8_t)~direction;
	else if (last)
		brink__changes_put(&self->changes, slot);
	return event->ready != 0;
}

/* Once, with what it calls inside: it is all that most completions need. */
static __attribute__((noinline)) int brink__requests_harvest(struct brink__dispatcher *self,
                                                             struct brink__event *events, int capacity)
{
	struct io_uring_cqe *cqe;
	unsigned head, taken = 0;
	int count = 0;

	io_uring_for_each_cqe(&self->ring.uring, head, cqe) {
		if (count == capacity)
			break;
		count += brink__request_answered(self, cqe, &events[count]);
		taken++;
	}
	io_uring_cq_advance(&self->ring.uring, taken);
	return count;
}

/* Whether an enter went well, or at least may the next time: a signal came, the kernel takes no
 * more at the moment, or has dropped completions for want of memory, which a new ring makes good. */
static inline bool brink__requests_go_on(struct brink__dispatcher *self, int rc)
{
	if (rc == -EBADR)
		self->lost = *self->renew = true;
	return rc >= 0 || rc == -EINTR || rc == -EAGAIN || rc == -EBUSY || rc == -EBADR;
}

/* Whether there are more answers: an enter runs the ends of a few requests that have been cancelled, and what was
 * too much for the queue waits for room in it. It may have run nothing but wakes that complete no request, and others
 * may wake for ever: of what there was to begin with, there was at most one for each request. */
static inline bool brink__requests_fetch(struct brink__dispatcher *self)
{
	struct io_uring *uring = &self->ring.uring;

	for (uint32_t slots = self->table->page_count * BRINK__TABLE_PAGE; slots > 0; slots--) {
		if (!brink__ring_waiting(&self->ring) || !brink__requests_go_on(self, io_uring_get_events(uring)))
			return false;
		if (io_uring_cq_ready(uring) > 0)
			return true;
	}
	return false;
}

/* Keeps the events of moves, and returns how many. A readiness is asked for anew: it may be over when somebody is
 * told. And before what has been reported meanwhile: where a wait takes few, those would come first for ever. */
static inline int brink__requests_sift(struct brink__dispatcher *self, struct brink__event *events, int count)
{
	int kept = 0;

	for (int i = 0; i < count; i++) {
		struct brink__slot *slot = events[i].slot;

		if (brink__stream_of(self->table, slot->token) != NULL) {
			events[kept++] = events[i];
			continue;
		}
		slot->armed |= (uint8_t)(events[i].ready & slot->open);
		brink__changes_put_first(&self->changes, slot);
	}
	return kept;
}

/* Takes what has come of moves, without a wait. */
static inline int brink__requests_gather(struct brink__dispatcher *self, struct brink__event *events, int capacity)
{
	int count, kept;

	do {
		count = brink__requests_harvest(self, events, capacity);
		kept = brink__requests_sift(self, events, count);
	} while (kept == 0 && (count > 0 || (io_uring_cq_has_overflow(&self->ring.uring) && brink__requests_fetch(self))));
	return kept;
}

#endif
