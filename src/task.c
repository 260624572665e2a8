/* Tasks: calls that any thread hands to the loop.
 *
 * A stack that posters push to and the loop takes whole, by one exchange, and turns
 * round. A queue made by exchanging its tail and linking afterwards would spare posters
 * the retry of the push, but a poster that is preempted between its two steps leaves a
 * hole, at which the loop can neither go on nor sleep; the stack has no such state. */
#include "config.h"

#include "loop.h"

#include <errno.h>

void brink_task_init(brink_task *task, brink_task_fn *call)
{
	task->call = call;
	task->next = NULL;
}

/* Returns whether the stack was empty. From then on `task` may be gone. */
static bool push(brink_loop *loop, brink_task *task)
{
	brink_task *top = atomic_load_explicit(&loop->posted, memory_order_relaxed);

	do
		task->next = top;
	while (!atomic_compare_exchange_weak_explicit(&loop->posted, &top, task, memory_order_seq_cst,
	                                              memory_order_relaxed));
	return top == NULL;
}

void brink_task_post(brink_loop *loop, brink_task *task)
{
	/* Whoever found the stack empty wakes the loop: for the others somebody has, or is
	 * about to, or the loop is awake. */
	if (push(loop, task))
		brink__wakeup(loop);
}

void brink__task_post_visiting(brink_loop *loop, brink_task *task)
{
	atomic_fetch_add(&loop->visitors, 1);
	brink_task_post(loop, task);
	atomic_fetch_sub(&loop->visitors, 1);
}

void brink__task_post_here(brink_loop *loop, brink_task *task)
{
	push(loop, task);
}

/* Moves what is posted to the end of `taken`, the earliest first. */
static void take(brink_loop *loop)
{
	brink_task *task = atomic_exchange(&loop->posted, NULL), *turned = NULL, *next;
	brink_task **end = &loop->taken;

	for (; task != NULL; task = next) {
		next = task->next;
		task->next = turned;
		turned = task;
	}
	while (*end != NULL)
		end = &(*end)->next;
	*end = turned;
}

unsigned brink__tasks_run(brink_loop *loop)
{
	unsigned calls = 0;
	brink_task *task;

	/* Only these: what they post belongs to the next turn, also if one of them cancels
	 * another, which takes what is posted. They are taken off one by one so that a call
	 * may cancel a later one. */
	take(loop);
	loop->called = loop->taken;
	loop->taken = NULL;
	while ((task = loop->called) != NULL) {
		loop->called = task->next;
		brink__trace(loop, BRINK_TRACE_TASK, -1, 0, task, 0);
		task->call(task);
		calls++;
	}
	return calls;
}

static bool take_out(brink_task **list, brink_task *task)
{
	for (brink_task **place = list; *place != NULL; place = &(*place)->next) {
		if (*place == task) {
			*place = task->next;
			return true;
		}
	}
	return false;
}

int brink_task_cancel(brink_loop *loop, brink_task *task)
{
	take(loop);
	return take_out(&loop->called, task) || take_out(&loop->taken, task) ? 0 : -ENOENT;
}

/* What was posted for something that lives on in the child, which would never hear of it otherwise. */
static bool goes_on(const brink_task *task)
{
	static brink_task_fn *const calls[] = {
		brink__watch_posted, brink__socket_posted, brink__listener_room, brink__channel_finish,
		brink__server_emptied, brink__gate_on_news, brink__gate_on_resume, brink__seat_on_settle,
		brink__http_client_begin,
	};

	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		if (task->call == calls[i])
			return true;
	return false;
}

static void drop_others(brink_task **place)
{
	while (*place != NULL) {
		if (goes_on(*place))
			place = &(*place)->next;
		else
			*place = (*place)->next;
	}
}

void brink__tasks_after_fork(brink_loop *loop)
{
	take(loop);
	drop_others(&loop->called);
	drop_others(&loop->taken);
}
