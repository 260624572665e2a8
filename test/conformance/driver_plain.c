/* The driver for systems without CUnit: a loop. */
#include "harness.h"

const char *driver_name(void)
{
	return "plain";
}

size_t drive(struct plan *plan)
{
	size_t failures = 0;

	for (size_t i = 0; i < plan->count; i++)
		failures += run_case(plan, i) == VERDICT_FAIL;
	return failures;
}
