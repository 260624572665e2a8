/* Operations on a few buffers, and the same on plain arrays: what the buffers hold must be
 * what the arrays hold, after each step. Where the choices come from is the includer's, who
 * also says what becomes of a CHECK that fails: chance (test/unit), a fuzzer (test/fuzz). */
#ifndef BUFFER_PLAY_H
#define BUFFER_PLAY_H

#include "buffer.h"
#include "cache.h"
#include "os.h"

#include <brink/memory.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A number below `end`, which is at least 1. */
static unsigned choose(unsigned end);

#define PLAY_BUFFERS 4
#define PLAY_LONGEST 60000u
#define PLAY_PARTS ((int)PLAY_LONGEST)

struct played {
	brink_buffer buffer;
	unsigned char bytes[PLAY_LONGEST]; /* what it must hold */
	size_t length;
	struct iovec room[8]; /* what is reserved */
	int room_parts;
};

static struct played played[PLAY_BUFFERS];
static unsigned char in_pipe[PLAY_LONGEST];
static size_t in_pipe_length;
static int pipe_ends[2];

/* ---- memory that is counted, and fails at will ---- */

static atomic_long play_live;    /* allocations that were not freed */
static atomic_uint play_fail;    /* every so-many-th allocation fails; 0: none */
static atomic_uint play_attempts;

static void *play_allocator(void *memory, size_t size, void *context)
{
	void *result;

	(void)context;
	if (size == 0) {
		free(memory);
		atomic_fetch_sub(&play_live, 1);
		return NULL;
	}
	if (play_fail != 0 && atomic_fetch_add(&play_attempts, 1) % play_fail == play_fail - 1)
		return NULL;
	result = realloc(memory, size);
	if (result != NULL && memory == NULL)
		atomic_fetch_add(&play_live, 1);
	return result;
}

/* ---- bytes ---- */

static size_t choose_size(void)
{
	static const unsigned ends[] = {2, 20, 300, 9000, 30000};

	return choose(ends[choose(5)]);
}

/* Few different ones, so that there is something to find. */
static void make_bytes(unsigned char *bytes, size_t size)
{
	unsigned char value = (unsigned char)('a' + choose(3));
	unsigned step = choose(60);

	for (size_t i = 0; i < size; i++)
		bytes[i] = step != 0 && i % step == 0 ? 'x' : value;
}

static void model_append(struct played *to, const unsigned char *bytes, size_t size)
{
	CHECK(size <= PLAY_LONGEST - to->length);
	memmove(to->bytes + to->length, bytes, size);
	to->length += size;
}

static void model_pop(struct played *from, size_t size)
{
	from->length -= size;
	memmove(from->bytes, from->bytes + size, from->length);
}

/* ---- where bytes lie ---- */

/* The places of `size` bytes from `offset` on; parts that touch are one. */
static int places(const brink_buffer *buffer, size_t offset, size_t size, struct iovec *parts)
{
	int count = brink_buffer_iovecs(buffer, offset, parts, PLAY_PARTS), used = 0;

	for (int i = 0; i < count && size != 0; i++) {
		struct iovec part = parts[i];

		CHECK(part.iov_len != 0);
		part.iov_len = part.iov_len < size ? part.iov_len : size;
		size -= part.iov_len;
		if (used != 0 && (char *)parts[used - 1].iov_base + parts[used - 1].iov_len == part.iov_base)
			parts[used - 1].iov_len += part.iov_len;
		else
			parts[used++] = part;
	}
	CHECK(size == 0 || count == PLAY_PARTS);
	return used;
}

static struct iovec places_before[PLAY_PARTS], places_after[PLAY_PARTS];
static int places_before_count;

static void note_places(const struct played *from, size_t size)
{
	places_before_count = places(&from->buffer, 0, size, places_before);
}

/* That the `size` bytes at the end of `to` were not copied: they lie where they lay. */
static void check_places(const struct played *to, size_t size)
{
	int count = places(&to->buffer, to->buffer.length - size, size, places_after);

	CHECK(count == places_before_count);
	for (int i = 0; i < count; i++) {
		CHECK(places_after[i].iov_base == places_before[i].iov_base);
		CHECK(places_after[i].iov_len == places_before[i].iov_len);
	}
}

