/* Level-triggered watches: called each turn while ready, without tickets. */
#include "groups.h"
#include "scene.h"

#include <sys/socket.h>
#include <unistd.h>

/* A level-triggered probe is called again and again: each turn must call it, with nothing
 * of `forbidden`. How often in all is left out of the trace. */
static void expect_each_turn(brink_loop *loop, struct probe *probe, unsigned required, unsigned forbidden)
{
	uint64_t end = hang_deadline();

	discard_calls(probe);
	while (probe->new_calls == 0) { /* until the kernel has it */
		turn(loop);
		if (monotonic_now() > end)
			FAIL("%s never said %s", probe->name, bits_text(required));
	}
	for (int i = 0; i < 4; i++) {
		unsigned before = probe->calls;

		turn(loop);
		CHECK_EQ(probe->calls, before + 1);
		CHECK((probe->last & required) == required);
		CHECK((probe->last & forbidden) == 0);
	}
	discard_calls(probe);
}

static void repeats_until_drained(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;
	char bytes[4];

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ | BRINK_LEVEL);
	expect_silence(loop);
	for (int round = 0; round < 2; round++) {
		feed(&pair, 10);
		feed(&pair, 10); /* two, for datagrams */
		expect_each_turn(loop, &reader, BRINK_READ, NOT_READ);
		SYSCALL(read(pair.ours, bytes, sizeof bytes)); /* in part */
		expect_each_turn(loop, &reader, BRINK_READ, NOT_READ);
		drain(pair.ours);
		expect_silence(loop);
	}
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static void writable_each_turn(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe writer;

	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE | BRINK_LEVEL);
	expect_each_turn(loop, &writer, BRINK_WRITE, BRINK_READ | BRINK_EOF | BRINK_ERROR);
	fill(pair.ours);
	expect_silence(loop);
	drain_for_room(&pair);
	expect_each_turn(loop, &writer, BRINK_WRITE, BRINK_READ | BRINK_EOF | BRINK_ERROR);
	stop_probe(&writer);
	end_loop(loop, &pair);
}

/* The reads of the library work here too, and have no ticket to hand back. */
static void helpers_on_a_level_watch(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;
	char bytes[4];

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ | BRINK_LEVEL);
	feed(&pair, 6);
	expect_each_turn(loop, &reader, BRINK_READ, NOT_READ);
	CHECK_EQ(brink_watch_read(&reader.watch, bytes, sizeof bytes), 4);
	expect_each_turn(loop, &reader, BRINK_READ, NOT_READ);
	CHECK_EQ(brink_watch_read(&reader.watch, bytes, sizeof bytes), 2);
	CHECK_ERROR(brink_watch_read(&reader.watch, bytes, sizeof bytes), -EAGAIN);
	expect_silence(loop);
	feed(&pair, 1);
	expect_each_turn(loop, &reader, BRINK_READ, NOT_READ);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static void interest_changes(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ | BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe both;

	feed(&pair, 3);
	start_probe(loop, &both, "both", pair.ours, BRINK_LEVEL); /* no direction yet */
	expect_silence(loop);
	CHECK_OK(brink_watch_set(&both.watch, BRINK_WRITE));
	expect_each_turn(loop, &both, BRINK_WRITE, BRINK_READ);
	CHECK_OK(brink_watch_set(&both.watch, BRINK_READ | BRINK_WRITE));
	expect_each_turn(loop, &both, BRINK_READ | BRINK_WRITE, BRINK_EOF | BRINK_ERROR);
	CHECK_OK(brink_watch_set(&both.watch, BRINK_READ));
	expect_each_turn(loop, &both, BRINK_READ, BRINK_WRITE);
	CHECK_OK(brink_watch_set(&both.watch, 0));
	expect_silence(loop);
	CHECK_OK(brink_watch_set(&both.watch, BRINK_READ)); /* what is lying there is seen again */
	expect_each_turn(loop, &both, BRINK_READ, BRINK_WRITE);
	CHECK_OK(brink_watch_set(&both.watch, BRINK_WRITE)); /* and none in between */
	expect_each_turn(loop, &both, BRINK_WRITE, BRINK_READ);
	stop_probe(&both);
	end_loop(loop, &pair);
}

