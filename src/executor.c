/* Executors: a bounded queue of tasks, threads that take from it, and a line of those who wait
 * for room in it.
 *
 * No wakeup is lost in the line because of one rule: whoever stands in it does so while tasks
 * are queued. Each task that is taken, and each who gives up waiting, lets as many out as there is
 * room for, in order; the taking of the last one lets everybody out, also beyond the room, since
 * those who were told need not use what they were told of, and no later taking would tell the others. */
#include "config.h"

#include "executor.h"
#include "list.h"
#include "loop.h"
#include "memory.h"
#include "os.h"

#include <errno.h>
#include <string.h>

struct brink_executor {
	pthread_mutex_t lock; /* of all that follows, and held for a few instructions only */
	pthread_cond_t work;  /* a task, or the end */
	pthread_cond_t room;  /* a thread was let out of the line */
	brink_task *first, *last;
	size_t queued, capacity;
	struct brink_list line; /* of brink_executor_room: who waits */
	unsigned idle, busy;    /* threads that wait for work; that are in a task */
	unsigned named;         /* threads that have taken their numbers */
	bool ending;
	bool left; /* nobody waits for the threads: the last of those that are `alive` frees it */
	unsigned alive;
	unsigned forks; /* brink__forks when it was made */
	unsigned count;
	pthread_t *threads;
	char tag[16]; /* more than thread names show */
};

/* The executor that the present thread belongs to. */
static _Thread_local const brink_executor *own_executor;

/* ---- the line; all of these under the lock ---- */

static void let_out(brink_executor *executor, brink_executor_room *place)
{
	brink__list_remove(&place->link);
	/* Under the lock, so that who cancels finds it either here or with the loop. */
	if (place->loop != NULL)
		brink__task_post_visiting(place->loop, &place->task);
	else
		pthread_cond_broadcast(&executor->room);
}

static void serve_line(brink_executor *executor)
{
	size_t room = executor->capacity - executor->queued;

	while (!brink__list_empty(&executor->line)) {
		brink_executor_room *place =
			brink_container_of(executor->line.next, brink_executor_room, link);

		if (executor->queued != 0 && place->wanted > room)
			break;
		room -= place->wanted < room ? place->wanted : room;
		let_out(executor, place);
	}
}

/* Who was told nothing yet gives up: those behind may need less room than he did. */
static void step_out(brink_executor *executor, brink_executor_room *place)
{
	brink__list_remove(&place->link);
	serve_line(executor);
}

static bool must_line_up(brink_executor *executor, size_t wanted)
{
	return !brink__list_empty(&executor->line) || executor->capacity - executor->queued < wanted;
}

/* ---- a thread ---- */

static brink_task *take(brink_executor *executor)
{
	brink_task *task = executor->first;

	executor->first = task->next;
	executor->queued--;
	serve_line(executor);
	return task;
}

/* The next task, or NULL at the end: when nothing is queued and no task runs that could post. */
static brink_task *await_task(brink_executor *executor)
{
	while (executor->queued == 0) {
		if (executor->ending && executor->busy == 0)
			return NULL;
		executor->idle++;
		pthread_cond_wait(&executor->work, &executor->lock);
		executor->idle--;
	}
	return take(executor);
}

static void discard(brink_executor *executor)
{
	pthread_cond_destroy(&executor->room);
	pthread_cond_destroy(&executor->work);
	pthread_mutex_destroy(&executor->lock);
	brink__free(executor->threads);
	brink__free(executor);
}

static void *thread_main(void *arg)
{
	brink_executor *executor = arg;
	brink_task *task;
	bool last;

	own_executor = executor;
	pthread_mutex_lock(&executor->lock);
	brink__os_thread_name(executor->tag, executor->named++);
	while ((task = await_task(executor)) != NULL) {
		executor->busy++;
		pthread_mutex_unlock(&executor->lock);
		task->call(task);
		pthread_mutex_lock(&executor->lock);
		executor->busy--;
	}
	/* The others, which waited for this one's last task. */
	pthread_cond_broadcast(&executor->work);
	last = executor->left && --executor->alive == 0;
	pthread_mutex_unlock(&executor->lock);
	if (last)
		discard(executor);
	return NULL;
}

/* ---- making and ending ---- */

static int init_locks(brink_executor *executor)
{
	int result = -pthread_mutex_init(&executor->lock, NULL);

	if (result < 0)
		return result;
	result = -pthread_cond_init(&executor->work, NULL);
	if (result == 0 && (result = brink__os_condition_init(&executor->room)) < 0)
		pthread_cond_destroy(&executor->work);
	if (result < 0)
		pthread_mutex_destroy(&executor->lock);
	return result;
}

/* Waits for the threads that were started, and frees all. */
static void end(brink_executor *executor)
{
	pthread_mutex_lock(&executor->lock);
	executor->ending = true;
	pthread_cond_broadcast(&executor->work);
	pthread_mutex_unlock(&executor->lock);
	for (unsigned i = 0; i < executor->count; i++)
		pthread_join(executor->threads[i], NULL);
	discard(executor);
}

void brink__executor_leave(brink_executor *executor)
{
	pthread_mutex_lock(&executor->lock);
	executor->ending = executor->left = true;
	executor->alive = executor->count;
	for (unsigned i = 0; i < executor->count; i++)
		pthread_detach(executor->threads[i]);
	pthread_cond_broadcast(&executor->work);
	pthread_mutex_unlock(&executor->lock);
}

