/* Reading and processing on an executor's threads. */
#include "faults.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool make_both(struct side *side, brink_executor **executor, size_t capacity)
{
	*executor = NULL;
	if (!make_side(side))
		return false;
	if (went_well(brink_executor_create(executor, &(struct brink_executor_options){
		.threads = 2, .capacity = capacity})))
		return true;
	end_side(side);
	return false;
}

/* ---- reading ---- */

static void on_an_executor(void)
{
	struct brink_socket_options options;
	brink_executor *executor;
	struct side side;
	int fds[2];

	if (!make_both(&side, &executor, 0))
		return;
	open_pair(fds);
	options = options_of(&side);
	options.fd = fds[0];
	options.executor = executor;
	if (went_well(brink_socket_create(&side.id, side.loop, &options))) {
		talk(&side, fds[1]);
	} else {
		close(fds[0]);
		close(fds[1]);
	}
	end_side(&side);
	CHECK(brink_executor_destroy(executor) == 0);
}

/* Times that the loop has asked the kernel to watch something, or to look again. */
static uint64_t changes(struct side *side)
{
	struct brink_counters counters;

	brink_loop_counters(side->loop, &counters);
	return counters.changes;
}

/* Its reader finds nothing and posts the ticket, the loop's third change after its own pipe and
 * the socket. If that is refused, the fourth is one more try, and then it fails. */
static void refused_a_ticket(void)
{
	struct brink_socket_options options;
	brink_executor *executor;
	struct side side;
	int fds[2];

	if (!make_both(&side, &executor, 0))
		return;
	open_pair(fds);
	options = options_of(&side);
	options.fd = fds[0];
	options.executor = executor;
	if (went_well(brink_socket_create(&side.id, side.loop, &options))) {
		while (side.closes == 0 && changes(&side) < 3)
			turn(&side);
		while (side.closes == 0 && changes(&side) < 4 && fault_is("epoll_ctl MOD") && fault_struck())
			turn(&side);
		close(fds[1]);
		while (side.closes == 0)
			turn(&side);
		if (fault_is("epoll_ctl MOD"))
			CHECK(side.error == (fault_times() == 2 ? -fault_error() : 0));
	} else {
		close(fds[0]);
		close(fds[1]);
	}
	end_side(&side);
	CHECK(brink_executor_destroy(executor) == 0);
}

/* ---- messages ---- */

#define MESSAGES 20u
#define BODY 100u
#define WIRE (MESSAGES * (BRINK_LENGTH_HEADER + BODY))

static atomic_uint processed;

static void answer(brink_message *message, void *arg)
{
	int result = brink_length_reply(message, 0, &message->body);

	(void)arg;
	if (result < 0) /* who cannot answer ends it */
		brink_socket_fail(brink_socket_get_id(message->socket), result, NULL);
	processed++;
	brink_message_free(message);
}

static const struct brink_protocol length_protocol = {
	.name = "length", .parse = brink_parse_length, .process = answer};

/* What the peer says: packed before anything fails. */
static const char *on_the_wire(void)
{
	static char bytes[WIRE];
	static const char body[BODY];
	brink_buffer out = {0}, rest = {0};

	if (bytes[0] != '\0')
		return bytes;
	for (unsigned i = 0; i < MESSAGES; i++) {
		CHECK(brink_buffer_append(&rest, body, sizeof body) == 0);
		CHECK(brink_length_pack(&out, &(struct brink_length){.id = i, .kind = 1}, &rest) == 0);
	}
	CHECK(brink_buffer_copy(&out, 0, bytes, sizeof bytes) == sizeof bytes);
	brink_buffer_clear(&out);
	return bytes;
}

/* The peer sends all of its messages, and reads as many replies, or until the end. */
static void exchange(struct side *side, int peer)
{
	size_t got = 0;
	ssize_t more;

	CHECK(send(peer, on_the_wire(), WIRE, MSG_NOSIGNAL) == (ssize_t)WIRE || errno == EPIPE);
	while (got < WIRE && side->closes == 0 && (more = drain(peer)) >= 0) {
		got += (size_t)more;
		turn(side);
	}
	shutdown(peer, SHUT_WR);
	while (side->closes == 0) {
		turn(side);
		drain(peer);
	}
	close(peer);
	CHECK(processed <= MESSAGES);
	if (fault_harmless() || !fault_struck())
		CHECK(got == WIRE && processed == MESSAGES && side->error == 0);
}

