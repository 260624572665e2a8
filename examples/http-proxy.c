/* A reverse proxy: HTTP comes in, plain or over TLS, and is asked of one server behind it, plain.
 *
 *     http-proxy 127.0.0.1:8080 127.0.0.1:8081        listens on the first, asks the second
 *     http-proxy 127.0.0.1:8443 127.0.0.1:8081 CERTIFICATE KEY        listens for TLS
 *
 * Requests are shared out over a few connections, each to the one with the fewest of them. They come back by
 * themselves when the server behind has been started anew; as long as it is away the answer is 502. Bodies are collected, up to
 * 16 MiB each way. */
#include <brink.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CLIENTS 8u
#define HEADERS 100u
#define BODY (16u << 20)

struct connection {
	brink_http_client *client;
	unsigned busy; /* requests that are not answered */
};

/* A request, and where its answer comes from. */
struct question {
	brink_http_request *request;
	struct connection *to;
};

static struct connection connections[CLIENTS];

/* Headers that are about one connection, not about what is said: RFC 9110, section 7.6.1; and those
 * that the library writes itself. */
static int is_passed_on(const struct brink_http_header *header)
{
	static const char *const kept_back[] = {"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer",
		"Transfer-Encoding", "Upgrade", "Content-Length", "Date", "Host", "Expect"};

	for (size_t i = 0; i < sizeof kept_back / sizeof kept_back[0]; i++)
		if (strcasecmp(header->name, kept_back[i]) == 0)
			return 0;
	return 1;
}

static int is_in_list(const char *list, const char *name)
{
	static const char between[] = ", \t";
	size_t size;

	for (list += strspn(list, between); *list != '\0'; list += size, list += strspn(list, between)) {
		size = strcspn(list, between);
		if (size == strlen(name) && strncasecmp(list, name, size) == 0)
			return 1;
	}
	return 0;
}

/* By a Connection header, which says what else is about this connection. */
static int is_named(const struct brink_http_header *headers, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(headers[i].name, "Connection") == 0 && is_in_list(headers[i].value, name))
			return 1;
	return 0;
}

static size_t pass_on(struct brink_http_header *to, const struct brink_http_header *from, size_t count)
{
	size_t passed = 0;

	for (size_t i = 0; i < count && passed < HEADERS; i++)
		if (is_passed_on(&from[i]) && !is_named(from, count, from[i].name))
			to[passed++] = from[i];
	return passed;
}

static void fail(brink_http_request *request, unsigned status, const char *why)
{
	brink_http_reply_bytes(request, status, NULL, 0, why, strlen(why));
	brink_http_request_free(request);
}

/* To HEAD: without the body, but with its length, if that was said. */
static int reply_to_head(brink_http_request *request, const struct brink_http_response *response,
                         const struct brink_http_header *headers, size_t count)
{
	const char *length = brink_http_find(response->headers, response->header_count, "Content-Length");
	int rc;

	if (response->status == 204 || response->status == 304)
		return brink_http_reply(request, response->status, headers, count, NULL);
	rc = brink_http_reply_begin(request, response->status, headers, count,
	                            length != NULL ? strtoll(length, NULL, 10) : -1, NULL, NULL);
	return rc < 0 ? rc : brink_http_reply_end(request);
}

static int reply_as(brink_http_request *request, const struct brink_http_response *response)
{
	struct brink_http_header headers[HEADERS];
	size_t count = pass_on(headers, response->headers, response->header_count);

	if (strcmp(brink_http_request_method(request), "HEAD") == 0)
		return reply_to_head(request, response, headers, count);
	return brink_http_reply(request, response->status, headers, count, response->body);
}

static void on_response(const struct brink_http_response *response, int error, void *arg)
{
	struct question *question = arg;
	brink_http_request *request = question->request;

	question->to->busy--;
	free(question);
	if (error < 0) {
		fail(request, error == -ETIMEDOUT ? 504 : 502, "the server behind does not answer\n");
		return;
	}
	if (reply_as(request, response) < 0)
		fail(request, 502, "the server behind answers with what cannot be passed on\n");
	else
		brink_http_request_free(request);
}

/* Those of one connection are answered one after the other: a slow one holds up who is behind it. */
static struct connection *least_busy(void)
{
	struct connection *least = &connections[0];

	for (unsigned i = 1; i < CLIENTS; i++)
		if (connections[i].busy < least->busy)
			least = &connections[i];
	return least;
}

static void on_request(brink_http_request *request, void *arg)
{
	struct brink_http_header headers[HEADERS];
	const struct brink_http_header *from;
	struct question *question = malloc(sizeof *question);
	size_t count;
	int rc;

	(void)arg;
	if (question == NULL) {
		fail(request, 503, "no memory\n");
		return;
	}
	*question = (struct question){.request = request, .to = least_busy()};
	from = brink_http_request_headers(request, &count);
	count = pass_on(headers, from, count);
	rc = brink_http_fetch(question->to->client, &(struct brink_http_fetch_options){
		.method = brink_http_request_method(request), .target = brink_http_request_path(request),
		.headers = headers, .header_count = count, .body = brink_http_request_body(request),
		.on_response = on_response, .arg = question});
	if (rc < 0) {
		free(question);
		fail(request, rc == -ENOMEM ? 503 : 400, "this cannot be passed on\n");
		return;
	}
	question->to->busy++;
}

/* ---- the program ---- */

static int open_clients(brink_loop *loop, const char *behind)
{
	struct brink_address address;
	struct brink_http_client_options options = {.address = &address, .limits.max_body = BODY,
		.timeout = BRINK_SECONDS(60)};
	int rc = brink_address_parse(&address, behind);

	for (unsigned i = 0; rc == 0 && i < CLIENTS; i++)
		rc = brink_http_client_create(&connections[i].client, loop, &options);
	return rc;
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
			.write_timeout = BRINK_SECONDS(60)}});
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
		fprintf(stderr, "http-proxy: %s\n", brink_tls_error());
	return rc;
}

int main(int argc, char **argv)
{
	brink_loop *loop = NULL;
	brink_http *http = NULL;
	brink_tls *tls = NULL;
	int rc;

	if (argc != 3 && argc != 5) {
		fputs("usage: http-proxy ADDRESS ADDRESS-BEHIND [CERTIFICATE KEY]\n", stderr);
		return 2;
	}
	rc = brink_loop_create(&loop, NULL);
	if (rc == 0)
		rc = brink_http_create(&http, &(struct brink_http_options){
			.on_request = on_request, .limits.max_body = BODY});
	if (rc == 0)
		rc = open_clients(loop, argv[2]);
	if (rc == 0 && argc > 3)
		rc = open_tls(&tls, argv[3], argv[4]);
	if (rc == 0)
		rc = serve(loop, http, argv[1], tls);
	if (rc < 0)
		fprintf(stderr, "http-proxy: %s\n", brink_strerror(rc));
	for (unsigned i = 0; i < CLIENTS; i++)
		brink_http_client_destroy(connections[i].client);
	brink_loop_destroy(loop);
	brink_http_destroy(http);
	brink_tls_release(tls);
	return rc < 0;
}
