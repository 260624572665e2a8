#include "scarce.h"

#include "conformance.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define DESCRIPTORS 4096
#define NOBODY 65534

/* ---- descriptors ---- */

static struct rlimit usual;

unsigned descriptors_open(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < DESCRIPTORS; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

void limit_descriptors(unsigned more)
{
	struct rlimit limit;
	int fd = 0;

	something_was_scarce = true;
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &usual), 0);
	limit = usual;
	/* The first number that may not be opened is the free one after `more` free ones. */
	for (;; fd++)
		if (fcntl(fd, F_GETFD) < 0 && more-- == 0)
			break;
	limit.rlim_cur = (rlim_t)fd;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

void unlimit_descriptors(void)
{
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &usual), 0);
}

/* ---- threads ---- */

#if defined(RLIMIT_NPROC)

static void *nothing(void *arg)
{
	return arg;
}

/* Some systems count processes only, or not those of the superuser. */
static bool threads_count(void)
{
	struct rlimit none = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY};
	pthread_t thread;

	if (setrlimit(RLIMIT_NPROC, &none) < 0)
		return false;
	if (pthread_create(&thread, NULL, nothing, NULL) != 0)
		return true;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	return false;
}

bool limit_threads(unsigned more)
{
	struct rlimit limit;

	something_was_scarce = true;
	if (geteuid() == 0 && setuid(NOBODY) < 0)
		return false;
	CHECK_EQ(getrlimit(RLIMIT_NPROC, &limit), 0);
	if (!threads_count())
		return false;
	limit.rlim_cur = more + 1;
	return setrlimit(RLIMIT_NPROC, &limit) == 0;
}

#else

bool limit_threads(unsigned more)
{
	(void)more;
	return false;
}

#endif
