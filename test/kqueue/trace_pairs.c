/* Descriptors with somebody at their other end. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "trace.h"

#include <sys/types.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void set_nonblocking(int fd)
{
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		fail_here("fcntl");
}

static struct sockaddr_in loopback(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

int open_socket(int type)
{
	int fd = socket(AF_INET, type, 0);

	if (fd < 0)
		fail_here("socket");
	set_nonblocking(fd);
	return fd;
}

/* A socket that is bound to a free port, which goes into `address`. */
int bind_one(int type, struct sockaddr_in *address)
{
	int fd = open_socket(type);
	socklen_t size = sizeof *address;

	*address = loopback();
	if (bind(fd, (struct sockaddr *)address, size) < 0 || getsockname(fd, (struct sockaddr *)address, &size) < 0)
		fail_here("bind");
	return fd;
}

int start_connect(int fd, const struct sockaddr_in *address)
{
	return connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 ? errno : 0;
}

void await(int fd, short events)
{
	struct pollfd polled = { .fd = fd, .events = events };

	if (poll(&polled, 1, PATIENCE) != 1)
		fail_here("poll");
}

int connect_to(const struct sockaddr_in *address)
{
	int fd = open_socket(SOCK_STREAM), error = start_connect(fd, address);

	if (error != 0 && error != EINPROGRESS)
		fail_here("connect");
	await(fd, POLLOUT);
	return fd;
}

struct pair tcp_pair(void)
{
	struct sockaddr_in address;
	int listener = bind_one(SOCK_STREAM, &address);
	struct pair pair;

	if (listen(listener, 8) < 0)
		fail_here("listen");
	pair.ours = connect_to(&address);
	await(listener, POLLIN);
	pair.theirs = accept(listener, NULL, NULL);
	if (pair.theirs < 0)
		fail_here("accept");
	set_nonblocking(pair.theirs);
	close(listener);
	return pair;
}

struct pair unix_pair(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		fail_here("socketpair");
	set_nonblocking(fds[0]);
	set_nonblocking(fds[1]);
	return (struct pair){ fds[0], fds[1] };
}

struct pair pipe_pair(void)
{
	int fds[2];

	if (pipe(fds) < 0)
		fail_here("pipe");
	set_nonblocking(fds[0]);
	set_nonblocking(fds[1]);
	return (struct pair){ fds[0], fds[1] };
}

void close_pair(struct pair pair)
{
	close(pair.ours);
	if (pair.theirs >= 0)
		close(pair.theirs);
}

static int unread(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) < 0 ? 0 : n;
}

/* Writes `size` bytes, and waits until `to`, where they go, holds `held`. */
void send_bytes(int from, int size, int to, int held)
{
	static const char bytes[8192];
	long end = now() + PATIENCE;

	if (write(from, bytes, (size_t)size) != size)
		fail_here("write");
	while (unread(to) < held && now() < end)
		poll(NULL, 0, 1);
}

/* Reads up to `size` bytes; all there is for a negative one. */
int take_bytes(int fd, int size)
{
	static char bytes[8192];
	int total = 0;

	while (size < 0 || total < size) {
		size_t most = size < 0 || size - total > (int)sizeof bytes ? sizeof bytes : (size_t)(size - total);
		ssize_t n = read(fd, bytes, most);

		if (n <= 0)
			break;
		total += (int)n;
	}
	return total;
}

/* Writes until nothing more fits. */
int fill(int fd)
{
	static const char bytes[8192];
	size_t size = sizeof bytes;
	int total = 0;

	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n > 0)
			total += (int)n;
		else
			size /= 2;
	}
	return total;
}

void reset(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	close(fd);
}

int socket_error(int fd)
{
	int error = 0;
	socklen_t size = sizeof error;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}
