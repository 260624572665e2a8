/* Bad input: every error that the headers name, and that nothing happened when it came. */
#include "groups.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNKNOWN_BIT 2u

static void no_call(brink_watch *watch, unsigned ready)
{
	(void)watch;
	FAIL("a watch that could not be started was called for %s", bits_text(ready));
}

/* Starts must fail, and leave a watch that is not started. */
static void refuse(brink_loop *loop, int fd, unsigned interest, int expected)
{
	brink_watch watch;

	brink_watch_init(&watch, no_call);
	CHECK_ERROR(brink_watch_start(loop, &watch, fd, interest), expected);
	CHECK_EQ(brink_watch_active(&watch), 0);
	CHECK_ERROR(brink_watch_stop(&watch), -ENOENT);
}

/* ---- watches ---- */

static void start_interest(enum kind kind)
{
	struct pair pair = open_pair(KIND_UNIX, BRINK_READ);
	brink_loop *loop = new_loop();
	brink_watch watch;

	(void)kind;
	refuse(loop, pair.ours, 0, -EINVAL);
	refuse(loop, pair.ours, BRINK_EOF, -EINVAL);
	refuse(loop, pair.ours, BRINK_READ | BRINK_ERROR, -EINVAL);
	refuse(loop, pair.ours, BRINK_READ | UNKNOWN_BIT, -EINVAL);
	refuse(loop, pair.ours, BRINK_WRITE | 128u, -EINVAL);
	refuse(loop, pair.ours, BRINK_TCP, -EINVAL);
	refuse(loop, -1, BRINK_READ | BRINK_TCP, -EBADF);
	refuse(loop, pair.ours, BRINK_READ | 0x80000000u, -EINVAL);
	brink_watch_init(&watch, NULL);
	CHECK_ERROR(brink_watch_start(loop, &watch, pair.ours, BRINK_READ), -EINVAL);
	CHECK_EQ(brink_watch_active(&watch), 0);
	expect_silence(loop);
	brink_loop_destroy(loop);
	close_pair(&pair);
}

