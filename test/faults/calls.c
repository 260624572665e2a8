/* The calls that fail, the allocator's among them. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1
#endif
#define FAULTS_CALLS 1
#include "names.h"

#include "scarce.h"
#include "strike.h"

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

/* As the C library has them: unsigned in musl. */
#define MMSG_FLAGS(flags) \
	_Generic(&sendmmsg, int (*)(int, struct mmsghdr *, unsigned, unsigned): (unsigned)(flags), default: (flags))
/* As the C library has it: an int in musl. */
#define IOCTL_REQUEST(request) _Generic(&ioctl, int (*)(int, int, ...): (int)(request), default: (request))

static struct fault present;
static atomic_uint strike_at; /* 0: never */
static atomic_uint count; /* threads call, too, some of which nobody waits for */
static bool counting;
static atomic_uint counts[FAULT_LIMIT]; /* by the index of the fault */

void fault_begin(const struct fault *fault, unsigned k)
{
	present = *fault;
	atomic_store(&count, 0);
	strike_at = k;
}

bool fault_end(void)
{
	bool struck = fault_struck();

	strike_at = 0;
	return struck;
}

bool fault_struck(void)
{
	return strike_at != 0 && atomic_load(&count) >= strike_at;
}

bool fault_harmless(void)
{
	return strike_at == 0 || present.harmless;
}

bool fault_is(const char *call)
{
	return strike_at != 0 && strcmp(call, present.call) == 0;
}

int fault_error(void)
{
	return present.error;
}

unsigned fault_times(void)
{
	unsigned made = atomic_load(&count);
	unsigned times = fault_struck() ? made + 1 - strike_at : 0;

	return times < present.times ? times : present.times;
}

void fault_strike(void)
{
	atomic_store(&count, strike_at);
}

static void count_call(const char *call)
{
	for (size_t i = 0; i < fault_count; i++)
		if (strcmp(call, faults[i].call) == 0)
			atomic_fetch_add(&counts[i], 1);
}

void fault_count_calls(void)
{
	counting = true;
}

unsigned fault_calls(size_t fault)
{
	return atomic_load(&counts[fault]);
}

static bool strikes(const char *call)
{
	if (counting)
		count_call(call);
	if (strike_at == 0 || strcmp(call, present.call) != 0 ||
	    atomic_fetch_add(&count, 1) + 1 - strike_at >= present.times) /* below 0 is above all */
		return false;
	errno = present.error;
	return true;
}

/* ---- memory ---- */

static bool memory_strikes(void)
{
	return strikes("memory");
}

void fault_memory(void)
{
	memory_is_out = memory_strikes;
	scarce_memory();
}

/* ---- what moves ---- */

static atomic_ulong moves;
static _Thread_local bool writing; /* or reading, from which no SIGPIPE comes */

unsigned long fault_moves(void)
{
	return atomic_load(&moves);
}

bool fault_is_writing(void)
{
	return writing;
}

static ssize_t moved(ssize_t result)
{
	int error = errno;

	if (result > 0)
		atomic_fetch_add(&moves, 1);
	writing = false;
	errno = error;
	return result;
}

/* ---- calls that only fail ---- */

#define FAULTY(type, name, parameters, arguments) \
	type faulty_##name parameters \
	{ \
		return strikes(#name) ? -1 : name arguments; \
	}

#define MOVING(type, name, parameters, arguments) \
	type faulty_##name parameters \
	{ \
		return strikes(#name) ? -1 : (writing = true, (type)moved(name arguments)); \
	}

/* FreeBSD's says of a connection that died in the queue that its address is empty. */
int faulty_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	if (strikes("accept4")) {
		if (errno == ECONNABORTED && length != NULL)
			*length = 0;
		return -1;
	}
	writing = true;
	return (int)moved(accept4(fd, address, length, flags));
}

FAULTY(int, bind, (int fd, const struct sockaddr *address, socklen_t length), (fd, address, length))
FAULTY(int, chmod, (const char *path, mode_t mode), (path, mode))
FAULTY(int, dup2, (int from, int to), (from, to))
FAULTY(int, dup3, (int from, int to, int flags), (from, to, flags))
FAULTY(int, epoll_create1, (int flags), (flags))
FAULTY(int, epoll_wait, (int queue, struct epoll_event *events, int most, int timeout),
       (queue, events, most, timeout))
FAULTY(int, eventfd, (unsigned value, int flags), (value, flags))
FAULTY(int, fstat, (int fd, struct stat *status), (fd, status))
FAULTY(int, getpeername, (int fd, struct sockaddr *address, socklen_t *length), (fd, address, length))
FAULTY(int, getsockname, (int fd, struct sockaddr *address, socklen_t *length), (fd, address, length))
FAULTY(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *length),
       (fd, level, name, value, length))
