/* Connections are handed out: many, fairly, in pauses, and from inside every callback. */
#include "groups.h"
#include "listener_stage.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STORMERS 4
#define STORM 125

static struct brink_address storm_address;

/* Each connection is ended by the server, and seen to end before the next. */
static void *storm(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < STORM; i++) {
		int fd = connect_address(&storm_address);

		expect_end(fd);
		close_fd(&fd);
	}
	return NULL;
}

static void end_at_once(struct stage *stage)
{
	close_fd(&stage->servers[(stage->accepted - 1) % STAGE_MANY]);
}

static void accept_storm(enum kind kind)
{
	pthread_t threads[STORMERS];
	struct stage stage;

	open_stage(&stage, kind);
	stage.act = end_at_once;
	start_stage(&stage);
	brink_listener_address(stage.listener, &storm_address);
	for (unsigned i = 0; i < STORMERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, storm, NULL), 0);
	RUN_UNTIL(stage.loop, stage.accepted == STORMERS * STORM);
	for (unsigned i = 0; i < STORMERS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	turn_in_vain(&stage);
	CHECK_EQ(stage.errors, 0);
	close_stage(&stage);
}

static void act_again(struct probe *probe, unsigned ready)
{
	(void)ready;
	CHECK_OK(brink_watch_again(&probe->watch, BRINK_READ));
}

/* Ten are queued, three are allowed a turn; a watch that is always ready gets its turns. */
static void budget_of_a_turn(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	struct brink_accept_counters counters;
	int clients[10];
	struct stage stage;
	struct probe other;

	open_stage(&stage, kind);
	stage.options.budget = 3;
	start_stage(&stage);
	queue_clients(&stage, clients, 10);
	feed(&pair, 1);
	start_probe_acting(stage.loop, &other, "other", pair.ours, BRINK_READ, act_again);
	while (stage.accepted < 10) {
		unsigned accepted = stage.accepted, calls = other.calls;

		turn(stage.loop);
		CHECK(stage.accepted <= accepted + 3);
		CHECK(other.calls == calls + 1 || calls == 0);
	}
	brink_listener_counters(stage.listener, &counters);
	CHECK_EQ(counters.accepted, 10);
	CHECK_EQ(counters.shed, 0);
	CHECK_EQ(counters.errors, 0);
	discard_calls(&other);
	stop_probe(&other);
	turn_in_vain(&stage);
	close_all(clients, 10);
	close_stage(&stage);
	close_pair(&pair);
}

static void waits_without_turning(enum kind kind)
{
	struct stage stage;
	int client;

	open_stage(&stage, kind);
	start_stage(&stage);
	turn_in_vain(&stage);
	queue_clients(&stage, &client, 1);
	RUN_UNTIL(stage.loop, stage.accepted == 1);
	turn_in_vain(&stage);
	close_fd(&client);
	turn_in_vain(&stage); /* what becomes of the connection is not the listener's */
	close_stage(&stage);
}

static void tells_the_peer(enum kind kind)
{
	struct brink_address own;
	struct stage stage;
	int client;

	open_stage(&stage, kind);
	start_stage(&stage);
	queue_clients(&stage, &client, 1);
	RUN_UNTIL(stage.loop, stage.accepted == 1);
	CHECK_OK(brink_address_of(client, &own));
	CHECK(brink_address_equal(&own, &stage.peer));
	CHECK_OK(brink_address_of_peer(stage.servers[0], &own));
	CHECK(brink_address_equal(&own, &stage.peer));
	close_fd(&client);
	close_stage(&stage);
}

static int option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t length = sizeof value;

	SYSCALL(getsockopt(fd, level, name, &value, &length));
	return value;
}

/* Of the first connection and of those after it, which may get them in another way. */
static void options_of_connections(enum kind kind)
{
	for (unsigned flags = 0; flags <= (BRINK_LISTEN_DELAY | BRINK_LISTEN_KEEPALIVE); flags += BRINK_LISTEN_DELAY) {
		struct stage stage;
		int clients[3];

		open_stage(&stage, kind);
		stage.options.flags = flags;
		start_stage(&stage);
		queue_clients(&stage, clients, 3);
		RUN_UNTIL(stage.loop, stage.accepted == 3);
		for (unsigned i = 0; i < 3; i++) {
			CHECK_EQ(option_of(stage.servers[i], IPPROTO_TCP, TCP_NODELAY) != 0, !(flags & BRINK_LISTEN_DELAY));
			CHECK_EQ(option_of(stage.servers[i], SOL_SOCKET, SO_KEEPALIVE) != 0,
			         (flags & BRINK_LISTEN_KEEPALIVE) != 0);
		}
		close_all(clients, 3);
		close_stage(&stage);
	}
}

