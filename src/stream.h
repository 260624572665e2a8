/* A stream: what a connected socket and a backend share when the backend does not only tell
 * that bytes can be moved, but moves them.
 *
 * It changes nothing in the rule of the tickets. What the backend has received is kept here,
 * and said by an event in READ; who takes it all and finds no more says so by a rearm, as
 * after EAGAIN. What is to be sent is put here before a rearm in WRITE; the event says that
 * the result is here. So a backend that knows nothing of streams, or a stream that the kernel
 * does not want to move, is a descriptor as any other: readiness is told, and the socket
 * reads and writes itself.
 *
 * While `receiving` is set the kernel may take bytes off the descriptor at any time: nobody
 * else reads from it, or their order would be lost.
 *
 * All of it belongs to the loop's thread. */
#ifndef BRINK_STREAM_H
#define BRINK_STREAM_H

#include "block.h"
#include "table.h"

#include <sys/types.h>

#define BRINK__STREAM_GOES_ON 1 /* of `end` */
#define BRINK__STREAM_UNSENT 0  /* of `sent` */

struct brink__stream {
	/* What has arrived and was not taken yet; `last` is not looked at where `first` is NULL. */
	struct brink__piece *first, *last;
	size_t size;
	int end; /* after that: BRINK__STREAM_GOES_ON, 0 for the peer's end, or a negative errno */
	bool direct;    /* the socket's: bytes come in such numbers that it had rather read itself */
	bool over;      /* the backend's: the peer has ended or failed, and the rest is to be read */
	bool receiving; /* the backend's: a request that receives is under way */
	/* The write that is to be made, until it is: NULL for none. The bytes stay where they are
	 * until the wait that follows the rearm has returned, or the slot is removed. */
	const void *out;
	size_t out_size;
	ssize_t sent; /* what it came to: a count or a negative errno; BRINK__STREAM_UNSENT */
	struct brink__piece *flat; /* the socket's: what `out` lies in, if it was made for that; NULL */
};

/* Gives the registered descriptor `fd` a stream, until it is detached or the descriptor is
 * registered anew. */
int brink__stream_attach(struct brink__table *table, int fd, struct brink__stream *stream);
void brink__stream_detach(struct brink__table *table, int fd, struct brink__stream *stream);

/* The stream of the descriptor behind `token`, or NULL. */
static inline struct brink__stream *brink__stream_of(const struct brink__table *table, uint64_t token)
{
	uint32_t fd = (uint32_t)(token >> 32);

	return fd < table->stream_count ? table->streams[fd] : NULL;
}

/* Appends what was received. */
static inline void brink__stream_arrived(struct brink__stream *stream, struct brink__piece *piece)
{
	if (stream->first == NULL)
		stream->first = piece;
	else
		stream->last->next = piece;
	stream->last = piece;
	stream->size += piece->length;
}

#endif
