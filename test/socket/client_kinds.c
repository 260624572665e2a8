/* A client's connections: one for all, a pool, one for each use; with many threads. */
#include "client_stage.h"
#include "groups.h"
#include "scarce.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct scene {
	struct client_stage stage; /* its server and loop; it has no socket of its own */
	struct brink_client_options options;
	brink_client *client;
};

static void open_scene(struct scene *scene, enum kind kind, enum brink_client_kind what)
{
	memset(scene, 0, sizeof *scene);
	open_client_stage(&scene->stage, kind);
	start_server(&scene->stage.server, 128);
	scene->options.address = &scene->stage.server.address;
	scene->options.loop = scene->stage.loop;
	scene->options.kind = what;
	scene->options.socket = scene->stage.options;
	scene->options.socket.address = NULL;
	/* Ours are many: what is checked of one does not hold. */
	scene->options.socket.on_open = NULL;
}

static void create(struct scene *scene)
{
	CHECK_OK(brink_client_create(&scene->client, &scene->options));
}

static uint64_t made(struct scene *scene)
{
	struct brink_client_info info;

	brink_client_get_info(scene->client, &info);
	return info.connections;
}

/* What is left: the client is destroyed, and `closes` connections end in all. */
static void end_scene(struct scene *scene, uint64_t closes)
{
	int fd;

	/* They wait for the peer's end. */
	while ((fd = accept(scene->stage.server.listener, NULL, NULL)) >= 0)
		close_fd(&fd);
	RUN_UNTIL(scene->stage.loop, scene->stage.seen.closes == closes);
	brink_loop_destroy(scene->stage.loop);
	close_server(&scene->stage.server);
}

static void close_scene(struct scene *scene)
{
	uint64_t connections = made(scene);

	brink_client_destroy(scene->client);
	end_scene(scene, connections);
}

static brink_socket *take(struct scene *scene)
{
	brink_socket *socket = NULL;

	CHECK_OK(brink_client_take(scene->client, &socket));
	CHECK(socket != NULL);
	return socket;
}

static void write_on(brink_socket *socket, const char *text)
{
	CHECK_OK(brink_socket_write_bytes(socket, text, strlen(text)));
}

/* ---- one for all ---- */

static void single_is_shared(enum kind kind)
{
	struct scene scene;
	brink_socket *one, *other;
	int peer;

	open_scene(&scene, kind, BRINK_CLIENT_SINGLE);
	create(&scene);
	one = take(&scene);
	other = take(&scene);
	CHECK(one == other);
	write_on(one, "on");
	write_on(other, "e");
	peer = accept_plain(scene.stage.server.listener);
	read_text(scene.stage.loop, peer, "one");
	brink_client_give(scene.client, one);
	brink_client_give(scene.client, other);
	other = take(&scene);
	CHECK(one == other);
	brink_client_give(scene.client, other);
	CHECK_EQ(made(&scene), 1);
	close_fd(&peer);
	close_scene(&scene);
}

/* Also one that is only ending is not given to anybody any more. */
static void single_is_replaced(enum kind kind)
{
	struct scene scene;
	brink_socket *socket;
	brink_socket_id first, second;
	int peer;

	open_scene(&scene, kind, BRINK_CLIENT_SINGLE);
	create(&scene);
	socket = take(&scene);
	first = brink_socket_get_id(socket);
	CHECK_OK(brink_socket_fail(first, -EPROTO, NULL));
	brink_client_give(scene.client, socket);
	socket = take(&scene);
	second = brink_socket_get_id(socket);
	CHECK(first != second);
	write_on(socket, "new");
	peer = accept_plain(scene.stage.server.listener);
	close_fd(&peer); /* the first's */
	peer = accept_plain(scene.stage.server.listener);
	read_text(scene.stage.loop, peer, "new");
	CHECK_OK(brink_socket_shutdown(socket));
	brink_client_give(scene.client, socket);
	socket = take(&scene);
	CHECK(second != brink_socket_get_id(socket));
	brink_client_give(scene.client, socket);
	CHECK_EQ(made(&scene), 3);
	close_fd(&peer);
	brink_socket_fail(second, 0, NULL);
	close_scene(&scene);
}

