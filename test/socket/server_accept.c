/* Accepting from outside: paused and resumed by any thread, on all loops that accept, and counted
 * over all of them. */
#include "groups.h"
#include "server_stage.h"

#include <pthread.h>
#include <unistd.h>

#define WAITING 24u

/* ---- turns of all loops ---- */

struct visit {
	brink_task task;
	atomic_bool made;
};

static void on_visit(brink_task *task)
{
	atomic_store(&brink_container_of(task, struct visit, task)->made, true);
}

static void visit_loop(struct service *service, brink_loop *loop)
{
	struct visit visit;

	atomic_init(&visit.made, false);
	brink_task_init(&visit.task, on_visit);
	brink_task_post(loop, &visit.task);
	RUN_UNTIL(service->loop, atomic_load(&visit.made));
}

/* What there is to be accepted, the loops have had turns enough to see. */
static void turn_all(struct service *service)
{
	for (int round = 0; round < 3; round++) {
		visit_loop(service, service->loop);
		for (unsigned i = 0; service->group != NULL && i < brink_group_size(service->group); i++)
			visit_loop(service, brink_group_loop(service->group, i));
	}
}

static uint64_t accepted_by(const struct service *service)
{
	struct brink_server_counts counts;

	brink_server_counters(service->server, &counts);
	return counts.accepted;
}

/* ---- a pause ---- */

static void *pause_it(void *server)
{
	brink_server_pause(server);
	return NULL;
}

static void *resume_it(void *server)
{
	brink_server_pause(server); /* which is no second one */
	brink_server_resume(server);
	return NULL;
}

static void in_thread(void *(*call)(void *), brink_server *server)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, call, server), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void queue_in_vain(struct service *service, int *clients, unsigned count)
{
	uint64_t before = accepted_by(service);

	turn_all(service); /* who was about to accept has seen the pause */
	for (unsigned i = 0; i < count; i++)
		clients[i] = connect_client(service);
	turn_all(service);
	CHECK_EQ(accepted_by(service), before);
}

static void paused(enum kind kind)
{
	struct service service;
	int fds[2 + WAITING];

	for (int shape = 0; shape < SHAPES; shape++) {
		open_service(&service, kind, (enum shape)shape);
		start_service(&service);
		connect_clients(&service, fds, 2);
		for (unsigned round = 0; round < 2; round++) {
			if (round == 0)
				brink_server_pause(service.server);
			else
				in_thread(pause_it, service.server);
			queue_in_vain(&service, fds + 2, WAITING);
			talk_with(&service, fds, 2); /* those that were there are served on */
			if (round == 0)
				brink_server_resume(service.server);
			else
				in_thread(resume_it, service.server);
			RUN_UNTIL(service.loop, accepted_by(&service) == 2 + (round + 1) * WAITING);
			talk_with(&service, fds, 2 + WAITING);
			close_all(fds + 2, WAITING);
		}
		close_fd(&fds[0]);
		close_fd(&fds[1]);
		close_service(&service);
	}
}

/* Before the first turn of a loop that accepts alone, not one connection comes. */
static void paused_from_the_start(enum kind kind)
{
	struct service service;
	int client;

	open_service(&service, kind, ONE_LOOP);
	start_service(&service);
	brink_server_pause(service.server);
	client = connect_client(&service);
	turn_all(&service);
	CHECK_EQ(accepted_by(&service), 0);
	brink_server_resume(service.server);
	talk_with(&service, &client, 1);
	close_fd(&client);
	close_service(&service);
}

/* Also by a child that goes on with the loop, and was forked before the loop had heard. */
static void resumed_in_a_child(enum kind kind)
{
	struct service service;
	int client;
	pid_t pid;

	open_service(&service, kind, ONE_LOOP);
	start_service(&service);
	brink_server_pause(service.server);
	queue_in_vain(&service, &client, 1);
	brink_server_resume(service.server);
	SYSCALL(pid = fork());
	if (pid == 0) {
		CHECK_OK(brink_loop_after_fork(service.loop));
		talk_with(&service, &client, 1);
		_exit(0);
	}
	expect_success_of(pid);
	close_fd(&client);
	close_service(&service);
}

/* Those that wait are served before the server ends. */
static void stopped_while_paused(enum kind kind)
{
	struct service service;
	char got[5];
	int fds[WAITING];

	for (int shape = 0; shape < SHAPES; shape++) {
		open_service(&service, kind, (enum shape)shape);
		start_service(&service);
		brink_server_pause(service.server);
		queue_in_vain(&service, fds, WAITING);
		for (unsigned i = 0; i < WAITING; i++)
			write_all(fds[i], "line\n", 5);
		CHECK_OK(brink_server_stop(service.server, BRINK_SECONDS(300)));
		brink_server_pause(service.server); /* too late */
		for (unsigned i = 0; i < WAITING; i++) {
			read_back(&service, fds[i], got, sizeof got);
			expect_gone(&service, fds[i], false);
			close_fd(&fds[i]);
		}
		run_until_stopped(&service);
		CHECK_EQ(accepted_by(&service), WAITING);
		CHECK_EQ(atomic_load(&service.error), 0);
		brink_server_resume(service.server);
		turn_all(&service);
		close_service(&service);
	}
}

static void destroyed_while_resumed(enum kind kind)
{
	struct service service;
	int client;

	for (int shape = 0; shape < SHAPES; shape++) {
		open_service(&service, kind, (enum shape)shape);
		start_service(&service);
		brink_server_pause(service.server);
		queue_in_vain(&service, &client, 1);
		brink_server_resume(service.server);
		destroy_service(&service);
		if (shape % 2 == 0)
			turn_all(&service);
		close_fd(&client);
		close_service(&service);
	}
}

/* ---- by several threads at a time ---- */

