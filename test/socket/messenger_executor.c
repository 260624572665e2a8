/* Messages on an executor: several at a time, waiting for room, verified first. */
#include "groups.h"
#include "messenger_stage.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANY 2000u

static void say_many(struct talk *talk, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		say(talk, "message\n");
}

static void last_in_place(enum kind kind)
{
	struct talk talk;

	open_talk(&talk, kind);
	add_executor(&talk, 2, 0);
	start_talk(&talk);
	write_all(talk.pair.theirs, "one\ntwo\nthree\nlast\n", 19); /* in one read */
	RUN_UNTIL(talk.loop, atomic_load(&talk.processed) == 4);
	if (kind == KIND_UNIX) {
		CHECK_EQ(atomic_load(&talk.on_loop), 1);
		CHECK(strcmp(talk.last, "last") == 0);
	} else {
		CHECK(atomic_load(&talk.on_loop) >= 1);
	}
	close_talk(&talk);
}

/* Four at a time, none on the loop, which turns meanwhile. */
static void several_at_a_time(enum kind kind)
{
	struct talk talk;

	open_talk(&talk, kind);
	add_executor(&talk, 4, 0);
	talk.options.flags = BRINK_MESSENGER_NOT_IN_PLACE;
	talk.act = act_block;
	atomic_store(&talk.gate, 1);
	start_talk(&talk);
	for (unsigned i = 1; i <= 4; i++) {
		say(&talk, "slow\n");
		RUN_UNTIL(talk.loop, atomic_load(&talk.at_once) == i);
	}
	CHECK_EQ(atomic_load(&talk.processed), 0);
	atomic_store(&talk.gate, 0);
	RUN_UNTIL(talk.loop, atomic_load(&talk.processed) == 4);
	CHECK_EQ(atomic_load(&talk.on_loop), 0);
	close_talk(&talk);
}

/* A full executor holds reading back; nothing is lost, and all is processed in the end. */
static void full_executor(enum kind kind)
{
	static const unsigned flags[] = {0, BRINK_MESSENGER_NOT_IN_PLACE};
	struct talk talk;

	for (size_t i = 0; i < 2; i++) {
		open_talk(&talk, kind);
		add_executor(&talk, 2, 3);
		talk.options.flags = flags[i];
		start_talk(&talk);
		for (unsigned said = 0; said < MANY; said += 100) {
			say_many(&talk, 100);
			turn(talk.loop);
		}
		RUN_UNTIL(talk.loop, atomic_load(&talk.processed) == MANY);
		CHECK_EQ(atomic_load(&talk.bytes), 7 * MANY);
		CHECK(flags[i] == 0 || atomic_load(&talk.on_loop) == 0);
		close_talk(&talk);
	}
}

static uint64_t bytes_read(const struct talk *talk)
{
	brink_socket *socket = brink_socket_address(talk->id);
	struct brink_socket_info info;

	CHECK(socket != NULL);
	brink_socket_get_info(socket, &info);
	brink_socket_release(socket);
	return info.bytes_read;
}

#define FLOOD_LINE 64

/* While nothing can be processed, what is read of a flood is bounded; then it goes on. */
static void flood_is_not_read(enum kind kind)
{
	char lines[4096 + FLOOD_LINE];
	struct talk talk;
	size_t said = 0;
	uint64_t read;

	for (size_t i = 0; i < sizeof lines; i++)
		lines[i] = (i + 1) % FLOOD_LINE == 0 ? '\n' : 'x';
	open_talk(&talk, kind);
	add_executor(&talk, 1, 2);
	talk.options.flags = BRINK_MESSENGER_NOT_IN_PLACE;
	talk.act = act_block;
	atomic_store(&talk.gate, 1);
	start_talk(&talk);
	say(&talk, "first\n");
	RUN_UNTIL(talk.loop, atomic_load(&talk.at_once) == 1);
	for (int vain = 0; vain < 20 && said <= (size_t)1 << 20; vain++) {
		ssize_t written = write(talk.pair.theirs, lines + said % FLOOD_LINE, 4096);

		turn_briefly(talk.loop);
		if (written > 0) {
			said += (size_t)written;
			vain = 0;
		}
	}
	read = bytes_read(&talk);
	CHECK(read <= 100000);
	for (int i = 0; i < 20; i++)
		turn(talk.loop);
	CHECK_EQ(bytes_read(&talk), read);
	CHECK_EQ(atomic_load(&talk.processed), 0);
	atomic_store(&talk.gate, 0);
	if (kind == KIND_UNIX && !is_slow())
		RUN_UNTIL(talk.loop, atomic_load(&talk.processed) == 1 + said / FLOOD_LINE);
	close_talk(&talk); /* in the middle of it, for the other kinds */
}

