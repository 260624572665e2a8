/* What the files of brink-bench share.
 *
 * A contender is a peer (a library, or a loop written by hand), perhaps on a named backend. A
 * benchmark gives each contender the same work, in short slots that alternate with a
 * reference's (reference, A, reference, B, ...), and each slot yields some quantities: see
 * alternate.c. What is said of a quantity is made of the slots' values in statistics.c. */
#ifndef BENCH_H
#define BENCH_H

#include "statistics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define MOST_CONTENDERS 24
#define MOST_QUANTITIES 6

/* The command line. */
struct settings {
	const char *benchmark; /* the subcommand */
	const char *backends;  /* a list, by commas */
	const char *peers;     /* a list, or NULL: all */
	const char *json;      /* a file's name, "-", or NULL */
	unsigned connections, depth, rounds, threads, idle, timers;
	size_t size;
	double slot; /* seconds */
	bool tiny;   /* the shortest run that still checks everything */
};

struct job; /* of the benchmark of tasks */

/* The work that a peer can do; NULL where it cannot. */
struct peer {
	const char *name;
	const char *about;
	bool has_backends;   /* is measured once for each of --backend */
	bool only_by_name;   /* is not among "all" */
	size_t object_bytes; /* of the library's object for a connection in the program's memory */

	/* Sends back whatever comes from connections to `listener`, which is non-blocking, until
	 * it is killed. Returns on an error only: a negative errno. */
	int (*serve)(int listener, const char *backend);
	/* The same over HTTP: each request is answered with make_page(size). */
	int (*serve_http)(int listener, const char *backend, size_t size);

	const struct timer_work *timers;
	const struct job_work *jobs;
	const struct write_work *writes;
};

/* All times in nanoseconds. */
struct timer_work {
	void *(*open)(const char *backend, size_t count);
	void (*start)(void *state, size_t index, uint64_t after);
	void (*stop)(void *state, size_t index);
	void (*postpone)(void *state, size_t index, uint64_t after);
	void (*update)(void *state);   /* read the clock */
	size_t (*expire)(void *state); /* a turn without waiting; returns how many were called so far */
	void (*close)(void *state);
	/* Calls `call` in a callback of the loop. NULL: that would make no difference. */
	void (*inside)(void *state, void (*call)(void *arg), void *arg);
};

struct job_work {
	void *(*open)(const char *backend);
	void (*wake)(void *state);                  /* any thread */
	bool (*woken)(void *state);                 /* a turn: was there a wakeup to wait for? */
	void (*post)(void *state, struct job *job); /* any thread */
	void (*run)(void *state, uint64_t count);   /* until so many jobs were called */
	void (*close)(void *state);
};

struct write_work {
	void *(*open)(int fd, const char *backend);                 /* with a loop's thread, if it has one */
	int (*submit)(void *state, const void *bytes, size_t size); /* any thread; 1: no room, ask wait() */
	void (*wait)(void *state);                                  /* for room */
	void (*close)(void *state);                                 /* sends what is queued, closes fd */
};

/* The peers that were found by configure, in the order of the tables. */
extern const struct peer *const all_peers[];
const struct peer *find_peer(const char *name);

struct contender {
	const struct peer *peer;
	const char *backend; /* NULL: it has none to choose */
	size_t page;         /* bytes that it serves over HTTP */
	char label[48];
	void *state; /* the benchmark's */
};

/* Fills `list` with the chosen contenders that `able` accepts; those of `reference`
 * (NULL: there is none) first. Ends the program where none is left, or --peers or
 * --backend names what there is not, or what cannot do this. */
size_t choose_contenders(const struct settings *settings, const char *reference,
                         bool (*able)(const struct peer *peer), struct contender *list);

/* ---- slots ---- */

struct quantity {
	const char *name;
	const char *unit;
};

/* One slot of a contender: sets a value for each quantity. 0 or a negative errno; what went
 * wrong was said. */
typedef int slot_fn(struct contender *contender, const struct settings *settings, double *values);

struct plan {
	const struct settings *settings;
	const struct quantity *quantities;
	size_t quantity_count;
	struct contender *contenders; /* the first is the reference */
	size_t contender_count;
	slot_fn *slot;
};

/* Runs all slots and reports every quantity of every contender. */
int alternate(const struct plan *plan);

/* ---- reports ---- */

void report_begin(const struct settings *settings);
/* `ratios` may be NULL. */
void report_row(const char *label, const struct quantity *quantity, const struct summary *values,
                const struct summary *ratios);
/* 0, or 1 when the file could not be written. */
int report_end(void);
/* One line that is written over, on a terminal only. NULL erases it. */
void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- the machine ---- */

#define SERVER_SIDE 0
#define CLIENT_SIDE 1

void describe_machine_json(FILE *file);
void describe_machine(FILE *file);
/* Pins the calling thread, where there are two processors. */
void pin_to(unsigned side);
void raise_descriptor_limit(void);
/* Whether it can be run; if not that was said. */
bool has_program(const char *name);
uint64_t nanoseconds(void);

/* ---- the subcommands; each returns the exit status ---- */

int bench_echo(const struct settings *settings);
int bench_idle(const struct settings *settings);
int bench_connect(const struct settings *settings);
int bench_http(const struct settings *settings);
int bench_timers(const struct settings *settings);
int bench_wakeup(const struct settings *settings);
int bench_tasks(const struct settings *settings);
int bench_writers(const struct settings *settings);
int bench_counts(const struct settings *settings);
/* What `counts` runs below valgrind and strace. */
int serve_traced(int argc, char **argv);

#endif
