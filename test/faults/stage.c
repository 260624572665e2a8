#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

atomic_uint told_errors;

bool went_well(int result)
{
	CHECK(result <= 0 && (result == 0 || (fault_struck() && !fault_harmless())));
	if (result < 0)
		told_errors++;
	return result == 0;
}

/* ---- what a socket is told ---- */

static void on_open(brink_socket *socket, void *arg)
{
	(void)socket;
	((struct side *)arg)->opens++;
}

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)socket;
	((struct side *)arg)->size += brink_buffer_length(in);
	brink_buffer_clear(in);
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct side *side = arg;

	(void)socket;
	CHECK(error <= 0 && text != NULL);
	side->closes++;
	side->error = error;
	CHECK(side->closes == side->revives + 1);
}

static void on_revive(brink_socket *socket, void *arg)
{
	struct side *side = arg;

	(void)socket;
	side->revives++;
	CHECK(side->closes == side->revives);
}

static void on_done(brink_socket *socket, int error, void *arg)
{
	(void)socket;
	CHECK(error <= 0);
	((struct side *)arg)->ended++;
}

struct brink_socket_options options_of(struct side *side)
{
	return (struct brink_socket_options){
		.on_open = on_open, .on_bytes = on_bytes, .on_close = on_close, .on_revive = on_revive, .arg = side};
}

/* ---- its loop ---- */

bool make_side(struct side *side)
{
	memset(side, 0, sizeof *side);
	side->loop = make_loop();
	return side->loop != NULL;
}

void end_side(struct side *side)
{
	brink_loop_destroy(side->loop);
	CHECK(side->closes == side->revives + 1 || (side->closes == 0 && side->opens == 0));
	CHECK(side->ended == side->taken);
}

/* A wait that the kernel refuses says so, and the next one is as any other. */
void turn_loop(brink_loop *loop)
{
	int result = brink_loop_run_once(loop, (int64_t)BRINK_MS(1));

	CHECK(result >= 0 || (result == -fault_error() && fault_struck() && !fault_harmless()));
}

void turn(struct side *side)
{
	turn_loop(side->loop);
}

/* ---- talking ---- */

void write_some(struct side *side, size_t size, unsigned flags)
{
	static char bytes[LARGE];
	struct brink_write_options options = {.flags = flags, .done = on_done, .arg = side};
	brink_socket *socket = brink_socket_address(side->id);
	brink_buffer data = {0};
	int result;

	if (socket == NULL)
		return;
	result = brink_buffer_append(&data, bytes, size);
	if (result == 0)
		result = brink_socket_write_with(socket, &data, &options);
	side->taken += went_well(result);
	brink_buffer_clear(&data);
	brink_socket_release(socket);
}

ssize_t drain(int fd)
{
	static char bytes[65536];
	ssize_t total = 0, got;

	while ((got = read(fd, bytes, sizeof bytes)) > 0)
		total += got;
	return got < 0 && errno == EAGAIN ? total : total > 0 ? total : -1;
}

#define REPLY 1000u

static void shut_down(struct side *side)
{
	brink_socket *socket = brink_socket_address(side->id);

	if (socket == NULL)
		return;
	CHECK(brink_socket_shutdown(socket) <= 0);
	brink_socket_release(socket);
}

void talk(struct side *side, int peer)
{
	static const char reply[REPLY];
	size_t got = 0;
	ssize_t more;

	turn(side);
	for (int i = 0; i < 3; i++)
		write_some(side, 5, 0);
	write_some(side, LARGE, 0);
	write_some(side, 7, BRINK_WRITE_QUEUED);
	(void)!send(peer, reply, sizeof reply, MSG_NOSIGNAL);
	while (got < 15 + LARGE + 7 && side->closes == 0 && (more = drain(peer)) >= 0) {
		got += (size_t)more;
		if (side->taken < 5)
			break; /* not all was taken */
		turn(side);
	}
	while (side->size < sizeof reply && side->closes == 0)
		turn(side);
	shut_down(side);
	turn(side);
	while (drain(peer) >= 0 && side->closes == 0 && (fault_harmless() || !fault_struck()))
		turn(side);
	close(peer);
	while (side->closes == 0)
		turn(side);
	if (fault_harmless() || !fault_struck()) {
		CHECK(side->error == 0);
		CHECK(got == 15 + LARGE + 7 && side->size == sizeof reply);
	}
}

/* ---- the test's own ---- */

int listening(struct brink_address *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t length = sizeof address->storage;

	CHECK(fd >= 0 && brink_address_parse(address, "127.0.0.1:0") == 0);
	CHECK(bind(fd, (struct sockaddr *)&address->storage, address->length) == 0 && listen(fd, 16) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&address->storage, &length) == 0);
	return fd;
}

int connect_to(const struct brink_address *address)
{
	int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0 && connect(fd, (const struct sockaddr *)&address->storage, address->length) == 0);
	CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	return fd;
}

void open_pair(int fds[2])
{
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
}

void open_datagram_pair(int fds[2])
{
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
}
