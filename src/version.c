#include "config.h"

#include <brink/version.h>

const char *brink_version(void)
{
	return BRINK_VERSION_STRING;
}
