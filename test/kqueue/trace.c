/* Plays a record of what a NetBSD kernel's kqueue did, step by step, and compares. On a
 * BSD it tests the kernel, and with it whether the backend's picture of kqueue holds
 * there; on Linux it tests the stand-in. Filters are added with EV_CLEAR, as they were
 * when the record was made, but for the steps of "use", which do what the backend does.
 *
 * R(5,EOF,ff) is EVFILT_READ with data 5, EV_EOF and an error in fflags; "-" is silence;
 * "A:" is the tag in udata, where a step has several. Numbers of WRITE are left out: they
 * are sizes of buffers. "|" stands between what may be: when TCP's acknowledgements
 * arrive is no kqueue's matter. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <sys/types.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/event.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SILENCE 50     /* ms without an event that count as silence */
#define PATIENCE 20000 /* ms; for what must come */

struct step {
	const char *id;
	const char *what;
	const char *expected;
	const char *not_on_stand_in; /* the reason */
	bool done;
};

static struct step steps[] = {
#include "trace.h"
};

#define STEPS (sizeof steps / sizeof steps[0])

static unsigned passed, failed, skipped;
static int kq = -1;
static bool without_data; /* R for R(n): datagrams are counted with their headers by some */

#ifdef BRINK_KQUEUE_STAND_IN
static const bool on_stand_in = true;
#else
static const bool on_stand_in = false;
#endif

/* ---- steps ---- */

static void fail_here(const char *what)
{
	fprintf(stderr, "trace: %s: %s\n", what, strerror(errno));
	exit(2);
}

static struct step *step_of(const char *id)
{
	for (size_t i = 0; i < STEPS; i++)
		if (strcmp(steps[i].id, id) == 0)
			return &steps[i];
	fprintf(stderr, "trace: no step %s\n", id);
	exit(2);
}

/* Whether `got` is one of the alternatives of `expected`. */
static bool is_among(const char *got, const char *expected)
{
	size_t length = strlen(got);

	for (;;) {
		const char *bar = strstr(expected, " | ");
		size_t size = bar != NULL ? (size_t)(bar - expected) : strlen(expected);

		if (size == length && memcmp(got, expected, size) == 0)
			return true;
		if (bar == NULL)
			return false;
		expected = bar + 3;
	}
}

static void judge(const char *id, const char *got)
{
	struct step *step = step_of(id);

	step->done = true;
	if (step->not_on_stand_in != NULL && on_stand_in) {
		printf("skip  %s: %s: %s\n", id, step->what, step->not_on_stand_in);
		skipped++;
	} else if (is_among(got, step->expected)) {
		passed++;
	} else {
		printf("FAIL  %s: %s: %s, expected %s\n", id, step->what, got, step->expected);
		failed++;
	}
}

static void judge_number(const char *id, long number)
{
	char text[32];

	snprintf(text, sizeof text, "%ld", number);
	judge(id, text);
}

static const char *name_of(int error)
{
	static char other[16];

	switch (error) {
	case 0:
		return "0";
	case EBADF:
		return "EBADF";
	case ECONNREFUSED:
		return "ECONNREFUSED";
	case EINVAL:
		return "EINVAL";
	case ENOENT:
		return "ENOENT";
	case EPIPE:
		return "EPIPE";
	default:
		snprintf(other, sizeof other, "error %d", error);
		return other;
	}
}

/* ---- kqueue ---- */

static struct kevent change(int fd, bool write, unsigned flags, char tag)
{
	struct kevent change;
	uintptr_t udata = (unsigned char)tag;

	memset(&change, 0, sizeof change);
	change.ident = (uintptr_t)fd;
	if (write)
		change.filter = EVFILT_WRITE;
	else
		change.filter = EVFILT_READ;
	change.flags = (unsigned short)flags;
	memcpy(&change.udata, &udata, sizeof udata);
	return change;
}

static int call(int queue, struct kevent *array, int changes, int room, long milliseconds)
{
	struct timespec limit = { .tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000 };
	int n;

	do
		n = kevent(queue, array, (unsigned short)changes, array, (unsigned short)room, &limit);
	while (n < 0 && errno == EINTR);
	return n;
}

