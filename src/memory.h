/* All of the library's memory comes from here. */
#ifndef BRINK_MEMORY_INTERNAL_H
#define BRINK_MEMORY_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#define BRINK__CACHE_LINE 64u /* of x86-64, and of most others: a guess costs time alone */

/* Fetches the line at any address into this processor's cache, for writing. GCC's built-in function does so on other
 * processors; on x86-64 it fetches for reading, which leaves the line in the other processor's cache as well, unless
 * -mprfchw says that this instruction is there. Where it is not it does nothing (Intel's manual, PREFETCHW). */
#if defined(__x86_64__)
#define BRINK__PREFETCH_TO_WRITE(address) __asm__ volatile("prefetchw %0" : : "m"(*(const char *)(address)))
#else
#define BRINK__PREFETCH_TO_WRITE(address) __builtin_prefetch((const void *)(address), 1)
#endif

/* As realloc(); NULL without memory, or for an `count * size` that overflows. */
void *brink__resize(void *memory, size_t count, size_t size);

/* Zeroed. */
void *brink__allocate(size_t count, size_t size);

void brink__free(void *memory);

/* Whether it is the C library's, as nobody has set another allocator. */
bool brink__memory_is_plain(void);

#endif
