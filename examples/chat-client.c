/* chat-client: sends the lines of its standard input, prints the lines that come.
 *
 *     chat-client ADDRESS
 *
 * Ends when its input or the server does. Where the server takes nothing, nothing more is read. */
#include <brink.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct client {
	brink_loop *loop;
	brink_socket_id connection;
	brink_watch input;
	int result;
};

/* The input may be shared, as a terminal is with the shell and with the output: to make it non-blocking would do that
 * to all of them. So it is watched by level, and read once for each call, which does not block. */
static void on_input(brink_watch *watch, unsigned ready)
{
	struct client *client = brink_container_of(watch, struct client, input);
	brink_socket *socket = brink_socket_address(client->connection);
	char bytes[4096];
	ssize_t size;

	(void)ready;
	if (socket == NULL)
		return; /* on_close is on its way */
	size = read(STDIN_FILENO, bytes, sizeof bytes);
	if (size > 0) {
		int rc = brink_socket_write_bytes(socket, bytes, (size_t)size);

		if (rc < 0)
			brink_socket_fail(client->connection, rc, "sending");
	} else if (size == 0 || (errno != EINTR && errno != EAGAIN)) {
		brink_watch_stop(watch);
		brink_socket_close(socket); /* sends what is still queued */
	}
	brink_socket_release(socket);
}

static void on_high(brink_socket *socket, void *arg)
{
	struct client *client = arg;

	(void)socket;
	brink_watch_set(&client->input, 0);
}

static void on_low(brink_socket *socket, void *arg)
{
	struct client *client = arg;

	(void)socket;
	brink_watch_set(&client->input, BRINK_READ);
}

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	char bytes[4096];
	size_t size;

	(void)socket, (void)arg;
	while ((size = brink_buffer_copy(in, 0, bytes, sizeof bytes)) > 0) {
		fwrite(bytes, 1, size, stdout);
		brink_buffer_pop(in, size);
	}
	fflush(stdout);
}

static void on_open(brink_socket *socket, void *arg)
{
	struct client *client = arg;

	(void)socket;
	brink_watch_init(&client->input, on_input);
	client->result = brink_watch_start(client->loop, &client->input, STDIN_FILENO, BRINK_READ | BRINK_LEVEL);
	if (client->result == -EPERM)
		fputs("chat-client: a file is always ready, and cannot be watched: cat FILE | chat-client ...\n", stderr);
	if (client->result < 0)
		brink_loop_stop(client->loop);
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct client *client = arg;

	(void)socket, (void)text;
	client->result = error;
	brink_loop_stop(client->loop);
}

int main(int argc, char **argv)
{
	struct client client = {0};
	struct brink_address address;
	int rc = argc == 2 ? brink_address_parse(&address, argv[1]) : -EINVAL;

	if (rc == 0)
		rc = brink_loop_create(&client.loop, NULL);
	if (rc == 0)
		rc = brink_socket_create(&client.connection, client.loop, &(struct brink_socket_options){
			.address = &address, .on_open = on_open, .on_bytes = on_bytes, .on_close = on_close,
			.on_high = on_high, .on_low = on_low, .arg = &client});
	if (rc == 0)
		rc = brink_loop_run(client.loop);
	if (rc >= 0)
		rc = client.result;
	if (rc < 0)
		fprintf(stderr, "chat-client: %s\n", argc == 2 ? brink_strerror(rc) : "usage: chat-client ADDRESS");
	brink_loop_destroy(client.loop);
	return rc < 0;
}
