/* lookup: the addresses of hosts, all of them looked up at the same time.
 *
 *     lookup [--family 4|6] [--timeout SECONDS] [--servers ADDRESS,...] HOST...
 *
 * Prints a line "HOST ADDRESS" for each address, in the order in which a client should try them;
 * hosts come in the order of their answers. The status is 1 if a host has none. */
#include <brink.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct host {
	brink_lookup lookup;
	const char *name;
};

static int status;

/* "[::1]:0" without what only a port needs. */
static void print(const char *host, const struct brink_address *address)
{
	char text[BRINK_ADDRESS_TEXT];
	const char *begin = text;
	int length = brink_address_format(address, text, sizeof text);

	if (length < 0)
		return;
	length -= 2;
	if (*begin == '[') {
		begin++;
		length -= 2;
	}
	printf("%s %.*s\n", host, length, begin);
}

static void fail(const char *host, int error)
{
	fprintf(stderr, "lookup: %s: %s\n", host, brink_strerror(error));
	status = 1;
}

static void on_lookup(brink_lookup *lookup, int error)
{
	struct host *host = brink_container_of(lookup, struct host, lookup);

	if (error < 0)
		fail(host->name, error);
	for (unsigned i = 0; i < lookup->count; i++)
		print(host->name, &lookup->addresses[i]);
}

static void start(brink_resolver *resolver, struct host *host, int family)
{
	char name[300];
	int result;

	host->lookup.call = on_lookup;
	host->lookup.family = family;
	snprintf(name, sizeof name, strchr(host->name, ':') != NULL ? "[%s]:0" : "%s:0", host->name);
	result = brink_lookup_start(resolver, &host->lookup, name);
	if (result < 0)
		fail(host->name, result);
}

static int usage(void)
{
	fprintf(stderr, "usage: lookup [--family 4|6] [--timeout SECONDS] [--servers ADDRESS,...] HOST...\n");
	return 2;
}

static int look_up(brink_loop *loop, const struct brink_resolver_options *options, int family, int count, char **names)
{
	struct host *hosts = calloc((size_t)count, sizeof *hosts);
	brink_resolver *resolver = NULL;
	int result = hosts != NULL ? brink_resolver_create(&resolver, loop, options) : -ENOMEM;

	for (int i = 0; i < count && result == 0; i++) {
		hosts[i].name = names[i];
		start(resolver, &hosts[i], family);
	}
	if (result == 0)
		result = brink_loop_run(loop); /* until the last lookup has ended */
	brink_resolver_destroy(resolver);
	free(hosts);
	return result;
}

int main(int argc, char **argv)
{
	struct brink_resolver_options options = {.waiting = (size_t)argc};
	brink_loop *loop = NULL;
	int family = 0, at = 1, result;

	for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
		if (strcmp(argv[at], "--family") == 0 && strcmp(argv[at + 1], "4") == 0)
			family = AF_INET;
		else if (strcmp(argv[at], "--family") == 0 && strcmp(argv[at + 1], "6") == 0)
			family = AF_INET6;
		else if (strcmp(argv[at], "--timeout") == 0)
			options.timeout = (uint64_t)(strtod(argv[at + 1], NULL) * 1e9);
		else if (strcmp(argv[at], "--servers") == 0)
			options.servers = argv[at + 1];
		else
			return usage();
	}
	if (at >= argc || argv[at][0] == '-')
		return usage();
	result = brink_loop_create(&loop, NULL);
	if (result == 0)
		result = look_up(loop, &options, family, argc - at, argv + at);
	brink_loop_destroy(loop);
	if (result < 0)
		fprintf(stderr, "lookup: %s\n", brink_strerror(result));
	return result < 0 ? 1 : status;
}
