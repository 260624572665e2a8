/* A server is stopped while a body is coming: it is read to its end, if that comes in time, and its reply
 * is the last. */
#include "groups.h"
#include "http_stage.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOST "Host: h\r\n"
#define REQUEST(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define LONG BRINK_SECONDS(1000)
#define SHORT BRINK_MS(150)

static void open_long(struct web *web, enum kind kind, enum shape shape)
{
	open_web(web, kind, shape);
	web->service.options.listener.drain_wait = 1;
	web->options.head_timeout = web->options.body_timeout = web->options.idle_timeout = LONG;
}

/* Who has nothing to say is gone when the stop comes to the connections; and a while later the others would
 * be, too. */
static void stop(struct web *web)
{
	int idle = visit(web);
	uint64_t end;

	CHECK_OK(brink_server_stop(web->service.server, LONG));
	expect_over(web, idle);
	close_fd(&idle);
	RUN_UNTIL(web->service.loop, atomic_load(&web->service.closed) == 1);
	for (end = monotonic_now() + BRINK_MS(100); monotonic_now() < end;)
		turn_briefly(web->service.loop);
	CHECK_EQ(atomic_load(&web->service.closed), 1);
}

static void expect_stopped(struct web *web, int fd)
{
	expect_over(web, fd);
	close_fd(&fd);
	run_until_stopped(&web->service);
	CHECK_EQ(atomic_load(&web->service.error), 0);
	close_web(web);
}

/* ---- read to its end ---- */

static const struct upload {
	const char *head, *first, *rest, *reply;
	bool streamed; /* so that it is known when its head is there */
} uploads[] = {
	{"POST /e HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\n", "abc", "def", "POST /e h\nabcdef", false},
	{"POST /e HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", "3\r\nab", "c\r\n0\r\n\r\n",
		"POST /e h\nabc", false},
	{"POST /stream HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\n", "abc", "def", "abcdef", true},
	{"POST /stream HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", "3\r\nab", "c\r\n0\r\n\r\n", "abc", true},
};

static void read_up(enum kind kind, const struct upload *upload, enum shape shape)
{
	struct answer answer;
	struct web web;
	int fd;

	open_long(&web, kind, shape);
	start_web(&web);
	fd = visit(&web);
	ask(&web, fd, upload->head);
	ask(&web, fd, upload->first);
	if (upload->streamed)
		RUN_UNTIL(web.service.loop, atomic_load(&web.parts) > 0);
	stop(&web);
	ask(&web, fd, upload->rest);
	/* What comes behind it is not served. */
	ask(&web, fd, "GET /e HTTP/1.1\r\n" HOST "\r\n");
	read_answer(&web, fd, &answer, false);
	CHECK_EQ(answer.status, 200);
	CHECK(strcmp(answer.body, upload->reply) == 0);
	/* Of a reply that had begun it could not be said any more. */
	CHECK_EQ(has_line(&answer, "\r\nConnection: close\r\n"), !upload->streamed);
	CHECK_EQ(atomic_load(&web.asked), 1);
	expect_stopped(&web, fd);
}

static void goes_on(enum kind kind)
{
	for (size_t i = 0; i < sizeof uploads / sizeof uploads[0]; i++) {
		read_up(kind, &uploads[i], ONE_LOOP);
		read_up(kind, &uploads[i], GROUP);
	}
}

/* It waits for those before it in line. */
static void behind_another(enum kind kind)
{
	struct web web;
	int fd;

	open_long(&web, kind, ONE_LOOP);
	start_web(&web);
	fd = visit(&web);
	ask(&web, fd, "GET /keep HTTP/1.1\r\n" HOST "\r\nPOST /e HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\na");
	RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) == 1);
	stop(&web);
	ask(&web, fd, "b");
	RUN_UNTIL(web.service.loop, atomic_load(&web.asked) == 2);
	CHECK(!ready_now(fd, BRINK_READ));
	answer_kept(&web, 0);
	expect_body(&web, fd, 200, "0");
	expect_body(&web, fd, 200, "POST /e h\nab");
	expect_stopped(&web, fd);
}

/* No body is coming: the last reply says that it is that, in whatever order they are answered, so that the client does
 * not send its next request to who has gone. */
static void last_says_so(enum kind kind)
{
	for (unsigned first = 0; first < 2; first++) {
		struct answer answer;
		struct web web;
		int fd;

		open_long(&web, kind, ONE_LOOP);
		start_web(&web);
		fd = visit(&web);
		ask(&web, fd, "GET /keep HTTP/1.1\r\n" HOST "\r\nGET /keep HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
		RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) == 2);
		stop(&web);
		answer_kept(&web, first);
		answer_kept(&web, !first);
		for (unsigned i = 0; i < 2; i++) {
			read_answer(&web, fd, &answer, false);
			CHECK_EQ(answer.status, 200);
			CHECK_EQ(has_line(&answer, "\r\nConnection: close\r\n"), i == 1);
			CHECK(!has_line(&answer, "\r\nConnection: keep-alive\r\n"));
		}
		expect_stopped(&web, fd);
	}
}

