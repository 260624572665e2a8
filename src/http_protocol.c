/* HTTP as a protocol of the messenger. A message is a request: with its whole body, or, where that
 * is streamed, as soon as its head is there; then the body is taken here, on the reader's thread,
 * between this message and the next. */
#include "config.h"

#include "http_session.h"
#include "memory.h"

#include <errno.h>
#include <string.h>

#define AGAIN 100 /* and neither answer of a parse */
#define LONGEST_METHOD 24u

#define HEAD_TIMEOUT BRINK_SECONDS(20)
#define BODY_TIMEOUT BRINK_SECONDS(20)
#define IDLE_TIMEOUT BRINK_SECONDS(60)
#define WRITE_TIMEOUT BRINK_SECONDS(60)
#define MIN_RATE 500u
#define MAX_PIPELINED 16u
#define WINDOW ((size_t)256 << 10)

/* ---- the object ---- */

static void fill(struct brink_http_options *options)
{
	if (options->max_pipelined == 0)
		options->max_pipelined = MAX_PIPELINED;
	if (options->window == 0)
		options->window = WINDOW;
	if (options->head_timeout == 0)
		options->head_timeout = HEAD_TIMEOUT;
	if (options->body_timeout == 0)
		options->body_timeout = BODY_TIMEOUT;
	if (options->min_rate == 0)
		options->min_rate = MIN_RATE;
	if (options->idle_timeout == 0)
		options->idle_timeout = IDLE_TIMEOUT;
	if (options->write_timeout == 0)
		options->write_timeout = WRITE_TIMEOUT;
}

int brink_http_create(brink_http **http, const struct brink_http_options *options)
{
	static void *const zero[sizeof options->reserved / sizeof options->reserved[0]];
	brink_http *made;

	if (options == NULL || options->on_request == NULL || memcmp(options->reserved, zero, sizeof zero) != 0)
		return -EINVAL;
	made = brink__allocate(1, sizeof *made);
	if (made == NULL)
		return -ENOMEM;
	made->options = *options;
	fill(&made->options);
	if (brink__http_limits_fill(&made->options.limits) < 0) {
		brink__free(made);
		return -EINVAL;
	}
	*http = made;
	return 0;
}

void brink_http_destroy(brink_http *http)
{
	brink__free(http);
}

/* ---- requests ---- */

/* The messenger frees a message that it will not have processed, or could not keep: nobody
 * answers, and the connection ends. */
static void on_drop(brink_message *message)
{
	brink_http_request *request = message->data;
	struct brink__http_session *session = request->session;

	pthread_mutex_lock(&session->lock);
	request->message = NULL;
	request->begun = request->ended = request->close = request->dropped = true;
	pthread_mutex_unlock(&session->lock);
	brink__http_request_unref(request);
}

static brink_http_request *make_request(struct brink__http_session *session, struct brink__http_head *head,
                                        brink_message *message)
{
	brink_http_request *request = brink__http_request_of(session, head);

	request->silent = atomic_load_explicit(&session->reader.by_head, memory_order_relaxed);
	request->message = message;
	message->data = request;
	message->drop = on_drop;
	return request;
}

/* One that nobody has heard of. */
static void unmake_request(brink_http_request *request)
{
	request->message->data = NULL;
	request->message->drop = NULL;
	request->message = NULL;
	brink__http_request_unref(request);
}

/* False: its time was over meanwhile, or the connection is about to end by another reply. */
static bool stand_in_line(brink_http_request *request, const brink_buffer *in, bool has_body)
{
	struct brink__http_session *session = request->session;

	pthread_mutex_lock(&session->lock);
	if (brink__unlikely(session->over)) {
		pthread_mutex_unlock(&session->lock);
		unmake_request(request);
		return false;
	}
	brink__http_enqueue(request);
	session->follows = !has_body && brink_buffer_length(in) > 0;
	if (has_body) {
		session->receiving = request;
		brink__http_request_hold(request);
	} else if (request->close) {
		session->over = true;
	}
	brink__http_set_phase(session, has_body ? BRINK__HTTP_BODY : BRINK__HTTP_BUSY);
	brink__http_update_reading(session);
	pthread_mutex_unlock(&session->lock);
	return true;
}

/* ---- heads ---- */

