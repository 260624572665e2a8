/* The client's side of HTTP from inside: fetches in line, one connection. All on the loop's
 * thread. */
#ifndef BRINK_HTTP_CLIENT_H
#define BRINK_HTTP_CLIENT_H

#include "http.h"

#include <brink/loop.h>
#include <brink/task.h>
#include <brink/timer.h>

/* One request and its response. */
struct brink__http_exchange {
	struct brink__http_exchange *next;
	brink_buffer request; /* shared with what is sent, for a second try */
	bool head;            /* its method is HEAD */
	bool repeatable;      /* and may be tried once more */
	bool last;            /* on its connection, as it says itself */
	struct brink__http_head *response;
	brink_buffer body;
	brink_http_part_fn *on_part;
	brink_http_response_fn *on_response;
	void *arg;
};

/* A connection. Lives until its socket's on_close. */
struct brink__http_link {
	brink_http_client *client; /* NULL: it has given the connection up */
	brink_socket_id id;
	struct brink__http_reader reader;
	bool used; /* it has brought a response already */
	bool got;  /* bytes since the last request */
};

struct brink_http_client {
	brink_loop *loop;
	struct brink_address address; /* unless `socket` has a name */
	struct brink_http_limits limits;
	struct brink_socket_options socket;
	uint64_t timeout;
	struct brink__http_link *link;
	struct brink__http_exchange *first, **end;
	bool active;    /* the first was sent */
	bool scheduled; /* `task` is posted */
	bool overdue;   /* its time was over when the timer last went off */
	unsigned char heard; /* turns for which the first has waited, so that news of the connection's were read */
	bool destroyed;
	unsigned calls; /* of the program, that are being made */
	brink_task task;
	brink_timer timer;
	char host[]; /* of the Host header; behind it the name */
};

/* http_exchange.c */
int brink__http_exchange_create(struct brink__http_exchange **exchange, const brink_http_client *client,
                                const struct brink_http_fetch_options *options);
void brink__http_exchange_destroy(struct brink__http_exchange *exchange);
/* What the connection has sent. 1: the response is complete; 0: more follows; or why it is none. */
int brink__http_exchange_take(struct brink__http_exchange *exchange, struct brink__http_reader *reader,
                              brink_buffer *in, bool at_end);

/* http_client_host.c */
int brink__http_client_host(const struct brink_http_client_options *options, char *text, size_t size);

/* http_client.c: has the next exchange begin soon. */
void brink__http_client_schedule(brink_http_client *client);

#endif
