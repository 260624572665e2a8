/* Listeners: connections are edges too. */
#include "groups.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOT_READ (BRINK_WRITE | BRINK_EOF | BRINK_ERROR)

static void check_accepted(int fd)
{
	int flags = fcntl(fd, F_GETFL), descriptor_flags = fcntl(fd, F_GETFD);

	CHECK((flags & O_NONBLOCK) != 0);
	CHECK((descriptor_flags & FD_CLOEXEC) != 0);
}

static void two_connections_one_edge(enum kind kind)
{
	int listener = open_listener(kind, 8), clients[2], servers[2];
	brink_loop *loop = new_loop();
	struct probe acceptor;

	start_probe(loop, &acceptor, "acceptor", listener, BRINK_READ);
	expect_silence(loop);
	for (int i = 0; i < 2; i++)
		clients[i] = connect_to(listener);
	expect_event(loop, &acceptor, BRINK_READ, NOT_READ);
	for (int i = 0; i < 2; i++) {
		servers[i] = brink_watch_accept(&acceptor.watch, NULL, NULL);
		CHECK_OK(servers[i]);
		check_accepted(servers[i]);
	}
	CHECK_ERROR(brink_watch_accept(&acceptor.watch, NULL, NULL), -EAGAIN);
	expect_quiet(loop, &acceptor, BRINK_READ);
	for (int i = 0; i < 2; i++) {
		close_fd(&clients[i]);
		close_fd(&servers[i]);
	}
	expect_silence(loop); /* what becomes of connections is not the listener's */
	clients[0] = connect_to(listener);
	expect_event(loop, &acceptor, BRINK_READ, NOT_READ);
	close_fd(&clients[0]);
	close_probe(&acceptor, &listener);
	CHECK_OK(brink_loop_destroy(loop));
}

static void connections_before_the_start(enum kind kind)
{
	int listener = open_listener(kind, 8), client = connect_to(listener), server;
	brink_loop *loop = new_loop();
	struct probe acceptor;

	start_probe(loop, &acceptor, "acceptor", listener, BRINK_READ);
	expect_event(loop, &acceptor, BRINK_READ, NOT_READ);
	expect_silence(loop);
	server = brink_watch_accept(&acceptor.watch, NULL, NULL);
	CHECK_OK(server);
	close_fd(&client);
	close_fd(&server);
	close_probe(&acceptor, &listener);
	CHECK_OK(brink_loop_destroy(loop));
}

static void one_of_two_accepted(enum kind kind)
{
	int listener = open_listener(kind, 8), clients[2], servers[2];
	brink_loop *loop = new_loop();
	struct probe acceptor;

	start_probe(loop, &acceptor, "acceptor", listener, BRINK_READ);
	for (int i = 0; i < 2; i++)
		clients[i] = connect_to(listener);
	expect_event(loop, &acceptor, BRINK_READ, NOT_READ);
	servers[0] = brink_watch_accept(&acceptor.watch, NULL, NULL);
	CHECK_OK(servers[0]);
	expect_silence(loop); /* the ticket is still out */
	CHECK_OK(brink_watch_rearm(&acceptor.watch, BRINK_READ));
	observe(loop, &acceptor, "rearm with one of two connections accepted", BRINK_READ);
	servers[1] = brink_watch_accept(&acceptor.watch, NULL, NULL);
	CHECK_OK(servers[1]);
	CHECK_ERROR(brink_watch_accept(&acceptor.watch, NULL, NULL), -EAGAIN);
	expect_quiet(loop, &acceptor, BRINK_READ);
	for (int i = 0; i < 2; i++) {
		close_fd(&clients[i]);
		close_fd(&servers[i]);
	}
	close_probe(&acceptor, &listener);
	CHECK_OK(brink_loop_destroy(loop));
}

static void act_close(struct probe *probe, unsigned ready)
{
	CHECK_EQ(ready, BRINK_READ);
	close_probe(probe, probe->data);
}

