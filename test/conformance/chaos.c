/* Chaos: programs that do as they like within the rules, from a printed seed. Every byte
 * arrives, once and in order, and nothing comes without a ticket. */
#include "groups.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- act, ignore or delay, at random ---- */

#define CONNECTIONS 6u
#define STREAM_BYTES (is_slow() ? 20000u : 300000u)

/* One direction of one descriptor: `moved` of `total` bytes have passed. */
struct flow {
	brink_watch watch;
	brink_timer delay;
	brink_loop *loop;
	struct pair pair;
	unsigned direction;
	unsigned salt;
	size_t moved, peer_moved, total;
	bool ticket; /* the direction is open: an event may come */
	bool ended;
};

static unsigned char byte_of(const struct flow *flow, size_t offset)
{
	return (unsigned char)(offset * 13 + offset / 256 + flow->salt);
}

static void make_bytes(const struct flow *flow, unsigned char *bytes, size_t size, size_t offset)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = byte_of(flow, offset + i);
}

static void check_bytes(const struct flow *flow, const unsigned char *bytes, size_t size, size_t offset)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != byte_of(flow, offset + i))
			FAIL("stream %u: byte %zu is %u, not %u", flow->salt, offset + i, bytes[i],
			     byte_of(flow, offset + i));
}

static void finish(struct flow *flow)
{
	CHECK_EQ(flow->moved, flow->total);
	CHECK_EQ(brink_watch_close(&flow->watch), 0);
	flow->pair.ours = -1;
	flow->ended = true;
}

/* One read or write of a random size, by the helper; false when it is to be stopped at. */
static bool move_some(struct flow *flow)
{
	unsigned char bytes[8192];
	size_t size = 1 + random_below(random_below(3) == 0 ? sizeof bytes : 64);
	ssize_t n;

	if (flow->direction == BRINK_READ) {
		n = brink_watch_read(&flow->watch, bytes, size);
		if (n > 0)
			check_bytes(flow, bytes, (size_t)n, flow->moved);
	} else {
		if (size > flow->total - flow->moved)
			size = flow->total - flow->moved;
		make_bytes(flow, bytes, size, flow->moved);
		n = size == 0 ? 0 : brink_watch_write(&flow->watch, bytes, size);
	}
	if (n > 0)
		flow->moved += (size_t)n;
	else if (n == 0)
		finish(flow);
	else if (n == -EAGAIN)
		flow->ticket = true;
	else
		CHECK_OK(n);
	/* A short read may have handed the ticket back already. */
	flow->ticket = flow->ticket || (n > 0 && (size_t)n < size && flow->direction == BRINK_READ);
	return n > 0;
}

static void go_on_later(struct flow *flow)
{
	CHECK_OK(brink_watch_again(&flow->watch, flow->direction));
	flow->ticket = true;
}

static void on_delay(brink_timer *timer)
{
	struct flow *flow = brink_container_of(timer, struct flow, delay);

	if (!flow->ended)
		while (move_some(flow))
			;
}

static void on_flow(brink_watch *watch, unsigned ready)
{
	struct flow *flow = brink_container_of(watch, struct flow, watch);

	CHECK(!flow->ended);
	CHECK_EQ(ready & (BRINK_READ | BRINK_WRITE), flow->direction);
	CHECK(flow->ticket);
	flow->ticket = false;
	switch (random_below(5)) {
	case 0: /* ignored, and asked for again */
		go_on_later(flow);
		break;
	case 1: /* a little */
		if (move_some(flow) && !flow->ended)
			go_on_later(flow);
		break;
	case 2: /* after a while */
		CHECK_OK(brink_timer_start(flow->loop, &flow->delay, BRINK_MS(random_below(3)), 0));
		break;
	default:
		while (move_some(flow))
			;
	}
}

/* The peer writes or reads a little; ends its side when everything is written. */
static void move_peer(struct flow *flow)
{
	unsigned char bytes[8192];
	size_t size = 1 + random_below(sizeof bytes), left = flow->total - flow->peer_moved;
	ssize_t n;

	if (flow->pair.theirs < 0 || random_below(3) == 0)
		return;
	if (flow->direction == BRINK_WRITE) {
		n = read(flow->pair.theirs, bytes, size);
		if (n > 0)
			check_bytes(flow, bytes, (size_t)n, flow->peer_moved);
	} else {
		size = size < left ? size : left;
		make_bytes(flow, bytes, size, flow->peer_moved);
		n = size == 0 ? 0 : write(flow->pair.theirs, bytes, size);
	}
	CHECK(n >= 0 || errno == EAGAIN);
	if (n > 0)
		flow->peer_moved += (size_t)n;
	else if (n == 0)
		close_fd(&flow->pair.theirs);
}

