/* The io_uring backend against a descriptor table, without a loop above it: what only it
 * can get wrong. Each test runs on every kind of ring that the kernel gives, and with a
 * submission queue of one entry as well as with a roomy one. */
#include "config.h"

#include "dispatcher.h"
#include "stream.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MILLISECOND ((int64_t)1000000)
#define LONG (60000 * MILLISECOND) /* only a hang takes this long */

static const struct brink__dispatcher_ops *const ops = &brink__io_uring;
static struct brink__table table;
static struct brink__dispatcher *ring;
static unsigned entries; /* of the ring that the current test has */
static int failures;     /* of the current test */
static bool renew;

#define CHECK(condition) check((condition), #condition, __LINE__)

static void check(bool good, const char *what, int line)
{
	if (good)
		return;
	failures++;
	printf("    line %d: not so: %s\n", line, what);
}

/* ---- the kernel, as it or an older one would answer ---- */

static unsigned refused_flags;  /* setup flags that are unknown */
static unsigned lacked_features;
static int refusal;             /* what every setup is answered */

int io_uring_queue_init_params(unsigned count, struct io_uring *uring, struct io_uring_params *params)
{
	int (*real)(unsigned, struct io_uring *, struct io_uring_params *);
	int rc;

	*(void **)&real = dlsym(RTLD_NEXT, "io_uring_queue_init_params");
	if (real == NULL)
		return -ENOSYS;
	if (refusal != 0 || (params->flags & refused_flags))
		return refusal != 0 ? refusal : -EINVAL;
	rc = real(count, uring, params);
	uring->features &= ~lacked_features;
	return rc;
}

static int enter_answer; /* what the next enter without a wait is answered, once, after it was made */
static int enter_refusal; /* what all are answered that are not made */
static bool enter_drops;  /* the next enter without a wait, for want of memory: all that has completed */

int io_uring_submit(struct io_uring *uring)
{
	int (*real)(struct io_uring *);

	*(void **)&real = dlsym(RTLD_NEXT, "io_uring_submit");
	return real == NULL ? -ENOSYS : enter_refusal != 0 ? enter_refusal : real(uring);
}

