/* The table of calls under a socket: the same scenarios over the plain transport, one that is
 * the loop's alone, and shared memory; and calls that wait for the other direction. */
#include "client_stage.h"
#include "groups.h"

#include "../../examples/shared_memory.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- transports ---- */

static ssize_t read_some(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	ssize_t got = readv(fd, parts, count);

	(void)state;
	*waits = BRINK_READ;
	return got < 0 ? -errno : got;
}

static ssize_t write_some(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	struct msghdr message;
	ssize_t put;

	(void)state;
	memset(&message, 0, sizeof message);
	message.msg_iov = (struct iovec *)(uintptr_t)parts;
	message.msg_iovlen = (__typeof__(message.msg_iovlen))count;
	put = sendmsg(fd, &message, 0);
	*waits = BRINK_WRITE;
	return put < 0 ? -errno : put;
}

/* Every call must be the loop's; `outside` counts those that are not. */
static pthread_t loop_thread;
static atomic_uint outside;

static void look_where(void)
{
	if (!pthread_equal(pthread_self(), loop_thread))
		atomic_fetch_add(&outside, 1);
}

static ssize_t read_there(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	look_where();
	return read_some(state, fd, parts, count, waits);
}

static ssize_t write_there(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	look_where();
	return write_some(state, fd, parts, count, waits);
}

static const struct brink_transport single_threaded = {
	.name = "single-threaded",
	.flags = BRINK_TRANSPORT_SINGLE_THREADED,
	.readv = read_there,
	.writev = write_there,
};

/* ---- two sockets at one loop ---- */

struct side {
	struct brink_socket_options options;
	brink_socket_id id;
	struct seen seen;
	struct shared_memory_end end;
	_Atomic uint64_t got; /* bytes of the running pattern */
	atomic_bool wrong;
	unsigned pauses; /* of reading, now and then */
};

struct duo {
	struct pair pair;
	brink_loop *loop;
	struct shared_memory *memory;
	struct side sides[2];
};

static void open_duo(struct duo *duo, enum kind kind, const struct brink_transport *transport)
{
	memset(duo, 0, sizeof *duo);
	loop_thread = pthread_self();
	duo->loop = new_loop();
	duo->pair = open_pair(kind, BRINK_READ);
	duo->memory = shared_memory_create();
	CHECK(duo->memory != NULL);
	for (int i = 0; i < 2; i++) {
		struct side *side = &duo->sides[i];

		see(&side->seen, &side->options);
		side->options.fd = i == 0 ? duo->pair.ours : duo->pair.theirs;
		side->end = shared_memory_end(duo->memory, i);
		side->options.transport = transport;
		side->options.transport_arg = &side->end;
	}
}

static void create_duo(struct duo *duo)
{
	for (int i = 0; i < 2; i++)
		CHECK_OK(brink_socket_create(&duo->sides[i].id, duo->loop, &duo->sides[i].options));
	duo->pair.ours = duo->pair.theirs = -1;
}

static void close_duo(struct duo *duo)
{
	for (int i = 0; i < 2; i++)
		brink_socket_fail(duo->sides[i].id, 0, NULL);
	brink_loop_destroy(duo->loop);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(duo->sides[i].seen.closes, 1);
	CHECK_EQ(outside, 0);
	shared_memory_destroy(duo->memory);
	close_pair(&duo->pair);
}

/* ---- the scenarios ---- */

static void both_ways(enum kind kind, const struct brink_transport *transport)
{
	struct duo duo;

	open_duo(&duo, kind, transport);
	create_duo(&duo);
	write_text(duo.sides[0].id, "ping");
	RUN_UNTIL(duo.loop, duo.sides[1].seen.size == 4);
	CHECK(strcmp(duo.sides[1].seen.bytes, "ping") == 0);
	write_text(duo.sides[1].id, "pong!");
	RUN_UNTIL(duo.loop, duo.sides[0].seen.size == 5 && duo.sides[1].seen.writes == 1);
	CHECK(strcmp(duo.sides[0].seen.bytes, "pong!") == 0);
	close_duo(&duo);
}