static void open_flow(struct flow *flow, brink_loop *loop, enum kind kind, unsigned number)
{
	memset(flow, 0, sizeof *flow);
	flow->loop = loop;
	flow->direction = number % 2 == 0 ? BRINK_READ : BRINK_WRITE;
	flow->pair = open_pair(kind, flow->direction);
	flow->salt = number;
	flow->total = STREAM_BYTES;
	flow->ticket = true;
	brink_timer_init(&flow->delay, on_delay);
	brink_watch_init(&flow->watch, on_flow);
	CHECK_OK(brink_watch_start(loop, &flow->watch, flow->pair.ours, flow->direction));
}

static bool all_ended(const struct flow *flows)
{
	for (unsigned i = 0; i < CONNECTIONS; i++)
		if (!flows[i].ended || flows[i].pair.theirs >= 0)
			return false;
	return true;
}

static void act_ignore_delay(enum kind kind)
{
	struct flow flows[CONNECTIONS];
	brink_loop *loop = new_loop();
	uint64_t end = hang_deadline();
	size_t before = 0;

	for (unsigned i = 0; i < CONNECTIONS; i++)
		open_flow(&flows[i], loop, kind, i);
	while (!all_ended(flows)) {
		size_t moved = 0;

		for (unsigned i = 0; i < CONNECTIONS; i++) {
			move_peer(&flows[i]);
			moved += flows[i].moved + flows[i].peer_moved;
		}
		CHECK_OK(brink_loop_run_once(loop, (int64_t)BRINK_MS(random_below(2))));
		if (moved != before)
			end = hang_deadline();
		else if (monotonic_now() > end)
			FAIL("%zu bytes have passed, and no more do", moved);
		before = moved;
	}
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		CHECK_EQ(flows[i].peer_moved, flows[i].total);
		brink_timer_stop(&flows[i].delay);
		close_pair(&flows[i].pair);
	}
	brink_loop_destroy(loop);
}

/* ---- descriptors used again, by several threads ---- */

#define THREADS 4u

struct guest {
	brink_watch watch;
	struct pair pair;
	uint64_t name;
	atomic_bool closed;
};

struct host {
	brink_loop *loop;
	enum kind kind;
	atomic_uint left; /* threads */
};

/* What is read must be what was sent to this very watch, not to its number's last user. */
static void on_guest(brink_watch *watch, unsigned ready)
{
	struct guest *guest = brink_container_of(watch, struct guest, watch);
	uint64_t name = 0;
	ssize_t n = brink_watch_read(watch, &name, sizeof name);

	CHECK(ready & BRINK_READ);
	if (n == -EAGAIN)
		return;
	CHECK_EQ(n, sizeof name);
	CHECK_EQ(name, guest->name);
	CHECK_OK(brink_watch_close(watch));
	atomic_store(&guest->closed, true);
}

static void on_started(brink_watch *watch, int result)
{
	(void)watch;
	CHECK_OK(result);
}

static void visit(struct host *host, struct guest *guest, uint64_t name)
{
	guest->name = name;
	atomic_store(&guest->closed, false);
	brink_watch_init(&guest->watch, on_guest);
	guest->pair = open_pair(host->kind, BRINK_READ);
	if (name % 3 == 0)
		write_all(guest->pair.theirs, &guest->name, sizeof guest->name);
	CHECK_OK(brink_watch_start_async(host->loop, &guest->watch, guest->pair.ours, BRINK_READ, on_started));
	if (name % 3 != 0)
		write_all(guest->pair.theirs, &guest->name, sizeof guest->name);
	await(guest->pair.theirs, BRINK_READ); /* the end: our side is closed, or about to be */
	while (!atomic_load(&guest->closed))
		sched_yield();
	guest->pair.ours = -1;
	close_pair(&guest->pair);
}

static void *visitor(void *argument)
{
	struct host *host = argument;
	static atomic_uint number;
	uint64_t first = (uint64_t)atomic_fetch_add(&number, 1u) << 32;
	struct guest guest;

	for (uint64_t i = 0; i < (is_slow() ? 30u : is_long() ? 20000u : 500u); i++)
		visit(host, &guest, first + i);
	atomic_fetch_sub(&host->left, 1u);
	brink_loop_wakeup(host->loop);
	return NULL;
}

static void descriptors_reused_by_threads(enum kind kind)
{
	struct host host = {.loop = new_loop(), .kind = kind, .left = THREADS};
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, visitor, &host), 0);
	while (atomic_load(&host.left) > 0)
		turn(host.loop);
	for (unsigned i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	brink_loop_destroy(host.loop);
}

