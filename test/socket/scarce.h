/* Too little of something: memory, descriptors, threads. */
#ifndef SOCKET_SCARCE_H
#define SOCKET_SCARCE_H

#include <stdatomic.h>
#include <stdbool.h>

/* Makes the library's allocator one that counts, and whose k-th call, counted over all
 * threads, fails when told so. Before anything else of the library. */
void scarce_memory(void);
void fail_allocation(unsigned k); /* the k-th from now on; 0: none */
bool allocation_failed(void);     /* whether it was reached; no more fail then */
long blocks_live(void);

/* Another who may say so, at each allocation, where it is not NULL: see test/faults/. */
extern bool (*memory_is_out)(void);
/* The scenario has something fail itself. */
extern atomic_bool something_was_scarce;

unsigned descriptors_open(void);
void limit_descriptors(unsigned more); /* how many more can be opened */
void unlimit_descriptors(void);

/* From now on this process is a user's that has no other, and has at most `more` threads
 * beside this one. False where it cannot be done, or does not count. */
bool limit_threads(unsigned more);

#endif