/* What was written before an end comes before it, and the other side may still answer. */
static void half_ended(enum kind kind, const struct brink_transport *transport)
{
	struct duo duo;
	brink_socket *socket;

	open_duo(&duo, kind, transport);
	create_duo(&duo);
	RUN_UNTIL(duo.loop, duo.sides[0].seen.opens == 1 && duo.sides[1].seen.opens == 1);
	socket = brink_socket_address(duo.sides[0].id);
	CHECK(socket != NULL);
	CHECK_OK(brink_socket_write_bytes(socket, "last", 4));
	CHECK_OK(brink_socket_shutdown(socket));
	CHECK_ERROR(brink_socket_write_bytes(socket, "late", 4), -EPIPE);
	brink_socket_release(socket);
	write_text(duo.sides[1].id, "answer");
	/* At the end, `seen` closes the other side. */
	RUN_UNTIL(duo.loop, duo.sides[0].seen.closes == 1 && duo.sides[1].seen.closes == 1);
	CHECK(strcmp(duo.sides[1].seen.bytes, "last") == 0);
	CHECK(strcmp(duo.sides[0].seen.bytes, "answer") == 0);
	CHECK_EQ(duo.sides[1].seen.ends, 1);
	CHECK_EQ(duo.sides[0].seen.error, 0);
	CHECK_EQ(duo.sides[1].seen.error, 0);
	close_duo(&duo);
}

static unsigned char byte_at(uint64_t offset)
{
	return (unsigned char)(offset * 31 + offset / 251);
}

static void check_pattern(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct side *side = arg;
	unsigned char bytes[4096];
	size_t size;

	while ((size = brink_buffer_copy(in, 0, bytes, sizeof bytes)) > 0) {
		for (size_t i = 0; i < size; i++)
			if (bytes[i] != byte_at(side->got + i))
				atomic_store(&side->wrong, true);
		side->got += size;
		brink_buffer_pop(in, size);
	}
	if (++side->pauses % 8 == 0)
		brink_socket_pause(socket);
}

static void count_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct side *side = arg;

	(void)socket;
	(void)text;
	side->seen.closes++;
	side->seen.error = error;
}

static void resume(struct side *side)
{
	brink_socket *socket = brink_socket_address(side->id);

	CHECK(socket != NULL);
	brink_socket_resume(socket);
	brink_socket_release(socket);
}

#define MUCH 3000000u

static void write_pattern(brink_socket *socket, uint64_t from, size_t size)
{
	static unsigned char bytes[100000];

	for (size_t i = 0; i < size; i++)
		bytes[i] = byte_at(from + i);
	CHECK_OK(brink_socket_write_bytes(socket, bytes, size));
}

/* More than any buffer holds, to a reader that pauses now and then. */
static void much(enum kind kind, const struct brink_transport *transport)
{
	struct side *to;
	struct duo duo;
	brink_socket *socket;

	open_duo(&duo, kind, transport);
	to = &duo.sides[1];
	to->options.on_bytes = check_pattern;
	to->options.on_close = count_close;
	to->options.on_open = NULL;
	to->options.arg = to;
	create_duo(&duo);
	socket = brink_socket_address(duo.sides[0].id);
	CHECK(socket != NULL);
	for (uint64_t sent = 0; sent < MUCH;) {
		size_t size = 1 + random_below(99999);

		size = size < MUCH - sent ? size : (size_t)(MUCH - sent);
		write_pattern(socket, sent, size);
		sent += size;
		turn(duo.loop);
		resume(to);
	}
	brink_socket_release(socket);
	RUN_UNTIL(duo.loop, (resume(to), to->got == MUCH));
	CHECK(!to->wrong);
	CHECK_EQ(duo.sides[0].seen.write_error, 0);
	close_duo(&duo);
}

