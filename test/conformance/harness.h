/* The inside of the harness: what the parent process and the scenarios' processes share.
 *
 *   main.c     options
 *   plan.c     which cases there are
 *   run.c      the parent: starts a process for each case, waits for it, judges it
 *   child.c    the process of a case: checks, notes, the look for lost descriptors
 *   probe.c    probes and expectations      } used by
 *   pair.c     descriptors and bytes        } scenarios
 *   report.c   what is printed
 *   driver_cunit.c or driver_plain.c   the order of cases and the verdict */
#ifndef CONFORMANCE_HARNESS_H
#define CONFORMANCE_HARNESS_H

#define HARNESS_ITSELF
#define HERE place.file, place.line
#include "conformance.h"

#include <stdatomic.h>

extern const struct group *const groups[];
extern const size_t group_count;

/* Otherwise: not as the scenario expects, which it may be, since the plan lets it. */
enum verdict { VERDICT_NONE, VERDICT_PASS, VERDICT_FAIL, VERDICT_SKIP, VERDICT_OTHERWISE };

/* ---- the record of a case: memory shared with its process ---- */

#define CALL_LIMIT 1024u
#define NAME_LIMIT 32u
#define NAME_SIZE 24u
#define REASON_SIZE 1024u
#define TEXT_SIZE 16384u

struct call_record {
	uint8_t probe;  /* index of its name */
	uint8_t ready;
	uint8_t merged; /* 1: it belongs to the event of this probe's previous record */
	uint8_t hidden; /* 1: not compared */
};

struct case_record {
	atomic_int verdict; /* who changes it from VERDICT_NONE may write `reason` */
	char reason[REASON_SIZE];
	atomic_uint call_count; /* may exceed the limit: the rest was not written down */
	struct call_record calls[CALL_LIMIT];
	atomic_uint name_count;
	char names[NAME_LIMIT][NAME_SIZE];
	size_t note_length;
	char notes[TEXT_SIZE]; /* lines */
	size_t measure_length;
	char measures[TEXT_SIZE]; /* lines of "cell\tvalue" */
};

/* ---- cases ---- */

struct backend_choice {
	struct brink_backend_info info;
	char label[48]; /* the name, and "(stand-in)" where it is one */
};

struct test_case {
	const struct group *group;
	const struct scenario *scenario;
	const struct backend_choice *backend;
	enum kind kind;
	const char *skip; /* known before it is run: the reason */
	const struct strike *strike; /* a program's own: what its conditions do to this case */

	enum verdict verdict;
	char *reason;
	char *output; /* of its process, when it failed */
	char *trace;
	char *measures;
	uint64_t took; /* ns */
};

enum format { FORMAT_TEXT, FORMAT_TAP, FORMAT_JSON };

/* How a scenario may go: as it expects; so in the end, but not at once, so that a check which fails may be no failure,
 * and a wait in vain is one; or in another way, in which a wait in vain shall end soon, too. */
enum course { AS_EXPECTED, LATER, OTHERWISE };

/* Of a program that runs scenarios in a world which is not as they expect. */
struct conditions {
	/* In the case's process: before the scenario, and when it has come to its end by itself. */
	void (*begin)(const struct test_case *test);
	void (*end)(const struct test_case *test);
	enum course (*course)(const struct test_case *test);
	void (*afterwards)(void); /* where it went so, and a check has failed */
	unsigned long (*progress)(void); /* grows with whatever is of use */
};

struct plan {
	struct test_case *cases; /* ordered by backend, group, scenario, kind */
	size_t count;
	struct backend_choice *backends;
	size_t backend_count;
	size_t next; /* the first case that was not started */
	const struct conditions *conditions; /* NULL: none */
	uint64_t seed;
	uint64_t deadline; /* ns for a case; 0: the default */
	unsigned jobs;
	enum format format;
	bool verbose, table, long_run;
	bool one_kind; /* of each scenario, drawn by the seed */
	char directory[64]; /* for UNIX listeners */
	size_t passed, failed, skipped;
};

const char *kind_name(enum kind kind);
size_t promises_text(const struct scenario *scenario, char *text, size_t size);

/* child.c */
extern bool tiny_rings; /* loops get queues of two entries, where a scenario does not say how many */

/* plan.c */
bool whatever_works(const char *list); /* --backend= asks for whatever works */
void choose_backends(struct plan *plan, const char *list);
void count_refused_backends(struct plan *plan, bool asked_for);
bool is_wanted(const char *pattern, const struct scenario *scenario, enum kind kind); /* by --match=PATTERN, or NULL */
void add_cases(struct plan *plan, const char *pattern);
void free_cases(struct plan *plan);
void free_plan(struct plan *plan);
unsigned default_jobs(void);
void seed_stand_in(uint64_t seed);
void make_directory(struct plan *plan);
void remove_directory(const struct plan *plan);
void remove_files_of(const struct plan *plan, pid_t pid); /* which has ended, and there may be another of this number */
void *must_allocate(void *memory);
/* The part of `argument` after `name`, or NULL when it is another option. */
const char *option_value(const char *argument, const char *name);
uint64_t option_number(const char *argument, const char *text);

/* main.c, or another main */
_Noreturn void bad_usage(const char *what, const char *value);

/* run.c. Waits for the case (and starts some of those after it), judges it, counts it and
 * reports it. Returns its verdict. */
enum verdict run_case(struct plan *plan, size_t index);
/* From now on, a SIGINT and its like end the processes of cases before this one. */
void run_until_interrupted(void);
bool slow_build(void);

/* child.c. Runs a case in the present process and ends it. */
_Noreturn void child_main(const struct plan *plan, const struct test_case *test, struct case_record *record);
/* Runs all of the plan's in the present process, which goes on unless one fails. */
void rehearse(const struct plan *plan);
struct case_record *child_record(void);
const char *child_directory(void);
void random_from(uint64_t value); /* for random numbers in the parent */
/* report.c */
void report_start(const struct plan *plan);
void report_case(const struct plan *plan, size_t index);
void report_end(const struct plan *plan);
void list_scenarios(const char *pattern);

/* driver_*.c: calls run_case for each case in order; returns how many it saw fail. */
size_t drive(struct plan *plan);
const char *driver_name(void);

#endif
