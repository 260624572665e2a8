/* Kinds of descriptors that only Linux has, or has in this way. */
#define _GNU_SOURCE /* pipe2(), O_DIRECT */

#include "file.h"
#include "scene.h"

#if defined(__linux__)

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void add_to(int fd, uint64_t value)
{
	CHECK_EQ(write(fd, &value, sizeof value), sizeof value);
}

/* Reads with room for more than the eight bytes that there are. */
static uint64_t take_from(struct probe *probe)
{
	uint64_t values[4] = {0};

	CHECK_EQ(brink_watch_read(&probe->watch, values, sizeof values), sizeof values[0]);
	return values[0];
}

static void expect_empty(struct probe *probe)
{
	uint64_t value;

	CHECK_ERROR(brink_watch_read(&probe->watch, &value, sizeof value), -EAGAIN);
}

void eventfd_counts(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct probe probe;
	uint64_t one = 1;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	(void)kind;
	SYSCALL(fd);
	start_probe(loop, &probe, "eventfd", fd, DIRECTIONS);
	expect_event(loop, &probe, BRINK_WRITE, NOT_WRITE);
	expect_silence(loop);
	for (int i = 0; i < 3; i++) {
		add_to(fd, 5);
		expect_event(loop, &probe, BRINK_READ, NOT_READ);
		add_to(fd, 2);
		expect_silence(loop);
		CHECK_EQ(take_from(&probe), 7);
		expect_empty(&probe);
		expect_quiet(loop, &probe, BRINK_READ);
	}
	/* As much as it holds: a writer has to wait for a reader. */
	add_to(fd, UINT64_MAX - 1);
	expect_event(loop, &probe, BRINK_READ, NOT_READ);
	CHECK_ERROR(brink_watch_write(&probe.watch, &one, sizeof one), -EAGAIN);
	expect_quiet(loop, &probe, BRINK_WRITE);
	CHECK(take_from(&probe) == UINT64_MAX - 1);
	expect_event(loop, &probe, BRINK_WRITE, NOT_WRITE);
	expect_silence(loop);
	stop_probe(&probe);
	CHECK_OK(brink_loop_destroy(loop));
	close_fd(&fd);
}

/* Each read takes one: a short read leaves the rest. */
void eventfd_semaphore(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct probe probe;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC | EFD_SEMAPHORE);

	(void)kind;
	SYSCALL(fd);
	start_probe(loop, &probe, "semaphore", fd, BRINK_READ);
	expect_silence(loop);
	for (int round = 0; round < 3; round++) {
		add_to(fd, 3);
		expect_event(loop, &probe, BRINK_READ, NOT_READ);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(take_from(&probe), 1);
		expect_empty(&probe);
		expect_quiet(loop, &probe, BRINK_READ);
	}
	stop_probe(&probe);
	CHECK_OK(brink_loop_destroy(loop));
	close_fd(&fd);
}

void timerfd_ticks(enum kind kind)
{
	const struct itimerspec soon = {.it_value.tv_nsec = 1000000, .it_interval.tv_nsec = 1000000};
	const struct itimerspec never = {.it_value.tv_sec = 0};
	brink_loop *loop = new_loop();
	struct probe probe;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	(void)kind;
	SYSCALL(fd);
	start_probe(loop, &probe, "timerfd", fd, BRINK_READ);
	expect_silence(loop);
	SYSCALL(timerfd_settime(fd, 0, &soon, NULL));
	expect_event(loop, &probe, BRINK_READ, NOT_READ);
	sleep_ms(5);
	/* It goes on ticking, but nobody has read it. */
	expect_silence(loop);
	SYSCALL(timerfd_settime(fd, 0, &never, NULL));
	expect_empty(&probe);
	expect_quiet(loop, &probe, BRINK_READ);
	SYSCALL(timerfd_settime(fd, 0, &soon, NULL));
	expect_event(loop, &probe, BRINK_READ, NOT_READ);
	CHECK(take_from(&probe) >= 1);
	stop_probe(&probe);
	CHECK_OK(brink_loop_destroy(loop));
	close_fd(&fd);
}

/* The end that is read does not show that the pipe is in packet mode. */
void packet_pipe(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct probe probe;
	int ends[2];

	(void)kind;
	SYSCALL(pipe2(ends, O_NONBLOCK | O_CLOEXEC | O_DIRECT));
	start_probe(loop, &probe, "reader", ends[0], BRINK_READ);
	expect_silence(loop);
	expect_packets(loop, &probe, ends[1]);
	stop_probe(&probe);
	CHECK_OK(brink_loop_destroy(loop));
	close_fd(&ends[0]);
	close_fd(&ends[1]);
}

static void provoke_error(const struct pair *pair)
{
	SYSCALL(write(pair->ours, "?", 1));
}

