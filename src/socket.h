/* The socket from inside.
 *
 *   slot.c             slots, versions, references: address, hold, release, fail's first step
 *   socket_create.c    options, and the making of a socket
 *   socket_open.c      the beginning of a life on the loop
 *   socket.c           the steps of a life on the loop, the end
 *   socket_fail.c      failing, by any thread
 *   socket_write.c     the queue of requests, and who has the right to write
 *   socket_flush.c     one write of what is queued: gathered, taken off, ended
 *   request.c          requests, and how the last one is lengthened
 *   socket_read.c      the edge counter, the reader
 *   socket_pause.c     who holds reading back
 *   socket_water.c     the limit on unsent bytes, and those who wait for room
 *   socket_timeout.c   one timer for all timeouts of a socket
 *   socket_info.c      what others may ask
 *   connect.c          connecting
 *   socket_dial.c      connecting to a name
 *   revive.c           probing a failed socket and bringing it back
 *   socket_stream.c    its bytes moved by the backend
 *   transport.c        the plain transport
 *
 * Three rights are passed round, each held by one at a time:
 *   the reference count   who brings it to 0 recycles the slot (slot.c)
 *   the right to write    who found the queue empty has it (socket_write.c)
 *   the right to read     who raised `edges` from 0 has it (socket_read.c)
 * What is the loop's is reached by posting: a bit in `posted`, and the socket's own task. */
#ifndef BRINK_SOCKET_INTERNAL_H
#define BRINK_SOCKET_INTERNAL_H

#include "loop.h"
#include "memory.h"
#include "request.h"
#include "slot.h"
#include "stream.h"

#include <brink/socket.h>
#include <brink/transport.h>

#include <stdatomic.h>

struct brink__socket_name; /* socket_dial.c */

/* The options, which many sockets may share; unchangeable, but for the counts. */
struct brink__socket_config {
	atomic_uint references;
	atomic_uint timeouts_in_a_row; /* of connects: of the socket's, or of all that a client makes */
	atomic_int probe_error; /* what the latest probe failed with; 0 */
	bool client; /* it connects, and may be revived */
	bool raw;    /* on_bytes is the program's own, and what it leaves is what it could not take */
	struct brink_address address; /* of a client; not set where a name has to be looked up */
	struct brink__socket_name *name; /* of a client that was given one; NULL */
	struct brink_socket_options options; /* with the defaults filled in */
	uint64_t rest_timeout; /* after which it ends if nobody has taken it out of its pool; 0 */
	uint64_t first_timeout; /* the protocol's deadline at the beginning; 0: it has none at all */
	/* With a messenger, brink__messenger_install() puts the messenger's calls into
	 * `options`; these are the user's, which it makes. */
	brink_socket_fn *below_end;
	brink_socket_close_fn *below_close;
	void *owner; /* the server whose connections these are */
	atomic_bool stopping; /* it is; so none of them is to be kept for what may be asked later */
};

/* Why the socket's task was posted: bits of `posted`. */
enum {
	BRINK__SOCKET_START = 1,   /* a new socket comes to its loop */
	BRINK__SOCKET_FLUSH = 2,   /* the right to write, and with it a reference, if write_held says so */
	BRINK__SOCKET_READ = 4,    /* the right to read */
	BRINK__SOCKET_WATER = 8,   /* a water mark was crossed */
	BRINK__SOCKET_SETTLE = 16, /* our side or the peer's has ended, or it is closing */
	BRINK__SOCKET_FAIL = 32,   /* it has failed, or what its end waits for may have come */
	BRINK__SOCKET_ALONE = 64,  /* the prober's reference, and this one, are the only ones */
	BRINK__SOCKET_RECYCLE = 128, /* nobody refers to it any more */
	BRINK__SOCKET_WRITE = 256,   /* the transport's write may go on, if one waits */
	BRINK__SOCKET_DEADLINE = 512, /* the protocol's deadline is before the timer's */
	BRINK__SOCKET_SERVED = 1024   /* no reason: the task runs, and looks itself for what comes meanwhile */
};

enum {
	BRINK__PAUSED_BY_USER = 1,
	BRINK__PAUSED_BY_MESSENGER = 2,
	BRINK__PAUSED_BY_PROTOCOL = 4,
	BRINK__PAUSED_BY_LIMIT = 8 /* on_bytes could not write on what came; until the low mark */
};

