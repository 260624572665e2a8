/* The ticket rule on a dispatcher that lies as much as it may: it reports twice, in parts,
 * in any order, for nothing, for closed directions, and with tokens of registrations that
 * are over. The program must see at most one event a ticket, and miss no readiness. */
#include "config.h"

#include "check.h"
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FILES 12
#define QUEUE 4096u
#define OPERATIONS 300000u

struct file {
	brink_watch watch;
	int fds[2];
	bool started;
	unsigned state;  /* what is ready, as the kernel has it */
	unsigned open;   /* directions whose ticket is with the loop, as the program has it */
	unsigned used;   /* closed directions in which EAGAIN was said */
	unsigned eof;    /* the kernel has reported the end: BRINK_EOF */
	unsigned told;   /* and the program has heard of it */
	uint64_t old;    /* the token of an earlier registration */
};

static struct file files[FILES];
static brink_loop *loop;
static bool one_shot; /* reporting disarms, as with poll; else it does not, as with epoll */
static unsigned calls;
static unsigned arms; /* times that the kernel was asked to look again */
static int refusal;   /* what it says to that; 0: it looks */

static struct {
	uint64_t token;
	unsigned ready;
} queue[QUEUE];
static unsigned queued;

/* ---- the kernel ---- */

static void push(uint64_t token, unsigned ready)
{
	if (token == 0 || ready == 0 || queued == QUEUE)
		return;
	queue[queued].token = token;
	queue[queued++].ready = ready;
}

static struct file *file_of(const struct brink__slot *slot)
{
	for (size_t i = 0; i < FILES; i++)
		if (files[i].fds[0] == brink__token_fd(slot->token))
			return &files[i];
	return NULL; /* the loop's own pipe, which stays silent */
}

static void look(struct brink__slot *slot)
{
	struct file *file = file_of(slot);

	if (file != NULL)
		push(slot->token, file->state & slot->armed); /* what it says it will report, it must look at */
}

static int fake_arm(struct brink__dispatcher *self, struct brink__slot *slot)
{
	(void)self;
	if (refusal < 0)
		return refusal;
	arms++;
	slot->armed = one_shot ? (uint8_t)(slot->armed | slot->open) : BRINK__DIRECTIONS;
	look(slot);
	return 0;
}

static int fake_add(struct brink__dispatcher *self, struct brink__slot *slot)
{
	slot->armed = 0;
	return fake_arm(self, slot);
}

static void fake_disarm(struct brink__dispatcher *self, struct brink__slot *slot)
{
	(void)self;
	if (random_below(2) == 0)
		slot->armed &= slot->open;
}

static void fake_remove(struct brink__dispatcher *self, struct brink__slot *slot)
{
	(void)self;
	slot->armed = 0;
}

static void fake_close(struct brink__dispatcher *self)
{
	(void)self;
}

/* Takes an event off the queue, any one; -1 when it meant a registration that is over. */
static int take_one(struct brink__event *event)
{
	unsigned at = random_below(queued);
	uint64_t token = queue[at].token;
	struct brink__slot *slot = brink__table_find(&loop->table, token);
	unsigned ready = queue[at].ready;

	if (slot != NULL && random_below(8) == 0 && (ready & BRINK__DIRECTIONS) == BRINK__DIRECTIONS) {
		queue[at].ready &= ~BRINK_WRITE; /* in parts */
		ready &= BRINK_WRITE;
	} else if (random_below(8) != 0) { /* else it comes again */
		queue[at] = queue[--queued];
	}
	CHECK(slot == NULL || slot->token == token); /* not a predecessor's */
	if (slot == NULL)
		return -1;
	if (one_shot) {
		ready &= slot->armed | ~BRINK__DIRECTIONS;
		slot->armed &= (uint8_t)~(ready & BRINK__DIRECTIONS);
	}
	if ((ready & BRINK__DIRECTIONS) == 0)
		return -1;
	if (ready & BRINK_EOF)
		file_of(slot)->eof = BRINK_EOF;
	event->slot = slot;
	event->ready = ready;
	return 0;
}

