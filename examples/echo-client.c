/* echo-client: drives an echo server with many connections and checks every byte.
 *
 *     echo-client --port N [--backend NAME] [--connections N] [--size BYTES] [--seconds S]
 *
 * Each connection sends a message, waits until all of it has come back, compares, and
 * sends the next. At the end: the round trips, the bytes verified, and the latency of a
 * round trip at the median and at the 99th percentile. */
#include <brink.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATTERN 65536 /* messages are pieces of a pattern, each from another place */

/* Latencies in buckets a 32nd of their size wide: 59 powers of two times 32. */
#define BUCKETS (59 * 32)

struct client {
	brink_loop *loop;
	brink_timer end;
	const char *backend;
	unsigned port, connections;
	size_t size;
	double seconds;
	char *pattern; /* PATTERN bytes, and `size` more of the same */
	struct link *links;
	unsigned live;
	uint64_t round_trips, bytes;
	uint64_t latency[BUCKETS];
	int ending, error;
};

struct link {
	brink_watch watch;
	struct client *client;
	uint64_t started;      /* of the message under way */
	size_t sent, received; /* of it */
	unsigned place;        /* where it starts in the pattern */
};

static void fail(struct client *client, const char *what, int error)
{
	if (client->error == 0)
		fprintf(stderr, "echo-client: %s: %s\n", what, brink_strerror(error));
	client->error = error;
	brink_loop_stop(client->loop);
}

/* ---- latencies ---- */

static unsigned bucket_of(uint64_t ns)
{
	unsigned power = 0;

	while (ns >> power >= 64)
		power++;
	return ns < 32 ? (unsigned)ns : power * 32 + (unsigned)(ns >> power);
}

static double bucket_us(unsigned bucket)
{
	unsigned power = bucket < 64 ? 0 : bucket / 32 - 1;

	return (double)((uint64_t)(bucket - power * 32) << power) / 1e3;
}

static double percentile(const struct client *client, unsigned percent)
{
	uint64_t before = 0, wanted = client->round_trips * percent / 100;

	for (unsigned i = 0; i < BUCKETS; i++) {
		before += client->latency[i];
		if (before > wanted)
			return bucket_us(i);
	}
	return 0;
}

/* ---- one connection ---- */

static void link_end(struct link *link)
{
	brink_watch_close(&link->watch);
	if (--link->client->live == 0)
		brink_loop_stop(link->client->loop);
}

static void begin_message(struct link *link)
{
	brink_loop_update(link->client->loop);
	link->started = brink_loop_now(link->client->loop);
	link->sent = link->received = 0;
	link->place = (link->place * 5 + 4099) % PATTERN;
}

static void finish_message(struct link *link)
{
	struct client *client = link->client;

	brink_loop_update(client->loop);
	client->latency[bucket_of(brink_loop_now(client->loop) - link->started)]++;
	client->round_trips++;
	client->bytes += client->size;
}

static ssize_t send_message(struct link *link)
{
	struct client *client = link->client;
	ssize_t n = 0;

	while (link->sent < client->size) {
		n = brink_watch_write(&link->watch, client->pattern + link->place + link->sent,
		                      client->size - link->sent);
		if (n < 0)
			break;
		link->sent += (size_t)n;
	}
	return n;
}

/* -EAGAIN when it has to wait, 0 or another error when it cannot go on. */
static ssize_t receive_message(struct link *link)
{
	struct client *client = link->client;
	char bytes[16384];
	ssize_t n = 1;

	while (n > 0 && link->received < client->size) {
		size_t left = client->size - link->received;

		n = brink_watch_read(&link->watch, bytes, left < sizeof bytes ? left : sizeof bytes);
		if (n > 0 && memcmp(bytes, client->pattern + link->place + link->received, (size_t)n) != 0)
			return -EBADMSG;
		link->received += n > 0 ? (size_t)n : 0;
	}
	return n;
}

