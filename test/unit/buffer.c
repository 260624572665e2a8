/* The buffer against plain arrays, and what is about its blocks: allocations that fail,
 * threads that share them, drop what others filled, end, and fork. */
#include "config.h"

#include "check.h"

static unsigned choose(unsigned end)
{
	return random_below(end);
}

#include "buffer_play.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define HANGS 120 /* seconds after which something is taken to hang */

static void play(unsigned steps)
{
	play_begin();
	for (unsigned i = 0; i < steps; i++)
		play_step();
	play_end();
	brink__cache_empty();
	CHECK(play_live == 0);
}

static void against_the_model(bool keep, unsigned steps)
{
	brink__cache_keep(keep);
	play(steps);
	for (unsigned each = 1; each <= 24; each++) {
		play_fail = each;
		play(steps / 40);
	}
	play_fail = 0;
}

/* ---- single properties ---- */

static void what_is_allocated(void)
{
	brink_buffer buffer = {0}, other = {0};
	char bytes[100] = "";
	long one;

	brink__cache_keep(false);
	for (int i = 0; i < 80; i++)
		CHECK(brink_buffer_append(&buffer, bytes, sizeof bytes) == 0);
	CHECK(play_live == 1 && buffer.first == buffer.last); /* 8000 bytes, one allocation */
	/* What was cut in pieces and put together is one piece again. */
	one = play_live;
	for (int i = 0; i < 60; i++)
		CHECK(brink_buffer_cut(&buffer, &other, 100) == 100);
	CHECK(other.first == other.last && play_live == one + 1);
	brink_buffer_move(&other, &buffer);
	CHECK(other.length == 8000 && other.first == other.last && buffer.first == NULL);
	/* Taken away at the end and appended again, the same room is used. */
	for (int i = 0; i < 1000; i++) {
		CHECK(brink_buffer_pop_back(&other, 100) == 100);
		CHECK(brink_buffer_append(&other, bytes, sizeof bytes) == 0);
	}
	CHECK(other.first == other.last);
	brink_buffer_clear(&other);
	CHECK(play_live == 0);
	brink__cache_keep(true);
}

/* A reader that has begun to receive the next message goes on to fill the same block, although
 * the messages that were cut from it are still held. */
static void filled_while_shared(void)
{
	brink_buffer reader = {0}, messages[40] = {{0}};
	unsigned char *first = NULL, *bytes;
	size_t room;

	for (unsigned i = 0; i < 40; i++) {
		bytes = brink_buffer_reserve(&reader, 200, &room);
		CHECK(bytes != NULL);
		if (first == NULL)
			first = bytes;
		CHECK(bytes == first + i * (size_t)200);
		memset(bytes, (int)i, room);
		brink_buffer_commit(&reader, 200);
		CHECK(brink_buffer_cut(&reader, &messages[i], reader.length - 1) == (i == 0 ? 199 : 200));
	}
	for (unsigned i = 0; i < 40; i++) {
		unsigned char seen[200] = {0};

		CHECK(brink_buffer_length(&messages[i]) == (i == 0 ? 199 : 200));
		CHECK(brink_buffer_copy(&messages[i], 0, seen, 199) == 199);
		CHECK(seen[0] == (i == 0 ? 0 : i - 1) && seen[1] == i && seen[198] == i);
		CHECK(messages[i].first == messages[i].last && messages[i].first->block == reader.first->block);
		brink_buffer_clear(&messages[i]);
	}
	CHECK(reader.length == 1 && reader.first->block->references == 1);
	brink_buffer_clear(&reader);
}

/* An append that finds no memory leaves the room as free as it was, for others too. */
static void room_given_back(void)
{
	static const char bytes[20000];
	brink_buffer buffer = {0}, other = {0};

	brink__cache_empty();
	CHECK(brink_buffer_append(&buffer, "room", 4) == 0);
	CHECK(brink_buffer_share(&other, &buffer) == 0);
	for (unsigned i = 0; i < 3; i++) {
		play_fail = 1;
		CHECK(brink_buffer_append(&buffer, bytes, sizeof bytes) == -ENOMEM);
		CHECK(brink_buffer_append(&other, bytes, sizeof bytes) == -ENOMEM);
		play_fail = 0;
	}
	CHECK(buffer.length == 4 && other.length == 4);
	CHECK(brink_buffer_append(&other, "er", 2) == 0 && other.first == other.last);
	CHECK(memcmp(other.first->bytes, "roomer", 6) == 0);
	brink_buffer_clear(&buffer);
	brink_buffer_clear(&other);
}

