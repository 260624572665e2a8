/* The wait: its length, what it takes from the kernel, and what ends it. */
#include "groups.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define MS (int64_t)BRINK_MS(1)

/* ---- many at once ---- */

struct crowd {
	size_t count;
	struct pair *pairs;
	struct probe *probes;
};

static struct crowd open_crowd(brink_loop *loop, enum kind kind, size_t count, probe_fn *act)
{
	struct crowd crowd = {.count = count};

	crowd.pairs = calloc(count, sizeof *crowd.pairs);
	crowd.probes = calloc(count, sizeof *crowd.probes);
	CHECK(crowd.pairs != NULL && crowd.probes != NULL);
	for (size_t i = 0; i < count; i++) {
		crowd.pairs[i] = open_pair(kind, BRINK_READ);
		start_probe_acting(loop, &crowd.probes[i], "one of many", crowd.pairs[i].ours, BRINK_READ, act);
	}
	return crowd;
}

static void close_crowd(struct crowd *crowd)
{
	for (size_t i = 0; i < crowd->count; i++) {
		stop_probe(&crowd->probes[i]);
		close_pair(&crowd->pairs[i]);
	}
	free(crowd->pairs);
	free(crowd->probes);
}

static bool all_have(const struct crowd *crowd, size_t bytes)
{
	for (size_t i = 0; i < crowd->count; i++)
		if (crowd->probes[i].bytes < bytes)
			return false;
	return true;
}

/* All become ready before a wait: each has its event, once; and when they are drained, the
 * same time after time. */
