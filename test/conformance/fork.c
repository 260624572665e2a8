/* A loop after fork(): the child's works, and the parent's does not notice.
 *
 * A check that fails in a child fails the scenario. */
#include "groups.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct world {
	brink_loop *loop;
	struct pair pair;
	struct probe reader;
	brink_timer timer;
	brink_signal signal;
	brink_task task;
	brink_hook hook;
	unsigned timers, signals, tasks, hooks;
};

static void timer_called(brink_timer *timer)
{
	brink_container_of(timer, struct world, timer)->timers++;
}

static void signal_called(brink_signal *signal)
{
	brink_container_of(signal, struct world, signal)->signals++;
}

static void task_called(brink_task *task)
{
	brink_container_of(task, struct world, task)->tasks++;
}

static void hook_called(brink_hook *hook)
{
	brink_container_of(hook, struct world, hook)->hooks++;
}

static void open_world(struct world *world, enum kind kind)
{
	memset(world, 0, sizeof *world);
	world->loop = new_loop();
	world->pair = open_pair(kind, BRINK_READ);
	start_probe(world->loop, &world->reader, "reader", world->pair.ours, BRINK_READ);
	brink_timer_init(&world->timer, timer_called);
	brink_signal_init(&world->signal, signal_called);
	brink_task_init(&world->task, task_called);
	brink_hook_init(&world->hook, hook_called);
	expect_silence(world->loop);
}

static void close_world(struct world *world)
{
	stop_probe(&world->reader);
	CHECK_OK(brink_loop_destroy(world->loop));
	close_pair(&world->pair);
}

typedef void child_fn(struct world *world);

