/* The dispatcher: what a backend does for the loop.
 *
 * A backend knows one kernel mechanism, the descriptor table and nothing else: no
 * timers, no callbacks, no rule of the contract that can be kept above it. It turns
 * what the loop wants reported (slot->open) into registrations, and what the kernel
 * says into an array of events. It never calls back.
 *
 * The agreement between the two sides is one sentence: after add or arm, a readiness
 * in a direction of slot->open that exists already, or comes later, is reported by a
 * wait at least once. The loop needs no more: reports that come twice, for closed
 * directions, or for nothing are found out above (ticket.c), so that a program sees the
 * same on every mechanism.
 *
 * slot->armed is how the backend tells the loop which directions will be reported
 * without another arm. A mechanism that reports once (one-shot polls, EV_DISPATCH,
 * a pollfd whose bit is taken out) clears the bit as it reports; one that keeps the
 * registration (epoll's EPOLLET) leaves it set. The loop calls arm only for a
 * direction that is not armed, or to make the kernel look again after it had reported
 * readiness to a closed direction.
 *
 * Level-triggered slots (slot->level) have no tickets: the backend reports slot->open
 * again and again while it is ready, and arm sets it anew, taking directions away too.
 *
 * What ready means, the same on every mechanism:
 *   READ    there is something to read, to accept, or the end or an error to be read
 *   WRITE   there is room, a connect ended, or a write would fail
 *   EOF     POLLRDHUP, POLLHUP, or EV_EOF on the READ filter: the peer ended its side
 *   ERROR   POLLERR, EV_EOF with an error in fflags, or EV_EOF on a pipe's write end
 *   POLLHUP and ERROR imply both directions, RDHUP implies READ. The loop takes away
 *   what the descriptor was not started for.
 *
 * Streams: where a backend can move bytes, a slot may have a stream (stream.h). Then a READ
 * may mean that bytes or the end are in the stream, and a WRITE that the result of its write is.
 * With disarm such a backend stops to receive, too; what came nevertheless stays in the stream.
 * What is in there when a slot is armed, is reported at once.
 *
 * Memory for later: a slot stays where it is until the loop is destroyed, so a backend
 * may keep pointers to registered slots. add reserves whatever memory the slot may need
 * later; rearming must not fail for want of it.
 *
 * Thread: all operations on the loop's thread; adopt says that it is another one now.
 * Errors: 0 or a count, or a negative errno. Descriptors are close-on-exec. */
#ifndef BRINK_DISPATCHER_H
#define BRINK_DISPATCHER_H

#include "table.h"

#include <brink/backend.h>

/* Beside the bits of an event, from mechanisms that report only changes: urgent data is
 * there, so a read may stop short of what there is. */
#define BRINK__URGENT 64u

struct brink__event {
	struct brink__slot *slot; /* never NULL, never stale at the moment of the wait's return */
	uint32_t ready;           /* BRINK_READ, BRINK_WRITE, BRINK_EOF, BRINK_ERROR, BRINK__URGENT */
};

struct brink__dispatcher; /* each backend has its own */

struct brink__dispatcher_options {
	struct brink__table *table; /* outlives the dispatcher */
	unsigned batch;             /* the largest capacity that wait will be given */
	unsigned ring_entries;      /* io_uring: submission entries */
	unsigned receive_buffers;   /* io_uring: at most so many to receive into; 0: it moves no bytes */
	/* Set by a wait that met a registration which can no longer be removed (its
	 * descriptor was closed while a duplicate of it stays open) and will report again
	 * and again: the loop then opens a new dispatcher and adds all slots. NULL when the
	 * backend is only opened to see whether it works. */
	bool *renew;
};

struct brink__dispatcher_ops {
	const char *name;
	const char *note;  /* one line for brink_backends() */
	unsigned features; /* BRINK_FEATURE_* */

	/* What closes the last descriptor of a file makes the kernel forget it: before that, remove need
	 * not be called. Where others share the file, a wait meets the registration (see renew), and but for that the
	 * dispatcher is as good as before. */
	bool closing_removes;

