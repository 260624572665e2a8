/* Sockets and clients that are given a name to connect to. */
#include "dial_stage.h"
#include "groups.h"
#include "scarce.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct stage {
	struct dial_stage dials;
	struct brink_socket_options options;
	struct seen seen;
	brink_socket_id id;
};

static void open_stage(struct stage *stage, const struct spot *spots)
{
	memset(stage, 0, sizeof *stage);
	open_dial_stage(&stage->dials, spots);
	see(&stage->seen, &stage->options);
	stage->options.name = stage->dials.name;
}

static void create(struct stage *stage)
{
	CHECK_OK(brink_socket_create(&stage->id, stage->dials.loop, &stage->options));
}

static void expect_closed(struct stage *stage, int error, const char *text)
{
	unsigned closes = stage->seen.closes;

	RUN_UNTIL(stage->dials.loop, stage->seen.closes > closes);
	CHECK_ERROR(stage->seen.error, error);
	CHECK(strcmp(stage->seen.text, text) == 0);
	CHECK_EQ(stage->seen.opens, 0);
	expect_nothing_open(&stage->dials);
}

static void close_stage(struct stage *stage)
{
	CHECK_ALWAYS(!stage->seen.disorder);
	close_dial_stage(&stage->dials);
}

static int accept_at(struct stage *stage, unsigned spot)
{
	unsigned opens = stage->seen.opens;
	int fd;

	RUN_UNTIL(stage->dials.loop, (stage->seen.opens > opens || stage->seen.open) && ready_now(stage->dials.spots[spot].fd,
	          BRINK_READ));
	fd = accept_plain(stage->dials.spots[spot].fd);
	return fd;
}

static void forget_it(struct stage *stage)
{
	unsigned closes = stage->seen.closes;

	CHECK_OK(brink_socket_abandon(stage->id));
	RUN_UNTIL(stage->dials.loop, stage->seen.closes > closes);
}

/* ---- connecting ---- */

static void connects_and_sends_what_waited(enum kind kind)
{
	struct stage stage;
	brink_socket *socket;
	struct brink_address peer;
	char text[BRINK_ADDRESS_TEXT];
	int fd;

	(void)kind;
	open_stage(&stage, SPOTS(SPOT("127.0.0.1", REFUSES), SPOT("127.0.0.2", HANGS), SPOT("127.0.0.3", ANSWERS)));
	stage.options.attempt_delay = BRINK_MS(10);
	create(&stage);
	write_text(stage.id, "ear");
	write_text(stage.id, "ly");
	CHECK_EQ(stage.seen.writes, 0);
	fd = accept_at(&stage, 2);
	read_text(stage.dials.loop, fd, "early");
	socket = brink_socket_address(stage.id);
	CHECK(socket != NULL);
	CHECK(strcmp(brink_socket_host(socket), "spots.test") == 0);
	CHECK_OK(brink_socket_peer(socket, &peer));
	CHECK(brink_address_format(&peer, text, sizeof text) > 0);
	CHECK(strncmp(text, "127.0.0.3:", 10) == 0);
	brink_socket_release(socket);
	RUN_UNTIL(stage.dials.loop, stage.seen.writes == 2);
	write_all(fd, "back", 4);
	RUN_UNTIL(stage.dials.loop, stage.seen.size == 4);
	close_fd(&fd);
	RUN_UNTIL(stage.dials.loop, stage.seen.closes == 1);
	CHECK_EQ(stage.seen.error, 0);
	expect_nothing_open(&stage.dials);
	close_stage(&stage);
}

static void expect_host(struct stage *stage, const char *host)
{
	brink_socket *socket;

	create(stage);
	socket = brink_socket_address(stage->id);
	CHECK(socket != NULL);
	if (host == NULL)
		CHECK(brink_socket_host(socket) == NULL);
	else
		CHECK(brink_socket_host(socket) != NULL && strcmp(brink_socket_host(socket), host) == 0);
	brink_socket_release(socket);
	RUN_UNTIL(stage->dials.loop, stage->seen.open);
	forget_it(stage);
}

/* Nobody is asked, nor a thread started. */
static void numbers_and_paths(enum kind kind)
{
	int listener = open_listener(kind, 8);
	struct brink_address address;
	struct stage stage;

	CHECK_OK(brink_address_of(listener, &address));
	open_stage(&stage, SPOTS(SPOT("127.0.0.1", ANSWERS)));
	CHECK(brink_address_format(&address, stage.dials.name, sizeof stage.dials.name) > 0);
	expect_host(&stage, kind == KIND_UNIX ? NULL : kind == KIND_TCP ? "127.0.0.1" : "::1");
	CHECK_EQ(names_asked(), 0);
	stage.options.name = NULL;
	stage.options.address = &address;
	expect_host(&stage, NULL);
	close_stage(&stage);
	close_fd(&listener);
}

