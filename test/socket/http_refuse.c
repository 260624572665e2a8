/* What is not HTTP, or could be read in two ways, or is above a limit, is refused with its status,
 * and nothing after it is taken for a request. */
#include "groups.h"
#include "http_stage.h"

#include <stdio.h>
#include <string.h>

#define A16 "aaaaaaaaaaaaaaaa"
#define A64 A16 A16 A16 A16
#define HOST "Host: h\r\n"
#define NEXT "GET /smuggled HTTP/1.1\r\n" HOST "\r\n"

static const struct row {
	const char *request;
	unsigned status;
} rows[] = {
	/* the first line */
	{"GET\r\n\r\n", 400},
	{"GET /\r\n" HOST "\r\n", 400},
	{"GET  / HTTP/1.1\r\n" HOST "\r\n", 400},
	{"GET / HTTP/1.1 \r\n" HOST "\r\n", 400},
	{"GET /a b HTTP/1.1\r\n" HOST "\r\n", 400},
	{"GET / http/1.1\r\n" HOST "\r\n", 400},
	{"GET / HTTP/1.10\r\n" HOST "\r\n", 400},
	{"GET / HTTP/11\r\n" HOST "\r\n", 400},
	{" GET / HTTP/1.1\r\n" HOST "\r\n", 400},
	{"G(T / HTTP/1.1\r\n" HOST "\r\n", 400},
	{"GET /\x80 HTTP/1.1\r\n" HOST "\r\n", 400},
	{"GET /#f HTTP/1.1\r\n" HOST "\r\n", 400},
	{"GET relative HTTP/1.1\r\n" HOST "\r\n", 400},
	{"GET * HTTP/1.1\r\n" HOST "\r\n", 400},
	{"GET ftp://h/ HTTP/1.1\r\n" HOST "\r\n", 400},
	{"GET http://?query HTTP/1.1\r\n" HOST "\r\n", 400},
	{"GET http://h#f HTTP/1.1\r\n" HOST "\r\n", 400},
	{"GET http://h?q#f HTTP/1.1\r\n" HOST "\r\n", 400},
	{"GET httpx://h/ HTTP/1.1\r\n" HOST "\r\n", 400},
	{"GET http:/h/ HTTP/1.1\r\n" HOST "\r\n", 400},
	{"GET http:///p HTTP/1.1\r\n" HOST "\r\n", 400},
	{"GET http://u@h/ HTTP/1.1\r\n" HOST "\r\n", 400},
	{"\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400},
	{"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
	{"GET / HTTP/3.1\r\n" HOST "\r\n", 505},
	{"GET / HTTP/0.9\r\n" HOST "\r\n", 505},
	{"FROBNICATE / HTTP/1.1\r\n" HOST "\r\n", 501},
	{"get / HTTP/1.1\r\n" HOST "\r\n", 501},
	{"CONNECT h:80 HTTP/1.1\r\n" HOST "\r\n", 501},
	/* lines and characters */
	{"GET / HTTP/1.1\n" HOST "\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: h\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", 400},
	{"GET / HTTP/1.1\r" HOST "\r\n", 400},
	{"GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\n X: a\r\n" HOST "\r\n", 400},
	{"GET / HTTP/1.1\r\n" HOST "X : a\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\n" HOST "X\t: a\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\n" HOST "X\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\n" HOST "X Y: a\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\n" HOST "X\x80: a\r\n\r\n", 400},
	/* the host */
	{"GET / HTTP/1.1\r\n\r\n", 400},
	{"GET / HTTP/1.2\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
	{"GET / HTTP/1.0\r\n" HOST HOST "\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a:b:c[\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: :\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a:80a\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a:-1\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a]\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a[::1]\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: [\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: []\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: [::1]80\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: [::1]:x\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: [::1]]\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: [::g]\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: [127.0.0.1]\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: [fe80::1%25e]\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: [v.a]\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: [v1.]\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: [v1.[]\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: [00000000000000000000000000000000000000000000000000000000000000000001]\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: %\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a%4\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a%4:80\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a%4g\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a%41%b\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a%41%%41\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: [v1.%41]\r\n\r\n", 400},
	{"GET http://a%4/ HTTP/1.1\r\n" HOST "\r\n", 400},
	{"GET http://:80/ HTTP/1.1\r\n" HOST "\r\n", 400},
	{"GET http://a:b:c[/ HTTP/1.1\r\n" HOST "\r\n", 400},
	{"GET http://[::1/ HTTP/1.1\r\n" HOST "\r\n", 400},
	{"GET http://" A64 A64 A64 A64 "/ HTTP/1.1\r\n" HOST "\r\n", 400}, /* longer than any name */
	/* where the body ends */
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT, 400},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" NEXT, 400},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 4\r\nTransfer-Encoding: gzip\r\n\r\nabcd" NEXT, 400},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd" NEXT, 400},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 4\r\nContent-Length: 0\r\n\r\nabcd" NEXT, 400},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 4, 4\r\n\r\nabcd" NEXT, 400},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: +4\r\n\r\nabcd" NEXT, 400},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n" NEXT, 400},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x4\r\n\r\nabcd" NEXT, 400},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 4 4\r\n\r\nabcd" NEXT, 400},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\nabcd" NEXT, 400},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", 400},
	{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT, 400},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n" NEXT, 501},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n" NEXT, 501},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" NEXT, 501},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" NEXT, 400},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n" NEXT, 400},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" NEXT, 400},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n" NEXT, 400},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" NEXT, 501},
	{"POST / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\nContent-Length: 1\r\n\r\nx", 417},
	{"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue, foo\r\nContent-Length: 1\r\n\r\nx", 417},
	{"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue, 100-continue-not\r\nContent-Length: 1\r\n\r\nx", 417},
	{"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue=1, 100-continue\r\nContent-Length: 1\r\n\r\nx", 417},
	{"POST / HTTP/1.1\r\n" HOST "Expect: foo\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", 417},
	{"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nExpect: foo\r\nContent-Length: 1\r\n\r\nx", 417},
	/* chunks */
