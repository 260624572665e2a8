/* Fetches over HTTP.
 *
 *     http-fetch http://127.0.0.1:8080/path ...            GET each of them, one after another
 *     http-fetch --post TEXT http://127.0.0.1:8080/path    POST
 *     http-fetch --head http://127.0.0.1:8080/path         HEAD: shows the headers
 *
 * The host is an address: names are not looked up. All URLs are to be of one server; they go over
 * one connection. Status 1 if one of them fails. */
#include <brink.h>

#include <stdio.h>
#include <string.h>

struct state {
	brink_loop *loop;
	int left, failed, show_head;
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

/* "http://127.0.0.1:8080/path": the address, and where the path is; NULL. */
static const char *split(const char *url, char *address, size_t size)
{
	const char *host = url + 7;
	size_t length;

	if (strncmp(url, "http://", 7) != 0)
		return NULL;
	length = strcspn(host, "/");
	if (length + 4 > size)
		return NULL;
	memcpy(address, host, length);
	/* Without a port it is 80. */
	strcpy(address + length, strrchr(host, ':') == NULL ? ":80" : "");
	return host[length] != '\0' ? host + length : "/";
}

static int fetch(brink_http_client *client, struct state *state, const char *url, const char *post)
{
	char address[256];
	brink_buffer body = {0};
	struct brink_http_fetch_options options = {
		.method = post != NULL ? "POST" : state->show_head ? "HEAD" : "GET",
		.target = split(url, address, sizeof address),
		.body = &body,
		.on_part = print_part,
		.on_response = on_response,
		.arg = state,
	};
	int rc = post != NULL ? brink_buffer_append(&body, post, strlen(post)) : 0;

	if (rc == 0)
		rc = brink_http_fetch(client, &options);
	if (rc == 0)
		state->left++;
	brink_buffer_clear(&body);
	return rc;
}

static int fetch_all(struct state *state, char **urls, const char *post)
{
	struct brink_address address;
	brink_http_client *client = NULL;
	char text[256];
	int rc;

	if (*urls == NULL || split(*urls, text, sizeof text) == NULL || brink_address_parse(&address, text) < 0) {
		fputs("usage: http-fetch [--head | --post TEXT] http://ADDRESS:PORT/PATH ...\n", stderr);
		return -1;
	}
	rc = brink_http_client_create(&client, state->loop, &(struct brink_http_client_options){
		.address = &address, .timeout = BRINK_SECONDS(120)});
	for (; rc == 0 && *urls != NULL; urls++)
		rc = fetch(client, state, *urls, post);
	if (rc == 0)
		rc = brink_loop_run(state->loop);
	if (rc < 0)
		fprintf(stderr, "http-fetch: %s\n", brink_strerror(rc));
	brink_http_client_destroy(client);
	return rc;
}

int main(int argc, char **argv)
{
	struct state state = {0};
	const char *post = NULL;
	int first = 1, rc;

	if (argc > 1 && strcmp(argv[1], "--head") == 0) {
		state.show_head = 1;
		first = 2;
	} else if (argc > 2 && strcmp(argv[1], "--post") == 0) {
		post = argv[2];
		first = 3;
	}
	rc = brink_loop_create(&state.loop, NULL);
	if (rc == 0)
		rc = fetch_all(&state, argv + (first < argc ? first : argc), post);
	brink_loop_destroy(state.loop);
	return rc < 0 || state.failed;
}
