/* echo-server: sends back whatever comes, to any number of clients, on one loop.
 *
 *     echo-server [--backend NAME] [--port N]     (port 0, the default: any free one)
 *     echo-server --list                          (the backends that work here)
 *
 * Stops on SIGINT or SIGTERM, which reach the loop as callbacks, and then says what the
 * loop has done. */
#include <brink.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUDGET 16 /* reads of one peer in a row, before the others have their turn */

struct server {
	brink_loop *loop;
	brink_watch listener;
	brink_timer retry; /* accepting again after the descriptors ran out */
	brink_signal signals[2];
	struct peer *peers;
	uint64_t accepted, bytes;
	int stopped_by;
};

struct peer {
	brink_watch watch;
	struct server *server;
	struct peer *next, **link; /* in the server's list */
	size_t size, sent;         /* of the bytes that are to go back */
	char bytes[16384];
};

static void peer_end(struct peer *peer)
{
	*peer->link = peer->next;
	if (peer->next != NULL)
		peer->next->link = peer->link;
	brink_watch_close(&peer->watch);
	free(peer); /* at once, even in its own callback */
}

/* 1: all is sent. Otherwise there is no room (-EAGAIN: the watch is called when there
 * is some), or the connection is gone. */
static ssize_t peer_flush(struct peer *peer)
{
	while (peer->sent < peer->size) {
		ssize_t n = brink_watch_write(&peer->watch, peer->bytes + peer->sent, peer->size - peer->sent);

		if (n < 0)
			return n;
		peer->sent += (size_t)n;
	}
	return 1;
}

/* Called for room as well as for data. Nothing is read before what was read is sent, so
 * a peer that does not read is not read from either. */
static void on_peer(brink_watch *watch, unsigned ready)
{
	struct peer *peer = brink_container_of(watch, struct peer, watch);
	ssize_t n = 0;

	(void)ready;
	for (int reads = 0; reads < BUDGET; reads++) {
		n = peer_flush(peer);
		if (n > 0)
			n = brink_watch_read(watch, peer->bytes, sizeof peer->bytes);
		if (n <= 0)
			break;
		peer->size = (size_t)n;
		peer->sent = 0;
		peer->server->bytes += (uint64_t)n;
	}
	if (n > 0)
		brink_watch_again(watch, BRINK_READ);
	else if (n != -EAGAIN)
		peer_end(peer);
}

static void greet(struct server *server, int fd)
{
	struct peer *peer = malloc(sizeof *peer);
	int rc = -ENOMEM;

	if (peer != NULL) {
		brink_watch_init(&peer->watch, on_peer);
		rc = brink_watch_start(server->loop, &peer->watch, fd, BRINK_READ);
	}
	if (rc < 0) {
		fprintf(stderr, "echo-server: connection refused: %s\n", brink_strerror(rc));
		free(peer);
		close(fd);
		return;
	}
	server->accepted++;
	peer->server = server;
	peer->size = peer->sent = 0;
	peer->next = server->peers;
	peer->link = &server->peers;
	if (peer->next != NULL)
		peer->next->link = &peer->next;
	server->peers = peer;
}

static void on_listener(brink_watch *watch, unsigned ready)
{
	struct server *server = brink_container_of(watch, struct server, listener);
	int fd;

	(void)ready;
	while ((fd = brink_watch_accept(watch, NULL, NULL)) >= 0)
		greet(server, fd);
	/* Out of descriptors or memory: connections wait in the backlog meanwhile. */
	if (fd != -EAGAIN)
		brink_timer_start(server->loop, &server->retry, BRINK_MS(100), 0);
}

static void on_retry(brink_timer *timer)
{
	brink_watch_again(&brink_container_of(timer, struct server, retry)->listener, BRINK_READ);
}

static void on_signal(brink_signal *stop)
{
	struct server *server = brink_loop_data(stop->loop);

	server->stopped_by = stop->number;
	brink_loop_stop(stop->loop);
}

static int listen_on(unsigned port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	socklen_t length = sizeof address;
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 511) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	printf("listening on 127.0.0.1 port %u\n", ntohs(address.sin_port));
	return fd;
}

static int start(struct server *server, unsigned port)
{
	static const int numbers[] = {SIGINT, SIGTERM};
	int rc = listen_on(port);

	if (rc < 0)
		return rc;
	brink_watch_init(&server->listener, on_listener);
	brink_timer_init(&server->retry, on_retry);
	brink_loop_set_data(server->loop, server);
	rc = brink_watch_start(server->loop, &server->listener, rc, BRINK_READ);
	for (int i = 0; i < 2 && rc == 0; i++) {
		brink_signal_init(&server->signals[i], on_signal);
		rc = brink_signal_start(server->loop, &server->signals[i], numbers[i]);
	}
	return rc;
}

static void report(const struct server *server)
{
	struct brink_counters counters;

	brink_loop_counters(server->loop, &counters);
	printf("stopped by signal %d through the wakeup pipe\n", server->stopped_by);
	printf("connections %" PRIu64 " bytes %" PRIu64 " turns %" PRIu64 " waits %" PRIu64 " events %" PRIu64
	       " calls %" PRIu64 " changes %" PRIu64 "\n",
	       server->accepted, server->bytes, counters.turns, counters.waits, counters.events, counters.calls,
	       counters.changes);
}

static int serve(const char *backend, unsigned port)
{
	struct server server = {0};
	int rc = brink_loop_create(&server.loop, &(struct brink_loop_options){.backend = backend});

	if (rc == 0)
		rc = start(&server, port);
	if (rc == 0) {
		printf("backend %s\n", brink_loop_description(server.loop));
		fflush(stdout);
		rc = brink_loop_run(server.loop);
	}
	if (rc == 1)
		report(&server);
	while (server.peers != NULL)
		peer_end(server.peers);
	brink_watch_close(&server.listener);
	brink_loop_destroy(server.loop);
	if (rc < 0)
		fprintf(stderr, "echo-server: %s\n", brink_strerror(rc));
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int list(void)
{
	struct brink_backend_info backends[8];
	size_t count = brink_backends(backends, 8);

	for (size_t i = 0; i < count && i < 8; i++) {
		if (backends[i].status == 0)
			printf("%s\n", backends[i].name);
		else
			fprintf(stderr, "%s: %s\n", backends[i].name, brink_strerror(backends[i].status));
	}
	return EXIT_SUCCESS;
}

static int usage(void)
{
	fprintf(stderr, "usage: echo-server [--backend NAME] [--port N] | --list\n");
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	const char *backend = NULL;
	unsigned long port = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--list") == 0)
			return list();
		if (strcmp(argv[i], "--backend") == 0 && i + 1 < argc) {
			backend = argv[++i];
		} else if (strcmp(argv[i], "--port") == 0 && i + 1 < argc) {
			char *end;

			port = strtoul(argv[++i], &end, 10);
			if (end == argv[i] || *end != '\0' || port > 65535)
				return usage();
		} else {
			return usage();
		}
	}
	return serve(backend, (unsigned)port);
}