static void on_link(brink_watch *watch, unsigned ready)
{
	struct link *link = brink_container_of(watch, struct link, watch);
	struct client *client = link->client;
	ssize_t n;

	(void)ready;
	for (;;) {
		n = send_message(link);
		if (n >= 0 || n == -EAGAIN)
			n = receive_message(link);
		if (n <= 0)
			break;
		finish_message(link);
		if (client->ending) {
			link_end(link);
			return;
		}
		begin_message(link);
	}
	if (n == 0)
		fail(client, "the server closed the connection", -ECONNRESET);
	else if (n != -EAGAIN)
		fail(client, "a connection", (int)n);
}

static int link_start(struct client *client, struct link *link, unsigned number)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)client->port)};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0), rc;

	if (fd < 0)
		return -errno;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	rc = fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
	if (rc == 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS)
		rc = -errno;
	brink_watch_init(&link->watch, on_link);
	link->client = client;
	link->place = number * 977 % PATTERN;
	begin_message(link);
	/* WRITE: connected, or refused, which the first write then says. */
	if (rc == 0)
		rc = brink_watch_start(client->loop, &link->watch, fd, BRINK_READ | BRINK_WRITE);
	if (rc < 0)
		close(fd);
	else
		client->live++;
	return rc;
}

/* ---- all of them ---- */

/* Messages under way come back first; from a server that does not answer, nothing would. */
static void on_end(brink_timer *timer)
{
	struct client *client = brink_container_of(timer, struct client, end);

	if (client->ending)
		fail(client, "a message did not come back", -ETIMEDOUT);
	client->ending = 1;
}

static int prepare(struct client *client)
{
	client->pattern = malloc(PATTERN + client->size);
	client->links = calloc(client->connections, sizeof *client->links);
	if (client->pattern == NULL || client->links == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < PATTERN + client->size; i++)
		client->pattern[i] = (char)((i * 2654435761u) >> 13);
	return brink_loop_create(&client->loop, &(struct brink_loop_options){.backend = client->backend});
}

static int drive(struct client *client)
{
	int rc = prepare(client);

	for (unsigned i = 0; i < client->connections && rc == 0; i++)
		rc = link_start(client, &client->links[i], i);
	if (rc < 0)
		return rc;
	brink_timer_init(&client->end, on_end);
	brink_timer_start(client->loop, &client->end, (uint64_t)(client->seconds * 1e9), BRINK_SECONDS(60));
	rc = brink_loop_run(client->loop);
	return rc < 0 ? rc : client->error;
}

static void release(struct client *client)
{
	for (unsigned i = 0; client->links != NULL && i < client->connections; i++)
		brink_watch_close(&client->links[i].watch);
	brink_loop_destroy(client->loop);
	free(client->links);
	free(client->pattern);
}

static int parse(struct client *client, int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		const char *name = argv[i], *value = argv[i + 1];

		if (strcmp(name, "--port") == 0)
			client->port = (unsigned)strtoul(value, NULL, 10);
		else if (strcmp(name, "--backend") == 0)
			client->backend = value;
		else if (strcmp(name, "--connections") == 0)
			client->connections = (unsigned)strtoul(value, NULL, 10);
		else if (strcmp(name, "--size") == 0)
			client->size = strtoul(value, NULL, 10);
		else if (strcmp(name, "--seconds") == 0)
			client->seconds = strtod(value, NULL);
		else
			return -1;
	}
	return argc % 2 == 1 && client->port > 0 && client->port < 65536 && client->connections > 0 &&
	                       client->connections < 1000000 && client->size > 0 && client->size < 1 << 28 &&
	                       client->seconds > 0 && client->seconds < 1e6
	               ? 0
	               : -1;
}

int main(int argc, char **argv)
{
	struct client client = {.connections = 50, .size = 64, .seconds = 3};
	int rc;

	if (parse(&client, argc, argv) < 0) {
		fprintf(stderr, "usage: echo-client --port N [--backend NAME] [--connections N] [--size BYTES]"
		                " [--seconds S]\n");
		return EXIT_FAILURE;
	}
	rc = drive(&client);
	if (rc == 0)
		printf("round_trips %" PRIu64 " bytes %" PRIu64 " p50_us %.1f p99_us %.1f\n", client.round_trips,
		       client.bytes, percentile(&client, 50), percentile(&client, 99));
	else if (client.error == 0)
		fprintf(stderr, "echo-client: %s\n", brink_strerror(rc));
	release(&client);
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
