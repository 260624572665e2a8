/* The loop from inside: its parts, and what the files of src/ call of each other. */
#ifndef BRINK_LOOP_INTERNAL_H
#define BRINK_LOOP_INTERNAL_H

#include "dispatcher.h"
#include "list.h"
#include "os.h"
#include "table.h"
#include "wheel.h"

#include <brink.h>

#include <pthread.h>
#include <stdatomic.h>

/* Our own invariants, checked in debug builds only. */
#ifdef BRINK_DEBUG
#include <assert.h>
#define brink__assert(condition) assert(condition)
#else
#define brink__assert(condition) ((void)0)
#endif

#define BRINK__SIGNAL_WORDS 3 /* bits for signals 0 to 191: more than any system has */

struct brink_loop {
	/* What every turn touches. */
	const struct brink__dispatcher_ops *ops;
	struct brink__dispatcher *dispatcher;
	struct brink__event *events;
	struct brink__slot *ready, **ready_end; /* to be called in the next pass */
	struct brink__table table;
	brink_trace_fn *trace;
	void *trace_context;
	uint64_t now;   /* valid unless the clock is stale: see brink__loop_clock() */
	bool stale_now; /* a wait has passed since the clock was read */
	int64_t references;
	struct brink_counters counters;
	int batch;
	bool inside; /* in run or run_once, on `thread` */
	brink_loop *outer; /* while it is inside: the one in whose callback it is run; NULL */
	bool ending; /* its sockets are: no more of them */
	bool drained; /* the wakeup pipe, in this turn: a call that is not the program's */
	bool woken;   /* by brink_loop_wakeup(), in this turn */
	int host_fd; /* the descriptor that the host was told last; -1: there is no host */
	bool unsent; /* a write of this turn is left to the next wait */
	bool renew;  /* the dispatcher has to be opened anew before the next wait */
	bool shares; /* a registration has outlived the close of its descriptor: others have its file, and may have more */
	bool incomplete; /* the dispatcher does not have all slots: leave it alone until it is renewed */

	/* What other threads and signal handlers touch. */
	_Atomic(brink_task *) posted; /* the latest first */
	atomic_uint connections; /* sockets on this loop: what a group places by */
	atomic_uint features;    /* BRINK_FEATURE_* of the dispatcher */
	atomic_uint visitors;    /* threads of the library that post at this moment */
	_Atomic uintptr_t turning; /* brink__os_thread() of who is in run or run_once; 0 */
	atomic_bool stopping;
	atomic_bool wakeup_pending;
	atomic_bool wakeup_asked; /* for its own sake, by brink_loop_wakeup() */
	_Atomic uintptr_t thread; /* brink__os_thread() of the loop's */
	atomic_bool signalled; /* a bit of `arrived` was set */
	_Atomic uint64_t arrived[BRINK__SIGNAL_WORDS]; /* signals, a bit each */

	brink_task *taken; /* out of `posted`, for the next pass, the earliest first */
	brink_task *called; /* those that the present pass has still to call */
	brink_watch *resting; /* level-triggered watches without a direction: no slot knows them */
	struct brink__wheel wheel;
	struct brink_list hooks[3]; /* by enum brink_hook_point */
	struct brink_list signals;
	struct brink_list children;
	uint32_t sockets; /* those that have started, and are not recycled yet: the last one's index, and 1 more; 0: none */
	struct brink__socket_recent *recent; /* socket_create.c; NULL before the first */
	brink_resolver *resolver; /* of its sockets that bring none; NULL before the first */
	struct brink__piece *flat; /* where small requests to write are gathered; NULL before the first */
	brink_signal child_signal; /* SIGCHLD, while a child is waited for without a pidfd */
	bool child_look; /* child_signal is to be called, though none may have arrived */
	unsigned child_signal_users;
	brink_timer child_timer; /* while a child is resting: see child.c */
	unsigned children_resting;
	unsigned internal_calls; /* calls in this turn that were ours, less those of children; may wrap round below 0 */
	brink_watch wakeup_watch;
	int wakeup_fds[2];
	unsigned forks; /* brink__forks when the loop became this process's */
	unsigned ring_entries;
	unsigned receive_buffers; /* 0: nobody moves bytes but who has them */
	void *data;
	char description[256];
};

/* How many forks separate this process from the one that loaded the library: a loop
 * whose `forks` differs belongs to the parent. */
extern unsigned brink__forks;

static inline bool brink__loop_is_ours(const brink_loop *loop)
{
	return brink__likely(loop->forks == brink__forks);
}

/* The dispatcher is this process's and has all slots. Otherwise the kernel's object may be
 * the parent's, which is to be left alone, or only a part of the slots is in it: the renewal
 * that is due adds them as they are then. */
static inline bool brink__loop_has_kernel(const brink_loop *loop)
{
	return brink__loop_is_ours(loop) && brink__likely(!loop->incomplete);
}

