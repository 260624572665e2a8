/* Resets, and writing to a peer that is gone. */
#include "groups.h"
#include "scene.h"

#include <signal.h>
#include <sys/uio.h>

/* ---- resets ---- */

static void reset_while_idle(enum kind kind)
{
	struct scene scene;

	look_for_sigpipe();
	open_watched(&scene, kind, BRINK_READ);
	expect_silence(scene.loop);
	reset_theirs(&scene.pair);
	expect_reset(&scene, "reset");
	expect_last(&scene, -ECONNRESET);
	CHECK_EQ(brink_watch_read(&scene.probe.watch, &(char){0}, 1), 0);
	CHECK_ERROR(brink_watch_write(&scene.probe.watch, "x", 1), -EPIPE);
	expect_no_sigpipe();
	expect_silence(scene.loop);
	close_scene(&scene);
}

/* Looking at events does not eat the code that SO_ERROR tells. */
static void reset_leaves_so_error(enum kind kind)
{
	struct scene scene;

	open_watched(&scene, kind, DIRECTIONS);
	expect_only(&scene, BRINK_WRITE);
	reset_theirs(&scene.pair);
	expect_reset(&scene, "reset");
	expect_silence(scene.loop);
	CHECK_EQ(socket_error(scene.pair.ours), ECONNRESET);
	close_scene(&scene);
}

/* Systems differ in what write() says of a reset; the helper does not. */
static void write_tells_reset(enum kind kind)
{
	struct scene scene;
	struct iovec parts[2] = {{.iov_base = (char[1]){'x'}, .iov_len = 1},
	                         {.iov_base = (char[1]){'y'}, .iov_len = 1}};

	look_for_sigpipe();
	open_watched(&scene, kind, BRINK_READ);
	reset_theirs(&scene.pair);
	expect_reset(&scene, "reset");
	CHECK_ERROR(brink_watch_write(&scene.probe.watch, "x", 1), -ECONNRESET);
	CHECK_ERROR(brink_watch_writev(&scene.probe.watch, parts, 2), -EPIPE);
	expect_no_sigpipe();
	expect_silence(scene.loop);
	close_scene(&scene);
}

static void writev_tells_reset(enum kind kind)
{
	struct scene scene;
	struct iovec part = {.iov_base = (char[1]){'x'}, .iov_len = 1};

	look_for_sigpipe();
	open_watched(&scene, kind, BRINK_WRITE);
	expect_only(&scene, BRINK_WRITE);
	reset_theirs(&scene.pair);
	expect_silence(scene.loop);
	CHECK_ERROR(brink_watch_writev(&scene.probe.watch, &part, 1), -ECONNRESET);
	expect_no_sigpipe();
	expect_silence(scene.loop);
	close_scene(&scene);
}

static void reset_before_start(enum kind kind)
{
	struct scene scene;

	open_scene(&scene, kind, BRINK_READ);
	reset_theirs(&scene.pair);
	watch_scene(&scene, DIRECTIONS);
	expect_ending(&scene, "reset before the start", DIRECTIONS, BRINK_EOF | BRINK_ERROR);
	expect_silence(scene.loop);
	CHECK_ERROR(read_on(&scene), -ECONNRESET);
	close_scene(&scene);
}

static void reset_wakes_writer(enum kind kind)
{
	struct scene scene;

	look_for_sigpipe();
	open_watched(&scene, kind, BRINK_READ);
	block_writer(&scene, &scene.probe);
	reset_theirs(&scene.pair);
	expect_ending(&scene, "reset while a writer waits", DIRECTIONS, BRINK_EOF | BRINK_ERROR);
	CHECK_ERROR(brink_watch_write(&scene.probe.watch, "x", 1), -ECONNRESET);
	expect_no_sigpipe();
	expect_silence(scene.loop);
	close_scene(&scene);
}

static void reset_wakes_mere_writer(enum kind kind)
{
	struct scene scene;

	open_watched(&scene, kind, BRINK_WRITE);
	fill_by_watch(&scene.probe);
	/* The start found room; the writer has used it since. */
	discard_calls(&scene.probe);
	expect_quiet(scene.loop, &scene.probe, BRINK_WRITE);
	feed(&scene.pair, 3);
	expect_silence(scene.loop);
	reset_theirs(&scene.pair);
	expect_ending(&scene, "reset, write interest only", BRINK_WRITE, BRINK_ERROR);
	CHECK_ERROR(brink_watch_write(&scene.probe.watch, "x", 1), -ECONNRESET);
	expect_silence(scene.loop);
	close_scene(&scene);
}

