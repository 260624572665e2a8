/* What an executor does with tasks. */
#include "groups.h"
#include "scarce.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define AT_MOST 1000u /* allocations that a start may need */

static brink_executor *executor;

static void start(unsigned threads, size_t capacity)
{
	CHECK_OK(brink_executor_create(&executor, &(struct brink_executor_options){
		.tag = "pool", .threads = threads, .capacity = capacity}));
}

struct job {
	brink_task task;
	atomic_uint calls;
	unsigned order; /* the number of its call among all */
};

static atomic_uint calls;

static void on_job(brink_task *task)
{
	struct job *job = brink_container_of(task, struct job, task);

	job->order = calls++;
	job->calls++;
}

static struct job *new_jobs(unsigned count)
{
	struct job *jobs = calloc(count, sizeof *jobs);

	CHECK(jobs != NULL);
	for (unsigned i = 0; i < count; i++)
		brink_task_init(&jobs[i].task, on_job);
	return jobs;
}

static brink_task *link_jobs(struct job *jobs, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		jobs[i].task.next = i + 1 < count ? &jobs[i + 1].task : NULL;
	return &jobs[0].task;
}

/* A task that keeps a thread until it is let go. */
struct gate {
	brink_task task;
	atomic_bool reached, open, left;
};

static void on_gate(brink_task *task)
{
	struct gate *gate = brink_container_of(task, struct gate, task);

	atomic_store(&gate->reached, true);
	while (!atomic_load(&gate->open))
		sleep_ms(1);
	atomic_store(&gate->left, true); /* the last touch */
}

/* From here on a thread is in the gate. */
static void close_gate(struct gate *gate)
{
	memset(gate, 0, sizeof *gate);
	brink_task_init(&gate->task, on_gate);
	CHECK_OK(brink_executor_post(executor, &gate->task));
	while (!atomic_load(&gate->reached))
		sleep_ms(1);
}

static void open_gate(struct gate *gate)
{
	atomic_store(&gate->open, true);
}

/* ---- each once, in order ---- */

#define POSTERS 4u
#define JOBS 2000u

static void *post_all(void *arg)
{
	struct job *jobs = arg;

	for (unsigned i = 0; i < JOBS; i++) {
		while (brink_executor_post(executor, &jobs[i].task) == -EAGAIN)
			CHECK_OK(brink_executor_wait(executor, 1, -1));
	}
	return NULL;
}

/* Posted by several threads through a small queue to several threads. */
static void every_task_once(enum kind kind)
{
	struct job *jobs = new_jobs(POSTERS * JOBS);
	pthread_t threads[POSTERS];

	(void)kind;
	start(3, 7);
	for (unsigned i = 0; i < POSTERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, post_all, jobs + i * JOBS), 0);
	for (unsigned i = 0; i < POSTERS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_OK(brink_executor_destroy(executor));
	for (unsigned i = 0; i < POSTERS * JOBS; i++)
		CHECK_EQ(jobs[i].calls, 1);
	free(jobs);
}

/* One thread begins them as they were posted, also across batches. */
static void in_order(enum kind kind)
{
	struct job *jobs = new_jobs(100);

	(void)kind;
	start(1, 100);
	for (unsigned i = 0; i < 40; i++)
		CHECK_OK(brink_executor_post(executor, &jobs[i].task));
	CHECK_OK(brink_executor_post_list(executor, link_jobs(jobs + 40, 50), 50));
	for (unsigned i = 90; i < 100; i++)
		CHECK_OK(brink_executor_post(executor, &jobs[i].task));
	CHECK_OK(brink_executor_destroy(executor));
	for (unsigned i = 0; i < 100; i++)
		CHECK_EQ(jobs[i].order, i);
	free(jobs);
}

/* Of all threads: as many tasks are in their calls at a time. */
static void all_threads_work(enum kind kind)
{
	struct gate gates[5];

	(void)kind;
	start(5, 5);
	for (unsigned i = 0; i < 5; i++)
		close_gate(&gates[i]);
	for (unsigned i = 0; i < 5; i++)
		open_gate(&gates[i]);
	CHECK_OK(brink_executor_destroy(executor));
}

/* A batch that comes when all threads sleep is shared between them. */
static void batch_wakes_all(enum kind kind)
{
	struct gate gates[4];

	(void)kind;
	start(4, 4);
	for (unsigned round = 0; round < 20; round++) {
		sleep_ms(5);
		memset(gates, 0, sizeof gates);
		for (unsigned i = 0; i < 4; i++) {
			brink_task_init(&gates[i].task, on_gate);
			gates[i].task.next = i + 1 < 4 ? &gates[i + 1].task : NULL;
		}
		CHECK_OK(brink_executor_post_list(executor, &gates[0].task, 4));
		for (unsigned i = 0; i < 4; i++)
			while (!atomic_load(&gates[i].reached))
				sleep_ms(1);
		for (unsigned i = 0; i < 4; i++)
			open_gate(&gates[i]);
		for (unsigned i = 0; i < 4; i++)
			while (!atomic_load(&gates[i].left))
				sleep_ms(1);
	}
	CHECK_OK(brink_executor_destroy(executor));
}

