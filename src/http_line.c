/* The line of a connection's requests: what is answered goes out from its head, in order, written by one thread at a
 * time without the lock. */
#include "config.h"

#include "http_session.h"

#include <errno.h>

void brink__http_enqueue(brink_http_request *request)
{
	struct brink__http_session *session = request->session;

	atomic_store_explicit(&request->references, 2, memory_order_relaxed); /* no exchange: nobody else knows of it */
	request->next = NULL;
	*session->end = request;
	session->end = &request->next;
	session->pending++;
}

static brink_http_request *take_first(struct brink__http_session *session)
{
	brink_http_request *first = session->first;

	session->first = first->next;
	if (session->first == NULL)
		session->end = &session->first;
	session->pending--;
	return first;
}

void brink__http_drop_line(struct brink__http_session *session)
{
	while (session->first != NULL)
		brink__http_request_unref(take_first(session));
}

/* The window is one of bytes, and each write that waits takes memory of its own, however small it is. So beyond these
 * what is answered is gathered in the line, until the socket has sent some. As many as this are
 * one system call in any case. */
#define MOST_UNDER_WAY 64u

/* What is to be done without the lock. */
struct portion {
	brink_buffer out;
	brink_http_request *done, **end; /* their replies are complete */
	bool writes; /* there is something in `out` */
	/* It is little, also for the window, and nothing waits before or behind it: nobody has to hear when it is sent. */
	bool alone;
	bool last;   /* and the connection ends with them */
	bool dead;
	bool by_end; /* the last of it ends with the connection, and in no other way */
};

static bool take_portion(struct brink__http_session *session, struct portion *portion)
{
	if (session->first == NULL || (session->under_way >= MOST_UNDER_WAY && !session->dead))
		return false;
	*portion = (struct portion){.dead = session->dead};
	portion->end = &portion->done;
	while (session->first != NULL && !portion->last) {
		brink_http_request *request = session->first;

		brink_buffer_move(&portion->out, &request->out);
		portion->by_end = request->begun && !request->chunked && !request->silent && !request->measured;
		if (!request->ended)
			break;
		take_first(session);
		request->next = NULL;
		*portion->end = request;
		portion->end = &request->next;
		portion->last = request->close;
	}
	if (portion->last)
		session->over = true;
	portion->writes = brink_buffer_length(&portion->out) > 0;
	portion->alone = session->first == NULL && atomic_load(&session->socket->unsent) == 0 &&
	                 brink__http_is_little(&portion->out) &&
	                 brink_buffer_length(&portion->out) <= session->http->options.window;
	session->under_way += portion->writes && !portion->alone;
	return portion->done != NULL || portion->writes;
}

/* ---- room for streamed replies ---- */

/* What waits behind another reply shares the window; as it has bytes that wait it will hear when they are sent. */
static size_t waiting_behind(const struct brink__http_session *session)
{
	size_t waits = 0;

	for (const brink_http_request *request = session->first->next; request != NULL; request = request->next)
		waits += brink_buffer_length(&request->out);
	return waits;
}

bool brink__http_crowded(brink_http_request *request)
{
	struct brink__http_session *session = request->session;
	size_t waits = brink_buffer_length(&request->out);

	if (session->first == request)
		waits += atomic_load(&session->socket->unsent);
	else if (waits > 0 && session->first != NULL)
		waits = waiting_behind(session);
	return waits > session->http->options.window;
}

static brink_http_request *take_wish(struct brink__http_session *session, brink_http_request *request, bool failed)
{
	if (!request->wants)
		return NULL;
	if (!failed && !session->dead &&
	    (brink_buffer_length(&request->out) > 0 ||
	     atomic_load(&session->socket->unsent) > session->http->options.window / 4))
		return NULL;
	request->wants = false;
	brink__http_request_hold(request);
	return request;
}

void brink__http_tell_wishes(struct brink__http_session *session)
{
	for (;;) {
		brink_http_request *request, *wish = NULL;

		pthread_mutex_lock(&session->lock);
		for (request = session->first; request != NULL && wish == NULL; request = request->next)
			wish = take_wish(session, request, true);
		pthread_mutex_unlock(&session->lock);
		if (wish == NULL)
			return;
		wish->on_ready(wish, wish->ready_arg);
		brink__http_request_unref(wish);
	}
}