/* ---- failing ---- */

static void why_it_failed(enum kind kind)
{
	struct stage stage;

	(void)kind;
	open_stage(&stage, SPOTS(SPOT("127.0.0.1", REFUSES), SPOT("127.0.0.2", REFUSES)));
	create(&stage);
	write_text(stage.id, "in vain");
	expect_closed(&stage, -ECONNREFUSED, "connect");
	CHECK_EQ(stage.seen.writes, 1);
	CHECK_ERROR(stage.seen.write_error, -ECONNREFUSED);
	stage.options.name = "nonesuch.test:80";
	create(&stage);
	expect_closed(&stage, -BRINK_ENONAME, "name lookup");
	script_addresses("held.test", "127.0.0.1");
	stage.options.name = "held.test:80";
	stage.options.connect_timeout = BRINK_MS(60);
	create(&stage);
	expect_closed(&stage, -ETIMEDOUT, "connect timeout");
	release_names();
	close_stage(&stage);
}

/* Also while others still refer to it. */
static void failed_meanwhile(enum kind kind)
{
	brink_socket *held;
	struct stage stage;

	(void)kind;
	open_stage(&stage, SPOTS(SPOT("127.0.0.1", HANGS), SPOT("127.0.0.2", HANGS)));
	stage.options.attempt_delay = BRINK_MS(10);
	for (unsigned i = 0; i < 4; i++) {
		create(&stage);
		if (i > 0)
			turn_for(stage.dials.loop, BRINK_MS(20) * i);
		held = brink_socket_address(stage.id);
		CHECK(held != NULL);
		CHECK_OK(brink_socket_fail(stage.id, -EINTR, "enough"));
		expect_closed(&stage, -EINTR, "enough");
		brink_socket_release(held);
	}
	create(&stage);
	turn_for(stage.dials.loop, BRINK_MS(40));
	stage.options.name = "held.test:80";
	create(&stage);
	turn(stage.dials.loop);
	brink_resolver_destroy(stage.dials.resolver);
	CHECK_OK(brink_loop_destroy(stage.dials.loop));
	CHECK_EQ(stage.seen.closes, 6);
	CHECK_ERROR(stage.seen.error, -ECANCELED);
	release_names();
	stage.dials.resolver = NULL;
	stage.dials.loop = new_loop();
	close_stage(&stage);
}

/* ---- coming back ---- */

/* Under the same id, and at another address than before. */
static void revived_where_it_has_moved(enum kind kind)
{
	struct stage stage;
	brink_socket *socket;
	int fd;

	(void)kind;
	open_stage(&stage, SPOTS(SPOT("127.0.0.1", ANSWERS), SPOT("127.0.0.2", ANSWERS)));
	script_addresses("spots.test", "127.0.0.1");
	stage.options.probe_interval = BRINK_MS(5);
	create(&stage);
	fd = accept_at(&stage, 0);
	script_error("spots.test", BRINK_ENAMEAGAIN);
	close_fd(&fd);
	RUN_UNTIL(stage.dials.loop, stage.seen.closes == 1 && names_asked() >= 3);
	CHECK_EQ(stage.seen.revives, 0);
	script_addresses("spots.test", "127.0.0.2");
	fd = accept_at(&stage, 1);
	CHECK_EQ(stage.seen.revives, 1);
	write_text(stage.id, "again");
	read_text(stage.dials.loop, fd, "again");
	socket = brink_socket_address(stage.id);
	CHECK(socket != NULL);
	CHECK(strcmp(brink_socket_host(socket), "spots.test") == 0);
	brink_socket_release(socket);
	close_fd(&fd);
	RUN_UNTIL(stage.dials.loop, stage.seen.closes == 2);
	brink_socket_abandon(stage.id);
	turn_for(stage.dials.loop, BRINK_MS(20));
	expect_nothing_open(&stage.dials);
	close_stage(&stage);
}

static int say_well(brink_socket *socket, void *arg)
{
	(void)socket;
	(void)arg;
	return 0;
}

/* With a probe of its own, the new life dials. */
static void revived_after_a_probe(enum kind kind)
{
	struct stage stage;
	int fd;

	(void)kind;
	open_stage(&stage, SPOTS(SPOT("127.0.0.1", REFUSES), SPOT("127.0.0.2", ANSWERS)));
	stage.options.probe_interval = BRINK_MS(5);
	stage.options.probe = say_well;
	create(&stage);
	fd = accept_at(&stage, 1);
	close_fd(&fd);
	RUN_UNTIL(stage.dials.loop, stage.seen.revives == 1);
	write_text(stage.id, "again");
	fd = accept_at(&stage, 1);
	read_text(stage.dials.loop, fd, "again");
	close_fd(&fd);
	forget_it(&stage);
	close_stage(&stage);
}

