/* Datagrams out: batches for the kernel, in which those for one peer become one message. */
#include "config.h"

#include "address.h"
#include "datagram.h"

#include <errno.h>
#include <string.h>

#define MESSAGES 16u
#define PARTS 256u
#define PARTS_OF_ONE 64u /* the least that a kernel with UDP_SEGMENT takes */
#define JOINED_SIZE 65487u /* of all parts: what IPv4 and IPv6 both can carry */
/* In a row, which is more than ever come: of other threads' datagrams to nobody, and the next of the queue of errors
 * each time that one is taken from it. */
#define REFUSALS 1000u

/* Datagrams of a batch, each a part of a message. */
struct parcel {
	brink__mmsg messages[MESSAGES];
	union brink__control controls[MESSAGES];
	struct iovec parts[PARTS];
	unsigned counts[MESSAGES]; /* of the parts of each */
	size_t sizes[MESSAGES];
	unsigned messages_used, parts_used;
};

/* ---- what may go together ---- */

static bool same(const struct brink_address *one, const struct brink_address *other)
{
	return one == other || (one != NULL && other != NULL && brink_address_equal(one, other));
}

/* Parts are of one size, but the last may be shorter. `first` is the message's first part. */
static bool joins(const brink_datagram *socket, const struct parcel *parcel, const struct brink_packet *first,
                  const struct brink_packet *packet)
{
	unsigned last = parcel->messages_used - 1;

	return packet->size > 0 && packet->size <= first->size && first->size <= socket->joined_most &&
	       parcel->counts[last] < PARTS_OF_ONE && parcel->sizes[last] == parcel->counts[last] * first->size &&
	       parcel->sizes[last] + packet->size <= JOINED_SIZE && same(packet->to, first->to) &&
	       same(packet->from, first->from) && packet->interface_index == first->interface_index;
}

/* A socket that is bound to one address sends from that, without being asked; some kernels refuse
 * to be. A UNIX socket has no other. */
static bool is_own(const brink_datagram *socket, const struct brink_address *from)
{
	struct sockaddr_in6 a, b;

	if (from == NULL)
		return true;
	if (from->storage.ss_family != socket->family)
		return false;
	if (socket->family == AF_UNIX)
		return brink_address_equal(from, &socket->address);
	if (socket->family == AF_INET)
		return brink__address_v4(from).sin_addr.s_addr == brink__address_v4(&socket->address).sin_addr.s_addr;
	a = brink__address_v6(from);
	b = brink__address_v6(&socket->address);
	return memcmp(&a.sin6_addr, &b.sin6_addr, sizeof a.sin6_addr) == 0;
}

int brink__datagram_check(const brink_datagram *socket, const struct brink_packet *packet)
{
	for (size_t i = 0; i < sizeof packet->reserved / sizeof packet->reserved[0]; i++)
		if (packet->reserved[i] != NULL)
			return -EINVAL;
	if (packet->to == NULL && !socket->connected)
		return -EDESTADDRREQ;
	return packet->bytes == NULL && packet->size > 0 ? -EINVAL : 0;
}

/* ---- packing ---- */

static void add_part(struct parcel *parcel, const struct brink_packet *packet)
{
	unsigned last = parcel->messages_used - 1;

	parcel->parts[parcel->parts_used].iov_base = (void *)(uintptr_t)packet->bytes;
	parcel->parts[parcel->parts_used].iov_len = packet->size;
	parcel->parts_used++;
	parcel->counts[last]++;
	parcel->sizes[last] += packet->size;
}

static void begin_message(struct parcel *parcel, const struct brink_packet *packet)
{
	unsigned last = parcel->messages_used++;
	struct msghdr *header = &parcel->messages[last].msg_hdr;

	memset(header, 0, sizeof *header);
	if (packet->to != NULL) {
		header->msg_name = (void *)(uintptr_t)&packet->to->storage;
		header->msg_namelen = packet->to->length;
	}
	header->msg_iov = &parcel->parts[parcel->parts_used];
	parcel->counts[last] = 0;
	parcel->sizes[last] = 0;
}

static int seal_message(const brink_datagram *socket, struct parcel *parcel, const struct brink_packet *first)
{
	unsigned last = parcel->messages_used - 1;
	struct msghdr *header = &parcel->messages[last].msg_hdr;

	header->msg_iovlen = (__typeof__(header->msg_iovlen))parcel->counts[last];
	return brink__os_write_control(header, &parcel->controls[last], socket->family,
	                               is_own(socket, first->from) ? NULL : first->from,
	                               first->to != NULL ? first->to : &socket->peer, first->interface_index,
	                               parcel->counts[last] > 1 ? (unsigned)first->size : 0);
}

/* Fills the parcel; an error is that of the first packet. One further back is left out: it
 * will be the first of another parcel. */
