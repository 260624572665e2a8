/* Socket addresses and their text: IPv4, IPv6 and UNIX, numeric only; nothing here asks a
 * name server. Any thread. */
#ifndef BRINK_ADDRESS_H
#define BRINK_ADDRESS_H

#include <brink/base.h>

#include <sys/socket.h>

BRINK_BEGIN_DECLS

/* Ready for bind(2), connect(2) and their like: (struct sockaddr *)&address.storage with
 * address.length. `storage.ss_family` is AF_INET, AF_INET6 or AF_UNIX. */
struct brink_address {
	struct sockaddr_storage storage;
	socklen_t length;
};

/* Room for every text that brink_address_format() makes, its NUL included. */
#define BRINK_ADDRESS_TEXT 448

/* Reads one of
 *     127.0.0.1:80
 *     [::1]:80    [fe80::1%eth0]:80    [fe80::1%2]:80
 *     *:80    :80             every address of this machine: IPv6 that takes IPv4 too
 *                             where the system has that, else IPv4
 *     unix:/path
 *     unix:@name              Linux: an abstract name, in which \xHH is the byte HH
 * The port is decimal, 0 to 65535, and must be there.
 *   -EINVAL         anything else, or an abstract name elsewhere than on Linux
 *   -ENODEV         there is no interface of that name
 *   -ENAMETOOLONG   the path does not fit into a socket address
 * `*address` is set only when it returns 0. */
BRINK_API int brink_address_parse(struct brink_address *address, const char *text);

/* Writes what brink_address_parse() reads back as an equal address. A UNIX socket without
 * a name is "unix:", which it does not read, nor a path that fills a socket address, with no room for
 * its NUL; a relative path that begins with '@' becomes "unix:./@...". Returns the length of the text
 * without its NUL.
 *   -ENOSPC         `size` is too small; nothing was written
 *   -EAFNOSUPPORT   an address of another family */
BRINK_API int brink_address_format(const struct brink_address *address, char *text, size_t size);

/* Takes over an address from a system call. What lies behind the end of a UNIX path is left
 * out, so that equal paths are equal addresses.
 *   -EINVAL         `length` is too small for its family, or larger than any address
 *   -EAFNOSUPPORT   another family */
BRINK_API int brink_address_from_sockaddr(struct brink_address *address, const struct sockaddr *from,
                                          socklen_t length);

/* The address of the socket `fd` itself, and of its peer.
 *   -EBADF, -ENOTSOCK, -ENOTCONN, ...   what the kernel said; and the errors above */
BRINK_API int brink_address_of(int fd, struct brink_address *address);
BRINK_API int brink_address_of_peer(int fd, struct brink_address *address);

/* 1 if both are the same family, address, port, scope and path; else 0. */
BRINK_API int brink_address_equal(const struct brink_address *one, const struct brink_address *other);

/* The port of an IPv4 or IPv6 address in host byte order; of others 0. */
BRINK_API unsigned brink_address_port(const struct brink_address *address);

BRINK_END_DECLS

#endif
