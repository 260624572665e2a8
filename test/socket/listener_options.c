/* How a listener is asked for: addresses, ports, sockets handed over, and bad input. */
#include "groups.h"
#include "listener_stage.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void expect_connection(struct stage *stage, const char *text)
{
	struct brink_address address;
	unsigned accepted = stage->accepted;
	int client;

	CHECK_OK(brink_address_parse(&address, text));
	client = connect_address(&address);
	RUN_UNTIL(stage->loop, stage->accepted == accepted + 1);
	close_fd(&client);
}

static unsigned port_of(const struct stage *stage)
{
	struct brink_address address;

	brink_listener_address(stage->listener, &address);
	return brink_address_port(&address);
}

static void real_port(enum kind kind)
{
	struct brink_address told, asked;
	struct stage stage;

	open_stage(&stage, kind);
	start_stage(&stage);
	brink_listener_address(stage.listener, &told);
	CHECK_OK(brink_address_of(brink_listener_fd(stage.listener), &asked));
	CHECK(brink_address_equal(&told, &asked));
	CHECK((kind == KIND_UNIX) == (port_of(&stage) == 0));
	close_stage(&stage);
}

static void every_address(enum kind kind)
{
	static const char *const anys[] = {"*:0", ":0"};
	struct brink_address address;
	char text[64];

	for (unsigned i = 0; i < 2; i++) {
		struct stage stage;

		open_stage(&stage, kind);
		stage.options.address = anys[i];
		start_stage(&stage);
		snprintf(text, sizeof text, "127.0.0.1:%u", port_of(&stage));
		expect_connection(&stage, text);
		brink_listener_address(stage.listener, &address);
		if (address.storage.ss_family == AF_INET6) {
			snprintf(text, sizeof text, "[::1]:%u", port_of(&stage));
			expect_connection(&stage, text);
		}
		close_stage(&stage);
	}
}

/* A port that is free in one family, or was just now, may be another program's by the time
 * that it is asked for. */
#define ATTEMPTS 30

static void ipv6_alone(enum kind kind)
{
	struct stage stage, four;
	char text[64], text4[64];
	int result = -EADDRINUSE;

	for (unsigned i = 0; result == -EADDRINUSE; i++) {
		CHECK(i < ATTEMPTS);
		/* The port is somebody's for IPv4; the flag means nothing there. */
		open_stage(&four, KIND_TCP);
		four.options.flags = BRINK_LISTEN_V6ONLY;
		start_stage(&four);
		open_stage(&stage, kind);
		snprintf(text, sizeof text, "[::]:%u", port_of(&four));
		stage.options.address = text;
		stage.options.flags = BRINK_LISTEN_V6ONLY;
		result = try_stage(&stage);
		if (result < 0) {
			close_stage(&stage);
			close_stage(&four);
		}
	}
	CHECK_OK(result);
	snprintf(text, sizeof text, "[::1]:%u", port_of(&stage));
	snprintf(text4, sizeof text4, "127.0.0.1:%u", port_of(&stage));
	expect_connection(&stage, text);
	expect_connection(&four, text4);
	CHECK_EQ(stage.accepted, 1);
	close_stage(&four);
	close_stage(&stage);
}

static void port_in_use(enum kind kind)
{
	struct brink_address address;
	struct stage stage, other;
	int result = -EADDRINUSE;

	for (unsigned i = 0; result == -EADDRINUSE; i++) {
		CHECK(i < ATTEMPTS);
		open_stage(&stage, kind);
		start_stage(&stage);
		open_stage(&other, kind);
		brink_listener_address(stage.listener, &address);
		CHECK(brink_address_format(&address, other.text, sizeof other.text) > 0);
		CHECK_ERROR(try_stage(&other), -EADDRINUSE);
		destroy_listener(&stage);
		result = try_stage(&other);
		close_stage(&other);
		close_stage(&stage);
	}
	CHECK_OK(result);
}

