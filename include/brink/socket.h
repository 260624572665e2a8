/* A socket: a connection with a versioned id, that any thread may write to at any time.
 *
 * An id is a number of 64 bits. It is never given out twice, may be kept anywhere for as
 * long as one likes, and brink_socket_address() says whether its socket still lives: that
 * is a counted reference, or NULL. Callbacks get a reference that is valid during the
 * call; other threads, timers and tables keep ids.
 *
 * A socket belongs to a loop. Its callbacks are made on the loop's thread, one at a time;
 * with an executor, on_open, on_bytes and on_end are made on the executor's threads, still
 * one at a time and in order, unless the transport is single-threaded, as TLS is.
 *
 * A life: on_open, when it is connected and its transport's handshake is done; on_bytes,
 * on_end; at last on_close, exactly once and also where on_open never came. With a probe
 * interval, on_revive may follow, and then the same again under the same id. */
#ifndef BRINK_SOCKET_H
#define BRINK_SOCKET_H

#include <brink/address.h>
#include <brink/base.h>
#include <brink/buffer.h>

#include <sys/types.h>

BRINK_BEGIN_DECLS

typedef uint64_t brink_socket_id;
#define BRINK_NO_SOCKET ((brink_socket_id)0) /* never the id of a socket */

/* Returned as -BRINK_EOVERCROWDED: the unsent bytes have reached the limit. Outside of the
 * range of every system's errno. */
#define BRINK_EOVERCROWDED 20001

struct brink_transport;

enum brink_socket_state {
	BRINK_SOCKET_CONNECTING, /* or waiting for the loop to take it over */
	BRINK_SOCKET_HANDSHAKE,  /* of the transport */
	BRINK_SOCKET_OPEN,
	BRINK_SOCKET_CLOSING, /* brink_socket_close(): sends what it still has */
	BRINK_SOCKET_FAILED   /* the id does not resolve; with a probe interval it may come back */
};

/* `arg` is the options'. The socket is valid during the call; brink_socket_hold() keeps it
 * for longer. */
typedef void brink_socket_fn(brink_socket *socket, void *arg);
/* `in` holds what has arrived and was not taken so far; what is left in it comes again
 * with the next bytes. Where a write to the socket was refused by unsent_limit during the call, it
 * comes again when the unsent bytes are down at low_water, and nothing is read before: so
 * a peer that does not read is not read from without end. */
typedef void brink_socket_bytes_fn(brink_socket *socket, brink_buffer *in, void *arg);
/* `error`: 0 after brink_socket_close() or the peer's end, else a negative errno. `text`: what
 * brink_socket_fail() was given, or what failed, or the error in words: never NULL; valid
 * during the call. Where a write has found the peer gone (-EPIPE, -ECONNRESET), what the peer had sent before is
 * read first, unless reading is paused, or done on an executor. */
typedef void brink_socket_close_fn(brink_socket *socket, int error, const char *text, void *arg);
/* `error`: 0 when all of the request was handed to the kernel (or transport). On the thread
 * that did so, or the loop's; the calls of one socket come one at a time and in the order
 * of the requests. It may write to this socket or to others. */
typedef void brink_write_fn(brink_socket *socket, int error, void *arg);
/* Says whether a failed socket's peer is well again: 0, or a negative errno; on the loop's
 * thread; must not block. */
typedef int brink_probe_fn(brink_socket *socket, void *arg);

/* Flags of the options. */
#define BRINK_SOCKET_DELAY 1u     /* leave Nagle's algorithm on; else TCP_NODELAY is set */
#define BRINK_SOCKET_KEEPALIVE 2u /* SO_KEEPALIVE */
#define BRINK_SOCKET_PAUSED 4u    /* as if brink_socket_pause() had been called */
#define BRINK_SOCKET_AS_IT_IS 8u  /* `fd` is non-blocking and close-on-exec and has the options that
                                   * it is to have: no system call is made for them */
