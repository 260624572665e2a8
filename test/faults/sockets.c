/* Sockets on a loop, from how they begin to how they end. */
#include "faults.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- from a descriptor ---- */

static void on_descriptor(struct side *side, struct brink_socket_options *options)
{
	int fds[2];

	open_pair(fds);
	options->fd = fds[0];
	if (went_well(brink_socket_create(&side->id, side->loop, options))) {
		talk(side, fds[1]);
	} else {
		close(fds[0]); /* is still ours */
		close(fds[1]);
	}
	end_side(side);
}

static void from_descriptor(void)
{
	struct brink_socket_options options;
	struct side side;

	if (!make_side(&side))
		return;
	options = options_of(&side);
	on_descriptor(&side, &options);
}

/* More than a block's room is asked for, and less than a large one's. */
static void read_into_several(void)
{
	static const char bytes[20000];
	struct brink_socket_options options;
	struct side side;
	int fds[2];

	if (!make_side(&side))
		return;
	open_pair(fds);
	options = options_of(&side);
	options.fd = fds[0];
	CHECK(write(fds[1], bytes, sizeof bytes) == sizeof bytes);
	if (went_well(brink_socket_create(&side.id, side.loop, &options))) {
		while (side.size < sizeof bytes && side.closes == 0)
			turn(&side);
		CHECK(side.size == sizeof bytes || (fault_struck() && !fault_harmless()));
		shutdown(fds[1], SHUT_WR);
		while (side.closes == 0)
			turn(&side);
	} else {
		close(fds[0]);
	}
	close(fds[1]);
	end_side(&side);
}

#define MANY 30u /* more than the requests whose ends one call of io_uring_enter() runs */

static void one_closed(brink_socket *socket, int error, const char *text, void *arg)
{
	(void)socket;
	CHECK(error <= 0 && text != NULL);
	((struct side *)arg)->closes++;
}

/* All of them wait at the same time. */
static void many(void)
{
	struct brink_socket_options options;
	unsigned made = 0;
	int peers[MANY];
	struct side side = {.loop = make_roomy_loop()};

	if (side.loop == NULL)
		return;
	options = options_of(&side);
	options.on_close = one_closed;
	for (unsigned i = 0; i < MANY; i++) {
		int fds[2];

		open_pair(fds);
		options.fd = fds[0];
		if (went_well(brink_socket_create(&side.id, side.loop, &options))) {
			peers[made++] = fds[1];
		} else {
			close(fds[0]);
			close(fds[1]);
		}
	}
	for (unsigned round = 1; round <= 3; round++) {
		for (unsigned i = 0; i < made; i++)
			CHECK(send(peers[i], "m", 1, MSG_NOSIGNAL) == 1 || side.closes > 0);
		while (side.size < made * round && side.closes == 0)
			turn(&side);
	}
	CHECK(side.closes == 0 || (fault_struck() && !fault_harmless()));
	for (unsigned i = 0; i < made; i++)
		close(peers[i]);
	while (side.closes < made)
		turn(&side);
	CHECK(brink_loop_destroy(side.loop) == 0);
}

/* ---- by a connect ---- */

static void connecting(struct side *side, struct brink_socket_options *options)
{
	struct brink_address address;
	int listener = listening(&address), peer;
	bool made;

	options->address = &address;
	made = went_well(brink_socket_create(&side->id, side->loop, options));
	while (made && side->opens == 0 && side->closes == 0)
		turn(side);
	if (side->opens > 0) {
		while ((peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0)
			turn(side);
		talk(side, peer);
	}
	close(listener);
	end_side(side);
	CHECK((side->closes == 1) == made);
}

static void by_connect(void)
{
	struct brink_socket_options options;
	struct side side;

	if (!make_side(&side))
		return;
	options = options_of(&side);
	connecting(&side, &options);
}

/* With an abstract name (unix(7)), and with `first` in its queue, which has room for one. */
static int full_listener(struct brink_address *address, int *first)
{
	struct sockaddr_un any = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t length = sizeof address->storage;

	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof any.sun_family) == 0 && listen(fd, 0) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&address->storage, &length) == 0);
	address->length = length;
	*first = connect_to(address);
	return fd;
}

