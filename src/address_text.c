/* Addresses as text. */
#include "config.h"

#include "address.h"
#include "os.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

/* "unix:@", each byte of an abstract name as \xHH, NUL. */
_Static_assert(sizeof "unix:@" + 4 * BRINK__PATH_SIZE <= BRINK_ADDRESS_TEXT, "every text fits");
_Static_assert(sizeof "[%]:65535" + INET6_ADDRSTRLEN + IF_NAMESIZE <= BRINK_ADDRESS_TEXT, "every text fits");

/* ---- reading ---- */

static void set_v4(struct brink_address *address, struct in_addr host, in_port_t port)
{
	struct sockaddr_in v4;

	memset(&v4, 0, sizeof v4);
	v4.sin_family = AF_INET;
	v4.sin_addr = host;
	v4.sin_port = htons(port);
	brink__address_set(address, &v4, sizeof v4);
}

static void set_v6(struct brink_address *address, struct in6_addr host, uint32_t scope, in_port_t port)
{
	struct sockaddr_in6 v6;

	memset(&v6, 0, sizeof v6);
	v6.sin6_family = AF_INET6;
	v6.sin6_addr = host;
	v6.sin6_scope_id = scope;
	v6.sin6_port = htons(port);
	brink__address_set(address, &v6, sizeof v6);
}

/* Decimal digits and nothing else, `most` at most. */
static int parse_number(const char *text, uint32_t most, uint32_t *number)
{
	uint64_t sum = 0;

	if (*text == '\0')
		return -EINVAL;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		sum = sum * 10 + (uint64_t)(*text - '0');
		if (sum > most)
			return -EINVAL;
	}
	*number = (uint32_t)sum;
	return 0;
}

/* Or an error. */
static int parse_port(const char *text)
{
	uint32_t number;
	int result = parse_number(text, 65535, &number);

	return result == 0 ? (int)number : result;
}

static int parse_scope(const char *text, uint32_t *scope)
{
	*scope = if_nametoindex(text);
	if (*scope != 0)
		return 0;
	if (parse_number(text, UINT32_MAX, scope) == 0 && *scope != 0)
		return 0;
	return *text == '\0' || *scope != 0 ? -EINVAL : -ENODEV;
}

/* "::1" or "fe80::1%eth0", without the brackets; `host` is a copy of ours. */
static int parse_v6(struct brink_address *address, char *host, in_port_t port)
{
	char *percent = strchr(host, '%');
	struct in6_addr bytes;
	uint32_t scope = 0;
	int result = 0;

	if (percent != NULL)
		*percent = '\0';
	if (inet_pton(AF_INET6, host, &bytes) != 1)
		return -EINVAL;
	if (percent != NULL)
		result = parse_scope(percent + 1, &scope);
	if (result == 0)
		set_v6(address, bytes, scope, port);
	return result;
}

static void set_any(struct brink_address *address, in_port_t port)
{
	struct in_addr any = {.s_addr = htonl(INADDR_ANY)};

	if (brink__os_dual_stack())
		set_v6(address, in6addr_any, 0, port);
	else
		set_v4(address, any, port);
}

static int parse_internet(struct brink_address *address, const char *text)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + IF_NAMESIZE + sizeof "[%]"];
	size_t length = colon != NULL ? (size_t)(colon - text) : 0;
	int port = colon != NULL ? parse_port(colon + 1) : -EINVAL;
	struct in_addr v4;

	if (port < 0 || length >= sizeof host)
		return -EINVAL;
	memcpy(host, text, length);
	host[length] = '\0';
	if (host[0] == '[' && host[length - 1] == ']') {
		host[length - 1] = '\0';
		return parse_v6(address, host + 1, (in_port_t)port);
	}
	if (length == 0 || strcmp(host, "*") == 0)
		set_any(address, (in_port_t)port);
	else if (inet_pton(AF_INET, host, &v4) == 1)
		set_v4(address, v4, (in_port_t)port);
	else
		return -EINVAL;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* An abstract name begins with a NUL, and its length is what ends it. */
