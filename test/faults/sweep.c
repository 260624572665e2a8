#include "sweep.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHUNK 256u /* cases that are counted, and then run with faults */
#define THIN 8u

struct options {
	const char *backends, *match, *fault;
	unsigned k;    /* 0: all, or some */
	unsigned runs; /* with faults, for each case that is drawn */
	bool thin;     /* only one in THIN of those */
	bool every; /* case, and not one of each scenario */
	bool all;   /* faults and calls of them */
};

static const char usage[] =
	"usage: socket-conformance-faulty [option ...]\n"
	"  --backend=LIST      names with commas, or all; default: every one that works here\n"
	"  --match=PATTERN     scenarios of this name, or name@kind: 'http/*', '*@tcp6'\n"
	"                      of a pattern after '!' all others: '!*@tcp6'\n"
	"  --fault=PATTERN     calls and their errors: 'memory/*', 'epoll_ctl*', '*/EINTR'\n"
	"  --k=N               the N-th such call fails; else, one that is drawn\n"
	"  --long              every backend and kind of each scenario, and not one of them\n"
	"  --all               these with every fault at every call, which takes a day\n"
	"  --runs=N            with faults, of each; default: 3, or 1 in builds for checkers,\n"
	"                        and there, without any option, of one scenario in eight\n"
	"  --seed=N            of what is drawn; default: from the clock\n"
	"  --deadline=SECONDS  after which a case counts as hung\n"
	"  --jobs=N            processes at a time; default: four a processor\n"
	"  --verbose           each case, and not only those that fail\n"
	"The exit status is 0 when nothing failed.\n";

_Noreturn void bad_usage(const char *what, const char *value)
{
	fprintf(stderr, "socket-conformance-faulty: %s: %s\n%s", what, value, usage);
	exit(2);
}

static void read_option(struct plan *plan, struct options *options, const char *argument)
{
	const char *value;

	if ((value = option_value(argument, "--backend=")) != NULL)
		options->backends = value;
	else if ((value = option_value(argument, "--match=")) != NULL)
		options->match = value;
	else if ((value = option_value(argument, "--fault=")) != NULL)
		options->fault = value;
	else if ((value = option_value(argument, "--k=")) != NULL)
		options->k = (unsigned)option_number(argument, value);
	else if ((value = option_value(argument, "--runs=")) != NULL)
		options->runs = (unsigned)option_number(argument, value);
	else if ((value = option_value(argument, "--seed=")) != NULL)
		plan->seed = option_number(argument, value);
	else if ((value = option_value(argument, "--jobs=")) != NULL)
		plan->jobs = (unsigned)option_number(argument, value);
	else if ((value = option_value(argument, "--deadline=")) != NULL)
		plan->deadline = BRINK_SECONDS(option_number(argument, value));
	else if (strcmp(argument, "--long") == 0)
		options->every = true;
	else if (strcmp(argument, "--all") == 0)
		options->all = options->every = true;
	else if (strcmp(argument, "--verbose") == 0)
		plan->verbose = true;
	else if (strcmp(argument, "--help") == 0)
		exit(fputs(usage, stdout) < 0);
	else
		bad_usage("unknown option", argument);
}

/* ---- lists of cases ---- */

static void add(struct plan *plan, struct test_case test, const struct strike *strike)
{
	struct strike *copy = must_allocate(malloc(sizeof *copy));

	*copy = *strike;
	if ((plan->count & (plan->count - 1)) == 0)
		plan->cases = must_allocate(
			realloc(plan->cases, (plan->count ? 2 * plan->count : 1) * sizeof *plan->cases));
	plan->cases[plan->count++] = (struct test_case){.group = test.group, .scenario = test.scenario,
		.backend = test.backend, .kind = test.kind, .skip = test.skip, .strike = copy};
}

static const struct strike counting = {.fault = NULL};

static void run(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		run_case(plan, i);
}

static void forget(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		free((void *)(uintptr_t)plan->cases[i].strike);
	free_cases(plan);
}

/* ---- which ones fail ---- */

static bool is_tried(const struct options *options, const struct fault *fault, const struct test_case *test)
{
	char name[80];

	snprintf(name, sizeof name, "%s/%s", fault->call, fault->name);
	return fault_is_of(fault, test->backend->info.name) &&
	       (options->fault == NULL || fnmatch(options->fault, name, 0) == 0);
}

static unsigned some_call(unsigned calls)
{
	unsigned most = random_below(2) == 0 ? calls : 1 + random_below(calls);

	return 1 + random_below(most);
}

static void add_all(struct plan *plan, const struct options *options, const struct test_case *test)
{
	for (size_t i = 0; i < fault_count; i++) {
		if (!is_tried(options, &faults[i], test))
			continue;
		for (unsigned k = 1; k <= counted_calls(test, i); k = next_call(k))
			add(plan, *test, &(struct strike){&faults[i], k});
	}
}

