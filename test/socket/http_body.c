/* Bodies, both ways: chunked, streamed, held back, broken off; and "100 Continue". */
#include "groups.h"
#include "http_stage.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOST "Host: h\r\n"
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

static void expect_bytes(struct web *web, int fd, const char *text)
{
	char bytes[1024];

	read_back(&web->service, fd, bytes, strlen(text));
	CHECK(memcmp(bytes, text, strlen(text)) == 0);
}

static void chunked(enum kind kind)
{
	static const char request[] = "POST /e HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n"
		"4;a=b; c=\"d\"\r\nabcd\r\n0000000A\r\n0123456789\r\n"
		"2 \t;x=1\r\nef\r\n0 ; y\r\nX: y\r\nZ:\r\n\r\n";
	struct answer answer;
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	start_web(&web);
	fd = visit(&web);
	ask(&web, fd, request);
	expect_body(&web, fd, 200, "POST /e h\nabcd0123456789ef");
	ask_slowly(&web, fd, request);
	expect_body(&web, fd, 200, "POST /e h\nabcd0123456789ef");
	ask(&web, fd, "GET /chunks HTTP/1.1\r\n" HOST "\r\n");
	read_answer(&web, fd, &answer, false);
	CHECK(answer.chunked && !has_line(&answer, "Content-Length"));
	CHECK_EQ(answer.length, 80);
	CHECK(memcmp(answer.body, "chunk 0\nchunk 1\n", 16) == 0 && strcmp(answer.body + 72, "chunk 9\n") == 0);
	/* Who asks for another protocol, which we do not speak, has a body all the same. */
	ask(&web, fd, "POST /e HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: x\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
	expect_body(&web, fd, 200, "POST /e h\nabc");
	/* HTTP/1.0 knows no chunks: up to the end. */
	ask(&web, fd, "GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	read_answer(&web, fd, &answer, false);
	CHECK(!answer.chunked && has_line(&answer, "\r\nConnection: close\r\n"));
	expect_bytes(&web, fd, "chunk 0\nchunk 1\nchunk 2\n");
	close_fd(&fd);
	close_web(&web);
}

static void streamed_back(enum kind kind)
{
	static const enum shape shapes[] = {ONE_LOOP, GROUP, MESSAGES_ON_EXECUTOR};
	struct web web;

	for (size_t i = 0; i < 3; i++) {
		int fd;

		open_web(&web, kind, shapes[i]);
		start_web(&web);
		fd = visit(&web);
		ask(&web, fd, "POST /stream HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\nabc");
		turn(web.service.loop);
		ask(&web, fd, "def" "POST /stream HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nghi\r\n");
		expect_body(&web, fd, 200, "abcdef");
		ask_slowly(&web, fd, "2\r\njk\r\n0\r\n\r\n");
		expect_body(&web, fd, 200, "ghijk");
		/* No body is the same as an empty one. */
		ask(&web, fd, "POST /stream HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
		expect_body(&web, fd, 200, "");
		ask(&web, fd, "POST /stream HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\nGET /stream HTTP/1.1\r\n" HOST
		    "Expect: 100-continue\r\n\r\n");
		expect_body(&web, fd, 200, "");
		expect_body(&web, fd, 200, "");
		ask(&web, fd, "GET /e HTTP/1.1\r\n" HOST "\r\n");
		expect_body(&web, fd, 200, "GET /e h\n");
		close_fd(&fd);
		close_web(&web);
	}
}

/* ---- 100 Continue ---- */

static void continued(enum kind kind)
{
	static const char *const paths[] = {"/e", "/stream"};
	struct web web;
	char text[200];

	open_web(&web, kind, ONE_LOOP);
	start_web(&web);
	for (int i = 0; i < 2; i++) {
		int fd = visit(&web);

		snprintf(text, sizeof text, "POST %s HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\n"
		         "Content-Length: 3\r\n\r\n", paths[i]);
		/* After the reply before it. */
		ask(&web, fd, "GET /x HTTP/1.1\r\n" HOST "\r\n");
		ask(&web, fd, text);
		expect_body(&web, fd, 200, "GET /x h\n");
		expect_bytes(&web, fd, CONTINUE);
		ask(&web, fd, "abc");
		expect_body(&web, fd, 200, i == 0 ? "POST /e h\nabc" : "abc");
		/* Who does not wait is not told. */
		strcat(text, "abc");
		ask(&web, fd, text);
		expect_body(&web, fd, 200, i == 0 ? "POST /e h\nabc" : "abc");
		close_fd(&fd);
	}
	close_web(&web);
}

/* A list may say it twice, in one line or in several, and have empty elements, or no other. */
static void continued_as_listed(enum kind kind)
{
	static const struct {
		const char *headers;
		bool waits;
	} tries[] = {
		{"Expect: 100-continue, 100-Continue\r\n", true},
		{"Expect: , 100-continue\t,,\r\n", true},
		{"Expect: 100-continue\r\nExpect: 100-continue\r\n", true},
		{"Expect: 100-continue\r\nExpect:\r\n", true},
		{"Expect:\r\n", false},
		{"Expect: ,\r\n", false},
	};
	struct web web;
	char text[200];
	int fd;

	open_web(&web, kind, ONE_LOOP);
	start_web(&web);
	fd = visit(&web);
	for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
		snprintf(text, sizeof text, "POST /e HTTP/1.1\r\n" HOST "%sContent-Length: 3\r\n\r\n", tries[i].headers);
		ask(&web, fd, text);
		if (tries[i].waits)
			expect_bytes(&web, fd, CONTINUE);
		ask(&web, fd, "abc");
		expect_body(&web, fd, 200, "POST /e h\nabc");
	}
	close_fd(&fd);
	close_web(&web);
}

/* Of HTTP/1.0 nothing is expected, whatever it says. */
static void expected_too_early(enum kind kind)
{
	static const char *const expected[] = {"100-continue", "a-miracle"};
	struct web web;
	char text[200];

	open_web(&web, kind, ONE_LOOP);
	start_web(&web);
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
		int fd = visit(&web);

		snprintf(text, sizeof text, "POST /e HTTP/1.0\r\n" HOST "Expect: %s\r\nContent-Length: 3\r\n\r\n",
		         expected[i]);
		ask(&web, fd, text);
		for (int turns = 0; turns < 5; turns++)
			turn_briefly(web.service.loop);
		CHECK(!ready_now(fd, BRINK_READ));
		ask(&web, fd, "abc");
		expect_body(&web, fd, 200, "POST /e h\nabc");
		close_fd(&fd);
	}
	close_web(&web);
}

static void count_part(brink_http_request *request, brink_buffer *part, int state, void *arg)
{
	struct web *web = arg;

	if (atomic_load(&web->hold) != 0 && state == 0)
		return;
	atomic_fetch_add(&web->parts, (unsigned)brink_buffer_length(part));
	brink_buffer_clear(part);
	atomic_store(&web->body_state, state);
	if (state == 0)
		return;
	brink_http_reply(request, 200, NULL, 0, NULL);
	free_kept(web, request);
}

static void continued_when_read(enum kind kind)
{
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	web.options.on_request = keep_first;
	start_web(&web);
	fd = visit(&web);
	ask(&web, fd, "POST /stream HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) == 1);
	turn(web.service.loop);
	CHECK(!ready_now(fd, BRINK_READ));
	CHECK_ERROR(brink_http_request_read(web.kept[0], NULL, NULL), -EINVAL);
	read_kept(&web, count_part);
	read_kept(&web, count_part);
	expect_bytes(&web, fd, CONTINUE);
	ask(&web, fd, "abc");
	expect_status(&web, fd, 200);
	CHECK_EQ(atomic_load(&web.parts), 3);
	close_fd(&fd);
	close_web(&web);
}

/* Refused by its head, or answered unread: no "Continue", and what follows is no request. */
static void not_continued(enum kind kind)
{
	struct web web;

	open_web(&web, kind, ONE_LOOP);
	start_web(&web);
	for (int i = 0; i < 2; i++) {
		int fd = visit(&web);

		atomic_store(&web.refuse, i == 0 ? 401 : 0);
		ask(&web, fd, "POST /early HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 60\r\n\r\n");
		expect_status(&web, fd, i == 0 ? 401 : 403);
		ask(&web, fd, "GET / HTTP/1.1\r\n" HOST "\r\n");
		expect_over(&web, fd);
		close_fd(&fd);
	}
	CHECK_EQ(atomic_load(&web.asked), 1);
	close_web(&web);
}

/* ---- more than there is room for ---- */

#define WINDOW 65536u

/* Writes as long as it goes, on from `written`, and says how much it is then. */
static size_t fill_up(struct web *web, int fd, size_t written)
{
	static const char chunk[] = "8\r\n01234567\r\n";
	static char block[13 * 1000];
	unsigned vain = 0;

	for (size_t i = 0; i < 1000; i++)
		memcpy(block + 13 * i, chunk, 13);
	while (vain < 30) {
		ssize_t n = write(fd, block + written % 13, sizeof block - 13);

		vain = n > 0 ? 0 : vain + 1;
		written += n > 0 ? (size_t)n : 0;
		CHECK(written < (256u << 20));
		turn_briefly(web->service.loop);
	}
	return written;
}

/* What lies in the kernel is the kernel's; we have read what fits, and at most one read more. */
static void expect_little_read(struct web *web)
{
	struct brink_socket_info info;

	CHECK(web->kept[0] != NULL);
	brink_socket_get_info(brink_http_request_socket(web->kept[0]), &info);
	CHECK(info.bytes_read >= WINDOW && info.bytes_read < 4 * WINDOW);
}

static void held_back(enum kind kind)
{
	static const char chunk[] = "8\r\n01234567\r\n";
	struct web web;
	size_t written;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	web.options.on_request = keep_first;
	web.options.window = WINDOW;
	start_web(&web);
	fd = visit(&web);
	ask(&web, fd, "POST /stream HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) == 1);
	/* First nobody reads, then who reads leaves it. */
	atomic_store(&web.hold, 1);
	written = fill_up(&web, fd, 0);
	expect_little_read(&web);
	read_kept(&web, count_part);
	written = fill_up(&web, fd, written);
	expect_little_read(&web);
	atomic_store(&web.hold, 0);
	read_kept(&web, count_part);
	for (; written % 13 != 0; written++)
		while (write(fd, chunk + written % 13, 1) != 1)
			turn_briefly(web.service.loop);
	ask(&web, fd, "0\r\n\r\n" "POST /stream HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nxy");
	expect_status(&web, fd, 200);
	CHECK_EQ(atomic_load(&web.parts), written / 13 * 8);
	read_kept(&web, count_part);
	expect_status(&web, fd, 200);
	close_fd(&fd);
	close_web(&web);
}

#define FLOOD (8u << 20)
#define PART 50000u

static void flood_on(brink_http_request *request, void *arg)
{
	struct web *web = arg;
	int rc = 0;

	while (rc == 0 && atomic_load(&web->parts) < FLOOD) {
		unsigned left = FLOOD - atomic_load(&web->parts), size = left < PART ? left : PART;
		brink_buffer part = {0};
		void *room = brink_buffer_reserve(&part, size, NULL);

		CHECK(room != NULL);
		memset(room, 'f', size);
		brink_buffer_commit(&part, size);
		atomic_fetch_add(&web->parts, size);
		rc = brink_http_reply_write(request, &part);
		CHECK(rc >= 0);
	}
	if (rc == 1)
		return;
	CHECK_OK(brink_http_reply_end(request));
	brink_http_request_free(request);
}

static void flood(brink_http_request *request, void *arg)
{
	CHECK_OK(brink_http_reply_begin(request, 200, NULL, 0, FLOOD, flood_on, arg));
	CHECK_ERROR(brink_http_reply_begin(request, 200, NULL, 0, 1, NULL, NULL), -EALREADY);
	keep_first(request, arg);
	flood_on(request, arg);
}

static void slow_reader(enum kind kind)
{
	struct brink_socket_info info;
	brink_socket *socket;
	size_t got = 0;
	struct answer answer;
	char bytes[65536];
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	web.options.on_request = flood;
	web.options.window = WINDOW;
	start_web(&web);
	fd = visit(&web);
	ask(&web, fd, "GET / HTTP/1.1\r\n" HOST "\r\n");
	RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) == 1);
	/* Nobody reads: what the kernel does not take waits. It might take all, and the request be gone. */
	socket = their_socket(&web);
	for (int i = 0; i < 20; i++) {
		brink_socket_get_info(socket, &info);
		CHECK(info.unsent <= WINDOW + PART);
		turn_briefly(web.service.loop);
	}
	brink_socket_release(socket);
	read_answer(&web, fd, &answer, true);
	while (got < FLOOD) {
		ssize_t n = read(fd, bytes, sizeof bytes);

		CHECK(n > 0 || (n < 0 && errno == EAGAIN));
		got += n > 0 ? (size_t)n : 0;
		turn_briefly(web.service.loop);
	}
	CHECK_EQ(got, FLOOD);
	CHECK(!ready_now(fd, BRINK_READ));
	close_fd(&fd);
	close_web(&web);
}

/* ---- broken off ---- */

static void broken_body(enum kind kind)
{
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	web.options.on_request = keep_first;
	start_web(&web);
	for (int i = 0; i < 3; i++) {
		atomic_store(&web.kept_count, 0);
		atomic_store(&web.body_state, 0);
		fd = visit(&web);
		ask(&web, fd, "POST /stream HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n4\r\nab");
		RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) == 1);
		read_kept(&web, count_part);
		if (i == 0) {
			ask(&web, fd, "cdxx");
			expect_status(&web, fd, 200);
			CHECK_EQ(atomic_load(&web.body_state), -EPROTO);
			expect_over(&web, fd);
		} else if (i == 1) {
			close_fd(&fd);
			RUN_UNTIL(web.service.loop, atomic_load(&web.body_state) == -ECONNABORTED);
		} else {
			/* A server that ends tells, too. */
			destroy_service(&web.service);
			RUN_UNTIL(web.service.loop, atomic_load(&web.body_state) == -ECONNABORTED);
		}
		close_fd(&fd);
	}
	close_web(&web);
}

