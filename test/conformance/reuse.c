/* Descriptor numbers that are used again, and duplicates of a descriptor. */
#include "groups.h"
#include "removal.h"

/* ---- numbers that are used again ---- */

static void reused_for_the_next_wait(enum kind kind, bool harvested)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe old, fresh;
	int number = pair.ours;

	start_probe(loop, &old, "old", pair.ours, BRINK_READ);
	expect_silence(loop);
	feed(&pair, 3);
	if (harvested)
		expect_event(loop, &old, BRINK_READ, NOT_READ);
	close_probe(&old, &pair.ours);
	replace(&pair, number);
	start_probe(loop, &fresh, "fresh", pair.ours, BRINK_READ);
	expect_silence(loop);
	feed_and_expect(loop, &pair, &fresh, 2);
	CHECK_ERROR(brink_watch_stop(&old.watch), -ENOENT);
	stop_probe(&fresh);
	expect_silence(loop);
	end_loop(loop, &pair);
}

static void reused_with_event_in_the_kernel(enum kind kind)
{
	reused_for_the_next_wait(kind, false);
}

static void reused_after_the_event(enum kind kind)
{
	reused_for_the_next_wait(kind, true);
}

/* A state of the predecessor (its end, its ticket, its remembered edges) is not the successor's. */
static void successor_starts_clean(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe old, fresh;
	int number = pair.ours;

	feed(&pair, 3);
	start_probe(loop, &old, "old", pair.ours, BRINK_READ);
	expect_event(loop, &old, BRINK_READ, NOT_READ);
	feed(&pair, 3);
	shut_theirs(&pair);
	expect_silence(loop);
	CHECK_OK(brink_watch_again(&old.watch, BRINK_READ));
	close_probe(&old, &pair.ours);
	replace(&pair, number);
	start_probe(loop, &fresh, "fresh", pair.ours, BRINK_READ);
	expect_silence(loop);
	for (int i = 0; i < 3; i++) {
		feed_and_expect(loop, &pair, &fresh, 2);
		read_dry(loop, &fresh);
	}
	stop_probe(&fresh);
	end_loop(loop, &pair);
}

/* Changes that wait for the next system call must not reach the successor. */
static void stopped_with_changes_queued(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe old, fresh;
	int number = pair.ours;

	for (int i = 0; i < 30; i++) {
		feed(&pair, 3);
		start_probe(loop, &old, "old", pair.ours, BRINK_READ);
		expect_event(loop, &old, BRINK_READ, NOT_READ);
		CHECK_ERROR(read_to_end(&old, NULL), -EAGAIN);
		feed(&pair, 1);
		/* The rearm is on its way, and there would be an event. */
		close_probe(&old, &pair.ours);
		replace(&pair, number);
		start_probe(loop, &fresh, "fresh", pair.ours, BRINK_READ);
		if (i % 2 != 0)
			expect_silence(loop);
		stop_probe(&fresh);
	}
	start_probe(loop, &fresh, "fresh", pair.ours, BRINK_READ);
	expect_silence(loop);
	feed_and_expect(loop, &pair, &fresh, 2);
	stop_probe(&fresh);
	end_loop(loop, &pair);
}

#define MANY 40

/* More changes between two waits than the loop takes events, half of them taken back. */
static void more_changes_than_events(enum kind kind)
{
	struct brink_loop_options options = {.batch = 2, .ring_entries = 4};
	brink_loop *loop = new_loop_with(&options);
	struct pair pairs[MANY];
	struct probe probes[MANY];

	for (int i = 0; i < MANY; i++) {
		pairs[i] = open_pair(kind, BRINK_READ);
		start_probe(loop, &probes[i], "one of many", pairs[i].ours, BRINK_READ);
	}
	for (int i = 0; i < MANY; i += 2)
		stop_probe(&probes[i]);
	for (int i = 0; i < MANY; i++)
		feed(&pairs[i], 1);
	for (int i = 1; i < MANY; i += 2)
		expect_event(loop, &probes[i], BRINK_READ, NOT_READ);
	for (int i = 0; i < MANY; i++) {
		if (i % 2 == 0)
			start_probe(loop, &probes[i], "one of many", pairs[i].ours, BRINK_READ);
		else
			CHECK_ERROR(read_to_end(&probes[i], NULL), -EAGAIN);
	}
	for (int i = 1; i < MANY; i += 4)
		stop_probe(&probes[i]);
	for (int i = 0; i < MANY; i += 2)
		expect_event(loop, &probes[i], BRINK_READ, NOT_READ);
	for (int i = 3; i < MANY; i += 4) {
		expect_quiet(loop, &probes[i], BRINK_READ);
		feed_and_expect(loop, &pairs[i], &probes[i], 1);
	}
	expect_silence(loop);
	for (int i = 0; i < MANY; i++) {
		if (brink_watch_active(&probes[i].watch))
			stop_probe(&probes[i]);
		close_pair(&pairs[i]);
	}
	expect_silence(loop);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- duplicates ---- */

/* A duplicate keeps the file open; the watch ended all the same. */
static void duplicate_stays_open(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ), other = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe old, fresh;
	int number = pair.ours, duplicate = duplicate_of(number);

	start_probe(loop, &old, "old", pair.ours, BRINK_READ);
	expect_silence(loop);
	close_probe(&old, &pair.ours);
	pair.ours = duplicate;
	take_number(&other.ours, number); /* which a mechanism that is opened anew could have */
	feed(&pair, 3);
	expect_silence(loop);
	start_probe(loop, &fresh, "fresh", number, BRINK_READ);
	feed(&pair, 3);
	expect_silence(loop);
	feed_and_expect(loop, &other, &fresh, 1);
	/* The duplicate can be watched like any other. */
	start_probe(loop, &old, "duplicate", duplicate, BRINK_READ);
	expect_event(loop, &old, BRINK_READ, NOT_READ);
	stop_probe(&old);
	stop_probe(&fresh);
	end_loop(loop, &pair);
	close_pair(&other);
}

