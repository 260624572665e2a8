/* Plays steps on a loop and on the model.
 *
 * The model of one direction of a descriptor is five bits: it has an owner or not; it is
 * open or closed; an event that `again` asked for is pending; readiness that it is open
 * for has been seen; and, after a rearm that no EAGAIN had preceded, its event may come but
 * need not. Whether a descriptor is ready is not modelled: poll(2) is asked. */
#define _GNU_SOURCE /* POLLRDHUP on Linux */
#include "model.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef POLLRDHUP
#define POLLRDHUP 0
#endif

#define DIRECTIONS (BRINK_READ | BRINK_WRITE)
#define NOBODY MODEL_WATCHES
#define BUFFER_SIZE 16384 /* of the sockets, so that they are full soon */
#define SPURIOUS_LIMIT 8u /* events for nothing in one direction, where they are permitted */

struct direction {
	unsigned owner; /* the number of a watch, or NOBODY */
	bool open;
	bool pending;
	bool ready;     /* at this moment, says poll(2) */
	bool was_ready; /* at some time since it was opened */
	bool sure;      /* readiness while it is open must be an event */
	bool end_known; /* the end was there when it was opened */
	bool told;      /* of the error */
	bool served;    /* called since the present settling began */
	bool empty;     /* the last call said EAGAIN: a rearm is right */
	unsigned asked; /* the turn before which `again` was called */
	unsigned spurious;
};

struct model_watch {
	brink_watch watch;
	bool started;
	bool level;
	bool has_inside;
	struct model_step inside;
	unsigned called_in; /* a turn */
};

struct spot {
	enum model_kind kind;
	struct pair pair;
	struct direction directions[2]; /* READ, WRITE */
	struct model_watch watches[MODEL_WATCHES];
	size_t sent, received;         /* bytes from the peer to us */
	size_t peer_sent, peer_received; /* the other way */
	bool peer_ended; /* nothing more comes from it */
	bool peer_gone;
	bool shut;       /* our own half */
	bool lossy;      /* bytes under way may be lost */
	bool end_seen;   /* an event has said EOF */
};

static struct play {
	struct spot spots[MODEL_SPOTS];
	brink_loop *loop;
	unsigned turn;
	unsigned calls; /* in this turn */
	bool failed;
	struct model_failure *failure;
	uint64_t patience;
} play;

static PRINTF_LIKE(1, 2) void wrong(const char *format, ...)
{
	va_list arguments;

	if (play.failed)
		return;
	play.failed = true;
	va_start(arguments, format);
	vsnprintf(play.failure->text, sizeof play.failure->text, format, arguments);
	va_end(arguments);
}

static void want(const char *call, long result, long expected)
{
	if (result != expected)
		wrong("%s gave %ld, the model says %ld", call, result, expected);
}

static bool is_open(const struct spot *spot)
{
	return spot->pair.ours >= 0;
}

static unsigned number_of(const struct spot *spot)
{
	return (unsigned)(spot - play.spots);
}

static bool keeps_bytes(const struct spot *spot)
{
	return spot->kind != MODEL_UDP;
}

static bool short_read_drains(const struct spot *spot)
{
	return spot->kind == MODEL_TCP;
}

static unsigned able(const struct spot *spot)
{
	return spot->kind == MODEL_PIPE_IN ? BRINK_READ : spot->kind == MODEL_PIPE_OUT ? BRINK_WRITE : DIRECTIONS;
}

static struct direction *side(struct spot *spot, unsigned direction)
{
	return &spot->directions[direction == BRINK_WRITE];
}

/* ---- what poll(2) says ---- */

static short ask(const struct spot *spot)
{
	struct pollfd fd = {.fd = spot->pair.ours, .events = POLLIN | POLLOUT | POLLRDHUP};

	while (poll(&fd, 1, 0) < 0 && errno == EINTR)
		;
	return fd.revents;
}

static void look(struct spot *spot)
{
	short said;

	if (!is_open(spot))
		return;
	said = ask(spot);
	spot->directions[0].ready = (said & (POLLIN | POLLRDHUP | POLLHUP | POLLERR)) != 0;
	spot->directions[1].ready = (said & (POLLOUT | POLLHUP | POLLERR)) != 0;
	for (int i = 0; i < 2; i++)
		spot->directions[i].was_ready |= spot->directions[i].ready;
}

