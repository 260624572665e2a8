#include "jobs.h"
#include "peers.h"

#include <ev.h>
#include <stdlib.h>

struct state {
	struct ev_loop *loop;
	ev_async async;
	struct job_list list;
	uint64_t wakeups;
};

static void on_async(struct ev_loop *loop, ev_async *async, int events)
{
	struct state *all = ev_userdata(loop);

	(void)async;
	(void)events;
	all->wakeups++;
	jobs_call(&all->list);
}

static void *open_loop(const char *backend)
{
	struct state *all = calloc(1, sizeof *all);

	(void)backend;
	if (all == NULL || (all->loop = ev_loop_new(EVFLAG_AUTO)) == NULL)
		return NULL;
	ev_set_userdata(all->loop, all);
	ev_async_init(&all->async, on_async);
	ev_async_start(all->loop, &all->async);
	return all;
}

static void wake(void *state)
{
	struct state *all = state;

	ev_async_send(all->loop, &all->async);
}

static bool woken(void *state)
{
	struct state *all = state;

	ev_run(all->loop, EVRUN_NOWAIT);
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
		ev_run(all->loop, EVRUN_ONCE);
}

static void close_loop(void *state)
{
	ev_loop_destroy(((struct state *)state)->loop);
	free(state);
}

const struct job_work libev_jobs = {open_loop, wake, woken, post, run, close_loop};
