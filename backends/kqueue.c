/* kqueue(2): FreeBSD, NetBSD, OpenBSD, DragonFly and macOS.
 *
 * Each direction is a filter with EV_DISPATCH: the kernel disables it as it reports, and
 * looks at the present state when it is enabled again. The trickiest thing: a change is
 * computed only when the next wait takes it along, as the difference between what the
 * loop wants then (slot->open) and what the kernel has (slot->mark). A slot may change
 * often in a turn, or be removed and its number be another's, and the kernel sees the last
 * state alone. For this the mark must say at every moment what the kernel has: submit()
 * writes it when changes were taken, interpret() when a filter was disabled or refused. */
#include "config.h"

#include "changes.h"
#include "dispatcher.h"
#include "filters.h"

#include <fcntl.h>
#include <sys/event.h>
#include <time.h>
#include <unistd.h>

/* slot->mark, for a direction: */
#define KNOWN(direction) (direction)          /* the kernel has the filter */
#define ENABLED(direction) ((direction) << 1) /* and will report it */

#ifndef BRINK_KQUEUE_STAND_IN
#define BRINK_KQUEUE_STAND_IN 0
#endif

#define SECOND INT64_C(1000000000)
#define LONGEST (86400 * SECOND) /* kernels refuse timeouts that they find too long; the loop waits again */

struct brink__dispatcher {
	struct brink__table *table;
	struct brink__changes changes;
	int queue;
	pid_t owner;
	int most;     /* slots whose changes fit into the batch, and the most events of a wait */
	int at, have; /* what the kernel said and no wait has passed on lies between them */
	struct kevent batch[];
};

/* One system call: changes of as many queued slots as fit go in, what the kernel says comes out. */
static int submit(struct brink__dispatcher *dispatcher, unsigned flags, int capacity,
                  const struct timespec *timeout)
{
	struct brink__changes *changes = &dispatcher->changes;
	uint32_t left = changes->count > (uint32_t)dispatcher->most ? changes->count - (uint32_t)dispatcher->most : 0;
	int n = 0;

	for (uint32_t i = left; i < changes->count; i++) {
		const struct brink__slot *slot = changes->slots[i];

		n += brink__filters_describe(&dispatcher->batch[n], slot,
		                             brink__filters_wanted(slot) & ~(slot->mark >> 1),
		                             BRINK__FILTER_ENABLE | flags);
	}
	dispatcher->at = dispatcher->have = 0;
	n = brink__filters_exchange(dispatcher->queue, dispatcher->batch, n, n > capacity ? n : capacity, timeout);
	if (n < 0 && n != -EINTR)
		return n;
	/* A signal interrupts the wait; the changes were made before it began. */
	while (changes->count > left) {
		struct brink__slot *slot = changes->slots[changes->count - 1];
		unsigned enabled = brink__filters_wanted(slot);

		brink__changes_take(changes, slot);
		slot->mark |= KNOWN(enabled) | ENABLED(enabled);
		slot->armed &= (uint8_t)(slot->mark >> 1); /* not what was closed before it was enabled */
	}
	dispatcher->have = n < 0 ? 0 : n;
	return n < 0 ? n : 0;
}

/* Hands queued changes over without taking events (EV_RECEIPT has each one answered, which
 * leaves no room for events), until `limit` slots are left or the kernel has refused one.
 * Returns how much of what the kernel said is still to be passed on. */
static int hand_over(struct brink__dispatcher *dispatcher, int limit)
{
	int result = 0, refused;

	while (result == 0 && dispatcher->changes.count > (uint32_t)limit && dispatcher->at == dispatcher->have) {
		refused = 0;
		result = submit(dispatcher, EV_RECEIPT, 0, &(struct timespec){ 0 });
		for (int i = 0; i < dispatcher->have; i++)
			if (dispatcher->batch[i].data != 0)
				dispatcher->batch[refused++] = dispatcher->batch[i];
		dispatcher->have = refused;
	}
	return result < 0 ? result : dispatcher->have - dispatcher->at;
}

static int kq_arm(struct brink__dispatcher *dispatcher, struct brink__slot *slot)
{
	slot->armed |= slot->open;
	brink__changes_put(&dispatcher->changes, slot);
	return 0;
}

/* A filter could not be enabled. A pipe that has lost its reader refuses EVFILT_WRITE for
 * good (NetBSD: EBADF): it is not asked again, for its answers would crowd out events, and
 * EVFILT_READ goes on telling of the end. What was closed and not removed is silent. */
static unsigned refused(struct brink__slot *slot, unsigned direction)
{
	bool wanted = (slot->armed & direction) != 0;

	slot->mark &= ~KNOWN(direction);
	if (!brink__filters_of_pipe(slot) || direction == BRINK_READ)
		slot->mark &= ~ENABLED(direction);
	slot->armed &= (uint8_t)~direction;
	return wanted && fcntl(brink__token_fd(slot->token), F_GETFD) >= 0 ? direction | BRINK_ERROR : 0;
}

