/* From options to a listening socket. */
#include "config.h"

#include "address.h"
#include "listener.h"
#include "os.h"

#include <errno.h>
#include <unistd.h>

static int get_option(int fd, int name)
{
	int value = 0;
	socklen_t length = sizeof value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &length) < 0 ? -errno : value;
}

static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

static int set_versions(int fd, unsigned flags)
{
	int result = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, (flags & BRINK_LISTEN_V6ONLY) != 0);

	/* Where the two are always apart, taking IPv6 alone is all that can be asked for. */
	return flags & BRINK_LISTEN_V6ONLY ? result : 0;
}

static int share_port(int fd, int family, unsigned flags)
{
	int result = family == AF_UNIX ? -ENOTSUP : brink__os_reuseport(fd);

	return result == -ENOTSUP && (flags & BRINK_LISTEN_REUSEPORT_IF_BALANCED) ? 0 : result;
}

static int prepare(int fd, int family, unsigned flags)
{
	int result = 0;

	if (family != AF_UNIX && (flags & BRINK_LISTEN_NO_REUSEADDR) == 0)
		result = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (result == 0 && family == AF_INET6)
		result = set_versions(fd, flags);
	if (result == 0 && (flags & (BRINK_LISTEN_REUSEPORT | BRINK_LISTEN_REUSEPORT_IF_BALANCED)))
		result = share_port(fd, family, flags);
	return result;
}

static int bind_to(brink_listener *listener, const struct brink_address *address,
                   const struct brink_listener_options *options)
{
	if (address->storage.ss_family == AF_UNIX)
		return brink__unix_bind(listener->fd, address, options, &listener->file);
	return bind(listener->fd, (const struct sockaddr *)&address->storage, address->length) < 0 ? -errno : 0;
}

static int open_address(brink_listener *listener, const struct brink_listener_options *options)
{
	int family, result = brink_address_parse(&listener->address, options->address);

	if (result < 0)
		return result;
	family = listener->address.storage.ss_family;
	listener->fd = brink__os_socket(family, SOCK_STREAM);
	if (listener->fd < 0)
		return listener->fd;
	result = prepare(listener->fd, family, options->flags);
	if (result == 0)
		result = brink__listen_options_set(listener, options);
	if (result == 0)
		result = bind_to(listener, &listener->address, options);
	if (result == 0 && listen(listener->fd, options->backlog > 0 ? options->backlog : SOMAXCONN) < 0)
		result = -errno;
	/* Only now is the port known; a UNIX path stays as it was written. */
	if (result == 0 && family != AF_UNIX)
		result = brink_address_of(listener->fd, &listener->address);
	return result;
}

/* Nobody hands over what is no socket at 0: there, neither an address nor a descriptor was given. */
static int is_no_socket(int fd, int error)
{
	return fd == 0 ? -EINVAL : error;
}

static int take_over(brink_listener *listener, const struct brink_listener_options *options)
{
	int type = get_option(options->fd, SO_TYPE), listens = get_option(options->fd, SO_ACCEPTCONN);
	int result;

	if (type < 0 || listens < 0)
		return is_no_socket(options->fd, type < 0 ? type : listens);
	if (type != SOCK_STREAM || listens == 0)
		return -EINVAL;
	result = brink_address_of(options->fd, &listener->address);
	if (result == 0)
		result = brink__os_adopt(options->fd);
	if (result < 0)
		return result;
	listener->fd = options->fd;
	listener->handed_over = true;
	return brink__listen_options_set(listener, options);
}

int brink__listen_open(brink_listener *listener, const struct brink_listener_options *options)
{
	return options->address != NULL ? open_address(listener, options) : take_over(listener, options);
}
