/* Placement by the fewest connections, with connections that are made up. */
#include "config.h"

#include "group.h"

#include "check.h"

#define LOOPS 5u

static brink_loop loops[LOOPS];
static struct brink__member members[LOOPS];
static brink_group group = {.size = LOOPS, .placement = BRINK_PLACE_LEAST, .members = members};

static unsigned place(void)
{
	return (unsigned)(brink_group_place(&group, 3) - loops);
}

static void connect_to(unsigned index, unsigned count)
{
	while (count-- > 0)
		brink__loop_connection_added(&loops[index]);
}

static void test_least(void)
{
	for (unsigned best = 0; best < LOOPS; best++) {
		for (unsigned i = 0; i < LOOPS; i++)
			atomic_store(&loops[i].connections, i == best ? 5 : 7 + i);
		/* Wherever it begins to look. */
		for (unsigned i = 0; i < 3 * LOOPS; i++)
			CHECK(place() == best);
		brink__loop_connection_removed(&loops[(best + 1) % LOOPS]);
		CHECK(place() == best);
		atomic_store(&loops[(best + 2) % LOOPS].connections, 0);
		CHECK(place() == (best + 2) % LOOPS);
	}
	passed("the loop with the fewest connections");
}

static void test_levelling(void)
{
	for (unsigned i = 0; i < LOOPS; i++)
		atomic_store(&loops[i].connections, 0);
	connect_to(0, 100);
	connect_to(3, 40);
	for (unsigned i = 0; i < 500 - 140; i++)
		connect_to(place(), 1);
	for (unsigned i = 0; i < LOOPS; i++)
		CHECK(brink__loop_connections(&loops[i]) == 100);
	passed("connections that come are spread until all have the same");
}

static void test_equal(void)
{
	unsigned shares[LOOPS] = {0};

	/* None of them is counted yet. */
	for (unsigned i = 0; i < 7 * LOOPS; i++)
		shares[place()]++;
	for (unsigned i = 0; i < LOOPS; i++)
		CHECK(shares[i] == 7);
	passed("of equal ones each in turn");
}

int main(void)
{
	for (unsigned i = 0; i < LOOPS; i++)
		members[i].loop = &loops[i];
	test_least();
	test_levelling();
	test_equal();
	return finish();
}
