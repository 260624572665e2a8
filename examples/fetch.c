/* fetch: connects to a name, says some lines, and prints what comes back.
 *
 *     fetch HOST:PORT [LINE ...]
 *     fetch www.example.org:80 'GET / HTTP/1.0' 'Host: www.example.org' ''
 *
 * The addresses of the name are tried as RFC 8305 has it: the first that answers is it. What is
 * written before the connection stands is sent when it does. */
#include <brink.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int status;

static void on_open(brink_socket *socket, void *arg)
{
	char text[BRINK_ADDRESS_TEXT];
	struct brink_address peer;

	if (brink_socket_peer(socket, &peer) == 0 && brink_address_format(&peer, text, sizeof text) > 0)
		fprintf(stderr, "fetch: %s is at %s\n", (const char *)arg, text);
}

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	char part[4096];
	size_t size;

	(void)socket;
	(void)arg;
	while ((size = brink_buffer_length(in)) > 0) {
		if (size > sizeof part)
			size = sizeof part;
		brink_buffer_copy(in, 0, part, size);
		brink_buffer_pop(in, size);
		fwrite(part, 1, size, stdout);
	}
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	(void)socket;
	(void)arg;
	if (error < 0) {
		fprintf(stderr, "fetch: %s: %s\n", text, brink_strerror(error));
		status = 1;
	}
}

static int say(brink_socket_id id, int count, char **lines)
{
	brink_socket *socket = brink_socket_address(id);
	int result = 0;

	if (socket == NULL)
		return 0; /* on_close tells why */
	for (int i = 0; i < count && result == 0; i++) {
		result = brink_socket_write_bytes(socket, lines[i], strlen(lines[i]));
		if (result == 0)
			result = brink_socket_write_bytes(socket, "\r\n", 2);
	}
	if (result == 0)
		result = brink_socket_shutdown(socket);
	brink_socket_release(socket);
	return result;
}

int main(int argc, char **argv)
{
	brink_loop *loop = NULL;
	brink_socket_id id;
	int result;

	if (argc < 2) {
		fprintf(stderr, "usage: fetch HOST:PORT [LINE ...]\n");
		return 2;
	}
	result = brink_loop_create(&loop, NULL);
	if (result == 0)
		result = brink_socket_create(&id, loop, &(struct brink_socket_options){
			.name = argv[1],
			.on_open = on_open,
			.on_bytes = on_bytes,
			.on_close = on_close,
			.arg = argv[1],
			.connect_timeout = BRINK_SECONDS(20),
		});
	if (result == 0)
		result = say(id, argc - 2, argv + 2);
	if (result == 0)
		result = brink_loop_run(loop); /* until the connection has ended */
	brink_loop_destroy(loop);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("fetch: standard output");
		status = 1;
	}
	if (result < 0)
		fprintf(stderr, "fetch: %s\n", brink_strerror(result));
	return result < 0 ? 1 : status;
}
