/* The client: against our server, and against peers that say what they should not. */
#include "groups.h"
#include "http_stage.h"
#include "names_stage.h"
#include "socket_stage.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct caller {
	brink_http_client *client;
	unsigned over, destroy_at;
	int error;
	unsigned status;
	char body[512];
	size_t parts; /* bytes handed to on_part */
	char header[64];
};

static void on_response(const struct brink_http_response *response, int error, void *arg)
{
	struct caller *caller = arg;
	const char *value;

	caller->error = error;
	caller->status = 0;
	caller->body[0] = '\0';
	if (error == 0) {
		caller->status = response->status;
		caller->body[brink_buffer_copy(response->body, 0, caller->body, sizeof caller->body - 1)] = '\0';
		value = brink_http_find(response->headers, response->header_count, "x-test");
		snprintf(caller->header, sizeof caller->header, "%s", value == NULL ? "" : value);
	}
	if (++caller->over == caller->destroy_at)
		brink_http_client_destroy(caller->client);
}

static void on_part(brink_buffer *part, void *arg)
{
	((struct caller *)arg)->parts += brink_buffer_length(part);
}

static int begin(struct caller *caller, const char *method, const char *target, const char *text)
{
	brink_buffer body = {0};
	int rc;

	CHECK_OK(brink_buffer_append(&body, text, strlen(text)));
	rc = brink_http_fetch(caller->client, &(struct brink_http_fetch_options){
		.method = method, .target = target, .body = &body, .on_response = on_response, .arg = caller});
	CHECK_EQ(brink_buffer_length(&body), rc == 0 ? 0 : strlen(text));
	brink_buffer_clear(&body);
	return rc;
}

static void open_caller(struct caller *caller, brink_loop *loop, const struct brink_address *address)
{
	int rc;

	memset(caller, 0, sizeof *caller);
	rc = brink_http_client_create(&caller->client, loop, &(struct brink_http_client_options){
		.address = address, .host = "h", .limits = {.max_head = 1000, .max_body = 100}});
	if (rc == -ENOTSUP)
		SKIP("the library was built without HTTP");
	CHECK_OK(rc);
}

/* ---- our server ---- */

static void call(struct web *web, struct caller *caller, const char *method, const char *path, const char *text)
{
	unsigned before = caller->over;

	CHECK_OK(begin(caller, method, path, text));
	CHECK_EQ(caller->over, before);
	RUN_UNTIL(web->service.loop, caller->over == before + 1);
	CHECK_EQ(caller->error, 0);
}

static void well_served(enum kind kind)
{
	struct brink_server_counts counts;
	struct caller caller;
	struct web web;

	open_web(&web, kind, GROUP);
	start_web(&web);
	open_caller(&caller, web.service.loop, &web.service.address);
	call(&web, &caller, NULL, NULL, "");
	CHECK(strcmp(caller.body, "GET / h\n") == 0);
	call(&web, &caller, "POST", "/x?y", "abc");
	CHECK(strcmp(caller.body, "POST /x?y h\nabc") == 0);
	call(&web, &caller, "HEAD", "/x", "");
	CHECK(caller.status == 200 && caller.body[0] == '\0');
	call(&web, &caller, "GET", "/empty", "");
	CHECK_EQ(caller.status, 204);
	call(&web, &caller, "GET", "/same", "");
	CHECK_EQ(caller.status, 304);
	call(&web, &caller, "GET", "/chunks", "");
	CHECK_EQ(strlen(caller.body), 80);
	brink_server_counters(web.service.server, &counts);
	CHECK_EQ(counts.accepted, 1);
	/* A reply with "close": a new connection for the next. */
	call(&web, &caller, "GET", "/bad", "");
	CHECK_EQ(caller.status, 500);
	call(&web, &caller, "GET", "/x", "");
	CHECK_OK(brink_http_fetch(caller.client, &(struct brink_http_fetch_options){
		.target = "/chunks", .on_part = on_part, .on_response = on_response, .arg = &caller}));
	/* Three more wait for it. */
	for (int i = 0; i < 3; i++)
		CHECK_OK(begin(&caller, "PUT", "/z", "0123456789"));
	RUN_UNTIL(web.service.loop, caller.over == 12);
	CHECK(caller.parts == 80 && strcmp(caller.body, "PUT /z h\n0123456789") == 0);
	brink_server_counters(web.service.server, &counts);
	CHECK_EQ(counts.accepted, 2);
	brink_http_client_destroy(caller.client);
	close_web(&web);
}

