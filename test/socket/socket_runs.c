/* Small writes that come faster than they are sent, and that nobody hears of: one request may be several of them. */
#include "groups.h"
#include "scarce.h"
#include "socket_stage.h"

#include <errno.h>
#include <sched.h>

#define MANY 20000u
#define LITTLE 216u /* the most that is copied */

static void write_piece(brink_socket *socket, uint64_t *at, size_t size)
{
	uint8_t bytes[1000];

	for (size_t i = 0; i < size; i++)
		bytes[i] = pattern(*at + i);
	CHECK_OK(brink_socket_write_bytes(socket, bytes, size));
	*at += size;
}

/* What the library keeps for good, once there was a socket; below 0: it keeps what it frees, too, as builds without
 * --enable-debug do, and so the number tells nothing. */
static long blocks_kept(enum kind kind)
{
	brink_loop *loop;
	brink_buffer buffer = {0};
	struct life life;
	long before, with;

	scarce_memory();
	loop = new_loop();
	open_life(&life, loop, kind, NULL);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
	before = blocks_live();
	CHECK_OK(brink_buffer_append(&buffer, "x", 1));
	with = blocks_live();
	brink_buffer_clear(&buffer);
	return with > before && blocks_live() == before ? before : -1;
}

static void expect_kept(long kept)
{
	if (kept >= 0)
		CHECK_EQ(blocks_live(), kept);
}

/* Whatever their sizes, and also where some are too large to be copied, or are nothing: all come, in order, and are
 * counted; and they take little memory beside their bytes. */
static void all_in_order(enum kind kind)
{
	long kept = blocks_kept(kind), before;
	brink_loop *loop = new_loop();
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;
	uint64_t at = 0, state = seed();

	open_life(&life, loop, kind, &(struct brink_socket_options){.unsent_limit = SIZE_MAX});
	socket = held(&life);
	before = blocks_live();
	for (unsigned i = 0; i < MANY; i++)
		write_piece(socket, &at, 64);
	CHECK_EQ(info_of(socket).unsent + info_of(socket).bytes_written, at);
	if (blocks_live() - before > (long)MANY / 20)
		FAIL("%ld blocks for %u writes", blocks_live() - before, MANY);
	for (unsigned i = 0; i < MANY / 2; i++)
		write_piece(socket, &at, 0);
	for (unsigned i = 0; i < MANY / 2; i++)
		write_piece(socket, &at, random_of(&state, random_of(&state, 50) == 0 ? 1000 : LITTLE + 1));
	TAKE_UNTIL(&life, &taken, taken.size == at && info_of(socket).requests_written >= 2 * MANY);
	CHECK_EQ(info_of(socket).requests_written, 2 * MANY);
	CHECK_EQ(info_of(socket).unsent, 0);
	CHECK_EQ(info_of(socket).bytes_written, at);
	expect_pattern(&taken, at);
	forget(&taken);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
	expect_kept(kept);
}

/* ---- who wants to hear of each ---- */

static unsigned ends;

static void count_end(brink_socket *socket, int error, void *arg)
{
	(void)socket;
	(void)arg;
	CHECK_EQ(error, 0);
	ends++;
}

