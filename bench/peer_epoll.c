/* The reference: epoll, level-triggered, with direct read and write. */
#include "echo_by_hand.h"
#include "peers.h"

#include <sys/epoll.h>

struct connection {
	int fd;
	struct backlog backlog;
};

static int follow(int epoll, int operation, struct connection *connection, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = connection};

	return epoll_ctl(epoll, operation, connection->fd, &event) < 0 ? -errno : 0;
}

static int accept_all(int epoll, int listener)
{
	int fd, rc = 0;

	while (rc == 0 && (fd = accept_one(listener)) >= 0) {
		struct connection *connection = calloc(1, sizeof *connection);

		if (connection == NULL)
			return -ENOMEM;
		connection->fd = fd;
		rc = follow(epoll, EPOLL_CTL_ADD, connection, EPOLLIN);
	}
	return rc < 0 || errno == EAGAIN ? rc : -errno;
}

static void attend(int epoll, struct connection *connection, char *scratch)
{
	enum echo_result before = connection->backlog.bytes != NULL ? ECHO_FULL : ECHO_ON, now;

	if (before == ECHO_FULL)
		now = echo_flush(connection->fd, &connection->backlog);
	else
		now = echo_once(connection->fd, &connection->backlog, scratch);
	if (now == before)
		return;
	if (now != ECHO_END) {
		follow(epoll, EPOLL_CTL_MOD, connection, now == ECHO_FULL ? EPOLLOUT : EPOLLIN);
		return;
	}
	close(connection->fd);
	free(connection->backlog.bytes);
	free(connection);
}

static int serve(int listener, const char *backend)
{
	static char scratch[SCRATCH];
	struct connection self = {.fd = listener};
	struct epoll_event events[256];
	int epoll = epoll_create1(EPOLL_CLOEXEC), rc = follow(epoll, EPOLL_CTL_ADD, &self, EPOLLIN);

	(void)backend;
	while (rc == 0) {
		int count = epoll_wait(epoll, events, 256, -1);

		if (count < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < count && rc == 0; i++) {
			if (events[i].data.ptr == &self)
				rc = accept_all(epoll, listener);
			else
				attend(epoll, events[i].data.ptr, scratch);
		}
	}
	return rc;
}

const struct peer peer_epoll = {
	.name = "epoll",
	.about = "written by hand: level-triggered epoll, direct read and write",
	.serve = serve,
};
