/* The end of a loop with live sockets, and fork. */
#include "groups.h"
#include "socket_stage.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_uint done_count, done_errors;

static void on_done(brink_socket *socket, int error, void *arg)
{
	(void)socket;
	(void)arg;
	done_count++;
	done_errors += error != 0;
}

static const struct brink_write_options with_done = {.done = on_done};

#define LIVES 6u

/* Every request ends, and every socket is closed, once. */
static void destroyed_with_sockets(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct life lives[LIVES];
	unsigned requests = 0;

	done_count = done_errors = 0;
	for (unsigned i = 0; i < LIVES; i++) {
		brink_socket *socket;

		start_life(&lives[i], loop, kind, NULL);
		if (i % 2 == 0)
			RUN_UNTIL(loop, lives[i].opens == 1);
		socket = held(&lives[i]);
		for (unsigned j = 0; j < 3 && i % 3 != 0; j++, requests++)
			CHECK_OK(write_pattern(socket, 0, 5u << 20, &with_done));
		if (i == 4)
			CHECK_OK(brink_socket_close(socket));
		if (i == 5)
			CHECK_OK(brink_socket_fail(lives[i].id, -EIO, NULL));
		brink_socket_release(socket);
	}
	CHECK_OK(brink_loop_destroy(loop));
	CHECK_EQ(done_count, requests);
	CHECK(done_errors > 0);
	for (unsigned i = 0; i < LIVES; i++) {
		CHECK_EQ(lives[i].closes, 1);
		CHECK(!is_alive(lives[i].id));
		CHECK_ERROR(brink_socket_fail(lives[i].id, 0, NULL), -ENOENT);
		close_pair(&lives[i].pair);
	}
}

/* With a reference that another thread holds, and gives back later. */
struct holder {
	brink_socket *socket;
	brink_socket_id id;
	atomic_bool begun;
};

static void *hold_for_a_while(void *arg)
{
	struct holder *holder = arg;
	uint64_t end = hang_deadline();
	int result = 0;

	holder->begun = true;
	while (result == 0 || result == -BRINK_EOVERCROWDED)
		result = brink_socket_write_bytes(holder->socket, "held", 4);
	CHECK(result < 0);
	/* Who fails it says so first, and then takes the id. */
	while (is_alive(holder->id))
		CHECK(monotonic_now() < end);
	for (unsigned i = 0; i < 20; i++) {
		CHECK(brink_socket_write_bytes(holder->socket, "held", 4) < 0);
		CHECK_EQ(brink_socket_get_id(holder->socket), holder->id);
		sleep_ms(1);
	}
	brink_socket_release(holder->socket);
	return NULL;
}

static void destroyed_with_references(enum kind kind)
{
	for (unsigned round = 0; round < 5; round++) {
		brink_loop *loop = new_loop();
		struct life life;
		struct holder holder = {0};
		pthread_t thread;

		open_life(&life, loop, kind, NULL);
		holder.socket = held(&life);
		holder.id = life.id;
		run_thread(&thread, hold_for_a_while, &holder);
		while (!holder.begun)
			sleep_ms(1);
		for (unsigned i = 0; i < round; i++)
			CHECK_OK(brink_loop_run_once(loop, 0));
		CHECK_OK(brink_loop_destroy(loop));
		CHECK_EQ(life.closes, 1);
		join_thread(thread);
		close_pair(&life.pair);
	}
}

/* A program that answers the end of a connection with a new one, for ever. */
static void make_another(brink_socket *socket, int error, const char *text, void *arg)
{
	struct life *second = arg;
	struct brink_socket_options options = {.fd = second->pair.ours, .on_close = make_another, .arg = second};

	(void)error;
	(void)text;
	CHECK_ERROR(brink_socket_create(&second->id, brink_socket_loop(socket), &options), -ECANCELED);
}

static void created_while_destroyed(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct life first, second = {.pair = open_pair(kind, BRINK_READ)};

	open_life(&first, loop, kind, &(struct brink_socket_options){.on_close = make_another, .arg = &second});
	CHECK_OK(brink_loop_destroy(loop));
	CHECK_EQ(first.closes, 1);
	close_pair(&first.pair);
	close_pair(&second.pair);
}

static void expect_no_reason(brink_loop *loop)
{
	CHECK_EQ(brink_loop_run(loop), 0);
}