/* What was asked for and not sent when a process forks, each of the two asks for. */
static void asked_before_a_fork(enum kind kind)
{
	struct caller caller;
	struct web web;
	pid_t child;

	open_web(&web, kind, EACH_ACCEPTS); /* the child has none of its threads */
	start_web(&web);
	open_caller(&caller, web.service.loop, &web.service.address);
	CHECK_OK(begin(&caller, "GET", "/x", ""));
	child = fork();
	SYSCALL(child);
	if (child == 0)
		CHECK_OK(brink_loop_after_fork(web.service.loop));
	RUN_UNTIL(web.service.loop, caller.over == 1);
	CHECK_EQ(caller.error, 0);
	if (child == 0)
		_exit(0);
	expect_success_of(child);
	brink_http_client_destroy(caller.client);
	close_web(&web);
}

static void refused_fetches(enum kind kind)
{
	static const struct brink_http_header bad[] = {
		{"X", "a\r\nY: b"}, {"X Y", "a"}, {"", "a"}, {"Host", "a"}, {"content-length", "1"},
		{"Transfer-Encoding", "chunked"},
	};
	static const struct {
		const char *method, *target;
	} words[] = {{"GET", "http://"}, {"GET", "http:///p"}, {"GET", "http://?q"}, {"GET", "http://u@h/"}, {"G T", "/"}, {"", "/"}, {"CONNECT", "h:1"}, {"GET", "a b"}, {"GET", "/a b"}, {"GET", "/\r\n"},
		{"GET", "/#x"}, {"GET", ""}};
	struct brink_http_client_options options = {0};
	struct brink_address address;
	brink_loop *loop = new_loop();
	char long_host[300] = "";
	struct caller caller;

	(void)kind;
	CHECK_OK(brink_address_parse(&address, "127.0.0.1:1"));
	open_caller(&caller, loop, &address);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK_ERROR(brink_http_fetch(caller.client, &(struct brink_http_fetch_options){
			.headers = &bad[i], .header_count = 1, .on_response = on_response}), -EINVAL);
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		CHECK_ERROR(begin(&caller, words[i].method, words[i].target, "abc"), -EINVAL);
	CHECK_ERROR(brink_http_fetch(caller.client, &(struct brink_http_fetch_options){0}), -EINVAL);
	brink_http_client_destroy(caller.client);
	brink_http_client_destroy(NULL);
	CHECK_ERROR(brink_http_client_create(&caller.client, loop, &options), -EINVAL);
	options.address = &address;
	options.host = "a\r\nb";
	CHECK_ERROR(brink_http_client_create(&caller.client, loop, &options), -EINVAL);
	memset(long_host, 'h', sizeof long_host - 1);
	options.host = long_host;
	CHECK_ERROR(brink_http_client_create(&caller.client, loop, &options), -ENAMETOOLONG);
	options.host = NULL;
	options.socket.fd = 1;
	CHECK_ERROR(brink_http_client_create(&caller.client, loop, &options), -EINVAL);
	options.socket.fd = 0;
	options.socket.flags = BRINK_SOCKET_PAUSED;
	CHECK_ERROR(brink_http_client_create(&caller.client, loop, &options), -EINVAL);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- other servers, played here ---- */

struct peer {
	brink_loop *loop;
	int listener, fd;
	struct brink_address address;
	char head[1024]; /* of the latest request */
};

static void open_peer(struct peer *peer, enum kind kind)
{
	peer->loop = new_loop();
	peer->listener = open_listener(kind, 8);
	set_nonblocking(peer->listener);
	peer->fd = -1;
	CHECK_OK(brink_address_of(peer->listener, &peer->address));
}

static void close_peer(struct peer *peer)
{
	close_fd(&peer->fd);
	close_fd(&peer->listener);
	CHECK_OK(brink_loop_destroy(peer->loop));
}

/* Takes the next connection and the head of a request that comes on it. */
static void take_request(struct peer *peer, bool anew)
{
	char *bytes = peer->head;
	size_t got = 0;

	if (anew) {
		close_fd(&peer->fd);
		RUN_UNTIL(peer->loop, ready_now(peer->listener, BRINK_READ));
		peer->fd = accept_plain(peer->listener);
	}
	while (got < 4 || memcmp(bytes + got - 4, "\r\n\r\n", 4) != 0) {
		ssize_t n = read(peer->fd, bytes + got, 1);

		got += n > 0 ? (size_t)n : 0;
		CHECK(got < sizeof peer->head && n != 0);
		if (n < 0)
			turn_briefly(peer->loop);
	}
	bytes[got] = '\0';
}

#define OK "HTTP/1.1 200 OK\r\n"

static void responses(enum kind kind)
{
	static char long_head[1200] = OK "X: ";
	static const struct {
		const char *text;
		int error;
		unsigned status;
		const char *body;
	} rows[] = {
		{OK "Content-Length: 3\r\nX-Test: a b \r\n\r\nabc", 0, 200, "abc"},
		{OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n", 0, 200, "abc"},
		{OK "\r\nup to the end", 0, 200, "up to the end"},
		{"HTTP/1.0 404 \r\n\r\nnone", 0, 404, "none"},
		{"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", 0, 404, ""},
		{"HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n", 0, 204, ""},
		{"HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n", 0, 304, ""},
		{"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nA: b\r\n\r\n" OK "Content-Length: 1\r\n\r\nx", 0, 200, "x"},
		{"HTTP/1.1 101 S\r\n\r\n" OK "Content-Length: 0\r\n\r\n", -EPROTO, 0, ""},
		{"HTTP/1.1 099 S\r\n\r\n", -EPROTO, 0, ""},
		{"HTTP/1.1 2000 S\r\n\r\n", -EPROTO, 0, ""},
		{"HTTP/1.2 200 S\r\nContent-Length: 1\r\n\r\nx", 0, 200, "x"},
		{"HTTP/2.0 200 S\r\n\r\n", -EPROTO, 0, ""},
		{"nonsense\r\n\r\n", -EPROTO, 0, ""},
		{"HTTP/1.1 200 OK\n\n", -EPROTO, 0, ""},
		{OK "X: a\r\n b\r\n\r\n", -EPROTO, 0, ""},
		{OK "X : a\r\n\r\n", -EPROTO, 0, ""},
		{OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", -EPROTO, 0, ""},
		{OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", -EPROTO, 0, ""},
		{OK "Content-Length: x\r\n\r\nabc", -EPROTO, 0, ""},
		{OK "Transfer-Encoding: gzip\r\n\r\nabc", -EPROTO, 0, ""},
		{OK "Transfer-Encoding: chunked\r\n\r\nx\r\n", -EPROTO, 0, ""},
		{OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", -EPROTO, 0, ""},
		{OK "Content-Length: 4\r\n\r\nabc", -EPROTO, 0, ""},
		{OK "Content-Length: 101\r\n\r\n", -EMSGSIZE, 0, ""},
		{"HTTP/1.1 2", -EPROTO, 0, ""},
		{"", -ECONNRESET, 0, ""},
		{long_head, -EMSGSIZE, 0, ""},
	};

	memset(long_head + strlen(long_head), 'x', 1100);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct caller caller;
		struct peer peer;

		open_peer(&peer, kind);
		open_caller(&caller, peer.loop, &peer.address);
		CHECK_OK(begin(&caller, "GET", "/", ""));
		take_request(&peer, true);
		write_all(peer.fd, rows[i].text, strlen(rows[i].text));
		CHECK_EQ(shutdown(peer.fd, SHUT_WR), 0);
		RUN_UNTIL(peer.loop, caller.over == 1);
		if (caller.error != rows[i].error || caller.status != rows[i].status ||
		    strcmp(caller.body, rows[i].body) != 0)
			FAIL("row %zu: error %d, status %u, body %s", i, caller.error, caller.status, caller.body);
		CHECK(i > 0 || strcmp(caller.header, "a b") == 0);
		brink_http_client_destroy(caller.client);
		close_peer(&peer);
	}
}

/* A kept connection that has ended meanwhile: what is harmless is tried again. */
static void stale(enum kind kind)
{
	struct caller caller;
	struct peer peer;

	open_peer(&peer, kind);
	open_caller(&caller, peer.loop, &peer.address);
	CHECK_OK(begin(&caller, "GET", "/", ""));
	take_request(&peer, true);
	write_all(peer.fd, OK "Content-Length: 0\r\n\r\n", strlen(OK) + 21);
	RUN_UNTIL(peer.loop, caller.over == 1);
	CHECK_OK(begin(&caller, "GET", "/", ""));
	take_request(&peer, false);
	take_request(&peer, true); /* the first connection is closed: once more */
	write_all(peer.fd, OK "Content-Length: 0\r\n\r\n", strlen(OK) + 21);
	RUN_UNTIL(peer.loop, caller.over == 2);
	CHECK_EQ(caller.error, 0);
	CHECK_OK(begin(&caller, "POST", "/", ""));
	take_request(&peer, false);
	close_fd(&peer.fd);
	RUN_UNTIL(peer.loop, caller.over == 3);
	CHECK(caller.error < 0);
	brink_http_client_destroy(caller.client);
	close_peer(&peer);
}

/* What a server says on a kept connection without having been asked, or that it has ended it, is heard before the next
 * request goes there, for which that would be taken, or which could not be repeated. */
static void unasked(enum kind kind)
{
	static const struct {
		const char *method, *text;
	} rows[] = {
		{"GET", "HTTP/1.1 408 Late\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
		{"POST", OK "Content-Length: 3\r\n\r\nabc"}, {"POST", "\r\n"}, {"POST", ""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct caller caller;
		struct peer peer;
		int theirs;

		open_peer(&peer, kind);
		open_caller(&caller, peer.loop, &peer.address);
		CHECK_OK(begin(&caller, "GET", "/", ""));
		theirs = dup(peer.listener); /* the number that the client's connection will have */
		CHECK_EQ(close(theirs), 0);
		take_request(&peer, true);
		write_all(peer.fd, OK "Content-Length: 0\r\n\r\n", strlen(OK) + 21);
		RUN_UNTIL(peer.loop, caller.over == 1);
		expect_silence(peer.loop);
		write_all(peer.fd, rows[i].text, strlen(rows[i].text));
		if (rows[i].text[0] == '\0')
			CHECK_EQ(shutdown(peer.fd, SHUT_WR), 0);
		await(theirs, BRINK_READ);
		CHECK_OK(begin(&caller, rows[i].method, "/", ""));
		RUN_UNTIL(peer.loop, caller.over == 2 || ready_now(peer.listener, BRINK_READ));
		CHECK_EQ(caller.over, 1);
		take_request(&peer, true);
		write_all(peer.fd, OK "Content-Length: 1\r\n\r\nx", strlen(OK) + 22);
		RUN_UNTIL(peer.loop, caller.over == 2);
		CHECK_EQ(caller.error, 0);
		CHECK(strcmp(caller.body, "x") == 0);
		brink_http_client_destroy(caller.client);
		close_peer(&peer);
	}
}

#define REFUSALS 20

/* Reads no more than the head, and is gone. */
static void *refuse_bodies(void *arg)
{
	static const char reply[] = "HTTP/1.1 413 Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!";
	const struct peer *peer = arg;
	char head[1024];

	for (unsigned i = 0; i < REFUSALS; i++) {
		int fd = accept_plain(peer->listener);

		await(fd, BRINK_READ);
		CHECK(read(fd, head, sizeof head) > 0);
		write_all(fd, reply, sizeof reply - 1);
		close(fd);
	}
	return NULL;
}

/* The reply to a large request comes while it is sent, and the connection ends, which a write may be the first to
 * notice. */
static void refused_amid(enum kind kind)
{
	struct caller caller;
	struct peer peer;
	pthread_t thread;

	open_peer(&peer, kind);
	open_caller(&caller, peer.loop, &peer.address);
	run_thread(&thread, refuse_bodies, &peer);
	for (unsigned i = 0; i < REFUSALS; i++) {
		brink_buffer body = {0};

		append_zeros(&body, 4000000);
		CHECK_OK(brink_http_fetch(caller.client, &(struct brink_http_fetch_options){
			.method = "POST", .body = &body, .on_response = on_response, .arg = &caller}));
		RUN_UNTIL(peer.loop, caller.over == i + 1);
		CHECK_OK(caller.error);
		CHECK_EQ(caller.status, 413);
	}
	join_thread(thread);
	brink_http_client_destroy(caller.client);
	close_peer(&peer);
}

#define LARGE (16u << 20) /* more than a kernel takes for a peer that does not read */

/* Reads until the end, and says how much that was. */
static size_t read_to_the_end(struct peer *peer)
{
	static char bytes[65536];
	uint64_t end = hang_deadline();
	size_t got = 0;
	ssize_t n;

	while ((n = read(peer->fd, bytes, sizeof bytes)) != 0 && (n > 0 || errno == EAGAIN)) {
		got += n > 0 ? (size_t)n : 0;
		CHECK(got <= LARGE);
		CHECK(monotonic_now() < end);
		turn_briefly(peer->loop);
	}
	return got;
}

/* The response is there before the request is sent: the rest of that is not, whether the server wants the next one on
 * this connection or not. */
static void answered_amid(enum kind kind)
{
	static const char *const replies[] = {
		"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 413 Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"};
	struct caller caller;
	struct peer peer;

	open_peer(&peer, kind);
	open_caller(&caller, peer.loop, &peer.address);
	for (unsigned i = 0; i < 2; i++) {
		brink_buffer body = {0};

		append_zeros(&body, LARGE);
		CHECK_OK(brink_http_fetch(caller.client, &(struct brink_http_fetch_options){
			.method = "POST", .body = &body, .on_response = on_response, .arg = &caller}));
		take_request(&peer, true);
		write_all(peer.fd, replies[i], strlen(replies[i]));
		RUN_UNTIL(peer.loop, caller.over == i + 1);
		CHECK_OK(caller.error);
		CHECK_EQ(caller.status, 413);
		CHECK(read_to_the_end(&peer) < LARGE);
	}
	brink_http_client_destroy(caller.client);
	close_peer(&peer);
}

/* Who says that it is the last has it so, also where the server would go on. */
static void closes_as_said(enum kind kind)
{
	const struct brink_http_header headers[] = {{"X", "close"}, {"connection", "x, Close"}};
	struct caller caller;
	struct peer peer;

	open_peer(&peer, kind);
	open_caller(&caller, peer.loop, &peer.address);
	for (size_t count = 1; count <= 2; count++) {
		CHECK_OK(brink_http_fetch(caller.client, &(struct brink_http_fetch_options){
			.headers = headers, .header_count = count, .on_response = on_response, .arg = &caller}));
		take_request(&peer, count == 1);
		write_all(peer.fd, OK "Content-Length: 0\r\n\r\n", strlen(OK) + 21);
		RUN_UNTIL(peer.loop, caller.over == count);
		CHECK_EQ(caller.error, 0);
	}
	RUN_UNTIL(peer.loop, ready_now(peer.fd, BRINK_READ));
	CHECK_OK(begin(&caller, "POST", "/", ""));
	take_request(&peer, true);
	write_all(peer.fd, OK "Content-Length: 0\r\n\r\n", strlen(OK) + 21);
	RUN_UNTIL(peer.loop, caller.over == 3);
	CHECK_EQ(caller.error, 0);
	brink_http_client_destroy(caller.client);
	close_peer(&peer);
}

/* A whole URI, which a proxy is told, says itself whose it is. */
static void by_proxy(enum kind kind)
{
	static const struct {
		const char *target, *host;
	} tries[] = {
		{"/http://a/", "\r\nHost: h\r\n"}, {"http://a.test:81/b@c?d", "\r\nHost: a.test:81\r\n"},
		{"http://[::1]", "\r\nHost: [::1]\r\n"}, {"http://a?http://b/", "\r\nHost: a\r\n"},
	};
	struct caller caller;
	struct peer peer;

	open_peer(&peer, kind);
	open_caller(&caller, peer.loop, &peer.address);
	for (unsigned i = 0; i < sizeof tries / sizeof tries[0]; i++) {
		CHECK_OK(begin(&caller, "GET", tries[i].target, ""));
		take_request(&peer, i == 0);
		CHECK(strstr(peer.head, tries[i].host) != NULL);
		CHECK(memcmp(peer.head + 4, tries[i].target, strlen(tries[i].target)) == 0);
		write_all(peer.fd, OK "Content-Length: 0\r\n\r\n", strlen(OK) + 21);
		RUN_UNTIL(peer.loop, caller.over == i + 1);
		CHECK_EQ(caller.error, 0);
	}
	brink_http_client_destroy(caller.client);
	close_peer(&peer);
}

static void no_answer(enum kind kind)
{
	struct caller caller;
	struct peer peer;

	open_peer(&peer, kind);
	open_caller(&caller, peer.loop, &peer.address);
	brink_http_client_destroy(caller.client);
	CHECK_OK(brink_http_client_create(&caller.client, peer.loop, &(struct brink_http_client_options){
		.address = &peer.address, .timeout = BRINK_MS(50)}));
	CHECK_OK(begin(&caller, "GET", "/", ""));
	CHECK_OK(begin(&caller, "GET", "/", ""));
	RUN_UNTIL(peer.loop, caller.over == 2);
	CHECK_EQ(caller.error, -ETIMEDOUT);
	/* Gone in the midst of it, with those that wait. */
	CHECK_OK(begin(&caller, "GET", "/", ""));
	CHECK_OK(begin(&caller, "GET", "/", ""));
	turn(peer.loop);
	brink_http_client_destroy(caller.client);
	CHECK_EQ(caller.over, 4);
	CHECK_EQ(caller.error, -ECANCELED);
	/* Nobody listens. */
	close_fd(&peer.listener);
	open_caller(&caller, peer.loop, &peer.address);
	caller.destroy_at = 1;
	CHECK_OK(begin(&caller, "GET", "/", ""));
	CHECK_OK(begin(&caller, "GET", "/", ""));
	RUN_UNTIL(peer.loop, caller.over == 2);
	CHECK_EQ(caller.error, -ECANCELED);
	close_peer(&peer);
}

/* The loop is held up until the time is over: what came in time is read before the fetch is called late. */
static void held_up(enum kind kind)
{
	const uint64_t timeout = BRINK_SECONDS(1);
	struct caller caller;
	struct peer peer;
	uint64_t before;

	open_peer(&peer, kind);
	open_caller(&caller, peer.loop, &peer.address);
	brink_http_client_destroy(caller.client);
	CHECK_OK(brink_http_client_create(&caller.client, peer.loop, &(struct brink_http_client_options){
		.address = &peer.address, .timeout = timeout}));
	before = monotonic_now();
	CHECK_OK(begin(&caller, "GET", "/", ""));
	take_request(&peer, true);
	write_all(peer.fd, OK "Content-Length: 0\r\n\r\n", strlen(OK) + 21);
	/* On a machine that stands still for so long it came too late. */
	if (monotonic_now() < before + timeout) {
		while (monotonic_now() < before + timeout + BRINK_MS(200))
			sleep_ms(10);
		RUN_UNTIL(peer.loop, caller.over == 1);
		CHECK_EQ(caller.error, 0);
	}
	brink_http_client_destroy(caller.client);
	close_peer(&peer);
}

/* ---- a server's name ---- */

static int create(struct caller *caller, brink_loop *loop, const struct brink_http_client_options *options)
{
	memset(caller, 0, sizeof *caller);
	return brink_http_client_create(&caller->client, loop, options);
}

static bool nobody_is_connected(const struct web *web)
{
	struct brink_server_counts counts;

	brink_server_counters(web->service.server, &counts);
	return counts.open == 0;
}

/* Of its two addresses the first refuses. The resolver may be gone when the next connection is made. */
static void by_name(enum kind kind)
{
	struct brink_http_client_options options = {0};
	char name[64], expected[80], addresses[80];
	struct caller caller;
	struct web web;

	need_scripted_names();
	open_web(&web, kind, ONE_LOOP);
	start_web(&web);
	snprintf(addresses, sizeof addresses, "127.0.0.9 %.*s", (int)strcspn(web.service.text, ":"), web.service.text);
	script_addresses("web.test", addresses);
	script_error("gone.test", BRINK_ENONAME);
	snprintf(name, sizeof name, "web.test:%u", brink_address_port(&web.service.address));
	snprintf(expected, sizeof expected, "GET / %s\n", name);
	options.name = name;
	options.socket.resolver = new_resolver(web.service.loop, NULL);
	CHECK_OK(create(&caller, web.service.loop, &options));
	memset(name, 0, sizeof name); /* it was copied */
	call(&web, &caller, "GET", "/", "");
	CHECK(strcmp(caller.body, expected) == 0);
	call(&web, &caller, "GET", "/bad", ""); /* and the connection is closed */
	call(&web, &caller, "GET", "/", "");
	call(&web, &caller, "GET", "/bad", "");
	RUN_UNTIL(web.service.loop, nobody_is_connected(&web));
	turn_briefly(web.service.loop);
	brink_resolver_destroy(options.socket.resolver);
	CHECK_OK(begin(&caller, "GET", "/", ""));
	RUN_UNTIL(web.service.loop, caller.over == 5);
	CHECK_EQ(caller.error, -ECANCELED);
	brink_http_client_destroy(caller.client);
	options.name = "gone.test:80";
	options.socket.resolver = NULL;
	CHECK_OK(create(&caller, web.service.loop, &options));
	CHECK_OK(begin(&caller, "GET", "/", ""));
	RUN_UNTIL(web.service.loop, caller.over == 1);
	CHECK_EQ(caller.error, -BRINK_ENONAME);
	brink_http_client_destroy(caller.client);
	close_web(&web);
	forget_names();
}

/* What says on which link an address is stays at home. */
static void without_zone(enum kind kind)
{
	char name[BRINK_ADDRESS_TEXT], host[BRINK_ADDRESS_TEXT + 16];
	struct brink_address address;
	struct sockaddr_in6 there;
	struct caller caller;
	struct web web;

	open_web(&web, kind, ONE_LOOP);
	start_web(&web);
	address = web.service.address;
	memcpy(&there, &address.storage, sizeof there);
	there.sin6_scope_id = 1;
	memcpy(&address.storage, &there, sizeof there);
	CHECK_OK(brink_address_format(&address, name, sizeof name));
	CHECK(strchr(name, '%') != NULL);
	snprintf(host, sizeof host, "GET / [::1]:%u\n", brink_address_port(&address));
	for (int i = 0; i < 2; i++) {
		CHECK_OK(create(&caller, web.service.loop, &(struct brink_http_client_options){
			.address = i == 0 ? &address : NULL, .name = i == 1 ? name : NULL}));
		CHECK_OK(begin(&caller, "GET", "/", ""));
		RUN_UNTIL(web.service.loop, caller.over == 1);
		if (caller.error != 0)
			SKIP("the system knows of no zone of ::1");
		CHECK(strcmp(caller.body, host) == 0);
		brink_http_client_destroy(caller.client);
	}
	close_web(&web);
}

static void refused_names(enum kind kind)
{
	static const char *const bad[] = {"", "h", "h:", ":80", "h:80:80", "h:70000", "h:gopher", "a b:80", "a/b:80"};
	static const char *const good[] = {"h:http", "h:80", "h:8080", "[::1]:80", "127.0.0.1:http", "unix:/none"};
	struct brink_http_client_options options = {0};
	brink_loop *loop = new_loop(), *other = new_loop();
	struct brink_address address;
	struct caller caller;

	(void)kind;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		options.name = good[i];
		if (create(&caller, loop, &options) == -ENOTSUP)
			SKIP("the library was built without HTTP");
		CHECK(caller.client != NULL);
		brink_http_client_destroy(caller.client);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		options.name = bad[i];
		if (create(&caller, loop, &options) != -EINVAL)
			FAIL("not refused: %s", bad[i]);
	}
	options = (struct brink_http_client_options){.name = "h:gopher", .host = "h"};
	CHECK_OK(create(&caller, loop, &options));
	brink_http_client_destroy(caller.client);
	/* What each connection would be refused for. */
	options.name = "h:80";
	options.socket.attempt_delay = 1;
	CHECK_ERROR(create(&caller, loop, &options), -EINVAL);
	options.socket.attempt_delay = 0;
	CHECK_OK(brink_resolver_create(&options.socket.resolver, other, NULL));
	CHECK_ERROR(create(&caller, loop, &options), -EINVAL);
	brink_resolver_destroy(options.socket.resolver);
	options.socket.resolver = NULL;
	options.socket.name = "h:80";
	CHECK_ERROR(create(&caller, loop, &options), -EINVAL);
	CHECK_OK(brink_address_parse(&address, "127.0.0.1:1"));
	options = (struct brink_http_client_options){.name = "h:80", .address = &address};
	CHECK_ERROR(create(&caller, loop, &options), -EINVAL);
	options.name = NULL;
	options.socket.name = "h:80";
	CHECK_ERROR(create(&caller, loop, &options), -EINVAL);
	CHECK_OK(brink_loop_destroy(loop));
	CHECK_OK(brink_loop_destroy(other));
}

static const struct scenario scenarios[] = {
	SCENARIO("http-client/well-served", well_served, KINDS_STREAM),
	SCENARIO("http-client/asked-before-a-fork", asked_before_a_fork, KIND_TCP | KIND_TCP6),
	SCENARIO("http-client/refused-fetches", refused_fetches, KIND_NONE),
	SCENARIO("http-client/responses", responses, KIND_TCP | KIND_UNIX),
	SCENARIO("http-client/stale", stale, KIND_TCP | KIND_UNIX),
	SCENARIO("http-client/unasked", unasked, KIND_TCP | KIND_UNIX),
	SCENARIO("http-client/refused-amid", refused_amid, KIND_TCP | KIND_UNIX),
	SCENARIO("http-client/answered-amid", answered_amid, KIND_TCP | KIND_UNIX),
	SCENARIO("http-client/closes-as-said", closes_as_said, KIND_TCP | KIND_UNIX),
	SCENARIO("http-client/by-proxy", by_proxy, KIND_TCP | KIND_UNIX),
	SCENARIO("http-client/no-answer", no_answer, KIND_TCP),
	SCENARIO("http-client/held-up", held_up, KIND_TCP | KIND_UNIX),
	SCENARIO("http-client/by-name", by_name, KIND_TCP),
	SCENARIO("http-client/without-zone", without_zone, KIND_TCP6),
	SCENARIO("http-client/refused-names", refused_names, KIND_NONE),
	NO_MORE_SCENARIOS,
};
const struct group http_client_group = {"http-client", scenarios};
