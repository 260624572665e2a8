/* Everything that threads may do to sockets, at random and on many connections, over the loops
 * of a group, which is destroyed while they still do so and hold references: each socket is
 * told of its life in order and of its end once, and each write ends once. */
#include "groups.h"
#include "stress_kit.h"

#include <string.h>

#define PAIRS 20u
#define ENDS (2 * PAIRS)
#define LOOPS 3u
#define THREADS 8u
#define STASH 6u

struct end {
	brink_socket_id id;
	atomic_bool inside; /* on_open, on_bytes, on_end: one at a time */
	atomic_bool opened, closed;
	atomic_uint taken, ended; /* writes */
	atomic_uint highs, lows;
};

struct thread {
	struct chance chance;
	unsigned steps;
	brink_socket *stash[STASH];
};

static struct end ends[ENDS];
static brink_executor *executor;
static atomic_uint closes;

/* ---- callbacks ---- */

static struct end *enter(brink_socket *socket, void *arg)
{
	struct end *end = arg;

	CHECK(!atomic_exchange(&end->inside, true));
	CHECK(!end->closed);
	CHECK(brink_socket_get_id(socket) == end->id);
	return end;
}

static void on_open(brink_socket *socket, void *arg)
{
	struct end *end = enter(socket, arg);

	CHECK(!atomic_exchange(&end->opened, true));
	end->inside = false;
}

static void on_written(brink_socket *socket, int error, void *arg)
{
	struct end *end = arg;

	/* A write that overlaps with the end may be told of it after on_close. */
	CHECK(brink_socket_arg(socket) == end && error <= 0);
	end->ended++;
}

static void send_some(brink_socket *socket, struct end *end, brink_buffer *data, unsigned flags)
{
	struct brink_write_options options = {.flags = flags, .done = on_written, .arg = end};
	int result;

	end->taken++; /* before: it may have ended when the call returns */
	result = brink_socket_write_with(socket, data, &options);
	if (result < 0)
		end->taken--;
	brink_buffer_clear(data);
}

/* Sends every other piece back. */
static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct end *end = enter(socket, arg);

	CHECK(end->opened && brink_buffer_length(in) > 0);
	if (brink_buffer_length(in) % 2 == 0)
		send_some(socket, end, in, 0);
	else
		brink_buffer_clear(in);
	end->inside = false;
}

static void on_end(brink_socket *socket, void *arg)
{
	struct end *end = enter(socket, arg);

	CHECK(end->opened);
	brink_socket_close(socket);
	end->inside = false;
}

static void on_high(brink_socket *socket, void *arg)
{
	struct end *end = arg;

	CHECK(brink_socket_arg(socket) == end && !end->closed);
	CHECK_EQ(++end->highs, end->lows + 1);
}

static void on_low(brink_socket *socket, void *arg)
{
	struct end *end = arg;

	CHECK(brink_socket_arg(socket) == end && !end->closed);
	CHECK_EQ(++end->lows, end->highs);
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct end *end = enter(socket, arg);

	(void)text;
	CHECK(error <= 0);
	CHECK(!atomic_exchange(&end->closed, true));
	end->inside = false;
	closes++;
}

/* ---- threads ---- */

static void write_some(struct thread *thread, brink_socket *socket)
{
	static char bytes[20000];
	size_t size = chance_below(&thread->chance, 8) == 0 ? sizeof bytes : 100;
	brink_buffer data = {0};

	CHECK_OK(brink_buffer_append(&data, bytes, 1 + chance_below(&thread->chance, (unsigned)size)));
	send_some(socket, brink_socket_arg(socket), &data, chance_below(&thread->chance, 4));
}

static void expect_result(int result)
{
	CHECK(result == 0 || result == -EPIPE || result == -ENOTCONN);
}

