/* A group starts: every loop runs, or none does. */
#include "groups.h"
#include "scarce.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LOOPS 4u
#define AT_MOST 5000u /* allocations, or descriptors, that a start may need */

static brink_group *group;
static atomic_uint starts, stops;
static brink_loop *started_on[LOOPS];
static pthread_t threads[LOOPS];

static void on_start(brink_loop *loop, unsigned index, void *arg)
{
	CHECK(arg == &starts);
	CHECK(index < LOOPS && group != NULL);
	CHECK(brink_group_loop(group, index) == loop);
	CHECK(started_on[index] == NULL);
	started_on[index] = loop;
	threads[index] = pthread_self();
	starts++;
}

static void on_stop(brink_loop *loop, unsigned index, void *arg)
{
	CHECK(arg == &starts);
	CHECK(started_on[index] == loop && pthread_equal(threads[index], pthread_self()));
	stops++;
}

static struct brink_group_options usual_options(void)
{
	return (struct brink_group_options){
		.tag = "usual", .loops = LOOPS, .arg = &starts, .on_start = on_start, .on_stop = on_stop,
		.loop.backend = backend_name(),
	};
}

struct visit {
	brink_task task;
	unsigned index;
	atomic_bool done;
};

static void on_visit(brink_task *task)
{
	struct visit *visit = brink_container_of(task, struct visit, task);

	CHECK(pthread_equal(threads[visit->index], pthread_self()));
	atomic_store(&visit->done, true);
}

/* Each loop calls what is posted to it, on the thread that on_start was called on. */
static void visit_all(void)
{
	struct visit visits[LOOPS];

	for (unsigned i = 0; i < LOOPS; i++) {
		visits[i].index = i;
		atomic_init(&visits[i].done, false);
		brink_task_init(&visits[i].task, on_visit);
		brink_task_post(brink_group_loop(group, i), &visits[i].task);
	}
	for (unsigned i = 0; i < LOOPS; i++)
		while (!atomic_load(&visits[i].done))
			sleep_ms(1);
}

/* It starts, each loop calls, it ends; and could start again. */
static void check_works(void)
{
	struct brink_group_options options = usual_options();

	starts = stops = 0;
	memset(started_on, 0, sizeof started_on);
	CHECK_OK(brink_group_create(&group, &options));
	CHECK_EQ(starts, LOOPS); /* all of them when create returns */
	visit_all();
	CHECK_EQ(stops, 0);
	CHECK_OK(brink_group_destroy(group));
	CHECK_EQ(starts, LOOPS);
	CHECK_EQ(stops, LOOPS);
	group = NULL;
}

static void all_run(enum kind kind)
{
	(void)kind;
	check_works();
	for (unsigned i = 0; i < LOOPS; i++)
		for (unsigned j = 0; j < i; j++)
			CHECK(started_on[i] != started_on[j]);
	check_works();
}

static void what_it_tells(enum kind kind)
{
	struct brink_group_options options = usual_options();
	char tag[] = "a tag that is longer than what systems let threads be called";

	(void)kind;
	options.tag = tag;
	CHECK_OK(brink_group_create(&group, &options));
	tag[0] = 'b';
	CHECK_EQ(brink_group_size(group), LOOPS);
	CHECK(brink_group_loop(group, LOOPS) == NULL);
	CHECK(strncmp(brink_group_tag(group), "a tag", 5) == 0);
	CHECK(strlen(brink_group_tag(group)) == strlen(tag));
	CHECK(strstr(brink_group_description(group), "4 loops") != NULL);
	CHECK(strstr(brink_group_description(group), backend_name()) != NULL);
	CHECK_OK(brink_group_destroy(group));
	CHECK_OK(brink_group_destroy(NULL));
}

/* One loop a processor, on whatever backend the environment says. */
static void defaults(enum kind kind)
{
	(void)kind;
	CHECK_EQ(setenv("BRINK_BACKEND", backend_name(), 1), 0);
	CHECK_OK(brink_group_create(&group, NULL));
	CHECK(brink_group_size(group) >= 1);
	CHECK(brink_group_size(group) <= (unsigned)sysconf(_SC_NPROCESSORS_CONF));
	CHECK(strcmp(brink_loop_backend(brink_group_loop(group, 0)), backend_name()) == 0);
	CHECK(brink_group_place(group, 3) != NULL);
	CHECK_OK(brink_group_destroy(group));
}

static unsigned nowhere(brink_group *asking, int fd, void *arg)
{
	(void)asking;
	(void)fd;
	(void)arg;
	return 0;
}

static void refuse(struct brink_group_options options, int error)
{
	group = (brink_group *)&starts;
	CHECK_ERROR(brink_group_create(&group, &options), error);
	CHECK(group == NULL);
	CHECK_EQ(starts, 0);
}

static void bad_options(enum kind kind)
{
	struct brink_group_options options = usual_options();

	(void)kind;
	options.flags = 1u << 31;
	refuse(options, -EINVAL);
	options = usual_options();
	options.placement = (enum brink_placement)77;
	refuse(options, -EINVAL);
	options.placement = BRINK_PLACE_CALL;
	refuse(options, -EINVAL);
	options.placement = BRINK_PLACE_HASH;
	options.place = nowhere;
	refuse(options, -EINVAL);
	options = usual_options();
	options.reserved[3] = &options;
	refuse(options, -EINVAL);
	options = usual_options();
	options.loop.batch = 1000000;
	refuse(options, -EINVAL);
	options.loop.batch = 0;
	options.loop.backend = "none";
	refuse(options, -ENOENT);
}

/* ---- too little of something ---- */