static int pack(const brink_datagram *socket, struct parcel *parcel, const struct brink_packet *packets,
                unsigned count)
{
	unsigned first = 0, i = 0;
	int result = 0;

	parcel->messages_used = parcel->parts_used = 0;
	while (i < count && parcel->messages_used < MESSAGES && parcel->parts_used < PARTS) {
		result = brink__datagram_check(socket, &packets[i]);
		if (result < 0)
			break;
		first = i;
		begin_message(parcel, &packets[first]);
		do
			add_part(parcel, &packets[i++]);
		while (i < count && parcel->parts_used < PARTS && brink__datagram_check(socket, &packets[i]) == 0 &&
		       joins(socket, parcel, &packets[first], &packets[i]));
		result = seal_message(socket, parcel, &packets[first]);
		if (result < 0) {
			parcel->messages_used--;
			break;
		}
	}
	return parcel->messages_used > 0 ? 0 : result;
}

/* ---- sending ---- */

/* UDP_SEGMENT was refused: the device cannot do it at all, or the parts do not fit its packets; or the
 * first datagram would be refused alone, too: that is seen when it is. `*suspect` is its size. */
static bool give_joining_up(brink_datagram *socket, const struct parcel *parcel, int error, unsigned *suspect)
{
	if (parcel->counts[0] < 2 || (error != -EIO && error != -EINVAL && error != -EMSGSIZE))
		return false;
	if (error == -EIO) {
		socket->joined_most = 0;
		socket->features &= ~BRINK_DATAGRAM_HAS_GSO;
	} else {
		*suspect = (unsigned)parcel->parts[0].iov_len;
	}
	return true;
}

static unsigned parts_sent(brink_datagram *socket, const struct parcel *parcel, unsigned messages)
{
	unsigned sent = 0, joined = 0;

	for (unsigned i = 0; i < messages; i++) {
		sent += parcel->counts[i];
		joined += parcel->counts[i] > 1 ? parcel->counts[i] : 0;
	}
	brink__datagram_count(socket, BRINK__SEND_CALLS, 1);
	brink__datagram_count(socket, BRINK__SENT, sent);
	brink__datagram_count(socket, BRINK__JOINED, joined);
	return sent;
}

/* Errors so far, without a datagram sent in between. */
struct failures {
	unsigned refusals, others;
};

/* Whether it may be an earlier one's, which the queue of errors has, too. That nobody is there is never known at
 * once. */
static bool may_be_past(const brink_datagram *socket, int error, struct failures *failures)
{
	if (brink__datagram_no_room(error) || !brink__datagram_has(socket, BRINK_DATAGRAM_HAS_ERRORS))
		return false;
	return error == -ECONNREFUSED ? failures->refusals++ < REFUSALS : failures->others++ < 1;
}

static int send_parcel(brink_datagram *socket, struct parcel *parcel)
{
	int result = -ENOSYS;

	if (brink__datagram_has(socket, BRINK_DATAGRAM_HAS_BATCH)) {
		result = brink__os_send_many(socket->fd, parcel->messages, parcel->messages_used);
		if (result == -ENOSYS)
			brink__datagram_give_batches_up(socket);
	}
	return result == -ENOSYS ? brink__os_send_one(socket->fd, parcel->messages) : result;
}

unsigned brink__datagram_transmit(brink_datagram *socket, const struct brink_packet *packets, unsigned count,
                                  int *error)
{
	unsigned done = 0, suspect = 0;
	struct failures failures = {0, 0};
	struct parcel parcel;
	int result;

	*error = 0;
	while (done < count && *error == 0) {
		*error = pack(socket, &parcel, packets + done, suspect != 0 ? 1 : count - done);
		if (*error < 0)
			break;
		result = send_parcel(socket, &parcel);
		if (result > 0) {
			if (suspect != 0)
				socket->joined_most = suspect - 1;
			suspect = 0;
			done += parts_sent(socket, &parcel, (unsigned)result);
			failures = (struct failures){0, 0};
		} else if (!give_joining_up(socket, &parcel, result, &suspect) && !may_be_past(socket, result, &failures)) {
			*error = result;
		}
	}
	return done;
}

int brink_datagram_send_many(brink_datagram *socket, const struct brink_packet *packets, unsigned count)
{
	unsigned done = 0;
	int error = 0;

	if (atomic_load(&socket->outbox.used) == 0)
		done = brink__datagram_transmit(socket, packets, count, &error);
	if (done < count && (error == 0 || brink__datagram_no_room(error)))
		done += brink__datagram_queue(socket, packets + done, count - done, &error);
	return done > 0 || error == 0 ? (int)done : error;
}

int brink_datagram_send(brink_datagram *socket, const void *bytes, size_t size, const struct brink_address *to)
{
	int result = brink_datagram_send_many(socket, &(struct brink_packet){.bytes = bytes, .size = size, .to = to}, 1);

	return result < 0 ? result : 0;
}

int brink_datagram_reply(brink_datagram *socket, const struct brink_packet *packet, const void *bytes, size_t size)
{
	struct brink_packet reply = {.bytes = bytes, .size = size, .from = packet->local};
	int result;

	/* The peer is not named: most systems refuse that, and a UNIX socket may have no name, or not any more. */
	if (!socket->connected || !brink_address_equal(packet->from, &socket->peer))
		reply.to = packet->from;
	if (reply.to != NULL && socket->family == AF_UNIX && brink__address_path_length(reply.to) == 0)
		return -EDESTADDRREQ;
	result = brink_datagram_send_many(socket, &reply, 1);
	return result < 0 ? result : 0;
}
