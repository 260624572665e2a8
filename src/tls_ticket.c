/* The keys of a server's tickets. Who gets hold of one reads every session that was closed with it, later
 * ones and earlier ones: so each is used for a time only, opens what it has closed for as long again, and is
 * forgotten then. There is nobody who would do that in time where no handshake comes: whoever asks for a
 * key looks at their ages first. */
#include "config.h"

#include "tls.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <string.h>
#include <time.h>

#define SECOND UINT64_C(1000000000)
#define LIFETIME (2 * 3600 * SECOND)

/* ---- keys, with the lock ---- */

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static bool is_older(const struct brink__tls_ticket_key *key, uint64_t age)
{
	return now() - key->made >= age;
}

static void forget_old(struct brink__tls_tickets *tickets)
{
	while (tickets->count > 0 && is_older(&tickets->keys[tickets->count - 1], 2 * tickets->lifetime))
		OPENSSL_cleanse(&tickets->keys[--tickets->count], sizeof tickets->keys[0]);
}

/* False: there are no random numbers. */
static bool change(struct brink__tls_tickets *tickets)
{
	struct brink__tls_ticket_key key = {.made = now()};
	bool made = RAND_bytes(key.name, sizeof key.name) > 0 && RAND_priv_bytes(key.cipher, sizeof key.cipher) > 0 &&
	            RAND_priv_bytes(key.mac, sizeof key.mac) > 0;

	if (made) {
		tickets->keys[1] = tickets->keys[0];
		tickets->keys[0] = key;
		tickets->count += tickets->count < 2;
	}
	OPENSSL_cleanse(&key, sizeof key);
	return made;
}

/* ---- for OpenSSL, on any thread ---- */

/* That which closes. One that is over is better than none. */
static bool get_newest(struct brink__tls_shared *shared, struct brink__tls_ticket_key *key)
{
	struct brink__tls_tickets *tickets = &shared->tickets;
	bool found;

	pthread_mutex_lock(&shared->lock);
	forget_old(tickets);
	if (tickets->count == 0 || is_older(&tickets->keys[0], tickets->lifetime))
		change(tickets);
	found = tickets->count > 0;
	if (found)
		*key = tickets->keys[0];
	pthread_mutex_unlock(&shared->lock);
	return found;
}

/* That of this name: 1; 2 where the client is to have another ticket; 0: there is none. */
static int find(struct brink__tls_shared *shared, const unsigned char *name, struct brink__tls_ticket_key *key)
{
	struct brink__tls_tickets *tickets = &shared->tickets;
	int found = 0;

	pthread_mutex_lock(&shared->lock);
	forget_old(tickets);
	for (unsigned i = 0; i < tickets->count && found == 0; i++)
		if (memcmp(tickets->keys[i].name, name, sizeof tickets->keys[i].name) == 0) {
			*key = tickets->keys[i];
			found = i > 0 || is_older(key, tickets->lifetime) ? 2 : 1;
		}
	pthread_mutex_unlock(&shared->lock);
	return found;
}

static bool set_mac(EVP_MAC_CTX *mac, struct brink__tls_ticket_key *key)
{
	static char digest[] = "SHA256";
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, parameters) > 0;
}

static int close_ticket(struct brink__tls_shared *shared, unsigned char *name, unsigned char *iv,
                        EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	const EVP_CIPHER *aes = shared->tickets.cipher;
	struct brink__tls_ticket_key key;
	int result = -1;

	if (!get_newest(shared, &key))
		return -1;
	memcpy(name, key.name, sizeof key.name);
	if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(aes)) > 0 &&
	    EVP_EncryptInit_ex2(cipher, aes, key.cipher, iv, NULL) && set_mac(mac, &key))
		result = 1;
	OPENSSL_cleanse(&key, sizeof key);
	return result;
}

static int open_ticket(struct brink__tls_shared *shared, const unsigned char *name, const unsigned char *iv,
                       EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	struct brink__tls_ticket_key key;
	int result = find(shared, name, &key);

	if (result > 0 && !(EVP_DecryptInit_ex2(cipher, shared->tickets.cipher, key.cipher, iv, NULL) &&
	                    set_mac(mac, &key)))
		result = -1;
	OPENSSL_cleanse(&key, sizeof key);
	return result;
}

static int use_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                   int closes)
{
	const struct brink__tls_connection *connection = SSL_get_app_data(ssl);
	struct brink__tls_shared *shared = connection->tls->shared;
	int result;

	if (closes)
		return close_ticket(shared, name, iv, cipher, mac);
	result = open_ticket(shared, name, iv, cipher, mac);
	/* A ticket of TLS 1.3 is used once. */
	return result == 1 && SSL_version(ssl) >= TLS1_3_VERSION ? 2 : result;
}

/* ---- of a context ---- */

int brink__tls_tickets_prepare(struct brink__tls_shared *shared, uint64_t lifetime)
{
	struct brink__tls_tickets *tickets = &shared->tickets;

	tickets->lifetime = lifetime != 0 ? lifetime : LIFETIME;
	tickets->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (tickets->cipher == NULL)
		return brink__tls_fail_ssl(-ENOMEM, "AES");
	if (!change(tickets))
		return brink__tls_fail_ssl(-EIO, "random numbers");
	SSL_CTX_set_timeout(shared->ssl, (long)((tickets->lifetime + SECOND - 1) / SECOND));
	SSL_CTX_set_tlsext_ticket_key_evp_cb(shared->ssl, use_key);
	return 0;
}

void brink__tls_tickets_free(struct brink__tls_shared *shared)
{
	OPENSSL_cleanse(shared->tickets.keys, sizeof shared->tickets.keys);
	EVP_CIPHER_free(shared->tickets.cipher);
}

int brink_tls_change_ticket_key(brink_tls *tls)
{
	struct brink__tls_shared *shared = tls->shared;
	bool changed;

	if (shared->role != BRINK_TLS_SERVER)
		return brink__tls_fail(-EINVAL, "a client has no tickets of its own");
	ERR_clear_error();
	pthread_mutex_lock(&shared->lock);
	changed = change(&shared->tickets);
	pthread_mutex_unlock(&shared->lock);
	return changed ? 0 : brink__tls_fail_ssl(-EIO, "random numbers");
}
