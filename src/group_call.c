/* A call on the thread of a loop. The wait for it ends with the thread, too: what is posted to a loop whose
 * thread has ended is called when the group is destroyed, and its caller may be who is to do that. */
#include "config.h"

#include "group.h"

#include <errno.h>

struct call {
	brink_task task;
	brink_group *group;
	brink__group_call_fn *fn;
	void *arg;
	bool done;
	int result;
};

static void on_call(brink_task *task)
{
	struct call *call = brink_container_of(task, struct call, task);
	brink_group *group = call->group;
	int result = call->fn(call->arg);

	pthread_mutex_lock(&group->lock);
	call->result = result;
	call->done = true;
	pthread_cond_broadcast(&group->changed);
	pthread_mutex_unlock(&group->lock);
}

int brink__group_call(brink_group *group, unsigned index, brink__group_call_fn *fn, void *arg)
{
	struct call call = {.group = group, .fn = fn, .arg = arg, .result = -ECANCELED};
	struct brink__member *member = &group->members[index];

	if (brink__loop_on_thread(member->loop))
		return -EBUSY;
	if (!brink__group_is_ours(group) || atomic_load(&group->stopping))
		return -ECANCELED;
	brink_task_init(&call.task, on_call);
	brink_task_post(member->loop, &call.task);
	pthread_mutex_lock(&group->lock);
	while (!call.done && !member->over)
		pthread_cond_wait(&group->changed, &group->lock);
	/* The lock is for others who do the same: nobody else has the loop any more. */
	if (!call.done)
		brink_task_cancel(member->loop, &call.task);
	pthread_mutex_unlock(&group->lock);
	return call.result;
}
