/* What a struct brink_address holds, by family. */
#ifndef BRINK_ADDRESS_INTERNAL_H
#define BRINK_ADDRESS_INTERNAL_H

#include <brink/address.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#define BRINK__PATH_OFFSET offsetof(struct sockaddr_un, sun_path)
#define BRINK__PATH_SIZE (sizeof(struct sockaddr_un) - BRINK__PATH_OFFSET)

_Static_assert(sizeof(struct sockaddr_un) <= sizeof(struct sockaddr_storage), "a UNIX address fits");

/* The storage is filled and read by copies: a pointer to it as another struct would break
 * C's rules of aliasing. */
static inline void brink__address_set(struct brink_address *address, const void *bytes, size_t length)
{
	memset(address, 0, sizeof *address);
	memcpy(&address->storage, bytes, length);
	address->length = (socklen_t)length;
}

static inline struct sockaddr_in brink__address_v4(const struct brink_address *address)
{
	struct sockaddr_in v4;

	memcpy(&v4, &address->storage, sizeof v4);
	return v4;
}

static inline struct sockaddr_in6 brink__address_v6(const struct brink_address *address)
{
	struct sockaddr_in6 v6;

	memcpy(&v6, &address->storage, sizeof v6);
	return v6;
}

/* In host byte order. */
static inline void brink__address_set_port(struct brink_address *address, in_port_t port)
{
	struct sockaddr_in6 v6 = brink__address_v6(address);
	struct sockaddr_in v4 = brink__address_v4(address);

	v6.sin6_port = v4.sin_port = htons(port);
	if (address->storage.ss_family == AF_INET)
		memcpy(&address->storage, &v4, sizeof v4);
	else if (address->storage.ss_family == AF_INET6)
		memcpy(&address->storage, &v6, sizeof v6);
}

/* Of a UNIX address; a path is followed by a NUL unless it fills the whole struct. */
static inline const char *brink__address_path(const struct brink_address *address)
{
	return (const char *)&address->storage + BRINK__PATH_OFFSET;
}

static inline size_t brink__address_path_length(const struct brink_address *address)
{
	return address->length > BRINK__PATH_OFFSET ? address->length - BRINK__PATH_OFFSET : 0;
}

/* What a system call wrote for a socket of `family`, whose peer some systems say nothing of. */
int brink__address_take(struct brink_address *address, const struct sockaddr_storage *from, socklen_t length,
                        int family);

#endif
