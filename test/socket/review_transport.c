/* The transport's calls at the edges of a life: the first after it opens, the last before it
 * closes, and one that is under way when the socket fails. */
#include "groups.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- a transport that is asked about ---- */

static struct {
	brink_loop *loop;
	struct pair pair;
	struct brink_socket_options options;
	brink_socket_id id;
	brink_socket *held;
	atomic_uint opens, closes;        /* of the socket */
	atomic_uint shuts, late, ends;    /* of the transport: closes; calls after on_close; of the request */
	atomic_int end_error;
	atomic_bool inside, go_on;
} on;

static int open_it(brink_socket *socket, int fd, int client, void *arg, void **state)
{
	(void)fd;
	(void)client;
	(void)arg;
	*state = socket;
	return 0;
}

static ssize_t read_it(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	ssize_t result = readv(fd, parts, count);

	(void)state;
	on.late += on.closes;
	*waits = BRINK_READ;
	return result < 0 ? -errno : result;
}

static size_t total(const struct iovec *parts, int count)
{
	size_t sum = 0;

	for (int i = 0; i < count; i++)
		sum += parts[i].iov_len;
	return sum;
}

/* By a way of its own: what becomes of the descriptor is nothing to it. */
static ssize_t write_it(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	(void)state;
	(void)fd;
	(void)waits;
	on.late += on.closes;
	return (ssize_t)total(parts, count);
}

static ssize_t write_slowly(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	on.inside = true;
	while (!on.go_on)
		sleep_ms(1);
	return write_it(state, fd, parts, count, waits);
}

static ssize_t wait_for_no_direction(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	(void)state;
	(void)fd;
	(void)parts;
	(void)count;
	*waits = BRINK_WRITE | BRINK_ERROR;
	return -EAGAIN;
}

static void close_it(void *state, int fd)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof address;

	(void)state;
	SYSCALL(fcntl(fd, F_GETFD));
	SYSCALL(getsockname(fd, (struct sockaddr *)&address, &length));
	CHECK_EQ(on.shuts++, 0);
}

static int fail_instead(void *state, int fd, unsigned *waits)
{
	(void)fd;
	(void)waits;
	CHECK_OK(brink_socket_fail(brink_socket_get_id(state), -EPERM, "not with this peer"));
	return 0;
}

static const struct brink_transport asked = {
	.name = "asked", .open = open_it, .readv = read_it, .writev = write_it, .close = close_it,
};
static const struct brink_transport slow = {
	.name = "slow", .open = open_it, .readv = read_it, .writev = write_slowly, .close = close_it,
};
static const struct brink_transport astray = {
	.name = "astray", .open = open_it, .readv = read_it, .writev = wait_for_no_direction, .close = close_it,
};
static const struct brink_transport refuses = {
	.name = "refuses", .open = open_it, .handshake = fail_instead, .readv = read_it, .writev = write_it,
	.close = close_it,
};

static void on_open(brink_socket *socket, void *arg)
{
	(void)socket;
	(void)arg;
	on.opens++;
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	(void)socket;
	(void)error;
	(void)text;
	(void)arg;
	CHECK_EQ(on.closes++, 0);
}

static void on_written(brink_socket *socket, int error, void *arg)
{
	(void)socket;
	(void)arg;
	on.late += on.closes;
	on.end_error = error;
	on.ends++;
}

static void begin(enum kind kind, const struct brink_transport *transport)
{
	on.loop = new_loop();
	on.pair = open_pair(kind, BRINK_READ);
	on.options = (struct brink_socket_options){
		.fd = on.pair.ours,
		.transport = transport,
		.on_open = on_open,
		.on_close = on_close,
		.on_written = on_written,
	};
	CHECK_OK(brink_socket_create(&on.id, on.loop, &on.options));
	on.pair.ours = -1;
	on.held = brink_socket_address(on.id);
	CHECK(on.held != NULL);
}

static void finish(void)
{
	close_pair(&on.pair);
	CHECK_OK(brink_loop_destroy(on.loop));
	CHECK_EQ(on.closes, 1);
	CHECK_EQ(on.shuts, 1);
	CHECK_EQ(on.late, 0);
}

