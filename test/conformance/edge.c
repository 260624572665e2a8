/* What an edge is: ready at the start, silence while nothing is done about it, and the
 * next event when something was. */
#include "groups.h"
#include "scene.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOTHING_ELSE (BRINK_EOF | BRINK_ERROR)

static void readable_when_started(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	feed(&pair, 5);
	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	CHECK_EQ(reader.calls, 0); /* by the loop's turn only */
	expect_event(loop, &reader, BRINK_READ, NOT_READ);
	expect_silence(loop);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static void writable_when_started(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe writer;

	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE);
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	expect_silence(loop);
	stop_probe(&writer);
	end_loop(loop, &pair);
}

static void idle_when_started(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	expect_silence(loop);
	feed_and_expect(loop, &pair, &reader, 1);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static void only_what_was_asked(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe writer;

	feed(&pair, 5); /* nobody asked */
	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE);
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	feed(&pair, 5);
	expect_silence(loop);
	stop_probe(&writer);
	end_loop(loop, &pair);
}

static void fresh_stream_writable_once(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe both;

	start_probe(loop, &both, "both", pair.ours, BRINK_READ | BRINK_WRITE);
	expect_event(loop, &both, BRINK_WRITE, NOT_WRITE);
	expect_silence(loop);
	stop_probe(&both);
	end_loop(loop, &pair);
}

