/* HTTP from inside.
 *
 *   http_words.c      characters, names and lists
 *   http_scan.c       finds the end of a head, with the limits
 *   http_head.c       a head in one piece of memory: lines checked, headers found
 *   http_framing.c    what the headers say of the body, the host and the connection
 *   http_parser_*.c   the parser library, one file for each that is known
 *   http_reader.c     bytes to heads and bodies: both sides
 *   http_write.c      heads that we send
 *   http_session.c    a server's connection, and its requests; http_line.c these in order, and what goes out
 *   http_time.c       its deadlines
 *   http_refuse.c     our answers to what is no request
 *   http_protocol.c   the messenger's parse and process
 *   http_request.c    what a program asks of a request, and its end; http_body.c its streamed body
 *   http_reply.c      the program's answers
 *   http_client.c     the client; http_client_host.c what its Host header says, http_exchange.c one request of it
 *   http_none.c       all that is public, where there is no parser
 *
 * The parser library splits heads into their parts and decodes chunks. It is more lenient than
 * RFC 9112 in places, by version and by build; so what goes into it was looked at before, and
 * what comes out of it is checked against what was seen. */
#ifndef BRINK_HTTP_INTERNAL_H
#define BRINK_HTTP_INTERNAL_H

#include <brink/http.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#define BRINK__HTTP_MAX_HEAD ((size_t)64 << 10)
#define BRINK__HTTP_HOST 256u /* of a host in a target, with its end */

/* For buffers that are empty most of the time. */
static inline void brink__http_drop(brink_buffer *buffer)
{
	if (brink_buffer_length(buffer) > 0)
		brink_buffer_clear(buffer);
}

/* ---- the parser library ---- */

struct brink__http_head;
struct brink__http_parser;
struct brink__http_reader;

/* NULL without memory. */
struct brink__http_parser *brink__http_parser_create(bool response);
void brink__http_parser_destroy(struct brink__http_parser *parser);
/* For the next message. */
void brink__http_parser_reset(struct brink__http_parser *parser);
/* A whole head, of which all spans are put into `head`. Below 0: not well formed. */
int brink__http_parser_head(struct brink__http_parser *parser, struct brink__http_head *head, const char *bytes,
                            size_t size);
/* More bytes of a chunked body, by parts of a line or of data. Below 0: not well formed. */
int brink__http_parser_chunk(struct brink__http_parser *parser, const char *bytes, size_t size);
/* After the line that begins a chunk: its size. */
uint64_t brink__http_parser_chunk_size(const struct brink__http_parser *parser);
/* Bytes of data that it has seen since it was last asked. */
uint64_t brink__http_parser_seen(struct brink__http_parser *parser);

/* ---- scanning ---- */

#define BRINK__HTTP_ENDS 8u

struct brink__http_scan {
	size_t at;       /* bytes looked at */
	size_t line;     /* of the line that is being looked at */
	unsigned lines;  /* that have ended */
	unsigned char previous;
	uint16_t ends[BRINK__HTTP_ENDS]; /* of the first of them: what was looked at then */
};

/* On with the bytes of `in`. 1: the head ends at scan->at; 0: more are needed; or -EPROTO or
 * -EMSGSIZE, and the status for it. */
int brink__http_scan_head(struct brink__http_scan *scan, const brink_buffer *in,
                          const struct brink_http_limits *limits, unsigned *status);

/* ---- heads ---- */

/* In one piece of memory. */
struct brink__http_head {
	bool response;
	unsigned minor;
	unsigned status; /* of a response */
	const char *method, *target, *reason, *host;
	const char *path;
	/* Of what follows it. */
	bool chunked, until_end, keep_alive, expects;
	uint64_t length; /* of a body that is not chunked */
	size_t count;
	struct brink_http_header *headers;
	/* While it is parsed. */
	size_t names, values, room;
	bool large; /* not of the usual size */
	char *bytes;
	char *host_room; /* BRINK__HTTP_HOST bytes, and no less than the first line has */
	void *room_of_user; /* zero, as much as was asked for */
};

/* Of the first bytes of `in`, which are dropped, and were scanned: 0, or -ENOMEM, or -EPROTO or -ENOTSUP
 * and the status for it. */
int brink__http_head_create(struct brink__http_head **head, struct brink__http_reader *reader, brink_buffer *in);
void brink__http_head_destroy(struct brink__http_head *head);
/* Spans, by the parser. Below 0: there are too many. */
int brink__http_head_name(struct brink__http_head *head, const char *at, size_t size);
int brink__http_head_value(struct brink__http_head *head, const char *at, size_t size);

/* The framing of a message, from its headers. As create. */
int brink__http_framing_of_request(struct brink__http_head *head, unsigned *status);
int brink__http_framing_of_response(struct brink__http_head *head);

/* ---- words: http_words.c ---- */

/* What a character may be part of. */
#define BRINK__HTTP_TOKEN 1u
/* A host's name, but "%" and its digits, and a comma, for which one header more is taken. */
#define BRINK__HTTP_HOSTS 2u
#define BRINK__HTTP_TEXT 4u /* a line */
extern const unsigned char brink__http_kinds[256];

