/* HTTP/1.1 (RFC 9110, RFC 9112): a protocol of the messenger for servers, and a client.
 *
 *     static void on_request(brink_http_request *request, void *arg)
 *     {
 *         brink_http_reply_bytes(request, 200, NULL, 0, "hello\n", 6);
 *         brink_http_request_free(request);
 *     }
 *
 *     brink_http_create(&http, &(struct brink_http_options){.on_request = on_request});
 *     brink_http_protocol(http, &protocol);
 *     brink_server_create(&server, loop, &(struct brink_server_options){
 *         .address = "127.0.0.1:8080", .protocols = &protocol, .protocol_count = 1});
 *
 * On which threads requests are processed is the messenger's to say, as of any message. They
 * may be answered later, on any thread and in any order: the replies of a connection go out
 * in the order of its requests. Keep-alive, pipelining, chunked bodies, HEAD, "Expect:
 * 100-continue", the Date and the framing of replies are the library's.
 *
 * What is ambiguous is refused, not guessed at, and the connection closed after the reply: more
 * than one Content-Length, or one beside Transfer-Encoding, any coding but "chunked", folded
 * lines, white space before a colon, a bare CR or LF, control characters, no Host or two, or one that is no
 * name or address with a port or without. To HEAD the head of a reply
 * is sent alone, also where it refuses.
 *
 * Where the library was built without a parser (configure --with-http) the functions that
 * create something say -ENOTSUP. */
#ifndef BRINK_HTTP_H
#define BRINK_HTTP_H

#include <brink/address.h>
#include <brink/base.h>
#include <brink/buffer.h>
#include <brink/messenger.h>
#include <brink/socket.h>

BRINK_BEGIN_DECLS

typedef struct brink_http brink_http;
typedef struct brink_http_request brink_http_request;
typedef struct brink_http_client brink_http_client;

struct brink_http_header {
	const char *name;
	const char *value;
};

/* The value of the first header of this name, in any case of letters; NULL. Any thread. */
BRINK_API const char *brink_http_find(const struct brink_http_header *headers, size_t count, const char *name);

/* Of what is received. In brackets is what a server answers to more, before it closes. */
struct brink_http_limits {
	size_t max_line;      /* bytes of the first line, at most max_head; 0: 8 KiB [414] */
	size_t max_head;      /* of the first line and the headers; 0: 32 KiB, and at most 64 KiB [431] */
	unsigned max_headers; /* 0: 100 [431] */
	uint64_t max_body;    /* of a body that is collected; 0: 1 MiB [413] */
};

/* ---- the server's side ---- */

/* Owns the request: ends it by brink_http_request_free(), at once or later, on any thread. */
typedef void brink_http_request_fn(brink_http_request *request, void *arg);

/* What on_head answers. */
#define BRINK_HTTP_COLLECT 0 /* on_request is called with the whole body */
#define BRINK_HTTP_STREAM 1  /* it is called at once, and reads with brink_http_request_read() */

/* Called when a head has come that has a body, before any of the body is taken; on the thread
 * that reads the connection. The request may be looked at only. Or it answers a status of 400 to
 * 599: with that the request is refused, and the connection closed. */
typedef int brink_http_head_fn(const brink_http_request *request, void *arg);

/* All zero but on_request asks for the defaults. Times are in nanoseconds. */
struct brink_http_options {
	brink_http_request_fn *on_request;
	brink_http_head_fn *on_head; /* NULL: all bodies are collected */
	void *arg;                   /* of both */
	struct brink_http_limits limits;
	unsigned max_pipelined; /* requests of a connection that are not answered; 0: 16. No more are read */
	size_t window;          /* of streamed bodies: so many bytes may wait, each way; 0: 256 KiB */
	/* From a head's beginning to its end; 0: 20 s [408]. And from the connection's beginning until anything comes: then
	 * there is nobody to answer, and the socket fails with -ETIMEDOUT. */
	uint64_t head_timeout;
	uint64_t body_timeout;  /* nothing comes of a body; 0: 20 s [408; who streams it hears of -ETIMEDOUT] */
	uint64_t min_rate;      /* bytes in a second that a body has to come with on the whole, after
	                         * body_timeout; 0: 500 [408] */
	uint64_t idle_timeout;  /* between requests; 0: 60 s */
	/* The client takes nothing of its replies; 0: 60 s; UINT64_MAX: none. For sockets whose options have no
	 * write_timeout, where all protocols have one. */
	uint64_t write_timeout;
	void *reserved[4]; /* must be zero */
};

/* Makes it for any number of connections, on any threads. It must outlive the sockets whose
 * messenger has it. A server that is being stopped reads a body that is coming to its end, and answers it,
 * and then closes the connection. From when the stop is asked for, a reply says "Connection: close" if it is the
 * last of its connection, as no other request has come, and was not begun before.
 *   -EINVAL   no on_request, a limit is out of range, or reserved memory is not zero
 *   -ENOTSUP  built without HTTP
 *   -ENOMEM */
