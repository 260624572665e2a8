/* An HTTP server on libuv, with the parser that libbrink has. It does what it must: one buffer for
 * all reads, since the parser takes all that came; of a request only its target is kept; the head of
 * a reply is put together for it, with a date that a timer renews, and goes out with the page
 * in one uv_try_write(). What a server for the world has beside that, limits, timeouts and checks of
 * what the parser lets through, it has not. */
#include "page.h"
#include "parser.h"
#include "peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define MOST_TARGET 1024
#define MOST_HEAD 256

struct connection {
	uv_tcp_t tcp;
	http_machine parser;
	bool last; /* it ends when what was written has gone out */
	size_t target_size;
	char target[MOST_TARGET];
};

/* What was not written at once. */
struct rest {
	uv_write_t write;
	char bytes[];
};

static struct {
	char *bytes;
	size_t size;
} page;
static char date[DATE_SIZE];

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

static void end(struct connection *connection)
{
	if (!uv_is_closing((uv_handle_t *)&connection->tcp))
		uv_close((uv_handle_t *)&connection->tcp, on_closed);
}

/* ---- replies ---- */

static void on_written(uv_write_t *write, int status)
{
	struct connection *connection = (struct connection *)write->handle;

	free(write);
	if (status < 0 || (connection->last && uv_stream_get_write_queue_size((uv_stream_t *)&connection->tcp) == 0))
		end(connection);
}

static int write_rest(struct connection *connection, const uv_buf_t parts[2], size_t sent)
{
	struct rest *rest = malloc(sizeof *rest + parts[0].len + parts[1].len);
	uv_buf_t buffer;
	int rc;

	if (rest == NULL)
		return -ENOMEM;
	memcpy(rest->bytes, parts[0].base, parts[0].len);
	memcpy(rest->bytes + parts[0].len, parts[1].base, parts[1].len);
	buffer = uv_buf_init(rest->bytes + sent, (unsigned)(parts[0].len + parts[1].len - sent));
	rc = uv_write(&rest->write, (uv_stream_t *)&connection->tcp, &buffer, 1, on_written);
	if (rc < 0)
		free(rest);
	return rc;
}

static char *put(char *at, const char *text, size_t size)
{
	memcpy(at, text, size);
	return at + size;
}

static char *put_number(char *at, size_t number)
{
	char digits[24];
	size_t begin = sizeof digits;

	do
		digits[--begin] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	return put(at, digits + begin, sizeof digits - begin);
}

#define PUT(at, text) put(at, text, sizeof(text) - 1)

/* By hand: snprintf() would take more than all the rest of the server. */
static size_t write_head(char head[MOST_HEAD], bool last)
{
	char *at = PUT(head, "HTTP/1.1 200 OK\r\nDate: ");

	at = put(at, date, DATE_SIZE - 1);
	at = PUT(at, "\r\nContent-Type: " PAGE_TYPE "\r\nContent-Length: ");
	at = put_number(at, page.size);
	at = last ? PUT(at, "\r\nConnection: close\r\n\r\n") : PUT(at, "\r\n\r\n");
	return (size_t)(at - head);
}

static int reply(struct connection *connection)
{
	char head[MOST_HEAD];
	size_t size = write_head(head, connection->last);
	uv_buf_t parts[2] = {uv_buf_init(head, (unsigned)size), uv_buf_init(page.bytes, (unsigned)page.size)};
	int sent = uv_try_write((uv_stream_t *)&connection->tcp, parts, 2);

	/* UV_EAGAIN is nothing written, and another error is uv_write()'s, too. */
	if (sent != (int)(size + page.size))
		return write_rest(connection, parts, sent > 0 ? (size_t)sent : 0);
	if (connection->last)
		end(connection);
	return 0;
}

/* ---- requests ---- */

static int on_begin(http_machine *parser)
{
	((struct connection *)parser->data)->target_size = 0;
	return 0;
}

static int on_target(http_machine *parser, const char *at, size_t size)
{
	struct connection *connection = parser->data;

	if (connection->target_size + size > MOST_TARGET)
		return -1;
	memcpy(connection->target + connection->target_size, at, size);
	connection->target_size += size;
	return 0;
}

static int on_complete(http_machine *parser)
{
	struct connection *connection = parser->data;

	connection->last = !parser_keeps_alive(parser);
	return reply(connection);
}

static const http_callbacks settings = {
	.on_message_begin = on_begin, .on_url = on_target, .on_message_complete = on_complete};

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	static char bytes[65536];

	(void)handle;
	(void)suggested;
	*buffer = uv_buf_init(bytes, sizeof bytes);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	struct connection *connection = (struct connection *)stream;

	if (n < 0 || (n > 0 && !parser_take(&connection->parser, &settings, buffer->base, (size_t)n)))
		end(connection);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct connection *connection = calloc(1, sizeof *connection);

	if (status < 0 || connection == NULL)
		abort();
	uv_tcp_init(listener->loop, &connection->tcp);
	if (uv_accept(listener, (uv_stream_t *)&connection->tcp) < 0) {
		end(connection);
		return;
	}
	parser_begin(&connection->parser, &settings);
	connection->parser.data = connection;
	uv_tcp_nodelay(&connection->tcp, 1);
	uv_read_start((uv_stream_t *)&connection->tcp, on_allocate, on_read);
}

static void on_second(uv_timer_t *timer)
{
	(void)timer;
	write_date(date);
}

static int serve(int listener, const char *backend, size_t size)
{
	uv_loop_t *loop = uv_default_loop();
	uv_timer_t timer;
	uv_tcp_t tcp;
	int rc;

	(void)backend;
	page.bytes = make_page(size);
	page.size = size;
	uv_timer_init(loop, &timer);
	uv_timer_start(&timer, on_second, 0, 1000);
	uv_tcp_init(loop, &tcp);
	rc = uv_tcp_open(&tcp, listener);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&tcp, 4096, on_connection);
	if (rc == 0)
		uv_run(loop, UV_RUN_DEFAULT);
	return rc < 0 ? rc : -ECANCELED;
}

const struct peer peer_libuv_http = {
	.name = "libuv-http",
	.about = "libuv, an HTTP server with libbrink's parser, uv_try_write()",
	.serve_http = serve,
};
