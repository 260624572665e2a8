/* The scripts. Each says what became of it; what is said must not depend on how the bytes
 * were cut, or on time. */
#include "reference.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum kind { TCP, UNIX, PIPE, UDP };

/* ---- descriptors ---- */

static struct sockaddr_in loopback(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

static int inet_socket(int type, uint16_t *port)
{
	struct sockaddr_in address = loopback(0);
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, type, 0);

	MUST(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
	MUST(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static void connect_to(int fd, uint16_t port)
{
	struct sockaddr_in address = loopback(port);

	MUST(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
}

static int open_listener(uint16_t *port)
{
	int fd = inet_socket(SOCK_STREAM, port);

	MUST(listen(fd, 64) == 0);
	MUST(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	return fd;
}

static int open_client(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	MUST(fd >= 0);
	connect_to(fd, port);
	return fd;
}

static void open_inet_pair(int type, int ends[2])
{
	uint16_t ports[2];
	int listener;

	if (type == SOCK_DGRAM) {
		ends[0] = inet_socket(type, &ports[0]);
		ends[1] = inet_socket(type, &ports[1]);
		connect_to(ends[0], ports[1]);
		connect_to(ends[1], ports[0]);
		return;
	}
	listener = inet_socket(type, &ports[0]);
	MUST(listen(listener, 1) == 0);
	ends[1] = open_client(ports[0]);
	ends[0] = accept(listener, NULL, NULL);
	MUST(ends[0] >= 0 && close(listener) == 0);
}

/* ends[0] is ours, given to the library; ends[1] the peer's, used with plain calls, as it
 * is a blocking one. Of a pipe, ours reads. */
static void open_pair(enum kind kind, int ends[2])
{
	if (kind == UNIX)
		MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	else if (kind == PIPE)
		MUST(pipe(ends) == 0);
	else
		open_inet_pair(kind == TCP ? SOCK_STREAM : SOCK_DGRAM, ends);
	MUST(fcntl(ends[0], F_SETFL, fcntl(ends[0], F_GETFL) | O_NONBLOCK) == 0);
}

static void await(int fd, short events)
{
	struct pollfd one = {.fd = fd, .events = events};

	MUST(poll(&one, 1, 60000) == 1);
}

static char bytes[262144];

static void make_bytes(void)
{
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 7 + i / 253 + 1);
}

static void write_all(int fd, size_t size)
{
	make_bytes();
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, bytes + done, size - done);

		MUST(n > 0);
		done += (size_t)n;
	}
}

static void reset(int fd)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
	MUST(close(fd) == 0);
}

static void report(const struct stream *stream)
{
	say("%zu bytes of sum %08x, ", stream->received, stream->sum);
	if (stream->ended)
		say("then %s; ", stream->end == 0 ? "the end" : strerror(-stream->end));
	if (stream->written > 0 || stream->write_error != 0)
		say("%zu written, %s; ", stream->written, strerror(-stream->write_error));
	if (stream->calls_after_close > 0)
		say("%u calls after close; ", stream->calls_after_close);
}

/* ---- bytes and ends ---- */

/* Theirs writes, ours sends back, theirs reads. */
static void echo(const struct side *side, enum kind kind, size_t size)
{
	int ends[2];
	struct stream *stream;
	uint32_t sum = 0;

	open_pair(kind, ends);
	stream = side->open(ends[0], false);
	side->read(stream);
	write_all(ends[1], size);
	TURN_UNTIL(side, stream->received == size);
	make_bytes();
	side->write(stream, bytes, size);
	TURN_UNTIL(side, stream->written == size);
	for (size_t done = 0; done < size;) {
		ssize_t n = read(ends[1], bytes, sizeof bytes);

		MUST(n > 0);
		for (ssize_t i = 0; i < n; i++)
			sum = sum * 31 + (unsigned char)bytes[i];
		done += (size_t)n;
	}
	report(stream);
	say("back: %s", sum == stream->sum ? "the same" : "not the same");
	close(ends[1]);
}

static void echo_one_tcp(const struct side *side)
{
	echo(side, TCP, 1);
}

static void echo_many_tcp(const struct side *side)
{
	echo(side, TCP, 30000);
}

static void echo_many_unix(const struct side *side)
{
	echo(side, UNIX, 30000);
}

/* All bytes, then the end; ours can still write. */
static void half_close(const struct side *side, enum kind kind)
{
	int ends[2];
	struct stream *stream;

	open_pair(kind, ends);
	write_all(ends[1], 5000);
	MUST(shutdown(ends[1], SHUT_WR) == 0);
	stream = side->open(ends[0], false);
	side->read(stream);
	TURN_UNTIL(side, stream->ended);
	side->write(stream, "still", 5);
	TURN_UNTIL(side, stream->written == 5);
	MUST(read(ends[1], bytes, 5) == 5);
	report(stream);
	close(ends[1]);
}

static void half_close_tcp(const struct side *side)
{
	half_close(side, TCP);
}

static void half_close_unix(const struct side *side)
{
	half_close(side, UNIX);
}

/* The end comes while reading waits. */
static void end_later(const struct side *side, enum kind kind)
{
	int ends[2];
	struct stream *stream;

	open_pair(kind, ends);
	stream = side->open(ends[0], false);
	side->read(stream);
	side->turn();
	write_all(ends[1], 10);
	TURN_UNTIL(side, stream->received == 10);
	say("%s; ", stream->ended ? "ended early" : "open");
	write_all(ends[1], 20);
	MUST(close(ends[1]) == 0);
	TURN_UNTIL(side, stream->ended);
	report(stream);
}

static void end_later_tcp(const struct side *side)
{
	end_later(side, TCP);
}

static void end_later_unix(const struct side *side)
{
	end_later(side, UNIX);
}

static void end_later_pipe(const struct side *side)
{
	end_later(side, PIPE);
}

static void reset_idle(const struct side *side)
{
	int ends[2];
	struct stream *stream;

	open_pair(TCP, ends);
	stream = side->open(ends[0], false);
	side->read(stream);
	side->turn();
	reset(ends[1]);
	TURN_UNTIL(side, stream->ended);
	report(stream);
}

/* The peer closes with unread data: TCP and, on Linux, UNIX streams say so. */
static void closed_unread(const struct side *side, enum kind kind)
{
	int ends[2];
	struct stream *stream;

	open_pair(kind, ends);
	stream = side->open(ends[0], false);
	side->write(stream, "unread", 6);
	TURN_UNTIL(side, stream->written == 6);
	await(ends[1], POLLIN);
	MUST(close(ends[1]) == 0);
	side->read(stream);
	TURN_UNTIL(side, stream->ended);
	report(stream);
}

static void closed_unread_tcp(const struct side *side)
{
	closed_unread(side, TCP);
}

static void closed_unread_unix(const struct side *side)
{
	closed_unread(side, UNIX);
}

static void write_to_closed(const struct side *side, enum kind kind)
{
	int ends[2];
	struct stream *stream;

	open_pair(kind, ends);
	if (kind == PIPE) { /* ours is to write */
		int theirs = ends[0];

		ends[0] = ends[1];
		ends[1] = theirs;
		MUST(fcntl(ends[0], F_SETFL, fcntl(ends[0], F_GETFL) | O_NONBLOCK) == 0);
	}
	stream = side->open(ends[0], false);
	MUST(close(ends[1]) == 0);
	for (int i = 0; i < 3 && stream->write_error == 0; i++) { /* TCP: the first is answered by a reset */
		size_t before = stream->written;

		side->write(stream, "x", 1);
		TURN_UNTIL(side, stream->written > before || stream->write_error != 0);
		if (stream->write_error == 0)
			await(ends[0], POLLHUP);
	}
	say("%zu written, then %s", stream->written, strerror(-stream->write_error));
}

static void write_to_closed_tcp(const struct side *side)
{
	write_to_closed(side, TCP);
}

static void write_to_closed_unix(const struct side *side)
{
	write_to_closed(side, UNIX);
}

static void write_to_closed_pipe(const struct side *side)
{
	write_to_closed(side, PIPE);
}

/* More than fits: the peer reads what is there, turn by turn. */
static void back_pressure(const struct side *side, enum kind kind)
{
	const size_t part = sizeof bytes, parts = 12;
	int ends[2];
	struct stream *stream;
	size_t drained = 0;
	uint32_t sum = 0;
	int small = 65536;

	open_pair(kind, ends);
	MUST(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
	MUST(setsockopt(ends[1], SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0);
	MUST(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
	stream = side->open(ends[0], false);
	make_bytes();
	for (size_t i = 0; i < parts; i++)
		side->write(stream, bytes, part);
	side->turn();
	say("%s; ", stream->written < part * parts ? "waits" : "everything fits");
	start_time();
	while (drained < part * parts) {
		char some[50000];
		ssize_t n;

		while ((n = read(ends[1], some, sizeof some)) > 0) {
			for (ssize_t i = 0; i < n; i++)
				sum = sum * 31 + (unsigned char)some[i];
			drained += (size_t)n;
		}
		side->turn();
		MUST(in_time());
	}
	TURN_UNTIL(side, stream->written == part * parts);
	say("%zu written, %zu read of sum %08x", stream->written, drained, sum);
	close(ends[1]);
}

static void back_pressure_tcp(const struct side *side)
{
	back_pressure(side, TCP);
}

static void back_pressure_unix(const struct side *side)
{
	back_pressure(side, UNIX);
}

/* ---- datagrams ---- */

static void datagrams(const struct side *side)
{
	static const size_t sizes[] = {3, 0, 700, 0, 1};
	int ends[2];
	struct stream *stream;

	open_pair(UDP, ends);
	stream = side->open(ends[0], true);
	side->read(stream);
	make_bytes();
	for (size_t i = 0; i < 5; i++)
		MUST(send(ends[1], bytes, sizes[i], 0) == (ssize_t)sizes[i]);
	TURN_UNTIL(side, stream->pieces == 5);
	MUST(send(ends[1], bytes, 9, 0) == 9);
	TURN_UNTIL(side, stream->pieces == 6);
	report(stream);
	close(ends[1]);
}

/* ---- connections ---- */

static void connect_refused(const struct side *side)
{
	uint16_t port;
	int result, fd = inet_socket(SOCK_STREAM, &port); /* bound, and does not listen */

	side->connect(port, &result);
	TURN_UNTIL(side, result <= 0);
	say("%s", strerror(-result));
	close(fd);
}

static void connect_accepted(const struct side *side)
{
	uint16_t port;
	int result, listener = open_listener(&port), fd;

	side->connect(port, &result);
	TURN_UNTIL(side, result <= 0);
	await(listener, POLLIN);
	fd = accept(listener, NULL, NULL);
	say("%s, %s", result == 0 ? "connected" : strerror(-result), fd >= 0 ? "accepted" : "not accepted");
	close(fd);
	close(listener);
}

static void connect_closed(const struct side *side)
{
	uint16_t port;
	int result, listener = open_listener(&port);

	side->close(side->connect(port, &result));
	side->turn();
	say("%s", result == 1 ? "no call" : strerror(-result));
	close(listener);
}

static void accept_many(const struct side *side)
{
	int clients[20];
	unsigned accepted = 0;
	uint16_t port;
	int listener = open_listener(&port);

	for (int i = 0; i < 20; i++)
		clients[i] = open_client(port);
	side->listen(listener, &accepted);
	TURN_UNTIL(side, accepted == 20);
	for (int i = 0; i < 20; i++) {
		await(clients[i], POLLIN); /* the library's end was closed */
		MUST(read(clients[i], bytes, 1) == 0);
		close(clients[i]);
	}
	close(open_client(port));
	TURN_UNTIL(side, accepted == 21);
	say("%u accepted", accepted);
}

/* ---- closing in callbacks ---- */

static const struct side *closing_side;

static void close_self(struct stream *stream)
{
	closing_side->close(stream);
}

static void close_in_own_call(const struct side *side)
{
	int ends[2];
	struct stream *stream;

	open_pair(UNIX, ends);
	stream = side->open(ends[0], false);
	closing_side = side;
	stream->on_data = close_self;
	side->read(stream);
	write_all(ends[1], 10);
	TURN_UNTIL(side, stream->received > 0);
	await(ends[1], POLLIN);
	say("the peer reads %zd; ", read(ends[1], bytes, 1));
	for (int i = 0; i < 3; i++)
		side->turn();
	report(stream);
	close(ends[1]);
}

static void close_other(struct stream *stream)
{
	if (!stream->other->closed)
		closing_side->close(stream->other);
}

/* Both are ready in one turn; the first to be called closes the other. */
static void close_in_other_call(const struct side *side)
{
	struct stream *streams[2];
	int ends[2][2];

	closing_side = side;
	for (int i = 0; i < 2; i++) {
		open_pair(UNIX, ends[i]);
		streams[i] = side->open(ends[i][0], false);
		streams[i]->on_data = close_other;
		side->read(streams[i]);
	}
	streams[0]->other = streams[1];
	streams[1]->other = streams[0];
	for (int i = 0; i < 2; i++)
		write_all(ends[i][1], 10);
	TURN_UNTIL(side, streams[0]->received + streams[1]->received > 0);
	for (int i = 0; i < 3; i++)
		side->turn();
	say("%zu bytes in all, %u calls after close", streams[0]->received + streams[1]->received,
	    streams[0]->calls_after_close + streams[1]->calls_after_close);
	for (int i = 0; i < 2; i++)
		close(ends[i][1]);
}

/* ---- the loop ---- */

static void timers_in_order(const struct side *side)
{
	static const unsigned after[] = {30, 10, 20, 10, 0, 40};

	for (unsigned i = 0; i < 6; i++)
		side->timer(i, after[i], 0, 1);
	say("run: %d", side->run());
}

static void timers_of_equal_deadlines(const struct side *side)
{
	for (unsigned i = 0; i < 8; i++)
		side->timer(7 - i, 5, 0, 1);
	say("run: %d", side->run());
}

static void timer_repeats(const struct side *side)
{
	side->timer(1, 3, 4, 5);
	say("run: %d", side->run());
}

static void run_with_nothing(const struct side *side)
{
	say("run: %d", side->run());
}

static const struct side *stopping_side;

static void stop_side(struct stream *stream)
{
	(void)stream;
	stopping_side->end_run();
}

static void run_stopped(const struct side *side)
{
	struct stream *stream;
	int ends[2];

	open_pair(UNIX, ends);
	stream = side->open(ends[0], false);
	stopping_side = side;
	stream->on_data = stop_side;
	side->read(stream);
	write_all(ends[1], 1);
	say("run: %d", side->run());
	close(ends[1]);
}

static void signal_once(const struct side *side)
{
	unsigned calls = 0;

	side->signal(SIGUSR1, &calls);
	side->turn();
	say("%u before, ", calls);
	MUST(raise(SIGUSR1) == 0);
	TURN_UNTIL(side, calls > 0);
	for (int i = 0; i < 3; i++)
		side->turn();
	say("%u after", calls);
}

static void signal_thrice(const struct side *side)
{
	unsigned calls = 0;

	side->signal(SIGUSR1, &calls);
	for (int i = 0; i < 3; i++)
		MUST(raise(SIGUSR1) == 0);
	TURN_UNTIL(side, calls > 0);
	for (int i = 0; i < 3; i++)
		side->turn();
	say("%u calls", calls);
}

static void wake_once(const struct side *side)
{
	unsigned calls = 0;

	side->wake(&calls, 1, true);
	TURN_UNTIL(side, calls > 0);
	for (int i = 0; i < 3; i++)
		side->turn();
	say("%u calls", calls);
}

static void wake_often(const struct side *side)
{
	unsigned calls = 0;

	side->wake(&calls, 1000, false);
	TURN_UNTIL(side, calls > 0);
	for (int i = 0; i < 3; i++)
		side->turn();
	say("%u calls", calls);
}

static void level_repeats(const struct side *side)
{
	unsigned calls = 0, before;
	int ends[2];

	open_pair(UNIX, ends);
	side->level(ends[0], &calls);
	side->turn();
	say("%u calls; ", calls);
	write_all(ends[1], 1);
	TURN_UNTIL(side, calls >= 3);
	say("again and again; ");
	MUST(read(ends[0], bytes, 1) == 1);
	side->turn();
	before = calls;
	for (int i = 0; i < 3; i++)
		side->turn();
	say("%u when empty", calls - before);
	side->level_end();
	close(ends[0]);
	close(ends[1]);
}

#define SAME NULL

const struct script scripts[] = {
	{"echo of one byte, TCP", echo_one_tcp, SAME},
	{"echo of many bytes, TCP", echo_many_tcp, SAME},
	{"echo of many bytes, UNIX", echo_many_unix, SAME},
	{"half-close with unread data, TCP", half_close_tcp, SAME},
	{"half-close with unread data, UNIX", half_close_unix, SAME},
	{"the end while waiting, TCP", end_later_tcp, SAME},
	{"the end while waiting, UNIX", end_later_unix, SAME},
	{"the end while waiting, pipe", end_later_pipe, SAME},
	{"reset while idle", reset_idle, SAME},
	{"peer closes with unread data, TCP", closed_unread_tcp, SAME},
	{"peer closes with unread data, UNIX", closed_unread_unix, SAME},
	{"write to a closed peer, TCP", write_to_closed_tcp, SAME},
	{"write to a closed peer, UNIX", write_to_closed_unix, SAME},
	{"write to a closed peer, pipe", write_to_closed_pipe, SAME},
	{"more than fits, TCP", back_pressure_tcp, SAME},
	{"more than fits, UNIX", back_pressure_unix, SAME},
	{"datagrams, empty ones too", datagrams, SAME},
	{"connect refused", connect_refused, SAME},
	{"connect accepted", connect_accepted, SAME},
	{"closed while connecting", connect_closed,
	 "a request of libuv's is called with ECANCELED; a watch that is stopped is not called any more"},
	{"many connections accepted", accept_many, SAME},
	{"closed in its own call", close_in_own_call, SAME},
	{"closed in another's call", close_in_other_call, SAME},
	{"timers in the order of their deadlines", timers_in_order, SAME},
	{"timers of equal deadlines", timers_of_equal_deadlines, SAME},
	{"a repeating timer", timer_repeats, SAME},
	{"run with nothing to wait for", run_with_nothing, SAME},
	{"run until stopped", run_stopped, SAME},
	{"a signal", signal_once, SAME},
	{"a signal, three times before the turn", signal_thrice,
	 "libuv queues each arrival; here several before the loop gets to them may be one, as in the kernel"},
	{"a wakeup from a thread", wake_once, SAME},
	{"a thousand wakeups before the turn", wake_often,
	 "libuv's handle is one, and its sends coalesce; each of the thousand tasks is called, by one wakeup"},
	{"level-triggered", level_repeats, SAME},
	{.name = NULL},
};
