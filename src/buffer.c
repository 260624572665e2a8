/* How buffers grow, shrink and exchange their pieces. */
#include "config.h"

#include "buffer.h"

#include <errno.h>
#include <string.h>

void brink_buffer_init(brink_buffer *buffer)
{
	*buffer = (brink_buffer){0};
}

static inline void drop_chain(struct brink__piece *piece)
{
	while (piece != NULL) {
		struct brink__piece *next = piece->next;

		brink__piece_drop(piece);
		piece = next;
	}
}

void brink__buffer_drop_chain(struct brink__piece *piece)
{
	drop_chain(piece);
}

/* Of one that has nothing reserved. Empty before anything is dropped: a release function may run. */
static inline void drop_all(brink_buffer *buffer)
{
	struct brink__piece *first = buffer->first;

	*buffer = (brink_buffer){0};
	drop_chain(first);
}

static __attribute__((noinline)) void clear(brink_buffer *buffer)
{
	brink__buffer_give_up(buffer);
	drop_all(buffer);
}

void brink_buffer_clear(brink_buffer *buffer)
{
	if (buffer->first != NULL)
		clear(buffer);
}

/* ---- growing ---- */

void brink__buffer_join(brink_buffer *buffer, struct brink__piece *first, struct brink__piece *last, size_t length)
{
	struct brink__piece *end = buffer->last;

	buffer->length += length;
	if (end == NULL) {
		buffer->first = first;
		buffer->last = last;
		return;
	}
	if (end->block != first->block || end->bytes + end->length != first->bytes) {
		end->next = first;
		buffer->last = last;
		return;
	}
	/* What was cut in two is put together again: one piece is enough. */
	end->length += first->length;
	end->next = first->next;
	if (first != last)
		buffer->last = last;
	brink__piece_drop(first);
}

#define SMALL 2048u

void brink__buffer_absorb(brink_buffer *buffer, struct brink__piece *piece)
{
	struct brink__piece *end = buffer->last;
	size_t size = piece->length;

	if (end == NULL || size > SMALL || brink__piece_claim(end, size, size) == 0) {
		brink__buffer_join(buffer, piece, piece, size);
		return;
	}
	memcpy(end->bytes + end->length, piece->bytes, size);
	end->length += size;
	buffer->length += size;
	brink__piece_drop(piece);
}

/* New blocks, filled with these bytes. NULL without memory. */
static struct brink__piece *fill(const unsigned char *bytes, size_t size, struct brink__piece **last)
{
	struct brink__piece *first = NULL, **end = &first;

	while (size != 0) {
		struct brink__piece *piece = brink__block_new(1, size);

		if (piece == NULL) {
			brink__buffer_drop_chain(first);
			return NULL;
		}
		*end = *last = piece;
		end = &piece->next;
		piece->length = brink__piece_claim(piece, 1, size);
		memcpy(piece->bytes, bytes, piece->length);
		bytes += piece->length;
		size -= piece->length;
	}
	return first;
}

int brink_buffer_append(brink_buffer *buffer, const void *bytes, size_t size)
{
	struct brink__piece *end = buffer->last, *first, *last = NULL;
	size_t here = 0;

	brink__buffer_give_up(buffer);
	if (size == 0)
		return 0;
	if (end != NULL)
		here = brink__piece_claim(end, 1, size);
	if (here != 0)
		memcpy(end->bytes + end->length, bytes, here);
	if (here < size) {
		first = fill((const unsigned char *)bytes + here, size - here, &last);
		if (first == NULL) {
			if (here != 0)
				brink__piece_unclaim(end);
			return -ENOMEM;
		}
		if (here != 0)
			end->length += here;
		buffer->length += here;
		brink__buffer_join(buffer, first, last, size - here);
		return 0;
	}
	end->length += here;
	buffer->length += here;
	return 0;
}

int brink__buffer_fill_fitting(brink_buffer *buffer, const void *bytes, size_t size)
{
	struct brink__piece *piece;

	if (size == 0)
		return 0;
	piece = brink__block_fit(size);
	if (piece == NULL)
		return -ENOMEM;
	piece->length = brink__piece_claim(piece, size, size);
	memcpy(piece->bytes, bytes, size);
	brink__buffer_join(buffer, piece, piece, size);
	return 0;
}

void brink__buffer_fit(brink_buffer *buffer)
{
	struct brink__piece *piece = buffer->first, *small;

	if (piece == NULL || piece != buffer->last || piece->block->room != BRINK__LARGE_ROOM ||
	    piece->length > BRINK__BLOCK_ROOM / 2)
		return;
	small = brink__block_new(piece->length, piece->length);
	if (small == NULL)
		return;
	brink__buffer_give_up(buffer);
	small->length = brink__piece_claim(small, piece->length, piece->length);
	memcpy(small->bytes, piece->bytes, piece->length);
	buffer->first = buffer->last = small;
	brink__piece_drop(piece);
}

