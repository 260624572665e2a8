/* Room to write to in place: see buffer.h for where it hangs. */
#include "config.h"

#include "buffer.h"

#include <errno.h>

/* Claims the room behind the buffer's last piece for a piece of its own. */
static struct brink__piece *take_tail(brink_buffer *buffer, size_t least, size_t most)
{
	struct brink__piece *last = buffer->last, *piece;
	size_t claimed;

	if (last == NULL)
		return NULL;
	claimed = brink__piece_claim(last, least, most);
	if (claimed == 0)
		return NULL;
	piece = brink__piece_new(last->block, last->bytes + last->length, claimed);
	if (piece == NULL)
		brink__piece_unclaim(last);
	return piece;
}

static inline struct brink__piece *take_block(size_t least, size_t wanted, size_t most)
{
	struct brink__piece *piece = brink__block_new(least, wanted);

	if (piece != NULL)
		piece->length = brink__piece_claim_new(piece, most);
	return piece;
}

/* The first `used` bytes of it are the buffer's, the rest is free again. */
static inline void settle(struct brink__piece *piece, size_t used)
{
	if (used == piece->length)
		return;
	piece->length = used;
	brink__piece_unclaim(piece);
}

void brink__buffer_drop_spare(brink_buffer *buffer)
{
	struct brink__piece **spare = brink__buffer_spare(buffer), *first = *spare;

	*spare = NULL;
	for (struct brink__piece *piece = first; piece != NULL; piece = piece->next)
		settle(piece, 0);
	brink__buffer_drop_chain(first);
}

void *brink_buffer_reserve(brink_buffer *buffer, size_t least, size_t *room)
{
	struct brink__piece *piece;

	brink__buffer_give_up(buffer);
	least = least == 0 ? 1 : least;
	piece = take_tail(buffer, least, SIZE_MAX);
	if (piece == NULL)
		piece = take_block(least, least, SIZE_MAX);
	if (piece == NULL)
		return NULL;
	*brink__buffer_spare(buffer) = piece;
	if (room != NULL)
		*room = piece->length;
	return piece->bytes;
}

/* What one block has room for, in a buffer that is empty. */
static inline int reserve_block(brink_buffer *buffer, size_t size, struct iovec *part)
{
	struct brink__piece *piece = take_block(1, size, size);

	if (piece == NULL)
		return -ENOMEM;
	buffer->first = piece;
	*part = (struct iovec){piece->bytes, piece->length};
	return 1;
}

static int reserve_several(brink_buffer *buffer, size_t size, struct iovec *parts, int count)
{
	struct brink__piece **end = brink__buffer_spare(buffer), *piece;
	int used = 0;

	for (; size != 0 && used < count; used++) {
		piece = used == 0 ? take_tail(buffer, 1, size) : NULL;
		if (piece == NULL)
			piece = take_block(1, size, size);
		if (piece == NULL) {
			brink__buffer_give_up(buffer);
			return -ENOMEM;
		}
		*end = piece;
		end = &piece->next;
		parts[used] = (struct iovec){piece->bytes, piece->length};
		size -= piece->length;
	}
	return used;
}

int brink_buffer_reserve_iovecs(brink_buffer *buffer, size_t size, struct iovec *parts, int count)
{
	if (size == 0 || count < 1)
		return -EINVAL;
	brink__buffer_give_up(buffer);
	return buffer->last == NULL && size <= BRINK__BLOCK_ROOM ? reserve_block(buffer, size, parts)
	                                                         : reserve_several(buffer, size, parts, count);
}

/* What was reserved in several pieces, or behind others. */
static __attribute__((noinline)) void commit_several(brink_buffer *buffer, size_t size)
{
	struct brink__piece **spare = brink__buffer_spare(buffer), *piece = *spare, *next;

	*spare = NULL;
	for (; piece != NULL && size != 0; piece = next) {
		next = piece->next;
		piece->next = NULL;
		settle(piece, size < piece->length ? size : piece->length);
		size -= piece->length;
		brink__buffer_join(buffer, piece, piece, piece->length);
	}
	*brink__buffer_spare(buffer) = piece;
	brink__buffer_give_up(buffer);
}

void brink_buffer_commit(brink_buffer *buffer, size_t size)
{
	struct brink__piece *piece = buffer->first;

	/* What a read fills most often: a part of one block, of a buffer that was empty. */
	if (buffer->last != NULL || piece == NULL || piece->next != NULL || size == 0 || size > piece->length) {
		commit_several(buffer, size);
		return;
	}
	settle(piece, size);
	buffer->last = piece;
	buffer->length = size;
}
