/* Tasks: once each, in order, from anywhere, and none is lost. */
#include "groups.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static char order[64];

struct letter {
	brink_task task;
	brink_loop *loop;
	char letter;
	void (*then)(struct letter *letter);
	struct letter *other;
};

static void call_letter(brink_task *task)
{
	struct letter *letter = brink_container_of(task, struct letter, task);
	size_t length = strlen(order);

	CHECK(length + 1 < sizeof order);
	order[length] = letter->letter;
	order[length + 1] = '\0';
	if (letter->then != NULL)
		letter->then(letter);
}

static void init_letter(struct letter *letter, brink_loop *loop, char name)
{
	*letter = (struct letter){.loop = loop, .letter = name};
	brink_task_init(&letter->task, call_letter);
}

static void expect_order(const char *expected)
{
	if (strcmp(order, expected) != 0)
		FAIL("the order of calls was \"%s\" instead of \"%s\"", order, expected);
	order[0] = '\0';
}

static void run_turn(brink_loop *loop)
{
	CHECK_OK(brink_loop_run_once(loop, 0));
}

/* ---- in one thread ---- */

static void post_itself(struct letter *letter)
{
	brink_task_post(letter->loop, &letter->task);
}

static void in_order_of_posts(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct letter letters[5];

	(void)kind;
	for (int i = 0; i < 5; i++) {
		init_letter(&letters[i], loop, (char)('a' + i));
		brink_task_post(loop, &letters[i].task);
	}
	expect_order(""); /* not in the post */
	CHECK_EQ(brink_loop_run_once(loop, 0), 5);
	expect_order("abcde");
	CHECK_EQ(brink_loop_run_once(loop, 0), 0); /* once */
	letters[1].then = post_itself;
	for (int i = 4; i >= 0; i--)
		brink_task_post(loop, &letters[i].task);
	run_turn(loop);
	expect_order("edcba");
	run_turn(loop);
	run_turn(loop);
	expect_order("bb"); /* one call a turn */
	CHECK_OK(brink_task_cancel(loop, &letters[1].task));
	CHECK_EQ(brink_loop_run(loop), 0);
	expect_order("");
	CHECK_OK(brink_loop_destroy(loop));
}

static void free_itself(struct letter *letter)
{
	free(letter);
}

static void freed_in_its_call(enum kind kind)
{
	brink_loop *loop = new_loop();

	(void)kind;
	for (int i = 0; i < 3; i++) {
		struct letter *letter = malloc(sizeof *letter);

		CHECK(letter != NULL);
		init_letter(letter, loop, (char)('a' + i));
		letter->then = free_itself;
		brink_task_post(loop, &letter->task);
	}
	run_turn(loop);
	expect_order("abc");
	CHECK_OK(brink_loop_destroy(loop));
}

static void cancel_other(struct letter *letter)
{
	CHECK_EQ(brink_task_cancel(letter->loop, &letter->other->task), 0);
	CHECK_ERROR(brink_task_cancel(letter->loop, &letter->other->task), -ENOENT);
}

static void cancelled(enum kind kind)
{
	brink_loop *loop = new_loop(), *elsewhere = new_loop();
	struct letter letters[6];

	(void)kind;
	for (int i = 0; i < 6; i++)
		init_letter(&letters[i], loop, (char)('a' + i));
	CHECK_ERROR(brink_task_cancel(loop, &letters[0].task), -ENOENT);
	for (int i = 0; i < 6; i++)
		brink_task_post(loop, &letters[i].task);
	CHECK_ERROR(brink_task_cancel(elsewhere, &letters[2].task), -ENOENT);
	CHECK_EQ(brink_task_cancel(loop, &letters[0].task), 0); /* first, middle, last */
	CHECK_EQ(brink_task_cancel(loop, &letters[3].task), 0);
	CHECK_EQ(brink_task_cancel(loop, &letters[5].task), 0);
	CHECK_ERROR(brink_task_cancel(loop, &letters[3].task), -ENOENT);
	run_turn(loop);
	expect_order("bce");
	CHECK_ERROR(brink_task_cancel(loop, &letters[1].task), -ENOENT); /* it was called */
	for (int i = 5; i >= 0; i--)
		brink_task_post(loop, &letters[i].task);
	letters[5].then = cancel_other; /* one of the same turn */
	letters[5].other = &letters[2];
	run_turn(loop);
	run_turn(loop);
	expect_order("fedba");
	CHECK_OK(brink_loop_destroy(elsewhere));
	CHECK_OK(brink_loop_destroy(loop));
}

static void post_itself_and_cancel(struct letter *letter)
{
	brink_task_post(letter->loop, &letter->task);
	brink_task_cancel(letter->loop, &letter->other->task);
}

