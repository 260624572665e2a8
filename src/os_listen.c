/* What listening sockets need, and systems do differently. */
#include "config.h"

#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>
#if defined(__linux__)
#include <linux/filter.h>
#endif

/* ---- sockets ---- */

#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)

int brink__os_socket(int family, int type)
{
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

#else

int brink__os_socket(int family, int type)
{
	int fd = socket(family, type, 0), result;

	if (fd < 0)
		return -errno;
	result = brink__os_adopt(fd);
	if (result == 0)
		return fd;
	close(fd);
	return result;
}

#endif

int brink__os_adopt(int fd)
{
	int flags = fcntl(fd, F_GETFL), descriptor_flags = fcntl(fd, F_GETFD);

	if (flags < 0 || descriptor_flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, descriptor_flags | FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

bool brink__os_dual_stack(void)
{
	int fd = brink__os_socket(AF_INET6, SOCK_STREAM), apart = 0;
	socklen_t length = sizeof apart;
	bool both;

	/* For want of a descriptor, say, it is not known: assume what is usual. */
	if (fd < 0)
		return fd != -EAFNOSUPPORT && fd != -EPROTONOSUPPORT;
	/* OpenBSD and DragonFly keep the two apart, whatever is asked for. */
	both = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &apart, sizeof apart) == 0 &&
	       getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &apart, &length) == 0 && apart == 0;
	close(fd);
	return both;
}

/* ---- keepalive ---- */

#if defined(TCP_KEEPIDLE)
#define IDLE TCP_KEEPIDLE
#elif defined(TCP_KEEPALIVE)
#define IDLE TCP_KEEPALIVE /* macOS */
#else
#define IDLE (-1)
#endif

#if defined(TCP_KEEPINTVL) && defined(TCP_KEEPCNT)
#define INTERVAL TCP_KEEPINTVL
#define COUNT TCP_KEEPCNT
#else
#define INTERVAL (-1)
#define COUNT (-1)
#endif

int brink__os_keepalive_option(enum brink__keepalive which)
{
	static const int options[] = {
		[BRINK__KEEPALIVE_IDLE] = IDLE,
		[BRINK__KEEPALIVE_INTERVAL] = INTERVAL,
		[BRINK__KEEPALIVE_COUNT] = COUNT,
	};

	return options[which];
}

/* ---- ending well ---- */

#if defined(__linux__)

bool brink__os_abstract_names(void)
{
	return true;
}

/* A filter of the listening socket sees each packet, from its TCP header on, before the queues do: this one drops SYN
 * without ACK, a new connection's first, and lets the handshakes under way complete. */
static int filter_out(int fd)
{
	static struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13), /* the flags */
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12), /* SYN and ACK */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1), /* SYN alone */
		BPF_STMT(BPF_RET | BPF_K, 0), /* drop */
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff), /* keep all of it */
	};
	static const struct sock_fprog program = {sizeof steps / sizeof steps[0], steps};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? -errno : 0;
}

/* The least number of hops that a packet may have left. It is looked at with the socket that the packet is for, and a
 * handshake under way has one of its own already. */
static int want_hops(int fd, int family, int hops)
{
	if (setsockopt(fd, IPPROTO_IP, IP_MINTTL, &hops, sizeof hops) < 0)
		return -errno;
	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &hops, sizeof hops) < 0)
		return -errno;
	return 0;
}

/* shutdown() on a listening TCP socket resets what is queued, and listen() with a smaller
 * backlog still takes one. So packets are dropped. Nobody is refused: the client sends its SYN again.
 * Some kernels let only CAP_NET_ADMIN attach a filter. Without, a packet has to have all 255 hops left, and most
 * senders begin with 64 or 128.
 * A listening UNIX socket that is shut down refuses new connections and keeps its queue. */
int brink__os_refuse(int fd, int family)
{
	int result;

	if (family == AF_UNIX)
		return shutdown(fd, SHUT_RD) < 0 ? -errno : BRINK__REFUSES_ALL;
	if (filter_out(fd) == 0)
		return BRINK__REFUSES_NEW;
	result = want_hops(fd, family, 255);
	return result < 0 ? result : BRINK__REFUSES_BY_HOPS;
}

void brink__os_want_any_hops(int fd, int family)
{
	want_hops(fd, family, 0);
}

#else

bool brink__os_abstract_names(void)
{
	return false;
}

int brink__os_refuse(int fd, int family)
{
	(void)fd;
	(void)family;
	return -ENOTSUP;
}

void brink__os_want_any_hops(int fd, int family)
{
	(void)fd;
	(void)family;
}

#endif
