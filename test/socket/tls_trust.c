/* Who is trusted and who is not; names, addresses and protocols; what is shown to whom. */
#include "tls_stage.h"

#include <stdio.h>
#include <string.h>

/* What the server shows instead of `good`. */
static void shown(enum kind kind, struct identity other, int client, const char *text)
{
	struct tls_duo duo;

	open_tls(&duo, kind);
	duo.sides[SERVER].certificate = as_certificate(&other);
	create_tls(&duo);
	expect_failures(&duo, client, -EPROTO);
	CHECK_EQ(duo.sides[CLIENT].seen.opens, 0);
	if (strstr(duo.sides[CLIENT].seen.text, text) == NULL)
		FAIL("%s", duo.sides[CLIENT].seen.text);
	CHECK(strstr(duo.sides[SERVER].seen.text, "alert") != NULL);
	close_tls(&duo);
	free_identity(&other);
}

/* The CA of a duo comes with it: so this makes the certificate in between. */
static void shown_by_ca(enum kind kind, const char *names, int from, int until, const char *text)
{
	struct identity other;
	struct tls_duo duo;

	open_tls(&duo, kind);
	other = make_identity("server.test", names, from, until, &duo.ca);
	duo.sides[SERVER].certificate = as_certificate(&other);
	create_tls(&duo);
	expect_failures(&duo, -EACCES, -EPROTO);
	CHECK_EQ(duo.sides[CLIENT].seen.opens, 0);
	if (strstr(duo.sides[CLIENT].seen.text, text) == NULL)
		FAIL("%s", duo.sides[CLIENT].seen.text);
	close_tls(&duo);
	free_identity(&other);
}

void tls_good(enum kind kind)
{
	struct tls_duo duo;
	struct tls_side *client = &duo.sides[CLIENT], *server = &duo.sides[SERVER];

	open_tls(&duo, kind);
	create_tls(&duo);
	expect_open(&duo);
	CHECK(strcmp(client->info.version, "TLSv1.3") == 0 && strcmp(server->info.version, "TLSv1.3") == 0);
	CHECK(strstr(client->info.cipher, "TLS_") != NULL);
	CHECK(strcmp(client->info.peer_subject, "CN=good") == 0);
	CHECK(server->info.peer_subject == NULL);
	CHECK(strcmp(server->info.server_name, "server.test") == 0);
	CHECK(client->info.protocol == NULL && server->info.protocol == NULL);
	CHECK_EQ(client->info.resumed, 0);
	exchange_texts(&duo, "who?", "me");
	close_tls(&duo);
}

void tls_expired(enum kind kind)
{
	shown_by_ca(kind, "DNS:server.test", -9, -1, "expired");
}

void tls_not_yet(enum kind kind)
{
	shown_by_ca(kind, "DNS:server.test", 1, 2, "not yet valid");
}

void tls_other_name(enum kind kind)
{
	shown_by_ca(kind, "DNS:else.test", -1, 2, "hostname mismatch");
}

/* Where it has no name of the kind that is asked for, either. */
void tls_name_of_subject(enum kind kind)
{
	shown_by_ca(kind, "email:server@else.test", -1, 2, "hostname mismatch");
}

void tls_self_signed(enum kind kind)
{
	shown(kind, make_identity("self", "DNS:server.test", -1, 2, NULL), -EACCES, "self");
}

void tls_other_ca(enum kind kind)
{
	struct identity ca = make_identity("CA", NULL, -1, 2, NULL);

	shown(kind, make_identity("other", "DNS:server.test", -1, 2, &ca), -EACCES, "certificate verify failed");
	free_identity(&ca);
}

static void let_pass(enum kind kind, unsigned flags, bool by_ca)
{
	struct identity other;
	struct tls_duo duo;

	open_tls(&duo, kind);
	other = make_identity("other", "DNS:else.test", -1, 2, by_ca ? &duo.ca : NULL);
	duo.sides[SERVER].certificate = as_certificate(&other);
	duo.sides[CLIENT].tls_options.flags = flags;
	create_tls(&duo);
	expect_open(&duo);
	CHECK(strcmp(duo.sides[CLIENT].info.peer_subject, "CN=other") == 0);
	CHECK(strcmp(duo.sides[SERVER].info.server_name, "server.test") == 0);
	close_tls(&duo);
	free_identity(&other);
}

void tls_unverified(enum kind kind)
{
	let_pass(kind, BRINK_TLS_UNVERIFIED, false);
}

