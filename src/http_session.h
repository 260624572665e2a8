/* A server's side of HTTP from inside: a session is what it keeps of one connection.
 *
 * The reader's thread parses; any thread answers. Between them is one lock for each session,
 * under which nothing is written and nobody called. The requests stand in line in the order in
 * which they came. What is answered goes out from the head of the line, by whoever finds that
 * nobody does so already: so replies are in order, and each is written without the lock.
 *
 * A request is referred to by its owner, by the line, and by the reader as long as its body
 * comes. With the last reference its message ends: not before its reply is written, so that
 * the peer's end, which waits for all messages, waits for the replies, too. */
#ifndef BRINK_HTTP_SESSION_H
#define BRINK_HTTP_SESSION_H

#include "http.h"
#include "messenger.h"

#include <pthread.h>

struct brink_http {
	struct brink_http_options options; /* with the defaults filled in */
};

struct brink_http_request {
	struct brink__http_session *session;
	struct brink__http_head *head; /* NULL: not a request, but our answer to what was none */
	atomic_uint references;
	brink_http_request *next; /* in line; or among those that are done */
	/* Under the session's lock, but that who answers looks at what it has set itself without it. */
	brink_message *message; /* NULL: the messenger has dropped it */
	bool streamed;          /* its body; else it is collected */
	/* The reply. */
	bool begun, ended, close;
	bool chunked, silent; /* silent: without a body, whatever is written */
	bool measured;        /* a length was announced */
	int64_t left;         /* of that, if so. Of who answers, without the lock */
	brink_buffer out;     /* until its turn comes */
	brink_http_ready_fn *on_ready;
	void *ready_arg;
	bool wants; /* on_ready is to be called */
	/* The streamed body. */
	brink_buffer parts;
	brink_http_body_fn *on_body;
	void *body_arg;
	int body_state; /* as on_body is told */
	bool fresh, handing, told, dropped;
	bool asked; /* for "100 Continue" */
};

enum brink__http_phase {
	BRINK__HTTP_IDLE, /* nothing is asked */
	BRINK__HTTP_HEAD,
	BRINK__HTTP_BODY,
	BRINK__HTTP_BUSY /* it is our turn */
};

struct brink__http_session {
	struct brink__session base;
	brink_http *http;
	brink_socket *socket;
	struct brink__http_reader reader; /* the reader's */
	pthread_mutex_t lock;             /* of the rest; what is atomic is also looked at without it */
	brink_http_request *first, **end;
	unsigned pending;
	_Atomic(brink_http_request *) receiving; /* whose body comes */
	atomic_uint writing; /* 0: nobody takes what is answered from the line */
	unsigned under_way; /* writes that the socket has, and on_sent() hears of */
	atomic_bool over; /* nothing more is read */
	atomic_bool ending; /* the server stops, and no body is coming: the last in line is the last */
	bool follows; /* something had come behind the last in line when that was there */
	bool last;    /* all is answered: the connection ends with what is being written */
	bool dead;    /* the connection is gone */
	atomic_bool stalled; /* reading rests */
	bool kept;    /* when its time was over it was we who kept the client */
	bool late;    /* its time was over while somebody was about to read */
	enum brink__http_phase phase;
	bool timed; /* the timing has a deadline of ours, and not the messenger's of the first message */
	uint64_t deadline;
	uint64_t body_since, body_got, stalled_at;
	uint64_t late_read; /* what had been read then */
};

/* http_session.c */
/* The session of the socket, which is made when it is asked for first; NULL without memory. */
struct brink__http_session *brink__http_session_of(brink_socket *socket, brink_http *http);
/* The request of a head, in the room that this has for it; it is freed with it. */
brink_http_request *brink__http_request_of(struct brink__http_session *session, struct brink__http_head *head);
/* Of no head: for our answer to what was none. NULL without memory. */
brink_http_request *brink__http_request_headless(struct brink__http_session *session);
void brink__http_request_hold(brink_http_request *request);
void brink__http_request_unref(brink_http_request *request); /* not under the lock */
/* Lets reading rest, or go on, as there is room. With the lock. */
void brink__http_update_reading(struct brink__http_session *session);

/* http_line.c */
/* At the end of the line: one that nobody else knows of. With the lock. */
void brink__http_enqueue(brink_http_request *request);
/* Writes what is answered. Without the lock, by who has a reference to the socket. */
void brink__http_flush(struct brink__http_session *session);
/* The same with the lock, which it gives back. */
void brink__http_flush_locked(struct brink__http_session *session);
/* Whether more waits to be sent than the window; then on_ready is called later. With the lock. */
bool brink__http_crowded(brink_http_request *request);
/* Tells all who wait for room, as there will be none. Without the lock. */
void brink__http_tell_wishes(struct brink__http_session *session);
/* Those that never went out. */
void brink__http_drop_line(struct brink__http_session *session);

/* http_refuse.c: answers what is no request, or one whose body is not, and ends the connection. On the reader's
 * thread, or the loop's. */
void brink__http_refuse(struct brink__http_session *session, unsigned status);
/* The same with the lock, which it gives back: for who has looked under it whether to do so. */
void brink__http_refuse_locked(struct brink__http_session *session, unsigned status);

/* http_time.c; all with the lock */
void brink__http_set_phase(struct brink__http_session *session, enum brink__http_phase phase);
void brink__http_body_came(struct brink__http_session *session, size_t size);
void brink__http_rest(struct brink__http_session *session, bool rests); /* reading does */

/* http_body.c */
#define BRINK__HTTP_CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"
/* What the reader has got of a streamed body, for the program; `state` as on_body is told. */
void brink__http_body_arrived(brink_http_request *request, brink_buffer *part, int state);
/* Whether the client waits to be told that its body is wanted. With the lock. */
bool brink__http_waits_for_word(const brink_http_request *request);
/* Tells it so, if it does. */
int brink__http_tell_to_go_on(brink_http_request *request);
/* Nothing more comes of the body that is being received, and after it. */
void brink__http_body_broken(struct brink__http_session *session, int state);
/* The same with the lock, which it gives back. */
void brink__http_body_broken_locked(struct brink__http_session *session, int state);

/* http_reply.c */
/* A whole reply, after which the connection is closed; to be flushed. Without the lock. */
int brink__http_plain_reply(brink_http_request *request, unsigned status);

#endif