/* One change, without room for answers: 0 or the error. */
static int apply(int fd, bool write, unsigned flags, char tag)
{
	struct kevent array[1] = { change(fd, write, flags, tag) };

	return call(kq, array, 1, 0, 0) < 0 ? errno : 0;
}

static void watch(int fd, const char *filters)
{
	for (; *filters != '\0'; filters++)
		if (apply(fd, *filters == 'W', EV_ADD | EV_CLEAR, 0) != 0)
			fail_here("EV_ADD");
}

static bool is_write(const struct kevent *event)
{
	return event->filter == EVFILT_WRITE;
}

static char tag_of(const struct kevent *event)
{
	return (char)(uintptr_t)event->udata;
}

static void say(char *text, size_t size, const struct kevent *event)
{
	size_t used = strlen(text);
	char tag = tag_of(event), data[24] = "", parts[64];

	if (!is_write(event) && !without_data)
		snprintf(data, sizeof data, ",%lld", (long long)event->data);
	snprintf(parts, sizeof parts, "%s%s%s", data, event->flags & EV_EOF ? ",EOF" : "",
	         (event->flags & EV_EOF) && event->fflags != 0 ? ",ff" : "");
	if (event->flags & EV_ERROR)
		snprintf(parts, sizeof parts, ",%s", name_of((int)event->data));
	snprintf(text + used, size - used, "%s%.*s%s%s%s%s%s", used > 0 ? " " : "", tag != 0, &tag, tag != 0 ? ":" : "",
	         is_write(event) ? "W" : "R", parts[0] != '\0' ? "(" : "", parts[0] != '\0' ? parts + 1 : "",
	         parts[0] != '\0' ? ")" : "");
}

/* What came, by tag, READ before WRITE; of what a filter said twice the last. */
struct record {
	struct kevent events[8];
	int count;
	char text[256];
};

static int order(const void *left, const void *right)
{
	const struct kevent *a = left, *b = right;

	if (tag_of(a) != tag_of(b))
		return tag_of(a) < tag_of(b) ? -1 : 1;
	return is_write(a) - is_write(b);
}

static void record(struct record *record, const struct kevent *event)
{
	int i = 0;

	while (i < record->count && order(&record->events[i], event) != 0)
		i++;
	if (i == (int)(sizeof record->events / sizeof record->events[0]))
		return;
	record->events[i] = *event;
	if (i == record->count)
		record->count++;
	qsort(record->events, (size_t)record->count, sizeof record->events[0], order);
	record->text[0] = '\0';
	for (i = 0; i < record->count; i++)
		say(record->text, sizeof record->text, &record->events[i]);
}

static long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (long)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Takes events, `room` at a time, until they are what step `id` expects, or nothing more
 * is to be hoped for. */
static void wait_from(int queue, const char *id, int room)
{
	const struct step *step = step_of(id);
	bool silence = is_among("-", step->expected);
	long end = now() + (silence || (step->not_on_stand_in && on_stand_in) ? SILENCE : PATIENCE);
	struct record got = { .text = "-" };

	do {
		struct kevent array[8];
		long left = end - now();
		int n = call(queue, array, 0, room, left > 0 ? left : 0);

		if (n < 0)
			fail_here("kevent");
		for (int i = 0; i < n; i++)
			record(&got, &array[i]);
	} while (now() < end && (strcmp(got.text, "-") == 0 || !is_among(got.text, step->expected)));
	judge(id, got.text);
}

static void expect(const char *id)
{
	wait_from(kq, id, 8);
}

static void expect_error(const char *id, int error)
{
	judge(id, name_of(error));
}

/* ---- descriptors ---- */

struct pair {
	int ours, theirs; /* of a pipe: the end that reads, the end that writes */
};

static void set_nonblocking(int fd)
{
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		fail_here("fcntl");
}

