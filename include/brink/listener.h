/* A listener: a listening socket on a loop that hands out accepted connections.
 *
 *     static void on_accept(brink_listener *listener, int fd, const struct brink_address *peer, void *arg)
 *     {
 *         serve(arg, fd);
 *     }
 *
 *     brink_listener_create(&listener, loop, &(struct brink_listener_options){
 *         .address = "127.0.0.1:7000", .on_accept = on_accept, .arg = server});
 *
 * It goes on whatever accept(2) says. A connection that died in the queue is passed over.
 * Without a descriptor or memory it waits and tries again (or sheds, if asked to), and a
 * listener that is paused or full costs nothing: the kernel keeps the queue.
 *
 * All of it is for the loop's thread, but brink_listener_closed() and
 * brink_listener_connections(), which are for any. In every callback the listener may be
 * destroyed. */
#ifndef BRINK_LISTENER_H
#define BRINK_LISTENER_H

#include <brink/address.h>
#include <brink/base.h>

BRINK_BEGIN_DECLS

/* For struct brink_listener_options.flags. */
#define BRINK_LISTEN_REUSEPORT 1u             /* several listeners share a port and the kernel spreads connections
                                               * over them; -ENOTSUP where it does not spread */
#define BRINK_LISTEN_REUSEPORT_IF_BALANCED 2u /* the same, but without it where the kernel does not spread */
#define BRINK_LISTEN_NO_REUSEADDR 4u          /* not while connections of an earlier server linger */
#define BRINK_LISTEN_V6ONLY 8u                /* IPv6: take no IPv4 */
#define BRINK_LISTEN_DELAY 16u                /* leave Nagle's algorithm on; else connections get TCP_NODELAY */
#define BRINK_LISTEN_KEEPALIVE 32u            /* SO_KEEPALIVE on connections */
#define BRINK_LISTEN_SHED 64u                 /* at the limit of descriptors, accept and close at once by means of
                                               * a spare descriptor: peers see an end instead of waiting */
#define BRINK_LISTEN_UNIX_REPLACE 128u        /* remove a UNIX socket file that nobody listens on any more */

/* A connection. `fd` is the callee's, non-blocking and close-on-exec on every system.
 * `peer` is gone when the call returns; that of a UNIX client usually has no name. */
typedef void brink_accept_fn(brink_listener *listener, int fd, const struct brink_address *peer, void *arg);

/* Accepting fails with the negative errno `error`: called when that begins, not at each
 * attempt; and again where the error is another one, or an attempt has succeeded or found the queue empty in
 * between. What the network said of a connection that died in the queue is told so, too. Nothing needs to be done. */
typedef void brink_listener_error_fn(brink_listener *listener, int error, void *arg);

/* brink_listener_drain() is done: the socket is closed. */
typedef void brink_listener_drained_fn(brink_listener *listener, void *arg);

/* All zero asks for the defaults; on_accept, and an address or a descriptor, must be set. */
struct brink_listener_options {
	const char *address; /* as brink_address_parse() reads it; port 0: any free one */
	/* Where `address` is NULL: a listening stream socket that was handed over, by socket
	 * activation for example. It is made non-blocking and close-on-exec, and is the
	 * listener's when create has succeeded. The options of how to bind do not apply to it. */
	int fd;
	int backlog;    /* connections that the kernel queues; 0: SOMAXCONN */
	unsigned flags; /* BRINK_LISTEN_* */
	/* Permissions of a UNIX socket's file, 0777 at most; they hold before the first
	 * connection is possible. 0: as the umask says. */
	unsigned unix_mode;
	/* With BRINK_LISTEN_KEEPALIVE, in seconds, but for the count; 0: the system's. */
	unsigned keepalive_idle;     /* silence before the first probe */
	unsigned keepalive_interval; /* between probes */
	unsigned keepalive_count;    /* unanswered probes that end the connection */
	/* No more than this many connections at a time; 0: no limit, and no counting. With a
	 * limit, brink_listener_closed() has to be called once for each connection. */
	unsigned max_connections;
	unsigned budget; /* connections accepted in a turn; 0: 64. The rest follows in the next turns */
	/* ns until the next attempt after EMFILE, ENFILE, ENOBUFS or ENOMEM; doubles up to a
	 * second as long as they fail. 0: 100 ms. */
	uint64_t retry_after;
	/* ns that brink_listener_drain() gives TCP handshakes under way to complete, where
	 * it can keep new ones away meanwhile. 0: 200 ms. */
	uint64_t drain_wait;
	brink_accept_fn *on_accept;
	brink_listener_error_fn *on_error;     /* may be NULL */
	brink_listener_drained_fn *on_drained; /* may be NULL */
	void *arg; /* for these three */
	void *reserved[4]; /* must be zero */
};

