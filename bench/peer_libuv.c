/* libuv: streams that are read into one shared buffer, and written by uv_try_write() or, in a
 * second peer, by uv_write(). */
#include "echo_by_hand.h"
#include "peers.h"

#include <uv.h>

/* What is read, and then written from where it is. They are kept for the next read: malloc()
 * would return such large pieces to the system each time. */
struct request {
	uv_write_t write;
	struct request *next;
	char bytes[SCRATCH];
};

static struct request *unused;
static bool always_queued;

static struct request *request_take(void)
{
	struct request *request = unused != NULL ? unused : malloc(sizeof *request);

	if (request == NULL)
		abort();
	if (request == unused)
		unused = request->next;
	return request;
}

static void request_return(struct request *request)
{
	request->next = unused;
	unused = request;
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	(void)handle;
	(void)suggested;
	*buffer = uv_buf_init(request_take()->bytes, SCRATCH);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

static void on_written(uv_write_t *write, int status)
{
	(void)status;
	request_return((struct request *)write);
}

/* Returns how many bytes were written at once: all, or those that were left are queued. */
static int write_back(uv_stream_t *stream, struct request *request, size_t size)
{
	uv_buf_t rest = uv_buf_init(request->bytes, (unsigned)size);
	int sent = always_queued ? 0 : uv_try_write(stream, &rest, 1);

	if (sent == (int)size)
		return sent;
	if (sent > 0)
		rest = uv_buf_init(request->bytes + sent, (unsigned)size - (unsigned)sent);
	/* UV_EAGAIN is nothing written, and another error is this one's, too. */
	return uv_write(&request->write, stream, &rest, 1, on_written);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	struct request *request =
		buffer->base != NULL ? (struct request *)(void *)(buffer->base - offsetof(struct request, bytes)) : NULL;

	if (n > 0 && write_back(stream, request, (size_t)n) == 0)
		return; /* until on_written() */
	if (request != NULL)
		request_return(request);
	if (n < 0)
		uv_close((uv_handle_t *)stream, on_closed);
}

static void on_connection(uv_stream_t *listener, int status)
{
	uv_tcp_t *connection = malloc(sizeof *connection);

	if (status < 0 || connection == NULL)
		abort();
	uv_tcp_init(listener->loop, connection);
	if (uv_accept(listener, (uv_stream_t *)connection) < 0) {
		uv_close((uv_handle_t *)connection, on_closed);
		return;
	}
	uv_tcp_nodelay(connection, 1);
	uv_read_start((uv_stream_t *)connection, on_allocate, on_read);
}

static int serve(int listener, const char *backend)
{
	uv_loop_t *loop = uv_default_loop();
	uv_tcp_t tcp;
	int rc;

	(void)backend;
	uv_tcp_init(loop, &tcp);
	rc = uv_tcp_open(&tcp, listener);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&tcp, 4096, on_connection);
	if (rc == 0)
		uv_run(loop, UV_RUN_DEFAULT);
	return rc < 0 ? rc : -ECANCELED;
}

static int serve_queued(int listener, const char *backend)
{
	always_queued = true;
	return serve(listener, backend);
}

const struct peer peer_libuv = {
	.name = "libuv",
	.about = "libuv, uv_try_write()",
	.serve = serve,
	.timers = &libuv_timers,
	.jobs = &libuv_jobs,
};

const struct peer peer_libuv_write = {
	.name = "libuv-write",
	.about = "libuv, uv_write()",
	.serve = serve_queued,
	.writes = &libuv_writes,
};
