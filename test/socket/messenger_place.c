/* Messages without an executor, and on one of the socket's: in order, one at a time. */
#include "groups.h"
#include "messenger_stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each line has to be the next number. */
static void act_in_order(struct talk *talk, brink_message *message)
{
	char digits[32] = "";

	brink_buffer_copy(&message->body, 0, digits, sizeof digits - 1);
	CHECK_EQ(strtoul(digits, NULL, 10), atomic_load(&talk->processed));
	CHECK_EQ(atomic_load(&talk->at_once), 1);
}

static void say_numbers(struct talk *talk, unsigned from, unsigned to)
{
	char line[32];

	for (unsigned i = from; i < to; i++) {
		snprintf(line, sizeof line, "%u\r\n", i);
		say(talk, line);
	}
}

static void many_in_a_read(enum kind kind)
{
	struct brink_socket_info info;
	brink_socket *socket;
	struct talk talk;

	open_talk(&talk, kind);
	talk.act = act_in_order;
	start_talk(&talk);
	say_numbers(&talk, 0, 500);
	RUN_UNTIL(talk.loop, atomic_load(&talk.processed) == 500);
	CHECK_EQ(atomic_load(&talk.on_loop), 500);
	socket = brink_socket_address(talk.id);
	CHECK(socket != NULL);
	brink_socket_get_info(socket, &info);
	CHECK_EQ(info.messages_read, 500);
	CHECK(brink_socket_arg(socket) == &talk);
	brink_socket_release(socket);
	close_talk(&talk);
}

static void byte_by_byte(enum kind kind)
{
	static const char text[] = "0\r\n1\n2\r\n3\n";
	struct talk talk;

	open_talk(&talk, kind);
	talk.act = act_in_order;
	start_talk(&talk);
	for (const char *byte = text; *byte != '\0'; byte++) {
		write_all(talk.pair.theirs, byte, 1);
		turn(talk.loop);
	}
	RUN_UNTIL(talk.loop, atomic_load(&talk.processed) == 4);
	close_talk(&talk);
}

static void on_the_sockets_executor(enum kind kind)
{
	struct talk talk;

	open_talk(&talk, kind);
	add_executor(&talk, 4, 0);
	talk.options.executor = NULL;
	talk.socket.executor = talk.executor;
	talk.act = act_in_order;
	start_talk(&talk);
	say_numbers(&talk, 0, 300);
	RUN_UNTIL(talk.loop, atomic_load(&talk.processed) == 300);
	CHECK_EQ(atomic_load(&talk.on_loop), 0);
	CHECK_EQ(atomic_load(&talk.most_at_once), 1);
	close_talk(&talk);
}

static void large_and_empty(enum kind kind)
{
	struct talk talk;

	open_talk(&talk, kind);
	talk.protocols[0].parse = brink_parse_length;
	start_talk(&talk);
	say_length(&talk, 1, 0);
	say_length(&talk, 2, 1);
	say_length(&talk, 3, 0);
	RUN_UNTIL(talk.loop, atomic_load(&talk.processed) == 3);
	/* More than the kernel takes at once. */
	for (size_t size = 10000; size <= 90000; size += 40000) {
		say_length(&talk, 4, size);
		RUN_UNTIL(talk.loop, atomic_load(&talk.bytes) == size + 1);
		atomic_store(&talk.bytes, 1);
	}
	close_talk(&talk);
}

static void too_long(enum kind kind)
{
	struct talk talk;

	open_talk(&talk, kind);
	talk.protocols[0].max_message = 100;
	talk.act = act_echo;
	start_talk(&talk);
	say(&talk, "fits\n");
	RUN_UNTIL(talk.loop, atomic_load(&talk.processed) == 1);
	expect_text(talk.pair.theirs, "fits\n");
	for (int i = 0; i < 10; i++)
		say(&talk, "0123456789");
	run_talk_until_closed(&talk, -EMSGSIZE);
	CHECK(strstr(talk.closed_text, "too long") != NULL);
	CHECK_EQ(atomic_load(&talk.processed), 1);
	close_talk(&talk);
}

static void announced_too_long(enum kind kind)
{
	struct talk talk;

	open_talk(&talk, kind);
	talk.protocols[0].parse = brink_parse_length;
	start_talk(&talk);
	write_all(talk.pair.theirs, "\353BRK\1\0\0\0\100\0\0\0\0\0\0\0\0\0\0\1", 20);
	run_talk_until_closed(&talk, -EMSGSIZE);
	close_talk(&talk);
}

