/* What the io_uring backend reports of a descriptor, and when. */
#include "config.h"

#include "io_uring.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

void reports_once_and_looks_at_the_level(void)
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

void directions_are_independent(void)
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

void level_repeats_and_can_be_taken_away(void)
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

void more_than_the_queues_hold(void)
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

void level_slots_starve_nobody(void)
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

/* What was ready when its completion was made, but no longer is, is no event, and what comes
 * after it is one. */
void readiness_that_is_over_is_no_event(void)
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

void writer_to_a_half_closed_peer(void)
{
	int pair[2];

	for (int level = 0; level < 2; level++) {
		tcp_pair(pair);
		wait_for_room(pair, level);
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
		wait_for_room(pair, level);
	}
}
