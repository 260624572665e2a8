/* The connections of a server. They share one configuration for each gate, by which they are
 * known; in it the server stands between the socket and the user's on_close. */
#include "config.h"

#include "server.h"

#include <errno.h>

static void left(brink_server *server)
{
	if (atomic_fetch_sub(&server->open, 1) == 1 && atomic_load(&server->closing))
		brink__server_tell(server, &server->emptied, &server->emptied_posted);
	brink__server_release(server);
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct brink__gate *gate = socket->config->owner;
	brink_server *server = gate->server;

	if (server->on_close != NULL)
		server->on_close(socket, error, text, arg);
	if (gate->limited)
		brink_listener_closed(gate->listener);
	atomic_fetch_add_explicit(&server->closed, 1, memory_order_relaxed);
	left(server);
}

int brink__server_config(struct brink__gate *gate, const struct brink_server_options *options)
{
	const brink_server *server = gate->server;
	struct brink_socket_options socket = options->socket;
	int rc;

	/* The listener sees to the descriptor's options. */
	socket.flags |= BRINK_SOCKET_AS_IT_IS;
	socket.on_open = options->on_open;
	socket.on_bytes = server->messenger == NULL ? options->on_bytes : NULL;
	socket.on_close = on_close;
	socket.on_written = options->on_write_complete;
	socket.arg = options->arg;
	socket.messenger = server->messenger;
	if (options->on_bytes != NULL && options->executor != NULL)
		socket.executor = options->executor;
	rc = brink__socket_config_create(&gate->config, &socket);
	if (rc == 0)
		gate->config->owner = gate;
	return rc;
}

int brink__server_adopt(struct brink__gate *gate, int fd)
{
	brink_server *server = gate->server;
	brink_loop *loop = gate->serves ? gate->loop : brink_group_place(server->group, fd);
	brink_socket_id id;
	int rc, cut_off;

	brink__server_hold(server);
	/* Counted before the look: either it is seen here that all are cut off, or who cuts them
	 * off sees that the server is not empty. */
	atomic_fetch_add(&server->open, 1);
	rc = atomic_load(&server->cut_off);
	if (rc == 0)
		rc = brink__socket_adopt(&id, loop, fd, gate->config);
	if (rc < 0) {
		left(server);
		return rc;
	}
	atomic_fetch_add_explicit(&server->accepted, 1, memory_order_relaxed);
	/* Likewise: seen here, or found by who walks through all. */
	cut_off = atomic_load(&server->cut_off);
	if (cut_off != 0)
		brink_socket_fail(id, cut_off, "the server has stopped");
	return 0;
}

static bool is_ours(const brink_server *server, brink_socket *socket)
{
	for (unsigned i = 0; i < server->gate_count; i++)
		if (socket->config == server->gates[i].config)
			return true;
	return false;
}

brink_socket *brink__server_walk(brink_server *server, uint32_t *index)
{
	brink_socket *socket;

	while ((socket = brink__slot_walk(index)) != NULL) {
		if (is_ours(server, socket))
			return socket;
		brink_socket_release(socket);
	}
	return NULL;
}

void brink__server_cut_off(brink_server *server, int error, const char *text)
{
	brink_socket *socket;
	uint32_t index = 0;

	atomic_store(&server->cut_off, error);
	while ((socket = brink__server_walk(server, &index)) != NULL) {
		brink__socket_fail(socket, error, text);
		brink_socket_release(socket);
	}
}

long brink_server_each(brink_server *server, brink_server_each_fn *fn, void *arg)
{
	brink_socket *socket;
	uint32_t index = 0;
	long calls = 0;
	int over = 0;

	while (!over && (socket = brink__server_walk(server, &index)) != NULL) {
		brink_socket_id id = brink_socket_get_id(socket);
		bool told = atomic_load(&socket->state) >= BRINK_SOCKET_OPEN;

		brink_socket_release(socket);
		if (told) {
			calls++;
			over = fn(id, arg);
		}
	}
	return calls;
}

void brink_server_counters(brink_server *server, struct brink_server_counts *counts)
{
	*counts = (struct brink_server_counts){
		.accepted = atomic_load(&server->accepted),
		.refused = atomic_load(&server->refused),
		.closed = atomic_load(&server->closed),
		.open = atomic_load(&server->open),
		.shed = atomic_load(&server->listening.shed),
		.errors = atomic_load(&server->listening.errors),
	};
}
