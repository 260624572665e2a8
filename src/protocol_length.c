/* The length-prefixed protocol: a header of 20 bytes, then the body. See doc/protocol-length.md.
 *
 *    0  4  magic EB 42 52 4B
 *    4  1  version, 1
 *    5  1  flags
 *    6  2  kind
 *    8  4  length of the body
 *   12  8  id                       numbers with their highest byte first */
#include "config.h"

#include <brink/messenger.h>

#include <errno.h>
#include <string.h>

#define WIRE_VERSION 1
#define FLAGS (BRINK_LENGTH_REPLY | BRINK_LENGTH_ERROR)

/* Its first byte begins no text: no other protocol's greeting is taken for it. */
static const unsigned char magic[4] = {0xeb, 'B', 'R', 'K'};

static void put(unsigned char *to, uint64_t value, int size)
{
	for (int i = size; i-- > 0; value >>= 8)
		to[i] = (unsigned char)value;
}

static uint64_t get(const unsigned char *from, int size)
{
	uint64_t value = 0;

	for (int i = 0; i < size; i++)
		value = value << 8 | from[i];
	return value;
}

/* What can be said of the first bytes of a header: 0, or why it is none. */
static int examine(const unsigned char *header, size_t size)
{
	if (memcmp(header, magic, size < sizeof magic ? size : sizeof magic) != 0)
		return BRINK_PARSE_NOT_MINE;
	if ((size > 4 && header[4] != WIRE_VERSION) || (size > 5 && (header[5] & ~FLAGS) != 0))
		return -EPROTO;
	return 0;
}

int brink_parse_length(brink_socket *socket, brink_buffer *in, int at_end, brink_message *message, void *arg)
{
	unsigned char scratch[BRINK_LENGTH_HEADER] = {0};
	const unsigned char *header = scratch;
	size_t length = brink_buffer_length(in), size = length < sizeof scratch ? length : sizeof scratch;
	ssize_t rc;

	(void)socket, (void)arg;
	header = brink_buffer_peek(in, size, scratch);
	rc = examine(header, size);
	if (rc != 0)
		return (int)rc;
	/* Until the magic is there it may be another protocol's, and after the end it is none of ours. */
	if (at_end && size > 0 && size < sizeof magic)
		return BRINK_PARSE_NOT_MINE;
	message->needed = size < sizeof magic ? sizeof magic : sizeof scratch;
	if (size == sizeof scratch)
		message->needed += get(header + 8, 4);
	if (length < message->needed)
		return at_end && length > 0 ? -EPROTO : BRINK_PARSE_MORE;
	message->flags = header[5];
	message->kind = (uint32_t)get(header + 6, 2);
	message->id = get(header + 12, 8);
	brink_buffer_pop(in, sizeof scratch);
	rc = brink_buffer_cut(in, &message->body, (size_t)(message->needed - sizeof scratch));
	return rc < 0 ? (int)rc : BRINK_PARSE_MESSAGE;
}

int brink_length_pack(brink_buffer *out, const struct brink_length *header, brink_buffer *body)
{
	size_t length = body == NULL ? 0 : brink_buffer_length(body);
	unsigned char bytes[BRINK_LENGTH_HEADER];
	int rc;

	if (header->kind > UINT16_MAX || (header->flags & ~FLAGS) != 0)
		return -EINVAL;
	if (length > UINT32_MAX)
		return -EMSGSIZE;
	memcpy(bytes, magic, sizeof magic);
	bytes[4] = WIRE_VERSION;
	bytes[5] = (unsigned char)header->flags;
	put(bytes + 6, header->kind, 2);
	put(bytes + 8, length, 4);
	put(bytes + 12, header->id, 8);
	rc = brink_buffer_append(out, bytes, sizeof bytes);
	if (rc == 0 && body != NULL)
		brink_buffer_move(out, body);
	return rc;
}

int brink_length_write(brink_socket *socket, const struct brink_length *header, brink_buffer *body)
{
	brink_buffer packed = {0};
	int rc = brink_length_pack(&packed, header, body);

	if (rc < 0)
		return rc;
	rc = brink_socket_write(socket, &packed);
	if (rc < 0) {
		/* As it was. */
		brink_buffer_pop(&packed, BRINK_LENGTH_HEADER);
		if (body != NULL)
			brink_buffer_move(body, &packed);
	}
	brink_buffer_clear(&packed);
	return rc;
}

int brink_length_reply(const brink_message *message, uint32_t flags, brink_buffer *body)
{
	const struct brink_length header = {message->id, message->kind, BRINK_LENGTH_REPLY | flags};

	return brink_length_write(message->socket, &header, body);
}