static void nobodys_bytes(enum kind kind)
{
	struct talk talk;

	open_talk(&talk, kind);
	talk.protocols[0].parse = brink_parse_length;
	start_talk(&talk);
	say(&talk, "GET / HTTP/1.0\r\n");
	run_talk_until_closed(&talk, -EPROTO);
	close_talk(&talk);
}

/* What came before it in the same read is processed. */
static void broken_in_the_middle(enum kind kind)
{
	struct talk talk;

	open_talk(&talk, kind);
	talk.protocols[0].parse = brink_parse_length;
	talk.socket.flags = BRINK_SOCKET_PAUSED;
	start_talk(&talk);
	say_length(&talk, 1, 5);
	say_length(&talk, 2, 6);
	say(&talk, "garbage");
	brink_socket *socket = brink_socket_address(talk.id);
	CHECK(socket != NULL);
	brink_socket_resume(socket);
	brink_socket_release(socket);
	run_talk_until_closed(&talk, -EPROTO);
	CHECK_EQ(atomic_load(&talk.processed), 2);
	CHECK_EQ(atomic_load(&talk.bytes), 11);
	close_talk(&talk);
}

static void act_fail(struct talk *talk, brink_message *message)
{
	(void)talk;
	brink_socket_fail(brink_socket_get_id(message->socket), -EIO, "enough");
}

static void act_close(struct talk *talk, brink_message *message)
{
	act_echo(talk, message);
	CHECK_OK(brink_socket_close(message->socket));
}

static void failed_in_the_middle(enum kind kind)
{
	struct talk talk;

	open_talk(&talk, kind);
	talk.act = act_fail;
	start_talk(&talk);
	say(&talk, "one\ntwo\nthree\n");
	run_talk_until_closed(&talk, -EIO);
	CHECK_EQ(atomic_load(&talk.processed), 1);
	close_talk(&talk);
}

static void closed_in_the_middle(enum kind kind)
{
	struct talk talk;

	open_talk(&talk, kind);
	talk.act = act_close;
	start_talk(&talk);
	say(&talk, "QUIT\ntwo\nthree\n");
	RUN_UNTIL(talk.loop, atomic_load(&talk.processed) == 1);
	RUN_UNTIL(talk.loop, ready_now(talk.pair.theirs, BRINK_READ));
	expect_text(talk.pair.theirs, "QUIT\n");
	close_theirs(&talk.pair);
	run_talk_until_closed(&talk, 0);
	CHECK_EQ(atomic_load(&talk.processed), 1);
	close_talk(&talk);
}

static void both_protocols(enum kind kind)
{
	struct talk talk;

	for (int i = 0; i < 2; i++) {
		open_talk(&talk, kind);
		talk.protocols[0].parse = brink_parse_length;
		talk.protocols[1] = (struct brink_protocol){.name = "line", .parse = brink_parse_line};
		talk.options.protocol_count = 2;
		start_talk(&talk);
		if (i == 0)
			say_length(&talk, 1, 4);
		else
			say(&talk, "text\n");
		RUN_UNTIL(talk.loop, atomic_load(&talk.processed) == 1);
		CHECK_EQ(atomic_load(&talk.bytes), 4);
		CHECK(strcmp(talk.last, i == 0 ? "bbbb" : "text") == 0);
		close_talk(&talk);
	}
}

static const struct scenario scenarios[] = {
	SCENARIO("messenger-place/many-in-a-read", many_in_a_read, KINDS_STREAM),
	SCENARIO("messenger-place/byte-by-byte", byte_by_byte, KINDS_STREAM),
	SCENARIO("messenger-place/on-the-sockets-executor", on_the_sockets_executor, KINDS_STREAM),
	SCENARIO("messenger-place/large-and-empty", large_and_empty, KINDS_STREAM),
	SCENARIO("messenger-place/too-long", too_long, KINDS_STREAM),
	SCENARIO("messenger-place/announced-too-long", announced_too_long, KINDS_STREAM),
	SCENARIO("messenger-place/nobodys-bytes", nobodys_bytes, KINDS_STREAM),
	SCENARIO("messenger-place/broken-in-the-middle", broken_in_the_middle, KINDS_STREAM),
	SCENARIO("messenger-place/failed-in-the-middle", failed_in_the_middle, KINDS_STREAM),
	SCENARIO("messenger-place/closed-in-the-middle", closed_in_the_middle, KINDS_STREAM),
	SCENARIO("messenger-place/both-protocols", both_protocols, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group messenger_place_group = {"messenger-place", scenarios};