/* ---- many writers, one connection ---- */

#define WRITERS 4u
#define MESSAGES (is_slow() ? 300u : is_long() ? 100000u : 5000u)
#define IN_FLIGHT 64u

struct message {
	brink_task task;
	struct line *line;
	uint32_t writer, number;
	atomic_bool sent;
	struct message *next;
};

struct line {
	brink_loop *loop;
	brink_watch watch;
	struct pair pair;
	struct message *first, **last;
	size_t offset; /* of the first message, already written */
	bool full;
	atomic_uint left; /* writers, and the peer */
};

struct writer {
	struct line *line;
	uint32_t number;
};

static void write_on(struct line *line)
{
	while (line->first != NULL) {
		struct message *message = line->first;
		uint32_t bytes[2] = {message->writer, message->number};
		ssize_t n = brink_watch_write(&line->watch, (char *)bytes + line->offset, sizeof bytes - line->offset);

		line->full = n == -EAGAIN;
		if (n == -EAGAIN)
			return;
		CHECK_OK(n);
		line->offset += (size_t)n;
		if (line->offset < sizeof bytes)
			continue;
		line->offset = 0;
		line->first = message->next;
		atomic_store(&message->sent, true);
	}
	line->last = &line->first;
}

static void on_room(brink_watch *watch, unsigned ready)
{
	CHECK(ready & BRINK_WRITE);
	write_on(brink_container_of(watch, struct line, watch));
}

static void on_message(brink_task *task)
{
	struct message *message = brink_container_of(task, struct message, task);
	struct line *line = message->line;

	message->next = NULL;
	*line->last = message;
	line->last = &message->next;
	if (!line->full)
		write_on(line);
}

static void *write_messages(void *argument)
{
	struct writer *writer = argument;
	struct message messages[IN_FLIGHT];

	for (unsigned i = 0; i < IN_FLIGHT; i++) {
		brink_task_init(&messages[i].task, on_message);
		messages[i].line = writer->line;
		messages[i].writer = writer->number;
		atomic_init(&messages[i].sent, true);
	}
	for (uint32_t i = 0; i < MESSAGES + IN_FLIGHT; i++) {
		struct message *message = &messages[i % IN_FLIGHT];

		while (!atomic_load(&message->sent))
			sched_yield();
		if (i >= MESSAGES)
			continue;
		message->number = i;
		atomic_store(&message->sent, false);
		brink_task_post(writer->line->loop, &message->task);
	}
	atomic_fetch_sub(&writer->line->left, 1u);
	brink_loop_wakeup(writer->line->loop);
	return NULL;
}

/* Of each writer, every message, once and in its order. */
static void *read_messages(void *argument)
{
	struct line *line = argument;
	uint32_t next[WRITERS] = {0}, bytes[2];

	for (uint64_t i = 0; i < (uint64_t)WRITERS * MESSAGES; i++) {
		read_exactly(line->pair.theirs, bytes, sizeof bytes);
		CHECK(bytes[0] < WRITERS);
		CHECK_EQ(bytes[1], next[bytes[0]]);
		next[bytes[0]]++;
	}
	atomic_fetch_sub(&line->left, 1u);
	brink_loop_wakeup(line->loop);
	return NULL;
}

static void many_writers(enum kind kind)
{
	struct line line = {.loop = new_loop(), .pair = open_pair(kind, BRINK_WRITE), .left = WRITERS + 1};
	struct writer writers[WRITERS];
	pthread_t threads[WRITERS + 1];
	int small = 4096;

	line.last = &line.first;
	if (kind != KIND_PIPE)
		SYSCALL(setsockopt(line.pair.ours, SOL_SOCKET, SO_SNDBUF, &small, sizeof small));
	brink_watch_init(&line.watch, on_room);
	CHECK_OK(brink_watch_start(line.loop, &line.watch, line.pair.ours, BRINK_WRITE));
	for (uint32_t i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){&line, i};
		CHECK_EQ(pthread_create(&threads[i], NULL, write_messages, &writers[i]), 0);
	}
	CHECK_EQ(pthread_create(&threads[WRITERS], NULL, read_messages, &line), 0);
	while (atomic_load(&line.left) > 0)
		turn(line.loop);
	for (unsigned i = 0; i <= WRITERS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK(line.first == NULL);
	CHECK_OK(brink_watch_close(&line.watch));
	line.pair.ours = -1;
	close_pair(&line.pair);
	brink_loop_destroy(line.loop);
}

/* ---- adding and removing at random, inside callbacks too ---- */

#define CROWD 48u

struct member {
	brink_watch watch;
	struct pair pair;
	bool started;
	bool ticket;
	bool unread; /* something lies there, and its event has not come */
};