static void look_at_all(void)
{
	for (unsigned i = 0; i < MODEL_SPOTS; i++)
		look(&play.spots[i]);
}

/* Readiness of before does not count any more. */
static void look_anew(struct spot *spot, struct direction *direction)
{
	direction->was_ready = false;
	look(spot);
}

/* ---- tickets ---- */

static bool level_of(const struct spot *spot, const struct direction *direction)
{
	return direction->owner != NOBODY && spot->watches[direction->owner].level;
}

static void open_direction(struct spot *spot, unsigned which, bool sure)
{
	struct direction *direction = side(spot, which);

	direction->sure = sure || (direction->open && direction->sure);
	if (direction->open)
		return;
	direction->open = true;
	direction->spurious = 0;
	direction->end_known = POLLRDHUP != 0 && (ask(spot) & (POLLRDHUP | POLLHUP)) != 0;
	look_anew(spot, direction);
}

static void own(struct spot *spot, unsigned which, unsigned watch)
{
	struct direction *direction = side(spot, which);

	*direction = (struct direction){.owner = watch};
	open_direction(spot, which, true);
}

/* After a call of the watch's said EAGAIN. */
static void said_empty(struct spot *spot, unsigned watch, unsigned which)
{
	struct direction *direction = side(spot, which);

	direction->empty = true;
	if (spot->watches[watch].level)
		return;
	if (direction->owner == NOBODY)
		own(spot, which, watch);
	else if (!direction->pending)
		open_direction(spot, which, true);
}

static void release(struct spot *spot, unsigned watch, unsigned directions)
{
	for (unsigned which = BRINK_READ; which <= BRINK_WRITE; which <<= 2)
		if ((directions & which) && side(spot, which)->owner == watch)
			*side(spot, which) = (struct direction){.owner = NOBODY};
	/* The registration ends with its last direction, and what was seen with it. */
	if (spot->directions[0].owner == NOBODY && spot->directions[1].owner == NOBODY)
		spot->end_seen = false;
}

static unsigned owned_by(const struct spot *spot, unsigned watch)
{
	return (spot->directions[0].owner == watch ? BRINK_READ : 0) |
	       (spot->directions[1].owner == watch ? BRINK_WRITE : 0);
}

/* Of `directions`, those that another watch has. */
static unsigned taken(const struct spot *spot, unsigned watch, unsigned directions)
{
	return directions & DIRECTIONS & ~owned_by(spot, watch) & ~owned_by(spot, NOBODY);
}

/* ---- events ---- */

static void run_step(const struct model_step *step);

/* Where events are queued by the kernel, one may be of readiness that is over: the program
 * read or wrote without being called. And a BSD kernel has more reasons: after the
 * program's own shutdown, when a write would fail, it reports WRITE although the socket is
 * full. */
static bool unready_permitted(const struct spot *spot, struct direction *direction, unsigned which)
{
	if (!can(BRINK_FEATURE_QUEUED))
		return false;
	return (which == BRINK_WRITE && spot->shut) || ++direction->spurious <= SPURIOUS_LIMIT;
}

static void check_direction(struct spot *spot, unsigned watch, unsigned which)
{
	struct direction *direction = side(spot, which);

	look(spot);
	if (direction->owner != watch)
		wrong("%s for watch %u.%u, whose direction it is not", bits_text(which), number_of(spot), watch);
	else if (!direction->open && !direction->pending)
		wrong("%s for watch %u.%u, without a ticket", bits_text(which), number_of(spot), watch);
	else if (!direction->pending && !direction->was_ready && !unready_permitted(spot, direction, which))
		wrong("%s for watch %u.%u, which was never ready", bits_text(which), number_of(spot), watch);
	direction->served = true;
	if (direction->was_ready)
		direction->spurious = 0;
	if (level_of(spot, direction))
		return;
	direction->open = direction->pending = direction->empty = false;
}

/* EOF comes with READ, only when the peer ended, and from then on always; ERROR comes once
 * a direction. */
