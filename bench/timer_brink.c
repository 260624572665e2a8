#include "peers.h"

#include <brink.h>

#include <stdlib.h>

struct state {
	brink_loop *loop;
	brink_task task;
	void (*call)(void *arg);
	void *arg;
	brink_timer timers[];
};

static size_t called;

static void on_timer(brink_timer *timer)
{
	(void)timer;
	called++;
}

static void *open_timers(const char *backend, size_t count)
{
	struct state *state = malloc(sizeof *state + count * sizeof(brink_timer));

	if (state == NULL || brink_loop_create(&state->loop, &(struct brink_loop_options){.backend = backend}) < 0)
		return NULL;
	for (size_t i = 0; i < count; i++)
		brink_timer_init(&state->timers[i], on_timer);
	return state;
}

static void start(void *state, size_t index, uint64_t after)
{
	struct state *all = state;

	brink_timer_start(all->loop, &all->timers[index], after, 0);
}

static void stop(void *state, size_t index)
{
	brink_timer_stop(&((struct state *)state)->timers[index]);
}

static void postpone(void *state, size_t index, uint64_t after)
{
	brink_timer_postpone(&((struct state *)state)->timers[index], after);
}

static void update(void *state)
{
	brink_loop_update(((struct state *)state)->loop);
}

static size_t expire(void *state)
{
	brink_loop_run_once(((struct state *)state)->loop, 0);
	return called;
}

static void close_timers(void *state)
{
	brink_loop_destroy(((struct state *)state)->loop);
	free(state);
}

static void on_task(brink_task *task)
{
	struct state *all = brink_container_of(task, struct state, task);

	all->call(all->arg);
}

static void inside(void *state, void (*call)(void *arg), void *arg)
{
	struct state *all = state;

	all->call = call;
	all->arg = arg;
	brink_task_init(&all->task, on_task);
	brink_task_post(all->loop, &all->task);
	brink_loop_run_once(all->loop, 0);
}

const struct timer_work brink_timers = {open_timers, start, stop, postpone, update, expire, close_timers, inside};
