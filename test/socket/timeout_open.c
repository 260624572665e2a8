/* The timeouts of a connection: each comes when nothing happens for so long, and is
 * restarted by what happens. */
#include "client_stage.h"
#include "groups.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SHORT BRINK_MS(80)

struct scene {
	struct client_stage stage;
	int peer;
	uint64_t start;
};

static void open_scene(struct scene *scene, enum kind kind)
{
	open_client_stage(&scene->stage, kind);
	start_server(&scene->stage.server, 8);
}

static void connect_scene(struct scene *scene)
{
	create_client(&scene->stage);
	scene->peer = accept_client(&scene->stage);
	scene->start = monotonic_now();
}

static void expect_timeout(struct scene *scene, const char *text)
{
	RUN_UNTIL(scene->stage.loop, scene->stage.seen.closes == 1);
	CHECK_ERROR(scene->stage.seen.error, -ETIMEDOUT);
	CHECK(strcmp(scene->stage.seen.text, text) == 0);
}

static void end_scene(struct scene *scene)
{
	close_fd(&scene->peer);
	close_client_stage(&scene->stage);
}

/* Bytes go one way or the other, each time less than the timeout after the last, for three
 * times its length. Then nothing. If the machine stalls for longer, it is over earlier: that is
 * no fault, as long as it was long enough. Returns the time of the last byte that came through. */
static uint64_t keep_busy(struct scene *scene, bool read, bool write)
{
	struct seen *seen = &scene->stage.seen;
	uint64_t last = scene->start;
	char bytes[64];

	while (seen->closes == 0 && monotonic_now() < scene->start + 3 * SHORT) {
		uint64_t now = monotonic_now();
		size_t before = seen->size + seen->writes;

		if (read)
			write_all(scene->peer, "x", 1);
		if (write && resolves(scene->stage.id))
			write_text(scene->stage.id, "y");
		turn_for(scene->stage.loop, SHORT / 8);
		if (seen->size + seen->writes > before)
			last = now;
		while (recv(scene->peer, bytes, sizeof bytes, 0) > 0)
			;
	}
	return last;
}

static void idle(enum kind kind)
{
	struct scene scene;

	open_scene(&scene, kind);
	scene.stage.options.idle_timeout = SHORT;
	connect_scene(&scene);
	expect_timeout(&scene, "idle timeout");
	end_scene(&scene);
}

static void idle_restarted(enum kind kind)
{
	for (int way = 0; way < 2; way++) {
		struct scene scene;
		uint64_t last;

		open_scene(&scene, kind);
		scene.stage.options.idle_timeout = SHORT;
		connect_scene(&scene);
		last = keep_busy(&scene, way == 0, way == 1);
		expect_timeout(&scene, "idle timeout");
		CHECK(monotonic_now() - last >= SHORT - SHORT / 4);
		end_scene(&scene);
	}
}

/* What is written does not count as read. */
static void reading(enum kind kind)
{
	struct scene scene;

	open_scene(&scene, kind);
	scene.stage.options.read_timeout = SHORT;
	connect_scene(&scene);
	keep_busy(&scene, false, true);
	expect_timeout(&scene, "read timeout");
	end_scene(&scene);
}

static void reading_restarted(enum kind kind)
{
	struct scene scene;
	uint64_t last;

	open_scene(&scene, kind);
	scene.stage.options.read_timeout = SHORT;
	connect_scene(&scene);
	last = keep_busy(&scene, true, false);
	expect_timeout(&scene, "read timeout");
	CHECK(monotonic_now() - last >= SHORT - SHORT / 4);
	end_scene(&scene);
}

/* A pause is not held against the peer. */
static void reading_paused(enum kind kind)
{
	struct scene scene;
	brink_socket *socket;
	uint64_t resumed;

	open_scene(&scene, kind);
	scene.stage.options.read_timeout = SHORT;
	scene.stage.options.flags = BRINK_SOCKET_PAUSED;
	connect_scene(&scene);
	turn_for(scene.stage.loop, 3 * SHORT);
	CHECK_EQ(scene.stage.seen.closes, 0);
	socket = brink_socket_address(scene.stage.id);
	CHECK(socket != NULL);
	resumed = monotonic_now();
	brink_socket_resume(socket);
	brink_socket_release(socket);
	expect_timeout(&scene, "read timeout");
	CHECK(monotonic_now() - resumed >= SHORT);
	end_scene(&scene);
}

