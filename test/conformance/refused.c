/* What starting, stopping and the rest refuse. */
#include "groups.h"
#include "removal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

static void not_started(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe probe;
	struct iovec part = {.iov_base = (char[1]){0}, .iov_len = 1};

	init_probe(&probe, "never started", NULL);
	probe.watch.fd = pair.ours;
	for (int round = 0; round < 2; round++) {
		CHECK_EQ(brink_watch_active(&probe.watch), 0);
		CHECK_ERROR(brink_watch_stop(&probe.watch), -ENOENT);
		CHECK_ERROR(brink_watch_close(&probe.watch), -ENOENT);
		CHECK(is_open(pair.ours));
		CHECK_ERROR(brink_watch_set(&probe.watch, BRINK_READ), -ENOENT);
		CHECK_ERROR(brink_watch_rearm(&probe.watch, BRINK_READ), -ENOENT);
		CHECK_ERROR(brink_watch_again(&probe.watch, BRINK_READ), -ENOENT);
		CHECK_ERROR(brink_watch_read(&probe.watch, part.iov_base, 1), -ENOENT);
		CHECK_ERROR(brink_watch_readv(&probe.watch, &part, 1), -ENOENT);
		CHECK_ERROR(brink_watch_write(&probe.watch, part.iov_base, 1), -ENOENT);
		CHECK_ERROR(brink_watch_writev(&probe.watch, &part, 1), -ENOENT);
		CHECK_ERROR(brink_watch_accept(&probe.watch, NULL, NULL), -ENOENT);
		CHECK_OK(brink_watch_start(loop, &probe.watch, pair.ours, BRINK_READ));
		stop_probe(&probe);
	}
	expect_silence(loop);
	end_loop(loop, &pair);
}

static void started_twice(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ), other = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe first, second;

	start_probe(loop, &first, "first", pair.ours, BRINK_READ);
	init_probe(&second, "second", NULL);
	CHECK_ERROR(brink_watch_start(loop, &first.watch, pair.ours, BRINK_READ), -EEXIST);
	CHECK_ERROR(brink_watch_start(loop, &first.watch, other.ours, BRINK_READ), -EEXIST);
	CHECK_ERROR(brink_watch_start(loop, &second.watch, pair.ours, BRINK_READ), -EEXIST);
	CHECK_EQ(brink_watch_active(&second.watch), 0);
	CHECK_ERROR(brink_watch_stop(&second.watch), -ENOENT);
	CHECK_EQ(first.watch.fd, pair.ours);
	feed(&pair, 1);
	feed_and_expect(loop, &other, &first, 1);
	expect_silence(loop);
	CHECK_ERROR(brink_watch_start(loop, &second.watch, pair.ours, BRINK_READ | BRINK_LEVEL), -EINVAL);
	stop_probe(&first);
	CHECK_OK(brink_watch_start(loop, &second.watch, pair.ours, BRINK_READ));
	expect_event(loop, &second, BRINK_READ, NOT_READ);
	stop_probe(&second);
	end_loop(loop, &pair);
	close_pair(&other);
}

/* What fails for one direction takes nothing of the other. */
static void direction_taken(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader, writer;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	init_probe(&writer, "writer", NULL);
	CHECK_ERROR(brink_watch_start(loop, &writer.watch, pair.ours, DIRECTIONS), -EEXIST);
	expect_silence(loop);
	CHECK_OK(brink_watch_start(loop, &writer.watch, pair.ours, BRINK_WRITE));
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	CHECK_ERROR(brink_watch_rearm(&reader.watch, BRINK_WRITE), -EEXIST);
	CHECK_ERROR(brink_watch_again(&reader.watch, DIRECTIONS), -EEXIST);
	CHECK_ERROR(brink_watch_rearm(&writer.watch, BRINK_READ), -EEXIST);
	expect_silence(loop);
	feed_and_expect(loop, &pair, &reader, 1);
	stop_probe(&writer);
	stop_probe(&reader);
	expect_silence(loop);
	end_loop(loop, &pair);
}

static const unsigned all_interests[] = {
	BRINK_READ, BRINK_WRITE, DIRECTIONS, BRINK_READ | BRINK_LEVEL, DIRECTIONS | BRINK_LEVEL,
};
#define INTERESTS (sizeof all_interests / sizeof all_interests[0])

static void expect_refused(brink_loop *loop, int fd, int error)
{
	struct probe probe;

	init_probe(&probe, "refused", NULL);
	for (size_t i = 0; i < INTERESTS; i++) {
		CHECK_ERROR(brink_watch_start(loop, &probe.watch, fd, all_interests[i]), error);
		CHECK_EQ(brink_watch_active(&probe.watch), 0);
	}
}

static void bad_descriptors(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe probe;
	int number = pair.ours;

	close_pair(&pair);
	expect_refused(loop, number, -EBADF);
	expect_refused(loop, -1, -EBADF);
	expect_refused(loop, -100, -EBADF);
	expect_refused(loop, 1 << 30, -EBADF);
	/* None of them keeps the loop running, and the number can be watched when it is open. */
	CHECK_EQ(brink_loop_run(loop), 0);
	pair = open_pair(kind, BRINK_READ);
	feed(&pair, 1);
	start_probe(loop, &probe, "reader", pair.ours, BRINK_READ);
	expect_event(loop, &probe, BRINK_READ, NOT_READ);
	stop_probe(&probe);
	end_loop(loop, &pair);
}

