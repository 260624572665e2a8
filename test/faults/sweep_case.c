#include "sweep.h"

#include "cache.h"
#include "scarce.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool counts(const struct test_case *test)
{
	return test->strike->fault == NULL;
}

/* A scenario's own writes may raise one where the other end is gone too early. */
static void on_sigpipe(int number)
{
	(void)number;
	if (fault_is_writing())
		abort();
}

static void begin(const struct test_case *test)
{
	struct sigaction action = {.sa_handler = on_sigpipe};

	sigemptyset(&action.sa_mask);
	SYSCALL(sigaction(SIGPIPE, &action, NULL));
	fault_memory();
	brink__cache_keep(false);
	if (counts(test))
		fault_count_calls();
	else
		fault_begin(test->strike->fault, test->strike->k);
}

static void end(const struct test_case *test)
{
	long left = blocks_live();

	fault_end();
	left -= blocks_of_slots();
	if (left > 0)
		fail_always(test->scenario->name, 0, "%ld blocks of memory were left", left);
	for (size_t i = 0; counts(test) && i < fault_count; i++)
		measure("calls", "%u", fault_calls(i));
}

/* Two things at a time are more than a scenario is made for, even where one of them is harmless; a listener
 * counts the connections that it lost; what is written in part is not written at once; and where epoll keeps a
 * registration it is opened anew, as a host can see. */
static enum course course(const struct test_case *test)
{
	const struct fault *fault = test->strike->fault;

	if (counts(test))
		return AS_EXPECTED;
	if (!fault->harmless || something_was_scarce || (strcmp(fault->call, "accept4") == 0 && fault->error != EINTR))
		return OTHERWISE;
	return fault->error == SHORT || strcmp(fault->call, "epoll_ctl DEL") == 0 ? LATER : AS_EXPECTED;
}

const struct conditions faulty_world = {
	.begin = begin, .end = end, .course = course, .afterwards = look_afterwards, .progress = useful_moves};

unsigned counted_calls(const struct test_case *test, size_t fault)
{
	const char *line = test->measures;

	for (; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, "calls\t", 6) == 0 && fault-- == 0)
			return (unsigned)strtoul(line + 6, NULL, 10);
	}
	return 0;
}