static void unread_is_silent(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	expect_silence(loop);
	feed_and_expect(loop, &pair, &reader, 3);
	expect_silence(loop);
	expect_silence(loop);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static void partial_read_is_silent(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;
	char bytes[4];
	size_t rest = 0;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	feed_and_expect(loop, &pair, &reader, 10);
	CHECK_EQ(brink_watch_read(&reader.watch, bytes, sizeof bytes), 4); /* all that was asked for */
	expect_silence(loop);
	feed(&pair, 2);
	expect_silence(loop);
	CHECK_EQ(read_to_end(&reader, &rest), -EAGAIN);
	CHECK_EQ(rest, 8);
	expect_quiet(loop, &reader, BRINK_READ);
	feed_and_expect(loop, &pair, &reader, 1);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static void drained_then_new_data(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	for (size_t round = 1; round <= 5; round++) {
		size_t got = 0;

		feed_and_expect(loop, &pair, &reader, round);
		CHECK_EQ(read_to_end(&reader, &got), -EAGAIN);
		CHECK_EQ(got, round);
		expect_quiet(loop, &reader, BRINK_READ);
	}
	stop_probe(&reader);
	end_loop(loop, &pair);
}

/* The rearm of the program's own calls: any read that says EAGAIN will do. */
static void peek_says_empty(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;
	char byte;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	for (int round = 0; round < 3; round++) {
		feed_and_expect(loop, &pair, &reader, 4);
		CHECK_EQ(drain(pair.ours), 4);
		CHECK(recv(pair.ours, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN);
		CHECK_OK(brink_watch_rearm(&reader.watch, BRINK_READ));
		expect_quiet(loop, &reader, BRINK_READ);
	}
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static void data_between_empty_and_rearm(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	for (int round = 0; round < 3; round++) {
		if (round == 0) {
			feed_and_expect(loop, &pair, &reader, 4);
		}
		CHECK_EQ(drain(pair.ours), 4);
		feed(&pair, 4); /* after the EAGAIN */
		CHECK_OK(brink_watch_rearm(&reader.watch, BRINK_READ));
		expect_event(loop, &reader, BRINK_READ, NOT_READ);
		expect_silence(loop);
	}
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static void full_then_room(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe writer;

	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE);
	for (int round = 0; round < 3; round++) {
		expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
		fill_by_watch(&writer);
		expect_quiet(loop, &writer, BRINK_WRITE);
		drain_for_room(&pair);
	}
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	expect_silence(loop);
	stop_probe(&writer);
	end_loop(loop, &pair);
}

/* WRITE that nobody asked for at the start, taken when the first write has to wait. */
static void write_direction_taken_on_demand(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe both;

	start_probe(loop, &both, "both", pair.ours, BRINK_READ);
	expect_silence(loop);
	fill_by_watch(&both);
	expect_quiet(loop, &both, BRINK_WRITE);
	drain_for_room(&pair);
	expect_event(loop, &both, BRINK_WRITE, NOT_WRITE);
	expect_silence(loop);
	stop_probe(&both);
	end_loop(loop, &pair);
}

/* A pipe that has a byte of room is not writable everywhere; an event must mean room. */
static void pipe_writable_means_room(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe writer;
	char bytes[PIPE_BUF] = {0};

	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE);
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	fill_by_watch(&writer);
	read_exactly(pair.theirs, bytes, 1);
	if (ready_now(pair.ours, BRINK_WRITE)) {
		observe(loop, &writer, "one byte of room", BRINK_WRITE);
		CHECK_EQ(brink_watch_write(&writer.watch, bytes, 1), 1);
		fill_by_watch(&writer);
	} else {
		measure("one byte of room", "silence");
		expect_quiet(loop, &writer, BRINK_WRITE);
	}
	drain_for_room(&pair);
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	CHECK_EQ(brink_watch_write(&writer.watch, bytes, sizeof bytes), (ssize_t)sizeof bytes);
	expect_silence(loop);
	stop_probe(&writer);
	end_loop(loop, &pair);
}

static void full_pipe_whose_reader_closes(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe writer;

	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE);
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	fill_by_watch(&writer);
	expect_quiet(loop, &writer, BRINK_WRITE);
	close_theirs(&pair);
	expect_event(loop, &writer, BRINK_WRITE | BRINK_ERROR, BRINK_READ | BRINK_EOF);
	CHECK_ERROR(brink_watch_write(&writer.watch, "x", 1), -EPIPE);
	expect_silence(loop);
	stop_probe(&writer);
	end_loop(loop, &pair);
}

static void idle_writable_is_silent(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe both;
	char bytes[5];

	start_probe(loop, &both, "both", pair.ours, BRINK_READ | BRINK_WRITE);
	expect_event(loop, &both, BRINK_WRITE, NOT_WRITE);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(brink_watch_write(&both.watch, "hello", 5), 5);
		expect_silence(loop);
		read_exactly(pair.theirs, bytes, 5); /* room and acknowledgements: nobody waits for them */
		expect_silence(loop);
	}
	stop_probe(&both);
	end_loop(loop, &pair);
}

static void read_does_not_swallow_write(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ | BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe both;

	start_probe(loop, &both, "both", pair.ours, BRINK_READ | BRINK_WRITE);
	expect_event(loop, &both, BRINK_WRITE, NOT_WRITE);
	fill_by_watch(&both);
	expect_quiet(loop, &both, BRINK_WRITE);
	feed(&pair, 3);
	expect_event(loop, &both, BRINK_READ, NOTHING_ELSE | BRINK_WRITE);
	drain_for_room(&pair); /* and READ is closed, its data unread */
	expect_event(loop, &both, BRINK_WRITE, NOT_WRITE);
	expect_silence(loop);
	stop_probe(&both);
	end_loop(loop, &pair);
}

static void write_does_not_swallow_read(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ | BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe both;

	start_probe(loop, &both, "both", pair.ours, BRINK_READ | BRINK_WRITE);
	expect_event(loop, &both, BRINK_WRITE, NOT_WRITE); /* left closed */
	feed_and_expect(loop, &pair, &both, 3);
	CHECK_EQ(read_to_end(&both, NULL), -EAGAIN);
	expect_quiet(loop, &both, BRINK_READ);
	feed_and_expect(loop, &pair, &both, 3);
	expect_silence(loop);
	stop_probe(&both);
	end_loop(loop, &pair);
}

static void both_directions_in_one_call(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ | BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe both;

	feed(&pair, 3);
	start_probe(loop, &both, "both", pair.ours, BRINK_READ | BRINK_WRITE);
	expect_one_call(loop, &both, BRINK_READ | BRINK_WRITE, NOTHING_ELSE);
	expect_silence(loop);
	stop_probe(&both);
	end_loop(loop, &pair);
}

/* Reader and writer of one descriptor are two watches: each is called for its own. */
static void two_owners_of_one_descriptor(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ | BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe reader, writer;

	feed(&pair, 3);
	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE);
	expect_one_call(loop, &reader, BRINK_READ, NOT_READ);
	expect_one_call(loop, &writer, BRINK_WRITE, NOT_WRITE);
	expect_silence(loop);
	fill_by_watch(&writer);
	CHECK_EQ(read_to_end(&reader, NULL), -EAGAIN);
	expect_quiet(loop, &reader, BRINK_READ);
	drain_for_room(&pair);
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	stop_probe(&reader);
	feed(&pair, 1);
	expect_silence(loop); /* and the writer's stop is still to come */
	stop_probe(&writer);
	end_loop(loop, &pair);
}

