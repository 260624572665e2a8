/* HTTP: a server, the client of the library, and clients of plain system calls. */
#include "faults.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY 3000u

struct site {
	brink_loop *loop;
	brink_http *http;
	brink_server *server;
	struct brink_address address;
	struct brink_protocol protocol;
	atomic_uint opened, closed, asked, freed;
	unsigned stopped;
};

/* ---- the server ---- */

static void end_request(brink_http_request *request, struct site *site)
{
	brink_http_request_free(request);
	site->freed++;
}

/* Of a reply that was not completed the client is not to believe that it is whole. */
static void on_part(brink_http_request *request, brink_buffer *part, int state, void *arg)
{
	int result = brink_buffer_length(part) > 0 && state >= 0 ? brink_http_reply_write(request, part) : 0;

	if (result == 1)
		result = 0;
	if (state > 0 && result == 0)
		result = brink_http_reply_end(request);
	if (result < 0) {
		told_errors++;
		brink_buffer_clear(part);
		CHECK(fault_struck() && !fault_harmless());
	}
	if (state != 0)
		end_request(request, arg);
}

static void stream_back(brink_http_request *request, struct site *site)
{
	if (!went_well(brink_http_reply_begin(request, 200, NULL, 0, -1, NULL, NULL)) ||
	    !went_well(brink_http_request_read(request, on_part, site)))
		end_request(request, site);
}

static bool is_streamed(const brink_http_request *request)
{
	return strcmp(brink_http_request_path(request), "/stream") == 0;
}

static void on_request(brink_http_request *request, void *arg)
{
	struct site *site = arg;

	site->asked++;
	if (is_streamed(request)) {
		stream_back(request, site);
		return;
	}
	went_well(brink_http_reply(request, 200, NULL, 0, brink_http_request_body(request)));
	end_request(request, site);
}

static int on_head(const brink_http_request *request, void *arg)
{
	(void)arg;
	return is_streamed(request) ? BRINK_HTTP_STREAM : BRINK_HTTP_COLLECT;
}

static void on_open(brink_socket *socket, void *arg)
{
	(void)socket;
	((struct site *)arg)->opened++;
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	(void)socket;
	CHECK(error <= 0 && text != NULL);
	told_errors += error < 0;
	((struct site *)arg)->closed++;
}

static void on_stopped(brink_server *server, void *arg)
{
	(void)server;
	((struct site *)arg)->stopped++;
}

static struct brink_server_options usual(struct site *site)
{
	return (struct brink_server_options){.address = "127.0.0.1:0",
		.listener = {.retry_after = BRINK_MS(1), .drain_wait = BRINK_MS(1)},
		.socket = {.linger_timeout = BRINK_MS(1)}, .protocols = &site->protocol, .protocol_count = 1,
		.on_open = on_open, .on_close = on_close, .on_stopped = on_stopped, .arg = site};
}

/* False: there is none. A library without HTTP has none either. */
static bool open_site(struct site *site, const struct brink_server_options *options)
{
	int result = brink_http_create(&site->http, &(struct brink_http_options){
		.on_request = on_request, .on_head = on_head, .arg = site});

	if (result == -ENOTSUP || !went_well(result))
		return false;
	brink_http_protocol(site->http, &site->protocol);
	if (!went_well(brink_server_create(&site->server, site->loop, options)))
		return false;
	CHECK(brink_server_address(site->server, 0, &site->address) == 0);
	return true;
}

static void await_stop(struct site *site)
{
	struct brink_server_counts counts;

	/* An executor may have answered, and not have let its request go yet. */
	while (site->stopped == 0 || site->asked != site->freed)
		turn_loop(site->loop);
	brink_server_counters(site->server, &counts);
	CHECK(counts.open == 0 && counts.accepted == counts.closed && counts.closed == site->closed);
}

static void stop(struct site *site)
{
	CHECK(brink_server_stop(site->server, BRINK_SECONDS(1000)) == 0);
	await_stop(site);
}

static void close_site(struct site *site)
{
	brink_server_destroy(site->server);
	brink_loop_destroy(site->loop);
	brink_http_destroy(site->http);
	CHECK(site->asked == site->freed);
}

/* ---- the library's client ---- */

struct fetch {
	unsigned calls;
	int error;
	unsigned status;
	size_t size;
};

static void on_response(const struct brink_http_response *response, int error, void *arg)
{
	struct fetch *fetch = arg;

	fetch->calls++;
	fetch->error = error;
	fetch->status = response != NULL ? response->status : 0;
	fetch->size = response != NULL ? brink_buffer_length(response->body) : 0;
	/* What came is whole, whatever went wrong. */
	CHECK((response != NULL) == (error == 0));
}

/* What has been taken is answered, once. */
static void fetch(struct site *site, brink_http_client *client, const char *method, const char *target, size_t size)
{
	static char bytes[BODY];
	struct brink_http_fetch_options options = {.method = method, .target = target, .on_response = on_response};
	struct fetch seen = {.calls = 0};
	brink_buffer body = {0};

	options.arg = &seen;
	options.body = size > 0 ? &body : NULL;
	if (went_well(brink_buffer_append(&body, bytes, size)) && went_well(brink_http_fetch(client, &options))) {
		while (seen.calls == 0)
			turn_loop(site->loop);
		CHECK(seen.calls == 1);
		if (seen.error == 0 && seen.status == 200)
			CHECK(seen.size == size);
		else
			CHECK(fault_struck() && !fault_harmless());
	}
	brink_buffer_clear(&body);
}

