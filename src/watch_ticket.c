/* A watch's side of the ticket rule: tickets that are handed back, by which a direction may be taken on, and events
 * that are made up. */
#include "config.h"

#include "loop.h"

#include <errno.h>

static int claim(brink_watch *watch, unsigned directions, unsigned *took)
{
	struct brink__slot *slot = watch->slot;

	*took = directions & ~brink__slot_owned_by(slot, watch);
	if (brink__likely(*took == 0))
		return 0;
	/* The watch of a descriptor that was found to be another file's owns nothing more. */
	if (brink__slot_owned_by(slot, watch) == 0)
		return -EBADF;
	if (slot->wanted & *took)
		return -EEXIST;
	brink__slot_set_owner(slot, watch, *took);
	watch->interest |= (unsigned char)*took;
	return 0;
}

int brink__watch_rearm_here(brink_watch *watch, unsigned directions, bool look)
{
	struct brink__slot *slot = watch->slot;
	unsigned took;
	int result;

	if (slot == NULL)
		return -ENOENT;
	result = claim(watch, directions, &took);
	if (result < 0)
		return result;
	result = brink__ticket_rearm(watch->loop, slot, directions, look || took != 0);
	if (result < 0) {
		brink__slot_set_owner(slot, NULL, took);
		watch->interest &= (unsigned char)~took;
	}
	return result;
}

int brink__watch_again_here(brink_watch *watch, unsigned directions)
{
	unsigned took;
	int result = claim(watch, directions, &took);

	if (result == 0)
		brink__ticket_again(watch->loop, watch->slot, directions);
	return result;
}

static int check_directions(const brink_watch *watch, unsigned directions)
{
	if (watch->slot == NULL)
		return -ENOENT;
	if (directions == 0 || (directions & ~BRINK__DIRECTIONS) != 0 || (watch->mode & BRINK_LEVEL))
		return -EINVAL;
	return 0;
}

int brink_watch_rearm(brink_watch *watch, unsigned directions)
{
	int result = check_directions(watch, directions);

	if (result < 0)
		return result;
	/* Only debug builds ever set it. */
	if (__atomic_load_n(&watch->unfinished, __ATOMIC_RELAXED) & directions)
		brink__log(BRINK_LOG_WARNING, "descriptor %d: rearmed although its last read or write did not say EAGAIN",
		           watch->fd);
	return brink__watch_hand_back(watch, directions, false);
}

int brink_watch_again(brink_watch *watch, unsigned directions)
{
	int result = check_directions(watch, directions);

	return result < 0 ? result : brink__watch_make_up(watch, directions);
}
