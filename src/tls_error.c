/* OpenSSL's errors: as errno, and in words. */
#include "config.h"

#include "tls.h"

#include <brink/error.h>
#include <brink/socket.h>

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#define TEXT_SIZE 200

static _Thread_local char noted[TEXT_SIZE] = "no error";

const char *brink_tls_error(void)
{
	return noted;
}

int brink__tls_fail(int error, const char *text)
{
	snprintf(noted, sizeof noted, "%s", text != NULL ? text : brink_strerror(error));
	return error;
}

/* The first in the queue is what went wrong, those after it are what that led to. */
static int error_of(unsigned long code, int otherwise)
{
	if (ERR_SYSTEM_ERROR(code))
		return -(int)ERR_GET_REASON(code);
	return ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE ? -ENOMEM : otherwise;
}

static const char *words_of(unsigned long code)
{
	const char *words = ERR_reason_error_string(code);

	if (ERR_SYSTEM_ERROR(code))
		words = brink_strerror(-(int)ERR_GET_REASON(code));
	return words != NULL ? words : "OpenSSL does not say why";
}

int brink__tls_fail_ssl(int otherwise, const char *what)
{
	unsigned long code = ERR_peek_error();

	snprintf(noted, sizeof noted, "%.80s: %s", what, words_of(code));
	ERR_clear_error();
	return error_of(code, otherwise);
}

int brink__tls_give_up(struct brink__tls_connection *connection)
{
	/* Before the socket does it, with no more than the name of a call. */
	if (connection->text[0] != '\0')
		brink_socket_fail(brink_socket_get_id(connection->socket), connection->error, connection->text);
	return connection->error;
}

static bool is_ssl(unsigned long code, int reason)
{
	return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == reason;
}

static void set_text(struct brink__tls_connection *connection, const char *words, const char *more)
{
	snprintf(connection->text, sizeof connection->text, "TLS: %s%s%s", words, more != NULL ? ": " : "",
	         more != NULL ? more : "");
}

int brink__tls_note_failure(struct brink__tls_connection *connection)
{
	unsigned long code = ERR_peek_error(), last = ERR_peek_last_error();
	int error = connection->error;

	ERR_clear_error();
	if (error != 0)
		return error; /* noted where it happened */
	if (connection->came < 0) {
		error = connection->came;
	} else if (connection->came == 0 && (code == 0 || is_ssl(code, SSL_R_UNEXPECTED_EOF_WHILE_READING))) {
		error = -BRINK_ETRUNCATED;
		set_text(connection, "the peer's end came without close_notify", NULL);
	} else if (is_ssl(last, SSL_R_CERTIFICATE_VERIFY_FAILED)) {
		/* In the queue before it is how that was found out. */
		error = -EACCES;
		set_text(connection, words_of(last),
		         X509_verify_cert_error_string(SSL_get_verify_result(connection->ssl)));
	} else {
		error = error_of(code, -EPROTO);
		set_text(connection, words_of(code), NULL);
	}
	return connection->error = error;
}
