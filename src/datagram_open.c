/* A datagram socket as the options want it: bound, connected, and asked what the kernel can do. */
#include "config.h"

#include "address.h"
#include "datagram.h"
#include "os.h"

#include <errno.h>
#include <netinet/in.h>

static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

/* ---- options ---- */

static int set_versions(int fd, unsigned flags)
{
	int result = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, (flags & BRINK_DATAGRAM_V6ONLY) != 0);

	/* Where the two are always apart, taking IPv6 alone is all that can be asked for. */
	return flags & BRINK_DATAGRAM_V6ONLY ? result : 0;
}

/* Before bind(2). */
static int prepare(brink_datagram *socket)
{
	int result = 0;

	if (socket->family == AF_UNIX)
		return socket->flags & BRINK_DATAGRAM_REUSEPORT ? -ENOTSUP : 0;
	if (socket->family == AF_INET6)
		result = set_versions(socket->fd, socket->flags);
	if (result == 0 && (socket->flags & BRINK_DATAGRAM_REUSEADDR))
		result = brink__os_share_port(socket->fd);
	if (result == 0 && (socket->flags & BRINK_DATAGRAM_REUSEPORT))
		result = brink__os_reuseport(socket->fd);
	return result;
}

static int set_buffers(int fd, const struct brink_datagram_options *options)
{
	int result = 0;

	if (options->receive_buffer != 0)
		result = set_option(fd, SOL_SOCKET, SO_RCVBUF, (int)options->receive_buffer);
	if (result == 0 && options->send_buffer != 0)
		result = set_option(fd, SOL_SOCKET, SO_SNDBUF, (int)options->send_buffer);
	return result;
}

/* An IPv6 socket may take IPv4, too, which then goes as that has it. One that does not may refuse it. The BSDs want a
 * byte for IPv4, and IPv6 has an int everywhere. */
static int set_hops(brink_datagram *socket, int name_v4, int name_v6, unsigned value)
{
	unsigned char byte = (unsigned char)value;
	int result = setsockopt(socket->fd, IPPROTO_IP, name_v4, &byte, sizeof byte) < 0 ? -errno : 0;

	return socket->family == AF_INET6 ? set_option(socket->fd, IPPROTO_IPV6, name_v6, (int)value) : result;
}

static int set_multicast(brink_datagram *socket, const struct brink_datagram_options *options)
{
	int result = 0;

	brink__os_multicast_own(socket->fd, socket->family);
	if (options->multicast_ttl != 0)
		result = set_hops(socket, IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, options->multicast_ttl);
	if (result == 0 && (options->flags & BRINK_DATAGRAM_NO_LOOPBACK))
		result = set_hops(socket, IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, 0);
	if (result == 0 && options->multicast_index != 0)
		result = brink__os_multicast_interface(socket->fd, socket->family, options->multicast_index);
	return result;
}

/* The same with an int for IPv4. */
static int set_hop_limit(brink_datagram *socket, unsigned ttl)
{
	int result;

	if (ttl == 0)
		return 0;
	result = set_option(socket->fd, IPPROTO_IP, IP_TTL, (int)ttl);
	return socket->family == AF_INET6 ? set_option(socket->fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, (int)ttl) : result;
}

static int set_options(brink_datagram *socket, const struct brink_datagram_options *options)
{
	int result = set_buffers(socket->fd, options);

	if (result < 0 || socket->family == AF_UNIX)
		return result;
	if (options->flags & BRINK_DATAGRAM_BROADCAST)
		result = set_option(socket->fd, SOL_SOCKET, SO_BROADCAST, 1);
	if (result == 0)
		result = set_hop_limit(socket, options->ttl);
	return result == 0 ? set_multicast(socket, options) : result;
}

/* What is an advantage where the kernel has it. */
static void probe(brink_datagram *socket)
{
	bool internet = socket->family != AF_UNIX, joins = internet && (socket->flags & BRINK_DATAGRAM_NO_OFFLOAD) == 0;
	unsigned features = 0;

	if (brink__os_datagram_batches() && (socket->flags & BRINK_DATAGRAM_ONE_BY_ONE) == 0)
		features |= BRINK_DATAGRAM_HAS_BATCH;
	if (!internet || brink__os_tell_local(socket->fd, socket->family))
		features |= BRINK_DATAGRAM_HAS_LOCAL;
	if (brink__os_queue_errors(socket->fd, socket->family) == 0)
		features |= BRINK_DATAGRAM_HAS_ERRORS;
	if (joins && socket->max_size >= 65535 && brink__os_receive_joined(socket->fd))
		features |= BRINK_DATAGRAM_HAS_GRO;
	if (joins && brink__os_send_joined(socket->fd)) {
		features |= BRINK_DATAGRAM_HAS_GSO;
		socket->joined_most = 65535;
	}
	socket->features = features;
}