/* 0: the body is to be taken; or a status. */
static unsigned decide_on_body(brink_http_request *request)
{
	const struct brink_http_options *options = &request->session->http->options;
	int answer = options->on_head != NULL ? options->on_head(request, options->arg) : BRINK_HTTP_COLLECT;

	if (answer >= 400 && answer <= 599)
		return (unsigned)answer;
	if (answer != BRINK_HTTP_COLLECT && answer != BRINK_HTTP_STREAM)
		return 500;
	request->streamed = answer == BRINK_HTTP_STREAM;
	return !request->streamed && request->head->length > options->limits.max_body ? 413 : 0;
}

static int begin_body(brink_http_request *request, brink_buffer *in)
{
	struct brink__http_session *session = request->session;
	unsigned status = decide_on_body(request);
	bool tells;

	if (status != 0) {
		unmake_request(request);
		brink__http_refuse(session, status);
		return AGAIN;
	}
	/* Who has begun with the body does not wait to be told. */
	request->asked = brink_buffer_length(in) > 0;
	tells = request->head->expects && !request->streamed && !request->asked;
	if (tells && brink__http_put(&request->out, BRINK__HTTP_CONTINUE) < 0)
		return -ENOMEM;
	request->asked = request->asked || !request->streamed;
	if (!stand_in_line(request, in, true))
		return AGAIN;
	if (tells)
		brink__http_flush(session);
	return request->streamed ? BRINK_PARSE_MESSAGE : AGAIN;
}

/* What the time that runs now is for, when no head is complete. */
static int wait_for_head(struct brink__http_session *session, const brink_buffer *in)
{
	pthread_mutex_lock(&session->lock);
	if (brink_buffer_length(in) > 0)
		brink__http_set_phase(session, BRINK__HTTP_HEAD);
	else
		brink__http_set_phase(session, session->pending == 0 ? BRINK__HTTP_IDLE : BRINK__HTTP_BUSY);
	pthread_mutex_unlock(&session->lock);
	return BRINK_PARSE_MORE;
}

static int take_head(struct brink__http_session *session, brink_buffer *in, brink_message *message)
{
	struct brink__http_head *head;
	brink_http_request *request;
	int rc = brink__http_read_head(&session->reader, in, &head);

	if (rc == 0)
		return wait_for_head(session, in);
	if (rc == -ENOMEM)
		return rc;
	if (rc < 0) {
		brink__http_refuse(session, session->reader.status);
		return AGAIN;
	}
	request = make_request(session, head, message);
	if (brink__http_reader_has_body(&session->reader))
		return begin_body(request, in);
	return stand_in_line(request, in, false) ? BRINK_PARSE_MESSAGE : AGAIN;
}

/* ---- bodies ---- */

/* The body that came is complete; false: it was refused meanwhile, for its slowness. */
static bool end_body(brink_http_request *request, const brink_buffer *in)
{
	struct brink__http_session *session = request->session;
	bool was, last;

	pthread_mutex_lock(&session->lock);
	was = session->receiving == request;
	last = was && request->close && session->pending == 0;
	if (was) {
		session->receiving = NULL;
		session->follows = brink_buffer_length(in) > 0;
		if (request->close)
			session->over = true;
		session->last = last;
		brink__http_set_phase(session, BRINK__HTTP_BUSY);
		brink__http_update_reading(session);
	}
	pthread_mutex_unlock(&session->lock);
	if (last)
		brink__http_flush(session);
	return was;
}

static void note_body(struct brink__http_session *session, size_t size)
{
	pthread_mutex_lock(&session->lock);
	if (session->receiving != NULL)
		brink__http_body_came(session, size);
	pthread_mutex_unlock(&session->lock);
}

static int collect(struct brink__http_session *session, brink_buffer *in, brink_http_request *request)
{
	brink_buffer *body = &request->message->body;
	size_t before = brink_buffer_length(in);
	int rc = brink__http_read_body(&session->reader, in, false, body);

	if (rc == -ENOMEM)
		return rc;
	if (rc >= 0 && brink_buffer_length(body) > session->http->options.limits.max_body) {
		session->reader.status = 413;
		rc = -EMSGSIZE;
	}
	if (rc < 0) {
		brink__http_refuse(session, session->reader.status);
		return AGAIN;
	}
	if (rc == 0) {
		note_body(session, before - brink_buffer_length(in));
		return BRINK_PARSE_MORE;
	}
	if (!end_body(request, in))
		return AGAIN;
	brink__http_request_unref(request); /* the owner has one */
	return BRINK_PARSE_MESSAGE;
}

