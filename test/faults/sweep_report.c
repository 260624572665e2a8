#include "sweep.h"

#include <stdio.h>

static void print_case(const struct plan *plan, const struct test_case *test, const char *word)
{
	const struct strike *strike = test->strike;

	printf("%s: %s %s@%s", word, test->backend->label, test->scenario->name, kind_name(test->kind));
	if (strike->fault != NULL)
		printf(", %s says %s at call %u", strike->fault->call, strike->fault->name, strike->k);
	printf(", %llu ms\n", (unsigned long long)(test->took / 1000000u));
	if (test->reason != NULL)
		printf("    %s\n", test->reason);
	if (test->verdict != VERDICT_FAIL)
		return;
	printf("    again: socket-conformance-faulty --backend=%s --match='%s@%s' --seed=%llu",
	       test->backend->info.name, test->scenario->name, kind_name(test->kind), (unsigned long long)plan->seed);
	if (strike->fault != NULL)
		printf(" --fault='%s/%s' --k=%u", strike->fault->call, strike->fault->name, strike->k);
	putchar('\n');
	if (test->output != NULL && test->output[0] != '\0')
		printf("%s\n", test->output);
}

void report_case(const struct plan *plan, size_t index)
{
	static const char *const words[] = {"none", "ok", "FAILED", "skip", "otherwise"};
	const struct test_case *test = &plan->cases[index];

	if (test->verdict == VERDICT_FAIL || plan->verbose)
		print_case(plan, test, words[test->verdict]);
	fflush(stdout);
}
