/* Connections: under way, made, refused; and datagrams that nobody takes. */
#include "groups.h"
#include "scene.h"

#include <sys/socket.h>
#include <unistd.h>

/* ---- connections ---- */

/* A port that nobody listens on, but that is nobody else's either. */
static int open_deaf(enum kind kind)
{
	int listener = open_listener(kind, 1);
	struct sockaddr_storage address;
	socklen_t length = sizeof address;
	int fd;

	SYSCALL(getsockname(listener, (struct sockaddr *)&address, &length));
	close_fd(&listener);
	SYSCALL(fd = socket(address.ss_family, SOCK_STREAM, 0));
	SYSCALL(bind(fd, (struct sockaddr *)&address, length));
	return fd;
}

/* A loop; the scenario makes our end. */
static void open_alone(struct scene *scene, enum kind kind)
{
	*scene = (struct scene){.pair = {.kind = kind, .ours = -1, .theirs = -1}, .loop = new_loop()};
}

static void open_refused(struct scene *scene, enum kind kind)
{
	int deaf = open_deaf(kind), result;

	open_alone(scene, kind);
	scene->pair.ours = connect_start(deaf, &result);
	close_fd(&deaf);
	if (result == -EINPROGRESS)
		return;
	CHECK_ERROR(result, -ECONNREFUSED);
	end_loop(scene->loop, &scene->pair);
	SKIP("this system refuses a connection on the loopback interface at once");
}

static void refused_so_error(enum kind kind)
{
	struct scene scene;

	open_refused(&scene, kind);
	watch_scene(&scene, DIRECTIONS);
	expect_ending(&scene, "connect refused", DIRECTIONS, BRINK_EOF | BRINK_ERROR);
	expect_silence(scene.loop);
	CHECK_EQ(socket_error(scene.pair.ours), ECONNREFUSED);
	CHECK_EQ(socket_error(scene.pair.ours), 0);
	expect_silence(scene.loop);
	close_scene(&scene);
}

static void refused_read(enum kind kind)
{
	struct scene scene;

	open_refused(&scene, kind);
	watch_scene(&scene, BRINK_READ);
	expect_reset(&scene, "connect refused, read interest only");
	CHECK_ERROR(brink_watch_read(&scene.probe.watch, &(char){0}, 1), -ECONNREFUSED);
	expect_silence(scene.loop);
	close_scene(&scene);
}

static void refused_write(enum kind kind)
{
	struct scene scene;

	look_for_sigpipe();
	open_refused(&scene, kind);
	watch_scene(&scene, BRINK_WRITE);
	expect_ending(&scene, "connect refused, write interest only", BRINK_WRITE, BRINK_ERROR);
	CHECK_ERROR(brink_watch_write(&scene.probe.watch, "x", 1), -ECONNREFUSED);
	expect_no_sigpipe();
	expect_silence(scene.loop);
	close_scene(&scene);
}

static void connect_succeeds(enum kind kind)
{
	struct scene scene;
	int listener = open_listener(kind, 4), result;

	open_alone(&scene, kind);
	scene.pair.ours = connect_start(listener, &result);
	CHECK(result == 0 || result == -EINPROGRESS);
	watch_scene(&scene, DIRECTIONS);
	expect_only(&scene, BRINK_WRITE);
	CHECK_EQ(socket_error(scene.pair.ours), 0);
	expect_silence(scene.loop);
	scene.pair.theirs = accept_plain(listener);
	expect_silence(scene.loop);
	feed_scene(&scene, 2);
	close_fd(&listener);
	close_scene(&scene);
}

/* READ alone on a connecting socket: the connection itself is nothing to read. */
static void connecting_reader(enum kind kind)
{
	struct scene scene;
	int listener = open_listener(kind, 4), result;

	open_alone(&scene, kind);
	scene.pair.ours = connect_start(listener, &result);
	CHECK(result == 0 || result == -EINPROGRESS);
	watch_scene(&scene, BRINK_READ);
	expect_silence(scene.loop);
	scene.pair.theirs = accept_plain(listener);
	expect_silence(scene.loop);
	feed_scene(&scene, 2);
	read_scene_dry(&scene, 2);
	close_fd(&listener);
	close_scene(&scene);
}

