/* libevent's bare events, with direct read and write. */
#include "echo_by_hand.h"
#include "peers.h"

#include <event2/event.h>
#include <event2/event_struct.h>

struct connection {
	struct event event;
	struct backlog backlog;
};

static char scratch[SCRATCH];

static void on_ready(evutil_socket_t fd, short events, void *arg)
{
	struct connection *connection = arg;
	enum echo_result before = connection->backlog.bytes != NULL ? ECHO_FULL : ECHO_ON, now;

	(void)events;
	if (before == ECHO_FULL)
		now = echo_flush(fd, &connection->backlog);
	else
		now = echo_once(fd, &connection->backlog, scratch);
	if (now == before)
		return;
	event_del(&connection->event);
	if (now != ECHO_END) {
		short wanted = now == ECHO_FULL ? EV_WRITE | EV_PERSIST : EV_READ | EV_PERSIST;

		event_assign(&connection->event, event_get_base(&connection->event), fd, wanted, on_ready, connection);
		event_add(&connection->event, NULL);
		return;
	}
	close(fd);
	free(connection->backlog.bytes);
	free(connection);
}

static void on_listener(evutil_socket_t listener, short events, void *arg)
{
	int fd;

	(void)events;
	while ((fd = accept_one(listener)) >= 0) {
		struct connection *connection = calloc(1, sizeof *connection);

		if (connection == NULL)
			abort();
		event_assign(&connection->event, arg, fd, EV_READ | EV_PERSIST, on_ready, connection);
		event_add(&connection->event, NULL);
	}
}

static int serve(int listener, const char *backend)
{
	struct event_base *base = event_base_new();
	struct event event;

	(void)backend;
	if (base == NULL)
		return -ENOMEM;
	event_assign(&event, base, listener, EV_READ | EV_PERSIST, on_listener, base);
	event_add(&event, NULL);
	event_base_dispatch(base);
	return -ECANCELED;
}

const struct peer peer_libevent = {
	.name = "libevent",
	.about = "libevent, bare events, direct read and write",
	.serve = serve,
	.timers = &libevent_timers,
	.jobs = &libevent_jobs,
};
