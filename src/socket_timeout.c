/* All timeouts of a socket: one timer, and the times at which something happened.
 *
 * To restart a timeout is to store the time. The timer is not touched: when it goes off, it
 * looks at the times, and either one of them is too long ago or it sleeps on until the
 * earliest at which one can be. So a busy connection costs a store for each read or write
 * and one call of the timer for each timeout's length, whatever it transfers. */
#include "config.h"

#include "memory.h"
#include "socket.h"

#include <errno.h>
#include <string.h>

#define NEVER UINT64_MAX
#define RETRY_MOST BRINK_MS(250)

struct brink__socket_timing {
	brink_timer timer;
	brink_socket *socket;
	uint64_t connect_by; /* NEVER: it is open */
	uint64_t retry_at; /* a connect has to be tried again */
	uint64_t linger_by;
	_Atomic uint64_t read_at, written_at;
	_Atomic uint64_t rest_at; /* when it was last given back to its pool */
	/* The protocol's. */
	_Atomic uint64_t by, armed; /* `armed`: when the timer goes off */
	_Atomic(brink__late_fn *) late; /* NULL: of the first deadline, nobody is there to be told */
	uint32_t retry_after; /* and again after so long, at most RETRY_MOST */
	bool notes;   /* needs_times() */
	bool overdue; /* it was too late already when the timer last went off */
};

/* Those that last while it is open, and need the times. */
static bool needs_times(const brink_socket *socket)
{
	const struct brink_socket_options *options = brink__socket_options(socket);

	return options->idle_timeout != 0 || options->read_timeout != 0 || options->write_timeout != 0 ||
	       socket->config->rest_timeout != 0 || socket->config->first_timeout != 0;
}

static struct brink__socket_timing *get(brink_socket *socket)
{
	/* Pairs with the store in obtain(), which may be the loop's while others write already. */
	return atomic_load_explicit(&socket->timing, memory_order_acquire);
}

static uint64_t time_here(brink_loop *loop)
{
	return brink__loop_turning_here(loop) ? brink__loop_clock(loop) : brink__os_now();
}

/* A time orders nothing: one that is seen late is a timeout that is looked at again. */
static void note(_Atomic uint64_t *time, uint64_t now)
{
	atomic_store_explicit(time, now, memory_order_relaxed);
}

void brink__timing_read_now(brink_socket *socket)
{
	struct brink__socket_timing *timing = get(socket);

	if (timing->notes)
		note(&timing->read_at, time_here(socket->loop));
}

void brink__timing_written_now(brink_socket *socket)
{
	struct brink__socket_timing *timing = get(socket);

	if (timing->notes)
		note(&timing->written_at, time_here(socket->loop));
}

void brink__timing_rest(brink_socket *socket)
{
	struct brink__socket_timing *timing = get(socket);

	/* NULL: its loop has not begun with it. */
	if (timing != NULL)
		note(&timing->rest_at, time_here(socket->loop));
}

/* ---- what may be over, and when ---- */

struct timeout {
	uint64_t at; /* the earliest; NEVER */
	int error;
	const char *text;
	bool rest; /* in a pool */
	bool late; /* by the protocol's deadline */
};

static uint64_t later(uint64_t from, uint64_t by)
{
	return by > NEVER - from ? NEVER : from + by;
}

/* When what is under way from `now` on is to be over: not NEVER, which says that it is not under way. */
static uint64_t end_of(uint64_t now, uint64_t length)
{
	return length < NEVER - now ? now + length : NEVER - 1;
}

static bool consider(struct timeout *earliest, uint64_t from, uint64_t length, const char *text)
{
	uint64_t at = later(from, length);

	if (length == 0 || at >= earliest->at)
		return false;
	*earliest = (struct timeout){.at = at, .error = -ETIMEDOUT, .text = text};
	return true;
}

/* Whoever has the right to read is about to, or is busy with what was read. */
static bool is_reading(brink_socket *socket)
{
	return atomic_load_explicit(&socket->edges, memory_order_relaxed) != 0;
}

static void consider_open(struct brink__socket_timing *timing, struct timeout *earliest, uint64_t now)
{
	brink_socket *socket = timing->socket;
	const struct brink_socket_options *options = brink__socket_options(socket);
	uint64_t read_at = atomic_load_explicit(&timing->read_at, memory_order_relaxed);
	uint64_t written_at = atomic_load_explicit(&timing->written_at, memory_order_relaxed);
	/* Acquired, as `rest_at` is the time of this rest. */
	bool resting = atomic_load_explicit(&socket->resting, memory_order_acquire);
	uint64_t rest_at = atomic_load_explicit(&timing->rest_at, memory_order_relaxed);

	consider(earliest, read_at > written_at ? read_at : written_at, options->idle_timeout, "idle timeout");
	if (is_reading(socket) || atomic_load_explicit(&socket->paused, memory_order_relaxed))
		read_at = now;
	consider(earliest, read_at, options->read_timeout, "read timeout");
	if (atomic_load_explicit(&socket->unsent, memory_order_relaxed) == 0 && !brink__socket_is_ending(socket))
		written_at = now;
	consider(earliest, written_at, options->write_timeout, "write timeout");
	/* What its peer sends meanwhile is no use of it. */
	if (consider(earliest, resting ? rest_at : now, socket->config->rest_timeout, "nobody took it"))
		earliest->rest = true;
	if (consider(earliest, 0, atomic_load(&timing->by), "the first message did not come in time"))
		earliest->late = true;
}