/* ---- opening ---- */

static int connect_to(int fd, const struct brink_address *peer)
{
	int result;

	do
		result = connect(fd, (const struct sockaddr *)&peer->storage, peer->length) < 0 ? -errno : 0;
	while (result == -EINTR);
	return result;
}

static int bind_to(brink_datagram *socket, const struct brink_address *address,
                   const struct brink_datagram_options *options)
{
	struct brink_listener_options file = {.unix_mode = options->unix_mode};

	if (options->flags & BRINK_DATAGRAM_UNIX_REPLACE)
		file.flags = BRINK_LISTEN_UNIX_REPLACE;
	if (socket->family == AF_UNIX)
		return brink__unix_bind(socket->fd, address, &file, &socket->file);
	return bind(socket->fd, (const struct sockaddr *)&address->storage, address->length) < 0 ? -errno : 0;
}

static int read_addresses(const struct brink_datagram_options *options, struct brink_address *address,
                          struct brink_address *peer)
{
	int result = 0;

	if (options->address != NULL)
		result = brink_address_parse(address, options->address);
	if (result == 0 && options->peer != NULL)
		result = brink_address_parse(peer, options->peer);
	if (result == 0 && options->address != NULL && options->peer != NULL &&
	    address->storage.ss_family != peer->storage.ss_family)
		result = -EINVAL;
	return result;
}

static int open_addresses(brink_datagram *socket, const struct brink_datagram_options *options)
{
	struct brink_address address = {.length = 0}, peer = {.length = 0};
	int result = read_addresses(options, &address, &peer);

	if (result < 0)
		return result;
	socket->family = options->address != NULL ? address.storage.ss_family : peer.storage.ss_family;
	socket->fd = brink__os_socket(socket->family, SOCK_DGRAM);
	if (socket->fd < 0)
		return socket->fd;
	socket->address = address; /* a UNIX path stays as it was written */
	result = prepare(socket);
	if (result == 0)
		result = set_options(socket, options);
	if (result == 0 && options->address != NULL)
		result = bind_to(socket, &address, options);
	if (result == 0 && options->peer != NULL)
		result = connect_to(socket->fd, &peer);
	if (result == 0 && (socket->family != AF_UNIX || options->address == NULL))
		result = brink_address_of(socket->fd, &socket->address);
	return result;
}

/* A socket that was never bound is by its first send, and its port should be known before. */
static int bind_to_any(int fd, struct brink_address *address)
{
	if (address->storage.ss_family == AF_UNIX || brink_address_port(address) != 0)
		return 0;
	if (bind(fd, (const struct sockaddr *)&address->storage, address->length) < 0)
		return -errno;
	return brink_address_of(fd, address);
}

static int take_over(brink_datagram *socket, const struct brink_datagram_options *options)
{
	int type = 0, result;
	socklen_t length = sizeof type;

	if (getsockopt(options->fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0)
		return -errno;
	if (type != SOCK_DGRAM)
		return -EINVAL;
	result = brink_address_of(options->fd, &socket->address);
	if (result == 0)
		result = brink__os_adopt(options->fd);
	if (result == 0)
		result = bind_to_any(options->fd, &socket->address);
	if (result < 0)
		return result;
	socket->fd = options->fd;
	socket->handed_over = true;
	socket->family = socket->address.storage.ss_family;
	return set_options(socket, options);
}

int brink__datagram_open(brink_datagram *socket, const struct brink_datagram_options *options)
{
	bool named = options->address != NULL || options->peer != NULL;
	int result = named ? open_addresses(socket, options) : take_over(socket, options);

	if (result < 0)
		return result;
	socket->connected = brink_address_of_peer(socket->fd, &socket->peer) == 0;
	probe(socket);
	return 0;
}
