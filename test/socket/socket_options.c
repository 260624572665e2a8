/* What the create says of its options and of the descriptor. */
#include "groups.h"
#include "scarce.h"
#include "socket_stage.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Refused, with nothing changed: the descriptor is the caller's still, and works. */
static void refused(brink_loop *loop, const struct brink_socket_options *options, int error)
{
	brink_socket_id id = 77;
	int flags = fcntl(options->fd, F_GETFL);
	unsigned before = descriptors_open();

	CHECK_ERROR(brink_socket_create(&id, loop, options), error);
	CHECK_EQ(descriptors_open(), before);
	CHECK_EQ(fcntl(options->fd, F_GETFL), flags);
}

static void bad_options(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct brink_address somewhere = {0};
	struct brink_socket_options options = {.fd = pair.ours};

	refused(NULL, &options, -EINVAL);
	options.flags = 1u << 30;
	refused(loop, &options, -EINVAL);
	options = (struct brink_socket_options){.fd = pair.ours, .high_water = 10, .low_water = 11};
	refused(loop, &options, -EINVAL);
	for (unsigned i = 0; i < 4; i++) {
		options = (struct brink_socket_options){.fd = pair.ours};
		options.reserved[i] = &options;
		refused(loop, &options, -EINVAL);
	}
	options = (struct brink_socket_options){.fd = -1};
	refused(loop, &options, -EINVAL);
	/* Whose would the descriptor be? */
	options = (struct brink_socket_options){.fd = pair.ours, .name = "127.0.0.1:9"};
	refused(loop, &options, -EINVAL);
	options = (struct brink_socket_options){.fd = pair.ours, .address = &somewhere};
	refused(loop, &options, -EINVAL);
	write_all(pair.theirs, "intact", 6);
	await(pair.ours, BRINK_READ);
	CHECK_EQ(drain(pair.ours), 6);
	expect_silence(loop);
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(&pair);
}

static void bad_descriptors(enum kind kind)
{
	brink_loop *loop = new_loop();
	int ends[2], packets[2], listener = open_listener(kind, 1), file = open("/dev/null", O_RDWR), closed, unconnected;
	struct brink_socket_options options = {.fd = 0};

	SYSCALL(pipe(ends));
	SYSCALL(file);
	options.fd = ends[0];
	refused(loop, &options, -ENOTSOCK);
	SYSCALL(socketpair(AF_UNIX, SOCK_DGRAM, 0, packets));
	options.fd = packets[0];
	refused(loop, &options, -EPROTOTYPE);
	options.fd = file;
	refused(loop, &options, -ENOTSOCK);
	options.fd = listener;
	refused(loop, &options, -ENOTCONN);
	SYSCALL(unconnected = socket(kind == KIND_UNIX ? AF_UNIX : kind == KIND_TCP ? AF_INET : AF_INET6, SOCK_STREAM, 0));
	options.fd = unconnected;
	refused(loop, &options, -ENOTCONN);
	SYSCALL(closed = dup(file));
	SYSCALL(close(closed));
	options.fd = closed;
	refused(loop, &options, -EBADF);
	options.fd = 1 << 29;
	refused(loop, &options, -EBADF);
	expect_silence(loop);
	CHECK_OK(brink_loop_destroy(loop));
	for (unsigned i = 0; i < 2; i++) {
		close_fd(&ends[i]);
		close_fd(&packets[i]);
	}
	close_fd(&listener);
	close_fd(&file);
	close_fd(&unconnected);
}

static int option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t length = sizeof value;

	SYSCALL(getsockopt(fd, level, name, &value, &length));
	return value;
}

