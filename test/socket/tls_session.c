/* Sessions that are taken up again. */
#include "tls_stage.h"

#include <pthread.h>
#include <string.h>

static void resume(enum kind kind, enum brink_tls_version version)
{
	struct identity own;
	struct tls_duo duo;

	open_tls(&duo, kind);
	own = make_identity("the client", "DNS:client.test", -1, 2, &duo.ca);
	duo.sides[CLIENT].certificate = as_certificate(&own);
	duo.sides[SERVER].tls_options.most = version;
	duo.sides[SERVER].tls_options.flags = BRINK_TLS_REQUIRE;
	duo.sides[SERVER].tls_options.ca_pem = duo.ca.certificate;
	create_tls(&duo);
	for (int round = 0; round < 4; round++) {
		expect_open(&duo);
		for (int i = 0; i < 2; i++) {
			CHECK_EQ(duo.sides[i].info.resumed, round > 0);
			/* What was verified then holds now. */
			CHECK(strcmp(duo.sides[i].info.peer_subject, i == CLIENT ? "CN=good" : "CN=the client") == 0);
		}
		exchange_texts(&duo, "a question", "an answer");
		again_tls(&duo, kind);
	}
	/* Another server knows nothing of it, and then it is a whole handshake. */
	expect_open(&duo);
	brink_tls_release(duo.sides[SERVER].tls);
	create_tls_context(&duo, SERVER);
	again_tls(&duo, kind);
	expect_open(&duo);
	CHECK_EQ(duo.sides[CLIENT].info.resumed, 0);
	close_tls(&duo);
	free_identity(&own);
}

void tls_resumed(enum kind kind)
{
	resume(kind, BRINK_TLS_1_3);
}

void tls_resumed_12(enum kind kind)
{
	resume(kind, BRINK_TLS_1_2);
}

/* A session is for the peer with whom it was made, although contexts share everything else. */
void tls_peers_apart(enum kind kind)
{
	struct tls_duo duo;
	brink_tls *first;

	open_tls(&duo, kind);
	create_tls(&duo);
	expect_open(&duo);
	exchange_texts(&duo, "a question", "an answer");
	first = duo.sides[CLIENT].tls;
	CHECK_OK(brink_tls_for_peer(&duo.sides[CLIENT].tls, first, "a.wild.test"));
	again_tls(&duo, kind);
	expect_open(&duo);
	CHECK_EQ(duo.sides[CLIENT].info.resumed, 0);
	brink_tls_release(duo.sides[CLIENT].tls);
	duo.sides[CLIENT].tls = first;
	again_tls(&duo, kind);
	expect_open(&duo);
	CHECK_EQ(duo.sides[CLIENT].info.resumed, 1);
	close_tls(&duo);
}

/* ---- the keys of tickets ---- */

static void expect_resumed(struct tls_duo *duo, int resumed)
{
	expect_open(duo);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(duo->sides[i].info.resumed, resumed);
	exchange_texts(duo, "a question", "an answer");
}

/* The last key still opens, and who comes with its ticket gets one of the new key; the one before does
 * not open any more. */
static void change_keys(enum kind kind, enum brink_tls_version version)
{
	static const struct {
		unsigned changes;
		int resumed;
	} rounds[] = {{0, 0}, {0, 1}, {0, 1}, {0, 1}, {1, 1}, {1, 1}, {1, 1}, {2, 0}, {0, 1}};
	struct tls_duo duo;

	open_tls(&duo, kind);
	duo.sides[SERVER].tls_options.most = version;
	create_tls(&duo);
	for (size_t i = 0; i < sizeof rounds / sizeof rounds[0]; i++) {
		for (unsigned n = 0; n < rounds[i].changes; n++)
			CHECK_OK(brink_tls_change_ticket_key(duo.sides[SERVER].tls));
		if (i > 0)
			again_tls(&duo, kind);
		expect_resumed(&duo, rounds[i].resumed);
	}
	CHECK_ERROR(brink_tls_change_ticket_key(duo.sides[CLIENT].tls), -EINVAL);
	close_tls(&duo);
}

void tls_changed_keys(enum kind kind)
{
	change_keys(kind, BRINK_TLS_1_3);
}

void tls_changed_keys_12(enum kind kind)
{
	change_keys(kind, BRINK_TLS_1_2);
}

/* By themselves: of how many it took up none is left when twice the time is over. */
void tls_keys_grow_old(enum kind kind)
{
	static const enum brink_tls_version versions[] = {BRINK_TLS_1_2, BRINK_TLS_1_3};

	for (int i = 0; i < 2; i++) {
		struct tls_duo duo;

		open_tls(&duo, kind);
		duo.sides[SERVER].tls_options.most = versions[i];
		duo.sides[SERVER].tls_options.ticket_lifetime = BRINK_MS(100);
		create_tls(&duo);
		for (unsigned round = 0; round < 3; round++) {
			expect_resumed(&duo, 0);
			sleep_ms(201);
			again_tls(&duo, kind);
		}
		close_tls(&duo);
	}
}

#define SHARERS 4u

struct sharer {
	pthread_t thread;
	struct tls_duo *duo;
	enum kind kind;
};

