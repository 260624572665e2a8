/* Setting the wall clock moves no timer: the library asks for nothing but CLOCK_MONOTONIC.
 *
 * The C library's clocks are replaced by ones that note who is asked; the wall clock jumps
 * back and forth by years at each question. */
#include "config.h"

#include "check.h"

#include <brink.h>

#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* The call for the struct timespec of <time.h>, whose time_t may have 64 bits where long has 32. */
#if !defined(SYS_clock_gettime)
#define SYS_clock_gettime SYS_clock_gettime64
#elif !defined(SYS_clock_gettime64)
#define SYS_clock_gettime64 SYS_clock_gettime
#endif
static const long call = sizeof(time_t) > sizeof(long) ? SYS_clock_gettime64 : SYS_clock_gettime;

static unsigned monotonic, wall;
static long jump;

int clock_gettime(clockid_t clock, struct timespec *time)
{
	if (clock == CLOCK_MONOTONIC)
		monotonic++;
	else
		wall++;
	if (syscall(call, clock, time) < 0)
		return -1;
	if (clock == CLOCK_REALTIME) {
		jump = jump > 0 ? -1000000000 : 1000000000;
		time->tv_sec += jump;
	}
	return 0;
}

static uint64_t now(void)
{
	struct timespec time = {0};

	syscall(call, CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static unsigned calls;

static void called(brink_timer *timer)
{
	if (++calls == 5)
		CHECK(brink_timer_stop(timer) == 0);
}

static void on(const char *backend)
{
	brink_loop *loop = NULL;
	brink_timer timer;
	uint64_t before;

	CHECK(brink_loop_create(&loop, &(struct brink_loop_options){.backend = backend}) == 0);
	brink_timer_init(&timer, called);
	calls = 0;
	before = now();
	CHECK(brink_timer_start(loop, &timer, BRINK_MS(20), BRINK_MS(10)) == 0);
	CHECK(brink_loop_now(loop) >= before && brink_loop_now(loop) <= now());
	CHECK(brink_loop_run(loop) == 0);
	CHECK(calls == 5 && now() - before >= BRINK_MS(60));
	CHECK(brink_loop_destroy(loop) == 0);
	CHECK(monotonic > 0 && wall == 0);
	passed(backend);
}

int main(void)
{
	struct timespec time;
	struct brink_backend_info infos[8];
	size_t count = brink_backends(infos, 8);

	/* The replacement is the one that is called, and does see the wall clock. */
	CHECK(clock_gettime(CLOCK_REALTIME, &time) == 0 && wall == 1);
	wall = 0;
	for (size_t i = 0; i < count && i < 8; i++)
		if (infos[i].status == 0)
			on(infos[i].name);
	return finish();
}
