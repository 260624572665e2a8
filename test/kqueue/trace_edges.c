/* What a filter says when data, room or an end comes. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "trace.h"

#include <sys/types.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

void play_reset(void)
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

void play_refused(void)
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

void play_connect(void)
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

void play_listener(void)
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

void play_delete(void)
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

void play_reuse(void)
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

void play_pipes(void)
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

void play_tcp(void)
{
	play_streams("tcp", tcp_pair);
}

void play_unix(void)
{
	play_streams("unix", unix_pair);
}