/* ---- the last call ---- */

static void closes_before_its_descriptor(enum kind kind)
{
	begin(kind, &asked);
	RUN_UNTIL(on.loop, on.opens == 1);
	brink_socket_release(on.held);
	CHECK_OK(brink_socket_fail(on.id, 0, NULL));
	RUN_UNTIL(on.loop, on.shuts == 1);
	finish();
}

/* Also while others have references. */
static void closes_while_it_is_held(enum kind kind)
{
	begin(kind, &asked);
	RUN_UNTIL(on.loop, on.opens == 1);
	CHECK_OK(brink_socket_fail(on.id, 0, NULL));
	RUN_UNTIL(on.loop, on.closes == 1);
	brink_socket_release(on.held);
	finish();
}

/* ---- a write that is held up between its look at the socket and the queue ---- */

static _Thread_local enum { AT_ONCE, LATE, LATE_AND_NONE } memory_comes;

static void *delay_request(void *memory, size_t size, void *context)
{
	bool none = memory_comes == LATE_AND_NONE;

	(void)context;
	if (memory_comes != AT_ONCE) {
		memory_comes = AT_ONCE;
		on.inside = true;
		while (!on.go_on)
			sleep_ms(1);
		if (none)
			return NULL;
	}
	if (size != 0)
		return realloc(memory, size);
	free(memory);
	return NULL;
}

struct held_up {
	size_t size;
	bool none; /* no memory for it */
};

static void *write_late(void *arg)
{
	const struct held_up *held_up = arg;
	brink_buffer data = {0};

	if (held_up->size > 0)
		CHECK_OK(brink_buffer_append(&data, "late", held_up->size));
	memory_comes = held_up->none ? LATE_AND_NONE : LATE;
	CHECK_EQ(brink_socket_write(on.held, &data), held_up->none ? -ENOMEM : 0);
	CHECK_EQ(memory_comes, AT_ONCE);
	CHECK_EQ(brink_buffer_length(&data), held_up->none ? held_up->size : 0);
	brink_buffer_clear(&data);
	brink_socket_release(on.held);
	return NULL;
}

/* The end waits for it: nothing is written, nor told, after on_close. */
static void fail_meanwhile(enum kind kind, struct held_up held_up)
{
	pthread_t writer;

	brink_set_allocator(delay_request, NULL);
	begin(kind, &asked);
	RUN_UNTIL(on.loop, on.opens == 1);
	CHECK_EQ(pthread_create(&writer, NULL, write_late, &held_up), 0);
	RUN_UNTIL(on.loop, on.inside);
	CHECK_OK(brink_socket_fail(on.id, -EIO, NULL));
	for (int i = 0; i < 10; i++)
		CHECK_OK(brink_loop_run_once(on.loop, BRINK_MS(1)));
	CHECK_EQ(on.closes, 0);
	CHECK(brink_socket_write_bytes(on.held, "x", 1) == -EIO);
	on.go_on = true;
	RUN_UNTIL(on.loop, on.closes == 1);
	CHECK_EQ(on.ends, held_up.none ? 0 : 1);
	CHECK_EQ(pthread_join(writer, NULL), 0);
	if (!held_up.none)
		CHECK_ERROR(on.end_error, held_up.size > 0 ? -EIO : 0);
	finish();
}

static void end_waits_for_a_write(enum kind kind)
{
	fail_meanwhile(kind, (struct held_up){.size = 4});
}

static void end_waits_for_a_write_of_nothing(enum kind kind)
{
	fail_meanwhile(kind, (struct held_up){.size = 0});
}

static void end_waits_for_a_write_without_memory(enum kind kind)
{
	fail_meanwhile(kind, (struct held_up){.size = 4, .none = true});
}

/* Meanwhile the descriptor is open, and what comes is nobody's: no reason to open a mechanism anew, as where a file turns
 * out to have other descriptors. */