static void single_revives(enum kind kind)
{
	struct scene scene;
	brink_socket *socket;
	brink_socket_id id;
	int peer;

	open_scene(&scene, kind, BRINK_CLIENT_SINGLE);
	scene.options.socket.probe_interval = BRINK_MS(10);
	create(&scene);
	socket = take(&scene);
	id = brink_socket_get_id(socket);
	peer = accept_plain(scene.stage.server.listener);
	brink_client_give(scene.client, socket);
	close_fd(&peer);
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.closes == 1);
	CHECK_ERROR(brink_client_take(scene.client, &socket), -ENOTCONN);
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.revives == 1);
	socket = take(&scene);
	CHECK(id == brink_socket_get_id(socket));
	CHECK_EQ(made(&scene), 1);
	brink_client_give(scene.client, socket);
	brink_client_destroy(scene.client);
	end_scene(&scene, 2);
}

static void stay_open(brink_socket *socket, void *arg)
{
	struct seen *seen = arg;

	(void)socket;
	seen->ends++;
}

/* The peer has ended its side, and the program does not close: who takes does. */
static void single_half_open_revives(enum kind kind)
{
	struct scene scene;
	brink_socket *socket, *held;
	int peer;

	open_scene(&scene, kind, BRINK_CLIENT_SINGLE);
	scene.options.socket.probe_interval = BRINK_MS(10);
	scene.options.socket.on_end = stay_open;
	create(&scene);
	held = take(&scene);
	write_on(held, "last words");
	peer = accept_plain(scene.stage.server.listener);
	SYSCALL(shutdown(peer, SHUT_WR));
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.ends == 1);
	CHECK_EQ(scene.stage.seen.closes, 0);
	CHECK_ERROR(brink_client_take(scene.client, &socket), -ENOTCONN);
	CHECK_ERROR(brink_client_take(scene.client, &socket), -ENOTCONN);
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.closes == 1);
	CHECK_EQ(scene.stage.seen.error, 0);
	read_text(scene.stage.loop, peer, "last words");
	brink_client_give(scene.client, held);
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.revives == 1);
	brink_client_give(scene.client, take(&scene));
	CHECK_EQ(made(&scene), 1);
	close_fd(&peer);
	brink_client_destroy(scene.client);
	end_scene(&scene, 2);
}

/* The program gave it up, alive or while it was probed: there is none that could come back. */
static void single_abandoned_is_replaced(enum kind kind)
{
	struct scene scene;
	brink_socket *socket;
	brink_socket_id id;

	open_scene(&scene, kind, BRINK_CLIENT_SINGLE);
	scene.options.socket.probe_interval = BRINK_SECONDS(3600);
	create(&scene);
	for (unsigned i = 0; i < 3; i++) {
		socket = take(&scene);
		id = brink_socket_get_id(socket);
		if (i == 1)
			CHECK_OK(brink_socket_fail(id, -EPROTO, NULL));
		brink_client_give(scene.client, socket);
		if (i == 1)
			CHECK_ERROR(brink_client_take(scene.client, &socket), -ENOTCONN);
		CHECK_OK(brink_socket_abandon(id));
		if (i == 2)
			RUN_UNTIL(scene.stage.loop, scene.stage.seen.closes == 3); /* its slot is free, too */
		CHECK_EQ(made(&scene), i + 1);
	}
	brink_client_give(scene.client, take(&scene));
	CHECK_EQ(made(&scene), 4);
	close_scene(&scene);
}