static void rounds_of_all(const struct brink_loop_options *options, enum kind kind, size_t count, unsigned rounds)
{
	brink_loop *loop = new_loop_with(options);
	struct crowd crowd = open_crowd(loop, kind, count, NULL);

	expect_silence(loop);
	for (size_t i = 0; i < count; i++)
		feed(&crowd.pairs[i], 3);
	for (size_t i = 0; i < count; i++)
		expect_event(loop, &crowd.probes[i], BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	expect_silence(loop);
	for (size_t i = 0; i < count; i++) {
		CHECK_EQ(read_to_end(&crowd.probes[i], &crowd.probes[i].bytes), -EAGAIN);
		crowd.probes[i].act = act_drain;
	}
	for (unsigned round = 2; round < 2 + rounds; round++) {
		for (size_t i = 0; i < count; i++)
			feed(&crowd.pairs[i], 3);
		RUN_UNTIL(loop, all_have(&crowd, round * 3));
	}
	for (size_t i = 0; i < count; i++) {
		CHECK_EQ(crowd.probes[i].bytes, 3 * (rounds + 1));
		CHECK_EQ(crowd.probes[i].ready, BRINK_READ);
		discard_calls(&crowd.probes[i]);
	}
	close_crowd(&crowd);
	brink_loop_destroy(loop);
}

static void batch_of_one(enum kind kind)
{
	rounds_of_all(&(struct brink_loop_options){.batch = 1}, kind, 8, 2);
}

static void more_than_a_batch(enum kind kind)
{
	rounds_of_all(&(struct brink_loop_options){.batch = 4}, kind, 40, 2);
}

static void more_than_the_usual_batch(enum kind kind)
{
	rounds_of_all(NULL, kind, 300, 1);
}

/* Where results wait in a queue of the kernel's: far more of them than it has room for. */
static void small_ring(enum kind kind)
{
	rounds_of_all(&(struct brink_loop_options){.ring_entries = 1}, kind, 40, 3);
}

static void small_ring_and_batch(enum kind kind)
{
	rounds_of_all(&(struct brink_loop_options){.ring_entries = 2, .batch = 1}, kind, 20, 3);
}

/* Some that are ready in every wait, and fill the batch, do not hide the others. */
static void busy_ones_hide_nobody(enum kind kind)
{
	enum { BUSY = 4, OTHERS = 12, PATIENCE = 40 * (BUSY + OTHERS) };
	brink_loop *loop = new_loop_with(&(struct brink_loop_options){.batch = 2});
	struct pair busy[BUSY];
	struct probe hot[BUSY];
	struct crowd crowd;
	size_t reached = 0;

	for (int i = 0; i < BUSY; i++) {
		busy[i] = open_pair(kind, BRINK_READ);
		start_probe(loop, &hot[i], "busy", busy[i].ours, BRINK_READ | BRINK_LEVEL);
		feed(&busy[i], 1);
	}
	for (int i = 0; i < 5; i++)
		turn(loop);
	crowd = open_crowd(loop, kind, OTHERS, NULL);
	for (size_t i = 0; i < OTHERS; i++)
		feed(&crowd.pairs[i], 1);
	for (int i = 0; i < PATIENCE && reached < OTHERS; i++) {
		turn(loop);
		reached = 0;
		for (size_t k = 0; k < OTHERS; k++)
			reached += crowd.probes[k].calls != 0;
	}
	CHECK_EQ(reached, OTHERS);
	for (size_t i = 0; i < OTHERS; i++) {
		CHECK_EQ(crowd.probes[i].calls, 1);
		accept_calls(&crowd.probes[i]);
	}
	for (int i = 0; i < BUSY; i++) {
		CHECK(hot[i].calls > 0);
		discard_calls(&hot[i]);
		stop_probe(&hot[i]);
		close_pair(&busy[i]);
	}
	close_crowd(&crowd);
	brink_loop_destroy(loop);
}

/* ---- the length of the wait ---- */

/* A loop that has something to wait for which does not come. */
struct idle {
	brink_loop *loop;
	struct pair pair;
	struct probe probe;
};

static void open_idle(struct idle *idle)
{
	idle->loop = new_loop();
	idle->pair = open_pair(KIND_UNIX, BRINK_READ);
	start_probe(idle->loop, &idle->probe, "idle", idle->pair.ours, BRINK_READ);
	expect_silence(idle->loop);
}

static void close_idle(struct idle *idle)
{
	expect_silence(idle->loop);
	stop_probe(&idle->probe);
	close_pair(&idle->pair);
	brink_loop_destroy(idle->loop);
}

/* Nothing comes, and the whole time is waited for. */
static void expect_whole_wait(brink_loop *loop, int64_t timeout)
{
	uint64_t before = monotonic_now();

	CHECK_EQ(brink_loop_run_once(loop, timeout), 0);
	if (monotonic_now() - before < (uint64_t)timeout)
		FAIL("a wait of %lld ns ended after %llu ns without a reason", (long long)timeout,
		     (unsigned long long)(monotonic_now() - before));
}

static void no_shorter_than_asked(enum kind kind)
{
	static const int64_t timeouts[] = {0, 1, 999, 1000, 1001, 999999, MS, MS + 1, 20 * MS + 500000, 50 * MS};
	struct idle idle;

	(void)kind;
	open_idle(&idle);
	for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++)
		expect_whole_wait(idle.loop, timeouts[i]);
	close_idle(&idle);
}

static void count_timer(brink_timer *timer)
{
	(void)timer;
}

/* A timeout that no kernel's clock can hold is as good as none; a timer ends it. */
static void huge_and_negative(enum kind kind)
{
	static const int64_t timeouts[] = {
		-1, INT64_MIN, INT64_MAX, INT64_MAX - 1, INT64_MAX / 2, INT32_MAX * MS, (INT32_MAX + INT64_C(1)) * MS,
		UINT32_MAX * MS, (UINT32_MAX + INT64_C(1)) * MS, INT32_MAX * INT64_C(1000000000),
	};
	struct idle idle;
	brink_timer timer;

	(void)kind;
	open_idle(&idle);
	brink_timer_init(&timer, count_timer);
	for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
		uint64_t before = monotonic_now();

		CHECK_OK(brink_timer_start(idle.loop, &timer, BRINK_MS(10), 0));
		CHECK_EQ(brink_loop_run_once(idle.loop, timeouts[i]), 1);
		CHECK(monotonic_now() - before >= BRINK_MS(10));
	}
	close_idle(&idle);
}

