/* The kernel mechanisms that a loop can wait with. */
#ifndef BRINK_BACKEND_H
#define BRINK_BACKEND_H

#include <brink/base.h>

BRINK_BEGIN_DECLS

/* What a backend can do beside the contract, which all of them keep. */
#define BRINK_FEATURE_FD 1u        /* brink_loop_fd() gives a descriptor that a host loop can watch */
#define BRINK_FEATURE_SCALES 2u    /* the cost of a turn does not grow with idle descriptors */
#define BRINK_FEATURE_QUEUED 4u    /* changes travel with the next wait, not as calls of their own */
#define BRINK_FEATURE_STAND_IN 8u  /* an imitation of the kernel's mechanism, for tests */
/* What it does for the sockets of brink/socket.h beside telling readiness. Each depends on the
 * kernel, and is found out when a loop is made. */
#define BRINK_FEATURE_RECEIVE 16u /* bytes are received by one standing request, into buffers of its choice */
#define BRINK_FEATURE_SEND 32u    /* what a turn writes travels with the next wait */

struct brink_backend_info {
	const char *name;  /* "epoll", "kqueue", "poll" or "io_uring" */
	int status;        /* 0: works here; else the negative errno of the attempt to open it */
	unsigned features; /* BRINK_FEATURE_*; if it works, also those that depend on the kernel. A loop has fewer where
	                    * its options or BRINK_COMPLETIONS want it */
	int is_default;    /* 1 for the one that is used when nothing is said */
	const char *note;  /* one static line: what it is, or how this system lets it be enabled */
};

/* Writes up to `capacity` entries, one for each backend that is compiled in, the
 * default first, to `list` (may be NULL when `capacity` is 0) and returns how many
 * are compiled in. Each is opened and closed once to see whether it works here.
 * Any thread. */
BRINK_API size_t brink_backends(struct brink_backend_info *list, size_t capacity);

BRINK_END_DECLS

#endif
