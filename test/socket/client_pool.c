/* A client with a pool: what is given back, and who waits for it. */
#include "client_scene.h"
#include "groups.h"
#include "scarce.h"

#include <errno.h>
#include <sys/socket.h>

static void pool_takes_and_gives(enum kind kind)
{
	struct client_scene scene;
	struct brink_client_info info;
	brink_socket *one, *two, *three;

	open_client_scene(&scene, kind, BRINK_CLIENT_POOLED);
	scene.options.max_connections = 2;
	make_client(&scene);
	one = take_connection(&scene);
	two = take_connection(&scene);
	CHECK(one != two);
	CHECK_ERROR(brink_client_take(scene.client, &three), -EAGAIN);
	brink_client_give(scene.client, one);
	three = take_connection(&scene);
	CHECK(three == one);
	brink_client_give(scene.client, two);
	brink_client_give(scene.client, three);
	brink_client_get_info(scene.client, &info);
	CHECK_EQ(info.taken, 0);
	CHECK_EQ(info.idle, 2);
	CHECK_EQ(info.connections, 2);
	/* The latest first: the others may end of idleness. */
	one = take_connection(&scene);
	CHECK(one == three);
	brink_client_give(scene.client, one);
	close_client_scene(&scene);
}

static void pool_has_no_broken_one(enum kind kind)
{
	struct client_scene scene;
	brink_socket *sockets[3];
	int peers[3];

	open_client_scene(&scene, kind, BRINK_CLIENT_POOLED);
	scene.options.max_connections = 3;
	make_client(&scene);
	for (int i = 0; i < 3; i++) {
		sockets[i] = take_connection(&scene);
		peers[i] = accept_plain(scene.stage.server.listener);
	}
	/* One fails while taken, one while idle, one is left. */
	CHECK_OK(brink_socket_fail(brink_socket_get_id(sockets[0]), -EPROTO, NULL));
	for (int i = 0; i < 3; i++)
		brink_client_give(scene.client, sockets[i]);
	close_fd(&peers[0]);
	close_fd(&peers[2]);
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.closes == 2);
	sockets[1] = take_connection(&scene);
	write_on(sockets[1], "well");
	read_text(scene.stage.loop, peers[1], "well");
	CHECK_EQ(connections_made(&scene), 3);
	sockets[0] = take_connection(&scene);
	sockets[2] = take_connection(&scene);
	CHECK_EQ(connections_made(&scene), 5);
	for (int i = 0; i < 3; i++)
		brink_client_give(scene.client, sockets[i]);
	close_fd(&peers[1]);
	close_client_scene(&scene);
}

/* A pool of one connection, which is taken. */
static brink_socket *open_taken(struct client_scene *scene, enum kind kind)
{
	open_client_scene(scene, kind, BRINK_CLIENT_POOLED);
	scene->options.max_connections = 1;
	make_client(scene);
	return take_connection(scene);
}

struct waiter {
	struct brink_client_wait wait;
	brink_socket *socket;
	int calls, error, order;
};

static int calls;

static void on_wait(struct brink_client_wait *wait, brink_socket *socket, int error)
{
	struct waiter *waiter = brink_container_of(wait, struct waiter, wait);

	waiter->calls++;
	waiter->socket = socket;
	waiter->error = error;
	waiter->order = ++calls;
}

static void pool_waiters_in_turn(enum kind kind)
{
	struct waiter waiters[4] = {{.calls = 0}};
	struct client_scene scene;
	brink_socket *one, *none;

	one = open_taken(&scene, kind);
	for (int i = 0; i < 4; i++) {
		waiters[i].wait.call = on_wait;
		CHECK_EQ(brink_client_take_later(scene.client, &none, &waiters[i].wait), 1);
	}
	CHECK_OK(brink_client_cancel(scene.client, &waiters[1].wait));
	CHECK_ERROR(brink_client_cancel(scene.client, &waiters[1].wait), -ENOENT);
	CHECK_EQ(calls, 0);
	brink_client_give(scene.client, one);
	CHECK_EQ(calls, 1);
	CHECK(waiters[0].socket == one);
	CHECK_ERROR(brink_client_cancel(scene.client, &waiters[0].wait), -ENOENT);
	/* A broken one is replaced for the next. */
	CHECK_OK(brink_socket_fail(brink_socket_get_id(one), -EPROTO, NULL));
	brink_client_give(scene.client, one);
	CHECK_EQ(waiters[2].order, 2);
	CHECK_EQ(waiters[2].error, 0);
	CHECK(waiters[2].socket != NULL);
	CHECK_EQ(connections_made(&scene), 2);
	brink_client_give(scene.client, waiters[2].socket);
	CHECK_EQ(waiters[3].order, 3);
	brink_client_give(scene.client, waiters[3].socket);
	CHECK_EQ(waiters[1].calls, 0);
	close_client_scene(&scene);
}