static void messages(bool in_order, size_t capacity)
{
	struct brink_messenger_options how = {.protocols = &length_protocol, .protocol_count = 1};
	struct brink_socket_options options;
	brink_messenger *messenger = NULL;
	brink_executor *executor;
	struct side side;
	bool made;
	int fds[2];

	on_the_wire();
	processed = 0;
	if (!make_both(&side, &executor, capacity))
		return;
	open_pair(fds);
	options = options_of(&side);
	options.on_bytes = NULL;
	options.fd = fds[0];
	if (in_order)
		options.executor = executor;
	else
		how.executor = executor;
	made = went_well(brink_messenger_create(&messenger, &how));
	options.messenger = messenger;
	made = made && went_well(brink_socket_create(&side.id, side.loop, &options));
	brink_messenger_destroy(messenger); /* the socket keeps it */
	if (made) {
		exchange(&side, fds[1]);
	} else {
		close(fds[0]);
		close(fds[1]);
	}
	end_side(&side);
	CHECK(brink_executor_destroy(executor) == 0);
}

static void in_order(void)
{
	messages(true, 0);
}

static void several_at_a_time(void)
{
	messages(false, 0);
}

static void without_room(void)
{
	messages(false, 2);
}

/* ---- watches: a ticket from another thread ---- */

#define ROUNDS 4u

struct reader {
	brink_watch watch;
	brink_task task;
	brink_executor *executor;
	atomic_uint got;
	unsigned told; /* of an error */
	bool ended;    /* there is no executor any more */
};

static void read_there(brink_task *task)
{
	struct reader *reader = brink_container_of(task, struct reader, task);
	ssize_t n;
	char byte;

	/* A read that failed is tried again. */
	while ((n = brink_watch_read(&reader->watch, &byte, 1)) != -EAGAIN)
		reader->got += n == 1;
	/* It has said EAGAIN, and has posted the ticket. */
}

static void hand_over(brink_watch *watch, unsigned ready)
{
	struct reader *reader = brink_container_of(watch, struct reader, watch);

	reader->told += (ready & BRINK_ERROR) != 0;
	if (reader->ended)
		return;
	CHECK(brink_executor_post(reader->executor, &reader->task) == 0);
}

static void posted_tickets(void)
{
	struct reader reader = {.told = 0};
	struct side side;
	int fds[2];

	if (!make_both(&side, &reader.executor, 0))
		return;
	open_pair(fds);
	brink_watch_init(&reader.watch, hand_over);
	brink_task_init(&reader.task, read_there);
	if (went_well(brink_watch_start(side.loop, &reader.watch, fds[0], BRINK_READ))) {
		for (unsigned i = 1; i <= ROUNDS; i++) {
			CHECK(send(fds[1], "b", 1, 0) == 1);
			while (reader.got < i)
				turn(&side);
		}
		/* What is on its way comes, and its ticket, or that it was refused. */
		reader.ended = true;
		CHECK(brink_executor_destroy(reader.executor) == 0);
		turn(&side);
		CHECK(reader.told <= fault_times());
		CHECK(brink_watch_stop(&reader.watch) == 0);
	} else {
		CHECK(brink_executor_destroy(reader.executor) == 0);
	}
	close(fds[0]);
	close(fds[1]);
	end_side(&side);
}

const struct scenario executor_scenarios[] = {
	{"a socket read on an executor", on_an_executor, true},
	{"a socket that is refused a ticket", refused_a_ticket, true},
	{"messages in order on an executor", in_order, true},
	{"messages several at a time", several_at_a_time, true},
	{"messages to an executor without room", without_room, true},
	{"a watch whose tickets are posted", posted_tickets, true},
	{NULL, NULL, false},
};
