#include "config.h"

#include "block.h"
#include "cache.h"
#include "memory.h"

/* A block for memory of somebody else's. */
struct wrapper {
	struct brink__block block;
	size_t size;
	void *bytes;
	brink_release_fn *release;
	void *arg;
};

/* A thread keeps up to 256 KiB of blocks and 544 KiB of large ones, and the depot 4 MiB of each. */
static const struct brink__cache blocks = {
	.class_of = BRINK__CACHE_BLOCKS, .batch = 16, .batches = 32, .size = BRINK__BLOCK_SIZE};
static const struct brink__cache large_blocks = {
	.class_of = BRINK__CACHE_LARGE_BLOCKS, .batch = 4, .batches = 16, .size = BRINK__LARGE_SIZE};
static const struct brink__cache pieces = {
	.class_of = BRINK__CACHE_PIECES, .batch = 64, .batches = 64, .size = sizeof(struct brink__piece)};
static const struct brink__cache wrappers = {
	.class_of = BRINK__CACHE_WRAPPERS, .batch = 32, .batches = 32, .size = sizeof(struct wrapper)};

_Static_assert(sizeof(struct brink__block) % sizeof(void *) == 0, "the bytes of a block are aligned");

static inline struct brink__piece *start(struct brink__block *block, uint32_t room, unsigned char *bytes, size_t length)
{
	atomic_init(&block->references, 1);
	block->room = room;
	atomic_init(&block->filled, 0);
	block->piece = (struct brink__piece){.block = block, .bytes = bytes, .length = length};
	return &block->piece;
}

static inline struct brink__piece *start_own(struct brink__block *block, size_t room)
{
	return block == NULL ? NULL : start(block, (uint32_t)room, brink__block_bytes(block), 0);
}

/* One of just this room. */
static struct brink__piece *allocate(size_t room)
{
	return start_own(brink__resize(NULL, 1, sizeof(struct brink__block) + BRINK__BLOCK_ALIGNMENT + room), room);
}

struct brink__piece *brink__block_new(size_t least, size_t wanted)
{
	size_t most = least < wanted ? wanted : least;

	if (least > UINT32_MAX - BRINK__LARGE_SIZE)
		return NULL;
	if (least <= BRINK__BLOCK_ROOM && most < BRINK__LARGE_ROOM / 2)
		return start_own(brink__cache_get(&blocks), BRINK__BLOCK_ROOM);
	if (least <= BRINK__LARGE_ROOM && most >= BRINK__LARGE_ROOM / 2)
		return start_own(brink__cache_get(&large_blocks), BRINK__LARGE_ROOM);
	return allocate(least);
}

struct brink__piece *brink__block_fit(size_t size)
{
	/* At half of it and above, little is gained. */
	return size > BRINK__BLOCK_ROOM / 2 ? brink__block_new(size, size) : allocate(size);
}

struct brink__piece *brink__block_wrap(void *bytes, size_t size, brink_release_fn *release, void *arg)
{
	struct wrapper *wrapper = brink__cache_get(&wrappers);

	if (wrapper == NULL)
		return NULL;
	wrapper->size = size;
	wrapper->bytes = bytes;
	wrapper->release = release;
	wrapper->arg = arg;
	return start(&wrapper->block, 0, bytes, size);
}

struct brink__piece *brink__piece_new(struct brink__block *block, unsigned char *bytes, size_t length)
{
	struct brink__piece *piece = brink__cache_get(&pieces);

	if (piece == NULL)
		return NULL;
	*piece = (struct brink__piece){.block = block, .bytes = bytes, .length = length};
	/* Relaxed: the caller has a reference already, by way of which it got here. */
	atomic_fetch_add_explicit(&block->references, 1, memory_order_relaxed);
	return piece;
}

static void release(struct wrapper *wrapper)
{
	brink_release_fn *call = wrapper->release;
	void *bytes = wrapper->bytes, *arg = wrapper->arg;
	size_t size = wrapper->size;

	brink__cache_put(&wrappers, wrapper);
	if (call != NULL)
		call(bytes, size, arg);
}

static void destroy(struct brink__block *block)
{
	if (block->room == BRINK__BLOCK_ROOM)
		brink__cache_put(&blocks, block);
	else if (block->room == BRINK__LARGE_ROOM)
		brink__cache_put(&large_blocks, block);
	else if (block->room != 0)
		brink__free(block);
	else
		release(brink_container_of(block, struct wrapper, block));
}

/* Acquire: what others did with their pieces before they dropped them comes before what is
 * done with the block now. */
static bool is_only_one(struct brink__block *block)
{
	return atomic_load_explicit(&block->references, memory_order_acquire) == 1;
}

/* Apart, as much of buffer.c is, so that who comes the usual way has no registers to save. */
static __attribute__((noinline)) void drop_slowly(struct brink__piece *piece)
{
	struct brink__block *block = piece->block;

	if (piece != &block->piece)
		brink__cache_put(&pieces, piece);
	/* Release, for the same reason, seen from those others. The look before spares the dear
	 * operation to who has the only reference, as nobody else can make another then. */
	if (is_only_one(block) || atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) == 1)
		destroy(block);
}

void brink__piece_drop(struct brink__piece *piece)
{
	struct brink__block *block = piece->block;

	if (piece == &block->piece && block->room == BRINK__BLOCK_ROOM && is_only_one(block))
		brink__cache_put(&blocks, block);
	else
		drop_slowly(piece);
}

size_t brink__piece_claim(struct brink__piece *piece, size_t least, size_t most)
{
	struct brink__block *block = piece->block;
	uint32_t end, filled, grant;

	if (block->room == 0)
		return 0;
	end = (uint32_t)(piece->bytes + piece->length - brink__block_bytes(block));
	grant = block->room - end;
	if (grant < least)
		return 0;
	grant = most < grant ? (uint32_t)most : grant;
	if (is_only_one(block)) {
		atomic_store_explicit(&block->filled, end + grant, memory_order_relaxed);
		return grant;
	}
	/* Acquire, with the release in brink__piece_unclaim(): what the one who gave this room
	 * back wrote there comes before what the caller will write. */
	filled = end;
	return atomic_compare_exchange_strong_explicit(&block->filled, &filled, end + grant, memory_order_acquire,
	                                               memory_order_relaxed)
	           ? grant
	           : 0;
}