FAULTY(int, kqueue, (void), ())
FAULTY(int, listen, (int fd, int backlog), (fd, backlog))
FAULTY(int, lstat, (const char *path, struct stat *status), (path, status))
FAULTY(int, pipe2, (int fds[2], int flags), (fds, flags))
FAULTY(int, poll, (struct pollfd *entries, nfds_t entry_count, int timeout), (entries, entry_count, timeout))
FAULTY(int, ppoll, (struct pollfd *entries, nfds_t entry_count, const struct timespec *timeout,
                    const sigset_t *signals), (entries, entry_count, timeout, signals))
FAULTY(ssize_t, read, (int fd, void *bytes, size_t size), (fd, bytes, size))
MOVING(ssize_t, readv, (int fd, const struct iovec *parts, int part_count), (fd, parts, part_count))
MOVING(ssize_t, recv, (int fd, void *bytes, size_t size, int flags), (fd, bytes, size, flags))
MOVING(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
MOVING(int, recvmmsg, (int fd, struct mmsghdr *messages, unsigned message_count, int flags, struct timespec *timeout),
       (fd, messages, message_count, MMSG_FLAGS(flags), timeout))
MOVING(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned message_count, int flags),
       (fd, messages, message_count, MMSG_FLAGS(flags)))
FAULTY(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t length),
       (fd, level, name, value, length))
FAULTY(int, shutdown, (int fd, int how), (fd, how))
FAULTY(int, sigaction, (int number, const struct sigaction *action, struct sigaction *before),
       (number, action, before))
FAULTY(int, socket, (int family, int type, int protocol), (family, type, protocol))
FAULTY(int, unlink, (const char *path), (path))
FAULTY(int, waitid, (idtype_t kind, id_t id, siginfo_t *info, int options), (kind, id, info, options))
FAULTY(pid_t, waitpid, (pid_t pid, int *status, int options), (pid, status, options))
FAULTY(ssize_t, write, (int fd, const void *bytes, size_t size), (fd, bytes, size))

#if defined(HAVE_EPOLL_PWAIT2)
FAULTY(int, epoll_pwait2, (int queue, struct epoll_event *events, int most, const struct timespec *timeout,
                           const sigset_t *signals), (queue, events, most, timeout, signals))
#endif

/* ---- those that return the error ---- */

#define FAULTY_RESULT(name, sign, parameters, arguments) \
	int faulty_##name parameters \
	{ \
		return strikes(#name) ? sign present.error : name arguments; \
	}

FAULTY_RESULT(pthread_cond_init, +, (pthread_cond_t *condition, const pthread_condattr_t *attributes),
              (condition, attributes))
FAULTY_RESULT(pthread_create, +, (pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *),
                                  void *arg), (thread, attributes, body, arg))
FAULTY_RESULT(pthread_mutex_init, +, (pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes),
              (mutex, attributes))

#if defined(HAVE_BACKEND_IO_URING)

FAULTY_RESULT(io_uring_queue_init_params, -, (unsigned entries, struct io_uring *ring,
                                              struct io_uring_params *params), (entries, ring, params))
FAULTY_RESULT(io_uring_register, -, (unsigned fd, unsigned operation, void *arg, unsigned number),
              (fd, operation, arg, number))
FAULTY_RESULT(io_uring_register_eventfd, -, (struct io_uring *ring, int fd), (ring, fd))
FAULTY_RESULT(io_uring_submit, -, (struct io_uring *ring), (ring))
FAULTY_RESULT(io_uring_submit_and_get_events, -, (struct io_uring *ring), (ring))
FAULTY_RESULT(io_uring_submit_and_wait_timeout, -, (struct io_uring *ring, struct io_uring_cqe **cqe,
                                                    unsigned wanted, struct __kernel_timespec *timeout,
                                                    sigset_t *signals),
              (ring, cqe, wanted, timeout, signals))

