/* A peer that drives OpenSSL itself, for what our own never does: renegotiation, and demands for
 * new keys while the answers cannot be sent. */
#include "tls_stage.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

struct peer {
	SSL_CTX *context;
	SSL *ssl;
};

/* Its side of the handshake is done then. */
static void start_peer(struct peer *peer, struct tls_duo *duo, enum kind kind, int version)
{
	int result;

	open_tls(duo, kind);
	create_tls_context(duo, SERVER);
	duo->sides[SERVER].options.fd = duo->pair.ours;
	duo->sides[SERVER].options.transport_arg = duo->sides[SERVER].tls;
	CHECK_OK(brink_socket_create(&duo->sides[SERVER].id, duo->loop, &duo->sides[SERVER].options));
	duo->pair.ours = -1;
	peer->context = SSL_CTX_new(TLS_client_method());
	CHECK(peer->context != NULL);
	SSL_CTX_set_max_proto_version(peer->context, version);
	SSL_CTX_set_mode(peer->context, SSL_MODE_ENABLE_PARTIAL_WRITE);
	peer->ssl = SSL_new(peer->context);
	CHECK(peer->ssl != NULL && SSL_set_fd(peer->ssl, duo->pair.theirs) == 1);
	RUN_UNTIL(duo->loop, (result = SSL_connect(peer->ssl)) == 1 || SSL_get_error(peer->ssl, result) == SSL_ERROR_SSL);
	CHECK_EQ(result, 1);
}

static void open_peer(struct peer *peer, struct tls_duo *duo, enum kind kind, int version)
{
	start_peer(peer, duo, kind, version);
	RUN_UNTIL(duo->loop, duo->sides[SERVER].seen.opens == 1);
}

static void close_peer(struct peer *peer, struct tls_duo *duo)
{
	SSL_free(peer->ssl);
	SSL_CTX_free(peer->context);
	close_tls(duo);
}

/* The server sends its tickets to nobody; and has read what was said. */
void tls_said_and_gone(enum kind kind)
{
	struct tls_duo duo;
	struct peer peer;

	start_peer(&peer, &duo, kind, 0);
	CHECK_EQ(SSL_write(peer.ssl, "last words", 10), 10);
	close_theirs(&duo.pair);
	RUN_UNTIL(duo.loop, duo.sides[SERVER].seen.closes == 1);
	CHECK_EQ(duo.sides[SERVER].seen.opens, 1);
	CHECK(strcmp(duo.sides[SERVER].seen.bytes, "last words") == 0);
	CHECK_ERROR(duo.sides[SERVER].seen.error, -BRINK_ETRUNCATED);
	close_peer(&peer, &duo);
}

void tls_renegotiation(enum kind kind)
{
	struct tls_duo duo;
	struct peer peer;
	int result;

	open_peer(&peer, &duo, kind, TLS1_2_VERSION);
	CHECK_EQ(SSL_write(peer.ssl, "once", 4), 4);
	RUN_UNTIL(duo.loop, duo.sides[SERVER].seen.size == 4);
	CHECK_EQ(SSL_renegotiate(peer.ssl), 1);
	RUN_UNTIL(duo.loop, (result = SSL_do_handshake(peer.ssl)) == 1 ||
		SSL_get_error(peer.ssl, result) == SSL_ERROR_SSL);
	CHECK(result != 1);
	CHECK_EQ(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
	close_peer(&peer, &duo);
}

/* Reads what the peer has got so far; how many bytes that were. */
static size_t read_some(struct peer *peer)
{
	static char bytes[20000];
	size_t sum = 0, got;

	ERR_clear_error();
	while (SSL_read_ex(peer->ssl, bytes, sizeof bytes, &got) == 1)
		sum += got;
	CHECK_EQ(SSL_get_error(peer->ssl, 0), SSL_ERROR_WANT_READ);
	return sum;
}

/* The server has more to send than fits in, and is asked for new keys again and again: its answers
 * wait behind a record that is half sent. */
void tls_key_updates(enum kind kind)
{
	static char bytes[100000];
	size_t all = 0, got = 0, said = 0;
	brink_socket *socket;
	struct tls_duo duo;
	struct peer peer;

	open_peer(&peer, &duo, kind, 0);
	socket = brink_socket_address(duo.sides[SERVER].id);
	CHECK(socket != NULL);
	for (unsigned i = 0; i < 60; i++, all += sizeof bytes)
		CHECK_OK(brink_socket_write_bytes(socket, bytes, sizeof bytes));
	for (unsigned i = 0; i < 20; i++) {
		turn(duo.loop);
		CHECK_EQ(SSL_key_update(peer.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		ERR_clear_error();
		RUN_UNTIL(duo.loop, SSL_write(peer.ssl, "key", 3) == 3);
		said += 3;
		RUN_UNTIL(duo.loop, duo.sides[SERVER].seen.size == said || duo.sides[SERVER].seen.closes > 0);
		CHECK_EQ(duo.sides[SERVER].seen.closes, 0);
		if (i % 4 == 3)
			got += read_some(&peer);
	}
	brink_socket_release(socket);
	RUN_UNTIL(duo.loop, (got += read_some(&peer)) == all);
	RUN_UNTIL(duo.loop, duo.sides[SERVER].seen.writes == 60);
	CHECK_EQ(duo.sides[SERVER].seen.write_error, 0);
	close_peer(&peer, &duo);
}
