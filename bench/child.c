#include "child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANG 60 /* seconds beyond its time, after which it is given up */

int in_child(slot_fn *slot, struct contender *contender, const struct settings *settings, double *values,
             size_t count)
{
	size_t size = count * sizeof *values;
	int report[2], status = -1;
	ssize_t n;
	pid_t child;

	if (pipe(report) < 0)
		return -errno;
	fflush(NULL);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(HANG + (unsigned)settings->slot);
		status = slot(contender, settings, values) == 0 && write(report[1], values, size) == (ssize_t)size;
		_exit(status ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	close(report[1]);
	n = child > 0 ? read(report[0], values, size) : -1;
	close(report[0]);
	if (child > 0)
		waitpid(child, &status, 0);
	if (n == (ssize_t)size && status == 0)
		return 0;
	complain("%s: its process failed", contender->label);
	return -ECHILD;
}
