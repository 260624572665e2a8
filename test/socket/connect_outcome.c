/* How a connect ends: connected, refused, too late; and what becomes of what was written
 * before. */

#include "client_stage.h"
#include "groups.h"
#include "scarce.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/socket.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif
#include <unistd.h>

static void connects(enum kind kind)
{
	struct client_stage stage;
	struct brink_address peer;
	brink_socket *socket;
	int fd;

	open_client_stage(&stage, kind);
	start_server(&stage.server, 8);
	create_client(&stage);
	fd = accept_client(&stage);
	CHECK_EQ(stage.seen.opens, 1);
	socket = brink_socket_address(stage.id);
	CHECK(socket != NULL);
	CHECK_OK(brink_socket_peer(socket, &peer));
	CHECK(brink_address_equal(&peer, &stage.server.address));
	brink_socket_release(socket);
	write_text(stage.id, "over");
	read_text(stage.loop, fd, "over");
	write_all(fd, "back", 4);
	RUN_UNTIL(stage.loop, stage.seen.size == 4);
	CHECK(strcmp(stage.seen.bytes, "back") == 0);
	close_fd(&fd);
	RUN_UNTIL(stage.loop, stage.seen.closes == 1);
	CHECK_EQ(stage.seen.ends, 1);
	CHECK_EQ(stage.seen.error, 0);
	close_client_stage(&stage);
}

/* What was written before ends with the reason. */
static void refused(enum kind kind)
{
	struct client_stage stage;
	brink_socket *socket;
	int early;

	open_client_stage(&stage, kind);
	create_client(&stage);
	socket = brink_socket_address(stage.id);
	/* One that was refused at once does not resolve any more. */
	early = socket != NULL ? brink_socket_write_bytes(socket, "in vain", 7) : -ENOENT;
	if (socket != NULL)
		brink_socket_release(socket);
	RUN_UNTIL(stage.loop, stage.seen.closes == 1);
	CHECK_ERROR(stage.seen.error, kind == KIND_UNIX ? -ENOENT : -ECONNREFUSED);
	CHECK(strcmp(stage.seen.text, "connect") == 0);
	CHECK_EQ(stage.seen.opens, 0);
	CHECK_EQ(stage.seen.writes, early == 0);
	CHECK(early < 0 || stage.seen.write_error == stage.seen.error);
	close_client_stage(&stage);
}

static void unreachable_address(enum kind kind)
{
	struct client_stage stage;
	struct brink_address broadcast;

	(void)kind;
	open_client_stage(&stage, KIND_TCP);
	/* No stream leads there: kernels say so at once, in different words. */
	CHECK_OK(brink_address_parse(&broadcast, "255.255.255.255:9"));
	stage.options.address = &broadcast;
	create_client(&stage);
	RUN_UNTIL(stage.loop, stage.seen.closes == 1);
	CHECK(stage.seen.error < 0);
	CHECK_EQ(stage.seen.opens, 0);
	close_client_stage(&stage);
}

static void times_out(enum kind kind)
{
	struct client_stage stage;
	struct crowd crowd;
	uint64_t start;

	open_client_stage(&stage, kind);
	start_server(&stage.server, 0);
	crowd_server(&stage.server, &crowd);
	stage.options.connect_timeout = BRINK_MS(60);
	start = monotonic_now();
	create_client(&stage);
	write_text(stage.id, "in vain");
	RUN_UNTIL(stage.loop, stage.seen.closes == 1);
	CHECK(monotonic_now() - start >= BRINK_MS(60));
	CHECK_ERROR(stage.seen.error, -ETIMEDOUT);
	CHECK(strcmp(stage.seen.text, "connect timeout") == 0);
	CHECK_EQ(stage.seen.writes, 1);
	CHECK_ERROR(stage.seen.write_error, -ETIMEDOUT);
	disperse(&crowd);
	close_client_stage(&stage);
}

/* It goes on as soon as the listener has room again. */
static void waits_for_room(enum kind kind)
{
	struct client_stage stage;
	struct crowd crowd;
	unsigned taken;
	int fds[64];

	open_client_stage(&stage, kind);
	start_server(&stage.server, 0);
	crowd_server(&stage.server, &crowd);
	create_client(&stage);
	write_text(stage.id, "late");
	turn_for(stage.loop, BRINK_MS(30));
	CHECK_EQ(stage.seen.opens, 0);
	for (taken = 0; taken < 64 && stage.seen.opens == 0; taken += fds[taken] >= 0) {
		fds[taken] = accept(stage.server.listener, NULL, NULL);
		turn(stage.loop);
	}
	RUN_UNTIL(stage.loop, stage.seen.opens == 1 && stage.seen.writes == 1);
	CHECK_EQ(stage.seen.write_error, 0);
	while (taken > 0)
		if (fds[--taken] >= 0)
			close_fd(&fds[taken]);
	disperse(&crowd);
	close_client_stage(&stage);
}

#define EARLY_WRITES 50

