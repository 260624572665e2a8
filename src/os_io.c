/* Reading and writing, but for what os.h does on the spot. Writes raise no SIGPIPE. */
#include "config.h"

#include "os.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Of parts that are too much together the first that is not empty; else NULL, as always where there is no limit. */
static const struct iovec *first_of_too_many(const struct iovec *parts, int count)
{
	const struct iovec *first = NULL;
	size_t left = BRINK__OS_MOST;

	for (int i = 0; left < SIZE_MAX && i < count; i++) {
		if (first == NULL && parts[i].iov_len > 0)
			first = &parts[i];
		if (parts[i].iov_len > left)
			return first;
		left -= parts[i].iov_len;
	}
	return NULL;
}

/* ---- reading ---- */

ssize_t brink__os_read_file(int fd, void *bytes, size_t size)
{
	ssize_t moved;

	do
		moved = read(fd, bytes, brink__os_limit(size));
	while (moved < 0 && errno == EINTR);
	return moved < 0 ? -errno : moved;
}

ssize_t brink__os_read_parts(int fd, const struct iovec *parts, int count)
{
	const struct iovec *first = first_of_too_many(parts, count);
	ssize_t moved;

	if (first != NULL)
		return brink__os_read_file(fd, first->iov_base, first->iov_len);
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
	int error;

	brink__os_hold_sigpipe(&held);
	moved = writev(fd, parts, count);
	error = errno;
	brink__os_release_sigpipe(&held);
	errno = error;
	return moved;
}

static bool is_pipe(enum brink__kind kind)
{
	return kind == BRINK__KIND_PIPE || kind == BRINK__KIND_PIPE_OUT;
}

/* macOS says EPROTOTYPE for EPIPE to who writes just when a connection ends; and of connections that are older than a
 * VPN, for ever, so that to try again would not end (libuv's pull requests 482 and 3413). */
int brink__os_write_error(void)
{
	return errno == EPROTOTYPE ? -EPIPE : -errno;
}

ssize_t brink__os_write_file(int fd, enum brink__kind kind, const void *bytes, size_t size)
{
	const struct iovec all = {(void *)(uintptr_t)bytes, brink__os_limit(size)};
	ssize_t moved;

	do
		moved = is_pipe(kind) ? write_pipe(fd, &all, 1) : write(fd, bytes, all.iov_len);
	while (moved < 0 && errno == EINTR);
	return moved < 0 ? brink__os_write_error() : moved;
}

static ssize_t send_parts(int fd, const struct iovec *parts, int count)
{
	struct msghdr message;

	memset(&message, 0, sizeof message);
	message.msg_iov = (struct iovec *)(uintptr_t)parts;
	message.msg_iovlen = (__typeof__(message.msg_iovlen))count; /* int on BSD */
	return sendmsg(fd, &message, BRINK__MSG_NOSIGNAL);
}

static ssize_t try_parts(int fd, enum brink__kind kind, const struct iovec *parts, int count)
{
	if (is_pipe(kind))
		return write_pipe(fd, parts, count);
	return kind > BRINK__KIND_DATAGRAM ? writev(fd, parts, count) : send_parts(fd, parts, count);
}

ssize_t brink__os_write_parts(int fd, enum brink__kind kind, const struct iovec *parts, int count)
{
	const struct iovec *first = NULL;
	ssize_t moved;

	if (count < 0)
		return -EINVAL;
	if (kind != BRINK__KIND_DATAGRAM) /* whose message would be another one */
		first = first_of_too_many(parts, count);
	if (first != NULL)
		return brink__os_write(fd, kind, first->iov_base, first->iov_len);
	do
		moved = try_parts(fd, kind, parts, count);
	while (moved < 0 && errno == EINTR);
	return moved < 0 ? brink__os_write_error() : moved;
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
