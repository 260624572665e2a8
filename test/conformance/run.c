/* The parent's side of a case: a process is started for it, listened to, waited for, and
 * judged by its record, its exit status and the other backends' traces. Some cases are
 * started ahead, so that several run at a time; they are reported in order. */
#include "harness.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_LIMIT 65536u
#define DEADLINE BRINK_SECONDS(60)
#define SLOWDOWN 20u /* under valgrind and sanitizers */
#define SIGNAL_LIMIT 64 /* no system has more */
#define JOB_LIMIT 256u /* at most so far ahead of the one that is reported next */

struct job {
	bool used;
	size_t index; /* of its case */
	pid_t pid;
	int output; /* what the process prints; -1 after its end */
	char *text;
	size_t length;
	struct case_record *record;
	uint64_t start;
};

static struct job jobs[JOB_LIMIT];
static volatile sig_atomic_t asked_to_end; /* the signal */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

bool slow_build(void)
{
	const char *valgrind = getenv("BRINK_TEST_VALGRIND");

	return SANITIZED || (valgrind != NULL && *valgrind != '\0');
}

static uint64_t case_deadline(const struct plan *plan)
{
	if (plan->deadline != 0)
		return plan->deadline;
	return DEADLINE * (slow_build() ? SLOWDOWN : 1) * (plan->long_run ? SLOWDOWN : 1);
}

static _Noreturn void give_up(const char *what)
{
	perror(what);
	exit(2);
}

static struct case_record *new_record(void)
{
	void *memory = mmap(NULL, sizeof(struct case_record), PROT_READ | PROT_WRITE,
	                    MAP_SHARED | MAP_ANON, -1, 0);

	if (memory == MAP_FAILED)
		give_up("brink-conformance: mmap");
	return memory; /* zeroed by the system */
}

/* ---- being interrupted: the processes of cases are in groups of their own ---- */

static void remember_signal(int number)
{
	asked_to_end = number;
}

static const int ending_signals[] = {SIGHUP, SIGINT, SIGTERM};

static void handle_ending_signals(void (*handler)(int))
{
	struct sigaction action;

	memset(&action, 0, sizeof action);
	action.sa_handler = handler;
	for (size_t i = 0; i < sizeof ending_signals / sizeof ending_signals[0]; i++)
		sigaction(ending_signals[i], &action, NULL);
}

/* A shell, nohup(1) or a service manager may leave some ignored or blocked: children would be reaped by the system, and
 * what a scenario raises would not come. */
