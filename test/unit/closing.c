/* A watch that closes its descriptor leaves the removal to the close, as long as no file is shared: then the kernel's
 * object has nothing left over. Where a duplicate keeps the registration, the first report of it has the object
 * replaced, once, and from then on registrations are removed. As long as there can be none, the old one serves. */
#include "config.h"

#include "check.h"
#include "loop.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS 20
#define DESCRIPTORS 64

static brink_loop *loop;
static unsigned calls;

static void on_ready(brink_watch *watch, unsigned ready)
{
	(void)watch;
	(void)ready;
	calls++;
}

/* How many descriptors the kernel's object has; -1: it does not say (proc(5), /proc/PID/fdinfo). */
static int registered(void)
{
	char path[64], line[256];
	FILE *info;
	int count = 0;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", loop->ops->fd(loop->dispatcher));
	info = fopen(path, "r");
	if (info == NULL)
		return -1;
	while (fgets(line, sizeof line, info) != NULL)
		count += strncmp(line, "tfd:", 4) == 0;
	fclose(info);
	return count;
}

/* Starts a watch on one end, closes it by the watch, and writes to the other. How many more are registered after the
 * close than before. */
static int close_one(bool shared)
{
	int fds[2], before = registered(), after, duplicate = -1;
	brink_watch watch;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	if (shared)
		duplicate = dup(fds[0]);
	brink_watch_init(&watch, on_ready);
	CHECK(brink_watch_start(loop, &watch, fds[0], BRINK_READ) == 0);
	CHECK(brink_watch_close(&watch) == 0);
	after = registered();
	CHECK(send(fds[1], "x", 1, MSG_NOSIGNAL) == (shared ? 1 : -1));
	while (brink_loop_run_once(loop, 0) > 0)
		;
	CHECK(brink_loop_run_once(loop, 0) == 0);
	CHECK(calls == 0);
	CHECK(registered() == before);
	close(fds[1]);
	if (shared)
		close(duplicate);
	return after - before;
}

static void test_alone(void)
{
	const struct brink__dispatcher *dispatcher = loop->dispatcher;

	for (int i = 0; i < ROUNDS; i++)
		CHECK(close_one(false) == 0);
	CHECK(loop->dispatcher == dispatcher && !loop->shares);
	passed("with the close of its only descriptor a registration is gone");
}

static void test_shared(void)
{
	const struct brink__dispatcher *dispatcher = loop->dispatcher;
	int left = registered() < 0 ? 0 : 1;

	CHECK(close_one(true) == left);
	CHECK(loop->shares && loop->dispatcher != dispatcher);
	dispatcher = loop->dispatcher;
	for (int i = 0; i < ROUNDS; i++)
		CHECK(close_one(true) == 0);
	CHECK(loop->dispatcher == dispatcher);
	passed("that of a shared file is left over once");
}

/* Takes all descriptors that there are. */
static int take_all(int taken[DESCRIPTORS])
{
	int count = 0;

	while (count < DESCRIPTORS && (taken[count] = dup(STDIN_FILENO)) >= 0)
		count++;
	CHECK(count < DESCRIPTORS);
	return count;
}

static void on_data(brink_watch *watch, unsigned ready)
{
	char byte;

	(void)ready;
	calls++;
	while (brink_watch_read(watch, &byte, 1) == 1)
		;
}

/* Without a descriptor for another object the old one serves, and is replaced when there is one. */
static void test_scarce(void)
{
	const struct brink__dispatcher *dispatcher;
	struct rlimit limit;
	int shared[2], fds[2], taken[DESCRIPTORS], duplicate, count;
	brink_watch closed, good;

	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = DESCRIPTORS;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK(brink_loop_create(&loop, &(struct brink_loop_options){.backend = "epoll"}) == 0);
	dispatcher = loop->dispatcher;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, shared) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	duplicate = dup(shared[0]);
	brink_watch_init(&closed, on_ready);
	brink_watch_init(&good, on_data);
	CHECK(brink_watch_start(loop, &closed, shared[0], BRINK_READ) == 0);
	CHECK(brink_watch_start(loop, &good, fds[0], BRINK_READ) == 0);
	CHECK(brink_watch_close(&closed) == 0);
	count = take_all(taken);
	for (unsigned round = 1; round < ROUNDS; round++) {
		CHECK(send(shared[1], "x", 1, MSG_NOSIGNAL) == 1);
		CHECK(send(fds[1], "x", 1, MSG_NOSIGNAL) == 1);
		while (calls < round)
			CHECK(brink_loop_run_once(loop, BRINK_SECONDS(10)) >= 0);
		CHECK(loop->dispatcher == dispatcher);
	}
	close(taken[--count]);
	CHECK(brink_loop_run_once(loop, 0) == 0);
	CHECK(loop->dispatcher != dispatcher && registered() <= 2);
	calls = 0;
	CHECK(send(fds[1], "x", 1, MSG_NOSIGNAL) == 1);
	CHECK(brink_loop_run_once(loop, BRINK_SECONDS(10)) == 1 && calls == 1);
	CHECK(brink_watch_close(&good) == 0);
	CHECK(brink_loop_destroy(loop) == 0);
	while (count > 0)
		close(taken[--count]);
	close(duplicate);
	close(shared[1]);
	close(fds[1]);
	passed("without a descriptor for another the old object serves");
}

/* Level-triggered, it would be reported again and again. */
static void test_level(void)
{
	brink_watch watch;
	int fds[2], before = registered(), duplicate;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	duplicate = dup(fds[0]);
	brink_watch_init(&watch, on_ready);
	CHECK(brink_watch_start(loop, &watch, fds[0], BRINK_READ | BRINK_LEVEL) == 0);
	CHECK(brink_watch_close(&watch) == 0);
	CHECK(registered() == before && !loop->shares);
	close(duplicate);
	close(fds[1]);
	passed("one that is level-triggered is removed");
}

int main(void)
{
	CHECK(brink_loop_create(&loop, &(struct brink_loop_options){.backend = "epoll"}) == 0);
	test_alone();
	test_level();
	test_shared();
	CHECK(brink_loop_destroy(loop) == 0);
	test_scarce();
	return finish();
}
