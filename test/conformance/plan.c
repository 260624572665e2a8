/* Which cases there are: scenarios, backends and kinds; and what else all of them share. */
#include "harness.h"

#include <dirent.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct {
	enum kind kind;
	const char *name;
} kinds[] = {
	{KIND_TCP, "tcp"}, {KIND_TCP6, "tcp6"}, {KIND_UNIX, "unix"}, {KIND_PIPE, "pipe"}, {KIND_UDP, "udp"},
};
#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

const char *kind_name(enum kind kind)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (kinds[i].kind == kind)
			return kinds[i].name;
	return "-";
}

size_t promises_text(const struct scenario *scenario, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof scenario->promises && scenario->promises[i] != 0 && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, i == 0 ? "%u" : ",%u", scenario->promises[i]);
	return used;
}

void *must_allocate(void *memory)
{
	if (memory == NULL) {
		fputs("brink-conformance: out of memory\n", stderr);
		exit(2);
	}
	return memory;
}

uint64_t option_number(const char *argument, const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 0);

	if (*text == '\0' || *text == '-' || *end != '\0')
		bad_usage("not a number", argument);
	return value;
}

const char *option_value(const char *argument, const char *name)
{
	size_t length = strlen(name);

	return strncmp(argument, name, length) == 0 ? argument + length : NULL;
}

/* Whether `name` is in the list with commas. */
static bool listed(const char *list, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = list; at != NULL; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, name, length) == 0 && (at[length] == '\0' || at[length] == ','))
			return true;
	}
	return false;
}

bool whatever_works(const char *list)
{
	return list == NULL || strcmp(list, "all") == 0 || *list == '!';
}

static bool chosen(const char *list, const char *name)
{
	if (!whatever_works(list))
		return listed(list, name);
	return list == NULL || *list != '!' || !listed(list + 1, name);
}

static void check_backend_names(const char *list, const struct brink_backend_info *infos, size_t count)
{
	char name[32];

	for (const char *at = list; *at != '\0'; at += strcspn(at, ",")) {
		bool known = false;

		at += *at == ',';
		snprintf(name, sizeof name, "%.*s", (int)strcspn(at, ","), at);
		for (size_t i = 0; i < count; i++)
			known = known || strcmp(infos[i].name, name) == 0;
		if (!known)
			bad_usage("no such backend is compiled in", name);
	}
}

void choose_backends(struct plan *plan, const char *list)
{
	size_t count = brink_backends(NULL, 0);
	struct brink_backend_info *infos = must_allocate(calloc(count + 1, sizeof *infos));

	plan->backends = must_allocate(calloc(count + 1, sizeof *plan->backends));
	brink_backends(infos, count);
	if (!whatever_works(list))
		check_backend_names(list, infos, count);
	for (size_t i = 0; i < count; i++) {
		struct backend_choice *choice = &plan->backends[plan->backend_count];

		if (!chosen(list, infos[i].name))
			continue;
		choice->info = infos[i];
		snprintf(choice->label, sizeof choice->label, "%s%s", infos[i].name,
		         infos[i].features & BRINK_FEATURE_STAND_IN ? " (stand-in)" : "");
		plan->backend_count++;
	}
	free(infos);
}

const char *ipv6_missing(void)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool there = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;

	if (fd >= 0)
		close(fd);
	return there ? NULL : "this system has no IPv6 loopback address";
}

static const char *exception_for(const struct scenario *scenario, const char *backend, enum kind kind)
{
	for (size_t i = 0; i < sizeof scenario->except / sizeof scenario->except[0]; i++) {
		const struct exception *except = &scenario->except[i];

		if (except->why == NULL)
			break;
		if ((except->backend == NULL || strcmp(except->backend, backend) == 0) &&
		    (except->kinds == 0 || (except->kinds & kind) != 0))
			return except->why;
	}
	return NULL;
}

static bool matches(const char *pattern, const struct scenario *scenario, enum kind kind)
{
	char name[128];

	snprintf(name, sizeof name, "%s@%s", scenario->name, kind_name(kind));
	return fnmatch(pattern, scenario->name, 0) == 0 || fnmatch(pattern, name, 0) == 0;
}

bool is_wanted(const char *pattern, const struct scenario *scenario, enum kind kind)
{
	if (pattern != NULL && *pattern == '!')
		return !matches(pattern + 1, scenario, kind);
	return pattern == NULL || matches(pattern, scenario, kind);
}

