/* Reading and writing where the system is as macOS is: more than INT_MAX bytes at once are an EINVAL, and who writes
 * while a connection ends is told EPROTOTYPE.
 *
 * src/os_io.c is compiled into this program, with macOS's limit, and its system calls renamed to
 * the functions below, which move what they are asked to: see local.mk. */
#include "config.h"

#include "check.h"
#include "os.h"

#include <limits.h>
#include <unistd.h>

#define FD 5
#define MORE ((size_t)INT_MAX + 10)

static int error; /* what every call fails with; 0: none does */
static unsigned calls;
static char *volatile bytes; /* which nobody touches */

static ssize_t move(int fd, size_t size)
{
	CHECK(fd == FD);
	calls++;
	errno = size > INT_MAX ? EINVAL : error;
	return errno != 0 ? -1 : (ssize_t)size;
}

static ssize_t move_parts(int fd, const struct iovec *parts, size_t count)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++)
		size += parts[i].iov_len;
	return move(fd, size);
}

ssize_t mac_recv(int fd, void *to, size_t size, int flags)
{
	CHECK(to == bytes && flags == 0);
	return move(fd, size);
}

ssize_t mac_read(int fd, void *to, size_t size)
{
	CHECK(to == bytes);
	return move(fd, size);
}

ssize_t mac_readv(int fd, const struct iovec *parts, int count)
{
	return move_parts(fd, parts, (size_t)count);
}

ssize_t mac_send(int fd, const void *from, size_t size, int flags)
{
	CHECK(from == bytes && flags == BRINK__MSG_NOSIGNAL);
	return move(fd, size);
}

ssize_t mac_write(int fd, const void *from, size_t size)
{
	CHECK(from == bytes);
	return move(fd, size);
}

ssize_t mac_writev(int fd, const struct iovec *parts, int count)
{
	return move_parts(fd, parts, (size_t)count);
}

ssize_t mac_sendmsg(int fd, const struct msghdr *message, int flags)
{
	CHECK(flags == BRINK__MSG_NOSIGNAL);
	return move_parts(fd, message->msg_iov, (size_t)message->msg_iovlen);
}

static const enum brink__kind kinds[] = {BRINK__KIND_TCP, BRINK__KIND_STREAM, BRINK__KIND_DATAGRAM, BRINK__KIND_PIPE,
                                         BRINK__KIND_PIPE_OUT, BRINK__KIND_OTHER};

static void much_at_once(enum brink__kind kind)
{
	CHECK(brink__os_read(FD, kind, bytes, 10) == 10);
	CHECK(brink__os_write(FD, kind, bytes, INT_MAX) == INT_MAX);
	CHECK(brink__os_read(FD, kind, bytes, MORE) == INT_MAX);
	CHECK(brink__os_write(FD, kind, bytes, MORE) == INT_MAX);
}

static void much_in_parts(enum brink__kind kind)
{
	struct iovec parts[] = {{bytes, 0}, {bytes, 5}, {bytes, MORE}}, fits[] = {{bytes, INT_MAX - 1}, {bytes, 1}},
	             first_is_more[] = {{bytes, MORE}, {bytes, 5}}, sum_is_more[] = {{bytes, 7}, {bytes, INT_MAX}};
	bool has_parts = kind != BRINK__KIND_DATAGRAM; /* a message is one whole */

	CHECK(brink__os_readv(FD, kind, fits, 2) == INT_MAX);
	CHECK(brink__os_writev(FD, kind, fits, 2) == INT_MAX);
	CHECK(brink__os_readv(FD, kind, parts, 3) == 5);
	CHECK(brink__os_writev(FD, kind, parts, 3) == (has_parts ? 5 : -EINVAL));
	CHECK(brink__os_readv(FD, kind, sum_is_more, 2) == 7);
	CHECK(brink__os_writev(FD, kind, sum_is_more, 2) == (has_parts ? 7 : -EINVAL));
	CHECK(brink__os_readv(FD, kind, first_is_more, 2) == INT_MAX);
	CHECK(brink__os_writev(FD, kind, first_is_more, 2) == (has_parts ? INT_MAX : -EINVAL));
}

/* What is wrong with the call by itself is not tried again. */
static void errors(enum brink__kind kind)
{
	struct iovec parts[] = {{bytes, 5}, {bytes, 6}};

	calls = 0;
	error = EINVAL;
	CHECK(brink__os_read(FD, kind, bytes, 10) == -EINVAL && brink__os_readv(FD, kind, parts, 2) == -EINVAL);
	CHECK(brink__os_write(FD, kind, bytes, 10) == -EINVAL && brink__os_writev(FD, kind, parts, 2) == -EINVAL);
	CHECK(calls == 4);
	error = EPROTOTYPE;
	CHECK(brink__os_write(FD, kind, bytes, 10) == -EPIPE && brink__os_writev(FD, kind, parts, 2) == -EPIPE);
	CHECK(calls == 6);
	error = EAGAIN;
	CHECK(brink__os_read(FD, kind, bytes, 10) == -EAGAIN && brink__os_write(FD, kind, bytes, 10) == -EAGAIN);
	CHECK(brink__os_readv(FD, kind, parts, 2) == -EAGAIN && brink__os_writev(FD, kind, parts, 2) == -EAGAIN);
	CHECK(calls == 10);
	error = 0;
}

int main(void)
{
	bytes = (char *)kinds;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		much_at_once(kinds[i]);
		much_in_parts(kinds[i]);
		errors(kinds[i]);
	}
	passed("more than macOS takes, and EPROTOTYPE");
	return finish();
}
