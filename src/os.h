/* Where systems differ, outside backends/: each function below does the same on all of
 * them, in os*.c, where nearly all #if about systems is. All return 0, a descriptor or a
 * count, or a negative errno; descriptors are non-blocking and close-on-exec. */
#ifndef BRINK_OS_H
#define BRINK_OS_H

#include "table.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#define brink__likely(condition) __builtin_expect(!!(condition), 1)
#define brink__unlikely(condition) __builtin_expect(!!(condition), 0)

/* What tells the calling thread from all others that live: its thread pointer where the
 * compiler gives it without a call, else its pthread_t. */
#if defined(__has_builtin)
#if __has_builtin(__builtin_thread_pointer) && (defined(__linux__) || defined(__FreeBSD__))
#define BRINK__OS_THREAD() ((uintptr_t)__builtin_thread_pointer())
#endif
#endif
#ifndef BRINK__OS_THREAD
#define BRINK__OS_THREAD() ((uintptr_t)pthread_self())
#endif

static inline uintptr_t brink__os_thread(void)
{
	return BRINK__OS_THREAD();
}

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t brink__os_now(void);

int brink__os_pipe(int fds[2]);
int brink__os_accept(int fd, struct sockaddr *address, socklen_t *length);

/* What `fd` is. -EBADF; -EPERM for files that are always ready. */
struct brink__file {
	enum brink__kind kind;
	bool short_read_drains; /* a read shorter than asked for means that nothing is left */
	unsigned able;          /* directions it is open for; both where that is not known */
	uint32_t identity;      /* differs, but for chance, from another file's; 0: not asked for */
};
int brink__os_identify(int fd, struct brink__file *file);
/* The same for what should be a connection, in fewer calls: true when it is. Its identity is not asked for. */
bool brink__os_identify_connection(int fd, struct brink__file *file);
/* The same for what is known to be TCP. */
void brink__os_identify_tcp(int fd, struct brink__file *file);
/* False: it is a pipe, and not open for all of them. */
bool brink__os_is_open_for(int fd, enum brink__kind kind, unsigned directions);

#if defined(MSG_NOSIGNAL)
#define BRINK__MSG_NOSIGNAL MSG_NOSIGNAL
#else
#define BRINK__MSG_NOSIGNAL 0 /* the sockets have SO_NOSIGPIPE: brink__os_identify() has seen to it */
#endif

/* macOS says EINVAL to more at once. Others move less than is asked for by themselves. */
#ifndef BRINK__OS_MOST
#ifdef __APPLE__
#define BRINK__OS_MOST ((size_t)INT_MAX)
#else
#define BRINK__OS_MOST SIZE_MAX
#endif
#endif

static inline size_t brink__os_limit(size_t size)
{
	return size < BRINK__OS_MOST ? size : BRINK__OS_MOST;
}

/* Of a write that has failed, from errno. */
int brink__os_write_error(void);

/* Of what is no socket. */
ssize_t brink__os_read_file(int fd, void *bytes, size_t size);
ssize_t brink__os_write_file(int fd, enum brink__kind kind, const void *bytes, size_t size);

/* read(2) and readv(2); write(2) and writev(2) that never raise SIGPIPE. None ends in EINTR. On sockets it
 * is recv(2) and send(2) wherever one part is enough: they take the kernel less time than read() and
 * write() (by 60 and 40 ns of 700, on Linux 6.18), and those less than readv() and sendmsg() (by 80 and
 * 110). Of nothing, a read tells no more than that, whatever the socket is. */
static inline ssize_t brink__os_read(int fd, enum brink__kind kind, void *bytes, size_t size)
{
	ssize_t moved;

	if (brink__unlikely(kind > BRINK__KIND_DATAGRAM || size == 0))
		return brink__os_read_file(fd, bytes, size);
	do
		moved = recv(fd, bytes, brink__os_limit(size), 0);
	while (brink__unlikely(moved < 0) && errno == EINTR);
	return brink__likely(moved >= 0) ? moved : -errno;
}

static inline ssize_t brink__os_write(int fd, enum brink__kind kind, const void *bytes, size_t size)
{
	ssize_t moved;

	if (brink__unlikely(kind > BRINK__KIND_DATAGRAM))
		return brink__os_write_file(fd, kind, bytes, size);
	do
		moved = send(fd, bytes, brink__os_limit(size), BRINK__MSG_NOSIGNAL);
	while (brink__unlikely(moved < 0) && errno == EINTR);
	return brink__likely(moved >= 0) ? moved : brink__os_write_error();
}

