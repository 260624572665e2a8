#include "faults.h"

#include "cache.h"
#include "scarce.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
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

static const struct scenario *const families[] = {
	socket_scenarios, end_scenarios, executor_scenarios, listener_scenarios, client_scenarios,
	server_scenarios, loop_scenarios, datagram_scenarios, lookup_scenarios, web_scenarios, tls_scenarios,
};

/* ---- the present one ---- */

static const char *backend;
static const char *only = ""; /* scenarios with this in their name */
static char where[FAULT_LIMIT] = "before all";
static int where_length = 10;
static atomic_uint *passed; /* of all processes */

void not_so(const char *file, int line, const char *what)
{
	printf("FAILED %s:%d: not so: %s\n    %s\n", file, line, what, where);
	fflush(stdout);
	_Exit(1);
}

static void on_alarm(int number)
{
	static const char text[] = "FAILED it hangs: ", end[] = "\n";

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

brink_loop *make_roomy_loop(void)
{
	brink_loop *loop;

	return went_well(brink_loop_create(&loop, &(struct brink_loop_options){.backend = backend})) ? loop : NULL;
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

static bool in_valgrind(void)
{
	return getenv("BRINK_TEST_VALGRIND") != NULL;
}

static bool is_slow(void)
{
	return SANITIZED || in_valgrind();
}

/* Under a tool that makes all of it slow, after the first ones only some. */
static unsigned next(unsigned k)
{
	return is_slow() && k > 3 ? 2 * k : next_call(k);
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

/* Valgrind takes as long as all others: of the faults it sees a third, and others with other scenarios. */
static bool is_looked_at(size_t fault, unsigned number)
{
	return !in_valgrind() || fault % 3 == number / 3 % 3;
}

static void with_each_fault(const struct scenario *scenario, unsigned number, unsigned *struck)
{
	where_length = snprintf(where, sizeof where, "%s, on %s", scenario->name, backend);
	alarm(HANGS);
	scenario->run(); /* what is made once stays */
	for (size_t f = 0; f < fault_count; f++) {
		if (!fault_is_of(&faults[f], backend) || !is_looked_at(f, number))
			continue;
		for (unsigned k = 1; once(scenario, &faults[f], k); k = next(k))
			struck[f]++;
	}
	printf("ok  %s, on %s\n", scenario->name, backend);
	fflush(stdout);
	++*passed;
}

static bool can_run(const struct scenario *scenario)
{
	if (strstr(scenario->name, only) == NULL)
		return false;
	/* Valgrind does not let other threads run while one is in io_uring_enter(), and is slow with
	 * processes then. */
	return !scenario->has_others || strcmp(backend, "io_uring") != 0 || !in_valgrind();
}

/* c-ares instead makes calls of its own. */
static bool is_made(const struct fault *fault)
{
	return strcmp(fault->call, "getaddrinfo") != 0 || strcmp(brink_resolver_backend(), "getaddrinfo") == 0;
}

/* Each of them did come, so that calls which the library makes otherwise some day are missed. */
static void all_have_struck(const unsigned *struck)
{
	for (size_t f = 0; f < fault_count; f++) {
		if (struck[f] > 0 || faults[f].socket_only || !is_made(&faults[f]) || !fault_is_of(&faults[f], backend))
			continue;
		where_length = snprintf(where, sizeof where, "on %s, %s never said %s", backend, faults[f].call,
		                        faults[f].name);
		CHECK(struck[f] > 0);
	}
}

/* Under a tool that makes all of it slow each scenario is run on one backend, unless one was asked
 * for: on the next one than the scenario before it. */
static bool is_turn_of(unsigned place, unsigned of, unsigned scenario)
{
	return of == 0 || !is_slow() || scenario % of == place;
}

/* The one at `place` of `of`; 0: it was asked for. */
static void on_backend(const char *name, unsigned place, unsigned of)
{
	unsigned struck[FAULT_LIMIT] = {0};
	unsigned number = 0;
	bool whole = !in_valgrind();

	backend = name;
	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
		for (const struct scenario *scenario = families[i]; scenario->name != NULL; scenario++) {
			if (can_run(scenario) && is_turn_of(place, of, number++))
				with_each_fault(scenario, number, struck);
			else
				whole = false;
		}
	}
	if (whole)
		all_have_struck(struck);
}

/* ---- a process for each backend: all of them wait more than they work ---- */

static void start(const char *name, unsigned place, unsigned of)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid > 0)
		return;
	on_backend(name, place, of);
	exit(0);
}

/* How many of the processes failed. */
static unsigned wait_for_all(void)
{
	unsigned failed = 0;
	int status;

	while (wait(&status) > 0)
		failed += status != 0;
	return failed;
}

int main(int argc, char **argv)
{
	struct brink_backend_info infos[8];
	unsigned works = 0, failed;
	size_t count;

	signal(SIGALRM, on_alarm);
	passed = mmap(NULL, sizeof *passed, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
	CHECK(passed != MAP_FAILED);
	fault_memory();
	brink__cache_keep(false);
	if (argc > 2)
		only = argv[2];
	count = brink_backends(infos, sizeof infos / sizeof infos[0]);
	CHECK(count <= sizeof infos / sizeof infos[0]);
	for (size_t i = 0; argc < 2 && i < count; i++)
		works += infos[i].status == 0;
	for (size_t i = 0, place = 0; i < count; i++)
		if (infos[i].status == 0 && (argc < 2 || strcmp(argv[1], infos[i].name) == 0))
			start(infos[i].name, (unsigned)place++, works);
	failed = wait_for_all();
	if (*passed == 0 && failed == 0)
		fputs("faults: nothing was run\n", stderr);
	printf("%u passed, %u failed\n", *passed, failed);
	return failed > 0 || *passed == 0;
}
