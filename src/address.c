/* Addresses out of system calls, and compared. */
#include "config.h"

#include "address.h"
#include "os.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* The kernels do not agree on where a path ends: with its NUL, before it, with the struct, or with
 * a NUL behind that. Without a name, some give an empty path. */
static void set_unix(struct brink_address *address, const struct sockaddr *from, size_t length)
{
	struct sockaddr_un un;
	size_t path = length > BRINK__PATH_OFFSET ? length - BRINK__PATH_OFFSET : 0;

	path = path < BRINK__PATH_SIZE ? path : BRINK__PATH_SIZE;
	memset(&un, 0, sizeof un);
	un.sun_family = AF_UNIX;
	memcpy(un.sun_path, (const char *)from + BRINK__PATH_OFFSET, path);
	if (path == 0 || un.sun_path[0] != '\0')
		path = strnlen(un.sun_path, path);
	else if (!brink__os_abstract_names())
		path = 0;
	/* A path that fills the struct has no NUL. */
	if (path > 0 && path < BRINK__PATH_SIZE && un.sun_path[0] != '\0')
		path++;
	brink__address_set(address, &un, BRINK__PATH_OFFSET + path);
}

int brink_address_from_sockaddr(struct brink_address *address, const struct sockaddr *from, socklen_t length)
{
	if (length < offsetof(struct sockaddr, sa_data) || length > sizeof address->storage)
		return -EINVAL;
	switch (from->sa_family) {
	case AF_INET:
		if (length < sizeof(struct sockaddr_in))
			return -EINVAL;
		brink__address_set(address, from, sizeof(struct sockaddr_in));
		return 0;
	case AF_INET6:
		if (length < sizeof(struct sockaddr_in6))
			return -EINVAL;
		brink__address_set(address, from, sizeof(struct sockaddr_in6));
		return 0;
	case AF_UNIX:
		if (length > sizeof(struct sockaddr_un) + 1)
			return -EINVAL;
		set_unix(address, from, length);
		return 0;
	default:
		return -EAFNOSUPPORT;
	}
}

int brink__address_take(struct brink_address *address, const struct sockaddr_storage *from, socklen_t length,
                        int family)
{
	if (length >= offsetof(struct sockaddr, sa_data))
		return brink_address_from_sockaddr(address, (const struct sockaddr *)from, length);
	/* NetBSD and macOS: a UNIX socket without a name; macOS also a TCP peer that is gone. */
	memset(address, 0, sizeof *address);
	address->storage.ss_family = (sa_family_t)family;
	address->length = BRINK__PATH_OFFSET;
	if (family == AF_INET)
		address->length = sizeof(struct sockaddr_in);
	else if (family == AF_INET6)
		address->length = sizeof(struct sockaddr_in6);
	return 0;
}

typedef int name_fn(int fd, struct sockaddr *address, socklen_t *length);

static int ask(int fd, struct brink_address *address, name_fn *name)
{
	struct sockaddr_storage storage;
	socklen_t length = sizeof storage;

	memset(&storage, 0, sizeof storage);
	if (name(fd, (struct sockaddr *)&storage, &length) < 0)
		return -errno;
	return brink__address_take(address, &storage, length, AF_UNIX);
}

int brink_address_of(int fd, struct brink_address *address)
{
	return ask(fd, address, getsockname);
}

int brink_address_of_peer(int fd, struct brink_address *address)
{
	return ask(fd, address, getpeername);
}

/* ---- comparing ---- */

static bool equal_v4(const struct brink_address *one, const struct brink_address *other)
{
	struct sockaddr_in a = brink__address_v4(one), b = brink__address_v4(other);

	return a.sin_port == b.sin_port && a.sin_addr.s_addr == b.sin_addr.s_addr;
}

static bool equal_v6(const struct brink_address *one, const struct brink_address *other)
{
	struct sockaddr_in6 a = brink__address_v6(one), b = brink__address_v6(other);

	return a.sin6_port == b.sin6_port && a.sin6_scope_id == b.sin6_scope_id &&
	       memcmp(&a.sin6_addr, &b.sin6_addr, sizeof a.sin6_addr) == 0;
}

int brink_address_equal(const struct brink_address *one, const struct brink_address *other)
{
	if (one->storage.ss_family != other->storage.ss_family)
		return 0;
	if (one->storage.ss_family == AF_INET)
		return equal_v4(one, other);
	if (one->storage.ss_family == AF_INET6)
		return equal_v6(one, other);
	return one->length == other->length &&
	       memcmp(brink__address_path(one), brink__address_path(other), brink__address_path_length(one)) == 0;
}

unsigned brink_address_port(const struct brink_address *address)
{
	if (address->storage.ss_family == AF_INET)
		return ntohs(brink__address_v4(address).sin_port);
	if (address->storage.ss_family == AF_INET6)
		return ntohs(brink__address_v6(address).sin6_port);
	return 0;
}
