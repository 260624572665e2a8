/* A call on the thread of a loop. What was not called when the loop has ended would be when the group is destroyed,
 * and the caller may be who is to do that, or whom the thread's on_stop waits for. So the thread takes it back, and
 * says so, before it calls on_stop. */
#include "config.h"

#include "group.h"

#include <errno.h>

struct call {
	brink_task task;
	struct brink_list node; /* of the member's calls, until it is answered */
	brink_group *group;
	brink__group_call_fn *fn;
	void *arg;
	int result;
};

/* Under the group's lock. */
static void answer(struct call *call, int result)
{
	call->result = result;
	brink__list_remove(&call->node);
	pthread_cond_broadcast(&call->group->changed);
}

static void on_call(brink_task *task)
{
	struct call *call = brink_container_of(task, struct call, task);
	brink_group *group = call->group;
	int result = call->fn(call->arg);

	pthread_mutex_lock(&group->lock);
	answer(call, result);
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
	pthread_mutex_lock(&group->lock);
	if (!member->over) {
		brink__list_append(&member->calls, &call.node);
		brink_task_post(member->loop, &call.task);
	}
	while (call.node.next != NULL)
		pthread_cond_wait(&group->changed, &group->lock);
	pthread_mutex_unlock(&group->lock);
	return call.result;
}

void brink__group_calls_end(struct brink__member *member)
{
	pthread_mutex_lock(&member->group->lock);
	member->over = true;
	while (!brink__list_empty(&member->calls)) {
		struct call *call = brink_container_of(member->calls.next, struct call, node);

		brink_task_cancel(member->loop, &call->task);
		answer(call, -ECANCELED);
	}
	pthread_mutex_unlock(&member->group->lock);
}