/* Reads so much, while the loop turns, and then the end. */
static void read_all(brink_loop *loop, int peer, size_t size)
{
	uint64_t deadline = hang_deadline();
	char bytes[4096];
	ssize_t got = 1;

	for (; got != 0 && monotonic_now() < deadline; turn(loop)) {
		while ((got = recv(peer, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
			size -= (size_t)got;
		CHECK(got == 0 || errno == EAGAIN);
	}
	CHECK_EQ(got, 0);
	CHECK_EQ(size, 0);
}

/* What was written is sent nevertheless, and then it is not probed; or it is given up while it is. */
static void single_destroyed(enum kind kind)
{
	static const char bytes[4 << 20];

	for (int probed = 0; probed <= 1; probed++) {
		struct scene scene;
		brink_socket *socket;
		int peer;

		open_scene(&scene, kind, BRINK_CLIENT_SINGLE);
		scene.options.socket.probe_interval = BRINK_MS(10);
		create(&scene);
		socket = take(&scene);
		peer = accept_plain(scene.stage.server.listener);
		if (probed) {
			brink_client_give(scene.client, socket);
			stop_server(&scene.stage.server);
			close_fd(&peer);
			RUN_UNTIL(scene.stage.loop, scene.stage.seen.closes == 1);
		} else {
			CHECK_OK(brink_socket_write_bytes(socket, bytes, sizeof bytes));
			brink_client_give(scene.client, socket);
		}
		brink_client_destroy(scene.client);
		if (!probed) {
			read_all(scene.stage.loop, peer, sizeof bytes);
			close_fd(&peer);
			RUN_UNTIL(scene.stage.loop, scene.stage.seen.closes == 1);
			CHECK_EQ(scene.stage.seen.error, 0);
		}
		CHECK_EQ(brink_loop_run(scene.stage.loop), 0); /* nothing probes */
		CHECK_EQ(scene.stage.seen.revives, 0);
		brink_loop_destroy(scene.stage.loop);
		close_server(&scene.stage.server);
	}
}

/* Who cannot wait for a peer that does not read. */
static void single_abandoned_while_closing(enum kind kind)
{
	static const char bytes[4 << 20];
	struct scene scene;
	brink_socket *socket;
	brink_socket_id id;
	int peer;

	open_scene(&scene, kind, BRINK_CLIENT_SINGLE);
	scene.options.socket.probe_interval = BRINK_MS(10);
	create(&scene);
	socket = take(&scene);
	id = brink_socket_get_id(socket);
	peer = accept_plain(scene.stage.server.listener);
	CHECK_OK(brink_socket_write_bytes(socket, bytes, sizeof bytes));
	brink_client_give(scene.client, socket);
	brink_client_destroy(scene.client);
	CHECK_OK(brink_socket_abandon(id));
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.closes == 1);
	CHECK_ERROR(scene.stage.seen.error, -ECANCELED);
	CHECK_EQ(brink_loop_run(scene.stage.loop), 0);
	close_fd(&peer);
	end_scene(&scene, 1);
}

/* ---- a pool ---- */

static void pool_takes_and_gives(enum kind kind)
{
	struct scene scene;
	struct brink_client_info info;
	brink_socket *one, *two, *three;

	open_scene(&scene, kind, BRINK_CLIENT_POOLED);
	scene.options.max_connections = 2;
	create(&scene);
	one = take(&scene);
	two = take(&scene);
	CHECK(one != two);
	CHECK_ERROR(brink_client_take(scene.client, &three), -EAGAIN);
	brink_client_give(scene.client, one);
	three = take(&scene);
	CHECK(three == one);
	brink_client_give(scene.client, two);
	brink_client_give(scene.client, three);
	brink_client_get_info(scene.client, &info);
	CHECK_EQ(info.taken, 0);
	CHECK_EQ(info.idle, 2);
	CHECK_EQ(info.connections, 2);
	/* The latest first: the others may end of idleness. */
	one = take(&scene);
	CHECK(one == three);
	brink_client_give(scene.client, one);
	close_scene(&scene);
}

static void pool_has_no_broken_one(enum kind kind)
{
	struct scene scene;
	brink_socket *sockets[3];
	int peers[3];

	open_scene(&scene, kind, BRINK_CLIENT_POOLED);
	scene.options.max_connections = 3;
	create(&scene);
	for (int i = 0; i < 3; i++) {
		sockets[i] = take(&scene);
		peers[i] = accept_plain(scene.stage.server.listener);
	}
	/* One fails while taken, one while idle, one is left. */
	CHECK_OK(brink_socket_fail(brink_socket_get_id(sockets[0]), -EPROTO, NULL));
	for (int i = 0; i < 3; i++)
		brink_client_give(scene.client, sockets[i]);
	close_fd(&peers[0]);
	close_fd(&peers[2]);
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.closes == 2);
	sockets[1] = take(&scene);
	write_on(sockets[1], "well");
	read_text(scene.stage.loop, peers[1], "well");
	CHECK_EQ(made(&scene), 3);
	sockets[0] = take(&scene);
	sockets[2] = take(&scene);
	CHECK_EQ(made(&scene), 5);
	for (int i = 0; i < 3; i++)
		brink_client_give(scene.client, sockets[i]);
	close_fd(&peers[1]);
	close_scene(&scene);
}

static void pool_closes_idle(enum kind kind)
{
	struct scene scene;
	brink_socket *taken, *idle;
	int peers[2];

	open_scene(&scene, kind, BRINK_CLIENT_POOLED);
	scene.options.idle_timeout = BRINK_MS(40);
	create(&scene);
	taken = take(&scene);
	peers[0] = accept_plain(scene.stage.server.listener);
	idle = take(&scene);
	peers[1] = accept_plain(scene.stage.server.listener);
	brink_client_give(scene.client, idle);
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.closes == 1);
	CHECK_EQ(scene.stage.seen.error, 0);
	expect_end(peers[1]);
	/* One that is taken may be silent for as long as it likes. */
	turn_for(scene.stage.loop, BRINK_MS(120));
	CHECK_EQ(scene.stage.seen.closes, 1);
	write_on(taken, "here");
	read_text(scene.stage.loop, peers[0], "here");
	brink_client_give(scene.client, taken);
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.closes == 2);
	close_fd(&peers[0]);
	close_fd(&peers[1]);
	close_scene(&scene);
}

