#include "server.h"

#include <brink/error.h>
#include <brink/memory.h>

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The parent's copy is kept for server_stop(). */
static int listen_on_loopback(unsigned *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0) {
		complain("a listener: %s", strerror(errno));
		exit(EXIT_FAILURE);
	}
	*port = ntohs(address.sin_port);
	return fd;
}

static void *counting_allocator(void *memory, size_t size, void *context)
{
	struct allocations *allocations = context;
	int64_t before = (int64_t)(memory != NULL ? malloc_usable_size(memory) : 0);

	if (size == 0) {
		free(memory);
		atomic_fetch_sub(&allocations->bytes, before);
		return NULL;
	}
	memory = realloc(memory, size);
	if (memory != NULL) {
		atomic_fetch_add(&allocations->calls, 1);
		atomic_fetch_add(&allocations->bytes, (int64_t)malloc_usable_size(memory) - before);
	}
	return memory;
}

void count_allocations(struct allocations *allocations)
{
	brink_set_allocator(counting_allocator, allocations);
}

/* exit() would write what is buffered in both processes. */
static _Noreturn void serve(const struct contender *contender, int listener)
{
	const struct peer *peer = contender->peer;
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin_to(SERVER_SIDE);
	if (peer->serve_http != NULL)
		rc = peer->serve_http(listener, contender->backend, contender->page);
	else
		rc = peer->serve(listener, contender->backend);
	complain("%s: its server ended: %s", contender->label, brink_strerror(rc));
	_exit(EXIT_FAILURE);
}

int server_start(struct server *server, const struct contender *contender, bool counted)
{
	server->allocations =
		mmap(NULL, sizeof *server->allocations, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (server->allocations == MAP_FAILED) {
		complain("mmap: %s", strerror(errno));
		exit(EXIT_FAILURE);
	}
	server->listener = listen_on_loopback(&server->port);
	fflush(NULL);
	server->process = server->itself = fork();
	if (server->process == 0) {
		if (counted)
			count_allocations(server->allocations);
		serve(contender, server->listener);
	}
	if (server->process > 0)
		clock_getcpuclockid(server->process, &server->clock);
	return server->process < 0 ? -errno : 0;
}

uint64_t server_cpu(const struct server *server)
{
	struct timespec time = {0};

	clock_gettime(server->clock, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* ---- below valgrind or strace ---- */

static void end_well(int number)
{
	(void)number;
	_exit(EXIT_SUCCESS); /* which makes the tracer write what it has counted */
}

/* brink-bench serve PEER BACKEND PAGE LISTENER PIPE */
int serve_traced(int argc, char **argv)
{
	struct contender contender = {0};
	pid_t itself = getpid();

	if (argc != 7 || (contender.peer = find_peer(argv[2])) == NULL)
		return EXIT_FAILURE;
	contender.backend = strcmp(argv[3], "-") == 0 ? NULL : argv[3];
	contender.page = strtoul(argv[4], NULL, 10);
	snprintf(contender.label, sizeof contender.label, "%s", argv[2]);
	signal(SIGTERM, end_well);
	if (write(atoi(argv[6]), &itself, sizeof itself) != sizeof itself)
		return EXIT_FAILURE;
	close(atoi(argv[6]));
	serve(&contender, atoi(argv[5]));
}

static _Noreturn void run_traced(const struct contender *contender, const char *const *prefix, int listener, int report)
{
	char numbers[3][24], self[4096];
	const char *arguments[32];
	size_t count = 0;
	ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* the tracer's, too */
	self[length < 0 ? 0 : length] = '\0';
	snprintf(numbers[0], sizeof numbers[0], "%zu", contender->page);
	snprintf(numbers[1], sizeof numbers[1], "%d", listener);
	snprintf(numbers[2], sizeof numbers[2], "%d", report);
	while (prefix[count] != NULL) {
		arguments[count] = prefix[count];
		count++;
	}
	arguments[count++] = self;
	arguments[count++] = "serve";
	arguments[count++] = contender->peer->name;
	arguments[count++] = contender->backend != NULL ? contender->backend : "-";
	arguments[count++] = numbers[0];
	arguments[count++] = numbers[1];
	arguments[count++] = numbers[2];
	arguments[count] = NULL;
	execvp(arguments[0], (char *const *)arguments);
	complain("%s: %s", arguments[0], strerror(errno));
	_exit(EXIT_FAILURE);
}

int server_start_traced(struct server *server, const struct contender *contender, const char *const *prefix)
{
	int report[2];

	if (pipe(report) < 0)
		return -errno;
	fflush(NULL);
	server->allocations = NULL;
	server->listener = listen_on_loopback(&server->port);
	server->process = fork();
	if (server->process == 0) {
		close(report[0]);
		run_traced(contender, prefix, server->listener, report[1]);
	}
	close(report[1]);
	if (read(report[0], &server->itself, sizeof server->itself) != sizeof server->itself) {
		waitpid(server->process, NULL, 0);
		server->process = -1;
	}
	close(report[0]);
	return server->process < 0 ? -ECHILD : 0;
}

int server_stop(struct server *server)
{
	bool alone = server->allocations != NULL;
	int status = 0;

	if (alone)
		munmap(server->allocations, sizeof *server->allocations);
	if (waitpid(server->process, &status, WNOHANG) != 0)
		return -1;
	kill(server->itself, alone ? SIGKILL : SIGTERM);
	/* valgrind hands a signal over in a system call that it knows to block, which io_uring_enter(2)
	 * is not: an event makes that return, and another call follow. */
	shutdown(server->listener, SHUT_RDWR);
	close(server->listener);
	/* A tracer has something to write; one that hangs is not waited for. */
	for (int tries = 0; tries < 6000; tries++) {
		if (waitpid(server->process, &status, WNOHANG) != 0)
			return 0;
		usleep(alone ? 100 : 10000);
	}
	kill(server->itself, SIGKILL);
	kill(server->process, SIGKILL);
	waitpid(server->process, &status, 0);
	return -1;
}