static struct timeout first(struct brink__socket_timing *timing, uint64_t now)
{
	struct timeout earliest = {.at = NEVER};

	if (timing->connect_by != NEVER)
		return (struct timeout){.at = timing->connect_by, .error = -ETIMEDOUT, .text = "connect timeout"};
	/* Our side is sent, and nothing is wanted of the peer but its end. */
	if (timing->linger_by != NEVER)
		return (struct timeout){.at = timing->linger_by};
	consider_open(timing, &earliest, now);
	return earliest;
}

/* ---- the timer ---- */

static void sleep_on(struct brink__socket_timing *timing)
{
	brink_loop *loop = timing->socket->loop;
	uint64_t now = brink_loop_now(loop), at;

	/* Who sets a deadline meanwhile posts; or it is seen here. */
	atomic_store(&timing->armed, NEVER);
	at = first(timing, now).at;
	if (timing->retry_at < at)
		at = timing->retry_at;
	atomic_store(&timing->armed, at);
	if (at == NEVER)
		brink__timer_stop_aside(&timing->timer);
	else
		brink__timer_start_aside(loop, &timing->timer, at > now ? at - now : 0);
}

/* On an executor, which may be busy: on_open, or what has come first, waits for its turn, or is having it. */
static bool is_unread(brink_socket *socket)
{
	return socket->offloaded && is_reading(socket) && !atomic_load(&socket->their_end) &&
	       (atomic_load(&socket->bytes_read) == 0 || atomic_load(&socket->readers) != 0);
}

static void too_late(brink_socket *socket, struct timeout *timeout)
{
	struct brink__socket_timing *timing = get(socket);
	bool again = atomic_load(&timing->late) == NULL && is_unread(socket);
	uint64_t by = timeout->at;
	uint64_t next = again ? later(brink_loop_now(socket->loop), socket->config->first_timeout) : NEVER;

	/* It may have been moved meanwhile. */
	if (atomic_compare_exchange_strong(&timing->by, &by, next) && !again) {
		brink__late_fn *late = atomic_load(&timing->late);

		if (late != NULL)
			late(socket);
		else
			brink__socket_fail(socket, timeout->error, timeout->text);
	}
	if (!brink__socket_failed(socket))
		sleep_on(timing);
}

static void over(brink_socket *socket, struct timeout *timeout)
{
	bool connects = atomic_load_explicit(&socket->state, memory_order_relaxed) == BRINK_SOCKET_CONNECTING;
	int error = timeout->error;

	/* Where it lives on, the next that is too late gets its turn, too. */
	get(socket)->overdue = false;
	if (connects && error != 0 && !brink__socket_is_looking_up(socket))
		error = brink__connect_timed_out(socket);
	if (timeout->late)
		too_late(socket, timeout);
	else if (!timeout->rest)
		brink__socket_fail(socket, error, timeout->text);
	else if (atomic_exchange(&socket->resting, false))
		brink__socket_fail(socket, 0, timeout->text);
	else
		sleep_on(socket->timing);
}

static void on_timer(brink_timer *timer)
{
	struct brink__socket_timing *timing = brink_container_of(timer, struct brink__socket_timing, timer);
	brink_socket *socket = timing->socket;
	uint64_t now = brink_loop_now(timer->loop);
	struct timeout timeout = first(timing, now);
	bool retry = timing->retry_at <= now;

	brink__timer_aside_came(timer);
	if (brink__socket_failed(socket))
		return;
	if (timeout.at <= now && timing->overdue) {
		over(socket, &timeout);
		return;
	}
	/* If the loop was held up, what would have come in time has not been read yet: another
	 * turn, and it is. */
	timing->overdue = timeout.at <= now;
	if (retry)
		timing->retry_at = NEVER;
	sleep_on(timing);
	if (retry && socket->connecting)
		brink__connect_edge(socket);
}

/* ---- the protocol's deadline ---- */

uint64_t brink__timing_now(brink_socket *socket)
{
	return time_here(socket->loop);
}

uint64_t brink__timing_written_at(brink_socket *socket)
{
	return atomic_load_explicit(&get(socket)->written_at, memory_order_relaxed);
}

