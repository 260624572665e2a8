/* A ring of io_uring(7): opened as well as the kernel can, bound to one thread, entered.
 *
 * What liburing leaves open, or does differently from version to version, is here. A
 * ring is created disabled and belongs to the thread that enables it, which is the one
 * that first enters it. In a forked child a ring is still the parent's, queues and all:
 * there nothing but brink__ring_close() may be called. */
#ifndef BRINK_RING_H
#define BRINK_RING_H

#include <errno.h>
#include <liburing.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* liburing maps and unmaps rings by system calls of its own. The thread sanitizer does not see them, and
 * would take what another ring did with the same memory for a race. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BRINK__RING_SANITIZED 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define BRINK__RING_SANITIZED 1
#endif
#ifdef BRINK__RING_SANITIZED
#include <sanitizer/tsan_interface.h>
static char brink__ring_memory;
#define BRINK__RING_MAPPED() __tsan_acquire(&brink__ring_memory)
#define BRINK__RING_UNMAPPED() __tsan_release(&brink__ring_memory)
#else
#define BRINK__RING_MAPPED() ((void)0)
#define BRINK__RING_UNMAPPED() ((void)0)
#endif

struct brink__ring {
	struct io_uring uring;
	uint64_t owner; /* the thread that enabled it; 0: none yet */
	pid_t process;
	int bell; /* an eventfd that the kernel signals when there is something to harvest, or -1 */
};

/* A number that no other thread of the process ever has, unlike pthread_self(). */
static inline uint64_t brink__ring_thread(void)
{
	static _Thread_local uint64_t number;
	static atomic_uint_fast64_t last;

	if (number == 0)
		number = atomic_fetch_add(&last, 1) + 1;
	return number;
}

/* The best kind of ring that the kernel knows: since 6.1, since 5.19, and before. The
 * completion queue has twice as many entries, and loses nothing when it overflows. */
static inline int brink__ring_open(struct brink__ring *ring, unsigned entries)
{
	static const unsigned kinds[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
			IORING_SETUP_SUBMIT_ALL,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
		0,
	};
	/* Linux 5.13: multishot polls have no flag of their own, and came with these tags. */
	const unsigned needed = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_RSRC_TAGS;
	int rc = -EINVAL;

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && rc == -EINVAL; i++) {
		struct io_uring_params params = {
			.flags = kinds[i] | IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE,
			.cq_entries = 2 * entries,
		};

		rc = io_uring_queue_init_params(entries, &ring->uring, &params);
	}
	if (rc == 0 && (ring->uring.features & needed) != needed) {
		io_uring_queue_exit(&ring->uring);
		rc = -ENOSYS;
	}
	BRINK__RING_MAPPED();
	ring->owner = 0;
	ring->process = getpid();
	ring->bell = -1;
	return rc;
}

/* The shared library of liburing 2.3 lacks io_uring_enable_rings(). */
static inline int brink__ring_enable(struct brink__ring *ring)
{
	int rc = 0;

	if (ring->owner == 0)
		rc = io_uring_register((unsigned)ring->uring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	if (ring->owner == 0 && rc == 0)
		ring->owner = brink__ring_thread();
	return rc;
}

/* The next entry of the submission queue, handing over what fills it if need be. NULL
 * when the kernel takes no more at the moment: no memory, or too many completions unread. */
static inline struct io_uring_sqe *brink__ring_entry(struct brink__ring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	if (sqe == NULL && io_uring_submit(&ring->uring) > 0)
		sqe = io_uring_get_sqe(&ring->uring);
	return sqe;
}

/* Submits what is written and waits up to `timeout` nanoseconds (below 0: without end)
 * for a completion, in one system call. -ETIME when the time is known to be over: of a
 * call that submitted something the kernel does not tell why it returned. */
static inline int brink__ring_enter(struct brink__ring *ring, int64_t timeout)
{
	struct __kernel_timespec limit = {timeout / 1000000000, timeout % 1000000000};
	bool endless = timeout < 0 || timeout > INT64_MAX / 4; /* the kernel adds the present time */
	bool submits = io_uring_sq_ready(&ring->uring) > 0;
	struct io_uring_cqe *cqe;
	int rc;

	if (timeout == 0)
		return io_uring_submit_and_get_events(&ring->uring);
	rc = io_uring_submit_and_wait_timeout(&ring->uring, &cqe, 1, endless ? NULL : &limit, NULL);
	return rc == -ETIME && submits ? 0 : rc;
}

/* Whether completions are there, or have only to be posted. */
static inline bool brink__ring_waiting(const struct brink__ring *ring)
{
	return io_uring_cq_ready(&ring->uring) > 0 ||
	       (IO_URING_READ_ONCE(*ring->uring.sq.kflags) & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN));
}

