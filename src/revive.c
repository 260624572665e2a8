/* Revival: a failed socket with an address is probed, and when its peer is well again it
 * lives once more under the same id.
 *
 *   resting    until the next probe: first for `isolation`, or the interval if that is longer; then for
 *              the interval, which doubles up to a limit. And each time up to an eighth longer, so
 *              that the many clients of a peer do not all come at once
 *   asking     a connect is under way
 *   well       it can be revived, at once or as soon as nobody refers to the failed one
 *
 * The prober holds the reference that the socket's life had. Whoever else has one may still
 * look at what failed, so the fields of a life are made new only while the prober is alone,
 * and the id resolves only afterwards. If others come in between, the last of them to leave
 * has brink__revive_alone() called again: nothing here waits by asking again and again. */
#include "config.h"

#include "memory.h"
#include "socket.h"

#include <errno.h>
#include <unistd.h>

enum step { IDLE, RESTING, ASKING, WELL };

struct brink__probing {
	brink_timer timer;
	brink_watch watch;
	brink_socket *socket;
	enum step step;
	int fd; /* of the connect, or -1 */
	bool connecting; /* that connect is the new life's, and still under way */
	uint64_t interval; /* after the next probe, if it fails */
	uint64_t torn_at;  /* when it had failed, and was taken off the loop */
	atomic_uint lives; /* by the loop, read by all */
};

/* ---- resting ---- */

/* A number that differs from probe to probe and from socket to socket. */
static uint64_t scatter(struct brink__probing *probing)
{
	uint64_t mixed = brink_socket_get_id(probing->socket) ^ brink_loop_now(probing->socket->loop) << 20;

	mixed = (mixed ^ mixed >> 32) * UINT64_C(0x9e3779b97f4a7c15);
	return mixed ^ mixed >> 29;
}

/* Up to an eighth more. */
static uint64_t stretch(struct brink__probing *probing, uint64_t length)
{
	uint64_t more = scatter(probing) % (length / 8 + 1);

	return length < UINT64_MAX - more ? length + more : UINT64_MAX;
}

static void rest(struct brink__probing *probing, uint64_t length)
{
	probing->step = RESTING;
	/* It has a callback and this loop's thread has it: it cannot fail. */
	brink_timer_start(probing->socket->loop, &probing->timer, length, 0);
}

static void rest_longer(struct brink__probing *probing)
{
	uint64_t most = brink__socket_options(probing->socket)->probe_interval_max;
	uint64_t interval = probing->interval < most ? probing->interval : most;

	probing->interval = interval > most / 2 ? most : 2 * interval;
	rest(probing, stretch(probing, interval));
}

static void rest_first(struct brink__probing *probing)
{
	const struct brink_socket_options *options = brink__socket_options(probing->socket);
	uint64_t first = options->isolation > options->probe_interval ? options->isolation : options->probe_interval;
	uint64_t passed = brink_loop_now(probing->socket->loop) - probing->torn_at;

	first = stretch(probing, first);
	probing->interval = options->probe_interval;
	rest(probing, first > passed ? first - passed : 0);
}

/* ---- coming back ---- */

static void stop_asking(struct brink__probing *probing)
{
	brink_timer_stop(&probing->timer);
	brink_watch_stop(&probing->watch);
	brink__socket_dial_stop(probing->socket);
	if (probing->fd >= 0)
		close(probing->fd);
	probing->fd = -1;
}

static void live_again(brink_socket *socket, bool connecting)
{
	const struct brink_socket_options *options = brink__socket_options(socket);

	socket->torn = socket->closed = false;
	socket->connecting = connecting;
	brink__loop_connection_added(socket->loop);
	if (options->on_revive != NULL)
		options->on_revive(socket, options->arg);
	/* It may have been failed in its on_revive, or by another thread: its end is on its way. */
	if (!brink__socket_failed(socket))
		brink__socket_begin(socket);
	brink_socket_release(socket); /* the prober's */
}

/* Abandoned at the last moment, when all but its id was alive again. */
static void stay_dead(brink_socket *socket)
{
	brink__socket_clear_away(socket);
	atomic_store(&socket->error, -ECANCELED);
	atomic_store(&socket->state, BRINK_SOCKET_FAILED);
}

static void ask_later(struct brink__probing *probing, int error)
{
	atomic_store(&probing->socket->config->probe_error, error);
	stop_asking(probing);
	rest_longer(probing);
}

