/* The timing wheel against a model: an array that is searched from end to end.
 *
 * The clock is the test's own. A million operations start, move and stop timers, move the
 * clock by anything between nothing and years, and let callbacks do the same; the
 * wheel has to call what the model says, in its order, and to know when to look next. */
#include "config.h"

#include "check.h"
#include "loop.h"

#include <errno.h>
#include <time.h>

#define TIMERS 300
#define OPERATIONS 1000000u

struct entry {
	brink_timer timer;
	bool active;
	uint64_t deadline, period;
	uint64_t started; /* the number of its start */
	bool postponed;   /* since then */
	uint64_t touched; /* the pass in which it was last started or moved */
};

static struct entry entries[TIMERS];
static unsigned in_use; /* of them: among many, the mistakes that need an empty stretch hide */
static brink_loop *loop;
static uint64_t stamp;    /* counts starts */
static uint64_t pass;     /* counts passes; callbacks run in one */
static bool in_pass;
static struct entry *last; /* called in this pass */
static uint64_t last_deadline, last_started;
static bool last_postponed;
static uint64_t calls;
static bool quiet; /* callbacks do nothing */

/* Anything from nothing to years, and often the same as others. */
static uint64_t random_span(void)
{
	unsigned bits = random_below(20) == 0 ? random_below(60) : random_below(34);
	uint64_t span = random_bits() & ((UINT64_C(1) << bits) - 1);

	if (random_below(3) == 0)
		span &= ~((UINT64_C(1) << (bits / 2)) - 1); /* round numbers meet */
	return random_below(500) == 0 ? UINT64_MAX - random_below(3) : span;
}

static uint64_t plus(uint64_t now, uint64_t span)
{
	return span > UINT64_MAX - now ? UINT64_MAX : now + span;
}

static void start(struct entry *entry)
{
	uint64_t after = random_span(), period = random_below(4) == 0 ? random_span() : 0;

	CHECK(brink_timer_start(loop, &entry->timer, after, period) == 0);
	entry->active = true;
	entry->deadline = plus(loop->now, after);
	entry->period = period;
	entry->started = ++stamp;
	entry->postponed = false;
	entry->touched = pass;
}

static void stop(struct entry *entry)
{
	CHECK(brink_timer_stop(&entry->timer) == (entry->active ? 0 : -ENOENT));
	entry->active = false;
}

static void postpone(struct entry *entry)
{
	uint64_t after = random_span();

	/* Mostly later than it was, as its name says: then it stays in its slot. */
	if (entry->active && entry->deadline > loop->now && random_below(4) != 0)
		after = plus(entry->deadline - loop->now, after);
	CHECK(brink_timer_postpone(&entry->timer, after) == (entry->active ? 0 : -ENOENT));
	if (!entry->active)
		return;
	entry->deadline = plus(loop->now, after);
	entry->postponed = true;
	entry->touched = pass;
}

static void do_something(void)
{
	struct entry *entry = &entries[random_below(in_use)];
	unsigned what = random_below(8);

	if (what < 3)
		start(entry);
	else if (what < 4)
		stop(entry);
	else
		postpone(entry);
	CHECK(brink_timer_active(&entry->timer) == entry->active);
}

/* Whether `entry` may come after the one that was called just before: the order is that of
 * deadlines and then of starts; a postponed one has any place among its equals. */
static bool in_order(const struct entry *entry)
{
	if (last == NULL || last_deadline < entry->deadline)
		return true;
	if (last_deadline > entry->deadline)
		return false;
	return last_postponed || entry->postponed || last_started < entry->started;
}

static void called(brink_timer *timer)
{
	struct entry *entry = brink_container_of(timer, struct entry, timer);

	CHECK(in_pass && entry->active);
	CHECK(entry->deadline <= loop->now);     /* never early */
	CHECK(entry->touched < pass);            /* not what this pass started */
	CHECK(in_order(entry));
	last = entry;
	last_deadline = entry->deadline;
	last_started = entry->started;
	last_postponed = entry->postponed;
	calls++;
	if (entry->period == 0) {
		entry->active = false;
	} else {
		entry->deadline = plus(entry->deadline, ((loop->now - entry->deadline) / entry->period + 1) * entry->period);
		entry->started = ++stamp;
		entry->postponed = false;
		entry->touched = pass;
	}
	CHECK(brink_timer_active(timer) == entry->active);
	while (!quiet && random_below(3) == 0)
		do_something();
}

