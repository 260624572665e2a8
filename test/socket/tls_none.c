/* TLS in a library that was built without it. */
#include "groups.h"

#include <brink/tls.h>

static void answers(enum kind kind)
{
	struct brink_tls_options options = {.peer_name = "server.test"};
	struct brink_socket_options socket = {.transport = brink_tls_transport()};
	struct brink_tls_info info;
	brink_tls *tls;

	(void)kind;
	CHECK_ERROR(brink_tls_create(&tls, &options), -ENOTSUP);
	CHECK(brink_tls_error()[0] != '\0');
	CHECK_ERROR(brink_tls_for_peer(&tls, NULL, "server.test"), -ENOTSUP);
	CHECK_ERROR(brink_tls_set_certificates(NULL, NULL, 0), -ENOTSUP);
	CHECK_ERROR(brink_tls_change_ticket_key(NULL), -ENOTSUP);
	CHECK_ERROR(brink_tls_get_info(NULL, &info), -ENOTSUP);
	CHECK(socket.transport != NULL && brink_tls_hold(NULL) == NULL);
	brink_tls_release(NULL);
}

static const struct scenario scenarios[] = {
	SCENARIO("tls/not-supported", answers, 0),
	NO_MORE_SCENARIOS,
};
const struct group tls_group = {"tls", scenarios};
