/* The end of a stream: the peer's, and the program's own. */
#include "groups.h"
#include "scene.h"

#include <string.h>
#include <sys/socket.h>

/* ---- the peer ends its side ---- */

static void unread_before_start(enum kind kind)
{
	struct scene scene;

	open_scene(&scene, kind, BRINK_READ);
	feed(&scene.pair, 5);
	shut_theirs(&scene.pair);
	watch_scene(&scene, BRINK_READ);
	expect_eof(&scene, "half-close");
	CHECK_EQ(read_on(&scene), 0);
	CHECK_EQ(scene.bytes, 5);
	CHECK_EQ(brink_watch_read(&scene.probe.watch, &(char){0}, 1), 0);
	expect_silence(scene.loop);
	close_scene(&scene);
}

static void nothing_unread_before_start(enum kind kind)
{
	struct scene scene;

	open_scene(&scene, kind, BRINK_READ);
	shut_theirs(&scene.pair);
	watch_scene(&scene, BRINK_READ);
	expect_eof(&scene, "half-close");
	expect_last(&scene, 0);
	close_scene(&scene);
}

static void half_close_while_idle(enum kind kind)
{
	struct scene scene;

	open_watched(&scene, kind, BRINK_READ);
	expect_silence(scene.loop);
	shut_theirs(&scene.pair);
	expect_eof(&scene, "half-close");
	expect_silence(scene.loop);
	expect_last(&scene, 0);
	close_scene(&scene);
}

/* A close, unlike a half-close, may hang up both directions; that of a peer that has read
 * everything is no error. */
static void close_while_idle(enum kind kind)
{
	struct scene scene;

	open_watched(&scene, kind, BRINK_READ);
	feed_scene(&scene, 7);
	read_scene_dry(&scene, 7);
	close_theirs(&scene.pair);
	expect_eof(&scene, "close");
	expect_last(&scene, 0);
	CHECK_EQ(scene.bytes, 7);
	close_scene(&scene);
}

/* The end comes while the program has bytes to read and the ticket: it is told by read(), or
 * by the event that follows it. */
static void end_while_unread(enum kind kind)
{
	struct scene scene;

	open_watched(&scene, kind, BRINK_READ);
	feed_scene(&scene, 5);
	feed(&scene.pair, 4);
	shut_theirs(&scene.pair);
	expect_silence(scene.loop);
	expect_last(&scene, 0);
	CHECK_EQ(scene.bytes, 9);
	close_scene(&scene);
}

/* The same without a turn between: the loop knows nothing of the end. */
static void end_before_first_read(enum kind kind)
{
	struct scene scene;

	open_watched(&scene, kind, BRINK_READ);
	feed_scene(&scene, 5);
	shut_theirs(&scene.pair);
	expect_last(&scene, 0);
	CHECK_EQ(scene.bytes, 5);
	close_scene(&scene);
}

static void end_while_paused(enum kind kind)
{
	struct scene scene;

	open_scene(&scene, kind, BRINK_READ);
	feed(&scene.pair, 3);
	watch_scene(&scene, BRINK_READ);
	expect_only(&scene, BRINK_READ);
	for (int i = 0; i < 20; i++) {
		feed(&scene.pair, 10);
		expect_silence(scene.loop);
	}
	shut_theirs(&scene.pair);
	expect_silence(scene.loop);
	CHECK_EQ(brink_watch_again(&scene.probe.watch, BRINK_READ), 0);
	RUN_UNTIL(scene.loop, scene.probe.new_calls != 0);
	observe(scene.loop, &scene.probe, "again after an end during a pause", BRINK_READ | BRINK_EOF);
	expect_last(&scene, 0);
	CHECK_EQ(scene.bytes, 203);
	close_scene(&scene);
}

