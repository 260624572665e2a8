/* In the place of tls.c where there is no OpenSSL. */
#include "faults.h"

#include <stddef.h>

const struct scenario tls_scenarios[] = {
	{NULL, NULL, false},
};
