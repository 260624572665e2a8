/* Callbacks on an executor's threads: one at a time, in order, nothing lost. The stage
 * checks that no two are under way for one socket, and that on_open is the first. */
#include "groups.h"
#include "socket_stage.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIVES 8u
#define ROUNDS 40u
#define SIZE 3000u

struct reader {
	uint64_t at;
	bool slow;
	pthread_t loop_thread;
};

static void read_in_order(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct reader *reader = arg;
	uint8_t part[512];

	(void)socket;
	CHECK(!pthread_equal(pthread_self(), reader->loop_thread));
	while (brink_buffer_length(in) > 0) {
		size_t n = brink_buffer_copy(in, 0, part, sizeof part);

		for (size_t i = 0; i < n; i++)
			CHECK_EQ(part[i], pattern(reader->at + i));
		reader->at += n;
		brink_buffer_pop(in, n);
	}
	if (reader->slow)
		sleep_ms(1);
}

static void opened_elsewhere(brink_socket *socket, void *arg)
{
	struct reader *reader = arg;

	CHECK(!pthread_equal(pthread_self(), reader->loop_thread));
	CHECK_EQ(reader->at, 0);
	CHECK_OK(brink_socket_write_bytes(socket, "welcome", 7));
}

static void ended_elsewhere(brink_socket *socket, void *arg)
{
	struct reader *reader = arg;

	CHECK(!pthread_equal(pthread_self(), reader->loop_thread));
	CHECK_EQ(reader->at, (uint64_t)ROUNDS * SIZE);
	CHECK_OK(brink_socket_shutdown(socket));
}

static void send_part(struct life *life, unsigned round)
{
	uint8_t part[SIZE];

	lay_pattern(part, (uint64_t)round * SIZE, SIZE);
	write_all(life->pair.theirs, part, SIZE);
}

static unsigned closed_of(struct life *lives)
{
	unsigned count = 0;

	for (unsigned i = 0; i < LIVES; i++)
		count += lives[i].closes;
	return count;
}

static void in_order_with(enum kind kind, unsigned threads, size_t capacity)
{
	brink_loop *loop = new_loop();
	brink_executor *executor;
	struct life lives[LIVES];
	struct reader readers[LIVES];

	CHECK_OK(brink_executor_create(&executor, &(struct brink_executor_options){
		.threads = threads, .capacity = capacity}));
	for (unsigned i = 0; i < LIVES; i++) {
		readers[i] = (struct reader){.slow = i % 2 == 0, .loop_thread = pthread_self()};
		start_life(&lives[i], loop, kind, &(struct brink_socket_options){.on_open = opened_elsewhere,
			.on_bytes = read_in_order, .on_end = ended_elsewhere, .arg = &readers[i],
			.executor = executor, .read_budget = i % 3 == 0 ? 1000 : 0});
		send_part(&lives[i], 0);
	}
	for (unsigned round = 1; round < ROUNDS; round++) {
		for (unsigned i = 0; i < LIVES; i++)
			send_part(&lives[i], round);
		CHECK_OK(brink_loop_run_once(loop, 0));
	}
	for (unsigned i = 0; i < LIVES; i++)
		CHECK_EQ(shutdown(lives[i].pair.theirs, SHUT_WR), 0);
	RUN_UNTIL(loop, closed_of(lives) == LIVES);
	for (unsigned i = 0; i < LIVES; i++) {
		char welcome[7];

		CHECK_EQ(lives[i].error, 0);
		CHECK_EQ(lives[i].opens, 1);
		CHECK_EQ(lives[i].ends, 1);
		read_exactly(lives[i].pair.theirs, welcome, sizeof welcome);
		end_life(&lives[i]);
	}
	CHECK_OK(brink_loop_destroy(loop));
	CHECK_OK(brink_executor_destroy(executor));
}

static void in_order(enum kind kind)
{
	in_order_with(kind, 4, 0);
}

/* Fewer places than sockets: they wait for room, and nobody for ever. */
static void full_executor(enum kind kind)
{
	in_order_with(kind, 1, 1);
}

/* The loop ends while callbacks run. */
static atomic_uint under_way;

static void slow_reader(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)arg;
	under_way++;
	sleep_ms(3);
	(void)brink_socket_write_bytes(socket, "answer", 6);
	brink_buffer_clear(in);
	under_way--;
}

static void destroyed_meanwhile(enum kind kind)
{
	for (unsigned round = 0; round < 10; round++) {
		brink_loop *loop = new_loop();
		brink_executor *executor;
		struct life lives[LIVES];

		CHECK_OK(brink_executor_create(&executor, &(struct brink_executor_options){
			.threads = 2, .capacity = round % 2 == 0 ? 1 : 0}));
		for (unsigned i = 0; i < LIVES; i++) {
			start_life(&lives[i], loop, kind, &(struct brink_socket_options){
				.on_bytes = slow_reader, .executor = executor});
			write_all(lives[i].pair.theirs, "question", 8);
		}
		for (unsigned turns = random_below(4); turns > 0; turns--)
			CHECK_OK(brink_loop_run_once(loop, 0));
		if (random_below(2) == 0)
			sleep_ms(random_below(4));
		CHECK_OK(brink_loop_destroy(loop));
		CHECK_EQ(under_way, 0);
		for (unsigned i = 0; i < LIVES; i++) {
			CHECK_EQ(lives[i].closes, 1);
			close_pair(&lives[i].pair);
		}
		CHECK_OK(brink_executor_destroy(executor));
	}
}

static const struct scenario scenarios[] = {
	SCENARIO("socket-executor/in-order", in_order, KINDS_STREAM),
	SCENARIO("socket-executor/full-executor", full_executor, KINDS_STREAM),
	SCENARIO("socket-executor/destroyed-meanwhile", destroyed_meanwhile, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group socket_executor_group = {"socket-executor", scenarios};
