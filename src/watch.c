/* Starting and stopping watches: who owns which direction of which descriptor. */
#include "config.h"

#include "loop.h"
#include "os.h"
#include "ticket.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void brink_watch_init(brink_watch *watch, brink_watch_fn *call)
{
	memset(watch, 0, sizeof *watch);
	watch->call = call;
}

int brink_watch_active(const brink_watch *watch)
{
	return watch->slot != NULL;
}

/* ---- the slot's side ---- */

static void end_registration(struct brink__slot *slot)
{
	slot->token = 0;
	slot->open = slot->armed = slot->remembered = slot->pending = 0;
	slot->state &= BRINK__LISTED;
}

static int begin_registration(brink_loop *loop, struct brink__slot *slot, int fd, unsigned directions,
                              const struct brink__file *file)
{
	int result;

	brink__table_renew(&loop->table, slot, fd);
	slot->mark = 0;
	slot->open = (uint8_t)directions;
	if (file->short_read_drains)
		slot->state |= BRINK__DRAINS;
	loop->counters.changes++;
	result = brink__loop_has_kernel(loop) ? loop->ops->add(loop->dispatcher, slot) : 0;
	if (result < 0)
		end_registration(slot);
	return result;
}

/* The other direction of a descriptor that is registered already. */
static int widen_registration(brink_loop *loop, struct brink__slot *slot, unsigned directions, bool level)
{
	if (slot->level != level)
		return -EINVAL;
	if (slot->wanted & directions)
		return -EEXIST;
	return brink__ticket_rearm(loop, slot, directions, true);
}

void brink__watch_abandon(brink_loop *loop, struct brink__slot *slot)
{
	loop->references -= (slot->owner[0] != NULL) + (slot->owner[1] != NULL && slot->owner[1] != slot->owner[0]);
	brink__slot_set_owner(slot, NULL, BRINK__DIRECTIONS);
	end_registration(slot);
}

/* ---- starting ---- */

/* Level-triggered watches without a direction own nothing in the table: they are listed,
 * so that the end of the loop finds them. */
static void rest(brink_watch *watch)
{
	watch->resting = watch->loop->resting;
	watch->loop->resting = watch;
}

static void wake(brink_watch *watch)
{
	brink_watch **place = &watch->loop->resting;

	while (*place != watch)
		place = &(*place)->resting;
	*place = watch->resting;
}

/* Those at rest whose file is gone: from here on they have asked for directions that they do not have. */
static void lose_resting(brink_loop *loop, const struct brink__slot *slot)
{
	brink_watch **place = &loop->resting, *watch;

	while ((watch = *place) != NULL) {
		if (watch->slot != slot) {
			place = &watch->resting;
			continue;
		}
		*place = watch->resting;
		watch->interest = BRINK__DIRECTIONS;
		loop->references--;
	}
}

/* The descriptor was closed without a stop, and its number is another file's now. */
static __attribute__((noinline)) void replaced(brink_loop *loop, struct brink__slot *slot)
{
	lose_resting(loop, slot);
	if (slot->token == 0)
		return;
	loop->counters.changes++;
	if (brink__loop_has_kernel(loop))
		loop->ops->remove(loop->dispatcher, slot);
	brink__watch_abandon(loop, slot);
}

/* Whether the number may have watches: registered ones, or some at rest, which leave the file's identity there. Where
 * nobody rests that may be anybody's, of long ago. */
static bool is_watched(const brink_loop *loop, const struct brink__slot *slot)
{
	return slot->token != 0 || (loop->resting != NULL && slot->identity != 0);
}

/* True when the number is that of the file whose watches `slot` has. */
static bool is_same(const struct brink__slot *slot, const struct brink__file *file)
{
	return slot->identity == 0 || slot->identity == file->identity;
}

static bool is_known(const brink_loop *loop, int fd)
{
	const struct brink__slot *slot = brink__table_at(&loop->table, fd);

	return slot != NULL && is_watched(loop, slot);
}

/* What who starts a watch knows of its descriptor. Of the latter two it is said that they are not closed without a
 * stop. */
enum origin { UNKNOWN, CONNECTION, TCP };

static int identify(const brink_loop *loop, int fd, enum origin origin, struct brink__file *file)
{
	if (fd < 0)
		return -EBADF;
	if (origin == UNKNOWN || is_known(loop, fd))
		return brink__os_identify(fd, file);
	if (origin == TCP)
		brink__os_identify_tcp(fd, file);
	else if (!brink__os_identify_connection(fd, file))
		return brink__os_identify(fd, file);
	return 0;
}

