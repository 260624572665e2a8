/* A head in one piece of memory: its lines are checked, the parser library splits them, and the
 * parts are ended by zeros in place. */
#include "config.h"

#include "cache.h"
#include "http.h"
#include "memory.h"

#include <errno.h>
#include <string.h>

/* ---- lines, as they came ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/1.0" or "HTTP/1.1". A higher minor version is taken as that (RFC 9110, section 2.5), and shown to the parser
 * so, as some know none. To other versions that look like one the answer is 505. */
static int check_version(char *text, unsigned *minor, unsigned *status)
{
	if (memcmp(text, "HTTP/", 5) != 0 || !is_digit(text[5]) || text[6] != '.' || !is_digit(text[7]))
		return -EPROTO;
	if (text[5] != '1') {
		*status = 505;
		return -EPROTO;
	}
	if (text[7] > '1')
		text[7] = '1';
	*minor = (unsigned)(text[7] - '0');
	return 0;
}

/* Token, one space, visible characters, one space, version. */
static int check_request_line(struct brink__http_head *head, char *line, size_t size, unsigned *status)
{
	size_t method = brink__http_run(line, size, BRINK__HTTP_TOKEN), target;

	if (method == 0 || method == size || line[method] != ' ')
		return -EPROTO;
	target = method + 1;
	while (target < size && line[target] > ' ' && line[target] < 0x7f)
		target++;
	if (target == method + 1 || target + 9 != size || line[target] != ' ')
		return -EPROTO;
	head->method = line;
	head->target = line + method + 1;
	return check_version(line + target + 1, &head->minor, status);
}

/* Version, a space, three digits, a space and any reason; or no space after the digits. */
static int check_status_line(struct brink__http_head *head, char *line, size_t size, unsigned *status)
{
	if (size < 12 || line[8] != ' ' || !is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11]) ||
	    (size > 12 && line[12] != ' ') || line[9] == '0')
		return -EPROTO;
	head->status = (unsigned)((line[9] - '0') * 100 + (line[10] - '0') * 10 + line[11] - '0');
	head->reason = size > 13 ? line + 13 : "";
	return check_version(line, &head->minor, status);
}

/* The name is a token and the colon comes right after it: neither a folded line, which begins with
 * white space, nor white space before the colon gets through. */
static bool line_is_sound(const char *line, size_t size)
{
	size_t name = brink__http_run(line, size, BRINK__HTTP_TOKEN);

	return name > 0 && name < size && line[name] == ':';
}

/* Where the line that begins at `line`, the one of that number, ends. */
static char *end_of_line(const struct brink__http_head *head, const struct brink__http_scan *scan, unsigned number,
                         char *line)
{
	if (number < BRINK__HTTP_ENDS)
		return head->bytes + scan->ends[number];
	return (char *)memchr(line, '\n', (size_t)(head->bytes + scan->at - line)) + 1;
}

