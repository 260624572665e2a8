/* Datagrams in and out, many in a call where the system has one for it; and the queue of errors. */
#include "config.h"

#include "address.h"
#include "os_datagram.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#if defined(__linux__)
#include <linux/errqueue.h> /* which uses struct timespec */
#endif

#if !defined(MSG_NOSIGNAL)
#define MSG_NOSIGNAL 0 /* the socket was told when its watch was started */
#endif

#if defined(__linux__)

/* As a flag for recvmsg() it asks for the true size. */
#define RECEIVE_FLAGS (MSG_DONTWAIT | MSG_TRUNC)

bool brink__os_tells_true_size(void)
{
	return true;
}

#else

#define RECEIVE_FLAGS MSG_DONTWAIT

bool brink__os_tells_true_size(void)
{
	return false;
}

#endif

/* ---- one by one ---- */

int brink__os_receive_one(int fd, brink__mmsg *message)
{
	ssize_t size;

	do
		size = recvmsg(fd, &message->msg_hdr, RECEIVE_FLAGS);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return -errno;
	message->msg_len = (__typeof__(message->msg_len))size;
	return 1;
}

int brink__os_send_one(int fd, brink__mmsg *message)
{
	ssize_t size;

	do
		size = sendmsg(fd, &message->msg_hdr, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (size < 0 && errno == EINTR);
	return size < 0 ? -errno : 1;
}

/* ---- many ---- */

#if defined(HAVE_RECVMMSG) && defined(HAVE_SENDMMSG)

bool brink__os_datagram_batches(void)
{
	return true;
}

int brink__os_receive_many(int fd, brink__mmsg *messages, unsigned count)
{
	int got;

	do
		got = (int)recvmmsg(fd, messages, count, RECEIVE_FLAGS, NULL);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

int brink__os_send_many(int fd, brink__mmsg *messages, unsigned count)
{
	int sent;

	do
		sent = (int)sendmmsg(fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

#else

bool brink__os_datagram_batches(void)
{
	return false;
}

int brink__os_receive_many(int fd, brink__mmsg *messages, unsigned count)
{
	(void)count;
	return brink__os_receive_one(fd, messages);
}

int brink__os_send_many(int fd, brink__mmsg *messages, unsigned count)
{
	(void)count;
	return brink__os_send_one(fd, messages);
}

#endif

/* ---- the queue of errors ---- */

#if defined(__linux__)

int brink__os_queue_errors(int fd, int family)
{
	int on = 1, result = 0;

	if (family != AF_INET && family != AF_INET6)
		return -ENOTSUP;
	if (family == AF_INET6)
		result = setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
	/* An IPv6 socket that takes IPv4 has those of IPv4, too; one that does not refuses this. */
	if (setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on) < 0 && family == AF_INET)
		result = -1;
	return result < 0 ? -errno : 0;
}

static bool is_error(const struct cmsghdr *control)
{
	return (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_RECVERR) ||
	       (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_RECVERR);
}

/* The error that a message from the queue tells; 0: none, or one that send() has returned. */
static int error_of(struct msghdr *message)
{
	struct sock_extended_err error;

	for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL;
	     control = brink__next_control(message, control)) {
		if (!is_error(control))
			continue;
		memcpy(&error, CMSG_DATA(control), sizeof error);
		/* A socket that was handed over may be told of other things by its queue. */
		return error.ee_origin == SO_EE_ORIGIN_ICMP || error.ee_origin == SO_EE_ORIGIN_ICMP6
		               ? -(int)error.ee_errno
		               : 0;
	}
	return 0;
}

int brink__os_take_error(int fd, struct brink_address *to, int *error)
{
	union {
		struct cmsghdr align;
		char room[512];
	} control;
	char start[1]; /* of the datagram, which comes back: of no use without the rest */
	struct iovec part = {start, sizeof start};
	struct sockaddr_storage name;
	struct msghdr message;
	ssize_t size;

	do {
		memset(&message, 0, sizeof message);
		memset(&name, 0, sizeof name);
		message.msg_name = &name;
		message.msg_namelen = sizeof name;
		message.msg_iov = &part;
		message.msg_iovlen = 1;
		message.msg_control = &control;
		message.msg_controllen = sizeof control;
		size = recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
		if (size < 0 && errno != EINTR)
			return 0;
		*error = size < 0 ? 0 : error_of(&message);
	} while (*error == 0);
	if (brink_address_from_sockaddr(to, (struct sockaddr *)&name, message.msg_namelen) < 0)
		memset(to, 0, sizeof *to);
	return 1;
}

#else

int brink__os_queue_errors(int fd, int family)
{
	(void)fd;
	(void)family;
	return -ENOTSUP;
}

int brink__os_take_error(int fd, struct brink_address *to, int *error)
{
	(void)fd;
	(void)to;
	(void)error;
	return 0;
}

#endif
