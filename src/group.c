/* Groups: loops on threads of their own, of which all run or none.
 *
 * The creator makes the loops and starts the threads. Each thread does a first turn that
 * waits for nothing, which is when the kernel may still refuse (io_uring's rings are enabled by
 * the thread that runs them), reports, and waits at a gate. Only when every report is good does
 * the gate open; else it is cancelled and the threads end without having called anything of the
 * user's. */
#include "config.h"

#include "group.h"

#include "memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The group that the present thread belongs to. */
static _Thread_local const brink_group *own_group;

/* ---- a thread ---- */

static bool pass_gate(brink_group *group, int result)
{
	bool open;

	pthread_mutex_lock(&group->lock);
	group->reports++;
	if (result < 0 && group->error == 0)
		group->error = result;
	pthread_cond_broadcast(&group->changed);
	while (group->gate == BRINK__GATE_CLOSED)
		pthread_cond_wait(&group->changed, &group->lock);
	open = group->gate == BRINK__GATE_OPEN;
	pthread_mutex_unlock(&group->lock);
	return open;
}

static void tell_started(brink_group *group)
{
	pthread_mutex_lock(&group->lock);
	group->started++;
	pthread_cond_broadcast(&group->changed);
	pthread_mutex_unlock(&group->lock);
}

/* A kernel that refuses to wait is asked again after a rest, so that the loop, with what is on
 * it, survives a shortage; and the log hears of each new reason. Somebody's brink_loop_stop()
 * does not end the loop: connections would be placed on it for ever. */
static void run(struct brink__member *member)
{
	static const struct timespec rest = {.tv_nsec = 10000000};
	int result, last = 0;

	while (!atomic_load(&member->group->stopping)) {
		result = brink_loop_run(member->loop);
		if (result >= 0) {
			last = 0;
			continue;
		}
		if (result != last)
			brink__log(BRINK_LOG_ERROR, "group %s: loop %u: %s", member->group->tag, member->index,
			           brink_strerror(result));
		last = result;
		nanosleep(&rest, NULL);
	}
}

static void *member_main(void *arg)
{
	struct brink__member *member = arg;
	brink_group *group = member->group;

	own_group = group;
	brink__os_thread_name(group->tag, member->index);
	if ((group->flags & BRINK_GROUP_PIN) != 0)
		member->pinned = brink__os_pin(member->index);
	if (!pass_gate(group, brink_loop_run_once(member->loop, 0)))
		return NULL;
	if (group->on_start != NULL)
		group->on_start(member->loop, member->index, group->arg);
	tell_started(group);
	run(member);
	brink__group_calls_end(member);
	if (group->on_stop != NULL)
		group->on_stop(member->loop, member->index, group->arg);
	return NULL;
}

/* ---- making ---- */

static int check_options(const struct brink_group_options *options)
{
	for (size_t i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++)
		if (options->reserved[i] != NULL)
			return -EINVAL;
	if ((options->flags & ~BRINK_GROUP_PIN) != 0 || (unsigned)options->placement > BRINK_PLACE_CALL)
		return -EINVAL;
	return (options->place != NULL) == (options->placement == BRINK_PLACE_CALL) ? 0 : -EINVAL;
}

static void take_options(brink_group *group, const struct brink_group_options *options)
{
	group->size = options->loops != 0 ? options->loops : brink__os_processors();
	group->placement = options->placement;
	group->place = options->place;
	group->arg = options->arg;
	group->flags = options->flags;
	group->on_start = options->on_start;
	group->on_stop = options->on_stop;
	group->forks = brink__forks;
}

static char *copy_text(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = brink__resize(NULL, size, 1);

	return copy != NULL ? memcpy(copy, text, size) : NULL;
}

static int init_locks(brink_group *group)
{
	int error = pthread_mutex_init(&group->lock, NULL);

	if (error != 0)
		return -error;
	error = pthread_mutex_init(&group->joining, NULL);
	if (error == 0 && (error = pthread_cond_init(&group->changed, NULL)) != 0)
		pthread_mutex_destroy(&group->joining);
	if (error != 0)
		pthread_mutex_destroy(&group->lock);
	return -error;
}

