/* Names whose answers are the scenario's: they end in ".test", and who is asked for them is a
 * getaddrinfo() of this program's own, or, where the library asks c-ares, a name server. All other
 * names are the system's. */
#ifndef SOCKET_NAMES_STAGE_H
#define SOCKET_NAMES_STAGE_H

#include "conformance.h"

/* Ends the scenario as skipped where the library cannot be made to ask us. */
void need_scripted_names(void);
void need_names_of_the_system(void); /* the same where it cannot ask for those that do not end so */
void forget_names(void); /* at the end of each that needed them */
bool asks_cares(void); /* which has an order of its own, and no threads */

/* From now on `host` has these addresses, in numbers with blanks in between; doubles are given as
 * they are. */
void script_addresses(const char *host, const char *addresses);
/* Or this end, a BRINK_ENONAME or its like. */
void script_error(const char *host, int error);

/* Who asks for a name that begins with "held" gets no answer until they are released. */
void release_names(void);
/* Who asks a name server for one that begins with "once", and asks again, gets no answer. Who asks it for the
 * IPv4 addresses of one that begins with "mute4", or the IPv6 ones of "mute6", gets none until they are released. */
unsigned names_asked(void); /* how often somebody did so far, answered or not */
unsigned names_held(void);  /* how many are without an answer at this moment */

/* A lookup, and what it was called with. */
struct asked {
	brink_lookup lookup;
	unsigned calls, count;
	int error;
	char text[512]; /* the addresses, with blanks in between */
	void (*act)(struct asked *asked); /* in the call */
};
void init_asked(struct asked *asked);
void ask_for(brink_resolver *resolver, struct asked *asked, const char *name);
/* In this order, unless it is c-ares'. */
void expect_answer(brink_loop *loop, struct asked *asked, const char *addresses);
void expect_error(brink_loop *loop, struct asked *asked, int error);
brink_resolver *new_resolver(brink_loop *loop, const struct brink_resolver_options *options);

#endif
