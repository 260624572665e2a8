#include "config.h"

#include "cache.h"
#include "memory.h"

#include <brink/memory.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *from_system(void *memory, size_t size, void *context)
{
	(void)context;
	if (size != 0)
		return realloc(memory, size);
	free(memory);
	return NULL;
}

static brink_allocator_fn *allocator = from_system;
static void *allocator_context;

void brink_set_allocator(brink_allocator_fn *chosen, void *context)
{
	brink__cache_empty(); /* while the one that gave it is there to take it */
	allocator = chosen != NULL ? chosen : from_system;
	allocator_context = context;
}

void *brink__resize(void *memory, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size)
		return NULL;
	return allocator(memory, count * size, allocator_context);
}

void *brink__allocate(size_t count, size_t size)
{
	void *memory = brink__resize(NULL, count, size);

	if (memory != NULL)
		memset(memory, 0, count * size);
	return memory;
}

void brink__free(void *memory)
{
	if (memory != NULL)
		allocator(memory, 0, allocator_context);
}

void *brink_memory_resize(void *memory, size_t size)
{
	if (size != 0)
		return brink__resize(memory, 1, size);
	brink__free(memory);
	return NULL;
}

bool brink__memory_is_plain(void)
{
	return allocator == from_system;
}
