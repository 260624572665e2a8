/* TLS: two sockets at one loop, of which one gives back what it gets; and once more, with a session of
 * the first time. OpenSSL itself has all that it wants. */
#include "faults.h"

#include <brink/tls.h>

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MUCH 100000u

/* ---- a certificate, which vouches for itself ---- */

static char *certificate_text, *key_text;

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

static void extend(X509 *certificate, int what, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, what, value);

	CHECK(extension != NULL && X509_add_ext(certificate, extension, -1));
	X509_EXTENSION_free(extension);
}

static void make_certificate(void)
{
	X509 *certificate = X509_new();
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIO *bio = BIO_new(BIO_s_mem());

	CHECK(certificate != NULL && key != NULL && bio != NULL);
	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
	                           (const unsigned char *)"server.test", -1, -1, 0);
	X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
	extend(certificate, NID_basic_constraints, "critical,CA:TRUE");
	extend(certificate, NID_subject_alt_name, "DNS:server.test");
	CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
	CHECK(PEM_write_bio_X509(bio, certificate) == 1);
	certificate_text = text_of(bio);
	bio = BIO_new(BIO_s_mem());
	CHECK(bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
	key_text = text_of(bio);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

/* ---- the two ---- */

enum { CLIENT, SERVER };

struct duo {
	brink_loop *loop;
	brink_tls *tls[2];
	struct side sides[2];
};

static bool make_contexts(struct duo *duo, enum brink_tls_version version)
{
	struct brink_tls_certificate certificate = {.pem = certificate_text, .key_pem = key_text};
	struct brink_tls_options client = {.peer_name = "server.test", .ca_pem = certificate_text};
	struct brink_tls_options server = {
		.role = BRINK_TLS_SERVER, .certificates = &certificate, .certificate_count = 1, .most = version};

	return went_well(brink_tls_create(&duo->tls[CLIENT], &client)) &&
	       went_well(brink_tls_create(&duo->tls[SERVER], &server)) &&
	       went_well(brink_tls_change_ticket_key(duo->tls[SERVER]));
}

/* Who cannot answer ends the connection. */
static void give_back(brink_socket *socket, brink_buffer *in, void *arg)
{
	int result;

	((struct side *)arg)->size += brink_buffer_length(in);
	result = brink_socket_write(socket, in);
	if (!went_well(result))
		brink_socket_fail(brink_socket_get_id(socket), result, NULL);
}

static unsigned make_sockets(struct duo *duo)
{
	unsigned made = 0;
	int fds[2];

	open_pair(fds);
	for (int i = 0; i < 2; i++) {
		struct side *side = &duo->sides[i];
		struct brink_socket_options options = options_of(side);

		memset(side, 0, sizeof *side);
		side->loop = duo->loop;
		options.fd = fds[i];
		options.transport = brink_tls_transport();
		options.transport_arg = duo->tls[i];
		options.connect_timeout = BRINK_SECONDS(1000);
		options.linger_timeout = BRINK_SECONDS(1000);
		if (i == SERVER)
			options.on_bytes = give_back;
		if (went_well(brink_socket_create(&side->id, duo->loop, &options)))
			made++;
		else
			close(fds[i]); /* by which the other one ends */
	}
	return made;
}

static bool is_over(const struct duo *duo)
{
	return duo->sides[CLIENT].closes + duo->sides[SERVER].closes > 0;
}

static void close_client(struct duo *duo)
{
	brink_socket *socket = brink_socket_address(duo->sides[CLIENT].id);

	if (socket == NULL)
		return;
	CHECK(brink_socket_close(socket) == 0);
	brink_socket_release(socket);
}

static void exchange(struct duo *duo)
{
	struct side *client = &duo->sides[CLIENT], *server = &duo->sides[SERVER];
	unsigned made = make_sockets(duo);

	if (made == 2) {
		while (!is_over(duo) && (client->opens == 0 || server->opens == 0))
			turn(client);
		write_some(client, 5, 0);
		write_some(client, MUCH, 0);
		while (!is_over(duo) && client->taken == 2 && client->size < 5 + MUCH)
			turn(client);
		close_client(duo);
	}
	while (client->closes + server->closes < made)
		turn(client);
	CHECK(client->ended == client->taken);
	if (fault_harmless() || !fault_struck())
		CHECK(client->size == 5 + MUCH && server->size == 5 + MUCH && client->error == 0 && server->error == 0);
	told_errors += client->error < 0 || server->error < 0;
}

static void encrypted(enum brink_tls_version version)
{
	struct duo duo = {.loop = NULL};

	if (certificate_text == NULL)
		make_certificate();
	duo.loop = make_loop();
	if (duo.loop == NULL)
		return;
	if (make_contexts(&duo, version))
		for (int i = 0; i < 2; i++)
			exchange(&duo);
	brink_loop_destroy(duo.loop);
	for (int i = 0; i < 2; i++)
		brink_tls_release(duo.tls[i]);
}

static void in_1_3(void)
{
	encrypted(BRINK_TLS_1_3);
}

static void in_1_2(void)
{
	encrypted(BRINK_TLS_1_2);
}

const struct scenario tls_scenarios[] = {
	{"sockets over TLS 1.3", in_1_3, false},
	{"sockets over TLS 1.2", in_1_2, false},
	{NULL, NULL, false},
};
