/* What a kqueue does beside that: with several threads, with changes and their receipts, times, and the use that the
 * backend makes of it. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "trace.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct waiter {
	pthread_t thread;
	struct record got;
	bool waits;
};

static int returned; /* waiters that have got something, or waited too long */

static void *run_waiter(void *argument)
{
	struct waiter *waiter = argument;
	struct kevent event;

	__atomic_store_n(&waiter->waits, true, __ATOMIC_SEQ_CST);
	if (call(kq, &event, 0, 1, PATIENCE) == 1)
		record(&waiter->got, &event);
	__atomic_add_fetch(&returned, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void start_waiter(struct waiter *waiter)
{
	*waiter = (struct waiter){ .got = { .text = "-" } };
	if (pthread_create(&waiter->thread, NULL, run_waiter, waiter) != 0)
		fail_here("pthread_create");
	while (!__atomic_load_n(&waiter->waits, __ATOMIC_SEQ_CST))
		poll(NULL, 0, 1);
	poll(NULL, 0, SILENCE); /* now it most likely is in the kernel */
}

/* One event for three that wait; the others then get one each. */
static void play_three_waiters(struct pair pair)
{
	struct waiter waiters[3];
	int woken;

	for (int i = 0; i < 3; i++)
		start_waiter(&waiters[i]);
	__atomic_store_n(&returned, 0, __ATOMIC_SEQ_CST);
	send_bytes(pair.theirs, 1, pair.ours, 3);
	while ((woken = __atomic_load_n(&returned, __ATOMIC_SEQ_CST)) == 0)
		poll(NULL, 0, 1);
	poll(NULL, 0, SILENCE);
	judge_number("25mul.01", __atomic_load_n(&returned, __ATOMIC_SEQ_CST));
	for (int held = 4; woken < 3; held++) {
		int before = woken;

		send_bytes(pair.theirs, 1, pair.ours, held);
		while ((woken = __atomic_load_n(&returned, __ATOMIC_SEQ_CST)) == before)
			poll(NULL, 0, 1);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(waiters[i].thread, NULL);
}

void play_threads(void)
{
	struct pair pair = pipe_pair(), other = pipe_pair();
	struct waiter waiters[1];

	watch(pair.ours, "R");
	start_waiter(&waiters[0]);
	send_bytes(pair.theirs, 1, pair.ours, 1);
	pthread_join(waiters[0].thread, NULL);
	judge("15pip.01", waiters[0].got.text);
	send_bytes(pair.theirs, 1, pair.ours, 2);
	expect("15pip.02");
	send_bytes(other.theirs, 1, other.ours, 1);
	start_waiter(&waiters[0]);
	watch(other.ours, "R");
	pthread_join(waiters[0].thread, NULL);
	judge("15pip.03", waiters[0].got.text);

	close(other.theirs);
	close(other.ours);
	play_three_waiters(pair);
	close_pair(pair);
}

/* ---- receipts ---- */

static void judge_answers(const char *id, const struct kevent *array, int n)
{
	struct record got = { .text = "" };
	char text[sizeof got.text + 32];

	for (int i = 0; i < n; i++)
		say(got.text, sizeof got.text, &array[i]);
	if (n >= 0)
		snprintf(text, sizeof text, "n=%d %s", n, got.text);
	else
		snprintf(text, sizeof text, "n=-1 %s", name_of(errno));
	judge(id, text);
}

/* Four changes, of which the second and the third fail. */
static void four_changes(struct kevent array[8], struct pair pair, unsigned flags)
{
	int closed = dup(pair.ours);

	close(closed);
	array[0] = change(pair.ours, false, EV_ADD | EV_CLEAR | flags, 'a');
	array[1] = change(pair.ours, true, EV_DELETE | flags, 'b');
	array[2] = change(closed, false, EV_ADD | EV_CLEAR | flags, 'c');
	array[3] = change(pair.theirs, true, EV_ADD | EV_CLEAR | flags, 'd');
}

void play_receipts(void)
{
	struct pair pair = unix_pair();
	struct kevent array[8];

	send_bytes(pair.theirs, 3, pair.ours, 3);
	four_changes(array, pair, EV_RECEIPT);
	judge_answers("16rcp.01", array, call(kq, array, 4, 8, 0));
	expect("16rcp.02");
	take_bytes(pair.ours, -1);
	expect("16rcp.02a");
	send_bytes(pair.theirs, 2, pair.ours, 2);
	expect("16rcp.03");
	four_changes(array, pair, 0);
	judge_answers("16rcp.04", array, call(kq, array, 4, 8, 0));
	expect("16rcp.05");
	apply(pair.theirs, true, EV_DELETE, 0);
	four_changes(array, pair, 0);
	judge_answers("16rcp.06", array, call(kq, array, 4, 0, 0));
	expect("16rcp.07");
	close_pair(pair);
}

void play_errors(void)
{
	struct pair pair = unix_pair();
	struct kevent array[1];
	int queue = kqueue(), closed = dup(pair.ours);
	struct timespec odd = { .tv_nsec = 2000000000 };

	close(closed);
	expect_error("16rcp.11", apply(closed, false, EV_ADD, 0));
	expect_error("16rcp.12", apply(-1, false, EV_ADD, 0));
	array[0] = change(pair.ours, false, EV_ADD, 0);
	array[0].filter = 1000;
	expect_error("16rcp.13", call(kq, array, 1, 0, 0) < 0 ? errno : 0);
	close(queue);
	expect_error("16rcp.14", call(queue, array, 0, 1, 0) < 0 ? errno : 0);
	judge_number("17tmo.05", call(kq, array, 0, 0, PATIENCE));
	expect_error("17tmo.06", kevent(kq, NULL, 0, array, 1, &odd) < 0 ? errno : 0);
	close_pair(pair);
}

/* ---- the rest ---- */

void play_timeouts(void)
{
	struct kevent array[1];
	long early = 0;

	for (int i = 0; i < 10; i++) {
		struct timespec before, after;
		int n;

		clock_gettime(CLOCK_MONOTONIC, &before);
		n = call(kq, array, 0, 1, 10);
		clock_gettime(CLOCK_MONOTONIC, &after);
		if (n != 0)
			fail_here("an event of nothing");
		early += (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec < 10000000;
	}
	judge_number("17tmo.02", early);
}

void play_small_batches(void)
{
	struct pair pairs[4];
	char id[16];

	for (int i = 0; i < 4; i++) {
		pairs[i] = pipe_pair();
		send_bytes(pairs[i].theirs, 1, pairs[i].ours, 1);
		apply(pairs[i].ours, false, EV_ADD | EV_CLEAR, (char)('a' + i));
	}
	for (int i = 0; i < 5; i++) {
		snprintf(id, sizeof id, "18sml.0%d", i + 1);
		wait_from(kq, id, 1);
	}
	for (int i = 0; i < 4; i++)
		send_bytes(pairs[i].theirs, 1, pairs[i].ours, 2);
	wait_from(kq, "18sml.06", 3);
	send_bytes(pairs[0].theirs, 1, pairs[0].ours, 3);
	wait_from(kq, "18sml.07", 3);
	for (int i = 0; i < 4; i++)
		close_pair(pairs[i]);
}

void play_adding_again(void)
{
	struct pair pair = pipe_pair();

	send_bytes(pair.theirs, 3, pair.ours, 3);
	apply(pair.ours, false, EV_ADD | EV_CLEAR, 'A');
	expect("19add.01");
	expect("19add.02");
	apply(pair.ours, false, EV_ADD | EV_CLEAR, 'B');
	expect("19add.03");
	expect("19add.04");
	send_bytes(pair.theirs, 1, pair.ours, 4);
	expect("19add.05");
	apply(pair.ours, false, EV_ADD, 'A');
	expect("19add.06");
	expect("19add.07");
	apply(pair.ours, false, EV_ENABLE, 'A');
	expect("19add.08");
	close_pair(pair);
}

void play_pipe_ends(void)
{
	struct pair pair = pipe_pair();

	watch(pair.ours, "R");
	send_bytes(pair.theirs, 5, pair.ours, 5);
	expect("20pip.01");
	close(pair.theirs);
	expect("20pip.02");
	expect("20pip.03");
	take_bytes(pair.ours, -1);
	expect("20pip.05");
	close(pair.ours);

	pair = pipe_pair();
	watch(pair.ours, "R");
	close(pair.theirs);
	expect("20pip.06");
	close(pair.ours);

	pair = pipe_pair();
	watch(pair.theirs, "W");
	expect("20pip.07");
	close(pair.ours);
	expect("20pip.08");
	if (write(pair.theirs, "x", 1) >= 0)
		fail_here("write to a dead pipe");
	expect("20pip.10");
	close(pair.theirs);

	pair = pipe_pair();
	close(pair.ours);
	expect_error("20pip.11", apply(pair.theirs, true, EV_ADD | EV_CLEAR, 0));
	close(pair.theirs);
}

void play_disabling(void)
{
	struct pair pair = pipe_pair();

	watch(pair.ours, "R");
	apply(pair.ours, false, EV_DISABLE, 0);
	send_bytes(pair.theirs, 3, pair.ours, 3);
	expect("21dis.01");
	apply(pair.ours, false, EV_ENABLE, 0);
	expect("21dis.02");
	expect("21dis.03");
	take_bytes(pair.ours, -1);
	apply(pair.ours, false, EV_DISABLE, 0);
	send_bytes(pair.theirs, 1, pair.ours, 1);
	take_bytes(pair.ours, -1);
	apply(pair.ours, false, EV_ENABLE, 0);
	expect("21dis.04");
	apply(pair.ours, false, EV_DELETE, 0);

	apply(pair.ours, false, EV_ADD | EV_ONESHOT, 0);
	send_bytes(pair.theirs, 1, pair.ours, 1);
	expect("21dis.06");
	send_bytes(pair.theirs, 1, pair.ours, 2);
	expect("21dis.07");
	expect_error("21dis.08", apply(pair.ours, false, EV_DELETE, 0));
	take_bytes(pair.ours, -1);
	apply(pair.ours, false, EV_ADD | EV_DISPATCH, 0);
	send_bytes(pair.theirs, 1, pair.ours, 1);
	expect("21dis.09");
	send_bytes(pair.theirs, 1, pair.ours, 2);
	expect("21dis.10");
	apply(pair.ours, false, EV_ENABLE, 0);
	expect("21dis.11");
	close_pair(pair);
}

void play_datagrams(void)
{
	struct sockaddr_in address;
	int to = bind_one(SOCK_DGRAM, &address), from = open_socket(SOCK_DGRAM);
	char bytes[16];

	if (start_connect(from, &address) != 0)
		fail_here("connect");
	without_data = true;
	watch(to, "RW");
	expect("22udp.01");
	send_bytes(from, 5, to, 5);
	send_bytes(from, 5, to, 5);
	expect("22udp.02");
	if (read(to, bytes, sizeof bytes) != 5)
		fail_here("read");
	expect("22udp.03");
	send_bytes(from, 5, to, 5);
	expect("22udp.04");
	without_data = false;
	close(to);
	close(from);
}

void play_nested(void)
{
	struct pair pair = pipe_pair();
	struct kevent array[1];
	int inner = kqueue();
	struct pollfd polled = { .fd = inner, .events = POLLIN };

	watch(inner, "R");
	expect("23nst.01");
	array[0] = change(pair.ours, false, EV_ADD | EV_CLEAR, 0);
	call(inner, array, 1, 0, 0);
	send_bytes(pair.theirs, 1, pair.ours, 1);
	expect("23nst.02");
	judge_number("23nst.04", poll(&polled, 1, PATIENCE));
	wait_from(inner, "23nst.03", 8);
	close(inner);
	close_pair(pair);
}

/* ---- what the backend does with a filter ---- */

static void enable(int fd, bool write)
{
	if (apply(fd, write, EV_ADD | EV_ENABLE | EV_DISPATCH, 0) != 0)
		fail_here("EV_ADD");
}

void play_use(void)
{
	struct pair pair = unix_pair();

	enable(pair.ours, false);
	send_bytes(pair.theirs, 3, pair.ours, 3);
	expect("use.01");
	send_bytes(pair.theirs, 1, pair.ours, 4);
	expect("use.02");
	enable(pair.ours, false);
	expect("use.03");
	take_bytes(pair.ours, -1);
	enable(pair.ours, false);
	expect("use.04");
	enable(pair.ours, true);
	expect("use.05");
	close(pair.theirs);
	expect("use.06");
	enable(pair.ours, false);
	enable(pair.ours, true);
	expect("use.07");
	close(pair.ours);

	pair = pipe_pair();
	fill(pair.theirs);
	enable(pair.theirs, true);
	expect("use.08");
	close(pair.ours);
	expect("use.09");
	close(pair.theirs);

	pair = pipe_pair();
	fill(pair.theirs);
	enable(pair.theirs, true);
	enable(pair.theirs, false);
	expect("use.10");
	close(pair.ours);
	expect("use.11");
	close(pair.theirs);
}
