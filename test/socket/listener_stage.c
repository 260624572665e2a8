#define _GNU_SOURCE 1 /* accept4's number and prctl, on Linux */
#include "listener_stage.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the stage ---- */

static void on_accept(brink_listener *listener, int fd, const struct brink_address *peer, void *arg)
{
	struct stage *stage = arg;
	int *server = &stage->servers[stage->accepted % STAGE_MANY];

	CHECK_ALWAYS(stage->listener == NULL || listener == stage->listener);
	CHECK_ALWAYS((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	CHECK_ALWAYS((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	close_fd(server);
	*server = fd;
	stage->accepted++;
	stage->peer = *peer;
	if (stage->act != NULL)
		stage->act(stage);
}

static void on_error(brink_listener *listener, int error, void *arg)
{
	struct stage *stage = arg;

	CHECK_ALWAYS(listener == stage->listener);
	CHECK_ALWAYS(error < 0);
	stage->errors++;
	stage->error = error;
	if (stage->act_error != NULL)
		stage->act_error(stage);
}

static void on_drained(brink_listener *listener, void *arg)
{
	struct stage *stage = arg;

	CHECK_ALWAYS(listener == stage->listener);
	CHECK_ALWAYS(brink_listener_fd(listener) == -1);
	stage->drained++;
	if (stage->act_drained != NULL)
		stage->act_drained(stage);
}

/* A path beside that of one of the harness's listeners, in its directory. */
static void choose_path(struct stage *stage)
{
	int listener = open_listener(KIND_UNIX, 1);
	struct brink_address address;

	CHECK_OK(brink_address_of(listener, &address));
	CHECK_OK(brink_address_format(&address, stage->text, sizeof stage->text));
	strcat(stage->text, "-stage");
	close_fd(&listener);
}

void open_stage(struct stage *stage, enum kind kind)
{
	memset(stage, 0, sizeof *stage);
	stage->loop = new_loop();
	for (unsigned i = 0; i < STAGE_MANY; i++)
		stage->servers[i] = -1;
	if (kind == KIND_UNIX)
		choose_path(stage);
	else
		snprintf(stage->text, sizeof stage->text, "%s:0", kind == KIND_TCP6 ? "[::1]" : "127.0.0.1");
	stage->options = (struct brink_listener_options){
		.address = stage->text,
		.on_accept = on_accept,
		.on_error = on_error,
		.on_drained = on_drained,
		.arg = stage,
		.retry_after = BRINK_MS(20),
	};
}

int try_stage(struct stage *stage)
{
	return brink_listener_create(&stage->listener, stage->loop, &stage->options);
}

void start_stage(struct stage *stage)
{
	CHECK_OK(try_stage(stage));
}

void destroy_listener(struct stage *stage)
{
	brink_listener *listener = stage->listener;

	stage->listener = NULL;
	brink_listener_destroy(listener);
}

void close_stage(struct stage *stage)
{
	destroy_listener(stage);
	close_all(stage->servers, STAGE_MANY);
	CHECK_OK(brink_loop_destroy(stage->loop));
}

void close_all(int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		close_fd(&fds[i]);
}

void end_server(struct stage *stage, unsigned index)
{
	CHECK(stage->servers[index] >= 0);
	close_fd(&stage->servers[index]);
	brink_listener_closed(stage->listener);
}

int reserve_port(char *text)
{
	struct brink_address address;
	int fd, on = 1;

	CHECK_OK(brink_address_parse(&address, text));
	if (address.storage.ss_family == AF_UNIX)
		return -1;
	fd = socket(address.storage.ss_family, SOCK_STREAM, 0);
	SYSCALL(fd);
	SYSCALL(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
	SYSCALL(bind(fd, (const struct sockaddr *)&address.storage, address.length));
	CHECK_OK(brink_address_of(fd, &address));
	CHECK(brink_address_format(&address, text, BRINK_ADDRESS_TEXT) > 0);
	return fd;
}

/* ---- clients ---- */

int try_connect(const struct brink_address *address)
{
	int fd = socket(address->storage.ss_family, SOCK_STREAM, 0), error;

	SYSCALL(fd);
	SYSCALL(fcntl(fd, F_SETFD, FD_CLOEXEC));
	if (connect(fd, (const struct sockaddr *)&address->storage, address->length) == 0) {
		set_nonblocking(fd);
		return fd;
	}
	error = errno;
	SYSCALL(close(fd));
	return -error;
}

int connect_address(const struct brink_address *address)
{
	int fd = try_connect(address);

	CHECK_OK(fd);
	return fd;
}

void queue_clients(struct stage *stage, int *clients, unsigned count)
{
	struct brink_address address;

	brink_listener_address(stage->listener, &address);
	for (unsigned i = 0; i < count; i++)
		clients[i] = connect_address(&address);
}

void turn_in_vain(struct stage *stage)
{
	unsigned accepted = stage->accepted;

	/* A look that finds nothing may come first. After that, what calls again spins. */
	for (unsigned i = 0; i < 6; i++) {
		int calls = brink_loop_run_once(stage->loop, (int64_t)BRINK_MS(10));

		CHECK_OK(calls);
		CHECK(calls == 0 || i < 2);
	}
	CHECK_EQ(stage->accepted, accepted);
}

uint64_t turns_of(brink_loop *loop)
{
	struct brink_counters counters;

	brink_loop_counters(loop, &counters);
	return counters.turns;
}

/* ---- files ---- */

const char *path_of(const struct stage *stage)
{
	return stage->text + strlen("unix:");
}

bool file_exists(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

void skip_under_valgrind(void)
{
	if (getenv("BRINK_TEST_VALGRIND") != NULL)
		SKIP("valgrind accepts the connection, closes it and then says EMFILE");
}

/* ---- system calls ---- */

#if defined(__linux__)

#include <endian.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/net.h> /* SYS_ACCEPT4, a number of socketcall(2) */
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef SYS_accept4
#define SYS_accept4 0xffffffff
#endif
#ifndef SYS_setsockopt
#define SYS_setsockopt 0xffffffff
#endif
/* By which glibc for x86 of 32 bits makes it. */
#ifndef SYS_socketcall
#define SYS_socketcall 0xffffffff
#endif

static bool refuse(struct sock_filter *steps, unsigned short count)
{
	struct sock_fprog program = {.len = count, .filter = steps};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

bool refuse_accept(int error)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_accept4, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socketcall, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ACCEPT4, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return SYS_accept4 != 0xffffffff && refuse(steps, sizeof steps / sizeof steps[0]);
}

#define LOW(argument) (offsetof(struct seccomp_data, args[argument]) + (__BYTE_ORDER == __BIG_ENDIAN ? 4 : 0))

bool refuse_packet_filters(void)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setsockopt, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW(1)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SOL_SOCKET, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW(2)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SO_ATTACH_FILTER, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return SYS_setsockopt != 0xffffffff && refuse(steps, sizeof steps / sizeof steps[0]);
}

#else

bool refuse_accept(int error)
{
	(void)error;
	return false;
}

bool refuse_packet_filters(void)
{
	return false;
}

#endif
