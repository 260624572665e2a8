/* libuv's loop and a brink loop of each backend, one inside the other, both ways round. What
 * the inner loop does not tell the outer one is a hang. */
#include <brink.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define HANG 60 /* seconds for a backend, one way */
#define ROUNDS 5

static unsigned passed, skipped;
static const char *playing, *playing_on;

#define CHECK(condition) ((condition) ? (void)0 : complain(#condition, __LINE__))

static void complain(const char *what, int line)
{
	printf("FAIL %s: %s: line %d: not so: %s\n", playing_on, playing, line, what);
	printf("%u passed, 1 failed, %u skipped\n", passed, skipped);
	exit(1);
}

static void on_hang(int number)
{
	static const char text[] = "FAIL a hang\n0 passed, 1 failed, 0 skipped\n";

	(void)number;
	_exit(write(STDOUT_FILENO, text, sizeof text - 1) < 0 ? 2 : 1);
}

static brink_loop *loop;
static uv_loop_t uv;
static unsigned calls; /* of the inner loop */

static void sleep_a_moment(void)
{
	usleep(10000); /* most likely the loop waits by then */
}

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

/* ---- a brink loop inside libuv's ---- */

static uv_poll_t *poller; /* of the brink loop's descriptor */
static int polled;
static uv_prepare_t before;
static uv_timer_t limit;
static brink_watch watch;
static brink_timer timer;
static brink_task task;

static void serve(void)
{
	CHECK(brink_loop_run_once(loop, 0) >= 0);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
	(void)handle;
	CHECK(status == 0 && events == UV_READABLE);
	serve();
}

static void on_limit(uv_timer_t *handle)
{
	(void)handle;
	serve();
}

/* The descriptor may be another one after each brink_loop_prepare(). */
static void poll_descriptor(void)
{
	int fd = brink_loop_fd(loop);

	CHECK(fd >= 0);
	if (poller && fd == polled)
		return;
	if (poller)
		uv_close((uv_handle_t *)poller, free_handle); /* stops it, too */
	polled = fd;
	poller = malloc(sizeof *poller);
	CHECK(poller);
	CHECK(uv_poll_init(&uv, poller, fd) == 0 && uv_poll_start(poller, UV_READABLE, on_poll) == 0);
}

/* Before libuv waits. Its timers count whole milliseconds. */
static void on_prepare(uv_prepare_t *handle)
{
	int64_t timeout = -2;

	(void)handle;
	CHECK(brink_loop_prepare(loop, &timeout) == 0 && timeout >= -1);
	poll_descriptor();
	uv_timer_stop(&limit);
	if (timeout >= 0)
		CHECK(uv_timer_start(&limit, on_limit, (uint64_t)(timeout + 999999) / 1000000, 0) == 0);
}

static void on_watch(brink_watch *self, unsigned ready)
{
	char byte;

	(void)ready;
	while (brink_watch_read(self, &byte, 1) == 1)
		calls++;
}

static void on_timer(brink_timer *self)
{
	(void)self;
	calls++;
}

static void on_task(brink_task *self)
{
	(void)self;
	calls++;
}

static void *post(void *unused)
{
	sleep_a_moment();
	brink_task_post(loop, &task);
	return unused;
}

static void turn_until(unsigned wanted)
{
	while (calls < wanted)
		uv_run(&uv, UV_RUN_ONCE);
	CHECK(calls == wanted);
}

struct round {
	unsigned index;
	int written; /* the end of the pipe to write to */
};

static void *play_round(void *argument)
{
	struct round *round = argument;
	pthread_t thread;

	CHECK(write(round->written, "x", 1) == 1);
	turn_until(3 * round->index + 1);
	CHECK(brink_timer_start(loop, &timer, BRINK_MS(3), 0) == 0);
	turn_until(3 * round->index + 2);
	CHECK(pthread_create(&thread, NULL, post, NULL) == 0);
	turn_until(3 * round->index + 3);
	CHECK(pthread_join(thread, NULL) == 0);
	return NULL;
}

/* Each round but the last on a thread of its own, to which both loops move: some backends
 * have another descriptor there. */
static void play_inner_brink(int written)
{
	struct round round = {0, written};
	pthread_t thread;

	for (; round.index < ROUNDS - 1; round.index++) {
		CHECK(pthread_create(&thread, NULL, play_round, &round) == 0);
		CHECK(pthread_join(thread, NULL) == 0);
	}
	play_round(&round);
}

