#include "jobs.h"
#include "peers.h"

#include <brink.h>

static void *open_loop(const char *backend)
{
	brink_loop *loop;

	if (brink_loop_create(&loop, &(struct brink_loop_options){.backend = backend}) < 0)
		return NULL;
	brink_loop_ref(loop);
	return loop;
}

static void wake(void *state)
{
	brink_loop_wakeup(state);
}

/* A turn that is woken does not wait for its time to be over. */
static bool woken(void *state)
{
	uint64_t before = nanoseconds();

	brink_loop_run_once(state, BRINK_SECONDS(5));
	return nanoseconds() - before < BRINK_SECONDS(5);
}

static void post(void *state, struct job *job)
{
	brink_task_post(state, &job->task);
}

static void run(void *state, uint64_t count)
{
	while (jobs_called < count)
		brink_loop_run_once(state, -1);
}

static void close_loop(void *state)
{
	brink_loop_destroy(state);
}

const struct job_work brink_jobs = {open_loop, wake, woken, post, run, close_loop};
