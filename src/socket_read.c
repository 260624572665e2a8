/* Reading: the edge counter, and the right to read.
 *
 * `edges` counts the reasons to read that came since somebody has the right to. Who raises
 * it from 0 has the right, and starts reading, on the loop or on the executor; for the
 * others it is enough to have counted. The reader looks at the count, reads until EAGAIN, and
 * leaves by moving the count from what it saw to 0. If it has grown meanwhile, something may
 * have arrived after the read that said EAGAIN: then it goes round again. So there is one
 * reader at a time, and no edge is lost, without a lock. Where all of that is on the loop's
 * thread, nothing can have come in between, and a store will do.
 *
 * The right stays where it is, and the count with it, when the reader has only used up its
 * budget (it goes on next turn), when it is paused (it rests until resume), and at the end of
 * the stream or after a failure (nobody reads any more). */
#include "config.h"

#include "buffer.h"
#include "memory.h"
#include "socket.h"
#include "socket_gone.h"

#include <errno.h>

#define PARTS 16
#define LEAST 2048u
/* A read of more gains nothing. A little more than 64 KiB, so that this common size of a burst is a
 * short read, after which there is nothing to ask. */
#define MOST (65536u + 1024)
_Static_assert(MOST <= BRINK__LARGE_ROOM, "the largest read is into one block");

struct brink__offload {
	brink_task task;
	brink_executor_room room;
	brink_socket *socket;
	bool greet; /* on_open is still to be called */
};

/* ---- one read ---- */

/* What a read asks for, where `size` would do: whole blocks, since a little of one more would be a part
 * more, which costs the kernel more than it gains; and of a large one all that is of use. */
static inline uint32_t asked(uint32_t size)
{
	if (size <= BRINK__BLOCK_ROOM)
		return size;
	return size >= BRINK__LARGE_ROOM / 2 ? MOST : size - size % BRINK__BLOCK_ROOM;
}

/* Twice what recent reads gave, so that a usual message is one short read and a stream
 * soon fills the largest. */
static void adapt(brink_socket *socket, size_t got)
{
	uint32_t size = socket->read_size;

	if (got >= asked(size))
		size = size * 4;
	else
		size -= (size - (uint32_t)(2 * got < size ? 2 * got : size)) / 8;
	socket->read_size = size < LEAST ? LEAST : size > MOST ? MOST : size;
	if (socket->stream != NULL)
		brink__socket_stream_adapt(socket);
}

/* A write that waits does so on the loop, and has been told EAGAIN before it began to: so a
 * try that comes to the loop later finds it waiting, or not in need of it. */
static unsigned waits_of_read(brink_socket *socket, unsigned waits)
{
	if (waits & BRINK_TRANSPORT_TRY_OTHER)
		brink__socket_post(socket, BRINK__SOCKET_WRITE);
	if (waits & BRINK_TRANSPORT_MOVED)
		brink__timing_note_read(socket);
	return waits & ~(BRINK_TRANSPORT_TRY_OTHER | BRINK_TRANSPORT_MOVED);
}

static inline void note(brink_socket *socket, size_t got)
{
	brink__count(&socket->bytes_read, got);
	brink__timing_note_read(socket);
	adapt(socket, got);
}

static ssize_t read_stream(brink_socket *socket, size_t most)
{
	ssize_t result = brink__socket_stream_read(socket, most);

	if (result == -EAGAIN)
		return result;
	brink__count(&socket->reads, 1);
	if (result > 0)
		note(socket, (size_t)result);
	return result;
}

#define LATER (-EINPROGRESS) /* BRINK_TRANSPORT_AGAIN, which no call of the kernel's says */

/* By a transport that is not the plain one. What it wants to wait for, it is given. */
static ssize_t read_by(const struct brink_transport *transport, brink_socket *socket, const struct iovec *parts,
                       int count)
{
	unsigned waits = 0;
	ssize_t result = transport->readv(socket->transport_state, socket->fd, parts, count, &waits);
	int rearmed;

	waits = waits_of_read(socket, waits);
	if (result != -EAGAIN || waits == 0)
		return result;
	if (waits & BRINK_TRANSPORT_AGAIN)
		return LATER;
	socket->read_wait = (unsigned char)waits;
	rearmed = brink_watch_rearm(&socket->watch, waits);
	return rearmed < 0 ? rearmed : result;
}

