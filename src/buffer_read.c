/* Looking at a buffer without changing it. */
#include "config.h"

#include "buffer.h"

#include <string.h>

/* The piece that has the byte at `offset`, which is below the length; `offset` becomes that
 * in the piece. */
static const struct brink__piece *locate(const brink_buffer *buffer, size_t *offset)
{
	const struct brink__piece *piece = buffer->first;

	while (*offset >= piece->length) {
		*offset -= piece->length;
		piece = piece->next;
	}
	return piece;
}

static __attribute__((noinline)) size_t copy(const brink_buffer *buffer, size_t offset, void *to, size_t size)
{
	const struct brink__piece *piece;
	unsigned char *out = to;
	size_t rest;

	if (offset >= buffer->length || size == 0)
		return 0;
	if (size > buffer->length - offset)
		size = buffer->length - offset;
	piece = locate(buffer, &offset);
	for (rest = size; rest != 0; piece = piece->next, offset = 0) {
		size_t here = piece->length - offset;

		here = rest < here ? rest : here;
		memcpy(out, piece->bytes + offset, here);
		out += here;
		rest -= here;
	}
	return size;
}

size_t brink_buffer_copy(const brink_buffer *buffer, size_t offset, void *to, size_t size)
{
	const struct brink__piece *piece = buffer->first;

	/* Of the first piece. */
	if (offset >= buffer->length || offset >= piece->length || size > piece->length - offset)
		return copy(buffer, offset, to, size);
	memcpy(to, piece->bytes + offset, size);
	return size;
}

const void *brink_buffer_peek(const brink_buffer *buffer, size_t size, void *scratch)
{
	if (size > buffer->length)
		return NULL;
	if (size == 0)
		return scratch;
	if (size <= buffer->first->length)
		return buffer->first->bytes;
	brink_buffer_copy(buffer, 0, scratch, size);
	return scratch;
}

int brink_buffer_iovecs(const brink_buffer *buffer, size_t offset, struct iovec *parts, int count)
{
	const struct brink__piece *piece;
	size_t rest;
	int used = 0;

	if (offset >= buffer->length)
		return 0;
	rest = buffer->length - offset;
	piece = locate(buffer, &offset);
	for (; rest != 0 && used < count; piece = piece->next, offset = 0) {
		parts[used++] = (struct iovec){piece->bytes + offset, piece->length - offset};
		rest -= piece->length - offset;
	}
	return used;
}