void tls_any_name(enum kind kind)
{
	let_pass(kind, BRINK_TLS_ANY_NAME, true);
}

/* The certificate is for `name`; the server sees `asked` in SNI, or NULL. */
static void trust_by_name(enum kind kind, const char *name, const char *asked)
{
	struct tls_duo duo;
	const char *seen;

	open_tls(&duo, kind);
	duo.sides[CLIENT].tls_options.peer_name = name;
	create_tls(&duo);
	expect_open(&duo);
	seen = duo.sides[SERVER].info.server_name;
	CHECK(asked == NULL ? seen == NULL : seen != NULL && strcmp(seen, asked) == 0);
	close_tls(&duo);
}

void tls_address(enum kind kind)
{
	trust_by_name(kind, "127.0.0.1", NULL);
}

void tls_name_with_dot(enum kind kind)
{
	trust_by_name(kind, "server.test.", "server.test");
}

void tls_other_address(enum kind kind)
{
	struct tls_duo duo;

	open_tls(&duo, kind);
	duo.sides[CLIENT].tls_options.peer_name = "::1";
	create_tls(&duo);
	expect_failures(&duo, -EACCES, -EPROTO);
	CHECK(strstr(duo.sides[CLIENT].seen.text, "IP address mismatch") != NULL);
	close_tls(&duo);
}

/* ---- the client's certificate ---- */

/* `by` says whose certificate the client shows: 0 nobody's, 1 of the CA's, 2 of another's. */
static void open_asking(struct tls_duo *duo, enum kind kind, unsigned flags, int by, struct identity *own)
{
	open_tls(duo, kind);
	memset(own, 0, sizeof *own);
	duo->sides[SERVER].tls_options.flags = flags;
	duo->sides[SERVER].tls_options.ca_pem = duo->ca.certificate;
	if (by != 0) {
		*own = make_identity("the client", "DNS:client.test", -1, 2, by == 1 ? &duo->ca : NULL);
		duo->sides[CLIENT].certificate = as_certificate(own);
	}
	create_tls(duo);
}

void tls_client_shown(enum kind kind)
{
	struct identity own;
	struct tls_duo duo;

	open_asking(&duo, kind, BRINK_TLS_REQUIRE, 1, &own);
	expect_open(&duo);
	CHECK(strcmp(duo.sides[SERVER].info.peer_subject, "CN=the client") == 0);
	exchange_texts(&duo, "mine", "yours");
	close_tls(&duo);
	free_identity(&own);
}

/* In TLS 1.3 a client's handshake is over before the server has looked. */
static void refused_client(enum kind kind, int by, int error)
{
	struct identity own;
	struct tls_duo duo;

	open_asking(&duo, kind, BRINK_TLS_REQUIRE, by, &own);
	expect_failures(&duo, -EPROTO, error);
	CHECK_EQ(duo.sides[SERVER].seen.opens, 0);
	CHECK(strstr(duo.sides[CLIENT].seen.text, "alert") != NULL);
	close_tls(&duo);
	free_identity(&own);
}

void tls_client_missing(enum kind kind)
{
	refused_client(kind, 0, -EPROTO);
}

void tls_client_foreign(enum kind kind)
{
	refused_client(kind, 2, -EACCES);
}

void tls_client_asked(enum kind kind)
{
	struct identity own;
	struct tls_duo duo;

	open_asking(&duo, kind, BRINK_TLS_ASK, 0, &own);
	expect_open(&duo);
	CHECK(duo.sides[SERVER].info.peer_subject == NULL);
	close_tls(&duo);
	open_asking(&duo, kind, BRINK_TLS_ASK, 2, &own);
	expect_failures(&duo, 0, -EACCES);
	close_tls(&duo);
	free_identity(&own);
}

/* ---- which certificate, and other ones ---- */

static void expect_subject(struct tls_duo *duo, enum kind kind, const char *name, const char *subject)
{
	brink_tls *before = duo->sides[CLIENT].tls;

	CHECK_OK(brink_tls_for_peer(&duo->sides[CLIENT].tls, before, name));
	brink_tls_release(before);
	again_tls(duo, kind);
	expect_open(duo);
	CHECK(strcmp(duo->sides[CLIENT].info.peer_subject, subject) == 0);
}

