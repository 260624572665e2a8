/* Writes: the queue of requests, and the right to write.
 *
 * The queue is a list that any thread appends to by two exchanges: itself into `tail`, then
 * a link from the one that was there. Who found `tail` empty has the right to write, and
 * so nobody ever waits for another. It is passed on like this:
 *
 *   - Who has it in a call of brink_socket_write() writes once, at once, and if then
 *     something is left passes it to the loop by a task.
 *   - The loop always tries to write first. Only after EAGAIN it keeps the right until the
 *     edge: an edge that came before the loop had it would be waited for in vain.
 *   - Who has written all gives it up by making `tail` empty again. If another thread is
 *     between its two exchanges, that link is not there to go on with; nobody waits for
 *     it: a mark is left where it will be made, and who finds the mark has the right.
 *
 * A write at once is for an idle connection. When writes follow back to back, each would be
 * a system call of its own, at many times the cost: then the right goes to the loop at
 * once, which finds many requests to gather. */
#include "config.h"

#include "buffer.h"
#include "socket.h"
#include "socket_gone.h"

#include <errno.h>

/* Two writes closer than this, by coarse_clock(), are back to back: 30 us. A write takes some 5 us of loopback TCP,
 * a reply to a reply over it some 20. */
#define BACK_TO_BACK 29u

#define ROUNDS 16 /* writes in a turn, before others come */

/* In units of 1,024 ns, modulo 73 minutes: a write that long after another may be taken for one back to back. */
static uint32_t coarse_clock(void)
{
	return (uint32_t)(brink__os_now() >> 10);
}

static void note_write(brink_socket *socket)
{
	atomic_store_explicit(&socket->written_at, coarse_clock(), memory_order_relaxed);
}

/* The right goes to the loop, and a reference with it: where the socket has come to its end meanwhile, nothing else
 * keeps it until the request has heard of that. */
static void hand_over(brink_socket *socket)
{
	brink_socket_hold(socket);
	socket->write_held = true;
	brink__socket_post(socket, BRINK__SOCKET_FLUSH);
}

static void after_giving_up(brink_socket *socket)
{
	/* The end of a failed socket waits for this. */
	if (brink__unlikely(brink__socket_failed(socket)))
		brink__socket_post(socket, BRINK__SOCKET_FAIL);
}

/* ---- on the loop ---- */

/* None of the descriptor's where only the reader knows when it goes on. */
static int wait_for_edge(brink_socket *socket)
{
	unsigned waits = socket->write_wait;

	if (brink__unlikely((waits & ~BRINK__DIRECTIONS) != 0)) /* by a transport that says what is none */
		return -EINVAL;
	return waits == 0 ? 0 : brink__watch_rearm_here(&socket->watch, waits, false);
}

/* Whether what is queued may be written. Asked with the right to write: the end of a socket waits for who has it,
 * but whoever gets it afterwards finds the transport closed and the descriptor gone. And where our side has ended
 * meanwhile the request alone fails. */
static inline bool may_write(brink_socket *socket)
{
	return brink__likely(!brink__socket_failed(socket) && !atomic_load(&socket->our_end));
}

/* True: the right was given up. `fresh`: as far as is known, something is left of the first request. */
static bool flush(brink_socket *socket, bool fresh)
{
	int rounds = ROUNDS;

	for (; (fresh && may_write(socket)) || !brink__socket_advance(socket); fresh = false) {
		ssize_t result;

		if (atomic_load(&socket->state) < BRINK_SOCKET_OPEN) {
			socket->write_waits = true;
			return false;
		}
		if (rounds-- == 0) {
			brink__socket_post(socket, BRINK__SOCKET_FLUSH);
			return false;
		}
		result = brink__socket_write_once(socket, true);
		if (result == -EAGAIN) {
			socket->write_waits = true;
			result = wait_for_edge(socket);
			if (result == 0)
				return false;
			socket->write_waits = false;
		}
		if (result < 0 && brink__socket_hear_out(socket, (int)result))
			return false;
	}
	after_giving_up(socket);
	return true;
}

/* The same with the reference that may have come with the right: taken note of before, for whoever has the right
 * afterwards brings one of his own. */
static bool flush_held(brink_socket *socket, bool fresh)
{
	bool held = socket->write_held, over;

	socket->write_held = false;
	over = flush(socket, fresh);
	if (!over)
		socket->write_held = held;
	else if (held)
		brink_socket_release(socket);
	return over;
}