/* ERROR is told once to each of two owners. */
static void two_owners_reset(enum kind kind)
{
	struct scene scene;
	struct probe writer;
	unsigned told;

	open_watched(&scene, kind, BRINK_READ);
	start_probe(scene.loop, &writer, "writer", scene.pair.ours, BRINK_WRITE);
	expect_event(scene.loop, &writer, BRINK_WRITE, NOT_WRITE);
	block_writer(&scene, &writer);
	reset_theirs(&scene.pair);
	told = mechanism_tells() ? BRINK_ERROR : 0;
	RUN_UNTIL(scene.loop, (scene.probe.new_ready & told) == told && (writer.new_ready & told) == told &&
	                          scene.probe.new_calls != 0 && writer.new_calls != 0);
	CHECK_EQ(scene.probe.new_ready & BRINK_WRITE, 0);
	CHECK_EQ(writer.new_ready & (BRINK_READ | BRINK_EOF), 0);
	CHECK(!scene.probe.twice && !writer.twice);
	discard_calls(&scene.probe);
	discard_calls(&writer);
	expect_silence(scene.loop);
	/* `again` repeats the direction, and the end, but not the error. */
	CHECK_EQ(brink_watch_again(&scene.probe.watch, BRINK_READ), 0);
	CHECK_EQ(brink_watch_again(&writer.watch, BRINK_WRITE), 0);
	expect_event(scene.loop, &scene.probe, BRINK_READ, BRINK_WRITE | BRINK_ERROR);
	expect_event(scene.loop, &writer, BRINK_WRITE, NOT_WRITE);
	expect_silence(scene.loop);
	stop_probe(&writer);
	close_scene(&scene);
}

/* Who takes over a direction is told what the one before was, the end and the error too. */
static void heir_is_told(enum kind kind)
{
	struct scene scene;
	struct probe writer;

	open_watched(&scene, kind, BRINK_READ);
	start_probe(scene.loop, &writer, "writer", scene.pair.ours, BRINK_WRITE);
	expect_event(scene.loop, &writer, BRINK_WRITE, NOT_WRITE);
	reset_theirs(&scene.pair);
	for (int heir = 0; heir < 3; heir++) {
		expect_reset(&scene, "reset");
		stop_probe(&scene.probe);
		watch_scene(&scene, BRINK_READ);
	}
	expect_reset(&scene, "reset");
	expect_silence(scene.loop);
	stop_probe(&writer);
	close_scene(&scene);
}

static void reset_while_undrained(enum kind kind)
{
	struct scene scene;

	open_watched(&scene, kind, BRINK_READ);
	feed_scene(&scene, 5);
	reset_theirs(&scene.pair);
	expect_silence(scene.loop);
	CHECK_ERROR(read_on(&scene), -ECONNRESET);
	/* Some kernels throw away what was not read. */
	CHECK(scene.bytes == 5 || scene.bytes == 0);
	measure("bytes that survive a reset", "%s", scene.bytes == 5 ? "all" : "none");
	expect_silence(scene.loop);
	close_scene(&scene);
}

/* Between the EAGAIN and rearm, with and without a turn of the loop there. */
static void reset_before_rearm(enum kind kind, bool with_turn)
{
	struct scene scene;

	open_watched(&scene, kind, BRINK_READ);
	feed_scene(&scene, 5);
	CHECK_EQ(drain(scene.pair.ours), 5);
	reset_theirs(&scene.pair);
	if (with_turn)
		expect_silence(scene.loop);
	CHECK_EQ(brink_watch_rearm(&scene.probe.watch, BRINK_READ), 0);
	expect_reset(&scene, "reset before rearm");
	expect_last(&scene, -ECONNRESET);
	close_scene(&scene);
}

static void reset_seen_before_rearm(enum kind kind)
{
	reset_before_rearm(kind, true);
}

static void reset_unseen_before_rearm(enum kind kind)
{
	reset_before_rearm(kind, false);
}

static void level_reset(enum kind kind)
{
	struct scene scene;

	open_watched(&scene, kind, BRINK_READ | BRINK_LEVEL);
	expect_silence(scene.loop);
	reset_theirs(&scene.pair);
	RUN_UNTIL(scene.loop, scene.probe.new_calls >= 3);
	CHECK((scene.probe.last & BRINK_READ) != 0 && (scene.probe.last & BRINK_WRITE) == 0);
	discard_calls(&scene.probe);
	CHECK_EQ(brink_watch_set(&scene.probe.watch, 0), 0);
	expect_silence(scene.loop);
	CHECK_EQ(socket_error(scene.pair.ours), ECONNRESET);
	close_scene(&scene);
}

