/* A group ends: whoever asks for it, whatever is under way. */
#include "groups.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOPS 3u

static brink_group *group;
static atomic_uint stops;

static void on_stop(brink_loop *loop, unsigned index, void *arg)
{
	(void)arg;
	CHECK(brink_group_loop(group, index) == loop);
	stops++;
}

static void start(brink_group_fn *on_start)
{
	stops = 0;
	CHECK_OK(brink_group_create(&group, &(struct brink_group_options){
		.loops = LOOPS, .on_start = on_start, .on_stop = on_stop, .loop.backend = backend_name()}));
}

static void expect_stopped(void)
{
	CHECK_OK(brink_group_join(group));
	CHECK_EQ(stops, LOOPS);
	CHECK_OK(brink_group_join(group)); /* at once */
	CHECK_OK(brink_group_destroy(group));
	CHECK_EQ(stops, LOOPS);
}

/* ---- who stops it ---- */

static void stop_from_task(brink_task *task)
{
	(void)task;
	brink_group_stop(group);
	CHECK_ERROR(brink_group_join(group), -EBUSY);
	CHECK_ERROR(brink_group_destroy(group), -EBUSY);
}

static void by_own_thread(enum kind kind)
{
	brink_task task;

	(void)kind;
	start(NULL);
	brink_task_init(&task, stop_from_task);
	brink_task_post(brink_group_loop(group, LOOPS - 1), &task);
	expect_stopped();
}

static void destroy_from_task(brink_task *task)
{
	(void)task;
	CHECK_ERROR(brink_group_destroy(group), -EBUSY);
}

/* Who destroys it stands in for its threads. */
static void by_last_task(enum kind kind)
{
	brink_task task;

	(void)kind;
	start(NULL);
	brink_group_stop(group);
	CHECK_OK(brink_group_join(group));
	brink_task_init(&task, destroy_from_task);
	brink_task_post(brink_group_loop(group, 0), &task);
	expect_stopped();
}

static void stop_in_start(brink_loop *loop, unsigned index, void *arg)
{
	(void)loop;
	(void)arg;
	if (index == 0)
		brink_group_stop(group);
}

/* Also before the others run. */
static void by_on_start(enum kind kind)
{
	(void)kind;
	for (int i = 0; i < (is_slow() ? 5 : 50); i++) {
		start(stop_in_start);
		expect_stopped();
	}
}

static void *stop_elsewhere(void *arg)
{
	(void)arg;
	sleep_ms(5); /* the loops most likely wait, and the other thread in join */
	brink_group_stop(group);
	return NULL;
}

static void *join_elsewhere(void *arg)
{
	(void)arg;
	CHECK_OK(brink_group_join(group));
	CHECK_EQ(stops, LOOPS);
	return NULL;
}

static void by_other_threads(enum kind kind)
{
	pthread_t threads[6];

	(void)kind;
	start(NULL);
	for (unsigned i = 0; i < 6; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, i % 2 == 0 ? join_elsewhere : stop_elsewhere, NULL), 0);
	CHECK_OK(brink_group_join(group));
	for (unsigned i = 0; i < 6; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	expect_stopped();
}

static volatile sig_atomic_t errno_kept;

static void on_signal(int number)
{
	(void)number;
	errno = 4711;
	brink_group_stop(group);
	errno_kept = errno == 4711;
}

static void by_signal_handler(enum kind kind)
{
	struct sigaction action = {.sa_handler = on_signal};

	(void)kind;
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	start(NULL);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	expect_stopped();
	CHECK(errno_kept);
}

/* At any moment: right after it was created, or never. */
static void at_once(enum kind kind)
{
	(void)kind;
	for (int i = 0; i < (is_slow() ? 10 : 100); i++) {
		start(NULL);
		CHECK_OK(brink_group_destroy(group));
		CHECK_EQ(stops, LOOPS);
	}
}

static atomic_uint seen;

static void count(brink_task *task)
{
	(void)task;
	seen++;
}

/* brink_loop_stop() on a loop of a group does not take it from the group. */
static void not_by_loop_stop(enum kind kind)
{
	brink_task task;

	(void)kind;
	start(NULL);
	for (unsigned i = 0; i < 20; i++) {
		brink_loop_stop(brink_group_loop(group, i % LOOPS));
		brink_task_init(&task, count);
		brink_task_post(brink_group_loop(group, i % LOOPS), &task);
		while (seen == i)
			sleep_ms(1);
	}
	CHECK_EQ(stops, 0);
	CHECK_OK(brink_group_destroy(group));
	CHECK_EQ(stops, LOOPS);
}

/* ---- what is under way ---- */

#define POSTERS 3u
#define TASKS 2000u

struct poster {
	pthread_t thread;
	struct post {
		brink_task task;
		unsigned calls;
	} *posts;
};

static void on_post(brink_task *task)
{
	brink_container_of(task, struct post, task)->calls++;
}

