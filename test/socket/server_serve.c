/* Servers of every shape serve. */
#include "groups.h"
#include "server_stage.h"

#include <string.h>
#include <unistd.h>

#define CLIENTS 200u

static void many_clients(enum kind kind)
{
	struct brink_server_counts counts;
	unsigned clients = is_slow() ? 40 : CLIENTS;
	struct service service;
	int fds[CLIENTS];

	for (int shape = 0; shape < SHAPES; shape++) {
		open_service(&service, kind, (enum shape)shape);
		start_service(&service);
		connect_clients(&service, fds, clients);
		for (int round = 0; round < 3; round++)
			talk_with(&service, fds, clients);
		/* Counted after the answer has gone out. */
		RUN_UNTIL(service.loop, atomic_load(&service.processed) >= 3 * clients);
		RUN_UNTIL(service.loop, atomic_load(&service.written) >= 3 * clients);
		brink_server_counters(service.server, &counts);
		CHECK_EQ(counts.accepted, clients);
		CHECK_EQ(counts.open, clients);
		for (unsigned i = 0; i < clients / 2; i++)
			close_fd(&fds[i]);
		RUN_UNTIL(service.loop, atomic_load(&service.closed) == clients / 2);
		talk_with(&service, fds + clients / 2, clients - clients / 2);
		close_all(fds + clients / 2, clients - clients / 2);
		RUN_UNTIL(service.loop, atomic_load(&service.closed) == clients);
		brink_server_counters(service.server, &counts);
		CHECK_EQ(counts.open, 0);
		CHECK_EQ(counts.closed, clients);
		CHECK_EQ(counts.refused, 0);
		CHECK_EQ(atomic_load(&service.error), 0);
		close_service(&service);
	}
}

static void several_addresses(enum kind kind)
{
	const char *addresses[] = {"127.0.0.1:0", NULL, NULL};
	struct brink_address address;
	struct service service;
	int fds[2];

	open_service(&service, kind, kind == KIND_UNIX ? EACH_ACCEPTS : ONE_LOOP);
	addresses[1] = service.text;
	service.options.address = NULL;
	service.options.addresses = addresses;
	start_service(&service);
	CHECK(strncmp(brink_server_description(service.server), "127.0.0.1:", 10) == 0);
	fds[0] = connect_client(&service);
	CHECK_OK(brink_server_address(service.server, 1, &address));
	CHECK(!brink_address_equal(&address, &service.address));
	fds[1] = connect_address(&address);
	CHECK_ERROR(brink_server_address(service.server, 2, &address), -ENOENT);
	talk_with(&service, fds, 2);
	close_all(fds, 2);
	close_service(&service);
}

/* ---- every connection, from another thread ---- */

static int greet(brink_socket_id id, void *arg)
{
	brink_socket *socket = brink_socket_address(id);

	(void)arg;
	CHECK(socket != NULL);
	CHECK_OK(brink_socket_write_bytes(socket, "hello", 5));
	brink_socket_release(socket);
	return 0;
}

static int end_walk(brink_socket_id id, void *arg)
{
	(void)id, (void)arg;
	return 1;
}

static void *greet_all(void *server)
{
	CHECK_EQ(brink_server_each(server, greet, NULL), 20);
	CHECK_EQ(brink_server_each(server, end_walk, NULL), 1);
	return NULL;
}