/* poll(2) says HUP whatever was asked: with no interest left it must not be asked. */
static void no_interest_on_a_dead_descriptor(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ | BRINK_LEVEL);
	feed(&pair, 3);
	if ((kind & KINDS_TCP) != 0)
		reset_theirs(&pair);
	else
		close_theirs(&pair);
	expect_each_turn(loop, &reader, BRINK_READ | BRINK_EOF, BRINK_WRITE);
	CHECK_OK(brink_watch_set(&reader.watch, 0));
	expect_silence(loop); /* which fails for busy loops too */
	CHECK_OK(brink_watch_set(&reader.watch, BRINK_READ));
	expect_each_turn(loop, &reader, BRINK_READ | BRINK_EOF, BRINK_WRITE);
	CHECK_OK(brink_watch_set(&reader.watch, 0));
	expect_silence(loop);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

/* A writer waits for room, beside a peer that sends no more: some mechanisms have another way
 * to wait there. What happens while only reading is asked for must not be lost with it. */
static void open_full_and_half_closed(struct pair *pair, brink_loop *loop, struct probe *probe)
{
	start_probe(loop, probe, "ours", pair->ours, BRINK_WRITE | BRINK_LEVEL);
	expect_each_turn(loop, probe, BRINK_WRITE, BRINK_READ);
	fill(pair->ours);
	shut_theirs(pair);
	turn(loop);
	discard_calls(probe);
	expect_silence(loop);
	CHECK_OK(brink_watch_set(&probe->watch, BRINK_READ));
	expect_each_turn(loop, probe, BRINK_READ, BRINK_WRITE);
}

static void room_while_only_reading(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ | BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe ours;

	open_full_and_half_closed(&pair, loop, &ours);
	drain_for_room(&pair);
	expect_each_turn(loop, &ours, BRINK_READ, BRINK_WRITE);
	CHECK_OK(brink_watch_set(&ours.watch, BRINK_WRITE));
	expect_each_turn(loop, &ours, BRINK_WRITE, BRINK_READ);
	stop_probe(&ours);
	end_loop(loop, &pair);
}

static void close_while_only_reading(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ | BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe ours;

	open_full_and_half_closed(&pair, loop, &ours);
	close_theirs(&pair);
	expect_each_turn(loop, &ours, BRINK_READ, BRINK_WRITE);
	CHECK_OK(brink_watch_set(&ours.watch, BRINK_WRITE));
	expect_each_turn(loop, &ours, BRINK_WRITE, BRINK_READ);
	stop_probe(&ours);
	end_loop(loop, &pair);
}

/* ---- a change takes effect at once: also for an event of the batch under way ---- */

struct rival {
	struct probe *other;
	unsigned calls;
};

static void silence_the_other(struct probe *probe, unsigned ready)
{
	struct rival *rival = probe->data;

	CHECK_EQ(ready, BRINK_READ);
	rival->calls++;
	CHECK_OK(brink_watch_set(&rival->other->watch, 0));
	CHECK_OK(brink_watch_set(&probe->watch, 0));
}

static void set_to_nothing_in_the_same_batch(enum kind kind)
{
	struct pair pairs[2] = {open_pair(kind, BRINK_READ), open_pair(kind, BRINK_READ)};
	brink_loop *loop = new_loop();
	struct probe a, b;
	struct rival of_a = {.other = &b}, of_b = {.other = &a};

	init_probe(&a, "a", silence_the_other);
	init_probe(&b, "b", silence_the_other);
	a.data = &of_a;
	b.data = &of_b;
	feed(&pairs[0], 1);
	feed(&pairs[1], 1);
	CHECK_OK(brink_watch_start(loop, &a.watch, pairs[0].ours, BRINK_READ | BRINK_LEVEL));
	CHECK_OK(brink_watch_start(loop, &b.watch, pairs[1].ours, BRINK_READ | BRINK_LEVEL));
	RUN_UNTIL(loop, of_a.calls + of_b.calls > 0);
	CHECK_EQ(of_a.calls + of_b.calls, 1);
	discard_calls(&a); /* which of the two is the kernel's choice */
	discard_calls(&b);
	expect_silence(loop);
	stop_probe(&a);
	stop_probe(&b);
	end_loop(loop, &pairs[0]);
	close_pair(&pairs[1]);
}

static void two_level_owners(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ | BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe reader, writer;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ | BRINK_LEVEL);
	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE | BRINK_LEVEL);
	expect_each_turn(loop, &writer, BRINK_WRITE, BRINK_READ);
	CHECK_EQ(reader.calls, 0);
	feed(&pair, 1);
	expect_each_turn(loop, &reader, BRINK_READ, BRINK_WRITE);
	discard_calls(&writer);
	stop_probe(&writer);
	expect_each_turn(loop, &reader, BRINK_READ, BRINK_WRITE);
	CHECK_ERROR(brink_watch_set(&writer.watch, BRINK_READ), -ENOENT);
	CHECK_EQ(drain(pair.ours), 1);
	expect_silence(loop);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

