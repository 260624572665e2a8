/* More processors than cpu_set_t has room for, of which this process may use a few.
 *
 * src/os_thread.c is compiled into this program, with its system calls renamed to the functions below: see local.mk. */
#undef sched_getaffinity
#undef sched_setaffinity
#define _GNU_SOURCE /* cpu_set_t */
#include "config.h"

#include "check.h"
#include "os.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#define PROCESSORS 3000u /* of the machine */
#define ALLOWED 5u

static const unsigned allowed[ALLOWED] = {5, 1023, 1024, 2047, 2900};
static unsigned char pinned_to[PROCESSORS];

int wide_getaffinity(pid_t pid, size_t size, cpu_set_t *set);
int wide_setaffinity(pid_t pid, size_t size, const cpu_set_t *set);

/* As Linux does. */
int wide_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	(void)pid;
	if (size * 8 < PROCESSORS) {
		errno = EINVAL;
		return -1;
	}
	CPU_ZERO_S(size, set);
	for (unsigned i = 0; i < ALLOWED; i++)
		CPU_SET_S(allowed[i], size, set);
	return 0;
}

int wide_setaffinity(pid_t pid, size_t size, const cpu_set_t *set)
{
	(void)pid;
	for (unsigned i = 0; i < PROCESSORS; i++)
		pinned_to[i] = CPU_ISSET_S(i, size, set) ? 1 : 0;
	return 0;
}

static void test_count(void)
{
	CHECK(brink__os_processors() == ALLOWED);
	passed("those that may be used are counted");
}

static void test_pin(void)
{
	for (unsigned i = 0; i < 2 * ALLOWED; i++) {
		CHECK(brink__os_pin(i) == 0);
		for (unsigned j = 0; j < PROCESSORS; j++)
			CHECK(pinned_to[j] == (j == allowed[i % ALLOWED]));
	}
	passed("a thread is kept on one of them");
}

int main(void)
{
	test_count();
	test_pin();
	return finish();
}
