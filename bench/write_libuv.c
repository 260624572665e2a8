/* libuv: its streams are the loop's thread's alone. So: a list under a mutex, uv_async_send(), and
 * uv_write() of up to 64 requests at once. */
#include "peers.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define BATCH 64
#define MOST_QUEUED (1 << 20) /* bytes */

struct item {
	struct item *next;
	size_t size;
	char bytes[];
};

struct batch {
	uv_write_t write;
	struct state *all;
	uv_buf_t buffers[BATCH];
	struct item *items[BATCH];
	unsigned count;
};

struct state {
	uv_loop_t loop;
	uv_tcp_t tcp;
	uv_async_t async;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t room;
	struct item *first, **end; /* under the lock */
	size_t queued;             /* bytes, until they are written */
	bool ending;
	unsigned writing; /* the loop's: batches under way */
};

static void end_if_done(struct state *all)
{
	if (!all->ending || all->writing > 0 || all->first != NULL || uv_is_closing((uv_handle_t *)&all->tcp))
		return;
	uv_close((uv_handle_t *)&all->tcp, NULL);
	uv_close((uv_handle_t *)&all->async, NULL);
}

static void on_written(uv_write_t *write, int status)
{
	struct batch *batch = (struct batch *)write;
	struct state *all = batch->all;
	size_t size = 0;

	if (status < 0)
		abort();
	for (unsigned i = 0; i < batch->count; i++) {
		size += batch->items[i]->size;
		free(batch->items[i]);
	}
	free(batch);
	all->writing--;
	pthread_mutex_lock(&all->lock);
	all->queued -= size;
	if (all->queued <= MOST_QUEUED / 4)
		pthread_cond_broadcast(&all->room);
	end_if_done(all);
	pthread_mutex_unlock(&all->lock);
}

static struct item *write_batch(struct state *all, struct item *item)
{
	struct batch *batch = malloc(sizeof *batch);

	if (batch == NULL)
		abort();
	batch->all = all;
	for (batch->count = 0; item != NULL && batch->count < BATCH; item = item->next) {
		batch->buffers[batch->count] = uv_buf_init(item->bytes, (unsigned)item->size);
		batch->items[batch->count++] = item;
	}
	all->writing++;
	if (uv_write(&batch->write, (uv_stream_t *)&all->tcp, batch->buffers, batch->count, on_written) < 0)
		abort();
	return item;
}

static void on_async(uv_async_t *async)
{
	struct state *all = async->data;
	struct item *item;

	pthread_mutex_lock(&all->lock);
	item = all->first;
	all->first = NULL;
	all->end = &all->first;
	pthread_mutex_unlock(&all->lock);
	while (item != NULL)
		item = write_batch(all, item);
	pthread_mutex_lock(&all->lock);
	end_if_done(all);
	pthread_mutex_unlock(&all->lock);
}

static void *run(void *arg)
{
	pin_to(SERVER_SIDE);
	uv_run(arg, UV_RUN_DEFAULT);
	return NULL;
}

static void *open_line(int fd, const char *backend)
{
	struct state *all = calloc(1, sizeof *all);

	(void)backend;
	if (all == NULL || uv_loop_init(&all->loop) < 0 || uv_tcp_init(&all->loop, &all->tcp) < 0 ||
	    uv_tcp_open(&all->tcp, fd) < 0 || uv_async_init(&all->loop, &all->async, on_async) < 0)
		return NULL;
	all->async.data = all;
	all->end = &all->first;
	pthread_mutex_init(&all->lock, NULL);
	pthread_cond_init(&all->room, NULL);
	return pthread_create(&all->thread, NULL, run, &all->loop) == 0 ? all : NULL;
}

static int submit(void *state, const void *bytes, size_t size)
{
	struct state *all = state;
	struct item *item = malloc(sizeof *item + size);
	bool full, first;

	if (item == NULL)
		return -ENOMEM;
	item->next = NULL;
	item->size = size;
	memcpy(item->bytes, bytes, size);
	pthread_mutex_lock(&all->lock);
	full = all->queued >= MOST_QUEUED;
	first = all->first == NULL;
	if (!full) {
		*all->end = item;
		all->end = &item->next;
		all->queued += size;
	}
	pthread_mutex_unlock(&all->lock);
	if (full)
		free(item);
	else if (first)
		uv_async_send(&all->async);
	return full;
}

static void wait_for_room(void *state)
{
	struct state *all = state;

	pthread_mutex_lock(&all->lock);
	while (all->queued > MOST_QUEUED / 4)
		pthread_cond_wait(&all->room, &all->lock);
	pthread_mutex_unlock(&all->lock);
}

static void close_line(void *state)
{
	struct state *all = state;

	pthread_mutex_lock(&all->lock);
	all->ending = true;
	pthread_mutex_unlock(&all->lock);
	uv_async_send(&all->async);
	pthread_join(all->thread, NULL);
	uv_loop_close(&all->loop);
	free(all);
}

const struct write_work libuv_writes = {open_line, submit, wait_for_room, close_line};
