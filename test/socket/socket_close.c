/* The ends of a connection: ours, the peer's, with grace and without. */
#include "groups.h"
#include "socket_stage.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MUCH 4000000u

/* What was queued goes out before our end; then nothing more is taken, and reading goes on. */
static void shutdown_after_the_queue(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;

	open_life(&life, loop, kind, NULL);
	socket = held(&life);
	CHECK_OK(write_pattern(socket, 0, MUCH, NULL));
	CHECK_OK(brink_socket_shutdown(socket));
	CHECK_ERROR(write_pattern(socket, MUCH, 10, NULL), -EPIPE);
	CHECK_ERROR(write_pattern(socket, MUCH, 10, &(struct brink_write_options){
		.flags = BRINK_WRITE_FORCE | BRINK_WRITE_QUEUED}), -EPIPE);
	CHECK_ERROR(brink_socket_shutdown(socket), -EPIPE);
	TAKE_UNTIL(&life, &taken, taken.ended);
	CHECK_EQ(taken.error, 0);
	expect_pattern(&taken, MUCH);
	CHECK_ERROR(write_pattern(socket, MUCH, 10, NULL), -EPIPE);
	write_all(life.pair.theirs, "still read", 10);
	RUN_UNTIL(loop, life.got == 10);
	CHECK_EQ(life.closes, 0);
	/* Both have ended: nothing is left to come. */
	CHECK_EQ(shutdown(life.pair.theirs, SHUT_WR), 0);
	expect_close(&life, 0);
	forget(&taken);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

static void shutdown_before_it_stands(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;

	start_life(&life, loop, kind, NULL);
	socket = held(&life);
	CHECK_OK(write_pattern(socket, 0, 1000, NULL));
	CHECK_OK(brink_socket_shutdown(socket));
	TAKE_UNTIL(&life, &taken, taken.ended);
	CHECK_EQ(life.opens, 1);
	expect_pattern(&taken, 1000);
	forget(&taken);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* The peer gets every byte although it sends, and we do not read, when we close. */
static void close_loses_nothing(enum kind kind)
{
	static const uint8_t noise[50000];
	brink_loop *loop = new_loop();

	for (unsigned paused = 0; paused < 2; paused++) {
		struct taken taken = {0};
		struct life life;
		brink_socket *socket;
		unsigned arrivals;

		open_life(&life, loop, kind, &(struct brink_socket_options){
			.flags = paused ? BRINK_SOCKET_PAUSED : 0, .linger_timeout = BRINK_SECONDS(100)});
		socket = held(&life);
		CHECK_OK(write_pattern(socket, 0, MUCH, NULL));
		write_all(life.pair.theirs, noise, sizeof noise / 2);
		CHECK_OK(brink_socket_close(socket));
		arrivals = life.arrivals;
		CHECK_ERROR(brink_socket_close(socket), -EPIPE);
		CHECK_ERROR(brink_socket_shutdown(socket), -EPIPE);
		CHECK_ERROR(write_pattern(socket, 0, 1, NULL), -EPIPE);
		CHECK(is_alive(life.id));
		CHECK_EQ(info_of(socket).state, BRINK_SOCKET_CLOSING);
		RUN_UNTIL(loop, (take(life.pair.theirs, &taken, 100000),
			(void)!write(life.pair.theirs, noise, 1000), taken.ended));
		CHECK_EQ(taken.error, 0);
		write_all(life.pair.theirs, noise, 1000);
		turn(loop);
		CHECK_EQ(life.closes, 0);
		close_fd(&life.pair.theirs);
		expect_close(&life, 0);
		CHECK_EQ(life.arrivals, arrivals);
		expect_pattern(&taken, MUCH);
		forget(&taken);
		brink_socket_release(socket);
		end_life(&life);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

/* Nor where reading is paused only then, by who knows nothing of the close: the peer's end is seen. */
static void paused_after_close(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct life life;
	brink_socket *socket;

	open_life(&life, loop, kind, &(struct brink_socket_options){.linger_timeout = BRINK_SECONDS(100)});
	socket = held(&life);
	CHECK_OK(brink_socket_close(socket));
	expect_silence(loop);
	brink_socket_pause(socket);
	write_all(life.pair.theirs, "still sent", 10);
	CHECK_EQ(shutdown(life.pair.theirs, SHUT_WR), 0);
	expect_close(&life, 0);
	CHECK_EQ(life.arrivals, 0);
	expect_end(life.pair.theirs);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* A peer that never ends is waited for no longer than linger_timeout. */
static void linger_is_over(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct life life;
	brink_socket *socket;
	uint64_t before;

	open_life(&life, loop, kind, &(struct brink_socket_options){.linger_timeout = BRINK_MS(60)});
	socket = held(&life);
	before = monotonic_now();
	CHECK_OK(brink_socket_close(socket));
	brink_socket_release(socket);
	expect_end(life.pair.theirs);
	expect_close(&life, 0);
	CHECK(monotonic_now() - before >= BRINK_MS(60));
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

static void close_after_shutdown(enum kind kind)
{
	brink_loop *loop = new_loop();

	for (unsigned settled = 0; settled < 2; settled++) {
		struct taken taken = {0};
		struct life life;
		brink_socket *socket;

		open_life(&life, loop, kind, &(struct brink_socket_options){.linger_timeout = BRINK_SECONDS(100)});
		socket = held(&life);
		CHECK_OK(write_pattern(socket, 0, 100, NULL));
		CHECK_OK(brink_socket_shutdown(socket));
		if (settled)
			TAKE_UNTIL(&life, &taken, taken.ended);
		CHECK_OK(brink_socket_close(socket));
		CHECK_ERROR(brink_socket_close(socket), -EPIPE);
		brink_socket_release(socket);
		TAKE_UNTIL(&life, &taken, taken.ended);
		expect_pattern(&taken, 100);
		CHECK_EQ(life.closes, 0);
		close_fd(&life.pair.theirs);
		expect_close(&life, 0);
		forget(&taken);
		end_life(&life);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static void abort_resets(enum kind kind)
{
	brink_loop *loop = new_loop();

	for (unsigned much = 0; much < 2; much++) {
		struct taken taken = {0};
		struct life life;
		brink_socket *socket;

		open_life(&life, loop, kind, NULL);
		socket = held(&life);
		if (much)
			CHECK_OK(write_pattern(socket, 0, MUCH, NULL));
		CHECK_OK(brink_socket_abort(life.id));
		CHECK(!is_alive(life.id));
		CHECK_ERROR(brink_socket_abort(life.id), -ENOENT);
		brink_socket_release(socket);
		RUN_UNTIL(loop, life.closes == 1);
		CHECK(life.error < 0);
		RUN_UNTIL(loop, (take(life.pair.theirs, &taken, SIZE_MAX), taken.ended));
		CHECK_EQ(taken.error, kind == KIND_UNIX ? 0 : ECONNRESET);
		forget(&taken);
		end_life(&life);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- the peer's end ---- */

static void nothing(brink_socket *socket, void *arg)
{
	(void)socket;
	(void)arg;
}

/* Without on_end it is answered by a close: what is queued is sent. */
static void end_is_answered(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;

	open_life(&life, loop, kind, NULL);
	socket = held(&life);
	CHECK_OK(write_pattern(socket, 0, MUCH, NULL));
	write_all(life.pair.theirs, "the last words", 14);
	CHECK_EQ(shutdown(life.pair.theirs, SHUT_WR), 0);
	TAKE_UNTIL(&life, &taken, taken.ended);
	CHECK_EQ(taken.error, 0);
	expect_pattern(&taken, MUCH);
	CHECK_EQ(life.got, 14);
	expect_close(&life, 0);
	CHECK_ERROR(write_pattern(socket, 0, 1, NULL), -ECONNABORTED);
	forget(&taken);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* With on_end our side stays open until we end it. */
static void half_closed_by_peer(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;

	open_life(&life, loop, kind, &(struct brink_socket_options){.on_end = nothing});
	socket = held(&life);
	write_all(life.pair.theirs, "the last words", 14);
	CHECK_EQ(shutdown(life.pair.theirs, SHUT_WR), 0);
	RUN_UNTIL(loop, life.ends == 1);
	CHECK_EQ(life.got, 14);
	expect_silence(loop);
	for (unsigned i = 0; i < 5; i++) {
		CHECK_OK(write_pattern(socket, i * MUCH / 5, MUCH / 5, NULL));
		TAKE_UNTIL(&life, &taken, taken.size == (i + 1) * MUCH / 5);
	}
	CHECK_EQ(life.ends, 1);
	CHECK_EQ(life.closes, 0);
	expect_pattern(&taken, MUCH);
	CHECK_OK(brink_socket_shutdown(socket));
	expect_close(&life, 0);
	take(life.pair.theirs, &taken, SIZE_MAX);
	CHECK(taken.ended && taken.error == 0);
	forget(&taken);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* The peer's end while it is paused: it is told after the resume, with what came before. */
static void end_while_paused(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct life life;
	brink_socket *socket;

	open_life(&life, loop, kind, &(struct brink_socket_options){.on_end = nothing, .flags = BRINK_SOCKET_PAUSED});
	socket = held(&life);
	write_all(life.pair.theirs, "the last words", 14);
	CHECK_EQ(shutdown(life.pair.theirs, SHUT_WR), 0);
	for (unsigned i = 0; i < 3; i++)
		turn(loop);
	CHECK_EQ(life.arrivals, 0);
	CHECK_EQ(life.closes, 0);
	brink_socket_resume(socket);
	RUN_UNTIL(loop, life.ends == 1);
	CHECK_EQ(life.got, 14);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* A reset ends everything with the reason. */
static void peer_resets(enum kind kind)
{
	brink_loop *loop = new_loop();

	for (unsigned writing = 0; writing < 2; writing++) {
		struct life life;
		brink_socket *socket;

		open_life(&life, loop, kind, &(struct brink_socket_options){.on_end = nothing});
		socket = held(&life);
		if (writing)
			CHECK_OK(write_pattern(socket, 0, 20u << 20, NULL));
		reset_theirs(&life.pair);
		RUN_UNTIL(loop, life.closes == 1);
		CHECK(life.error == -ECONNRESET || life.error == -EPIPE);
		CHECK_ERROR(brink_socket_write_bytes(socket, "x", 1), life.error);
		brink_socket_release(socket);
		end_life(&life);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

/* What the peer said before it reset the connection is read, whoever hears of the reset first: a write, or the edge. */
static void last_words(enum kind kind)
{
	brink_loop *loop = new_loop();

	for (unsigned queued = 0; queued < 2; queued++) {
		struct life life;
		brink_socket *socket;

		open_life(&life, loop, kind, &(struct brink_socket_options){.on_end = nothing});
		socket = held(&life);
		CHECK_OK(write_pattern(socket, 0, 100, NULL));
		expect_silence(loop);
		write_all(life.pair.theirs, "the last words", 14);
		close_fd(&life.pair.theirs); /* with something unread */
		await(life.fd, BRINK_READ);
		CHECK_OK(write_pattern(socket, 100, 100, &(struct brink_write_options){
			.flags = queued ? BRINK_WRITE_QUEUED : 0}));
		RUN_UNTIL(loop, life.closes == 1);
		CHECK_EQ(life.got, 14);
		CHECK_EQ(life.ends, 0);
		CHECK(life.error == -ECONNRESET || life.error == -EPIPE);
		brink_socket_release(socket);
		end_life(&life);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static void pause_at_first(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)arg;
	if (brink_buffer_length(in) == 1)
		brink_socket_pause(socket);
	brink_buffer_clear(in);
}

/* They have come after a read that had shown that nothing was left. */
static void last_words_behind_others(enum kind kind)
{
	brink_loop *loop = new_loop();
	brink_socket *socket;
	struct life life;

	open_life(&life, loop, kind, &(struct brink_socket_options){.on_end = nothing, .on_bytes = pause_at_first});
	socket = held(&life);
	write_all(life.pair.theirs, "x", 1);
	CHECK_OK(write_pattern(socket, 0, 100, NULL));
	RUN_UNTIL(loop, life.got == 1);
	write_all(life.pair.theirs, "the last words", 14);
	close_fd(&life.pair.theirs);
	await(life.fd, BRINK_READ);
	CHECK_OK(write_pattern(socket, 100, 100, &(struct brink_write_options){.flags = BRINK_WRITE_QUEUED}));
	brink_socket_resume(socket);
	RUN_UNTIL(loop, life.closes == 1);
	CHECK_EQ(life.got, 15);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* Who leaves what came until it can write waits for nothing then. */
static void answer(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)arg;
	brink_socket_write(socket, in);
}

static void pause_at_once(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)arg;
	brink_buffer_pop(in, 1);
	brink_socket_pause(socket);
}

/* Nobody waits for who does not read on. */
static void last_words_unwanted(enum kind kind)
{
	static const struct brink_socket_options options[] = {
		{.flags = BRINK_SOCKET_PAUSED},
		{.on_bytes = pause_at_once},
		{.on_bytes = answer, .unsent_limit = 1},
	};
	brink_loop *loop = new_loop();

	for (unsigned i = 0; i < sizeof options / sizeof options[0]; i++) {
		struct life life;
		brink_socket *socket;

		open_life(&life, loop, kind, &options[i]);
		socket = held(&life);
		CHECK_OK(write_pattern(socket, 0, 100, NULL));
		expect_silence(loop);
		write_all(life.pair.theirs, "the last words", 14);
		close_fd(&life.pair.theirs);
		await(life.fd, BRINK_READ);
		CHECK_OK(write_pattern(socket, 100, 100, NULL));
		RUN_UNTIL(loop, life.closes == 1);
		CHECK(life.error == -ECONNRESET || life.error == -EPIPE);
		brink_socket_release(socket);
		end_life(&life);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

/* The turn that hears of the peer's end, and one more: a wait for each step would be one too many. */
static void closed_in_two_turns(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct life life;
	unsigned turns = 0;

	for (unsigned i = 0; i < 3; i++) {
		open_life(&life, loop, kind, NULL);
		expect_silence(loop);
		CHECK_EQ(shutdown(life.pair.theirs, SHUT_WR), 0);
		await(life.fd, BRINK_READ);
		for (turns = 0; life.closes == 0; turns++)
			CHECK_OK(brink_loop_run_once(loop, BRINK_SECONDS(10)));
		CHECK(turns <= 2);
		CHECK_EQ(life.error, 0);
		end_life(&life);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("socket-close/shutdown-after-the-queue", shutdown_after_the_queue, KINDS_STREAM),
	SCENARIO("socket-close/shutdown-before-it-stands", shutdown_before_it_stands, KINDS_STREAM),
	SCENARIO("socket-close/close-loses-nothing", close_loses_nothing, KINDS_STREAM),
	SCENARIO("socket-close/paused-after-close", paused_after_close, KINDS_STREAM),
	SCENARIO("socket-close/linger-is-over", linger_is_over, KINDS_STREAM),
	SCENARIO("socket-close/close-after-shutdown", close_after_shutdown, KINDS_STREAM),
	SCENARIO("socket-close/abort-resets", abort_resets, KINDS_STREAM),
	SCENARIO("socket-close/end-is-answered", end_is_answered, KINDS_STREAM),
	SCENARIO("socket-close/half-closed-by-peer", half_closed_by_peer, KINDS_STREAM),
	SCENARIO("socket-close/end-while-paused", end_while_paused, KINDS_STREAM),
	SCENARIO("socket-close/peer-resets", peer_resets, KINDS_TCP),
	SCENARIO("socket-close/last-words", last_words, KINDS_STREAM),
	SCENARIO("socket-close/last-words-behind-others", last_words_behind_others, KINDS_STREAM),
	SCENARIO("socket-close/last-words-unwanted", last_words_unwanted, KINDS_STREAM),
	SCENARIO("socket-close/closed-in-two-turns", closed_in_two_turns, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group socket_close_group = {"socket-close", scenarios};
