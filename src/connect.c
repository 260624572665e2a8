/* Connecting, without waiting.
 *
 * connect(2) on a non-blocking descriptor begins, and the descriptor becomes writable when it
 * has ended, well or not. That a descriptor was reported says little: kernels report some
 * that are still connecting. So the error is taken from the socket; then one that has a
 * peer is connected; and else connect(2) itself is asked again, which knows whether it is
 * still under way. It is not asked first: of a UNIX socket it may say what it thinks of the
 * listener, who has gone or is crowded, rather than that it is connected. */
#include "config.h"

#include "socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define RETRY_FIRST BRINK_MS(2)

/* What a socket cannot have is no reason to do without the connection. */
static void set_options(int fd, unsigned flags)
{
	int on = 1;

	/* On sockets that are not TCP this is refused, which does no harm. */
	if ((flags & BRINK_SOCKET_DELAY) == 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (flags & BRINK_SOCKET_KEEPALIVE)
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

static int ask_peer(int fd)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof peer;

	return getpeername(fd, (struct sockaddr *)&peer, &length) < 0 ? -errno : 0;
}

/* An empty datagram would count as the end. */
static int check_stream(int fd)
{
	int type = SOCK_STREAM;
	socklen_t length = sizeof type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0)
		return -errno;
	return type == SOCK_STREAM ? 0 : -EPROTOTYPE;
}

int brink__socket_prepare(int fd, unsigned flags)
{
	int result;

	if (flags & BRINK_SOCKET_AS_IT_IS)
		return 0;
	/* A connection that was reset before it got here is one all the same: some systems say
	 * EINVAL for it. */
	result = ask_peer(fd);
	if (result < 0 && result != -EINVAL)
		return result;
	result = check_stream(fd);
	if (result < 0)
		return result;
	result = brink__os_adopt(fd);
	if (result == 0)
		set_options(fd, flags);
	return result;
}

/* A connect to a port of this machine from which nobody listens may be given that very port as
 * its own, and then both ends of the handshake are this socket: it would talk to itself, and
 * keep the port from the server that is to come. Without a listener: refused. */
static bool is_connected_to_itself(int fd, const struct brink_address *address)
{
	struct brink_address ours, theirs;

	return address->storage.ss_family != AF_UNIX && brink_address_of(fd, &ours) == 0 &&
	       brink_address_port(&ours) == brink_address_port(address) &&
	       brink_address_of_peer(fd, &theirs) == 0 && brink_address_equal(&ours, &theirs);
}

static int connected(int fd, const struct brink_address *address)
{
	return is_connected_to_itself(fd, address) ? -ECONNREFUSED : 0;
}

static int begin(int fd, const struct brink_address *address)
{
	return connect(fd, (const struct sockaddr *)&address->storage, address->length);
}

int brink__connect(const struct brink_address *address, unsigned flags, int *fd)
{
	int connecting = brink__os_socket(address->storage.ss_family, SOCK_STREAM), result;

	if (connecting < 0)
		return connecting;
	set_options(connecting, address->storage.ss_family == AF_UNIX ? flags | BRINK_SOCKET_DELAY : flags);
	if (begin(connecting, address) == 0)
		result = connected(connecting, address);
	else
		result = -errno;
	/* A signal does not end it. On Linux, a UNIX listener whose queue is full says EAGAIN and
	 * nothing is under way: the first look at it will find that. */
	if (result == -EINTR || result == -EAGAIN)
		result = -EINPROGRESS;
	if (result == 0 || result == -EINPROGRESS)
		*fd = connecting;
	else
		close(connecting);
	return result;
}

int brink__connect_check(int fd, const struct brink_address *address)
{
	int error = brink__os_socket_error(fd);

	if (error != 0)
		return error;
	if (ask_peer(fd) == 0 || begin(fd, address) == 0 || errno == EISCONN)
		return connected(fd, address);
	/* Of a UNIX socket nothing is ever under way: it stands by now, or is to be tried again. */
	if (errno == EINTR && address->storage.ss_family == AF_UNIX)
		return -EAGAIN;
	return errno == EALREADY || errno == EINTR ? -EINPROGRESS : -errno;
}

int brink__connect_timed_out(brink_socket *socket)
{
	unsigned limit = brink__socket_options(socket)->unreachable_after;
	unsigned count = atomic_load(&socket->config->timeouts_in_a_row);

	/* Several that time out at once may go above the limit. */
	if (count < limit)
		count = atomic_fetch_add(&socket->config->timeouts_in_a_row, 1) + 1;
	return count < limit ? -ETIMEDOUT : -ENETUNREACH;
}

void brink__connect_stood(brink_socket *socket)
{
	/* A server's connections all have this one, which none of them writes to. */
	if (atomic_load_explicit(&socket->config->timeouts_in_a_row, memory_order_relaxed) != 0)
		atomic_store(&socket->config->timeouts_in_a_row, 0);
}

void brink__connect_edge(brink_socket *socket)
{
	int result = brink__connect_check(socket->fd, &socket->config->address);

	if (result == 0) {
		brink__socket_connected(socket);
	} else if (result == -EAGAIN) {
		brink__timing_retry(socket, RETRY_FIRST);
	} else if (result == -EINPROGRESS) {
		result = brink_watch_rearm(&socket->watch, BRINK_WRITE);
		if (result < 0)
			brink__socket_fail(socket, result, "connect: waiting for it");
	} else {
		brink__socket_fail(socket, result == -ETIMEDOUT ? brink__connect_timed_out(socket) : result, "connect");
	}
}
