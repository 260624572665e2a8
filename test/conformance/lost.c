/* Mistakes: descriptors that were closed without a stop. */
#include "groups.h"
#include "removal.h"

#include <unistd.h>

/* Closes our descriptor; the file stays open under another number. */
static void close_but_keep(struct pair *pair)
{
	int duplicate = duplicate_of(pair->ours);

	close_ours(pair);
	pair->ours = duplicate;
}

static void closed_without_stop(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ), other = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe lost, good;

	start_probe(loop, &lost, "lost", pair.ours, BRINK_READ);
	start_probe(loop, &good, "good", other.ours, BRINK_READ);
	expect_silence(loop);
	feed(&pair, 1);
	close_ours(&pair);
	observe(loop, &lost, "closed without a stop", BRINK_READ | BRINK_EOF | BRINK_ERROR);
	feed_and_expect(loop, &other, &good, 1);
	read_dry(loop, &good);
	stop_probe(&lost);
	CHECK_ERROR(brink_watch_stop(&lost.watch), -ENOENT);
	expect_silence(loop);
	feed_and_expect(loop, &other, &good, 1);
	stop_probe(&good);
	end_loop(loop, &pair);
	close_pair(&other);
}

/* Closed before the kernel has heard of the watch, where changes are queued. */
static void closed_before_the_first_wait(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ), other = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe lost, good;

	start_probe(loop, &lost, "lost", pair.ours, BRINK_READ);
	start_probe(loop, &good, "good", other.ours, BRINK_READ);
	close_ours(&pair);
	observe(loop, &lost, "closed without a stop, before a wait", BRINK_READ | BRINK_EOF | BRINK_ERROR);
	feed_and_expect(loop, &other, &good, 1);
	stop_probe(&lost);
	stop_probe(&good);
	expect_silence(loop);
	end_loop(loop, &pair);
	close_pair(&other);
}

/* A duplicate keeps the file, and on epoll the registration, which cannot be removed any more
 * after the close. */
static void leftover(enum kind kind, unsigned mode)
{
	struct pair pair = open_pair(kind, BRINK_READ), other = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe lost, good;

	start_probe(loop, &lost, "lost", pair.ours, BRINK_READ | mode);
	start_probe(loop, &good, "good", other.ours, BRINK_READ | mode);
	expect_silence(loop);
	close_but_keep(&pair);
	stop_probe(&lost);
	for (int i = 0; i < 5; i++) {
		feed(&pair, 1);
		expect_silence(loop);
	}
	feed(&other, 1);
	RUN_UNTIL(loop, good.calls != 0);
	CHECK_EQ(good.last, BRINK_READ);
	discard_calls(&good);
	stop_probe(&good);
	expect_silence(loop);
	end_loop(loop, &pair);
	close_pair(&other);
}

static void leftover_of_a_duplicate(enum kind kind)
{
	leftover(kind, 0);
}

static void level_leftover_of_a_duplicate(enum kind kind)
{
	leftover(kind, BRINK_LEVEL);
}

/* A duplicate goes back to the number, whose old registration may still be there. */
static void duplicate_put_back(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe old, fresh;
	int number = pair.ours;

	start_probe(loop, &old, "old", pair.ours, BRINK_READ);
	expect_silence(loop);
	close_but_keep(&pair);
	stop_probe(&old);
	take_number(&pair.ours, number);
	start_probe(loop, &fresh, "fresh", pair.ours, BRINK_READ);
	for (int i = 0; i < 3; i++) {
		expect_silence(loop);
		feed_and_expect(loop, &pair, &fresh, 2);
		read_dry(loop, &fresh);
	}
	stop_probe(&fresh);
	feed(&pair, 1);
	expect_silence(loop);
	end_loop(loop, &pair);
}

