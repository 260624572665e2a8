/* A datagram socket's life: created, paused, destroyed; and the calls of its watch and timer. */
#include "config.h"

#include "datagram.h"
#include "loop.h"
#include "memory.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#define FLAGS \
	(BRINK_DATAGRAM_REUSEADDR | BRINK_DATAGRAM_REUSEPORT | BRINK_DATAGRAM_V6ONLY | BRINK_DATAGRAM_BROADCAST | \
	 BRINK_DATAGRAM_NO_LOOPBACK | BRINK_DATAGRAM_NO_QUEUE | BRINK_DATAGRAM_ONE_BY_ONE | \
	 BRINK_DATAGRAM_NO_OFFLOAD | BRINK_DATAGRAM_UNIX_REPLACE)

#define RETRY_AFTER BRINK_MS(2)

/* ---- what the loop calls ---- */

static void release(brink_datagram *socket)
{
	brink__inbox_close(&socket->inbox);
	brink__outbox_close(&socket->outbox);
	brink__free(socket);
}

static void leave(brink_datagram *socket)
{
	socket->inside = false;
	if (socket->gone)
		release(socket);
}

static void on_ready(brink_watch *watch, unsigned ready)
{
	brink_datagram *socket = brink_container_of(watch, brink_datagram, watch);
	bool look = (ready & BRINK_ERROR) || socket->look;

	socket->inside = true;
	socket->look = false;
	/* A send on another thread may have used the socket's error up: it is in the queue still. */
	if (look)
		brink__datagram_take_errors(socket);
	if (!socket->gone && (ready & BRINK_WRITE))
		brink__datagram_flush(socket);
	if (!socket->gone && (ready & BRINK_READ))
		brink__datagram_receive(socket);
	leave(socket);
}

static void on_timer(brink_timer *timer)
{
	brink_datagram *socket = brink_container_of(timer, brink_datagram, timer);

	brink__timer_aside_came(timer);
	socket->inside = true;
	if (socket->stalled) {
		socket->stalled = false;
		brink__datagram_receive_again(socket);
	}
	brink__datagram_flush(socket);
	leave(socket);
}

void brink__datagram_try_later(brink_datagram *socket)
{
	if (!brink_timer_active(&socket->timer))
		brink__timer_start_aside(socket->loop, &socket->timer, RETRY_AFTER);
}

void brink__datagram_tell(brink_datagram *socket, int error, const struct brink_address *to)
{
	brink__datagram_count(socket, BRINK__ERRORS, 1);
	if (socket->on_error != NULL)
		socket->on_error(socket, error, to, socket->arg);
}

/* ---- creating ---- */

static int check(const struct brink_datagram_options *options)
{
	for (size_t i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++)
		if (options->reserved[i] != NULL)
			return -EINVAL;
	if (options->on_packets == NULL || (options->flags & ~FLAGS) != 0 || options->unix_mode > 0777 ||
	    options->max_size > 16u << 20 || options->batch > 1024 || options->queue_limit > 1u << 30)
		return -EINVAL;
	if (options->receive_buffer > INT_MAX || options->send_buffer > INT_MAX || options->ttl > 255 ||
	    options->multicast_ttl > 255)
		return -EINVAL;
	return 0;
}

static void set_up(brink_datagram *socket, brink_loop *loop, const struct brink_datagram_options *options)
{
	socket->loop = loop;
	socket->fd = -1;
	socket->on_packets = options->on_packets;
	socket->on_error = options->on_error;
	socket->on_writable = options->on_writable;
	socket->arg = options->arg;
	socket->flags = options->flags;
	socket->batch = options->batch != 0 ? options->batch : 16;
	socket->budget = options->budget != 0 ? options->budget : 256;
	socket->max_size = options->max_size != 0 ? options->max_size : 65535;
	/* Whole words, so that records are aligned. */
	socket->outbox.limit = (options->queue_limit != 0 ? options->queue_limit : 256u << 10) & ~(size_t)7;
	if (options->flags & BRINK_DATAGRAM_NO_QUEUE)
		socket->outbox.limit = 0;
	brink_watch_init(&socket->watch, on_ready);
	brink_timer_init(&socket->timer, on_timer);
}

