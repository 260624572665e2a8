/* A watch: calls back when a descriptor is ready for reading or writing.
 *
 * The ticket rule. An event in a direction is a ticket. Once it is delivered, that
 * direction is closed: nothing more comes for it, however much arrives, until the
 * ticket is handed back by brink_watch_rearm(), which belongs after the read or write
 * that said EAGAIN. Readiness, end or error that came meanwhile is not lost: it is
 * delivered then. The two directions are independent. brink_watch_read() and its
 * sisters below do the system call and hand the ticket back by themselves, so that
 * ordinary code is a loop of brink_watch_read() until -EAGAIN and never calls rearm:
 *
 *     static void on_readable(brink_watch *watch, unsigned ready)
 *     {
 *         struct tap *tap = brink_container_of(watch, struct tap, watch);
 *         ssize_t n;
 *
 *         while ((n = brink_watch_read(watch, tap->bytes, sizeof tap->bytes)) > 0)
 *             tap_take(tap, (size_t)n);
 *         if (n != -EAGAIN)
 *             brink_watch_close(watch);
 *     }
 *
 * A callback that stops reading earlier (a budget, a pause) says when to go on with
 * brink_watch_again(). After the end (0) or an error: stop or close, do not rearm.
 *
 * A stream socket is connected, or connecting, before it is watched, and a listener
 * listens: what an earlier one does differs by system. Descriptors that the helpers
 * below are used on must be non-blocking. */
#ifndef BRINK_WATCH_H
#define BRINK_WATCH_H

#include <brink/base.h>
#include <brink/task.h>

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

BRINK_BEGIN_DECLS

/* Directions, and what accompanies them. The values are those of poll(2)'s POLLIN,
 * POLLOUT, POLLERR and POLLHUP on every system. */
#define BRINK_READ 1u
#define BRINK_WRITE 4u
#define BRINK_ERROR 8u /* the descriptor failed; comes with every direction asked for, once. Or a
                        * rearm from another thread did: comes with its direction */
#define BRINK_EOF 16u  /* the peer ended its side: read() says 0 after what is left. Comes with READ,
                        * and with every later READ */
/* For brink_watch_start(): level-triggered, without tickets: called each turn while
 * ready. For libraries that expect it (curl, c-ares, libpq). */
#define BRINK_LEVEL 32u
/* For brink_watch_start(): the descriptor is a TCP connection or listener, and is not closed without a stop. Then
 * nothing is asked of the system about it: two or three system calls less, for who accepts many connections. Said of
 * anything else, what a short read means and what is reported would be wrong. */
#define BRINK_TCP 64u

/* `ready` holds BRINK_READ and/or BRINK_WRITE, with BRINK_EOF and BRINK_ERROR beside
 * them where known. They are hints: the read or write decides. */
struct brink__slot; /* private */

typedef void brink_watch_fn(brink_watch *watch, unsigned ready);
typedef void brink_watch_done_fn(brink_watch *watch, int result);

/* 64 bytes on LP64. The caller sets `call`; `fd` may be read while it is started. */
struct brink_watch {
	brink_watch_fn *call;
	brink_loop *loop; /* the loop that it was last started on */
	int fd;
	/* the library's from here on */
	unsigned char interest;
	unsigned char mode;
	unsigned char posted;
	unsigned char unfinished;
	struct brink__slot *slot;
	brink_watch_done_fn *done;
	brink_task task;
	brink_watch *resting;
};

/* Zeroes `watch` and sets its callback. */
BRINK_API void brink_watch_init(brink_watch *watch, brink_watch_fn *call);

/* Calls `watch->call` when `fd` is ready in a direction of `interest`: BRINK_READ,
 * BRINK_WRITE or both, with BRINK_LEVEL for level-triggering (then also without a
 * direction: registered later by brink_watch_set()), and with BRINK_TCP. What is ready already is an event
 * too. The descriptor stays the caller's. On one loop a direction of a descriptor has
 * one watch: reader and writer may be two, both with or both without BRINK_LEVEL.
 * Writers usually start with BRINK_READ alone: brink_watch_write() takes the write
 * direction when it first has to wait.
 *   -EEXIST   the watch is started, or the direction has a watch on this loop
 *   -EINVAL   no direction, an unknown bit, no callback, or LEVEL and not mixed
 *   -EBADF    not an open descriptor (with BRINK_TCP not every mechanism says so), or not open for that
 *             direction (pipes)
 *   -EPERM    a regular file, directory or block device: these are always ready
 *   -ENOMEM, -ENOSPC (the system's limit on watches), or what the kernel said of a
 *             device that it cannot watch */
BRINK_API int brink_watch_start(brink_loop *loop, brink_watch *watch, int fd, unsigned interest);

/* Stops it: no call any more, not even for an event that was already taken from the
 * kernel. Does not close the descriptor; must come before it is closed.
 *   -ENOENT   it is not started */
BRINK_API int brink_watch_stop(brink_watch *watch);

