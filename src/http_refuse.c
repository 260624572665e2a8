/* What the library answers by itself: to what is no request, or to one whose body is not. The connection
 * ends with it. */
#include "config.h"

#include "http_session.h"

#include <errno.h>

/* The one whose body is being collected; else a place of its own in the line. */
static brink_http_request *to_answer(struct brink__http_session *session)
{
	brink_http_request *request;

	pthread_mutex_lock(&session->lock);
	session->over = true;
	request = session->receiving;
	if (request != NULL && request->streamed)
		request = NULL; /* it is the program's, which hears of it by its on_body */
	else
		session->receiving = NULL;
	pthread_mutex_unlock(&session->lock);
	if (request != NULL)
		return request; /* with the reader's reference */
	request = brink__http_request_headless(session);
	if (request == NULL)
		return NULL;
	request->silent = atomic_load(&session->reader.by_head);
	pthread_mutex_lock(&session->lock);
	brink__http_enqueue(request);
	pthread_mutex_unlock(&session->lock);
	return request;
}

void brink__http_refuse(struct brink__http_session *session, unsigned status)
{
	brink_http_request *request = to_answer(session);

	if (request == NULL || brink__http_plain_reply(request, status) < 0)
		brink_socket_fail(brink_socket_get_id(session->socket), -ENOMEM, "no memory for a reply");
	if (request == NULL)
		return;
	pthread_mutex_lock(&session->lock);
	if (session->receiving == NULL)
		brink__http_set_phase(session, BRINK__HTTP_BUSY);
	pthread_mutex_unlock(&session->lock);
	brink__http_flush(session);
	brink__http_request_unref(request);
}