int io_uring_submit_and_get_events(struct io_uring *uring)
{
	int (*real)(struct io_uring *);
	int rc, answer = enter_answer;

	*(void **)&real = dlsym(RTLD_NEXT, "io_uring_submit_and_get_events");
	if (real == NULL || enter_refusal != 0)
		return real == NULL ? -ENOSYS : enter_refusal;
	rc = real(uring);
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

static unsigned receive_buffers; /* of the next ring */

static int open_ring(unsigned count)
{
	const struct brink__dispatcher_options options = {.table = &table,
	                                                  .batch = 256,
	                                                  .ring_entries = count,
	                                                  .receive_buffers = receive_buffers,
	                                                  .renew = &renew};

	return ops->open(&ring, &options);
}

static struct brink__slot *add(int fd, unsigned directions, bool level)
{
	struct brink__slot *slot = brink__table_get(&table, fd);

	brink__table_renew(&table, slot, fd);
	slot->mark = 0;
	slot->armed = 0;
	slot->level = level;
	slot->open = (uint8_t)directions;
	CHECK(ops->add(ring, slot) == 0);
	return slot;
}

static void drop(struct brink__slot *slot)
{
	ops->remove(ring, slot);
	CHECK(slot->mark == 0 && slot->armed == 0);
	slot->token = 0;
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A wait that goes on after -EINTR, as the loop does. */
static int await(struct brink__event *events, int capacity, int64_t timeout)
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
static unsigned report(struct brink__slot *slot)
{
	struct brink__event event;

	return await(&event, 1, LONG) == 1 && event.slot == slot ? event.ready : 0;
}

static bool silent(void)
{
	struct brink__event event;

	return await(&event, 1, 20 * MILLISECOND) == 0;
}

static void tcp_pair(int pair[2])
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
static bool at_end(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void put(int fd)
{
	CHECK(write(fd, "x", 1) == 1);
}

static void get(int fd)
{
	char byte;

	CHECK(read(fd, &byte, 1) == 1);
}

/* ---- the tests ---- */

static void reports_once_and_looks_at_the_level(void)
{
	int pipe_fds[2];
	struct brink__slot *slot;

	CHECK(pipe(pipe_fds) == 0);
	put(pipe_fds[1]);
	slot = add(pipe_fds[0], BRINK_READ, false);
	CHECK(slot->armed == BRINK_READ);
	CHECK(report(slot) == BRINK_READ);
	CHECK(slot->armed == 0);
	put(pipe_fds[1]);
	CHECK(silent());
	ops->arm(ring, slot);
	CHECK(report(slot) == BRINK_READ);
	get(pipe_fds[0]);
	get(pipe_fds[0]);
	ops->arm(ring, slot);
	ops->arm(ring, slot);
	CHECK(silent());
	ops->arm(ring, slot);
	put(pipe_fds[1]);
	CHECK(report(slot) == BRINK_READ);
	CHECK(silent());
	close(pipe_fds[1]);
	ops->arm(ring, slot);
	CHECK((report(slot) & (BRINK_READ | BRINK_EOF)) == (BRINK_READ | BRINK_EOF));
	drop(slot);
	close(pipe_fds[0]);
}

static void directions_are_independent(void)
{
	struct brink__event event;
	struct brink__slot *slot;
	unsigned ready = 0;
	int pair[2];

	tcp_pair(pair);
	slot = add(pair[1], BRINK_READ | BRINK_WRITE, false);
	CHECK(report(slot) == BRINK_WRITE);
	CHECK(slot->armed == BRINK_READ);
	put(pair[0]);
	CHECK(report(slot) == BRINK_READ);
	shutdown(pair[0], SHUT_WR);
	CHECK(silent());
	ops->arm(ring, slot);
	while (ready != (BRINK_READ | BRINK_WRITE | BRINK_EOF) && await(&event, 1, LONG) == 1)
		ready |= event.ready;
	CHECK(ready == (BRINK_READ | BRINK_WRITE | BRINK_EOF));
	CHECK(setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger)) == 0);
	slot->open = BRINK_READ;
	get(pair[1]);
	close(pair[0]);
	ops->arm(ring, slot);
	ready = 0;
	for (int i = 0; i < 100 && !(ready & BRINK_ERROR) && await(&event, 1, LONG) == 1; i++) {
		ready |= event.ready;
		ops->arm(ring, slot);
	}
	CHECK(ready & BRINK_ERROR);
	drop(slot);
	close(pair[1]);
}

static void level_repeats_and_can_be_taken_away(void)
{
	struct brink__slot *slot;
	int pipe_fds[2];

	CHECK(pipe(pipe_fds) == 0);
	slot = add(pipe_fds[0], BRINK_READ, true);
	CHECK(silent());
	put(pipe_fds[1]);
	for (int i = 0; i < 5; i++)
		CHECK(report(slot) == BRINK_READ);
	slot->open = 0;
	ops->arm(ring, slot);
	CHECK(silent());
	slot->open = BRINK_READ;
	ops->arm(ring, slot);
	CHECK(report(slot) == BRINK_READ);
	get(pipe_fds[0]);
	CHECK(silent());
	close(pipe_fds[1]);
	CHECK(report(slot) & BRINK_EOF);
	CHECK(report(slot) & BRINK_EOF);
	slot->open = 0;
	ops->arm(ring, slot);
	CHECK(silent());
	drop(slot);
	close(pipe_fds[0]);
}

#define MANY 100

static void more_than_the_queues_hold(void)
{
	struct brink__event events[7];
	struct brink__slot *slots[MANY];
	int fds[MANY][2];
	int seen[MANY] = {0};
	int total = 0;

	for (int i = 0; i < MANY; i++) {
		CHECK(pipe(fds[i]) == 0);
		put(fds[i][1]);
		slots[i] = add(fds[i][0], BRINK_READ, false);
	}
	while (total < MANY) {
		int count = await(events, 7, LONG);

		CHECK(count > 0 && count <= 7);
		if (count <= 0)
			break;
		for (int i = 0; i < count; i++)
			for (int k = 0; k < MANY; k++)
				seen[k] += events[i].slot == slots[k];
		total += count;
	}
	CHECK(silent());
	for (int i = 0; i < MANY; i++) {
		CHECK(seen[i] == 1);
		get(fds[i][0]);
		ops->arm(ring, slots[i]);
	}
	CHECK(silent()); /* now all are in flight */
	for (int i = 0; i < MANY; i++)
		put(fds[i][1]);
	for (int i = 0; i < MANY / 2; i++)
		drop(slots[i]); /* with completions of the others arriving meanwhile */
	for (total = 0; total < MANY / 2; total++)
		if (await(events, 1, LONG) != 1 || (events[0].slot->token == 0))
			break;
	CHECK(total == MANY / 2);
	CHECK(silent());
	for (int i = MANY / 2; i < MANY; i++)
		drop(slots[i]);
	for (int i = 0; i < MANY; i++) {
		close(fds[i][0]);
		close(fds[i][1]);
	}
}

static void level_slots_starve_nobody(void)
{
	struct brink__event event;
	struct brink__slot *slots[5];
	int seen[5] = {0};
	int fds[5][2];

	for (int i = 0; i < 5; i++) {
		CHECK(pipe(fds[i]) == 0);
		put(fds[i][1]);
		slots[i] = add(fds[i][0], BRINK_READ, true);
	}
	for (int i = 0; i < 100; i++) {
		CHECK(await(&event, 1, LONG) == 1);
		for (int k = 0; k < 5; k++)
			seen[k] += event.slot == slots[k];
	}
	for (int i = 0; i < 5; i++) {
		CHECK(seen[i] >= 10);
		drop(slots[i]);
		close(fds[i][0]);
		close(fds[i][1]);
	}
}

static void removal_lets_go_of_the_file(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof address;
	struct brink__slot *slot;
	int pair[2];
	int listener;

	for (int i = 0; i < 20; i++) {
		tcp_pair(pair);
		slot = add(pair[1], i % 2 == 0 ? BRINK_READ : BRINK_READ | BRINK_WRITE, i % 3 == 0);
		CHECK(i % 2 == 0 ? silent() : report(slot) == BRINK_WRITE);
		if (i % 4 < 2) {
			drop(slot);
			close(pair[1]);
		} else {
			close(pair[1]);
			drop(slot);
		}
		CHECK(at_end(pair[0]));
		close(pair[0]);
	}
	for (int i = 0; i < 20; i++) {
		listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		CHECK(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 1) == 0);
		getsockname(listener, (struct sockaddr *)&address, &length); /* and this port again */
		slot = add(listener, BRINK_READ, false);
		CHECK(silent());
		drop(slot);
		close(listener);
	}
}