static void on_sent_alone(brink_socket *socket, int error, void *arg)
{
	(void)socket;
	(void)error;
	(void)arg;
}

static void on_sent(brink_socket *socket, int error, void *arg)
{
	struct brink__http_session *session = arg;
	brink_http_request *request = NULL;

	(void)socket;
	pthread_mutex_lock(&session->lock);
	session->under_way--;
	if (session->first != NULL)
		request = take_wish(session, session->first, error != 0);
	brink__http_flush_locked(session);
	if (request == NULL)
		return;
	request->on_ready(request, request->ready_arg);
	brink__http_request_unref(request);
}

/* ---- going out ---- */

/* An error: on_sent is not called. One that is alone has a call, too, so that it is none of the socket's on_written. */
static int write_portion(struct brink__http_session *session, struct portion *portion)
{
	/* Requests are read only while there is room for their replies: that is the limit. */
	struct brink_write_options options = {
		.flags = BRINK_WRITE_FORCE, .done = portion->alone ? on_sent_alone : on_sent, .arg = session};
	brink_socket *socket = session->socket;
	int rc = 0;

	if (portion->by_end)
		atomic_store(&socket->end_counts, true);
	if (portion->writes)
		rc = portion->dead ? -ECONNABORTED : brink_socket_write_with(socket, &portion->out, &options);
	/* Of other errors the peer is the reason: it is gone, or has been told that it ends. */
	if (rc == -ENOMEM)
		brink_socket_fail(brink_socket_get_id(socket), rc, "no memory for a reply");
	brink__http_drop(&portion->out);
	if (portion->last)
		brink_socket_close(socket);
	while (portion->done != NULL) {
		brink_http_request *done = portion->done;

		portion->done = done->next;
		brink__http_request_unref(done);
	}
	return rc;
}

/* What session->writing says. It leaves NOBODY only with the lock, and only by who writes it comes back to that. */
enum { NOBODY = 0, ONE, ONE_AND_ANOTHER }; /* who has come meanwhile, and left his reply to him */

/* With the lock. */
static bool may_write(struct brink__http_session *session)
{
	unsigned found = atomic_load(&session->writing);

	while (found == ONE && !atomic_compare_exchange_weak(&session->writing, &found, ONE_AND_ANOTHER))
		;
	if (found == NOBODY)
		atomic_store_explicit(&session->writing, ONE, memory_order_relaxed);
	return found == NOBODY;
}

/* Nobody has come meanwhile: the lock, for another look, is not needed. */
static bool was_alone(struct brink__http_session *session)
{
	unsigned one = ONE;

	return atomic_compare_exchange_strong(&session->writing, &one, NOBODY);
}

/* With the lock. */
static void look_whether_idle(struct brink__http_session *session)
{
	if (session->phase == BRINK__HTTP_BUSY && session->pending == 0)
		brink__http_set_phase(session, BRINK__HTTP_IDLE);
}

/* With the lock: what follows from what was taken from the line. */
static void line_is_shorter(struct brink__http_session *session)
{
	look_whether_idle(session);
	brink__http_update_reading(session);
}

void brink__http_flush(struct brink__http_session *session)
{
	pthread_mutex_lock(&session->lock);
	brink__http_flush_locked(session);
}

void brink__http_flush_locked(struct brink__http_session *session)
{
	struct portion portion;
	bool last;
	int rc;

	if (!may_write(session)) {
		pthread_mutex_unlock(&session->lock);
		return;
	}
	while (take_portion(session, &portion)) {
		last = session->last;
		if (portion.alone)
			line_is_shorter(session);
		pthread_mutex_unlock(&session->lock);
		rc = write_portion(session, &portion);
		if (portion.alone && !last && was_alone(session))
			return;
		pthread_mutex_lock(&session->lock);
		session->under_way -= rc < 0 && !portion.alone;
	}
	atomic_store_explicit(&session->writing, NOBODY, memory_order_relaxed);
	last = session->last;
	line_is_shorter(session);
	pthread_mutex_unlock(&session->lock);
	if (last)
		brink_socket_close(session->socket); /* who flushes has a reference to it */
}