/* What a peer says to nobody is no use of the connection. */
static void pool_closes_idle_with_chatter(enum kind kind)
{
	uint64_t deadline = hang_deadline();
	struct scene scene;
	int peer;

	open_scene(&scene, kind, BRINK_CLIENT_POOLED);
	scene.options.idle_timeout = BRINK_MS(100);
	create(&scene);
	brink_client_give(scene.client, take(&scene));
	peer = accept_plain(scene.stage.server.listener);
	while (scene.stage.seen.closes == 0 && monotonic_now() < deadline) {
		send(peer, "?", 1, MSG_NOSIGNAL);
		turn_for(scene.stage.loop, BRINK_MS(5));
	}
	CHECK_EQ(scene.stage.seen.closes, 1);
	CHECK_EQ(scene.stage.seen.error, 0);
	CHECK(scene.stage.seen.size > 0);
	close_fd(&peer);
	close_scene(&scene);
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
	struct scene scene;
	brink_socket *one, *none;

	open_scene(&scene, kind, BRINK_CLIENT_POOLED);
	scene.options.max_connections = 1;
	create(&scene);
	one = take(&scene);
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
	CHECK_EQ(made(&scene), 2);
	brink_client_give(scene.client, waiters[2].socket);
	CHECK_EQ(waiters[3].order, 3);
	brink_client_give(scene.client, waiters[3].socket);
	CHECK_EQ(waiters[1].calls, 0);
	close_scene(&scene);
}

static void pool_waiters_cancelled(enum kind kind)
{
	struct waiter waiter = {.wait = {.call = on_wait}};
	struct scene scene;
	brink_socket *one, *none;

	open_scene(&scene, kind, BRINK_CLIENT_POOLED);
	scene.options.max_connections = 1;
	create(&scene);
	one = take(&scene);
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
	struct scene scene;
	brink_socket *one, *none;

	open_scene(&scene, kind, BRINK_CLIENT_POOLED);
	scene.options.max_connections = 1;
	create(&scene);
	one = take(&scene);
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
	one = take(&scene); /* the place is not lost */
	brink_client_give(scene.client, one);
	CHECK_EQ(made(&scene), 2);
	close_scene(&scene);
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
	struct scene scene;
	brink_socket *one, *other, *none;

	open_scene(&scene, kind, BRINK_CLIENT_POOLED);
	scene.options.max_connections = 2;
	create(&scene);
	first.client = scene.client;
	one = take(&scene);
	other = take(&scene);
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
	CHECK_EQ(made(&scene), 3);
	close_scene(&scene);
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
	struct scene scene;
	brink_socket *one, *none;

	open_scene(&scene, kind, BRINK_CLIENT_POOLED);
	scene.options.max_connections = 1;
	create(&scene);
	one = take(&scene);
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
	close_scene(&scene);
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
	struct scene scene;
	brink_socket *one, *none;

	open_scene(&scene, kind, BRINK_CLIENT_POOLED);
	scene.options.max_connections = 1;
	create(&scene);
	one = take(&scene);
	for (int i = 0; i < 3; i++) {
		waiters[i] = (struct briefly){.wait = {.call = give_and_destroy}, .client = scene.client};
		CHECK_EQ(brink_client_take_later(scene.client, &none, &waiters[i].wait), 1);
	}
	brink_client_give(scene.client, one);
	CHECK_EQ(brief_calls, 3);
	end_scene(&scene, 1);
}