void brink__socket_take_over(brink_socket *socket)
{
	if (flush_held(socket, false))
		note_write(socket);
}

void brink__socket_write_edge(brink_socket *socket)
{
	if (!socket->write_waits)
		return;
	socket->write_waits = false;
	flush_held(socket, true);
}

void brink__socket_uncork(brink_socket *socket)
{
	socket->corked = false;
	if (!socket->cork_owned)
		return;
	socket->cork_owned = false;
	flush(socket, true); /* no reference: a socket that calls on_bytes does not end before the queue is empty */
}

/* ---- any thread ---- */

/* To end our side, which is done once, nothing is worth waiting for. */
static bool may_write_here(brink_socket *socket, bool ends)
{
	bool single = brink__socket_transport(socket)->flags & BRINK_TRANSPORT_SINGLE_THREADED;

	if (atomic_load(&socket->state) < BRINK_SOCKET_OPEN)
		return false;
	if (single && !brink__loop_turning_here(socket->loop))
		return false;
	if (ends)
		return true;
	return coarse_clock() - atomic_load_explicit(&socket->written_at, memory_order_relaxed) >= BACK_TO_BACK;
}

static void write_here(brink_socket *socket, bool ends)
{
	ssize_t result = 0;

	if (may_write(socket))
		result = brink__socket_write_once(socket, false);
	if (!ends)
		note_write(socket);
	if (result < 0 && result != -EAGAIN)
		brink__socket_note_write(socket, (int)result);
	if (brink__socket_advance(socket))
		after_giving_up(socket);
	else
		hand_over(socket);
}

/* The second step, after the first has found `previous` at the tail. */
static inline void follow(brink_socket *socket, struct brink__request *request, struct brink__request *previous,
                          unsigned flags)
{
	bool ends = request->end;

	if (previous != NULL) {
		if (brink__request_link(previous, request))
			hand_over(socket);
		return;
	}
	socket->head = request;
	if (brink__loop_turning_here(socket->loop) && socket->corked)
		socket->cork_owned = true;
	else if ((flags & BRINK_WRITE_QUEUED) == 0 && may_write_here(socket, ends))
		write_here(socket, ends);
	else
		hand_over(socket);
}

void brink__socket_enqueue(brink_socket *socket, struct brink__request *request, unsigned flags)
{
	follow(socket, request, atomic_exchange(&socket->tail, request), flags);
}

/* ---- for the program ---- */

static int check(const struct brink_write_options *options)
{
	for (size_t i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++)
		if (options->reserved[i] != NULL)
			return -EINVAL;
	return options->flags & ~(BRINK_WRITE_FORCE | BRINK_WRITE_QUEUED) ? -EINVAL : 0;
}

static void uncount(brink_socket *socket, size_t size)
{
	brink__socket_sent(socket, size);
	after_giving_up(socket);
}

static __attribute__((noinline)) int refuse(brink_socket *socket, size_t size, int admitted)
{
	int error = brink__socket_error(socket);

	if (admitted == 0)
		uncount(socket, size);
	return error;
}

/* Counts the bytes of a new request, and looks whether the socket has failed after that: the end, which follows the
 * failure, waits until nothing is counted. So whatever gets into the queue has ended before on_close. */
static inline int admit(brink_socket *socket, size_t size, unsigned flags)
{
	int result = -EPIPE;

	if (brink__likely(!atomic_load_explicit(&socket->ending, memory_order_relaxed)))
		result = brink__socket_admit(socket, size, flags);
	return brink__likely(!brink__socket_failed(socket)) ? result : refuse(socket, size, result);
}

/* Who is told of it. Without a request, for which there was no memory, takes its bytes back. */
static inline int prepare(brink_socket *socket, struct brink__request *request, size_t size,
                          const struct brink_write_options *options)
{
	const struct brink_socket_options *defaults = brink__socket_options(socket);

	if (brink__unlikely(request == NULL)) {
		uncount(socket, size);
		return -ENOMEM;
	}
	request->done = options->done != NULL ? options->done : defaults->on_written;
	request->arg = options->done != NULL ? options->arg : defaults->arg;
	return 0;
}

static int submit(brink_socket *socket, struct brink__request *request, size_t size,
                  const struct brink_write_options *options)
{
	int result = prepare(socket, request, size, options);

	if (brink__likely(result == 0))
		brink__socket_enqueue(socket, request, options->flags);
	return result;
}

