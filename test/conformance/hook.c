/* The order of a turn, hooks, and what a loop tells of itself. */
#include "groups.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static char order[256]; /* a letter for each call */

static void add(char letter)
{
	size_t length = strlen(order);

	if (length + 1 >= sizeof order)
		FAIL("more calls than this scenario can have: %s", order);
	order[length] = letter;
	order[length + 1] = '\0';
}

static void expect_order(const char *expected)
{
	if (strcmp(order, expected) != 0)
		FAIL("the order of calls was \"%s\" instead of \"%s\"", order, expected);
	note("%s", order);
	order[0] = '\0';
}

/* Things that write down their letter. */

struct actor {
	char letter;
	brink_hook hook;
	brink_timer timer;
	brink_signal signal;
	brink_task task;
	void (*then)(struct actor *actor);
	struct actor *other;
	brink_loop *loop;
};

static void act(struct actor *actor)
{
	add(actor->letter);
	if (actor->then != NULL)
		actor->then(actor);
}

static void act_hook(brink_hook *hook)
{
	act(brink_container_of(hook, struct actor, hook));
}

static void act_timer(brink_timer *timer)
{
	act(brink_container_of(timer, struct actor, timer));
}

static void act_signal(brink_signal *signal)
{
	act(brink_container_of(signal, struct actor, signal));
}

static void act_task(brink_task *task)
{
	act(brink_container_of(task, struct actor, task));
}

static void init_actor(struct actor *actor, brink_loop *loop, char letter)
{
	memset(actor, 0, sizeof *actor);
	actor->letter = letter;
	actor->loop = loop;
	brink_hook_init(&actor->hook, act_hook);
	brink_timer_init(&actor->timer, act_timer);
	brink_signal_init(&actor->signal, act_signal);
	brink_task_init(&actor->task, act_task);
}

static void start_hook(struct actor *actor, brink_loop *loop, char letter, enum brink_hook_point point)
{
	init_actor(actor, loop, letter);
	CHECK_EQ(brink_hook_start(loop, &actor->hook, point), 0);
}

static void act_watch(struct probe *probe, unsigned ready)
{
	(void)probe;
	(void)ready;
	add('w');
}

static void see_wait(const struct brink_trace_record *record, void *context)
{
	(void)context;
	if (record->kind == BRINK_TRACE_WAIT)
		add('(');
	else if (record->kind == BRINK_TRACE_WOKEN)
		add(')');
}

static int run_turn(brink_loop *loop)
{
	int calls = brink_loop_run_once(loop, 0);

	CHECK_OK(calls);
	return calls;
}

/* ---- the turn ---- */

