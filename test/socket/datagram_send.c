/* Datagrams that go: many at once, each where it is to go; what there is no room for is queued, or
 * refused, and never lost; from any thread. */
#include "datagram_stage.h"
#include "groups.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const unsigned ways[] = {0, BRINK_DATAGRAM_ONE_BY_ONE, BRINK_DATAGRAM_NO_OFFLOAD};
#define WAYS (sizeof ways / sizeof ways[0])

#define MANY 40u /* more than a batch holds */

/* ---- many ---- */

static void fill_in(struct brink_packet *packets, char (*bytes)[64], unsigned first, unsigned count,
                    const struct brink_address *to)
{
	memset(packets, 0, count * sizeof *packets);
	for (unsigned i = 0; i < count; i++) {
		size_t size = (first + i) % 7 == 3 ? 0 : 64 - (first + i) % 5;

		memcpy(bytes[i], numbered(first + i, size), size);
		packets[i].bytes = size > 0 ? bytes[i] : NULL;
		packets[i].size = size;
		packets[i].to = to;
	}
}

static void many_this_way(int family, unsigned flags, unsigned count)
{
	brink_loop *loop = new_loop();
	struct post *post = open_post(loop, family);
	struct brink_packet packets[MANY];
	struct brink_address one, other;
	char bytes[MANY][64];
	int first = open_plain(family, &one), second = open_plain(family, &other);

	post->options.flags = flags;
	start_post(post);
	fill_in(packets, bytes, 0, count, &one);
	for (unsigned i = 0; i < count; i += 3)
		packets[i].to = &other;
	CHECK_EQ(brink_datagram_send_many(post->socket, packets, count), count);
	for (unsigned i = 0; i < count; i++) {
		struct brink_address from;

		/* A UNIX socket's queue holds few: the loop sends the rest as there is room. */
		RUN_UNTIL(loop, ready_now(i % 3 ? first : second, BRINK_READ));
		CHECK_EQ(receive_plain(i % 3 ? first : second, i, &from), packets[i].size);
		CHECK(brink_address_equal(&from, &post->address));
	}
	CHECK(nothing_plain(first) && nothing_plain(second));
	CHECK_EQ(counters_of(post).sent, count);
	CHECK_EQ(brink_datagram_queued(post->socket), 0);
	close_plain(&first, &one);
	close_plain(&second, &other);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

static void many_family(int family)
{
	static const unsigned counts[] = {1, 2, 15, 16, 17, MANY};

	for (unsigned i = 0; i < WAYS; i++)
		for (unsigned j = 0; j < sizeof counts / sizeof counts[0]; j++)
			many_this_way(family, ways[i], counts[j]);
}

static void each_to_its_own(enum kind kind)
{
	(void)kind;
	each_family(many_family);
}

/* ---- what is refused ---- */

static void refuse_family(int family)
{
	brink_loop *loop = new_loop();
	struct post *post = start_new_post(loop, family);
	static char huge[70000];
	struct brink_address to, wrong;
	int plain = open_plain(family, &to);
	struct brink_packet packets[4];
	char bytes[4][64];

	CHECK_ERROR(brink_datagram_send(post->socket, "x", 1, NULL), -EDESTADDRREQ);
	CHECK_EQ(brink_datagram_send_many(post->socket, NULL, 0), 0);
	fill_in(packets, bytes, 0, 3, &to);
	packets[2].reserved[1] = bytes;
	CHECK_EQ(brink_datagram_send_many(post->socket, packets, 3), 2);
	CHECK_ERROR(brink_datagram_send_many(post->socket, packets + 2, 1), -EINVAL);
	packets[2] = (struct brink_packet){.size = 3, .to = &to};
	CHECK_ERROR(brink_datagram_send_many(post->socket, packets + 2, 1), -EINVAL);
	CHECK_OK(brink_address_parse(&wrong, family == AF_INET ? "[::1]:0" : "127.0.0.1:0"));
	packets[2] = (struct brink_packet){.bytes = "abc", .size = 3, .to = &to, .from = &wrong};
	CHECK_ERROR(brink_datagram_send_many(post->socket, packets + 2, 1), -EINVAL);
	for (unsigned i = 0; i < 2; i++)
		receive_plain(plain, i, NULL);
	if (family != AF_UNIX) {
		/* A batch ends before the one that is too large, and the next call says why. */
		fill_in(packets, bytes, 4, 4, &to);
		packets[2].bytes = huge;
		packets[2].size = sizeof huge;
		CHECK_EQ(brink_datagram_send_many(post->socket, packets, 4), 2);
		CHECK_ERROR(brink_datagram_send_many(post->socket, packets + 2, 2), -EMSGSIZE);
		CHECK_EQ(receive_plain(plain, 4, NULL), packets[0].size);
		CHECK_EQ(receive_plain(plain, 5, NULL), packets[1].size);
	}
	CHECK(nothing_plain(plain));
	rest_posts(loop);
	CHECK_EQ(post->errors, 0); /* a send has said it */
	close_plain(&plain, &to);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

static void what_is_refused(enum kind kind)
{
	(void)kind;
	each_family(refuse_family);
}

/* ---- answers ---- */

/* One way and the other: what a packet says of itself is what an answer needs. */
static void answer(struct post *post, const struct brink_packet *packets, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct brink_packet reply = {.bytes = packets[i].bytes, .size = packets[i].size, .to = packets[i].from,
			.from = packets[i].local};

		if ((post->count + i) % 2 == 0)
			CHECK_OK(brink_datagram_reply(post->socket, &packets[i], reply.bytes, reply.size));
		else
			CHECK_EQ(brink_datagram_send_many(post->socket, &reply, 1), 1);
	}
}

static void answer_nobody(struct post *post, const struct brink_packet *packets, unsigned count)
{
	CHECK_EQ(count, 1);
	CHECK_ERROR(brink_datagram_reply(post->socket, packets, "x", 1), -EDESTADDRREQ);
}

static void answer_family(int family)
{
	brink_loop *loop = new_loop();
	struct post *server = start_new_post(loop, family), *client = open_post(loop, family);
	char text[BRINK_ADDRESS_TEXT];

	server->act = answer;
	CHECK_OK(brink_address_format(&server->address, text, sizeof text));
	client->options.peer = text;
	start_post(client);
	for (unsigned i = 0; i < 5; i++)
		CHECK_OK(brink_datagram_send(client->socket, numbered(i, 4), i ? 4 : 0, NULL));
	RUN_UNTIL(loop, client->count == 5);
	for (unsigned i = 0; i < 5; i++) {
		CHECK_EQ(client->seen[i].number, i);
		CHECK(brink_address_equal(&client->seen[i].from, &server->address));
		CHECK(brink_address_equal(&server->seen[i].from, &client->address));
	}
	close_post(client);
	close_post(server);
	CHECK_OK(brink_loop_destroy(loop));
}

static void answers(enum kind kind)
{
	brink_loop *loop;
	struct post *server;
	int nameless;

	(void)kind;
	each_family(answer_family);
	loop = new_loop();
	server = start_new_post(loop, AF_UNIX);
	server->act = answer_nobody;
	SYSCALL(nameless = socket(AF_UNIX, SOCK_DGRAM, 0));
	send_plain(nameless, &server->address, 1, 4);
	RUN_UNTIL(loop, server->count == 1);
	close_fd(&nameless);
	close_post(server);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- no room ---- */

/* Sends until it is refused; returns the number of the next. */
static unsigned send_until_refused(struct post *post, unsigned number, const struct brink_address *to)
{
	int result;

	while ((result = brink_datagram_send(post->socket, numbered(number, 1000), 1000, to)) == 0)
		CHECK(++number < 100000);
	CHECK_ERROR(result, -EAGAIN);
	return number;
}

/* A full queue, which then goes on: everything that was taken arrives, in order, and there is
 * a call for room. `to` NULL: the two are connected. */
static void fill_and_drain(brink_loop *loop, struct post *post, int plain, const struct brink_address *to)
{
	unsigned sent = 0, got = 0, rounds = 0;
	uint64_t turns;

	for (; rounds < 3; rounds++) {
		struct brink_counters before, after;

		sent = send_until_refused(post, sent, to);
		CHECK_ERROR(brink_datagram_send(post->socket, numbered(sent, 1000), 1000, to), -EAGAIN);
		CHECK_EQ(post->writables, rounds);
		if (post->options.flags & BRINK_DATAGRAM_NO_QUEUE)
			CHECK_EQ(brink_datagram_queued(post->socket), 0);
		else
			CHECK(brink_datagram_queued(post->socket) > post->options.queue_limit / 2);
		/* Waiting costs next to nothing, also where only time can tell. */
		brink_loop_counters(loop, &before);
		turns = monotonic_now();
		while (monotonic_now() - turns < BRINK_MS(30))
			turn(loop);
		brink_loop_counters(loop, &after);
		CHECK(after.turns - before.turns < 100);
		while (got < sent) {
			RUN_UNTIL(loop, ready_now(plain, BRINK_READ));
			CHECK_EQ(receive_plain(plain, got++, NULL), 1000);
		}
		RUN_UNTIL(loop, post->writables == rounds + 1);
		CHECK(nothing_plain(plain));
		CHECK_EQ(brink_datagram_queued(post->socket), 0);
	}
	CHECK_EQ(counters_of(post).sent, sent);
	CHECK_EQ(counters_of(post).refused, 2 * rounds);
	CHECK_EQ(post->errors, 0);
}

static void no_room_this_way(unsigned flags)
{
	brink_loop *loop = new_loop();
	struct post *post = open_post(loop, AF_UNIX);
	struct brink_address to;
	int plain = open_plain(AF_UNIX, &to);
	char text[BRINK_ADDRESS_TEXT];

	post->options.flags = flags;
	post->options.queue_limit = 30000;
	start_post(post);
	fill_and_drain(loop, post, plain, &to); /* unconnected: its queue is full, not ours */
	close_post(post);
	post = open_post(loop, AF_UNIX);
	CHECK_OK(brink_address_format(&to, text, sizeof text));
	post->options.flags = flags;
	post->options.queue_limit = 20000;
	post->options.peer = text;
	start_post(post);
	fill_and_drain(loop, post, plain, NULL);
	close_post(post);
	close_plain(&plain, &to);
	CHECK_OK(brink_loop_destroy(loop));
}

/* Two that are connected to each other: there the sender's own buffer is what is full. */
static void no_room_in_a_pair(unsigned flags)
{
	brink_loop *loop = new_loop();
	struct post *post = open_post(loop, AF_UNIX);
	int other = hand_over_pair(post);

	post->options.flags = flags;
	post->options.queue_limit = 100000;
	start_post(post);
	fill_and_drain(loop, post, other, NULL);
	close_post(post);
	close_fd(&other);
	CHECK_OK(brink_loop_destroy(loop));
}

static void no_room(enum kind kind)
{
	(void)kind;
	for (unsigned i = 0; i < WAYS; i++) {
		no_room_this_way(ways[i]);
		no_room_in_a_pair(ways[i]);
	}
}

static void no_room_and_no_queue(enum kind kind)
{
	(void)kind;
	no_room_this_way(BRINK_DATAGRAM_NO_QUEUE);
	no_room_in_a_pair(BRINK_DATAGRAM_NO_QUEUE);
}

static void destroy_writable(struct post *post)
{
	destroy_socket(post);
}

static void destroyed_when_there_is_room(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *post = open_post(loop, AF_UNIX);
	struct brink_address to;
	int plain = open_plain(AF_UNIX, &to);

	(void)kind;
	post->options.queue_limit = 3000;
	post->act_writable = destroy_writable;
	start_post(post);
	send_until_refused(post, 0, &to);
	for (unsigned i = 0; post->socket != NULL; i++) {
		RUN_UNTIL(loop, post->socket == NULL || ready_now(plain, BRINK_READ));
		if (post->socket != NULL)
			receive_plain(plain, i, NULL);
	}
	CHECK_EQ(brink_loop_run(loop), 0);
	close_plain(&plain, &to);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

/* One that cannot be sent after all is told of, and those behind it go on. */
static void a_queued_one_fails(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *post = start_new_post(loop, AF_UNIX);
	struct brink_address to, gone;
	int plain = open_plain(AF_UNIX, &to), other = open_plain(AF_UNIX, &gone);
	unsigned sent = 0, got = 0;

	(void)kind;
	while (brink_datagram_queued(post->socket) == 0)
		CHECK_OK(brink_datagram_send(post->socket, numbered(sent++, 1000), 1000, &to));
	CHECK_OK(brink_datagram_send(post->socket, "lost", 4, &gone));
	CHECK_OK(brink_datagram_send(post->socket, numbered(sent++, 1000), 1000, &to));
	close_plain(&other, &gone);
	while (got < sent) {
		RUN_UNTIL(loop, ready_now(plain, BRINK_READ));
		receive_plain(plain, got++, NULL);
	}
	CHECK_EQ(post->errors, 1);
	CHECK_ERROR(post->error, -ENOENT);
	CHECK(post->has_error_to && brink_address_equal(&post->error_to, &gone));
	close_plain(&plain, &to);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- threads ---- */

#define THREADS 4u

struct sender {
	struct post *post;
	unsigned index, each;
	atomic_uint *done;
};

static void *send_numbers(void *arg)
{
	struct sender *sender = arg;

	for (unsigned i = 0; i < sender->each; i++) {
		unsigned number = sender->index << 24 | i;
		int result;

		while ((result = brink_datagram_send(sender->post->socket, numbered(number, 100), 100, NULL)) == -EAGAIN)
			sleep_ms(1);
		CHECK_OK(result);
	}
	(*sender->done)++;
	return NULL;
}

/* The order of each thread is kept, and what was taken arrives once. */
static void from_many_threads(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *post = open_post(loop, AF_UNIX), *reader = open_post(loop, AF_UNIX);
	unsigned next[THREADS] = {0}, each = is_slow() ? 300 : 3000, checked = 0;
	struct sender senders[THREADS];
	pthread_t threads[THREADS];
	char text[BRINK_ADDRESS_TEXT];
	atomic_uint done = 0;

	(void)kind;
	start_post(reader);
	CHECK_OK(brink_address_format(&reader->address, text, sizeof text));
	post->options.peer = text;
	post->options.queue_limit = 4000;
	start_post(post);
	for (unsigned i = 0; i < THREADS; i++) {
		senders[i] = (struct sender){post, i, each, &done};
		CHECK_EQ(pthread_create(&threads[i], NULL, send_numbers, &senders[i]), 0);
	}
	while (checked < THREADS * each) {
		RUN_UNTIL(loop, reader->count > checked);
		for (; checked < reader->count; checked++) {
			const struct seen *seen = &reader->seen[checked % POST_SEEN];

			CHECK(seen->sound && seen->size == 100 && seen->number >> 24 < THREADS);
			CHECK_EQ(seen->number & 0xffffff, next[seen->number >> 24]++);
		}
	}
	RUN_UNTIL(loop, done == THREADS);
	for (unsigned i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	turn(loop);
	CHECK_EQ(counters_of(post).sent, THREADS * each);
	CHECK_EQ(brink_datagram_queued(post->socket), 0);
	close_post(post);
	close_post(reader);
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("datagram-send/each-to-its-own", each_to_its_own, KIND_NONE),
	SCENARIO("datagram-send/what-is-refused", what_is_refused, KIND_NONE),
	SCENARIO("datagram-send/answers", answers, KIND_NONE),
	SCENARIO("datagram-send/no-room", no_room, KIND_NONE),
	SCENARIO("datagram-send/no-room-and-no-queue", no_room_and_no_queue, KIND_NONE),
	SCENARIO("datagram-send/destroyed-when-there-is-room", destroyed_when_there_is_room, KIND_NONE),
	SCENARIO("datagram-send/a-queued-one-fails", a_queued_one_fails, KIND_NONE),
	SCENARIO("datagram-send/from-many-threads", from_many_threads, KIND_NONE),
	NO_MORE_SCENARIOS,
};
const struct group datagram_send_group = {"datagram-send", scenarios};