#define CHUNKED "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
	{CHUNKED "x\r\n", 400},
	{CHUNKED "\r\n", 400},
	{CHUNKED "+1\r\na\r\n0\r\n\r\n", 400},
	{CHUNKED "0x1\r\na\r\n0\r\n\r\n", 400},
	{CHUNKED " 1\r\na\r\n0\r\n\r\n", 400},
	{CHUNKED "1 \r\na\r\n0\r\n\r\n", 400},
	{CHUNKED "1 \t\r\na\r\n0\r\n\r\n", 400},
	{CHUNKED "1 x;y\r\na\r\n0\r\n\r\n", 400},
	{CHUNKED "1 1;y\r\na\r\n0\r\n\r\n", 400},
	{CHUNKED " ;y\r\n\r\n", 400},
	{CHUNKED "1\na\r\n0\r\n\r\n", 400},
	{CHUNKED "1\r\nab\r\n0\r\n\r\n", 400},
	{CHUNKED "1\r\na\n0\r\n\r\n", 400},
	{CHUNKED "1\r\na0\r\n\r\n", 400},
	{CHUNKED "1;a\rb\r\na\r\n0\r\n\r\n", 400},
	{CHUNKED "1;\x01\r\na\r\n0\r\n\r\n", 400},
	{CHUNKED "1000000000000000\r\n", 400},
	{CHUNKED "0\r\nX : a\r\n\r\n", 400},
	{CHUNKED "0\r\n X: a\r\n\r\n", 400},
	{CHUNKED "0\r\nX: a\n\r\n", 400},
	{CHUNKED "0\r\nGET / HTTP/1.1\r\n\r\n", 400},
};

static void refuse_each(enum kind kind, void (*say)(struct web *, int, const char *))
{
	struct web web;

	open_web(&web, kind, ONE_LOOP);
	start_web(&web);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int fd = visit(&web);
		struct answer answer;

		say(&web, fd, rows[i].request);
		read_answer(&web, fd, &answer, false);
		if (answer.status != rows[i].status)
			FAIL("%u, and not %u, for row %zu: %s", answer.status, rows[i].status, i, rows[i].request);
		CHECK(has_line(&answer, "\r\nConnection: close\r\n"));
		expect_over(&web, fd);
		close_fd(&fd);
	}
	CHECK_EQ(atomic_load(&web.asked), 0);
	CHECK_EQ(web.service.errors, 0);
	close_web(&web);
}

