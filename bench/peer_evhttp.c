/* libevent's HTTP server, with a page that stays where it is. */
#include "page.h"
#include "peers.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdlib.h>

struct page {
	char *bytes;
	size_t size;
};

static void on_request(struct evhttp_request *request, void *arg)
{
	const struct page *page = arg;

	if (evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", PAGE_TYPE) < 0 ||
	    evbuffer_add_reference(evhttp_request_get_output_buffer(request), page->bytes, page->size, NULL, NULL) < 0)
		abort();
	/* NULL: what is in its buffer already. */
	evhttp_send_reply(request, HTTP_OK, "OK", NULL);
}

static int serve(int listener, const char *backend, size_t size)
{
	struct page page = {make_page(size), size};
	struct event_base *base = event_base_new();
	struct evhttp *http = base != NULL ? evhttp_new(base) : NULL;

	(void)backend;
	if (http == NULL || evhttp_accept_socket(http, listener) < 0)
		return -ENOMEM;
	evhttp_set_gencb(http, on_request, &page);
	event_base_dispatch(base);
	return -ECANCELED;
}

const struct peer peer_evhttp = {
	.name = "evhttp",
	.about = "libevent's HTTP server",
	.serve_http = serve,
};
