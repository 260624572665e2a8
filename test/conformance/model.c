/* The model test: sequences of random steps, and the shrinking of one that fails.
 *
 * The sequences are played in a process of their own, so that one that crashes or hangs
 * can be found and shrunk as well as one that only goes wrong. */
#include "groups.h"
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LENGTH 200u          /* steps of a sequence */
#define SHRINK_TIME BRINK_SECONDS(20)
#define HASTE BRINK_MS(300)  /* while shrinking, what has not come by then is lost */

/* Shared with the process that plays. */
struct report {
	unsigned sequence; /* that is being played */
	bool passed, wrong;
	struct model_failure failure;
};

/* ---- random steps, the same for a seed ---- */

static uint64_t next_random(uint64_t *state)
{
	uint64_t value = *state += 0x9e3779b97f4a7c15u;

	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
	return value ^ (value >> 31);
}

static unsigned below(uint64_t *state, unsigned end)
{
	return (unsigned)(next_random(state) % end);
}

static const unsigned char weights[MODEL_OPS] = {
	[MODEL_OPEN] = 12, [MODEL_START] = 14, [MODEL_STOP] = 3, [MODEL_CLOSE] = 2, [MODEL_SET] = 4,
	[MODEL_REARM] = 8, [MODEL_AGAIN] = 5, [MODEL_READ] = 8, [MODEL_READ_ALL] = 12, [MODEL_TAKE] = 5,
	[MODEL_WRITE] = 5, [MODEL_FILL] = 5, [MODEL_PUT] = 3, [MODEL_SHUT] = 1, [MODEL_PEER_WRITE] = 18,
	[MODEL_PEER_READ] = 10, [MODEL_PEER_SHUT] = 2, [MODEL_PEER_CLOSE] = 1, [MODEL_PEER_RESET] = 1,
	[MODEL_DROP] = 1, [MODEL_TURN] = 24, [MODEL_SETTLE] = 8,
};

static enum model_op random_op(uint64_t *state)
{
	unsigned total = 0, at;

	for (int op = 0; op < MODEL_OPS; op++)
		total += weights[op];
	at = below(state, total);
	for (int op = 0;; op++) {
		if (at < weights[op])
			return (enum model_op)op;
		at -= weights[op];
	}
}

static uint8_t random_bits_for(enum model_op op, uint64_t *state)
{
	static const uint8_t directions[] = {BRINK_READ, BRINK_READ, BRINK_WRITE, BRINK_READ | BRINK_WRITE};
	uint8_t some = directions[below(state, 4)];

	if (op == MODEL_OPEN)
		return (uint8_t)below(state, MODEL_KINDS);
	if (op == MODEL_START && below(state, 6) == 0)
		return (uint8_t)((below(state, 4) == 0 ? 0 : some) | BRINK_LEVEL);
	return op == MODEL_SET && below(state, 4) == 0 ? 0 : some;
}

static void make_steps(struct model_step *steps, uint64_t state)
{
	for (unsigned i = 0; i < LENGTH; i++) {
		/* At first a pair for each spot, and a watch. */
		enum model_op op = i < MODEL_SPOTS ? MODEL_OPEN : i < 2 * MODEL_SPOTS ? MODEL_START : random_op(&state);
		unsigned size = below(&state, 4);

		steps[i] = (struct model_step){
			.op = (uint8_t)op,
			.spot = (uint8_t)(i < 2 * MODEL_SPOTS ? i % MODEL_SPOTS : below(&state, MODEL_SPOTS)),
			.watch = (uint8_t)(below(&state, 4) == 0),
			.bits = random_bits_for(op, &state),
			.size = (uint16_t)(size == 0 ? 1 : 1 + below(&state, size == 1 ? 20 : size == 2 ? 5000 : 60000)),
			.inside = (uint8_t)(below(&state, 5) != 0 ? 0 : 1 + (below(&state, 4) == 0)),
		};
	}
}

/* Each sequence has a seed of its own, and a batch: more is ready than that now and then. */
static uint64_t seed_of(unsigned sequence)
{
	uint64_t state = seed() + sequence;

	return next_random(&state);
}

static unsigned batch_of(unsigned sequence)
{
	static const unsigned batches[] = {256, 1, 3};

	return batches[sequence % 3];
}

/* ---- in the process that plays ---- */

