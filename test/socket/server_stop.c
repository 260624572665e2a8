/* A graceful stop: nothing that had arrived is lost, and the deadline ends the rest. */
#include "groups.h"
#include "server_stage.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUSY 20u
#define LINES 50u

static void nobody_there(enum kind kind)
{
	struct service service;

	for (int shape = 0; shape < SHAPES; shape++) {
		int port;

		open_service(&service, kind, (enum shape)shape);
		port = reserve_port(service.text);
		start_service(&service);
		turn(service.loop);
		CHECK_OK(brink_server_stop(service.server, BRINK_SECONDS(60)));
		CHECK_OK(brink_server_stop(service.server, BRINK_SECONDS(60)));
		/* The loop has something to wait for until then, and nothing after. */
		CHECK_EQ(brink_loop_run(service.loop), 0);
		CHECK_EQ(atomic_load(&service.stopped), 1);
		CHECK_ERROR(brink_server_stop(service.server, 0), -EALREADY);
		CHECK(try_connect(&service.address) < 0);
		close_fd(&port);
		close_service(&service);
	}
}

/* A child that goes on with the loop stops the server, too, whenever it is forked. */
static void stopped_in_a_child(enum kind kind)
{
	struct service service;
	int client;
	pid_t pid;

	open_service(&service, kind, ONE_LOOP);
	service.options.socket.linger_timeout = BRINK_MS(1);
	start_service(&service);
	connect_clients(&service, &client, 1);
	CHECK_OK(brink_server_stop(service.server, BRINK_SECONDS(3600)));
	while (atomic_load(&service.stopped) == 0) {
		SYSCALL(pid = fork());
		if (pid == 0) {
			CHECK_OK(brink_loop_after_fork(service.loop));
			RUN_UNTIL(service.loop, atomic_load(&service.stopped) == 1);
			_exit(0);
		}
		expect_success_of(pid);
		CHECK_OK(brink_loop_run_once(service.loop, -1));
	}
	close_fd(&client);
	close_service(&service);
}

/* Each client has said many lines, of which none was read; each gets all of them back, and
 * then the end. Half of the connections are not even accepted. */
static void nothing_is_lost(enum kind kind)
{
	struct service service;
	char lines[LINES * 16], got[sizeof lines];
	int fds[BUSY];
	size_t size = 0;

	for (unsigned i = 0; i < LINES; i++)
		size += (size_t)snprintf(lines + size, sizeof lines - size, "line %06u\n", i);
	for (int shape = 0; shape < SHAPES; shape++) {
		/* Where they are processed several at a time, only their number is known. */
		bool in_order = shape != MESSAGES_ON_EXECUTOR;

		open_service(&service, kind, (enum shape)shape);
		start_service(&service);
		connect_clients(&service, fds, BUSY / 2);
		for (unsigned i = BUSY / 2; i < BUSY; i++)
			fds[i] = connect_client(&service);
		for (unsigned i = 0; i < BUSY; i++)
			write_all(fds[i], lines, size);
		CHECK_OK(brink_server_stop(service.server, BRINK_SECONDS(300)));
		for (unsigned i = 0; i < BUSY; i++) {
			read_back(&service, fds[i], got, size);
			CHECK(!in_order || memcmp(lines, got, size) == 0);
			expect_gone(&service, fds[i], false);
			close_fd(&fds[i]);
		}
		run_until_stopped(&service);
		CHECK_EQ(atomic_load(&service.closed), BUSY);
		CHECK_EQ(atomic_load(&service.error), 0);
		close_service(&service);
	}
}

static void echo_and_stop(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct service *service = arg;

	if (atomic_fetch_add(&service->processed, 1) == 0)
		CHECK_OK(brink_server_stop(service->server, BRINK_SECONDS(300)));
	CHECK_OK(brink_socket_write(socket, in));
}

