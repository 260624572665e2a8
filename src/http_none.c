/* All that is public of HTTP, where no parser was found. Nothing can be created, so the others are
 * never called with anything. */
#include "config.h"

#include "loop.h"

#include <brink/http.h>

#include <errno.h>

const char *brink_http_find(const struct brink_http_header *headers, size_t count, const char *name)
{
	(void)headers, (void)count, (void)name;
	return NULL;
}

int brink_http_create(brink_http **http, const struct brink_http_options *options)
{
	(void)http, (void)options;
	return -ENOTSUP;
}

void brink_http_destroy(brink_http *http)
{
	(void)http;
}

void brink_http_protocol(brink_http *http, struct brink_protocol *protocol)
{
	(void)http;
	*protocol = (struct brink_protocol){0};
}

const char *brink_http_request_method(const brink_http_request *request)
{
	(void)request;
	return "";
}

const char *brink_http_request_target(const brink_http_request *request)
{
	(void)request;
	return "";
}

const char *brink_http_request_path(const brink_http_request *request)
{
	(void)request;
	return "";
}

const char *brink_http_request_host(const brink_http_request *request)
{
	(void)request;
	return "";
}

unsigned brink_http_request_minor(const brink_http_request *request)
{
	(void)request;
	return 0;
}

const struct brink_http_header *brink_http_request_headers(const brink_http_request *request, size_t *count)
{
	(void)request;
	*count = 0;
	return NULL;
}

const char *brink_http_request_header(const brink_http_request *request, const char *name)
{
	(void)request, (void)name;
	return NULL;
}

brink_buffer *brink_http_request_body(brink_http_request *request)
{
	(void)request;
	return NULL;
}

brink_socket *brink_http_request_socket(const brink_http_request *request)
{
	(void)request;
	return NULL;
}

int brink_http_request_read(brink_http_request *request, brink_http_body_fn *fn, void *arg)
{
	(void)request, (void)fn, (void)arg;
	return -ENOTSUP;
}

int brink_http_reply(brink_http_request *request, unsigned status, const struct brink_http_header *headers,
                     size_t count, brink_buffer *body)
{
	(void)request, (void)status, (void)headers, (void)count, (void)body;
	return -ENOTSUP;
}

int brink_http_reply_bytes(brink_http_request *request, unsigned status, const struct brink_http_header *headers,
                           size_t count, const void *bytes, size_t size)
{
	(void)request, (void)status, (void)headers, (void)count, (void)bytes, (void)size;
	return -ENOTSUP;
}

int brink_http_reply_begin(brink_http_request *request, unsigned status, const struct brink_http_header *headers,
                           size_t count, int64_t length, brink_http_ready_fn *on_ready, void *arg)
{
	(void)request, (void)status, (void)headers, (void)count, (void)length, (void)on_ready, (void)arg;
	return -ENOTSUP;
}

int brink_http_reply_write(brink_http_request *request, brink_buffer *part)
{
	(void)request, (void)part;
	return -ENOTSUP;
}

int brink_http_reply_end(brink_http_request *request)
{
	(void)request;
	return -ENOTSUP;
}

void brink_http_request_free(brink_http_request *request)
{
	(void)request;
}

int brink_http_client_create(brink_http_client **client, brink_loop *loop,
                             const struct brink_http_client_options *options)
{
	(void)client, (void)loop, (void)options;
	return -ENOTSUP;
}

void brink_http_client_destroy(brink_http_client *client)
{
	(void)client;
}

int brink_http_fetch(brink_http_client *client, const struct brink_http_fetch_options *options)
{
	(void)client, (void)options;
	return -ENOTSUP;
}

/* Nobody posts it. */
void brink__http_client_begin(brink_task *task)
{
	(void)task;
}
