/* Plays a record of what a NetBSD kernel's kqueue did, step by step, and compares. On a
 * BSD it tests the kernel, and with it whether the backend's picture of kqueue holds
 * there; on Linux it tests the stand-in. Filters are added with EV_CLEAR, as they were
 * when the record was made, but for the steps of "use", which do what the backend does.
 *
 * R(5,EOF,ff) is EVFILT_READ with data 5, EV_EOF and an error in fflags; "-" is silence;
 * "A:" is the tag in udata, where a step has several. Numbers of WRITE are left out: they
 * are sizes of buffers. "|" stands between what may be: when TCP's acknowledgements
 * arrive is no kqueue's matter. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "trace.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Each with a queue of its own. */
static void play(void (*part)(void))
{
	kq = kqueue();
	if (kq < 0)
		fail_here("kqueue");
	part();
	close(kq);
}

int main(void)
{
	static void (*const parts[])(void) = {
		play_pipes,  play_tcp,     play_unix,     play_reset,     play_refused,       play_connect,
		play_listener, play_delete,  play_reuse,    play_threads,   play_receipts,      play_errors,
		play_timeouts, play_small_batches, play_adding_again, play_pipe_ends, play_disabling,
		play_datagrams, play_nested, play_use,
	};

	signal(SIGPIPE, SIG_IGN);
	unsetenv("BRINK_STAND_IN_SEED");
	if (on_stand_in)
		printf("This is the stand-in, not a kernel's kqueue.\n");
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		play(parts[i]);
	return verdict() != 0;
}