static int asked_again;

static void ask_again(struct brink_client_wait *wait, brink_socket *socket, int error)
{
	struct briefly *briefly = brink_container_of(wait, struct briefly, wait);

	brief_calls++;
	CHECK(socket == NULL);
	CHECK_ERROR(error, -ECANCELED);
	CHECK(brief_calls < 3);
	asked_again = brink_client_take_later(briefly->client, &socket, wait);
}

/* Nor does one who does not take no for an answer keep it. */
static void pool_destroyed_is_asked_again(enum kind kind)
{
	struct briefly waiter;
	struct scene scene;
	brink_socket *one, *none;

	open_scene(&scene, kind, BRINK_CLIENT_POOLED);
	scene.options.max_connections = 1;
	create(&scene);
	one = take(&scene);
	waiter = (struct briefly){.wait = {.call = ask_again}, .client = scene.client};
	CHECK_EQ(brink_client_take_later(scene.client, &none, &waiter.wait), 1);
	CHECK_OK(brink_socket_fail(brink_socket_get_id(one), 0, NULL));
	brink_socket_release(one);
	brink_client_destroy(scene.client);
	CHECK_EQ(brief_calls, 1);
	CHECK_ERROR(asked_again, -ECANCELED);
	end_scene(&scene, 1);
}

/* ---- one for each use ---- */

static void short_ones(enum kind kind)
{
	struct scene scene;

	open_scene(&scene, kind, BRINK_CLIENT_SHORT);
	create(&scene);
	for (unsigned i = 1; i <= 5; i++) {
		brink_socket *socket = take(&scene);
		int peer;

		write_on(socket, "once");
		brink_client_give(scene.client, socket);
		peer = accept_plain(scene.stage.server.listener);
		read_text(scene.stage.loop, peer, "once");
		RUN_UNTIL(scene.stage.loop, ready_now(peer, BRINK_READ));
		expect_end(peer);
		close_fd(&peer);
		RUN_UNTIL(scene.stage.loop, scene.stage.seen.closes == i);
		CHECK_EQ(scene.stage.seen.error, 0);
		CHECK_EQ(made(&scene), i);
	}
	close_scene(&scene);
}

/* ---- a peer that cannot be reached ---- */

static void time_out(struct scene *scene, int error)
{
	unsigned closes = scene->stage.seen.closes;
	brink_socket *socket = take(scene);

	RUN_UNTIL(scene->stage.loop, scene->stage.seen.closes == closes + 1);
	CHECK_ERROR(scene->stage.seen.error, error);
	brink_client_give(scene->client, socket);
}

static void stand(struct scene *scene)
{
	unsigned opens = scene->stage.seen.opens, closes = scene->stage.seen.closes;
	brink_socket *socket = take(scene);
	int fd;

	RUN_UNTIL(scene->stage.loop, scene->stage.seen.opens == opens + 1);
	CHECK_OK(brink_socket_fail(brink_socket_get_id(socket), 0, NULL));
	brink_client_give(scene->client, socket);
	RUN_UNTIL(scene->stage.loop, scene->stage.seen.closes == closes + 1);
	while ((fd = accept(scene->stage.server.listener, NULL, NULL)) >= 0)
		close_fd(&fd);
}

