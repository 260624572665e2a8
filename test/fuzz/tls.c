/* What no peer of TLS would send, to the transport as sockets have it: a server and a client whose
 * peer is the input. The first byte says which side is tried, and whether a handshake comes before:
 * then the peer is OpenSSL's own, and the input says what it does, or puts among its records. */
#include "config.h"

#include <brink.h>

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK(condition) ((condition) ? (void)0 : not_so(__LINE__, #condition))

static _Noreturn void not_so(int number, const char *what)
{
	fprintf(stderr, "line %d: not so: %s\n", number, what);
	abort();
}

static brink_loop *loop;
static brink_tls *server, *client;
static SSL_CTX *peer_context;

/* ---- once ---- */

static char *text_of(BIO *bio)
{
	char *bytes, *text;
	long size = BIO_get_mem_data(bio, &bytes);

	text = calloc(1, (size_t)size + 1);
	CHECK(text != NULL);
	memcpy(text, bytes, (size_t)size);
	BIO_free(bio);
	return text;
}

static struct brink_tls_certificate make_certificate(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	BIO *first = BIO_new(BIO_s_mem()), *second = BIO_new(BIO_s_mem());

	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 864000);
	X509_set_pubkey(certificate, key);
	CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
	CHECK(PEM_write_bio_X509(first, certificate) == 1);
	CHECK(PEM_write_bio_PrivateKey(second, key, NULL, NULL, 0, NULL, NULL) == 1);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return (struct brink_tls_certificate){.pem = text_of(first), .key_pem = text_of(second)};
}

static void prepare(void)
{
	static const char *const protocols[] = {"one", "two", NULL};
	struct brink_tls_certificate certificate;

	if (loop != NULL)
		return;
	signal(SIGPIPE, SIG_IGN); /* for OpenSSL, which is the peer */
	certificate = make_certificate();
	CHECK(brink_loop_create(&loop, NULL) == 0);
	CHECK(brink_tls_create(&server, &(struct brink_tls_options){.role = BRINK_TLS_SERVER, .flags = BRINK_TLS_ASK,
		.ca_pem = certificate.pem, .certificates = &certificate, .certificate_count = 1,
		.protocols = protocols}) == 0);
	CHECK(brink_tls_create(&client, &(struct brink_tls_options){.flags = BRINK_TLS_UNVERIFIED,
		.peer_name = "some.test", .protocols = protocols}) == 0);
	peer_context = SSL_CTX_new(TLS_client_method());
	CHECK(peer_context != NULL);
	free((void *)(uintptr_t)certificate.pem);
	free((void *)(uintptr_t)certificate.key_pem);
}

/* ---- a connection ---- */

static struct {
	unsigned opens, ends, closes;
	int error;
	size_t got;
	bool disorder; /* a byte that is not the next of 0, 1, 2, ... */
} seen;

static void on_open(brink_socket *socket, void *arg)
{
	struct brink_tls_info info;

	(void)arg;
	seen.opens++;
	CHECK(brink_tls_get_info(socket, &info) == 0 && info.version != NULL && info.cipher != NULL);
	brink_socket_write_bytes(socket, "greetings", 9);
}

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	uint8_t byte;

	(void)socket;
	(void)arg;
	CHECK(seen.opens == 1 && seen.ends == 0);
	while (brink_buffer_copy(in, 0, &byte, 1) == 1) {
		seen.disorder |= byte != (uint8_t)seen.got++;
		brink_buffer_pop(in, 1);
	}
}

static void on_end(brink_socket *socket, void *arg)
{
	(void)arg;
	CHECK(seen.opens == 1);
	seen.ends++;
	brink_socket_close(socket);
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	(void)socket;
	(void)arg;
	CHECK(text != NULL && *text != '\0' && error <= 0);
	seen.closes++;
	seen.error = error;
}

static int start(brink_socket_id *id, brink_tls *tls)
{
	int fds[2];

	memset(&seen, 0, sizeof seen);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	CHECK(fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0);
	CHECK(brink_socket_create(id, loop, &(struct brink_socket_options){.fd = fds[0], .on_open = on_open,
		.on_bytes = on_bytes, .on_end = on_end, .on_close = on_close, .transport = brink_tls_transport(),
		.transport_arg = tls, .linger_timeout = 1}) == 0);
	return fds[1];
}

static void turn(void)
{
	for (unsigned i = 0; i < 3; i++)
		CHECK(brink_loop_run_once(loop, 0) >= 0);
}

static void finish(brink_socket_id id, int fd)
{
	close(fd);
	turn();
	brink_socket_fail(id, 0, NULL);
	while (seen.closes == 0)
		turn();
	CHECK(seen.closes == 1);
}

/* ---- the peer ---- */

static void send_raw(int fd, const uint8_t *data, size_t size)
{
	if (size > 0 && send(fd, data, size, MSG_NOSIGNAL) < 0)
		return; /* it has been closed, as it should */
	turn();
}

static void play_raw(brink_tls *tls, const uint8_t *data, size_t size)
{
	size_t portion = size > 0 ? (size_t)data[0] * 8 + 1 : 1;
	brink_socket_id id;
	int fd = start(&id, tls);

	for (size_t at = 1; at < size; at += portion)
		send_raw(fd, data + at, size - at < portion ? size - at : portion);
	CHECK(!(tls == server && seen.got > 0));
	finish(id, fd);
}

/* What a byte of the input has a well-behaved peer do; or, at `spoilt`, raw bytes follow. */
static bool step(SSL *ssl, int fd, const uint8_t **data, size_t *left, size_t *sent)
{
	static uint8_t bytes[20000];
	unsigned what = **data % 8;
	size_t size = (size_t)(**data / 8) * 600 + 1;

	++*data;
	--*left;
	if (what < 4) {
		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)(*sent + i);
		if (SSL_write(ssl, bytes, (int)size) > 0)
			*sent += size;
	} else if (what == 4) {
		SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
	} else if (what == 5) {
		SSL_renegotiate(ssl);
		SSL_do_handshake(ssl);
	} else if (what == 6) {
		SSL_shutdown(ssl);
	} else {
		send_raw(fd, *data, *left);
		return true;
	}
	turn();
	SSL_read(ssl, bytes, sizeof bytes);
	return false;
}

static void play_peer(const uint8_t *data, size_t size, int version)
{
	size_t sent = 0;
	bool spoilt = false;
	brink_socket_id id;
	int fd = start(&id, server);
	SSL *ssl = SSL_new(peer_context);

	CHECK(ssl != NULL && SSL_set_fd(ssl, fd) == 1 && SSL_set_max_proto_version(ssl, version));
	while (SSL_connect(ssl) != 1)
		turn();
	turn();
	CHECK(seen.opens == 1);
	while (size > 0 && !spoilt)
		spoilt = step(ssl, fd, &data, &size, &sent);
	turn();
	/* A block of an own record's bytes cannot be made without the key. */
	CHECK(!seen.disorder && (spoilt || seen.got <= sent));
	SSL_free(ssl);
	finish(id, fd);
	ERR_clear_error();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	prepare();
	if (size == 0)
		return 0;
	switch (data[0] % 4) {
	case 0:
		play_raw(server, data + 1, size - 1);
		break;
	case 1:
		play_raw(client, data + 1, size - 1);
		break;
	case 2:
		play_peer(data + 1, size - 1, TLS1_3_VERSION);
		break;
	default:
		play_peer(data + 1, size - 1, TLS1_2_VERSION);
		break;
	}
	return 0;
}
