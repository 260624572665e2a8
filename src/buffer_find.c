/* Searching, by the method of Knuth, Morris and Pratt: it looks at each byte once and never
 * goes back, so that it does not matter where a block ends. */
#include "config.h"

#include "buffer.h"

#include <errno.h>
#include <string.h>

/* back[i]: when the first i + 1 bytes of the pattern have matched, the length of the longest
 * shorter beginning of the pattern that these end with. */
static void prepare(const unsigned char *pattern, size_t size, uint8_t *back)
{
	size_t matched = 0;

	back[0] = 0;
	for (size_t i = 1; i < size; i++) {
		while (matched != 0 && pattern[i] != pattern[matched])
			matched = back[matched - 1];
		if (pattern[i] == pattern[matched])
			matched++;
		back[i] = (uint8_t)matched;
	}
}

struct search {
	const unsigned char *pattern;
	size_t size;
	size_t matched; /* bytes of the pattern that the bytes seen so far end with */
	uint8_t back[BRINK_BUFFER_PATTERN];
};

/* Returns how many of the bytes it has looked at when the pattern is complete, or 0. */
static size_t look_at(struct search *search, const unsigned char *bytes, size_t size)
{
	const unsigned char *pattern = search->pattern;
	size_t matched = search->matched;

	for (size_t i = 0; i < size; i++) {
		if (matched == 0) {
			const unsigned char *start = memchr(bytes + i, pattern[0], size - i);

			if (start == NULL)
				break;
			i = (size_t)(start - bytes);
		}
		while (matched != 0 && bytes[i] != pattern[matched])
			matched = search->back[matched - 1];
		if (bytes[i] == pattern[matched])
			matched++;
		if (matched == search->size)
			return i + 1;
	}
	search->matched = matched;
	return 0;
}

ssize_t brink_buffer_find(const brink_buffer *buffer, size_t offset, const void *pattern, size_t size)
{
	const struct brink__piece *piece = buffer->first, *last = buffer->last;
	struct search search;
	size_t before = 0; /* bytes in front of `piece` */

	if (size > BRINK_BUFFER_PATTERN)
		return -EINVAL;
	if (offset > buffer->length || size > buffer->length - offset)
		return -ENOENT;
	if (size == 0)
		return (ssize_t)offset;
	search.pattern = pattern;
	search.size = size;
	search.matched = 0;
	prepare(pattern, size, search.back);
	/* Who searches what has come since the last search begins near the end: without a walk
	 * through all of a long buffer each time. */
	if (offset >= buffer->length - last->length) {
		piece = last;
		before = buffer->length - last->length;
	}
	for (; before < buffer->length; piece = piece->next) {
		size_t skipped = offset > before ? offset - before : 0;

		if (skipped < piece->length) {
			size_t seen = look_at(&search, piece->bytes + skipped, piece->length - skipped);

			if (seen != 0)
				return (ssize_t)(before + skipped + seen - size);
		}
		before += piece->length;
	}
	return -ENOENT;
}