static void *post_all(void *arg)
{
	struct poster *poster = arg;

	for (unsigned i = 0; i < TASKS; i++) {
		brink_task_init(&poster->posts[i].task, on_post);
		brink_task_post(brink_group_place(group, (int)i), &poster->posts[i].task);
	}
	return NULL;
}

/* Threads post while it is stopped: each task is called once, by its loop or at the end. */
static void while_threads_post(enum kind kind)
{
	struct poster posters[POSTERS];

	(void)kind;
	start(NULL);
	for (unsigned p = 0; p < POSTERS; p++) {
		posters[p].posts = calloc(TASKS, sizeof *posters[p].posts);
		CHECK(posters[p].posts != NULL);
		CHECK_EQ(pthread_create(&posters[p].thread, NULL, post_all, &posters[p]), 0);
	}
	brink_group_stop(group);
	CHECK_OK(brink_group_join(group));
	for (unsigned p = 0; p < POSTERS; p++)
		CHECK_EQ(pthread_join(posters[p].thread, NULL), 0);
	CHECK_OK(brink_group_destroy(group));
	for (unsigned p = 0; p < POSTERS; p++) {
		for (unsigned i = 0; i < TASKS; i++)
			CHECK_EQ(posters[p].posts[i].calls, 1);
		free(posters[p].posts);
	}
}

struct traveller {
	brink_task task;
	unsigned at, hops;
};

#define HOPS 20000u

static void on_arrival(brink_task *task)
{
	struct traveller *traveller = brink_container_of(task, struct traveller, task);

	if (traveller->hops++ == HOPS)
		return;
	traveller->at = (traveller->at + 1) % LOOPS;
	brink_task_post(brink_group_loop(group, traveller->at), task);
}

/* Tasks that each loop's tasks post to the next loop: all of them come to their end,
 * wherever the group's end meets them. */
static void while_loops_post_to_each_other(enum kind kind)
{
	struct traveller travellers[5];

	(void)kind;
	start(NULL);
	for (unsigned i = 0; i < 5; i++) {
		travellers[i] = (struct traveller){.at = i % LOOPS};
		brink_task_init(&travellers[i].task, on_arrival);
		brink_task_post(brink_group_loop(group, i % LOOPS), &travellers[i].task);
	}
	CHECK_OK(brink_group_destroy(group));
	for (unsigned i = 0; i < 5; i++)
		CHECK_EQ(travellers[i].hops, HOPS + 1);
}

struct started {
	brink_timer timer;
	struct probe probe;
	struct pair pair;
	unsigned calls;
} started[LOOPS];

static void on_timer(brink_timer *timer)
{
	brink_container_of(timer, struct started, timer)->calls++;
}

static void start_on_each(brink_loop *loop, unsigned index, void *arg)
{
	(void)arg;
	brink_timer_init(&started[index].timer, on_timer);
	CHECK_OK(brink_timer_start(loop, &started[index].timer, BRINK_MS(1), BRINK_MS(1)));
	CHECK_OK(brink_watch_start(loop, &started[index].probe.watch, started[index].pair.ours, BRINK_READ));
}

/* What is still started is stopped without a call. */
static void while_things_are_started(enum kind kind)
{
	(void)kind;
	for (unsigned i = 0; i < LOOPS; i++) {
		started[i].pair = open_pair(KIND_UNIX, BRINK_READ);
		init_probe(&started[i].probe, "started", NULL);
	}
	start(start_on_each);
	sleep_ms(10);
	CHECK_OK(brink_group_destroy(group));
	for (unsigned i = 0; i < LOOPS; i++) {
		CHECK_EQ(started[i].probe.calls, 0);
		CHECK(!brink_watch_active(&started[i].probe.watch) && !brink_timer_active(&started[i].timer));
		close_pair(&started[i].pair);
	}
}

/* ---- connections that end with it ---- */

struct connection {
	brink_socket_id id;
	struct pair pair;
	brink_task notice;
	unsigned notices;
	brink_socket *held; /* until the notice is called; or NULL */
} connections[LOOPS][LOOPS];

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)socket;
	(void)arg;
	brink_buffer_clear(in);
}

static void on_notice(brink_task *task)
{
	struct connection *connection = brink_container_of(task, struct connection, notice);

	connection->notices++;
	if (connection->held != NULL)
		brink_socket_release(connection->held);
}

/* Of connections[i][j], on loop i: tells loop j. */
static void tell_other(brink_socket *socket, int error, const char *text, void *arg)
{
	struct connection *connection = arg;
	ptrdiff_t index = connection - &connections[0][0];

	(void)socket;
	(void)error;
	(void)text;
	brink_task_post(brink_group_loop(group, (unsigned)index % LOOPS), &connection->notice);
}

