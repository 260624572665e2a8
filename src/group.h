/* A group from inside. */
#ifndef BRINK_GROUP_INTERNAL_H
#define BRINK_GROUP_INTERNAL_H

#include "loop.h"

#include <poll.h>

enum brink__group_gate { BRINK__GATE_CLOSED, BRINK__GATE_OPEN, BRINK__GATE_CANCELLED };

/* A thread and its loop. */
struct brink__member {
	brink_group *group;
	brink_loop *loop;
	pthread_t thread;
	unsigned index;
	int pinned; /* 0, or why it is not */
	/* Under the group's lock: */
	struct brink_list calls; /* that are waited for: see group_call.c */
	bool over;               /* no more of them are made */
};

struct brink_group {
	/* What placing reads. */
	unsigned size;
	enum brink_placement placement;
	brink_place_fn *place;
	void *arg;
	struct brink__member *members;

	unsigned flags;
	brink_group_fn *on_start, *on_stop;
	char *tag;
	unsigned forks; /* brink__forks when it was made */
	atomic_bool stopping;
	char description[512];

	/* Starting: threads report and wait at the gate, which opens for all or for none. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned reports, started;
	int error; /* the first that was reported */
	enum brink__group_gate gate;

	pthread_mutex_t joining;
	unsigned threads; /* that were started and not joined yet */
	struct pollfd *pipes; /* of the loops, for their end */
	bool ending; /* who destroys it calls what is left on the loops */

	/* Written by each placement in turn: far from what all of them read. */
	_Atomic uint64_t turns;
};

/* Not in a forked child, where there are no such threads. */
static inline bool brink__group_is_ours(const brink_group *group)
{
	return group->forks == brink__forks;
}

/* group_end.c: when no thread is left, or none was started. */
void brink__group_discard(brink_group *group);

/* group_call.c: has `fn` called on the thread of a loop, waits for that, and returns what it did.
 *   -EBUSY      on that thread, which would wait for itself
 *   -ECANCELED  the group has been stopped, and `fn` is not called */
typedef int brink__group_call_fn(void *arg);
int brink__group_call(brink_group *group, unsigned index, brink__group_call_fn *fn, void *arg);
/* On the thread, when its loop has ended: those that were not made are answered, and there are no more. */
void brink__group_calls_end(struct brink__member *member);

#endif
