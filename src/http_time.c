/* The deadlines of a server's connection: a head, a body and the rest between requests have theirs;
 * while it is our turn there is none. A client that sends a byte now and then gains nothing: a
 * head's time runs from its beginning, and a body has to keep up a rate. */
#include "config.h"

#include "http_session.h"

#include <errno.h>

#define NEVER UINT64_MAX
#define LOOK_AGAIN BRINK_MS(100)

static uint64_t later(uint64_t from, uint64_t by)
{
	return by > NEVER - from ? NEVER : from + by;
}

/* Whether it is we who keep the client: we do not want to read, or have not told it yet to go on. Where
 * nothing is to be read any more, as the connection is about to end, that time has to come to an end, too. */
static bool is_kept(const struct brink__http_session *session)
{
	const brink_http_request *receiving = session->receiving;

	if (atomic_load(&session->socket->paused) != 0 && !brink__channel_of(session->socket)->close)
		return true;
	return receiving != NULL && receiving->head->expects && session->body_got == 0 &&
	       (!receiving->asked || brink_buffer_length(&receiving->out) > 0);
}

static void expired(brink_socket *socket);

/* That there is none any more the timing need not know: when it calls at the one before, we look. */
static void set_deadline(struct brink__http_session *session, uint64_t at)
{
	session->deadline = at;
	if (session->dead || (at == NEVER && session->timed))
		return;
	session->timed = true;
	brink__timing_deadline(session->socket, at, expired);
}

/* Of a body of which so many bytes have come. */
static uint64_t rate_deadline(const struct brink__http_session *session, uint64_t got)
{
	const struct brink_http_options *options = &session->http->options;
	uint64_t seconds = got / options->min_rate, rest = got % options->min_rate, allowed;

	if (seconds > NEVER / BRINK_SECONDS(1))
		return NEVER;
	allowed = later(BRINK_SECONDS(seconds), BRINK_SECONDS(rest) / options->min_rate);
	return later(later(session->body_since, options->body_timeout), allowed);
}

static uint64_t body_deadline(const struct brink__http_session *session, uint64_t now)
{
	uint64_t by_rate = rate_deadline(session, session->body_got);
	uint64_t by_silence = later(now, session->http->options.body_timeout);

	return by_rate < by_silence ? by_rate : by_silence;
}

/* With the lock. While we keep the client we look again soon; one that was kept and is not any more has all of
 * its time before it. */
static void begin_anew(struct brink__http_session *session, uint64_t now)
{
	session->body_since = now;
	session->body_got = 0;
	session->late = false;
	if (session->kept)
		set_deadline(session, later(now, LOOK_AGAIN));
	else if (session->phase == BRINK__HTTP_HEAD)
		set_deadline(session, later(now, session->http->options.head_timeout));
	else
		set_deadline(session, body_deadline(session, now));
}

/* With the lock: somebody is about to read, on an executor that is busy perhaps. What was read since the time was
 * over has not helped; what is there and not read may, where it is enough. */
static bool is_behind(struct brink__http_session *session, uint64_t now)
{
	brink_socket *socket = session->socket;
	uint64_t read = atomic_load(&socket->bytes_read);

	if (atomic_load(&socket->edges) == 0)
		return false;
	if (session->late && read != session->late_read)
		return session->phase == BRINK__HTTP_BODY &&
		       rate_deadline(session, session->body_got + brink__socket_arrived(socket)) > now;
	session->late = true;
	session->late_read = read;
	return true;
}

/* With the lock: whether the time that is over was ours. */
static bool is_excused(struct brink__http_session *session, uint64_t now)
{
	bool was_kept = session->kept;

	session->kept = is_kept(session);
	if (session->kept || was_kept)
		begin_anew(session, now);
	else if (is_behind(session, now))
		set_deadline(session, later(now, LOOK_AGAIN));
	else
		return false;
	return true;
}

/* With the lock: whether a client that has asked for nothing still gets what it asked for before, or has had the
 * last of it a shorter time ago. */
static bool is_served(struct brink__http_session *session, uint64_t now)
{
	/* Who writes the last reply, and may be held up, has the bytes counted, then sent, and then leaves. So
	 * it is looked for him first. */
	bool goes_out = atomic_load(&session->writing) != 0 || atomic_load(&session->socket->unsent) > 0;
	uint64_t idle = session->http->options.idle_timeout;
	uint64_t since = goes_out ? now : brink__timing_written_at(session->socket);

	if (later(since, idle) <= now)
		return false;
	set_deadline(session, later(since, idle));
	return true;
}