/* One byte a turn: each event for reading carries the end that has been seen. */
static void byte_by_byte_to_the_end(enum kind kind)
{
	struct scene scene;
	char byte;

	open_scene(&scene, kind, BRINK_READ);
	feed(&scene.pair, 5);
	shut_theirs(&scene.pair);
	watch_scene(&scene, BRINK_READ);
	expect_eof(&scene, "half-close");
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(brink_watch_read(&scene.probe.watch, &byte, 1), 1);
		CHECK_EQ(brink_watch_again(&scene.probe.watch, BRINK_READ), 0);
		expect_eof(&scene, "again after half-close");
	}
	CHECK_EQ(brink_watch_read(&scene.probe.watch, &byte, 1), 0);
	expect_silence(scene.loop);
	close_scene(&scene);
}

static void writable_after_half_close(enum kind kind)
{
	struct scene scene;
	char bytes[10];

	look_for_sigpipe();
	open_watched(&scene, kind, BRINK_READ);
	shut_theirs(&scene.pair);
	expect_eof(&scene, "half-close");
	CHECK_EQ(brink_watch_write(&scene.probe.watch, "0123456789", 10), 10);
	read_exactly(scene.pair.theirs, bytes, sizeof bytes);
	CHECK(memcmp(bytes, "0123456789", sizeof bytes) == 0);
	block_writer(&scene, &scene.probe);
	drain_for_room(&scene.pair);
	/* The end belongs to the read direction, which had it already. */
	expect_only(&scene, BRINK_WRITE);
	expect_last(&scene, 0);
	expect_no_sigpipe();
	close_scene(&scene);
}

/* Who only writes is not woken by the peer's half-close, and never sees an EOF. */
static void writer_sees_no_half_close(enum kind kind)
{
	struct scene scene;

	open_watched(&scene, kind, BRINK_WRITE);
	expect_only(&scene, BRINK_WRITE);
	shut_theirs(&scene.pair);
	expect_silence(scene.loop);
	block_writer(&scene, &scene.probe);
	drain_for_room(&scene.pair);
	expect_only(&scene, BRINK_WRITE);
	close_scene(&scene);
}

/* Reader and writer are two watches: each learns what concerns its direction. */
static void two_owners_half_close(enum kind kind)
{
	struct scene scene;
	struct probe writer;

	open_watched(&scene, kind, BRINK_READ);
	start_probe(scene.loop, &writer, "writer", scene.pair.ours, BRINK_WRITE);
	expect_event(scene.loop, &writer, BRINK_WRITE, NOT_WRITE);
	block_writer(&scene, &writer);
	shut_theirs(&scene.pair);
	expect_eof(&scene, "half-close");
	drain_for_room(&scene.pair);
	expect_event(scene.loop, &writer, BRINK_WRITE, NOT_WRITE);
	expect_silence(scene.loop);
	stop_probe(&writer);
	close_scene(&scene);
}

/* A level-triggered watch sees the end each turn, and rests when told to, although a
 * descriptor that hung up is reported whatever one asks for. */
static void level_at_the_end(enum kind kind)
{
	struct scene scene;
	unsigned end = BRINK_READ | (mechanism_tells() ? BRINK_EOF : 0);

	open_scene(&scene, kind, BRINK_READ);
	feed(&scene.pair, 3);
	close_theirs(&scene.pair);
	watch_scene(&scene, BRINK_READ | BRINK_LEVEL);
	for (unsigned calls = 1; calls <= 4; calls++) {
		RUN_UNTIL(scene.loop, scene.probe.calls >= calls);
		CHECK_EQ(scene.probe.last & end, end);
		CHECK_EQ(scene.probe.last & ~(end | BRINK_EOF), 0);
	}
	discard_calls(&scene.probe);
	CHECK_EQ(brink_watch_set(&scene.probe.watch, 0), 0);
	expect_silence(scene.loop);
	CHECK_EQ(brink_watch_set(&scene.probe.watch, BRINK_READ), 0);
	RUN_UNTIL(scene.loop, scene.probe.new_calls >= 2);
	CHECK_EQ(scene.probe.last & end, end);
	discard_calls(&scene.probe);
	CHECK_EQ(read_to_end(&scene.probe, &scene.bytes), 0);
	CHECK_EQ(scene.bytes, 3);
	stop_probe(&scene.probe);
	expect_silence(scene.loop);
	close_scene(&scene);
}