static struct member crowd[CROWD];
static brink_loop *crowd_loop;
static enum kind crowd_kind;
static unsigned crowd_calls;

static void on_member(brink_watch *watch, unsigned ready);

static void enter(struct member *member)
{
	if (member->pair.ours < 0)
		member->pair = open_pair(crowd_kind, BRINK_READ);
	if (member->started)
		return;
	brink_watch_init(&member->watch, on_member);
	CHECK_OK(brink_watch_start(crowd_loop, &member->watch, member->pair.ours, BRINK_READ));
	member->started = member->ticket = true;
}

static void leave(struct member *member, bool closing)
{
	if (!member->started)
		return;
	if (closing) {
		CHECK_OK(brink_watch_close(&member->watch));
		member->pair.ours = -1;
		close_pair(&member->pair);
		member->unread = false;
	} else {
		CHECK_OK(brink_watch_stop(&member->watch));
	}
	member->started = false;
	memset(&member->watch, 0xa5, sizeof member->watch); /* its memory is ours again */
}

static void do_something(void)
{
	struct member *member = &crowd[random_below(CROWD)];

	switch (random_below(6)) {
	case 0:
		leave(member, false);
		break;
	case 1:
		leave(member, true);
		enter(member); /* the same number, most likely */
		break;
	case 2:
		leave(member, false);
		enter(member);
		break;
	default:
		enter(member);
		if (!member->unread)
			feed(&member->pair, 1 + random_below(3));
		member->unread = true;
	}
}

static void on_member(brink_watch *watch, unsigned ready)
{
	struct member *member = brink_container_of(watch, struct member, watch);
	char bytes[16];

	crowd_calls++;
	if (!member->started)
		FAIL("member %u was called after it was stopped", (unsigned)(member - crowd));
	if (!member->ticket)
		FAIL("member %u was called twice for one ticket", (unsigned)(member - crowd));
	CHECK_EQ(ready & ~BRINK_EOF, BRINK_READ);
	CHECK(member->unread || can(BRINK_FEATURE_QUEUED));
	member->ticket = false;
	if (random_below(2) == 0) {
		while (brink_watch_read(watch, bytes, sizeof bytes) > 0)
			;
		member->ticket = true;
		member->unread = false;
	}
	for (unsigned i = random_below(3); i > 0; i--)
		do_something();
}

static const struct member *waiting(void)
{
	for (unsigned i = 0; i < CROWD; i++)
		if (crowd[i].started && crowd[i].ticket && crowd[i].unread)
			return &crowd[i];
	return NULL;
}

static void adds_and_removes(enum kind kind)
{
	struct brink_loop_options options = {.batch = 1 + random_below(8)};

	crowd_kind = kind;
	crowd_loop = new_loop_with(&options);
	for (unsigned i = 0; i < CROWD; i++)
		crowd[i].pair.ours = crowd[i].pair.theirs = -1;
	for (unsigned i = 0; i < (is_slow() ? 150u : is_long() ? 50000u : 1200u); i++) {
		do_something();
		if (random_below(4) == 0)
			CHECK_OK(brink_loop_run_once(crowd_loop, 0));
		/* Nobody who may be called and has something to read is forgotten. */
		if (random_below(40) == 0)
			RUN_UNTIL(crowd_loop, waiting() == NULL);
	}
	RUN_UNTIL(crowd_loop, waiting() == NULL);
	CHECK(crowd_calls > 20); /* of some 90 where the machine is slow: what chance draws is seldom far from it */
	for (unsigned i = 0; i < CROWD; i++) {
		leave(&crowd[i], false);
		close_pair(&crowd[i].pair);
	}
	CHECK_EQ(brink_loop_run(crowd_loop), 0);
	brink_loop_destroy(crowd_loop);
}

static const struct scenario scenarios[] = {
	{"chaos/act-ignore-delay", act_ignore_delay, {2, 3, 16, 17}, KINDS_ALL, TRACE_FREE, {{NULL, 0, NULL}}},
	{"chaos/descriptors-reused-by-threads", descriptors_reused_by_threads, {6, 19}, KINDS_ALL, TRACE_FREE,
	 {{NULL, 0, NULL}}},
	{"chaos/many-writers-one-connection", many_writers, {3, 16, 20}, KINDS_ALL, TRACE_FREE, {{NULL, 0, NULL}}},
	{"chaos/adds-and-removes", adds_and_removes, {6, 7, 8}, KINDS_ALL, TRACE_FREE, {{NULL, 0, NULL}}},
	{.name = NULL},
};

const struct group chaos_group = {"chaos", scenarios};
