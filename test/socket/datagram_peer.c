/* Datagram sockets that are connected: what goes to the peer, and to others. */
#include "datagram_stage.h"
#include "groups.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- no room ---- */

static unsigned turns_in(brink_loop *loop, uint64_t time)
{
	struct brink_counters before, after;
	uint64_t start = monotonic_now();

	brink_loop_counters(loop, &before);
	while (monotonic_now() - start < time)
		turn(loop);
	brink_loop_counters(loop, &after);
	return (unsigned)(after.turns - before.turns);
}

/* Of another one's queue, which is full, the kernel tells nothing: to it the socket is writable, as its peer has
 * room. */
static void no_room_beside_the_peer_this_way(unsigned flags)
{
	brink_loop *loop = new_loop();
	struct post *post = open_post(loop, AF_UNIX);
	struct brink_address peer, other;
	int its = open_plain(AF_UNIX, &peer), plain = open_plain(AF_UNIX, &other), result;
	char text[BRINK_ADDRESS_TEXT];
	unsigned sent = 0;

	CHECK_OK(brink_address_format(&peer, text, sizeof text));
	post->options.peer = text;
	post->options.flags = flags;
	post->options.queue_limit = 20000;
	start_post(post);
	while ((result = brink_datagram_send(post->socket, numbered(sent, 1000), 1000, &other)) == 0)
		sent++;
	if (result != -EISCONN) {
		CHECK_ERROR(result, -EAGAIN);
		CHECK(turns_in(loop, BRINK_MS(30)) < 100);
		for (unsigned got = 0; got < sent; got++) {
			RUN_UNTIL(loop, ready_now(plain, BRINK_READ));
			CHECK_EQ(receive_plain(plain, got, NULL), 1000);
		}
		RUN_UNTIL(loop, post->writables > 0);
		CHECK_OK(brink_datagram_send(post->socket, numbered(sent, 1000), 1000, NULL));
		RUN_UNTIL(loop, ready_now(its, BRINK_READ));
		CHECK_EQ(receive_plain(its, sent, NULL), 1000);
		CHECK_EQ(post->errors, 0);
	}
	close_plain(&its, &peer);
	close_plain(&plain, &other);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
	if (result == -EISCONN)
		SKIP("this system sends to nobody but the peer");
}

static void no_room_beside_the_peer(enum kind kind)
{
	(void)kind;
	no_room_beside_the_peer_this_way(0);
	no_room_beside_the_peer_this_way(BRINK_DATAGRAM_NO_QUEUE);
}

/* ---- answers ---- */

static void reply_to_all(struct post *post, const struct brink_packet *packets, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		CHECK_OK(brink_datagram_reply(post->socket, &packets[i], packets[i].bytes, packets[i].size));
}