BRINK_API int brink_http_create(brink_http **http, const struct brink_http_options *options);
/* NULL is allowed. */
BRINK_API void brink_http_destroy(brink_http *http);

/* Fills in `protocol` for a messenger or a server. Among others it takes what begins with a
 * method in capital letters and a space; alone it takes, and answers, anything. */
BRINK_API void brink_http_protocol(brink_http *http, struct brink_protocol *protocol);

/* What was asked, valid until the request is freed. Any thread. */
BRINK_API const char *brink_http_request_method(const brink_http_request *request);
/* As it came: "/path?query", "*", or with "http://host" in front. */
BRINK_API const char *brink_http_request_target(const brink_http_request *request);
/* The target from the path on, without "http://host"; of "http://host?query" it is "/?query". */
BRINK_API const char *brink_http_request_path(const brink_http_request *request);
/* The host, of the target or else of the Host header; empty if there is none. */
BRINK_API const char *brink_http_request_host(const brink_http_request *request);
/* Of HTTP/1.x: 0 or 1, as which a higher one is taken. */
BRINK_API unsigned brink_http_request_minor(const brink_http_request *request);
BRINK_API const struct brink_http_header *brink_http_request_headers(const brink_http_request *request,
                                                                     size_t *count);
BRINK_API const char *brink_http_request_header(const brink_http_request *request, const char *name);
/* The collected body, to take from. */
BRINK_API brink_buffer *brink_http_request_body(brink_http_request *request);
/* The connection. */
BRINK_API brink_socket *brink_http_request_socket(const brink_http_request *request);

/* A part of a streamed body. `state`: 0: more follows. What is left in `part` comes again, with what follows it;
 * while more than the window waits, no more is read. 1: this is the last; or a negative errno, and nothing more
 * comes: -ECONNABORTED the connection has ended, -EPROTO the chunks are not well formed, -ETIMEDOUT, -ENOMEM. After
 * these no other call follows, and what is left is dropped: brink_buffer_move() keeps it for later. */
typedef void brink_http_body_fn(brink_http_request *request, brink_buffer *part, int state, void *arg);

/* Has a streamed body handed to `fn`, from now on: what has come, in this call, and what comes,
 * on the thread that reads the connection; one call at a time. A client that waits for "100
 * Continue" is told it with this. Called again, it hands over what was left. The request is not
 * to be freed in `fn` before the last call. Of a request without a body the first call is the last.
 *   -EINVAL   no `fn`, the body was collected, or its end was told already
 *   -ENOMEM   for "100 Continue": it may be tried again */
BRINK_API int brink_http_request_read(brink_http_request *request, brink_http_body_fn *fn, void *arg);

/* Answers. Content-Length, Date and Connection are added; a Connection header with "close" closes the
 * connection after the reply. The body is moved and is empty afterwards; it may be NULL. To HEAD,
 * and with 204 and 304, none is sent. Any thread; one at a time for a request. On an error nothing
 * has happened.
 *   -EINVAL   the status is not from 200 to 999; a name is not a token, a value has a CR, an LF, a
 *             NUL or another control character; a header that is the library's own (Content-Length,
 *             Transfer-Encoding, Date); a body with 204 or 304
 *   -EALREADY the request is answered
 *   -ENOMEM */
BRINK_API int brink_http_reply(brink_http_request *request, unsigned status,
                               const struct brink_http_header *headers, size_t count, brink_buffer *body);
/* The same with a body of `size` bytes, which are copied; NULL, if there are none. For little ones it is the shorter
 * way: they are written right behind the head. */
BRINK_API int brink_http_reply_bytes(brink_http_request *request, unsigned status,
                                     const struct brink_http_header *headers, size_t count, const void *bytes,
                                     size_t size);

/* Of a streamed reply: there is room again, or the connection has failed. On any thread. */
typedef void brink_http_ready_fn(brink_http_request *request, void *arg);

/* Begins an answer whose body follows in parts. `length` is how long it will be; below 0 that is not
 * known, and it is sent in chunks, or, to an HTTP/1.0 client, up to the end of the connection, which is reset
 * if anything keeps the reply from being whole. `on_ready` may be NULL. With a status below 300 a client that
 * waits for "100 Continue" is told it. Errors as above. */
BRINK_API int brink_http_reply_begin(brink_http_request *request, unsigned status,
                                     const struct brink_http_header *headers, size_t count, int64_t length,
                                     brink_http_ready_fn *on_ready, void *arg);
/* Sends a part, which is empty afterwards. Returns 1 when more than the window waits to be sent: it
 * is sent all the same, but on_ready will be called, once, when more should follow, perhaps before
 * this has returned: nothing is to be done with the request until then.
 *   -EINVAL   no reply was begun, or it is more than `length`
 *   -ECONNABORTED   the connection has failed
 *   -ENOMEM   the part is as before */
BRINK_API int brink_http_reply_write(brink_http_request *request, brink_buffer *part);
/* The reply is complete. With less than `length` the connection is failed.
 *   -EINVAL   no reply was begun, or it has ended
 *   -ENOMEM   may be tried again */
