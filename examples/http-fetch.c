/* Fetches over HTTP, plain or over TLS.
 *
 *     http-fetch http://www.example.org/path ...           GET each of them, one after another
 *     http-fetch --post TEXT http://127.0.0.1:8080/path    POST
 *     http-fetch --head http://[::1]:8080/path             HEAD: shows the headers
 *     http-fetch --ca FILE https://localhost:8443/path     trusts these, and not whom the system does
 *
 * All URLs are to be of one server; they go over one connection. Where a page has moved to is shown by
 * --head: it is not gone after. Status 1 if one of them fails. */
#include <brink.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct state {
	brink_loop *loop;
	brink_tls *tls;
	int left, failed, show_head;
	const char *post, *ca;
};

/* "https://www.example.org:8443/path" in parts. */
struct place {
	int secure;
	char host[256]; /* in brackets, if it was */
	char name[280]; /* with the port */
	const char *path;
};

static void print_part(brink_buffer *part, void *arg)
{
	char bytes[4096];
	size_t size;

	(void)arg;
	while ((size = brink_buffer_copy(part, 0, bytes, sizeof bytes)) > 0) {
		fwrite(bytes, 1, size, stdout);
		brink_buffer_pop(part, size);
	}
}

static void on_response(const struct brink_http_response *response, int error, void *arg)
{
	struct state *state = arg;

	if (error < 0) {
		fprintf(stderr, "http-fetch: %s\n", brink_strerror(error));
		state->failed = 1;
	} else {
		fprintf(stderr, "http-fetch: %u %s\n", response->status, response->reason);
		state->failed |= response->status >= 400;
		for (size_t i = 0; state->show_head && i < response->header_count; i++)
			printf("%s: %s\n", response->headers[i].name, response->headers[i].value);
	}
	if (--state->left == 0)
		brink_loop_stop(state->loop);
}

static int split(const char *url, struct place *place)
{
	const char *host, *port;
	size_t length;

	place->secure = strncmp(url, "https://", 8) == 0;
	if (!place->secure && strncmp(url, "http://", 7) != 0)
		return -EINVAL;
	host = url + (place->secure ? 8 : 7);
	length = strcspn(host, "/");
	place->path = host[length] != '\0' ? host + length : "/";
	/* The colons of an IPv6 address are in brackets. */
	port = host + (*host == '[' ? strcspn(host, "]/") : 0);
	port += strcspn(port, ":/");
	if (port == host || (size_t)(port - host) >= sizeof place->host || length + 5 > sizeof place->name)
		return -EINVAL;
	snprintf(place->host, sizeof place->host, "%.*s", (int)(port - host), host);
	snprintf(place->name, sizeof place->name, "%.*s%s", (int)length, host,
	         *port == ':' ? "" : place->secure ? ":443" : ":80");
	return 0;
}

static int fetch(brink_http_client *client, struct state *state, const struct place *server, const char *url)
{
	struct place place = {0};
	brink_buffer body = {0};
	int rc = split(url, &place);
	struct brink_http_fetch_options options = {
		.method = state->post != NULL ? "POST" : state->show_head ? "HEAD" : "GET",
		.target = place.path,
		.body = &body,
		.on_part = print_part,
		.on_response = on_response,
		.arg = state,
	};

	if (rc == 0 && (place.secure != server->secure || strcmp(place.name, server->name) != 0))
		rc = -EINVAL; /* of another server */
	if (rc == 0 && state->post != NULL)
		rc = brink_buffer_append(&body, state->post, strlen(state->post));
	if (rc == 0)
		rc = brink_http_fetch(client, &options);
	if (rc == 0)
		state->left++;
	brink_buffer_clear(&body);
	return rc;
}

/* Whose certificate it has to be: the host, of an address without its brackets. */
static int open_tls(struct state *state, const struct place *place)
{
	char peer[256];
	int rc;

	snprintf(peer, sizeof peer, "%s", place->host + (place->host[0] == '['));
	peer[strcspn(peer, "]")] = '\0';
	rc = brink_tls_create(&state->tls, &(struct brink_tls_options){.peer_name = peer, .ca_file = state->ca});
	if (rc < 0)
		fprintf(stderr, "http-fetch: %s\n", brink_tls_error());
	return rc;
}

static int fetch_all(struct state *state, char **urls)
{
	brink_http_client *client = NULL;
	struct place place;
	int rc = 0;

	if (*urls == NULL || split(*urls, &place) < 0) {
		fputs("usage: http-fetch [--head | --post TEXT] [--ca FILE] http[s]://HOST[:PORT]/PATH ...\n", stderr);
		return -1;
	}
	if (place.secure)
		rc = open_tls(state, &place);
	if (rc == 0)
		rc = brink_http_client_create(&client, state->loop, &(struct brink_http_client_options){
			.name = place.name, .timeout = BRINK_SECONDS(120), .socket = {.transport_arg = state->tls,
				.transport = place.secure ? brink_tls_transport() : NULL}});
	for (; rc == 0 && *urls != NULL; urls++)
		rc = fetch(client, state, &place, *urls);
	if (rc == 0)
		rc = brink_loop_run(state->loop);
	if (rc < 0)
		fprintf(stderr, "http-fetch: %s\n", brink_strerror(rc));
	brink_http_client_destroy(client);
	return rc;
}

/* From `argv[1]` on; returns the place of the first URL, or of an option that there is not. */
static int read_options(struct state *state, int argc, char **argv)
{
	int first = 1;

	for (; first < argc && strncmp(argv[first], "--", 2) == 0; first++)
		if (strcmp(argv[first], "--head") == 0)
			state->show_head = 1;
		else if (first + 1 < argc && strcmp(argv[first], "--post") == 0)
			state->post = argv[++first];
		else if (first + 1 < argc && strcmp(argv[first], "--ca") == 0)
			state->ca = argv[++first];
		else
			break;
	return first;
}

int main(int argc, char **argv)
{
	struct state state = {0};
	int first = read_options(&state, argc, argv), rc;

	for (int i = first; i < argc; i++)
		argv[i][strcspn(argv[i], "#")] = '\0'; /* what is behind it, servers are not told */
	rc = brink_loop_create(&state.loop, NULL);
	if (rc == 0)
		rc = fetch_all(&state, argv + first);
	brink_loop_destroy(state.loop);
	brink_tls_release(state.tls);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("http-fetch: standard output");
		state.failed = 1;
	}
	return rc < 0 || state.failed;
}
