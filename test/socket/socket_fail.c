/* Failing a socket in each of its callbacks, and at any moment. */
#include "groups.h"
#include "socket_stage.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum moment { AT_OPEN, AT_BYTES, AT_END, AT_HIGH, AT_LOW, AT_DONE, AT_CLOSE, MOMENTS };
enum way { BY_FAIL, BY_ABORT, BY_CLOSE, BY_SHUTDOWN, BY_ABANDON, WAYS };

struct plan {
	enum moment moment;
	enum way way;
	bool happened;
};

static void strike(brink_socket *socket, struct plan *plan, enum moment moment)
{
	brink_socket_id id = brink_socket_get_id(socket);
	int late = moment == AT_CLOSE;

	if (plan->moment != moment || plan->happened)
		return;
	plan->happened = true;
	switch (plan->way) {
	case BY_FAIL:
		CHECK_EQ(brink_socket_fail(id, -EIO, "in a callback"), late ? -ENOENT : 0);
		break;
	case BY_ABORT:
		CHECK_EQ(brink_socket_abort(id), late ? -ENOENT : 0);
		break;
	case BY_CLOSE:
		CHECK_EQ(brink_socket_close(socket), late ? -ENOTCONN : 0);
		break;
	case BY_SHUTDOWN:
		CHECK_EQ(brink_socket_shutdown(socket), late ? -ENOTCONN : 0);
		break;
	default:
		CHECK_EQ(brink_socket_abandon(id), late ? -ENOENT : 0);
	}
	if (plan->way == BY_FAIL || plan->way == BY_ABORT || plan->way == BY_ABANDON)
		CHECK(!is_alive(id));
	CHECK(brink_socket_write_bytes(socket, "x", 1) < 0);
}

static void at_open(brink_socket *socket, void *arg)
{
	strike(socket, arg, AT_OPEN);
}

static void at_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	strike(socket, arg, AT_BYTES);
	brink_buffer_pop(in, 3); /* what is left must not leak either */
}

static void at_end(brink_socket *socket, void *arg)
{
	strike(socket, arg, AT_END);
}

static void at_high(brink_socket *socket, void *arg)
{
	strike(socket, arg, AT_HIGH);
}

static void at_low(brink_socket *socket, void *arg)
{
	strike(socket, arg, AT_LOW);
}

static unsigned requests, requests_ended;

static void at_done(brink_socket *socket, int error, void *arg)
{
	requests_ended++;
	if (error == 0)
		strike(socket, arg, AT_DONE);
}

static void at_close(brink_socket *socket, int error, const char *text, void *arg)
{
	(void)error;
	(void)text;
	CHECK_EQ(requests_ended, requests);
	strike(socket, arg, AT_CLOSE);
}

static void write_some(brink_socket *socket, struct plan *plan, size_t size)
{
	requests += write_pattern(socket, 0, size, &(struct brink_write_options){.done = at_done, .arg = plan}) == 0;
}

static void one(brink_loop *loop, enum kind kind, enum moment moment, enum way way)
{
	struct plan plan = {.moment = moment, .way = way};
	struct taken taken = {0};
	struct life life;
	brink_socket *socket;

	requests = requests_ended = 0;
	start_life(&life, loop, kind, &(struct brink_socket_options){.on_open = at_open, .on_bytes = at_bytes,
		.on_end = at_end, .on_high = at_high, .on_low = at_low, .on_close = at_close, .arg = &plan,
		.high_water = 1u << 20, .low_water = 1000, .linger_timeout = BRINK_MS(20)});
	socket = held(&life);
	write_all(life.pair.theirs, "in the beginning", 16);
	write_some(socket, &plan, 100);
	write_some(socket, &plan, 6u << 20);
	write_some(socket, &plan, 100);
	TAKE_UNTIL(&life, &taken, life.closes == 1 || (requests_ended == requests && life.lows == life.highs));
	(void)shutdown(life.pair.theirs, SHUT_WR); /* refused where it was reset */
	RUN_UNTIL(loop, (take(life.pair.theirs, &taken, SIZE_MAX), life.closes == 1 || life.ends == 1));
	if (life.closes == 0 && moment == AT_CLOSE)
		CHECK_OK(brink_socket_fail(life.id, 0, NULL));
	TAKE_UNTIL(&life, &taken, life.closes == 1);
	CHECK(plan.happened);
	CHECK_EQ(requests_ended, requests);
	brink_socket_release(socket);
	forget(&taken);
	end_life(&life);
}

