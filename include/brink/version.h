/* The version of the library. */
#ifndef BRINK_VERSION_H
#define BRINK_VERSION_H

#include <brink/base.h>

BRINK_BEGIN_DECLS

/* The version of these headers. */
#define BRINK_VERSION_MAJOR 0
#define BRINK_VERSION_MINOR 1
#define BRINK_VERSION_PATCH 0
#define BRINK_VERSION_STRING "0.1.0"

/* The version of the library that the program runs with, as "major.minor.patch".
 * Any thread. */
BRINK_API const char *brink_version(void);

BRINK_END_DECLS

#endif
