/* A streamed body: from the reader to the program, in parts, one call at a time, by whichever
 * thread finds that there is something and that nobody hands it over already. */
#include "config.h"

#include "http_session.h"

#include <errno.h>

/* With the lock, which is given up for the call. False: there was nothing to hand over. */
static bool hand_part(brink_http_request *request)
{
	struct brink__http_session *session = request->session;
	int state = request->body_state;
	brink_http_body_fn *fn = request->on_body;
	void *arg = request->body_arg;
	brink_buffer part = {0};

	if (fn == NULL || request->told || request->dropped || !request->fresh)
		return false;
	request->fresh = false;
	if (brink_buffer_length(&request->parts) == 0 && state == 0)
		return false;
	brink_buffer_move(&part, &request->parts);
	request->told = state != 0;
	pthread_mutex_unlock(&session->lock);
	fn(request, &part, state, arg);
	pthread_mutex_lock(&session->lock);
	if (request->told || request->dropped)
		brink_buffer_clear(&part);
	brink_buffer_move(&part, &request->parts);
	request->parts = part;
	return true;
}

/* The caller has a reference; the program may end the request in the last call. */
static void hand_over(brink_http_request *request)
{
	struct brink__http_session *session = request->session;

	pthread_mutex_lock(&session->lock);
	if (!request->handing) {
		request->handing = true;
		while (hand_part(request))
			;
		request->handing = false;
		brink__http_update_reading(session);
	}
	pthread_mutex_unlock(&session->lock);
}

/* A few bytes go to those that wait already, for which there may be room: each of them has a whole block. */
static void join(brink_buffer *parts, brink_buffer *part)
{
	char few[BRINK__HTTP_LITTLE];
	size_t size = brink_buffer_length(part);

	if (size <= sizeof few && brink_buffer_length(parts) > 0) {
		brink_buffer_copy(part, 0, few, size);
		if (brink_buffer_append(parts, few, size) == 0) {
			brink_buffer_clear(part);
			return;
		}
	}
	brink_buffer_move(parts, part);
}

void brink__http_body_arrived(brink_http_request *request, brink_buffer *part, int state)
{
	struct brink__http_session *session = request->session;

	pthread_mutex_lock(&session->lock);
	if (request->dropped)
		brink_buffer_clear(part);
	join(&request->parts, part);
	request->fresh = true;
	if (state != 0)
		request->body_state = state;
	brink__http_update_reading(session);
	pthread_mutex_unlock(&session->lock);
	hand_over(request);
}

void brink__http_body_broken(struct brink__http_session *session, int state)
{
	pthread_mutex_lock(&session->lock);
	brink__http_body_broken_locked(session, state);
}

void brink__http_body_broken_locked(struct brink__http_session *session, int state)
{
	brink_buffer none = {0};
	brink_http_request *request = session->receiving;
	bool answered = session->pending == 0;

	session->over = true; /* before there is none: see look() */
	session->receiving = NULL;
	session->last = session->last || (request != NULL && answered);
	brink__http_set_phase(session, BRINK__HTTP_BUSY);
	if (request != NULL)
		request->close = true;
	pthread_mutex_unlock(&session->lock);
	if (request == NULL)
		return;
	if (answered)
		brink__http_flush(session);
	brink__http_body_arrived(request, &none, state);
	brink__http_request_unref(request);
}

bool brink__http_waits_for_word(const brink_http_request *request)
{
	return request->head->expects && !request->asked && !request->begun && request->body_state == 0 &&
	       request->session->receiving == request && request->session->body_got == 0;
}

int brink__http_tell_to_go_on(brink_http_request *request)
{
	struct brink__http_session *session = request->session;
	bool waits;
	int rc = 0;

	pthread_mutex_lock(&session->lock);
	waits = brink__http_waits_for_word(request);
	if (waits)
		rc = brink__http_put(&request->out, BRINK__HTTP_CONTINUE);
	if (rc == 0)
		request->asked = true;
	pthread_mutex_unlock(&session->lock);
	if (waits && rc == 0)
		brink__http_flush(session);
	return rc;
}

/* With the lock. What has no body was not asked about by on_head: it has come to its end. */
static bool may_be_read(brink_http_request *request)
{
	if (request->head->length == 0 && !request->head->chunked)
		request->body_state = 1;
	else if (!request->streamed)
		return false;
	return !request->told;
}

int brink_http_request_read(brink_http_request *request, brink_http_body_fn *fn, void *arg)
{
	struct brink__http_session *session = request->session;
	bool possible;
	int rc;

	pthread_mutex_lock(&session->lock);
	possible = fn != NULL && may_be_read(request);
	pthread_mutex_unlock(&session->lock);
	if (!possible)
		return -EINVAL;
	rc = brink__http_tell_to_go_on(request);
	if (rc < 0)
		return rc;
	/* The program may free it in the last call. */
	brink__http_request_hold(request);
	pthread_mutex_lock(&session->lock);
	request->fresh = true;
	request->on_body = fn;
	request->body_arg = arg;
	pthread_mutex_unlock(&session->lock);
	hand_over(request);
	brink__http_request_unref(request);
	return 0;
}