static void come_back(struct brink__probing *probing)
{
	brink_socket *socket = probing->socket;
	int result = 0;

	if (!brink__slot_alone(socket))
		return; /* we are told when it is the only one */
	/* With a probe of the user's own, the connect is the new life's; a dial, when that begins. */
	if (probing->fd < 0 && brink__socket_dial_of(socket) == NULL)
		result = brink__connect(&socket->config->address, brink__socket_options(socket)->flags, &probing->fd);
	if (result < 0 && result != -EINPROGRESS) {
		ask_later(probing, result);
		return;
	}
	atomic_store(&socket->config->probe_error, 0);
	probing->connecting = probing->connecting || result < 0;
	brink__socket_clear_away(socket);
	brink__socket_new_life(socket, -1);
	socket->fd = probing->fd;
	probing->fd = -1;
	probing->step = IDLE;
	atomic_fetch_add_explicit(&probing->lives, 1, memory_order_relaxed);
	if (brink__slot_revive(socket))
		live_again(socket, probing->connecting);
	else
		stay_dead(socket);
}

/* ---- asking ---- */

static void answered(struct brink__probing *probing, int result)
{
	if (result == 0) {
		brink_timer_stop(&probing->timer);
		brink_watch_stop(&probing->watch);
		probing->step = WELL;
		come_back(probing);
		return;
	}
	ask_later(probing, result == -ETIMEDOUT ? brink__connect_timed_out(probing->socket) : result);
}

static void on_edge(brink_watch *watch, unsigned ready)
{
	struct brink__probing *probing = brink_container_of(watch, struct brink__probing, watch);
	int result = brink__connect_check(probing->fd, &probing->socket->config->address);

	(void)ready;
	if (result == -EINPROGRESS)
		result = brink_watch_rearm(watch, BRINK_WRITE) < 0 ? -EAGAIN : -EINPROGRESS;
	if (result != -EINPROGRESS)
		answered(probing, result);
}

static void on_dialed(brink_socket *socket, int result, const char *what)
{
	struct brink__probing *probing = socket->rare->probing;

	(void)what;
	if (result >= 0)
		probing->fd = result;
	if (result == -ETIMEDOUT && brink__socket_is_looking_up(socket))
		ask_later(probing, result); /* it was not the peer */
	else
		answered(probing, result >= 0 ? 0 : result);
}

static void ask(struct brink__probing *probing)
{
	brink_socket *socket = probing->socket;
	const struct brink_socket_options *options = brink__socket_options(socket);
	int result;

	probing->step = ASKING;
	probing->connecting = false;
	if (options->probe != NULL) {
		result = options->probe(socket, options->arg);
		answered(probing, result);
		return;
	}
	if (brink__socket_dial_of(socket) != NULL) {
		result = brink__socket_dial(socket, options->connect_timeout, on_dialed);
		if (result < 0)
			answered(probing, result);
		return;
	}
	result = brink__connect(&socket->config->address, options->flags, &probing->fd);
	if (result == -EINPROGRESS) {
		result = brink_watch_start(socket->loop, &probing->watch, probing->fd, BRINK_WRITE);
		if (result == 0) {
			brink_timer_start(socket->loop, &probing->timer, options->connect_timeout, 0);
			return;
		}
	}
	answered(probing, result);
}

/* The loop may have been held up, so that who has answered in time was not heard. */
static void too_late(struct brink__probing *probing)
{
	int result = brink__connect_check(probing->fd, &probing->socket->config->address);

	answered(probing, result == -EINPROGRESS ? -ETIMEDOUT : result);
}

static void on_timer(brink_timer *timer)
{
	struct brink__probing *probing = brink_container_of(timer, struct brink__probing, timer);

	/* Then its end is on its way. */
	if (brink__slot_abandoned(probing->socket))
		return;
	if (probing->step == ASKING)
		too_late(probing);
	else
		ask(probing);
}

/* ---- from outside ---- */

int brink__revive_prepare(brink_socket *socket)
{
	struct brink__probing *probing = brink__allocate(1, sizeof *probing);

	if (probing == NULL)
		return -ENOMEM;
	brink_timer_init(&probing->timer, on_timer);
	brink_watch_init(&probing->watch, on_edge);
	probing->socket = socket;
	probing->fd = -1;
	atomic_init(&probing->lives, 1);
	socket->rare->probing = probing;
	return 0;
}

void brink__revive_alone(brink_socket *socket)
{
	struct brink__probing *probing = socket->rare->probing;

	if (probing->step == IDLE)
		rest_first(probing);
	else if (probing->step == WELL)
		come_back(probing);
}

void brink__revive_torn(brink_socket *socket)
{
	socket->rare->probing->torn_at = brink_loop_now(socket->loop);
}

unsigned brink__revive_lives(brink_socket *socket)
{
	return socket->revivable ? atomic_load_explicit(&socket->rare->probing->lives, memory_order_relaxed) : 1;
}

void brink__revive_stop(brink_socket *socket)
{
	if (socket->revivable)
		stop_asking(socket->rare->probing);
}

void brink__revive_free(brink_socket *socket)
{
	struct brink__probing *probing = socket->rare->probing;

	if (probing != NULL)
		stop_asking(probing);
	brink__free(probing);
}
