#include "socket_stage.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- callbacks ---- */

static struct life *enter(brink_socket *socket, void *arg)
{
	struct life *life = arg;

	CHECK_ALWAYS(atomic_exchange(&life->inside, 1) == 0);
	CHECK_ALWAYS(atomic_load(&life->closes) == 0);
	CHECK_ALWAYS(brink_socket_get_id(socket) == life->id);
	CHECK_ALWAYS(brink_socket_arg(socket) == life);
	CHECK_ALWAYS(brink_socket_loop(socket) == life->loop);
	return life;
}

static void leave(struct life *life)
{
	CHECK_ALWAYS(atomic_exchange(&life->inside, 0) == 1);
}

static void on_open(brink_socket *socket, void *arg)
{
	struct life *life = enter(socket, arg);

	CHECK_ALWAYS(life->opens == 0);
	CHECK_ALWAYS(life->arrivals + life->ends == 0);
	life->opens++;
	if (life->act.on_open != NULL)
		life->act.on_open(socket, life->act.arg);
	leave(life);
}

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct life *life = enter(socket, arg);
	size_t before = brink_buffer_length(in);

	CHECK_ALWAYS(life->opens == 1);
	CHECK_ALWAYS(life->ends == 0);
	CHECK_ALWAYS(before > 0);
	life->arrivals++;
	if (life->act.on_bytes != NULL)
		life->act.on_bytes(socket, in, life->act.arg);
	else
		brink_buffer_clear(in);
	life->got += before - brink_buffer_length(in);
	leave(life);
}

static void on_end(brink_socket *socket, void *arg)
{
	struct life *life = enter(socket, arg);

	CHECK_ALWAYS(life->opens == 1);
	CHECK_ALWAYS(life->ends == 0);
	life->ends++;
	life->act.on_end(socket, life->act.arg);
	leave(life);
}

static void on_high(brink_socket *socket, void *arg)
{
	struct life *life = arg;

	CHECK_ALWAYS(life->highs++ == life->lows);
	if (life->act.on_high != NULL)
		life->act.on_high(socket, life->act.arg);
}

static void on_low(brink_socket *socket, void *arg)
{
	struct life *life = arg;

	CHECK_ALWAYS(++life->lows == life->highs);
	if (life->act.on_low != NULL)
		life->act.on_low(socket, life->act.arg);
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct life *life = enter(socket, arg);

	CHECK_ALWAYS(text != NULL);
	CHECK_ALWAYS(error <= 0);
	CHECK_ALWAYS(!is_alive(life->id));
	life->error = error;
	strncpy(life->text, text, sizeof life->text - 1);
	if (life->act.on_close != NULL)
		life->act.on_close(socket, error, text, life->act.arg);
	leave(life);
	life->closes++;
}

/* ---- lives ---- */

void start_life(struct life *life, brink_loop *loop, enum kind kind, const struct brink_socket_options *options)
{
	struct brink_socket_options all;

	memset(life, 0, sizeof *life);
	if (options != NULL)
		life->act = *options;
	all = life->act;
	all.on_open = on_open;
	all.on_bytes = on_bytes;
	all.on_end = all.on_end != NULL ? on_end : NULL;
	all.on_high = on_high;
	all.on_low = on_low;
	all.on_close = on_close;
	all.arg = life;
	life->loop = loop;
	life->pair = open_pair(kind, BRINK_READ);
	life->fd = all.fd = life->pair.ours;
	life->pair.ours = -1;
	CHECK_OK(brink_socket_create(&life->id, loop, &all));
	CHECK(life->id != BRINK_NO_SOCKET);
}

void open_life(struct life *life, brink_loop *loop, enum kind kind, const struct brink_socket_options *options)
{
	start_life(life, loop, kind, options);
	RUN_UNTIL(loop, life->opens == 1);
}

void end_life(struct life *life)
{
	int result = brink_socket_fail(life->id, 0, NULL);

	if (result != 0)
		CHECK_ERROR(result, -ENOENT);
	RUN_UNTIL(life->loop, life->closes == 1);
	close_pair(&life->pair);
}

void expect_close(struct life *life, int error)
{
	RUN_UNTIL(life->loop, life->closes == 1);
	CHECK_EQ(life->error, error);
}

brink_socket *held(const struct life *life)
{
	brink_socket *socket = brink_socket_address(life->id);

	CHECK(socket != NULL);
	return socket;
}

bool is_alive(brink_socket_id id)
{
	brink_socket *socket = brink_socket_address(id);

	if (socket == NULL)
		return false;
	brink_socket_release(socket);
	return true;
}

struct brink_socket_info info_of(brink_socket *socket)
{
	struct brink_socket_info info;

	brink_socket_get_info(socket, &info);
	return info;
}

#define PATTERN_PART 16384u

