/* A question to a resolver, and the answer. */
#include "config.h"

#include "address.h"
#include "memory.h"
#include "resolver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- the question ---- */

static int copy(char *to, const char *from, size_t length, size_t most)
{
	if (length == 0)
		return -EINVAL;
	if (length > most)
		return -ENAMETOOLONG;
	memcpy(to, from, length);
	to[length] = '\0';
	return 0;
}

static bool is_letter_or_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The port of a service that is a number, or -1 for one that is a name. A number above all ports is
 * neither; some systems would cut it to 16 bits. They do so as well behind a sign or a blank. */
static int read_port(const char *service, int *port)
{
	int number = 0;

	*port = -1;
	if (!is_letter_or_digit(service[0]))
		return -EINVAL;
	if (service[strspn(service, "0123456789")] != '\0')
		return 0;
	for (; *service != '\0' && number <= 65535; service++)
		number = 10 * number + (*service - '0');
	*port = number;
	return number <= 65535 ? 0 : -EINVAL;
}

/* Where the host begins, and how long it is, in front of the colon at `colon`; 0: nowhere. Colons in
 * it are for brackets only, since www.example.org:80:80 is a mistake, and brackets for them. */
static size_t find_host(const char **text, const char *colon)
{
	size_t length = (size_t)(colon - *text);

	if (length > 2 && **text == '[' && colon[-1] == ']' && memchr(*text, ':', length) != NULL) {
		(*text)++;
		return length - 2;
	}
	return memchr(*text, ':', length) == NULL && strcspn(*text, "[]") >= length ? length : 0;
}

static int split(const char *text, char *host, char *service)
{
	const char *colon = strrchr(text, ':');
	size_t length;
	int result;

	if (colon == NULL)
		return -EINVAL;
	length = find_host(&text, colon);
	result = copy(host, text, length, BRINK__HOST_MOST);
	if (result == 0)
		result = copy(service, colon + 1, strlen(colon + 1), BRINK__SERVICE_MOST);
	return result;
}

/* 1: `address` is of another family than is asked for, and that is the answer. */
static int check_family(struct brink__query *query, const struct brink_address *address)
{
	if (query->family == AF_UNSPEC || query->family == address->storage.ss_family)
		return 0;
	query->error = -EAFNOSUPPORT;
	return 1;
}

static int answer_with(struct brink__query *query, const struct brink_address *address)
{
	int result = check_family(query, address);

	if (result == 1)
		return 1;
	result = brink__query_reserve(query, 1);
	if (result < 0)
		return result;
	query->addresses[query->count++] = *address;
	return 1;
}

/* A host that is a number, where only its service is to be asked for; 0 for any other, too. Told its family, c-ares
 * asks no name server for it. */
static int read_number(struct brink__query *query)
{
	char text[sizeof query->host + sizeof "[]:0"];
	struct brink_address address;
	int result;

	snprintf(text, sizeof text, strchr(query->host, ':') != NULL ? "[%s]:0" : "%s:0", query->host);
	result = brink_address_parse(&address, text);
	if (result < 0)
		return result == -EINVAL ? 0 : result;
	if (address.storage.ss_family == AF_INET6)
		query->scope = ((const struct sockaddr_in6 *)&address.storage)->sin6_scope_id;
	query->host[strcspn(query->host, "%")] = '\0';
	result = check_family(query, &address);
	query->family = address.storage.ss_family;
	return result;
}

static int read_name(struct brink__query *query, const char *text)
{
	struct brink_address address;
	int result = brink_address_parse(&address, text);

	if (result == 0)
		return answer_with(query, &address);
	if (result != -EINVAL || strncmp(text, "unix:", 5) == 0)
		return result;
	result = split(text, query->host, query->service);
	if (result == 0)
		result = read_port(query->service, &query->port);
	return result == 0 && query->port < 0 ? read_number(query) : result;
}

int brink__query_create(struct brink__query **created, const char *text, int family)
{
	struct brink__query *query;
	int result;

	if (family != AF_UNSPEC && family != AF_INET && family != AF_INET6)
		return -EINVAL;
	query = brink__allocate(1, sizeof *query);
	if (query == NULL)
		return -ENOMEM;
	query->family = family;
	result = read_name(query, text);
	if (result < 0)
		brink__query_free(query);
	else
		*created = query;
	return result;
}

void brink__query_free(struct brink__query *query)
{
	if (query == NULL)
		return;
	brink__free(query->addresses);
	brink__free(query);
}

int brink__query_host(const char *text, char host[BRINK__HOST_MOST + 1])
{
	char service[BRINK__SERVICE_MOST + 1];

	host[0] = '\0';
	return strncmp(text, "unix:", 5) == 0 ? 0 : split(text, host, service);
}

/* ---- the answer ---- */

int brink__query_reserve(struct brink__query *query, size_t count)
{
	query->addresses = brink__resize(NULL, count, sizeof *query->addresses);
	if (query->addresses == NULL)
		return -ENOMEM;
	query->room = (unsigned)count;
	return 0;
}

/* The hosts file may have an address twice, as may a name that leads to two others. */
void brink__query_add(struct brink__query *query, const struct sockaddr *from, socklen_t length)
{
	struct brink_address address;

	if (query->count == query->room || brink_address_from_sockaddr(&address, from, length) < 0)
		return;
	if (query->port >= 0)
		brink__address_set_port(&address, (in_port_t)query->port);
	if (query->scope != 0)
		((struct sockaddr_in6 *)&address.storage)->sin6_scope_id = query->scope;
	for (unsigned i = 0; i < query->count; i++)
		if (brink_address_equal(&query->addresses[i], &address))
			return;
	query->addresses[query->count++] = address;
}
