/* Many threads write to one connection whose peer reads slowly, and at some point resets it,
 * or the connection is ended on our side, or neither: every request ends exactly once, in
 * the order of the bytes on the wire, and the peer sees no byte lost, doubled or out of
 * place. */
#include "groups.h"
#include "stress_kit.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WRITERS 64u
#define ECHOES WRITERS /* the writer of the requests that are made in calls of `done` */
#define MOST 128u      /* requests a writer */
#define LARGEST 60000u
#define HEADER 8u

enum ending { NEVER, PEER_RESETS, PEER_CLOSES, WE_FAIL, WE_CLOSE, WE_SHUT_DOWN, WE_ABORT, ENDINGS };

struct request {
	unsigned writer, number;
	unsigned ended; /* how often: by the calls of one socket, which come one at a time */
	int error;
};

struct writer {
	struct chance chance;
	unsigned index, wanted, made;
	struct request requests[MOST];
};

static struct {
	brink_socket_id id;
	enum ending ending;
	size_t ending_after; /* bytes that the peer has read */
	atomic_bool inside;  /* a call of `done` */
	atomic_uint closes, wrapped, released;
	int error; /* of on_close */
	char text[64];
	struct writer writers[WRITERS + 1];
	/* What has ended, in that order, and what the peer has seen all of: writer * MOST + number. */
	unsigned ended[(WRITERS + 1) * MOST], seen[(WRITERS + 1) * MOST];
	unsigned ended_count, seen_count;
} play;

/* ---- the bytes of a request ---- */

static unsigned char byte_at(unsigned writer, unsigned number, size_t at)
{
	return (unsigned char)(writer * 31 + number * 7 + at * 13 + (at >> 8));
}

static void put_header(unsigned char *bytes, unsigned writer, unsigned number, size_t size)
{
	bytes[0] = (unsigned char)writer;
	bytes[1] = (unsigned char)(writer >> 8);
	bytes[2] = (unsigned char)number;
	bytes[3] = (unsigned char)(number >> 8);
	for (unsigned i = 0; i < 4; i++)
		bytes[4 + i] = (unsigned char)(size >> 8 * i);
}

static void dropped(void *bytes, size_t size, void *arg)
{
	(void)arg;
	memset(bytes, 0xee, size); /* who still sends them is found out */
	play.released++;
}

static void fill_in(brink_buffer *data, struct chance *chance, unsigned writer, unsigned number)
{
	static _Thread_local unsigned char bytes[HEADER + LARGEST];
	size_t size = chance_below(chance, 16) == 0 ? chance_below(chance, LARGEST) : chance_below(chance, 200);
	size_t room;
	unsigned char *at;

	put_header(bytes, writer, number, size);
	for (size_t i = 0; i < size; i++)
		bytes[HEADER + i] = byte_at(writer, number, i);
	switch (chance_below(chance, 3)) {
	case 0: /* in two parts */
		CHECK_OK(brink_buffer_append(data, bytes, HEADER));
		CHECK_OK(brink_buffer_append(data, bytes + HEADER, size));
		break;
	case 1:
		CHECK_OK(brink_buffer_append(data, bytes, HEADER + size));
		break;
	default: /* the block belongs to the wrapped piece's own buffer until that is dropped */
		at = brink_buffer_reserve(data, HEADER + size, &room);
		CHECK(at != NULL);
		memcpy(at, bytes, HEADER + size);
		brink_buffer_commit(data, HEADER + size);
		break;
	}
}

/* A request without bytes of its own in the library's memory. */
static void wrap_in(brink_buffer *data, unsigned writer, unsigned number)
{
	static unsigned char memory[WRITERS + 1][MOST][HEADER + 32];
	unsigned char *bytes = memory[writer][number];

	put_header(bytes, writer, number, 32);
	for (size_t i = 0; i < 32; i++)
		bytes[HEADER + i] = byte_at(writer, number, i);
	CHECK_OK(brink_buffer_wrap(data, bytes, HEADER + 32, dropped, NULL));
	play.wrapped++;
}

/* ---- writing ---- */

static void write_echo(brink_socket *socket);

static void on_done(brink_socket *socket, int error, void *arg)
{
	struct request *request = arg;

	CHECK(!atomic_exchange(&play.inside, true));
	CHECK(error <= 0);
	CHECK_EQ(request->ended, 0);
	CHECK_EQ(brink_socket_get_id(socket), play.id);
	request->ended++;
	request->error = error;
	play.ended[play.ended_count++] = request->writer * MOST + request->number;
	if (request->writer != ECHOES && request->number % 8 == 3)
		write_echo(socket);
	atomic_store(&play.inside, false);
}

