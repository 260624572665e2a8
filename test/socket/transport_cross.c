/* Transports whose call in one direction takes off the descriptor what the other direction waits
 * for: nobody is left waiting for an edge that has gone. And what they say besides: that they go on
 * later, and that bytes have moved. */
#include "client_stage.h"
#include "groups.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t read_some(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	ssize_t got = readv(fd, parts, count);

	(void)state;
	*waits = BRINK_READ;
	return got < 0 ? -errno : got;
}

static ssize_t write_some(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	struct msghdr message;
	ssize_t put;

	(void)state;
	memset(&message, 0, sizeof message);
	message.msg_iov = (struct iovec *)(uintptr_t)parts;
	message.msg_iovlen = (__typeof__(message.msg_iovlen))count;
	put = sendmsg(fd, &message, 0);
	*waits = BRINK_WRITE;
	return put < 0 ? -errno : put;
}

/* Each write reads first all that is there, as one of TLS may, and keeps it for the reader. */
struct hoard {
	char bytes[64];
	size_t size;
	unsigned leaves; /* of the second transport */
};

static int open_hoard(brink_socket *socket, int fd, int client, void *arg, void **state)
{
	(void)socket;
	(void)fd;
	(void)client;
	*state = arg;
	return 0;
}

static ssize_t write_hoarding(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	struct hoard *hoard = state;
	ssize_t result, got;

	result = write_some(state, fd, parts, count, waits);
	while ((got = recv(fd, hoard->bytes + hoard->size, sizeof hoard->bytes - hoard->size, 0)) > 0) {
		hoard->size += (size_t)got;
		*waits |= BRINK_TRANSPORT_TRY_OTHER;
	}
	return result;
}

static ssize_t read_hoard(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	struct hoard *hoard = state;
	size_t size = hoard->size < parts->iov_len ? hoard->size : parts->iov_len;

	if (size == 0)
		return read_some(state, fd, parts, count, waits);
	memcpy(parts->iov_base, hoard->bytes, size);
	memmove(hoard->bytes, hoard->bytes + size, hoard->size - size);
	hoard->size -= size;
	return (ssize_t)size;
}

/* The end of our side reads, too. */
static int shut_hoarding(void *state, int fd, unsigned *waits)
{
	write_hoarding(state, fd, NULL, 0, waits);
	return shutdown(fd, SHUT_WR) < 0 ? -errno : 0;
}

static const struct brink_transport hoarding = {
	.name = "hoarding",
	.flags = BRINK_TRANSPORT_SINGLE_THREADED,
	.open = open_hoard,
	.readv = read_hoard,
	.writev = write_hoarding,
	.shutdown = shut_hoarding,
};

static struct {
	brink_task task;
	struct pair pair;
	brink_socket_id id;
	bool shut;
} swallow;

/* Between the arrival and the loop's next look at the descriptor. */
static void arrive_and_write(brink_task *task)
{
	brink_socket *socket = brink_socket_address(swallow.id);

	(void)task;
	CHECK(socket != NULL);
	write_all(swallow.pair.theirs, "here", 4);
	await(brink_socket_fd(socket), BRINK_READ);
	CHECK_OK(swallow.shut ? brink_socket_shutdown(socket) : brink_socket_write_bytes(socket, "there", 5));
	CHECK_EQ(unread(brink_socket_fd(socket)), 0);
	brink_socket_release(socket);
}

static void write_reads(enum kind kind, bool shut)
{
	struct brink_socket_options options = {.transport = &hoarding};
	struct hoard hoard = {.size = 0};
	brink_loop *loop = new_loop();
	struct seen seen;

	swallow.pair = open_pair(kind, BRINK_READ);
	swallow.shut = shut;
	see(&seen, &options);
	options.fd = swallow.pair.ours;
	options.transport_arg = &hoard;
	CHECK_OK(brink_socket_create(&swallow.id, loop, &options));
	RUN_UNTIL(loop, seen.opens == 1);
	turn_for(loop, BRINK_MS(5)); /* the reader has seen that nothing is there */
	brink_task_init(&swallow.task, arrive_and_write);
	brink_task_post(loop, &swallow.task);
	RUN_UNTIL(loop, seen.size == 4);
	CHECK(strcmp(seen.bytes, "here") == 0);
	write_all(swallow.pair.theirs, "more", 4);
	RUN_UNTIL(loop, seen.size == 8);
	brink_loop_destroy(loop);
	CHECK_EQ(seen.closes, 1);
	swallow.pair.ours = -1;
	close_pair(&swallow.pair);
}

