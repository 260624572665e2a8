/* A peer that a write has found gone, and that may have said something before: why it goes, for instance. That is still
 * in the kernel, so it is heard out, as if the reader had been the first to notice: what has come is read, and then the
 * socket fails with what the write said. Meanwhile the right to write rests, as it does until an edge.
 *
 * Not where that could take long: who has paused, or waits with reading until he can write, would wait for ever;
 * and on an executor the program may be waiting for room. */
#include "config.h"

#include "os.h"
#include "socket_gone.h"

#include <errno.h>

_Static_assert(EPIPE <= UINT8_MAX && ECONNRESET <= UINT8_MAX, "each is kept in a byte");

static bool is_gone(int error)
{
	return error == -EPIPE || error == -ECONNRESET;
}

static void end(brink_socket *socket)
{
	brink__socket_fail(socket, -(int)atomic_load(&socket->gone), "write");
}

void brink__socket_note_write(brink_socket *socket, int error)
{
	if (!is_gone(error) || socket->offloaded)
		brink__socket_fail(socket, error, "write");
	else if (atomic_load(&socket->gone) == 0) /* later writes know less */
		atomic_store(&socket->gone, (unsigned char)-error);
}

bool brink__socket_hear_out(brink_socket *socket, int error)
{
	brink__socket_note_write(socket, error);
	if (brink__socket_failed(socket))
		return false;
	if (atomic_load(&socket->paused) != 0 || atomic_load(&socket->their_end)) {
		end(socket);
		return false;
	}
	socket->write_waits = true;
	(void)brink__watch_drained(&socket->watch); /* what the last read has shown is of before */
	brink__socket_read_edge(socket);
	return true;
}

/* Whether the kernel has something that is received for the socket, so that there will be an edge. */
static bool is_on_its_way(const brink_socket *socket)
{
	return socket->stream != NULL && socket->stream->receiving && !brink__os_is_quiet(socket->fd);
}

bool brink__socket_heard_all(brink_socket *socket, ssize_t result)
{
	if (result == -EAGAIN && is_on_its_way(socket))
		return false;
	end(socket);
	return true;
}
