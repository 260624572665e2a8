/* The allocator fails at its k-th call, for every k, in what stands on a socket, or under it:
 * messengers with both protocols, on every thread where messages are processed; another
 * transport; all timeouts. */
#include "groups.h"
#include "messenger_stage.h"
#include "scarce.h"
#include "socket_stage.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define AT_MOST 1000u
#define MESSAGES 10u

/* Blocks that the library keeps for the next use are as many after each run, or fewer. */
static void nothing_is_lost(unsigned k)
{
	static long most;

	if (k <= 3)
		most = blocks_live() > most || k == 1 ? blocks_live() : most;
	if (blocks_live() > most + 300)
		FAIL("%ld blocks, and %ld before", blocks_live(), most);
	CHECK(k < AT_MOST);
}

/* ---- messages ---- */

enum where { IN_PLACE, IN_ORDER, AT_ONCE };

/* Who has no memory for an answer ends the connection. */
static void act_answer(struct talk *talk, brink_message *message)
{
	int result;

	if (talk->protocols[0].parse == brink_parse_length) {
		result = brink_length_reply(message, 0, &message->body);
	} else {
		result = brink_buffer_append(&message->body, "\n", 1);
		if (result == 0)
			result = brink_socket_write(message->socket, &message->body);
	}
	if (result < 0)
		brink_socket_fail(brink_socket_get_id(message->socket), result, NULL);
}

/* Before anything fails: what the peer says waits in the descriptor, and its end. */
static void say_all(struct talk *talk)
{
	for (unsigned i = 0; i < MESSAGES; i++) {
		if (talk->protocols[0].parse == brink_parse_length)
			say_length(talk, i, 100);
		else
			write_all(talk->pair.theirs, "a line of the peer's\n", 21);
	}
	SYSCALL(shutdown(talk->pair.theirs, SHUT_WR));
}

static int try_talk(struct talk *talk)
{
	int result = brink_messenger_create(&talk->messenger, &talk->options);

	if (result < 0)
		return result;
	talk->socket.messenger = talk->messenger;
	result = brink_socket_create(&talk->id, talk->loop, &talk->socket);
	brink_messenger_destroy(talk->messenger);
	return result;
}

static bool talked_short_of(enum kind kind, brink_parse_fn *parse, enum where where, unsigned k)
{
	struct taken taken = {0};
	struct talk talk;
	bool reached;
	int result;

	open_talk(&talk, kind);
	talk.protocols[0].parse = parse;
	talk.act = act_answer;
	if (where != IN_PLACE)
		add_executor(&talk, 2, 4);
	if (where == IN_ORDER) {
		talk.options.executor = NULL;
		talk.socket.executor = talk.executor;
	}
	say_all(&talk);
	fail_allocation(k);
	result = try_talk(&talk);
	if (result == 0) {
		talk.pair.ours = -1;
		RUN_UNTIL(talk.loop, (take(talk.pair.theirs, &taken, SIZE_MAX), atomic_load(&talk.closed) == 1));
	}
	reached = allocation_failed();
	CHECK_EQ(result, result == 0 ? 0 : -ENOMEM);
	CHECK(talk.error == 0 || (reached && talk.error == -ENOMEM));
	CHECK(reached || (result == 0 && talk.processed == MESSAGES && taken.size >= MESSAGES * 20));
	CHECK_OK(brink_executor_destroy(talk.executor));
	CHECK_OK(brink_loop_destroy(talk.loop));
	CHECK_EQ(talk.closed, result == 0);
	close_pair(&talk.pair);
	forget(&taken);
	return reached;
}

static void messages(enum kind kind, enum where where)
{
	static brink_parse_fn *const protocols[] = {brink_parse_line, brink_parse_length};

	scarce_memory();
	for (size_t i = 0; i < 2; i++) {
		unsigned k = 1;

		for (; talked_short_of(kind, protocols[i], where, k); k++)
			nothing_is_lost(k);
		CHECK(k > 3); /* messages come from the cache, where there is one */
	}
}

static void messages_in_place(enum kind kind)
{
	messages(kind, IN_PLACE);
}

static void messages_in_order(enum kind kind)
{
	messages(kind, IN_ORDER);
}

static void messages_at_once(enum kind kind)
{
	messages(kind, AT_ONCE);
}

/* ---- a socket by itself ---- */

struct play {
	unsigned opens, closes, ended, states; /* of its transport, that are open */
};

static void on_open(brink_socket *socket, void *arg)
{
	(void)socket;
	((struct play *)arg)->opens++;
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct play *play = arg;

	(void)socket;
	CHECK(text != NULL && (error == 0 || error == -ENOMEM));
	play->closes++;
}

static void on_done(brink_socket *socket, int error, void *arg)
{
	(void)socket;
	CHECK(error <= 0);
	((struct play *)arg)->ended++;
}

