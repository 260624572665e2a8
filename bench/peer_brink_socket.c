/* libbrink's socket layer: a listener, and sockets that write back the buffer that came. */
#include "peers.h"

#include <brink.h>

#include <stdlib.h>

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)arg;
	if (brink_socket_write(socket, in) < 0)
		abort();
}

static void on_accept(brink_listener *listener, int fd, const struct brink_address *peer, void *arg)
{
	const struct brink_socket_options options = {
		.fd = fd, .flags = BRINK_SOCKET_AS_IT_IS | BRINK_SOCKET_TCP, .on_bytes = on_bytes};
	brink_socket_id id;

	(void)listener;
	(void)peer;
	if (brink_socket_create(&id, arg, &options) < 0)
		abort();
}

static int serve(int listener, const char *backend)
{
	struct brink_listener_options options = {.fd = listener, .on_accept = on_accept};
	brink_listener *accepting;
	brink_loop *loop;
	int rc = brink_loop_create(&loop, &(struct brink_loop_options){.backend = backend});

	options.arg = loop;
	if (rc == 0)
		rc = brink_listener_create(&accepting, loop, &options);
	return rc == 0 ? brink_loop_run(loop) : rc;
}

const struct peer peer_brink_socket = {
	.name = "brink-socket",
	.about = "libbrink, the socket layer",
	.has_backends = true,
	.serve = serve,
	.writes = &brink_writes,
};
