/* The files of UNIX sockets: whose they are, who may use them, and when they go. */
#include "groups.h"
#include "listener_stage.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A socket of another server at the stage's address. */
static int bind_other(const struct stage *stage, int type)
{
	struct brink_address address;
	int fd = socket(AF_UNIX, type, 0);

	SYSCALL(fd);
	CHECK_OK(brink_address_parse(&address, stage->text));
	SYSCALL(bind(fd, (const struct sockaddr *)&address.storage, address.length));
	return fd;
}

static void check_works(struct stage *stage)
{
	unsigned accepted = stage->accepted;
	int client;

	queue_clients(stage, &client, 1);
	RUN_UNTIL(stage->loop, stage->accepted == accepted + 1);
	close_fd(&client);
}

static void file_goes_with_it(enum kind kind)
{
	struct stage stage;

	(void)kind;
	open_stage(&stage, KIND_UNIX);
	start_stage(&stage);
	CHECK(file_exists(path_of(&stage)));
	check_works(&stage);
	destroy_listener(&stage);
	CHECK(!file_exists(path_of(&stage)));
	/* With a drain, at once: nobody should find it any more. */
	start_stage(&stage);
	CHECK_OK(brink_listener_drain(stage.listener));
	CHECK(!file_exists(path_of(&stage)));
	CHECK_EQ(brink_loop_run(stage.loop), 0);
	close_stage(&stage);
}

static void stale_file(enum kind kind)
{
	struct stage stage;
	int other;

	(void)kind;
	open_stage(&stage, KIND_UNIX);
	other = bind_other(&stage, SOCK_STREAM);
	SYSCALL(listen(other, 1));
	close_fd(&other);
	CHECK_ERROR(try_stage(&stage), -EADDRINUSE);
	CHECK(file_exists(path_of(&stage)));
	stage.options.flags = BRINK_LISTEN_UNIX_REPLACE;
	start_stage(&stage);
	check_works(&stage);
	/* Another of the kind finds it alive. */
	CHECK_ERROR(brink_listener_create(&(brink_listener *){NULL}, stage.loop, &stage.options), -EADDRINUSE);
	check_works(&stage);
	close_stage(&stage);
}

/* Not even a connection is made to it, whatever it is and however far it has come. */
static void live_server(enum kind kind)
{
	static const struct {
		int type;
		bool listens;
	} servers[] = {{SOCK_STREAM, true}, {SOCK_STREAM, false}, {SOCK_DGRAM, false}};

	(void)kind;
	for (unsigned i = 0; i < sizeof servers / sizeof servers[0]; i++) {
		struct stage stage;
		int other;

		open_stage(&stage, KIND_UNIX);
		stage.options.flags = BRINK_LISTEN_UNIX_REPLACE;
		other = bind_other(&stage, servers[i].type);
		if (servers[i].listens)
			SYSCALL(listen(other, 1));
		CHECK_ERROR(try_stage(&stage), -EADDRINUSE);
		CHECK(file_exists(path_of(&stage)));
		CHECK(servers[i].type != SOCK_STREAM || !servers[i].listens || !ready_now(other, BRINK_READ));
		close_fd(&other);
		start_stage(&stage); /* now it is stale */
		check_works(&stage);
		close_stage(&stage);
	}
}

/* A live server whose queue is full refuses streams on some systems. */
static void live_server_with_a_full_queue(enum kind kind)
{
	struct brink_address address;
	struct stage stage;
	int other, clients[8], count = 0, fd;

	(void)kind;
	open_stage(&stage, KIND_UNIX);
	stage.options.flags = BRINK_LISTEN_UNIX_REPLACE;
	other = bind_other(&stage, SOCK_STREAM);
	SYSCALL(listen(other, 1));
	CHECK_OK(brink_address_parse(&address, stage.text));
	do {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		SYSCALL(fd);
		set_nonblocking(fd);
		clients[count++] = fd;
	} while (connect(fd, (const struct sockaddr *)&address.storage, address.length) == 0 && count < 8);
	CHECK_ERROR(try_stage(&stage), -EADDRINUSE);
	CHECK(file_exists(path_of(&stage)));
	close_all(clients, (unsigned)count);
	close_fd(&other);
	close_stage(&stage);
	CHECK_EQ(unlink(path_of(&stage)), 0);
}

static void no_socket_at_all(enum kind kind)
{
	struct stage stage;
	struct stat status;
	int fd;

	(void)kind;
	open_stage(&stage, KIND_UNIX);
	stage.options.flags = BRINK_LISTEN_UNIX_REPLACE;
	fd = open(path_of(&stage), O_CREAT | O_EXCL | O_WRONLY, 0600);
	SYSCALL(fd);
	write_all(fd, "kept", 4);
	close_fd(&fd);
	CHECK_ERROR(try_stage(&stage), -EADDRINUSE);
	SYSCALL(stat(path_of(&stage), &status));
	CHECK_EQ(status.st_size, 4);
	SYSCALL(unlink(path_of(&stage)));
	SYSCALL(symlink("/nowhere/at/all", path_of(&stage)));
	CHECK_ERROR(try_stage(&stage), -EADDRINUSE);
	SYSCALL(unlink(path_of(&stage)));
	start_stage(&stage);
	close_stage(&stage);
}

