/* connect: accept and close, with one message between. */
#include "pair.h"

static const struct quantity quantities[] = {{"server CPU per connection", "ns"}};

static int slot(struct contender *contender, const struct settings *settings, double *values)
{
	struct pair *pair = contender->state;
	uint64_t before = server_cpu(&pair->server);
	int64_t connections = churn(pair->server.port, settings->connections, settings->size, settings->slot);

	if (connections <= 0)
		return -1;
	values[0] = (double)(server_cpu(&pair->server) - before) / (double)connections;
	return 0;
}

int bench_connect(const struct settings *settings)
{
	struct contender contenders[MOST_CONTENDERS];
	struct plan plan = {settings, quantities, 1, contenders, 0, slot};
	int rc;

	plan.contender_count = choose_contenders(settings, "epoll", can_serve, contenders);
	pin_to(CLIENT_SIDE);
	report_begin(settings);
	rc = pairs_start(contenders, plan.contender_count, settings, 0);
	if (rc == 0)
		rc = alternate(&plan);
	if (pairs_end(contenders, plan.contender_count) < 0)
		rc = -1;
	return report_end() != 0 || rc < 0;
}
