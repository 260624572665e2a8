/* The buffers that the kernel receives into: a ring of provided buffers (io_uring(7), since
 * Linux 5.19), from which a standing request to receive takes one for each arrival.
 *
 * Each is a block of the library's as any other. The one that was received into is handed to
 * the socket as a piece of its buffer, without a copy, and another from the cache takes its
 * place: so whoever keeps bytes keeps ordinary memory, and can neither empty the ring nor
 * outlive it. What limits the ring is how much may arrive in one wait. When the kernel has
 * run out (ENOBUFS), the socket reads by itself for once, and the ring becomes larger. */
#ifndef BRINK_RECEIVE_H
#define BRINK_RECEIVE_H

#include "block.h"
#include "memory.h"

#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#define BRINK__RECEIVE_GROUP 0
#define BRINK__RECEIVE_FIRST 16u /* so many to begin with: few that are in the cache beat many that are not */

struct brink__receive {
	struct io_uring_buf_ring *ring; /* NULL: the kernel has none */
	struct brink__piece **pieces;   /* by number; NULL: the kernel does not have this one */
	uint16_t *unused;               /* the numbers of these */
	unsigned entries;               /* a power of two */
	pid_t process;                  /* whose `ring` it is: a child has none */
	unsigned given, wanted;         /* how many the kernel has, and is to have: 0 before the first use */
	bool ran_out;                   /* since the last refill */
	bool refused;                   /* it does not receive by standing requests after all */
};

static inline size_t brink__receive_size(const struct brink__receive *self)
{
	return self->entries * sizeof(struct io_uring_buf);
}

static inline void brink__receive_give(struct brink__receive *self, struct brink__piece *piece, uint16_t number)
{
	self->pieces[number] = piece;
	self->given++;
	io_uring_buf_ring_add(self->ring, brink__block_bytes(piece->block), BRINK__BLOCK_ROOM, number,
	                      io_uring_buf_ring_mask(self->entries), 0);
	io_uring_buf_ring_advance(self->ring, 1);
}

/* Gives the kernel what it should have; without memory, less. */
static inline void brink__receive_refill(struct brink__receive *self)
{
	if (self->ran_out && self->wanted < self->entries)
		self->wanted *= 2;
	self->ran_out = false;
	while (self->given < self->wanted) {
		struct brink__piece *piece = brink__block_new(BRINK__BLOCK_ROOM, BRINK__BLOCK_ROOM);

		if (piece == NULL)
			return;
		brink__receive_give(self, piece, self->unused[self->entries - self->given - 1]);
	}
}

/* Whether a request to receive would find a buffer. */
static inline bool brink__receive_ready(struct brink__receive *self)
{
	if (self->ring == NULL || self->refused)
		return false;
	if (self->wanted == 0)
		self->wanted = self->entries < BRINK__RECEIVE_FIRST ? self->entries : BRINK__RECEIVE_FIRST;
	if (self->given == 0)
		brink__receive_refill(self);
	return self->given > 0;
}

/* Takes the buffer that `cqe` is about, with the bytes that arrived in it; NULL: there is none. */
static inline struct brink__piece *brink__receive_take(struct brink__receive *self, const struct io_uring_cqe *cqe)
{
	uint16_t number = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
	struct brink__piece *piece;

	if (!(cqe->flags & IORING_CQE_F_BUFFER))
		return NULL;
	piece = self->pieces[number];
	self->pieces[number] = NULL;
	self->given--;
	self->unused[self->entries - self->given - 1] = number;
	piece->length = cqe->res > 0 ? brink__piece_claim_new(piece, (size_t)cqe->res) : 0;
	if (piece->length != 0)
		return piece;
	brink__piece_drop(piece);
	return NULL;
}

/* Afterwards the kernel must not receive any more. */
static inline void brink__receive_close(struct brink__receive *self)
{
	if (self->ring != NULL && self->process == getpid())
		munmap(self->ring, brink__receive_size(self));
	for (unsigned i = 0; self->pieces != NULL && i < self->entries; i++)
		if (self->pieces[i] != NULL)
			brink__piece_drop(self->pieces[i]);
	brink__free(self->pieces);
	brink__free(self->unused);
	*self = (struct brink__receive){0};
}

/* Opens one of at most `most` buffers; where there shall be none, `ring` is NULL. A standing request is for a
 * ring that does nothing unless it is entered (Linux 6.1): on others the kernel receives whenever the thread
 * makes a system call, also between the last look at the ring and its end, or after a fork. */
static inline int brink__receive_open(struct brink__receive *self, struct io_uring *uring, unsigned most)
{
	struct io_uring_buf_reg registration = {.bgid = BRINK__RECEIVE_GROUP};
	void *memory;

	*self = (struct brink__receive){.entries = 1, .process = getpid()};
	while (self->entries < most)
		self->entries *= 2;
	if (!(uring->flags & IORING_SETUP_DEFER_TASKRUN))
		return 0;
	self->pieces = brink__allocate(self->entries, sizeof(struct brink__piece *));
	self->unused = brink__allocate(self->entries, sizeof *self->unused);
	memory = mmap(NULL, brink__receive_size(self), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	self->ring = memory != MAP_FAILED ? memory : NULL;
	/* A copy in a child is of no use, and the kernel's pages must stay the parent's. */
	if (self->ring != NULL)
		madvise(memory, brink__receive_size(self), MADV_DONTFORK);
	registration.ring_addr = (uintptr_t)memory;
	registration.ring_entries = self->entries;
	if (self->pieces == NULL || self->unused == NULL || self->ring == NULL) {
		brink__receive_close(self);
		return -ENOMEM;
	}
	if (io_uring_register_buf_ring(uring, &registration, 0) < 0) {
		brink__receive_close(self);
		return 0;
	}
	io_uring_buf_ring_init(self->ring);
	for (unsigned i = 0; i < self->entries; i++)
		self->unused[i] = (uint16_t)(self->entries - 1 - i);
	return 0;
}

#endif
