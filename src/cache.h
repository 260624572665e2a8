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
	BRINK__CACHE_RUNS,
	BRINK__CACHE_MESSAGES,
	BRINK__CACHE_HEADS,
	BRINK__CACHE_CLASSES
};

/* One for each class, static and constant. */
struct brink__cache {
	enum brink__cache_class class_of; /* "class" would be a word of C++ */
	unsigned batch;                   /* objects that change hands at once */
	unsigned batches;                 /* so many at most lie in the depot */
	size_t size;                      /* of an object; at least two pointers */
};

/* What a kept object is while it is kept. The first of a full batch links that to others. */
struct brink__kept {
	struct brink__kept *next;
	struct brink__kept *next_batch;
};

/* What one thread keeps of one class. There is a spare batch besides the one in use so that
 * a thread that gets and puts by turns at the border of a batch does not go to the depot
 * each time. */
struct brink__magazine {
	struct brink__kept *top;
	unsigned count; /* objects at `top` */
	unsigned limit; /* the size of a batch; 0 before the first use, or if none may be kept */
	struct brink__kept *spare; /* a full batch, or NULL */
	const struct brink__cache *cache;
};

/* The calling thread's. */
extern _Thread_local struct brink__magazine brink__magazines[BRINK__CACHE_CLASSES];

/* With an empty magazine, and with a full one. */
void *brink__cache_get_slowly(const struct brink__cache *cache);
void brink__cache_put_slowly(const struct brink__cache *cache, void *object);

/* An object with anything in it; NULL without memory. Any thread. */
static inline void *brink__cache_get(const struct brink__cache *cache)
{
	struct brink__magazine *magazine = &brink__magazines[cache->class_of];
	struct brink__kept *object = magazine->top;

	if (__builtin_expect(object == NULL, 0))
		return brink__cache_get_slowly(cache);
	magazine->top = object->next;
	magazine->count--;
	return object;
}

/* Puts `object` back, which any thread got from a cache of the same class. */
static inline void brink__cache_put(const struct brink__cache *cache, void *object)
{
	struct brink__magazine *magazine = &brink__magazines[cache->class_of];
	struct brink__kept *kept = object;

	if (__builtin_expect(magazine->count >= magazine->limit, 0)) {
		brink__cache_put_slowly(cache, object);
		return;
	}
	kept->next = magazine->top;
	magazine->top = kept;
	magazine->count++;
}

/* Has `leaving`, which is the same for all, called at the end of the calling thread, and by brink__cache_empty().
 * False: it cannot be, or that end has begun. */
bool brink__cache_hear_leaving(void (*leaving)(void));

/* Frees what the calling thread and the depot keep. */
void brink__cache_empty(void);

/* Whether objects are kept at all. They are not, unless a test wishes it, where a debugging
 * allocator shall see each of them come and go: with --enable-debug, and under the address
 * sanitizer. To be called while no other thread uses a cache. */
void brink__cache_keep(bool keep);

#endif
