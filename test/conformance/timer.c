/* Timers: never early, in order, without drift. Nothing here asserts how late one may be,
 * for the machine may stand still at any moment. */
#include "groups.h"

#include <stdlib.h>
#include <string.h>

struct alarm_clock {
	brink_timer timer;
	brink_loop *loop;
	char letter;
	unsigned calls;
	uint64_t due; /* by the loop's clock; 0: not checked */
	void (*then)(struct alarm_clock *clock);
	struct alarm_clock *other;
};

static char order[128];

static void rings(brink_timer *timer)
{
	struct alarm_clock *clock = brink_container_of(timer, struct alarm_clock, timer);
	size_t length = strlen(order);

	if (brink_loop_now(clock->loop) < clock->due || monotonic_now() < clock->due)
		FAIL("timer %c was called %llu ns early", clock->letter,
		     (unsigned long long)(clock->due - brink_loop_now(clock->loop)));
	clock->calls++;
	if (length + 1 < sizeof order) {
		order[length] = clock->letter;
		order[length + 1] = '\0';
	}
	if (clock->then != NULL)
		clock->then(clock);
}

static void init_clock(struct alarm_clock *clock, brink_loop *loop, char letter)
{
	memset(clock, 0, sizeof *clock);
	brink_timer_init(&clock->timer, rings);
	clock->loop = loop;
	clock->letter = letter;
}

static void start_clock(struct alarm_clock *clock, uint64_t after, uint64_t period)
{
	CHECK_EQ(brink_timer_start(clock->loop, &clock->timer, after, period), 0);
	CHECK_EQ(brink_timer_active(&clock->timer), 1);
	clock->due = brink_loop_now(clock->loop) + after;
}

static void postpone_clock(struct alarm_clock *clock, uint64_t after)
{
	CHECK_EQ(brink_timer_postpone(&clock->timer, after), 0);
	clock->due = brink_loop_now(clock->loop) + after;
}

static void stop_clock(struct alarm_clock *clock)
{
	CHECK_EQ(brink_timer_stop(&clock->timer), 0);
	CHECK_EQ(brink_timer_active(&clock->timer), 0);
}

static void expect_order(const char *expected)
{
	if (strcmp(order, expected) != 0)
		FAIL("the order of calls was \"%s\" instead of \"%s\"", order, expected);
	order[0] = '\0';
}

/* Calls `act` inside a callback, where the loop's clock stands still: timers that it
 * starts for equal times have equal deadlines. */
static void (*frozen_act)(void);

static void act_frozen(struct alarm_clock *clock)
{
	(void)clock;
	order[0] = '\0';
	frozen_act();
}

static void with_frozen_clock(brink_loop *loop, void (*act)(void))
{
	struct alarm_clock clock;

	frozen_act = act;
	init_clock(&clock, loop, '!');
	clock.then = act_frozen;
	start_clock(&clock, 0, 0);
	RUN_UNTIL(loop, clock.calls == 1);
}

static void run_out(brink_loop *loop)
{
	CHECK_EQ(brink_loop_run(loop), 0);
}

/* ---- early, late, in order ---- */

static void never_early(enum kind kind)
{
	static const uint64_t delays[] = {
		0, 1, 1000, 65535, 65536, 65537, 999999, 1000000, 1000001, 4194303, 4194304, 4194305, 20000000, 33333333,
	};
	brink_loop *loop = new_loop();
	struct alarm_clock clock;

	(void)kind;
	init_clock(&clock, loop, 'a');
	for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
		uint64_t before = monotonic_now();

		start_clock(&clock, delays[i], 0);
		CHECK(brink_loop_now(loop) >= before); /* outside a run, a start updates the clock */
		run_out(loop);
		CHECK(monotonic_now() - before >= delays[i]);
		CHECK_EQ(brink_timer_active(&clock.timer), 0);
	}
	CHECK_EQ(clock.calls, sizeof delays / sizeof delays[0]);
	CHECK_OK(brink_loop_destroy(loop));
}

enum { CROWD = 60 };
static struct alarm_clock crowd[CROWD];
static unsigned crowd_order[CROWD], crowd_calls;

static void note_number(struct alarm_clock *clock)
{
	crowd_order[crowd_calls++] = (unsigned)(clock - crowd);
}

static void start_crowd(void)
{
	for (unsigned i = 0; i < CROWD; i++) {
		crowd[i].then = note_number;
		start_clock(&crowd[i], BRINK_MS(random_below(20)), 0);
	}
	for (unsigned i = 0; i < CROWD; i += 7) /* again: now it is the last of its time */
		start_clock(&crowd[i], BRINK_MS(random_below(20)), 0);
}

