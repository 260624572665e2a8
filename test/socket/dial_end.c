/* Dials that end otherwise than by a connection: too late, cancelled, with too little memory or too few
 * descriptors. Nothing of them stays open. */
#include "dial_stage.h"
#include "groups.h"
#include "scarce.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>


static void too_late(enum kind kind)
{
	struct dial_stage stage;
	uint64_t start;

	(void)kind;
	open_dial_stage(&stage, SPOTS(SPOT("127.0.0.1", HANGS), SPOT("127.0.0.2", HANGS)));
	stage.dial.delay = BRINK_MS(10);
	stage.dial.timeout = BRINK_MS(80);
	start = monotonic_now();
	start_dial(&stage);
	expect_failed(&stage, -ETIMEDOUT, ANY);
	CHECK(monotonic_now() - start >= BRINK_MS(80));
	/* With the lookup, too. */
	script_addresses("held.test", "127.0.0.1");
	strcpy(stage.name, "held.test:80");
	start_dial(&stage);
	expect_failed(&stage, -ETIMEDOUT, 0);
	release_names();
	close_dial_stage(&stage);
}

/* The loop was busy until long after the deadline; the connection had stood before. */
static void held_up(enum kind kind)
{
	struct dial_stage stage;

	(void)kind;
	open_dial_stage(&stage, SPOTS(SPOT("127.0.0.1", ANSWERS)));
	stage.dial.timeout = BRINK_SECONDS(2);
	start_dial(&stage);
	RUN_UNTIL(stage.loop, stage.dial.attempts == 1 || stage.calls > 0);
	if (stage.calls == 0)
		sleep_ms(2100);
	expect_connected(&stage, "127.0.0.1", 1);
	close_dial_stage(&stage);
}

static void cancelled_at_any_time(enum kind kind)
{
	struct dial_stage stage;

	(void)kind;
	open_dial_stage(&stage, SPOTS(SPOT("127.0.0.1", HANGS), SPOT("127.0.0.2", HANGS)));
	stage.dial.delay = BRINK_MS(10);
	CHECK_ERROR(brink_dial_cancel(&stage.dial), -ENOENT);
	for (unsigned attempts = 0; attempts <= 2; attempts++) {
		start_dial(&stage);
		CHECK_ERROR(brink_dial_start(stage.resolver, &stage.dial, stage.name), -EEXIST);
		RUN_UNTIL(stage.loop, stage.dial.attempts >= attempts);
		CHECK_OK(brink_dial_cancel(&stage.dial));
		CHECK_ERROR(brink_dial_cancel(&stage.dial), -ENOENT);
		memset(&stage.dial.lookup, 0, sizeof stage.dial.lookup);
		turn_for(stage.loop, BRINK_MS(30));
		CHECK_EQ(stage.calls, 0);
		expect_nothing_open(&stage);
	}
	/* The connection stands, and the loop has not heard of it. */
	close_dial_stage(&stage);
	open_dial_stage(&stage, SPOTS(SPOT("127.0.0.1", ANSWERS)));
	start_dial(&stage);
	RUN_UNTIL(stage.loop, stage.dial.attempts == 1 || stage.calls > 0);
	if (stage.calls == 0)
		CHECK_OK(brink_dial_cancel(&stage.dial));
	else
		close_fd(&stage.result);
	expect_nothing_open(&stage);
	close_dial_stage(&stage);
}

static void with_its_resolver(enum kind kind)
{
	struct dial_stage stage;

	(void)kind;
	open_dial_stage(&stage, SPOTS(SPOT("127.0.0.1", ANSWERS)));
	start_dial(&stage);
	brink_resolver_destroy(stage.resolver);
	CHECK_EQ(stage.calls, 1);
	CHECK_ERROR(stage.result, -ECANCELED);
	stage.resolver = NULL;
	close_dial_stage(&stage);
}

static void start_again(struct dial_stage *stage)
{
	stage->act = NULL;
	close_fd(&stage->result);
	start_dial(stage);
}

static void in_its_own_call(enum kind kind)
{
	struct dial_stage stage;

	(void)kind;
	open_dial_stage(&stage, SPOTS(SPOT("127.0.0.1", ANSWERS)));
	stage.act = start_again;
	start_dial(&stage);
	RUN_UNTIL(stage.loop, stage.act == NULL);
	expect_connected(&stage, "127.0.0.1", 1);
	close_dial_stage(&stage);
}

