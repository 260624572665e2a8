/* The plain transport: bytes go to the kernel as they are. */
#include "config.h"

#include "os.h"
#include "socket.h"

#include <errno.h>

static int open_plain(brink_socket *socket, int fd, int client, void *arg, void **state)
{
	(void)fd;
	(void)client;
	(void)arg;
	*state = &socket->watch;
	return 0;
}

/* Hands the ticket back by itself, also after a short read: `waits` stays as it is. */
static ssize_t read_plain(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	(void)fd;
	(void)waits;
	return brink_watch_readv(state, parts, count);
}

/* On any thread, so not by the watch: the loop arms it, after it has tried, too. */
static ssize_t write_plain(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	ssize_t result = brink__os_writev(fd, BRINK__KIND_TCP, parts, count);

	(void)state;
	*waits = BRINK_WRITE;
	if (brink__unlikely(result == -EPIPE)) {
		/* BSD keeps the reason in SO_ERROR. */
		int held = brink__os_socket_error(fd);

		return held < 0 ? held : result;
	}
	return result;
}

const struct brink_transport brink__transport_plain = {
	.name = "plain",
	.open = open_plain,
	.readv = read_plain,
	.writev = write_plain,
};

void *brink_transport_state(const brink_socket *socket, const struct brink_transport *transport)
{
	return socket->transport_open && brink__socket_transport(socket) == transport ? socket->transport_state : NULL;
}

const struct brink_transport *brink_transport_plain(void)
{
	return &brink__transport_plain;
}