#define BRINK_SOCKET_TCP 16u      /* `fd` is a TCP connection: it is not asked what it is */

/* All zero asks for the defaults; one of `address`, `name` and `fd` says what it is about. */
struct brink_socket_options {
	const struct brink_address *address; /* connect to it; NULL: `fd` is connected already, or: */
	/* Look it up, and connect to the first of its addresses that answers, as <brink/dial.h> has it:
	 * "www.example.org:443" or what else brink_lookup_start() takes. Each life begins with
	 * that, so that a peer that has moved is found. Copied. */
	const char *name;
	brink_resolver *resolver; /* for the name; of the socket's loop; NULL: one that the loop makes */
	uint64_t attempt_delay;   /* for the name: as a dial's `delay`; 0: 250 ms */
	/* A connected stream; the library's from the success of the create on. Not with an address or a name. */
	int fd;
	unsigned flags;
	brink_socket_fn *on_open;
	brink_socket_bytes_fn *on_bytes; /* NULL: what arrives is dropped */
	brink_socket_fn *on_end;         /* the peer ended its side; NULL: brink_socket_close() is called */
	brink_socket_fn *on_high;        /* the unsent bytes have reached high_water */
	brink_socket_fn *on_low;         /* and are down at low_water again */
	brink_socket_close_fn *on_close;
	brink_socket_fn *on_revive; /* the id resolves again; before on_open */
	brink_write_fn *on_written; /* for writes that bring no `done` of their own */
	void *arg;
	brink_messenger *messenger; /* takes the bytes, in place of on_bytes: see brink/messenger.h */
	brink_executor *executor; /* must outlive the socket */
	const struct brink_transport *transport; /* NULL: plain; must outlive the socket */
	void *transport_arg;                     /* for its open call */
	size_t unsent_limit; /* bytes after which writes are refused; 0: 64 MiB */
	size_t high_water;   /* 0: 1 MiB, but at most unsent_limit */
	size_t low_water;    /* 0: a quarter of high_water */
	size_t read_budget;  /* bytes read in a turn before others come; 0: 256 KiB */
	/* Nanoseconds; 0: none. When one is over, the socket fails with -ETIMEDOUT. */
	uint64_t connect_timeout; /* until on_open, the handshake included; 0: 30 s */
	uint64_t idle_timeout;    /* neither read nor written */
	uint64_t read_timeout;    /* nothing read, while reading was not paused */
	uint64_t write_timeout;   /* unsent bytes, or a transport's end of our side, and the kernel took none */
	uint64_t linger_timeout;  /* how long a close waits for the peer's end; 0: 2 s */
	/* After so many connects in a row that timed out, the error is -ENETUNREACH instead of
	 * -ETIMEDOUT. 0: 3. Counted for the socket over its revivals and probes, and for all
	 * connections of a client (brink/client.h) together, until one stands; without those
	 * whose time was over before the name was found. Probes that fail call nobody:
	 * of a client's, brink_client_get_info() tells the latest error. Nothing tells it of a socket of
	 * one's own, to which nobody has a reference while it is probed; there, give a `probe`. */
	unsigned unreachable_after;
	/* For sockets with an address or a name: probe a failed one so often; 0: never. The first probe
	 * comes `isolation` after the failure, or probe_interval if that is longer; the second one
	 * probe_interval after the first; and then the interval is doubled with each failed probe, up to
	 * probe_interval_max (0: 64 times probe_interval). By chance each pause is up to an eighth longer, so that
	 * many clients of one server do not come back at once. */
	uint64_t probe_interval;
	uint64_t probe_interval_max;
	uint64_t isolation;
	brink_probe_fn *probe; /* NULL: a connect that succeeds */
	void *reserved[4];     /* must be zero */
};

