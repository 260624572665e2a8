/* The CUnit driver: a suite for each backend and group, a test for each case. The only
 * file that knows of CUnit. Its registry holds the order and the verdict; what is printed
 * is report.c's, since a case has more to tell than CUnit's listeners pass on. */
#include "harness.h"

#include <CUnit/CUnit.h>
#include <CUnit/TestDB.h>
#include <CUnit/TestRun.h>
#include <stdio.h>
#include <stdlib.h>

/* CUnit's functions take no argument, so they find their case here, by the test that runs. */
static struct plan *running;
static CU_pTest *tests; /* by index of the case */

const char *driver_name(void)
{
	return "CUnit " CU_VERSION;
}

static void run_current(void)
{
	CU_pTest current = CU_get_current_test();
	static size_t index; /* of the last one found: they run in order */

	for (size_t i = 0; i < running->count && tests[index] != current; i++)
		index = (index + 1) % running->count;
	enum verdict verdict = run_case(running, index);
	CU_assertImplementation(verdict != VERDICT_FAIL, __LINE__,
	                        running->cases[index].reason != NULL ? running->cases[index].reason : "",
	                        running->cases[index].scenario->name, "", CU_FALSE);
}

static bool same_suite(const struct test_case *a, const struct test_case *b)
{
	return a->group == b->group && a->backend == b->backend;
}

static CU_ErrorCode register_cases(void)
{
	CU_pSuite suite = NULL;
	char name[128];

	for (size_t i = 0; i < running->count; i++) {
		const struct test_case *test = &running->cases[i];

		if (i == 0 || !same_suite(test, test - 1)) {
			snprintf(name, sizeof name, "%s %s", test->backend->info.name, test->group->name);
			suite = CU_add_suite(name, NULL, NULL);
		}
		snprintf(name, sizeof name, "%s@%s", test->scenario->name, kind_name(test->kind));
		if (suite == NULL || (tests[i] = CU_add_test(suite, name, run_current)) == NULL ||
		    CU_get_error() != CUE_SUCCESS) /* two of one name, for example */
			return CU_get_error() != CUE_SUCCESS ? CU_get_error() : CUE_NOMEMORY;
	}
	return CUE_SUCCESS;
}

size_t drive(struct plan *plan)
{
	size_t failures = 0;
	CU_ErrorCode error;

	running = plan;
	tests = calloc(plan->count + 1, sizeof *tests);
	if (tests == NULL || CU_initialize_registry() != CUE_SUCCESS) {
		free(tests);
		fputs("brink-conformance: out of memory\n", stderr);
		return 1;
	}
	error = register_cases();
	if (error == CUE_SUCCESS)
		error = CU_run_all_tests();
	if (error != CUE_SUCCESS) {
		fprintf(stderr, "brink-conformance: CUnit: %s\n", CU_get_error_msg());
		failures++;
	}
	failures += CU_get_number_of_failures() + CU_get_number_of_suites_failed();
	if (CU_get_number_of_tests_run() != plan->count)
		failures++;
	CU_cleanup_registry();
	free(tests);
	return failures;
}
