#include "strike.h"

#include <errno.h>
#include <string.h>

const struct fault faults[] = {
#define FAULT(call, error, harmless, backend) {call, error, #error, harmless, 1, backend, false}
	FAULT("memory", ENOMEM, false, NULL),
	{"memory", ENOMEM, "ENOMEM, four times", false, 4, NULL, false},
	FAULT("pthread_create", EAGAIN, false, NULL),
	FAULT("pthread_mutex_init", ENOMEM, false, NULL),
	FAULT("pthread_cond_init", ENOMEM, false, NULL),

	FAULT("pipe2", EMFILE, false, NULL),
	FAULT("fstat", EBADF, false, NULL),
	FAULT("fcntl", EBADF, false, NULL),
	FAULT("dup3", EMFILE, true, NULL), /* the number stays in use a little longer */

	FAULT("socket", EMFILE, false, NULL),
	FAULT("socket", ENOBUFS, false, NULL),
	FAULT("setsockopt", ENOBUFS, false, NULL),
	FAULT("getsockopt", ENOBUFS, false, NULL),
	FAULT("getsockname", ENOBUFS, false, NULL),
	FAULT("getpeername", ENOBUFS, false, NULL),
	FAULT("ioctl", EINVAL, false, NULL),

	FAULT("connect", ENOBUFS, false, NULL),
	FAULT("connect", ECONNREFUSED, false, NULL),
	FAULT("connect", ETIMEDOUT, false, NULL),
	FAULT("connect", EINTR, true, NULL),

	FAULT("bind", EADDRINUSE, false, NULL),
	FAULT("bind", EACCES, false, NULL),
	FAULT("listen", EADDRINUSE, false, NULL),
	FAULT("lstat", EACCES, false, NULL),
	FAULT("unlink", EACCES, false, NULL),
	FAULT("chmod", EPERM, false, NULL),
	FAULT("accept4", EMFILE, false, NULL),
	FAULT("accept4", ENOBUFS, true, NULL),
	FAULT("accept4", ECONNABORTED, true, NULL),
	FAULT("accept4", EINTR, true, NULL),
	FAULT("accept4", EPERM, true, NULL), /* of one connection, which is gone */

	FAULT("send", EINTR, true, NULL),
	FAULT("send", SHORT, true, NULL),
	FAULT("send", ENOBUFS, false, NULL),
	FAULT("send", ECONNRESET, false, NULL),
	FAULT("send", EPIPE, false, NULL),
	FAULT("sendmsg", EINTR, true, NULL),
	FAULT("sendmsg", SHORT, true, NULL),
	FAULT("sendmsg", ENOBUFS, false, NULL),
	FAULT("sendmsg", ECONNRESET, false, NULL),
	FAULT("sendmsg", EPIPE, false, NULL),
	FAULT("recv", EINTR, true, NULL),
	FAULT("recv", ECONNRESET, false, NULL),
	FAULT("recv", ENOMEM, false, NULL),
	FAULT("readv", EINTR, true, NULL),
	FAULT("readv", ECONNRESET, false, NULL),
	FAULT("readv", ENOMEM, false, NULL),
	FAULT("shutdown", ENOTCONN, false, NULL),
	FAULT("shutdown", ENOBUFS, false, NULL),
	FAULT("read", EINTR, true, NULL), /* of the wakeup pipe */
	FAULT("write", EINTR, true, NULL),
	FAULT("writev", EINTR, true, NULL), /* to a pipe */
	FAULT("writev", SHORT, true, NULL),

	FAULT("getaddrinfo", ENOMEM, false, NULL),
	FAULT("getaddrinfo", EMFILE, false, NULL),
	FAULT("recvmmsg", EINTR, true, NULL),
	FAULT("recvmmsg", ENOSYS, true, NULL),
	FAULT("recvmmsg", ENOMEM, false, NULL),
	FAULT("recvmsg", EINTR, true, NULL),
	FAULT("recvmsg", ENOMEM, false, NULL),
	FAULT("sendmmsg", EINTR, true, NULL),
	FAULT("sendmmsg", ENOSYS, true, NULL),
	FAULT("sendmmsg", EAGAIN, false, NULL), /* it is sent later */
	FAULT("sendmmsg", ENOBUFS, false, NULL), /* likewise */
	FAULT("sendmmsg", EPERM, false, NULL),

	FAULT("pidfd_open", EMFILE, false, NULL),
	FAULT("pidfd_open", ENOMEM, false, NULL),
	FAULT("pidfd_open", ENOSYS, true, NULL),
	FAULT("waitid", ECHILD, false, NULL),
	FAULT("waitpid", EINTR, true, NULL),
	FAULT("sigaction", EINVAL, false, NULL),
	FAULT("dup2", EBUSY, false, NULL), /* after a fork */

	FAULT("epoll_create1", EMFILE, false, "epoll"),
	FAULT("epoll_ctl ADD", ENOMEM, false, "epoll"),
	FAULT("epoll_ctl ADD", ENOSPC, false, "epoll"),
	FAULT("epoll_ctl MOD", ENOMEM, false, "epoll"),
	{"epoll_ctl MOD", ENOMEM, "ENOMEM, twice", false, 2, "epoll", false},
	FAULT("epoll_ctl DEL", ENOMEM, true, "epoll"),
	FAULT("epoll_pwait2", EINTR, true, "epoll"),
	FAULT("epoll_pwait2", ENOSYS, true, "epoll"),

	FAULT("ppoll", EINTR, true, "poll"),
	FAULT("ppoll", ENOMEM, false, "poll"),

	FAULT("kqueue", EMFILE, false, "kqueue"),
	FAULT("kqueue", ENOMEM, false, "kqueue"),
	FAULT("kevent", EINTR, true, "kqueue"),
	FAULT("kevent", ENOMEM, false, "kqueue"),
	FAULT("kevent at once", ENOMEM, false, "kqueue"),

	FAULT("io_uring_queue_init_params", ENOMEM, false, "io_uring"),
	FAULT("io_uring_queue_init_params", EPERM, false, "io_uring"),
	FAULT("io_uring_register", ENOMEM, false, "io_uring"),
	FAULT("io_uring_register_eventfd", ENOMEM, false, "io_uring"),
	FAULT("eventfd", EMFILE, false, "io_uring"),
	FAULT("poll", EINTR, true, "io_uring"), /* to see whether an old completion still holds */
	FAULT("poll", ENOMEM, true, "io_uring"),
	FAULT("io_uring_get_sqe", EBUSY, true, "io_uring"), /* says NULL */
	FAULT("io_uring_submit", EBUSY, true, "io_uring"),
	FAULT("io_uring_submit", EAGAIN, true, "io_uring"),
	FAULT("io_uring_submit_and_get_events", EAGAIN, true, "io_uring"),
	FAULT("io_uring_submit_and_get_events", EBUSY, true, "io_uring"),
	FAULT("io_uring_submit_and_get_events", EINTR, true, "io_uring"),
	FAULT("io_uring_submit_and_wait_timeout", EINTR, true, "io_uring"),
	FAULT("io_uring_submit_and_wait_timeout", EAGAIN, true, "io_uring"),
	FAULT("io_uring_submit_and_wait_timeout", EBUSY, true, "io_uring"),
	FAULT("io_uring_submit_and_wait_timeout", EBADR, true, "io_uring"),
	FAULT("io_uring_submit_and_wait_timeout", ENOMEM, false, "io_uring"),
#undef FAULT

#define FAULT(call, error, harmless) {call, error, #error, harmless, 1, NULL, true}
	FAULT("recvmsg", ECONNREFUSED, false), /* of an earlier datagram */
	FAULT("recvmmsg", ECONNREFUSED, false),
#undef FAULT
};

const size_t fault_count = sizeof faults / sizeof faults[0];
_Static_assert(sizeof faults / sizeof faults[0] <= FAULT_LIMIT, "as strike.h says");

bool fault_is_of(const struct fault *fault, const char *backend)
{
	return fault->backend == NULL || strcmp(fault->backend, backend) == 0;
}

/* The first calls are those of which each is another; later it is the hundredth write. */
unsigned next_call(unsigned k)
{
	return k + 1 + k / 16;
}
