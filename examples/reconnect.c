/* reconnect: a client that survives its server's restarts.
 *
 *     reconnect ADDRESS [COUNT]
 *
 * Says "tick N" to an echo server ten times a second, until COUNT (0: without end) of them have
 * come back. When the connection is lost, or the server has said nothing for five seconds, the socket is
 * probed, and comes back under the same id: the timer, which knows nothing but the id, goes on as
 * if nothing had been. */
#include <brink.h>

#include <stdio.h>
#include <stdlib.h>

struct client {
	brink_timer timer;
	brink_socket_id id;
	unsigned long said, lost, heard, count;
};

static void say(const char *what, int error)
{
	printf("%s%s%s\n", what, error < 0 ? ": " : "", error < 0 ? brink_strerror(error) : "");
	fflush(stdout);
}

static void on_tick(brink_timer *timer)
{
	struct client *client = brink_container_of(timer, struct client, timer);
	brink_socket *socket = brink_socket_address(client->id);
	char line[32];
	int size = snprintf(line, sizeof line, "tick %lu\n", client->said++);

	/* NULL while it is down. */
	if (socket == NULL || brink_socket_write_bytes(socket, line, (size_t)size) < 0)
		client->lost++;
	if (socket != NULL)
		brink_socket_release(socket);
}

static void on_open(brink_socket *socket, void *arg)
{
	struct brink_socket_info info;

	(void)arg;
	brink_socket_get_info(socket, &info);
	say(info.lives == 1 ? "connected" : "connected again", 0);
}

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct client *client = arg;
	ssize_t end;

	while ((end = brink_buffer_find(in, 0, "\n", 1)) >= 0) {
		brink_buffer_pop(in, (size_t)end + 1);
		client->heard++;
	}
	brink_buffer_clear(in); /* the beginning of a line: its end is what counts */
	if (client->count == 0 || client->heard < client->count)
		return;
	brink_timer_stop(&client->timer);
	brink_socket_abandon(brink_socket_get_id(socket)); /* else it would come back */
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	(void)socket;
	(void)text;
	(void)arg;
	say("down", error);
}

int main(int argc, char **argv)
{
	struct client client = {.count = argc > 2 ? strtoul(argv[2], NULL, 10) : 0};
	struct brink_address address;
	brink_loop *loop = NULL;
	int result = argc < 2 ? -1 : brink_address_parse(&address, argv[1]);

	if (result < 0) {
		fprintf(stderr, "usage: reconnect ADDRESS [COUNT]\n");
		return 2;
	}
	brink_timer_init(&client.timer, on_tick);
	result = brink_loop_create(&loop, NULL);
	if (result == 0)
		result = brink_socket_create(&client.id, loop, &(struct brink_socket_options){
			.address = &address,
			.on_open = on_open,
			.on_bytes = on_bytes,
			.on_close = on_close,
			.arg = &client,
			.connect_timeout = BRINK_SECONDS(5),
			.read_timeout = BRINK_SECONDS(5),
			.probe_interval = BRINK_MS(50),
			.probe_interval_max = BRINK_SECONDS(5),
		});
	if (result == 0)
		result = brink_timer_start(loop, &client.timer, 0, BRINK_MS(100));
	if (result == 0)
		result = brink_loop_run(loop);
	brink_loop_destroy(loop);
	if (result < 0)
		fprintf(stderr, "reconnect: %s\n", brink_strerror(result));
	else
		printf("%lu said, %lu of them while it was down, %lu came back\n", client.said, client.lost, client.heard);
	return result < 0;
}
