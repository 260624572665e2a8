/* socket-conformance-faulty: the scenarios of test/socket, in which one call of the library's fails.
 *
 * What a scenario expects need not come then, so that a check of its own that fails is no failure of
 * the case, but for CHECK_ALWAYS(). What is one: a crash, an assertion, a complaint of a sanitizer's, a
 * process that hangs, a loop or a thread that spins, and, where the scenario came to its end
 * all the same, memory or descriptors that are left. A fault of which a program sees nothing
 * changes nothing: there the scenario must hold.
 *
 *   sweep.c          the options, and which calls fail
 *   sweep_case.c     the process of a case
 *   sweep_after.c    the end of one whose scenario did not come to its end
 *   sweep_slots.c    the look into the library for these two
 *   sweep_report.c   what is printed */
#ifndef FAULTS_SWEEP_H
#define FAULTS_SWEEP_H

#include "harness.h"
#include "strike.h"

struct strike {
	const struct fault *fault; /* NULL: none comes, and the calls are counted */
	unsigned k;
};

extern const struct conditions faulty_world; /* sweep_case.c */
unsigned long useful_moves(void); /* sweep_after.c: how often, or how much */
void look_afterwards(void);

/* sweep_slots.c */
long blocks_of_slots(void); /* those that the library never gives back */
brink_socket *next_socket(uint32_t *at); /* from 0: each that is alive, with a reference */

/* From a case that was counted: how often the fault could come. */
unsigned counted_calls(const struct test_case *test, size_t fault);

#endif
