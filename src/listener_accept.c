/* Accepting until the queue is empty, whatever stands in the way.
 *
 * The ticket of the watch is what keeps a listener from spinning: only an accept that
 * finds the queue empty hands it back. One that fails for want of descriptors leaves the
 * direction closed, as do a pause and the limit of connections, and whoever ends that state
 * makes up an event: the timer, brink_listener_resume(), a connection's end. */
#include "config.h"

#include "address.h"
#include "listener.h"
#include "loop.h"
#include "os.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#if !defined(ENONET)
#define ENONET EHOSTUNREACH
#endif

/* A drain ends every pause. */
static bool is_paused(const brink_listener *listener)
{
	return !listener->draining &&
	       (listener->paused || (listener->shared != NULL && atomic_load(&listener->shared->paused)));
}

bool brink__listener_may_accept(const brink_listener *listener)
{
	if (listener->gone || listener->fd < 0 || listener->retrying || is_paused(listener))
		return false;
	return !listener->full || (listener->draining && listener->held < 0);
}

int brink__listener_open_spare(const brink_listener *listener)
{
	/* Anything that takes a descriptor and an entry of the system's table of files. */
	return brink__os_socket(listener->address.storage.ss_family, SOCK_STREAM);
}

/* Errors of the one connection that was next in the queue, which is gone with it: Linux
 * passes on what the network said of it, a packet filter's EPERM among it. */
static bool concerns_connection(int error)
{
	switch (-error) {
	case EPROTO:
	case EPERM:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
	case ECONNRESET:
	case ETIMEDOUT:
		return true;
	default:
		return -error == ENONET;
	}
}

