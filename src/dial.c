/* Dials: a lookup, then a race of connects.
 *
 *   the lookup     until the addresses are there
 *   the race       each attempt is a descriptor and its watch; `next` starts another one when the
 *                  latest has had no answer for the delay, and any failure does at once
 *
 * Whatever ends it goes through finish(), whose call is the last touch of the dial. */
#include "config.h"

#include "memory.h"
#include "resolver.h"
#include "socket.h"

#include <brink/dial.h>

#include <errno.h>
#include <unistd.h>

#define DELAY BRINK_MS(250)
#define DELAY_LEAST BRINK_MS(10)
#define DELAY_MOST BRINK_SECONDS(2)

struct attempt {
	brink_watch watch;
	brink_dial *dial;
	struct brink_address address;
	int fd; /* -1: not begun, or failed */
};

struct brink__race {
	unsigned count, begun, active;
	int error; /* the most telling so far */
	struct attempt attempts[]; /* in the order in which they are begun */
};

/* ---- the end ---- */

static void give_up(struct attempt *attempt)
{
	if (attempt->fd < 0)
		return;
	brink_watch_stop(&attempt->watch);
	close(attempt->fd);
	attempt->fd = -1;
	attempt->dial->race->active--;
}

static void clear(brink_dial *dial)
{
	brink_lookup_cancel(&dial->lookup);
	brink_timer_stop(&dial->deadline);
	brink_timer_stop(&dial->next);
	for (unsigned i = 0; dial->race != NULL && i < dial->race->begun; i++)
		give_up(&dial->race->attempts[i]);
	brink__free(dial->race);
	dial->race = NULL;
	brink__resolver_drop(dial->resolver);
	dial->resolver = NULL;
}

static void finish(brink_dial *dial, int result)
{
	clear(dial);
	dial->call(dial, result);
}

static void win(struct attempt *attempt)
{
	brink_dial *dial = attempt->dial;
	int fd = attempt->fd;

	brink_watch_stop(&attempt->watch);
	attempt->fd = -1;
	dial->address = attempt->address;
	finish(dial, fd);
}

/* ---- attempts ---- */

/* The machine's and not the address's: there may be enough of it again when another one ends. */
static bool is_shortage(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ENOBUFS || error == -ENOSPC;
}

/* This machine has no way there, or may not go it. 0 for the error before the first. */
static bool is_out_of_reach(int error)
{
	return error == -ENETUNREACH || error == -EHOSTUNREACH || error == -EADDRNOTAVAIL ||
	       error == -EAFNOSUPPORT || error == -EACCES || error == -EPERM || error == 0;
}

static void note_error(struct brink__race *race, int error)
{
	if (is_out_of_reach(race->error) || !is_out_of_reach(error))
		race->error = error;
}

static void advance(brink_dial *dial);

static void on_edge(brink_watch *watch, unsigned ready)
{
	struct attempt *attempt = brink_container_of(watch, struct attempt, watch);
	brink_dial *dial = attempt->dial;
	int result = brink__connect_check(attempt->fd, &attempt->address);

	(void)ready;
	if (result == -EINPROGRESS)
		result = brink_watch_rearm(watch, BRINK_WRITE) < 0 ? -ENOMEM : -EINPROGRESS;
	if (result == 0) {
		win(attempt);
	} else if (result == -EAGAIN) {
		/* A UNIX listener whose queue is full: nothing is under way, and nothing will be reported.
		 * It is the only address of its name, so that the timer has nothing else to do. */
		brink_timer_start(brink__resolver_loop(dial->resolver), &dial->next, DELAY_LEAST, 0);
	} else if (result != -EINPROGRESS) {
		note_error(dial->race, result);
		give_up(attempt);
		advance(dial);
	}
}

/* -EINPROGRESS, 0 when it stands already, or why not. */
static int begin(brink_dial *dial, struct attempt *attempt)
{
	brink_loop *loop = brink__resolver_loop(dial->resolver);
	int result = brink__connect(&attempt->address, dial->flags, &attempt->fd), watched;

	if (result < 0 && result != -EINPROGRESS)
		return result;
	brink_watch_init(&attempt->watch, on_edge);
	dial->race->active++;
	watched = result == 0 ? 0 : brink_watch_start(loop, &attempt->watch, attempt->fd, BRINK_WRITE);
	if (watched < 0)
		give_up(attempt);
	return watched < 0 ? watched : result;
}