static void write_reads_in_passing(enum kind kind)
{
	write_reads(kind, false);
}

static void shutdown_reads_in_passing(enum kind kind)
{
	write_reads(kind, true);
}

/* Only the reader takes the leaves off the descriptor, where there is anything else, too. */
static ssize_t read_leaves(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	struct hoard *hoard = state;
	ssize_t got = read_some(state, fd, parts, count, waits);

	if (got <= 0 || memchr(parts->iov_base, '!', (size_t)got) == NULL)
		return got;
	hoard->leaves++;
	*waits |= BRINK_TRANSPORT_TRY_OTHER;
	return got;
}

static ssize_t write_on_leave(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	struct hoard *hoard = state;

	if (hoard->leaves == 0) {
		*waits = 0;
		return -EAGAIN;
	}
	hoard->leaves--;
	return write_some(state, fd, parts, count, waits);
}

#define FEW_TURNS 64 /* a busy loop makes thousands */

static const struct brink_transport on_leave = {
	.name = "on leave",
	.flags = BRINK_TRANSPORT_SINGLE_THREADED,
	.open = open_hoard,
	.readv = read_leaves,
	.writev = write_on_leave,
};

static void read_lets_write(enum kind kind)
{
	struct brink_socket_options options = {.transport = &on_leave, .flags = BRINK_SOCKET_PAUSED};
	struct pair pair = open_pair(kind, BRINK_READ);
	struct hoard hoard = {.size = 0};
	brink_loop *loop = new_loop();
	brink_socket *socket;
	brink_socket_id id;
	struct brink_counters before, after;
	struct seen seen;

	see(&seen, &options);
	options.fd = pair.ours;
	options.transport_arg = &hoard;
	CHECK_OK(brink_socket_create(&id, loop, &options));
	RUN_UNTIL(loop, seen.opens == 1);
	write_text(id, "text");
	write_all(pair.theirs, "!", 1);
	/* The edge comes, finds nobody who reads, and is used up: the loop sleeps. */
	brink_loop_counters(loop, &before);
	turn_for(loop, BRINK_MS(10));
	brink_loop_counters(loop, &after);
	CHECK(after.turns - before.turns < FEW_TURNS);
	CHECK_EQ(seen.writes, 0);
	socket = brink_socket_address(id);
	CHECK(socket != NULL);
	brink_socket_resume(socket);
	brink_socket_release(socket);
	read_text(loop, pair.theirs, "text");
	RUN_UNTIL(loop, seen.writes == 1);
	brink_loop_destroy(loop);
	CHECK_EQ(seen.closes, 1);
	pair.ours = -1;
	close_pair(&pair);
}

/* ---- busy with what is no byte ---- */

static unsigned turns;

static void count_turn(brink_hook *hook)
{
	(void)hook;
	turns++;
}

struct shy {
	unsigned left; /* how often it puts the reader off */
	unsigned calls, turn;
	bool twice; /* in a turn */
};

static ssize_t read_shyly(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	struct shy *shy = state;

	shy->twice |= shy->left > 0 && shy->calls > 0 && shy->turn == turns;
	shy->turn = turns;
	shy->calls++;
	if (shy->left == 0)
		return read_some(state, fd, parts, count, waits);
	shy->left--;
	*waits = BRINK_TRANSPORT_AGAIN;
	return -EAGAIN;
}

static const struct brink_transport shyly = {
	.name = "shy",
	.open = open_hoard,
	.readv = read_shyly,
	.writev = write_some,
};

/* One edge: all the other calls come because it has asked for them, and each in a turn of its own. */
static void read_goes_on_later(enum kind kind)
{
	struct brink_socket_options options = {.transport = &shyly};
	struct pair pair = open_pair(kind, BRINK_READ);
	struct shy shy = {.left = 5};
	brink_loop *loop = new_loop();
	brink_socket_id id;
	brink_hook hook;
	struct seen seen;

	see(&seen, &options);
	options.fd = pair.ours;
	options.transport_arg = &shy;
	turns = 0;
	brink_hook_init(&hook, count_turn);
	CHECK_OK(brink_hook_start(loop, &hook, BRINK_HOOK_PREPARE));
	write_all(pair.theirs, "text", 4);
	await(pair.ours, BRINK_READ);
	CHECK_OK(brink_socket_create(&id, loop, &options));
	RUN_UNTIL(loop, seen.size == 4);
	CHECK_EQ(shy.left, 0);
	CHECK(!shy.twice);
	CHECK(strcmp(seen.bytes, "text") == 0);
	CHECK_OK(brink_hook_stop(&hook));
	brink_loop_destroy(loop);
	pair.ours = -1;
	close_pair(&pair);
}

