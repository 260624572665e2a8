/* A socket whose bytes the backend moves: see stream.h. Only the plain transport's can be moved so,
 * and only where they are read on the loop. */
#include "config.h"

#include "buffer.h"
#include "memory.h"
#include "socket.h"
#include "ticket.h"

#include <errno.h>

/* From where on a call of its own is better: it copies into one large block, at the moment when
 * somebody wants the bytes. The way back is at half of it, so that it is not gone to and fro. */
#define MANY 32768u

void brink__socket_stream_open(brink_socket *socket)
{
	brink_loop *loop = socket->loop;
	struct brink__stream *stream;

	if (loop->ops->moves == NULL || socket->offloaded ||
	    brink__socket_transport(socket) != &brink__transport_plain || brink__loop_features(loop) == loop->ops->features)
		return;
	stream = brink__allocate(1, sizeof *stream);
	if (stream == NULL)
		return;
	stream->end = BRINK__STREAM_GOES_ON;
	if (brink__stream_attach(&loop->table, socket->fd, stream) < 0)
		brink__free(stream);
	else
		socket->stream = stream;
}

void brink__socket_stream_close(brink_socket *socket)
{
	struct brink__stream *stream = socket->stream;

	if (stream == NULL)
		return;
	socket->stream = NULL;
	brink__stream_detach(&socket->loop->table, socket->fd, stream);
	if (stream->first != NULL)
		brink__buffer_drop_chain(stream->first);
	if (stream->flat != NULL)
		brink__piece_drop(stream->flat);
	brink__free(stream);
}

/* ---- reading ---- */

/* The first pieces, until they have `most` bytes. Behind what the program has left, little is copied: who
 * sends byte by byte what is wanted as a whole would else have a block kept for each. */
static __attribute__((noinline)) ssize_t take(brink_socket *socket, size_t most)
{
	struct brink__stream *stream = socket->stream;
	size_t size = 0;

	brink__buffer_give_up(&socket->in);
	while (size < most && stream->first != NULL) {
		struct brink__piece *piece = stream->first;

		stream->first = piece->next;
		piece->next = NULL;
		size += piece->length;
		brink__buffer_absorb(&socket->in, piece);
	}
	stream->size -= size;
	return (ssize_t)size;
}

static __attribute__((noinline)) ssize_t rearm(brink_socket *socket)
{
	int result = brink__watch_rearm_here(&socket->watch, BRINK_READ, false);

	return result < 0 ? result : -EAGAIN;
}

ssize_t brink__socket_stream_read(brink_socket *socket, size_t most)
{
	struct brink__stream *stream = socket->stream;
	struct brink__slot *slot = socket->watch.slot;

	if (stream->first != NULL)
		return take(socket, most);
	if (stream->end != BRINK__STREAM_GOES_ON)
		return stream->end;
	if (slot != NULL && (slot->remembered & BRINK_READ) == 0 && brink__ticket_reopen(slot, &socket->watch))
		return -EAGAIN;
	return rearm(socket);
}

void brink__socket_stream_adapt(brink_socket *socket)
{
	struct brink__stream *stream = socket->stream;

	if (socket->read_size < MANY / 2)
		stream->direct = false;
	if (socket->read_size <= MANY)
		return;
	stream->direct = true;
	if (stream->receiving)
		socket->loop->ops->disarm(socket->loop->dispatcher, socket->watch.slot);
}

/* ---- writing ---- */

void brink__socket_stream_write(brink_socket *socket, const struct iovec *part, struct brink__piece *flat)
{
	socket->stream->out = part->iov_base;
	socket->stream->out_size = part->iov_len;
	socket->stream->flat = flat;
	atomic_store_explicit(&socket->write_wait, BRINK_WRITE, memory_order_relaxed); /* which the loop looks at */
	socket->loop->unsent = true;
}

ssize_t brink__socket_stream_written(brink_socket *socket)
{
	struct brink__stream *stream = socket->stream;
	ssize_t result = stream->sent;

	if (result == BRINK__STREAM_UNSENT)
		return result;
	stream->sent = BRINK__STREAM_UNSENT;
	if (stream->flat != NULL)
		brink__piece_drop(stream->flat);
	stream->flat = NULL;
	return result;
}