/* A cancel does not bring what was posted in this turn forward. */
static void cancel_keeps_turns_apart(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct letter first, second;

	(void)kind;
	init_letter(&first, loop, 'a');
	init_letter(&second, loop, 'b');
	first.then = post_itself_and_cancel;
	first.other = &second;
	brink_task_post(loop, &first.task);
	brink_task_post(loop, &second.task);
	run_turn(loop);
	expect_order("a");
	run_turn(loop);
	expect_order("a");
	CHECK_OK(brink_task_cancel(loop, &first.task));
	CHECK_OK(brink_loop_destroy(loop));
}

/* The end of a loop calls what is posted, once each. */
static void called_by_destroy(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct letter letters[3];

	(void)kind;
	for (int i = 0; i < 3; i++) {
		init_letter(&letters[i], loop, (char)('a' + i));
		brink_task_post(loop, &letters[i].task);
	}
	CHECK_OK(brink_task_cancel(loop, &letters[1].task));
	CHECK_OK(brink_loop_destroy(loop));
	expect_order("ac");
}

/* A task that comes back each turn starves no descriptor. */
static void starves_nothing(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct probe reader;
	struct letter letter;

	init_letter(&letter, loop, 'a');
	letter.then = post_itself;
	brink_task_post(loop, &letter.task);
	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	run_turn(loop);
	feed(&pair, 1);
	for (int i = 0; i < 40 && reader.calls == 0; i++)
		run_turn(loop);
	CHECK_EQ(reader.calls, 1);
	accept_calls(&reader);
	CHECK_OK(brink_task_cancel(loop, &letter.task));
	stop_probe(&reader);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

/* ---- from other threads ---- */

enum { POSTERS = 4, MOST = 20000 };

struct post {
	brink_task task;
	unsigned poster, number; /* written before the post, read by the call */
};

struct poster {
	brink_loop *loop;
	struct post *posts;
	unsigned count, number;
};

static unsigned next_of[POSTERS], called;
static pthread_t loop_thread;

static void check_post(brink_task *task)
{
	struct post *post = brink_container_of(task, struct post, task);

	CHECK(pthread_equal(pthread_self(), loop_thread));
	if (post->number != next_of[post->poster])
		FAIL("poster %u: task %u was called where %u was next", post->poster, post->number,
		     next_of[post->poster]);
	next_of[post->poster]++;
	called++;
}

static void *post_many(void *data)
{
	struct poster *poster = data;

	for (unsigned i = 0; i < poster->count; i++) {
		struct post *post = &poster->posts[i];

		brink_task_init(&post->task, check_post);
		post->poster = poster->number;
		post->number = i;
		brink_task_post(poster->loop, &post->task);
	}
	return NULL;
}

static void from_many_threads(enum kind kind)
{
	brink_loop *loop = new_loop();
	unsigned count = is_slow() ? MOST / 10 : MOST;
	struct poster posters[POSTERS];
	pthread_t threads[POSTERS];

	(void)kind;
	loop_thread = pthread_self();
	brink_loop_ref(loop);
	for (unsigned i = 0; i < POSTERS; i++) {
		posters[i] = (struct poster){loop, calloc(count, sizeof(struct post)), count, i};
		CHECK(posters[i].posts != NULL);
		CHECK_EQ(pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
	}
	while (called < POSTERS * count) /* a lost wakeup is a hang */
		CHECK_OK(brink_loop_run_once(loop, -1));
	for (unsigned i = 0; i < POSTERS; i++) {
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
		CHECK_EQ(next_of[i], count);
		free(posters[i].posts);
	}
	run_turn(loop);
	run_turn(loop);
	CHECK_EQ(called, POSTERS * count);
	brink_loop_unref(loop);
	CHECK_OK(brink_loop_destroy(loop));
}

/* One at a time: each post finds the loop asleep, or about to sleep. */
static atomic_uint balls;

static void return_ball(brink_task *task)
{
	(void)task;
	atomic_fetch_add(&balls, 1u);
}

struct player {
	brink_loop *loop;
	unsigned rounds;
};

static void *play(void *data)
{
	struct player *player = data;
	brink_task task;

	brink_task_init(&task, return_ball);
	for (unsigned i = 0; i < player->rounds; i++) {
		uint64_t end = hang_deadline();

		brink_task_post(player->loop, &task);
		while (atomic_load(&balls) == i) {
			if (monotonic_now() > end)
				FAIL("post %u was not called", i);
			sched_yield();
		}
	}
	brink_loop_stop(player->loop);
	return NULL;
}

static void back_and_forth(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct player player = {loop, is_slow() ? 500 : 5000};
	pthread_t thread;

	(void)kind;
	brink_loop_ref(loop);
	CHECK_EQ(pthread_create(&thread, NULL, play, &player), 0);
	CHECK_EQ(brink_loop_run(loop), 1);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(atomic_load(&balls), player.rounds);
	brink_loop_unref(loop);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- exactly between the drain of the wakeup pipe and the clearing of its flag ---- */

struct gap {
	brink_loop *loop;
	brink_task task;
	bool by_thread;
	unsigned posts, calls;
};

static void count_gap(brink_task *task)
{
	brink_container_of(task, struct gap, task)->calls++;
}

static void *post_gap(void *data)
{
	struct gap *gap = data;

	brink_task_post(gap->loop, &gap->task);
	return NULL;
}

static void post_in_gap(const struct brink_trace_record *record, void *context)
{
	struct gap *gap = context;
	pthread_t thread;

	if (record->kind != BRINK_TRACE_WAKEUP || gap->posts != gap->calls)
		return;
	gap->posts++;
	if (!gap->by_thread) {
		post_gap(gap);
		return;
	}
	CHECK_EQ(pthread_create(&thread, NULL, post_gap, gap), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void posted_in_the_gap(enum kind kind)
{
	(void)kind;
	for (int by_thread = 0; by_thread < 2; by_thread++) {
		struct gap gap = {.loop = new_loop(), .by_thread = by_thread != 0};

		brink_task_init(&gap.task, count_gap);
		brink_loop_ref(gap.loop);
		for (unsigned round = 1; round <= 50; round++) {
			brink_loop_set_trace(gap.loop, post_in_gap, &gap);
			brink_loop_wakeup(gap.loop);
			while (gap.posts < round)
				CHECK_OK(brink_loop_run_once(gap.loop, -1));
			brink_loop_set_trace(gap.loop, NULL, NULL);
			while (gap.calls < round) /* a lost one is a hang */
				CHECK_OK(brink_loop_run_once(gap.loop, -1));
			CHECK_EQ(gap.posts, round);
			CHECK_EQ(gap.calls, round);
		}
		brink_loop_unref(gap.loop);
		CHECK_OK(brink_loop_destroy(gap.loop));
	}
}

/* ---- from signal handlers ---- */

static struct {
	brink_loop *loop;
	struct post *posts;
	atomic_uint posted;
	unsigned count;
} handler;

static void post_in_handler(int number)
{
	unsigned at = atomic_load(&handler.posted);

	(void)number;
	if (at >= handler.count)
		return;
	atomic_store(&handler.posted, at + 1);
	brink_task_post(handler.loop, &handler.posts[at].task);
}

static void set_alarms(bool on)
{
	struct sigaction action = {.sa_handler = on ? post_in_handler : SIG_IGN};
	struct itimerval period = {{0, on ? 300 : 0}, {0, on ? 300 : 0}};

	sigemptyset(&action.sa_mask);
	if (on)
		SYSCALL(sigaction(SIGALRM, &action, NULL));
	SYSCALL(setitimer(ITIMER_REAL, &period, NULL));
	if (!on)
		SYSCALL(sigaction(SIGALRM, &action, NULL));
}

/* The handler interrupts anything, the loop and posts under way included. */
static void from_signal_handler(enum kind kind)
{
	brink_loop *loop = new_loop();
	unsigned count = is_slow() ? 100 : 500;
	struct post own = {.poster = 1};

	(void)kind;
	loop_thread = pthread_self();
	brink_loop_ref(loop);
	handler.loop = loop;
	handler.count = count;
	handler.posts = calloc(count, sizeof(struct post));
	CHECK(handler.posts != NULL);
	for (unsigned i = 0; i < count; i++) {
		brink_task_init(&handler.posts[i].task, check_post);
		handler.posts[i].number = i;
	}
	brink_task_init(&own.task, check_post);
	set_alarms(true);
	while (next_of[0] < count) {
		own.number = next_of[1];
		brink_task_post(loop, &own.task);
		while (next_of[1] == own.number)
			CHECK_OK(brink_loop_run_once(loop, -1));
		if (own.number % 8 == 0 && next_of[0] < count)
			CHECK_OK(brink_loop_run_once(loop, -1)); /* only the handler ends this */
	}
	set_alarms(false);
	CHECK_EQ(atomic_load(&handler.posted), count);
	run_turn(loop);
	CHECK_EQ(next_of[0], count);
	free(handler.posts);
	brink_loop_unref(loop);
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("task/in-order-of-posts", in_order_of_posts, 0, .promises = {20, 23}),
	SCENARIO("task/freed-in-its-call", freed_in_its_call, 0, .promises = {7, 20}),
	SCENARIO("task/cancelled", cancelled, 0, .promises = {14, 20}),
	SCENARIO("task/cancel-keeps-turns-apart", cancel_keeps_turns_apart, 0, .promises = {20, 23}),
	SCENARIO("task/called-by-destroy", called_by_destroy, 0, .promises = {20}),
	SCENARIO("task/starves-nothing", starves_nothing, KINDS_ALL, .promises = {10, 20}),
	SCENARIO("task/from-many-threads", from_many_threads, 0, .promises = {9, 20}),
	SCENARIO("task/back-and-forth", back_and_forth, 0, .promises = {9, 20}),
	SCENARIO("task/posted-in-the-gap", posted_in_the_gap, 0, .promises = {9, 20}),
	SCENARIO("task/from-signal-handler", from_signal_handler, 0, .promises = {9, 20}),
	NO_MORE_SCENARIOS,
};

const struct group task_group = {"task", scenarios};
