/* A dial: connects to a name, by whichever of its addresses answers first.
 *
 * A name often has addresses of both families, of which one may lead nowhere. So they are tried
 * as RFC 8305 ("happy eyeballs") has it: the families in turn, the one that the system
 * prefers first; the next address as soon as one has failed, or has not answered for a while,
 * beside it; the first connection that stands is it, and the others are closed.
 *
 * This is for descriptors. A socket (<brink/socket.h>) does it by itself when it is given a
 * `name`. */
#ifndef BRINK_DIAL_H
#define BRINK_DIAL_H

#include <brink/address.h>
#include <brink/base.h>
#include <brink/resolver.h>
#include <brink/timer.h>

BRINK_BEGIN_DECLS

/* `result`: a connected descriptor, which is the callee's, or a negative errno or number of
 * <brink/resolver.h>. On the loop's thread, in a turn after that of the start. The dial may be started
 * again or freed in it. */
typedef void brink_dial_fn(brink_dial *dial, int result);

/* A dial, in the caller's memory, zeroed at first. */
struct brink_dial {
	/* the caller's: */
	brink_dial_fn *call;
	int family;       /* AF_INET or AF_INET6: only these; 0: both */
	unsigned flags;   /* BRINK_SOCKET_DELAY, BRINK_SOCKET_KEEPALIVE: of the descriptor */
	uint64_t timeout; /* of all of it, the lookup included, in nanoseconds; 0: 30 s */
	uint64_t delay;   /* how long an address may go without an answer before the next one is tried,
	                   * too, in nanoseconds; 10 ms to 2 s; 0: 250 ms */
	/* In the call: */
	struct brink_address address; /* that answered, if one did */
	unsigned attempts;            /* addresses that were tried; 0: the name was not found */
	/* the library's: */
	brink_resolver *resolver;
	struct brink__race *race;
	brink_lookup lookup;
	brink_timer deadline, next;
	void *reserved[4];
};

/* Begins to connect a stream to `name`, which is what brink_lookup_start() takes. The end of
 * the resolver ends a dial that has no addresses yet, with -ECANCELED. A started dial keeps the
 * loop running. On the loop's thread.
 *   -EEXIST   it is started
 *   -EINVAL   no callback, a delay that is too short or too long, a flag that is none of these
 *   other     as brink_lookup_start()
 * Its call may bring, beside a descriptor:
 *   -ETIMEDOUT      the time is over
 *   other           what a lookup brings; or, when no address is left, what the last one failed
 *                   with that could be reached (-ECONNREFUSED rather than -ENETUNREACH); or -EMFILE,
 *                   -ENOMEM and their like, when no attempt is under way that might still succeed */
BRINK_API int brink_dial_start(brink_resolver *resolver, brink_dial *dial, const char *name);

/* Ends it without a call, and closes what it has opened. On the loop's thread.
 *   -ENOENT   it is not started */
BRINK_API int brink_dial_cancel(brink_dial *dial);

BRINK_END_DECLS

#endif
