/* The wakeup: a pipe to ourselves, the same on every system.
 *
 * The flag says that a byte is, or is about to be, in the pipe, so that at most one is
 * under way. The loop must drain the pipe first, then take the flag down, and only then
 * look at what was handed over. Were the flag taken down first, the byte of somebody
 * who raises it in between would be drained too: the flag would stay up with an empty
 * pipe, and nobody could wake the loop again. */
#include "config.h"

#include "loop.h"
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

/* Apart from who looks first, and then has nothing to save. */
static __attribute__((noinline)) void wake(brink_loop *loop)
{
	int error = errno;

	if (atomic_exchange(&loop->wakeup_pending, true))
		return;
	/* After a fork the pipe is the parent's, whose loop must not notice. */
	if (!brink__loop_is_ours(loop))
		return;
	/* A full pipe (EAGAIN) wakes as well as another byte. */
	while (write(loop->wakeup_fds[1], "", 1) < 0 && errno == EINTR)
		;
	errno = error;
}

/* The plain look first: while the flag is up, the cache line need not move. */
void brink__wakeup(brink_loop *loop)
{
	if (!atomic_load(&loop->wakeup_pending))
		wake(loop);
}

void brink_loop_wakeup(brink_loop *loop)
{
	if (!atomic_load(&loop->wakeup_asked))
		atomic_store(&loop->wakeup_asked, true);
	brink__wakeup(loop);
}

void brink__wakeup_take(brink_loop *loop)
{
	char bytes[64];

	while (read(loop->wakeup_fds[0], bytes, sizeof bytes) > 0)
		;
	atomic_exchange(&loop->wakeup_pending, false);
}

void brink__wakeup_wait(brink_loop *loop)
{
	struct pollfd entry = {.fd = loop->wakeup_fds[0], .events = POLLIN};

	poll(&entry, 1, -1);
	brink__wakeup_take(loop);
}

static void on_wakeup(brink_watch *watch, unsigned ready)
{
	brink_loop *loop = watch->loop;
	char bytes[1024];

	(void)ready;
	while (brink_watch_read(watch, bytes, sizeof bytes) == sizeof bytes)
		;
	/* Of our own pipe it is known that a short read has emptied it. */
	brink__watch_rearm_here(watch, BRINK_READ, false);
	brink__trace(loop, BRINK_TRACE_WAKEUP, watch->fd, 0, NULL, 0);
	atomic_exchange(&loop->wakeup_pending, false);
	loop->drained = true;
	loop->woken = atomic_exchange(&loop->wakeup_asked, false);
}

int brink__wakeup_open(brink_loop *loop)
{
	int result = brink__os_pipe(loop->wakeup_fds);

	if (result < 0)
		return result;
	brink_watch_init(&loop->wakeup_watch, on_wakeup);
	result = brink_watch_start(loop, &loop->wakeup_watch, loop->wakeup_fds[0], BRINK_READ);
	if (result == 0)
		loop->references--; /* it alone is no reason to run */
	return result;
}

void brink__wakeup_close(brink_loop *loop)
{
	for (int i = 0; i < 2; i++)
		if (loop->wakeup_fds[i] >= 0)
			close(loop->wakeup_fds[i]);
	loop->wakeup_fds[0] = loop->wakeup_fds[1] = -1;
}

/* Puts a pipe of the child's own at the numbers of the parent's, so that nothing else
 * has to change; the registration is renewed with all others. */
int brink__wakeup_after_fork(brink_loop *loop)
{
	int fds[2];
	int result = brink__os_pipe(fds);

	if (result < 0)
		return result;
	for (int i = 0; i < 2; i++) {
		if (dup2(fds[i], loop->wakeup_fds[i]) < 0 || fcntl(loop->wakeup_fds[i], F_SETFD, FD_CLOEXEC) < 0)
			result = -errno;
		close(fds[i]);
	}
	atomic_store(&loop->wakeup_pending, false);
	atomic_store(&loop->wakeup_asked, false);
	return result;
}