static void failed(enum kind kind, const struct brink_transport *transport)
{
	struct duo duo;
	brink_socket *socket;
	unsigned writes = 0;

	open_duo(&duo, kind, transport);
	duo.sides[1].options.flags = BRINK_SOCKET_PAUSED;
	create_duo(&duo);
	RUN_UNTIL(duo.loop, duo.sides[0].seen.opens == 1 && duo.sides[1].seen.opens == 1);
	socket = brink_socket_address(duo.sides[0].id);
	CHECK(socket != NULL);
	for (uint64_t sent = 0; sent < 20000000; sent += 100000, writes++)
		write_pattern(socket, sent, 100000);
	turn(duo.loop);
	CHECK_OK(brink_socket_fail(duo.sides[0].id, -EPROTO, "on purpose"));
	CHECK_ERROR(brink_socket_write_bytes(socket, "late", 4), -EPROTO);
	brink_socket_release(socket);
	RUN_UNTIL(duo.loop, duo.sides[0].seen.closes == 1);
	CHECK_EQ(duo.sides[0].seen.writes, writes);
	CHECK_ERROR(duo.sides[0].seen.write_error, -EPROTO);
	/* The other side hears of it. */
	resume(&duo.sides[1]);
	RUN_UNTIL(duo.loop, duo.sides[1].seen.closes == 1);
	close_duo(&duo);
}

/* ---- many threads ---- */

#define WRITERS 3

struct record {
	uint32_t writer, number;
};

static struct {
	brink_socket_id id;
	unsigned each;
	atomic_uint next[WRITERS]; /* the number expected of each */
	atomic_uint total;
} many;

static void *write_records(void *arg)
{
	struct record record = {.writer = (uint32_t)(uintptr_t)arg};
	brink_socket *socket = brink_socket_address(many.id);

	CHECK(socket != NULL);
	for (; record.number < many.each; record.number++)
		CHECK_OK(brink_socket_write_bytes(socket, &record, sizeof record));
	brink_socket_release(socket);
	return NULL;
}

static void check_records(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct record record;

	(void)socket;
	(void)arg;
	while (brink_buffer_length(in) >= sizeof record) {
		brink_buffer_copy(in, 0, &record, sizeof record);
		brink_buffer_pop(in, sizeof record);
		CHECK(record.writer < WRITERS);
		CHECK_EQ(record.number, many.next[record.writer]);
		many.next[record.writer]++;
		many.total++;
	}
}

static void by_threads(enum kind kind, const struct brink_transport *transport)
{
	brink_executor *executor = NULL;
	pthread_t threads[WRITERS];
	struct duo duo;

	many.each = is_slow() ? 500 : 10000;
	open_duo(&duo, kind, transport);
	CHECK_OK(brink_executor_create(&executor, &(struct brink_executor_options){.threads = 2}));
	duo.sides[1].options.on_bytes = check_records;
	duo.sides[1].options.executor = executor;
	create_duo(&duo);
	many.id = duo.sides[0].id;
	for (unsigned i = 0; i < WRITERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, write_records, (void *)(uintptr_t)i), 0);
	RUN_UNTIL(duo.loop, many.total == WRITERS * many.each);
	for (unsigned i = 0; i < WRITERS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	RUN_UNTIL(duo.loop, duo.sides[0].seen.writes == WRITERS * many.each);
	close_duo(&duo);
	brink_executor_destroy(executor);
}

/* ---- calls that wait for the other direction ---- */

/* Each write takes a leave from the peer: a byte. */
static ssize_t write_with_leave(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	char leave;

	if (recv(fd, &leave, 1, 0) != 1) {
		*waits = BRINK_READ;
		return -EAGAIN;
	}
	return write_some(state, fd, parts, count, waits);
}

static const struct brink_transport with_leave = {
	.name = "with leave",
	.flags = BRINK_TRANSPORT_SINGLE_THREADED,
	.readv = read_some,
	.writev = write_with_leave,
};

static void write_waits_for_read(enum kind kind)
{
	struct brink_socket_options options = {.transport = &with_leave, .flags = BRINK_SOCKET_PAUSED};
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	brink_socket_id id;
	struct seen seen;

	see(&seen, &options);
	options.fd = pair.ours;
	CHECK_OK(brink_socket_create(&id, loop, &options));
	RUN_UNTIL(loop, seen.opens == 1);
	for (unsigned i = 0; i < 5; i++) {
		char text[8];

		snprintf(text, sizeof text, "text %u", i);
		write_text(id, text);
		turn_for(loop, BRINK_MS(5));
		CHECK_EQ(seen.writes, i);
		CHECK_EQ(unread(pair.theirs), 0);
		write_all(pair.theirs, "!", 1);
		read_text(loop, pair.theirs, text);
		RUN_UNTIL(loop, seen.writes == i + 1);
	}
	brink_loop_destroy(loop);
	CHECK_EQ(seen.closes, 1);
	pair.ours = -1;
	close_pair(&pair);
}

