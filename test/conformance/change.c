/* Changes that wait in a queue: taken back before the kernel heard of them, more of them
 * than the backend takes at once, or of a number that is another file's by now. */
#include "groups.h"
#include "scene.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void started_and_stopped_without_a_wait(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	feed(&pair, 3);
	for (int i = 0; i < 5; i++) {
		start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
		stop_probe(&reader);
	}
	expect_silence(loop);
	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ); /* and once for good */
	expect_event(loop, &reader, BRINK_READ, NOT_READ);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static void rearmed_and_stopped_without_a_wait(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	feed(&pair, 3);
	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	expect_event(loop, &reader, BRINK_READ, NOT_READ);
	feed(&pair, 3);
	CHECK_EQ(drain(pair.ours), 6);
	CHECK_OK(brink_watch_rearm(&reader.watch, BRINK_READ));
	feed(&pair, 3); /* it would be an event */
	stop_probe(&reader);
	expect_silence(loop);
	end_loop(loop, &pair);
}

/* A change is queued for a number; before the kernel gets it, the number is another file's,
 * which is ready and watched for something else. */
static void queued_change_and_a_reused_number(enum kind kind)
{
	struct pair old = open_pair(kind, BRINK_READ), new;
	brink_loop *loop = new_loop();
	struct probe reader, successor;
	int number = old.ours;

	feed(&old, 3);
	start_probe(loop, &reader, "reader", old.ours, BRINK_READ);
	expect_event(loop, &reader, BRINK_READ, NOT_READ);
	CHECK_EQ(drain(old.ours), 3);
	CHECK_OK(brink_watch_rearm(&reader.watch, BRINK_READ));
	close_probe(&reader, &old.ours);
	close_pair(&old);
	new = open_pair(kind, BRINK_READ);
	if (new.ours != number) { /* let it be that number in any case */
		if (new.theirs == number)
			SYSCALL(new.theirs = dup(number));
		SYSCALL(dup2(new.ours, number));
		close_fd(&new.ours);
		new.ours = number;
	}
	start_probe(loop, &successor, "successor", new.ours, BRINK_READ);
	expect_silence(loop);
	feed_and_expect(loop, &new, &successor, 1);
	expect_silence(loop);
	CHECK_EQ(reader.calls, 1);
	stop_probe(&successor);
	end_loop(loop, &new);
}

#define MANY 150

struct crowd {
	struct pair pairs[MANY];
	struct probe probes[MANY];
};

static void open_crowd(struct crowd *crowd, brink_loop *loop, enum kind kind, probe_fn *act)
{
	for (int i = 0; i < MANY; i++) {
		crowd->pairs[i] = open_pair(kind, BRINK_READ);
		start_probe_acting(loop, &crowd->probes[i], "one of many", crowd->pairs[i].ours, BRINK_READ, act);
	}
}

static bool all_called(const struct crowd *crowd, unsigned calls)
{
	for (int i = 0; i < MANY; i++)
		if (crowd->probes[i].calls < calls)
			return false;
	return true;
}

/* The ticket is handed back, and the descriptor closed without a stop before the kernel has
 * heard of it: there is nothing to tell any more, not even an error. */
static void rearmed_and_closed_without_a_stop(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	feed(&pair, 3);
	expect_event(loop, &reader, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	drain(pair.ours);
	CHECK_OK(brink_watch_rearm(&reader.watch, BRINK_READ));
	close_fd(&pair.ours);
	expect_silence(loop);
	stop_probe(&reader);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

/* Each round every watch hands its ticket back in the same turn: more changes at once than
 * the batch of events is long. */
static void more_changes_than_events(enum kind kind)
{
	struct brink_loop_options options = {.batch = 4, .ring_entries = 8};
	brink_loop *loop = new_loop_with(&options);
	struct crowd *crowd = calloc(1, sizeof *crowd);

	CHECK(crowd != NULL);
	open_crowd(crowd, loop, kind, NULL);
	for (unsigned round = 1; round <= 3; round++) {
		for (int i = 0; i < MANY; i++)
			feed(&crowd->pairs[i], 2);
		RUN_UNTIL(loop, all_called(crowd, round));
		for (int i = 0; i < MANY; i++) {
			CHECK_EQ(crowd->probes[i].calls, round);
			discard_calls(&crowd->probes[i]);
			CHECK_EQ(read_to_end(&crowd->probes[i], NULL), -EAGAIN);
		}
	}
	for (int i = 0; i < MANY; i++) {
		stop_probe(&crowd->probes[i]);
		close_pair(&crowd->pairs[i]);
	}
	CHECK_OK(brink_loop_destroy(loop));
	free(crowd);
}

/* Half of the many are stopped again, in the same turn in which all were started. */
static void many_started_and_half_of_them_stopped(enum kind kind)
{
	struct brink_loop_options options = {.batch = 4, .ring_entries = 8};
	brink_loop *loop = new_loop_with(&options);
	struct crowd *crowd = calloc(1, sizeof *crowd);

	CHECK(crowd != NULL);
	open_crowd(crowd, loop, kind, NULL);
	for (int i = 0; i < MANY; i++) {
		feed(&crowd->pairs[i], 1);
		if (i % 2 == 0) {
			stop_probe(&crowd->probes[i]);
			crowd->probes[i].calls = 1; /* for all_called */
		}
	}
	RUN_UNTIL(loop, all_called(crowd, 1));
	for (int i = 1; i < MANY; i += 2)
		discard_calls(&crowd->probes[i]);
	expect_silence(loop); /* of the other half, too */
	for (int i = 0; i < MANY; i++) {
		if (i % 2 != 0)
			stop_probe(&crowd->probes[i]);
		close_pair(&crowd->pairs[i]);
	}
	CHECK_OK(brink_loop_destroy(loop));
	free(crowd);
}

static const struct scenario scenarios[] = {
	SCENARIO("change/started-and-stopped-without-a-wait", started_and_stopped_without_a_wait, KINDS_ALL,
	         .promises = {6, 1}),
	SCENARIO("change/rearmed-and-stopped-without-a-wait", rearmed_and_stopped_without_a_wait, KINDS_ALL,
	         .promises = {6}),
	SCENARIO("change/queued-change-and-a-reused-number", queued_change_and_a_reused_number, KINDS_ALL,
	         .promises = {6}),
	SCENARIO("change/rearmed-and-closed-without-a-stop", rearmed_and_closed_without_a_stop, KINDS_ALL,
	         .promises = {15}),
	SCENARIO("change/more-changes-than-events", more_changes_than_events, KIND_UNIX | KIND_PIPE,
	         .promises = {8, 3}),
	SCENARIO("change/many-started-and-half-of-them-stopped", many_started_and_half_of_them_stopped,
	         KIND_UNIX | KIND_PIPE, .promises = {6, 8}),
	NO_MORE_SCENARIOS,
};

const struct group change_group = {"change", scenarios};