/* A turn on an empty loop does not wait for ever. */
static void nothing_to_wait_for(enum kind kind)
{
	brink_loop *loop = new_loop();

	(void)kind;
	CHECK_EQ(brink_loop_run_once(loop, -1), 0);
	CHECK_EQ(brink_loop_run_once(loop, 0), 0);
	CHECK_EQ(brink_loop_run(loop), 0);
	brink_loop_destroy(loop);
}

/* ---- interruptions ---- */

static atomic_uint alarms;

static void on_alarm(int number)
{
	(void)number;
	atomic_fetch_add(&alarms, 1u);
}

/* SIGALRM each millisecond, or no more. */
static void set_storm(bool on)
{
	struct sigaction action = {.sa_handler = on ? on_alarm : SIG_IGN};
	struct itimerval period = {{0, on ? 1000 : 0}, {0, on ? 1000 : 0}};

	sigemptyset(&action.sa_mask);
	if (on)
		SYSCALL(sigaction(SIGALRM, &action, NULL));
	SYSCALL(setitimer(ITIMER_REAL, &period, NULL));
	if (!on)
		SYSCALL(sigaction(SIGALRM, &action, NULL));
}

static void interrupted_wait(enum kind kind)
{
	struct idle idle;

	(void)kind;
	open_idle(&idle);
	set_storm(true);
	expect_whole_wait(idle.loop, 100 * MS);
	expect_whole_wait(idle.loop, 3 * MS / 2);
	CHECK(atomic_load(&alarms) > 0);
	set_storm(false);
	close_idle(&idle);
}

static uint64_t timer_called_at;

static void note_time(brink_timer *timer)
{
	(void)timer;
	timer_called_at = monotonic_now();
}

static void interrupted_wait_for_timer(enum kind kind)
{
	struct idle idle;
	brink_timer timer;
	uint64_t before;

	(void)kind;
	open_idle(&idle);
	brink_timer_init(&timer, note_time);
	set_storm(true);
	before = monotonic_now();
	CHECK_OK(brink_timer_start(idle.loop, &timer, BRINK_MS(60), 0));
	CHECK_EQ(brink_loop_run_once(idle.loop, -1), 1); /* not a turn for each signal */
	CHECK(timer_called_at - before >= BRINK_MS(60));
	CHECK(atomic_load(&alarms) > 0);
	set_storm(false);
	close_idle(&idle);
}

/* Events get through however often the wait begins again. */
static void interrupted_wait_for_data(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct probe reader;

	start_probe_acting(loop, &reader, "reader", pair.ours, BRINK_READ, act_drain);
	expect_silence(loop);
	set_storm(true);
	for (int i = 0; i < 20; i++) {
		feed(&pair, 5);
		expect_event(loop, &reader, BRINK_READ, BRINK_EOF | BRINK_ERROR);
		expect_quiet(loop, &reader, BRINK_READ);
	}
	set_storm(false);
	CHECK_EQ(reader.bytes, 100);
	stop_probe(&reader);
	brink_loop_destroy(loop);
	close_pair(&pair);
}

/* ---- wakeups ---- */

static atomic_uint waiting;

/* Counts the waits that can last. */
static void see_waits(const struct brink_trace_record *record, void *context)
{
	(void)context;
	if (record->kind == BRINK_TRACE_WAIT && record->value != 0)
		atomic_fetch_add(&waiting, 1u);
}

static void await_wait(unsigned from)
{
	uint64_t end = hang_deadline();

	while (atomic_load(&waiting) == from) {
		if (monotonic_now() > end)
			FAIL("the loop does not wait");
		sleep_ms(1);
	}
	sleep_ms(5); /* most likely it is in the kernel now */
}

