/* How much a connection can make us hold: replies that nobody reads, and bodies in tiny pieces. */
#include "groups.h"
#include "http_stage.h"
#include "scarce.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST "Host: h\r\n"
#define WINDOW 65536u

/* ---- replies that nobody reads ---- */

#define REPLY 20000u
#define REQUEST 4096u

static void reply_at_length(brink_http_request *request, void *arg)
{
	struct web *web = arg;
	brink_buffer body = {0};
	void *room = brink_buffer_reserve(&body, REPLY, NULL);

	CHECK(room != NULL);
	memset(room, 'r', REPLY);
	brink_buffer_commit(&body, REPLY);
	atomic_fetch_add(&web->asked, 1);
	CHECK_OK(brink_http_reply(request, 200, NULL, 0, &body));
	brink_http_request_free(request);
}

static void make_request(char text[REQUEST + 1])
{
	int size = snprintf(text, REQUEST, "GET / HTTP/1.1\r\n" HOST "X: ");

	memset(text + size, 'x', REQUEST - (size_t)size);
	memcpy(text + REQUEST - 4, "\r\n\r\n", 5);
}

static uint64_t unsent(brink_socket *socket)
{
	struct brink_socket_info info;

	brink_socket_get_info(socket, &info);
	return info.unsent;
}

static void expect_little_unsent(brink_socket *socket)
{
	CHECK(unsent(socket) <= WINDOW + REPLY + 1000);
}

/* Whether the server has to read on: at the end of the last reply that it sent as a whole no more than the window
 * was left, whatever the kernel has taken of the next one since. */
static bool has_room(brink_socket *socket)
{
	return unsent(socket) + REPLY + 1000 <= WINDOW;
}

/* Asks again and again, until no more is taken: how many bytes that were. It is not the end while the server reads,
 * for on a busy machine segments may be under way for longer than the attempts in vain. */
static size_t ask_in_vain(struct web *web, int fd, const char *request, brink_socket *socket)
{
	uint64_t end = hang_deadline();
	size_t written = 0;
	unsigned vain = 0;

	while (vain < 30 || has_room(socket) || (size_t)(atomic_load(&web->asked) - 1) * REQUEST >= written) {
		ssize_t n = write(fd, request + written % REQUEST, REQUEST - written % REQUEST);

		written += n > 0 ? (size_t)n : 0;
		vain = n > 0 ? 0 : vain + 1;
		end = n > 0 ? hang_deadline() : end;
		CHECK(monotonic_now() < end);
		if (n <= 0)
			turn_briefly(web->service.loop);
		expect_little_unsent(socket);
		CHECK(written < (256u << 20));
	}
	return written;
}

/* `size` bytes come, of which the socket never holds many; the rest of the last request is sent. */
static void read_on(struct web *web, int fd, size_t size, brink_socket *socket, const char *rest)
{
	uint64_t end = hang_deadline();
	static char bytes[65536];

	while (size > 0) {
		ssize_t n = read(fd, bytes, sizeof bytes < size ? sizeof bytes : size);

		CHECK(n > 0 || (n < 0 && errno == EAGAIN));
		end = n > 0 ? hang_deadline() : end;
		CHECK(monotonic_now() < end);
		size -= n > 0 ? (size_t)n : 0;
		n = *rest != '\0' ? write(fd, rest, strlen(rest)) : 0;
		rest += n > 0 ? n : 0;
		turn_briefly(web->service.loop);
		expect_little_unsent(socket);
	}
}

static void replies_unread(enum kind kind)
{
	char request[REQUEST + 1];
	struct answer answer;
	brink_socket *socket;
	struct web web;
	size_t written, requests;
	int fd;

	make_request(request);
	open_web(&web, kind, ONE_LOOP);
	web.options.on_request = reply_at_length;
	web.options.window = WINDOW;
	start_web(&web);
	fd = visit(&web);
	socket = their_socket(&web);
	/* All replies are as long as the first. */
	ask(&web, fd, request);
	read_answer(&web, fd, &answer, true);
	read_on(&web, fd, REPLY, socket, "");
	written = ask_in_vain(&web, fd, request, socket);
	requests = (written + REQUEST - 1) / REQUEST;
	read_on(&web, fd, requests * (REPLY + strlen(answer.head)), socket,
	        written % REQUEST == 0 ? "" : request + written % REQUEST);
	CHECK_EQ(atomic_load(&web.asked), requests + 1);
	CHECK(!ready_now(fd, BRINK_READ));
	brink_socket_release(socket);
	close_fd(&fd);
	close_web(&web);
}

