/* Finds the end of a head byte by byte, each looked at once however slowly they come. What no
 * head may have is refused here already: a bare CR or LF, on whose meaning two programs in a row
 * might differ, NUL and other control characters; and what is above the limits. */
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
	return c == '\t' || c == '\r' || c == '\n' || (c >= ' ' && c != 0x7f);
}

/* 1: an empty line, which ends the head. */
static int end_line(struct brink__http_scan *scan, const struct brink_http_limits *limits, unsigned *status)
{
	bool empty = scan->line == 2;

	scan->line = 0;
	if (empty)
		return 1;
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

int brink__http_scan_head(struct brink__http_scan *scan, const brink_buffer *in,
                          const struct brink_http_limits *limits, unsigned *status)
{
	struct iovec parts[PARTS];
	int count, rc = 0;

	while (rc == 0 && (count = brink_buffer_iovecs(in, scan->at, parts, PARTS)) > 0)
		for (int i = 0; i < count && rc == 0; i++)
			for (size_t k = 0; k < parts[i].iov_len && rc == 0; k++)
				rc = look(scan, ((const unsigned char *)parts[i].iov_base)[k], limits, status);
	return rc;
}