/* The result of the write. */
static int write_request(brink_socket *socket, struct writer *writer, bool again_when_crowded)
{
	struct request *request = &writer->requests[writer->made];
	struct brink_write_options options = {.done = on_done, .arg = request};
	brink_buffer data = {0};
	int result;

	*request = (struct request){.writer = writer->index, .number = writer->made};
	if (chance_below(&writer->chance, 8) == 0)
		wrap_in(&data, writer->index, writer->made);
	else
		fill_in(&data, &writer->chance, writer->index, writer->made);
	if (chance_below(&writer->chance, 4) == 0)
		options.flags |= BRINK_WRITE_QUEUED;
	if (chance_below(&writer->chance, 16) == 0)
		options.flags |= BRINK_WRITE_FORCE;
	do {
		result = brink_socket_write_with(socket, &data, &options);
		if (result == -BRINK_EOVERCROWDED && again_when_crowded)
			CHECK(brink_socket_wait(socket, -1) != -ETIMEDOUT);
	} while (result == -BRINK_EOVERCROWDED && again_when_crowded);
	/* With an error the bytes are still ours; `request` is nobody else's then. */
	CHECK((brink_buffer_length(&data) == 0) == (result == 0));
	if (result == 0)
		writer->made++;
	brink_buffer_clear(&data);
	return result;
}

/* By who makes the calls of `done`, one at a time. */
static void write_echo(brink_socket *socket)
{
	struct writer *writer = &play.writers[ECHOES];

	if (writer->made < writer->wanted)
		write_request(socket, writer, false);
}

static void *write_many(void *arg)
{
	struct writer *writer = arg;
	brink_socket *socket = NULL;
	int result = 0;

	while (result == 0 && writer->made < writer->wanted) {
		if (socket == NULL)
			socket = brink_socket_address(play.id);
		if (socket == NULL)
			break;
		result = write_request(socket, writer, true);
		if (chance_below(&writer->chance, 8) == 0)
			rest_us(chance_below(&writer->chance, 300));
		if (chance_below(&writer->chance, 4) == 0) {
			brink_socket_release(socket);
			socket = NULL;
		}
	}
	if (result < 0)
		CHECK(play.ending != NEVER);
	if (socket != NULL)
		brink_socket_release(socket);
	return NULL;
}

/* ---- the peer ---- */

struct parser {
	unsigned char header[HEADER];
	size_t header_size, body_size, body_at;
	unsigned writer, number;
};

static void parse(struct parser *parser, const unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (parser->header_size < HEADER) {
			parser->header[parser->header_size++] = bytes[i];
			if (parser->header_size < HEADER)
				continue;
			parser->writer = parser->header[0] | (unsigned)parser->header[1] << 8;
			parser->number = parser->header[2] | (unsigned)parser->header[3] << 8;
			parser->body_size = parser->header[4] | (size_t)parser->header[5] << 8 |
			                    (size_t)parser->header[6] << 16 | (size_t)parser->header[7] << 24;
			parser->body_at = 0;
			CHECK(parser->writer <= ECHOES && parser->number < MOST && parser->body_size <= LARGEST);
		} else {
			CHECK_EQ(bytes[i], byte_at(parser->writer, parser->number, parser->body_at));
			parser->body_at++;
		}
		if (parser->body_at == parser->body_size) {
			play.seen[play.seen_count++] = parser->writer * MOST + parser->number;
			*parser = (struct parser){.header_size = 0};
		}
	}
}

struct peer {
	struct chance chance;
	struct pair *pair;
	struct parser parser; /* not begun: all was seen up to the end of a request */
	bool ended;           /* it read our end */
};

/* When all is written, the scenario's thread closes, too. */
static void close_gently(brink_socket *socket, bool wholly)
{
	int result = wholly ? brink_socket_close(socket) : brink_socket_shutdown(socket);

	CHECK(result == 0 || result == -EPIPE || result == -ENOTCONN);
	brink_socket_release(socket);
}

static void end_it(struct peer *peer)
{
	brink_socket *socket;

	switch (play.ending) {
	case PEER_RESETS:
		reset_fd(&peer->pair->theirs);
		break;
	case PEER_CLOSES:
		close_fd(&peer->pair->theirs);
		break;
	case WE_FAIL:
		brink_socket_fail(play.id, -ECANCELED, "the stress test");
		break;
	case WE_ABORT:
		brink_socket_abort(play.id);
		break;
	case WE_CLOSE:
	case WE_SHUT_DOWN:
		socket = brink_socket_address(play.id);
		if (socket != NULL)
			close_gently(socket, play.ending == WE_CLOSE);
		break;
	default:
		break;
	}
}

