/* Failing, by any thread: the first error is the connection's. What follows is its loop's, in
 * socket.c. */
#include "config.h"

#include "memory.h"
#include "socket.h"
#include "socket_gone.h"

#include <brink/error.h>

#include <errno.h>
#include <string.h>

int brink__socket_error(brink_socket *socket)
{
	int error = atomic_load(&socket->error);

	return error < 0 ? error : -ECONNABORTED;
}

#define TEXT_LIMIT 200u

static char *copy_text(const char *text)
{
	size_t length = strnlen(text, TEXT_LIMIT);
	char *copy = brink__resize(NULL, 1, length + 1);

	if (copy == NULL)
		return NULL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

/* Of one that is closed, and has sent all, what still comes is dropped: then it may end anyhow. */
static bool may_be_cut(brink_socket *socket)
{
	return atomic_load(&socket->closing) && atomic_load(&socket->our_end);
}

static int fail(brink_socket *socket, int error, const char *text, bool reset)
{
	char *copy;
	int unfailed = BRINK__UNFAILED;

	/* And what a write said of a peer that is heard out is the reason why the end has no mark. */
	if (error == -BRINK_ETRUNCATED && (may_be_cut(socket) || brink__socket_hears_out(socket))) {
		error = -(int)atomic_load(&socket->gone);
		text = NULL;
	}
	copy = text != NULL ? copy_text(text) : NULL;
	if (!atomic_compare_exchange_strong(&socket->error, &unfailed, error)) {
		/* Who was faster may still be on his way there, and -ENOENT says that the id does not
		 * resolve any more. */
		brink__slot_mark_failed(socket);
		brink__free(copy);
		return -ENOENT;
	}
	socket->text = copy;
	socket->reset = reset;
	brink__slot_mark_failed(socket);
	atomic_store(&socket->doomed, true);
	brink__socket_post(socket, BRINK__SOCKET_FAIL);
	return 0;
}

int brink__socket_fail(brink_socket *socket, int error, const char *text)
{
	return fail(socket, error, text, false);
}

int brink__socket_reset(brink_socket *socket, int error, const char *text)
{
	return fail(socket, error, text, true);
}

static int fail_id(brink_socket_id id, int error, const char *text, bool reset)
{
	brink_socket *socket = brink_socket_address(id);
	int result;

	if (socket == NULL)
		return -ENOENT;
	result = fail(socket, error, text, reset);
	brink_socket_release(socket);
	return result;
}

int brink_socket_fail(brink_socket_id id, int error, const char *text)
{
	return error > 0 ? -EINVAL : fail_id(id, error, text, false);
}

int brink_socket_abort(brink_socket_id id)
{
	return fail_id(id, -ECONNABORTED, "aborted", true);
}

int brink_socket_abandon(brink_socket_id id)
{
	brink_socket *socket = brink__slot_find(id);
	enum brink__found found;
	int result = -ENOENT;

	if (socket == NULL)
		return result;
	found = brink__slot_abandon(socket);
	if (found == BRINK__FOUND_ALIVE)
		result = fail(socket, -ECANCELED, "abandoned", false);
	/* Whoever makes it fail, it is given up by who comes first; the mark alone is also a client's that ends. */
	if (socket->revivable && found != BRINK__FOUND_ABANDONED)
		result = atomic_exchange(&socket->rare->given_up, true) ? -ENOENT : 0;
	brink_socket_release(socket); /* by which a prober hears of it */
	return result;
}
