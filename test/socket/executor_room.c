/* Waiting for room in an executor: nobody polls, and nobody waits for ever. */
#include "groups.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static brink_executor *executor;

static void start(unsigned threads, size_t capacity)
{
	CHECK_OK(brink_executor_create(&executor, &(struct brink_executor_options){
		.threads = threads, .capacity = capacity}));
}

/* Tasks that each keep the only thread until they are let go. */
struct gate {
	brink_task task;
	atomic_bool reached, open;
};

static void on_gate(brink_task *task)
{
	struct gate *gate = brink_container_of(task, struct gate, task);

	atomic_store(&gate->reached, true);
	while (!atomic_load(&gate->open))
		sleep_ms(1);
}

static void post_gate(struct gate *gate)
{
	memset(gate, 0, sizeof *gate);
	brink_task_init(&gate->task, on_gate);
	CHECK_OK(brink_executor_post(executor, &gate->task));
}

static void await_gate(struct gate *gate)
{
	while (!atomic_load(&gate->reached))
		sleep_ms(1);
}

#define CAPACITY 4u

/* The thread is in gates[0], and the queue is full of the others. */
static void fill_up(struct gate *gates)
{
	start(1, CAPACITY);
	post_gate(&gates[0]);
	await_gate(&gates[0]);
	for (unsigned i = 1; i <= CAPACITY; i++)
		post_gate(&gates[i]);
	CHECK_EQ(brink_executor_queued(executor), CAPACITY);
}

/* Lets the thread go on from gates[from] to gates[to]: to - from more places are free. */
static void advance(struct gate *gates, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		atomic_store(&gates[i].open, true);
	await_gate(&gates[to]);
}

static void finish(struct gate *gates, unsigned from)
{
	for (unsigned i = from; i <= CAPACITY; i++)
		atomic_store(&gates[i].open, true);
	CHECK_OK(brink_executor_destroy(executor));
}

/* ---- threads ---- */

static void bad_waits(enum kind kind)
{
	struct gate gates[CAPACITY + 1];
	uint64_t before;

	(void)kind;
	fill_up(gates);
	CHECK_ERROR(brink_executor_wait(executor, CAPACITY + 1, -1), -EINVAL);
	CHECK_ERROR(brink_executor_wait(executor, 1, 0), -ETIMEDOUT);
	before = monotonic_now();
	CHECK_ERROR(brink_executor_wait(executor, 1, (int64_t)BRINK_MS(20)), -ETIMEDOUT);
	CHECK(monotonic_now() - before >= BRINK_MS(20));
	advance(gates, 0, 2);
	CHECK_ERROR(brink_executor_wait(executor, 3, 0), -ETIMEDOUT);
	CHECK_OK(brink_executor_wait(executor, 2, 0));
	CHECK_OK(brink_executor_wait(executor, 0, 0));
	CHECK_OK(brink_executor_wait(executor, 1, INT64_MAX));
	finish(gates, 2);
}

struct waiter {
	pthread_t thread;
	size_t room;
	atomic_bool done;
};

static void *wait_for_room(void *arg)
{
	struct waiter *waiter = arg;

	CHECK_OK(brink_executor_wait(executor, waiter->room, -1));
	atomic_store(&waiter->done, true);
	return NULL;
}

/* Not before there is room for all that was asked for. */
static void threads_wait(enum kind kind)
{
	struct gate gates[CAPACITY + 1];
	struct waiter waiter = {.room = 3};

	(void)kind;
	fill_up(gates);
	CHECK_EQ(pthread_create(&waiter.thread, NULL, wait_for_room, &waiter), 0);
	sleep_ms(20);
	CHECK(!atomic_load(&waiter.done));
	advance(gates, 0, 2);
	sleep_ms(20);
	CHECK(!atomic_load(&waiter.done));
	advance(gates, 2, 3);
	CHECK_EQ(pthread_join(waiter.thread, NULL), 0);
	CHECK(atomic_load(&waiter.done));
	finish(gates, 3);
}

/* ---- loops ---- */

struct caller {
	brink_executor_room place;
	unsigned calls;
	unsigned order;
};

static unsigned told;

static void on_room(brink_task *task)
{
	struct caller *caller = brink_container_of(task, struct caller, place.task);

	caller->calls++;
	caller->order = told++;
}

static void line_up(brink_loop *loop, struct caller *caller, size_t room)
{
	memset(caller, 0, sizeof *caller);
	brink_task_init(&caller->place.task, on_room);
	brink_executor_call_when_free(executor, loop, room, &caller->place);
}

/* A moment in which the loop makes no call. */
static void expect_nothing(brink_loop *loop)
{
	CHECK_EQ(brink_loop_run_once(loop, (int64_t)BRINK_MS(20)), 0);
}