static void in_callbacks(enum kind kind)
{
	brink_loop *loop = new_loop();

	for (int moment = 0; moment < MOMENTS; moment++)
		for (int way = 0; way < WAYS; way++)
			one(loop, kind, (enum moment)moment, (enum way)way);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- what was written just before ---- */

static void note_error(brink_socket *socket, int error, void *arg)
{
	(void)socket;
	*(int *)arg = error;
}

static void write_and_fail(brink_socket *socket, brink_buffer *in, void *arg)
{
	brink_buffer_clear(in);
	CHECK_OK(write_pattern(socket, 0, 100, &(struct brink_write_options){.done = note_error, .arg = arg}));
	CHECK_OK(brink_socket_fail(brink_socket_get_id(socket), -EIO, "after a write"));
}

/* What a callback has written and then given up is not sent, and ends with the error. */
static void after_a_write(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct taken taken = {0};
	struct life life;
	int error = 1;

	open_life(&life, loop, kind, &(struct brink_socket_options){.on_bytes = write_and_fail, .arg = &error});
	write_all(life.pair.theirs, "question", 8);
	RUN_UNTIL(loop, life.closes == 1);
	CHECK_ERROR(error, -EIO);
	await(life.pair.theirs, BRINK_READ);
	take(life.pair.theirs, &taken, SIZE_MAX);
	CHECK_EQ(taken.size, 0);
	forget(&taken);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- at any moment, by other threads ---- */

static _Atomic(brink_socket_id) victim;
static atomic_bool hunting;

static void *hunt(void *arg)
{
	uint64_t state = seed() + (uintptr_t)arg;

	while (hunting) {
		brink_socket *socket = brink_socket_address(victim);

		if (socket == NULL)
			continue;
		for (unsigned i = random_of(&state, 30); i > 0; i--)
			(void)brink_socket_write_bytes(socket, "hunted", 6);
		switch (random_of(&state, 6)) {
		case 0:
			(void)brink_socket_fail(brink_socket_get_id(socket), -EIO, "hunted");
			break;
		case 1:
			(void)brink_socket_abort(brink_socket_get_id(socket));
			break;
		case 2:
			(void)brink_socket_close(socket);
			break;
		case 3:
			(void)brink_socket_shutdown(socket);
			break;
		case 4:
			brink_socket_pause(socket);
			brink_socket_resume(socket);
			break;
		default:
			(void)brink_socket_abandon(brink_socket_get_id(socket));
		}
		brink_socket_release(socket);
	}
	return NULL;
}

static void at_any_moment(enum kind kind)
{
	brink_loop *loop = new_loop();
	brink_executor *executor;
	pthread_t threads[3];

	CHECK_OK(brink_executor_create(&executor, &(struct brink_executor_options){.threads = 2}));
	signal(SIGPIPE, SIG_IGN); /* of the peer's writes */
	hunting = true;
	for (uintptr_t i = 0; i < 3; i++)
		run_thread(&threads[i], hunt, (void *)i);
	for (unsigned round = 0; round < (is_slow() ? 20 : 80); round++) {
		struct taken taken = {0};
		struct life life;
		brink_socket *socket;

		start_life(&life, loop, kind, &(struct brink_socket_options){
			.executor = round % 2 == 0 ? executor : NULL, .linger_timeout = BRINK_MS(5)});
		socket = brink_socket_address(life.id);
		victim = life.id;
		for (unsigned i = random_below(10); i > 0; i--) {
			(void)!write(life.pair.theirs, "from the peer", 13);
			CHECK_OK(brink_loop_run_once(loop, 0));
			if (socket != NULL)
				(void)write_pattern(socket, 0, random_below(100000), NULL);
		}
		if (socket != NULL)
			brink_socket_release(socket);
		(void)shutdown(life.pair.theirs, SHUT_WR);
		TAKE_UNTIL(&life, &taken, life.closes == 1);
		forget(&taken);
		end_life(&life);
	}
	hunting = false;
	for (unsigned i = 0; i < 3; i++)
		join_thread(threads[i]);
	CHECK_OK(brink_loop_destroy(loop));
	CHECK_OK(brink_executor_destroy(executor));
}

static const struct scenario scenarios[] = {
	SCENARIO("socket-fail/in-callbacks", in_callbacks, KINDS_STREAM),
	SCENARIO("socket-fail/after-a-write", after_a_write, KINDS_STREAM),
	SCENARIO("socket-fail/at-any-moment", at_any_moment, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group socket_fail_group = {"socket-fail", scenarios};
