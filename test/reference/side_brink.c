/* The scripts' side on libbrink: what a stream of libuv does by itself, a few lines around
 * a watch. */
#include "reference.h"

#include <brink.h>

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static brink_loop *loop;
static char buffer[65536];

struct request {
	struct request *next;
	size_t size, done;
	char bytes[];
};

struct brink_stream {
	struct stream base;
	brink_watch reader, writer;
	struct request *first, **last; /* waiting for room */
	bool packets;
	int *result; /* of a connect under way */
	unsigned *accepted;
	struct brink_stream *next;
};

static struct brink_stream *opened;

static struct brink_stream *of(struct stream *stream)
{
	return (struct brink_stream *)(void *)stream;
}

static struct brink_stream *new_stream(int fd)
{
	struct brink_stream *stream = calloc(1, sizeof *stream);

	MUST(stream != NULL);
	stream->base.fd = fd;
	stream->last = &stream->first;
	stream->next = opened;
	opened = stream;
	return stream;
}

/* ---- reading ---- */

static void on_readable(brink_watch *watch, unsigned ready)
{
	struct brink_stream *stream = brink_container_of(watch, struct brink_stream, reader);
	ssize_t n;

	(void)ready;
	stream->base.calls_after_close += stream->base.closed;
	do {
		n = brink_watch_read(watch, buffer, sizeof buffer);
		if (n > 0 || (n == 0 && stream->packets))
			add_received(&stream->base, buffer, (size_t)n);
		if (stream->base.closed)
			return;
	} while (n > 0 || (n == 0 && stream->packets));
	if (n == -EAGAIN)
		return;
	brink_watch_stop(watch);
	add_end(&stream->base, (int)n);
}

static void side_read(struct stream *stream)
{
	brink_watch_init(&of(stream)->reader, on_readable);
	MUST(brink_watch_start(loop, &of(stream)->reader, stream->fd, BRINK_READ) == 0);
}

/* ---- writing: the queue, until there is no room ---- */

static void free_requests(struct brink_stream *stream)
{
	struct request *request;

	while ((request = stream->first) != NULL) {
		stream->first = request->next;
		free(request);
	}
	stream->last = &stream->first;
}

static void write_on(struct brink_stream *stream)
{
	struct request *request;

	while ((request = stream->first) != NULL) {
		ssize_t n = brink_watch_write(&stream->writer, request->bytes + request->done, request->size - request->done);

		if (n == -EAGAIN)
			return;
		if (n < 0) {
			stream->base.write_error = (int)n;
			free_requests(stream);
			return;
		}
		request->done += (size_t)n;
		if (request->done < request->size)
			continue;
		stream->base.written += request->size;
		stream->first = request->next;
		free(request);
	}
	stream->last = &stream->first;
}

static void on_writable(brink_watch *watch, unsigned ready)
{
	(void)ready;
	write_on(brink_container_of(watch, struct brink_stream, writer));
}

static void side_write(struct stream *base, const void *bytes, size_t size)
{
	struct brink_stream *stream = of(base);
	struct request *request = malloc(sizeof *request + size);
	bool idle = stream->first == NULL;

	MUST(request != NULL);
	*request = (struct request){.size = size};
	memcpy(request->bytes, bytes, size);
	*stream->last = request;
	stream->last = &request->next;
	if (brink_watch_active(&stream->writer)) {
		if (idle)
			write_on(stream);
		return;
	}
	brink_watch_init(&stream->writer, on_writable);
	MUST(brink_watch_start(loop, &stream->writer, base->fd, BRINK_WRITE) == 0);
}

/* ---- opening and closing ---- */

static struct stream *side_open(int fd, bool packets)
{
	struct brink_stream *stream = new_stream(fd);

	stream->packets = packets;
	return &stream->base;
}

static void side_close(struct stream *base)
{
	struct brink_stream *stream = of(base);

	if (base->closed)
		return;
	base->closed = true;
	if (brink_watch_active(&stream->reader))
		MUST(brink_watch_close(&stream->reader) == 0);
	else if (brink_watch_active(&stream->writer))
		MUST(brink_watch_close(&stream->writer) == 0);
	else
		MUST(close(base->fd) == 0);
	free_requests(stream);
}