/* So many have come at once that the completion queue has no room for them, and an enter takes only a part. */
static void removal_lets_go_in_a_crowd(void)
{
	struct brink__slot *slots[MANY], *slot;
	int fds[MANY][2];
	int pair[2];

	for (int i = 0; i < MANY; i++) {
		CHECK(pipe(fds[i]) == 0);
		slots[i] = add(fds[i][0], BRINK_READ, false);
	}
	tcp_pair(pair);
	slot = add(pair[1], BRINK_READ, false);
	CHECK(silent());
	for (int i = 0; i < MANY; i++)
		put(fds[i][1]);
	drop(slot);
	close(pair[1]);
	CHECK(at_end(pair[0]));
	close(pair[0]);
	for (int i = 0; i < MANY; i++) {
		drop(slots[i]);
		close(fds[i][0]);
		CHECK(write(fds[i][1], "x", 1) == -1 && errno == EPIPE);
		close(fds[i][1]);
	}
}

/* The other side is written to all the while, so that removals meet completions that are
 * just being made on another processor. */
static void *write_on(void *fds)
{
	for (int i = 0; i < 200; i++)
		while (write(((int *)fds)[i], "x", 1) != 1)
			;
	return NULL;
}

static void removal_races_with_completion(void)
{
	struct brink__slot *slots[200];
	int near[200], far[200];
	pthread_t writer;

	for (int i = 0; i < 200; i++) {
		int pair[2];

		CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
		near[i] = pair[0];
		far[i] = pair[1];
		slots[i] = add(near[i], BRINK_READ, false);
	}
	CHECK(ops->flush(ring) == 0);
	CHECK(pthread_create(&writer, NULL, write_on, far) == 0);
	for (int i = 0; i < 200; i++)
		drop(slots[i]);
	CHECK(pthread_join(writer, NULL) == 0);
	for (int i = 0; i < 200; i++) {
		char byte;
		ssize_t n;

		close(near[i]);
		n = recv(far[i], &byte, 1, MSG_DONTWAIT); /* reset: the byte was not read */
		CHECK(n == 0 || (n == -1 && errno == ECONNRESET));
		close(far[i]);
	}
	CHECK(silent());
}

