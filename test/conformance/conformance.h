/* What a scenario of the conformance suite is written with.
 *
 * A scenario is a function in the table of its group. The harness runs it once for each
 * backend and each kind of descriptor, in a forked process of its own with a deadline,
 * and takes its word: a CHECK that fails ends the process and is the verdict. When the
 * function returns, every descriptor that it opened must be closed again, and every
 * allocation freed (sanitizers and valgrind look at that).
 *
 *     static void unread_is_silent(enum kind kind)
 *     {
 *         struct pair pair = open_pair(kind, BRINK_READ);
 *         brink_loop *loop = new_loop();
 *         struct probe reader;
 *
 *         start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
 *         expect_silence(loop);
 *         feed(&pair, 3);
 *         expect_event(loop, &reader, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
 *         feed(&pair, 3);
 *         expect_silence(loop);
 *         stop_probe(&reader);
 *         brink_loop_destroy(loop);
 *         close_pair(&pair);
 *     }
 *
 *     static const struct scenario scenarios[] = {
 *         SCENARIO("edge/unread-is-silent", unread_is_silent, KINDS_ALL, .promises = {2}),
 *         NO_MORE_SCENARIOS,
 *     };
 *     const struct group edge_group = {"edge", scenarios};
 *
 * A scenario says what must come and that nothing else comes; it never names a backend,
 * and asks what the backend can do only by can(). What the probes were called with is its trace,
 * which must be the same on every backend of a run. */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include <brink.h>

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- the tables ---- */

enum kind {
	KIND_NONE = 0, /* the scenario has no descriptors of a kind: it runs once a backend */
	KIND_TCP = 1,
	KIND_TCP6 = 2,
	KIND_UNIX = 4, /* a UNIX stream socket */
	KIND_PIPE = 8, /* one end of a pipe: it has one direction only */
	KIND_UDP = 16  /* a connected pair on 127.0.0.1 */
};
#define KINDS_TCP (KIND_TCP | KIND_TCP6)
#define KINDS_STREAM (KINDS_TCP | KIND_UNIX)
#define KINDS_ALL (KINDS_STREAM | KIND_PIPE)

typedef void scenario_fn(enum kind kind);

/* Where a scenario does not apply: shown as a skip with the reason. */
struct exception {
	const char *backend; /* NULL: any */
	unsigned kinds;      /* 0: any */
	const char *why;     /* NULL ends the list */
};

#define TRACE_FREE 1u /* the trace depends on timing or on chance: not compared */
#define LONG_RUN 2u   /* only with --long */

struct scenario {
	const char *name; /* "group/what-it-shows", unique */
	scenario_fn *run;
	unsigned char promises[4]; /* numbers in doc/contract.md; 0 ends the list */
	unsigned kinds;            /* KIND_ bits; 0: KIND_NONE */
	unsigned flags;
	struct exception except[3];
};

/* A line of a group's table; members beyond the first three by name. */
#define SCENARIO(name_, run_, kinds_, ...) {.name = (name_), .run = (run_), .kinds = (kinds_), __VA_ARGS__}
#define NO_MORE_SCENARIOS {.name = NULL}

struct group {
	const char *name;
	const struct scenario *scenarios; /* ends with NO_MORE_SCENARIOS */
};

/* ---- what is run ---- */

const char *backend_name(void);      /* for messages and measurements */
bool can(unsigned feature);          /* the backend has this BRINK_FEATURE_ */
bool is_slow(void);                  /* valgrind or a sanitizer: fewer repetitions, please */
bool is_long(void);                  /* --long: more repetitions */
uint64_t seed(void);                 /* of this scenario, from --seed; printed when it fails */
uint64_t random_bits(void);          /* reproducible from seed(); one thread */
unsigned random_below(unsigned end); /* 0 <= result < end */

/* ---- checks: each ends the scenario when it fails; from any thread ---- */

