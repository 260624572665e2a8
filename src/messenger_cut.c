/* Bytes to messages: which protocol it is, how many bytes it needs, and how many it may take. */
#include "config.h"

#include "memory.h"
#include "messenger.h"

#include <errno.h>

/* A message that has only just been begun, for another protocol's parse. */
static void begin_again(brink_message *message)
{
	brink_buffer_clear(&message->body);
	message->id = message->state = message->needed = 0;
	message->kind = message->flags = 0;
	message->data = NULL;
	message->drop = NULL;
}

/* Cut off: within the limit, and something was taken, or else it is the last. */
static int take(struct brink__cutter *cutter, size_t taken, size_t limit, bool at_end, brink_message **message)
{
	if (taken > limit)
		return -EMSGSIZE;
	if (taken == 0 && !at_end)
		return -EPROTO; /* it would go on for ever */
	cutter->finished = taken == 0;
	cutter->chosen = true;
	*message = cutter->next;
	(*message)->protocol = &cutter->messenger->protocols[cutter->candidate];
	cutter->next = NULL;
	return 1;
}

/* What the protocol that has its turn says. */
static int ask(struct brink__cutter *cutter, brink_socket *socket, brink_buffer *in, bool at_end,
               brink_message **message)
{
	const struct brink_protocol *protocol = &cutter->messenger->protocols[cutter->candidate];
	size_t before = in->length;
	int rc;

	if (cutter->next == NULL && (cutter->next = brink__message_create()) == NULL)
		return -ENOMEM;
	cutter->next->needed = 0;
	rc = protocol->parse(socket, in, at_end, cutter->next, protocol->arg);
	if (rc == BRINK_PARSE_MESSAGE)
		return take(cutter, before - in->length, protocol->max_message, at_end, message);
	if (rc == BRINK_PARSE_MORE) {
		/* All of `in` belongs to this one message. */
		if (cutter->next->needed > protocol->max_message || in->length >= protocol->max_message)
			return -EMSGSIZE;
		cutter->needed = cutter->next->needed;
		cutter->finished = at_end;
	}
	return rc <= BRINK_PARSE_NOT_MINE ? rc : -EPROTO;
}

static __attribute__((noinline)) int cut(struct brink__cutter *cutter, brink_socket *socket, brink_buffer *in,
                                         bool at_end, brink_message **message)
{
	cutter->needed = 0;
	for (;;) {
		int rc = ask(cutter, socket, in, at_end, message);

		if (rc != BRINK_PARSE_NOT_MINE)
			return rc;
		/* One that has said so once is not asked again: more bytes do not change it. */
		if (cutter->chosen || cutter->candidate + 1 == cutter->messenger->protocol_count)
			return -EPROTO;
		cutter->candidate++;
		begin_again(cutter->next);
	}
}

/* The looks apart: mostly what came is one message, and the second call has nothing to do. */
int brink__cut(struct brink__cutter *cutter, brink_socket *socket, brink_buffer *in, bool at_end,
               brink_message **message)
{
	if (cutter->finished || (in->length == 0 && !(at_end && cutter->chosen)))
		return 0;
	if (in->length < cutter->needed && !at_end)
		return 0;
	return cut(cutter, socket, in, at_end, message);
}

void brink__cutter_reset(struct brink__cutter *cutter)
{
	brink_message_free(cutter->next);
	cutter->next = NULL;
	/* But not the messenger, which those that process messages look at meanwhile. */
	cutter->candidate = 0;
	cutter->chosen = cutter->finished = false;
	cutter->needed = 0;
}
