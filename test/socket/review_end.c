/* The end of a socket, seen from those who are not done with it: who resumes, writes, fails or
 * makes another meanwhile. */
#include "groups.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct stage {
	brink_loop *loop;
	struct pair pair;
	struct brink_socket_options options;
	brink_socket_id id;
	atomic_uint opens, closes;
	int error;
};

static void on_open(brink_socket *socket, void *arg)
{
	struct stage *stage = arg;

	(void)socket;
	stage->opens++;
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct stage *stage = arg;

	CHECK(text != NULL);
	CHECK(brink_socket_address(brink_socket_get_id(socket)) == NULL);
	stage->error = error;
	stage->closes++;
}

/* A pair, and the options of a socket on its end. */
static void set_stage(struct stage *stage, brink_loop *loop, enum kind kind)
{
	memset(stage, 0, sizeof *stage);
	stage->loop = loop;
	stage->pair = open_pair(kind, BRINK_READ);
	stage->options.fd = stage->pair.ours;
	stage->options.on_open = on_open;
	stage->options.on_close = on_close;
	stage->options.arg = stage;
}

static brink_socket *raise_socket(struct stage *stage)
{
	brink_socket *socket;

	CHECK_OK(brink_socket_create(&stage->id, stage->loop, &stage->options));
	stage->pair.ours = -1;
	socket = brink_socket_address(stage->id);
	CHECK(socket != NULL);
	RUN_UNTIL(stage->loop, stage->opens == 1);
	return socket;
}

static void run_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
	CHECK_EQ(pthread_create(thread, NULL, run, arg), 0);
}