static void keepalive_times(enum kind kind)
{
	struct stage stage;
	int client, result;

	open_stage(&stage, kind);
	stage.options.flags = BRINK_LISTEN_KEEPALIVE;
	stage.options.keepalive_idle = 77;
	stage.options.keepalive_interval = 11;
	stage.options.keepalive_count = 5;
	result = try_stage(&stage);
	if (result == -ENOTSUP) {
		close_stage(&stage);
		SKIP("the system has no times of keepalive");
	}
	CHECK_OK(result);
	queue_clients(&stage, &client, 1);
	RUN_UNTIL(stage.loop, stage.accepted == 1);
#if defined(TCP_KEEPINTVL) && defined(TCP_KEEPCNT)
	CHECK_EQ(option_of(stage.servers[0], IPPROTO_TCP, TCP_KEEPINTVL), 11);
	CHECK_EQ(option_of(stage.servers[0], IPPROTO_TCP, TCP_KEEPCNT), 5);
#endif
#if defined(TCP_KEEPIDLE)
	CHECK_EQ(option_of(stage.servers[0], IPPROTO_TCP, TCP_KEEPIDLE), 77);
#endif
	close_fd(&client);
	close_stage(&stage);
}

static void pause_and_resume(enum kind kind)
{
	struct stage stage;
	int clients[4];

	open_stage(&stage, kind);
	start_stage(&stage);
	brink_listener_pause(stage.listener);
	queue_clients(&stage, clients, 3);
	turn_in_vain(&stage);
	CHECK_EQ(stage.accepted, 0);
	brink_listener_resume(stage.listener);
	brink_listener_resume(stage.listener);
	RUN_UNTIL(stage.loop, stage.accepted == 3);
	brink_listener_pause(stage.listener);
	brink_listener_resume(stage.listener);
	turn(stage.loop);
	turn_in_vain(&stage);
	queue_clients(&stage, &clients[3], 1);
	RUN_UNTIL(stage.loop, stage.accepted == 4);
	close_all(clients, 4);
	close_stage(&stage);
}

static void act_pause(struct stage *stage)
{
	brink_listener_pause(stage->listener);
}

static void pause_in_the_callback(enum kind kind)
{
	struct stage stage;
	int clients[3];

	open_stage(&stage, kind);
	stage.act = act_pause;
	start_stage(&stage);
	queue_clients(&stage, clients, 3);
	for (unsigned i = 1; i <= 3; i++) {
		RUN_UNTIL(stage.loop, stage.accepted == i);
		turn_in_vain(&stage);
		brink_listener_resume(stage.listener);
	}
	turn(stage.loop);
	turn_in_vain(&stage);
	close_all(clients, 3);
	close_stage(&stage);
}

static void act_destroy(struct stage *stage)
{
	destroy_listener(stage);
}

static void destroyed_in_on_accept(enum kind kind)
{
	struct stage stage;
	int clients[3];

	scarce_memory();
	open_stage(&stage, kind);
	stage.act = act_destroy;
	start_stage(&stage);
	queue_clients(&stage, clients, 3);
	CHECK_EQ(brink_loop_run(stage.loop), 0); /* nothing is left to wait for */
	CHECK_EQ(stage.accepted, 1);
	for (unsigned i = 1; i < 3; i++)
		await(clients[i], BRINK_READ); /* the queue is over */
	close_all(clients, 3);
	close_stage(&stage);
	CHECK_EQ(blocks_live(), 0);
}

/* Whether the dead one is handed out differs by system; the living ones are. */
static void reset_before_accept(enum kind kind)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	int dead, clients[2];
	struct stage stage;

	open_stage(&stage, kind);
	start_stage(&stage);
	queue_clients(&stage, &clients[0], 1);
	queue_clients(&stage, &dead, 1);
	SYSCALL(setsockopt(dead, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
	close_fd(&dead);
	queue_clients(&stage, &clients[1], 1);
	RUN_UNTIL(stage.loop, stage.accepted >= 2);
	turn(stage.loop);
	measure("connections handed out, one of three reset before", "%u", stage.accepted);
	CHECK(stage.accepted <= 3);
	turn_in_vain(&stage);
	queue_clients(&stage, &dead, 1);
	RUN_UNTIL(stage.loop, stage.accepted >= 3 && brink_address_port(&stage.peer) != 0);
	close_fd(&dead);
	close_all(clients, 2);
	close_stage(&stage);
}

static const struct scenario scenarios[] = {
	SCENARIO("listener-accept/storm", accept_storm, KINDS_STREAM),
	SCENARIO("listener-accept/budget-of-a-turn", budget_of_a_turn, KINDS_STREAM, .flags = TRACE_FREE),
	SCENARIO("listener-accept/waits-without-turning", waits_without_turning, KINDS_STREAM),
	SCENARIO("listener-accept/tells-the-peer", tells_the_peer, KINDS_STREAM),
	SCENARIO("listener-accept/options-of-connections", options_of_connections, KINDS_TCP),
	SCENARIO("listener-accept/keepalive-times", keepalive_times, KINDS_TCP),
	SCENARIO("listener-accept/pause-and-resume", pause_and_resume, KINDS_STREAM),
	SCENARIO("listener-accept/pause-in-the-callback", pause_in_the_callback, KINDS_STREAM),
	SCENARIO("listener-accept/destroyed-in-on-accept", destroyed_in_on_accept, KINDS_STREAM),
	SCENARIO("listener-accept/reset-before-accept", reset_before_accept, KINDS_TCP),
	NO_MORE_SCENARIOS,
};
const struct group listener_accept_group = {"listener-accept", scenarios};
