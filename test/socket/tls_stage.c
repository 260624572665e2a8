#include "tls_stage.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- certificates ---- */

static char *pem_of(BIO *bio)
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

static void sign(X509 *certificate, EVP_PKEY *key, const struct identity *issuer)
{
	BIO *bio;
	X509 *above;

	if (issuer == NULL) {
		X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
		CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
		return;
	}
	bio = BIO_new_mem_buf(issuer->certificate, -1);
	above = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	bio = BIO_new_mem_buf(issuer->key, -1);
	key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
	CHECK(above != NULL && key != NULL);
	X509_set_issuer_name(certificate, X509_get_subject_name(above));
	CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
	EVP_PKEY_free(key);
	X509_free(above);
}

/* For a key, which it takes; times in seconds from now. */
static struct identity certify(EVP_PKEY *key, const char *subject, const char *names, long from, long until,
                               const struct identity *issuer)
{
	static atomic_long serial; /* several threads make some */
	X509 *certificate = X509_new();
	struct identity made;
	BIO *bio;

	CHECK(key != NULL && certificate != NULL);
	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), atomic_fetch_add(&serial, 1) + 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), from);
	X509_gmtime_adj(X509_getm_notAfter(certificate), until);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
	                           (const unsigned char *)subject, -1, -1, 0);
	extend(certificate, NID_basic_constraints, names == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (names != NULL)
		extend(certificate, NID_subject_alt_name, names);
	sign(certificate, key, issuer);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, certificate);
	made.certificate = pem_of(bio);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	made.key = pem_of(bio);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return made;
}

#define DAY 86400L

struct identity make_identity(const char *subject, const char *names, int from, int until,
                              const struct identity *issuer)
{
	return certify(EVP_EC_gen("P-256"), subject, names, from * DAY, until * DAY, issuer);
}

struct identity make_short_identity(const char *subject, const char *names, int seconds, const struct identity *issuer)
{
	return certify(EVP_EC_gen("P-256"), subject, names, -DAY, seconds, issuer);
}

struct identity make_weak_identity(const char *subject, const char *names, const struct identity *issuer)
{
	return certify(EVP_RSA_gen(512), subject, names, -DAY, DAY, issuer);
}

void free_identity(struct identity *identity)
{
	free(identity->certificate);
	free(identity->key);
	memset(identity, 0, sizeof *identity);
}

struct brink_tls_certificate as_certificate(const struct identity *identity)
{
	return (struct brink_tls_certificate){.pem = identity->certificate, .key_pem = identity->key};
}

/* ---- the two ---- */

static void keep_text(char *to, size_t size, const char **text)
{
	if (*text != NULL)
		*text = (snprintf(to, size, "%s", *text), to);
}

static void take_info(brink_socket *socket)
{
	struct seen *seen = brink_socket_arg(socket);
	struct tls_side *side = brink_container_of(seen, struct tls_side, seen);

	CHECK_OK(brink_tls_get_info(socket, &side->info));
	keep_text(side->protocol, sizeof side->protocol, &side->info.protocol);
	keep_text(side->server_name, sizeof side->server_name, &side->info.server_name);
	keep_text(side->subject, sizeof side->subject, &side->info.peer_subject);
}

static void prepare_sides(struct tls_duo *duo)
{
	for (int i = 0; i < 2; i++) {
		struct tls_side *side = &duo->sides[i];

		see(&side->seen, &side->options);
		side->seen.act_open = take_info;
		side->options.fd = i == CLIENT ? duo->pair.ours : duo->pair.theirs;
		side->options.transport = brink_tls_transport();
	}
}

void open_tls(struct tls_duo *duo, enum kind kind)
{
	memset(duo, 0, sizeof *duo);
	duo->loop = new_loop();
	duo->pair = open_pair(kind, BRINK_READ);
	duo->ca = make_identity("CA", NULL, -1, 2, NULL);
	duo->good = make_identity("good", "DNS:server.test,DNS:*.wild.test,IP:127.0.0.1", -1, 2, &duo->ca);
	duo->sides[SERVER].tls_options.role = BRINK_TLS_SERVER;
	duo->sides[SERVER].certificate = as_certificate(&duo->good);
	duo->sides[CLIENT].tls_options.ca_pem = duo->ca.certificate;
	duo->sides[CLIENT].tls_options.peer_name = "server.test";
	prepare_sides(duo);
}

