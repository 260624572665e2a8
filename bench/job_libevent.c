#include "jobs.h"
#include "peers.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
#include <stdlib.h>

struct state {
	struct event_base *base;
	struct event event;
	struct job_list list;
	uint64_t wakeups;
};

static void on_event(evutil_socket_t fd, short events, void *arg)
{
	struct state *all = arg;

	(void)fd;
	(void)events;
	all->wakeups++;
	jobs_call(&all->list);
}

static void *open_loop(const char *backend)
{
	struct state *all = calloc(1, sizeof *all);

	(void)backend;
	evthread_use_pthreads();
	if (all == NULL || (all->base = event_base_new()) == NULL)
		return NULL;
	event_assign(&all->event, all->base, -1, EV_PERSIST, on_event, all);
	return all;
}

static void wake(void *state)
{
	event_active(&((struct state *)state)->event, EV_READ, 0);
}

static bool woken(void *state)
{
	struct state *all = state;

	event_base_loop(all->base, EVLOOP_NONBLOCK);
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
		event_base_loop(all->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
}

static void close_loop(void *state)
{
	event_base_free(((struct state *)state)->base);
	free(state);
}

const struct job_work libevent_jobs = {open_loop, wake, woken, post, run, close_loop};
