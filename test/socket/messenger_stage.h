/* A connection with a messenger, and what its scenarios need to see of it. The peer is played
 * by plain system calls. */
#ifndef SOCKET_MESSENGER_STAGE_H
#define SOCKET_MESSENGER_STAGE_H

#include "conformance.h"

#include <pthread.h>
#include <stdatomic.h>

#define TALK_TEXT 256 /* of what is remembered of a message */

struct talk {
	brink_loop *loop;
	struct pair pair;
	brink_executor *executor; /* NULL until made */
	brink_messenger *messenger;
	struct brink_protocol protocols[2];
	struct brink_messenger_options options;
	struct brink_socket_options socket;
	brink_socket_id id;
	pthread_t loop_thread;
	/* Of any thread. */
	atomic_uint processed, on_loop, at_once, most_at_once, verified, ended, closed;
	atomic_int error;
	atomic_uint gate;  /* while it is not 0, blocking messages wait */
	atomic_uint bytes; /* of all bodies */
	char closed_text[256];
	char last[TALK_TEXT]; /* of the last message processed on the loop */
	void (*act)(struct talk *talk, brink_message *message); /* before the message is freed */
};

/* A loop, a pair, the line protocol; change what is to be otherwise, and start. */
void open_talk(struct talk *talk, enum kind kind);
void add_executor(struct talk *talk, unsigned threads, size_t capacity);
void start_talk(struct talk *talk);
/* Fails the socket if it is open, and frees everything. */
void close_talk(struct talk *talk);

void say(struct talk *talk, const char *text);
void say_length(struct talk *talk, uint64_t id, size_t size); /* a length-prefixed message */
/* On its loop: what was said last was read, and more. */
void run_talk_until_closed(struct talk *talk, int error);
/* What the peer reads is this. */
void expect_text(int fd, const char *text);

/* What `act` may be: a reply by the line; waiting until `gate` is 0. */
void act_echo(struct talk *talk, brink_message *message);
void act_block(struct talk *talk, brink_message *message);

#endif