/* By the connection: most systems refuse a name there, and a UNIX socket's may be gone. */
static void answered_family(int family)
{
	brink_loop *loop = new_loop();
	struct post *post = open_post(loop, family);
	struct brink_address peer, from;
	int plain = open_plain(family, &peer);
	char text[BRINK_ADDRESS_TEXT], moved[BRINK_ADDRESS_TEXT + 8];

	CHECK_OK(brink_address_format(&peer, text, sizeof text));
	post->options.peer = text;
	post->act = reply_to_all;
	start_post(post);
	send_plain(plain, &post->address, 1, 100);
	if (family == AF_UNIX) {
		snprintf(moved, sizeof moved, "%s-moved", text + strlen("unix:"));
		SYSCALL(rename(text + strlen("unix:"), moved));
	}
	RUN_UNTIL(loop, post->count == 1);
	CHECK_EQ(receive_plain(plain, 1, &from), 100);
	CHECK(brink_address_equal(&from, &post->address));
	if (family == AF_UNIX)
		SYSCALL(rename(moved, text + strlen("unix:")));
	close_plain(&plain, &peer);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

/* Neither has a name. */
static void answered_in_a_pair(void)
{
	brink_loop *loop = new_loop();
	struct post *post = open_post(loop, AF_UNIX);
	int other = hand_over_pair(post);

	post->act = reply_to_all;
	start_post(post);
	SYSCALL(send(other, numbered(2, 50), 50, 0));
	RUN_UNTIL(loop, post->count == 1);
	CHECK_EQ(receive_plain(other, 2, NULL), 50);
	close_post(post);
	close_fd(&other);
	CHECK_OK(brink_loop_destroy(loop));
}

static void answered_by_the_connection(enum kind kind)
{
	(void)kind;
	each_family(answered_family);
	answered_in_a_pair();
}

/* A path as long as can be has no NUL in the struct, and Linux counts one behind it. */
static void answered_by_a_long_name(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *post = start_new_post(loop, AF_UNIX), *connected = open_post(loop, AF_UNIX);
	struct brink_address address, given, room = post->address; /* valgrind looks for a NUL behind the struct */
	struct sockaddr_un *un = (struct sockaddr_un *)&room.storage;
	int plain = socket(AF_UNIX, SOCK_DGRAM, 0);

	(void)kind;
	SYSCALL(plain);
	set_nonblocking(plain);
	memset(un->sun_path + strlen(un->sun_path), 'p', sizeof un->sun_path - strlen(un->sun_path));
	SYSCALL(bind(plain, (struct sockaddr *)un, sizeof *un));
	CHECK_OK(brink_address_of(plain, &address));
	CHECK_OK(brink_address_from_sockaddr(&given, (struct sockaddr *)un, sizeof *un));
	CHECK(brink_address_equal(&address, &given));
	post->act = reply_to_all;
	send_plain(plain, &post->address, 1, 10);
	RUN_UNTIL(loop, post->count == 1);
	CHECK(brink_address_equal(&post->seen[0].from, &given));
	CHECK_EQ(receive_plain(plain, 1, NULL), 10);
	/* Connected to it. */
	SYSCALL(connected->options.fd = socket(AF_UNIX, SOCK_DGRAM, 0));
	SYSCALL(connect(connected->options.fd, (struct sockaddr *)un, sizeof *un));
	connected->options.address = NULL;
	start_post(connected);
	CHECK_OK(brink_datagram_send(connected->socket, numbered(2, 10), 10, NULL));
	CHECK_EQ(receive_plain(plain, 2, NULL), 10);
	close_post(connected);
	close_post(post);
	close_plain(&plain, &given);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- an interface ---- */

#if defined(__linux__)

/* A socket of IPv6 sends to an address of IPv4, in either form, and to a peer of it. */
static void by_an_interface(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *post = open_post(loop, AF_INET6);
	struct brink_address to, mapped;
	int plain = open_plain(AF_INET, &to);
	struct brink_packet packet = {.size = 20, .interface_index = if_nametoindex("lo")};
	const struct brink_address *const all[] = {&to, &mapped, NULL};
	char text[BRINK_ADDRESS_TEXT];

	(void)kind;
	snprintf(text, sizeof text, "[::ffff:127.0.0.1]:%u", brink_address_port(&to));
	CHECK_OK(brink_address_parse(&mapped, text));
	post->options.address = NULL;
	post->options.peer = text;
	start_post(post);
	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
		packet.bytes = numbered(i, 20);
		packet.to = all[i];
		CHECK_EQ(brink_datagram_send_many(post->socket, &packet, 1), 1);
		CHECK_EQ(receive_plain(plain, i, NULL), 20);
	}
	close_plain(&plain, &to);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

#else

static void by_an_interface(enum kind kind)
{
	(void)kind;
	SKIP("other systems take no interface for IPv4 on a socket of IPv6");
}

#endif

static const struct scenario scenarios[] = {
	SCENARIO("datagram-peer/no-room-beside-the-peer", no_room_beside_the_peer, KIND_NONE),
	SCENARIO("datagram-peer/answered-by-the-connection", answered_by_the_connection, KIND_NONE),
	SCENARIO("datagram-peer/answered-by-a-long-name", answered_by_a_long_name, KIND_NONE),
	SCENARIO("datagram-peer/by-an-interface", by_an_interface, KIND_NONE),
	NO_MORE_SCENARIOS,
};
const struct group datagram_peer_group = {"datagram-peer", scenarios};
