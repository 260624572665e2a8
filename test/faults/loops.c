/* The loop itself: watches of both kinds, a host around it, signals, children, a fork. */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct seen {
	brink_watch watch;
	unsigned calls, ready;
	size_t got;
};

static void look(brink_watch *watch, unsigned ready)
{
	struct seen *seen = brink_container_of(watch, struct seen, watch);

	seen->calls++;
	seen->ready |= ready;
}

static void take(brink_watch *watch, unsigned ready)
{
	struct seen *seen = brink_container_of(watch, struct seen, watch);
	char bytes[64];
	ssize_t got;

	look(watch, ready);
	while ((got = brink_watch_read(watch, bytes, sizeof bytes)) > 0)
		seen->got += (size_t)got;
	if (got != -EAGAIN && got != 0) { /* the ticket was not handed back */
		CHECK(fault_struck() && !fault_harmless());
		CHECK(brink_watch_again(watch, BRINK_READ) == 0);
	}
}

/* ---- a ticket ---- */

static void pipe_is_filled(brink_loop *loop, struct seen *writer, int reader)
{
	static const char bytes[4096];
	size_t sent = 0, got = 0;
	char drained[8192];
	ssize_t moved;

	while (sent < 4 * 65536) {
		unsigned calls = writer->calls;

		moved = brink_watch_writev(&writer->watch, &(struct iovec){(void *)(uintptr_t)bytes, sizeof bytes}, 1);
		if (moved > 0) {
			sent += (size_t)moved;
			continue;
		}
		CHECK(moved == -EAGAIN || (fault_struck() && !fault_harmless()));
		while ((moved = read(reader, drained, sizeof drained)) > 0)
			got += (size_t)moved;
		/* Only who was told EAGAIN is called. */
		while (moved == -EAGAIN && writer->calls == calls)
			turn_loop(loop);
	}
	while (got < sent && (moved = read(reader, drained, sizeof drained)) > 0)
		got += (size_t)moved;
	CHECK(got == sent);
}

