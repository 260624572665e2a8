/* Groups: who is a member on which interface, by its index. */
#include "config.h"

#include "address.h"
#include "os_datagram.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

static int set(int fd, int level, int option, const void *value, socklen_t size)
{
	return setsockopt(fd, level, option, value, size) < 0 ? -errno : 0;
}

/* ---- Linux gives a socket what any socket of the machine has joined, unless told not to ---- */

#if defined(IP_MULTICAST_ALL)

static void own_v4(int fd)
{
	int off = 0;

	setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof off);
}

#else

static void own_v4(int fd)
{
	(void)fd;
}

#endif

#if defined(IPV6_MULTICAST_ALL)

static void own_v6(int fd)
{
	int off = 0;

	setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &off, sizeof off);
}

#else

static void own_v6(int fd)
{
	(void)fd;
}

#endif

void brink__os_multicast_own(int fd, int family)
{
	if (family == AF_INET || family == AF_INET6)
		own_v4(fd); /* an IPv6 socket may take IPv4, too */
	if (family == AF_INET6)
		own_v6(fd);
}

/* ---- IPv4, where an interface used to be one of its addresses ---- */

#if defined(HAVE_STRUCT_IP_MREQN)

static struct ip_mreqn request(struct in_addr group, unsigned interface_index)
{
	struct ip_mreqn made;

	memset(&made, 0, sizeof made);
	made.imr_multiaddr = group;
	made.imr_ifindex = (int)interface_index;
	return made;
}

static int interface_v4(int fd, unsigned interface_index)
{
	struct ip_mreqn made = request((struct in_addr){INADDR_ANY}, interface_index);

	return set(fd, IPPROTO_IP, IP_MULTICAST_IF, &made, sizeof made);
}

#else

/* An address 0.x.x.x stands for the interface of that index (RFC 1724). */
static struct ip_mreq request(struct in_addr group, unsigned interface_index)
{
	struct ip_mreq made;

	memset(&made, 0, sizeof made);
	made.imr_multiaddr = group;
	made.imr_interface.s_addr = htonl(interface_index & 0xffffff);
	return made;
}

static int interface_v4(int fd, unsigned interface_index)
{
	struct in_addr made = {htonl(interface_index & 0xffffff)};

	return set(fd, IPPROTO_IP, IP_MULTICAST_IF, &made, sizeof made);
}

#endif

static int member_v4(int fd, struct in_addr group, unsigned interface_index, bool join)
{
	__typeof__(request(group, 0)) made = request(group, interface_index);

	return set(fd, IPPROTO_IP, join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &made, sizeof made);
}

#if defined(MCAST_JOIN_GROUP) && !defined(__linux__)

/* The calls of RFC 3678. Those above take no index on macOS, and on FreeBSD one to join and none to leave; these know
 * no interface 0. Linux takes one in either. */
static int member_on(int fd, struct in_addr group, unsigned interface_index, bool join)
{
	struct sockaddr_in v4;
	struct group_req made;

	memset(&v4, 0, sizeof v4);
	v4.sin_len = sizeof v4;
	v4.sin_family = AF_INET;
	v4.sin_addr = group;
	memset(&made, 0, sizeof made);
	made.gr_interface = interface_index;
	memcpy(&made.gr_group, &v4, sizeof v4);
	return set(fd, IPPROTO_IP, join ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP, &made, sizeof made);
}

#else

static int member_on(int fd, struct in_addr group, unsigned interface_index, bool join)
{
	return member_v4(fd, group, interface_index, join);
}

#endif

/* ---- IPv6 ---- */

static int member_v6(int fd, const struct sockaddr_in6 *group, unsigned interface_index, bool join)
{
	struct ipv6_mreq made;

	memset(&made, 0, sizeof made);
	made.ipv6mr_multiaddr = group->sin6_addr;
	made.ipv6mr_interface =
	        (__typeof__(made.ipv6mr_interface))(interface_index != 0 ? interface_index : group->sin6_scope_id);
	return set(fd, IPPROTO_IPV6, join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &made, sizeof made);
}

/* ---- both ---- */

int brink__os_multicast_interface(int fd, int family, unsigned interface_index)
{
	int result = interface_v4(fd, interface_index); /* an IPv6 socket may send to IPv4, too */

	return family == AF_INET6 ? set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &interface_index, sizeof interface_index)
	                          : result;
}

int brink__os_multicast_member(int fd, const struct brink_address *group, unsigned interface_index, bool join)
{
	struct sockaddr_in6 v6;

	if (group->storage.ss_family == AF_INET)
		return interface_index == 0 ? member_v4(fd, brink__address_v4(group).sin_addr, 0, join)
		                            : member_on(fd, brink__address_v4(group).sin_addr, interface_index, join);
	v6 = brink__address_v6(group);
	return member_v6(fd, &v6, interface_index, join);
}
