/* The good end: what the kernel had queued is served, then the socket is closed. */
#include "groups.h"
#include "listener_stage.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MANY 20

static void act_greet(struct stage *stage)
{
	write_all(stage->servers[(stage->accepted - 1) % STAGE_MANY], "x", 1);
}

static void expect_greetings(int *clients, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char byte = 0;

		read_exactly(clients[i], &byte, 1);
		CHECK_EQ(byte, 'x');
	}
}

static void queue_is_served(enum kind kind)
{
	struct brink_address address;
	struct stage stage;
	int clients[MANY];

	open_stage(&stage, kind);
	stage.options.budget = 7;
	stage.options.drain_wait = BRINK_MS(20);
	stage.act = act_greet;
	start_stage(&stage);
	brink_listener_address(stage.listener, &address);
	queue_clients(&stage, clients, MANY);
	CHECK_OK(brink_listener_drain(stage.listener));
	CHECK_ERROR(brink_listener_drain(stage.listener), -EALREADY);
	CHECK_EQ(stage.drained, 0);
	CHECK_EQ(brink_loop_run(stage.loop), 0); /* nothing is left to wait for */
	CHECK_EQ(stage.drained, 1);
	CHECK_EQ(stage.accepted, MANY);
	expect_greetings(clients, MANY);
	CHECK_ERROR(brink_listener_drain(stage.listener), -EALREADY);
	brink_listener_pause(stage.listener);
	brink_listener_resume(stage.listener);
	if (kind == KIND_UNIX) /* a port may be another program's by now */
		CHECK_ERROR(try_connect(&address), -ENOENT);
	CHECK_EQ(brink_loop_run(stage.loop), 0);
	close_all(clients, MANY);
	close_stage(&stage);
	CHECK_EQ(stage.drained, 1);
}

static void nothing_queued(enum kind kind)
{
	struct stage stage;

	open_stage(&stage, kind);
	stage.options.drain_wait = 1;
	start_stage(&stage);
	turn_in_vain(&stage);
	CHECK_OK(brink_listener_drain(stage.listener));
	CHECK_EQ(brink_loop_run(stage.loop), 0);
	CHECK_EQ(stage.drained, 1);
	close_stage(&stage);
}

static void ends_a_pause(enum kind kind)
{
	struct stage stage;
	int clients[3];

	open_stage(&stage, kind);
	stage.options.drain_wait = 1;
	start_stage(&stage);
	brink_listener_pause(stage.listener);
	queue_clients(&stage, clients, 3);
	turn_in_vain(&stage);
	CHECK_OK(brink_listener_drain(stage.listener));
	brink_listener_pause(stage.listener); /* not any more */
	CHECK_EQ(brink_loop_run(stage.loop), 0);
	CHECK_EQ(stage.accepted, 3);
	CHECK_EQ(stage.drained, 1);
	close_all(clients, 3);
	close_stage(&stage);
}

/* The limit holds to the end. */
static void within_the_limit(enum kind kind)
{
	struct stage stage;
	int clients[5];

	open_stage(&stage, kind);
	stage.options.max_connections = 2;
	stage.options.drain_wait = 1;
	stage.act = act_greet;
	start_stage(&stage);
	queue_clients(&stage, clients, 5);
	RUN_UNTIL(stage.loop, stage.accepted == 2);
	CHECK_OK(brink_listener_drain(stage.listener));
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned j = 0; j < 3; j++)
			brink_loop_run_once(stage.loop, (int64_t)BRINK_MS(10));
		turn_in_vain(&stage);
		CHECK_EQ(stage.accepted, 2 + i);
		CHECK_EQ(brink_listener_connections(stage.listener), 2);
		CHECK_EQ(stage.drained, 0);
		expect_greetings(&clients[i], 1);
		end_server(&stage, i);
		RUN_UNTIL(stage.loop, stage.accepted == 3 + i);
	}
	/* Full, but the queue is empty: that is enough. */
	RUN_UNTIL(stage.loop, stage.drained == 1);
	expect_greetings(&clients[3], 2);
	end_server(&stage, 3);
	end_server(&stage, 4);
	close_all(clients, 5);
	close_stage(&stage);
}

/* One is taken out of the queue to wait for room, and then everything ends. */
static void destroyed_with_one_held(enum kind kind)
{
	struct stage stage;
	int clients[2];

	open_stage(&stage, kind);
	stage.options.max_connections = 1;
	start_stage(&stage);
	queue_clients(&stage, clients, 2);
	RUN_UNTIL(stage.loop, stage.accepted == 1);
	CHECK_OK(brink_listener_drain(stage.listener));
	turn(stage.loop);
	turn_in_vain(&stage);
	end_server(&stage, 0);
	destroy_listener(&stage);
	await(clients[1], BRINK_READ);
	CHECK_EQ(brink_loop_run(stage.loop), 0);
	CHECK_EQ(stage.drained, 0);
	close_all(clients, 2);
	close_stage(&stage);
}

