/* The descriptor table: what one loop knows of each descriptor that is watched on it.
 *
 * It lies below both the loop and its backend and is the only thing that they share.
 * A slot is found by its descriptor's number; slots never move and are not freed
 * before the table, so a pointer to one is always safe to look at. Whether it still
 * stands for the descriptor that an event was meant for is told by the token: the
 * descriptor, a generation that changes with every registration, and four low bits
 * that a backend may use for itself in what it hands to the kernel. */
#ifndef BRINK_TABLE_H
#define BRINK_TABLE_H

#include <brink/base.h>
#include <brink/watch.h>

#include <stdbool.h>
#include <stdint.h>

/* What sort of file a descriptor is, as far as the ticket rule must know. */
enum brink__kind {
	BRINK__KIND_TCP,      /* a TCP stream or listener */
	BRINK__KIND_STREAM,   /* any other stream socket */
	BRINK__KIND_DATAGRAM, /* a socket that keeps message boundaries; the last of the sockets */
	BRINK__KIND_PIPE,     /* a pipe or FIFO that can be read (and perhaps written) */
	BRINK__KIND_PIPE_OUT, /* a pipe or FIFO that can only be written */
	BRINK__KIND_OTHER     /* terminals, devices, eventfds, ... */
};

#define BRINK__DIRECTIONS (BRINK_READ | BRINK_WRITE)

struct brink__slot {
	uint64_t token; /* 0: not registered */
	uint32_t mark; /* the backend's own; 0 when it is asked to add */
	uint8_t kind;  /* enum brink__kind */
	uint8_t level; /* 1: level-triggered, without tickets */
	uint8_t open;  /* directions that the loop wants reported; written by the loop only */
	uint8_t armed; /* directions that will still be reported without another arm; written by
	                * the backend only */

	/* The rest is the loop's. */
	uint8_t remembered; /* directions that were reported while closed */
	uint8_t pending;    /* directions that the next call will be for */
	uint8_t wanted;     /* directions that have an owner */
	uint8_t state;      /* BRINK_EOF, BRINK_ERROR as seen so far, and the bits of ticket.h */
	uint32_t identity;  /* tells files that had the same number apart; stays for the watches at rest */
	brink_watch *owner[2]; /* reader, writer: see brink__side() */
	struct brink__slot *next; /* in the list of slots to call */
};

_Static_assert(sizeof(void *) != 8 || sizeof(struct brink__slot) == 48, "a slot is 48 bytes");

/* READ is 1 and WRITE is 4, so a direction's index is a shift. */
static inline unsigned brink__side(unsigned direction)
{
	return direction >> 2;
}

/* The directions of `slot` that are the watch's. */
static inline unsigned brink__slot_owned_by(const struct brink__slot *slot, const brink_watch *watch)
{
	return (slot->owner[0] == watch ? BRINK_READ : 0) | (slot->owner[1] == watch ? BRINK_WRITE : 0);
}

/* NULL: they are nobody's. */
static inline void brink__slot_set_owner(struct brink__slot *slot, brink_watch *watch, unsigned directions)
{
	if (directions & BRINK_READ)
		slot->owner[0] = watch;
	if (directions & BRINK_WRITE)
		slot->owner[1] = watch;
	if (watch != NULL)
		slot->wanted |= (uint8_t)directions;
	else
		slot->wanted &= (uint8_t)~directions;
}

#define BRINK__TABLE_PAGE 256u

struct brink__table {
	struct brink__slot **pages; /* of BRINK__TABLE_PAGE slots each; NULL where none was needed */
	uint32_t page_count;
	uint32_t generation; /* of the last token given out */
	struct brink__stream **streams; /* by descriptor, of those that have one: see stream.h */
	uint32_t stream_count;
};

#define BRINK__TOKEN_BITS 15u /* the low bits of a token that are the backend's */

static inline int brink__token_fd(uint64_t token)
{
	return (int)(token >> 32);
}

/* The slot of descriptor `fd`, or NULL where there never was one. */
static inline struct brink__slot *brink__table_at(const struct brink__table *table, int fd)
{
	uint32_t page = (uint32_t)fd / BRINK__TABLE_PAGE;

	if (page >= table->page_count || table->pages[page] == NULL)
		return NULL;
	return &table->pages[page][(uint32_t)fd % BRINK__TABLE_PAGE];
}

/* The slot that `token`, as it came back from the kernel, stands for, or NULL when it is
 * stale: the descriptor was removed, or its number is another's now. This is the one
 * place where late events are dropped. */
static inline struct brink__slot *brink__table_find(const struct brink__table *table, uint64_t token)
{
	uint32_t fd = (uint32_t)(token >> 32);
	/* No bounds to check: we gave this token out, and pages are never freed. */
	struct brink__slot *slot = &table->pages[fd / BRINK__TABLE_PAGE][fd % BRINK__TABLE_PAGE];

	return __builtin_expect(((slot->token ^ token) & ~(uint64_t)BRINK__TOKEN_BITS) == 0, 1) ? slot : NULL;
}

/* The slot of `fd`, made if need be; NULL without memory. */
struct brink__slot *brink__table_get(struct brink__table *table, int fd);

/* Gives `slot`, that of `fd`, a token that no event under way can have. */
void brink__table_renew(struct brink__table *table, struct brink__slot *slot, int fd);

void brink__table_free(struct brink__table *table);

#endif
