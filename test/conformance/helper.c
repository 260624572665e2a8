/* The helpers that do the system call and hand the ticket back by themselves: what a short
 * read may be taken for, and what the errors are. */
#include "groups.h"
#include "scene.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* The reader is satisfied with a short read and never sees EAGAIN. */
static void short_read_hands_back(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;
	char bytes[100];

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	feed(&pair, 5);
	for (int round = 0; round < 4; round++) {
		expect_event(loop, &reader, BRINK_READ, NOT_READ);
		CHECK_EQ(brink_watch_read(&reader.watch, bytes, sizeof bytes), 5);
		if (round % 2 == 0)
			expect_quiet(loop, &reader, BRINK_READ);
		feed(&pair, 5);
	}
	expect_event(loop, &reader, BRINK_READ, NOT_READ);
	expect_silence(loop);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

/* Of what is said to be TCP, and is, nothing has to be asked: all is as ever, and no matter who starts after it. */
static void said_to_be_tcp(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader, writer;
	char bytes[100];

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ | BRINK_TCP);
	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE);
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	for (int round = 0; round < 4; round++) {
		feed(&pair, 5);
		expect_event(loop, &reader, BRINK_READ, NOT_READ);
		CHECK_EQ(brink_watch_read(&reader.watch, bytes, sizeof bytes), 5);
		CHECK_ERROR(brink_watch_read(&reader.watch, bytes, sizeof bytes), -EAGAIN);
	}
	stop_probe(&reader);
	start_probe(loop, &reader, "reader again", pair.ours, BRINK_READ);
	feed_and_expect(loop, &pair, &reader, 1);
	stop_probe(&writer);
	close_probe(&reader, &pair.ours);
	expect_silence(loop);
	end_loop(loop, &pair);
}

static void short_readv_hands_back(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;
	char bytes[3][4];
	struct iovec parts[3] = {{bytes[0], 4}, {bytes[1], 4}, {bytes[2], 4}};

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	feed(&pair, 12); /* exactly what is asked for: this says nothing */
	expect_event(loop, &reader, BRINK_READ, NOT_READ);
	CHECK_EQ(brink_watch_readv(&reader.watch, parts, 3), 12);
	feed(&pair, 6);
	expect_silence(loop);
	CHECK_EQ(brink_watch_readv(&reader.watch, parts, 3), 6);
	expect_quiet(loop, &reader, BRINK_READ);
	feed_and_expect(loop, &pair, &reader, 1);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

/* After a short read the loop of the usual reader asks once more: whatever it is answered,
 * what came in between is not lost. */
static void data_after_the_short_read(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;
	char bytes[100];
	ssize_t n;
	size_t got = 0;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	feed_and_expect(loop, &pair, &reader, 5);
	CHECK_EQ(brink_watch_read(&reader.watch, bytes, sizeof bytes), 5);
	feed(&pair, 3);
	n = brink_watch_read(&reader.watch, bytes, sizeof bytes);
	CHECK(n == 3 || n == -EAGAIN);
	if (n == -EAGAIN) {
		expect_event(loop, &reader, BRINK_READ, NOT_READ);
		CHECK_EQ(read_to_end(&reader, &got), -EAGAIN);
		CHECK_EQ(got, 3);
	}
	discard_calls(&reader);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static void send_with_descriptor(int fd, const char *bytes, size_t size, int descriptor)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *first;

	memset(&control, 0, sizeof control);
	message.msg_control = &control;
	message.msg_controllen = sizeof control;
	first = CMSG_FIRSTHDR(&message);
	first->cmsg_level = SOL_SOCKET;
	first->cmsg_type = SCM_RIGHTS;
	first->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(first), &descriptor, sizeof descriptor);
	CHECK_EQ(sendmsg(fd, &message, 0), (ssize_t)size);
}

/* Kernels end a read where descriptors lie between the bytes: it is short, and not the end
 * of what is there. All of it must come with the one event. */
