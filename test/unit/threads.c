/* Groups and executors when the system refuses threads, or loops their first turn or a later one; and a thread that is
 * held up while it wakes a loop. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

static unsigned refuse_at; /* the k-th thread from now on; 0: none */
static atomic_uint living;

struct body {
	void *(*call)(void *);
	void *arg;
};

static void *live(void *arg)
{
	struct body body = *(struct body *)arg;
	void *result = body.call(body.arg);

	living--;
	return result;
}

static int create(pthread_t *thread, const pthread_attr_t *attributes, void *(*call)(void *), void *arg)
{
	static struct body bodies[64];
	static unsigned count;
	struct body *body = &bodies[count++ % 64];

	if (refuse_at != 0 && --refuse_at == 0)
		return EAGAIN;
	*body = (struct body){call, arg};
	living++;
	return pthread_create(thread, attributes, live, body);
}

/* The files with what is to fail, with these instead: then the library's own are not linked. */
#define pthread_create create
#include "os_thread.c"
#undef pthread_create

#include <unistd.h>

static atomic_bool hold_up, held_up; /* the next thread that wakes a loop; one is at it */

static ssize_t write_slowly(int fd, const void *bytes, size_t size)
{
	bool slow = atomic_exchange(&hold_up, false);
	ssize_t written;

	if (slow) {
		held_up = true;
		usleep(50000);
	}
	written = write(fd, bytes, size);
	if (slow)
		held_up = false;
	return written;
}

#define write write_slowly
#include "wakeup.c"
#undef write

#include <brink.h>

static int turn(brink_loop *loop, int64_t timeout);
static int run_loop(brink_loop *loop);

#define brink_loop_run_once turn
#define brink_loop_run run_loop
#include "group.c"
#undef brink_loop_run_once
#undef brink_loop_run

#include "check.h"

#include <fcntl.h>
#include <limits.h>

#define THREADS 5u

static atomic_int turns_left = INT_MAX; /* first turns that succeed */
static atomic_int refusals;             /* runs that the kernel is still to refuse */

static int turn(brink_loop *loop, int64_t timeout)
{
	int result = brink_loop_run_once(loop, timeout);

	return turns_left-- > 0 ? result : -ENOBUFS;
}

static int run_loop(brink_loop *loop)
{
	return refusals > 0 && refusals-- > 0 ? -ENOBUFS : brink_loop_run(loop);
}

static unsigned descriptors_open(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static atomic_uint calls;

static void on_start(brink_loop *loop, unsigned index, void *arg)
{
	(void)loop;
	(void)index;
	(void)arg;
	calls++;
}

static void test_group(void)
{
	struct brink_group_options options = {.loops = THREADS, .on_start = on_start, .on_stop = on_start};
	unsigned before = descriptors_open();
	brink_group *group;

	for (unsigned k = 1; k <= THREADS; k++) {
		refuse_at = k;
		CHECK(brink_group_create(&group, &options) == -EAGAIN);
		CHECK(group == NULL && calls == 0 && living == 0);
		CHECK(descriptors_open() == before);
	}
	CHECK(brink_group_create(&group, &options) == 0);
	CHECK(calls == THREADS && living == THREADS);
	CHECK(brink_group_destroy(group) == 0);
	CHECK(calls == 2 * THREADS && living == 0);
	passed("a group starts with all threads or with none");
}

/* A kernel that has not enough for the last of the loops. */
static void test_first_turn(void)
{
	struct brink_group_options options = {.loops = THREADS, .on_start = on_start, .on_stop = on_start};
	unsigned before = descriptors_open();
	brink_group *group;

	calls = 0;
	for (int k = 0; k < (int)THREADS; k++) {
		turns_left = k;
		CHECK(brink_group_create(&group, &options) == -ENOBUFS);
		CHECK(group == NULL && calls == 0 && living == 0);
		CHECK(descriptors_open() == before);
	}
	turns_left = (int)THREADS;
	CHECK(brink_group_create(&group, &options) == 0);
	CHECK(calls == THREADS && living == THREADS);
	CHECK(brink_group_destroy(group) == 0);
	passed("a group starts when each loop has made a turn");
}

static atomic_uint lines;

static void on_line(enum brink_log_level level, const char *line, void *context)
{
	(void)context;
	if (level == BRINK_LOG_ERROR && strstr(line, "group few: loop 0: ") == line)
		lines++;
}

static void on_task(brink_task *task)
{
	(void)task;
	calls++;
}

/* A loop that the kernel refuses goes on when it no longer does, and says so once. */
static void test_shortage(void)
{
	struct brink_group_options options = {.tag = "few", .loops = 1};
	brink_group *group;
	brink_task task;

	calls = 0;
	turns_left = INT_MAX;
	refusals = 5;
	brink_set_log(on_line, BRINK_LOG_ERROR, NULL);
	CHECK(brink_group_create(&group, &options) == 0);
	brink_task_init(&task, on_task);
	brink_task_post(brink_group_loop(group, 0), &task);
	while (calls == 0)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	CHECK(refusals == 0 && lines == 1);
	refusals = INT_MAX; /* it can be stopped also then */
	brink_loop_stop(brink_group_loop(group, 0));
	while (lines == 1)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	CHECK(brink_group_destroy(group) == 0);
	CHECK(living == 0);
	brink_set_log(NULL, BRINK_LOG_ERROR, NULL);
	refusals = 0;
	passed("a loop survives a shortage");
}

static void test_executor(void)
{
	struct brink_executor_options options = {.threads = THREADS};
	brink_executor *executor;
	brink_task task;

	calls = 0;
	for (unsigned k = 1; k <= THREADS; k++) {
		refuse_at = k;
		CHECK(brink_executor_create(&executor, &options) == -EAGAIN);
		CHECK(executor == NULL && living == 0);
	}
	CHECK(brink_executor_create(&executor, &options) == 0);
	CHECK(living == THREADS);
	brink_task_init(&task, on_task);
	CHECK(brink_executor_post(executor, &task) == 0);
	CHECK(brink_executor_destroy(executor) == 0);
	CHECK(calls == 1 && living == 0);
	passed("an executor starts with all threads or with none");
}

static atomic_bool busy;

static void be_busy(brink_task *task)
{
	(void)task;
	busy = true;
	while (busy)
		usleep(1000);
	hold_up = true;
}

/* What the loop is told can be the last before its end: that waits for who has told it. */
static void test_room(void)
{
	struct brink_executor_options options = {.threads = 1, .capacity = 1};
	brink_executor_room room = {.task.call = on_task};
	brink_executor *executor;
	brink_task first, second;
	brink_loop *loop;

	calls = 0;
	CHECK(brink_loop_create(&loop, NULL) == 0);
	CHECK(brink_executor_create(&executor, &options) == 0);
	brink_task_init(&first, be_busy);
	brink_task_init(&second, on_task);
	CHECK(brink_executor_post(executor, &first) == 0);
	while (!busy)
		usleep(1000);
	CHECK(brink_executor_post(executor, &second) == 0);
	brink_executor_call_when_free(executor, loop, 1, &room);
	busy = false;
	while (calls == 0 || !held_up)
		CHECK(brink_loop_run_once(loop, 0) >= 0);
	CHECK(brink_loop_destroy(loop) == 0);
	CHECK(!held_up);
	CHECK(brink_executor_destroy(executor) == 0);
	passed("a loop does not end while an executor wakes it");
}

int main(void)
{
	test_group();
	test_first_turn();
	test_shortage();
	test_executor();
	test_room();
	return finish();
}