static void fetch_all(struct site *site)
{
	struct brink_http_client_options options = {.address = &site->address, .timeout = BRINK_SECONDS(1000)};
	brink_http_client *client;

	if (!went_well(brink_http_client_create(&client, site->loop, &options)))
		return;
	fetch(site, client, "GET", "/", 0);
	fetch(site, client, "POST", "/", BODY);
	fetch(site, client, "POST", "/stream", BODY);
	fetch(site, client, "GET", "/", 0);
	brink_http_client_destroy(client);
}

static void with_our_client(void)
{
	struct site site = {.loop = make_loop()};
	struct brink_server_options options = usual(&site);

	if (site.loop != NULL && open_site(&site, &options)) {
		fetch_all(&site);
		stop(&site);
	}
	close_site(&site);
}

/* ---- a client of plain calls ---- */

#define HEAD(method, path, more) method " " path " HTTP/1.1\r\nHost: h\r\n" more "\r\n"

struct visitor {
	int fd;
	char text[4096];
	size_t size;
	bool over;
};

static void say(struct visitor *visitor, const char *text)
{
	(void)!send(visitor->fd, text, strlen(text), MSG_NOSIGNAL);
}

static void hear(struct site *site, struct visitor *visitor)
{
	ssize_t got;

	turn_loop(site->loop);
	while ((got = read(visitor->fd, visitor->text + visitor->size, sizeof visitor->text - 1 - visitor->size)) > 0)
		visitor->size += (size_t)got;
	visitor->text[visitor->size] = '\0';
	visitor->over = got == 0 || errno != EAGAIN;
}

static void expect_text(const struct visitor *visitor, const char *text)
{
	CHECK(strstr(visitor->text, text) != NULL || (fault_struck() && !fault_harmless()));
}

/* One connection is kept for two requests, of which the first is read and answered in parts. */
static void visit(struct site *site)
{
	struct visitor visitor = {.fd = connect_to(&site->address)};

	say(&visitor, HEAD("POST", "/stream", "Transfer-Encoding: chunked\r\n") "5\r\nhel");
	hear(site, &visitor);
	say(&visitor, "lo\r\n6\r\n world\r\n");
	hear(site, &visitor);
	say(&visitor, "0\r\n\r\n" HEAD("POST", "/", "Content-Length: 3\r\nConnection: close\r\n") "bye");
	while (!visitor.over)
		hear(site, &visitor);
	close(visitor.fd);
	expect_text(&visitor, "\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n");
	expect_text(&visitor, "\r\n\r\nbye");
}

static void in_parts(void)
{
	struct site site = {.loop = make_loop()};
	struct brink_server_options options = usual(&site);

	if (site.loop != NULL && open_site(&site, &options)) {
		visit(&site);
		stop(&site);
	}
	close_site(&site);
}

/* What is under way is read and answered. */
static void stopped_amid(void)
{
	struct site site = {.loop = make_loop()};
	struct brink_server_options options = usual(&site);

	if (site.loop != NULL && open_site(&site, &options)) {
		struct visitor visitor = {.fd = connect_to(&site.address)};

		say(&visitor, HEAD("POST", "/stream", "Content-Length: 6\r\n") "abc");
		while (site.asked == 0 && !visitor.over)
			hear(&site, &visitor);
		CHECK(brink_server_stop(site.server, BRINK_SECONDS(1000)) == 0);
		for (int i = 0; i < 5; i++)
			hear(&site, &visitor);
		say(&visitor, "def");
		while (!visitor.over)
			hear(&site, &visitor);
		close(visitor.fd);
		expect_text(&visitor, "\r\n0\r\n\r\n");
		await_stop(&site);
	}
	close_site(&site);
}

/* ---- on other threads ---- */

static void on_threads(bool in_order)
{
	struct site site = {.loop = make_loop()};
	struct brink_server_options options = usual(&site);
	brink_executor *executor = NULL;

	options.group = site.loop != NULL ? make_group(2) : NULL;
	if (options.group != NULL &&
	    went_well(brink_executor_create(&executor, &(struct brink_executor_options){.threads = 2}))) {
		*(in_order ? &options.socket.executor : &options.executor) = executor;
		if (open_site(&site, &options)) {
			visit(&site);
			visit(&site);
			stop(&site);
		}
	}
	brink_server_destroy(site.server);
	site.server = NULL;
	CHECK(brink_group_destroy(options.group) == 0);
	close_site(&site);
	CHECK(brink_executor_destroy(executor) == 0);
}

static void read_on_an_executor(void)
{
	on_threads(true);
}

static void processed_on_an_executor(void)
{
	on_threads(false);
}

const struct scenario web_scenarios[] = {
	{"an HTTP server and our client", with_our_client, false},
	{"an HTTP server and chunks", in_parts, false},
	{"an HTTP server that stops amid a body", stopped_amid, false},
	{"an HTTP server that reads on an executor", read_on_an_executor, true},
	{"an HTTP server that answers on an executor", processed_on_an_executor, true},
	{NULL, NULL, false},
};
