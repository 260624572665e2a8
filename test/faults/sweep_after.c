/* What is looked at when a scenario has come to an end before its own: that nothing is lost, that its loops do not
 * spin, and that its sockets can be ended. All that it has stands still, since its functions have not returned. */
#include "sweep.h"

#include "scarce.h"

#include <dirent.h>

#define LOOPS 8u
#define TURNS 8u
#define LOOK BRINK_MS(30)
#define TURN_AT_LEAST (BRINK_MS(1) / 4)

static brink_loop *loops[LOOPS];
static unsigned loop_count;

/* Other threads may be anywhere in the loops. */
static bool is_alone(void)
{
	DIR *directory = opendir("/proc/self/task");
	unsigned entries = 0;

	if (directory == NULL)
		return false;
	while (readdir(directory) != NULL)
		entries++;
	closedir(directory);
	return entries == 3; /* with . and .. */
}

/* A transport of the scenario's moves bytes by calls of its own. */
unsigned long useful_moves(void)
{
	unsigned long moves = fault_moves();
	struct brink_socket_info info;
	brink_socket *socket;

	for (uint32_t at = 0; (socket = next_socket(&at)) != NULL; brink_socket_release(socket)) {
		brink_socket_get_info(socket, &info);
		moves += (unsigned long)(info.bytes_read + info.bytes_written);
	}
	return moves;
}

static void remember(brink_loop *loop)
{
	for (unsigned i = 0; i < loop_count; i++)
		if (loops[i] == loop)
			return;
	if (loop_count < LOOPS)
		loops[loop_count++] = loop;
}

static void find_loops(void)
{
	brink_socket *socket;

	for (uint32_t at = 0; (socket = next_socket(&at)) != NULL; brink_socket_release(socket))
		remember(brink_socket_loop(socket));
}

/* One that is in a callback right now says -EBUSY. */
static void turn_all(void)
{
	for (unsigned i = 0; i < loop_count; i++)
		for (unsigned k = 0; k < TURNS; k++)
			brink_loop_run_once(loops[i], (int64_t)BRINK_MS(1));
}

static void look_for_spin(brink_loop *loop)
{
	uint64_t end = monotonic_now() + LOOK, turns = 0;
	unsigned long before = useful_moves();

	for (; monotonic_now() < end; turns++)
		if (brink_loop_run_once(loop, (int64_t)BRINK_MS(3)) < 0)
			return;
	if (useful_moves() == before && turns > LOOK / TURN_AT_LEAST)
		fail_always(HERE, "the loop spins afterwards");
}

/* In a build with the leak sanitizer, which needs descriptors: what nobody has a pointer to any more. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static void look_for_leaks(void)
{
	if (__lsan_do_recoverable_leak_check != NULL && !something_was_scarce &&
	    __lsan_do_recoverable_leak_check() != 0)
		fail_always(HERE, "memory was lost");
}

void look_afterwards(void)
{
	brink_socket *socket;

	look_for_leaks();
	if (!is_alone())
		return;
	find_loops();
	turn_all();
	for (unsigned i = 0; i < loop_count; i++)
		look_for_spin(loops[i]);
	for (uint32_t at = 0; (socket = next_socket(&at)) != NULL; brink_socket_release(socket))
		brink_socket_fail(brink_socket_get_id(socket), -ECANCELED, "the end of a scenario");
	turn_all();
}
