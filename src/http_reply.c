/* The program's answers. A reply is put together without the lock, since one thread at a time
 * answers a request, and handed to the session with it. */
#include "config.h"

#include "http_session.h"
#include "os.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MEASURED 4u /* headers whose lengths are kept between the look at them and the writing */

struct reply {
	unsigned status;
	const struct brink_http_header *headers;
	size_t count;
	int64_t length; /* below 0: not known */
	/* Both NULL: the body comes later, or not at all. */
	brink_buffer *body;
	const void *bytes; /* all of it, and little */
	/* Found out. */
	size_t lines; /* bytes that the headers take */
	struct brink__http_lengths lengths[MEASURED]; /* of the first of them */
	bool names_connection, says_close; /* the program's headers */
	bool chunked, close;
};

/* Bytes of a head, at most, without the program's headers. */
#define HEAD_ROOM (256u + BRINK__HTTP_DATE)

static bool has_body(unsigned status)
{
	return status != 204 && status != 304;
}

/* The length first: it tells most apart that begin alike. */
static inline bool is_word(const char *name, size_t size, const char *word)
{
	return size == strlen(word) && brink__http_same(name, word);
}

static bool is_ours(const char *name, size_t size)
{
	return is_word(name, size, "Content-Length") || is_word(name, size, "Transfer-Encoding") ||
	       is_word(name, size, "Date");
}

static int check(struct reply *reply)
{
	if (reply->status < 200 || reply->status > 999 || (!has_body(reply->status) && reply->length > 0))
		return -EINVAL;
	reply->lines = 0;
	for (size_t i = 0; i < reply->count; i++) {
		const struct brink_http_header *header = &reply->headers[i];
		struct brink__http_lengths lengths = brink__http_measure(header);

		if (lengths.name == 0 || is_ours(header->name, lengths.name))
			return -EINVAL;
		if (i < MEASURED)
			reply->lengths[i] = lengths;
		reply->lines += brink__http_line_size(lengths);
		if (!is_word(header->name, lengths.name, "Connection"))
			continue;
		reply->names_connection = true;
		reply->says_close = reply->says_close || brink__http_list_has(header->value, "close");
	}
	return 0;
}

static bool is_stopping(const struct brink__http_session *session)
{
	return atomic_load_explicit(&session->socket->config->stopping, memory_order_relaxed);
}

/* With the lock: whether the server stops, and this is the last that its client has asked for. Before the stop comes to
 * the connection, a body that is coming is read on, and what has come behind the request is still served. */
static bool is_farewell(const brink_http_request *request)
{
	const struct brink__http_session *session = request->session;

	if (request->next != NULL)
		return false;
	return atomic_load(&session->ending) || (is_stopping(session) && session->receiving == NULL && !session->follows &&
	                                         brink__os_is_quiet(session->socket->fd));
}

/* Who waits for "100 Continue" and gets another answer may send the body, or not: then nobody knows
 * where the next request begins. A body that nobody wants to read is not waited for. And the last reply before the
 * server stops says so. */
static bool must_close(brink_http_request *request, bool ends)
{
	struct brink__http_session *session = request->session;
	const struct brink__http_head *head = request->head;
	bool close;

	/* Where no body can come, what the lock is for is never set, unless the server stops. */
	if (head->length == 0 && !head->chunked && !head->expects && !is_stopping(session))
		return request->close;
	pthread_mutex_lock(&session->lock);
	close = request->close || brink__http_waits_for_word(request) || is_farewell(request) ||
	        (ends && session->receiving == request && request->on_body == NULL);
	pthread_mutex_unlock(&session->lock);
	return close;
}

static char *write_status(char *at, unsigned status)
{
	at = brink__http_write(at, "HTTP/1.1 ");
	*at++ = (char)('0' + status / 100);
	*at++ = (char)('0' + status / 10 % 10);
	*at++ = (char)('0' + status % 10);
	*at++ = ' ';
	at = brink__http_write_reason(at, status);
	return brink__http_write(at, "\r\n");
}

static char *write_headers(char *at, const struct reply *reply)
{
	for (size_t i = 0; i < reply->count; i++) {
		const struct brink_http_header *header = &reply->headers[i];

		at = brink__http_write_header(at, header, i < MEASURED ? reply->lengths[i] : brink__http_measure(header));
	}
	return at;
}

