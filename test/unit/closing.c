/* A watch that closes its descriptor leaves the removal to the close, as long as no file is shared: then the kernel's
 * object has nothing left over. Where a duplicate keeps the registration, the first report of it has the object
 * replaced, once, and from then on registrations are removed. */
#include "config.h"

#include "check.h"
#include "loop.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS 20

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

int main(void)
{
	CHECK(brink_loop_create(&loop, &(struct brink_loop_options){.backend = "epoll"}) == 0);
	test_alone();
	test_shared();
	brink_loop_destroy(loop);
	return finish();
}
