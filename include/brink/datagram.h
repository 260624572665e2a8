/* A datagram socket: UDP over IPv4 or IPv6, or a UNIX datagram socket, on a loop.
 *
 *     static void on_packets(brink_datagram *socket, const struct brink_packet *packets, unsigned count,
 *                            void *arg)
 *     {
 *         for (unsigned i = 0; i < count; i++)
 *             brink_datagram_reply(socket, &packets[i], "got it", 6);
 *     }
 *
 *     brink_datagram_create(&socket, loop, &(struct brink_datagram_options){
 *         .address = "127.0.0.1:7000", .on_packets = on_packets});
 *
 * Datagrams come and go in batches, in one system call where the system has one for it
 * (recvmmsg(2), sendmmsg(2)); on Linux many of one peer's cross the kernel as one (UDP_GRO,
 * UDP_SEGMENT) and are what they were on both sides. What the kernel has no room for waits in a
 * bounded queue; what that has no room for is refused with -EAGAIN: a datagram that was
 * taken is never dropped by the library.
 *
 * Sending is for any thread; all else is for the loop's thread, but where it says so. In
 * every callback the socket may be destroyed. */
#ifndef BRINK_DATAGRAM_H
#define BRINK_DATAGRAM_H

#include <brink/address.h>
#include <brink/base.h>

BRINK_BEGIN_DECLS

/* For struct brink_packet.flags. */
#define BRINK_PACKET_TRUNCATED 1u /* the end of it is lost: it was larger than max_size */

/* A datagram: one that came, or one that is to go. */
struct brink_packet {
	const void *bytes; /* may be NULL where `size` is 0: an empty datagram is one, and no end */
	size_t size;
	/* Received: the size that it had, which is `size` unless it was truncated; 0 where the
	 * system does not tell the size of a truncated one (only Linux does). */
	size_t full_size;
	/* Received: who sent it; a UNIX socket without a name is "unix:". Sent: the address of this
	 * machine to send it from; NULL: the kernel's choice. The port is always the socket's. */
	const struct brink_address *from;
	/* Received: the address that it was sent to, which may be a group's or a broadcast; NULL where
	 * the system does not tell. Sent: where to; NULL: to the connected peer. */
	const struct brink_address *to;
	/* Received: the address of this machine that an answer should come from, or NULL: `to`
	 * where that is not a group's or a broadcast. Not looked at when sending. */
	const struct brink_address *local;
	/* The index of the interface that it came in by, or is to leave by; 0: not known, or any. */
	unsigned interface_index;
	unsigned flags;    /* received: BRINK_PACKET_* */
	void *reserved[2]; /* must be zero */
};

/* Datagrams have come: in order of arrival, at most as many as the budget allows. All of
 * their memory is gone when the call returns. */
typedef void brink_packets_fn(brink_datagram *socket, const struct brink_packet *packets, unsigned count,
                              void *arg);

/* The network said, by the negative errno `error`, that what was sent to `to` has not arrived
 * (-ECONNREFUSED, -EHOSTUNREACH, -EMSGSIZE, ...), or a queued datagram could not be sent, which
 * is lost by that. `to` NULL: the connected peer, or not known. It does not end the socket, and
 * nothing needs to be done. For sockets that are not connected only Linux tells this. */
typedef void brink_datagram_error_fn(brink_datagram *socket, int error, const struct brink_address *to,
                                     void *arg);

/* There is room again, after a send was refused with -EAGAIN (or a batch was cut short). */
typedef void brink_datagram_writable_fn(brink_datagram *socket, void *arg);

/* For struct brink_datagram_options.flags. */
#define BRINK_DATAGRAM_REUSEADDR 1u    /* SO_REUSEADDR, and SO_REUSEPORT on the BSDs and macOS: several sockets,
                                        * of a group's members, on one port */
#define BRINK_DATAGRAM_REUSEPORT 2u    /* several sockets share a port, and the kernel spreads datagrams
                                        * over them; -ENOTSUP where it does not spread */
#define BRINK_DATAGRAM_V6ONLY 4u       /* IPv6: take no IPv4 */
#define BRINK_DATAGRAM_BROADCAST 8u    /* may send to broadcast addresses */
#define BRINK_DATAGRAM_NO_LOOPBACK 16u /* what is sent to a group does not come back to this machine */
/* No queue: what the kernel has no room for is refused at once. The queue has one order: on an unconnected
 * UNIX socket what waits for a peer that does not read holds up what is for others. */