	/* -ENOSYS or -EPERM where the kernel or a filter refuses the mechanism. */
	int (*open)(struct brink__dispatcher **, const struct brink__dispatcher_options *);

	/* Also called in a forked child on what it inherited: it must not disturb the
	 * parent's kernel object, only let go of it. */
	void (*close)(struct brink__dispatcher *);

	/* Registers slot->token's descriptor for slot->open. The loop has checked that it
	 * is open, of a pollable kind and not registered. On failure nothing remains.
	 * Errors: of the descriptor where they can be told at once (-EBADF, -EPERM), -ENOMEM,
	 * -ENOSPC. A kernel that tells late reports the direction with ERROR instead. */
	int (*add)(struct brink__dispatcher *, struct brink__slot *);

	/* Makes the kernel report slot->open from now on, looking at the present state
	 * first. Directions outside slot->open need not be taken away (edge-triggered). */
	int (*arm)(struct brink__dispatcher *, struct brink__slot *);

	/* Optional (NULL where reporting itself disarms): an event had nothing in it that
	 * was open, so stop reporting what is outside slot->open where repeats can be
	 * frequent, and clear its armed bits. Must not fail. */
	void (*disarm)(struct brink__dispatcher *, struct brink__slot *);

	/* Forgets the slot. On return no later wait reports it, the file is not kept alive
	 * by the mechanism (the peer of a closed socket sees its FIN, a listener's port is
	 * free), and nothing of it is left in queues. The descriptor may be closed already,
	 * or its number be another file's: then that one is not to be disturbed. */
	void (*remove)(struct brink__dispatcher *, struct brink__slot *);

	/* Hands queued changes to the kernel and waits up to `timeout` nanoseconds (0: not
	 * at all, below 0: without end) for events; returns their number, at most
	 * `capacity`. -EINTR when a signal came: the loop computes the remaining time. A slot
	 * may occur several times. More ready slots than `capacity` are reported by the next
	 * waits, and none is passed over for ever. Never returns before the timeout is over
	 * with 0 for want of resolution: it rounds up. */
	int (*wait)(struct brink__dispatcher *, struct brink__event *, int capacity, int64_t timeout);

	/* Optional (NULL where changes take effect at once): hands queued changes to the
	 * kernel, for a host loop that waits on fd. Above 0: the backend holds events that
	 * fd does not show, so the host must not wait. */
	int (*flush)(struct brink__dispatcher *);

	/* Optional (BRINK_FEATURE_FD): a descriptor that polls readable when wait(0) would
	 * find events. */
	int (*fd)(struct brink__dispatcher *);

	/* Optional (NULL: none): BRINK_FEATURE_RECEIVE and _SEND, where the kernel
	 * allows them. Slots that have a stream (stream.h) are then served by them. */
	unsigned (*moves)(struct brink__dispatcher *);

	/* Optional: reports what has come of moves, as a wait does but without one, since a child that is forked
	 * now learns it in no other way. To be called until it says 0. */
	int (*gather)(struct brink__dispatcher *, struct brink__event *, int capacity);

	/* Optional: the calling thread may be about to end, or to leave the rest to another. What only it could end, is
	 * ended, and begun anew by the next wait; what has come of moves is reported as by a wait. To be called until
	 * it says 0. */
	int (*rest)(struct brink__dispatcher *, struct brink__event *, int capacity);

	/* Optional: the calling thread will do everything from now on. -EXDEV when the
	 * mechanism cannot change hands: the loop then opens a new one and adds all slots. */
	int (*adopt)(struct brink__dispatcher *);
};

/* Each exists where it is compiled in (HAVE_BACKEND_EPOLL and so on in config.h). */
extern const struct brink__dispatcher_ops brink__epoll;
extern const struct brink__dispatcher_ops brink__kqueue;
extern const struct brink__dispatcher_ops brink__poll;
extern const struct brink__dispatcher_ops brink__io_uring;

#endif