static void watched_pipe(void)
{
	struct seen reader = {.calls = 0}, writer = {.calls = 0};
	brink_loop *loop = make_loop();
	int fds[2];

	if (loop == NULL)
		return;
	CHECK(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
	brink_watch_init(&reader.watch, take);
	brink_watch_init(&writer.watch, look);
	if (went_well(brink_watch_start(loop, &reader.watch, fds[0], BRINK_READ))) {
		CHECK(write(fds[1], "bytes", 5) == 5);
		while (reader.got < 5)
			turn_loop(loop);
		CHECK(brink_watch_stop(&reader.watch) == 0);
	}
	if (went_well(brink_watch_start(loop, &writer.watch, fds[1], BRINK_WRITE))) {
		pipe_is_filled(loop, &writer, fds[0]);
		CHECK(brink_watch_stop(&writer.watch) == 0);
	}
	brink_loop_destroy(loop);
	close(fds[0]);
	close(fds[1]);
}

/* A descriptor whose writer is another watch, taken on later. */
static void two_owners(void)
{
	struct seen reader = {.calls = 0}, writer = {.calls = 0};
	brink_loop *loop = make_loop();
	int fds[2];

	if (loop == NULL)
		return;
	open_pair(fds);
	brink_watch_init(&reader.watch, take);
	brink_watch_init(&writer.watch, look);
	if (went_well(brink_watch_start(loop, &reader.watch, fds[0], BRINK_READ))) {
		if (went_well(brink_watch_start(loop, &writer.watch, fds[0], BRINK_WRITE))) {
			while (writer.calls == 0)
				turn_loop(loop);
			while (brink_watch_write(&writer.watch, "b", 1) != 1)
				CHECK(fault_struck() && !fault_harmless());
			CHECK(brink_watch_stop(&writer.watch) == 0);
		}
		CHECK(write(fds[1], "bytes", 5) == 5);
		while (reader.got < 5)
			turn_loop(loop);
		CHECK(brink_watch_stop(&reader.watch) == 0);
	}
	brink_loop_destroy(loop);
	close(fds[0]);
	close(fds[1]);
}

static void *rearm_elsewhere(void *watch)
{
	CHECK(brink_watch_rearm(watch, BRINK_READ) == 0);
	return NULL;
}

/* Who asks for it hears nothing of a failure: the watch is called, and told by ERROR. */
static void rearmed_by_a_thread(void)
{
	struct seen seen = {.calls = 0};
	brink_loop *loop = make_loop();
	pthread_t thread;
	int fds[2];

	if (loop == NULL)
		return;
	open_pair(fds);
	brink_watch_init(&seen.watch, look);
	if (went_well(brink_watch_start(loop, &seen.watch, fds[0], BRINK_READ))) {
		char byte;

		CHECK(write(fds[1], "a", 1) == 1);
		while (seen.calls == 0)
			turn_loop(loop);
		CHECK(read(fds[0], &byte, 1) == 1 && read(fds[0], &byte, 1) == -1);
		seen.calls = seen.ready = 0;
		CHECK(pthread_create(&thread, NULL, rearm_elsewhere, &seen.watch) == 0);
		pthread_join(thread, NULL);
		turn_loop(loop);
		if (seen.calls == 0)
			CHECK(write(fds[1], "b", 1) == 1);
		while (seen.calls == 0)
			turn_loop(loop);
		CHECK((seen.ready & BRINK_READ) != 0);
		CHECK(((seen.ready & BRINK_ERROR) != 0) == (fault_is("epoll_ctl MOD") && fault_struck()));
		CHECK(brink_watch_stop(&seen.watch) == 0);
	}
	brink_loop_destroy(loop);
	close(fds[0]);
	close(fds[1]);
}

/* ---- without tickets ---- */

static void level_triggered(void)
{
	struct seen seen = {.calls = 0};
	brink_loop *loop = make_loop();
	struct brink_counters before, after;
	int fds[2];

	if (loop == NULL)
		return;
	open_pair(fds);
	brink_watch_init(&seen.watch, look);
	if (went_well(brink_watch_start(loop, &seen.watch, fds[0], BRINK_READ | BRINK_LEVEL))) {
		if (went_well(brink_watch_set(&seen.watch, BRINK_READ | BRINK_WRITE))) {
			while ((seen.ready & BRINK_WRITE) == 0)
				turn_loop(loop);
			/* Down to what is not ready: a fault may cost a turn, but nothing spins. */
			CHECK(brink_watch_set(&seen.watch, BRINK_READ) == 0);
		}
		turn_loop(loop);
		brink_loop_counters(loop, &before);
		for (int i = 0; i < 5; i++)
			turn_loop(loop);
		brink_loop_counters(loop, &after);
		CHECK(after.waits - before.waits < 100);
		seen.ready = 0;
		CHECK(write(fds[1], "b", 1) == 1);
		while (seen.ready == 0)
			turn_loop(loop);
		CHECK(seen.ready == BRINK_READ);
		if (went_well(brink_watch_set(&seen.watch, 0)) && went_well(brink_watch_set(&seen.watch, BRINK_READ))) {
			seen.ready = 0;
			while (seen.ready == 0)
				turn_loop(loop);
		}
		CHECK(brink_watch_stop(&seen.watch) == 0);
	}
	brink_loop_destroy(loop);
	close(fds[0]);
	close(fds[1]);
}

/* ---- inside another loop ---- */

static void in_a_host(void)
{
	struct seen reader = {.calls = 0};
	brink_loop *loop = make_loop();
	int fds[2], fd;

	if (loop == NULL)
		return;
	open_pair(fds);
	brink_watch_init(&reader.watch, take);
	fd = brink_loop_fd(loop);
	CHECK(fd >= 0 || fd == -ENOTSUP || (fault_struck() && !fault_harmless()));
	if (fd >= 0 && went_well(brink_watch_start(loop, &reader.watch, fds[0], BRINK_READ))) {
		while (reader.got < 5) {
			int64_t timeout;

			fd = brink_loop_fd(loop); /* may be another */
			if (fd < 0 || !went_well(brink_loop_prepare(loop, &timeout)))
				continue;
			if (reader.calls == 0)
				CHECK(write(fds[1], "bytes", 5) == 5);
			if (timeout != 0)
				poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1);
			fd = brink_loop_run_once(loop, 0);
			CHECK(fd >= 0 || (fault_struck() && !fault_harmless()));
		}
		CHECK(brink_watch_stop(&reader.watch) == 0);
	}
	brink_loop_destroy(loop);
	close(fds[0]);
	close(fds[1]);
}

