/* The clients: a closed loop that keeps messages in flight and compares every byte that comes
 * back with what was sent, or every reply with the page that it is to have. */
#ifndef BENCH_GENERATOR_H
#define BENCH_GENERATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct generator;

/* Connects `count` clients to `port`. `size`: bytes of a message; `depth`: messages that each
 * keeps in flight. NULL after a complaint. */
struct generator *generator_create(unsigned port, unsigned count, size_t size, unsigned depth);
/* Each of them asks for the page of `size` bytes, and, when it has come, for it again. */
struct generator *generator_create_http(unsigned port, unsigned count, size_t size);
void generator_destroy(struct generator *generator);

/* Round trips, until `trips` were begun or `seconds` are over, and then until the last byte is
 * back. Returns their number, or a negative errno after a complaint. */
int64_t generator_run(struct generator *generator, uint64_t trips, double seconds);

/* A blocking socket that is connected, or a negative errno. `number`: the how-manieth it is. */
int connect_to(unsigned port, unsigned number);

/* The same work as churn: `count` clients at a time connect, send a message, get it back, end
 * their side, and see the server's end. */
int64_t churn(unsigned port, unsigned count, size_t size, double seconds);

#endif
