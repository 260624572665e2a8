/* The end of the stream: offered to the protocol, and held back until what came before it is
 * processed. */
#include "groups.h"
#include "messenger_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void on_end(brink_socket *socket, void *arg)
{
	struct talk *talk = arg;

	CHECK(pthread_equal(pthread_self(), talk->loop_thread));
	atomic_fetch_add(&talk->ended, 1);
	CHECK_OK(brink_socket_write_bytes(socket, "bye\n", 4));
	CHECK_OK(brink_socket_close(socket));
}

static void last_line(enum kind kind)
{
	struct talk talk;

	open_talk(&talk, kind);
	talk.act = act_echo;
	talk.socket.on_end = on_end;
	start_talk(&talk);
	say(&talk, "one\ntwo");
	shut_theirs(&talk.pair);
	run_talk_until_closed(&talk, 0);
	CHECK_EQ(atomic_load(&talk.processed), 2);
	CHECK_EQ(atomic_load(&talk.ended), 1);
	expect_text(talk.pair.theirs, "one\ntwo\nbye\n");
	close_talk(&talk);
}

/* A child that goes on with the loop, whenever it is forked. */
static void child_goes_on(enum kind kind)
{
	struct talk talk;
	pid_t pid;

	open_talk(&talk, kind);
	start_talk(&talk);
	say(&talk, "one\n");
	shut_theirs(&talk.pair);
	for (; atomic_load(&talk.closed) == 0; turn(talk.loop)) {
		SYSCALL(pid = fork());
		if (pid == 0) {
			CHECK_OK(brink_loop_after_fork(talk.loop));
			RUN_UNTIL(talk.loop, atomic_load(&talk.closed) == 1);
			CHECK_OK(brink_loop_destroy(talk.loop));
			_exit(0);
		}
		expect_success_of(pid);
	}
	CHECK_EQ(atomic_load(&talk.error), 0);
	close_talk(&talk);
}

static void nothing_said(enum kind kind)
{
	struct talk talk;

	open_talk(&talk, kind);
	start_talk(&talk);
	shut_theirs(&talk.pair);
	run_talk_until_closed(&talk, 0);
	CHECK_EQ(atomic_load(&talk.processed), 0);
	close_talk(&talk);
}

static void cut_short(enum kind kind)
{
	struct talk talk;

	open_talk(&talk, kind);
	talk.protocols[0].parse = brink_parse_length;
	start_talk(&talk);
	write_all(talk.pair.theirs, "\353BRK\1\0", 6);
	shut_theirs(&talk.pair);
	run_talk_until_closed(&talk, -EPROTO);
	close_talk(&talk);
}

/* At the end all is a message, and what should follow it has not come. */
static int parse_without_rest(brink_socket *socket, brink_buffer *in, int at_end, brink_message *message, void *arg)
{
	(void)socket;
	(void)arg;
	if (!at_end)
		return BRINK_PARSE_MORE;
	if (brink_buffer_length(in) == 0)
		return -EBADMSG;
	brink_buffer_move(&message->body, in);
	return BRINK_PARSE_MESSAGE;
}

static void free_and_go_on(brink_message *message, void *arg)
{
	struct talk *talk = arg;

	atomic_fetch_add(&talk->processed, 1);
	brink_message_free(message);
	sleep_ms(30);
}

/* Also where the loop could hear of the end before the thread that reads has said what is wrong with it. */
static void cut_short_elsewhere(enum kind kind)
{
	struct talk talk;

	open_talk(&talk, kind);
	add_executor(&talk, 2, 0);
	talk.socket.executor = talk.executor;
	talk.socket.on_end = on_end;
	talk.protocols[0].parse = parse_without_rest;
	talk.protocols[0].process = free_and_go_on;
	talk.protocols[0].arg = &talk;
	start_talk(&talk);
	say(&talk, "something");
	shut_theirs(&talk.pair);
	run_talk_until_closed(&talk, -EBADMSG);
	CHECK_EQ(atomic_load(&talk.processed), 1);
	CHECK_EQ(atomic_load(&talk.ended), 0);
	close_talk(&talk);
}

/* Messages are being processed on other threads when the end comes. */
static void waits_for_messages(enum kind kind)
{
	struct talk talk;

	open_talk(&talk, kind);
	add_executor(&talk, 3, 0);
	talk.options.flags = BRINK_MESSENGER_NOT_IN_PLACE;
	talk.act = act_block;
	talk.socket.on_end = on_end;
	atomic_store(&talk.gate, 1);
	start_talk(&talk);
	say(&talk, "one\ntwo\nthree\nfour\nfive");
	shut_theirs(&talk.pair);
	RUN_UNTIL(talk.loop, atomic_load(&talk.at_once) == 3);
	for (int i = 0; i < 10; i++)
		turn(talk.loop);
	CHECK_EQ(atomic_load(&talk.ended), 0);
	atomic_store(&talk.gate, 0);
	run_talk_until_closed(&talk, 0);
	CHECK_EQ(atomic_load(&talk.processed), 5);
	CHECK_EQ(atomic_load(&talk.ended), 1);
	close_talk(&talk);
}