/* A peer that closes before it has read everything: kernels tell it as a reset or as an end. */
static void close_with_unread(enum kind kind)
{
	struct scene scene;
	ssize_t result;

	look_for_sigpipe();
	open_watched(&scene, kind, BRINK_READ);
	CHECK_EQ(brink_watch_write(&scene.probe.watch, "unread", 6), 6);
	await(scene.pair.theirs, BRINK_READ);
	close_theirs(&scene.pair);
	RUN_UNTIL(scene.loop, (scene.probe.new_ready & BRINK_READ) != 0);
	observe(scene.loop, &scene.probe, "the peer closes with data unread",
	        BRINK_READ | BRINK_EOF | BRINK_ERROR);
	result = read_on(&scene);
	CHECK(result == 0 || result == -ECONNRESET);
	measure("read after the peer closed with data unread", "%s", result == 0 ? "0" : "ECONNRESET");
	while ((result = brink_watch_write(&scene.probe.watch, "x", 1)) == 1)
		sleep_ms(1);
	expect_broken(result);
	expect_no_sigpipe();
	observe(scene.loop, &scene.probe, "then a write", 0);
	close_scene(&scene);
}

/* ---- writing to nobody ---- */

/* The first write may still succeed: TCP learns of the close by the answer to it. */
static void write_to_closed_peer(enum kind kind)
{
	struct scene scene;
	struct iovec part = {.iov_base = (char[1]){'x'}, .iov_len = 1};
	uint64_t end = hang_deadline();
	ssize_t result;

	look_for_sigpipe();
	open_watched(&scene, kind, BRINK_WRITE);
	expect_only(&scene, BRINK_WRITE);
	close_theirs(&scene.pair);
	expect_silence(scene.loop);
	while ((result = brink_watch_write(&scene.probe.watch, "x", 1)) == 1 && monotonic_now() < end)
		sleep_ms(1);
	expect_broken(result);
	expect_broken(brink_watch_write(&scene.probe.watch, "x", 1));
	expect_broken(brink_watch_writev(&scene.probe.watch, &part, 1));
	expect_no_sigpipe();
	expect_silence(scene.loop);
	close_scene(&scene);
}

/* A SIGPIPE of the program's own that is pending stays pending, and blocked. */
static void own_sigpipe_stays(enum kind kind)
{
	struct scene scene;
	sigset_t set, before;

	open_watched(&scene, kind, BRINK_WRITE);
	expect_only(&scene, BRINK_WRITE);
	close_theirs(&scene.pair);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	SYSCALL(sigprocmask(SIG_BLOCK, &set, &before));
	CHECK_EQ(raise(SIGPIPE), 0);
	for (int i = 0; i < 2; i++) {
		CHECK_ERROR(brink_watch_write(&scene.probe.watch, "x", 1), -EPIPE);
		SYSCALL(sigpending(&set));
		CHECK_EQ(sigismember(&set, SIGPIPE), 1);
	}
	SYSCALL(sigprocmask(SIG_BLOCK, NULL, &set));
	CHECK_EQ(sigismember(&set, SIGPIPE), 1);
	look_for_sigpipe();
	SYSCALL(sigprocmask(SIG_SETMASK, &before, NULL));
	CHECK_EQ(sigpipes_seen(), 1);
	close_scene(&scene);
}

/* With everything full there is no room that could wake the writer: the close must. */
static void close_wakes_writer(enum kind kind)
{
	struct scene scene;
	ssize_t result;

	look_for_sigpipe();
	open_watched(&scene, kind, BRINK_WRITE);
	expect_only(&scene, BRINK_WRITE);
	block_writer(&scene, &scene.probe);
	close_theirs(&scene.pair);
	do {
		RUN_UNTIL(scene.loop, (scene.probe.new_ready & BRINK_WRITE) != 0);
		observe(scene.loop, &scene.probe, "the peer closes, its buffer full", BRINK_WRITE | BRINK_ERROR);
		while ((result = brink_watch_write(&scene.probe.watch, "x", 1)) == 1)
			;
	} while (result == -EAGAIN);
	expect_broken(result);
	expect_no_sigpipe();
	expect_silence(scene.loop);
	close_scene(&scene);
}