/* Listens and starts to accept. Nothing is called before the loop's next turn. Nothing of
 * `options` is needed afterwards.
 *   -EINVAL       an option is out of range, reserved memory is not zero, no on_accept,
 *                 `fd` does not listen, or no address and no `fd` (which is 0, and 0 is no socket)
 *   -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, ...   what the kernel said; of brink_address_parse()
 *                 -ENAMETOOLONG and -ENODEV
 *   -EADDRINUSE   also with BRINK_LISTEN_UNIX_REPLACE: somebody listens there, or the file is
 *                 no socket; such a file is never removed
 *   -ENOTSUP      BRINK_LISTEN_REUSEPORT or a keepalive time, where the system lacks it
 *   -EBADF, -ENOTSOCK, -EAFNOSUPPORT   of `fd`, which stays the caller's when create fails
 *   -ENOMEM, -EMFILE, -ENFILE, -ENOSPC */
BRINK_API int brink_listener_create(brink_listener **listener, brink_loop *loop,
                                    const struct brink_listener_options *options);

/* Closes the socket; no callback is called any more. Connections that the kernel has queued
 * are reset: brink_listener_drain() first, where they matter. The file of a UNIX
 * socket is removed if it is still the one that this listener, in this process, made. With
 * max_connections, brink_listener_closed() may still be called, and has to be: the memory is freed
 * with the last of them. Before the loop is destroyed. NULL is allowed. */
BRINK_API void brink_listener_destroy(brink_listener *listener);

/* The address that it is bound to, with the real port of port 0; also after the drain. */
BRINK_API void brink_listener_address(const brink_listener *listener, struct brink_address *address);

/* Its descriptor, which stays its own; -1 after the drain. */
BRINK_API int brink_listener_fd(const brink_listener *listener);

/* Stops accepting for a while, and goes on. Connections wait in the kernel's queue. */
BRINK_API void brink_listener_pause(brink_listener *listener);
BRINK_API void brink_listener_resume(brink_listener *listener);

/* With max_connections: one of the connections has ended, and a listener that was full goes
 * on. Once for each connection, before or after brink_listener_destroy(). Without a limit it does
 * nothing, and may not be called after brink_listener_destroy(). Any thread. */
BRINK_API void brink_listener_closed(brink_listener *listener);

/* With max_connections: how many connections are open now; without, 0. Any thread. */
BRINK_API unsigned brink_listener_connections(brink_listener *listener);

/* Ends well: no new connections; those that the kernel has queued are accepted first, in the
 * limits of the options; then the socket is closed and on_drained called, not before this
 * function has returned. A pause ends with it. That nothing is queued is seen without a
 * descriptor to spare, too; but a UNIX socket on Linux has to wait for one. What becomes of those
 * who connect meanwhile:
 *   Linux, TCP    their first packet is dropped and comes again: to the next server on this
 *                 port, or to be refused
 *   Linux, UNIX   refused at once
 *   elsewhere     accepted up to the end; a TCP connection that completes just between the last
 *                 accept and the close is reset (a UNIX socket's file is removed first)
 * This concerns every process that shares the socket by fork(2). Where the kernel allows this process no packet
 * filter (some want CAP_NET_ADMIN for it), new ones are told by their hops left: peers whose packets have all 255
 * left get through, and of a connection whose handshake completes during the drain, and which another process
 * accepts without draining, that process hears nothing. A socket that was handed over as `fd` is left alone and
 * only closed here: who else has it goes on accepting.
 *   -EALREADY   it drains, or has drained, already */
BRINK_API int brink_listener_drain(brink_listener *listener);

/* What it has done since it was created. */
struct brink_accept_counters {
	uint64_t accepted; /* connections handed to on_accept */
	uint64_t shed;     /* connections closed at once for want of descriptors */
	uint64_t errors;   /* attempts that failed, but for those that only found the queue empty */
	uint64_t reserved[3];
};
BRINK_API void brink_listener_counters(const brink_listener *listener, struct brink_accept_counters *counters);

BRINK_END_DECLS

#endif