/* ---- bytes that are not told ---- */

#define MOVED_TIMEOUT BRINK_MS(300)
#define DOTS 80u /* one in 10 ms */

/* Dots are nothing to the program: they move the reader, and by it the writer. */
struct dots {
	unsigned read, written;
};

static ssize_t read_dots(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	struct dots *dots = state;
	unsigned before = dots->read;
	ssize_t got;

	while ((got = read_some(state, fd, parts, count, waits)) > 0)
		dots->read += (unsigned)got;
	if (dots->read > before)
		*waits |= BRINK_TRANSPORT_TRY_OTHER | BRINK_TRANSPORT_MOVED;
	return got;
}

static ssize_t write_dots(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	struct dots *dots = state;

	(void)fd;
	(void)parts;
	(void)count;
	*waits = BRINK_READ;
	if (dots->read > dots->written)
		*waits |= BRINK_TRANSPORT_MOVED;
	dots->written = dots->read;
	return -EAGAIN;
}

static const struct brink_transport dotted = {
	.name = "dotted",
	.flags = BRINK_TRANSPORT_SINGLE_THREADED,
	.open = open_hoard,
	.readv = read_dots,
	.writev = write_dots,
};

static void keep_alive(brink_loop *loop, const struct pair *pair, const struct seen *seen, const struct dots *dots)
{
	uint64_t last = monotonic_now(), longest = 0;

	for (unsigned i = 1; i <= DOTS; i++) {
		uint64_t now;

		sleep_ms(10);
		write_all(pair->theirs, ".", 1);
		RUN_UNTIL(loop, dots->written == i || seen->closes > 0);
		now = monotonic_now();
		longest = now - last > longest ? now - last : longest;
		last = now;
		/* Where the machine stalls for so long, it may be over. */
		if (seen->closes > 0 && longest < MOVED_TIMEOUT / 4)
			FAIL("%s", seen->text);
		if (seen->closes > 0)
			return;
	}
}

static void moved_restarts(enum kind kind)
{
	struct brink_socket_options options = {.transport = &dotted, .read_timeout = MOVED_TIMEOUT,
		.write_timeout = MOVED_TIMEOUT, .idle_timeout = MOVED_TIMEOUT};
	struct pair pair = open_pair(kind, BRINK_READ);
	struct dots dots = {.read = 0};
	brink_loop *loop = new_loop();
	brink_socket_id id;
	struct seen seen;

	see(&seen, &options);
	options.fd = pair.ours;
	options.transport_arg = &dots;
	CHECK_OK(brink_socket_create(&id, loop, &options));
	RUN_UNTIL(loop, seen.opens == 1);
	write_text(id, "never sent");
	keep_alive(loop, &pair, &seen, &dots);
	/* And without them it ends. */
	RUN_UNTIL(loop, seen.closes == 1);
	CHECK_ERROR(seen.error, -ETIMEDOUT);
	CHECK_EQ(seen.size, 0);
	brink_loop_destroy(loop);
	pair.ours = -1;
	close_pair(&pair);
}

static const struct scenario scenarios[] = {
	SCENARIO("transport-cross/write-reads-in-passing", write_reads_in_passing, KINDS_STREAM),
	SCENARIO("transport-cross/shutdown-reads-in-passing", shutdown_reads_in_passing, KINDS_STREAM),
	SCENARIO("transport-cross/read-lets-write", read_lets_write, KINDS_STREAM),
	SCENARIO("transport-cross/read-goes-on-later", read_goes_on_later, KINDS_STREAM),
	SCENARIO("transport-cross/moved-restarts-timeouts", moved_restarts, KIND_TCP | KIND_UNIX),
	NO_MORE_SCENARIOS,
};
const struct group transport_cross_group = {"transport-cross", scenarios};