/* Runs `child` in a forked process and waits for its end. */
static void in_child(struct world *world, child_fn *child)
{
	int status;
	pid_t pid = fork();

	SYSCALL(pid);
	if (pid == 0) {
		child(world);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		CHECK_EQ(errno, EINTR);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		FAIL("the child ended with status 0x%x", (unsigned)status);
}

/* Data arrives, is read, and arrives again. */
static void expect_working(struct world *world)
{
	for (int i = 0; i < 2; i++) {
		feed(&world->pair, 4);
		expect_event(world->loop, &world->reader, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
		CHECK_EQ(read_to_end(&world->reader, NULL), -EAGAIN);
		expect_quiet(world->loop, &world->reader, BRINK_READ);
	}
}

/* What a child fed and read, the parent's kernel object may have seen, too. */
static void settle(struct world *world)
{
	if (observe(world->loop, &world->reader, "an event for what another process has read", BRINK_READ) != 0)
		CHECK_EQ(read_to_end(&world->reader, NULL), -EAGAIN);
}

static void own_loop(struct world *world)
{
	CHECK_OK(brink_loop_after_fork(world->loop));
}

static void child_works(struct world *world)
{
	own_loop(world);
	expect_working(world);
}

static void child_has_a_loop(enum kind kind)
{
	struct world world;

	open_world(&world, kind);
	in_child(&world, child_works);
	settle(&world);
	expect_working(&world);
	close_world(&world);
}

static void child_expects_unread(struct world *world)
{
	own_loop(world);
	expect_event(world->loop, &world->reader, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	expect_silence(world->loop);
}

static void child_expects_silence(struct world *world)
{
	own_loop(world);
	expect_silence(world->loop); /* the ticket is out */
	CHECK_EQ(read_to_end(&world->reader, NULL), -EAGAIN);
	expect_working(world);
}

/* An event that nobody took yet is one in both; one that was taken is one in neither. */
static void tickets_are_kept(enum kind kind)
{
	struct world world;

	open_world(&world, kind);
	feed(&world.pair, 4);
	in_child(&world, child_expects_unread);
	expect_event(world.loop, &world.reader, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	in_child(&world, child_expects_silence);
	expect_silence(world.loop);
	CHECK_EQ(read_to_end(&world.reader, NULL), -EAGAIN);
	expect_working(&world);
	close_world(&world);
}

static void child_stops_all(struct world *world)
{
	own_loop(world);
	close_probe(&world->reader, &world->pair.ours);
	expect_silence(world->loop);
	CHECK_OK(brink_loop_destroy(world->loop));
}

static void child_destroys(struct world *world)
{
	own_loop(world);
	CHECK_OK(brink_loop_destroy(world->loop));
}

static void child_does_nothing(struct world *world)
{
	(void)world;
}

/* Whatever the child does with its copy, or leaves undone. */
static void parent_does_not_notice(enum kind kind)
{
	static child_fn *const children[] = {child_stops_all, child_destroys, child_does_nothing, child_works};
	struct world world;

	open_world(&world, kind);
	for (size_t i = 0; i < sizeof children / sizeof children[0]; i++) {
		in_child(&world, children[i]);
		if (children[i] == child_works)
			settle(&world);
		else
			expect_silence(world.loop);
		expect_working(&world);
	}
	close_world(&world);
}

static void expect_whole_wait(brink_loop *loop)
{
	uint64_t before = monotonic_now();

	CHECK_EQ(brink_loop_run_once(loop, (int64_t)BRINK_MS(20)), 0);
	CHECK(monotonic_now() - before >= BRINK_MS(20));
}

static void *wake_later(void *loop)
{
	sleep_ms(10);
	brink_loop_wakeup(loop);
	return NULL;
}

static void child_wakes_itself(struct world *world)
{
	pthread_t thread;

	own_loop(world);
	expect_whole_wait(world->loop);
	brink_loop_wakeup(world->loop);
	CHECK_EQ(brink_loop_run_once(world->loop, -1), 0);
	CHECK_EQ(pthread_create(&thread, NULL, wake_later, world->loop), 0);
	CHECK_EQ(brink_loop_run_once(world->loop, -1), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	brink_loop_stop(world->loop);
	CHECK_EQ(brink_loop_run(world->loop), 1);
	brink_loop_wakeup(world->loop); /* and leaves that behind */
}

/* Each has a pipe of its own to be woken by. */
static void wakeups_stay_at_home(enum kind kind)
{
	struct world world;

	(void)kind;
	open_world(&world, KIND_UNIX);
	in_child(&world, child_wakes_itself);
	expect_whole_wait(world.loop);
	brink_loop_wakeup(world.loop);
	in_child(&world, child_does_nothing);
	CHECK_EQ(brink_loop_run_once(world.loop, -1), 0);
	expect_whole_wait(world.loop);
	close_world(&world);
}

static void child_runs_all(struct world *world)
{
	own_loop(world);
	RUN_UNTIL(world->loop, world->timers == 1);
	CHECK(world->hooks > 0);
	CHECK_EQ(world->tasks, 0); /* the parent's */
	brink_task_post(world->loop, &world->task);
	RUN_UNTIL(world->loop, world->tasks == 1);
	CHECK_EQ(world->signals, 0);
	raise(SIGUSR1);
	RUN_UNTIL(world->loop, world->signals == 1);
	expect_working(world);
}

static void timers_tasks_signals_hooks(enum kind kind)
{
	struct world world;
	uint64_t before;

	open_world(&world, kind);
	before = monotonic_now();
	CHECK_OK(brink_timer_start(world.loop, &world.timer, BRINK_MS(20), 0));
	CHECK_OK(brink_signal_start(world.loop, &world.signal, SIGUSR1));
	CHECK_OK(brink_hook_start(world.loop, &world.hook, BRINK_HOOK_CHECK));
	brink_task_post(world.loop, &world.task);
	in_child(&world, child_runs_all);
	CHECK_EQ(world.timers + world.tasks + world.signals, 0);
	settle(&world);
	RUN_UNTIL(world.loop, world.timers == 1);
	CHECK(monotonic_now() - before >= BRINK_MS(20));
	CHECK_EQ(world.tasks, 1);
	CHECK_EQ(world.signals, 0);
	expect_working(&world);
	CHECK_EQ(world.signals, 0);
	raise(SIGUSR1);
	RUN_UNTIL(world.loop, world.signals == 1);
	CHECK_OK(brink_signal_stop(&world.signal));
	close_world(&world);
}

static void child_is_signalled(struct world *world)
{
	(void)world;
	for (int i = 0; i < 5; i++)
		raise(SIGUSR1);
}

static void child_is_signalled_and_execs(struct world *world)
{
	child_is_signalled(world);
	execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL);
	FAIL("exec: errno %d", errno);
}

/* A signal that reaches the child before it has a loop of its own. */
static void signal_before_exec(enum kind kind)
{
	struct world world;

	open_world(&world, kind);
	CHECK_OK(brink_signal_start(world.loop, &world.signal, SIGUSR1));
	in_child(&world, child_is_signalled);
	expect_whole_wait(world.loop);
	in_child(&world, child_is_signalled_and_execs);
	expect_whole_wait(world.loop);
	CHECK_EQ(world.signals, 0);
	raise(SIGUSR1);
	RUN_UNTIL(world.loop, world.signals == 1);
	expect_working(&world);
	CHECK_OK(brink_signal_stop(&world.signal));
	close_world(&world);
}

static brink_child *parents_child;

static void parents_child_ended(brink_child *child, int status)
{
	CHECK(WIFSIGNALED(status));
	brink_loop_stop(child->loop);
}

static void child_has_no_children(struct world *world)
{
	own_loop(world);
	CHECK_ERROR(brink_child_stop(parents_child), -ENOENT);
	expect_working(world);
}

static void children_stay_the_parents(enum kind kind)
{
	brink_child child;
	struct world world;
	pid_t pid;

	(void)kind;
	open_world(&world, KIND_UNIX);
	pid = fork();
	SYSCALL(pid);
	while (pid == 0)
		pause();
	brink_child_init(&child, parents_child_ended);
	CHECK_OK(brink_child_start(world.loop, &child, pid));
	parents_child = &child;
	in_child(&world, child_has_no_children);
	settle(&world);
	expect_silence(world.loop);
	SYSCALL(kill(pid, SIGKILL));
	CHECK_EQ(brink_loop_run(world.loop), 1);
	close_world(&world);
}

static void grandchild_works(struct world *world)
{
	own_loop(world);
	expect_working(world);
	in_child(world, child_works);
	settle(world);
	expect_working(world);
}

static void child_of_a_child(enum kind kind)
{
	struct world world;

	open_world(&world, kind);
	in_child(&world, grandchild_works);
	settle(&world);
	expect_working(&world);
	close_world(&world);
}

/* fork in a callback: the child leaves from there, the parent goes on. */
static void fork_in_callback(struct probe *probe, unsigned ready)
{
	(void)ready;
	in_child(probe->data, child_does_nothing);
	CHECK_EQ(read_to_end(probe, NULL), -EAGAIN);
}

static void forked_in_a_callback(enum kind kind)
{
	struct world world;

	open_world(&world, kind);
	world.reader.act = fork_in_callback;
	world.reader.data = &world;
	for (int i = 0; i < 3; i++) {
		feed(&world.pair, 4);
		expect_event(world.loop, &world.reader, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
		expect_quiet(world.loop, &world.reader, BRINK_READ);
	}
	close_world(&world);
}

static void child_starts_more(struct world *world)
{
	struct pair pair = open_pair(world->pair.kind, BRINK_READ);
	struct probe other;

	own_loop(world);
	start_probe(world->loop, &other, "child's own", pair.ours, BRINK_READ);
	feed(&pair, 3);
	expect_event(world->loop, &other, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	expect_silence(world->loop);
	close_probe(&other, &pair.ours);
	expect_silence(world->loop);
}

/* What the child starts is its own. */
static void new_watches_of_the_child(enum kind kind)
{
	struct world world;

	open_world(&world, kind);
	in_child(&world, child_starts_more);
	expect_silence(world.loop);
	expect_working(&world);
	close_world(&world);
}

/* ---- a loop that another thread than the forking one runs ---- */

static atomic_bool waits;

static void note_wait(const struct brink_trace_record *record, void *context)
{
	(void)context;
	if (record->kind == BRINK_TRACE_WAIT && record->value < 0)
		atomic_store(&waits, true);
}

static void *run_loop(void *loop)
{
	CHECK_EQ(brink_loop_run(loop), 1);
	return NULL;
}

static void child_destroys_its_copy(struct world *world)
{
	CHECK_OK(brink_loop_destroy(world->loop));
	CHECK(!brink_watch_active(&world->reader.watch));
}

static void forked_by_another_thread(enum kind kind)
{
	struct world world;
	pthread_t thread;

	(void)kind;
	open_world(&world, KIND_UNIX);
	brink_loop_set_trace(world.loop, note_wait, NULL);
	CHECK_EQ(pthread_create(&thread, NULL, run_loop, world.loop), 0);
	while (!atomic_load(&waits))
		sleep_ms(1);
	in_child(&world, child_destroys_its_copy);
	brink_loop_stop(world.loop);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	brink_loop_set_trace(world.loop, NULL, NULL);
	expect_working(&world);
	close_world(&world);
}

static const struct scenario scenarios[] = {
	SCENARIO("fork/child-has-a-loop", child_has_a_loop, KINDS_ALL | KIND_UDP, .promises = {13}),
	SCENARIO("fork/tickets-are-kept", tickets_are_kept, KINDS_ALL, .promises = {2, 13}),
	SCENARIO("fork/parent-does-not-notice", parent_does_not_notice, KINDS_ALL, .promises = {13}),
	SCENARIO("fork/wakeups-stay-at-home", wakeups_stay_at_home, 0, .promises = {9, 13}),
	SCENARIO("fork/timers-tasks-signals-hooks", timers_tasks_signals_hooks, KINDS_ALL, .promises = {13, 20, 22}),
	SCENARIO("fork/signal-before-exec", signal_before_exec, KINDS_ALL, .promises = {13, 22}),
	SCENARIO("fork/children-stay-the-parents", children_stay_the_parents, 0, .promises = {13, 22}),
	SCENARIO("fork/child-of-a-child", child_of_a_child, KINDS_ALL, .promises = {13}),
	SCENARIO("fork/in-a-callback", forked_in_a_callback, KINDS_ALL, .promises = {13}),
	SCENARIO("fork/new-watches-of-the-child", new_watches_of_the_child, KINDS_ALL, .promises = {13}),
	SCENARIO("fork/by-another-thread", forked_by_another_thread, 0, .promises = {13}),
	NO_MORE_SCENARIOS,
};

const struct group fork_group = {"fork", scenarios};
