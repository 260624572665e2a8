/* Slots that alternate. A busy or throttled machine is slower for a while, and then for all:
 * what is compared was measured within a second. Each round is
 *
 *     reference, A, reference, B, reference, C ... reference
 *
 * and the ratio of B in this round is its value over the mean of the two references next to
 * it. The reference is compared with itself, too: each of its slots but the first and last of a
 * round with its neighbours'. What that says beside 1 is noise. */
#include "bench.h"

#include <stdlib.h>

struct samples {
	double *values;     /* [contender][quantity][round] */
	double *references; /* [quantity][round x places + place] */
	size_t places;      /* slots of the reference in a round */
};

static double *value_of(const struct plan *plan, const struct samples *samples, size_t contender, size_t quantity)
{
	return samples->values + (contender * plan->quantity_count + quantity) * plan->settings->rounds;
}

static double *reference_of(const struct plan *plan, const struct samples *samples, size_t quantity)
{
	return samples->references + quantity * plan->settings->rounds * samples->places;
}

static int run_slot(const struct plan *plan, size_t contender, unsigned round, double *values)
{
	struct contender *who = &plan->contenders[contender];
	int rc;

	progress("%s: round %u of %u, %s", plan->settings->benchmark, round + 1, plan->settings->rounds, who->label);
	rc = plan->slot(who, plan->settings, values);
	if (rc < 0 && !who->peer->has_backends) {
		/* Not ours to mend, and no reason to lose what a quarter of an hour has measured. */
		complain("%s: the slot is measured once more", who->label);
		rc = plan->slot(who, plan->settings, values);
	}
	for (size_t i = 0; i < plan->quantity_count && rc == 0; i++) {
		if (values[i] > 0)
			continue;
		complain("%s: nothing was measured: %s is %g", who->label, plan->quantities[i].name, values[i]);
		rc = -1;
	}
	return rc;
}

static int run_reference(const struct plan *plan, struct samples *samples, unsigned round, size_t place)
{
	double values[MOST_QUANTITIES] = {0};
	int rc = run_slot(plan, 0, round, values);

	for (size_t i = 0; i < plan->quantity_count; i++)
		reference_of(plan, samples, i)[round * samples->places + place] = values[i];
	return rc;
}

static int run_round(const struct plan *plan, struct samples *samples, unsigned round)
{
	int rc = run_reference(plan, samples, round, 0);

	for (size_t contender = 1; contender < plan->contender_count && rc == 0; contender++) {
		double values[MOST_QUANTITIES] = {0};

		rc = run_slot(plan, contender, round, values);
		for (size_t i = 0; i < plan->quantity_count; i++)
			value_of(plan, samples, contender, i)[round] = values[i];
		if (rc == 0)
			rc = run_reference(plan, samples, round, contender);
	}
	return rc;
}

/* Of a contender in every round: the slots of the reference before and after it are at
 * `contender` - 1 and `contender`. */
static void report_contender(const struct plan *plan, struct samples *samples, size_t contender, size_t quantity,
                             double *ratios)
{
	unsigned rounds = plan->settings->rounds;
	double *values = value_of(plan, samples, contender, quantity);
	struct summary of_values, of_ratios;

	for (unsigned round = 0; round < rounds; round++)
		ratios_to_neighbours(values + round, 1,
		                     reference_of(plan, samples, quantity) + round * samples->places + contender - 1,
		                     ratios + round);
	of_values = summarize(values, rounds);
	of_ratios = summarize(ratios, rounds);
	report_row(plan->contenders[contender].label, &plan->quantities[quantity], &of_values, &of_ratios);
}

static void report_reference(const struct plan *plan, struct samples *samples, size_t quantity, double *ratios)
{
	double *values = reference_of(plan, samples, quantity);
	size_t count = plan->settings->rounds * samples->places, compared = 0;
	struct summary of_values, of_ratios;

	for (size_t i = 1; i + 1 < count; i++)
		ratios[compared++] = values[i] / ((values[i - 1] + values[i + 1]) / 2);
	if (compared > 0)
		of_ratios = summarize(ratios, compared);
	of_values = summarize(values, count);
	report_row(plan->contenders[0].label, &plan->quantities[quantity], &of_values, compared > 0 ? &of_ratios : NULL);
}

static void report_all(const struct plan *plan, struct samples *samples, double *ratios)
{
	for (size_t quantity = 0; quantity < plan->quantity_count; quantity++) {
		for (size_t contender = 1; contender < plan->contender_count; contender++)
			report_contender(plan, samples, contender, quantity, ratios);
		report_reference(plan, samples, quantity, ratios);
	}
}

int alternate(const struct plan *plan)
{
	struct samples samples = {.places = plan->contender_count};
	size_t slots = plan->settings->rounds * plan->contender_count;
	double *ratios = calloc(slots, sizeof *ratios);
	int rc = 0;

	samples.values = calloc(slots * plan->quantity_count, sizeof *samples.values);
	samples.references = calloc(slots * plan->quantity_count, sizeof *samples.references);
	if (ratios == NULL || samples.values == NULL || samples.references == NULL)
		abort();
	for (unsigned round = 0; round < plan->settings->rounds && rc == 0; round++)
		rc = run_round(plan, &samples, round);
	if (rc == 0)
		report_all(plan, &samples, ratios);
	free(samples.references);
	free(samples.values);
	free(ratios);
	return rc;
}
