/* The bytes of an input come in portions, as from a connection, and are read as HTTP. Whatever
 * the portions: what is made of the bytes is what is made of them at once. The first byte of the
 * input says how long the portions are; the second, of what kind they are. */
#include "config.h"

#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition) ((condition) ? (void)0 : not_so(__LINE__, #condition))

static _Noreturn void not_so(int number, const char *what)
{
	fprintf(stderr, "line %d: not so: %s\n", number, what);
	abort();
}

/* What came out, in one number; and how it ended. */
struct outcome {
	uint64_t sum;
	size_t heads, bodies;
	uint64_t body_bytes;
	int result;
	unsigned status;
};

static void mix(struct outcome *outcome, const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		outcome->sum = (outcome->sum ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
}

static void mix_text(struct outcome *outcome, const char *text)
{
	CHECK(text != NULL && strpbrk(text, "\r\n") == NULL);
	mix(outcome, text, strlen(text) + 1);
}

static void take_head(struct outcome *outcome, const struct brink__http_head *head)
{
	outcome->heads++;
	CHECK(head->minor <= 1 && !(head->chunked && head->length > 0));
	for (size_t i = 0; i < head->count; i++) {
		CHECK(brink__http_is_token(head->headers[i].name));
		mix_text(outcome, head->headers[i].name);
		mix_text(outcome, head->headers[i].value);
	}
	if (head->response) {
		CHECK(head->status >= 100 && head->status <= 999);
		mix(outcome, &head->status, sizeof head->status);
		mix_text(outcome, head->reason);
		return;
	}
	CHECK(brink__http_is_token(head->method));
	CHECK(*head->path == '/' || *head->path == '?' || strcmp(head->path, "*") == 0);
	mix_text(outcome, head->method);
	mix_text(outcome, head->target);
	mix_text(outcome, head->host);
}

static void take_body(struct outcome *outcome, brink_buffer *body)
{
	unsigned char bytes[512];
	size_t size;

	while ((size = brink_buffer_copy(body, 0, bytes, sizeof bytes)) > 0) {
		mix(outcome, bytes, size);
		outcome->body_bytes += size;
		brink_buffer_pop(body, size);
	}
}

/* 0: more is needed. */
static int read_one(struct brink__http_reader *reader, brink_buffer *in, bool at_end, struct outcome *outcome)
{
	struct brink__http_head *head = NULL;
	brink_buffer body = {0};
	int rc;

	if (!brink__http_reader_has_body(reader)) {
		rc = brink__http_read_head(reader, in, &head);
		if (rc == 1)
			take_head(outcome, head);
		brink__http_head_destroy(head);
		return rc;
	}
	rc = brink__http_read_body(reader, in, at_end, &body);
	/* Of a chunk that is not well formed it is chance how much was seen before. */
	if (rc >= 0)
		take_body(outcome, &body);
	brink_buffer_clear(&body);
	outcome->bodies += rc == 1;
	return rc;
}

static void read_all(struct brink__http_reader *reader, brink_buffer *in, bool at_end, struct outcome *outcome)
{
	do
		outcome->result = read_one(reader, in, at_end, outcome);
	while (outcome->result == 1 && (brink_buffer_length(in) > 0 || brink__http_reader_has_body(reader)));
	if (outcome->result < 0) {
		outcome->status = reader->status;
		CHECK(reader->response || (outcome->status >= 400 && outcome->status <= 505));
	}
}

static struct outcome play(bool response, bool bodyless, const uint8_t *data, size_t size, size_t portion)
{
	struct brink_http_limits limits = {.max_line = 200, .max_head = 1000, .max_headers = 20};
	struct outcome outcome = {.sum = 0xcbf29ce484222325u};
	struct brink__http_reader reader;
	brink_buffer in = {0};

	CHECK(brink__http_limits_fill(&limits) == 0);
	CHECK(brink__http_reader_init(&reader, response, &limits, 0) == 0);
	reader.bodyless = bodyless;
	for (size_t at = 0; at < size && outcome.result >= 0; at += portion) {
		CHECK(brink_buffer_append(&in, data + at, size - at < portion ? size - at : portion) == 0);
		read_all(&reader, &in, false, &outcome);
	}
	if (outcome.result >= 0 && brink__http_reader_has_body(&reader))
		read_all(&reader, &in, true, &outcome);
	CHECK(outcome.body_bytes <= size);
	brink_buffer_clear(&in);
	brink__http_reader_destroy(&reader);
	return outcome;
}

static int play_both(bool response, const uint8_t *data, size_t size)
{
	struct outcome at_once, in_portions;
	bool bodyless;

	if (size < 2)
		return 0;
	bodyless = response && (data[1] & 1) != 0;
	at_once = play(response, bodyless, data + 2, size - 2, size);
	in_portions = play(response, bodyless, data + 2, size - 2, (size_t)data[0] + 1);
	CHECK((at_once.result < 0) == (in_portions.result < 0));
	CHECK(at_once.heads == in_portions.heads && at_once.bodies == in_portions.bodies);
	CHECK(at_once.status == in_portions.status);
	CHECK(at_once.result < 0 || at_once.sum == in_portions.sum);
	return 0;
}