static void check_company(struct spot *spot, unsigned watch, unsigned ready, bool end_required)
{
	bool told = true, level = spot->watches[watch].level;

	for (unsigned which = BRINK_READ; which <= BRINK_WRITE; which <<= 2)
		if (ready & which)
			told = told && side(spot, which)->told;
	if ((ready & BRINK_EOF) && (ready & BRINK_READ) == 0)
		wrong("watch %u.%u: EOF without READ", number_of(spot), watch);
	if ((ready & BRINK_EOF) && !spot->peer_ended && spot->kind != MODEL_UDP)
		wrong("watch %u.%u: EOF, but the peer has not ended", number_of(spot), watch);
	if ((ready & BRINK_READ) && (ready & BRINK_EOF) == 0 && (spot->end_seen || end_required))
		wrong("watch %u.%u: READ without EOF, but the end is known", number_of(spot), watch);
	if ((ready & BRINK_ERROR) && !spot->peer_gone)
		wrong("watch %u.%u: ERROR without an error", number_of(spot), watch);
	if ((ready & BRINK_ERROR) && told && !level && keeps_bytes(spot))
		wrong("watch %u.%u: %s said twice", number_of(spot), watch, bits_text(ready));
	if (!level && keeps_bytes(spot))
		spot->end_seen = spot->end_seen || (ready & BRINK_EOF) != 0;
	for (unsigned which = BRINK_READ; which <= BRINK_WRITE; which <<= 2)
		if ((ready & which) && (ready & BRINK_ERROR))
			side(spot, which)->told = true;
}

static bool find(const brink_watch *wanted, struct spot **spot, unsigned *watch)
{
	for (unsigned i = 0; i < MODEL_SPOTS * MODEL_WATCHES; i++) {
		*spot = &play.spots[i / MODEL_WATCHES];
		*watch = i % MODEL_WATCHES;
		if (&(*spot)->watches[*watch].watch == wanted)
			return true;
	}
	return false;
}

static void called(brink_watch *called_watch, unsigned ready)
{
	struct spot *spot;
	struct direction *reading;
	struct model_watch *mine;
	unsigned watch;
	bool end_required;

	play.calls++;
	if (!find(called_watch, &spot, &watch) || play.failed)
		return;
	mine = &spot->watches[watch];
	if (!mine->started) {
		wrong("watch %u.%u was called, but it is stopped", number_of(spot), watch);
		return;
	}
	if ((ready & DIRECTIONS) == 0 || (ready & ~(DIRECTIONS | BRINK_EOF | BRINK_ERROR)) != 0)
		wrong("watch %u.%u was called with bits 0x%x", number_of(spot), watch, ready);
	if (mine->called_in == play.turn)
		wrong("watch %u.%u was called twice in a turn", number_of(spot), watch);
	mine->called_in = play.turn;
	reading = side(spot, BRINK_READ);
	end_required = reading->open && reading->sure && reading->end_known && !reading->pending &&
	               keeps_bytes(spot);
	for (unsigned which = BRINK_READ; which <= BRINK_WRITE; which <<= 2)
		if (ready & which)
			check_direction(spot, watch, which);
	check_company(spot, watch, ready, end_required);
	if (mine->has_inside && !play.failed) {
		mine->has_inside = false;
		run_step(&mine->inside);
	}
}

/* ---- turns ---- */

static void take_turn(int64_t timeout)
{
	int result;

	play.turn++;
	play.calls = 0;
	look_at_all();
	result = brink_loop_run_once(play.loop, timeout);
	if (result < 0)
		wrong("brink_loop_run_once gave %d", result);
	else if ((unsigned)result != play.calls)
		wrong("brink_loop_run_once gave %d, but %u calls were made", result, play.calls);
	look_at_all();
	for (unsigned i = 0; i < 2 * MODEL_SPOTS; i++) {
		struct spot *spot = &play.spots[i / 2];
		struct direction *direction = &spot->directions[i % 2];

		if (direction->pending && direction->asked < play.turn)
			wrong("watch %u.%u: again asked for a call that the next turn did not make", i / 2,
			      direction->owner);
		/* A level-triggered watch is called for what is, or was since the last turn. */
		if (level_of(spot, direction))
			look_anew(spot, direction);
	}
}

/* A direction that must have its event soon, or NULL. */
static struct direction *due(struct spot **due_spot)
{
	for (unsigned i = 0; i < 2 * MODEL_SPOTS; i++) {
		struct spot *spot = &play.spots[i / 2];
		struct direction *direction = &spot->directions[i % 2];
		bool owed = direction->open && direction->sure && direction->ready;

		*due_spot = spot;
		if (direction->owner == NOBODY)
			continue;
		if (level_of(spot, direction) ? direction->ready && !direction->served : direction->pending || owed)
			return direction;
	}
	return NULL;
}

