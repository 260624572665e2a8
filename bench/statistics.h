/* What a list of measurements says: the median, quartiles and a confidence interval. */
#ifndef BENCH_STATISTICS_H
#define BENCH_STATISTICS_H

#include <stddef.h>

struct summary {
	size_t count;
	double median, q1, q3;
	double low, high; /* 95% confidence interval of the median */
	double least, most;
};

/* Sorts `values`, of which there is at least one. */
struct summary summarize(double *values, size_t count);

/* The ratios of the values between slots of a reference: values[i] was measured between
 * reference[i] and reference[i + 1], and is compared with their mean. */
void ratios_to_neighbours(const double *values, size_t count, const double *reference, double *ratios);

#endif
