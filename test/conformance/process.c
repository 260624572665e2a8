/* The end of child processes as callbacks. */
#include "groups.h"
#include "seccomp.h"
#include "tracer.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct nurse {
	brink_child child;
	unsigned calls;
	int status;
	void (*then)(struct nurse *nurse);
	struct nurse *other;
};

static void has_ended(brink_child *child, int status)
{
	struct nurse *nurse = brink_container_of(child, struct nurse, child);

	nurse->calls++;
	nurse->status = status;
	CHECK_EQ(waitpid(child->pid, NULL, WNOHANG), -1); /* it is reaped */
	CHECK_EQ(errno, ECHILD);
	CHECK_ERROR(brink_child_stop(child), -ENOENT); /* and not started any more */
	if (nurse->then != NULL)
		nurse->then(nurse);
}

/* A child that ends when its pipe does, with `code`; below 0: never by itself. */
struct patient {
	pid_t pid;
	int life;
};

#define LIVES 256
static bool lives[LIVES]; /* the descriptors of `life`, which a new child must not keep open */

static struct patient start_patient(int code)
{
	struct patient patient;
	int ends[2];
	char byte;

	SYSCALL(pipe(ends));
	patient.pid = fork();
	SYSCALL(patient.pid);
	if (patient.pid == 0) {
		close(ends[1]);
		for (int fd = 0; fd < LIVES; fd++)
			if (lives[fd])
				close(fd);
		while (code < 0)
			pause();
		while (read(ends[0], &byte, 1) < 0)
			;
		_exit(code);
	}
	close_fd(&ends[0]);
	patient.life = ends[1];
	CHECK(patient.life < LIVES);
	lives[patient.life] = true;
	return patient;
}

static void end_patient(struct patient *patient)
{
	lives[patient->life] = false;
	close_fd(&patient->life);
}

/* It has ended, and nobody has reaped it. */
static void await_zombie(const struct patient *patient)
{
	siginfo_t info;

	SYSCALL(waitid(P_PID, (id_t)patient->pid, &info, WEXITED | WNOWAIT));
}

static void reap(const struct patient *patient, int expected)
{
	int status;

	CHECK_EQ(waitpid(patient->pid, &status, 0), patient->pid);
	CHECK_EQ(status, expected);
}

static void watch_patient(brink_loop *loop, struct nurse *nurse, const struct patient *patient)
{
	memset(nurse, 0, sizeof *nurse);
	brink_child_init(&nurse->child, has_ended);
	CHECK_EQ(brink_child_start(loop, &nurse->child, patient->pid), 0);
	CHECK_EQ(nurse->child.pid, patient->pid);
}