static inline bool brink__loop_on_thread(brink_loop *loop)
{
	return brink__likely(atomic_load_explicit(&loop->thread, memory_order_relaxed) == brink__os_thread());
}

/* BRINK_FEATURE_*, with those that the kernel allows. Any thread, while another may renew the dispatcher. */
static inline unsigned brink__loop_features(const brink_loop *loop)
{
	return atomic_load_explicit(&loop->features, memory_order_relaxed);
}

/* After the dispatcher was opened. */
static inline void brink__loop_note_features(brink_loop *loop)
{
	unsigned moves = loop->ops->moves != NULL ? loop->ops->moves(loop->dispatcher) : 0;

	atomic_store_explicit(&loop->features, loop->ops->features | moves, memory_order_relaxed);
}

static inline bool brink__tasks_waiting(brink_loop *loop)
{
	return atomic_load(&loop->posted) != NULL;
}

static inline bool brink__signals_waiting(brink_loop *loop)
{
	return atomic_load(&loop->signalled);
}

/* Somebody is in the loop's callbacks. In a child that another thread than the loop's has forked nobody is: who was, is
 * the parent's. */
static inline bool brink__loop_is_inside(brink_loop *loop)
{
	return loop->inside && (brink__loop_is_ours(loop) || brink__loop_on_thread(loop));
}

/* How many sockets are on the loop. Nothing is ordered by it: it is a hint for placement. */
static inline void brink__loop_connection_added(brink_loop *loop)
{
	atomic_fetch_add_explicit(&loop->connections, 1, memory_order_relaxed);
}

static inline void brink__loop_connection_removed(brink_loop *loop)
{
	atomic_fetch_sub_explicit(&loop->connections, 1, memory_order_relaxed);
}

static inline unsigned brink__loop_connections(brink_loop *loop)
{
	return atomic_load_explicit(&loop->connections, memory_order_relaxed);
}

/* trace.c */
void brink__trace_emit(brink_loop *loop, enum brink_trace_kind kind, int fd, unsigned bits,
                       const void *object, int64_t value);

static inline void brink__trace(brink_loop *loop, enum brink_trace_kind kind, int fd, unsigned bits,
                                const void *object, int64_t value)
{
	if (brink__unlikely(loop->trace != NULL))
		brink__trace_emit(loop, kind, fd, bits, object, value);
}

/* The clock is read once a turn, by the first who asks: a turn without timers needs none. */
static inline uint64_t brink__loop_clock(brink_loop *loop)
{
	if (brink__unlikely(loop->stale_now))
		brink_loop_update(loop);
	return loop->now;
}

/* The calling thread is in one of the loop's turns: what it posts is found before the loop
 * can sleep. That cannot be said of brink__loop_on_thread(), which is true of the creator
 * until the first run. */
static inline bool brink__loop_turning_here(brink_loop *loop)
{
	return atomic_load_explicit(&loop->turning, memory_order_relaxed) == brink__os_thread();
}

/* Before a read or write of one's own, on the loop's thread, whose EAGAIN will hand the ticket
 * back: an edge that is remembered from earlier is used up by it. */
static inline void brink__watch_use(brink_watch *watch, unsigned direction)
{
	watch->slot->remembered &= (uint8_t)~direction;
}

/* Each _run below makes the calls that are due now and returns how many. */

/* ticket.c */
void brink__tickets_take(brink_loop *loop, const struct brink__event *events, int count);
unsigned brink__tickets_run(brink_loop *loop);
/* Opens `directions` of an owner; `look`: have the kernel look again in any case. */
int brink__ticket_rearm(brink_loop *loop, struct brink__slot *slot, unsigned directions, bool look);
void brink__ticket_again(brink_loop *loop, struct brink__slot *slot, unsigned directions);

/* watch.c */
int brink__watch_check_interest(const brink_watch *watch, unsigned interest);
/* As brink_watch_start(), for a connection that is the library's own: nobody closes it without a stop. */
int brink__watch_start_connection(brink_loop *loop, brink_watch *watch, int fd, unsigned interest);
/* As brink_watch_stop(), by who closes the descriptor next, or replaces what is behind it. */
void brink__watch_stop_closing(brink_watch *watch);
/* Ends a registration whose descriptor is gone, without a look at its watches: their
 * memory may be, too. A stop of them still succeeds. */
void brink__watch_abandon(brink_loop *loop, struct brink__slot *slot);
/* Ends whatever is registered, telling the watches that they are not started. */
void brink__watches_end(brink_loop *loop);

/* watch_ticket.c */
/* Rearms on the loop's thread, taking directions on; `look` as above. */
int brink__watch_rearm_here(brink_watch *watch, unsigned directions, bool look);
int brink__watch_again_here(brink_watch *watch, unsigned directions);

