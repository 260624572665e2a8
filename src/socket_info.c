/* What a socket is and did, for others to ask. */
#include "config.h"

#include "socket.h"

#include <errno.h>
#include <sys/ioctl.h>

#if defined(__sun)
#include <sys/filio.h> /* FIONREAD */
#endif

brink_loop *brink_socket_loop(const brink_socket *socket)
{
	return socket->loop;
}

void *brink_socket_arg(const brink_socket *socket)
{
	return brink__socket_options(socket)->arg;
}

int brink_socket_fd(const brink_socket *socket)
{
	/* The number may be another file's by now. */
	return brink__socket_failed(socket) ? -1 : socket->fd;
}

uint64_t brink__socket_arrived(const brink_socket *socket)
{
	uint64_t received = socket->stream != NULL ? socket->stream->size : 0;
	int bytes = 0;

	return ioctl(socket->fd, FIONREAD, &bytes) == 0 && bytes > 0 ? received + (uint64_t)bytes : received;
}

bool brink__socket_has_unsent(const brink_socket *socket)
{
	const struct brink__stream *stream = socket->stream;
	size_t unsent = atomic_load(&socket->unsent);

	/* What the backend has sent may not have been looked at yet. */
	return unsent > 0 && (stream == NULL || stream->sent < 0 || (size_t)stream->sent < unsent);
}

bool brink__socket_has_news(const brink_socket *socket)
{
	const struct brink__stream *stream = socket->stream;

	if (stream != NULL && (stream->size > 0 || stream->end != BRINK__STREAM_GOES_ON))
		return true;
	return !brink__os_is_quiet(socket->fd);
}

void brink_socket_set_data(brink_socket *socket, void *data)
{
	socket->data = data;
}

void *brink_socket_data(const brink_socket *socket)
{
	return socket->data;
}

static enum brink_socket_state state_of(brink_socket *socket)
{
	if (brink__socket_failed(socket))
		return BRINK_SOCKET_FAILED;
	if (atomic_load(&socket->closing))
		return BRINK_SOCKET_CLOSING;
	return (enum brink_socket_state)atomic_load(&socket->state);
}

void brink_socket_get_info(brink_socket *socket, struct brink_socket_info *info)
{
	int error = atomic_load(&socket->error);

	*info = (struct brink_socket_info){
		.state = state_of(socket),
		.error = error == BRINK__UNFAILED ? 0 : error,
		.lives = brink__revive_lives(socket),
		.bytes_read = atomic_load_explicit(&socket->bytes_read, memory_order_relaxed),
		.bytes_written = atomic_load_explicit(&socket->bytes_written, memory_order_relaxed),
		.messages_read = atomic_load_explicit(&socket->messages, memory_order_relaxed),
		.requests_written = atomic_load_explicit(&socket->requests, memory_order_relaxed),
		.reads = atomic_load_explicit(&socket->reads, memory_order_relaxed),
		.writes = atomic_load_explicit(&socket->writes, memory_order_relaxed),
		.unsent = atomic_load_explicit(&socket->unsent, memory_order_relaxed),
	};
}

static int address_of(brink_socket *socket, struct brink_address *address,
                      int (*ask)(int fd, struct brink_address *address))
{
	if (brink__socket_failed(socket))
		return -ENOTCONN;
	return ask(socket->fd, address);
}

int brink_socket_local(brink_socket *socket, struct brink_address *address)
{
	return address_of(socket, address, brink_address_of);
}

int brink_socket_peer(brink_socket *socket, struct brink_address *address)
{
	return address_of(socket, address, brink_address_of_peer);
}