#define BRINK__UNFAILED 1 /* of `error`: no errno that we give is above 0 */

struct brink__socket_timing; /* socket_timeout.c */
struct brink__socket_dial;   /* socket_dial.c */
struct brink__probing;       /* revive.c */
struct brink__offload;       /* socket_read.c */

/* What few sockets have, from their making to their end. */
struct brink__socket_rare {
	struct brink__probing *probing;  /* NULL: not revivable */
	atomic_bool given_up;            /* of one that is: brink_socket_abandon() was called */
	struct brink__socket_dial *dial; /* NULL: no name has to be looked up */
	struct brink__offload *offload;  /* NULL: reading is not the executor's */
};

/* By cache lines: what all threads look at; what reading and writing need each time; what begins and ends, and
 * changes with each write; the watch; what is counted, and the task. */
struct brink_socket {
	_Atomic uint64_t word; /* slot.c: version << 32 | abandoned << 31 | references */
	uint32_t index;

	/* Any thread. */
	atomic_int fd;       /* of this life; -1: none. The watch's own is the loop's alone */
	atomic_int error;    /* BRINK__UNFAILED, or what it failed with */
	atomic_uint edges;   /* 0: nobody has the right to read */
	_Atomic unsigned short posted;
	_Atomic unsigned short waiters; /* threads in brink_socket_wait(), of which no program has 65,536 */
	_Atomic unsigned char readers;  /* inside brink__socket_read_on(): 0 or, for a moment, 2 */
	bool revivable;       /* from its beginning on */
	bool offloaded;       /* likewise: reading is the executor's */
	atomic_bool ending;   /* shutdown or close was called: no more writes */
	atomic_bool closing;  /* close was called */
	atomic_bool crowded;  /* above high_water, and not yet down at low_water */
	atomic_bool rose;     /* was above high_water, which the loop has not dealt with */
	atomic_bool resting;  /* in a pool: its taker's, or its end's, who exchanges this for false */
	atomic_bool parked;   /* the right to read rests here until resume */
	atomic_bool retell;   /* on_bytes is to be called with what is there, before the next read */
	atomic_bool refused;  /* a write was, by the limit, since on_bytes was called last */
	_Atomic unsigned char paused; /* by whom: BRINK__PAUSED_BY_ */
	_Atomic unsigned char state;
	_Atomic unsigned char read_wait, write_wait; /* the directions that the transport waits for */
	atomic_bool doomed;     /* it has failed, and all that the end needs to know is written down */
	atomic_bool our_end;    /* sent; by who has the right to write */
	atomic_bool their_end;  /* seen; by who has the right to read */
	atomic_bool end_counts; /* our end tells that what was sent is whole: without it, likewise */
	bool write_held;        /* of who has the right to write: a reference came with it */
	_Atomic(struct brink__request *) tail; /* NULL: nobody has the right to write */
	_Atomic size_t unsent;

	struct brink__stream *stream; /* the backend moves its bytes; NULL: it does so itself */
	_Atomic(struct brink__socket_timing *) timing; /* NULL: it had no timeout so far */
	/* Of who has the right to read. */
	brink_buffer in;
	uint32_t read_size; /* what the next read asks for */
	/* Of the loop's thread, but for what is said. */
	bool write_waits; /* the right to write rests here until an edge, or until it is open */
	bool corked;      /* in on_bytes on the loop: writes are gathered until it returns */
	bool cork_owned;  /* the right to write was taken meanwhile */
	bool read_again;  /* the right to read is kept for the next turn */
	brink_loop *loop;
	struct brink__socket_config *config;

	/* Apart from what is read for each write, for the first two change with each that is sent. */
	struct brink__request *head; /* of who has the right to write */
	_Atomic uint32_t written_at; /* the time of the last write, by socket_write.c's clock; any thread's */
	uint32_t next, previous; /* among the loop's sockets: their indices, and 1 more; 0: none */
	bool connecting : 1; /* its watch waits for the end of a connect */
	bool told_high : 1;
	bool torn : 1;       /* it has failed, and was taken off the loop */
	bool closed : 1;     /* on_close was called */
	bool early : 1;      /* something was there to be read before it was open */
	_Atomic unsigned char gone; /* what a write said of a peer that is heard out: its errno; 0: none is */
	bool reset;          /* the descriptor is to be closed with a reset */
	bool transport_open;
	void *transport_state;
	void *upper; /* of the messenger */
	struct brink__socket_rare *rare; /* NULL: it has none of that */
	char *text; /* of the failure */
	void *data;

