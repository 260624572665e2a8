/* Sessions that are taken up again. */
#include "tls_stage.h"

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