static void at_once(enum kind kind)
{
	refuse_each(kind, ask);
}

static void byte_by_byte(enum kind kind)
{
	refuse_each(kind, ask_slowly);
}

/* A NUL ends a text of ours. */
static void zeros(enum kind kind)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n";
	static const char line[] = "GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n";
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	start_web(&web);
	fd = visit(&web);
	write_all(fd, head, sizeof head - 1);
	expect_status(&web, fd, 400);
	close_fd(&fd);
	fd = visit(&web);
	write_all(fd, line, sizeof line - 1);
	expect_status(&web, fd, 400);
	close_fd(&fd);
	CHECK_EQ(atomic_load(&web.asked), 0);
	close_web(&web);
}

/* Who asks by HEAD takes what follows the head for another reply. */
static void expect_head_alone(struct web *web, const struct row *row)
{
	int fd = visit(web);
	struct answer answer;

	ask(web, fd, row->request);
	read_answer(web, fd, &answer, true);
	if (answer.status != row->status)
		FAIL("%u, and not %u, for: %s", answer.status, row->status, row->request);
	expect_over(web, fd);
	close_fd(&fd);
}

static void by_head(enum kind kind)
{
	static const struct row tries[] = {
		{"HEAD / HTTP/1.1\r\n\r\n", 400},
		{"HEAD / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n", 400},
		{"\r\nHEAD / HTTP/1.1\n", 400},
		{"HEAD /\r\n" HOST "\r\n", 400},
		{"HEAD / HTTP/1.1\r\n" HOST "Content-Length: 11\r\n\r\n", 413},
		{"HEAD / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nb\r\n0123456789a", 413},
		{"HEAD /0123456789012345678901234567890123456789 HTTP/1.1\r\n" HOST "\r\n", 414},
		{"HEAD / HTTP/1.1\r\n" HOST "Expect: x\r\n\r\n", 417},
		{"HEAD / HTTP/1.1\r\n" HOST "A: b\r\nA: b\r\n\r\n", 431},
		{"HEAD / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 501},
		{"HEAD / HTTP/2.0\r\n" HOST "\r\n", 505},
		{"HEAD / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n", 403},
	}, late = {"HEAD / HTTP/1.1\r\nX", 408};
	struct web web;

	open_web(&web, kind, ONE_LOOP);
	web.options.limits = (struct brink_http_limits){.max_line = 50, .max_headers = 2, .max_body = 10};
	start_web(&web);
	for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
		atomic_store(&web.refuse, tries[i].status == 403 ? 403 : 0);
		expect_head_alone(&web, &tries[i]);
	}
	CHECK_EQ(atomic_load(&web.asked), 0);
	close_web(&web);
	open_web(&web, kind, ONE_LOOP);
	web.options.head_timeout = BRINK_SECONDS(1); /* the connection's, too, before its first byte */
	start_web(&web);
	expect_head_alone(&web, &late);
	close_web(&web);
}

/* A reply that is under way is not cut off by what is refused after it. */
static void after_good_ones(enum kind kind)
{
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	start_web(&web);
	fd = visit(&web);
	ask(&web, fd, "GET /keep HTTP/1.1\r\n" HOST "\r\nGET /x HTTP/1.1\r\n" HOST "\r\nGET / HTTP/1.1\r\n\r\n" NEXT);
	RUN_UNTIL(web.service.loop, atomic_load(&web.asked) == 2);
	turn(web.service.loop);
	answer_kept(&web, 0);
	expect_body(&web, fd, 200, "0");
	expect_body(&web, fd, 200, "GET /x h\n");
	expect_status(&web, fd, 400);
	expect_over(&web, fd);
	CHECK_EQ(atomic_load(&web.asked), 2);
	close_fd(&fd);
	close_web(&web);
}