/* The address of an earlier server whose connections linger can be had at once. */
static void lingering_connections(enum kind kind)
{
	struct brink_address address;
	int result = -EADDRINUSE;

	for (unsigned i = 0; result == -EADDRINUSE; i++) {
		struct stage stage;
		int client;

		CHECK(i < ATTEMPTS);
		open_stage(&stage, kind);
		start_stage(&stage);
		queue_clients(&stage, &client, 1);
		RUN_UNTIL(stage.loop, stage.accepted == 1);
		close_fd(&stage.servers[0]); /* first: this end lingers */
		expect_end(client);
		close_fd(&client);
		brink_listener_address(stage.listener, &address);
		CHECK(brink_address_format(&address, stage.text, sizeof stage.text) > 0);
		destroy_listener(&stage);
		stage.options.flags = BRINK_LISTEN_NO_REUSEADDR;
		CHECK_ERROR(try_stage(&stage), -EADDRINUSE);
		stage.options.flags = 0;
		result = try_stage(&stage);
		close_stage(&stage);
	}
	CHECK_OK(result);
}

static void shared_port(enum kind kind)
{
	struct brink_address address;
	struct stage stage, other;
	int result;

	open_stage(&stage, kind);
	open_stage(&other, kind);
	stage.options.flags = BRINK_LISTEN_REUSEPORT_IF_BALANCED;
	start_stage(&stage); /* in any case */
	destroy_listener(&stage);
	stage.options.flags = BRINK_LISTEN_REUSEPORT;
	result = try_stage(&stage);
	if (kind == KIND_UNIX || result == -ENOTSUP) {
		CHECK_ERROR(result, -ENOTSUP);
		CHECK(kind != KIND_UNIX || !file_exists(path_of(&stage)));
		close_stage(&other);
		close_stage(&stage);
		return;
	}
	CHECK_OK(result);
	brink_listener_address(stage.listener, &address);
	CHECK(brink_address_format(&address, other.text, sizeof other.text) > 0);
	CHECK_ERROR(try_stage(&other), -EADDRINUSE); /* both have to ask for it */
	other.options.flags = BRINK_LISTEN_REUSEPORT;
	start_stage(&other);
	close_stage(&other);
	close_stage(&stage);
}

/* ---- handed over ---- */

static void handed_over(enum kind kind)
{
	int fd = open_listener(kind, 8), clients[2];
	struct brink_address address;
	struct stage stage;

	SYSCALL(fcntl(fd, F_SETFL, 0)); /* as a parent may have left it */
	SYSCALL(fcntl(fd, F_SETFD, 0));
	CHECK_OK(brink_address_of(fd, &address));
	clients[0] = connect_address(&address);
	open_stage(&stage, kind);
	stage.options.address = NULL;
	stage.options.fd = fd;
	start_stage(&stage);
	CHECK_EQ(brink_listener_fd(stage.listener), fd);
	CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	clients[1] = connect_address(&address);
	RUN_UNTIL(stage.loop, stage.accepted == 2);
	turn_in_vain(&stage);
	destroy_listener(&stage);
	CHECK(fcntl(fd, F_GETFD) < 0);
	if (kind == KIND_UNIX) { /* whose file is its maker's business */
		CHECK(brink_address_format(&address, stage.text, sizeof stage.text) > 0);
		CHECK(file_exists(path_of(&stage)));
	}
	close_all(clients, 2);
	close_stage(&stage);
}

/* Whoever handed it over may have it still, and goes on. */
static void handed_over_and_drained(enum kind kind)
{
	int fd = open_listener(kind, 8), client, server;
	struct brink_address address;
	struct stage stage;

	CHECK_OK(brink_address_of(fd, &address));
	client = connect_address(&address);
	open_stage(&stage, kind);
	stage.options.address = NULL;
	stage.options.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	SYSCALL(stage.options.fd);
	start_stage(&stage);
	CHECK_OK(brink_listener_drain(stage.listener));
	CHECK_EQ(brink_loop_run(stage.loop), 0);
	CHECK_EQ(stage.drained, 1);
	CHECK_EQ(stage.accepted, 1);
	close_fd(&client);
	client = connect_address(&address);
	server = accept_plain(fd);
	close_fd(&client);
	close_fd(&server);
	close_fd(&fd);
	close_stage(&stage);
}

static void expect_refused(struct stage *stage, int fd, int error)
{
	stage->options.fd = fd;
	CHECK_ERROR(try_stage(stage), error);
	CHECK(stage->listener == NULL);
}