static unsigned mode_of(const struct stage *stage)
{
	struct stat status;

	SYSCALL(lstat(path_of(stage), &status));
	CHECK(S_ISSOCK(status.st_mode));
	return (unsigned)status.st_mode & 0777;
}

static void permissions(enum kind kind)
{
	static const struct {
		unsigned mode, umask, expected;
	} cases[] = {{0, 022, 0755}, {0, 077, 0700}, {0600, 0, 0600}, {0666, 077, 0666}, {0777, 022, 0777}};
	mode_t before = umask(0);

	(void)kind;
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct stage stage;

		open_stage(&stage, KIND_UNIX);
		umask((mode_t)cases[i].umask);
		stage.options.unix_mode = cases[i].mode;
		start_stage(&stage);
		CHECK_EQ(mode_of(&stage), cases[i].expected);
		CHECK_EQ(umask(0), cases[i].umask); /* the process's is left alone */
		close_stage(&stage);
	}
	umask(before);
}

/* The name leads to another server by now: the file is that one's. */
static void name_taken_by_another(enum kind kind)
{
	struct stage stage;
	int other;

	(void)kind;
	open_stage(&stage, KIND_UNIX);
	start_stage(&stage);
	SYSCALL(unlink(path_of(&stage)));
	other = bind_other(&stage, SOCK_STREAM);
	destroy_listener(&stage);
	CHECK(file_exists(path_of(&stage)));
	close_fd(&other);
	SYSCALL(unlink(path_of(&stage)));
	start_stage(&stage);
	SYSCALL(unlink(path_of(&stage)));
	close_stage(&stage);
}

static void forked_child_leaves_it(enum kind kind)
{
	struct stage stage;
	pid_t pid;

	(void)kind;
	open_stage(&stage, KIND_UNIX);
	start_stage(&stage);
	pid = fork();
	SYSCALL(pid);
	if (pid == 0) {
		int result = brink_loop_after_fork(stage.loop);

		destroy_listener(&stage);
		_exit(result == 0 ? 0 : 1);
	}
	expect_success_of(pid);
	CHECK(file_exists(path_of(&stage)));
	check_works(&stage);
	close_stage(&stage);
}

static void abstract_name(enum kind kind)
{
	struct brink_address address;
	struct stage stage;
	int result;

	(void)kind;
	open_stage(&stage, KIND_UNIX);
	snprintf(stage.text, sizeof stage.text, "unix:@brink-test-%ld", (long)getpid());
	result = try_stage(&stage);
	if (result == -EINVAL) {
		close_stage(&stage);
		SKIP("the system has no abstract names");
	}
	CHECK_OK(result);
	check_works(&stage);
	brink_listener_address(stage.listener, &address);
	CHECK_ERROR(brink_listener_create(&(brink_listener *){NULL}, stage.loop, &stage.options), -EADDRINUSE);
	destroy_listener(&stage);
	start_stage(&stage);
	close_stage(&stage);
}

static void bad_places(enum kind kind)
{
	struct stage stage;
	size_t length;

	(void)kind;
	open_stage(&stage, KIND_UNIX);
	strcpy(stage.text, "unix:/nowhere/at/all");
	CHECK_ERROR(try_stage(&stage), -ENOENT);
	strcpy(stage.text, "unix:/dev/null/x");
	CHECK_ERROR(try_stage(&stage), -ENOTDIR);
	length = strlen("unix:") + sizeof ((struct sockaddr_un *)NULL)->sun_path;
	memset(stage.text + strlen("unix:"), 'x', length - strlen("unix:"));
	stage.text[length] = '\0';
	CHECK_ERROR(try_stage(&stage), -ENAMETOOLONG);
	close_stage(&stage);
}

static const struct scenario scenarios[] = {
	SCENARIO("listener-unix/file-goes-with-it", file_goes_with_it, 0),
	SCENARIO("listener-unix/stale-file", stale_file, 0),
	SCENARIO("listener-unix/live-server", live_server, 0),
	SCENARIO("listener-unix/live-server-with-a-full-queue", live_server_with_a_full_queue, 0),
	SCENARIO("listener-unix/no-socket-at-all", no_socket_at_all, 0),
	SCENARIO("listener-unix/permissions", permissions, 0),
	SCENARIO("listener-unix/name-taken-by-another", name_taken_by_another, 0),
	SCENARIO("listener-unix/forked-child-leaves-it", forked_child_leaves_it, 0),
	SCENARIO("listener-unix/abstract-name", abstract_name, 0),
	SCENARIO("listener-unix/bad-places", bad_places, 0),
	NO_MORE_SCENARIOS,
};
const struct group listener_unix_group = {"listener-unix", scenarios};
