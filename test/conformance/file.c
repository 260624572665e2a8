/* Descriptors that are neither plain streams nor plain pipes: FIFOs that come to life again,
 * packets, terminals, devices. Those that only Linux has are in file_linux.c. */
#define _GNU_SOURCE /* posix_openpt() on Linux */

#include "groups.h"
#include "scene.h"

#include "file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* ---- FIFOs ---- */

struct fifo {
	char directory[64], path[80];
	int reader, writer;
};

static int open_end(const struct fifo *fifo, int flags)
{
	int fd = open(fifo->path, flags | O_NONBLOCK | O_CLOEXEC);

	SYSCALL(fd);
	return fd;
}

static void open_fifo(struct fifo *fifo)
{
	*fifo = (struct fifo){.directory = "/tmp/brink-conformance.XXXXXX", .writer = -1};
	CHECK(mkdtemp(fifo->directory) != NULL);
	snprintf(fifo->path, sizeof fifo->path, "%s/fifo", fifo->directory);
	SYSCALL(mkfifo(fifo->path, 0600));
	fifo->reader = open_end(fifo, O_RDONLY);
}

static void close_fifo(struct fifo *fifo)
{
	close_fd(&fifo->reader);
	close_fd(&fifo->writer);
	SYSCALL(unlink(fifo->path));
	SYSCALL(rmdir(fifo->directory));
}

/* The writer says something and goes; the reader reads to its end. */
static void fifo_life(brink_loop *loop, struct fifo *fifo, struct probe *reader, size_t size)
{
	char bytes[16] = "0123456789abcde";

	write_all(fifo->writer, bytes, size);
	expect_event(loop, reader, BRINK_READ, NOT_READ);
	reader->bytes = 0;
	CHECK_ERROR(read_to_end(reader, &reader->bytes), -EAGAIN);
	CHECK_EQ(reader->bytes, size);
	expect_quiet(loop, reader, BRINK_READ);
	close_fd(&fifo->writer);
	RUN_UNTIL(loop, (reader->new_ready & BRINK_READ) != 0);
	CHECK_EQ(observe(loop, reader, "a FIFO's last writer closes", BRINK_READ | BRINK_EOF),
	         BRINK_READ | BRINK_EOF);
	CHECK_EQ(read_to_end(reader, NULL), 0);
	expect_silence(loop);
}

/* Whoever wants the next writer starts again after the end; while there is none, kernels
 * differ in whether the end is one still. */
static void fifo_started_again(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct fifo fifo;
	struct probe reader;

	(void)kind;
	open_fifo(&fifo);
	start_probe(loop, &reader, "reader", fifo.reader, BRINK_READ);
	observe(loop, &reader, "a FIFO without writer, so far", BRINK_READ | BRINK_EOF);
	for (size_t size = 1; size <= 3; size++) {
		stop_probe(&reader);
		fifo.writer = open_end(&fifo, O_WRONLY);
		start_probe(loop, &reader, "reader", fifo.reader, BRINK_READ);
		/* The end of the one before is not his. */
		expect_silence(loop);
		fifo_life(loop, &fifo, &reader, size);
	}
	stop_probe(&reader);
	/* At its end, with nobody there: told at once or not at all, never again and again. */
	start_probe(loop, &reader, "reader", fifo.reader, BRINK_READ);
	observe(loop, &reader, "started on a FIFO after its end", BRINK_READ | BRINK_EOF);
	stop_probe(&reader);
	CHECK_OK(brink_loop_destroy(loop));
	close_fifo(&fifo);
}

/* A reader that keeps its ticket after the end is not woken by the next writer; it finds the
 * bytes when it asks. */