/* ---- that all is well ---- */

static void check_played(const struct played *which)
{
	const brink_buffer *buffer = &which->buffer;
	size_t offset = 0;

	CHECK(brink_buffer_length(buffer) == which->length);
	CHECK((buffer->length == 0) == (buffer->last == NULL));
	for (struct brink__piece *piece = buffer->first; offset < buffer->length; piece = piece->next) {
		const struct brink__block *block = piece->block;

		CHECK(piece->length != 0 && offset + piece->length <= which->length);
		CHECK(memcmp(piece->bytes, which->bytes + offset, piece->length) == 0);
		if (block->room != 0)
			CHECK(piece->bytes + piece->length <= brink__block_bytes(block) + block->filled);
		offset += piece->length;
		CHECK((offset == buffer->length) == (piece == buffer->last));
	}
}

/* Nobody but us may write to what is reserved, and nobody sees it. */
static void scribble(const struct played *which)
{
	for (int i = 0; i < which->room_parts; i++)
		memset(which->room[i].iov_base, 'z', which->room[i].iov_len);
}

static struct played *any_buffer(void)
{
	return &played[choose(PLAY_BUFFERS)];
}

/* One that holds at most so much that `size` more go in. It is about to be changed. */
static struct played *any_with_room(size_t size)
{
	struct played *which = any_buffer();

	which->room_parts = 0;
	if (which->length + size > PLAY_LONGEST) {
		CHECK(brink_buffer_pop(&which->buffer, SIZE_MAX) == which->length);
		which->length = 0;
	}
	return which;
}

/* 0, or true with -ENOMEM, which only the allocator can be the reason of. */
static bool out_of_memory(long result)
{
	CHECK(result >= 0 || (result == -ENOMEM && play_fail != 0));
	return result < 0;
}

/* ---- the operations ---- */

static void play_append(void)
{
	static unsigned char bytes[30000];
	size_t size = choose_size();
	struct played *to = any_with_room(size);

	make_bytes(bytes, size);
	if (!out_of_memory(brink_buffer_append(&to->buffer, bytes, size)))
		model_append(to, bytes, size);
}

/* What is appended may lie in the buffer itself. */
static void play_append_own(void)
{
	struct played *to = any_with_room(9000);
	struct iovec part;
	size_t size, offset = to->length == 0 ? 0 : choose((unsigned)to->length);

	if (brink_buffer_iovecs(&to->buffer, offset, &part, 1) == 0)
		return;
	size = part.iov_len < 9000 ? part.iov_len : 9000;
	if (!out_of_memory(brink_buffer_append(&to->buffer, part.iov_base, size)))
		model_append(to, to->bytes + offset, size);
}

static atomic_long play_wrapped; /* memory that is wrapped and was not released */

static void released(void *bytes, size_t size, void *arg)
{
	CHECK(arg == &play_wrapped);
	CHECK(size == 0 || ((unsigned char *)bytes)[size - 1] != 0);
	memset(bytes, 0, size); /* a second release would notice */
	free(bytes);
	atomic_fetch_sub(&play_wrapped, 1);
}

static void play_wrap(void)
{
	size_t size = choose_size();
	struct played *to = any_with_room(size);
	unsigned char *bytes = malloc(size + 1);

	CHECK(bytes != NULL);
	make_bytes(bytes, size);
	atomic_fetch_add(&play_wrapped, 1);
	if (out_of_memory(brink_buffer_wrap(&to->buffer, bytes, size, released, &play_wrapped)))
		released(bytes, size, &play_wrapped);
	else if (size != 0)
		model_append(to, bytes, size);
}

static void play_move(void)
{
	struct played *from = any_buffer(), *to;
	size_t size = from->length;

	to = any_with_room(size);
	from->room_parts = 0;
	if (to == from) {
		brink_buffer_move(&to->buffer, &from->buffer);
		return;
	}
	note_places(from, size);
	brink_buffer_move(&to->buffer, &from->buffer);
	check_places(to, size);
	model_append(to, from->bytes, size);
	from->length = 0;
}

static void play_share(void)
{
	struct played *from = any_buffer(), *to;
	size_t size;

	if (from->length > PLAY_LONGEST / 2)
		return;
	to = any_with_room(from->length);
	size = from->length;
	note_places(from, size);
	if (out_of_memory(brink_buffer_share(&to->buffer, &from->buffer)))
		return;
	check_places(to, size);
	model_append(to, from->bytes, size);
}