	brink_watch watch;

	/* Written by one at a time, read by all. */
	_Atomic uint64_t bytes_read, bytes_written, messages, requests, reads, writes;
	brink_task task;
};
#define BRINK__IN_LINE(member, line) (offsetof(struct brink_socket, member) == (line) * BRINK__CACHE_LINE)
_Static_assert(sizeof(void *) != 8 || (BRINK__IN_LINE(stream, 1) && BRINK__IN_LINE(head, 2) &&
                                       BRINK__IN_LINE(watch, 3) && BRINK__IN_LINE(bytes_read, 4) &&
                                       sizeof(struct brink_socket) == 5 * BRINK__CACHE_LINE),
               "each begins a line");

static inline bool brink__socket_failed(const brink_socket *socket)
{
	return atomic_load(&socket->error) != BRINK__UNFAILED;
}

/* Our side's end is asked for, and not sent: a transport may have to write for it. */
static inline bool brink__socket_is_ending(const brink_socket *socket)
{
	return atomic_load(&socket->ending) && !atomic_load(&socket->our_end);
}

static inline const struct brink_socket_options *brink__socket_options(const brink_socket *socket)
{
	return &socket->config->options;
}

/* NULL: no name has to be looked up. */
static inline struct brink__socket_dial *brink__socket_dial_of(const brink_socket *socket)
{
	return socket->rare != NULL ? socket->rare->dial : NULL;
}

static inline const struct brink_transport *brink__socket_transport(const brink_socket *socket)
{
	return socket->config->options.transport;
}

/* A counter that one thread at a time raises, and that others may read meanwhile. */
static inline void brink__count(_Atomic uint64_t *counter, uint64_t by)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
	                      memory_order_relaxed);
}

/* transport.c */
extern const struct brink_transport brink__transport_plain;

/* socket.c */
void brink__socket_post(brink_socket *socket, unsigned why);
/* A new socket: from here on others can know it. `references`: 1, and those of the caller. */
void brink__socket_launch(brink_socket *socket, unsigned references, brink_socket_id *id);
int brink__socket_config_create(struct brink__socket_config **config, const struct brink_socket_options *options);
void brink__socket_config_drop(struct brink__socket_config *config);
/* As brink_socket_create(), for a descriptor and with options that others use, too. */
int brink__socket_adopt(brink_socket_id *id, brink_loop *loop, int fd, struct brink__socket_config *config);
/* Likewise one that connects, with a reference for the caller. */
int brink__socket_connect(brink_socket **socket, brink_loop *loop, struct brink__socket_config *config);
/* What is new in a life; but for `closed` and `torn`. By who alone has a reference. */
void brink__socket_new_life(brink_socket *socket, int fd);
/* On the loop: */
/* Starts the watch of a new life on `fd`, which is connected, or, with `connecting`, will be. */
void brink__socket_begin(brink_socket *socket);
void brink__socket_connected(brink_socket *socket);
/* A new life of a socket with a dial: `result` is its descriptor or an error, in `what`. */
void brink__socket_dialed(brink_socket *socket, int result, const char *what);
void brink__socket_rare_free(brink_socket *socket);
/* What a life leaves behind, and who has a reference could still use. By who alone has one. */
void brink__socket_clear_away(brink_socket *socket);

/* socket_fail.c */
int brink__socket_fail(brink_socket *socket, int error, const char *text);
int brink__socket_reset(brink_socket *socket, int error, const char *text); /* the peer shall not see a clean end */
/* The error for who comes too late. */
int brink__socket_error(brink_socket *socket);

/* socket_write.c */
void brink__socket_enqueue(brink_socket *socket, struct brink__request *request, unsigned flags);
void brink__socket_take_over(brink_socket *socket); /* BRINK__SOCKET_FLUSH */
void brink__socket_write_edge(brink_socket *socket);
void brink__socket_uncork(brink_socket *socket);

/* socket_flush.c */
/* Frees what waits, without a call: in a forked child, where the loop's thread had the right. */
void brink__requests_forget(brink_socket *socket);
/* One write of what is linked, by who has the right to: the number of bytes; 0 if there was
 * nothing to write; or a negative errno. `by_loop`: it may be left to the backend, where there is a
 * stream: then -EAGAIN, and the result comes with the edge. */
