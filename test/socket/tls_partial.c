/* Of a message that is for TLS alone, a ticket in many records, only a part was read: what is written, and our end,
 * wait for the rest, and come. */
#include "tls_peer_stage.h"

#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>

#define FRAGMENT 512u

struct partial {
	struct peer peer;
	struct tls_duo duo;
	brink_socket *socket; /* ours: the client's */
	int fd;
	BIO *ticket;
	char *bytes; /* its */
	size_t size;
};

static int enlarge(SSL *ssl, void *size)
{
	static const char bytes[65000];

	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), bytes, (size_t)(uintptr_t)size);
}

static SSL_TICKET_RETURN refuse(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t size,
                                SSL_TICKET_STATUS status, void *arg)
{
	(void)ssl;
	(void)session;
	(void)name;
	(void)size;
	(void)status;
	(void)arg;
	return SSL_TICKET_RETURN_IGNORE;
}

/* A connection, and a ticket of a little more than `size` bytes, which is still to be sent. */
static void open_partial(struct partial *partial, enum kind kind, size_t size, uint64_t write_timeout)
{
	SSL *ssl;

	memset(partial, 0, sizeof *partial);
	partial->peer.serves = true;
	partial->peer.write_timeout = write_timeout;
	open_peer(&partial->peer, &partial->duo, kind, 0);
	partial->socket = brink_socket_address(partial->duo.sides[CLIENT].id);
	CHECK(partial->socket != NULL);
	partial->fd = brink_socket_fd(partial->socket);
	partial->ticket = BIO_new(BIO_s_mem());
	CHECK(partial->ticket != NULL && BIO_up_ref(partial->ticket));
	CHECK_EQ(SSL_CTX_set_session_ticket_cb(partial->peer.context, enlarge, refuse, (void *)(uintptr_t)size), 1);
	ssl = partial->peer.ssl;
	SSL_set0_wbio(ssl, partial->ticket);
	CHECK_EQ(SSL_set_max_send_fragment(ssl, FRAGMENT), 1);
	CHECK_EQ(SSL_new_session_ticket(ssl), 1);
	CHECK_EQ(SSL_do_handshake(ssl), 1);
	partial->size = (size_t)BIO_get_mem_data(partial->ticket, &partial->bytes);
}

/* And waits until the client has read it. */
static void send_part(struct partial *partial, size_t size)
{
	CHECK(size <= partial->size);
	write_all(partial->duo.pair.theirs, partial->bytes, size);
	partial->bytes += size;
	partial->size -= size;
	RUN_UNTIL(partial->duo.loop, unread(partial->fd) == 0);
}

/* What the peer's next read comes to: its error, and the bytes. */
static int read_next(struct partial *partial, char *bytes, size_t size)
{
	int result, error;

	ERR_clear_error();
	RUN_UNTIL(partial->duo.loop, (result = SSL_read(partial->peer.ssl, bytes, (int)size)) > 0 ||
		SSL_get_error(partial->peer.ssl, result) != SSL_ERROR_WANT_READ);
	error = SSL_get_error(partial->peer.ssl, result);
	ERR_clear_error();
	return error;
}

static void close_partial(struct partial *partial)
{
	brink_socket_release(partial->socket);
	BIO_free(partial->ticket);
	close_peer(&partial->peer, &partial->duo);
}

/* With the mark. */
void tls_closed_in_ticket(enum kind kind)
{
	struct partial partial;
	struct seen *seen = &partial.duo.sides[CLIENT].seen;
	char byte;

	open_partial(&partial, kind, 2000, 0);
	send_part(&partial, FRAGMENT + 100);
	CHECK_OK(brink_socket_close(partial.socket));
	turn(partial.duo.loop);
	send_part(&partial, partial.size);
	CHECK_EQ(read_next(&partial, &byte, 1), SSL_ERROR_ZERO_RETURN);
	shut_theirs(&partial.duo.pair);
	RUN_UNTIL(partial.duo.loop, seen->closes == 1);
	CHECK_EQ(seen->error, 0);
	close_partial(&partial);
}

/* The rest never comes: our end waits as a write would, and as long. */
void tls_never_closed_in_ticket(enum kind kind)
{
	struct partial partial;
	struct seen *seen = &partial.duo.sides[CLIENT].seen;
	uint64_t from;

	open_partial(&partial, kind, 2000, BRINK_MS(200));
	send_part(&partial, FRAGMENT + 100);
	turn_for(partial.duo.loop, BRINK_MS(300)); /* the time runs from the close on */
	from = monotonic_now();
	CHECK_OK(brink_socket_close(partial.socket));
	RUN_UNTIL(partial.duo.loop, seen->closes == 1);
	CHECK_ERROR(seen->error, -ETIMEDOUT);
	CHECK(strcmp(seen->text, "write timeout") == 0);
	CHECK(monotonic_now() - from >= BRINK_MS(199));
	close_partial(&partial);
}

/* Nobody but the writer reads, and nothing more comes. */
void tls_written_in_ticket(enum kind kind)
{
	int room = 212992;
	struct partial partial;
	char bytes[16] = "";

	open_partial(&partial, kind, 65000, 0);
	SYSCALL(setsockopt(partial.duo.pair.theirs, SOL_SOCKET, SO_SNDBUF, &room, sizeof room));
	send_part(&partial, partial.size);
	brink_socket_pause(partial.socket);
	turn(partial.duo.loop);
	write_text(partial.duo.sides[CLIENT].id, "a word");
	CHECK_EQ(read_next(&partial, bytes, sizeof bytes), SSL_ERROR_NONE);
	CHECK(strcmp(bytes, "a word") == 0);
	close_partial(&partial);
}