static inline ssize_t read_once(brink_socket *socket, size_t budget)
{
	const struct brink_transport *transport = brink__socket_transport(socket);
	bool plain = transport == &brink__transport_plain;
	struct iovec parts[PARTS];
	ssize_t result;
	int count;

	/* Not right after what is left was told: where a messenger waits for room or a verdict, it is the
	 * loop's thread that goes on with it, until reading does. */
	if (brink_buffer_length(&socket->in) != 0)
		brink__buffer_fit(&socket->in);
	if (socket->stream != NULL && (socket->stream->receiving || socket->stream->size > 0 ||
	                               socket->stream->end != BRINK__STREAM_GOES_ON))
		return read_stream(socket, budget);
	/* Most reads come out short, and the next is the end of them: it needs no room. */
	if (plain && brink__watch_drained(&socket->watch))
		return -EAGAIN;
	count = brink_buffer_reserve_iovecs(&socket->in, asked(socket->read_size), parts, PARTS);
	if (count < 0)
		return count;
	result = plain ? brink__watch_readv_on(&socket->watch, parts, count) : read_by(transport, socket, parts, count);
	brink_buffer_commit(&socket->in, result > 0 ? (size_t)result : 0);
	brink__count(&socket->reads, 1);
	if (result > 0)
		note(socket, (size_t)result);
	return result;
}

/* ---- telling the program ---- */

static void call_on_bytes(brink_socket *socket)
{
	const struct brink_socket_options *options = brink__socket_options(socket);

	if (options->executor != NULL) {
		options->on_bytes(socket, &socket->in, options->arg);
		return;
	}
	socket->corked = true;
	options->on_bytes(socket, &socket->in, options->arg);
	brink__socket_uncork(socket);
}

static void tell_bytes(brink_socket *socket)
{
	const struct brink_socket_options *options = brink__socket_options(socket);

	if (atomic_load(&socket->closing) || options->on_bytes == NULL) {
		brink_buffer_clear(&socket->in);
		return;
	}
	if (options->messenger == NULL)
		brink__count(&socket->messages, 1);
	atomic_store_explicit(&socket->refused, false, memory_order_relaxed);
	call_on_bytes(socket);
	/* Read on, what it leaves would grow as long as the peer sends and does not read. A messenger may have left the
	 * buffer to another thread. */
	if (socket->config->raw && brink_buffer_length(&socket->in) != 0 && atomic_load(&socket->refused))
		brink__socket_wait_for_low(socket);
}

/* Two that see the low mark at once ask for it twice. */
static void tell_again(brink_socket *socket)
{
	if (!socket->config->raw || brink_buffer_length(&socket->in) != 0)
		tell_bytes(socket);
}

static void tell_end(brink_socket *socket)
{
	const struct brink_socket_options *options = brink__socket_options(socket);

	atomic_store(&socket->their_end, true);
	if (!atomic_load(&socket->closing)) {
		if (options->on_end != NULL)
			options->on_end(socket, options->arg);
		else
			brink_socket_close(socket);
	}
	brink__socket_post(socket, BRINK__SOCKET_SETTLE);
}

/* ---- the reader ---- */

enum outcome { GIVEN_UP, KEPT, BUDGET_USED };

/* No other thread reads, or has a reason for it: so what is counted of that needs no exchange. */
static inline bool only_the_loop_reads(const brink_socket *socket)
{
	return brink__likely(!socket->offloaded) && brink__socket_transport(socket) == &brink__transport_plain;
}

/* How many there were before. */
static inline unsigned add_edge(brink_socket *socket)
{
	unsigned before;

	if (!only_the_loop_reads(socket))
		return atomic_fetch_add(&socket->edges, 1);
	brink__assert(brink__loop_on_thread(socket->loop));
	before = atomic_load_explicit(&socket->edges, memory_order_relaxed);
	atomic_store_explicit(&socket->edges, before + 1, memory_order_relaxed);
	return before;
}

static inline void count_reader(brink_socket *socket, unsigned char by)
{
	unsigned char before;

	if (!only_the_loop_reads(socket)) {
		atomic_fetch_add(&socket->readers, by);
		return;
	}
	before = atomic_load_explicit(&socket->readers, memory_order_relaxed);
	atomic_store_explicit(&socket->readers, (unsigned char)(before + by), memory_order_relaxed);
}

/* True: no edge came after `seen` was. */
static inline bool give_up(brink_socket *socket, unsigned seen)
{
	if (!only_the_loop_reads(socket))
		return atomic_compare_exchange_strong(&socket->edges, &seen, 0);
	atomic_store_explicit(&socket->edges, 0, memory_order_relaxed);
	return true;
}