/* The peer reads nothing: what is left unsent is more than the kernel has room for, or will be. True
 * when nothing had to be written for that. */
static bool keep_unsent(struct scene *scene)
{
	static char bytes[1 << 16];
	brink_socket *socket = brink_socket_address(scene->stage.id);
	struct brink_socket_info info;

	if (socket == NULL)
		return true;
	brink_socket_get_info(socket, &info);
	if (info.unsent < sizeof bytes)
		CHECK_OK(brink_socket_write_bytes(socket, bytes, sizeof bytes));
	brink_socket_release(socket);
	return info.unsent >= sizeof bytes;
}

static void writing(enum kind kind)
{
	struct scene scene;

	open_scene(&scene, kind);
	scene.stage.options.write_timeout = SHORT;
	connect_scene(&scene);
	/* Nothing unsent: nothing is waited for. */
	turn_for(scene.stage.loop, 2 * SHORT);
	CHECK_EQ(scene.stage.seen.closes, 0);
	scene.start = monotonic_now();
	/* One turn may only have begun to send, or have been stopped short. */
	RUN_UNTIL(scene.stage.loop, (keep_unsent(&scene), scene.stage.seen.closes == 1));
	expect_timeout(&scene, "write timeout");
	CHECK(monotonic_now() - scene.start >= SHORT);
	CHECK_ERROR(scene.stage.seen.write_error, -ETIMEDOUT);
	end_scene(&scene);
}

/* As long as the peer takes something now and then, it goes on. */
static void writing_restarted(enum kind kind)
{
	struct scene scene;
	uint64_t last;

	open_scene(&scene, kind);
	scene.stage.options.write_timeout = BRINK_SECONDS(30);
	connect_scene(&scene);
	RUN_UNTIL(scene.stage.loop, keep_unsent(&scene));
	last = monotonic_now();
	while (scene.stage.seen.writes < 2 || monotonic_now() < last + 2 * SHORT) {
		(void)drain(scene.peer);
		turn_for(scene.stage.loop, SHORT / 4);
		CHECK_EQ(scene.stage.seen.closes, 0);
	}
	CHECK_EQ(scene.stage.seen.write_error, 0);
	end_scene(&scene);
}

/* What it says at the end finds no room in the kernel. */
static int no_room_for_the_end(void *state, int fd, unsigned *waits)
{
	static const char bytes[4096];

	(void)state;
	while (send(fd, bytes, sizeof bytes, 0) > 0)
		;
	*waits = BRINK_WRITE;
	return -EAGAIN;
}

static void writing_the_end(enum kind kind)
{
	struct brink_transport transport = *brink_transport_plain();
	struct scene scene;
	brink_socket *socket;

	transport.shutdown = no_room_for_the_end;
	open_scene(&scene, kind);
	scene.stage.options.write_timeout = SHORT;
	scene.stage.options.transport = &transport;
	connect_scene(&scene);
	turn_for(scene.stage.loop, 2 * SHORT);
	CHECK_EQ(scene.stage.seen.closes, 0);
	socket = brink_socket_address(scene.stage.id);
	CHECK(socket != NULL);
	scene.start = monotonic_now();
	CHECK_OK(brink_socket_close(socket));
	brink_socket_release(socket);
	expect_timeout(&scene, "write timeout");
	CHECK(monotonic_now() - scene.start >= SHORT);
	end_scene(&scene);
}

