/* Threads that share a connection by a mutex around write(2). */
#include "peers.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct state {
	pthread_mutex_t lock;
	int fd;
};

static void *open_line(int fd, const char *backend)
{
	struct state *all = calloc(1, sizeof *all);

	(void)backend;
	if (all == NULL)
		return NULL;
	pthread_mutex_init(&all->lock, NULL);
	all->fd = fd; /* which blocks: so there is always room */
	return all;
}

static int submit(void *state, const void *bytes, size_t size)
{
	struct state *all = state;
	const char *next = bytes;
	ssize_t n = 0;

	pthread_mutex_lock(&all->lock);
	while (size > 0 && (n = send(all->fd, next, size, MSG_NOSIGNAL)) > 0) {
		next += n;
		size -= (size_t)n;
	}
	pthread_mutex_unlock(&all->lock);
	return size == 0 ? 0 : -errno;
}

static void wait_for_room(void *state)
{
	(void)state;
}

static void close_line(void *state)
{
	close(((struct state *)state)->fd);
	free(state);
}

static const struct write_work writes = {open_line, submit, wait_for_room, close_line};

const struct peer peer_mutex = {
	.name = "mutex",
	.about = "written by hand: a mutex around write()",
	.writes = &writes,
};
