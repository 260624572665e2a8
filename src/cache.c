/* The magazines of Bonwick and Adams, without their adapting sizes: see cache.h. */
#include "config.h"

#include "cache.h"
#include "memory.h"

#include <pthread.h>
#include <stdatomic.h>

/* What a kept object is while it is kept. The first of a full batch links that to others. */
struct object {
	struct object *next;
	struct object *next_batch;
};

/* What one thread keeps of one class. There is a spare batch besides the one in use so that
 * a thread that gets and puts by turns at the border of a batch does not go to the depot
 * each time. */
struct local {
	struct object *top;
	unsigned count; /* objects at `top` */
	unsigned limit; /* the size of a batch; 0 before the first use, or if none may be kept */
	struct object *spare; /* a full batch, or NULL */
	const struct brink__cache *cache;
};

struct thread {
	struct local of[BRINK__CACHE_CLASSES];
	enum { THREAD_NEW, THREAD_KNOWN, THREAD_LEAVING } state;
};

struct depot {
	struct object *full;
	atomic_uint batches; /* written under the lock */
};

static _Thread_local struct thread self;
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

static void free_batch(struct object *object)
{
	while (object != NULL) {
		struct object *next = object->next;

		brink__free(object);
		object = next;
	}
}

/* ---- the depot ---- */

static void hand_over(const struct brink__cache *cache, struct object *batch)
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
static struct object *fetch(const struct brink__cache *cache)
{
	struct depot *depot = &depots[cache->class_of];
	struct object *batch;
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

static void give_all(struct local *local, bool to_depot)
{
	struct object *top = local->top, *spare = local->spare;
	bool full = local->limit != 0 && local->count == local->limit;

	local->top = local->spare = NULL;
	local->count = 0;
	if (spare != NULL && to_depot)
		hand_over(local->cache, spare);
	else
		free_batch(spare);
	if (full && to_depot)
		hand_over(local->cache, top);
	else
		free_batch(top);
}

/* The destructor of the key. Destructors that come later in this thread may still use
 * buffers: then nothing is kept. */
static void leave(void *value)
{
	struct thread *thread = value;

	thread->state = THREAD_LEAVING;
	for (size_t i = 0; i < BRINK__CACHE_CLASSES; i++) {
		give_all(&thread->of[i], true);
		thread->of[i].limit = 0;
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

/* Whether the calling thread may keep objects of this class. */
static bool set_up(const struct brink__cache *cache, struct local *local)
{
	if (local->limit != 0)
		return true;
	if (!keeping || self.state == THREAD_LEAVING)
		return false;
	pthread_once(&prepared, prepare);
	if (!usable)
		return false;
	if (self.state == THREAD_NEW && pthread_setspecific(at_thread_exit, &self) != 0)
		return false;
	self.state = THREAD_KNOWN;
	local->cache = cache;
	local->limit = cache->batch;
	return true;
}

/* ---- get and put ---- */

static void *get_slowly(const struct brink__cache *cache, struct local *local)
{
	struct object *batch = local->spare;

	local->spare = NULL;
	if (batch == NULL && set_up(cache, local))
		batch = fetch(cache);
	if (batch == NULL)
		return brink__resize(NULL, 1, cache->size);
	local->top = batch->next;
	local->count = cache->batch - 1;
	return batch;
}

void *brink__cache_get(const struct brink__cache *cache)
{
	struct local *local = &self.of[cache->class_of];
	struct object *object = local->top;

	if (__builtin_expect(object == NULL, 0))
		return get_slowly(cache, local);
	local->top = object->next;
	local->count--;
	return object;
}

static void put_slowly(const struct brink__cache *cache, struct local *local, struct object *object)
{
	if (!set_up(cache, local)) {
		brink__free(object);
		return;
	}
	if (local->count == local->limit) {
		struct object *spare = local->spare;

		local->spare = local->top;
		local->top = NULL;
		local->count = 0;
		if (spare != NULL)
			hand_over(cache, spare);
	}
	object->next = local->top;
	local->top = object;
	local->count++;
}

void brink__cache_put(const struct brink__cache *cache, void *object)
{
	struct local *local = &self.of[cache->class_of];
	struct object *kept = object;

	if (__builtin_expect(local->count >= local->limit, 0)) {
		put_slowly(cache, local, kept);
		return;
	}
	kept->next = local->top;
	local->top = kept;
	local->count++;
}

/* ---- control ---- */

void brink__cache_empty(void)
{
	for (size_t i = 0; i < BRINK__CACHE_CLASSES; i++) {
		struct object *batch, *next;

		give_all(&self.of[i], false);
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
		self.of[i].limit = 0;
}
