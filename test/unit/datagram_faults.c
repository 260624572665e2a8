/* Datagram sockets when the system says no: each call of a kind in turn fails with each error that it
 * may have, on every backend; kernels that know no batches, and devices that refuse to cut what was
 * joined. What was taken arrives, once and in order, and nothing is left behind.
 *
 * src/os_datagram.c is compiled into this program, with its system calls renamed to the
 * functions below: see local.mk. */
#undef recvmmsg
#undef recvmsg
#undef sendmmsg
#undef sendmsg
#define _GNU_SOURCE /* recvmmsg() and its like */
#include "config.h"

#include "check.h"

#include <brink.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- faults ---- */

enum call { RECEIVE, SEND, CALLS };

/* As the C library has them: unsigned in musl. */
#define MMSG_FLAGS(flags) \
	_Generic(&sendmmsg, int (*)(int, struct mmsghdr *, unsigned, unsigned): (unsigned)(flags), default: (flags))

#define SHORT (-1) /* for an error: one message is moved */

static struct {
	enum call call;
	int error;
	unsigned k, times; /* the k-th call and those after it; k 0: none */
	unsigned count, struck;
} fault;

static bool no_batches;        /* as a seccomp filter has it */
static size_t joined_limit;    /* larger parts are refused, with joined_error; 0: none */
static int joined_error;
static unsigned joined_refused;

int faulty_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout);
ssize_t faulty_recvmsg(int fd, struct msghdr *message, int flags);
int faulty_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
ssize_t faulty_sendmsg(int fd, const struct msghdr *message, int flags);

static bool strikes(enum call call)
{
	if (fault.k == 0 || call != fault.call || ++fault.count < fault.k || fault.count >= fault.k + fault.times)
		return false;
	fault.struck++;
	errno = fault.error;
	return fault.error != SHORT;
}

static bool refuses_joined(const struct msghdr *message)
{
	if (joined_limit == 0 || message->msg_iovlen < 2 || message->msg_iov[0].iov_len < joined_limit)
		return false;
	joined_refused++;
	errno = joined_error;
	return true;
}

int faulty_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
	if (no_batches) {
		errno = ENOSYS;
		return -1;
	}
	if (strikes(RECEIVE))
		return -1;
	return recvmmsg(fd, messages, fault.call == RECEIVE && fault.error == SHORT ? 1 : count, MMSG_FLAGS(flags),
	                timeout);
}

ssize_t faulty_recvmsg(int fd, struct msghdr *message, int flags)
{
	return !(flags & MSG_ERRQUEUE) && strikes(RECEIVE) ? -1 : recvmsg(fd, message, flags);
}

int faulty_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	if (no_batches) {
		errno = ENOSYS;
		return -1;
	}
	if (strikes(SEND) || refuses_joined(&messages[0].msg_hdr))
		return -1;
	for (unsigned i = 1; i < count; i++)
		if (refuses_joined(&messages[i].msg_hdr))
			count = i;
	return sendmmsg(fd, messages, fault.call == SEND && fault.error == SHORT ? 1 : count, MMSG_FLAGS(flags));
}

ssize_t faulty_sendmsg(int fd, const struct msghdr *message, int flags)
{
	return strikes(SEND) || refuses_joined(message) ? -1 : sendmsg(fd, message, flags);
}

static long blocks;

static void *allocate(void *block, size_t size, void *context)
{
	(void)context;
	if (size == 0) {
		blocks -= block != NULL;
		free(block);
		return NULL;
	}
	blocks += block == NULL;
	return realloc(block, size);
}

/* ---- two sockets ---- */

#define BATCH 40u
#define BATCHES 4u
#define ALL (BATCH * BATCHES)
#define LONG 3000u /* more than is sent in a turn */

static const char *backend;

static struct play {
	brink_loop *loop;
	brink_datagram *sender, *receiver;
	struct brink_address to;
	unsigned numbers[LONG], taken; /* of those that were taken, in order */
	unsigned got, errors, lost, writables;
} play;

/* Runs of one size, so that there is something to join. */
static size_t size_of(unsigned number)
{
	return number >= ALL ? 8 : number % 11 == 10 ? 0 : number / 7 % 3 == 0 ? 1200 : 300;
}

static void on_packets(brink_datagram *socket, const struct brink_packet *packets, unsigned count, void *arg)
{
	unsigned number;

	(void)socket;
	(void)arg;
	for (unsigned i = 0; i < count; i++) {
		CHECK(play.got < play.taken);
		CHECK(packets[i].size == size_of(play.numbers[play.got]) && packets[i].flags == 0);
		if (packets[i].size > 0) {
			memcpy(&number, packets[i].bytes, sizeof number);
			CHECK(number == play.numbers[play.got]);
		}
		play.got++;
	}
}

