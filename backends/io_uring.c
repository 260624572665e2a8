/* io_uring: one-shot poll requests, one for each direction, and for slots with a stream
 * requests that receive and send in their place. Begin with requests.h, which writes requests and
 * takes their answers; here is what the loop asks of a backend. */
#include "config.h"

#include "look.h"
#include "requests.h"

#include <errno.h>
#include <unistd.h>

static int uring_wait(struct brink__dispatcher *self, struct brink__event *events, int capacity,
                      int64_t timeout)
{
	bool old = brink__ring_waiting(&self->ring);
	int rc = brink__ring_enable(&self->ring);
	int count;

	if (rc < 0)
		return rc;
	brink__receive_refill(&self->receive);
	rc = brink__requests_write(self);
	count = brink__requests_harvest(self, events, capacity);
	if (count == 0 && rc == 0)
		rc = brink__requests_write(self); /* of requests that ended for nothing */
	if (count == 0)
		rc = brink__ring_enter(&self->ring, rc == 0 ? timeout : 0);
	else if (io_uring_sq_ready(&self->ring.uring) > 0 || io_uring_cq_has_overflow(&self->ring.uring))
		rc = brink__ring_enter(&self->ring, 0);
	count += brink__requests_harvest(self, events + count, capacity - count);
	if (old && count > 0)
		count = brink__look_again(self->looks, self->table, &self->changes, events, count);
	if (!brink__requests_go_on(self, rc) && count == 0 && rc != -ETIME)
		return rc;
	if (count > 0 || rc == -ETIME)
		return count;
	return timeout == 0 ? 0 : -EINTR; /* it is not known that the time is over */
}

static void cancel(struct brink__dispatcher *self, uint64_t data)
{
	int rc = brink__ring_cancel(&self->ring, data, data | DATA_CANCEL);

	if (rc < 0)
		*self->renew = true;
	if (rc == -EBADR)
		self->lost = true;
	brink__ring_take_back(&self->ring, data);
}

/* The result of a write that was made, and not taken so far: who removes the slot asks for it. */
static void find_result(struct brink__dispatcher *self, struct brink__slot *slot)
{
	struct brink__stream *stream = brink__stream_of(self->table, slot->token);
	struct io_uring_cqe *cqe;
	unsigned head;

	if (stream == NULL || stream->out == NULL || !(slot->mark & MARK_MOVE * BRINK_WRITE))
		return;
	io_uring_for_each_cqe(&self->ring.uring, head, cqe)
		if (cqe->user_data == (slot->token | BRINK_WRITE))
			brink__move_sent(stream, cqe->res);
}

static void uring_remove(struct brink__dispatcher *self, struct brink__slot *slot)
{
	brink__changes_leave(&self->changes, slot);
	for (unsigned direction = BRINK_READ; direction <= BRINK_WRITE; direction <<= 2)
		if (slot->mark & direction)
			cancel(self, slot->token | direction);
	if (slot->mark & MARK_END)
		cancel(self, slot->token | DATA_END);
	find_result(self, slot);
	slot->mark = 0;
	slot->armed = 0;
}

static int uring_arm(struct brink__dispatcher *self, struct brink__slot *slot)
{
	slot->armed = slot->level ? slot->open : slot->armed | slot->open;
	brink__changes_put(&self->changes, slot);
	return 0;
}

static int uring_add(struct brink__dispatcher *self, struct brink__slot *slot)
{
	struct brink__stream *stream = brink__stream_of(self->table, slot->token);
	int rc = brink__changes_join(&self->changes);

	if (stream != NULL)
		stream->receiving = false; /* by the dispatcher that was before this one */
	return rc == 0 ? uring_arm(self, slot) : rc;
}

/* Receives no more: one request at a time could fill all buffers for who does not want them. */
static void uring_disarm(struct brink__dispatcher *self, struct brink__slot *slot)
{
	struct brink__stream *stream = brink__stream_of(self->table, slot->token);

	if (stream == NULL || !stream->receiving || !(slot->armed & BRINK_READ) || (slot->open & BRINK_READ))
		return;
	slot->armed &= (uint8_t)~BRINK_READ;
	if (!brink__ring_write_cancel(&self->ring, slot->token | BRINK_READ, slot->token | BRINK_READ | DATA_CANCEL))
		*self->renew = true;
}

static int uring_flush(struct brink__dispatcher *self)
{
	uint64_t rings;
	int rc = brink__ring_enable(&self->ring);

	if (rc < 0)
		return rc;
	if (self->ring.bell >= 0)
		(void)!read(self->ring.bell, &rings, sizeof rings); /* what follows rings it anew */
	rc = brink__requests_submit(self);
	if (rc == -EINTR || rc == -EAGAIN || rc == -EBUSY)
		rc = brink__requests_submit(self); /* the first try may have run what was in the way */
	if (!brink__requests_go_on(self, rc) && io_uring_cq_ready(&self->ring.uring) == 0)
		return rc;
	/* What the kernel does not take now is for the wait, which then comes at once. So is what it has still to
	 * complete: an enter does a part of that only (seen on Linux 6.18: 20 at a time), and the bell rang for all. */
	return rc < 0 || brink__ring_waiting(&self->ring);
}

