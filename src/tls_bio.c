/* Between OpenSSL and the descriptor: it reads what has come into `in`, from where OpenSSL takes
 * it, and OpenSSL's records are kept in `out` until the kernel takes them. */
#include "config.h"

#include "tls.h"

#include <errno.h>
#include <string.h>

#define PARTS 16
#define LEAST 4096u
#define MOST 65536u
#define FED_MOST 32768u /* two records: more of what is no byte for the program has to wait a turn */

/* ---- the descriptor ---- */

/* So that a handshake takes little memory, and a stream few system calls. */
static void adapt(struct brink__tls_connection *connection, size_t got)
{
	size_t size = connection->read_size;

	if (got >= size)
		size = size * 4 < MOST ? size * 4 : MOST;
	else if (got < size / 4)
		size = size / 2 > LEAST ? size / 2 : LEAST;
	connection->read_size = size;
}

/* Bytes in `in`: 1. 0 and errors stay; -EAGAIN does not. */
static int fill(struct brink__tls_connection *connection)
{
	const struct brink_transport *plain = brink_transport_plain();
	struct iovec parts[PARTS];
	unsigned waits = 0;
	ssize_t got;
	int count;

	if (connection->came != 1)
		return connection->came;
	count = brink_buffer_reserve_iovecs(&connection->in, connection->read_size, parts, PARTS);
	if (count < 0)
		return connection->came = count;
	got = plain->readv(connection->plain, connection->fd, parts, count, &waits);
	if (got > 0) {
		brink_buffer_commit(&connection->in, (size_t)got);
		adapt(connection, (size_t)got);
		connection->read_here = true;
		return 1;
	}
	brink_buffer_clear(&connection->in);
	if (got != -EAGAIN)
		connection->came = (int)got;
	return (int)got;
}

int brink__tls_flush(struct brink__tls_connection *connection)
{
	while (brink_buffer_length(&connection->out) > 0) {
		ssize_t sent = brink_buffer_write_to(&connection->out, connection->fd);

		if (sent < 0)
			return (int)sent;
		connection->sent_here = true;
	}
	brink_buffer_clear(&connection->out);
	return 0;
}

/* ---- what OpenSSL calls ---- */

/* A peer may send messages that are only for TLS, and are answered, for ever: a reader of OpenSSL's would go on
 * with them in one call. A writer takes no more than the rest of one, and waits for the descriptor. */
static bool has_enough(const struct brink__tls_connection *connection)
{
	return connection->reads && (connection->fed >= FED_MOST ||
	                             brink_buffer_length(&connection->out) > BRINK__TLS_UNSENT_MOST);
}

static int take(BIO *bio, char *bytes, size_t size, size_t *taken)
{
	struct brink__tls_connection *connection = BIO_get_data(bio);
	int result = 1;

	BIO_clear_retry_flags(bio);
	*taken = 0;
	if (has_enough(connection)) {
		connection->choked = true;
		result = -EAGAIN;
	} else if (brink_buffer_length(&connection->in) == 0) {
		result = fill(connection);
	}
	if (result == -EAGAIN)
		BIO_set_retry_read(bio);
	if (result <= 0)
		return 0;
	*taken = brink_buffer_copy(&connection->in, 0, bytes, size);
	brink_buffer_pop(&connection->in, *taken);
	connection->fed += *taken;
	return 1;
}

static int put(BIO *bio, const char *bytes, size_t size, size_t *taken)
{
	struct brink__tls_connection *connection = BIO_get_data(bio);
	int result = connection->muted ? 0 : brink_buffer_append(&connection->out, bytes, size);

	BIO_clear_retry_flags(bio);
	*taken = result < 0 ? 0 : size;
	if (result < 0)
		connection->error = result;
	return result == 0;
}

static long control(BIO *bio, int what, long number, void *pointer)
{
	struct brink__tls_connection *connection = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (what) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return connection->came == 0 && brink_buffer_length(&connection->in) == 0;
	default:
		return 0;
	}
}

static int create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

/* OpenSSL has few numbers, which are never given back: one for all contexts. */
static int number;

static void get_number(void)
{
	number = BIO_get_new_index();
}

BIO_METHOD *brink__tls_bio_method(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO_METHOD *method;

	pthread_once(&once, get_number);
	method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | number, "libbrink");
	if (method == NULL || !BIO_meth_set_read_ex(method, take) || !BIO_meth_set_write_ex(method, put) ||
	    !BIO_meth_set_ctrl(method, control) || !BIO_meth_set_create(method, create)) {
		BIO_meth_free(method);
		return NULL;
	}
	return method;
}