ssize_t brink__socket_write_once(brink_socket *socket, bool by_loop);
/* Of a socket whose watch has stopped: what the backend has written already is no failure of its request's. */
void brink__socket_take_result(brink_socket *socket);
/* Ends what is written, or, after a failure, everything; true: nothing is left, and the
 * right was given up (or passed to a thread that is about to link a request). */
bool brink__socket_advance(brink_socket *socket);

/* socket_read.c */
void brink__socket_read_edge(brink_socket *socket);
void brink__socket_read_on(brink_socket *socket); /* with the right to read */
unsigned brink__socket_heed_write(brink_socket *socket, unsigned waits);
/* The directions in what a transport's write said that it waits for. If it asked for a read as
 * well, that counts as an edge. By who has the right to write. */
static inline unsigned brink__socket_waits_of_write(brink_socket *socket, unsigned waits)
{
	if (brink__likely((waits & (BRINK_TRANSPORT_TRY_OTHER | BRINK_TRANSPORT_MOVED)) == 0))
		return waits;
	return brink__socket_heed_write(socket, waits);
}
int brink__socket_offload_create(brink_socket *socket);
/* Before the first read of a life: it has on_open called, too. */
void brink__socket_offload_greet(brink_socket *socket);

/* socket_pause.c */
/* As brink_socket_pause() and _resume(), on the messenger's account: reading goes on when neither
 * holds it back. */
void brink__socket_hold_reading(brink_socket *socket);
void brink__socket_resume_reading(brink_socket *socket);
/* For a protocol that cannot take what has come, and later can: then it is called with it again. */
void brink__socket_stall(brink_socket *socket);
void brink__socket_unstall(brink_socket *socket);
/* The end of a pause by the limit: on_bytes is called with what it left. */
void brink__socket_read_at_low(brink_socket *socket);
static inline bool brink__socket_reading_held(brink_socket *socket)
{
	return (atomic_load(&socket->paused) & (BRINK__PAUSED_BY_MESSENGER | BRINK__PAUSED_BY_LIMIT)) != 0;
}
/* Whether what has come, and was left, will be told again. On the loop's thread; who ends that clears `paused` when the
 * rest is set, and the reader, who is counted before, then clears that. */
bool brink__socket_is_stalled(brink_socket *socket);

/* socket_stream.c: on the loop, all but the first of sockets with a stream. */
/* Has the backend move the bytes of a new life, if it can, and there is memory. */
void brink__socket_stream_open(brink_socket *socket);
/* Of one whose watch is stopped, if it has one. */
void brink__socket_stream_close(brink_socket *socket);
/* Moves what has arrived to `in`, not much more than `most` of it: the number of bytes, 0 for the end,
 * or a negative errno, as a read; -EAGAIN hands the ticket back. */
ssize_t brink__socket_stream_read(brink_socket *socket, size_t most);
/* What arrives comes by so many bytes, or so few again, that reading by itself is better, or not. */
void brink__socket_stream_adapt(brink_socket *socket);
/* Hands one write to the backend, whose bytes stay where they are; `flat` is what they are in, if
 * it was made for that, and belongs to the stream then. */
void brink__socket_stream_write(brink_socket *socket, const struct iovec *part, struct brink__piece *flat);
/* What it came to: a count, a negative errno, or BRINK__STREAM_UNSENT. */
ssize_t brink__socket_stream_written(brink_socket *socket);

/* socket_info.c */
/* Bytes that have arrived and are not read. What a transport keeps for itself is not known. */
uint64_t brink__socket_arrived(const brink_socket *socket);
/* On the loop: whether the kernel has not taken all that was written; and whether something of the peer's is there, its
 * end among it, that was not read. */
bool brink__socket_has_unsent(const brink_socket *socket);
bool brink__socket_has_news(const brink_socket *socket);

/* socket_water.c */
int brink__socket_admit(brink_socket *socket, size_t size, unsigned flags);
void brink__socket_sent(brink_socket *socket, size_t size);
void brink__socket_tell_water(brink_socket *socket);
void brink__socket_wake_waiters(brink_socket *socket);
/* Reads no more before the unsent bytes are down at the low mark. By who has the right to read. */
void brink__socket_wait_for_low(brink_socket *socket);

