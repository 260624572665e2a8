/* counts: what a round trip, or a request over HTTP, costs in quantities that a busy machine does
 * not change.
 *
 * Instructions in user space (valgrind's callgrind) and system calls (strace) are the difference of
 * two runs of the server, divided by that of their round trips, so that starting, connecting and
 * stopping do not count. Allocations are counted by the library's allocator hook, between two
 * moments when nothing was on its way. Bytes of an object are the mean over a second thousand
 * of them, so that what is kept for the next use is there already. */
#include "pair.h"

#include <brink/loop.h>
#include <brink/timer.h>

#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Round trips of the shorter and the longer run. */
struct lengths {
	uint64_t few, many;
};

static const struct lengths tiny_lengths = {100, 500};

static const struct quantity instructions = {"user instructions per round trip", "instructions"};
static const struct quantity calls = {"system calls per round trip", "calls"};
static const struct quantity allocations = {"allocations per round trip", "allocations"};
static const struct quantity http_instructions = {"user instructions per request", "instructions"};
static const struct quantity http_calls = {"system calls per request", "calls"};
static const struct quantity http_allocations = {"allocations per request", "allocations"};
static const struct quantity connection_bytes = {"idle connection", "bytes"};
static const struct quantity timer_bytes = {"timer", "bytes"};

static bool is_brink(const struct contender *contender)
{
	return contender->peer->has_backends;
}

static bool can_be_counted(const struct peer *peer)
{
	return can_serve(peer) || can_serve_http(peer);
}

static struct generator *clients_of(const struct server *server, const struct contender *contender,
                                    const struct settings *settings)
{
	if (can_serve_http(contender->peer))
		return generator_create_http(server->port, settings->connections, settings->size);
	return generator_create(server->port, settings->connections, settings->size, settings->depth);
}

static void report_one(const char *label, const struct quantity *quantity, double value)
{
	struct summary summary = summarize(&value, 1);

	report_row(label, quantity, &summary, NULL);
}

/* ---- below a tracer ---- */

struct tracer {
	const char *name;
	const struct quantity *quantity, *of_http;
	const char *mark; /* the line of its output that has the total ... */
	int word;         /* ... as which word */
	const char *const *arguments;
	struct lengths lengths;
};

#define OUT_OPTION "--callgrind-out-file="
static char out_option[128]; /* OUT_OPTION and the path */
static const char *output = out_option + sizeof OUT_OPTION - 1;

static const char *const callgrind_arguments[] = {
	"valgrind", "-q", "--log-file=/dev/null", "--tool=callgrind", out_option, NULL};
static const char *const strace_arguments[] = {
	"strace", "-f", "-c", "-qq", "-U", "calls,name", "-o", out_option + sizeof OUT_OPTION - 1, NULL};

static const struct tracer callgrind = {
	"valgrind", &instructions, &http_instructions, "totals:", 1, callgrind_arguments, {2000, 12000}};
static const struct tracer strace = {"strace", &calls, &http_calls, "total", 0, strace_arguments, {500, 6500}};

/* Word `word` of the only line that has `mark` as a word. */
static int64_t read_total(const struct tracer *tracer)
{
	char line[4096];
	int64_t total = -1;
	FILE *file = fopen(output, "r");

	while (file != NULL && total < 0 && fgets(line, sizeof line, file) != NULL) {
		char *words[2] = {NULL, NULL};

		words[0] = strtok(line, " \n");
		words[1] = strtok(NULL, " \n");
		if (words[1] != NULL && strcmp(words[1 - tracer->word], tracer->mark) == 0)
			total = strtoll(words[tracer->word], NULL, 10);
	}
	if (file != NULL)
		fclose(file);
	unlink(output);
	return total;
}

/* What the tracer counted in a run of `trips` round trips, or -1. */
static int64_t trace(const struct tracer *tracer, const struct contender *contender, const struct settings *settings,
                     uint64_t trips)
{
	struct server server;
	struct generator *clients;
	int64_t done = -1;

	progress("%s, %s: %" PRIu64 " round trips on %u connections", contender->label, tracer->name, trips,
	         settings->connections);
	if (server_start_traced(&server, contender, tracer->arguments) < 0)
		return -1;
	clients = clients_of(&server, contender, settings);
	if (clients != NULL)
		done = generator_run(clients, trips, 0);
	if (server_stop(&server) < 0)
		done = -1;
	generator_destroy(clients);
	return done == (int64_t)trips ? read_total(tracer) : -1;
}

static int count_traced(const struct tracer *tracer, const struct contender *contender,
                        const struct settings *settings, const char *label)
{
	const struct lengths *lengths = settings->tiny ? &tiny_lengths : &tracer->lengths;
	int64_t first = trace(tracer, contender, settings, lengths->few);
	int64_t second = first < 0 ? -1 : trace(tracer, contender, settings, lengths->many);

	if (second <= first) {
		complain("%s: %s counted nothing", label, tracer->name);
		return -1;
	}
	report_one(label, can_serve_http(contender->peer) ? tracer->of_http : tracer->quantity,
	           (double)(second - first) / (double)(lengths->many - lengths->few));
	return 0;
}