/* Everything that was due was called, and the wheel knows when to look again. */
static void check_rest(void)
{
	uint64_t earliest = UINT64_MAX, count = 0;

	for (size_t i = 0; i < TIMERS; i++) {
		if (!entries[i].active)
			continue;
		count++;
		CHECK(entries[i].deadline > loop->now || entries[i].touched == pass);
		if (entries[i].deadline < earliest)
			earliest = entries[i].deadline;
	}
	CHECK(loop->wheel.count == count && (uint64_t)loop->references == count);
	CHECK(count == 0 || brink__wheel_next(&loop->wheel) <= earliest);
	if (count == 0 || earliest <= loop->now)
		return;
	/* It may be told too early to look, but not again and again. */
	if (brink__wheel_next(&loop->wheel) <= loop->now)
		CHECK(brink__timers_run(loop) == 0);
	CHECK(brink__wheel_next(&loop->wheel) > loop->now);
}

static void run_pass(void)
{
	uint64_t before = calls;
	unsigned result;

	pass++;
	in_pass = true;
	last = NULL;
	result = brink__timers_run(loop);
	CHECK(result == calls - before);
	in_pass = false;
	check_rest();
	pass++;
}

static void move_clock(void)
{
	uint64_t next = brink__wheel_next(&loop->wheel);
	unsigned bits = random_below(2000) == 0 ? random_below(50) : random_below(32);

	if (random_below(4) != 0)
		loop->now += random_bits() & ((UINT64_C(1) << bits) - 1);
	else if (next > loop->now && next - loop->now < BRINK_SECONDS(100))
		loop->now = next - random_below(2); /* just when the wheel wants to be looked at */
}

static void against_the_model(unsigned timers)
{
	in_use = timers;
	calls = 0;
	for (unsigned operation = 0; operation < OPERATIONS; operation++) {
		if (random_below(6) != 0) {
			do_something();
			continue;
		}
		move_clock();
		run_pass();
	}
	for (size_t i = 0; i < TIMERS; i++)
		if (entries[i].active)
			stop(&entries[i]);
	check_rest();
	CHECK(calls > OPERATIONS / (timers < TIMERS ? 50 : 10));
}

/* Who looks only when the wheel tells it to misses nothing, and is not told to look very
 * often for nothing. */
static void told_when_to_look(void)
{
	unsigned looks = 0;

	quiet = true;
	calls = 0;
	for (size_t i = 0; i < TIMERS; i++) {
		start(&entries[i]);
		entries[i].period = 0;
		CHECK(brink_timer_start(loop, &entries[i].timer, i * i * 100003, 0) == 0);
		entries[i].deadline = loop->now + i * i * 100003;
	}
	while (loop->wheel.count != 0) {
		uint64_t next = brink__wheel_next(&loop->wheel);

		CHECK(++looks < 20 * TIMERS);
		CHECK(next < UINT64_MAX);
		pass++;
		if (next > loop->now)
			loop->now = next;
		run_pass();
	}
	CHECK(calls == TIMERS);
}

#define FEW 16u /* that the wheel looks at, even if they share a slot */

/* Of few the wheel names the very deadline that is the earliest, so that who sleeps until then wakes once. */
static void names_the_deadline(void)
{
	for (unsigned round = 0; round < 10000; round++) {
		unsigned count = 1 + random_below(FEW);
		uint64_t earliest = UINT64_MAX;

		for (unsigned i = 0; i < count; i++) {
			start(&entries[i]);
			if (entries[i].deadline < earliest)
				earliest = entries[i].deadline;
		}
		CHECK(brink__wheel_next(&loop->wheel) == earliest);
		for (unsigned i = 0; i < count; i++)
			stop(&entries[i]);
		loop->now += random_below(1000000000);
		run_pass();
		loop->wheel.exact = false; /* those that are stopped leave what they made it know */
	}
}