void create_tls_context(struct tls_duo *duo, int which)
{
	struct tls_side *side = &duo->sides[which];

	if (side->certificate.key_pem != NULL) {
		side->tls_options.certificates = &side->certificate;
		side->tls_options.certificate_count = 1;
	}
	if (brink_tls_create(&side->tls, &side->tls_options) < 0)
		FAIL("a context: %s", brink_tls_error());
}

void create_tls_socket(struct tls_duo *duo, int which)
{
	struct tls_side *side = &duo->sides[which];

	side->options.transport_arg = side->tls;
	CHECK_OK(brink_socket_create(&side->id, duo->loop, &side->options));
	*(which == CLIENT ? &duo->pair.ours : &duo->pair.theirs) = -1;
}

void create_tls(struct tls_duo *duo)
{
	for (int i = 0; i < 2; i++) {
		if (duo->sides[i].tls == NULL)
			create_tls_context(duo, i);
		create_tls_socket(duo, i);
	}
}

void expect_open(struct tls_duo *duo)
{
	RUN_UNTIL(duo->loop, (duo->sides[CLIENT].seen.opens == 1 && duo->sides[SERVER].seen.opens == 1) ||
		duo->sides[CLIENT].seen.closes + duo->sides[SERVER].seen.closes > 0);
	for (int i = 0; i < 2; i++)
		if (duo->sides[i].seen.closes > 0)
			FAIL("%s: %s", i == CLIENT ? "client" : "server", duo->sides[i].seen.text);
}

static void end_sockets(struct tls_duo *duo)
{
	for (int i = 0; i < 2; i++) {
		struct tls_side *side = &duo->sides[i];

		if (side->id == BRINK_NO_SOCKET)
			continue;
		brink_socket_fail(side->id, 0, NULL);
		RUN_UNTIL(duo->loop, side->seen.closes == 1);
		side->id = BRINK_NO_SOCKET;
	}
	close_pair(&duo->pair);
}

void again_tls(struct tls_duo *duo, enum kind kind)
{
	end_sockets(duo);
	duo->pair = open_pair(kind, BRINK_READ);
	prepare_sides(duo);
	create_tls(duo);
}

void close_tls(struct tls_duo *duo)
{
	end_sockets(duo);
	for (int i = 0; i < 2; i++)
		brink_tls_release(duo->sides[i].tls);
	CHECK_OK(brink_loop_destroy(duo->loop));
	free_identity(&duo->ca);
	free_identity(&duo->good);
}

void expect_failures(struct tls_duo *duo, int client, int server)
{
	int expected[2] = {client, server};

	RUN_UNTIL(duo->loop, duo->sides[CLIENT].seen.closes == 1 && duo->sides[SERVER].seen.closes == 1);
	for (int i = 0; i < 2; i++) {
		CHECK(duo->sides[i].seen.error < 0);
		if (expected[i] != 0)
			CHECK_ERROR(duo->sides[i].seen.error, expected[i]);
	}
}

void exchange_texts(struct tls_duo *duo, const char *question, const char *answer)
{
	struct tls_side *sides = duo->sides;

	write_text(sides[CLIENT].id, question);
	RUN_UNTIL(duo->loop, sides[SERVER].seen.size >= strlen(question) || sides[SERVER].seen.closes > 0);
	CHECK(strcmp(sides[SERVER].seen.bytes, question) == 0);
	write_text(sides[SERVER].id, answer);
	RUN_UNTIL(duo->loop, sides[CLIENT].seen.size >= strlen(answer) || sides[CLIENT].seen.closes > 0);
	CHECK(strcmp(sides[CLIENT].seen.bytes, answer) == 0);
}