static const struct brink_write_options no_options;

/* For limit and marks it has no bytes, but one is counted until it is in the queue: for nothing the end of a failed
 * socket could not wait. */
static int admit_nothing(brink_socket *socket, unsigned flags)
{
	int result = -EPIPE;

	if (!atomic_load_explicit(&socket->ending, memory_order_relaxed))
		result = brink__socket_admit(socket, 0, flags);
	if (result == 0)
		atomic_fetch_add(&socket->unsent, 1);
	return brink__socket_failed(socket) ? refuse(socket, 1, result) : result;
}

static __attribute__((noinline)) int write_nothing(brink_socket *socket, const struct brink_write_options *options)
{
	struct brink__request *request, *previous;
	int result = admit_nothing(socket, options->flags);

	if (result < 0)
		return result;
	request = brink__request_create();
	result = prepare(socket, request, 1, options);
	if (result < 0)
		return result;
	/* It cannot leave the queue before it is linked there, and who is told of it shall see no byte. */
	previous = atomic_exchange(&socket->tail, request);
	brink__socket_sent(socket, 1);
	follow(socket, request, previous, options->flags);
	return 0;
}

static int write_buffer(brink_socket *socket, brink_buffer *data, const struct brink_write_options *options)
{
	size_t size = brink_buffer_length(data);
	struct brink__request *request;
	int result;

	if (brink__unlikely(size == 0))
		return write_nothing(socket, options);
	result = admit(socket, size, options->flags);
	if (result < 0)
		return result;
	request = brink__request_create();
	if (brink__likely(request != NULL))
		brink__buffer_take(&request->data, data);
	return submit(socket, request, size, options);
}

int brink_socket_write_with(brink_socket *socket, brink_buffer *data, const struct brink_write_options *options)
{
	int result = options != NULL ? check(options) : 0;

	return result < 0 ? result : write_buffer(socket, data, options != NULL ? options : &no_options);
}

int brink_socket_write(brink_socket *socket, brink_buffer *data)
{
	return write_buffer(socket, data, &no_options);
}

static int write_large(brink_socket *socket, const void *bytes, size_t size)
{
	brink_buffer data = {0};
	int result = brink__buffer_fill_fitting(&data, bytes, size);

	if (result == 0)
		result = brink_socket_write(socket, &data);
	brink_buffer_clear(&data);
	return result;
}

int brink_socket_write_bytes(brink_socket *socket, const void *bytes, size_t size)
{
	struct brink__request *last = NULL;
	int result;

	if (size > BRINK__REQUEST_ROOM)
		return write_large(socket, bytes, size);
	if (brink__unlikely(size == 0))
		return write_nothing(socket, &no_options);
	result = admit(socket, size, 0);
	if (result < 0)
		return result;
	/* Who wants to hear of each write queues each. */
	if (brink__socket_options(socket)->on_written == NULL)
		last = atomic_load(&socket->tail);
	if (last != NULL && brink__request_lengthen(last, bytes, size))
		return 0;
	return submit(socket, brink__request_copy(last, bytes, size), size, &no_options);
}

/* ---- ending our side ---- */

int brink_socket_shutdown(brink_socket *socket)
{
	struct brink__request *request;

	if (brink__socket_failed(socket))
		return -ENOTCONN;
	request = brink__request_create();
	if (request == NULL)
		return -ENOMEM;
	if (atomic_exchange(&socket->ending, true)) {
		brink__request_free(request);
		return -EPIPE;
	}
	request->end = true;
	/* write_timeout counts from here where nothing else is unsent. */
	if (atomic_load(&socket->unsent) == 0)
		brink__timing_note_write(socket);
	brink__socket_enqueue(socket, request, 0);
	return 0;
}

int brink_socket_close(brink_socket *socket)
{
	int result;

	if (brink__socket_failed(socket))
		return -ENOTCONN;
	if (atomic_exchange(&socket->closing, true))
		return -EPIPE;
	result = brink_socket_shutdown(socket);
	if (result == -ENOMEM)
		brink__socket_fail(socket, result, "close");
	/* Our side has ended before: what is left to do is the loop's. */
	if (result == -EPIPE)
		brink__socket_post(socket, BRINK__SOCKET_SETTLE);
	return 0;
}
