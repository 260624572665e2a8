/* Two watches on one descriptor, a reader and a writer, of which one goes. */
#include "groups.h"
#include "removal.h"

#include <string.h>

struct owners {
	struct pair pair;
	brink_loop *loop;
	struct probe reader, writer, fresh;
};

static void open_owners(struct owners *owners, enum kind kind, unsigned mode, probe_fn *act)
{
	memset(owners, 0, sizeof *owners);
	owners->pair = open_pair(kind, BRINK_READ);
	owners->loop = new_loop();
	feed(&owners->pair, 3);
	start_probe_acting(owners->loop, &owners->reader, "reader", owners->pair.ours, BRINK_READ | mode, act);
	start_probe_acting(owners->loop, &owners->writer, "writer", owners->pair.ours, BRINK_WRITE | mode, act);
	owners->reader.data = owners->writer.data = owners;
}

static void close_owners(struct owners *owners)
{
	expect_silence(owners->loop);
	end_loop(owners->loop, &owners->pair);
}

/* Whichever is called first closes, which stops the other without a call; the number goes to
 * a new descriptor at once. */
static void act_close_for_both(struct probe *probe, unsigned ready)
{
	struct owners *owners = probe->data;
	int number = owners->pair.ours;

	(void)ready;
	accept_calls(probe);
	close_probe(probe, &owners->pair.ours);
	CHECK(!is_open(number));
	CHECK_EQ(brink_watch_active(&owners->reader.watch), 0);
	CHECK_EQ(brink_watch_active(&owners->writer.watch), 0);
	replace(&owners->pair, number);
	start_probe(owners->loop, &owners->fresh, "fresh", number, BRINK_READ);
}

static void close_for_both(enum kind kind, unsigned mode)
{
	struct owners owners;

	open_owners(&owners, kind, mode, act_close_for_both);
	RUN_UNTIL(owners.loop, owners.reader.calls + owners.writer.calls != 0);
	expect_silence(owners.loop);
	CHECK_EQ(owners.reader.calls + owners.writer.calls, 1);
	CHECK_ERROR(brink_watch_stop(&owners.reader.watch), -ENOENT);
	CHECK_ERROR(brink_watch_close(&owners.writer.watch), -ENOENT);
	feed_and_expect(owners.loop, &owners.pair, &owners.fresh, 1);
	stop_probe(&owners.fresh);
	close_owners(&owners);
}

static void closed_by_the_other_owner(enum kind kind)
{
	close_for_both(kind, 0);
}

static void closed_by_the_other_level_owner(enum kind kind)
{
	close_for_both(kind, BRINK_LEVEL);
}

/* A watch at rest still counts as one of the descriptor's: who closes it closes for all. */
static void closed_by_a_watch_at_rest(enum kind kind)
{
	struct owners owners;
	int number;

	open_owners(&owners, kind, BRINK_LEVEL, NULL);
	number = owners.pair.ours;
	RUN_UNTIL(owners.loop, owners.writer.new_calls != 0 && owners.reader.new_calls != 0);
	CHECK_OK(brink_watch_set(&owners.writer.watch, 0));
	close_probe(&owners.writer, &owners.pair.ours);
	discard_calls(&owners.reader);
	discard_calls(&owners.writer);
	CHECK_EQ(brink_watch_active(&owners.reader.watch), 0);
	replace(&owners.pair, number);
	start_probe(owners.loop, &owners.fresh, "fresh", number, BRINK_READ);
	expect_silence(owners.loop);
	feed_and_expect(owners.loop, &owners.pair, &owners.fresh, 1);
	stop_probe(&owners.fresh);
	close_owners(&owners);
}

/* And who is at rest is stopped by who is not, whether it ever had a direction or not. */
static void closed_with_watches_at_rest(enum kind kind)
{
	struct owners owners;
	struct probe never;
	int number;

	open_owners(&owners, kind, BRINK_LEVEL, NULL);
	number = owners.pair.ours;
	start_probe(owners.loop, &never, "never asked", number, BRINK_LEVEL);
	CHECK_OK(brink_watch_set(&owners.writer.watch, 0));
	close_probe(&owners.reader, &owners.pair.ours);
	CHECK(!is_open(number));
	CHECK_EQ(brink_watch_active(&owners.writer.watch), 0);
	CHECK_EQ(brink_watch_active(&never.watch), 0);
	CHECK_ERROR(brink_watch_set(&owners.writer.watch, BRINK_WRITE), -ENOENT);
	CHECK_ERROR(brink_watch_stop(&never.watch), -ENOENT);
	replace(&owners.pair, number);
	expect_silence(owners.loop);
	CHECK_EQ(brink_loop_run(owners.loop), 0);
	close_owners(&owners);
}

static void act_stop_the_other(struct probe *probe, unsigned ready)
{
	struct owners *owners = probe->data;

	(void)ready;
	stop_probe(probe == &owners->reader ? &owners->writer : &owners->reader);
}

static uint64_t turns_of(const brink_loop *loop)
{
	struct brink_counters counters;

	brink_loop_counters(loop, &counters);
	return counters.turns;
}

struct renewal {
	struct owners owners;
	uint64_t turn; /* in which the owners changed */
};

static void act_later(struct probe *probe, unsigned ready)
{
	struct renewal *renewal = probe->data;

	CHECK_EQ(ready, BRINK_WRITE);
	CHECK(turns_of(renewal->owners.loop) > renewal->turn);
}

/* Whoever is called first starts the descriptor anew, with an event made up for the next
 * turn: what the old registration still had to say in this one is not said. */