static void settle(void)
{
	uint64_t end = monotonic_now() + play.patience;
	struct direction *direction;
	struct spot *spot;
	unsigned turns = 0;

	for (unsigned i = 0; i < 2 * MODEL_SPOTS; i++)
		play.spots[i / 2].directions[i % 2].served = false;
	look_at_all();
	while (!play.failed && (direction = due(&spot)) != NULL) {
		take_turn(turns++ < 4 ? 0 : (int64_t)BRINK_MS(5));
		if (monotonic_now() > end && (direction = due(&spot)) != NULL)
			wrong("watch %u.%u is ready for %s and has its ticket, but no event comes", number_of(spot),
			      direction->owner, bits_text(direction == side(spot, BRINK_WRITE) ? BRINK_WRITE : BRINK_READ));
	}
	for (int i = 0; i < 2 && !play.failed; i++)
		take_turn(0);
}

/* ---- bytes ---- */

static unsigned char byte_at(const struct spot *spot, size_t offset, unsigned salt)
{
	return (unsigned char)(offset * 7 + offset / 251 + number_of(spot) * 31 + salt);
}

static void make_bytes(const struct spot *spot, unsigned char *bytes, size_t size, size_t offset, unsigned salt)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = byte_at(spot, offset + i, salt);
}

static void check_bytes(const struct spot *spot, const unsigned char *bytes, size_t size, size_t offset,
                        unsigned salt)
{
	for (size_t i = 0; i < size && keeps_bytes(spot); i++)
		if (bytes[i] != byte_at(spot, offset + i, salt)) {
			wrong("spot %u: byte %zu is wrong", number_of(spot), offset + i);
			return;
		}
}

/* What a read of ours gave. */
static void received(struct spot *spot, const unsigned char *bytes, ssize_t n)
{
	side(spot, BRINK_READ)->empty = false;
	if (n > 0) {
		check_bytes(spot, bytes, (size_t)n, spot->received, 1);
		spot->received += (size_t)n;
	} else if (n == 0 && keeps_bytes(spot)) {
		if (!spot->peer_ended)
			wrong("spot %u: the end, but the peer has not ended", number_of(spot));
		else if (spot->received != spot->sent && !spot->lossy)
			wrong("spot %u: the end after %zu of %zu bytes", number_of(spot), spot->received, spot->sent);
	} else if (n < 0 && n != -EAGAIN && !spot->peer_gone) {
		wrong("spot %u: a read gave %zd", number_of(spot), n);
	}
}

/* What a write of ours gave. */
static void moved(struct spot *spot, ssize_t n)
{
	side(spot, BRINK_WRITE)->empty = false;
	if (spot->peer_gone)
		spot->lossy = true; /* it will be answered by a reset */
	/* A datagram to nobody is answered by an error, which the next write takes away. */
	for (int i = 0; i < 2 && spot->peer_gone; i++)
		spot->directions[i].was_ready = true;
	if (n > 0)
		spot->peer_sent += (size_t)n;
	else if (n == 0 || (n != -EAGAIN && !spot->peer_gone && !spot->shut))
		wrong("spot %u: a write gave %zd", number_of(spot), n);
}

/* ---- steps: our calls ---- */

static ssize_t read_once(struct spot *spot, unsigned watch, size_t size)
{
	static unsigned char bytes[65536];
	struct direction *direction = side(spot, BRINK_READ);
	ssize_t n = brink_watch_read(&spot->watches[watch].watch, bytes, size);

	received(spot, bytes, n);
	if (n == -EAGAIN)
		said_empty(spot, watch, BRINK_READ);
	else if (n > 0 && (size_t)n < size && short_read_drains(spot) && !spot->watches[watch].level &&
	         !direction->pending)
		/* With the end there, the library may know it already or not. */
		open_direction(spot, BRINK_READ, !spot->peer_ended);
	return n;
}