static void start_twice(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	CHECK_ERROR(brink_watch_start(loop, &reader.watch, pair.ours, BRINK_READ), -EEXIST);
	refuse(loop, pair.ours, BRINK_READ, -EEXIST);
	if (kind != KIND_PIPE)
		refuse(loop, pair.ours, BRINK_READ | BRINK_WRITE, -EEXIST);
	refuse(loop, pair.ours, BRINK_READ | BRINK_LEVEL, -EINVAL);
	CHECK_EQ(brink_watch_active(&reader.watch), 1);
	feed(&pair, 1);
	expect_event(loop, &reader, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	stop_probe(&reader);
	brink_loop_destroy(loop);
	close_pair(&pair);
}

static void start_levels_mixed(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe level;

	start_probe(loop, &level, "level", pair.ours, BRINK_READ | BRINK_LEVEL);
	refuse(loop, pair.ours, BRINK_WRITE, -EINVAL);
	refuse(loop, pair.ours, BRINK_READ | BRINK_LEVEL, -EEXIST);
	expect_silence(loop);
	stop_probe(&level);
	brink_loop_destroy(loop);
	close_pair(&pair);
}

static void start_on_no_descriptor(enum kind kind)
{
	struct pair pair = open_pair(KIND_UNIX, BRINK_READ);
	brink_loop *loop = new_loop();
	int closed = pair.ours;

	(void)kind;
	close_pair(&pair);
	for (unsigned interest = BRINK_READ; interest <= BRINK_WRITE; interest <<= 2) {
		refuse(loop, closed, interest, -EBADF);
		refuse(loop, closed, interest | BRINK_LEVEL, -EBADF);
		refuse(loop, -1, interest, -EBADF);
		refuse(loop, INT_MIN, interest, -EBADF);
		refuse(loop, INT_MAX, interest, -EBADF);
	}
	expect_silence(loop);
	brink_loop_destroy(loop);
}

/* The same of a direction that a watch takes on later; what it has stays. */
static void widen_on_the_wrong_end(brink_loop *loop, int fd, unsigned right, unsigned wrong)
{
	struct probe edge, level;

	start_probe(loop, &edge, "edge", fd, right);
	CHECK_ERROR(brink_watch_rearm(&edge.watch, wrong), -EBADF);
	CHECK_ERROR(brink_watch_rearm(&edge.watch, right | wrong), -EBADF);
	CHECK_ERROR(brink_watch_again(&edge.watch, wrong), -EBADF);
	expect_silence(loop);
	stop_probe(&edge);
	start_probe(loop, &level, "level", fd, BRINK_LEVEL);
	CHECK_ERROR(brink_watch_set(&level.watch, wrong), -EBADF);
	CHECK_OK(brink_watch_set(&level.watch, right));
	CHECK_ERROR(brink_watch_set(&level.watch, wrong), -EBADF);
	CHECK_ERROR(brink_watch_set(&level.watch, right | wrong), -EBADF);
	expect_silence(loop);
	stop_probe(&level);
}

static void start_on_the_wrong_end(enum kind kind)
{
	struct pair pair = open_pair(KIND_PIPE, BRINK_READ);
	brink_loop *loop = new_loop();

	(void)kind;
	refuse(loop, pair.ours, BRINK_WRITE, -EBADF);
	refuse(loop, pair.ours, BRINK_READ | BRINK_WRITE, -EBADF);
	refuse(loop, pair.ours, BRINK_WRITE | BRINK_LEVEL, -EBADF);
	refuse(loop, pair.theirs, BRINK_READ, -EBADF);
	refuse(loop, pair.theirs, BRINK_READ | BRINK_WRITE | BRINK_LEVEL, -EBADF);
	expect_silence(loop);
	widen_on_the_wrong_end(loop, pair.ours, BRINK_READ, BRINK_WRITE);
	fill(pair.theirs);
	widen_on_the_wrong_end(loop, pair.theirs, BRINK_WRITE, BRINK_READ);
	brink_loop_destroy(loop);
	close_pair(&pair);
}

static void start_on_a_file(enum kind kind)
{
	brink_loop *loop = new_loop();
	FILE *file = tmpfile();
	int folder = open("/", O_RDONLY | O_CLOEXEC);

	(void)kind;
	CHECK(file != NULL);
	SYSCALL(folder);
	refuse(loop, fileno(file), BRINK_READ, -EPERM);
	refuse(loop, fileno(file), BRINK_WRITE, -EPERM);
	refuse(loop, fileno(file), BRINK_READ | BRINK_LEVEL, -EPERM);
	refuse(loop, folder, BRINK_READ, -EPERM);
	expect_silence(loop);
	fclose(file);
	close_fd(&folder);
	brink_loop_destroy(loop);
}

static void not_started(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe probe;
	char byte = 0;
	struct iovec part = {&byte, 1};

	feed(&pair, 1);
	init_probe(&probe, "probe", NULL);
	for (int round = 0; round < 2; round++) {
		CHECK_EQ(brink_watch_active(&probe.watch), 0);
		CHECK_ERROR(brink_watch_stop(&probe.watch), -ENOENT);
		CHECK_ERROR(brink_watch_close(&probe.watch), -ENOENT);
		CHECK_ERROR(brink_watch_set(&probe.watch, BRINK_READ), -ENOENT);
		CHECK_ERROR(brink_watch_rearm(&probe.watch, BRINK_READ), -ENOENT);
		CHECK_ERROR(brink_watch_again(&probe.watch, BRINK_READ), -ENOENT);
		CHECK_ERROR(brink_watch_read(&probe.watch, &byte, 1), -ENOENT);
		CHECK_ERROR(brink_watch_readv(&probe.watch, &part, 1), -ENOENT);
		CHECK_ERROR(brink_watch_write(&probe.watch, &byte, 1), -ENOENT);
		CHECK_ERROR(brink_watch_writev(&probe.watch, &part, 1), -ENOENT);
		CHECK_ERROR(brink_watch_accept(&probe.watch, NULL, NULL), -ENOENT);
		CHECK_EQ(unread(pair.ours), 1); /* nothing was read, or closed */
		/* And the same when it has been started and stopped. */
		if (round == 0) {
			CHECK_OK(brink_watch_start(loop, &probe.watch, pair.ours, BRINK_READ));
			stop_probe(&probe);
		}
	}
	expect_silence(loop);
	brink_loop_destroy(loop);
	close_pair(&pair);
}

static void rearm_and_again(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader, writer;

	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ);
	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE);
	expect_event(loop, &writer, BRINK_WRITE, BRINK_READ | BRINK_EOF | BRINK_ERROR);
	CHECK_ERROR(brink_watch_rearm(&reader.watch, 0), -EINVAL);
	CHECK_ERROR(brink_watch_again(&reader.watch, 0), -EINVAL);
	CHECK_ERROR(brink_watch_rearm(&reader.watch, BRINK_READ | UNKNOWN_BIT), -EINVAL);
	CHECK_ERROR(brink_watch_again(&reader.watch, BRINK_READ | UNKNOWN_BIT), -EINVAL);
	CHECK_ERROR(brink_watch_rearm(&reader.watch, BRINK_READ | BRINK_LEVEL), -EINVAL);
	CHECK_ERROR(brink_watch_again(&reader.watch, BRINK_READ | BRINK_EOF), -EINVAL);
	CHECK_ERROR(brink_watch_rearm(&reader.watch, BRINK_WRITE), -EEXIST);
	CHECK_ERROR(brink_watch_again(&reader.watch, BRINK_WRITE), -EEXIST);
	CHECK_ERROR(brink_watch_again(&reader.watch, BRINK_READ | BRINK_WRITE), -EEXIST);
	CHECK_ERROR(brink_watch_rearm(&writer.watch, BRINK_READ), -EEXIST);
	CHECK_ERROR(brink_watch_set(&reader.watch, BRINK_READ), -EINVAL); /* not level-triggered */
	expect_silence(loop);
	stop_probe(&writer);
	feed(&pair, 1);
	expect_event(loop, &reader, BRINK_READ, BRINK_WRITE | BRINK_EOF | BRINK_ERROR);
	stop_probe(&reader);
	brink_loop_destroy(loop);
	close_pair(&pair);
}

