/* echo: sends back whatever comes, to any number of clients.  echo [ADDRESS] */
#include <brink.h>

#include <stdio.h>

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)arg;
	brink_socket_write(socket, in); /* moves the bytes; any thread might do this */
}

int main(int argc, char **argv)
{
	brink_loop *loop = NULL;
	brink_server *server = NULL;
	int rc = brink_loop_create(&loop, NULL);

	if (rc == 0)
		rc = brink_server_create(&server, loop, &(struct brink_server_options){
			.address = argc > 1 ? argv[1] : "127.0.0.1:7000", .on_bytes = on_bytes, .stop_on_signals = 1});
	if (rc == 0) {
		puts(brink_server_description(server));
		fflush(stdout);
		rc = brink_loop_run(loop); /* until SIGINT or SIGTERM */
	}
	if (rc < 0)
		fprintf(stderr, "echo: %s\n", brink_strerror(rc));
	brink_server_destroy(server);
	brink_loop_destroy(loop);
	return rc < 0;
}
