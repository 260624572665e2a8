/* Datagrams that come: whole, in order, with their addresses; cut off and said so; in bounded
 * portions; paused; and with the socket destroyed meanwhile. */
#include "datagram_stage.h"
#include "groups.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

static const unsigned ways[] = {0, BRINK_DATAGRAM_ONE_BY_ONE, BRINK_DATAGRAM_NO_OFFLOAD,
	BRINK_DATAGRAM_ONE_BY_ONE | BRINK_DATAGRAM_NO_OFFLOAD};
#define WAYS (sizeof ways / sizeof ways[0])

/* What a UNIX socket's queue takes on every system. */
#define FEW 8u

static void check_seen(const struct post *post, unsigned index, unsigned number, size_t size,
                       const struct brink_address *from)
{
	const struct seen *seen = &post->seen[index];

	CHECK(seen->sound);
	CHECK_EQ(seen->size, size);
	CHECK_EQ(seen->full_size, size);
	CHECK_EQ(seen->flags, 0);
	if (size > 0)
		CHECK_EQ(seen->number, number);
	CHECK(brink_address_equal(&seen->from, from));
	if (brink_datagram_features(post->socket) & BRINK_DATAGRAM_HAS_LOCAL) {
		CHECK(seen->has_to && brink_address_equal(&seen->to, &post->address));
		CHECK(seen->has_local && brink_address_equal(&seen->local, &post->address));
	}
}

/* ---- whole, in order ---- */

static bool has_batch(const struct post *post)
{
	return (brink_datagram_features(post->socket) & BRINK_DATAGRAM_HAS_BATCH) != 0;
}

