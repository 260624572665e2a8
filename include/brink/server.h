/* A server: listeners, loops, and what is said on the connections, in one struct of options.
 *
 *     static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
 *     {
 *         (void)arg;
 *         brink_socket_write(socket, in);
 *     }
 *
 *     brink_server_create(&server, loop, &(struct brink_server_options){
 *         .address = "127.0.0.1:7000", .on_bytes = on_bytes, .stop_on_signals = 1});
 *     brink_loop_run(loop);
 *     brink_server_destroy(server);
 *
 * Without a group, connections are accepted and served on `loop`. With one, they are served
 * on the group's loops, by brink_group_place(), and their callbacks come on its threads.
 *
 * Functions are for the thread of `loop`, unless their comment says "any thread". */
#ifndef BRINK_SERVER_H
#define BRINK_SERVER_H

#include <brink/address.h>
#include <brink/base.h>
#include <brink/listener.h>
#include <brink/messenger.h>
#include <brink/socket.h>

BRINK_BEGIN_DECLS

/* With a group: each of its loops accepts for itself, where the kernel balances between them
 * (SO_REUSEPORT). Where it does not, and for UNIX addresses, `loop` accepts, and
 * brink_server_description() says so. Another process of the same user that asks for the same, a second start
 * by mistake for example, is not refused then (-EADDRINUSE), and gets its share of the connections. */
#define BRINK_SERVER_EACH_ACCEPTS 1u

/* A stop is over: there are no connections any more. On the thread of `loop`. The server may be
 * destroyed in it. */
typedef void brink_server_fn(brink_server *server, void *arg);

/* Called with each connection's id. Nonzero ends the walk. */
typedef int brink_server_each_fn(brink_socket_id id, void *arg);

/* All zero asks for the defaults. To be set are an address (or addresses, or listener.fd), and
 * one of on_bytes and messages: on_message, or protocols that have a `process`. */
struct brink_server_options {
	const char *address;          /* as brink_address_parse() reads it */
	const char *const *addresses; /* instead: several, with NULL at the end */
	brink_group *group;           /* must outlive the server; NULL: served on `loop` */
	unsigned flags;               /* BRINK_SERVER_ */
	int stop_on_signals;          /* nonzero: SIGINT and SIGTERM stop the server, and with it
	                               * brink_loop_run(); a second one does so at once. The end of a
	                               * brink_server_stop() stops brink_loop_run() then, too */
	uint64_t stop_deadline;       /* of that stop, in ns; 0: 10 s */

	/* What is said on a connection: raw bytes, or messages. */
	brink_socket_bytes_fn *on_bytes;
	const struct brink_protocol *protocols;
	unsigned protocol_count;
	unsigned messenger_flags; /* BRINK_MESSENGER_ */
	/* NULL: all on the loops. With on_bytes, the sockets': on_open, on_bytes and on_end are
	 * made on its threads. With protocols, the messenger's: messages are processed several at
	 * a time (for one at a time, in order: socket.executor instead). Must outlive the server. */
	brink_executor *executor;

	/* All of them may be NULL; `arg` is theirs, and on_bytes'. What they say is in
	 * brink/socket.h; on_write_complete is the sockets' on_written. */
	brink_socket_fn *on_open;
	brink_message_fn *on_message; /* for protocols without a `process` */
	brink_write_fn *on_write_complete;
	brink_socket_close_fn *on_close;
	brink_server_fn *on_stopped;
	brink_listener_error_fn *on_accept_error; /* on the thread that accepts */
	void *arg;

	/* How to listen: address, on_accept, on_error, on_drained and arg are left zero.
	 * max_connections is for each address; where each loop accepts it is divided between
	 * them, rounded up. */
	struct brink_listener_options listener;
	/* Of each connection: on_end, on_high, on_low, transport, limits and timeouts. Left zero are
	 * address, name, resolver, fd, on_open, on_bytes, on_close, on_revive, on_written, arg, messenger, the
	 * probes, all flags but BRINK_SOCKET_PAUSED (the listener has BRINK_LISTEN_DELAY and _KEEPALIVE for
	 * that), and with on_bytes `executor`, if that is given above. */
	struct brink_socket_options socket;
	void *reserved[4]; /* must be zero */
};

