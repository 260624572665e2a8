/* A client from inside: client.c has what all kinds share, client_pool.c the pool. */
#ifndef BRINK_CLIENT_INTERNAL_H
#define BRINK_CLIENT_INTERNAL_H

#include "socket.h"

#include <brink/client.h>

struct brink_client {
	enum brink_client_kind kind;
	struct brink__socket_config *config; /* of each connection */
	brink_loop *loop;   /* or */
	brink_group *group;
	_Atomic uint64_t connections; /* made so far */
	_Atomic brink_socket_id single;
	pthread_mutex_t lock; /* of what follows; and who makes the single one has it */
	unsigned max, taken, idle, waiting;
	bool ending;  /* it is being destroyed: nobody takes any more */
	bool failing; /* the latest connection for a place could not be made; until a place is taken again */
	struct brink_list waiters; /* the earliest first */
	brink_socket_id ids[]; /* the idle ones, the latest last; `max` of them */
};

/* client.c */
int brink__client_connect(brink_client *client, brink_socket **socket);
/* It may be used: it has not failed, and no side has ended. */
bool brink__client_is_well(brink_socket *socket);
/* Closes it and gives the reference back. */
void brink__client_part(brink_socket *socket);

/* client_pool.c */
int brink__pool_take(brink_client *client, brink_socket **socket, struct brink_client_wait *wait);
void brink__pool_give(brink_client *client, brink_socket *socket);
void brink__pool_end(brink_client *client);

#endif
