/* Certificates: loaded, chosen by the name that a client asks for, replaced. */
#include "config.h"

#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* ---- reading PEM ---- */

/* A file, or a text in memory. */
static int open_source(BIO **bio, const char *file, const char *text)
{
	*bio = file != NULL ? BIO_new_file(file, "re") : BIO_new_mem_buf(text, -1);
	return *bio != NULL ? 0 : brink__tls_fail_ssl(-ENOMEM, file != NULL ? file : "PEM");
}

/* OpenSSL's own would ask at the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

/* The next certificate; NULL with 0 in `*result` at the end. */
static X509 *next_certificate(BIO *bio, int *result)
{
	X509 *certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
	unsigned long code = ERR_peek_last_error();

	*result = 0;
	if (certificate != NULL)
		return certificate;
	if (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE)
		ERR_clear_error();
	else
		*result = -EINVAL;
	return NULL;
}

int brink__tls_trust(SSL_CTX *ssl, const char *file, const char *text)
{
	const char *what = file != NULL ? file : "ca_pem";
	unsigned count = 0;
	X509 *certificate;
	BIO *bio;
	int result = open_source(&bio, file, text);

	if (result < 0)
		return result;
	while ((certificate = next_certificate(bio, &result)) != NULL) {
		if (!X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), certificate) ||
		    !SSL_CTX_add_client_CA(ssl, certificate))
			result = -ENOMEM;
		X509_free(certificate);
		count++;
		if (result < 0)
			break;
	}
	BIO_free(bio);
	if (result < 0)
		return brink__tls_fail_ssl(result, what);
	return count > 0 ? 0 : brink__tls_fail(-EINVAL, "there is no CA's certificate where one was said to be");
}

/* ---- one certificate with its key ---- */

static int read_chain(struct brink__tls_identity *identity, BIO *bio)
{
	X509 *certificate;
	int result;

	identity->chain = sk_X509_new_null();
	if (identity->chain == NULL)
		return -ENOMEM;
	identity->certificate = next_certificate(bio, &result);
	if (identity->certificate == NULL)
		return -EINVAL;
	while ((certificate = next_certificate(bio, &result)) != NULL)
		if (!sk_X509_push(identity->chain, certificate)) {
			X509_free(certificate);
			return -ENOMEM;
		}
	return result;
}

static int load_chain(struct brink__tls_identity *identity, const struct brink_tls_certificate *from)
{
	BIO *bio;
	int result = open_source(&bio, from->file, from->pem);

	if (result < 0)
		return result;
	result = read_chain(identity, bio);
	BIO_free(bio);
	return result < 0 ? brink__tls_fail_ssl(result, from->file != NULL ? from->file : "certificate") : 0;
}

static int load_key(struct brink__tls_identity *identity, const struct brink_tls_certificate *from)
{
	const char *file = from->key_file != NULL ? from->key_file : from->key_pem == NULL ? from->file : NULL;
	const char *text = from->key_pem != NULL ? from->key_pem : from->pem;
	BIO *bio;
	int result = open_source(&bio, file, text);

	if (result < 0)
		return result;
	identity->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	if (identity->key == NULL || !X509_check_private_key(identity->certificate, identity->key))
		return brink__tls_fail_ssl(-EINVAL, file != NULL ? file : "key");
	return 0;
}

static int show(const struct brink__tls_identity *identity, SSL *ssl)
{
	return SSL_use_cert_and_key(ssl, identity->certificate, identity->key, identity->chain, 1);
}

/* What OpenSSL would not show, too small a key for instance, is refused here and not with each
 * connection. */
static int try_to_show(const struct brink__tls_identity *identity, SSL_CTX *context, const char *what)
{
	SSL *ssl = SSL_new(context);
	int result = 0;

	if (ssl == NULL)
		result = brink__tls_fail_ssl(-ENOMEM, what);
	else if (!show(identity, ssl))
		result = brink__tls_fail_ssl(-EINVAL, what);
	SSL_free(ssl);
	return result;
}

