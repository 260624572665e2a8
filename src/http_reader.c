/* Bytes to heads and bodies. Chunks: the parser library says how long they are; each line of
 * theirs is looked at before it gets it, and it has to have seen the data that was cut. */
#include "config.h"

#include "http.h"

#include <errno.h>
#include <string.h>

#define CHUNK_LINE 256u       /* the size and all extensions */
#define TRAILERS (8u << 10)   /* bytes of all */
#define PARTS 16
#define DEFAULT_LINE (8u << 10)
#define DEFAULT_HEAD (32u << 10)
#define DEFAULT_HEADERS 100u
#define DEFAULT_BODY (1u << 20)

int brink__http_limits_fill(struct brink_http_limits *limits)
{
	if (limits->max_head == 0)
		limits->max_head = DEFAULT_HEAD;
	if (limits->max_line == 0)
		limits->max_line = DEFAULT_LINE < limits->max_head ? DEFAULT_LINE : limits->max_head;
	if (limits->max_headers == 0)
		limits->max_headers = DEFAULT_HEADERS;
	if (limits->max_body == 0)
		limits->max_body = DEFAULT_BODY;
	return limits->max_head > BRINK__HTTP_MAX_HEAD || limits->max_line > limits->max_head ? -EINVAL : 0;
}

int brink__http_reader_init(struct brink__http_reader *reader, bool response, const struct brink_http_limits *limits,
                            size_t room)
{
	memset(reader, 0, sizeof *reader);
	reader->response = response;
	reader->limits = *limits;
	reader->room = room;
	reader->parser = brink__http_parser_create(response);
	return reader->parser == NULL ? -ENOMEM : 0;
}

void brink__http_reader_destroy(struct brink__http_reader *reader)
{
	brink__http_parser_destroy(reader->parser);
	reader->parser = NULL;
}

static int refuse(struct brink__http_reader *reader, unsigned status, int error)
{
	reader->status = status;
	return error;
}

/* ---- heads ---- */

static void begin(struct brink__http_reader *reader)
{
	memset(&reader->scan, 0, sizeof reader->scan);
	reader->place = BRINK__HTTP_IN_HEAD;
	reader->skipped = 0;
	brink__http_parser_reset(reader->parser);
}

/* Some clients end a body with an empty line too many: one is passed over. */
static bool skip_empty_line(struct brink__http_reader *reader, brink_buffer *in)
{
	if (reader->response || reader->skipped > 0)
		return false;
	brink_buffer_pop(in, reader->scan.at);
	memset(&reader->scan, 0, sizeof reader->scan);
	reader->skipped = 1;
	return true;
}

static bool has_no_body(const struct brink__http_reader *reader, const struct brink__http_head *head)
{
	return head->response &&
	       (reader->bodyless || head->status < 200 || head->status == 204 || head->status == 304);
}

static void begin_body(struct brink__http_reader *reader, struct brink__http_head *head)
{
	reader->left = head->length;
	reader->trailers = 0;
	if (has_no_body(reader, head))
		head->chunked = head->until_end = false;
	if (head->chunked)
		reader->place = BRINK__HTTP_IN_CHUNK_LINE;
	else if (head->until_end)
		reader->place = BRINK__HTTP_TO_END;
	else if (head->length > 0 && !has_no_body(reader, head))
		reader->place = BRINK__HTTP_IN_LENGTH;
	else
		begin(reader);
}

/* Of a head that is not whole. */
static __attribute__((noinline)) void look_for_method(struct brink__http_reader *reader, const brink_buffer *in)
{
	char first[5];

	brink__http_note_method(reader, first, brink_buffer_copy(in, 0, first, sizeof first));
}

int brink__http_read_head(struct brink__http_reader *reader, brink_buffer *in, struct brink__http_head **head)
{
	int rc;

	do {
		rc = brink__http_scan_head(&reader->scan, in, &reader->limits, &reader->status);
		if (rc <= 0) {
			look_for_method(reader, in);
			return rc;
		}
	} while (reader->scan.lines == 0 && skip_empty_line(reader, in));
	/* An empty line alone is no head. */
	if (reader->scan.lines == 0)
		return refuse(reader, 400, -EPROTO);
	rc = brink__http_head_create(head, reader, in);
	if (rc < 0)
		return rc;
	begin_body(reader, *head);
	return 1;
}

bool brink__http_reader_has_body(const struct brink__http_reader *reader)
{
	return reader->place != BRINK__HTTP_IN_HEAD;
}

/* ---- chunks ---- */