static void act_renew(struct probe *probe, unsigned ready)
{
	struct renewal *renewal = brink_container_of(probe->data, struct renewal, owners);
	struct owners *owners = probe->data;

	(void)ready;
	accept_calls(probe);
	stop_probe(&owners->reader);
	stop_probe(&owners->writer);
	renewal->turn = turns_of(owners->loop);
	start_probe_acting(owners->loop, &owners->fresh, "fresh", owners->pair.ours, BRINK_WRITE, act_later);
	owners->fresh.data = renewal;
	CHECK_OK(brink_watch_again(&owners->fresh.watch, BRINK_WRITE));
}

static void renewed_by_an_owner(enum kind kind)
{
	struct renewal renewal;
	struct owners *owners = &renewal.owners;

	open_owners(owners, kind, 0, act_renew);
	RUN_UNTIL(owners->loop, owners->fresh.calls != 0);
	CHECK_EQ(owners->reader.calls + owners->writer.calls, 1);
	expect_event(owners->loop, &owners->fresh, BRINK_WRITE, NOT_WRITE);
	stop_probe(&owners->fresh);
	close_owners(owners);
}

static void stopped_by_the_other_owner(enum kind kind)
{
	struct owners owners;
	struct probe *left;

	open_owners(&owners, kind, 0, act_stop_the_other);
	RUN_UNTIL(owners.loop, owners.reader.calls + owners.writer.calls != 0);
	CHECK_EQ(owners.reader.calls + owners.writer.calls, 1);
	left = owners.reader.calls != 0 ? &owners.reader : &owners.writer;
	accept_calls(left);
	expect_silence(owners.loop);
	CHECK(is_open(owners.pair.ours));
	stop_probe(left);
	close_owners(&owners);
}

/* One stops; the other's direction goes on as if nothing had happened. */
static void one_owner_stops(enum kind kind)
{
	struct owners owners;

	open_owners(&owners, kind, 0, NULL);
	expect_event(owners.loop, &owners.reader, BRINK_READ, NOT_READ);
	expect_event(owners.loop, &owners.writer, BRINK_WRITE, NOT_WRITE);
	fill(owners.pair.ours);
	CHECK_ERROR(brink_watch_write(&owners.writer.watch, "x", 1), -EAGAIN);
	CHECK_ERROR(read_to_end(&owners.reader, NULL), -EAGAIN);
	expect_quiet(owners.loop, &owners.writer, BRINK_WRITE);
	stop_probe(&owners.reader);
	feed(&owners.pair, 5);
	expect_silence(owners.loop);
	drain_for_room(&owners.pair);
	expect_event(owners.loop, &owners.writer, BRINK_WRITE, NOT_WRITE);
	/* A new reader: the writer's ticket is its own affair. */
	start_probe(owners.loop, &owners.reader, "reader", owners.pair.ours, BRINK_READ);
	expect_event(owners.loop, &owners.reader, BRINK_READ, NOT_READ);
	expect_silence(owners.loop);
	stop_probe(&owners.writer);
	read_dry(owners.loop, &owners.reader);
	feed_and_expect(owners.loop, &owners.pair, &owners.reader, 1);
	stop_probe(&owners.reader);
	close_owners(&owners);
}

/* A writer that comes later wakes no reader that has its ticket, nor the other way round. */
static void late_owner_wakes_nobody(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader, writer;

	feed(&pair, 3);
	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	expect_event(loop, &reader, BRINK_READ, NOT_READ);
	feed(&pair, 3);
	for (int i = 0; i < 3; i++) {
		start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE);
		expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
		expect_silence(loop);
		stop_probe(&writer);
		expect_silence(loop);
	}
	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE);
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	stop_probe(&reader);
	for (int i = 0; i < 3; i++) {
		start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
		expect_event(loop, &reader, BRINK_READ, NOT_READ);
		expect_silence(loop);
		stop_probe(&reader);
		expect_silence(loop);
	}
	close_probe(&writer, &pair.ours);
	expect_silence(loop);
	end_loop(loop, &pair);
}

static const struct scenario scenarios[] = {
	SCENARIO("removal/closed-by-the-other-owner", closed_by_the_other_owner, KINDS_STREAM | KIND_UDP,
	         .promises = {5, 6, 7}, .flags = TRACE_FREE),
	SCENARIO("removal/closed-by-the-other-level-owner", closed_by_the_other_level_owner, KINDS_STREAM | KIND_UDP,
	         .promises = {6, 7, 18}, .flags = TRACE_FREE),
	SCENARIO("removal/closed-by-a-watch-at-rest", closed_by_a_watch_at_rest, KINDS_STREAM | KIND_UDP,
	         .promises = {6, 18}),
	SCENARIO("removal/closed-with-watches-at-rest", closed_with_watches_at_rest, KINDS_STREAM,
	         .promises = {6, 18}),
	SCENARIO("removal/stopped-by-the-other-owner", stopped_by_the_other_owner, KINDS_STREAM | KIND_UDP,
	         .promises = {5, 6, 7}, .flags = TRACE_FREE),
	SCENARIO("removal/renewed-by-an-owner", renewed_by_an_owner, KINDS_STREAM | KIND_UDP,
	         .promises = {6, 7, 17}, .flags = TRACE_FREE),
	SCENARIO("removal/one-owner-stops", one_owner_stops, KINDS_STREAM, .promises = {5, 6}),
	SCENARIO("removal/late-owner-wakes-nobody", late_owner_wakes_nobody, KINDS_STREAM | KIND_UDP,
	         .promises = {1, 2, 5}),
	NO_MORE_SCENARIOS,
};

const struct group owners_group = {"owners", scenarios};
