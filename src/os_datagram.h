/* Where systems differ in datagrams. All return 0 or a count, or a negative errno. */
#ifndef BRINK_OS_DATAGRAM_H
#define BRINK_OS_DATAGRAM_H

#include "config.h"

#include <brink/address.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h> /* before it: what CMSG_SPACE() needs on FreeBSD */
#include <sys/socket.h>
#include <sys/uio.h>

#if defined(HAVE_RECVMMSG) && defined(HAVE_SENDMMSG)
typedef struct mmsghdr brink__mmsg;
#else
typedef struct {
	struct msghdr msg_hdr;
	unsigned msg_len;
} brink__mmsg;
#endif

/* Room for every control message that is asked for, or made, below. */
union brink__control {
	size_t align; /* as that of a struct cmsghdr, which may have no end of its own */
	char room[192];
};

/* CMSG_NXTHDR(), which cannot be compiled without a warning on musl. */
static inline struct cmsghdr *brink__next_control(const struct msghdr *message, const struct cmsghdr *control)
{
	char *start = message->msg_control;
	size_t place = (size_t)((const char *)control - start) + CMSG_SPACE(control->cmsg_len - CMSG_LEN(0));

	return place + CMSG_LEN(0) <= message->msg_controllen ? (struct cmsghdr *)(void *)(start + place) : NULL;
}

/* ---- os_datagram.c ---- */

/* Whether the two of many below make one system call. Where they do not, they move one. */
bool brink__os_datagram_batches(void);
int brink__os_receive_many(int fd, brink__mmsg *messages, unsigned count);
int brink__os_receive_one(int fd, brink__mmsg *message);
int brink__os_send_many(int fd, brink__mmsg *messages, unsigned count);
int brink__os_send_one(int fd, brink__mmsg *message);
/* Whether msg_len is the size that a truncated datagram had. */
bool brink__os_tells_true_size(void);

/* Has errors of datagrams that were sent earlier queued with their destination. */
int brink__os_queue_errors(int fd, int family);
/* Takes one: 1, `*error` a negative errno; else 0. What send() has said itself is passed over. */
int brink__os_take_error(int fd, struct brink_address *to, int *error);

/* ---- os_datagram_control.c ---- */

/* What came with a datagram. Addresses have the length 0 where they are not told. */
struct brink__arrival {
	struct brink_address to, local;
	unsigned interface_index;
	unsigned segment; /* it is many of this size, but for the last; 0: it is one */
};

/* Asks for it; false where the system cannot tell. */
bool brink__os_tell_local(int fd, int family);
/* `port` of the socket, in network order. */
void brink__os_read_control(struct msghdr *message, uint16_t port, struct brink__arrival *arrival);

/* Has a message sent from an address (its host; NULL: any) to another, by an interface (0: any), in parts of
 * `segment` bytes (0: as it is).  -ENOTSUP  -EINVAL */
int brink__os_write_control(struct msghdr *message, union brink__control *control, int family,
                            const struct brink_address *from, const struct brink_address *to,
                            unsigned interface_index, unsigned segment);

/* One control message more; `room` is zero where it is not used yet. */
void brink__os_append_control(struct msghdr *message, union brink__control *room, int level, int type, const void *data,
                              size_t size);

/* ---- os_datagram_joined.c ---- */

/* Datagrams that cross the kernel as one: whether this socket can have it, and has it from now on. */
bool brink__os_receive_joined(int fd);
bool brink__os_send_joined(int fd);
/* The size of the parts, as a control message. */
void brink__os_read_segment(const struct cmsghdr *control, struct brink__arrival *arrival);
int brink__os_write_segment(struct msghdr *message, union brink__control *room, unsigned segment); /* -ENOTSUP */

/* ---- os_multicast.c ---- */

/* Groups that other sockets of this machine have joined do not concern this one. */
void brink__os_multicast_own(int fd, int family);
int brink__os_multicast_interface(int fd, int family, unsigned interface_index);
int brink__os_multicast_member(int fd, const struct brink_address *group, unsigned interface_index, bool join);

#endif
