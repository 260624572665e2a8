/* Errors in words. */
#ifndef BRINK_ERROR_H
#define BRINK_ERROR_H

#include <brink/base.h>

BRINK_BEGIN_DECLS

/* A description of `error`, a negative errno value as libbrink's functions return
 * it (the positive value is understood too); "no error" for 0. The numbers of the library's
 * own, in <brink/socket.h>, <brink/transport.h> and <brink/resolver.h>, are known, too. The text is
 * the system's and not to be freed; it stays valid at least until the same thread's next call. Any thread. */
BRINK_API const char *brink_strerror(int error);

BRINK_END_DECLS

#endif
