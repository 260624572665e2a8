/* Pausing: who holds reading back, on any thread, and who lets it go on.
 *
 * The reader looks at `paused` before each read and parks its right in `parked`; then it looks
 * once more. So either it sees a resume that came in between, or the one who resumes finds the right
 * parked, takes it by an exchange, and has the loop read on. */
#include "config.h"

#include "socket.h"

static void pause_for(brink_socket *socket, unsigned whom)
{
	atomic_fetch_or(&socket->paused, whom);
}

static void resume_for(brink_socket *socket, unsigned whom)
{
	if (atomic_fetch_and(&socket->paused, ~whom) != whom)
		return;
	brink__timing_note_read(socket);
	if (atomic_exchange(&socket->parked, false))
		brink__socket_post(socket, BRINK__SOCKET_READ);
}

/* Not of one that is closed, which waits for the peer's end, and drops what comes before that. Where it is closed
 * after the look here, the loop ends the pause. */
void brink_socket_pause(brink_socket *socket)
{
	pause_for(socket, BRINK__PAUSED_BY_USER);
	if (atomic_load(&socket->closing))
		brink_socket_resume(socket);
}

void brink_socket_resume(brink_socket *socket)
{
	resume_for(socket, BRINK__PAUSED_BY_USER);
}

void brink__socket_stall(brink_socket *socket)
{
	pause_for(socket, BRINK__PAUSED_BY_PROTOCOL);
}

void brink__socket_unstall(brink_socket *socket)
{
	atomic_store(&socket->retell, true);
	resume_for(socket, BRINK__PAUSED_BY_PROTOCOL);
}

bool brink__socket_is_stalled(brink_socket *socket)
{
	unsigned paused = atomic_load(&socket->paused);

	if ((paused & BRINK__PAUSED_BY_PROTOCOL) != 0)
		return true;
	/* Where nobody has the right to read, nothing was left; and who pauses himself, or has heard of the end, is not
	 * told. */
	return paused == 0 && atomic_load(&socket->retell) && atomic_load(&socket->edges) != 0 &&
	       !atomic_load(&socket->their_end);
}

void brink__socket_read_at_low(brink_socket *socket)
{
	atomic_store(&socket->retell, true);
	resume_for(socket, BRINK__PAUSED_BY_LIMIT);
}

void brink__socket_hold_reading(brink_socket *socket)
{
	pause_for(socket, BRINK__PAUSED_BY_MESSENGER);
}

void brink__socket_resume_reading(brink_socket *socket)
{
	resume_for(socket, BRINK__PAUSED_BY_MESSENGER);
}