/* It is the peer's timeouts that count, whichever connections had them. */
static void unreachable_peer(enum kind kind)
{
	for (int what = BRINK_CLIENT_SINGLE; what <= BRINK_CLIENT_SHORT; what++) {
		struct scene scene;
		struct crowd crowd;
		int fd;

		open_scene(&scene, kind, (enum brink_client_kind)what);
		stop_server(&scene.stage.server);
		start_server(&scene.stage.server, 0);
		see(&scene.stage.seen, &scene.options.socket);
		scene.options.socket.connect_timeout = BRINK_MS(30);
		create(&scene);
		crowd_server(&scene.stage.server, &crowd);
		for (unsigned i = 1; i <= 4; i++)
			time_out(&scene, i < 3 ? -ETIMEDOUT : -ENETUNREACH);
		disperse(&crowd);
		while ((fd = accept(scene.stage.server.listener, NULL, NULL)) >= 0)
			close_fd(&fd);
		stand(&scene);
		crowd_server(&scene.stage.server, &crowd);
		time_out(&scene, -ETIMEDOUT); /* the first in a new row */
		disperse(&crowd);
		close_scene(&scene);
	}
}

static int probed(struct scene *scene)
{
	struct brink_client_info info;

	brink_client_get_info(scene->client, &info);
	return info.probe_error;
}

/* Nobody is called when a probe fails: who asks is told what it found. */
static void probes_that_fail(enum kind kind)
{
	struct scene scene;
	struct crowd crowd;
	int fd;

	open_scene(&scene, kind, BRINK_CLIENT_SINGLE);
	stop_server(&scene.stage.server);
	start_server(&scene.stage.server, 0);
	see(&scene.stage.seen, &scene.options.socket);
	scene.options.socket.connect_timeout = BRINK_MS(30);
	scene.options.socket.probe_interval = BRINK_MS(10);
	scene.options.socket.probe_interval_max = BRINK_MS(20);
	scene.options.socket.unreachable_after = 4;
	create(&scene);
	crowd_server(&scene.stage.server, &crowd);
	time_out(&scene, -ETIMEDOUT);
	CHECK_EQ(probed(&scene), 0); /* no probe yet */
	/* Linux has no connect wait for room in the queue of a UNIX socket, and a backend may see that. */
	RUN_UNTIL(scene.stage.loop, probed(&scene) == -ETIMEDOUT || (kind == KIND_UNIX && probed(&scene) == -EAGAIN));
	RUN_UNTIL(scene.stage.loop, kind == KIND_UNIX || probed(&scene) == -ENETUNREACH);
	stop_server(&scene.stage.server);
	RUN_UNTIL(scene.stage.loop, probed(&scene) == (kind == KIND_UNIX ? -ENOENT : -ECONNREFUSED));
	disperse(&crowd);
	CHECK_EQ(scene.stage.seen.closes, 1);
	start_server(&scene.stage.server, 8);
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.revives == 1);
	CHECK_EQ(probed(&scene), 0);
	brink_client_destroy(scene.client);
	while ((fd = accept(scene.stage.server.listener, NULL, NULL)) >= 0)
		close_fd(&fd);
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.closes == 2);
	brink_loop_destroy(scene.stage.loop);
	close_server(&scene.stage.server);
}

/* ---- many threads ---- */

#define USERS 4

static struct {
	brink_client *client;
	brink_group *group;
	atomic_uint closes, given, running;
	unsigned rounds;
	int listener;
	bool breaks;
} many;

static void count_close(brink_socket *socket, int error, const char *text, void *arg)
{
	(void)socket;
	(void)error;
	(void)text;
	(void)arg;
	atomic_fetch_add(&many.closes, 1);
}

static void *use(void *arg)
{
	unsigned number = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < many.rounds; i++) {
		brink_socket *socket;
		int result = brink_client_take(many.client, &socket);

		if (result == -EAGAIN) {
			sched_yield();
			continue;
		}
		CHECK_OK(result);
		/* Refused where another has just broken it. */
		(void)brink_socket_write_bytes(socket, "use", 3);
		if (many.breaks && (i + number) % 7 == 0)
			brink_socket_fail(brink_socket_get_id(socket), -EPROTO, NULL);
		brink_client_give(many.client, socket);
		atomic_fetch_add(&many.given, 1);
	}
	atomic_fetch_sub(&many.running, 1);
	return NULL;
}

static void accept_meanwhile(void)
{
	int fds[64], fd;
	unsigned count = 0, i;

	while (atomic_load(&many.running) > 0) {
		fd = accept(many.listener, NULL, NULL);
		if (fd < 0) {
			sleep_ms(1);
			continue;
		}
		if (count >= 64)
			close_fd(&fds[count % 64]);
		fds[count++ % 64] = fd;
	}
	for (i = 0; i < count && i < 64; i++)
		close_fd(&fds[i]);
	while ((fd = accept(many.listener, NULL, NULL)) >= 0)
		close_fd(&fd);
}

