/* What comes late: bodies after their replies, readers after a while, and a program that reads, or
 * answers, only then. Where something shall be late, short times pass; what must come in time has
 * long ones. */
#include "groups.h"
#include "http_stage.h"

#include <string.h>
#include <unistd.h>

#define HOST "Host: h\r\n"
#define LONG BRINK_SECONDS(1000)
#define SHORT BRINK_MS(150)
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

static void open_timed(struct web *web, enum kind kind, brink_http_request_fn *on_request, uint64_t body,
                       uint64_t idle)
{
	open_web(web, kind, ONE_LOOP);
	web->options.head_timeout = LONG;
	web->options.body_timeout = body;
	web->options.idle_timeout = idle;
	if (on_request != NULL)
		web->options.on_request = on_request;
	start_web(web);
}

static void let_pass(struct web *web, uint64_t time)
{
	uint64_t end = monotonic_now() + time;

	while (monotonic_now() < end)
		turn(web->service.loop);
}

static void expect_bytes(struct web *web, int fd, const char *text)
{
	char bytes[1024];

	read_back(&web->service, fd, bytes, strlen(text));
	CHECK(memcmp(bytes, text, strlen(text)) == 0);
}

static void keep_only(brink_http_request *request, void *arg)
{
	struct web *web = arg;

	web->kept[atomic_load(&web->kept_count)] = request;
	atomic_fetch_add(&web->kept_count, 1);
}

/* ---- a body after its reply ---- */

static void answer_at_once(brink_http_request *request, void *arg)
{
	brink_buffer part = {0};

	(void)arg;
	CHECK_OK(brink_http_reply_begin(request, 200, NULL, 0, 2, NULL, NULL));
	CHECK_OK(brink_buffer_append(&part, "ok", 2));
	CHECK_OK(brink_http_reply_write(request, &part));
	CHECK_OK(brink_http_reply_end(request));
	brink_http_request_free(request);
}

static void after_the_reply(enum kind kind, const char *rest)
{
	struct web web;
	int fd;

	open_timed(&web, kind, answer_at_once, *rest != '\0' ? LONG : SHORT, LONG);
	fd = visit(&web);
	ask(&web, fd, "POST /stream HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n");
	expect_body(&web, fd, 200, "ok");
	ask(&web, fd, rest);
	expect_over(&web, fd);
	close_fd(&fd);
	close_web(&web);
}

static void breaks_after_reply(enum kind kind)
{
	after_the_reply(kind, "zz\r\n");
}

static void stays_away_after_reply(enum kind kind)
{
	after_the_reply(kind, "");
}

/* ---- a reader that takes its time ---- */

#define LARGE (16u << 20)

static void reply_large(brink_http_request *request, void *arg)
{
	brink_buffer body = {0};

	(void)arg;
	if (strcmp(brink_http_request_path(request), "/large") == 0)
		append_zeros(&body, LARGE);
	CHECK_OK(brink_http_reply(request, 200, NULL, 0, &body));
	brink_http_request_free(request);
}

static void read_large(struct web *web, int fd)
{
	static char bytes[65536];
	uint64_t end = hang_deadline();
	struct answer answer;
	size_t got = 0;

	read_answer(web, fd, &answer, true);
	while (got < LARGE) {
		ssize_t n = read(fd, bytes, sizeof bytes < LARGE - got ? sizeof bytes : LARGE - got);

		CHECK(n > 0 || (n < 0 && errno == EAGAIN));
		got += n > 0 ? (size_t)n : 0;
		turn_briefly(web->service.loop);
		CHECK(monotonic_now() < end);
	}
}

/* Its next request is read while bytes are still unsent, so that there is no time in which it is idle. */
static void slow_reader(enum kind kind)
{
	static const char *const first[] = {
		"GET /large HTTP/1.1\r\n" HOST "\r\n",
		/* What is no request changes nothing. */
		"GET /large HTTP/1.1\r\n" HOST "\r\n\r\n",
	};
	struct web web;

	for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
		int fd;

		open_web(&web, kind, ONE_LOOP);
		web.options.on_request = reply_large;
		web.options.idle_timeout = SHORT;
		web.options.head_timeout = LONG;
		web.options.window = 2 * LARGE;
		start_web(&web);
		fd = connect_client(&web.service);
		ask(&web, fd, first[i]);
		let_pass(&web, 6 * SHORT);
		CHECK_EQ(atomic_load(&web.service.closed), 0);
		ask(&web, fd, "GET / HTTP/1.1\r\n" HOST "\r\n");
		let_pass(&web, SHORT);
		read_large(&web, fd);
		expect_body(&web, fd, 200, "");
		close_fd(&fd);
		close_web(&web);
	}
}

/* ---- a body behind a reply that nobody takes ---- */

/* Reading is to rest for the reply, when the reader has the next head already. */
static int answer_large(const brink_http_request *request, void *arg)
{
	struct web *web = arg;
	brink_buffer body = {0};
	void *room = brink_buffer_reserve(&body, LARGE, NULL);

	(void)request;
	CHECK(room != NULL);
	memset(room, 'l', LARGE);
	brink_buffer_commit(&body, LARGE);
	CHECK_OK(brink_http_reply(web->kept[0], 200, NULL, 0, &body));
	brink_http_request_free(web->kept[0]);
	return BRINK_HTTP_STREAM;
}

