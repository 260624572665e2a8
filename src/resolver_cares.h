/* What asks c-ares, from inside:
 *
 *   resolver_cares.c     what is asked, and the answers
 *   resolver_channel.c   how it is called: when what it waits for has come */
#ifndef BRINK_RESOLVER_CARES_H
#define BRINK_RESOLVER_CARES_H

#include "os.h"
#include "resolver.h"

#include <ares.h>

struct brink__names {
	brink_loop *loop;
	ares_channel channel;
	brink_timer timer;
	struct brink_list doors;
	struct brink__sigpipe held; /* while c-ares is called */
	unsigned depth; /* of our calls to it */
	int trouble; /* a descriptor could not be watched; 0 */
	int cancelling; /* all that is asked for, with this error; 0 */
	struct brink_list postponed; /* asks that came meanwhile */
	bool closing;
	unsigned forks; /* brink__forks when it was made */
};

/* Around each call of c-ares, which may write to a TCP connection that is gone, and change what it waits
 * for. From its callbacks it is called again. */
void brink__cares_enter(struct brink__names *names);
void brink__cares_leave(struct brink__names *names);
void brink__cares_ask_postponed(struct brink__names *names);

#endif
