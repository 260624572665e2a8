/* The line protocol: lines that end with LF or CR LF. */
#include "config.h"

#include <brink/messenger.h>

#include <errno.h>

/* The message's state says how many bytes are known to be without an LF: so each byte is
 * looked at once, however slowly the line comes. */
int brink_parse_line(brink_socket *socket, brink_buffer *in, int at_end, brink_message *message, void *arg)
{
	ssize_t end = brink_buffer_find(in, (size_t)message->state, "\n", 1);
	size_t length = brink_buffer_length(in);
	char last = 0;

	(void)socket, (void)arg;
	if (end >= 0)
		length = (size_t)end;
	else if (end != -ENOENT)
		return (int)end;
	else if (!at_end || length == 0) {
		message->state = length;
		return BRINK_PARSE_MORE;
	}
	if (brink_buffer_cut(in, &message->body, length) < 0)
		return -ENOMEM;
	if (end >= 0) {
		brink_buffer_pop(in, 1);
		if (length > 0 && brink_buffer_copy(&message->body, length - 1, &last, 1) == 1 && last == '\r')
			brink_buffer_pop_back(&message->body, 1);
	}
	return BRINK_PARSE_MESSAGE;
}
