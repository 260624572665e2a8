/* A client with one connection for all: shared, replaced, revived; and a peer that cannot be reached. */
#include "client_scene.h"
#include "groups.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static void single_is_shared(enum kind kind)
{
	struct client_scene scene;
	brink_socket *one, *other;
	int peer;

	open_client_scene(&scene, kind, BRINK_CLIENT_SINGLE);
	make_client(&scene);
	one = take_connection(&scene);
	other = take_connection(&scene);
	CHECK(one == other);
	write_on(one, "on");
	write_on(other, "e");
	peer = accept_plain(scene.stage.server.listener);
	read_text(scene.stage.loop, peer, "one");
	brink_client_give(scene.client, one);
	brink_client_give(scene.client, other);
	other = take_connection(&scene);
	CHECK(one == other);
	brink_client_give(scene.client, other);
	CHECK_EQ(connections_made(&scene), 1);
	close_fd(&peer);
	close_client_scene(&scene);
}

/* Also one that is only ending is not given to anybody any more. */
static void single_is_replaced(enum kind kind)
{
	struct client_scene scene;
	brink_socket *socket;
	brink_socket_id first, second;
	int peer;

	open_client_scene(&scene, kind, BRINK_CLIENT_SINGLE);
	make_client(&scene);
	socket = take_connection(&scene);
	first = brink_socket_get_id(socket);
	CHECK_OK(brink_socket_fail(first, -EPROTO, NULL));
	brink_client_give(scene.client, socket);
	socket = take_connection(&scene);
	second = brink_socket_get_id(socket);
	CHECK(first != second);
	write_on(socket, "new");
	peer = accept_plain(scene.stage.server.listener);
	close_fd(&peer); /* the first's */
	peer = accept_plain(scene.stage.server.listener);
	read_text(scene.stage.loop, peer, "new");
	CHECK_OK(brink_socket_shutdown(socket));
	brink_client_give(scene.client, socket);
	socket = take_connection(&scene);
	CHECK(second != brink_socket_get_id(socket));
	brink_client_give(scene.client, socket);
	CHECK_EQ(connections_made(&scene), 3);
	close_fd(&peer);
	brink_socket_fail(second, 0, NULL);
	close_client_scene(&scene);
}

static void single_revives(enum kind kind)
{
	struct client_scene scene;
	brink_socket *socket;
	brink_socket_id id;
	int peer;

	open_client_scene(&scene, kind, BRINK_CLIENT_SINGLE);
	scene.options.socket.probe_interval = BRINK_MS(10);
	make_client(&scene);
	socket = take_connection(&scene);
	id = brink_socket_get_id(socket);
	peer = accept_plain(scene.stage.server.listener);
	brink_client_give(scene.client, socket);
	close_fd(&peer);
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.closes == 1);
	CHECK_ERROR(brink_client_take(scene.client, &socket), -ENOTCONN);
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.revives == 1);
	socket = take_connection(&scene);
	CHECK(id == brink_socket_get_id(socket));
	CHECK_EQ(connections_made(&scene), 1);
	brink_client_give(scene.client, socket);
	brink_client_destroy(scene.client);
	end_client_scene(&scene, 2);
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
	struct client_scene scene;
	brink_socket *socket, *held;
	int peer;

	open_client_scene(&scene, kind, BRINK_CLIENT_SINGLE);
	scene.options.socket.probe_interval = BRINK_MS(10);
	scene.options.socket.on_end = stay_open;
	make_client(&scene);
	held = take_connection(&scene);
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
	brink_client_give(scene.client, take_connection(&scene));
	CHECK_EQ(connections_made(&scene), 1);
	close_fd(&peer);
	brink_client_destroy(scene.client);
	end_client_scene(&scene, 2);
}

