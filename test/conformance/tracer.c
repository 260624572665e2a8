#define _GNU_SOURCE /* __WALL */
#include "conformance.h"
#include "tracer.h"

#include <sys/wait.h>
#include <unistd.h>

#if defined(__linux__)

#include <sys/ptrace.h>

static void run_tracer(pid_t pid, int life, int news)
{
	siginfo_t info;
	char byte = 0;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 || write(news, &byte, 1) != 1)
		_exit(1);
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | __WALL) < 0 || write(news, &byte, 1) != 1)
		_exit(2);
	(void)!read(life, &byte, 1); /* until it is closed */
	_exit(waitpid(pid, NULL, __WALL) == pid ? 0 : 3);
}

#else

static void run_tracer(pid_t pid, int life, int news)
{
	(void)pid;
	(void)life;
	(void)news;
	_exit(1);
}

#endif

bool start_tracer(struct tracer *tracer, pid_t pid)
{
	int life[2], news[2], status;
	char byte;

	SYSCALL(pipe(life));
	SYSCALL(pipe(news));
	tracer->pid = fork();
	SYSCALL(tracer->pid);
	if (tracer->pid == 0) {
		/* What it kept open would keep other processes alive. */
		for (int fd = STDERR_FILENO + 1; fd < 256; fd++)
			if (fd != life[0] && fd != news[1])
				close(fd);
		run_tracer(pid, life[0], news[1]);
	}
	close_fd(&life[0]);
	close_fd(&news[1]);
	tracer->life = life[1];
	tracer->news = news[0];
	if (read(tracer->news, &byte, 1) == 1)
		return true;
	close_fd(&tracer->life);
	close_fd(&tracer->news);
	SYSCALL(waitpid(tracer->pid, &status, 0));
	return false;
}

void await_traced_end(const struct tracer *tracer)
{
	char byte;

	CHECK_EQ(read(tracer->news, &byte, 1), 1);
}

void end_tracer(struct tracer *tracer)
{
	int status;

	close_fd(&tracer->life);
	close_fd(&tracer->news);
	CHECK_EQ(waitpid(tracer->pid, &status, 0), tracer->pid);
	CHECK_EQ(status, 0);
}