/* The same, but never stopped: events may come, once a ticket. */
static void watched_through_a_duplicate(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe lost;

	start_probe(loop, &lost, "lost", pair.ours, BRINK_READ);
	expect_silence(loop);
	close_but_keep(&pair);
	feed(&pair, 1);
	observe(loop, &lost, "closed without a stop, a duplicate open", BRINK_READ | BRINK_EOF | BRINK_ERROR);
	if (lost.calls != 0)
		for (int i = 0; i < 3; i++) {
			feed(&pair, 1);
			expect_silence(loop);
		}
	stop_probe(&lost);
	expect_silence(loop);
	end_loop(loop, &pair);
}

static void replaced_by_dup2(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ), other = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe old, fresh;

	start_probe(loop, &old, "old", pair.ours, BRINK_READ);
	expect_silence(loop);
	SYSCALL(dup2(other.ours, pair.ours));
	feed(&other, 1);
	observe(loop, &old, "replaced by dup2()", BRINK_READ | BRINK_EOF | BRINK_ERROR);
	if (old.calls != 0) {
		feed(&other, 1);
		expect_silence(loop);
	}
	stop_probe(&old);
	expect_silence(loop);
	start_probe(loop, &fresh, "fresh", pair.ours, BRINK_READ);
	expect_event(loop, &fresh, BRINK_READ, NOT_READ);
	read_dry(loop, &fresh);
	feed_and_expect(loop, &other, &fresh, 1);
	stop_probe(&fresh);
	end_loop(loop, &pair);
	close_pair(&other);
}

/* The number of a watch that was never stopped is another file's, which is to be watched. */
static void started_over_a_lost_watch(enum kind kind, bool old_first)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe old, fresh;
	int number = pair.ours;

	start_probe(loop, &old, "old", pair.ours, BRINK_READ);
	expect_silence(loop);
	replace(&pair, number);
	start_probe(loop, &fresh, "fresh", pair.ours, BRINK_READ);
	expect_silence(loop);
	feed_and_expect(loop, &pair, &fresh, 3);
	if (old_first) {
		stop_probe(&old);
		CHECK_ERROR(brink_watch_stop(&old.watch), -ENOENT);
	}
	read_dry(loop, &fresh);
	feed_and_expect(loop, &pair, &fresh, 3);
	stop_probe(&fresh);
	if (!old_first)
		stop_probe(&old);
	expect_silence(loop);
	/* Nothing of either is left that would keep the loop running. */
	CHECK_EQ(brink_loop_run(loop), 0);
	end_loop(loop, &pair);
}

static void started_over_a_lost_watch_stopped_first(enum kind kind)
{
	started_over_a_lost_watch(kind, true);
}

static void started_over_a_lost_watch_stopped_last(enum kind kind)
{
	started_over_a_lost_watch(kind, false);
}

/* The old watch owns nothing any more, and can take nothing on; its close has nothing left to close: the number is
 * the successor's. */
static void lost_watch_closed(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe old, fresh;
	int number = pair.ours;

	start_probe(loop, &old, "old", pair.ours, BRINK_READ);
	expect_silence(loop);
	replace(&pair, number);
	start_probe(loop, &fresh, "fresh", pair.ours, BRINK_READ);
	CHECK_ERROR(brink_watch_rearm(&old.watch, BRINK_READ), -EBADF);
	CHECK_ERROR(brink_watch_rearm(&old.watch, BRINK_WRITE), -EBADF);
	CHECK_ERROR(brink_watch_again(&old.watch, BRINK_WRITE), -EBADF);
	CHECK_ERROR(brink_watch_close(&old.watch), -EBADF);
	CHECK(is_open(number));
	CHECK_EQ(brink_watch_active(&old.watch), 0);
	CHECK_EQ(brink_watch_active(&fresh.watch), 1);
	expect_silence(loop);
	feed_and_expect(loop, &pair, &fresh, 3);
	stop_probe(&fresh);
	CHECK_EQ(brink_loop_run(loop), 0);
	end_loop(loop, &pair);
}