/* Writes the cancellation of the request with user_data `data`; `answer` is its own. */
static inline bool brink__ring_write_cancel(struct brink__ring *ring, uint64_t data, uint64_t answer)
{
	struct io_uring_sqe *sqe = brink__ring_entry(ring);

	if (sqe == NULL)
		return false;
	io_uring_prep_cancel64(sqe, data, 0);
	io_uring_sqe_set_data64(sqe, answer);
	return true;
}

/* Whether a cancelled request is over: its last completion is there, or there was nothing
 * to cancel. Completions stay where they are. Which ones overflowed cannot be seen: then it is over when the kernel
 * has nothing left to run (an enter runs a part of it, see uring_flush()). */
static inline bool brink__ring_over(struct brink__ring *ring, uint64_t data, uint64_t answer)
{
	struct io_uring_cqe *cqe;
	unsigned head;

	io_uring_for_each_cqe(&ring->uring, head, cqe)
		if ((cqe->user_data == data && !(cqe->flags & IORING_CQE_F_MORE)) ||
		    (cqe->user_data == answer && cqe->res == -ENOENT))
			return true;
	return (IO_URING_READ_ONCE(*ring->uring.sq.kflags) & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN)) ==
	       IORING_SQ_CQ_OVERFLOW;
}

/* Ends a request, so that nothing holds its file when this returns; an error when it could
 * not be tried, or completions were dropped on the way. Seen on Linux 6.18: on a
 * DEFER_TASKRUN ring submitting the cancellation is not enough, for the request lives on
 * until an enter with GETEVENTS runs its end; on others it is. Waiting for completions is
 * not needed, unless another processor is just completing the request: then that comes a
 * moment later. */
static inline int brink__ring_cancel(struct brink__ring *ring, uint64_t data, uint64_t answer)
{
	int rc;

	if (ring->process != getpid())
		return 0;
	if (!brink__ring_write_cancel(ring, data, answer))
		return -EBUSY;
	rc = io_uring_submit_and_get_events(&ring->uring);
	/* EEXIST: another thread's ring. EBADR: the kernel had no memory for completions. */
	for (int i = 0; i < 1000 && rc != -EEXIST && rc != -EBADR && !brink__ring_over(ring, data, answer); i++) {
		sched_yield();
		rc = io_uring_submit_and_get_events(&ring->uring);
	}
	return rc == -EEXIST || rc == -EBADR ? rc : 0;
}

/* Takes back what is written with user_data `data`, where the kernel has not taken it so far: when it does, the
 * memory and the descriptor may be others'. */
static inline void brink__ring_take_back(struct brink__ring *ring, uint64_t data)
{
	struct io_uring_sq *queue = &ring->uring.sq;
	unsigned at = queue->sqe_tail - io_uring_sq_ready(&ring->uring);

	if (at == queue->sqe_tail || ring->process != getpid())
		return;
	for (; at != queue->sqe_tail; at++) {
		struct io_uring_sqe *sqe = &queue->sqes[at & queue->ring_mask];

		if (sqe->user_data != data)
			continue;
		io_uring_prep_nop(sqe);
		io_uring_sqe_set_data64(sqe, 0);
	}
}

/* A descriptor that polls readable when there is something to harvest. Not the ring's
 * own: whoever sleeps on that of a DEFER_TASKRUN ring is not woken by what the ring's
 * thread has yet to complete (seen on Linux 6.18; only a new look at it tells). */
static inline int brink__ring_bell(struct brink__ring *ring)
{
	int rc;

	if (ring->bell >= 0)
		return ring->bell;
	ring->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ring->bell < 0)
		return -errno;
	rc = io_uring_register_eventfd(&ring->uring, ring->bell);
	/* What came before would not ring it, nor what comes on top of that. */
	if (rc == 0 && brink__ring_waiting(ring))
		(void)!eventfd_write(ring->bell, 1);
	if (rc == 0)
		return ring->bell;
	close(ring->bell);
	ring->bell = -1;
	return rc;
}

/* The kernel lets go of a ring's requests some milliseconds after it was closed, and not
 * at all while a forked child has it mapped. So they are cancelled before, where the
 * kernel can (5.19) and the calling thread may. */
static inline void brink__ring_quiet(struct brink__ring *ring)
{
	struct io_uring_sqe *sqe = NULL;

	if (ring->owner != 0 && ring->process == getpid())
		sqe = brink__ring_entry(ring);
	if (sqe != NULL) {
		io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
		io_uring_sqe_set_data64(sqe, 0);
		io_uring_submit_and_get_events(&ring->uring);
	}
}

static inline void brink__ring_close(struct brink__ring *ring)
{
	if (ring->bell >= 0)
		close(ring->bell);
	BRINK__RING_UNMAPPED();
	io_uring_queue_exit(&ring->uring);
}

#endif
