/* Echoing by direct read and write: for the peers that tell of readiness. In a header, so that
 * all pay the same for it. */
#ifndef BENCH_ECHO_BY_HAND_H
#define BENCH_ECHO_BY_HAND_H

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SCRATCH 65536

/* What could not be sent at once. */
struct backlog {
	char *bytes;
	size_t size, sent;
};

enum echo_result {
	ECHO_ON,   /* go on when there is more to read */
	ECHO_FULL, /* go on with echo_flush() when there is room to write; no reading before */
	ECHO_END   /* close it */
};

/* One connection, non-blocking, or -1. */
static inline int accept_one(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;

	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

static inline enum echo_result echo_keep(struct backlog *backlog, const char *bytes, size_t size)
{
	*backlog = (struct backlog){.bytes = malloc(size), .size = size};
	if (backlog->bytes == NULL)
		return ECHO_END;
	memcpy(backlog->bytes, bytes, size);
	return ECHO_FULL;
}

/* Reads once and sends that back. */
static inline enum echo_result echo_once(int fd, struct backlog *backlog, char *scratch)
{
	ssize_t n = read(fd, scratch, SCRATCH), sent;

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? ECHO_ON : ECHO_END;
	sent = write(fd, scratch, (size_t)n);
	if (sent == n)
		return ECHO_ON;
	if (sent < 0 && errno != EAGAIN)
		return ECHO_END;
	return echo_keep(backlog, scratch + (sent < 0 ? 0 : sent), (size_t)(n - (sent < 0 ? 0 : sent)));
}

static inline enum echo_result echo_flush(int fd, struct backlog *backlog)
{
	ssize_t n = write(fd, backlog->bytes + backlog->sent, backlog->size - backlog->sent);

	if (n < 0)
		return errno == EAGAIN ? ECHO_FULL : ECHO_END;
	backlog->sent += (size_t)n;
	if (backlog->sent < backlog->size)
		return ECHO_FULL;
	free(backlog->bytes);
	backlog->bytes = NULL;
	return ECHO_ON;
}

#endif