/* The listeners still take what is queued, and the stop has not come to the connections: who is answered is told
 * already, and what had come behind is served. */
static void says_so_at_once(enum kind kind)
{
	static const char *const asked[] = {REQUEST("/e"), REQUEST("/e") REQUEST("/e"), REQUEST("/keep")};

	for (unsigned i = 0; i < 3; i++) {
		bool two = i > 0, kept = i == 2;
		struct answer answer;
		struct web web;
		int fd;

		open_long(&web, kind, ONE_LOOP);
		web.service.options.listener.drain_wait = LONG;
		start_web(&web);
		fd = visit(&web);
		ask(&web, fd, asked[i]);
		if (kept)
			RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) == 1);
		CHECK_OK(brink_server_stop(web.service.server, LONG));
		if (kept) {
			write_all(fd, REQUEST("/e"), strlen(REQUEST("/e")));
			answer_kept(&web, 0);
		}
		for (unsigned k = 0; k <= two; k++) {
			read_answer(&web, fd, &answer, false);
			CHECK_EQ(answer.status, 200);
			CHECK_EQ(has_line(&answer, "\r\nConnection: close\r\n"), k == two);
		}
		expect_over(&web, fd);
		close_fd(&fd);
		close_web(&web);
	}
}

static void take_part(brink_http_request *request, brink_buffer *part, int state, void *arg)
{
	struct web *web = arg;

	atomic_fetch_add(&web->parts, (unsigned)brink_buffer_length(part));
	brink_buffer_clear(part);
	atomic_store(&web->body_state, state);
	if (state == 0)
		return;
	if (state > 0)
		brink_http_reply(request, 200, NULL, 0, NULL);
	brink_http_request_free(request);
}

/* The program wants it, and the client waits to hear that. */
static void wanted_later(enum kind kind)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	char bytes[sizeof go_on];
	struct web web;
	int fd;

	open_long(&web, kind, ONE_LOOP);
	web.options.on_request = keep_first;
	start_web(&web);
	fd = visit(&web);
	ask(&web, fd, "POST /stream HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) == 1);
	stop(&web);
	CHECK_OK(brink_http_request_read(web.kept[0], take_part, &web));
	read_back(&web.service, fd, bytes, sizeof go_on - 1);
	ask(&web, fd, "abc");
	expect_status(&web, fd, 200);
	CHECK_EQ(atomic_load(&web.parts), 3);
	expect_stopped(&web, fd);
}

/* A program may answer before it has read all. */
static void answered_before(enum kind kind)
{
	struct web web;
	int fd;

	open_long(&web, kind, ONE_LOOP);
	web.options.on_request = keep_first;
	start_web(&web);
	fd = visit(&web);
	ask(&web, fd, "POST /stream HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nab");
	RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) == 1);
	CHECK_OK(brink_http_request_read(web.kept[0], take_part, &web));
	CHECK_OK(brink_http_reply(web.kept[0], 202, NULL, 0, NULL));
	expect_status(&web, fd, 202);
	stop(&web);
	ask(&web, fd, "cd");
	RUN_UNTIL(web.service.loop, atomic_load(&web.body_state) != 0);
	CHECK_EQ(atomic_load(&web.body_state), 1);
	CHECK_EQ(atomic_load(&web.parts), 4);
	expect_stopped(&web, fd);
}

/* ---- requests that have come, and wait until there is room for their replies ---- */

#define MORE 6
#define LARGE (8u << 20)

/* The last of them has only begun: for its end nobody waits. */
static void ask_more(struct web *web, int fd, const char *request)
{
	char text[64 * MORE] = "";

	for (int i = 0; i < MORE; i++)
		strcat(text, request);
	strcat(text, "GET /e HT");
	ask(web, fd, text);
}

/* Read on one loop, on those of a group, or on an executor; one after another, so that they are kept in order. */
#define PLACES 3

static void open_place(struct web *web, enum kind kind, int where)
{
	static const enum shape shapes[PLACES] = {ONE_LOOP, GROUP, ON_EXECUTOR};
	struct brink_server_options *options = &web->service.options;

	open_long(web, kind, shapes[where]);
	options->socket.executor = options->executor;
	options->executor = NULL;
}

