/* The ticket rule: a delivered direction is closed until it is handed back, by whomever and
 * from wherever; `again` is an event of the next turn. */
#include "groups.h"
#include "scene.h"

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void more_arrives_undrained(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;
	size_t got = 0;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	feed_and_expect(loop, &pair, &reader, 3);
	for (int i = 0; i < 4; i++) {
		feed(&pair, 3);
		expect_silence(loop);
	}
	CHECK_EQ(read_to_end(&reader, &got), -EAGAIN);
	CHECK_EQ(got, 15);
	expect_quiet(loop, &reader, BRINK_READ);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

/* For a mechanism that looks at states, "unread data is lying there" and "all was read and as
 * much came again" are the same. */
static void same_number_of_bytes_again(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	feed(&pair, 7);
	for (int round = 0; round < 4; round++) {
		size_t got = 0;

		expect_event(loop, &reader, BRINK_READ, NOT_READ);
		CHECK_EQ(read_to_end(&reader, &got), -EAGAIN);
		CHECK_EQ(got, 7);
		feed(&pair, 7); /* before the loop waits */
	}
	expect_event(loop, &reader, BRINK_READ, NOT_READ);
	expect_silence(loop);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static void same_room_again(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe writer;

	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE);
	for (int round = 0; round < 3; round++) {
		expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
		fill_by_watch(&writer);
		drain_for_room(&pair); /* before the loop waits */
	}
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	expect_silence(loop);
	stop_probe(&writer);
	end_loop(loop, &pair);
}

static void same_number_of_connections_again(enum kind kind)
{
	int listener = open_listener(kind, 8);
	brink_loop *loop = new_loop();
	struct probe acceptor;
	int client = connect_to(listener), server;

	start_probe(loop, &acceptor, "acceptor", listener, BRINK_READ);
	for (int round = 0; round < 3; round++) {
		expect_event(loop, &acceptor, BRINK_READ, NOT_READ);
		server = brink_watch_accept(&acceptor.watch, NULL, NULL);
		CHECK_OK(server);
		CHECK_ERROR(brink_watch_accept(&acceptor.watch, NULL, NULL), -EAGAIN);
		close_fd(&server);
		close_fd(&client);
		client = connect_to(listener); /* before the loop waits */
	}
	expect_event(loop, &acceptor, BRINK_READ, NOT_READ);
	expect_silence(loop);
	close_probe(&acceptor, &listener);
	close_fd(&client);
	CHECK_OK(brink_loop_destroy(loop));
}

static void forgotten_rearm_is_silent(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	feed_and_expect(loop, &pair, &reader, 3);
	CHECK_EQ(drain(pair.ours), 3); /* by read(2), which tells the library nothing */
	expect_silence(loop);
	feed(&pair, 3);
	expect_silence(loop);
	CHECK_EQ(drain(pair.ours), 3);
	feed(&pair, 5);
	expect_silence(loop);
	CHECK_EQ(drain(pair.ours), 5);
	CHECK_OK(brink_watch_rearm(&reader.watch, BRINK_READ)); /* late, but after EAGAIN */
	expect_quiet(loop, &reader, BRINK_READ);
	feed_and_expect(loop, &pair, &reader, 1);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

/* Here the loop has seen the edge and had nobody to give it to. */
static void edge_harvested_before_rearm(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	feed(&pair, 3);
	for (int round = 0; round < 3; round++) {
		expect_event(loop, &reader, BRINK_READ, NOT_READ);
		CHECK_EQ(drain(pair.ours), 3);
		feed(&pair, 3);
		expect_silence(loop);
		CHECK_OK(brink_watch_rearm(&reader.watch, BRINK_READ));
	}
	expect_event(loop, &reader, BRINK_READ, NOT_READ);
	expect_silence(loop);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

/* The edge came and its bytes were read away: rearm must not deliver it any more. */
static void stale_edge_is_dropped_at_rearm(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	feed_and_expect(loop, &pair, &reader, 3);
	feed(&pair, 3);
	expect_silence(loop); /* the loop has seen it */
	CHECK_EQ(drain(pair.ours), 6);
	CHECK_OK(brink_watch_rearm(&reader.watch, BRINK_READ));
	expect_quiet(loop, &reader, BRINK_READ);
	feed_and_expect(loop, &pair, &reader, 3);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static void room_harvested_before_rearm(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe writer;

	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE);
	for (int round = 0; round < 2; round++) {
		expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
		fill(pair.ours);
		drain_for_room(&pair);
		expect_silence(loop);
		CHECK_OK(brink_watch_rearm(&writer.watch, BRINK_WRITE));
	}
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	expect_silence(loop);
	stop_probe(&writer);
	end_loop(loop, &pair);
}

/* The mistake of rearming without EAGAIN: an event or silence, by kernel, but no more than
 * one event, and the ticket works again after a proper EAGAIN. */
static void rearm_without_empty(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;
	char bytes[4];

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	feed_and_expect(loop, &pair, &reader, 10);
	SYSCALL(read(pair.ours, bytes, sizeof bytes));
	CHECK_OK(brink_watch_rearm(&reader.watch, BRINK_READ));
	observe(loop, &reader, "rearm after a partial read", BRINK_READ);
	CHECK_EQ(read_to_end(&reader, NULL), -EAGAIN);
	expect_quiet(loop, &reader, BRINK_READ);
	feed_and_expect(loop, &pair, &reader, 1);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static void write_rearm_without_full(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe writer;

	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE);
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	CHECK_OK(brink_watch_rearm(&writer.watch, BRINK_WRITE));
	observe(loop, &writer, "rearm of WRITE while there is room", BRINK_WRITE);
	fill_by_watch(&writer);
	expect_quiet(loop, &writer, BRINK_WRITE);
	drain_for_room(&pair);
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	stop_probe(&writer);
	end_loop(loop, &pair);
}

/* ---- the ticket handed back by another thread ---- */

struct reader_thread {
	struct pair pair;   /* what is read */
	struct pair events; /* a pipe: a byte for each event that the loop passes on */
	struct probe reader;
	int rounds;
	size_t bytes;
	unsigned rest_ms; /* how long it goes on after its rearm */
};

static void pass_on(struct probe *probe, unsigned ready)
{
	struct reader_thread *thread = probe->data;

	CHECK_EQ(ready, BRINK_READ);
	write_all(thread->events.theirs, "", 1);
}

static void *read_for_the_loop(void *argument)
{
	struct reader_thread *thread = argument;
	char bytes[256];

	for (int round = 0; round < thread->rounds; round++) {
		ssize_t n;

		read_exactly(thread->events.ours, bytes, 1);
		/* With the EAGAIN the ticket is back, and the watch is the loop's. */
		while ((n = brink_watch_read(&thread->reader.watch, bytes, sizeof bytes)) > 0)
			thread->bytes += (size_t)n;
		CHECK_ERROR(n, -EAGAIN);
		write_all(thread->pair.theirs, "x", 1);
		if (thread->rest_ms > 0)
			sleep_ms(thread->rest_ms);
	}
	return NULL;
}

/* The thread writes the next byte when it has read the last one and handed the ticket back,
 * while the loop waits without end: a lost rearm, or one that woke nobody, is the end. */
static void run_reader_thread(enum kind kind, int rounds, unsigned rest_ms)
{
	struct reader_thread thread = {.rounds = rounds, .rest_ms = rest_ms};
	brink_loop *loop = new_loop();
	pthread_t id;

	thread.pair = open_pair(kind, BRINK_READ);
	thread.events = open_pair(KIND_PIPE, BRINK_READ);
	init_probe(&thread.reader, "reader", pass_on);
	thread.reader.data = &thread;
	CHECK_OK(brink_watch_start(loop, &thread.reader.watch, thread.pair.ours, BRINK_READ));
	write_all(thread.pair.theirs, "x", 1);
	CHECK_EQ(pthread_create(&id, NULL, read_for_the_loop, &thread), 0);
	while (thread.reader.calls < (unsigned)rounds + 1)
		CHECK_OK(brink_loop_run_once(loop, -1));
	CHECK_EQ(pthread_join(id, NULL), 0);
	discard_calls(&thread.reader);
	CHECK_EQ(thread.bytes, rounds);
	expect_silence(loop);
	stop_probe(&thread.reader);
	end_loop(loop, &thread.pair);
	close_pair(&thread.events);
}

static void rearm_from_a_thread(enum kind kind)
{
	run_reader_thread(kind, is_slow() ? 20 : 200, 0);
}

/* The next event comes while the thread that handed the ticket back has not returned. */
static void rearm_while_the_thread_is_busy(enum kind kind)
{
	run_reader_thread(kind, 1, 50);
}

static void *drain_plainly(void *argument)
{
	drain(*(int *)argument);
	return NULL;
}

/* EAGAIN on a thread, an edge that the loop sees, and only then the hand-over to the loop. */
static void empty_on_a_thread_then_handed_over(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	feed(&pair, 4);
	for (int round = 0; round < 3; round++) {
		pthread_t id;

		expect_event(loop, &reader, BRINK_READ, NOT_READ);
		CHECK_EQ(pthread_create(&id, NULL, drain_plainly, &pair.ours), 0);
		CHECK_EQ(pthread_join(id, NULL), 0);
		feed(&pair, 4);
		expect_silence(loop);
		CHECK_OK(brink_watch_rearm(&reader.watch, BRINK_READ));
	}
	expect_event(loop, &reader, BRINK_READ, NOT_READ);
	expect_silence(loop);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static void *fill_plainly(void *argument)
{
	fill(*(int *)argument);
	return NULL;
}

static void full_on_a_thread_then_handed_over(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe writer;
	pthread_t id;

	start_probe(loop, &writer, "writer", pair.ours, BRINK_READ);
	expect_silence(loop); /* WRITE is nobody's yet */
	CHECK_EQ(pthread_create(&id, NULL, fill_plainly, &pair.ours), 0);
	CHECK_EQ(pthread_join(id, NULL), 0);
	drain_for_room(&pair);
	expect_silence(loop);
	CHECK_OK(brink_watch_rearm(&writer.watch, BRINK_WRITE));
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	expect_silence(loop);
	stop_probe(&writer);
	end_loop(loop, &pair);
}

/* ---- again ---- */

/* What somebody else left to be written is written by the loop: it needs a turn for that,
 * room or not, and no edge will give it one. */
static void again_gives_a_turn_for_writing(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe both;

	start_probe(loop, &both, "both", pair.ours, BRINK_READ);
	expect_silence(loop);
	CHECK_OK(brink_watch_again(&both.watch, BRINK_WRITE));
	CHECK_EQ(both.calls, 0); /* in the next turn, not now */
	expect_one_call(loop, &both, BRINK_WRITE, NOT_WRITE);
	CHECK_EQ(brink_watch_write(&both.watch, "queued", 6), 6);
	expect_silence(loop);
	fill_by_watch(&both);
	CHECK_OK(brink_watch_again(&both.watch, BRINK_WRITE)); /* also without room */
	expect_one_call(loop, &both, BRINK_WRITE, NOT_WRITE);
	expect_silence(loop);
	stop_probe(&both);
	end_loop(loop, &pair);
}

#define ORDER_SIZE 64

struct order {
	char text[ORDER_SIZE];
	size_t length;
};

/* Reads one byte a turn. */
static void read_one_and_again(struct probe *probe, unsigned ready)
{
	struct order *order = probe->data;
	char byte;
	ssize_t n = brink_watch_read(&probe->watch, &byte, 1);

	CHECK((ready & BRINK_READ) != 0);
	if (n != 1) {
		CHECK_ERROR(n, -EAGAIN);
		return;
	}
	CHECK(order->length + 1 < sizeof order->text);
	order->text[order->length++] = probe->name[0];
	probe->bytes++;
	CHECK_OK(brink_watch_again(&probe->watch, BRINK_READ));
}

static void again_lets_others_run(enum kind kind)
{
	struct pair pairs[2] = {open_pair(kind, BRINK_READ), open_pair(kind, BRINK_READ)};
	brink_loop *loop = new_loop();
	struct probe readers[2];
	static const char *const names[2] = {"a", "b"};
	struct order order = {.length = 0};

	for (int i = 0; i < 2; i++) {
		init_probe(&readers[i], names[i], read_one_and_again);
		readers[i].data = &order;
		feed(&pairs[i], 10);
		CHECK_OK(brink_watch_start(loop, &readers[i].watch, pairs[i].ours, BRINK_READ));
	}
	RUN_UNTIL(loop, readers[0].bytes == 10 && readers[1].bytes == 10);
	turn(loop); /* the last `again` finds nothing */
	for (size_t i = 0; i + 1 < order.length; i += 2) /* kernels report both in any order */
		if (order.text[i] == order.text[i + 1])
			FAIL("turns were not taken in turn: %s", order.text);
	CHECK_EQ(order.length, 20);
	accept_calls(&readers[0]);
	accept_calls(&readers[1]);
	for (int i = 0; i < 2; i++) {
		expect_quiet(loop, &readers[i], BRINK_READ);
		stop_probe(&readers[i]);
		close_pair(&pairs[i]);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static void again_while_open(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	expect_silence(loop);
	CHECK_OK(brink_watch_again(&reader.watch, BRINK_READ));
	CHECK_OK(brink_watch_again(&reader.watch, BRINK_READ)); /* two are one */
	expect_one_call(loop, &reader, BRINK_READ, NOT_READ);
	feed(&pair, 3); /* it closed the direction as any event does */
	expect_silence(loop);
	CHECK_EQ(read_to_end(&reader, NULL), -EAGAIN);
	expect_quiet(loop, &reader, BRINK_READ);
	feed_and_expect(loop, &pair, &reader, 3);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

/* The real event and the made-up one of the same turn are one call. */
static void again_beside_a_real_event(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	feed(&pair, 3);
	CHECK_OK(brink_watch_again(&reader.watch, BRINK_READ));
	expect_one_call(loop, &reader, BRINK_READ, NOT_READ);
	expect_silence(loop);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static void again_is_gone_after_stop(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	CHECK_OK(brink_watch_again(&reader.watch, BRINK_READ));
	stop_probe(&reader);
	expect_silence(loop);
	CHECK_ERROR(brink_watch_again(&reader.watch, BRINK_READ), -ENOENT);
	CHECK_ERROR(brink_watch_rearm(&reader.watch, BRINK_READ), -ENOENT);
	end_loop(loop, &pair);
}

static void *again_on_a_thread(void *argument)
{
	struct probe *reader = argument;

	sleep_ms(5); /* the loop is asleep by then, mostly */
	CHECK_OK(brink_watch_again(&reader->watch, BRINK_READ));
	return NULL;
}

/* Nothing is ever written here: the event is the made-up one. The loop waits without end, so
 * an `again` that woke nobody would be the end. */
static void again_from_a_thread(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	for (unsigned round = 1; round <= 3; round++) {
		pthread_t id;

		CHECK_EQ(pthread_create(&id, NULL, again_on_a_thread, &reader), 0);
		while (reader.calls < round)
			CHECK_OK(brink_loop_run_once(loop, -1));
		CHECK_EQ(pthread_join(id, NULL), 0);
		expect_one_call(loop, &reader, BRINK_READ, NOT_READ);
		expect_silence(loop);
	}
	stop_probe(&reader);
	end_loop(loop, &pair);
}

/* ---- the end that came early ---- */

static void end_comes_with_every_later_read(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;
	char bytes[2];

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	feed(&pair, 6);
	shut_theirs(&pair);
	expect_event(loop, &reader, BRINK_READ | BRINK_EOF, BRINK_WRITE | BRINK_ERROR);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(brink_watch_read(&reader.watch, bytes, sizeof bytes), 2);
		CHECK_OK(brink_watch_again(&reader.watch, BRINK_READ));
		expect_one_call(loop, &reader, BRINK_READ | BRINK_EOF, BRINK_WRITE | BRINK_ERROR);
	}
	CHECK_EQ(brink_watch_read(&reader.watch, bytes, sizeof bytes), 0);
	expect_silence(loop);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static void end_is_not_used_up_by_write(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ | BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe both;

	start_probe(loop, &both, "both", pair.ours, BRINK_READ | BRINK_WRITE);
	expect_event(loop, &both, BRINK_WRITE, NOT_WRITE);
	fill_by_watch(&both);
	expect_quiet(loop, &both, BRINK_WRITE);
	feed(&pair, 3);
	expect_event(loop, &both, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	shut_theirs(&pair); /* READ is closed: nobody hears of it yet */
	expect_silence(loop);
	drain_for_room(&pair);
	expect_event(loop, &both, BRINK_WRITE, NOT_WRITE);
	expect_silence(loop);
	CHECK_EQ(drain(pair.ours), 3);
	/* A mechanism that was not asked for READ meanwhile knows of no end. */
	CHECK_OK(brink_watch_again(&both.watch, BRINK_READ));
	CHECK((observe(loop, &both, "again after an end that came while READ was closed",
	               BRINK_READ | BRINK_EOF) & BRINK_READ) != 0);
	expect_end(pair.ours);
	stop_probe(&both);
	end_loop(loop, &pair);
}

/* ---- rearm where there is nothing to rearm ---- */

static struct probe *siblings[2];

/* Whoever is called first hands the other's ticket back, whose event is on its way. */
static void rearm_sibling(struct probe *probe, unsigned ready)
{
	struct probe *other = siblings[probe == siblings[0]];

	(void)ready;
	if (other->calls == 0)
		CHECK_OK(brink_watch_rearm(&other->watch, BRINK_READ));
}

static void rearm_while_an_event_is_pending(enum kind kind)
{
	struct pair pairs[2] = {open_pair(kind, BRINK_READ), open_pair(kind, BRINK_READ)};
	brink_loop *loop = new_loop();
	struct probe a, b;

	siblings[0] = &a;
	siblings[1] = &b;
	feed(&pairs[0], 1);
	feed(&pairs[1], 1);
	start_probe_acting(loop, &a, "a", pairs[0].ours, BRINK_READ, rearm_sibling);
	start_probe_acting(loop, &b, "b", pairs[1].ours, BRINK_READ, rearm_sibling);
	RUN_UNTIL(loop, a.calls > 0 && b.calls > 0);
	expect_one_call(loop, &a, BRINK_READ, NOT_READ);
	expect_one_call(loop, &b, BRINK_READ, NOT_READ);
	expect_silence(loop); /* neither was given twice */
	stop_probe(&a);
	stop_probe(&b);
	end_loop(loop, &pairs[0]);
	close_pair(&pairs[1]);
}

static void rearm_of_an_open_direction(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	for (int i = 0; i < 3; i++)
		CHECK_OK(brink_watch_rearm(&reader.watch, BRINK_READ));
	expect_quiet(loop, &reader, BRINK_READ);
	feed_and_expect(loop, &pair, &reader, 3);
	expect_silence(loop);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

/* ---- a paused reader is left in peace ---- */

static void paused_reader_costs_no_wakeups(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;
	struct brink_counters before, after;
	size_t got = 0;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	feed_and_expect(loop, &pair, &reader, 1);
	brink_loop_counters(loop, &before);
	for (int packet = 0; packet < 200; packet++) {
		feed(&pair, 1);
		CHECK_EQ(brink_loop_run_once(loop, 0), 0);
	}
	brink_loop_counters(loop, &after);
	measure("events taken from the kernel for 200 packets to a paused reader", "%llu",
	        (unsigned long long)(after.events - before.events));
	CHECK(after.events - before.events <= 4);
	CHECK_EQ(read_to_end(&reader, &got), -EAGAIN);
	CHECK_EQ(got, 201);
	expect_quiet(loop, &reader, BRINK_READ);
	feed_and_expect(loop, &pair, &reader, 1);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static const struct scenario scenarios[] = {
	SCENARIO("ticket/more-arrives-undrained", more_arrives_undrained, KINDS_ALL, .promises = {2}),
	SCENARIO("ticket/same-number-of-bytes-again", same_number_of_bytes_again, KINDS_ALL, .promises = {3}),
	SCENARIO("ticket/same-room-again", same_room_again, KINDS_ALL, .promises = {3}),
	SCENARIO("ticket/same-number-of-connections-again", same_number_of_connections_again, KINDS_STREAM,
	         .promises = {3, 16}),
	SCENARIO("ticket/forgotten-rearm-is-silent", forgotten_rearm_is_silent, KINDS_ALL, .promises = {2, 3}),
	SCENARIO("ticket/edge-harvested-before-rearm", edge_harvested_before_rearm, KINDS_ALL, .promises = {3}),
	SCENARIO("ticket/stale-edge-is-dropped-at-rearm", stale_edge_is_dropped_at_rearm, KINDS_ALL,
	         .promises = {3}),
	SCENARIO("ticket/room-harvested-before-rearm", room_harvested_before_rearm, KINDS_ALL, .promises = {3}),
	SCENARIO("ticket/rearm-without-empty", rearm_without_empty, KINDS_ALL, .promises = {3}),
	SCENARIO("ticket/write-rearm-without-full", write_rearm_without_full, KINDS_ALL, .promises = {3}),
	SCENARIO("ticket/rearm-from-a-thread", rearm_from_a_thread, KINDS_ALL, .promises = {19, 3},
	         .flags = TRACE_FREE),
	SCENARIO("ticket/rearm-while-the-thread-is-busy", rearm_while_the_thread_is_busy, KINDS_ALL,
	         .promises = {19}, .flags = TRACE_FREE),
	SCENARIO("ticket/empty-on-a-thread-then-handed-over", empty_on_a_thread_then_handed_over, KINDS_ALL,
	         .promises = {3, 19}),
	SCENARIO("ticket/full-on-a-thread-then-handed-over", full_on_a_thread_then_handed_over, KINDS_STREAM,
	         .promises = {3, 19}),
	SCENARIO("ticket/again-gives-a-turn-for-writing", again_gives_a_turn_for_writing, KINDS_STREAM,
	         .promises = {17}),
	SCENARIO("ticket/again-lets-others-run", again_lets_others_run, KINDS_ALL, .promises = {17, 8}),
	SCENARIO("ticket/again-while-open", again_while_open, KINDS_ALL, .promises = {17}),
	SCENARIO("ticket/again-beside-a-real-event", again_beside_a_real_event, KINDS_ALL, .promises = {17, 2}),
	SCENARIO("ticket/again-is-gone-after-stop", again_is_gone_after_stop, KINDS_ALL, .promises = {6, 17}),
	SCENARIO("ticket/again-from-a-thread", again_from_a_thread, KINDS_ALL, .promises = {17, 19}),
	SCENARIO("ticket/end-comes-with-every-later-read", end_comes_with_every_later_read, KINDS_ALL,
	         .promises = {4, 17}),
	SCENARIO("ticket/end-is-not-used-up-by-write", end_is_not_used_up_by_write, KINDS_STREAM,
	         .promises = {4, 5}),
	SCENARIO("ticket/rearm-while-an-event-is-pending", rearm_while_an_event_is_pending, KINDS_ALL,
	         .promises = {3, 2}),
	SCENARIO("ticket/rearm-of-an-open-direction", rearm_of_an_open_direction, KINDS_ALL, .promises = {3}),
	SCENARIO("ticket/paused-reader-costs-no-wakeups", paused_reader_costs_no_wakeups, KINDS_ALL,
	         .promises = {2}),
	NO_MORE_SCENARIOS,
};

const struct group ticket_group = {"ticket", scenarios};