/* ---- verification ---- */

static int verify(brink_message *message, void *arg)
{
	struct talk *talk = arg;
	char word[16] = "";

	CHECK_EQ(atomic_fetch_add(&talk->verified, 1), 0);
	CHECK_EQ(atomic_load(&talk->processed) + atomic_load(&talk->at_once), 0);
	sleep_ms(20); /* others would overtake it */
	CHECK_EQ(atomic_load(&talk->processed) + atomic_load(&talk->at_once), 0);
	brink_buffer_copy(&message->body, 0, word, sizeof word - 1);
	return strcmp(word, "secret") == 0 ? 1 : strcmp(word, "open") == 0 ? 0 : -EPERM;
}

/* Everywhere that messages can be processed. */
static void open_verified(struct talk *talk, enum kind kind, int where)
{
	open_talk(talk, kind);
	add_executor(talk, 4, 0);
	talk->options.executor = where == 0 || where == 3 ? NULL : talk->executor;
	talk->options.flags = where == 2 ? BRINK_MESSENGER_NOT_IN_PLACE : 0;
	talk->socket.executor = where == 3 ? talk->executor : NULL;
	talk->protocols[0].verify = verify;
	talk->protocols[0].arg = talk;
	start_talk(talk);
}

static void verified_once(enum kind kind)
{
	struct talk talk;

	for (int where = 0; where < 4; where++) {
		for (int first = 0; first < 2; first++) {
			open_verified(&talk, kind, where);
			say(&talk, first == 0 ? "secret\n" : "open\n");
			say_many(&talk, 100);
			RUN_UNTIL(talk.loop, atomic_load(&talk.processed) == 100u + (unsigned)first);
			say_many(&talk, 100);
			RUN_UNTIL(talk.loop, atomic_load(&talk.processed) == 200u + (unsigned)first);
			CHECK_EQ(atomic_load(&talk.verified), 1);
			close_talk(&talk);
		}
	}
}

static void refused(enum kind kind)
{
	struct talk talk;

	for (int where = 0; where < 4; where++) {
		open_verified(&talk, kind, where);
		write_all(talk.pair.theirs, "wrong\none\ntwo\n", 14);
		run_talk_until_closed(&talk, -EACCES);
		CHECK_EQ(atomic_load(&talk.verified), 1);
		CHECK_EQ(atomic_load(&talk.processed), 0);
		CHECK(strstr(talk.closed_text, "verify") != NULL);
		close_talk(&talk);
	}
}

/* The socket fails while verify thinks. */
static void failed_meanwhile(enum kind kind)
{
	struct talk talk;

	open_verified(&talk, kind, 2);
	write_all(talk.pair.theirs, "open\none\ntwo\n", 13);
	RUN_UNTIL(talk.loop, atomic_load(&talk.verified) == 1);
	CHECK_OK(brink_socket_fail(talk.id, -EIO, NULL));
	run_talk_until_closed(&talk, -EIO);
	close_talk(&talk);
	CHECK(atomic_load(&talk.processed) <= 3);
}

/* ---- what is left of a read, on the loop's thread ---- */

#define LINE 150u
#define LINES (256u + 10) /* so many are cut at once, and few are left */

static struct {
	struct talk *talk;
	pthread_t reader;
	atomic_bool known, armed;
} slow;

