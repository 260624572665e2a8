/* Reading, writing and accepting on a watch: the system call, and the ticket handed
 * back when it ends in EAGAIN. */
#include "config.h"

#include "loop.h"
#include "os.h"
#include "ticket.h"

#include <errno.h>

/* Debug builds remember whether the last call of a direction ended in EAGAIN, so that a
 * rearm without one can be told to the programmer. */
#ifdef BRINK_DEBUG

static void note(brink_watch *watch, unsigned direction, bool unfinished)
{
	if (unfinished)
		__atomic_or_fetch(&watch->unfinished, (unsigned char)direction, __ATOMIC_RELAXED);
	else
		__atomic_and_fetch(&watch->unfinished, (unsigned char)~direction, __ATOMIC_RELAXED);
}

#else

static void note(brink_watch *watch, unsigned direction, bool unfinished)
{
	(void)watch;
	(void)direction;
	(void)unfinished;
}

#endif

static enum brink__kind kind_of(const brink_watch *watch)
{
	return (enum brink__kind)watch->slot->kind;
}

/* After -EAGAIN. Where the ticket cannot be handed back, nothing would ever call again:
 * then that is the error to know. */
static int hand_back(brink_watch *watch, unsigned direction)
{
	int result;

	note(watch, direction, false);
	result = watch->mode & BRINK_LEVEL ? 0 : brink__watch_hand_back(watch, direction, false);
	return result < 0 ? result : -EAGAIN;
}

/* Before the call: an edge that is remembered from earlier is about to be used up. From
 * another thread nothing is touched; the rearm that it posts has the kernel look. */
static inline int begin(brink_watch *watch, unsigned direction)
{
	if (brink__unlikely(watch->slot == NULL))
		return -ENOENT;
	if (brink__loop_on_thread(watch->loop))
		watch->slot->remembered &= (uint8_t)~direction;
	return 0;
}

/* ---- reading ---- */

static inline int begin_read(brink_watch *watch)
{
	struct brink__slot *slot = watch->slot;

	if (brink__unlikely(slot == NULL))
		return -ENOENT;
	if (brink__unlikely(!brink__loop_on_thread(watch->loop)))
		return 0;
	slot->remembered &= (uint8_t)~BRINK_READ;
	if ((slot->state & BRINK__SPENT) == 0)
		return 0;
	slot->state &= (uint8_t)~BRINK__SPENT;
	return -EAGAIN;
}

bool brink__watch_drained(brink_watch *watch)
{
	return begin_read(watch) == -EAGAIN;
}

/* A read came out shorter than asked for: on the loop's thread, and where that means
 * that nothing is left, the ticket goes back now and the next read need not ask. */
static inline void end_short_read(brink_watch *watch)
{
	struct brink__slot *slot = watch->slot;

	if (!brink__loop_on_thread(watch->loop) || (slot->state & BRINK__DRAINS) == 0)
		return;
	if (brink__likely(brink__ticket_reopen(slot, watch)))
		note(watch, BRINK_READ, false);
	else if (hand_back(watch, BRINK_READ) != -EAGAIN || (slot->open & BRINK_READ) == 0)
		return; /* an event is still to be delivered, and nothing was handed back */
	slot->state |= BRINK__SPENT;
}

static inline ssize_t end_read(brink_watch *watch, ssize_t moved, size_t asked)
{
	if (brink__unlikely(moved <= 0))
		return moved == -EAGAIN ? hand_back(watch, BRINK_READ) : moved;
	note(watch, BRINK_READ, true);
	if ((size_t)moved < asked)
		end_short_read(watch);
	return moved;
}

/* Apart from its caller, which so has nothing to save where the answer is known. */
static __attribute__((noinline)) ssize_t read_one(brink_watch *watch, void *bytes, size_t size)
{
	return end_read(watch, brink__os_read(watch->fd, kind_of(watch), bytes, size), size);
}

ssize_t brink_watch_read(brink_watch *watch, void *bytes, size_t size)
{
	ssize_t known = begin_read(watch);

	return known < 0 ? known : read_one(watch, bytes, size);
}

static size_t total(const struct iovec *parts, int count)
{
	size_t sum = 0;

	for (int i = 0; i < count; i++)
		sum += parts[i].iov_len;
	return sum;
}

ssize_t brink__watch_readv_on(brink_watch *watch, const struct iovec *parts, int count)
{
	return end_read(watch, brink__os_readv(watch->fd, kind_of(watch), parts, count), total(parts, count));
}

ssize_t brink_watch_readv(brink_watch *watch, const struct iovec *parts, int count)
{
	ssize_t known = begin_read(watch);

	return known < 0 ? known : brink__watch_readv_on(watch, parts, count);
}

/* ---- writing ---- */

static ssize_t fail_write(brink_watch *watch, ssize_t moved)
{
	int held;

	if (moved == -EAGAIN)
		return hand_back(watch, BRINK_WRITE);
	if (moved != -EPIPE)
		return moved;
	/* BSD keeps the ECONNRESET of a connection that is gone in SO_ERROR. */
	held = brink__os_socket_error(watch->fd);
	return held < 0 ? held : moved;
}

static inline ssize_t end_write(brink_watch *watch, ssize_t moved)
{
	note(watch, BRINK_WRITE, moved >= 0);
	return brink__likely(moved >= 0) ? moved : fail_write(watch, moved);
}

ssize_t brink_watch_write(brink_watch *watch, const void *bytes, size_t size)
{
	ssize_t moved = begin(watch, BRINK_WRITE);

	if (brink__unlikely(moved < 0))
		return moved;
	return end_write(watch, brink__os_write(watch->fd, kind_of(watch), bytes, size));
}

ssize_t brink_watch_writev(brink_watch *watch, const struct iovec *parts, int count)
{
	ssize_t moved = begin(watch, BRINK_WRITE);

	if (brink__unlikely(moved < 0))
		return moved;
	return end_write(watch, brink__os_writev(watch->fd, kind_of(watch), parts, count));
}

/* ---- accepting ---- */

int brink_watch_accept(brink_watch *watch, struct sockaddr *address, socklen_t *length)
{
	socklen_t room = length != NULL ? *length : 0;
	int fd = begin(watch, BRINK_READ);

	if (brink__unlikely(fd < 0))
		return fd;
	while ((fd = brink__os_accept(watch->fd, address, length)) == -EINTR || fd == -ECONNABORTED)
		if (length != NULL)
			*length = room; /* FreeBSD has stored 0 there for a connection that died in the queue */
	note(watch, BRINK_READ, fd >= 0);
	return fd == -EAGAIN ? hand_back(watch, BRINK_READ) : fd;
}