static void what_is_checked(enum kind kind)
{
	struct dial_stage stage;

	(void)kind;
	open_dial_stage(&stage, SPOTS(SPOT("127.0.0.1", ANSWERS)));
	stage.dial.delay = BRINK_MS(10) - 1;
	CHECK_ERROR(brink_dial_start(stage.resolver, &stage.dial, stage.name), -EINVAL);
	stage.dial.delay = BRINK_SECONDS(2) + 1;
	CHECK_ERROR(brink_dial_start(stage.resolver, &stage.dial, stage.name), -EINVAL);
	stage.dial.delay = BRINK_SECONDS(2);
	stage.dial.flags = BRINK_SOCKET_PAUSED;
	CHECK_ERROR(brink_dial_start(stage.resolver, &stage.dial, stage.name), -EINVAL);
	stage.dial.flags = BRINK_SOCKET_DELAY | BRINK_SOCKET_KEEPALIVE;
	CHECK_ERROR(brink_dial_start(stage.resolver, &stage.dial, "no port"), -EINVAL);
	CHECK_ERROR(brink_dial_cancel(&stage.dial), -ENOENT);
	start_dial(&stage);
	expect_connected(&stage, "127.0.0.1", 1);
	close_dial_stage(&stage);
}

/* ---- too little ---- */

static void without_memory(enum kind kind)
{
	struct dial_stage stage;
	bool failed = true;
	long before;

	(void)kind;
	scarce_memory();
	open_dial_stage(&stage, SPOTS(SPOT("127.0.0.1", HANGS), SPOT("127.0.0.2", ANSWERS)));
	stage.dial.delay = BRINK_MS(10);
	start_dial(&stage);
	expect_connected(&stage, "127.0.0.2", 2);
	for (unsigned k = 1; failed; k++) {
		int result;

		before = blocks_live();
		stage.calls = 0;
		fail_allocation(k);
		result = brink_dial_start(stage.resolver, &stage.dial, stage.name);
		if (result == 0) {
			RUN_UNTIL(stage.loop, stage.calls > 0);
			result = stage.result;
		}
		failed = allocation_failed();
		if (failed)
			CHECK(result == -ENOMEM || result >= 0);
		else
			CHECK_OK(result);
		if (result >= 0)
			close_fd(&result);
		expect_nothing_open(&stage);
		CHECK_EQ(blocks_live(), before);
		CHECK(failed || k > 2);
	}
	close_dial_stage(&stage);
}

static void without_descriptors(enum kind kind)
{
	struct dial_stage stage;

	(void)kind;
	if (asks_cares())
		SKIP("c-ares has descriptors of its own");
	open_dial_stage(&stage, SPOTS(SPOT("127.0.0.1", HANGS), SPOT("127.0.0.2", ANSWERS)));
	stage.dial.delay = BRINK_MS(10);
	start_dial(&stage);
	limit_descriptors(0);
	RUN_UNTIL(stage.loop, stage.calls > 0);
	unlimit_descriptors();
	expect_failed(&stage, -EMFILE, 1);
	/* The first one has it, and may still succeed: the second is not given up. */
	start_dial(&stage);
	limit_descriptors(1);
	RUN_UNTIL(stage.loop, stage.dial.attempts == 1);
	turn_for(stage.loop, BRINK_MS(40));
	CHECK_EQ(stage.calls, 0);
	CHECK_EQ(stage.dial.attempts, 1);
	unlimit_descriptors();
	expect_connected(&stage, "127.0.0.2", 2);
	close_dial_stage(&stage);
}

static const struct scenario scenarios[] = {
	SCENARIO("dial-end/too-late", too_late, KIND_NONE),
	SCENARIO("dial-end/held-up", held_up, KIND_NONE),
	SCENARIO("dial-end/cancelled-at-any-time", cancelled_at_any_time, KIND_NONE),
	SCENARIO("dial-end/with-its-resolver", with_its_resolver, KIND_NONE),
	SCENARIO("dial-end/in-its-own-call", in_its_own_call, KIND_NONE),
	SCENARIO("dial-end/what-is-checked", what_is_checked, KIND_NONE),
	SCENARIO("dial-end/without-memory", without_memory, KIND_NONE),
	SCENARIO("dial-end/without-descriptors", without_descriptors, KIND_NONE),
	NO_MORE_SCENARIOS,
};
const struct group dial_end_group = {"dial-end", scenarios};
