/* libbrink's watches, with brink_watch_read() and brink_watch_write(). */
#include "echo_by_hand.h"
#include "peers.h"

#include <brink.h>

#define BUDGET 16 /* reads of one connection in a row */

struct connection {
	brink_watch watch;
	struct backlog backlog;
};

static char scratch[SCRATCH];

static ssize_t flush_backlog(struct connection *connection)
{
	struct backlog *backlog = &connection->backlog;

	while (backlog->bytes != NULL) {
		ssize_t n = brink_watch_write(&connection->watch, backlog->bytes + backlog->sent,
		                              backlog->size - backlog->sent);

		if (n < 0)
			return n;
		backlog->sent += (size_t)n;
		if (backlog->sent < backlog->size)
			continue;
		free(backlog->bytes);
		backlog->bytes = NULL;
	}
	return 1;
}

static ssize_t send_back(struct connection *connection, size_t size)
{
	ssize_t n = brink_watch_write(&connection->watch, scratch, size);

	if (n == (ssize_t)size)
		return 1;
	if (n < 0 && n != -EAGAIN)
		return n;
	n = n < 0 ? 0 : n;
	echo_keep(&connection->backlog, scratch + n, size - (size_t)n);
	return flush_backlog(connection); /* to -EAGAIN, which hands the ticket back */
}

static void on_ready(brink_watch *watch, unsigned ready)
{
	struct connection *connection = brink_container_of(watch, struct connection, watch);
	ssize_t n = 1;

	(void)ready;
	if (connection->backlog.bytes != NULL)
		n = flush_backlog(connection);
	for (int reads = 0; n > 0 && reads < BUDGET; reads++) {
		n = brink_watch_read(watch, scratch, sizeof scratch);
		if (n > 0)
			n = send_back(connection, (size_t)n);
	}
	if (n > 0) {
		brink_watch_again(watch, BRINK_READ);
	} else if (n != -EAGAIN) {
		brink_watch_close(watch);
		free(connection->backlog.bytes);
		free(connection);
	}
}

static void on_listener(brink_watch *watch, unsigned ready)
{
	int fd, on = 1;

	(void)ready;
	while ((fd = brink_watch_accept(watch, NULL, NULL)) >= 0) {
		struct connection *connection = calloc(1, sizeof *connection);

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		if (connection == NULL)
			abort();
		brink_watch_init(&connection->watch, on_ready);
		if (brink_watch_start(watch->loop, &connection->watch, fd, BRINK_READ | BRINK_TCP) < 0)
			abort();
	}
}

static int serve(int listener, const char *backend)
{
	brink_loop *loop;
	brink_watch watch;
	int rc = brink_loop_create(&loop, &(struct brink_loop_options){.backend = backend});

	brink_watch_init(&watch, on_listener);
	if (rc == 0)
		rc = brink_watch_start(loop, &watch, listener, BRINK_READ);
	return rc == 0 ? brink_loop_run(loop) : rc;
}

const struct peer peer_brink_watch = {
	.name = "brink-watch",
	.about = "libbrink, bare watches",
	.has_backends = true,
	.object_bytes = sizeof(brink_watch),
	.serve = serve,
	.timers = &brink_timers,
	.jobs = &brink_jobs,
};
