/* Many threads write to one connection. */
#include "groups.h"
#include "socket_stage.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define WRITERS 16u

static struct {
	brink_socket_id id;
	unsigned requests; /* of each writer */
	atomic_uint running;
	unsigned gap;   /* writers sleep after so many requests; 0: never */
	unsigned large; /* every so manieth record is a large one; 0: none */
} plan;

struct writer {
	pthread_t thread;
	uint32_t number;
	uint32_t written;  /* requests that were taken */
	uint32_t done, failed;
	int refused;       /* what a write said at last */
};

static atomic_int in_done;

struct ticket {
	struct writer *writer;
	uint32_t number;
};

static void on_done(brink_socket *socket, int error, void *arg)
{
	struct ticket *ticket = arg;
	struct writer *writer = ticket->writer;

	CHECK_EQ(atomic_exchange(&in_done, 1), 0);
	CHECK_EQ(brink_socket_get_id(socket), plan.id);
	CHECK_EQ(ticket->number, writer->done + writer->failed);
	if (error == 0) {
		CHECK_EQ(writer->failed, 0); /* in order: none is sent after one was not */
		writer->done++;
	} else {
		writer->failed++;
	}
	CHECK_EQ(atomic_exchange(&in_done, 0), 1);
	free(ticket);
}

static void *write_records(void *arg)
{
	struct writer *writer = arg;
	uint64_t state = seed() + writer->number;
	brink_socket *socket = brink_socket_address(plan.id);

	while (socket != NULL && writer->written < plan.requests) {
		struct ticket *ticket = malloc(sizeof *ticket);
		struct record record = {writer->number, writer->written, random_of(&state, 200)};
		struct brink_write_options options = {.done = on_done, .arg = ticket};

		CHECK(ticket != NULL);
		*ticket = (struct ticket){writer, writer->written};
		if (plan.large != 0 && random_of(&state, plan.large) == 0)
			record.size = 100000;
		if (random_of(&state, 4) == 0)
			options.flags |= BRINK_WRITE_QUEUED;
		writer->refused = write_record(socket, record, &options);
		if (writer->refused == -BRINK_EOVERCROWDED) {
			free(ticket);
			(void)brink_socket_wait(socket, -1);
			continue;
		}
		if (writer->refused != 0) {
			free(ticket);
			break;
		}
		writer->written++;
		if (plan.gap != 0 && random_of(&state, plan.gap) == 0)
			sched_yield();
	}
	if (socket != NULL)
		brink_socket_release(socket);
	plan.running--;
	return NULL;
}

static void begin(struct writer *writers, const struct life *life, unsigned requests)
{
	memset(&plan, 0, sizeof plan);
	plan.id = life->id;
	plan.requests = requests;
	plan.running = WRITERS;
	memset(writers, 0, WRITERS * sizeof *writers);
}

static void go(struct writer *writers)
{
	for (uint32_t i = 0; i < WRITERS; i++) {
		writers[i].number = i;
		run_thread(&writers[i].thread, write_records, &writers[i]);
	}
}

static void finish(struct writer *writers)
{
	for (unsigned i = 0; i < WRITERS; i++)
		join_thread(writers[i].thread);
}

static unsigned quantity(void)
{
	return is_long() ? 20000 : is_slow() ? 100 : 500;
}

static void expect_all(struct writer *writers, const struct taken *taken)
{
	uint32_t counts[WRITERS];

	check_records(taken, counts, WRITERS, false);
	for (unsigned i = 0; i < WRITERS; i++) {
		CHECK_EQ(writers[i].refused, 0);
		CHECK_EQ(writers[i].written, plan.requests);
		CHECK_EQ(writers[i].done, plan.requests);
		CHECK_EQ(counts[i], plan.requests);
	}
}

static uint64_t total(const struct writer *writers)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < WRITERS; i++)
		sum += writers[i].done + writers[i].failed;
	return sum;
}

