/* What an HTTP server answers, in what order, and when it keeps the connection. */
#include "groups.h"
#include "http_stage.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

/* ---- one after another ---- */

static void plain(enum kind kind)
{
	static const enum shape shapes[] = {ONE_LOOP, GROUP, EACH_ACCEPTS, MESSAGES_ON_EXECUTOR};
	struct answer answer;
	struct web web;

	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
		int fd;

		open_web(&web, kind, shapes[i]);
		start_web(&web);
		fd = visit(&web);
		for (int round = 0; round < 3; round++) {
			ask(&web, fd, GET("/a?b=c"));
			read_answer(&web, fd, &answer, false);
			CHECK_EQ(answer.status, 200);
			CHECK(strcmp(answer.body, "GET /a?b=c h\n") == 0);
			CHECK(has_line(&answer, "\r\nDate: ") && !has_line(&answer, "\r\nConnection:"));
		}
		ask(&web, fd, "POST /e HTTP/1.1\r\nhost:  h \r\ncontent-length: 5\r\n\r\nabcde");
		expect_body(&web, fd, 200, "POST /e h\nabcde");
		ask_slowly(&web, fd, "\r\nPUT /e HTTP/1.1\r\nHost:\r\nX: a b\tc \r\nContent-Length: 3\r\n\r\nabc");
		expect_body(&web, fd, 200, "PUT /e \nabc");
		close_fd(&fd);
		close_web(&web);
	}
}

static void bodiless_replies(enum kind kind)
{
	struct answer answer;
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	start_web(&web);
	fd = visit(&web);
	ask(&web, fd, "HEAD /e HTTP/1.1\r\nHost: h\r\n\r\n" GET("/empty") GET("/same")
	    "HEAD /chunks HTTP/1.1\r\nHost: h\r\n\r\n" "HEAD /bad HTTP/1.1\r\nHost: h\r\n\r\n");
	read_answer(&web, fd, &answer, true);
	CHECK_EQ(answer.status, 200);
	CHECK(has_line(&answer, "\r\nContent-Length: 10\r\n"));
	read_answer(&web, fd, &answer, true);
	CHECK_EQ(answer.status, 204);
	CHECK(!has_line(&answer, "Content-Length") && !has_line(&answer, "Transfer-Encoding"));
	read_answer(&web, fd, &answer, true);
	CHECK_EQ(answer.status, 304);
	read_answer(&web, fd, &answer, true);
	CHECK(answer.status == 200 && answer.chunked);
	/* Not answered by the program: 500, and the end. */
	read_answer(&web, fd, &answer, true);
	CHECK_EQ(answer.status, 500);
	expect_over(&web, fd);
	close_fd(&fd);
	close_web(&web);
}

