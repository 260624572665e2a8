/* What is refused when it is given, and not with each connection. */
#include "tls_stage.h"

#include <string.h>

static void refuse(const struct brink_tls_options *options, int error, const char *text)
{
	brink_tls *tls = NULL;

	CHECK_ERROR(brink_tls_create(&tls, options), error);
	CHECK(tls == NULL);
	if (strstr(brink_tls_error(), text) == NULL)
		FAIL("%s", brink_tls_error());
}

static void refuse_certificate(struct tls_duo *duo, struct brink_tls_certificate certificate)
{
	brink_tls *tls = duo->sides[SERVER].tls;

	refuse(&(struct brink_tls_options){.role = BRINK_TLS_SERVER, .certificates = &certificate, .certificate_count = 1},
	       -EINVAL, "");
	CHECK_ERROR(brink_tls_set_certificates(tls, &certificate, 1), -EINVAL);
}

static void refuse_transport(const struct tls_duo *duo)
{
	struct brink_transport transport = *brink_transport_plain();
	struct brink_socket_options options = {.fd = duo->pair.ours, .transport = &transport};
	size_t count = sizeof transport.reserved / sizeof transport.reserved[0];
	brink_socket_id id;

	for (size_t i = 0; i < count; i++) {
		transport.reserved[i] = &transport;
		CHECK_ERROR(brink_socket_create(&id, duo->loop, &options), -EINVAL);
		transport.reserved[i] = NULL;
	}
}

void tls_refused(enum kind kind)
{
	struct brink_tls_certificate reserved;
	struct identity weak;
	struct tls_duo duo;
	brink_tls *tls;

	open_tls(&duo, kind);
	refuse_transport(&duo);
	create_tls(&duo);
	expect_open(&duo);
	refuse(&(struct brink_tls_options){.peer_name = ".test"}, -EINVAL, "dot");
	CHECK_ERROR(brink_tls_for_peer(&tls, duo.sides[CLIENT].tls, ".test"), -EINVAL);
	refuse(&(struct brink_tls_options){.peer_name = "a", .ca_directory = "/there/is/no/such"}, -ENOENT, "such");
	for (int i = 0; i < 2; i++)
		CHECK_ERROR(brink_tls_set_certificates(duo.sides[i].tls, NULL, 1), -EINVAL);
	reserved = as_certificate(&duo.good);
	for (size_t i = 0; i < sizeof reserved.reserved / sizeof reserved.reserved[0]; i++) {
		reserved.reserved[i] = &duo;
		refuse_certificate(&duo, reserved);
		reserved.reserved[i] = NULL;
	}
	weak = make_weak_identity("weak", "DNS:server.test", &duo.ca);
	refuse_certificate(&duo, as_certificate(&weak));
	/* Those from before stay. */
	again_tls(&duo, kind);
	expect_open(&duo);
	CHECK(strcmp(duo.sides[CLIENT].info.peer_subject, "CN=good") == 0);
	exchange_texts(&duo, "still there?", "yes");
	close_tls(&duo);
	free_identity(&weak);
}