/* ---- by the allocator hook ---- */

static int count_allocated(const struct contender *contender, const struct settings *settings, const char *label)
{
	struct server server;
	struct generator *clients;
	uint64_t before;
	int64_t trips = -1;

	if (server_start(&server, contender, true) < 0)
		return -1;
	clients = clients_of(&server, contender, settings);
	if (clients != NULL && generator_run(clients, 20000, 0) > 0) {
		before = atomic_load(&server.allocations->calls);
		trips = generator_run(clients, 20000, 0);
		if (before == 0)
			trips = -1; /* not even the loop? Then nothing is counted */
		if (trips > 0)
			report_one(label, can_serve_http(contender->peer) ? &http_allocations : &allocations,
			           (double)(atomic_load(&server.allocations->calls) - before) / (double)trips);
	}
	generator_destroy(clients);
	if (server_stop(&server) < 0 || trips <= 0) {
		complain("%s: no allocation was counted", label);
		return -1;
	}
	return 0;
}

/* Memory for each of a second thousand of connections that have been served: the library's, and that of
 * its object where this is in the program's memory. */
static int count_idle(const struct contender *contender)
{
	const struct settings thousand = {.connections = 1000, .size = 64, .depth = 1};
	struct generator *clients[2] = {NULL, NULL};
	struct server server;
	int64_t bytes[2] = {0, 0};
	int rc = server_start(&server, contender, true);

	if (rc < 0)
		return rc;
	for (int i = 0; i < 2 && rc == 0; i++) {
		clients[i] = clients_of(&server, contender, &thousand);
		rc = clients[i] != NULL && generator_run(clients[i], 3000, 0) > 0 ? 0 : -1;
		bytes[i] = atomic_load(&server.allocations->bytes);
	}
	generator_destroy(clients[0]);
	generator_destroy(clients[1]);
	if (server_stop(&server) < 0 || rc < 0 || bytes[1] <= bytes[0]) {
		complain("%s: no memory was counted", contender->label);
		return -1;
	}
	report_one(contender->label, &connection_bytes,
	           (double)(bytes[1] - bytes[0]) / 1000 + (double)contender->peer->object_bytes);
	return 0;
}

static void on_timer(brink_timer *timer)
{
	(void)timer;
}

static int count_timer(void)
{
	static struct allocations counted;
	static brink_timer timers[2000];
	brink_loop *loop;
	int64_t before = 0;
	int rc;

	count_allocations(&counted);
	rc = brink_loop_create(&loop, NULL);
	for (unsigned i = 0; i < 2000 && rc == 0; i++) {
		if (i == 1000)
			before = atomic_load(&counted.bytes);
		brink_timer_init(&timers[i], on_timer);
		rc = brink_timer_start(loop, &timers[i], BRINK_MS(1 + i * 7919 % 10000), 0);
	}
	if (rc == 0)
		report_one("brink-timer", &timer_bytes,
		           (double)(atomic_load(&counted.bytes) - before) / 1000 + (double)sizeof(brink_timer));
	brink_loop_destroy(loop);
	return rc;
}

/* ---- all of them ---- */

static int count_round_trips(const struct contender *contender, const struct settings *settings, bool traced[2])
{
	char label[80];
	int rc = 0;

	snprintf(label, sizeof label, "%s, %u", contender->label, settings->connections);
	if (traced[0])
		rc = count_traced(&callgrind, contender, settings, label);
	if (rc == 0 && traced[1])
		rc = count_traced(&strace, contender, settings, label);
	if (rc == 0 && is_brink(contender))
		rc = count_allocated(contender, settings, label);
	return rc;
}

/* How many messages a server finds in one turn must not depend on the machine's load. On one
 * processor, and neither interrupted by the other's wakeup, the clients send all that they have
 * to send, and then the server answers all. */
static void take_turns(void)
{
	pin_to(SERVER_SIDE);
	sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
}

int bench_counts(const struct settings *settings)
{
	struct contender contenders[MOST_CONTENDERS];
	size_t count = choose_contenders(settings, NULL, can_be_counted, contenders);
	bool traced[2] = {has_program(callgrind.name), has_program(strace.name)};
	struct settings single = *settings;
	int rc = 0;

	single.connections = 1;
	take_turns();
	snprintf(out_option, sizeof out_option, OUT_OPTION "/tmp/brink-bench.%ld", (long)getpid());
	report_begin(settings);
	for (size_t i = 0; i < count && rc == 0; i++) {
		rc = count_round_trips(&contenders[i], &single, traced);
		if (rc == 0 && settings->connections != 1)
			rc = count_round_trips(&contenders[i], settings, traced);
		if (rc == 0 && is_brink(&contenders[i]))
			rc = count_idle(&contenders[i]);
	}
	if (rc == 0)
		rc = count_timer();
	return report_end() != 0 || rc < 0;
}
