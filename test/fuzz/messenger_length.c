/* The length-prefixed protocol. */
#include "messenger_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct brink_protocol protocol = {
		.name = "length", .parse = brink_parse_length, .max_message = LIMIT};

	return play_both(&protocol, 1, data, size);
}