/* More than are cut at once, into an executor that has hardly any room: the end comes last. */
static void after_a_crowd(enum kind kind)
{
	char text[3000];
	struct talk talk;

	memset(text, '\n', sizeof text);
	open_talk(&talk, kind);
	add_executor(&talk, 2, 2);
	start_talk(&talk);
	write_all(talk.pair.theirs, text, sizeof text);
	shut_theirs(&talk.pair);
	run_talk_until_closed(&talk, 0);
	CHECK_EQ(atomic_load(&talk.processed), sizeof text);
	close_talk(&talk);
}

/* ---- an answer after the call ---- */

static _Atomic(brink_message *) kept;

static void keep(brink_message *message, void *arg)
{
	(void)arg;
	CHECK(atomic_exchange(&kept, message) == NULL);
}

static void *answer(void *unused)
{
	brink_message *message = atomic_exchange(&kept, NULL);

	(void)unused;
	CHECK_OK(brink_socket_write_bytes(message->socket, "answer\n", 7));
	brink_message_free(message);
	return NULL;
}

static void answered_later(enum kind kind)
{
	struct talk talk;
	pthread_t thread;

	open_talk(&talk, kind);
	talk.protocols[0].process = keep;
	start_talk(&talk);
	say(&talk, "question\n");
	shut_theirs(&talk.pair);
	RUN_UNTIL(talk.loop, atomic_load(&kept) != NULL);
	for (int i = 0; i < 10; i++)
		turn(talk.loop);
	CHECK_EQ(atomic_load(&talk.closed), 0);
	CHECK_EQ(pthread_create(&thread, NULL, answer, NULL), 0);
	run_talk_until_closed(&talk, 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	expect_text(talk.pair.theirs, "answer\n");
	close_talk(&talk);
}

/* The message outlives the connection, and the loop waits for it. */
static void freed_after_the_end(enum kind kind)
{
	struct talk talk;
	brink_message *message;

	open_talk(&talk, kind);
	talk.protocols[0].process = keep;
	start_talk(&talk);
	say(&talk, "question\n");
	RUN_UNTIL(talk.loop, atomic_load(&kept) != NULL);
	CHECK_OK(brink_socket_fail(talk.id, -EIO, NULL));
	run_talk_until_closed(&talk, -EIO);
	message = atomic_exchange(&kept, NULL);
	CHECK_ERROR(brink_socket_write_bytes(message->socket, "x", 1), -EIO);
	brink_message_free(message);
	close_talk(&talk);
}

/* ---- the descriptor ---- */

struct told {
	struct talk talk;
	atomic_int fd;     /* while it was open */
	atomic_bool still; /* in on_close: there still was one of that number */
};

static void look_for_fd(brink_socket *socket, int error, const char *text, void *arg)
{
	struct told *told = arg;

	(void)socket;
	(void)text;
	atomic_store(&told->still, fcntl(atomic_load(&told->fd), F_GETFD) >= 0);
	atomic_store(&told->talk.error, error);
	atomic_fetch_add(&told->talk.closed, 1);
}

static void act_close(struct talk *talk, brink_message *message)
{
	atomic_store(&brink_container_of(talk, struct told, talk)->fd, brink_socket_fd(message->socket));
	CHECK_OK(brink_socket_close(message->socket));
}

static void act_fail(struct talk *talk, brink_message *message)
{
	atomic_store(&brink_container_of(talk, struct told, talk)->fd, brink_socket_fd(message->socket));
	CHECK_OK(brink_socket_fail(brink_socket_get_id(message->socket), -EIO, NULL));
}

/* Where nobody holds the socket any more, its descriptor is closed before on_close is called: whoever counts
 * connections there has one free for the next. */
static void descriptor_is_free(enum kind kind)
{
	static void (*const acts[])(struct talk *talk, brink_message *message) = {act_close, act_fail};

	for (size_t i = 0; i < 2; i++) {
		struct told told;

		open_talk(&told.talk, kind);
		told.talk.act = acts[i];
		told.talk.socket.on_close = look_for_fd;
		start_talk(&told.talk);
		say(&told.talk, "end\n");
		run_talk_until_closed(&told.talk, i == 0 ? 0 : -EIO);
		CHECK(!atomic_load(&told.still));
		close_talk(&told.talk);
	}
}

static const struct scenario scenarios[] = {
	SCENARIO("messenger-end/last-line", last_line, KINDS_STREAM),
	SCENARIO("messenger-end/child-goes-on", child_goes_on, KINDS_STREAM),
	SCENARIO("messenger-end/nothing-said", nothing_said, KINDS_STREAM),
	SCENARIO("messenger-end/cut-short", cut_short, KINDS_STREAM),
	SCENARIO("messenger-end/cut-short-elsewhere", cut_short_elsewhere, KINDS_STREAM),
	SCENARIO("messenger-end/waits-for-messages", waits_for_messages, KINDS_STREAM),
	SCENARIO("messenger-end/after-a-crowd", after_a_crowd, KINDS_STREAM),
	SCENARIO("messenger-end/answered-later", answered_later, KINDS_STREAM),
	SCENARIO("messenger-end/freed-after-the-end", freed_after_the_end, KINDS_STREAM),
	SCENARIO("messenger-end/descriptor-is-free", descriptor_is_free, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group messenger_end_group = {"messenger-end", scenarios};
