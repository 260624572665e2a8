/* Whether a server's options are sound: what has to be set is, and what the server sets itself
 * is left zero. What a part checks itself is left to it. */
#include "config.h"

#include "server.h"

#include <errno.h>

static bool zero(void *const *reserved, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (reserved[i] != NULL)
			return false;
	return true;
}

static bool says_one_thing(const struct brink_server_options *options)
{
	bool raw = options->on_bytes != NULL, messages = options->protocol_count > 0;

	if (raw == messages || (messages && options->protocols == NULL))
		return false;
	return messages || (options->protocols == NULL && options->on_message == NULL && options->messenger_flags == 0);
}

static bool says_where(const struct brink_server_options *options)
{
	if (options->address != NULL && options->addresses != NULL)
		return false;
	return options->addresses == NULL || options->addresses[0] != NULL;
}

static bool leaves_listener(const struct brink_listener_options *listener)
{
	return listener->address == NULL && listener->on_accept == NULL && listener->on_error == NULL &&
	       listener->on_drained == NULL && listener->arg == NULL;
}

static bool leaves_socket(const struct brink_server_options *options)
{
	const struct brink_socket_options *socket = &options->socket;

	return socket->address == NULL && socket->name == NULL && socket->fd == 0 &&
	       (socket->flags & ~BRINK_SOCKET_PAUSED) == 0 && socket->on_open == NULL && socket->on_bytes == NULL &&
	       socket->on_close == NULL && socket->on_revive == NULL && socket->on_written == NULL && socket->arg == NULL &&
	       socket->messenger == NULL && socket->probe == NULL && socket->probe_interval == 0 &&
	       socket->probe_interval_max == 0 && socket->isolation == 0 &&
	       (socket->executor == NULL || options->executor == NULL || options->on_bytes == NULL);
}

int brink__server_check(const struct brink_server_options *options)
{
	if (options == NULL || (options->flags & ~BRINK_SERVER_EACH_ACCEPTS) != 0 ||
	    (options->flags != 0 && options->group == NULL) || !says_one_thing(options) || !says_where(options) ||
	    !leaves_listener(&options->listener) || !leaves_socket(options) ||
	    !zero(options->reserved, sizeof options->reserved / sizeof options->reserved[0]))
		return -EINVAL;
	return 0;
}
