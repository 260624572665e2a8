/* A messenger: cuts what a connection sends into messages and has them processed.
 *
 *     static void on_line(brink_message *message, void *arg)
 *     {
 *         brink_buffer_append(&message->body, "\n", 1);
 *         brink_socket_write(message->socket, &message->body);
 *         brink_message_free(message);
 *     }
 *
 *     static const struct brink_protocol protocols[] = {
 *         {.name = "line", .parse = brink_parse_line, .process = on_line},
 *     };
 *     brink_messenger_create(&messenger, &(struct brink_messenger_options){
 *         .protocols = protocols, .protocol_count = 1});
 *     brink_socket_create(&id, loop, &(struct brink_socket_options){.fd = fd, .messenger = messenger});
 *
 * A connection speaks one of the messenger's protocols: the first, in the order of the table,
 * that does not say that the bytes are none of its.
 *
 * All complete messages of a read are cut at once. On which threads and in what order those
 * of one connection are processed is chosen by where an executor is given:
 *
 *   nowhere               on the loop's thread, one at a time, in the order of their arrival
 *   the socket's options  on the executor's threads, one at a time, in that order; as long as
 *                         one is processed, no more is read. Where the transport is
 *                         single-threaded, as TLS is, as nowhere
 *   the messenger's       several at a time, in no order: the last of a read in place, which
 *                         is on the loop's thread (or, with an executor in the socket's options,
 *                         on one of its threads), the others on the executor. With
 *                         BRINK_MESSENGER_NOT_IN_PLACE the last as well: for code that blocks
 *
 * When the executor is full, nothing is lost and nothing piles up: the messages cut already
 * wait, and the connection is not read, until there is room.
 *
 * A message is processed when brink_message_free() is called for it. The peer's end is
 * held back until all messages before it are processed: who answers later, from another
 * thread, keeps the message until the answer is written, and its answer is not cut off by
 * the end. */
#ifndef BRINK_MESSENGER_H
#define BRINK_MESSENGER_H

#include <brink/base.h>
#include <brink/buffer.h>
#include <brink/socket.h>
#include <brink/task.h>

BRINK_BEGIN_DECLS

/* A message belongs to the function that is called with it, which ends it by
 * brink_message_free(), at once or later, on any thread. It keeps the socket's memory (not its
 * connection) until then, and a failed socket does not come back to life before. The body
 * keeps whole blocks: see brink/buffer.h for what is to stay for long. */
struct brink_message {
	brink_socket *socket; /* where it came from: valid until the message is freed */
	brink_buffer body;    /* for the one who processes it to take from, or to write into */
	/* The protocol's, zero at first; what the shipped ones put there is said with them. */
	uint64_t id;
	uint32_t kind;
	uint32_t flags;
	/* For parse alone. What it leaves there with BRINK_PARSE_MORE it finds there when it is
	 * called again for the same message. */
	uint64_t state;
	/* How many bytes the message takes in all, from the beginning of what parse was
	 * given, if it can say so with BRINK_PARSE_MORE; it is not called before they are there. */
	uint64_t needed;
	void *data; /* the user's */
	/* The library's. */
	const struct brink_protocol *protocol;
	brink_task task;
	void *channel;
	void (*drop)(brink_message *message);
	void *reserved[1];
};

/* The answers of a parse; a negative errno is one, too: the socket fails with it. */
#define BRINK_PARSE_MORE 0     /* the message is not complete; nothing was taken */
#define BRINK_PARSE_MESSAGE 1  /* a message was cut off */
#define BRINK_PARSE_NOT_MINE 2 /* these bytes do not begin a message of the protocol */

/* Cuts the first message off `in`: drops what belongs to the protocol and moves the rest to
 * message->body, by brink_buffer_cut(), which copies nothing. `at_end`: no more bytes follow. It is then
 * called, as long as it answers BRINK_PARSE_MESSAGE, with nothing in `in`, too; after
 * BRINK_PARSE_MORE what is left is dropped. One connection's calls come one at a time. The
 * time that all calls for a message take together should be linear in its size: a protocol
 * that searches keeps in message->state how far it has come. */
typedef int brink_parse_fn(brink_socket *socket, brink_buffer *in, int at_end, brink_message *message,
                           void *arg);

/* Owns the message. */
typedef void brink_message_fn(brink_message *message, void *arg);

/* Looks at the first message of a connection, once, before any is processed; the others wait
 * for what it says. Where the last message of a read would be processed.
 *   0         well; it is processed as any other
 *   1         well, and it was meant for this function only: it is not processed
 *   negative  the socket fails with -EACCES; no message is processed */
typedef int brink_verify_fn(brink_message *message, void *arg);