static void taste(brink_http_request *request, brink_buffer *part, int state, void *arg)
{
	(void)part, (void)state, (void)arg;
	brink_http_reply(request, 200, NULL, 0, NULL);
}

static void taste_only(brink_http_request *request, void *arg)
{
	CHECK_OK(brink_http_request_read(request, taste, arg));
	brink_http_request_free(request);
}

/* What the program does not want any more is dropped; then the next request comes. */
static void dropped_body(enum kind kind)
{
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	web.options.on_request = taste_only;
	start_web(&web);
	fd = visit(&web);
	for (int i = 0; i < 2; i++) {
		ask(&web, fd, "POST /stream HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n");
		expect_status(&web, fd, 500);
		expect_over(&web, fd);
		close_fd(&fd);
		fd = visit(&web);
	}
	close_fd(&fd);
	close_web(&web);
}

/* A reply that is not complete is not to be taken for one. */
static void begin_only(brink_http_request *request, void *arg)
{
	brink_buffer part = {0};

	(void)arg;
	CHECK_OK(brink_http_reply_begin(request, 200, NULL, 0, 10, NULL, NULL));
	CHECK_OK(brink_buffer_append(&part, "01234567890", 11));
	CHECK_ERROR(brink_http_reply_write(request, &part), -EINVAL);
	brink_buffer_pop(&part, 6);
	CHECK_OK(brink_http_reply_write(request, &part));
	if (strcmp(brink_http_request_path(request), "/end") == 0)
		CHECK_OK(brink_http_reply_end(request));
	brink_http_request_free(request);
}

