/* The limit on unsent bytes, the two marks, and threads that wait for room. */
#include "groups.h"
#include "socket_stage.h"

#include <string.h>
#include <unistd.h>

#define LIMIT 400000u
#define HIGH 300000u
#define LOW 100000u
#define PART 10000u

static const struct brink_socket_options marks = {.unsent_limit = LIMIT, .high_water = HIGH, .low_water = LOW};

/* Writes until the limit refuses; returns the bytes taken. */
static size_t fill_up(brink_socket *socket, uint64_t *at)
{
	uint64_t start = *at;
	int result;

	while ((result = write_pattern(socket, *at, PART, NULL)) == 0)
		*at += PART;
	CHECK_ERROR(result, -BRINK_EOVERCROWDED);
	CHECK(info_of(socket).unsent >= LIMIT);
	CHECK(info_of(socket).unsent < LIMIT + PART);
	return (size_t)(*at - start);
}

static void refused_and_forced(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;
	uint64_t at = 0;

	open_life(&life, loop, kind, &marks);
	socket = held(&life);
	fill_up(socket, &at);
	RUN_UNTIL(loop, life.highs == 1);
	CHECK_OK(write_pattern(socket, at, PART, &(struct brink_write_options){.flags = BRINK_WRITE_FORCE}));
	at += PART;
	if (info_of(socket).unsent >= LIMIT)
		CHECK_ERROR(brink_socket_write_bytes(socket, "x", 1), -BRINK_EOVERCROWDED);
	TAKE_UNTIL(&life, &taken, taken.size == at && life.lows == 1);
	CHECK_EQ(life.highs, 1);
	expect_pattern(&taken, at);
	forget(&taken);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

static void check_low(brink_socket *socket, void *arg)
{
	(void)arg;
	CHECK(info_of(socket).unsent <= LOW);
}

/* The stage checks that they alternate. */
static void marks_alternate(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct brink_socket_options options = marks;
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;
	uint64_t at = 0;

	options.on_low = check_low;
	open_life(&life, loop, kind, &options);
	socket = held(&life);
	for (unsigned round = 1; round <= 5; round++) {
		fill_up(socket, &at);
		RUN_UNTIL(loop, life.highs == round);
		TAKE_UNTIL(&life, &taken, life.lows == round);
		TAKE_UNTIL(&life, &taken, taken.size == at);
		CHECK_EQ(life.highs, round);
	}
	expect_pattern(&taken, at);
	forget(&taken);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* With a small limit and no marks of their own: who is refused hears of the low mark. */
static void marks_of_a_small_limit(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;
	uint64_t at = 0;

	open_life(&life, loop, kind, &(struct brink_socket_options){.unsent_limit = LIMIT});
	socket = held(&life);
	fill_up(socket, &at);
	RUN_UNTIL(loop, life.highs == 1);
	TAKE_UNTIL(&life, &taken, life.lows == 1);
	forget(&taken);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

struct pump {
	uint64_t at, end;
	unsigned steps;
};

static void write_on(brink_socket *socket, void *arg)
{
	struct pump *pump = arg;

	while (pump->at < pump->end) {
		int result = write_pattern(socket, pump->at, PART, NULL);

		if (result != 0) {
			CHECK_ERROR(result, -BRINK_EOVERCROWDED);
			break;
		}
		pump->at += PART;
	}
	pump->steps++;
}

/* A program that writes only in on_open and on_low sends everything. */
static void driven_by_marks(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pump pump = {.end = 8000000};
	struct taken taken = {0};
	struct life life;

	open_life(&life, loop, kind, &(struct brink_socket_options){.unsent_limit = LIMIT, .high_water = HIGH,
		.low_water = LOW, .on_open = write_on, .on_low = write_on, .arg = &pump});
	RUN_UNTIL(loop, (take(life.pair.theirs, &taken, 100000), taken.size == pump.end));
	CHECK(pump.steps > 1);
	expect_pattern(&taken, pump.end);
	forget(&taken);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- a peer that does not read ---- */

#define MUCH 100000000u /* more than a kernel keeps on the way there and back */

struct mirror {
	struct life life;
	size_t most; /* that on_bytes was called with */
	uint64_t said;
	struct taken heard;
};

static void say_back(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct mirror *mirror = arg;
	size_t size = brink_buffer_length(in);
	int result;

	mirror->most = size > mirror->most ? size : mirror->most;
	result = brink_socket_write(socket, in);
	if (result < 0)
		CHECK_ERROR(result, -BRINK_EOVERCROWDED);
}

/* The next of the pattern; false: there is no room. */
static bool say(struct mirror *mirror)
{
	uint8_t bytes[4096];
	ssize_t n;

	lay_pattern(bytes, mirror->said, sizeof bytes);
	n = write(mirror->life.pair.theirs, bytes, sizeof bytes);
	mirror->said += n > 0 ? (uint64_t)n : 0;
	return n > 0;
}

/* Until nothing is taken for some turns; false: there was no end of it. */
static bool say_until_it_stops(struct mirror *mirror)
{
	uint64_t most = mirror->said + MUCH;

	for (unsigned idle = 0; idle < 6 && mirror->said < most; idle++) {
		while (mirror->said < most && say(mirror))
			idle = 0;
		turn(mirror->life.loop);
	}
	return mirror->said < most;
}

/* What it says is not taken without end; and it gets back all of what was taken when it reads. */
static void check_mirror(enum kind kind, brink_executor *executor)
{
	brink_loop *loop = new_loop();
	struct mirror mirror = {.most = 0};
	struct brink_socket_options options = marks;

	options.on_bytes = say_back;
	options.arg = &mirror;
	options.executor = executor;
	options.read_budget = 50000;
	open_life(&mirror.life, loop, kind, &options);
	for (unsigned round = 0; round < 3; round++) {
		CHECK(say_until_it_stops(&mirror));
		TAKE_UNTIL(&mirror.life, &mirror.heard, mirror.heard.size == mirror.said);
	}
	CHECK(mirror.most < LIMIT);
	expect_pattern(&mirror.heard, mirror.said);
	forget(&mirror.heard);
	end_life(&mirror.life);
	CHECK_OK(brink_loop_destroy(loop));
}

static void what_is_refused_waits(enum kind kind)
{
	check_mirror(kind, NULL);
}

static void what_is_refused_waits_on_an_executor(enum kind kind)
{
	brink_executor *executor;

	CHECK_OK(brink_executor_create(&executor, &(struct brink_executor_options){.threads = 2}));
	check_mirror(kind, executor);
	CHECK_OK(brink_executor_destroy(executor));
}

/* ---- threads that wait ---- */

struct waiter {
	pthread_t thread;
	brink_socket *socket;
	int64_t timeout;
	int result;
	uint64_t unsent;
	uint64_t took;
	atomic_bool begun, done;
};

static void *wait_for_room(void *arg)
{
	struct waiter *waiter = arg;
	uint64_t before = monotonic_now();

	waiter->begun = true;
	waiter->result = brink_socket_wait(waiter->socket, waiter->timeout);
	waiter->took = monotonic_now() - before;
	waiter->unsent = info_of(waiter->socket).unsent;
	waiter->done = true;
	return NULL;
}

static void start_waiters(struct waiter *waiters, unsigned count, brink_socket *socket, int64_t timeout)
{
	for (unsigned i = 0; i < count; i++) {
		memset(&waiters[i], 0, sizeof waiters[i]);
		waiters[i].socket = socket;
		waiters[i].timeout = timeout;
		run_thread(&waiters[i].thread, wait_for_room, &waiters[i]);
	}
	for (unsigned i = 0; i < count; i++)
		while (!waiters[i].begun)
			sleep_ms(1);
	sleep_ms(10);
}

static bool all_done(struct waiter *waiters, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!waiters[i].done)
			return false;
	return true;
}

#define WAITERS 5u

static void woken_at_the_low_mark(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct waiter waiters[WAITERS];
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;
	uint64_t at = 0;

	open_life(&life, loop, kind, &marks);
	socket = held(&life);
	fill_up(socket, &at);
	start_waiters(waiters, WAITERS, socket, -1);
	while (info_of(socket).unsent > LOW) {
		for (unsigned i = 0; i < WAITERS; i++)
			CHECK(!waiters[i].done || info_of(socket).unsent <= LOW);
		take(life.pair.theirs, &taken, 8192);
		turn(loop);
	}
	RUN_UNTIL(loop, all_done(waiters, WAITERS));
	for (unsigned i = 0; i < WAITERS; i++) {
		join_thread(waiters[i].thread);
		CHECK_OK(waiters[i].result);
		CHECK(waiters[i].unsent <= LOW);
	}
	forget(&taken);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

static void wait_is_over(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct waiter waiter;
	struct life life;
	brink_socket *socket;
	uint64_t at = 0;

	open_life(&life, loop, kind, &marks);
	socket = held(&life);
	start_waiters(&waiter, 1, socket, 0); /* there is room */
	join_thread(waiter.thread);
	CHECK_OK(waiter.result);
	fill_up(socket, &at);
	start_waiters(&waiter, 1, socket, 0);
	join_thread(waiter.thread);
	CHECK_ERROR(waiter.result, -ETIMEDOUT);
	start_waiters(&waiter, 1, socket, (int64_t)BRINK_MS(30));
	join_thread(waiter.thread);
	CHECK_ERROR(waiter.result, -ETIMEDOUT);
	CHECK(waiter.took >= BRINK_MS(30));
	CHECK(waiter.unsent > LOW);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

static void woken_by_failure(enum kind kind)
{
	brink_loop *loop = new_loop();

	for (unsigned way = 0; way < 3; way++) {
		struct waiter waiters[WAITERS];
		struct life life;
		brink_socket *socket;
		uint64_t at = 0;

		open_life(&life, loop, kind, &marks);
		socket = held(&life);
		fill_up(socket, &at);
		start_waiters(waiters, WAITERS, socket, -1);
		if (way == 2)
			close_theirs(&life.pair);
		else
			CHECK_OK(brink_socket_fail(life.id, way == 0 ? -EIO : 0, NULL));
		RUN_UNTIL(loop, all_done(waiters, WAITERS));
		for (unsigned i = 0; i < WAITERS; i++) {
			join_thread(waiters[i].thread);
			if (way < 2)
				CHECK_ERROR(waiters[i].result, way == 0 ? -EIO : -ECONNABORTED);
			else
				CHECK(waiters[i].result < 0 && waiters[i].result != -ETIMEDOUT);
		}
		brink_socket_release(socket);
		end_life(&life);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static void wait_in_callback(brink_socket *socket, void *arg)
{
	(void)arg;
	CHECK_ERROR(brink_socket_wait(socket, -1), -EDEADLK);
}

static void not_on_the_loop(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct brink_socket_options options = marks;
	struct life life;
	brink_socket *socket;
	uint64_t at = 0;

	options.on_open = options.on_high = wait_in_callback;
	open_life(&life, loop, kind, &options);
	socket = held(&life);
	fill_up(socket, &at);
	RUN_UNTIL(loop, life.highs == 1);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

static void check_unsent(brink_socket *socket, int error, void *arg)
{
	unsigned *ends = arg;

	CHECK_EQ(error, 0);
	CHECK_EQ(info_of(socket).unsent, 0);
	++*ends;
}

/* A write of nothing has no bytes: none is unsent, and it comes to no mark. */
static void nothing_crosses_no_mark(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct life life;
	brink_socket *socket;
	unsigned ends = 0;

	open_life(&life, loop, kind, &(struct brink_socket_options){.unsent_limit = 1, .high_water = 1});
	socket = held(&life);
	for (unsigned i = 0; i < 4; i++) {
		CHECK_OK(write_pattern(socket, 0, 0, &(struct brink_write_options){
			.flags = i % 2 == 0 ? 0 : BRINK_WRITE_QUEUED, .done = check_unsent, .arg = &ends}));
		CHECK_EQ(info_of(socket).unsent, 0);
		RUN_UNTIL(loop, ends == i + 1);
		expect_silence(loop);
	}
	CHECK_EQ(life.highs + life.lows, 0);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("socket-water/refused-and-forced", refused_and_forced, KINDS_STREAM),
	SCENARIO("socket-water/marks-alternate", marks_alternate, KINDS_STREAM),
	SCENARIO("socket-water/marks-of-a-small-limit", marks_of_a_small_limit, KINDS_STREAM),
	SCENARIO("socket-water/driven-by-marks", driven_by_marks, KINDS_STREAM),
	SCENARIO("socket-water/what-is-refused-waits", what_is_refused_waits, KINDS_STREAM),
	SCENARIO("socket-water/what-is-refused-waits-on-an-executor", what_is_refused_waits_on_an_executor,
	         KINDS_STREAM),
	SCENARIO("socket-water/woken-at-the-low-mark", woken_at_the_low_mark, KINDS_STREAM),
	SCENARIO("socket-water/wait-is-over", wait_is_over, KINDS_STREAM),
	SCENARIO("socket-water/woken-by-failure", woken_by_failure, KINDS_STREAM),
	SCENARIO("socket-water/not-on-the-loop", not_on_the_loop, KINDS_STREAM),
	SCENARIO("socket-water/nothing-crosses-no-mark", nothing_crosses_no_mark, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group socket_water_group = {"socket-water", scenarios};
