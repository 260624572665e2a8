/* Datagram sockets that are connected: what goes to others than the peer. */
#include "datagram_stage.h"
#include "groups.h"

#include <string.h>
#include <sys/socket.h>

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

/* Of another one's queue, which is full, the kernel tells nothing: to it the socket is writable, as the peer has room. */
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

static const struct scenario scenarios[] = {
	SCENARIO("datagram-peer/no-room-beside-the-peer", no_room_beside_the_peer, KIND_NONE),
	NO_MORE_SCENARIOS,
};
const struct group datagram_peer_group = {"datagram-peer", scenarios};
