#include "pair.h"

#include <stdlib.h>

bool can_serve(const struct peer *peer)
{
	return peer->serve != NULL;
}

bool can_serve_http(const struct peer *peer)
{
	return peer->serve_http != NULL;
}

/* All servers come before all clients, so that no server has inherited another one's client. */
static int serve_all(struct contender *contenders, size_t count)
{
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++) {
		struct pair *pair = calloc(1, sizeof *pair);

		if (pair == NULL)
			return -1;
		contenders[i].state = pair;
		rc = server_start(&pair->server, &contenders[i], false);
	}
	return rc;
}

int pairs_start(struct contender *contenders, size_t count, const struct settings *settings, unsigned clients)
{
	int rc = serve_all(contenders, count);

	for (size_t i = 0; i < count && rc == 0 && clients > 0; i++) {
		struct pair *pair = contenders[i].state;

		progress("connecting to %s", contenders[i].label);
		pair->clients = generator_create(pair->server.port, clients, settings->size, settings->depth);
		/* The first round trips find nothing warm, and connections that are still being accepted. */
		if (pair->clients == NULL || generator_run(pair->clients, clients, 0) <= 0)
			rc = -1;
	}
	return rc;
}

int pair_add_idlers(struct contender *contender, unsigned count)
{
	struct pair *pair = contender->state;

	progress("%s: %u idle connections", contender->label, count);
	pair->idlers = generator_create(pair->server.port, count, 1, 1);
	return pair->idlers != NULL && generator_run(pair->idlers, count, 0) == (int64_t)count ? 0 : -1;
}

static int pair_end(struct contender *contender)
{
	struct pair *pair = contender->state;
	int rc = 0;

	if (pair == NULL)
		return 0;
	if (pair->server.process > 0)
		rc = server_stop(&pair->server);
	if (rc < 0)
		complain("%s: its server had ended", contender->label);
	generator_destroy(pair->clients);
	generator_destroy(pair->idlers);
	free(pair);
	return rc;
}

int pairs_end(struct contender *contenders, size_t count)
{
	int rc = 0;

	for (size_t i = 0; i < count; i++)
		if (pair_end(&contenders[i]) < 0)
			rc = -1;
	return rc;
}

int slot_of_round_trips(struct contender *contender, const struct settings *settings, double *values)
{
	struct pair *pair = contender->state;
	uint64_t before = server_cpu(&pair->server);
	int64_t trips = generator_run(pair->clients, UINT64_MAX, settings->slot);

	if (trips <= 0)
		return -1;
	values[0] = (double)(server_cpu(&pair->server) - before) / (double)trips;
	return 0;
}
