/* brink-conformance: shows that libbrink keeps its contract on this system. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Those that are run unless others are asked for. A program may be built to have only some. */
#ifndef DEFAULT_BACKENDS
#define DEFAULT_BACKENDS "all"
#endif

#define REHEARSED_MOST 16

struct options {
	const char *backends;
	const char *match;
	const char *rehearsed[REHEARSED_MOST];
	size_t rehearsed_count;
	bool list;
};

static const char usage[] =
	"usage: brink-conformance [option ...]\n"
	"  --backend=LIST      names with commas, or all: those that work here; default: " DEFAULT_BACKENDS "\n"
	"                      of a list after '!' all others that work here: '!poll'\n"
	"  --match=PATTERN     scenarios of this name, or name@kind: 'edge/*', '*@tcp6'\n"
	"                      of a pattern after '!' all others: '!*@tcp6'\n"
	"  --one-kind          each scenario on one of its kinds alone, which the seed draws; as with\n"
	"                      BRINK_ONE_KIND in the environment\n"
	"  --list              the scenarios, their promises and kinds; runs nothing\n"
	"  --format=text|tap|json\n"
	"  --table             also print what was measured where kernels may differ\n"
	"  --seed=N            of the random scenarios; default: from the clock\n"
	"  --long              more repetitions, and the long scenarios\n"
	"  --deadline=SECONDS  after which a case counts as hung; default: 60, more for checkers\n"
	"  --completions=on|off|tiny   of io_uring; tiny: with one buffer, and two entries in each queue\n"
	"  --rehearse=PATTERN  runs these beforehand in the program itself: then its processes inherit what\n"
	"                      a checker has translated of it; may be given several times\n"
	"  --jobs=N            processes at a time; default: four a processor\n"
	"  --verbose           each case on a line of its own, with its trace\n"
	"The exit status is 0 when nothing failed.\n";

_Noreturn void bad_usage(const char *what, const char *value)
{
	fprintf(stderr, "brink-conformance: %s: %s\n%s", what, value, usage);
	exit(2);
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

static void set_completions(const char *how)
{
	const char *wish = strcmp(how, "off") == 0 ? "off" : strcmp(how, "tiny") == 0 ? "1" : "";

	if (wish[0] == '\0' && strcmp(how, "on") != 0)
		bad_usage("completions are on, off or tiny", how);
	setenv("BRINK_COMPLETIONS", wish, 1);
	tiny_rings = strcmp(how, "tiny") == 0;
}

static void add_rehearsed(struct options *options, const char *pattern)
{
	if (options->rehearsed_count == REHEARSED_MOST)
		bad_usage("too many to rehearse", pattern);
	options->rehearsed[options->rehearsed_count++] = pattern;
}

/* Of two only one would be heeded, and nobody would see which. */
static void set_once(const char **option, const char *argument, const char *value)
{
	if (*option != NULL)
		bad_usage("given twice", argument);
	*option = value;
}

static void read_option(struct plan *plan, struct options *options, const char *argument)
{
	const char *value;

	if ((value = option_value(argument, "--backend=")) != NULL)
		set_once(&options->backends, argument, value);
	else if ((value = option_value(argument, "--match=")) != NULL)
		set_once(&options->match, argument, value);
	else if ((value = option_value(argument, "--format=")) != NULL)
		set_format(plan, value);
	else if ((value = option_value(argument, "--rehearse=")) != NULL)
		add_rehearsed(options, value);
	else if ((value = option_value(argument, "--seed=")) != NULL)
		plan->seed = option_number(argument, value);
	else if ((value = option_value(argument, "--completions=")) != NULL)
		set_completions(value);
	else if ((value = option_value(argument, "--jobs=")) != NULL)
		plan->jobs = (unsigned)option_number(argument, value);
	else if ((value = option_value(argument, "--deadline=")) != NULL)
		plan->deadline = BRINK_SECONDS(option_number(argument, value));
	else if (strcmp(argument, "--list") == 0)
		options->list = true;
	else if (strcmp(argument, "--one-kind") == 0)
		plan->one_kind = true;
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

static void rehearse_some(const struct plan *plan, const struct options *options)
{
	struct plan some = *plan;

	for (size_t i = 0; i < options->rehearsed_count; i++)
		add_cases(&some, options->rehearsed[i]);
	rehearse(&some);
	free_cases(&some);
}

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value != NULL && *value != '\0';
}

int main(int argc, char **argv)
{
	struct plan plan = {.seed = (uint64_t)time(NULL), .one_kind = is_set("BRINK_ONE_KIND")};
	struct options options = {.backends = NULL};
	size_t driver_failures;

	for (int i = 1; i < argc; i++)
		read_option(&plan, &options, argv[i]);
	if (options.backends == NULL)
		options.backends = DEFAULT_BACKENDS;
	if (options.list) {
		list_scenarios(options.match);
		return 0;
	}
	seed_stand_in(plan.seed);
	if (plan.jobs == 0)
		plan.jobs = default_jobs();
	choose_backends(&plan, options.backends);
	count_refused_backends(&plan, !whatever_works(options.backends));
	make_directory(&plan);
	rehearse_some(&plan, &options);
	add_cases(&plan, options.match);
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