static void connection_ends(enum kind kind)
{
	static const struct {
		const char *request, *line;
		bool over;
	} rows[] = {
		{"GET /e HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "\r\nConnection: close\r\n", true},
		{"GET /e HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n", "\r\nConnection: close\r\n", true},
		{"GET /e HTTP/1.0\r\n\r\n", "\r\nConnection: close\r\n", true},
		{"GET /e HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "\r\nConnection: keep-alive\r\n", false},
		{"GET /e HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "\r\nConnection: close\r\n", true},
	};
	struct answer answer;
	struct web web;

	open_web(&web, kind, ONE_LOOP);
	start_web(&web);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int fd = visit(&web);

		ask(&web, fd, rows[i].request);
		read_answer(&web, fd, &answer, false);
		CHECK_EQ(answer.status, 200);
		CHECK(has_line(&answer, rows[i].line));
		if (rows[i].over) {
			expect_over(&web, fd);
		} else {
			ask(&web, fd, GET("/e"));
			expect_status(&web, fd, 200);
		}
		close_fd(&fd);
	}
	close_web(&web);
}

static void wish_to_keep(brink_http_request *request, void *arg)
{
	static const struct brink_http_header wish = {"Connection", "keep-alive"};

	(void)arg;
	CHECK_OK(brink_http_reply_begin(request, 200, &wish, 1, -1, NULL, NULL));
	CHECK_OK(brink_http_reply_end(request));
	brink_http_request_free(request);
}

/* Whatever the program says of it: who is told nothing waits for the next reply. */
static void ends_in_spite(enum kind kind)
{
	static const struct {
		const char *request;
		bool over;
	} rows[] = {
		{"GET /e HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", true},
		{"GET /e HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
		{GET("/e"), false},
	};
	struct answer answer;
	struct web web;

	open_web(&web, kind, ONE_LOOP);
	web.options.on_request = wish_to_keep;
	start_web(&web);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int fd = visit(&web);

		ask(&web, fd, rows[i].request);
		read_answer(&web, fd, &answer, false);
		CHECK_EQ(answer.status, 200);
		CHECK_EQ(has_line(&answer, "\r\nConnection: close\r\n"), rows[i].over);
		if (rows[i].over)
			expect_over(&web, fd);
		close_fd(&fd);
	}
	close_web(&web);
}

/* Its path is not there, and is "/". */
static void query_alone(struct web *web, int fd, size_t host_size, size_t query_size)
{
	char host[256] = "", query[512] = "", text[1024];

	memset(host, 'h', host_size);
	memset(query, 'q', query_size);
	snprintf(text, sizeof text, "GET http://%s?%s/ HTTP/1.1\r\nHost: here\r\n\r\n", host, query);
	ask(web, fd, text);
	snprintf(text, sizeof text, "GET /?%s/ %s\n", query, host);
	expect_body(web, fd, 200, text);
}

static void targets(enum kind kind)
{
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	start_web(&web);
	fd = visit(&web);
	ask(&web, fd, "GET http://there:8080/p?q HTTP/1.1\r\nHost: here\r\n\r\n");
	expect_body(&web, fd, 200, "GET /p?q there:8080\n");
	ask(&web, fd, "GET https://[::1] HTTP/1.1\r\nHost: here\r\n\r\n");
	expect_body(&web, fd, 200, "GET / [::1]\n");
	ask(&web, fd, "GET HTTP://There/P HTTP/1.1\r\nHost: here\r\n\r\n");
	expect_body(&web, fd, 200, "GET /P There\n");
	ask(&web, fd, "GET hTTpS://there HTTP/1.1\r\nHost: here\r\n\r\n");
	expect_body(&web, fd, 200, "GET / there\n");
	query_alone(&web, fd, 5, 1);
	query_alone(&web, fd, 1, 450);
	query_alone(&web, fd, 250, 200);
	ask(&web, fd, "OPTIONS * HTTP/1.1\r\nHost: here\r\n\r\n");
	expect_body(&web, fd, 200, "OPTIONS * here\n");
	close_fd(&fd);
	close_web(&web);
}

/* A higher minor version is taken as the highest that is known. */
static void versions(enum kind kind)
{
	struct answer answer;
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	start_web(&web);
	fd = visit(&web);
	ask(&web, fd, "GET /a HTTP/1.2\r\nHost: h\r\n\r\n");
	expect_body(&web, fd, 200, "GET /a h\n");
	ask(&web, fd, "POST /b HTTP/1.9\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n");
	expect_body(&web, fd, 200, "POST /b h\nb");
	ask(&web, fd, "GET /keep HTTP/1.3\r\nHost: h\r\n\r\n");
	RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) == 1);
	CHECK_EQ(brink_http_request_minor(web.kept[0]), 1);
	answer_kept(&web, 0);
	read_answer(&web, fd, &answer, false);
	CHECK(!has_line(&answer, "\r\nConnection: "));
	close_fd(&fd);
	close_web(&web);
}

