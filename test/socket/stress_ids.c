/* Sockets that are made, asked for, held, failed, released, abandoned, recycled and revived by
 * many threads at once, while their server comes and goes: an id never leads to another
 * socket, and what a socket is told of its lives is in order. */
#include "groups.h"
#include "stress_kit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SEATS 6u
#define OBJECTS 8000u
#define THREADS 8u
#define STASH 4u
#define PEERS 128u

/* What one id belongs to, from its creation to the end of the scenario. */
struct object {
	brink_socket_id id;
	bool alive, open; /* as its callbacks know it */
	bool known;       /* has brink_socket_data() */
	atomic_uint closes, revives;
	atomic_uint failed, failures_told; /* by brink_socket_fail(); on_close with its error and text */
};

static struct object objects[OBJECTS];
static atomic_uint object_count;
static _Atomic(struct object *) seats[SEATS];
static brink_group *group;
static struct site site;
static atomic_bool over;

/* ---- what a socket is told ---- */

static struct object *object_of(brink_socket *socket, void *arg)
{
	struct object *object = arg;

	CHECK(brink_socket_arg(socket) == arg);
	CHECK(brink_socket_get_id(socket) == object->id);
	return object;
}

static void on_open(brink_socket *socket, void *arg)
{
	struct object *object = object_of(socket, arg);

	CHECK(object->alive && !object->open);
	object->open = true;
	CHECK(brink_socket_data(socket) == (object->known ? object : NULL));
	brink_socket_set_data(socket, object);
	object->known = true;
}

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	CHECK(object_of(socket, arg)->open);
	brink_buffer_clear(in);
}

static void on_end(brink_socket *socket, void *arg)
{
	CHECK(object_of(socket, arg)->open);
	brink_socket_close(socket);
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct object *object = object_of(socket, arg);
	unsigned index;

	CHECK(object->alive && error <= 0);
	object->alive = object->open = false;
	object->closes++;
	if (text != NULL && sscanf(text, "object %u", &index) == 1) {
		CHECK_EQ(index, object - objects);
		CHECK_ERROR(error, -EBADMSG);
		object->failures_told++;
	}
}

static void on_revive(brink_socket *socket, void *arg)
{
	struct object *object = object_of(socket, arg);

	CHECK(!object->alive);
	object->alive = true;
	CHECK_EQ(++object->revives, object->closes);
}

/* ---- what threads do to it ---- */

struct thread {
	struct chance chance;
	unsigned steps;
	brink_socket *stash[STASH];
	struct object *stashed[STASH];
};

static struct object *create(struct chance *chance)
{
	unsigned index = object_count++;
	struct object *object = &objects[index];
	struct brink_socket_options options = {
		.address = &site.address, .on_open = on_open, .on_bytes = on_bytes, .on_end = on_end,
		.on_close = on_close, .on_revive = on_revive, .arg = object, .linger_timeout = BRINK_MS(5),
	};

	CHECK(index < OBJECTS);
	if (chance_below(chance, 4) != 0) {
		options.probe_interval = BRINK_MS(1);
		options.probe_interval_max = BRINK_MS(4);
		options.isolation = chance_below(chance, BRINK_MS(2));
	}
	object->alive = true;
	CHECK_OK(brink_socket_create(&object->id, brink_group_place(group, (int)index), &options));
	return object;
}

static void replace(struct thread *thread, unsigned seat)
{
	struct object *old;

	if (object_count + THREADS >= OBJECTS)
		return;
	old = atomic_exchange(&seats[seat], create(&thread->chance));
	/* Two threads may have it in turn: only the first gives it up. */
	if (chance_below(&thread->chance, 8) != 0)
		brink_socket_abandon(old->id);
}

static void fail_it(struct object *object)
{
	char text[32];

	snprintf(text, sizeof text, "object %u", (unsigned)(object - objects));
	if (brink_socket_fail(object->id, -EBADMSG, text) == 0)
		object->failed++;
}