static void without_memory(enum kind kind)
{
	struct brink_group_options options = usual_options();
	unsigned k = 0, before;
	int result;

	(void)kind;
	scarce_memory();
	before = descriptors_open();
	for (;;) {
		fail_allocation(++k);
		result = brink_group_create(&group, &options);
		if (!allocation_failed())
			break;
		CHECK_ERROR(result, -ENOMEM);
		CHECK(group == NULL && starts == 0 && blocks_live() == 0);
		CHECK_EQ(descriptors_open(), before);
		CHECK(k < AT_MOST);
	}
	CHECK_OK(result);
	CHECK(k > LOOPS);
	CHECK_EQ(starts, LOOPS);
	CHECK_OK(brink_group_destroy(group));
	CHECK_EQ(blocks_live(), 0);
	check_works();
}

static void without_descriptors(enum kind kind)
{
	struct brink_group_options options = usual_options();
	unsigned more, before = descriptors_open();
	int result = -EMFILE;

	(void)kind;
	for (more = 0; result < 0; more++) {
		CHECK(more < AT_MOST);
		limit_descriptors(more);
		result = brink_group_create(&group, &options);
		unlimit_descriptors();
		if (result < 0) {
			CHECK_ERROR(result, -EMFILE);
			CHECK(group == NULL && starts == 0);
			CHECK_EQ(descriptors_open(), before);
		}
	}
	CHECK(more > 2 * LOOPS); /* each has a pipe at least */
	CHECK_EQ(starts, LOOPS);
	CHECK_OK(brink_group_destroy(group));
	CHECK_EQ(descriptors_open(), before);
	check_works();
}

static void without_threads(enum kind kind)
{
	struct brink_group_options options = usual_options();
	unsigned more, before = descriptors_open();
	int result = -EAGAIN;

	(void)kind;
	for (more = 0; result < 0; more++) {
		CHECK(more < AT_MOST);
		if (!limit_threads(more))
			SKIP("this system does not limit the threads of a user, or not of this one");
		result = brink_group_create(&group, &options);
		if (result < 0) {
			CHECK_ERROR(result, -EAGAIN);
			CHECK(group == NULL && starts == 0);
			CHECK_EQ(descriptors_open(), before);
		}
	}
	CHECK_EQ(starts, LOOPS);
	CHECK(more > LOOPS);
	CHECK_OK(brink_group_destroy(group));
	check_works();
}

/* ---- the threads ---- */

static volatile sig_atomic_t signals_seen;
static pthread_t signalled;

static void on_signal(int number)
{
	(void)number;
	signalled = pthread_self();
	signals_seen++;
}

/* When the only thread of the program that takes a signal blocks it, nobody takes it. */
static void signals_stay_away(enum kind kind)
{
	struct brink_group_options options = usual_options();
	struct sigaction action = {.sa_handler = on_signal};
	brink_executor *executor;
	sigset_t set;

	(void)kind;
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_OK(brink_group_create(&group, &options));
	CHECK_OK(brink_executor_create(&executor, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	sleep_ms(50);
	sigemptyset(&set);
	CHECK_EQ(sigpending(&set), 0);
	CHECK_EQ(sigismember(&set, SIGUSR1), 1);
	CHECK_EQ(signals_seen, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
	while (signals_seen == 0)
		sleep_ms(1);
	CHECK_EQ(signals_seen, 1);
	CHECK(pthread_equal(signalled, pthread_self()));
	CHECK_OK(brink_executor_destroy(executor));
	CHECK_OK(brink_group_destroy(group));
}

/* The creator's own mask is what it was. */
static void mask_is_kept(enum kind kind)
{
	struct brink_group_options options = usual_options();
	sigset_t before, after;

	(void)kind;
	sigemptyset(&before);
	sigaddset(&before, SIGUSR2);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &before, NULL), 0);
	CHECK_OK(brink_group_create(&group, &options));
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &after), 0);
	CHECK_EQ(sigismember(&after, SIGUSR2), 1);
	CHECK_EQ(sigismember(&after, SIGUSR1), 0);
	CHECK_EQ(sigismember(&after, SIGTERM), 0);
	CHECK_OK(brink_group_destroy(group));
}

static uint64_t processor_time(void)
{
	struct rusage usage;

	CHECK_EQ(getrusage(RUSAGE_SELF, &usage), 0);
	return BRINK_SECONDS(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       BRINK_MS(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

/* With nothing to do, nobody does anything. */
static void idle_sleeps(enum kind kind)
{
	struct brink_group_options options = usual_options();
	brink_executor *executor;
	uint64_t before;

	(void)kind;
	CHECK_OK(brink_group_create(&group, &options));
	CHECK_OK(brink_executor_create(&executor, NULL));
	visit_all();
	before = processor_time();
	sleep_ms(400);
	CHECK(processor_time() - before < BRINK_MS(40));
	CHECK_OK(brink_executor_destroy(executor));
	CHECK_OK(brink_group_destroy(group));
}

static const struct scenario scenarios[] = {
	SCENARIO("group-start/all-run", all_run, 0),
	SCENARIO("group-start/what-it-tells", what_it_tells, 0),
	SCENARIO("group-start/defaults", defaults, 0),
	SCENARIO("group-start/bad-options", bad_options, 0),
	SCENARIO("group-start/without-memory", without_memory, 0),
	SCENARIO("group-start/without-descriptors", without_descriptors, 0),
	SCENARIO("group-start/without-threads", without_threads, 0),
	SCENARIO("group-start/signals-stay-away", signals_stay_away, 0),
	SCENARIO("group-start/mask-is-kept", mask_is_kept, 0),
	SCENARIO("group-start/idle-sleeps", idle_sleeps, 0),
	NO_MORE_SCENARIOS,
};
const struct group group_start_group = {"group-start", scenarios};