static void wrong_end_of_a_pipe(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe probe;

	init_probe(&probe, "pipe", NULL);
	CHECK_ERROR(brink_watch_start(loop, &probe.watch, pair.ours, BRINK_WRITE), -EBADF);
	CHECK_ERROR(brink_watch_start(loop, &probe.watch, pair.ours, DIRECTIONS), -EBADF);
	CHECK_ERROR(brink_watch_start(loop, &probe.watch, pair.theirs, BRINK_READ), -EBADF);
	CHECK_ERROR(brink_watch_start(loop, &probe.watch, pair.theirs, DIRECTIONS | BRINK_LEVEL), -EBADF);
	expect_silence(loop);
	CHECK_OK(brink_watch_start(loop, &probe.watch, pair.theirs, BRINK_WRITE));
	expect_event(loop, &probe, BRINK_WRITE, NOT_WRITE);
	stop_probe(&probe);
	CHECK_OK(brink_watch_start(loop, &probe.watch, pair.ours, BRINK_READ));
	expect_silence(loop);
	stop_probe(&probe);
	end_loop(loop, &pair);
}

static void always_ready_files(enum kind kind)
{
	brink_loop *loop = new_loop();
	char name[] = "/tmp/brink-conformance.XXXXXX";
	int file = mkstemp(name), directory = open("/", O_RDONLY | O_CLOEXEC);

	(void)kind;
	SYSCALL(file);
	SYSCALL(directory);
	SYSCALL(unlink(name));
	expect_refused(loop, file, -EPERM);
	expect_refused(loop, directory, -EPERM);
	expect_silence(loop);
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_OK(brink_loop_destroy(loop));
	close_fd(&file);
	close_fd(&directory);
}

static void senseless_arguments(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe probe;

	init_probe(&probe, "reader", NULL);
	CHECK_ERROR(brink_watch_start(loop, &probe.watch, pair.ours, 0), -EINVAL);
	CHECK_ERROR(brink_watch_start(loop, &probe.watch, pair.ours, BRINK_READ | BRINK_EOF), -EINVAL);
	CHECK_ERROR(brink_watch_start(loop, &probe.watch, pair.ours, BRINK_ERROR), -EINVAL);
	CHECK_ERROR(brink_watch_start(loop, &probe.watch, pair.ours, BRINK_READ | 0x100u), -EINVAL);
	probe.watch.call = NULL;
	CHECK_ERROR(brink_watch_start(loop, &probe.watch, pair.ours, BRINK_READ), -EINVAL);
	start_probe(loop, &probe, "reader", pair.ours, BRINK_READ);
	CHECK_ERROR(brink_watch_rearm(&probe.watch, 0), -EINVAL);
	CHECK_ERROR(brink_watch_rearm(&probe.watch, BRINK_READ | BRINK_EOF), -EINVAL);
	CHECK_ERROR(brink_watch_again(&probe.watch, 0), -EINVAL);
	CHECK_ERROR(brink_watch_again(&probe.watch, BRINK_READ | BRINK_LEVEL), -EINVAL);
	CHECK_ERROR(brink_watch_set(&probe.watch, BRINK_READ), -EINVAL);
	expect_silence(loop);
	feed_and_expect(loop, &pair, &probe, 1);
	stop_probe(&probe);
	CHECK_OK(brink_watch_start(loop, &probe.watch, pair.ours, BRINK_LEVEL));
	CHECK_ERROR(brink_watch_set(&probe.watch, BRINK_ERROR), -EINVAL);
	CHECK_ERROR(brink_watch_rearm(&probe.watch, BRINK_READ), -EINVAL);
	CHECK_ERROR(brink_watch_again(&probe.watch, BRINK_READ), -EINVAL);
	expect_silence(loop);
	stop_probe(&probe);
	end_loop(loop, &pair);
}

static const struct scenario scenarios[] = {
	SCENARIO("removal/not-started", not_started, KINDS_ALL, .promises = {14}),
	SCENARIO("removal/started-twice", started_twice, KINDS_ALL, .promises = {14}),
	SCENARIO("removal/direction-taken", direction_taken, KINDS_STREAM, .promises = {5, 14}),
	SCENARIO("removal/bad-descriptors", bad_descriptors, KINDS_ALL, .promises = {12, 14}),
	SCENARIO("removal/wrong-end-of-a-pipe", wrong_end_of_a_pipe, KIND_PIPE, .promises = {14}),
	SCENARIO("removal/always-ready-files", always_ready_files, KIND_NONE, .promises = {12, 14}),
	SCENARIO("removal/senseless-arguments", senseless_arguments, KINDS_ALL, .promises = {14}),
	NO_MORE_SCENARIOS,
};

const struct group refused_group = {"refused", scenarios};
