/* Signals as callbacks, beside whatever else the process does with them. */
#include "groups.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

struct catcher {
	brink_signal signal;
	unsigned calls;
	void (*then)(struct catcher *catcher);
	struct catcher *other;
};

static pthread_t loop_thread;

static void caught(brink_signal *signal)
{
	struct catcher *catcher = brink_container_of(signal, struct catcher, signal);

	CHECK(pthread_equal(pthread_self(), loop_thread));
	catcher->calls++;
	if (catcher->then != NULL)
		catcher->then(catcher);
}

static void catch_signal(brink_loop *loop, struct catcher *catcher, int number)
{
	memset(catcher, 0, sizeof *catcher);
	brink_signal_init(&catcher->signal, caught);
	CHECK_EQ(brink_signal_start(loop, &catcher->signal, number), 0);
	CHECK_EQ(catcher->signal.number, number);
	loop_thread = pthread_self();
}

static void let_go(struct catcher *catcher)
{
	CHECK_EQ(brink_signal_stop(&catcher->signal), 0);
}

static void some_turns(brink_loop *loop)
{
	for (int i = 0; i < 3; i++)
		CHECK_OK(brink_loop_run_once(loop, 0));
}

static void is_called(enum kind kind)
{
	static const int numbers[] = {SIGUSR1, SIGUSR2, SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGALRM, SIGCHLD, SIGURG};
	enum { COUNT = sizeof numbers / sizeof numbers[0] };
	brink_loop *loop = new_loop();
	struct catcher catchers[COUNT];

	(void)kind;
	for (int i = 0; i < COUNT; i++)
		catch_signal(loop, &catchers[i], numbers[i]);
	some_turns(loop);
	for (int i = 0; i < COUNT; i++) {
		raise(numbers[i]);
		CHECK_EQ(catchers[i].calls, 0); /* not in the handler */
		CHECK_EQ(brink_loop_run_once(loop, -1), 1);
		some_turns(loop);
		for (int k = 0; k < COUNT; k++)
			CHECK_EQ(catchers[k].calls, k <= i); /* once, and only this one */
	}
	for (int i = 0; i < COUNT; i++) /* several at once */
		raise(numbers[i]);
	some_turns(loop);
	for (int i = 0; i < COUNT; i++) {
		CHECK_EQ(catchers[i].calls, 2);
		let_go(&catchers[i]);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

/* Arrivals may be taken together, but the last is never lost. */
static void last_is_never_lost(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct catcher catcher;
	unsigned raised = 0;

	(void)kind;
	catch_signal(loop, &catcher, SIGUSR1);
	for (int round = 1; round <= 200; round++) {
		unsigned before = catcher.calls;

		for (int i = round % 7; i >= 0; i--, raised++)
			raise(SIGUSR1);
		CHECK_EQ(brink_loop_run_once(loop, -1), 1);
		CHECK_EQ(catcher.calls, before + 1);
	}
	some_turns(loop);
	CHECK(catcher.calls <= raised);
	let_go(&catcher);
	CHECK_OK(brink_loop_destroy(loop));
}

static atomic_bool in_wait;

static void see_wait(const struct brink_trace_record *record, void *context)
{
	(void)context;
	if (record->kind == BRINK_TRACE_WAIT && record->value != 0)
		atomic_store(&in_wait, true);
}

static void *signal_process(void *data)
{
	uint64_t end = hang_deadline();

	while (!atomic_load(&in_wait)) {
		if (monotonic_now() > end)
			FAIL("the loop does not wait");
		sleep_ms(1);
	}
	sleep_ms(3);
	kill(getpid(), SIGUSR1);
	return data;
}

static void during_the_wait(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct catcher catcher;
	pthread_t thread;

	(void)kind;
	catch_signal(loop, &catcher, SIGUSR1);
	brink_loop_set_trace(loop, see_wait, NULL);
	for (unsigned i = 1; i <= 5; i++) {
		atomic_store(&in_wait, false);
		CHECK_EQ(pthread_create(&thread, NULL, signal_process, NULL), 0);
		while (catcher.calls < i) /* a lost one is a hang */
			CHECK_OK(brink_loop_run_once(loop, -1));
		CHECK_EQ(catcher.calls, i);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
	let_go(&catcher);
	CHECK_OK(brink_loop_destroy(loop));
}

/* Two loops, and two of one loop: each is called. */
static void each_that_asked(enum kind kind)
{
	brink_loop *first = new_loop(), *second = new_loop();
	struct catcher one, two, other;

	(void)kind;
	catch_signal(first, &one, SIGUSR1);
	catch_signal(first, &two, SIGUSR1);
	catch_signal(second, &other, SIGUSR1);
	raise(SIGUSR1);
	CHECK_EQ(brink_loop_run_once(first, -1), 2);
	CHECK_EQ(brink_loop_run_once(second, -1), 1);
	CHECK_EQ(one.calls, 1);
	CHECK_EQ(two.calls, 1);
	CHECK_EQ(other.calls, 1);
	let_go(&one);
	raise(SIGUSR1);
	some_turns(first);
	some_turns(second);
	CHECK_EQ(one.calls, 1);
	CHECK_EQ(two.calls, 2);
	CHECK_EQ(other.calls, 2);
	CHECK_OK(brink_loop_destroy(first)); /* with one that is started */
	raise(SIGUSR1);
	some_turns(second);
	CHECK_EQ(other.calls, 3);
	CHECK_EQ(two.calls, 2);
	let_go(&other);
	CHECK_OK(brink_loop_destroy(second));
}

static void errors(enum kind kind)
{
	static const int bad[] = {0, -1, SIGKILL, SIGSTOP, 100000};
	brink_loop *loop = new_loop();
	struct catcher catcher;
	brink_signal empty;

	(void)kind;
	brink_signal_init(&empty, NULL);
	CHECK_ERROR(brink_signal_start(loop, &empty, SIGUSR1), -EINVAL);
	brink_signal_init(&empty, caught);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		CHECK_ERROR(brink_signal_start(loop, &empty, bad[i]), -EINVAL);
		CHECK_ERROR(brink_signal_stop(&empty), -ENOENT);
	}
	CHECK_EQ(brink_loop_run(loop), 0); /* none of them keeps it running */
	catch_signal(loop, &catcher, SIGUSR1);
	CHECK_ERROR(brink_signal_start(loop, &catcher.signal, SIGUSR1), -EEXIST);
	CHECK_ERROR(brink_signal_start(loop, &catcher.signal, SIGUSR2), -EEXIST);
	let_go(&catcher);
	CHECK_ERROR(brink_signal_stop(&catcher.signal), -ENOENT);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- what was there before ---- */

static atomic_uint plain_calls, info_calls;
static atomic_int sender;

static void plain_handler(int number)
{
	if (number == SIGUSR1)
		atomic_fetch_add(&plain_calls, 1u);
}

static void info_handler(int number, siginfo_t *info, void *context)
{
	if (number == SIGUSR1 && info != NULL && context != NULL) {
		atomic_store(&sender, (int)info->si_pid);
		atomic_fetch_add(&info_calls, 1u);
	}
}

static void expect_handler(const struct sigaction *expected)
{
	enum { INFO = SA_SIGINFO }; /* an int as sa_flags is: musl's is unsigned on some processors */
	struct sigaction now;

	SYSCALL(sigaction(SIGUSR1, NULL, &now));
	if ((expected->sa_flags & INFO) != 0)
		CHECK((now.sa_flags & INFO) != 0 && now.sa_sigaction == expected->sa_sigaction);
	else
		CHECK((now.sa_flags & INFO) == 0 && now.sa_handler == expected->sa_handler);
}

static void with_handler_before(struct sigaction *before, atomic_uint *counter)
{
	brink_loop *loop = new_loop();
	struct catcher first, second;

	sigemptyset(&before->sa_mask);
	SYSCALL(sigaction(SIGUSR1, before, NULL));
	catch_signal(loop, &first, SIGUSR1);
	catch_signal(loop, &second, SIGUSR1);
	raise(SIGUSR1);
	some_turns(loop);
	CHECK_EQ(first.calls, 1);
	if (counter != NULL)
		CHECK_EQ(atomic_load(counter), 1);
	let_go(&first);
	raise(SIGUSR1);
	some_turns(loop);
	CHECK_EQ(second.calls, 2);
	if (counter != NULL)
		CHECK_EQ(atomic_load(counter), 2);
	let_go(&second);
	expect_handler(before);
	if (counter != NULL) {
		raise(SIGUSR1);
		CHECK_EQ(atomic_load(counter), 3);
	}
	catch_signal(loop, &first, SIGUSR1); /* and again */
	raise(SIGUSR1);
	some_turns(loop);
	CHECK_EQ(first.calls, 1);
	CHECK_EQ(second.calls, 2);
	CHECK_OK(brink_loop_destroy(loop));
	expect_handler(before);
}

static void other_handlers_go_on(enum kind kind)
{
	(void)kind;
	with_handler_before(&(struct sigaction){.sa_handler = plain_handler}, &plain_calls);
	with_handler_before(&(struct sigaction){.sa_sigaction = info_handler, .sa_flags = SA_SIGINFO}, &info_calls);
	CHECK_EQ(atomic_load(&sender), getpid());
	with_handler_before(&(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	with_handler_before(&(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	with_handler_before(&(struct sigaction){.sa_handler = SIG_IGN, .sa_flags = SA_SIGINFO}, NULL);
	with_handler_before(&(struct sigaction){.sa_handler = SIG_DFL, .sa_flags = SA_SIGINFO}, NULL);
}

/* Others put theirs above ours and put back what they found, whatever was started and stopped meanwhile. `starts`: one is
 * still started then. */
static void with_handler_that_goes(unsigned rounds, bool starts)
{
	struct sigaction theirs = {.sa_handler = plain_handler}, found, at_first = {.sa_handler = SIG_DFL};
	brink_loop *loop = new_loop();
	struct catcher catcher;

	catch_signal(loop, &catcher, SIGUSR1);
	sigemptyset(&theirs.sa_mask);
	SYSCALL(sigaction(SIGUSR1, &theirs, &found));
	let_go(&catcher);
	for (unsigned i = 0; i < rounds; i++) {
		catch_signal(loop, &catcher, SIGUSR1);
		raise(SIGUSR1);
		some_turns(loop);
		CHECK_EQ(catcher.calls, 1);
		if (i + 1 < rounds || !starts)
			let_go(&catcher);
	}
	SYSCALL(sigaction(SIGUSR1, &found, NULL));
	if (starts && rounds > 0) {
		let_go(&catcher);
		expect_handler(&at_first);
	}
	for (unsigned i = 0; i < 2; i++) {
		catch_signal(loop, &catcher, SIGUSR1);
		raise(SIGUSR1);
		some_turns(loop);
		CHECK_EQ(catcher.calls, 1);
		let_go(&catcher);
		expect_handler(&at_first);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static void handler_above_that_goes(enum kind kind)
{
	(void)kind;
	for (unsigned rounds = 0; rounds < 3; rounds++) {
		with_handler_that_goes(rounds, false);
		with_handler_that_goes(rounds, true);
	}
}

/* Who takes the signal away from everybody, by a disposition that calls nobody, has it taken back by each start. */
static void taken_away(enum kind kind)
{
	static void (*const nobody[])(int) = {SIG_DFL, SIG_IGN};
	brink_loop *loop = new_loop();
	struct catcher catcher;

	(void)kind;
	for (unsigned i = 0; i < 6; i++) {
		catch_signal(loop, &catcher, SIGUSR1);
		raise(SIGUSR1);
		some_turns(loop);
		CHECK_EQ(catcher.calls, 1);
		CHECK(signal(SIGUSR1, nobody[i % 2]) != SIG_ERR);
		let_go(&catcher);
		expect_handler(&(struct sigaction){.sa_handler = nobody[i % 2]});
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static void spoil_errno(int number)
{
	(void)number;
	errno = EIO;
}

/* Also where a handler that ours calls in turn changes it. */
static void errno_is_kept(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct catcher catcher;

	(void)kind;
	CHECK(signal(SIGUSR1, spoil_errno) != SIG_ERR);
	catch_signal(loop, &catcher, SIGUSR1);
	for (int i = 0; i < 3; i++) {
		errno = ENOTTY;
		kill(getpid(), SIGUSR1);
		CHECK_EQ(errno, ENOTTY);
	}
	some_turns(loop);
	let_go(&catcher);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- starting and stopping ---- */

static void stopped_before_its_call(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct catcher first, second;

	(void)kind;
	catch_signal(loop, &first, SIGUSR1);
	catch_signal(loop, &second, SIGUSR2);
	raise(SIGUSR1);
	let_go(&first);
	some_turns(loop);
	CHECK_EQ(first.calls, 0);
	CHECK_EQ(second.calls, 0);
	/* Nor is it news to who asks afterwards. */
	catch_signal(loop, &first, SIGUSR1);
	raise(SIGUSR1);
	let_go(&first);
	catch_signal(loop, &first, SIGUSR1);
	some_turns(loop);
	CHECK_EQ(first.calls, 0);
	let_go(&first);
	let_go(&second);
	CHECK_OK(brink_loop_destroy(loop));
}

static void stop_itself(struct catcher *catcher)
{
	let_go(catcher);
}

static void stop_other(struct catcher *catcher)
{
	let_go(catcher->other);
}

static void restart_elsewhere(struct catcher *catcher)
{
	let_go(catcher);
	CHECK_OK(brink_signal_start(catcher->signal.loop, &catcher->signal, SIGUSR2));
	catcher->then = NULL;
}

static void changed_in_callbacks(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct catcher first, second, third;

	(void)kind;
	catch_signal(loop, &first, SIGUSR1);
	catch_signal(loop, &second, SIGUSR1);
	catch_signal(loop, &third, SIGUSR1);
	first.then = stop_other;
	first.other = &second;
	third.then = stop_itself;
	raise(SIGUSR1);
	some_turns(loop);
	CHECK_EQ(first.calls, 1);
	CHECK_EQ(second.calls, 0);
	CHECK_EQ(third.calls, 1);
	first.then = restart_elsewhere;
	raise(SIGUSR1);
	some_turns(loop);
	CHECK_EQ(first.calls, 2);
	raise(SIGUSR2);
	some_turns(loop);
	CHECK_EQ(first.calls, 3);
	let_go(&first);
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_OK(brink_loop_destroy(loop));
}

static void raise_again(struct catcher *catcher)
{
	if (catcher->calls < 5)
		raise(catcher->signal.number);
}

/* One that arrives during its own call is another call. */
static void raised_in_its_call(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct catcher catcher;

	(void)kind;
	catch_signal(loop, &catcher, SIGUSR1);
	catcher.then = raise_again;
	raise(SIGUSR1);
	for (unsigned i = 1; i <= 5; i++) {
		CHECK_EQ(brink_loop_run_once(loop, -1), 1);
		CHECK_EQ(catcher.calls, i);
	}
	let_go(&catcher);
	CHECK_OK(brink_loop_destroy(loop));
}

/* Loops come and go on other threads while the signal rains. */
static atomic_bool raining;

static void *rain(void *data)
{
	while (atomic_load(&raining)) {
		kill(getpid(), SIGUSR1);
		sleep_ms(1);
	}
	return data;
}

static void ignore_call(brink_signal *signal)
{
	(void)signal;
}

static void *come_and_go(void *data)
{
	(void)data;
	for (int i = is_slow() ? 10 : 60; i > 0; i--) {
		brink_loop *loop = new_loop();
		brink_signal signal;

		brink_signal_init(&signal, ignore_call);
		CHECK_OK(brink_signal_start(loop, &signal, SIGUSR1));
		CHECK_OK(brink_loop_run_once(loop, (int64_t)BRINK_MS(2)));
		if (i % 2 == 0)
			CHECK_OK(brink_signal_stop(&signal));
		CHECK_OK(brink_loop_destroy(loop));
	}
	return NULL;
}

static void loops_come_and_go(enum kind kind)
{
	enum { THREADS = 3 };
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	pthread_t threads[THREADS], cloud;

	(void)kind;
	sigemptyset(&ignore.sa_mask);
	SYSCALL(sigaction(SIGUSR1, &ignore, NULL));
	atomic_store(&raining, true);
	CHECK_EQ(pthread_create(&cloud, NULL, rain, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	atomic_store(&raining, false);
	CHECK_EQ(pthread_join(cloud, NULL), 0);
	expect_handler(&ignore);
}

static struct sigaction below;
static atomic_uint above_calls;

static void above_handler(int number, siginfo_t *info, void *context)
{
	above_calls++;
	below.sa_sigaction(number, info, context);
}

/* Somebody puts a handler above the library's that calls it in turn. To stop and start then
 * makes no circle of the two, and nobody is left out. */
static void handler_above_that_chains(enum kind kind)
{
	struct sigaction above = {.sa_sigaction = above_handler, .sa_flags = SA_SIGINFO};
	brink_loop *loop = new_loop();
	struct catcher catcher;

	(void)kind;
	catch_signal(loop, &catcher, SIGUSR1);
	SYSCALL(sigaction(SIGUSR1, &above, &below));
	for (unsigned round = 1; round <= 4; round++) {
		raise(SIGUSR1);
		some_turns(loop);
		CHECK_EQ(above_calls, round);
		CHECK_EQ(catcher.calls, 1);
		let_go(&catcher);
		catch_signal(loop, &catcher, SIGUSR1);
	}
	let_go(&catcher);
	CHECK_OK(brink_loop_destroy(loop));
}

static atomic_bool heard;

static void slow_handler(int number, siginfo_t *info, void *context)
{
	while (!heard)
		sleep_ms(1);
	above_handler(number, info, context);
}

static void *raise_one(void *unused)
{
	raise(SIGUSR1);
	return unused;
}

static struct sigaction below_top;

static void top_handler(int number, siginfo_t *info, void *context)
{
	below_top.sa_sigaction(number, info, context);
}

/* The library's handler is above theirs, which calls the one below: that is no second arrival, however late it is. Nor
 * where yet another is `topped` on all of them. */
static void between_takes_long(bool topped)
{
	struct sigaction between = {.sa_sigaction = slow_handler, .sa_flags = SA_SIGINFO};
	struct sigaction top = {.sa_sigaction = top_handler, .sa_flags = SA_SIGINFO};
	brink_loop *loop = new_loop();
	struct catcher catcher;
	pthread_t other;

	catch_signal(loop, &catcher, SIGUSR1);
	SYSCALL(sigaction(SIGUSR1, &between, &below));
	let_go(&catcher);
	catch_signal(loop, &catcher, SIGUSR1);
	if (topped)
		SYSCALL(sigaction(SIGUSR1, &top, &below_top));
	CHECK_EQ(pthread_create(&other, NULL, raise_one, NULL), 0);
	RUN_UNTIL(loop, catcher.calls == 1);
	heard = true;
	CHECK_EQ(pthread_join(other, NULL), 0);
	CHECK_EQ(above_calls, 1);
	some_turns(loop);
	CHECK_EQ(catcher.calls, 1);
	let_go(&catcher);
	CHECK_OK(brink_loop_destroy(loop));
}

static void handler_between_takes_long(enum kind kind)
{
	(void)kind;
	between_takes_long(false);
}

static void handler_between_below_another(enum kind kind)
{
	(void)kind;
	between_takes_long(true);
}

static const struct scenario scenarios[] = {
	SCENARIO("signal/is-called", is_called, 0, .promises = {22}),
	SCENARIO("signal/last-is-never-lost", last_is_never_lost, 0, .promises = {22}),
	SCENARIO("signal/during-the-wait", during_the_wait, 0, .promises = {11, 22}),
	SCENARIO("signal/each-that-asked", each_that_asked, 0, .promises = {22}),
	SCENARIO("signal/errors", errors, 0, .promises = {14, 22}),
	SCENARIO("signal/other-handlers-go-on", other_handlers_go_on, 0, .promises = {22}),
	SCENARIO("signal/handler-above-that-chains", handler_above_that_chains, 0, .promises = {22}),
	SCENARIO("signal/handler-between-takes-long", handler_between_takes_long, 0, .promises = {22}),
	SCENARIO("signal/handler-between-below-another", handler_between_below_another, 0, .promises = {22}),
	SCENARIO("signal/handler-above-that-goes", handler_above_that_goes, 0, .promises = {22}),
	SCENARIO("signal/taken-away", taken_away, 0, .promises = {22}),
	SCENARIO("signal/errno-is-kept", errno_is_kept, 0, .promises = {22}),
	SCENARIO("signal/stopped-before-its-call", stopped_before_its_call, 0, .promises = {22}),
	SCENARIO("signal/changed-in-callbacks", changed_in_callbacks, 0, .promises = {7, 22}),
	SCENARIO("signal/raised-in-its-call", raised_in_its_call, 0, .promises = {22, 23}),
	SCENARIO("signal/loops-come-and-go", loops_come_and_go, 0, .promises = {22}),
	NO_MORE_SCENARIOS,
};

const struct group signal_group = {"signal", scenarios};
