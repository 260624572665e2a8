/* chat-client: sends the lines of its standard input, prints the lines that come.
 *
 *     chat-client ADDRESS
 *
 * Ends when its input or the server does. */
#include <brink.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct client {
	brink_loop *loop;
	brink_socket_id connection;
	brink_watch input;
	int result;
};

static void on_input(brink_watch *watch, unsigned ready)
{
	struct client *client = brink_container_of(watch, struct client, input);
	brink_socket *socket = brink_socket_address(client->connection);
	char bytes[4096];
	ssize_t size;

	(void)ready;
	while ((size = brink_watch_read(watch, bytes, sizeof bytes)) > 0)
		if (socket != NULL)
			brink_socket_write_bytes(socket, bytes, (size_t)size);
	if (size != -EAGAIN) {
		brink_watch_stop(watch);
		if (socket != NULL)
			brink_socket_close(socket); /* sends what is still queued */
	}
	if (socket != NULL)
		brink_socket_release(socket);
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
	fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
	brink_watch_init(&client->input, on_input);
	client->result = brink_watch_start(client->loop, &client->input, STDIN_FILENO, BRINK_READ);
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
			.arg = &client});
	if (rc == 0)
		rc = brink_loop_run(client.loop);
	if (rc >= 0)
		rc = client.result;
	if (rc < 0)
		fprintf(stderr, "chat-client: %s\n", argc == 2 ? brink_strerror(rc) : "usage: chat-client ADDRESS");
	brink_loop_destroy(client.loop);
	return rc < 0;
}