static void set_level(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader, writer;

	fill(pair.ours);
	start_probe(loop, &reader, "reader", pair.ours, BRINK_READ | BRINK_LEVEL);
	start_probe(loop, &writer, "writer", pair.ours, BRINK_WRITE | BRINK_LEVEL);
	CHECK_ERROR(brink_watch_set(&reader.watch, UNKNOWN_BIT), -EINVAL);
	CHECK_ERROR(brink_watch_set(&reader.watch, BRINK_READ | BRINK_LEVEL), -EINVAL);
	CHECK_ERROR(brink_watch_set(&reader.watch, BRINK_READ | BRINK_EOF), -EINVAL);
	CHECK_ERROR(brink_watch_set(&reader.watch, BRINK_READ | BRINK_WRITE), -EEXIST);
	CHECK_ERROR(brink_watch_set(&reader.watch, BRINK_WRITE), -EEXIST);
	CHECK_ERROR(brink_watch_rearm(&reader.watch, BRINK_READ), -EINVAL); /* it has no tickets */
	CHECK_ERROR(brink_watch_again(&reader.watch, BRINK_READ), -EINVAL);
	expect_silence(loop);
	CHECK_OK(brink_watch_set(&writer.watch, 0));
	CHECK_OK(brink_watch_set(&reader.watch, BRINK_READ | BRINK_WRITE));
	stop_probe(&reader);
	stop_probe(&writer);
	brink_loop_destroy(loop);
	close_pair(&pair);
}