static _Noreturn void play_all(struct report *report, unsigned count)
{
	struct model_step steps[LENGTH];

	for (unsigned i = report->sequence; i < count; i++) {
		report->sequence = i;
		make_steps(steps, seed_of(i));
		alarm(is_slow() ? 1200 : 60); /* a hang kills */
		if (!model_play(steps, LENGTH, batch_of(i), hang_deadline() - monotonic_now(), &report->failure)) {
			report->wrong = true;
			_exit(0);
		}
	}
	report->passed = true;
	_exit(0);
}

static _Noreturn void play_some(struct report *report, const struct model_step *steps, size_t count, uint64_t patience)
{
	alarm(is_slow() ? 60 : 3);
	if (model_play(steps, count, batch_of(report->sequence), patience, &report->failure))
		report->passed = true;
	else
		report->wrong = true;
	_exit(0);
}

/* What became of the process, in words. */
static void describe_end(struct report *report, pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (report->passed || report->wrong)
		return;
	report->failure.step = LENGTH;
	if (WIFSIGNALED(status))
		snprintf(report->failure.text, sizeof report->failure.text, "the process was killed by signal %d (%s)",
		         WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(report->failure.text, sizeof report->failure.text, "the process ended with status %d",
		         WEXITSTATUS(status));
}

static bool fails(struct report *report, const struct model_step *steps, size_t count, uint64_t patience)
{
	pid_t pid;

	report->passed = report->wrong = false;
	pid = fork();
	SYSCALL(pid);
	if (pid == 0)
		play_some(report, steps, count, patience);
	describe_end(report, pid);
	return !report->passed;
}

/* ---- shrinking ---- */

/* Without the steps from `from` on, `count` of them. */
static size_t without(struct model_step *fewer, const struct model_step *steps, size_t total, size_t from, size_t count)
{
	if (count > total - from)
		count = total - from;
	memcpy(fewer, steps, from * sizeof *steps);
	memcpy(fewer + from, steps + from + count, (total - from - count) * sizeof *steps);
	return total - count;
}

/* Takes out parts, smaller and smaller ones, for as long as the rest still fails. */
static size_t shrink(struct report *report, struct model_step *steps, size_t count)
{
	struct model_step fewer[LENGTH];
	uint64_t end = monotonic_now() + SHRINK_TIME;
	size_t part = count / 2;

	while (part > 0) {
		bool progress = false;

		for (size_t from = 0; from < count && monotonic_now() < end;) {
			size_t left = without(fewer, steps, count, from, part);

			if (!fails(report, fewer, left, HASTE)) {
				from += part;
				continue;
			}
			memcpy(steps, fewer, left * sizeof *steps);
			count = left;
			progress = true;
		}
		if (part > 1 || !progress)
			part /= 2;
	}
	return count;
}

static void print_steps(const struct model_step *steps, size_t count)
{
	char text[160];

	for (size_t i = 0; i < count; i++) {
		model_describe(&steps[i], text, sizeof text);
		printf("  %s\n", text);
	}
	fflush(stdout);
}

static _Noreturn void explain(struct report *report)
{
	struct model_step steps[LENGTH], kept[LENGTH];
	struct model_failure first = report->failure;
	size_t count = first.step < LENGTH ? first.step : LENGTH, left;

	make_steps(steps, seed_of(report->sequence));
	memcpy(kept, steps, sizeof kept);
	left = shrink(report, steps, count);
	/* In haste something merely slow may have passed for lost. */
	if (!fails(report, steps, left, BRINK_SECONDS(2))) {
		memcpy(steps, kept, sizeof steps);
		left = count;
		report->failure = first;
	}
	printf("sequence %u of seed %llu, batch %u, %zu steps of which these are left:\n", report->sequence,
	       (unsigned long long)seed(), batch_of(report->sequence), count);
	print_steps(steps, left);
	FAIL("%s; after these %zu steps (first: %s)", report->failure.text, left, first.text);
}

/* ---- the scenario ---- */

static void random_steps(enum kind kind)
{
	unsigned total = is_long() ? 1000000 : is_slow() ? 4000 : 100000;
	struct report *report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
	pid_t pid;

	(void)kind;
	CHECK(report != MAP_FAILED);
	pid = fork();
	SYSCALL(pid);
	if (pid == 0)
		play_all(report, total / LENGTH);
	describe_end(report, pid);
	if (!report->passed)
		explain(report);
	SYSCALL(munmap(report, sizeof *report));
}

static const struct scenario scenarios[] = {
	{.name = "model/random-steps",
	 .run = random_steps,
	 .promises = {2, 3, 5, 6},
	 .flags = TRACE_FREE},
	{.name = NULL},
};

const struct group model_group = {"model", scenarios};