/* What the kernel has told, and the loop has had no turn yet to look at, has arrived as well. */
static void nothing_is_lost_of_what_was_told(enum kind kind)
{
	struct service service;
	char got[5];
	int fds[BUSY];

	open_service(&service, kind, ONE_LOOP);
	CHECK_OK(brink_loop_destroy(service.loop));
	service.loop = new_loop_with(&(struct brink_loop_options){.batch = 1});
	service.options.on_bytes = echo_and_stop;
	start_service(&service);
	connect_clients(&service, fds, BUSY);
	for (unsigned i = 0; i < BUSY; i++)
		write_all(fds[i], "line\n", 5);
	CHECK_EQ(brink_loop_run(service.loop), 0);
	CHECK_EQ(atomic_load(&service.stopped), 1);
	for (unsigned i = 0; i < BUSY; i++) {
		read_exactly(fds[i], got, 5);
		CHECK(memcmp(got, "line\n", 5) == 0);
		expect_gone(&service, fds[i], false);
		close_fd(&fds[i]);
	}
	CHECK_EQ(atomic_load(&service.closed), BUSY);
	close_service(&service);
}

static void converse_to_the_end(struct service *service, int *fds, unsigned count)
{
	char got[5];

	for (unsigned i = 0; i < count; i++) {
		read_back(service, fds[i], got, 5);
		CHECK(memcmp(got, "line\n", 5) == 0);
		expect_gone(service, fds[i], false);
		close_fd(&fds[i]);
	}
	run_until_stopped(service);
	CHECK_EQ(atomic_load(&service->closed), count);
	CHECK_EQ(atomic_load(&service->error), 0);
}

static void connect_and_speak(const struct service *service, int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		fds[i] = connect_client(service);
		write_all(fds[i], "line\n", 5);
	}
}

/* Those in the queue get in as those before them are closed, and are served and closed as well. */
static void full_and_more_queued(enum kind kind)
{
	struct service service;
	int fds[BUSY];

	for (int shape = 0; shape < SHAPES; shape++) {
		open_service(&service, kind, (enum shape)shape);
		service.options.listener.max_connections = 3;
		service.options.listener.drain_wait = 1;
		start_service(&service);
		connect_and_speak(&service, fds, BUSY);
		RUN_UNTIL(service.loop, atomic_load(&service.processed) > 0);
		CHECK_OK(brink_server_stop(service.server, BRINK_SECONDS(300)));
		converse_to_the_end(&service, fds, BUSY);
		close_service(&service);
	}
}

/* All descriptors are the connections', with nobody in the queue, and somebody. */
static void without_descriptors(enum kind kind)
{
	static const enum shape shapes[] = {ONE_LOOP, GROUP, MESSAGES};
	struct service service;
	int fds[4];

	skip_under_valgrind();
	for (unsigned i = 0; i < 6; i++) {
		unsigned count = i % 2 == 0 ? 2 : 4;

		open_service(&service, kind, shapes[i / 2]);
		service.options.listener.drain_wait = 1;
		service.options.listener.retry_after = BRINK_MS(1);
		start_service(&service);
		connect_clients(&service, fds, 2);
		write_all(fds[0], "line\n", 5);
		write_all(fds[1], "line\n", 5);
		connect_and_speak(&service, fds + 2, count - 2);
		limit_descriptors(0);
		CHECK_OK(brink_server_stop(service.server, BRINK_SECONDS(300)));
		converse_to_the_end(&service, fds, count);
		unlimit_descriptors();
		close_service(&service);
	}
}

static void full_until_the_deadline(enum kind kind)
{
	struct service service;
	int fds[6];

	for (int shape = 0; shape < SHAPES; shape++) {
		open_service(&service, kind, (enum shape)shape);
		service.options.listener.max_connections = 3;
		service.options.socket.linger_timeout = BRINK_SECONDS(600);
		start_service(&service);
		connect_and_speak(&service, fds, 6);
		RUN_UNTIL(service.loop, atomic_load(&service.processed) > 0);
		CHECK_OK(brink_server_stop(service.server, BRINK_MS(50)));
		run_until_stopped(&service);
		CHECK(atomic_load(&service.closed) >= 1);
		CHECK_EQ(atomic_load(&service.error), -ETIMEDOUT);
		close_all(fds, 6);
		close_service(&service);
	}
}

