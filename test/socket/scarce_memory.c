#include "scarce.h"

#include <brink.h>

#include <stdatomic.h>
#include <stdlib.h>

static atomic_uint fail_at, calls;
static atomic_long live;

bool (*memory_is_out)(void);
atomic_bool something_was_scarce;

static void *allocate(void *block, size_t size, void *context)
{
	unsigned failing = fail_at;

	(void)context;
	if (size == 0) {
		live -= block != NULL;
		free(block);
		return NULL;
	}
	if (failing != 0 && ++calls == failing)
		return NULL;
	if (memory_is_out != NULL && memory_is_out())
		return NULL;
	live += block == NULL;
	return realloc(block, size);
}

void scarce_memory(void)
{
	brink_set_allocator(allocate, NULL);
}

void fail_allocation(unsigned k)
{
	something_was_scarce = true;
	calls = 0;
	fail_at = k;
}

bool allocation_failed(void)
{
	return calls >= atomic_exchange(&fail_at, 0);
}

long blocks_live(void)
{
	return live;
}