static void level_writer_after_half_close(enum kind kind)
{
	struct scene scene;

	open_scene(&scene, kind, BRINK_READ);
	shut_theirs(&scene.pair);
	watch_scene(&scene, BRINK_READ | BRINK_LEVEL);
	RUN_UNTIL(scene.loop, scene.probe.new_calls >= 2);
	discard_calls(&scene.probe);
	CHECK_EQ(brink_watch_set(&scene.probe.watch, BRINK_WRITE), 0);
	for (unsigned calls = 1; calls <= 3; calls++) {
		RUN_UNTIL(scene.loop, scene.probe.new_calls >= calls);
		CHECK_EQ(scene.probe.last, BRINK_WRITE);
	}
	discard_calls(&scene.probe);
	fill(scene.pair.ours);
	/* Full, and only half closed: nothing for a writer. */
	turn(scene.loop);
	discard_calls(&scene.probe);
	expect_silence(scene.loop);
	close_scene(&scene);
}

static void end_before_rearm(enum kind kind)
{
	struct scene scene;

	open_watched(&scene, kind, BRINK_READ);
	feed_scene(&scene, 5);
	CHECK_EQ(drain(scene.pair.ours), 5);
	shut_theirs(&scene.pair);
	expect_silence(scene.loop);
	CHECK_EQ(brink_watch_rearm(&scene.probe.watch, BRINK_READ), 0);
	expect_eof(&scene, "half-close before rearm");
	expect_last(&scene, 0);
	close_scene(&scene);
}

/* The end is reported together with room, while only the writer waits: it is not lost. */
static void end_beside_room(enum kind kind)
{
	struct scene scene;

	open_scene(&scene, kind, BRINK_READ);
	feed(&scene.pair, 5);
	watch_scene(&scene, DIRECTIONS);
	expect_only(&scene, DIRECTIONS);
	CHECK_EQ(drain(scene.pair.ours), 5);
	block_writer(&scene, &scene.probe);
	shut_theirs(&scene.pair);
	drain_for_room(&scene.pair);
	expect_only(&scene, BRINK_WRITE);
	expect_silence(scene.loop);
	CHECK_OK(brink_watch_rearm(&scene.probe.watch, BRINK_READ));
	expect_eof(&scene, "half-close beside room");
	expect_last(&scene, 0);
	close_scene(&scene);
}

/* ---- the program ends its own side ---- */

static void own_shut_wr(enum kind kind)
{
	struct scene scene;

	look_for_sigpipe();
	open_watched(&scene, kind, DIRECTIONS);
	expect_only(&scene, BRINK_WRITE);
	SYSCALL(shutdown(scene.pair.ours, SHUT_WR));
	expect_silence(scene.loop);
	expect_end(scene.pair.theirs);
	feed_scene(&scene, 6);
	read_scene_dry(&scene, 6);
	CHECK_ERROR(brink_watch_write(&scene.probe.watch, "x", 1), -EPIPE);
	expect_no_sigpipe();
	shut_theirs(&scene.pair);
	expect_eof(&scene, "half-close after one's own");
	expect_last(&scene, 0);
	close_scene(&scene);
}

static void own_shut_rd(enum kind kind)
{
	struct scene scene;

	open_watched(&scene, kind, BRINK_READ);
	expect_silence(scene.loop);
	SYSCALL(shutdown(scene.pair.ours, SHUT_RD));
	RUN_UNTIL(scene.loop, (scene.probe.new_ready & BRINK_READ) != 0);
	observe(scene.loop, &scene.probe, "one's own SHUT_RD", BRINK_READ | BRINK_EOF);
	CHECK_EQ(brink_watch_read(&scene.probe.watch, &(char){0}, 1), 0);
	expect_silence(scene.loop);
	CHECK_EQ(brink_watch_write(&scene.probe.watch, "12", 2), 2);
	read_exactly(scene.pair.theirs, (char[2]){0}, 2);
	expect_silence(scene.loop);
	close_scene(&scene);
}