static void called_at_once(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct caller caller;

	(void)kind;
	start(1, CAPACITY);
	line_up(loop, &caller, CAPACITY);
	CHECK_EQ(caller.calls, 0); /* not from inside */
	RUN_UNTIL(loop, caller.calls == 1);
	line_up(loop, &caller, 1000); /* as much as there can be */
	RUN_UNTIL(loop, caller.calls == 1);
	expect_nothing(loop);
	CHECK_EQ(caller.calls, 1);
	CHECK_OK(brink_executor_destroy(executor));
	brink_loop_destroy(loop);
}

/* When there is room for what was asked for, in the order in which it was. The loop sleeps
 * meanwhile. */
static void called_in_order(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct gate gates[CAPACITY + 1];
	struct caller callers[4];

	(void)kind;
	fill_up(gates);
	line_up(loop, &callers[0], 2);
	line_up(loop, &callers[1], 1);
	line_up(loop, &callers[2], 3);
	brink_loop_ref(loop);
	expect_nothing(loop);
	advance(gates, 0, 1);
	expect_nothing(loop); /* there would be room for [1], but [0] was first */
	line_up(loop, &callers[3], 1);
	expect_nothing(loop); /* nor does a newcomer get it */
	CHECK_EQ(told, 0);
	advance(gates, 1, 2);
	RUN_UNTIL(loop, told == 1);
	expect_nothing(loop);
	CHECK_EQ(callers[0].calls, 1);
	advance(gates, 2, 3);
	RUN_UNTIL(loop, told == 2);
	CHECK_EQ(callers[1].calls, 1);
	expect_nothing(loop); /* of three places, [1] was promised one */
	advance(gates, 3, 4);
	RUN_UNTIL(loop, told == 4);
	for (unsigned i = 0; i < 4; i++)
		CHECK(callers[i].calls == 1 && callers[i].order == i);
	finish(gates, 4);
	brink_loop_unref(loop);
	brink_loop_destroy(loop);
}

/* Who was told need not post; that is no reason for the others to wait. */
static void called_though_room_is_not_used(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct gate gates[CAPACITY + 1];
	struct caller callers[5 * CAPACITY];

	(void)kind;
	fill_up(gates);
	for (unsigned i = 0; i < 5 * CAPACITY; i++)
		line_up(loop, &callers[i], CAPACITY);
	advance(gates, 0, CAPACITY);
	RUN_UNTIL(loop, told == 5 * CAPACITY);
	finish(gates, CAPACITY);
	brink_loop_destroy(loop);
}

static void cancelled(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct gate gates[CAPACITY + 1];
	struct caller callers[3];
	struct caller never;

	(void)kind;
	memset(&never, 0, sizeof never);
	fill_up(gates);
	CHECK_ERROR(brink_executor_cancel_wait(executor, &never.place), -ENOENT);
	for (unsigned i = 0; i < 3; i++)
		line_up(loop, &callers[i], 1);
	CHECK_OK(brink_executor_cancel_wait(executor, &callers[1].place)); /* in the line */
	CHECK_ERROR(brink_executor_cancel_wait(executor, &callers[1].place), -ENOENT);
	advance(gates, 0, 3);
	CHECK_OK(brink_executor_cancel_wait(executor, &callers[2].place)); /* posted, not called */
	CHECK_ERROR(brink_executor_cancel_wait(executor, &callers[2].place), -ENOENT);
	RUN_UNTIL(loop, callers[0].calls == 1);
	CHECK_ERROR(brink_executor_cancel_wait(executor, &callers[0].place), -ENOENT);
	finish(gates, 3);
	expect_nothing(loop);
	CHECK_EQ(told, 1);
	brink_loop_destroy(loop);
}

static void *wait_for_all_in_vain(void *arg)
{
	(void)arg;
	CHECK_ERROR(brink_executor_wait(executor, CAPACITY, (int64_t)BRINK_MS(100)), -ETIMEDOUT);
	return NULL;
}

/* Who leaves the line has kept those behind from room that there is: they are told, although the thread stays where
 * it is, and takes nothing more. */
static void who_leaves_lets_others_out(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct gate gates[CAPACITY + 1];
	struct caller callers[2];
	pthread_t thread;

	(void)kind;
	fill_up(gates);
	advance(gates, 0, 1);
	line_up(loop, &callers[0], 2);
	line_up(loop, &callers[1], 1);
	CHECK_OK(brink_executor_cancel_wait(executor, &callers[0].place));
	RUN_UNTIL(loop, callers[1].calls == 1);
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_all_in_vain, NULL), 0);
	sleep_ms(20); /* most likely it is the first */
	line_up(loop, &callers[1], 1);
	RUN_UNTIL(loop, callers[1].calls == 1);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(callers[0].calls, 0);
	finish(gates, 1);
	brink_loop_destroy(loop);
}