/* A window that no reply fits in: each rests until it is sent, and then the next request is read. */
static void window_of_a_byte(enum kind kind)
{
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	web.options.window = 1;
	start_web(&web);
	fd = visit(&web);
	for (int i = 0; i < 3; i++) {
		ask(&web, fd, "GET /chunks HTTP/1.1\r\n" HOST "\r\nGET /empty HTTP/1.1\r\n" HOST "\r\n");
		expect_status(&web, fd, 200);
		expect_status(&web, fd, 204);
	}
	close_fd(&fd);
	close_web(&web);
}

/* Nothing of the socket's options is needed for that. */
static void replies_never_read(enum kind kind)
{
	char request[REQUEST + 1];
	size_t written = 0;
	struct web web;
	int fd;

	make_request(request);
	open_web(&web, kind, ONE_LOOP);
	web.options.on_request = reply_at_length;
	web.options.write_timeout = BRINK_MS(100);
	start_web(&web);
	fd = visit(&web);
	while (atomic_load(&web.service.closed) == 0 && written < (256u << 20)) {
		ssize_t n = send(fd, request + written % REQUEST, REQUEST - written % REQUEST, MSG_NOSIGNAL);

		written += n > 0 ? (size_t)n : 0;
		if (n <= 0)
			RUN_UNTIL(web.service.loop, ready_now(fd, BRINK_WRITE) || atomic_load(&web.service.closed) == 1);
	}
	CHECK_EQ(atomic_load(&web.service.closed), 1);
	CHECK_EQ(atomic_load(&web.service.error), -ETIMEDOUT);
	close_fd(&fd);
	close_web(&web);
}

/* ---- replies that wait for the one before them ---- */

#define PART 200u
#define PARTS 40

struct reply {
	struct web *web;
	unsigned left; /* parts */
	size_t size;   /* of each */
};

static void write_on(brink_http_request *request, void *arg)
{
	struct reply *reply = arg;
	int rc = 0;

	while (rc == 0 && reply->left > 0) {
		brink_buffer part = {0};
		char bytes[PART] = "";

		CHECK_OK(brink_buffer_append(&part, bytes, reply->size));
		reply->left--;
		atomic_fetch_add(&reply->web->parts, 1);
		rc = brink_http_reply_write(request, &part);
		CHECK(rc >= 0);
	}
	if (rc == 1)
		return;
	CHECK_OK(brink_http_reply_end(request));
	brink_http_request_free(request);
}

static void keep_or_stream(brink_http_request *request, void *arg)
{
	static struct reply replies[16];
	struct web *web = arg;
	unsigned number = atomic_fetch_add(&web->asked, 1);

	if (number == 0) {
		keep_first(request, web);
		return;
	}
	replies[number] = (struct reply){web, PARTS, PART};
	CHECK_OK(brink_http_reply_begin(request, 200, NULL, 0, -1, write_on, &replies[number]));
	write_on(request, &replies[number]);
}

/* The window is the connection's, not each reply's; and each of them comes to its end. */
static void replies_behind_another(enum kind kind)
{
	struct answer answer;
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	web.options.on_request = keep_or_stream;
	web.options.window = 10 * PART;
	start_web(&web);
	fd = visit(&web);
	for (int i = 0; i < 16; i++)
		ask(&web, fd, "GET / HTTP/1.1\r\n" HOST "\r\n");
	RUN_UNTIL(web.service.loop, atomic_load(&web.asked) == 16);
	CHECK(atomic_load(&web.parts) >= 10);
	CHECK(atomic_load(&web.parts) <= 10 + 16);
	answer_kept(&web, 0);
	expect_body(&web, fd, 200, "0");
	for (int i = 1; i < 16; i++) {
		read_answer(&web, fd, &answer, false);
		CHECK(answer.status == 200 && answer.length == PARTS * PART);
	}
	close_fd(&fd);
	close_web(&web);
}

/* ---- replies in tiny parts ---- */

#define BYTES 8000u

