/* Threads, where systems differ: processors, names, signals, and waiting by the monotonic clock. */
#include "config.h"

#include "os.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__) || defined(__NetBSD__)
#include <sched.h>
#elif defined(__FreeBSD__)
#include <sys/param.h>
/* after it */
#include <pthread_np.h>
#include <sys/cpuset.h>
#elif defined(__OpenBSD__) || defined(__DragonFly__)
#include <pthread_np.h>
#endif

/* ---- processors ---- */

#if defined(__linux__)

#define HAVE_PROCESSOR_SET 1
#define MOST_PROCESSORS 8192 /* as many as a kernel can be built for; it refuses a set without room for its own */

typedef struct {
	cpu_set_t sets[MOST_PROCESSORS / CPU_SETSIZE];
} processor_set;

/* Of the calling thread: on Linux each has its own. */
static int get_allowed(processor_set *set)
{
	return sched_getaffinity(0, sizeof *set, set->sets) < 0 ? -errno : 0;
}

static int set_allowed(const processor_set *set)
{
	return sched_setaffinity(0, sizeof *set, set->sets) < 0 ? -errno : 0;
}

static bool has(processor_set *set, size_t processor)
{
	return CPU_ISSET_S(processor, sizeof *set, set->sets);
}

static void put(processor_set *set, size_t processor)
{
	CPU_SET_S(processor, sizeof *set, set->sets);
}

#elif defined(__FreeBSD__)

#define HAVE_PROCESSOR_SET 1
#define MOST_PROCESSORS CPU_SETSIZE
typedef cpuset_t processor_set;

static int get_allowed(processor_set *set)
{
	return cpuset_getaffinity(CPU_LEVEL_WHICH, CPU_WHICH_TID, -1, sizeof *set, set) < 0 ? -errno : 0;
}

static int set_allowed(const processor_set *set)
{
	return cpuset_setaffinity(CPU_LEVEL_WHICH, CPU_WHICH_TID, -1, sizeof *set, set) < 0 ? -errno : 0;
}

#elif defined(__DragonFly__)

#define HAVE_PROCESSOR_SET 1
#define MOST_PROCESSORS CPU_SETSIZE
typedef cpu_set_t processor_set;

static int get_allowed(processor_set *set)
{
	return -pthread_getaffinity_np(pthread_self(), sizeof *set, set);
}

static int set_allowed(const processor_set *set)
{
	return -pthread_setaffinity_np(pthread_self(), sizeof *set, set);
}

#endif

static unsigned online(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);

	return count < 1 ? 1 : (unsigned)count;
}

#if defined(HAVE_PROCESSOR_SET)
#if !defined(__linux__)

static bool has(processor_set *set, size_t processor)
{
	return CPU_ISSET(processor, set);
}

static void put(processor_set *set, size_t processor)
{
	CPU_SET(processor, set);
}

#endif

/* A system with more processors than the set has room for answers with an error. */
unsigned brink__os_processors(void)
{
	processor_set set = {0};
	unsigned count = 0;

	if (get_allowed(&set) == 0)
		for (size_t i = 0; i < MOST_PROCESSORS; i++)
			count += has(&set, i);
	return count > 0 ? count : online();
}

int brink__os_pin(unsigned index)
{
	processor_set allowed = {0}, chosen = {0};
	unsigned left = index % brink__os_processors();
	int result;

	result = get_allowed(&allowed);
	if (result < 0)
		return result;
	for (size_t i = 0; i < MOST_PROCESSORS; i++) {
		if (has(&allowed, i) && left-- == 0) {
			put(&chosen, i);
			return set_allowed(&chosen);
		}
	}
	return -EINVAL; /* fewer than a moment ago */
}

#else

unsigned brink__os_processors(void)
{
	return online();
}

#if defined(__NetBSD__)

/* A thread without a set of its own has an empty one and may run anywhere. Only the
 * superuser may change it, unless the system was told otherwise. */
int brink__os_pin(unsigned index)
{
	cpuset_t *set = cpuset_create();
	int error = ENOMEM;

	if (set != NULL)
		error = cpuset_set(index % online(), set) < 0 ? EINVAL
		        : pthread_setaffinity_np(pthread_self(), cpuset_size(set), set);
	if (set != NULL)
		cpuset_destroy(set);
	return -error;
}

#else

int brink__os_pin(unsigned index)
{
	(void)index;
	return -ENOTSUP;
}

#endif
#endif

/* ---- names ---- */

#if defined(__linux__)

static void set_name(const char *name)
{
	pthread_setname_np(pthread_self(), name);
}

#elif defined(__NetBSD__)

static void set_name(const char *name)
{
	pthread_setname_np(pthread_self(), "%s", (void *)(uintptr_t)name);
}

#elif defined(__APPLE__)

static void set_name(const char *name)
{
	pthread_setname_np(name);
}

#elif defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__DragonFly__)

static void set_name(const char *name)
{
	pthread_set_name_np(pthread_self(), name);
}

#else

static void set_name(const char *name)
{
	(void)name;
}

#endif

void brink__os_thread_name(const char *tag, unsigned index)
{
	char name[16], number[12]; /* Linux refuses longer ones */
	int digits = snprintf(number, sizeof number, "/%u", index);

	snprintf(name, sizeof name, "%.*s%s", (int)sizeof name - 1 - digits, tag, number);
	set_name(name);
}

/* ---- starting ---- */

/* A signal that a thread's own fault raises has no other thread to go to, and a blocked one
 * would end the process without its handler. */
static void all_but_faults(sigset_t *set)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};

	sigfillset(set);
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
		sigdelset(set, faults[i]);
}

int brink__os_thread_start(pthread_t *thread, void *(*body)(void *), void *arg)
{
	sigset_t blocked, before;
	int error;

	all_but_faults(&blocked);
	pthread_sigmask(SIG_BLOCK, &blocked, &before);
	error = pthread_create(thread, NULL, body, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

/* ---- waiting ---- */

/* What fits a 32-bit time_t. */
#define LATEST (INT32_MAX * UINT64_C(1000000000))

static struct timespec in_parts(uint64_t ns)
{
	if (ns > LATEST)
		ns = LATEST;
	return (struct timespec){.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
}

#if defined(__APPLE__)

int brink__os_condition_init(pthread_cond_t *condition)
{
	return -pthread_cond_init(condition, NULL);
}

/* Here a condition variable cannot be told which clock to go by. */
static void wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t until)
{
	uint64_t now = brink__os_now();
	struct timespec left = in_parts(until > now ? until - now : 0);

	pthread_cond_timedwait_relative_np(condition, lock, &left);
}

#else

int brink__os_condition_init(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;
	int error = pthread_condattr_init(&attributes);

	if (error != 0)
		return -error;
	error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	if (error == 0)
		error = pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
	return -error;
}

static void wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t until)
{
	struct timespec time = in_parts(until);

	pthread_cond_timedwait(condition, lock, &time);
}

#endif

void brink__os_condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t until)
{
	if (until == UINT64_MAX)
		pthread_cond_wait(condition, lock);
	else
		wait_until(condition, lock, until);
}