/* Stops the watch and closes its descriptor, in the right order. Other watches on the same descriptor
 * and loop (the other direction's, and those without a direction) are stopped too, without a call. Where the
 * kernel forgets a descriptor with its close (epoll), that is left to it, until a file turns out to have other
 * descriptors, a child's for instance: stop and close by yourself what you know to have.
 *   -ENOENT   it is not started: nothing was closed
 *   -EBADF    its descriptor was closed without a stop: the watch is stopped. If the number is watched
 *             as another file's by now, nothing was closed. (Where it is another file's that is not watched, nothing
 *             tells so, and that is closed.)
 *   other     what close(2) said; the watch is stopped */
BRINK_API int brink_watch_close(brink_watch *watch);

/* 1 while it is started, else 0. */
BRINK_API int brink_watch_active(const brink_watch *watch);

/* Level-triggered watches: the directions from now on; 0 for none for the time being.
 *   -ENOENT   it is not started        -EEXIST   the direction has another watch
 *   -EINVAL   an unknown bit, a watch without BRINK_LEVEL, or its descriptor has got one without it since
 *   -EBADF    its descriptor is not open for the direction (pipes), or was closed without a stop
 *   -ENOMEM, -ENOSPC, ...   as brink_watch_start(). On any error it has the directions that it had */
BRINK_API int brink_watch_set(brink_watch *watch, unsigned interest);

/* Hands the ticket of each of `directions` back, after a read or write of your own
 * said EAGAIN (the helpers below do it themselves). Of a direction that is open, or
 * whose event is still to be delivered, nothing changes. A write direction that the
 * watch did not ask for is taken on. Without EAGAIN it is a mistake that kernels
 * punish differently, by silence or by an event at once (a debug build of the library
 * logs a warning where the last read or write below did not say EAGAIN). Any thread: from another
 * thread it is posted to the loop and must be that thread's last touch of the watch.
 *   -ENOENT   it is not started         -EEXIST   the direction has another watch
 *   -EINVAL   no direction, an unknown bit, or a level-triggered watch
 *   -EBADF    its descriptor is not open for a direction that is taken on (pipes), or was closed
 *             without a stop, and is another file's now
 *   -ENOMEM, -ENOSPC   the direction stays closed. What another thread asked for fails later, on
 *             the loop: then the watch is called for the direction, with BRINK_ERROR */
BRINK_API int brink_watch_rearm(brink_watch *watch, unsigned directions);

/* Calls the watch in the next turn (or in this one, when the turn has not come to the
 * watches) for `directions`, without asking the kernel: for a reader that has used up its
 * budget, or goes on after a pause. Like any event it
 * closes the direction. Threads and errors as brink_watch_rearm(). */
BRINK_API int brink_watch_again(brink_watch *watch, unsigned directions);

/* read(2), readv(2), write(2) and writev(2) on the watch's descriptor: the number of
 * bytes (0: end of stream, when reading), or a negative errno. On -EAGAIN the ticket
 * is handed back; after a short read too where that is known to mean the same (TCP, no
 * end, error or urgent data seen): the read after that one says -EAGAIN without a system
 * call. EINTR is retried. A write never raises SIGPIPE; where it fails with EPIPE and the
 * socket holds the peer's real error (ECONNRESET), that is returned. From another thread the ticket is posted to the
 * loop, as with brink_watch_rearm(); one thread at a time may use a direction.
 *   -ENOENT   it is not started
 *   -EEXIST, -ENOMEM, -ENOSPC   in place of -EAGAIN, where the ticket could not be handed back: nothing would
 *             call the watch. -EEXIST: a write had to wait, and its direction has another watch
 *   other     what the system call said */
BRINK_API ssize_t brink_watch_read(brink_watch *watch, void *bytes, size_t size);
BRINK_API ssize_t brink_watch_readv(brink_watch *watch, const struct iovec *parts, int count);
BRINK_API ssize_t brink_watch_write(brink_watch *watch, const void *bytes, size_t size);
BRINK_API ssize_t brink_watch_writev(brink_watch *watch, const struct iovec *parts, int count);

/* Accepts one connection on a listener: its descriptor, non-blocking and close-on-exec
 * on every system, or a negative errno. `address` and `length` as in accept(2), or
 * NULL. On -EAGAIN the ticket is handed back; ECONNABORTED and EINTR are retried. After any
 * other error, such as -EMFILE, -ENFILE, -ENOBUFS and -ENOMEM, the direction stays closed: nothing spins; call
 * brink_watch_again() when there may be room, from a timer for example. (Linux also says what the network said of
 * one connection that is gone, -EPROTO or -EHOSTUNREACH for example: then the next call gets the next one.) */
BRINK_API int brink_watch_accept(brink_watch *watch, struct sockaddr *address, socklen_t *length);

/* Start and stop from any thread. `done` (may be NULL) is called on the loop's thread
 * with the result of brink_watch_start() or brink_watch_stop(); until then the memory
 * must stay. One of them at a time. The asynchronous start of a watch keeps brink_loop_run()
 * from returning.
 *   -EBUSY    another start or stop of this watch is under way
 *   -EEXIST   a start of one that is started
 *   -ENOENT   a stop of one that was never started
 *   -EINVAL   as brink_watch_start() */
BRINK_API int brink_watch_start_async(brink_loop *loop, brink_watch *watch, int fd, unsigned interest,
                                      brink_watch_done_fn *done);
BRINK_API int brink_watch_stop_async(brink_watch *watch, brink_watch_done_fn *done);

BRINK_END_DECLS

#endif