static bool is_shortage(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

/* Whether `error` says that nothing is queued; to a drain, everything that would not pass:
 * a UNIX socket that was shut down may say EINVAL then. */
static bool is_end(const brink_listener *listener, int error)
{
	if (error >= 0 || error == -EAGAIN)
		return error == -EAGAIN;
	return listener->draining && !is_shortage(error) && !concerns_connection(error);
}

/* Once an episode. The callback may destroy the listener. */
static void report(brink_listener *listener, int error)
{
	listener->counters.errors++;
	if (listener->shared != NULL)
		atomic_fetch_add_explicit(&listener->shared->errors, 1, memory_order_relaxed);
	if (listener->reported == error)
		return;
	listener->reported = error;
	if (listener->on_error != NULL)
		listener->on_error(listener, error, listener->arg);
}

/* ---- waiting ---- */

static void tell_short(const brink_listener *listener)
{
	if (listener->draining && listener->on_short != NULL)
		listener->on_short(listener->arg);
}

static void retry_later(brink_listener *listener)
{
	uint64_t most = listener->retry_first > BRINK_SECONDS(1) ? listener->retry_first : BRINK_SECONDS(1);

	listener->retrying = true;
	brink__timer_start_aside(listener->loop, &listener->timer, listener->retry_next);
	listener->retry_next = listener->retry_next < most / 2 ? listener->retry_next * 2 : most;
	tell_short(listener);
}

void brink__listener_retry_now(brink_listener *listener)
{
	listener->retry_next = listener->retry_first;
	if (listener->retrying)
		brink__timer_stop_aside(&listener->timer);
	listener->retrying = false;
}

void brink__listener_timer(brink_timer *timer)
{
	brink_listener *listener = brink_container_of(timer, brink_listener, timer);

	brink__timer_aside_came(timer);
	listener->retrying = false;
	brink__listener_go_on(listener);
}

/* ---- the end of the queue ---- */

static void finish_drain(brink_listener *listener)
{
	brink__listener_close(listener);
	if (listener->on_drained != NULL)
		listener->on_drained(listener, listener->arg);
}

/* The queue was found empty. */
static void drain_on(brink_listener *listener)
{
	uint64_t now;

	if (!listener->draining)
		return;
	now = brink_loop_now(listener->loop);
	if (now >= listener->drain_end)
		finish_drain(listener);
	else if (!brink_timer_active(&listener->timer))
		brink__timer_start_aside(listener->loop, &listener->timer, listener->drain_end - now);
}

/* ---- without descriptors ---- */

/* Linux wants a descriptor before it looks at the queue. To see that nothing is queued takes none, and the descriptors
 * that are missing may be those of connections that end only after the drain. */
static __attribute__((noinline)) int short_in_drain(brink_listener *listener, int error)
{
	return brink__os_is_quiet(listener->fd) && brink_watch_rearm(&listener->watch, BRINK_READ) == 0 ? -EAGAIN : error;
}

static int accept_next(brink_listener *listener, struct sockaddr *address, socklen_t *length)
{
	int fd = brink_watch_accept(&listener->watch, address, length);

	return listener->draining && is_shortage(fd) ? short_in_drain(listener, fd) : fd;
}

/* Takes connections and ends them, by the spare's descriptor. */
static void shed(brink_listener *listener)
{
	unsigned count = 0;
	int fd = -EMFILE;

	close(listener->spare);
	while (count < listener->budget && (fd = accept_next(listener, NULL, NULL)) >= 0) {
		close(fd);
		count++;
	}
	listener->counters.shed += count;
	if (listener->shared != NULL)
		atomic_fetch_add_explicit(&listener->shared->shed, count, memory_order_relaxed);
	listener->spare = brink__listener_open_spare(listener);
	if (is_end(listener, fd))
		drain_on(listener);
	else if ((fd >= 0 || concerns_connection(fd)) && listener->spare >= 0)
		brink_watch_again(&listener->watch, BRINK_READ);
	else
		retry_later(listener);
}

static void failed(brink_listener *listener, int error)
{
	bool want_descriptor = error == -EMFILE || error == -ENFILE, draining = listener->draining;

	report(listener, error);
	/* A drain that begins in the call has an attempt of its own to come. */
	if (listener->gone || listener->fd < 0 || listener->draining != draining)
		return;
	if (want_descriptor && listener->spare >= 0)
		shed(listener);
	else
		retry_later(listener);
}

/* ---- accepting ---- */

/* The next connection: the one that waited for room, or the queue's first. */
static int take(brink_listener *listener, struct brink_address *peer)
{
	struct sockaddr_storage storage;
	socklen_t length = sizeof storage;
	int fd = listener->held;

	if (fd >= 0) {
		*peer = listener->held_peer;
		listener->held = -1;
		return fd;
	}
	storage.ss_family = AF_UNSPEC;
	fd = accept_next(listener, (struct sockaddr *)&storage, &length);
	if (fd >= 0)
		brink__address_take(peer, &storage, length, listener->address.storage.ss_family);
	if (fd >= 0 && listener->wants_hops)
		brink__os_want_any_hops(fd, listener->address.storage.ss_family);
	return fd;
}

static void hand_out(brink_listener *listener, int fd, const struct brink_address *peer)
{
	listener->reported = 0;
	listener->retry_next = listener->retry_first;
	listener->counters.accepted++;
	brink__listen_options_apply(listener, fd);
	brink__listener_count(listener);
	listener->on_accept(listener, fd, peer, listener->arg);
}

/* 1: a connection; 0: one that died in the queue; or what ends this round. */
static int accept_one(brink_listener *listener)
{
	struct brink_address peer;
	int fd = take(listener, &peer);

	if (fd >= 0 && listener->full) {
		listener->held = fd;
		listener->held_peer = peer;
		tell_short(listener);
		return 1;
	}
	if (fd >= 0) {
		hand_out(listener, fd, &peer);
		return 1;
	}
	if (!concerns_connection(fd))
		return fd;
	report(listener, fd);
	return 0;
}

static void accept_some(brink_listener *listener)
{
	bool progress = false;

	/* The budget counts dead ones too; and when there is nothing else, they may be no
	 * connections at all but a state of the system's that lasts. */
	for (unsigned count = 0; count < listener->budget; count++) {
		int result = accept_one(listener);

		if (!brink__listener_may_accept(listener))
			return;
		if (is_end(listener, result)) {
			listener->reported = 0;
			listener->retry_next = listener->retry_first;
			drain_on(listener);
			return;
		}
		if (result < 0) {
			failed(listener, result);
			return;
		}
		progress = progress || result > 0;
	}
	if (progress)
		brink_watch_again(&listener->watch, BRINK_READ);
	else
		retry_later(listener);
}

void brink__listener_ready(brink_watch *watch, unsigned ready)
{
	brink_listener *listener = brink_container_of(watch, brink_listener, watch);

	(void)ready;
	if (!brink__listener_may_accept(listener))
		return;
	brink__listener_hold(listener);
	if (listener->spare < 0 && (listener->flags & BRINK_LISTEN_SHED))
		listener->spare = brink__listener_open_spare(listener);
	accept_some(listener);
	brink__listener_release(listener);
}