/* ---- how many ---- */

#define CAPACITY 10u

/* What runs does not count; what waits does, to the last place. */
static void capacity_is_exact(enum kind kind)
{
	struct job *jobs = new_jobs(CAPACITY + 1);
	struct gate gates[2];

	(void)kind;
	start(2, CAPACITY);
	close_gate(&gates[0]);
	close_gate(&gates[1]);
	for (unsigned i = 0; i < CAPACITY; i++) {
		CHECK_EQ(brink_executor_queued(executor), i);
		CHECK_OK(brink_executor_post(executor, &jobs[i].task));
	}
	CHECK_EQ(brink_executor_queued(executor), CAPACITY);
	CHECK_ERROR(brink_executor_post(executor, &jobs[CAPACITY].task), -EAGAIN);
	CHECK_EQ(calls, 0);
	open_gate(&gates[0]);
	open_gate(&gates[1]);
	while (brink_executor_queued(executor) != 0)
		sleep_ms(1);
	CHECK_OK(brink_executor_post(executor, &jobs[CAPACITY].task));
	CHECK_OK(brink_executor_destroy(executor));
	for (unsigned i = 0; i <= CAPACITY; i++)
		CHECK_EQ(jobs[i].calls, 1);
	free(jobs);
}

static void all_or_nothing(enum kind kind)
{
	struct job *jobs = new_jobs(2 * CAPACITY);
	struct gate gate;

	(void)kind;
	start(1, CAPACITY);
	close_gate(&gate);
	CHECK_OK(brink_executor_post_list(executor, NULL, 0));
	CHECK_ERROR(brink_executor_post_list(executor, link_jobs(jobs, CAPACITY + 1), CAPACITY + 1), -EINVAL);
	CHECK_ERROR(brink_executor_post_list(executor, link_jobs(jobs, 3), 2), -EINVAL);
	CHECK_ERROR(brink_executor_post_list(executor, link_jobs(jobs, 3), 4), -EINVAL);
	CHECK_ERROR(brink_executor_post_list(executor, link_jobs(jobs, 3), 0), -EINVAL);
	CHECK_EQ(brink_executor_queued(executor), 0);
	CHECK_OK(brink_executor_post_list(executor, link_jobs(jobs, 7), 7));
	CHECK_ERROR(brink_executor_post_list(executor, link_jobs(jobs + 7, 4), 4), -EAGAIN);
	CHECK_EQ(brink_executor_queued(executor), 7);
	CHECK_OK(brink_executor_post_list(executor, link_jobs(jobs + 7, 3), 3));
	CHECK_EQ(brink_executor_queued(executor), CAPACITY);
	CHECK_ERROR(brink_executor_post(executor, &jobs[CAPACITY].task), -EAGAIN);
	open_gate(&gate);
	CHECK_OK(brink_executor_destroy(executor));
	for (unsigned i = 0; i < 2 * CAPACITY; i++)
		CHECK_EQ(jobs[i].calls, i < CAPACITY);
	for (unsigned i = 0; i < CAPACITY; i++)
		CHECK_EQ(jobs[i].order, i);
	free(jobs);
}

/* ---- from inside ---- */

static void on_own_memory(brink_task *task)
{
	free(brink_container_of(task, struct job, task));
	calls++;
}

static void on_again(brink_task *task)
{
	if (++calls < 1000)
		CHECK_OK(brink_executor_post(executor, task));
}

static atomic_bool may_end;

static void on_bad_calls(brink_task *task)
{
	(void)task;
	CHECK_ERROR(brink_executor_destroy(executor), -EBUSY);
	CHECK_ERROR(brink_executor_wait(executor, 1, -1), -EDEADLK);
	atomic_store(&may_end, true);
}

static void memory_is_the_callers(enum kind kind)
{
	brink_task task, bad;

	(void)kind;
	start(2, 0);
	for (unsigned i = 0; i < 100; i++) {
		struct job *job = new_jobs(1);

		brink_task_init(&job->task, on_own_memory);
		CHECK_OK(brink_executor_post(executor, &job->task));
	}
	while (calls < 100)
		sleep_ms(1);
	calls = 0;
	brink_task_init(&task, on_again);
	CHECK_OK(brink_executor_post(executor, &task));
	brink_task_init(&bad, on_bad_calls);
	CHECK_OK(brink_executor_post(executor, &bad));
	while (!atomic_load(&may_end))
		sleep_ms(1);
	CHECK_OK(brink_executor_destroy(executor));
	CHECK_EQ(calls, 1000); /* those that it posted while it ended, too */
}

