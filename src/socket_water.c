/* How many bytes are unsent: the limit, the two marks, and threads that wait for room. */
#include "config.h"

#include "os.h"
#include "socket.h"

#include <errno.h>

/* ---- who waits ---- */

/* Few threads ever wait, so they share a few places, by the number of the slot: a place in
 * every socket would be paid for by all. */
#define PLACES 16u

static struct {
	pthread_mutex_t lock;
	pthread_cond_t low;
} places[PLACES];

static int places_result;

static void make_places(void)
{
	for (unsigned i = 0; i < PLACES && places_result == 0; i++) {
		pthread_mutex_init(&places[i].lock, NULL);
		places_result = brink__os_condition_init(&places[i].low);
	}
}

void brink__socket_wake_waiters(brink_socket *socket)
{
	unsigned place = socket->index % PLACES;

	if (brink__likely(atomic_load(&socket->waiters) == 0))
		return;
	pthread_mutex_lock(&places[place].lock);
	pthread_cond_broadcast(&places[place].low);
	pthread_mutex_unlock(&places[place].lock);
}

static bool has_room(brink_socket *socket)
{
	return atomic_load(&socket->unsent) <= brink__socket_options(socket)->low_water;
}

static int wait_until(brink_socket *socket, uint64_t until)
{
	unsigned place = socket->index % PLACES;

	/* The failure first: its end of all requests leaves room, too. */
	while (!brink__socket_failed(socket)) {
		if (has_room(socket))
			return 0;
		if (brink__os_now() >= until)
			return -ETIMEDOUT;
		brink__os_condition_wait(&places[place].low, &places[place].lock, until);
	}
	return brink__socket_error(socket);
}

int brink_socket_wait(brink_socket *socket, int64_t timeout)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	unsigned place = socket->index % PLACES;
	uint64_t now = brink__os_now();
	int result;

	if (brink__loop_turning_here(socket->loop))
		return -EDEADLK;
	pthread_once(&once, make_places);
	if (places_result < 0)
		return places_result;
	pthread_mutex_lock(&places[place].lock);
	/* Counted before the look at the bytes: who lowers them looks at the count after that. */
	atomic_fetch_add(&socket->waiters, 1);
	result = wait_until(socket, timeout < 0 || (uint64_t)timeout > UINT64_MAX - now ? UINT64_MAX
	                                                                                 : now + (uint64_t)timeout);
	atomic_fetch_sub(&socket->waiters, 1);
	pthread_mutex_unlock(&places[place].lock);
	return result;
}

/* ---- the limit and the marks ---- */

static bool takes_again(brink_socket *socket, size_t unsent)
{
	const struct brink_socket_options *options = brink__socket_options(socket);

	/* The marks need not be below the limit. */
	return unsent <= options->low_water && unsent < options->unsent_limit;
}

void brink__socket_wait_for_low(brink_socket *socket)
{
	atomic_fetch_or(&socket->paused, BRINK__PAUSED_BY_LIMIT);
	/* After that: who lowers the bytes looks at it afterwards. */
	if (takes_again(socket, atomic_load(&socket->unsent)))
		brink__socket_read_at_low(socket);
}

int brink__socket_admit(brink_socket *socket, size_t size, unsigned flags)
{
	const struct brink_socket_options *options = brink__socket_options(socket);
	size_t before = atomic_load_explicit(&socket->unsent, memory_order_relaxed);

	if (before >= options->unsent_limit && (flags & BRINK_WRITE_FORCE) == 0) {
		atomic_store(&socket->refused, true);
		return -BRINK_EOVERCROWDED;
	}
	before = atomic_fetch_add(&socket->unsent, size);
	if (before == 0)
		brink__timing_note_write(socket);
	if (before + size >= options->high_water && !atomic_load(&socket->crowded)) {
		atomic_store(&socket->rose, true);
		if (!atomic_exchange(&socket->crowded, true))
			brink__socket_post(socket, BRINK__SOCKET_WATER);
	}
	return 0;
}

void brink__socket_sent(brink_socket *socket, size_t size)
{
	size_t left = atomic_fetch_sub(&socket->unsent, size) - size;

	if (left > brink__socket_options(socket)->low_water)
		return;
	brink__socket_wake_waiters(socket);
	if (brink__unlikely(atomic_load(&socket->paused) & BRINK__PAUSED_BY_LIMIT) && takes_again(socket, left))
		brink__socket_read_at_low(socket);
	if (atomic_load(&socket->crowded) && atomic_exchange(&socket->crowded, false))
		brink__socket_post(socket, BRINK__SOCKET_WATER);
}

static bool is_crowded(brink_socket *socket)
{
	/* A crossing of who comes between the exchange and the count of another's may be told
	 * late, so the number decides where the flag is up. */
	if (atomic_load(&socket->crowded) && has_room(socket))
		atomic_exchange(&socket->crowded, false);
	return atomic_load(&socket->crowded);
}

static bool is_told(brink_socket *socket)
{
	return !socket->closed && !brink__socket_failed(socket);
}

/* The high mark is told also where the bytes are down at the low one meanwhile, and both then:
 * who was refused at the limit counts on hearing of the low mark. Of the crossings between
 * two calls of this, one is told. */
void brink__socket_tell_water(brink_socket *socket)
{
	const struct brink_socket_options *options = brink__socket_options(socket);
	bool rose = atomic_exchange(&socket->rose, false);

	if ((rose || is_crowded(socket)) && !socket->told_high && is_told(socket)) {
		socket->told_high = true;
		if (options->on_high != NULL)
			options->on_high(socket, options->arg);
	}
	if (!is_crowded(socket) && socket->told_high && is_told(socket)) {
		socket->told_high = false;
		if (options->on_low != NULL)
			options->on_low(socket, options->arg);
	}
}
