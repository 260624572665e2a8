/* libevent: a bufferevent that is safe to use from any thread. */
#include "peers.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <pthread.h>
#include <stdlib.h>

#define MOST_QUEUED (1 << 20) /* bytes */

struct state {
	struct event_base *base;
	struct bufferevent *connection;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t room;
};

/* Called when what is queued is down at the low-water mark. */
static void on_low(struct bufferevent *connection, void *arg)
{
	struct state *all = arg;

	(void)connection;
	pthread_mutex_lock(&all->lock);
	pthread_cond_broadcast(&all->room);
	pthread_mutex_unlock(&all->lock);
}

static void *run(void *arg)
{
	pin_to(SERVER_SIDE);
	event_base_loop(arg, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

static void *open_line(int fd, const char *backend)
{
	struct state *all = calloc(1, sizeof *all);

	(void)backend;
	evthread_use_pthreads();
	if (all == NULL || (all->base = event_base_new()) == NULL)
		return NULL;
	evutil_make_socket_nonblocking(fd);
	/* Callbacks without its lock, since they take ours, under which queued() takes its. */
	all->connection = bufferevent_socket_new(all->base, fd, BEV_OPT_THREADSAFE | BEV_OPT_CLOSE_ON_FREE |
	                                                            BEV_OPT_DEFER_CALLBACKS | BEV_OPT_UNLOCK_CALLBACKS);
	if (all->connection == NULL)
		return NULL;
	pthread_mutex_init(&all->lock, NULL);
	pthread_cond_init(&all->room, NULL);
	bufferevent_setcb(all->connection, NULL, on_low, NULL, all);
	bufferevent_setwatermark(all->connection, EV_WRITE, MOST_QUEUED / 4, 0);
	bufferevent_enable(all->connection, EV_WRITE);
	return pthread_create(&all->thread, NULL, run, all->base) == 0 ? all : NULL;
}

static size_t queued(struct state *all)
{
	return evbuffer_get_length(bufferevent_get_output(all->connection));
}

static int submit(void *state, const void *bytes, size_t size)
{
	struct state *all = state;

	if (queued(all) >= MOST_QUEUED)
		return 1;
	return bufferevent_write(all->connection, bytes, size) == 0 ? 0 : -ENOMEM;
}

static void wait_for_room(void *state)
{
	struct state *all = state;

	pthread_mutex_lock(&all->lock);
	while (queued(all) > MOST_QUEUED / 4)
		pthread_cond_wait(&all->room, &all->lock);
	pthread_mutex_unlock(&all->lock);
}

/* A deferred call that was on its way to on_low() comes here, too. */
static void on_empty(struct bufferevent *connection, void *arg)
{
	if (evbuffer_get_length(bufferevent_get_output(connection)) == 0)
		event_base_loopbreak(arg);
}

static void close_line(void *state)
{
	struct state *all = state;

	bufferevent_lock(all->connection);
	bufferevent_setcb(all->connection, NULL, on_empty, NULL, all->base);
	bufferevent_setwatermark(all->connection, EV_WRITE, 0, 0);
	bufferevent_trigger(all->connection, EV_WRITE, 0); /* only if it is empty */
	bufferevent_unlock(all->connection);
	pthread_join(all->thread, NULL);
	bufferevent_free(all->connection);
	event_base_free(all->base);
	free(all);
}

const struct write_work bufferevent_writes = {open_line, submit, wait_for_room, close_line};