/* ---- from other threads ---- */

struct answer {
	struct probe probe;
	int result;
	unsigned count;
};

static void on_done(brink_watch *watch, int result)
{
	struct answer *answer = brink_container_of(watch, struct answer, probe.watch);

	answer->result = result;
	answer->count++;
}

static void start_and_stop_async(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct answer answer = {.count = 0};
	brink_watch *watch = &answer.probe.watch;

	init_probe(&answer.probe, "reader", NULL);
	CHECK_ERROR(brink_watch_start_async(loop, watch, pair.ours, 0, on_done), -EINVAL);
	CHECK_ERROR(brink_watch_start_async(loop, watch, pair.ours, BRINK_READ | UNKNOWN_BIT, on_done), -EINVAL);
	watch->call = NULL;
	CHECK_ERROR(brink_watch_start_async(loop, watch, pair.ours, BRINK_READ, on_done), -EINVAL);
	watch->call = probe_called;
	expect_silence(loop);
	CHECK_EQ(answer.count, 0);

	CHECK_OK(brink_watch_start_async(loop, watch, -1, BRINK_READ, on_done));
	RUN_UNTIL(loop, answer.count == 1);
	CHECK_ERROR(answer.result, -EBADF);

	CHECK_OK(brink_watch_start_async(loop, watch, pair.ours, BRINK_READ, on_done));
	CHECK_ERROR(brink_watch_start_async(loop, watch, pair.ours, BRINK_READ, on_done), -EBUSY);
	CHECK_ERROR(brink_watch_stop_async(watch, on_done), -EBUSY);
	RUN_UNTIL(loop, answer.count == 2);
	CHECK_OK(answer.result);
	CHECK_EQ(brink_watch_active(watch), 1);
	CHECK_ERROR(brink_watch_start_async(loop, watch, pair.theirs, BRINK_READ, on_done), -EEXIST);
	CHECK_EQ(watch->fd, pair.ours);

	CHECK_OK(brink_watch_stop_async(watch, on_done));
	CHECK_ERROR(brink_watch_stop_async(watch, on_done), -EBUSY);
	RUN_UNTIL(loop, answer.count == 3);
	CHECK_OK(answer.result);
	CHECK_OK(brink_watch_stop_async(watch, on_done));
	RUN_UNTIL(loop, answer.count == 4);
	CHECK_ERROR(answer.result, -ENOENT);
	expect_silence(loop);
	brink_loop_destroy(loop);
	close_pair(&pair);
}

/* ---- making loops ---- */

static void options_out_of_range(enum kind kind)
{
	static const struct brink_loop_options wrong[] = {
		{.batch = 65537},
		{.batch = UINT_MAX},
		{.ring_entries = 32769},
		{.ring_entries = UINT_MAX},
	};
	static const struct brink_loop_options right[] = {{.batch = 1}, {.batch = 65536}, {.ring_entries = 1}};
	struct brink_loop_options reserved = {.batch = 0};
	brink_loop *loop;

	(void)kind;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		CHECK_ERROR(try_loop(&loop, &wrong[i]), -EINVAL);
	for (size_t i = 0; i < sizeof reserved.reserved / sizeof reserved.reserved[0]; i++) {
		memset(reserved.reserved, 0, sizeof reserved.reserved);
		reserved.reserved[i] = &reserved;
		CHECK_ERROR(try_loop(&loop, &reserved), -EINVAL);
	}
	for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
		CHECK_OK(try_loop(&loop, &right[i]));
		CHECK_OK(brink_loop_destroy(loop));
	}
	CHECK_OK(brink_loop_destroy(NULL));
}

static int create_named(brink_loop **loop, const char *name)
{
	struct brink_loop_options options = {.backend = name};

	return brink_loop_create(loop, &options);
}

