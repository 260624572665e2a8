/* What waits for room in the kernel. Any thread queues; the loop sends.
 *
 * A record is a header, two addresses cut to their length, and the bytes, in one piece: one
 * that does not fit before the end of the ring stands at its beginning, and a header of no length
 * says so. */
#include "config.h"

#include "address.h"
#include "datagram.h"
#include "loop.h"
#include "memory.h"

#include <errno.h>
#include <string.h>

#define FLUSHED_AT_ONCE 16u /* records of a batch */
#define BATCHES_AT_ONCE 64u

struct record {
	uint32_t length; /* of all of it, a multiple of 8; 0: the next is at the beginning */
	uint32_t size;
	uint32_t interface_index;
	uint16_t to, from; /* lengths of the addresses; 0: none */
};

void brink__outbox_close(struct brink__outbox *outbox)
{
	brink__free(outbox->ring);
	pthread_mutex_destroy(&outbox->lock);
}

size_t brink_datagram_queued(const brink_datagram *socket)
{
	return atomic_load(&socket->outbox.used);
}

/* ---- the ring ---- */

static size_t length_of(const struct brink_packet *packet)
{
	size_t to = packet->to != NULL ? packet->to->length : 0, from = packet->from != NULL ? packet->from->length : 0;

	return (sizeof(struct record) + to + from + packet->size + 7) & ~(size_t)7;
}

/* Where a record of `length` bytes can be put; NULL: nowhere. */
static char *find_room(struct brink__outbox *outbox, size_t length)
{
	size_t used = outbox->used, end = outbox->limit - outbox->tail;
	static const struct record turn;

	if (used == 0) {
		outbox->head = outbox->tail = 0;
		end = outbox->limit;
	}
	if (used > 0 && outbox->tail <= outbox->head)
		return length <= outbox->head - outbox->tail ? outbox->ring + outbox->tail : NULL;
	if (length <= end)
		return outbox->ring + outbox->tail;
	if (used == 0 || length > outbox->head)
		return NULL;
	if (end >= sizeof turn)
		memcpy(outbox->ring + outbox->tail, &turn, sizeof turn);
	outbox->used += end;
	outbox->tail = 0;
	return outbox->ring;
}

static char *put(char *at, const void *bytes, size_t size)
{
	if (size > 0)
		memcpy(at, bytes, size);
	return at + size;
}

static bool push(struct brink__outbox *outbox, const struct brink_packet *packet)
{
	struct record record = {
		.length = (uint32_t)length_of(packet),
		.size = (uint32_t)packet->size,
		.interface_index = packet->interface_index,
		.to = (uint16_t)(packet->to != NULL ? packet->to->length : 0),
		.from = (uint16_t)(packet->from != NULL ? packet->from->length : 0),
	};
	char *at = packet->size <= outbox->limit ? find_room(outbox, record.length) : NULL;

	if (at == NULL)
		return false;
	at = put(at, &record, sizeof record);
	at = put(at, packet->to != NULL ? &packet->to->storage : NULL, record.to);
	at = put(at, packet->from != NULL ? &packet->from->storage : NULL, record.from);
	put(at, packet->bytes, packet->size);
	outbox->tail += record.length;
	outbox->used += record.length;
	return true;
}

/* The record at `*place`, which may be where the ring begins again; steps behind it. */
static struct record next_record(const struct brink__outbox *outbox, size_t *place, const char **at)
{
	struct record record = {.length = 0};

	if (outbox->limit - *place >= sizeof record)
		memcpy(&record, outbox->ring + *place, sizeof record);
	if (record.length == 0) {
		*place = 0;
		memcpy(&record, outbox->ring, sizeof record);
	}
	*at = outbox->ring + *place + sizeof record;
	*place += record.length;
	return record;
}

static const struct brink_address *get_address(const char **at, uint16_t length, struct brink_address *address)
{
	if (length == 0)
		return NULL;
	brink__address_set(address, *at, length);
	*at += length;
	return address;
}

/* A batch as packets, whose addresses are in `to` and `from`. */
static unsigned gather(const struct brink__outbox *outbox, struct brink_packet *packets, struct brink_address *to,
                       struct brink_address *from)
{
	size_t place = outbox->head, used = outbox->used;
	unsigned count = 0;
	const char *at;

	while (count < FLUSHED_AT_ONCE && used > 0) {
		size_t before = place;
		struct record record = next_record(outbox, &place, &at);

		used -= place > before ? place - before : outbox->limit - before + place;
		packets[count] = (struct brink_packet){.size = record.size, .interface_index = record.interface_index};
		/* One after the other: an initializer has no order. */
		packets[count].to = get_address(&at, record.to, &to[count]);
		packets[count].from = get_address(&at, record.from, &from[count]);
		packets[count++].bytes = at;
	}
	return count;
}

static bool first_is_to_peer(const struct brink__outbox *outbox)
{
	size_t place = outbox->head;
	const char *at;

	return next_record(outbox, &place, &at).to == 0;
}

