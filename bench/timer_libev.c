#include "peers.h"

#include <ev.h>
#include <stdlib.h>

struct state {
	struct ev_loop *loop;
	ev_timer timers[];
};

static size_t called;

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)timer;
	(void)events;
	called++;
}

static void *open_timers(const char *backend, size_t count)
{
	struct state *state = malloc(sizeof *state + count * sizeof(ev_timer));

	(void)backend;
	if (state == NULL || (state->loop = ev_loop_new(EVFLAG_AUTO)) == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
		ev_timer_init(&state->timers[i], on_timer, 0., 0.);
	return state;
}

static void start(void *state, size_t index, uint64_t after)
{
	struct state *all = state;
	ev_timer *timer = &all->timers[index];

	ev_timer_set(timer, (double)after / 1e9, 0.);
	ev_timer_start(all->loop, timer);
}

static void stop(void *state, size_t index)
{
	struct state *all = state;

	ev_timer_stop(all->loop, &all->timers[index]);
}

static void postpone(void *state, size_t index, uint64_t after)
{
	struct state *all = state;

	all->timers[index].repeat = (double)after / 1e9;
	ev_timer_again(all->loop, &all->timers[index]);
}

static void update(void *state)
{
	ev_now_update(((struct state *)state)->loop);
}

static size_t expire(void *state)
{
	ev_run(((struct state *)state)->loop, EVRUN_NOWAIT);
	return called;
}

static void close_timers(void *state)
{
	ev_loop_destroy(((struct state *)state)->loop);
	free(state);
}

const struct timer_work libev_timers = {open_timers, start, stop, postpone, update, expire, close_timers, NULL};
