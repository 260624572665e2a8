#include "faults.h"

#include "cache.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HANGS 300u /* seconds of one run, which takes some milliseconds */

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if !defined(SANITIZED)
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif
#endif

static const struct fault faults[] = {
#define FAULT(call, error, harmless, backend) {call, error, #error, harmless, 1, backend}
	FAULT("memory", ENOMEM, false, NULL),
	{"memory", ENOMEM, "ENOMEM, four times", false, 4, NULL},
	FAULT("pthread_create", EAGAIN, false, NULL),
	FAULT("pthread_mutex_init", ENOMEM, false, NULL),
	FAULT("pthread_cond_init", ENOMEM, false, NULL),

	FAULT("pipe2", EMFILE, false, NULL),
	FAULT("fstat", EBADF, false, NULL),
	FAULT("fcntl", EBADF, false, NULL),
	FAULT("dup3", EMFILE, true, NULL), /* the number stays in use a little longer */

	FAULT("socket", EMFILE, false, NULL),
	FAULT("socket", ENOBUFS, false, NULL),
	FAULT("setsockopt", ENOBUFS, false, NULL),
	FAULT("getsockopt", ENOBUFS, false, NULL),
	FAULT("getsockname", ENOBUFS, false, NULL),
	FAULT("getpeername", ENOBUFS, false, NULL),
	FAULT("ioctl", EINVAL, false, NULL),

	FAULT("connect", ENOBUFS, false, NULL),
	FAULT("connect", ECONNREFUSED, false, NULL),
	FAULT("connect", ETIMEDOUT, false, NULL),
	FAULT("connect", EINTR, true, NULL),

	FAULT("bind", EADDRINUSE, false, NULL),
	FAULT("bind", EACCES, false, NULL),
	FAULT("listen", EADDRINUSE, false, NULL),
	FAULT("lstat", EACCES, false, NULL),
	FAULT("unlink", EACCES, false, NULL),
	FAULT("chmod", EPERM, false, NULL),
	FAULT("accept4", EMFILE, false, NULL),
	FAULT("accept4", ENOBUFS, true, NULL),
	FAULT("accept4", ECONNABORTED, true, NULL),
	FAULT("accept4", EINTR, true, NULL),
	FAULT("accept4", EPERM, true, NULL), /* of one connection, which is gone */

	FAULT("send", EINTR, true, NULL),
	FAULT("send", SHORT, true, NULL),
	FAULT("send", ENOBUFS, false, NULL),
	FAULT("send", ECONNRESET, false, NULL),
	FAULT("send", EPIPE, false, NULL),
	FAULT("sendmsg", EINTR, true, NULL),
	FAULT("sendmsg", SHORT, true, NULL),
	FAULT("sendmsg", ENOBUFS, false, NULL),
	FAULT("sendmsg", ECONNRESET, false, NULL),
	FAULT("sendmsg", EPIPE, false, NULL),
	FAULT("recv", EINTR, true, NULL),
	FAULT("recv", ECONNRESET, false, NULL),
	FAULT("recv", ENOMEM, false, NULL),
	FAULT("readv", EINTR, true, NULL),
	FAULT("readv", ECONNRESET, false, NULL),
	FAULT("readv", ENOMEM, false, NULL),
	FAULT("shutdown", ENOTCONN, false, NULL),
	FAULT("shutdown", ENOBUFS, false, NULL),
	FAULT("read", EINTR, true, NULL), /* of the wakeup pipe */
	FAULT("write", EINTR, true, NULL),
	FAULT("writev", EINTR, true, NULL), /* to a pipe */
	FAULT("writev", SHORT, true, NULL),

	FAULT("getaddrinfo", ENOMEM, false, NULL),
	FAULT("getaddrinfo", EMFILE, false, NULL),
	FAULT("recvmmsg", EINTR, true, NULL),
	FAULT("recvmmsg", ENOSYS, true, NULL),
	FAULT("recvmmsg", ENOMEM, false, NULL),
	FAULT("recvmsg", EINTR, true, NULL),
	FAULT("recvmsg", ENOMEM, false, NULL),
	FAULT("sendmmsg", EINTR, true, NULL),
	FAULT("sendmmsg", ENOSYS, true, NULL),
	FAULT("sendmmsg", EAGAIN, true, NULL),
	FAULT("sendmmsg", ENOBUFS, true, NULL), /* no room, which will be */
	FAULT("sendmmsg", EPERM, false, NULL),

	FAULT("pidfd_open", EMFILE, false, NULL),
	FAULT("pidfd_open", ENOMEM, false, NULL),
	FAULT("pidfd_open", ENOSYS, true, NULL),
	FAULT("waitid", ECHILD, false, NULL),
	FAULT("waitpid", EINTR, true, NULL),
	FAULT("sigaction", EINVAL, false, NULL),
	FAULT("dup2", EBUSY, false, NULL), /* after a fork */

	FAULT("epoll_create1", EMFILE, false, "epoll"),
	FAULT("epoll_ctl ADD", ENOMEM, false, "epoll"),
	FAULT("epoll_ctl ADD", ENOSPC, false, "epoll"),
	FAULT("epoll_ctl MOD", ENOMEM, false, "epoll"),
	{"epoll_ctl MOD", ENOMEM, "ENOMEM, twice", false, 2, "epoll"},
	FAULT("epoll_ctl DEL", ENOMEM, true, "epoll"),
	FAULT("epoll_pwait2", EINTR, true, "epoll"),
	FAULT("epoll_pwait2", ENOSYS, true, "epoll"),

	FAULT("ppoll", EINTR, true, "poll"),
	FAULT("ppoll", ENOMEM, false, "poll"),

	FAULT("kqueue", EMFILE, false, "kqueue"),
	FAULT("kqueue", ENOMEM, false, "kqueue"),
	FAULT("kevent", EINTR, true, "kqueue"),
	FAULT("kevent", ENOMEM, false, "kqueue"),
	FAULT("kevent at once", ENOMEM, false, "kqueue"),

	FAULT("io_uring_queue_init_params", ENOMEM, false, "io_uring"),
	FAULT("io_uring_queue_init_params", EPERM, false, "io_uring"),
	FAULT("io_uring_register", ENOMEM, false, "io_uring"),
	FAULT("io_uring_register_eventfd", ENOMEM, false, "io_uring"),
	FAULT("eventfd", EMFILE, false, "io_uring"),
	FAULT("poll", EINTR, true, "io_uring"), /* to see whether an old completion still holds */
	FAULT("poll", ENOMEM, true, "io_uring"),
	FAULT("io_uring_get_sqe", EBUSY, true, "io_uring"), /* says NULL */
	FAULT("io_uring_submit", EBUSY, true, "io_uring"),
	FAULT("io_uring_submit", EAGAIN, true, "io_uring"),
	FAULT("io_uring_submit_and_get_events", EAGAIN, true, "io_uring"),
	FAULT("io_uring_submit_and_get_events", EBUSY, true, "io_uring"),
	FAULT("io_uring_submit_and_get_events", EINTR, true, "io_uring"),
	FAULT("io_uring_submit_and_wait_timeout", EINTR, true, "io_uring"),
	FAULT("io_uring_submit_and_wait_timeout", EAGAIN, true, "io_uring"),
	FAULT("io_uring_submit_and_wait_timeout", EBUSY, true, "io_uring"),
	FAULT("io_uring_submit_and_wait_timeout", EBADR, true, "io_uring"),
	FAULT("io_uring_submit_and_wait_timeout", ENOMEM, false, "io_uring"),
#undef FAULT
};

