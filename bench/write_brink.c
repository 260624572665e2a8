#include "peers.h"

#include <brink.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct state {
	brink_loop *loop;
	brink_socket *socket;
	pthread_t thread;
};

static void *run(void *arg)
{
	pin_to(SERVER_SIDE);
	brink_loop_run(arg);
	return NULL;
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	(void)text;
	(void)arg;
	if (error < 0)
		abort();
	brink_loop_stop(brink_socket_loop(socket));
}

static void *open_socket(int fd, const char *backend)
{
	struct brink_socket_options options = {.fd = fd, .on_close = on_close, .unsent_limit = 1 << 20};
	struct state *all = calloc(1, sizeof *all);
	brink_socket_id id;

	if (all == NULL || brink_loop_create(&all->loop, &(struct brink_loop_options){.backend = backend}) < 0 ||
	    brink_socket_create(&id, all->loop, &options) < 0)
		return NULL;
	all->socket = brink_socket_address(id);
	if (pthread_create(&all->thread, NULL, run, all->loop) != 0)
		return NULL;
	return all;
}

static int submit(void *state, const void *bytes, size_t size)
{
	int rc = brink_socket_write_bytes(((struct state *)state)->socket, bytes, size);

	return rc == -BRINK_EOVERCROWDED ? 1 : rc;
}

static void wait_for_room(void *state)
{
	brink_socket_wait(((struct state *)state)->socket, -1);
}

static void close_socket(void *state)
{
	struct state *all = state;

	brink_socket_close(all->socket);
	brink_socket_release(all->socket);
	pthread_join(all->thread, NULL);
	brink_loop_destroy(all->loop);
	free(all);
}

const struct write_work brink_writes = {open_socket, submit, wait_for_room, close_socket};