static ssize_t write_once(struct spot *spot, unsigned watch, size_t size)
{
	static unsigned char bytes[65536];
	ssize_t n;

	make_bytes(spot, bytes, size, spot->peer_sent, 2);
	n = brink_watch_write(&spot->watches[watch].watch, bytes, size);
	moved(spot, n);
	if (n == -EAGAIN)
		said_empty(spot, watch, BRINK_WRITE);
	return n;
}

static bool may_use(const struct spot *spot, unsigned watch, unsigned which)
{
	unsigned owner = spot->directions[which == BRINK_WRITE].owner;

	if ((able(spot) & which) == 0)
		return false;
	return owner == watch || (which == BRINK_WRITE && owner == NOBODY);
}

static void do_read(struct spot *spot, const struct model_step *step)
{
	char byte;

	if (!spot->watches[step->watch].started) {
		want("brink_watch_read", brink_watch_read(&spot->watches[step->watch].watch, &byte, 1), -ENOENT);
		return;
	}
	if (!may_use(spot, step->watch, BRINK_READ))
		return;
	while (read_once(spot, step->watch, step->op == MODEL_READ ? step->size : 4096) > 0)
		if (step->op == MODEL_READ || play.failed)
			break;
}

static void do_write(struct spot *spot, const struct model_step *step)
{
	unsigned rounds = spot->kind == MODEL_UDP ? 4 : 4096;

	if (!spot->watches[step->watch].started) {
		want("brink_watch_write", brink_watch_write(&spot->watches[step->watch].watch, "", 1), -ENOENT);
		return;
	}
	if (!may_use(spot, step->watch, BRINK_WRITE))
		return;
	if (step->op == MODEL_WRITE)
		rounds = 1;
	while (rounds-- > 0 && write_once(spot, step->watch, step->op == MODEL_WRITE ? step->size : 4096) > 0)
		;
}

static void do_take(struct spot *spot)
{
	unsigned char bytes[4096];
	ssize_t n;

	if ((able(spot) & BRINK_READ) == 0)
		return;
	do {
		n = read(spot->pair.ours, bytes, sizeof bytes);
		n = n < 0 ? -errno : n;
		received(spot, bytes, n);
	} while (n > 0 && !play.failed);
	side(spot, BRINK_READ)->empty = n == -EAGAIN;
}

static ssize_t plain_write(struct spot *spot, int fd, const void *bytes, size_t size)
{
	bool pipe = spot->kind == MODEL_PIPE_IN || spot->kind == MODEL_PIPE_OUT;
	ssize_t n = pipe ? write(fd, bytes, size) : send(fd, bytes, size, MSG_NOSIGNAL);

	return n < 0 ? -errno : n;
}

static void do_put(struct spot *spot)
{
	unsigned char bytes[4096];
	unsigned rounds = spot->kind == MODEL_UDP ? 4 : 4096;
	ssize_t n;

	if ((able(spot) & BRINK_WRITE) == 0 || spot->peer_gone || spot->shut)
		return;
	do {
		make_bytes(spot, bytes, sizeof bytes, spot->peer_sent, 2);
		n = plain_write(spot, spot->pair.ours, bytes, sizeof bytes);
		moved(spot, n);
	} while (n > 0 && --rounds > 0);
	side(spot, BRINK_WRITE)->empty = n == -EAGAIN;
}

/* ---- steps: watches ---- */

static bool mixes(const struct spot *spot, unsigned watch, bool level)
{
	const struct model_watch *other = &spot->watches[1 - watch];

	return other->started && other->level != level;
}

static void do_start(struct spot *spot, const struct model_step *step)
{
	struct model_watch *mine = &spot->watches[step->watch];
	bool level = (step->bits & BRINK_LEVEL) != 0, mixed = mixes(spot, step->watch, level);
	int expected = 0, result;

	/* A level-triggered watch at rest has no registration that another could mix with. */
	if (mixed && owned_by(spot, 1 - step->watch) == 0)
		return;
	if (mine->started)
		expected = -EEXIST;
	else if (step->bits & DIRECTIONS & ~able(spot))
		expected = -EBADF;
	else if (mixed)
		expected = -EINVAL;
	else if (taken(spot, step->watch, step->bits))
		expected = -EEXIST;
	if (!mine->started)
		brink_watch_init(&mine->watch, called);
	result = brink_watch_start(play.loop, &mine->watch, spot->pair.ours, step->bits);
	want("brink_watch_start", result, expected);
	if (result < 0 || expected < 0)
		return;
	mine->started = true;
	mine->level = level;
	mine->has_inside = false;
	for (unsigned which = BRINK_READ; which <= BRINK_WRITE; which <<= 2)
		if (step->bits & which)
			own(spot, which, step->watch);
}