/* The place of a crowd's member among the starts. */
static unsigned rank(unsigned i)
{
	return i % 7 == 0 ? CROWD + i : i;
}

static void by_deadline_then_start(enum kind kind)
{
	brink_loop *loop = new_loop();

	(void)kind;
	for (unsigned i = 0; i < CROWD; i++)
		init_clock(&crowd[i], loop, '.');
	with_frozen_clock(loop, start_crowd);
	run_out(loop);
	CHECK_EQ(crowd_calls, CROWD);
	for (unsigned i = 1; i < CROWD; i++) {
		const struct alarm_clock *earlier = &crowd[crowd_order[i - 1]], *later = &crowd[crowd_order[i]];

		CHECK(earlier->due <= later->due);
		if (earlier->due == later->due)
			CHECK(rank(crowd_order[i - 1]) < rank(crowd_order[i]));
	}
	CHECK_OK(brink_loop_destroy(loop));
}

/* Deadlines next to each other where a clock's number gets another digit. */
static struct alarm_clock neighbours[3 * 28];

static void start_neighbours(void)
{
	for (unsigned i = 28; i-- > 0;) {
		start_clock(&neighbours[3 * i + 2], (UINT64_C(1) << i) + 1, 0);
		start_clock(&neighbours[3 * i], (UINT64_C(1) << i) - 1, 0);
		start_clock(&neighbours[3 * i + 1], UINT64_C(1) << i, 0);
	}
}

static uint64_t last_due;

static void not_before_the_last(struct alarm_clock *clock)
{
	CHECK(clock->due >= last_due);
	last_due = clock->due;
}