static void drain_error_queue(int fd)
{
	char bytes[64], control[512];
	struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
	struct msghdr message;
	unsigned count = 0;

	do {
		memset(&message, 0, sizeof message);
		message.msg_iov = &part;
		message.msg_iovlen = 1;
		message.msg_control = control;
		message.msg_controllen = sizeof control;
		count++;
	} while (recvmsg(fd, &message, MSG_ERRQUEUE) >= 0);
	CHECK_EQ(errno, EAGAIN);
	CHECK(count > 1);
}

/* Whether ERROR is said beside is the mechanism's affair: kqueue knows it of streams only. */
static void expect_datagram_error(brink_loop *loop, struct probe *probe)
{
	RUN_UNTIL(loop, (probe->new_ready & BRINK_READ) != 0);
	observe(loop, probe, "an error in a datagram socket's queue", BRINK_READ | BRINK_ERROR);
}

/* An error that lies in the queue is reported as long as it lies there: each turn to a
 * level-triggered watch, once to any other. */
void udp_error_queue(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe probe;
	char byte;
	int on = 1;

	SYSCALL(setsockopt(pair.ours, IPPROTO_IP, IP_RECVERR, &on, sizeof on));
	close_theirs(&pair);
	start_probe(loop, &probe, "level", pair.ours, BRINK_READ | BRINK_LEVEL);
	expect_silence(loop);
	provoke_error(&pair);
	for (unsigned calls = 1; calls <= 3; calls++) {
		RUN_UNTIL(loop, probe.new_calls >= calls);
		CHECK_EQ(probe.last & ~BRINK_ERROR, BRINK_READ);
	}
	discard_calls(&probe);
	CHECK_OK(brink_watch_set(&probe.watch, 0));
	expect_silence(loop);
	CHECK_OK(brink_watch_set(&probe.watch, BRINK_READ));
	RUN_UNTIL(loop, probe.new_calls >= 2);
	discard_calls(&probe);
	CHECK_EQ(socket_error(pair.ours), ECONNREFUSED);
	drain_error_queue(pair.ours);
	expect_silence(loop);
	stop_probe(&probe);

	provoke_error(&pair);
	start_probe(loop, &probe, "edge", pair.ours, BRINK_READ);
	expect_datagram_error(loop, &probe);
	expect_silence(loop);
	CHECK_ERROR(brink_watch_read(&probe.watch, &byte, 1), -ECONNREFUSED);
	drain_error_queue(pair.ours);
	CHECK_ERROR(brink_watch_read(&probe.watch, &byte, 1), -EAGAIN);
	expect_quiet(loop, &probe, BRINK_READ);
	provoke_error(&pair);
	expect_datagram_error(loop, &probe);
	/* The queue is left as it is. */
	CHECK_ERROR(brink_watch_read(&probe.watch, &byte, 1), -ECONNREFUSED);
	CHECK_ERROR(brink_watch_read(&probe.watch, &byte, 1), -EAGAIN);
	observe(loop, &probe, "rearmed with an error in the queue", BRINK_READ | BRINK_ERROR);
	stop_probe(&probe);
	end_loop(loop, &pair);
}

/* Another library's loop inside ours, by its descriptor. */
void nested_epoll(enum kind kind)
{
	struct pair pair = open_pair(KIND_PIPE, BRINK_READ);
	struct epoll_event event = {.events = EPOLLIN}, got;
	brink_loop *loop = new_loop();
	struct probe probe;
	int inner = epoll_create1(EPOLL_CLOEXEC);

	(void)kind;
	SYSCALL(inner);
	SYSCALL(epoll_ctl(inner, EPOLL_CTL_ADD, pair.ours, &event));
	start_probe(loop, &probe, "inner", inner, BRINK_READ);
	expect_silence(loop);
	for (int i = 0; i < 3; i++) {
		feed_and_expect(loop, &pair, &probe, 2);
		expect_silence(loop);
		CHECK_EQ(epoll_wait(inner, &got, 1, 0), 1);
		CHECK_EQ(drain(pair.ours), 2);
		CHECK_EQ(epoll_wait(inner, &got, 1, 0), 0);
		CHECK_OK(brink_watch_rearm(&probe.watch, BRINK_READ));
		expect_quiet(loop, &probe, BRINK_READ);
	}
	stop_probe(&probe);
	CHECK_OK(brink_loop_destroy(loop));
	close_fd(&inner);
	close_pair(&pair);
}

#else

static void only_on_linux(enum kind kind)
{
	(void)kind;
	SKIP("this system does not have it");
}

void eventfd_counts(enum kind kind)
{
	only_on_linux(kind);
}

void eventfd_semaphore(enum kind kind)
{
	only_on_linux(kind);
}

void timerfd_ticks(enum kind kind)
{
	only_on_linux(kind);
}

void packet_pipe(enum kind kind)
{
	only_on_linux(kind);
}

void udp_error_queue(enum kind kind)
{
	only_on_linux(kind);
}

void nested_epoll(enum kind kind)
{
	only_on_linux(kind);
}

#endif
