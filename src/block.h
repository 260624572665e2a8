/* What buffers are made of: counted blocks of memory, and the pieces that stand for parts
 * of them.
 *
 * A block of our own is filled from its beginning. Bytes below the mark `filled` belong to
 * those who filled them, and are never written again once they are in a buffer; the room
 * above the mark is free. Whose piece ends just at the mark may claim some of it: who moves
 * the mark by compare-and-swap owns what it moved over, and he alone has anything that
 * ends at the new mark, so that he alone may move it back. Whose piece is the only one of
 * its block may set the mark to its end, for nobody has the bytes beyond. */
#ifndef BRINK_BLOCK_H
#define BRINK_BLOCK_H

#include "memory.h"

#include <brink/buffer.h>

#include <stdatomic.h>
#include <stdint.h>

struct brink__piece {
	struct brink__piece *next;
	struct brink__block *block; /* of which it is one reference */
	unsigned char *bytes;
	size_t length;
};

/* The bytes of a block of our own follow it. */
struct brink__block {
	atomic_uint references; /* pieces */
	uint32_t room;          /* for so many bytes; 0: the memory is somebody else's */
	_Atomic uint32_t filled;
	struct brink__piece piece; /* its first, so that a new block is one allocation */
};

/* The bytes begin where a cache line does, since the kernel copies to there at up to twice the
 * speed; what that may cost is not counted as room. */
#define BRINK__BLOCK_ALIGNMENT BRINK__CACHE_LINE
#define BRINK__BLOCK_ROOM_OF(size) ((uint32_t)((size) - sizeof(struct brink__block) - BRINK__BLOCK_ALIGNMENT))

#define BRINK__BLOCK_SIZE ((size_t)8192)
#define BRINK__BLOCK_ROOM BRINK__BLOCK_ROOM_OF(BRINK__BLOCK_SIZE)
/* For what comes by tens of KiB at once: a part for the kernel instead of eight. */
#define BRINK__LARGE_SIZE ((size_t)68 * 1024)
#define BRINK__LARGE_ROOM BRINK__BLOCK_ROOM_OF(BRINK__LARGE_SIZE)

static inline unsigned char *brink__block_bytes(const struct brink__block *block)
{
	uintptr_t end = (uintptr_t)(block + 1);

	return (unsigned char *)(block + 1) + (-end & (BRINK__BLOCK_ALIGNMENT - 1));
}

/* The empty piece of a new block with room for `least` bytes or more, and of a size for `wanted`
 * bytes in several. NULL without memory. */
struct brink__piece *brink__block_new(size_t least, size_t wanted);

/* The same with room for little more than `size` bytes: for what may wait long, in numbers. */
struct brink__piece *brink__block_fit(size_t size);

/* The piece of a block that stands for foreign memory. NULL without memory. */
struct brink__piece *brink__block_wrap(void *bytes, size_t size, brink_release_fn *release, void *arg);

/* Another piece of `block`. NULL without memory. */
struct brink__piece *brink__piece_new(struct brink__block *block, unsigned char *bytes, size_t length);

/* Gives the piece back, and the block with the last of its pieces. */
void brink__piece_drop(struct brink__piece *piece);

/* Claims the room just behind `piece`, up to `most` bytes, for the caller to write to. Returns
 * how many it got: 0 if there are fewer than `least`, or if they are another's. */
size_t brink__piece_claim(struct brink__piece *piece, size_t least, size_t most);

/* Likewise of the empty piece of a new block, which nobody else has any of. */
static inline size_t brink__piece_claim_new(struct brink__piece *piece, size_t most)
{
	uint32_t room = piece->block->room, grant = most < room ? (uint32_t)most : room;

	atomic_store_explicit(&piece->block->filled, grant, memory_order_relaxed);
	return grant;
}

/* What was claimed last behind `piece` is free again. */
static inline void brink__piece_unclaim(struct brink__piece *piece)
{
	uint32_t end = (uint32_t)(piece->bytes + piece->length - brink__block_bytes(piece->block));

	/* Release: whoever claims it writes there after what was written there until now. */
	atomic_store_explicit(&piece->block->filled, end, memory_order_release);
}

#endif