/* Messages are under way on other threads. */
static void waits_for_messages(enum kind kind)
{
	static const enum shape shapes[] = {MESSAGES_ON_EXECUTOR, ON_EXECUTOR};
	struct service service;
	char got[5];
	int fd;

	for (size_t s = 0; s < 2; s++) {
		open_service(&service, kind, shapes[s]);
		if (shapes[s] == MESSAGES_ON_EXECUTOR)
			service.options.messenger_flags = BRINK_MESSENGER_NOT_IN_PLACE;
		atomic_store(&service.gate, 1);
		start_service(&service);
		connect_clients(&service, &fd, 1);
		write_all(fd, "slow\n", 5);
		RUN_UNTIL(service.loop, atomic_load(&service.blocked) == 1);
		CHECK_OK(brink_server_stop(service.server, BRINK_SECONDS(300)));
		for (int i = 0; i < 20; i++)
			turn(service.loop);
		CHECK_EQ(atomic_load(&service.closed), 0);
		atomic_store(&service.gate, 0);
		read_back(&service, fd, got, sizeof got);
		CHECK(memcmp(got, "slow\n", 5) == 0);
		expect_gone(&service, fd, false);
		close_fd(&fd);
		run_until_stopped(&service);
		CHECK_EQ(atomic_load(&service.error), 0);
		close_service(&service);
	}
}

static unsigned turns;

static void count_turn(brink_hook *hook)
{
	(void)hook;
	turns++;
}

static void stop_loop(brink_timer *timer)
{
	brink_loop_stop(timer->loop);
}

static unsigned count_turns(brink_loop *loop, uint64_t time)
{
	brink_timer timer;
	brink_hook hook;

	turns = 0;
	brink_hook_init(&hook, count_turn);
	brink_timer_init(&timer, stop_loop);
	CHECK_OK(brink_hook_start(loop, &hook, BRINK_HOOK_PREPARE));
	CHECK_OK(brink_timer_start(loop, &timer, time, 0));
	CHECK_EQ(brink_loop_run(loop), 1);
	CHECK_OK(brink_hook_stop(&hook));
	return turns;
}

/* One that ends as soon as its message is processed is not asked after again and again, though the gate has said
 * twice how far it is. */
static void waits_at_rest(enum kind kind)
{
	struct service service;
	int fds[3];

	open_service(&service, kind, MESSAGES_ON_EXECUTOR);
	service.options.messenger_flags = BRINK_MESSENGER_NOT_IN_PLACE;
	service.options.listener.max_connections = 2;
	service.options.listener.drain_wait = 1;
	atomic_store(&service.gate, 1);
	start_service(&service);
	connect_clients(&service, fds, 2);
	write_all(fds[0], "slow\n", 5);
	RUN_UNTIL(service.loop, atomic_load(&service.blocked) == 1);
	fds[2] = connect_client(&service);
	CHECK_OK(brink_server_stop(service.server, BRINK_SECONDS(300)));
	for (int i = 1; i < 3; i++) {
		expect_gone(&service, fds[i], false);
		close_fd(&fds[i]);
	}
	RUN_UNTIL(service.loop, atomic_load(&service.closed) == 2);
	for (int i = 0; i < 20; i++)
		turn(service.loop);
	CHECK(count_turns(service.loop, BRINK_MS(200)) < 30);
	atomic_store(&service.gate, 0);
	run_until_stopped(&service);
	close_fd(&fds[0]);
	close_service(&service);
}

/* Peers that neither read nor end. */
static void deadline(enum kind kind)
{
	struct service service;
	int fds[4];

	for (int shape = 0; shape < SHAPES; shape++) {
		open_service(&service, kind, (enum shape)shape);
		service.options.socket.linger_timeout = BRINK_SECONDS(600);
		start_service(&service);
		connect_clients(&service, fds, 4);
		talk_with(&service, fds, 4);
		CHECK_OK(brink_server_stop(service.server, BRINK_SECONDS(600)));
		CHECK_OK(brink_server_stop(service.server, BRINK_MS(20))); /* forward */
		CHECK_OK(brink_server_stop(service.server, BRINK_SECONDS(600))); /* never back */
		run_until_stopped(&service);
		CHECK_EQ(atomic_load(&service.closed), 4);
		CHECK_EQ(atomic_load(&service.error), -ETIMEDOUT);
		close_all(fds, 4);
		close_service(&service);
	}
}