static void without_descriptors(enum kind kind)
{
	struct stage stage;
	int clients[2];

	skip_under_valgrind();
	open_stage(&stage, kind);
	stage.options.drain_wait = 1;
	stage.act = act_greet;
	start_stage(&stage);
	queue_clients(&stage, clients, 2);
	limit_descriptors(0);
	RUN_UNTIL(stage.loop, stage.errors == 1);
	CHECK_OK(brink_listener_drain(stage.listener));
	sleep_ms(25);
	turn(stage.loop);
	turn(stage.loop);
	CHECK_EQ(stage.drained, 0); /* they are still in the queue */
	unlimit_descriptors();
	CHECK_EQ(brink_loop_run(stage.loop), 0);
	CHECK_EQ(stage.accepted, 2);
	CHECK_EQ(stage.drained, 1);
	expect_greetings(clients, 2);
	close_all(clients, 2);
	close_stage(&stage);
}

/* Whose descriptors are all in use by what ends after the drain. */
static void nothing_queued_and_no_descriptor(enum kind kind)
{
	skip_under_valgrind();
	for (unsigned flags = 0; flags <= BRINK_LISTEN_SHED; flags += BRINK_LISTEN_SHED) {
		struct brink_accept_counters counters;
		struct stage stage;
		int client;

		open_stage(&stage, kind);
		stage.options.flags = flags;
		stage.options.drain_wait = BRINK_MS(20);
		start_stage(&stage);
		queue_clients(&stage, &client, 1);
		RUN_UNTIL(stage.loop, stage.accepted == 1);
		limit_descriptors(0);
		CHECK_OK(brink_listener_drain(stage.listener));
		RUN_UNTIL(stage.loop, stage.drained == 1);
		unlimit_descriptors();
		brink_listener_counters(stage.listener, &counters);
		CHECK_EQ(counters.errors, 0); /* it only found the queue empty */
		CHECK_EQ(stage.errors, 0);
		close_fd(&client);
		close_stage(&stage);
	}
}

static void act_let_in(struct stage *stage)
{
	CHECK_OK(brink_listener_drain(stage->listener));
	unlimit_descriptors();
}

/* Who drains when he hears of the shortage does not wait for its next attempt. */
static void drained_in_on_error(enum kind kind)
{
	struct stage stage;
	int client;

	skip_under_valgrind();
	open_stage(&stage, kind);
	stage.options.drain_wait = BRINK_MS(20);
	stage.options.retry_after = BRINK_SECONDS(3600);
	stage.act_error = act_let_in;
	start_stage(&stage);
	queue_clients(&stage, &client, 1);
	limit_descriptors(0);
	RUN_UNTIL(stage.loop, stage.drained == 1);
	CHECK_EQ(stage.errors, 1);
	CHECK_EQ(stage.accepted, 1);
	close_fd(&client);
	close_stage(&stage);
}

static void shedding(enum kind kind)
{
	struct brink_accept_counters counters;
	struct stage stage;
	int clients[2];

	skip_under_valgrind();
	open_stage(&stage, kind);
	stage.options.flags = BRINK_LISTEN_SHED;
	stage.options.drain_wait = 1;
	start_stage(&stage);
	queue_clients(&stage, clients, 2);
	limit_descriptors(0);
	CHECK_OK(brink_listener_drain(stage.listener));
	CHECK_EQ(brink_loop_run(stage.loop), 0);
	unlimit_descriptors();
	brink_listener_counters(stage.listener, &counters);
	CHECK_EQ(counters.shed, 2);
	CHECK_EQ(stage.drained, 1);
	for (unsigned i = 0; i < 2; i++)
		expect_end(clients[i]);
	close_all(clients, 2);
	close_stage(&stage);
}

static void act_destroy(struct stage *stage)
{
	destroy_listener(stage);
}

static void destroyed_in_on_drained(enum kind kind)
{
	struct stage stage;
	int client;

	scarce_memory();
	open_stage(&stage, kind);
	stage.options.drain_wait = 1;
	stage.act_drained = act_destroy;
	start_stage(&stage);
	queue_clients(&stage, &client, 1);
	CHECK_OK(brink_listener_drain(stage.listener));
	CHECK_EQ(brink_loop_run(stage.loop), 0);
	CHECK_EQ(stage.drained, 1);
	CHECK_EQ(stage.accepted, 1);
	close_fd(&client);
	close_stage(&stage);
	CHECK_EQ(blocks_live(), 0);
}

static void act_begin_drain(struct stage *stage)
{
	int result = brink_listener_drain(stage->listener);

	CHECK_ERROR(result, stage->accepted == 1 ? 0 : -EALREADY);
	CHECK_EQ(stage->drained, 0);
}