/* Handshakes with the contexts of another. */
static void *share(void *arg)
{
	struct sharer *sharer = arg;
	struct tls_duo duo;

	open_tls(&duo, sharer->kind);
	for (int i = 0; i < 2; i++)
		duo.sides[i].tls = brink_tls_hold(sharer->duo->sides[i].tls);
	create_tls(&duo);
	for (unsigned round = 0; round < 30; round++) {
		expect_open(&duo);
		exchange_texts(&duo, "a question", "an answer");
		if (round % 5 == 0)
			CHECK_OK(brink_tls_change_ticket_key(duo.sides[SERVER].tls));
		again_tls(&duo, sharer->kind);
	}
	close_tls(&duo);
	return NULL;
}

/* Keys change under those that use them. */
void tls_keys_shared(enum kind kind)
{
	struct sharer sharers[SHARERS];
	struct tls_duo duo;

	open_tls(&duo, kind);
	duo.sides[SERVER].tls_options.ticket_lifetime = BRINK_MS(1);
	for (int i = 0; i < 2; i++)
		create_tls_context(&duo, i);
	for (unsigned i = 0; i < SHARERS; i++) {
		sharers[i] = (struct sharer){.duo = &duo, .kind = kind};
		CHECK_EQ(pthread_create(&sharers[i].thread, NULL, share, &sharers[i]), 0);
	}
	for (unsigned i = 0; i < SHARERS; i++)
		CHECK_EQ(pthread_join(sharers[i].thread, NULL), 0);
	close_tls(&duo);
}

/* ---- what a session stands on ---- */

/* With certificates that are over in so many seconds of the side `brief`. */
struct brief {
	struct tls_duo duo;
	struct identity own, client;
	int side;
};

static void open_brief(struct brief *brief, enum kind kind, int side, enum brink_tls_version version, int seconds)
{
	struct tls_side *sides = brief->duo.sides;

	open_tls(&brief->duo, kind);
	brief->side = side;
	brief->client = make_identity("the client", "DNS:client.test", -1, 2, &brief->duo.ca);
	brief->own = make_short_identity("brief", "DNS:server.test", seconds, &brief->duo.ca);
	sides[CLIENT].certificate = as_certificate(&brief->client);
	sides[side].certificate = as_certificate(&brief->own);
	sides[SERVER].tls_options.most = version;
	sides[SERVER].tls_options.flags = BRINK_TLS_REQUIRE;
	sides[SERVER].tls_options.ca_pem = brief->duo.ca.certificate;
	create_tls(&brief->duo);
}

static void close_brief(struct brief *brief)
{
	close_tls(&brief->duo);
	free_identity(&brief->client);
	free_identity(&brief->own);
}

/* Whom a session would let in is looked at once more, and refused. */
static void refused_again(struct brief *brief, enum kind kind)
{
	struct tls_side *judge = &brief->duo.sides[1 - brief->side];

	again_tls(&brief->duo, kind);
	RUN_UNTIL(brief->duo.loop, judge->seen.closes == 1 || judge->seen.opens == 1);
	CHECK_EQ(judge->seen.opens, 0);
	CHECK(strstr(judge->seen.text, "expired") != NULL);
}

void tls_expired_since(enum kind kind)
{
	static const enum brink_tls_version versions[] = {BRINK_TLS_1_2, BRINK_TLS_1_3};
	int seconds = is_slow() ? 10 : 2;
	uint64_t end = 0; /* of the last */
	struct brief briefs[4];

	for (int i = 0; i < 4; i++) {
		struct brief *brief = &briefs[i];

		open_brief(brief, kind, i / 2, versions[i % 2], seconds);
		end = monotonic_now() + BRINK_SECONDS((unsigned)seconds);
		for (int round = 0; round < 2; round++) {
			RUN_UNTIL(brief->duo.loop, brief->duo.sides[CLIENT].seen.opens == 1 || monotonic_now() > end);
			if (monotonic_now() > end)
				SKIP("this machine is too slow for certificates of %d s", seconds);
			exchange_texts(&brief->duo, "a question", "an answer");
			CHECK_EQ(brief->duo.sides[CLIENT].info.resumed, round);
			if (round == 0)
				again_tls(&brief->duo, kind);
		}
	}
	while (monotonic_now() < end + BRINK_SECONDS(3) / 2)
		sleep_ms(50);
	for (int i = 0; i < 4; i++) {
		refused_again(&briefs[i], kind);
		close_brief(&briefs[i]);
	}
}

static void others_set(enum kind kind, int side, enum brink_tls_version version)
{
	static const unsigned resumed[] = {0, 1, 0, 1};
	struct brink_tls_certificate certificate;
	struct brief brief;

	open_brief(&brief, kind, side, version, 86400);
	certificate = as_certificate(&brief.own); /* the same: it is enough that they were set */
	for (unsigned round = 0; round < 4; round++) {
		if (round > 0)
			again_tls(&brief.duo, kind);
		expect_open(&brief.duo);
		for (int i = 0; i < 2; i++)
			CHECK_EQ(brief.duo.sides[i].info.resumed, resumed[round]);
		exchange_texts(&brief.duo, "a question", "an answer");
		if (round == 1)
			CHECK_OK(brink_tls_set_certificates(brief.duo.sides[side].tls, &certificate, 1));
	}
	close_brief(&brief);
}

void tls_other_certificates(enum kind kind)
{
	others_set(kind, CLIENT, BRINK_TLS_1_3);
	others_set(kind, SERVER, BRINK_TLS_1_3);
}

void tls_other_certificates_12(enum kind kind)
{
	others_set(kind, CLIENT, BRINK_TLS_1_2);
	others_set(kind, SERVER, BRINK_TLS_1_2);
}
