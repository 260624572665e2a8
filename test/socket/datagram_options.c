/* What create is asked for, and what it refuses; with too little memory or no descriptor. */
#include "datagram_stage.h"
#include "groups.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *path_of(const struct post *post)
{
	return post->text + strlen("unix:");
}

static bool file_exists(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

/* ---- refused ---- */

static void refuse(struct post *post, int error)
{
	unsigned before = descriptors_open();

	CHECK_ERROR(try_post(post), error);
	CHECK(post->socket == NULL);
	CHECK_EQ(descriptors_open(), before);
}

#define REFUSED(member, value, error) \
	do { \
		struct post *refused = open_post(loop, AF_INET); \
		refused->options.member = (value); \
		refuse(refused, (error)); \
		close_post(refused); \
	} while (0)

static void what_is_refused(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *post;
	int stream;

	(void)kind;
	REFUSED(on_packets, NULL, -EINVAL);
	REFUSED(reserved[3], loop, -EINVAL);
	REFUSED(flags, 1u << 9, -EINVAL);
	REFUSED(unix_mode, 01000, -EINVAL);
	REFUSED(max_size, (16u << 20) + 1, -EINVAL);
	REFUSED(batch, 1025, -EINVAL);
	REFUSED(queue_limit, (1u << 30) + 1, -EINVAL);
	REFUSED(send_buffer, 1u << 31, -EINVAL);
	REFUSED(ttl, 256, -EINVAL);
	REFUSED(multicast_ttl, 256, -EINVAL);
	REFUSED(address, "localhost:1", -EINVAL);
	REFUSED(peer, "localhost:1", -EINVAL);
	REFUSED(peer, "[::1]:9", -EINVAL);
	REFUSED(address, "192.0.2.77:0", -EADDRNOTAVAIL);
	post = open_post(loop, AF_INET);
	post->options.address = NULL;
	post->options.fd = -1;
	refuse(post, -EBADF);
	SYSCALL(stream = socket(AF_INET, SOCK_STREAM, 0));
	post->options.fd = stream;
	refuse(post, -EINVAL);
	CHECK(fcntl(stream, F_GETFD) >= 0); /* the caller's still */
	close_fd(&stream);
	close_post(post);
	post = open_post(loop, AF_UNIX);
	post->options.peer = post->text;
	post->options.address = NULL;
	refuse(post, -ENOENT);
	post->options.address = post->text;
	post->options.peer = NULL;
	post->options.flags = BRINK_DATAGRAM_REUSEPORT;
	refuse(post, -ENOTSUP);
	close_post(post);
	brink_datagram_destroy(NULL);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- granted ---- */

static void handed_over(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *post = open_post(loop, AF_INET);
	struct brink_address address;
	int plain = open_plain(AF_INET, &address), flags;

	(void)kind;
	SYSCALL(flags = fcntl(plain, F_GETFL));
	SYSCALL(fcntl(plain, F_SETFL, flags & ~O_NONBLOCK));
	post->options.address = NULL;
	post->options.fd = plain;
	post->options.receive_buffer = 100000;
	start_post(post);
	CHECK_EQ(brink_datagram_fd(post->socket), plain);
	CHECK(brink_address_equal(&post->address, &address));
	CHECK((fcntl(plain, F_GETFL) & O_NONBLOCK) != 0);
	CHECK((fcntl(plain, F_GETFD) & FD_CLOEXEC) != 0);
	CHECK_OK(brink_datagram_send(post->socket, numbered(1, 4), 4, &address));
	RUN_UNTIL(loop, post->count == 1);
	close_post(post);
	CHECK(fcntl(plain, F_GETFD) < 0);
	CHECK_OK(brink_loop_destroy(loop));
}

/* One that is bound to nothing has its port, which its datagrams come from and go to, from the beginning. */
static void handed_over_unbound(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *post = open_post(loop, AF_INET);
	struct brink_address to, from;
	int plain = open_plain(AF_INET, &to);

	(void)kind;
	post->options.address = NULL;
	SYSCALL(post->options.fd = socket(AF_INET, SOCK_DGRAM, 0));
	start_post(post);
	CHECK_OK(brink_datagram_send(post->socket, numbered(1, 4), 4, &to));
	CHECK_EQ(receive_plain(plain, 1, &from), 4);
	CHECK_EQ(brink_address_port(&post->address), brink_address_port(&from));
	send_plain(plain, &from, 2, 4);
	RUN_UNTIL(loop, post->count == 1);
	if (brink_datagram_features(post->socket) & BRINK_DATAGRAM_HAS_LOCAL)
		CHECK(brink_address_equal(&post->seen[0].to, &from));
	close_plain(&plain, &to);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

static void own_descriptor(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *post = open_post(loop, AF_INET);
	int fd, size = 0;
	socklen_t length = sizeof size;

	(void)kind;
	post->options.receive_buffer = post->options.send_buffer = 50000;
	start_post(post);
	fd = brink_datagram_fd(post->socket);
	CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &length), 0);
	CHECK(size == 50000 || size == 100000);
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &length), 0);
	CHECK(size == 50000 || size == 100000);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

