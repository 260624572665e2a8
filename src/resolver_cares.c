/* Asks c-ares, which knows DNS and the hosts file and waits for nothing: it says which descriptors it
 * wants to hear of, and when it wants to be called at the latest.
 *
 * It is embedded as any library that was written for level-triggered loops. Its watches and its
 * timers are no reason for the loop to run: the lookups are, each by its own timer. A question
 * cannot be withdrawn from it, so that one that nobody wants any more is asked to its end.
 *
 * A question for both families it answers when both are answered, which one may never be (RFC 8305, 3). So
 * what takes long is asked for each family apart as well, and the first that has addresses ends the query. Not
 * so from the beginning: the order of addresses of both (RFC 6724) is c-ares', when it has both. */
#include "config.h"

#include "memory.h"
#include "os.h"
#include "resolver.h"

#include <ares.h>
#include <errno.h>
#include <string.h>
#include <sys/time.h>

/* In place of the system's servers where the options name none: for tests. */
#define SERVERS_VARIABLE "BRINK_NAME_SERVERS"

/* How long both families are waited for. */
#define PATIENCE BRINK_MS(250)

struct door {
	brink_watch watch;
	struct brink_list node;
	struct brink__names *names;
};

/* What c-ares has of a query; it is freed with the last of its answers. */
struct ask {
	struct brink__names *names;
	struct brink__query *query; /* NULL: it is answered */
	unsigned due; /* answers, and we while we ask */
	brink_timer patience;
	struct brink_list node; /* among the postponed */
};

struct brink__names {
	brink_loop *loop;
	ares_channel channel;
	brink_timer timer;
	struct brink_list doors;
	struct brink__sigpipe held; /* while c-ares is called */
	unsigned depth; /* of our calls to it */
	int trouble; /* a descriptor could not be watched; 0 */
	int cancelling; /* all that is asked for, with this error; 0 */
	struct brink_list postponed; /* asks that came meanwhile */
	bool closing;
	unsigned forks; /* brink__forks when it was made */
};

/* ---- what it waits for ---- */

static void stop_timer(struct brink__names *names, brink_timer *timer)
{
	if (brink_timer_stop(timer) == 0)
		brink_loop_ref(names->loop);
}

/* It has a callback and this loop's thread has it: it cannot fail. */
static void start_timer(struct brink__names *names, brink_timer *timer, uint64_t after)
{
	brink_timer_start(names->loop, timer, after, 0);
	brink_loop_unref(names->loop);
}

static void set_timer(struct brink__names *names)
{
	struct timeval room, *left;

	stop_timer(names, &names->timer);
	left = ares_timeout(names->channel, NULL, &room);
	if (left != NULL)
		start_timer(names, &names->timer, BRINK_SECONDS(left->tv_sec) + (uint64_t)left->tv_usec * 1000);
}

/* Around each call of c-ares, which may write to a TCP connection that is gone, and change what it waits
 * for. From its callbacks it is called again. */
static void enter(struct brink__names *names)
{
	if (names->depth++ == 0)
		brink__os_hold_sigpipe(&names->held);
}

static void ask_postponed(struct brink__names *names);

/* What waits for a descriptor that we do not hear of would wait for its time. When nothing is asked for any more
 * c-ares closes all that it has; so who comes meanwhile, in the room of one that ends, comes too early. */
static void end_all(struct brink__names *names)
{
	while (names->trouble < 0) {
		names->cancelling = names->trouble;
		names->trouble = 0;
		ares_cancel(names->channel);
		names->cancelling = 0;
		ask_postponed(names);
	}
}

static void leave(struct brink__names *names)
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
	enter(names);
	ares_process_fd(names->channel, readable, writable);
	leave(names);
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

	brink_loop_ref(names->loop);
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

/* ---- questions and answers ---- */

static int error_of(struct brink__names *names, int status)
{
	static const struct {
		int status, error;
	} errors[] = {
		{ARES_SUCCESS, 0},
		{ARES_ENOTFOUND, -BRINK_ENONAME},
		{ARES_ENONAME, -BRINK_ENONAME},
		{ARES_EBADNAME, -BRINK_ENONAME},
		{ARES_ENODATA, -BRINK_ENOADDRESS},
		{ARES_ESERVFAIL, -BRINK_ENAMEAGAIN},
		{ARES_EREFUSED, -BRINK_ENAMEAGAIN},
		{ARES_ECONNREFUSED, -BRINK_ENAMEAGAIN},
		{ARES_ETIMEOUT, -BRINK_ENAMEAGAIN},
		{ARES_ESERVICE, -BRINK_ENOSERVICE},
		{ARES_EBADFAMILY, -EAFNOSUPPORT},
		{ARES_ENOMEM, -ENOMEM},
	};

	if (status == ARES_ECANCELLED)
		return names->cancelling < 0 ? names->cancelling : -ECANCELED;
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
		if (errors[i].status == status)
			return errors[i].error;
	return -BRINK_ENAMEFAILED;
}

