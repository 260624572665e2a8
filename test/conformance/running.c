/* run and run_once: what keeps them going, and what ends them. */
#include "groups.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- stop ---- */

static void stop_from_timer(brink_timer *timer)
{
	brink_loop_stop(timer->loop);
}

static unsigned calls_counted;

static void count_calls(brink_timer *timer)
{
	(void)timer;
	calls_counted++;
}

static void do_nothing(brink_timer *timer)
{
	(void)timer;
}

/* A loop that only a stop ends. */
static brink_loop *endless_loop(void)
{
	brink_loop *loop = new_loop();

	brink_loop_ref(loop);
	return loop;
}

static void end_endless_loop(brink_loop *loop)
{
	brink_loop_unref(loop);
	CHECK_OK(brink_loop_destroy(loop));
}

/* No stop is left over: a run that has nothing to do says so. */
static void expect_no_stop(brink_loop *loop)
{
	brink_timer timer;

	brink_loop_unref(loop);
	brink_timer_init(&timer, do_nothing);
	CHECK_OK(brink_timer_start(loop, &timer, BRINK_MS(1), 0));
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_EQ(brink_timer_active(&timer), 0);
	brink_loop_ref(loop);
}

static void stop_in_callback(enum kind kind)
{
	brink_loop *loop = endless_loop();
	brink_timer timer;

	(void)kind;
	brink_timer_init(&timer, stop_from_timer);
	for (int i = 0; i < 3; i++) { /* and run again */
		CHECK_OK(brink_timer_start(loop, &timer, (uint64_t)i * BRINK_MS(1), 0));
		CHECK_EQ(brink_loop_run(loop), 1);
		expect_no_stop(loop);
	}
	CHECK_OK(brink_timer_start(loop, &timer, 0, 0));
	CHECK_EQ(brink_loop_run_once(loop, -1), 1); /* one call */
	expect_no_stop(loop); /* run_once has used it up */
	end_endless_loop(loop);
}

/* The turn in which it is stopped is finished. */
static void stop_ends_after_turn(enum kind kind)
{
	brink_loop *loop = endless_loop();
	brink_timer first, second;

	(void)kind;
	brink_timer_init(&first, stop_from_timer);
	brink_timer_init(&second, stop_from_timer);
	CHECK_OK(brink_timer_start(loop, &first, 0, 0));
	CHECK_OK(brink_timer_start(loop, &second, 0, 0));
	sleep_ms(1);
	CHECK_EQ(brink_loop_run(loop), 1);
	CHECK_EQ(brink_timer_active(&first), 0);
	CHECK_EQ(brink_timer_active(&second), 0);
	expect_no_stop(loop);
	end_endless_loop(loop);
}

static void stop_before_run(enum kind kind)
{
	brink_loop *loop = endless_loop();
	struct brink_counters before, after;

	(void)kind;
	brink_loop_counters(loop, &before);
	brink_loop_stop(loop);
	CHECK_EQ(brink_loop_run(loop), 1);
	brink_loop_stop(loop);
	CHECK_EQ(brink_loop_run_once(loop, -1), 0);
	brink_loop_counters(loop, &after);
	CHECK_EQ(after.turns, before.turns); /* at once */
	expect_no_stop(loop);
	end_endless_loop(loop);
}

static void stop_twice_is_one(enum kind kind)
{
	brink_loop *loop = endless_loop();

	(void)kind;
	brink_loop_stop(loop);
	brink_loop_stop(loop);
	brink_loop_stop(loop);
	CHECK_EQ(brink_loop_run(loop), 1);
	expect_no_stop(loop);
	end_endless_loop(loop);
}

/* No watch, no timer, no reference. */
static void stop_empty_loop(enum kind kind)
{
	brink_loop *loop = new_loop();

	(void)kind;
	brink_loop_stop(loop);
	CHECK_EQ(brink_loop_run(loop), 1);
	CHECK_EQ(brink_loop_run(loop), 0);
	brink_loop_stop(loop);
	CHECK_EQ(brink_loop_run_once(loop, -1), 0);
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_OK(brink_loop_destroy(loop));
}

