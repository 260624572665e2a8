/* The statistics of the benchmarks, against values worked out by hand and from a table. */
#include "../../bench/statistics.h"

#include "check.h"

#include <math.h>

static int equal(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

static void test_quartiles(void)
{
	double one[] = {7}, odd[] = {5, 1, 4, 2, 3}, even[] = {40, 10, 30, 20};
	struct summary summary = summarize(one, 1);

	CHECK(equal(summary.median, 7) && equal(summary.q1, 7) && equal(summary.q3, 7) && equal(summary.low, 7) &&
	      equal(summary.high, 7) && summary.count == 1);
	summary = summarize(odd, 5);
	CHECK(equal(summary.median, 3) && equal(summary.q1, 2) && equal(summary.q3, 4) && equal(summary.least, 1) &&
	      equal(summary.most, 5));
	summary = summarize(even, 4);
	CHECK(equal(summary.median, 25) && equal(summary.q1, 17.5) && equal(summary.q3, 32.5));
	passed("median and quartiles");
}

/* Tables of the sign test give the places (from 1): 6 values: 1, 6; 10: 2, 9; 15: 4, 12;
 * 20: 6, 15; 50: 18, 33. */
static void test_interval(void)
{
	static const unsigned places[][3] = {
		{3, 1, 3}, {5, 1, 5}, {6, 1, 6}, {8, 1, 8}, {9, 2, 8}, {10, 2, 9}, {15, 4, 12}, {20, 6, 15}, {50, 18, 33}};
	double values[50];

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		struct summary summary;

		for (unsigned k = 0; k < places[i][0]; k++)
			values[k] = places[i][0] - k;
		summary = summarize(values, places[i][0]);
		CHECK(equal(summary.low, places[i][1]));
		CHECK(equal(summary.high, places[i][2]));
	}
	passed("the confidence interval of the median");
}

static void test_ratios(void)
{
	double reference[] = {10, 20, 10, 30}, values[] = {15, 30, 10}, ratios[3];

	ratios_to_neighbours(values, 3, reference, ratios);
	CHECK(equal(ratios[0], 1) && equal(ratios[1], 2) && equal(ratios[2], .5));
	passed("ratios to the slots before and after");
}

int main(void)
{
	test_quartiles();
	test_interval();
	test_ratios();
	return finish();
}
