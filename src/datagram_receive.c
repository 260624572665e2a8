/* Datagrams in: a batch from the kernel, cut into what was sent, and handed over. */
#include "config.h"

#include "address.h"
#include "datagram.h"
#include "loop.h"
#include "memory.h"

#include <errno.h>
#include <string.h>

#define ERRORS_AT_ONCE 64u
#define FAILURES_AT_ONCE 8u

/* ---- the inbox ---- */

static void set_up(brink_datagram *socket, unsigned index)
{
	struct brink__inbox *inbox = &socket->inbox;
	struct brink__letter *letter = &inbox->letters[index];
	struct msghdr *header = &inbox->headers[index].msg_hdr;

	letter->part.iov_base = inbox->bytes + index * socket->max_size;
	letter->part.iov_len = socket->max_size;
	memset(header, 0, sizeof *header);
	header->msg_name = &letter->from.storage;
	header->msg_namelen = sizeof letter->from.storage;
	header->msg_iov = &letter->part;
	header->msg_iovlen = 1;
	/* A UNIX socket would be given descriptors, which nobody closes. */
	if (socket->family != AF_UNIX) {
		header->msg_control = &letter->control;
		header->msg_controllen = sizeof letter->control;
	}
}

int brink__inbox_open(brink_datagram *socket)
{
	struct brink__inbox *inbox = &socket->inbox;

	inbox->room = socket->batch < 64 && brink__datagram_has(socket, BRINK_DATAGRAM_HAS_GRO) ? 64 : socket->batch;
	inbox->headers = brink__allocate(socket->batch, sizeof *inbox->headers);
	inbox->letters = brink__allocate(socket->batch, sizeof *inbox->letters);
	inbox->packets = brink__allocate(inbox->room, sizeof *inbox->packets);
	/* Not cleared: pages that no datagram has reached are no memory yet. */
	inbox->bytes = brink__resize(NULL, socket->batch, socket->max_size);
	if (inbox->headers == NULL || inbox->letters == NULL || inbox->packets == NULL || inbox->bytes == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < socket->batch; i++)
		set_up(socket, i);
	return 0;
}

void brink__inbox_close(struct brink__inbox *inbox)
{
	brink__free(inbox->headers);
	brink__free(inbox->letters);
	brink__free(inbox->packets);
	brink__free(inbox->bytes);
}

/* ---- from the kernel ---- */

static void open_letter(brink_datagram *socket, unsigned index)
{
	struct brink__letter *letter = &socket->inbox.letters[index];
	brink__mmsg *got = &socket->inbox.headers[index];
	socklen_t length = got->msg_hdr.msg_namelen;
	size_t size = (size_t)got->msg_len;

	if (length < offsetof(struct sockaddr, sa_data) || socket->family == AF_UNIX) {
		struct sockaddr_storage name = letter->from.storage;

		/* No name at all is one that cannot be read, which no kernel gives. */
		if (brink__address_take(&letter->from, &name, length, socket->family) < 0)
			brink__address_take(&letter->from, &name, 0, socket->family);
	} else {
		letter->from.length = length;
	}
	letter->truncated = (got->msg_hdr.msg_flags & MSG_TRUNC) != 0 || size > socket->max_size;
	letter->full_size = letter->truncated && !brink__os_tells_true_size() ? 0 : size;
	letter->part.iov_len = size < socket->max_size ? size : socket->max_size;
	if (socket->family != AF_UNIX) {
		brink__os_read_control(&got->msg_hdr, htons((uint16_t)brink_address_port(&socket->address)), &letter->arrival);
	} else {
		letter->arrival.to = letter->arrival.local = socket->address;
	}
}

static int receive(brink_datagram *socket)
{
	int result = -ENOSYS;

	if (brink__datagram_has(socket, BRINK_DATAGRAM_HAS_BATCH)) {
		result = brink__os_receive_many(socket->fd, socket->inbox.headers, socket->batch);
		if (result == -ENOSYS)
			brink__datagram_give_batches_up(socket);
	}
	return result == -ENOSYS ? brink__os_receive_one(socket->fd, socket->inbox.headers) : result;
}

