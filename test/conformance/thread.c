/* Watches and loops that several threads have a part in. */
#include "groups.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void on_thread(void *(*act)(void *), void *data)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, act, data), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* ---- a ticket handed back by another thread ---- */

struct helper {
	struct probe *probe;
	struct pair *pair;
	size_t bytes;
	bool own_calls; /* read(2) and rearm instead of brink_watch_read() */
	bool feed_between; /* new data between EAGAIN and the hand-over */
	ssize_t result;
};

static void read_plainly(struct helper *helper)
{
	char bytes[256];

	while ((helper->result = read(helper->probe->watch.fd, bytes, sizeof bytes)) > 0)
		helper->bytes += (size_t)helper->result;
	CHECK(helper->result < 0 && errno == EAGAIN);
	if (helper->feed_between)
		feed(helper->pair, 7);
	CHECK_OK(brink_watch_rearm(&helper->probe->watch, BRINK_READ)); /* its last touch */
}

static void *read_elsewhere(void *data)
{
	struct helper *helper = data;

	sleep_ms(2); /* the loop most likely waits */
	if (helper->own_calls) {
		read_plainly(helper);
		return NULL;
	}
	helper->result = read_to_end(helper->probe, &helper->bytes);
	CHECK_EQ(helper->result, -EAGAIN);
	return NULL;
}

static void turn_once(brink_loop *loop)
{
	CHECK_OK(brink_loop_run_once(loop, (int64_t)BRINK_MS(5)));
}