static void at_once(enum kind kind)
{
	struct service service;
	int fd;

	open_service(&service, kind, GROUP);
	start_service(&service);
	connect_clients(&service, &fd, 1);
	CHECK_OK(brink_server_stop(service.server, 0));
	run_until_stopped(&service);
	CHECK_EQ(atomic_load(&service.closed), 1);
	close_fd(&fd);
	close_service(&service);
}

/* ---- a connection that is being taken on by a loop of the group's as the deadline ends all that there are ---- */

static pthread_t stopper;
static atomic_bool taking_on, go_on;
static bool (*others_say)(void);

/* The first memory that a loop needs for it. */
static bool wait_for_the_deadline(void)
{
	if (!pthread_equal(pthread_self(), stopper) && !atomic_exchange(&taking_on, true))
		while (!atomic_load(&go_on))
			sleep_ms(1);
	return others_say != NULL && others_say();
}

static int never_done(void *state, int fd, unsigned *waits)
{
	(void)state;
	(void)fd;
	*waits = BRINK_READ;
	return -EAGAIN;
}

/* And its peer, who is silent, could keep it for as long as a handshake may take. */
static void taken_on_at_the_deadline(enum kind kind)
{
	struct brink_transport transport = *brink_transport_plain();
	struct service service;
	int fd;

	scarce_memory();
	transport.handshake = never_done;
	open_service(&service, kind, EACH_ACCEPTS);
	CHECK_OK(brink_executor_create(&service.executor, &(struct brink_executor_options){.threads = 1}));
	service.options.executor = service.executor;
	service.options.socket.transport = &transport;
	service.options.socket.connect_timeout = BRINK_SECONDS(600);
	start_service(&service);
	stopper = pthread_self();
	others_say = memory_is_out;
	memory_is_out = wait_for_the_deadline;
	fd = connect_client(&service);
	for (int i = 0; i < 200 && !atomic_load(&taking_on); i++)
		sleep_ms(10);
	if (!atomic_load(&taking_on)) {
		close_fd(&fd);
		close_service(&service);
		SKIP("here one loop accepts");
	}
	CHECK_OK(brink_server_stop(service.server, 0));
	for (int i = 0; i < 10; i++)
		turn_briefly(service.loop);
	CHECK_EQ(atomic_load(&service.stopped), 0);
	atomic_store(&go_on, true);
	run_until_stopped(&service);
	CHECK_EQ(atomic_load(&service.error), -ETIMEDOUT);
	close_fd(&fd);
	close_service(&service);
}

/* ---- loops of the group's that do not turn as the deadline comes ---- */

static atomic_uint blocked;

static void block(brink_task *task)
{
	(void)task;
	atomic_fetch_add(&blocked, 1);
	while (!atomic_load(&go_on))
		sleep_ms(1);
}

/* When it has stopped nobody can connect, whatever else a loop that listens was busy with. */
static void deadline_and_busy_loops(enum kind kind)
{
	struct service service;
	brink_task tasks[3];

	open_service(&service, kind, EACH_ACCEPTS);
	start_service(&service);
	for (unsigned i = 0; i < 3; i++) {
		brink_task_init(&tasks[i], block);
		brink_task_post(brink_group_loop(service.group, i), &tasks[i]);
	}
	while (atomic_load(&blocked) < 3)
		sleep_ms(1);
	CHECK_OK(brink_server_stop(service.server, 0));
	for (int i = 0; i < 20; i++)
		turn_briefly(service.loop);
	CHECK(atomic_load(&service.stopped) == 0 || try_connect(&service.address) < 0);
	atomic_store(&go_on, true);
	run_until_stopped(&service);
	CHECK(try_connect(&service.address) < 0);
	close_service(&service);
}

/* Those that never turn again are not waited for. */
static void deadline_and_stopped_group(enum kind kind)
{
	struct service service;

	open_service(&service, kind, EACH_ACCEPTS);
	start_service(&service);
	brink_group_stop(service.group);
	CHECK_OK(brink_group_join(service.group));
	CHECK_OK(brink_server_stop(service.server, BRINK_MS(10)));
	run_until_stopped(&service);
	close_service(&service);
}