BRINK_API int brink_http_reply_end(brink_http_request *request);

/* Ends the request. One that was not answered gets status 500; of a reply that was begun and not
 * ended the client shall not believe that it is whole: the connection is failed. What is left of a
 * body is read and dropped. Any thread. NULL is allowed. */
BRINK_API void brink_http_request_free(brink_http_request *request);

/* ---- the client's side: all of it on the loop's thread ---- */

/* Requests to one server, one after another over one connection, which is made when it is
 * needed and kept as long as both sides like. */
struct brink_http_client_options {
	const struct brink_address *address; /* copied; or: */
	/* As in the options of a socket: "www.example.org:80". Each connection looks it up. Copied. */
	const char *name;
	/* For the Host header, copied. NULL: the address; or the name, without the port that is usual: 80 or
	 * "http" where the connection is plain, 443 or "https" where it has a transport. Either without a zone: "%eth0". */
	const char *host;
	struct brink_http_limits limits;
	uint64_t timeout; /* ns that a fetch may take, from when its turn comes; 0: 60 s */
	/* Of the connections: resolver, transport, limits and timeouts. Left zero are address, name, fd, arg,
	 * messenger, executor, the probes and all callbacks, and none is BRINK_SOCKET_PAUSED. */
	struct brink_socket_options socket;
	void *reserved[4]; /* must be zero */
};

/* Connects nothing yet. Before the loop is destroyed it has to be destroyed.
 *   -EINVAL   neither address nor name, or both; an option is out of range or is to be left zero; a name
 *             that is none; a host with other than visible characters, or one of / ? # @ \, or none to a
 *             name with a service of another kind
 *   -ENAMETOOLONG   the host has more than 255 bytes, or a part of the name more than a lookup takes
 *   -ENODEV   there is no interface of the name behind the name's %
 *   -ENOTSUP  built without HTTP
 *   -ENOMEM */
BRINK_API int brink_http_client_create(brink_http_client **client, brink_loop *loop,
                                       const struct brink_http_client_options *options);
/* Fetches that are not complete are called with -ECANCELED. A connection on which none is under way is closed as
 * brink_socket_close() does it, for which the loop runs on. Also from a callback of one of its fetches. NULL is
 * allowed. */
BRINK_API void brink_http_client_destroy(brink_http_client *client);

/* Valid during the call. */
struct brink_http_response {
	unsigned status; /* 200 to 999 */
	unsigned minor;  /* of HTTP/1.x, as of a request */
	const char *reason;
	const struct brink_http_header *headers;
	size_t header_count;
	brink_buffer *body; /* to take from */
};

/* A fetch is over. `error`: 0, or a negative errno and no response:
 *   -EPROTO        what came is not HTTP/1.x, or ambiguous, or ended too early
 *   -EMSGSIZE      more than the limits
 *   -ETIMEDOUT, -ECANCELED, -ENOMEM
 *   other          of connecting, reading and writing
 * Called once for each fetch that was begun, and not before brink_http_fetch() has returned. */
typedef void brink_http_response_fn(const struct brink_http_response *response, int error, void *arg);
/* Part of a body that is not to be collected: takes what it likes from `part`; the rest is dropped.
 * Nothing may be destroyed in it. */
typedef void brink_http_part_fn(brink_buffer *part, void *arg);

struct brink_http_fetch_options {
	const char *method; /* NULL: GET */
	/* "/path?query", or "*"; or "http://host/path", for a proxy: then that is what the Host header says. NULL: "/" */
	const char *target;
	const struct brink_http_header *headers;
	size_t header_count;
	brink_buffer *body;          /* moved; may be NULL */
	brink_http_part_fn *on_part; /* NULL: the body is collected, up to the limit */
	brink_http_response_fn *on_response;
	void *arg;         /* of these two */
	void *reserved[4]; /* must be zero */
};

/* Begins a fetch, or has it wait for those before it. Nothing of the options is needed afterwards. Of the
 * headers, Host, Content-Length and Transfer-Encoding are the library's; a Connection header with "close" closes
 * the connection after the response. Responses of 100 to 199 are passed over, but for 101, which was not asked for
 * (-EPROTO); one that says where else to look (300 to 399) is a response like others: nothing follows it by
 * itself. When a connection that was kept turns out
 * to have ended, a fetch with a safe or idempotent method (GET, HEAD, OPTIONS, PUT, DELETE, TRACE) is tried once
 * more, on a new one. Nothing is sent on one whose server has said something that was not asked for, or its end, by
 * then. Where the response is complete before all of the request is sent, the rest of the request is not sent, and
 * the connection ends.
 *   -EINVAL   no on_response; a method, target or header that is not well formed; a header that is the library's
 *             own; CONNECT; reserved memory is not zero
 *   -ENOMEM   the body is as before on any error */
BRINK_API int brink_http_fetch(brink_http_client *client, const struct brink_http_fetch_options *options);

BRINK_END_DECLS

#endif
