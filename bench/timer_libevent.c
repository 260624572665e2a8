#include "peers.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

struct state {
	struct event_base *base;
	struct event timers[];
};

static size_t called;

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	(void)arg;
	called++;
}

static void *open_timers(const char *backend, size_t count)
{
	struct state *state = malloc(sizeof *state + count * sizeof(struct event));

	(void)backend;
	if (state == NULL || (state->base = event_base_new()) == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
		evtimer_assign(&state->timers[i], state->base, on_timer, NULL);
	return state;
}

static void start(void *state, size_t index, uint64_t after)
{
	struct timeval time = {.tv_sec = (time_t)(after / 1000000000u),
	                       .tv_usec = (suseconds_t)(after % 1000000000u / 1000)};

	evtimer_add(&((struct state *)state)->timers[index], &time);
}

static void stop(void *state, size_t index)
{
	evtimer_del(&((struct state *)state)->timers[index]);
}

static void update(void *state)
{
	event_base_update_cache_time(((struct state *)state)->base);
}

static size_t expire(void *state)
{
	event_base_loop(((struct state *)state)->base, EVLOOP_NONBLOCK);
	return called;
}

static void close_timers(void *state)
{
	event_base_free(((struct state *)state)->base);
	free(state);
}

/* To add an active timer moves it. */
const struct timer_work libevent_timers = {open_timers, start, stop, start, update, expire, close_timers, NULL};