/* Level-triggered watches at rest whose number is another file's, which is watched as `mode` says. */
static void lost_at_rest(enum kind kind, unsigned mode)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe never, once, fresh;
	int number = pair.ours;

	start_probe(loop, &never, "never asked", pair.ours, BRINK_LEVEL);
	start_probe(loop, &once, "asked once", pair.ours, BRINK_READ | BRINK_LEVEL);
	CHECK_OK(brink_watch_set(&once.watch, 0));
	replace(&pair, number);
	start_probe(loop, &fresh, "fresh", pair.ours, BRINK_READ | mode);
	CHECK_ERROR(brink_watch_set(&once.watch, BRINK_WRITE), -EBADF);
	CHECK_ERROR(brink_watch_set(&once.watch, 0), -EBADF);
	CHECK_ERROR(brink_watch_close(&once.watch), -EBADF);
	CHECK_ERROR(brink_watch_close(&never.watch), -EBADF);
	CHECK(is_open(number));
	CHECK_EQ(brink_watch_active(&once.watch) + brink_watch_active(&never.watch), 0);
	CHECK_EQ(brink_watch_active(&fresh.watch), 1);
	expect_silence(loop);
	feed(&pair, 3);
	expect_event(loop, &fresh, BRINK_READ, NOT_READ);
	stop_probe(&fresh);
	CHECK_EQ(brink_loop_run(loop), 0);
	end_loop(loop, &pair);
}

static void lost_at_rest_closed(enum kind kind)
{
	lost_at_rest(kind, 0);
	if ((kind & KINDS_TCP) != 0)
		lost_at_rest(kind, BRINK_TCP);
}

/* And is watched by nobody: it is not that file that was to be watched. */
static void lost_at_rest_set(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe lost, other;
	int number = pair.ours;

	start_probe(loop, &lost, "lost", pair.ours, BRINK_LEVEL);
	start_probe(loop, &other, "other", pair.ours, BRINK_LEVEL);
	replace(&pair, number);
	feed(&pair, 1);
	CHECK_ERROR(brink_watch_set(&lost.watch, BRINK_READ), -EBADF);
	expect_silence(loop);
	CHECK_ERROR(brink_watch_set(&other.watch, BRINK_READ), -EBADF);
	CHECK_ERROR(brink_watch_close(&lost.watch), -EBADF);
	CHECK(is_open(number));
	CHECK_EQ(brink_loop_run(loop), 0);
	stop_probe(&other);
	end_loop(loop, &pair);
}

static const struct scenario scenarios[] = {
	SCENARIO("removal/closed-without-stop", closed_without_stop, KINDS_ALL, .promises = {15}),
	SCENARIO("removal/closed-before-the-first-wait", closed_before_the_first_wait, KINDS_ALL,
	         .promises = {15}),
	SCENARIO("removal/leftover-of-a-duplicate", leftover_of_a_duplicate, KINDS_ALL,
	         .promises = {6, 15}),
	SCENARIO("removal/level-leftover-of-a-duplicate", level_leftover_of_a_duplicate, KINDS_ALL,
	         .promises = {6, 15, 18}),
	SCENARIO("removal/duplicate-put-back", duplicate_put_back, KINDS_ALL, .promises = {6, 15}),
	SCENARIO("removal/watched-through-a-duplicate", watched_through_a_duplicate, KINDS_ALL,
	         .promises = {2, 15}),
	SCENARIO("removal/replaced-by-dup2", replaced_by_dup2, KINDS_ALL, .promises = {15}),
	SCENARIO("removal/started-over-a-lost-watch", started_over_a_lost_watch_stopped_first, KINDS_ALL,
	         .promises = {12, 15}),
	SCENARIO("removal/lost-watch-closed", lost_watch_closed, KINDS_ALL, .promises = {14, 15}),
	SCENARIO("removal/lost-at-rest-closed", lost_at_rest_closed, KINDS_ALL, .promises = {14, 15, 18}),
	SCENARIO("removal/lost-at-rest-set", lost_at_rest_set, KINDS_ALL, .promises = {14, 15, 18}),
	SCENARIO("removal/lost-watch-stopped-last", started_over_a_lost_watch_stopped_last, KINDS_ALL,
	         .promises = {12, 15}),
	NO_MORE_SCENARIOS,
};

const struct group lost_group = {"lost", scenarios};
