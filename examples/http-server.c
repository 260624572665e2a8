/* An HTTP server: a page whose script posts what is written in it, and shows what comes back.
 *
 *     http-server 127.0.0.1:8080                     until SIGINT or SIGTERM
 *     http-server 127.0.0.1:8443 CERTIFICATE KEY     the same over TLS; the files are PEM
 *
 *     GET  /        the page
 *     POST /echo    the body, back
 *     POST /stream  the same, part by part as it comes, however long it is
 *     GET  /count   ten thousand lines, as fast as they are taken */
#include <brink.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char page[] =
	"<!DOCTYPE html>\n"
	"<html><head><meta charset=\"utf-8\"><title>brink</title></head>\n"
	"<body><input id=\"text\" value=\"hello from the page\"><p id=\"answer\">nothing yet</p>\n"
	"<script>\n"
	"async function send() {\n"
	"  const text = document.getElementById('text').value;\n"
	"  const reply = await fetch('/echo', {method: 'POST', body: text});\n"
	"  document.getElementById('answer').textContent = 'the server says: ' + await reply.text();\n"
	"}\n"
	"send();\n"
	"</script></body></html>\n";

static const struct brink_http_header html = {"Content-Type", "text/html; charset=utf-8"};
static const struct brink_http_header text = {"Content-Type", "text/plain; charset=utf-8"};

static void reply_with(brink_http_request *request, unsigned status, const struct brink_http_header *type,
                       const char *bytes)
{
	brink_http_reply_bytes(request, status, type, 1, bytes, strlen(bytes));
	brink_http_request_free(request); /* without a reply: 500 */
}

/* ---- GET /count: as much as there is room for, and on when there is again ---- */

#define LINES 10000

/* Also what is called when there is room. */
static void count_on(brink_http_request *request, void *arg)
{
	int *line = arg, rc = 0;

	while (rc == 0 && *line < LINES) {
		brink_buffer part = {0};
		char bytes[32];

		snprintf(bytes, sizeof bytes, "line %d\n", ++*line);
		rc = brink_buffer_append(&part, bytes, strlen(bytes));
		if (rc == 0)
			rc = brink_http_reply_write(request, &part);
		brink_buffer_clear(&part);
	}
	if (rc == 1)
		return; /* to be called again */
	if (rc == 0)
		brink_http_reply_end(request);
	free(line);
	brink_http_request_free(request);
}

static void count(brink_http_request *request)
{
	int *line = calloc(1, sizeof *line);

	if (line != NULL && brink_http_reply_begin(request, 200, &text, 1, -1, count_on, line) == 0) {
		count_on(request, line);
		return;
	}
	free(line);
	brink_http_request_free(request);
}

/* ---- POST /stream: what comes is sent on; not more is read than is taken ---- */

struct stream {
	int waits; /* for room */
	int state; /* of the part that came last */
	brink_buffer last; /* which came while there was no room */
};

static void end_stream(brink_http_request *request, struct stream *stream)
{
	if (stream->state == 1)
		brink_http_reply_end(request);
	brink_buffer_clear(&stream->last);
	free(stream);
	brink_http_request_free(request);
}

static void send_on(brink_http_request *request, brink_buffer *part, struct stream *stream)
{
	stream->waits = 1;
	if (brink_http_reply_write(request, part) == 1)
		return; /* on_room() goes on, or has done so already */
	stream->waits = 0;
	if (stream->state != 0)
		end_stream(request, stream);
}

static void on_part(brink_http_request *request, brink_buffer *part, int state, void *arg)
{
	struct stream *stream = arg;

	stream->state = state;
	if (!stream->waits)
		send_on(request, part, stream);
	else if (state != 0)
		brink_buffer_move(&stream->last, part); /* others come again */
}

static void on_room(brink_http_request *request, void *arg)
{
	struct stream *stream = arg;

	stream->waits = 0;
	if (stream->state != 0)
		send_on(request, &stream->last, stream);
	else
		brink_http_request_read(request, on_part, stream);
}

static void stream(brink_http_request *request)
{
	struct stream *made = calloc(1, sizeof *made);

	if (made != NULL && brink_http_reply_begin(request, 200, &text, 1, -1, on_room, made) == 0 &&
	    brink_http_request_read(request, on_part, made) == 0)
		return;
	free(made);
	brink_http_request_free(request);
}

/* ---- requests ---- */

/* Whatever the query is. */
static int is(const brink_http_request *request, const char *method, const char *path)
{
	const char *asked = brink_http_request_path(request);
	size_t length = strcspn(asked, "?");

	return strcmp(brink_http_request_method(request), method) == 0 && strlen(path) == length &&
	       memcmp(asked, path, length) == 0;
}

static int on_head(const brink_http_request *request, void *arg)
{
	(void)arg;
	return is(request, "POST", "/stream") ? BRINK_HTTP_STREAM : BRINK_HTTP_COLLECT;
}

static void on_request(brink_http_request *request, void *arg)
{
	static const char not_found[] = "there is no such page\n";

	(void)arg;
	if (is(request, "GET", "/") || is(request, "HEAD", "/")) {
		reply_with(request, 200, &html, page);
	} else if (is(request, "POST", "/echo")) {
		brink_http_reply(request, 200, &text, 1, brink_http_request_body(request));
		brink_http_request_free(request);
	} else if (is(request, "POST", "/stream")) {
		stream(request);
	} else if (is(request, "GET", "/count")) {
		count(request);
	} else {
		reply_with(request, 404, &text, not_found);
	}
}

static int serve(brink_loop *loop, brink_http *http, const char *address, brink_tls *tls)
{
	struct brink_protocol protocol;
	brink_server *server = NULL;
	int rc;

	brink_http_protocol(http, &protocol);
	rc = brink_server_create(&server, loop, &(struct brink_server_options){
		.address = address, .protocols = &protocol, .protocol_count = 1, .stop_on_signals = 1,
		.socket = {.transport = tls != NULL ? brink_tls_transport() : NULL, .transport_arg = tls,
			.write_timeout = BRINK_SECONDS(60)}}); /* who does not read its replies */
	if (rc == 0) {
		puts(brink_server_description(server));
		fflush(stdout);
		rc = brink_loop_run(loop);
	}
	brink_server_destroy(server);
	return rc;
}

static int open_tls(brink_tls **tls, const char *certificate, const char *key)
{
	int rc = brink_tls_create(tls, &(struct brink_tls_options){.role = BRINK_TLS_SERVER, .certificate_count = 1,
		.certificates = &(struct brink_tls_certificate){.file = certificate, .key_file = key}});

	if (rc < 0)
		fprintf(stderr, "http-server: %s\n", brink_tls_error());
	return rc;
}

int main(int argc, char **argv)
{
	brink_loop *loop = NULL;
	brink_http *http = NULL;
	brink_tls *tls = NULL;
	int rc;

	if (argc > 4 || argc == 3) {
		fputs("usage: http-server [ADDRESS [CERTIFICATE KEY]]\n", stderr);
		return 2;
	}
	rc = brink_loop_create(&loop, NULL);
	if (rc == 0)
		rc = brink_http_create(&http, &(struct brink_http_options){.on_request = on_request, .on_head = on_head});
	if (rc == 0 && argc > 3)
		rc = open_tls(&tls, argv[2], argv[3]);
	if (rc == 0)
		rc = serve(loop, http, argc > 1 ? argv[1] : "127.0.0.1:8080", tls);
	if (rc < 0)
		fprintf(stderr, "http-server: %s\n", brink_strerror(rc));
	brink_loop_destroy(loop);
	brink_http_destroy(http);
	brink_tls_release(tls);
	return rc < 0;
}
