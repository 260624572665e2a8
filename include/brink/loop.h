/* The loop: waits for what was started on it and calls back, one turn after another.
 *
 * One turn, in this order: prepare hooks; the wait (no longer than the next timer
 * allows, and not at all when something is to be done already); check hooks; timers that
 * are due; signals that arrived; the tasks that were posted; ready watches, once each;
 * idle hooks when nothing else was called. What a callback starts, posts or asks for
 * again at its own stage or an earlier one has to wait for the next turn, so that none
 * can starve the others. */
#ifndef BRINK_LOOP_H
#define BRINK_LOOP_H

#include <brink/base.h>

BRINK_BEGIN_DECLS

/* All zero asks for the defaults. */
struct brink_loop_options {
	/* A backend's name, or a list in order of preference ("io_uring,epoll"). A name
	 * alone is used or refused; in a list, one that is not compiled in, or that the kernel or a seccomp
	 * filter refuses, is passed over, which brink_loop_description() then says. "auto" is
	 * kqueue where there is one, epoll on Linux, else poll. NULL: the environment
	 * variable BRINK_BACKEND (not in set-user-ID programs), else the default that
	 * configure was given. */
	const char *backend;
	/* Events taken from the kernel in one wait; 0: 256. More ready descriptors than
	 * that are found by the next waits. At most 65536. */
	unsigned batch;
	/* io_uring: submission entries of the ring, the completion queue having twice as
	 * many; 0: 256. Rounded up to a power of two. At most 32768. The other backends
	 * ignore it. */
	unsigned ring_entries;
	/* io_uring: how many buffers, of 8 KiB each, the kernel may be given at most to receive
	 * into: it gets some to begin with, and more when it has run out of them. 0: 1024. Rounded
	 * up to a power of two. At most 32768. */
	unsigned receive_buffers;
	unsigned flags; /* BRINK_LOOP_* */
	void *reserved[4]; /* must be zero */
};

/* No backend moves bytes by itself (BRINK_FEATURE_RECEIVE, _SEND): all only tell what is
 * ready. The environment variable BRINK_COMPLETIONS (not in set-user-ID programs) does the same for
 * all loops if it is "off"; a number in it is that of receive_buffers where nothing else is said. */
#define BRINK_LOOP_READINESS 1u

/* Creates a loop in `*loop`. `options` may be NULL. The loop belongs to the calling
 * thread until a thread runs it, and to that one until another does. What brink/watch.h
 * allows any thread acts at once on the thread that the loop belongs to, and is handed
 * over on others. So where the loop goes to another thread, the one that had it makes no
 * such call from when the other may begin to run it until that run is known to have begun.
 * What is always handed over may be called all the time: brink_loop_stop(),
 * brink_loop_wakeup(), brink_task_post(), brink_watch_start_async() and
 * brink_watch_stop_async().
 *   -EINVAL   an option is out of range, or reserved memory is not zero
 *   -ENOENT   no backend of the (last) name is compiled in
 *   -ENOSYS, -EPERM, ...   what the kernel answered to the (last) backend named
 *   -ENOMEM, -EMFILE, -ENFILE */
BRINK_API int brink_loop_create(brink_loop **loop, const struct brink_loop_options *options);

/* Frees the loop and its descriptors. What is still started is stopped without a
 * call, and its memory is touched for that: free nothing that is started. But sockets fail with
 * -ECANCELED, and on_close is called for each. Then this waits until other threads have given back all references to
 * them; the caller is to have none, for it would wait for itself. A watch whose
 * descriptor was closed without a stop, which is a mistake, may be unknown to the loop by
 * then, and stays as it is: stop it before, or do nothing more with it than
 * brink_watch_init(). Tasks that are still posted, or that these or a socket's on_close post, are called, so that
 * each is called once. In a forked child this frees the child's copy and leaves the parent's
 * loop alone. No other thread may be in, or later make, a call on the loop; each
 * brink_loop_stop(), brink_loop_wakeup() and brink_task_post() must have returned. NULL is allowed.
 *   -EBUSY   called from inside one of the loop's own callbacks: nothing happened */
BRINK_API int brink_loop_destroy(brink_loop *loop);

/* Turns until brink_loop_stop() (returns 1) or until nothing is left to wait for
 * (returns 0): no watch, active timer, signal, child, idle hook or posted task; nothing
 * that is made of these (a socket until its on_close, a listener, server or datagram
 * until it is closed, a lookup until it is answered); and no brink_loop_ref(). The
 * calling thread becomes the loop's. A stop that came before ends it at once, and is
 * used up. May be called again, also from another thread when it has returned in the
 * first.
 *   -EBUSY   called from inside one of the loop's own callbacks
 *   other    what the kernel's wait said; the loop stays usable. With poll that is -EINVAL while more
 *            descriptors are watched than RLIMIT_NOFILE, which was lowered since, allows */
BRINK_API int brink_loop_run(brink_loop *loop);