static void *wake_during_wait(void *loop)
{
	await_wait(0);
	brink_loop_wakeup(loop);
	return NULL;
}

static void wake_from_hook(brink_hook *hook)
{
	brink_loop_wakeup(hook->loop);
	CHECK_OK(brink_hook_stop(hook));
}

static void wake_before_during_after(enum kind kind)
{
	struct idle idle;
	brink_hook hook;
	pthread_t thread;

	(void)kind;
	open_idle(&idle);
	brink_loop_wakeup(idle.loop);
	CHECK_EQ(brink_loop_run_once(idle.loop, -1), 0);
	expect_whole_wait(idle.loop, 20 * MS); /* it is used up */

	brink_loop_set_trace(idle.loop, see_waits, NULL);
	CHECK_EQ(pthread_create(&thread, NULL, wake_during_wait, idle.loop), 0);
	CHECK_EQ(brink_loop_run_once(idle.loop, -1), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	brink_loop_set_trace(idle.loop, NULL, NULL);
	expect_whole_wait(idle.loop, 20 * MS);

	brink_hook_init(&hook, wake_from_hook);
	CHECK_OK(brink_hook_start(idle.loop, &hook, BRINK_HOOK_PREPARE));
	CHECK_OK(brink_loop_run_once(idle.loop, -1));
	expect_whole_wait(idle.loop, 20 * MS);
	CHECK_OK(brink_hook_start(idle.loop, &hook, BRINK_HOOK_CHECK)); /* after the wait */
	CHECK_OK(brink_loop_run_once(idle.loop, 0));
	CHECK_OK(brink_loop_run_once(idle.loop, -1));
	expect_whole_wait(idle.loop, 20 * MS);
	close_idle(&idle);
}

static void count_drains(const struct brink_trace_record *record, void *context)
{
	if (record->kind == BRINK_TRACE_WAKEUP)
		++*(unsigned *)context;
}

static unsigned many(void)
{
	return is_slow() ? 20000 : 1000000;
}

/* A million between two turns are one, and do not fill anything up. */
static void wakes_coalesce(enum kind kind)
{
	struct idle idle;
	unsigned drains = 0;

	(void)kind;
	open_idle(&idle);
	brink_loop_set_trace(idle.loop, count_drains, &drains);
	for (unsigned i = many(); i > 0; i--)
		brink_loop_wakeup(idle.loop);
	CHECK_EQ(brink_loop_run_once(idle.loop, -1), 0);
	CHECK_EQ(drains, 1);
	expect_whole_wait(idle.loop, 20 * MS);
	CHECK_EQ(drains, 1);
	close_idle(&idle);
}

static void *wake_often(void *loop)
{
	for (unsigned i = many() / 4; i > 0; i--)
		brink_loop_wakeup(loop);
	brink_loop_stop(loop);
	return NULL;
}

/* From many threads while the loop runs: never more than one a turn; the last counts. */
static void wakes_from_many_threads(enum kind kind)
{
	enum { THREADS = 4 };
	struct idle idle;
	struct brink_counters counters;
	pthread_t threads[THREADS];
	unsigned drains = 0;

	(void)kind;
	open_idle(&idle);
	brink_loop_set_trace(idle.loop, count_drains, &drains);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, wake_often, idle.loop), 0);
	CHECK_EQ(brink_loop_run(idle.loop), 1);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < THREADS + 2; i++) /* stops and wakeups that came later */
		CHECK_EQ(brink_loop_run_once(idle.loop, 0), 0);
	brink_loop_counters(idle.loop, &counters);
	CHECK(drains > 0 && drains <= counters.turns);
	expect_whole_wait(idle.loop, 20 * MS);
	close_idle(&idle);
}

static bool is_pipe_to_write(int fd)
{
	struct stat status;
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) == O_WRONLY && fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