/* ---- many rounds ---- */

/* A loop on a thread of its own that posts its jobs one by one, or in batches of `room`, and
 * waits in line whenever there is no room. A lost call leaves it waiting for ever. */
struct source {
	pthread_t thread;
	brink_loop *loop;
	brink_executor_room place;
	unsigned room, next, count, waits;
	struct job {
		brink_task task;
		unsigned calls;
	} *jobs;
};

static void on_job(brink_task *task)
{
	brink_container_of(task, struct job, task)->calls++;
}

static void hand_out(struct source *source)
{
	while (source->next < source->count) {
		struct job *jobs = source->jobs + source->next;

		for (unsigned i = 0; i < source->room; i++)
			jobs[i].task.next = i + 1 < source->room ? &jobs[i + 1].task : NULL;
		if (brink_executor_post_list(executor, &jobs->task, source->room) == -EAGAIN) {
			source->waits++;
			brink_executor_call_when_free(executor, source->loop, source->room, &source->place);
			return;
		}
		source->next += source->room;
	}
	brink_loop_stop(source->loop);
}

static void on_room_of_source(brink_task *task)
{
	hand_out(brink_container_of(task, struct source, place.task));
}

static void *run_source(void *arg)
{
	struct source *source = arg;

	brink_loop_ref(source->loop);
	hand_out(source);
	CHECK_OK(brink_loop_run(source->loop));
	return NULL;
}

static void *run_blocking_source(void *arg)
{
	struct source *source = arg;

	for (; source->next < source->count; source->next++) {
		while (brink_executor_post(executor, &source->jobs[source->next].task) == -EAGAIN) {
			source->waits++;
			CHECK_OK(brink_executor_wait(executor, 1, -1));
		}
	}
	return NULL;
}

#define SOURCES 5u

static void many_rounds(unsigned threads, size_t capacity, const unsigned *rooms)
{
	struct source sources[SOURCES];
	unsigned count = is_slow() ? 600 : is_long() ? 60000 : 1800; /* divided by each room */

	start(threads, capacity);
	for (unsigned s = 0; s < SOURCES; s++) {
		sources[s] = (struct source){.room = rooms[s], .count = count};
		sources[s].jobs = calloc(count, sizeof *sources[s].jobs);
		CHECK(sources[s].jobs != NULL);
		for (unsigned i = 0; i < count; i++)
			brink_task_init(&sources[s].jobs[i].task, on_job);
		brink_task_init(&sources[s].place.task, on_room_of_source);
		if (rooms[s] != 0)
			sources[s].loop = new_loop();
		CHECK_EQ(pthread_create(&sources[s].thread, NULL,
		                        rooms[s] != 0 ? run_source : run_blocking_source, &sources[s]), 0);
	}
	for (unsigned s = 0; s < SOURCES; s++)
		CHECK_EQ(pthread_join(sources[s].thread, NULL), 0);
	CHECK_OK(brink_executor_destroy(executor));
	for (unsigned s = 0; s < SOURCES; s++) {
		for (unsigned i = 0; i < count; i++)
			CHECK_EQ(sources[s].jobs[i].calls, 1);
		brink_loop_destroy(sources[s].loop);
		free(sources[s].jobs);
	}
}

static void no_call_is_lost(enum kind kind)
{
	static const unsigned singles[SOURCES] = {1, 1, 0, 1, 0}, mixed[SOURCES] = {1, 6, 2, 3, 0};

	(void)kind;
	many_rounds(1, 1, singles);
	many_rounds(2, 6, mixed);
	many_rounds(3, 7, mixed);
}

static const struct scenario scenarios[] = {
	SCENARIO("executor-room/bad-waits", bad_waits, 0),
	SCENARIO("executor-room/threads-wait", threads_wait, 0),
	SCENARIO("executor-room/called-at-once", called_at_once, 0),
	SCENARIO("executor-room/called-in-order", called_in_order, 0),
	SCENARIO("executor-room/called-though-room-is-not-used", called_though_room_is_not_used, 0),
	SCENARIO("executor-room/cancelled", cancelled, 0),
	SCENARIO("executor-room/who-leaves-lets-others-out", who_leaves_lets_others_out, 0),
	SCENARIO("executor-room/no-call-is-lost", no_call_is_lost, 0),
	NO_MORE_SCENARIOS,
};
const struct group executor_room_group = {"executor-room", scenarios};