static struct sockaddr_in loopback(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

static int open_socket(int type)
{
	int fd = socket(AF_INET, type, 0);

	if (fd < 0)
		fail_here("socket");
	set_nonblocking(fd);
	return fd;
}

/* A socket that is bound to a free port, which goes into `address`. */
static int bind_one(int type, struct sockaddr_in *address)
{
	int fd = open_socket(type);
	socklen_t size = sizeof *address;

	*address = loopback();
	if (bind(fd, (struct sockaddr *)address, size) < 0 || getsockname(fd, (struct sockaddr *)address, &size) < 0)
		fail_here("bind");
	return fd;
}

static int start_connect(int fd, const struct sockaddr_in *address)
{
	return connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 ? errno : 0;
}

static void await(int fd, short events)
{
	struct pollfd polled = { .fd = fd, .events = events };

	if (poll(&polled, 1, PATIENCE) != 1)
		fail_here("poll");
}

static int connect_to(const struct sockaddr_in *address)
{
	int fd = open_socket(SOCK_STREAM), error = start_connect(fd, address);

	if (error != 0 && error != EINPROGRESS)
		fail_here("connect");
	await(fd, POLLOUT);
	return fd;
}

static struct pair tcp_pair(void)
{
	struct sockaddr_in address;
	int listener = bind_one(SOCK_STREAM, &address);
	struct pair pair;

	if (listen(listener, 8) < 0)
		fail_here("listen");
	pair.ours = connect_to(&address);
	await(listener, POLLIN);
	pair.theirs = accept(listener, NULL, NULL);
	if (pair.theirs < 0)
		fail_here("accept");
	set_nonblocking(pair.theirs);
	close(listener);
	return pair;
}

static struct pair unix_pair(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		fail_here("socketpair");
	set_nonblocking(fds[0]);
	set_nonblocking(fds[1]);
	return (struct pair){ fds[0], fds[1] };
}

static struct pair pipe_pair(void)
{
	int fds[2];

	if (pipe(fds) < 0)
		fail_here("pipe");
	set_nonblocking(fds[0]);
	set_nonblocking(fds[1]);
	return (struct pair){ fds[0], fds[1] };
}

static void close_pair(struct pair pair)
{
	close(pair.ours);
	if (pair.theirs >= 0)
		close(pair.theirs);
}

static int unread(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) < 0 ? 0 : n;
}

/* Writes `size` bytes, and waits until `to`, where they go, holds `held`. */
static void send_bytes(int from, int size, int to, int held)
{
	static const char bytes[8192];
	long end = now() + PATIENCE;

	if (write(from, bytes, (size_t)size) != size)
		fail_here("write");
	while (unread(to) < held && now() < end)
		poll(NULL, 0, 1);
}

/* Reads up to `size` bytes; all there is for a negative one. */
static int take_bytes(int fd, int size)
{
	static char bytes[8192];
	int total = 0;

	while (size < 0 || total < size) {
		size_t most = size < 0 || size - total > (int)sizeof bytes ? sizeof bytes : (size_t)(size - total);
		ssize_t n = read(fd, bytes, most);

		if (n <= 0)
			break;
		total += (int)n;
	}
	return total;
}

/* Writes until nothing more fits. */
static int fill(int fd)
{
	static const char bytes[8192];
	size_t size = sizeof bytes;
	int total = 0;

	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n > 0)
			total += (int)n;
		else
			size /= 2;
	}
	return total;
}

static void reset(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	close(fd);
}

