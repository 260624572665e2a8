/* A loop inside another one: the host waits for brink_loop_fd(), no longer than
 * brink_loop_prepare() allows, and then gives the loop a turn. */
#include "groups.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- a host that is nothing but poll(2) ---- */

static int milliseconds(int64_t timeout)
{
	if (timeout < 0)
		return -1;
	return timeout / 1000000 < 1000 ? (int)((timeout + 999999) / 1000000) : 1000;
}

/* Sleeps as long as the loop permits, at most `limit` (below 0: without end). */
static int host_turn(brink_loop *loop, int64_t limit)
{
	struct pollfd host = {.events = POLLIN};
	int64_t timeout = 0;
	int calls;

	CHECK_OK(brink_loop_prepare(loop, &timeout));
	CHECK(timeout >= -1);
	host.fd = brink_loop_fd(loop);
	CHECK_OK(host.fd);
	if (limit >= 0 && (timeout < 0 || timeout > limit))
		timeout = limit;
	if (poll(&host, 1, milliseconds(timeout)) < 0)
		CHECK_EQ(errno, EINTR);
	calls = brink_loop_run_once(loop, 0);
	CHECK_OK(calls);
	return calls;
}

/* The host's sleep has no end of its own: what the loop does not tell it is a hang. */
#define HOST_UNTIL(loop, condition) \
	do { \
		while (!(condition)) \
			host_turn(loop, -1); \
	} while (0)

/* A loop that has a descriptor; without one the scenario is over. */
static brink_loop *embeddable_loop(void)
{
	brink_loop *loop = new_loop();
	int64_t timeout = -2;

	if (can(BRINK_FEATURE_FD)) {
		CHECK(brink_loop_fd(loop) >= 0);
		return loop;
	}
	CHECK_ERROR(brink_loop_fd(loop), -ENOTSUP);
	CHECK_OK(brink_loop_prepare(loop, &timeout));
	CHECK_EQ(timeout, -1);
	CHECK_OK(brink_loop_destroy(loop));
	SKIP("this backend has no descriptor to wait for");
}

struct guest {
	brink_timer timer;
	brink_task task;
	brink_signal signal;
	atomic_uint timers, tasks, signals;
	brink_loop *loop;
};

static void timer_called(brink_timer *timer)
{
	atomic_fetch_add(&brink_container_of(timer, struct guest, timer)->timers, 1u);
}

static void task_called(brink_task *task)
{
	atomic_fetch_add(&brink_container_of(task, struct guest, task)->tasks, 1u);
}

static void signal_called(brink_signal *signal)
{
	atomic_fetch_add(&brink_container_of(signal, struct guest, signal)->signals, 1u);
}

static void init_guest(struct guest *guest, brink_loop *loop)
{
	memset(guest, 0, sizeof *guest);
	brink_timer_init(&guest->timer, timer_called);
	brink_task_init(&guest->task, task_called);
	brink_signal_init(&guest->signal, signal_called);
	guest->loop = loop;
}

/* Nothing more comes, and the loop lets the host sleep. */
static void expect_host_sleeps(brink_loop *loop)
{
	struct pollfd host = {.events = POLLIN};
	uint64_t end = hang_deadline();
	int64_t timeout;

	do {
		CHECK_EQ(host_turn(loop, 0), 0);
		CHECK_OK(brink_loop_prepare(loop, &timeout));
		host.fd = brink_loop_fd(loop);
		if (monotonic_now() > end)
			FAIL("the host is never let sleep");
	} while (timeout == 0 || poll(&host, 1, 5) != 0);
	CHECK_EQ(timeout, -1);
}

static void descriptors(enum kind kind)
{
	brink_loop *loop = embeddable_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct probe reader;

	expect_host_sleeps(loop);
	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	expect_host_sleeps(loop);
	for (unsigned i = 1; i <= 3; i++) {
		feed(&pair, 3);
		HOST_UNTIL(loop, reader.calls == i);
		CHECK_EQ(reader.last, BRINK_READ);
		expect_host_sleeps(loop); /* the ticket is out, and there is no busy loop */
		CHECK_EQ(read_to_end(&reader, NULL), -EAGAIN);
		accept_calls(&reader);
		expect_quiet(loop, &reader, BRINK_READ);
	}
	stop_probe(&reader);
	feed(&pair, 3);
	expect_host_sleeps(loop);
	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ); /* ready when it is started */
	HOST_UNTIL(loop, reader.calls == 1);
	accept_calls(&reader);
	CHECK_OK(brink_watch_again(&reader.watch, BRINK_READ)); /* no kernel involved */
	HOST_UNTIL(loop, reader.calls == 2);
	accept_calls(&reader);
	stop_probe(&reader);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