static void descriptors_between_the_bytes(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;
	size_t got = 0;

	write_all(pair.theirs, "abc", 3);
	send_with_descriptor(pair.theirs, "def", 3, STDIN_FILENO);
	write_all(pair.theirs, "ghi", 3);
	await(pair.ours, BRINK_READ);
	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	expect_event(loop, &reader, BRINK_READ, NOT_READ);
	CHECK_EQ(read_to_end(&reader, &got), -EAGAIN);
	CHECK_EQ(got, 9);
	expect_quiet(loop, &reader, BRINK_READ);
	feed_and_expect(loop, &pair, &reader, 2);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static void send_urgent(struct pair *pair)
{
	CHECK_EQ(send(pair->theirs, "!", 1, MSG_OOB), 1);
	write_all(pair->theirs, "def", 3);
	sleep_ms(1); /* FIONREAD stops at the mark: no way to see the rest arrive */
}

/* A read stops short at the urgent mark with more behind it. Before the event, after it, or
 * seen by the loop while nobody reads: every byte of the stream arrives, by events alone. */
static void urgent_byte_between_the_bytes(enum kind kind)
{
	for (int when = 0; when < 3; when++) {
		struct pair pair = open_pair(kind, BRINK_READ);
		brink_loop *loop = new_loop();
		struct probe reader;

		start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
		feed(&pair, 3);
		if (when == 0)
			send_urgent(&pair);
		expect_event(loop, &reader, BRINK_READ, NOT_READ);
		if (when > 0)
			send_urgent(&pair);
		if (when > 1)
			expect_silence(loop);
		reader.act = act_drain; /* from now on, it reads when it is called */
		CHECK_EQ(read_to_end(&reader, &reader.bytes), -EAGAIN);
		RUN_UNTIL(loop, reader.bytes == 6);
		discard_calls(&reader);
		expect_silence(loop);
		stop_probe(&reader);
		end_loop(loop, &pair);
	}
}

/* With the end known, a short read is not the last word: the next read says 0. */
static void short_read_with_the_end(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;
	char bytes[100];

	feed(&pair, 5);
	shut_theirs(&pair);
	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	expect_event(loop, &reader, BRINK_READ | BRINK_EOF, BRINK_WRITE | BRINK_ERROR);
	CHECK_EQ(brink_watch_read(&reader.watch, bytes, sizeof bytes), 5);
	CHECK_EQ(brink_watch_read(&reader.watch, bytes, sizeof bytes), 0);
	expect_silence(loop);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

/* The end comes when the event is out already, seen by the loop or not: the reader learns of
 * it by its next read or by the next event. */
static void end_before_the_short_read(enum kind kind)
{
	for (int seen = 0; seen < 2; seen++) {
		struct pair pair = open_pair(kind, BRINK_READ);
		brink_loop *loop = new_loop();
		struct probe reader;
		char bytes[100];
		ssize_t n;

		start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
		feed_and_expect(loop, &pair, &reader, 5);
		shut_theirs(&pair);
		if (seen)
			expect_silence(loop);
		CHECK_EQ(brink_watch_read(&reader.watch, bytes, sizeof bytes), 5);
		n = brink_watch_read(&reader.watch, bytes, sizeof bytes);
		measure(seen ? "read after a short read, the end seen by the loop"
		             : "read after a short read, the end not seen by the loop",
		        n == 0 ? "end" : "EAGAIN, then an event");
		if (n != 0) {
			CHECK_ERROR(n, -EAGAIN);
			expect_event(loop, &reader, BRINK_READ | BRINK_EOF, BRINK_WRITE | BRINK_ERROR);
			CHECK_EQ(brink_watch_read(&reader.watch, bytes, sizeof bytes), 0);
		}
		expect_silence(loop);
		stop_probe(&reader);
		end_loop(loop, &pair);
	}
}

static void writev_hands_back(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe writer;
	static char bytes[4096];
	struct iovec parts[2] = {{bytes, 1000}, {bytes, 96}};
	ssize_t n;

	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE);
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	CHECK_EQ(brink_watch_writev(&writer.watch, parts, 2), 1096);
	expect_silence(loop); /* it was taken: no word about the next */
	fill(pair.ours);
	while ((n = brink_watch_writev(&writer.watch, parts, 2)) > 0)
		;
	CHECK_ERROR(n, -EAGAIN);
	expect_quiet(loop, &writer, BRINK_WRITE);
	drain_for_room(&pair);
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	stop_probe(&writer);
	end_loop(loop, &pair);
}

/* SIGPIPE has its default action here: one would end the process. */
static void no_signal_when_the_peer_is_gone(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe writer;
	struct iovec part = {(void *)(uintptr_t)"x", 1};
	uint64_t end = hang_deadline();
	ssize_t n;

	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE);
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	close_theirs(&pair);
	while ((n = brink_watch_write(&writer.watch, "x", 1)) >= 0) { /* the first may go out */
		if (monotonic_now() > end)
			FAIL("writing to nobody goes on for ever");
		sleep_ms(1);
	}
	CHECK(n == -EPIPE || n == -ECONNRESET);
	CHECK_ERROR(brink_watch_writev(&writer.watch, &part, 1), -EPIPE);
	CHECK_ERROR(brink_watch_write(&writer.watch, "x", 1), -EPIPE);
	stop_probe(&writer);
	end_loop(loop, &pair);
}