#define BRINK_DATAGRAM_NO_QUEUE 32u
/* No batches: a system call for each datagram, or for those that cross the kernel as one. For comparison
 * and for tests. */
#define BRINK_DATAGRAM_ONE_BY_ONE 64u
#define BRINK_DATAGRAM_NO_OFFLOAD 128u /* neither UDP_GRO nor UDP_SEGMENT */
#define BRINK_DATAGRAM_UNIX_REPLACE 256u /* remove a UNIX socket file that nobody is bound to any more */

/* All zero asks for the defaults; on_packets, and one of `address`, `peer` and `fd`, must be set. */
struct brink_datagram_options {
	const char *address; /* to be bound to, as brink_address_parse() reads it; port 0: any free one */
	const char *peer;    /* to be connected to: only its datagrams come, and errors are told */
	/* Where both are NULL: a datagram socket that was handed over. It is made non-blocking and
	 * close-on-exec, gets a port if it has none, and is the object's when create has succeeded. The
	 * options of how to bind do not apply to it. */
	int fd;
	unsigned flags; /* BRINK_DATAGRAM_* */
	/* The largest datagram to be received whole. 0: 65535, which is any of UDP; with less there
	 * is no UDP_GRO, which needs that much. At most 16 MiB. */
	size_t max_size;
	unsigned batch;  /* datagrams of a system call, each with a buffer of max_size; 0: 16. At most 1024 */
	unsigned budget; /* datagrams handed over in a turn; 0: 256. The rest follows in the next turns */
	/* Bytes of the queue of what is to be sent, addresses and 16 for each datagram included; allocated
	 * when first needed. 0: 256 KiB. At most 1 GiB. */
	size_t queue_limit;
	unsigned receive_buffer, send_buffer; /* SO_RCVBUF and SO_SNDBUF, at most INT_MAX; 0: the system's */
	unsigned ttl;             /* time to live, or hop limit; at most 255. 0: the system's */
	unsigned multicast_ttl;   /* the same for what goes to groups. 0: the system's, which is 1 */
	unsigned multicast_index; /* the interface for what goes to groups; 0: the system's choice */
	unsigned unix_mode;       /* permissions of a UNIX socket's file; 0: as the umask says */
	brink_packets_fn *on_packets;
	brink_datagram_error_fn *on_error;       /* may be NULL */
	brink_datagram_writable_fn *on_writable; /* may be NULL */
	void *arg;         /* for these three */
	void *reserved[4]; /* must be zero */
};

/* Opens a socket and starts to receive. Nothing is called before the loop's next turn. Nothing of
 * `options` is needed afterwards.
 *   -EINVAL       an option is out of range, reserved memory is not zero, no on_packets, `fd` is not of
 *                 datagrams, or `address` and `peer` are of two families
 *   -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -ENETUNREACH, ...   what the kernel said; of
 *                 brink_address_parse() -ENAMETOOLONG and -ENODEV
 *   -ECONNREFUSED, -ENOENT   nobody is bound to the UNIX socket `peer`
 *   -ENOTSUP      BRINK_DATAGRAM_REUSEPORT, where the system does not spread
 *   -EBADF, -ENOTSOCK, -EAFNOSUPPORT   of `fd`, which stays the caller's when create fails
 *   -ENOMEM, -EMFILE, -ENFILE, -ENOSPC */
BRINK_API int brink_datagram_create(brink_datagram **socket, brink_loop *loop,
                                    const struct brink_datagram_options *options);

/* Closes the socket; no callback is called any more. What is queued is dropped:
 * brink_datagram_queued() tells whether there is any. No other thread may be in, or later make, a
 * call on it. The file of a UNIX socket is removed if it is still the one that this socket, in
 * this process, made. Before the loop is destroyed. NULL is allowed. */
BRINK_API void brink_datagram_destroy(brink_datagram *socket);

/* Sends `size` bytes to `to`; NULL: to the connected peer. Returns 0 when the kernel or the queue
 * has taken it; `bytes` are the caller's again. Datagrams of one thread go in the order of its
 * calls. Any thread.
 *   -EAGAIN     there is no room: on_writable will be called when there is
 *   -EMSGSIZE   it is larger than a datagram can be
 *   -EDESTADDRREQ   no destination, and not connected
 *   -ECONNREFUSED, -ECONNRESET, -ENOTCONN   of a connected socket where there is no queue of errors (all
 *               but UDP on Linux): this may be of an earlier datagram; this one was not sent
 *   -EACCES, -ENETUNREACH, -ENOMEM, ...   what the kernel said of this datagram */
