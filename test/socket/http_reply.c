/* Replies of bytes: a little body is copied behind the head, a larger one is not, and the client cannot tell. */
#include "groups.h"
#include "http_stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LARGEST 8000u /* fits into what is read of an answer */
#define MOST_HEADERS 6u

static const struct brink_http_header headers[MOST_HEADERS] = {
	{"First", "1"}, {"Second", ""}, {"Third", "three three"}, {"Fourth", "4\t4"}, {"Fifth", "fifth"}, {"Sixth", "6"},
};

static char byte_at(size_t at)
{
	return (char)('a' + at % 23);
}

/* "/SIZE/HEADERS" */
static void reply_as_asked(brink_http_request *request, void *arg)
{
	char bytes[LARGEST], *rest;
	size_t size = strtoul(brink_http_request_path(request) + 1, &rest, 10), count = strtoul(rest + 1, NULL, 10);

	(void)arg;
	CHECK(size <= sizeof bytes && count <= MOST_HEADERS);
	for (size_t i = 0; i < size; i++)
		bytes[i] = byte_at(i);
	CHECK_OK(brink_http_reply_bytes(request, 200, headers, count, size > 0 ? bytes : NULL, size));
	memset(bytes, 'x', sizeof bytes); /* they were copied */
	CHECK_ERROR(brink_http_reply_bytes(request, 200, NULL, 0, bytes, 1), -EALREADY);
	brink_http_request_free(request);
}

static void check_headers(const struct answer *answer, size_t count)
{
	for (size_t i = 0; i < MOST_HEADERS; i++) {
		char line[64];

		snprintf(line, sizeof line, "\r\n%s: %s\r\n", headers[i].name, headers[i].value);
		CHECK_EQ(has_line(answer, line), i < count);
	}
}

static void check_reply(struct web *web, int fd, const char *method, size_t size, size_t count)
{
	bool has_body = strcmp(method, "HEAD") != 0;
	struct answer answer;
	char text[128];

	snprintf(text, sizeof text, "%s /%zu/%zu HTTP/1.1\r\nHost: h\r\n\r\n", method, size, count);
	ask(web, fd, text);
	read_answer(web, fd, &answer, !has_body);
	CHECK_EQ(answer.status, 200);
	CHECK_EQ(answer.length, has_body ? size : 0);
	snprintf(text, sizeof text, "\r\nContent-Length: %zu\r\n", size);
	CHECK(has_line(&answer, text));
	check_headers(&answer, count);
	for (size_t i = 0; i < answer.length; i++)
		CHECK_EQ(answer.body[i], byte_at(i));
}

static void of_each_size(enum kind kind)
{
	static const size_t sizes[] = {0, 1, 9, 10, 2047, 2048, 2049, LARGEST};
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	web.options.on_request = reply_as_asked;
	start_web(&web);
	fd = visit(&web);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		check_reply(&web, fd, "GET", sizes[i], 0);
		check_reply(&web, fd, "HEAD", sizes[i], 1);
	}
	for (size_t count = 0; count <= MOST_HEADERS; count++)
		check_reply(&web, fd, "GET", 5, count);
	close_fd(&fd);
	close_web(&web);
}

static void refuse_then_reply(brink_http_request *request, void *arg)
{
	static const struct brink_http_header bad = {"X", "a\r\nb"}, ours = {"Content-Length", "1"};
	char bytes[4096] = "";

	(void)arg;
	for (size_t size = 0; size <= sizeof bytes; size += sizeof bytes / 2) {
		CHECK_ERROR(brink_http_reply_bytes(request, 199, NULL, 0, bytes, size), -EINVAL);
		CHECK_ERROR(brink_http_reply_bytes(request, 200, &bad, 1, bytes, size), -EINVAL);
		CHECK_ERROR(brink_http_reply_bytes(request, 200, &ours, 1, bytes, size), -EINVAL);
		if (size > 0)
			CHECK_ERROR(brink_http_reply_bytes(request, 204, NULL, 0, bytes, size), -EINVAL);
	}
	CHECK_OK(brink_http_reply_bytes(request, 999, NULL, 0, "well", 4));
	brink_http_request_free(request);
}

/* And then nothing has happened. The reason of a status that has no name is empty. */
static void refused(enum kind kind)
{
	struct answer answer;
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	web.options.on_request = refuse_then_reply;
	start_web(&web);
	fd = visit(&web);
	ask(&web, fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	read_answer(&web, fd, &answer, false);
	CHECK_EQ(answer.status, 999);
	CHECK(strncmp(answer.head, "HTTP/1.1 999 \r\n", 15) == 0);
	CHECK(answer.length == 4 && memcmp(answer.body, "well", 4) == 0);
	close_fd(&fd);
	close_web(&web);
}

static const struct scenario scenarios[] = {
	SCENARIO("http-reply/of-each-size", of_each_size, KINDS_STREAM),
	SCENARIO("http-reply/refused", refused, KIND_TCP | KIND_UNIX),
	NO_MORE_SCENARIOS,
};
const struct group http_reply_group = {"http-reply", scenarios};
