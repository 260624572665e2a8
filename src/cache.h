/* Memory for small objects of one size that are made and dropped all the time, often by
 * different threads.
 *
 * Each thread keeps objects that were put back, up to two batches of each class: to get one
 * and to put one is to pop and to push, with no atomic operation. A thread that has too
 * many hands over a whole batch to the depot, which all threads share, and one that has
 * none takes a batch from there: the lock is paid for once a batch. What the depot has no
 * room for is freed. */
#ifndef BRINK_CACHE_H
#define BRINK_CACHE_H

#include <stdbool.h>
#include <stddef.h>

enum brink__cache_class {
	BRINK__CACHE_BLOCKS,
	BRINK__CACHE_LARGE_BLOCKS,
	BRINK__CACHE_PIECES,
	BRINK__CACHE_WRAPPERS,
	BRINK__CACHE_REQUESTS,
	BRINK__CACHE_MESSAGES,
	BRINK__CACHE_CLASSES
};

/* One for each class, static and constant. */
struct brink__cache {
	enum brink__cache_class class_of; /* "class" would be a word of C++ */
	unsigned batch;                   /* objects that change hands at once */
	unsigned batches;                 /* so many at most lie in the depot */
	size_t size;                      /* of an object; at least two pointers */
};

/* An object with anything in it; NULL without memory. Any thread. */
void *brink__cache_get(const struct brink__cache *cache);

/* Puts `object` back, which any thread got from a cache of the same class. */
void brink__cache_put(const struct brink__cache *cache, void *object);

/* Frees what the calling thread and the depot keep. */
void brink__cache_empty(void);

/* Whether objects are kept at all. They are not, unless a test wishes it, where a debugging
 * allocator shall see each of them come and go: with --enable-debug, and under the address
 * sanitizer. To be called while no other thread uses a cache. */
void brink__cache_keep(bool keep);

#endif
