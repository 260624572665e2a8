/* brink-bench: what libbrink and its peers cost, on the same work. */
#include "bench.h"

#include <brink/backend.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct subcommand {
	const char *name;
	int (*run)(const struct settings *settings);
	const char *about;
	struct settings usual; /* 0: that of all, below */
};

static const struct settings usual = {.connections = 50, .size = 64, .depth = 1, .rounds = 15, .slot = .3, .threads = 4,
                                      .idle = 10000, .timers = 1000000};

static const struct subcommand subcommands[] = {
	{"echo", bench_echo, "messages that come back, one in flight on each connection", {0}},
	{"bulk", bench_echo, "the same with 16 messages of 4 KiB in flight", {.size = 4096, .depth = 16}},
	{"pipeline", bench_echo, "the same with 16 messages of 64 B in flight", {.depth = 16}},
	{"idle", bench_idle, "echo beside 10,000 silent connections, and without them", {0}},
	{"connect", bench_connect, "connections that come, send a message, get it back and go", {0}},
	{"http", bench_http, "a page of 64 bytes over HTTP, asked for by wrk (slots of 1 s)", {.slot = 1}},
	{"timers", bench_timers, "a million timers: start, stop, move, expire (of 6 slots, unless said)", {.rounds = 6}},
	{"wakeup", bench_wakeup, "a wakeup of a loop that one is pending for", {0}},
	{"tasks", bench_tasks, "jobs posted to a loop by 1, 2 and 4 threads", {0}},
	{"writers", bench_writers, "threads (--threads) that write requests of 64 bytes to one connection", {0}},
	{"latency", bench_writers, "one thread that writes such a request each 100 us", {0}},
	{"counts", bench_counts, "what is the same on a busy machine: instructions, system calls, allocations, bytes", {0}},
};
#define SUBCOMMANDS (sizeof subcommands / sizeof subcommands[0])

static void list_peers(FILE *file)
{
	fprintf(file, "\npeers (those that configure found):\n");
	for (size_t i = 0; all_peers[i] != NULL; i++)
		fprintf(file, "  %-14s %s\n", all_peers[i]->name, all_peers[i]->about);
}

static void help(FILE *file)
{
	fprintf(file, "brink-bench SUBCOMMAND [OPTION...]\n\n"
	              "Gives libbrink and its peers the same work, in short slots that alternate with a\n"
	              "reference's, and shows each quantity's median and quartiles, and the ratio to the\n"
	              "reference's slots before and after. The peer's server has a process and a processor to\n"
	              "itself. It is an error when a byte is wrong or missing, or when nothing was measured.\n\n");
	for (size_t i = 0; i < SUBCOMMANDS; i++)
		fprintf(file, "  %-10s %s\n", subcommands[i].name, subcommands[i].about);
	fprintf(file, "\noptions:\n"
	              "  --backend=LIST      libbrink's backends, by commas; all that work here, unless said\n"
	              "  --peers=LIST        which peers; all, unless said. The reference is always run\n"
	              "  --connections=N     %u, unless said\n"
	              "  --size=BYTES        of a message, or a page; %zu\n"
	              "  --depth=N           messages that each connection keeps in flight; %u\n"
	              "  --rounds=N|tiny     slots of each peer; %u. tiny: the shortest run that checks everything\n"
	              "  --slot=SECONDS      how long a slot is; %g\n"
	              "  --threads=N         that write, 64 at most; %u\n"
	              "  --idle=N            idle connections; %u\n"
	              "  --timers=N          %u\n"
	              "  --json=FILE         the results for programs, too (-: on standard output)\n"
	              "  --list              only lists the peers\n"
	              "Some subcommands have other values, which they name.\n",
	        usual.connections, usual.size, usual.depth, usual.rounds, usual.slot, usual.threads, usual.idle, usual.timers);
	list_peers(file);
}

static const struct subcommand *find(const char *name)
{
	for (size_t i = 0; i < SUBCOMMANDS; i++)
		if (strcmp(subcommands[i].name, name) == 0)
			return &subcommands[i];
	return NULL;
}

static struct settings settings_of(const struct subcommand *subcommand)
{
	const struct settings *own = &subcommand->usual;
	struct settings settings = usual;

	settings.benchmark = subcommand->name;
	settings.size = own->size != 0 ? own->size : usual.size;
	settings.depth = own->depth != 0 ? own->depth : usual.depth;
	settings.connections = own->connections != 0 ? own->connections : usual.connections;
	settings.rounds = own->rounds != 0 ? own->rounds : usual.rounds;
	settings.slot = own->slot > 0 ? own->slot : usual.slot;
	return settings;
}

static bool parse_number(const char *value, unsigned *number, unsigned most)
{
	char *end;
	unsigned long long parsed = strtoull(value, &end, 10);

	*number = (unsigned)parsed;
	return *value >= '0' && *value <= '9' && *end == '\0' && parsed > 0 && parsed <= most;
}

static bool parse_slot(const char *value, double *slot)
{
	char *end;

	*slot = strtod(value, &end);
	return end != value && *end == '\0' && *slot > 0 && *slot <= 60;
}

static void make_tiny(struct settings *settings)
{
	settings->tiny = true;
	settings->rounds = 1;
	settings->slot = .01;
	settings->idle = 100;
	settings->timers = 1000;
}

static bool parse_option(struct settings *settings, const char *name, size_t length, const char *value)
{
	unsigned size = 0;
	bool right = true;

#define IS(text) (length == sizeof(text) - 1 && strncmp(name, text, length) == 0)
	if (IS("--backend"))
		settings->backends = value;
	else if (IS("--peers"))
		settings->peers = value;
	else if (IS("--json"))
		settings->json = value;
	else if (IS("--connections"))
		right = parse_number(value, &settings->connections, 100000);
	else if (IS("--depth"))
		right = parse_number(value, &settings->depth, 100000);
	else if (IS("--threads"))
		right = parse_number(value, &settings->threads, 64);
	else if (IS("--idle"))
		right = parse_number(value, &settings->idle, 100000);
	else if (IS("--timers"))
		right = parse_number(value, &settings->timers, 10000000);
	else if (IS("--slot"))
		right = parse_slot(value, &settings->slot);
	else if (IS("--rounds") && strcmp(value, "tiny") == 0)
		make_tiny(settings);
	else if (IS("--rounds"))
		right = parse_number(value, &settings->rounds, 1000);
	else if (IS("--size") && (right = parse_number(value, &size, 1u << 28)))
		settings->size = size;
	else
		right = false;
#undef IS
	return right;
}

int main(int argc, char **argv)
{
	const struct subcommand *subcommand;
	struct settings settings;

	if (argc > 1 && strcmp(argv[1], "serve") == 0)
		return serve_traced(argc, argv);
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "--list") == 0)) {
		(strcmp(argv[1], "--help") == 0 ? help : list_peers)(stdout);
		return EXIT_SUCCESS;
	}
	subcommand = argc > 1 ? find(argv[1]) : NULL;
	if (subcommand == NULL) {
		help(stderr);
		return EXIT_FAILURE;
	}
	settings = settings_of(subcommand);
	for (int i = 2; i < argc; i++) {
		size_t length = strcspn(argv[i], "=");

		if (argv[i][length] == '=' && parse_option(&settings, argv[i], length, argv[i] + length + 1))
			continue;
		complain("%s is no option, or has no such value (brink-bench --help)", argv[i]);
		return EXIT_FAILURE;
	}
	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	return subcommand->run(&settings);
}