static void on_written(brink_socket *socket, int error, void *arg)
{
	CHECK(object_of(socket, brink_socket_arg(socket)) == arg && error <= 0);
}

static void use(struct thread *thread, struct object *object, brink_socket *socket)
{
	struct brink_socket_info info;
	struct brink_write_options options = {.done = on_written, .arg = object};
	brink_buffer data = {0};

	CHECK(brink_socket_arg(socket) == object);
	CHECK(brink_socket_get_id(socket) == object->id);
	switch (chance_below(&thread->chance, 8)) {
	case 0:
		brink_socket_release(brink_socket_hold(socket));
		break;
	case 1:
	case 2:
		CHECK_OK(brink_buffer_append(&data, "stress", 6));
		brink_socket_write_with(socket, &data, &options);
		brink_buffer_clear(&data);
		break;
	case 3:
		brink_socket_get_info(socket, &info);
		CHECK(info.lives >= 1 && info.state <= BRINK_SOCKET_FAILED);
		break;
	case 4:
		brink_socket_pause(socket);
		brink_socket_resume(socket);
		break;
	case 5:
		if (chance_below(&thread->chance, 4) == 0)
			brink_socket_close(socket);
		break;
	case 6:
		brink_socket_wait(socket, (int64_t)chance_below(&thread->chance, 200000));
		break;
	default:
		rest_us(chance_below(&thread->chance, 200));
		break;
	}
	CHECK(brink_socket_arg(socket) == object);
	CHECK(brink_socket_get_id(socket) == object->id);
}

/* A reference that is kept over other steps, while its socket may fail. */
static void swap_stash(struct thread *thread, struct object *object, brink_socket *socket)
{
	unsigned which = chance_below(&thread->chance, STASH);
	brink_socket *old = thread->stash[which];

	if (old != NULL) {
		CHECK(brink_socket_arg(old) == thread->stashed[which]);
		CHECK(brink_socket_get_id(old) == thread->stashed[which]->id);
		brink_socket_release(old);
	}
	thread->stash[which] = socket;
	thread->stashed[which] = object;
}

static void ask_for(struct thread *thread, struct object *object)
{
	brink_socket *socket = brink_socket_address(object->id);

	if (socket == NULL)
		return;
	use(thread, object, socket);
	if (chance_below(&thread->chance, 8) == 0)
		swap_stash(thread, object, socket);
	else
		brink_socket_release(socket);
}

static void *play(void *arg)
{
	struct thread *thread = arg;
	struct chance *chance = &thread->chance;

	for (unsigned i = 0; i < thread->steps; i++) {
		unsigned seat = chance_below(chance, SEATS);
		struct object *object = seats[seat];

		switch (chance_below(chance, 16)) {
		case 0:
			replace(thread, seat);
			break;
		case 1:
			fail_it(object);
			break;
		case 2:
			if (chance_below(chance, 4) == 0)
				brink_socket_abandon(object->id);
			break;
		case 3:
			swap_stash(thread, NULL, NULL);
			break;
		case 4:
			rest_us(chance_below(chance, 500));
			break;
		default:
			ask_for(thread, object);
			break;
		}
	}
	for (unsigned i = 0; i < STASH; i++)
		if (thread->stash[i] != NULL)
			brink_socket_release(thread->stash[i]);
	return NULL;
}

/* Ids of long ago, too: of recycled slots, most of them. */
static void *ask_the_dead(void *arg)
{
	struct thread *thread = arg;

	while (!over) {
		struct object *first = seats[0];
		struct object *object = &objects[chance_below(&thread->chance, (unsigned)(first - objects) + 1)];
		brink_socket *socket;

		/* Those before the one in the seat were made, but may not be known to us. */
		if (object != first && object->closes == 0)
			continue;
		socket = brink_socket_address(object->id);
		if (socket == NULL)
			continue;
		CHECK(brink_socket_arg(socket) == object);
		brink_socket_release(socket);
	}
	return NULL;
}

/* ---- the server ---- */