static void each_connection(enum kind kind)
{
	struct service service, other;
	int fds[20], stranger;
	pthread_t thread;
	char text[5];

	open_service(&service, kind, GROUP);
	open_service(&other, kind, ONE_LOOP);
	start_service(&service);
	start_service(&other);
	connect_clients(&other, &stranger, 1);
	connect_clients(&service, fds, 20);
	CHECK_EQ(pthread_create(&thread, NULL, greet_all, service.server), 0);
	for (int i = 0; i < 20; i++) {
		read_back(&service, fds[i], text, sizeof text);
		CHECK(memcmp(text, "hello", 5) == 0);
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(!ready_now(stranger, BRINK_READ));
	close_all(fds, 20);
	close_fd(&stranger);
	close_service(&other);
	close_service(&service);
}

/* ---- limits ---- */

static void connection_limit(enum kind kind)
{
	static const enum shape shapes[] = {ONE_LOOP, GROUP};
	struct service service;
	int fds[5];

	for (size_t s = 0; s < 2; s++) {
		open_service(&service, kind, shapes[s]);
		service.options.listener.max_connections = 3;
		start_service(&service);
		connect_clients(&service, fds, 3);
		fds[3] = connect_client(&service);
		fds[4] = connect_client(&service);
		for (int i = 0; i < 10; i++)
			turn(service.loop);
		CHECK_EQ(atomic_load(&service.opened), 3);
		talk_with(&service, fds, 3);
		close_fd(&fds[0]);
		RUN_UNTIL(service.loop, atomic_load(&service.opened) == 4);
		close_fd(&fds[1]);
		RUN_UNTIL(service.loop, atomic_load(&service.opened) == 5);
		talk_with(&service, fds + 2, 3);
		close_all(fds + 2, 3);
		/* Destroyed while connections are counted. */
		close_service(&service);
	}
}

static void idle_timeout(enum kind kind)
{
	struct service service;
	int fd;

	open_service(&service, kind, GROUP);
	service.options.socket.idle_timeout = BRINK_MS(30);
	start_service(&service);
	connect_clients(&service, &fd, 1);
	RUN_UNTIL(service.loop, atomic_load(&service.closed) == 1);
	CHECK_EQ(atomic_load(&service.error), -ETIMEDOUT);
	expect_gone(&service, fd, false);
	close_fd(&fd);
	close_service(&service);
}

/* ---- destroyed at once, from everywhere on its loop ---- */

static void destroyed_busy(enum kind kind)
{
	struct service service;
	int fds[10];

	for (int shape = 0; shape < SHAPES; shape++) {
		open_service(&service, kind, (enum shape)shape);
		start_service(&service);
		connect_clients(&service, fds, 10);
		for (int i = 0; i < 10; i++)
			write_all(fds[i], "some\nlines\n", 11);
		destroy_service(&service);
		RUN_UNTIL(service.loop, atomic_load(&service.closed) == 10);
		for (int i = 0; i < 10; i++)
			close_fd(&fds[i]);
		close_service(&service);
	}
}

static void destroyed_with_its_loop(enum kind kind)
{
	struct service service;
	int fds[10];

	for (int shape = 0; shape < SHAPES; shape++) {
		open_service(&service, kind, (enum shape)shape);
		start_service(&service);
		connect_clients(&service, fds, 10);
		close_service(&service); /* no turn in between */
		CHECK_EQ(atomic_load(&service.closed), 10);
		close_all(fds, 10);
	}
}

static void destroy_here(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct service *service = arg;

	(void)socket, (void)in;
	destroy_service(service);
}

static void destroyed_in_a_callback(enum kind kind)
{
	struct service service;
	int fd;

	open_service(&service, kind, ONE_LOOP);
	service.options.on_bytes = destroy_here;
	start_service(&service);
	connect_clients(&service, &fd, 1);
	write_all(fd, "x", 1);
	RUN_UNTIL(service.loop, atomic_load(&service.closed) == 1);
	CHECK_EQ(atomic_load(&service.error), -ECANCELED);
	expect_gone(&service, fd, true);
	close_fd(&fd);
	close_service(&service);
}

static const struct scenario scenarios[] = {
	SCENARIO("server-serve/many-clients", many_clients, KINDS_STREAM),
	SCENARIO("server-serve/several-addresses", several_addresses, KINDS_STREAM),
	SCENARIO("server-serve/each-connection", each_connection, KINDS_STREAM),
	SCENARIO("server-serve/connection-limit", connection_limit, KINDS_STREAM),
	SCENARIO("server-serve/idle-timeout", idle_timeout, KINDS_STREAM),
	SCENARIO("server-serve/destroyed-busy", destroyed_busy, KINDS_STREAM),
	SCENARIO("server-serve/destroyed-with-its-loop", destroyed_with_its_loop, KINDS_STREAM),
	SCENARIO("server-serve/destroyed-in-a-callback", destroyed_in_a_callback, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group server_serve_group = {"server-serve", scenarios};