static void wrapped_once(void)
{
	brink_buffer buffer = {0}, other = {0};
	unsigned char *bytes = calloc(1000, 1);

	CHECK(bytes != NULL);
	memset(bytes, 'w', 1000);
	play_wrapped = 1;
	CHECK(brink_buffer_wrap(&buffer, bytes, 1000, released, &play_wrapped) == 0);
	CHECK(brink_buffer_cut(&buffer, &other, 500) == 500);
	CHECK(brink_buffer_share(&buffer, &other) == 0);
	CHECK(brink_buffer_append(&buffer, "x", 1) == 0); /* not into it */
	CHECK(bytes[500] == 'w');
	CHECK(brink_buffer_pop(&buffer, 1000) == 1000);
	CHECK(play_wrapped == 1);
	brink_buffer_clear(&other);
	CHECK(play_wrapped == 0);
	brink_buffer_clear(&buffer);
	CHECK(brink_buffer_wrap(&buffer, pipe_ends, sizeof pipe_ends, NULL, NULL) == 0);
	brink_buffer_clear(&buffer);
}

/* Patterns that punish a search which goes back, over pieces of all sizes. */
static void found_in_linear_time(void)
{
	brink_buffer buffer = {0};
	static unsigned char many[BRINK_BUFFER_PATTERN + 1];
	unsigned total = 0;

	memset(many, 'a', sizeof many);
	while (total < 4000000) {
		unsigned size = 1 + choose(BRINK_BUFFER_PATTERN);

		CHECK(brink_buffer_append(&buffer, many, size) == 0);
		total += size;
		if (choose(4) == 0)
			CHECK(brink_buffer_wrap(&buffer, many, 100, NULL, NULL) == 0);
	}
	many[BRINK_BUFFER_PATTERN - 1] = 'b';
	CHECK(brink_buffer_find(&buffer, 0, many, BRINK_BUFFER_PATTERN) == -ENOENT);
	CHECK(brink_buffer_append(&buffer, "b", 1) == 0);
	CHECK(brink_buffer_find(&buffer, 7, many, BRINK_BUFFER_PATTERN) ==
	      (ssize_t)(buffer.length - BRINK_BUFFER_PATTERN));
	CHECK(brink_buffer_find(&buffer, 0, "b", 1) == (ssize_t)(buffer.length - 1));
	CHECK(brink_buffer_find(&buffer, 0, many, BRINK_BUFFER_PATTERN + 1) == -EINVAL);
	CHECK(brink_buffer_find(&buffer, buffer.length, "", 0) == (ssize_t)buffer.length);
	CHECK(brink_buffer_find(&buffer, buffer.length + 1, "", 0) == -ENOENT);
	brink_buffer_clear(&buffer);
}

static void large_reservations(void)
{
	brink_buffer buffer = {0};
	size_t room = 0;
	unsigned char *bytes = brink_buffer_reserve(&buffer, 1000000, &room);

	CHECK(bytes != NULL && room >= 1000000);
	memset(bytes, 'l', room);
	CHECK(buffer.length == 0);
	brink_buffer_commit(&buffer, 999999);
	CHECK(brink_buffer_append(&buffer, "!", 1) == 0 && bytes[999999] == '!');
	CHECK(buffer.first == buffer.last && buffer.length == 1000000);
	CHECK(brink_buffer_reserve(&buffer, SIZE_MAX, &room) == NULL);
	CHECK(brink_buffer_reserve(&buffer, 0, NULL) != NULL);
	brink_buffer_clear(&buffer);
	CHECK(buffer.first == NULL);
}

/* Where much is asked for at once there is one part; bytes begin where a cache line does; and of
 * what came into so much room, little does not keep it. */
static void large_blocks(void)
{
	brink_buffer buffer = {0};
	struct iovec parts[16];
	char bytes[100], *large = calloc(1, 100000);

	CHECK(brink_buffer_reserve_iovecs(&buffer, 65536, parts, 16) == 1 && parts[0].iov_len == 65536);
	CHECK((uintptr_t)parts[0].iov_base % 64 == 0);
	memcpy(parts[0].iov_base, "little", 6);
	brink_buffer_commit(&buffer, 6);
	CHECK(buffer.first->block->room == BRINK__LARGE_ROOM);
	brink__buffer_fit(&buffer);
	CHECK(buffer.first->block->room == BRINK__BLOCK_ROOM && buffer.first == buffer.last);
	CHECK(brink_buffer_copy(&buffer, 0, bytes, sizeof bytes) == 6 && memcmp(bytes, "little", 6) == 0);
	CHECK((uintptr_t)buffer.first->bytes % 64 == 0);
	brink_buffer_clear(&buffer);

	CHECK(large != NULL && brink_buffer_append(&buffer, large, BRINK__LARGE_ROOM) == 0);
	CHECK(brink_buffer_iovecs(&buffer, 0, parts, 16) == 1);
	brink__buffer_fit(&buffer);
	CHECK(buffer.first->block->room == BRINK__LARGE_ROOM && buffer.length == BRINK__LARGE_ROOM);
	CHECK(brink_buffer_pop(&buffer, BRINK__LARGE_ROOM - 1000) == BRINK__LARGE_ROOM - 1000);
	brink__buffer_fit(&buffer);
	CHECK(buffer.length == 1000 && buffer.first->block->room == BRINK__BLOCK_ROOM);
	brink_buffer_clear(&buffer);
	free(large);
}