static void comes_to_nobody(enum kind kind)
{
	struct held_up held_up = {.size = 4};
	pthread_t writer;
	int fd;

	brink_set_allocator(delay_request, NULL);
	begin(kind, &asked);
	if (strcmp(brink_loop_backend(on.loop), "epoll") != 0)
		SKIP("only epoll is told of a removal by the close");
	RUN_UNTIL(on.loop, on.opens == 1);
	CHECK_EQ(pthread_create(&writer, NULL, write_late, &held_up), 0);
	RUN_UNTIL(on.loop, on.inside);
	fd = brink_loop_fd(on.loop);
	CHECK_OK(brink_socket_fail(on.id, -EIO, NULL));
	for (int i = 0; i < 10; i++) {
		write_all(on.pair.theirs, "x", 1);
		CHECK_OK(brink_loop_run_once(on.loop, BRINK_MS(1)));
	}
	on.go_on = true;
	RUN_UNTIL(on.loop, on.closes == 1);
	CHECK_EQ(pthread_join(writer, NULL), 0);
	CHECK_EQ(brink_loop_fd(on.loop), fd);
	finish();
}

/* ---- one that is under way ---- */

static void *write_now(void *arg)
{
	(void)arg;
	CHECK_OK(brink_socket_write_bytes(on.held, "x", 1));
	brink_socket_release(on.held);
	return NULL;
}

static void *let_it_go_on(void *arg)
{
	(void)arg;
	sleep_ms(50);
	on.go_on = true;
	return NULL;
}

/* The loop does not run out before on_close was called, though nothing is started any more. */
static void loop_waits_for_the_end(enum kind kind)
{
	pthread_t writer, helper;

	begin(kind, &slow);
	RUN_UNTIL(on.loop, on.opens == 1);
	CHECK_EQ(pthread_create(&writer, NULL, write_now, NULL), 0);
	RUN_UNTIL(on.loop, on.inside);
	CHECK_OK(brink_socket_fail(on.id, -EIO, NULL));
	CHECK_EQ(pthread_create(&helper, NULL, let_it_go_on, NULL), 0);
	CHECK_OK(brink_loop_run(on.loop));
	CHECK_EQ(on.closes, 1);
	CHECK_EQ(pthread_join(writer, NULL), 0);
	CHECK_EQ(pthread_join(helper, NULL), 0);
	finish();
}

/* ---- a wait for what is none ---- */

static void waits_for_no_direction(enum kind kind)
{
	begin(kind, &astray);
	RUN_UNTIL(on.loop, on.opens == 1);
	CHECK_OK(brink_socket_write_bytes(on.held, "x", 1));
	brink_socket_release(on.held);
	RUN_UNTIL(on.loop, on.closes == 1);
	CHECK_EQ(on.ends, 1);
	CHECK_ERROR(on.end_error, -EINVAL);
	finish();
}

/* ---- the first ---- */

static void failed_while_it_opens(enum kind kind)
{
	begin(kind, &refuses);
	brink_socket_release(on.held);
	RUN_UNTIL(on.loop, on.closes == 1);
	CHECK_EQ(on.opens, 0);
	finish();
}

static const struct scenario scenarios[] = {
	SCENARIO("review-transport/closes-before-its-descriptor", closes_before_its_descriptor, KINDS_STREAM),
	SCENARIO("review-transport/closes-while-it-is-held", closes_while_it_is_held, KINDS_STREAM),
	SCENARIO("review-transport/end-waits-for-a-write", end_waits_for_a_write, KINDS_STREAM),
	SCENARIO("review-transport/end-waits-for-a-write-of-nothing", end_waits_for_a_write_of_nothing, KINDS_STREAM),
	SCENARIO("review-transport/end-waits-for-a-write-without-memory", end_waits_for_a_write_without_memory,
	         KINDS_STREAM),
	SCENARIO("review-transport/comes-to-nobody", comes_to_nobody, KINDS_STREAM),
	SCENARIO("review-transport/loop-waits-for-the-end", loop_waits_for_the_end, KINDS_STREAM),
	SCENARIO("review-transport/waits-for-no-direction", waits_for_no_direction, KINDS_STREAM),
	SCENARIO("review-transport/failed-while-it-opens", failed_while_it_opens, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group review_transport_group = {"review-transport", scenarios};
