/* What the files of the socket call of socket_gone.c: a peer that a write has found gone, and that is heard out. */
#ifndef BRINK_SOCKET_GONE_H
#define BRINK_SOCKET_GONE_H

#include "socket.h"

/* Notes that a write failed, by who has the right to. Where its peer is gone, the loop hears that out; else the socket
 * has failed. */
void brink__socket_note_write(brink_socket *socket, int error);
/* The same, on the loop; true: the right to write rests until the socket fails, which who reads sees to. */
bool brink__socket_hear_out(brink_socket *socket, int error);
static inline bool brink__socket_hears_out(const brink_socket *socket)
{
	return brink__unlikely(atomic_load_explicit(&socket->gone, memory_order_relaxed) != 0);
}
/* Whether all is read of a peer that is heard out, by what a read came to: then the socket has failed. By who has the
 * right to read. */
bool brink__socket_heard_all(brink_socket *socket, ssize_t result);

#endif
