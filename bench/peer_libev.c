/* libev, with direct read and write. */
#include "echo_by_hand.h"
#include "peers.h"

#include <ev.h>

struct connection {
	ev_io io; /* first, so that it is the connection */
	struct backlog backlog;
};

static char scratch[SCRATCH];

static void on_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct connection *connection = (struct connection *)io;
	enum echo_result before = connection->backlog.bytes != NULL ? ECHO_FULL : ECHO_ON, now;

	(void)events;
	if (before == ECHO_FULL)
		now = echo_flush(io->fd, &connection->backlog);
	else
		now = echo_once(io->fd, &connection->backlog, scratch);
	if (now == before)
		return;
	ev_io_stop(loop, io);
	if (now != ECHO_END) {
		ev_io_set(io, io->fd, now == ECHO_FULL ? EV_WRITE : EV_READ);
		ev_io_start(loop, io);
		return;
	}
	close(io->fd);
	free(connection->backlog.bytes);
	free(connection);
}

static void on_listener(struct ev_loop *loop, ev_io *io, int events)
{
	int fd;

	(void)events;
	while ((fd = accept_one(io->fd)) >= 0) {
		struct connection *connection = calloc(1, sizeof *connection);

		if (connection == NULL)
			abort();
		ev_io_init(&connection->io, on_ready, fd, EV_READ);
		ev_io_start(loop, &connection->io);
	}
}

static int serve(int listener, const char *backend)
{
	struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL);
	ev_io io;

	(void)backend;
	if (loop == NULL)
		return -ENOMEM;
	ev_io_init(&io, on_listener, listener, EV_READ);
	ev_io_start(loop, &io);
	ev_run(loop, 0);
	return -ECANCELED;
}

const struct peer peer_libev = {
	.name = "libev",
	.about = "libev, direct read and write",
	.serve = serve,
	.timers = &libev_timers,
	.jobs = &libev_jobs,
};