/* That a name was not found in time says nothing of the network of its addresses. */
static void slow_lookups_do_not_count(enum kind kind)
{
	struct stage stage;
	char name[64];

	(void)kind;
	open_stage(&stage, SPOTS(SPOT("127.0.0.1", HANGS)));
	script_addresses("held.test", "127.0.0.1");
	snprintf(name, sizeof name, "held.test%s", strchr(stage.dials.name, ':'));
	stage.options.name = name;
	stage.options.probe_interval = BRINK_MS(5);
	stage.options.probe = say_well;
	stage.options.connect_timeout = BRINK_MS(60);
	stage.options.unreachable_after = 2;
	create(&stage);
	for (unsigned life = 1; life <= 3; life++) {
		RUN_UNTIL(stage.dials.loop, stage.seen.closes == life);
		CHECK_ERROR(stage.seen.error, -ETIMEDOUT);
	}
	release_names();
	RUN_UNTIL(stage.dials.loop, stage.seen.error == -ENETUNREACH);
	CHECK(stage.seen.closes >= 5);
	brink_socket_abandon(stage.id);
	turn_for(stage.dials.loop, BRINK_MS(20));
	close_stage(&stage);
}

/* ---- what else has to do with it ---- */

static char host_seen[64];

static int open_noting(brink_socket *socket, int fd, int client, void *arg, void **state)
{
	CHECK(client);
	snprintf(host_seen, sizeof host_seen, "%s", brink_socket_host(socket));
	return brink_transport_plain()->open(socket, fd, client, arg, state);
}

static void known_to_the_transport(enum kind kind)
{
	struct brink_transport transport = *brink_transport_plain();
	struct stage stage;

	(void)kind;
	transport.open = open_noting;
	open_stage(&stage, SPOTS(SPOT("127.0.0.1", ANSWERS)));
	stage.options.transport = &transport;
	stage.options.resolver = stage.dials.resolver;
	create(&stage);
	RUN_UNTIL(stage.dials.loop, stage.seen.open);
	CHECK(strcmp(host_seen, "spots.test") == 0);
	forget_it(&stage);
	close_stage(&stage);
}

static void what_is_checked(enum kind kind)
{
	struct stage stage;
	struct brink_address address;
	brink_loop *other = new_loop();
	brink_client *client;
	struct brink_client_options options = {.loop = other};

	(void)kind;
	CHECK_OK(brink_address_parse(&address, "127.0.0.1:80"));
	open_stage(&stage, SPOTS(SPOT("127.0.0.1", ANSWERS)));
	stage.options.address = &address;
	CHECK_ERROR(brink_socket_create(&stage.id, stage.dials.loop, &stage.options), -EINVAL);
	stage.options.address = NULL;
	stage.options.name = "no port";
	CHECK_ERROR(brink_socket_create(&stage.id, stage.dials.loop, &stage.options), -EINVAL);
	stage.options.name = stage.dials.name;
	stage.options.attempt_delay = 1;
	CHECK_ERROR(brink_socket_create(&stage.id, stage.dials.loop, &stage.options), -EINVAL);
	stage.options.attempt_delay = 0;
	stage.options.resolver = stage.dials.resolver;
	CHECK_ERROR(brink_socket_create(&stage.id, other, &stage.options), -EINVAL);
	options.address = &address;
	options.name = "spots.test:80";
	CHECK_ERROR(brink_client_create(&client, &options), -EINVAL);
	options.address = NULL;
	options.socket.name = options.name;
	CHECK_ERROR(brink_client_create(&client, &options), -EINVAL);
	options.socket.name = options.name = NULL;
	CHECK_ERROR(brink_client_create(&client, &options), -EINVAL);
	/* A resolver that has ended refuses. */
	brink_resolver_destroy(stage.dials.resolver);
	stage.dials.resolver = NULL;
	CHECK_OK(brink_loop_destroy(other));
	close_stage(&stage);
}

static void ended_resolver(enum kind kind)
{
	struct stage stage;
	int fd;

	(void)kind;
	open_stage(&stage, SPOTS(SPOT("127.0.0.1", ANSWERS)));
	stage.options.resolver = stage.dials.resolver;
	stage.options.probe_interval = BRINK_MS(5);
	create(&stage);
	fd = accept_at(&stage, 0);
	brink_resolver_destroy(stage.dials.resolver);
	stage.dials.resolver = NULL;
	close_fd(&fd);
	RUN_UNTIL(stage.dials.loop, stage.seen.closes == 1);
	turn_for(stage.dials.loop, BRINK_MS(30));
	CHECK_EQ(stage.seen.revives, 0);
	CHECK_OK(brink_socket_abandon(stage.id));
	turn_for(stage.dials.loop, BRINK_MS(10));
	close_stage(&stage);
}