/* Begins the next one, and those after it if it fails at once. */
static void advance(brink_dial *dial)
{
	struct brink__race *race = dial->race;
	brink_loop *loop = brink__resolver_loop(dial->resolver);
	struct attempt *attempt;
	int result;

	brink_timer_stop(&dial->next);
	while (race->begun < race->count) {
		attempt = &race->attempts[race->begun];
		result = begin(dial, attempt);
		if (is_shortage(result) && race->active > 0)
			break; /* it is tried again */
		race->begun++;
		dial->attempts++;
		if (result == 0) {
			win(attempt);
			return;
		}
		if (result == -EINPROGRESS)
			break;
		note_error(race, result);
		if (is_shortage(result)) {
			finish(dial, result);
			return;
		}
	}
	if (race->active == 0)
		finish(dial, race->error);
	else if (race->begun < race->count)
		brink_timer_start(loop, &dial->next, dial->delay != 0 ? dial->delay : DELAY, 0);
	else if (race->attempts[0].address.storage.ss_family == AF_UNIX)
		on_edge(&race->attempts[0].watch, BRINK_WRITE); /* see brink__connect() */
}

static void on_next(brink_timer *timer)
{
	advance(brink_container_of(timer, brink_dial, next));
}

/* The loop may have been held up, so that who has answered in time was not heard. */
static void on_deadline(brink_timer *timer)
{
	brink_dial *dial = brink_container_of(timer, brink_dial, deadline);

	for (unsigned i = 0; dial->race != NULL && i < dial->race->begun; i++) {
		struct attempt *attempt = &dial->race->attempts[i];

		if (attempt->fd >= 0 && brink__connect_check(attempt->fd, &attempt->address) == 0) {
			win(attempt);
			return;
		}
	}
	finish(dial, -ETIMEDOUT);
}

/* ---- the order ---- */

/* The index of the next address from `from` on that is of `family`, or, with `other`, is not. */
static unsigned find(const brink_lookup *lookup, unsigned from, int family, bool other)
{
	while (from < lookup->count && (lookup->addresses[from].storage.ss_family != family) != other)
		from++;
	return from;
}

/* The families in turn, each in its own order; what is left of the longer one at the end. */
static void put_in_order(struct brink__race *race, brink_dial *dial, const brink_lookup *lookup)
{
	int family = lookup->addresses[0].storage.ss_family;
	unsigned next[2] = {find(lookup, 0, family, false), find(lookup, 0, family, true)}, turn = 0;

	for (; race->count < lookup->count; turn ^= 1) {
		struct attempt *attempt = &race->attempts[race->count];

		if (next[turn] == lookup->count)
			continue;
		attempt->dial = dial;
		attempt->fd = -1;
		attempt->address = lookup->addresses[next[turn]];
		next[turn] = find(lookup, next[turn] + 1, family, turn == 1);
		race->count++;
	}
}

static void on_lookup(brink_lookup *lookup, int error)
{
	brink_dial *dial = brink_container_of(lookup, brink_dial, lookup);

	if (error == 0) {
		dial->race = brink__allocate(1, sizeof *dial->race + lookup->count * sizeof dial->race->attempts[0]);
		error = dial->race != NULL ? 0 : -ENOMEM;
	}
	if (error < 0) {
		finish(dial, error);
		return;
	}
	put_in_order(dial->race, dial, lookup);
	advance(dial);
}

/* ---- from outside ---- */

static int check(const brink_dial *dial)
{
	if (dial->call == NULL || dial->flags & ~(BRINK_SOCKET_DELAY | BRINK_SOCKET_KEEPALIVE))
		return -EINVAL;
	if (dial->delay != 0 && (dial->delay < DELAY_LEAST || dial->delay > DELAY_MOST))
		return -EINVAL;
	return 0;
}

int brink_dial_start(brink_resolver *resolver, brink_dial *dial, const char *name)
{
	uint64_t timeout = dial->timeout != 0 ? dial->timeout : BRINK_SECONDS(30);
	int result = dial->resolver != NULL ? -EEXIST : check(dial);

	if (result < 0)
		return result;
	dial->lookup.call = on_lookup;
	dial->lookup.family = dial->family;
	dial->lookup.timeout = timeout;
	result = brink_lookup_start(resolver, &dial->lookup, name);
	if (result < 0)
		return result;
	brink__resolver_hold(resolver);
	dial->resolver = resolver;
	dial->race = NULL;
	dial->attempts = 0;
	brink_timer_init(&dial->next, on_next);
	brink_timer_init(&dial->deadline, on_deadline);
	/* They have callbacks, and this loop's thread has them: they cannot fail. */
	brink_timer_start(brink__resolver_loop(resolver), &dial->deadline, timeout, 0);
	return 0;
}

int brink_dial_cancel(brink_dial *dial)
{
	if (dial->resolver == NULL)
		return -ENOENT;
	clear(dial);
	return 0;
}
