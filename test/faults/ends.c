/* The ways in which a socket ends before its peer does. */
#include "faults.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

typedef void end_fn(struct side *side, brink_socket *socket);

static void by_close(struct side *side, brink_socket *socket)
{
	int result = brink_socket_close(socket);

	CHECK(result == 0 || result == -ENOTCONN);
	CHECK(brink_socket_close(socket) < 0);
	(void)side;
}

static void by_abort(struct side *side, brink_socket *socket)
{
	(void)socket;
	brink_socket_abort(side->id);
}

static void by_abandon(struct side *side, brink_socket *socket)
{
	(void)socket;
	brink_socket_abandon(side->id);
}

/* With requests that the peer does not read, with a reference that outlives the end, and once
 * more with none. */
static void ending(end_fn *end, bool held)
{
	struct brink_socket_options options;
	struct brink_address address;
	brink_socket *socket = NULL;
	struct side side;
	int listener, peer = -1;
	bool made;

	if (!make_side(&side))
		return;
	listener = listening(&address);
	options = options_of(&side);
	options.address = &address;
	options.linger_timeout = BRINK_MS(1);
	made = went_well(brink_socket_create(&side.id, side.loop, &options));
	while (made && side.opens == 0 && side.closes == 0)
		turn(&side);
	if (side.opens > 0)
		while ((peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0)
			turn(&side);
	write_some(&side, 5, 0);
	write_some(&side, LARGE, BRINK_WRITE_QUEUED);
	socket = made ? brink_socket_address(side.id) : NULL;
	if (socket != NULL) {
		end(&side, socket);
		if (!held)
			brink_socket_release(socket);
	}
	while (made && side.closes == 0) {
		turn(&side);
		drain(peer);
	}
	CHECK(brink_socket_address(side.id) == NULL);
	/* Whoever has a reference may still ask for its descriptor, which is nobody else's. */
	if (held && socket != NULL) {
		brink_socket_write_bytes(socket, "late", 4);
		brink_socket_release(socket);
	}
	turn(&side);
	if (peer >= 0)
		close(peer);
	close(listener);
	end_side(&side);
}

static void closed(void)
{
	ending(by_close, false);
}

static void aborted(void)
{
	ending(by_abort, true);
}

static void abandoned(void)
{
	ending(by_abandon, true);
}

/* The loop ends under it. */
static void left_behind(void)
{
	struct brink_socket_options options;
	struct side side;
	int fds[2];

	if (!make_side(&side))
		return;
	open_pair(fds);
	options = options_of(&side);
	options.fd = fds[0];
	if (went_well(brink_socket_create(&side.id, side.loop, &options))) {
		write_some(&side, 5, 0);
		turn(&side);
		write_some(&side, LARGE, 0);
		end_side(&side);
		CHECK(side.closes == 1);
	} else {
		close(fds[0]);
		end_side(&side);
	}
	close(fds[1]);
}

const struct scenario end_scenarios[] = {
	{"a socket that is closed", closed, false},
	{"a socket that is aborted", aborted, false},
	{"a socket that is abandoned", abandoned, false},
	{"a socket whose loop ends", left_behind, false},
	{NULL, NULL, false},
};
