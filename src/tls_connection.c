/* A connection's beginning and end, and the table of the transport. */
#include "config.h"

#include "tls.h"

#include <brink/socket.h>

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

/* ---- a client's beginning ---- */

/* An address is no name for SNI. */
static int name_peer(SSL *ssl, const brink_tls *tls)
{
	bool any = (tls->shared->flags & (BRINK_TLS_ANY_NAME | BRINK_TLS_UNVERIFIED)) != 0;
	X509_VERIFY_PARAM *verification = SSL_get0_param(ssl);

	if (tls->peer_name == NULL)
		return 1;
	if (brink__tls_is_address(tls->peer_name))
		return any || X509_VERIFY_PARAM_set1_ip_asc(verification, tls->peer_name);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return (any || SSL_set1_host(ssl, tls->peer_name)) && SSL_set_tlsext_host_name(ssl, tls->peer_name);
}

static int begin_client(struct brink__tls_connection *connection)
{
	SSL *ssl = connection->ssl;

	SSL_set_connect_state(ssl);
	if (!name_peer(ssl, connection->tls) || !brink__tls_identities_show(connection->identities, NULL, ssl))
		return -ENOMEM;
	brink__tls_session_offer(connection);
	return 0;
}

/* ---- both ---- */

static int begin_ssl(struct brink__tls_connection *connection)
{
	struct brink__tls_shared *shared = connection->tls->shared;
	BIO *bio;

	connection->ssl = SSL_new(shared->ssl);
	bio = connection->ssl != NULL ? BIO_new(shared->bio) : NULL;
	if (bio == NULL || !SSL_set_app_data(connection->ssl, connection)) {
		BIO_free(bio);
		return -ENOMEM;
	}
	BIO_set_data(bio, connection);
	SSL_set_bio(connection->ssl, bio, bio);
	if (shared->role == BRINK_TLS_CLIENT)
		return begin_client(connection);
	SSL_set_accept_state(connection->ssl);
	return 0;
}

static void close_connection(void *state, int fd)
{
	struct brink__tls_connection *connection = state;

	(void)fd;
	/* OpenSSL would make a session unusable that it saw no end of. */
	if (connection->ssl != NULL && connection->error == 0 && connection->shaken)
		SSL_set_shutdown(connection->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(connection->ssl);
	brink_buffer_clear(&connection->in);
	brink_buffer_clear(&connection->out);
	brink__tls_info_free(connection);
	brink__tls_identities_drop(connection->identities);
	brink_tls_release(connection->tls);
	brink__tls_free(connection);
	ERR_clear_error();
}

static int open_connection(brink_socket *socket, int fd, int client, void *arg, void **state)
{
	struct brink__tls_connection *connection;
	int result;

	if (arg == NULL)
		return -EINVAL;
	connection = brink__tls_allocate(sizeof *connection);
	if (connection == NULL)
		return -ENOMEM;
	ERR_clear_error();
	connection->socket = socket;
	connection->fd = fd;
	connection->tls = brink_tls_hold(arg);
	connection->identities = brink__tls_identities_get(connection->tls->shared, &connection->generation);
	connection->read_size = 4096;
	connection->came = 1;
	result = brink_transport_plain()->open(socket, fd, client, NULL, &connection->plain);
	if (result == 0)
		result = begin_ssl(connection);
	if (result < 0)
		close_connection(connection, fd);
	else
		*state = connection;
	return result;
}

static const struct brink_transport transport = {
	.name = "TLS",
	.flags = BRINK_TRANSPORT_SINGLE_THREADED,
	.open = open_connection,
	.handshake = brink__tls_handshake,
	.readv = brink__tls_readv,
	.writev = brink__tls_writev,
	.shutdown = brink__tls_shutdown,
	.close = close_connection,
};

const struct brink_transport *brink_tls_transport(void)
{
	return &transport;
}
