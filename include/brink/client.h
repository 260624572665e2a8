/* A client's connections to one peer, that threads share:
 *
 *     BRINK_CLIENT_SINGLE   one connection for all, made at first use and replaced when it
 *                           has failed: for protocols with many requests under way at a time
 *     BRINK_CLIENT_POOLED   connections that are taken, used by one and given back, a bounded
 *                           number of them: for protocols with one request at a time
 *     BRINK_CLIENT_SHORT    one for each use, closed when it is given back
 *
 *     brink_socket *socket;
 *
 *     if (brink_client_take(client, &socket) == 0) {
 *         brink_socket_write_bytes(socket, "ping\n", 5);
 *         ...
 *         brink_client_give(client, socket);
 *     }
 *
 * What is taken is a socket like any other, perhaps still connecting: write at once. Its
 * callbacks are those of the options, on its loop. Threads that are to share connections
 * share a client: there is no table of peers behind it. */
#ifndef BRINK_CLIENT_H
#define BRINK_CLIENT_H

#include <brink/base.h>
#include <brink/socket.h>

BRINK_BEGIN_DECLS

enum brink_client_kind { BRINK_CLIENT_SINGLE, BRINK_CLIENT_POOLED, BRINK_CLIENT_SHORT };

/* All zero but for one of `address` and `name`, and of `loop` and `group`, asks for the defaults. */
struct brink_client_options {
	const struct brink_address *address; /* copied; or */
	const char *name; /* as in the options of a socket; each connection looks it up. Copied */
	enum brink_client_kind kind;
	brink_loop *loop;   /* of all connections; or */
	/* Which places each by its own rule, where the number of the connection stands for the descriptor, which
	 * there is not yet: so for a `place` of BRINK_PLACE_CALL, too. It must outlive the connections. */
	brink_group *group;
	/* Of each connection; its `address`, `name` and `fd` must be zero, with a group its `resolver`,
	 * too. A probe interval is for SINGLE only: then a connection that has failed is not
	 * replaced but revived. */
	struct brink_socket_options socket;
	/* Of a pool. Given back and not taken again for so long, a connection is closed, with
	 * error 0, whatever its peer sends meanwhile; nanoseconds, 0: 60 s. */
	uint64_t idle_timeout;
	unsigned max_connections; /* of a pool, taken and idle; 0: 16 */
	void *reserved[4];        /* must be zero */
};

/* Connects nothing yet. Any thread.
 *   -EINVAL   an option is missing, contradicts another or is out of range, or reserved
 *             memory is not zero
 *   -ENAMETOOLONG, -ENODEV   of `name`, as brink_lookup_start()
 *   -ENOMEM */
BRINK_API int brink_client_create(brink_client **client, const struct brink_client_options *options);

/* Closes the connections that are idle, and a SINGLE one (as brink_socket_close(): what was
 * written is sent, and it is not revived; a probing one is abandoned); those who wait are called
 * with -ECANCELED. What is taken must have been given back, and no other thread may be in a call.
 * NULL is allowed. Before the loops end. Any thread. */
BRINK_API void brink_client_destroy(brink_client *client);

/* A connection, and a reference to it. The one of SINGLE is everybody's; one of a pool or a
 * SHORT one is the taker's until it is given back. One that is known to be broken or ending is
 * not handed out. Any thread; never waits.
 *
 * What is known is what the loop has read: a kept connection that its peer has ended since, or ends
 * just now, may be handed out, and fails with what was asked on it, though nobody has heard that. To look first
 * would cost a system call each time, and only make this rarer. Nothing is tried again here: whether a request may
 * be made twice is the protocol's to know, and whoever does so takes another connection.
 *   -EAGAIN     max_connections are taken, or those that are free are for others, who wait already
 *   -ENOTCONN   SINGLE with a probe interval: it has failed, and is not yet revived: on_close
 *               has said why, and brink_client_get_info() says what its probes find. Or it is
 *               ending: if its peer has ended its side, and the program has not closed it,
 *               this call does, so that it can revive. One that was abandoned is replaced
 *   -ECANCELED  a pool that is being destroyed, as the call of one who waits may ask
 *   other       as brink_socket_create() */
BRINK_API int brink_client_take(brink_client *client, brink_socket **socket);

/* Gives it and the reference back. Into the pool it goes only if it is well. A SHORT one
 * is closed (brink_socket_close(): what was written is sent). Any thread. */
BRINK_API void brink_client_give(brink_client *client, brink_socket *socket);

struct brink_client_wait;
/* `error`: 0 with a connection, which is taken; or what brink_client_take() would say: then it is as if
 * nobody waited any more, and who asks again is told likewise, at once. On the thread that gave one
 * back, or could not make one; not within another such call of the same client's: when that has returned. */
typedef void brink_client_wait_fn(struct brink_client_wait *wait, brink_socket *socket, int error);

/* One who waits for a connection of a pool. The caller zeroes it and sets `call`; it is the
 * library's until it is called. */
struct brink_client_wait {
	brink_client_wait_fn *call;
	struct brink_list node;
};

/* brink_client_take(), but where that says -EAGAIN, `wait->call` is called when a connection
 * is free, once, before any later waiter's. Returns 1 then. */
BRINK_API int brink_client_take_later(brink_client *client, brink_socket **socket,
                                      struct brink_client_wait *wait);
/* Waits no longer.  -ENOENT   it is not waiting: it was called, or is being called */
BRINK_API int brink_client_cancel(brink_client *client, struct brink_client_wait *wait);

struct brink_client_info {
	unsigned taken;   /* of a pool: connections that were taken and not yet given back */
	unsigned idle;    /* of a pool: given back; some may have failed since */
	unsigned waiting; /* those who wait for one */
	uint64_t connections; /* that were made so far */
	/* With a probe interval: what the latest probe failed with, of several connects in a row that timed
	 * out -ENETUNREACH as unreachable_after says, and on Linux, of a UNIX socket whose queue is full,
	 * -EAGAIN (which is not counted as one); 0: none has, or the connection has come back since. */
	int probe_error;
	uint64_t reserved[3];
};
BRINK_API void brink_client_get_info(brink_client *client, struct brink_client_info *info);

BRINK_END_DECLS

#endif