static void fifo_kept_after_end(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct fifo fifo;
	struct probe reader;

	(void)kind;
	open_fifo(&fifo);
	fifo.writer = open_end(&fifo, O_WRONLY);
	start_probe(loop, &reader, "reader", fifo.reader, BRINK_READ);
	expect_silence(loop);
	close_fd(&fifo.writer);
	RUN_UNTIL(loop, reader.new_calls != 0);
	CHECK_EQ(observe(loop, &reader, "a FIFO's last writer closes", BRINK_READ | BRINK_EOF),
	         BRINK_READ | BRINK_EOF);
	CHECK_EQ(read_to_end(&reader, NULL), 0);
	fifo.writer = open_end(&fifo, O_WRONLY);
	write_all(fifo.writer, "12345", 5);
	expect_silence(loop);
	CHECK_OK(brink_watch_again(&reader.watch, BRINK_READ));
	RUN_UNTIL(loop, reader.new_calls != 0);
	discard_calls(&reader);
	/* The watch has seen an end: no short read is taken for the last one. */
	CHECK_ERROR(read_to_end(&reader, &reader.bytes), -EAGAIN);
	CHECK_EQ(reader.bytes, 5);
	expect_quiet(loop, &reader, BRINK_READ);
	write_all(fifo.writer, "67", 2);
	RUN_UNTIL(loop, reader.new_calls != 0);
	discard_calls(&reader);
	CHECK_ERROR(read_to_end(&reader, &reader.bytes), -EAGAIN);
	CHECK_EQ(reader.bytes, 7);
	stop_probe(&reader);
	CHECK_OK(brink_loop_destroy(loop));
	close_fifo(&fifo);
}

/* A FIFO that is open for both has no end, and both of its directions. */
static void fifo_open_for_both(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct fifo fifo;
	struct probe both;
	int fd;

	(void)kind;
	open_fifo(&fifo);
	fd = open_end(&fifo, O_RDWR);
	start_probe(loop, &both, "both", fd, DIRECTIONS);
	expect_event(loop, &both, BRINK_WRITE, NOT_WRITE);
	expect_silence(loop);
	CHECK_EQ(brink_watch_write(&both.watch, "123", 3), 3);
	expect_event(loop, &both, BRINK_READ, NOT_READ);
	CHECK_ERROR(read_to_end(&both, &both.bytes), -EAGAIN);
	CHECK_EQ(both.bytes, 3);
	expect_quiet(loop, &both, BRINK_READ);
	stop_probe(&both);
	CHECK_OK(brink_loop_destroy(loop));
	close_fd(&fd);
	close_fifo(&fifo);
}

/* ---- sockets that keep boundaries ---- */

static void open_packets(int ends[2], int type)
{
	SYSCALL(socketpair(AF_UNIX, type, 0, ends));
	for (int i = 0; i < 2; i++) {
		set_nonblocking(ends[i]);
		SYSCALL(fcntl(ends[i], F_SETFD, FD_CLOEXEC));
	}
}

void expect_packets(brink_loop *loop, struct probe *reader, int peer)
{
	char bytes[64];

	for (int round = 0; round < 3; round++) {
		write_all(peer, "one", 3);
		write_all(peer, "three", 5);
		expect_event(loop, reader, BRINK_READ, NOT_READ);
		CHECK_EQ(brink_watch_read(&reader->watch, bytes, sizeof bytes), 3);
		CHECK_EQ(brink_watch_read(&reader->watch, bytes, sizeof bytes), 5);
		CHECK_ERROR(brink_watch_read(&reader->watch, bytes, sizeof bytes), -EAGAIN);
		expect_quiet(loop, reader, BRINK_READ);
	}
}

static void packets_of_type(int type, bool ends)
{
	brink_loop *loop = new_loop();
	struct probe reader;
	int fds[2];

	open_packets(fds, type);
	start_probe(loop, &reader, "reader", fds[0], BRINK_READ);
	expect_silence(loop);
	expect_packets(loop, &reader, fds[1]);
	if (ends) {
		write_all(fds[1], "last", 4);
		close_fd(&fds[1]);
		RUN_UNTIL(loop, reader.new_calls != 0);
		observe(loop, &reader, "a packet and the end", BRINK_READ | BRINK_EOF);
		CHECK_EQ(read_to_end(&reader, &reader.bytes), 0);
		CHECK_EQ(reader.bytes, 4);
		expect_silence(loop);
	}
	stop_probe(&reader);
	CHECK_OK(brink_loop_destroy(loop));
	close_fd(&fds[0]);
	close_fd(&fds[1]);
}