static void stale_completions_are_dropped(void)
{
	struct brink__event event;
	struct brink__slot *slot, *other;
	int a[2], b[2];

	CHECK(pipe(a) == 0 && pipe(b) == 0);
	put(a[1]);
	put(b[1]);
	slot = add(a[0], BRINK_READ, false);
	other = add(b[0], BRINK_READ, false);
	CHECK(await(&event, 1, LONG) == 1); /* the second one's completion stays behind */
	slot = event.slot == slot ? other : slot;
	drop(slot);
	get(slot == other ? b[0] : a[0]);
	slot = add(slot == other ? b[0] : a[0], BRINK_READ, false); /* the same number again */
	CHECK(silent());
	drop(slot);
	drop(event.slot);
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

/* What was ready when its completion was made, but no longer is, is no event, and what comes
 * after it is one. */
static void readiness_that_is_over_is_no_event(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof address;
	struct brink__slot *slot;
	int pair[2], pipe_fds[2];

	for (int level = 0; level < 2; level++) {
		CHECK(pipe(pipe_fds) == 0);
		slot = add(pipe_fds[0], BRINK_READ, level);
		CHECK(silent());
		put(pipe_fds[1]);
		get(pipe_fds[0]);
		CHECK(silent());
		put(pipe_fds[1]);
		CHECK(report(slot) == BRINK_READ);
		drop(slot);
		close(pipe_fds[0]);
		close(pipe_fds[1]);
	}
	for (int i = 0; i < 2; i++)
		pair[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CHECK(bind(pair[0], (struct sockaddr *)&address, length) == 0);
	getsockname(pair[0], (struct sockaddr *)&address, &length);
	CHECK(connect(pair[1], (struct sockaddr *)&address, length) == 0);
	slot = add(pair[1], BRINK_READ, false);
	CHECK(silent());
	close(pair[0]);
	for (int i = 0; i < 3; i++) {
		put(pair[1]);
		CHECK(poll(&(struct pollfd){pair[1], POLLIN, 0}, 1, 60000) == 1);
		CHECK(send(pair[1], "x", 1, 0) == -1 && errno == ECONNREFUSED); /* which takes the error */
		CHECK(silent());
	}
	put(pair[1]);
	CHECK(report(slot) & BRINK_ERROR);
	drop(slot);
	close(pair[1]);
}

static void closed_without_removal_is_contained(void)
{
	struct brink__slot *slot;
	int a[2], b[2];

	CHECK(pipe(a) == 0);
	slot = add(a[0], BRINK_READ, false);
	close(a[0]); /* before the kernel heard of it */
	CHECK(silent());
	drop(slot);
	CHECK(pipe(b) == 0);
	slot = add(b[0], BRINK_READ, true);
	CHECK(silent());
	CHECK(dup2(a[1], b[0]) == b[0]); /* in flight; the number is another file's now */
	drop(slot);
	CHECK(write(b[1], "x", 1) == -1 && errno == EPIPE);
	CHECK(fcntl(b[0], F_GETFD) >= 0);
	close(a[1]);
	close(b[0]);
	close(b[1]);
}

/* The peer has half-closed and reads nothing: waiting for room must neither spin nor miss it. */
static void wait_for_room(int pair[2], bool level)
{
	static char bytes[1 << 16];
	struct brink__event event;
	struct brink__slot *slot;
	int returns = 0;

	shutdown(pair[0], SHUT_WR);
	do
		while (send(pair[1], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
			;
	while (poll(&(struct pollfd){pair[1], POLLOUT, 0}, 1, 20) > 0);
	slot = add(pair[1], BRINK_WRITE, level);
	for (int64_t end = now() + 50 * MILLISECOND; now() < end; returns++)
		CHECK(ops->wait(ring, &event, 1, 10 * MILLISECOND) <= 0);
	CHECK(returns < 100);
	for (int i = 0; i < 3; i++) {
		while (recv(pair[0], bytes, sizeof bytes, MSG_DONTWAIT) > 0 ||
		       poll(&(struct pollfd){pair[0], POLLIN, 0}, 1, 20) > 0)
			;
		CHECK(report(slot) == BRINK_WRITE);
		ops->arm(ring, slot);
		CHECK(report(slot) == BRINK_WRITE);
		do
			while (send(pair[1], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
				;
		while (poll(&(struct pollfd){pair[1], POLLOUT, 0}, 1, 20) > 0);
		for (int k = 0; k < 50 && await(&event, 1, 20 * MILLISECOND) == 1; k++)
			CHECK(event.ready == BRINK_WRITE); /* what had been reported before it was full */
		ops->arm(ring, slot);
		if (!silent())
			ops->arm(ring, slot); /* TCP has found more room after all */
	}
	drop(slot);
	close(pair[1]);
	while (recv(pair[0], bytes, sizeof bytes, 0) > 0)
		;
	CHECK(at_end(pair[0]));
	close(pair[0]);
}

static void writer_to_a_half_closed_peer(void)
{
	int pair[2];

	for (int level = 0; level < 2; level++) {
		tcp_pair(pair);
		wait_for_room(pair, level);
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
		wait_for_room(pair, level);
	}
}

static void on_alarm(int number)
{
	(void)number;
}

static void timeouts_and_signals(void)
{
	const struct itimerval soon = {.it_value.tv_usec = 20000};
	const int64_t endless[] = {-1, INT64_MAX, INT64_MAX / 4, INT64_MAX / 4 + 1};
	struct sigaction action = {.sa_handler = on_alarm};
	struct sigaction before;
	struct brink__event event;
	int64_t start;

	CHECK(ops->wait(ring, &event, 1, 0) == 0);
	for (int64_t timeout = 1; timeout < 50 * MILLISECOND; timeout *= 7) {
		start = now();
		CHECK(ops->wait(ring, &event, 1, timeout) == 0);
		CHECK(now() - start >= timeout);
	}
	sigaction(SIGALRM, &action, &before);
	for (size_t i = 0; i < sizeof endless / sizeof endless[0]; i++) {
		setitimer(ITIMER_REAL, &soon, NULL);
		CHECK(ops->wait(ring, &event, 1, endless[i]) == -EINTR);
	}
	sigaction(SIGALRM, &before, NULL);
}

static void *write_later(void *fd)
{
	usleep(20000);
	put(*(int *)fd);
	return NULL;
}

static void host_polls_the_descriptor(void)
{
	struct pollfd host = {ops->fd(ring), POLLIN, 0};
	struct brink__slot *slot;
	pthread_t writer;
	int64_t start;
	int pipe_fds[2];

	CHECK(fcntl(host.fd, F_GETFD) == FD_CLOEXEC);
	CHECK(pipe(pipe_fds) == 0);
	slot = add(pipe_fds[0], BRINK_READ, false);
	for (int i = 0; i < 5; i++) {
		CHECK(ops->flush(ring) == 0);
		CHECK(poll(&host, 1, 0) == 0);
		start = now();
		CHECK(pthread_create(&writer, NULL, write_later, &pipe_fds[1]) == 0);
		CHECK(poll(&host, 1, 60000) == 1);
		CHECK(now() - start < LONG / 2); /* woken, and not found at the end */
		CHECK(pthread_join(writer, NULL) == 0);
		CHECK(report(slot) == BRINK_READ);
		get(pipe_fds[0]);
		ops->arm(ring, slot);
	}
	put(pipe_fds[1]); /* readable before it is flushed */
	CHECK(ops->flush(ring) == 1);
	CHECK(report(slot) == BRINK_READ);
	drop(slot);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* A kernel short of memory: the host does not sleep, and the wait that follows tries again;
 * what was dropped is made good by a new ring. */
static void kernel_without_memory(void)
{
	static const int passing[] = {-EINTR, -EAGAIN, -EBUSY};
	struct brink__slot *slot;
	int pipe_fds[2];

	CHECK(pipe(pipe_fds) == 0);
	slot = add(pipe_fds[0], BRINK_READ, false);
	for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
		enter_answer = passing[i];
		CHECK(ops->flush(ring) == 0);
		enter_refusal = passing[i];
		CHECK(ops->flush(ring) == 1);
		enter_refusal = 0;
		CHECK(ops->flush(ring) == 0 && !renew);
	}
	enter_answer = -EBADR;
	CHECK(ops->flush(ring) == 1 && renew);
	renew = false;
	CHECK(ops->flush(ring) == 0);
	enter_answer = -EIO;
	CHECK(ops->flush(ring) == -EIO && !renew);
	put(pipe_fds[1]);
	CHECK(report(slot) == BRINK_READ);
	get(pipe_fds[0]);
	ops->arm(ring, slot);
	CHECK(silent());
	enter_answer = -EBADR;
	drop(slot);
	CHECK(renew);
	renew = false;
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* A stream must not have a hole: where the kernel has dropped the answer to one that receives, it fails. */
static void stream_whose_answer_is_dropped(void)
{
	struct brink__stream stream = {.end = BRINK__STREAM_GOES_ON};
	struct brink__slot *slot, *other;
	int pair[2], pipe_fds[2];
	bool receives;

	ops->close(ring);
	receive_buffers = 16;
	CHECK(open_ring(entries) == 0);
	receive_buffers = 0;
	receives = ops->moves(ring) & BRINK_FEATURE_RECEIVE;
	tcp_pair(pair);
	CHECK(pipe(pipe_fds) == 0);
	other = add(pipe_fds[0], BRINK_READ, false);
	slot = add(pair[1], BRINK_READ, false);
	CHECK(brink__stream_attach(&table, pair[1], &stream) == 0);
	CHECK(silent());
	put(pair[0]);
	close(pair[0]);
	enter_drops = true;
	drop(other);
	CHECK(renew);
	renew = false;
	ops->close(ring); /* as a renewal does */
	CHECK(stream.end == (receives ? -EIO : BRINK__STREAM_GOES_ON));
	brink__stream_detach(&table, pair[1], &stream);
	slot->token = 0;
	close(pair[1]);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	CHECK(open_ring(entries) == 0);
}

/* The kernel takes a write only when its bytes, and its descriptor, may be another's. */
static void what_was_removed_is_not_sent(void)
{
	struct brink__stream stream = {.end = BRINK__STREAM_GOES_ON, .out = "late", .out_size = 4};
	struct brink__slot *slot;
	int pair[2];

	tcp_pair(pair);
	slot = add(pair[1], BRINK_WRITE, false);
	CHECK(brink__stream_attach(&table, pair[1], &stream) == 0);
	enter_refusal = -EAGAIN;
	CHECK(ops->flush(ring) == 1);
	drop(slot);
	brink__stream_detach(&table, pair[1], &stream);
	enter_refusal = 0;
	CHECK(silent());
	CHECK(poll(&(struct pollfd){pair[0], POLLIN, 0}, 1, 0) == 0);
	renew = false;
	close(pair[0]);
	close(pair[1]);
}

static void *adopt(void *rc)
{
	*(int *)rc = ops->adopt(ring);
	return NULL;
}

static void changes_hands_only_before_it_runs(void)
{
	struct brink__event event;
	pthread_t other;
	int rc = 1;

	CHECK(pthread_create(&other, NULL, adopt, &rc) == 0 && pthread_join(other, NULL) == 0);
	CHECK(rc == 0);
	CHECK(ops->wait(ring, &event, 1, 0) == 0);
	CHECK(pthread_create(&other, NULL, adopt, &rc) == 0 && pthread_join(other, NULL) == 0);
	CHECK(rc == -EXDEV);
}

static void closing_lets_go_of_all_files(void)
{
	int pairs[MANY][2];

	for (int i = 0; i < MANY; i++) {
		tcp_pair(pairs[i]);
		add(pairs[i][1], BRINK_READ, false);
	}
	CHECK(silent());
	ops->close(ring);
	for (int i = 0; i < MANY; i++) {
		close(pairs[i][1]);
		if ((refused_flags & IORING_SETUP_SUBMIT_ALL) == 0)
			CHECK(at_end(pairs[i][0]));
		close(pairs[i][0]);
	}
	CHECK(open_ring(entries) == 0);
}

/* The child lets go of the ring, or stops a watch, or merely lives on with it mapped. */
static void forked_child_does_not_disturb(void)
{
	struct brink__slot *slot, *other;
	int pair[2], pipe_fds[2], hold[2];
	int status = -1;
	pid_t child;

	tcp_pair(pair);
	CHECK(pipe(pipe_fds) == 0 && pipe(hold) == 0);
	slot = add(pair[1], BRINK_READ, false);
	other = add(pipe_fds[0], BRINK_READ, false);
	CHECK(silent());
	fflush(stdout);
	child = fork();
	if (child == 0) {
		ops->remove(ring, other);
		ops->close(ring);
		_exit(failures != 0);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	put(pair[0]);
	CHECK(report(slot) == BRINK_READ);
	put(pipe_fds[1]);
	CHECK(report(other) == BRINK_READ);
	get(pair[1]);
	ops->arm(ring, slot);
	CHECK(silent());
	child = fork();
	if (child == 0) {
		char byte;

		close(pair[1]);
		close(hold[1]);
		_exit(read(hold[0], &byte, 1) != 0);
	}
	close(hold[0]);
	ops->close(ring);
	close(pair[1]);
	CHECK(poll(&(struct pollfd){pair[0], POLLIN, 0}, 1, 60000) == 1 && at_end(pair[0]));
	close(hold[1]);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(open_ring(entries) == 0);
	close(pair[0]);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* ---- opening ---- */

static int lowest_free(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void refusals_are_passed_on(void)
{
	const int answers[] = {-ENOSYS, -EPERM, -ENOMEM};
	const unsigned features[] = {IORING_FEAT_NODROP, IORING_FEAT_EXT_ARG, IORING_FEAT_RSRC_TAGS};
	const int before = lowest_free();
	struct rlimit limit, none;

	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		refusal = answers[i];
		CHECK(open_ring(8) == answers[i]);
	}
	refusal = 0;
	for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
		lacked_features = features[i];
		CHECK(open_ring(8) == -ENOSYS);
	}
	lacked_features = 0;
	CHECK(open_ring(1u << 20) == -EINVAL);
	getrlimit(RLIMIT_NOFILE, &limit);
	none = (struct rlimit){(rlim_t)before, limit.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	CHECK(open_ring(8) == -EMFILE);
	setrlimit(RLIMIT_NOFILE, &limit);
	CHECK(lowest_free() == before);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{"reports once, and looks at the level when armed", reports_once_and_looks_at_the_level},
	{"directions are independent; end and error", directions_are_independent},
	{"level: repeats, and can be taken away", level_repeats_and_can_be_taken_away},
	{"level: starves nobody", level_slots_starve_nobody},
	{"more requests and completions than the queues hold", more_than_the_queues_hold},
	{"remove lets go of the file", removal_lets_go_of_the_file},
	{"remove in a crowd lets go of the file", removal_lets_go_in_a_crowd},
	{"remove while another processor completes", removal_races_with_completion},
	{"stale completions are dropped", stale_completions_are_dropped},
	{"readiness that is over is no event", readiness_that_is_over_is_no_event},
	{"closed without remove", closed_without_removal_is_contained},
	{"a writer whose peer has half-closed", writer_to_a_half_closed_peer},
	{"timeouts and signals", timeouts_and_signals},
	{"a host polls the descriptor", host_polls_the_descriptor},
	{"a kernel without memory", kernel_without_memory},
	{"a stream whose answer is dropped fails", stream_whose_answer_is_dropped},
	{"what was removed is not sent", what_was_removed_is_not_sent},
	{"changes hands only before it runs", changes_hands_only_before_it_runs},
	{"close lets go of all files", closing_lets_go_of_all_files},
	{"a forked child does not disturb", forked_child_does_not_disturb},
};

static const struct {
	const char *name;
	unsigned refused;
} kinds[] = {
	{"deferred", 0},
	{"cooperative", IORING_SETUP_DEFER_TASKRUN},
	{"plain", IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL},
};

static int passed, failed, skipped;

static void verdict(const char *name, const char *kind)
{
	printf("%s %s (%s, %u entries)\n", failures == 0 ? "ok  " : "FAIL", name, kind, entries);
	failures == 0 ? passed++ : failed++;
	failures = 0;
}

/* Those whose name contains `match`. */
static void run_all(const char *match)
{
	for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
		for (entries = 1; entries <= 64; entries *= 64)
			for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
				const int before = lowest_free();

				if (strstr(tests[i].name, match) == NULL)
					continue;
				refused_flags = kinds[k].refused;
				CHECK(open_ring(entries) == 0);
				tests[i].run();
				ops->close(ring);
				CHECK(lowest_free() == before);
				verdict(tests[i].name, kinds[k].name);
			}
	refused_flags = 0;
	refusals_are_passed_on();
	verdict("refusals are passed on", "no ring");
}

int main(int argc, char **argv)
{
	int rc;

	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(500); /* for hangs */
	signal(SIGPIPE, SIG_IGN);
	rc = open_ring(1);
	if (rc < 0) {
		printf("skip all: the kernel refuses io_uring: %s\n", strerror(-rc));
		skipped = 1;
	} else {
		ops->close(ring);
		run_all(argc > 1 ? argv[1] : "");
	}
	brink__table_free(&table);
	printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
	return failed != 0;
}
