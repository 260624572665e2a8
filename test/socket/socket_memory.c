/* The allocator fails at its k-th call, for every k: an error, and nothing lost or stuck. */
#include "groups.h"
#include "scarce.h"
#include "socket_stage.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct play {
	/* on_open and on_bytes may be the executor's */
	atomic_uint opens, closes, ended;
	atomic_int error;
	atomic_size_t got;
};

static void on_open(brink_socket *socket, void *arg)
{
	(void)socket;
	((struct play *)arg)->opens++;
}

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct play *play = arg;

	(void)socket;
	play->got += brink_buffer_length(in);
	brink_buffer_clear(in);
}

static void on_done(brink_socket *socket, int error, void *arg)
{
	struct play *play = arg;

	(void)socket;
	CHECK(error == 0 || error == -ENOMEM || error == -ECONNABORTED || error == -EPIPE);
	play->ended++;
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct play *play = arg;

	(void)socket;
	CHECK(text != NULL);
	play->error = error;
	play->closes++;
}

#define WRITES 6u

/* Six requests, in place and by the loop; those that were taken are at the peer in the end. */
static unsigned write_all_of(brink_socket *socket, struct play *play, brink_buffer *parts, size_t *size)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < WRITES; i++) {
		size_t length = brink_buffer_length(&parts[i]);
		int result = brink_socket_write_with(socket, &parts[i], &(struct brink_write_options){
			.flags = i % 2 ? BRINK_WRITE_QUEUED : 0, .done = on_done, .arg = play});

		if (result < 0) {
			CHECK(result == -ENOMEM || brink_socket_address(brink_socket_get_id(socket)) == NULL);
			CHECK_EQ(brink_buffer_length(&parts[i]), length);
			continue;
		}
		CHECK_EQ(brink_buffer_length(&parts[i]), 0);
		*size += length;
		taken++;
	}
	return taken;
}

static void run_play(brink_loop *loop, struct pair *pair, struct play *play, brink_buffer *parts,
                     const struct brink_socket_options *options)
{
	struct taken taken = {0};
	size_t size = 0;
	unsigned writes;
	brink_socket_id id;
	brink_socket *socket;
	int result = brink_socket_create(&id, loop, options);

	if (result < 0) {
		CHECK_ERROR(result, -ENOMEM);
		return; /* the descriptor is ours still */
	}
	pair->ours = -1;
	socket = brink_socket_address(id);
	CHECK(socket != NULL);
	writes = write_all_of(socket, play, parts, &size);
	write_all(pair->theirs, "to be read", 10);
	RUN_UNTIL(loop, (take(pair->theirs, &taken, SIZE_MAX),
		play->closes == 1 || (play->got == 10 && taken.size == size && play->ended == writes)));
	if (play->closes == 0) {
		result = brink_socket_close(socket);
		if (result < 0)
			CHECK_ERROR(result, -ENOTCONN);
		RUN_UNTIL(loop, (take(pair->theirs, &taken, SIZE_MAX), taken.ended));
		close_fd(&pair->theirs);
		RUN_UNTIL(loop, play->closes == 1);
	}
	CHECK_EQ(play->ended, writes);
	CHECK(play->error == 0 || play->error == -ENOMEM);
	CHECK_EQ(play->closes, 1);
	brink_socket_release(socket);
	forget(&taken);
}

/* Blocks that the library keeps for the next use are as many after each run, or fewer. */
static void each_allocation_fails(enum kind kind, brink_executor *executor)
{
	bool reached = true;
	long most = 0;

	for (unsigned k = 1; reached; k++) {
		brink_loop *loop = new_loop();
		struct pair pair = open_pair(kind, BRINK_READ);
		struct play play = {0};
		struct brink_socket_options options = {.fd = pair.ours, .on_open = on_open, .on_bytes = on_bytes,
			.on_close = on_close, .arg = &play, .executor = executor, .idle_timeout = BRINK_SECONDS(1000)};
		brink_buffer parts[WRITES];

		memset(parts, 0, sizeof parts);
		for (unsigned i = 0; i < WRITES; i++) {
			void *room = brink_buffer_reserve(&parts[i], 100, NULL);

			CHECK(room != NULL);
			memset(room, 'm', 100);
			brink_buffer_commit(&parts[i], 100);
		}
		fail_allocation(k);
		run_play(loop, &pair, &play, parts, &options);
		reached = allocation_failed();
		for (unsigned i = 0; i < WRITES; i++)
			brink_buffer_clear(&parts[i]);
		CHECK_OK(brink_loop_destroy(loop));
		close_pair(&pair);
		if (k <= 3)
			most = blocks_live() > most ? blocks_live() : most;
		if (blocks_live() > most + 300)
			FAIL("%ld blocks, and %ld before", blocks_live(), most);
		CHECK(k < 1000);
		if (!reached)
			measure("allocations of a socket that is written, read and closed", "%u", k - 1);
	}
}

static void on_the_loop(enum kind kind)
{
	scarce_memory();
	each_allocation_fails(kind, NULL);
}

static void on_an_executor(enum kind kind)
{
	brink_executor *executor;

	scarce_memory();
	CHECK_OK(brink_executor_create(&executor, &(struct brink_executor_options){.threads = 1}));
	each_allocation_fails(kind, executor);
	CHECK_OK(brink_executor_destroy(executor));
}

