/* A transport: how a socket's bytes cross its descriptor.
 *
 * The plain one hands them to the kernel. Another stands in its place: TLS, shared memory
 * with the descriptor as its door bell, a bypass such as RDMA. The socket calls the table
 * below and does everything else itself: queues, order, timeouts, failure, revival. */
#ifndef BRINK_TRANSPORT_H
#define BRINK_TRANSPORT_H

#include <brink/base.h>

#include <sys/types.h>
#include <sys/uio.h>

BRINK_BEGIN_DECLS

/* All calls are made on the loop's thread (and the reads on no executor's): for what is
 * not safe in two threads at once, reading and writing together included. Without it, one
 * thread at a time reads, and one at a time writes, which may be another one. */
#define BRINK_TRANSPORT_SINGLE_THREADED 1u

/* Each call that can answer -EAGAIN sets `*waits` then to the direction of the descriptor
 * that it waits for, BRINK_READ or BRINK_WRITE: a TLS write may wait for READ; or to both. It is called again
 * when that direction, or one of them, has become ready, or earlier. The rule of a watch holds: -EAGAIN is
 * said only after the descriptor itself has said EAGAIN in that direction (a door bell is
 * emptied, and the memory looked at once more after that). Where only a call in the other
 * direction can take off the descriptor what it waits for, it sets 0, and that call tells so by
 * the bit below: an edge that it cannot use up would keep the loop busy. (A handshake has no other direction,
 * and never sets 0: the socket fails with -EINVAL.) Other results are a
 * count, 0, or a negative errno, by which the socket fails. */

/* Put into `*waits` beside that, with any result of readv, writev and shutdown: the call in the
 * other direction is to be tried as well, for it can go on now, and no edge of the descriptor
 * will say so. A write says it that has read off the descriptor what the reader waits for; a
 * read, that has read what a write waits for. Only where something was done for the other:
 * two that only send each other would keep the loop busy. */
#define BRINK_TRANSPORT_TRY_OTHER 0x100u

/* Instead of a direction, with -EAGAIN of readv: nothing is waited for, but it was busy for long enough
 * with what is no byte for the program. It is called again when others have had their turn. */
#define BRINK_TRANSPORT_AGAIN 0x200u

/* Beside the others, with any result of readv and writev: bytes have crossed the descriptor, even
 * if none are told yet. They restart the timeouts. */
#define BRINK_TRANSPORT_MOVED 0x400u

struct brink_transport {
	const char *name;
	unsigned flags;
	/* Makes the state of a connection. `client`: it was made by a connect. `arg` is the
	 * options' transport_arg. NULL: there is no state. */
	int (*open)(brink_socket *socket, int fd, int client, void *arg, void **state);
	/* Until it says 0 nothing is read or written by the socket. NULL: none is needed. */
	int (*handshake)(void *state, int fd, unsigned *waits);
	/* As readv(2): 0 is the peer's end. */
	ssize_t (*readv)(void *state, int fd, const struct iovec *parts, int count, unsigned *waits);
	/* As writev(2); may take a part. Must not raise SIGPIPE. Called with the same bytes
	 * first after -EAGAIN, at perhaps another place in memory. */
	ssize_t (*writev)(void *state, int fd, const struct iovec *parts, int count, unsigned *waits);
	/* Tells the peer that no more bytes follow. NULL: shutdown(2) does. */
	int (*shutdown)(void *state, int fd, unsigned *waits);
	/* Frees the state; the descriptor is closed afterwards. No other call is under way. NULL:
	 * nothing is to be freed. */
	void (*close)(void *state, int fd);
	void *reserved[4]; /* must be zero */
};

/* Said as -BRINK_ETRUNCATED by transports that mark the end of what a side sends, as TLS does: the
 * peer's end came without it, so what was read may not be all. Outside of the range of every
 * system's errno. */
#define BRINK_ETRUNCATED 20002

/* The plain one: for transports that stand on it. Any thread. */
BRINK_API const struct brink_transport *brink_transport_plain(void);

/* For functions about a transport's own that are given a socket: the state that its open made; NULL
 * if the socket has another transport, or the state is not there yet or any more. On the
 * loop's thread, or in the socket's on_open, on_bytes and on_end. */
BRINK_API void *brink_transport_state(const brink_socket *socket, const struct brink_transport *transport);

BRINK_END_DECLS

#endif
