/* Heads that we send, and chunks. */
#include "config.h"

#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CHUNK_LINE 24u

/* All the same room, so that one is copied without a call. */
#define R(status, reason) {status, sizeof(reason) - 1, reason}

static const struct reason {
	uint16_t status;
	uint16_t size;
	char text[BRINK__HTTP_REASON];
} reasons[] = {
	R(200, "OK"), R(201, "Created"), R(202, "Accepted"), R(203, "Non-Authoritative Information"),
	R(204, "No Content"), R(205, "Reset Content"), R(206, "Partial Content"),
	R(300, "Multiple Choices"), R(301, "Moved Permanently"), R(302, "Found"), R(303, "See Other"),
	R(304, "Not Modified"), R(307, "Temporary Redirect"), R(308, "Permanent Redirect"),
	R(400, "Bad Request"), R(401, "Unauthorized"), R(403, "Forbidden"), R(404, "Not Found"),
	R(405, "Method Not Allowed"), R(406, "Not Acceptable"), R(408, "Request Timeout"), R(409, "Conflict"),
	R(410, "Gone"), R(411, "Length Required"), R(412, "Precondition Failed"), R(413, "Content Too Large"),
	R(414, "URI Too Long"), R(415, "Unsupported Media Type"), R(416, "Range Not Satisfiable"),
	R(417, "Expectation Failed"), R(421, "Misdirected Request"), R(422, "Unprocessable Content"),
	R(426, "Upgrade Required"), R(428, "Precondition Required"), R(429, "Too Many Requests"),
	R(431, "Request Header Fields Too Large"),
	R(500, "Internal Server Error"), R(501, "Not Implemented"), R(502, "Bad Gateway"),
	R(503, "Service Unavailable"), R(504, "Gateway Timeout"), R(505, "HTTP Version Not Supported"),
};

/* Empty for what has no name: a reason need not be there. */
static const struct reason *reason_of(unsigned status)
{
	static const struct reason none;

	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].status == status)
			return &reasons[i];
	return &none;
}

const char *brink__http_reason(unsigned status)
{
	return reason_of(status)->text;
}

char *brink__http_write_reason(char *at, unsigned status)
{
	const struct reason *reason = reason_of(status);

	memcpy(at, reason->text, BRINK__HTTP_REASON);
	return at + reason->size;
}

/* What could end the line, or the head, early would be the program's user speaking, not it. */
struct brink__http_lengths brink__http_measure(const struct brink_http_header *header)
{
	const struct brink__http_lengths none = {0};
	struct brink__http_lengths lengths;

	if (header->name == NULL || header->value == NULL)
		return none;
	lengths = (struct brink__http_lengths){strlen(header->name), strlen(header->value)};
	if (brink__http_run(header->name, lengths.name, BRINK__HTTP_TOKEN) != lengths.name ||
	    brink__http_text_run(header->value, lengths.value) != lengths.value)
		return none;
	return lengths;
}

/* ---- into memory ---- */

char *brink__http_write_number(char *at, uint64_t number)
{
	char *end = at + 1, *digit;

	for (uint64_t rest = number / 10; rest > 0; rest /= 10)
		end++;
	digit = end;
	do {
		*--digit = (char)('0' + number % 10);
		number /= 10;
	} while (digit > at);
	return end;
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
	memcpy(at, date->text, sizeof date->text); /* more than there is, but no call */
	return at + date->size;
}

static char *copy(char *at, const char *text, size_t size)
{
	memcpy(at, text, size);
	return at + size;
}

char *brink__http_write_header(char *at, const struct brink_http_header *header, struct brink__http_lengths lengths)
{
	at = copy(at, header->name, lengths.name);
	at = brink__http_write(at, ": ");
	at = copy(at, header->value, lengths.value);
	return brink__http_write(at, "\r\n");
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
