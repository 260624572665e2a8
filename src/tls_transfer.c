/* The handshake, reading and writing. Each call of OpenSSL's may read and write, whatever it is
 * called; what it wrote is sent before anything else is waited for. */
#include "config.h"

#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>

#define RECORD 16384u  /* the most that one holds */
#define AT_ONCE 65536u /* bytes that a write encrypts before it sends them */

/* Errors that OpenSSL left behind elsewhere in this thread would be taken for ours. */
static void begin(struct brink__tls_connection *connection)
{
	ERR_clear_error();
	connection->read_here = connection->sent_here = connection->choked = connection->reads = false;
	connection->fed = 0;
}

/* What OpenSSL wants to be read; and where the kernel has not taken what it wrote, that, too. */
static int wait_to_read(int flushed, unsigned *waits)
{
	if (flushed < 0 && flushed != -EAGAIN)
		return flushed;
	*waits = flushed == -EAGAIN ? BRINK_READ | BRINK_WRITE : BRINK_READ;
	return -EAGAIN;
}

static bool wants_to_read(struct brink__tls_connection *connection, int result)
{
	return connection->error == 0 && SSL_get_error(connection->ssl, result) == SSL_ERROR_WANT_READ;
}

/* By what a flush came to. */
static bool peer_is_gone(int flushed)
{
	return flushed == -EPIPE || flushed == -ECONNRESET;
}

/* Of what OpenSSL itself has to say. A peer that is gone need not hear it, but what it said before is still to be read.
 * Where records of the program's are among it, they are lost. */
static int flush_answers(struct brink__tls_connection *connection)
{
	int flushed = brink__tls_flush(connection);

	if (!peer_is_gone(flushed) || connection->taken > 0)
		return flushed;
	brink_buffer_clear(&connection->out);
	return 0;
}

/* ---- the handshake ---- */

/* A client may go before the tickets come that a server of TLS 1.3 sends when the handshake is done. Whatever else is
 * not sent, the peer waits for. */
static int flush_last(struct brink__tls_connection *connection)
{
	bool tickets = SSL_is_server(connection->ssl) && SSL_version(connection->ssl) >= TLS1_3_VERSION;

	return tickets ? flush_answers(connection) : brink__tls_flush(connection);
}

int brink__tls_handshake(void *state, int fd, unsigned *waits)
{
	struct brink__tls_connection *connection = state;
	int result, flushed, error;

	(void)fd;
	begin(connection);
	result = SSL_do_handshake(connection->ssl);
	if (result != 1 && wants_to_read(connection, result))
		return wait_to_read(brink__tls_flush(connection), waits);
	if (result != 1) {
		brink__tls_note_failure(connection);
		brink__tls_flush(connection); /* an alert, as far as it goes */
		return brink__tls_give_up(connection);
	}
	flushed = flush_last(connection);
	*waits = BRINK_WRITE;
	if (flushed < 0)
		return flushed;
	error = brink__tls_info_take(connection);
	connection->shaken = error == 0;
	brink__tls_session_renewed(connection->ssl);
	return error;
}

/* ---- reading ---- */

/* Fills `part`; `*used` grows by what is read. 1, or why it stopped, as SSL_read_ex() says it. */
static int read_part(struct brink__tls_connection *connection, const struct iovec *part, size_t *used)
{
	size_t at = 0, got;

	while (at < part->iov_len) {
		if (SSL_read_ex(connection->ssl, (char *)part->iov_base + at, part->iov_len - at, &got) != 1)
			return 0;
		connection->fed = 0;
		at += got;
		*used += got;
	}
	return 1;
}

/* It has not seen all that has come. Who asks and asks, and does not take the answers, waits. */
static int go_on_later(int flushed, unsigned *waits)
{
	if (flushed < 0 && flushed != -EAGAIN)
		return flushed;
	*waits = flushed == 0 ? BRINK_TRANSPORT_AGAIN : BRINK_WRITE;
	return -EAGAIN;
}

/* Nothing more can be read now; `total` bytes were. An end or an error comes again next time. */
static ssize_t stop_reading(struct brink__tls_connection *connection, size_t total, unsigned *waits)
{
	bool more = wants_to_read(connection, 0), ended = SSL_get_error(connection->ssl, 0) == SSL_ERROR_ZERO_RETURN;
	int error = more || ended ? 0 : brink__tls_note_failure(connection);
	int flushed = flush_answers(connection);

	if (total > 0)
		return (ssize_t)total;
	if (error < 0)
		return brink__tls_give_up(connection);
	if (ended)
		return 0;
	return connection->choked ? go_on_later(flushed, waits) : wait_to_read(flushed, waits);
}

