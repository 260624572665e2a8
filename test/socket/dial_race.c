/* Which address a dial connects to, and how it ends when there is none. */
#include "dial_stage.h"
#include "groups.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>


static void the_first_that_answers(enum kind kind)
{
	struct dial_stage stage;

	(void)kind;
	open_dial_stage(&stage, SPOTS(SPOT("127.0.0.1", ANSWERS), SPOT("127.0.0.2", ANSWERS)));
	start_dial(&stage);
	expect_connected(&stage, "127.0.0.1", 1);
	CHECK(was_connected_to(&stage.spots[0]));
	turn_for(stage.loop, BRINK_MS(30));
	CHECK(!was_connected_to(&stage.spots[1]));
	close_dial_stage(&stage);
}

/* A turn is of 3 ms at most, so that the delay would be many of them; a slow machine makes fewer. */
static void next_at_once_when_refused(enum kind kind)
{
	struct dial_stage stage;

	(void)kind;
	open_dial_stage(&stage, SPOTS(SPOT("127.0.0.1", REFUSES), SPOT("127.0.0.2", REFUSES), SPOT("127.0.0.3", ANSWERS)));
	stage.dial.delay = BRINK_SECONDS(2);
	start_dial(&stage);
	expect_connected(&stage, "127.0.0.3", 3);
	CHECK(stage.turns < 100);
	close_dial_stage(&stage);
}

static void next_beside_one_that_hangs(enum kind kind)
{
	uint64_t start = monotonic_now();
	struct dial_stage stage;

	(void)kind;
	open_dial_stage(&stage, SPOTS(SPOT("127.0.0.1", HANGS), SPOT("127.0.0.2", ANSWERS)));
	stage.dial.delay = BRINK_MS(40);
	start = monotonic_now();
	start_dial(&stage);
	expect_connected(&stage, "127.0.0.2", 2);
	CHECK(monotonic_now() - start >= BRINK_MS(40));
	close_dial_stage(&stage);
}

/* It goes on while the others are tried, and may win in the end. */
static void the_first_answers_late(enum kind kind)
{
	struct dial_stage stage;

	(void)kind;
	open_dial_stage(&stage, SPOTS(SPOT("127.0.0.1", HANGS), SPOT("127.0.0.2", HANGS)));
	stage.dial.delay = BRINK_MS(10);
	start_dial(&stage);
	RUN_UNTIL(stage.loop, stage.dial.attempts == 2);
	turn_for(stage.loop, BRINK_MS(20));
	CHECK_EQ(stage.calls, 0);
	/* The kernel asks again, after a second or more. */
	RUN_UNTIL(stage.loop, (open_crowd(&stage.spots[0]), stage.calls > 0));
	expect_connected(&stage, "127.0.0.1", 2);
	close_dial_stage(&stage);
}

static void families_in_turn(enum kind kind)
{
	struct dial_stage stage;

	(void)kind;
	if (asks_cares())
		SKIP("c-ares has an order of its own");
	open_dial_stage(&stage, SPOTS(SPOT("127.0.0.1", REFUSES), SPOT("127.0.0.2", ANSWERS), SPOT("::1", ANSWERS)));
	start_dial(&stage);
	expect_connected(&stage, "[::1]", 2);
	close_dial_stage(&stage);
	open_dial_stage(&stage, SPOTS(SPOT("::1", REFUSES), SPOT("127.0.0.1", REFUSES), SPOT("127.0.0.2", ANSWERS)));
	start_dial(&stage);
	expect_connected(&stage, "127.0.0.2", 3);
	stage.dial.family = AF_INET6;
	start_dial(&stage);
	expect_failed(&stage, -ECONNREFUSED, 1);
	stage.dial.family = AF_INET;
	start_dial(&stage);
	expect_connected(&stage, "127.0.0.2", 2);
	close_dial_stage(&stage);
}

static void all_refuse(enum kind kind)
{
	struct dial_stage stage;

	(void)kind;
	open_dial_stage(&stage, SPOTS(SPOT("127.0.0.1", REFUSES), SPOT("127.0.0.2", REFUSES)));
	start_dial(&stage);
	expect_failed(&stage, -ECONNREFUSED, 2);
	close_dial_stage(&stage);
}