/* watch_io.c */
/* Whether the next read would say -EAGAIN without a call, as the one before has shown that nothing is
 * left: then this was that read. */
bool brink__watch_drained(brink_watch *watch);
/* The read after that, if it has to ask. */
ssize_t brink__watch_readv_on(brink_watch *watch, const struct iovec *parts, int count);

/* watch_remote.c */
/* Rearms from whatever thread this is. */
int brink__watch_hand_back(brink_watch *watch, unsigned directions, bool look);
/* A made-up event, likewise. */
int brink__watch_make_up(brink_watch *watch, unsigned directions);
void brink__watch_withdraw(brink_watch *watch);
void brink__watch_posted(brink_task *task);

/* timer.c */
unsigned brink__timers_run(brink_loop *loop);
void brink__timers_end(brink_loop *loop);
/* Of a timer that is no reason for the loop to run, since what it belongs to is one: its start, for one call; its stop;
 * and what its call begins with. It has a callback and this loop's thread has it: they cannot fail. */
void brink__timer_start_aside(brink_loop *loop, brink_timer *timer, uint64_t after);
void brink__timer_stop_aside(brink_timer *timer);
static inline void brink__timer_aside_came(brink_timer *timer)
{
	timer->loop->references++; /* as it would by a stop */
}

/* task.c */
unsigned brink__tasks_run(brink_loop *loop);
/* The same as brink_task_post(), for who does not know when the loop ends: that may be as soon as the task was
 * called, while we still wake the loop. It waits for its visitors. */
void brink__task_post_visiting(brink_loop *loop, brink_task *task);
/* The same without a wakeup, in a turn of the loop's. */
void brink__task_post_here(brink_loop *loop, brink_task *task);
/* In a forked child: forgets those of the user's, and those that the parent's other threads have to do with. */
void brink__tasks_after_fork(brink_loop *loop);

/* signal.c */
unsigned brink__signals_run(brink_loop *loop);
int brink__signals_after_fork(brink_loop *loop);
void brink__signals_before_fork(void);
void brink__signals_in_parent(void);
void brink__signals_in_child(void);
void brink__signals_end(brink_loop *loop);

/* child.c */
void brink__children_end(brink_loop *loop);

/* hook.c */
unsigned brink__hooks_run(brink_loop *loop, enum brink_hook_point point);
void brink__hooks_end(brink_loop *loop);

/* wakeup.c */
/* Ends the wait for the sake of something else that was handed over. Any thread; signal
 * handlers; keeps errno. */
void brink__wakeup(brink_loop *loop);
int brink__wakeup_open(brink_loop *loop);
void brink__wakeup_close(brink_loop *loop);
int brink__wakeup_after_fork(brink_loop *loop);
/* Sleeps until the next wakeup, on a loop that is being destroyed. */
void brink__wakeup_wait(brink_loop *loop);
/* Takes the wakeup of such a loop: from here on another one is told anew. */
void brink__wakeup_take(brink_loop *loop);

/* resolver.c: the loop's own, made when it is first needed. */
int brink__loop_resolver(brink_loop *loop, brink_resolver **resolver);

/* socket.c */
void brink__sockets_end(brink_loop *loop);
/* Begins that: they end by the loop's tasks, and no more are made. */
void brink__sockets_cancel(brink_loop *loop);
void brink__socket_recent_drop(brink_loop *loop); /* socket_create.c */
void brink__socket_posted(brink_task *task);

/* Tasks that a forked child goes on with: of listener_limit.c, messenger.c, server_stop.c, server_gate.c,
 * server_seat.c, http_client.c or http_none.c */
void brink__listener_room(brink_task *task);
void brink__channel_finish(brink_task *task);
void brink__server_emptied(brink_task *task);
void brink__gate_on_news(brink_task *task);
void brink__gate_on_resume(brink_task *task);
void brink__seat_on_settle(brink_task *task);
void brink__http_client_begin(brink_task *task);

/* choice.c: opens the first backend of a list that works. */
int brink__choose(brink_loop *loop, const char *list);

/* loop_create.c: what a dispatcher of the loop's is opened with. */
struct brink__dispatcher_options brink__loop_dispatcher_options(brink_loop *loop);

/* loop.c: ends what the backend has under way by itself, until the next wait. What has come of it so far is
 * in the sockets' streams then. On the loop's thread. */
void brink__loop_rest(brink_loop *loop);

/* loop.c: takes what has come of it so far, so that a child which is forked now has it. On the loop's thread. */
void brink__loop_gather(brink_loop *loop);

/* What has been moved for the loops that the thread is inside is known to them, and so to the child. */
void brink__loops_before_fork(void);

/* renew.c */
int brink__loop_renew(brink_loop *loop);
int brink__forks_watch(void);

/* log.c */
void brink__log(enum brink_log_level level, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

#endif
