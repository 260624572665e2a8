/* Clients that come and go. Each connects, sends a message, gets it back, ends its side and
 * waits for the server's end: a connection counts when both ends were seen. */
#include "generator.h"

#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HANG 120000 /* ms */
#define MOST_BYTES 65536

struct visitor {
	int fd;
	size_t received;
};

struct crowd {
	int epoll;
	unsigned port, number;
	size_t size;
	char bytes[MOST_BYTES];
	uint64_t ended, deadline;
	unsigned present;
};

static int arrive(struct crowd *crowd, struct visitor *visitor)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = visitor};

	*visitor = (struct visitor){.fd = connect_to(crowd->port, crowd->number++)};
	if (visitor->fd < 0)
		return visitor->fd;
	crowd->present++;
	if (epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, visitor->fd, &event) < 0)
		return -errno;
	return send(visitor->fd, crowd->bytes, crowd->size, MSG_NOSIGNAL) == (ssize_t)crowd->size ? 0 : -EPIPE;
}

static int leave(struct crowd *crowd, struct visitor *visitor)
{
	close(visitor->fd);
	visitor->fd = -1;
	crowd->present--;
	crowd->ended++;
	return nanoseconds() < crowd->deadline ? arrive(crowd, visitor) : 0;
}

static int attend(struct crowd *crowd, struct visitor *visitor)
{
	char bytes[MOST_BYTES];
	ssize_t n = recv(visitor->fd, bytes, sizeof bytes, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return visitor->received == crowd->size ? leave(crowd, visitor) : -ECONNRESET;
	if (visitor->received + (size_t)n > crowd->size ||
	    memcmp(bytes, crowd->bytes + visitor->received, (size_t)n) != 0)
		return -EBADMSG;
	visitor->received += (size_t)n;
	if (visitor->received == crowd->size && shutdown(visitor->fd, SHUT_WR) < 0)
		return -errno;
	return 0;
}

static int turn(struct crowd *crowd)
{
	struct epoll_event events[256];
	int count = epoll_wait(crowd->epoll, events, 256, HANG), rc = 0;

	if (count == 0)
		return -ETIMEDOUT;
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < count && rc == 0; i++)
		rc = attend(crowd, events[i].data.ptr);
	return rc;
}

int64_t churn(unsigned port, unsigned count, size_t size, double seconds)
{
	static struct crowd crowd;
	struct visitor *visitors = calloc(count, sizeof *visitors);
	int rc = visitors == NULL || size > MOST_BYTES ? -EINVAL : 0;

	crowd.epoll = epoll_create1(EPOLL_CLOEXEC);
	crowd.port = port;
	crowd.size = size;
	crowd.ended = crowd.present = 0;
	crowd.deadline = nanoseconds() + (uint64_t)(seconds * 1e9);
	for (size_t i = 0; i < MOST_BYTES; i++)
		crowd.bytes[i] = (char)((i * 2654435761u) >> 13);
	for (unsigned i = 0; i < count && rc == 0; i++)
		rc = arrive(&crowd, &visitors[i]);
	while (rc == 0 && crowd.present > 0)
		rc = turn(&crowd);
	for (unsigned i = 0; visitors != NULL && i < count; i++)
		if (visitors[i].fd > 0)
			close(visitors[i].fd);
	close(crowd.epoll);
	free(visitors);
	if (rc < 0)
		complain("a connection did not end as it should: %s", strerror(-rc));
	return rc < 0 ? rc : (int64_t)crowd.ended;
}