static int fake_wait(struct brink__dispatcher *self, struct brink__event *events, int capacity, int64_t timeout)
{
	int count = 0;

	(void)self;
	CHECK(timeout == 0);
	while (queued > 0 && count < capacity && random_below(20) != 0)
		if (take_one(&events[count]) == 0)
			count++;
	return count;
}

static const struct brink__dispatcher_ops keeping = {
	.name = "fake", .note = "", .close = fake_close, .add = fake_add, .arm = fake_arm,
	.disarm = fake_disarm, .remove = fake_remove, .wait = fake_wait,
};
static const struct brink__dispatcher_ops reporting_once = {
	.name = "fake", .note = "", .close = fake_close, .add = fake_add, .arm = fake_arm,
	.remove = fake_remove, .wait = fake_wait,
};

/* ---- the program ---- */

static void called(brink_watch *watch, unsigned ready)
{
	struct file *file = brink_container_of(watch, struct file, watch);
	unsigned directions = ready & BRINK__DIRECTIONS;

	calls++;
	CHECK(file->started && directions != 0);
	CHECK((directions & ~file->open) == 0); /* one event a ticket */
	CHECK((ready & BRINK_EOF) == ((directions & BRINK_READ) ? file->eof : 0));
	CHECK((ready & ~(BRINK__DIRECTIONS | BRINK_EOF)) == 0);
	file->told |= ready & BRINK_EOF;
	file->open &= ~directions;
}

static struct brink__slot *slot_of(const struct file *file)
{
	return brink__table_at(&loop->table, file->fds[0]);
}

static void start(struct file *file)
{
	file->open = BRINK__DIRECTIONS;
	file->used = file->eof = file->told = 0;
	file->started = true;
	CHECK(brink_watch_start(loop, &file->watch, file->fds[0], BRINK__DIRECTIONS) == 0);
}

static void stop(struct file *file)
{
	file->old = slot_of(file)->token;
	file->started = false;
	CHECK(brink_watch_stop(&file->watch) == 0);
}

static void become_ready(struct file *file, unsigned directions)
{
	file->state |= directions;
	if (file->started)
		push(slot_of(file)->token, directions & slot_of(file)->armed);
}

/* Everything is read or written; the ticket goes back later, and meanwhile much may come. */
static void use_up(struct file *file, unsigned direction)
{
	if ((file->open & direction) != 0)
		return;
	file->state &= ~direction;
	file->used |= direction;
}

static void hand_back(struct file *file, unsigned direction)
{
	if ((file->used & direction) == 0)
		return;
	file->used &= ~direction;
	file->open |= direction;
	CHECK(brink_watch_rearm(&file->watch, direction) == 0);
}

static void lie(struct file *file)
{
	unsigned ready = random_below(3) != 0 ? BRINK_READ : BRINK__DIRECTIONS;

	if (random_below(50) == 0)
		ready |= BRINK_EOF | BRINK_READ;
	push(file->started && random_below(3) != 0 ? slot_of(file)->token : file->old, ready);
}

static void turn(void)
{
	CHECK(brink_loop_run_once(loop, 0) >= 0);
}

/* When all that the kernel had to say is said, no readiness waits for an open direction. */
static void check_nothing_is_lost(void)
{
	while (queued > 0)
		turn();
	turn();
	for (size_t i = 0; i < FILES; i++)
		if (files[i].started)
			CHECK((files[i].open & files[i].state) == 0);
}

static void do_something(void)
{
	struct file *file = &files[random_below(FILES)];
	unsigned direction = random_below(2) == 0 ? BRINK_READ : BRINK_WRITE;

	if (!file->started) {
		start(file);
		return;
	}
	switch (random_below(11)) {
	case 0:
		if (random_below(5) == 0)
			stop(file);
		break;
	case 1:
	case 2:
		become_ready(file, direction);
		break;
	case 3:
	case 4:
		lie(file);
		break;
	case 5:
	case 6:
		turn();
		break;
	case 7:
		use_up(file, direction);
		break;
	default:
		hand_back(file, direction);
		break;
	}
}