static int take_all(struct brink__query *query, const struct ares_addrinfo *answer)
{
	size_t count = 0;
	int result;

	for (const struct ares_addrinfo_node *node = answer->nodes; node != NULL; node = node->ai_next)
		count++;
	result = count > 0 ? brink__query_reserve(query, count) : -BRINK_ENOADDRESS;
	if (result < 0)
		return result;
	for (const struct ares_addrinfo_node *node = answer->nodes; node != NULL; node = node->ai_next)
		brink__query_add(query, node->ai_addr, (socklen_t)node->ai_addrlen);
	return query->count > 0 ? 0 : -BRINK_ENOADDRESS;
}

static void drop(struct ask *ask, struct ares_addrinfo *answer)
{
	if (answer != NULL)
		ares_freeaddrinfo(answer);
	if (--ask->due == 0)
		brink__free(ask);
}

static void end_query(struct ask *ask, int error)
{
	struct brink__query *query = ask->query;

	stop_timer(ask->names, &ask->patience);
	ask->query = NULL;
	query->error = error;
	if (ask->names->closing)
		brink__query_free(query);
	else
		brink__resolver_answered(query);
}

static void on_answer(void *data, int status, int timeouts, struct ares_addrinfo *answer)
{
	struct ask *ask = data;
	int error = error_of(ask->names, status);

	(void)timeouts;
	if (ask->query != NULL)
		end_query(ask, error == 0 ? take_all(ask->query, answer) : error);
	drop(ask, answer);
}

/* Without addresses it says nothing: the other family may have them. */
static void on_family(void *data, int status, int timeouts, struct ares_addrinfo *answer)
{
	struct ask *ask = data;

	(void)timeouts;
	if (ask->query != NULL && status == ARES_SUCCESS && answer->nodes != NULL)
		end_query(ask, take_all(ask->query, answer));
	drop(ask, answer);
}

/* May be answered at once, and the query be gone. */
static void put(struct ask *ask, int family, ares_addrinfo_callback answer)
{
	const struct brink__query *query = ask->query;
	struct ares_addrinfo_hints hints;

	memset(&hints, 0, sizeof hints);
	hints.ai_family = family;
	hints.ai_socktype = SOCK_STREAM;
	ask->due++;
	/* Port 0 would be no service to it. */
	ares_getaddrinfo(ask->names->channel, query->host, query->port < 0 ? query->service : NULL, &hints, answer, ask);
}

static void on_patience(brink_timer *timer)
{
	struct ask *ask = brink_container_of(timer, struct ask, patience);
	struct brink__names *names = ask->names;

	brink_loop_ref(names->loop);
	if (names->forks != brink__forks || ask->query->lookup == NULL)
		return;
	ask->due++;
	enter(names);
	put(ask, AF_INET6, on_family);
	if (ask->query != NULL)
		put(ask, AF_INET, on_family);
	leave(names);
	drop(ask, NULL);
}

static void begin(struct ask *ask)
{
	if (ask->query->family == AF_UNSPEC)
		start_timer(ask->names, &ask->patience, PATIENCE);
	put(ask, ask->query->family, on_answer);
}

static void ask_postponed(struct brink__names *names)
{
	while (names->trouble == 0 && !brink__list_empty(&names->postponed)) {
		struct brink_list *first = names->postponed.next;

		brink__list_remove(first);
		begin(brink_container_of(first, struct ask, node));
	}
}

int brink__names_ask(struct brink__names *names, struct brink__query *query)
{
	struct ask *ask = brink__allocate(1, sizeof *ask);

	if (ask == NULL)
		return -ENOMEM;
	ask->names = names;
	ask->query = query;
	brink_timer_init(&ask->patience, on_patience);
	if (names->cancelling < 0) {
		brink__list_append(&names->postponed, &ask->node);
		return 0;
	}
	enter(names);
	begin(ask);
	leave(names);
	return 0;
}

/* ---- the channel ---- */

static int open_channel(struct brink__names *names, const char *servers)
{
	struct ares_options options;
	int status;

	memset(&options, 0, sizeof options);
	options.sock_state_cb = on_interest;
	options.sock_state_cb_data = names;
	status = ares_init_options(&names->channel, &options, ARES_OPT_SOCK_STATE_CB);
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
	stop_timer(names, &names->timer);
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
