/* A peer that drives OpenSSL itself, for what our own never does: renegotiation, and demands for
 * new keys while the answers cannot be sent. */
#include "tls_peer_stage.h"

#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The server sends its tickets to nobody; and has read what was said. */
void tls_said_and_gone(enum kind kind)
{
	struct tls_duo duo;
	struct peer peer = {.serves = false};

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
	struct peer peer = {.serves = false};
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
	struct peer peer = {.serves = false};

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

/* ---- messages that are for TLS alone ---- */

#define FLOOD 200000
#define PORTION 65536 /* of it, on average, more is not taken in a turn */

/* A server that asks for another handshake of TLS 1.2 says that and nothing more. */
static void ask_for(struct peer *peer, int version)
{
	if (version == TLS1_2_VERSION)
		CHECK_EQ(SSL_renegotiate(peer->ssl), 1);
	else
		CHECK_EQ(SSL_key_update(peer->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	CHECK_EQ(SSL_do_handshake(peer->ssl), 1);
}

static BIO *make_flood(struct peer *peer, int version)
{
	BIO *flood = BIO_new(BIO_s_mem());

	CHECK(flood != NULL && BIO_up_ref(flood));
	SSL_set0_wbio(peer->ssl, flood);
	while (BIO_pending(flood) < FLOOD)
		ask_for(peer, version);
	return flood;
}

/* It demands many answers, reads none, and has something to say after that. */
void tls_asked_and_gone(enum kind kind)
{
	struct peer peer = {.serves = false};
	struct seen *seen;
	struct tls_duo duo;
	char *bytes;
	BIO *flood;
	long size;

	open_peer(&peer, &duo, kind, 0);
	seen = &duo.sides[SERVER].seen;
	flood = BIO_new(BIO_s_mem());
	CHECK(flood != NULL && BIO_up_ref(flood));
	SSL_set0_wbio(peer.ssl, flood);
	while (BIO_pending(flood) < 2 * 32768)
		ask_for(&peer, 0);
	CHECK_EQ(SSL_write(peer.ssl, "last words", 10), 10);
	CHECK_EQ(SSL_shutdown(peer.ssl), 0);
	size = BIO_get_mem_data(flood, &bytes);
	write_all(duo.pair.theirs, bytes, (size_t)size);
	close_theirs(&duo.pair);
	RUN_UNTIL(duo.loop, seen->closes == 1);
	CHECK(strcmp(seen->bytes, "last words") == 0);
	CHECK_EQ(seen->error, 0);
	BIO_free(flood);
	close_peer(&peer, &duo);
}

static unsigned others;

static void another(brink_timer *timer)
{
	(void)timer;
	others++;
}

/* In which turns it is read; the answers are read by nobody who would stop it. */
static unsigned send_flood(struct tls_duo *duo, int fd, BIO *flood, brink_timer *timer)
{
	unsigned turns = 0;
	int result;
	char *bytes;
	long size = BIO_get_mem_data(flood, &bytes);
	ssize_t sent;

	for (; size > 0 || unread(fd) > 0; turns++) {
		while (size > 0 && (sent = write(duo->pair.theirs, bytes, (size_t)size)) > 0) {
			bytes += sent;
			size -= sent;
		}
		result = brink_loop_run_once(duo->loop, 0);
		if (result < 0)
			brink_timer_stop(timer); /* which would keep the loop from resting, for ever */
		CHECK_OK(result);
		drain(duo->pair.theirs);
	}
	return turns;
}

static void flood(enum kind kind, int version, bool serves)
{
	struct peer peer = {.serves = serves};
	int room = 212992, fd;
	brink_socket *socket;
	struct tls_duo duo;
	brink_timer timer;
	unsigned turns;
	BIO *bytes;

	open_peer(&peer, &duo, kind, version);
	SYSCALL(setsockopt(duo.pair.theirs, SOL_SOCKET, SO_SNDBUF, &room, sizeof room));
	bytes = make_flood(&peer, version);
	socket = brink_socket_address(our_side(&peer, &duo)->id);
	CHECK(socket != NULL);
	fd = brink_socket_fd(socket);
	brink_timer_init(&timer, another);
	CHECK_OK(brink_timer_start(duo.loop, &timer, 0, 1)); /* is over in each turn */
	turns = send_flood(&duo, fd, bytes, &timer);
	CHECK_EQ(our_side(&peer, &duo)->seen.closes, 0);
	CHECK(turns >= FLOOD / PORTION);
	CHECK(others >= FLOOD / PORTION);
	brink_timer_stop(&timer);
	brink_socket_release(socket);
	BIO_free(bytes);
	close_peer(&peer, &duo);
}

void tls_flood(enum kind kind)
{
	flood(kind, 0, false);
	flood(kind, 0, true);
}

void tls_flood_12(enum kind kind)
{
	flood(kind, TLS1_2_VERSION, true);
}

/* ---- a peer that is slow ---- */

#define WRITE_TIMEOUT BRINK_MS(800)
#define TAKEN 45000 /* fewer than a write encrypts at once, of which it tells afterwards */
#define SIP 20 /* bytes in a millisecond */

/* How long a pause the peer has made at the most, while it took so many bytes. */
static uint64_t sip(struct tls_duo *duo, const struct seen *seen)
{
	uint64_t last = monotonic_now(), longest = 0, now;
	static char bytes[TAKEN];
	ssize_t got;

	for (size_t taken = 0; taken < TAKEN && seen->closes == 0; last = now) {
		size_t due;

		CHECK_OK(brink_loop_run_once(duo->loop, 0));
		sleep_ms(4);
		now = monotonic_now();
		longest = now - last > longest ? now - last : longest;
		due = (size_t)((now - last) * SIP / BRINK_MS(1));
		got = read(duo->pair.theirs, bytes, due < sizeof bytes ? due : sizeof bytes);
		taken += got > 0 ? (size_t)got : 0;
	}
	return longest;
}

/* It takes bytes all the time, but longer than the timeout for each portion that is told. */
void tls_steady(enum kind kind)
{
	struct peer peer = {.write_timeout = WRITE_TIMEOUT};
	static char bytes[400000];
	int room = 4608; /* so that the kernel has room again soon */
	brink_socket *socket;
	struct tls_duo duo;
	uint64_t longest;

	open_peer(&peer, &duo, kind, 0);
	read_some(&peer);
	socket = brink_socket_address(duo.sides[SERVER].id);
	CHECK(socket != NULL);
	SYSCALL(setsockopt(brink_socket_fd(socket), SOL_SOCKET, SO_SNDBUF, &room, sizeof room));
	CHECK_OK(brink_socket_write_bytes(socket, bytes, sizeof bytes));
	brink_socket_release(socket);
	longest = sip(&duo, &duo.sides[SERVER].seen);
	if (duo.sides[SERVER].seen.closes > 0 && longest < WRITE_TIMEOUT / 4)
		FAIL("%s", duo.sides[SERVER].seen.text);
	close_peer(&peer, &duo);
}

/* ---- a peer that does not say goodbye ---- */

void tls_closed_and_cut(enum kind kind)
{
	struct peer peer = {.serves = false};
	char bytes[16];
	brink_socket *socket;
	struct seen *seen;
	struct tls_duo duo;
	int result;

	open_peer(&peer, &duo, kind, 0);
	seen = &duo.sides[SERVER].seen;
	write_text(duo.sides[SERVER].id, "that is all");
	RUN_UNTIL(duo.loop, SSL_read(peer.ssl, bytes, sizeof bytes) == 11);
	socket = brink_socket_address(duo.sides[SERVER].id);
	CHECK(socket != NULL);
	brink_socket_close(socket);
	brink_socket_release(socket);
	RUN_UNTIL(duo.loop, (result = SSL_read(peer.ssl, bytes, sizeof bytes)) <= 0 &&
		SSL_get_error(peer.ssl, result) == SSL_ERROR_ZERO_RETURN);
	shut_theirs(&duo.pair);
	RUN_UNTIL(duo.loop, seen->closes == 1);
	CHECK_EQ(seen->error, 0);
	close_peer(&peer, &duo);
}

/* ---- an end that is told, and nobody who hears ours ---- */

void tls_said_goodbye_and_gone(enum kind kind)
{
	struct peer peer = {.serves = false};
	struct tls_duo duo;

	open_peer(&peer, &duo, kind, 0);
	CHECK_EQ(SSL_write(peer.ssl, "bye", 3), 3);
	CHECK_EQ(SSL_shutdown(peer.ssl), 0);
	close_theirs(&duo.pair);
	RUN_UNTIL(duo.loop, duo.sides[SERVER].seen.closes == 1);
	CHECK(strcmp(duo.sides[SERVER].seen.bytes, "bye") == 0);
	CHECK_EQ(duo.sides[SERVER].seen.ends, 1);
	CHECK_EQ(duo.sides[SERVER].seen.error, 0);
	close_peer(&peer, &duo);
}
