#include "page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

char *make_page(size_t size)
{
	char *page = malloc(size);

	if (page == NULL)
		abort();
	for (size_t i = 0; i < size; i++)
		page[i] = (char)('a' + i % 26);
	return page;
}

/* The number in the Content-Length of a head, which ends at `end`; SIZE_MAX: it has none. */
static size_t announced(const char *head, const char *end)
{
	static const char name[] = "\r\nContent-Length:";

	while ((head = memchr(head, '\r', (size_t)(end - head))) != NULL) {
		if (strncasecmp(head, name, sizeof name - 1) == 0)
			return strtoul(head + sizeof name - 1, NULL, 10);
		head++;
	}
	return (size_t)-1;
}

ssize_t check_reply(const char *reply, size_t have, const char *page, size_t size)
{
	static const char good[] = "HTTP/1.1 200 ";
	const char *end = memmem(reply, have, "\r\n\r\n", 4);
	size_t length;

	if (end == NULL)
		return 0;
	if (strncmp(reply, good, sizeof good - 1) != 0 || announced(reply, end) != size)
		return -EBADMSG;
	length = (size_t)(end + 4 - reply) + size;
	if (have < length)
		return 0;
	return memcmp(end + 4, page, size) == 0 ? (ssize_t)length : -EBADMSG;
}

void write_date(char date[DATE_SIZE])
{
	time_t now = time(NULL);
	struct tm tm;

	strftime(date, DATE_SIZE, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
}