/* Whether it was taken. */
static bool write_request(brink_socket *socket, struct play *play)
{
	static const char bytes[1000];
	brink_buffer data = {0};
	int result = brink_buffer_append(&data, bytes, sizeof bytes);

	if (result == 0)
		result = brink_socket_write_with(socket, &data, &(struct brink_write_options){
			.flags = BRINK_WRITE_QUEUED, .done = on_done, .arg = play});
	CHECK(result == 0 || result == -ENOMEM);
	brink_buffer_clear(&data);
	return result == 0;
}

/* It is written, its peer ends, and so does it. Returns whether the failure was reached. */
static bool played_short_of(enum kind kind, struct brink_socket_options options, struct play *play, unsigned k)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct taken taken = {0};
	unsigned writes = 0;
	brink_socket_id id;
	bool reached;
	int result;

	*play = (struct play){0};
	options.fd = pair.ours;
	options.on_open = on_open;
	options.on_close = on_close;
	options.arg = play;
	fail_allocation(k);
	result = brink_socket_create(&id, loop, &options);
	if (result == 0) {
		brink_socket *socket = brink_socket_address(id);

		pair.ours = -1;
		for (unsigned i = 0; i < 3; i++)
			writes += write_request(socket, play);
		brink_socket_release(socket);
		SYSCALL(shutdown(pair.theirs, SHUT_WR));
		RUN_UNTIL(loop, (take(pair.theirs, &taken, SIZE_MAX), play->closes == 1));
	}
	reached = allocation_failed();
	CHECK(result == 0 || (result == -ENOMEM && reached));
	CHECK(reached || (play->opens == 1 && taken.size == 3000));
	CHECK_OK(brink_loop_destroy(loop));
	CHECK(play->ended == writes && play->closes == (result == 0) && play->states == 0);
	close_pair(&pair);
	forget(&taken);
	return reached;
}

static void play_all(enum kind kind, const struct brink_socket_options *options, struct play *play)
{
	unsigned k = 1;

	scarce_memory();
	for (; played_short_of(kind, *options, play, k); k++)
		nothing_is_lost(k);
	CHECK(k > 3);
}

static void with_all_timeouts(enum kind kind)
{
	struct brink_socket_options options = {.connect_timeout = BRINK_SECONDS(1000),
		.idle_timeout = BRINK_SECONDS(1000), .read_timeout = BRINK_SECONDS(1000),
		.write_timeout = BRINK_SECONDS(1000), .linger_timeout = BRINK_SECONDS(1000)};
	struct play play;

	play_all(kind, &options, &play);
}

/* ---- another transport, whose state is a block of its own ---- */

struct state {
	struct play *play;
	brink_buffer copy; /* takes memory for each write */
};

static int open_state(brink_socket *socket, int fd, int client, void *arg, void **state)
{
	struct state *made = calloc(1, sizeof *made);

	(void)socket, (void)fd, (void)client;
	CHECK(made != NULL);
	made->play = arg;
	made->play->states++;
	*state = made;
	return 0;
}

static int greet(void *state, int fd, unsigned *waits)
{
	brink_buffer *copy = &((struct state *)state)->copy;

	(void)fd, (void)waits;
	return brink_buffer_append(copy, "greeting", 8);
}

static ssize_t read_on(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	ssize_t got = readv(fd, parts, count);

	(void)state;
	*waits = BRINK_READ;
	return got < 0 ? -errno : got;
}

static ssize_t write_on(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	brink_buffer *copy = &((struct state *)state)->copy;
	int result = brink_buffer_append(copy, parts[0].iov_base, parts[0].iov_len);
	ssize_t put = result < 0 ? result : writev(fd, parts, count);

	*waits = BRINK_WRITE;
	return result == 0 && put < 0 ? -errno : put;
}

static void close_state(void *state, int fd)
{
	struct state *closed = state;

	(void)fd;
	brink_buffer_clear(&closed->copy);
	closed->play->states--;
	free(closed);
}

static const struct brink_transport hungry = {
	.name = "hungry",
	.flags = BRINK_TRANSPORT_SINGLE_THREADED,
	.open = open_state,
	.handshake = greet,
	.readv = read_on,
	.writev = write_on,
	.close = close_state,
};

static void over_a_transport(enum kind kind)
{
	struct play play;
	struct brink_socket_options options = {.transport = &hungry, .transport_arg = &play};

	play_all(kind, &options, &play);
}

static const struct scenario scenarios[] = {
	SCENARIO("scarce/messages-in-place", messages_in_place, KINDS_STREAM),
	SCENARIO("scarce/messages-in-order", messages_in_order, KINDS_STREAM, .flags = TRACE_FREE),
	SCENARIO("scarce/messages-at-once", messages_at_once, KINDS_STREAM, .flags = TRACE_FREE),
	SCENARIO("scarce/with-all-timeouts", with_all_timeouts, KINDS_STREAM),
	SCENARIO("scarce/over-a-transport", over_a_transport, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group scarce_layers_group = {"scarce", scenarios};
