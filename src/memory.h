/* All of the library's memory comes from here. */
#ifndef BRINK_MEMORY_INTERNAL_H
#define BRINK_MEMORY_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#define BRINK__CACHE_LINE 64u /* of x86-64, and of most others: a guess costs time alone */

/* As realloc(); NULL without memory, or for an `count * size` that overflows. */
void *brink__resize(void *memory, size_t count, size_t size);

/* Zeroed. */
void *brink__allocate(size_t count, size_t size);

void brink__free(void *memory);

/* Whether it is the C library's, as nobody has set another allocator. */
bool brink__memory_is_plain(void);

#endif