/* Whoever is called ends the run. */
static void stop_the_run(struct probe *probe, unsigned ready)
{
	(void)ready;
	brink_loop_stop(probe->data);
}

#define CROWD 5

/* All are ready all the time, a wait takes one, and after each call the loop is left and run again. */
static void one_a_run(enum kind kind)
{
	brink_loop *loop = new_loop_with(&(struct brink_loop_options){.batch = 1});
	struct pair pairs[CROWD];
	struct probe probes[CROWD];

	for (int i = 0; i < CROWD; i++) {
		pairs[i] = open_pair(kind, BRINK_READ);
		feed(&pairs[i], 1);
		init_probe(&probes[i], "one of many", stop_the_run);
		probes[i].data = loop;
		CHECK_OK(brink_watch_start(loop, &probes[i].watch, pairs[i].ours, BRINK_READ | BRINK_LEVEL));
	}
	for (int i = 0; i < 10 * CROWD; i++)
		CHECK_EQ(brink_loop_run(loop), 1);
	for (int i = 0; i < CROWD; i++) {
		CHECK(probes[i].calls >= 3);
		discard_calls(&probes[i]);
		stop_probe(&probes[i]);
		close_pair(&pairs[i]);
	}
	expect_silence(loop);
	CHECK_OK(brink_loop_destroy(loop));
}

static void errors_of_level_watches(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ | BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe level, edge;

	init_probe(&level, "level", NULL);
	init_probe(&edge, "edge", NULL);
	CHECK_ERROR(brink_watch_set(&level.watch, BRINK_READ), -ENOENT);
	CHECK_OK(brink_watch_start(loop, &level.watch, pair.ours, BRINK_READ | BRINK_LEVEL));
	CHECK_ERROR(brink_watch_start(loop, &edge.watch, pair.ours, BRINK_WRITE), -EINVAL); /* mixed */
	CHECK_ERROR(brink_watch_set(&level.watch, 64u), -EINVAL);
	CHECK_OK(brink_watch_start(loop, &edge.watch, pair.ours, BRINK_WRITE | BRINK_LEVEL));
	CHECK_ERROR(brink_watch_set(&level.watch, BRINK_READ | BRINK_WRITE), -EEXIST);
	CHECK_OK(brink_watch_stop(&edge.watch));
	CHECK_OK(brink_watch_stop(&level.watch));
	CHECK_OK(brink_watch_start(loop, &edge.watch, pair.ours, BRINK_READ));
	CHECK_ERROR(brink_watch_set(&edge.watch, BRINK_READ), -EINVAL);
	CHECK_OK(brink_watch_stop(&edge.watch));
	expect_silence(loop);
	end_loop(loop, &pair);
}

static const struct scenario scenarios[] = {
	SCENARIO("level/repeats-until-drained", repeats_until_drained, KINDS_ALL | KIND_UDP, .promises = {18}),
	SCENARIO("level/writable-each-turn", writable_each_turn, KINDS_ALL, .promises = {18}),
	SCENARIO("level/helpers-on-a-level-watch", helpers_on_a_level_watch, KINDS_ALL, .promises = {18, 16}),
	SCENARIO("level/interest-changes", interest_changes, KINDS_STREAM, .promises = {18}),
	SCENARIO("level/no-interest-on-a-dead-descriptor", no_interest_on_a_dead_descriptor, KINDS_ALL,
	         .promises = {18, 2}),
	SCENARIO("level/room-while-only-reading", room_while_only_reading, KINDS_STREAM, .promises = {18, 5}),
	SCENARIO("level/close-while-only-reading", close_while_only_reading, KINDS_STREAM, .promises = {18, 5}),
	SCENARIO("level/set-to-nothing-in-the-same-batch", set_to_nothing_in_the_same_batch, KINDS_ALL,
	         .promises = {18, 6}),
	SCENARIO("level/two-level-owners", two_level_owners, KINDS_STREAM, .promises = {18, 5}),
	SCENARIO("level/one-a-run", one_a_run, KINDS_ALL, .promises = {8, 18}, .flags = TRACE_FREE),
	SCENARIO("level/errors", errors_of_level_watches, KINDS_STREAM, .promises = {18, 14}),
	NO_MORE_SCENARIOS,
};

const struct group level_group = {"level", scenarios};