/* Many sockets, one after another, leave nothing behind. */
static void nothing_is_left(enum kind kind)
{
	brink_loop *loop;
	long before = 0;

	scarce_memory();
	loop = new_loop();
	for (unsigned i = 0; i < (is_slow() ? 60 : 200); i++) {
		struct life life;
		brink_socket *socket;

		open_life(&life, loop, kind, &(struct brink_socket_options){.idle_timeout = BRINK_SECONDS(1000)});
		socket = held(&life);
		CHECK_OK(write_pattern(socket, 0, 3u << 20, NULL));
		write_all(life.pair.theirs, "to be read", 10);
		turn(loop);
		CHECK_OK(brink_socket_fail(life.id, -EIO, "the end of one of many"));
		brink_socket_release(socket);
		end_life(&life);
		if (i == 20)
			before = blocks_live();
	}
	turn(loop);
	if (blocks_live() > before + 20)
		FAIL("%ld blocks, and %ld before", blocks_live(), before);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- how much it is ---- */

#define WEIGHED 65536u /* places for blocks, a power of two: some 20000 are there at once */

static size_t bytes_live;
static struct {
	void *block;
	size_t size;
} weighed[WEIGHED];

/* Where `block` is, or an empty place for it. Blocks that are freed keep theirs: addresses
 * come again. */
static size_t seat_of(const void *block)
{
	size_t seat = (size_t)((uintptr_t)block >> 4) * 2654435761u % WEIGHED;

	while (weighed[seat].block != NULL && weighed[seat].block != block)
		seat = (seat + 1) % WEIGHED;
	return seat;
}

static void *weigh(void *memory, size_t size, void *context)
{
	size_t seat;

	(void)context;
	if (memory != NULL)
		bytes_live -= weighed[seat_of(memory)].size;
	if (size == 0) {
		free(memory);
		return NULL;
	}
	memory = realloc(memory, size);
	CHECK(memory != NULL);
	seat = seat_of(memory);
	weighed[seat].block = memory;
	weighed[seat].size = size;
	bytes_live += size;
	return memory;
}

#define TINY 5000u

static void tiny_requests_hold_little(enum kind kind)
{
	struct life life;
	brink_loop *loop;
	brink_socket *socket;
	size_t before;

	brink_set_allocator(weigh, NULL);
	loop = new_loop();
	start_life(&life, loop, kind, NULL);
	socket = held(&life);
	before = bytes_live;
	/* Before it is open nothing is sent. */
	for (unsigned i = 0; i < TINY; i++)
		CHECK_OK(brink_socket_write_bytes(socket, "tiny", 5));
	CHECK(bytes_live - before < TINY * 1024);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

static void leave_all(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)socket;
	*(size_t *)arg = brink_buffer_length(in);
}

/* Who waits for the whole of a message is sent it byte by byte. */
static void few_bytes_at_a_time_hold_little(enum kind kind)
{
	struct life life;
	brink_loop *loop;
	size_t before, had = 0;

	brink_set_allocator(weigh, NULL);
	loop = new_loop();
	open_life(&life, loop, kind, &(struct brink_socket_options){.on_bytes = leave_all, .arg = &had});
	before = bytes_live;
	for (size_t i = 1; i <= TINY; i++) {
		write_all(life.pair.theirs, "x", 1);
		RUN_UNTIL(loop, had == i);
	}
	measure("bytes for each that was left in the buffer", "%zu", (bytes_live - before) / TINY);
	CHECK(bytes_live - before < TINY * 256);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

#define ALIKE 20u

static struct play plays[2 * ALIKE];
static struct pair pairs[2 * ALIKE];
static size_t grown[2];

/* By the loop, as who accepts does: half with the same options, half with an argument of their own. */
static void make_many(brink_timer *timer)
{
	for (unsigned i = 0; i < 2 * ALIKE; i++) {
		struct brink_socket_options options = {
			.fd = pairs[i].ours, .on_close = on_close, .arg = &plays[i < ALIKE ? 0 : i]};
		size_t before = bytes_live;
		brink_socket_id id;

		CHECK_OK(brink_socket_create(&id, timer->loop, &options));
		pairs[i].ours = -1;
		if (i > 0) /* the first has a page of slots made */
			grown[i >= ALIKE] += bytes_live - before;
	}
}

static void equal_options_are_kept_once(enum kind kind)
{
	brink_loop *loop;
	brink_timer timer;

	brink_set_allocator(weigh, NULL);
	loop = new_loop();
	for (unsigned i = 0; i < 2 * ALIKE; i++)
		pairs[i] = open_pair(kind, BRINK_READ | BRINK_WRITE);
	brink_timer_init(&timer, make_many);
	CHECK_OK(brink_timer_start(loop, &timer, 0, 0));
	RUN_UNTIL(loop, grown[1] > 0);
	measure("bytes of a socket with the options of the one before, and with others", "%zu, %zu", grown[0] / (ALIKE - 1),
	        grown[1] / ALIKE);
	CHECK(grown[0] + (ALIKE - 1) * sizeof(struct brink_socket_options) <= grown[1]);
	for (unsigned i = 0; i < 2 * ALIKE; i++)
		close_pair(&pairs[i]);
	RUN_UNTIL(loop, plays[0].closes == ALIKE);
	for (unsigned i = ALIKE; i < 2 * ALIKE; i++)
		RUN_UNTIL(loop, plays[i].closes == 1);
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("socket-memory/on-the-loop", on_the_loop, KINDS_STREAM),
	SCENARIO("socket-memory/on-an-executor", on_an_executor, KINDS_STREAM),
	SCENARIO("socket-memory/nothing-is-left", nothing_is_left, KINDS_STREAM),
	SCENARIO("socket-memory/tiny-requests-hold-little", tiny_requests_hold_little, KIND_UNIX),
	SCENARIO("socket-memory/few-bytes-at-a-time-hold-little", few_bytes_at_a_time_hold_little, KINDS_STREAM),
	SCENARIO("socket-memory/equal-options-are-kept-once", equal_options_are_kept_once, KIND_UNIX),
	NO_MORE_SCENARIOS,
};
const struct group socket_memory_group = {"socket-memory", scenarios};