struct server {
	struct chance chance;
	int listener;
	int peers[PEERS];
	unsigned count;
};

static void drop_peer(struct server *server, unsigned index)
{
	reset_fd(&server->peers[index]);
	server->peers[index] = server->peers[--server->count];
}

static void serve(struct server *server)
{
	char bytes[512];

	while (server->listener >= 0 && server->count < PEERS) {
		int fd = take_one(server->listener);

		if (fd < 0)
			break;
		server->peers[server->count++] = fd;
	}
	for (unsigned i = server->count; i-- > 0;) {
		ssize_t got = read(server->peers[i], bytes, sizeof bytes);

		if (got == 0 || (got < 0 && errno != EAGAIN) || chance_below(&server->chance, 40) == 0)
			drop_peer(server, i);
		else if (got > 0)
			(void)!write(server->peers[i], bytes, (size_t)got);
	}
}

static void *come_and_go(void *arg)
{
	struct server *server = arg;

	while (!over) {
		if (server->listener < 0 && chance_below(&server->chance, 4) == 0)
			server->listener = start_at(&site, 64);
		else if (server->listener >= 0 && chance_below(&server->chance, 16) == 0)
			stop_at(&site, &server->listener);
		serve(server);
		rest_us(100 + chance_below(&server->chance, 400));
	}
	stop_at(&site, &server->listener);
	while (server->count > 0)
		drop_peer(server, 0);
	return NULL;
}

/* ---- the scenario ---- */

static bool is_settled(struct object *object)
{
	return object->closes == object->revives + 1;
}

static void expect_end_of_all(void)
{
	unsigned count = object_count;

	for (unsigned i = 0; i < count; i++)
		brink_socket_abandon(objects[i].id);
	for (unsigned i = 0; i < count; i++)
		WAIT_UNTIL(is_settled(&objects[i]));
	for (unsigned i = 0; i < count; i++) {
		CHECK(brink_socket_address(objects[i].id) == NULL);
		CHECK_ERROR(brink_socket_fail(objects[i].id, 0, NULL), -ENOENT);
		CHECK_EQ(objects[i].failures_told, objects[i].failed);
	}
}

static void play_round(enum kind kind)
{
	struct server server = {.chance = new_chance(), .listener = -1};
	struct thread threads[THREADS], dead = {.chance = new_chance()};
	struct chance chance = new_chance();
	struct team players, asker, servers;
	unsigned revivals = 0;

	memset(objects, 0, sizeof objects);
	memset(threads, 0, sizeof threads);
	object_count = 0;
	over = false;
	group = start_loops(2);
	open_site(&site, kind);
	for (unsigned i = 0; i < SEATS; i++)
		seats[i] = create(&chance);
	for (unsigned i = 0; i < THREADS; i++) {
		threads[i].chance = new_chance();
		threads[i].steps = is_slow() ? 1500 : 5000;
	}
	start_team(&servers, 1, come_and_go, &server, sizeof server);
	start_team(&asker, 1, ask_the_dead, &dead, sizeof dead);
	start_team(&players, THREADS, play, threads, sizeof threads[0]);
	join_team(&players);
	expect_end_of_all();
	over = true;
	join_team(&asker);
	join_team(&servers);
	CHECK_OK(brink_group_destroy(group));
	for (unsigned i = 0; i < object_count; i++) {
		CHECK(is_settled(&objects[i]));
		revivals += objects[i].revives;
	}
	measure("objects, revivals", "%u, %u", object_count, revivals);
	close_site(&site);
}

static void lives_and_ids(enum kind kind)
{
	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR); /* of the server's plain writes */
	for (unsigned i = 0; i < rounds(2); i++)
		play_round(kind);
}

static const struct scenario scenarios[] = {
	SCENARIO("stress-ids/lives-and-ids", lives_and_ids, KIND_TCP | KIND_UNIX, .flags = TRACE_FREE),
	NO_MORE_SCENARIOS,
};
const struct group stress_ids_group = {"stress-ids", scenarios};