/* The write end of the loop's own pipe, which a program cannot know: the lowest that came
 * to be open with the loop. -1 where there is none. */
static int find_wakeup_pipe(const bool *open_before, int end)
{
	for (int fd = 0; fd < end; fd++)
		if (!open_before[fd] && is_pipe_to_write(fd))
			return fd;
	return -1;
}

static void fill_pipe(int fd)
{
	static const char bytes[4096];

	while (write(fd, bytes, sizeof bytes) > 0)
		;
	while (write(fd, bytes, 1) > 0)
		;
	CHECK(errno == EAGAIN);
}

static void *stop_during_wait(void *loop)
{
	await_wait(0);
	brink_loop_stop(loop);
	return NULL;
}

/* Filled by hand: nothing blocks, nothing is lost, and the loop empties it and sleeps. */
static void wakeup_pipe_full(enum kind kind)
{
	enum { LOOKED_AT = 256 };
	bool open_before[LOOKED_AT];
	struct idle idle;
	pthread_t thread;
	int fd;

	(void)kind;
	for (int i = 0; i < LOOKED_AT; i++)
		open_before[i] = is_pipe_to_write(i);
	open_idle(&idle);
	fd = find_wakeup_pipe(open_before, LOOKED_AT);
	if (fd < 0) {
		close_idle(&idle);
		SKIP("the loop has no pipe");
	}
	for (int round = 0; round < 3; round++) {
		fill_pipe(fd);
		brink_loop_wakeup(idle.loop);
		brink_loop_wakeup(idle.loop);
		CHECK_EQ(brink_loop_run_once(idle.loop, -1), 0);
		expect_whole_wait(idle.loop, 20 * MS);
		fill_pipe(fd);
		brink_loop_stop(idle.loop);
		CHECK_EQ(brink_loop_run(idle.loop), 1);
		CHECK_EQ(brink_loop_run_once(idle.loop, 0), 0);
		expect_whole_wait(idle.loop, 20 * MS);
		atomic_store(&waiting, 0u);
		brink_loop_set_trace(idle.loop, see_waits, NULL);
		CHECK_EQ(pthread_create(&thread, NULL, stop_during_wait, idle.loop), 0);
		CHECK_EQ(brink_loop_run(idle.loop), 1);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		brink_loop_set_trace(idle.loop, NULL, NULL);
	}
	close_idle(&idle);
}

static atomic_uint tasks_called;

static void count_task(brink_task *task)
{
	(void)task;
	atomic_fetch_add(&tasks_called, 1u);
}

enum { POSTS = 20 };

struct poster {
	brink_loop *loop;
	brink_task tasks[POSTS];
};

static void *wake_and_post(void *data)
{
	struct poster *poster = data;

	for (int i = 0; i < POSTS; i++) {
		brink_task_init(&poster->tasks[i], count_task);
		brink_task_post(poster->loop, &poster->tasks[i]);
		brink_loop_wakeup(poster->loop);
		brink_loop_stop(poster->loop);
	}
	return NULL;
}

/* The last calls of other threads return, and the loop is destroyed at once. */
static void destroyed_after_wakes(enum kind kind)
{
	enum { THREADS = 3 };
	struct poster posters[THREADS];
	pthread_t threads[THREADS];

	(void)kind;
	for (int round = 0; round < 30; round++) {
		brink_loop *loop = new_loop();

		atomic_store(&tasks_called, 0u);
		for (int i = 0; i < THREADS; i++) {
			posters[i].loop = loop;
			CHECK_EQ(pthread_create(&threads[i], NULL, wake_and_post, &posters[i]), 0);
		}
		if (round % 2 != 0)
			CHECK_OK(brink_loop_run_once(loop, 0));
		for (int i = 0; i < THREADS; i++)
			CHECK_EQ(pthread_join(threads[i], NULL), 0);
		CHECK_OK(brink_loop_destroy(loop));
		CHECK_EQ(atomic_load(&tasks_called), THREADS * POSTS);
	}
}

