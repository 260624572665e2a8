/* What the handshake led to: taken down when it is done, since OpenSSL's own answers are for one
 * thread at a time, and change. */
#include "config.h"

#include "tls.h"

#include <errno.h>
#include <string.h>

enum { PROTOCOL, SERVER_NAME, SUBJECT };

static char *copy_bytes(const void *bytes, size_t size)
{
	char *copy = brink__tls_allocate(size + 1);

	if (copy != NULL && size > 0)
		memcpy(copy, bytes, size);
	return copy;
}

/* `*text` stays NULL where there is no certificate. */
static int copy_subject(SSL *ssl, char **text)
{
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	BIO *bio = certificate != NULL ? BIO_new(BIO_s_mem()) : NULL;
	char *bytes;
	long size;

	if (certificate == NULL)
		return 0;
	if (bio != NULL && X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0) {
		size = BIO_get_mem_data(bio, &bytes);
		*text = copy_bytes(bytes, size > 0 ? (size_t)size : 0);
	}
	BIO_free(bio);
	return *text != NULL ? 0 : -ENOMEM;
}

int brink__tls_info_take(struct brink__tls_connection *connection)
{
	SSL *ssl = connection->ssl;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const unsigned char *protocol;
	unsigned size;

	SSL_get0_alpn_selected(ssl, &protocol, &size);
	if (size > 0)
		connection->texts[PROTOCOL] = copy_bytes(protocol, size);
	if (name != NULL)
		connection->texts[SERVER_NAME] = brink__tls_copy(name);
	if ((size > 0 && connection->texts[PROTOCOL] == NULL) || (name != NULL && connection->texts[SERVER_NAME] == NULL))
		return -ENOMEM;
	connection->info = (struct brink_tls_info){
		.version = SSL_get_version(ssl),
		.cipher = SSL_get_cipher_name(ssl),
		.protocol = connection->texts[PROTOCOL],
		.server_name = connection->texts[SERVER_NAME],
		.resumed = SSL_session_reused(ssl),
	};
	if (copy_subject(ssl, &connection->texts[SUBJECT]) < 0)
		return -ENOMEM;
	connection->info.peer_subject = connection->texts[SUBJECT];
	return 0;
}

void brink__tls_info_free(struct brink__tls_connection *connection)
{
	for (size_t i = 0; i < sizeof connection->texts / sizeof connection->texts[0]; i++)
		brink__tls_free(connection->texts[i]);
}

int brink_tls_get_info(const brink_socket *socket, struct brink_tls_info *info)
{
	const struct brink__tls_connection *connection = brink_transport_state(socket, brink_tls_transport());

	if (connection == NULL || !connection->shaken)
		return -ENOTCONN;
	*info = connection->info;
	return 0;
}