/* Another batch: the number of its messages, or a negative errno. */
static int take(brink_datagram *socket)
{
	struct brink__inbox *inbox = &socket->inbox;
	int got;

	for (unsigned i = 0; i < inbox->count; i++)
		set_up(socket, i);
	inbox->next = inbox->count = 0;
	brink__watch_use(&socket->watch, BRINK_READ);
	got = receive(socket);
	if (got <= 0)
		return got;
	inbox->count = (unsigned)got;
	for (unsigned i = 0; i < inbox->count; i++)
		open_letter(socket, i);
	brink__datagram_count(socket, BRINK__RECEIVE_CALLS, 1);
	return got;
}

/* ---- to the program ---- */

/* The next datagram of the inbox. */
static void cut(brink_datagram *socket, struct brink_packet *packet)
{
	struct brink__inbox *inbox = &socket->inbox;
	struct brink__letter *letter = &inbox->letters[inbox->next];
	size_t size = letter->part.iov_len - inbox->offset, segment = letter->arrival.segment;
	bool part = segment != 0 && segment < letter->part.iov_len;

	*packet = (struct brink_packet){
		.bytes = (const char *)letter->part.iov_base + inbox->offset,
		.from = &letter->from,
		.to = letter->arrival.to.length > 0 ? &letter->arrival.to : NULL,
		.local = letter->arrival.local.length > 0 ? &letter->arrival.local : NULL,
		.interface_index = letter->arrival.interface_index,
	};
	packet->size = part && segment < size ? segment : size;
	packet->full_size = part ? packet->size : letter->full_size;
	if (part)
		brink__datagram_count(socket, BRINK__CUT, 1);
	if (letter->truncated && packet->size == size) {
		packet->flags = BRINK_PACKET_TRUNCATED;
		brink__datagram_count(socket, BRINK__TRUNCATED, 1);
	}
	inbox->offset += packet->size;
	if (inbox->offset == letter->part.iov_len) {
		inbox->next++;
		inbox->offset = 0;
	}
}

/* Hands over at most `most` of what is in the inbox, and returns how many. */
static unsigned deliver(brink_datagram *socket, unsigned most)
{
	struct brink__inbox *inbox = &socket->inbox;
	unsigned given = 0, count;

	while (!socket->gone && !socket->paused && given < most && inbox->next < inbox->count) {
		for (count = 0; count < inbox->room && given + count < most && inbox->next < inbox->count; count++)
			cut(socket, &inbox->packets[count]);
		brink__datagram_count(socket, BRINK__RECEIVED, count);
		given += count;
		socket->on_packets(socket, inbox->packets, count, socket->arg);
	}
	return given;
}

/* ---- errors ---- */

unsigned brink__datagram_take_errors(brink_datagram *socket)
{
	struct brink_address to;
	unsigned count = 0;
	int error;

	if (!brink__datagram_has(socket, BRINK_DATAGRAM_HAS_ERRORS))
		return 0;
	/* Where more are left, the socket has an error, which the next receive says. */
	while (!socket->gone && count < ERRORS_AT_ONCE && brink__os_take_error(socket->fd, &to, &error) > 0) {
		count++;
		brink__datagram_tell(socket, error, to.length > 0 ? &to : NULL);
	}
	return count;
}

static void fail(brink_datagram *socket, int error)
{
	if (brink__datagram_take_errors(socket) == 0 && !socket->gone)
		brink__datagram_tell(socket, error, NULL);
}

/* No event will say when to go on: the timer does. */
static void stall(brink_datagram *socket)
{
	socket->stalled = true;
	brink__datagram_try_later(socket);
}

/* ---- all of it ---- */

void brink__datagram_receive_again(brink_datagram *socket)
{
	socket->look = true;
	brink_watch_again(&socket->watch, BRINK_READ);
}

static void wait_for_more(brink_datagram *socket)
{
	if (!socket->gone && brink_watch_rearm(&socket->watch, BRINK_READ) < 0)
		stall(socket);
}

void brink__datagram_receive(brink_datagram *socket)
{
	unsigned left = socket->budget, failures = 0;
	int got;

	for (;;) {
		left -= deliver(socket, left);
		if (socket->gone || socket->paused)
			return;
		if (left == 0) {
			brink__datagram_receive_again(socket);
			return;
		}
		got = take(socket);
		if (got == -EAGAIN) {
			/* An event for nothing may be one for an error that a send has met. */
			if (left == socket->budget && failures == 0)
				brink__datagram_take_errors(socket);
			wait_for_more(socket);
			return;
		}
		if (got >= 0)
			continue;
		fail(socket, got);
		if (socket->gone)
			return;
		if (++failures == FAILURES_AT_ONCE) {
			stall(socket);
			return;
		}
	}
}