static void add_some(struct plan *plan, const struct options *options, const struct test_case *test)
{
	size_t wanted[FAULT_LIMIT], count = 0;

	for (size_t i = 0; i < fault_count; i++)
		if (is_tried(options, &faults[i], test) && counted_calls(test, i) > 0)
			wanted[count++] = i;
	for (unsigned run = 0; run < options->runs && count > 0; run++) {
		size_t fault = wanted[random_below((unsigned)count)];

		add(plan, *test, &(struct strike){&faults[fault], some_call(counted_calls(test, fault))});
	}
}

/* Some cases without a fault, which must pass, and then with them. */
static void sweep(struct plan *plan, struct plan *counted, const struct options *options)
{
	run(counted);
	for (size_t i = 0; i < counted->count; i++) {
		if (counted->cases[i].verdict != VERDICT_PASS)
			continue;
		if (options->all)
			add_all(plan, options, &counted->cases[i]);
		else
			add_some(plan, options, &counted->cases[i]);
	}
	run(plan);
	plan->failed += counted->failed;
	plan->skipped += counted->skipped;
	counted->failed = counted->skipped = 0;
	forget(counted);
	forget(plan);
}

static void at_one_call(struct plan *plan, const struct plan *whole, const struct options *options)
{
	for (size_t i = 0; i < whole->count; i++)
		for (size_t f = 0; f < fault_count; f++)
			if (is_tried(options, &faults[f], &whole->cases[i]))
				add(plan, whole->cases[i], &(struct strike){&faults[f], options->k});
	run(plan);
	forget(plan);
}

/* ---- which cases ---- */

static bool is_drawn(const struct plan *drawn, const struct scenario *scenario)
{
	for (size_t i = 0; i < drawn->count; i++)
		if (drawn->cases[i].scenario == scenario)
			return true;
	return false;
}

/* One for each scenario, on some backend and of some kind. */
static void draw_cases(struct plan *drawn, const struct plan *whole)
{
	for (size_t i = 0; i < whole->count; i++) {
		const struct scenario *scenario = whole->cases[i].scenario;
		const struct test_case *one = NULL;
		unsigned others = 0;

		if (is_drawn(drawn, scenario))
			continue;
		for (size_t j = i; j < whole->count; j++)
			if (whole->cases[j].scenario == scenario && whole->cases[j].skip == NULL &&
			    random_below(++others) == 0)
				one = &whole->cases[j];
		if (one != NULL)
			add(drawn, *one, &counting);
	}
}

static void sweep_all(struct plan *plan, struct plan *drawn, const struct options *options)
{
	struct plan counted = *plan;

	for (size_t i = 0; i < drawn->count; i++) {
		if (drawn->cases[i].skip != NULL || (options->thin && random_below(THIN) != 0))
			continue;
		add(&counted, drawn->cases[i], &counting);
		if (counted.count == CHUNK)
			sweep(plan, &counted, options);
	}
	sweep(plan, &counted, options);
}

static void play(struct plan *plan, struct plan *whole, const struct options *options)
{
	struct plan drawn = {.count = 0};

	if (options->k != 0) {
		at_one_call(plan, whole, options);
	} else if (options->every) {
		sweep_all(plan, whole, options);
	} else {
		draw_cases(&drawn, whole);
		sweep_all(plan, &drawn, options);
		forget(&drawn);
	}
}

int main(int argc, char **argv)
{
	struct plan plan = {.seed = (uint64_t)time(NULL), .conditions = &faulty_world}, whole = {.count = 0};
	struct options options = {.runs = slow_build() ? 1 : 3, .thin = slow_build() && argc == 1};

	for (int i = 1; i < argc; i++)
		read_option(&plan, &options, argv[i]);
	random_from(plan.seed);
	seed_stand_in(plan.seed);
	if (plan.jobs == 0)
		plan.jobs = default_jobs();
	choose_backends(&plan, options.backends);
	whole.backends = plan.backends;
	whole.backend_count = plan.backend_count;
	add_cases(&whole, options.match);
	count_refused_backends(&plan, !whatever_works(options.backends));
	make_directory(&plan);
	run_until_interrupted();
	printf("seed %" PRIu64 "\n", plan.seed);
	play(&plan, &whole, &options);
	printf("%zu passed, %zu failed, %zu skipped\n", plan.passed, plan.failed, plan.skipped);
	remove_directory(&plan);
	if (plan.passed == 0 && plan.failed == 0)
		fputs("socket-conformance-faulty: nothing was run\n", stderr);
	free_cases(&whole);
	free_plan(&plan);
	return plan.failed == 0 && plan.passed > 0 && fflush(stdout) == 0 ? 0 : 1;
}
