/* The process of one case: its checks and notes, which go to the record that it shares
 * with the parent, and the look for lost descriptors at its end. */
#include "harness.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTORS 4096 /* those below are looked at for leaks */

static const struct plan *the_plan;
static const struct test_case *the_test;
static struct case_record *the_record;
static uint64_t the_seed, random_state;
static unsigned char open_before[DESCRIPTORS];
static bool rehearsing;

_Thread_local struct place place = {"scenario", 0};

struct case_record *child_record(void)
{
	return the_record;
}

const char *child_directory(void)
{
	return the_plan->directory;
}

/* ---- the verdict ---- */

static void set_verdict(enum verdict verdict, const char *reason)
{
	int none = VERDICT_NONE;

	if (atomic_compare_exchange_strong(&the_record->verdict, &none, verdict))
		snprintf(the_record->reason, sizeof the_record->reason, "%s", reason);
}

static enum course course(void)
{
	return the_plan->conditions != NULL ? the_plan->conditions->course(the_test) : AS_EXPECTED;
}

static _Noreturn PRINTF_LIKE(4, 0) void end_as(enum verdict verdict, const char *file, int line,
                                               const char *format, va_list arguments)
{
	const char *base = line > 0 ? strrchr(file, '/') : NULL; /* without a line it is a name */
	char text[REASON_SIZE];
	int used = snprintf(text, sizeof text, "%s:%d: ", base != NULL ? base + 1 : file, line);

	vsnprintf(text + used, sizeof text - (size_t)used, format, arguments);
	set_verdict(verdict, text);
	if (rehearsing) {
		fprintf(stderr, "brink-conformance: in the rehearsal of %s: %s\n", the_test->scenario->name, text);
		remove_directory(the_plan);
	}
	if (ftrylockfile(stdout) == 0) /* another thread may have been stopped in there */
		fflush(stdout);
	_exit(1);
}

/* What it looks at may fail as well. */
static void look_afterwards(void)
{
	static atomic_flag looked = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&looked))
		the_plan->conditions->afterwards();
}

_Noreturn void fail(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	if (course() == OTHERWISE)
		look_afterwards();
	va_start(arguments, format);
	end_as(course() != AS_EXPECTED ? VERDICT_OTHERWISE : VERDICT_FAIL, file, line, format, arguments);
}