void brink__timing_deadline(brink_socket *socket, uint64_t at, brink__late_fn *late)
{
	struct brink__socket_timing *timing = get(socket);

	if (timing == NULL || socket->config->first_timeout == 0)
		return;
	if (atomic_load_explicit(&timing->late, memory_order_relaxed) != late)
		atomic_store(&timing->late, late);
	/* A timer that goes off for the one before is early enough for one that is later. */
	if (at >= atomic_load_explicit(&timing->by, memory_order_relaxed)) {
		atomic_store_explicit(&timing->by, at, memory_order_relaxed);
		return;
	}
	atomic_store(&timing->by, at);
	if (at < atomic_load(&timing->armed))
		brink__socket_post(socket, BRINK__SOCKET_DEADLINE);
}

void brink__timing_first_kept(brink_socket *socket)
{
	struct brink__socket_timing *timing = get(socket);

	if (timing != NULL && atomic_load(&timing->late) == NULL)
		atomic_store(&timing->by, NEVER);
}

void brink__timing_again(brink_socket *socket)
{
	struct brink__socket_timing *timing = get(socket);

	if (timing != NULL && !brink__socket_failed(socket)) {
		timing->overdue = false;
		sleep_on(timing);
	}
}

static void begin_first(struct brink__socket_timing *timing, uint64_t now)
{
	uint64_t length = timing->socket->config->first_timeout;

	atomic_store(&timing->late, NULL);
	atomic_store(&timing->by, length == 0 ? NEVER : later(now, length));
}

static struct brink__socket_timing *obtain(brink_socket *socket)
{
	struct brink__socket_timing *timing = get(socket);

	if (timing == NULL) {
		timing = brink__allocate(1, sizeof *timing);
		if (timing == NULL)
			return NULL;
		brink_timer_init(&timing->timer, on_timer);
		timing->socket = socket;
		timing->notes = needs_times(socket);
		atomic_store(&timing->by, NEVER);
		atomic_store_explicit(&socket->timing, timing, memory_order_release);
	}
	return timing;
}

int brink__timing_start(brink_socket *socket)
{
	bool connects = socket->config->client || brink__socket_transport(socket)->handshake != NULL;
	struct brink__socket_timing *timing;
	uint64_t now;

	if (!connects && !needs_times(socket))
		return 0;
	timing = obtain(socket);
	if (timing == NULL)
		return -ENOMEM;
	now = brink_loop_now(socket->loop);
	timing->connect_by = connects ? end_of(now, brink__socket_options(socket)->connect_timeout) : NEVER;
	timing->retry_at = timing->linger_by = NEVER;
	timing->retry_after = 0;
	timing->overdue = false;
	begin_first(timing, now);
	note(&timing->read_at, now);
	note(&timing->written_at, now);
	note(&timing->rest_at, now); /* it may have been given back before there was a `timing` */
	sleep_on(timing);
	return 0;
}

void brink__timing_opened(brink_socket *socket)
{
	struct brink__socket_timing *timing = get(socket);

	brink__connect_stood(socket);
	if (timing == NULL || timing->connect_by == NEVER)
		return;
	timing->connect_by = timing->retry_at = NEVER;
	timing->overdue = false;
	begin_first(timing, brink_loop_now(socket->loop));
	note(&timing->read_at, brink_loop_now(socket->loop));
	note(&timing->written_at, brink_loop_now(socket->loop));
	sleep_on(timing);
}

void brink__timing_retry(brink_socket *socket, uint64_t after)
{
	struct brink__socket_timing *timing = get(socket);

	/* Twice as long each time, up to a limit. */
	if (timing->retry_after != 0)
		after = 2 * (uint64_t)timing->retry_after;
	timing->retry_after = (uint32_t)(after < RETRY_MOST ? after : RETRY_MOST);
	timing->retry_at = later(brink_loop_now(socket->loop), timing->retry_after);
	sleep_on(timing);
}

int brink__timing_linger(brink_socket *socket)
{
	struct brink__socket_timing *timing = get(socket);

	if (timing == NULL) {
		timing = obtain(socket);
		if (timing == NULL)
			return -ENOMEM;
		timing->connect_by = timing->retry_at = NEVER;
	}
	timing->linger_by = end_of(brink_loop_now(socket->loop), brink__socket_options(socket)->linger_timeout);
	timing->overdue = false;
	sleep_on(timing);
	return 0;
}

void brink__timing_stop(brink_socket *socket)
{
	if (get(socket) != NULL)
		brink__timer_stop_aside(&get(socket)->timer);
}

void brink__timing_free(brink_socket *socket)
{
	brink__free(get(socket));
	atomic_store_explicit(&socket->timing, NULL, memory_order_relaxed);
}
