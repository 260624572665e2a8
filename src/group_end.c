/* The end of a group's loops. What one of them calls last, its tasks and what becomes of its sockets, may post
 * to another, and wait for that: so it is called while all of them exist, until nothing is left on any. */
#include "config.h"

#include "group.h"

#include "memory.h"

static bool have_sockets(const brink_group *group)
{
	for (unsigned i = 0; i < group->size; i++)
		if (group->members[i].loop->sockets != 0)
			return true;
	return false;
}

static unsigned call_tasks(brink_group *group)
{
	unsigned calls = 0;

	for (unsigned i = 0; i < group->size; i++)
		calls += brink__tasks_run(group->members[i].loop);
	return calls;
}

/* Others may still hold references to sockets: their release wakes the loops. */
static void await_wakeup(brink_group *group)
{
	for (unsigned i = 0; i < group->size; i++)
		group->pipes[i] = (struct pollfd){.fd = group->members[i].loop->wakeup_fds[0], .events = POLLIN};
	poll(group->pipes, group->size, -1);
	for (unsigned i = 0; i < group->size; i++)
		brink__wakeup_take(group->members[i].loop);
}

static void set_inside(brink_group *group, bool inside)
{
	for (unsigned i = 0; i < group->size; i++) {
		brink_loop *loop = group->members[i].loop;

		atomic_store_explicit(&loop->thread, brink__os_thread(), memory_order_relaxed);
		loop->inside = inside; /* what is called must not run the loop */
	}
}

static void end_loops(brink_group *group)
{
	set_inside(group, true);
	while (call_tasks(group) != 0)
		;
	for (unsigned i = 0; i < group->size; i++)
		brink__sockets_cancel(group->members[i].loop);
	for (;;) {
		if (call_tasks(group) != 0)
			continue;
		if (!have_sockets(group))
			break;
		await_wakeup(group);
	}
	set_inside(group, false);
}

void brink__group_discard(brink_group *group)
{
	end_loops(group);
	for (unsigned i = 0; i < group->size; i++)
		brink_loop_destroy(group->members[i].loop);
	pthread_cond_destroy(&group->changed);
	pthread_mutex_destroy(&group->joining);
	pthread_mutex_destroy(&group->lock);
	brink__free(group->pipes);
	brink__free(group->members);
	brink__free(group->tag);
	brink__free(group);
}
