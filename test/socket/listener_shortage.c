/* Without descriptors, memory or luck: reported once, retried without spinning, and going on
 * when there is room. */
#include "groups.h"
#include "listener_stage.h"

#include <sys/socket.h>
#include <unistd.h>

#define TURNS_AT_MOST 100u /* in a tenth of a second; what spins needs some thousands */

/* Turns for a while in which attempts fail, the first after 20 ms. */
static void turn_in_shortage(struct stage *stage)
{
	uint64_t turns = turns_of(stage->loop), end = monotonic_now() + BRINK_MS(100);
	struct brink_accept_counters before, after;

	brink_listener_counters(stage->listener, &before);
	while (monotonic_now() < end)
		turn(stage->loop);
	CHECK(turns_of(stage->loop) - turns < TURNS_AT_MOST);
	RUN_UNTIL(stage->loop, (brink_listener_counters(stage->listener, &after), after.errors > before.errors));
}

static void retried_until_there_is_room(enum kind kind)
{
	struct stage stage;
	int clients[7];

	skip_under_valgrind();
	open_stage(&stage, kind);
	start_stage(&stage);
	queue_clients(&stage, clients, 2);
	limit_descriptors(0);
	RUN_UNTIL(stage.loop, stage.errors == 1);
	CHECK_ERROR(stage.error, -EMFILE);
	turn_in_shortage(&stage);
	CHECK_EQ(stage.errors, 1); /* of one episode */
	unlimit_descriptors();
	RUN_UNTIL(stage.loop, stage.accepted == 2);
	turn_in_vain(&stage);
	queue_clients(&stage, clients + 2, 2);
	limit_descriptors(1); /* for one of the two */
	RUN_UNTIL(stage.loop, stage.errors == 2);
	CHECK_EQ(stage.accepted, 3);
	unlimit_descriptors();
	RUN_UNTIL(stage.loop, stage.accepted == 4);
	CHECK_EQ(stage.errors, 2);
	queue_clients(&stage, clients + 4, 3);
	limit_descriptors(0);
	RUN_UNTIL(stage.loop, stage.errors == 3);
	unlimit_descriptors();
	limit_descriptors(1); /* a success in between makes the next a new episode */
	RUN_UNTIL(stage.loop, stage.errors == 4);
	CHECK_EQ(stage.accepted, 5);
	unlimit_descriptors();
	RUN_UNTIL(stage.loop, stage.accepted == 7);
	close_all(clients, 7);
	close_stage(&stage);
}

/* A pause, and its end, make no attempt of their own. */
static void paused_in_shortage(enum kind kind)
{
	struct stage stage;
	int client;

	skip_under_valgrind();
	open_stage(&stage, kind);
	start_stage(&stage);
	queue_clients(&stage, &client, 1);
	limit_descriptors(0);
	RUN_UNTIL(stage.loop, stage.errors == 1);
	brink_listener_pause(stage.listener);
	unlimit_descriptors();
	sleep_ms(25);
	turn(stage.loop); /* the timer */
	turn_in_vain(&stage);
	brink_listener_resume(stage.listener);
	RUN_UNTIL(stage.loop, stage.accepted == 1);
	close_fd(&client);
	close_stage(&stage);
}

/* One reason for the loop to run, also while it waits to try again. */
static void is_one_reason_to_run(enum kind kind)
{
	struct stage stage;
	int client;

	skip_under_valgrind();
	open_stage(&stage, kind);
	stage.options.retry_after = BRINK_SECONDS(3600);
	start_stage(&stage);
	queue_clients(&stage, &client, 1);
	limit_descriptors(0);
	RUN_UNTIL(stage.loop, stage.errors == 1);
	unlimit_descriptors();
	brink_loop_unref(stage.loop);
	CHECK_EQ(brink_loop_run(stage.loop), 0);
	brink_loop_ref(stage.loop);
	destroy_listener(&stage);
	CHECK_EQ(brink_loop_run(stage.loop), 0);
	close_fd(&client);
	close_stage(&stage);
}

static void shed_with_the_spare(enum kind kind)
{
	struct brink_accept_counters counters;
	struct stage stage;
	int clients[6];

	skip_under_valgrind();
	open_stage(&stage, kind);
	stage.options.flags = BRINK_LISTEN_SHED;
	stage.options.budget = 2;
	start_stage(&stage);
	queue_clients(&stage, clients, 5);
	limit_descriptors(0);
	RUN_UNTIL(stage.loop, (brink_listener_counters(stage.listener, &counters), counters.shed == 5));
	for (unsigned i = 0; i < 5; i++)
		expect_end(clients[i]);
	CHECK_EQ(stage.errors, 1);
	CHECK_ERROR(stage.error, -EMFILE);
	turn_in_vain(&stage);
	/* Later ones too, and still nothing spins; the episode lasts. */
	unlimit_descriptors();
	queue_clients(&stage, &clients[5], 1);
	limit_descriptors(0);
	RUN_UNTIL(stage.loop, (brink_listener_counters(stage.listener, &counters), counters.shed == 6));
	expect_end(clients[5]);
	turn_in_vain(&stage);
	CHECK_EQ(stage.errors, 1);
	unlimit_descriptors();
	close_all(clients, 6);
	queue_clients(&stage, clients, 1);
	RUN_UNTIL(stage.loop, stage.accepted == 1);
	brink_listener_counters(stage.listener, &counters);
	CHECK_EQ(counters.accepted, 1);
	CHECK(counters.errors >= 1);
	close_fd(&clients[0]);
	close_stage(&stage);
}