static void handed_back(enum kind kind, bool own_calls, bool feed_between)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct probe reader;
	struct helper helper = {&reader, &pair, .own_calls = own_calls, .feed_between = feed_between};
	pthread_t thread;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	feed(&pair, 5);
	for (unsigned round = 1; round <= 10; round++) {
		expect_event(loop, &reader, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
		CHECK_EQ(pthread_create(&thread, NULL, read_elsewhere, &helper), 0);
		turn_once(loop);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		if (!feed_between)
			feed(&pair, 5);
	}
	expect_event(loop, &reader, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	CHECK_EQ(read_to_end(&reader, &helper.bytes), -EAGAIN);
	CHECK_EQ(helper.bytes, feed_between ? 5 + 10 * 7 : 11 * 5);
	expect_quiet(loop, &reader, BRINK_READ);
	stop_probe(&reader);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

static void rearm_while_the_loop_waits(enum kind kind)
{
	handed_back(kind, true, false);
}

static void data_between_empty_and_hand_over(enum kind kind)
{
	handed_back(kind, true, true);
}

static void read_by_helper(enum kind kind)
{
	handed_back(kind, false, false);
}

/* The loop sleeps without an end, and only the hand-over wakes it. */
static void *read_then_feed(void *data)
{
	struct helper *helper = data;

	sleep_ms(5);
	read_plainly(helper);
	return NULL;
}

static void rearm_ends_the_wait(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct probe reader;
	struct helper helper = {&reader, &pair, .feed_between = true};
	pthread_t thread;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	feed(&pair, 5);
	expect_event(loop, &reader, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	for (unsigned round = 2; round < 12; round++) {
		CHECK_EQ(pthread_create(&thread, NULL, read_then_feed, &helper), 0);
		while (reader.calls < round) /* a lost one is a hang */
			CHECK_OK(brink_loop_run_once(loop, -1));
		CHECK_EQ(pthread_join(thread, NULL), 0);
		accept_calls(&reader);
	}
	stop_probe(&reader);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

static void *rearm_only(void *probe)
{
	CHECK_OK(brink_watch_rearm(&((struct probe *)probe)->watch, BRINK_READ));
	return NULL;
}

/* The hand-over calls nobody: a turn with it alone made no call, and the rest of the time is waited. */
static void rearm_is_no_call(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct probe reader;
	uint64_t before;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	feed(&pair, 5);
	expect_event(loop, &reader, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	CHECK_EQ(read_to_end(&reader, NULL), -EAGAIN);
	for (unsigned i = 0; i < 5; i++) {
		unsigned calls = reader.calls;

		on_thread(rearm_only, &reader);
		before = monotonic_now();
		if (brink_loop_run_once(loop, (int64_t)BRINK_MS(20)) == 0)
			CHECK(monotonic_now() - before >= BRINK_MS(20));
		else
			CHECK(reader.calls > calls); /* for nothing, where that is permitted */
	}
	accept_calls(&reader);
	stop_probe(&reader);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

static void *ask_again(void *probe)
{
	sleep_ms(2);
	CHECK_OK(brink_watch_again(&((struct probe *)probe)->watch, BRINK_READ));
	return NULL;
}

static void again_from_elsewhere(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct probe reader;
	pthread_t thread;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	expect_silence(loop);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(pthread_create(&thread, NULL, ask_again, &reader), 0);
		expect_one_call(loop, &reader, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		expect_silence(loop);
	}
	stop_probe(&reader);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

/* ---- loops that move from thread to thread ---- */

struct traveller {
	brink_loop *loop;
	struct pair pair;
	struct probe reader;
	brink_timer timer;
	unsigned timers;
};

static void timer_called(brink_timer *timer)
{
	brink_container_of(timer, struct traveller, timer)->timers++;
}

static void *create_loop(void *data)
{
	struct traveller *traveller = data;

	traveller->loop = new_loop();
	start_probe(traveller->loop, &traveller->reader, "reader", traveller->pair.ours, BRINK_READ);
	CHECK_OK(brink_timer_start(traveller->loop, &traveller->timer, BRINK_MS(1), 0));
	return NULL;
}

static void *run_loop(void *data)
{
	struct traveller *traveller = data;
	unsigned timers = traveller->timers;

	RUN_UNTIL(traveller->loop, traveller->timers == timers + 1);
	feed(&traveller->pair, 3);
	expect_event(traveller->loop, &traveller->reader, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	CHECK_EQ(read_to_end(&traveller->reader, NULL), -EAGAIN);
	expect_quiet(traveller->loop, &traveller->reader, BRINK_READ);
	CHECK_OK(brink_timer_start(traveller->loop, &traveller->timer, BRINK_MS(1), 0));
	return NULL;
}

/* Created in one, run in others, the earlier ones gone; destroyed here. */
static void from_thread_to_thread(enum kind kind)
{
	struct traveller traveller = {.pair = open_pair(kind, BRINK_READ)};

	brink_timer_init(&traveller.timer, timer_called);
	on_thread(create_loop, &traveller);
	on_thread(run_loop, &traveller);
	on_thread(run_loop, &traveller);
	run_loop(&traveller);
	on_thread(run_loop, &traveller);
	run_loop(&traveller); /* now it is this thread's, which may stop what is started on it */
	stop_probe(&traveller.reader);
	CHECK_OK(brink_loop_destroy(traveller.loop));
	close_pair(&traveller.pair);
}

static void *destroy_loop(void *data)
{
	CHECK_OK(brink_loop_destroy(((struct traveller *)data)->loop));
	return NULL;
}

static void destroyed_elsewhere(enum kind kind)
{
	struct traveller traveller = {.pair = open_pair(kind, BRINK_READ)};

	brink_timer_init(&traveller.timer, timer_called);
	create_loop(&traveller);
	on_thread(run_loop, &traveller);
	on_thread(destroy_loop, &traveller);
	CHECK_EQ(brink_watch_active(&traveller.reader.watch), 0);
	CHECK_EQ(brink_timer_active(&traveller.timer), 0);
	close_pair(&traveller.pair);
}

/* ---- asked by any thread ---- */

struct asker {
	brink_loop *loop;
	unsigned features;
	const char *backend, *description;
	atomic_bool over;
};

static void *ask_for_ever(void *data)
{
	struct asker *asker = data;

	while (!atomic_load(&asker->over)) {
		CHECK_EQ(brink_loop_features(asker->loop), asker->features);
		CHECK(brink_loop_backend(asker->loop) == asker->backend);
		CHECK(brink_loop_description(asker->loop) == asker->description);
	}
	return NULL;
}

static void *turn_here(void *loop)
{
	CHECK_OK(brink_loop_run_once(loop, 0));
	return NULL;
}

/* While it goes from thread to thread, and may get another queue of the kernel's each time. What is wrong shows under
 * the sanitizers. */
static void asked_while_it_moves(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct asker asker = {
		.loop = loop, .features = brink_loop_features(loop), .backend = brink_loop_backend(loop),
		.description = brink_loop_description(loop)};
	pthread_t thread;

	(void)kind;
	CHECK_EQ(pthread_create(&thread, NULL, ask_for_ever, &asker), 0);
	for (unsigned i = 0; i < 50; i++) {
		on_thread(turn_here, loop);
		turn_here(loop);
	}
	atomic_store(&asker.over, true);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- loops beside each other ---- */

struct sleeper {
	brink_loop *loop;
	struct probe reader;
	int result;
};

static void stop_loop(struct probe *probe, unsigned ready)
{
	(void)ready;
	brink_loop_stop(probe->watch.loop);
}

static void *run_sleeper(void *data)
{
	struct sleeper *sleeper = data;

	sleeper->result = brink_loop_run(sleeper->loop);
	return NULL;
}

/* Others come, watch the same descriptor, and go, while one loop waits for it. */
static void others_come_and_go(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	struct sleeper sleeper = {.loop = new_loop()};
	pthread_t thread;

	start_probe_acting(sleeper.loop, &sleeper.reader, "sleeper", pair.ours, BRINK_READ, stop_loop);
	CHECK_EQ(pthread_create(&thread, NULL, run_sleeper, &sleeper), 0);
	for (int i = 0; i < 20; i++) {
		brink_loop *loop = new_loop();
		struct probe other;

		start_probe(loop, &other, "other", pair.ours, BRINK_READ);
		CHECK_EQ(brink_loop_run_once(loop, (int64_t)BRINK_MS(1)), 0);
		if (i % 2 == 0)
			stop_probe(&other);
		CHECK_OK(brink_loop_destroy(loop));
	}
	feed(&pair, 3);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(sleeper.result, 1);
	CHECK_EQ(sleeper.reader.calls, 1);
	CHECK_EQ(sleeper.reader.ready, BRINK_READ);
	accept_calls(&sleeper.reader);
	expect_silence(sleeper.loop); /* which makes the loop this thread's */
	stop_probe(&sleeper.reader);
	CHECK_OK(brink_loop_destroy(sleeper.loop));
	close_pair(&pair);
}

/* Two loops on one descriptor: one stops its watch, and the other one closes. */
static void one_stops_the_other_closes(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *first = new_loop(), *second = new_loop();
	struct probe one, other;

	start_probe(first, &one, "first", pair.ours, BRINK_READ);
	start_probe(second, &other, "second", pair.ours, BRINK_READ);
	expect_silence(first);
	expect_silence(second);
	stop_probe(&one);
	feed(&pair, 3);
	expect_silence(first);
	expect_event(second, &other, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	close_probe(&other, &pair.ours);
	expect_silence(first);
	expect_silence(second);
	CHECK_OK(brink_loop_destroy(first));
	CHECK_OK(brink_loop_destroy(second));
	close_pair(&pair);
}

/* ---- asynchronous start and stop ---- */

struct visitor {
	struct probe probe;
	brink_loop *loop;
	int fd;
	atomic_int done, result;
	pthread_t done_on;
};

static void is_done(brink_watch *watch, int result)
{
	struct visitor *visitor = brink_container_of(watch, struct visitor, probe.watch);

	visitor->done_on = pthread_self();
	atomic_store(&visitor->result, result);
	atomic_fetch_add(&visitor->done, 1);
}

static void *start_elsewhere(void *data)
{
	struct visitor *visitor = data;
	brink_watch *watch = &visitor->probe.watch;

	CHECK_ERROR(brink_watch_start_async(visitor->loop, watch, visitor->fd, 0, is_done), -EINVAL);
	CHECK_EQ(brink_watch_start_async(visitor->loop, watch, visitor->fd, BRINK_READ, is_done), 0);
	return NULL;
}

static void *stop_elsewhere(void *data)
{
	struct visitor *visitor = data;

	CHECK_EQ(brink_watch_stop_async(&visitor->probe.watch, is_done), 0);
	return NULL;
}

static void start_and_stop_elsewhere(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct visitor visitor = {.loop = loop, .fd = pair.ours};

	init_probe(&visitor.probe, "visitor", NULL);
	feed(&pair, 1);
	for (int round = 0; round < 3; round++) {
		atomic_store(&visitor.done, 0);
		on_thread(start_elsewhere, &visitor);
		RUN_UNTIL(loop, atomic_load(&visitor.done) == 1);
		CHECK_EQ(atomic_load(&visitor.result), 0);
		CHECK(pthread_equal(visitor.done_on, pthread_self()));
		CHECK_EQ(brink_watch_active(&visitor.probe.watch), 1);
		expect_event(loop, &visitor.probe, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
		on_thread(stop_elsewhere, &visitor);
		RUN_UNTIL(loop, atomic_load(&visitor.done) == 2);
		CHECK_EQ(atomic_load(&visitor.result), 0);
		CHECK_EQ(brink_watch_active(&visitor.probe.watch), 0);
		expect_silence(loop);
	}
	on_thread(stop_elsewhere, &visitor);
	RUN_UNTIL(loop, atomic_load(&visitor.done) == 3);
	CHECK_ERROR(atomic_load(&visitor.result), -ENOENT);
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

static void async_errors(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct visitor first = {.loop = loop, .fd = pair.ours}, second = {.loop = loop, .fd = pair.ours};
	int closed = dup(pair.ours);

	init_probe(&first.probe, "first", NULL);
	init_probe(&second.probe, "second", NULL);
	on_thread(start_elsewhere, &first);
	CHECK_ERROR(brink_watch_start_async(loop, &first.probe.watch, first.fd, BRINK_READ, is_done), -EBUSY);
	CHECK_ERROR(brink_watch_stop_async(&first.probe.watch, is_done), -EBUSY);
	on_thread(start_elsewhere, &second);
	RUN_UNTIL(loop, atomic_load(&first.done) == 1 && atomic_load(&second.done) == 1);
	CHECK_EQ(atomic_load(&first.result), 0);
	CHECK_ERROR(atomic_load(&second.result), -EEXIST);
	SYSCALL(closed);
	SYSCALL(close(closed));
	second.fd = closed;
	on_thread(start_elsewhere, &second);
	RUN_UNTIL(loop, atomic_load(&second.done) == 2);
	CHECK_ERROR(atomic_load(&second.result), -EBADF);
	CHECK_EQ(brink_watch_active(&second.probe.watch), 0);
	stop_probe(&first.probe);
	CHECK_EQ(brink_watch_start_async(loop, &first.probe.watch, first.fd, BRINK_READ, NULL), 0); /* no done */
	feed(&pair, 1);
	expect_event(loop, &first.probe, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	stop_probe(&first.probe);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

/* A start that is under way keeps run from returning. */
static void async_start_keeps_running(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct visitor visitor = {.loop = loop, .fd = pair.ours};

	init_probe(&visitor.probe, "visitor", act_stop);
	feed(&pair, 1);
	on_thread(start_elsewhere, &visitor);
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_EQ(atomic_load(&visitor.done), 1);
	CHECK_EQ(visitor.probe.calls, 1);
	accept_calls(&visitor.probe);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

/* Many at once, from many threads, while the loop runs. */
enum { VISITORS = 4 };

static atomic_uint visitors_ended;

static void start_is_done(brink_watch *watch, int result)
{
	CHECK_EQ(result, 0);
	(void)watch;
}

static void visit_ends(struct probe *probe, unsigned ready)
{
	CHECK_EQ(ready, BRINK_READ);
	stop_probe(probe);
	if (atomic_fetch_add(&visitors_ended, 1u) + 1 == VISITORS * 8)
		brink_loop_stop(probe->watch.loop);
}

struct gate {
	brink_loop *loop;
	enum kind kind;
	struct probe probes[8];
	struct pair pairs[8];
};

static void *visit(void *data)
{
	struct gate *gate = data;

	for (int i = 0; i < 8; i++) {
		CHECK_OK(brink_watch_start_async(gate->loop, &gate->probes[i].watch, gate->pairs[i].ours, BRINK_READ,
		                                 start_is_done));
		if (i % 2 == 0)
			sleep_ms(1);
		write_all(gate->pairs[i].theirs, "x", 1);
	}
	return NULL;
}

static void many_async_starts(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct gate gates[VISITORS];
	pthread_t threads[VISITORS];

	brink_loop_ref(loop);
	for (int i = 0; i < VISITORS; i++) {
		gates[i].loop = loop;
		for (int k = 0; k < 8; k++) {
			gates[i].pairs[k] = open_pair(kind, BRINK_READ);
			init_probe(&gates[i].probes[k], "visitor", visit_ends);
		}
	}
	for (int i = 0; i < VISITORS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, visit, &gates[i]), 0);
	CHECK_EQ(brink_loop_run(loop), 1);
	brink_loop_unref(loop);
	for (int i = 0; i < VISITORS; i++) {
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
		for (int k = 0; k < 8; k++) {
			accept_calls(&gates[i].probes[k]);
			close_pair(&gates[i].pairs[k]);
		}
	}
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("thread/rearm-while-the-loop-waits", rearm_while_the_loop_waits, KINDS_ALL, .promises = {3, 19}),
	SCENARIO("thread/data-between-empty-and-hand-over", data_between_empty_and_hand_over, KINDS_ALL,
	         .promises = {3, 19}),
	SCENARIO("thread/read-by-helper", read_by_helper, KINDS_ALL, .promises = {16, 19}),
	SCENARIO("thread/rearm-ends-the-wait", rearm_ends_the_wait, KINDS_ALL, .promises = {3, 19}, .flags = TRACE_FREE),
	SCENARIO("thread/rearm-is-no-call", rearm_is_no_call, KINDS_ALL, .promises = {11, 19}, .flags = TRACE_FREE),
	SCENARIO("thread/again-from-elsewhere", again_from_elsewhere, KINDS_ALL, .promises = {17, 19}),
	SCENARIO("thread/from-thread-to-thread", from_thread_to_thread, KINDS_ALL, .promises = {19}),
	SCENARIO("thread/destroyed-elsewhere", destroyed_elsewhere, KINDS_ALL, .promises = {19}),
	SCENARIO("thread/asked-while-it-moves", asked_while_it_moves, 0, .promises = {19}),
	SCENARIO("thread/others-come-and-go", others_come_and_go, KINDS_ALL, .promises = {1, 19}),
	SCENARIO("thread/one-stops-the-other-closes", one_stops_the_other_closes, KINDS_ALL, .promises = {6, 19}),
	SCENARIO("thread/start-and-stop-elsewhere", start_and_stop_elsewhere, KINDS_ALL, .promises = {19}),
	SCENARIO("thread/async-errors", async_errors, KINDS_ALL, .promises = {14, 19}),
	SCENARIO("thread/async-start-keeps-running", async_start_keeps_running, KINDS_ALL, .promises = {12, 19}),
	SCENARIO("thread/many-async-starts", many_async_starts, KINDS_ALL, .promises = {19}),
	NO_MORE_SCENARIOS,
};

const struct group thread_group = {"thread", scenarios};