/* ---- processes and signals ---- */

static unsigned calls;

static void on_child(brink_child *child, int status)
{
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7 && child->status == status);
	calls++;
}

static void on_signal(brink_signal *signal)
{
	(void)signal;
	calls++;
}

static void child_process(void)
{
	brink_loop *loop = make_loop();
	brink_child child;
	pid_t pid;

	if (loop == NULL)
		return;
	calls = 0;
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		_exit(7);
	brink_child_init(&child, on_child);
	if (went_well(brink_child_start(loop, &child, pid)))
		while (calls == 0)
			turn_loop(loop);
	else
		CHECK(waitpid(pid, NULL, 0) == pid); /* is still ours */
	brink_loop_destroy(loop);
}

static void signals(void)
{
	brink_loop *loop = make_loop();
	brink_signal signal;

	if (loop == NULL)
		return;
	calls = 0;
	brink_signal_init(&signal, on_signal);
	if (went_well(brink_signal_start(loop, &signal, SIGUSR1))) {
		CHECK(raise(SIGUSR1) == 0);
		while (calls == 0)
			turn_loop(loop);
		CHECK(brink_signal_stop(&signal) == 0);
	}
	brink_loop_destroy(loop);
}

#define STRUCK 3 /* the child's exit status */

/* In the child: the loop is taken over, at the latest when nothing fails any more, and works, with
 * as many descriptors as before; but a kqueue was not inherited. */
static void take_over(brink_loop *loop, struct seen *reader, int peer)
{
	unsigned before = descriptors() + (strcmp(brink_loop_backend(loop), "kqueue") == 0);

	while (!went_well(brink_loop_after_fork(loop)))
		;
	CHECK(descriptors() == before);
	CHECK(write(peer, "bytes", 5) == 5);
	while (reader->got < 5)
		turn_loop(loop);
	CHECK(brink_watch_stop(&reader->watch) == 0);
	brink_loop_destroy(loop);
}

static void forked(void)
{
	struct seen reader = {.calls = 0};
	brink_loop *loop = make_loop();
	int fds[2], status;
	pid_t pid;

	if (loop == NULL)
		return;
	open_pair(fds);
	brink_watch_init(&reader.watch, take);
	if (went_well(brink_watch_start(loop, &reader.watch, fds[0], BRINK_READ))) {
		turn_loop(loop);
		pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			take_over(loop, &reader, fds[1]);
			_exit(fault_struck() ? STRUCK : 0);
		}
		CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
		CHECK(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == STRUCK);
		if (WEXITSTATUS(status) == STRUCK)
			fault_strike();
		CHECK(brink_watch_stop(&reader.watch) == 0);
	}
	brink_loop_destroy(loop);
	close(fds[0]);
	close(fds[1]);
}

const struct scenario loop_scenarios[] = {
	{"watches of a pipe", watched_pipe, false},
	{"two watches of a descriptor", two_owners, false},
	{"a watch that another thread rearms", rearmed_by_a_thread, false},
	{"a level-triggered watch", level_triggered, false},
	{"a loop in a host", in_a_host, false},
	{"a child process", child_process, true},
	{"signals", signals, false},
	{"a forked loop", forked, true},
	{NULL, NULL, false},
};