static int uring_fd(struct brink__dispatcher *self)
{
	return brink__ring_bell(&self->ring);
}

/* The kernel ties a ring to its thread, and where it does not, requests still end with
 * the thread that made them. */
static int uring_adopt(struct brink__dispatcher *self)
{
	return self->ring.owner != 0 && self->ring.owner != brink__ring_thread() ? -EXDEV : 0;
}

/* Only the thread whose requests they are can end them so that nothing holds their files when that is done. And one
 * that ends runs what they have still to do: they receive, and where the completion queue is full then, nobody but that
 * thread could fetch the rest. */
static int uring_rest(struct brink__dispatcher *self, struct brink__event *events, int capacity)
{
	int count, kept;

	brink__ring_quiet(&self->ring);
	do {
		count = brink__requests_harvest(self, events, capacity);
		kept = brink__requests_sift(self, events, count);
	} while (kept == 0 && (count > 0 || brink__requests_fetch(self)));
	return kept;
}

static int uring_gather(struct brink__dispatcher *self, struct brink__event *events, int capacity)
{
	return self->table->stream_count == 0 ? 0 : brink__requests_gather(self, events, capacity);
}

static unsigned uring_moves(struct brink__dispatcher *self)
{
	return self->moves ? BRINK_FEATURE_SEND | (self->receive.ring != NULL ? BRINK_FEATURE_RECEIVE : 0) : 0;
}

/* After answers were lost, and all requests cancelled: whose end has not come had one of them, and
 * nobody knows what it said. A stream must not have a hole. */
static void fail_the_lost(struct brink__dispatcher *self)
{
	for (uint32_t fd = 0; fd < self->table->stream_count; fd++) {
		struct brink__stream *stream = self->table->streams[fd];
		struct brink__slot *slot = brink__table_at(self->table, (int)fd);

		if (stream == NULL || slot == NULL)
			continue;
		if (slot->mark & MARK_MOVE * BRINK_READ && stream->end == BRINK__STREAM_GOES_ON)
			stream->end = -EIO;
		if (slot->mark & MARK_MOVE * BRINK_WRITE && stream->out != NULL)
			brink__move_sent(stream, -EIO);
	}
}

/* What was received, or written, but not taken so far, is left in the streams; and no request holds its file any
 * more. */
static void settle(struct brink__dispatcher *self)
{
	struct brink__event event;

	if (self->ring.process != getpid())
		return;
	do
		while (io_uring_cq_ready(&self->ring.uring) > 0)
			brink__requests_harvest(self, &event, 1);
	while (brink__requests_fetch(self));
	/* What is left there only the thread that the ring belonged to could have fetched. */
	if (self->lost || io_uring_cq_has_overflow(&self->ring.uring))
		fail_the_lost(self);
}

static void uring_close(struct brink__dispatcher *self)
{
	brink__ring_quiet(&self->ring);
	settle(self);
	brink__ring_close(&self->ring);
	brink__receive_close(&self->receive);
	brink__changes_free(&self->changes);
	brink__free(self);
}

static int uring_open(struct brink__dispatcher **result, const struct brink__dispatcher_options *options)
{
	struct brink__dispatcher *self = brink__allocate(1, sizeof *self + options->batch * sizeof(struct pollfd));
	int rc = self != NULL ? brink__ring_open(&self->ring, options->ring_entries) : -ENOMEM;

	if (rc == 0 && options->receive_buffers > 0) {
		rc = brink__receive_open(&self->receive, &self->ring.uring, options->receive_buffers);
		if (rc < 0)
			brink__ring_close(&self->ring);
	}
	if (rc < 0) {
		brink__free(self);
		return rc;
	}
	self->moves = options->receive_buffers > 0;
	self->table = options->table;
	self->renew = options->renew;
	*result = self;
	return 0;
}

const struct brink__dispatcher_ops brink__io_uring = {
	.name = "io_uring",
	.note = "receives for sockets since Linux 6.1; needs 5.13, and kernel.io_uring_disabled to be 0",
	.features = BRINK_FEATURE_FD | BRINK_FEATURE_SCALES | BRINK_FEATURE_QUEUED,
	.open = uring_open,
	.close = uring_close,
	.add = uring_add,
	.arm = uring_arm,
	.disarm = uring_disarm,
	.remove = uring_remove,
	.wait = uring_wait,
	.flush = uring_flush,
	.fd = uring_fd,
	.moves = uring_moves,
	.gather = uring_gather,
	.rest = uring_rest,
	.adopt = uring_adopt,
};
