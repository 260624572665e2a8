/* An HTTP server with what its scenarios need to see of it, and clients of plain system calls. */
#ifndef SOCKET_HTTP_STAGE_H
#define SOCKET_HTTP_STAGE_H

#include "conformance.h"
#include "server_stage.h"

#define WEB_KEPT 64

/* So that what is large is no static array: the leak checker looks through those at the end of each process. */
void append_zeros(brink_buffer *body, size_t size);

/* What the paths of the server are:
 *   /echo      the body, with the method, the path and the host before it
 *   /empty     204          /same   304          /bad   a header that is refused, then none: 500
 *   /keep      the request is kept for answer_kept()
 *   /later     likewise, but answered by a thread of the executor
 *   /stream    the body is streamed back          /early   answered without reading the body
 *   /chunks    "chunk 0\n" to "chunk 9\n", in chunks */
struct web {
	struct service service;
	brink_http *http;
	struct brink_http_options options;
	atomic_uint asked, kept_count, parts;
	brink_http_request *kept[WEB_KEPT];
	atomic_int body_state; /* of the last call of the streamed body's function */
	atomic_uint hold;      /* while it is not 0, parts are left */
	atomic_int refuse;     /* what on_head answers to /stream, if it is not 0 */
};

void open_web(struct web *web, enum kind kind, enum shape shape);
void start_web(struct web *web);
void close_web(struct web *web);
int visit(struct web *web); /* a connection */

void ask(struct web *web, int fd, const char *text);
void ask_slowly(struct web *web, int fd, const char *text); /* byte by byte */

struct answer {
	unsigned status;
	char head[4096];
	size_t length; /* of the body, which is cut off at its end */
	char body[8192];
	bool chunked;
};
/* Reads one reply, of known length or chunked; `bodyless`: whatever its head says. */
void read_answer(struct web *web, int fd, struct answer *answer, bool bodyless);
/* The one connection, seen from the server; it is released by the caller. */
brink_socket *their_socket(struct web *web);
void expect_status(struct web *web, int fd, unsigned status);
void expect_body(struct web *web, int fd, unsigned status, const char *body);
/* The server ends the connection. */
void expect_over(struct web *web, int fd);
/* An on_request that does no more than to keep it as the first. */
void keep_first(brink_http_request *request, void *arg);
/* Answers the kept request with its place and frees it. */
void answer_kept(struct web *web, unsigned index);
/* The first, which has to be there, is read. */
void read_kept(struct web *web, brink_http_body_fn *fn);
void free_kept(struct web *web, brink_http_request *request);
bool has_line(const struct answer *answer, const char *line);

#endif