static void on_error(brink_datagram *socket, int error, const struct brink_address *to, void *arg)
{
	(void)arg;
	CHECK(error == -fault.error);
	play.errors++;
	if (socket != play.sender)
		return;
	CHECK(to != NULL && brink_address_equal(to, &play.to));
	/* A queued one, the first that has not come. */
	play.lost++;
	play.taken--;
	memmove(&play.numbers[play.got], &play.numbers[play.got + 1], (LONG - 1 - play.got) * sizeof play.numbers[0]);
}

static void on_writable(brink_datagram *socket, void *arg)
{
	(void)socket;
	(void)arg;
	play.writables++;
}

static void begin(unsigned flags)
{
	struct brink_datagram_options options = {.address = "127.0.0.1:0", .on_packets = on_packets,
		.on_error = on_error, .on_writable = on_writable, .receive_buffer = 1 << 20, .flags = flags};

	play = (struct play){.got = 0};
	CHECK(brink_loop_create(&play.loop, &(struct brink_loop_options){.backend = backend}) == 0);
	CHECK(brink_datagram_create(&play.receiver, play.loop, &options) == 0);
	CHECK(brink_datagram_create(&play.sender, play.loop, &options) == 0);
	brink_datagram_address(play.receiver, &play.to);
}

static void end(void)
{
	brink_datagram_destroy(play.sender);
	brink_datagram_destroy(play.receiver);
	CHECK(brink_loop_destroy(play.loop) == 0);
	CHECK(blocks == 0);
}

static void turn_until_all_came(void)
{
	for (unsigned turns = 0; play.got < play.taken || brink_datagram_queued(play.sender) > 0; turns++) {
		CHECK(brink_loop_run_once(play.loop, (int64_t)BRINK_MS(100)) >= 0);
		CHECK(turns < 1000);
	}
}

/* One batch. What is refused is not sent again, but told by the result. */
static void send_batch(unsigned first)
{
	static unsigned char bytes[BATCH][1200];
	struct brink_packet packets[BATCH];
	unsigned done = 0;

	for (unsigned i = 0; i < BATCH; i++) {
		unsigned number = first + i;

		memcpy(bytes[i], &number, sizeof number);
		packets[i] = (struct brink_packet){.bytes = bytes[i], .size = size_of(number), .to = &play.to};
	}
	while (done < BATCH) {
		int result = brink_datagram_send_many(play.sender, packets + done, BATCH - done);

		CHECK(result > 0 || result == -fault.error);
		for (int i = 0; i < result; i++)
			play.numbers[play.taken++] = first + done + (unsigned)i;
		done += result > 0 ? (unsigned)result : 1;
	}
}

static void run(unsigned flags)
{
	begin(flags);
	for (unsigned i = 0; i < BATCHES; i++) {
		send_batch(i * BATCH);
		if (i % 2 == 0)
			turn_until_all_came();
	}
	turn_until_all_came();
}

/* ---- what is checked ---- */

/* How many were lost, with the sender or the network to be told of it. */
static void each_call_fails(enum call call, int error, unsigned times, unsigned flags)
{
	unsigned k;

	for (k = 1;; k++) {
		fault.call = call;
		fault.error = error;
		fault.k = k;
		fault.times = times;
		fault.count = fault.struck = 0;
		run(flags);
		/* Where there is no room it waits; once may be an earlier one's error, and so may the first of a
		 * call after others of it were sent; in no case a datagram is lost untold. */
		if (error == EAGAIN || error == ENOBUFS || error == EINTR || error == SHORT || error == ECONNREFUSED ||
		    times == 1 || call == RECEIVE)
			CHECK(play.taken == ALL && play.lost == 0);
		else if (fault.struck == times)
			CHECK(play.taken == ALL - 1 || (play.taken == ALL && k > 1));
		if (call == RECEIVE && fault.struck > 0 && error != EINTR && error != SHORT)
			CHECK(play.errors > 0);
		else if (call == SEND)
			CHECK(play.errors == play.lost);
		end();
		if (fault.struck < times)
			break;
		CHECK(k < 10000);
	}
	CHECK(k > 1);
	fault.k = 0;
	fault.error = 0;
}

static const unsigned ways[] = {0, BRINK_DATAGRAM_NO_OFFLOAD, BRINK_DATAGRAM_ONE_BY_ONE};
#define WAYS (sizeof ways / sizeof ways[0])

static void sends_fail(void)
{
	static const int errors[] = {EAGAIN, ENOBUFS, EINTR, EPERM, ENETUNREACH, ENOMEM};

	for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++)
		for (unsigned j = 0; j < 2; j++) {
			each_call_fails(SEND, errors[i], 1, ways[j]);
			if (errors[i] != EAGAIN)
				each_call_fails(SEND, errors[i], 2, ways[j]);
		}
	/* Which is always an earlier one's; several come one after the other where other threads send, too. */
	each_call_fails(SEND, ECONNREFUSED, 5, 0);
	passed("sends that fail");
}