static void open_files(const struct brink__dispatcher_ops *ops)
{
	one_shot = ops == &reporting_once;
	queued = calls = arms = 0;
	CHECK(brink_loop_create(&loop, NULL) == 0);
	loop->ops->close(loop->dispatcher);
	loop->ops = ops;
	loop->dispatcher = NULL;
	for (size_t i = 0; i < FILES; i++) {
		files[i] = (struct file){.started = false};
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, files[i].fds) == 0);
		CHECK(fcntl(files[i].fds[0], F_SETFL, O_NONBLOCK) == 0);
		brink_watch_init(&files[i].watch, called);
	}
}

static void close_files(void)
{
	CHECK(brink_loop_destroy(loop) == 0);
	for (size_t i = 0; i < FILES; i++) {
		close(files[i].fds[0]);
		close(files[i].fds[1]);
	}
}

static void play(const struct brink__dispatcher_ops *ops)
{
	open_files(ops);
	for (unsigned operation = 0; operation < OPERATIONS; operation++) {
		do_something();
		if (operation % 100 == 0)
			check_nothing_is_lost();
	}
	CHECK(calls > OPERATIONS / 20);
	close_files();
}

/* An edge in `closed`, beside one in the direction that is open, which keeps it armed. */
static void remember(struct file *file, unsigned closed)
{
	file->open = BRINK__DIRECTIONS & ~closed;
	slot_of(file)->open = (uint8_t)file->open;
	brink__tickets_take(loop, &(struct brink__event){slot_of(file), BRINK__DIRECTIONS}, 1);
	CHECK(brink__tickets_run(loop) == 1);
	CHECK((slot_of(file)->remembered & closed) != 0 && (slot_of(file)->armed & closed) != 0);
	arms = 0;
}

/* What was remembered before a read or write is used up by it, and EAGAIN then costs no
 * system call; without one between them, the kernel has to look. */
static void used_up_by_the_call(void)
{
	static char bytes[4096];
	struct file *file = &files[0];

	open_files(&keeping);
	start(file);
	remember(file, BRINK_READ);
	CHECK(brink_watch_read(&file->watch, bytes, sizeof bytes) == -EAGAIN && arms == 0);
	remember(file, BRINK_READ);
	CHECK(brink_watch_readv(&file->watch, &(struct iovec){bytes, 1}, 1) == -EAGAIN && arms == 0);
	remember(file, BRINK_WRITE);
	while (brink_watch_write(&file->watch, bytes, sizeof bytes) > 0)
		;
	CHECK(arms == 0);
	remember(file, BRINK_READ);
	CHECK(brink_watch_rearm(&file->watch, BRINK_READ) == 0 && arms == 1);
	file->open = BRINK__DIRECTIONS;
	close_files();
}

/* The writer's direction, after it has gone: what is ready by now was not said to who rearms, so the kernel looks,
 * though it reports the direction by itself. And where it refuses, the direction is still nobody's. */
static void taken_on(void)
{
	struct file *file = &files[0];
	brink_watch writer;

	open_files(&keeping);
	brink_watch_init(&writer, called);
	CHECK(brink_watch_start(loop, &file->watch, file->fds[0], BRINK_READ) == 0);
	CHECK(brink_watch_start(loop, &writer, file->fds[0], BRINK_WRITE) == 0);
	CHECK(brink_watch_stop(&writer) == 0);
	CHECK((slot_of(file)->armed & BRINK_WRITE) != 0);
	arms = 0;
	refusal = -ENOSPC;
	CHECK(brink_watch_rearm(&file->watch, BRINK_WRITE) == -ENOSPC);
	refusal = 0;
	CHECK(slot_of(file)->owner[1] == NULL && slot_of(file)->wanted == BRINK_READ && file->watch.interest == BRINK_READ);
	CHECK(brink_watch_rearm(&file->watch, BRINK_WRITE) == 0 && arms == 1);
	CHECK(brink_watch_start(loop, &writer, file->fds[0], BRINK_WRITE) == -EEXIST);
	CHECK(brink_watch_stop(&file->watch) == 0);
	close_files();
}

int main(int argc, char **argv)
{
	seed_random(argc, argv, (uint64_t)time(NULL));
	play(&keeping);
	passed("a mechanism that keeps reporting");
	play(&reporting_once);
	passed("a mechanism that reports once");
	used_up_by_the_call();
	passed("what a read or write uses up");
	taken_on();
	passed("a direction that a rearm takes on");
	return finish();
}
