/* Replies to HTTP/1.0 whose end is the connection's. Whatever keeps one from being whole, its client
 * must not see an orderly end. */
#include "groups.h"
#include "http_stage.h"

#include <string.h>
#include <unistd.h>

#define REQUEST "GET / HTTP/1.0\r\n\r\n"
#define SHORT BRINK_MS(150)
#define LARGE (16u << 20) /* more than a kernel takes for a client that does not read */

static void send_part(brink_http_request *request, size_t size)
{
	static char bytes[65536];
	brink_buffer part = {0};

	for (size_t left = size; left > 0; left -= left < sizeof bytes ? left : sizeof bytes)
		CHECK_OK(brink_buffer_append(&part, bytes, left < sizeof bytes ? left : sizeof bytes));
	CHECK(brink_http_reply_write(request, &part) >= 0);
}

static void begin_reply(brink_http_request *request, void *arg)
{
	struct web *web = arg;

	CHECK_OK(brink_http_reply_begin(request, 200, NULL, 0, -1, NULL, NULL));
	send_part(request, 5);
	web->kept[0] = request;
	atomic_store(&web->kept_count, 1);
}

static void open_cut(struct web *web, enum kind kind)
{
	open_web(web, kind, ONE_LOOP);
	web->options.on_request = begin_reply;
}

/* The client has the beginning of the reply. */
static int ask_for_it(struct web *web)
{
	int fd = visit(web);
	char bytes[5];
	struct answer answer;

	ask(web, fd, REQUEST);
	read_answer(web, fd, &answer, true);
	read_back(&web->service, fd, bytes, sizeof bytes);
	CHECK_EQ(atomic_load(&web->kept_count), 1);
	return fd;
}

/* What comes until the end, which is `error` (0: an orderly one). */
static void expect_last(struct web *web, int fd, int error)
{
	static char bytes[65536];
	uint64_t end = hang_deadline();
	ssize_t n;

	while ((n = read(fd, bytes, sizeof bytes)) != 0) {
		if (n < 0 && errno != EAGAIN)
			break;
		CHECK(monotonic_now() < end);
		turn_briefly(web->service.loop);
	}
	CHECK_EQ(n < 0 ? errno : 0, error);
}

static void whole(enum kind kind)
{
	struct web web;
	int fd;

	open_cut(&web, kind);
	start_web(&web);
	fd = ask_for_it(&web);
	send_part(web.kept[0], LARGE);
	CHECK_OK(brink_http_reply_end(web.kept[0]));
	brink_http_request_free(web.kept[0]);
	expect_last(&web, fd, 0);
	close_fd(&fd);
	close_web(&web);
}

static void not_ended(enum kind kind)
{
	struct web web;
	int fd;

	open_cut(&web, kind);
	start_web(&web);
	fd = ask_for_it(&web);
	brink_http_request_free(web.kept[0]);
	expect_last(&web, fd, ECONNRESET);
	close_fd(&fd);
	close_web(&web);
}

/* The client does not read on; to the program the reply may be complete. */
static void not_read(enum kind kind)
{
	for (int ended = 0; ended < 2; ended++) {
		struct web web;
		int fd;

		open_cut(&web, kind);
		web.service.options.socket.write_timeout = SHORT;
		start_web(&web);
		fd = ask_for_it(&web);
		send_part(web.kept[0], LARGE);
		if (ended)
			CHECK_OK(brink_http_reply_end(web.kept[0]));
		RUN_UNTIL(web.service.loop, atomic_load(&web.service.closed) == 1);
		CHECK_ERROR(atomic_load(&web.service.error), -ETIMEDOUT);
		brink_http_request_free(web.kept[0]);
		expect_last(&web, fd, ECONNRESET);
		close_fd(&fd);
		close_web(&web);
	}
}

static void destroyed(enum kind kind)
{
	struct web web;
	int fd;

	open_cut(&web, kind);
	start_web(&web);
	fd = ask_for_it(&web);
	destroy_service(&web.service);
	expect_last(&web, fd, ECONNRESET);
	brink_http_request_free(web.kept[0]);
	close_fd(&fd);
	close_web(&web);
}

static void stopped(enum kind kind)
{
	struct web web;
	int fd;

	open_cut(&web, kind);
	start_web(&web);
	fd = ask_for_it(&web);
	CHECK_OK(brink_server_stop(web.service.server, SHORT));
	run_until_stopped(&web.service);
	brink_http_request_free(web.kept[0]);
	expect_last(&web, fd, ECONNRESET);
	close_fd(&fd);
	close_web(&web);
}

static const struct scenario scenarios[] = {
	SCENARIO("http-cut/whole", whole, KIND_TCP),
	SCENARIO("http-cut/not-ended", not_ended, KIND_TCP),
	SCENARIO("http-cut/unread", not_read, KIND_TCP),
	SCENARIO("http-cut/destroyed", destroyed, KIND_TCP),
	SCENARIO("http-cut/stopped", stopped, KIND_TCP),
	NO_MORE_SCENARIOS,
};
const struct group http_cut_group = {"http-cut", scenarios};