/* The body is read all the same, and has no more time than any other. */
static void drips_behind_a_reply(enum kind kind)
{
	uint64_t end = hang_deadline();
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	web.options.head_timeout = web.options.idle_timeout = LONG;
	web.options.body_timeout = BRINK_SECONDS(1); /* there is always a drop in it */
	web.options.min_rate = 1u << 20;
	web.options.on_head = answer_large;
	start_web(&web);
	fd = visit(&web);
	ask(&web, fd, "GET /keep HTTP/1.1\r\n" HOST "\r\nPOST /stream HTTP/1.1\r\n" HOST
	    "Content-Length: 1000000\r\n\r\n");
	while (atomic_load(&web.body_state) != -ETIMEDOUT) {
		ask(&web, fd, "x");
		turn_briefly(web.service.loop);
		sleep_ms(5);
		CHECK(monotonic_now() < end);
	}
	close_fd(&fd);
	close_web(&web);
}

/* ---- 100 Continue after a while ---- */

static void count_part(brink_http_request *request, brink_buffer *part, int state, void *arg)
{
	struct web *web = arg;

	atomic_fetch_add(&web->parts, (unsigned)brink_buffer_length(part));
	brink_buffer_clear(part);
	atomic_store(&web->body_state, state);
	if (state == 0)
		return;
	CHECK_OK(brink_http_reply(request, 200, NULL, 0, NULL));
	free_kept(web, request);
}

#define EXPECT "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
#define BODY_TIME BRINK_SECONDS(6) /* so long may a slow machine take for a step */

/* The client's time begins when it is told, and is the whole of it. */
static void read_after(enum kind kind, uint64_t time)
{
	struct web web;
	int fd;

	open_timed(&web, kind, keep_only, BODY_TIME, LONG);
	fd = visit(&web);
	ask(&web, fd, "POST /stream HTTP/1.1\r\n" HOST EXPECT);
	let_pass(&web, time);
	CHECK_EQ(atomic_load(&web.kept_count), 1);
	CHECK(!ready_now(fd, BRINK_READ));
	read_kept(&web, count_part);
	expect_bytes(&web, fd, CONTINUE);
	let_pass(&web, BRINK_MS(600));
	CHECK_EQ(atomic_load(&web.body_state), 0);
	ask(&web, fd, "abc");
	expect_status(&web, fd, 200);
	CHECK_EQ(atomic_load(&web.body_state), 1);
	CHECK_EQ(atomic_load(&web.parts), 3);
	close_fd(&fd);
	close_web(&web);
}

static void read_late(enum kind kind)
{
	read_after(kind, BODY_TIME + BRINK_MS(300));
}

static void read_rather_late(enum kind kind)
{
	read_after(kind, BODY_TIME - BRINK_MS(300));
}

/* It is told behind the reply before it. */
static void told_after(enum kind kind, uint64_t time)
{
	static const char *const paths[] = {"/e", "/stream"};
	struct web web;

	for (int i = 0; i < 2; i++) {
		int fd;

		open_timed(&web, kind, NULL, BODY_TIME, LONG);
		fd = visit(&web);
		ask(&web, fd, "GET /keep HTTP/1.1\r\n" HOST "\r\nPOST ");
		ask(&web, fd, paths[i]);
		ask(&web, fd, " HTTP/1.1\r\n" HOST EXPECT);
		let_pass(&web, time);
		CHECK(!ready_now(fd, BRINK_READ));
		answer_kept(&web, 0);
		expect_body(&web, fd, 200, "0");
		expect_bytes(&web, fd, CONTINUE);
		let_pass(&web, BRINK_MS(600));
		ask(&web, fd, "abc");
		expect_body(&web, fd, 200, i == 0 ? "POST /e h\nabc" : "abc");
		close_fd(&fd);
		close_web(&web);
	}
}

static void told_late(enum kind kind)
{
	told_after(kind, BODY_TIME + BRINK_MS(300));
}

static void told_rather_late(enum kind kind)
{
	told_after(kind, BODY_TIME - BRINK_MS(300));
}

/* Who was told, and does not go on, is out of time. */
static void told_in_vain(enum kind kind)
{
	struct web web;
	int fd;

	open_timed(&web, kind, keep_only, SHORT, LONG);
	fd = visit(&web);
	ask(&web, fd, "POST /e HTTP/1.1\r\n" HOST EXPECT);
	expect_bytes(&web, fd, CONTINUE);
	expect_status(&web, fd, 408);
	expect_over(&web, fd);
	close_fd(&fd);
	fd = visit(&web);
	ask(&web, fd, "POST /stream HTTP/1.1\r\n" HOST EXPECT);
	let_pass(&web, 4 * SHORT);
	read_kept(&web, count_part);
	RUN_UNTIL(web.service.loop, atomic_load(&web.body_state) == -ETIMEDOUT);
	close_fd(&fd);
	close_web(&web);
}

static const struct scenario scenarios[] = {
	SCENARIO("http-late/breaks-after-reply", breaks_after_reply, KIND_TCP),
	SCENARIO("http-late/stays-away-after-reply", stays_away_after_reply, KIND_TCP),
	SCENARIO("http-late/slow-reader", slow_reader, KIND_TCP | KIND_UNIX),
	SCENARIO("http-late/drips-behind-a-reply", drips_behind_a_reply, KIND_TCP | KIND_UNIX),
	SCENARIO("http-late/read-late", read_late, KIND_TCP),
	SCENARIO("http-late/read-rather-late", read_rather_late, KIND_TCP),
	SCENARIO("http-late/told-late", told_late, KIND_TCP),
	SCENARIO("http-late/told-rather-late", told_rather_late, KIND_TCP),
	SCENARIO("http-late/told-in-vain", told_in_vain, KIND_TCP),
	NO_MORE_SCENARIOS,
};
const struct group http_late_group = {"http-late", scenarios};
