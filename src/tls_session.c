/* A client's sessions. A context has one peer, so what is kept in it is for that peer. A server keeps
 * none: its clients have them, in tickets that only it can read. */
#include "config.h"

#include "tls.h"

#include <string.h>

/* Whoever showed a certificate must not go on by tickets when it is over. */
static bool is_valid(const SSL_SESSION *session)
{
	X509 *peer = SSL_SESSION_get0_peer((SSL_SESSION *)session);

	return peer == NULL || X509_cmp_time(X509_get0_notAfter(peer), NULL) > 0;
}

/* ---- a client's ---- */

/* The oldest makes room. */
static int keep(SSL *ssl, SSL_SESSION *session)
{
	struct brink__tls_connection *connection = SSL_get_app_data(ssl);
	brink_tls *tls = connection->tls;
	SSL_SESSION *oldest = NULL;

	pthread_mutex_lock(&tls->lock);
	if (tls->session_count == BRINK__TLS_SESSIONS) {
		oldest = tls->sessions[0].session;
		memmove(tls->sessions, tls->sessions + 1, --tls->session_count * sizeof tls->sessions[0]);
	}
	tls->sessions[tls->session_count++] = (struct brink__tls_session){session, connection->generation};
	pthread_mutex_unlock(&tls->lock);
	SSL_SESSION_free(oldest);
	return 1; /* the reference is ours */
}

/* A ticket of TLS 1.3 is used once: those who look on could tell that two connections are of one
 * client. */
static SSL_SESSION *take(brink_tls *tls, unsigned generation)
{
	SSL_SESSION *session = NULL;

	pthread_mutex_lock(&tls->lock);
	while (tls->session_count > 0 && session == NULL) {
		session = tls->sessions[--tls->session_count].session;
		if (tls->sessions[tls->session_count].generation != generation || !is_valid(session)) {
			SSL_SESSION_free(session);
			session = NULL;
		}
	}
	if (session != NULL && SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION && SSL_SESSION_up_ref(session))
		tls->session_count++;
	pthread_mutex_unlock(&tls->lock);
	return session;
}

void brink__tls_session_offer(const struct brink__tls_connection *connection)
{
	SSL_SESSION *session = take(connection->tls, connection->generation);

	/* Without it there is a whole handshake, which is as good. */
	if (session != NULL && SSL_SESSION_is_resumable(session))
		SSL_set_session(connection->ssl, session);
	SSL_SESSION_free(session);
}

void brink__tls_sessions_free(brink_tls *tls)
{
	while (tls->session_count > 0)
		SSL_SESSION_free(tls->sessions[--tls->session_count].session);
}

static bool is_kept(brink_tls *tls, const SSL_SESSION *session)
{
	bool kept = false;

	pthread_mutex_lock(&tls->lock);
	for (unsigned i = 0; i < tls->session_count; i++)
		kept = kept || tls->sessions[i].session == session;
	pthread_mutex_unlock(&tls->lock);
	return kept;
}

/* A ticket of TLS 1.2 that comes as a session is taken up, since the old one is about to be over. */
void brink__tls_session_renewed(SSL *ssl)
{
	const struct brink__tls_connection *connection = SSL_get_app_data(ssl);
	SSL_SESSION *session;

	if (SSL_is_server(ssl) || !SSL_session_reused(ssl) || SSL_version(ssl) >= TLS1_3_VERSION)
		return;
	session = SSL_get1_session(ssl);
	if (session != NULL && !is_kept(connection->tls, session))
		keep(ssl, session);
	else
		SSL_SESSION_free(session);
}

/* ---- a server's: in the tickets ---- */

static int mark(SSL *ssl, void *arg)
{
	const struct brink__tls_connection *connection = SSL_get_app_data(ssl);

	(void)arg;
	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), &connection->generation,
	                                       sizeof connection->generation);
}

static bool has_our_mark(SSL_SESSION *session, const SSL *ssl)
{
	const struct brink__tls_connection *connection = SSL_get_app_data(ssl);
	void *data;
	size_t size;

	return SSL_SESSION_get0_ticket_appdata(session, &data, &size) && size == sizeof connection->generation &&
	       memcmp(data, &connection->generation, size) == 0;
}

/* What is refused costs a whole handshake, no more. */
static SSL_TICKET_RETURN look_at(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t size,
                                 SSL_TICKET_STATUS status, void *arg)
{
	bool opened = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;

	(void)name;
	(void)size;
	(void)arg;
	if (!opened || !is_valid(session) || !has_our_mark(session, ssl))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

void brink__tls_sessions_prepare(SSL_CTX *ssl, enum brink_tls_role role)
{
	static const unsigned char ours[] = "libbrink";

	if (role == BRINK_TLS_SERVER) {
		SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
		SSL_CTX_set_session_ticket_cb(ssl, mark, look_at, NULL);
		/* Without it a session with a client's certificate is not resumed. */
		SSL_CTX_set_session_id_context(ssl, ours, sizeof ours - 1);
		return;
	}
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ssl, keep);
}