static bool is_hex(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Digits of at most 60 bits; then the end, or extensions, of which nobody here knows any: visible
 * characters and white space, which may also be before their semicolon. How many digits; 0: it is none. */
static size_t chunk_digits(const unsigned char *line, size_t size)
{
	size_t digits = 0, extension;

	while (digits < size && is_hex(line[digits]))
		digits++;
	extension = digits;
	while (extension < size && (line[extension] == ' ' || line[extension] == '\t'))
		extension++;
	if (digits > 15 || (digits < size && (extension == size || line[extension] != ';')))
		return 0;
	for (size_t i = extension; i < size; i++)
		if ((line[i] < ' ' && line[i] != '\t') || line[i] >= 0x7f)
			return 0;
	return digits;
}

static bool trailer_is_sound(const char *line, size_t size)
{
	size_t name = brink__http_run(line, size, BRINK__HTTP_TOKEN);

	return name > 0 && name < size && line[name] == ':' && brink__http_text_run(line, size) == size;
}

/* A line of at most `most` bytes, with its end, in `line`: its length; 0: more is needed. */
static ssize_t take_line(struct brink__http_reader *reader, brink_buffer *in, char *line, size_t most)
{
	size_t got = brink_buffer_copy(in, 0, line, most);
	const char *end = memchr(line, '\n', got);

	if (end == NULL)
		return got < most ? 0 : refuse(reader, 400, -EMSGSIZE);
	if (end == line || end[-1] != '\r')
		return refuse(reader, 400, -EPROTO);
	return end - line + 1;
}

static int to_parser(struct brink__http_reader *reader, const char *bytes, size_t size)
{
	return brink__http_parser_chunk(reader->parser, bytes, size) < 0 ? refuse(reader, 400, -EPROTO) : 0;
}

/* 1: gone on to what follows it; 0: more is needed. The parser is not shown the extensions, on which
 * parsers differ. */
static int read_chunk_line(struct brink__http_reader *reader, brink_buffer *in)
{
	char line[CHUNK_LINE];
	ssize_t size = take_line(reader, in, line, sizeof line);
	size_t digits;

	if (size <= 0)
		return (int)size;
	digits = chunk_digits((unsigned char *)line, (size_t)size - 2);
	if (digits == 0)
		return refuse(reader, 400, -EPROTO);
	if (to_parser(reader, line, digits) < 0 || to_parser(reader, "\r\n", 2) < 0)
		return -EPROTO;
	brink_buffer_pop(in, (size_t)size);
	reader->left = brink__http_parser_chunk_size(reader->parser);
	reader->place = reader->left > 0 ? BRINK__HTTP_IN_CHUNK : BRINK__HTTP_IN_TRAILER;
	return 1;
}

static int read_chunk_end(struct brink__http_reader *reader, brink_buffer *in)
{
	char end[2];

	if (brink_buffer_copy(in, 0, end, 2) < 2)
		return 0;
	if (memcmp(end, "\r\n", 2) != 0)
		return refuse(reader, 400, -EPROTO);
	if (to_parser(reader, end, 2) < 0)
		return -EPROTO;
	brink_buffer_pop(in, 2);
	reader->place = BRINK__HTTP_IN_CHUNK_LINE;
	return 1;
}

static int read_trailer(struct brink__http_reader *reader, brink_buffer *in)
{
	char line[TRAILERS];
	ssize_t size = take_line(reader, in, line, sizeof line);

	if (size <= 0)
		return (int)size;
	reader->trailers += (uint64_t)size;
	if (reader->trailers > TRAILERS)
		return refuse(reader, 431, -EMSGSIZE);
	if (size > 2 && !trailer_is_sound(line, (size_t)size - 2))
		return refuse(reader, 400, -EPROTO);
	if (to_parser(reader, line, (size_t)size) < 0)
		return -EPROTO;
	brink_buffer_pop(in, (size_t)size);
	if (size == 2)
		begin(reader);
	return 1;
}

/* ---- bodies ---- */

static int show_parser(struct brink__http_reader *reader, const brink_buffer *in, size_t size)
{
	struct iovec parts[PARTS];
	size_t shown = 0;
	int count;

	while (shown < size && (count = brink_buffer_iovecs(in, shown, parts, PARTS)) > 0)
		for (int i = 0; i < count && shown < size; i++) {
			size_t part = parts[i].iov_len < size - shown ? parts[i].iov_len : size - shown;

			if (to_parser(reader, parts[i].iov_base, part) < 0)
				return -EPROTO;
			shown += part;
		}
	return brink__http_parser_seen(reader->parser) == size ? 0 : refuse(reader, 400, -EPROTO);
}

/* A few bytes are copied: each of them would keep a whole block. */
static int take(brink_buffer *in, brink_buffer *out, size_t size)
{
	char few[BRINK__HTTP_LITTLE];

	if (size > sizeof few)
		return brink_buffer_cut(in, out, size) < 0 ? -ENOMEM : 0;
	brink_buffer_copy(in, 0, few, size);
	if (brink_buffer_append(out, few, size) < 0)
		return -ENOMEM;
	brink_buffer_pop(in, size);
	return 0;
}

/* 1: all of what is left of the body, or of its chunk, was there. */
static int cut(struct brink__http_reader *reader, brink_buffer *in, brink_buffer *out)
{
	size_t size = brink_buffer_length(in) < reader->left ? brink_buffer_length(in) : (size_t)reader->left;
	int rc = reader->place == BRINK__HTTP_IN_CHUNK ? show_parser(reader, in, size) : 0;

	if (rc < 0)
		return rc;
	if (take(in, out, size) < 0)
		return refuse(reader, 503, -ENOMEM);
	reader->left -= size;
	return reader->left == 0;
}

static int read_some(struct brink__http_reader *reader, brink_buffer *in, bool at_end, brink_buffer *out)
{
	int rc;

	switch (reader->place) {
	case BRINK__HTTP_IN_LENGTH:
		rc = cut(reader, in, out);
		if (rc == 1)
			begin(reader);
		return rc;
	case BRINK__HTTP_IN_CHUNK_LINE: return read_chunk_line(reader, in);
	case BRINK__HTTP_IN_CHUNK:
		rc = cut(reader, in, out);
		if (rc == 1)
			reader->place = BRINK__HTTP_AFTER_CHUNK;
		return rc;
	case BRINK__HTTP_AFTER_CHUNK: return read_chunk_end(reader, in);
	case BRINK__HTTP_IN_TRAILER: return read_trailer(reader, in);
	case BRINK__HTTP_TO_END:
		brink_buffer_move(out, in);
		if (at_end)
			begin(reader);
		return at_end;
	case BRINK__HTTP_IN_HEAD: break;
	}
	return 0;
}

int brink__http_read_body(struct brink__http_reader *reader, brink_buffer *in, bool at_end, brink_buffer *out)
{
	int rc;

	do
		rc = read_some(reader, in, at_end, out);
	while (rc == 1 && reader->place != BRINK__HTTP_IN_HEAD);
	return rc;
}
