/* Without memory, and without descriptors: an error, nothing lost, a loop that goes on, and
 * the same call succeeds when there is room again.
 *
 * Each attempt is made on a new loop with an allocator whose k-th call fails, for k from 1
 * until the attempt needs fewer calls than that. */
#include "groups.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS_AT_MOST 5000u /* an attempt that allocates more than that does not end */
#define MANY 300u
#define HIGH 900 /* a descriptor in a page of its own, below every usual limit */

/* ---- the allocator ---- */

static struct {
	unsigned fail_at; /* 0: never */
	unsigned calls;   /* since fail_at was set */
	long live;        /* blocks */
} memory;

static void *allocate(void *block, size_t size, void *context)
{
	(void)context;
	if (size == 0) {
		memory.live -= block != NULL;
		free(block);
		return NULL;
	}
	memory.calls++;
	if (memory.calls == memory.fail_at)
		return NULL;
	memory.live += block == NULL;
	/* Always elsewhere: who keeps the old address is found out. */
	return realloc(block, size);
}

static void fail_at(unsigned call)
{
	memory.fail_at = call;
	memory.calls = 0;
}

/* Whether the call that was to fail was reached. */
static bool failed(void)
{
	bool reached = memory.fail_at != 0 && memory.calls >= memory.fail_at;

	memory.fail_at = 0;
	return reached;
}

/* ---- attempts ---- */

struct stage {
	brink_loop *loop;
	struct pair pair;
	int high;
	int many[MANY];
	struct probe probes[2];
	brink_watch watches[MANY];
	brink_signal signals[3];
	brink_child child;
	pid_t pid;
	int result;
	bool done;
};

struct attempt {
	const char *name;
	void (*set_up)(struct stage *stage);    /* what it needs; NULL: only a loop and a pair */
	int (*run)(struct stage *stage);        /* 0 or an error, with nothing changed */
	void (*take_back)(struct stage *stage); /* what it did */
	void (*tear_down)(struct stage *stage);
};