static void order_of_a_turn(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct probe watch;
	struct actor prepare, check, idle, rest;

	start_probe_acting(loop, &watch, "watch", pair.ours, BRINK_READ, act_watch);
	start_hook(&prepare, loop, 'p', BRINK_HOOK_PREPARE);
	start_hook(&check, loop, 'c', BRINK_HOOK_CHECK);
	start_hook(&idle, loop, 'i', BRINK_HOOK_IDLE);
	init_actor(&rest, loop, '?');
	brink_loop_set_trace(loop, see_wait, NULL);
	CHECK_EQ(run_turn(loop), 1); /* the idle hook */
	expect_order("p()ci");

	rest.letter = 's';
	CHECK_OK(brink_signal_start(loop, &rest.signal, SIGUSR1));
	CHECK_OK(brink_watch_again(&watch.watch, BRINK_READ));
	struct actor task, timer;
	init_actor(&task, loop, 'k');
	brink_task_post(loop, &task.task);
	init_actor(&timer, loop, 't');
	CHECK_OK(brink_timer_start(loop, &timer.timer, 0, 0));
	raise(SIGUSR1);
	CHECK_EQ(run_turn(loop), 4);
	expect_order("p()ctskw");

	run_turn(loop);
	expect_order("p()ci");
	accept_calls(&watch);
	CHECK_OK(brink_signal_stop(&rest.signal));
	CHECK_OK(brink_hook_stop(&prepare.hook));
	CHECK_OK(brink_hook_stop(&check.hook));
	CHECK_OK(brink_hook_stop(&idle.hook));
	stop_probe(&watch);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

static void post_other(struct actor *actor)
{
	brink_task_post(actor->loop, &actor->other->task);
}

static void start_other_timer(struct actor *actor)
{
	CHECK_OK(brink_timer_start(actor->loop, &actor->other->timer, 0, 0));
}

/* What a callback starts or posts is looked at in the next turn, wherever in the turn it
 * stands. */
static void started_in_a_callback(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct actor timer, task, check;

	(void)kind;
	init_actor(&timer, loop, 't');
	init_actor(&task, loop, 'k');
	start_hook(&check, loop, '.', BRINK_HOOK_CHECK); /* between turns */
	timer.then = post_other;
	timer.other = &task;
	task.then = start_other_timer;
	task.other = &timer;
	CHECK_OK(brink_timer_start(loop, &timer.timer, 0, 0));
	for (int i = 0; i < 6; i++)
		run_turn(loop);
	/* Tasks come after timers, so a post by a timer may be called in the same turn: it had
	 * been posted when the tasks' time came. A timer that a task starts has to wait. */
	CHECK(strstr(order, "kt") == NULL && strstr(order, "tt") == NULL && strstr(order, "kk") == NULL);
	CHECK(strchr(order, 't') != strrchr(order, 't'));
	CHECK_OK(brink_hook_stop(&check.hook));
	CHECK_OK(brink_loop_destroy(loop));
}

static void start_itself(struct actor *actor)
{
	CHECK_OK(brink_timer_start(actor->loop, &actor->timer, 0, 0));
}

static void post_itself(struct actor *actor)
{
	brink_task_post(actor->loop, &actor->task);
}

static void act_again(struct probe *probe, unsigned ready)
{
	add('w');
	CHECK_OK(brink_watch_again(&probe->watch, ready & BRINK_READ));
}

/* Each that asks for itself again has one call a turn, so none can starve the others. */
static void nothing_starves(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct actor timer, task, check;
	struct probe watch;

	init_actor(&timer, loop, 't');
	timer.then = start_itself;
	init_actor(&task, loop, 'k');
	task.then = post_itself;
	start_probe_acting(loop, &watch, "watch", pair.ours, BRINK_READ, act_again);
	start_hook(&check, loop, '.', BRINK_HOOK_CHECK);
	CHECK_OK(brink_timer_start(loop, &timer.timer, 0, 0));
	brink_task_post(loop, &task.task);
	CHECK_OK(brink_watch_again(&watch.watch, BRINK_READ));
	for (int i = 0; i < 5; i++)
		CHECK_EQ(run_turn(loop), 3);
	expect_order(".tkw.tkw.tkw.tkw.tkw");
	accept_calls(&watch);
	CHECK_OK(brink_timer_stop(&timer.timer));
	CHECK_OK(brink_task_cancel(loop, &task.task));
	CHECK_OK(brink_hook_stop(&check.hook));
	stop_probe(&watch);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

/* The clock stands still from the check hooks to the end of the turn. */
static uint64_t times[3];
static unsigned times_count;

static void note_loop_time(struct actor *actor)
{
	times[times_count++] = brink_loop_now(actor->loop);
	sleep_ms(2);
}

static void clock_of_a_turn(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct actor actors[3];
	uint64_t before = monotonic_now();

	(void)kind;
	for (int i = 0; i < 3; i++) {
		init_actor(&actors[i], loop, (char)('a' + i));
		actors[i].then = note_loop_time;
	}
	CHECK_OK(brink_timer_start(loop, &actors[0].timer, 0, 0));
	CHECK_OK(brink_timer_start(loop, &actors[1].timer, 0, 0));
	brink_task_post(loop, &actors[2].task);
	CHECK_EQ(run_turn(loop), 3);
	expect_order("abc");
	CHECK(times[0] >= before && times[0] <= monotonic_now());
	CHECK_EQ(times[1], times[0]);
	CHECK_EQ(times[2], times[0]);
	brink_loop_update(loop);
	CHECK(brink_loop_now(loop) >= times[0] + BRINK_MS(6)); /* what was slept */
	CHECK(brink_loop_now(loop) <= monotonic_now());
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- hooks ---- */

static void hook_errors(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct actor actor;
	brink_hook empty;

	(void)kind;
	brink_hook_init(&empty, NULL);
	CHECK_ERROR(brink_hook_start(loop, &empty, BRINK_HOOK_CHECK), -EINVAL);
	init_actor(&actor, loop, 'a');
	CHECK_ERROR(brink_hook_stop(&actor.hook), -ENOENT);
	CHECK_ERROR(brink_hook_start(loop, &actor.hook, (enum brink_hook_point)3), -EINVAL);
	CHECK_OK(brink_hook_start(loop, &actor.hook, BRINK_HOOK_PREPARE));
	CHECK_ERROR(brink_hook_start(loop, &actor.hook, BRINK_HOOK_PREPARE), -EEXIST);
	CHECK_ERROR(brink_hook_start(loop, &actor.hook, BRINK_HOOK_IDLE), -EEXIST);
	run_turn(loop);
	expect_order("a");
	CHECK_OK(brink_hook_stop(&actor.hook));
	CHECK_ERROR(brink_hook_stop(&actor.hook), -ENOENT);
	CHECK_OK(brink_hook_start(loop, &actor.hook, BRINK_HOOK_CHECK)); /* again, elsewhere */
	CHECK_OK(brink_loop_destroy(loop));
	expect_order("");
}

static void stop_itself(struct actor *actor)
{
	CHECK_OK(brink_hook_stop(&actor->hook));
}

static void stop_other(struct actor *actor)
{
	CHECK_OK(brink_hook_stop(&actor->other->hook));
	actor->then = NULL;
}

static void start_other_hook(struct actor *actor)
{
	CHECK_OK(brink_hook_start(actor->loop, &actor->other->hook, (enum brink_hook_point)actor->hook.point));
	actor->then = NULL;
}

static void free_itself(struct actor *actor)
{
	CHECK_OK(brink_hook_stop(&actor->hook));
	free(actor);
}

static void hooks_of_one_point(enum brink_hook_point point)
{
	brink_loop *loop = new_loop();
	struct actor a, b, c, d, *freed = malloc(sizeof *freed);

	CHECK(freed != NULL);
	start_hook(&a, loop, 'a', point);
	start_hook(&b, loop, 'b', point);
	start_hook(&c, loop, 'c', point);
	init_actor(&d, loop, 'd');
	run_turn(loop);
	run_turn(loop);
	expect_order("abcabc"); /* in the order of their starts */
	a.then = stop_itself;
	run_turn(loop);
	run_turn(loop);
	expect_order("abcbc");
	a.then = NULL;
	CHECK_OK(brink_hook_start(loop, &a.hook, point)); /* now the last */
	b.then = stop_other;
	b.other = &c;
	run_turn(loop);
	run_turn(loop);
	expect_order("baba");
	b.then = start_other_hook;
	b.other = &d;
	run_turn(loop);
	run_turn(loop);
	expect_order("babad"); /* from the next turn on */
	start_hook(freed, loop, 'f', point);
	freed->then = free_itself;
	run_turn(loop);
	run_turn(loop);
	expect_order("badfbad");
	CHECK_OK(brink_loop_destroy(loop)); /* with three that are started */
}

static void hooks_start_and_stop(enum kind kind)
{
	(void)kind;
	hooks_of_one_point(BRINK_HOOK_PREPARE);
	hooks_of_one_point(BRINK_HOOK_CHECK);
	hooks_of_one_point(BRINK_HOOK_IDLE);
}

static void post_and_stop(struct actor *actor)
{
	brink_task_post(actor->loop, &actor->other->task);
	stop_itself(actor);
}

static void start_timer_and_stop(struct actor *actor)
{
	CHECK_OK(brink_timer_start(actor->loop, &actor->other->timer, BRINK_MS(10), 0));
	stop_itself(actor);
}

static int watched_by_prepare;
static struct probe started_by_prepare;

static void start_watch_and_stop(struct actor *actor)
{
	start_probe(actor->loop, &started_by_prepare, "started by prepare", watched_by_prepare, BRINK_READ);
	stop_itself(actor);
}

/* The wait takes into account what prepare hooks did: it would last for ever. */
static void prepare_counts_for_the_wait(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct actor prepare, other;
	uint64_t before = monotonic_now();

	brink_loop_ref(loop);
	start_hook(&prepare, loop, 'p', BRINK_HOOK_PREPARE);
	init_actor(&other, loop, 'o');
	prepare.other = &other;
	prepare.then = post_and_stop;
	CHECK_EQ(brink_loop_run_once(loop, -1), 1);
	expect_order("po");
	CHECK_OK(brink_hook_start(loop, &prepare.hook, BRINK_HOOK_PREPARE));
	prepare.then = start_timer_and_stop;
	CHECK_EQ(brink_loop_run_once(loop, -1), 1);
	expect_order("po");
	CHECK(monotonic_now() - before >= BRINK_MS(10));
	feed(&pair, 1);
	watched_by_prepare = pair.ours;
	CHECK_OK(brink_hook_start(loop, &prepare.hook, BRINK_HOOK_PREPARE));
	prepare.then = start_watch_and_stop;
	CHECK_EQ(brink_loop_run_once(loop, -1), 1);
	CHECK_EQ(started_by_prepare.calls, 1);
	accept_calls(&started_by_prepare);
	stop_probe(&started_by_prepare);
	brink_loop_unref(loop);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

static void stop_watch_and_itself(struct actor *actor)
{
	stop_probe(&started_by_prepare);
	stop_itself(actor);
}

/* Where a prepare hook stops the last of all, nothing is left to wait for. */
static void prepare_stops_the_last(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct actor prepare;

	for (int once = 0; once < 2; once++) {
		start_probe(loop, &started_by_prepare, "stopped by prepare", pair.ours, BRINK_READ);
		start_hook(&prepare, loop, 'p', BRINK_HOOK_PREPARE);
		prepare.then = stop_watch_and_itself;
		CHECK_EQ(once ? brink_loop_run_once(loop, -1) : brink_loop_run(loop), 0);
		expect_order("p");
	}
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

/* While an idle hook is started, the loop does not sleep. */
static void idle_does_not_sleep(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct actor idle;
	struct probe reader;

	start_hook(&idle, loop, 'i', BRINK_HOOK_IDLE);
	start_probe_acting(loop, &reader, "reader", pair.ours, BRINK_READ, act_drain);
	for (int i = 0; i < 5; i++)
		run_turn(loop);
	expect_order("iiiii");
	feed(&pair, 1);
	expect_event(loop, &reader, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	order[0] = '\0';
	idle.then = stop_itself;
	run_turn(loop);
	run_turn(loop);
	CHECK(strlen(order) <= 1);
	stop_probe(&reader);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

/* ---- what it tells ---- */

struct records {
	unsigned waits, wakes, events, calls, timers, tasks, signals, arms;
	int fd;
	const void *watch;
};

static void keep_record(const struct brink_trace_record *record, void *context)
{
	struct records *records = context;

	records->waits += record->kind == BRINK_TRACE_WAIT;
	CHECK(record->kind != BRINK_TRACE_WAIT || record->value >= -1);
	records->wakes += record->kind == BRINK_TRACE_WOKEN;
	CHECK(records->waits - records->wakes <= 1); /* in pairs */
	if (record->kind == BRINK_TRACE_EVENT && record->fd == records->fd) {
		CHECK((record->bits & BRINK_READ) != 0);
		records->events++;
	} else if (record->kind == BRINK_TRACE_CALL && record->object == records->watch) {
		CHECK_EQ(record->fd, records->fd);
		CHECK_EQ(record->bits, BRINK_READ);
		records->calls++;
	} else if (record->kind == BRINK_TRACE_TIMER) {
		CHECK(record->value >= 0 && record->object != NULL);
		records->timers++;
	} else if (record->kind == BRINK_TRACE_TASK) {
		CHECK(record->object != NULL);
		records->tasks++;
	} else if (record->kind == BRINK_TRACE_SIGNAL) {
		CHECK_EQ(record->value, SIGUSR1);
		records->signals++;
	}
}

static void trace_tells(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct records records = {.fd = pair.ours};
	struct actor actor;
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	records.watch = &reader.watch;
	init_actor(&actor, loop, 'a');
	brink_loop_set_trace(loop, keep_record, &records);
	CHECK_OK(brink_signal_start(loop, &actor.signal, SIGUSR1));
	CHECK_OK(brink_timer_start(loop, &actor.timer, 0, 0));
	brink_task_post(loop, &actor.task);
	raise(SIGUSR1);
	feed(&pair, 1);
	expect_event(loop, &reader, BRINK_READ, BRINK_EOF | BRINK_ERROR);
	CHECK(records.waits > 0 && records.waits == records.wakes);
	CHECK(records.events >= 1);
	CHECK_EQ(records.calls, 1);
	CHECK_EQ(records.timers, 1);
	CHECK_EQ(records.tasks, 1);
	CHECK_EQ(records.signals, 1);
	brink_loop_wakeup(loop);
	CHECK_EQ(brink_loop_run_once(loop, INT64_MIN), 0);
	brink_loop_set_trace(loop, NULL, NULL);
	records = (struct records){.fd = pair.ours};
	run_turn(loop);
	CHECK_EQ(records.waits, 0);
	CHECK_OK(brink_signal_stop(&actor.signal));
	stop_probe(&reader);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

static void counters_count(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct brink_counters before, after;
	struct probe reader;

	brink_loop_counters(loop, &before);
	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	for (int i = 0; i < 5; i++)
		run_turn(loop);
	brink_loop_counters(loop, &after);
	CHECK_EQ(after.turns - before.turns, 5);
	CHECK_EQ(after.waits - before.waits, 5);
	CHECK(after.changes > before.changes);
	CHECK_EQ(after.calls - before.calls, 0);
	before = after;
	feed(&pair, 1);
	expect_event(loop, &reader, BRINK_READ, BRINK_EOF | BRINK_ERROR);
	brink_loop_counters(loop, &after);
	CHECK_EQ(after.calls - before.calls, 1);
	CHECK(after.events > before.events);
	stop_probe(&reader);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

static void data_is_kept(enum kind kind)
{
	brink_loop *loop = new_loop();
	int thing;

	(void)kind;
	CHECK(brink_loop_data(loop) == NULL);
	brink_loop_set_data(loop, &thing);
	run_turn(loop);
	CHECK(brink_loop_data(loop) == &thing);
	brink_loop_set_data(loop, NULL);
	CHECK(brink_loop_data(loop) == NULL);
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("hook/order-of-a-turn", order_of_a_turn, KINDS_ALL, .promises = {23}),
	SCENARIO("hook/started-in-a-callback", started_in_a_callback, 0, .promises = {10, 23}),
	SCENARIO("hook/nothing-starves", nothing_starves, KINDS_ALL, .promises = {10, 17, 23}),
	SCENARIO("hook/clock-of-a-turn", clock_of_a_turn, 0, .promises = {10, 23}),
	SCENARIO("hook/errors", hook_errors, 0, .promises = {14, 23}),
	SCENARIO("hook/start-and-stop", hooks_start_and_stop, 0, .promises = {7, 23}),
	SCENARIO("hook/prepare-counts-for-the-wait", prepare_counts_for_the_wait, KINDS_ALL, .promises = {23}),
	SCENARIO("hook/prepare-stops-the-last", prepare_stops_the_last, KINDS_ALL, .promises = {12, 23}),
	SCENARIO("hook/idle-does-not-sleep", idle_does_not_sleep, KINDS_ALL, .promises = {23}),
	SCENARIO("hook/trace-tells", trace_tells, KINDS_ALL, .promises = {23}),
	SCENARIO("hook/counters-count", counters_count, KINDS_ALL, .promises = {23}),
	SCENARIO("hook/data-is-kept", data_is_kept, 0, .promises = {23}),
	NO_MORE_SCENARIOS,
};

const struct group hook_group = {"hook", scenarios};