/* As pattern() has it, but row by row of 256 bytes: a row counts up by seven from its first byte,
 * and 183 * 7 is 1 in a byte. */
void lay_pattern(uint8_t *bytes, uint64_t at, size_t size)
{
	uint8_t sevens[512];

	for (unsigned i = 0; i < sizeof sevens; i++)
		sevens[i] = (uint8_t)(i * 7);
	while (size > 0) {
		size_t column = at % 256, n = size < 256 - column ? size : 256 - column;

		memcpy(bytes, sevens + pattern(at) * 183u % 256, n);
		bytes += n;
		at += n;
		size -= n;
	}
}

int write_pattern(brink_socket *socket, uint64_t at, size_t size, const struct brink_write_options *options)
{
	brink_buffer data = {0};
	int result;

	while (brink_buffer_length(&data) < size) {
		uint8_t part[PATTERN_PART];
		size_t rest = size - brink_buffer_length(&data), n = rest < sizeof part ? rest : sizeof part;

		lay_pattern(part, at, n);
		CHECK_OK(brink_buffer_append(&data, part, n));
		at += n;
	}
	result = options != NULL ? brink_socket_write_with(socket, &data, options) : brink_socket_write(socket, &data);
	CHECK_EQ(brink_buffer_length(&data), result == 0 ? 0 : size);
	brink_buffer_clear(&data);
	return result;
}

/* ---- the peer ---- */

void take(int fd, struct taken *taken, size_t most)
{
	while (most > 0 && !taken->ended) {
		size_t want;
		ssize_t n;

		if (taken->room - taken->size < 65536) {
			taken->room = taken->room * 2 + 131072;
			taken->bytes = realloc(taken->bytes, taken->room);
			CHECK(taken->bytes != NULL);
		}
		want = taken->room - taken->size;
		n = read(fd, taken->bytes + taken->size, want < most ? want : most);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0) {
			taken->ended = true;
			taken->error = n < 0 ? errno : 0;
			return;
		}
		taken->size += (size_t)n;
		most -= (size_t)n;
	}
}

void expect_part(const uint8_t *bytes, uint64_t at, size_t size)
{
	for (size_t done = 0, n; done < size; done += n) {
		uint8_t part[PATTERN_PART];

		n = size - done < sizeof part ? size - done : sizeof part;
		lay_pattern(part, at + done, n);
		if (memcmp(bytes + done, part, n) == 0)
			continue;
		for (size_t i = 0; i < n; i++)
			if (bytes[done + i] != part[i])
				FAIL("byte %llu is another one", (unsigned long long)(at + done + i));
	}
}

void expect_pattern(const struct taken *taken, uint64_t size)
{
	CHECK_EQ(taken->size, size);
	expect_part(taken->bytes, 0, taken->size);
}

void forget(struct taken *taken)
{
	free(taken->bytes);
	memset(taken, 0, sizeof *taken);
}

/* ---- records ---- */

static uint8_t record_byte(const struct record *record, size_t at)
{
	return (uint8_t)(record->writer * 31 + record->number * 17 + at);
}

int write_record(brink_socket *socket, struct record record, const struct brink_write_options *options)
{
	brink_buffer data = {0};
	uint8_t part[1024];
	size_t at = 0;
	int result;

	CHECK_OK(brink_buffer_append(&data, &record, sizeof record));
	while (at < record.size) {
		size_t n = 0;

		while (n < sizeof part && at < record.size)
			part[n++] = record_byte(&record, at++);
		CHECK_OK(brink_buffer_append(&data, part, n));
	}
	result = brink_socket_write_with(socket, &data, options);
	brink_buffer_clear(&data);
	return result;
}

void check_records(const struct taken *taken, uint32_t *counts, unsigned writers, bool cut)
{
	size_t at = 0;

	memset(counts, 0, writers * sizeof *counts);
	while (taken->size - at >= sizeof(struct record)) {
		struct record record;

		memcpy(&record, taken->bytes + at, sizeof record);
		if (record.writer >= writers || record.number != counts[record.writer])
			FAIL("at %zu: record %u of writer %u", at, record.number, record.writer);
		at += sizeof record;
		if (taken->size - at < record.size) {
			CHECK(cut);
			return;
		}
		for (size_t i = 0; i < record.size; i++)
			if (taken->bytes[at + i] != record_byte(&record, i))
				FAIL("byte %zu of record %u of writer %u", i, record.number, record.writer);
		at += record.size;
		counts[record.writer]++;
	}
	CHECK(cut || at == taken->size);
}

/* ---- threads ---- */

unsigned random_of(uint64_t *state, unsigned end)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((*state >> 33) % end);
}

void run_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
	CHECK_EQ(pthread_create(thread, NULL, run, arg), 0);
}

void join_thread(pthread_t thread)
{
	CHECK_EQ(pthread_join(thread, NULL), 0);
}