static void pool_waiters_cancelled(enum kind kind)
{
	struct waiter waiter = {.wait = {.call = on_wait}};
	struct client_scene scene;
	brink_socket *one, *none;

	one = open_taken(&scene, kind);
	CHECK_EQ(brink_client_take_later(scene.client, &none, &waiter.wait), 1);
	brink_client_destroy(scene.client);
	CHECK_EQ(waiter.calls, 1);
	CHECK_ERROR(waiter.error, -ECANCELED);
	/* What was not given back is a socket still. */
	CHECK_OK(brink_socket_fail(brink_socket_get_id(one), 0, NULL));
	brink_socket_release(one);
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.closes == 1);
	brink_loop_destroy(scene.stage.loop);
	close_server(&scene.stage.server);
}

struct stubborn {
	struct brink_client_wait wait;
	brink_client *client;
	int calls, error, again;
};

/* Wants to wait again; not for ever, or a give that never returns would be a hang. */
static void wait_again(struct brink_client_wait *wait, brink_socket *socket, int error)
{
	struct stubborn *stubborn = brink_container_of(wait, struct stubborn, wait);

	CHECK(socket == NULL);
	stubborn->error = error;
	if (++stubborn->calls < 10)
		stubborn->again = brink_client_take_later(stubborn->client, &socket, wait);
}

/* Each is told once what a take would say, and so is he when he asks again. */
static void pool_waiters_without_descriptors(enum kind kind)
{
	struct stubborn waiters[3] = {{.calls = 0}};
	struct brink_client_info info;
	struct client_scene scene;
	brink_socket *one, *none;

	one = open_taken(&scene, kind);
	for (int i = 0; i < 3; i++) {
		waiters[i] = (struct stubborn){.wait = {.call = wait_again}, .client = scene.client};
		CHECK_EQ(brink_client_take_later(scene.client, &none, &waiters[i].wait), 1);
	}
	CHECK_OK(brink_socket_fail(brink_socket_get_id(one), -EPROTO, NULL));
	limit_descriptors(0);
	brink_client_give(scene.client, one);
	unlimit_descriptors();
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(waiters[i].calls, 1);
		CHECK_ERROR(waiters[i].error, -EMFILE);
		CHECK_ERROR(waiters[i].again, -EMFILE);
	}
	brink_client_get_info(scene.client, &info);
	CHECK_EQ(info.taken, 0);
	CHECK_EQ(info.waiting, 0);
	CHECK_EQ(info.connections, 1);
	one = take_connection(&scene); /* the place is not lost */
	brink_client_give(scene.client, one);
	CHECK_EQ(connections_made(&scene), 2);
	close_client_scene(&scene);
}

/* Told that none can be made he makes one himself, and gives it back: then it is the next one's again. */
static void make_and_give(struct brink_client_wait *wait, brink_socket *none, int error)
{
	struct stubborn *stubborn = brink_container_of(wait, struct stubborn, wait);
	brink_socket *socket;

	CHECK(none == NULL);
	stubborn->calls++;
	stubborn->error = error;
	unlimit_descriptors();
	CHECK_OK(brink_client_take(stubborn->client, &socket));
	brink_client_give(stubborn->client, socket);
	stubborn->again = brink_client_take(stubborn->client, &socket);
}

static void pool_waiters_after_a_failure(enum kind kind)
{
	struct stubborn first = {.wait = {.call = make_and_give}};
	struct waiter second = {.wait = {.call = on_wait}};
	struct client_scene scene;
	brink_socket *one, *other, *none;

	open_client_scene(&scene, kind, BRINK_CLIENT_POOLED);
	scene.options.max_connections = 2;
	make_client(&scene);
	first.client = scene.client;
	one = take_connection(&scene);
	other = take_connection(&scene);
	CHECK_EQ(brink_client_take_later(scene.client, &none, &first.wait), 1);
	CHECK_EQ(brink_client_take_later(scene.client, &none, &second.wait), 1);
	CHECK_OK(brink_socket_fail(brink_socket_get_id(one), -EPROTO, NULL));
	limit_descriptors(0);
	brink_client_give(scene.client, one);
	CHECK_EQ(first.calls, 1);
	CHECK_ERROR(first.error, -EMFILE);
	CHECK_ERROR(first.again, -EAGAIN);
	CHECK_EQ(second.calls, 1);
	CHECK_EQ(second.error, 0);
	brink_client_give(scene.client, second.socket);
	brink_client_give(scene.client, other);
	CHECK_EQ(connections_made(&scene), 3);
	close_client_scene(&scene);
}

#define MANY 1000