static void play_cut(void)
{
	static unsigned char copy[PLAY_LONGEST];
	struct played *from = any_buffer(), *to;
	size_t size = choose_size(), all;

	to = any_with_room(from->length);
	from->room_parts = 0;
	all = from->length;
	if (choose(8) == 0)
		size = all;
	note_places(from, size < all ? size : all);
	if (out_of_memory(brink_buffer_cut(&from->buffer, &to->buffer, size))) {
		CHECK(size < all);
		return;
	}
	size = size < all ? size : all;
	check_places(to, size);
	memcpy(copy, from->bytes, size);
	model_pop(from, size);
	model_append(to, copy, size);
}

static void play_pop(void)
{
	struct played *from = any_with_room(0);
	size_t size = choose_size(), all = from->length;

	CHECK(brink_buffer_pop(&from->buffer, size) == (size < all ? size : all));
	model_pop(from, size < all ? size : all);
}

static void play_pop_back(void)
{
	struct played *from = any_with_room(0);
	size_t size = choose_size(), all = from->length;

	CHECK(brink_buffer_pop_back(&from->buffer, size) == (size < all ? size : all));
	from->length -= size < all ? size : all;
}

static void play_clear(void)
{
	struct played *which = any_with_room(0);

	if (choose(4) != 0)
		return;
	brink_buffer_clear(&which->buffer);
	which->length = 0;
	CHECK(which->buffer.first == NULL);
}

static void play_reserve(void)
{
	struct played *to = any_with_room(0);
	size_t size = choose_size(), room = 0, total = 0;
	int count;

	if (choose(2) == 0) {
		void *bytes = brink_buffer_reserve(&to->buffer, size, &room);

		if (out_of_memory(bytes == NULL ? -ENOMEM : 0))
			return;
		CHECK(room >= size && room != 0);
		to->room[0] = (struct iovec){bytes, room};
		to->room_parts = 1;
	} else {
		count = 1 + (int)choose(8);
		count = brink_buffer_reserve_iovecs(&to->buffer, size, to->room, count);
		if (size == 0)
			CHECK(count == -EINVAL);
		if (size == 0 || out_of_memory(count))
			return;
		CHECK(count >= 1);
		to->room_parts = count;
		for (int i = 0; i < count; i++)
			total += to->room[i].iov_len;
		CHECK(total != 0 && total <= size);
	}
	scribble(to);
}

/* Of a reservation that an earlier step made, if nothing has given it up. */
static void play_commit(void)
{
	struct played *to = any_buffer();
	size_t size = choose_size(), total = 0, before = to->length;

	for (int i = 0; i < to->room_parts; i++)
		total += to->room[i].iov_len;
	size = size < total ? size : total;
	size = size < PLAY_LONGEST - before ? size : PLAY_LONGEST - before;
	for (int i = 0; i < to->room_parts && to->length < before + size; i++) {
		size_t here = before + size - to->length;

		here = here < to->room[i].iov_len ? here : to->room[i].iov_len;
		make_bytes(to->room[i].iov_base, here);
		model_append(to, to->room[i].iov_base, here);
	}
	brink_buffer_commit(&to->buffer, size);
	to->room_parts = 0;
}

static void play_copy(void)
{
	static unsigned char bytes[30000], scratch[30000];
	struct played *from = any_buffer();
	size_t offset = choose_size(), size = choose_size();
	size_t there = offset < from->length ? from->length - offset : 0;
	const unsigned char *seen;

	there = there < size ? there : size;
	CHECK(brink_buffer_copy(&from->buffer, offset, bytes, size) == there);
	CHECK(memcmp(bytes, from->bytes + offset, there) == 0);
	seen = brink_buffer_peek(&from->buffer, size, scratch);
	CHECK((seen == NULL) == (size > from->length));
	CHECK(seen == NULL || memcmp(seen, from->bytes, size) == 0);
}