static char *write_framing(char *at, const struct reply *reply)
{
	if (!has_body(reply->status))
		return at;
	if (reply->chunked)
		return brink__http_write(at, "Transfer-Encoding: chunked\r\n");
	if (reply->length < 0)
		return at;
	at = brink__http_write(at, "Content-Length: ");
	at = brink__http_write_number(at, (uint64_t)reply->length);
	return brink__http_write(at, "\r\n");
}

static char *write_connection(char *at, unsigned minor, const struct reply *reply)
{
	if (reply->close && !reply->says_close)
		return brink__http_write(at, "Connection: close\r\n");
	if (reply->close || reply->names_connection || minor > 0)
		return at;
	return brink__http_write(at, "Connection: keep-alive\r\n");
}

/* How much of the body is behind the head, in the same memory: all, or nothing. */
static size_t little_of(const struct reply *reply)
{
	if (reply->bytes != NULL)
		return (size_t)reply->length;
	return reply->body != NULL && brink__http_is_little(reply->body) ? brink_buffer_length(reply->body) : 0;
}

static char *write_little(char *at, const struct reply *reply, size_t little)
{
	if (reply->bytes != NULL)
		memcpy(at, reply->bytes, little);
	else if (little > 0)
		brink_buffer_copy(reply->body, 0, at, little);
	return at + little;
}

/* The head; and behind it, if it is little, the body, which is empty then. */
static int put_head(brink_buffer *out, unsigned minor, const struct reply *reply)
{
	size_t little = little_of(reply), room = HEAD_ROOM + reply->lines + little;
	char *start = brink_buffer_reserve(out, room, NULL), *at;

	if (start == NULL)
		return -ENOMEM;
	at = write_status(start, reply->status);
	at = brink__http_write_date(at);
	at = write_headers(at, reply);
	at = write_framing(at, reply);
	at = write_connection(at, minor, reply);
	at = brink__http_write(at, "\r\n");
	at = write_little(at, reply, little);
	brink_buffer_commit(out, (size_t)(at - start));
	if (little > 0 && reply->body != NULL)
		brink_buffer_clear(reply->body);
	return 0;
}

/* In `out` is the head, with what the request, and its client, make of the reply. */
static int prepare(brink_http_request *request, struct reply *reply, bool ends, brink_buffer *out)
{
	int rc = check(reply);

	if (rc < 0)
		return rc;
	reply->close = must_close(request, ends) || reply->says_close;
	if (reply->length < 0 && has_body(reply->status)) {
		reply->chunked = request->head->minor > 0;
		/* Its end is the connection's. */
		reply->close = reply->close || !reply->chunked;
	}
	return put_head(out, request->head->minor, reply);
}

/* With the lock. Hands over what is in `out`; -EALREADY: the request is answered, and it stays there. */
static int begin(brink_http_request *request, const struct reply *reply, brink_buffer *out, bool ends)
{
	if (request->begun)
		return -EALREADY;
	request->begun = true;
	request->ended = ends;
	request->close = request->close || reply->close;
	request->chunked = reply->chunked;
	request->measured = reply->length >= 0;
	request->left = reply->length;
	request->silent = request->silent || !has_body(reply->status);
	brink_buffer_move(&request->out, out);
	return 0;
}

/* And has it written. */
static int begin_and_flush(brink_http_request *request, const struct reply *reply, brink_buffer *out, bool ends)
{
	int rc;

	pthread_mutex_lock(&request->session->lock);
	rc = begin(request, reply, out, ends);
	brink__http_flush_locked(request->session);
	if (rc < 0)
		brink_buffer_clear(out);
	return rc;
}

static int answer(brink_http_request *request, struct reply *reply)
{
	brink_buffer out = {0};
	int rc;

	if (request->begun)
		return -EALREADY;
	rc = prepare(request, reply, true, &out);
	if (rc < 0)
		return rc;
	if (reply->body != NULL)
		brink_buffer_move(&out, reply->body);
	return begin_and_flush(request, reply, &out, true);
}

int brink_http_reply(brink_http_request *request, unsigned status, const struct brink_http_header *headers,
                     size_t count, brink_buffer *body)
{
	struct reply reply = {.status = status, .headers = headers, .count = count};
	int rc;

	reply.length = body == NULL ? 0 : (int64_t)brink_buffer_length(body);
	reply.body = request->silent ? NULL : body;
	rc = answer(request, &reply);
	if (rc == 0 && body != NULL)
		brink__http_drop(body);
	return rc;
}

static int reply_large(brink_http_request *request, unsigned status, const struct brink_http_header *headers,
                       size_t count, const void *bytes, size_t size)
{
	brink_buffer body = {0};
	int rc = brink_buffer_append(&body, bytes, size);

	if (rc == 0)
		rc = brink_http_reply(request, status, headers, count, &body);
	brink_buffer_clear(&body);
	return rc;
}

