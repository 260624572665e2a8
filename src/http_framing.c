/* What the headers say of the body, the host and the connection: RFC 9112, sections 3.2, 6 and
 * 9.3. Two programs in a row that read a message differently can be made to take a part of a body
 * for a request; so whatever could be read in two ways is refused. */
#include "config.h"

#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define LENGTH_DIGITS 18 /* more could exceed 63 bits */

static int refuse(unsigned *status, unsigned with)
{
	*status = with;
	return with == 501 ? -ENOTSUP : -EPROTO;
}

/* The headers of a name: how many, and the last one's value. */
struct field {
	size_t count;
	const char *value;
};

static void note(struct field *field, const char *value)
{
	field->count++;
	field->value = value;
}

/* Those that say something of what this file is about, found in one pass. */
struct fields {
	struct field host, length, coding;
	bool closes, keeps_alive;
	bool expects, expects_more; /* than "100-continue" */
};

static void read_connection(struct fields *fields, const char *value)
{
	fields->closes = fields->closes || brink__http_list_has(value, "close");
	fields->keeps_alive = fields->keeps_alive || brink__http_list_has(value, "keep-alive");
}

/* A list, like all of them together: RFC 9110, section 10.1.1. */
static void read_expect(struct fields *fields, const char *value)
{
	fields->expects = fields->expects || brink__http_list_has(value, "100-continue");
	fields->expects_more = fields->expects_more || brink__http_list_has_other(value, "100-continue");
}

static void find_fields(const struct brink__http_head *head, struct fields *fields)
{
	for (size_t i = 0; i < head->count; i++) {
		const char *name = head->headers[i].name, *value = head->headers[i].value;

		if (brink__http_same(name, "Host"))
			note(&fields->host, value);
		else if (brink__http_same(name, "Connection"))
			read_connection(fields, value);
		else if (brink__http_same(name, "Content-Length"))
			note(&fields->length, value);
		else if (brink__http_same(name, "Transfer-Encoding"))
			note(&fields->coding, value);
		else if (brink__http_same(name, "Expect"))
			read_expect(fields, value);
	}
}

/* Digits, and nothing else: no sign, no list, no white space. */
static int read_length(const char *text, uint64_t *length)
{
	size_t size = strlen(text);

	if (size == 0 || size > LENGTH_DIGITS || strspn(text, "0123456789") != size)
		return -EPROTO;
	for (*length = 0; *text != '\0'; text++)
		*length = *length * 10 + (uint64_t)(*text - '0');
	return 0;
}

/* 0: no Transfer-Encoding; 1: chunked; -ENOTSUP: another coding; -EPROTO. */
static int read_coding(const struct brink__http_head *head, const struct field *coding)
{
	if (coding->count == 0)
		return 0;
	if (coding->count > 1 || head->minor == 0)
		return -EPROTO;
	if (brink__http_same(coding->value, "chunked"))
		return 1;
	/* One that we do not know may be right; chunked twice, or not at the end, is not. */
	return brink__http_list_has(coding->value, "chunked") || *coding->value == '\0' ? -EPROTO : -ENOTSUP;
}

/* 1: a length; 0: none; -EPROTO. */
static int read_framing(struct brink__http_head *head, const struct fields *fields)
{
	int coding = read_coding(head, &fields->coding);

	if (fields->length.count > 1 || (fields->length.count == 1 && coding != 0) || coding == -EPROTO)
		return -EPROTO;
	if (coding < 0)
		return coding;
	head->chunked = coding == 1;
	if (fields->length.count == 0)
		return 0;
	return read_length(fields->length.value, &head->length) < 0 ? -EPROTO : 1;
}

static bool keeps_alive(const struct brink__http_head *head, const struct fields *fields)
{
	return !fields->closes && (head->minor == 1 || fields->keeps_alive);
}

/* ---- the target and the host ---- */

#define HEX "0123456789abcdefABCDEF"
#define LITERAL (INET6_ADDRSTRLEN + 16u) /* of one of a later kind, too, which nobody has seen yet */

