/* Contexts: options, references, and OpenSSL's SSL_CTX. */
#include "config.h"

#include "tls.h"

#include <brink/memory.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdint.h>
#include <string.h>

#define LIFETIME_MOST (7 * 86400 * UINT64_C(1000000000)) /* by RFC 8446 */

/* ---- memory ---- */

void *brink__tls_allocate(size_t size)
{
	void *memory = brink_memory_resize(NULL, size);

	return memory != NULL ? memset(memory, 0, size) : NULL;
}

char *brink__tls_copy(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = brink_memory_resize(NULL, size);

	return copy != NULL ? memcpy(copy, text, size) : NULL;
}

void brink__tls_free(void *memory)
{
	if (memory != NULL)
		brink_memory_resize(memory, 0);
}

/* ---- checks ---- */

bool brink__tls_is_address(const char *name)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

static bool version_known(enum brink_tls_version version)
{
	return version == 0 || version == BRINK_TLS_1_2 || version == BRINK_TLS_1_3;
}

static bool trusts_somebody(const struct brink_tls_options *options)
{
	return options->ca_file != NULL || options->ca_directory != NULL || options->ca_pem != NULL;
}

static const char *wrong_name(unsigned flags, const char *name)
{
	if (name == NULL)
		return flags & (BRINK_TLS_ANY_NAME | BRINK_TLS_UNVERIFIED) ? NULL :
		       "a client needs the peer's name, to compare it with the certificate";
	if (strpbrk(name, "[]:%") != NULL && !brink__tls_is_address(name))
		return "the peer's name is that of a host, or an address without brackets, zone and port";
	if (*name == '.')
		return "the peer's name begins with a dot: OpenSSL would take any name that ends so";
	return *name == '\0' || strlen(name) > 255 ? "the peer's name has from 1 to 255 characters" : NULL;
}

static const char *wrong_client(const struct brink_tls_options *options)
{
	if (options->flags & ~(BRINK_TLS_ANY_NAME | BRINK_TLS_UNVERIFIED))
		return "a flag that no client has";
	if (options->ticket_lifetime != 0)
		return "a client has no tickets of its own";
	return wrong_name(options->flags, options->peer_name);
}

static const char *wrong_server(const struct brink_tls_options *options)
{
	if (options->flags & ~(BRINK_TLS_ASK | BRINK_TLS_REQUIRE))
		return "a flag that no server has";
	if (options->certificate_count == 0)
		return "a server needs a certificate";
	if (options->peer_name != NULL)
		return "a server's peers have no name";
	if (options->ticket_lifetime > LIFETIME_MOST)
		return "tickets live for 7 days at most";
	if (options->flags != 0 && !trusts_somebody(options))
		return "who asks for certificates has to say whom to trust";
	return NULL;
}

static const char *wrong(const struct brink_tls_options *options)
{
	for (size_t i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++)
		if (options->reserved[i] != NULL)
			return "reserved memory is not zero";
	if (!version_known(options->least) || !version_known(options->most) ||
	    (options->most != 0 && options->most < options->least))
		return "there is no such version";
	if (options->certificate_count > 0 && options->certificates == NULL)
		return "there are no certificates";
	if (options->role == BRINK_TLS_CLIENT)
		return wrong_client(options);
	return options->role == BRINK_TLS_SERVER ? wrong_server(options) : "there is no such role";
}

/* ---- ALPN ---- */

