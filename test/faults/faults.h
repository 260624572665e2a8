/* The socket layer when the system says no: each call of a kind in turn, and each allocation in
 * turn, fails with each error that it may have, in every scenario, on every backend. Then the
 * caller is told, every request ends once, on_close comes once a life, no descriptor and no memory is
 * left, nothing hangs, and the loop works on. Errors that are none, such as a write of a few
 * bytes only, change nothing.
 *
 *   table.c      the faults
 *   faults.c     the scenarios run with each of them
 *   names.h      has the library make its calls by calls.c
 *   calls.c      the calls that fail: see strike.h
 *   stage.c      what the scenarios have in common
 *   sweep*.c     another program: see sweep.h
 *   the others   the scenarios */
#ifndef FAULTS_H
#define FAULTS_H

#include <brink.h>

#include "strike.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

unsigned descriptors(void); /* that are open */

/* Of a call of the library's that may fail: whether it went well. */
bool went_well(int result);
extern atomic_uint told_errors; /* calls that did not */

/* ---- checks ---- */

/* A condition that fails ends the program. */
#define CHECK(condition) ((condition) ? (void)0 : not_so(__FILE__, __LINE__, #condition))
_Noreturn void not_so(const char *file, int line, const char *what);

/* ---- scenarios ---- */

struct scenario {
	const char *name;
	void (*run)(void);
	bool has_others; /* threads or processes */
};

/* Each ends with an entry of zeros. */
extern const struct scenario socket_scenarios[], end_scenarios[], executor_scenarios[], listener_scenarios[],
	client_scenarios[], server_scenarios[], loop_scenarios[], datagram_scenarios[],
	lookup_scenarios[], web_scenarios[], tls_scenarios[];

/* ---- a socket and what it is told ---- */

#define LARGE 300000u

struct side {
	brink_loop *loop;
	brink_socket_id id;
	/* On an executor, these two are another thread's. */
	atomic_uint opens;
	atomic_size_t size; /* of what it read */
	unsigned closes, revives, taken, ended;
	int error; /* of the last on_close */
	unsigned accepts;
	bool drained;
};

/* A loop on the present backend; NULL where there is none to be had. */
brink_loop *make_loop(void);
brink_loop *make_roomy_loop(void); /* with queues of the usual length */
brink_group *make_group(unsigned loops); /* likewise */
bool make_side(struct side *side);
void end_side(struct side *side);
struct brink_socket_options options_of(struct side *side);

void turn_loop(brink_loop *loop);
void turn(struct side *side);

void write_some(struct side *side, size_t size, unsigned flags);
/* What the peer can read now; -1 at the end or after an error. */
ssize_t drain(int fd);
/* Both ends talk, ours shuts down, and the peer closes. Returns when on_close has come. */
void talk(struct side *side, int peer);

/* Those of the test, which never fail. */
int listening(struct brink_address *address);
int connect_to(const struct brink_address *address); /* non-blocking afterwards */
void open_pair(int fds[2]);
void open_datagram_pair(int fds[2]);

#endif
