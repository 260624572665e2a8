/* Reading and writing, but for what os.h does on the spot. Writes raise no SIGPIPE. */
#include "config.h"

#include "os.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- reading ---- */

ssize_t brink__os_read_file(int fd, void *bytes, size_t size)
{
	ssize_t moved;

	do
		moved = read(fd, bytes, size);
	while (moved < 0 && errno == EINTR);
	return moved < 0 ? -errno : moved;
}

ssize_t brink__os_read_parts(int fd, const struct iovec *parts, int count)
{
	ssize_t moved;

	do
		moved = readv(fd, parts, count);
	while (moved < 0 && errno == EINTR);
	return moved < 0 ? -errno : moved;
}

/* ---- writing without SIGPIPE ---- */

/* Takes a pending SIGPIPE of this thread back. */
#if defined(__APPLE__) || defined(__OpenBSD__)

static void take_sigpipe(const sigset_t *set)
{
	int taken;

	sigwait(set, &taken);
}

#else

static void take_sigpipe(const sigset_t *set)
{
	static const struct timespec at_once = {0, 0};

	while (sigtimedwait(set, NULL, &at_once) < 0 && errno == EINTR)
		;
}

#endif

static bool is_sigpipe_pending(void)
{
	sigset_t pending;

	sigemptyset(&pending);
	sigpending(&pending);
	return sigismember(&pending, SIGPIPE) == 1;
}

static void set_to_sigpipe(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGPIPE);
}

void brink__os_hold_sigpipe(struct brink__sigpipe *held)
{
	sigset_t set;

	set_to_sigpipe(&set);
	held->was_pending = is_sigpipe_pending();
	pthread_sigmask(SIG_BLOCK, &set, &held->before);
}

void brink__os_release_sigpipe(struct brink__sigpipe *held)
{
	sigset_t set;

	set_to_sigpipe(&set);
	if (!held->was_pending && is_sigpipe_pending())
		take_sigpipe(&set);
	pthread_sigmask(SIG_SETMASK, &held->before, NULL);
}

/* A pipe has no flag against SIGPIPE. */
static ssize_t write_pipe(int fd, const struct iovec *parts, int count)
{
	struct brink__sigpipe held;
	ssize_t moved;

	brink__os_hold_sigpipe(&held);
	do
		moved = writev(fd, parts, count);
	while (moved < 0 && errno == EINTR);
	moved = moved < 0 ? -errno : moved;
	brink__os_release_sigpipe(&held);
	return moved;
}

static bool is_pipe(enum brink__kind kind)
{
	return kind == BRINK__KIND_PIPE || kind == BRINK__KIND_PIPE_OUT;
}

ssize_t brink__os_write_file(int fd, enum brink__kind kind, const void *bytes, size_t size)
{
	ssize_t moved;

	if (is_pipe(kind))
		return write_pipe(fd, &(struct iovec){(void *)(uintptr_t)bytes, size}, 1);
	do
		moved = write(fd, bytes, size);
	while (moved < 0 && errno == EINTR);
	return moved < 0 ? -errno : moved;
}

static ssize_t send_parts(int fd, const struct iovec *parts, int count)
{
	struct msghdr message;

	memset(&message, 0, sizeof message);
	message.msg_iov = (struct iovec *)(uintptr_t)parts;
	message.msg_iovlen = (__typeof__(message.msg_iovlen))count; /* int on BSD */
	return sendmsg(fd, &message, BRINK__MSG_NOSIGNAL);
}

ssize_t brink__os_write_parts(int fd, enum brink__kind kind, const struct iovec *parts, int count)
{
	ssize_t moved;

	if (count < 0)
		return -EINVAL;
	if (is_pipe(kind))
		return write_pipe(fd, parts, count);
	do
		moved = kind > BRINK__KIND_DATAGRAM ? writev(fd, parts, count) : send_parts(fd, parts, count);
	while (moved < 0 && errno == EINTR);
	return moved < 0 ? -errno : moved;
}

ssize_t brink__os_writev_any(int fd, const struct iovec *parts, int count)
{
	struct brink__file file = {.kind = BRINK__KIND_OTHER};
	ssize_t moved = -ENOTSOCK;

	if (BRINK__MSG_NOSIGNAL != 0)
		moved = brink__os_writev(fd, BRINK__KIND_STREAM, parts, count);
	if (moved != -ENOTSOCK)
		return moved;
	/* -EPERM is for files that cannot be watched: they can be written to. */
	return brink__os_identify(fd, &file) == -EBADF ? -EBADF : brink__os_writev(fd, file.kind, parts, count);
}

bool brink__os_is_quiet(int fd)
{
	struct pollfd entry = {.fd = fd, .events = POLLIN};

	return poll(&entry, 1, 0) == 0;
}