static void unix_datagrams(enum kind kind)
{
	(void)kind;
	packets_of_type(SOCK_DGRAM, false);
}

static void unix_packets(enum kind kind)
{
	int probe_fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	(void)kind;
	if (probe_fd < 0)
		SKIP("this system has no SOCK_SEQPACKET for UNIX sockets");
	close_fd(&probe_fd);
	packets_of_type(SOCK_SEQPACKET, true);
}

/* ---- terminals ---- */

static void make_raw(int fd)
{
	struct termios settings;

	SYSCALL(tcgetattr(fd, &settings));
	settings.c_lflag &= (tcflag_t)~(ICANON | ECHO | ISIG);
	settings.c_iflag &= (tcflag_t)~(ICRNL | IXON);
	settings.c_oflag &= (tcflag_t)~OPOST;
	SYSCALL(tcsetattr(fd, TCSANOW, &settings));
}

struct terminal {
	int master, slave;
};

static void open_terminal(struct terminal *terminal)
{
	const char *name;

	SYSCALL(terminal->master = posix_openpt(O_RDWR | O_NOCTTY));
	SYSCALL(grantpt(terminal->master));
	SYSCALL(unlockpt(terminal->master));
	CHECK((name = ptsname(terminal->master)) != NULL);
	SYSCALL(terminal->slave = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
	SYSCALL(fcntl(terminal->master, F_SETFD, FD_CLOEXEC));
	set_nonblocking(terminal->master);
	make_raw(terminal->slave);
}

static void close_terminal(struct terminal *terminal)
{
	close_fd(&terminal->master);
	close_fd(&terminal->slave);
}

/* What was typed arrives and is one event; a terminal gives what it has, so a short read is
 * not taken for the last. */
static void expect_typing(brink_loop *loop, struct probe *reader, int keyboard)
{
	for (int i = 0; i < 3; i++) {
		write_all(keyboard, "typed\n", 6);
		reader->bytes = 0;
		while (reader->bytes < 6) { /* a terminal may pass it on in parts */
			RUN_UNTIL(loop, reader->new_calls != 0);
			CHECK_EQ(reader->last, BRINK_READ);
			discard_calls(reader);
			CHECK_ERROR(read_to_end(reader, &reader->bytes), -EAGAIN);
		}
		CHECK_EQ(reader->bytes, 6);
		expect_quiet(loop, reader, BRINK_READ);
	}
}

static void terminal_typing(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct terminal terminal;
	struct probe reader;

	(void)kind;
	open_terminal(&terminal);
	start_probe(loop, &reader, "terminal", terminal.slave, BRINK_READ);
	expect_silence(loop);
	expect_typing(loop, &reader, terminal.master);
	stop_probe(&reader);
	start_probe(loop, &reader, "master", terminal.master, BRINK_READ);
	expect_silence(loop);
	expect_typing(loop, &reader, terminal.slave);
	stop_probe(&reader);
	CHECK_OK(brink_loop_destroy(loop));
	close_terminal(&terminal);
}

/* All bytes, then the end, however the system says that: read() gives 0 or EIO. */
static void expect_hangup(brink_loop *loop, struct probe *probe, const char *cell)
{
	ssize_t result;

	do {
		RUN_UNTIL(loop, (probe->new_ready & BRINK_READ) != 0);
		observe(loop, probe, cell, BRINK_READ | BRINK_EOF | BRINK_ERROR);
		result = read_to_end(probe, &probe->bytes);
	} while (result == -EAGAIN);
	CHECK(result == 0 || result == -EIO);
	measure("read() after a terminal's hang-up", "%s", result == 0 ? "0" : "EIO");
	expect_silence(loop);
}

static void terminal_slave_closes(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct terminal terminal;
	struct probe master;

	(void)kind;
	open_terminal(&terminal);
	start_probe(loop, &master, "master", terminal.master, BRINK_READ);
	expect_silence(loop);
	write_all(terminal.slave, "bye", 3);
	await(terminal.master, BRINK_READ);
	close_fd(&terminal.slave);
	expect_hangup(loop, &master, "a terminal's slave is closed");
	CHECK_EQ(master.bytes, 3);
	stop_probe(&master);
	CHECK_OK(brink_loop_destroy(loop));
	close_terminal(&terminal);
}

static void terminal_hangs_up(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct terminal terminal;
	struct probe slave;

	(void)kind;
	open_terminal(&terminal);
	start_probe(loop, &slave, "slave", terminal.slave, BRINK_READ);
	expect_silence(loop);
	close_fd(&terminal.master);
	expect_hangup(loop, &slave, "a terminal's master is closed");
	stop_probe(&slave);
	CHECK_OK(brink_loop_destroy(loop));
	close_terminal(&terminal);
}

/* ---- standard input ---- */

/* Makes `fd` the standard input; returns what was it. */
static int redirect(int fd)
{
	int before = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);

	SYSCALL(dup2(fd, STDIN_FILENO));
	return before;
}