static void exits(enum kind kind)
{
	static const int codes[] = {0, 1, 77, 255};
	brink_loop *loop = new_loop();

	(void)kind;
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		struct patient patient = start_patient(codes[i]);
		struct nurse nurse;

		watch_patient(loop, &nurse, &patient);
		CHECK_EQ(brink_loop_run_once(loop, (int64_t)BRINK_MS(10)), 0); /* it lives */
		end_patient(&patient);
		CHECK_EQ(brink_loop_run(loop), 0);
		CHECK_EQ(nurse.calls, 1);
		CHECK(WIFEXITED(nurse.status));
		CHECK_EQ(WEXITSTATUS(nurse.status), codes[i]);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static void killed(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct patient patient = start_patient(-1);
	struct nurse nurse;

	(void)kind;
	watch_patient(loop, &nurse, &patient);
	SYSCALL(kill(patient.pid, SIGKILL));
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_EQ(nurse.calls, 1);
	CHECK(WIFSIGNALED(nurse.status));
	CHECK_EQ(WTERMSIG(nurse.status), SIGKILL);
	end_patient(&patient);
	CHECK_OK(brink_loop_destroy(loop));
}

/* Stopping and continuing is no end. */
static void stopped_is_not_ended(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct patient patient = start_patient(3);
	struct nurse nurse;

	(void)kind;
	watch_patient(loop, &nurse, &patient);
	SYSCALL(kill(patient.pid, SIGSTOP));
	CHECK_EQ(brink_loop_run_once(loop, (int64_t)BRINK_MS(10)), 0);
	SYSCALL(kill(patient.pid, SIGCONT));
	CHECK_EQ(brink_loop_run_once(loop, (int64_t)BRINK_MS(10)), 0);
	CHECK_EQ(nurse.calls, 0);
	end_patient(&patient);
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK(WIFEXITED(nurse.status) && WEXITSTATUS(nurse.status) == 3);
	CHECK_OK(brink_loop_destroy(loop));
}

static void already_dead(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct patient patient = start_patient(5);
	struct nurse nurse;

	(void)kind;
	end_patient(&patient);
	await_zombie(&patient);
	watch_patient(loop, &nurse, &patient);
	CHECK_EQ(nurse.calls, 0); /* in the next turn */
	CHECK_EQ(brink_loop_run_once(loop, -1), 1);
	CHECK_EQ(nurse.calls, 1);
	CHECK(WIFEXITED(nurse.status) && WEXITSTATUS(nurse.status) == 5);
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_OK(brink_loop_destroy(loop));
}

/* Their ends fall together, so that a signal for several of them is one. */
static void many(enum kind kind)
{
	enum { COUNT = 40 };
	brink_loop *loop = new_loop();
	struct patient patients[COUNT];
	struct nurse nurses[COUNT];

	(void)kind;
	for (int i = 0; i < COUNT; i++) {
		patients[i] = start_patient(i);
		watch_patient(loop, &nurses[i], &patients[i]);
	}
	for (int i = COUNT - 1; i >= 0; i--) {
		end_patient(&patients[i]);
		if (i % 3 == 0)
			await_zombie(&patients[i]);
	}
	CHECK_EQ(brink_loop_run(loop), 0);
	for (int i = 0; i < COUNT; i++) {
		CHECK_EQ(nurses[i].calls, 1);
		CHECK(WIFEXITED(nurses[i].status));
		CHECK_EQ(WEXITSTATUS(nurses[i].status), i);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static void errors(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct patient patient = start_patient(0);
	brink_child child;
	struct nurse nurse;

	(void)kind;
	brink_child_init(&child, NULL);
	CHECK_ERROR(brink_child_start(loop, &child, patient.pid), -EINVAL);
	brink_child_init(&child, has_ended);
	CHECK_ERROR(brink_child_stop(&child), -ENOENT);
	CHECK_ERROR(brink_child_start(loop, &child, 0), -EINVAL);
	CHECK_ERROR(brink_child_start(loop, &child, -1), -EINVAL);
	CHECK_ERROR(brink_child_start(loop, &child, getpid()), -ECHILD);
	CHECK_ERROR(brink_child_start(loop, &child, getppid()), -ECHILD);
	CHECK_ERROR(brink_child_start(loop, &child, 1), -ECHILD);
	CHECK_ERROR(brink_child_stop(&child), -ENOENT);
	CHECK_EQ(brink_loop_run(loop), 0);
	watch_patient(loop, &nurse, &patient);
	CHECK_ERROR(brink_child_start(loop, &nurse.child, patient.pid), -EEXIST);
	CHECK_OK(brink_child_stop(&nurse.child));
	CHECK_ERROR(brink_child_stop(&nurse.child), -ENOENT);
	end_patient(&patient);
	reap(&patient, 0);
	CHECK_ERROR(brink_child_start(loop, &child, patient.pid), -ECHILD);
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_OK(brink_loop_destroy(loop));
}

/* A process that is not waited for any more is the caller's to reap. */
static void stopped(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct patient first = start_patient(1), second = start_patient(2);
	struct nurse one, two;

	(void)kind;
	watch_patient(loop, &one, &first);
	watch_patient(loop, &two, &second);
	CHECK_OK(brink_child_stop(&one.child));
	end_patient(&first);
	await_zombie(&first);
	end_patient(&second);
	await_zombie(&second);
	CHECK_OK(brink_child_stop(&two.child)); /* it had ended, and was not called yet */
	for (int i = 0; i < 3; i++)
		CHECK_EQ(brink_loop_run_once(loop, 0), 0);
	CHECK_EQ(one.calls + two.calls, 0);
	reap(&first, 1 << 8);
	reap(&second, 2 << 8);
	CHECK_OK(brink_loop_destroy(loop));
}

static void not_reaped_by_destroy(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct patient patient = start_patient(1);
	struct nurse nurse;

	(void)kind;
	watch_patient(loop, &nurse, &patient);
	CHECK_OK(brink_loop_destroy(loop));
	end_patient(&patient);
	reap(&patient, 1 << 8);
	CHECK_EQ(nurse.calls, 0);
}

static void stop_other(struct nurse *nurse)
{
	if (nurse->other->calls == 0)
		CHECK_OK(brink_child_stop(&nurse->other->child));
}

/* Both ended in one turn: the one that is called first stops the other. */
static void stopped_by_another(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct patient patients[2];
	struct nurse nurses[2];

	(void)kind;
	for (int i = 0; i < 2; i++) {
		patients[i] = start_patient(i);
		watch_patient(loop, &nurses[i], &patients[i]);
		nurses[i].then = stop_other;
		nurses[i].other = &nurses[1 - i];
	}
	for (int i = 0; i < 2; i++) {
		end_patient(&patients[i]);
		await_zombie(&patients[i]);
	}
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_EQ(nurses[0].calls + nurses[1].calls, 1);
	for (int i = 0; i < 2; i++)
		if (nurses[i].calls == 0)
			reap(&patients[i], i << 8);
	CHECK_OK(brink_loop_destroy(loop));
}

static struct patient successor;

static void watch_successor(struct nurse *nurse)
{
	nurse->then = NULL;
	successor = start_patient(9);
	CHECK_OK(brink_child_start(nurse->child.loop, &nurse->child, successor.pid));
	end_patient(&successor);
}

static void restarted_in_its_call(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct patient patient = start_patient(8);
	struct nurse nurse;

	(void)kind;
	watch_patient(loop, &nurse, &patient);
	nurse.then = watch_successor;
	end_patient(&patient);
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_EQ(nurse.calls, 2);
	CHECK(WIFEXITED(nurse.status) && WEXITSTATUS(nurse.status) == 9);
	CHECK_OK(brink_loop_destroy(loop));
}

static void two_loops(enum kind kind)
{
	brink_loop *loops[2];
	struct patient patients[4];
	struct nurse nurses[4];

	(void)kind;
	for (int i = 0; i < 2; i++)
		loops[i] = new_loop();
	for (int i = 0; i < 4; i++) {
		patients[i] = start_patient(10 + i);
		watch_patient(loops[i % 2], &nurses[i], &patients[i]);
	}
	for (int i = 3; i >= 0; i--) {
		end_patient(&patients[i]);
		await_zombie(&patients[i]);
	}
	CHECK_EQ(brink_loop_run(loops[0]), 0);
	CHECK_EQ(nurses[0].calls + nurses[2].calls, 2);
	CHECK_EQ(nurses[1].calls + nurses[3].calls, 0);
	CHECK_OK(brink_loop_destroy(loops[0]));
	CHECK_EQ(brink_loop_run(loops[1]), 0);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(nurses[i].calls, 1);
		CHECK_EQ(WEXITSTATUS(nurses[i].status), 10 + i);
	}
	CHECK_OK(brink_loop_destroy(loops[1]));
}

/* Children of the program that nobody watches are left alone. */
static void others_are_left_alone(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct patient own = start_patient(4), watched = start_patient(5);
	struct nurse nurse;

	(void)kind;
	watch_patient(loop, &nurse, &watched);
	end_patient(&watched);
	end_patient(&own);
	await_zombie(&own);
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_EQ(nurse.calls, 1);
	reap(&own, 4 << 8);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- who is traced ---- */

static void stop_loop(brink_timer *timer)
{
	brink_loop_stop(timer->loop);
}

static uint64_t turns_in(brink_loop *loop, uint64_t time)
{
	struct brink_counters before, after;
	brink_timer timer;

	brink_loop_counters(loop, &before);
	brink_timer_init(&timer, stop_loop);
	CHECK_OK(brink_timer_start(loop, &timer, time, 0));
	CHECK_OK(brink_loop_run(loop));
	brink_loop_counters(loop, &after);
	return after.turns - before.turns;
}

/* So many children are so many reasons to run. */
static void run_for_nobody(brink_loop *loop, unsigned children)
{
	for (unsigned i = 0; i < children; i++)
		brink_loop_unref(loop);
	CHECK_EQ(brink_loop_run(loop), 0);
	for (unsigned i = 0; i < children; i++)
		brink_loop_ref(loop);
}

static void reaped_by_others(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct patient patient = start_patient(3);
	struct nurse nurse;

	(void)kind;
	watch_patient(loop, &nurse, &patient);
	end_patient(&patient);
	await_zombie(&patient);
	reap(&patient, 3 << 8);
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_EQ(nurse.calls, 1);
	CHECK_EQ(nurse.status, -1);
	CHECK_EQ(nurse.child.status, -1);
	CHECK_OK(brink_loop_destroy(loop));
}

/* It has ended, and cannot be reaped: the loop sleeps, and reaps it when its tracer has. */
static void traced_by_another(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct patient patient = start_patient(6), stopped = start_patient(7);
	struct nurse nurse, unheard;
	struct tracer tracer, other;

	(void)kind;
	if (!start_tracer(&tracer, patient.pid))
		SKIP("this system lets no process trace another");
	CHECK(start_tracer(&other, stopped.pid));
	watch_patient(loop, &nurse, &patient);
	watch_patient(loop, &unheard, &stopped);
	end_patient(&patient);
	end_patient(&stopped);
	await_traced_end(&tracer);
	await_traced_end(&other);
	CHECK(turns_in(loop, BRINK_MS(300)) < 100);
	CHECK_EQ(brink_loop_run_once(loop, (int64_t)BRINK_MS(150)), 0); /* nobody was called */
	CHECK_EQ(nurse.calls, 0);
	run_for_nobody(loop, 2);
	CHECK_OK(brink_child_stop(&unheard.child));
	end_tracer(&tracer);
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_EQ(nurse.calls, 1);
	CHECK_EQ(WEXITSTATUS(nurse.status), 6);
	end_tracer(&other);
	reap(&stopped, 7 << 8);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- who need not be waited for ---- */

static void unwaited_for(void)
{
	brink_loop *loop = new_loop();
	struct patient patients[2] = {start_patient(1), start_patient(2)};
	struct nurse nurses[2];

	for (unsigned i = 0; i < 2; i++) {
		watch_patient(loop, &nurses[i], &patients[i]);
		run_for_nobody(loop, i + 1);
	}
	end_patient(&patients[0]);
	RUN_UNTIL(loop, nurses[0].calls == 1);
	run_for_nobody(loop, 1);
	CHECK_OK(brink_child_stop(&nurses[1].child));
	CHECK_EQ(brink_loop_run(loop), 0);
	end_patient(&patients[1]);
	reap(&patients[1], 2 << 8);
	CHECK_OK(brink_loop_destroy(loop));
}

static void each_is_one_reason(enum kind kind)
{
	(void)kind;
	unwaited_for();
	if (refuse_pidfd())
		unwaited_for();
}

/* ---- without a pidfd ---- */

struct listener_to_all {
	brink_signal signal;
	unsigned calls;
};

static void hear_all(brink_signal *signal)
{
	brink_container_of(signal, struct listener_to_all, signal)->calls++;
}

/* Who has asked for SIGCHLD himself hears of signals, and not of what is waited for. */
static void beside_the_signal(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct listener_to_all all = {.calls = 0};
	struct patient dead = start_patient(8), living = start_patient(9);
	struct nurse first, second;

	(void)kind;
	if (!refuse_pidfd())
		SKIP("this system cannot be made to refuse descriptors of processes");
	end_patient(&dead);
	await_zombie(&dead);
	brink_signal_init(&all.signal, hear_all);
	CHECK_OK(brink_signal_start(loop, &all.signal, SIGCHLD));
	watch_patient(loop, &first, &dead);
	watch_patient(loop, &second, &living);
	RUN_UNTIL(loop, first.calls == 1);
	CHECK_EQ(second.calls, 0);
	CHECK_EQ(all.calls, 0);
	end_patient(&living);
	RUN_UNTIL(loop, second.calls == 1);
	CHECK_EQ(all.calls, 1);
	CHECK_EQ(WEXITSTATUS(first.status), 8);
	CHECK_EQ(WEXITSTATUS(second.status), 9);
	CHECK_OK(brink_signal_stop(&all.signal));
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("process/exits", exits, 0, .promises = {22}),
	SCENARIO("process/killed", killed, 0, .promises = {22}),
	SCENARIO("process/stopped-is-not-ended", stopped_is_not_ended, 0, .promises = {22}),
	SCENARIO("process/already-dead", already_dead, 0, .promises = {22}),
	SCENARIO("process/many", many, 0, .promises = {22}),
	SCENARIO("process/errors", errors, 0, .promises = {14, 22}),
	SCENARIO("process/stopped", stopped, 0, .promises = {22}),
	SCENARIO("process/not-reaped-by-destroy", not_reaped_by_destroy, 0, .promises = {22}),
	SCENARIO("process/stopped-by-another", stopped_by_another, 0, .promises = {7, 22}),
	SCENARIO("process/restarted-in-its-call", restarted_in_its_call, 0, .promises = {7, 22}),
	SCENARIO("process/two-loops", two_loops, 0, .promises = {22}),
	SCENARIO("process/others-are-left-alone", others_are_left_alone, 0, .promises = {22}),
	SCENARIO("process/reaped-by-others", reaped_by_others, 0, .promises = {22}),
	SCENARIO("process/traced-by-another", traced_by_another, 0, .promises = {2, 22}),
	SCENARIO("process/each-is-one-reason", each_is_one_reason, 0, .promises = {22}),
	SCENARIO("process/beside-the-signal", beside_the_signal, 0, .promises = {22}),
	NO_MORE_SCENARIOS,
};

const struct group process_group = {"process", scenarios};
