/* One write of what is queued: gathered, taken off, ended. All by who has the right to
 * write, on whatever thread that is. */
#include "config.h"

#include "buffer.h"
#include "cache.h"
#include "socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define PARTS 256
#define FLAT_SIZE 65536u
#define SMALL 2048u /* requests up to this size are copied together: cheaper than a part each */

static inline bool is_one_part(const struct brink__request *request)
{
	return request->copied || brink__buffer_is_one_part(&request->data);
}

/* Of such a one. */
static inline struct iovec part_of(struct brink__request *request)
{
	unsigned char *bytes = request->copied ? request->bytes + request->from : request->data.first->bytes;

	return (struct iovec){bytes, brink__request_left(request)};
}

static inline size_t pop(struct brink__request *request, size_t most)
{
	size_t size = brink__request_left(request);

	if (!request->copied)
		return brink_buffer_pop(&request->data, most);
	size = size < most ? size : most;
	request->from = (uint16_t)(request->from + size);
	return size;
}

void brink__requests_forget(brink_socket *socket)
{
	struct brink__request *request = socket->head, *next;

	for (; request != NULL && request != &brink__hole; request = next) {
		next = atomic_load(&request->next);
		pop(request, SIZE_MAX);
		brink__request_free(request);
	}
}

/* ---- gathering ---- */

struct batch {
	struct iovec parts[PARTS];
	int count;
	size_t size;
	unsigned char *flat; /* where copies are made */
	size_t room, used;   /* of that; no room: nothing is copied */
};

static void add_parts(struct batch *batch, struct brink__request *request)
{
	struct iovec *parts = batch->parts + batch->count;
	int added = 1;

	if (is_one_part(request))
		parts[0] = part_of(request);
	else
		added = brink_buffer_iovecs(&request->data, 0, parts, PARTS - batch->count);
	for (int i = 0; i < added; i++)
		batch->size += parts[i].iov_len;
	batch->count += added;
}

static void add_copy(struct batch *batch, const struct brink__request *request, size_t size)
{
	unsigned char *to = batch->flat + batch->used;
	struct iovec *last = batch->count > 0 ? &batch->parts[batch->count - 1] : NULL;

	if (request->copied)
		memcpy(to, request->bytes + request->from, size);
	else
		brink_buffer_copy(&request->data, 0, to, size);
	batch->used += size;
	batch->size += size;
	if (last != NULL && (unsigned char *)last->iov_base + last->iov_len == to)
		last->iov_len += size;
	else
		batch->parts[batch->count++] = (struct iovec){to, size};
}

static struct brink__request *next_of(struct brink__request *request)
{
	return atomic_load_explicit(&request->next, memory_order_acquire);
}

/* Up to the first that is not linked yet, or that ends our side. */
static void gather(struct batch *batch, struct brink__request *request)
{
	struct brink__request *next;

	for (; request != NULL && !request->end && batch->count < PARTS; request = next) {
		size_t size;

		next = next_of(request);
		if (next != NULL)
			brink__request_seal(request);
		size = brink__request_left(request);
		if (batch->room > 0 && size <= SMALL && size <= batch->room - batch->used)
			add_copy(batch, request, size);
		else
			add_parts(batch, request);
	}
}

/* The loop's block for copies. What was handed over with a part of it keeps that part: what follows is for
 * others, until it is little. NULL without memory. */
static struct brink__piece *flat_block(brink_loop *loop)
{
	struct brink__piece *flat = loop->flat;

	if (flat != NULL && atomic_load_explicit(&flat->block->references, memory_order_acquire) == 1)
		flat->length = 0;
	if (flat != NULL && FLAT_SIZE - flat->length < FLAT_SIZE / 8) {
		brink__piece_drop(flat);
		flat = NULL;
	}
	return loop->flat = flat != NULL ? flat : brink__block_new(FLAT_SIZE, FLAT_SIZE);
}

/* A loop has room of its own for copies; without memory everything goes by parts. One request alone, of several,
 * is copied only where it can be handed over. */
static void make_room(struct batch *batch, brink_socket *socket, const struct brink__stream *stream)
{
	struct brink__piece *flat = NULL;

	batch->room = 0;
	if (next_of(socket->head) == NULL && stream == NULL)
		return;
	if (brink__loop_turning_here(socket->loop))
		flat = flat_block(socket->loop);
	if (flat == NULL)
		return;
	batch->flat = flat->bytes + flat->length;
	batch->room = FLAT_SIZE - flat->length;
}

/* ---- writing ---- */

static inline void take_off(brink_socket *socket, size_t size)
{
	struct brink__request *request = socket->head;

	for (size_t left = size; left > 0; request = next_of(request))
		left -= pop(request, left);
	brink__count(&socket->bytes_written, size);
	brink__timing_note_write(socket);
	brink__socket_sent(socket, size);
}

static __attribute__((noinline)) ssize_t end_our_side(brink_socket *socket)
{
	const struct brink_transport *transport = brink__socket_transport(socket);
	unsigned waits = BRINK_WRITE;
	int result = 0;

	if (transport->shutdown != NULL)
		result = transport->shutdown(socket->transport_state, socket->fd, &waits);
	else if (shutdown(socket->fd, SHUT_WR) < 0 && errno != ENOTCONN)
		result = -errno;
	socket->write_wait = (unsigned char)brink__socket_waits_of_write(socket, waits);
	if (result < 0)
		return result;
	socket->head->end = false;
	atomic_store(&socket->our_end, true);
	brink__socket_post(socket, BRINK__SOCKET_SETTLE);
	return 0;
}

