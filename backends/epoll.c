/* epoll(7), edge-triggered.
 *
 * The trickiest thing: EPOLLET reports a descriptor when something arrives, with all that
 * is true of it then, so a mask that asks for OUT for ever is told OUT with every IN, and
 * a reader that pauses is woken by every packet. So OUT is asked for when a writer first
 * has to wait. For TCP it then stays: a TCP socket raises OUT only after it was full. For
 * everything else it goes again with the first report that nobody waited for; a UNIX
 * stream would raise it each time that its peer reads. EPOLL_CTL_MOD always looks at
 * the present state, so whatever was missed is reported by it. */
#include "config.h"

#include "dispatcher.h"
#include "memory.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

_Static_assert(EPOLLIN == BRINK_READ && EPOLLOUT == BRINK_WRITE && EPOLLERR == BRINK_ERROR &&
                       EPOLLHUP == BRINK_EOF,
               "epoll's bits are the library's");

struct brink__dispatcher {
	int fd;
	int (*wait)(struct brink__dispatcher *, int capacity, int64_t timeout); /* up to a time from now */
	const struct brink__table *table;
	bool *renew;
	struct epoll_event events[];
};

/* ---- waiting ---- */

static int wait_ms(struct brink__dispatcher *epoll, int capacity, int64_t timeout)
{
	int ms = timeout > (int64_t)INT_MAX * 1000000 ? INT_MAX : (int)((timeout + 999999) / 1000000);

	return epoll_wait(epoll->fd, epoll->events, capacity, ms);
}

#ifdef HAVE_EPOLL_PWAIT2

static int wait_ns(struct brink__dispatcher *epoll, int capacity, int64_t timeout)
{
	struct timespec limit = {.tv_sec = (time_t)(timeout / 1000000000), .tv_nsec = (long)(timeout % 1000000000)};
	int count = epoll_pwait2(epoll->fd, epoll->events, capacity, &limit, NULL);

	/* A kernel before 5.11, or an emulator, has milliseconds only. */
	if (count >= 0 || (errno != ENOSYS && errno != EPERM))
		return count;
	epoll->wait = wait_ms;
	return wait_ms(epoll, capacity, timeout);
}

#else
#define wait_ns wait_ms
#endif

/* Anything but plain IN and OUT. */
static uint32_t translate_rare(uint32_t said)
{
	uint32_t ready = said & (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP);

	if (said & (EPOLLERR | EPOLLHUP))
		ready |= BRINK_READ | BRINK_WRITE;
	if (said & EPOLLRDHUP)
		ready |= BRINK_READ | BRINK_EOF;
	if (said & EPOLLPRI)
		ready |= BRINK_READ | BRINK__URGENT;
	return ready;
}

static int epoll_harvest(struct brink__dispatcher *epoll, struct brink__event *events, int capacity,
                         int64_t timeout)
{
	int count, kept = 0;

	if (timeout > 0)
		count = epoll->wait(epoll, capacity, timeout);
	else
		count = epoll_wait(epoll->fd, epoll->events, capacity, timeout < 0 ? -1 : 0);
	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++) {
		uint32_t said = epoll->events[i].events;
		struct brink__slot *slot = brink__table_find(epoll->table, epoll->events[i].data.u64);

		/* Removals take effect at once here, so this is a descriptor that was closed
		 * without one, while a duplicate keeps its registration alive. */
		if (__builtin_expect(slot == NULL, 0)) {
			*epoll->renew = true;
			continue;
		}
		if (__builtin_expect((said & ~(uint32_t)(EPOLLIN | EPOLLOUT)) != 0, 0))
			said = translate_rare(said);
		events[kept].slot = slot;
		events[kept++].ready = said;
	}
	return kept;
}

/* ---- registrations ---- */

static uint32_t mask_of(const struct brink__slot *slot, unsigned directions)
{
	uint32_t mask = directions;

	if (directions & BRINK_READ)
		mask |= EPOLLRDHUP;
	if (!slot->level)
		mask |= EPOLLET;
	/* Urgent data ends a read early; whoever takes a short read for an empty socket
	 * has to know. */
	if (slot->kind == BRINK__KIND_TCP && !slot->level && (directions & BRINK_READ))
		mask |= EPOLLPRI;
	return mask;
}

static int control(struct brink__dispatcher *epoll, int operation, struct brink__slot *slot, unsigned directions)
{
	struct epoll_event event = {.events = mask_of(slot, directions), .data.u64 = slot->token};

	/* ENOENT: the number is another file's now. */
	if (epoll_ctl(epoll->fd, operation, brink__token_fd(slot->token), &event) < 0)
		return errno == ENOENT ? -EBADF : -errno;
	slot->armed = (uint8_t)directions;
	return 0;
}

static int epoll_add(struct brink__dispatcher *epoll, struct brink__slot *slot)
{
	int result = control(epoll, EPOLL_CTL_ADD, slot, slot->open);

	/* The file was watched under this number before, and closed and opened again by
	 * dup2() without a stop. */
	return result == -EEXIST ? control(epoll, EPOLL_CTL_MOD, slot, slot->open) : result;
}

static unsigned standing(const struct brink__slot *slot)
{
	return slot->kind == BRINK__KIND_TCP && !slot->level ? slot->armed & BRINK_WRITE : 0;
}

static int epoll_arm(struct brink__dispatcher *epoll, struct brink__slot *slot)
{
	return control(epoll, EPOLL_CTL_MOD, slot, slot->open | standing(slot));
}

static void epoll_disarm(struct brink__dispatcher *epoll, struct brink__slot *slot)
{
	unsigned needed = slot->open | standing(slot);

	/* If this fails the descriptor is gone, and with it the reports. */
	if (slot->armed & ~needed)
		control(epoll, EPOLL_CTL_MOD, slot, needed);
}

static void epoll_remove(struct brink__dispatcher *epoll, struct brink__slot *slot)
{
	struct epoll_event unused = {0};

	/* Of a descriptor that is closed already, or another file's, there is nothing to
	 * remove: EBADF, ENOENT. */
	epoll_ctl(epoll->fd, EPOLL_CTL_DEL, brink__token_fd(slot->token), &unused);
}

/* ---- life ---- */

static int epoll_open(struct brink__dispatcher **opened, const struct brink__dispatcher_options *options)
{
	struct brink__dispatcher *epoll =
	        brink__resize(NULL, 1, sizeof *epoll + options->batch * sizeof epoll->events[0]);

	if (epoll == NULL)
		return -ENOMEM;
	epoll->fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll->fd < 0) {
		int error = errno;

		brink__free(epoll);
		return -error;
	}
	epoll->wait = wait_ns;
	epoll->table = options->table;
	epoll->renew = options->renew;
	*opened = epoll;
	return 0;
}

static void epoll_close(struct brink__dispatcher *epoll)
{
	close(epoll->fd);
	brink__free(epoll);
}

static int epoll_fd(struct brink__dispatcher *epoll)
{
	return epoll->fd;
}

const struct brink__dispatcher_ops brink__epoll = {
	.name = "epoll",
	.note = "Linux epoll(7), edge-triggered",
	.features = BRINK_FEATURE_FD | BRINK_FEATURE_SCALES,
	.closing_removes = true,
	.open = epoll_open,
	.close = epoll_close,
	.add = epoll_add,
	.arm = epoll_arm,
	.disarm = epoll_disarm,
	.remove = epoll_remove,
	.wait = epoll_harvest,
	.fd = epoll_fd,
};
