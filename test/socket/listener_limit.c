/* No more connections than allowed; and without descriptors or memory. */
#include "groups.h"
#include "listener_stage.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- max_connections ---- */

static void *report_end(void *listener)
{
	brink_listener_closed(listener);
	return NULL;
}

static void full_and_going_on(enum kind kind)
{
	struct stage stage;
	pthread_t thread;
	int clients[5];

	open_stage(&stage, kind);
	stage.options.max_connections = 2;
	start_stage(&stage);
	queue_clients(&stage, clients, 5);
	RUN_UNTIL(stage.loop, stage.accepted == 2);
	turn_in_vain(&stage);
	CHECK_EQ(brink_listener_connections(stage.listener), 2);
	end_server(&stage, 0);
	CHECK_EQ(brink_listener_connections(stage.listener), 1);
	RUN_UNTIL(stage.loop, stage.accepted == 3);
	turn_in_vain(&stage);
	close_fd(&stage.servers[1]);
	CHECK_EQ(pthread_create(&thread, NULL, report_end, stage.listener), 0);
	RUN_UNTIL(stage.loop, stage.accepted == 4);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	/* Two at a time, and no more than were given back. */
	end_server(&stage, 2);
	end_server(&stage, 3);
	RUN_UNTIL(stage.loop, stage.accepted == 5);
	turn_in_vain(&stage);
	CHECK_EQ(brink_listener_connections(stage.listener), 1);
	end_server(&stage, 4);
	CHECK_EQ(brink_listener_connections(stage.listener), 0);
	turn(stage.loop);
	turn_in_vain(&stage);
	close_all(clients, 5);
	close_stage(&stage);
}

static void paused_while_full(enum kind kind)
{
	struct stage stage;
	int clients[2];

	open_stage(&stage, kind);
	stage.options.max_connections = 1;
	start_stage(&stage);
	queue_clients(&stage, clients, 2);
	RUN_UNTIL(stage.loop, stage.accepted == 1);
	brink_listener_pause(stage.listener);
	brink_listener_resume(stage.listener); /* still full */
	turn_in_vain(&stage);
	brink_listener_pause(stage.listener);
	end_server(&stage, 0); /* room, but paused */
	turn(stage.loop);
	turn_in_vain(&stage);
	brink_listener_resume(stage.listener);
	RUN_UNTIL(stage.loop, stage.accepted == 2);
	end_server(&stage, 1);
	close_all(clients, 2);
	close_stage(&stage);
}

/* The memory is the connections' too: the last of them frees it. */
static void closed_after_destroy(enum kind kind)
{
	for (unsigned early = 0; early <= 2; early++) {
		brink_listener *listener;
		struct stage stage;
		int clients[3];

		scarce_memory();
		open_stage(&stage, kind);
		stage.options.max_connections = 2;
		start_stage(&stage);
		listener = stage.listener;
		queue_clients(&stage, clients, 3);
		RUN_UNTIL(stage.loop, stage.accepted == 2);
		for (unsigned i = 0; i < early; i++)
			end_server(&stage, i); /* posts to the loop, which does not turn any more */
		destroy_listener(&stage);
		close_all(clients, 3);
		if (early == 0)
			brink_listener_closed(listener);
		/* It was full, and the loop hears nothing of it any more. */
		CHECK_EQ(brink_loop_run_once(stage.loop, 0), 0);
		close_stage(&stage);
		for (unsigned i = early == 0 ? 1 : early; i < 2; i++) {
			CHECK_EQ(blocks_live(), 1);
			brink_listener_closed(listener);
		}
		CHECK_EQ(blocks_live(), 0);
	}
}

static void not_counted_without_a_limit(enum kind kind)
{
	struct stage stage;
	int client;

	open_stage(&stage, kind);
	start_stage(&stage);
	queue_clients(&stage, &client, 1);
	RUN_UNTIL(stage.loop, stage.accepted == 1);
	CHECK_EQ(brink_listener_connections(stage.listener), 0);
	brink_listener_closed(stage.listener);
	CHECK_EQ(brink_listener_connections(stage.listener), 0);
	close_fd(&client);
	close_stage(&stage);
}

#define ENDERS 3
#define TO_END 200u