static void burst_is_one_event(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe_acting(loop, &reader, "reader", pair.ours, BRINK_READ, act_drain);
	expect_silence(loop);
	for (int i = 0; i < 100; i++)
		feed(&pair, 1);
	expect_event(loop, &reader, BRINK_READ, NOT_READ);
	CHECK_EQ(reader.bytes, 100);
	expect_quiet(loop, &reader, BRINK_READ);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static void empty_datagram_is_no_end(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;
	char bytes[16];

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	SYSCALL(send(pair.theirs, "", 0, 0));
	expect_event(loop, &reader, BRINK_READ, NOT_READ);
	CHECK_EQ(brink_watch_read(&reader.watch, bytes, sizeof bytes), 0);
	CHECK_EQ(brink_watch_read(&reader.watch, bytes, sizeof bytes), -EAGAIN);
	expect_quiet(loop, &reader, BRINK_READ);
	feed_and_expect(loop, &pair, &reader, 3);
	CHECK_EQ(brink_watch_read(&reader.watch, bytes, sizeof bytes), 3);
	stop_probe(&reader);
	end_loop(loop, &pair);
}

/* A datagram shorter than the buffer says nothing of those behind it. */
static void datagrams_drained_then_new(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;
	char bytes[64];

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	for (int round = 0; round < 3; round++) {
		feed(&pair, 5);
		feed_and_expect(loop, &pair, &reader, 7);
		CHECK_EQ(brink_watch_read(&reader.watch, bytes, sizeof bytes), 5);
		CHECK_EQ(brink_watch_read(&reader.watch, bytes, sizeof bytes), 7);
		CHECK_EQ(brink_watch_read(&reader.watch, bytes, sizeof bytes), -EAGAIN);
		expect_quiet(loop, &reader, BRINK_READ);
	}
	stop_probe(&reader);
	end_loop(loop, &pair);
}

static void room_between_full_and_rearm(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe writer;

	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE);
	expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
	for (int round = 0; round < 2; round++) {
		fill(pair.ours); /* by write(2), which said EAGAIN */
		drain_for_room(&pair);
		CHECK_OK(brink_watch_rearm(&writer.watch, BRINK_WRITE));
		expect_event(loop, &writer, BRINK_WRITE, NOT_WRITE);
		expect_silence(loop);
	}
	stop_probe(&writer);
	end_loop(loop, &pair);
}

/* ---- a peer that reads all the time, so that room comes at every moment of arming ---- */

struct stream {
	struct probe writer;
	size_t left;
};

static void act_write_on(struct probe *probe, unsigned ready)
{
	static const char bytes[65536];
	struct stream *stream = probe->data;
	ssize_t n = 1;

	CHECK((ready & BRINK_WRITE) != 0);
	while (stream->left > 0 && n > 0) {
		size_t part = stream->left < sizeof bytes ? stream->left : sizeof bytes;

		n = brink_watch_write(&probe->watch, bytes, part);
		if (n > 0)
			stream->left -= (size_t)n;
		else
			CHECK_ERROR(n, -EAGAIN);
	}
}

struct sink {
	int fd;
	size_t left;
};

static void *read_everything(void *argument)
{
	struct sink *sink = argument;
	char bytes[3000];

	while (sink->left > 0) {
		size_t part = sink->left < sizeof bytes ? sink->left : sizeof bytes;

		read_exactly(sink->fd, bytes, part);
		sink->left -= part;
	}
	return NULL;
}

