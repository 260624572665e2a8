/* A server's connection: what is kept of it, and of each of its requests; when it is read. */
#include "config.h"

#include "http_session.h"
#include "memory.h"

/* ---- requests ---- */

static brink_http_request *begin(brink_http_request *request, struct brink__http_session *session,
                                 struct brink__http_head *head)
{
	request->session = session;
	request->head = head;
	request->close = head == NULL || !head->keep_alive;
	atomic_init(&request->references, 1);
	return request;
}

brink_http_request *brink__http_request_of(struct brink__http_session *session, struct brink__http_head *head)
{
	return begin(head->room_of_user, session, head);
}

brink_http_request *brink__http_request_headless(struct brink__http_session *session)
{
	brink_http_request *made = brink__allocate(1, sizeof *made);

	return made != NULL ? begin(made, session, NULL) : NULL;
}

void brink__http_request_hold(brink_http_request *request)
{
	atomic_fetch_add_explicit(&request->references, 1, memory_order_relaxed);
}

void brink__http_request_unref(brink_http_request *request)
{
	brink_message *message;

	/* The look before spares the exchange to who has the last: nobody else can make another then. */
	if (atomic_load_explicit(&request->references, memory_order_acquire) != 1 &&
	    atomic_fetch_sub(&request->references, 1) != 1)
		return;
	message = request->message;
	brink__http_drop(&request->out);
	brink__http_drop(&request->parts);
	if (request->head != NULL)
		brink__http_head_destroy(request->head); /* and it with it */
	else
		brink__free(request);
	if (message != NULL) {
		message->drop = NULL;
		brink_message_free(message);
	}
}

/* ---- reading ---- */

void brink__http_update_reading(struct brink__http_session *session)
{
	const struct brink_http_options *options = &session->http->options;
	const brink_http_request *receiving = session->receiving;
	bool rests;

	if (receiving == NULL)
		rests = session->pending >= options->max_pipelined ||
		        atomic_load(&session->socket->unsent) > options->window;
	else
		rests = receiving->streamed && brink_buffer_length(&receiving->parts) >= options->window;
	rests = rests && !session->dead && !session->over;
	if (rests == session->stalled)
		return;
	session->stalled = rests;
	brink__http_rest(session, rests);
	if (rests)
		brink__socket_stall(session->socket);
	else
		brink__socket_unstall(session->socket);
}

/* ---- the session ---- */

/* A body that is coming is read to its end, and its reply is the last; else that of who is the last in line. */
static bool ending(struct brink__session *base)
{
	struct brink__http_session *session = brink_container_of(base, struct brink__http_session, base);
	bool amid;

	pthread_mutex_lock(&session->lock);
	amid = session->receiving != NULL && !session->over;
	if (amid)
		session->receiving->close = true;
	else
		atomic_store(&session->ending, true);
	pthread_mutex_unlock(&session->lock);
	return amid;
}

static void closed(struct brink__session *base)
{
	struct brink__http_session *session = brink_container_of(base, struct brink__http_session, base);
	brink_http_request *receiving;

	pthread_mutex_lock(&session->lock);
	session->dead = true;
	session->over = true;
	brink__http_set_phase(session, BRINK__HTTP_BUSY);
	receiving = session->receiving;
	session->receiving = NULL;
	pthread_mutex_unlock(&session->lock);
	if (receiving != NULL) {
		brink_buffer none = {0};

		if (receiving->streamed)
			brink__http_body_arrived(receiving, &none, -ECONNABORTED);
		brink__http_request_unref(receiving);
	}
	brink__http_tell_wishes(session);
	brink__http_flush(session);
}

static void destroy(struct brink__session *base)
{
	struct brink__http_session *session = brink_container_of(base, struct brink__http_session, base);

	brink__http_drop_line(session);
	brink__http_reader_destroy(&session->reader);
	pthread_mutex_destroy(&session->lock);
	brink__free(session);
}

static __attribute__((noinline)) struct brink__http_session *make(brink_socket *socket, brink_http *http)
{
	struct brink__http_session *made = brink__allocate(1, sizeof *made);

	if (made == NULL)
		return NULL;
	if (brink__http_reader_init(&made->reader, false, &http->options.limits, sizeof(brink_http_request)) < 0 ||
	    pthread_mutex_init(&made->lock, NULL) != 0) {
		brink__http_reader_destroy(&made->reader);
		brink__free(made);
		return NULL;
	}
	made->base = (struct brink__session){ending, closed, destroy};
	made->http = http;
	made->socket = socket;
	made->end = &made->first;
	brink__channel_of(socket)->session = &made->base;
	return made;
}

struct brink__http_session *brink__http_session_of(brink_socket *socket, brink_http *http)
{
	struct brink__session *session = brink__channel_of(socket)->session;

	return session != NULL ? brink_container_of(session, struct brink__http_session, base) : make(socket, http);
}
