/* Writes from the loop's thread: at once, gathered, in order, and each ended once. */
#include "groups.h"
#include "socket_stage.h"

#include <stdlib.h>
#include <string.h>

/* How the requests of a scenario ended. */
struct ended {
	unsigned count;
	int error; /* of the last */
	unsigned errors;
	uintptr_t lowest, highest; /* places on the stack */
};

struct request {
	struct ended *ended;
	unsigned number;
};

static void on_done(brink_socket *socket, int error, void *arg)
{
	struct request *request = arg;

	CHECK(socket != NULL);
	CHECK(error <= 0);
	CHECK_EQ(request->number, request->ended->count);
	request->ended->count++;
	request->ended->error = error;
	request->ended->errors += error != 0;
}

static int write_numbered(brink_socket *socket, struct request *request, uint64_t *at, size_t size, unsigned flags)
{
	int result = write_pattern(socket, *at, size, &(struct brink_write_options){
		.flags = flags, .done = on_done, .arg = request});

	if (result == 0)
		*at += size;
	return result;
}

static void at_once_when_idle(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;

	open_life(&life, loop, kind, NULL);
	socket = held(&life);
	for (unsigned i = 0; i < 10; i++) {
		struct ended ended = {0};
		struct request request = {&ended, 0};
		uint64_t writes = info_of(socket).writes, at = i * 100u;

		CHECK_OK(write_numbered(socket, &request, &at, 100, 0));
		CHECK_EQ(ended.count, 1);
		CHECK_EQ(ended.error, 0);
		CHECK_EQ(info_of(socket).writes, writes + 1);
		CHECK_EQ(info_of(socket).unsent, 0);
		await(life.pair.theirs, BRINK_READ);
		while (taken.size < at)
			take(life.pair.theirs, &taken, SIZE_MAX);
		expect_silence(loop);
		CHECK_EQ(info_of(socket).writes, writes + 1);
	}
	expect_pattern(&taken, 1000);
	CHECK_EQ(info_of(socket).bytes_written, 1000);
	CHECK_EQ(info_of(socket).requests_written, 10);
	forget(&taken);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* Left to the loop, which writes all of them by few calls. */
static void gathered(enum kind kind)
{
	enum { COUNT = 5000 };
	struct request *requests = calloc(COUNT, sizeof *requests);
	struct ended ended = {0};
	brink_loop *loop = new_loop();
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;
	uint64_t writes, at = 0;

	CHECK(requests != NULL);
	open_life(&life, loop, kind, NULL);
	socket = held(&life);
	writes = info_of(socket).writes;
	for (unsigned i = 0; i < COUNT; i++) {
		requests[i] = (struct request){&ended, i};
		CHECK_OK(write_numbered(socket, &requests[i], &at, 8, BRINK_WRITE_QUEUED));
	}
	CHECK_EQ(ended.count, 0);
	CHECK_EQ(info_of(socket).writes, writes);
	CHECK_EQ(info_of(socket).unsent, at);
	TAKE_UNTIL(&life, &taken, taken.size == at && ended.count == COUNT);
	CHECK_EQ(ended.errors, 0);
	measure("system calls for 5000 requests of 8 bytes", "%u", (unsigned)(info_of(socket).writes - writes));
	CHECK(info_of(socket).writes - writes <= 20);
	CHECK_EQ(info_of(socket).requests_written, COUNT);
	expect_pattern(&taken, at);
	forget(&taken);
	free(requests);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

static void answer_many(brink_socket *socket, brink_buffer *in, void *arg)
{
	uint64_t *at = arg;

	brink_buffer_clear(in);
	for (unsigned i = 0; i < 10; i++) {
		CHECK_OK(write_pattern(socket, *at, 50, NULL));
		*at += 50;
	}
}

/* What one on_bytes writes leaves in one system call. */
static void answers_together(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;
	uint64_t writes, at = 0;

	open_life(&life, loop, kind, &(struct brink_socket_options){.on_bytes = answer_many, .arg = &at});
	socket = held(&life);
	for (unsigned round = 1; round <= 3; round++) {
		writes = info_of(socket).writes;
		write_all(life.pair.theirs, "question", 8);
		TAKE_UNTIL(&life, &taken, taken.size == round * 500 && info_of(socket).writes > writes);
		CHECK_EQ(info_of(socket).writes, writes + 1);
	}
	expect_pattern(&taken, at);
	forget(&taken);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* Sizes from nothing to 10 MiB, to a peer that reads from time to time. */
static void mixed_sizes(enum kind kind)
{
	static const size_t sizes[] = {0, 1, 10u << 20, 0, 100, 5000, 70000, 0, 8192, 1u << 20, 3, 0};
	enum { COUNT = sizeof sizes / sizeof sizes[0] };
	struct request requests[COUNT];
	struct ended ended = {0};
	brink_loop *loop = new_loop();
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;
	uint64_t at = 0;

	open_life(&life, loop, kind, NULL);
	socket = held(&life);
	for (unsigned i = 0; i < COUNT; i++) {
		requests[i] = (struct request){&ended, i};
		CHECK_OK(write_numbered(socket, &requests[i], &at, sizes[i], i % 3 == 2 ? BRINK_WRITE_QUEUED : 0));
	}
	CHECK(info_of(socket).unsent > 0);
	CHECK(ended.count < COUNT);
	RUN_UNTIL(loop, (take(life.pair.theirs, &taken, 1u << 18), taken.size == at && ended.count == COUNT));
	CHECK_EQ(ended.errors, 0);
	CHECK_EQ(info_of(socket).unsent, 0);
	CHECK_EQ(info_of(socket).bytes_written, at);
	expect_pattern(&taken, at);
	forget(&taken);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

static struct ended copies_ended;

static void on_copy_written(brink_socket *socket, int error, void *arg)
{
	(void)socket;
	(void)arg;
	copies_ended.count++;
	copies_ended.errors += error != 0;
}

/* Copies of each size round that up to which a request has room for one, many at once, so that
 * the kernel takes parts of some; then a failure, with some of them unsent. */
static void copies(enum kind kind)
{
	enum { LARGEST = 300 };
	struct brink_socket_options options = {.on_written = on_copy_written};
	brink_loop *loop = new_loop();
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;
	uint64_t at = 0, unsent;
	unsigned count = 0;

	options.unsent_limit = SIZE_MAX;
	open_life(&life, loop, kind, &options);
	socket = held(&life);
	for (; count < 2 * LARGEST || info_of(socket).unsent < 8u << 20; count++) {
		uint8_t bytes[LARGEST];
		size_t size = count < 2 * LARGEST ? count % (LARGEST + 1) : random_below(LARGEST + 1);

		for (size_t i = 0; i < size; i++)
			bytes[i] = pattern(at + i);
		CHECK_OK(brink_socket_write_bytes(socket, size > 0 ? bytes : NULL, size));
		at += size;
		if (count % 1000 == 0)
			turn(loop);
	}
	unsent = info_of(socket).unsent;
	RUN_UNTIL(loop, (take(life.pair.theirs, &taken, 1 + random_below(1u << 20)), info_of(socket).unsent < unsent));
	CHECK(copies_ended.count < count && info_of(socket).unsent > 0);
	CHECK_EQ(copies_ended.errors, 0);
	expect_pattern(&taken, taken.size);
	CHECK_OK(brink_socket_fail(life.id, -ECANCELED, "test"));
	RUN_UNTIL(loop, copies_ended.count == count);
	CHECK(copies_ended.errors > 0);
	CHECK_EQ(info_of(socket).unsent, 0);
	forget(&taken);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* Nothing to send is a request too: ended once, and nothing is sent. */
static void nothing_to_send(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct life life;
	brink_socket *socket;
	struct ended ended = {0};
	struct request requests[20];
	uint64_t at = 0;

	open_life(&life, loop, kind, NULL);
	socket = held(&life);
	for (unsigned i = 0; i < 20; i++) {
		requests[i] = (struct request){&ended, i};
		CHECK_OK(write_numbered(socket, &requests[i], &at, 0, i % 4 == 1 ? BRINK_WRITE_QUEUED : 0));
	}
	RUN_UNTIL(loop, ended.count == 20);
	CHECK_EQ(ended.errors, 0);
	CHECK_EQ(unread(life.pair.theirs), 0);
	CHECK(!ready_now(life.pair.theirs, BRINK_READ));
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* Before the loop has taken the socket over. */
static void before_it_stands(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;
	struct ended ended = {0};
	struct request requests[10];
	uint64_t at = 0;

	start_life(&life, loop, kind, NULL);
	socket = held(&life);
	for (unsigned i = 0; i < 10; i++) {
		requests[i] = (struct request){&ended, i};
		CHECK_OK(write_numbered(socket, &requests[i], &at, 1000, 0));
	}
	TAKE_UNTIL(&life, &taken, taken.size == at && ended.count == 10 && life.opens == 1);
	CHECK_EQ(ended.errors, 0);
	expect_pattern(&taken, at);
	forget(&taken);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- done ---- */

struct chain {
	struct ended ended;
	unsigned left;
	uint64_t at;
	brink_socket_id other; /* written to as well */
	unsigned flags;
};

static void on_link(brink_socket *socket, int error, void *arg)
{
	struct chain *chain = arg;
	/* Not a variable's address, which the address sanitizer puts elsewhere. */
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	if (chain->ended.count == 0 || here < chain->ended.lowest)
		chain->ended.lowest = here;
	if (chain->ended.count == 0 || here > chain->ended.highest)
		chain->ended.highest = here;
	CHECK_EQ(error, 0);
	chain->ended.count++;
	if (chain->left == 0)
		return;
	chain->left--;
	CHECK_OK(write_pattern(socket, chain->at, 10, &(struct brink_write_options){
		.flags = chain->flags, .done = on_link, .arg = chain}));
	chain->at += 10;
}

/* done that writes again, a thousand times, does not go deeper into the stack. */
static void done_writes_again(enum kind kind)
{
	for (unsigned queued = 0; queued < 2; queued++) {
		brink_loop *loop = new_loop();
		struct chain chain = {.left = 999, .at = 10, .flags = queued ? BRINK_WRITE_QUEUED : 0};
		struct taken taken = {0};
		struct life life;
		brink_socket *socket;

		open_life(&life, loop, kind, NULL);
		socket = held(&life);
		CHECK_OK(write_pattern(socket, 0, 10, &(struct brink_write_options){
			.flags = chain.flags, .done = on_link, .arg = &chain}));
		TAKE_UNTIL(&life, &taken, chain.ended.count == 1000 && taken.size == 10000);
		expect_pattern(&taken, 10000);
		CHECK(chain.ended.highest - chain.ended.lowest < 65536);
		forget(&taken);
		brink_socket_release(socket);
		end_life(&life);
		CHECK_OK(brink_loop_destroy(loop));
	}
}

struct two {
	struct life lives[2];
	unsigned calls;
};

static void on_ping(brink_socket *socket, int error, void *arg)
{
	struct two *two = arg;
	bool first = brink_socket_get_id(socket) == two->lives[0].id;
	brink_socket *other;

	CHECK_EQ(error, 0);
	if (++two->calls >= 1000)
		return;
	other = held(&two->lives[first]);
	CHECK_OK(write_pattern(other, 0, 1, &(struct brink_write_options){.done = on_ping, .arg = two}));
	brink_socket_release(other);
}

/* done of one socket writes to the other, whose done writes to the first. */
static void done_writes_to_another(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct two two = {.calls = 0};
	struct taken taken[2] = {{0}, {0}};
	brink_socket *socket;

	for (unsigned i = 0; i < 2; i++)
		open_life(&two.lives[i], loop, kind, NULL);
	socket = held(&two.lives[0]);
	CHECK_OK(write_pattern(socket, 0, 1, &(struct brink_write_options){.done = on_ping, .arg = &two}));
	brink_socket_release(socket);
	RUN_UNTIL(loop, (take(two.lives[0].pair.theirs, &taken[0], SIZE_MAX),
		take(two.lives[1].pair.theirs, &taken[1], SIZE_MAX), two.calls == 1000));
	for (unsigned i = 0; i < 2; i++) {
		TAKE_UNTIL(&two.lives[i], &taken[i], taken[i].size == 500);
		forget(&taken[i]);
		end_life(&two.lives[i]);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static void bad_writes(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct life life;
	brink_socket *socket;

	open_life(&life, loop, kind, NULL);
	socket = held(&life);
	CHECK_ERROR(write_pattern(socket, 0, 5, &(struct brink_write_options){.flags = 1u << 20}), -EINVAL);
	CHECK_ERROR(write_pattern(socket, 0, 5, &(struct brink_write_options){.reserved = {&loop}}), -EINVAL);
	CHECK_EQ(info_of(socket).unsent, 0);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("socket-write/at-once-when-idle", at_once_when_idle, KINDS_STREAM),
	SCENARIO("socket-write/gathered", gathered, KINDS_STREAM),
	SCENARIO("socket-write/answers-together", answers_together, KINDS_STREAM),
	SCENARIO("socket-write/mixed-sizes", mixed_sizes, KINDS_STREAM),
	SCENARIO("socket-write/copies", copies, KINDS_STREAM),
	SCENARIO("socket-write/nothing-to-send", nothing_to_send, KINDS_STREAM),
	SCENARIO("socket-write/before-it-stands", before_it_stands, KINDS_STREAM),
	SCENARIO("socket-write/done-writes-again", done_writes_again, KINDS_STREAM),
	SCENARIO("socket-write/done-writes-to-another", done_writes_to_another, KINDS_STREAM),
	SCENARIO("socket-write/bad-writes", bad_writes, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group socket_write_group = {"socket-write", scenarios};
