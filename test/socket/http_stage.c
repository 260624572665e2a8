#include "http_stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void append_zeros(brink_buffer *body, size_t size)
{
	static const char zeros[65536];

	for (; size > sizeof zeros; size -= sizeof zeros)
		CHECK_OK(brink_buffer_append(body, zeros, sizeof zeros));
	CHECK_OK(brink_buffer_append(body, zeros, size));
}

/* ---- the server ---- */

static void answer_text(brink_http_request *request, unsigned status, const char *text)
{
	brink_buffer body = {0};

	CHECK_OK(brink_buffer_append(&body, text, strlen(text)));
	CHECK_OK(brink_http_reply(request, status, NULL, 0, &body));
	CHECK_EQ(brink_buffer_length(&body), 0);
}

static void echo(brink_http_request *request)
{
	brink_buffer body = {0};
	char text[512];

	snprintf(text, sizeof text, "%s %s %s\n", brink_http_request_method(request),
	         brink_http_request_path(request), brink_http_request_host(request));
	CHECK_OK(brink_buffer_append(&body, text, strlen(text)));
	brink_buffer_move(&body, brink_http_request_body(request));
	CHECK_OK(brink_http_reply(request, 200, NULL, 0, &body));
	CHECK_ERROR(brink_http_reply(request, 200, NULL, 0, NULL), -EALREADY);
}

static void refuse_injection(brink_http_request *request)
{
	static const struct brink_http_header bad[] = {
		{"X", "a\r\nSet-Cookie: b"}, {"X", "a\nb"}, {"X", "a\rb"}, {"X", "a\x01"}, {"X", "a\x7f"},
		{"X Y", "a"}, {"X:", "a"}, {"", "a"}, {"X\r\n", "a"}, {"Content-Length", "1"},
		{"Transfer-Encoding", "chunked"}, {"date", "now"}, {"X", NULL}, {NULL, "a"},
	};
	brink_buffer body = {0};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		CHECK_ERROR(brink_http_reply(request, 200, &bad[i], 1, NULL), -EINVAL);
		CHECK_ERROR(brink_http_reply_begin(request, 200, &bad[i], 1, -1, NULL, NULL), -EINVAL);
	}
	CHECK_ERROR(brink_http_reply(request, 100, NULL, 0, NULL), -EINVAL);
	CHECK_ERROR(brink_http_reply(request, 1000, NULL, 0, NULL), -EINVAL);
	CHECK_OK(brink_buffer_append(&body, "x", 1));
	CHECK_ERROR(brink_http_reply(request, 204, NULL, 0, &body), -EINVAL);
	CHECK_EQ(brink_buffer_length(&body), 1);
	CHECK_ERROR(brink_http_reply_write(request, &body), -EINVAL);
	CHECK_ERROR(brink_http_reply_end(request), -EINVAL);
	brink_buffer_clear(&body);
}

static void chunks(brink_http_request *request)
{
	CHECK_OK(brink_http_reply_begin(request, 200, NULL, 0, -1, NULL, NULL));
	for (int i = 0; i < 10; i++) {
		brink_buffer part = {0};
		char text[32];

		snprintf(text, sizeof text, "chunk %d\n", i);
		CHECK_OK(brink_buffer_append(&part, text, strlen(text)));
		CHECK(brink_http_reply_write(request, &part) >= 0);
		CHECK_EQ(brink_buffer_length(&part), 0);
		CHECK(brink_http_reply_write(request, &part) >= 0); /* nothing: not the end */
	}
	CHECK_OK(brink_http_reply_end(request));
	CHECK_ERROR(brink_http_reply_end(request), -EINVAL);
}

