/* Bytes that cross a socket in every way that there is: some backends move them by themselves when they
 * are few and have the socket read when they are many, and nobody may see a difference. */
#include "groups.h"
#include "socket_stage.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A connection that says back what comes, and what its peer has said and heard so far. */
struct echo {
	struct life life;
	uint64_t said, heard;
	bool gone;
};

static void echo_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)arg;
	CHECK(brink_socket_write(socket, in) == 0);
}

static void open_echo(struct echo *echo, brink_loop *loop, enum kind kind)
{
	*echo = (struct echo){.gone = false};
	open_life(&echo->life, loop, kind, &(struct brink_socket_options){
		.on_bytes = echo_bytes, .unsent_limit = SIZE_MAX / 2});
}

/* Says the next bytes of the pattern, as many of `size` as there is room for. */
static void say(struct echo *echo, size_t size)
{
	uint8_t bytes[65536];

	while (size > 0) {
		size_t part = size < sizeof bytes ? size : sizeof bytes;
		ssize_t n;

		lay_pattern(bytes, echo->said, part);
		n = write(echo->life.pair.theirs, bytes, part);
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
			return;
		SYSCALL(n);
		echo->said += (uint64_t)n;
		size -= (size_t)n;
	}
}

/* Hears at most `size` bytes of what came back. */
static void hear(struct echo *echo, size_t size)
{
	struct taken taken = {0};

	take(echo->life.pair.theirs, &taken, size);
	CHECK(!taken.ended);
	expect_part(taken.bytes, echo->heard, taken.size);
	echo->heard += taken.size;
	forget(&taken);
}

static size_t random_size(size_t most)
{
	return 1 + (size_t)(random_bits() % most);
}

static void hear_all(struct echo *echo)
{
	RUN_UNTIL(echo->life.loop, (hear(echo, SIZE_MAX), echo->heard == echo->said));
}

/* ---- small and large by turns ---- */

