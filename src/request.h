/* Requests to write: what a socket's queue is made of (socket_flush.c).
 *
 * A small copy has its room in the request itself, so that who gathers many of them finds each in one place. And a
 * thread that writes small ones faster than they are sent need not queue each: while its last one is still the
 * queue's last it may lengthen it, at no more than an exchange that nobody else is waiting for. Its place in the
 * queue is right then, since whoever came in between would be the last.
 *
 *   - One thread at most has a claim to a request, from its beginning on: only it adds bytes, and it may look at the
 *     request until it gives the claim up, also when the queue is through with it.
 *   - Who has the right to write seals it before going on to the next, or ending it: nothing is added any more.
 *   - The later one of both, claim and queue, frees it. */
#ifndef BRINK_REQUEST_H
#define BRINK_REQUEST_H

#include "cache.h"

#include <brink/buffer.h>
#include <brink/socket.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BRINK__REQUEST_ROOM 216u /* the most that a copy may have */
/* Of the one that comes when a lengthened one is full. It is written from where it is. */
#define BRINK__RUN_ROOM 4000u

/* The parts of `fill`. */
#define BRINK__FILL_BYTES 0xffffu          /* of `bytes`, all that were ever added */
#define BRINK__FILL_ONE (1u << 16)         /* how many writes they came by */
#define BRINK__FILL_ALL (0xfffu * BRINK__FILL_ONE)
#define BRINK__FILL_CLAIMED (1u << 28)
#define BRINK__FILL_SEALED (1u << 29)
#define BRINK__FILL_OVER (1u << 30) /* the queue is through with it */

/* A request, with what is still to be written. */
struct brink__request {
	_Atomic(struct brink__request *) next;
	brink_write_fn *done;
	void *arg;
	bool end : 1;   /* no bytes: ends our side */
	bool ended : 1; /* done was called; it stays only until the next one is linked to it */
	bool copied : 1;
	bool run;       /* a copy with more room, from a cache of its own */
	uint16_t from;  /* what is sent of `bytes` */
	atomic_uint fill;
	union {
		brink_buffer data;
		unsigned char bytes[BRINK__REQUEST_ROOM]; /* if it is copied; of a run, more */
	};
};

_Static_assert(sizeof(void *) != 8 || sizeof(struct brink__request) == 248, "four cache lines less malloc's word");

_Static_assert(BRINK__RUN_ROOM < BRINK__FILL_ALL / BRINK__FILL_ONE && BRINK__RUN_ROOM <= BRINK__FILL_BYTES,
               "a write has a byte, so that they can be counted");

extern const struct brink__cache brink__requests, brink__runs;
/* Stands in `next` of the last request when who had the right to write has left: the thread that links the next one
 * takes it over. */
extern struct brink__request brink__hole;

struct brink__request *brink__request_create(void); /* with an empty buffer */
/* One with a copy of at most BRINK__REQUEST_ROOM bytes, behind `last`, which is the queue's last or was. Where it was
 * the calling thread's, the new one is claimed. */
struct brink__request *brink__request_copy(const struct brink__request *last, const void *bytes, size_t size);
/* Adds the bytes, at least one, to `last`, if it is claimed by the calling thread and not sealed, and has the room. */
bool brink__request_lengthen(const struct brink__request *last, const void *bytes, size_t size);
/* The calling thread gives up its claim. */
void brink__request_let_go(void);
/* Links `request` to the one before it; true: the right to write was left there. */
bool brink__request_link(struct brink__request *previous, struct brink__request *request);

/* ---- for who has the right to write ---- */

static inline void brink__request_free(struct brink__request *request)
{
	if (atomic_load_explicit(&request->fill, memory_order_acquire) & BRINK__FILL_CLAIMED &&
	    atomic_fetch_or(&request->fill, BRINK__FILL_OVER) & BRINK__FILL_CLAIMED)
		return;
	brink__cache_put(request->run ? &brink__runs : &brink__requests, request);
}

/* Nothing is added after that. */
static inline void brink__request_seal(struct brink__request *request)
{
	if (!(atomic_load_explicit(&request->fill, memory_order_acquire) & BRINK__FILL_SEALED))
		atomic_fetch_or(&request->fill, BRINK__FILL_SEALED);
}

/* What is to be written of it; until it is sealed it may be more a moment later. */
static inline size_t brink__request_left(const struct brink__request *request)
{
	if (!request->copied)
		return brink_buffer_length(&request->data);
	return (atomic_load_explicit(&request->fill, memory_order_acquire) & BRINK__FILL_BYTES) - request->from;
}

/* How many writes it is, once it is sealed. */
static inline unsigned brink__request_writes(const struct brink__request *request)
{
	return (atomic_load_explicit(&request->fill, memory_order_relaxed) & BRINK__FILL_ALL) / BRINK__FILL_ONE;
}

#endif