void tls_names(enum kind kind)
{
	struct brink_tls_certificate certificates[2];
	struct identity second;
	struct tls_duo duo;

	open_tls(&duo, kind);
	second = make_identity("second", "DNS:second.test", -1, 2, &duo.ca);
	certificates[0] = as_certificate(&duo.good);
	certificates[1] = as_certificate(&second);
	duo.sides[SERVER].certificate.key_pem = NULL;
	duo.sides[SERVER].tls_options.certificates = certificates;
	duo.sides[SERVER].tls_options.certificate_count = 2;
	create_tls(&duo);
	expect_open(&duo);
	CHECK(strcmp(duo.sides[CLIENT].info.peer_subject, "CN=good") == 0);
	expect_subject(&duo, kind, "second.test", "CN=second");
	expect_subject(&duo, kind, "a.wild.test", "CN=good");
	expect_subject(&duo, kind, "127.0.0.1", "CN=good"); /* without a name, the first */
	close_tls(&duo);
	free_identity(&second);
}

void tls_renewed(enum kind kind)
{
	struct brink_tls_certificate certificate, wrong = {.pem = "nothing"};
	struct identity renewed;
	struct tls_duo duo;
	char expected[] = "CN=renewed";

	open_tls(&duo, kind);
	renewed = make_identity("renewed", "DNS:server.test", -1, 2, &duo.ca);
	certificate = as_certificate(&renewed);
	create_tls(&duo);
	expect_open(&duo);
	CHECK_OK(brink_tls_set_certificates(duo.sides[SERVER].tls, &certificate, 1));
	/* A wrong one changes nothing. */
	CHECK_ERROR(brink_tls_set_certificates(duo.sides[SERVER].tls, &wrong, 1), -EINVAL);
	CHECK_ERROR(brink_tls_set_certificates(duo.sides[SERVER].tls, NULL, 0), -EINVAL);
	exchange_texts(&duo, "still here?", "yes");
	/* Not by a session of the old one's time. */
	expect_subject(&duo, kind, "server.test", expected);
	exchange_texts(&duo, "and now?", "yes");
	close_tls(&duo);
	free_identity(&renewed);
}

/* ---- ALPN and versions ---- */

static void agree(enum kind kind, const char *const *client, const char *const *server, const char *protocol)
{
	struct tls_duo duo;

	open_tls(&duo, kind);
	duo.sides[CLIENT].tls_options.protocols = client;
	duo.sides[SERVER].tls_options.protocols = server;
	create_tls(&duo);
	if (protocol == NULL) {
		expect_failures(&duo, -EPROTO, -EPROTO);
		CHECK(strstr(duo.sides[CLIENT].seen.text, "no application protocol") != NULL);
	} else {
		expect_open(&duo);
		for (int i = 0; i < 2; i++)
			CHECK(strcmp(duo.sides[i].info.protocol != NULL ? duo.sides[i].info.protocol : "", protocol) == 0);
	}
	close_tls(&duo);
}

static const char *const new_first[] = {"h2", "http/1.1", NULL};
static const char *const old_first[] = {"http/1.1", "h2", NULL};
static const char *const foreign[] = {"gopher", NULL};

void tls_protocols(enum kind kind)
{
	agree(kind, old_first, new_first, "h2");
	agree(kind, new_first, old_first, "http/1.1");
}

void tls_no_protocol(enum kind kind)
{
	agree(kind, foreign, new_first, NULL);
}

void tls_protocol_unasked(enum kind kind)
{
	agree(kind, NULL, new_first, "");
	agree(kind, new_first, NULL, "");
}

void tls_versions(enum kind kind)
{
	struct tls_duo duo;

	open_tls(&duo, kind);
	duo.sides[SERVER].tls_options.most = BRINK_TLS_1_2;
	create_tls(&duo);
	expect_open(&duo);
	CHECK(strcmp(duo.sides[CLIENT].info.version, "TLSv1.2") == 0);
	close_tls(&duo);
	open_tls(&duo, kind);
	duo.sides[SERVER].tls_options.most = BRINK_TLS_1_2;
	duo.sides[CLIENT].tls_options.least = BRINK_TLS_1_3;
	create_tls(&duo);
	expect_failures(&duo, -EPROTO, -EPROTO);
	CHECK(strstr(duo.sides[CLIENT].seen.text, "version") != NULL);
	close_tls(&duo);
}

/* ---- options ---- */

static void refuse(const struct brink_tls_options *options, int error, const char *text)
{
	brink_tls *tls;

	CHECK_ERROR(brink_tls_create(&tls, options), error);
	if (strstr(brink_tls_error(), text) == NULL)
		FAIL("%s", brink_tls_error());
}

