/* Datagrams that cross the kernel as one are on both sides what they were, whatever is mixed. */
#include "datagram_stage.h"
#include "groups.h"

#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define MANY 300u

static void need_segments(struct post *post)
{
	if ((brink_datagram_features(post->socket) & BRINK_DATAGRAM_HAS_GSO) == 0)
		SKIP("this kernel has no UDP_SEGMENT");
}

static struct brink_packet packets[MANY];
static char bytes[MANY][3000];

static void prepare(unsigned index, unsigned number, size_t size, const struct brink_address *to)
{
	if (size > 0)
		memcpy(bytes[index], numbered(number, size), size);
	packets[index] = (struct brink_packet){.bytes = bytes[index], .size = size, .to = to};
}

/* A peer that knows nothing of it gets what was sent, one by one. */
static void joined_family(int family)
{
	brink_loop *loop = new_loop();
	struct post *post = start_new_post(loop, family);
	struct brink_address to;
	int plain = open_plain(family, &to), room = 200000;

	need_segments(post);
	SYSCALL(setsockopt(plain, SOL_SOCKET, SO_RCVBUF, &room, sizeof room));
	for (unsigned i = 0; i < 70; i++)
		prepare(i, i, i == 69 ? 400 : 500, &to);
	CHECK_EQ(brink_datagram_send_many(post->socket, packets, 70), 70);
	for (unsigned i = 0; i < 70; i++)
		CHECK_EQ(receive_plain(plain, i, NULL), i == 69 ? 400 : 500);
	CHECK(nothing_plain(plain));
	CHECK_EQ(counters_of(post).joined, 70);
	CHECK_EQ(counters_of(post).send_calls, brink_datagram_features(post->socket) & BRINK_DATAGRAM_HAS_BATCH ? 1 : 2);
	close_plain(&plain, &to);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

static void joined_for_anybody(enum kind kind)
{
	(void)kind;
	each_internet_family(joined_family);
}

static void pause_now(struct post *post, const struct brink_packet *received, unsigned count)
{
	(void)received;
	(void)count;
	brink_datagram_pause(post->socket);
}

/* A budget, and a pause, may end in the middle of what came as one. */
static void cut_family(int family)
{
	brink_loop *loop = new_loop();
	struct post *post = start_new_post(loop, family), *reader = open_post(loop, family);

	need_segments(post);
	reader->options.budget = 7;
	start_post(reader);
	if ((brink_datagram_features(reader->socket) & BRINK_DATAGRAM_HAS_GRO) == 0)
		SKIP("this kernel has no UDP_GRO");
	reader->act = pause_now;
	for (unsigned i = 0; i < 40; i++)
		prepare(i, i, i == 39 ? 4 : 100, &reader->address);
	CHECK_EQ(brink_datagram_send_many(post->socket, packets, 40), 40);
	for (unsigned i = 1; i * 7 < 40; i++) {
		RUN_UNTIL(loop, reader->count == i * 7);
		rest_posts(loop);
		CHECK_EQ(reader->count, i * 7);
		brink_datagram_resume(reader->socket);
	}
	RUN_UNTIL(loop, reader->count == 40);
	for (unsigned i = 0; i < 40; i++) {
		CHECK(reader->seen[i].sound && reader->seen[i].number == i && reader->seen[i].flags == 0);
		CHECK_EQ(reader->seen[i].size, i == 39 ? 4 : 100);
		CHECK_EQ(reader->seen[i].full_size, reader->seen[i].size);
		CHECK(brink_address_equal(&reader->seen[i].from, &post->address));
	}
	CHECK_EQ(counters_of(reader).cut, 40);
	CHECK_EQ(counters_of(reader).receive_calls, 1);
	close_post(post);
	close_post(reader);
	CHECK_OK(brink_loop_destroy(loop));
}

static void cut_into_what_they_were(enum kind kind)
{
	(void)kind;
	each_internet_family(cut_family);
}

static void destroy_now(struct post *post, const struct brink_packet *received, unsigned count)
{
	(void)received;
	(void)count;
	destroy_socket(post);
}

/* More than a call hands over; in the first one the socket is paused, or destroyed. */
static void in_several_calls(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *post = start_new_post(loop, AF_INET), *reader = open_post(loop, AF_INET);
	unsigned first;

	(void)kind;
	need_segments(post);
	reader->options.receive_buffer = 200000;
	start_post(reader);
	if ((brink_datagram_features(reader->socket) & BRINK_DATAGRAM_HAS_GRO) == 0)
		SKIP("this kernel has no UDP_GRO");
	for (unsigned i = 0; i < 200; i++)
		prepare(i, i, 50, &reader->address);
	CHECK_EQ(brink_datagram_send_many(post->socket, packets, 200), 200);
	reader->act = pause_now;
	RUN_UNTIL(loop, reader->calls == 1);
	first = reader->count;
	CHECK(first < 200);
	rest_posts(loop);
	CHECK_EQ(reader->count, first);
	reader->act = NULL;
	brink_datagram_resume(reader->socket);
	RUN_UNTIL(loop, reader->count == 200);
	for (unsigned i = 0; i < 200; i++)
		CHECK(reader->seen[i].sound && reader->seen[i].number == i && reader->seen[i].size == 50);
	CHECK_EQ(brink_datagram_send_many(post->socket, packets, 200), 200);
	reader->calls = 0;
	reader->act = destroy_now;
	RUN_UNTIL(loop, reader->socket == NULL);
	turn(loop);
	CHECK_EQ(reader->calls, 1);
	close_post(post);
	close_post(reader);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- any mixture ---- */

static const unsigned ways[] = {0, BRINK_DATAGRAM_NO_OFFLOAD, BRINK_DATAGRAM_ONE_BY_ONE};
#define WAYS (sizeof ways / sizeof ways[0])
#define READERS 3u

static size_t any_size(size_t last)
{
	switch (random_below(8)) {
	case 0:
		return 0;
	case 1:
		return 4 + random_below(1990);
	case 2:
		return 4 + random_below(20);
	default:
		return last;
	}
}

/* A batch of any sizes to any of three; each gets what is its own, in order. */
static void play(struct post *post, struct post **readers, unsigned *number)
{
	unsigned count = 1 + random_below(60), reader = 0, expected[READERS], first[READERS], of[60];
	size_t size = 200, sizes[60];
	int taken;

	for (unsigned i = 0; i < READERS; i++)
		first[i] = expected[i] = readers[i]->count;
	for (unsigned i = 0; i < count; i++) {
		reader = random_below(4) == 0 ? random_below(READERS) : reader;
		sizes[i] = size = any_size(size);
		of[i] = reader;
		prepare(i, *number + i, size, &readers[reader]->address);
		expected[reader]++;
	}
	for (unsigned done = 0; done < count; done += (unsigned)taken) {
		unsigned most = 1 + random_below(count - done);

		CHECK_OK(taken = brink_datagram_send_many(post->socket, packets + done, most));
		CHECK_EQ(taken, most);
	}
	for (unsigned i = 0; i < READERS; i++)
		RUN_UNTIL(post->loop, readers[i]->count == expected[i]);
	for (unsigned i = 0; i < count; i++) {
		const struct seen *seen = &readers[of[i]]->seen[first[of[i]]++ % POST_SEEN];

		CHECK(seen->sound && seen->flags == 0);
		CHECK_EQ(seen->size, sizes[i]);
		if (sizes[i] > 0)
			CHECK_EQ(seen->number, *number + i);
	}
	*number += count;
}

static void any_family(int family)
{
	unsigned rounds = is_slow() ? 3 : 12, number = 1;

	for (unsigned way = 0; way < WAYS; way++) {
		brink_loop *loop = new_loop();
		struct post *post = open_post(loop, family), *readers[READERS];

		post->options.flags = ways[way];
		start_post(post);
		for (unsigned i = 0; i < READERS; i++) {
			readers[i] = open_post(loop, family);
			readers[i]->options.flags = ways[i];
			readers[i]->options.budget = 1 + random_below(30);
			readers[i]->options.batch = 1 + random_below(20);
			readers[i]->options.receive_buffer = 200000;
			start_post(readers[i]);
		}
		for (unsigned i = 0; i < rounds; i++)
			play(post, readers, &number);
		for (unsigned i = 0; i < READERS; i++)
			close_post(readers[i]);
		close_post(post);
		CHECK_OK(brink_loop_destroy(loop));
	}
}

static void any_mixture(enum kind kind)
{
	(void)kind;
	each_family(any_family);
}

/* ---- what is refused ---- */

/* A destination that no kernel sends to says nothing about what the device can do. */
static void refused_family(int family)
{
	brink_loop *loop = new_loop();
	struct post *post = start_new_post(loop, family), *reader = start_new_post(loop, family);
	struct brink_address nowhere;

	need_segments(post);
	CHECK_OK(brink_address_parse(&nowhere, family == AF_INET6 ? "[::1]:0" : "127.0.0.1:0"));
	for (unsigned i = 0; i < 20; i++)
		prepare(i, i, 500, &nowhere);
	CHECK_ERROR(brink_datagram_send_many(post->socket, packets, 20), -EINVAL);
	CHECK_EQ(counters_of(post).sent, 0);
	for (unsigned i = 0; i < 20; i++)
		prepare(i, i, 500, &reader->address);
	CHECK_EQ(brink_datagram_send_many(post->socket, packets, 20), 20);
	CHECK_EQ(counters_of(post).joined, 20);
	RUN_UNTIL(loop, reader->count == 20);
	close_post(post);
	close_post(reader);
	CHECK_OK(brink_loop_destroy(loop));
}

static void joined_after_a_refusal(enum kind kind)
{
	(void)kind;
	each_internet_family(refused_family);
}

/* ---- what may not go as one ---- */

#define PAIRS 4u

static struct post *start_anywhere(brink_loop *loop)
{
	struct post *post = open_post(loop, AF_INET);

	post->options.address = "0.0.0.0:0";
	start_post(post);
	need_segments(post);
	return post;
}

/* One after the other from two addresses, twice each. */
static void from_where_each_says(enum kind kind)
{
	static const char *const hosts[] = {"127.0.0.1:1", "127.0.0.2:1"};
	brink_loop *loop = new_loop();
	struct post *post = start_anywhere(loop);
	struct brink_address to, from[2], came;
	int plain = open_plain(AF_INET, &to);

	(void)kind;
	for (unsigned i = 0; i < 2; i++)
		CHECK_OK(brink_address_parse(&from[i], hosts[i]));
	for (unsigned i = 0; i < 2 * PAIRS; i++) {
		prepare(i, i, 100, &to);
		packets[i].from = &from[i / 2 % 2];
	}
	CHECK_EQ(brink_datagram_send_many(post->socket, packets, 2 * PAIRS), 2 * PAIRS);
	for (unsigned i = 0; i < 2 * PAIRS; i++) {
		const struct sockaddr_in *expected = (const struct sockaddr_in *)(const void *)&from[i / 2 % 2].storage;

		CHECK_EQ(receive_plain(plain, i, &came), 100);
		CHECK_EQ(((const struct sockaddr_in *)(const void *)&came.storage)->sin_addr.s_addr,
		         expected->sin_addr.s_addr);
	}
	CHECK_EQ(counters_of(post).joined, 2 * PAIRS);
	close_plain(&plain, &to);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

/* By an interface that is named, and by any. */
static void by_the_interface_of_each(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *post = start_anywhere(loop);
	struct brink_address to;
	int plain = open_plain(AF_INET, &to);

	(void)kind;
	for (unsigned i = 0; i < 2 * PAIRS; i++) {
		prepare(i, i, 100, &to);
		packets[i].interface_index = i % 2 * if_nametoindex("lo");
	}
	CHECK_EQ(brink_datagram_send_many(post->socket, packets, 2 * PAIRS), 2 * PAIRS);
	for (unsigned i = 0; i < 2 * PAIRS; i++)
		CHECK_EQ(receive_plain(plain, i, NULL), 100);
	CHECK_EQ(counters_of(post).joined, 0);
	close_plain(&plain, &to);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("datagram-offload/joined-for-anybody", joined_for_anybody, KIND_NONE),
	SCENARIO("datagram-offload/cut-into-what-they-were", cut_into_what_they_were, KIND_NONE),
	SCENARIO("datagram-offload/in-several-calls", in_several_calls, KIND_NONE),
	SCENARIO("datagram-offload/any-mixture", any_mixture, KIND_NONE),
	SCENARIO("datagram-offload/from-where-each-says", from_where_each_says, KIND_NONE),
	SCENARIO("datagram-offload/by-the-interface-of-each", by_the_interface_of_each, KIND_NONE),
	SCENARIO("datagram-offload/joined-after-a-refusal", joined_after_a_refusal, KIND_NONE),
	NO_MORE_SCENARIOS,
};
const struct group datagram_offload_group = {"datagram-offload", scenarios};
