/* The time that a body has by its rate, of sizes that a test cannot send. */
#include "config.h"

#include "http_session.h"

#include "check.h"

#include <stdbool.h>

static brink_loop *loop;

/* Whether who has sent so many bytes, at no less than the rate, has all of the time for the next: so many seconds after
 * the first. */
static bool may_go_on(uint64_t min_rate, uint64_t got, unsigned seconds)
{
	brink_http http = {.options = {.min_rate = min_rate, .body_timeout = BRINK_SECONDS(1)}};
	brink_socket socket = {.loop = loop};
	brink_http_request request = {.asked = true};
	/* Dead: nobody is to be woken. */
	struct brink__http_session session = {.http = &http, .socket = &socket, .dead = true};
	uint64_t now = brink__timing_now(&socket);

	session.body_since = now - BRINK_SECONDS(seconds);
	session.body_got = got - 1;
	session.receiving = &request;
	brink__http_body_came(&session, 1);
	return session.deadline >= now + BRINK_SECONDS(1);
}

static void test_sizes(void)
{
	const uint64_t most = UINT64_MAX / BRINK_SECONDS(1); /* seconds, in nanoseconds */

	for (uint64_t rate = 1; rate <= (1u << 20); rate *= 2) {
		CHECK(!may_go_on(rate, rate, 2));
		for (uint64_t got = 2 * rate; got < (uint64_t)1 << 62; got *= 2)
			CHECK(may_go_on(rate, got, 2));
		CHECK(may_go_on(rate, most * rate, 2) && may_go_on(rate, (most + 1) * rate, 2));
	}
	passed("however much has come, who keeps up the rate may go on");
}

int main(void)
{
	CHECK(brink_loop_create(&loop, NULL) == 0);
	test_sizes();
	CHECK(brink_loop_destroy(loop) == 0);
	return finish();
}