static void broken_reply(enum kind kind)
{
	static const char *const asked[] = {"GET /end HTTP/1.1\r\n" HOST "\r\n", "GET /free HTTP/1.1\r\n" HOST "\r\n"};
	struct web web;

	open_web(&web, kind, ONE_LOOP);
	web.options.on_request = begin_only;
	start_web(&web);
	for (unsigned i = 0; i < 2; i++) {
		int fd = visit(&web);

		ask(&web, fd, asked[i]);
		RUN_UNTIL(web.service.loop, atomic_load(&web.service.closed) == i + 1);
		CHECK_EQ(atomic_load(&web.service.error), -ECANCELED);
		close_fd(&fd);
	}
	close_web(&web);
}

static void begin_without_length(brink_http_request *request, void *arg)
{
	brink_buffer part = {0};

	(void)arg;
	CHECK_OK(brink_http_reply_begin(request, 200, NULL, 0, -1, NULL, NULL));
	CHECK_OK(brink_buffer_append(&part, "part", 4));
	CHECK_OK(brink_http_reply_write(request, &part));
	brink_http_request_free(request);
}

/* To HTTP/1.0 the end of the connection is that of the reply: it must not look like it. */
static void broken_reply_to_the_end(enum kind kind)
{
	uint64_t end = hang_deadline();
	struct web web;
	char bytes[1024];
	ssize_t n;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	web.options.on_request = begin_without_length;
	start_web(&web);
	fd = visit(&web);
	ask(&web, fd, "GET / HTTP/1.0\r\n\r\n");
	while ((n = read(fd, bytes, sizeof bytes)) > 0 || (n < 0 && errno == EAGAIN)) {
		turn_briefly(web.service.loop);
		CHECK(monotonic_now() < end);
	}
	CHECK_EQ(n, -1);
	CHECK_EQ(errno, ECONNRESET);
	close_fd(&fd);
	close_web(&web);
}