/* In a list that the wheel has spread out, each timer names the one that comes AHEAD places later. */
static size_t check_hints(struct brink_list *list)
{
	struct brink_list *ahead = list->next;
	size_t right = 0;

	for (unsigned i = 0; i < BRINK__WHEEL_AHEAD && ahead != list; i++)
		ahead = ahead->next;
	for (struct brink_list *node = list->next; ahead != list; node = node->next, ahead = ahead->next) {
		CHECK(brink__timer_at(node)->ahead == brink__timer_at(ahead));
		right++;
	}
	return right;
}

static uint64_t latest; /* deadline that was called */

static void called_and_gone(brink_timer *timer)
{
	CHECK(timer->deadline >= latest && timer->deadline <= loop->now);
	latest = timer->deadline;
	calls++;
	free(timer);
}

#define MANY 40000

static void start_many(brink_timer **timers, uint64_t after)
{
	for (size_t i = 0; i < MANY; i++) {
		if (timers[i] != NULL)
			continue;
		timers[i] = malloc(sizeof **timers);
		CHECK(timers[i] != NULL);
		brink_timer_init(timers[i], called_and_gone);
		CHECK(brink_timer_start(loop, timers[i], after + random_bits() % BRINK_SECONDS(1), 0) == 0);
	}
}

static void stop_half(brink_timer **timers)
{
	for (size_t i = random_below(2); i < MANY; i += 1 + random_below(3)) {
		if (timers[i] == NULL)
			continue;
		CHECK(brink_timer_stop(timers[i]) == 0);
		free(timers[i]);
		timers[i] = NULL;
	}
}

static size_t check_level(unsigned level)
{
	size_t right = 0;

	for (unsigned i = 0; i < BRINK__WHEEL_SLOTS; i++)
		if ((loop->wheel.occupied[level] >> i & 1) != 0)
			right += check_hints(&loop->wheel.slots[level][i].timers);
	return right;
}

/* So many that walks through the lists look ahead, also at timers that were stopped and whose memory is gone. */
static void many_that_go(void)
{
	brink_timer **timers = calloc(MANY, sizeof(brink_timer *));

	CHECK(timers != NULL);
	latest = calls = 0;
	loop->now = (loop->now >> 34 << 34) + (UINT64_C(1) << 34); /* where slots of 2^34, 2^28 and 2^22 ns begin */
	start_many(timers, BRINK_SECONDS(1));
	CHECK(check_level(2) > MANY / 2);
	loop->now += BRINK_SECONDS(1) + BRINK_MS(500); /* in the middle of a slot of 2^28 ns, which has been spread out */
	for (size_t i = 0; i < MANY; i++)
		if (timers[i]->deadline <= loop->now)
			timers[i] = NULL; /* goes in its call */
	brink__timers_run(loop);
	CHECK(check_level(1) > 100);
	for (unsigned i = 0; i < 4; i++) {
		stop_half(timers);
		start_many(timers, 0); /* behind those that are left */
	}
	calls = 0;
	loop->now += BRINK_SECONDS(2);
	brink__timers_run(loop);
	CHECK(calls == MANY && loop->wheel.count == 0);
	free(timers);
}

int main(int argc, char **argv)
{
	seed_random(argc, argv, (uint64_t)time(NULL));
	loop = calloc(1, sizeof *loop);
	CHECK(loop != NULL);
	loop->inside = true; /* so that starts do not read the real clock */
	loop->now = 1 + random_bits() % BRINK_SECONDS(1000000);
	brink__wheel_init(&loop->wheel, loop->now);
	for (size_t i = 0; i < TIMERS; i++)
		brink_timer_init(&entries[i].timer, called);
	pass = 1;
	against_the_model(TIMERS);
	passed("a million operations against the model");
	against_the_model(3);
	passed("the same with three timers");
	told_when_to_look();
	passed("looked at only when the wheel says so");
	names_the_deadline();
	passed("few, of which the wheel names the earliest deadline");
	many_that_go();
	passed("many, of which half go before the lists are walked that they stood in");
	free(loop);
	return finish();
}