/* ---- at the end ---- */

struct starter {
	brink_task task;
	struct job *jobs;
	atomic_bool *go;
};

/* Posts while the executor ends, and waits for what it posted: another thread is there. */
static void on_starter(brink_task *task)
{
	struct starter *starter = brink_container_of(task, struct starter, task);

	while (!atomic_load(starter->go))
		sleep_ms(1);
	sleep_ms(20);
	CHECK_OK(brink_executor_post_list(executor, link_jobs(starter->jobs, 5), 5));
	for (unsigned i = 0; i < 5; i++)
		while (starter->jobs[i].calls == 0)
			sleep_ms(1);
}

static void rest_is_run(enum kind kind)
{
	struct job *jobs = new_jobs(100 + 5);
	atomic_bool go;
	struct starter starter = {.jobs = jobs + 100, .go = &go};

	(void)kind;
	atomic_init(&go, false);
	start(2, 0);
	brink_task_init(&starter.task, on_starter);
	CHECK_OK(brink_executor_post(executor, &starter.task));
	for (unsigned i = 0; i < 100; i++)
		CHECK_OK(brink_executor_post(executor, &jobs[i].task));
	atomic_store(&go, true);
	CHECK_OK(brink_executor_destroy(executor));
	for (unsigned i = 0; i < 105; i++)
		CHECK_EQ(jobs[i].calls, 1);
	free(jobs);
	CHECK_OK(brink_executor_destroy(NULL));
}

/* ---- all threads or none ---- */

static void check_works(void)
{
	struct job *jobs = new_jobs(10);

	start(3, 10);
	CHECK_OK(brink_executor_post_list(executor, link_jobs(jobs, 10), 10));
	CHECK_OK(brink_executor_destroy(executor));
	for (unsigned i = 0; i < 10; i++)
		CHECK_EQ(jobs[i].calls, 1);
	free(jobs);
}

static void without_memory(enum kind kind)
{
	unsigned k = 0;
	int result;

	(void)kind;
	scarce_memory();
	for (;;) {
		fail_allocation(++k);
		result = brink_executor_create(&executor, NULL);
		if (!allocation_failed())
			break;
		CHECK_ERROR(result, -ENOMEM);
		CHECK(executor == NULL && blocks_live() == 0 && k < AT_MOST);
	}
	CHECK_OK(result);
	CHECK(k > 1);
	CHECK_OK(brink_executor_destroy(executor));
	CHECK_EQ(blocks_live(), 0);
	check_works();
}

static void without_threads(enum kind kind)
{
	unsigned more;
	int result = -EAGAIN;

	(void)kind;
	for (more = 0; result < 0; more++) {
		CHECK(more < AT_MOST);
		if (!limit_threads(more))
			SKIP("this system does not limit the threads of a user, or not of this one");
		result = brink_executor_create(&executor, &(struct brink_executor_options){.threads = 4});
		if (result < 0) {
			CHECK_ERROR(result, -EAGAIN);
			CHECK(executor == NULL);
		}
	}
	CHECK(more > 4);
	CHECK_OK(brink_executor_destroy(executor));
	check_works();
}

static void bad_options(enum kind kind)
{
	struct brink_executor_options options = {.reserved = {[3] = &options}};

	(void)kind;
	CHECK_ERROR(brink_executor_create(&executor, &options), -EINVAL);
	CHECK(executor == NULL);
	check_works();
}

static const struct scenario scenarios[] = {
	SCENARIO("executor-tasks/every-task-once", every_task_once, 0),
	SCENARIO("executor-tasks/in-order", in_order, 0),
	SCENARIO("executor-tasks/all-threads-work", all_threads_work, 0),
	SCENARIO("executor-tasks/batch-wakes-all", batch_wakes_all, 0),
	SCENARIO("executor-tasks/capacity-is-exact", capacity_is_exact, 0),
	SCENARIO("executor-tasks/all-or-nothing", all_or_nothing, 0),
	SCENARIO("executor-tasks/memory-is-the-callers", memory_is_the_callers, 0),
	SCENARIO("executor-tasks/rest-is-run", rest_is_run, 0),
	SCENARIO("executor-tasks/without-memory", without_memory, 0),
	SCENARIO("executor-tasks/without-threads", without_threads, 0),
	SCENARIO("executor-tasks/bad-options", bad_options, 0),
	NO_MORE_SCENARIOS,
};
const struct group executor_tasks_group = {"executor-tasks", scenarios};
