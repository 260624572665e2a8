/* A client's socket, its loop, what its callbacks were called with, and a server that is
 * started and stopped at one address: the stage of the scenarios about connecting, timeouts
 * and revival. */
#ifndef SOCKET_CLIENT_STAGE_H
#define SOCKET_CLIENT_STAGE_H

#include "conformance.h"

#include <stdatomic.h>

/* How often a server can be started at one address. For TCP all are bound from the
 * beginning, and take the address in turn, so that nobody else gets the port in between. */
#define SERVER_STARTS 8

struct server {
	enum kind kind;
	struct brink_address address;
	int sockets[SERVER_STARTS];
	unsigned starts;
	int listener; /* -1: not running: connects are refused */
};

void open_server(struct server *server, enum kind kind); /* does not start it */
void start_server(struct server *server, int backlog);
void stop_server(struct server *server); /* if it runs */
void close_server(struct server *server);

/* From now on a connect to the server, which runs with a backlog of 0, hangs. */
struct crowd {
	int fds[64];
	unsigned count;
};
void crowd_server(struct server *server, struct crowd *crowd);
void disperse(struct crowd *crowd);

/* What the callbacks were called with. */
struct seen {
	unsigned opens, calls, ends, closes, revives, writes;
	int error; /* of the last close */
	int write_error; /* of the last write that failed */
	char text[64];
	char bytes[256]; /* the first that came in this life */
	size_t size; /* of all that came in this life */
	bool disorder; /* a callback came where it must not */
	bool failed_by_others; /* so that it may do so again before on_revive is called */
	bool open;
	void (*act_open)(brink_socket *socket);
	void (*act_close)(brink_socket_id id);
};

struct client_stage {
	struct server server;
	brink_loop *loop;
	struct brink_socket_options options; /* with callbacks into `seen` */
	brink_socket_id id; /* of the last that was created */
	unsigned created;
	struct seen seen;
};

/* Zeroes `seen` and puts the callbacks that fill it into the options. */
void see(struct seen *seen, struct brink_socket_options *options);
/* The server is not started. Change the options, and create. */
void open_client_stage(struct client_stage *stage, enum kind kind);
void create_client(struct client_stage *stage);
/* Abandons what is left of the client, then waits for its on_close. */
void close_client_stage(struct client_stage *stage);

/* The peer of a client that has just connected to a running server. */
int accept_client(struct client_stage *stage);
/* Turns for so long. */
void turn_for(brink_loop *loop, uint64_t time);
bool resolves(brink_socket_id id);
/* Writes from the test's thread, which must succeed. */
void write_text(brink_socket_id id, const char *text);
void read_text(brink_loop *loop, int fd, const char *text); /* exactly this comes, while the loop turns */

#endif
