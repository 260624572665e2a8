/* What a client says in the Host header. */
#include "config.h"

#include "http_client.h"
#include "resolver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool host_is_sound(const char *host)
{
	for (; *host != '\0'; host++)
		if (*host <= ' ' || *host >= 0x7f || strchr("/?#@\\", *host) != NULL)
			return false;
	return true;
}

static int host_of_name(const char *name, bool plain, char *text, size_t size)
{
	char host[BRINK__HOST_MOST + 1];
	const char *service;
	int length = brink__query_host(name, host);

	if (length < 0)
		return length;
	service = strrchr(name, ':');
	if (host[0] == '\0')
		length = snprintf(text, size, "localhost");
	else if (strcmp(service, plain ? ":80" : ":443") == 0 || strcmp(service, plain ? ":http" : ":https") == 0)
		length = snprintf(text, size, "%.*s", (int)(service - name), name);
	else if (service[1 + strspn(service + 1, "0123456789")] == '\0')
		length = snprintf(text, size, "%s", name);
	else
		return -EINVAL;
	return (size_t)length < size ? 0 : -ENAMETOOLONG;
}

/* Which link an address is of is known by that name on this machine alone: RFC 6874, section 4. */
static void drop_zone(char *host)
{
	char *zone = *host == '[' ? strchr(host, '%') : NULL;
	const char *end = zone != NULL ? strchr(zone, ']') : NULL;

	if (end != NULL)
		memmove(zone, end, strlen(end) + 1);
}

/* That of a UNIX socket is a file, which is no host. */
int brink__http_client_host(const struct brink_http_client_options *options, char *text, size_t size)
{
	int rc = 0;

	if (options->host != NULL)
		rc = strlen(options->host) < size ? snprintf(text, size, "%s", options->host) : -ENAMETOOLONG;
	else if (options->name != NULL)
		rc = host_of_name(options->name, options->socket.transport == NULL, text, size);
	else if (options->address->storage.ss_family == AF_UNIX)
		snprintf(text, size, "localhost");
	else
		rc = brink_address_format(options->address, text, size);
	if (rc < 0)
		return rc;
	if (options->host == NULL)
		drop_zone(text);
	return host_is_sound(text) ? 0 : -EINVAL;
}