static void brink_inside(void)
{
	int fds[2];

	if (!(brink_loop_features(loop) & BRINK_FEATURE_FD)) {
		CHECK(brink_loop_fd(loop) == -ENOTSUP);
		return;
	}
	CHECK(pipe(fds) == 0 && fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
	poller = NULL;
	CHECK(uv_prepare_init(&uv, &before) == 0 && uv_prepare_start(&before, on_prepare) == 0);
	CHECK(uv_timer_init(&uv, &limit) == 0);
	brink_watch_init(&watch, on_watch);
	brink_timer_init(&timer, on_timer);
	brink_task_init(&task, on_task);
	CHECK(brink_watch_start(loop, &watch, fds[0], BRINK_READ) == 0);
	play_inner_brink(fds[1]);
	CHECK(brink_watch_close(&watch) == 0);
	close(fds[1]);
	uv_close((uv_handle_t *)poller, free_handle);
	uv_close((uv_handle_t *)&before, NULL);
	uv_close((uv_handle_t *)&limit, NULL);
	CHECK(uv_run(&uv, UV_RUN_DEFAULT) == 0);
}

/* ---- libuv's loop inside a brink loop ---- */

/* 1.44: an older uv_backend_timeout() may not tell that callbacks have started something
 * that only the next uv_run() hands to the kernel. */
#define UV_TELLS_CHANGES 0x012c00u

static brink_hook prepare;

static void turn_uv(void)
{
	uv_run(&uv, UV_RUN_NOWAIT);
}

static void on_backend(brink_watch *self, unsigned ready)
{
	(void)self;
	CHECK(ready & BRINK_READ);
	turn_uv();
}

static void on_timeout(brink_timer *self)
{
	(void)self;
	turn_uv();
}

/* Before the brink loop waits. A libuv with nothing to wait for must not keep it running. */
static void on_hook(brink_hook *self)
{
	int timeout;

	(void)self;
	brink_timer_stop(&timer);
	if (!uv_loop_alive(&uv)) {
		brink_watch_stop(&watch);
		return;
	}
	uv_update_time(&uv);
	timeout = uv_backend_timeout(&uv);
	if (timeout >= 0)
		CHECK(brink_timer_start(loop, &timer, BRINK_MS((uint64_t)timeout), 0) == 0);
}

/* Until libuv has nothing left. */
static void run_inner_uv(void)
{
	turn_uv(); /* hands what was started to the kernel */
	CHECK(brink_watch_start(loop, &watch, uv_backend_fd(&uv), BRINK_READ | BRINK_LEVEL) == 0);
	CHECK(brink_loop_run(loop) == 0);
	CHECK(!uv_loop_alive(&uv) && !brink_watch_active(&watch));
}

static void on_uv_timer(uv_timer_t *self)
{
	calls++;
	uv_close((uv_handle_t *)self, NULL);
}

/* A brink loop that did not sleep meanwhile would turn thousands of times. */
static void timer_fires(void)
{
	struct brink_counters first, last;
	uv_timer_t handle;

	brink_loop_counters(loop, &first);
	CHECK(uv_timer_init(&uv, &handle) == 0 && uv_timer_start(&handle, on_uv_timer, 20, 0) == 0);
	run_inner_uv();
	CHECK(calls == 1);
	brink_loop_counters(loop, &last);
	CHECK(last.turns - first.turns <= 100);
}

static void on_async(uv_async_t *self)
{
	calls++;
	CHECK(pthread_join(*(pthread_t *)self->data, NULL) == 0);
	uv_close((uv_handle_t *)self, NULL);
}

static void *send_async(void *async)
{
	sleep_a_moment();
	return uv_async_send(async) == 0 ? NULL : async;
}

static void async_is_called(void)
{
	pthread_t thread;
	uv_async_t async = {.data = &thread};

	CHECK(uv_async_init(&uv, &async, on_async) == 0);
	CHECK(pthread_create(&thread, NULL, send_async, &async) == 0);
	run_inner_uv();
	CHECK(calls == 1);
}

/* Client and server on one libuv loop: what the client sends comes back, more than fits into
 * the sockets' buffers at once. */
#define SIZE ((size_t)4 << 20)

struct echo {
	uv_tcp_t listener, server, client;
	uv_connect_t connect;
	uv_write_t sent;
	uv_shutdown_t end;
	char *bytes;
	size_t returned;
};

static void allocate(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
	(void)handle;
	*buffer = uv_buf_init(malloc(size), (unsigned)size);
	CHECK(buffer->base);
}

static void on_echoed(uv_write_t *request, int status)
{
	CHECK(status == 0);
	free(request->data);
	free(request);
}

static void on_server_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
	uv_buf_t piece = uv_buf_init(buffer->base, (unsigned)size);
	uv_write_t *request;

	if (size <= 0) {
		free(buffer->base);
		CHECK(size == 0 || size == UV_EOF);
		if (size == UV_EOF)
			uv_close((uv_handle_t *)stream, NULL);
		return;
	}
	request = malloc(sizeof *request);
	CHECK(request);
	request->data = buffer->base;
	CHECK(uv_write(request, stream, &piece, 1, on_echoed) == 0);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct echo *echo = listener->data;

	CHECK(status == 0 && uv_tcp_init(&uv, &echo->server) == 0);
	CHECK(uv_accept(listener, (uv_stream_t *)&echo->server) == 0);
	CHECK(uv_read_start((uv_stream_t *)&echo->server, allocate, on_server_read) == 0);
	uv_close((uv_handle_t *)listener, NULL);
}