/* ---- limits ---- */

/* "GET /aaa... HTTP/1.1", `headers` of them, the last so long that the head has `size` bytes; 0: short. */
static void ask_long(struct web *web, int fd, size_t line, unsigned headers, size_t size)
{
	static char text[20000];
	size_t at = (size_t)snprintf(text, sizeof text, "GET /");

	while (at < line - 11)
		text[at++] = 'a';
	at += (size_t)snprintf(text + at, sizeof text - at, " HTTP/1.1\r\n" HOST);
	for (unsigned i = 1; i < headers; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "X: x\r\n");
	if (size > 0) {
		at += (size_t)snprintf(text + at, sizeof text - at, "Y: ");
		while (at < size - 4)
			text[at++] = 'y';
		at += (size_t)snprintf(text + at, sizeof text - at, "\r\n");
	}
	snprintf(text + at, sizeof text - at, "\r\n");
	ask(web, fd, text);
}

static void limits_of_heads(enum kind kind)
{
	static const struct {
		size_t line;
		unsigned headers;
		size_t size;
		unsigned status;
	} tries[] = {
		{1000, 1, 0, 200}, {1001, 1, 0, 414}, {5000, 1, 0, 414}, {50, 20, 0, 200}, {50, 21, 0, 431},
		{50, 1, 4000, 200}, {50, 1, 4001, 431}, {50, 1, 15000, 431},
	};
	struct web web;

	open_web(&web, kind, ONE_LOOP);
	web.options.limits = (struct brink_http_limits){.max_line = 1000, .max_head = 4000, .max_headers = 20};
	start_web(&web);
	for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
		int fd = visit(&web);

		ask_long(&web, fd, tries[i].line, tries[i].headers, tries[i].size);
		expect_status(&web, fd, tries[i].status);
		if (tries[i].status != 200)
			expect_over(&web, fd);
		close_fd(&fd);
	}
	close_web(&web);
}

static void limits_of_bodies(enum kind kind)
{
	static const struct row tries[] = {
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n0123456789", 200},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: 11\r\n\r\n", 413},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: 999999999999\r\n\r\n", 413},
		{CHUNKED "a\r\n0123456789\r\n0\r\n\r\n", 200},
		{CHUNKED "b\r\n0123456789a", 413},
		{CHUNKED "9\r\n012345678\r\n2\r\nab", 413},
	};
	static char extension[400] = CHUNKED "1;", trailer[9000] = CHUNKED "0\r\nX: ";
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	web.options.limits.max_body = 10;
	start_web(&web);
	for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
		fd = visit(&web);
		ask(&web, fd, tries[i].request);
		expect_status(&web, fd, tries[i].status);
		if (tries[i].status != 200)
			expect_over(&web, fd);
		close_fd(&fd);
	}
	memset(extension + strlen(extension), 'x', 300);
	memset(trailer + strlen(trailer), 'x', 8300);
	fd = visit(&web);
	ask(&web, fd, extension);
	expect_status(&web, fd, 400);
	close_fd(&fd);
	fd = visit(&web);
	ask(&web, fd, trailer);
	expect_status(&web, fd, 400);
	close_fd(&fd);
	close_web(&web);
}

static const struct scenario scenarios[] = {
	SCENARIO("http-refuse/at-once", at_once, KIND_TCP | KIND_UNIX),
	SCENARIO("http-refuse/byte-by-byte", byte_by_byte, KIND_UNIX),
	SCENARIO("http-refuse/zeros", zeros, KIND_TCP),
	SCENARIO("http-refuse/by-head", by_head, KIND_TCP | KIND_UNIX),
	SCENARIO("http-refuse/after-good-ones", after_good_ones, KIND_TCP | KIND_UNIX),
	SCENARIO("http-refuse/limits-of-heads", limits_of_heads, KIND_TCP | KIND_UNIX),
	SCENARIO("http-refuse/limits-of-bodies", limits_of_bodies, KIND_TCP | KIND_UNIX),
	NO_MORE_SCENARIOS,
};
const struct group http_refuse_group = {"http-refuse", scenarios};
