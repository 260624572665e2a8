/* The line protocol, behind the length-prefixed one, which has to let it have its bytes. */
#include "messenger_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct brink_protocol protocols[] = {
		{.name = "length", .parse = brink_parse_length, .max_message = LIMIT},
		{.name = "line", .parse = brink_parse_line, .max_message = LIMIT},
	};

	return play_both(protocols, 2, data, size);
}
