/* Finds the end of a head; each byte is looked at once however slowly they come. What no head may
 * have is refused here already: a bare CR or LF, on whose meaning two programs in a row might
 * differ, NUL and other control characters; and what is above the limits. */
#include "config.h"

#include "http.h"

#include <errno.h>

#define PARTS 16

static int refuse(unsigned *status, unsigned with)
{
	*status = with;
	return with == 400 ? -EPROTO : -EMSGSIZE;
}

static bool is_allowed(unsigned char previous, unsigned char c)
{
	if ((previous == '\r') != (c == '\n'))
		return false;
	return c == '\r' || c == '\n' || (brink__http_kinds[c] & BRINK__HTTP_TEXT) != 0;
}

/* 1: an empty line, which ends the head. */
static int end_line(struct brink__http_scan *scan, const struct brink_http_limits *limits, unsigned *status)
{
	bool empty = scan->line == 2;

	scan->line = 0;
	if (empty)
		return 1;
	if (scan->lines < BRINK__HTTP_ENDS)
		scan->ends[scan->lines] = (uint16_t)scan->at; /* an empty line is to follow within the longest head, 64 KiB */
	scan->lines++;
	/* The first line is no header. */
	return scan->lines - 1 > limits->max_headers ? refuse(status, 431) : 0;
}

static int look(struct brink__http_scan *scan, unsigned char c, const struct brink_http_limits *limits,
                unsigned *status)
{
	if (!is_allowed(scan->previous, c))
		return refuse(status, 400);
	scan->previous = c;
	scan->at++;
	scan->line++;
	if (scan->lines == 0 && scan->line > limits->max_line)
		return refuse(status, 414);
	if (scan->at > limits->max_head)
		return refuse(status, 431);
	return c == '\n' ? end_line(scan, limits, status) : 0;
}

/* What a line is made of, within the limits, is passed over at once, and so is its end, where that came with it: how
 * much that is. */
static size_t pass(struct brink__http_scan *scan, const char *bytes, size_t size,
                   const struct brink_http_limits *limits)
{
	size_t most = limits->max_head - scan->at, run;

	if (scan->lines == 0 && limits->max_line - scan->line < most)
		most = limits->max_line - scan->line;
	if (scan->previous == '\r')
		return 0;
	size = size < most ? size : most;
	run = brink__http_text_run(bytes, size);
	if (size - run >= 2 && bytes[run] == '\r' && bytes[run + 1] == '\n')
		run += 2;
	if (run > 0)
		scan->previous = (unsigned char)bytes[run - 1];
	scan->at += run;
	scan->line += run;
	return run;
}

static int look_at(struct brink__http_scan *scan, const char *bytes, size_t size,
                   const struct brink_http_limits *limits, unsigned *status)
{
	size_t done = 0, passed;
	int rc = 0;

	while (rc == 0 && done < size) {
		passed = pass(scan, bytes + done, size - done, limits);
		done += passed;
		if (passed > 0 && scan->previous == '\n')
			rc = end_line(scan, limits, status);
		else if (done < size)
			rc = look(scan, (unsigned char)bytes[done++], limits, status);
	}
	return rc;
}

int brink__http_scan_head(struct brink__http_scan *scan, const brink_buffer *in,
                          const struct brink_http_limits *limits, unsigned *status)
{
	struct iovec parts[PARTS];
	int count, rc = 0;

	while (rc == 0 && (count = brink_buffer_iovecs(in, scan->at, parts, PARTS)) > 0)
		for (int i = 0; i < count && rc == 0; i++)
			rc = look_at(scan, parts[i].iov_base, parts[i].iov_len, limits, status);
	return rc;
}