static int stream(struct brink__http_session *session, brink_buffer *in, bool at_end, brink_http_request *request)
{
	size_t before = brink_buffer_length(in);
	brink_buffer part = {0};
	int rc = brink__http_read_body(&session->reader, in, false, &part);

	if (rc == 1) {
		if (end_body(request, in)) {
			brink__http_body_arrived(request, &part, 1);
			brink__http_request_unref(request);
		}
		brink_buffer_clear(&part);
		return AGAIN;
	}
	note_body(session, before - brink_buffer_length(in));
	brink__http_body_arrived(request, &part, 0);
	if (rc < 0 || at_end)
		brink__http_body_broken(session, rc == 0 ? -ECONNABORTED : rc == -ENOMEM ? rc : -EPROTO);
	return BRINK_PARSE_MORE;
}

/* ---- parse ---- */

/* A method in capital letters and a space. What ends before that is the next protocol's, if there is one. */
static int guess(const struct brink__cutter *cutter, const brink_buffer *in, bool at_end)
{
	bool last = cutter->candidate + 1 == cutter->messenger->protocol_count;
	char bytes[LONGEST_METHOD];
	size_t size = brink_buffer_copy(in, 0, bytes, sizeof bytes), at = 0;

	while (at < size && bytes[at] >= 'A' && bytes[at] <= 'Z')
		at++;
	if (at == size && size < sizeof bytes)
		return at_end && !last ? BRINK_PARSE_NOT_MINE : BRINK_PARSE_MORE;
	return at > 0 && at < size && bytes[at] == ' ' ? BRINK_PARSE_MESSAGE : BRINK_PARSE_NOT_MINE;
}

/* What is to be done with what comes. The body that is received is held. */
enum next { DROP, REST, HEAD, BODY };

static enum next look(struct brink__http_session *session, brink_http_request **receiving)
{
	enum next next = HEAD;

	/* A body that is given up in the midst is no head's beginning: who does that sets `over` first. Of the rest, what
	 * another thread changes meanwhile might as well have been changed after this. */
	*receiving = NULL;
	if (session->receiving == NULL && !session->over && !session->stalled)
		return HEAD;
	pthread_mutex_lock(&session->lock);
	*receiving = session->receiving;
	if (session->over) {
		next = DROP;
	} else if (*receiving != NULL) {
		brink__http_request_hold(*receiving);
		next = BODY;
	} else {
		brink__http_update_reading(session);
		next = session->stalled ? REST : HEAD;
	}
	pthread_mutex_unlock(&session->lock);
	return next;
}

static int take_body(struct brink__http_session *session, brink_buffer *in, bool at_end, brink_http_request *request)
{
	int rc = request->streamed ? stream(session, in, at_end, request) : collect(session, in, request);

	brink__http_request_unref(request);
	return rc;
}

static int parse(brink_socket *socket, brink_buffer *in, int at_end, brink_message *message, void *arg)
{
	struct brink__channel *channel = brink__channel_of(socket);
	struct brink__http_session *session;
	brink_http_request *receiving;
	int rc = AGAIN;

	if (channel->cutter.messenger->protocol_count > 1 && channel->session == NULL) {
		rc = guess(&channel->cutter, in, at_end);
		if (rc != BRINK_PARSE_MESSAGE)
			return rc;
		rc = AGAIN;
	}
	session = brink__http_session_of(socket, arg);
	if (session == NULL)
		return -ENOMEM;
	while (rc == AGAIN) {
		switch (look(session, &receiving)) {
		case DROP: brink_buffer_clear(in); return BRINK_PARSE_MORE;
		case REST: return BRINK_PARSE_MORE;
		case HEAD: rc = take_head(session, in, message); break;
		case BODY: rc = take_body(session, in, at_end, receiving); break;
		}
	}
	return rc;
}

static void process(brink_message *message, void *arg)
{
	const brink_http *http = arg;
	brink_http_request *request = message->data;

	message->drop = NULL; /* from here on it is the request that ends the message */
	http->options.on_request(request, http->options.arg);
}

void brink_http_protocol(brink_http *http, struct brink_protocol *protocol)
{
	*protocol = (struct brink_protocol){
		.name = "http",
		.parse = parse,
		.process = process,
		.arg = http,
		.max_message = SIZE_MAX, /* the limits are http's */
		.first_timeout = http->options.head_timeout,
		.write_timeout = http->options.write_timeout,
	};
}