static void used_by_many(enum kind kind, enum brink_client_kind what, unsigned at_most)
{
	struct brink_client_options options = {.kind = what, .max_connections = 3};
	struct brink_client_info info;
	struct server server;
	pthread_t threads[USERS];
	uint64_t end = hang_deadline();

	open_server(&server, kind);
	start_server(&server, 128);
	many.listener = server.listener;
	many.rounds = is_slow() ? 50 : 400;
	many.running = USERS;
	CHECK_OK(brink_group_create(&many.group, &(struct brink_group_options){
		.loops = 2, .loop = {.backend = backend_name()}}));
	options.address = &server.address;
	options.group = many.group;
	options.socket.on_close = count_close;
	options.socket.linger_timeout = BRINK_MS(100);
	CHECK_OK(brink_client_create(&many.client, &options));
	for (unsigned i = 0; i < USERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, use, (void *)(uintptr_t)i), 0);
	accept_meanwhile();
	for (unsigned i = 0; i < USERS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	brink_client_get_info(many.client, &info);
	CHECK_EQ(info.taken, 0);
	CHECK(many.given > 0);
	if (at_most != 0)
		CHECK(info.connections <= at_most);
	brink_client_destroy(many.client);
	while (atomic_load(&many.closes) < info.connections && monotonic_now() < end) {
		int fd = accept(server.listener, NULL, NULL);

		if (fd >= 0)
			close_fd(&fd);
		else
			sleep_ms(1);
	}
	CHECK_EQ(many.closes, info.connections);
	CHECK_OK(brink_group_destroy(many.group));
	close_server(&server);
}

static void single_by_many(enum kind kind)
{
	used_by_many(kind, BRINK_CLIENT_SINGLE, 1);
}

static void single_broken_by_many(enum kind kind)
{
	many.breaks = true;
	used_by_many(kind, BRINK_CLIENT_SINGLE, 0);
}

static void pool_by_many(enum kind kind)
{
	used_by_many(kind, BRINK_CLIENT_POOLED, 3);
}

static void pool_broken_by_many(enum kind kind)
{
	many.breaks = true;
	used_by_many(kind, BRINK_CLIENT_POOLED, 0);
}

/* ---- what is refused ---- */

static void bad_options(enum kind kind)
{
	struct scene scene;

	(void)kind;
	open_scene(&scene, KIND_TCP, BRINK_CLIENT_POOLED);
	scene.options.socket.probe_interval = 1;
	CHECK_ERROR(brink_client_create(&scene.client, &scene.options), -EINVAL);
	scene.options.socket.probe_interval = 0;
	scene.options.socket.fd = 1;
	CHECK_ERROR(brink_client_create(&scene.client, &scene.options), -EINVAL);
	scene.options.socket.fd = 0;
	scene.options.loop = NULL;
	CHECK_ERROR(brink_client_create(&scene.client, &scene.options), -EINVAL);
	scene.options.loop = scene.stage.loop;
	scene.options.kind = (enum brink_client_kind)3;
	CHECK_ERROR(brink_client_create(&scene.client, &scene.options), -EINVAL);
	scene.options.kind = BRINK_CLIENT_SINGLE;
	scene.options.reserved[3] = &scene;
	CHECK_ERROR(brink_client_create(&scene.client, &scene.options), -EINVAL);
	scene.options.reserved[3] = NULL;
	scene.options.socket.reserved[0] = &scene;
	CHECK_ERROR(brink_client_create(&scene.client, &scene.options), -EINVAL);
	scene.options.socket.reserved[0] = NULL;
	scene.options.address = NULL;
	CHECK_ERROR(brink_client_create(&scene.client, &scene.options), -EINVAL);
	brink_client_destroy(NULL);
	brink_loop_destroy(scene.stage.loop);
	close_server(&scene.stage.server);
}

