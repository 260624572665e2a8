/* Requests to write: what a socket's queue is made of (socket_flush.c). */
#ifndef BRINK_REQUEST_H
#define BRINK_REQUEST_H

#include <brink/buffer.h>
#include <brink/socket.h>

#include <stdatomic.h>
#include <stdbool.h>

/* A request, with what is still to be written. A small copy has its room in the request
 * itself, so that who gathers many of them finds each in one place. */
#define BRINK__REQUEST_ROOM 216u

struct brink__request {
	_Atomic(struct brink__request *) next;
	brink_write_fn *done;
	void *arg;
	bool end;   /* no bytes: ends our side */
	bool ended; /* done was called; it stays only until the next one is linked to it */
	bool copied;
	unsigned char from, to; /* of `bytes` */
	union {
		brink_buffer data;
		unsigned char bytes[BRINK__REQUEST_ROOM]; /* if it is copied */
	};
};

_Static_assert(sizeof(void *) != 8 || sizeof(struct brink__request) == 248, "four cache lines less malloc's word");

struct brink__request *brink__request_create(void); /* with an empty buffer */
/* Instead of its buffer, a copy of at most BRINK__REQUEST_ROOM bytes. */
void brink__request_fill(struct brink__request *request, const void *bytes, size_t size);
void brink__request_free(struct brink__request *request);
/* Links `request` to the one before it; true: the right to write was left there. */
bool brink__request_link(struct brink__request *previous, struct brink__request *request);

#endif