#define FAULTS (sizeof faults / sizeof faults[0])

static const struct scenario *const families[] = {
	socket_scenarios, end_scenarios, executor_scenarios, listener_scenarios, client_scenarios,
	server_scenarios, loop_scenarios, datagram_scenarios, lookup_scenarios, web_scenarios,
};

/* ---- the present one ---- */

static const char *backend;
static const char *only = ""; /* scenarios with this in their name */
static char where[256] = "before all";
static int where_length = 10;
static unsigned passed;

void not_so(const char *file, int line, const char *what)
{
	printf("%s:%d: not so: %s\n    %s\n%u passed, 1 failed\n", file, line, what, where, passed);
	fflush(stdout);
	_Exit(1);
}

static void on_alarm(int number)
{
	static const char text[] = "FAILED it hangs: ", end[] = "\n0 passed, 1 failed\n";

	(void)number;
	(void)!write(1, text, sizeof text - 1);
	(void)!write(1, where, (size_t)where_length);
	(void)!write(1, end, sizeof end - 1);
	_exit(1);
}

static struct brink_loop_options loop_options(void)
{
	/* Few entries, so that they are used up. */
	return (struct brink_loop_options){.backend = backend, .ring_entries = 2};
}

brink_loop *make_loop(void)
{
	struct brink_loop_options options = loop_options();
	brink_loop *loop;

	return went_well(brink_loop_create(&loop, &options)) ? loop : NULL;
}

