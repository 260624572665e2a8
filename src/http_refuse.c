/* What the library answers by itself: to what is no request, or to one whose body is not. The connection
 * ends with it. */
#include "config.h"

#include "http_session.h"

#include <errno.h>

/* With the lock: nothing more is read. The one whose body is being collected, with the reader's reference; or NULL. */
static brink_http_request *take_over(struct brink__http_session *session)
{
	brink_http_request *request = session->receiving;

	session->over = true; /* before there is none: see look() */
	session->receiving = NULL;
	brink__http_set_phase(session, BRINK__HTTP_BUSY);
	return request;
}

/* A place of its own in the line. */
static brink_http_request *make_answer(struct brink__http_session *session)
{
	brink_http_request *request = brink__http_request_headless(session);

	if (request == NULL)
		return NULL;
	request->silent = atomic_load(&session->reader.by_head);
	pthread_mutex_lock(&session->lock);
	brink__http_enqueue(request);
	brink__http_set_phase(session, BRINK__HTTP_BUSY); /* who found the line empty meanwhile called it idle */
	pthread_mutex_unlock(&session->lock);
	return request;
}

void brink__http_refuse_locked(struct brink__http_session *session, unsigned status)
{
	brink_http_request *request = take_over(session);

	pthread_mutex_unlock(&session->lock);
	if (request == NULL)
		request = make_answer(session);
	if (request == NULL || brink__http_plain_reply(request, status) < 0)
		brink_socket_fail(brink_socket_get_id(session->socket), -ENOMEM, "no memory for a reply");
	if (request == NULL)
		return;
	brink__http_flush(session);
	brink__http_request_unref(request);
}

void brink__http_refuse(struct brink__http_session *session, unsigned status)
{
	pthread_mutex_lock(&session->lock);
	brink__http_refuse_locked(session, status);
}