/* All of it waits before the loop turns. */
static void a_long_queue(void)
{
	static const unsigned char zeros[4];
	unsigned char bytes[8];

	begin(0);
	fault.call = SEND;
	fault.error = EAGAIN;
	fault.k = fault.times = 1;
	fault.count = fault.struck = 0;
	while (play.taken < LONG) {
		unsigned number = ALL + play.taken;

		memcpy(bytes, &number, sizeof number);
		memcpy(bytes + sizeof number, zeros, sizeof zeros);
		CHECK(brink_datagram_send(play.sender, bytes, sizeof bytes, &play.to) == 0);
		play.numbers[play.taken++] = number;
	}
	fault.k = 0;
	fault.error = 0;
	if (brink_datagram_features(play.sender) & BRINK_DATAGRAM_HAS_GSO) {
		turn_until_all_came(); /* otherwise more than the receiver's buffer holds */
		CHECK(play.got == LONG);
	}
	end();
	passed("a long queue");
}

static void receives_fail(void)
{
	static const int errors[] = {EINTR, ENOMEM, ENOBUFS, ECONNREFUSED};

	for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++)
		for (unsigned j = 0; j < 2; j++) {
			each_call_fails(RECEIVE, errors[i], 1, ways[j]);
			each_call_fails(RECEIVE, errors[i], 20, ways[j]);
		}
	passed("receives that fail");
}

/* Each of the two is one reason for the loop to run, and none while both are let off; also while one tries again. */
static void a_retry_is_no_reason_to_run(void)
{
	unsigned before;

	fault.call = RECEIVE;
	fault.error = ENOBUFS;
	fault.k = 1;
	fault.times = 1000;
	fault.count = fault.struck = 0;
	begin(0);
	send_batch(0);
	while (fault.struck == 0)
		CHECK(brink_loop_run_once(play.loop, (int64_t)BRINK_MS(100)) >= 0);
	before = fault.struck;
	brink_loop_unref(play.loop);
	brink_loop_unref(play.loop);
	CHECK(brink_loop_run(play.loop) == 0);
	CHECK(fault.struck == before);
	brink_loop_ref(play.loop);
	brink_loop_ref(play.loop);
	fault.k = 0;
	turn_until_all_came();
	fault.error = 0;
	end();
	passed("a retry is no reason to run");
}

static void batches_are_cut_short(void)
{
	for (unsigned call = 0; call < CALLS; call++)
		for (unsigned j = 0; j < WAYS; j++) {
			fault.call = call;
			fault.error = SHORT;
			fault.k = 0;
			run(ways[j]);
			CHECK(play.got == ALL);
			end();
		}
	fault.error = 0;
	passed("batches that are cut short");
}

static void batches_are_unknown(void)
{
	no_batches = true;
	for (unsigned j = 0; j < WAYS; j++) {
		run(ways[j]);
		CHECK(play.got == ALL && play.errors == 0);
		CHECK((brink_datagram_features(play.sender) & BRINK_DATAGRAM_HAS_BATCH) == 0);
		CHECK((brink_datagram_features(play.receiver) & BRINK_DATAGRAM_HAS_BATCH) == 0);
		end();
	}
	no_batches = false;
	passed("a kernel that knows no batches");
}

/* `limit` 1: no device of the way can do it. A larger one: what is smaller goes on. */
static void joining_is_refused(size_t limit, int error, bool for_good, unsigned flags)
{
	struct brink_packet_counters counters;

	joined_limit = limit;
	joined_error = error;
	joined_refused = 0;
	run(flags);
	CHECK(play.got == ALL && play.errors == 0);
	brink_datagram_counters(play.sender, &counters);
	if (brink_datagram_features(play.receiver) & BRINK_DATAGRAM_HAS_GSO) {
		CHECK(joined_refused > 0 && joined_refused < 5); /* it is not asked again and again */
		CHECK((counters.joined > 0) == !for_good);
	}
	if (error == EIO)
		CHECK((brink_datagram_features(play.sender) & BRINK_DATAGRAM_HAS_GSO) == 0);
	end();
	joined_limit = 0;
}

static void joining(void)
{
	static const int errors[] = {EIO, EINVAL, EMSGSIZE};

	for (unsigned i = 0; i < 3; i++)
		for (unsigned j = 0; j < WAYS; j += 2) {
			joining_is_refused(1, errors[i], true, ways[j]);
			joining_is_refused(1000, errors[i], errors[i] == EIO, ways[j]);
		}
	passed("a device that does not cut what was joined");
}

int main(void)
{
	static const char *const all[] = {"epoll", "poll", "io_uring"};
	brink_loop *loop;

	brink_set_allocator(allocate, NULL);
	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
		backend = all[i];
		if (brink_loop_create(&loop, &(struct brink_loop_options){.backend = backend}) < 0)
			continue;
		CHECK(brink_loop_destroy(loop) == 0);
		printf("on %s\n", backend);
		sends_fail();
		a_long_queue();
		receives_fail();
		a_retry_is_no_reason_to_run();
		batches_are_cut_short();
		batches_are_unknown();
		joining();
	}
	return finish();
}