/* One turn: waits up to `timeout` nanoseconds (0: not at all; below 0: without end)
 * for the first thing to call, and returns the number of callbacks made; prepare and check
 * hooks do not count. Returns 0 at once when stopped (the stop is used up). A turn with
 * nothing started and a negative timeout returns 0 instead of waiting for ever. Errors as
 * brink_loop_run(). On io_uring only the thread that has turned a loop can end what it has under way there, and
 * brink_loop_run() does so before it returns. Where a thread has used this function alone, and another goes on with the
 * loop or destroys it, files that were watched are held for some milliseconds more although they are closed;
 * and if the first thread ends with more that has arrived than the completion queue holds, the sockets concerned
 * fail with -EIO. */
BRINK_API int brink_loop_run_once(brink_loop *loop, int64_t timeout);

/* Makes run and run_once return after the turn they are in. The stop is remembered
 * until one of them has returned for it; several stops before that are one. Any
 * thread, and signal handlers (async-signal-safe); keeps errno. */
BRINK_API void brink_loop_stop(brink_loop *loop);

/* Ends the wait that is under way, or makes the next one not wait. Many wakeups
 * before the loop gets to it are one. What the caller wrote before is seen by that
 * turn if it was written with a sequentially consistent atomic operation or under a
 * lock that the loop's thread also takes (brink_task_post() takes care of this by
 * itself). Any thread, and signal handlers (async-signal-safe); keeps errno. */
BRINK_API void brink_loop_wakeup(brink_loop *loop);

/* Raises, or lowers, the number of reasons to keep running by one: to keep a loop
 * running for posts from other threads, or to let it end although something that need
 * not finish is started on it. A watch, an active timer, a signal, a child and an idle hook are
 * one each; so are a listener, a datagram socket and a lookup, and a socket, except while it connects
 * to a name or is probed. Each must be matched by the other. */
BRINK_API void brink_loop_ref(brink_loop *loop);
BRINK_API void brink_loop_unref(brink_loop *loop);

/* The monotonic clock (CLOCK_MONOTONIC) as the loop last read it: once after the wait of a turn, when it is
 * first needed (and before the wait, where a timer is active). All timers that a callback starts
 * count from it. A callback that ran long and wants a fresh one calls
 * brink_loop_update() first. Outside a run, starting a timer updates it. */
BRINK_API uint64_t brink_loop_now(brink_loop *loop);
BRINK_API void brink_loop_update(brink_loop *loop);

/* To be called in the child after fork(), before anything else is done with the loop
 * there: gives the child a kernel queue and a wakeup pipe of its own. The calling
 * thread becomes the loop's. Watches, timers, signals and hooks stay started; tasks
 * that the program posted and were not called belong to the parent and are dropped here. Children
 * watched by the parent are not the child's: they are stopped. The parent's loop is
 * not affected by the fork, whether or not the child calls this.
 * Where another thread than the loop's forks, the loop must be in its wait or not run:
 * what its thread is changing at that moment stays half changed in the child. So does a socket
 * that a thread of the parent's is writing to, failing or releasing, and one that an executor
 * reads for, which the child has not: fork before such threads, or leave the loop alone and
 * destroy it.
 *   -ENOMEM, -EMFILE, -ENFILE   try again, or destroy the loop */
BRINK_API int brink_loop_after_fork(brink_loop *loop);

/* For a loop inside another one (the host). The host watches brink_loop_fd() for
 * reading and, each time before it waits, calls brink_loop_prepare(), which calls the
 * prepare hooks, hands queued changes to the kernel and sets `*timeout` to the longest the
 * host may sleep, in nanoseconds: 0 for not at all, -1 for no limit. Afterwards it calls
 * brink_loop_run_once(loop, 0), a turn of its own with its own prepare hooks. Ask for the descriptor again after each
 * brink_loop_prepare(): it is another one after brink_loop_after_fork(), when the loop has
 * moved to another thread, and where the kernel's queue had to be opened anew, and then has
 * another number than the one that was asked for last.
 *   -ENOTSUP   brink_loop_fd(): the backend has no such descriptor (poll)
 *   -EBUSY     brink_loop_prepare(): called from inside one of the loop's own callbacks
 *   other      what the kernel said (brink_loop_fd() may make a descriptor) */
BRINK_API int brink_loop_fd(brink_loop *loop);
BRINK_API int brink_loop_prepare(brink_loop *loop, int64_t *timeout);

/* The backend in use, what it can do (BRINK_FEATURE_*), and a line for logs that
 * also says which backends were passed over and why. The texts live as long as the
 * loop. Any thread. */
BRINK_API const char *brink_loop_backend(const brink_loop *loop);
BRINK_API unsigned brink_loop_features(const brink_loop *loop);
BRINK_API const char *brink_loop_description(const brink_loop *loop);

/* A pointer of the user's that the loop only keeps; NULL at first. */
BRINK_API void brink_loop_set_data(brink_loop *loop, void *data);
BRINK_API void *brink_loop_data(const brink_loop *loop);

/* What the loop has done since it was created. */
struct brink_counters {
	uint64_t turns;   /* turns begun */
	uint64_t waits;   /* waits asked of the backend: a system call each, on io_uring seldom two */
	uint64_t events;  /* events that the waits gave */
	uint64_t calls;   /* calls of watches */
	uint64_t changes; /* registrations, changes and removals asked of the backend */
	uint64_t reserved[3];
};
BRINK_API void brink_loop_counters(const brink_loop *loop, struct brink_counters *counters);

BRINK_END_DECLS

#endif