/* Makes a socket and sets `*id` to its id, before the first callback. Any thread.
 *   -EINVAL   no loop, an option is out of range (low_water above high_water, fd below 0) or
 *             contradicts another, `name` is none, or reserved memory is not zero
 *   -ENAMETOOLONG, -ENODEV   of `name`, as brink_lookup_start()
 *   -ENOTSOCK, -EBADF, -ENOTCONN   what is wrong with `fd`, which stays the caller's; with
 *             BRINK_SOCKET_AS_IT_IS it is not looked at
 *   -EPROTOTYPE   the same: it is no stream (for datagrams: brink/datagram.h)
 *   -ECANCELED   the loop is being destroyed: asked for in a callback that comes of that
 *   -EMFILE, -ENFILE, -ENOMEM, -EAFNOSUPPORT, ...   nothing was made
 * What the network says of a connect comes by on_close; so does what a lookup brings. */
BRINK_API int brink_socket_create(brink_socket_id *id, brink_loop *loop,
                                  const struct brink_socket_options *options);

/* ---- references: any thread ---- */

/* The socket of an id, or NULL when it has failed or is gone. Wait-free, and lock-free
 * where it fails at that very moment. Each non-NULL result is to be released. */
BRINK_API brink_socket *brink_socket_address(brink_socket_id id);
/* One more reference; returns `socket`. */
BRINK_API brink_socket *brink_socket_hold(brink_socket *socket);
/* Gives a reference back. The last one of a failed socket frees it. */
BRINK_API void brink_socket_release(brink_socket *socket);

/* The id stops resolving at once; on_open, on_bytes and on_end begin no more, but for those that
 * are on their way on another thread; what was to be written ends with `error`; after that the
 * descriptor is closed and on_close is called, on the loop's thread. `error`: 0 or a negative errno;
 * `text` (copied, at most 200 bytes) may be NULL. Lock-free, but for the allocator that a
 * `text` needs. Any thread.
 *   -ENOENT   it has failed already, or is gone: nothing happened
 *   -EINVAL   `error` is above 0 */
BRINK_API int brink_socket_fail(brink_socket_id id, int error, const char *text);

/* The same, with -ECANCELED, and a failed socket that waits for its revival is given up: it is not probed
 * any more and its id never resolves again. Any thread.
 *   -ENOENT   it is gone, or being given up, already */
BRINK_API int brink_socket_abandon(brink_socket_id id);

/* ---- writing: any thread that holds a reference ---- */

#define BRINK_WRITE_FORCE 1u  /* also beyond unsent_limit */
#define BRINK_WRITE_QUEUED 2u /* leave it to the loop, which gathers */

struct brink_write_options {
	unsigned flags;
	brink_write_fn *done; /* may be NULL; called exactly once if the write returned 0 */
	void *arg;
	void *reserved[2]; /* must be zero */
};

/* Sends all bytes of `data`, which is empty afterwards; those of one thread in the order of
 * its calls, each request in one piece. Never waits: the request is queued by two atomic
 * exchanges, and whoever finds the connection idle writes once, at once. Where writes
 * follow back to back the loop does them, many in one system call. Also before the
 * connection stands. A SIGPIPE is never raised.
 *   -BRINK_EOVERCROWDED   the unsent bytes have reached unsent_limit
 *   -EPIPE    after brink_socket_shutdown() or brink_socket_close(); of a write that overlaps
 *             with one of them in another thread, `done` may be told so instead
 *   -ENOMEM, -EINVAL
 *   other     the error that the socket failed with; -ECONNABORTED where that was 0
 * On an error `data` is as before, and `done` is not called. */
BRINK_API int brink_socket_write(brink_socket *socket, brink_buffer *data);
/* `options` may be NULL. */
BRINK_API int brink_socket_write_with(brink_socket *socket, brink_buffer *data,
                                      const struct brink_write_options *options);
/* Copies the bytes, into memory of about their size: what is cheapest for small requests. Where on_written is NULL a
 * thread that writes many before they are sent has them in one request, with one exchange for each. */
