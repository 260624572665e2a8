/* Forks of a process whose backend moves the bytes: the child, which goes on with the loop, has what the loop
 * had, and nothing twice. */
#include "groups.h"
#include "socket_stage.h"

#include <string.h>
#include <unistd.h>

/* The peer of each has this, and no more. */
static void expect_heard(struct life *life, const char *bytes, size_t size)
{
	char heard[16];

	read_exactly(life->pair.theirs, heard, size);
	CHECK(memcmp(heard, bytes, size) == 0);
	CHECK_EQ(drain(life->pair.theirs), 0);
}

static void turn_some(brink_loop *loop)
{
	for (unsigned i = 0; i < 5; i++)
		turn(loop);
}

/* ---- between two turns ---- */

static void say_back(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)arg;
	CHECK_OK(brink_socket_write(socket, in));
}

/* What was sent is not sent again, and what came is not lost. The parent has no further turn. */
static void between_turns(enum kind kind)
{
	brink_loop *loop = new_loop_with(&(struct brink_loop_options){.batch = 1});
	struct life lives[2];
	pid_t child;

	for (int i = 0; i < 2; i++)
		open_life(&lives[i], loop, kind, &(struct brink_socket_options){.on_bytes = say_back});
	turn(loop);
	for (int i = 0; i < 2; i++)
		write_all(lives[i].pair.theirs, "bytes", 5);
	RUN_UNTIL(loop, lives[0].got + lives[1].got > 0);
	child = fork();
	SYSCALL(child);
	if (child == 0) {
		CHECK_OK(brink_loop_after_fork(loop));
		RUN_UNTIL(loop, lives[0].got == 5 && lives[1].got == 5);
		turn_some(loop);
		_exit(0);
	}
	expect_success_of(child);
	for (int i = 0; i < 2; i++)
		expect_heard(&lives[i], "bytes", 5);
	for (int i = 0; i < 2; i++)
		end_life(&lives[i]);
	CHECK_OK(brink_loop_destroy(loop));
}

static void ignore(brink_watch *watch, unsigned ready)
{
	(void)watch;
	(void)ready;
}

/* Since the last turn, whose bytes are not lost, a watch of something else was stopped. */
static void after_a_stop(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair other = open_pair(kind, BRINK_READ);
	struct life life;
	brink_watch watch;
	pid_t child;

	brink_watch_init(&watch, ignore);
	CHECK_OK(brink_watch_start(loop, &watch, other.ours, BRINK_READ));
	open_life(&life, loop, kind, NULL);
	turn_some(loop);
	write_all(life.pair.theirs, "bytes", 5);
	CHECK_OK(brink_watch_stop(&watch));
	child = fork();
	SYSCALL(child);
	if (child == 0) {
		CHECK_OK(brink_loop_after_fork(loop));
		RUN_UNTIL(loop, life.got == 5);
		_exit(0);
	}
	expect_success_of(child);
	end_life(&life);
	close_pair(&other);
	CHECK_OK(brink_loop_destroy(loop));
}

