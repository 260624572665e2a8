/* The stage of the tests of io_uring: a kernel that refuses and drops, a ring, and what the loop would do.
 *
 * backends/io_uring.c is compiled into this program, with its calls of liburing renamed to the functions
 * below: see local.mk. */
#undef io_uring_queue_init_params
#undef io_uring_submit
#undef io_uring_submit_and_get_events
#include "config.h"

#include "io_uring.h"

#include <liburing.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

const struct brink__dispatcher_ops *const ops = &brink__io_uring;
struct brink__table descriptors;
struct brink__dispatcher *ring;
unsigned entries;
int failures;
bool renew;

void check(bool good, const char *what, const char *file, int line)
{
	if (good)
		return;
	failures++;
	printf("    %s:%d: not so: %s\n", file, line, what);
}

/* ---- the kernel, as it or an older one would answer ---- */

unsigned refused_flags;
unsigned lacked_features;
int refusal;

int faulty_queue_init_params(unsigned count, struct io_uring *uring, struct io_uring_params *params);
int faulty_queue_init_params(unsigned count, struct io_uring *uring, struct io_uring_params *params)
{
	int rc;

	if (refusal != 0 || (params->flags & refused_flags))
		return refusal != 0 ? refusal : -EINVAL;
	rc = io_uring_queue_init_params(count, uring, params);
	uring->features &= ~lacked_features;
	return rc;
}

int enter_answer;
int enter_refusal;
bool enter_drops;

int faulty_submit(struct io_uring *uring);
int faulty_submit(struct io_uring *uring)
{
	return enter_refusal != 0 ? enter_refusal : io_uring_submit(uring);
}

int faulty_submit_and_get_events(struct io_uring *uring);
int faulty_submit_and_get_events(struct io_uring *uring)
{
	int rc, answer = enter_answer;

	if (enter_refusal != 0)
		return enter_refusal;
	rc = io_uring_submit_and_get_events(uring);
	enter_answer = 0;
	if (!enter_drops)
		return answer != 0 ? answer : rc;
	enter_drops = false;
	while (io_uring_cq_ready(uring) > 0) {
		io_uring_cq_advance(uring, io_uring_cq_ready(uring));
		io_uring_get_events(uring);
	}
	return -EBADR;
}

/* ---- what the loop would do ---- */

unsigned receive_buffers;

int open_ring(unsigned count)
{
	const struct brink__dispatcher_options options = {.table = &descriptors,
	                                                  .batch = 256,
	                                                  .ring_entries = count,
	                                                  .receive_buffers = receive_buffers,
	                                                  .renew = &renew};

	return ops->open(&ring, &options);
}

struct brink__slot *add(int fd, unsigned directions, bool level)
{
	struct brink__slot *slot = brink__table_get(&descriptors, fd);

	brink__table_renew(&descriptors, slot, fd);
	slot->mark = 0;
	slot->armed = 0;
	slot->level = level;
	slot->open = (uint8_t)directions;
	CHECK(ops->add(ring, slot) == 0);
	return slot;
}

void drop(struct brink__slot *slot)
{
	ops->remove(ring, slot);
	CHECK(slot->mark == 0 && slot->armed == 0);
	slot->token = 0;
}

int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A wait that goes on after -EINTR, as the loop does. */
int await(struct brink__event *events, int capacity, int64_t timeout)
{
	const int64_t end = now() + timeout;
	int rc;

	do {
		int64_t left = end - now();

		rc = ops->wait(ring, events, capacity, timeout == 0 || left < 0 ? 0 : left);
	} while (rc == -EINTR && now() < end);
	return rc == -EINTR ? 0 : rc;
}

/* What the ring reports of `slot` alone, within a generous time; 0 when others are mixed in. */
unsigned report(struct brink__slot *slot)
{
	struct brink__event event;

	return await(&event, 1, LONG) == 1 && event.slot == slot ? event.ready : 0;
}

bool silent(void)
{
	struct brink__event event;

	return await(&event, 1, 20 * MILLISECOND) == 0;
}

void tcp_pair(int pair[2])
{
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof local;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(bind(listener, (struct sockaddr *)&local, length) == 0 && listen(listener, 1) == 0);
	getsockname(listener, (struct sockaddr *)&local, &length);
	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(connect(pair[0], (struct sockaddr *)&local, length) == 0);
	pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	close(listener);
}

/* Whether the end of the stream is there now, without any waiting. */
bool at_end(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

void put(int fd)
{
	CHECK(write(fd, "x", 1) == 1);
}

void get(int fd)
{
	char byte;

	CHECK(read(fd, &byte, 1) == 1);
}
