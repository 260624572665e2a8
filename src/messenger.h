/* The messenger from inside.
 *
 *   messenger.c          the object, its messages, how it takes the place of a socket's callbacks
 *   messenger_cut.c      bytes to messages: which protocol, how much is needed, limits
 *   messenger_deliver.c  messages to threads: in place, to the executor, waiting for room;
 *                        verification
 *   protocol_length.c, protocol_line.c   the protocols
 *
 * A channel is what a messenger keeps of one connection. It is its reader's: of the thread
 * that is in on_bytes or on_end; while reading is held back for it (channel->held), of the
 * loop's thread. What other threads touch is atomic. */
#ifndef BRINK_MESSENGER_INTERNAL_H
#define BRINK_MESSENGER_INTERNAL_H

#include "socket.h"

#include <brink/executor.h>
#include <brink/messenger.h>

#define BRINK__MAX_MESSAGE ((size_t)64 << 20)
#define BRINK__MAX_PROTOCOLS 64

struct brink_messenger {
	atomic_uint references; /* the owner's, and one for each configuration of sockets */
	unsigned flags;
	brink_executor *executor;
	brink_message_fn *on_message;
	void *arg;
	brink_socket_bytes_fn *raw; /* no protocols: the bytes go here, and each call counts as a message */
	unsigned protocol_count;
	struct brink_protocol protocols[];
};

/* Turns the bytes of one connection into messages. Knows nothing of sockets. */
struct brink__cutter {
	brink_messenger *messenger;
	unsigned candidate; /* the protocol that is asked */
	bool chosen;        /* and is the connection's */
	bool finished;      /* after the end: nothing more can come */
	uint64_t needed;    /* the length of `in` with which it is worth to ask again */
	brink_message *next; /* what parse has begun; NULL: nothing */
};

enum brink__verdict {
	BRINK__UNASKED,
	BRINK__TO_ASK, /* the first message that waits is for verify */
	BRINK__ASKED,  /* the executor has it */
	BRINK__WELL,
	BRINK__REFUSED
};

/* What a protocol keeps of one connection: the beginning of its own struct. On the loop's thread:
 * `closed`: the connection is gone; messages may be left. `destroy`: when they are not. `ending`: the connection
 * is to end; true: a message is coming, and when it is there and dealt with, the session closes the socket. */
struct brink__session {
	bool (*ending)(struct brink__session *session);
	void (*closed)(struct brink__session *session);
	void (*destroy)(struct brink__session *session);
};

struct brink__channel {
	brink_socket *socket;
	struct brink__session *session; /* the protocol's; NULL */
	struct brink__cutter cutter;
	enum brink__verdict verdict;
	bool broken; /* no more messages: parse, verify or memory failed */
	bool over;   /* the socket has been closed: begins anew when it is revived */
	bool held;   /* reading waits until all that waits is handed on */
	bool more;   /* not all of what has come was cut */
	bool at_end; /* and nothing follows it */
	bool line;   /* it stands in the line for room in the executor */
	int error;   /* of the cutter: the socket fails when what came before it is handed on */
	brink_message *last; /* of this read: to be processed in place */
	/* Cut, and to be handed to the executor, linked by their tasks. */
	brink_task *first, **end;
	unsigned waiting;
	brink_executor_room room;
	brink_task verdict_task;
	int verdict_error;

	/* The messages that are not processed, and 1 more until no more can come. As long as it is not 0, the
	 * channel has a reference to the socket, which is that of all its messages. */
	atomic_uint unprocessed;
	atomic_bool told;    /* that 1 was taken off */
	brink_task end_task; /* when the count is 0; on the loop's thread */
	bool ended;          /* the peer has */
	bool finished;       /* end_task was called */
	bool close;          /* to be closed when all is processed */
};

/* messenger.c */
/* A messenger that hands the bytes on as they are, and can say when the calls are over. */
int brink__messenger_create_raw(brink_messenger **messenger, brink_socket_bytes_fn *raw);
/* Puts the messenger of `config->options` between the socket and the user's callbacks, and takes
 * a reference, which brink_messenger_destroy() gives back. */
void brink__messenger_install(struct brink__socket_config *config);
brink_message *brink__message_create(void);
/* The channel of a socket that has one; NULL. */
static inline struct brink__channel *brink__channel_of(const brink_socket *socket)
{
	return socket->upper;
}
/* On the loop's thread: closes the socket when all that was read from it is processed. No more
 * is read, but for the rest of a message of which its protocol has a part. */
void brink__channel_close(brink_socket *socket);
/* Counts one message more; false: no more are taken. */
bool brink__channel_enter(struct brink__channel *channel);
/* One of what `unprocessed` counts is no more. */
void brink__channel_processed(struct brink__channel *channel);

/* Of a socket that has failed, when no reader is left: unless there are messages, the channel gives its reference
 * back without end_task, so that the descriptor can be closed at once. */
void brink__channel_let_go(brink_socket *socket);
/* Frees the channel, if there is one. By who alone has a reference. */
void brink__channel_free(brink_socket *socket);
/* The peer has ended, and its last message was cut. */
void brink__channel_ended(struct brink__channel *channel);

/* messenger_cut.c */
/* 1: `*message` was cut off; 0: more bytes are needed, or after the end: nothing follows; or a
 * negative errno. `socket` is for parse. */
int brink__cut(struct brink__cutter *cutter, brink_socket *socket, brink_buffer *in, bool at_end,
               brink_message **message);
void brink__cutter_reset(struct brink__cutter *cutter);

/* messenger_deliver.c */
/* Cuts all complete messages off what has come and has them processed. */
void brink__channel_take(struct brink__channel *channel, bool at_end);
/* On the loop's thread, when the socket is closed: drops what waits. */
void brink__channel_drop(struct brink__channel *channel);
void brink__channel_room(brink_task *task);
void brink__channel_verdict(brink_task *task);

#endif