/* socket_timeout.c. On the loop's thread: */
int brink__timing_start(brink_socket *socket); /* at the beginning of a life */
void brink__timing_opened(brink_socket *socket);
int brink__timing_linger(brink_socket *socket);
void brink__timing_stop(brink_socket *socket); /* when it is taken off the loop */
void brink__timing_free(brink_socket *socket);
void brink__timing_read_now(brink_socket *socket);
void brink__timing_written_now(brink_socket *socket);
/* Any thread. Bytes were read, or reading was resumed; bytes were written, or there are
 * unsent bytes where there were none. A store, of a socket that has timeouts. */
static inline void brink__timing_note_read(brink_socket *socket)
{
	/* Relaxed: only whether it has. */
	if (brink__unlikely(atomic_load_explicit(&socket->timing, memory_order_relaxed) != NULL))
		brink__timing_read_now(socket);
}
static inline void brink__timing_note_write(brink_socket *socket)
{
	if (brink__unlikely(atomic_load_explicit(&socket->timing, memory_order_relaxed) != NULL))
		brink__timing_written_now(socket);
}
/* Before it rests in a pool: from now on its time to be taken again runs. Any thread. */
void brink__timing_rest(brink_socket *socket);
/* A deadline of the protocol's, where the configuration has a first_timeout; UINT64_MAX: none. When it
 * is over, `late` is called, on the loop's thread. A store, mostly. Any thread. */
typedef void brink__late_fn(brink_socket *socket);
void brink__timing_deadline(brink_socket *socket, uint64_t at, brink__late_fn *late);
/* The first one, with which the connection begins, has been kept. */
void brink__timing_first_kept(brink_socket *socket);
uint64_t brink__timing_now(brink_socket *socket);
/* Of one that has timeouts: when bytes were last written, or when it was opened. */
uint64_t brink__timing_written_at(brink_socket *socket);
/* On the loop's thread: looks when the timer has to go off. */
void brink__timing_again(brink_socket *socket);
/* On the loop's thread: a connect is to be tried again, `after` nanoseconds from now at first, later
 * with longer pauses. */
void brink__timing_retry(brink_socket *socket, uint64_t after);

/* connect.c */
/* A descriptor that is connected (0), or connecting (-EINPROGRESS), or another error. */
int brink__connect(const struct brink_address *address, unsigned flags, int *fd);
/* How it went on: 0, -EINPROGRESS, -EAGAIN (ask again after a while), or why it failed. */
int brink__connect_check(int fd, const struct brink_address *address);
void brink__connect_edge(brink_socket *socket); /* in BRINK_SOCKET_CONNECTING */
/* One more connect timed out: the error for it. */
int brink__connect_timed_out(brink_socket *socket);
void brink__connect_stood(brink_socket *socket); /* the next that times out is the first again */
/* Non-blocking, close-on-exec, and the options of a stream. -EBADF, -ENOTSOCK, -ENOTCONN, -EPROTOTYPE. */
int brink__socket_prepare(int fd, unsigned flags);

/* socket_dial.c */
/* Copies the name, which is the address already if it has one in it; and its end. */
int brink__socket_name_create(struct brink__socket_config *config, const char *text);
void brink__socket_name_free(struct brink__socket_config *config);
int brink__socket_dial_create(brink_socket *socket); /* what is needed later; -ENOMEM. At its creation */
void brink__socket_dial_free(brink_socket *socket); /* of one with rare things */
/* On the loop's thread: */
typedef void brink__dialed_fn(brink_socket *socket, int result, const char *what);
int brink__socket_dial(brink_socket *socket, uint64_t timeout, brink__dialed_fn *dialed);
void brink__socket_dial_stop(brink_socket *socket); /* if it has one that is under way */
/* Whether its dial has tried no address: that this took too long says nothing of the peer's network. */
bool brink__socket_is_looking_up(const brink_socket *socket);

/* revive.c */
int brink__revive_prepare(brink_socket *socket); /* what is needed later; -ENOMEM. At its creation */
/* On the loop's thread: */
void brink__revive_torn(brink_socket *socket);  /* a revivable one was taken off the loop */
void brink__revive_alone(brink_socket *socket); /* failed, closed, one reference left */
void brink__revive_stop(brink_socket *socket);  /* asks no more */
void brink__revive_free(brink_socket *socket);  /* of one with rare things; ends the probing, too */
/* Any thread: how many it had, with the present one. */
unsigned brink__revive_lives(brink_socket *socket);

#endif