static void join_thread(pthread_t thread)
{
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* ---- a reader that rests ---- */

struct successor {
	brink_task task;
	struct stage stage;
};

static void make_successor(brink_task *task)
{
	struct successor *next = brink_container_of(task, struct successor, task);

	CHECK_OK(brink_socket_create(&next->stage.id, next->stage.loop, &next->stage.options));
	next->stage.pair.ours = -1;
}

/* The slot is given back once the resume is done with, and is used again in the same turn. */
static void resume_and_let_go(enum kind kind, brink_executor *executor)
{
	brink_loop *loop = new_loop();
	struct successor next;
	struct stage stage;
	brink_socket *socket;

	set_stage(&stage, loop, kind);
	stage.options.flags = BRINK_SOCKET_PAUSED;
	stage.options.executor = executor;
	socket = raise_socket(&stage);
	write_all(stage.pair.theirs, "x", 1);
	for (int i = 0; i < 3; i++)
		turn(loop);
	CHECK_OK(brink_socket_fail(stage.id, -EIO, "failed while it is paused"));
	RUN_UNTIL(loop, stage.closes == 1);
	set_stage(&next.stage, loop, kind);
	brink_task_init(&next.task, make_successor);
	brink_socket_resume(socket);
	brink_socket_release(socket);
	brink_task_post(loop, &next.task);
	RUN_UNTIL(loop, next.stage.opens == 1);
	CHECK_OK(brink_socket_fail(next.stage.id, 0, NULL));
	RUN_UNTIL(loop, next.stage.closes == 1);
	CHECK_EQ(stage.closes, 1);
	close_pair(&stage.pair);
	close_pair(&next.stage.pair);
	CHECK_OK(brink_loop_destroy(loop));
}

static void resumed_after_the_end(enum kind kind)
{
	resume_and_let_go(kind, NULL);
}

static void resumed_after_the_end_on_executor(enum kind kind)
{
	struct brink_executor_options options = {.threads = 1};
	brink_executor *executor;

	CHECK_OK(brink_executor_create(&executor, &options));
	resume_and_let_go(kind, executor);
	CHECK_OK(brink_executor_destroy(executor));
}

/* ---- who fails it, while another says that it has failed ---- */

#define WRITERS 2

static atomic_bool writing;

static void *write_on(void *arg)
{
	brink_socket *socket = arg;

	while (writing)
		(void)brink_socket_write_bytes(socket, "x", 1);
	brink_socket_release(socket);
	return NULL;
}

static void *fail_with_text(void *arg)
{
	struct stage *stage = arg;

	CHECK_OK(brink_socket_fail(stage->id, -EIO, "the reason"));
	return NULL;
}

static void on_close_reason(brink_socket *socket, int error, const char *text, void *arg)
{
	CHECK_EQ(strcmp(text, "the reason"), 0);
	on_close(socket, error, text, arg);
}

static void closed_with_its_reason(enum kind kind)
{
	brink_loop *loop = new_loop();
	static char bytes[65536];

	for (unsigned round = 0; round < (is_long() ? 200u : is_slow() ? 4u : 8u); round++) {
		pthread_t writers[WRITERS], failer;
		struct stage stage;
		brink_socket *socket;

		set_stage(&stage, loop, kind);
		stage.options.on_close = on_close_reason;
		socket = raise_socket(&stage);
		writing = true;
		for (unsigned i = 0; i < WRITERS; i++)
			run_thread(&writers[i], write_on, brink_socket_hold(socket));
		run_thread(&failer, fail_with_text, &stage);
		while (stage.closes == 0) {
			/* Once: the writers need not leave an end to it. */
			(void)!read(stage.pair.theirs, bytes, sizeof bytes);
			CHECK(brink_loop_run_once(loop, 0) >= 0);
		}
		writing = false;
		join_thread(failer);
		for (unsigned i = 0; i < WRITERS; i++)
			join_thread(writers[i]);
		CHECK_EQ(stage.error, -EIO);
		brink_socket_release(socket);
		close_pair(&stage.pair);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- an id that is still to come ---- */

static _Thread_local brink_socket_id to_come;

static void *ask_while_making(void *memory, size_t size, void *context)
{
	(void)context;
	CHECK(to_come == BRINK_NO_SOCKET || brink_socket_address(to_come) == NULL);
	if (size != 0)
		return realloc(memory, size);
	free(memory);
	return NULL;
}

/* Nobody finds a socket that is half made, or is never made. */
static void resolves_when_it_is_made(enum kind kind)
{
	struct brink_executor_options few = {.threads = 1};
	brink_executor *executor;
	struct stage first, second;
	brink_loop *loop;

	brink_set_allocator(ask_while_making, NULL);
	loop = new_loop();
	CHECK_OK(brink_executor_create(&executor, &few));
	set_stage(&first, loop, kind);
	brink_socket_release(raise_socket(&first));
	CHECK_OK(brink_socket_fail(first.id, 0, NULL));
	RUN_UNTIL(loop, first.closes == 1);
	turn(loop);
	set_stage(&second, loop, kind);
	second.options.executor = executor;
	to_come = first.id + ((brink_socket_id)4 << 32); /* the slot's next */
	CHECK_OK(brink_socket_create(&second.id, loop, &second.options));
	second.pair.ours = -1;
	CHECK_EQ(second.id, to_come);
	to_come = BRINK_NO_SOCKET;
	CHECK_OK(brink_socket_fail(second.id, 0, NULL));
	RUN_UNTIL(loop, second.closes == 1);
	close_pair(&first.pair);
	close_pair(&second.pair);
	CHECK_OK(brink_loop_destroy(loop));
	CHECK_OK(brink_executor_destroy(executor));
}

static const struct scenario scenarios[] = {
	SCENARIO("review-end/resumed-after-the-end", resumed_after_the_end, KINDS_STREAM),
	SCENARIO("review-end/resumed-after-the-end-on-executor", resumed_after_the_end_on_executor, KINDS_STREAM),
	SCENARIO("review-end/closed-with-its-reason", closed_with_its_reason, KINDS_STREAM),
	SCENARIO("review-end/resolves-when-it-is-made", resolves_when_it_is_made, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group review_end_group = {"review-end", scenarios};
