#include "scarce.h"

#include "conformance.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define DESCRIPTORS 4096
#define NOBODY 65534

/* ---- memory ---- */

static atomic_uint fail_at, calls;
static atomic_long live;

static void *allocate(void *block, size_t size, void *context)
{
	unsigned failing = fail_at;

	(void)context;
	if (size == 0) {
		live -= block != NULL;
		free(block);
		return NULL;
	}
	if (failing != 0 && ++calls == failing)
		return NULL;
	live += block == NULL;
	return realloc(block, size);
}

void scarce_memory(void)
{
	brink_set_allocator(allocate, NULL);
}

void fail_allocation(unsigned k)
{
	calls = 0;
	fail_at = k;
}

bool allocation_failed(void)
{
	return calls >= atomic_exchange(&fail_at, 0);
}

long blocks_live(void)
{
	return live;
}

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