static void both_halves_shut(enum kind kind)
{
	struct scene scene;

	open_watched(&scene, kind, DIRECTIONS);
	expect_only(&scene, BRINK_WRITE);
	shut_theirs(&scene.pair);
	expect_eof(&scene, "half-close");
	SYSCALL(shutdown(scene.pair.ours, SHUT_WR));
	expect_silence(scene.loop);
	expect_last(&scene, 0);
	/* To hand back these tickets is a mistake; it must not lead to a busy loop. */
	CHECK_EQ(brink_watch_rearm(&scene.probe.watch, DIRECTIONS), 0);
	observe(scene.loop, &scene.probe, "rearm after both halves are shut", DIRECTIONS | BRINK_EOF);
	close_scene(&scene);
}

static void own_shut_both(enum kind kind)
{
	struct scene scene;

	open_watched(&scene, kind, DIRECTIONS);
	expect_only(&scene, BRINK_WRITE);
	SYSCALL(shutdown(scene.pair.ours, SHUT_RDWR));
	RUN_UNTIL(scene.loop, (scene.probe.new_ready & BRINK_READ) != 0);
	observe(scene.loop, &scene.probe, "one's own SHUT_RDWR", BRINK_READ | BRINK_EOF);
	CHECK_EQ(read_on(&scene), 0);
	expect_end(scene.pair.theirs);
	expect_silence(scene.loop);
	close_scene(&scene);
}

static const struct scenario scenarios[] = {
	SCENARIO("end/unread-before-start", unread_before_start, KINDS_ALL, .promises = {1, 4, 16}),
	SCENARIO("end/nothing-unread-before-start", nothing_unread_before_start, KINDS_ALL,
	         .promises = {1, 4}),
	SCENARIO("end/half-close-while-idle", half_close_while_idle, KINDS_ALL, .promises = {2, 3, 4}),
	SCENARIO("end/close-while-idle", close_while_idle, KINDS_ALL, .promises = {3, 4}),
	SCENARIO("end/comes-while-unread", end_while_unread, KINDS_ALL, .promises = {2, 4, 16}),
	SCENARIO("end/comes-before-first-read", end_before_first_read, KINDS_ALL, .promises = {4, 16}),
	SCENARIO("end/comes-while-paused", end_while_paused, KINDS_ALL, .promises = {2, 4, 17}),
	SCENARIO("end/byte-by-byte", byte_by_byte_to_the_end, KINDS_ALL, .promises = {4, 17}),
	SCENARIO("end/writable-after-half-close", writable_after_half_close, KINDS_STREAM,
	         .promises = {3, 4, 5}),
	SCENARIO("end/writer-sees-no-half-close", writer_sees_no_half_close, KINDS_STREAM,
	         .promises = {1, 4, 5}),
	SCENARIO("end/two-owners-half-close", two_owners_half_close, KINDS_STREAM, .promises = {4, 5}),
	SCENARIO("end/level", level_at_the_end, KINDS_ALL, .promises = {4, 18}),
	SCENARIO("end/level-writer-after-half-close", level_writer_after_half_close, KINDS_STREAM,
	         .promises = {4, 5, 18}),
	SCENARIO("end/own-shut-wr", own_shut_wr, KINDS_STREAM, .promises = {4, 5, 16}),
	SCENARIO("end/own-shut-rd", own_shut_rd, KINDS_STREAM, .promises = {2, 4, 5}),
	SCENARIO("end/both-halves-shut", both_halves_shut, KINDS_STREAM, .promises = {2, 3, 4}),
	SCENARIO("end/own-shut-both", own_shut_both, KINDS_STREAM, .promises = {2, 4}),
	SCENARIO("end/before-rearm", end_before_rearm, KINDS_ALL, .promises = {3, 4}),
	SCENARIO("end/beside-room", end_beside_room, KINDS_STREAM, .promises = {3, 4, 5}),
	NO_MORE_SCENARIOS,
};

const struct group end_group = {"end", scenarios};
