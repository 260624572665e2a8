/* Which loop of a group a descriptor goes to. By the fewest connections: see
 * test/unit/placement.c, which can make connections up. */
#include "groups.h"

#include <pthread.h>
#include <string.h>

#define LOOPS 6u

static brink_group *new_group(enum brink_placement placement, brink_place_fn *call, void *arg)
{
	brink_group *group;

	CHECK_OK(brink_group_create(&group, &(struct brink_group_options){
		.loops = LOOPS, .placement = placement, .place = call, .arg = arg,
		.loop.backend = backend_name()}));
	return group;
}

static unsigned index_of(brink_group *group, brink_loop *loop)
{
	for (unsigned i = 0; i < brink_group_size(group); i++)
		if (brink_group_loop(group, i) == loop)
			return i;
	FAIL("a loop that is not of the group");
}

/* Of `count` descriptors from `first` on, every `step`th: how many go to each loop. */
static void spread(brink_group *group, int first, int step, unsigned count, unsigned *shares)
{
	memset(shares, 0, LOOPS * sizeof *shares);
	for (unsigned i = 0; i < count; i++)
		shares[index_of(group, brink_group_place(group, first + (int)i * step))]++;
}

/* Runs of descriptors, as servers have them, and sparse ones: no loop gets twice its share,
 * or less than half of it. */
static void by_hash(enum kind kind)
{
	brink_group *group = new_group(BRINK_PLACE_HASH, NULL, NULL);
	static const int steps[] = {1, 2, 3, 4, 8, 16, 64, 100, 256, 1024};
	unsigned shares[LOOPS];

	(void)kind;
	for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
		for (int first = 0; first < 100; first += 33) {
			spread(group, first, steps[s], 300 * LOOPS, shares);
			for (unsigned i = 0; i < LOOPS; i++)
				CHECK(shares[i] > 150 && shares[i] < 600);
		}
	}
	for (int fd = 0; fd < 1000; fd++)
		CHECK(brink_group_place(group, fd) == brink_group_place(group, fd));
	CHECK_OK(brink_group_destroy(group));
}

#define THREADS 4u
#define PLACEMENTS (LOOPS * 1000u)

struct placer {
	pthread_t thread;
	brink_group *group;
	unsigned shares[LOOPS];
};

static void *place_many(void *arg)
{
	struct placer *placer = arg;

	spread(placer->group, 5, 0, PLACEMENTS, placer->shares);
	return NULL;
}

/* Each in turn; also when several threads place, every loop gets exactly its share. */
static void in_turn(enum kind kind)
{
	brink_group *group = new_group(BRINK_PLACE_ROUND_ROBIN, NULL, NULL);
	unsigned first = index_of(group, brink_group_place(group, 9)), sum;
	struct placer placers[THREADS];

	(void)kind;
	for (unsigned i = 1; i < 10 * LOOPS; i++)
		CHECK_EQ(index_of(group, brink_group_place(group, 9)), (first + i) % LOOPS);
	for (unsigned t = 0; t < THREADS; t++) {
		placers[t].group = group;
		CHECK_EQ(pthread_create(&placers[t].thread, NULL, place_many, &placers[t]), 0);
	}
	for (unsigned t = 0; t < THREADS; t++)
		CHECK_EQ(pthread_join(placers[t].thread, NULL), 0);
	for (unsigned i = 0; i < LOOPS; i++) {
		sum = 0;
		for (unsigned t = 0; t < THREADS; t++)
			sum += placers[t].shares[i];
		CHECK_EQ(sum, THREADS * PLACEMENTS / LOOPS);
	}
	CHECK_OK(brink_group_destroy(group));
}

/* Equal ones get theirs in turn. */
static void by_connections(enum kind kind)
{
	brink_group *group = new_group(BRINK_PLACE_LEAST, NULL, NULL);
	unsigned shares[LOOPS];

	(void)kind;
	spread(group, 3, 1, 5 * LOOPS, shares);
	for (unsigned i = 0; i < LOOPS; i++)
		CHECK_EQ(shares[i], 5);
	CHECK_OK(brink_group_destroy(group));
}

static int asked_for;

static unsigned choose(brink_group *group, int fd, void *arg)
{
	CHECK(arg == &asked_for);
	CHECK_EQ(brink_group_size(group), LOOPS);
	asked_for = fd;
	return (unsigned)fd;
}

static void by_call(enum kind kind)
{
	brink_group *group = new_group(BRINK_PLACE_CALL, choose, &asked_for);

	(void)kind;
	for (int fd = 0; fd < 50; fd++) {
		CHECK_EQ(index_of(group, brink_group_place(group, fd)), (unsigned)fd % LOOPS);
		CHECK_EQ(asked_for, fd);
	}
	CHECK_OK(brink_group_destroy(group));
}

static const struct scenario scenarios[] = {
	SCENARIO("group-place/by-hash", by_hash, 0),
	SCENARIO("group-place/in-turn", in_turn, 0),
	SCENARIO("group-place/by-connections", by_connections, 0),
	SCENARIO("group-place/by-call", by_call, 0),
	NO_MORE_SCENARIOS,
};
const struct group group_place_group = {"group-place", scenarios};