/* Each of many senders' datagrams comes to one of the two, and none is lost. */
static void a_shared_port(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *one = open_post(loop, AF_INET), *other = open_post(loop, AF_INET);
	char text[BRINK_ADDRESS_TEXT];
	int result;

	(void)kind;
	one->options.flags = other->options.flags = BRINK_DATAGRAM_REUSEPORT;
	result = try_post(one);
	if (result == -ENOTSUP)
		SKIP("this system does not spread datagrams");
	CHECK_OK(result);
	CHECK_OK(brink_address_format(&one->address, text, sizeof text));
	other->options.address = text;
	start_post(other);
	for (unsigned i = 0; i < 50; i++) {
		struct brink_address from;
		int plain = open_plain(AF_INET, &from);

		send_plain(plain, &one->address, i, 10);
		close_plain(&plain, &from);
	}
	RUN_UNTIL(loop, one->count + other->count == 50);
	CHECK(one->count > 0 && other->count > 0);
	close_post(other);
	other = open_post(loop, AF_INET);
	other->options.address = text;
	refuse(other, -EADDRINUSE); /* who has not asked for it */
	close_post(one);
	close_post(other);
	CHECK_OK(brink_loop_destroy(loop));
}

static void unix_files(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *one = open_post(loop, AF_UNIX), *other = open_post(loop, AF_UNIX);
	struct stat status;
	int stale;

	(void)kind;
	one->options.unix_mode = 0600;
	start_post(one);
	SYSCALL(stat(path_of(one), &status));
	CHECK_EQ(status.st_mode & 0777, 0600);
	strcpy(other->text, one->text);
	refuse(other, -EADDRINUSE);
	other->options.flags = BRINK_DATAGRAM_UNIX_REPLACE;
	refuse(other, -EADDRINUSE); /* somebody is bound to it */
	CHECK(file_exists(path_of(one)));
	destroy_socket(one);
	CHECK(!file_exists(path_of(one)));
	SYSCALL(stale = socket(AF_UNIX, SOCK_DGRAM, 0));
	SYSCALL(bind(stale, (struct sockaddr *)&one->address.storage, one->address.length));
	close_fd(&stale);
	start_post(other);
	CHECK(file_exists(path_of(one)));
	close_post(other);
	CHECK(!file_exists(path_of(one)));
	close_post(one);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- too little ---- */

static void destroy_at_eight(struct post *post, const struct brink_packet *packets, unsigned count)
{
	(void)packets;
	(void)count;
	if (post->count >= 8)
		destroy_socket(post);
}

/* A socket that fills its queue: what was taken arrives, however the allocator fails. */
static void play(brink_loop *loop, struct post *post)
{
	struct brink_address to;
	int plain = open_plain(AF_UNIX, &to), result;
	unsigned sent = 0, got = 0;

	post->act = destroy_at_eight;
	result = try_post(post);
	if (result < 0) {
		CHECK_ERROR(result, -ENOMEM);
		CHECK(post->socket == NULL);
		CHECK(!file_exists(path_of(post)));
	}
	while (result == 0 && brink_datagram_queued(post->socket) == 0) {
		int sending = brink_datagram_send(post->socket, numbered(sent, 1000), 1000, &to);

		if (sending < 0)
			CHECK_ERROR(sending, -ENOMEM);
		else
			sent++;
	}
	while (got < sent) {
		RUN_UNTIL(loop, ready_now(plain, BRINK_READ));
		CHECK_EQ(receive_plain(plain, got++, NULL), 1000);
	}
	for (unsigned i = 0; result == 0 && i < 8; i++)
		send_plain(plain, &post->address, i, 10);
	if (result == 0)
		RUN_UNTIL(loop, post->socket == NULL);
	close_plain(&plain, &to);
}

static void each_allocation_fails(enum kind kind)
{
	bool reached = true;
	unsigned k;

	(void)kind;
	scarce_memory();
	for (k = 1; reached; k++) {
		brink_loop *loop = new_loop();
		struct post *post = open_post(loop, AF_UNIX);
		unsigned descriptors = descriptors_open();
		long blocks = blocks_live();

		fail_allocation(k);
		play(loop, post);
		reached = allocation_failed();
		/* The loop's table and its backend's arrays grow, and stay. */
		CHECK(blocks_live() <= blocks + 3);
		CHECK_EQ(descriptors_open(), descriptors);
		close_post(post);
		CHECK_OK(brink_loop_destroy(loop));
		CHECK_EQ(blocks_live(), 0);
		CHECK(k < 100);
	}
	CHECK(k > 6); /* the socket, its four arrays and its queue */
}

static void no_descriptor(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *post = open_post(loop, AF_INET);

	(void)kind;
	limit_descriptors(0);
	CHECK_ERROR(try_post(post), -EMFILE);
	unlimit_descriptors();
	start_post(post);
	CHECK_OK(brink_datagram_send(post->socket, numbered(1, 4), 4, &post->address));
	RUN_UNTIL(loop, post->count == 1);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

/* What comes and goes in steady state is no allocation. */
static void steady_state_allocates_nothing(enum kind kind)
{
	brink_loop *loop;
	struct post *post;

	(void)kind;
	scarce_memory();
	loop = new_loop();
	post = start_new_post(loop, AF_INET);
	for (unsigned i = 0; i < 100; i++) {
		for (unsigned j = 0; j < 5; j++)
			CHECK_OK(brink_datagram_send(post->socket, numbered(i, 400), 400, &post->address));
		RUN_UNTIL(loop, post->count == 5 * (i + 1));
		if (i == 10)
			fail_allocation(1);
	}
	CHECK(!allocation_failed());
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("datagram-options/what-is-refused", what_is_refused, KIND_NONE),
	SCENARIO("datagram-options/handed-over", handed_over, KIND_NONE),
	SCENARIO("datagram-options/handed-over-unbound", handed_over_unbound, KIND_NONE),
	SCENARIO("datagram-options/own-descriptor", own_descriptor, KIND_NONE),
	SCENARIO("datagram-options/a-shared-port", a_shared_port, KIND_NONE),
	SCENARIO("datagram-options/unix-files", unix_files, KIND_NONE),
	SCENARIO("datagram-options/each-allocation-fails", each_allocation_fails, KIND_NONE),
	SCENARIO("datagram-options/no-descriptor", no_descriptor, KIND_NONE),
	SCENARIO("datagram-options/steady-state-allocates-nothing", steady_state_allocates_nothing, KIND_NONE),
	NO_MORE_SCENARIOS,
};
const struct group datagram_options_group = {"datagram-options", scenarios};