static void forget_inherited_signals(void)
{
	struct sigaction action;
	sigset_t none;

	for (int number = 1; number <= SIGNAL_LIMIT; number++)
		if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void run_until_interrupted(void)
{
	forget_inherited_signals();
	handle_ending_signals(remember_signal);
}

static void end_if_asked(const struct plan *plan)
{
	int number = (int)asked_to_end;

	if (number == 0)
		return;
	for (size_t i = 0; i < JOB_LIMIT; i++)
		if (jobs[i].used)
			kill(-jobs[i].pid, SIGKILL);
	remove_directory(plan);
	handle_ending_signals(SIG_DFL);
	raise(number);
}

/* In the new process: standard streams, and a process group to be killed by. */
static void enter_child(int output)
{
	int null = open("/dev/null", O_RDONLY);

	setpgid(0, 0);
	handle_ending_signals(SIG_DFL);
	dup2(null, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	for (size_t i = 0; i < JOB_LIMIT; i++)
		if (jobs[i].used && jobs[i].output >= 0)
			close(jobs[i].output);
	close(null);
	close(output);
}

static void start(struct plan *plan, struct job *job, size_t index)
{
	int ends[2];

	*job = (struct job){.used = true, .index = index, .record = new_record(), .output = -1};
	job->text = malloc(OUTPUT_LIMIT + 1);
	if (job->text == NULL || pipe(ends) < 0)
		give_up("brink-conformance: pipe");
	job->start = monotonic_now();
	fflush(NULL);
	job->pid = fork();
	if (job->pid < 0)
		give_up("brink-conformance: fork");
	if (job->pid == 0) {
		close(ends[0]);
		enter_child(ends[1]);
		child_main(plan, &plan->cases[index], job->record);
	}
	setpgid(job->pid, job->pid); /* whoever comes first */
	close(ends[1]);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	job->output = ends[0];
}

/* Takes what there is; the pipe's end is the usual sign that the process ended. */
static void listen_to(struct job *job)
{
	char rest[4096];
	ssize_t n;

	do {
		size_t room = OUTPUT_LIMIT - job->length;

		n = read(job->output, room > 0 ? job->text + job->length : rest, room > 0 ? room : sizeof rest);
		if (n > 0 && room > 0)
			job->length += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n == 0) {
		close(job->output);
		job->output = -1;
	}
}

static void listen_to_all(int timeout)
{
	struct pollfd fds[JOB_LIMIT];

	for (size_t i = 0; i < JOB_LIMIT; i++)
		fds[i] = (struct pollfd){.fd = jobs[i].used ? jobs[i].output : -1, .events = POLLIN};
	if (poll(fds, JOB_LIMIT, timeout) <= 0)
		return;
	for (size_t i = 0; i < JOB_LIMIT; i++)
		if (fds[i].fd >= 0 && fds[i].revents != 0)
			listen_to(&jobs[i]);
}

static void start_ahead(struct plan *plan, size_t index);

/* Waits for the process; true when it had to be killed. What ends meanwhile makes room for others,
 * so that a long one does not keep the processors idle. */
static bool wait_for(struct plan *plan, struct job *job, int *status)
{
	bool killed = false;
	int timeout = 1000;

	while (waitpid(job->pid, status, WNOHANG) == 0) {
		if (!killed && monotonic_now() - job->start > case_deadline(plan)) {
			kill(-job->pid, SIGKILL);
			kill(job->pid, SIGKILL);
			killed = true;
		}
		if (job->output < 0)
			timeout = 1; /* it is ending */
		listen_to_all(timeout);
		end_if_asked(plan);
		start_ahead(plan, job->index);
	}
	kill(-job->pid, SIGKILL); /* what it may have left behind */
	if (job->output >= 0)
		listen_to(job);
	if (job->output >= 0)
		close(job->output);
	job->output = -1;
	return killed;
}

static char *copy_text(const char *text, size_t length)
{
	char *copy = malloc(length + 1);

	if (copy == NULL)
		give_up("brink-conformance: memory");
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

static PRINTF_LIKE(2, 3) void set_failed(struct test_case *test, const char *format, ...)
{
	char text[REASON_SIZE + 200];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	free(test->reason);
	test->reason = copy_text(text, strlen(text));
	test->verdict = VERDICT_FAIL;
}

static void judge(const struct plan *plan, struct test_case *test, const struct job *job, int status, bool killed)
{
	const struct case_record *record = job->record;
	enum verdict verdict = (enum verdict)atomic_load(&job->record->verdict);
	bool clean_exit = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	test->verdict = verdict;
	if (verdict == VERDICT_FAIL || verdict == VERDICT_SKIP)
		test->reason = copy_text(record->reason, strlen(record->reason));
	if (verdict == VERDICT_FAIL || (verdict == VERDICT_OTHERWISE && WIFEXITED(status)))
		return;
	if (killed)
		set_failed(test, "hung: no end after %u s", (unsigned)(case_deadline(plan) / BRINK_SECONDS(1)));
	else if (WIFSIGNALED(status))
		set_failed(test, "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (!clean_exit)
		set_failed(test, "exit status %d (a leak or an error that a checker found?)", WEXITSTATUS(status));
	else if (verdict == VERDICT_NONE)
		set_failed(test, "the process ended before its scenario did");
}

/* ---- traces ---- */

/* One line a probe: its events in order; then the scenario's notes. Between probes there
 * is no order: kernels report descriptors in any. */
static char *trace_text(struct case_record *record)
{
	size_t size = TEXT_SIZE + (CALL_LIMIT + 2 * NAME_LIMIT) * 32, used = 0;
	unsigned calls = atomic_load(&record->call_count), names = atomic_load(&record->name_count);
	char *text = malloc(size);

	if (text == NULL)
		give_up("brink-conformance: memory");
	for (unsigned name = 0; name < names && name < NAME_LIMIT; name++) {
		unsigned pending = 0;

		used += (size_t)snprintf(text + used, size - used, "%s:", record->names[name]);
		for (unsigned i = 0; i < calls && i < CALL_LIMIT; i++) {
			const struct call_record *call = &record->calls[i];

			if (call->probe != name || call->hidden)
				continue;
			if (pending != 0 && !call->merged) {
				used += (size_t)snprintf(text + used, size - used, " %s", bits_text(pending));
				pending = 0;
			}
			pending |= call->ready;
		}
		if (pending != 0)
			used += (size_t)snprintf(text + used, size - used, " %s", bits_text(pending));
		used += (size_t)snprintf(text + used, size - used, "\n");
	}
	if (calls > CALL_LIMIT)
		used += (size_t)snprintf(text + used, size - used, "(and more)\n");
	snprintf(text + used, size - used, "%s", record->notes);
	return text;
}

/* The same scenario and kind on an earlier backend of this run. */
static const struct test_case *earlier_sibling(const struct plan *plan, const struct test_case *test)
{
	for (const struct test_case *other = plan->cases; other < test; other++)
		if (other->scenario == test->scenario && other->kind == test->kind &&
		    other->backend != test->backend && other->verdict == VERDICT_PASS)
			return other;
	return NULL;
}

static void compare_traces(const struct plan *plan, struct test_case *test)
{
	const struct test_case *other;

	if (test->verdict != VERDICT_PASS || (test->scenario->flags & TRACE_FREE) != 0 || plan->conditions != NULL)
		return;
	other = earlier_sibling(plan, test);
	if (other != NULL && strcmp(other->trace, test->trace) != 0)
		set_failed(test, "the trace differs from that of %s, which is:\n%s", other->backend->label,
		           other->trace);
}

/* ---- the window of cases under way ---- */

static struct job *job_of(size_t index)
{
	for (size_t i = 0; i < JOB_LIMIT; i++)
		if (jobs[i].used && jobs[i].index == index)
			return &jobs[i];
	return NULL;
}

static struct job *free_job(void)
{
	for (size_t i = 0; i < JOB_LIMIT; i++)
		if (!jobs[i].used)
			return &jobs[i];
	return NULL;
}

static unsigned under_way(void)
{
	unsigned count = 0;

	for (size_t i = 0; i < JOB_LIMIT; i++)
		count += jobs[i].used && jobs[i].output >= 0;
	return count;
}

/* As many as may run at a time, but the one at `index` in any case. */
static void start_ahead(struct plan *plan, size_t index)
{
	unsigned running = under_way();
	struct job *job;

	for (; plan->next < plan->count && (running < plan->jobs || plan->next == index); plan->next++) {
		if (plan->cases[plan->next].skip != NULL)
			continue;
		job = free_job();
		if (job == NULL)
			return;
		start(plan, job, plan->next);
		running++;
	}
}

static void finish(struct plan *plan, struct job *job)
{
	struct test_case *test = &plan->cases[job->index];
	int status = 0;
	bool killed = wait_for(plan, job, &status);

	test->took = monotonic_now() - job->start;
	judge(plan, test, job, status, killed);
	if (test->verdict != VERDICT_PASS)
		remove_files_of(plan, job->pid);
	test->trace = trace_text(job->record);
	test->measures = copy_text(job->record->measures, strlen(job->record->measures));
	test->output = copy_text(job->text, job->length);
	compare_traces(plan, test);
	munmap(job->record, sizeof *job->record);
	free(job->text);
	job->used = false;
}

enum verdict run_case(struct plan *plan, size_t index)
{
	struct test_case *test = &plan->cases[index];

	start_ahead(plan, index);
	if (test->skip != NULL) {
		test->verdict = VERDICT_SKIP;
		test->reason = copy_text(test->skip, strlen(test->skip));
	} else {
		finish(plan, job_of(index));
	}
	plan->passed += test->verdict == VERDICT_PASS || test->verdict == VERDICT_OTHERWISE;
	plan->failed += test->verdict == VERDICT_FAIL;
	plan->skipped += test->verdict == VERDICT_SKIP;
	report_case(plan, index);
	return test->verdict;
}
