/* Several sockets on one address: listeners between which the kernel shares the connections out, and
 * those that are each to get what is sent to a group.
 *
 * SO_REUSEPORT means the first on Linux and DragonFly. FreeBSD has an option of its own for it,
 * SO_REUSEPORT_LB. On the other systems SO_REUSEPORT only allows the second bind: the
 * connections all go to one of the listeners. */
#include "config.h"

#include "os.h"

#include <errno.h>
#include <sys/socket.h>

#if defined(SO_REUSEPORT_LB)
#define BALANCING SO_REUSEPORT_LB
#elif defined(SO_REUSEPORT) && (defined(__linux__) || defined(__DragonFly__))
#define BALANCING SO_REUSEPORT
#endif

static int turn_on(int fd, int option)
{
	int on = 1;

	return setsockopt(fd, SOL_SOCKET, option, &on, sizeof on) < 0 ? -errno : 0;
}

/* ---- spread ---- */

#if defined(BALANCING)

bool brink__os_reuseport_balances(void)
{
	return true;
}

int brink__os_reuseport(int fd)
{
	return turn_on(fd, BALANCING);
}

#else

bool brink__os_reuseport_balances(void)
{
	return false;
}

int brink__os_reuseport(int fd)
{
	(void)fd;
	return -ENOTSUP;
}

#endif

/* ---- members of a group ---- */

#if defined(SO_REUSEPORT) && !defined(__linux__)

/* SO_REUSEADDR is enough there only for what is bound to the group's own address. */
static int share(int fd)
{
	return turn_on(fd, SO_REUSEPORT);
}

#else

static int share(int fd)
{
	(void)fd;
	return 0;
}

#endif

int brink__os_share_port(int fd)
{
	int result = turn_on(fd, SO_REUSEADDR);

	return result == 0 ? share(fd) : result;
}
