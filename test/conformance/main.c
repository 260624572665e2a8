/* brink-conformance: shows that libbrink keeps its contract on this system. */
#include "harness.h"

#include <dirent.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct options {
	const char *backends; /* NULL: every one that works */
	const char *match;
	bool list;
};

static const char usage[] =
	"usage: brink-conformance [option ...]\n"
	"  --backend=LIST      names with commas, or all; default: every one that works here\n"
	"  --match=PATTERN     scenarios of this name, or name@kind: 'edge/*', '*@tcp6'\n"
	"  --list              the scenarios, their promises and kinds; runs nothing\n"
	"  --format=text|tap|json\n"
	"  --table             also print what was measured where kernels may differ\n"
	"  --seed=N            of the random scenarios; default: from the clock\n"
	"  --long              more repetitions, and the long scenarios\n"
	"  --deadline=SECONDS  after which a case counts as hung; default: 60, more for checkers\n"
	"  --jobs=N            processes at a time; default: four a processor\n"
	"  --verbose           each case on a line of its own, with its trace\n"
	"The exit status is 0 when nothing failed.\n";

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

static void *must_allocate(void *memory)
{
	if (memory == NULL) {
		fputs("brink-conformance: out of memory\n", stderr);
		exit(2);
	}
	return memory;
}

static _Noreturn void bad_usage(const char *what, const char *value)
{
	fprintf(stderr, "brink-conformance: %s: %s\n%s", what, value, usage);
	exit(2);
}

static uint64_t number(const char *argument, const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 0);

	if (*text == '\0' || *text == '-' || *end != '\0')
		bad_usage("not a number", argument);
	return value;
}

static void set_format(struct plan *plan, const char *name)
{
	static const char *const names[] = {"text", "tap", "json"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(name, names[i]) == 0) {
			plan->format = (enum format)i;
			return;
		}
	}
	bad_usage("unknown format", name);
}

/* The part of `argument` after `name`, or NULL when it is another option. */
static const char *value_of(const char *argument, const char *name)
{
	size_t length = strlen(name);

	return strncmp(argument, name, length) == 0 ? argument + length : NULL;
}

static void read_option(struct plan *plan, struct options *options, const char *argument)
{
	const char *value;

	if ((value = value_of(argument, "--backend=")) != NULL)
		options->backends = value;
	else if ((value = value_of(argument, "--match=")) != NULL)
		options->match = value;
	else if ((value = value_of(argument, "--format=")) != NULL)
		set_format(plan, value);
	else if ((value = value_of(argument, "--seed=")) != NULL)
		plan->seed = number(argument, value);
	else if ((value = value_of(argument, "--jobs=")) != NULL)
		plan->jobs = (unsigned)number(argument, value);
	else if ((value = value_of(argument, "--deadline=")) != NULL)
		plan->deadline = BRINK_SECONDS(number(argument, value));
	else if (strcmp(argument, "--list") == 0)
		options->list = true;
	else if (strcmp(argument, "--table") == 0)
		plan->table = true;
	else if (strcmp(argument, "--long") == 0)
		plan->long_run = true;
	else if (strcmp(argument, "--verbose") == 0)
		plan->verbose = true;
	else if (strcmp(argument, "--help") == 0)
		exit(fputs(usage, stdout) < 0);
	else
		bad_usage("unknown option", argument);
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

static bool all_backends(const char *list)
{
	return list == NULL || strcmp(list, "all") == 0;
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

static void choose_backends(struct plan *plan, const char *list)
{
	size_t count = brink_backends(NULL, 0);
	struct brink_backend_info *infos = must_allocate(calloc(count + 1, sizeof *infos));

	plan->backends = must_allocate(calloc(count + 1, sizeof *plan->backends));
	brink_backends(infos, count);
	if (!all_backends(list))
		check_backend_names(list, infos, count);
	for (size_t i = 0; i < count; i++) {
		struct backend_choice *choice = &plan->backends[plan->backend_count];

		if (!all_backends(list) && !listed(list, infos[i].name))
			continue;
		choice->info = infos[i];
		snprintf(choice->label, sizeof choice->label, "%s%s", infos[i].name,
		         infos[i].features & BRINK_FEATURE_STAND_IN ? " (stand-in)" : "");
		plan->backend_count++;
	}
	free(infos);
}

static const char *tcp6_missing(void)
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
	return pattern == NULL || fnmatch(pattern, scenario->name, 0) == 0 || fnmatch(pattern, name, 0) == 0;
}

static void add_case(struct plan *plan, struct test_case test, const char *pattern, const char *no_tcp6)
{
	if (!matches(pattern, test.scenario, test.kind))
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

static void add_scenario(struct plan *plan, struct test_case test, const char *pattern, const char *no_tcp6)
{
	if (test.scenario->kinds == 0)
		add_case(plan, test, pattern, no_tcp6);
	for (size_t i = 0; i < KIND_COUNT; i++) {
		test.kind = kinds[i].kind;
		if ((test.scenario->kinds & test.kind) != 0)
			add_case(plan, test, pattern, no_tcp6);
	}
}

static void add_cases(struct plan *plan, const char *pattern)
{
	const char *no_tcp6 = tcp6_missing();

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
static void count_refused_backends(struct plan *plan, bool asked_for)
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

static void make_directory(struct plan *plan)
{
	snprintf(plan->directory, sizeof plan->directory, "/tmp/brink-conformance-XXXXXX");
	if (mkdtemp(plan->directory) == NULL) {
		perror("brink-conformance: mkdtemp");
		exit(2);
	}
}

void remove_directory(const struct plan *plan)
{
	DIR *directory = opendir(plan->directory);
	struct dirent *entry;
	char path[400];

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", plan->directory, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	if (directory != NULL)
		closedir(directory);
	rmdir(plan->directory);
}

static void free_plan(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		free(plan->cases[i].reason);
		free(plan->cases[i].output);
		free(plan->cases[i].trace);
		free(plan->cases[i].measures);
	}
	free(plan->cases);
	free(plan->backends);
}

/* Most of a case's time is waiting for nothing to come. */
static unsigned default_jobs(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	return 4 * (processors < 1 ? 1 : processors > 8 ? 8 : (unsigned)processors);
}

/* The stand-in for kqueue(2) shuffles its events by this; nothing else looks at it. */
static void seed_stand_in(uint64_t seed)
{
	char text[32];

	snprintf(text, sizeof text, "%" PRIu64, seed);
	setenv("BRINK_STAND_IN_SEED", text, 0);
}

int main(int argc, char **argv)
{
	struct plan plan = {.seed = (uint64_t)time(NULL)};
	struct options options = {.match = NULL};
	size_t driver_failures;

	for (int i = 1; i < argc; i++)
		read_option(&plan, &options, argv[i]);
	if (options.list) {
		list_scenarios(options.match);
		return 0;
	}
	seed_stand_in(plan.seed);
	if (plan.jobs == 0)
		plan.jobs = default_jobs();
	choose_backends(&plan, options.backends);
	add_cases(&plan, options.match);
	count_refused_backends(&plan, !all_backends(options.backends));
	make_directory(&plan);
	run_until_interrupted();
	report_start(&plan);
	driver_failures = drive(&plan);
	report_end(&plan);
	remove_directory(&plan);
	if (plan.count == 0 && plan.failed == 0)
		fputs("brink-conformance: nothing was run\n", stderr);
	bool good = plan.failed == 0 && driver_failures == 0 && plan.count > 0 && fflush(stdout) == 0;
	free_plan(&plan);
	return good ? 0 : 1;
}