static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *size,
                           const unsigned char *offered, unsigned offered_size, void *arg)
{
	const struct brink__tls_shared *shared = arg;
	unsigned char *found;

	(void)ssl;
	if (SSL_select_next_proto(&found, size, shared->protocols, shared->protocols_size, offered, offered_size) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*chosen = found;
	return SSL_TLSEXT_ERR_OK;
}

/* Each with its length before it. */
static int pack_protocols(struct brink__tls_shared *shared, const char *const *names)
{
	size_t size = 0;
	unsigned char *at;

	for (const char *const *name = names; *name != NULL; name++) {
		if (**name == '\0' || strlen(*name) > 255 || size > 60000)
			return brink__tls_fail(-EINVAL, "the name of a protocol has from 1 to 255 characters");
		size += 1 + strlen(*name);
	}
	if (size == 0)
		return 0;
	at = shared->protocols = brink__tls_allocate(size);
	if (at == NULL)
		return brink__tls_fail(-ENOMEM, NULL);
	shared->protocols_size = (unsigned)size;
	for (const char *const *name = names; *name != NULL; name++) {
		*at++ = (unsigned char)strlen(*name);
		memcpy(at, *name, strlen(*name));
		at += strlen(*name);
	}
	return 0;
}

static int prepare_protocols(struct brink__tls_shared *shared, const char *const *names)
{
	int result = names != NULL ? pack_protocols(shared, names) : 0;

	if (result < 0 || shared->protocols == NULL)
		return result;
	if (shared->role == BRINK_TLS_SERVER)
		SSL_CTX_set_alpn_select_cb(shared->ssl, choose_protocol, shared);
	else if (SSL_CTX_set_alpn_protos(shared->ssl, shared->protocols, shared->protocols_size) != 0)
		return brink__tls_fail(-ENOMEM, NULL);
	return 0;
}

/* ---- verification ---- */

static int mode_of(const struct brink__tls_shared *shared)
{
	if (shared->role == BRINK_TLS_CLIENT)
		return shared->flags & BRINK_TLS_UNVERIFIED ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;
	if (shared->flags & BRINK_TLS_REQUIRE)
		return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	return shared->flags & BRINK_TLS_ASK ? SSL_VERIFY_PEER : SSL_VERIFY_NONE;
}

/* OpenSSL would find out when there is somebody to verify. */
static int look_for(const char *directory)
{
	DIR *found = opendir(directory);

	if (found == NULL)
		return brink__tls_fail(-errno, directory);
	closedir(found);
	return 0;
}

static int prepare_trust(struct brink__tls_shared *shared, const struct brink_tls_options *options)
{
	SSL_CTX *ssl = shared->ssl;
	int result = 0;

	SSL_CTX_set_verify(ssl, mode_of(shared), NULL);
	if (options->ca_file != NULL)
		result = brink__tls_trust(ssl, options->ca_file, NULL);
	if (result == 0 && options->ca_pem != NULL)
		result = brink__tls_trust(ssl, NULL, options->ca_pem);
	if (result == 0 && options->ca_directory != NULL)
		result = look_for(options->ca_directory);
	if (result == 0 && options->ca_directory != NULL && !SSL_CTX_load_verify_dir(ssl, options->ca_directory))
		result = brink__tls_fail_ssl(-EINVAL, options->ca_directory);
	if (!trusts_somebody(options) && mode_of(shared) != SSL_VERIFY_NONE && !SSL_CTX_set_default_verify_paths(ssl))
		result = brink__tls_fail_ssl(-ENOMEM, "the system's trust store");
	return result;
}

/* ---- the SSL_CTX ---- */

/* Without this OpenSSL takes the name for one that nobody cares for. */
static int accept_name(SSL *ssl, int *alert, void *arg)
{
	(void)ssl;
	(void)alert;
	(void)arg;
	return SSL_TLSEXT_ERR_OK;
}

/* The client's hello is there: now it is known what to show. */
static int show_certificate(SSL *ssl, void *arg)
{
	const struct brink__tls_connection *connection = SSL_get_app_data(ssl);

	(void)arg;
	return brink__tls_identities_show(connection->identities,
	                                  SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name), ssl);
}

