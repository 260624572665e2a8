/* The threads of a group on processors of their own. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1 /* sched_getaffinity() */
#endif
#include "groups.h"

#include <stdatomic.h>
#include <string.h>

#if defined(__linux__)

#include <sched.h>

/* The processors that this thread may run on, the lowest first; how many. */
static int processors(int *numbers, int limit)
{
	cpu_set_t set;
	int count = 0;

	CPU_ZERO(&set);
	SYSCALL(sched_getaffinity(0, sizeof set, &set));
	for (int i = 0; i < CPU_SETSIZE && count < limit; i++)
		if (CPU_ISSET((size_t)i, &set))
			numbers[count++] = i;
	return count;
}

static void check_pinned(const int *allowed, int count, unsigned index)
{
	int own[2];

	CHECK_EQ(processors(own, 2), 1);
	CHECK_EQ(own[0], allowed[index % (unsigned)count]);
}

#else

static int processors(int *numbers, int limit)
{
	(void)numbers;
	(void)limit;
	return 0;
}

/* Elsewhere it cannot be asked. */
static void check_pinned(const int *allowed, int count, unsigned index)
{
	(void)allowed;
	(void)count;
	(void)index;
}

#endif

#define LIMIT 1024

static int allowed[LIMIT], allowed_count;
static atomic_uint starts;
static bool pinned;

static void on_start(brink_loop *loop, unsigned index, void *arg)
{
	int own[LIMIT];

	(void)loop;
	(void)arg;
	if (pinned)
		check_pinned(allowed, allowed_count, index);
	else
		CHECK_EQ(processors(own, LIMIT), allowed_count);
	starts++;
}

static void start(unsigned loops, unsigned flags)
{
	brink_group *group;

	CHECK_OK(brink_group_create(&group, &(struct brink_group_options){
		.loops = loops, .flags = flags, .on_start = on_start, .loop.backend = backend_name()}));
	CHECK_EQ(starts, loops);
	/* Either it was done or it says why not. */
	if (flags == 0)
		CHECK(strstr(brink_group_description(group), "pinned") == NULL);
	else
		CHECK(strstr(brink_group_description(group), pinned ? ", pinned" : "pinned") != NULL);
	CHECK_OK(brink_group_destroy(group));
	starts = 0;
}

static void seen_on_linux(enum kind kind)
{
	int now[LIMIT];

	(void)kind;
	allowed_count = processors(allowed, LIMIT);
	start(3, 0);
	pinned = allowed_count > 0;
	/* More threads than processors: they share them. */
	start((unsigned)allowed_count + 2, BRINK_GROUP_PIN);
	/* The creator stays where it was. */
	CHECK_EQ(processors(now, LIMIT), allowed_count);
}

static const struct scenario scenarios[] = {
	SCENARIO("group-pin/seen-on-linux", seen_on_linux, 0),
	NO_MORE_SCENARIOS,
};
const struct group group_pin_group = {"group-pin", scenarios};