/* Places in a pool are not lost where a connection could not be made. */
static void each_allocation_fails(enum kind kind, enum brink_client_kind what)
{
	struct scene scene;
	unsigned k = 0;
	bool failed;

	open_scene(&scene, kind, what);
	scene.options.max_connections = 1;
	do {
		brink_socket *socket;
		int result;

		scene.client = NULL;
		fail_allocation(++k);
		result = brink_client_create(&scene.client, &scene.options);
		if (result == 0)
			result = brink_client_take(scene.client, &socket);
		failed = allocation_failed();
		CHECK(result == 0 || (result == -ENOMEM && failed));
		/* Its place is not lost. */
		if (result < 0 && scene.client != NULL)
			result = brink_client_take(scene.client, &socket);
		if (result == 0)
			brink_client_give(scene.client, socket);
		CHECK(result == 0 || scene.client == NULL);
		brink_client_destroy(scene.client);
		turn(scene.stage.loop);
	} while (failed);
	CHECK(k > 2);
	brink_loop_destroy(scene.stage.loop);
	close_server(&scene.stage.server);
}

static void without_memory(enum kind kind)
{
	scarce_memory();
	each_allocation_fails(kind, BRINK_CLIENT_SINGLE);
	each_allocation_fails(kind, BRINK_CLIENT_POOLED);
	each_allocation_fails(kind, BRINK_CLIENT_SHORT);
}

static const struct scenario scenarios[] = {
	SCENARIO("client/single-is-shared", single_is_shared, KINDS_STREAM),
	SCENARIO("client/single-is-replaced", single_is_replaced, KINDS_STREAM),
	SCENARIO("client/single-revives", single_revives, KINDS_STREAM),
	SCENARIO("client/single-half-open-revives", single_half_open_revives, KINDS_STREAM),
	SCENARIO("client/single-abandoned-is-replaced", single_abandoned_is_replaced, KINDS_STREAM),
	SCENARIO("client/single-destroyed", single_destroyed, KINDS_STREAM),
	SCENARIO("client/single-abandoned-while-closing", single_abandoned_while_closing, KINDS_STREAM),
	SCENARIO("client/pool-takes-and-gives", pool_takes_and_gives, KINDS_STREAM),
	SCENARIO("client/pool-has-no-broken-one", pool_has_no_broken_one, KINDS_STREAM),
	SCENARIO("client/pool-closes-idle", pool_closes_idle, KINDS_STREAM),
	SCENARIO("client/pool-closes-idle-with-chatter", pool_closes_idle_with_chatter, KINDS_STREAM),
	SCENARIO("client/pool-waiters-in-turn", pool_waiters_in_turn, KINDS_STREAM),
	SCENARIO("client/pool-waiters-cancelled", pool_waiters_cancelled, KINDS_STREAM),
	SCENARIO("client/pool-waiters-without-descriptors", pool_waiters_without_descriptors, KINDS_STREAM),
	SCENARIO("client/pool-waiters-after-a-failure", pool_waiters_after_a_failure, KINDS_STREAM),
	SCENARIO("client/pool-waiters-give-at-once", pool_waiters_give_at_once, KINDS_STREAM),
	SCENARIO("client/pool-destroyed-by-a-waiter", pool_destroyed_by_a_waiter, KINDS_STREAM),
	SCENARIO("client/pool-destroyed-is-asked-again", pool_destroyed_is_asked_again, KINDS_STREAM),
	SCENARIO("client/short-ones", short_ones, KINDS_STREAM),
	SCENARIO("client/unreachable-peer", unreachable_peer, KINDS_STREAM),
	SCENARIO("client/probes-that-fail", probes_that_fail, KINDS_STREAM),
	SCENARIO("client/single-by-many", single_by_many, KINDS_STREAM, .flags = TRACE_FREE),
	SCENARIO("client/single-broken-by-many", single_broken_by_many, KINDS_STREAM, .flags = TRACE_FREE),
	SCENARIO("client/pool-by-many", pool_by_many, KINDS_STREAM, .flags = TRACE_FREE),
	SCENARIO("client/pool-broken-by-many", pool_broken_by_many, KINDS_STREAM, .flags = TRACE_FREE),
	SCENARIO("client/bad-options", bad_options, KIND_NONE),
	SCENARIO("client/without-memory", without_memory, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group client_group = {"client", scenarios};