static atomic_bool in_wait;

static void see_wait(const struct brink_trace_record *record, void *context)
{
	(void)context;
	if (record->kind == BRINK_TRACE_WAIT && record->value != 0)
		atomic_store(&in_wait, true);
}

static void await_long_wait(void)
{
	uint64_t end = hang_deadline();

	while (!atomic_load(&in_wait)) {
		if (monotonic_now() > end)
			FAIL("the loop does not wait");
		sleep_ms(1);
	}
	sleep_ms(3); /* most likely it is in the kernel now */
}

static void *stop_from_thread(void *loop)
{
	await_long_wait();
	brink_loop_stop(loop);
	return NULL;
}

static void stop_in_other_thread(enum kind kind)
{
	brink_loop *loop = endless_loop();
	pthread_t thread;

	(void)kind;
	brink_loop_set_trace(loop, see_wait, NULL);
	for (int i = 0; i < 5; i++) {
		atomic_store(&in_wait, false);
		CHECK_EQ(pthread_create(&thread, NULL, stop_from_thread, loop), 0);
		CHECK_EQ(brink_loop_run(loop), 1);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		atomic_store(&in_wait, false);
		CHECK_EQ(pthread_create(&thread, NULL, stop_from_thread, loop), 0);
		CHECK_EQ(brink_loop_run_once(loop, -1), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
	expect_no_stop(loop);
	end_endless_loop(loop);
}

/* However the stop and the begin of the wait fall together. */
static void *stop_at_once(void *loop)
{
	brink_loop_stop(loop);
	return NULL;
}

static void stop_races_with_wait(enum kind kind)
{
	brink_loop *loop = endless_loop();
	pthread_t thread;

	(void)kind;
	for (int i = is_slow() ? 50 : 500; i > 0; i--) {
		CHECK_EQ(pthread_create(&thread, NULL, stop_at_once, loop), 0);
		CHECK_EQ(brink_loop_run(loop), 1);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
	expect_no_stop(loop);
	end_endless_loop(loop);
}

static brink_loop *loop_of_handler;

static void stop_in_handler(int number)
{
	(void)number;
	brink_loop_stop(loop_of_handler);
}

static void *signal_process(void *data)
{
	await_long_wait();
	kill(getpid(), SIGUSR2);
	return data;
}

static void stop_in_signal_handler(enum kind kind)
{
	struct sigaction action = {.sa_handler = stop_in_handler}, before;
	brink_loop *loop = endless_loop();
	pthread_t thread;

	(void)kind;
	loop_of_handler = loop;
	sigemptyset(&action.sa_mask);
	SYSCALL(sigaction(SIGUSR2, &action, &before));
	raise(SIGUSR2); /* before */
	CHECK_EQ(brink_loop_run(loop), 1);
	brink_loop_set_trace(loop, see_wait, NULL);
	for (int i = 0; i < 3; i++) { /* during the wait */
		atomic_store(&in_wait, false);
		CHECK_EQ(pthread_create(&thread, NULL, signal_process, NULL), 0);
		CHECK_EQ(brink_loop_run(loop), 1);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
	SYSCALL(sigaction(SIGUSR2, &before, NULL));
	expect_no_stop(loop);
	end_endless_loop(loop);
}

/* stop, wakeup and post are for signal handlers: they keep errno. */
static void errno_is_kept(enum kind kind)
{
	brink_loop *loop = new_loop();

	(void)kind;
	for (int i = 0; i < 3; i++) {
		errno = ENOTTY;
		brink_loop_wakeup(loop);
		CHECK_EQ(errno, ENOTTY);
		brink_loop_stop(loop);
		CHECK_EQ(errno, ENOTTY);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- not inside each other ---- */

static void run_inside(brink_timer *timer)
{
	CHECK_ERROR(brink_loop_run(timer->loop), -EBUSY);
	CHECK_ERROR(brink_loop_run_once(timer->loop, 0), -EBUSY);
	CHECK_ERROR(brink_loop_destroy(timer->loop), -EBUSY);
}

static void not_from_inside(enum kind kind)
{
	brink_loop *loop = new_loop();
	brink_timer timer;

	(void)kind;
	CHECK_EQ(brink_loop_destroy(NULL), 0);
	brink_timer_init(&timer, run_inside);
	CHECK_OK(brink_timer_start(loop, &timer, 0, 0));
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_EQ(brink_timer_active(&timer), 0);
	CHECK_OK(brink_timer_start(loop, &timer, 0, 0)); /* the loop is as before */
	CHECK_EQ(brink_loop_run_once(loop, -1), 1);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- what keeps it running ---- */

enum thing { WATCH, TIMER, SIGNAL, CHILD, IDLE_HOOK, TASK, REFERENCE, THINGS };

static const char *const thing_names[] = {"watch", "timer", "signal", "child", "idle hook", "task", "reference"};

struct keeper {
	brink_loop *loop;
	enum thing thing;
	struct pair pair;
	brink_watch watch;
	brink_timer timer;
	brink_signal signal;
	brink_child child;
	brink_hook idle, prepare;
	brink_task task;
	unsigned turns;
};

enum { TURNS_KEPT = 3 };

static void never_ready(brink_watch *watch, unsigned ready)
{
	(void)watch;
	FAIL("a watch that is not ready was called: %s", bits_text(ready));
}

static void no_signal(brink_signal *signal)
{
	FAIL("signal %d was called", signal->number);
}

static void no_end(brink_child *child, int status)
{
	FAIL("child %ld was called: status %d", (long)child->pid, status);
}

static void idle_called(brink_hook *hook)
{
	(void)hook;
}

/* Posts itself until it has been called often enough. */
static void task_called(brink_task *task)
{
	struct keeper *keeper = brink_container_of(task, struct keeper, task);

	if (keeper->turns < TURNS_KEPT)
		brink_task_post(keeper->loop, task);
}

static void end_child(brink_child *child)
{
	int status;

	CHECK_OK(brink_child_stop(child));
	SYSCALL(kill(child->pid, SIGKILL));
	SYSCALL(waitpid(child->pid, &status, 0));
}

static void stop_thing(struct keeper *keeper)
{
	switch (keeper->thing) {
	case WATCH:
		CHECK_OK(brink_watch_stop(&keeper->watch));
		break;
	case TIMER:
		CHECK_OK(brink_timer_stop(&keeper->timer));
		break;
	case SIGNAL:
		CHECK_OK(brink_signal_stop(&keeper->signal));
		break;
	case CHILD:
		end_child(&keeper->child);
		break;
	case IDLE_HOOK:
		CHECK_OK(brink_hook_stop(&keeper->idle));
		break;
	case REFERENCE:
		brink_loop_unref(keeper->loop);
		break;
	default: /* a task ends by itself */
		break;
	}
}

/* Prepare hooks do not keep a loop running, so this one can look at what does. */
static void count_turn(brink_hook *hook)
{
	struct keeper *keeper = brink_container_of(hook, struct keeper, prepare);

	brink_loop_wakeup(keeper->loop); /* do not sleep in this turn */
	if (++keeper->turns == TURNS_KEPT)
		stop_thing(keeper);
}

static pid_t start_sleeper(void)
{
	pid_t pid = fork();

	SYSCALL(pid);
	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void start_thing(struct keeper *keeper)
{
	switch (keeper->thing) {
	case WATCH:
		brink_watch_init(&keeper->watch, never_ready);
		CHECK_OK(brink_watch_start(keeper->loop, &keeper->watch, keeper->pair.ours, BRINK_READ));
		break;
	case TIMER:
		brink_timer_init(&keeper->timer, do_nothing);
		CHECK_OK(brink_timer_start(keeper->loop, &keeper->timer, BRINK_SECONDS(86400), 0));
		break;
	case SIGNAL:
		brink_signal_init(&keeper->signal, no_signal);
		CHECK_OK(brink_signal_start(keeper->loop, &keeper->signal, SIGUSR1));
		break;
	case CHILD:
		brink_child_init(&keeper->child, no_end);
		CHECK_OK(brink_child_start(keeper->loop, &keeper->child, start_sleeper()));
		break;
	case IDLE_HOOK:
		brink_hook_init(&keeper->idle, idle_called);
		CHECK_OK(brink_hook_start(keeper->loop, &keeper->idle, BRINK_HOOK_IDLE));
		break;
	case TASK:
		brink_task_init(&keeper->task, task_called);
		brink_task_post(keeper->loop, &keeper->task);
		break;
	default:
		brink_loop_ref(keeper->loop);
		break;
	}
}

static void what_keeps_it_running(enum kind kind)
{
	(void)kind;
	for (enum thing thing = WATCH; thing < THINGS; thing++) {
		struct keeper keeper = {.loop = new_loop(), .thing = thing};

		keeper.pair = open_pair(KIND_UNIX, BRINK_READ);
		brink_hook_init(&keeper.prepare, count_turn);
		CHECK_OK(brink_hook_start(keeper.loop, &keeper.prepare, BRINK_HOOK_PREPARE));
		CHECK_EQ(brink_loop_run(keeper.loop), 0);
		CHECK_EQ(keeper.turns, 0); /* hooks alone do not */
		start_thing(&keeper);
		CHECK_EQ(brink_loop_run(keeper.loop), 0);
		if (keeper.turns < TURNS_KEPT)
			FAIL("a %s kept run for %u turns instead of %d", thing_names[thing], keeper.turns,
			     TURNS_KEPT);
		CHECK_EQ(brink_loop_run(keeper.loop), 0);
		CHECK_OK(brink_loop_destroy(keeper.loop));
		close_pair(&keeper.pair);
	}
}

/* What is over by itself no longer counts: a run ends with it. */
static void ends_with_the_last(enum kind kind)
{
	brink_loop *loop = new_loop();
	brink_timer timers[3];

	(void)kind;
	for (int i = 0; i < 3; i++) {
		brink_timer_init(&timers[i], count_calls);
		CHECK_OK(brink_timer_start(loop, &timers[i], (uint64_t)i * BRINK_MS(3), 0));
	}
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_EQ(calls_counted, 3);
	CHECK_OK(brink_loop_destroy(loop));
}

/* One that need not finish. */
static void unref_lets_it_end(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	brink_loop_unref(loop);
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_EQ(brink_loop_run_once(loop, -1), 0);
	feed(&pair, 1);
	expect_event(loop, &reader, BRINK_READ, BRINK_EOF | BRINK_ERROR); /* it works all the same */
	brink_loop_ref(loop);
	stop_probe(&reader);
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

static const struct scenario scenarios[] = {
	SCENARIO("run/stop-in-callback", stop_in_callback, 0, .promises = {9, 12}),
	SCENARIO("run/stop-ends-after-turn", stop_ends_after_turn, 0, .promises = {12}),
	SCENARIO("run/stop-before-run", stop_before_run, 0, .promises = {9, 12}),
	SCENARIO("run/stop-twice-is-one", stop_twice_is_one, 0, .promises = {9, 12}),
	SCENARIO("run/stop-empty-loop", stop_empty_loop, 0, .promises = {9, 12}),
	SCENARIO("run/stop-in-other-thread", stop_in_other_thread, 0, .promises = {9, 12}),
	SCENARIO("run/stop-races-with-wait", stop_races_with_wait, 0, .promises = {9}),
	SCENARIO("run/stop-in-signal-handler", stop_in_signal_handler, 0, .promises = {9}),
	SCENARIO("run/errno-is-kept", errno_is_kept, 0, .promises = {9}),
	SCENARIO("run/not-from-inside", not_from_inside, 0, .promises = {12, 14}),
	SCENARIO("run/what-keeps-it-running", what_keeps_it_running, 0, .promises = {12}),
	SCENARIO("run/ends-with-the-last", ends_with_the_last, 0, .promises = {12}),
	SCENARIO("run/unref-lets-it-end", unref_lets_it_end, KINDS_ALL, .promises = {12}),
	NO_MORE_SCENARIOS,
};

const struct group run_group = {"run", scenarios};