static int attach(brink_loop *loop, brink_watch *watch, int fd, unsigned directions, enum origin origin)
{
	bool level = (watch->mode & BRINK_LEVEL) != 0;
	struct brink__file file;
	struct brink__slot *slot;
	int result = identify(loop, fd, origin, &file);

	if (result < 0)
		return result;
	if (directions & ~file.able)
		return -EBADF;
	slot = brink__table_get(&loop->table, fd);
	if (slot == NULL)
		return -ENOMEM;
	if (is_watched(loop, slot) && !is_same(slot, &file)) {
		replaced(loop, slot);
		if (watch->slot != NULL)
			return -EBADF; /* it was at rest, and is one of those whose file is gone */
	}
	if (slot->token != 0) {
		result = widen_registration(loop, slot, directions, level);
	} else {
		/* A level-triggered watch without a direction writes, too: in the way of its kind. */
		slot->level = level;
		slot->kind = (uint8_t)file.kind;
		slot->identity = file.identity;
		if (directions != 0)
			result = begin_registration(loop, slot, fd, directions, &file);
	}
	if (result < 0)
		return result;
	brink__slot_set_owner(slot, watch, directions);
	watch->slot = slot;
	watch->interest = (unsigned char)directions;
	return 0;
}

int brink__watch_check_interest(const brink_watch *watch, unsigned interest)
{
	bool known = (interest & ~(BRINK__DIRECTIONS | BRINK_LEVEL | BRINK_TCP)) == 0;

	return known && (interest & ~BRINK_TCP) != 0 && watch->call != NULL ? 0 : -EINVAL;
}

static int start(brink_loop *loop, brink_watch *watch, int fd, unsigned interest, enum origin origin)
{
	int result = brink__watch_check_interest(watch, interest);

	if (result < 0)
		return result;
	if (watch->slot != NULL)
		return -EEXIST;
	watch->mode = (unsigned char)(interest & BRINK_LEVEL);
	result = attach(loop, watch, fd, interest & BRINK__DIRECTIONS, origin);
	if (result < 0)
		return result;
	watch->loop = loop;
	watch->fd = fd;
	watch->task.call = brink__watch_posted;
	watch->unfinished = 0; /* the reads of an earlier start are none of this one's */
	loop->references++;
	if (watch->interest == 0)
		rest(watch);
	return 0;
}

int brink_watch_start(brink_loop *loop, brink_watch *watch, int fd, unsigned interest)
{
	return start(loop, watch, fd, interest, interest & BRINK_TCP ? TCP : UNKNOWN);
}

int brink__watch_start_connection(brink_loop *loop, brink_watch *watch, int fd, unsigned interest)
{
	return start(loop, watch, fd, interest, interest & BRINK_TCP ? TCP : CONNECTION);
}

/* ---- stopping ---- */

/* Whether the kernel has to be told that a registration is over. In a forked child its object is the parent's too:
 * leave it alone. And the close that follows may tell it as well: as long as no file was seen to have other
 * descriptors; but not where such would be reported again and again, nor where a host waits, which would be told. */
static bool is_to_be_removed(const brink_loop *loop, const struct brink__slot *slot, bool closing)
{
	if (closing && loop->ops->closing_removes && !loop->shares && !slot->level && loop->host_fd < 0)
		return false;
	return brink__loop_has_kernel(loop);
}

/* Takes `directions` from their owner; the registration ends with the last of them. */
static void detach(brink_loop *loop, struct brink__slot *slot, unsigned directions, bool closing)
{
	if (directions == 0)
		return;
	loop->counters.changes++;
	brink__slot_set_owner(slot, NULL, directions);
	slot->open &= (uint8_t)~directions;
	slot->pending &= (uint8_t)~directions;
	slot->remembered &= (uint8_t)~directions;
	/* The next owner has not been told, and has not asked for a rearm. */
	slot->state &= (uint8_t)~(BRINK__TOLD(directions) | BRINK__UNARMED);
	if (slot->wanted == 0) {
		if (is_to_be_removed(loop, slot, closing))
			loop->ops->remove(loop->dispatcher, slot);
		end_registration(slot);
		if (!loop->inside)
			brink__loop_gather(loop); /* what the kernel moved as it was told: the program may fork */
	} else if (slot->level && brink__loop_has_kernel(loop) && loop->ops->arm(loop->dispatcher, slot) < 0) {
		/* It would be reported each turn, for nobody: a new dispatcher knows only what is wanted. */
		loop->renew = true;
	}
}