/* Connections go round: accepted on the loop, ended by other threads, at most three at a time. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	int fds[3];
	unsigned count, ended;
	bool over;
	brink_listener *listener;
} ring = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

static void *end_connections(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&ring.lock);
	for (;;) {
		int fd;

		while (ring.count == 0 && !ring.over)
			pthread_cond_wait(&ring.more, &ring.lock);
		if (ring.count == 0)
			break;
		fd = ring.fds[--ring.count];
		pthread_mutex_unlock(&ring.lock);
		close_fd(&fd);
		brink_listener_closed(ring.listener);
		pthread_mutex_lock(&ring.lock);
		ring.ended++;
	}
	pthread_mutex_unlock(&ring.lock);
	return NULL;
}

static void act_hand_over(struct stage *stage)
{
	int *fd = &stage->servers[(stage->accepted - 1) % STAGE_MANY];

	pthread_mutex_lock(&ring.lock);
	CHECK(ring.count < 3);
	ring.fds[ring.count++] = *fd;
	pthread_cond_signal(&ring.more);
	pthread_mutex_unlock(&ring.lock);
	*fd = -1;
}

static void *connect_many(void *address)
{
	for (unsigned i = 0; i < TO_END; i++) {
		int fd = connect_address(address);

		expect_end(fd);
		close_fd(&fd);
	}
	return NULL;
}

static void ended_by_other_threads(enum kind kind)
{
	struct brink_address address;
	pthread_t enders[ENDERS], clients[2];
	struct stage stage;

	scarce_memory();
	open_stage(&stage, kind);
	stage.options.max_connections = 3;
	stage.act = act_hand_over;
	start_stage(&stage);
	ring.listener = stage.listener;
	brink_listener_address(stage.listener, &address);
	for (unsigned i = 0; i < ENDERS; i++)
		CHECK_EQ(pthread_create(&enders[i], NULL, end_connections, NULL), 0);
	for (unsigned i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&clients[i], NULL, connect_many, &address), 0);
	RUN_UNTIL(stage.loop, stage.accepted == 2 * TO_END);
	/* Destroyed while some are being ended. */
	destroy_listener(&stage);
	pthread_mutex_lock(&ring.lock);
	ring.over = true;
	pthread_cond_broadcast(&ring.more);
	pthread_mutex_unlock(&ring.lock);
	for (unsigned i = 0; i < ENDERS; i++)
		CHECK_EQ(pthread_join(enders[i], NULL), 0);
	for (unsigned i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(clients[i], NULL), 0);
	CHECK_EQ(ring.ended, 2 * TO_END);
	close_stage(&stage);
	CHECK_EQ(blocks_live(), 0);
}

/* The room that came just before is a child's, too, which goes on where the parent was. */
static void room_in_a_forked_child(enum kind kind)
{
	struct stage stage;
	int clients[2];
	pid_t pid;

	open_stage(&stage, kind);
	stage.options.max_connections = 1;
	start_stage(&stage);
	queue_clients(&stage, clients, 2);
	RUN_UNTIL(stage.loop, stage.accepted == 1);
	turn_in_vain(&stage);
	end_server(&stage, 0);
	SYSCALL(pid = fork());
	if (pid == 0) {
		uint64_t end = monotonic_now() + BRINK_SECONDS(10);
		int result = brink_loop_after_fork(stage.loop);

		while (result >= 0 && stage.accepted == 1 && monotonic_now() < end)
			result = brink_loop_run_once(stage.loop, (int64_t)BRINK_MS(100));
		_exit(result >= 0 && stage.accepted == 2 ? 0 : 1);
	}
	expect_success_of(pid);
	turn_in_vain(&stage);
	close_all(clients, 2);
	close_stage(&stage);
}

static const struct scenario scenarios[] = {
	SCENARIO("listener-limit/full-and-going-on", full_and_going_on, KINDS_STREAM),
	SCENARIO("listener-limit/paused-while-full", paused_while_full, KINDS_STREAM),
	SCENARIO("listener-limit/closed-after-destroy", closed_after_destroy, KINDS_STREAM),
	SCENARIO("listener-limit/not-counted-without-a-limit", not_counted_without_a_limit, KINDS_STREAM),
	SCENARIO("listener-limit/room-in-a-forked-child", room_in_a_forked_child, KINDS_STREAM),
	SCENARIO("listener-limit/ended-by-other-threads", ended_by_other_threads, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group listener_limit_group = {"listener-limit", scenarios};