BRINK_API int brink_socket_write_bytes(brink_socket *socket, const void *bytes, size_t size);

/* Blocks the thread until the unsent bytes are at most low_water, for at most `timeout`
 * nanoseconds (below 0: without end). Another thread has to run the loop meanwhile.
 *   -EDEADLK  called in a callback of the socket's loop, whose thread is the one that writes
 *   -ETIMEDOUT
 *   other     as a write would say, when the socket failed */
BRINK_API int brink_socket_wait(brink_socket *socket, int64_t timeout);

/* Ends our side when everything queued is sent; reading goes on. Later writes: -EPIPE.
 *   -EPIPE    it, or brink_socket_close(), was called before
 *   -ENOTCONN the socket has failed
 *   -ENOMEM   it may be tried again */
BRINK_API int brink_socket_shutdown(brink_socket *socket);

/* Sends what is queued, ends our side, waits for the peer's end (linger_timeout), dropping
 * what it still sends, so that it need not lose our last bytes to a reset. Then the socket
 * fails with error 0. Later writes: -EPIPE. No on_bytes, on_end any more. The sending takes as
 * long as the peer takes to read: only write_timeout and idle_timeout put a bound to it. Without memory
 * for all this it fails with -ENOMEM. It may follow brink_socket_shutdown().
 *   -EPIPE    it was called before
 *   -ENOTCONN the socket has failed */
BRINK_API int brink_socket_close(brink_socket *socket);

/* Ends it at once, with -ECONNABORTED, and a reset where the protocol has one (TCP).
 *   -ENOENT   as brink_socket_fail() */
BRINK_API int brink_socket_abort(brink_socket_id id);

/* ---- reading ---- */

/* No on_bytes until resumed: what the peer sends waits in the kernel. A call that is being
 * made ends as usual. Any thread. Nothing if it is so already; after brink_socket_close() a
 * pause does nothing either. */
BRINK_API void brink_socket_pause(brink_socket *socket);
BRINK_API void brink_socket_resume(brink_socket *socket);

/* ---- what it is, and what it did: any thread ---- */

BRINK_API brink_socket_id brink_socket_get_id(const brink_socket *socket);
BRINK_API brink_loop *brink_socket_loop(const brink_socket *socket);
BRINK_API void *brink_socket_arg(const brink_socket *socket);
/* The descriptor, for options of its own; not to be read, written or closed. -1 while a name is
 * dialed, and when the socket has failed. */
BRINK_API int brink_socket_fd(const brink_socket *socket);
/* The host of the options' `name`, without port and brackets: what a certificate is for. NULL where
 * there was no name, or a path. Valid as long as the reference. */
BRINK_API const char *brink_socket_host(const brink_socket *socket);

struct brink_socket_info {
	enum brink_socket_state state;
	int error; /* that it last failed with; 0 */
	unsigned lives; /* 1, and 1 more for each revival */
	uint64_t bytes_read, bytes_written;
	uint64_t messages_read;    /* calls of on_bytes; of a messenger: messages */
	uint64_t requests_written; /* those that ended with success */
	uint64_t reads, writes;    /* system calls (or calls of the transport) */
	uint64_t unsent;           /* bytes that writes have taken and the kernel has not */
	uint64_t reserved[4];
};
BRINK_API void brink_socket_get_info(brink_socket *socket, struct brink_socket_info *info);

/* The addresses of both ends, asked of the kernel.  -ENOTCONN, -EBADF */
BRINK_API int brink_socket_local(brink_socket *socket, struct brink_address *address);
BRINK_API int brink_socket_peer(brink_socket *socket, struct brink_address *address);

/* A pointer that goes with the socket; NULL at first and after a revival as before. For the
 * one who made the socket: on the loop's thread, or in the socket's callbacks. */
BRINK_API void brink_socket_set_data(brink_socket *socket, void *data);
BRINK_API void *brink_socket_data(const brink_socket *socket);

BRINK_END_DECLS

#endif
