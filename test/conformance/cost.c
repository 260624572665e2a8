/* What goes on for long: connections that are read from and written to, turn after turn. */
#include "groups.h"
#include "scene.h"

#define MOST 50
#define SIZE 64
#define ROUNDS 10

/* Of the imitation of kqueue(2), where the program has it: calls of kevent() so far. */
#ifdef __ELF__
extern unsigned long stand_in_calls __attribute__((weak));
#endif

static unsigned long kevent_calls(void)
{
#ifdef __ELF__
	if (&stand_in_calls != NULL)
		return stand_in_calls;
#endif
	return 0;
}

struct meter {
	struct brink_counters counters;
	unsigned long kevent_calls;
};

static struct meter read_meter(const brink_loop *loop)
{
	struct meter meter = {.kevent_calls = kevent_calls()};

	brink_loop_counters(loop, &meter.counters);
	return meter;
}

static void act_echo(struct probe *probe, unsigned ready)
{
	char bytes[2 * SIZE];
	ssize_t size;

	(void)ready;
	while ((size = brink_watch_read(&probe->watch, bytes, sizeof bytes)) > 0) {
		CHECK_EQ(brink_watch_write(&probe->watch, bytes, (size_t)size), size);
		probe->bytes += (size_t)size;
	}
	CHECK_EQ(size, -EAGAIN);
}

/* All send, and the loop turns until all have their answer. */
static void play_round(brink_loop *loop, struct pair *pairs, struct probe *probes, unsigned count)
{
	char bytes[SIZE];

	for (unsigned i = 0; i < count; i++) {
		probes[i].bytes = 0;
		feed(&pairs[i], SIZE);
	}
	for (unsigned i = 0; i < count; i++) {
		RUN_UNTIL(loop, probes[i].bytes == SIZE);
		read_exactly(pairs[i].theirs, bytes, SIZE);
		accept_calls(&probes[i]);
	}
}

/* What a round asks of the kernel beside its reads and writes: a wait a turn, and of a turn that all are ready for not
 * one for each. */
static void play(enum kind kind, unsigned count)
{
	struct pair pairs[MOST];
	struct probe probes[MOST];
	brink_loop *loop = new_loop();
	struct meter before, after;
	uint64_t waits;

	for (unsigned i = 0; i < count; i++) {
		pairs[i] = open_pair(kind, BRINK_READ);
		start_probe_acting(loop, &probes[i], "echo", pairs[i].ours, BRINK_READ, act_echo);
	}
	play_round(loop, pairs, probes, count);
	before = read_meter(loop);
	for (int i = 0; i < ROUNDS; i++)
		play_round(loop, pairs, probes, count);
	after = read_meter(loop);
	waits = after.counters.waits - before.counters.waits;
	measure("waits for 10 rounds", "%llu", (unsigned long long)waits);
	if (can(BRINK_FEATURE_SCALES) && !can(BRINK_FEATURE_QUEUED)) /* else a change is no call */
		CHECK_EQ(after.counters.changes, before.counters.changes);
	CHECK_EQ(waits, after.counters.turns - before.counters.turns);
	CHECK(waits <= (count == 1 ? 2 : count) * ROUNDS); /* tiny queues give a few events to a wait */
	if (after.kevent_calls != 0)
		CHECK_EQ(after.kevent_calls - before.kevent_calls, waits);
	for (unsigned i = 0; i < count; i++) {
		stop_probe(&probes[i]);
		close_pair(&pairs[i]);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static void one_connection(enum kind kind)
{
	play(kind, 1);
}

static void many_connections(enum kind kind)
{
	play(kind, MOST);
}

static const struct scenario scenarios[] = {
	SCENARIO("cost/one-connection", one_connection, KINDS_STREAM, .promises = {25}, .flags = TRACE_FREE),
	SCENARIO("cost/many-connections", many_connections, KINDS_STREAM, .promises = {25}, .flags = TRACE_FREE),
	NO_MORE_SCENARIOS,
};

const struct group cost_group = {"cost", scenarios};