/* ---- descriptors ---- */

static void never_sigpipe(int fd)
{
	brink_buffer buffer = {0};

	CHECK(brink_buffer_append(&buffer, "gone", 4) == 0);
	CHECK(brink_buffer_write_to(&buffer, fd) == -EPIPE);
	CHECK(buffer.length == 4); /* nothing changed */
	brink_buffer_clear(&buffer);
	close(fd);
}

static void more_parts_than_one_call_takes(void)
{
	brink_buffer buffer = {0}, got = {0};
	int ends[2];
	ssize_t moved;
	size_t total = 0;
	static unsigned char letters[3000], seen[3000];

	CHECK(brink__os_pipe(ends) == 0);
	for (unsigned i = 0; i < sizeof letters; i++) {
		letters[i] = (unsigned char)choose(256);
		CHECK(brink_buffer_wrap(&buffer, &letters[i], 1, NULL, NULL) == 0);
	}
	while ((moved = brink_buffer_write_to(&buffer, ends[1])) > 0) {
		CHECK(moved <= 1024 && buffer.length == sizeof letters - total - (size_t)moved);
		total += (size_t)moved;
	}
	CHECK(moved == 0 && total == sizeof letters);
	CHECK(brink_buffer_read_from(&got, ends[0], 10) == 10);
	CHECK(brink_buffer_read_from(&got, ends[0], 100000) == 2990);
	CHECK(brink_buffer_read_from(&got, ends[0], 100000) == -EAGAIN);
	CHECK(brink_buffer_copy(&got, 0, seen, sizeof seen) == sizeof seen);
	CHECK(memcmp(seen, letters, sizeof seen) == 0);
	close(ends[1]);
	CHECK(brink_buffer_read_from(&got, ends[0], 100) == 0);
	close(ends[0]);
	CHECK(brink_buffer_read_from(&got, -1, 100) == -EBADF);
	CHECK(brink_buffer_write_to(&got, -1) == -EBADF);
	CHECK(got.length == sizeof seen);
	brink_buffer_clear(&got);
}

/* Also where the blocks that it reads into are large ones. */
static void a_read_has_a_limit(void)
{
	brink_buffer buffer = {0};
	int zeros = open("/dev/zero", O_RDONLY);

	CHECK(zeros >= 0);
	CHECK(brink_buffer_read_from(&buffer, zeros, SIZE_MAX) == 512 * 1024);
	CHECK(brink_buffer_read_from(&buffer, zeros, 512 * 1024 + 1) == 512 * 1024);
	CHECK(buffer.length == 1024 * 1024);
	brink_buffer_clear(&buffer);
	CHECK(brink_buffer_append(&buffer, "begun", 5) == 0);
	CHECK(brink_buffer_read_from(&buffer, zeros, 512 * 1024) == 512 * 1024);
	brink_buffer_clear(&buffer);
	close(zeros);
}

static void descriptors(void)
{
	brink_buffer buffer = {0};
	int ends[2], file = open("/dev/null", O_WRONLY);

	more_parts_than_one_call_takes();
	a_read_has_a_limit();
	CHECK(brink__os_pipe(ends) == 0);
	close(ends[0]);
	never_sigpipe(ends[1]);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	close(ends[0]);
	never_sigpipe(ends[1]);
	CHECK(file >= 0 && brink_buffer_append(&buffer, "any file", 8) == 0);
	CHECK(brink_buffer_write_to(&buffer, file) == 8);
	close(file);
}

/* ---- threads ---- */

#define WRITERS 2 /* and the owner */
#define ROUNDS 2000

/* All threads go on at once: it spins, so that they meet at what comes next. */
static atomic_uint there, line;