struct brink_protocol {
	const char *name; /* for texts of errors; stays the caller's, for as long as the messenger is used */
	brink_parse_fn *parse;
	brink_message_fn *process; /* NULL: the messenger's on_message, with its arg */
	brink_verify_fn *verify;   /* may be NULL */
	void *arg;                 /* of these three */
	/* The most bytes that a message may take, those of the protocol included; 0: 64 MiB. A
	 * longer one fails the socket with -EMSGSIZE, as soon as it is announced or, where
	 * it is not announced, as soon as so much has come. */
	size_t max_message;
	/* Nanoseconds from on_open until the first message; then the socket fails with -ETIMEDOUT. 0: none.
	 * Where several protocols are possible, the longest holds, if all have one. */
	uint64_t first_timeout;
	/* Nanoseconds: write_timeout of sockets whose options have none. Of several protocols likewise. */
	uint64_t write_timeout;
	void *reserved[1]; /* must be zero */
};

#define BRINK_MESSENGER_NOT_IN_PLACE 1u /* with an executor: it gets every message, and verify */

/* All zero but the protocols asks for the defaults. */
struct brink_messenger_options {
	const struct brink_protocol *protocols; /* copied; tried in this order */
	unsigned protocol_count;                /* 1 to 64 */
	unsigned flags;                         /* BRINK_MESSENGER_ */
	brink_message_fn *on_message;           /* for protocols without a `process` */
	void *arg;                              /* of on_message */
	brink_executor *executor; /* must outlive the sockets; may be NULL: see above */
	void *reserved[4];        /* must be zero */
};

/* Makes a messenger for any number of sockets, on any threads: struct brink_socket_options has
 * a place for it. The sockets' on_bytes is the messenger's then; their on_end comes when all
 * messages are processed, on the loop's thread where the last of them was processed
 * elsewhere. Sockets fail with
 *   -EPROTO     no protocol wants the first bytes, or the chosen one not the following
 *   -EMSGSIZE   a message is too long
 *   -EACCES     verify said no
 *   -ENOMEM
 *   other       what parse said
 * Messages that were cut before that are still processed (after -EACCES they are not), but for
 * those that wait for room in the executor. Answers to them go nowhere: the write says so.
 *   -EINVAL   no or too many protocols, one of them without name, parse or anything to
 *             process it, an unknown flag, BRINK_MESSENGER_NOT_IN_PLACE without an
 *             executor, or reserved memory is not zero
 *   -ENOMEM */
BRINK_API int brink_messenger_create(brink_messenger **messenger, const struct brink_messenger_options *options);

/* Gives it back. The sockets that use it keep it as long as they need. NULL is allowed. */
BRINK_API void brink_messenger_destroy(brink_messenger *messenger);

/* Ends a message: it is processed. Any thread. NULL is allowed. */
BRINK_API void brink_message_free(brink_message *message);

/* ---- the length-prefixed protocol ----
 *
 * A header of 20 bytes, then the body. doc/protocol-length.md has the wire format. Each message
 * carries an id, which a reply repeats, so that replies may come in any order. Of a message
 *
 *   id      is the sender's number for it
 *   kind    is the program's, 0 to 65535: what is asked for, for example
 *   flags   are BRINK_LENGTH_ */

#define BRINK_LENGTH_HEADER 20u
#define BRINK_LENGTH_REPLY 1u /* it answers the message of this id */
#define BRINK_LENGTH_ERROR 2u /* with BRINK_LENGTH_REPLY: the answer is that it failed */

/* Says -EPROTO of an unknown version or flag, and of a message that the end cuts short; but one of less than four bytes
 * may be another protocol's (BRINK_PARSE_NOT_MINE). */
BRINK_API int brink_parse_length(brink_socket *socket, brink_buffer *in, int at_end, brink_message *message,
                                 void *arg);

/* What goes into a header. */
struct brink_length {
	uint64_t id;
	uint32_t kind;
	uint32_t flags;
};

/* Appends a message to `out`: the header, and the bytes of `body`, which is empty afterwards;
 * it may be NULL.
 *   -EINVAL     the kind or the flags are out of range
 *   -EMSGSIZE   the body has more than 2^32 - 1 bytes
 *   -ENOMEM     nothing is changed on any error */
BRINK_API int brink_length_pack(brink_buffer *out, const struct brink_length *header, brink_buffer *body);

/* The same, and writes it to the socket. Errors as above and of brink_socket_write(). */
BRINK_API int brink_length_write(brink_socket *socket, const struct brink_length *header, brink_buffer *body);

/* Answers `message` with its own id and kind, and `flags` besides BRINK_LENGTH_REPLY. The message
 * is to be freed still. */
BRINK_API int brink_length_reply(const brink_message *message, uint32_t flags, brink_buffer *body);

/* ---- the line protocol ----
 *
 * Lines that end with LF or CR LF, which are not part of the message. The last line of a
 * connection need not have an end. It takes any bytes: it belongs last into a table. */
BRINK_API int brink_parse_line(brink_socket *socket, brink_buffer *in, int at_end, brink_message *message,
                               void *arg);

BRINK_END_DECLS

#endif
