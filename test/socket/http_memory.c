/* The allocator fails at its k-th call, for every k, on both sides: an answer, or the connection
 * ends; nothing is lost or stuck, and the next connection is served. */
#include "groups.h"
#include "http_stage.h"
#include "scarce.h"

#include <string.h>
#include <unistd.h>

static void pass_on(brink_http_request *request, brink_buffer *part, int state, void *arg)
{
	(void)arg;
	if (state >= 0)
		brink_http_reply_write(request, part);
	brink_buffer_clear(part);
	if (state == 1)
		brink_http_reply_end(request);
	if (state != 0)
		brink_http_request_free(request);
}

/* Whatever fails: to free the request is enough. */
static void serve(brink_http_request *request, void *arg)
{
	static const struct brink_http_header header = {"X", "y"};

	(void)arg;
	if (strcmp(brink_http_request_path(request), "/stream") == 0 &&
	    brink_http_reply_begin(request, 200, &header, 1, -1, NULL, NULL) == 0 &&
	    brink_http_request_read(request, pass_on, NULL) == 0)
		return;
	if (strcmp(brink_http_request_path(request), "/stream") != 0)
		brink_http_reply(request, 200, &header, 1, brink_http_request_body(request));
	brink_http_request_free(request);
}

static unsigned count_replies(const char *bytes, size_t size)
{
	unsigned replies = 0;

	for (size_t i = 0; i + 9 <= size; i++)
		replies += memcmp(bytes + i, "HTTP/1.1 ", 9) == 0;
	return replies;
}

/* Until all is answered or the server has ended the connection. */
static void talk(struct web *web, const char *text, unsigned replies)
{
	int fd = connect_client(&web->service);
	char bytes[8192];
	size_t got = 0;
	uint64_t end = hang_deadline();

	ask(web, fd, text);
	while (count_replies(bytes, got) < replies) {
		ssize_t n = read(fd, bytes + got, sizeof bytes - got);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		got += n > 0 ? (size_t)n : 0;
		turn_briefly(web->service.loop);
		CHECK(monotonic_now() < end);
	}
	close_fd(&fd);
}

#define HEAD " HTTP/1.1\r\nHost: h\r\n"
#define TALK "GET /a" HEAD "\r\n" "POST /b" HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" \
	"POST /stream" HEAD "Content-Length: 3\r\n\r\nabc" "GET nonsense\r\n\r\n"

static void server_side(enum kind kind)
{
	bool reached = true;
	long most = 0;

	scarce_memory();
	for (unsigned k = 1; reached; k++) {
		struct web web;

		open_web(&web, kind, ONE_LOOP);
		web.options.on_request = serve;
		start_web(&web);
		fail_allocation(k);
		talk(&web, TALK, 4);
		reached = allocation_failed();
		talk(&web, "GET /a" HEAD "\r\n", 1);
		CHECK(atomic_load(&web.service.opened) >= 1);
		close_web(&web);
		if (k <= 3)
			most = blocks_live() > most ? blocks_live() : most;
		if (blocks_live() > most + 300)
			FAIL("%ld blocks, and %ld before", blocks_live(), most);
		CHECK(k < 1000);
	}
}

/* ---- the client ---- */

struct fetches {
	unsigned over, good;
};

static void on_response(const struct brink_http_response *response, int error, void *arg)
{
	struct fetches *fetches = arg;

	CHECK((response != NULL) == (error == 0));
	fetches->over++;
	fetches->good += error == 0 && response->status == 200;
}

static void fetch_some(struct web *web)
{
	struct fetches fetches = {0};
	brink_http_client *client = NULL;
	brink_buffer body = {0};
	unsigned begun = 0;
	int rc = brink_http_client_create(&client, web->service.loop, &(struct brink_http_client_options){
		.address = &web->service.address});

	if (rc < 0) {
		CHECK_ERROR(rc, -ENOMEM);
		return;
	}
	for (unsigned i = 0; i < 3; i++) {
		rc = brink_http_fetch(client, &(struct brink_http_fetch_options){
			.method = i == 1 ? "POST" : NULL, .target = "/a", .body = &body,
			.on_response = on_response, .arg = &fetches});
		CHECK(rc == 0 || rc == -ENOMEM);
		begun += rc == 0;
	}
	RUN_UNTIL(web->service.loop, fetches.over == begun);
	brink_http_client_destroy(client);
}

static void client_side(enum kind kind)
{
	bool reached = true;
	long most = 0;

	scarce_memory();
	for (unsigned k = 1; reached; k++) {
		struct web web;

		open_web(&web, kind, ONE_LOOP);
		web.options.on_request = serve;
		start_web(&web);
		fail_allocation(k);
		fetch_some(&web);
		reached = allocation_failed();
		close_web(&web);
		if (k <= 3)
			most = blocks_live() > most ? blocks_live() : most;
		if (blocks_live() > most + 300)
			FAIL("%ld blocks, and %ld before", blocks_live(), most);
		CHECK(k < 1000);
	}
}

static const struct scenario scenarios[] = {
	SCENARIO("http-memory/server", server_side, KIND_TCP | KIND_UNIX),
	SCENARIO("http-memory/client", client_side, KIND_TCP),
	NO_MORE_SCENARIOS,
};
const struct group http_memory_group = {"http-memory", scenarios};
