/* Connected pairs, listeners, and the bytes that scenarios move by plain system calls. */
#define _GNU_SOURCE /* POLLRDHUP on Linux */
#include "harness.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#if defined(__linux__)
#include <linux/sockios.h>
#endif

/* Where there is no POLLRDHUP, POLLIN has to do: a half-close makes readable. */
#ifdef POLLRDHUP
#define POLL_PEER_ENDED POLLRDHUP
#else
#define POLL_PEER_ENDED POLLIN
#endif

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

void set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	SYSCALL(flags);
	SYSCALL(fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

static void set_close_on_exec(int fd)
{
	SYSCALL(fcntl(fd, F_SETFD, FD_CLOEXEC));
}

void close_fd(int *fd)
{
	if (*fd >= 0)
		SYSCALL(close(*fd));
	*fd = -1;
}

/* ---- listeners and connections ---- */

static socklen_t loopback(union address *address, enum kind kind)
{
	static unsigned counter;

	memset(address, 0, sizeof *address);
	if (kind == KIND_TCP || kind == KIND_UDP) {
		address->in.sin_family = AF_INET;
		address->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof address->in;
	}
	if (kind == KIND_TCP6) {
		address->in6.sin6_family = AF_INET6;
		address->in6.sin6_addr = (struct in6_addr)IN6ADDR_LOOPBACK_INIT;
		return sizeof address->in6;
	}
	CHECK_EQ(kind, KIND_UNIX);
	address->un.sun_family = AF_UNIX;
	snprintf(address->un.sun_path, sizeof address->un.sun_path, "%s/%ld.%u", child_directory(), (long)getpid(),
	         counter++);
	return sizeof address->un;
}

static int new_socket(int family, int type)
{
	int fd = socket(family, type, 0);

	SYSCALL(fd);
	set_close_on_exec(fd);
	return fd;
}

int open_listener(enum kind kind, int backlog)
{
	union address address;
	socklen_t length = loopback(&address, kind);
	int fd = new_socket(address.any.sa_family, SOCK_STREAM);

	/* Of an earlier process that had this one's number. */
	if (kind == KIND_UNIX)
		unlink(address.un.sun_path);
	SYSCALL(bind(fd, &address.any, length));
	SYSCALL(listen(fd, backlog));
	set_nonblocking(fd);
	return fd;
}

/* A small write is to be seen at once. */
static void send_at_once(int fd)
{
	union address address;
	socklen_t length = sizeof address;
	int on = 1;

	SYSCALL(getsockname(fd, &address.any, &length));
	if (address.any.sa_family != AF_UNIX)
		SYSCALL(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
}

int connect_to(int listener)
{
	union address address;
	socklen_t length = sizeof address;
	int fd;

	SYSCALL(getsockname(listener, &address.any, &length));
	fd = new_socket(address.any.sa_family, SOCK_STREAM);
	SYSCALL(connect(fd, &address.any, length));
	send_at_once(fd);
	set_nonblocking(fd);
	return fd;
}

int connect_start(int listener, int *result)
{
	union address address;
	socklen_t length = sizeof address;
	int fd;

	SYSCALL(getsockname(listener, &address.any, &length));
	fd = new_socket(address.any.sa_family, SOCK_STREAM);
	set_nonblocking(fd);
	*result = connect(fd, &address.any, length) < 0 ? -errno : 0;
	return fd;
}

int accept_plain(int listener)
{
	int fd;

	await(listener, BRINK_READ);
	fd = accept(listener, NULL, NULL);
	SYSCALL(fd);
	set_close_on_exec(fd);
	set_nonblocking(fd);
	send_at_once(fd);
	return fd;
}

/* ---- pairs ---- */

static void open_tcp(struct pair *pair)
{
	int listener = open_listener(pair->kind, 1);

	pair->theirs = connect_to(listener);
	pair->ours = accept_plain(listener);
	close_fd(&listener);
}

static void open_udp(struct pair *pair)
{
	int ends[2];
	union address addresses[2];

	for (int i = 0; i < 2; i++) {
		socklen_t length = loopback(&addresses[i], KIND_UDP);

		ends[i] = new_socket(AF_INET, SOCK_DGRAM);
		SYSCALL(bind(ends[i], &addresses[i].any, length));
		SYSCALL(getsockname(ends[i], &addresses[i].any, &length));
	}
	for (int i = 0; i < 2; i++)
		SYSCALL(connect(ends[i], &addresses[1 - i].any, sizeof addresses[0].in));
	pair->ours = ends[0];
	pair->theirs = ends[1];
}

static void open_pipe(struct pair *pair, unsigned directions)
{
	int ends[2];

	CHECK(directions == BRINK_READ || directions == BRINK_WRITE);
	SYSCALL(pipe(ends));
	pair->ours = ends[directions == BRINK_WRITE];
	pair->theirs = ends[directions == BRINK_READ];
}

struct pair open_pair(enum kind kind, unsigned directions)
{
	struct pair pair = {.kind = kind, .ours = -1, .theirs = -1};

	if (kind == KIND_UNIX) {
		int ends[2];

		SYSCALL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
		pair.ours = ends[0];
		pair.theirs = ends[1];
	} else if (kind == KIND_UDP) {
		open_udp(&pair);
	} else if (kind == KIND_PIPE) {
		open_pipe(&pair, directions);
	} else {
		open_tcp(&pair);
	}
	set_close_on_exec(pair.ours);
	set_close_on_exec(pair.theirs);
	set_nonblocking(pair.ours);
	set_nonblocking(pair.theirs);
	return pair;
}

/* The last end closes with a reset, which nobody sees any more. Otherwise the kernel would
 * keep the connection's port for a minute or so (TIME_WAIT), and a long run makes more
 * connections than there are ports. */
void give_port_back(const struct pair *pair)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	int ends[] = {pair->ours, pair->theirs};

	for (int i = 0; i < 2; i++) /* refused by some systems when the peer has gone: then there is no need */
		if ((pair->kind & KINDS_TCP) != 0 && ends[i] >= 0)
			(void)setsockopt(ends[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void close_pair(struct pair *pair)
{
	give_port_back(pair);
	close_fd(&pair->ours);
	close_fd(&pair->theirs);
}

void close_ours(struct pair *pair)
{
	close_fd(&pair->ours);
}

/* Until our side has heard that the peer ended; not for ever, for some ends cannot be seen. */
static void settle_end(const struct pair *pair)
{
	struct pollfd fd = {.fd = pair->ours, .events = POLL_PEER_ENDED};
	int n;

	if (pair->ours < 0)
		return;
	while ((n = poll(&fd, 1, 1000)) < 0 && errno == EINTR)
		;
	SYSCALL(n);
}

void close_theirs(struct pair *pair)
{
	close_fd(&pair->theirs);
	give_port_back(pair);
	if (pair->kind != KIND_UDP)
		settle_end(pair);
}

void reset_theirs(struct pair *pair)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	CHECK((pair->kind & KINDS_TCP) != 0);
	SYSCALL(setsockopt(pair->theirs, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
	close_theirs(pair);
}

void shut_theirs(struct pair *pair)
{
	if (pair->kind == KIND_PIPE) {
		close_theirs(pair);
		return;
	}
	SYSCALL(shutdown(pair->theirs, SHUT_WR));
	settle_end(pair);
}

/* ---- readiness, as poll(2) sees it ---- */

static int poll_one(int fd, unsigned directions, int timeout)
{
	struct pollfd one = {.fd = fd, .events = 0};
	int n;

	if ((directions & BRINK_READ) != 0)
		one.events |= POLLIN;
	if ((directions & BRINK_WRITE) != 0)
		one.events |= POLLOUT;
	while ((n = poll(&one, 1, timeout)) < 0 && errno == EINTR)
		;
	SYSCALL(n);
	CHECK((one.revents & POLLNVAL) == 0);
	return n;
}

bool ready_now(int fd, unsigned directions)
{
	return poll_one(fd, directions, 0) > 0;
}

void await(int fd, unsigned directions)
{
	uint64_t end = hang_deadline();

	while (poll_one(fd, directions, 1000) == 0)
		if (monotonic_now() > end)
			FAIL("descriptor %d never became ready for %s", fd, bits_text(directions));
}

size_t unread(int fd)
{
	int count = 0;

	SYSCALL(ioctl(fd, FIONREAD, &count));
	return (size_t)count;
}

int socket_error(int fd)
{
	int error = 0;
	socklen_t length = sizeof error;

	SYSCALL(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length));
	return error;
}

/* ---- bytes ---- */

static const char pattern[] = "the quick brown fox jumps over the lazy dog; 0123456789 ";

void write_all(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;

	while (size > 0) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno == EAGAIN) {
			await(fd, BRINK_WRITE);
			continue;
		}
		SYSCALL(n);
		at += n;
		size -= (size_t)n;
	}
}

void feed(struct pair *pair, size_t size)
{
	uint64_t end = hang_deadline();
	size_t before = unread(pair->ours);
	char bytes[4096];

	for (size_t at = 0; at < sizeof bytes; at++)
		bytes[at] = pattern[at % (sizeof pattern - 1)];
	for (size_t left = size; left > 0;) {
		size_t part = left < sizeof bytes ? left : sizeof bytes;

		write_all(pair->theirs, bytes, part);
		left -= part;
	}
	if (pair->kind == KIND_UDP) { /* FIONREAD speaks of one datagram there */
		await(pair->ours, BRINK_READ);
		return;
	}
	for (int tries = 0; unread(pair->ours) < before + size; tries++) {
		if (monotonic_now() > end)
			FAIL("%zu bytes were written, but %zu are there", before + size, unread(pair->ours));
		if (tries < 100)
			sched_yield();
		else
			sleep_ms(1);
	}
}

void read_exactly(int fd, void *bytes, size_t size)
{
	char *at = bytes;

	while (size > 0) {
		ssize_t n = read(fd, at, size);

		if (n < 0 && errno == EAGAIN) {
			await(fd, BRINK_READ);
			continue;
		}
		SYSCALL(n);
		if (n == 0)
			FAIL("the end, %zu bytes too early", size);
		at += n;
		size -= (size_t)n;
	}
}

static size_t write_what_fits(int fd)
{
	static const char bytes[65536];
	size_t total = 0;
	ssize_t n;

	while ((n = write(fd, bytes, sizeof bytes)) > 0)
		total += (size_t)n;
	while (n < 0 && errno == EAGAIN && write(fd, bytes, 1) == 1) /* less than that may fit */
		total++;
	CHECK(n < 0 && errno == EAGAIN);
	return total;
}

/* What is under way of a TCP sender, sent and not acknowledged: room is still to come. */
enum flight { LANDED, FLYING, UNTOLD };

#if defined(SIOCOUTQNSD)

static enum flight told_flight(int fd)
{
	int queued = 0, unsent = 0;

	/* An emulator may lack the second one: qemu 7.2 says ENOSYS. */
	if (ioctl(fd, SIOCOUTQ, &queued) != 0 || ioctl(fd, SIOCOUTQNSD, &unsent) != 0)
		return UNTOLD;
	return queued > unsent ? FLYING : LANDED;
}

#else

static enum flight told_flight(int fd)
{
	(void)fd;
	return UNTOLD;
}

#endif

static enum flight in_flight(int fd)
{
	int value;
	socklen_t size = sizeof value;
	bool is_tcp = getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size) == 0;

	return is_tcp ? told_flight(fd) : LANDED;
}

/* A TCP sender gets room again as its kernel hands bytes to the peer's, first too little for
 * poll(2) to tell of. Full is what takes nothing any more after a while, with nothing under
 * way that a busy machine may have held up: nothing before the attempt, for what is under way
 * then may arrive, and make room, between the attempt and a look after it. Where nobody tells
 * what is under way, full is what takes nothing many times in a row. */
size_t fill(int fd)
{
	uint64_t end = hang_deadline();
	size_t total = 0;
	int attempts = 0;

	for (;;) {
		enum flight before = in_flight(fd);
		size_t part = write_what_fits(fd);

		total += part;
		attempts = part == 0 && before != FLYING ? attempts + 1 : 0;
		if (attempts == (before == UNTOLD ? 20 : 1))
			return total;
		if (monotonic_now() > end)
			FAIL("never full");
		poll_one(fd, BRINK_WRITE, 20);
	}
}

size_t drain(int fd)
{
	char bytes[65536];
	size_t total = 0;
	ssize_t n;

	while ((n = read(fd, bytes, sizeof bytes)) > 0)
		total += (size_t)n;
	CHECK(n == 0 || errno == EAGAIN);
	return total;
}

void drain_for_room(struct pair *pair)
{
	uint64_t end = hang_deadline();

	while (!ready_now(pair->ours, BRINK_WRITE)) {
		drain(pair->theirs);
		if (monotonic_now() > end)
			FAIL("the peer reads everything, but there is no room");
		poll_one(pair->ours, BRINK_WRITE, 1);
	}
}

void expect_end(int fd)
{
	char byte;
	ssize_t n;

	await(fd, BRINK_READ);
	n = read(fd, &byte, 1);
	SYSCALL(n);
	CHECK_EQ(n, 0);
}
