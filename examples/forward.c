/* forward: a port forwarder that never holds more than a little of a connection.
 *
 *     forward LISTEN TARGET           forward 127.0.0.1:8080 127.0.0.1:80
 *
 * For each connection another one to the target is made; what comes on one side is written to
 * the other. Who sends faster than the other side takes is not read until that has caught
 * up: when the unsent bytes of one side reach the high mark the other is paused, and at the
 * low mark resumed. So its sender feels it, through the kernel's own flow control. */
#include <brink.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HIGH (256u << 10)

/* A side's data is the pair; each keeps the ids of both. */
struct pair {
	brink_socket_id ids[2];
	int open; /* sides that on_close has not been called for */
};

struct forwarder {
	brink_loop *loop;
	struct brink_address target;
};

static brink_socket_id other_of(const struct pair *pair, brink_socket *socket)
{
	return pair->ids[brink_socket_get_id(socket) == pair->ids[0] ? 1 : 0];
}

/* The other side, with a reference; NULL when it is gone. */
static brink_socket *other(const struct pair *pair, brink_socket *socket)
{
	return brink_socket_address(other_of(pair, socket));
}

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	brink_socket *to = other(arg, socket);
	int result;

	if (to == NULL)
		return; /* our own end is on its way, too */
	result = brink_socket_write(to, in); /* the blocks are moved, not copied */
	brink_socket_release(to);
	if (result < 0)
		brink_socket_fail(brink_socket_get_id(socket), result, "forwarding");
}

/* One side ended: the other is told, and may still answer. */
static void on_end(brink_socket *socket, void *arg)
{
	brink_socket *to = other(arg, socket);

	if (to == NULL)
		return;
	brink_socket_shutdown(to);
	brink_socket_release(to);
}

static void on_high(brink_socket *socket, void *arg)
{
	brink_socket *from = other(arg, socket);

	if (from == NULL)
		return;
	brink_socket_pause(from);
	brink_socket_release(from);
}

static void on_low(brink_socket *socket, void *arg)
{
	brink_socket *from = other(arg, socket);

	if (from == NULL)
		return;
	brink_socket_resume(from);
	brink_socket_release(from);
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct pair *pair = arg;

	(void)text;
	/* An end that was not orderly is passed on as what it was. After an orderly one the other
	 * side ends by itself, when it has sent what it still has. */
	if (error < 0)
		brink_socket_abort(other_of(pair, socket));
	if (--pair->open == 0)
		free(pair);
}

static void on_accept(brink_listener *listener, int fd, const struct brink_address *peer, void *arg)
{
	struct forwarder *forwarder = arg;
	struct pair *pair = calloc(1, sizeof *pair);
	struct brink_socket_options options = {
		.on_bytes = on_bytes,
		.on_end = on_end,
		.on_high = on_high,
		.on_low = on_low,
		.on_close = on_close,
		.arg = pair,
		.high_water = HIGH,
	};

	(void)listener;
	(void)peer;
	options.address = &forwarder->target;
	if (pair == NULL || brink_socket_create(&pair->ids[1], forwarder->loop, &options) < 0) {
		free(pair);
		close(fd);
		return;
	}
	pair->open = 1;
	options.address = NULL;
	options.fd = fd;
	/* No callback comes before we return: both ids are known to all of them. */
	if (brink_socket_create(&pair->ids[0], forwarder->loop, &options) == 0) {
		pair->open = 2;
		return;
	}
	close(fd);
	brink_socket_fail(pair->ids[1], -ECONNABORTED, NULL);
}

static void on_signal(brink_signal *signal)
{
	brink_loop_stop(signal->loop);
}

static int forward(struct forwarder *forwarder, const char *address)
{
	static const int numbers[2] = {SIGINT, SIGTERM};
	struct brink_address bound;
	char text[BRINK_ADDRESS_TEXT];
	brink_listener *listener;
	brink_signal signals[2];
	int result = brink_listener_create(&listener, forwarder->loop, &(struct brink_listener_options){
		.address = address, .on_accept = on_accept, .arg = forwarder});

	if (result < 0)
		return result;
	for (int i = 0; i < 2; i++) {
		brink_signal_init(&signals[i], on_signal);
		result = result == 0 ? brink_signal_start(forwarder->loop, &signals[i], numbers[i]) : result;
	}
	brink_listener_address(listener, &bound);
	brink_address_format(&bound, text, sizeof text);
	if (result == 0) {
		printf("%s: forwarding\n", text);
		fflush(stdout);
		result = brink_loop_run(forwarder->loop);
	}
	for (int i = 0; i < 2; i++)
		brink_signal_stop(&signals[i]);
	brink_listener_destroy(listener);
	return result;
}

int main(int argc, char **argv)
{
	struct forwarder forwarder = {.loop = NULL};
	int result;

	if (argc != 3 || brink_address_parse(&forwarder.target, argv[2]) < 0) {
		fprintf(stderr, "usage: forward LISTEN TARGET\n");
		return 2;
	}
	result = brink_loop_create(&forwarder.loop, NULL);
	if (result == 0)
		result = forward(&forwarder, argv[1]);
	brink_loop_destroy(forwarder.loop); /* which ends the connections */
	if (result < 0)
		fprintf(stderr, "forward: %s\n", brink_strerror(result));
	return result < 0;
}
