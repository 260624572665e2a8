/* A server with what its scenarios need to see of it, and clients of plain system calls. */
#ifndef SOCKET_SERVER_STAGE_H
#define SOCKET_SERVER_STAGE_H

#include "conformance.h"
#include "listener_stage.h"

#include <pthread.h>
#include <stdatomic.h>

struct service {
	brink_loop *loop;
	brink_group *group;
	brink_executor *executor;
	brink_server *server; /* NULL once destroyed */
	struct brink_server_options options;
	struct brink_protocol protocol;
	struct brink_address address;
	char text[BRINK_ADDRESS_TEXT];
	atomic_uint opened, closed, processed, written, stopped, gate, blocked;
	atomic_int error; /* of the last one closed with an error */
	unsigned errors;  /* expected ones do not count */
};

/* How it serves. */
enum shape { ONE_LOOP, GROUP, EACH_ACCEPTS, ON_EXECUTOR, MESSAGES, MESSAGES_ON_EXECUTOR, SHAPES };

/* An echo server of that shape; change the options, and start. With messages it is a server
 * of lines. */
void open_service(struct service *service, enum kind kind, enum shape shape);
void start_service(struct service *service);
void destroy_service(struct service *service); /* only the server */
/* Everything; each that was opened was closed once. */
void close_service(struct service *service);

int connect_client(const struct service *service);
/* Connected; the server has opened all of them. */
void connect_clients(struct service *service, int *clients, unsigned count);
/* On the service's loop: each sends a line, and reads it back. */
void talk_with(struct service *service, const int *clients, unsigned count);
/* Reads `size` bytes while the service's loop turns. */
void read_back(struct service *service, int fd, char *bytes, size_t size);
void run_until_stopped(struct service *service);
/* While the loop turns: read() says 0, or (reset allowed) an error. */
void expect_gone(struct service *service, int fd, bool reset);

#endif