static int load(struct brink__tls_identity *identity, const struct brink_tls_certificate *from, SSL_CTX *ssl)
{
	int result;

	for (size_t i = 0; i < sizeof from->reserved / sizeof from->reserved[0]; i++)
		if (from->reserved[i] != NULL)
			return brink__tls_fail(-EINVAL, "reserved memory is not zero");
	if ((from->file == NULL) == (from->pem == NULL) || (from->key_file != NULL && from->key_pem != NULL))
		return brink__tls_fail(-EINVAL, "a certificate is a file or a text, and so is its key");
	result = load_chain(identity, from);
	if (result == 0)
		result = load_key(identity, from);
	return result == 0 ? try_to_show(identity, ssl, from->file != NULL ? from->file : "certificate") : result;
}

/* ---- sets of them ---- */

void brink__tls_identities_drop(struct brink__tls_identities *identities)
{
	if (identities == NULL || atomic_fetch_sub(&identities->references, 1) != 1)
		return;
	for (unsigned i = 0; i < identities->count; i++) {
		X509_free(identities->each[i].certificate);
		EVP_PKEY_free(identities->each[i].key);
		sk_X509_pop_free(identities->each[i].chain, X509_free);
	}
	brink__tls_free(identities);
}

int brink__tls_identities_load(struct brink__tls_identities **loaded, SSL_CTX *ssl,
                               const struct brink_tls_certificate *certificates, unsigned count)
{
	struct brink__tls_identities *identities;
	int result = 0;

	if (count > 10000)
		return brink__tls_fail(-EINVAL, "so many certificates");
	identities = brink__tls_allocate(sizeof *identities + count * sizeof identities->each[0]);
	if (identities == NULL)
		return brink__tls_fail(-ENOMEM, NULL);
	atomic_init(&identities->references, 1);
	ERR_clear_error();
	for (unsigned i = 0; i < count && result == 0; i++) {
		identities->count = i + 1;
		result = load(&identities->each[i], &certificates[i], ssl);
	}
	if (result == 0)
		*loaded = identities;
	else
		brink__tls_identities_drop(identities);
	return result;
}

struct brink__tls_identities *brink__tls_identities_get(struct brink__tls_shared *shared, unsigned *generation)
{
	struct brink__tls_identities *identities;

	pthread_mutex_lock(&shared->lock);
	identities = shared->identities;
	*generation = shared->generation;
	if (identities != NULL)
		atomic_fetch_add(&identities->references, 1);
	pthread_mutex_unlock(&shared->lock);
	return identities;
}

int brink_tls_set_certificates(brink_tls *tls, const struct brink_tls_certificate *certificates, unsigned count)
{
	struct brink__tls_shared *shared = tls->shared;
	struct brink__tls_identities *identities, *before;
	int result;

	if (count == 0 && shared->role == BRINK_TLS_SERVER)
		return brink__tls_fail(-EINVAL, "a server needs a certificate");
	if (count > 0 && certificates == NULL)
		return brink__tls_fail(-EINVAL, "there are no certificates");
	result = brink__tls_identities_load(&identities, shared->ssl, certificates, count);
	if (result < 0)
		return result;
	pthread_mutex_lock(&shared->lock);
	before = shared->identities;
	shared->identities = identities;
	shared->generation++;
	pthread_mutex_unlock(&shared->lock);
	brink__tls_identities_drop(before);
	return 0;
}

/* ---- showing them ---- */

int brink__tls_identities_show(const struct brink__tls_identities *identities, const char *name, SSL *ssl)
{
	unsigned shown = 0;

	if (identities == NULL || identities->count == 0)
		return 1;
	/* Backwards: of two with the same kind of key the first is what stays. With different ones
	 * OpenSSL takes what the client can verify. */
	for (unsigned i = identities->count; name != NULL && i-- > 0;)
		if (X509_check_host(identities->each[i].certificate, name, 0, 0, NULL) == 1) {
			if (!show(&identities->each[i], ssl))
				return 0;
			shown++;
		}
	return shown > 0 || show(&identities->each[0], ssl);
}