static void restore(int before)
{
	if (before < 0) {
		SYSCALL(close(STDIN_FILENO));
		return;
	}
	SYSCALL(dup2(before, STDIN_FILENO));
	close_fd(&before);
}

static void input_from_terminal(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct terminal terminal;
	struct probe reader;
	int before;

	(void)kind;
	open_terminal(&terminal);
	before = redirect(terminal.slave);
	start_probe(loop, &reader, "input", STDIN_FILENO, BRINK_READ);
	expect_silence(loop);
	expect_typing(loop, &reader, terminal.master);
	stop_probe(&reader);
	restore(before);
	CHECK_OK(brink_loop_destroy(loop));
	close_terminal(&terminal);
}

/* Descriptor 0 is a number like any other. */
static void input_from_pair(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe reader;
	int before = redirect(pair.ours);

	start_probe(loop, &reader, "input", STDIN_FILENO, BRINK_READ);
	expect_silence(loop);
	for (int i = 0; i < 3; i++) {
		feed_and_expect(loop, &pair, &reader, 3);
		read_dry(loop, &reader);
	}
	shut_theirs(&pair);
	RUN_UNTIL(loop, reader.new_calls != 0);
	observe(loop, &reader, "standard input ends", BRINK_READ | BRINK_EOF);
	CHECK_EQ(read_to_end(&reader, NULL), 0);
	stop_probe(&reader);
	restore(before);
	end_loop(loop, &pair);
}

static void input_from_file(enum kind kind)
{
	brink_loop *loop = new_loop();
	char name[] = "/tmp/brink-conformance.XXXXXX";
	int file = mkstemp(name), before;
	struct probe reader;

	(void)kind;
	SYSCALL(file);
	SYSCALL(unlink(name));
	before = redirect(file);
	init_probe(&reader, "input", NULL);
	CHECK_ERROR(brink_watch_start(loop, &reader.watch, STDIN_FILENO, BRINK_READ), -EPERM);
	CHECK_ERROR(brink_watch_start(loop, &reader.watch, STDIN_FILENO, BRINK_READ | BRINK_LEVEL), -EPERM);
	expect_silence(loop);
	restore(before);
	CHECK_OK(brink_loop_destroy(loop));
	close_fd(&file);
}

/* ---- devices ---- */