/* Again and again, while others go on. */
static void duplicates_stay_open(enum kind kind)
{
	struct pair pairs[MANY], other = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe old[MANY], good;

	start_probe(loop, &good, "good", other.ours, BRINK_READ);
	for (int i = 0; i < MANY; i++) {
		int duplicate;

		pairs[i] = open_pair(kind, BRINK_READ);
		start_probe(loop, &old[i], "old", pairs[i].ours, BRINK_READ);
		expect_quiet(loop, &old[i], BRINK_READ);
		duplicate = duplicate_of(pairs[i].ours);
		close_probe(&old[i], &pairs[i].ours);
		pairs[i].ours = duplicate;
		/* Of some the mechanism hears at once, of the others together. */
		if (i % 3 == 0)
			feed(&pairs[i], 3);
		feed_and_expect(loop, &other, &good, 1);
		read_dry(loop, &good);
	}
	for (int i = 0; i < MANY; i++)
		feed(&pairs[i], 3);
	expect_silence(loop);
	feed_and_expect(loop, &other, &good, 1);
	stop_probe(&good);
	CHECK_OK(brink_loop_destroy(loop));
	for (int i = 0; i < MANY; i++)
		close_pair(&pairs[i]);
	close_pair(&other);
}

/* Both are watched: each is a descriptor of its own. */
static void duplicates_watched_both(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe first, second;
	int duplicate = duplicate_of(pair.ours);

	start_probe(loop, &first, "first", pair.ours, BRINK_READ);
	start_probe(loop, &second, "second", duplicate, BRINK_READ);
	expect_silence(loop);
	feed(&pair, 3);
	RUN_UNTIL(loop, first.calls != 0 && second.calls != 0);
	expect_event(loop, &first, BRINK_READ, NOT_READ);
	expect_event(loop, &second, BRINK_READ, NOT_READ);
	CHECK_ERROR(read_to_end(&first, &first.bytes), -EAGAIN);
	CHECK_EQ(first.bytes, 3);
	close_probe(&second, &duplicate);
	expect_quiet(loop, &first, BRINK_READ);
	feed_and_expect(loop, &pair, &first, 2);
	stop_probe(&first);
	end_loop(loop, &pair);
}

static const struct scenario scenarios[] = {
	SCENARIO("removal/reused-with-event-in-the-kernel", reused_with_event_in_the_kernel, KINDS_ALL,
	         .promises = {6}),
	SCENARIO("removal/reused-after-the-event", reused_after_the_event, KINDS_ALL, .promises = {6}),
	SCENARIO("removal/successor-starts-clean", successor_starts_clean, KINDS_ALL,
	         .promises = {4, 6}),
	SCENARIO("removal/stopped-with-changes-queued", stopped_with_changes_queued, KINDS_ALL,
	         .promises = {6}),
	SCENARIO("removal/more-changes-than-events", more_changes_than_events, KINDS_ALL,
	         .promises = {6, 8}),
	SCENARIO("removal/duplicate-stays-open", duplicate_stays_open, KINDS_ALL, .promises = {6}),
	SCENARIO("removal/duplicates-stay-open", duplicates_stay_open, KINDS_ALL, .promises = {6}),
	SCENARIO("removal/duplicates-watched-both", duplicates_watched_both, KINDS_ALL,
	         .promises = {5, 6}),
	NO_MORE_SCENARIOS,
};

const struct group reuse_group = {"reuse", scenarios};
