/* The beginning of a life, on the loop: the connect ends, the transport shakes hands, and from
 * then on edges lead to the reader and to who waits to write. */
#include "config.h"

#include "socket.h"

#include <errno.h>

static void opened(brink_socket *socket)
{
	const struct brink_socket_options *options = brink__socket_options(socket);
	bool read = socket->early;

	/* By its own transport, for instance; what was to be written ends with it. */
	if (brink__socket_failed(socket))
		return;
	socket->early = false;
	atomic_store(&socket->state, BRINK_SOCKET_OPEN);
	brink__timing_opened(socket);
	if (socket->offloaded) {
		brink__socket_offload_greet(socket);
		read = true;
	} else if (options->on_open != NULL) {
		options->on_open(socket, options->arg);
	}
	brink__socket_write_edge(socket);
	if (read)
		brink__socket_read_edge(socket);
}

static void shake_hands(brink_socket *socket)
{
	const struct brink_transport *transport = brink__socket_transport(socket);
	unsigned waits = 0;
	int result = transport->handshake(socket->transport_state, socket->fd, &waits);

	if (result == -EAGAIN)
		result = waits != 0 ? brink_watch_rearm(&socket->watch, waits) : -EINVAL;
	else if (result == 0)
		opened(socket);
	if (result < 0)
		brink__socket_fail(socket, result, "handshake");
}

void brink__socket_connected(brink_socket *socket)
{
	const struct brink_socket_options *options = brink__socket_options(socket);
	const struct brink_transport *transport = options->transport;
	int result = 0;

	socket->connecting = false;
	if (transport->open != NULL)
		result = transport->open(socket, socket->fd, socket->config->client, options->transport_arg,
		                         &socket->transport_state);
	if (result < 0) {
		brink__socket_fail(socket, result, transport->name);
		return;
	}
	socket->transport_open = true;
	/* Not before: the error of a connect is not to be received, but asked for. */
	brink__socket_stream_open(socket);
	if (transport->handshake == NULL) {
		opened(socket);
		return;
	}
	/* Bytes for the program may come with the last of the handshake's. */
	socket->early = true;
	atomic_store(&socket->state, BRINK_SOCKET_HANDSHAKE);
	shake_hands(socket);
}

/* An ERROR may be a ticket that the reader on the executor posted, and the kernel did not take:
 * by trying once more it is known. */
static bool has_its_ticket(brink_socket *socket, unsigned ready)
{
	unsigned waits = ready & atomic_load(&socket->read_wait);
	int result = 0;

	if (brink__unlikely(ready & BRINK_ERROR) && socket->offloaded && waits != 0)
		result = brink__watch_rearm_here(&socket->watch, waits, true);
	if (result < 0)
		brink__socket_fail(socket, result, "read: waiting for it");
	return result == 0;
}

static void on_edge(brink_watch *watch, unsigned ready)
{
	brink_socket *socket = brink_container_of(watch, brink_socket, watch);

	if (brink__unlikely(brink__socket_failed(socket)))
		return; /* its end is on its way */
	switch (atomic_load_explicit(&socket->state, memory_order_relaxed)) {
	case BRINK_SOCKET_CONNECTING:
		socket->early = socket->early || (ready & BRINK_READ) != 0;
		brink__connect_edge(socket);
		return;
	case BRINK_SOCKET_HANDSHAKE:
		shake_hands(socket);
		return;
	default:
		break;
	}
	if (!has_its_ticket(socket, ready))
		return;
	if (socket->read_again && ready & BRINK_READ) {
		socket->read_again = false;
		brink__socket_read_on(socket);
	} else if (ready & atomic_load_explicit(&socket->read_wait, memory_order_relaxed)) {
		brink__socket_read_edge(socket);
	}
	if (ready & atomic_load_explicit(&socket->write_wait, memory_order_relaxed))
		brink__socket_write_edge(socket);
}

static int start_watch(brink_socket *socket, unsigned interest)
{
	if (brink__socket_options(socket)->flags & BRINK_SOCKET_TCP && !socket->config->client)
		interest |= BRINK_TCP;
	brink_watch_init(&socket->watch, on_edge);
	return brink__watch_start_connection(socket->loop, &socket->watch, socket->fd, interest);
}

void brink__socket_dialed(brink_socket *socket, int result, const char *what)
{
	if (result == -ETIMEDOUT && !brink__socket_is_looking_up(socket))
		result = brink__connect_timed_out(socket);
	if (result < 0) {
		brink__socket_fail(socket, result, what);
		return;
	}
	socket->fd = result;
	if (brink__socket_failed(socket))
		return; /* its end is on its way, and closes it */
	result = start_watch(socket, BRINK_READ);
	if (result < 0)
		brink__socket_fail(socket, result, "watch");
	else
		brink__socket_connected(socket);
}

static void dial(brink_socket *socket)
{
	int result = brink__timing_start(socket);

	/* Its time is the connect timeout's to measure. */
	if (result == 0)
		result = brink__socket_dial(socket, UINT64_MAX, brink__socket_dialed);
	if (result < 0)
		brink__socket_fail(socket, result, "name lookup");
}

void brink__socket_begin(brink_socket *socket)
{
	unsigned interest = socket->connecting ? BRINK_READ | BRINK_WRITE : BRINK_READ;
	int result;

	if (socket->fd < 0 && brink__socket_dial_of(socket) != NULL) {
		dial(socket);
		return;
	}
	result = start_watch(socket, interest);
	if (result == 0)
		result = brink__timing_start(socket);
	if (result < 0)
		brink__socket_fail(socket, result, "watch");
	else if (!socket->connecting)
		brink__socket_connected(socket);
	else if (socket->config->address.storage.ss_family == AF_UNIX)
		/* Only where nothing is under way (see brink__connect()): not every mechanism
		 * reports a socket of which that is so. */
		brink__connect_edge(socket);
}
