/* The table of peers, and which of them a run is about. */
#include "bench.h"
#include "peers.h"

#include <brink/backend.h>
#include <brink/error.h>

#include <stdlib.h>
#include <string.h>

const struct peer *const all_peers[] = {
	&peer_epoll,
	&peer_epoll_http,
	&peer_poll,
#ifdef HAVE_PEER_IO_URING
	&peer_io_uring,
#endif
	&peer_brink_watch,
	&peer_brink_socket,
#ifdef HAVE_PEER_BRINK_HTTP
	&peer_brink_http,
#endif
#ifdef HAVE_PEER_LIBEV
	&peer_libev,
#endif
#ifdef HAVE_PEER_LIBEVENT
	&peer_libevent,
	&peer_bufferevent,
	&peer_evhttp,
#endif
#ifdef HAVE_PEER_LIBUV
	&peer_libuv,
	&peer_libuv_write,
#endif
#ifdef HAVE_PEER_LIBUV_HTTP
	&peer_libuv_http,
#endif
	&peer_mutex,
	&peer_double_buffer,
	&peer_cheat,
	&peer_cheat_http,
	NULL,
};

const struct peer *find_peer(const char *name)
{
	for (size_t i = 0; all_peers[i] != NULL; i++)
		if (strcmp(all_peers[i]->name, name) == 0)
			return all_peers[i];
	return NULL;
}

/* Takes the first name off a list. */
static bool next_name(const char **list, char *name, size_t size)
{
	size_t length;

	if (*list == NULL || **list == '\0')
		return false;
	length = strcspn(*list, ",");
	snprintf(name, size, "%.*s", (int)length, *list);
	*list += length + ((*list)[length] == ',');
	return true;
}

static bool is_named(const char *list, const char *wanted)
{
	char name[48];

	while (next_name(&list, name, sizeof name))
		if (strcmp(name, wanted) == 0)
			return true;
	return false;
}

static bool is_backend(const char *name)
{
	struct brink_backend_info known[8];
	size_t total = brink_backends(known, 8);

	for (size_t i = 0; i < total && i < 8; i++)
		if (strcmp(known[i].name, name) == 0)
			return true;
	return false;
}

/* What is named and not measured would seem to have been. */
static void check_names(const struct settings *settings, bool (*able)(const struct peer *peer))
{
	const char *peers = settings->peers, *backends = settings->backends;
	char name[48];

	while (next_name(&peers, name, sizeof name)) {
		const struct peer *peer = find_peer(name);

		if (peer != NULL && able(peer))
			continue;
		if (peer == NULL)
			complain("there is no peer %s (brink-bench --list)", name);
		else
			complain("%s cannot do what %s measures", name, settings->benchmark);
		exit(EXIT_FAILURE);
	}
	while (next_name(&backends, name, sizeof name)) {
		if (is_backend(name))
			continue;
		complain("there is no backend %s in this build", name);
		exit(EXIT_FAILURE);
	}
}

static size_t add(struct contender *list, size_t count, const struct peer *peer, const char *backend)
{
	if (count == MOST_CONTENDERS) {
		complain("more than %d contenders", MOST_CONTENDERS);
		exit(EXIT_FAILURE);
	}
	list[count] = (struct contender){.peer = peer, .backend = backend};
	snprintf(list[count].label, sizeof list[count].label, "%s%s%s", peer->name, backend != NULL ? "/" : "",
	         backend != NULL ? backend : "");
	return count + 1;
}

/* What --backend names, or all: in the latter case those that do not work here are passed over. */
static size_t add_backends(const struct settings *settings, const struct peer *peer, struct contender *list,
                           size_t count)
{
	static struct brink_backend_info known[8];
	size_t total = brink_backends(known, 8), before = count;

	for (size_t i = 0; i < total && i < 8; i++) {
		bool named = settings->backends != NULL && is_named(settings->backends, known[i].name);

		if (named && known[i].status < 0) {
			complain("the backend %s does not work here: %s", known[i].name, brink_strerror(known[i].status));
			exit(EXIT_FAILURE);
		}
		if (named || (settings->backends == NULL && known[i].status == 0))
			count = add(list, count, peer, known[i].name);
	}
	if (count == before) {
		complain(settings->backends != NULL ? "--backend names no backend" : "no backend works here");
		exit(EXIT_FAILURE);
	}
	return count;
}

static size_t add_peer(const struct settings *settings, const struct peer *peer, struct contender *list, size_t count)
{
	return peer->has_backends ? add_backends(settings, peer, list, count) : add(list, count, peer, NULL);
}

size_t choose_contenders(const struct settings *settings, const char *reference,
                         bool (*able)(const struct peer *peer), struct contender *list)
{
	const struct peer *first = reference != NULL ? find_peer(reference) : NULL;
	size_t count = 0;

	check_names(settings, able);
	if (first != NULL && able(first))
		count = add_peer(settings, first, list, count);
	for (size_t i = 0; all_peers[i] != NULL; i++) {
		const struct peer *peer = all_peers[i];
		bool chosen = settings->peers != NULL ? is_named(settings->peers, peer->name) : !peer->only_by_name;

		if (chosen && peer != first && able(peer))
			count = add_peer(settings, peer, list, count);
	}
	if (count == 0) {
		complain("none of the chosen peers can do this");
		exit(EXIT_FAILURE);
	}
	for (size_t i = 0; i < count; i++)
		list[i].page = settings->size;
	if (first == NULL && reference != NULL)
		complain("%s is not here; the reference is %s", reference, list[0].label);
	return count;
}