static void expect_backend(const char *name, const char *passed_over)
{
	brink_loop *loop = NULL;

	CHECK_OK(create_named(&loop, name));
	if (strcmp(brink_loop_backend(loop), backend_name()) != 0)
		FAIL("\"%s\" gave %s", name != NULL ? name : "(NULL)", brink_loop_backend(loop));
	if (strstr(brink_loop_description(loop), backend_name()) == NULL)
		FAIL("the description does not name the backend: %s", brink_loop_description(loop));
	if (passed_over != NULL && strstr(brink_loop_description(loop), passed_over) == NULL)
		FAIL("the description does not say that %s was passed over: %s", passed_over,
		     brink_loop_description(loop));
	CHECK_OK(brink_loop_destroy(loop));
}

static void backend_names(enum kind kind)
{
	static const char *const unknown[] = {"nope", "", ",", "nope,", "nope,neither", "Epoll", "epol", "epollx", " "};
	char list[100];
	brink_loop *loop;

	(void)kind;
	for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
		CHECK_ERROR(create_named(&loop, unknown[i]), -ENOENT);
	expect_backend(backend_name(), NULL);
	snprintf(list, sizeof list, "nope,%s", backend_name());
	expect_backend(list, "nope");
	snprintf(list, sizeof list, "%s,nope", backend_name());
	expect_backend(list, NULL);
	snprintf(list, sizeof list, "nope,neither,%s,nope", backend_name());
	expect_backend(list, "neither");
	CHECK_OK(create_named(&loop, "auto"));
	CHECK(strcmp(brink_loop_backend(loop), "auto") != 0);
	CHECK_OK(brink_loop_destroy(loop));
}

static void backend_from_the_environment(enum kind kind)
{
	brink_loop *loop;
	char list[100];

	(void)kind;
	SYSCALL(setenv("BRINK_BACKEND", "nope", 1));
	CHECK_ERROR(brink_loop_create(&loop, NULL), -ENOENT);
	CHECK_ERROR(create_named(&loop, NULL), -ENOENT);
	expect_backend(backend_name(), NULL); /* the option goes before it */
	SYSCALL(setenv("BRINK_BACKEND", backend_name(), 1));
	expect_backend(NULL, NULL);
	CHECK_ERROR(create_named(&loop, "nope"), -ENOENT);
	snprintf(list, sizeof list, "nope,%s", backend_name());
	SYSCALL(setenv("BRINK_BACKEND", list, 1));
	expect_backend(NULL, "nope");
	SYSCALL(unsetenv("BRINK_BACKEND"));
	CHECK_OK(brink_loop_create(&loop, NULL));
	CHECK_OK(brink_loop_destroy(loop));
}

static void backends_told(enum kind kind)
{
	struct brink_backend_info list[16], one;
	size_t count = brink_backends(NULL, 0), defaults = 0, found = 0;
	brink_loop *loop;

	(void)kind;
	SYSCALL(unsetenv("BRINK_COMPLETIONS")); /* a wish, of which the list knows nothing */
	loop = new_loop();
	CHECK(count >= 1 && count <= 16);
	CHECK_EQ(brink_backends(list, 16), count);
	CHECK_EQ(brink_backends(&one, 1), count);
	CHECK(strcmp(one.name, list[0].name) == 0);
	CHECK_EQ(list[0].is_default, 1);
	for (size_t i = 0; i < count; i++) {
		defaults += list[i].is_default == 1;
		CHECK(list[i].status <= 0);
		CHECK(list[i].note != NULL && list[i].note[0] != '\0' && strchr(list[i].note, '\n') == NULL);
		if (strcmp(list[i].name, backend_name()) != 0)
			continue;
		found++;
		CHECK_OK(list[i].status);
		CHECK_EQ(list[i].features, brink_loop_features(loop));
	}
	CHECK_EQ(defaults, 1);
	CHECK_EQ(found, 1);
	brink_loop_destroy(loop);
}

/* ---- loops in use ---- */

static unsigned inside_calls;

