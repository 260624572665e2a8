/* An executor: a bounded pool of threads for code that blocks, which a loop must not.
 *
 * Who posts faster than the threads can work gets -EAGAIN when the executor is full, keeps
 * the task, and is told when there is room: a loop by brink_executor_call_when_free(), any
 * other thread by waiting in brink_executor_wait(). That is how back-pressure reaches the
 * source of the work, such as a connection that is not read meanwhile. */
#ifndef BRINK_EXECUTOR_H
#define BRINK_EXECUTOR_H

#include <brink/base.h>
#include <brink/task.h>

BRINK_BEGIN_DECLS

/* All zero asks for the defaults. */
struct brink_executor_options {
	/* For the names of the threads (tag/index) where the system shows them, there cut to
	 * what fits. Copied. NULL: "executor". */
	const char *tag;
	unsigned threads;  /* 0: one for each processor that the process may use */
	size_t capacity;   /* tasks that may wait for a thread; 0: 1024 */
	void *reserved[4]; /* must be zero */
};

/* Starts all threads, or none. `options` may be NULL. The threads block all signals, so that
 * these reach the program's own threads; a process that is started on one inherits that, unless it
 * is given another mask (posix_spawnattr_setsigmask(3)).
 *   -EINVAL   reserved memory is not zero
 *   -EAGAIN   no more threads
 *   -ENOMEM */
BRINK_API int brink_executor_create(brink_executor **executor,
                                    const struct brink_executor_options *options);

/* Returns when every task that was posted, and those that these posted, has run and the
 * threads have ended. But for its own tasks no thread may be in, or later make, a call on it.
 * In a forked child, which has no such threads, this does nothing. NULL is allowed.
 *   -EBUSY   called from one of its own tasks: nothing happened */
BRINK_API int brink_executor_destroy(brink_executor *executor);

/* Hands `task` to the pool, where one of the threads calls it, once. Tasks are begun in the
 * order of their posts; with several threads a later one may end first. The memory is the
 * executor's until the call begins; from then on it may be posted again or freed. What the
 * caller wrote before is seen by the call. Never waits for room, and never allocates. Any
 * thread, its own tasks included.
 *   -EAGAIN   full: the task is the caller's still */
BRINK_API int brink_executor_post(brink_executor *executor, brink_task *task);

/* The same for `count` tasks at once, linked by `next` from `first` on: all of them or none.
 *   -EAGAIN   there is no room for so many
 *   -EINVAL   there never can be: `count` is above the capacity, or not that of the list */
BRINK_API int brink_executor_post_list(brink_executor *executor, brink_task *first, unsigned count);

/* Tasks that wait for a thread: those that run do not count. Any thread; old at once. */
BRINK_API size_t brink_executor_queued(brink_executor *executor);

/* Blocks until `room` tasks (at least one) can be posted, which others may be faster to do, or
 * `timeout` nanoseconds have passed (below 0: without end). Any thread but loops', which must
 * not block, and the executor's own. Those who wait, in either way, are told in the order in
 * which they came.
 *   -ETIMEDOUT
 *   -EINVAL    `room` is above the capacity
 *   -EDEADLK   called from one of its own tasks */
BRINK_API int brink_executor_wait(brink_executor *executor, size_t room, int64_t timeout);

/* A place in the line of those who wait for room, in the caller's memory, zeroed at first. */
struct brink_executor_room {
	brink_task task; /* the caller sets `task.call` */
	/* the library's */
	struct brink_list link;
	brink_loop *loop;
	size_t wanted;
	void *reserved;
};

/* Posts `place->task` to `loop`, once, as soon as `room` tasks (at least one; a room above the
 * capacity is taken for the capacity) can be posted; at once if they can already. In its call
 * others may have been faster: then post says -EAGAIN again, and one waits again. The memory is
 * the library's until the call begins or is cancelled. A place does not keep the loop
 * running by itself (see brink_loop_ref()), and is to be cancelled before the loop is destroyed.
 * Any thread. */
BRINK_API void brink_executor_call_when_free(brink_executor *executor, brink_loop *loop, size_t room,
                                             brink_executor_room *place);

/* Takes a place in the line back, on the thread of its loop: it will not be called.
 *   -ENOENT   it was not waiting, or has been called */
BRINK_API int brink_executor_cancel_wait(brink_executor *executor, brink_executor_room *place);

BRINK_END_DECLS

#endif