static void unanswered(enum kind kind)
{
	for (int where = 0; where < PLACES; where++) {
		struct web web;
		int fd;

		open_place(&web, kind, where);
		web.options.max_pipelined = 2;
		start_web(&web);
		fd = visit(&web);
		ask_more(&web, fd, REQUEST("/keep"));
		RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) == 2);
		stop(&web);
		for (unsigned k = 0; k < MORE; k++) {
			char number[8];

			RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) > k);
			answer_kept(&web, k);
			snprintf(number, sizeof number, "%u", k);
			expect_body(&web, fd, 200, number);
		}
		CHECK_EQ(atomic_load(&web.asked), MORE);
		expect_stopped(&web, fd);
	}
}

static void reply_large(brink_http_request *request, void *arg)
{
	struct web *web = arg;
	brink_buffer body = {0};

	if (atomic_fetch_add(&web->asked, 1) == 0)
		append_zeros(&body, LARGE);
	CHECK_OK(brink_http_reply(request, 200, NULL, 0, &body));
	brink_http_request_free(request);
}

static void drop_large(struct web *web, int fd)
{
	static char bytes[65536];
	struct answer answer;

	read_answer(web, fd, &answer, true);
	for (unsigned size = 0; size < LARGE; size += sizeof bytes)
		read_back(&web->service, fd, bytes, sizeof bytes);
}

static void unsent(enum kind kind)
{
	for (int where = 0; where < PLACES; where++) {
		struct web web;
		int fd;

		open_place(&web, kind, where);
		web.options.window = 1000;
		web.options.on_request = reply_large;
		start_web(&web);
		fd = visit(&web);
		ask_more(&web, fd, REQUEST("/large"));
		RUN_UNTIL(web.service.loop, atomic_load(&web.asked) == 1);
		stop(&web);
		CHECK_EQ(atomic_load(&web.asked), 1);
		drop_large(&web, fd);
		for (int k = 1; k < MORE; k++)
			expect_body(&web, fd, 200, "");
		CHECK_EQ(atomic_load(&web.asked), MORE);
		expect_stopped(&web, fd);
	}
}

/* Who sends on and on gets what he had asked for by then, and no more. */
static void pours(enum kind kind)
{
	struct web web;
	int fd;

	open_long(&web, kind, ONE_LOOP);
	web.options.max_pipelined = 1;
	start_web(&web);
	fd = visit(&web);
	ask(&web, fd, REQUEST("/keep"));
	RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) == 1);
	stop(&web);
	ask_more(&web, fd, REQUEST("/keep"));
	answer_kept(&web, 0);
	expect_body(&web, fd, 200, "0");
	CHECK_EQ(atomic_load(&web.asked), 1);
	expect_stopped(&web, fd);
}

/* ---- or not ---- */

/* A client that is silent is out of its own time, long before the stop's is over; or the stop's is over
 * first. */
static void stays_away(enum kind kind)
{
	for (int first = 0; first < 2; first++) {
		struct web web;
		int fd;

		open_long(&web, kind, ONE_LOOP);
		web.options.on_request = keep_first;
		web.options.body_timeout = first ? LONG : BRINK_SECONDS(1);
		start_web(&web);
		fd = visit(&web);
		ask(&web, fd, "POST /stream HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nab");
		RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) == 1);
		CHECK_OK(brink_http_request_read(web.kept[0], take_part, &web));
		CHECK_OK(brink_server_stop(web.service.server, first ? SHORT : LONG));
		RUN_UNTIL(web.service.loop, atomic_load(&web.body_state) < 0);
		CHECK_ERROR(atomic_load(&web.body_state), first ? -ECONNABORTED : -ETIMEDOUT);
		run_until_stopped(&web.service);
		close_fd(&fd);
		close_web(&web);
	}
}

static const struct scenario scenarios[] = {
	SCENARIO("http-stop/goes-on", goes_on, KIND_TCP | KIND_UNIX),
	SCENARIO("http-stop/behind-another", behind_another, KIND_TCP),
	SCENARIO("http-stop/last-says-so", last_says_so, KIND_TCP | KIND_UNIX),
	SCENARIO("http-stop/says-so-at-once", says_so_at_once, KIND_TCP | KIND_UNIX),
	SCENARIO("http-stop/wanted-later", wanted_later, KIND_TCP),
	SCENARIO("http-stop/answered-before", answered_before, KIND_TCP),
	SCENARIO("http-stop/unanswered", unanswered, KIND_TCP | KIND_UNIX),
	SCENARIO("http-stop/unsent", unsent, KIND_TCP | KIND_UNIX),
	SCENARIO("http-stop/pours", pours, KIND_TCP | KIND_UNIX),
	SCENARIO("http-stop/stays-away", stays_away, KIND_TCP),
	NO_MORE_SCENARIOS,
};
const struct group http_stop_group = {"http-stop", scenarios};
