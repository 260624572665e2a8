/* The machine: what it is, and where on it the two sides of a benchmark run. */
#include "config.h"

#include "bench.h"

#include <brink/version.h>

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

uint64_t nanoseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void pin_to(unsigned side)
{
	cpu_set_t allowed, chosen;
	unsigned place = 0;

	if (sched_getaffinity(0, sizeof allowed, &allowed) < 0 || CPU_COUNT(&allowed) < 2)
		return;
	CPU_ZERO(&chosen);
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && place++ == side)
			CPU_SET(cpu, &chosen);
	sched_setaffinity(0, sizeof chosen, &chosen);
}

void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

bool has_program(const char *name)
{
	char command[64];

	snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", name);
	if (system(command) == 0)
		return true;
	complain("%s is not installed: what it measures is left out", name);
	return false;
}

/* The value of the first line of `path` that begins with `name`. */
static void read_field(const char *path, const char *name, char *value, size_t size)
{
	char line[512];
	FILE *file = fopen(path, "r");

	snprintf(value, size, "unknown");
	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		char *text = strchr(line, ':');

		if (strncmp(line, name, strlen(name)) != 0 || text == NULL)
			continue;
		text[strcspn(text, "\n\"\\")] = '\0';
		snprintf(value, size, "%s", text + 1 + strspn(text + 1, " \t"));
		break;
	}
	if (file != NULL)
		fclose(file);
}

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* What the program was built by. The library is built with the same. */
#ifdef BRINK_DEBUG
#define BUILD COMPILER " " BENCH_CFLAGS " --enable-debug"
#else
#define BUILD COMPILER " " BENCH_CFLAGS
#endif

struct machine {
	struct utsname system;
	char processor[128], load[64];
	long processors;
};

static struct machine machine(void)
{
	struct machine here = {.processors = sysconf(_SC_NPROCESSORS_ONLN)};
	double load[3] = {0};

	uname(&here.system);
	read_field("/proc/cpuinfo", "model name", here.processor, sizeof here.processor);
	if (getloadavg(load, 3) == 3)
		snprintf(here.load, sizeof here.load, "%.2f %.2f %.2f", load[0], load[1], load[2]);
	return here;
}

void describe_machine(FILE *file)
{
	struct machine here = machine();

	fprintf(file, "%s %s %s, %ld processors (%s), load %s; libbrink %s by %s\n", here.system.sysname,
	        here.system.release, here.system.machine, here.processors, here.processor, here.load, brink_version(),
	        BUILD);
}

void describe_machine_json(FILE *file)
{
	struct machine here = machine();

	fprintf(file,
	        "{\"system\": \"%s %s\", \"architecture\": \"%s\", \"processor\": \"%s\", \"processors\": %ld, "
	        "\"load\": \"%s\", \"libbrink\": \"%s\", \"build\": \"%s\"}",
	        here.system.sysname, here.system.release, here.system.machine, here.processor, here.processors,
	        here.load, brink_version(), BUILD);
}