/* With the lock: whether what it asks for now has come, and somebody is about to look at it. Who has heard of the end
 * reads no more. */
static bool is_asking(struct brink__http_session *session, uint64_t now)
{
	const brink_socket *socket = session->socket;

	if (atomic_load(&socket->edges) == 0 || atomic_load(&socket->their_end))
		return false;
	set_deadline(session, later(now, LOOK_AGAIN));
	return true;
}

/* With the lock: what of the client's is over; BUSY: nothing, or the deadline was moved meanwhile. */
static enum brink__http_phase look_what_is_over(struct brink__http_session *session)
{
	uint64_t now = brink__timing_now(session->socket);
	enum brink__http_phase phase = session->deadline <= now ? session->phase : BRINK__HTTP_BUSY;

	if ((phase == BRINK__HTTP_HEAD || phase == BRINK__HTTP_BODY) && is_excused(session, now))
		return BRINK__HTTP_BUSY;
	if (phase == BRINK__HTTP_IDLE && (is_served(session, now) || is_asking(session, now)))
		return BRINK__HTTP_BUSY;
	return phase;
}

/* No lock is held by the caller. What follows from the look is begun under the same hold of it: else the reader could
 * complete meanwhile what is given up. */
static void expired(brink_socket *socket)
{
	struct brink__channel *channel = brink__channel_of(socket);
	struct brink__http_session *session = brink_container_of(channel->session, struct brink__http_session, base);
	enum brink__http_phase phase;
	const brink_http_request *receiving;

	pthread_mutex_lock(&session->lock);
	phase = look_what_is_over(session);
	receiving = session->receiving;
	if (phase == BRINK__HTTP_BODY && receiving != NULL && receiving->streamed) {
		brink__http_body_broken_locked(session, -ETIMEDOUT);
	} else if (phase == BRINK__HTTP_HEAD || phase == BRINK__HTTP_BODY) {
		brink__http_refuse_locked(session, 408);
	} else {
		if (phase == BRINK__HTTP_IDLE)
			session->over = true;
		pthread_mutex_unlock(&session->lock);
		if (phase == BRINK__HTTP_IDLE)
			brink_socket_close(socket);
	}
}

void brink__http_set_phase(struct brink__http_session *session, enum brink__http_phase phase)
{
	const struct brink_http_options *options = &session->http->options;
	uint64_t now;

	if (phase == BRINK__HTTP_HEAD && session->phase == phase)
		return; /* its time runs */
	session->phase = phase;
	session->kept = session->late = false;
	if (phase == BRINK__HTTP_BUSY) {
		set_deadline(session, NEVER);
		return;
	}
	now = brink__timing_now(session->socket);
	if (phase == BRINK__HTTP_IDLE) {
		set_deadline(session, later(now, options->idle_timeout));
	} else if (phase == BRINK__HTTP_HEAD) {
		set_deadline(session, later(now, options->head_timeout));
	} else {
		session->stalled_at = now; /* reading may rest already, for replies that wait */
		session->body_got = 0; /* for is_kept(): it was the last body's */
		session->kept = is_kept(session); /* mostly until it is told to go on */
		begin_anew(session, now);
	}
}

void brink__http_body_came(struct brink__http_session *session, size_t size)
{
	uint64_t now;

	session->body_got += size;
	/* Who has begun with the body does not wait to be told. */
	session->receiving->asked = session->receiving->asked || size > 0;
	if (session->stalled)
		return;
	now = brink__timing_now(session->socket);
	if (session->kept && size > 0) { /* all of its time is before it */
		session->kept = false;
		session->body_since = now;
		session->body_got = size;
	}
	set_deadline(session, body_deadline(session, now));
	session->late = session->late && session->deadline <= now;
}

/* The time in which it is we who do not read is not the client's. */
void brink__http_rest(struct brink__http_session *session, bool rests)
{
	uint64_t now;

	if (session->phase != BRINK__HTTP_BODY)
		return;
	now = brink__timing_now(session->socket);
	if (rests) {
		session->stalled_at = now;
		set_deadline(session, NEVER);
	} else {
		session->body_since += now - session->stalled_at;
		set_deadline(session, body_deadline(session, now));
	}
}