static void hosts(enum kind kind)
{
	static const char *const good[] = {"", "a", "a:", "a:8080", "a_b-c.d~!$&'()*+;=%41", "%41%e2b%C3:1",
		"127.0.0.1:80", "[::1]", "[::1]:80", "[::ffff:127.0.0.1]:", "[v1.a:b]", "[VfF.~]:1"};
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	start_web(&web);
	fd = visit(&web);
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		char text[128], wanted[128];

		snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", good[i]);
		snprintf(wanted, sizeof wanted, "GET / %s\n", good[i]);
		ask(&web, fd, text);
		expect_body(&web, fd, 200, wanted);
	}
	close_fd(&fd);
	close_web(&web);
}

/* ---- in order ---- */

#define MANY 40 /* more than are read before they are answered */

static void pipelined(enum kind kind)
{
	static const enum shape shapes[] = {ONE_LOOP, MESSAGES_ON_EXECUTOR};
	struct web web;

	for (size_t s = 0; s < 2; s++) {
		char text[MANY * 80] = "", wanted[32];
		int fd;

		open_web(&web, kind, shapes[s]);
		web.options.max_pipelined = 7;
		start_web(&web);
		fd = visit(&web);
		for (int i = 0; i < MANY; i++)
			snprintf(text + strlen(text), 80, i % 3 == 0 ? "POST /%d HTTP/1.1\r\nHost: h\r\n"
			         "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n" : "GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", i);
		ask(&web, fd, text);
		for (int i = 0; i < MANY; i++) {
			snprintf(wanted, sizeof wanted, i % 3 == 0 ? "POST /%d h\nx" : "GET /%d h\n", i);
			expect_body(&web, fd, 200, wanted);
		}
		CHECK_EQ(atomic_load(&web.asked), MANY);
		close_fd(&fd);
		close_web(&web);
	}
}

static void *answer_backwards(void *arg)
{
	struct web *web = arg;

	for (unsigned i = 5; i-- > 0;)
		answer_kept(web, i);
	return NULL;
}

static void answered_backwards(enum kind kind)
{
	pthread_t thread;
	struct web web;
	char wanted[16];
	int fd;

	open_web(&web, kind, ONE_LOOP);
	web.options.max_pipelined = 5;
	start_web(&web);
	fd = visit(&web);
	ask(&web, fd, GET("/keep") GET("/keep") GET("/keep") GET("/keep") GET("/keep") GET("/last"));
	/* Also the end is held back for them. */
	CHECK_EQ(shutdown(fd, SHUT_WR), 0);
	RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) == 5);
	for (int i = 0; i < 10; i++)
		turn(web.service.loop);
	/* As many as may be pending are read, and no more. */
	CHECK_EQ(atomic_load(&web.asked), 5);
	CHECK_EQ(pthread_create(&thread, NULL, answer_backwards, &web), 0);
	for (int i = 0; i < 5; i++) {
		snprintf(wanted, sizeof wanted, "%d", i);
		expect_body(&web, fd, 200, wanted);
	}
	expect_body(&web, fd, 200, "GET /last h\n");
	CHECK_EQ(pthread_join(thread, NULL), 0);
	expect_over(&web, fd);
	close_fd(&fd);
	close_web(&web);
}

/* Of each two requests a thread answers the first, the loop the second: a little later in each round. */
struct clerk {
	struct web web;
	_Atomic(brink_http_request *) desk;
	atomic_bool over;
	uint64_t later;
};

static void answer_with_path(brink_http_request *request)
{
	brink_buffer body = {0};

	CHECK_OK(brink_buffer_append(&body, brink_http_request_path(request), 2));
	CHECK_OK(brink_http_reply(request, 200, NULL, 0, &body));
	brink_http_request_free(request);
}

static void *answer_desk(void *arg)
{
	struct clerk *clerk = arg;

	while (!atomic_load(&clerk->over)) {
		brink_http_request *request = atomic_exchange(&clerk->desk, NULL);

		if (request != NULL)
			answer_with_path(request);
		else
			sched_yield();
	}
	return NULL;
}

