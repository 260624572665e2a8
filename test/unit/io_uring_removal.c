/* What the io_uring backend lets go of, and what is left of it in the kernel. */
#include "config.h"

#include "io_uring.h"
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

void removal_lets_go_of_the_file(void)
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
void removal_lets_go_in_a_crowd(void)
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

void removal_races_with_completion(void)
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

void stale_completions_are_dropped(void)
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

void closed_without_removal_is_contained(void)
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

/* The kernel takes a write only when its bytes, and its descriptor, may be another's. */
void what_was_removed_is_not_sent(void)
{
	struct brink__stream stream = {.end = BRINK__STREAM_GOES_ON, .out = "late", .out_size = 4};
	struct brink__slot *slot;
	int pair[2];

	tcp_pair(pair);
	slot = add(pair[1], BRINK_WRITE, false);
	CHECK(brink__stream_attach(&descriptors, pair[1], &stream) == 0);
	enter_refusal = -EAGAIN;
	CHECK(ops->flush(ring) == 1);
	drop(slot);
	brink__stream_detach(&descriptors, pair[1], &stream);
	enter_refusal = 0;
	CHECK(silent());
	CHECK(poll(&(struct pollfd){pair[0], POLLIN, 0}, 1, 0) == 0);
	renew = false;
	close(pair[0]);
	close(pair[1]);
}

/* Who removes a slot learns what its write came to, though no wait has taken the answer. */
void what_was_sent_is_known(void)
{
	struct brink__stream stream = {.end = BRINK__STREAM_GOES_ON, .out = "early", .out_size = 5};
	struct brink__slot *slot;
	int pair[2];
	char bytes[8];

	tcp_pair(pair);
	slot = add(pair[1], BRINK_WRITE, false);
	CHECK(brink__stream_attach(&descriptors, pair[1], &stream) == 0);
	CHECK(ops->flush(ring) == 1);
	CHECK(stream.sent == BRINK__STREAM_UNSENT);
	drop(slot);
	CHECK(stream.sent == 5 && stream.out == NULL);
	brink__stream_detach(&descriptors, pair[1], &stream);
	CHECK(recv(pair[0], bytes, sizeof bytes, MSG_DONTWAIT) == 5);
	close(pair[0]);
	close(pair[1]);
}

void closing_lets_go_of_all_files(void)
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
