/* A job that threads post to a loop, and the list that the peers without such a thing keep. */
#ifndef BENCH_JOBS_H
#define BENCH_JOBS_H

#include "bench.h"

#include <brink/task.h>

#include <stdatomic.h>

struct job {
	brink_task task; /* first; its call is the job's, and counts it */
	struct job *next;
};

extern uint64_t jobs_called; /* by the loop's thread */

/* A stack that any thread pushes to, and of which the loop takes all. */
struct job_list {
	_Atomic(struct job *) last;
};

/* True when the list was empty: then, and only then, the loop has to be woken. */
static inline bool job_push(struct job_list *list, struct job *job)
{
	struct job *last = atomic_load_explicit(&list->last, memory_order_relaxed);

	do
		job->next = last;
	while (!atomic_compare_exchange_weak(&list->last, &last, job));
	return last == NULL; /* the job may be the loop's by now */
}

/* Calls all, the oldest first. */
static inline void jobs_call(struct job_list *list)
{
	struct job *job = atomic_exchange(&list->last, NULL), *oldest = NULL;

	while (job != NULL) {
		struct job *next = job->next;

		job->next = oldest;
		oldest = job;
		job = next;
	}
	while (oldest != NULL) {
		job = oldest;
		oldest = job->next;
		job->task.call(&job->task);
	}
}

#endif
