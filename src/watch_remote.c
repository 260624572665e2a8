/* What other threads ask of a watch. The request is a bit in watch->posted, and the
 * watch's own task carries it to the loop, so nothing is allocated. */
#include "config.h"

#include "loop.h"
#include "ticket.h"

#include <errno.h>

/* Bits of watch->posted, beside the directions to rearm. While any but BUSY is set, the
 * watch's task is posted. */
#define AGAIN(directions) ((directions) << 3)
#define START 64u
#define STOP 128u
#define BUSY 2u /* a start or stop from another thread is under way */

#define TICKETS (BRINK__DIRECTIONS | AGAIN(BRINK__DIRECTIONS))

static int ask(brink_watch *watch, unsigned what)
{
	if ((__atomic_fetch_or(&watch->posted, (unsigned char)what, __ATOMIC_ACQ_REL) & ~BUSY) == 0)
		brink_task_post(watch->loop, &watch->task);
	return 0;
}

int brink__watch_hand_back(brink_watch *watch, unsigned directions, bool look)
{
	return brink__loop_on_thread(watch->loop) ? brink__watch_rearm_here(watch, directions, look)
	                                          : ask(watch, directions);
}

int brink__watch_make_up(brink_watch *watch, unsigned directions)
{
	return brink__loop_on_thread(watch->loop) ? brink__watch_again_here(watch, directions)
	                                          : ask(watch, AGAIN(directions));
}

/* Takes tickets back that other threads have posted; none of them is in a call. A start or
 * stop that is under way stays: its completion is still to be called. */
void brink__watch_withdraw(brink_watch *watch)
{
	unsigned had;

	if (brink__likely(__atomic_load_n(&watch->posted, __ATOMIC_ACQUIRE) == 0))
		return;
	had = __atomic_fetch_and(&watch->posted, (unsigned char)~TICKETS, __ATOMIC_ACQ_REL);
	if ((had & TICKETS) != 0 && (had & (START | STOP)) == 0)
		brink_task_cancel(watch->loop, &watch->task);
}

static void finish(brink_watch *watch, int result)
{
	brink_watch_done_fn *done = watch->done;

	__atomic_and_fetch(&watch->posted, (unsigned char)~BUSY, __ATOMIC_RELEASE);
	if (done != NULL)
		done(watch, result);
}

/* Who asked for the rearm hears nothing of what became of it, and nothing else would ever call
 * the watch: so it is told with an event. */
static void tell_failure(brink_watch *watch, unsigned directions, int error)
{
	brink__log(BRINK_LOG_ERROR, "descriptor %d: a rearm from another thread failed: %s", watch->fd,
	           brink_strerror(error));
	/* Not where the directions are another watch's by now. */
	if (directions != 0 && brink__watch_again_here(watch, directions) == 0)
		watch->slot->state |= BRINK__UNARMED;
}

void brink__watch_posted(brink_task *task)
{
	brink_watch *watch = brink_container_of(task, brink_watch, task);
	unsigned asked = __atomic_fetch_and(&watch->posted, BUSY, __ATOMIC_ACQ_REL);
	int result = 0;

	if ((asked & (START | STOP)) == 0 || watch->done == NULL)
		watch->loop->internal_calls++; /* nobody of the program's is called */
	/* The loop may have seen an edge of a direction while its reader was busy
	 * elsewhere, and could not tell whether before or after its EAGAIN: look again. */
	if ((asked & BRINK__DIRECTIONS) && watch->slot != NULL)
		result = brink__watch_rearm_here(watch, asked & BRINK__DIRECTIONS, true);
	if (result < 0)
		tell_failure(watch, asked & BRINK__DIRECTIONS, result);
	if ((asked & AGAIN(BRINK__DIRECTIONS)) && watch->slot != NULL) {
		result = brink__watch_again_here(watch, asked >> 3 & BRINK__DIRECTIONS);
		if (result < 0)
			tell_failure(watch, 0, result);
	}
	if (asked & START)
		finish(watch, brink_watch_start(watch->loop, watch, watch->fd, watch->interest));
	else if (asked & STOP)
		finish(watch, brink_watch_stop(watch));
}

static bool claim_busy(brink_watch *watch)
{
	return (__atomic_fetch_or(&watch->posted, BUSY, __ATOMIC_ACQ_REL) & BUSY) == 0;
}

int brink_watch_start_async(brink_loop *loop, brink_watch *watch, int fd, unsigned interest,
                            brink_watch_done_fn *done)
{
	int result = brink__watch_check_interest(watch, interest);

	if (result < 0)
		return result;
	if (!claim_busy(watch))
		return -EBUSY;
	if (watch->slot != NULL) {
		__atomic_and_fetch(&watch->posted, (unsigned char)~BUSY, __ATOMIC_RELEASE);
		return -EEXIST;
	}
	watch->loop = loop;
	watch->fd = fd;
	watch->interest = (unsigned char)interest;
	watch->done = done;
	watch->task.call = brink__watch_posted;
	return ask(watch, START);
}

int brink_watch_stop_async(brink_watch *watch, brink_watch_done_fn *done)
{
	if (watch->loop == NULL)
		return -ENOENT;
	if (!claim_busy(watch))
		return -EBUSY;
	watch->done = done;
	return ask(watch, STOP);
}