static unsigned interpret(struct brink__dispatcher *dispatcher, struct brink__slot *slot,
                          const struct kevent *event)
{
	unsigned direction = brink__filter_direction(event), ready = direction;
	bool end = (event->flags & EV_EOF) != 0;

	if (event->flags & EV_ERROR)
		return refused(slot, direction);
	slot->mark &= ~ENABLED(direction);
	slot->armed &= (uint8_t)~direction;
	if (end && direction == BRINK_READ)
		ready |= BRINK_EOF;
	if (end && event->fflags != 0) /* dead for both, whichever filter says it first */
		ready |= BRINK__DIRECTIONS | BRINK_EOF | BRINK_ERROR;
	if (end && brink__filters_of_pipe(slot) && (slot->armed & BRINK_WRITE || direction == BRINK_WRITE)) {
		ready |= BRINK_WRITE | BRINK_ERROR;
		slot->armed &= (uint8_t)~BRINK_WRITE;
	}
	/* Level-triggered is: enabled again as long as it is wanted. */
	if (slot->level && (end || (slot->open & direction)))
		kq_arm(dispatcher, slot);
	return slot->kind == BRINK__KIND_PIPE_OUT ? ready & (BRINK_WRITE | BRINK_ERROR) : ready;
}

static int pass_on(struct brink__dispatcher *dispatcher, struct brink__event *events, int capacity)
{
	int n = 0;

	while (dispatcher->at < dispatcher->have && n < capacity) {
		const struct kevent *event = &dispatcher->batch[dispatcher->at++];
		struct brink__slot *slot = brink__table_find(dispatcher->table, brink__filter_token(event));
		unsigned ready = slot != NULL ? interpret(dispatcher, slot, event) : 0;

		if (ready != 0)
			events[n++] = (struct brink__event){ .slot = slot, .ready = ready };
	}
	return n;
}

static int kq_open(struct brink__dispatcher **opened, const struct brink__dispatcher_options *options)
{
	int most = options->batch < INT16_MAX ? (int)options->batch : INT16_MAX;
	size_t size = sizeof(struct brink__dispatcher) + 2 * (size_t)most * sizeof(struct kevent);
	struct brink__dispatcher *dispatcher = brink__allocate(1, size);
	int queue = dispatcher != NULL ? kqueue() : -1;

	if (queue < 0) {
		queue = dispatcher != NULL ? -errno : -ENOMEM;
		brink__free(dispatcher);
		return queue;
	}
	fcntl(queue, F_SETFD, FD_CLOEXEC); /* late enough: a forked child does not inherit it */
	dispatcher->table = options->table;
	dispatcher->most = most;
	dispatcher->queue = queue;
	dispatcher->owner = getpid();
	*opened = dispatcher;
	return 0;
}

/* A child does not inherit the queue: there its number is free, or another file's. */
static void kq_close(struct brink__dispatcher *dispatcher)
{
	if (dispatcher->owner == getpid())
		close(dispatcher->queue);
	brink__changes_free(&dispatcher->changes);
	brink__free(dispatcher);
}

/* Filters that went with their descriptor answer ENOENT or EBADF; a successor has none yet. */
static void kq_remove(struct brink__dispatcher *dispatcher, struct brink__slot *slot)
{
	brink__changes_leave(&dispatcher->changes, slot);
	brink__filters_change(dispatcher->queue, slot, slot->mark & KNOWN(BRINK__DIRECTIONS), EV_DELETE);
	slot->mark = slot->armed = 0;
}

/* Devices may have no filters: their errors are wanted now, not with the next wait. */
static int kq_add(struct brink__dispatcher *dispatcher, struct brink__slot *slot)
{
	int result = brink__changes_join(&dispatcher->changes);

	if (result < 0)
		return result;
	if (slot->kind != BRINK__KIND_OTHER)
		return kq_arm(dispatcher, slot);
	result = brink__filters_change(dispatcher->queue, slot, slot->open, BRINK__FILTER_ENABLE);
	slot->mark = KNOWN(slot->open) | ENABLED((uint32_t)slot->open);
	slot->armed = slot->open;
	if (result < 0)
		kq_remove(dispatcher, slot);
	return result;
}

static int kq_wait(struct brink__dispatcher *dispatcher, struct brink__event *events, int capacity,
                   int64_t timeout)
{
	int64_t part = timeout < LONGEST ? timeout : LONGEST;
	struct timespec limit = { .tv_sec = (time_t)(part / SECOND), .tv_nsec = (long)(part % SECOND) };
	int result = hand_over(dispatcher, dispatcher->most);

	capacity = capacity < dispatcher->most ? capacity : dispatcher->most;
	if (result == 0)
		result = submit(dispatcher, 0, capacity, timeout < 0 ? NULL : &limit);
	return result < 0 ? result : pass_on(dispatcher, events, capacity);
}

static int kq_flush(struct brink__dispatcher *dispatcher)
{
	return hand_over(dispatcher, 0);
}

static int kq_fd(struct brink__dispatcher *dispatcher)
{
	return dispatcher->queue;
}

const struct brink__dispatcher_ops brink__kqueue = {
	.name = "kqueue",
	.note = BRINK_KQUEUE_STAND_IN ? "a stand-in for kqueue(2), for tests only" : "kqueue(2)",
	.features = BRINK_FEATURE_FD | BRINK_FEATURE_SCALES | BRINK_FEATURE_QUEUED |
	            (BRINK_KQUEUE_STAND_IN ? BRINK_FEATURE_STAND_IN : 0u),
	.open = kq_open,
	.close = kq_close,
	.add = kq_add,
	.arm = kq_arm,
	.remove = kq_remove,
	.wait = kq_wait,
	.flush = kq_flush,
	.fd = kq_fd,
};