/* ---- many ---- */

#define CLIENTS 60u

/* One client's connections, on the loops of a group, which have a resolver each. */
static void clients_of_a_group(enum kind kind)
{
	struct stage stage;
	brink_client *client;
	brink_group *group;
	brink_socket *sockets[CLIENTS];
	int fds[CLIENTS];

	(void)kind;
	open_stage(&stage, SPOTS(SPOT("127.0.0.1", REFUSES), SPOT("127.0.0.2", ANSWERS)));
	CHECK_OK(brink_group_create(&group, &(struct brink_group_options){.loops = 3}));
	CHECK_OK(brink_client_create(&client, &(struct brink_client_options){.name = stage.dials.name, .group = group,
		.kind = BRINK_CLIENT_SHORT}));
	for (unsigned i = 0; i < CLIENTS; i++) {
		CHECK_OK(brink_client_take(client, &sockets[i]));
		CHECK_OK(brink_socket_write_bytes(sockets[i], "hello", 5));
	}
	for (unsigned i = 0; i < CLIENTS; i++) {
		char text[6] = "";

		fds[i] = accept_plain(stage.dials.spots[1].fd);
		read_exactly(fds[i], text, 5);
		CHECK(strcmp(text, "hello") == 0);
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		brink_client_give(client, sockets[i]);
	for (unsigned i = 0; i < CLIENTS; i++)
		close_fd(&fds[i]);
	brink_client_destroy(client);
	CHECK_OK(brink_group_destroy(group));
	close_stage(&stage);
}

static void without_memory(enum kind kind)
{
	struct stage stage;
	bool failed = true;

	(void)kind;
	scarce_memory();
	open_stage(&stage, SPOTS(SPOT("127.0.0.1", REFUSES), SPOT("127.0.0.2", ANSWERS)));
	for (unsigned k = 1; failed; k++) {
		unsigned closes = stage.seen.closes, opens = stage.seen.opens;
		int result;

		fail_allocation(k);
		result = brink_socket_create(&stage.id, stage.dials.loop, &stage.options);
		if (result == 0)
			RUN_UNTIL(stage.dials.loop, stage.seen.opens > opens || stage.seen.closes > closes);
		failed = allocation_failed();
		if (result < 0 || stage.seen.closes > closes) {
			CHECK(failed);
			CHECK_ERROR(result < 0 ? result : stage.seen.error, -ENOMEM);
		} else {
			forget_it(&stage);
		}
		expect_nothing_open(&stage.dials);
		CHECK(failed || k > 5);
	}
	close_stage(&stage);
}

static void without_descriptors(enum kind kind)
{
	struct stage stage;

	(void)kind;
	if (asks_cares())
		SKIP("c-ares has descriptors of its own");
	open_stage(&stage, SPOTS(SPOT("127.0.0.1", ANSWERS)));
	create(&stage);
	limit_descriptors(0);
	RUN_UNTIL(stage.dials.loop, stage.seen.closes == 1);
	unlimit_descriptors();
	CHECK_ERROR(stage.seen.error, -EMFILE);
	expect_nothing_open(&stage.dials);
	close_stage(&stage);
}

static const struct scenario scenarios[] = {
	SCENARIO("socket-name/connects-and-sends-what-waited", connects_and_sends_what_waited, KIND_NONE),
	SCENARIO("socket-name/numbers-and-paths", numbers_and_paths, KINDS_STREAM),
	SCENARIO("socket-name/why-it-failed", why_it_failed, KIND_NONE),
	SCENARIO("socket-name/failed-meanwhile", failed_meanwhile, KIND_NONE),
	SCENARIO("socket-name/revived-where-it-has-moved", revived_where_it_has_moved, KIND_NONE),
	SCENARIO("socket-name/revived-after-a-probe", revived_after_a_probe, KIND_NONE),
	SCENARIO("socket-name/slow-lookups-do-not-count", slow_lookups_do_not_count, KIND_NONE),
	SCENARIO("socket-name/known-to-the-transport", known_to_the_transport, KIND_NONE),
	SCENARIO("socket-name/what-is-checked", what_is_checked, KIND_NONE),
	SCENARIO("socket-name/ended-resolver", ended_resolver, KIND_NONE),
	SCENARIO("socket-name/clients-of-a-group", clients_of_a_group, KIND_NONE),
	SCENARIO("socket-name/without-memory", without_memory, KIND_NONE),
	SCENARIO("socket-name/without-descriptors", without_descriptors, KIND_NONE),
	NO_MORE_SCENARIOS,
};
const struct group socket_name_group = {"socket-name", scenarios};
