/* Requests: made, lengthened, let go. See request.h. */
#include "config.h"

#include "request.h"

#include "cache.h"
#include "memory.h"

#include <string.h>

struct brink__request brink__hole;

/* The depot has up to 4 MiB of them: what one fast writer may have queued at a usual limit. */
const struct brink__cache brink__requests = {
	.class_of = BRINK__CACHE_REQUESTS,
	.batch = 64,
	.batches = 256,
	.size = sizeof(struct brink__request),
};

#define RUN_SIZE (offsetof(struct brink__request, bytes) + BRINK__RUN_ROOM)

const struct brink__cache brink__runs = {
	.class_of = BRINK__CACHE_RUNS,
	.batch = 16,
	.batches = 64,
	.size = RUN_SIZE,
};

/* The calling thread's: the last copy that it queued, which is only compared, and the one that it has a claim to. */
static _Thread_local const struct brink__request *recent;
static _Thread_local struct brink__request *claimed;

static inline void init(struct brink__request *request, bool run)
{
	atomic_init(&request->next, NULL);
	request->done = NULL;
	request->end = request->ended = request->copied = false;
	request->run = run;
}

struct brink__request *brink__request_create(void)
{
	struct brink__request *request = brink__cache_get(&brink__requests);

	if (request == NULL)
		return NULL;
	init(request, false);
	atomic_init(&request->fill, BRINK__FILL_SEALED | BRINK__FILL_ONE);
	request->data = (brink_buffer){0};
	return request;
}

/* ---- claims ---- */

void brink__request_let_go(void)
{
	struct brink__request *request = claimed;

	if (request == NULL)
		return;
	claimed = NULL;
	if (atomic_fetch_and(&request->fill, ~BRINK__FILL_CLAIMED) & BRINK__FILL_OVER)
		brink__request_free(request);
}

/* Whether one that comes behind `last` is worth it, and may be had: the end of the thread will be heard of. */
static inline bool may_claim(const struct brink__request *last)
{
	return last != NULL && last == recent && brink__cache_hear_leaving(brink__request_let_go);
}

/* Each line of a run is fetched so many bytes before it is written to. Who sent what was in it has it in another
 * processor's cache, and the exchange that ends each write would wait for it. */
#define AHEAD (4 * BRINK__CACHE_LINE)

static inline void fetch_line(const struct brink__request *run, unsigned place)
{
	if (place < BRINK__RUN_ROOM) /* what lies behind the run is others' */
		BRINK__PREFETCH_TO_WRITE((uintptr_t)run->bytes + place);
}

struct brink__request *brink__request_copy(const struct brink__request *last, const void *bytes, size_t size)
{
	bool claims = may_claim(last), run = claims && last == claimed;
	struct brink__request *request = brink__cache_get(run ? &brink__runs : &brink__requests);

	if (request == NULL)
		return NULL;
	for (unsigned place = 0; run && place < AHEAD; place += BRINK__CACHE_LINE)
		fetch_line(request, place);
	init(request, run);
	request->copied = true;
	request->from = 0;
	memcpy(request->bytes, bytes, size);
	atomic_init(&request->fill, (claims ? BRINK__FILL_CLAIMED : BRINK__FILL_SEALED) | BRINK__FILL_ONE | (unsigned)size);
	if (claims) {
		brink__request_let_go();
		claimed = request;
	}
	recent = request;
	return request;
}

bool brink__request_lengthen(const struct brink__request *last, const void *bytes, size_t size)
{
	struct brink__request *request = claimed;
	unsigned fill, used;

	if (request == NULL || request != last)
		return false;
	fill = atomic_load_explicit(&request->fill, memory_order_relaxed);
	used = fill & BRINK__FILL_BYTES;
	if (fill & BRINK__FILL_SEALED || size > (request->run ? BRINK__RUN_ROOM : BRINK__REQUEST_ROOM) - used)
		return false;
	if (request->run)
		fetch_line(request, used + AHEAD);
	memcpy(request->bytes + used, bytes, size);
	/* It fails only where it was sealed meanwhile. */
	return atomic_compare_exchange_strong(&request->fill, &fill, fill + BRINK__FILL_ONE + (unsigned)size);
}

bool brink__request_link(struct brink__request *previous, struct brink__request *request)
{
	return atomic_exchange(&previous->next, request) == &brink__hole;
}
