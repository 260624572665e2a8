/* wakeup: what a wakeup costs the thread that makes it, when one is pending already.
 * tasks: what it takes to hand jobs to a loop from one, two and four threads. The loop has a
 * processor to itself, the threads share the other. */
#include "child.h"
#include "jobs.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define WAKEUPS 1000000u
#define JOBS 2000000u

static bool has_jobs(const struct peer *peer)
{
	return peer->jobs != NULL;
}

/* ---- wakeup ---- */

static const struct quantity wakeup_quantities[] = {{"wakeup, one pending", "ns"}};

struct waker {
	const struct job_work *work;
	void *state;
	unsigned count;
	double each;
};

static void *wake_often(void *arg)
{
	struct waker *waker = arg;
	struct timespec before, after;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
	for (unsigned i = 0; i < waker->count; i++)
		waker->work->wake(waker->state);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
	waker->each = ((double)(after.tv_sec - before.tv_sec) * 1e9 + (double)(after.tv_nsec - before.tv_nsec)) /
	              (double)waker->count;
	return NULL;
}

static int measure_wakeup(struct contender *contender, const struct settings *settings, double *values)
{
	struct waker waker = {.work = contender->peer->jobs, .count = settings->tiny ? 1000 : WAKEUPS};
	pthread_t thread;

	waker.state = waker.work->open(contender->backend);
	if (waker.state == NULL || pthread_create(&thread, NULL, wake_often, &waker) != 0)
		return -ENOMEM;
	pthread_join(thread, NULL);
	values[0] = waker.each;
	if (!waker.work->woken(waker.state)) {
		complain("%s: nothing was woken", contender->label);
		return -EBADMSG;
	}
	waker.work->close(waker.state);
	return 0;
}

static int wakeup_slot(struct contender *contender, const struct settings *settings, double *values)
{
	return in_child(measure_wakeup, contender, settings, values, 1);
}

int bench_wakeup(const struct settings *settings)
{
	struct contender contenders[MOST_CONTENDERS];
	struct plan plan = {settings, wakeup_quantities, 1, contenders, 0, wakeup_slot};
	int rc;

	plan.contender_count = choose_contenders(settings, "libuv", has_jobs, contenders);
	report_begin(settings);
	rc = alternate(&plan);
	return report_end() != 0 || rc < 0;
}

/* ---- tasks ---- */

static const struct quantity task_quantities[] = {
	{"job from 1 thread", "ns"}, {"job from 2 threads", "ns"}, {"job from 4 threads", "ns"}};

uint64_t jobs_called;

static void count_job(brink_task *task)
{
	(void)task;
	jobs_called++;
}

struct poster {
	const struct job_work *work;
	void *state;
	struct job *jobs;
	size_t count;
	uint64_t started;
	pthread_t thread;
};

static pthread_barrier_t ready;

static void *post_all(void *arg)
{
	struct poster *poster = arg;

	pin_to(CLIENT_SIDE);
	pthread_barrier_wait(&ready);
	poster->started = nanoseconds();
	for (size_t i = 0; i < poster->count; i++)
		poster->work->post(poster->state, &poster->jobs[i]);
	return NULL;
}

/* From the first post to the last call, for each job. */
static int run_jobs(struct poster *posters, unsigned threads, size_t count, double *value)
{
	uint64_t ended, started = UINT64_MAX;

	pthread_barrier_init(&ready, NULL, threads + 1);
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&posters[i].thread, NULL, post_all, &posters[i]) != 0)
			abort();
	pthread_barrier_wait(&ready);
	posters[0].work->run(posters[0].state, count);
	ended = nanoseconds();
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(posters[i].thread, NULL);
		started = posters[i].started < started ? posters[i].started : started;
	}
	pthread_barrier_destroy(&ready);
	*value = (double)(ended - started) / (double)count;
	return jobs_called == count ? 0 : -EBADMSG;
}

static int measure_threads(void *state, const struct job_work *work, unsigned threads, size_t count, double *value)
{
	struct poster posters[4];
	struct job *jobs = calloc(count, sizeof *jobs);
	int rc;

	if (jobs == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		brink_task_init(&jobs[i].task, count_job);
	jobs_called = 0;
	for (unsigned i = 0; i < threads; i++)
		posters[i] = (struct poster){
			.work = work, .state = state, .jobs = jobs + i * (count / threads), .count = count / threads};
	rc = run_jobs(posters, threads, count, value);
	free(jobs);
	return rc;
}

static int measure_tasks(struct contender *contender, const struct settings *settings, double *values)
{
	const struct job_work *work = contender->peer->jobs;
	size_t count = settings->tiny ? 4000 : JOBS;
	void *state = work->open(contender->backend);
	int rc = state == NULL ? -ENOMEM : 0;

	pin_to(SERVER_SIDE);
	for (unsigned i = 0; i < 3 && rc == 0; i++)
		rc = measure_threads(state, work, 1u << i, count, &values[i]);
	if (rc == 0)
		work->close(state);
	return rc;
}

static int task_slot(struct contender *contender, const struct settings *settings, double *values)
{
	return in_child(measure_tasks, contender, settings, values, 3);
}

int bench_tasks(const struct settings *settings)
{
	struct contender contenders[MOST_CONTENDERS];
	struct plan plan = {settings, task_quantities, 3, contenders, 0, task_slot};
	int rc;

	plan.contender_count = choose_contenders(settings, "libuv", has_jobs, contenders);
	report_begin(settings);
	rc = alternate(&plan);
	return report_end() != 0 || rc < 0;
}
