/* The listener from inside. */
#ifndef BRINK_LISTENER_INTERNAL_H
#define BRINK_LISTENER_INTERNAL_H

#include "table.h"

#include <brink/listener.h>
#include <brink/task.h>
#include <brink/timer.h>
#include <brink/watch.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* The file of a UNIX socket that this process made. */
struct brink__unix_file {
	bool made;
	pid_t maker; /* a forked child leaves its parent's file alone */
	dev_t device;
	ino_t inode;
};

#define BRINK__LISTEN_OPTIONS 5

/* Options that connections are to have: set on the listener, from which most systems let
 * them inherit. Which do is seen at the first connection. */
struct brink__listen_options {
	struct {
		int level, name, value;
		bool each; /* has to be set on each connection */
	} list[BRINK__LISTEN_OPTIONS];
	unsigned count;
	bool known; /* a connection was looked at */
};

/* How many connections are open, and who still needs the memory: the only part that other
 * threads touch, under `lock`. */
struct brink__listen_limit {
	pthread_mutex_t lock;
	unsigned most; /* 0: no limit; never changes */
	unsigned connections;
	/* The owner, each counted connection, and each call that is under way. */
	uint64_t holds;
	bool wants_room; /* the next connection that ends posts `room` */
	bool posted;
	bool ended; /* destroyed: nothing is posted any more */
	brink_task room;
};

/* Of several listeners on several loops, for any thread. Who sets `paused` back has each of
 * them go on. */
struct brink__listen_shared {
	atomic_bool paused;
	_Atomic uint64_t shed, errors; /* as the listeners count them, together */
};

struct brink_listener {
	brink_loop *loop;
	brink_watch watch;
	brink_timer timer; /* the next attempt, or the end of a drain's wait */
	brink_accept_fn *on_accept;
	brink_listener_error_fn *on_error;
	brink_listener_drained_fn *on_drained;
	/* The drain has begun to wait for a connection's end or a descriptor; at each wait. For the server, or NULL. */
	void (*on_short)(void *arg);
	void *arg;
	int fd;    /* -1 after the drain */
	int spare; /* for shedding; -1: none */
	unsigned flags, budget;
	uint64_t retry_first, retry_next, drain_wait;
	int reported; /* the error of the present episode; 0: none */
	bool handed_over;
	bool paused;
	bool full;
	bool retrying; /* the timer's end is the next attempt */
	bool draining;
	bool wants_hops; /* so do connections that have come since, until they are told otherwise */
	bool gone; /* destroyed, while a call of it is under way */
	uint64_t drain_end; /* not drained before this time */
	/* While it drains and is full, whether the queue is empty can only be seen by taking
	 * a connection out, which then has to wait for room here. -1: none. */
	int held;
	struct brink_address held_peer;
	struct brink_address address;
	struct brink__unix_file file;
	struct brink__listen_options options;
	struct brink__listen_limit limit;
	struct brink_accept_counters counters;
	struct brink__listen_shared *shared; /* NULL: nothing; must outlive it */
};

/* listener.c */
/* Then what it accepts is, too. Known while it listens. */
static inline bool brink__listener_is_tcp(const brink_listener *listener)
{
	return listener->watch.slot != NULL && listener->watch.slot->kind == BRINK__KIND_TCP;
}
/* Goes on accepting in the next turn, if nothing stands against it. */
void brink__listener_go_on(brink_listener *listener);
void brink__listener_close(brink_listener *listener);

/* listener_accept.c */
void brink__listener_ready(brink_watch *watch, unsigned ready);
void brink__listener_timer(brink_timer *timer);
/* Ends the wait for the next attempt; who calls it has the listener go on. */
void brink__listener_retry_now(brink_listener *listener);
bool brink__listener_may_accept(const brink_listener *listener);
int brink__listener_open_spare(const brink_listener *listener);

/* listener_limit.c */
int brink__listen_limit_init(brink_listener *listener, unsigned most);
void brink__listener_hold(brink_listener *listener);
/* Frees it with the last one. */
void brink__listener_release(brink_listener *listener);
/* Counts a connection; the listener may be full then. */
void brink__listener_count(brink_listener *listener);
/* From here on other threads leave the loop alone. */
void brink__listen_limit_end(brink_listener *listener);

/* listen_bind.c: a listening socket as the options want it. */
int brink__listen_open(brink_listener *listener, const struct brink_listener_options *options);

/* listen_unix.c */
int brink__unix_bind(int fd, const struct brink_address *address, const struct brink_listener_options *options,
                     struct brink__unix_file *file);
void brink__unix_remove(const struct brink_address *address, struct brink__unix_file *file);

/* listen_options.c */
int brink__listen_options_set(brink_listener *listener, const struct brink_listener_options *options);
void brink__listen_options_apply(brink_listener *listener, int fd);

#endif
