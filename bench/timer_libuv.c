#include "peers.h"

#include <stdlib.h>
#include <uv.h>

struct state {
	uv_loop_t loop;
	uv_timer_t timers[];
};

static size_t called;

static void on_timer(uv_timer_t *timer)
{
	(void)timer;
	called++;
}

static void *open_timers(const char *backend, size_t count)
{
	struct state *state = malloc(sizeof *state + count * sizeof(uv_timer_t));

	(void)backend;
	if (state == NULL || uv_loop_init(&state->loop) < 0)
		return NULL;
	for (size_t i = 0; i < count; i++)
		uv_timer_init(&state->loop, &state->timers[i]);
	return state;
}

static void start(void *state, size_t index, uint64_t after)
{
	uv_timer_start(&((struct state *)state)->timers[index], on_timer, after / 1000000, 0);
}

static void stop(void *state, size_t index)
{
	uv_timer_stop(&((struct state *)state)->timers[index]);
}

static void update(void *state)
{
	uv_update_time(&((struct state *)state)->loop);
}

static size_t expire(void *state)
{
	uv_run(&((struct state *)state)->loop, UV_RUN_NOWAIT);
	return called;
}

/* The process ends with it: a million handles would have to be closed one by one. */
static void close_timers(void *state)
{
	(void)state;
}

/* To start an active timer moves it. */
const struct timer_work libuv_timers = {open_timers, start, stop, start, update, expire, close_timers, NULL};
