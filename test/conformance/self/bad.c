/* Scenarios that must not pass: what the harness is there to find, once each. The name says
 * what is to be the verdict; test.sh looks. */
#include "../conformance.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whatever the program was started with. */
static void signals_come(enum kind kind)
{
	struct sigaction action;

	(void)kind;
	SYSCALL(sigaction(SIGUSR1, NULL, &action));
	CHECK(action.sa_handler == SIG_DFL);
}

static void do_nothing(enum kind kind)
{
	(void)kind;
}

static void check_fails(enum kind kind)
{
	(void)kind;
	puts("printed before the failure");
	CHECK_EQ(1 + 1, 3);
}

static void wrong_error(enum kind kind)
{
	(void)kind;
	CHECK_ERROR(-EBADF, -ENOENT);
}

static void descriptor_lost(enum kind kind)
{
	(void)kind;
	SYSCALL(dup(STDIN_FILENO));
}

static void crash(enum kind kind)
{
	(void)kind;
	signal(SIGSEGV, SIG_DFL); /* a sanitizer would make an exit of it */
	raise(SIGSEGV);
}

static void early_exit(enum kind kind)
{
	(void)kind;
	exit(0);
}

static void hang(enum kind kind)
{
	(void)kind;
	for (;;)
		pause();
}

static void skipped(enum kind kind)
{
	(void)kind;
	SKIP("a reason with a number, %d", 7);
}

static void trace_differs(enum kind kind)
{
	(void)kind;
	note("%s", backend_name());
}

static void trace_may_differ(enum kind kind)
{
	(void)kind;
	note("%s", backend_name());
	measure("a cell", "%s says so", backend_name());
}

/* An event that should not be, after the one that should. */
static void unexpected_event(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	feed(&pair, 1);
	expect_event(loop, &reader, BRINK_READ, 0);
	CHECK_OK(brink_watch_again(&reader.watch, BRINK_READ));
	expect_silence(loop);
}

static void forbidden_bit(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	feed(&pair, 1);
	shut_theirs(&pair);
	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	expect_event(loop, &reader, BRINK_READ, BRINK_EOF);
}

static void same_direction_twice(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	for (int i = 0; i < 2; i++) {
		CHECK_OK(brink_watch_again(&reader.watch, BRINK_READ));
		turn(loop);
	}
	expect_event(loop, &reader, BRINK_READ, 0);
}

/* A loop that never sleeps is not silent, though it calls nobody. */
static void wake_for_ever(brink_hook *hook)
{
	brink_loop_wakeup(hook->loop);
}

static void busy_loop(enum kind kind)
{
	brink_loop *loop = new_loop();
	brink_hook hook;

	(void)kind;
	brink_hook_init(&hook, wake_for_ever);
	CHECK_OK(brink_hook_start(loop, &hook, BRINK_HOOK_PREPARE));
	expect_silence(loop);
}

static const struct scenario scenarios[] = {
	SCENARIO("pass/signals-come", signals_come, 0, .promises = {1}),
	SCENARIO("pass/nothing", do_nothing, KINDS_ALL | KIND_UDP, .promises = {1}),
	SCENARIO("fail/check", check_fails, 0, .promises = {1}),
	SCENARIO("fail/wrong-error", wrong_error, 0, .promises = {1}),
	SCENARIO("fail/descriptor-lost", descriptor_lost, 0, .promises = {1}),
	SCENARIO("fail/crash", crash, 0, .promises = {1}),
	SCENARIO("fail/early-exit", early_exit, 0, .promises = {1}),
	SCENARIO("fail/hang", hang, 0, .promises = {1}),
	SCENARIO("skip/at-run-time", skipped, 0, .promises = {1}),
	SCENARIO("skip/by-table", check_fails, KIND_TCP, .promises = {1},
	         .except = {{NULL, KIND_TCP, "the table says so"}}),
	SCENARIO("differ/trace", trace_differs, 0, .promises = {1}),
	SCENARIO("pass/trace-free", trace_may_differ, 0, .promises = {1}, .flags = TRACE_FREE),
	SCENARIO("fail/unexpected-event", unexpected_event, KIND_UNIX, .promises = {1}),
	SCENARIO("fail/forbidden-bit", forbidden_bit, KIND_UNIX, .promises = {1}),
	SCENARIO("fail/same-direction-twice", same_direction_twice, KIND_UNIX, .promises = {1}),
	SCENARIO("fail/busy-loop", busy_loop, 0, .promises = {1}),
	NO_MORE_SCENARIOS,
};

static const struct group bad_group = {"bad", scenarios};
extern const struct group *const groups[];
extern const size_t group_count;
const struct group *const groups[] = {&bad_group};
const size_t group_count = 1;