/* The parts that need no thread. On an error nothing is left. */
static int make(brink_group **made, const struct brink_group_options *options)
{
	brink_group *group = brink__allocate(1, sizeof *group);
	int result = group != NULL ? init_locks(group) : -ENOMEM;

	if (result < 0) {
		brink__free(group);
		return result;
	}
	take_options(group, options);
	group->tag = copy_text(options->tag != NULL ? options->tag : "loop");
	group->members = brink__allocate(group->size, sizeof *group->members);
	group->pipes = brink__allocate(group->size, sizeof *group->pipes);
	if (group->tag == NULL || group->members == NULL || group->pipes == NULL) {
		group->size = 0;
		result = -ENOMEM;
	}
	for (unsigned i = 0; i < group->size && result == 0; i++) {
		group->members[i].group = group;
		group->members[i].index = i;
		brink__list_init(&group->members[i].calls);
		result = brink_loop_create(&group->members[i].loop, &options->loop);
		if (result == 0)
			brink_loop_ref(group->members[i].loop);
		else
			group->size = i;
	}
	if (result < 0)
		brink__group_discard(group);
	else
		*made = group;
	return result;
}

static void describe(brink_group *group)
{
	static const char *const placements[] = {"by hash", "in turn", "by connections", "by a call"};
	const char *pins = (group->flags & BRINK_GROUP_PIN) != 0 ? ", pinned" : "";
	const char *why = "";

	for (unsigned i = 0; i < group->size; i++) {
		if (group->members[i].pinned < 0) {
			pins = ", not pinned: ";
			why = brink_strerror(group->members[i].pinned);
		}
	}
	snprintf(group->description, sizeof group->description, "%u loop%s on %s, placed %s%s%s", group->size,
	         group->size == 1 ? "" : "s", brink_loop_description(group->members[0].loop),
	         placements[group->placement], pins, why);
	brink__log(*why != '\0' ? BRINK_LOG_WARNING : BRINK_LOG_INFO, "group %s: %s", group->tag,
	           group->description);
}

static int start_threads(brink_group *group)
{
	int result = 0;

	while (group->threads < group->size && result == 0) {
		struct brink__member *member = &group->members[group->threads];

		result = brink__os_thread_start(&member->thread, member_main, member);
		if (result == 0)
			group->threads++;
	}
	return result;
}

static void join_threads(brink_group *group)
{
	pthread_mutex_lock(&group->joining);
	for (; group->threads > 0; group->threads--)
		pthread_join(group->members[group->threads - 1].thread, NULL);
	pthread_mutex_unlock(&group->joining);
}

static void move_gate(brink_group *group, enum brink__group_gate to)
{
	pthread_mutex_lock(&group->lock);
	group->gate = to;
	pthread_cond_broadcast(&group->changed);
	while (to == BRINK__GATE_OPEN && group->started < group->size)
		pthread_cond_wait(&group->changed, &group->lock);
	pthread_mutex_unlock(&group->lock);
}

static int await_reports(brink_group *group)
{
	int result;

	pthread_mutex_lock(&group->lock);
	while (group->reports < group->size)
		pthread_cond_wait(&group->changed, &group->lock);
	result = group->error;
	pthread_mutex_unlock(&group->lock);
	return result;
}

int brink_group_create(brink_group **created, const struct brink_group_options *options)
{
	static const struct brink_group_options defaults;
	brink_group *group = NULL;
	int result;

	if (options == NULL)
		options = &defaults;
	*created = NULL;
	result = check_options(options);
	if (result == 0)
		result = make(&group, options);
	if (result < 0)
		return result;
	result = start_threads(group);
	if (result == 0)
		result = await_reports(group);
	if (result < 0) {
		move_gate(group, BRINK__GATE_CANCELLED);
		join_threads(group);
		brink__group_discard(group);
		return result;
	}
	describe(group);
	*created = group;
	move_gate(group, BRINK__GATE_OPEN);
	return 0;
}

/* ---- ending ---- */

void brink_group_stop(brink_group *group)
{
	/* The flag first: a thread whose loop was stopped looks at it. */
	atomic_store(&group->stopping, true);
	for (unsigned i = 0; i < group->size; i++)
		brink_loop_stop(group->members[i].loop);
}

int brink_group_join(brink_group *group)
{
	if (own_group == group)
		return -EBUSY;
	if (brink__group_is_ours(group))
		join_threads(group);
	return 0;
}

int brink_group_destroy(brink_group *group)
{
	if (group == NULL || !brink__group_is_ours(group))
		return 0;
	if (own_group == group || group->ending)
		return -EBUSY;
	brink_group_stop(group);
	join_threads(group);
	group->ending = true;
	brink__group_discard(group);
	return 0;
}

/* ---- what it tells ---- */

unsigned brink_group_size(const brink_group *group)
{
	return group->size;
}

brink_loop *brink_group_loop(const brink_group *group, unsigned index)
{
	return index < group->size ? group->members[index].loop : NULL;
}

const char *brink_group_tag(const brink_group *group)
{
	return group->tag;
}

const char *brink_group_description(const brink_group *group)
{
	return group->description;
}