static void sizes_by_turns(enum kind kind)
{
	static const size_t sizes[] = {1, 64, 4096, 1 << 20, 3, 8192, 70000, 64, 300000, 1};
	brink_loop *loop = new_loop();
	struct echo echo;

	open_echo(&echo, loop, kind);
	for (unsigned round = 0; round < 60; round++) {
		uint64_t end = echo.said + sizes[round % (sizeof sizes / sizeof sizes[0])];

		/* Until a connection has had many of a size in a row its reads are of the size before. */
		for (unsigned i = 0; i < (round < 10 ? 20 : 1); i++) {
			RUN_UNTIL(loop, (say(&echo, (size_t)(end - echo.said)), hear(&echo, 5000), echo.said == end));
			hear_all(&echo);
			end += i < 19 ? sizes[round % (sizeof sizes / sizeof sizes[0])] / 16 : 0;
		}
	}
	end_life(&echo.life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- who keeps what came ---- */

struct keeper {
	brink_buffer kept;
	unsigned arrivals;
};

/* A few bytes of each arrival, for good. */
static void keep_some(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct keeper *keeper = arg;

	(void)socket;
	brink_buffer_cut(in, &keeper->kept, 3);
	brink_buffer_clear(in);
	keeper->arrivals++;
}

#define KEEPERS 40u
#define ROUNDS 60u /* with KEEPERS more arrivals than any ring has buffers */

static void keepers_starve_nobody(enum kind kind)
{
	static struct life lives[KEEPERS];
	brink_loop *loop = new_loop();
	unsigned rounds = is_slow() ? 30 : ROUNDS;
	struct keeper keeper = {.arrivals = 0};
	struct echo echo;

	open_echo(&echo, loop, kind);
	for (unsigned i = 0; i < KEEPERS; i++)
		open_life(&lives[i], loop, kind, &(struct brink_socket_options){.on_bytes = keep_some, .arg = &keeper});
	for (unsigned round = 1; round <= rounds; round++) {
		for (unsigned i = 0; i < KEEPERS; i++)
			write_all(lives[i].pair.theirs, "some bytes", 10);
		RUN_UNTIL(loop, keeper.arrivals == round * KEEPERS);
		say(&echo, 100);
		hear_all(&echo);
	}
	CHECK_EQ(brink_buffer_length(&keeper.kept), rounds * KEEPERS * 3);
	for (unsigned i = 0; i < KEEPERS; i++)
		end_life(&lives[i]);
	/* They are the program's, and outlive what they came by. */
	for (unsigned i = 0; i < rounds * KEEPERS; i++) {
		char bytes[3];

		CHECK_EQ(brink_buffer_copy(&keeper.kept, 0, bytes, 3), 3);
		CHECK(memcmp(bytes, "som", 3) == 0);
		brink_buffer_pop(&keeper.kept, 3);
	}
	end_life(&echo.life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- pause ---- */

/* Whoever pauses is not sent more than the kernel's buffers hold, and a little. */
static void pause_bounds_what_comes(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair plain = open_pair(kind, BRINK_READ);
	size_t room = fill(plain.theirs);
	struct echo echo;
	brink_socket *socket;
	unsigned full = 0;

	open_echo(&echo, loop, kind);
	socket = held(&echo.life);
	say(&echo, 100);
	hear_all(&echo);
	brink_socket_pause(socket);
	for (unsigned round = 0; round < 10000 && full < 20; round++) {
		uint64_t before = echo.said;

		say(&echo, 10000);
		CHECK(brink_loop_run_once(loop, BRINK_MS(1)) >= 0);
		full = echo.said == before ? full + 1 : 0;
	}
	measure("bytes that a paused socket's peer got rid of, beyond the kernel's room", "%lld",
	        (long long)(echo.said - 100) - (long long)room);
	CHECK(full == 20);
	CHECK_EQ(echo.life.got, 100);
	brink_socket_resume(socket);
	hear_all(&echo);
	brink_socket_release(socket);
	end_life(&echo.life);
	close_pair(&plain);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- the end ---- */

static void end_by(int fd, bool reset)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	if (reset)
		SYSCALL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
	else
		SYSCALL(shutdown(fd, SHUT_WR));
}

/* Bytes, and at once the end or a reset, before the loop takes notice of any. */
static void end_right_behind_bytes(enum kind kind)
{
	brink_loop *loop = new_loop();

	for (unsigned round = 0; round < 60; round++) {
		bool reset = round % 2 != 0;
		struct life life;

		open_life(&life, loop, kind, NULL);
		write_all(life.pair.theirs, "first", 5);
		RUN_UNTIL(loop, life.got == 5);
		write_all(life.pair.theirs, "last", 4);
		end_by(life.pair.theirs, reset);
		if (reset)
			close_theirs(&life.pair);
		RUN_UNTIL(loop, life.closes == 1);
		CHECK(reset || life.got == 9);
		end_life(&life);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- the end of a run ---- */

static void answer_and_stop(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)arg;
	CHECK(brink_socket_write(socket, in) == 0);
	brink_loop_stop(brink_socket_loop(socket));
}

static void sent_when_run_returns(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct life life;

	open_life(&life, loop, kind, &(struct brink_socket_options){.on_bytes = answer_and_stop});
	for (unsigned round = 0; round < 20; round++) {
		char byte = 0;

		write_all(life.pair.theirs, "q", 1);
		CHECK_EQ(brink_loop_run(loop), 1);
		read_exactly(life.pair.theirs, &byte, 1);
		CHECK_EQ(byte, 'q');
	}
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- several in one turn ---- */

struct outcome {
	unsigned ends;
	int error;
};

static void note_outcome(brink_socket *socket, int error, void *arg)
{
	struct outcome *outcome = arg;

	(void)socket;
	outcome->ends++;
	outcome->error = error;
}

/* Two requests, which travel together. */
static void answer_in_halves(brink_socket *socket, brink_buffer *in, void *arg)
{
	brink_buffer half = {0};

	(void)arg;
	brink_buffer_cut(in, &half, brink_buffer_length(in) / 2);
	CHECK_OK(brink_socket_write(socket, &half));
	CHECK_OK(brink_socket_write(socket, in));
}

/* What is gathered for one connection stays what it is until it has gone, also while it is gathered for others. */
static void gathered_for_several(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct life lives[5];

	for (unsigned i = 0; i < 5; i++)
		open_life(&lives[i], loop, kind, &(struct brink_socket_options){.on_bytes = answer_in_halves});
	for (unsigned round = 0; round < 200; round++) {
		char said[500], heard[500];

		for (unsigned i = 0; i < 5; i++) {
			memset(said, 'a' + (int)i, sizeof said);
			write_all(lives[i].pair.theirs, said, sizeof said);
		}
		RUN_UNTIL(loop, lives[0].got + lives[1].got + lives[2].got + lives[3].got + lives[4].got ==
		                5 * (round + 1) * sizeof said);
		CHECK(brink_loop_run_once(loop, 0) >= 0); /* by which the last are sent */
		for (unsigned i = 0; i < 5; i++) {
			memset(said, 'a' + (int)i, sizeof said);
			read_exactly(lives[i].pair.theirs, heard, sizeof heard);
			CHECK(memcmp(said, heard, sizeof said) == 0);
		}
	}
	for (unsigned i = 0; i < 5; i++)
		end_life(&lives[i]);
	CHECK_OK(brink_loop_destroy(loop));
}

struct failing {
	brink_task task;
	struct life life;
	struct outcome outcome;
};

static void fail_it(brink_task *task)
{
	CHECK_OK(brink_socket_fail(brink_container_of(task, struct failing, task)->life.id, 0, NULL));
}

static void answer_and_fail(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct failing *failing = arg;

	CHECK_OK(brink_socket_write_with(socket, in, &(struct brink_write_options){
		.done = note_outcome, .arg = &failing->outcome}));
	brink_task_post(failing->life.loop, &failing->task);
}

/* A request that was sent has not failed, though its socket did before anybody had looked. */
static void sent_before_it_fails(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct failing failing = {.outcome = {0, 1}};

	brink_task_init(&failing.task, fail_it);
	open_life(&failing.life, loop, kind, &(struct brink_socket_options){.on_bytes = answer_and_fail, .arg = &failing});
	write_all(failing.life.pair.theirs, "bytes", 5);
	RUN_UNTIL(loop, failing.life.closes == 1);
	CHECK_EQ(failing.outcome.ends, 1);
	CHECK_OK(failing.outcome.error);
	CHECK_EQ(drain(failing.life.pair.theirs), 5);
	end_life(&failing.life);
	CHECK_OK(brink_loop_destroy(loop));
}

static void say_and_leave(brink_task *task)
{
	struct failing *failing = brink_container_of(task, struct failing, task);

	write_all(failing->life.pair.theirs, "last", 4);
	close_theirs(&failing->life.pair);
}

/* A write finds the peer gone when the kernel has its last words, and nobody has looked for them so far. */
static void last_words_are_on_their_way(enum kind kind)
{
	static const char much[1 << 17]; /* more than is left to a backend */
	const struct brink_write_options queued = {.flags = BRINK_WRITE_QUEUED};
	brink_loop *loop = new_loop();
	struct failing failing = {.outcome = {0, 0}};
	brink_socket *socket;
	brink_buffer bytes = {0};

	CHECK_OK(brink_buffer_append(&bytes, much, sizeof much));
	brink_task_init(&failing.task, say_and_leave);
	open_life(&failing.life, loop, kind, NULL);
	turn(loop);
	socket = held(&failing.life);
	brink_task_post(loop, &failing.task);
	CHECK_OK(brink_socket_write_with(socket, &bytes, &queued));
	brink_socket_release(socket);
	RUN_UNTIL(loop, failing.life.closes == 1);
	CHECK_EQ(failing.life.got, 4);
	end_life(&failing.life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- from thread to thread ---- */

static void *run_loop(void *loop)
{
	CHECK(brink_loop_run(loop) == 1);
	return NULL;
}

/* Each run is another thread's; what came while nobody ran it, and at the very moment of the change, is
 * neither lost nor doubled. */
static void from_thread_to_thread(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct echo echoes[4];
	pthread_t thread;

	for (unsigned i = 0; i < 4; i++)
		open_echo(&echoes[i], loop, kind);
	for (unsigned round = 0; round < 40; round++) {
		for (unsigned i = 0; i < 4; i++)
			say(&echoes[i], random_size(30000));
		run_thread(&thread, run_loop, loop);
		for (unsigned i = 0; i < 4; i++) {
			say(&echoes[i], random_size(30000));
			hear(&echoes[i], random_size(60000));
		}
		brink_loop_stop(loop);
		join_thread(thread);
		for (unsigned i = 0; round % 8 == 7 && i < 4; i++)
			hear_all(&echoes[i]);
	}
	for (unsigned i = 0; i < 4; i++) {
		hear_all(&echoes[i]);
		end_life(&echoes[i].life);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static void *turn_and_leave(void *data)
{
	struct life *life = data;

	for (unsigned i = 0; i < 5; i++)
		CHECK(brink_loop_run_once(life->loop, 0) >= 0);
	write_all(life->pair.theirs, "bytes", 5);
	return NULL;
}

/* What a thread still receives when it ends, though it has left the loop, the next one has: that, and what follows. */
static void by_a_thread_that_ends(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct life life;
	pthread_t thread;

	open_life(&life, loop, kind, NULL);
	for (unsigned round = 1; round <= 10; round++) {
		run_thread(&thread, turn_and_leave, &life);
		join_thread(thread);
		RUN_UNTIL(loop, life.got == 10 * round - 5);
		write_all(life.pair.theirs, "bytes", 5);
		RUN_UNTIL(loop, life.got == 10 * round);
		CHECK_EQ(life.ends, 0);
		CHECK_EQ(life.closes, 0);
	}
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- at random ---- */

#define ECHOES 24u

static void toggle(struct echo *echo, bool pause)
{
	brink_socket *socket = held(&echo->life);

	if (pause)
		brink_socket_pause(socket);
	else
		brink_socket_resume(socket);
	brink_socket_release(socket);
}

static void act_at_random(struct echo *echo)
{
	unsigned what = (unsigned)(random_bits() % 100);

	if (what < 45)
		say(echo, random_size(what < 30 ? 200 : what < 40 ? 9000 : 200000));
	else if (what < 80)
		hear(echo, random_size(what < 60 ? 300 : 100000));
	else if (what < 98)
		toggle(echo, what < 86);
	else if (echo->said > 300000) {
		CHECK_OK(brink_socket_abort(echo->life.id));
		echo->gone = true;
	}
}

static void at_random(enum kind kind)
{
	static struct echo echoes[ECHOES];
	brink_loop *loop = new_loop();
	unsigned steps = is_slow() ? 1000 : is_long() ? 100000 : 10000;

	for (unsigned i = 0; i < ECHOES; i++)
		open_echo(&echoes[i], loop, kind);
	for (unsigned step = 0; step < steps; step++) {
		struct echo *echo = &echoes[random_bits() % ECHOES];

		if (echo->gone) {
			end_life(&echo->life);
			open_echo(echo, loop, kind);
		}
		act_at_random(echo);
		if (random_bits() % 3 == 0)
			CHECK(brink_loop_run_once(loop, 0) >= 0);
	}
	for (unsigned i = 0; i < ECHOES; i++) {
		if (!echoes[i].gone) {
			toggle(&echoes[i], false);
			hear_all(&echoes[i]);
		}
		end_life(&echoes[i].life);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("streams/sizes-by-turns", sizes_by_turns, KINDS_STREAM),
	SCENARIO("streams/keepers-starve-nobody", keepers_starve_nobody, KINDS_STREAM),
	SCENARIO("streams/pause-bounds-what-comes", pause_bounds_what_comes, KINDS_STREAM),
	SCENARIO("streams/end-right-behind-bytes", end_right_behind_bytes, KINDS_STREAM),
	SCENARIO("streams/sent-when-run-returns", sent_when_run_returns, KINDS_STREAM),
	SCENARIO("streams/from-thread-to-thread", from_thread_to_thread, KINDS_STREAM),
	SCENARIO("streams/gathered-for-several", gathered_for_several, KINDS_STREAM),
	SCENARIO("streams/sent-before-it-fails", sent_before_it_fails, KINDS_STREAM),
	SCENARIO("streams/last-words-are-on-their-way", last_words_are_on_their_way, KIND_UNIX),
	SCENARIO("streams/by-a-thread-that-ends", by_a_thread_that_ends, KINDS_STREAM),
	SCENARIO("streams/at-random", at_random, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group streams_group = {"streams", scenarios};