static unsigned descriptors_open(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 4096; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static unsigned timer_calls;

static void on_timer(brink_timer *timer)
{
	(void)timer;
	timer_calls++;
}

static void on_watch(brink_watch *watch, unsigned ready)
{
	(void)watch;
	(void)ready;
}

/* An event, and a timer. */
static void check_works(brink_loop *loop)
{
	struct pair pair = open_pair(KIND_UNIX, BRINK_READ);
	unsigned calls = timer_calls;
	struct probe probe;
	brink_timer timer;

	start_probe(loop, &probe, "works", pair.ours, BRINK_READ);
	feed(&pair, 1);
	expect_event(loop, &probe, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	CHECK_EQ(read_to_end(&probe, NULL), -EAGAIN);
	feed(&pair, 1);
	expect_event(loop, &probe, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	close_probe(&probe, &pair.ours);
	brink_timer_init(&timer, on_timer);
	CHECK_OK(brink_timer_start(loop, &timer, 0, 0));
	RUN_UNTIL(loop, timer_calls == calls + 1);
	close_pair(&pair);
}

static void open_stage(struct stage *stage, const struct attempt *attempt)
{
	memset(stage, 0, sizeof *stage);
	stage->loop = new_loop();
	stage->pair = open_pair(KIND_UNIX, BRINK_READ);
	if (attempt->set_up != NULL)
		attempt->set_up(stage);
}

static void close_stage(struct stage *stage, const struct attempt *attempt)
{
	if (attempt->tear_down != NULL)
		attempt->tear_down(stage);
	close_pair(&stage->pair);
	CHECK_OK(brink_loop_destroy(stage->loop));
}

/* With the k-th call failing; false when the attempt needs fewer. */
static bool try_without_memory(const struct attempt *attempt, unsigned k)
{
	struct stage stage;
	unsigned descriptors;
	bool reached;
	int result;

	open_stage(&stage, attempt);
	descriptors = descriptors_open();
	fail_at(k);
	result = attempt->run(&stage);
	reached = failed();
	if (reached) {
		if (result != -ENOMEM)
			FAIL("%s: allocation %u failed, and it gave %d", attempt->name, k, result);
		CHECK_EQ(descriptors_open(), descriptors);
		check_works(stage.loop);
		result = attempt->run(&stage);
	}
	if (result != 0)
		FAIL("%s: with memory, after allocation %u had failed, it gave %d", attempt->name, k, result);
	check_works(stage.loop);
	attempt->take_back(&stage);
	check_works(stage.loop);
	close_stage(&stage, attempt);
	return reached;
}

static void try_all(const struct attempt *attempt)
{
	long live;
	unsigned k = 1;

	brink_set_allocator(allocate, NULL);
	try_without_memory(attempt, CALLS_AT_MOST);
	live = memory.live; /* what is the process's, and stays */
	while (try_without_memory(attempt, k)) {
		if (memory.live != live)
			FAIL("%s: %ld blocks were lost when allocation %u failed", attempt->name, memory.live - live, k);
		CHECK(k++ < CALLS_AT_MOST);
	}
	measure(attempt->name, "%u allocations", k - 1);
}

/* ---- watches ---- */

static int start_low(struct stage *stage)
{
	brink_watch_init(&stage->watches[0], on_watch);
	return brink_watch_start(stage->loop, &stage->watches[0], stage->pair.ours, BRINK_READ | BRINK_WRITE);
}

static int start_level(struct stage *stage)
{
	brink_watch_init(&stage->watches[0], on_watch);
	return brink_watch_start(stage->loop, &stage->watches[0], stage->pair.ours, BRINK_READ | BRINK_LEVEL);
}

static void stop_first(struct stage *stage)
{
	CHECK_OK(brink_watch_stop(&stage->watches[0]));
}

static void open_high(struct stage *stage)
{
	stage->high = fcntl(stage->pair.ours, F_DUPFD_CLOEXEC, HIGH);
	SYSCALL(stage->high);
}

static int start_high(struct stage *stage)
{
	brink_watch_init(&stage->watches[0], on_watch);
	return brink_watch_start(stage->loop, &stage->watches[0], stage->high, BRINK_READ);
}

static void close_high(struct stage *stage)
{
	close_fd(&stage->high);
}

static void open_many(struct stage *stage)
{
	for (unsigned i = 0; i < MANY; i++) {
		stage->many[i] = fcntl(stage->pair.ours, F_DUPFD_CLOEXEC, 0);
		SYSCALL(stage->many[i]);
		brink_watch_init(&stage->watches[i], on_watch);
	}
}

static void stop_many(struct stage *stage)
{
	for (unsigned i = 0; i < MANY; i++)
		if (brink_watch_active(&stage->watches[i]))
			CHECK_OK(brink_watch_stop(&stage->watches[i]));
}

static int start_many(struct stage *stage)
{
	int result = 0;

	for (unsigned i = 0; i < MANY && result == 0; i++)
		result = brink_watch_start(stage->loop, &stage->watches[i], stage->many[i], BRINK_READ);
	if (result < 0)
		stop_many(stage);
	return result;
}

static void close_many(struct stage *stage)
{
	for (unsigned i = 0; i < MANY; i++)
		close_fd(&stage->many[i]);
}

static void start_reader(struct stage *stage)
{
	start_probe(stage->loop, &stage->probes[0], "reader", stage->pair.ours, BRINK_READ);
}

static void stop_reader(struct stage *stage)
{
	stop_probe(&stage->probes[0]);
}

static int start_writer(struct stage *stage)
{
	brink_watch_init(&stage->watches[0], on_watch);
	return brink_watch_start(stage->loop, &stage->watches[0], stage->pair.ours, BRINK_WRITE);
}

static int rearm_write(struct stage *stage)
{
	return brink_watch_rearm(&stage->probes[0].watch, BRINK_WRITE);
}

static void expect_write(struct stage *stage)
{
	/* The loop has turned since: the event has come. */
	CHECK_EQ(stage->probes[0].ready, BRINK_WRITE);
	discard_calls(&stage->probes[0]);
}

static void start_resting(struct stage *stage)
{
	start_probe(stage->loop, &stage->probes[0], "level", stage->pair.ours, BRINK_LEVEL);
}

static int set_both(struct stage *stage)
{
	return brink_watch_set(&stage->probes[0].watch, BRINK_READ | BRINK_WRITE);
}

static void set_none(struct stage *stage)
{
	CHECK(stage->probes[0].ready == BRINK_WRITE);
	CHECK_OK(brink_watch_set(&stage->probes[0].watch, 0));
	discard_calls(&stage->probes[0]);
}

/* ---- signals, children, other threads, turns ---- */

static void on_signal(brink_signal *signal)
{
	(void)signal;
	timer_calls += 1000;
}

static void stop_signals(struct stage *stage)
{
	for (unsigned i = 0; i < 3; i++)
		if (stage->signals[i].call != NULL && brink_signal_stop(&stage->signals[i]) == 0)
			stage->signals[i].call = NULL;
}

static int start_signals(struct stage *stage)
{
	static const int numbers[3] = {SIGUSR1, SIGUSR1, SIGUSR2};
	int result = 0;

	for (unsigned i = 0; i < 3 && result == 0; i++) {
		brink_signal_init(&stage->signals[i], on_signal);
		result = brink_signal_start(stage->loop, &stage->signals[i], numbers[i]);
	}
	if (result < 0)
		stop_signals(stage);
	return result;
}

static void on_child(brink_child *child, int status)
{
	(void)child;
	FAIL("the child was not to end, with status %d", status);
}

static void make_child(struct stage *stage)
{
	stage->pid = fork();
	SYSCALL(stage->pid);
	if (stage->pid == 0) {
		pause();
		_exit(0);
	}
}

static void end_child(struct stage *stage)
{
	SYSCALL(kill(stage->pid, SIGKILL));
	SYSCALL(waitpid(stage->pid, NULL, 0));
}

static int start_child(struct stage *stage)
{
	brink_child_init(&stage->child, on_child);
	return brink_child_start(stage->loop, &stage->child, stage->pid);
}

static void stop_child(struct stage *stage)
{
	CHECK_OK(brink_child_stop(&stage->child));
}

static struct stage *asking;

static void on_done(brink_watch *watch, int result)
{
	(void)watch;
	asking->result = result;
	asking->done = true;
}

static int start_async(struct stage *stage)
{
	asking = stage;
	stage->done = false;
	brink_watch_init(&stage->watches[0], on_watch);
	CHECK_OK(brink_watch_start_async(stage->loop, &stage->watches[0], stage->high, BRINK_READ, on_done));
	RUN_UNTIL(stage->loop, stage->done);
	return stage->result;
}

static const struct attempt attempts[] = {
	{"start", NULL, start_low, stop_first, NULL},
	{"start, level-triggered", NULL, start_level, stop_first, NULL},
	{"start, high descriptor", open_high, start_high, stop_first, close_high},
	{"start, many", open_many, start_many, stop_many, close_many},
	{"start, the other direction", start_reader, start_writer, stop_first, stop_reader},
	{"rearm, a direction taken on", start_reader, rearm_write, expect_write, stop_reader},
	{"set", start_resting, set_both, set_none, stop_reader},
	{"signals", NULL, start_signals, stop_signals, NULL},
	{"child", make_child, start_child, stop_child, end_child},
	{"start, asynchronous", open_high, start_async, stop_first, close_high},
};

static void without_memory(enum kind kind)
{
	(void)kind;
	for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
		try_all(&attempts[i]);
}

static void create_without_memory(enum kind kind)
{
	unsigned descriptors = descriptors_open();
	brink_loop *loop;

	(void)kind;
	brink_set_allocator(allocate, NULL);
	for (unsigned k = 1;; k++) {
		int result;

		CHECK(k < CALLS_AT_MOST);
		fail_at(k);
		loop = NULL;
		result = try_loop(&loop, NULL);
		if (!failed()) {
			CHECK_OK(result);
			break;
		}
		CHECK_ERROR(result, -ENOMEM);
		CHECK_EQ(memory.live, 0);
		CHECK_EQ(descriptors_open(), descriptors);
	}
	check_works(loop);
	CHECK_OK(brink_loop_destroy(loop));
	CHECK_EQ(memory.live, 0);
	for (unsigned k = 1; k < 20; k++) {
		fail_at(k);
		brink_backends(NULL, 0);
		failed();
		CHECK_EQ(memory.live, 0);
		CHECK_EQ(descriptors_open(), descriptors);
	}
}

static void on_task(brink_task *task)
{
	(void)task;
	timer_calls++;
}

/* What never fails, or has no -ENOMEM among its errors, does not allocate. */
static void without_allocations(enum kind kind)
{
	brink_task task;
	brink_timer timers[64];
	brink_hook hook;
	struct pair pair = open_pair(KIND_UNIX, BRINK_READ);
	struct probe probe;
	brink_loop *loop;

	(void)kind;
	(void)hook;
	brink_set_allocator(allocate, NULL);
	loop = new_loop();
	start_probe(loop, &probe, "reader", pair.ours, BRINK_READ);
	check_works(loop);
	fail_at(CALLS_AT_MOST);
	for (unsigned i = 0; i < 64; i++) {
		brink_timer_init(&timers[i], on_timer);
		CHECK_OK(brink_timer_start(loop, &timers[i], BRINK_MS(1) << (i % 40), 0));
	}
	brink_task_init(&task, on_task);
	brink_task_post(loop, &task);
	for (unsigned i = 0; i < 3; i++) {
		unsigned calls = probe.calls;

		feed(&pair, 1);
		RUN_UNTIL(loop, probe.calls > calls);
		CHECK_EQ(read_to_end(&probe, NULL), -EAGAIN);
		CHECK_OK(brink_watch_again(&probe.watch, BRINK_READ));
		RUN_UNTIL(loop, probe.calls > calls + 1);
		CHECK_EQ(read_to_end(&probe, NULL), -EAGAIN);
	}
	for (unsigned i = 0; i < 64; i++)
		brink_timer_stop(&timers[i]);
	CHECK_EQ(memory.calls, 0);
	accept_calls(&probe);
	close_probe(&probe, &pair.ours);
	CHECK_EQ(memory.calls, 0);
	close_pair(&pair);
	CHECK_OK(brink_loop_destroy(loop));
	CHECK_EQ(memory.live, 0);
}

/* ---- after a fork: in the child ---- */

/* Ends the child: 0 when everything is as it should be, 1 when the shortage was not felt. */
static _Noreturn void work_in_child(brink_loop *loop, int result, bool short_of, int expected)
{
	if (short_of) {
		CHECK_ERROR(result, expected);
		result = brink_loop_after_fork(loop);
	}
	CHECK_OK(result);
	check_works(loop);
	CHECK_OK(brink_loop_destroy(loop));
	_exit(short_of ? 0 : 1);
}

/* One that gives up: what it stops is its own, not what the parent watches. */
static _Noreturn void give_up_in_child(struct stage *stage, bool short_of)
{
	stop_reader(stage);
	CHECK_OK(brink_loop_destroy(stage->loop));
	_exit(short_of ? 0 : 1);
}

static bool child_was_short(pid_t pid)
{
	int status = 0;

	SYSCALL(pid);
	SYSCALL(waitpid(pid, &status, 0));
	if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 1))
		FAIL("the forked child ended with wait status 0x%x", (unsigned)status);
	return WEXITSTATUS(status) == 0;
}

static void after_fork_without_memory(enum kind kind)
{
	struct stage stage;
	bool short_of = true;

	(void)kind;
	brink_set_allocator(allocate, NULL);
	open_stage(&stage, &attempts[0]);
	start_reader(&stage);
	CHECK_OK(start_signals(&stage));
	for (unsigned k = 1; short_of; k++) {
		pid_t pid = fork();

		CHECK(k < CALLS_AT_MOST);
		if (pid == 0) {
			int result;

			fail_at(k);
			result = brink_loop_after_fork(stage.loop);
			work_in_child(stage.loop, result, failed(), -ENOMEM);
		}
		short_of = child_was_short(pid);
		check_works(stage.loop);
	}
	stop_signals(&stage);
	stop_reader(&stage);
	close_stage(&stage, &attempts[0]);
}

/* ---- without descriptors ---- */

static struct rlimit usual;

/* Leaves room for `count` more descriptors. */
static void leave_room(unsigned count)
{
	struct rlimit few;
	int fd = 0;

	SYSCALL(getrlimit(RLIMIT_NOFILE, &usual));
	for (;; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (count-- == 0)
			break;
	}
	few = usual;
	few.rlim_cur = (rlim_t)fd;
	SYSCALL(setrlimit(RLIMIT_NOFILE, &few));
}

static void leave_room_again(void)
{
	SYSCALL(setrlimit(RLIMIT_NOFILE, &usual));
}

static void create_without_descriptors(enum kind kind)
{
	unsigned descriptors = descriptors_open(), room = 0;
	brink_loop *loop = NULL;
	int result;

	(void)kind;
	brink_set_allocator(allocate, NULL);
	for (;; room++) {
		leave_room(room);
		result = try_loop(&loop, NULL);
		leave_room_again();
		if (result == 0)
			break;
		CHECK_ERROR(result, -EMFILE);
		CHECK_EQ(memory.live, 0);
		CHECK_EQ(descriptors_open(), descriptors);
		CHECK(room < 16);
	}
	CHECK(room >= 2); /* the wakeup pipe at least */
	check_works(loop);
	CHECK_OK(brink_loop_destroy(loop));
	CHECK_EQ(descriptors_open(), descriptors);
}

static void accept_without_descriptors(enum kind kind)
{
	int listener = open_listener(kind, 4), client, accepted;
	brink_loop *loop = new_loop();
	struct probe probe;

	if (getenv("BRINK_TEST_VALGRIND") != NULL) {
		CHECK_OK(brink_loop_destroy(loop));
		close_fd(&listener);
		SKIP("valgrind accepts the connection, closes it and then says EMFILE");
	}
	start_probe(loop, &probe, "listener", listener, BRINK_READ);
	client = connect_to(listener);
	expect_event(loop, &probe, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	leave_room(0);
	CHECK_ERROR(brink_watch_accept(&probe.watch, NULL, NULL), -EMFILE);
	expect_silence(loop);
	CHECK_ERROR(brink_watch_accept(&probe.watch, NULL, NULL), -EMFILE);
	leave_room_again();
	expect_silence(loop); /* until somebody asks for it */
	CHECK_OK(brink_watch_again(&probe.watch, BRINK_READ));
	expect_event(loop, &probe, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	accepted = brink_watch_accept(&probe.watch, NULL, NULL);
	CHECK_OK(accepted);
	CHECK_ERROR(brink_watch_accept(&probe.watch, NULL, NULL), -EAGAIN);
	expect_silence(loop);
	close_fd(&accepted);
	close_fd(&client);
	close_probe(&probe, &listener);
	brink_loop_destroy(loop);
}

/* What is closed without a stop, and stays open elsewhere, may have a mechanism opened anew, for which there is no
 * descriptor: a host is served all the same, as the loop itself would be. */
static void host_without_descriptors(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ), other = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe lost, good;
	int64_t timeout;
	int duplicate;

	CHECK(brink_loop_fd(loop) >= 0 || !can(BRINK_FEATURE_FD));
	start_probe(loop, &lost, "lost", pair.ours, BRINK_READ);
	start_probe(loop, &good, "good", other.ours, BRINK_READ);
	expect_silence(loop);
	SYSCALL(duplicate = dup(pair.ours));
	close_ours(&pair);
	pair.ours = duplicate;
	stop_probe(&lost);
	leave_room(0);
	for (int i = 0; i < 3; i++) {
		feed(&pair, 1);
		CHECK_OK(brink_loop_run_once(loop, 0));
		CHECK_OK(brink_loop_prepare(loop, &timeout));
		feed(&other, 1);
		expect_event(loop, &good, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
		CHECK_EQ(read_to_end(&good, NULL), -EAGAIN);
		expect_quiet(loop, &good, BRINK_READ);
	}
	leave_room_again();
	CHECK_OK(brink_loop_prepare(loop, &timeout));
	expect_silence(loop);
	stop_probe(&good);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
	close_pair(&other);
}

static void child_without_descriptors(enum kind kind)
{
	struct stage stage;
	unsigned descriptors;
	int result;

	(void)kind;
	open_stage(&stage, &attempts[0]);
	make_child(&stage);
	descriptors = descriptors_open();
	leave_room(0);
	result = start_child(&stage);
	leave_room_again();
	if (result != 0) { /* without pidfds it needs none */
		CHECK_ERROR(result, -EMFILE);
		CHECK_EQ(descriptors_open(), descriptors);
		check_works(stage.loop);
		CHECK_OK(start_child(&stage));
	}
	stop_child(&stage);
	CHECK_EQ(descriptors_open(), descriptors);
	end_child(&stage);
	close_stage(&stage, &attempts[0]);
}

static void after_fork_without_descriptors(enum kind kind)
{
	struct stage stage;
	bool short_of = true;

	(void)kind;
	open_stage(&stage, &attempts[0]);
	start_reader(&stage);
	for (unsigned room = 0; short_of; room++) {
		pid_t pid = fork();

		CHECK(room < 16);
		if (pid == 0) {
			int result;

			leave_room(room);
			result = brink_loop_after_fork(stage.loop);
			leave_room_again();
			work_in_child(stage.loop, result, result != 0, -EMFILE);
		}
		short_of = child_was_short(pid);
		CHECK(room != 0 || short_of); /* a new wakeup pipe is needed */
		check_works(stage.loop);
	}
	stop_reader(&stage);
	close_stage(&stage, &attempts[0]);
}

static void expect_reader(struct stage *stage)
{
	feed(&stage->pair, 1);
	expect_event(stage->loop, &stage->probes[0], BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	CHECK_EQ(read_to_end(&stage->probes[0], NULL), -EAGAIN);
}

/* A child that gets no loop of its own, and stops what it inherited. */
static void after_fork_given_up(enum kind kind)
{
	struct stage stage;
	bool short_of = true;

	(void)kind;
	brink_set_allocator(allocate, NULL);
	open_stage(&stage, &attempts[0]);
	start_reader(&stage);
	CHECK_OK(start_signals(&stage));
	for (unsigned k = 0; short_of; k++) {
		pid_t pid = fork();

		CHECK(k < CALLS_AT_MOST);
		if (pid == 0) {
			int result;

			if (k == 0)
				leave_room(0);
			else
				fail_at(k);
			result = brink_loop_after_fork(stage.loop);
			if (k == 0)
				leave_room_again();
			give_up_in_child(&stage, failed() || result != 0);
		}
		short_of = child_was_short(pid);
		expect_reader(&stage);
	}
	stop_signals(&stage);
	stop_reader(&stage);
	close_stage(&stage, &attempts[0]);
}

static const struct scenario scenarios[] = {
	{"memory/create", create_without_memory, {14}, 0, TRACE_FREE, {{NULL, 0, NULL}}},
	{"memory/every-call", without_memory, {14}, 0, TRACE_FREE, {{NULL, 0, NULL}}},
	{"memory/not-needed", without_allocations, {14, 20}, 0, TRACE_FREE, {{NULL, 0, NULL}}},
	{"memory/after-fork", after_fork_without_memory, {13, 14}, 0, TRACE_FREE, {{NULL, 0, NULL}}},
	{"memory/create-without-descriptors", create_without_descriptors, {14}, 0, TRACE_FREE, {{NULL, 0, NULL}}},
	{"memory/accept-without-descriptors", accept_without_descriptors, {16}, KINDS_STREAM, 0, {{NULL, 0, NULL}}},
	{"memory/host-without-descriptors", host_without_descriptors, {15, 23}, KINDS_ALL, 0, {{NULL, 0, NULL}}},
	{"memory/child-without-descriptors", child_without_descriptors, {14, 22}, 0, TRACE_FREE, {{NULL, 0, NULL}}},
	{"memory/after-fork-without-descriptors", after_fork_without_descriptors, {13, 14}, 0, TRACE_FREE,
	 {{NULL, 0, NULL}}},
	{"memory/after-fork-given-up", after_fork_given_up, {13, 14}, 0, TRACE_FREE, {{NULL, 0, NULL}}},
	{.name = NULL},
};

const struct group memory_group = {"memory", scenarios};