static void drained_in_on_accept(enum kind kind)
{
	struct stage stage;
	int clients[3];

	open_stage(&stage, kind);
	stage.options.drain_wait = 1;
	stage.act = act_begin_drain;
	start_stage(&stage);
	queue_clients(&stage, clients, 3);
	CHECK_EQ(brink_loop_run(stage.loop), 0);
	CHECK_EQ(stage.accepted, 3);
	CHECK_EQ(stage.drained, 1);
	close_all(clients, 3);
	close_stage(&stage);
}

/* ---- while others keep connecting ---- */

#if defined(__linux__)

static const char *loses(void)
{
	return NULL;
}

/* From now on a handshake is only complete when the client's first byte has come. */
static void defer_handshakes(int fd)
{
	int seconds = 10;

	SYSCALL(setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds));
}

#else

static const char *loses(void)
{
	return "only Linux can keep new connections away before the close";
}

static void defer_handshakes(int fd)
{
	(void)fd;
}

#endif

static int start_connecting(const struct brink_address *address, int *result)
{
	int fd = socket(address->storage.ss_family, SOCK_STREAM, 0);

	SYSCALL(fd);
	set_nonblocking(fd);
	*result = connect(fd, (const struct sockaddr *)&address->storage, address->length) < 0 ? -errno : 0;
	return fd;
}

/* After the drain has begun, and before the queue was looked at. */
static void late_ones_are_kept_away(enum kind kind)
{
	struct brink_address address;
	struct stage stage;
	int clients[2], late, result, port;
	char name[BRINK_ADDRESS_TEXT];

	if (loses() != NULL)
		SKIP("%s", loses());
	open_stage(&stage, kind);
	stage.options.drain_wait = 1;
	port = reserve_port(stage.text);
	start_stage(&stage);
	brink_listener_address(stage.listener, &address);
	if (kind == KIND_UNIX) { /* by a second name: the first is gone when it drains */
		CHECK(snprintf(name, sizeof name, "%s-second", stage.text) < (int)sizeof name);
		SYSCALL(link(path_of(&stage), name + strlen("unix:")));
		CHECK_OK(brink_address_parse(&address, name));
	}
	queue_clients(&stage, clients, 2);
	CHECK_OK(brink_listener_drain(stage.listener));
	late = start_connecting(&address, &result);
	CHECK_ERROR(result, kind == KIND_UNIX ? -ECONNREFUSED : -EINPROGRESS);
	CHECK_EQ(brink_loop_run(stage.loop), 0);
	CHECK_EQ(stage.accepted, 2);
	CHECK_EQ(stage.drained, 1);
	if (kind != KIND_UNIX) {
		await(late, BRINK_WRITE); /* its packet comes again after a second */
		CHECK_EQ(socket_error(late), ECONNREFUSED);
	}
	close_fd(&late);
	close_fd(&port);
	close_all(clients, 2);
	close_stage(&stage);
}

/* The client believes to be connected since its first packet was answered, and a drain is to wait
 * for it. */
static void open_with_handshake(struct stage *stage, enum kind kind, int *client)
{
	open_stage(stage, kind);
	stage->act = act_greet;
	stage->options.drain_wait = BRINK_SECONDS(3600);
	stage->options.retry_after = BRINK_MS(20);
	start_stage(stage);
	defer_handshakes(brink_listener_fd(stage->listener));
	queue_clients(stage, client, 1);
	turn_in_vain(stage);
}

static void handshake_under_way(enum kind kind)
{
	struct stage stage;
	int client;

	if (loses() != NULL)
		SKIP("%s", loses());
	open_with_handshake(&stage, kind, &client);
	CHECK_OK(brink_listener_drain(stage.listener));
	turn_in_vain(&stage);
	CHECK_EQ(stage.drained, 0);
	write_all(client, "y", 1);
	RUN_UNTIL(stage.loop, stage.accepted == 1);
	turn_in_vain(&stage);
	CHECK_EQ(stage.drained, 0); /* there may be more of them */
	expect_greetings(&client, 1);
	close_fd(&client);
	close_stage(&stage);
}

static void refuse_filters(void)
{
	if (loses() != NULL)
		SKIP("%s", loses());
	if (!refuse_packet_filters())
		SKIP("seccomp is not to be had");
}

static void late_ones_without_a_filter(enum kind kind)
{
	refuse_filters();
	late_ones_are_kept_away(kind);
}

/* And both sides hear each other afterwards. */
static void handshake_without_a_filter(enum kind kind)
{
	struct stage stage;
	char byte;
	int client;

	refuse_filters();
	open_with_handshake(&stage, kind, &client);
	CHECK_OK(brink_listener_drain(stage.listener));
	write_all(client, "y", 1);
	RUN_UNTIL(stage.loop, stage.accepted == 1);
	expect_greetings(&client, 1);
	read_exactly(stage.servers[0], &byte, 1);
	write_all(client, "z", 1);
	read_exactly(stage.servers[0], &byte, 1);
	close_fd(&client);
	close_stage(&stage);
}

