/* The scripts' side on libuv. */
#include "reference.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

static uv_loop_t loop;
static char buffer[65536];

struct uv_stream {
	struct stream base;
	union {
		uv_handle_t any;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
		uv_udp_t udp;
	} handle;
	uv_connect_t connecting;
	int *result;
	struct uv_stream *next;
};

static struct uv_stream *opened;

static struct uv_stream *new_stream(int fd)
{
	struct uv_stream *stream = calloc(1, sizeof *stream);

	MUST(stream != NULL);
	stream->base.fd = fd;
	stream->next = opened;
	opened = stream;
	return stream;
}

static struct uv_stream *of(struct stream *stream)
{
	return (struct uv_stream *)(void *)stream;
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *into)
{
	(void)handle;
	(void)size;
	*into = uv_buf_init(buffer, sizeof buffer);
}

static void on_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *bytes)
{
	struct stream *stream = handle->data;

	stream->calls_after_close += stream->closed;
	if (n > 0)
		add_received(stream, bytes->base, (size_t)n);
	else if (n < 0)
		add_end(stream, n == UV_EOF ? 0 : (int)n);
}

static void on_packet(uv_udp_t *handle, ssize_t n, const uv_buf_t *bytes, const struct sockaddr *from, unsigned flags)
{
	struct stream *stream = handle->data;

	(void)flags;
	stream->calls_after_close += stream->closed;
	if (n > 0 || (n == 0 && from != NULL))
		add_received(stream, bytes->base, (size_t)n);
	else if (n < 0)
		add_end(stream, (int)n);
}

static bool is_tcp(int fd)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof address;

	return getsockname(fd, (struct sockaddr *)&address, &length) == 0 && address.ss_family == AF_INET;
}

static struct stream *side_open(int fd, bool packets)
{
	struct uv_stream *stream = new_stream(fd);

	if (packets) {
		MUST(uv_udp_init(&loop, &stream->handle.udp) == 0 && uv_udp_open(&stream->handle.udp, fd) == 0);
	} else if (is_tcp(fd)) {
		MUST(uv_tcp_init(&loop, &stream->handle.tcp) == 0 && uv_tcp_open(&stream->handle.tcp, fd) == 0);
	} else {
		MUST(uv_pipe_init(&loop, &stream->handle.pipe, 0) == 0);
		MUST(uv_pipe_open(&stream->handle.pipe, fd) == 0);
	}
	stream->handle.any.data = stream;
	return &stream->base;
}

static void side_read(struct stream *stream)
{
	if (of(stream)->handle.any.type == UV_UDP)
		MUST(uv_udp_recv_start(&of(stream)->handle.udp, on_alloc, on_packet) == 0);
	else
		MUST(uv_read_start(&of(stream)->handle.stream, on_alloc, on_read) == 0);
}

struct uv_request {
	uv_write_t write;
	size_t size;
	char bytes[];
};

static void on_written(uv_write_t *write, int status)
{
	struct uv_request *request = (struct uv_request *)(void *)write;
	struct stream *stream = write->handle->data;

	if (status == 0)
		stream->written += request->size;
	else if (stream->write_error == 0)
		stream->write_error = status;
	free(request);
}

static void side_write(struct stream *stream, const void *bytes, size_t size)
{
	struct uv_request *request = malloc(sizeof *request + size);
	uv_buf_t part;

	MUST(request != NULL);
	request->size = size;
	memcpy(request->bytes, bytes, size);
	part = uv_buf_init(request->bytes, (unsigned)size);
	MUST(uv_write(&request->write, &of(stream)->handle.stream, &part, 1, on_written) == 0);
}

static void side_close(struct stream *stream)
{
	if (!stream->closed)
		uv_close(&of(stream)->handle.any, NULL);
	stream->closed = true;
}

static void on_connected(uv_connect_t *request, int status)
{
	struct uv_stream *stream = request->data;

	*stream->result = status;
}

static struct stream *side_connect(uint16_t port, int *result)
{
	struct uv_stream *stream = new_stream(-1);
	struct sockaddr_in address;

	*result = 1;
	stream->result = result;
	stream->connecting.data = stream;
	MUST(uv_ip4_addr("127.0.0.1", port, &address) == 0);
	MUST(uv_tcp_init(&loop, &stream->handle.tcp) == 0);
	stream->handle.any.data = stream;
	MUST(uv_tcp_connect(&stream->connecting, &stream->handle.tcp, (struct sockaddr *)&address, on_connected) == 0);
	return &stream->base;
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct uv_stream *mine = listener->data, *stream = new_stream(-1);