static void let_pass(uint64_t ns)
{
	uint64_t until = monotonic_now() + ns;

	while (monotonic_now() < until)
		;
}

static void put_on_desk(brink_http_request *request, void *arg)
{
	struct clerk *clerk = brink_container_of(arg, struct clerk, web);

	if (brink_http_request_path(request)[1] == '1') {
		answer_with_path(request);
		return;
	}
	atomic_store(&clerk->desk, request);
	let_pass(clerk->later);
}

#define ROUNDS 400u
#define STEP 250u       /* ns */
#define APART 100000u /* ns; of writes that follow sooner the loop makes one */

/* While one writes, the other's reply is left to him: whoever writes has to see that, or it would never go out. */
static void answered_by_two(enum kind kind)
{
	struct clerk clerk = {.over = false};
	pthread_t thread;
	int fd;

	open_web(&clerk.web, kind, ONE_LOOP);
	clerk.web.options.on_request = put_on_desk;
	start_web(&clerk.web);
	CHECK_EQ(pthread_create(&thread, NULL, answer_desk, &clerk), 0);
	fd = visit(&clerk.web);
	for (unsigned round = 0; round < ROUNDS; round++) {
		clerk.later = round % 40 * STEP;
		let_pass(APART);
		ask(&clerk.web, fd, GET("/0") GET("/1"));
		expect_body(&clerk.web, fd, 200, "/0");
		expect_body(&clerk.web, fd, 200, "/1");
	}
	atomic_store(&clerk.over, true);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	close_fd(&fd);
	close_web(&clerk.web);
}

/* The client goes away while its requests are with the program. */
static void answered_too_late(enum kind kind)
{
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	start_web(&web);
	fd = visit(&web);
	ask(&web, fd, GET("/keep") GET("/keep") "POST /keep HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
	RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) == 2);
	close_fd(&fd);
	brink_socket_fail(brink_socket_get_id(brink_http_request_socket(web.kept[0])), -EIO, NULL);
	RUN_UNTIL(web.service.loop, atomic_load(&web.service.closed) == 1);
	CHECK(strcmp(brink_http_request_path(web.kept[1]), "/keep") == 0);
	CHECK_OK(brink_http_reply_begin(web.kept[1], 200, NULL, 0, -1, NULL, NULL));
	CHECK_ERROR(brink_http_reply_write(web.kept[1], &(brink_buffer){0}), -ECONNABORTED);
	brink_http_request_free(web.kept[1]);
	answer_kept(&web, 0);
	close_web(&web);
}

/* ---- beside another protocol ---- */

static void on_length(brink_message *message, void *arg)
{
	(void)arg;
	CHECK_OK(brink_length_reply(message, 0, &message->body));
	brink_message_free(message);
}

static void beside_another(enum kind kind)
{
	struct brink_protocol protocols[2];
	char text[BRINK_LENGTH_HEADER];
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	start_web(&web);
	destroy_service(&web.service);
	protocols[0] = web.service.protocol;
	protocols[1] = (struct brink_protocol){.name = "length", .parse = brink_parse_length, .process = on_length};
	web.service.options.protocols = protocols;
	web.service.options.protocol_count = 2;
	start_service(&web.service);
	fd = visit(&web);
	write_all(fd, "\353BRK\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\7", 20);
	read_back(&web.service, fd, text, sizeof text);
	CHECK(memcmp(text, "\353BRK\1\1", 6) == 0);
	close_fd(&fd);
	fd = visit(&web);
	ask_slowly(&web, fd, GET("/e"));
	expect_body(&web, fd, 200, "GET /e h\n");
	ask(&web, fd, "G\n");
	expect_status(&web, fd, 400);
	expect_over(&web, fd);
	close_fd(&fd);
	close_web(&web);
}