/* Connections that the listener's queue has no room for stay under way: the kernel drops
 * what they send and they try again. */
#define QUEUED 8

struct queue {
	int listener;
	int connected[QUEUED];
	int count;
};

static int open_waiting_connection(struct queue *queue, enum kind kind)
{
	*queue = (struct queue){.listener = open_listener(kind, 0)};
	while (queue->count < QUEUED) {
		int result, fd = connect_start(queue->listener, &result);

		sleep_ms(20);
		if (result == -EINPROGRESS && !ready_now(fd, DIRECTIONS))
			return fd;
		queue->connected[queue->count++] = fd;
	}
	return -1;
}

static void close_queue(struct queue *queue)
{
	while (queue->count > 0)
		close_fd(&queue->connected[--queue->count]);
	close_fd(&queue->listener);
}

/* Our end is a connection that waits for room in the queue. */
static void open_waiting(struct scene *scene, struct queue *queue, enum kind kind)
{
	open_alone(scene, kind);
	scene->pair.ours = open_waiting_connection(queue, kind);
	if (scene->pair.ours >= 0)
		return;
	close_queue(queue);
	end_loop(scene->loop, &scene->pair);
	SKIP("this system accepts more connections than the listener asked for");
}

static void accept_queue(const struct queue *queue)
{
	for (int i = 0; i < queue->count; i++) {
		int fd = accept_plain(queue->listener);

		close_fd(&fd);
	}
}

static void connect_takes_time(enum kind kind)
{
	struct scene scene;
	struct queue queue;

	open_waiting(&scene, &queue, kind);
	watch_scene(&scene, DIRECTIONS);
	expect_silence(scene.loop);
	accept_queue(&queue);
	expect_only(&scene, BRINK_WRITE);
	CHECK_EQ(socket_error(scene.pair.ours), 0);
	expect_silence(scene.loop);
	close_queue(&queue);
	close_scene(&scene);
}

/* A writer that does not wait for the connection is told to, and then called. */
static void written_while_connecting(enum kind kind)
{
	struct scene scene;
	struct queue queue;
	ssize_t result;

	open_waiting(&scene, &queue, kind);
	watch_scene(&scene, BRINK_READ);
	result = brink_watch_write(&scene.probe.watch, "x", 1);
	measure("write() while connecting", "%s", brink_strerror((int)result));
	CHECK(result == -EAGAIN || result == -ENOTCONN);
	if (result == -ENOTCONN)
		CHECK_OK(brink_watch_rearm(&scene.probe.watch, BRINK_WRITE));
	expect_silence(scene.loop);
	accept_queue(&queue);
	expect_only(&scene, BRINK_WRITE);
	CHECK_EQ(brink_watch_write(&scene.probe.watch, "x", 1), 1);
	expect_silence(scene.loop);
	close_queue(&queue);
	close_scene(&scene);
}

static void closed_while_connecting(enum kind kind)
{
	struct scene scene;
	struct queue queue;

	open_waiting(&scene, &queue, kind);
	watch_scene(&scene, DIRECTIONS);
	expect_silence(scene.loop);
	close_probe(&scene.probe, &scene.pair.ours);
	expect_silence(scene.loop);
	accept_queue(&queue);
	expect_silence(scene.loop);
	close_queue(&queue);
	close_scene(&scene);
}

/* Not to be watched, says the contract; the mistake must not cost more than an event. */
static void unconnected(enum kind kind)
{
	struct scene scene;
	int family = kind == KIND_UNIX ? AF_UNIX : kind == KIND_TCP6 ? AF_INET6 : AF_INET;

	open_alone(&scene, kind);
	SYSCALL(scene.pair.ours = socket(family, SOCK_STREAM, 0));
	set_nonblocking(scene.pair.ours);
	watch_scene(&scene, DIRECTIONS);
	observe(scene.loop, &scene.probe, "unconnected stream socket", DIRECTIONS | BRINK_EOF | BRINK_ERROR);
	expect_silence(scene.loop);
	close_scene(&scene);
}