/* Kernels may refuse a device, call it ready, or never speak of it; at most once a ticket. */
static void measure_device(const char *path, unsigned interest)
{
	brink_loop *loop = new_loop();
	struct probe probe;
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY), result;
	char cell[64];

	if (fd < 0) {
		CHECK_OK(brink_loop_destroy(loop));
		return;
	}
	snprintf(cell, sizeof cell, "%s%s", path, (interest & BRINK_LEVEL) != 0 ? ", level" : "");
	init_probe(&probe, "device", NULL);
	result = brink_watch_start(loop, &probe.watch, fd, interest);
	if (result < 0) {
		measure(cell, "%s", brink_strerror(result));
		CHECK_EQ(brink_watch_active(&probe.watch), 0);
		expect_silence(loop);
	} else if ((interest & BRINK_LEVEL) == 0) {
		observe(loop, &probe, cell, DIRECTIONS | BRINK_EOF | BRINK_ERROR);
		expect_silence(loop);
	} else {
		turn(loop);
		turn(loop);
		measure(cell, "%s", bits_text(probe.ready));
		discard_calls(&probe);
		CHECK_OK(brink_watch_set(&probe.watch, 0));
		expect_silence(loop);
	}
	if (brink_watch_active(&probe.watch))
		stop_probe(&probe);
	expect_silence(loop);
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_OK(brink_loop_destroy(loop));
	close_fd(&fd);
}

static void devices(enum kind kind)
{
	static const char *const paths[] = {"/dev/null", "/dev/zero", "/dev/random", "/dev/full", "/dev/ptmx"};

	(void)kind;
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		measure_device(paths[i], DIRECTIONS);
		measure_device(paths[i], BRINK_READ | BRINK_LEVEL);
	}
}

static const struct scenario scenarios[] = {
	SCENARIO("file/fifo-started-again", fifo_started_again, KIND_NONE, .promises = {4, 6}),
	SCENARIO("file/fifo-kept-after-end", fifo_kept_after_end, KIND_NONE, .promises = {2, 4, 16}),
	SCENARIO("file/fifo-open-for-both", fifo_open_for_both, KIND_NONE, .promises = {1, 5}),
	SCENARIO("file/unix-datagrams", unix_datagrams, KIND_NONE, .promises = {3, 16}),
	SCENARIO("file/unix-packets", unix_packets, KIND_NONE, .promises = {3, 4, 16}),
	SCENARIO("file/terminal-typing", terminal_typing, KIND_NONE, .promises = {3, 16}),
	SCENARIO("file/terminal-slave-closes", terminal_slave_closes, KIND_NONE, .promises = {2, 4}),
	SCENARIO("file/terminal-hangs-up", terminal_hangs_up, KIND_NONE, .promises = {2, 4}),
	SCENARIO("file/input-from-terminal", input_from_terminal, KIND_NONE, .promises = {3}),
	SCENARIO("file/input-from-pair", input_from_pair, KINDS_ALL, .promises = {3, 4}),
	SCENARIO("file/input-from-file", input_from_file, KIND_NONE, .promises = {14}),
	SCENARIO("file/devices", devices, KIND_NONE, .promises = {2, 14, 18}),
	SCENARIO("file/eventfd", eventfd_counts, KIND_NONE, .promises = {3, 5, 16}),
	SCENARIO("file/eventfd-semaphore", eventfd_semaphore, KIND_NONE, .promises = {3, 16}),
	SCENARIO("file/timerfd", timerfd_ticks, KIND_NONE, .promises = {2, 3}),
	SCENARIO("file/packet-pipe", packet_pipe, KIND_NONE, .promises = {16}),
	SCENARIO("file/udp-error-queue", udp_error_queue, KIND_UDP, .promises = {2, 4, 18}),
	SCENARIO("file/nested-epoll", nested_epoll, KIND_NONE, .promises = {2, 3}),
	NO_MORE_SCENARIOS,
};

const struct group file_group = {"file", scenarios};