static void on_part(brink_http_request *request, brink_buffer *part, int state, void *arg)
{
	struct web *web = arg;

	atomic_fetch_add(&web->parts, 1);
	if (atomic_load(&web->hold) != 0 && state == 0)
		return;
	atomic_store(&web->body_state, state);
	if (state < 0) {
		brink_http_request_free(request);
		return;
	}
	brink_http_reply_write(request, part);
	if (state == 0)
		return;
	CHECK_OK(brink_http_reply_end(request));
	CHECK_ERROR(brink_http_request_read(request, on_part, web), -EINVAL);
	brink_http_request_free(request);
}

static void keep(struct web *web, brink_http_request *request)
{
	CHECK(atomic_load(&web->kept_count) < WEB_KEPT);
	web->kept[atomic_load(&web->kept_count)] = request;
	atomic_fetch_add(&web->kept_count, 1);
}

void keep_first(brink_http_request *request, void *arg)
{
	struct web *web = arg;

	web->kept[0] = request;
	atomic_store(&web->kept_count, 1);
}

void answer_kept(struct web *web, unsigned index)
{
	char text[16];

	snprintf(text, sizeof text, "%u", index);
	answer_text(web->kept[index], 200, text);
	brink_http_request_free(web->kept[index]);
	web->kept[index] = NULL;
}

void read_kept(struct web *web, brink_http_body_fn *fn)
{
	CHECK(web->kept[0] != NULL);
	CHECK_OK(brink_http_request_read(web->kept[0], fn, web));
}

void free_kept(struct web *web, brink_http_request *request)
{
	if (web->kept[0] == request)
		web->kept[0] = NULL;
	brink_http_request_free(request);
}

static bool path_is(const brink_http_request *request, const char *path)
{
	return strcmp(brink_http_request_path(request), path) == 0;
}

/* True: the request is not to be freed now. */
static bool serve_body(struct web *web, brink_http_request *request)
{
	if (path_is(request, "/keep")) {
		keep(web, request);
		return true;
	}
	if (path_is(request, "/stream")) {
		CHECK_OK(brink_http_reply_begin(request, 200, NULL, 0, -1, NULL, NULL));
		CHECK_OK(brink_http_request_read(request, on_part, web));
		return true;
	}
	return false;
}

static void on_request(brink_http_request *request, void *arg)
{
	struct web *web = arg;

	atomic_fetch_add(&web->asked, 1);
	if (serve_body(web, request))
		return;
	if (path_is(request, "/empty"))
		CHECK_OK(brink_http_reply(request, 204, NULL, 0, NULL));
	else if (path_is(request, "/same"))
		CHECK_OK(brink_http_reply(request, 304, NULL, 0, NULL));
	else if (path_is(request, "/bad"))
		refuse_injection(request);
	else if (path_is(request, "/chunks"))
		chunks(request);
	else if (path_is(request, "/early"))
		answer_text(request, 403, "no");
	else
		echo(request);
	brink_http_request_free(request);
}

static int on_head(const brink_http_request *request, void *arg)
{
	struct web *web = arg;
	bool streamed = path_is(request, "/stream") || path_is(request, "/early");

	if (atomic_load(&web->refuse) != 0)
		return atomic_load(&web->refuse);
	return streamed ? BRINK_HTTP_STREAM : BRINK_HTTP_COLLECT;
}

void open_web(struct web *web, enum kind kind, enum shape shape)
{
	memset(web, 0, sizeof *web);
	open_service(&web->service, kind, shape);
	web->options = (struct brink_http_options){.on_request = on_request, .on_head = on_head, .arg = web};
}

void start_web(struct web *web)
{
	struct service *service = &web->service;
	int rc = brink_http_create(&web->http, &web->options);

	if (rc == -ENOTSUP) {
		close_service(service);
		SKIP("the library was built without HTTP");
	}
	CHECK_OK(rc);
	brink_http_protocol(web->http, &service->protocol);
	service->options.protocols = &service->protocol;
	service->options.protocol_count = 1;
	service->options.on_bytes = NULL;
	service->options.on_message = NULL;
	start_service(service);
}

