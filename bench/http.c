/* http: a page over connections that are kept alive, asked for by wrk.
 *
 * wrk does not look at what comes. So before it measures, this program's own clients ask each
 * server, and compare every byte. */
#include "pair.h"

#include <stdlib.h>
#include <string.h>

#define CHECKED 1000u /* requests by our own clients */

static const struct quantity quantities[] = {{"requests", "1/s"}, {"server CPU per request", "ns"}};

struct result {
	uint64_t requests;
	double rate;
	bool failed;
};

/* ---- wrk ---- */

/* A line of what it says; those of failures are there only if there were any. */
static void read_line(const char *line, struct result *result)
{
	char *end;
	uint64_t requests = strtoull(line, &end, 10);

	if (strncmp(end, " requests in ", 13) == 0)
		result->requests = requests;
	else if (strncmp(line, "Requests/sec:", 13) == 0)
		result->rate = strtod(line + 13, NULL);
	else if (strstr(line, "Socket errors:") != NULL || strstr(line, "Non-2xx") != NULL) {
		complain("wrk says:%.*s", (int)strcspn(line, "\n"), line);
		result->failed = true;
	}
}

/* In whole seconds: it knows no others. */
static int run_wrk(unsigned port, const struct settings *settings, struct result *result)
{
	unsigned seconds = (unsigned)settings->slot + (settings->slot > (unsigned)settings->slot);
	char command[128], line[512];
	FILE *output;

	*result = (struct result){0};
	snprintf(command, sizeof command, "exec wrk -t1 -c%u -d%us http://127.0.0.1:%u/", settings->connections, seconds,
	         port);
	output = popen(command, "r");
	if (output == NULL)
		return -1;
	while (fgets(line, sizeof line, output) != NULL)
		read_line(line, result);
	if (pclose(output) != 0 || result->failed || result->requests == 0) {
		complain("%s failed", command + strlen("exec "));
		return -1;
	}
	return 0;
}

/* ---- slots ---- */

static int slot(struct contender *contender, const struct settings *settings, double *values)
{
	struct pair *pair = contender->state;
	uint64_t before = server_cpu(&pair->server);
	struct result result;

	if (run_wrk(pair->server.port, settings, &result) < 0)
		return -1;
	values[0] = result.rate;
	values[1] = (double)(server_cpu(&pair->server) - before) / (double)result.requests;
	return 0;
}

static int check(const struct contender *contender, const struct settings *settings)
{
	const struct pair *pair = contender->state;
	struct generator *clients = generator_create_http(pair->server.port, settings->connections, settings->size);
	uint64_t requests = CHECKED + settings->connections;
	int rc = clients != NULL && generator_run(clients, requests, 0) == (int64_t)requests ? 0 : -1;

	generator_destroy(clients);
	return rc;
}

int bench_http(const struct settings *settings)
{
	struct contender contenders[MOST_CONTENDERS];
	struct plan plan = {settings, quantities, 2, contenders, 0, slot};
	int rc;

	if (!has_program("wrk"))
		return EXIT_FAILURE;
	plan.contender_count = choose_contenders(settings, "evhttp", can_serve_http, contenders);
	pin_to(CLIENT_SIDE);
	report_begin(settings);
	rc = pairs_start(contenders, plan.contender_count, settings, 0);
	for (size_t i = 0; i < plan.contender_count && rc == 0; i++)
		rc = check(&contenders[i], settings);
	if (rc == 0)
		rc = alternate(&plan);
	if (pairs_end(contenders, plan.contender_count) < 0)
		rc = -1;
	return report_end() != 0 || rc < 0;
}