/* Whether so many bytes are left to the backend: not where a call is nothing beside them. */
static inline bool is_left(const struct brink__stream *stream, size_t size)
{
	return stream != NULL && size <= FLAT_SIZE && !stream->direct;
}

/* Leaves the batch to the backend, if it is one part. */
static bool hand_over(brink_socket *socket, const struct batch *batch)
{
	struct brink__piece *flat = NULL, *all = socket->loop->flat;

	if (batch->count != 1 || !is_left(socket->stream, batch->size))
		return false;
	if (batch->used > 0) {
		flat = brink__piece_new(all->block, batch->flat, batch->used);
		if (flat == NULL)
			return false;
		all->length += batch->used;
	}
	brink__socket_stream_write(socket, batch->parts, flat);
	return true;
}

static inline ssize_t written(brink_socket *socket, ssize_t result)
{
	brink__count(&socket->writes, 1);
	if (result > 0)
		take_off(socket, (size_t)result);
	return result;
}

static inline ssize_t write_parts(brink_socket *socket, const struct iovec *parts, int count)
{
	unsigned waits = BRINK_WRITE;
	ssize_t result = brink__socket_transport(socket)->writev(socket->transport_state, socket->fd, parts, count, &waits);

	waits = brink__socket_waits_of_write(socket, waits);
	if (result == -EAGAIN)
		socket->write_wait = (unsigned char)waits;
	return written(socket, result);
}

static ssize_t write_batch(brink_socket *socket, const struct brink__stream *stream)
{
	struct batch batch;

	batch.count = 0;
	batch.size = batch.used = 0;
	make_room(&batch, socket, stream);
	gather(&batch, socket->head);
	if (batch.size == 0)
		return 0;
	if (stream != NULL && hand_over(socket, &batch))
		return -EAGAIN;
	return write_parts(socket, batch.parts, batch.count);
}

static __attribute__((noinline)) ssize_t write_one(brink_socket *socket, struct iovec part)
{
	return write_parts(socket, &part, 1);
}

static __attribute__((noinline)) ssize_t written_by_backend(brink_socket *socket)
{
	return written(socket, brink__socket_stream_written(socket));
}

ssize_t brink__socket_write_once(brink_socket *socket, bool by_loop)
{
	struct brink__stream *stream = by_loop ? socket->stream : NULL;
	struct brink__request *request = socket->head;
	struct iovec part;

	if (stream != NULL && stream->out != NULL)
		return -EAGAIN;
	if (stream != NULL && stream->sent != BRINK__STREAM_UNSENT)
		return written_by_backend(socket);
	if (request->end)
		return end_our_side(socket);
	if (next_of(request) != NULL || !is_one_part(request))
		return write_batch(socket, stream);
	part = part_of(request);
	if (part.iov_len == 0)
		return 0;
	if (!is_left(stream, part.iov_len))
		return write_one(socket, part);
	brink__socket_stream_write(socket, &part, NULL);
	return -EAGAIN;
}

void brink__socket_take_result(brink_socket *socket)
{
	if (socket->stream != NULL && socket->write_waits && socket->stream->sent > 0)
		written_by_backend(socket);
}

/* ---- ending requests ---- */

/* What `request` ends with; 1 while there is something to write. */
static int verdict(brink_socket *socket, struct brink__request *request)
{
	if (brink__request_left(request) == 0 && !request->end) {
		brink__request_seal(request);
		if (brink__request_left(request) == 0)
			return 0;
	}
	if (atomic_load(&socket->our_end)) /* of a write that overlaps with it, however the socket fails then */
		return -EPIPE;
	return brink__socket_failed(socket) ? brink__socket_error(socket) : 1;
}

static void end_request(brink_socket *socket, struct brink__request *request, int error)
{
	brink__request_seal(request);
	request->ended = true;
	if (brink__request_left(request) > 0)
		brink__socket_sent(socket, pop(request, SIZE_MAX));
	if (error == 0)
		brink__count(&socket->requests, brink__request_writes(request));
	if (request->done != NULL)
		request->done(socket, error, request->arg);
}

bool brink__socket_advance(brink_socket *socket)
{
	for (;;) {
		struct brink__request *request = socket->head, *last = request, *next = NULL;

		if (!request->ended) {
			int error = verdict(socket, request);

			if (error == 1)
				return false;
			end_request(socket, request, error);
		}
		/* After the call, which may have queued one: then there is a next. */
		next = next_of(request);
		if (next == NULL && atomic_compare_exchange_strong(&socket->tail, &last, NULL)) {
			brink__request_free(request);
			return true;
		}
		/* Another has put itself at the tail and is about to link itself here. `head` says
		 * where: to go on from for whoever is next. */
		if (next == NULL && atomic_compare_exchange_strong(&request->next, &next, &brink__hole))
			return true;
		socket->head = next;
		brink__request_free(request);
	}
}