/* Some kernels say EPIPE and keep what happened in SO_ERROR: the write tells that. */
static void write_after_a_reset_tells_the_reset(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe writer;

	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE);
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	reset_theirs(&pair);
	CHECK_ERROR(brink_watch_write(&writer.watch, "x", 1), -ECONNRESET);
	CHECK_ERROR(brink_watch_write(&writer.watch, "x", 1), -EPIPE); /* it is told once */
	stop_probe(&writer);
	end_loop(loop, &pair);
}

static void not_started(enum kind kind)
{
	struct probe probe;
	char byte = 0;
	struct iovec part = {&byte, 1};

	(void)kind;
	init_probe(&probe, "probe", NULL);
	CHECK_ERROR(brink_watch_read(&probe.watch, &byte, 1), -ENOENT);
	CHECK_ERROR(brink_watch_readv(&probe.watch, &part, 1), -ENOENT);
	CHECK_ERROR(brink_watch_write(&probe.watch, &byte, 1), -ENOENT);
	CHECK_ERROR(brink_watch_writev(&probe.watch, &part, 1), -ENOENT);
	CHECK_ERROR(brink_watch_accept(&probe.watch, NULL, NULL), -ENOENT);
	CHECK_ERROR(brink_watch_rearm(&probe.watch, BRINK_READ), -ENOENT);
	CHECK_ERROR(brink_watch_again(&probe.watch, BRINK_READ), -ENOENT);
}

static void wrong_directions(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader, writer;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	CHECK_ERROR(brink_watch_rearm(&reader.watch, 0), -EINVAL);
	CHECK_ERROR(brink_watch_rearm(&reader.watch, BRINK_READ | 64u), -EINVAL);
	CHECK_ERROR(brink_watch_rearm(&reader.watch, BRINK_LEVEL), -EINVAL);
	CHECK_ERROR(brink_watch_again(&reader.watch, 0), -EINVAL);
	CHECK_ERROR(brink_watch_again(&reader.watch, BRINK_EOF), -EINVAL);
	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE);
	CHECK_ERROR(brink_watch_rearm(&reader.watch, BRINK_WRITE), -EEXIST); /* the other's */
	CHECK_ERROR(brink_watch_again(&reader.watch, BRINK_WRITE), -EEXIST);
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	expect_silence(loop);
	stop_probe(&reader);
	stop_probe(&writer);
	end_loop(loop, &pair);
}

static const struct scenario scenarios[] = {
	SCENARIO("helper/short-read-hands-back", short_read_hands_back, KINDS_TCP, .promises = {16, 3}),
	SCENARIO("helper/said-to-be-tcp", said_to_be_tcp, KIND_TCP | KIND_TCP6, .promises = {3, 16}),
	SCENARIO("helper/short-readv-hands-back", short_readv_hands_back, KINDS_TCP, .promises = {16, 3}),
	SCENARIO("helper/data-after-the-short-read", data_after_the_short_read, KINDS_ALL, .promises = {16}),
	SCENARIO("helper/descriptors-between-the-bytes", descriptors_between_the_bytes, KIND_UNIX,
	         .promises = {16}),
	SCENARIO("helper/urgent-byte-between-the-bytes", urgent_byte_between_the_bytes, KINDS_TCP,
	         .promises = {16}),
	SCENARIO("helper/short-read-with-the-end", short_read_with_the_end, KINDS_ALL, .promises = {16, 4}),
	SCENARIO("helper/end-before-the-short-read", end_before_the_short_read, KINDS_ALL, .promises = {16, 4},
	         .flags = TRACE_FREE),
	SCENARIO("helper/writev-hands-back", writev_hands_back, KINDS_ALL, .promises = {16}),
	SCENARIO("helper/no-signal-when-the-peer-is-gone", no_signal_when_the_peer_is_gone, KINDS_ALL,
	         .promises = {16}),
	SCENARIO("helper/write-after-a-reset-tells-the-reset", write_after_a_reset_tells_the_reset, KINDS_TCP,
	         .promises = {16, 4}),
	SCENARIO("helper/not-started", not_started, 0, .promises = {14}),
	SCENARIO("helper/wrong-directions", wrong_directions, KINDS_STREAM, .promises = {14}),
	NO_MORE_SCENARIOS,
};

const struct group helper_group = {"helper", scenarios};
