/* echo-group: sends back whatever comes, on a loop for each processor.  echo-group [ADDRESS [LOOPS]]
 *
 * Where the kernel balances between several listeners, each loop accepts for itself. A second echo-group of
 * the same user on the port is not refused then: the two share the clients. */
#include <brink.h>

#include <stdio.h>
#include <stdlib.h>

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)arg;
	brink_socket_write(socket, in);
}

static int serve(brink_loop *loop, brink_group *group, const char *address)
{
	brink_server *server = NULL;
	struct brink_server_options options = {
		.address = address,
		.group = group,
		.flags = BRINK_SERVER_EACH_ACCEPTS,
		.on_bytes = on_bytes,
		.stop_on_signals = 1,
		.socket.idle_timeout = BRINK_SECONDS(300),
		.socket.unsent_limit = 1 << 20, /* what a client that only sends may cost */
	};
	int rc = brink_server_create(&server, loop, &options);

	if (rc == 0) {
		puts(brink_server_description(server));
		fflush(stdout);
		rc = brink_loop_run(loop);
	}
	brink_server_destroy(server);
	return rc;
}

int main(int argc, char **argv)
{
	struct brink_group_options threads = {.tag = "echo", .loops = argc > 2 ? (unsigned)atoi(argv[2]) : 0};
	brink_loop *loop = NULL;
	brink_group *group = NULL;
	int rc = brink_loop_create(&loop, NULL);

	if (rc == 0)
		rc = brink_group_create(&group, &threads);
	if (rc == 0)
		rc = serve(loop, group, argc > 1 ? argv[1] : "127.0.0.1:7000");
	if (rc < 0)
		fprintf(stderr, "echo-group: %s\n", brink_strerror(rc));
	brink_group_destroy(group);
	brink_loop_destroy(loop);
	return rc < 0;
}