static void add_case(struct plan *plan, struct test_case test, const char *pattern, const char *no_tcp6)
{
	if (!is_wanted(pattern, test.scenario, test.kind))
		return;
	if ((test.scenario->flags & LONG_RUN) != 0 && !plan->long_run)
		return;
	test.skip = exception_for(test.scenario, test.backend->info.name, test.kind);
	if (test.skip == NULL && test.kind == KIND_TCP6)
		test.skip = no_tcp6;
	if ((plan->count & (plan->count - 1)) == 0)
		plan->cases = must_allocate(
			realloc(plan->cases, (plan->count ? 2 * plan->count : 1) * sizeof *plan->cases));
	plan->cases[plan->count++] = test;
}

/* The same one on all backends, since what is seen on them is compared. */
static unsigned drawn_kind(uint64_t seed, const struct scenario *scenario, unsigned wanted)
{
	uint64_t hash = seed;
	unsigned left = 0;

	for (const char *at = scenario->name; *at != '\0'; at++)
		hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211); /* FNV-1a */
	for (unsigned rest = wanted; rest != 0; rest &= rest - 1)
		left++;
	for (left = left > 0 ? (unsigned)(hash >> 32) % left : 0; left > 0; left--)
		wanted &= wanted - 1;
	return wanted & -wanted;
}

static void add_scenario(struct plan *plan, struct test_case test, const char *pattern, const char *no_tcp6)
{
	unsigned wanted = 0;

	if (test.scenario->kinds == 0)
		add_case(plan, test, pattern, no_tcp6);
	for (size_t i = 0; i < KIND_COUNT; i++)
		if ((test.scenario->kinds & kinds[i].kind) != 0 && is_wanted(pattern, test.scenario, kinds[i].kind))
			wanted |= kinds[i].kind;
	if (plan->one_kind)
		wanted = drawn_kind(plan->seed, test.scenario, wanted);
	for (size_t i = 0; i < KIND_COUNT; i++) {
		test.kind = kinds[i].kind;
		if ((wanted & test.kind) != 0)
			add_case(plan, test, pattern, no_tcp6);
	}
}

void add_cases(struct plan *plan, const char *pattern)
{
	const char *no_tcp6 = ipv6_missing();

	for (size_t b = 0; b < plan->backend_count; b++) {
		if (plan->backends[b].info.status != 0)
			continue;
		for (size_t g = 0; g < group_count; g++)
			for (const struct scenario *s = groups[g]->scenarios; s->name != NULL; s++)
				add_scenario(plan,
				             (struct test_case){.group = groups[g],
				                                .scenario = s,
				                                .backend = &plan->backends[b]},
				             pattern, no_tcp6);
	}
}

/* A backend that does not work here is a skip; one that was asked for by name, a failure. */
void count_refused_backends(struct plan *plan, bool asked_for)
{
	for (size_t b = 0; b < plan->backend_count; b++) {
		if (plan->backends[b].info.status == 0)
			continue;
		if (asked_for)
			plan->failed++;
		else
			plan->skipped++;
	}
}

void make_directory(struct plan *plan)
{
	snprintf(plan->directory, sizeof plan->directory, "/tmp/brink-conformance-XXXXXX");
	if (mkdtemp(plan->directory) == NULL) {
		perror("brink-conformance: mkdtemp");
		exit(2);
	}
}

static void remove_files(const struct plan *plan, const char *prefix)
{
	DIR *directory = opendir(plan->directory);
	struct dirent *entry;
	char path[400];

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", plan->directory, entry->d_name);
		if (entry->d_name[0] != '.' && strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
			unlink(path);
	}
	if (directory != NULL)
		closedir(directory);
}

void remove_files_of(const struct plan *plan, pid_t pid)
{
	char prefix[32];

	snprintf(prefix, sizeof prefix, "%ld.", (long)pid);
	remove_files(plan, prefix);
}

void remove_directory(const struct plan *plan)
{
	remove_files(plan, "");
	rmdir(plan->directory);
}

void free_cases(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		free(plan->cases[i].reason);
		free(plan->cases[i].output);
		free(plan->cases[i].trace);
		free(plan->cases[i].measures);
	}
	free(plan->cases);
	plan->cases = NULL;
	plan->count = plan->next = 0;
}

void free_plan(struct plan *plan)
{
	free_cases(plan);
	free(plan->backends);
}

/* Most of a case's time is waiting for nothing to come. */
unsigned default_jobs(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	return 4 * (processors < 1 ? 1 : processors > 8 ? 8 : (unsigned)processors);
}

/* The stand-in for kqueue(2) shuffles its events by this; nothing else looks at it. */
void seed_stand_in(uint64_t seed)
{
	char text[32];

	snprintf(text, sizeof text, "%" PRIu64, seed);
	setenv("BRINK_STAND_IN_SEED", text, 0);
}
