/* A listener's life: created, paused, drained, destroyed. */
#include "config.h"

#include "listener.h"
#include "loop.h"
#include "memory.h"
#include "os.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#define FLAGS \
	(BRINK_LISTEN_REUSEPORT | BRINK_LISTEN_REUSEPORT_IF_BALANCED | BRINK_LISTEN_NO_REUSEADDR | \
	 BRINK_LISTEN_V6ONLY | BRINK_LISTEN_DELAY | BRINK_LISTEN_KEEPALIVE | BRINK_LISTEN_SHED | \
	 BRINK_LISTEN_UNIX_REPLACE)

void brink__listener_go_on(brink_listener *listener)
{
	/* Fails only where the watch is gone: after the drain, and with the loop. */
	if (brink__listener_may_accept(listener))
		brink_watch_again(&listener->watch, BRINK_READ);
}

/* ---- creating ---- */

static int check(const struct brink_listener_options *options)
{
	if (options->on_accept == NULL || options->backlog < 0 || (options->flags & ~FLAGS) != 0 ||
	    options->unix_mode > 0777)
		return -EINVAL;
	for (size_t i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++)
		if (options->reserved[i] != NULL)
			return -EINVAL;
	return 0;
}

static void set_up(brink_listener *listener, brink_loop *loop, const struct brink_listener_options *options)
{
	listener->loop = loop;
	listener->fd = listener->spare = listener->held = -1;
	listener->on_accept = options->on_accept;
	listener->on_error = options->on_error;
	listener->on_drained = options->on_drained;
	listener->arg = options->arg;
	listener->flags = options->flags;
	listener->budget = options->budget != 0 ? options->budget : 64;
	listener->retry_first = options->retry_after != 0 ? options->retry_after : BRINK_MS(100);
	listener->retry_next = listener->retry_first;
	listener->drain_wait = options->drain_wait != 0 ? options->drain_wait : BRINK_MS(200);
	brink_watch_init(&listener->watch, brink__listener_ready);
	brink_timer_init(&listener->timer, brink__listener_timer);
}

static int open_spare(brink_listener *listener)
{
	if ((listener->flags & BRINK_LISTEN_SHED) == 0)
		return 0;
	listener->spare = brink__listener_open_spare(listener);
	return listener->spare < 0 ? listener->spare : 0;
}

int brink_listener_create(brink_listener **created, brink_loop *loop,
                          const struct brink_listener_options *options)
{
	brink_listener *listener;
	int result = check(options);

	if (result < 0)
		return result;
	listener = brink__allocate(1, sizeof *listener);
	if (listener == NULL)
		return -ENOMEM;
	set_up(listener, loop, options);
	result = brink__listen_limit_init(listener, options->max_connections);
	if (result < 0) {
		brink__free(listener);
		return result;
	}
	result = brink__listen_open(listener, options);
	if (result == 0)
		result = open_spare(listener);
	if (result == 0)
		result = brink_watch_start(loop, &listener->watch, listener->fd, BRINK_READ);
	if (result < 0) {
		if (listener->handed_over)
			listener->fd = -1; /* the caller's still */
		brink_listener_destroy(listener);
		return result;
	}
	*created = listener;
	return 0;
}

/* ---- ending ---- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void brink__listener_close(brink_listener *listener)
{
	brink__timer_stop_aside(&listener->timer);
	/* First the file, so that nobody finds a socket that is about to end. */
	brink__unix_remove(&listener->address, &listener->file);
	if (brink_watch_close(&listener->watch) != -ENOENT)
		listener->fd = -1;
	close_fd(&listener->fd);
	close_fd(&listener->spare);
	close_fd(&listener->held);
}

void brink_listener_destroy(brink_listener *listener)
{
	if (listener == NULL)
		return;
	brink__listener_close(listener);
	brink__listen_limit_end(listener);
	listener->gone = true;
	brink__listener_release(listener);
}

int brink_listener_drain(brink_listener *listener)
{
	uint64_t now = brink_loop_now(listener->loop);
	int result = -ENOTSUP;

	if (listener->draining)
		return -EALREADY;
	listener->draining = true;
	listener->paused = false;
	brink__listener_retry_now(listener);
	brink__unix_remove(&listener->address, &listener->file);
	if (!listener->handed_over)
		result = brink__os_refuse(listener->fd, listener->address.storage.ss_family);
	listener->wants_hops = result == BRINK__REFUSES_BY_HOPS;
	if (result <= BRINK__REFUSES_ALL)
		listener->drain_end = now;
	else
		listener->drain_end = listener->drain_wait < UINT64_MAX - now ? now + listener->drain_wait : UINT64_MAX;
	brink__listener_go_on(listener);
	return 0;
}

/* ---- the rest ---- */

void brink_listener_pause(brink_listener *listener)
{
	listener->paused = !listener->draining;
}

void brink_listener_resume(brink_listener *listener)
{
	if (!listener->paused)
		return;
	listener->paused = false;
	brink__listener_go_on(listener);
}

void brink_listener_address(const brink_listener *listener, struct brink_address *address)
{
	*address = listener->address;
}

int brink_listener_fd(const brink_listener *listener)
{
	return listener->fd;
}

void brink_listener_counters(const brink_listener *listener, struct brink_accept_counters *counters)
{
	*counters = listener->counters;
}