static void *read_slowly(void *arg)
{
	static unsigned char bytes[65536];
	struct peer *peer = arg;
	size_t total = 0;
	bool done = play.ending == NEVER;

	while (peer->pair->theirs >= 0) {
		ssize_t got = read(peer->pair->theirs, bytes, 1 + chance_below(&peer->chance, sizeof bytes));

		if (got < 0 && errno == EAGAIN) {
			await(peer->pair->theirs, BRINK_READ);
			continue;
		}
		if (got <= 0) {
			peer->ended = got == 0;
			CHECK(got == 0 || errno == ECONNRESET || errno == EPIPE);
			break;
		}
		parse(&peer->parser, bytes, (size_t)got);
		total += (size_t)got;
		if (!done && total >= play.ending_after) {
			done = true;
			end_it(peer);
		}
		if (chance_below(&peer->chance, 4) == 0)
			rest_us(chance_below(&peer->chance, 1500));
	}
	close_fd(&peer->pair->theirs);
	return NULL;
}

/* ---- what must hold ---- */

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	(void)socket;
	(void)arg;
	play.error = error;
	snprintf(play.text, sizeof play.text, "%s", text != NULL ? text : "");
	play.closes++;
}

static void check_ends(void)
{
	unsigned accepted = 0, next[WRITERS + 1] = {0};
	bool failed = false;

	for (unsigned i = 0; i <= WRITERS; i++) {
		for (unsigned k = 0; k < play.writers[i].made; k++)
			CHECK_EQ(play.writers[i].requests[k].ended, 1);
		accepted += play.writers[i].made;
	}
	CHECK_EQ(play.ended_count, accepted);
	for (unsigned i = 0; i < play.ended_count; i++) {
		struct request *request = &play.writers[play.ended[i] / MOST].requests[play.ended[i] % MOST];

		CHECK_EQ(request->number, next[request->writer]++);
		/* None was sent after one that was not. */
		CHECK(!failed || request->error != 0);
		failed = failed || request->error != 0;
	}
	CHECK_EQ(play.released, play.wrapped);
}

static void check_bytes(const struct peer *peer)
{
	bool all = play.ending == NEVER || play.ending == WE_CLOSE || play.ending == WE_SHUT_DOWN;

	for (unsigned i = 0; i < play.seen_count; i++) {
		struct request *request = &play.writers[play.seen[i] / MOST].requests[play.seen[i] % MOST];

		CHECK_EQ(play.seen[i], play.ended[i]);
		CHECK_OK(request->error);
	}
	if (!all)
		return;
	/* Where nobody broke it off, everything arrived, but for what came after the end of our side:
	 * a write that overlaps with the close may be taken, and ends with that error. */
	for (unsigned i = play.seen_count; i < play.ended_count; i++)
		CHECK_ERROR(play.writers[play.ended[i] / MOST].requests[play.ended[i] % MOST].error, -EPIPE);
	CHECK(peer->ended && peer->parser.header_size == 0);
	if (play.error != 0)
		FAIL("ending %d: %s (%s)", (int)play.ending, brink_strerror(play.error), play.text);
}

static void play_round(enum kind kind, brink_group *group, enum ending ending, unsigned each)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	struct peer peer = {.chance = new_chance(), .pair = &pair};
	struct team writers, reader;
	brink_socket *socket;

	memset(&play, 0, sizeof play);
	play.ending = ending;
	play.ending_after = random_below(WRITERS * each * 1000);
	for (unsigned i = 0; i <= WRITERS; i++) {
		play.writers[i].chance = new_chance();
		play.writers[i].index = i;
		play.writers[i].wanted = i == ECHOES ? MOST : each;
	}
	CHECK_OK(brink_socket_create(&play.id, brink_group_loop(group, 0), &(struct brink_socket_options){
		.fd = pair.ours, .on_close = on_close, .unsent_limit = 40000u + random_below(2000000),
		.high_water = 30000, .low_water = 10000, .linger_timeout = BRINK_SECONDS(600)}));
	pair.ours = -1;
	socket = brink_socket_address(play.id);
	start_team(&reader, 1, read_slowly, &peer, sizeof peer);
	start_team(&writers, WRITERS, write_many, play.writers, sizeof play.writers[0]);
	join_team(&writers);
	/* The peer may have read too little for the ending to come. */
	if (socket != NULL)
		close_gently(socket, true);
	join_team(&reader);
	WAIT_UNTIL(play.closes == 1);
	WAIT_UNTIL(play.released == play.wrapped);
	check_ends();
	check_bytes(&peer);
}

static void many_writers(enum kind kind)
{
	unsigned each = is_slow() ? 12 : 60;

	for (unsigned i = 0; i < rounds(2); i++) {
		for (enum ending ending = 0; ending < ENDINGS; ending++) {
			brink_group *group = start_loops(1);

			play_round(kind, group, ending, each);
			CHECK_OK(brink_group_destroy(group));
			CHECK_EQ(play.closes, 1);
		}
	}
}

static const struct scenario scenarios[] = {
	SCENARIO("stress-write/many-threads-one-connection", many_writers, KIND_TCP | KIND_UNIX, .flags = TRACE_FREE),
	NO_MORE_SCENARIOS,
};
const struct group stress_write_group = {"stress-write", scenarios};