static int parse_abstract(struct brink_address *address, const char *text)
{
	struct sockaddr_un un;
	size_t length = 1;

	if (!brink__os_abstract_names() || *text == '\0')
		return -EINVAL;
	memset(&un, 0, sizeof un);
	un.sun_family = AF_UNIX;
	while (*text != '\0') {
		char byte = *text++;

		if (byte == '\\') {
			int high = *text == 'x' ? hex_digit(text[1]) : -1;
			int low = high >= 0 ? hex_digit(text[2]) : -1;

			if (low < 0)
				return -EINVAL;
			byte = (char)(high << 4 | low);
			text += 3;
		}
		if (length == BRINK__PATH_SIZE)
			return -ENAMETOOLONG;
		un.sun_path[length++] = byte;
	}
	brink__address_set(address, &un, BRINK__PATH_OFFSET + length);
	return 0;
}

static int parse_unix(struct brink_address *address, const char *path)
{
	size_t length = strlen(path);
	struct sockaddr_un un;

	if (*path == '@')
		return parse_abstract(address, path + 1);
	if (length == 0)
		return -EINVAL;
	if (length >= BRINK__PATH_SIZE)
		return -ENAMETOOLONG;
	memset(&un, 0, sizeof un);
	un.sun_family = AF_UNIX;
	memcpy(un.sun_path, path, length + 1);
	brink__address_set(address, &un, BRINK__PATH_OFFSET + length + 1);
	return 0;
}

int brink_address_parse(struct brink_address *address, const char *text)
{
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(address, text + 5);
	return parse_internet(address, text);
}

/* ---- writing ---- */

static int format_v4(const struct brink_address *address, char *text)
{
	struct sockaddr_in v4 = brink__address_v4(address);
	char host[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
	return snprintf(text, BRINK_ADDRESS_TEXT, "%s:%u", host, (unsigned)ntohs(v4.sin_port));
}

static int format_v6(const struct brink_address *address, char *text)
{
	struct sockaddr_in6 v6 = brink__address_v6(address);
	char host[INET6_ADDRSTRLEN], scope[IF_NAMESIZE + 1] = "";

	inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
	if (v6.sin6_scope_id != 0) {
		scope[0] = '%';
		/* Of an interface that is gone, only the number is left. */
		if (if_indextoname(v6.sin6_scope_id, scope + 1) == NULL)
			snprintf(scope + 1, sizeof scope - 1, "%lu", (unsigned long)v6.sin6_scope_id);
	}
	return snprintf(text, BRINK_ADDRESS_TEXT, "[%s%s]:%u", host, scope, (unsigned)ntohs(v6.sin6_port));
}

static int format_abstract(const char *name, size_t length, char *text)
{
	int written = sprintf(text, "unix:@");

	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)name[i];

		if (byte < ' ' || byte == '\\' || byte == 0x7f)
			written += sprintf(text + written, "\\x%02x", byte);
		else
			text[written++] = (char)byte;
	}
	text[written] = '\0';
	return written;
}

static int format_unix(const struct brink_address *address, char *text)
{
	const char *path = brink__address_path(address);
	size_t length = brink__address_path_length(address);

	if (length > 1 && *path == '\0')
		return format_abstract(path + 1, length - 1, text);
	return snprintf(text, BRINK_ADDRESS_TEXT, "unix:%s%.*s", length > 0 && *path == '@' ? "./" : "",
	                (int)length, path);
}

int brink_address_format(const struct brink_address *address, char *text, size_t size)
{
	char whole[BRINK_ADDRESS_TEXT];
	int length = -EAFNOSUPPORT;

	if (address->storage.ss_family == AF_INET)
		length = format_v4(address, whole);
	else if (address->storage.ss_family == AF_INET6)
		length = format_v6(address, whole);
	else if (address->storage.ss_family == AF_UNIX)
		length = format_unix(address, whole);
	if (length < 0)
		return length;
	if ((size_t)length >= size)
		return -ENOSPC;
	memcpy(text, whole, (size_t)length + 1);
	return length;
}
