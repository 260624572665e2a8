/* The faults, and how one is made to come: each call of a kind that the library makes, the allocator's
 * among them, can fail with each error that it may have. */
#ifndef FAULTS_STRIKE_H
#define FAULTS_STRIKE_H

#include <stdbool.h>
#include <stddef.h>

#define SHORT 4095 /* for an error: one byte is written */

struct fault {
	const char *call; /* as calls.c has it */
	int error;
	const char *name; /* of the error */
	bool harmless;    /* a program sees nothing of it */
	unsigned times;   /* that it comes, one after the other */
	const char *backend; /* whose call it is; NULL: each one's */
	bool socket_only; /* only the scenarios of test/socket make the call */
};

extern const struct fault faults[];
#define FAULT_LIMIT 256 /* there are fewer */
extern const size_t fault_count;
bool fault_is_of(const struct fault *fault, const char *backend);
unsigned next_call(unsigned k); /* that fails after the k-th one */

void fault_memory(void); /* the library's memory is what can fail, too: before all else */

/* From now on the k-th call fails as `fault` says; returns whether it has come. */
void fault_begin(const struct fault *fault, unsigned k);
bool fault_end(void);

/* Any thread, between these two. */
bool fault_struck(void);
bool fault_harmless(void);
bool fault_is(const char *call);
int fault_error(void); /* above 0 */
unsigned fault_times(void); /* that it has come */
/* In a forked child it has come. */
void fault_strike(void);

/* Nothing fails, and from now on the calls are counted: how often each fault could come. */
void fault_count_calls(void);
unsigned fault_calls(size_t fault);

/* How often the library has moved bytes, or taken a connection; and whether this thread does it now. */
unsigned long fault_moves(void);
bool fault_is_writing(void);

#endif
