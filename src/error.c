#include "config.h"

#include <brink/error.h>
#include <brink/resolver.h>
#include <brink/socket.h>
#include <brink/transport.h>

#include <limits.h>
#include <string.h>

static const struct {
	int error;
	const char *text;
} own[] = {
	{BRINK_EOVERCROWDED, "too many bytes are unsent"},
	{BRINK_ETRUNCATED, "the end came without being announced"},
	{BRINK_ENONAME, "no such name"},
	{BRINK_ENOADDRESS, "the name has no such address"},
	{BRINK_ENAMEAGAIN, "no name server has an answer at present"},
	{BRINK_ENAMEFAILED, "the name server's answer is of no use"},
	{BRINK_ENOSERVICE, "no such service"},
};

const char *brink_strerror(int error)
{
	if (error < 0 && error != INT_MIN) /* which has no positive counterpart, and no text */
		error = -error;
	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
		if (own[i].error == error)
			return own[i].text;
	/* strerror() of the systems of today keeps its text per thread, or static. */
	return error == 0 ? "no error" : strerror(error);
}