static int openssl_version(enum brink_tls_version version)
{
	return version == 0 ? 0 : version == BRINK_TLS_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

static int prepare(struct brink__tls_shared *shared, const struct brink_tls_options *options)
{
	SSL_CTX *ssl = shared->ssl = SSL_CTX_new(shared->role == BRINK_TLS_SERVER ? TLS_server_method()
	                                                                          : TLS_client_method());
	int result = 0;

	shared->bio = brink__tls_bio_method();
	if (ssl == NULL || shared->bio == NULL)
		return brink__tls_fail_ssl(-ENOMEM, "OpenSSL");
	if (!SSL_CTX_set_min_proto_version(ssl, options->least == 0 ? TLS1_2_VERSION : openssl_version(options->least)) ||
	    !SSL_CTX_set_max_proto_version(ssl, openssl_version(options->most)))
		return brink__tls_fail_ssl(-EINVAL, "version");
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	brink__tls_sessions_prepare(ssl, shared->role);
	if (shared->role == BRINK_TLS_SERVER) {
		SSL_CTX_set_tlsext_servername_callback(ssl, accept_name);
		SSL_CTX_set_cert_cb(ssl, show_certificate, NULL);
		result = brink__tls_tickets_prepare(shared, options->ticket_lifetime);
	}
	if (result == 0)
		result = prepare_trust(shared, options);
	if (result == 0)
		result = prepare_protocols(shared, options->protocols);
	if (result == 0)
		result = brink__tls_identities_load(&shared->identities, ssl, options->certificates,
		                                    options->certificate_count);
	return result;
}

/* ---- references ---- */

static void drop_shared(struct brink__tls_shared *shared)
{
	if (atomic_fetch_sub(&shared->references, 1) != 1)
		return;
	SSL_CTX_free(shared->ssl);
	BIO_meth_free(shared->bio);
	brink__tls_identities_drop(shared->identities);
	brink__tls_tickets_free(shared);
	brink__tls_free(shared->protocols);
	pthread_mutex_destroy(&shared->lock);
	brink__tls_free(shared);
}

/* Without the dot that a name may end with, which neither certificates nor SNI (RFC 6066, section 3) have. */
static char *copy_name(const char *name)
{
	char *copy = brink__tls_copy(name);
	size_t length = strlen(name);

	if (copy != NULL && length > 1 && copy[length - 1] == '.')
		copy[length - 1] = '\0';
	return copy;
}

/* With the reference to `shared` that the caller has, if it succeeds. */
static int make(brink_tls **made, struct brink__tls_shared *shared, const char *peer_name)
{
	brink_tls *tls = brink__tls_allocate(sizeof *tls);
	char *name = peer_name != NULL ? copy_name(peer_name) : NULL;

	if (tls == NULL || (peer_name != NULL && name == NULL) || pthread_mutex_init(&tls->lock, NULL) != 0) {
		brink__tls_free(name);
		brink__tls_free(tls);
		return brink__tls_fail(-ENOMEM, NULL);
	}
	atomic_init(&tls->references, 1);
	tls->shared = shared;
	tls->peer_name = name;
	*made = tls;
	return 0;
}

int brink_tls_create(brink_tls **tls, const struct brink_tls_options *options)
{
	const char *mistake = wrong(options);
	struct brink__tls_shared *shared;
	int result;

	if (mistake != NULL)
		return brink__tls_fail(-EINVAL, mistake);
	shared = brink__tls_allocate(sizeof *shared);
	if (shared == NULL || pthread_mutex_init(&shared->lock, NULL) != 0) {
		brink__tls_free(shared);
		return brink__tls_fail(-ENOMEM, NULL);
	}
	atomic_init(&shared->references, 1);
	shared->role = options->role;
	shared->flags = options->flags;
	ERR_clear_error();
	result = prepare(shared, options);
	if (result == 0)
		result = make(tls, shared, options->peer_name);
	if (result < 0)
		drop_shared(shared);
	ERR_clear_error();
	return result;
}

int brink_tls_for_peer(brink_tls **made, brink_tls *tls, const char *peer_name)
{
	const char *mistake = wrong_name(tls->shared->flags, peer_name);
	int result;

	if (tls->shared->role != BRINK_TLS_CLIENT)
		mistake = "a server's peers have no name";
	if (mistake != NULL)
		return brink__tls_fail(-EINVAL, mistake);
	atomic_fetch_add(&tls->shared->references, 1);
	result = make(made, tls->shared, peer_name);
	if (result < 0)
		drop_shared(tls->shared);
	return result;
}

brink_tls *brink_tls_hold(brink_tls *tls)
{
	atomic_fetch_add(&tls->references, 1);
	return tls;
}

void brink_tls_release(brink_tls *tls)
{
	if (tls == NULL || atomic_fetch_sub(&tls->references, 1) != 1)
		return;
	brink__tls_sessions_free(tls);
	drop_shared(tls->shared);
	brink__tls_free(tls->peer_name);
	pthread_mutex_destroy(&tls->lock);
	brink__tls_free(tls);
}