static void in_order_with(enum kind kind, unsigned gap, unsigned large, size_t limit, size_t peer_reads)
{
	brink_loop *loop = new_loop();
	struct writer writers[WRITERS];
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;

	open_life(&life, loop, kind, &(struct brink_socket_options){
		.unsent_limit = limit, .high_water = limit / 2, .low_water = limit / 4});
	begin(writers, &life, quantity());
	plan.gap = gap;
	plan.large = large;
	socket = held(&life);
	go(writers);
	RUN_UNTIL(loop, (take(life.pair.theirs, &taken, peer_reads), plan.running == 0));
	finish(writers);
	TAKE_UNTIL(&life, &taken, info_of(socket).unsent == 0 &&
		info_of(socket).requests_written == WRITERS * plan.requests);
	TAKE_UNTIL(&life, &taken, taken.size == info_of(socket).bytes_written);
	CHECK_EQ(total(writers), WRITERS * plan.requests);
	expect_all(writers, &taken);
	forget(&taken);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

static void in_order(enum kind kind)
{
	in_order_with(kind, 0, 0, 0, SIZE_MAX);
}

static void with_pauses(enum kind kind)
{
	in_order_with(kind, 2, 0, 0, SIZE_MAX);
}

static void large_and_small(enum kind kind)
{
	in_order_with(kind, 0, 50, 0, 1u << 18);
}

/* They meet the limit again and again, and wait for the low mark. */
static void at_the_limit(enum kind kind)
{
	in_order_with(kind, 0, 0, 65536, 32768);
}

/* The socket fails in the middle: each request ends once, those that were sent are before
 * those that were not, and nothing is at the peer that was not said to be sent but one that
 * was under way. */
static void fails_meanwhile(enum kind kind)
{
	brink_loop *loop = new_loop();

	for (unsigned round = 0; round < 10; round++) {
		struct writer writers[WRITERS];
		struct taken taken = {0};
		struct life life;
		uint32_t counts[WRITERS];
		uint64_t sent = 0, arrived = 0;
		bool abort = kind != KIND_UNIX && round % 2 == 1;

		open_life(&life, loop, kind, NULL);
		begin(writers, &life, 100000000);
		plan.gap = 4;
		go(writers);
		for (unsigned i = random_below(20); i > 0; i--) {
			CHECK_OK(brink_loop_run_once(loop, 0));
			take(life.pair.theirs, &taken, random_below(100000));
		}
		CHECK_OK(abort ? brink_socket_abort(life.id) : brink_socket_fail(life.id, -EIO, NULL));
		RUN_UNTIL(loop, life.closes == 1 && plan.running == 0);
		finish(writers);
		for (unsigned i = 0; i < WRITERS; i++) {
			if (writers[i].written > 0 && writers[i].refused != (abort ? -ECONNABORTED : -EIO))
				CHECK_ERROR(writers[i].refused, -EIO);
			CHECK_EQ(writers[i].done + writers[i].failed, writers[i].written);
			sent += writers[i].done;
		}
		RUN_UNTIL(loop, (take(life.pair.theirs, &taken, SIZE_MAX), taken.ended));
		check_records(&taken, counts, WRITERS, true);
		for (unsigned i = 0; i < WRITERS; i++) {
			CHECK(counts[i] <= writers[i].written);
			arrived += counts[i];
		}
		if (taken.error == 0)
			CHECK(arrived >= sent);
		forget(&taken);
		end_life(&life);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

/* The connection is shut down while they write: what was sent before arrives, all of it, and
 * then the end. A write that met the shutdown was refused, or ended with -EPIPE. */
static void shut_meanwhile(enum kind kind)
{
	brink_loop *loop = new_loop();

	for (unsigned round = 0; round < 10; round++) {
		struct writer writers[WRITERS];
		struct taken taken = {0};
		struct life life;
		uint32_t counts[WRITERS];
		brink_socket *socket;

		open_life(&life, loop, kind, NULL);
		begin(writers, &life, 100000000);
		plan.gap = 4;
		socket = held(&life);
		go(writers);
		for (unsigned i = random_below(20); i > 0; i--) {
			CHECK_OK(brink_loop_run_once(loop, 0));
			take(life.pair.theirs, &taken, random_below(100000));
		}
		CHECK_OK(round % 2 == 0 ? brink_socket_shutdown(socket) : brink_socket_close(socket));
		TAKE_UNTIL(&life, &taken, taken.ended && plan.running == 0);
		CHECK_EQ(taken.error, 0);
		finish(writers);
		check_records(&taken, counts, WRITERS, false);
		for (unsigned i = 0; i < WRITERS; i++) {
			CHECK_EQ(writers[i].refused, writers[i].written == 0 && writers[i].refused == 0 ? 0 : -EPIPE);
			CHECK(writers[i].failed <= 1);
			CHECK_EQ(writers[i].done + writers[i].failed, writers[i].written);
			CHECK_EQ(counts[i], writers[i].done);
		}
		brink_socket_release(socket);
		forget(&taken);
		end_life(&life);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("socket-threads/in-order", in_order, KINDS_STREAM),
	SCENARIO("socket-threads/with-pauses", with_pauses, KINDS_STREAM),
	SCENARIO("socket-threads/large-and-small", large_and_small, KINDS_STREAM),
	SCENARIO("socket-threads/at-the-limit", at_the_limit, KINDS_STREAM),
	SCENARIO("socket-threads/fails-meanwhile", fails_meanwhile, KINDS_STREAM),
	SCENARIO("socket-threads/shut-meanwhile", shut_meanwhile, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group socket_threads_group = {"socket-threads", scenarios};
