/* What the stress scenarios share: threads, chance on each of them, loops on threads, and a
 * server at one address that comes and goes. */
#ifndef SOCKET_STRESS_KIT_H
#define SOCKET_STRESS_KIT_H

#include "conformance.h"

#include <pthread.h>
#include <stdatomic.h>

/* Chance for one thread. The schedule differs from run to run; what is chosen does not. */
struct chance {
	uint64_t state;
};

struct chance new_chance(void); /* on the scenario's thread: from its seed */
uint64_t chance_bits(struct chance *chance);
unsigned chance_below(struct chance *chance, unsigned end); /* 0 <= result < end */
void rest_us(unsigned us);

/* `usual`, fewer in slow builds, more in long runs. */
unsigned rounds(unsigned usual);

/* `count` threads that call `body` with successive elements of an array. */
struct team {
	pthread_t threads[64];
	unsigned count;
};
void start_team(struct team *team, unsigned count, void *(*body)(void *), void *members, size_t size);
void join_team(struct team *team);

brink_group *start_loops(unsigned count); /* on the backend under test */

/* Waits on the scenario's thread for what others do. */
#define WAIT_UNTIL(condition) \
	do { \
		uint64_t wait_until_end_ = hang_deadline(); \
		while (!(condition)) { \
			rest_us(200); \
			if (monotonic_now() > wait_until_end_) \
				FAIL("waited in vain for: %s", #condition); \
		} \
	} while (0)

/* An address at which nobody listens, until a server is started there. Of TCP it is kept by a
 * bound socket, so that nobody else gets the port. */
struct site {
	enum kind kind;
	struct brink_address address;
	int keeper;
};
void open_site(struct site *site, enum kind kind);
int start_at(struct site *site, int backlog); /* a non-blocking listening socket */
void stop_at(struct site *site, int *listener);
void close_site(struct site *site);
int take_one(int listener); /* accepts, non-blocking; -1: nobody is there, or it was reset already */
void reset_fd(int *fd);     /* closes it; TCP: with a reset */

#endif