static void level_triggered(enum kind kind)
{
	brink_loop *loop = embeddable_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ | BRINK_LEVEL);
	expect_host_sleeps(loop);
	feed(&pair, 3);
	HOST_UNTIL(loop, reader.calls >= 5); /* again and again */
	CHECK_OK(brink_watch_set(&reader.watch, 0));
	discard_calls(&reader);
	expect_host_sleeps(loop);
	stop_probe(&reader);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

static void *post_later(void *data)
{
	struct guest *guest = data;

	sleep_ms(10); /* most likely the host sleeps */
	brink_task_post(guest->loop, &guest->task);
	return NULL;
}

static void *signal_later(void *data)
{
	sleep_ms(10);
	kill(getpid(), SIGUSR1);
	return data;
}

static void timers_tasks_signals(enum kind kind)
{
	brink_loop *loop = embeddable_loop();
	struct guest guest;
	pthread_t thread;
	uint64_t before = monotonic_now();

	(void)kind;
	init_guest(&guest, loop);
	CHECK_OK(brink_timer_start(loop, &guest.timer, BRINK_MS(20), 0));
	HOST_UNTIL(loop, guest.timers == 1);
	CHECK(monotonic_now() - before >= BRINK_MS(20));
	CHECK_OK(brink_timer_start(loop, &guest.timer, 0, 0));
	HOST_UNTIL(loop, guest.timers == 2);
	CHECK_OK(brink_timer_start(loop, &guest.timer, BRINK_SECONDS(1000), 0));
	CHECK_OK(brink_timer_postpone(&guest.timer, BRINK_MS(5)));
	HOST_UNTIL(loop, guest.timers == 3);
	expect_host_sleeps(loop);
	brink_task_post(loop, &guest.task);
	HOST_UNTIL(loop, guest.tasks == 1);
	for (unsigned i = 2; i <= 6; i++) {
		CHECK_EQ(pthread_create(&thread, NULL, post_later, &guest), 0);
		HOST_UNTIL(loop, guest.tasks == i);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
	expect_host_sleeps(loop);
	CHECK_OK(brink_signal_start(loop, &guest.signal, SIGUSR1));
	for (unsigned i = 1; i <= 5; i++) {
		CHECK_EQ(pthread_create(&thread, NULL, signal_later, NULL), 0);
		HOST_UNTIL(loop, guest.signals == i);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
	CHECK_OK(brink_signal_stop(&guest.signal));
	expect_host_sleeps(loop);
	CHECK_OK(brink_loop_destroy(loop));
}

static void *turn_elsewhere(void *loop)
{
	CHECK_OK(brink_loop_run_once(loop, 0));
	return NULL;
}

/* A host that watches the descriptor by its number sees by that whether it is another one. */
static void expect_another_number(enum kind kind, bool turned_here)
{
	int lowest = dup(0); /* free again when the descriptor is made, which therefore gets it */
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct pollfd now = {.events = POLLIN}, before = {.events = POLLIN};
	struct probe reader;
	pthread_t thread;
	int64_t timeout;
	int first;

	SYSCALL(lowest);
	if (!turned_here) /* else one that was the loop's goes to what is made beside it */
		close(lowest);
	if (!can(BRINK_FEATURE_FD)) {
		CHECK_OK(brink_loop_destroy(loop));
		close_pair(&pair);
		if (turned_here)
			close(lowest);
		SKIP("this backend has no descriptor to wait for");
	}
	first = brink_loop_fd(loop);
	CHECK_OK(first);
	before.fd = dup(first);
	SYSCALL(before.fd);
	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	if (turned_here)
		CHECK_OK(brink_loop_run_once(loop, 0));
	CHECK_EQ(pthread_create(&thread, NULL, turn_elsewhere, loop), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	expect_host_sleeps(loop); /* on this thread */
	CHECK_OK(brink_loop_prepare(loop, &timeout));
	CHECK_EQ(timeout, -1);
	now.fd = brink_loop_fd(loop);
	if (now.fd == first) /* the same file: they tell the same, before and after */
		CHECK_EQ(poll(&before, 1, 0), 0);
	feed(&pair, 3);
	while (poll(&now, 1, -1) < 0) /* none is a hang */
		CHECK_EQ(errno, EINTR);
	if (now.fd == first)
		CHECK_EQ(poll(&before, 1, 0), 1);
	HOST_UNTIL(loop, reader.calls == 1);
	accept_calls(&reader);
	stop_probe(&reader);
	CHECK_OK(brink_loop_destroy(loop));
	close(before.fd);
	if (turned_here)
		close(lowest);
	close_pair(&pair);
}

static void another_descriptor_has_another_number(enum kind kind)
{
	expect_another_number(kind, false);
}

/* Two threads after the question, and none has asked between them: the number of the first
 * descriptor is free again when the last one is made. */
static void number_of_long_ago(enum kind kind)
{
	expect_another_number(kind, true);
}

/* What comes for a descriptor that is not watched any more does not end the host's sleep. */
static void stopped_wakes_no_host(enum kind kind)
{
	brink_loop *loop = embeddable_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct pollfd host = {.events = POLLIN};
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	expect_host_sleeps(loop);
	stop_probe(&reader);
	expect_host_sleeps(loop);
	host.fd = brink_loop_fd(loop);
	feed(&pair, 3);
	CHECK_EQ(poll(&host, 1, 20), 0);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

/* Peers that will read no more wake who waits for a read, which changes nothing. However many do, the host hears of
 * those that have written. */
#define MANY 80

static void wakes_for_nothing(enum kind kind)
{
	brink_loop *loop = embeddable_loop();
	struct pair pairs[MANY];
	struct probe readers[MANY];
	unsigned calls = 0;

	for (int i = 0; i < MANY; i++) {
		pairs[i] = open_pair(kind, BRINK_READ);
		start_probe(loop, &readers[i], "reader", pairs[i].ours, BRINK_READ);
	}
	expect_host_sleeps(loop);
	for (int i = 0; i < MANY; i++)
		if (i < MANY / 2)
			SYSCALL(shutdown(pairs[i].theirs, SHUT_RD));
		else
			feed(&pairs[i], 1);
	while (calls < MANY - MANY / 2)
		calls += (unsigned)host_turn(loop, -1);
	for (int i = 0; i < MANY; i++) {
		CHECK_EQ(readers[i].calls, i >= MANY / 2);
		accept_calls(&readers[i]);
		stop_probe(&readers[i]);
		close_pair(&pairs[i]);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

/* The host asks for the descriptor after the prepare, for the first time, and wakes by what came in between. */
static void asked_for_late(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct pollfd host = {.events = POLLIN};
	struct probe reader;
	int64_t timeout = 0;

	if (!can(BRINK_FEATURE_FD))
		SKIP("this backend has no descriptor to wait for");
	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	while (timeout != -1) {
		CHECK_EQ(brink_loop_run_once(loop, 0), 0);
		CHECK_OK(brink_loop_prepare(loop, &timeout));
	}
	feed(&pair, 3);
	host.fd = brink_loop_fd(loop);
	CHECK_OK(host.fd);
	CHECK_EQ(poll(&host, 1, 10000), 1);
	HOST_UNTIL(loop, reader.calls == 1);
	accept_calls(&reader);
	stop_probe(&reader);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

struct mover {
	brink_loop *loop;
	struct pair *pair;
	struct probe *reader;
};

static void *be_the_host(void *data)
{
	struct mover *mover = data;

	CHECK_OK(brink_loop_fd(mover->loop));
	expect_host_sleeps(mover->loop);
	feed(mover->pair, 3);
	HOST_UNTIL(mover->loop, mover->reader->calls == 1);
	return NULL;
}

/* For the first time, by a host whose thread is not the one that the loop had its turns on. */
static void asked_for_elsewhere(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct probe reader;
	struct mover mover = {loop, &pair, &reader};
	pthread_t thread;

	if (!can(BRINK_FEATURE_FD))
		SKIP("this backend has no descriptor to wait for");
	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	expect_silence(loop);
	CHECK_EQ(pthread_create(&thread, NULL, be_the_host, &mover), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	accept_calls(&reader);
	expect_silence(loop);
	stop_probe(&reader);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

/* prepare says no more than the truth about timers. */
static void prepare_tells_the_time(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct guest guest;
	int64_t timeout = -2;

	(void)kind;
	init_guest(&guest, loop);
	while (brink_loop_run_once(loop, 0) > 0)
		;
	CHECK_OK(brink_loop_prepare(loop, &timeout));
	CHECK_EQ(timeout, -1);
	CHECK_OK(brink_timer_start(loop, &guest.timer, BRINK_SECONDS(1000), 0));
	CHECK_OK(brink_loop_prepare(loop, &timeout));
	CHECK(timeout >= 0 && timeout <= (int64_t)BRINK_SECONDS(1000));
	CHECK_OK(brink_timer_start(loop, &guest.timer, 0, 0));
	CHECK_OK(brink_loop_prepare(loop, &timeout));
	CHECK_EQ(timeout, 0);
	CHECK_EQ(brink_loop_run_once(loop, 0), 1);
	brink_task_post(loop, &guest.task);
	CHECK_OK(brink_loop_prepare(loop, &timeout));
	CHECK_EQ(timeout, 0);
	CHECK_EQ(brink_loop_run_once(loop, 0), 1);
	CHECK_OK(brink_loop_destroy(loop));
}

/* A prepare hook that does one thing when it is next called. */
struct prepared {
	brink_hook hook;
	void (*next)(struct prepared *prepared);
	struct guest guest;
	struct probe reader;
	int fd;
	unsigned calls;
};

static void prepare_called(brink_hook *hook)
{
	struct prepared *prepared = brink_container_of(hook, struct prepared, hook);
	void (*next)(struct prepared *) = prepared->next;

	prepared->calls++;
	prepared->next = NULL;
	if (next != NULL)
		next(prepared);
}

static void start_its_timer(struct prepared *prepared)
{
	CHECK_OK(brink_timer_start(prepared->hook.loop, &prepared->guest.timer, BRINK_SECONDS(1000), 0));
}

static void post_its_task(struct prepared *prepared)
{
	CHECK_OK(brink_timer_stop(&prepared->guest.timer));
	brink_task_post(prepared->hook.loop, &prepared->guest.task);
}

static void start_its_watch_and_stop(struct prepared *prepared)
{
	start_probe(prepared->hook.loop, &prepared->reader, "reader", prepared->fd, BRINK_READ);
	CHECK_OK(brink_hook_stop(&prepared->hook));
}

/* What prepare hooks start or post counts for the host's sleep, as for the loop's own. */
static void prepare_calls_hooks(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct prepared prepared = {.fd = pair.ours};
	int64_t timeout = -2;

	while (brink_loop_run_once(loop, 0) > 0)
		;
	init_guest(&prepared.guest, loop);
	brink_hook_init(&prepared.hook, prepare_called);
	CHECK_OK(brink_hook_start(loop, &prepared.hook, BRINK_HOOK_PREPARE));
	CHECK_OK(brink_loop_prepare(loop, &timeout));
	CHECK_EQ(timeout, -1);
	CHECK_EQ(prepared.calls, 1);
	prepared.next = start_its_timer;
	CHECK_OK(brink_loop_prepare(loop, &timeout));
	CHECK(timeout >= 0 && timeout <= (int64_t)BRINK_SECONDS(1000));
	prepared.next = post_its_task;
	CHECK_OK(brink_loop_prepare(loop, &timeout));
	CHECK_EQ(timeout, 0);
	CHECK_EQ(brink_loop_run_once(loop, 0), 1);
	CHECK_EQ(prepared.guest.tasks, 1);
	CHECK_EQ(prepared.calls, 4); /* a turn calls them, too */
	prepared.next = start_its_watch_and_stop;
	feed(&pair, 3);
	if (!can(BRINK_FEATURE_FD))
		CHECK_OK(brink_loop_prepare(loop, &timeout));
	else if (brink_loop_fd(loop) >= 0)
		HOST_UNTIL(loop, prepared.reader.calls == 1);
	RUN_UNTIL(loop, prepared.reader.calls == 1);
	CHECK_EQ(prepared.calls, 5);
	accept_calls(&prepared.reader);
	stop_probe(&prepared.reader);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

/* ---- a brink loop as host, of each kind that there is ---- */

struct host {
	brink_loop *loop, *guest;
	brink_watch watch;
	brink_hook prepare, check;
	brink_timer timer;
};

static void guest_is_ready(brink_watch *watch, unsigned ready)
{
	(void)watch;
	CHECK_EQ(ready, BRINK_READ); /* and the check hook has dealt with it, or will */
}

static void host_timer(brink_timer *timer)
{
	(void)timer; /* it only ends the wait */
}

static void before_the_wait(brink_hook *hook)
{
	struct host *host = brink_container_of(hook, struct host, prepare);
	int64_t timeout;

	CHECK_OK(brink_loop_prepare(host->guest, &timeout));
	if (timeout >= 0)
		CHECK_OK(brink_timer_start(host->loop, &host->timer, (uint64_t)timeout, 0));
	else if (brink_timer_active(&host->timer))
		CHECK_OK(brink_timer_stop(&host->timer));
}

/* What the guest calls is no call of the host's. It may come without one, when the kernel cuts
 * the host's wait short to complete what the guest waits for: so the guest's ends the turn. */
static void after_the_wait(brink_hook *hook)
{
	struct host *host = brink_container_of(hook, struct host, check);
	int calls = brink_loop_run_once(host->guest, 0);

	CHECK_OK(calls);
	if (calls > 0)
		brink_loop_stop(host->loop);
}

static void start_host(struct host *host, const char *backend, brink_loop *guest)
{
	memset(host, 0, sizeof *host);
	CHECK_OK(brink_loop_create(&host->loop, &(struct brink_loop_options){.backend = backend}));
	host->guest = guest;
	brink_watch_init(&host->watch, guest_is_ready);
	brink_hook_init(&host->prepare, before_the_wait);
	brink_hook_init(&host->check, after_the_wait);
	brink_timer_init(&host->timer, host_timer);
	CHECK_OK(brink_watch_start(host->loop, &host->watch, brink_loop_fd(guest), BRINK_READ | BRINK_LEVEL));
	CHECK_OK(brink_hook_start(host->loop, &host->prepare, BRINK_HOOK_PREPARE));
	CHECK_OK(brink_hook_start(host->loop, &host->check, BRINK_HOOK_CHECK));
}

static void end_host(struct host *host)
{
	CHECK_OK(brink_watch_stop(&host->watch));
	CHECK_OK(brink_loop_destroy(host->loop));
}

static void in_a_host_of(const char *backend, enum kind kind)
{
	brink_loop *guest_loop = embeddable_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct probe reader;
	struct guest guest;
	struct host host;
	pthread_t thread;

	init_guest(&guest, guest_loop);
	start_host(&host, backend, guest_loop);
	start_probe_acting(guest_loop, &reader, "reader", pair.ours, BRINK_READ, act_drain);
	for (size_t i = 1; i <= 3; i++) {
		feed(&pair, 3);
		while (reader.bytes < 3 * i) /* a lost one is a hang */
			CHECK_OK(brink_loop_run_once(host.loop, -1));
	}
	discard_calls(&reader);
	CHECK_OK(brink_timer_start(guest_loop, &guest.timer, BRINK_MS(5), 0));
	while (guest.timers == 0)
		CHECK_OK(brink_loop_run_once(host.loop, -1));
	for (unsigned i = 1; i <= 3; i++) {
		CHECK_EQ(pthread_create(&thread, NULL, post_later, &guest), 0);
		while (guest.tasks < i)
			CHECK_OK(brink_loop_run_once(host.loop, -1));
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
	end_host(&host);
	stop_probe(&reader);
	CHECK_OK(brink_loop_destroy(guest_loop));
	close_pair(&pair);
}

/* Valgrind (3.19) stops all other threads while one is in io_uring_enter(). */
static bool can_host(const char *backend)
{
	return getenv("BRINK_TEST_VALGRIND") == NULL || strcmp(backend, "io_uring") != 0;
}

static void in_each_other_loop(enum kind kind)
{
	struct brink_backend_info infos[16];
	size_t count = brink_backends(infos, 16);

	for (size_t i = 0; i < count && i < 16; i++)
		if (infos[i].status == 0 && can_host(infos[i].name))
			in_a_host_of(infos[i].name, kind);
}

/* ---- another loop inside ours ---- */

/* What another library's loop is, made as small as can be: it polls its own descriptors
 * and has a deadline. It knows nothing of us. */
struct little_loop {
	struct pollfd fds[2];
	unsigned reads;
	uint64_t deadline; /* 0: none */
	unsigned timeouts;
};

static void little_loop_turn(struct little_loop *little)
{
	char byte;

	SYSCALL(poll(little->fds, 2, 0));
	for (int i = 0; i < 2; i++)
		if ((little->fds[i].revents & POLLIN) != 0)
			while (read(little->fds[i].fd, &byte, 1) == 1)
				little->reads++;
	if (little->deadline != 0 && monotonic_now() >= little->deadline) {
		little->deadline = 0;
		little->timeouts++;
	}
}

struct adapter {
	struct little_loop little;
	brink_watch watches[2];
	brink_hook prepare, check;
	brink_timer timer;
};

static void little_is_ready(brink_watch *watch, unsigned ready)
{
	(void)watch;
	(void)ready;
}

static void prepare_little(brink_hook *hook)
{
	struct adapter *adapter = brink_container_of(hook, struct adapter, prepare);
	uint64_t now = monotonic_now(), deadline = adapter->little.deadline;

	if (deadline != 0)
		CHECK_OK(brink_timer_start(hook->loop, &adapter->timer, deadline > now ? deadline - now : 0, 0));
}

static void check_little(brink_hook *hook)
{
	little_loop_turn(&brink_container_of(hook, struct adapter, check)->little);
}

static void another_loop_inside(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pairs[2];
	struct adapter adapter;
	struct little_loop *little = &adapter.little;

	memset(&adapter, 0, sizeof adapter);
	for (int i = 0; i < 2; i++) {
		pairs[i] = open_pair(kind, BRINK_READ);
		little->fds[i] = (struct pollfd){.fd = pairs[i].ours, .events = POLLIN};
		brink_watch_init(&adapter.watches[i], little_is_ready);
		CHECK_OK(brink_watch_start(loop, &adapter.watches[i], pairs[i].ours, BRINK_READ | BRINK_LEVEL));
	}
	brink_hook_init(&adapter.prepare, prepare_little);
	brink_hook_init(&adapter.check, check_little);
	brink_timer_init(&adapter.timer, host_timer);
	CHECK_OK(brink_hook_start(loop, &adapter.prepare, BRINK_HOOK_PREPARE));
	CHECK_OK(brink_hook_start(loop, &adapter.check, BRINK_HOOK_CHECK));
	for (unsigned i = 0; i < 4; i++) {
		feed(&pairs[i % 2], 2);
		while (little->reads < 2 * (i + 1)) /* a lost one is a hang */
			CHECK_OK(brink_loop_run_once(loop, -1));
		little->deadline = monotonic_now() + BRINK_MS(5);
		while (little->timeouts <= i)
			CHECK_OK(brink_loop_run_once(loop, -1));
	}
	for (int i = 0; i < 2; i++) {
		CHECK_OK(brink_watch_stop(&adapter.watches[i]));
		close_pair(&pairs[i]);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("embed/descriptors", descriptors, KINDS_ALL, .promises = {23}),
	SCENARIO("embed/level-triggered", level_triggered, KINDS_ALL, .promises = {18, 23}),
	SCENARIO("embed/timers-tasks-signals", timers_tasks_signals, 0, .promises = {10, 20, 22, 23}),
	SCENARIO("embed/another-descriptor", another_descriptor_has_another_number, KINDS_ALL, .promises = {23}),
	SCENARIO("embed/number-of-long-ago", number_of_long_ago, KINDS_ALL, .promises = {23}),
	SCENARIO("embed/stopped-wakes-no-host", stopped_wakes_no_host, KINDS_ALL, .promises = {6, 23}),
	SCENARIO("embed/wakes-for-nothing", wakes_for_nothing, KIND_UNIX, .promises = {23}),
	SCENARIO("embed/asked-for-late", asked_for_late, KINDS_ALL, .promises = {23}),
	SCENARIO("embed/asked-for-elsewhere", asked_for_elsewhere, KINDS_ALL, .promises = {19, 23}),
	SCENARIO("embed/prepare-tells-the-time", prepare_tells_the_time, 0, .promises = {23}),
	SCENARIO("embed/prepare-calls-hooks", prepare_calls_hooks, KINDS_ALL, .promises = {23}),
	SCENARIO("embed/in-each-other-loop", in_each_other_loop, KINDS_ALL, .promises = {23}, .flags = TRACE_FREE),
	SCENARIO("embed/another-loop-inside", another_loop_inside, KINDS_ALL, .promises = {18, 23}),
	NO_MORE_SCENARIOS,
};

const struct group embed_group = {"embed", scenarios};