static void let_all_go(struct talk *talk, unsigned count)
{
	atomic_store(&talk->gate, 0);
	while (atomic_load(&talk->processed) < count)
		sleep_ms(1);
}

/* The reader is stopped where it asks for a small block, until the loop has gone on with the rest. */
static void *allocate_slowly(void *memory, size_t size, void *context)
{
	(void)context;
	if (size == 0) {
		free(memory);
		return NULL;
	}
	if (size == 8192 && atomic_load(&slow.known) && pthread_equal(pthread_self(), slow.reader) &&
	    atomic_exchange(&slow.armed, false))
		let_all_go(slow.talk, 2 + LINES);
	return realloc(memory, size);
}

static void note_reader(brink_socket *socket, void *arg)
{
	(void)socket;
	(void)arg;
	slow.reader = pthread_self();
	atomic_store(&slow.known, true);
}

static void say_at_once(struct talk *talk, char *text, size_t size)
{
	brink_socket *socket = brink_socket_address(talk->id);

	CHECK(socket != NULL);
	brink_socket_pause(socket);
	for (size_t i = LINE; i <= size; i += LINE)
		text[i - 1] = '\n';
	write_all(talk->pair.theirs, text, size);
	brink_socket_resume(socket);
	brink_socket_release(socket);
}

static void rest_is_the_loops(enum kind kind)
{
	static char text[LINE * LINES], word[50000];
	brink_executor *readers;
	struct talk talk;

	brink_set_allocator(allocate_slowly, NULL);
	memset(text, 'x', sizeof text);
	memset(word, 'w', sizeof word);
	word[sizeof word - 1] = '\n';
	open_talk(&talk, kind);
	slow.talk = &talk;
	add_executor(&talk, 1, 2);
	CHECK_OK(brink_executor_create(&readers, &(struct brink_executor_options){.threads = 1}));
	talk.options.flags = BRINK_MESSENGER_NOT_IN_PLACE;
	talk.act = act_block;
	talk.socket.executor = readers;
	talk.socket.on_open = note_reader;
	start_talk(&talk);
	write_all(talk.pair.theirs, word, sizeof word); /* after it, reads are large */
	RUN_UNTIL(talk.loop, atomic_load(&talk.processed) == 1);
	atomic_store(&talk.gate, 1);
	say(&talk, "first\n");
	RUN_UNTIL(talk.loop, atomic_load(&talk.at_once) == 1);
	atomic_store(&slow.armed, true);
	say_at_once(&talk, text, sizeof text);
	for (int i = 0; i < 20; i++)
		turn_briefly(talk.loop);
	atomic_store(&slow.armed, false);
	atomic_store(&talk.gate, 0);
	RUN_UNTIL(talk.loop, atomic_load(&talk.processed) == 2 + LINES);
	say(&talk, "last\n");
	RUN_UNTIL(talk.loop, atomic_load(&talk.processed) == 3 + LINES);
	CHECK_EQ(atomic_load(&talk.bytes), sizeof word - 1 + 5 + LINES * (LINE - 1) + 4);
	close_talk(&talk);
	CHECK_OK(brink_executor_destroy(readers));
}

static const struct scenario scenarios[] = {
	SCENARIO("messenger-executor/last-in-place", last_in_place, KINDS_STREAM),
	SCENARIO("messenger-executor/several-at-a-time", several_at_a_time, KINDS_STREAM),
	SCENARIO("messenger-executor/full-executor", full_executor, KINDS_STREAM),
	SCENARIO("messenger-executor/flood-is-not-read", flood_is_not_read, KINDS_STREAM),
	SCENARIO("messenger-executor/verified-once", verified_once, KINDS_STREAM),
	SCENARIO("messenger-executor/refused", refused, KINDS_STREAM),
	SCENARIO("messenger-executor/failed-meanwhile", failed_meanwhile, KINDS_STREAM),
	SCENARIO("messenger-executor/rest-is-the-loops", rest_is_the_loops, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group messenger_executor_group = {"messenger-executor", scenarios};