static void destroyed_meanwhile(enum kind kind)
{
	struct service service;
	int fds[4];

	for (int shape = 0; shape < SHAPES; shape++) {
		open_service(&service, kind, (enum shape)shape);
		start_service(&service);
		connect_clients(&service, fds, 4);
		CHECK_OK(brink_server_stop(service.server, BRINK_SECONDS(600)));
		for (int i = 0; i < shape; i++)
			turn(service.loop);
		close_service(&service);
		CHECK_EQ(atomic_load(&service.stopped), 0);
		CHECK_EQ(atomic_load(&service.closed), 4);
		close_all(fds, 4);
	}
}

static void destroy_here(brink_server *server, void *arg)
{
	struct service *service = arg;

	(void)server;
	destroy_service(service);
	atomic_fetch_add(&service->stopped, 1);
}

static void destroyed_in_on_stopped(enum kind kind)
{
	struct service service;
	int fd;

	open_service(&service, kind, ONE_LOOP);
	service.options.on_stopped = destroy_here;
	start_service(&service);
	connect_clients(&service, &fd, 1);
	CHECK_OK(brink_server_stop(service.server, BRINK_SECONDS(600)));
	expect_gone(&service, fd, false);
	close_fd(&fd);
	run_until_stopped(&service);
	close_service(&service);
}

/* ---- by signals ---- */

static void by_a_signal(enum kind kind)
{
	struct service service;
	int fd;

	for (int second = 0; second < 2; second++) {
		open_service(&service, kind, GROUP);
		service.options.stop_on_signals = 1;
		service.options.socket.linger_timeout = BRINK_SECONDS(600);
		service.options.stop_deadline = BRINK_SECONDS(600);
		start_service(&service);
		connect_clients(&service, &fd, 1);
		CHECK_EQ(raise(SIGTERM), 0);
		if (second) {
			expect_gone(&service, fd, false); /* and the peer does not end its side */
			CHECK_EQ(atomic_load(&service.stopped), 0); /* or the next signal would end this process */
			CHECK_EQ(raise(SIGINT), 0);
		} else {
			SYSCALL(shutdown(fd, SHUT_WR));
		}
		CHECK_EQ(brink_loop_run(service.loop), 1);
		CHECK_EQ(atomic_load(&service.stopped), 1);
		CHECK_EQ(atomic_load(&service.error), second ? -ETIMEDOUT : 0);
		close_fd(&fd);
		close_service(&service);
	}
}

static const struct scenario scenarios[] = {
	SCENARIO("server-stop/nobody-there", nobody_there, KINDS_STREAM),
	SCENARIO("server-stop/stopped-in-a-child", stopped_in_a_child, KINDS_STREAM),
	SCENARIO("server-stop/nothing-is-lost", nothing_is_lost, KINDS_STREAM),
	SCENARIO("server-stop/nothing-is-lost-of-what-was-told", nothing_is_lost_of_what_was_told, KINDS_STREAM),
	SCENARIO("server-stop/full-and-more-queued", full_and_more_queued, KINDS_STREAM),
	SCENARIO("server-stop/without-descriptors", without_descriptors, KINDS_STREAM),
	SCENARIO("server-stop/full-until-the-deadline", full_until_the_deadline, KINDS_STREAM),
	SCENARIO("server-stop/waits-for-messages", waits_for_messages, KINDS_STREAM),
	SCENARIO("server-stop/waits-at-rest", waits_at_rest, KINDS_STREAM),
	SCENARIO("server-stop/deadline", deadline, KINDS_STREAM),
	SCENARIO("server-stop/at-once", at_once, KINDS_STREAM),
	SCENARIO("server-stop/taken-on-at-the-deadline", taken_on_at_the_deadline, KINDS_TCP),
	SCENARIO("server-stop/deadline-and-busy-loops", deadline_and_busy_loops, KINDS_TCP),
	SCENARIO("server-stop/deadline-and-stopped-group", deadline_and_stopped_group, KINDS_TCP),
	SCENARIO("server-stop/destroyed-meanwhile", destroyed_meanwhile, KINDS_STREAM),
	SCENARIO("server-stop/destroyed-in-on-stopped", destroyed_in_on_stopped, KINDS_STREAM),
	SCENARIO("server-stop/by-a-signal", by_a_signal, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group server_stop_group = {"server-stop", scenarios};