ssize_t brink__os_read_parts(int fd, const struct iovec *parts, int count);
ssize_t brink__os_write_parts(int fd, enum brink__kind kind, const struct iovec *parts, int count);

static inline ssize_t brink__os_readv(int fd, enum brink__kind kind, const struct iovec *parts, int count)
{
	return brink__likely(count == 1) ? brink__os_read(fd, kind, parts->iov_base, parts->iov_len)
	                                 : brink__os_read_parts(fd, parts, count);
}

static inline ssize_t brink__os_writev(int fd, enum brink__kind kind, const struct iovec *parts, int count)
{
	return brink__likely(count == 1) ? brink__os_write(fd, kind, parts->iov_base, parts->iov_len)
	                                 : brink__os_write_parts(fd, kind, parts, count);
}

/* From the first to the second, this thread gets no SIGPIPE: what raises one in between raises none.
 * One that was pending before stays. For writes to pipes, and by others. */
struct brink__sigpipe {
	sigset_t before;
	bool was_pending;
};
void brink__os_hold_sigpipe(struct brink__sigpipe *held);
void brink__os_release_sigpipe(struct brink__sigpipe *held);

/* The same where nothing is known of `fd`: on what is no socket it costs a call or two more. */
ssize_t brink__os_writev_any(int fd, const struct iovec *parts, int count);

/* The error that a socket holds, as a negative errno, which this clears; else 0. */
int brink__os_socket_error(int fd);

/* Whether nothing can be read, or accepted, and there is no end or error: that is seen without a descriptor to
 * spare. Of a UNIX socket that Linux was made to refuse with it never can. */
bool brink__os_is_quiet(int fd);

/* Several sockets on one address, to each of which the kernel gives a part by a hash; -ENOTSUP where it cannot.
 * brink__os_reuseport_balances() tells whether it can. */
bool brink__os_reuseport_balances(void);
int brink__os_reuseport(int fd);
/* Several datagram sockets on one port, each of which gets what is sent to a group that it has joined. */
int brink__os_share_port(int fd);

/* A socket; and the flags of a descriptor that was handed over. */
int brink__os_socket(int family, int type);
int brink__os_adopt(int fd);

/* Puts what `with` is at the number `fd`, whose file is closed by that. */
int brink__os_replace(int fd, int with);

/* Whether an IPv6 socket can take IPv4 connections too. */
bool brink__os_dual_stack(void);
/* Whether UNIX sockets can have names that are not in the file system. */
bool brink__os_abstract_names(void);

/* The option of IPPROTO_TCP for it; -1 where there is none. */
enum brink__keepalive { BRINK__KEEPALIVE_IDLE, BRINK__KEEPALIVE_INTERVAL, BRINK__KEEPALIVE_COUNT };
int brink__os_keepalive_option(enum brink__keepalive which);

/* Makes the kernel keep new connections away from a listening socket, and those that are
 * queued; -ENOTSUP where only close() ends it. */
enum brink__refusal {
	BRINK__REFUSES_ALL,
	BRINK__REFUSES_NEW,    /* some that are under way may still complete */
	BRINK__REFUSES_BY_HOPS /* the same, and these have inherited what keeps others away */
};
int brink__os_refuse(int fd, int family);
/* Takes it from such a connection. */
void brink__os_want_any_hops(int fd, int family);

/* A descriptor that becomes readable when `pid` ends; -ENOSYS without pidfds. */
int brink__os_pidfd(pid_t pid);

/* Processors that the calling thread may run on; at least 1. brink__os_pin() keeps it on the
 * one at `index` (modulo their number); -ENOTSUP where there is no way. */
unsigned brink__os_processors(void);
int brink__os_pin(unsigned index);

/* The calling thread's name for debuggers and ps(1): tag/index, the tag cut to what fits. */
void brink__os_thread_name(const char *tag, unsigned index);

/* pthread_create() for a thread that gets no signals but those of its own faults. */
int brink__os_thread_start(pthread_t *thread, void *(*body)(void *), void *arg);

/* A condition variable for waits up to a time of brink__os_now(); UINT64_MAX: no end. The
 * wait may end early, as any such wait may: look at the clock. */
int brink__os_condition_init(pthread_cond_t *condition);
void brink__os_condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t until);

/* getenv() that answers NULL in set-user-ID programs where the system can tell. */
const char *brink__os_getenv(const char *name);

#endif
