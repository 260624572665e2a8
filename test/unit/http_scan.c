/* What a head may be made of is found eight, four and one byte at a time: each way has to say the same of each
 * byte, wherever it stands. */
#include "config.h"

#include "http.h"

#include "check.h"

#include <stdlib.h>

#define ROOM 48u

/* In memory of its own, so that what is read beyond it is found. */
static char *line_of(size_t size, size_t at, unsigned char byte)
{
	char *line = malloc(size != 0 ? size : 1);

	if (line == NULL)
		abort();
	memset(line, 'a', size);
	if (at < size)
		line[at] = (char)byte;
	return line;
}

static bool is_text(unsigned char byte)
{
	return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

static void check_line(size_t size, size_t at, unsigned char byte)
{
	char *line = line_of(size, at, byte);

	CHECK(brink__http_text_run(line, size) == (is_text(byte) || at >= size ? size : at));
	CHECK(brink__http_run(line, size, BRINK__HTTP_TEXT) == brink__http_text_run(line, size));
	free(line);
}

static void test_each_byte(void)
{
	for (size_t size = 0; size < ROOM; size++)
		for (size_t at = 0; at <= size; at++)
			for (unsigned byte = 0; byte < 256; byte++)
				check_line(size, at, (unsigned char)byte);
	passed("each byte at each place of lines of each length");
}

/* Of two that end a line the first counts, and tabs before it do not. */
static void test_two(void)
{
	static const unsigned char ends[] = {0, 1, '\t', '\n', '\r', 0x1f, 0x7f, 0x80, 0xff};

	for (size_t i = 0; i < sizeof ends; i++) {
		for (size_t at = 0; at + 1 < 24; at++) {
			char *line = line_of(24, at, ends[i]);

			line[at + 1] = 0x7f;
			CHECK(brink__http_text_run(line, 24) == (is_text(ends[i]) ? at + 1 : at));
			free(line);
		}
	}
	passed("of two that end it, the first");
}

static unsigned scan_in_parts(const char *head, size_t size, size_t first, const struct brink_http_limits *limits)
{
	struct brink__http_scan scan = {0};
	brink_buffer in = {0};
	unsigned status = 0;
	int rc;

	brink_buffer_append(&in, head, first);
	rc = brink__http_scan_head(&scan, &in, limits, &status);
	if (rc == 0) {
		brink_buffer_append(&in, head + first, size - first);
		rc = brink__http_scan_head(&scan, &in, limits, &status);
	}
	brink_buffer_clear(&in);
	CHECK(rc < 0 || (status == 0 && scan.at <= limits->max_head && (rc == 0 || scan.at == size)));
	return rc < 0 ? status : rc == 1 ? 200 : 100;
}

/* Wherever it is cut in two, and whatever the limits, the answer is that of the whole. */
static void test_parts(void)
{
	static const char *const heads[] = {
		"GET / HTTP/1.1\r\nHost: example.org\r\nX: a\tb\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\nb\r\n\r\n",
		"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r", "GET / HTTP/1.1\r\nX: \x01\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		size_t size = strlen(heads[i]);

		for (size_t most = 1; most < size + 2; most++) {
			struct brink_http_limits limits = {most / 2 + 9, most, 1 + (unsigned)most % 3, 0};
			unsigned whole = scan_in_parts(heads[i], size, size, &limits);

			for (size_t first = 0; first < size; first++)
				CHECK(scan_in_parts(heads[i], size, first, &limits) == whole);
		}
	}
	passed("heads in two parts, at each limit");
}

int main(void)
{
	test_each_byte();
	test_two();
	test_parts();
	return finish();
}
