/* What the network says of datagrams that were sent: told with their destination, once, and
 * nothing else suffers from it. */
#include "datagram_stage.h"
#include "groups.h"

#include <string.h>
#include <unistd.h>

/* An address of the family where nobody is, and comes: the socket that has it hears itself alone. */
static int open_nobody(int family, struct brink_address *address)
{
	int plain = open_plain(family, address);

	SYSCALL(connect(plain, (const struct sockaddr *)&address->storage, address->length));
	return plain;
}

static struct post *start_connected(brink_loop *loop, int family, const struct brink_address *peer)
{
	struct post *post = open_post(loop, family);
	char text[BRINK_ADDRESS_TEXT];

	CHECK_OK(brink_address_format(peer, text, sizeof text));
	post->options.peer = text;
	start_post(post);
	return post;
}

static void connected_family(int family)
{
	brink_loop *loop = new_loop();
	struct brink_address nobody;
	struct post *post;
	int deaf;

	deaf = open_nobody(family, &nobody);
	post = start_connected(loop, family, &nobody);
	for (unsigned i = 1; i <= 3; i++) {
		CHECK_OK(brink_datagram_send(post->socket, "anybody?", 8, NULL));
		RUN_UNTIL(loop, post->errors == i);
		CHECK_ERROR(post->error, -ECONNREFUSED);
		if (brink_datagram_features(post->socket) & BRINK_DATAGRAM_HAS_ERRORS)
			CHECK(post->has_error_to && brink_address_equal(&post->error_to, &nobody));
		rest_posts(loop);
		CHECK_EQ(post->errors, i);
	}
	CHECK_EQ(post->count, 0);
	CHECK_EQ(counters_of(post).errors, 3);
	close_plain(&deaf, &nobody);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

static void connected_and_refused(enum kind kind)
{
	(void)kind;
	each_internet_family(connected_family);
}

static void need_errors(struct post *post)
{
	if ((brink_datagram_features(post->socket) & BRINK_DATAGRAM_HAS_ERRORS) == 0)
		SKIP("this system tells errors to connected sockets only");
}

/* Datagrams to a live peer go between those to a dead one: the error is never theirs. */
static void unconnected_family(int family)
{
	brink_loop *loop = new_loop();
	struct post *post = start_new_post(loop, family);
	struct brink_address nobody, peer;
	int plain = open_plain(family, &peer), deaf;

	need_errors(post);
	deaf = open_nobody(family, &nobody);
	for (unsigned i = 0; i < 20; i++) {
		CHECK_OK(brink_datagram_send(post->socket, "anybody?", 8, &nobody));
		CHECK_OK(brink_datagram_send(post->socket, numbered(i, 100), 100, &peer));
		CHECK_EQ(receive_plain(plain, i, NULL), 100);
	}
	RUN_UNTIL(loop, post->errors > 0);
	rest_posts(loop);
	CHECK(post->errors <= 20); /* kernels limit how many they tell */
	CHECK_ERROR(post->error, -ECONNREFUSED);
	CHECK(post->has_error_to && brink_address_equal(&post->error_to, &nobody));
	send_plain(plain, &post->address, 5, 100);
	RUN_UNTIL(loop, post->count == 1);
	CHECK(post->seen[0].sound && post->seen[0].number == 5);
	close_plain(&plain, &peer);
	close_plain(&deaf, &nobody);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

static void unconnected_and_refused(enum kind kind)
{
	(void)kind;
	each_internet_family(unconnected_family);
}

/* The socket's own error is gone by then: a send of another's has met it. */
static void told_after_a_pause(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *post = start_new_post(loop, AF_INET);
	struct brink_address nobody, peer;
	int plain = open_plain(AF_INET, &peer), deaf;

	(void)kind;
	need_errors(post);
	deaf = open_nobody(AF_INET, &nobody);
	turn(loop);
	brink_datagram_pause(post->socket);
	send_plain(plain, &post->address, 1, 100);
	turn(loop); /* closes the direction */
	turn(loop);
	CHECK_OK(brink_datagram_send(post->socket, "anybody?", 8, &nobody));
	await(brink_datagram_fd(post->socket), BRINK_READ);
	CHECK_OK(brink_datagram_send(post->socket, numbered(2, 100), 100, &peer));
	CHECK_EQ(receive_plain(plain, 2, NULL), 100);
	turn(loop);
	CHECK_EQ(post->count, 0);
	brink_datagram_resume(post->socket);
	RUN_UNTIL(loop, post->count == 1 && post->errors == 1);
	CHECK_ERROR(post->error, -ECONNREFUSED);
	rest_posts(loop);
	CHECK_EQ(post->errors, 1);
	close_plain(&plain, &peer);
	close_plain(&deaf, &nobody);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

/* A send has met the socket's own error, and a datagram comes in the same event. */
static void told_beside_a_datagram(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *post = start_new_post(loop, AF_INET);
	struct brink_address nobody, peer;
	int plain = open_plain(AF_INET, &peer), deaf;

	(void)kind;
	need_errors(post);
	deaf = open_nobody(AF_INET, &nobody);
	turn(loop);
	CHECK_OK(brink_datagram_send(post->socket, "anybody?", 8, &nobody));
	await(brink_datagram_fd(post->socket), BRINK_READ);
	CHECK_OK(brink_datagram_send(post->socket, numbered(2, 100), 100, &peer));
	CHECK_EQ(receive_plain(plain, 2, NULL), 100);
	send_plain(plain, &post->address, 1, 100);
	RUN_UNTIL(loop, post->count == 1 && post->errors == 1);
	rest_posts(loop);
	CHECK_EQ(post->errors, 1);
	close_plain(&plain, &peer);
	close_plain(&deaf, &nobody);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

static void destroy_now(struct post *post)
{
	destroy_socket(post);
}

static void destroyed_in_its_error(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct brink_address nobody;
	struct post *post;
	int deaf;

	(void)kind;
	deaf = open_nobody(AF_INET, &nobody);
	post = start_connected(loop, AF_INET, &nobody);
	post->act_error = destroy_now;
	CHECK_OK(brink_datagram_send(post->socket, "anybody?", 8, NULL));
	RUN_UNTIL(loop, post->socket == NULL);
	CHECK_EQ(post->errors, 1);
	CHECK_EQ(brink_loop_run(loop), 0);
	close_plain(&deaf, &nobody);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

/* A UNIX peer that has gone says so at once. */
static void unix_peer_gone(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct brink_address peer;
	int plain = open_plain(AF_UNIX, &peer);
	struct post *post = start_connected(loop, AF_UNIX, &peer);
	int result;

	(void)kind;
	CHECK_OK(brink_datagram_send(post->socket, numbered(1, 4), 4, NULL));
	CHECK_EQ(receive_plain(plain, 1, NULL), 4);
	close_plain(&plain, &peer);
	result = brink_datagram_send(post->socket, "anybody?", 8, NULL);
	CHECK(result == -ECONNREFUSED || result == -ECONNRESET || result == -ENOTCONN || result == -EDESTADDRREQ);
	turn(loop);
	rest_posts(loop);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("datagram-errors/connected-and-refused", connected_and_refused, KIND_NONE),
	SCENARIO("datagram-errors/unconnected-and-refused", unconnected_and_refused, KIND_NONE),
	SCENARIO("datagram-errors/told-after-a-pause", told_after_a_pause, KIND_NONE),
	SCENARIO("datagram-errors/told-beside-a-datagram", told_beside_a_datagram, KIND_NONE),
	SCENARIO("datagram-errors/destroyed-in-its-error", destroyed_in_its_error, KIND_NONE),
	SCENARIO("datagram-errors/unix-peer-gone", unix_peer_gone, KIND_NONE),
	NO_MORE_SCENARIOS,
};
const struct group datagram_errors_group = {"datagram-errors", scenarios};