struct io_uring_sqe *faulty_io_uring_get_sqe(struct io_uring *ring)
{
	return strikes("io_uring_get_sqe") ? NULL : io_uring_get_sqe(ring);
}

#endif

/* ---- those with a variable number of arguments: one more is all that is used ---- */

int faulty_fcntl(int fd, int command, ...)
{
	va_list arguments;
	int value = 0;

	va_start(arguments, command);
	if (command == F_SETFL || command == F_SETFD)
		value = va_arg(arguments, int);
	va_end(arguments);
	return strikes("fcntl") ? -1 : fcntl(fd, command, value);
}

int faulty_ioctl(int fd, unsigned long command, ...)
{
	va_list arguments;
	void *value;

	va_start(arguments, command);
	value = va_arg(arguments, void *);
	va_end(arguments);
	return strikes("ioctl") ? -1 : ioctl(fd, IOCTL_REQUEST(command), value);
}

/* pidfd_open(2) */
long faulty_syscall(long number, ...)
{
	va_list arguments;
	pid_t pid;

	va_start(arguments, number);
	pid = va_arg(arguments, pid_t);
	va_end(arguments);
	return strikes("pidfd_open") ? -1 : syscall(number, pid, 0);
}

/* ---- those with something to say about it ---- */

int faulty_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
	if (!strikes("getaddrinfo"))
		return getaddrinfo(host, service, hints, list);
	return present.error == ENOMEM ? EAI_MEMORY : EAI_SYSTEM;
}

/* Interrupted, it goes on all the same. */
int faulty_connect(int fd, const struct sockaddr *address, socklen_t length)
{
	if (!strikes("connect"))
		return connect(fd, address, length);
	if (present.error == EINTR && connect(fd, address, length) < 0 && errno != EINPROGRESS)
		return -1;
	errno = present.error;
	return -1;
}

int faulty_epoll_ctl(int queue, int operation, int fd, struct epoll_event *event)
{
	const char *what = operation == EPOLL_CTL_ADD ? "epoll_ctl ADD"
	                   : operation == EPOLL_CTL_MOD ? "epoll_ctl MOD" : "epoll_ctl DEL";

	return strikes(what) ? -1 : epoll_ctl(queue, operation, fd, event);
}

/* A signal ends the wait, before which the changes were made. */
int faulty_kevent(int queue, const struct kevent *changes, int change_count, struct kevent *events,
                  int event_count, const struct timespec *timeout)
{
	static const struct timespec at_once = {0, 0};
	bool waits = timeout == NULL || timeout->tv_sec != 0 || timeout->tv_nsec != 0;

	if (!strikes(waits ? "kevent" : "kevent at once"))
		return kevent(queue, changes, change_count, events, event_count, timeout);
	if (present.error == EINTR)
		kevent(queue, changes, change_count, NULL, 0, &at_once);
	errno = present.error;
	return -1;
}

/* A datagram goes whole. */
static bool is_stream(int fd)
{
	socklen_t length = sizeof(int);
	int type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM;
}

static ssize_t one_byte(const struct iovec *parts, int part_count)
{
	for (int i = 0; i < part_count; i++)
		if (parts[i].iov_len > 0)
			return i;
	return -1;
}

ssize_t faulty_send(int fd, const void *bytes, size_t size, int flags)
{
	if ((fault_error() == SHORT && !is_stream(fd)) || !strikes("send"))
		return writing = true, moved(send(fd, bytes, size, flags));
	return present.error == SHORT && size > 0 ? send(fd, bytes, 1, flags) : -1;
}

ssize_t faulty_sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t part;

	if ((fault_error() == SHORT && !is_stream(fd)) || !strikes("sendmsg"))
		return writing = true, moved(sendmsg(fd, message, flags));
	part = present.error == SHORT ? one_byte(message->msg_iov, (int)message->msg_iovlen) : -1;
	return part < 0 ? -1 : send(fd, message->msg_iov[part].iov_base, 1, flags);
}

ssize_t faulty_writev(int fd, const struct iovec *parts, int part_count)
{
	ssize_t part;

	if (!strikes("writev"))
		return writing = true, moved(writev(fd, parts, part_count));
	part = present.error == SHORT ? one_byte(parts, part_count) : -1;
	return part < 0 ? -1 : write(fd, parts[part].iov_base, 1);
}
