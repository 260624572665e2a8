/* A client with a pool: connections that nobody has, and how long they stay. */
#include "client_scene.h"
#include "groups.h"

#include <sys/socket.h>

static void pool_closes_idle(enum kind kind)
{
	struct client_scene scene;
	brink_socket *taken, *idle;
	int peers[2];

	open_client_scene(&scene, kind, BRINK_CLIENT_POOLED);
	scene.options.idle_timeout = BRINK_MS(40);
	make_client(&scene);
	taken = take_connection(&scene);
	peers[0] = accept_plain(scene.stage.server.listener);
	idle = take_connection(&scene);
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
	close_client_scene(&scene);
}

/* What a peer says to nobody is no use of the connection. */
static void pool_closes_idle_with_chatter(enum kind kind)
{
	uint64_t deadline = hang_deadline();
	struct client_scene scene;
	int peer;

	open_client_scene(&scene, kind, BRINK_CLIENT_POOLED);
	scene.options.idle_timeout = BRINK_MS(100);
	make_client(&scene);
	brink_client_give(scene.client, take_connection(&scene));
	peer = accept_plain(scene.stage.server.listener);
	while (scene.stage.seen.closes == 0 && monotonic_now() < deadline) {
		send(peer, "?", 1, MSG_NOSIGNAL);
		turn_for(scene.stage.loop, BRINK_MS(5));
	}
	CHECK_EQ(scene.stage.seen.closes, 1);
	CHECK_EQ(scene.stage.seen.error, 0);
	CHECK(scene.stage.seen.size > 0);
	close_fd(&peer);
	close_client_scene(&scene);
}

/* However long somebody has had it, the time begins when it is given back; until then the loop sleeps. */
static void pool_keeps_what_was_long_taken(enum kind kind)
{
	uint64_t time = BRINK_MS(200), given;
	struct brink_counters before, after;
	struct client_scene scene;
	brink_socket *taken;
	int peer;

	open_client_scene(&scene, kind, BRINK_CLIENT_POOLED);
	scene.options.idle_timeout = time;
	make_client(&scene);
	taken = take_connection(&scene);
	peer = accept_plain(scene.stage.server.listener);
	brink_loop_counters(scene.stage.loop, &before);
	turn_for(scene.stage.loop, time + BRINK_MS(200));
	brink_loop_counters(scene.stage.loop, &after);
	CHECK(after.turns - before.turns < 100);
	given = monotonic_now();
	brink_client_give(scene.client, taken);
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.closes == 1);
	CHECK(monotonic_now() - given >= time);
	close_fd(&peer);
	close_client_scene(&scene);
}

static void stay_open(brink_socket *socket, void *arg)
{
	struct seen *seen = arg;

	(void)socket;
	seen->ends++;
}

/* The program may not close it at its peer's end; whoever asks for a connection gets another, and this one goes. */
static void pool_fails_what_has_ended(enum kind kind)
{
	struct client_scene scene;
	brink_socket *taken;
	int peer;

	open_client_scene(&scene, kind, BRINK_CLIENT_POOLED);
	scene.options.socket.on_end = stay_open;
	make_client(&scene);
	brink_client_give(scene.client, take_connection(&scene));
	peer = accept_plain(scene.stage.server.listener);
	CHECK_OK(shutdown(peer, SHUT_WR));
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.ends == 1);
	CHECK_EQ(scene.stage.seen.closes, 0);
	taken = take_connection(&scene);
	CHECK_EQ(connections_made(&scene), 2);
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.closes == 1);
	CHECK_EQ(scene.stage.seen.error, 0);
	brink_client_give(scene.client, taken);
	close_fd(&peer);
	close_client_scene(&scene);
}

static const struct scenario scenarios[] = {
	SCENARIO("client/pool-closes-idle", pool_closes_idle, KINDS_STREAM),
	SCENARIO("client/pool-closes-idle-with-chatter", pool_closes_idle_with_chatter, KINDS_STREAM),
	SCENARIO("client/pool-keeps-what-was-long-taken", pool_keeps_what_was_long_taken, KINDS_STREAM),
	SCENARIO("client/pool-fails-what-has-ended", pool_fails_what_has_ended, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group client_idle_group = {"client", scenarios};