static void open_connection(unsigned i, unsigned j, bool hold)
{
	struct connection *connection = &connections[i][j];
	struct brink_socket_options options = {.on_bytes = on_bytes, .on_close = tell_other, .arg = connection};

	memset(connection, 0, sizeof *connection);
	connection->pair = open_pair(KIND_UNIX, BRINK_READ);
	options.fd = connection->pair.ours;
	brink_task_init(&connection->notice, on_notice);
	CHECK_OK(brink_socket_create(&connection->id, brink_group_loop(group, i), &options));
	connection->pair.ours = -1;
	if (hold)
		CHECK((connection->held = brink_socket_address(connection->id)) != NULL);
}

/* Each connection's end tells another loop, on which it is waited for to let the connection go. */
static void with_connections(bool hold)
{
	start(NULL);
	for (unsigned i = 0; i < LOOPS; i++)
		for (unsigned j = 0; j < LOOPS; j++)
			open_connection(i, j, hold);
	CHECK_OK(brink_group_destroy(group));
	for (unsigned i = 0; i < LOOPS; i++) {
		for (unsigned j = 0; j < LOOPS; j++) {
			CHECK_EQ(connections[i][j].notices, 1);
			close_pair(&connections[i][j].pair);
		}
	}
}

static void *let_go(void *arg)
{
	(void)arg;
	for (unsigned i = LOOPS; i-- > 0;) {
		/* Who fails it says so first, and then takes the id. */
		while (brink_socket_fail(connections[i][0].id, 0, NULL) != -ENOENT)
			sleep_ms(1);
		sleep_ms(2);
		brink_socket_release(connections[i][0].held);
	}
	return NULL;
}

/* The last of them first: the end waits for none before the others. */
static void while_a_thread_holds_connections(enum kind kind)
{
	pthread_t thread;

	(void)kind;
	start(NULL);
	for (unsigned i = 0; i < LOOPS; i++)
		open_connection(i, 0, true);
	for (unsigned i = 0; i < LOOPS; i++)
		connections[i][0].notice.call = count;
	CHECK_EQ(pthread_create(&thread, NULL, let_go, NULL), 0);
	CHECK_OK(brink_group_destroy(group));
	CHECK_EQ(seen, LOOPS);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	for (unsigned i = 0; i < LOOPS; i++)
		close_pair(&connections[i][0].pair);
}

static void while_connections_tell_other_loops(enum kind kind)
{
	(void)kind;
	with_connections(false);
}

static void while_other_loops_hold_connections(enum kind kind)
{
	(void)kind;
	with_connections(true);
}

/* ---- in a forked child ---- */

static _Noreturn void end_child(brink_executor *executor)
{
	brink_group_stop(group);
	_exit(brink_group_join(group) == 0 && brink_group_destroy(group) == 0 &&
	      brink_executor_destroy(executor) == 0 ? 0 : 1);
}

/* There are no threads to wait for there, and the parent's go on. */
static void in_a_child(enum kind kind)
{
	brink_executor *executor;
	brink_task task;
	pid_t pid;

	(void)kind;
	start(NULL);
	CHECK_OK(brink_executor_create(&executor, NULL));
	SYSCALL(pid = fork());
	if (pid == 0)
		end_child(executor);
	expect_success_of(pid);
	sleep_ms(5);
	CHECK_EQ(stops, 0);
	brink_task_init(&task, count);
	CHECK_OK(brink_executor_post(executor, &task));
	CHECK_OK(brink_executor_destroy(executor));
	CHECK_EQ(seen, 1);
	brink_task_post(brink_group_loop(group, 0), &task);
	while (seen == 1)
		sleep_ms(1);
	CHECK_OK(brink_group_destroy(group));
	CHECK_EQ(stops, LOOPS);
}

static const struct scenario scenarios[] = {
	SCENARIO("group-end/by-own-thread", by_own_thread, 0),
	SCENARIO("group-end/by-last-task", by_last_task, 0),
	SCENARIO("group-end/by-on-start", by_on_start, 0),
	SCENARIO("group-end/by-other-threads", by_other_threads, 0),
	SCENARIO("group-end/by-signal-handler", by_signal_handler, 0),
	SCENARIO("group-end/at-once", at_once, 0),
	SCENARIO("group-end/not-by-loop-stop", not_by_loop_stop, 0),
	SCENARIO("group-end/while-threads-post", while_threads_post, 0),
	SCENARIO("group-end/while-loops-post-to-each-other", while_loops_post_to_each_other, 0),
	SCENARIO("group-end/while-things-are-started", while_things_are_started, 0),
	SCENARIO("group-end/while-connections-tell-other-loops", while_connections_tell_other_loops, 0),
	SCENARIO("group-end/while-other-loops-hold-connections", while_other_loops_hold_connections, 0),
	SCENARIO("group-end/while-a-thread-holds-connections", while_a_thread_holds_connections, 0),
	SCENARIO("group-end/in-a-child", in_a_child, 0),
	NO_MORE_SCENARIOS,
};
const struct group group_end_group = {"group-end", scenarios};