/* A descriptor that is blocking and not close-on-exec, as accept() gives on some systems. */
static void descriptor_is_prepared(enum kind kind)
{
	brink_loop *loop = new_loop();

	unsigned most = kind == KIND_UNIX ? 16 : 32; /* with BRINK_SOCKET_TCP */

	for (unsigned flags = 0; flags < most; flags++) {
		struct pair pair = open_pair(kind, BRINK_READ);
		struct brink_socket_options options = {.fd = pair.ours, .flags = flags};
		bool as_it_is = flags & BRINK_SOCKET_AS_IT_IS;
		brink_socket_id id;
		brink_socket *socket;
		int fd = pair.ours;

		if (!as_it_is) {
			SYSCALL(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK));
			SYSCALL(fcntl(fd, F_SETFD, 0));
		}
		CHECK_OK(brink_socket_create(&id, loop, &options));
		pair.ours = -1;
		turn(loop);
		socket = brink_socket_address(id);
		CHECK(socket != NULL);
		CHECK_EQ(brink_socket_fd(socket), fd);
		CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
		CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
		if (!as_it_is) {
			CHECK_EQ(option_of(fd, SOL_SOCKET, SO_KEEPALIVE) != 0, (flags & BRINK_SOCKET_KEEPALIVE) != 0);
			if (kind != KIND_UNIX && (flags & BRINK_SOCKET_DELAY) == 0)
				CHECK(option_of(fd, IPPROTO_TCP, TCP_NODELAY) != 0);
		}
		brink_socket_release(socket);
		CHECK_OK(brink_socket_fail(id, 0, NULL));
		RUN_UNTIL(loop, fcntl(fd, F_GETFD) < 0);
		close_pair(&pair);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static void data_and_addresses(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct life life;
	struct brink_address ours, theirs, seen;
	brink_socket *socket;

	open_life(&life, loop, kind, NULL);
	socket = held(&life);
	CHECK(brink_socket_data(socket) == NULL);
	brink_socket_set_data(socket, &life);
	CHECK(brink_socket_data(socket) == &life);
	CHECK_OK(brink_socket_local(socket, &ours));
	CHECK_OK(brink_socket_peer(socket, &theirs));
	CHECK_OK(brink_address_of(life.pair.theirs, &seen));
	CHECK(brink_address_equal(&theirs, &seen));
	CHECK_OK(brink_address_of_peer(life.pair.theirs, &seen));
	CHECK(brink_address_equal(&ours, &seen));
	CHECK_EQ(info_of(socket).lives, 1);
	CHECK_EQ(info_of(socket).state, BRINK_SOCKET_OPEN);
	CHECK_EQ(info_of(socket).error, 0);
	CHECK_OK(brink_socket_fail(life.id, -EIO, NULL));
	expect_close(&life, -EIO);
	/* The number may be another file's by now, which is not to be asked. */
	CHECK(brink_socket_local(socket, &seen) < 0);
	CHECK(brink_socket_peer(socket, &seen) < 0);
	CHECK_EQ(brink_socket_fd(socket), -1);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* A socket needs no descriptor beside its own. */
static void no_descriptors_left(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct brink_socket_options options = {.fd = pair.ours};
	brink_socket_id id;
	brink_socket *socket;
	char bytes[5];
	int fd = pair.ours;

	limit_descriptors(0);
	CHECK_OK(brink_socket_create(&id, loop, &options));
	pair.ours = -1;
	socket = brink_socket_address(id);
	CHECK(socket != NULL);
	CHECK_OK(brink_socket_write_bytes(socket, "bytes", 5));
	RUN_UNTIL(loop, info_of(socket).bytes_written == 5);
	read_exactly(pair.theirs, bytes, sizeof bytes);
	brink_socket_release(socket);
	CHECK_OK(brink_socket_fail(id, 0, NULL));
	RUN_UNTIL(loop, fcntl(fd, F_GETFD) < 0);
	unlimit_descriptors();
	close_pair(&pair);
	CHECK_OK(brink_loop_destroy(loop));
}

static void take_all(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)socket;
	*(size_t *)arg += brink_buffer_length(in);
	brink_buffer_clear(in);
}

static void expect_none(brink_watch *watch, unsigned ready)
{
	(void)watch;
	(void)ready;
	CHECK(false); /* not always: a socket that cannot be started closes the descriptor, and poll(2) tells */
}

/* It is not in the way of the socket that is given the number. */
static void number_of_a_closed_watch(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pair = open_pair(kind, BRINK_READ);
	struct brink_socket_options options = {.on_bytes = take_all};
	brink_watch before;
	brink_socket_id id;
	size_t got = 0;
	int ends[2];

	SYSCALL(pipe(ends));
	brink_watch_init(&before, expect_none);
	CHECK_OK(brink_watch_start(loop, &before, ends[0], BRINK_READ));
	turn(loop);
	SYSCALL(dup2(pair.ours, ends[0]));
	close_fd(&pair.ours);
	options.fd = ends[0];
	options.arg = &got;
	CHECK_OK(brink_socket_create(&id, loop, &options));
	write_all(pair.theirs, "bytes", 5);
	RUN_UNTIL(loop, got == 5);
	CHECK_OK(brink_watch_stop(&before));
	CHECK_OK(brink_socket_fail(id, 0, NULL));
	RUN_UNTIL(loop, fcntl(options.fd, F_GETFD) < 0);
	close_fd(&ends[1]);
	close_pair(&pair);
	CHECK_OK(brink_loop_destroy(loop));
}

/* Refused, and the socket goes on. */
static void watch_beside_a_socket(enum kind kind)
{
	brink_loop *loop = new_loop();
	brink_watch watch;
	struct life life;

	open_life(&life, loop, kind, NULL);
	brink_watch_init(&watch, expect_none);
	CHECK_ERROR(brink_watch_start(loop, &watch, life.fd, BRINK_READ), -EEXIST);
	write_all(life.pair.theirs, "bytes", 5);
	RUN_UNTIL(loop, life.got == 5);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("socket-options/bad-options", bad_options, KINDS_STREAM),
	SCENARIO("socket-options/bad-descriptors", bad_descriptors, KINDS_STREAM),
	SCENARIO("socket-options/descriptor-is-prepared", descriptor_is_prepared, KINDS_STREAM),
	SCENARIO("socket-options/data-and-addresses", data_and_addresses, KINDS_STREAM),
	SCENARIO("socket-options/no-descriptors-left", no_descriptors_left, KINDS_STREAM),
	SCENARIO("socket-options/number-of-a-closed-watch", number_of_a_closed_watch, KINDS_STREAM),
	SCENARIO("socket-options/watch-beside-a-socket", watch_beside_a_socket, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group socket_options_group = {"socket-options", scenarios};
