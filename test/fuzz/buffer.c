/* The operations of test/unit/buffer_play.h on four buffers, as the input says. */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition) ((condition) ? (void)0 : not_so(__LINE__, #condition))

static _Noreturn void not_so(int number, const char *what)
{
	fprintf(stderr, "line %d: not so: %s\n", number, what);
	abort();
}

static const uint8_t *input;
static size_t left;

/* As many bytes of the input as it takes; 0 when it has ended. */
static unsigned choose(unsigned end)
{
	unsigned value = 0;

	for (unsigned rest = end - 1; rest != 0; rest >>= 8) {
		value = value << 8 | (left != 0 ? *input : 0);
		input += left != 0;
		left -= left != 0;
	}
	return value % end;
}

#include "buffer_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input = data;
	left = size;
	brink_set_allocator(play_allocator, NULL);
	brink__cache_keep(choose(2) != 0);
	play_begin();
	play_fail = choose(16);
	play_attempts = 0;
	for (unsigned steps = 0; left != 0 && steps < 500; steps++)
		play_step();
	play_fail = 0;
	play_end();
	brink__cache_empty();
	CHECK(play_live == 0);
	return 0;
}
