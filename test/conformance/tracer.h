#ifndef CONFORMANCE_TRACER_H
#define CONFORMANCE_TRACER_H

#include <stdbool.h>
#include <sys/types.h>

/* A process that traces another, as a debugger does. The end of that one is the tracer's first: its parent
 * cannot reap it before. */
struct tracer {
	pid_t pid;
	int life; /* the tracer reaps, and ends, when this is closed */
	int news; /* a byte: it traces; another: the end has come */
};

/* Traces the child `pid`. False where it may not, or the system has no such calls. */
bool start_tracer(struct tracer *tracer, pid_t pid);
void await_traced_end(const struct tracer *tracer);
void end_tracer(struct tracer *tracer);

#endif