_Noreturn void fail_always(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	end_as(VERDICT_FAIL, file, line, format, arguments);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Who gives up half-way has lost nothing, but a checker could not know that. */
static void close_what_it_opened(void)
{
	for (int fd = 0; fd < DESCRIPTORS; fd++)
		if (is_open(fd) && !open_before[fd])
			close(fd);
}

_Noreturn void skip(const char *format, ...)
{
	char text[REASON_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (rehearsing)
		fail_always(HERE, "it would be skipped: %s", text);
	set_verdict(VERDICT_SKIP, text);
	close_what_it_opened();
	exit(0);
}

void check_eq(const char *file, int line, const char *text, long long value, long long expected)
{
	if (value != expected)
		fail(file, line, "%s: got %lld, expected %lld", text, value, expected);
}

void check_ok(const char *file, int line, const char *text, long long result)
{
	if (result < 0)
		fail(file, line, "%s: %lld (%s)", text, result, brink_strerror((int)result));
}

void check_error(const char *file, int line, const char *text, long long result, int expected)
{
	if (result != expected)
		fail(file, line, "%s: got %lld (%s), expected %d (%s)", text, result,
		     result < 0 ? brink_strerror((int)result) : "no error", expected, brink_strerror(expected));
}

/* ---- what goes to the record beside ---- */

static PRINTF_LIKE(3, 0) void append(char *text, size_t *length, const char *format, va_list arguments)
{
	size_t room = TEXT_SIZE - *length;
	int n = vsnprintf(text + *length, room, format, arguments);

	if (n < 0 || (size_t)n + 2 > room)
		FAIL("the scenario notes too much");
	*length += (size_t)n;
}

static void end_line(char *text, size_t *length)
{
	text[(*length)++] = '\n';
	text[*length] = '\0';
}

void note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	append(the_record->notes, &the_record->note_length, format, arguments);
	va_end(arguments);
	end_line(the_record->notes, &the_record->note_length);
}

void measure(const char *cell, const char *format, ...)
{
	size_t length = strlen(cell);
	va_list arguments;

	if (the_record->measure_length + length + 2 > TEXT_SIZE)
		FAIL("the scenario measures too much");
	memcpy(the_record->measures + the_record->measure_length, cell, length);
	the_record->measure_length += length;
	the_record->measures[the_record->measure_length++] = '\t';
	va_start(arguments, format);
	append(the_record->measures, &the_record->measure_length, format, arguments);
	va_end(arguments);
	end_line(the_record->measures, &the_record->measure_length);
}

/* ---- what is run ---- */

const char *backend_name(void)
{
	return the_test->backend->info.name;
}

bool can(unsigned feature)
{
	return (the_test->backend->info.features & feature) != 0;
}

bool is_slow(void)
{
	return slow_build() || the_plan->conditions != NULL;
}

bool is_long(void)
{
	return the_plan->long_run;
}

uint64_t seed(void)
{
	return the_seed;
}

static uint64_t mix(uint64_t value)
{
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
	return value ^ (value >> 31);
}

void random_from(uint64_t value)
{
	random_state = value;
}

uint64_t random_bits(void)
{
	random_state += 0x9e3779b97f4a7c15u;
	return mix(random_state);
}

unsigned random_below(unsigned end)
{
	return (unsigned)(random_bits() % end);
}

/* The same on every backend, so that their traces can be compared. */
static uint64_t case_seed(void)
{
	uint64_t value = mix(the_plan->seed + (uint64_t)the_test->kind);

	for (const char *at = the_test->scenario->name; *at != '\0'; at++)
		value = mix(value + (unsigned char)*at);
	return value;
}

uint64_t monotonic_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#define PATIENCE_OTHERWISE BRINK_MS(500)

uint64_t hang_deadline(void)
{
	uint64_t patience = course() == OTHERWISE ? PATIENCE_OTHERWISE : BRINK_SECONDS(20);

	return monotonic_now() + patience * (slow_build() || is_long() ? 20u : 1u);
}

void sleep_ms(unsigned ms)
{
	struct timespec rest = {.tv_sec = (time_t)(ms / 1000u), .tv_nsec = (long)(ms % 1000u) * 1000000};

	while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
		;
}

void (expect_success_of)(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		CHECK_EQ(errno, EINTR);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		FAIL("the child ended with wait status 0x%x", (unsigned)status);
}

/* ---- loops ---- */

bool tiny_rings;

int try_loop(brink_loop **loop, const struct brink_loop_options *options)
{
	struct brink_loop_options mine = options != NULL ? *options : (struct brink_loop_options){.batch = 0};

	mine.backend = backend_name();
	if (tiny_rings && mine.ring_entries == 0)
		mine.ring_entries = 2;
	return brink_loop_create(loop, &mine);
}

brink_loop *new_loop_with(const struct brink_loop_options *options)
{
	brink_loop *loop = NULL;

	CHECK_OK(try_loop(&loop, options));
	CHECK(strcmp(brink_loop_backend(loop), backend_name()) == 0);
	return loop;
}

brink_loop *new_loop(void)
{
	return new_loop_with(NULL);
}

/* Not every scenario gives up by itself: each turn without a call could be the first of many. */
static void look_for_life(brink_loop *loop, int calls)
{
	static _Thread_local uint64_t silent_since;

	if (calls > 0 || silent_since == 0)
		silent_since = monotonic_now();
	else if (monotonic_now() - silent_since > PATIENCE_OTHERWISE * 3 * (slow_build() ? 20u : 1u))
		wait_in_vain(HERE, loop, "anything");
}

static int turn_for(brink_loop *loop, unsigned ms)
{
	int calls = brink_loop_run_once(loop, (int64_t)BRINK_MS(ms));

	CHECK_OK(calls);
	if (course() == OTHERWISE)
		look_for_life(loop, calls);
	return calls;
}

int turn(brink_loop *loop)
{
	return turn_for(loop, 50);
}

int turn_briefly(brink_loop *loop)
{
	return turn_for(loop, 3);
}

#define LOOK BRINK_MS(200)
#define TURN_AT_LEAST (BRINK_MS(1) / 4) /* of a loop that sleeps in between; timers end a wait, too */

static uint64_t processor_time(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

static unsigned long progress(void)
{
	return the_plan->conditions != NULL ? the_plan->conditions->progress() : 0;
}

/* Whoever waits in vain sleeps, if nothing comes that is of use. A busy machine can hide that one does
 * not, and nothing else. */
_Noreturn void wait_in_vain(const char *file, int line, brink_loop *loop, const char *what)
{
	uint64_t start = monotonic_now(), used = processor_time(), turns = 0;
	unsigned long before = progress();

	for (; monotonic_now() < start + LOOK; turns++)
		CHECK_OK(brink_loop_run_once(loop, (int64_t)BRINK_MS(3)));
	used = processor_time() - used;
	if (progress() == before && turns > LOOK / TURN_AT_LEAST)
		fail_always(file, line, "the loop spins, in the wait for: %s", what);
	if (progress() == before && used > LOOK * 3 / 4)
		fail_always(file, line, "a thread spins, in the wait for: %s", what);
	if (course() == LATER)
		fail_always(file, line, "waited in vain for: %s", what);
	fail(file, line, "waited in vain for: %s", what);
}

/* ---- start and end ---- */

static void check_descriptors(void)
{
	for (int fd = 0; fd < DESCRIPTORS; fd++)
		if (is_open(fd) && !open_before[fd])
			fail_always(HERE, "descriptor %d was left open at the end", fd);
}

static void play(const struct plan *plan, const struct test_case *test, struct case_record *record)
{
	the_plan = plan;
	the_test = test;
	the_record = record;
	the_seed = random_state = case_seed();
	for (int fd = 0; fd < DESCRIPTORS; fd++)
		open_before[fd] = is_open(fd);
	if (plan->conditions != NULL)
		plan->conditions->begin(test);
	test->scenario->run(test->kind);
	place = (struct place){test->scenario->name, 0};
	check_descriptors();
	if (plan->conditions != NULL)
		plan->conditions->end(test);
}

void rehearse(const struct plan *plan)
{
	rehearsing = true;
	for (size_t i = 0; i < plan->count; i++) {
		struct case_record *record = must_allocate(calloc(1, sizeof *record));

		if (plan->cases[i].skip == NULL)
			play(plan, &plan->cases[i], record);
		free(record);
	}
	rehearsing = false;
}

_Noreturn void child_main(const struct plan *plan, const struct test_case *test, struct case_record *record)
{
	play(plan, test, record);
	set_verdict(VERDICT_PASS, "");
	exit(0);
}
