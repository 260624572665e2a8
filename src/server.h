/* The server from inside.
 *
 *   server.c             creation, destruction, what others may ask
 *   server_options.c     whether the options are sound
 *   server_gate.c        gates: listening and accepting
 *   server_connection.c  the connections: found by their configuration, counted, failed
 *   server_stop.c        stopping, and signals
 *   server_seat.c        seats: what a stop has to do on each loop
 *
 * A gate is a listener with the configuration of its connections, on the loop that accepts;
 * a seat is a loop that serves. The server keeps no list of its connections: a walk through
 * the slots of all sockets finds those that have one of its configurations. What belongs to
 * a loop other than the server's own is reached by tasks, each with a reference. */
#ifndef BRINK_SERVER_INTERNAL_H
#define BRINK_SERVER_INTERNAL_H

#include "listener.h"
#include "socket.h"

#include <brink/group.h>
#include <brink/server.h>
#include <brink/signal.h>

/* How far a stop is with a gate. */
enum brink__gate_stage {
	BRINK__GATE_TAKES, /* what is queued, or does not drain yet */
	BRINK__GATE_WAITS, /* for an end of a connection that is open, or for a descriptor */
	BRINK__GATE_DONE
};

struct brink__gate {
	brink_server *server;
	brink_loop *loop;
	unsigned address_index;
	bool serves;  /* its loop serves what it accepts; else the group places it */
	bool limited; /* brink_listener_closed() is to be called */
	bool closed;
	bool shares;  /* its address with other gates, between which the kernel balances */
	brink_listener *listener;
	struct brink__socket_config *config;
	struct brink_address address;
	char text[BRINK_ADDRESS_TEXT];
	brink_task news, resume;
	bool news_posted, resume_posted; /* under the server's lock */
	atomic_bool drained; /* the news; else that it waits */
	enum brink__gate_stage stage; /* the thread's of the server's loop */
};

/* A connection that is given time to have read what had arrived when the stop came. */
struct brink__settling {
	brink_socket_id id;
	uint64_t wanted; /* bytes_read when all of that has been read */
	uint64_t seen;
	unsigned quiet; /* looks since it last grew */
};

struct brink__seat {
	brink_server *server;
	brink_loop *loop;
	brink_task drain, settle, end;
	atomic_bool settle_posted;
	brink_timer timer;
	struct brink__settling *settling;
	unsigned count, room;
	bool ended; /* `end` was posted */
	const struct brink_server_options *options; /* while its gates are opened */
};

struct brink__server_signal {
	brink_signal signal;
	brink_server *server;
};

enum brink__server_state {
	BRINK__SERVING,
	BRINK__DRAINING, /* the listeners take what is queued */
	BRINK__CLOSING,  /* the connections end, and make room for those that gates wait with */
	BRINK__STOPPED
};

struct brink_server {
	atomic_uint references; /* the owner's, each connection's, each task's that is posted */
	brink_loop *loop;
	brink_group *group;
	brink_messenger *messenger; /* NULL: raw bytes, on the loops */
	brink_socket_close_fn *on_close;
	brink_server_fn *on_stopped;
	brink_listener_error_fn *on_accept_error;
	void *arg;

	/* Any thread. */
	atomic_int cut_off; /* with what connections that come now are failed; 0 */
	atomic_bool closing; /* when there are no connections any more, `emptied` is to be posted */
	_Atomic uint64_t accepted, refused, closed, open;
	struct brink__listen_shared listening;
	pthread_mutex_t lock; /* of the next two, and what is posted of the gates' */
	bool destroyed; /* nothing is posted to `loop` any more */
	bool emptied_posted;

	/* The thread of `loop`. */
	enum brink__server_state state;
	bool stop_on_signals, signals_started, referred;
	uint64_t stop_deadline;
	uint64_t ends; /* when the deadline is */
	brink_timer deadline;
	brink_task emptied;
	struct brink__server_signal signals[2];

	unsigned address_count, gate_count, seat_count;
	struct brink__gate *gates; /* those of an address are neighbours */
	struct brink__seat *seats;
	char description[512];
};

/* server.c */
static inline brink_server *brink__server_hold(brink_server *server)
{
	atomic_fetch_add_explicit(&server->references, 1, memory_order_relaxed);
	return server;
}
void brink__server_release(brink_server *server);
/* Has `task`, which releases a reference, called on the server's loop, if that is still to be
 * told anything, and `task` is not on its way already, as `posted` says. Any thread. */
void brink__server_tell(brink_server *server, brink_task *task, bool *posted);
/* It has come, and may be posted again. */
void brink__server_heard(brink_server *server, bool *posted);

/* server_options.c */
int brink__server_check(const struct brink_server_options *options);

/* server_gate.c */
int brink__gate_open(struct brink__gate *gate, const struct brink_server_options *options);
void brink__gate_drain(struct brink__gate *gate);
void brink__gate_close(struct brink__gate *gate);

/* server_connection.c */
int brink__server_config(struct brink__gate *gate, const struct brink_server_options *options);
/* The next connection of the server, with a reference, from slot `*index` on; NULL at the end. */
brink_socket *brink__server_walk(brink_server *server, uint32_t *index);
/* Fails all connections there are, and those that come. */
void brink__server_cut_off(brink_server *server, int error, const char *text);
int brink__server_adopt(struct brink__gate *gate, int fd);

/* server_stop.c */
int brink__server_watch_signals(brink_server *server);
void brink__server_forget_signals(brink_server *server);
void brink__server_gate_news(struct brink__gate *gate); /* is drained, or waits */
void brink__server_deadline(brink_timer *timer);

/* server_seat.c */
void brink__seat_init(struct brink__seat *seat, brink_server *server, brink_loop *loop);
/* Opens the gates on the seat's loop, and waits for that. */
int brink__seat_open(struct brink__seat *seat, const struct brink_server_options *options);
/* To have its gates drained, its connections closed; to stop all that is its loop's. */
void brink__seat_drain(struct brink__seat *seat);
void brink__seat_settle(struct brink__seat *seat);
void brink__seat_end(struct brink__seat *seat);

#endif