/* It comes while the drain waits for it, and finds no descriptor; neither is it lost. */
static void handshake_without_descriptors(enum kind kind)
{
	struct stage stage;
	int client;

	skip_under_valgrind();
	if (loses() != NULL)
		SKIP("%s", loses());
	open_with_handshake(&stage, kind, &client);
	limit_descriptors(0);
	CHECK_OK(brink_listener_drain(stage.listener));
	turn_in_vain(&stage);
	CHECK_EQ(stage.errors, 0);
	write_all(client, "y", 1);
	RUN_UNTIL(stage.loop, stage.errors == 1);
	CHECK_ERROR(stage.error, -EMFILE);
	unlimit_descriptors();
	RUN_UNTIL(stage.loop, stage.accepted == 1);
	expect_greetings(&client, 1);
	close_fd(&client);
	close_stage(&stage);
}

#define CONNECTORS 3

static struct brink_address target;
static atomic_uint connected, served;

/* Connects until it is refused, and wants to be greeted each time. */
static void *connect_until_refused(void *unused)
{
	(void)unused;
	for (;;) {
		int fd = try_connect(&target);
		char byte = 0;

		if (fd < 0) {
			CHECK(fd == -ECONNREFUSED || fd == -ENOENT);
			return NULL;
		}
		connected++;
		read_exactly(fd, &byte, 1);
		CHECK_EQ(byte, 'x');
		served++;
		close_fd(&fd);
	}
}

static void act_greet_and_close(struct stage *stage)
{
	act_greet(stage);
	close_fd(&stage->servers[(stage->accepted - 1) % STAGE_MANY]);
}

static void none_is_lost_in_a_storm(enum kind kind)
{
	pthread_t threads[CONNECTORS];
	struct stage stage;
	int port;

	if (loses() != NULL)
		SKIP("%s", loses());
	open_stage(&stage, kind);
	stage.options.drain_wait = BRINK_MS(50);
	stage.act = act_greet_and_close;
	port = reserve_port(stage.text);
	start_stage(&stage);
	brink_listener_address(stage.listener, &target);
	for (unsigned i = 0; i < CONNECTORS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, connect_until_refused, NULL), 0);
	RUN_UNTIL(stage.loop, stage.accepted >= 100);
	CHECK_OK(brink_listener_drain(stage.listener));
	CHECK_EQ(brink_loop_run(stage.loop), 0);
	CHECK_EQ(stage.drained, 1);
	for (unsigned i = 0; i < CONNECTORS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(served, connected);
	CHECK_EQ(stage.accepted, connected);
	close_fd(&port);
	close_stage(&stage);
}

static const struct scenario scenarios[] = {
	SCENARIO("listener-drain/queue-is-served", queue_is_served, KINDS_STREAM),
	SCENARIO("listener-drain/nothing-queued", nothing_queued, KINDS_STREAM),
	SCENARIO("listener-drain/ends-a-pause", ends_a_pause, KINDS_STREAM),
	SCENARIO("listener-drain/within-the-limit", within_the_limit, KINDS_STREAM),
	SCENARIO("listener-drain/destroyed-with-one-held", destroyed_with_one_held, KINDS_STREAM),
	SCENARIO("listener-drain/without-descriptors", without_descriptors, KINDS_STREAM),
	SCENARIO("listener-drain/nothing-queued-and-no-descriptor", nothing_queued_and_no_descriptor, KINDS_TCP),
	SCENARIO("listener-drain/handshake-without-descriptors", handshake_without_descriptors, KINDS_TCP),
	SCENARIO("listener-drain/drained-in-on-error", drained_in_on_error, KINDS_STREAM),
	SCENARIO("listener-drain/shedding", shedding, KINDS_STREAM),
	SCENARIO("listener-drain/destroyed-in-on-drained", destroyed_in_on_drained, KINDS_STREAM),
	SCENARIO("listener-drain/drained-in-on-accept", drained_in_on_accept, KINDS_STREAM),
	SCENARIO("listener-drain/late-ones-are-kept-away", late_ones_are_kept_away, KINDS_STREAM),
	SCENARIO("listener-drain/handshake-under-way", handshake_under_way, KINDS_TCP),
	SCENARIO("listener-drain/late-ones-without-a-filter", late_ones_without_a_filter, KINDS_TCP),
	SCENARIO("listener-drain/handshake-without-a-filter", handshake_without_a_filter, KINDS_TCP),
	SCENARIO("listener-drain/none-is-lost-in-a-storm", none_is_lost_in_a_storm, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group listener_drain_group = {"listener-drain", scenarios};