static void wait_for_all(void)
{
	unsigned round = atomic_load(&line);

	if (atomic_fetch_add(&there, 1) == WRITERS) {
		atomic_store(&there, 0);
		atomic_store(&line, round + 1);
	}
	for (unsigned i = 0; atomic_load(&line) == round; i++)
		if (i >= 1000)
			sched_yield();
}

static brink_buffer common;

/* Puts `size` bytes behind what it has, in one way or another. */
static void put_marks(brink_buffer *own, unsigned char mark, size_t size, unsigned how)
{
	unsigned char bytes[64], *place = NULL;
	size_t room;

	memset(bytes, mark, sizeof bytes);
	if (how != 0) {
		place = brink_buffer_reserve(own, size, &room);
		CHECK(place != NULL);
		memset(place, mark, room);
	}
	if (how == 1) /* all but `size` is given back */
		brink_buffer_commit(own, size);
	else if (how == 2) /* all is given back */
		brink_buffer_commit(own, 0);
	if (how != 1)
		CHECK(brink_buffer_append(own, bytes, size) == 0);
}

static void check_marks(brink_buffer *own, unsigned char mark)
{
	unsigned char bytes[64], seen[64];

	memset(bytes, mark, sizeof bytes);
	CHECK(brink_buffer_copy(own, 0, seen, 6) == 6 && memcmp(seen, "common", 6) == 0);
	CHECK(brink_buffer_pop(own, 6) == 6);
	while (own->length != 0) {
		size_t size = brink_buffer_copy(own, 0, seen, sizeof seen);

		CHECK(memcmp(seen, bytes, size) == 0);
		brink_buffer_pop(own, size);
	}
}

/* Appends to what all have: only one of them can have the room behind it, and later all go
 * on from what they have of their own. */
static void *append_to_common(void *argument)
{
	unsigned char mark = *(unsigned char *)argument;

	for (unsigned round = 0; round < ROUNDS; round++) {
		brink_buffer own = {0};

		wait_for_all();
		CHECK(brink_buffer_share(&own, &common) == 0);
		wait_for_all(); /* from here on the owner changes `common`, too */
		for (unsigned i = 0; i < 10; i++)
			put_marks(&own, mark, 1 + i * 7 % 64, (round + i + mark) / 2 % 4);
		check_marks(&own, mark);
		wait_for_all();
	}
	return NULL;
}

static void threads_fill_one_block(void)
{
	unsigned char marks[WRITERS], seen[16];
	pthread_t threads[WRITERS];

	for (unsigned i = 0; i < WRITERS; i++) {
		marks[i] = (unsigned char)(i + 1);
		CHECK(pthread_create(&threads[i], NULL, append_to_common, &marks[i]) == 0);
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		CHECK(brink_buffer_append(&common, "common", 6) == 0);
		wait_for_all();
		wait_for_all();
		CHECK(brink_buffer_append(&common, "tail", 4) == 0);
		if (round % 2 == 0) {
			CHECK(brink_buffer_copy(&common, 0, seen, 16) == 10);
			CHECK(memcmp(seen, "commontail", 10) == 0);
			brink_buffer_clear(&common);
		}
		wait_for_all();
		brink_buffer_clear(&common);
	}
	for (unsigned i = 0; i < WRITERS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	brink__cache_empty();
	CHECK(play_live == 0);
}

/* Made by one thread, dropped by another. */
struct conveyor {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	brink_buffer buffer;
	bool ended;
};
static struct conveyor conveyor = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *consume(void *argument)
{
	bool ended = false;

	(void)argument;
	while (!ended) {
		brink_buffer taken = {0};

		pthread_mutex_lock(&conveyor.lock);
		while (conveyor.buffer.length == 0 && !conveyor.ended)
			pthread_cond_wait(&conveyor.changed, &conveyor.lock);
		brink_buffer_move(&taken, &conveyor.buffer);
		ended = conveyor.ended && taken.length == 0;
		pthread_mutex_unlock(&conveyor.lock);
		while (taken.length != 0) {
			unsigned char seen[100];

			CHECK(brink_buffer_copy(&taken, 0, seen, 100) == 100);
			CHECK(seen[0] == seen[99]);
			brink_buffer_pop(&taken, 100);
		}
	}
	return NULL;
}

static void dropped_by_another_thread(void)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, consume, NULL) == 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		brink_buffer made = {0}, cut = {0};
		unsigned char bytes[100];

		for (unsigned j = 0; j < 100; j++) {
			memset(bytes, (int)(i + j), sizeof bytes);
			CHECK(brink_buffer_append(&made, bytes, sizeof bytes) == 0);
		}
		CHECK(brink_buffer_cut(&made, &cut, 100 * (size_t)choose(100)) >= 0);
		pthread_mutex_lock(&conveyor.lock);
		brink_buffer_move(&conveyor.buffer, &cut);
		brink_buffer_move(&conveyor.buffer, &made);
		pthread_cond_signal(&conveyor.changed);
		pthread_mutex_unlock(&conveyor.lock);
	}
	pthread_mutex_lock(&conveyor.lock);
	conveyor.ended = true;
	pthread_cond_signal(&conveyor.changed);
	pthread_mutex_unlock(&conveyor.lock);
	CHECK(pthread_join(thread, NULL) == 0);
	brink__cache_empty();
	CHECK(play_live == 0);
}