static int socket_error(int fd)
{
	int error = 0;
	socklen_t size = sizeof error;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

/* ---- the record ---- */

/* "01" and ".05" of kind "pipe" make the step "01pipe.05". */
static const char *named(const char *group, const char *kind, const char *step)
{
	static char id[32];

	snprintf(id, sizeof id, "%s%s%s", group, kind, step);
	return id;
}

static void play_reading(const char *kind, struct pair pair)
{
	send_bytes(pair.theirs, 5, pair.ours, 5);
	watch(pair.ours, "R");
	expect(named("01", kind, ".01"));
	expect(named("01", kind, ".02"));
	send_bytes(pair.theirs, 3, pair.ours, 8);
	expect(named("01", kind, ".03"));
	expect(named("01", kind, ".04"));
	take_bytes(pair.ours, 2);
	expect(named("01", kind, ".05"));
	send_bytes(pair.theirs, 1, pair.ours, 7);
	expect(named("01", kind, ".06"));
	take_bytes(pair.ours, -1);
	expect(named("01", kind, ".07"));
	send_bytes(pair.theirs, 2, pair.ours, 2);
	expect(named("01", kind, ".08"));
	take_bytes(pair.ours, -1);
	send_bytes(pair.theirs, 1, pair.ours, 1);
	send_bytes(pair.theirs, 1, pair.ours, 2);
	expect(named("01", kind, ".09"));
	take_bytes(pair.ours, -1);
	send_bytes(pair.theirs, 2, pair.ours, 2);
	take_bytes(pair.ours, -1);
	expect(named("01", kind, ".10"));
	close_pair(pair);
}

static void play_writing(const char *kind, int writer, int reader)
{
	int filled;

	watch(writer, "W");
	expect(named("02", kind, ".01"));
	expect(named("02", kind, ".02"));
	send_bytes(writer, 5, reader, 5);
	expect(named("02", kind, ".03"));
	take_bytes(reader, 5);
	expect(named("02", kind, ".04"));
	filled = fill(writer);
	expect(named("02", kind, ".05"));
	filled += fill(writer);
	take_bytes(reader, 1);
	expect(named("02", kind, ".06"));
	if (strcmp(kind, "pipe") == 0) {
		take_bytes(reader, 4096);
		expect("02pipe.07");
		take_bytes(reader, filled / 2);
		expect("02pipe.08");
	}
	take_bytes(reader, -1);
	expect(named("02", kind, ".09"));
	expect(named("02", kind, ".10"));
	close(writer);
	close(reader);
}

static void play_both(const char *kind, struct pair pair)
{
	watch(pair.ours, "RW");
	expect(named("03", kind, ".01"));
	send_bytes(pair.theirs, 3, pair.ours, 3);
	expect(named("03", kind, ".02"));
	send_bytes(pair.ours, 3, pair.theirs, 3);
	expect(named("03", kind, ".03"));
	take_bytes(pair.ours, -1);
	take_bytes(pair.theirs, -1);
	expect(named("03", kind, ".04"));
	close_pair(pair);
}

static void play_half_close(const char *kind, struct pair (*open)(void))
{
	struct pair pair = open();

	watch(pair.ours, "RW");
	expect(named("04", kind, ".00"));
	send_bytes(pair.theirs, 5, pair.ours, 5);
	expect(named("04", kind, ".01"));
	shutdown(pair.theirs, SHUT_WR);
	expect(named("04", kind, ".02"));
	expect(named("04", kind, ".03"));
	take_bytes(pair.ours, 5);
	expect(named("04", kind, ".04"));
	take_bytes(pair.ours, 1);
	expect(named("04", kind, ".06"));
	send_bytes(pair.ours, 1, pair.theirs, 1);
	expect(named("04", kind, ".08"));
	watch(pair.ours, "R");
	expect(named("04", kind, ".09"));
	shutdown(pair.ours, SHUT_WR);
	expect(named("04", kind, ".10"));
	close_pair(pair);

	pair = open();
	shutdown(pair.theirs, SHUT_WR);
	await(pair.ours, POLLIN);
	watch(pair.ours, "R");
	expect(named("04", kind, ".11"));
	close_pair(pair);

	pair = open();
	watch(pair.ours, "R");
	send_bytes(pair.theirs, 5, pair.ours, 5);
	shutdown(pair.theirs, SHUT_WR);
	expect(named("04", kind, ".12"));
	take_bytes(pair.ours, -1);
	expect(named("04", kind, ".14"));
	close_pair(pair);
}

static void play_own_shutdown(const char *kind, struct pair pair)
{
	watch(pair.ours, "RW");
	expect(named("05", kind, ".00"));
	shutdown(pair.ours, SHUT_WR);
	expect(named("05", kind, ".01"));
	shutdown(pair.ours, SHUT_RD);
	expect(named("05", kind, ".03"));
	close_pair(pair);
}

static void play_close(const char *kind, struct pair pair)
{
	watch(pair.ours, "RW");
	expect(named("06", kind, ".00"));
	send_bytes(pair.theirs, 5, pair.ours, 5);
	close(pair.theirs);
	expect(named("06", kind, ".01"));
	take_bytes(pair.ours, -1);
	expect(named("06", kind, ".03"));
	if (write(pair.ours, "x", 1) < 0 && errno != EPIPE)
		fail_here("write");
	expect(named("06", kind, ".05"));
	if (write(pair.ours, "x", 1) >= 0)
		fail_here("write to a dead connection");
	expect(named("06", kind, ".07"));
	close(pair.ours);
}

static void play_close_with_unread(const char *kind, struct pair pair)
{
	watch(pair.ours, "RW");
	expect(named("07", kind, ".00"));
	send_bytes(pair.ours, 6, pair.theirs, 6);
	expect(named("07", kind, ".0a"));
	close(pair.theirs);
	expect(named("07", kind, ".01"));
	take_bytes(pair.ours, -1);
	expect(named("07", kind, ".04"));
	close(pair.ours);
}

static void play_reset(void)
{
	struct pair pair = tcp_pair();

	watch(pair.ours, "RW");
	expect("08rst.00");
	reset(pair.theirs);
	expect("08rst.01");
	take_bytes(pair.ours, -1);
	take_bytes(pair.ours, -1);
	expect("08rst.06");
	close(pair.ours);

	pair = tcp_pair();
	watch(pair.ours, "RW");
	expect("08rst.06a");
	send_bytes(pair.theirs, 5, pair.ours, 5);
	reset(pair.theirs);
	expect("08rst.07");
	take_bytes(pair.ours, -1);
	expect("08rst.10");
	close(pair.ours);

	pair = tcp_pair();
	reset(pair.theirs);
	await(pair.ours, POLLIN);
	watch(pair.ours, "RW");
	expect("08rst.11");
	close(pair.ours);
}

/* To a port where nobody listens, nor can while a socket is bound to it. */
static void play_refused_with(const char *id, const char *filters)
{
	struct sockaddr_in address;
	int bound = bind_one(SOCK_STREAM, &address), fd = open_socket(SOCK_STREAM);

	watch(fd, filters);
	start_connect(fd, &address);
	expect(id);
	close(fd);
	close(bound);
}

static void play_refused(void)
{
	struct sockaddr_in address;
	int bound = bind_one(SOCK_STREAM, &address), fd = open_socket(SOCK_STREAM);

	start_connect(fd, &address);
	watch(fd, "RW");
	expect("09ref.02");
	expect_error("09ref.03", socket_error(fd));
	expect_error("09ref.04", socket_error(fd));
	expect("09ref.07");
	close(fd);

	fd = open_socket(SOCK_STREAM);
	watch(fd, "RW");
	expect("09ref.08");
	start_connect(fd, &address);
	expect("09ref.10");
	expect_error("09ref.11", socket_error(fd));
	close(fd);
	close(bound);
	play_refused_with("09ref.12", "W");
	play_refused_with("09ref.13", "R");
}

static void play_connect(void)
{
	struct sockaddr_in address;
	int listener = bind_one(SOCK_STREAM, &address), fd = open_socket(SOCK_STREAM);

	listen(listener, 8);
	start_connect(fd, &address);
	watch(fd, "RW");
	expect("10conn.02");
	expect_error("10conn.03", socket_error(fd));
	expect("10conn.04");
	close(fd);
	fd = open_socket(SOCK_STREAM);
	watch(fd, "RW");
	start_connect(fd, &address);
	expect("10conn.06");
	close(fd);
	close(listener);
}

static void accept_some(int listener, int most)
{
	for (int fd; most > 0 && (fd = accept(listener, NULL, NULL)) >= 0; most--)
		close(fd);
}

static void play_listener(void)
{
	struct sockaddr_in address;
	int listener = bind_one(SOCK_STREAM, &address), clients[3];

	listen(listener, 8);
	watch(listener, "R");
	expect("11lst.01");
	clients[0] = connect_to(&address);
	clients[1] = connect_to(&address);
	expect("11lst.02");
	accept_some(listener, 1);
	expect("11lst.03");
	clients[2] = connect_to(&address);
	expect("11lst.05");
	accept_some(listener, 8);
	expect("11lst.07");
	close(connect_to(&address));
	expect("11lst.08");
	for (int i = 0; i < 3; i++)
		close(clients[i]);
	close(listener);
}

static void play_delete(void)
{
	struct pair pair = unix_pair();

	watch(pair.ours, "RW");
	expect("12del.00");
	send_bytes(pair.ours, 1, pair.theirs, 1);
	expect_error("12del.01", apply(pair.ours, false, EV_DELETE, 0));
	send_bytes(pair.theirs, 3, pair.ours, 3);
	expect("12del.02");
	take_bytes(pair.theirs, -1);
	expect("12del.03");
	expect_error("12del.04", apply(pair.ours, false, EV_DELETE, 0));
	watch(pair.ours, "R");
	expect("12del.05");
	send_bytes(pair.theirs, 1, pair.ours, 4);
	apply(pair.ours, false, EV_DELETE, 0);
	expect("12del.06");
	expect_error("12del.07", apply(pair.ours, true, EV_DELETE, 0));
	expect("12del.08");
	close_pair(pair);
}

static void play_reuse(void)
{
	struct pair pair = pipe_pair(), next;
	int fd, copy;

	apply(pair.ours, false, EV_ADD | EV_CLEAR, 'A');
	send_bytes(pair.theirs, 1, pair.ours, 1);
	close(pair.ours);
	expect("13cls.01");
	next = pipe_pair();
	fd = dup2(next.ours, pair.ours);
	send_bytes(next.theirs, 3, fd, 3);
	expect("13cls.03");
	apply(fd, false, EV_ADD | EV_CLEAR, 'B');
	expect("13cls.04");
	take_bytes(fd, -1);
	send_bytes(next.theirs, 2, fd, 2);
	expect("13cls.05");
	expect_error("13cls.06", apply(fd, false, EV_DELETE, 0));
	take_bytes(fd, -1);

	apply(fd, false, EV_ADD | EV_CLEAR, 'A');
	copy = dup(fd);
	close(fd);
	send_bytes(next.theirs, 1, copy, 1);
	expect("13cls.07");
	expect_error("13cls.08", apply(fd, false, EV_DELETE, 0));
	close(copy);
	close_pair(next);
	close(pair.theirs);
}

/* ---- threads ---- */

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

static void play_threads(void)
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

static void play_receipts(void)
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

static void play_errors(void)
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

static void play_timeouts(void)
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

static void play_small_batches(void)
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

static void play_adding_again(void)
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

static void play_pipe_ends(void)
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

static void play_disabling(void)
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

static void play_datagrams(void)
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

static void play_nested(void)
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

static void play_use(void)
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

/* Each with a queue of its own. */
static void play(void (*part)(void))
{
	kq = kqueue();
	if (kq < 0)
		fail_here("kqueue");
	part();
	close(kq);
}

static void play_pipes(void)
{
	struct pair pair = pipe_pair();

	play_reading("pipe", pipe_pair());
	play_writing("pipe", pair.theirs, pair.ours);
}

static void play_streams(const char *kind, struct pair (*open)(void))
{
	struct pair pair = open();

	play_reading(kind, open());
	play_writing(kind, pair.ours, pair.theirs);
	play_both(kind, open());
	play_half_close(kind, open);
	play_own_shutdown(kind, open());
	play_close(kind, open());
	play_close_with_unread(kind, open());
}

static void play_tcp(void)
{
	play_streams("tcp", tcp_pair);
}

static void play_unix(void)
{
	play_streams("unix", unix_pair);
}

int main(void)
{
	static void (*const parts[])(void) = {
		play_pipes,  play_tcp,     play_unix,     play_reset,     play_refused,       play_connect,
		play_listener, play_delete,  play_reuse,    play_threads,   play_receipts,      play_errors,
		play_timeouts, play_small_batches, play_adding_again, play_pipe_ends, play_disabling,
		play_datagrams, play_nested, play_use,
	};

	signal(SIGPIPE, SIG_IGN);
	unsetenv("BRINK_STAND_IN_SEED");
	if (on_stand_in)
		printf("This is the stand-in, not a kernel's kqueue.\n");
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		play(parts[i]);
	for (size_t i = 0; i < STEPS; i++) {
		if (!steps[i].done) {
			printf("FAIL  %s: %s: not played\n", steps[i].id, steps[i].what);
			failed++;
		}
	}
	printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	return failed != 0;
}
