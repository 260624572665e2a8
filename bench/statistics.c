#include "statistics.h"

#include <stdlib.h>

static int by_value(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

/* Between the two values next to it, as a spreadsheet's QUARTILE does. */
static double quantile(const double *sorted, size_t count, double part)
{
	double place = part * (double)(count - 1);
	size_t below = (size_t)place;

	if (below + 1 >= count)
		return sorted[count - 1];
	return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

/* How many values at either end are outside of the interval. The true median is above each
 * value with probability 1/2, so the number of values below it is binomial, B: the interval from
 * the k-th value to the k-th from the end misses the median with probability 2 P(B < k), and k
 * is the largest for which that is 5% at most. It supposes nothing of how the values are
 * spread. With fewer than 6 values even the whole range is less than 95% sure. */
static size_t interval_cut(size_t count)
{
	double term = 1, sum = 0;
	size_t k = 0;

	for (size_t i = 0; i < count; i++)
		term /= 2; /* P(B = 0) */
	while (k < count / 2 && 2 * (sum + term) <= 0.05) {
		sum += term;
		term *= (double)(count - k) / (double)(k + 1);
		k++;
	}
	return k > 0 ? k - 1 : 0;
}

struct summary summarize(double *values, size_t count)
{
	struct summary summary = {.count = count};
	size_t cut = interval_cut(count);

	qsort(values, count, sizeof *values, by_value);
	summary.median = quantile(values, count, .5);
	summary.q1 = quantile(values, count, .25);
	summary.q3 = quantile(values, count, .75);
	summary.low = values[cut];
	summary.high = values[count - 1 - cut];
	summary.least = values[0];
	summary.most = values[count - 1];
	return summary;
}

void ratios_to_neighbours(const double *values, size_t count, const double *reference, double *ratios)
{
	for (size_t i = 0; i < count; i++)
		ratios[i] = values[i] / ((reference[i] + reference[i + 1]) / 2);
}
