/* The limit of connections, and the memory that those who may still speak of the listener
 * keep. A lock and not atomics: a connection's end must count, ask whether somebody waits
 * for it, and post to a loop that must not be gone, as one step; and it happens once a
 * connection. */
#include "config.h"

#include "listener.h"
#include "loop.h"
#include "memory.h"

#include <brink/memory.h>

#include <stdlib.h>

void brink__listener_room(brink_task *task)
{
	brink_listener *listener = brink_container_of(task, brink_listener, limit.room);
	struct brink__listen_limit *limit = &listener->limit;

	pthread_mutex_lock(&limit->lock);
	limit->posted = false;
	pthread_mutex_unlock(&limit->lock);
	listener->full = false;
	brink__listener_go_on(listener);
}

int brink__listen_limit_init(brink_listener *listener, unsigned most)
{
	struct brink__listen_limit *limit = &listener->limit;

	limit->most = most;
	limit->holds = 1;
	brink_task_init(&limit->room, brink__listener_room);
	return -pthread_mutex_init(&limit->lock, NULL);
}

void brink__listener_hold(brink_listener *listener)
{
	pthread_mutex_lock(&listener->limit.lock);
	listener->limit.holds++;
	pthread_mutex_unlock(&listener->limit.lock);
}

/* Called with the lock held, which it gives back. */
static void release(brink_listener *listener)
{
	bool last = --listener->limit.holds == 0;

	pthread_mutex_unlock(&listener->limit.lock);
	if (!last)
		return;
	pthread_mutex_destroy(&listener->limit.lock);
	brink__free(listener);
}

void brink__listener_release(brink_listener *listener)
{
	pthread_mutex_lock(&listener->limit.lock);
	release(listener);
}

void brink__listener_count(brink_listener *listener)
{
	struct brink__listen_limit *limit = &listener->limit;

	if (limit->most == 0)
		return;
	pthread_mutex_lock(&limit->lock);
	limit->holds++;
	limit->connections++;
	limit->wants_room = limit->connections >= limit->most;
	listener->full = limit->wants_room;
	pthread_mutex_unlock(&limit->lock);
}

void brink__listen_limit_end(brink_listener *listener)
{
	struct brink__listen_limit *limit = &listener->limit;

	pthread_mutex_lock(&limit->lock);
	limit->ended = true;
	pthread_mutex_unlock(&limit->lock);
	/* Nobody sets it again, and the task has not run if it is set. */
	if (limit->posted)
		brink_task_cancel(listener->loop, &limit->room);
}

void brink_listener_closed(brink_listener *listener)
{
	struct brink__listen_limit *limit = &listener->limit;

	if (limit->most == 0)
		return;
	pthread_mutex_lock(&limit->lock);
	limit->connections--;
	/* Under the lock, so that the loop is there: destroying the listener takes it too. */
	if (limit->wants_room && !limit->ended) {
		limit->wants_room = false;
		limit->posted = true;
		brink_task_post(listener->loop, &limit->room);
	}
	release(listener);
}

unsigned brink_listener_connections(brink_listener *listener)
{
	unsigned connections;

	pthread_mutex_lock(&listener->limit.lock);
	connections = listener->limit.connections;
	pthread_mutex_unlock(&listener->limit.lock);
	return connections;
}
