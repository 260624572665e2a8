/* A listener with what its scenarios need to see of it. */
#ifndef SOCKET_LISTENER_STAGE_H
#define SOCKET_LISTENER_STAGE_H

#include "conformance.h"
#include "scarce.h"

#include <sys/stat.h>

#define STAGE_MANY 64

struct stage {
	brink_loop *loop;
	brink_listener *listener; /* NULL once destroyed */
	struct brink_listener_options options;
	char text[BRINK_ADDRESS_TEXT]; /* options.address */
	unsigned accepted;
	int servers[STAGE_MANY]; /* the latest; those before were closed */
	struct brink_address peer; /* of the last */
	unsigned errors;
	int error; /* the last */
	unsigned drained;
	void (*act)(struct stage *stage); /* at the end of on_accept */
	void (*act_error)(struct stage *stage);
	void (*act_drained)(struct stage *stage);
};

/* Zeroed, with a loop and an address of the kind: the loopback, port 0, or a path that is
 * free. Change the options, and start. */
void open_stage(struct stage *stage, enum kind kind);
int try_stage(struct stage *stage);
void start_stage(struct stage *stage); /* must succeed */
void destroy_listener(struct stage *stage);
/* Closes and destroys everything. */
void close_stage(struct stage *stage);

/* Gives the address in `text` (BRINK_ADDRESS_TEXT bytes) a port, and keeps it from others, also when the listener has
 * ended: by a socket that is bound, as a second one can be while neither listens. UNIX: -1. */
int reserve_port(char *text);

/* A connection to an address: blocking until it stands, then non-blocking. */
int connect_address(const struct brink_address *address);
int try_connect(const struct brink_address *address); /* the descriptor, or a negative errno */
/* `count` connections that lie in the listener's queue. */
void queue_clients(struct stage *stage, int *clients, unsigned count);
void close_all(int *fds, unsigned count);
/* A server that the stage holds, ended as the limit wants to hear of it. */
void end_server(struct stage *stage, unsigned index);
/* A few turns, in which nothing is to be accepted. */
void turn_in_vain(struct stage *stage);
uint64_t turns_of(brink_loop *loop);

/* The path of a UNIX stage, and its file. */
const char *path_of(const struct stage *stage);
bool file_exists(const char *path);

/* valgrind accepts at the limit, and closes again: says so and ends the scenario. */
void skip_under_valgrind(void);

/* From now on accept4() fails with `error`. False where that cannot be done. */
bool refuse_accept(int error);
/* And packet filters of sockets, as to who has no privileges. */
bool refuse_packet_filters(void);

#endif