static void handed_over_wrongly(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ), datagrams = open_pair(KIND_UDP, BRINK_READ);
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC), listener = open_listener(kind, 1);
	struct stage stage;
	brink_watch other;

	SYSCALL(file);
	open_stage(&stage, kind);
	stage.options.address = NULL;
	expect_refused(&stage, 0, -EINVAL); /* nothing was said */
	expect_refused(&stage, -1, -EBADF);
	expect_refused(&stage, file, -ENOTSOCK);
	expect_refused(&stage, pair.ours, -EINVAL);
	expect_refused(&stage, datagrams.ours, -EINVAL);
	/* One that is watched already: it stays as it is, and the caller's. */
	brink_watch_init(&other, probe_called);
	CHECK_OK(brink_watch_start(stage.loop, &other, listener, BRINK_READ));
	expect_refused(&stage, listener, -EEXIST);
	CHECK_OK(brink_watch_close(&other));
	close_fd(&file);
	close_pair(&datagrams);
	close_pair(&pair);
	close_stage(&stage);
}

/* ---- bad input ---- */

static void expect_error(struct stage *stage, int error)
{
	CHECK_ERROR(try_stage(stage), error);
	CHECK(stage->listener == NULL);
}

static void bad_options(enum kind kind)
{
	brink_accept_fn *on_accept;
	struct stage stage;
	unsigned descriptors;

	open_stage(&stage, kind);
	descriptors = descriptors_open();
	on_accept = stage.options.on_accept;
	stage.options.on_accept = NULL;
	expect_error(&stage, -EINVAL);
	stage.options.on_accept = on_accept;
	stage.options.backlog = -1;
	expect_error(&stage, -EINVAL);
	stage.options.backlog = 0;
	stage.options.flags = BRINK_LISTEN_UNIX_REPLACE << 1;
	expect_error(&stage, -EINVAL);
	stage.options.flags = BRINK_LISTEN_KEEPALIVE;
	stage.options.unix_mode = 01000;
	expect_error(&stage, -EINVAL);
	stage.options.unix_mode = 0;
	stage.options.keepalive_idle = 0x80000000u;
	expect_error(&stage, -EINVAL);
	stage.options.keepalive_idle = 0;
	for (unsigned i = 0; i < 4; i++) {
		stage.options.reserved[i] = &stage;
		expect_error(&stage, -EINVAL);
		stage.options.reserved[i] = NULL;
	}
	CHECK_EQ(descriptors_open(), descriptors);
	start_stage(&stage);
	close_stage(&stage);
}

static void bad_addresses(enum kind kind)
{
	static const struct {
		const char *text;
		int error;
	} cases[] = {
		{"", -EINVAL},
		{"127.0.0.1", -EINVAL},
		{"localhost:80", -EINVAL},
		{"[fe80::1%no-such-if]:0", -ENODEV},
		{"192.0.2.1:0", -EADDRNOTAVAIL}, /* TEST-NET-1: nobody's */
		{"unix:", -EINVAL},
	};
	struct stage stage;
	unsigned descriptors;

	open_stage(&stage, kind);
	descriptors = descriptors_open();
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		stage.options.address = cases[i].text;
		expect_error(&stage, cases[i].error);
	}
	CHECK_EQ(descriptors_open(), descriptors);
	close_stage(&stage);
}

static void destroy_nothing(enum kind kind)
{
	(void)kind;
	brink_listener_destroy(NULL);
}

static const struct scenario scenarios[] = {
	SCENARIO("listener-options/real-port", real_port, KINDS_STREAM),
	SCENARIO("listener-options/every-address", every_address, KIND_TCP6),
	SCENARIO("listener-options/ipv6-alone", ipv6_alone, KIND_TCP6),
	SCENARIO("listener-options/port-in-use", port_in_use, KINDS_TCP),
	SCENARIO("listener-options/lingering-connections", lingering_connections, KINDS_TCP),
	SCENARIO("listener-options/shared-port", shared_port, KINDS_STREAM),
	SCENARIO("listener-options/handed-over", handed_over, KINDS_STREAM),
	SCENARIO("listener-options/handed-over-and-drained", handed_over_and_drained, KINDS_STREAM),
	SCENARIO("listener-options/handed-over-wrongly", handed_over_wrongly, KINDS_STREAM),
	SCENARIO("listener-options/bad-options", bad_options, KIND_TCP),
	SCENARIO("listener-options/bad-addresses", bad_addresses, 0),
	SCENARIO("listener-options/destroy-nothing", destroy_nothing, 0),
	NO_MORE_SCENARIOS,
};
const struct group listener_options_group = {"listener-options", scenarios};
