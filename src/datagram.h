/* The datagram socket from inside.
 *
 *   datagram.c          its life, and the watch's and the timer's calls
 *   datagram_open.c     a socket as the options want it
 *   datagram_receive.c  batches in, cut into datagrams; errors of earlier ones
 *   datagram_send.c     batches out, of any thread
 *   datagram_queue.c    what waits for room */
#ifndef BRINK_DATAGRAM_INTERNAL_H
#define BRINK_DATAGRAM_INTERNAL_H

#include "listener.h" /* the file of a UNIX socket */
#include "os_datagram.h"

#include <brink/datagram.h>
#include <brink/timer.h>
#include <brink/watch.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

/* A message as the kernel gave it: one datagram, or many of one size that came as one. */
struct brink__letter {
	struct brink_address from;
	struct brink__arrival arrival;
	struct iovec part;
	union brink__control control;
	size_t full_size;
	bool truncated;
};

/* The messages of a batch, of which those from `next` on have yet to be handed over. */
struct brink__inbox {
	brink__mmsg *headers;
	struct brink__letter *letters;
	char *bytes; /* a buffer of max_size for each */
	struct brink_packet *packets; /* for a call of on_packets */
	unsigned room; /* of `packets` */
	unsigned next, count;
	size_t offset; /* into the message `next` */
};

/* What waits for room in the kernel: records in a ring of bytes, of any thread. Where there
 * are any, the loop has been asked to send them: `waiting`. */
struct brink__outbox {
	pthread_mutex_t lock; /* for all but `used`, which is read without it */
	char *ring; /* NULL before the first use */
	size_t limit, head, tail;
	atomic_size_t used;
	bool waiting;
	bool wants_timer; /* asked for by another thread, which cannot start it */
	bool refused; /* somebody is to be told of room */
};

/* The members of struct brink_packet_counters, in their order. */
enum brink__datagram_count {
	BRINK__RECEIVED, BRINK__TRUNCATED, BRINK__SENT, BRINK__QUEUED, BRINK__REFUSED, BRINK__ERRORS,
	BRINK__RECEIVE_CALLS, BRINK__SEND_CALLS, BRINK__CUT, BRINK__JOINED,
	BRINK__DATAGRAM_COUNTS
};

struct brink_datagram {
	brink_loop *loop;
	brink_watch watch;
	brink_timer timer; /* tries again what no event will tell of */
	brink_packets_fn *on_packets;
	brink_datagram_error_fn *on_error;
	brink_datagram_writable_fn *on_writable;
	void *arg;
	int fd, family;
	unsigned flags;
	bool handed_over;
	bool connected;
	bool paused;
	bool stalled; /* reading goes on at the timer */
	bool look; /* an event that was made up hides what errors came meanwhile */
	bool inside; /* a call of the watch or the timer is under way */
	bool gone; /* destroyed in it */
	unsigned batch, budget;
	size_t max_size;
	struct brink_address address, peer; /* the latter if it is connected */
	struct brink__unix_file file;
	struct brink__inbox inbox;
	struct brink__outbox outbox;
	atomic_uint features;
	atomic_uint joined_most; /* the largest datagram that UDP_SEGMENT is used for; 0: none */
	_Atomic uint64_t counts[BRINK__DATAGRAM_COUNTS];
};

static inline void brink__datagram_count(brink_datagram *socket, enum brink__datagram_count which, uint64_t more)
{
	atomic_fetch_add_explicit(&socket->counts[which], more, memory_order_relaxed);
}

static inline bool brink__datagram_has(const brink_datagram *socket, unsigned feature)
{
	return (atomic_load_explicit(&socket->features, memory_order_relaxed) & feature) != 0;
}

/* The calls are compiled in, and a filter or an old kernel does not know them. */
static inline void brink__datagram_give_batches_up(brink_datagram *socket)
{
	atomic_fetch_and_explicit(&socket->features, ~BRINK_DATAGRAM_HAS_BATCH, memory_order_relaxed);
}

/* datagram.c */
/* Calls on_error; the socket may be gone afterwards. */
void brink__datagram_tell(brink_datagram *socket, int error, const struct brink_address *to);
void brink__datagram_try_later(brink_datagram *socket);

/* datagram_open.c */
int brink__datagram_open(brink_datagram *socket, const struct brink_datagram_options *options);

/* datagram_receive.c */
int brink__inbox_open(brink_datagram *socket);
void brink__inbox_close(struct brink__inbox *inbox);
void brink__datagram_receive(brink_datagram *socket);
/* Has receiving go on in the next turn. */
void brink__datagram_receive_again(brink_datagram *socket);
/* Tells the queued errors, some of them at most; returns how many. */
unsigned brink__datagram_take_errors(brink_datagram *socket);

/* datagram_send.c */
int brink__datagram_check(const brink_datagram *socket, const struct brink_packet *packet);
/* Hands as many to the kernel as it takes, and returns their number; `*error` is why it was not all. */
unsigned brink__datagram_transmit(brink_datagram *socket, const struct brink_packet *packets, unsigned count,
                                  int *error);
static inline bool brink__datagram_no_room(int error)
{
	return error == -EAGAIN || error == -ENOBUFS;
}

/* datagram_queue.c */
void brink__outbox_close(struct brink__outbox *outbox);
/* Queues as many as there is room for and returns their number. `*error` is what the kernel said, or 0
 * where they go behind others; and then why it was not all. */
unsigned brink__datagram_queue(brink_datagram *socket, const struct brink_packet *packets, unsigned count,
                               int *error);
void brink__datagram_flush(brink_datagram *socket);

#endif
