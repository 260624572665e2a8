/* A name server on the loopback address, for a library that asks c-ares: it answers what the
 * scenario's script says. */
#ifndef SOCKET_NAMES_SERVER_H
#define SOCKET_NAMES_SERVER_H

#include <stdbool.h>

/* What it asks about each question, on its own thread, for AF_INET, AF_INET6, or another that has no addresses.
 * `addresses` gets those of the host. 0, or a BRINK_ENONAME or its like; below 0: no answer now.
 * `first`: it is asked for the first time. */
typedef int names_script_fn(const char *host, int family, char addresses[256], bool first);

void start_names_server(names_script_fn *script, char address[64]);
void stop_names_server(void); /* if it runs */

#endif