int brink_datagram_create(brink_datagram **created, brink_loop *loop, const struct brink_datagram_options *options)
{
	brink_datagram *socket;
	int result = check(options);

	if (result < 0)
		return result;
	socket = brink__allocate(1, sizeof *socket);
	if (socket == NULL)
		return -ENOMEM;
	set_up(socket, loop, options);
	result = -pthread_mutex_init(&socket->outbox.lock, NULL);
	if (result < 0) {
		brink__free(socket);
		return result;
	}
	result = brink__datagram_open(socket, options);
	if (result == 0)
		result = brink__inbox_open(socket);
	if (result == 0)
		result = brink_watch_start(loop, &socket->watch, socket->fd, BRINK_READ);
	if (result < 0) {
		if (socket->handed_over)
			socket->fd = -1; /* the caller's still */
		brink_datagram_destroy(socket);
		return result;
	}
	*created = socket;
	return 0;
}

void brink_datagram_destroy(brink_datagram *socket)
{
	if (socket == NULL)
		return;
	brink__timer_stop_aside(&socket->timer);
	/* First the file, so that nobody finds a socket that is about to end. */
	brink__unix_remove(&socket->address, &socket->file);
	if (brink_watch_close(&socket->watch) == -ENOENT && socket->fd >= 0)
		close(socket->fd);
	socket->gone = true;
	if (!socket->inside)
		release(socket);
}

/* ---- the rest ---- */

void brink_datagram_pause(brink_datagram *socket)
{
	socket->paused = true;
}

void brink_datagram_resume(brink_datagram *socket)
{
	if (!socket->paused)
		return;
	socket->paused = false;
	brink__datagram_receive_again(socket);
}

static int change_member(brink_datagram *socket, const struct brink_address *group, unsigned interface_index,
                         bool join)
{
	if (group->storage.ss_family != socket->family || socket->family == AF_UNIX)
		return -EAFNOSUPPORT;
	return brink__os_multicast_member(socket->fd, group, interface_index, join);
}

int brink_datagram_join(brink_datagram *socket, const struct brink_address *group, unsigned interface_index)
{
	return change_member(socket, group, interface_index, true);
}

int brink_datagram_leave(brink_datagram *socket, const struct brink_address *group, unsigned interface_index)
{
	return change_member(socket, group, interface_index, false);
}

void brink_datagram_address(const brink_datagram *socket, struct brink_address *address)
{
	*address = socket->address;
}

int brink_datagram_fd(const brink_datagram *socket)
{
	return socket->fd;
}

unsigned brink_datagram_features(const brink_datagram *socket)
{
	return atomic_load_explicit(&socket->features, memory_order_relaxed);
}

void brink_datagram_counters(const brink_datagram *socket, struct brink_packet_counters *counters)
{
	uint64_t counts[BRINK__DATAGRAM_COUNTS];

	for (unsigned i = 0; i < BRINK__DATAGRAM_COUNTS; i++)
		counts[i] = atomic_load_explicit(&socket->counts[i], memory_order_relaxed);
	*counters = (struct brink_packet_counters){
		.received = counts[BRINK__RECEIVED],
		.truncated = counts[BRINK__TRUNCATED],
		.sent = counts[BRINK__SENT],
		.queued = counts[BRINK__QUEUED],
		.refused = counts[BRINK__REFUSED],
		.errors = counts[BRINK__ERRORS],
		.receive_calls = counts[BRINK__RECEIVE_CALLS],
		.send_calls = counts[BRINK__SEND_CALLS],
		.cut = counts[BRINK__CUT],
		.joined = counts[BRINK__JOINED],
	};
}
