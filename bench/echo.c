/* echo, bulk, pipeline: the server's CPU time for a round trip. bulk and pipeline are echo with
 * more in flight. */
#include "pair.h"

static const struct quantity quantities[] = {{"server CPU per round trip", "ns"}};

int bench_echo(const struct settings *settings)
{
	struct contender contenders[MOST_CONTENDERS];
	struct plan plan = {settings, quantities, 1, contenders, 0, slot_of_round_trips};
	int rc;

	plan.contender_count = choose_contenders(settings, "epoll", can_serve, contenders);
	pin_to(CLIENT_SIDE);
	report_begin(settings);
	rc = pairs_start(contenders, plan.contender_count, settings, settings->connections);
	if (rc == 0)
		rc = alternate(&plan);
	if (pairs_end(contenders, plan.contender_count) < 0)
		rc = -1;
	return report_end() != 0 || rc < 0;
}
