/* A peer's server, in a process of its own. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include "bench.h"

#include <stdatomic.h>
#include <sys/types.h>
#include <time.h>

/* What the library has allocated, in the memory of both processes. */
struct allocations {
	_Atomic uint64_t calls; /* that gave memory */
	_Atomic int64_t bytes;  /* that are not given back */
};

struct server {
	pid_t process; /* its own, or that of what traces it */
	pid_t itself;
	unsigned port;
	int listener; /* its listening socket */
	clockid_t clock;
	struct allocations *allocations;
};

/* Forks; `counted`: its allocations are counted, if it is libbrink's. */
int server_start(struct server *server, const struct contender *contender, bool counted);
/* The same below another program; `prefix` ends with NULL. */
int server_start_traced(struct server *server, const struct contender *contender, const char *const *prefix);
/* Its CPU time so far, in all of its threads. */
uint64_t server_cpu(const struct server *server);
/* Ends it. -1 if it had ended by itself, which it must not. */
int server_stop(struct server *server);

/* The library's allocations are counted in `allocations` from now on. Before any other call. */
void count_allocations(struct allocations *allocations);

#endif