static void full_pipe_loses_reader(enum kind kind)
{
	struct scene scene;

	open_scene(&scene, kind, BRINK_WRITE);
	fill(scene.pair.ours);
	watch_scene(&scene, BRINK_WRITE);
	expect_silence(scene.loop);
	close_theirs(&scene.pair);
	expect_ending(&scene, "pipe full, reader gone", BRINK_WRITE, BRINK_ERROR);
	CHECK_ERROR(brink_watch_write(&scene.probe.watch, "x", 1), -EPIPE);
	expect_silence(scene.loop);
	close_scene(&scene);
}

static void dead_pipe_writer(enum kind kind)
{
	struct scene scene;

	open_scene(&scene, kind, BRINK_WRITE);
	close_theirs(&scene.pair);
	watch_scene(&scene, BRINK_WRITE);
	expect_ending(&scene, "started on a pipe without reader", BRINK_WRITE, BRINK_ERROR);
	CHECK_ERROR(brink_watch_write(&scene.probe.watch, "x", 1), -EPIPE);
	expect_silence(scene.loop);
	/* Not only once. */
	stop_probe(&scene.probe);
	watch_scene(&scene, BRINK_WRITE);
	expect_ending(&scene, "started on a pipe without reader", BRINK_WRITE, BRINK_ERROR);
	close_scene(&scene);
}

/* The reader goes while the writer's direction is on its way to the kernel again. */
static void pipe_dies_before_rearm(enum kind kind)
{
	struct scene scene;

	open_watched(&scene, kind, BRINK_WRITE);
	expect_only(&scene, BRINK_WRITE);
	fill_by_watch(&scene.probe);
	close_theirs(&scene.pair);
	expect_ending(&scene, "pipe full, reader gone", BRINK_WRITE, BRINK_ERROR);
	CHECK_ERROR(brink_watch_write(&scene.probe.watch, "x", 1), -EPIPE);
	expect_silence(scene.loop);
	close_scene(&scene);
}

static const struct scenario scenarios[] = {
	SCENARIO("end/reset-while-idle", reset_while_idle, KINDS_TCP, .promises = {2, 4, 16}),
	SCENARIO("end/reset-leaves-so-error", reset_leaves_so_error, KINDS_TCP, .promises = {4}),
	SCENARIO("end/write-tells-reset", write_tells_reset, KINDS_TCP, .promises = {4, 16}),
	SCENARIO("end/writev-tells-reset", writev_tells_reset, KINDS_TCP, .promises = {2, 16}),
	SCENARIO("end/reset-before-start", reset_before_start, KINDS_TCP, .promises = {1, 4}),
	SCENARIO("end/reset-wakes-writer", reset_wakes_writer, KINDS_TCP, .promises = {3, 4, 16}),
	SCENARIO("end/reset-wakes-mere-writer", reset_wakes_mere_writer, KINDS_TCP, .promises = {3, 4}),
	SCENARIO("end/two-owners-reset", two_owners_reset, KINDS_TCP, .promises = {4, 5, 17}),
	SCENARIO("end/heir-is-told", heir_is_told, KINDS_TCP, .promises = {1, 4, 5}),
	SCENARIO("end/reset-while-undrained", reset_while_undrained, KINDS_TCP, .promises = {2, 4}),
	SCENARIO("end/reset-seen-before-rearm", reset_seen_before_rearm, KINDS_TCP, .promises = {3, 4}),
	SCENARIO("end/reset-unseen-before-rearm", reset_unseen_before_rearm, KINDS_TCP,
	         .promises = {3, 4}),
	SCENARIO("end/level-reset", level_reset, KINDS_TCP, .promises = {4, 18}),
	SCENARIO("end/close-with-unread", close_with_unread, KINDS_STREAM, .promises = {2, 4, 16}),
	SCENARIO("end/write-to-closed-peer", write_to_closed_peer, KINDS_ALL, .promises = {2, 16}),
	SCENARIO("end/own-sigpipe-stays", own_sigpipe_stays, KIND_PIPE | KIND_UNIX, .promises = {16}),
	SCENARIO("end/close-wakes-writer", close_wakes_writer, KINDS_ALL, .promises = {3, 4, 16}),
	SCENARIO("end/full-pipe-loses-reader", full_pipe_loses_reader, KIND_PIPE, .promises = {3, 4}),
	SCENARIO("end/dead-pipe-writer", dead_pipe_writer, KIND_PIPE, .promises = {1, 4}),
	SCENARIO("end/pipe-dies-before-rearm", pipe_dies_before_rearm, KIND_PIPE, .promises = {3, 4}),
	NO_MORE_SCENARIOS,
};

const struct group reset_group = {"reset", scenarios};
