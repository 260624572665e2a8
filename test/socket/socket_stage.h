/* A socket on one end of a pair, with its callbacks written down and checked: one at a time,
 * on_open first, nothing after on_close, and that once. */
#ifndef SOCKET_STAGE_H
#define SOCKET_STAGE_H

#include "conformance.h"

#include <pthread.h>
#include <stdatomic.h>

struct life {
	struct pair pair; /* `ours` is the socket's and so -1 */
	brink_loop *loop;
	brink_socket_id id;
	int fd; /* the number that the socket has */
	/* The scenario's callbacks, with `arg`, after the call was written down. Where on_bytes
	 * is NULL, the bytes are dropped. on_end stays NULL where the scenario has none. */
	struct brink_socket_options act;
	/* what came */
	atomic_uint opens, arrivals, ends, highs, lows, closes;
	atomic_size_t got; /* bytes that on_bytes took */
	atomic_int error;  /* of on_close, and its text */
	char text[1024];
	atomic_int inside;
};

/* Makes the pair and the socket; `options` (may be NULL) say what is not the default. */
void start_life(struct life *life, brink_loop *loop, enum kind kind, const struct brink_socket_options *options);
/* And waits for on_open. */
void open_life(struct life *life, brink_loop *loop, enum kind kind, const struct brink_socket_options *options);
/* Fails it, if it lives, waits for on_close, and closes the peer's end. */
void end_life(struct life *life);
void expect_close(struct life *life, int error); /* waits for it, and for its error */
brink_socket *held(const struct life *life);     /* a reference; it must live */
bool is_alive(brink_socket_id id);
struct brink_socket_info info_of(brink_socket *socket);

/* Writes `size` bytes of the pattern from `at` on, as one request. 0, or a negative errno. */
int write_pattern(brink_socket *socket, uint64_t at, size_t size, const struct brink_write_options *options);
static inline uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 7 + (at >> 8) * 13 + (at >> 16));
}
/* Much of it at once: sanitizers make a byte at a time dear. */
void lay_pattern(uint8_t *bytes, uint64_t at, size_t size);
void expect_part(const uint8_t *bytes, uint64_t at, size_t size); /* fails where it is not the pattern's */

/* What a peer received. */
struct taken {
	uint8_t *bytes;
	size_t size, room;
	bool ended;
	int error; /* a positive errno: it ended by this */
};
/* Reads until EAGAIN, the end, or an error; at most `most` bytes. */
void take(int fd, struct taken *taken, size_t most);
void expect_pattern(const struct taken *taken, uint64_t size); /* all of it, and no more */
void forget(struct taken *taken);
/* Turns, and reads at the peer, until `condition` holds. */
#define TAKE_UNTIL(life, taken, condition) \
	RUN_UNTIL((life)->loop, (take((life)->pair.theirs, taken, SIZE_MAX), (condition)))

/* Records that describe themselves, for many writers on one connection. */
struct record {
	uint32_t writer, number, size;
};
int write_record(brink_socket *socket, struct record record, const struct brink_write_options *options);
/* The bytes are whole records; those of each writer are numbered from 0 on without a gap, up
 * to counts[writer], which is set. A record that is cut off at the end is let pass if `cut`. */
void check_records(const struct taken *taken, uint32_t *counts, unsigned writers, bool cut);

/* A number below `end`, of a thread's own sequence. */
unsigned random_of(uint64_t *state, unsigned end);
void run_thread(pthread_t *thread, void *(*run)(void *), void *arg);
void join_thread(pthread_t thread);

#endif
