/* Several listeners on one address, between which the kernel shares the connections out.
 *
 * SO_REUSEPORT means that on Linux and DragonFly. FreeBSD has an option of its own for it,
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

#if defined(BALANCING)

bool brink__os_reuseport_balances(void)
{
	return true;
}

static int balance(int fd)
{
	return turn_on(fd, BALANCING);
}

#else

bool brink__os_reuseport_balances(void)
{
	return false;
}

static int balance(int fd)
{
	(void)fd;
	return -ENOTSUP;
}

#endif

#if defined(SO_REUSEPORT)

static int share(int fd)
{
	return turn_on(fd, SO_REUSEPORT);
}

#else

/* Solaris before 11.4 */
static int share(int fd)
{
	(void)fd;
	return -ENOTSUP;
}

#endif

int brink__os_reuseport(int fd, bool balanced)
{
	return balanced ? balance(fd) : share(fd);
}