/* All but the last, empty line: each ends with CR LF, as was seen. */
static int check_lines(struct brink__http_head *head, const struct brink__http_scan *scan, unsigned *status)
{
	char *line = head->bytes, *next;

	for (unsigned i = 0; i < scan->lines; i++, line = next) {
		size_t length;
		int rc;

		next = end_of_line(head, scan, i, line);
		length = (size_t)(next - line) - 2;
		if (i > 0)
			rc = line_is_sound(line, length) ? 0 : -EPROTO;
		else if (head->response)
			rc = check_status_line(head, line, length, status);
		else
			rc = check_request_line(head, line, length, status);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- what the parser finds ---- */

/* A header without a value may be told of by its name alone. */
static void complete(struct brink__http_head *head)
{
	if (head->values < head->names)
		head->headers[head->values++].value = "";
}

int brink__http_head_name(struct brink__http_head *head, const char *at, size_t size)
{
	complete(head);
	if (head->names == head->room || at[size] != ':')
		return -1;
	head->headers[head->names++].name = at;
	return 0;
}

int brink__http_head_value(struct brink__http_head *head, const char *at, size_t size)
{
	if (head->values + 1 != head->names || (size > 0 && at[size] != '\r' && !is_blank(at[size])))
		return -1;
	head->headers[head->values++].value = size > 0 ? at : "";
	return 0;
}

/* Ends the parts of a header whose line ends at `end`. Between the value, if there is one, and what is around it
 * there is only white space. Returns where the line before ends. */
static char *end_header(struct brink__http_head *head, const struct brink_http_header *header, char *end)
{
	char *name = head->bytes + (header->name - head->bytes), *colon;

	if (*header->value == '\0') {
		colon = memchr(name, ':', (size_t)(end - name));
	} else {
		while (is_blank(end[-1]))
			end--;
		*end = '\0';
		colon = head->bytes + (header->value - head->bytes) - 1;
		while (*colon != ':')
			colon--;
	}
	*colon = '\0';
	return name - 2;
}

/* Puts zeros behind the parts; not before, since the parser still looks at what it tells of. From the last one on,
 * as each line ends two bytes before the next. */
static void end_parts(struct brink__http_head *head, size_t size)
{
	char *end = head->bytes + size - 4;

	for (size_t i = head->count; i-- > 0;)
		end = end_header(head, &head->headers[i], end);
	*end = '\0';
	if (!head->response) {
		end[-9] = '\0';
		head->bytes[head->target - head->bytes - 1] = '\0';
	}
}

/* ---- the head ---- */

/* A head of 1,200 bytes in 16 lines fits with what is kept of each: more than most clients send, unless they have
 * large cookies. A thread keeps up to 64 KiB of them, and the depot up to 1 MiB. */
static const struct brink__cache usual = {
	.class_of = BRINK__CACHE_HEADS, .batch = 16, .batches = 32, .size = 2048};

static struct brink__http_head *create(brink_buffer *in, const struct brink__http_reader *reader)
{
	size_t size = reader->scan.at, count = reader->scan.lines - 1;
	size_t fixed = sizeof(struct brink__http_head) + reader->room;
	size_t line = reader->scan.ends[0], host_room = line > BRINK__HTTP_HOST ? line : BRINK__HTTP_HOST;
	size_t all = fixed + count * sizeof(struct brink_http_header) + size + 1 + host_room;
	struct brink__http_head *head = all <= usual.size ? brink__cache_get(&usual) : brink__resize(NULL, 1, all);

	if (head != NULL) {
		memset(head, 0, fixed);
		head->large = all > usual.size;
		head->response = reader->response;
		head->room_of_user = head + 1;
		head->headers = (struct brink_http_header *)(void *)((char *)head + fixed);
		head->room = count;
		head->bytes = (char *)(head->headers + count);
		head->host_room = head->bytes + size + 1;
		brink_buffer_copy(in, 0, head->bytes, size);
		head->bytes[size] = '\0';
		brink_buffer_pop(in, size);
	}
	return head;
}

static int parse(struct brink__http_head *head, struct brink__http_parser *parser,
                 const struct brink__http_scan *scan, unsigned *status)
{
	int rc = check_lines(head, scan, status), framing;

	if (rc < 0)
		return rc;
	rc = brink__http_parser_head(parser, head, head->bytes, scan->at);
	complete(head);
	head->count = head->values;
	if (head->count != head->room)
		return rc < 0 ? rc : -EPROTO;
	end_parts(head, scan->at);
	/* What the headers say decides on the status, also where the parser has refused it. */
	framing = head->response ? brink__http_framing_of_response(head) : brink__http_framing_of_request(head, status);
	return framing < 0 ? framing : rc;
}

int brink__http_head_create(struct brink__http_head **head, struct brink__http_reader *reader, brink_buffer *in)
{
	struct brink__http_head *made = create(in, reader);
	int rc;

	reader->status = 0;
	if (made == NULL)
		return -ENOMEM;
	brink__http_note_method(reader, made->bytes, reader->scan.at);
	rc = parse(made, reader->parser, &reader->scan, &reader->status);
	if (rc < 0) {
		if (reader->status == 0)
			reader->status = rc == -ENOTSUP ? 501 : 400;
		brink__http_head_destroy(made);
		return rc;
	}
	*head = made;
	return 0;
}

void brink__http_head_destroy(struct brink__http_head *head)
{
	if (head == NULL || head->large)
		brink__free(head);
	else
		brink__cache_put(&usual, head);
}