/* ---- descriptors with large numbers ---- */

static void with_large_number(enum kind kind, int at_least)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct probe reader;
	int small = pair.ours;

	pair.ours = fcntl(small, F_DUPFD_CLOEXEC, at_least);
	SYSCALL(pair.ours);
	close_fd(&small);
	start_probe_acting(loop, &reader, "large", pair.ours, BRINK_READ, act_drain);
	expect_silence(loop);
	for (int i = 0; i < 2; i++) {
		feed(&pair, 3);
		expect_event(loop, &reader, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
		expect_quiet(loop, &reader, BRINK_READ);
	}
	close_probe(&reader, &pair.ours);
	expect_silence(loop);
	close_pair(&pair);
	brink_loop_destroy(loop);
}

static void large_number(enum kind kind)
{
	static const unsigned numbers[] = {1024, 1500, 65536, 66000};
	struct rlimit limit;

	SYSCALL(getrlimit(RLIMIT_NOFILE, &limit));
	if (limit.rlim_cur < 70000) { /* as far as it goes */
		limit.rlim_cur = limit.rlim_max < 70000 ? limit.rlim_max : 70000;
		SYSCALL(setrlimit(RLIMIT_NOFILE, &limit));
	}
	if (limit.rlim_cur <= numbers[0])
		SKIP("no descriptor above 1023 is allowed");
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if (numbers[i] < limit.rlim_cur)
			with_large_number(kind, (int)numbers[i]);
}

/* ---- one descriptor in two loops ---- */

