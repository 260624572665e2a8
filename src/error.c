#include "config.h"

#include <brink/error.h>
#include <brink/socket.h>
#include <brink/transport.h>

#include <limits.h>
#include <string.h>

const char *brink_strerror(int error)
{
	if (error < 0 && error != INT_MIN) /* which has no positive counterpart, and no text */
		error = -error;
	if (error == BRINK_EOVERCROWDED)
		return "too many bytes are unsent";
	if (error == BRINK_ETRUNCATED)
		return "the end came without being announced";
	/* strerror() of the systems of today keeps its text per thread, or static. */
	return error == 0 ? "no error" : strerror(error);
}
