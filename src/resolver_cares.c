/* Asks c-ares, which knows DNS and the hosts file. A question cannot be withdrawn from it, so that one
 * that nobody wants any more is asked to its end.
 *
 * A question for both families it answers when both are answered, which one may never be (RFC 8305, 3). So
 * what takes long is asked for each family apart as well, and the first that has addresses ends the query. Not
 * so from the beginning: the order of addresses of both (RFC 6724) is c-ares', when it has both. */
#include "config.h"

#include "memory.h"
#include "resolver_cares.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* How long both families are waited for. */
#define PATIENCE BRINK_MS(250)

/* What c-ares has of a query; it is freed with the last of its answers. */
struct ask {
	struct brink__names *names;
	struct brink__query *query; /* NULL: it is answered */
	unsigned due; /* answers, and we while we ask */
	brink_timer patience;
	struct brink_list node; /* among the postponed */
};

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

/* c-ares takes a service that it does not find for a number, as far as there are digits. */
static bool is_no_service(const struct brink__query *query, const struct ares_addrinfo_node *node)
{
	struct brink_address address;

	return query->port < 0 && node != NULL && query->service[0] >= '0' && query->service[0] <= '9' &&
	       brink_address_from_sockaddr(&address, node->ai_addr, (socklen_t)node->ai_addrlen) == 0 &&
	       brink_address_port(&address) == (uint16_t)strtoul(query->service, NULL, 0);
}

static int take_all(struct brink__query *query, const struct ares_addrinfo *answer)
{
	size_t count = 0;
	int result;

	if (is_no_service(query, answer->nodes))
		return -BRINK_ENOSERVICE;
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

	brink__timer_stop_aside(&ask->patience);
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

	brink__timer_aside_came(timer);
	if (names->forks != brink__forks || ask->query->lookup == NULL)
		return;
	ask->due++;
	brink__cares_enter(names);
	put(ask, AF_INET6, on_family);
	if (ask->query != NULL)
		put(ask, AF_INET, on_family);
	brink__cares_leave(names);
	drop(ask, NULL);
}

static void begin(struct ask *ask)
{
	if (ask->query->family == AF_UNSPEC)
		brink__timer_start_aside(ask->names->loop, &ask->patience, PATIENCE);
	put(ask, ask->query->family, on_answer);
}

void brink__cares_ask_postponed(struct brink__names *names)
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
	brink__cares_enter(names);
	begin(ask);
	brink__cares_leave(names);
	return 0;
}