void tls_options(enum kind kind)
{
	struct identity one = make_identity("one", "DNS:one.test", -1, 2, NULL);
	struct identity two = make_identity("two", "DNS:two.test", -1, 2, NULL);
	struct brink_tls_certificate good = as_certificate(&one), mixed = {.pem = one.certificate, .key_pem = two.key},
		keyless = {.pem = one.certificate}, missing = {.file = "/there/is/no/such.pem"}, both = {.file = "a", .pem = "b"};
	static const char *const unnamed[] = {"", NULL};
	brink_tls *tls;

	(void)kind;
	refuse(&(struct brink_tls_options){.flags = 0}, -EINVAL, "peer's name");
	refuse(&(struct brink_tls_options){.peer_name = ""}, -EINVAL, "characters");
	refuse(&(struct brink_tls_options){.peer_name = "[::1]"}, -EINVAL, "brackets");
	refuse(&(struct brink_tls_options){.peer_name = "fe80::1%lo"}, -EINVAL, "zone");
	refuse(&(struct brink_tls_options){.peer_name = "server.test:443"}, -EINVAL, "port");
	refuse(&(struct brink_tls_options){.peer_name = "a", .flags = BRINK_TLS_ASK}, -EINVAL, "flag");
	refuse(&(struct brink_tls_options){.peer_name = "a", .reserved = {&tls}}, -EINVAL, "reserved");
	refuse(&(struct brink_tls_options){.peer_name = "a", .least = (enum brink_tls_version)11}, -EINVAL, "version");
	refuse(&(struct brink_tls_options){.peer_name = "a", .least = BRINK_TLS_1_3, .most = BRINK_TLS_1_2}, -EINVAL,
	       "version");
	refuse(&(struct brink_tls_options){.peer_name = "a", .protocols = unnamed}, -EINVAL, "protocol");
	refuse(&(struct brink_tls_options){.peer_name = "a", .ca_pem = "nothing"}, -EINVAL, "CA");
	refuse(&(struct brink_tls_options){.peer_name = "a", .ca_file = "/there/is/no/such.pem"}, -ENOENT, "such.pem");
	refuse(&(struct brink_tls_options){.peer_name = "a", .ticket_lifetime = 1}, -EINVAL, "tickets");
	refuse(&(struct brink_tls_options){.role = BRINK_TLS_SERVER}, -EINVAL, "certificate");
	refuse(&(struct brink_tls_options){.role = BRINK_TLS_SERVER, .certificate_count = 1, .certificates = &good,
		.ticket_lifetime = BRINK_SECONDS(7 * 86400) + 1}, -EINVAL, "7 days");
	refuse(&(struct brink_tls_options){.role = BRINK_TLS_SERVER, .certificate_count = 1}, -EINVAL, "certificates");
	refuse(&(struct brink_tls_options){.role = BRINK_TLS_SERVER, .certificate_count = 1, .certificates = &good,
		.flags = BRINK_TLS_REQUIRE}, -EINVAL, "trust");
	refuse(&(struct brink_tls_options){.role = BRINK_TLS_SERVER, .certificate_count = 1, .certificates = &good,
		.peer_name = "a"}, -EINVAL, "name");
	refuse(&(struct brink_tls_options){.role = BRINK_TLS_SERVER, .certificate_count = 1, .certificates = &mixed},
	       -EINVAL, "mismatch");
	refuse(&(struct brink_tls_options){.role = BRINK_TLS_SERVER, .certificate_count = 1, .certificates = &keyless},
	       -EINVAL, "key");
	refuse(&(struct brink_tls_options){.role = BRINK_TLS_SERVER, .certificate_count = 1, .certificates = &missing},
	       -ENOENT, "such.pem");
	refuse(&(struct brink_tls_options){.role = BRINK_TLS_SERVER, .certificate_count = 1, .certificates = &both},
	       -EINVAL, "a file or a text");
	CHECK_OK(brink_tls_create(&tls, &(struct brink_tls_options){.role = BRINK_TLS_SERVER, .certificate_count = 1,
		.certificates = &good}));
	CHECK_ERROR(brink_tls_for_peer(&tls, tls, "a"), -EINVAL);
	brink_tls_release(brink_tls_hold(tls));
	brink_tls_release(tls);
	brink_tls_release(NULL);
	free_identity(&one);
	free_identity(&two);
}