/* Whether the right rests here now. If a resume comes in between, it or we go on. */
static bool park(brink_socket *socket)
{
	if (atomic_load(&socket->paused) == 0)
		return false;
	if (brink__socket_hears_out(socket))
		return brink__socket_heard_all(socket, 0);
	atomic_store(&socket->parked, true);
	return atomic_load(&socket->paused) != 0 || !atomic_exchange(&socket->parked, false);
}

static enum outcome read_all(brink_socket *socket)
{
	size_t budget = brink__socket_options(socket)->read_budget;

	for (;;) {
		unsigned seen = atomic_load(&socket->edges);
		ssize_t result;

		if (brink__socket_failed(socket) || park(socket))
			return KEPT;
		if (brink__unlikely(atomic_load(&socket->retell))) {
			atomic_store(&socket->retell, false); /* before the call, which may ask for it again */
			tell_again(socket);
			continue;
		}
		result = read_once(socket, budget);
		if (result > 0) {
			tell_bytes(socket);
			if ((size_t)result >= budget)
				return BUDGET_USED;
			budget -= (size_t)result;
		} else if (result == LATER) {
			return BUDGET_USED;
		} else if (brink__socket_hears_out(socket) && brink__socket_heard_all(socket, result)) {
			return KEPT;
		} else if (result == -EAGAIN) {
			if (give_up(socket, seen))
				return GIVEN_UP;
		} else if (result == 0) {
			tell_end(socket);
			return KEPT;
		} else {
			brink__socket_fail(socket, (int)result, "read");
			return KEPT;
		}
	}
}

/* The end of a failed socket waits for the reader. */
static void leave(brink_socket *socket)
{
	count_reader(socket, (unsigned char)-1);
	if (brink__unlikely(brink__socket_failed(socket)))
		brink__socket_post(socket, BRINK__SOCKET_FAIL);
}

static void read_here(brink_socket *socket)
{
	if (read_all(socket) == BUDGET_USED) {
		socket->read_again = true;
		/* Fails only when it is stopped, and then it has failed. */
		brink_watch_again(&socket->watch, BRINK_READ);
	}
	leave(socket);
}

/* ---- on the executor ---- */

static void offload(struct brink__offload *offload);

static void on_room(brink_task *task)
{
	offload(brink_container_of(task, struct brink__offload, room.task));
}

static void on_executor(brink_task *task)
{
	struct brink__offload *work = brink_container_of(task, struct brink__offload, task);
	brink_socket *socket = work->socket;
	const struct brink_socket_options *options = brink__socket_options(socket);

	if (work->greet) {
		work->greet = false;
		if (options->on_open != NULL && !brink__socket_failed(socket))
			options->on_open(socket, options->arg);
	}
	if (read_all(socket) == BUDGET_USED) {
		offload(work);
		return;
	}
	leave(socket);
	brink_socket_release(socket);
}

static void offload(struct brink__offload *work)
{
	brink_socket *socket = work->socket;
	brink_executor *executor = brink__socket_options(socket)->executor;

	if (brink_executor_post(executor, &work->task) < 0)
		brink_executor_call_when_free(executor, socket->loop, 1, &work->room);
}

int brink__socket_offload_create(brink_socket *socket)
{
	struct brink__offload *work = brink__allocate(1, sizeof *work);

	if (work == NULL)
		return -ENOMEM;
	work->socket = socket;
	brink_task_init(&work->task, on_executor);
	brink_task_init(&work->room.task, on_room);
	socket->rare->offload = work;
	return 0;
}

void brink__socket_offload_greet(brink_socket *socket)
{
	socket->rare->offload->greet = true;
}

/* ---- starting, on the loop ---- */

void brink__socket_read_on(brink_socket *socket)
{
	count_reader(socket, 1);
	if (!socket->offloaded) {
		read_here(socket);
		return;
	}
	brink_socket_hold(socket);
	offload(socket->rare->offload);
}

void brink__socket_read_edge(brink_socket *socket)
{
	if (add_edge(socket) == 0)
		brink__socket_read_on(socket);
}

/* In a task of its own: a write is no place for on_bytes. */
unsigned brink__socket_heed_write(brink_socket *socket, unsigned waits)
{
	if (waits & BRINK_TRANSPORT_TRY_OTHER && atomic_fetch_add(&socket->edges, 1) == 0)
		brink__socket_post(socket, BRINK__SOCKET_READ);
	if (waits & BRINK_TRANSPORT_MOVED)
		brink__timing_note_write(socket);
	return waits & ~(BRINK_TRANSPORT_TRY_OTHER | BRINK_TRANSPORT_MOVED);
}