int brink_buffer_wrap(brink_buffer *buffer, void *bytes, size_t size, brink_release_fn *release, void *arg)
{
	struct brink__piece *piece;

	brink__buffer_give_up(buffer);
	if (size == 0) {
		if (release != NULL)
			release(bytes, size, arg);
		return 0;
	}
	piece = brink__block_wrap(bytes, size, release, arg);
	if (piece == NULL)
		return -ENOMEM;
	brink__buffer_join(buffer, piece, piece, size);
	return 0;
}

/* ---- from buffer to buffer ---- */

static __attribute__((noinline)) void move(brink_buffer *to, brink_buffer *from)
{
	brink_buffer moved;

	brink__buffer_give_up(to);
	if (to == from)
		return;
	if (to->last == NULL) {
		brink__buffer_take(to, from);
		return;
	}
	brink__buffer_take(&moved, from);
	if (moved.length != 0)
		brink__buffer_join(to, moved.first, moved.last, moved.length);
}

void brink_buffer_move(brink_buffer *to, brink_buffer *from)
{
	/* To where nothing is, and nothing is reserved. */
	if (to->first == NULL && *brink__buffer_spare(from) == NULL)
		brink__buffer_take(to, from);
	else
		move(to, from);
}

int brink_buffer_share(brink_buffer *to, const brink_buffer *from)
{
	struct brink__piece *first = NULL, *last = NULL, **end = &first;
	const struct brink__piece *piece = from->first;

	brink__buffer_give_up(to);
	if (from->length == 0)
		return 0;
	while (last == NULL || piece != from->last->next) {
		last = brink__piece_new(piece->block, piece->bytes, piece->length);
		if (last == NULL) {
			brink__buffer_drop_chain(first);
			return -ENOMEM;
		}
		*end = last;
		end = &last->next;
		piece = piece->next;
	}
	brink__buffer_join(to, first, last, from->length);
	return 0;
}

ssize_t brink_buffer_cut(brink_buffer *from, brink_buffer *to, size_t size)
{
	struct brink__piece *first, *last = NULL, *split, *piece;
	size_t rest = size;

	brink__buffer_give_up(to);
	brink__buffer_give_up(from);
	if (size >= from->length) {
		size = from->length;
		brink_buffer_move(to, from);
		return (ssize_t)size;
	}
	if (size == 0)
		return 0;
	first = piece = from->first;
	for (; rest >= piece->length; piece = piece->next) {
		rest -= piece->length;
		last = piece;
	}
	if (rest != 0) {
		split = brink__piece_new(piece->block, piece->bytes, rest);
		if (split == NULL)
			return -ENOMEM;
		piece->bytes += rest;
		piece->length -= rest;
		if (last != NULL)
			last->next = split;
		else
			first = split;
		last = split;
	} else {
		last->next = NULL;
	}
	from->first = piece;
	from->length -= size;
	brink__buffer_join(to, first, last, size);
	return (ssize_t)size;
}

/* ---- shrinking ---- */

static __attribute__((noinline)) size_t pop_all(brink_buffer *buffer)
{
	size_t size = buffer->length;

	brink__buffer_give_up(buffer);
	drop_all(buffer);
	return size;
}

/* Fewer than there are. */
static __attribute__((noinline)) size_t pop_pieces(brink_buffer *buffer, size_t size)
{
	struct brink__piece *dropped = NULL, **end = &dropped, *piece;
	size_t rest;

	brink__buffer_give_up(buffer);
	dropped = buffer->first;
	rest = size;
	for (piece = dropped; rest >= piece->length; piece = *end) {
		rest -= piece->length;
		end = &piece->next;
	}
	piece->bytes += rest;
	piece->length -= rest;
	if (end != &dropped)
		*end = NULL;
	else
		dropped = NULL;
	buffer->first = piece;
	buffer->length -= size;
	brink__buffer_drop_chain(dropped);
	return size;
}

size_t brink_buffer_pop(brink_buffer *buffer, size_t size)
{
	struct brink__piece *piece = buffer->first;

	if (size >= buffer->length)
		return pop_all(buffer);
	/* No more than a part of the first piece? */
	if (size >= piece->length || *brink__buffer_spare(buffer) != NULL)
		return pop_pieces(buffer, size);
	piece->bytes += size;
	piece->length -= size;
	buffer->length -= size;
	return size;
}

size_t brink_buffer_pop_back(brink_buffer *buffer, size_t size)
{
	struct brink__piece *dropped, *piece;
	size_t rest;

	if (size >= buffer->length)
		return pop_all(buffer);
	brink__buffer_give_up(buffer);
	rest = buffer->length - size;
	for (piece = buffer->first; rest > piece->length; piece = piece->next)
		rest -= piece->length;
	piece->length = rest;
	dropped = piece->next;
	piece->next = NULL;
	buffer->last = piece;
	buffer->length -= size;
	brink__buffer_drop_chain(dropped);
	return size;
}
