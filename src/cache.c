/* The magazines of Bonwick and Adams, without their adapting sizes: see cache.h. */
#include "config.h"

#include "cache.h"
#include "memory.h"

#include <pthread.h>
#include <stdatomic.h>

/* Whether a thread's destructor is known, and when it has run. */
static _Thread_local enum { THREAD_NEW, THREAD_KNOWN, THREAD_LEAVING } state;
static _Thread_local void (*on_leaving)(void);

struct depot {
	struct brink__kept *full;
	atomic_uint batches; /* written under the lock */
};

_Thread_local struct brink__magazine brink__magazines[BRINK__CACHE_CLASSES];
static struct depot depots[BRINK__CACHE_CLASSES];
static pthread_mutex_t depot_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_exit;
static atomic_bool usable; /* written in `prepared`, and at the very end */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif
#if defined(BRINK_DEBUG) || defined(__SANITIZE_ADDRESS__) || defined(ADDRESS_SANITIZER)
static bool keeping = false;
#else
static bool keeping = true;
#endif

static void free_batch(struct brink__kept *object)
{
	while (object != NULL) {
		struct brink__kept *next = object->next;

		brink__free(object);
		object = next;
	}
}

/* ---- the depot ---- */

static void hand_over(const struct brink__cache *cache, struct brink__kept *batch)
{
	struct depot *depot = &depots[cache->class_of];
	unsigned batches;

	pthread_mutex_lock(&depot_lock);
	/* Relaxed: only the lock orders anything here. */
	batches = atomic_load_explicit(&depot->batches, memory_order_relaxed);
	if (batches < cache->batches) {
		batch->next_batch = depot->full;
		depot->full = batch;
		atomic_store_explicit(&depot->batches, batches + 1, memory_order_relaxed);
		batch = NULL;
	}
	pthread_mutex_unlock(&depot_lock);
	free_batch(batch);
}

/* A full batch, or NULL. */
static struct brink__kept *fetch(const struct brink__cache *cache)
{
	struct depot *depot = &depots[cache->class_of];
	struct brink__kept *batch;
	unsigned batches;

	/* Relaxed: a hint that saves the lock; the worst is an allocation more, or a look for
	 * nothing. */
	if (atomic_load_explicit(&depot->batches, memory_order_relaxed) == 0)
		return NULL;
	pthread_mutex_lock(&depot_lock);
	batch = depot->full;
	if (batch != NULL) {
		depot->full = batch->next_batch;
		batches = atomic_load_explicit(&depot->batches, memory_order_relaxed);
		atomic_store_explicit(&depot->batches, batches - 1, memory_order_relaxed);
	}
	pthread_mutex_unlock(&depot_lock);
	return batch;
}

/* ---- threads that come and go, and processes ---- */

static void give_all(struct brink__magazine *magazine, bool to_depot)
{
	struct brink__kept *top = magazine->top, *spare = magazine->spare;
	bool full = magazine->limit != 0 && magazine->count == magazine->limit;

	magazine->top = magazine->spare = NULL;
	magazine->count = 0;
	if (spare != NULL && to_depot)
		hand_over(magazine->cache, spare);
	else
		free_batch(spare);
	if (full && to_depot)
		hand_over(magazine->cache, top);
	else
		free_batch(top);
}

/* The destructor of the key. Destructors that come later in this thread may still use
 * buffers: then nothing is kept. */
static void leave(void *value)
{
	(void)value;
	state = THREAD_LEAVING;
	if (on_leaving != NULL)
		on_leaving();
	for (size_t i = 0; i < BRINK__CACHE_CLASSES; i++) {
		give_all(&brink__magazines[i], true);
		brink__magazines[i].limit = 0;
	}
}

static void before_fork(void)
{
	pthread_mutex_lock(&depot_lock);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&depot_lock);
}

static void prepare(void)
{
	if (pthread_key_create(&at_thread_exit, leave) != 0)
		return;
	if (pthread_atfork(before_fork, after_fork, after_fork) != 0) {
		pthread_key_delete(at_thread_exit);
		return;
	}
	usable = true;
}

/* When the library is unloaded, no thread may call into it any more, and what is kept would
 * be lost. At the end of the process it makes no difference; and a program's own allocator
 * may have ended before, so that is not called. */
__attribute__((destructor)) static void end(void)
{
	if (!usable)
		return;
	usable = false;
	pthread_key_delete(at_thread_exit);
	if (brink__memory_is_plain())
		brink__cache_empty();
}

static bool know_thread(void)
{
	if (state != THREAD_NEW)
		return state == THREAD_KNOWN;
	pthread_once(&prepared, prepare);
	/* Any value but NULL: what it is for is found without it. */
	if (!usable || pthread_setspecific(at_thread_exit, &state) != 0)
		return false;
	state = THREAD_KNOWN;
	return true;
}

bool brink__cache_hear_leaving(void (*leaving)(void))
{
	if (on_leaving == NULL && know_thread())
		on_leaving = leaving;
	return state == THREAD_KNOWN;
}

/* Whether the calling thread may keep objects of this class. */
static bool set_up(const struct brink__cache *cache, struct brink__magazine *magazine)
{
	if (magazine->limit != 0)
		return true;
	if (!keeping || !know_thread())
		return false;
	magazine->cache = cache;
	magazine->limit = cache->batch;
	return true;
}

/* ---- get and put ---- */

void *brink__cache_get_slowly(const struct brink__cache *cache)
{
	struct brink__magazine *magazine = &brink__magazines[cache->class_of];
	struct brink__kept *batch = magazine->spare;

	magazine->spare = NULL;
	if (batch == NULL && set_up(cache, magazine))
		batch = fetch(cache);
	if (batch == NULL)
		return brink__resize(NULL, 1, cache->size);
	magazine->top = batch->next;
	magazine->count = cache->batch - 1;
	return batch;
}

void brink__cache_put_slowly(const struct brink__cache *cache, void *object)
{
	struct brink__magazine *magazine = &brink__magazines[cache->class_of];
	struct brink__kept *kept = object, *spare;

	if (!set_up(cache, magazine)) {
		brink__free(object);
		return;
	}
	if (magazine->count == magazine->limit) {
		spare = magazine->spare;
		magazine->spare = magazine->top;
		magazine->top = NULL;
		magazine->count = 0;
		if (spare != NULL)
			hand_over(cache, spare);
	}
	kept->next = magazine->top;
	magazine->top = kept;
	magazine->count++;
}

/* ---- control ---- */

void brink__cache_empty(void)
{
	if (on_leaving != NULL)
		on_leaving();
	for (size_t i = 0; i < BRINK__CACHE_CLASSES; i++) {
		struct brink__kept *batch, *next;

		give_all(&brink__magazines[i], false);
		pthread_mutex_lock(&depot_lock);
		batch = depots[i].full;
		depots[i].full = NULL;
		atomic_store_explicit(&depots[i].batches, 0, memory_order_relaxed);
		pthread_mutex_unlock(&depot_lock);
		for (; batch != NULL; batch = next) {
			next = batch->next_batch;
			free_batch(batch);
		}
	}
}

void brink__cache_keep(bool keep)
{
	brink__cache_empty();
	keeping = keep;
	for (size_t i = 0; i < BRINK__CACHE_CLASSES; i++)
		brink__magazines[i].limit = 0;
}