static void on_ended(uv_shutdown_t *request, int status)
{
	CHECK(status == 0);
	uv_close((uv_handle_t *)request->handle, NULL);
}

static void on_client_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
	struct echo *echo = stream->data;

	CHECK(size >= 0 && (size_t)size <= SIZE - echo->returned);
	CHECK(memcmp(buffer->base, echo->bytes + echo->returned, (size_t)size) == 0);
	free(buffer->base);
	echo->returned += (size_t)size;
	if (size && echo->returned == SIZE)
		CHECK(uv_shutdown(&echo->end, stream, on_ended) == 0);
}

static void on_sent(uv_write_t *request, int status)
{
	(void)request;
	CHECK(status == 0);
	calls++;
}

static void on_connect(uv_connect_t *request, int status)
{
	struct echo *echo = request->handle->data;
	uv_buf_t all = uv_buf_init(echo->bytes, SIZE);

	CHECK(status == 0);
	CHECK(uv_read_start(request->handle, allocate, on_client_read) == 0);
	CHECK(uv_write(&echo->sent, request->handle, &all, 1, on_sent) == 0);
}

static void start_echo(struct echo *echo)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int length = sizeof address;
	uv_tcp_t *listener = &echo->listener, *client = &echo->client;

	CHECK(uv_tcp_init(&uv, listener) == 0 && uv_tcp_init(&uv, client) == 0);
	listener->data = client->data = echo;
	CHECK(uv_tcp_bind(listener, (struct sockaddr *)&address, 0) == 0);
	CHECK(uv_listen((uv_stream_t *)listener, 1, on_connection) == 0);
	CHECK(uv_tcp_getsockname(listener, (struct sockaddr *)&address, &length) == 0);
	CHECK(uv_tcp_connect(&echo->connect, client, (struct sockaddr *)&address, on_connect) == 0);
}

static void bytes_return(void)
{
	struct echo echo = {.bytes = malloc(SIZE)};

	CHECK(echo.bytes);
	for (size_t i = 0; i < SIZE; i++)
		echo.bytes[i] = (char)(i * 7 + i / 251);
	start_echo(&echo);
	run_inner_uv();
	CHECK(calls == 1 && echo.returned == SIZE);
	free(echo.bytes);
}

static void libuv_inside(void)
{
	static void (*const scenes[])(void) = {timer_fires, async_is_called, bytes_return};

	brink_watch_init(&watch, on_backend);
	brink_timer_init(&timer, on_timeout);
	brink_hook_init(&prepare, on_hook);
	CHECK(brink_hook_start(loop, &prepare, BRINK_HOOK_PREPARE) == 0);
	for (size_t i = 0; i < ROUNDS * sizeof scenes / sizeof *scenes; i++) {
		calls = 0;
		scenes[i % (sizeof scenes / sizeof *scenes)]();
	}
	CHECK(brink_hook_stop(&prepare) == 0);
}

/* ---- */

static void play(const char *name, void (*scene)(void), const struct brink_backend_info *backend)
{
	playing = name;
	playing_on = backend->name;
	if (backend->status) {
		printf("skip %s: %s: %s\n", playing_on, playing, brink_strerror(backend->status));
		skipped++;
		return;
	}
	calls = 0;
	alarm(HANG);
	CHECK(brink_loop_create(&loop, &(struct brink_loop_options){.backend = backend->name}) == 0);
	CHECK(uv_loop_init(&uv) == 0);
	scene();
	CHECK(uv_loop_close(&uv) == 0);
	CHECK(brink_loop_destroy(loop) == 0);
	alarm(0);
	printf("ok   %s: %s\n", playing_on, playing);
	passed++;
}

int main(void)
{
	struct brink_backend_info backends[8];
	size_t count = brink_backends(backends, 8);

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGALRM, on_hang);
	CHECK(count <= 8);
	for (size_t i = 0; i < count; i++) {
		play("a brink loop inside libuv's", brink_inside, &backends[i]);
		if (uv_version() >= UV_TELLS_CHANGES)
			play("libuv's loop inside a brink loop", libuv_inside, &backends[i]);
	}
	printf("%u passed, 0 failed, %u skipped\n", passed, skipped);
	return 0;
}
