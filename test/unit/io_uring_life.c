/* The io_uring backend beside signals, hosts, other threads and processes, and on a kernel that lacks memory. */
#include "config.h"

#include "io_uring.h"
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_alarm(int number)
{
	(void)number;
}

void timeouts_and_signals(void)
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

void host_polls_the_descriptor(void)
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
void kernel_without_memory(void)
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
void stream_whose_answer_is_dropped(void)
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
	CHECK(brink__stream_attach(&descriptors, pair[1], &stream) == 0);
	CHECK(silent());
	put(pair[0]);
	close(pair[0]);
	enter_drops = true;
	drop(other);
	CHECK(renew);
	renew = false;
	ops->close(ring); /* as a renewal does */
	CHECK(stream.end == (receives ? -EIO : BRINK__STREAM_GOES_ON));
	brink__stream_detach(&descriptors, pair[1], &stream);
	slot->token = 0;
	close(pair[1]);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	CHECK(open_ring(entries) == 0);
}

#define CROWD 40

/* A byte for each; how many of them were received for their streams, the others being told to read. */
static unsigned receive_all(int pairs[CROWD][2], struct brink__stream *streams)
{
	struct brink__event events[CROWD];
	unsigned count = 0;

	for (int i = 0; i < CROWD; i++)
		put(pairs[i][0]);
	for (int left = CROWD, n; left > 0; left -= n) {
		n = await(events, left, LONG);
		if (n <= 0)
			break;
	}
	for (int i = 0; i < CROWD; i++) {
		struct brink__piece *piece = streams[i].first;

		if (piece == NULL) {
			get(pairs[i][1]);
			continue;
		}
		CHECK(streams[i].size == 1 && piece->next == NULL);
		brink__piece_drop(piece);
		streams[i].first = NULL;
		streams[i].size = 0;
		count++;
	}
	return count;
}

/* Who finds no buffer reads by himself, and there are twice as many from then on. Each that is used is replaced, also
 * where no request is made anew. */
void buffers_run_out(void)
{
	struct brink__stream streams[CROWD] = {{.first = NULL}};
	struct brink__slot *slots[CROWD];
	int pairs[CROWD][2];

	ops->close(ring);
	receive_buffers = 64;
	CHECK(open_ring(64) == 0);
	receive_buffers = 0;
	for (int i = 0; i < CROWD; i++) {
		tcp_pair(pairs[i]);
		slots[i] = add(pairs[i][1], BRINK_READ, false);
		streams[i].end = BRINK__STREAM_GOES_ON;
		CHECK(brink__stream_attach(&descriptors, pairs[i][1], &streams[i]) == 0);
	}
	CHECK(silent());
	if (ops->moves(ring) & BRINK_FEATURE_RECEIVE) {
		for (int round = 0; round < 6; round++) { /* for 16, 32, and from then on 64 of them */
			unsigned received = receive_all(pairs, streams);

			CHECK(round < 2 || received == CROWD);
			for (int i = 0; i < CROWD; i++)
				ops->arm(ring, slots[i]);
			CHECK(silent());
		}
	}
	for (int i = 0; i < CROWD; i++) {
		drop(slots[i]);
		brink__stream_detach(&descriptors, pairs[i][1], &streams[i]);
		close(pairs[i][0]);
		close(pairs[i][1]);
	}
}

/* A connection, on a ring that receives for it. */
static struct brink__slot *open_stream(int pair[2], struct brink__stream *stream)
{
	struct brink__slot *slot;

	*stream = (struct brink__stream){.end = BRINK__STREAM_GOES_ON};
	ops->close(ring);
	receive_buffers = 16;
	CHECK(open_ring(entries) == 0);
	tcp_pair(pair);
	slot = add(pair[1], BRINK_READ, false);
	CHECK(brink__stream_attach(&descriptors, pair[1], stream) == 0);
	CHECK(silent());
	return slot;
}

static void close_stream(struct brink__slot *slot, int pair[2], struct brink__stream *stream)
{
	receive_buffers = 0;
	drop(slot);
	brink__stream_detach(&descriptors, pair[1], stream);
	close(pair[0]);
	close(pair[1]);
}

/* A stream that is disarmed receives no more until it is armed; one that is wanted goes on. */
void disarmed_receives_no_more(void)
{
	struct brink__stream stream;
	int pair[2];
	struct brink__slot *slot = open_stream(pair, &stream);
	char bytes[4];

	ops->disarm(ring, slot);
	CHECK(silent());
	put(pair[0]);
	CHECK(report(slot) == BRINK_READ);
	if (stream.receiving) {
		slot->open = 0;
		ops->disarm(ring, slot);
		CHECK(slot->armed == 0);
		CHECK(silent() && !stream.receiving);
		put(pair[0]);
		CHECK(silent() && stream.size == 1);
		slot->open = BRINK_READ;
		ops->arm(ring, slot);
		CHECK(report(slot) == BRINK_READ); /* of the first, which is still there */
		CHECK(recv(pair[1], bytes, sizeof bytes, 0) == 1);
		brink__piece_drop(stream.first);
	}
	close_stream(slot, pair, &stream);
}

/* What has come of moves, and was not taken so far, is reported by the next ring, and is still what it was. */
void what_was_moved_is_reported(void)
{
	struct brink__stream stream;
	int pair[2];
	struct brink__slot *slot = open_stream(pair, &stream);
	struct brink__event event;
	unsigned ready = 0;
	bool received;

	put(pair[0]);
	stream.out = "bytes";
	stream.out_size = 5;
	slot->open |= BRINK_WRITE;
	ops->arm(ring, slot);
	CHECK(ops->flush(ring) == 1);
	ops->close(ring);
	received = stream.first != NULL;
	CHECK(open_ring(entries) == 0);
	slot->mark = 0;
	slot->armed = 0;
	CHECK(ops->add(ring, slot) == 0);
	for (int i = 0; i < 2 && await(&event, 1, LONG) == 1; i++)
		ready |= event.ready;
	CHECK(ready == (BRINK_READ | BRINK_WRITE));
	CHECK(stream.sent == 5 && stream.out == NULL && stream.end == BRINK__STREAM_GOES_ON);
	CHECK((stream.first != NULL) == received && stream.size == received);
	if (received)
		brink__piece_drop(stream.first);
	close_stream(slot, pair, &stream);
}

/* At rest nothing is received; with the next wait it goes on. */
void rests_and_goes_on(void)
{
	struct brink__stream stream;
	int pair[2];
	struct brink__slot *slot = open_stream(pair, &stream);
	struct brink__event event;

	if (stream.receiving) {
		CHECK(ops->rest(ring, &event, 1) == 0);
		CHECK(!stream.receiving);
		CHECK(silent());
		CHECK(stream.receiving && !stream.over);
		put(pair[0]);
		CHECK(report(slot) == BRINK_READ);
		CHECK(stream.size == 1);
		if (stream.first != NULL)
			brink__piece_drop(stream.first);
	}
	close_stream(slot, pair, &stream);
}

static void *adopt(void *rc)
{
	*(int *)rc = ops->adopt(ring);
	return NULL;
}

void changes_hands_only_before_it_runs(void)
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

/* The child lets go of the ring, or stops a watch, or merely lives on with it mapped. */
void forked_child_does_not_disturb(void)
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