static void early_writes_in_order(enum kind kind)
{
	struct client_stage stage;
	char expected[EARLY_WRITES + 1] = "", piece[2] = "";
	int fd;

	open_client_stage(&stage, kind);
	start_server(&stage.server, 8);
	create_client(&stage);
	for (int i = 0; i < EARLY_WRITES; i++) {
		piece[0] = expected[i] = (char)('!' + i);
		write_text(stage.id, piece);
	}
	CHECK_EQ(stage.seen.writes, 0);
	fd = accept_client(&stage);
	read_text(stage.loop, fd, expected);
	RUN_UNTIL(stage.loop, stage.seen.writes == EARLY_WRITES);
	CHECK_EQ(stage.seen.write_error, 0);
	close_fd(&fd);
	close_client_stage(&stage);
}

/* Failed by its id while it connects, or abandoned, or its loop ends: one on_close. */
static void failed_meanwhile(enum kind kind)
{
	struct client_stage stage;
	struct crowd crowd;

	open_client_stage(&stage, kind);
	start_server(&stage.server, 0);
	crowd_server(&stage.server, &crowd);
	create_client(&stage);
	turn(stage.loop);
	CHECK_OK(brink_socket_fail(stage.id, -EINTR, "enough"));
	CHECK_ERROR(brink_socket_fail(stage.id, -EINTR, "enough"), -ENOENT);
	RUN_UNTIL(stage.loop, stage.seen.closes == 1);
	CHECK_ERROR(stage.seen.error, -EINTR);
	CHECK(strcmp(stage.seen.text, "enough") == 0);
	create_client(&stage);
	turn(stage.loop);
	brink_loop_destroy(stage.loop);
	CHECK_EQ(stage.seen.closes, 2);
	CHECK_EQ(stage.seen.opens, 0);
	disperse(&crowd);
	close_server(&stage.server);
}

/* ---- to itself ---- */

static bool given_the_same; /* the next connection gets the port that it goes to, as one on this machine may */

typedef int connect_fn(int, const struct sockaddr *, socklen_t);

/* In a static program dlsym() finds nothing. */
static int connect_by_number(int fd, const struct sockaddr *address, socklen_t length)
{
#ifdef __linux__
	return (int)syscall(SYS_connect, fd, address, length);
#else
	(void)fd;
	(void)address;
	(void)length;
	SKIP("a static program cannot call the system's connect() behind its own");
#endif
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
	connect_fn *system;
	int on = 1;

	*(void **)&system = dlsym(RTLD_NEXT, "connect");
	if (system == NULL)
		system = connect_by_number;
	if (given_the_same) {
		given_the_same = false;
		SYSCALL(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on));
		SYSCALL(bind(fd, address, length));
	}
	return system(fd, address, length);
}

/* The stage's server, which is not started, keeps the port from all others. */
static void never_to_itself(enum kind kind)
{
	struct client_stage stage;

	open_client_stage(&stage, kind);
	given_the_same = true;
	create_client(&stage);
	RUN_UNTIL(stage.loop, stage.seen.closes == 1);
	CHECK_EQ(stage.seen.opens, 0);
	CHECK_ERROR(stage.seen.error, -ECONNREFUSED);
	close_client_stage(&stage);
	if (given_the_same)
		SKIP("this system's libraries do not call the program's connect()");
}

static void without_memory(enum kind kind)
{
	struct client_stage stage;
	unsigned k = 0;
	bool failed;
	long before;

	scarce_memory();
	open_client_stage(&stage, kind);
	start_server(&stage.server, 128);
	do {
		unsigned closes = stage.seen.closes, opens = stage.seen.opens;
		int result, fd;

		before = blocks_live();
		fail_allocation(++k);
		result = brink_socket_create(&stage.id, stage.loop, &stage.options);
		if (result == 0)
			RUN_UNTIL(stage.loop, stage.seen.opens > opens || stage.seen.closes > closes);
		failed = allocation_failed();
		CHECK(result == 0 || (result == -ENOMEM && failed));
		if (result == 0 && stage.seen.closes == closes) {
			brink_socket_fail(stage.id, 0, NULL);
			RUN_UNTIL(stage.loop, stage.seen.closes > closes);
		}
		turn(stage.loop);
		while ((fd = accept(stage.server.listener, NULL, NULL)) >= 0)
			close_fd(&fd);
		/* Pages of slots, and tables of watches, stay. */
		CHECK(k > 1 || blocks_live() >= before);
	} while (failed);
	CHECK(k > 1);
	before = blocks_live();
	brink_loop_destroy(stage.loop);
	CHECK(blocks_live() < before);
	close_server(&stage.server);
}

static const struct scenario scenarios[] = {
	SCENARIO("connect/connects", connects, KINDS_STREAM),
	SCENARIO("connect/refused", refused, KINDS_STREAM),
	SCENARIO("connect/unreachable-address", unreachable_address, KIND_NONE),
	SCENARIO("connect/times-out", times_out, KINDS_STREAM),
	SCENARIO("connect/waits-for-room", waits_for_room, KINDS_STREAM),
	SCENARIO("connect/early-writes-in-order", early_writes_in_order, KINDS_STREAM),
	SCENARIO("connect/failed-meanwhile", failed_meanwhile, KINDS_STREAM),
	SCENARIO("connect/never-to-itself", never_to_itself, KINDS_TCP),
	SCENARIO("connect/without-memory", without_memory, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group connect_outcome_group = {"connect", scenarios};
