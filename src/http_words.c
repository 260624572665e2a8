/* Characters, names and lists: what words a head may be made of. */
#include "config.h"

#include "http.h"

#include <stdint.h>
#include <string.h>

/* In a header's name and a host's, in a host's, in a header's, and only elsewhere in a line. */
#define A (BRINK__HTTP_TOKEN | BRINK__HTTP_HOSTS | BRINK__HTTP_TEXT)
#define H (BRINK__HTTP_HOSTS | BRINK__HTTP_TEXT)
#define T (BRINK__HTTP_TOKEN | BRINK__HTTP_TEXT)
#define X BRINK__HTTP_TEXT

const unsigned char brink__http_kinds[256] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, X, 0, 0, 0, 0, 0, 0, /* the tab */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	X, A, X, T, A, T, A, A, H, H, A, A, X, A, A, X, /*  !"#$%&'()*+,-./ */
	A, A, A, A, A, A, A, A, A, A, X, H, X, H, X, X, /* 0123456789:;<=>? */
	X, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, /* @ABCDEFGHIJKLMNO */
	A, A, A, A, A, A, A, A, A, A, A, X, X, X, T, A, /* PQRSTUVWXYZ[\]^_ */
	T, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, /* `abcdefghijklmno */
	A, A, A, A, A, A, A, A, A, A, A, X, T, X, A, 0, /* pqrstuvwxyz{|}~  */
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
};

#define EACH(byte) (UINT64_MAX / 255 * (byte)) /* of the eight bytes of a word */

/* A word's high bits: of those bytes that a line may not have, and the tab. What is added to the low seven bits of a
 * byte reaches its eighth, and no other. */
static uint64_t not_text(uint64_t word)
{
	uint64_t low = word & EACH(0x7f);
	uint64_t is_control = ~((low + EACH(0x80 - ' ')) | word), is_delete = (low + EACH(1)) & ~word;

	return (is_control | is_delete) & EACH(0x80);
}

/* Of a word that is not 0, which byte is the first in memory. */
static unsigned first_byte(uint64_t word)
{
	const bool lowest = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

	return (unsigned)(lowest ? __builtin_ctzll(word) : __builtin_clzll(word)) / 8;
}

size_t brink__http_text_run(const char *text, size_t size)
{
	size_t run = 0;

	while (size - run >= sizeof(uint64_t)) {
		uint64_t word, found;

		memcpy(&word, text + run, sizeof word);
		found = not_text(word);
		run += found == 0 ? sizeof word : first_byte(found);
		if (found != 0 && text[run] != '\t')
			return run;
		run += found != 0;
	}
	return run + brink__http_run(text + run, size - run, BRINK__HTTP_TEXT);
}

bool brink__http_is_token(const char *text)
{
	size_t size = strlen(text);

	return size > 0 && brink__http_run(text, size, BRINK__HTTP_TOKEN) == size;
}

/* By no locale's rules. */
static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same(const char *one, const char *other, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (lower(one[i]) != lower(other[i]))
			return false;
	return true;
}

bool brink__http_same_word(const char *one, const char *other)
{
	for (; *one == *other || lower(*one) == lower(*other); one++, other++)
		if (*one == '\0')
			return true;
	return false;
}

const char *brink_http_find(const struct brink_http_header *headers, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (brink__http_same(headers[i].name, name))
			return headers[i].value;
	return NULL;
}

/* The first element of `*list`, which may be empty, without the white space around it, and its size; the rest is left
 * in `*list`. */
static inline const char *take_element(const char **list, size_t *size)
{
	size_t all = strcspn(*list, ","), end = all;
	const char *at = *list;

	while (end > 0 && (*at == ' ' || *at == '\t'))
		at++, end--;
	while (end > 0 && (at[end - 1] == ' ' || at[end - 1] == '\t'))
		end--;
	*list += all + ((*list)[all] == ',');
	*size = end;
	return at;
}

bool brink__http_list_has(const char *list, const char *token)
{
	size_t wanted = strlen(token), size;

	while (*list != '\0') {
		const char *element = take_element(&list, &size);

		if (size == wanted && same(element, token, wanted))
			return true;
	}
	return false;
}

bool brink__http_list_has_other(const char *list, const char *token)
{
	size_t wanted = strlen(token), size;

	while (*list != '\0') {
		const char *element = take_element(&list, &size);

		if (size > 0 && (size != wanted || !same(element, token, wanted)))
			return true;
	}
	return false;
}