/* Its lock may be held by a thread that is not here. */
void brink__executor_forget(brink_executor *executor)
{
	if (executor == NULL)
		return;
	brink__free(executor->threads);
	brink__free(executor);
}

static void take_options(brink_executor *executor, const struct brink_executor_options *options)
{
	const char *tag = options->tag != NULL ? options->tag : "executor";

	executor->capacity = options->capacity != 0 ? options->capacity : 1024;
	executor->forks = brink__forks;
	brink__list_init(&executor->line);
	strncpy(executor->tag, tag, sizeof executor->tag - 1);
}

static int start_threads(brink_executor *executor, unsigned count)
{
	int result = 0;

	executor->threads = brink__allocate(count, sizeof *executor->threads);
	if (executor->threads == NULL)
		return -ENOMEM;
	while (executor->count < count && result == 0) {
		result = brink__os_thread_start(&executor->threads[executor->count], thread_main, executor);
		if (result == 0)
			executor->count++;
	}
	return result;
}

int brink_executor_create(brink_executor **created, const struct brink_executor_options *options)
{
	static const struct brink_executor_options defaults;
	brink_executor *executor;
	int result;

	if (options == NULL)
		options = &defaults;
	*created = NULL;
	for (size_t i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++)
		if (options->reserved[i] != NULL)
			return -EINVAL;
	result = brink__forks_watch();
	if (result < 0)
		return result;
	executor = brink__allocate(1, sizeof *executor);
	result = executor != NULL ? init_locks(executor) : -ENOMEM;
	if (result < 0) {
		brink__free(executor);
		return result;
	}
	take_options(executor, options);
	result = start_threads(executor, options->threads != 0 ? options->threads : brink__os_processors());
	if (result < 0)
		end(executor);
	else
		*created = executor;
	return result;
}

int brink_executor_destroy(brink_executor *executor)
{
	if (executor == NULL || executor->forks != brink__forks)
		return 0;
	if (own_executor == executor)
		return -EBUSY;
	end(executor);
	return 0;
}

/* ---- posting ---- */

/* The last of `count` linked tasks; NULL when there are fewer. */
static brink_task *last_of(brink_task *first, unsigned count)
{
	brink_task *task = first;

	while (task != NULL && --count > 0)
		task = task->next;
	return task;
}

static int append(brink_executor *executor, brink_task *first, brink_task *last, unsigned count)
{
	int result = -EAGAIN;

	last->next = NULL;
	pthread_mutex_lock(&executor->lock);
	if (executor->capacity - executor->queued >= count) {
		result = 0;
		if (executor->queued == 0)
			executor->first = first;
		else
			executor->last->next = first;
		executor->last = last;
		executor->queued += count;
		for (unsigned i = 0; i < count && i < executor->idle; i++)
			pthread_cond_signal(&executor->work);
	}
	pthread_mutex_unlock(&executor->lock);
	return result;
}

int brink_executor_post(brink_executor *executor, brink_task *task)
{
	return append(executor, task, task, 1);
}

int brink_executor_post_list(brink_executor *executor, brink_task *first, unsigned count)
{
	brink_task *last;

	if (count == 0)
		return first == NULL ? 0 : -EINVAL;
	last = last_of(first, count);
	if (count > executor->capacity || last == NULL || last->next != NULL)
		return -EINVAL;
	return append(executor, first, last, count);
}

size_t brink_executor_queued(brink_executor *executor)
{
	size_t queued;

	pthread_mutex_lock(&executor->lock);
	queued = executor->queued;
	pthread_mutex_unlock(&executor->lock);
	return queued;
}

/* ---- waiting for room ---- */

int brink_executor_wait(brink_executor *executor, size_t room, int64_t timeout)
{
	brink_executor_room place = {.wanted = room != 0 ? room : 1};
	uint64_t until = timeout < 0 ? UINT64_MAX : brink__os_now() + (uint64_t)timeout;
	int result = 0;

	if (own_executor == executor)
		return -EDEADLK;
	if (room > executor->capacity)
		return -EINVAL;
	pthread_mutex_lock(&executor->lock);
	if (must_line_up(executor, place.wanted)) {
		brink__list_append(&executor->line, &place.link);
		while (place.link.next != NULL && (until == UINT64_MAX || brink__os_now() < until))
			brink__os_condition_wait(&executor->room, &executor->lock, until);
		if (place.link.next != NULL) {
			step_out(executor, &place);
			result = -ETIMEDOUT;
		}
	}
	pthread_mutex_unlock(&executor->lock);
	return result;
}

void brink_executor_call_when_free(brink_executor *executor, brink_loop *loop, size_t room,
                                   brink_executor_room *place)
{
	place->loop = loop;
	place->wanted = room == 0 ? 1 : room < executor->capacity ? room : executor->capacity;
	place->link.next = NULL;
	pthread_mutex_lock(&executor->lock);
	if (must_line_up(executor, place->wanted))
		brink__list_append(&executor->line, &place->link);
	else
		brink_task_post(loop, &place->task);
	pthread_mutex_unlock(&executor->lock);
}

int brink_executor_cancel_wait(brink_executor *executor, brink_executor_room *place)
{
	bool in_line;

	pthread_mutex_lock(&executor->lock);
	in_line = place->link.next != NULL;
	if (in_line)
		step_out(executor, place);
	pthread_mutex_unlock(&executor->lock);
	if (in_line)
		return 0;
	return place->loop != NULL ? brink_task_cancel(place->loop, &place->task) : -ENOENT;
}
