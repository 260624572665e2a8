/* The end of child processes: a pidfd where there is one, else SIGCHLD.
 *
 * EVFILT_PROC is not used on the BSDs: it would be a third way beside these two, with an
 * operation of its own in the dispatcher, and gives nothing that SIGCHLD and waitpid()
 * on the processes of this loop do not. */
#include "config.h"

#include "loop.h"
#include "os.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* After which a child is looked at again whose pidfd is ready all the time, and tells of nothing any more. */
#define REST BRINK_MS(100)

void brink_child_init(brink_child *child, brink_child_fn *call)
{
	memset(child, 0, sizeof *child);
	child->call = call;
}

static brink_child *child_at(struct brink_list *node)
{
	return brink_container_of(node, brink_child, node);
}

static bool has_pidfd(const brink_child *child)
{
	return brink_watch_active(&child->watch);
}

/* Each child is one reason to run: by its watch, or the first by the signal. The timer, then, is none. */
static void start_timer(brink_loop *loop)
{
	brink_timer_start(loop, &loop->child_timer, REST, 0);
	loop->references--;
}

static void stop_timer(brink_loop *loop)
{
	if (brink_timer_stop(&loop->child_timer) == 0)
		loop->references++;
}

static void end(brink_child *child)
{
	brink_loop *loop = child->loop;

	brink__list_remove(&child->node);
	if (child->resting && --loop->children_resting == 0)
		stop_timer(loop);
	child->resting = false;
	if (has_pidfd(child))
		brink_watch_close(&child->watch);
	else if (--loop->child_signal_users == 0)
		brink_signal_stop(&loop->child_signal);
	else
		loop->references--;
}

/* Calls and returns true if the process has ended. */
static bool reap(brink_child *child)
{
	pid_t reaped;
	int status = 0;

	do
		reaped = waitpid(child->pid, &status, WNOHANG);
	while (reaped < 0 && errno == EINTR);
	if (reaped == 0)
		return false;
	if (reaped < 0) {
		brink__log(BRINK_LOG_ERROR, "process %ld was reaped by somebody else", (long)child->pid);
		status = -1;
	}
	end(child);
	child->status = status;
	child->call(child, status);
	return true;
}

/* ---- those that have ended, and cannot be reaped: another process traces them, and reaps them first ---- */

static void on_rest_over(brink_timer *timer)
{
	brink_loop *loop = timer->loop;
	struct brink_list pass, *node;
	unsigned reaped = 0;

	loop->references++;
	brink__list_take(&pass, &loop->children);
	while ((node = brink__list_step(&pass, &loop->children)) != NULL)
		if (child_at(node)->resting)
			reaped += reap(child_at(node));
	loop->internal_calls += 1 - reaped;
	if (loop->children_resting > 0)
		start_timer(loop);
}

static void rest(brink_child *child)
{
	brink_loop *loop = child->loop;

	child->resting = true;
	loop->internal_calls++;
	if (loop->children_resting++ > 0)
		return;
	brink_timer_init(&loop->child_timer, on_rest_over);
	start_timer(loop);
}

static void on_pidfd(brink_watch *watch, unsigned ready)
{
	brink_child *child = brink_container_of(watch, brink_child, watch);

	(void)ready;
	if (!reap(child))
		rest(child);
}

/* ---- without a pidfd ---- */

static void on_child_signal(brink_signal *signal)
{
	brink_loop *loop = signal->loop;
	struct brink_list pass, *node;
	unsigned reaped = 0;

	brink__list_take(&pass, &loop->children);
	while ((node = brink__list_step(&pass, &loop->children)) != NULL)
		if (!has_pidfd(child_at(node)))
			reaped += reap(child_at(node));
	loop->internal_calls += 1 - reaped;
}

static int start_signal(brink_loop *loop)
{
	int result = 0;

	if (loop->child_signal_users == 0) {
		brink_signal_init(&loop->child_signal, on_child_signal);
		result = brink_signal_start(loop, &loop->child_signal, SIGCHLD);
	}
	if (result < 0)
		return result;
	if (loop->child_signal_users++ > 0)
		loop->references++;
	/* It may have ended before: look at all of them in the next turn. */
	loop->child_look = true;
	atomic_store(&loop->signalled, true);
	return 0;
}

/* ---- for the program ---- */

static int start_waiting(brink_loop *loop, brink_child *child)
{
	int fd = brink__os_pidfd(child->pid), result;

	if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM)
		return fd;
	if (fd < 0)
		return start_signal(loop);
	brink_watch_init(&child->watch, on_pidfd);
	result = brink_watch_start(loop, &child->watch, fd, BRINK_READ);
	if (result < 0)
		close(fd);
	return result;
}

int brink_child_start(brink_loop *loop, brink_child *child, pid_t pid)
{
	siginfo_t info;
	int result;

	if (child->call == NULL || pid <= 0)
		return -EINVAL;
	if (child->node.next != NULL)
		return -EEXIST;
	/* Is it ours? Looks without reaping. */
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return -errno;
	child->pid = pid;
	result = start_waiting(loop, child);
	if (result < 0)
		return result;
	child->loop = loop;
	brink__list_append(&loop->children, &child->node);
	return 0;
}

int brink_child_stop(brink_child *child)
{
	if (child->node.next == NULL)
		return -ENOENT;
	end(child);
	return 0;
}

void brink__children_end(brink_loop *loop)
{
	while (!brink__list_empty(&loop->children))
		end(child_at(loop->children.next));
}
