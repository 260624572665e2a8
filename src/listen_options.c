/* Options of connections, set once on the listener where they are inherited. */
#include "config.h"

#include "listener.h"
#include "os.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

static int add(brink_listener *listener, int level, int name, int value)
{
	struct brink__listen_options *options = &listener->options;

	if (name < 0)
		return -ENOTSUP;
	if (setsockopt(listener->fd, level, name, &value, sizeof value) < 0)
		return -errno;
	options->list[options->count].level = level;
	options->list[options->count].name = name;
	options->list[options->count].value = value;
	options->count++;
	return 0;
}

static int add_time(brink_listener *listener, enum brink__keepalive which, unsigned value)
{
	if (value == 0)
		return 0;
	if (value > INT_MAX)
		return -EINVAL;
	return add(listener, IPPROTO_TCP, brink__os_keepalive_option(which), (int)value);
}

int brink__listen_options_set(brink_listener *listener, const struct brink_listener_options *options)
{
	int result = 0;

	if (listener->address.storage.ss_family == AF_UNIX)
		return 0;
	if ((options->flags & BRINK_LISTEN_DELAY) == 0)
		result = add(listener, IPPROTO_TCP, TCP_NODELAY, 1);
	if (result < 0 || (options->flags & BRINK_LISTEN_KEEPALIVE) == 0)
		return result;
	result = add(listener, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (result == 0)
		result = add_time(listener, BRINK__KEEPALIVE_IDLE, options->keepalive_idle);
	if (result == 0)
		result = add_time(listener, BRINK__KEEPALIVE_INTERVAL, options->keepalive_interval);
	if (result == 0)
		result = add_time(listener, BRINK__KEEPALIVE_COUNT, options->keepalive_count);
	return result;
}

/* Flags are read back as any value but 0 (SO_KEEPALIVE is 8 on the BSDs). */
static bool has(int fd, int level, int name, int value)
{
	int found = 0;
	socklen_t length = sizeof found;

	if (getsockopt(fd, level, name, &found, &length) < 0)
		return false;
	return found == value || (value == 1 && found != 0 && (level == SOL_SOCKET || name == TCP_NODELAY));
}

void brink__listen_options_apply(brink_listener *listener, int fd)
{
	struct brink__listen_options *options = &listener->options;

	for (unsigned i = 0; i < options->count; i++) {
		int level = options->list[i].level, name = options->list[i].name, value = options->list[i].value;

		if (!options->known)
			options->list[i].each = !has(fd, level, name, value);
		/* Where it fails the connection is dead already (macOS: EINVAL), as a read will say. */
		if (options->list[i].each)
			setsockopt(fd, level, name, &value, sizeof value);
	}
	options->known = true;
}