static void in_two_loops(enum kind kind)
{
	brink_loop *first = new_loop(), *second = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct probe one, other;

	start_probe(first, &one, "first", pair.ours, BRINK_READ);
	start_probe(second, &other, "second", pair.ours, BRINK_READ);
	expect_silence(first);
	expect_silence(second);
	feed(&pair, 3);
	expect_event(first, &one, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	expect_event(second, &other, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	CHECK_EQ(read_to_end(&one, NULL), -EAGAIN);
	CHECK_EQ(read_to_end(&other, NULL), -EAGAIN);
	expect_quiet(first, &one, BRINK_READ);
	expect_quiet(second, &other, BRINK_READ);
	stop_probe(&one);
	feed(&pair, 3);
	expect_event(second, &other, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	expect_silence(first);
	start_probe(first, &one, "first", pair.ours, BRINK_READ);
	expect_event(first, &one, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	CHECK_OK(brink_loop_destroy(first)); /* with its watch */
	CHECK_EQ(read_to_end(&other, NULL), -EAGAIN);
	expect_quiet(second, &other, BRINK_READ);
	feed(&pair, 3);
	expect_event(second, &other, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	close_probe(&other, &pair.ours);
	brink_loop_destroy(second);
	close_pair(&pair);
}

/* ---- a reader with a budget ---- */

static char fairness[256]; /* 'r' a call of the reader, 'o' one of the other */

static void add_letter(char letter)
{
	size_t length = strlen(fairness);

	CHECK(length + 1 < sizeof fairness);
	fairness[length] = letter;
	fairness[length + 1] = '\0';
}

static void read_a_little(struct probe *probe, unsigned ready)
{
	char bytes[16];
	ssize_t n = brink_watch_read(&probe->watch, bytes, sizeof bytes);

	(void)ready;
	add_letter('r');
	if (n == -EAGAIN)
		return;
	CHECK_OK(n);
	probe->bytes += (size_t)n;
	if (probe->bytes % 160 != 0)
		CHECK_OK(brink_watch_again(&probe->watch, BRINK_READ));
	else
		CHECK_EQ(read_to_end(probe, NULL), -EAGAIN);
}

static void call_again(struct probe *probe, unsigned ready)
{
	add_letter('o');
	CHECK_OK(brink_watch_again(&probe->watch, ready & BRINK_READ));
}

static void budget(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ), beside = open_pair(kind, BRINK_READ);
	struct probe reader, other;

	start_probe_acting(loop, &reader, "reader", pair.ours, BRINK_READ, read_a_little);
	start_probe_acting(loop, &other, "other", beside.ours, BRINK_READ, call_again);
	feed(&pair, 160);
	CHECK_OK(brink_watch_again(&other.watch, BRINK_READ));
	RUN_UNTIL(loop, reader.bytes == 160);
	stop_probe(&other);
	/* Each has one call a turn, so between two of the reader's is one of the other's. */
	CHECK(strstr(fairness, "rr") == NULL && strstr(strchr(fairness, 'r'), "oo") == NULL);
	accept_calls(&reader);
	discard_calls(&other);
	expect_quiet(loop, &reader, BRINK_READ);
	fairness[0] = '\0';
	feed(&pair, 160);
	RUN_UNTIL(loop, reader.bytes == 320);
	accept_calls(&reader);
	stop_probe(&reader);
	brink_loop_destroy(loop);
	close_pair(&pair);
	close_pair(&beside);
}

static const struct scenario scenarios[] = {
	SCENARIO("wait/batch-of-one", batch_of_one, KINDS_ALL | KIND_UDP, .promises = {8}, .flags = TRACE_FREE),
	SCENARIO("wait/more-than-a-batch", more_than_a_batch, KINDS_ALL, .promises = {8}, .flags = TRACE_FREE),
	SCENARIO("wait/more-than-the-usual-batch", more_than_the_usual_batch, KIND_PIPE, .promises = {8}, .flags = TRACE_FREE),
	SCENARIO("wait/small-ring", small_ring, KINDS_ALL, .promises = {8}, .flags = TRACE_FREE),
	SCENARIO("wait/small-ring-and-batch", small_ring_and_batch, KINDS_ALL, .promises = {8}, .flags = TRACE_FREE),
	SCENARIO("wait/busy-ones-hide-nobody", busy_ones_hide_nobody, KINDS_ALL, .promises = {8, 18}, .flags = TRACE_FREE),
	SCENARIO("wait/no-shorter-than-asked", no_shorter_than_asked, 0, .promises = {11}),
	SCENARIO("wait/huge-and-negative", huge_and_negative, 0, .promises = {10, 11}),
	SCENARIO("wait/nothing-to-wait-for", nothing_to_wait_for, 0, .promises = {12}),
	SCENARIO("wait/interrupted", interrupted_wait, 0, .promises = {11}),
	SCENARIO("wait/interrupted-for-timer", interrupted_wait_for_timer, 0, .promises = {10, 11}),
	SCENARIO("wait/interrupted-for-data", interrupted_wait_for_data, KINDS_ALL, .promises = {3, 11}),
	SCENARIO("wait/wake-before-during-after", wake_before_during_after, 0, .promises = {9}),
	SCENARIO("wait/wakes-coalesce", wakes_coalesce, 0, .promises = {9}),
	SCENARIO("wait/wakes-from-many-threads", wakes_from_many_threads, 0, .promises = {9}),
	SCENARIO("wait/wakeup-pipe-full", wakeup_pipe_full, 0, .promises = {9}),
	SCENARIO("wait/destroyed-after-wakes", destroyed_after_wakes, 0, .promises = {9, 20}),
	SCENARIO("wait/large-number", large_number, KINDS_ALL, .promises = {1, 3}),
	SCENARIO("wait/in-two-loops", in_two_loops, KINDS_ALL | KIND_UDP, .promises = {1, 3, 6}),
	SCENARIO("wait/budget", budget, KINDS_STREAM | KIND_PIPE, .promises = {17}),
	NO_MORE_SCENARIOS,
};

const struct group wait_group = {"wait", scenarios};
