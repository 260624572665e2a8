/* libbrink's HTTP server, with a page of bytes. */
#include "page.h"
#include "peers.h"

#include <brink.h>

#include <stdlib.h>

struct page {
	char *bytes;
	size_t size;
};

static void on_request(brink_http_request *request, void *arg)
{
	static const struct brink_http_header type = {"Content-Type", PAGE_TYPE};
	const struct page *page = arg;

	if (brink_http_reply_bytes(request, 200, &type, 1, page->bytes, page->size) < 0)
		abort();
	brink_http_request_free(request);
}

static int serve(int listener, const char *backend, size_t size)
{
	struct page page = {make_page(size), size};
	struct brink_protocol protocol;
	brink_server *server;
	brink_loop *loop;
	brink_http *http;
	int rc = brink_loop_create(&loop, &(struct brink_loop_options){.backend = backend});

	if (rc == 0)
		rc = brink_http_create(&http, &(struct brink_http_options){.on_request = on_request, .arg = &page});
	if (rc < 0)
		return rc;
	brink_http_protocol(http, &protocol);
	rc = brink_server_create(&server, loop, &(struct brink_server_options){
		.listener.fd = listener, .protocols = &protocol, .protocol_count = 1});
	return rc == 0 ? brink_loop_run(loop) : rc;
}

const struct peer peer_brink_http = {
	.name = "brink-http",
	.about = "libbrink, its HTTP server",
	.has_backends = true,
	.serve_http = serve,
};
