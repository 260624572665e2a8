/* Placement: which loop of a group a descriptor goes to. */
#include "config.h"

#include "group.h"

/* Descriptors come in runs (a server's are consecutive, or every second), and the loops must
 * get equal shares of any such run: every bit of the number reaches the upper half, which is
 * then scaled, not divided. */
static unsigned by_hash(const brink_group *group, int fd)
{
	uint64_t mixed = ((uint64_t)(unsigned)fd + 1) * UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ mixed >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return (unsigned)((mixed >> 32) * group->size >> 32);
}

static unsigned by_turn(brink_group *group)
{
	/* Relaxed: the count is all that matters. */
	return (unsigned)(atomic_fetch_add_explicit(&group->turns, 1, memory_order_relaxed) % group->size);
}

/* Looks from the next in turn on, so that connections which come faster than they are counted
 * do not all go to one loop. */
static unsigned by_connections(brink_group *group)
{
	unsigned first = by_turn(group), best = first, least = UINT32_MAX;

	for (unsigned i = 0; i < group->size && least != 0; i++) {
		unsigned index = first + i < group->size ? first + i : first + i - group->size;
		unsigned count = brink__loop_connections(group->members[index].loop);

		if (count < least) {
			best = index;
			least = count;
		}
	}
	return best;
}

static unsigned choose(brink_group *group, int fd)
{
	switch (group->placement) {
	case BRINK_PLACE_ROUND_ROBIN:
		return by_turn(group);
	case BRINK_PLACE_LEAST:
		return by_connections(group);
	case BRINK_PLACE_CALL:
		return group->place(group, fd, group->arg) % group->size;
	case BRINK_PLACE_HASH:
		break;
	}
	return by_hash(group, fd);
}

brink_loop *brink_group_place(brink_group *group, int fd)
{
	return group->members[choose(group, fd)].loop;
}
