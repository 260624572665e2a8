/* idle: what many silent connections cost those that are busy. Each peer is its own reference:
 * two servers of it, of which one has the silent ones beside the same busy ones. */
#include "pair.h"

#include <sys/resource.h>

static const struct quantity quantities[] = {{"server CPU per round trip", "ns"}};

static bool has_room_for(unsigned connections)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= connections + 200)
		return true;
	complain("%u connections need more descriptors than are allowed (ulimit -n)", connections);
	return false;
}

static int measure(const struct settings *settings, const struct contender *contender)
{
	struct contender both[2] = {*contender, *contender};
	struct plan plan = {settings, quantities, 1, both, 2, slot_of_round_trips};
	int rc;

	snprintf(both[0].label, sizeof both[0].label, "%.24s, none idle", contender->label);
	snprintf(both[1].label, sizeof both[1].label, "%.24s, %u idle", contender->label, settings->idle);
	rc = pairs_start(both, 2, settings, settings->connections);
	if (rc == 0)
		rc = pair_add_idlers(&both[1], settings->idle);
	if (rc == 0)
		rc = alternate(&plan);
	if (pairs_end(both, 2) < 0)
		rc = -1;
	return rc;
}

int bench_idle(const struct settings *settings)
{
	struct contender contenders[MOST_CONTENDERS];
	size_t count = choose_contenders(settings, "epoll", can_serve, contenders);
	int rc = has_room_for(settings->idle + settings->connections) ? 0 : -1;

	pin_to(CLIENT_SIDE);
	report_begin(settings);
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = measure(settings, &contenders[i]);
	return report_end() != 0 || rc < 0;
}
