/* Making a loop and ending it. */
#include "config.h"

#include "loop.h"

#include "block.h"
#include "memory.h"
#include "os.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BUFFERS 32768u /* of a ring of provided buffers: io_uring_register_buf_ring(3) */

struct brink__dispatcher_options brink__loop_dispatcher_options(brink_loop *loop)
{
	return (struct brink__dispatcher_options){
		.table = &loop->table,
		.batch = (unsigned)loop->batch,
		.ring_entries = loop->ring_entries,
		.receive_buffers = loop->receive_buffers,
		.renew = &loop->renew,
	};
}

static int check_options(const struct brink_loop_options *options)
{
	for (size_t i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++)
		if (options->reserved[i] != NULL)
			return -EINVAL;
	if (options->flags & ~BRINK_LOOP_READINESS || options->receive_buffers > MOST_BUFFERS)
		return -EINVAL;
	return options->batch <= 65536 && options->ring_entries <= 32768 ? 0 : -EINVAL;
}

static unsigned receive_buffers(const struct brink_loop_options *options)
{
	const char *wish = brink__os_getenv("BRINK_COMPLETIONS");
	unsigned long number = wish != NULL ? strtoul(wish, NULL, 10) : 0;

	if (options->flags & BRINK_LOOP_READINESS || (wish != NULL && strcmp(wish, "off") == 0))
		return 0;
	if (options->receive_buffers != 0)
		return options->receive_buffers;
	return number >= 1 && number <= MOST_BUFFERS ? (unsigned)number : 1024;
}

static void init(brink_loop *loop, const struct brink_loop_options *options)
{
	loop->batch = options->batch != 0 ? (int)options->batch : 256;
	loop->ring_entries = options->ring_entries != 0 ? options->ring_entries : 256;
	loop->receive_buffers = receive_buffers(options);
	loop->ready_end = &loop->ready;
	loop->forks = brink__forks;
	loop->wakeup_fds[0] = loop->wakeup_fds[1] = loop->host_fd = -1;
	atomic_init(&loop->thread, brink__os_thread());
	for (int point = 0; point < 3; point++)
		brink__list_init(&loop->hooks[point]);
	brink__list_init(&loop->signals);
	brink__list_init(&loop->children);
	brink_loop_update(loop);
	brink__wheel_init(&loop->wheel, loop->now);
}

static void discard(brink_loop *loop)
{
	brink__wakeup_close(loop);
	if (loop->dispatcher != NULL)
		loop->ops->close(loop->dispatcher);
	brink__table_free(&loop->table);
	brink__free(loop->events);
	if (loop->flat != NULL)
		brink__piece_drop(loop->flat);
	brink__free(loop);
}

int brink_loop_create(brink_loop **created, const struct brink_loop_options *options)
{
	static const struct brink_loop_options defaults;
	brink_loop *loop;
	int result;

	if (options == NULL)
		options = &defaults;
	*created = NULL;
	result = check_options(options);
	if (result == 0)
		result = brink__forks_watch();
	if (result < 0)
		return result;
	loop = brink__allocate(1, sizeof *loop);
	if (loop == NULL)
		return -ENOMEM;
	init(loop, options);
	loop->events = brink__resize(NULL, (size_t)loop->batch, sizeof *loop->events);
	result = loop->events != NULL ? brink__choose(loop, options->backend) : -ENOMEM;
	if (result == 0)
		result = brink__wakeup_open(loop);
	if (result < 0) {
		discard(loop);
		return result;
	}
	*created = loop;
	return 0;
}

/* A forked child has copies of the parent's tasks, which are not its to call. */
static void call_tasks(brink_loop *loop)
{
	while (brink__loop_is_ours(loop) && brink__tasks_run(loop) != 0)
		;
}

int brink_loop_destroy(brink_loop *loop)
{
	if (loop == NULL)
		return 0;
	if (brink__loop_is_inside(loop))
		return -EBUSY;
	atomic_store_explicit(&loop->thread, brink__os_thread(), memory_order_relaxed); /* see enter() in loop.c */
	loop->inside = true; /* what the tasks below call must not run the loop */
	call_tasks(loop);
	brink__sockets_end(loop);
	call_tasks(loop); /* of on_close, for instance */
	brink__socket_recent_drop(loop);
	brink_resolver_destroy(loop->resolver);
	brink__children_end(loop);
	brink__signals_end(loop);
	brink__timers_end(loop);
	brink__hooks_end(loop);
	brink__watches_end(loop);
	discard(loop);
	return 0;
}