static void arrive_this_way(int family, unsigned flags)
{
	static const size_t sizes[FEW] = {4, 0, 500, 4, 0, 0, 1400, 1000};
	brink_loop *loop = new_loop();
	struct post *post = open_post(loop, family);
	struct brink_address one, other;
	int first = open_plain(family, &one), second = open_plain(family, &other);
	bool had_batch;

	post->options.flags = flags;
	start_post(post);
	had_batch = has_batch(post); /* a system may say later that it has none */
	for (unsigned i = 0; i < FEW; i++)
		send_plain(i % 3 ? first : second, &post->address, i, sizes[i]);
	RUN_UNTIL(loop, post->count == FEW);
	for (unsigned i = 0; i < FEW; i++)
		check_seen(post, i, i, sizes[i], i % 3 ? &one : &other);
	rest_posts(loop);
	CHECK_EQ(counters_of(post).received, FEW);
	if (has_batch(post))
		CHECK(counters_of(post).receive_calls < FEW); /* kernels may deliver late */
	else if (!had_batch)
		CHECK_EQ(counters_of(post).receive_calls, FEW);
	close_plain(&first, &one);
	close_plain(&second, &other);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

static void arrive_family(int family)
{
	for (unsigned i = 0; i < WAYS; i++)
		arrive_this_way(family, ways[i]);
}

static void whole_and_in_order(enum kind kind)
{
	(void)kind;
	each_family(arrive_family);
}

/* Each ends the waiting: a batch that was not full, an empty datagram, the one that comes in the
 * callback. */
static void send_another(struct post *post, const struct brink_packet *packets, unsigned count)
{
	(void)packets;
	(void)count;
	if (post->count < 50)
		send_plain(*(int *)post->data, &post->address, post->count, post->count % 5 ? 4 : 0);
}

static void again_family(int family)
{
	brink_loop *loop = new_loop();
	struct post *post = start_new_post(loop, family);
	struct brink_address from;
	int plain = open_plain(family, &from);

	post->data = &plain;
	post->act = send_another;
	send_plain(plain, &post->address, 0, 0);
	RUN_UNTIL(loop, post->count == 50);
	for (unsigned i = 50; i < 200; i++) {
		send_plain(plain, &post->address, i, i % 2 ? 4 : 0);
		RUN_UNTIL(loop, post->count == i + 1);
	}
	for (unsigned i = 0; i < 200; i++)
		CHECK(post->seen[i].sound && (post->seen[i].size == 0 || post->seen[i].number == i));
	rest_posts(loop);
	close_plain(&plain, &from);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

static void one_after_another(enum kind kind)
{
	(void)kind;
	each_family(again_family);
}

/* ---- large, and cut off ---- */

/* How large a datagram can be is a setting of some systems. */
static bool too_large_here(int fd, const struct brink_address *to, size_t size)
{
	return sendto(fd, numbered(7, size), size, 0, (const struct sockaddr *)&to->storage, to->length) < 0 &&
	       errno == EMSGSIZE;
}

static void large_family(int family)
{
	size_t size = family == AF_INET ? 65507 : family == AF_INET6 ? 65527 : 100000;
	brink_loop *loop = new_loop();
	struct post *post = open_post(loop, family);
	struct brink_address from;
	int plain = open_plain(family, &from), room = 400000;

	post->options.max_size = family == AF_UNIX ? size : 0;
	post->options.send_buffer = 400000;
	start_post(post);
	SYSCALL(setsockopt(plain, SOL_SOCKET, SO_SNDBUF, &room, sizeof room));
	while (too_large_here(plain, &post->address, size))
		size = size / 4 * 3;
	RUN_UNTIL(loop, post->count == 1);
	check_seen(post, 0, 7, size, &from);
	CHECK_OK(brink_datagram_send(post->socket, numbered(8, size), size, &from));
	CHECK_EQ(receive_plain(plain, 8, NULL), size);
	close_plain(&plain, &from);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

static void large_ones(enum kind kind)
{
	(void)kind;
	each_family(large_family);
}

#if defined(__linux__)
#define TRUE_SIZE_IS_TOLD true
#else
#define TRUE_SIZE_IS_TOLD false
#endif

static void cut_this_way(int family, unsigned flags)
{
	static const size_t sizes[] = {50, 100, 101, 3000, 99, 0};
	unsigned count = sizeof sizes / sizeof sizes[0];
	brink_loop *loop = new_loop();
	struct post *post = open_post(loop, family);
	struct brink_address from;
	int plain = open_plain(family, &from);

	post->options.flags = flags;
	post->options.max_size = 100;
	start_post(post);
	for (unsigned i = 0; i < count; i++)
		send_plain(plain, &post->address, i, sizes[i]);
	RUN_UNTIL(loop, post->count == count);
	for (unsigned i = 0; i < count; i++) {
		const struct seen *seen = &post->seen[i];
		bool cut = sizes[i] > 100;

		CHECK(seen->sound && (sizes[i] == 0 || seen->number == i));
		CHECK_EQ(seen->size, cut ? 100 : sizes[i]);
		CHECK_EQ(seen->flags, cut ? BRINK_PACKET_TRUNCATED : 0);
		CHECK_EQ(seen->full_size, cut && !TRUE_SIZE_IS_TOLD ? 0 : sizes[i]);
	}
	CHECK_EQ(counters_of(post).truncated, 2);
	close_plain(&plain, &from);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

static void cut_family(int family)
{
	for (unsigned i = 0; i < WAYS; i++)
		cut_this_way(family, ways[i]);
}

static void truncation_is_told(enum kind kind)
{
	(void)kind;
	each_family(cut_family);
}

/* ---- portions ---- */

struct flood {
	struct post *post;
	unsigned turns, before, most;
};

static struct flood flood;

/* How many were handed over since the last turn's. */
static void each_turn(brink_hook *hook)
{
	unsigned now = flood.post->count;

	(void)hook;
	flood.turns++;
	flood.most = now - flood.before > flood.most ? now - flood.before : flood.most;
	flood.before = now;
}

/* Two floods share the turns, and a timer has its own. */
static void flood_family(int family)
{
	brink_loop *loop = new_loop();
	struct post *post = open_post(loop, family), *other = open_post(loop, family);
	struct brink_address from;
	brink_hook hook;
	int plain = open_plain(family, &from);

	post->options.budget = other->options.budget = 3;
	start_post(post);
	start_post(other);
	memset(&flood, 0, sizeof flood);
	flood.post = post;
	brink_hook_init(&hook, each_turn);
	CHECK_OK(brink_hook_start(loop, &hook, BRINK_HOOK_PREPARE));
	for (unsigned i = 0; i < FEW; i++) {
		send_plain(plain, &post->address, i, 100);
		send_plain(plain, &other->address, i, 100);
	}
	while (post->count < FEW) {
		turn(loop);
		/* Who began is never more than a turn's portion ahead. */
		CHECK(post->count <= other->count + 3 && other->count <= post->count + 3);
	}
	RUN_UNTIL(loop, other->count == FEW);
	turn(loop);
	CHECK_EQ(flood.most, 3);
	CHECK(post->most <= 3);
	for (unsigned i = 0; i < FEW; i++)
		check_seen(post, i, i, 100, &from);
	CHECK_OK(brink_hook_stop(&hook));
	rest_posts(loop);
	close_plain(&plain, &from);
	close_post(post);
	close_post(other);
	CHECK_OK(brink_loop_destroy(loop));
}

static void a_flood_has_its_portion(enum kind kind)
{
	(void)kind;
	each_family(flood_family);
}

/* ---- pause ---- */

/* Without batches each comes in a call of its own. */
static void pause_after_two(struct post *post, const struct brink_packet *packets, unsigned count)
{
	(void)packets;
	(void)count;
	if (post->count % 2 == 0)
		brink_datagram_pause(post->socket);
}

static void pause_family(int family)
{
	brink_loop *loop = new_loop();
	struct post *post = open_post(loop, family);
	struct brink_address from;
	int plain = open_plain(family, &from);

	post->options.budget = 2;
	start_post(post);
	brink_datagram_pause(post->socket);
	for (unsigned i = 0; i < FEW; i++)
		send_plain(plain, &post->address, i, 64);
	turn(loop);
	rest_posts(loop);
	CHECK_EQ(post->count, 0);
	post->act = pause_after_two;
	/* What was taken from the kernel with the first two waits in the library. */
	for (unsigned i = 1; i <= FEW / 2; i++) {
		brink_datagram_resume(post->socket);
		RUN_UNTIL(loop, post->count == 2 * i);
		turn(loop);
		rest_posts(loop);
		CHECK_EQ(post->count, 2 * i);
	}
	post->act = NULL;
	brink_datagram_resume(post->socket);
	brink_datagram_resume(post->socket);
	send_plain(plain, &post->address, FEW, 64);
	RUN_UNTIL(loop, post->count == FEW + 1);
	for (unsigned i = 0; i <= FEW; i++)
		check_seen(post, i, i, 64, &from);
	close_plain(&plain, &from);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

static void paused_and_resumed(enum kind kind)
{
	(void)kind;
	each_family(pause_family);
}

/* ---- destroyed in the call ---- */

static void destroy_now(struct post *post, const struct brink_packet *packets, unsigned count)
{
	unsigned number;

	destroy_socket(post);
	/* The memory is there until the call returns. */
	for (unsigned i = 0; i < count; i++)
		CHECK(is_numbered(packets[i].bytes, packets[i].size, &number));
}

static void destroy_family(int family)
{
	brink_loop *loop = new_loop();
	struct post *post = open_post(loop, family);
	struct brink_address from;
	int plain = open_plain(family, &from);

	post->options.budget = 2;
	post->act = destroy_now;
	start_post(post);
	for (unsigned i = 0; i < FEW; i++)
		send_plain(plain, &post->address, i, 200);
	RUN_UNTIL(loop, post->socket == NULL);
	CHECK_EQ(post->calls, 1);
	CHECK_EQ(turn(loop), 0);
	CHECK_EQ(brink_loop_run(loop), 0); /* nothing is left on it */
	close_plain(&plain, &from);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

static void destroyed_in_its_call(enum kind kind)
{
	(void)kind;
	each_family(destroy_family);
}

/* ---- descriptors of others ---- */

static void send_descriptor(int fd, const struct brink_address *to, unsigned number)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {(void *)(uintptr_t)numbered(number, 40), 40};
	struct msghdr message;

	memset(&message, 0, sizeof message);
	memset(&control, 0, sizeof control);
	message.msg_name = (void *)(uintptr_t)&to->storage;
	message.msg_namelen = to->length;
	message.msg_iov = &part;
	message.msg_iovlen = 1;
	message.msg_control = &control;
	message.msg_controllen = CMSG_SPACE(sizeof fd);
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
	CHECK_EQ(sendmsg(fd, &message, 0), 40);
}

static void no_descriptor_is_left(enum kind kind)
{
	brink_loop *loop = new_loop();

	(void)kind;
	for (unsigned i = 0; i < WAYS; i++) {
		struct post *post = open_post(loop, AF_UNIX);
		struct brink_address from;
		int plain = open_plain(AF_UNIX, &from);
		unsigned before;

		post->options.flags = ways[i];
		start_post(post);
		before = descriptors_open();
		for (unsigned n = 0; n < FEW; n++)
			send_descriptor(plain, &post->address, n);
		RUN_UNTIL(loop, post->count == FEW);
		for (unsigned n = 0; n < FEW; n++)
			check_seen(post, n, n, 40, &from);
		CHECK_EQ(descriptors_open(), before);
		close_plain(&plain, &from);
		close_post(post);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("datagram-receive/whole-and-in-order", whole_and_in_order, KIND_NONE),
	SCENARIO("datagram-receive/one-after-another", one_after_another, KIND_NONE),
	SCENARIO("datagram-receive/large-ones", large_ones, KIND_NONE),
	SCENARIO("datagram-receive/truncation-is-told", truncation_is_told, KIND_NONE),
	SCENARIO("datagram-receive/a-flood-has-its-portion", a_flood_has_its_portion, KIND_NONE),
	SCENARIO("datagram-receive/paused-and-resumed", paused_and_resumed, KIND_NONE),
	SCENARIO("datagram-receive/destroyed-in-its-call", destroyed_in_its_call, KIND_NONE),
	SCENARIO("datagram-receive/no-descriptor-is-left", no_descriptor_is_left, KIND_NONE),
	NO_MORE_SCENARIOS,
};
const struct group datagram_receive_group = {"datagram-receive", scenarios};