static void pop(struct brink__outbox *outbox, unsigned count)
{
	const char *at;

	while (count-- > 0) {
		size_t before = outbox->head;

		next_record(outbox, &outbox->head, &at);
		outbox->used -= outbox->head > before ? outbox->head - before : outbox->limit - before + outbox->head;
	}
}

/* ---- waiting for room ---- */

/* Whether an event says when there is room. From a UNIX socket to another than its peer none does: it is
 * another one's queue that is full. */
static bool is_told(const brink_datagram *socket, int error, bool to_peer)
{
	return error == -EAGAIN && (socket->family != AF_UNIX || to_peer);
}

/* After `error`; 0: nobody has just asked the kernel, which may have room, and then tells nothing. `to_peer`: what
 * there was no room for names no destination. */
static void wait_for_room(brink_datagram *socket, int error, bool to_peer)
{
	struct brink__outbox *outbox = &socket->outbox;

	if (outbox->waiting)
		return;
	outbox->waiting = true;
	if (error == 0) {
		brink_watch_again(&socket->watch, BRINK_WRITE);
	} else if (is_told(socket, error, to_peer) && brink_watch_rearm(&socket->watch, BRINK_WRITE) >= 0) {
		return;
	} else if (brink__loop_on_thread(socket->loop)) {
		brink__datagram_try_later(socket);
	} else {
		outbox->wants_timer = true;
		brink_watch_again(&socket->watch, BRINK_WRITE);
	}
}

/* ---- queueing ---- */

static int open_ring(struct brink__outbox *outbox)
{
	if (outbox->ring == NULL && outbox->limit > 0)
		outbox->ring = brink__resize(NULL, outbox->limit, 1);
	return outbox->ring == NULL && outbox->limit > 0 ? -ENOMEM : 0;
}

unsigned brink__datagram_queue(brink_datagram *socket, const struct brink_packet *packets, unsigned count,
                               int *error)
{
	struct brink__outbox *outbox = &socket->outbox;
	unsigned done = 0;
	int no_room = *error;

	pthread_mutex_lock(&outbox->lock);
	*error = open_ring(outbox);
	while (*error == 0 && done < count) {
		*error = brink__datagram_check(socket, &packets[done]);
		if (*error == 0 && !push(outbox, &packets[done]))
			*error = -EAGAIN;
		done += *error == 0;
	}
	outbox->refused |= *error == -EAGAIN;
	if (outbox->used > 0 || outbox->refused)
		wait_for_room(socket, no_room, packets->to == NULL);
	brink__datagram_count(socket, BRINK__QUEUED, done);
	brink__datagram_count(socket, BRINK__REFUSED, *error == -EAGAIN);
	pthread_mutex_unlock(&outbox->lock);
	return done;
}

/* ---- sending them ---- */

/* One batch; under the lock. A datagram that cannot be sent is taken out, and its
 * destination put into `*lost`. */
static int flush_batch(brink_datagram *socket, struct brink_address *lost)
{
	struct brink_address to[FLUSHED_AT_ONCE], from[FLUSHED_AT_ONCE];
	struct brink_packet packets[FLUSHED_AT_ONCE];
	unsigned count = gather(&socket->outbox, packets, to, from), sent;
	int error;

	brink__watch_use(&socket->watch, BRINK_WRITE);
	sent = brink__datagram_transmit(socket, packets, count, &error);
	lost->length = 0;
	if (error < 0 && !brink__datagram_no_room(error) && packets[sent].to != NULL)
		*lost = *packets[sent].to;
	pop(&socket->outbox, sent + (error < 0 && !brink__datagram_no_room(error)));
	return error;
}

/* What has to be done when nothing more can be sent now; under the lock. */
static bool settle(brink_datagram *socket, int error)
{
	struct brink__outbox *outbox = &socket->outbox;
	bool tell;

	outbox->waiting = false;
	if (outbox->used > 0)
		wait_for_room(socket, error, first_is_to_peer(outbox));
	tell = outbox->refused && outbox->used <= outbox->limit / 2;
	if (tell)
		outbox->refused = false;
	return tell;
}

void brink__datagram_flush(brink_datagram *socket)
{
	struct brink__outbox *outbox = &socket->outbox;
	struct brink_address lost;
	int error = 0;
	bool tell = false;

	pthread_mutex_lock(&outbox->lock);
	if (outbox->wants_timer) {
		outbox->wants_timer = false;
		brink__datagram_try_later(socket);
		pthread_mutex_unlock(&outbox->lock);
		return;
	}
	for (unsigned i = 0; i < BATCHES_AT_ONCE && outbox->used > 0 && !brink__datagram_no_room(error); i++) {
		error = flush_batch(socket, &lost);
		if (error == 0 || brink__datagram_no_room(error))
			continue;
		pthread_mutex_unlock(&outbox->lock);
		brink__datagram_tell(socket, error, lost.length > 0 ? &lost : NULL);
		if (socket->gone)
			return;
		pthread_mutex_lock(&outbox->lock);
	}
	if (outbox->waiting)
		tell = settle(socket, brink__datagram_no_room(error) ? error : 0);
	pthread_mutex_unlock(&outbox->lock);
	if (tell && socket->on_writable != NULL)
		socket->on_writable(socket, socket->arg);
}