static void on_inside(brink_timer *timer)
{
	brink_loop *loop = timer->loop;
	int64_t timeout = 0;

	CHECK_ERROR(brink_loop_run(loop), -EBUSY);
	CHECK_ERROR(brink_loop_run_once(loop, 0), -EBUSY);
	CHECK_ERROR(brink_loop_prepare(loop, &timeout), -EBUSY);
	CHECK_ERROR(brink_loop_destroy(loop), -EBUSY);
	CHECK_ERROR(brink_timer_stop(timer), -ENOENT); /* one-shot, in its own call */
	CHECK_EQ(brink_timer_active(timer), 0);
	inside_calls++;
}

static void inside_a_call(enum kind kind)
{
	brink_loop *loop = new_loop();
	brink_timer timer;

	(void)kind;
	brink_timer_init(&timer, on_inside);
	for (unsigned round = 1; round <= 2; round++) {
		CHECK_OK(brink_timer_start(loop, &timer, 0, 0));
		CHECK_EQ(brink_loop_run(loop), 0);
		CHECK_EQ(inside_calls, round);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static void no_descriptor_for_the_host(enum kind kind)
{
	brink_loop *loop = new_loop();
	int fd = brink_loop_fd(loop);

	(void)kind;
	if (can(BRINK_FEATURE_FD))
		CHECK(fd >= 0 && fcntl(fd, F_GETFD) >= 0);
	else
		CHECK_ERROR(fd, -ENOTSUP);
	brink_loop_destroy(loop);
}

/* ---- timers, signals, children, tasks, hooks ---- */

static void never(brink_timer *timer)
{
	(void)timer;
	FAIL("%s", "a timer was called that must not be");
}

static void timers(enum kind kind)
{
	brink_loop *loop = new_loop(), *other = new_loop();
	brink_timer timer;

	(void)kind;
	brink_timer_init(&timer, NULL);
	CHECK_ERROR(brink_timer_start(loop, &timer, 0, 0), -EINVAL);
	brink_timer_init(&timer, never);
	CHECK_ERROR(brink_timer_stop(&timer), -ENOENT);
	CHECK_ERROR(brink_timer_postpone(&timer, 1), -ENOENT);
	CHECK_OK(brink_timer_start(loop, &timer, BRINK_SECONDS(1000), 0));
	CHECK_ERROR(brink_timer_start(other, &timer, 0, 0), -EINVAL);
	CHECK_EQ(brink_timer_active(&timer), 1);
	CHECK_OK(brink_loop_run_once(other, 0));
	CHECK_OK(brink_timer_stop(&timer));
	CHECK_ERROR(brink_timer_stop(&timer), -ENOENT);
	CHECK_OK(brink_timer_start(other, &timer, UINT64_MAX, 0)); /* never */
	CHECK_OK(brink_loop_run_once(other, 0));
	CHECK_OK(brink_timer_stop(&timer));
	CHECK_EQ(brink_loop_run(other), 0);
	brink_loop_destroy(other);
	brink_loop_destroy(loop);
}

static void on_signal(brink_signal *signal)
{
	(void)signal;
	FAIL("%s", "a signal was called that nobody sent");
}

static void signals(enum kind kind)
{
	static const int numbers[] = {SIGKILL, SIGSTOP, 0, -1, 100000, INT_MAX, INT_MIN};
	brink_loop *loop = new_loop();
	brink_signal signal;

	(void)kind;
	brink_signal_init(&signal, NULL);
	CHECK_ERROR(brink_signal_start(loop, &signal, SIGUSR1), -EINVAL);
	brink_signal_init(&signal, on_signal);
	CHECK_ERROR(brink_signal_stop(&signal), -ENOENT);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		CHECK_ERROR(brink_signal_start(loop, &signal, numbers[i]), -EINVAL);
		CHECK_ERROR(brink_signal_stop(&signal), -ENOENT);
	}
	CHECK_OK(brink_signal_start(loop, &signal, SIGUSR1));
	CHECK_ERROR(brink_signal_start(loop, &signal, SIGUSR1), -EEXIST);
	CHECK_ERROR(brink_signal_start(loop, &signal, SIGUSR2), -EEXIST);
	CHECK_OK(brink_signal_stop(&signal));
	CHECK_ERROR(brink_signal_stop(&signal), -ENOENT);
	CHECK_EQ(brink_loop_run(loop), 0);
	brink_loop_destroy(loop);
}

static void on_child(brink_child *child, int status)
{
	(void)child;
	FAIL("a child was called that must not be, with status %d", status);
}

static void children(enum kind kind)
{
	brink_loop *loop = new_loop();
	brink_child child;
	pid_t pid;

	(void)kind;
	brink_child_init(&child, NULL);
	CHECK_ERROR(brink_child_start(loop, &child, 1), -EINVAL);
	brink_child_init(&child, on_child);
	CHECK_ERROR(brink_child_stop(&child), -ENOENT);
	CHECK_ERROR(brink_child_start(loop, &child, 0), -EINVAL);
	CHECK_ERROR(brink_child_start(loop, &child, -1), -EINVAL);
	CHECK_ERROR(brink_child_start(loop, &child, getpid()), -ECHILD);
	CHECK_ERROR(brink_child_start(loop, &child, getppid()), -ECHILD);
	pid = fork();
	SYSCALL(pid);
	if (pid == 0) {
		pause();
		_exit(0);
	}
	CHECK_OK(brink_child_start(loop, &child, pid));
	CHECK_ERROR(brink_child_start(loop, &child, pid), -EEXIST);
	CHECK_OK(brink_child_stop(&child));
	CHECK_ERROR(brink_child_stop(&child), -ENOENT);
	SYSCALL(kill(pid, SIGKILL));
	SYSCALL(waitpid(pid, NULL, 0));
	CHECK_ERROR(brink_child_start(loop, &child, pid), -ECHILD);
	CHECK_EQ(brink_loop_run(loop), 0);
	brink_loop_destroy(loop);
}

static unsigned task_calls;

static void on_task(brink_task *task)
{
	(void)task;
	task_calls++;
}

static void task_cancel(enum kind kind)
{
	brink_loop *loop = new_loop(), *other = new_loop();
	brink_task task;

	(void)kind;
	brink_task_init(&task, on_task);
	CHECK_ERROR(brink_task_cancel(loop, &task), -ENOENT);
	brink_task_post(loop, &task);
	CHECK_ERROR(brink_task_cancel(other, &task), -ENOENT);
	CHECK_OK(brink_task_cancel(loop, &task));
	CHECK_ERROR(brink_task_cancel(loop, &task), -ENOENT);
	CHECK_OK(brink_loop_run_once(loop, 0));
	CHECK_EQ(task_calls, 0);
	brink_task_post(loop, &task);
	RUN_UNTIL(loop, task_calls == 1);
	CHECK_ERROR(brink_task_cancel(loop, &task), -ENOENT);
	brink_loop_destroy(other);
	brink_loop_destroy(loop);
}

static void on_hook(brink_hook *hook)
{
	(void)hook;
	FAIL("%s", "a hook was called that must not be");
}

static void hooks(enum kind kind)
{
	brink_loop *loop = new_loop();
	brink_hook hook;

	(void)kind;
	brink_hook_init(&hook, NULL);
	CHECK_ERROR(brink_hook_start(loop, &hook, BRINK_HOOK_PREPARE), -EINVAL);
	brink_hook_init(&hook, on_hook);
	CHECK_ERROR(brink_hook_stop(&hook), -ENOENT);
	CHECK_ERROR(brink_hook_start(loop, &hook, (enum brink_hook_point)3), -EINVAL);
	CHECK_ERROR(brink_hook_start(loop, &hook, (enum brink_hook_point)-1), -EINVAL);
	CHECK_ERROR(brink_hook_stop(&hook), -ENOENT);
	for (int point = BRINK_HOOK_PREPARE; point <= BRINK_HOOK_IDLE; point++) {
		CHECK_OK(brink_hook_start(loop, &hook, (enum brink_hook_point)point));
		CHECK_ERROR(brink_hook_start(loop, &hook, (enum brink_hook_point)point), -EEXIST);
		CHECK_OK(brink_hook_stop(&hook));
		CHECK_ERROR(brink_hook_stop(&hook), -ENOENT);
	}
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_OK(brink_loop_run_once(loop, 0));
	brink_loop_destroy(loop);
}

static void in_words(enum kind kind)
{
	char text[200];

	(void)kind;
	CHECK(strcmp(brink_strerror(0), "no error") == 0);
	snprintf(text, sizeof text, "%s", brink_strerror(-ENOENT));
	CHECK(strcmp(brink_strerror(ENOENT), text) == 0);
	CHECK(strcmp(brink_strerror(-EEXIST), text) != 0);
	CHECK(brink_strerror(-99999)[0] != '\0');
	CHECK(brink_strerror(INT_MIN)[0] != '\0');
	CHECK(brink_strerror(INT_MAX)[0] != '\0');
}

static const struct scenario scenarios[] = {
	{"errors/start-interest", start_interest, {14}, 0, 0, {{NULL, 0, NULL}}},
	{"errors/start-twice", start_twice, {14}, KINDS_ALL | KIND_UDP, 0, {{NULL, 0, NULL}}},
	{"errors/start-levels-mixed", start_levels_mixed, {14}, KINDS_STREAM, 0, {{NULL, 0, NULL}}},
	{"errors/start-on-no-descriptor", start_on_no_descriptor, {14}, 0, 0, {{NULL, 0, NULL}}},
	{"errors/start-on-the-wrong-end", start_on_the_wrong_end, {14}, 0, 0, {{NULL, 0, NULL}}},
	{"errors/start-on-a-file", start_on_a_file, {14}, 0, 0, {{NULL, 0, NULL}}},
	{"errors/not-started", not_started, {14}, KINDS_ALL, 0, {{NULL, 0, NULL}}},
	{"errors/rearm-and-again", rearm_and_again, {14}, KINDS_STREAM, 0, {{NULL, 0, NULL}}},
	{"errors/set-level", set_level, {14, 18}, KINDS_STREAM, 0, {{NULL, 0, NULL}}},
	{"errors/start-and-stop-async", start_and_stop_async, {14, 19}, KINDS_ALL, 0, {{NULL, 0, NULL}}},
	{"errors/options-out-of-range", options_out_of_range, {14}, 0, 0, {{NULL, 0, NULL}}},
	{"errors/backend-names", backend_names, {24}, 0, 0, {{NULL, 0, NULL}}},
	{"errors/backend-from-the-environment", backend_from_the_environment, {24}, 0, 0, {{NULL, 0, NULL}}},
	{"errors/backends-told", backends_told, {24}, 0, 0, {{NULL, 0, NULL}}},
	{"errors/inside-a-call", inside_a_call, {14}, 0, 0, {{NULL, 0, NULL}}},
	{"errors/no-descriptor-for-the-host", no_descriptor_for_the_host, {14, 23}, 0, 0, {{NULL, 0, NULL}}},
	{"errors/timers", timers, {14}, 0, 0, {{NULL, 0, NULL}}},
	{"errors/signals", signals, {14}, 0, 0, {{NULL, 0, NULL}}},
	{"errors/children", children, {14}, 0, 0, {{NULL, 0, NULL}}},
	{"errors/task-cancel", task_cancel, {14}, 0, 0, {{NULL, 0, NULL}}},
	{"errors/hooks", hooks, {14}, 0, 0, {{NULL, 0, NULL}}},
	{"errors/in-words", in_words, {14}, 0, 0, {{NULL, 0, NULL}}},
	{.name = NULL},
};

const struct group errors_group = {"errors", scenarios};
