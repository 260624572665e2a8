/* Sockets that connect to a name: what they are given, and the dial of each life. */
#include "config.h"

#include "memory.h"
#include "resolver.h"
#include "socket.h"

#include <brink/dial.h>

#include <errno.h>
#include <string.h>

struct brink__socket_dial {
	brink_dial dial;
	brink_socket *socket;
	brink__dialed_fn *dialed;
};

/* ---- the name ---- */

/* What a client is to connect to. */
struct brink__socket_name {
	char host[256]; /* "": it is a path */
	char text[];
};

static int set_address(struct brink__socket_config *config, const char *text)
{
	struct brink__query *query;
	int result = brink__query_create(&query, text, AF_UNSPEC);

	if (result < 0)
		return result;
	if (result == 1) {
		config->address = query->addresses[0];
		config->options.address = &config->address;
	}
	brink__query_free(query);
	return 0;
}

int brink__socket_name_create(struct brink__socket_config *config, const char *text)
{
	size_t length = strlen(text);
	int result = set_address(config, text);

	if (result < 0)
		return result;
	config->name = brink__allocate(1, sizeof *config->name + length + 1);
	if (config->name == NULL)
		return -ENOMEM;
	memcpy(config->name->text, text, length + 1);
	brink__query_host(text, config->name->host);
	config->options.name = config->name->text;
	if (config->options.resolver != NULL)
		brink__resolver_hold(config->options.resolver);
	return 0;
}

void brink__socket_name_free(struct brink__socket_config *config)
{
	if (config->name == NULL)
		return;
	if (config->options.resolver != NULL)
		brink__resolver_drop(config->options.resolver);
	brink__free(config->name);
}

const char *brink_socket_host(const brink_socket *socket)
{
	const struct brink__socket_name *name = socket->config->name;

	return name != NULL && name->host[0] != '\0' ? name->host : NULL;
}

/* ---- the dial ---- */

static void on_dial(brink_dial *dial, int result)
{
	struct brink__socket_dial *own = brink_container_of(dial, struct brink__socket_dial, dial);

	own->dialed(own->socket, result, dial->attempts == 0 ? "name lookup" : "connect");
}

int brink__socket_dial_create(brink_socket *socket)
{
	struct brink__socket_dial *dial = brink__allocate(1, sizeof *dial);

	if (dial == NULL)
		return -ENOMEM;
	dial->dial.call = on_dial;
	dial->socket = socket;
	socket->rare->dial = dial;
	return 0;
}

int brink__socket_dial(brink_socket *socket, uint64_t timeout, brink__dialed_fn *dialed)
{
	const struct brink_socket_options *options = brink__socket_options(socket);
	struct brink__socket_dial *dial = socket->rare->dial;
	brink_resolver *resolver = options->resolver;
	int result = resolver != NULL ? 0 : brink__loop_resolver(socket->loop, &resolver);

	if (result < 0)
		return result;
	dial->dialed = dialed;
	dial->dial.flags = options->flags & (BRINK_SOCKET_DELAY | BRINK_SOCKET_KEEPALIVE);
	dial->dial.delay = options->attempt_delay;
	dial->dial.timeout = timeout;
	return brink_dial_start(resolver, &dial->dial, options->name);
}

void brink__socket_dial_stop(brink_socket *socket)
{
	struct brink__socket_dial *dial = brink__socket_dial_of(socket);

	if (dial != NULL)
		brink_dial_cancel(&dial->dial);
}

bool brink__socket_is_looking_up(const brink_socket *socket)
{
	const struct brink__socket_dial *dial = brink__socket_dial_of(socket);

	return dial != NULL && dial->dial.attempts == 0;
}

void brink__socket_dial_free(brink_socket *socket)
{
	brink__socket_dial_stop(socket);
	brink__free(socket->rare->dial);
}