/* The peer does not end its side: a close waits for it no longer than asked for. */
static void lingering(enum kind kind)
{
	struct scene scene;
	brink_socket *socket;

	open_scene(&scene, kind);
	scene.stage.options.linger_timeout = SHORT;
	connect_scene(&scene);
	socket = brink_socket_address(scene.stage.id);
	CHECK(socket != NULL);
	CHECK_OK(brink_socket_close(socket));
	brink_socket_release(socket);
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.closes == 1);
	CHECK(monotonic_now() - scene.start >= SHORT);
	CHECK_EQ(scene.stage.seen.error, 0);
	end_scene(&scene);
}

/* Who has all the time in the world to connect: the other timeouts are those of one that is open. */
static void connecting_without_end(enum kind kind)
{
	struct client_stage stage;
	struct crowd crowd;

	open_client_stage(&stage, kind);
	start_server(&stage.server, 0);
	crowd_server(&stage.server, &crowd);
	stage.options.connect_timeout = UINT64_MAX;
	stage.options.idle_timeout = SHORT;
	create_client(&stage);
	turn_for(stage.loop, 2 * SHORT);
	CHECK_EQ(stage.seen.closes, 0);
	disperse(&crowd);
	close_client_stage(&stage);
}

/* Likewise to wait for the peer's end: nothing else is wanted of it. */
static void lingering_without_end(enum kind kind)
{
	struct scene scene;
	brink_socket *socket;

	open_scene(&scene, kind);
	scene.stage.options.linger_timeout = UINT64_MAX;
	scene.stage.options.read_timeout = SHORT;
	connect_scene(&scene);
	socket = brink_socket_address(scene.stage.id);
	CHECK(socket != NULL);
	CHECK_OK(brink_socket_close(socket));
	brink_socket_release(socket);
	turn_for(scene.stage.loop, 2 * SHORT);
	CHECK_EQ(scene.stage.seen.closes, 0);
	close_fd(&scene.peer);
	RUN_UNTIL(scene.stage.loop, scene.stage.seen.closes == 1);
	CHECK_EQ(scene.stage.seen.error, 0);
	close_client_stage(&scene.stage);
}

/* All of them at once, none of which is over: nothing comes, and nothing is left behind. */
static void none_over(enum kind kind)
{
	struct scene scene;

	open_scene(&scene, kind);
	scene.stage.options.idle_timeout = BRINK_SECONDS(100);
	scene.stage.options.read_timeout = BRINK_SECONDS(200);
	scene.stage.options.write_timeout = UINT64_MAX;
	connect_scene(&scene);
	keep_busy(&scene, true, true);
	CHECK_EQ(scene.stage.seen.closes, 0);
	end_scene(&scene);
}

/* A connection whose timer runs ends with its loop. */
static void loop_ends(enum kind kind)
{
	struct scene scene;

	open_scene(&scene, kind);
	scene.stage.options.idle_timeout = BRINK_MS(1);
	connect_scene(&scene);
	brink_loop_destroy(scene.stage.loop);
	CHECK_EQ(scene.stage.seen.closes, 1);
	close_fd(&scene.peer);
	close_server(&scene.stage.server);
}

static const struct scenario scenarios[] = {
	SCENARIO("timeout/idle", idle, KINDS_STREAM),
	SCENARIO("timeout/idle-restarted", idle_restarted, KINDS_STREAM),
	SCENARIO("timeout/reading", reading, KINDS_STREAM),
	SCENARIO("timeout/reading-restarted", reading_restarted, KINDS_STREAM),
	SCENARIO("timeout/reading-paused", reading_paused, KINDS_STREAM),
	SCENARIO("timeout/writing", writing, KINDS_STREAM),
	SCENARIO("timeout/writing-restarted", writing_restarted, KINDS_STREAM),
	SCENARIO("timeout/writing-the-end", writing_the_end, KINDS_STREAM),
	SCENARIO("timeout/lingering", lingering, KINDS_STREAM),
	SCENARIO("timeout/connecting-without-end", connecting_without_end, KINDS_STREAM),
	SCENARIO("timeout/lingering-without-end", lingering_without_end, KINDS_STREAM),
	SCENARIO("timeout/none-over", none_over, KINDS_STREAM),
	SCENARIO("timeout/loop-ends", loop_ends, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group timeout_open_group = {"timeout", scenarios};
