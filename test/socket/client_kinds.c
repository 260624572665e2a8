/* Clients of each kind: with many threads, with what is refused, and without memory; and one connection for each use. */
#include "client_scene.h"
#include "groups.h"
#include "scarce.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

/* ---- one for each use ---- */

static void short_ones(enum kind kind)
{
	struct client_scene scene;

	open_client_scene(&scene, kind, BRINK_CLIENT_SHORT);
	make_client(&scene);
	for (unsigned i = 1; i <= 5; i++) {
		brink_socket *socket = take_connection(&scene);
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
		CHECK_EQ(connections_made(&scene), i);
	}
	close_client_scene(&scene);
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
	struct client_scene scene;

	(void)kind;
	open_client_scene(&scene, KIND_TCP, BRINK_CLIENT_POOLED);
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
	struct client_scene scene;
	unsigned k = 0;
	bool failed;

	open_client_scene(&scene, kind, what);
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
	SCENARIO("client/short-ones", short_ones, KINDS_STREAM),
	SCENARIO("client/single-by-many", single_by_many, KINDS_STREAM, .flags = TRACE_FREE),
	SCENARIO("client/single-broken-by-many", single_broken_by_many, KINDS_STREAM, .flags = TRACE_FREE),
	SCENARIO("client/pool-by-many", pool_by_many, KINDS_STREAM, .flags = TRACE_FREE),
	SCENARIO("client/pool-broken-by-many", pool_broken_by_many, KINDS_STREAM, .flags = TRACE_FREE),
	SCENARIO("client/bad-options", bad_options, KIND_NONE),
	SCENARIO("client/without-memory", without_memory, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group client_group = {"client", scenarios};
