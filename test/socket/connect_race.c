/* The deadline of a connect against its completion: one of them wins, and the other is not
 * heard of. */
#include "client_stage.h"
#include "groups.h"

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A transport whose handshake waits for one byte of the peer's, so that the connection is
 * complete when the peer wants it to be. */
static int shake(void *state, int fd, unsigned *waits)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, 0);

	(void)state;
	*waits = BRINK_READ;
	return got > 0 ? 0 : got == 0 ? -ECONNRESET : -errno;
}

static ssize_t read_some(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	ssize_t got = readv(fd, parts, count);

	(void)state;
	*waits = BRINK_READ;
	return got < 0 ? -errno : got;
}

static ssize_t write_some(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts};
	ssize_t put;

	(void)state;
	message.msg_iovlen = (__typeof__(message.msg_iovlen))count;
	put = sendmsg(fd, &message, 0);
	*waits = BRINK_WRITE;
	return put < 0 ? -errno : put;
}

static const struct brink_transport byte_first = {
	.name = "byte first", .handshake = shake, .readv = read_some, .writev = write_some,
};

struct greeter {
	int listener;
	unsigned rounds;
	atomic_uint delay; /* microseconds, of the next */
};

static void *greet(void *arg)
{
	struct greeter *greeter = arg;

	for (unsigned i = 0; i < greeter->rounds; i++) {
		int fd = accept_plain(greeter->listener);

		usleep(atomic_load(&greeter->delay));
		(void)!send(fd, "!", 1, MSG_NOSIGNAL);
		close_fd(&fd);
	}
	return NULL;
}

static void one_winner(enum kind kind)
{
	struct client_stage stage;
	struct greeter greeter = {.rounds = is_slow() ? 40 : 200};
	unsigned in_time = 0, late = 0;
	pthread_t thread;

	open_client_stage(&stage, kind);
	start_server(&stage.server, 512); /* those that were too late lie there */
	stage.options.transport = &byte_first;
	greeter.listener = stage.server.listener;
	CHECK_EQ(pthread_create(&thread, NULL, greet, &greeter), 0);
	for (unsigned i = 1; i <= greeter.rounds; i++) {
		unsigned opens = stage.seen.opens;

		atomic_store(&greeter.delay, random_below(4000));
		stage.options.connect_timeout = BRINK_MS(2);
		create_client(&stage);
		RUN_UNTIL(stage.loop, stage.seen.closes == i);
		if (stage.seen.opens == opens) {
			CHECK(stage.seen.error == -ETIMEDOUT);
			late++;
		} else {
			CHECK(stage.seen.error == 0);
			CHECK_EQ(stage.seen.opens, opens + 1);
			in_time++;
		}
	}
	CHECK_EQ(in_time + late, greeter.rounds);
	measure("in time", "%u of %u", in_time, greeter.rounds);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	close_client_stage(&stage);
}

/* Whatever the deadline, and whether or not it was over when the loop came to look. */
static void any_deadline(enum kind kind)
{
	struct client_stage stage;
	int fd, rounds = is_slow() ? 100 : 1000;

	open_client_stage(&stage, kind);
	start_server(&stage.server, 16);
	for (int i = 1; i <= rounds; i++) {
		unsigned opens = stage.seen.opens;

		stage.options.connect_timeout = 1 + random_below(200000);
		create_client(&stage);
		RUN_UNTIL(stage.loop, stage.seen.opens > opens || stage.seen.closes == (unsigned)i);
		brink_socket_fail(stage.id, 0, NULL);
		RUN_UNTIL(stage.loop, stage.seen.closes == (unsigned)i);
		CHECK(stage.seen.opens > opens ? stage.seen.error == 0 : stage.seen.error == -ETIMEDOUT);
		while ((fd = accept(stage.server.listener, NULL, NULL)) >= 0)
			close_fd(&fd);
	}
	close_client_stage(&stage);
}

/* A loop that was held up hears first of what came in time. */
static void held_up(enum kind kind)
{
	struct client_stage stage;
	int fd;

	open_client_stage(&stage, kind);
	start_server(&stage.server, 16);
	stage.options.transport = &byte_first;
	stage.options.connect_timeout = BRINK_MS(20);
	create_client(&stage);
	fd = accept_plain(stage.server.listener);
	turn(stage.loop);
	write_all(fd, "!", 1);
	sleep_ms(40);
	RUN_UNTIL(stage.loop, stage.seen.opens + stage.seen.closes > 0);
	/* Only where the turn itself was not held up until the deadline. */
	CHECK(stage.seen.opens == 1 || stage.seen.error == -ETIMEDOUT);
	close_fd(&fd);
	close_client_stage(&stage);
}

static const struct scenario scenarios[] = {
	SCENARIO("race/one-winner", one_winner, KINDS_STREAM, .flags = TRACE_FREE),
	SCENARIO("race/any-deadline", any_deadline, KINDS_STREAM, .flags = TRACE_FREE),
	SCENARIO("race/held-up", held_up, KINDS_STREAM, .flags = TRACE_FREE),
	NO_MORE_SCENARIOS,
};
const struct group connect_race_group = {"race", scenarios};