static void act(struct thread *thread, brink_socket *socket)
{
	struct brink_socket_info info;
	struct brink_address address;

	switch (chance_below(&thread->chance, 24)) {
	case 0:
		brink_socket_pause(socket);
		break;
	case 1:
	case 2:
		brink_socket_resume(socket);
		break;
	case 3:
		if (chance_below(&thread->chance, 50) == 0)
			expect_result(brink_socket_shutdown(socket));
		break;
	case 4:
		if (chance_below(&thread->chance, 100) == 0)
			expect_result(brink_socket_close(socket));
		break;
	case 5:
		if (chance_below(&thread->chance, 100) == 0)
			brink_socket_abort(brink_socket_get_id(socket));
		break;
	case 6:
		brink_socket_wait(socket, (int64_t)chance_below(&thread->chance, 500000));
		break;
	case 7:
		brink_socket_get_info(socket, &info);
		break;
	case 8:
		CHECK(brink_socket_fd(socket) != 0); /* the standard input is nobody's connection */
		if (brink_socket_peer(socket, &address) == 0)
			brink_socket_local(socket, &address);
		break;
	case 9:
		rest_us(chance_below(&thread->chance, 200));
		break;
	default:
		write_some(thread, socket);
		break;
	}
}

static void *play(void *arg)
{
	struct thread *thread = arg;

	for (unsigned i = 0; i < thread->steps; i++) {
		brink_socket **which = &thread->stash[chance_below(&thread->chance, STASH)];

		if (*which == NULL)
			*which = brink_socket_address(ends[chance_below(&thread->chance, ENDS)].id);
		if (*which == NULL)
			continue;
		act(thread, *which);
		if (chance_below(&thread->chance, 4) == 0) {
			brink_socket_release(*which);
			*which = NULL;
		}
	}
	for (unsigned i = 0; i < STASH; i++)
		if (thread->stash[i] != NULL)
			brink_socket_release(thread->stash[i]);
	return NULL;
}

/* ---- the scenario ---- */

static void create_end(brink_group *group, struct end *end, int *fd)
{
	CHECK_OK(brink_socket_create(&end->id, brink_group_place(group, *fd), &(struct brink_socket_options){
		.fd = *fd, .flags = random_below(4) == 0 ? BRINK_SOCKET_PAUSED : 0,
		.on_open = on_open, .on_bytes = on_bytes, .on_end = on_end, .on_high = on_high, .on_low = on_low,
		.on_close = on_close, .arg = end, .executor = random_below(3) == 0 ? executor : NULL,
		.unsent_limit = 200000, .high_water = 50000, .read_budget = 1 + random_below(100000),
		.linger_timeout = BRINK_MS(1 + random_below(20)),
		.idle_timeout = random_below(4) == 0 ? BRINK_MS(20) : 0,
		.write_timeout = random_below(4) == 0 ? BRINK_MS(20) : 0}));
	*fd = -1;
}

static void play_round(enum kind kind)
{
	struct thread threads[THREADS];
	struct team team;
	brink_group *group = start_loops(LOOPS);

	memset(ends, 0, sizeof ends);
	memset(threads, 0, sizeof threads);
	closes = 0;
	CHECK_OK(brink_executor_create(&executor, &(struct brink_executor_options){.threads = 2}));
	for (unsigned i = 0; i < PAIRS; i++) {
		struct pair pair = open_pair(kind, BRINK_READ);

		create_end(group, &ends[2 * i], &pair.ours);
		create_end(group, &ends[2 * i + 1], &pair.theirs);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		threads[i].chance = new_chance();
		threads[i].steps = is_slow() ? 400 : 3000;
	}
	start_team(&team, THREADS, play, threads, sizeof threads[0]);
	rest_us(random_below(is_slow() ? 50000 : 10000));
	CHECK_OK(brink_group_destroy(group)); /* waits for the references */
	CHECK_EQ(closes, ENDS);
	for (unsigned i = 0; i < ENDS; i++) {
		CHECK(brink_socket_address(ends[i].id) == NULL);
		CHECK_EQ(ends[i].ended, ends[i].taken);
	}
	join_team(&team);
	brink_executor_destroy(executor);
}

static void loops_end_under_threads(enum kind kind)
{
	for (unsigned i = 0; i < rounds(8); i++)
		play_round(kind);
}

static const struct scenario scenarios[] = {
	SCENARIO("stress-end/loops-end-under-threads", loops_end_under_threads, KIND_TCP | KIND_UNIX,
	         .flags = TRACE_FREE),
	NO_MORE_SCENARIOS,
};
const struct group stress_end_group = {"stress-end", scenarios};