/* A host forks where it would wait. */
static void before_the_hosts_turn(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct life life;
	int64_t timeout = 0;
	pid_t child;

	open_life(&life, loop, kind, &(struct brink_socket_options){.on_bytes = say_back});
	turn(loop);
	write_all(life.pair.theirs, "bytes", 5);
	CHECK_OK(brink_loop_prepare(loop, &timeout));
	child = fork();
	SYSCALL(child);
	if (child == 0) {
		CHECK_OK(brink_loop_after_fork(loop));
		RUN_UNTIL(loop, life.got == 5);
		turn_some(loop);
		_exit(0);
	}
	expect_success_of(child);
	expect_heard(&life, "bytes", 5);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- in a callback ---- */

#define MANY 12u /* more than queues of two entries hold answers */

struct forker {
	struct life lives[MANY];
	unsigned count; /* of them */
	brink_loop *loop;
	unsigned calls, fork_at; /* of on_bytes */
	pid_t child; /* 0: in it; -1: before */
};

static void say_back_and_fork(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct forker *forker = arg;

	if (++forker->calls != forker->fork_at) {
		CHECK_OK(brink_socket_write(socket, in));
		return;
	}
	brink_buffer_clear(in);
	forker->child = fork();
	SYSCALL(forker->child);
	if (forker->child == 0)
		CHECK_OK(brink_loop_after_fork(forker->loop));
}

/* `count` connections have bytes, and the call for one of them forks. */
static void play(struct forker *forker, enum kind kind, unsigned count, unsigned batch, unsigned fork_at)
{
	struct brink_loop_options options = {.batch = batch, .ring_entries = 2};

	*forker = (struct forker){.count = count, .child = -1, .fork_at = fork_at};
	forker->loop = new_loop_with(&options);
	for (unsigned i = 0; i < count; i++)
		open_life(&forker->lives[i], forker->loop, kind,
		          &(struct brink_socket_options){.on_bytes = say_back_and_fork, .arg = forker});
	turn(forker->loop);
	for (unsigned i = 0; i < count; i++)
		write_all(forker->lives[i].pair.theirs, "bytes", 5);
	RUN_UNTIL(forker->loop, forker->child >= 0);
}

static void end_play(struct forker *forker)
{
	for (unsigned i = 0; i < forker->count; i++)
		end_life(&forker->lives[i]);
	CHECK_OK(brink_loop_destroy(forker->loop));
}

static size_t got(struct forker *forker)
{
	size_t sum = 0;

	for (unsigned i = 0; i < forker->count; i++)
		sum += forker->lives[i].got;
	return sum;
}

/* The loop has still to look at what has come on the other connections. */
static void before_all_is_seen(enum kind kind)
{
	struct forker forker;

	play(&forker, kind, MANY, 1, 1);
	if (forker.child == 0) {
		RUN_UNTIL(forker.loop, got(&forker) == MANY * 5);
		_exit(0);
	}
	expect_success_of(forker.child);
	end_play(&forker);
}

/* What the first call has written is to go with the next wait, which both have. */
static void before_all_is_sent(enum kind kind)
{
	struct forker forker;
	size_t heard = 0;

	play(&forker, kind, 2, 0, 2);
	turn_some(forker.loop);
	if (forker.child == 0)
		_exit(0);
	expect_success_of(forker.child);
	for (unsigned i = 0; i < 2; i++)
		heard += drain(forker.lives[i].pair.theirs);
	CHECK_EQ(heard, 5);
	end_play(&forker);
}

#define MUCH 60000u

static void say_much(struct life *life, size_t *said)
{
	static const char bytes[MUCH];

	write_all(life->pair.theirs, bytes, sizeof bytes);
	*said += sizeof bytes;
}

/* The parent reads no more before the child has ended. */
static void drop_fork_and_wait(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct forker *forker = arg;

	(void)socket;
	brink_buffer_clear(in);
	if (++forker->calls != forker->fork_at)
		return;
	forker->child = fork();
	SYSCALL(forker->child);
	if (forker->child == 0)
		CHECK_OK(brink_loop_after_fork(forker->loop));
	else
		expect_success_of(forker->child);
}

/* When a connection that has much to read stops to be received for, and reads by itself, some of it is still under
 * way. */
static void while_it_changes_to_reads(enum kind kind)
{
	struct forker forker;
	struct life *life = &forker.lives[0];

	for (unsigned fork_at = 1; fork_at <= 8; fork_at++) {
		size_t said = 0;

		forker = (struct forker){.child = -1, .fork_at = fork_at, .loop = new_loop()};
		open_life(life, forker.loop, kind,
		          &(struct brink_socket_options){.on_bytes = drop_fork_and_wait, .arg = &forker});
		turn(forker.loop);
		while (forker.child < 0) {
			say_much(life, &said);
			RUN_UNTIL(forker.loop, life->got == said || forker.child >= 0);
		}
		if (forker.child == 0) {
			say_much(life, &said);
			RUN_UNTIL(forker.loop, life->got == said);
			_exit(0);
		}
		end_life(life);
		CHECK_OK(brink_loop_destroy(forker.loop));
	}
}

static const struct scenario scenarios[] = {
	SCENARIO("stream-forks/between-turns", between_turns, KINDS_STREAM),
	SCENARIO("stream-forks/after-a-stop", after_a_stop, KINDS_STREAM),
	SCENARIO("stream-forks/before-the-hosts-turn", before_the_hosts_turn, KINDS_STREAM),
	SCENARIO("stream-forks/before-all-is-seen", before_all_is_seen, KINDS_STREAM),
	SCENARIO("stream-forks/before-all-is-sent", before_all_is_sent, KINDS_STREAM),
	SCENARIO("stream-forks/while-it-changes-to-reads", while_it_changes_to_reads, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group stream_forks_group = {"stream-forks", scenarios};