/* ---- datagrams ---- */

/* Says what the error was announced with. It is one for each datagram that came back. */
static unsigned refused_datagram(struct scene *scene)
{
	unsigned ready;
	char byte;

	SYSCALL(write(scene->pair.ours, "?", 1));
	RUN_UNTIL(scene->loop, (scene->probe.new_ready & BRINK_READ) != 0);
	ready = observe(scene->loop, &scene->probe, "ICMP error", BRINK_READ | BRINK_ERROR);
	CHECK_ERROR(brink_watch_read(&scene->probe.watch, &byte, 1), -ECONNREFUSED);
	CHECK_ERROR(brink_watch_read(&scene->probe.watch, &byte, 1), -EAGAIN);
	expect_quiet(scene->loop, &scene->probe, BRINK_READ);
	return ready;
}

static void icmp_error(enum kind kind)
{
	struct scene scene;
	unsigned first;

	open_watched(&scene, kind, BRINK_READ);
	close_theirs(&scene.pair);
	expect_silence(scene.loop);
	first = refused_datagram(&scene);
	CHECK_EQ(refused_datagram(&scene), first);
	CHECK_EQ(refused_datagram(&scene), first);
	close_scene(&scene);
}

/* A datagram socket has no end: it works on after an error, and after the peer's close. */
static void datagrams_after_error(enum kind kind)
{
	struct scene scene;
	struct sockaddr_storage ours, theirs;
	socklen_t length = sizeof ours, peer_length = sizeof theirs;

	open_scene(&scene, kind, BRINK_READ);
	SYSCALL(getsockname(scene.pair.ours, (struct sockaddr *)&ours, &length));
	SYSCALL(getsockname(scene.pair.theirs, (struct sockaddr *)&theirs, &peer_length));
	watch_scene(&scene, BRINK_READ);
	close_theirs(&scene.pair);
	refused_datagram(&scene);
	SYSCALL(scene.pair.theirs = socket(ours.ss_family, SOCK_DGRAM, 0));
	SYSCALL(bind(scene.pair.theirs, (struct sockaddr *)&theirs, peer_length));
	SYSCALL(connect(scene.pair.theirs, (struct sockaddr *)&ours, length));
	feed_scene(&scene, 4);
	read_scene_dry(&scene, 4);
	close_scene(&scene);
}

static const struct scenario scenarios[] = {
	SCENARIO("end/refused-so-error", refused_so_error, KINDS_TCP, .promises = {4}),
	SCENARIO("end/refused-read", refused_read, KINDS_TCP, .promises = {4}),
	SCENARIO("end/refused-write", refused_write, KINDS_TCP, .promises = {4, 16}),
	SCENARIO("end/connect-succeeds", connect_succeeds, KINDS_STREAM, .promises = {1, 3, 5}),
	SCENARIO("end/connecting-reader", connecting_reader, KINDS_STREAM, .promises = {1, 3}),
	SCENARIO("end/connect-takes-time", connect_takes_time, KINDS_TCP, .promises = {3}),
	SCENARIO("end/written-while-connecting", written_while_connecting, KINDS_TCP,
	         .promises = {3, 16}),
	SCENARIO("end/closed-while-connecting", closed_while_connecting, KINDS_TCP, .promises = {6}),
	SCENARIO("end/unconnected", unconnected, KINDS_STREAM, .promises = {2}),
	SCENARIO("end/icmp-error", icmp_error, KIND_UDP, .promises = {2, 4}),
	SCENARIO("end/datagrams-after-error", datagrams_after_error, KIND_UDP, .promises = {3, 4}),
	NO_MORE_SCENARIOS,
};

const struct group connect_group = {"connect", scenarios};