/* Of one that is started. */
static void stop(brink_watch *watch, bool closing)
{
	struct brink__slot *slot = watch->slot;
	unsigned directions;

	brink__assert(brink__loop_on_thread(watch->loop));
	brink__watch_withdraw(watch);
	directions = brink__slot_owned_by(slot, watch);
	/* Without a direction it is either level-triggered and at rest, or its descriptor
	 * was found to be another file's, which has settled everything already. */
	if (directions != 0 || watch->interest == 0)
		watch->loop->references--;
	if (watch->interest == 0)
		wake(watch);
	detach(watch->loop, slot, directions, closing);
	watch->slot = NULL;
}

int brink_watch_stop(brink_watch *watch)
{
	if (watch->slot == NULL)
		return -ENOENT;
	stop(watch, false);
	return 0;
}

void brink__watch_stop_closing(brink_watch *watch)
{
	stop(watch, true);
}

/* The other watches of the file, which goes. */
static void stop_others(brink_watch *watch)
{
	struct brink__slot *slot = watch->slot;
	brink_watch *resting = watch->loop->resting, *next;

	for (int side = 0; side < 2; side++)
		if (slot->owner[side] != NULL && slot->owner[side] != watch)
			stop(slot->owner[side], false);
	for (; resting != NULL; resting = next) {
		next = resting->resting;
		if (resting->slot == slot && resting != watch)
			stop(resting, false);
	}
}

int brink_watch_close(brink_watch *watch)
{
	struct brink__slot *slot = watch->slot;

	if (slot == NULL)
		return -ENOENT;
	/* Without a direction though it asked for one, its descriptor is another file's now,
	 * and so are the owners. */
	if (brink__slot_owned_by(slot, watch) == 0 && watch->interest != 0) {
		brink_watch_stop(watch);
		return -EBADF;
	}
	stop_others(watch);
	stop(watch, true);
	return close(watch->fd) < 0 && errno != EINTR ? -errno : 0;
}

void brink__watches_end(brink_loop *loop)
{
	for (uint32_t i = 0; i < loop->table.page_count; i++) {
		for (uint32_t j = 0; loop->table.pages[i] != NULL && j < BRINK__TABLE_PAGE; j++) {
			struct brink__slot *slot = &loop->table.pages[i][j];

			for (unsigned side = 0; side < 2; side++)
				if (slot->owner[side] != NULL)
					slot->owner[side]->slot = NULL;
		}
	}
	for (brink_watch *watch = loop->resting; watch != NULL; watch = watch->resting)
		watch->slot = NULL;
}

/* ---- level-triggered watches ---- */

/* Another direction of the descriptor that the watch is on already. */
static int widen(brink_loop *loop, brink_watch *watch, unsigned directions)
{
	int result = -EBADF;

	if (brink__os_is_open_for(watch->fd, (enum brink__kind)watch->slot->kind, directions))
		result = widen_registration(loop, watch->slot, directions, true);
	if (result == 0)
		brink__slot_set_owner(watch->slot, watch, directions);
	return result;
}

int brink_watch_set(brink_watch *watch, unsigned interest)
{
	struct brink__slot *slot = watch->slot;
	unsigned had, more;
	int result = 0;

	if (slot == NULL)
		return -ENOENT;
	if ((interest & ~BRINK__DIRECTIONS) != 0 || (watch->mode & BRINK_LEVEL) == 0)
		return -EINVAL;
	had = brink__slot_owned_by(slot, watch);
	if (had == 0 && watch->interest != 0)
		return -EBADF;
	more = interest & ~had;
	/* Widen first: what fails then leaves everything as it was. */
	if (more != 0)
		result = had != 0 ? widen(watch->loop, watch, more) : attach(watch->loop, watch, watch->fd, more, UNKNOWN);
	if (result < 0)
		return result;
	detach(watch->loop, slot, had & ~interest, false);
	if (had == 0 && interest != 0)
		wake(watch);
	else if (had != 0 && interest == 0)
		rest(watch);
	watch->interest = (unsigned char)interest;
	return 0;
}