BRINK_API int brink_datagram_send(brink_datagram *socket, const void *bytes, size_t size,
                                  const struct brink_address *to);

/* Sends many, each as its `bytes`, `size`, `to`, `from` and `interface_index` say. Returns how many were
 * taken, which are the first of them; where that is fewer than `count`, sending the next would
 * fail, as the next call says. If the first fails, that is the error, as above. -EINVAL for an address
 * to send from of another family than the socket's or, of a UNIX socket, another than its own, or not zero in
 * `reserved`; -ENOTSUP where the system cannot choose the address or, for IPv4, the interface. Any thread. */
BRINK_API int brink_datagram_send_many(brink_datagram *socket, const struct brink_packet *packets,
                                       unsigned count);

/* Answers a received datagram: to its sender, from the address of this machine that it was sent to.
 * Otherwise as brink_datagram_send(). -EDESTADDRREQ: its sender has no name (UNIX), and is not the
 * connected peer. */
BRINK_API int brink_datagram_reply(brink_datagram *socket, const struct brink_packet *packet, const void *bytes,
                                   size_t size);

/* Bytes in the queue, those that each datagram takes beside its own included. Any thread. */
BRINK_API size_t brink_datagram_queued(const brink_datagram *socket);

/* Stops receiving for a while, and goes on. What comes meanwhile waits in the kernel's buffer, which
 * drops what it has no room for; datagrams that were taken from it already wait here. Errors
 * that only receiving tells wait, too. */
BRINK_API void brink_datagram_pause(brink_datagram *socket);
BRINK_API void brink_datagram_resume(brink_datagram *socket);

/* Becomes, and ceases to be, a member of a multicast group, any source, on the interface of
 * that index; 0: the system's choice. The port of `group` does not matter.
 *   -EINVAL         not a group's address, or out of range (kernel)
 *   -EAFNOSUPPORT   of another family than the socket
 *   -EADDRINUSE     is a member already   -EADDRNOTAVAIL   is none
 *   -ENODEV, -ENXIO, ...   what the kernel said of the interface */
BRINK_API int brink_datagram_join(brink_datagram *socket, const struct brink_address *group,
                                  unsigned interface_index);
BRINK_API int brink_datagram_leave(brink_datagram *socket, const struct brink_address *group,
                                   unsigned interface_index);

/* The address that it is bound to, with the real port of port 0. */
BRINK_API void brink_datagram_address(const brink_datagram *socket, struct brink_address *address);

/* Its descriptor, which stays its own. Any thread. */
BRINK_API int brink_datagram_fd(const brink_datagram *socket);

/* What the kernel does for this socket. */
#define BRINK_DATAGRAM_HAS_BATCH 1u /* many datagrams in a system call */
#define BRINK_DATAGRAM_HAS_GRO 2u   /* datagrams of one sender may come as one, and are cut */
#define BRINK_DATAGRAM_HAS_GSO 4u   /* datagrams for one peer may go as one; gone where a device refuses */
#define BRINK_DATAGRAM_HAS_LOCAL 8u /* `to` and, but for UNIX, interface_index are told */
#define BRINK_DATAGRAM_HAS_ERRORS 16u /* errors are told with their destination, connected or not */
BRINK_API unsigned brink_datagram_features(const brink_datagram *socket);

/* What it has done since it was created. */
struct brink_packet_counters {
	uint64_t received;      /* datagrams handed to on_packets */
	uint64_t truncated;     /* of these, cut off */
	uint64_t sent;          /* datagrams that the kernel took */
	uint64_t queued;        /* of these, and of those that wait, those that were queued first */
	uint64_t refused;       /* sends that ended in -EAGAIN, or were cut short by it */
	uint64_t errors;        /* on_error was called, or would have been */
	uint64_t receive_calls; /* system calls that received something */
	uint64_t send_calls;    /* system calls that sent something */
	uint64_t cut;           /* received datagrams that came as a part of a larger one (UDP_GRO) */
	uint64_t joined;        /* sent datagrams that went as a part of a larger one (UDP_SEGMENT) */
	uint64_t reserved[6];
};
BRINK_API void brink_datagram_counters(const brink_datagram *socket, struct brink_packet_counters *counters);

BRINK_END_DECLS

#endif