void close_web(struct web *web)
{
	close_service(&web->service);
	brink_http_destroy(web->http);
}

/* ---- clients ---- */

int visit(struct web *web)
{
	int fd;

	connect_clients(&web->service, &fd, 1);
	return fd;
}

/* The server may have answered, and closed, before all is said. */
static bool say(struct web *web, int fd, const char *text, size_t size)
{
	uint64_t end = hang_deadline();

	while (size > 0) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno != EAGAIN)
			return false;
		CHECK(monotonic_now() < end);
		if (n < 0)
			turn_briefly(web->service.loop);
		text += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

static int hold_socket(brink_socket_id id, void *arg)
{
	brink_socket **socket = arg;

	*socket = brink_socket_address(id);
	CHECK(*socket != NULL);
	return 0;
}

brink_socket *their_socket(struct web *web)
{
	brink_socket *socket = NULL;

	CHECK_EQ(brink_server_each(web->service.server, hold_socket, &socket), 1);
	return socket;
}

void ask(struct web *web, int fd, const char *text)
{
	say(web, fd, text, strlen(text));
}

void ask_slowly(struct web *web, int fd, const char *text)
{
	while (*text != '\0' && say(web, fd, text, 1)) {
		turn_briefly(web->service.loop);
		text++;
	}
}

static void read_some(struct web *web, int fd, char *bytes, size_t *have, size_t want, size_t room)
{
	CHECK(*have <= want && want < room);
	if (want > *have)
		read_back(&web->service, fd, bytes + *have, want - *have);
	*have = want;
	bytes[want] = '\0';
}

static void read_head(struct web *web, int fd, struct answer *answer)
{
	size_t have = 0;

	do
		read_some(web, fd, answer->head, &have, have + 1, sizeof answer->head);
	while (have < 4 || memcmp(answer->head + have - 4, "\r\n\r\n", 4) != 0);
	CHECK(sscanf(answer->head, "HTTP/1.1 %u ", &answer->status) == 1);
}

static size_t read_line(struct web *web, int fd)
{
	char line[64];
	size_t have = 0;

	do
		read_some(web, fd, line, &have, have + 1, sizeof line);
	while (line[have - 1] != '\n');
	return (size_t)strtoul(line, NULL, 16);
}

static void read_chunks(struct web *web, int fd, struct answer *answer)
{
	size_t size;

	while ((size = read_line(web, fd)) > 0) {
		read_some(web, fd, answer->body, &answer->length, answer->length + size, sizeof answer->body);
		read_line(web, fd);
	}
	read_line(web, fd);
}

void read_answer(struct web *web, int fd, struct answer *answer, bool bodyless)
{
	const char *length;

	memset(answer, 0, sizeof *answer);
	read_head(web, fd, answer);
	length = strstr(answer->head, "Content-Length: ");
	answer->chunked = strstr(answer->head, "Transfer-Encoding: chunked\r\n") != NULL;
	if (bodyless)
		return;
	if (answer->chunked)
		read_chunks(web, fd, answer);
	else if (length != NULL)
		read_some(web, fd, answer->body, &answer->length, strtoul(length + 16, NULL, 10), sizeof answer->body);
}

void expect_status(struct web *web, int fd, unsigned status)
{
	struct answer answer;

	read_answer(web, fd, &answer, false);
	CHECK_EQ(answer.status, status);
}

void expect_body(struct web *web, int fd, unsigned status, const char *body)
{
	struct answer answer;

	read_answer(web, fd, &answer, false);
	CHECK_EQ(answer.status, status);
	if (strcmp(answer.body, body) != 0)
		FAIL("\"%s\", and not \"%s\"", answer.body, body);
}

void expect_over(struct web *web, int fd)
{
	expect_gone(&web->service, fd, true);
}

bool has_line(const struct answer *answer, const char *line)
{
	return strstr(answer->head, line) != NULL;
}