static void closed_in_its_callback(enum kind kind)
{
	int listener = open_listener(kind, 8), client = connect_to(listener), again;
	union {
		struct sockaddr any;
		struct sockaddr_storage storage;
	} address;
	socklen_t length = sizeof address;
	brink_loop *loop = new_loop();
	struct probe acceptor;
	int on = 1;

	SYSCALL(getsockname(listener, &address.any, &length));
	init_probe(&acceptor, "acceptor", act_close);
	acceptor.data = &listener;
	CHECK_OK(brink_watch_start(loop, &acceptor.watch, listener, BRINK_READ));
	CHECK_EQ(brink_loop_run(loop), 0); /* nothing is left to wait for */
	expect_event(loop, &acceptor, BRINK_READ, NOT_READ);
	CHECK_EQ(acceptor.calls, 1);
	CHECK_EQ(listener, -1);
	if (kind != KIND_UNIX) { /* whose name stays behind */
		again = socket(address.any.sa_family, SOCK_STREAM, 0);
		SYSCALL(again);
		SYSCALL(setsockopt(again, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
		SYSCALL(bind(again, &address.any, length));
		SYSCALL(listen(again, 1));
		close_fd(&again);
	}
	await(client, BRINK_READ); /* the connection that nobody took is over */
	expect_silence(loop);
	close_fd(&client);
	CHECK_OK(brink_loop_destroy(loop));
}

static struct rlimit forbid_descriptors(void)
{
	struct rlimit before, none;
	int lowest = dup(STDIN_FILENO);

	SYSCALL(lowest);
	SYSCALL(close(lowest));
	SYSCALL(getrlimit(RLIMIT_NOFILE, &before));
	none = before;
	none.rlim_cur = (rlim_t)lowest;
	SYSCALL(setrlimit(RLIMIT_NOFILE, &none));
	return before;
}

/* No descriptor for the connection: nothing spins, and `again` goes on when there is one. */
static void out_of_descriptors(enum kind kind)
{
	int listener = open_listener(kind, 8), client, late, server;
	brink_loop *loop = new_loop();
	struct probe acceptor;
	struct rlimit before;

	if (getenv("BRINK_TEST_VALGRIND") != NULL) {
		CHECK_OK(brink_loop_destroy(loop));
		close_fd(&listener);
		SKIP("valgrind accepts the connection, closes it and then says EMFILE");
	}
	start_probe(loop, &acceptor, "acceptor", listener, BRINK_READ);
	expect_silence(loop);
	client = connect_to(listener);
	late = connect_to(listener);
	expect_event(loop, &acceptor, BRINK_READ, NOT_READ);
	before = forbid_descriptors();
	CHECK_ERROR(brink_watch_accept(&acceptor.watch, NULL, NULL), -EMFILE);
	expect_silence(loop);
	CHECK_OK(brink_watch_again(&acceptor.watch, BRINK_READ));
	expect_one_call(loop, &acceptor, BRINK_READ, NOT_READ);
	CHECK_ERROR(brink_watch_accept(&acceptor.watch, NULL, NULL), -EMFILE);
	expect_silence(loop);
	SYSCALL(setrlimit(RLIMIT_NOFILE, &before));
	CHECK_OK(brink_watch_again(&acceptor.watch, BRINK_READ));
	expect_one_call(loop, &acceptor, BRINK_READ, NOT_READ);
	for (int i = 0; i < 2; i++) {
		server = brink_watch_accept(&acceptor.watch, NULL, NULL);
		CHECK_OK(server);
		close_fd(&server);
	}
	CHECK_ERROR(brink_watch_accept(&acceptor.watch, NULL, NULL), -EAGAIN);
	expect_quiet(loop, &acceptor, BRINK_READ);
	close_fd(&client);
	close_fd(&late);
	close_probe(&acceptor, &listener);
	CHECK_OK(brink_loop_destroy(loop));
}

static void act_accept_all(struct probe *probe, unsigned ready)
{
	int *servers = probe->data;
	int fd;

	CHECK_EQ(ready, BRINK_READ);
	while ((fd = brink_watch_accept(&probe->watch, NULL, NULL)) >= 0) {
		check_accepted(fd);
		close_fd(&fd);
		(*servers)++;
	}
	CHECK_ERROR(fd, -EAGAIN);
}

/* Whether the connection that died is still handed out differs by system; the one behind it
 * must be, and the next one too. */
static void client_resets_before_accept(enum kind kind)
{
	int listener = open_listener(kind, 8), servers = 0, client;
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	brink_loop *loop = new_loop();
	struct probe acceptor;

	client = connect_to(listener);
	SYSCALL(setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
	close_fd(&client);
	client = connect_to(listener);
	init_probe(&acceptor, "acceptor", act_accept_all);
	acceptor.data = &servers;
	CHECK_OK(brink_watch_start(loop, &acceptor.watch, listener, BRINK_READ));
	RUN_UNTIL(loop, servers >= 1);
	measure("connections given out, one reset and one alive", "%d", servers);
	discard_calls(&acceptor);
	expect_quiet(loop, &acceptor, BRINK_READ);
	close_fd(&client);
	servers = 0;
	client = connect_to(listener);
	expect_event(loop, &acceptor, BRINK_READ, NOT_READ);
	CHECK_EQ(servers, 1);
	close_fd(&client);
	close_probe(&acceptor, &listener);
	CHECK_OK(brink_loop_destroy(loop));
}

static void write_interest_is_harmless(enum kind kind)
{
	int listener = open_listener(kind, 8), client, server;
	brink_loop *loop = new_loop();
	struct probe acceptor;

	start_probe(loop, &acceptor, "acceptor", listener, BRINK_READ | BRINK_WRITE);
	observe(loop, &acceptor, "a listener watched for WRITE", BRINK_WRITE);
	client = connect_to(listener);
	RUN_UNTIL(loop, (acceptor.new_ready & BRINK_READ) != 0);
	CHECK((acceptor.new_ready & (BRINK_EOF | BRINK_ERROR)) == 0);
	CHECK(!acceptor.twice);
	discard_calls(&acceptor); /* WRITE may accompany it */
	server = brink_watch_accept(&acceptor.watch, NULL, NULL);
	CHECK_OK(server);
	CHECK_ERROR(brink_watch_accept(&acceptor.watch, NULL, NULL), -EAGAIN);
	observe(loop, &acceptor, "WRITE of a listener after it has accepted", BRINK_WRITE);
	close_fd(&client);
	close_fd(&server);
	close_probe(&acceptor, &listener);
	CHECK_OK(brink_loop_destroy(loop));
}

static void accept_tells_the_address(enum kind kind)
{
	int listener = open_listener(kind, 8), client = connect_to(listener), server;
	brink_loop *loop = new_loop();
	struct probe acceptor;
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage storage;
	} peer, own;
	socklen_t length = sizeof peer, own_length = sizeof own;

	memset(&peer, 0, sizeof peer);
	memset(&own, 0, sizeof own);
	start_probe(loop, &acceptor, "acceptor", listener, BRINK_READ);
	expect_event(loop, &acceptor, BRINK_READ, NOT_READ);
	server = brink_watch_accept(&acceptor.watch, &peer.any, &length);
	CHECK_OK(server);
	SYSCALL(getsockname(client, &own.any, &own_length));
	CHECK_EQ(peer.any.sa_family, own.any.sa_family);
	if (kind == KIND_TCP)
		CHECK_EQ(peer.in.sin_port, own.in.sin_port);
	else
		CHECK_EQ(peer.in6.sin6_port, own.in6.sin6_port);
	close_fd(&client);
	close_fd(&server);
	close_probe(&acceptor, &listener);
	CHECK_ERROR(brink_watch_accept(&acceptor.watch, NULL, NULL), -ENOENT);
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("listener/two-connections-one-edge", two_connections_one_edge, KINDS_STREAM,
	         .promises = {3, 16}),
	SCENARIO("listener/connections-before-the-start", connections_before_the_start, KINDS_STREAM,
	         .promises = {1}),
	SCENARIO("listener/one-of-two-accepted", one_of_two_accepted, KINDS_STREAM, .promises = {2, 16}),
	SCENARIO("listener/closed-in-its-callback", closed_in_its_callback, KINDS_STREAM,
	         .promises = {7, 12, 21}),
	SCENARIO("listener/out-of-descriptors", out_of_descriptors, KINDS_STREAM, .promises = {16, 2, 17}),
	SCENARIO("listener/client-resets-before-accept", client_resets_before_accept, KINDS_TCP,
	         .promises = {16}, .flags = TRACE_FREE),
	SCENARIO("listener/write-interest-is-harmless", write_interest_is_harmless, KINDS_STREAM,
	         .promises = {2}),
	SCENARIO("listener/accept-tells-the-address", accept_tells_the_address, KINDS_TCP, .promises = {16}),
	NO_MORE_SCENARIOS,
};

const struct group listener_group = {"listener", scenarios};