#define THREADS 3

struct hand {
	brink_server *server;
	pthread_t thread;
	unsigned times;
};

static void *pause_and_resume(void *arg)
{
	struct hand *hand = arg;

	for (unsigned i = 0; i < hand->times; i++) {
		brink_server_pause(hand->server);
		if (i % 8 == 0)
			sleep_ms(1);
		brink_server_resume(hand->server);
	}
	return NULL;
}

/* Whoever is the last resumes: nobody is left in the queue. */
static void by_several(enum kind kind)
{
	unsigned times = is_slow() ? 50 : 500;
	struct hand hands[THREADS];
	struct service service;
	int fds[WAITING];

	for (int shape = 0; shape < SHAPES; shape++) {
		open_service(&service, kind, (enum shape)shape);
		start_service(&service);
		for (int i = 0; i < THREADS; i++) {
			hands[i] = (struct hand){.server = service.server, .times = times};
			CHECK_EQ(pthread_create(&hands[i].thread, NULL, pause_and_resume, &hands[i]), 0);
		}
		connect_clients(&service, fds, WAITING);
		for (int i = 0; i < THREADS; i++)
			CHECK_EQ(pthread_join(hands[i].thread, NULL), 0);
		talk_with(&service, fds, WAITING);
		close_all(fds, WAITING);
		connect_clients(&service, fds, WAITING);
		close_all(fds, WAITING);
		close_service(&service);
	}
}

/* ---- counts ---- */

static void on_accept_error(brink_listener *listener, int error, void *arg)
{
	struct brink_accept_counters counters;
	struct service *service = arg;

	CHECK_EQ(error, -EMFILE);
	brink_listener_counters(listener, &counters);
	CHECK_ALWAYS(counters.errors > 0);
	atomic_fetch_add(&service->blocked, 1);
}

/* Two addresses, and where each loop accepts, six listeners. */
static void open_two(struct service *service, enum kind kind, enum shape shape, const char **addresses)
{
	open_service(service, kind, shape);
	addresses[0] = "127.0.0.1:0";
	addresses[1] = service->text;
	addresses[2] = NULL;
	service->options.address = NULL;
	service->options.addresses = addresses;
	service->options.on_accept_error = on_accept_error;
}

static void connect_both(struct service *service, int *clients)
{
	struct brink_address address;

	CHECK_OK(brink_server_address(service->server, 1, &address));
	for (unsigned i = 0; i < WAITING; i++)
		clients[i] = connect_address(i % 2 == 0 ? &service->address : &address);
}

/* Loops that accept at a time could take the descriptor that another sheds with: not EACH_ACCEPTS. */
static void shed_ones_are_counted(enum kind kind)
{
	static const enum shape shapes[] = {ONE_LOOP, GROUP};
	struct brink_server_counts counts;
	const char *addresses[3];
	struct service service;
	int fds[WAITING];

	skip_under_valgrind();
	for (size_t s = 0; s < 2; s++) {
		open_two(&service, kind, shapes[s], addresses);
		service.options.listener.flags = BRINK_LISTEN_SHED;
		start_service(&service);
		connect_both(&service, fds);
		limit_descriptors(0);
		RUN_UNTIL(service.loop, (brink_server_counters(service.server, &counts), counts.shed == WAITING));
		unlimit_descriptors();
		CHECK(counts.errors >= 2); /* at each address */
		CHECK_EQ(counts.accepted, 0);
		CHECK_EQ(counts.refused, 0);
		close_all(fds, WAITING);
		/* What was counted is there after the listeners. */
		CHECK_OK(brink_server_stop(service.server, BRINK_SECONDS(300)));
		run_until_stopped(&service);
		brink_server_counters(service.server, &counts);
		CHECK_EQ(counts.shed, WAITING);
		CHECK(counts.errors >= 2);
		close_service(&service);
	}
}

static void errors_are_counted(enum kind kind)
{
	static const enum shape shapes[] = {ONE_LOOP, GROUP, EACH_ACCEPTS};
	struct brink_server_counts counts;
	const char *addresses[3];
	struct service service;
	int fds[WAITING];

	skip_under_valgrind();
	for (size_t s = 0; s < 3; s++) {
		open_two(&service, kind, shapes[s], addresses);
		start_service(&service);
		brink_server_pause(service.server);
		turn_all(&service);
		connect_both(&service, fds);
		limit_descriptors(0);
		brink_server_resume(service.server);
		RUN_UNTIL(service.loop, atomic_load(&service.blocked) >= 2); /* each listener tells it once */
		brink_server_counters(service.server, &counts);
		unlimit_descriptors();
		CHECK(counts.errors >= 2);
		CHECK_EQ(counts.shed, 0);
		RUN_UNTIL(service.loop, accepted_by(&service) == WAITING);
		talk_with(&service, fds, WAITING);
		close_all(fds, WAITING);
		close_service(&service);
	}
}

static const struct scenario scenarios[] = {
	SCENARIO("server-accept/paused", paused, KINDS_STREAM),
	SCENARIO("server-accept/paused-from-the-start", paused_from_the_start, KINDS_STREAM),
	SCENARIO("server-accept/resumed-in-a-child", resumed_in_a_child, KINDS_STREAM),
	SCENARIO("server-accept/stopped-while-paused", stopped_while_paused, KINDS_STREAM),
	SCENARIO("server-accept/destroyed-while-resumed", destroyed_while_resumed, KINDS_STREAM),
	SCENARIO("server-accept/by-several", by_several, KINDS_STREAM),
	SCENARIO("server-accept/shed-ones-are-counted", shed_ones_are_counted, KINDS_STREAM),
	SCENARIO("server-accept/errors-are-counted", errors_are_counted, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group server_accept_group = {"server-accept", scenarios};