static void on_connected(brink_watch *watch, unsigned ready)
{
	struct brink_stream *stream = brink_container_of(watch, struct brink_stream, writer);
	socklen_t length = sizeof *stream->result;
	int error = 0;

	(void)ready;
	MUST(getsockopt(stream->base.fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0);
	*stream->result = -error;
	brink_watch_stop(watch);
}

static struct stream *side_connect(uint16_t port, int *result)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct brink_stream *stream = new_stream(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*result = 1;
	stream->result = result;
	MUST(connect(stream->base.fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS);
	brink_watch_init(&stream->writer, on_connected);
	MUST(brink_watch_start(loop, &stream->writer, stream->base.fd, BRINK_WRITE) == 0);
	return &stream->base;
}

static void on_connection(brink_watch *watch, unsigned ready)
{
	struct brink_stream *stream = brink_container_of(watch, struct brink_stream, reader);
	int fd;

	(void)ready;
	while ((fd = brink_watch_accept(watch, NULL, NULL)) >= 0) {
		++*stream->accepted;
		close(fd);
	}
	MUST(fd == -EAGAIN);
}

static void side_listen(int fd, unsigned *accepted)
{
	struct brink_stream *stream = new_stream(fd);

	stream->accepted = accepted;
	brink_watch_init(&stream->reader, on_connection);
	MUST(brink_watch_start(loop, &stream->reader, fd, BRINK_READ) == 0);
}

/* ---- timers, signals, wakeups ---- */

#define TIMERS 16

static struct timer {
	brink_timer timer;
	unsigned id, left;
} timers[TIMERS];
static unsigned timer_count;

static void on_timer(brink_timer *timer)
{
	struct timer *mine = brink_container_of(timer, struct timer, timer);

	note(mine->id);
	if (--mine->left == 0)
		brink_timer_stop(timer);
}

static void side_timer(unsigned id, unsigned after_ms, unsigned period_ms, unsigned times)
{
	struct timer *timer = &timers[timer_count++];

	MUST(timer_count <= TIMERS);
	brink_timer_init(&timer->timer, on_timer);
	timer->id = id;
	timer->left = times;
	MUST(brink_timer_start(loop, &timer->timer, BRINK_MS(after_ms), BRINK_MS(period_ms)) == 0);
}

static brink_signal signal_watch;
static unsigned *signal_calls;

static void on_signal(brink_signal *signal)
{
	(void)signal;
	++*signal_calls;
}

static void side_signal(int number, unsigned *calls)
{
	signal_calls = calls;
	brink_signal_init(&signal_watch, on_signal);
	MUST(brink_signal_start(loop, &signal_watch, number) == 0);
}

#define TASKS 1000

static brink_task tasks[TASKS];
static unsigned *task_calls, task_count;

static void on_task(brink_task *task)
{
	(void)task;
	++*task_calls;
}

static void *post_all(void *unused)
{
	for (unsigned i = 0; i < task_count; i++) {
		brink_task_init(&tasks[i], on_task);
		brink_task_post(loop, &tasks[i]);
	}
	return unused;
}

static void side_wake(unsigned *calls, unsigned count, bool thread)
{
	pthread_t poster;

	MUST(count <= TASKS);
	task_calls = calls;
	task_count = count;
	if (!thread) {
		post_all(NULL);
		return;
	}
	MUST(pthread_create(&poster, NULL, post_all, NULL) == 0);
	MUST(pthread_join(poster, NULL) == 0);
}

static brink_watch poller;
static unsigned *poller_calls;

static void on_level(brink_watch *watch, unsigned ready)
{
	(void)watch;
	MUST(ready == BRINK_READ);
	++*poller_calls;
}

static void side_level(int fd, unsigned *calls)
{
	poller_calls = calls;
	brink_watch_init(&poller, on_level);
	MUST(brink_watch_start(loop, &poller, fd, BRINK_READ | BRINK_LEVEL) == 0);
}

static void side_level_end(void)
{
	MUST(brink_watch_stop(&poller) == 0);
}

/* ---- the loop ---- */

static void side_start(const struct side *side)
{
	struct brink_loop_options options = {.backend = side->name};

	MUST(brink_loop_create(&loop, &options) == 0);
	opened = NULL;
	timer_count = 0;
}

static void side_stop(void)
{
	struct brink_stream *stream;

	while ((stream = opened) != NULL) {
		opened = stream->next;
		side_close(&stream->base);
		free(stream);
	}
	MUST(brink_loop_destroy(loop) == 0);
}

static void side_turn(void)
{
	MUST(brink_loop_run_once(loop, BRINK_MS(5)) >= 0);
}

static int side_run(void)
{
	return brink_loop_run(loop);
}

static void side_end_run(void)
{
	brink_loop_stop(loop);
}

const struct side brink_side = {
	.start = side_start, .stop = side_stop, .turn = side_turn, .run = side_run, .end_run = side_end_run,
	.open = side_open, .read = side_read, .write = side_write, .close = side_close, .connect = side_connect,
	.listen = side_listen, .timer = side_timer, .signal = side_signal, .wake = side_wake, .level = side_level,
	.level_end = side_level_end,
};
