/* A client's sessions. A context has one peer, so what is kept in it is for that peer. A server keeps
 * none: its clients have them, in tickets that only it can read. */
#include "config.h"

#include "tls.h"

#include <string.h>

/* The oldest makes room. */
static int keep(SSL *ssl, SSL_SESSION *session)
{
	struct brink__tls_connection *connection = SSL_get_app_data(ssl);
	brink_tls *tls = connection->tls;
	SSL_SESSION *oldest = NULL;

	pthread_mutex_lock(&tls->lock);
	if (tls->session_count == BRINK__TLS_SESSIONS) {
		oldest = tls->sessions[0];
		memmove(tls->sessions, tls->sessions + 1, --tls->session_count * sizeof tls->sessions[0]);
	}
	tls->sessions[tls->session_count++] = session;
	pthread_mutex_unlock(&tls->lock);
	SSL_SESSION_free(oldest);
	return 1; /* the reference is ours */
}

/* A ticket of TLS 1.3 is used once: those who look on could tell that two connections are of one
 * client. */
static SSL_SESSION *take(brink_tls *tls)
{
	SSL_SESSION *session = NULL;

	pthread_mutex_lock(&tls->lock);
	if (tls->session_count > 0)
		session = tls->sessions[--tls->session_count];
	if (session != NULL && SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION && SSL_SESSION_up_ref(session))
		tls->session_count++;
	pthread_mutex_unlock(&tls->lock);
	return session;
}

void brink__tls_session_offer(brink_tls *tls, SSL *ssl)
{
	SSL_SESSION *session = take(tls);

	/* Without it there is a whole handshake, which is as good. */
	if (session != NULL && SSL_SESSION_is_resumable(session))
		SSL_set_session(ssl, session);
	SSL_SESSION_free(session);
}

void brink__tls_sessions_free(brink_tls *tls)
{
	while (tls->session_count > 0)
		SSL_SESSION_free(tls->sessions[--tls->session_count]);
}

void brink__tls_sessions_prepare(SSL_CTX *ssl, enum brink_tls_role role)
{
	static const unsigned char ours[] = "libbrink";

	if (role == BRINK_TLS_SERVER) {
		SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
		/* Without it a session with a client's certificate is not resumed. */
		SSL_CTX_set_session_id_context(ssl, ours, sizeof ours - 1);
		return;
	}
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ssl, keep);
}