/* How many of the first characters are of a kind; four at a time, as long as all of them are. */
static inline size_t brink__http_run(const char *text, size_t size, unsigned kind)
{
	const unsigned char *at = (const unsigned char *)text, *kinds = brink__http_kinds;
	size_t run = 0;

	while (size - run >= 4 &&
	       (kinds[at[run]] & kinds[at[run + 1]] & kinds[at[run + 2]] & kinds[at[run + 3]] & kind) != 0)
		run += 4;
	while (run < size && (kinds[at[run]] & kind) != 0)
		run++;
	return run;
}

/* The same of TEXT, in words. */
size_t brink__http_text_run(const char *text, size_t size);

/* Whether it is one of the list's. */
bool brink__http_list_has(const char *list, const char *token);
/* Whether it has any but that; empty ones do not count. */
bool brink__http_list_has_other(const char *list, const char *token);
bool brink__http_is_token(const char *text);

/* Whether it is that word. The first letters tell most apart. */
static inline bool brink__http_is(const char *text, const char *word)
{
	return *text == *word && strcmp(text, word) == 0;
}

bool brink__http_same_word(const char *one, const char *other);
/* The same in any case of letters. */
static inline bool brink__http_same(const char *one, const char *other)
{
	return (((unsigned char)*one ^ (unsigned char)*other) | 0x20) == 0x20 && brink__http_same_word(one, other);
}

/* ---- the reader ---- */

enum brink__http_place {
	BRINK__HTTP_IN_HEAD,
	BRINK__HTTP_IN_LENGTH,
	BRINK__HTTP_IN_CHUNK_LINE,
	BRINK__HTTP_IN_CHUNK,
	BRINK__HTTP_AFTER_CHUNK,
	BRINK__HTTP_IN_TRAILER,
	BRINK__HTTP_TO_END
};

struct brink__http_reader {
	bool response, bodyless; /* a response to HEAD */
	/* What was read last is by HEAD, or begins so: there is no body in the answer, also in ours to what is no
	 * request. It is looked at by who finds that the rest comes too late, too. */
	atomic_bool by_head;
	enum brink__http_place place;
	struct brink_http_limits limits;
	size_t room;
	struct brink__http_parser *parser;
	struct brink__http_scan scan;
	uint64_t left;     /* of the body or the chunk */
	uint64_t trailers; /* bytes of them */
	unsigned skipped;  /* empty lines before the head */
	unsigned status;   /* for an error */
};

/* With the first bytes of a request. */
static inline void brink__http_note_method(struct brink__http_reader *reader, const char *bytes, size_t size)
{
	atomic_store_explicit(&reader->by_head, size >= 5 && memcmp(bytes, "HEAD ", 5) == 0, memory_order_relaxed);
}

int brink__http_limits_fill(struct brink_http_limits *limits); /* the defaults; -EINVAL */
/* `room`: bytes that each head has for what its user keeps with it, in the alignment of pointers. */
int brink__http_reader_init(struct brink__http_reader *reader, bool response, const struct brink_http_limits *limits,
                            size_t room);
void brink__http_reader_destroy(struct brink__http_reader *reader);
/* 1: a head, whose body comes next; 0: more bytes are needed; or a negative errno, and
 * reader->status. */
int brink__http_read_head(struct brink__http_reader *reader, brink_buffer *in, struct brink__http_head **head);
/* Whether a body follows the head that was read. */
bool brink__http_reader_has_body(const struct brink__http_reader *reader);
/* Moves what `in` has of the body to `out`. 1: and that was the last of it; 0; or a negative errno. */
int brink__http_read_body(struct brink__http_reader *reader, brink_buffer *in, bool at_end, brink_buffer *out);

/* ---- writing ---- */

const char *brink__http_reason(unsigned status);
/* Of a header's parts. */
struct brink__http_lengths {
	size_t name, value;
};
/* A name of 0: it is not sound. */
struct brink__http_lengths brink__http_measure(const struct brink_http_header *header);
static inline size_t brink__http_line_size(struct brink__http_lengths lengths)
{
	return lengths.name + lengths.value + 4;
}
int brink__http_put(brink_buffer *out, const char *text);

/* Into memory that has room for it; what they return is where it ends. */
static inline char *brink__http_write(char *at, const char *text)
{
	size_t size = strlen(text);

	memcpy(at, text, size);
	return at + size;
}
char *brink__http_write_number(char *at, uint64_t number);
#define BRINK__HTTP_NUMBER 20u /* bytes, at most */
/* "Date: ...\r\n" of now. It writes BRINK__HTTP_DATE bytes, of which those up to the end that it returns count. */
char *brink__http_write_date(char *at);
#define BRINK__HTTP_DATE 40u
/* Of a sound one. */
char *brink__http_write_header(char *at, const struct brink_http_header *header, struct brink__http_lengths lengths);
/* "OK" and the like; nothing for what has no name. As the date, of BRINK__HTTP_REASON bytes. */
char *brink__http_write_reason(char *at, unsigned status);
#define BRINK__HTTP_REASON 32u

/* So few bytes are copied: parts of them share a block, and are one part to write. */
#define BRINK__HTTP_LITTLE 2048u
static inline bool brink__http_is_little(const brink_buffer *part)
{
	return brink_buffer_length(part) <= BRINK__HTTP_LITTLE;
}

/* Part of a body, as a chunk or as it is. A large one is moved, a small one copied, so that many of
 * them share a block. -ENOMEM: both are as before. */
int brink__http_put_chunk(brink_buffer *out, brink_buffer *part);
int brink__http_put_part(brink_buffer *out, brink_buffer *part);

#endif