static void told_of_each(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;
	uint64_t at = 0;

	open_life(&life, loop, kind, &(struct brink_socket_options){.on_written = count_end});
	socket = held(&life);
	for (unsigned i = 0; i < 1000; i++)
		write_piece(socket, &at, 64);
	TAKE_UNTIL(&life, &taken, taken.size == at && ends == 1000);
	expect_pattern(&taken, at);
	forget(&taken);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- in turns ---- */

static struct {
	brink_socket *socket;
	atomic_uint turn; /* of all, counted */
	uint64_t at;      /* whose turn it is has it */
	atomic_uint running;
} line;

struct taker {
	pthread_t thread;
	unsigned number;
	unsigned turns;
	unsigned takers;
};

static void *take_turns(void *arg)
{
	struct taker *taker = arg;
	uint64_t state = seed() + taker->number;

	for (unsigned turn = taker->number; turn < taker->turns; turn += taker->takers) {
		while (atomic_load(&line.turn) != turn)
			sched_yield();
		for (unsigned n = 1 + random_of(&state, 40); n > 0; n--)
			write_piece(line.socket, &line.at, random_of(&state, LITTLE + 1));
		atomic_store(&line.turn, turn + 1);
	}
	atomic_fetch_sub(&line.running, 1);
	return NULL;
}

/* What one thread writes after another has told it that it has written comes behind that, also where it could have
 * lengthened a request of its own that is not sent yet. */
static void one_after_the_other(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct taker takers[3];
	struct taken taken = {0};
	struct life life;

	open_life(&life, loop, kind, &(struct brink_socket_options){.unsent_limit = SIZE_MAX});
	line.socket = held(&life);
	line.at = 0;
	atomic_store(&line.turn, 0);
	atomic_store(&line.running, 3);
	for (unsigned i = 0; i < 3; i++) {
		takers[i] = (struct taker){.number = i, .turns = 600, .takers = 3};
		run_thread(&takers[i].thread, take_turns, &takers[i]);
	}
	/* The queue is long at some times, and empty at others. */
	while (atomic_load(&line.running) > 0) {
		turn_briefly(loop);
		take(life.pair.theirs, &taken, random_below(4) == 0 ? SIZE_MAX : random_below(20000));
	}
	for (unsigned i = 0; i < 3; i++)
		join_thread(takers[i].thread);
	TAKE_UNTIL(&life, &taken, taken.size == line.at);
	expect_pattern(&taken, line.at);
	forget(&taken);
	brink_socket_release(line.socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- without memory ---- */

/* A thread may have kept some, from which a write takes its memory: then it succeeds. */
static bool was_refused(brink_socket *socket, uint64_t *at, bool copies)
{
	uint64_t unsent = info_of(socket).unsent;
	uint8_t byte = pattern(*at);
	brink_buffer data = {0};
	int rc;

	CHECK_OK(brink_buffer_append(&data, &byte, 1));
	fail_allocation(1);
	rc = copies ? brink_socket_write_bytes(socket, &byte, 1) : brink_socket_write(socket, &data);
	CHECK_ERROR(rc, allocation_failed() ? -ENOMEM : 0);
	fail_allocation(0);
	*at += rc == 0;
	CHECK(rc == 0 || (info_of(socket).unsent == unsent && brink_buffer_length(&data) == 1));
	brink_buffer_clear(&data);
	return rc != 0;
}

/* What could not be queued is not counted as unsent. */
static void without_memory(enum kind kind)
{
	brink_loop *loop;
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;
	uint64_t at = 0;

	scarce_memory();
	loop = new_loop();
	open_life(&life, loop, kind, NULL);
	socket = held(&life);
	for (int copies = 0; copies < 2; copies++) {
		unsigned tries = 0;

		while (!was_refused(socket, &at, copies))
			CHECK(++tries < 5000);
	}
	write_piece(socket, &at, 100);
	TAKE_UNTIL(&life, &taken, taken.size == at);
	expect_pattern(&taken, at);
	forget(&taken);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- ends ---- */

static void *write_some(void *arg)
{
	uint64_t at = 0;

	for (unsigned i = 0; i < 500; i++)
		write_piece(arg, &at, 100);
	return NULL;
}

/* The thread that could lengthen the last request ends before it is sent, or the socket fails before: nothing is
 * left of either, and what was written is not lost. */
static void ended_before_sent(enum kind kind)
{
	long kept = blocks_kept(kind);

	for (int fails = 0; fails < 2; fails++) {
		brink_loop *loop = new_loop();
		struct taken taken = {0};
		struct life life;
		brink_socket *socket;
		pthread_t thread;

		open_life(&life, loop, kind, &(struct brink_socket_options){.unsent_limit = SIZE_MAX});
		socket = held(&life);
		run_thread(&thread, write_some, socket);
		join_thread(thread);
		CHECK(info_of(socket).unsent > 0);
		if (fails) {
			CHECK_OK(brink_socket_fail(life.id, -EIO, NULL));
			RUN_UNTIL(loop, life.closes == 1);
			CHECK_EQ(info_of(socket).unsent, 0);
			CHECK_ERROR(brink_socket_write_bytes(socket, "x", 1), -EIO);
		} else {
			TAKE_UNTIL(&life, &taken, taken.size == 50000 && info_of(socket).requests_written >= 500);
			CHECK_EQ(info_of(socket).requests_written, 500);
			expect_pattern(&taken, 50000);
		}
		brink_socket_release(socket);
		forget(&taken);
		end_life(&life);
		CHECK_OK(brink_loop_destroy(loop));
		expect_kept(kept);
	}
}

/* Writes, and when the loop is gone sets the allocator again. */
static void *write_and_set(void *arg)
{
	long *live = arg;

	write_some(line.socket);
	brink_socket_release(line.socket);
	atomic_fetch_sub(&line.running, 1);
	while (atomic_load(&line.running) > 0)
		sched_yield();
	scarce_memory();
	*live = blocks_live();
	return NULL;
}

/* Who sets an allocator gives back what is of the one before: also a request that is sent, and that this thread could
 * have lengthened. */
static void given_back(enum kind kind)
{
	long kept = blocks_kept(kind), live = 0;
	brink_loop *loop = new_loop();
	struct taken taken = {0};
	struct life life;
	pthread_t thread;

	open_life(&life, loop, kind, &(struct brink_socket_options){.unsent_limit = SIZE_MAX});
	line.socket = held(&life);
	atomic_store(&line.running, 2);
	run_thread(&thread, write_and_set, &live);
	TAKE_UNTIL(&life, &taken, taken.size == 50000 && atomic_load(&line.running) == 1);
	forget(&taken);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
	atomic_store(&line.running, 0);
	join_thread(thread);
	if (kept >= 0)
		CHECK_EQ(live, kept);
}

/* ---- while it is sent ---- */

static void *write_for_long(void *arg)
{
	uint64_t state = seed();

	for (unsigned i = 0; i < 10 * MANY; i++) {
		if (random_of(&state, 3000) == 0)
			sleep_ms(1);
		write_piece(arg, &line.at, 1 + random_of(&state, 100));
		if (random_of(&state, 500) == 0)
			sched_yield();
	}
	atomic_store(&line.running, 0);
	return NULL;
}

static void while_it_is_sent(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;
	pthread_t thread;

	open_life(&life, loop, kind, &(struct brink_socket_options){.unsent_limit = SIZE_MAX});
	socket = held(&life);
	line.at = 0;
	atomic_store(&line.running, 1);
	run_thread(&thread, write_for_long, socket);
	while (atomic_load(&line.running) > 0) {
		CHECK_OK(brink_loop_run_once(loop, BRINK_MS(1)));
		take(life.pair.theirs, &taken, random_below(3) == 0 ? random_below(3000) : SIZE_MAX);
	}
	join_thread(thread);
	TAKE_UNTIL(&life, &taken, taken.size == line.at && info_of(socket).requests_written >= 10 * MANY);
	CHECK_EQ(info_of(socket).requests_written, 10 * MANY);
	CHECK_EQ(info_of(socket).unsent, 0);
	expect_pattern(&taken, line.at);
	forget(&taken);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("socket-runs/all-in-order", all_in_order, KINDS_STREAM),
	SCENARIO("socket-runs/told-of-each", told_of_each, KINDS_STREAM),
	SCENARIO("socket-runs/one-after-the-other", one_after_the_other, KINDS_STREAM),
	SCENARIO("socket-runs/without-memory", without_memory, KINDS_STREAM),
	SCENARIO("socket-runs/ended-before-sent", ended_before_sent, KINDS_STREAM),
	SCENARIO("socket-runs/given-back", given_back, KINDS_STREAM),
	SCENARIO("socket-runs/while-it-is-sent", while_it_is_sent, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group socket_runs_group = {"socket-runs", scenarios};
