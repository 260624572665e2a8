/* What a program asks of a request, and the request's end. */
#include "config.h"

#include "http_session.h"

#include <errno.h>

const char *brink_http_request_method(const brink_http_request *request)
{
	return request->head->method;
}

const char *brink_http_request_target(const brink_http_request *request)
{
	return request->head->target;
}

const char *brink_http_request_path(const brink_http_request *request)
{
	return request->head->path;
}

const char *brink_http_request_host(const brink_http_request *request)
{
	return request->head->host;
}

unsigned brink_http_request_minor(const brink_http_request *request)
{
	return request->head->minor;
}

const struct brink_http_header *brink_http_request_headers(const brink_http_request *request, size_t *count)
{
	*count = request->head->count;
	return request->head->headers;
}

const char *brink_http_request_header(const brink_http_request *request, const char *name)
{
	return brink_http_find(request->head->headers, request->head->count, name);
}

brink_buffer *brink_http_request_body(brink_http_request *request)
{
	return &request->message->body;
}

brink_socket *brink_http_request_socket(const brink_http_request *request)
{
	return request->session->socket;
}

/* A reply that is not whole is not to be taken for one: where the end of the connection is its own, that
 * has to be a reset. Of no reply at all it is said. */
static void finish_reply(brink_http_request *request)
{
	brink_socket_id id = brink_socket_get_id(request->session->socket);

	if (request->begun && !request->ended)
		brink__socket_reset(request->session->socket, -ECANCELED, "a reply was not completed");
	else if (!request->begun && brink__http_plain_reply(request, 500) < 0)
		brink_socket_fail(id, -ENOMEM, "no memory for a reply");
}

static void abandon(brink_http_request *request)
{
	struct brink__http_session *session = request->session;

	finish_reply(request);
	pthread_mutex_lock(&session->lock);
	/* What is left of a body that nobody reads is dropped, and then the connection can go on. */
	request->dropped = true;
	request->wants = false;
	brink__http_drop(&request->parts);
	request->begun = request->ended = true;
	brink__http_update_reading(session);
	brink__http_flush_locked(session);
}

void brink_http_request_free(brink_http_request *request)
{
	if (request == NULL)
		return;
	/* Of one that is answered, and whose body does not come in parts, there is nothing left. */
	if (!request->ended || request->streamed)
		abandon(request);
	brink__http_request_unref(request);
}