/* Listens and begins to serve. Nothing of `options` is needed afterwards, but for what their
 * comments say. Nothing is called on `loop` before its next turn; a group's loops may
 * call at once, before this has returned. With BRINK_SERVER_EACH_ACCEPTS it waits until each of
 * them has made its listeners, so what they call meanwhile must not wait for the caller: two that are made
 * at a time in callbacks of two groups, each with the other's group, wait for each other for ever.
 *   -EINVAL   an option is out of range, misses or is to be left zero; reserved memory is not zero
 *   -EBUSY    called from one of the group's threads with BRINK_SERVER_EACH_ACCEPTS
 *   -ECANCELED   with BRINK_SERVER_EACH_ACCEPTS: brink_group_stop() was called
 *   other     as brink_listener_create(), brink_messenger_create(), brink_signal_start() */
BRINK_API int brink_server_create(brink_server **server, brink_loop *loop,
                                  const struct brink_server_options *options);

/* The address at `index`, with the real port of port 0.  -ENOENT   there are not so many */
BRINK_API int brink_server_address(const brink_server *server, unsigned index, struct brink_address *address);

/* A line for logs: where it listens, who accepts and who serves, and what could not be had. It
 * lives as long as the server. Any thread. */
BRINK_API const char *brink_server_description(const brink_server *server);

/* Stops gracefully, within `deadline` nanoseconds. Nobody can connect any more; those that the
 * kernel has queued are accepted first; where max_connections or a want of descriptors does not
 * allow that, they are accepted as earlier connections end. On each connection that which has arrived by now
 * is read and processed, then brink_socket_close() sends what is unsent and ends it. One whose transport still
 * shakes hands ends as one on which nothing comes, soon and with error 0. When the
 * deadline is over, those that are left fail with -ETIMEDOUT. Then on_stopped is called. A second
 * stop can only bring the deadline forward. The loop keeps running until then.
 *   -EALREADY   it has stopped */
BRINK_API int brink_server_stop(brink_server *server, uint64_t deadline);

/* Stops accepting for a while at all addresses, and goes on. New connections wait in the kernel's
 * queue, whose length is listener.backlog; what has been accepted is served on. From when pause
 * returns, a loop that is just then accepting on another thread takes one more at most. Not
 * counted: one resume ends all pauses. A stop ends the pause, too, and neither does anything
 * after it. They never fail. Any thread, from any callback. */
BRINK_API void brink_server_pause(brink_server *server);
BRINK_API void brink_server_resume(brink_server *server);

/* Ends it at once: the listeners are closed and all connections fail with -ECANCELED. On_close
 * is still called for each, on its loop, at the latest by brink_loop_destroy() (of a group:
 * brink_group_destroy()): what `arg` refers to has to stay until then. No on_stopped. From any
 * callback on `loop`. NULL is allowed.
 *
 * With BRINK_SERVER_EACH_ACCEPTS each of the group's loops closes its listeners in its next turn, which is not waited
 * for: its port may be taken until then, and who connects is closed at once. Where that matters, stop the server
 * first: when on_stopped is called, they are closed. */
BRINK_API void brink_server_destroy(brink_server *server);

/* What it has done since it was created. Any thread. */
struct brink_server_counts {
	uint64_t accepted; /* connections */
	uint64_t refused;  /* accepted, and closed at once: for want of memory, or a stop's time was over */
	uint64_t closed;   /* connections that have ended */
	uint64_t open;     /* connections now */
	/* Of its listeners together, as struct brink_accept_counters has them; in none of the above. */
	uint64_t shed;   /* connections closed at once for want of descriptors */
	uint64_t errors; /* attempts to accept that failed */
	uint64_t reserved[2];
};
BRINK_API void brink_server_counters(brink_server *server, struct brink_server_counts *counts);

/* Calls `fn` with the id of each connection that has been opened and is not closed; returns how
 * many calls that were. One that comes or goes meanwhile may be left out. No lock is held. It
 * looks at every socket of the process: not for each message. Any thread. */
BRINK_API long brink_server_each(brink_server *server, brink_server_each_fn *fn, void *arg);

BRINK_END_DECLS

#endif