/* One reason for the loop to run, whatever timeouts it has, before and after they are looked at. */
static void is_one_reason_to_run(enum kind kind)
{
	struct brink_socket_options options = {.idle_timeout = BRINK_MS(20), .linger_timeout = BRINK_SECONDS(3600)};
	brink_loop *loop = new_loop();
	struct life idle, closing;
	brink_socket *socket;

	start_life(&idle, loop, kind, &options);
	options.idle_timeout = BRINK_SECONDS(3600);
	open_life(&closing, loop, kind, &options);
	brink_loop_unref(loop);
	brink_loop_unref(loop);
	expect_no_reason(loop);
	RUN_UNTIL(loop, idle.closes == 1);
	brink_loop_ref(loop); /* its own is gone */
	expect_no_reason(loop);
	write_all(closing.pair.theirs, "x", 1);
	RUN_UNTIL(loop, closing.got == 1);
	socket = held(&closing);
	CHECK_OK(brink_socket_close(socket));
	brink_socket_release(socket);
	turn(loop);
	expect_no_reason(loop);
	brink_loop_ref(loop);
	close_pair(&closing.pair);
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_EQ(closing.closes, 1);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&idle.pair);
}

struct notice {
	brink_task task;
	brink_loop *loop;
	unsigned left, calls;
};

static void on_notice(brink_task *task)
{
	struct notice *notice = brink_container_of(task, struct notice, task);

	notice->calls++;
	if (notice->left-- > 0)
		brink_task_post(notice->loop, task);
}

static void post_notice(brink_socket *socket, int error, const char *text, void *arg)
{
	struct notice *notice = arg;

	(void)error;
	(void)text;
	brink_task_post(brink_socket_loop(socket), &notice->task);
}

/* What on_close posts is called, too, and what that posts. */
static void posted_while_destroyed(enum kind kind)
{
	struct notice notice = {.loop = new_loop(), .left = 2};
	struct life life;

	brink_task_init(&notice.task, on_notice);
	open_life(&life, notice.loop, kind, &(struct brink_socket_options){.on_close = post_notice, .arg = &notice});
	CHECK_OK(brink_loop_destroy(notice.loop));
	CHECK_EQ(notice.calls, 3);
	close_pair(&life.pair);
}

/* ---- fork ---- */

static void in_child(struct life *life, void (*child)(struct life *life))
{
	pid_t pid = fork();

	SYSCALL(pid);
	if (pid == 0) {
		child(life);
		_exit(0);
	}
	expect_success_of(pid);
}

static void destroy_copy(struct life *life)
{
	CHECK_OK(brink_loop_destroy(life->loop));
}

static void use_copy(struct life *life)
{
	struct life own;

	CHECK_OK(brink_loop_destroy(life->loop));
	life->loop = new_loop();
	open_life(&own, life->loop, life->pair.kind, NULL);
	write_all(own.pair.theirs, "child", 5);
	RUN_UNTIL(life->loop, own.got == 5);
	/* None but its own are that loop's. */
	CHECK_OK(brink_loop_destroy(life->loop));
	CHECK_EQ(own.closes, 1);
	CHECK_EQ(life->closes, 0);
	close_pair(&own.pair);
}

/* The child's copy of the loop ends; the parent's connections go on, and no byte is sent
 * twice. */
static void forked(enum kind kind, void (*child)(struct life *life))
{
	brink_loop *loop = new_loop();
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;

	open_life(&life, loop, kind, NULL);
	socket = held(&life);
	CHECK_OK(write_pattern(socket, 0, 8u << 20, NULL));
	turn(loop);
	in_child(&life, child);
	CHECK(is_alive(life.id));
	CHECK_OK(write_pattern(socket, 8u << 20, 1000, NULL));
	TAKE_UNTIL(&life, &taken, taken.size == (8u << 20) + 1000);
	expect_pattern(&taken, (8u << 20) + 1000);
	write_all(life.pair.theirs, "to the parent", 13);
	RUN_UNTIL(loop, life.got == 13);
	CHECK(!taken.ended);
	CHECK_EQ(life.closes, 0);
	forget(&taken);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

static void child_destroys_its_copy(enum kind kind)
{
	forked(kind, destroy_copy);
}

static void child_has_sockets_of_its_own(enum kind kind)
{
	forked(kind, use_copy);
}

static const struct scenario scenarios[] = {
	SCENARIO("socket-loop/destroyed-with-sockets", destroyed_with_sockets, KINDS_STREAM),
	SCENARIO("socket-loop/destroyed-with-references", destroyed_with_references, KINDS_STREAM),
	SCENARIO("socket-loop/created-while-destroyed", created_while_destroyed, KINDS_STREAM),
	SCENARIO("socket-loop/is-one-reason-to-run", is_one_reason_to_run, KINDS_STREAM),
	SCENARIO("socket-loop/posted-while-destroyed", posted_while_destroyed, KINDS_STREAM),
	SCENARIO("socket-loop/child-destroys-its-copy", child_destroys_its_copy, KINDS_STREAM),
	SCENARIO("socket-loop/child-has-sockets-of-its-own", child_has_sockets_of_its_own, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group socket_loop_group = {"socket-loop", scenarios};
