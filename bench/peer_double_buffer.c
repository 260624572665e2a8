/* Threads that copy into a flat buffer under a mutex, and one that writes the other buffer
 * meanwhile: nothing is better at throughput. */
#include "peers.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM (256 * 1024)

struct state {
	pthread_mutex_t lock;
	pthread_cond_t filled, emptied;
	char *buffers[2]; /* the first is filled, the second written */
	size_t size;
	bool ending;
	int fd;
	pthread_t thread;
};

static void write_buffer(struct state *all, size_t size)
{
	for (size_t sent = 0; sent < size;) {
		ssize_t n = send(all->fd, all->buffers[1] + sent, size - sent, MSG_NOSIGNAL);

		if (n < 0)
			abort();
		sent += (size_t)n;
	}
}

static void *run(void *arg)
{
	struct state *all = arg;

	pin_to(SERVER_SIDE);
	pthread_mutex_lock(&all->lock);
	while (all->size > 0 || !all->ending) {
		size_t size = all->size;
		char *full = all->buffers[0];

		if (size == 0) {
			pthread_cond_wait(&all->filled, &all->lock);
			continue;
		}
		all->buffers[0] = all->buffers[1];
		all->buffers[1] = full;
		all->size = 0;
		pthread_cond_broadcast(&all->emptied);
		pthread_mutex_unlock(&all->lock);
		write_buffer(all, size);
		pthread_mutex_lock(&all->lock);
	}
	pthread_mutex_unlock(&all->lock);
	return NULL;
}

static void *open_line(int fd, const char *backend)
{
	struct state *all = calloc(1, sizeof *all);

	(void)backend;
	if (all == NULL || (all->buffers[0] = malloc(ROOM)) == NULL || (all->buffers[1] = malloc(ROOM)) == NULL)
		return NULL;
	pthread_mutex_init(&all->lock, NULL);
	pthread_cond_init(&all->filled, NULL);
	pthread_cond_init(&all->emptied, NULL);
	all->fd = fd;
	return pthread_create(&all->thread, NULL, run, all) == 0 ? all : NULL;
}

static int submit(void *state, const void *bytes, size_t size)
{
	struct state *all = state;
	bool full, first;

	pthread_mutex_lock(&all->lock);
	full = all->size + size > ROOM;
	first = all->size == 0;
	if (!full) {
		memcpy(all->buffers[0] + all->size, bytes, size);
		all->size += size;
	}
	pthread_mutex_unlock(&all->lock);
	if (first)
		pthread_cond_signal(&all->filled);
	return full;
}

static void wait_for_room(void *state)
{
	struct state *all = state;

	pthread_mutex_lock(&all->lock);
	while (all->size > ROOM / 2)
		pthread_cond_wait(&all->emptied, &all->lock);
	pthread_mutex_unlock(&all->lock);
}

static void close_line(void *state)
{
	struct state *all = state;

	pthread_mutex_lock(&all->lock);
	all->ending = true;
	pthread_cond_signal(&all->filled);
	pthread_mutex_unlock(&all->lock);
	pthread_join(all->thread, NULL);
	close(all->fd);
	free(all->buffers[0]);
	free(all->buffers[1]);
	free(all);
}

static const struct write_work writes = {open_line, submit, wait_for_room, close_line};

const struct peer peer_double_buffer = {
	.name = "double-buffer",
	.about = "written by hand: a mutex around a flat buffer, which a thread writes",
	.writes = &writes,
};