struct briefly {
	struct brink_client_wait wait;
	brink_client *client;
	int order; /* in which it was called; 0: it was not */
};

static int depth, deepest, brief_calls;

static void give_at_once(struct brink_client_wait *wait, brink_socket *socket, int error)
{
	struct briefly *briefly = brink_container_of(wait, struct briefly, wait);
	brink_socket *none;

	CHECK_OK(error);
	briefly->order = ++brief_calls;
	if (++depth > deepest)
		deepest = depth;
	/* Every other breaks it first: the next has a new one. */
	if (brief_calls % 2 == 0 && brief_calls < 20)
		CHECK_OK(brink_socket_fail(brink_socket_get_id(socket), -EPROTO, NULL));
	brink_client_give(briefly->client, socket);
	/* It is theirs who wait. */
	if (brief_calls < MANY)
		CHECK_ERROR(brink_client_take(briefly->client, &none), -EAGAIN);
	depth--;
}

/* However many there are, they are called one after the other. */
static void pool_waiters_give_at_once(enum kind kind)
{
	static struct briefly waiters[MANY];
	struct brink_client_info info;
	struct client_scene scene;
	brink_socket *one, *none;

	one = open_taken(&scene, kind);
	for (int i = 0; i < MANY; i++) {
		waiters[i] = (struct briefly){.wait = {.call = give_at_once}, .client = scene.client};
		CHECK_EQ(brink_client_take_later(scene.client, &none, &waiters[i].wait), 1);
	}
	brink_client_give(scene.client, one);
	for (int i = 0; i < MANY; i++)
		CHECK_EQ(waiters[i].order, i + 1);
	CHECK_EQ(deepest, 1);
	brink_client_get_info(scene.client, &info);
	CHECK_EQ(info.taken, 0);
	CHECK_EQ(info.idle, 1);
	close_client_scene(&scene);
}

static void give_and_destroy(struct brink_client_wait *wait, brink_socket *socket, int error)
{
	struct briefly *briefly = brink_container_of(wait, struct briefly, wait);

	brief_calls++;
	if (error == -ECANCELED)
		return;
	brink_client_give(briefly->client, socket);
	brink_client_destroy(briefly->client);
}

static void pool_destroyed_by_a_waiter(enum kind kind)
{
	struct briefly waiters[3];
	struct client_scene scene;
	brink_socket *one, *none;

	one = open_taken(&scene, kind);
	for (int i = 0; i < 3; i++) {
		waiters[i] = (struct briefly){.wait = {.call = give_and_destroy}, .client = scene.client};
		CHECK_EQ(brink_client_take_later(scene.client, &none, &waiters[i].wait), 1);
	}
	brink_client_give(scene.client, one);
	CHECK_EQ(brief_calls, 3);
	end_client_scene(&scene, 1);
}

/* Nor does one who does not take no for an answer keep it. */
static void pool_destroyed_is_asked_again(enum kind kind)
{
	struct stubborn waiter = {.wait = {.call = wait_again}};
	struct client_scene scene;
	brink_socket *one = open_taken(&scene, kind), *none;

	waiter.client = scene.client;
	CHECK_EQ(brink_client_take_later(scene.client, &none, &waiter.wait), 1);
	CHECK_OK(brink_socket_fail(brink_socket_get_id(one), 0, NULL));
	brink_socket_release(one);
	brink_client_destroy(scene.client);
	CHECK_EQ(waiter.calls, 1);
	CHECK_ERROR(waiter.error, -ECANCELED);
	CHECK_ERROR(waiter.again, -ECANCELED);
	end_client_scene(&scene, 1);
}

static const struct scenario scenarios[] = {
	SCENARIO("client/pool-takes-and-gives", pool_takes_and_gives, KINDS_STREAM),
	SCENARIO("client/pool-has-no-broken-one", pool_has_no_broken_one, KINDS_STREAM),
	SCENARIO("client/pool-waiters-in-turn", pool_waiters_in_turn, KINDS_STREAM),
	SCENARIO("client/pool-waiters-cancelled", pool_waiters_cancelled, KINDS_STREAM),
	SCENARIO("client/pool-waiters-without-descriptors", pool_waiters_without_descriptors, KINDS_STREAM),
	SCENARIO("client/pool-waiters-after-a-failure", pool_waiters_after_a_failure, KINDS_STREAM),
	SCENARIO("client/pool-waiters-give-at-once", pool_waiters_give_at_once, KINDS_STREAM),
	SCENARIO("client/pool-destroyed-by-a-waiter", pool_destroyed_by_a_waiter, KINDS_STREAM),
	SCENARIO("client/pool-destroyed-is-asked-again", pool_destroyed_is_asked_again, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group client_pool_group = {"client", scenarios};
