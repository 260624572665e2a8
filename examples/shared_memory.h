/* A transport whose bytes go through memory that two processes share. The descriptor, one
 * end of a socketpair(2), is only the door bell: a system call is made to wake one who
 * sleeps, not for each write. */
#ifndef SHARED_MEMORY_H
#define SHARED_MEMORY_H

#include <brink.h>

struct shared_memory;
struct shared_ring;

/* What one side needs: the transport_arg of its socket. Must outlive the socket. */
struct shared_memory_end {
	struct shared_ring *in, *out;
};

/* Shared with the processes that are forked afterwards. NULL: no memory. */
struct shared_memory *shared_memory_create(void);
void shared_memory_destroy(struct shared_memory *memory);
/* `side`: 0 or 1. */
struct shared_memory_end shared_memory_end(struct shared_memory *memory, int side);

extern const struct brink_transport shared_memory_transport;

#endif
