/* One request of the client and its response. */
#include "config.h"

#include "http_client.h"
#include "memory.h"

#include <errno.h>
#include <string.h>

#define LENGTH_LINE (18u + BRINK__HTTP_NUMBER)

/* ---- the request ---- */

static bool is_ours(const char *name)
{
	return brink__http_same(name, "Host") || brink__http_same(name, "Content-Length") ||
	       brink__http_same(name, "Transfer-Encoding");
}

/* A target that is a whole URI, for a proxy: what is behind its scheme. NULL: it is none. */
static const char *behind_scheme(const char *target)
{
	return strncmp(target, "http://", 7) == 0 ? target + 7 : NULL;
}

static size_t host_size(const char *host)
{
	return strcspn(host, "/?");
}

/* It has a host, and no user in front of that: RFC 9110, section 4.2. */
static bool is_whole(const char *target)
{
	const char *host = behind_scheme(target);

	return host != NULL && host_size(host) > 0 && memchr(host, '@', host_size(host)) == NULL;
}

static bool target_is_sound(const char *target)
{
	if (*target != '/' && strcmp(target, "*") != 0 && !is_whole(target))
		return false;
	for (; *target != '\0'; target++)
		if (*target <= ' ' || *target >= 0x7f || *target == '#')
			return false;
	return true;
}

static bool options_are_sound(const struct brink_http_fetch_options *options)
{
	static void *const zero[sizeof options->reserved / sizeof options->reserved[0]];

	if (options->on_response == NULL || memcmp(options->reserved, zero, sizeof zero) != 0 ||
	    (options->method != NULL &&
	     (!brink__http_is_token(options->method) || strcmp(options->method, "CONNECT") == 0)) ||
	    (options->target != NULL && !target_is_sound(options->target)))
		return false;
	for (size_t i = 0; i < options->header_count; i++)
		if (brink__http_measure(&options->headers[i]).name == 0 || is_ours(options->headers[i].name))
			return false;
	return true;
}

/* What may be done twice without harm: RFC 9110, section 9.2.2. */
static bool is_idempotent(const char *method)
{
	static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"};

	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
		if (strcmp(method, methods[i]) == 0)
			return true;
	return false;
}

/* After such a request none follows on its connection: RFC 9112, section 9.6. */
static bool says_close(const struct brink_http_fetch_options *options)
{
	for (size_t i = 0; i < options->header_count; i++)
		if (brink__http_same(options->headers[i].name, "Connection") &&
		    brink__http_list_has(options->headers[i].value, "close"))
			return true;
	return false;
}

/* Where a body is usual its length is said also when it is 0. */
static char *write_length(char *at, const char *method, const brink_buffer *body)
{
	size_t length = body == NULL ? 0 : brink_buffer_length(body);

	if (length == 0 && strcmp(method, "POST") != 0 && strcmp(method, "PUT") != 0 && strcmp(method, "PATCH") != 0)
		return at;
	at = brink__http_write(at, "Content-Length: ");
	at = brink__http_write_number(at, length);
	return brink__http_write(at, "\r\n");
}

static size_t headers_size(const struct brink_http_fetch_options *options)
{
	size_t size = 0;

	for (size_t i = 0; i < options->header_count; i++)
		size += brink__http_line_size(brink__http_measure(&options->headers[i]));
	return size;
}

static char *write_headers(char *at, const struct brink_http_fetch_options *options)
{
	for (size_t i = 0; i < options->header_count; i++)
		at = brink__http_write_header(at, &options->headers[i], brink__http_measure(&options->headers[i]));
	return at;
}

static int put_request(brink_buffer *out, const brink_http_client *client, const char *method,
                       const struct brink_http_fetch_options *options)
{
	const char *target = options->target == NULL ? "/" : options->target;
	/* That of a whole URI is the one that is meant: RFC 9112, section 3.2. */
	const char *named = behind_scheme(target), *host = named != NULL ? named : client->host;
	const char *const parts[] = {method, " ", target, " HTTP/1.1\r\nHost: "};
	size_t count = sizeof parts / sizeof parts[0];
	size_t size = host_size(host) + 2 + headers_size(options) + LENGTH_LINE + 2;
	char *start, *at;

	for (size_t i = 0; i < count; i++)
		size += strlen(parts[i]);
	start = at = brink_buffer_reserve(out, size, NULL);
	if (start == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		at = brink__http_write(at, parts[i]);
	memcpy(at, host, host_size(host));
	at = brink__http_write(at + host_size(host), "\r\n");
	at = write_headers(at, options);
	at = write_length(at, method, options->body);
	at = brink__http_write(at, "\r\n");
	brink_buffer_commit(out, (size_t)(at - start));
	return 0;
}

int brink__http_exchange_create(struct brink__http_exchange **exchange, const brink_http_client *client,
                                const struct brink_http_fetch_options *options)
{
	const char *method = options->method == NULL ? "GET" : options->method;
	struct brink__http_exchange *made;

	if (!options_are_sound(options))
		return -EINVAL;
	made = brink__allocate(1, sizeof *made);
	if (made == NULL)
		return -ENOMEM;
	if (put_request(&made->request, client, method, options) < 0) {
		brink__http_exchange_destroy(made);
		return -ENOMEM;
	}
	if (options->body != NULL)
		brink_buffer_move(&made->request, options->body);
	made->head = strcmp(method, "HEAD") == 0;
	made->repeatable = is_idempotent(method);
	made->last = says_close(options);
	made->on_part = options->on_part;
	made->on_response = options->on_response;
	made->arg = options->arg;
	*exchange = made;
	return 0;
}

void brink__http_exchange_destroy(struct brink__http_exchange *exchange)
{
	brink_buffer_clear(&exchange->request);
	brink_buffer_clear(&exchange->body);
	brink__http_head_destroy(exchange->response);
	brink__free(exchange);
}

/* ---- the response ---- */

/* Those of 100 to 199 are passed over; one that changes the protocol was not asked for. */
static int take_head(struct brink__http_exchange *exchange, struct brink__http_reader *reader, brink_buffer *in)
{
	struct brink__http_head *head;

	for (;;) {
		unsigned status;
		int rc;

		reader->bodyless = exchange->head;
		rc = brink__http_read_head(reader, in, &head);
		if (rc <= 0)
			return rc;
		status = head->status;
		if (status >= 200) {
			exchange->response = head;
			return 1;
		}
		brink__http_head_destroy(head);
		if (status == 101)
			return -EPROTO;
	}
}

static int take_body(struct brink__http_exchange *exchange, struct brink__http_reader *reader, brink_buffer *in,
                     bool at_end)
{
	int rc;

	if (exchange->on_part == NULL && exchange->response->length > reader->limits.max_body)
		return -EMSGSIZE;
	rc = brink__http_read_body(reader, in, at_end, &exchange->body);
	if (rc < 0)
		return rc;
	if (exchange->on_part != NULL && brink_buffer_length(&exchange->body) > 0) {
		exchange->on_part(&exchange->body, exchange->arg);
		brink_buffer_clear(&exchange->body);
	}
	if (brink_buffer_length(&exchange->body) > reader->limits.max_body && exchange->on_part == NULL)
		return -EMSGSIZE;
	return rc;
}

int brink__http_exchange_take(struct brink__http_exchange *exchange, struct brink__http_reader *reader,
                              brink_buffer *in, bool at_end)
{
	int rc = 1;

	if (exchange->response == NULL)
		rc = take_head(exchange, reader, in);
	if (rc == 1 && brink__http_reader_has_body(reader))
		rc = take_body(exchange, reader, in, at_end);
	return rc;
}
