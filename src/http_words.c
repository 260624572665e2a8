/* Characters, names and lists: what words a head may be made of. */
#include "config.h"

#include "http.h"

#include <string.h>

/* In a name and a host, in a host, in a name, and only elsewhere in a line. */
#define A (BRINK__HTTP_TOKEN | BRINK__HTTP_HOSTS | BRINK__HTTP_TEXT)
#define H (BRINK__HTTP_HOSTS | BRINK__HTTP_TEXT)
#define T (BRINK__HTTP_TOKEN | BRINK__HTTP_TEXT)
#define X BRINK__HTTP_TEXT

const unsigned char brink__http_kinds[256] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, X, 0, 0, 0, 0, 0, 0, /* the tab */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	X, A, X, T, A, A, A, A, H, H, A, A, X, A, A, X, /*  !"#$%&'()*+,-./ */
	A, A, A, A, A, A, A, A, A, A, H, H, X, H, X, X, /* 0123456789:;<=>? */
	X, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, /* @ABCDEFGHIJKLMNO */
	A, A, A, A, A, A, A, A, A, A, A, H, X, H, T, A, /* PQRSTUVWXYZ[\]^_ */
	T, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, /* `abcdefghijklmno */
	A, A, A, A, A, A, A, A, A, A, A, X, T, X, A, 0, /* pqrstuvwxyz{|}~  */
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
};

bool brink__http_is_token(const char *text)
{
	size_t size = brink__http_run(text, SIZE_MAX, BRINK__HTTP_TOKEN);

	return size > 0 && text[size] == '\0';
}

/* By no locale's rules. */
static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_char(char one, char other)
{
	return one == other || lower(one) == lower(other);
}

static bool same(const char *one, const char *other, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!same_char(one[i], other[i]))
			return false;
	return true;
}

bool brink__http_same_word(const char *one, const char *other)
{
	while (same_char(*one, *other)) {
		if (*one == '\0')
			return true;
		one++;
		other++;
	}
	return false;
}

const char *brink_http_find(const struct brink_http_header *headers, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (brink__http_same(headers[i].name, name))
			return headers[i].value;
	return NULL;
}

bool brink__http_list_has(const char *list, const char *token)
{
	size_t wanted = strlen(token);

	while (*list != '\0') {
		size_t size = strcspn(list, ","), end = size;
		const char *at = list;

		while (end > 0 && (*at == ' ' || *at == '\t'))
			at++, end--;
		while (end > 0 && (at[end - 1] == ' ' || at[end - 1] == '\t'))
			end--;
		if (end == wanted && same(at, token, wanted))
			return true;
		list += size + (list[size] == ',');
	}
	return false;
}