static void act_destroy(struct stage *stage)
{
	destroy_listener(stage);
}

static void destroyed_in_on_error(enum kind kind)
{
	skip_under_valgrind();
	for (unsigned flags = 0; flags <= BRINK_LISTEN_SHED; flags += BRINK_LISTEN_SHED) {
		struct stage stage;
		int clients[2];

		scarce_memory();
		open_stage(&stage, kind);
		stage.options.flags = flags;
		stage.act_error = act_destroy;
		start_stage(&stage);
		queue_clients(&stage, clients, 2);
		limit_descriptors(0);
		CHECK_EQ(brink_loop_run(stage.loop), 0); /* nothing is left to wait for */
		unlimit_descriptors();
		CHECK_EQ(stage.errors, 1);
		close_all(clients, 2);
		close_stage(&stage);
		CHECK_EQ(blocks_live(), 0);
	}
}

/* A packet filter's EPERM is of one connection, and the next may do. When there is nothing
 * else, attempts become seldom. */
static void refused_for_good(int error, enum kind kind)
{
	struct stage stage;
	int client;

	open_stage(&stage, kind);
	start_stage(&stage);
	queue_clients(&stage, &client, 1);
	if (!refuse_accept(error)) {
		close_fd(&client);
		close_stage(&stage);
		SKIP("no system call can be made to fail here");
	}
	RUN_UNTIL(stage.loop, stage.errors == 1);
	CHECK_ERROR(stage.error, -error);
	turn_in_shortage(&stage);
	CHECK_EQ(stage.errors, 1);
	CHECK_EQ(stage.accepted, 0);
	close_fd(&client);
	close_stage(&stage);
}

static void refused_by_a_filter(enum kind kind)
{
	refused_for_good(EPERM, kind);
}

static void refused_for_an_unknown_reason(enum kind kind)
{
	refused_for_good(EINVAL, kind);
}

static void create_without_memory(enum kind kind)
{
	unsigned descriptors;
	bool short_of = true;
	struct stage stage;

	scarce_memory();
	open_stage(&stage, kind);
	stage.options.flags = BRINK_LISTEN_SHED;
	descriptors = descriptors_open();
	for (unsigned k = 1; short_of; k++) {
		long live = blocks_live();
		int result;

		CHECK(k < 1000);
		fail_allocation(k);
		result = try_stage(&stage);
		short_of = allocation_failed();
		if (!short_of) {
			CHECK_OK(result);
			continue;
		}
		CHECK_ERROR(result, -ENOMEM);
		CHECK(stage.listener == NULL);
		CHECK(blocks_live() <= live + 1); /* a page of the loop's table stays with it */
		CHECK_EQ(descriptors_open(), descriptors);
		CHECK(kind != KIND_UNIX || !file_exists(path_of(&stage)));
	}
	destroy_listener(&stage);
	CHECK_EQ(descriptors_open(), descriptors);
	close_stage(&stage);
	CHECK_EQ(blocks_live(), 0);
}

static void create_without_descriptors(enum kind kind)
{
	struct stage stage;
	unsigned descriptors, room = 0;
	int result;

	open_stage(&stage, kind);
	stage.options.flags = BRINK_LISTEN_SHED;
	descriptors = descriptors_open();
	for (;; room++) {
		CHECK(room < 8);
		limit_descriptors(room);
		result = try_stage(&stage);
		unlimit_descriptors();
		if (result == 0)
			break;
		CHECK_ERROR(result, -EMFILE);
		CHECK(stage.listener == NULL);
		CHECK_EQ(descriptors_open(), descriptors);
		CHECK(kind != KIND_UNIX || !file_exists(path_of(&stage)));
	}
	CHECK_EQ(room, 2); /* the socket, and the spare */
	close_stage(&stage);
}

static const struct scenario scenarios[] = {
	SCENARIO("listener-shortage/retried-until-there-is-room", retried_until_there_is_room, KINDS_STREAM),
	SCENARIO("listener-shortage/paused-in-shortage", paused_in_shortage, KINDS_STREAM),
	SCENARIO("listener-shortage/is-one-reason-to-run", is_one_reason_to_run, KINDS_STREAM),
	SCENARIO("listener-shortage/shed-with-the-spare", shed_with_the_spare, KINDS_STREAM),
	SCENARIO("listener-shortage/destroyed-in-on-error", destroyed_in_on_error, KINDS_STREAM),
	SCENARIO("listener-shortage/refused-by-a-filter", refused_by_a_filter, KINDS_TCP),
	SCENARIO("listener-shortage/refused-for-an-unknown-reason", refused_for_an_unknown_reason, KIND_TCP),
	SCENARIO("listener-shortage/create-without-memory", create_without_memory, KINDS_STREAM),
	SCENARIO("listener-shortage/create-without-descriptors", create_without_descriptors, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group listener_shortage_group = {"listener-shortage", scenarios};