static const struct scenario scenarios[] = {
	SCENARIO("http-body/chunked", chunked, KIND_TCP | KIND_UNIX),
	SCENARIO("http-body/streamed-back", streamed_back, KIND_TCP | KIND_UNIX),
	SCENARIO("http-body/continued", continued, KIND_TCP),
	SCENARIO("http-body/expected-too-early", expected_too_early, KIND_TCP | KIND_UNIX),
	SCENARIO("http-body/continued-as-listed", continued_as_listed, KIND_TCP | KIND_UNIX),
	SCENARIO("http-body/continued-when-read", continued_when_read, KIND_TCP),
	SCENARIO("http-body/not-continued", not_continued, KIND_TCP),
	SCENARIO("http-body/held-back", held_back, KIND_TCP | KIND_UNIX),
	SCENARIO("http-body/slow-reader", slow_reader, KIND_TCP | KIND_UNIX),
	SCENARIO("http-body/broken-body", broken_body, KIND_TCP),
	SCENARIO("http-body/dropped-body", dropped_body, KIND_TCP),
	SCENARIO("http-body/broken-reply", broken_reply, KIND_TCP),
	SCENARIO("http-body/broken-reply-to-the-end", broken_reply_to_the_end, KIND_TCP),
	NO_MORE_SCENARIOS,
};
const struct group http_body_group = {"http-body", scenarios};
