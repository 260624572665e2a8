/* A slot in a process of its own, so that no peer finds the heap as another one left it. */
#ifndef BENCH_CHILD_H
#define BENCH_CHILD_H

#include "bench.h"

/* Calls `slot` in a child, and fetches the `count` values that it sets. */
int in_child(slot_fn *slot, struct contender *contender, const struct settings *settings, double *values,
             size_t count);

#endif
