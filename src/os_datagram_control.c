/* What travels beside a datagram: the address of this machine, and the interface. */
#define __APPLE_USE_RFC_3542 1 /* IPV6_RECVPKTINFO on macOS */
#include "config.h"

#include "address.h"
#include "os_datagram.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>
#if !defined(IP_PKTINFO) && defined(IP_RECVIF)
#include <net/if_dl.h>
#endif

static bool turn_on(int fd, int level, int option)
{
	int on = 1;

	return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

void brink__os_append_control(struct msghdr *message, union brink__control *room, int level, int type, const void *data,
                              size_t size)
{
	struct cmsghdr *control;
	size_t used = message->msg_control != NULL ? message->msg_controllen : 0;

	/* The room is zero behind what is used, which CMSG_NXTHDR() looks at on some systems: so no
	 * use of it here. */
	control = (struct cmsghdr *)(void *)(room->room + used);
	memset(control, 0, CMSG_SPACE(size));
	control->cmsg_level = level;
	control->cmsg_type = type;
	control->cmsg_len = (__typeof__(control->cmsg_len))CMSG_LEN(size);
	memcpy(CMSG_DATA(control), data, size);
	message->msg_control = room;
	message->msg_controllen = (__typeof__(message->msg_controllen))(used + CMSG_SPACE(size));
}

/* ---- IPv4 ---- */

static bool is_unicast(struct in_addr address)
{
	uint32_t host = ntohl(address.s_addr);

	return host >> 28 < 14 && host != INADDR_ANY;
}

static void set_v4(struct brink_address *address, struct in_addr host, uint16_t port)
{
	struct sockaddr_in v4;

	memset(&v4, 0, sizeof v4);
	v4.sin_family = AF_INET;
	v4.sin_addr = host;
	v4.sin_port = port;
	brink__address_set(address, &v4, sizeof v4);
}

#if defined(IP_PKTINFO) && !defined(__NetBSD__)

static bool tell_v4(int fd)
{
	return turn_on(fd, IPPROTO_IP, IP_PKTINFO);
}

#if defined(__APPLE__)

/* ipi_spec_dst is not filled in there. */
static struct in_addr own_address(const struct in_pktinfo *info)
{
	return info->ipi_addr;
}

#else

/* The kernel knows its own address, also for a broadcast. */
static struct in_addr own_address(const struct in_pktinfo *info)
{
	return info->ipi_spec_dst;
}

#endif

static void read_v4(const struct cmsghdr *control, uint16_t port, struct brink__arrival *arrival)
{
	struct in_pktinfo info;
	struct in_addr own;

	if (control->cmsg_type != IP_PKTINFO || control->cmsg_len < CMSG_LEN(sizeof info))
		return;
	memcpy(&info, CMSG_DATA(control), sizeof info);
	own = own_address(&info);
	if (arrival->to.length > 0 && arrival->to.storage.ss_family == AF_INET6) {
		struct sockaddr_in6 v6 = brink__address_v6(&arrival->to); /* IPV6_PKTINFO came before */

		memcpy(v6.sin6_addr.s6_addr + 12, &own, sizeof own);
		arrival->local.length = 0;
		if (is_unicast(own))
			brink__address_set(&arrival->local, &v6, sizeof v6);
		return;
	}
	arrival->interface_index = (unsigned)info.ipi_ifindex;
	set_v4(&arrival->to, info.ipi_addr, port);
	if (is_unicast(own))
		set_v4(&arrival->local, own, port);
}

static int write_v4(struct msghdr *message, union brink__control *room, struct in_addr from, unsigned index)
{
	struct in_pktinfo info;

	memset(&info, 0, sizeof info);
	info.ipi_spec_dst = from;
	info.ipi_ifindex = (__typeof__(info.ipi_ifindex))index;
	brink__os_append_control(message, room, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
	return 0;
}

#elif defined(IP_PKTINFO) && defined(IP_RECVPKTINFO)

static bool tell_v4(int fd)
{
	return turn_on(fd, IPPROTO_IP, IP_RECVPKTINFO);
}

static void read_v4(const struct cmsghdr *control, uint16_t port, struct brink__arrival *arrival)
{
	struct in_pktinfo info;

	if (control->cmsg_type != IP_PKTINFO)
		return;
	memcpy(&info, CMSG_DATA(control), sizeof info);
	arrival->interface_index = (unsigned)info.ipi_ifindex;
	set_v4(&arrival->to, info.ipi_addr, port);
	if (is_unicast(info.ipi_addr) && info.ipi_addr.s_addr != INADDR_BROADCAST)
		set_v4(&arrival->local, info.ipi_addr, port);
}

static int write_v4(struct msghdr *message, union brink__control *room, struct in_addr from, unsigned index)
{
	struct in_pktinfo info;

	memset(&info, 0, sizeof info);
	info.ipi_addr = from;
	info.ipi_ifindex = index;
	brink__os_append_control(message, room, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
	return 0;
}

#elif defined(IP_RECVDSTADDR) && defined(IP_RECVIF)

static bool tell_v4(int fd)
{
	turn_on(fd, IPPROTO_IP, IP_RECVIF);
	return turn_on(fd, IPPROTO_IP, IP_RECVDSTADDR);
}

static void read_v4(const struct cmsghdr *control, uint16_t port, struct brink__arrival *arrival)
{
	struct in_addr host;
	unsigned short index;

	if (control->cmsg_type == IP_RECVIF) {
		memcpy(&index, (const char *)CMSG_DATA(control) + offsetof(struct sockaddr_dl, sdl_index), sizeof index);
		arrival->interface_index = index;
	} else if (control->cmsg_type == IP_RECVDSTADDR) {
		memcpy(&host, CMSG_DATA(control), sizeof host);
		set_v4(&arrival->to, host, port);
		if (is_unicast(host) && host.s_addr != INADDR_BROADCAST)
			set_v4(&arrival->local, host, port);
	}
}

static int write_v4(struct msghdr *message, union brink__control *room, struct in_addr from, unsigned index)
{
	if (index != 0)
		return -ENOTSUP;
	/* IP_SENDSRCADDR is the same. */
	brink__os_append_control(message, room, IPPROTO_IP, IP_RECVDSTADDR, &from, sizeof from);
	return 0;
}

#else

static bool tell_v4(int fd)
{
	(void)fd;
	return false;
}

static void read_v4(const struct cmsghdr *control, uint16_t port, struct brink__arrival *arrival)
{
	(void)control;
	(void)port;
	(void)arrival;
	(void)set_v4;
	(void)is_unicast;
}

static int write_v4(struct msghdr *message, union brink__control *room, struct in_addr from, unsigned index)
{
	(void)message;
	(void)room;
	(void)from;
	(void)index;
	return -ENOTSUP;
}

#endif

/* ---- IPv6 ---- */

static bool is_unicast_v6(const struct in6_addr *host)
{
	struct in_addr mapped;

	if (!IN6_IS_ADDR_V4MAPPED(host))
		return !IN6_IS_ADDR_MULTICAST(host);
	memcpy(&mapped, host->s6_addr + 12, sizeof mapped);
	return is_unicast(mapped) && mapped.s_addr != INADDR_BROADCAST;
}

static void read_v6(const struct cmsghdr *control, uint16_t port, struct brink__arrival *arrival)
{
	struct in6_pktinfo info;
	struct sockaddr_in6 v6;

	if (control->cmsg_type != IPV6_PKTINFO || control->cmsg_len < CMSG_LEN(sizeof info))
		return;
	memcpy(&info, CMSG_DATA(control), sizeof info);
	arrival->interface_index = (unsigned)info.ipi6_ifindex;
	memset(&v6, 0, sizeof v6);
	v6.sin6_family = AF_INET6;
	v6.sin6_addr = info.ipi6_addr;
	v6.sin6_port = port;
	if (IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr) || IN6_IS_ADDR_MC_LINKLOCAL(&v6.sin6_addr) ||
	    IN6_IS_ADDR_MC_NODELOCAL(&v6.sin6_addr))
		v6.sin6_scope_id = arrival->interface_index;
	brink__address_set(&arrival->to, &v6, sizeof v6);
	if (is_unicast_v6(&info.ipi6_addr))
		arrival->local = arrival->to;
}

static bool is_v4(const struct brink_address *to)
{
	struct sockaddr_in6 v6 = brink__address_v6(to);

	return v6.sin6_family == AF_INET || IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
}

static int write_v6(struct msghdr *message, union brink__control *room, const struct brink_address *from,
                    const struct brink_address *to, unsigned index)
{
	struct sockaddr_in6 v6 = brink__address_v6(from);
	struct in6_pktinfo info;

	memset(&info, 0, sizeof info);
	info.ipi6_addr = v6.sin6_addr;
	if (IN6_IS_ADDR_UNSPECIFIED(&info.ipi6_addr) && is_v4(to))
		info.ipi6_addr.s6_addr[10] = info.ipi6_addr.s6_addr[11] = 0xff; /* or Linux says EINVAL */
	info.ipi6_ifindex = (__typeof__(info.ipi6_ifindex))(index != 0 ? index : v6.sin6_scope_id);
	brink__os_append_control(message, room, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
	return 0;
}

/* ---- all of it ---- */

#if defined(__linux__)

/* An IPv6 socket may take IPv4, too: for what came to a broadcast or a group of that. */
static void tell_mapped(int fd)
{
	tell_v4(fd);
}

#else

static void tell_mapped(int fd)
{
	(void)fd;
}

#endif

bool brink__os_tell_local(int fd, int family)
{
	if (family == AF_INET6) {
		tell_mapped(fd);
		return turn_on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO);
	}
	return family == AF_INET && tell_v4(fd);
}

void brink__os_read_control(struct msghdr *message, uint16_t port, struct brink__arrival *arrival)
{
	arrival->to.length = arrival->local.length = 0;
	arrival->interface_index = arrival->segment = 0;
	for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL;
	     control = brink__next_control(message, control)) {
		if (control->cmsg_level == IPPROTO_IP)
			read_v4(control, port, arrival);
		else if (control->cmsg_level == IPPROTO_IPV6)
			read_v6(control, port, arrival);
		else
			brink__os_read_segment(control, arrival);
	}
}

static int write_source(struct msghdr *message, union brink__control *control, int family,
                        const struct brink_address *from, const struct brink_address *to, unsigned interface_index)
{
	struct brink_address any = {.length = 0};

	if (from == NULL && interface_index == 0)
		return 0;
	any.storage.ss_family = (sa_family_t)family;
	if (from == NULL)
		from = &any;
	if (from->storage.ss_family != family)
		return -EINVAL;
	if (family == AF_INET)
		return write_v4(message, control, brink__address_v4(from).sin_addr, interface_index);
	return family == AF_INET6 ? write_v6(message, control, from, to, interface_index) : -EINVAL;
}

int brink__os_write_control(struct msghdr *message, union brink__control *control, int family,
                            const struct brink_address *from, const struct brink_address *to,
                            unsigned interface_index, unsigned segment)
{
	int result = write_source(message, control, family, from, to, interface_index);

	return result == 0 && segment != 0 ? brink__os_write_segment(message, control, segment) : result;
}