int brink_http_reply_bytes(brink_http_request *request, unsigned status, const struct brink_http_header *headers,
                           size_t count, const void *bytes, size_t size)
{
	struct reply reply = {.status = status, .headers = headers, .count = count, .length = (int64_t)size};

	if (size > BRINK__HTTP_LITTLE)
		return reply_large(request, status, headers, count, bytes, size);
	reply.bytes = request->silent ? NULL : bytes;
	return answer(request, &reply);
}

/* After it the connection is closed: the client's version does not matter. */
int brink__http_plain_reply(brink_http_request *request, unsigned status)
{
	const struct brink_http_header type = {"Content-Type", "text/plain; charset=utf-8"};
	struct reply reply = {.status = status, .headers = &type, .count = 1, .close = true};
	brink_buffer out = {0};
	char text[64];
	int rc;

	snprintf(text, sizeof text, "%u %s\n", status, brink__http_reason(status));
	reply.length = (int64_t)strlen(text);
	reply.bytes = request->silent ? NULL : text;
	rc = check(&reply);
	if (rc == 0)
		rc = put_head(&out, 1, &reply);
	if (rc == 0) {
		pthread_mutex_lock(&request->session->lock);
		begin(request, &reply, &out, true);
		pthread_mutex_unlock(&request->session->lock);
	}
	brink_buffer_clear(&out);
	return rc;
}

/* ---- streamed ---- */

int brink_http_reply_begin(brink_http_request *request, unsigned status, const struct brink_http_header *headers,
                           size_t count, int64_t length, brink_http_ready_fn *on_ready, void *arg)
{
	struct reply reply = {.status = status, .headers = headers, .count = count, .length = length < 0 ? -1 : length};
	brink_buffer out = {0};
	int rc;

	if (request->begun)
		return -EALREADY;
	rc = check(&reply);
	/* Who begins with a success before it reads is going to. */
	if (rc == 0 && status < 300)
		rc = brink__http_tell_to_go_on(request);
	if (rc == 0)
		rc = prepare(request, &reply, false, &out);
	if (rc < 0)
		return rc;
	request->on_ready = on_ready;
	request->ready_arg = arg;
	return begin_and_flush(request, &reply, &out, false);
}

static int write_part(brink_http_request *request, brink_buffer *part)
{
	struct brink__http_session *session = request->session;
	int rc;

	pthread_mutex_lock(&session->lock);
	rc = request->chunked ? brink__http_put_chunk(&request->out, part) : brink__http_put_part(&request->out, part);
	brink__http_flush_locked(session);
	return rc;
}

/* After the part was taken: -ECONNABORTED, or 1 if more should wait. */
static int look_for_room(brink_http_request *request)
{
	struct brink__http_session *session = request->session;
	int rc = 0;

	pthread_mutex_lock(&session->lock);
	if (session->dead || brink__socket_failed(session->socket)) {
		rc = -ECONNABORTED;
	} else if (brink__http_crowded(request)) {
		request->wants = request->on_ready != NULL;
		rc = 1;
	}
	pthread_mutex_unlock(&session->lock);
	return rc;
}

int brink_http_reply_write(brink_http_request *request, brink_buffer *part)
{
	size_t size = brink_buffer_length(part);
	int rc = 0;

	if (!request->begun || request->ended || (request->measured && size > (uint64_t)request->left))
		return -EINVAL;
	if (request->measured)
		request->left -= (int64_t)size;
	if (request->silent)
		brink_buffer_clear(part);
	/* A chunk of no bytes would be the end. */
	else if (size > 0)
		rc = write_part(request, part);
	if (rc < 0 && request->measured)
		request->left += (int64_t)size;
	return rc < 0 ? rc : look_for_room(request);
}

int brink_http_reply_end(brink_http_request *request)
{
	struct brink__http_session *session = request->session;
	brink_buffer last = {0};

	if (!request->begun || request->ended)
		return -EINVAL;
	if (request->chunked && !request->silent && brink__http_put(&last, "0\r\n\r\n") < 0)
		return -ENOMEM;
	if (request->left > 0 && !request->silent)
		brink_socket_fail(brink_socket_get_id(session->socket), -ECANCELED, "a reply was not completed");
	pthread_mutex_lock(&session->lock);
	brink_buffer_move(&request->out, &last);
	request->ended = true;
	request->wants = false;
	brink__http_flush_locked(session);
	return 0;
}
