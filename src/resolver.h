/* The resolver from inside.
 *
 *   resolver.c           lookups: their turn, their time, their call
 *   resolver_query.c     a question: read from a text, and its answer
 *   resolver_system.c    asks getaddrinfo(3), on threads; or instead of it, by configure,
 *   resolver_cares.c     asks c-ares, on the loop, by resolver_channel.c
 *
 * A lookup is the caller's, and may go at any time. What is asked for is a query, which is the
 * library's and lives until it is answered: nobody can be kept from answering. */
#ifndef BRINK_RESOLVER_INTERNAL_H
#define BRINK_RESOLVER_INTERNAL_H

#include "loop.h"

#include <brink/resolver.h>

#define BRINK__HOST_MOST 255
#define BRINK__SERVICE_MOST 31

enum brink__query_state { BRINK__QUERY_WAITS, BRINK__QUERY_ASKED, BRINK__QUERY_ANSWERED };

struct brink__query {
	struct brink_list node;   /* among those of the resolver that are in the same state */
	brink_resolver *resolver; /* of the loop's thread, as is: */
	brink_lookup *lookup;     /* NULL: nobody wants the answer any more */
	enum brink__query_state state;
	bool overdue; /* its time is over */
	int family;
	/* The answer. */
	int error;
	unsigned count, room;
	struct brink_address *addresses;
	/* Of who answers. */
	brink_task task;
	struct brink__names *names;
	struct brink_list done;
	/* The question. */
	char host[BRINK__HOST_MOST + 1];
	char service[BRINK__SERVICE_MOST + 1];
	int port; /* -1: the service is a name */
	uint32_t scope; /* of a host that is a number; not in `host`, since not all who answer know of it */
};

/* resolver_query.c */
/* 1: `text` is an address, and is answered already; 0: somebody is to be asked. */
int brink__query_create(struct brink__query **query, const char *text, int family);
void brink__query_free(struct brink__query *query); /* NULL is allowed */
/* The host of a name that brink__query_create() would read, without brackets; "" for a path. */
int brink__query_host(const char *text, char host[BRINK__HOST_MOST + 1]);
/* Room for the `count` addresses of an answer; -ENOMEM. Then each of them, in order; their port is set
 * here if it is a number. */
int brink__query_reserve(struct brink__query *query, size_t count);
void brink__query_add(struct brink__query *query, const struct sockaddr *address, socklen_t length);

/* resolver.c: an answer is there, on the loop's thread; from brink__names_ask(), too. Calls nothing of
 * the program's. The query is the resolver's from here on. */
void brink__resolver_answered(struct brink__query *query);
brink_loop *brink__resolver_loop(const brink_resolver *resolver);
/* For who may ask it after it is destroyed, and is refused then. Any thread. */
void brink__resolver_hold(brink_resolver *resolver);
void brink__resolver_drop(brink_resolver *resolver);

/* Who answers: resolver_system.c or resolver_cares.c. */
struct brink__names;
int brink__names_open(struct brink__names **names, brink_loop *loop, const struct brink_resolver_options *options);
/* The query is its own until it is answered, which it is once. */
int brink__names_ask(struct brink__names *names, struct brink__query *query);
/* No more answers; the queries that it has, which are those in `asked`, are freed when nobody uses them
 * any more. */
void brink__names_close(struct brink__names *names, struct brink_list *asked);

#endif
