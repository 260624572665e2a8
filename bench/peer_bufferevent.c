/* libevent's bufferevents. */
#include "echo_by_hand.h"
#include "peers.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>

static void on_read(struct bufferevent *connection, void *arg)
{
	(void)arg;
	bufferevent_write_buffer(connection, bufferevent_get_input(connection));
}

static void on_end(struct bufferevent *connection, short what, void *arg)
{
	(void)what;
	(void)arg;
	bufferevent_free(connection);
}

static void on_listener(evutil_socket_t listener, short events, void *arg)
{
	int fd;

	(void)events;
	while ((fd = accept_one(listener)) >= 0) {
		struct bufferevent *connection = bufferevent_socket_new(arg, fd, BEV_OPT_CLOSE_ON_FREE);

		if (connection == NULL)
			abort();
		bufferevent_setcb(connection, on_read, NULL, on_end, NULL);
		bufferevent_enable(connection, EV_READ | EV_WRITE);
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

const struct peer peer_bufferevent = {
	.name = "bufferevent",
	.about = "libevent, bufferevents",
	.serve = serve,
	.writes = &bufferevent_writes,
};