/* "[::1]" and its kin: how much of the text it is; 0: it is none. */
static __attribute__((noinline)) size_t literal_size(const char *text, size_t size)
{
	char address[LITERAL];
	const char *end = memchr(text, ']', size);
	size_t length = end != NULL ? (size_t)(end - text) - 1 : 0, kind;
	struct in6_addr binary;

	if (length == 0 || length >= sizeof address)
		return 0;
	memcpy(address, text + 1, length);
	address[length] = '\0';
	if (*address != 'v' && *address != 'V')
		return inet_pton(AF_INET6, address, &binary) == 1 ? length + 2 : 0;
	kind = 1 + strspn(address + 1, HEX);
	if (kind == 1 || address[kind] != '.' || address[++kind] == '\0')
		return 0;
	while (kind < length && (address[kind] == ':' || brink__http_run(address + kind, 1, BRINK__HTTP_HOSTS) == 1))
		kind++;
	return kind == length ? length + 2 : 0;
}

/* How much of the text is a name, of which so much is known to be: with "%41" and its kin. */
static __attribute__((noinline)) size_t escaped_size(const char *text, size_t size, size_t at)
{
	while (size - at > 2 && text[at] == '%' && strspn(text + at + 1, HEX) >= 2) {
		at += 3;
		at += brink__http_run(text + at, size - at, BRINK__HTTP_HOSTS);
	}
	return at;
}

/* A name or an address, and a port perhaps; or nothing. */
static bool is_host(const char *text, size_t size)
{
	size_t at = brink__http_run(text, size, BRINK__HTTP_HOSTS);

	if (at < size && text[at] != ':')
		at = *text == '[' ? literal_size(text, size) : escaped_size(text, size, at);
	if (at == size)
		return true;
	if (at == 0 || text[at++] != ':')
		return false;
	while (at < size && text[at] >= '0' && text[at] <= '9')
		at++;
	return at == size;
}

/* What is behind it, which is in small letters, in any case of letters; NULL. */
static const char *after(const char *target, const char *scheme)
{
	while (*scheme != '\0')
		if ((*target++ | 0x20) != *scheme++)
			return NULL;
	return target;
}

/* "http://host/path" and its kin: its host is the one that counts. A query may follow it at once: the path, which is
 * not there, is written. */
static bool read_absolute(struct brink__http_head *head)
{
	const char *host = after(head->target, "http://");
	char *path = head->host_room;
	size_t size;

	if (host == NULL)
		host = after(head->target, "https://");
	if (host == NULL)
		return false;
	size = strcspn(host, "/?");
	if (size == 0 || size >= BRINK__HTTP_HOST || !is_host(host, size))
		return false;
	memcpy(head->host_room, host, size);
	head->host_room[size] = '\0';
	head->host = head->host_room;
	head->path = host[size] == '/' ? host + size : "/";
	if (host[size] == '?') {
		path += size + 1;
		*path = '/';
		strcpy(path + 1, host + size);
		head->path = path;
	}
	return true;
}

static int read_target(struct brink__http_head *head)
{
	if (*head->target == '/' || (brink__http_is(head->target, "*") && brink__http_is(head->method, "OPTIONS")))
		head->path = head->target;
	else if (!read_absolute(head))
		return -EPROTO;
	return strchr(head->target, '#') == NULL ? 0 : -EPROTO;
}

static int read_host(struct brink__http_head *head, const struct field *host)
{
	head->host = host->count > 0 ? host->value : "";
	if (host->count > 1 || (host->count == 0 && head->minor == 1) || !is_host(head->host, strlen(head->host)))
		return -EPROTO;
	return 0;
}

/* ---- both sides ---- */

int brink__http_framing_of_request(struct brink__http_head *head, unsigned *status)
{
	struct fields fields = {0};
	int rc;

	/* A proxy's. */
	if (brink__http_is(head->method, "CONNECT"))
		return refuse(status, 501);
	find_fields(head, &fields);
	if (read_host(head, &fields.host) < 0 || read_target(head) < 0)
		return refuse(status, 400);
	rc = read_framing(head, &fields);
	if (rc < 0)
		return refuse(status, rc == -ENOTSUP ? 501 : 400);
	head->keep_alive = keeps_alive(head, &fields);
	if (fields.expects_more && head->minor == 1)
		return refuse(status, 417);
	head->expects = fields.expects && head->minor == 1;
	return 0;
}

int brink__http_framing_of_response(struct brink__http_head *head)
{
	struct fields fields = {0};
	int rc;

	find_fields(head, &fields);
	rc = read_framing(head, &fields);
	if (rc < 0)
		return -EPROTO;
	head->until_end = rc == 0 && !head->chunked;
	head->keep_alive = keeps_alive(head, &fields);
	return 0;
}