static void peer_reads_while_write_is_armed(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_WRITE);
	brink_loop *loop = new_loop();
	size_t total = is_slow() ? 1u << 20 : 1u << 23;
	struct stream stream = {.left = total};
	struct sink sink = {.fd = pair.theirs, .left = total};
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, read_everything, &sink), 0);
	init_probe(&stream.writer, "writer", act_write_on);
	stream.writer.data = &stream;
	CHECK_OK(brink_watch_start(loop, &stream.writer.watch, pair.ours, BRINK_WRITE));
	RUN_UNTIL(loop, stream.left == 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	discard_calls(&stream.writer);
	stop_probe(&stream.writer);
	end_loop(loop, &pair);
}

static const struct scenario scenarios[] = {
	SCENARIO("edge/readable-when-started", readable_when_started, KINDS_ALL | KIND_UDP, .promises = {1, 2}),
	SCENARIO("edge/writable-when-started", writable_when_started, KINDS_ALL | KIND_UDP, .promises = {1, 2}),
	SCENARIO("edge/idle-when-started", idle_when_started, KINDS_ALL | KIND_UDP, .promises = {1, 3}),
	SCENARIO("edge/only-what-was-asked", only_what_was_asked, KINDS_STREAM | KIND_UDP, .promises = {1}),
	SCENARIO("edge/fresh-stream-writable-once", fresh_stream_writable_once, KINDS_STREAM, .promises = {1, 2}),
	SCENARIO("edge/unread-is-silent", unread_is_silent, KINDS_ALL | KIND_UDP, .promises = {2}),
	SCENARIO("edge/partial-read-is-silent", partial_read_is_silent, KINDS_ALL, .promises = {2, 3}),
	SCENARIO("edge/drained-then-new-data", drained_then_new_data, KINDS_ALL, .promises = {3, 16}),
	SCENARIO("edge/peek-says-empty", peek_says_empty, KINDS_STREAM | KIND_UDP, .promises = {3}),
	SCENARIO("edge/data-between-empty-and-rearm", data_between_empty_and_rearm, KINDS_ALL, .promises = {3}),
	SCENARIO("edge/full-then-room", full_then_room, KINDS_ALL, .promises = {3, 16}),
	SCENARIO("edge/write-direction-taken-on-demand", write_direction_taken_on_demand, KINDS_STREAM, .promises = {3, 16}),
	SCENARIO("edge/pipe-writable-means-room", pipe_writable_means_room, KIND_PIPE, .promises = {3, 4}),
	SCENARIO("edge/full-pipe-whose-reader-closes", full_pipe_whose_reader_closes, KIND_PIPE, .promises = {3, 4}),
	SCENARIO("edge/idle-writable-is-silent", idle_writable_is_silent, KINDS_STREAM, .promises = {2}),
	SCENARIO("edge/read-does-not-swallow-write", read_does_not_swallow_write, KINDS_STREAM, .promises = {5}),
	SCENARIO("edge/write-does-not-swallow-read", write_does_not_swallow_read, KINDS_STREAM, .promises = {5}),
	SCENARIO("edge/both-directions-in-one-call", both_directions_in_one_call, KINDS_STREAM, .promises = {5}),
	SCENARIO("edge/two-owners-of-one-descriptor", two_owners_of_one_descriptor, KINDS_STREAM, .promises = {5}),
	SCENARIO("edge/burst-is-one-event", burst_is_one_event, KINDS_ALL, .promises = {2, 3}),
	SCENARIO("edge/empty-datagram-is-no-end", empty_datagram_is_no_end, KIND_UDP, .promises = {4, 16}),
	SCENARIO("edge/datagrams-drained-then-new", datagrams_drained_then_new, KIND_UDP, .promises = {3, 16}),
	SCENARIO("edge/room-between-full-and-rearm", room_between_full_and_rearm, KINDS_ALL, .promises = {3}),
	SCENARIO("edge/peer-reads-while-write-is-armed", peer_reads_while_write_is_armed, KINDS_ALL, .promises = {3, 16}, .flags = TRACE_FREE),
	NO_MORE_SCENARIOS,
};

const struct group edge_group = {"edge", scenarios};
