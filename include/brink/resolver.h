/* A resolver: finds the addresses of names, without holding up its loop.
 *
 *     static void on_lookup(brink_lookup *lookup, int error)
 *     {
 *         for (unsigned i = 0; i < lookup->count; i++)
 *             use(&lookup->addresses[i]);
 *     }
 *
 *     lookup.call = on_lookup;
 *     brink_lookup_start(resolver, &lookup, "www.example.org:443");
 *
 * The system is asked, by getaddrinfo(3) on threads that may block, or by c-ares where the
 * library was configured so. What is a number or a UNIX path already needs neither. To
 * connect to a name, see <brink/dial.h>, and `name` in <brink/socket.h>. */
#ifndef BRINK_RESOLVER_H
#define BRINK_RESOLVER_H

#include <brink/address.h>
#include <brink/base.h>
#include <brink/timer.h>

BRINK_BEGIN_DECLS

/* What a lookup ends with, as negative numbers, beside those of errno; brink_strerror() knows
 * them. Outside of the range of every system's errno. */
#define BRINK_ENONAME 20101     /* there is no such name */
#define BRINK_ENOADDRESS 20102  /* the name has no address, or none of the family asked for */
#define BRINK_ENAMEAGAIN 20103  /* no name server has an answer at present; it may later */
#define BRINK_ENAMEFAILED 20104 /* the name server's answer is of no use */
#define BRINK_ENOSERVICE 20105  /* there is no such service */

/* All zero asks for the defaults. */
struct brink_resolver_options {
	unsigned parallel; /* lookups that are asked for at a time: with getaddrinfo(3) that many
	                    * threads, which start with the first name. 0: 4 */
	size_t waiting;    /* lookups that may wait for their turn; 0: 1024 */
	uint64_t timeout;  /* of a lookup that brings none of its own, from its start to its call,
	                    * in nanoseconds; 0: 30 s */
	/* c-ares: the name servers in place of the system's, "192.0.2.1:53,[2001:db8::1]:53".
	 * NULL: those of the environment variable BRINK_NAME_SERVERS, or the system's. Copied. */
	const char *servers;
	void *reserved[4]; /* must be zero */
};

/* A resolver for `loop`, on whose thread all of its functions are to be called. `options` may
 * be NULL.
 *   -EINVAL   no loop, `servers` that are none, or reserved memory is not zero
 *   -ENOTSUP  `servers`, and it is the system's getaddrinfo(3) that is asked
 *   -ENOMEM, -EMFILE, ... */
BRINK_API int brink_resolver_create(brink_resolver **resolver, brink_loop *loop,
                                    const struct brink_resolver_options *options);

/* Ends it, before the loop is destroyed. Lookups that have not ended are called with
 * -ECANCELED. It does not wait for getaddrinfo(3), which a thread may still be in when no name
 * server answers: that thread goes when it returns from there, and does nothing more. In a forked
 * child it calls nobody. NULL is allowed. */
BRINK_API void brink_resolver_destroy(brink_resolver *resolver);

/* What answers: "getaddrinfo" or "c-ares". Any thread. */
BRINK_API const char *brink_resolver_backend(void);

/* `error`: 0, and then `lookup->addresses` has at least one address; or a negative errno or one
 * of the numbers above. On the loop's thread, in a turn after that of the start. The lookup may
 * be started again or freed in it. */
typedef void brink_lookup_fn(brink_lookup *lookup, int error);

/* A lookup, in the caller's memory, zeroed at first. */
struct brink_lookup {
	/* the caller's: */
	brink_lookup_fn *call;
	int family;       /* AF_INET or AF_INET6: only these; 0: both */
	uint64_t timeout; /* nanoseconds; 0: the resolver's */
	/* During the call: without doubles, the one to be tried first at the front, which is the
	 * order of RFC 6724 as the system gives it. They are freed when the call returns. */
	const struct brink_address *addresses;
	unsigned count;
	/* the library's: */
	struct brink__query *query;
	brink_timer timer;
	void *reserved[2];
};

/* Begins to look up `name`, a text of one of these forms:
 *     www.example.org:443     www.example.org:https     192.0.2.1:https     [2001:db8::1]:https
 *     whatever brink_address_parse() reads: it is the answer, and nobody is asked
 * The port must be there; 0 will do where it is of no interest. A started lookup keeps the loop
 * running. When `parallel` others are being asked for, it waits for its turn, in order.
 *   -EAGAIN         as many wait as may
 *   -EEXIST         it is started
 *   -EINVAL         `name` is of none of these forms, another family, or no callback
 *   -ENAMETOOLONG   the host is longer than 255 bytes, the service longer than 31, or a UNIX
 *                   path does not fit into an address
 *   -ENODEV         there is no interface of the name behind the %
 *   -ECANCELED      the resolver is being destroyed, or, in a forked child, the parent's
 *   -ENOMEM
 * Its call may bring:
 *   0, -BRINK_ENONAME, -BRINK_ENOADDRESS, -BRINK_ENAMEAGAIN, -BRINK_ENAMEFAILED, -BRINK_ENOSERVICE
 *   -ETIMEDOUT      the time is over
 *   -EAFNOSUPPORT   an address in numbers that is not of `family`
 *   -EAGAIN         no thread could be started
 *   -ECANCELED      the resolver was destroyed
 *   -ENOMEM, or what else the system says */
BRINK_API int brink_lookup_start(brink_resolver *resolver, brink_lookup *lookup, const char *name);

/* Ends it without a call; its memory is the caller's at once. (With getaddrinfo(3), the thread
 * that asks is not free for others before that returns.)  -ENOENT   it is not started */
BRINK_API int brink_lookup_cancel(brink_lookup *lookup);

BRINK_END_DECLS

#endif
