/* Deadlines of connects close to the time that a connect takes, with threads that fail the same
 * sockets: whatever comes first, each is told once how it went. */
#include "groups.h"
#include "stress_kit.h"

#include <string.h>
#include <unistd.h>

#define THREADS 4u
#define CONNECTS 400u

struct attempt {
	brink_socket_id id;
	atomic_uint opens, closes;
	int error;
};

struct thread {
	struct chance chance;
	unsigned count;
	struct attempt attempts[CONNECTS];
};

static brink_group *group;
static struct site site;
static struct thread threads[THREADS];
static atomic_bool over;

static void on_open(brink_socket *socket, void *arg)
{
	struct attempt *attempt = arg;

	CHECK(attempt->closes == 0);
	CHECK_EQ(++attempt->opens, 1);
	brink_socket_abort(brink_socket_get_id(socket));
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct attempt *attempt = arg;

	(void)socket;
	(void)text;
	attempt->error = error;
	CHECK_EQ(++attempt->closes, 1);
}

static void *connect_often(void *arg)
{
	struct thread *thread = arg;
	struct brink_socket_options options = {.address = &site.address, .on_open = on_open, .on_close = on_close};

	for (unsigned i = 0; i < thread->count; i++) {
		struct attempt *attempt = &thread->attempts[i];

		options.arg = attempt;
		options.connect_timeout = 1 + chance_below(&thread->chance, BRINK_MS(1));
		CHECK_OK(brink_socket_create(&attempt->id, brink_group_place(group, (int)i), &options));
		if (chance_below(&thread->chance, 4) == 0) {
			rest_us(chance_below(&thread->chance, 100));
			brink_socket_fail(attempt->id, -EINTR, "a thread");
		} else if (i % 8 == 0) {
			WAIT_UNTIL(attempt->closes == 1);
		}
	}
	return NULL;
}

/* Accepts with pauses, so that some connects wait in a full queue. */
static void *accept_slowly(void *arg)
{
	struct thread *self = arg;
	int listener = start_at(&site, 4);

	while (!over) {
		int fd = take_one(listener);

		if (fd >= 0)
			reset_fd(&fd);
		else
			rest_us(chance_below(&self->chance, 500));
	}
	stop_at(&site, &listener);
	return NULL;
}

static void play_round(enum kind kind)
{
	static struct thread server;
	unsigned connected = 0, timed_out = 0;
	struct team clients, servers;

	memset(threads, 0, sizeof threads);
	over = false;
	open_site(&site, kind);
	group = start_loops(2);
	server.chance = new_chance();
	start_team(&servers, 1, accept_slowly, &server, sizeof server);
	for (unsigned i = 0; i < THREADS; i++)
		threads[i] = (struct thread){.chance = new_chance(), .count = is_slow() ? CONNECTS / 4 : CONNECTS};
	start_team(&clients, THREADS, connect_often, threads, sizeof threads[0]);
	join_team(&clients);
	for (unsigned i = 0; i < THREADS * CONNECTS; i++) {
		struct attempt *attempt = &threads[i / CONNECTS].attempts[i % CONNECTS];

		if (i % CONNECTS >= threads[i / CONNECTS].count)
			continue;
		WAIT_UNTIL(attempt->closes == 1);
		CHECK(brink_socket_address(attempt->id) == NULL);
		CHECK(attempt->error < 0 && attempt->opens <= 1);
		connected += attempt->opens;
		timed_out += attempt->error == -ETIMEDOUT;
		/* After the deadline no on_open, and after on_open no deadline. */
		CHECK(attempt->opens == 0 || attempt->error != -ETIMEDOUT);
	}
	over = true;
	join_team(&servers);
	CHECK_OK(brink_group_destroy(group));
	measure("connected, timed out", "%u, %u", connected, timed_out);
	close_site(&site);
}

static void deadlines(enum kind kind)
{
	for (unsigned i = 0; i < rounds(2); i++)
		play_round(kind);
}

static const struct scenario scenarios[] = {
	SCENARIO("stress-connect/deadlines", deadlines, KIND_TCP | KIND_UNIX, .flags = TRACE_FREE),
	NO_MORE_SCENARIOS,
};
const struct group stress_connect_group = {"stress-connect", scenarios};