ssize_t brink__tls_readv(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	struct brink__tls_connection *connection = state;
	size_t total = 0;
	ssize_t result = 0;

	(void)fd;
	if (connection->error < 0)
		return brink__tls_give_up(connection);
	begin(connection);
	connection->reads = true;
	if (brink_buffer_length(&connection->out) > BRINK__TLS_UNSENT_MOST && (result = flush_answers(connection)) < 0) {
		*waits = BRINK_WRITE;
		return result;
	}
	for (int i = 0; i < count; i++)
		if (read_part(connection, &parts[i], &total) != 1) {
			result = stop_reading(connection, total, waits);
			break;
		}
	if (connection->starved && connection->read_here)
		*waits |= BRINK_TRANSPORT_TRY_OTHER;
	if (connection->read_here)
		*waits |= BRINK_TRANSPORT_MOVED;
	return total > 0 ? (ssize_t)total : result;
}

/* ---- writing ---- */

/* Copies bytes from `skip` on, so that many small parts make one record. */
static size_t gather(const struct iovec *parts, int count, size_t skip, char *record)
{
	size_t used = 0;

	for (int i = 0; i < count && used < RECORD; i++) {
		size_t size = parts[i].iov_len, room = RECORD - used;

		if (skip >= size) {
			skip -= size;
			continue;
		}
		size = size - skip < room ? size - skip : room;
		memcpy(record + used, (const char *)parts[i].iov_base + skip, size);
		used += size;
		skip = 0;
	}
	return used;
}

/* Puts records into `out`, of up to AT_ONCE bytes: 0, -EAGAIN where something must be read first,
 * or an error. */
static int encrypt(struct brink__tls_connection *connection, const struct iovec *parts, int count)
{
	char record[RECORD];
	size_t size;

	while (connection->taken < AT_ONCE && (size = gather(parts, count, connection->taken, record)) > 0) {
		size_t put = 0;

		if (SSL_write_ex(connection->ssl, record, size, &put) != 1)
			return wants_to_read(connection, 0) ? -EAGAIN : brink__tls_note_failure(connection);
		connection->taken += put;
	}
	return 0;
}

/* What a call of the writer's waits for, and has done for the reader. */
static unsigned waits_of_writer(const struct brink__tls_connection *connection, int flushed)
{
	unsigned waits = flushed == -EAGAIN ? BRINK_WRITE : 0;

	if (connection->starved)
		waits |= BRINK_READ;
	if (connection->read_here)
		waits |= BRINK_TRANSPORT_TRY_OTHER;
	return waits;
}

/* All that was encrypted is sent before any of it is said to be written. Until then the call comes
 * again with the same bytes first, which are not encrypted again. */
ssize_t brink__tls_writev(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	struct brink__tls_connection *connection = state;
	int result = 0, flushed;
	size_t taken;

	(void)fd;
	begin(connection);
	if (connection->taken == 0)
		result = encrypt(connection, parts, count);
	connection->starved = result == -EAGAIN && connection->taken == 0;
	flushed = brink__tls_flush(connection);
	*waits = waits_of_writer(connection, flushed);
	if (connection->sent_here)
		*waits |= BRINK_TRANSPORT_MOVED;
	if (result < 0 && result != -EAGAIN)
		return brink__tls_give_up(connection);
	if (flushed < 0 || connection->starved)
		return flushed < 0 ? flushed : -EAGAIN;
	taken = connection->taken;
	connection->taken = 0;
	return (ssize_t)taken;
}

/* ---- the end of our side ---- */

/* OpenSSL says nothing of an end while it is in the middle of a message of the peer's. 0, -EAGAIN where the rest has to
 * be read first, or an error. */
static int say_end(struct brink__tls_connection *connection)
{
	int result;

	if (connection->said_end || connection->error != 0)
		return 0;
	result = SSL_do_handshake(connection->ssl);
	if (result != 1)
		return wants_to_read(connection, result) ? -EAGAIN : brink__tls_note_failure(connection);
	if (SSL_shutdown(connection->ssl) < 0)
		ERR_clear_error(); /* there is nobody who could be told */
	connection->said_end = true;
	return 0;
}

/* A peer that has said its end may be gone, and hears nothing of ours. */
static int flush_end(struct brink__tls_connection *connection)
{
	bool ended = (SSL_get_shutdown(connection->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
	int flushed = brink__tls_flush(connection);

	return ended && peer_is_gone(flushed) ? 0 : flushed;
}

int brink__tls_shutdown(void *state, int fd, unsigned *waits)
{
	struct brink__tls_connection *connection = state;
	int result, flushed;

	begin(connection);
	result = say_end(connection);
	connection->starved = result == -EAGAIN;
	flushed = flush_end(connection);
	*waits = waits_of_writer(connection, flushed);
	if (result < 0 && result != -EAGAIN)
		return brink__tls_give_up(connection);
	if (flushed == -EAGAIN || connection->starved)
		return flushed < 0 ? flushed : -EAGAIN;
	connection->muted = true;
	if (flushed == 0 && shutdown(fd, SHUT_WR) < 0 && errno != ENOTCONN)
		return -errno;
	return flushed;
}
