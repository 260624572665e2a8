/* timers: very many of them, with random deadlines, used in a random order; CPU time of one call.
 *
 * While starting, stopping and postponing are measured, the deadlines are within 10 s. For
 * expiring they are within a second, which is slept over: then all are due at once. */
#include "child.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

static const struct quantity quantities[] = {
	{"start", "ns"}, {"stop", "ns"}, {"stop and start", "ns"}, {"postpone", "ns"}, {"expire and call", "ns"}};
#define QUANTITIES (sizeof quantities / sizeof quantities[0])

#define SECOND 1000000000u

struct work {
	const struct timer_work *timers;
	void *state;
	size_t count;
	size_t *order;   /* a permutation */
	uint64_t *after; /* deadlines, below 1 << 32 */
	double *values;
};

static uint64_t cpu_time(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static uint64_t random_bits(void)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static int prepare(struct work *work)
{
	work->order = malloc(work->count * sizeof *work->order);
	work->after = malloc(work->count * sizeof *work->after);
	if (work->order == NULL || work->after == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < work->count; i++) {
		size_t other = random_bits() % (i + 1);

		work->order[i] = work->order[other];
		work->order[other] = i;
		work->after[i] = random_bits() & UINT32_MAX;
	}
	return 0;
}

/* A random time within `range`, no less than a ms. */
static uint64_t deadline(const struct work *work, size_t index, uint64_t range)
{
	return 1000000 + (work->after[index] * (range >> 10) >> 22);
}

static void start(const struct work *work, uint64_t range)
{
	work->timers->update(work->state);
	for (size_t i = 0; i < work->count; i++)
		work->timers->start(work->state, i, deadline(work, i, range));
}

static void stop(const struct work *work)
{
	for (size_t i = 0; i < work->count; i++)
		work->timers->stop(work->state, work->order[i]);
}

static void restart(const struct work *work)
{
	for (size_t i = 0; i < work->count; i++) {
		size_t index = work->order[i];

		work->timers->stop(work->state, index);
		work->timers->start(work->state, index, deadline(work, i, 10ull * SECOND));
	}
}

/* Always to later, and in the order of memory: an idle timeout is put off when its connection was
 * just used. */
static void postpone(const struct work *work)
{
	for (size_t i = 0; i < work->count; i++)
		work->timers->postpone(work->state, i, 12ull * SECOND);
}

static double each(const struct work *work, uint64_t since)
{
	return (double)(cpu_time() - since) / (double)work->count;
}

static int expire(const struct work *work, uint64_t range, double *value)
{
	struct timespec sleep = {.tv_sec = (time_t)(range / SECOND), .tv_nsec = (long)(range % SECOND) + 5000000};
	size_t called = 0;
	uint64_t since;

	if (work->timers->expire(work->state) != 0) {
		complain("timers were called that had been stopped");
		return -EBADMSG;
	}
	start(work, range);
	nanosleep(&sleep, NULL);
	since = cpu_time();
	for (unsigned turns = 0; called < work->count && turns < 1000000; turns++)
		called = work->timers->expire(work->state);
	*value = each(work, since);
	if (called == work->count)
		return 0;
	complain("%zu of %zu timers were called", called, work->count);
	return -EBADMSG;
}

/* Is called from a callback of the loop, as most timers are started: where libbrink reads the
 * clock once a turn, and not at each start. */
static void play(void *arg)
{
	struct work *work = arg;
	uint64_t since;

	start(work, 10ull * SECOND); /* once in vain, so that all memory is there */
	stop(work);
	since = cpu_time();
	start(work, 10ull * SECOND);
	work->values[0] = each(work, since);
	since = cpu_time();
	stop(work);
	work->values[1] = each(work, since);
	start(work, 10ull * SECOND);
	since = cpu_time();
	restart(work);
	work->values[2] = each(work, since);
	since = cpu_time();
	postpone(work);
	work->values[3] = each(work, since);
	stop(work);
}

static int measure(struct contender *contender, const struct settings *settings, double *values)
{
	struct work work = {.timers = contender->peer->timers, .count = settings->timers, .values = values};
	int rc = prepare(&work);

	work.state = rc == 0 ? work.timers->open(contender->backend, work.count) : NULL;
	if (work.state == NULL)
		return -ENOMEM;
	pin_to(SERVER_SIDE);
	if (work.timers->inside != NULL)
		work.timers->inside(work.state, play, &work);
	else
		play(&work);
	rc = expire(&work, settings->tiny ? SECOND / 100 : SECOND, &values[4]);
	work.timers->close(work.state);
	return rc;
}

static int slot(struct contender *contender, const struct settings *settings, double *values)
{
	return in_child(measure, contender, settings, values, QUANTITIES);
}

static bool has_timers(const struct peer *peer)
{
	return peer->timers != NULL;
}

int bench_timers(const struct settings *settings)
{
	struct contender contenders[MOST_CONTENDERS];
	struct settings here = *settings;
	struct plan plan = {&here, quantities, QUANTITIES, contenders, 0, slot};
	int rc;

	/* They are the same on every backend. */
	if (here.backends == NULL)
		here.backends = "epoll";
	plan.contender_count = choose_contenders(&here, "libev", has_timers, contenders);
	report_begin(settings);
	rc = alternate(&plan);
	return report_end() != 0 || rc < 0;
}