static void stopped(struct spot *spot, unsigned watch)
{
	release(spot, watch, DIRECTIONS);
	spot->watches[watch].started = false;
	spot->watches[watch].has_inside = false;
}

static void do_stop(struct spot *spot, unsigned watch)
{
	struct model_watch *mine = &spot->watches[watch];

	want("brink_watch_stop", brink_watch_stop(&mine->watch), mine->started ? 0 : -ENOENT);
	stopped(spot, watch);
	want("brink_watch_active", brink_watch_active(&mine->watch), 0);
}

static void forget(struct spot *spot)
{
	close_pair(&spot->pair);
}

static void do_close(struct spot *spot, unsigned watch)
{
	struct model_watch *mine = &spot->watches[watch];

	if (!mine->started) {
		want("brink_watch_close", brink_watch_close(&mine->watch), -ENOENT);
		return;
	}
	want("brink_watch_close", brink_watch_close(&mine->watch), 0);
	stopped(spot, 0);
	stopped(spot, 1);
	want("brink_watch_active of the other", brink_watch_active(&spot->watches[1 - watch].watch), 0);
	spot->pair.ours = -1;
	forget(spot);
}

static void do_drop(struct spot *spot)
{
	for (unsigned i = 0; i < MODEL_WATCHES; i++)
		if (spot->watches[i].started)
			do_stop(spot, i);
	forget(spot);
}

static void do_set(struct spot *spot, const struct model_step *step)
{
	struct model_watch *mine = &spot->watches[step->watch];
	unsigned bits = step->bits & able(spot), had = owned_by(spot, step->watch);
	int expected = 0;

	if (!mine->started)
		expected = -ENOENT;
	else if (!mine->level)
		expected = -EINVAL;
	else if (taken(spot, step->watch, bits))
		expected = -EEXIST;
	want("brink_watch_set", brink_watch_set(&mine->watch, bits), expected);
	if (expected < 0)
		return;
	for (unsigned which = BRINK_READ; which <= BRINK_WRITE; which <<= 2)
		if (bits & ~had & which)
			own(spot, which, step->watch);
	release(spot, step->watch, had & ~bits);
}

static int expected_of_rearm(const struct spot *spot, const struct model_step *step, unsigned bits)
{
	if (!spot->watches[step->watch].started)
		return -ENOENT;
	if (spot->watches[step->watch].level)
		return -EINVAL;
	return taken(spot, step->watch, bits) ? -EEXIST : 0;
}

/* Only a write direction may be taken on. */
static unsigned rearmable(const struct spot *spot, const struct model_step *step)
{
	unsigned bits = step->bits & able(spot);

	return (bits & BRINK_READ) && spot->directions[0].owner == NOBODY ? bits & ~BRINK_READ : bits;
}

static void do_rearm(struct spot *spot, const struct model_step *step)
{
	unsigned bits = rearmable(spot, step);
	int expected = expected_of_rearm(spot, step, bits);

	if (bits == 0)
		return;
	want("brink_watch_rearm", brink_watch_rearm(&spot->watches[step->watch].watch, bits), expected);
	for (unsigned which = BRINK_READ; which <= BRINK_WRITE && expected == 0; which <<= 2) {
		struct direction *direction = side(spot, which);

		if ((bits & which) == 0 || direction->pending)
			continue;
		if (direction->owner == NOBODY)
			own(spot, which, step->watch);
		else
			open_direction(spot, which, direction->empty);
	}
}

static void do_again(struct spot *spot, const struct model_step *step)
{
	unsigned bits = rearmable(spot, step);
	int expected = expected_of_rearm(spot, step, bits);

	if (bits == 0)
		return;
	want("brink_watch_again", brink_watch_again(&spot->watches[step->watch].watch, bits), expected);
	for (unsigned which = BRINK_READ; which <= BRINK_WRITE && expected == 0; which <<= 2) {
		struct direction *direction = side(spot, which);

		if ((bits & which) == 0)
			continue;
		direction->owner = step->watch;
		direction->open = false;
		if (!direction->pending)
			direction->asked = play.turn;
		direction->pending = true;
	}
}