static void on_line(brink_message *message, void *arg)
{
	struct web *web = arg;

	atomic_store(&web->parts, (unsigned)brink_buffer_length(&message->body));
	brink_message_free(message);
}

/* What could have become a request, and has ended before, is the other's; with nobody to take it, it is dropped as the
 * beginning of a request is. */
static void ended_beside_another(enum kind kind)
{
	for (int lines = 0; lines < 2; lines++) {
		struct brink_protocol protocols[2];
		struct web web;
		int fd;

		open_web(&web, kind, ONE_LOOP);
		start_web(&web);
		destroy_service(&web.service);
		protocols[lines ? 0 : 1] = web.service.protocol;
		protocols[lines ? 1 : 0] = (struct brink_protocol){.name = "other",
			.parse = lines ? brink_parse_line : brink_parse_length, .process = on_line, .arg = &web};
		web.service.options.protocols = protocols;
		web.service.options.protocol_count = 2;
		start_service(&web.service);
		fd = visit(&web);
		ask(&web, fd, "QUIT");
		CHECK_EQ(shutdown(fd, SHUT_WR), 0);
		expect_over(&web, fd);
		RUN_UNTIL(web.service.loop, atomic_load(&web.service.closed) == 1);
		CHECK_EQ(atomic_load(&web.service.error), 0);
		CHECK_EQ(atomic_load(&web.parts), lines ? 4 : 0);
		close_fd(&fd);
		close_web(&web);
	}
}

static void options_of_create(enum kind kind)
{
	struct web web;
	brink_http *http = NULL;

	open_web(&web, kind, ONE_LOOP);
	start_web(&web);
	CHECK_ERROR(brink_http_create(&http, NULL), -EINVAL);
	CHECK_ERROR(brink_http_create(&http, &(struct brink_http_options){0}), -EINVAL);
	web.options.limits.max_head = (64u << 10) + 1;
	CHECK_ERROR(brink_http_create(&http, &web.options), -EINVAL);
	web.options.limits.max_head = 100;
	web.options.limits.max_line = 101;
	CHECK_ERROR(brink_http_create(&http, &web.options), -EINVAL);
	web.options.limits.max_line = 0;
	web.options.reserved[3] = &web;
	CHECK_ERROR(brink_http_create(&http, &web.options), -EINVAL);
	CHECK(http == NULL);
	brink_http_destroy(NULL);
	brink_http_request_free(NULL);
	close_web(&web);
}

static const struct scenario scenarios[] = {
	SCENARIO("http-serve/plain", plain, KINDS_STREAM),
	SCENARIO("http-serve/bodiless-replies", bodiless_replies, KIND_TCP),
	SCENARIO("http-serve/connection-ends", connection_ends, KIND_TCP | KIND_UNIX),
	SCENARIO("http-serve/ends-in-spite", ends_in_spite, KIND_TCP),
	SCENARIO("http-serve/targets", targets, KIND_TCP),
	SCENARIO("http-serve/versions", versions, KIND_TCP),
	SCENARIO("http-serve/hosts", hosts, KIND_TCP),
	SCENARIO("http-serve/pipelined", pipelined, KINDS_STREAM),
	SCENARIO("http-serve/answered-backwards", answered_backwards, KIND_TCP | KIND_UNIX),
	SCENARIO("http-serve/answered-by-two", answered_by_two, KIND_TCP | KIND_UNIX),
	SCENARIO("http-serve/answered-too-late", answered_too_late, KIND_TCP | KIND_UNIX),
	SCENARIO("http-serve/beside-another", beside_another, KIND_TCP),
	SCENARIO("http-serve/ended-beside-another", ended_beside_another, KIND_TCP | KIND_UNIX),
	SCENARIO("http-serve/options", options_of_create, KIND_TCP),
	NO_MORE_SCENARIOS,
};
const struct group http_serve_group = {"http-serve", scenarios};
