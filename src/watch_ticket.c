/* A watch's side of the ticket rule: tickets that are handed back, by which a direction may be taken on, and events
 * that are made up. */
#include "config.h"

#include "loop.h"
#include "os.h"

#include <errno.h>

/* Those of `directions` that are not the watch's own. */
static inline unsigned missing_of(const brink_watch *watch, unsigned directions)
{
	return directions & ~brink__slot_owned_by(watch->slot, watch);
}

static int take_on(brink_watch *watch, unsigned directions)
{
	struct brink__slot *slot = watch->slot;

	/* The watch of a descriptor that was found to be another file's owns nothing more. */
	if (brink__slot_owned_by(slot, watch) == 0)
		return -EBADF;
	if (slot->wanted & directions)
		return -EEXIST;
	if (!brink__os_is_open_for(watch->fd, (enum brink__kind)slot->kind, directions))
		return -EBADF;
	brink__slot_set_owner(slot, watch, directions);
	watch->interest |= (unsigned char)directions;
	return 0;
}

/* Apart, so that a rearm of what is the watch's own has nothing to save. */
static __attribute__((noinline)) int take_on_and_rearm(brink_watch *watch, unsigned directions, unsigned missing)
{
	int result = take_on(watch, missing);

	if (result < 0)
		return result;
	result = brink__ticket_rearm(watch->loop, watch->slot, directions, true);
	if (result < 0) {
		brink__slot_set_owner(watch->slot, NULL, missing);
		watch->interest &= (unsigned char)~missing;
	}
	return result;
}

int brink__watch_rearm_here(brink_watch *watch, unsigned directions, bool look)
{
	unsigned missing;

	if (watch->slot == NULL)
		return -ENOENT;
	missing = missing_of(watch, directions);
	if (brink__unlikely(missing != 0))
		return take_on_and_rearm(watch, directions, missing);
	return brink__ticket_rearm(watch->loop, watch->slot, directions, look);
}

int brink__watch_again_here(brink_watch *watch, unsigned directions)
{
	unsigned missing = missing_of(watch, directions);
	int result = brink__unlikely(missing != 0) ? take_on(watch, missing) : 0;

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
