#include "jobs.h"
#include "peers.h"

#include <stdlib.h>
#include <uv.h>

struct state {
	uv_loop_t loop;
	uv_async_t async;
	struct job_list list;
	uint64_t wakeups;
};

static void on_async(uv_async_t *async)
{
	struct state *all = async->data;

	all->wakeups++;
	jobs_call(&all->list);
}

static void *open_loop(const char *backend)
{
	struct state *all = calloc(1, sizeof *all);

	(void)backend;
	if (all == NULL || uv_loop_init(&all->loop) < 0)
		return NULL;
	all->async.data = all;
	uv_async_init(&all->loop, &all->async, on_async);
	return all;
}

static void wake(void *state)
{
	uv_async_send(&((struct state *)state)->async);
}

static bool woken(void *state)
{
	struct state *all = state;

	uv_run(&all->loop, UV_RUN_NOWAIT);
	return all->wakeups > 0;
}

static void post(void *state, struct job *job)
{
	struct state *all = state;

	if (job_push(&all->list, job))
		wake(state);
}

static void run(void *state, uint64_t count)
{
	struct state *all = state;

	while (jobs_called < count)
		uv_run(&all->loop, UV_RUN_ONCE);
}

static void close_loop(void *state)
{
	struct state *all = state;

	uv_close((uv_handle_t *)&all->async, NULL);
	uv_run(&all->loop, UV_RUN_DEFAULT);
	uv_loop_close(&all->loop);
	free(all);
}

const struct job_work libuv_jobs = {open_loop, wake, woken, post, run, close_loop};