static void near_powers_of_two(enum kind kind)
{
	brink_loop *loop = new_loop();

	(void)kind;
	for (unsigned i = 0; i < 3 * 28; i++) {
		init_clock(&neighbours[i], loop, '.');
		neighbours[i].then = not_before_the_last;
	}
	with_frozen_clock(loop, start_neighbours);
	run_out(loop);
	for (unsigned i = 0; i < 3 * 28; i++)
		CHECK_EQ(neighbours[i].calls, 1);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- moved ---- */

static struct alarm_clock a, b, c;

static void init_three(brink_loop *loop)
{
	init_clock(&a, loop, 'a');
	init_clock(&b, loop, 'b');
	init_clock(&c, loop, 'c');
}

static void postponed_past_another(void)
{
	start_clock(&a, BRINK_MS(2), 0);
	start_clock(&b, BRINK_MS(5), 0);
	postpone_clock(&a, BRINK_MS(9));
}

static void postponed_and_back(void)
{
	start_clock(&a, BRINK_MS(2), 0);
	start_clock(&b, BRINK_MS(5), 0);
	start_clock(&c, BRINK_MS(7), 0);
	postpone_clock(&a, BRINK_SECONDS(1000));
	postpone_clock(&a, BRINK_MS(6)); /* later than at first, earlier than it was */
}

static void postponed_to_earlier(void)
{
	start_clock(&a, BRINK_SECONDS(1000), 0);
	start_clock(&b, BRINK_MS(5), 0);
	postpone_clock(&a, BRINK_MS(3));
}

static void started_again(void)
{
	start_clock(&a, BRINK_MS(2), 0);
	start_clock(&b, BRINK_MS(5), 0);
	start_clock(&c, BRINK_MS(5), BRINK_SECONDS(1));
	start_clock(&a, BRINK_MS(7), 0);
	start_clock(&c, BRINK_MS(6), 0); /* the period is replaced too */
	start_clock(&b, BRINK_MS(8), 0);
}

static void many_times(void)
{
	start_clock(&a, BRINK_MS(1), 0);
	start_clock(&b, BRINK_MS(4), 0);
	for (unsigned i = 0; i < 1000; i++)
		postpone_clock(&a, BRINK_MS(1) + i * 5000);
}

static void moved(enum kind kind)
{
	static const struct {
		void (*act)(void);
		const char *order;
	} steps[] = {
		{postponed_past_another, "ba"}, {postponed_and_back, "bac"}, {postponed_to_earlier, "ab"},
		{started_again, "cab"}, {many_times, "ba"},
	};
	brink_loop *loop = new_loop();

	(void)kind;
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		init_three(loop);
		with_frozen_clock(loop, steps[i].act);
		order[0] = '\0';
		run_out(loop);
		expect_order(steps[i].order);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

/* An idle timeout that each turn moves never comes; left alone it does. */
static void postponed_while_running(enum kind kind)
{
	brink_loop *loop = new_loop();

	(void)kind;
	init_three(loop);
	start_clock(&a, BRINK_SECONDS(30), 0);
	for (int i = 0; i < 30; i++) {
		CHECK_EQ(brink_loop_run_once(loop, (int64_t)BRINK_MS(1)), 0);
		postpone_clock(&a, BRINK_SECONDS(30));
	}
	CHECK_EQ(a.calls, 0);
	postpone_clock(&a, BRINK_MS(10));
	run_out(loop);
	CHECK_EQ(a.calls, 1);
	CHECK_OK(brink_loop_destroy(loop));
}

static void stop_other(struct alarm_clock *clock)
{
	stop_clock(clock->other);
}

/* A timer that was postponed far beyond another one still stands where it was to come first. */
static void postponed_hides_nobody(enum kind kind)
{
	brink_loop *loop = new_loop();

	(void)kind;
	init_three(loop);
	start_clock(&a, BRINK_MS(10), 0);
	start_clock(&b, BRINK_MS(30), 0);
	postpone_clock(&a, BRINK_SECONDS(36000));
	b.then = stop_other;
	b.other = &a;
	run_out(loop); /* without b there would be ten hours to wait */
	CHECK_EQ(a.calls, 0);
	CHECK_EQ(b.calls, 1);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- from callbacks ---- */

static void start_other(struct alarm_clock *clock)
{
	start_clock(clock->other, BRINK_MS(1), 0);
}

static void start_itself(struct alarm_clock *clock)
{
	CHECK_EQ(brink_timer_active(&clock->timer), 0); /* a one-shot timer is over in its call */
	CHECK_ERROR(brink_timer_stop(&clock->timer), -ENOENT);
	if (clock->calls < 3)
		start_clock(clock, 0, 0);
}

static void stop_itself(struct alarm_clock *clock)
{
	CHECK_EQ(brink_timer_active(&clock->timer), 1); /* a repeating one is not */
	if (clock->calls == 3)
		stop_clock(clock);
}

static void three_at_once(void)
{
	start_clock(&a, BRINK_MS(1), 0);
	start_clock(&b, BRINK_MS(1), 0);
	start_clock(&c, BRINK_MS(1), 0);
}

static void changed_in_callbacks(enum kind kind)
{
	brink_loop *loop = new_loop();

	(void)kind;
	init_three(loop);
	a.then = stop_other; /* one that is due in the same turn */
	a.other = &b;
	with_frozen_clock(loop, three_at_once);
	order[0] = '\0';
	run_out(loop);
	expect_order("ac");
	init_three(loop);
	a.then = start_other; /* moved out of this turn */
	a.other = &b;
	with_frozen_clock(loop, three_at_once);
	order[0] = '\0';
	run_out(loop);
	expect_order("acb");
	CHECK_EQ(b.calls, 1);
	init_three(loop);
	a.then = start_itself;
	start_clock(&a, 0, 0);
	for (unsigned i = 1; i <= 3; i++) {
		CHECK_EQ(brink_loop_run_once(loop, -1), 1); /* one call a turn */
		CHECK_EQ(a.calls, i);
	}
	CHECK_EQ(brink_loop_run(loop), 0);
	init_three(loop);
	a.then = stop_itself;
	start_clock(&a, BRINK_MS(1), BRINK_MS(1));
	a.due = 0;
	run_out(loop);
	CHECK_EQ(a.calls, 3);
	CHECK_OK(brink_loop_destroy(loop));
}

static void free_itself(struct alarm_clock *clock)
{
	free(clock);
}

static void freed_in_its_call(enum kind kind)
{
	brink_loop *loop = new_loop();

	(void)kind;
	for (unsigned i = 0; i < 20; i++) {
		struct alarm_clock *clock = malloc(sizeof *clock);

		CHECK(clock != NULL);
		init_clock(clock, loop, 'a');
		clock->then = free_itself;
		start_clock(clock, i % 3 * BRINK_MS(1), 0);
	}
	run_out(loop);
	CHECK_EQ(strlen(order), 20);
	CHECK_OK(brink_loop_destroy(loop));
}

/* A timer for "now" that comes back each turn starves no descriptor, and a descriptor that
 * is ready each turn starves no timer. */
static void starves_nothing(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ), busy = open_pair(kind, BRINK_READ);
	struct probe reader, hot;

	init_three(loop);
	start_clock(&a, 0, 1); /* always due */
	a.due = 0;
	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	start_probe(loop, &hot, "hot", busy.ours, BRINK_READ | BRINK_LEVEL);
	feed(&pair, 1);
	feed(&busy, 1);
	for (int i = 0; i < 100 && (reader.calls == 0 || hot.calls < 10); i++)
		CHECK_OK(brink_loop_run_once(loop, 0));
	CHECK_EQ(reader.calls, 1);
	CHECK(a.calls > 0 && hot.calls >= 10);
	stop_clock(&a);
	start_clock(&b, BRINK_MS(3), 0);
	RUN_UNTIL(loop, b.calls == 1);
	accept_calls(&reader);
	discard_calls(&hot);
	stop_probe(&reader);
	stop_probe(&hot);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
	close_pair(&busy);
}

/* ---- repeating ---- */

static uint64_t first_due, period, last_cell;
static unsigned slow_calls;

/* Each call belongs to a period of its own, counted from the first deadline. */
static void in_a_period_of_its_own(struct alarm_clock *clock)
{
	uint64_t now = brink_loop_now(clock->loop), cell = (now - first_due) / period + 1;

	CHECK(now >= first_due);
	if (clock->calls > 1 && cell <= last_cell)
		FAIL("call %u came in period %llu, where another had been", clock->calls, (unsigned long long)cell);
	last_cell = cell;
	if (clock->calls == 2 && slow_calls > 0) {
		sleep_ms((unsigned)(slow_calls * period / BRINK_MS(1) + 3));
		slow_calls = 0;
	}
	if (clock->calls == 8)
		stop_clock(clock);
}

static void check_drift(const struct brink_trace_record *record, void *context)
{
	const struct alarm_clock *clock = context;

	/* What it is late by leads back to the grid of the first deadline. */
	if (record->kind == BRINK_TRACE_TIMER && record->object == &clock->timer)
		CHECK_EQ((brink_loop_now(clock->loop) - (uint64_t)record->value - first_due) % period, 0);
}

static void repeats(uint64_t after, uint64_t every, unsigned slow)
{
	brink_loop *loop = new_loop();

	init_three(loop);
	a.then = in_a_period_of_its_own;
	period = every;
	slow_calls = slow;
	start_clock(&a, after, every);
	first_due = a.due;
	brink_loop_set_trace(loop, check_drift, &a);
	run_out(loop);
	CHECK_EQ(a.calls, 8);
	CHECK(last_cell >= 8);
	CHECK_OK(brink_loop_destroy(loop));
}

static void repeating(enum kind kind)
{
	(void)kind;
	repeats(BRINK_MS(3), BRINK_MS(5), 0);
	repeats(0, 777777, 0);
	repeats(BRINK_MS(7), 70001, 0);
}

static void slower_than_its_period(enum kind kind)
{
	(void)kind;
	repeats(BRINK_MS(1), BRINK_MS(6), 4);
	repeats(0, BRINK_MS(2), 20);
}

/* ---- extremes ---- */

static void never(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct alarm_clock clocks[4];

	(void)kind;
	for (int i = 0; i < 4; i++)
		init_clock(&clocks[i], loop, 'n');
	CHECK_OK(brink_timer_start(loop, &clocks[0].timer, UINT64_MAX, 0));
	CHECK_OK(brink_timer_start(loop, &clocks[1].timer, UINT64_MAX - brink_loop_now(loop), UINT64_MAX));
	CHECK_OK(brink_timer_start(loop, &clocks[2].timer, UINT64_MAX / 2, 0));
	CHECK_OK(brink_timer_start(loop, &clocks[3].timer, BRINK_SECONDS(3600) * 24 * 365 * 100, 0));
	init_three(loop);
	start_clock(&a, BRINK_MS(5), UINT64_MAX); /* once, and then never */
	RUN_UNTIL(loop, a.calls == 1);
	CHECK_EQ(brink_loop_run_once(loop, (int64_t)BRINK_MS(5)), 0);
	CHECK_EQ(brink_timer_active(&a.timer), 1);
	stop_clock(&a);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(clocks[i].calls, 0);
		CHECK_EQ(brink_timer_active(&clocks[i].timer), 1);
		if (i % 2 == 0) {
			CHECK_OK(brink_timer_postpone(&clocks[i].timer, BRINK_MS(1)));
			RUN_UNTIL(loop, clocks[i].calls == 1);
		} else {
			stop_clock(&clocks[i]);
		}
	}
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_OK(brink_loop_destroy(loop));
}

struct grain {
	brink_timer timer;
	uint64_t due;
};

static uint64_t last_grain;
static unsigned grains_called;
static brink_loop *grain_loop;

static void grain_called(brink_timer *timer)
{
	const struct grain *grain = brink_container_of(timer, struct grain, timer);

	CHECK(grain->due <= brink_loop_now(grain_loop));
	CHECK(grain->due >= last_grain);
	last_grain = grain->due;
	grains_called++;
}

static void a_million(enum kind kind)
{
	unsigned count = is_slow() ? 20000 : 1000000, stopped = 0;
	struct grain *grains = calloc(count, sizeof *grains);

	(void)kind;
	CHECK(grains != NULL);
	grain_loop = new_loop();
	for (unsigned i = 0; i < count; i++) {
		uint64_t after = random_bits() % BRINK_MS(500);

		brink_timer_init(&grains[i].timer, grain_called);
		CHECK_OK(brink_timer_start(grain_loop, &grains[i].timer, after, 0));
		grains[i].due = brink_loop_now(grain_loop) + after;
	}
	for (unsigned i = 0; i < count; i++) {
		unsigned what = random_below(4);

		if (what == 0) {
			CHECK_OK(brink_timer_stop(&grains[i].timer));
			stopped++;
		} else if (what == 1) {
			CHECK_OK(brink_timer_postpone(&grains[i].timer, BRINK_MS(400)));
			grains[i].due = brink_loop_now(grain_loop) + BRINK_MS(400);
		}
	}
	run_out(grain_loop);
	CHECK_EQ(grains_called, count - stopped);
	CHECK_OK(brink_loop_destroy(grain_loop));
	free(grains);
}

static void errors(enum kind kind)
{
	brink_loop *loop = new_loop(), *elsewhere = new_loop();
	brink_timer empty;

	(void)kind;
	brink_timer_init(&empty, NULL);
	CHECK_ERROR(brink_timer_start(loop, &empty, 0, 0), -EINVAL);
	CHECK_EQ(brink_timer_active(&empty), 0);
	init_three(loop);
	CHECK_EQ(brink_timer_active(&a.timer), 0);
	CHECK_ERROR(brink_timer_stop(&a.timer), -ENOENT);
	CHECK_ERROR(brink_timer_postpone(&a.timer, 1), -ENOENT);
	start_clock(&a, BRINK_MS(1), 0);
	CHECK_ERROR(brink_timer_start(elsewhere, &a.timer, 0, 0), -EINVAL);
	CHECK_EQ(brink_timer_active(&a.timer), 1);
	run_out(loop);
	CHECK_EQ(a.calls, 1);
	CHECK_OK(brink_timer_start(elsewhere, &a.timer, 0, 0)); /* now it may */
	CHECK_OK(brink_loop_destroy(elsewhere)); /* with it, and without a call */
	CHECK_EQ(a.calls, 1);
	start_clock(&a, BRINK_SECONDS(1000), 0);
	stop_clock(&a);
	CHECK_ERROR(brink_timer_stop(&a.timer), -ENOENT);
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("timer/never-early", never_early, 0, .promises = {10}),
	SCENARIO("timer/by-deadline-then-start", by_deadline_then_start, 0, .promises = {10}),
	SCENARIO("timer/near-powers-of-two", near_powers_of_two, 0, .promises = {10}),
	SCENARIO("timer/moved", moved, 0, .promises = {10}),
	SCENARIO("timer/postponed-while-running", postponed_while_running, 0, .promises = {10}),
	SCENARIO("timer/postponed-hides-nobody", postponed_hides_nobody, 0, .promises = {10}),
	SCENARIO("timer/changed-in-callbacks", changed_in_callbacks, 0, .promises = {7, 10, 23}),
	SCENARIO("timer/freed-in-its-call", freed_in_its_call, 0, .promises = {7, 10}),
	SCENARIO("timer/starves-nothing", starves_nothing, KINDS_ALL, .promises = {8, 10}, .flags = TRACE_FREE),
	SCENARIO("timer/repeating", repeating, 0, .promises = {10}),
	SCENARIO("timer/slower-than-its-period", slower_than_its_period, 0, .promises = {10}),
	SCENARIO("timer/never", never, 0, .promises = {10}),
	SCENARIO("timer/a-million", a_million, 0, .promises = {10}),
	SCENARIO("timer/errors", errors, 0, .promises = {10, 14}),
	NO_MORE_SCENARIOS,
};

const struct group timer_group = {"timer", scenarios};