static void play_iovecs(void)
{
	struct iovec parts[5];
	struct played *from = any_buffer();
	size_t offset = choose_size();
	int most = (int)choose(6), count = brink_buffer_iovecs(&from->buffer, offset, parts, most);

	CHECK(count >= 0 && count <= most);
	CHECK((count == 0) == (most == 0 || offset >= from->length));
	for (int i = 0; i < count; i++) {
		CHECK(memcmp(parts[i].iov_base, from->bytes + offset, parts[i].iov_len) == 0);
		offset += parts[i].iov_len;
	}
	CHECK(count == most || count == 0 || offset == from->length);
}

static ssize_t find_slowly(const struct played *in, size_t offset, const unsigned char *pattern, size_t size)
{
	for (; offset + size <= in->length; offset++)
		if (memcmp(in->bytes + offset, pattern, size) == 0)
			return (ssize_t)offset;
	return -ENOENT;
}

/* What is looked for is often there, or nearly. */
static void play_find(void)
{
	unsigned char pattern[BRINK_BUFFER_PATTERN + 1] = {0};
	struct played *in = any_buffer();
	size_t offset = choose_size(), size = choose(choose(2) == 0 ? 4 : sizeof pattern);

	if (in->length > size && choose(3) != 0)
		memcpy(pattern, in->bytes + choose((unsigned)(in->length - size)), size);
	else
		make_bytes(pattern, size);
	if (size != 0 && choose(4) == 0)
		pattern[choose((unsigned)size)] ^= 1;
	CHECK(brink_buffer_find(&in->buffer, offset, pattern, size) ==
	      (size > BRINK_BUFFER_PATTERN ? -EINVAL : find_slowly(in, offset, pattern, size)));
}

static void play_write(void)
{
	struct played *from = any_with_room(0);
	ssize_t moved;

	if (from->length > PLAY_LONGEST - in_pipe_length)
		return;
	moved = brink_buffer_write_to(&from->buffer, pipe_ends[1]);
	if (moved == -EAGAIN) {
		CHECK(in_pipe_length != 0);
		return;
	}
	CHECK(moved >= 0 && (size_t)moved <= from->length && (moved != 0 || from->length == 0));
	memcpy(in_pipe + in_pipe_length, from->bytes, (size_t)moved);
	in_pipe_length += (size_t)moved;
	model_pop(from, (size_t)moved);
}

static void play_read(void)
{
	size_t most = choose_size();
	struct played *to = any_with_room(most);
	ssize_t moved = brink_buffer_read_from(&to->buffer, pipe_ends[0], most);

	if (most == 0)
		CHECK(moved == -EINVAL);
	if (most == 0 || moved == -ENOMEM)
		return;
	if (in_pipe_length == 0) {
		CHECK(moved == -EAGAIN);
		return;
	}
	CHECK(moved > 0 && (size_t)moved <= most && (size_t)moved <= in_pipe_length);
	model_append(to, in_pipe, (size_t)moved);
	in_pipe_length -= (size_t)moved;
	memmove(in_pipe, in_pipe + moved, in_pipe_length);
}

/* ---- a game ---- */

static void play_begin(void)
{
	for (size_t i = 0; i < PLAY_BUFFERS; i++) {
		brink_buffer_init(&played[i].buffer);
		played[i].length = 0;
		played[i].room_parts = 0;
	}
	in_pipe_length = 0;
	CHECK(brink__os_pipe(pipe_ends) == 0);
}

static void play_step(void)
{
	static void (*const operations[])(void) = {
		play_append, play_append, play_append, play_append_own, play_wrap,    play_move,
		play_share,  play_cut,    play_cut,    play_cut,        play_pop,     play_pop_back,
		play_clear,  play_copy,   play_iovecs, play_reserve,    play_reserve, play_commit,
		play_commit, play_find,   play_write,  play_read,
	};

	operations[choose(sizeof operations / sizeof *operations)]();
	for (size_t i = 0; i < PLAY_BUFFERS; i++) {
		scribble(&played[i]);
		check_played(&played[i]);
	}
}

static void play_end(void)
{
	for (size_t i = 0; i < PLAY_BUFFERS; i++)
		brink_buffer_clear(&played[i].buffer);
	for (size_t i = 0; i < PLAY_BUFFERS; i++)
		CHECK(played[i].buffer.first == NULL && played[i].buffer.length == 0);
	CHECK(play_wrapped == 0);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

#endif
