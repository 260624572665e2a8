/* What the files of the buffer share.
 *
 * The pieces from `first` to `last` are its bytes; none is empty. Room that is reserved is
 * in pieces of its own behind `last` (or at `first`, where there is no `last`), whose
 * lengths are what was claimed for them: so nothing that walks to `last` sees it. */
#ifndef BRINK_BUFFER_INTERNAL_H
#define BRINK_BUFFER_INTERNAL_H

#include "block.h"

/* Where the pieces of the reserved room hang. */
static inline struct brink__piece **brink__buffer_spare(brink_buffer *buffer)
{
	return buffer->last != NULL ? &buffer->last->next : &buffer->first;
}

void brink__buffer_drop_spare(brink_buffer *buffer);

/* Every function that changes a buffer begins with this. */
static inline void brink__buffer_give_up(brink_buffer *buffer)
{
	if (*brink__buffer_spare(buffer) != NULL)
		brink__buffer_drop_spare(buffer);
}

/* All that it has, and that is something, is in one piece. */
static inline bool brink__buffer_is_one_part(const brink_buffer *buffer)
{
	return buffer->last != NULL && buffer->first == buffer->last;
}

/* Moves all of it to where nothing was so far. */
static inline void brink__buffer_take(brink_buffer *to, brink_buffer *from)
{
	brink__buffer_give_up(from);
	*to = *from;
	*from = (brink_buffer){0};
}

/* Appends a chain of pieces that has `length` bytes to a buffer that has nothing reserved. */
void brink__buffer_join(brink_buffer *buffer, struct brink__piece *first, struct brink__piece *last, size_t length);

/* Appends `piece` to such a buffer: by a copy, if it is small and there is room for it behind the last byte.
 * Small pieces that come one after the other so share a block, instead of keeping one each. */
void brink__buffer_absorb(brink_buffer *buffer, struct brink__piece *piece);

/* Makes an empty buffer of a copy of `size` bytes, in a block of about that size. */
int brink__buffer_fill_fitting(brink_buffer *buffer, const void *bytes, size_t size);

/* Little that is left in a large block moves to another, if there is memory: it may stay for long. */
void brink__buffer_fit(brink_buffer *buffer);

/* Drops `piece` and what follows it. */
void brink__buffer_drop_chain(struct brink__piece *piece);

#endif
