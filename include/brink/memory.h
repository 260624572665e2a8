/* The allocator behind every allocation that the library makes. */
#ifndef BRINK_MEMORY_H
#define BRINK_MEMORY_H

#include <brink/base.h>

BRINK_BEGIN_DECLS

/* Behaves like realloc(): `memory` NULL allocates; `size` 0 frees and returns NULL.
 * A NULL for a size above 0 means that there is no memory: the library's function
 * then returns -ENOMEM with nothing changed. Must be callable from any thread that
 * uses the library. */
typedef void *brink_allocator_fn(void *memory, size_t size, void *context);

/* Makes `allocator` (NULL: the C library's) serve all later allocations. It is
 * process-wide: call it before anything else of the library, for what one allocator
 * gave is freed by the one that is set then. What the library keeps for its next use, in
 * the calling thread and for the process, is freed before the setting changes. */
BRINK_API void brink_set_allocator(brink_allocator_fn *allocator, void *context);

/* What the library itself allocates by, for what stands on it, such as a transport: behaves
 * like realloc(), and with a `size` of 0 frees. NULL: there is no memory. Any thread. */
BRINK_API void *brink_memory_resize(void *memory, size_t size);

BRINK_END_DECLS

#endif