/* The program gave it up, alive or while it was probed: there is none that could come back. */
static void single_abandoned_is_replaced(enum kind kind)
{
	struct client_scene scene;
	brink_socket *socket;
	brink_socket_id id;

	open_client_scene(&scene, kind, BRINK_CLIENT_SINGLE);
	scene.options.socket.probe_interval = BRINK_SECONDS(3600);
	make_client(&scene);
	for (unsigned i = 0; i < 3; i++) {
		socket = take_connection(&scene);
		id = brink_socket_get_id(socket);
		if (i == 1)
			CHECK_OK(brink_socket_fail(id, -EPROTO, NULL));
		brink_client_give(scene.client, socket);
		if (i == 1)
			CHECK_ERROR(brink_client_take(scene.client, &socket), -ENOTCONN);
		CHECK_OK(brink_socket_abandon(id));
		if (i == 2)
			RUN_UNTIL(scene.stage.loop, scene.stage.seen.closes == 3); /* its slot is free, too */
		CHECK_EQ(connections_made(&scene), i + 1);
	}
	brink_client_give(scene.client, take_connection(&scene));
	CHECK_EQ(connections_made(&scene), 4);
	close_client_scene(&scene);
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
		struct client_scene scene;
		brink_socket *socket;
		int peer;

		open_client_scene(&scene, kind, BRINK_CLIENT_SINGLE);
		scene.options.socket.probe_interval = BRINK_MS(10);
		make_client(&scene);
		socket = take_connection(&scene);
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
	struct client_scene scene;
	brink_socket *socket;
	brink_socket_id id;
	int peer;

	open_client_scene(&scene, kind, BRINK_CLIENT_SINGLE);
	scene.options.socket.probe_interval = BRINK_MS(10);
	make_client(&scene);
	socket = take_connection(&scene);
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
	end_client_scene(&scene, 1);
}

/* ---- a peer that cannot be reached ---- */

static void time_out(struct client_scene *scene, int error)
{
	unsigned closes = scene->stage.seen.closes;
	brink_socket *socket = take_connection(scene);

	RUN_UNTIL(scene->stage.loop, scene->stage.seen.closes == closes + 1);
	CHECK_ERROR(scene->stage.seen.error, error);
	brink_client_give(scene->client, socket);
}

static void stand(struct client_scene *scene)
{
	unsigned opens = scene->stage.seen.opens, closes = scene->stage.seen.closes;
	brink_socket *socket = take_connection(scene);
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
		struct client_scene scene;
		struct crowd crowd;
		int fd;

		open_client_scene(&scene, kind, (enum brink_client_kind)what);
		stop_server(&scene.stage.server);
		start_server(&scene.stage.server, 0);
		see(&scene.stage.seen, &scene.options.socket);
		scene.options.socket.connect_timeout = BRINK_MS(30);
		make_client(&scene);
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
		close_client_scene(&scene);
	}
}

static int probed(struct client_scene *scene)
{
	struct brink_client_info info;

	brink_client_get_info(scene->client, &info);
	return info.probe_error;
}

/* Nobody is called when a probe fails: who asks is told what it found. */
static void probes_that_fail(enum kind kind)
{
	struct client_scene scene;
	struct crowd crowd;
	int fd;

	open_client_scene(&scene, kind, BRINK_CLIENT_SINGLE);
	stop_server(&scene.stage.server);
	start_server(&scene.stage.server, 0);
	see(&scene.stage.seen, &scene.options.socket);
	scene.options.socket.connect_timeout = BRINK_MS(30);
	scene.options.socket.probe_interval = BRINK_MS(10);
	scene.options.socket.probe_interval_max = BRINK_MS(20);
	scene.options.socket.unreachable_after = 4;
	make_client(&scene);
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

static const struct scenario scenarios[] = {
	SCENARIO("client/single-is-shared", single_is_shared, KINDS_STREAM),
	SCENARIO("client/single-is-replaced", single_is_replaced, KINDS_STREAM),
	SCENARIO("client/single-revives", single_revives, KINDS_STREAM),
	SCENARIO("client/single-half-open-revives", single_half_open_revives, KINDS_STREAM),
	SCENARIO("client/single-abandoned-is-replaced", single_abandoned_is_replaced, KINDS_STREAM),
	SCENARIO("client/single-destroyed", single_destroyed, KINDS_STREAM),
	SCENARIO("client/single-abandoned-while-closing", single_abandoned_while_closing, KINDS_STREAM),
	SCENARIO("client/unreachable-peer", unreachable_peer, KINDS_STREAM),
	SCENARIO("client/probes-that-fail", probes_that_fail, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group client_single_group = {"client", scenarios};