	MUST(status == 0);
	if (listener->type == UV_TCP)
		MUST(uv_tcp_init(&loop, &stream->handle.tcp) == 0);
	else
		MUST(uv_pipe_init(&loop, &stream->handle.pipe, 0) == 0);
	MUST(uv_accept(listener, &stream->handle.stream) == 0);
	(*(unsigned *)mine->base.other)++;
	side_close(&stream->base);
}

static void side_listen(int fd, unsigned *accepted)
{
	struct uv_stream *stream = of(side_open(fd, false));

	stream->base.other = (struct stream *)(void *)accepted;
	MUST(uv_listen(&stream->handle.stream, 64, on_connection) == 0);
}

/* ---- timers, signals, wakeups ---- */

#define TIMERS 16

static struct {
	uv_timer_t timer;
	unsigned id, left;
} timers[TIMERS];
static unsigned timer_count;
static uv_signal_t signal_handle;
static uv_async_t async;
static uv_poll_t poller;

static void on_timer(uv_timer_t *timer)
{
	unsigned *number = timer->data;

	note(timers[*number].id);
	if (--timers[*number].left == 0)
		uv_timer_stop(timer);
}

static void side_timer(unsigned id, unsigned after_ms, unsigned period_ms, unsigned times)
{
	static unsigned numbers[TIMERS];
	unsigned i = timer_count++;

	MUST(i < TIMERS);
	numbers[i] = i;
	timers[i].id = id;
	timers[i].left = times;
	MUST(uv_timer_init(&loop, &timers[i].timer) == 0);
	timers[i].timer.data = &numbers[i];
	MUST(uv_timer_start(&timers[i].timer, on_timer, after_ms, period_ms) == 0);
}

static void on_signal(uv_signal_t *handle, int number)
{
	(void)number;
	++*(unsigned *)handle->data;
}

static void side_signal(int number, unsigned *calls)
{
	MUST(uv_signal_init(&loop, &signal_handle) == 0);
	signal_handle.data = calls;
	MUST(uv_signal_start(&signal_handle, on_signal, number) == 0);
}

static void on_async(uv_async_t *handle)
{
	++*(unsigned *)handle->data;
}

static unsigned wakes;

static void send_all(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < wakes; i++)
		MUST(uv_async_send(&async) == 0);
}

static void side_wake(unsigned *calls, unsigned count, bool thread)
{
	uv_thread_t sender;

	MUST(uv_async_init(&loop, &async, on_async) == 0);
	async.data = calls;
	wakes = count;
	if (!thread) {
		send_all(NULL);
		return;
	}
	MUST(uv_thread_create(&sender, send_all, NULL) == 0);
	MUST(uv_thread_join(&sender) == 0);
}

static void on_level(uv_poll_t *handle, int status, int events)
{
	MUST(status == 0 && events == UV_READABLE);
	++*(unsigned *)handle->data;
}

static void side_level(int fd, unsigned *calls)
{
	MUST(uv_poll_init(&loop, &poller, fd) == 0);
	poller.data = calls;
	MUST(uv_poll_start(&poller, UV_READABLE, on_level) == 0);
}

static void side_level_end(void)
{
	MUST(uv_poll_stop(&poller) == 0);
}

/* ---- the loop ---- */

static void side_start(const struct side *side)
{
	(void)side;
	MUST(uv_loop_init(&loop) == 0);
	opened = NULL;
	timer_count = 0;
}

static void close_handle(uv_handle_t *handle, void *unused)
{
	(void)unused;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void side_stop(void)
{
	struct uv_stream *next;

	uv_walk(&loop, close_handle, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	MUST(uv_loop_close(&loop) == 0);
	for (; opened != NULL; opened = next) {
		next = opened->next;
		free(opened);
	}
}

static void on_moment(uv_timer_t *timer)
{
	(void)timer;
}

static void side_turn(void)
{
	uv_timer_t moment;

	/* Without something to wait for it would not wait. Repeating: one that is due at once
	 * is called before the wait, which would then have no end. */
	uv_update_time(&loop);
	MUST(uv_timer_init(&loop, &moment) == 0);
	MUST(uv_timer_start(&moment, on_moment, 5, 5) == 0);
	uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&moment, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static int side_run(void)
{
	return uv_run(&loop, UV_RUN_DEFAULT) != 0;
}

static void side_end_run(void)
{
	uv_stop(&loop);
}

const struct side uv_side = {
	.name = "libuv", .start = side_start, .stop = side_stop, .turn = side_turn, .run = side_run,
	.end_run = side_end_run, .open = side_open, .read = side_read, .write = side_write, .close = side_close,
	.connect = side_connect, .listen = side_listen, .timer = side_timer, .signal = side_signal,
	.wake = side_wake, .level = side_level, .level_end = side_level_end,
};