static void reply_in_bytes(brink_http_request *request, void *arg)
{
	static struct reply reply;
	int64_t length = strcmp(brink_http_request_target(request), "/length") == 0 ? (int64_t)BYTES : -1;
	struct web *web = arg;
	long before = blocks_live();

	reply = (struct reply){web, BYTES, 1};
	atomic_fetch_add(&web->asked, 1);
	CHECK_OK(brink_http_reply_begin(request, 200, NULL, 0, length, write_on, &reply));
	write_on(request, &reply);
	/* Nothing of it is sent before this returns. */
	CHECK(reply.left < BYTES / 2);
	if (blocks_live() - before > 500)
		FAIL("%ld blocks for %u bytes", blocks_live() - before, BYTES - reply.left);
}

/* What waits takes about the memory of its bytes, however few were written at a time. */
static void tiny_parts(enum kind kind)
{
	static const char *const requests[] = {
		"GET /length HTTP/1.1\r\n" HOST "\r\n", "GET /chunks HTTP/1.1\r\n" HOST "\r\n"};
	struct answer answer;
	struct web web;
	int fd;

	scarce_memory();
	for (size_t i = 0; i < 2; i++) {
		open_web(&web, kind, ONE_LOOP);
		web.options.on_request = reply_in_bytes;
		web.options.window = i == 0 ? BYTES * 3 / 4 : BYTES * 4;
		start_web(&web);
		fd = visit(&web);
		ask(&web, fd, requests[i]);
		RUN_UNTIL(web.service.loop, atomic_load(&web.asked) == 1);
		read_answer(&web, fd, &answer, false);
		CHECK(answer.status == 200 && answer.length == BYTES);
		close_fd(&fd);
		close_web(&web);
	}
}

/* ---- bodies in tiny pieces ---- */

#define TINY 1500u

/* Each byte is a read of its own. */
static void send_tiny(struct web *web, int fd, brink_socket *socket, const char *piece)
{
	struct brink_socket_info info;
	uint64_t before;

	brink_socket_get_info(socket, &info);
	before = info.bytes_read;
	for (unsigned i = 1; i <= TINY; i++) {
		ask(web, fd, piece);
		do {
			turn_briefly(web->service.loop);
			brink_socket_get_info(socket, &info);
		} while (info.bytes_read < before + i * strlen(piece));
	}
}

static void hold_little(enum kind kind, const char *head, const char *piece, const char *rest)
{
	brink_socket *socket;
	struct web web;
	long before;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	web.options.on_request = keep_first;
	start_web(&web);
	fd = visit(&web);
	socket = their_socket(&web);
	ask(&web, fd, head);
	send_tiny(&web, fd, socket, piece);
	before = blocks_live();
	send_tiny(&web, fd, socket, piece);
	if (blocks_live() - before > (long)TINY / 10)
		FAIL("%ld blocks for %u bytes", blocks_live() - before, TINY);
	ask(&web, fd, rest);
	RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) == 1);
	brink_http_request_free(web.kept[0]);
	brink_socket_release(socket);
	close_fd(&fd);
	close_web(&web);
}

static void tiny_pieces(enum kind kind)
{
	scarce_memory();
	hold_little(kind, "POST /e HTTP/1.1\r\n" HOST "Content-Length: 3001\r\n\r\n", "b", "b");
	hold_little(kind, "POST /stream HTTP/1.1\r\n" HOST "Content-Length: 3001\r\n\r\n", "b", "b");
	hold_little(kind, "POST /e HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", "1\r\nb\r\n", "0\r\n\r\n");
}

static const struct scenario scenarios[] = {
	SCENARIO("http-bound/replies-unread", replies_unread, KIND_TCP | KIND_UNIX),
	SCENARIO("http-bound/window-of-a-byte", window_of_a_byte, KIND_TCP | KIND_UNIX),
	SCENARIO("http-bound/replies-never-read", replies_never_read, KIND_TCP | KIND_UNIX),
	SCENARIO("http-bound/replies-behind-another", replies_behind_another, KIND_TCP | KIND_UNIX),
	SCENARIO("http-bound/tiny-parts", tiny_parts, KIND_TCP | KIND_UNIX),
	SCENARIO("http-bound/tiny-pieces", tiny_pieces, KIND_TCP),
	NO_MORE_SCENARIOS,
};
const struct group http_bound_group = {"http-bound", scenarios};