/* Each read has to send a byte first. The first of all finds no room for it: it has just filled
 * the descriptor, which nobody can do ahead, since a kernel makes room when it likes. */
static bool has_filled;

static bool sends_request(int fd)
{
	static const char bytes[65536];

	if (has_filled)
		return send(fd, "?", 1, 0) == 1;
	has_filled = true;
	while (send(fd, bytes, sizeof bytes, 0) > 0 || send(fd, "?", 1, 0) == 1)
		;
	return false;
}

static ssize_t read_with_request(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	if (!sends_request(fd)) {
		*waits = BRINK_WRITE;
		return -EAGAIN;
	}
	return read_some(state, fd, parts, count, waits);
}

static const struct brink_transport with_request = {
	.name = "with request",
	.flags = BRINK_TRANSPORT_SINGLE_THREADED,
	.readv = read_with_request,
	.writev = write_some,
};

static void read_waits_for_write(enum kind kind)
{
	struct brink_socket_options options = {.transport = &with_request};
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	brink_socket_id id;
	struct seen seen;

	see(&seen, &options);
	options.fd = pair.ours;
	write_all(pair.theirs, "here", 4);
	CHECK_OK(brink_socket_create(&id, loop, &options));
	RUN_UNTIL(loop, has_filled);
	RUN_UNTIL(loop, (drain(pair.theirs), seen.size == 4));
	CHECK(strcmp(seen.bytes, "here") == 0);
	/* And for READ again, as usual. */
	drain(pair.theirs);
	write_all(pair.theirs, "more", 4);
	RUN_UNTIL(loop, (drain(pair.theirs), seen.size == 8));
	brink_loop_destroy(loop);
	CHECK_EQ(seen.closes, 1);
	pair.ours = -1;
	close_pair(&pair);
}

#define OVER_EACH(name) \
	static void name##_plain(enum kind kind) \
	{ \
		name(kind, NULL); \
	} \
	static void name##_single(enum kind kind) \
	{ \
		name(kind, &single_threaded); \
	} \
	static void name##_shared(enum kind kind) \
	{ \
		name(kind, &shared_memory_transport); \
	}

OVER_EACH(both_ways)
OVER_EACH(half_ended)
OVER_EACH(much)
OVER_EACH(failed)
OVER_EACH(by_threads)

static const struct scenario scenarios[] = {
	SCENARIO("transport/plain-both-ways", both_ways_plain, KINDS_STREAM),
	SCENARIO("transport/plain-half-ended", half_ended_plain, KINDS_STREAM),
	SCENARIO("transport/plain-much", much_plain, KINDS_STREAM),
	SCENARIO("transport/plain-failed", failed_plain, KINDS_STREAM),
	SCENARIO("transport/plain-by-threads", by_threads_plain, KINDS_STREAM),
	SCENARIO("transport/single-both-ways", both_ways_single, KINDS_STREAM),
	SCENARIO("transport/single-half-ended", half_ended_single, KINDS_STREAM),
	SCENARIO("transport/single-much", much_single, KINDS_STREAM),
	SCENARIO("transport/single-failed", failed_single, KINDS_STREAM),
	SCENARIO("transport/single-by-threads", by_threads_single, KINDS_STREAM),
	SCENARIO("transport/shared-both-ways", both_ways_shared, KIND_UNIX),
	SCENARIO("transport/shared-half-ended", half_ended_shared, KIND_UNIX),
	SCENARIO("transport/shared-much", much_shared, KIND_UNIX),
	SCENARIO("transport/shared-failed", failed_shared, KIND_UNIX),
	SCENARIO("transport/shared-by-threads", by_threads_shared, KIND_UNIX),
	SCENARIO("transport/write-waits-for-read", write_waits_for_read, KINDS_STREAM),
	SCENARIO("transport/read-waits-for-write", read_waits_for_write, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group transport_group = {"transport", scenarios};