static void waiting_for_room(void)
{
	struct brink_socket_options options;
	struct brink_address address;
	struct side side;
	int listener, first, peer;
	bool made;

	if (!make_side(&side))
		return;
	listener = full_listener(&address, &first);
	options = options_of(&side);
	options.address = &address;
	made = went_well(brink_socket_create(&side.id, side.loop, &options));
	for (int i = 0; i < 3; i++)
		turn(&side);
	CHECK(side.opens == 0);
	close(accept(listener, NULL, NULL));
	close(first);
	while (made && side.opens == 0 && side.closes == 0)
		turn(&side);
	if (side.opens > 0) {
		while ((peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0)
			turn(&side);
		talk(&side, peer);
	}
	close(listener);
	end_side(&side);
	CHECK((side.closes == 1) == made);
	CHECK(side.opens == 1 || (fault_struck() && !fault_harmless()));
}

static void with_timeouts(void)
{
	struct brink_socket_options options;
	struct side side;

	if (!make_side(&side))
		return;
	options = options_of(&side);
	options.connect_timeout = options.idle_timeout = options.read_timeout = options.write_timeout =
		options.linger_timeout = BRINK_SECONDS(1000);
	connecting(&side, &options);
}

static void until_a_timeout(void)
{
	struct brink_socket_options options;
	struct side side;
	int fds[2];

	if (!make_side(&side))
		return;
	open_pair(fds);
	options = options_of(&side);
	options.fd = fds[0];
	options.idle_timeout = BRINK_MS(1);
	if (went_well(brink_socket_create(&side.id, side.loop, &options))) {
		write_some(&side, LARGE, 0);
		while (side.closes == 0)
			turn(&side);
		CHECK(side.error == -ETIMEDOUT || (fault_struck() && !fault_harmless()));
	} else {
		close(fds[0]);
	}
	close(fds[1]);
	end_side(&side);
}

/* ---- revived ---- */

static void revived(void)
{
	struct brink_socket_options options;
	struct brink_address address;
	struct side side;
	int listener;
	bool made;

	if (!make_side(&side))
		return;
	listener = listening(&address);
	options = options_of(&side);
	options.address = &address;
	options.probe_interval = BRINK_MS(1);
	made = went_well(brink_socket_create(&side.id, side.loop, &options));
	while (made && side.opens == 0)
		turn(&side);
	if (made) {
		unsigned opens = side.opens;

		brink_socket_fail(side.id, -ECANCELED, "once");
		while (side.opens == opens)
			turn(&side);
		brink_socket_abandon(side.id);
		while (side.closes != side.revives + 1)
			turn(&side);
		CHECK(brink_socket_address(side.id) == NULL);
	}
	close(listener);
	end_side(&side);
}

/* ---- another transport: what it opens it closes ---- */

static unsigned opened, greeted;

static int open_it(brink_socket *socket, int fd, int client, void *arg, void **state)
{
	(void)fd;
	(void)client;
	(void)arg;
	opened++;
	*state = socket;
	return 0;
}

/* The peer sees a byte first, which has to be read by it. */
static int shake_hands(void *state, int fd, unsigned *waits)
{
	(void)state;
	*waits = BRINK_READ;
	if (greeted++ == 0)
		CHECK(send(fd, "h", 1, MSG_NOSIGNAL) == 1);
	return recv(fd, &(char){0}, 1, 0) == 1 ? 0 : -errno;
}

static ssize_t read_it(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	ssize_t got = readv(fd, parts, count);

	(void)state;
	*waits = BRINK_READ;
	return got < 0 ? -errno : got;
}

static ssize_t write_it(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts};
	ssize_t put;

	(void)state;
	message.msg_iovlen = (__typeof__(message.msg_iovlen))count;
	put = sendmsg(fd, &message, MSG_NOSIGNAL);
	*waits = BRINK_WRITE;
	return put < 0 ? -errno : put;
}

static int shut_it(void *state, int fd, unsigned *waits)
{
	(void)state;
	(void)waits;
	return shutdown(fd, SHUT_WR) < 0 ? -errno : 0;
}

static void close_it(void *state, int fd)
{
	(void)state;
	(void)fd;
	opened--;
}

static const struct brink_transport greeting = {
	.name = "greeting",
	.flags = BRINK_TRANSPORT_SINGLE_THREADED,
	.open = open_it,
	.handshake = shake_hands,
	.readv = read_it,
	.writev = write_it,
	.shutdown = shut_it,
	.close = close_it,
};

static void over_a_transport(void)
{
	struct brink_socket_options options;
	struct side side;
	int fds[2];

	if (!make_side(&side))
		return;
	opened = greeted = 0;
	open_pair(fds);
	options = options_of(&side);
	options.fd = fds[0];
	options.transport = &greeting;
	if (went_well(brink_socket_create(&side.id, side.loop, &options))) {
		while (greeted == 0 && side.closes == 0)
			turn(&side);
		if (side.closes == 0) {
			CHECK(recv(fds[1], &(char){0}, 1, 0) == 1 && send(fds[1], "h", 1, MSG_NOSIGNAL) == 1);
			while (side.opens == 0 && side.closes == 0)
				turn(&side);
		}
		talk(&side, fds[1]);
	} else {
		close(fds[0]);
		close(fds[1]);
	}
	end_side(&side);
	CHECK(opened == 0);
}

const struct scenario socket_scenarios[] = {
	{"a socket from a descriptor", from_descriptor, false},
	{"a socket that reads into several blocks", read_into_several, false},
	{"many sockets", many, false},
	{"a socket by a connect", by_connect, false},
	{"a socket that waits for room at a listener", waiting_for_room, false},
	{"a socket with all timeouts", with_timeouts, false},
	{"a socket until a timeout", until_a_timeout, false},
	{"a socket that is revived", revived, false},
	{"a socket over another transport", over_a_transport, false},
	{NULL, NULL, false},
};
