/* echo, bulk, pipeline: the server's CPU time for a round trip. bulk and pipeline are echo with
 * more in flight. */
#include "generator.h"
#include "server.h"

#include <stdlib.h>

static const struct quantity quantities[] = {{"server CPU per round trip", "ns"}};

struct pair {
	struct server server;
	struct generator *clients;
};

static bool can_serve(const struct peer *peer)
{
	return peer->serve != NULL;
}

/* All servers come before all clients, so that no server has inherited another one's client. */
static int serve_all(const struct plan *plan)
{
	int rc = 0;

	for (size_t i = 0; i < plan->contender_count && rc == 0; i++) {
		struct pair *pair = calloc(1, sizeof *pair);

		if (pair == NULL)
			return -1;
		plan->contenders[i].state = pair;
		rc = server_start(&pair->server, &plan->contenders[i], false);
	}
	return rc;
}

static int connect_all(const struct plan *plan)
{
	const struct settings *settings = plan->settings;

	for (size_t i = 0; i < plan->contender_count; i++) {
		struct pair *pair = plan->contenders[i].state;

		progress("connecting to %s", plan->contenders[i].label);
		pair->clients = generator_create(pair->server.port, settings->connections, settings->size, settings->depth);
		/* The first round trips find nothing warm, and connections that are still being accepted. */
		if (pair->clients == NULL || generator_run(pair->clients, settings->connections, 0) <= 0)
			return -1;
	}
	return 0;
}

static int pair_end(struct contender *contender)
{
	struct pair *pair = contender->state;
	int rc;

	if (pair == NULL)
		return 0;
	generator_destroy(pair->clients);
	rc = pair->server.process > 0 ? server_stop(&pair->server) : 0;
	free(pair);
	if (rc < 0)
		complain("%s: its server had ended", contender->label);
	return rc;
}

static int slot(struct contender *contender, const struct settings *settings, double *values)
{
	struct pair *pair = contender->state;
	uint64_t before = server_cpu(&pair->server);
	int64_t trips = generator_run(pair->clients, UINT64_MAX, settings->slot);

	if (trips <= 0)
		return -1;
	values[0] = (double)(server_cpu(&pair->server) - before) / (double)trips;
	return 0;
}

int bench_echo(const struct settings *settings)
{
	struct contender contenders[MOST_CONTENDERS];
	struct plan plan = {settings, quantities, 1, contenders, 0, slot};
	int rc;

	plan.contender_count = choose_contenders(settings, "epoll", can_serve, contenders);
	pin_to(CLIENT_SIDE);
	report_begin(settings);
	rc = serve_all(&plan);
	if (rc == 0)
		rc = connect_all(&plan);
	if (rc == 0)
		rc = alternate(&plan);
	for (size_t i = 0; i < plan.contender_count; i++)
		if (pair_end(&contenders[i]) < 0)
			rc = -1;
	return report_end() != 0 || rc < 0;
}