/* ---- steps: the pair and its peer ---- */

static void make_small(int fd)
{
	int size = BUFFER_SIZE;

	SYSCALL(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
	SYSCALL(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size));
}

static void do_open(struct spot *spot, enum model_kind kind)
{
	static const enum kind kinds[] = {KIND_TCP, KIND_UNIX, KIND_UDP, KIND_PIPE, KIND_PIPE};

	memset(spot, 0, sizeof *spot);
	spot->kind = kind;
	spot->pair = open_pair(kinds[kind], kind == MODEL_PIPE_OUT ? BRINK_WRITE : BRINK_READ);
	spot->directions[0].owner = spot->directions[1].owner = NOBODY;
	if (kinds[kind] != KIND_PIPE) {
		make_small(spot->pair.ours);
		make_small(spot->pair.theirs);
	}
}

static void do_peer_write(struct spot *spot, size_t size)
{
	unsigned char bytes[65536];
	ssize_t n;

	if (spot->pair.theirs < 0 || spot->peer_ended || spot->kind == MODEL_PIPE_OUT)
		return;
	if (spot->kind == MODEL_UDP && size > 1400)
		size = 1400;
	make_bytes(spot, bytes, size, spot->sent, 1);
	n = plain_write(spot, spot->pair.theirs, bytes, size);
	if (n > 0)
		spot->sent += (size_t)n;
}

static void do_peer_read(struct spot *spot, size_t size)
{
	unsigned char bytes[65536];
	ssize_t n;

	if (spot->pair.theirs < 0 || spot->kind == MODEL_PIPE_IN)
		return;
	n = read(spot->pair.theirs, bytes, size);
	if (n > 0) {
		check_bytes(spot, bytes, (size_t)n, spot->peer_received, 2);
		spot->peer_received += (size_t)n;
	}
}

