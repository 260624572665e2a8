/* The bytes of an input come in portions, as from a connection, and are cut into messages.
 * Whatever the portions: the messages are those of the bytes at once, and none is above the
 * limit. The first byte of the input says how long the portions are. */
#include "config.h"

#include "messenger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition) ((condition) ? (void)0 : not_so(__LINE__, #condition))
#define LIMIT 4096u

static _Noreturn void not_so(int number, const char *what)
{
	fprintf(stderr, "line %d: not so: %s\n", number, what);
	abort();
}

static void unused(brink_message *message, void *arg)
{
	(void)arg;
	brink_message_free(message);
}

/* What came out, in one number; and how it ended. */
struct outcome {
	uint64_t sum;
	size_t messages;
	int result;
};

static void mix(struct outcome *outcome, const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		outcome->sum = (outcome->sum ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
}

static void take(struct outcome *outcome, brink_message *message)
{
	char bytes[LIMIT];
	size_t size = brink_buffer_copy(&message->body, 0, bytes, sizeof bytes);

	CHECK(size == brink_buffer_length(&message->body) && size <= LIMIT);
	mix(outcome, &size, sizeof size);
	mix(outcome, &message->id, sizeof message->id);
	mix(outcome, &message->kind, sizeof message->kind);
	mix(outcome, &message->flags, sizeof message->flags);
	mix(outcome, bytes, size);
	outcome->messages++;
	brink_message_free(message);
}

static void cut_all(struct brink__cutter *cutter, brink_buffer *in, bool at_end, struct outcome *outcome)
{
	brink_message *message;

	while ((outcome->result = brink__cut(cutter, NULL, in, at_end, &message)) > 0)
		take(outcome, message);
}

static struct outcome play(brink_messenger *messenger, const uint8_t *data, size_t size, size_t portion)
{
	struct brink__cutter cutter = {.messenger = messenger};
	struct outcome outcome = {.sum = 0xcbf29ce484222325u};
	brink_buffer in = {0};

	for (size_t at = 0; at < size && outcome.result == 0; at += portion) {
		CHECK(brink_buffer_append(&in, data + at, size - at < portion ? size - at : portion) == 0);
		cut_all(&cutter, &in, false, &outcome);
	}
	if (outcome.result == 0)
		cut_all(&cutter, &in, true, &outcome);
	brink_buffer_clear(&in);
	brink__cutter_reset(&cutter);
	return outcome;
}

static int play_both(const struct brink_protocol *protocols, unsigned count, const uint8_t *data, size_t size)
{
	struct brink_messenger_options options = {
		.protocols = protocols, .protocol_count = count, .on_message = unused};
	brink_messenger *messenger;
	struct outcome at_once, in_portions;

	if (size == 0)
		return 0;
	CHECK(brink_messenger_create(&messenger, &options) == 0);
	at_once = play(messenger, data + 1, size - 1, size);
	in_portions = play(messenger, data + 1, size - 1, (size_t)data[0] + 1);
	CHECK(at_once.sum == in_portions.sum && at_once.messages == in_portions.messages);
	CHECK(at_once.result == in_portions.result);
	CHECK(at_once.result == 0 || at_once.result == -EPROTO || at_once.result == -EMSGSIZE);
	brink_messenger_destroy(messenger);
	return 0;
}