static void fill_and_clear(size_t size)
{
	static const unsigned char bytes[10000];
	brink_buffer buffer = {0};

	for (size_t done = 0; done < size; done += sizeof bytes)
		CHECK(brink_buffer_append(&buffer, bytes, sizeof bytes) == 0);
	brink_buffer_clear(&buffer);
}

static void *fill_and_leave(void *argument)
{
	fill_and_clear(*(size_t *)argument);
	CHECK(*(size_t *)argument == 0 || play_live != 0);
	return NULL;
}

static void ends_with_an_empty_cache(void)
{
	size_t little = 10000, much = 20000000;
	pthread_t thread;
	long bound = 32 * 16 + 2 * 16; /* the depot, and what a thread may keep */

	CHECK(play_live == 0);
	CHECK(pthread_create(&thread, NULL, fill_and_leave, &little) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(play_live == 0); /* less than a batch is of no use to others */
	CHECK(pthread_create(&thread, NULL, fill_and_leave, &much) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(play_live != 0 && play_live <= bound);
	fill_and_clear(much); /* takes what that one left */
	CHECK(play_live <= bound);
	brink__cache_empty();
	CHECK(play_live == 0);
}

/* ---- fork ---- */

static atomic_bool forks_are_over;

static void *exchange_batches(void *argument)
{
	(void)argument;
	while (!atomic_load(&forks_are_over))
		fill_and_clear(1000000);
	return NULL;
}

/* Valgrind calls what the other threads had in use lost, in the child; and the address
 * sanitizer's own allocator (gcc 12, clang 14) leaves its locks held there, if another thread
 * was in it: the child's next malloc() hangs. */
#if defined(__SANITIZE_ADDRESS__)
#define OTHERS_AT_FORK 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OTHERS_AT_FORK 0
#endif
#endif
#ifndef OTHERS_AT_FORK
#define OTHERS_AT_FORK (getenv("BRINK_TEST_VALGRIND") != NULL ? 0 : 2)
#endif

static void forked(void)
{
	int count = OTHERS_AT_FORK, status;
	pthread_t threads[2];

	for (int i = 0; i < count; i++)
		CHECK(pthread_create(&threads[i], NULL, exchange_batches, NULL) == 0);
	for (unsigned i = 0; i < 30; i++) {
		pid_t child = fork();

		CHECK(child >= 0);
		if (child == 0) {
			alarm(HANGS);
			fill_and_clear(3000000);
			brink__cache_empty();
			fill_and_clear(3000000);
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	atomic_store(&forks_are_over, true);
	for (int i = 0; i < count; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	brink__cache_empty();
	CHECK(play_live == 0);
}

int main(int argc, char **argv)
{
	seed_random(argc, argv, (uint64_t)time(NULL));
	brink_set_allocator(play_allocator, NULL);
	against_the_model(false, 20000);
	passed("against the model, with and without memory, nothing kept");
	against_the_model(true, 20000);
	passed("against the model, with and without memory, with the cache");
	what_is_allocated();
	passed("as few allocations and pieces as it takes");
	filled_while_shared();
	passed("a block is filled further while messages of it are held");
	room_given_back();
	passed("an append without memory gives the room back");
	wrapped_once();
	passed("wrapped memory is released once");
	found_in_linear_time();
	passed("find does not go back");
	large_reservations();
	passed("large reservations");
	large_blocks();
	passed("large blocks");
	descriptors();
	passed("descriptors");
	threads_fill_one_block();
	passed("threads fill what is free of one block");
	dropped_by_another_thread();
	passed("dropped by another thread");
	ends_with_an_empty_cache();
	passed("a thread that ends leaves nothing but whole batches in the depot");
	forked();
	passed("a forked child has a working cache");
	brink_set_allocator(NULL, NULL);
	return finish();
}