brink_group *make_group(unsigned loops)
{
	brink_group *group;

	return went_well(brink_group_create(&group, &(struct brink_group_options){
		.loops = loops, .placement = BRINK_PLACE_ROUND_ROBIN, .loop = loop_options()})) ? group : NULL;
}

/* ---- all of them, at every k ---- */

unsigned descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static bool is_slow(void)
{
	return SANITIZED || getenv("BRINK_TEST_VALGRIND") != NULL;
}

/* Under a tool that makes all of it slow, after the first ones only some. */
static unsigned next(unsigned k)
{
	return is_slow() && k > 3 ? k + k / 2 : k + 1;
}

static bool once(const struct scenario *scenario, const struct fault *fault, unsigned k)
{
	unsigned open = descriptors();
	long live = blocks_live();
	bool struck;

	where_length = snprintf(where, sizeof where, "%s, on %s, %s at call %u: %s", scenario->name, backend,
	                        fault->call, k, fault->name);
	alarm(HANGS);
	told_errors = 0;
	fault_begin(fault, k);
	scenario->run();
	struck = fault_end();
	/* Nothing can do without a thread or a lock. */
	CHECK(!struck || told_errors > 0 || strncmp(fault->call, "pthread_", 8) != 0);
	CHECK(descriptors() == open);
	CHECK(blocks_live() == live);
	return struck;
}

static void with_each_fault(const struct scenario *scenario, unsigned struck[FAULTS])
{
	where_length = snprintf(where, sizeof where, "%s, on %s", scenario->name, backend);
	alarm(HANGS);
	scenario->run(); /* what is made once stays */
	for (size_t f = 0; f < FAULTS; f++) {
		if (faults[f].backend != NULL && strcmp(faults[f].backend, backend) != 0)
			continue;
		for (unsigned k = 1; once(scenario, &faults[f], k); k = next(k))
			struck[f]++;
	}
	printf("ok  %s, on %s\n", scenario->name, backend);
	fflush(stdout);
	passed++;
}

static bool can_run(const struct scenario *scenario)
{
	if (strstr(scenario->name, only) == NULL)
		return false;
	/* Valgrind does not let other threads run while one is in io_uring_enter(), and is slow with
	 * processes then. */
	return !scenario->has_others || strcmp(backend, "io_uring") != 0 || getenv("BRINK_TEST_VALGRIND") == NULL;
}

/* c-ares instead makes calls of its own. */
static bool is_made(const struct fault *fault)
{
	return strcmp(fault->call, "getaddrinfo") != 0 || strcmp(brink_resolver_backend(), "getaddrinfo") == 0;
}

/* Each of them did come, so that calls which the library makes otherwise some day are missed. */
static void all_have_struck(const unsigned struck[FAULTS])
{
	for (size_t f = 0; f < FAULTS; f++) {
		if (struck[f] > 0 || !is_made(&faults[f]) || (faults[f].backend != NULL && strcmp(faults[f].backend, backend) != 0))
			continue;
		where_length = snprintf(where, sizeof where, "on %s, %s never said %s", backend, faults[f].call,
		                        faults[f].name);
		CHECK(struck[f] > 0);
	}
}

static void on_backend(const char *name)
{
	unsigned struck[FAULTS] = {0};
	bool whole = true;

	backend = name;
	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
		for (const struct scenario *scenario = families[i]; scenario->name != NULL; scenario++) {
			if (can_run(scenario))
				with_each_fault(scenario, struck);
			else
				whole = false;
		}
	}
	if (whole)
		all_have_struck(struck);
}

int main(int argc, char **argv)
{
	struct brink_backend_info infos[8];
	size_t count;

	signal(SIGALRM, on_alarm);
	scarce_memory();
	brink__cache_keep(false);
	if (argc > 2)
		only = argv[2];
	count = brink_backends(infos, sizeof infos / sizeof infos[0]);
	for (size_t i = 0; i < count && i < sizeof infos / sizeof infos[0]; i++)
		if (infos[i].status == 0 && (argc < 2 || strcmp(argv[1], infos[i].name) == 0))
			on_backend(infos[i].name);
	printf("%u passed, 0 failed\n", passed);
	return 0;
}
