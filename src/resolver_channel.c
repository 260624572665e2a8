/* The channel: calls c-ares, which waits for nothing, when the descriptors that it named are ready, and
 * when it wants to be called at the latest.
 *
 * It is embedded as any library that was written for level-triggered loops. Its watches and its
 * timers are no reason for the loop to run: the lookups are, each by its own timer. */
#include "config.h"

#include "memory.h"
#include "resolver_cares.h"

#include <errno.h>
#include <string.h>
#include <sys/time.h>

/* In place of the system's servers where the options name none: for tests. */
#define SERVERS_VARIABLE "BRINK_NAME_SERVERS"

/* Since 1.31 c-ares keeps answers, for an hour unless it is told how long: here, not at all. */
#ifndef ARES_OPT_QUERY_CACHE
#define ARES_OPT_QUERY_CACHE 0
#endif

struct door {
	brink_watch watch;
	struct brink_list node;
	struct brink__names *names;
};

/* ---- what it waits for ---- */

static void set_timer(struct brink__names *names)
{
	struct timeval room, *left;

	brink__timer_stop_aside(&names->timer);
	left = ares_timeout(names->channel, NULL, &room);
	if (left != NULL)
		brink__timer_start_aside(names->loop, &names->timer,
		                         BRINK_SECONDS(left->tv_sec) + (uint64_t)left->tv_usec * 1000);
}

void brink__cares_enter(struct brink__names *names)
{
	if (names->depth++ == 0)
		brink__os_hold_sigpipe(&names->held);
}

/* What waits for a descriptor that we do not hear of would wait for its time. When nothing is asked for any more
 * c-ares closes all that it has; so who comes meanwhile, in the room of one that ends, comes too early. */
static void end_all(struct brink__names *names)
{
	while (names->trouble < 0) {
		names->cancelling = names->trouble;
		names->trouble = 0;
		ares_cancel(names->channel);
		names->cancelling = 0;
		brink__cares_ask_postponed(names);
	}
}

void brink__cares_leave(struct brink__names *names)
{
	if (names->depth == 1) {
		end_all(names);
		brink__os_release_sigpipe(&names->held);
		set_timer(names);
	}
	names->depth--;
}

static void process(struct brink__names *names, int readable, int writable)
{
	brink__cares_enter(names);
	ares_process_fd(names->channel, readable, writable);
	brink__cares_leave(names);
}

static void close_door(struct door *door);

static void on_ready(brink_watch *watch, unsigned ready)
{
	struct door *door = brink_container_of(watch, struct door, watch);

	/* In a forked child what comes is the parent's. */
	if (door->names->forks != brink__forks) {
		close_door(door);
		return;
	}
	/* The door may be gone after it. */
	process(door->names, ready & (BRINK_READ | BRINK_ERROR | BRINK_EOF) ? watch->fd : ARES_SOCKET_BAD,
	        ready & BRINK_WRITE ? watch->fd : ARES_SOCKET_BAD);
}

static void on_timer(brink_timer *timer)
{
	struct brink__names *names = brink_container_of(timer, struct brink__names, timer);

	brink__timer_aside_came(timer);
	if (names->forks != brink__forks)
		return;
	process(names, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

/* ---- doors ---- */

static struct door *find_door(struct brink__names *names, int fd)
{
	for (struct brink_list *node = names->doors.next; node != &names->doors; node = node->next) {
		struct door *door = brink_container_of(node, struct door, node);

		if (door->watch.fd == fd)
			return door;
	}
	return NULL;
}

static void close_door(struct door *door)
{
	if (brink_watch_stop(&door->watch) == 0)
		brink_loop_ref(door->names->loop);
	brink__list_remove(&door->node);
	brink__free(door);
}

static int open_door(struct brink__names *names, int fd, unsigned interest)
{
	struct door *door = brink__allocate(1, sizeof *door);
	int result;

	if (door == NULL)
		return -ENOMEM;
	brink_watch_init(&door->watch, on_ready);
	door->names = names;
	result = brink_watch_start(names->loop, &door->watch, fd, interest | BRINK_LEVEL);
	if (result < 0) {
		brink__free(door);
		return result;
	}
	brink_loop_unref(names->loop);
	brink__list_append(&names->doors, &door->node);
	return 0;
}

/* Called by c-ares; without a direction, before the descriptor is closed. */
static void on_interest(void *data, ares_socket_t fd, int readable, int writable)
{
	unsigned interest = (readable ? BRINK_READ : 0) | (writable ? BRINK_WRITE : 0);
	struct brink__names *names = data;
	struct door *door = find_door(names, fd);
	int result = 0;

	if (interest == 0 && door != NULL)
		close_door(door);
	else if (interest != 0 && door != NULL)
		result = brink_watch_set(&door->watch, interest);
	else if (interest != 0)
		result = open_door(names, fd, interest);
	if (result < 0)
		names->trouble = result;
}

/* ---- the channel ---- */

static int open_channel(struct brink__names *names, const char *servers)
{
	struct ares_options options;
	int status;

	memset(&options, 0, sizeof options);
	options.sock_state_cb = on_interest;
	options.sock_state_cb_data = names;
	status = ares_init_options(&names->channel, &options, ARES_OPT_SOCK_STATE_CB | ARES_OPT_QUERY_CACHE);
	if (status != ARES_SUCCESS)
		return status == ARES_ENOMEM ? -ENOMEM : -BRINK_ENAMEFAILED;
	if (servers == NULL)
		servers = brink__os_getenv(SERVERS_VARIABLE);
	if (servers != NULL)
		status = ares_set_servers_ports_csv(names->channel, servers);
	if (status == ARES_SUCCESS)
		return 0;
	ares_destroy(names->channel);
	return status == ARES_ENOMEM ? -ENOMEM : -EINVAL;
}

int brink__names_open(struct brink__names **opened, brink_loop *loop, const struct brink_resolver_options *options)
{
	struct brink__names *names = brink__allocate(1, sizeof *names);
	int result;

	if (names == NULL)
		return -ENOMEM;
	names->loop = loop;
	names->forks = brink__forks;
	brink__list_init(&names->doors);
	brink__list_init(&names->postponed);
	brink_timer_init(&names->timer, on_timer);
	result = open_channel(names, options->servers);
	if (result < 0)
		brink__free(names);
	else
		*opened = names;
	return result;
}

/* Each query that is still asked for is answered by that, and each door closed. */
void brink__names_close(struct brink__names *names, struct brink_list *asked)
{
	struct brink__sigpipe held;

	(void)asked;
	names->closing = true;
	brink__timer_stop_aside(&names->timer);
	brink__os_hold_sigpipe(&held);
	ares_destroy(names->channel);
	brink__os_release_sigpipe(&held);
	while (!brink__list_empty(&names->doors))
		close_door(brink_container_of(names->doors.next, struct door, node));
	brink__free(names);
}

const char *brink_resolver_backend(void)
{
	return "c-ares";
}
