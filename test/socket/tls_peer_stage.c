#include "tls_peer_stage.h"

#include <openssl/pem.h>

static SSL_CTX *context_of(const struct peer *peer, const struct identity *identity)
{
	SSL_CTX *context = SSL_CTX_new(peer->serves ? TLS_server_method() : TLS_client_method());
	X509 *certificate;
	EVP_PKEY *key;
	BIO *bio;

	CHECK(context != NULL);
	if (!peer->serves)
		return context;
	bio = BIO_new_mem_buf(identity->certificate, -1);
	certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	bio = BIO_new_mem_buf(identity->key, -1);
	key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
	CHECK_EQ(SSL_CTX_use_cert_and_key(context, certificate, key, NULL, 1), 1);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return context;
}

struct tls_side *our_side(const struct peer *peer, struct tls_duo *duo)
{
	return &duo->sides[peer->serves ? CLIENT : SERVER];
}

void start_peer(struct peer *peer, struct tls_duo *duo, enum kind kind, int version)
{
	struct tls_side *side = our_side(peer, duo);
	int result;

	open_tls(duo, kind);
	create_tls_context(duo, peer->serves ? CLIENT : SERVER);
	side->options.fd = duo->pair.ours;
	side->options.write_timeout = peer->write_timeout;
	side->options.transport_arg = side->tls;
	CHECK_OK(brink_socket_create(&side->id, duo->loop, &side->options));
	duo->pair.ours = -1;
	peer->context = context_of(peer, &duo->good);
	SSL_CTX_set_max_proto_version(peer->context, version);
	SSL_CTX_set_mode(peer->context, SSL_MODE_ENABLE_PARTIAL_WRITE);
	peer->ssl = SSL_new(peer->context);
	CHECK(peer->ssl != NULL && SSL_set_fd(peer->ssl, duo->pair.theirs) == 1);
	if (peer->serves)
		SSL_set_accept_state(peer->ssl);
	else
		SSL_set_connect_state(peer->ssl);
	RUN_UNTIL(duo->loop, (result = SSL_do_handshake(peer->ssl)) == 1 || SSL_get_error(peer->ssl, result) == SSL_ERROR_SSL);
	CHECK_EQ(result, 1);
}

void open_peer(struct peer *peer, struct tls_duo *duo, enum kind kind, int version)
{
	start_peer(peer, duo, kind, version);
	RUN_UNTIL(duo->loop, our_side(peer, duo)->seen.opens == 1);
}

void close_peer(struct peer *peer, struct tls_duo *duo)
{
	SSL_free(peer->ssl);
	SSL_CTX_free(peer->context);
	close_tls(duo);
}
