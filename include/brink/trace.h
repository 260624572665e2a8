/* A look inside the turn: one small record for everything that a loop does. */
#ifndef BRINK_TRACE_H
#define BRINK_TRACE_H

#include <brink/base.h>

BRINK_BEGIN_DECLS

enum brink_trace_kind {
	BRINK_TRACE_WAIT,   /* before a wait: `value` is the timeout in nanoseconds, -1 for none */
	BRINK_TRACE_WOKEN,  /* after it: `value` is the number of events, or a negative errno */
	BRINK_TRACE_EVENT,  /* an event as the backend gave it: `fd`, `bits` */
	BRINK_TRACE_HELD,   /* an event, or a part of one, that found its direction closed: `fd`, `bits` */
	BRINK_TRACE_CALL,   /* before a watch is called: `object`, `fd`, `bits` */
	BRINK_TRACE_TIMER,  /* before a timer is called: `object`, `value` is how late it is in nanoseconds */
	BRINK_TRACE_TASK,   /* before a task is called: `object` */
	BRINK_TRACE_SIGNAL, /* before a signal is called: `object`, `value` is its number */
	BRINK_TRACE_WAKEUP, /* the wakeup pipe was drained and its flag is about to be cleared */
	BRINK_TRACE_ARM     /* the backend was asked to change a registration: `fd`, `bits` open from now on */
};

struct brink_trace_record {
	enum brink_trace_kind kind;
	int fd;             /* -1 where there is none */
	unsigned bits;      /* BRINK_READ, BRINK_WRITE, BRINK_EOF, BRINK_ERROR */
	const void *object; /* the watch, timer, task or signal; NULL where there is none */
	int64_t value;
};

/* Called on the loop's thread. It may post tasks and wake the loop, nothing else. The
 * record is valid during the call. */
typedef void brink_trace_fn(const struct brink_trace_record *record, void *context);

/* Calls `trace` for each record; NULL turns it off, which costs one predictable branch
 * for each record that is not made. */
BRINK_API void brink_loop_set_trace(brink_loop *loop, brink_trace_fn *trace, void *context);

BRINK_END_DECLS

#endif