static void do_peer_end(struct spot *spot, enum model_op op)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	bool half = op == MODEL_PEER_SHUT && (spot->kind == MODEL_TCP || spot->kind == MODEL_UNIX);

	if (spot->pair.theirs < 0 || (half && spot->peer_ended))
		return;
	spot->peer_ended = true;
	if (half) {
		SYSCALL(shutdown(spot->pair.theirs, SHUT_WR));
		return;
	}
	spot->peer_gone = true;
	/* Bytes that the peer has not read make its end a reset, which may overtake others. */
	spot->lossy = spot->lossy || op == MODEL_PEER_RESET || spot->peer_received != spot->peer_sent;
	if (op == MODEL_PEER_RESET && spot->kind == MODEL_TCP)
		SYSCALL(setsockopt(spot->pair.theirs, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
	close_fd(&spot->pair.theirs);
	give_port_back(&spot->pair);
}

static void do_shut(struct spot *spot)
{
	if (spot->shut || (spot->kind != MODEL_TCP && spot->kind != MODEL_UNIX))
		return;
	if (shutdown(spot->pair.ours, SHUT_WR) < 0 && errno != ENOTCONN)
		wrong("shutdown gave errno %d", errno);
	spot->shut = true;
}

/* ---- playing ---- */

static void apply(struct spot *spot, const struct model_step *step)
{
	switch ((enum model_op)step->op) {
	case MODEL_OPEN: break; /* done already, where it could be */
	case MODEL_START: do_start(spot, step); break;
	case MODEL_STOP: do_stop(spot, step->watch); break;
	case MODEL_CLOSE: do_close(spot, step->watch); break;
	case MODEL_SET: do_set(spot, step); break;
	case MODEL_REARM: do_rearm(spot, step); break;
	case MODEL_AGAIN: do_again(spot, step); break;
	case MODEL_READ:
	case MODEL_READ_ALL: do_read(spot, step); break;
	case MODEL_TAKE: do_take(spot); break;
	case MODEL_WRITE:
	case MODEL_FILL: do_write(spot, step); break;
	case MODEL_PUT: do_put(spot); break;
	case MODEL_SHUT: do_shut(spot); break;
	case MODEL_PEER_WRITE: do_peer_write(spot, step->size); break;
	case MODEL_PEER_READ: do_peer_read(spot, step->size); break;
	case MODEL_PEER_SHUT:
	case MODEL_PEER_CLOSE:
	case MODEL_PEER_RESET: do_peer_end(spot, (enum model_op)step->op); break;
	case MODEL_DROP: do_drop(spot); break;
	case MODEL_TURN:
	case MODEL_SETTLE:
	case MODEL_OPS: break;
	}
}

static void run_step(const struct model_step *step)
{
	struct spot *spot = &play.spots[step->spot];

	if (step->op == MODEL_OPEN && !is_open(spot))
		do_open(spot, (enum model_kind)step->bits);
	if (!is_open(spot))
		return;
	look(spot);
	apply(spot, step);
	look(spot);
}

static void play_step(const struct model_step *step)
{
	struct spot *spot = &play.spots[step->spot];

	if (step->op == MODEL_TURN) {
		take_turn(0);
	} else if (step->op == MODEL_SETTLE) {
		settle();
	} else if (step->inside == 0) {
		run_step(step);
	} else if (spot->watches[step->inside - 1].started) {
		spot->watches[step->inside - 1].inside = *step;
		spot->watches[step->inside - 1].has_inside = true;
	}
}

static int lowest_free_descriptor(void)
{
	int fd = dup(STDIN_FILENO);

	SYSCALL(fd);
	close(fd);
	return fd;
}

bool model_play(const struct model_step *steps, size_t count, unsigned batch, uint64_t patience,
                struct model_failure *failure)
{
	struct brink_loop_options options = {.batch = batch};
	int lowest = lowest_free_descriptor();

	memset(&play, 0, sizeof play);
	play.failure = failure;
	play.patience = patience;
	play.loop = new_loop_with(&options);
	for (unsigned i = 0; i < MODEL_SPOTS; i++)
		play.spots[i].pair.ours = play.spots[i].pair.theirs = -1;
	for (failure->step = 0; failure->step < count && !play.failed; failure->step++)
		play_step(&steps[failure->step]);
	if (!play.failed)
		settle();
	for (unsigned i = 0; i < MODEL_SPOTS; i++)
		do_drop(&play.spots[i]);
	want("brink_loop_destroy", brink_loop_destroy(play.loop), 0);
	want("the lowest free descriptor afterwards", lowest_free_descriptor(), lowest);
	return !play.failed;
}

/* ---- in words ---- */

void model_describe(const struct model_step *step, char *text, size_t size)
{
	static const char *const kinds[] = {"tcp", "unix", "udp", "pipe, reading", "pipe, writing"};
	static const char *const names[] = {
		"open", "start", "stop", "close", "set", "rearm", "again", "read", "read all", "read(2) all",
		"write", "fill", "write(2) full", "shut", "peer writes", "peer reads", "peer shuts", "peer closes",
		"peer resets", "drop", "turn", "settle",
	};
	char what[64] = "", inside[48] = "";

	_Static_assert(sizeof names / sizeof names[0] == MODEL_OPS, "each has its name");
	if (step->op >= MODEL_TURN) {
		snprintf(text, size, "%s", names[step->op]);
		return;
	}
	if (step->op == MODEL_OPEN)
		snprintf(what, sizeof what, " %s", kinds[step->bits]);
	else if (step->op == MODEL_START || step->op == MODEL_SET || step->op == MODEL_REARM || step->op == MODEL_AGAIN)
		snprintf(what, sizeof what, " %s%s", step->bits & DIRECTIONS ? bits_text(step->bits & DIRECTIONS) : "nothing",
		         step->bits & BRINK_LEVEL ? "|LEVEL" : "");
	else if (step->op == MODEL_READ || step->op == MODEL_WRITE || step->op == MODEL_PEER_WRITE ||
	         step->op == MODEL_PEER_READ)
		snprintf(what, sizeof what, " %u", step->size);
	if (step->inside != 0)
		snprintf(inside, sizeof inside, " (in the next call of its watch %u)", step->inside - 1u);
	if (step->op == MODEL_OPEN || step->op >= MODEL_SHUT || step->op == MODEL_TAKE || step->op == MODEL_PUT)
		snprintf(text, size, "%u: %s%s%s", step->spot, names[step->op], what, inside);
	else
		snprintf(text, size, "%u.%u: %s%s%s", step->spot, step->watch, names[step->op], what, inside);
}
