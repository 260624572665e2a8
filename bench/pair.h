/* A contender's server and the clients that it has: its state in the benchmarks of serving. */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include "generator.h"
#include "server.h"

struct pair {
	struct server server;
	struct generator *clients;
	struct generator *idlers; /* connections that are there, and silent; or NULL */
};

bool can_serve(const struct peer *peer);
bool can_serve_http(const struct peer *peer);

/* Starts the servers of all contenders, and connects `clients` clients to each. */
int pairs_start(struct contender *contenders, size_t count, const struct settings *settings, unsigned clients);
/* More connections to one of them, which echo once and then are silent. */
int pair_add_idlers(struct contender *contender, unsigned count);
/* 0, or -1 if one of the servers had ended by itself. */
int pairs_end(struct contender *contenders, size_t count);

/* The slot of a closed loop of round trips: the server's CPU time for one. */
int slot_of_round_trips(struct contender *contender, const struct settings *settings, double *values);

#endif
