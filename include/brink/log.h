/* What the library has to say beside return values; silent unless asked. */
#ifndef BRINK_LOG_H
#define BRINK_LOG_H

#include <brink/base.h>

BRINK_BEGIN_DECLS

enum brink_log_level {
	BRINK_LOG_ERROR,   /* something was lost or contained; the program has a bug or the system failed */
	BRINK_LOG_WARNING, /* the library goes on in a poorer way, such as another backend */
	BRINK_LOG_INFO     /* decisions worth knowing, such as the backend that was picked */
};

/* Gets one line without a newline. May be called from any thread that uses the
 * library, never from a signal handler; must not call the library. */
typedef void brink_log_fn(enum brink_log_level level, const char *line, void *context);

/* Sends messages up to `most` to `log`; NULL turns them off, as they are at first.
 * Process-wide; call it before loops run on other threads. The library never
 * writes to standard output or standard error. */
BRINK_API void brink_set_log(brink_log_fn *log, enum brink_log_level most, void *context);

BRINK_END_DECLS

#endif
