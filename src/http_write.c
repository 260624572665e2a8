/* Heads that we send, and chunks. */
#include "config.h"

#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CHUNK_LINE 24u

static const struct {
	unsigned status;
	const char *reason;
} reasons[] = {
	{200, "OK"}, {201, "Created"}, {202, "Accepted"}, {203, "Non-Authoritative Information"},
	{204, "No Content"}, {205, "Reset Content"}, {206, "Partial Content"},
	{300, "Multiple Choices"}, {301, "Moved Permanently"}, {302, "Found"}, {303, "See Other"},
	{304, "Not Modified"}, {307, "Temporary Redirect"}, {308, "Permanent Redirect"},
	{400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"},
	{405, "Method Not Allowed"}, {406, "Not Acceptable"}, {408, "Request Timeout"}, {409, "Conflict"},
	{410, "Gone"}, {411, "Length Required"}, {412, "Precondition Failed"}, {413, "Content Too Large"},
	{414, "URI Too Long"}, {415, "Unsupported Media Type"}, {416, "Range Not Satisfiable"},
	{417, "Expectation Failed"}, {421, "Misdirected Request"}, {422, "Unprocessable Content"},
	{426, "Upgrade Required"}, {428, "Precondition Required"}, {429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"}, {501, "Not Implemented"}, {502, "Bad Gateway"},
	{503, "Service Unavailable"}, {504, "Gateway Timeout"}, {505, "HTTP Version Not Supported"},
};

/* Empty for what has no name: a reason need not be there. */
const char *brink__http_reason(unsigned status)
{
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}

/* What could end the line, or the head, early would be the program's user speaking, not it. */
size_t brink__http_header_size(const struct brink_http_header *header)
{
	size_t name, value;

	if (header->name == NULL || header->value == NULL)
		return 0;
	name = strlen(header->name);
	value = strlen(header->value);
	if (name == 0 || brink__http_run(header->name, name, BRINK__HTTP_TOKEN) != name ||
	    brink__http_text_run(header->value, value) != value)
		return 0;
	return name + value + 4;
}

/* ---- into memory ---- */

char *brink__http_write_number(char *at, uint64_t number)
{
	char digits[BRINK__HTTP_NUMBER], *first = digits + sizeof digits;
	size_t size;

	do {
		*--first = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	size = (size_t)(digits + sizeof digits - first);
	memcpy(at, first, size);
	return at + size;
}

/* Not by strftime(), which knows the locale's names of days. */
static size_t format_date(time_t now, char text[BRINK__HTTP_DATE])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm;

	if (gmtime_r(&now, &tm) == NULL)
		return 0;
	return (size_t)snprintf(text, BRINK__HTTP_DATE, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
	                        days + 3 * tm.tm_wday, tm.tm_mday % 100, months + 3 * tm.tm_mon,
	                        (tm.tm_year + 1900) % 10000, tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100);
}

struct date {
	time_t second;
	size_t size;
	char text[BRINK__HTTP_DATE];
};

static __attribute__((noinline)) void renew(struct date *date, time_t now)
{
	date->size = format_date(now, date->text);
	date->second = now;
}

/* Each thread keeps that of the second in which it last wrote one. */
char *brink__http_write_date(char *at)
{
	static _Thread_local struct date last;
	struct date *date = &last;
	time_t now = time(NULL);

	if (now != date->second || date->size == 0)
		renew(date, now);
	memcpy(at, date->text, date->size);
	return at + date->size;
}

size_t brink__http_headers_size(const struct brink_http_header *headers, size_t count)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++)
		size += brink__http_header_size(&headers[i]);
	return size;
}

char *brink__http_write_headers(char *at, const struct brink_http_header *headers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		at = brink__http_write(at, headers[i].name);
		at = brink__http_write(at, ": ");
		at = brink__http_write(at, headers[i].value);
		at = brink__http_write(at, "\r\n");
	}
	return at;
}

/* ---- into buffers ---- */

int brink__http_put(brink_buffer *out, const char *text)
{
	return brink_buffer_append(out, text, strlen(text));
}

/* In one piece: three would take more memory than the bytes. */
static int put_small(brink_buffer *out, const char *before, brink_buffer *part, const char *after)
{
	size_t size = brink_buffer_length(part), begin = strlen(before), end = strlen(after);
	char *room = brink_buffer_reserve(out, begin + size + end, NULL);

	if (room == NULL)
		return -ENOMEM;
	memcpy(room, before, begin);
	brink_buffer_copy(part, 0, room + begin, size);
	memcpy(room + begin + size, after, end);
	brink_buffer_commit(out, begin + size + end);
	brink_buffer_clear(part);
	return 0;
}

int brink__http_put_chunk(brink_buffer *out, brink_buffer *part)
{
	static char end_of_line[] = "\r\n";
	brink_buffer begin = {0}, end = {0};
	char line[CHUNK_LINE];

	snprintf(line, sizeof line, "%zx\r\n", brink_buffer_length(part));
	if (brink__http_is_little(part))
		return put_small(out, line, part, end_of_line);
	if (brink_buffer_wrap(&end, end_of_line, strlen(end_of_line), NULL, NULL) < 0)
		return -ENOMEM;
	if (brink__http_put(&begin, line) < 0) {
		brink_buffer_clear(&end);
		return -ENOMEM;
	}
	brink_buffer_move(out, &begin);
	brink_buffer_move(out, part);
	brink_buffer_move(out, &end);
	return 0;
}

int brink__http_put_part(brink_buffer *out, brink_buffer *part)
{
	if (brink_buffer_length(part) > 0 && brink__http_is_little(part))
		return put_small(out, "", part, "");
	brink_buffer_move(out, part);
	return 0;
}