/* No stream leads to a broadcast address, which says nothing of the peer. */
static void the_most_telling_error(enum kind kind)
{
	struct dial_stage stage;
	char port[16];

	(void)kind;
	open_dial_stage(&stage, SPOTS(SPOT("127.0.0.1", REFUSES)));
	snprintf(port, sizeof port, "%s", strchr(stage.name, ':'));
	script_addresses("mixed.test", "127.0.0.1 255.255.255.255");
	snprintf(stage.name, sizeof stage.name, "mixed.test%s", port);
	start_dial(&stage);
	expect_failed(&stage, -ECONNREFUSED, 2);
	script_addresses("mixed.test", "255.255.255.255 127.0.0.1");
	start_dial(&stage);
	expect_failed(&stage, -ECONNREFUSED, 2);
	close_dial_stage(&stage);
}

static void names_without_addresses(enum kind kind)
{
	struct dial_stage stage;

	(void)kind;
	open_dial_stage(&stage, SPOTS(SPOT("127.0.0.1", ANSWERS)));
	strcpy(stage.name, "nonesuch.test:80");
	start_dial(&stage);
	expect_failed(&stage, -BRINK_ENONAME, 0);
	script_error("later.test", BRINK_ENAMEAGAIN);
	strcpy(stage.name, "later.test:80");
	start_dial(&stage);
	expect_failed(&stage, -BRINK_ENAMEAGAIN, 0);
	close_dial_stage(&stage);
}

static void numbers_and_paths(enum kind kind)
{
	struct dial_stage stage;
	struct brink_address address;
	int listener = open_listener(kind, 8);

	CHECK_OK(brink_address_of(listener, &address));
	open_dial_stage(&stage, SPOTS(SPOT("127.0.0.1", ANSWERS)));
	stage.descriptors = 0;
	CHECK(brink_address_format(&address, stage.name, sizeof stage.name) > 0);
	start_dial(&stage);
	RUN_UNTIL(stage.loop, stage.calls == 1);
	CHECK_OK(stage.result);
	CHECK(brink_address_equal(&stage.dial.address, &address));
	CHECK_EQ(names_asked(), 0);
	close_fd(&stage.result);
	close_dial_stage(&stage);
	close_fd(&listener);
}

/* Nobody tells when a UNIX listener has room again. */
static void waits_for_room(enum kind kind)
{
	struct dial_stage stage;
	struct server server;
	struct crowd crowd;
	int fds[64];
	unsigned taken = 0;

	open_server(&server, kind);
	start_server(&server, 0);
	crowd_server(&server, &crowd);
	open_dial_stage(&stage, SPOTS(SPOT("127.0.0.1", ANSWERS)));
	CHECK(brink_address_format(&server.address, stage.name, sizeof stage.name) > 0);
	start_dial(&stage);
	turn_for(stage.loop, BRINK_MS(30));
	CHECK_EQ(stage.calls, 0);
	while (taken < 64 && stage.calls == 0) {
		fds[taken] = accept(server.listener, NULL, NULL);
		taken += fds[taken] >= 0;
		turn(stage.loop);
	}
	CHECK_OK(stage.result);
	close_fd(&stage.result);
	while (taken > 0)
		close_fd(&fds[--taken]);
	close_dial_stage(&stage);
	disperse(&crowd);
	close_server(&server);
}

static const struct scenario scenarios[] = {
	SCENARIO("dial/the-first-that-answers", the_first_that_answers, KIND_NONE),
	SCENARIO("dial/next-at-once-when-refused", next_at_once_when_refused, KIND_NONE),
	SCENARIO("dial/next-beside-one-that-hangs", next_beside_one_that_hangs, KIND_NONE),
	SCENARIO("dial/the-first-answers-late", the_first_answers_late, KIND_NONE),
	SCENARIO("dial/families-in-turn", families_in_turn, KIND_NONE),
	SCENARIO("dial/all-refuse", all_refuse, KIND_NONE),
	SCENARIO("dial/the-most-telling-error", the_most_telling_error, KIND_NONE),
	SCENARIO("dial/names-without-addresses", names_without_addresses, KIND_NONE),
	SCENARIO("dial/numbers-and-paths", numbers_and_paths, KINDS_STREAM),
	SCENARIO("dial/waits-for-room", waits_for_room, KIND_UNIX),
	NO_MORE_SCENARIOS,
};
const struct group dial_group = {"dial", scenarios};