/* Where a check stands; inside the harness: the scenario's call that led there. */
#ifndef HERE
#define HERE __FILE__, __LINE__
#endif
#define CHECK(condition) ((condition) ? (void)0 : fail(HERE, "%s", #condition))
/* What is promised whatever fails: a callback that comes twice, or too late. See test/faults/. */
#define CHECK_ALWAYS(condition) ((condition) ? (void)0 : fail_always(HERE, "%s", #condition))
#define CHECK_EQ(value, expected) \
	check_eq(HERE, #value " == " #expected, (long long)(value), (long long)(expected))
/* 0, or a negative errno that is shown in words; also for counts where below 0 is an error. */
#define CHECK_OK(result) check_ok(HERE, #result, (long long)(result))
/* A negative errno: CHECK_ERROR(brink_watch_stop(&w), -ENOENT). */
#define CHECK_ERROR(result, expected) \
	check_error(HERE, #result, (long long)(result), (int)(expected))
/* A system call that sets errno: SYSCALL(fd = socket(...)). */
#define SYSCALL(call) ((call) >= 0 ? (void)0 : fail(HERE, "%s: errno %d", #call, errno))
#define FAIL(...) fail(HERE, __VA_ARGS__)
/* Ends the scenario as skipped, with the reason in words. Clean up before. */
#define SKIP(...) skip(__VA_ARGS__)

#define PRINTF_LIKE(string, first) __attribute__((__format__(__printf__, string, first)))
_Noreturn void fail(const char *file, int line, const char *format, ...) PRINTF_LIKE(3, 4);
/* The same where scenarios are run in a world in which their expectations need not hold: this still does. */
_Noreturn void fail_always(const char *file, int line, const char *format, ...) PRINTF_LIKE(3, 4);
_Noreturn void skip(const char *format, ...) PRINTF_LIKE(1, 2);
void check_eq(const char *file, int line, const char *text, long long value, long long expected);
void check_ok(const char *file, int line, const char *text, long long result);
void check_error(const char *file, int line, const char *text, long long result, int expected);

/* ---- loops ---- */

/* A loop on the backend under test. With options: .backend is overwritten. */
brink_loop *new_loop(void);
brink_loop *new_loop_with(const struct brink_loop_options *options);
/* Fills in .backend and creates; for scenarios about the result. */
int try_loop(brink_loop **loop, const struct brink_loop_options *options);

/* One turn that waits a moment (at most 50 ms). Fails on an error; returns the callbacks made. */
int turn(brink_loop *loop);
/* The same, at most 3 ms: while others, of whom the loop does not hear, do something. */
int turn_briefly(brink_loop *loop);
/* Turns until `condition` holds. Only a hang ends it otherwise. */
#define RUN_UNTIL(loop, condition) \
	do { \
		uint64_t run_until_end_ = hang_deadline(); \
		while (!(condition)) { \
			turn_briefly(loop); \
			if (monotonic_now() > run_until_end_) \
				wait_in_vain(HERE, loop, #condition); \
		} \
	} while (0)
_Noreturn void wait_in_vain(const char *file, int line, brink_loop *loop, const char *what);
uint64_t monotonic_now(void); /* ns */
uint64_t hang_deadline(void); /* the time at which something that has not come is called lost */
void sleep_ms(unsigned ms);
void expect_success_of(pid_t child); /* waits for the process, which must exit with 0 */

/* ---- pairs of connected descriptors; all non-blocking, close-on-exec ---- */

struct pair {
	enum kind kind;
	int ours;   /* what is watched */
	int theirs; /* the peer: used with plain system calls */
};

const char *ipv6_missing(void); /* NULL, or in words that this system has no such loopback address */

/* Connected. For a pipe, `directions` says which end is ours: BRINK_READ or BRINK_WRITE. */
struct pair open_pair(enum kind kind, unsigned directions);
void close_pair(struct pair *pair);   /* what is still open (not -1) of it */
void close_ours(struct pair *pair);   /* and sets it to -1; stop its watch before */
void close_theirs(struct pair *pair);
void reset_theirs(struct pair *pair); /* TCP: closes with SO_LINGER 0: our side gets a reset */
void shut_theirs(struct pair *pair);  /* SHUT_WR; for a pipe: closes it */
/* The last three return when our kernel has heard of it. */
/* For who closes an end otherwise, when the other is closed: a closed connection shall not
 * keep its port, of which a long run needs many. close_pair() and close_theirs() do it. */
void give_port_back(const struct pair *pair);

/* A listener on the loopback address of TCP, TCP6 (port 0) or UNIX (in a directory that the
 * harness removes), and connections to it. */
int open_listener(enum kind kind, int backlog);
int connect_to(int listener);                 /* blocking until connected, then non-blocking */
int connect_start(int listener, int *result); /* non-blocking; *result 0 or -EINPROGRESS, ... */
int accept_plain(int listener);               /* waits for one; non-blocking */

void set_nonblocking(int fd);
void close_fd(int *fd); /* checked, and -1 afterwards; nothing when -1 */

/* ---- bytes: plain system calls on one end, bypassing the library ---- */

/* Writes `size` bytes of a running pattern from theirs and waits until they lie at ours. */
void feed(struct pair *pair, size_t size);
void write_all(int fd, const void *bytes, size_t size);   /* waits for room */
void read_exactly(int fd, void *bytes, size_t size);      /* waits for data */
size_t fill(int fd);  /* writes until nothing more fits, for good; returns the bytes */
size_t drain(int fd); /* reads until EAGAIN or the end; returns the bytes */
void drain_for_room(struct pair *pair); /* theirs reads until poll(2) says that ours has room */
void await(int fd, unsigned directions); /* poll(2) until ready (hang-up and error count) */
bool ready_now(int fd, unsigned directions); /* poll(2) says so at this moment */
size_t unread(int fd);                   /* FIONREAD */
void expect_end(int fd);                 /* waits; read() says 0 */
int socket_error(int fd);                /* SO_ERROR, a positive errno or 0 */

/* ---- probes: watches that write down how they were called ---- */

struct probe;
typedef void probe_fn(struct probe *probe, unsigned ready);

struct probe {
	brink_watch watch;
	const char *name; /* in the trace */
	probe_fn *act;    /* after the call was written down; NULL: nothing more */
	void *data;       /* the scenario's */
	unsigned calls;   /* so far */
	unsigned ready;   /* all bits so far */
	unsigned last;    /* bits of the last call */
	size_t bytes;     /* for the act functions below */
	/* the harness's: the name's number in the trace, and the calls that no expectation has
	 * taken yet */
	unsigned id;
	unsigned new_calls, new_ready;
	bool twice; /* a direction is in two of them */
};

/* Zeroes it, names it (a literal of at most 23 characters). `act` may be NULL. */
void init_probe(struct probe *probe, const char *name, probe_fn *act);
/* init_probe (without act) and brink_watch_start, which must succeed. */
void start_probe(brink_loop *loop, struct probe *probe, const char *name, int fd, unsigned interest);
void start_probe_acting(brink_loop *loop, struct probe *probe, const char *name, int fd,
                        unsigned interest, probe_fn *act);
void stop_probe(struct probe *probe);  /* brink_watch_stop, which must succeed */
void close_probe(struct probe *probe, int *fd); /* brink_watch_close; *fd = -1 */
brink_watch_fn probe_called; /* what a probe's watch.call is, for scenarios that start it themselves */

/* Ready-made act functions. */
probe_fn act_drain; /* brink_watch_read until it says no; counts in `bytes`; checks EAGAIN or the end */
probe_fn act_stop;  /* brink_watch_stop on itself */

/* brink_watch_read until it says -EAGAIN or 0; returns that; adds to *bytes if not NULL. */
ssize_t read_to_end(struct probe *probe, size_t *bytes);

/* fill(), and then brink_watch_write until it says -EAGAIN, so that WRITE is handed back. */
void fill_by_watch(struct probe *probe);

/* ---- expectations ---- */

/* The next calls of the probe hold all of `required`, nothing of `forbidden`, and no
 * direction twice. They may come in several calls (kernels split them). Calls that came
 * since the last expectation count. Returns the bits. */
unsigned expect_event(brink_loop *loop, struct probe *probe, unsigned required, unsigned forbidden);
/* The same and exactly one call, for "both in one harvest: one call". */
unsigned expect_one_call(brink_loop *loop, struct probe *probe, unsigned required, unsigned forbidden);
/* No probe has an unexpected call, and for a moment none comes. */
void expect_silence(brink_loop *loop);
/* As expect_silence, but for `direction` (or both) of this probe, after a rearm without readiness:
 * there kernels of the BSD sort may raise an event for nothing (a pipe after a read, an
 * acknowledged segment). Where that is permitted it is measured, rearmed and must soon
 * end; elsewhere it is a failure. */
void expect_quiet(brink_loop *loop, struct probe *probe, unsigned direction);
/* A permitted cell: for a moment, at most `permitted` may come, once a direction. It is
 * measured under the name `cell`, left out of the trace, and returned. */
unsigned observe(brink_loop *loop, struct probe *probe, const char *cell, unsigned permitted);
/* Marks the calls so far as expected (they stay in the trace): for scenarios whose act
 * functions do their own checks. */
void accept_calls(struct probe *probe);
/* The same, and takes them out of the trace: how many come, or when, is not promised. */
void discard_calls(struct probe *probe);

/* Puts a line of the scenario's own into the trace that is compared between backends:
 * results, orders, error codes. */
void note(const char *format, ...) PRINTF_LIKE(1, 2);
/* A measured, permitted cell for the table; not compared. */
void measure(const char *cell, const char *format, ...) PRINTF_LIKE(2, 3);
/* "READ|EOF", or "silence" for 0. In a static buffer, of four used in turn. */
const char *bits_text(unsigned bits);

/* ---- so that a failure inside one of these names the scenario's line ---- */

struct place {
	const char *file;
	int line;
};
extern _Thread_local struct place place;
/* A function and no assignment, because one of these may be an argument of another. */
static inline void be_at(const char *file, int line)
{
	place = (struct place){file, line};
}
#ifndef HARNESS_ITSELF
#define AT_(call) (be_at(__FILE__, __LINE__), call)
#define new_loop() AT_((new_loop)())
#define new_loop_with(options) AT_((new_loop_with)(options))
#define turn(loop) AT_((turn)(loop))
#define expect_success_of(child) AT_((expect_success_of)(child))
#define turn_briefly(loop) AT_((turn_briefly)(loop))
#define open_pair(kind, directions) AT_((open_pair)(kind, directions))
#define close_pair(pair) AT_((close_pair)(pair))
#define open_listener(kind, backlog) AT_((open_listener)(kind, backlog))
#define connect_to(listener) AT_((connect_to)(listener))
#define accept_plain(listener) AT_((accept_plain)(listener))
#define feed(pair, size) AT_((feed)(pair, size))
#define write_all(fd, bytes, size) AT_((write_all)(fd, bytes, size))
#define read_exactly(fd, bytes, size) AT_((read_exactly)(fd, bytes, size))
#define fill(fd) AT_((fill)(fd))
#define drain(fd) AT_((drain)(fd))
#define drain_for_room(pair) AT_((drain_for_room)(pair))
#define await(fd, directions) AT_((await)(fd, directions))
#define expect_end(fd) AT_((expect_end)(fd))
#define start_probe(...) AT_((start_probe)(__VA_ARGS__))
#define start_probe_acting(...) AT_((start_probe_acting)(__VA_ARGS__))
#define stop_probe(probe) AT_((stop_probe)(probe))
#define close_probe(probe, fd) AT_((close_probe)(probe, fd))
#define read_to_end(probe, bytes) AT_((read_to_end)(probe, bytes))
#define fill_by_watch(probe) AT_((fill_by_watch)(probe))
#define expect_event(...) AT_((expect_event)(__VA_ARGS__))
#define expect_one_call(...) AT_((expect_one_call)(__VA_ARGS__))
#define expect_silence(loop) AT_((expect_silence)(loop))
#define expect_quiet(...) AT_((expect_quiet)(__VA_ARGS__))
#define observe(...) AT_((observe)(__VA_ARGS__))
#endif

#endif
