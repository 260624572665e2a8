/* Stopping, closing and starting again, a watch at a time; and the end of the loop. */
#include "groups.h"
#include "removal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Makes `*fd` the descriptor of that number, which must be free. */
void take_number(int *fd, int number)
{
	if (*fd == number)
		return;
	CHECK(fcntl(number, F_GETFD) < 0);
	SYSCALL(dup2(*fd, number));
	SYSCALL(fcntl(number, F_SETFD, FD_CLOEXEC));
	close_fd(fd);
	*fd = number;
}

bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Closes our end and opens a new pair whose end has its number. */
void replace(struct pair *pair, int number)
{
	struct pair next;

	close_pair(pair);
	next = open_pair(pair->kind, BRINK_READ);
	if (next.theirs == number) {
		SYSCALL(next.theirs = fcntl(number, F_DUPFD_CLOEXEC, number + 1));
		SYSCALL(close(number));
	}
	take_number(&next.ours, number);
	*pair = next;
}

int duplicate_of(int fd)
{
	int duplicate = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	SYSCALL(duplicate);
	return duplicate;
}

/* ---- a watch's own end ---- */

struct mortal {
	struct probe probe;
	int *fd; /* close it too, unless NULL */
	unsigned *deaths;
};

static void act_die(struct probe *probe, unsigned ready)
{
	struct mortal *mortal = brink_container_of(probe, struct mortal, probe);

	(void)ready;
	accept_calls(probe);
	if (mortal->fd != NULL)
		close_probe(probe, mortal->fd);
	else
		stop_probe(probe);
	(*mortal->deaths)++;
	memset(mortal, 0xa5, sizeof *mortal);
	free(mortal);
}

static void freed_in_own_callback(enum kind kind)
{
	brink_loop *loop = new_loop();
	unsigned deaths = 0;

	for (unsigned round = 0; round < 2; round++) {
		struct pair pair = open_pair(kind, BRINK_READ);
		struct mortal *mortal = malloc(sizeof *mortal);

		CHECK(mortal != NULL);
		feed(&pair, 1);
		start_probe_acting(loop, &mortal->probe, "mortal", pair.ours, BRINK_READ, act_die);
		mortal->fd = round == 0 ? NULL : &pair.ours;
		mortal->deaths = &deaths;
		RUN_UNTIL(loop, deaths == round + 1);
		expect_silence(loop);
		close_pair(&pair);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static void act_close_and_ask(struct probe *probe, unsigned ready)
{
	int fd = probe->watch.fd;
	char byte;

	(void)ready;
	CHECK_OK(brink_watch_close(&probe->watch));
	CHECK(!is_open(fd));
	CHECK_ERROR(brink_watch_close(&probe->watch), -ENOENT);
	CHECK_ERROR(brink_watch_stop(&probe->watch), -ENOENT);
	CHECK_ERROR(brink_watch_rearm(&probe->watch, BRINK_READ), -ENOENT);
	CHECK_ERROR(brink_watch_again(&probe->watch, BRINK_READ), -ENOENT);
	CHECK_ERROR(brink_watch_read(&probe->watch, &byte, 1), -ENOENT);
	CHECK_ERROR(brink_watch_write(&probe->watch, "x", 1), -ENOENT);
	CHECK_ERROR(brink_watch_accept(&probe->watch, NULL, NULL), -ENOENT);
}

static void closed_in_own_callback(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe probe;

	feed(&pair, 3);
	start_probe_acting(loop, &probe, "reader", pair.ours, BRINK_READ, act_close_and_ask);
	expect_event(loop, &probe, BRINK_READ, NOT_READ);
	pair.ours = -1;
	expect_silence(loop);
	end_loop(loop, &pair);
}

/* What a callback starts is looked at in the next turn: once a turn, although it is ready. */
static void act_restart(struct probe *probe, unsigned ready)
{
	(void)ready;
	accept_calls(probe);
	stop_probe(probe);
	CHECK_OK(brink_watch_start(probe->watch.loop, &probe->watch, probe->watch.fd, BRINK_READ));
}

static void restarted_in_own_callback(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe probe;

	feed(&pair, 3);
	start_probe_acting(loop, &probe, "reader", pair.ours, BRINK_READ, act_restart);
	for (unsigned calls = 1; calls <= 5; calls++) {
		RUN_UNTIL(loop, probe.calls >= calls);
		CHECK_EQ(probe.calls, calls);
	}
	stop_probe(&probe);
	expect_silence(loop);
	end_loop(loop, &pair);
}

struct handover {
	struct probe from, to;
};

static void act_hand_over(struct probe *probe, unsigned ready)
{
	struct handover *handover = probe->data;
	brink_loop *loop = probe->watch.loop;

	(void)ready;
	stop_probe(probe);
	start_probe(loop, &handover->to, "heir", probe->watch.fd, BRINK_READ);
}

static void handed_over_in_callback(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct handover handover;

	memset(&handover, 0, sizeof handover);
	feed(&pair, 3);
	start_probe_acting(loop, &handover.from, "reader", pair.ours, BRINK_READ, act_hand_over);
	handover.from.data = &handover;
	expect_event(loop, &handover.from, BRINK_READ, NOT_READ);
	expect_event(loop, &handover.to, BRINK_READ, NOT_READ);
	expect_silence(loop);
	CHECK_ERROR(brink_watch_stop(&handover.from.watch), -ENOENT);
	read_dry(loop, &handover.to);
	stop_probe(&handover.to);
	end_loop(loop, &pair);
}

/* ---- starting again ---- */

static void restarted_without_a_wait(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe probe;

	feed(&pair, 3);
	start_probe(loop, &probe, "reader", pair.ours, BRINK_READ);
	for (int i = 0; i < 50; i++) {
		stop_probe(&probe);
		CHECK_OK(brink_watch_start(loop, &probe.watch, pair.ours, BRINK_READ));
	}
	expect_event(loop, &probe, BRINK_READ, NOT_READ);
	expect_silence(loop);
	/* Unread still, so it is ready when it is started. */
	stop_probe(&probe);
	CHECK_OK(brink_watch_start(loop, &probe.watch, pair.ours, BRINK_READ));
	expect_event(loop, &probe, BRINK_READ, NOT_READ);
	stop_probe(&probe);
	CHECK_EQ(drain(pair.ours), 3);
	CHECK_OK(brink_watch_start(loop, &probe.watch, pair.ours, BRINK_READ));
	expect_silence(loop);
	feed_and_expect(loop, &pair, &probe, 1);
	stop_probe(&probe);
	expect_silence(loop);
	end_loop(loop, &pair);
}

static void restarted_for_another_direction(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe probe;

	feed(&pair, 3);
	start_probe(loop, &probe, "ours", pair.ours, BRINK_READ);
	stop_probe(&probe);
	CHECK_OK(brink_watch_start(loop, &probe.watch, pair.ours, BRINK_WRITE));
	expect_event(loop, &probe, BRINK_WRITE, NOT_WRITE);
	stop_probe(&probe);
	CHECK_OK(brink_watch_start(loop, &probe.watch, pair.ours, BRINK_READ));
	expect_event(loop, &probe, BRINK_READ, NOT_READ);
	stop_probe(&probe);
	CHECK_OK(brink_watch_start(loop, &probe.watch, pair.ours, DIRECTIONS));
	expect_event(loop, &probe, DIRECTIONS, BRINK_EOF | BRINK_ERROR);
	expect_silence(loop);
	stop_probe(&probe);
	CHECK_OK(brink_watch_start(loop, &probe.watch, pair.ours, BRINK_READ | BRINK_LEVEL));
	RUN_UNTIL(loop, probe.new_calls >= 2);
	discard_calls(&probe);
	stop_probe(&probe);
	CHECK_OK(brink_watch_start(loop, &probe.watch, pair.ours, BRINK_READ));
	expect_event(loop, &probe, BRINK_READ, NOT_READ);
	expect_silence(loop);
	stop_probe(&probe);
	end_loop(loop, &pair);
}

/* The same memory watches one descriptor after another. */
static void moved_to_another_descriptor(enum kind kind)
{
	struct pair first = open_pair(kind, BRINK_READ), second = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe probe;

	start_probe(loop, &probe, "reader", first.ours, BRINK_READ);
	expect_silence(loop);
	feed(&first, 1);
	stop_probe(&probe);
	CHECK_OK(brink_watch_start(loop, &probe.watch, second.ours, BRINK_READ));
	CHECK_EQ(probe.watch.fd, second.ours);
	expect_silence(loop);
	feed_and_expect(loop, &second, &probe, 2);
	feed(&first, 1);
	expect_silence(loop);
	CHECK_ERROR(read_to_end(&probe, &probe.bytes), -EAGAIN);
	CHECK_EQ(probe.bytes, 2);
	expect_quiet(loop, &probe, BRINK_READ);
	stop_probe(&probe);
	end_loop(loop, &first);
	close_pair(&second);
}

/* ---- what was asked for, and then stopped ---- */

static void again_then_stopped(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe probe;

	start_probe(loop, &probe, "reader", pair.ours, BRINK_READ);
	CHECK_OK(brink_watch_again(&probe.watch, BRINK_READ));
	stop_probe(&probe);
	expect_silence(loop);
	CHECK_OK(brink_watch_start(loop, &probe.watch, pair.ours, BRINK_READ));
	expect_silence(loop);
	CHECK_OK(brink_watch_again(&probe.watch, BRINK_READ));
	stop_probe(&probe);
	CHECK_OK(brink_watch_start(loop, &probe.watch, pair.ours, BRINK_READ));
	expect_silence(loop);
	CHECK_OK(brink_watch_again(&probe.watch, BRINK_READ));
	close_probe(&probe, &pair.ours);
	expect_silence(loop);
	end_loop(loop, &pair);
}

/* ---- the loop ends first ---- */

static void act_destroy_loop(struct probe *probe, unsigned ready)
{
	(void)ready;
	CHECK_ERROR(brink_loop_destroy(probe->watch.loop), -EBUSY);
}

static void destroyed_with_live_watches(enum kind kind)
{
	struct pair ready = open_pair(kind, BRINK_READ), idle = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe called, pending, untouched;
	struct pair unseen = open_pair(kind, BRINK_READ);

	feed(&ready, 1);
	start_probe_acting(loop, &called, "called", ready.ours, BRINK_READ, act_destroy_loop);
	start_probe(loop, &untouched, "idle", idle.ours, BRINK_READ);
	expect_event(loop, &called, BRINK_READ, NOT_READ);
	start_probe(loop, &pending, "never called", unseen.ours, BRINK_READ);
	feed(&unseen, 1);
	CHECK_OK(brink_watch_again(&called.watch, BRINK_READ));
	CHECK_EQ(brink_loop_destroy(loop), 0);
	CHECK_EQ(called.calls, 1);
	CHECK_EQ(pending.calls, 0);
	CHECK_EQ(brink_watch_active(&called.watch) + brink_watch_active(&pending.watch) +
	             brink_watch_active(&untouched.watch),
	         0);
	CHECK_ERROR(brink_watch_stop(&called.watch), -ENOENT);
	CHECK_ERROR(brink_watch_close(&untouched.watch), -ENOENT);
	/* The descriptors are the program's, and can go to another loop. */
	loop = new_loop();
	CHECK_OK(brink_watch_start(loop, &pending.watch, unseen.ours, BRINK_READ));
	expect_event(loop, &pending, BRINK_READ, NOT_READ);
	CHECK_EQ(brink_loop_destroy(loop), 0);
	CHECK_EQ(brink_loop_destroy(NULL), 0);
	close_pair(&ready);
	close_pair(&idle);
	close_pair(&unseen);
}

/* Level-triggered watches at rest are in no kernel's queue, but the loop knows them. */
static void destroyed_with_watches_at_rest(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ), other = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe never, once, stopped;

	start_probe(loop, &never, "never asked", pair.ours, BRINK_LEVEL);
	start_probe(loop, &once, "asked once", other.ours, BRINK_READ | BRINK_LEVEL);
	start_probe(loop, &stopped, "stopped", other.ours, BRINK_LEVEL);
	CHECK_OK(brink_watch_set(&once.watch, 0));
	feed(&pair, 1);
	feed(&other, 1);
	expect_silence(loop);
	stop_probe(&stopped);
	memset(&stopped, 0xa5, sizeof stopped); /* its memory is the program's again */
	CHECK_EQ(brink_loop_destroy(loop), 0);
	CHECK_EQ(brink_watch_active(&never.watch) + brink_watch_active(&once.watch), 0);
	CHECK_ERROR(brink_watch_stop(&never.watch), -ENOENT);
	CHECK_ERROR(brink_watch_set(&once.watch, BRINK_READ), -ENOENT);
	CHECK_ERROR(brink_watch_close(&once.watch), -ENOENT);
	CHECK(is_open(pair.ours) && is_open(other.ours));
	close_pair(&pair);
	close_pair(&other);
}

static const struct scenario scenarios[] = {
	SCENARIO("removal/freed-in-own-callback", freed_in_own_callback, KINDS_ALL, .promises = {7}),
	SCENARIO("removal/closed-in-own-callback", closed_in_own_callback, KINDS_ALL | KIND_UDP,
	         .promises = {6, 7, 14}),
	SCENARIO("removal/restarted-in-own-callback", restarted_in_own_callback, KINDS_ALL | KIND_UDP,
	         .promises = {1, 7, 23}),
	SCENARIO("removal/handed-over-in-callback", handed_over_in_callback, KINDS_ALL,
	         .promises = {1, 6, 7}),
	SCENARIO("removal/restarted-without-a-wait", restarted_without_a_wait, KINDS_ALL,
	         .promises = {1, 2, 6}),
	SCENARIO("removal/restarted-for-another-direction", restarted_for_another_direction, KINDS_STREAM | KIND_UDP,
	         .promises = {1, 2, 6}),
	SCENARIO("removal/moved-to-another-descriptor", moved_to_another_descriptor, KINDS_ALL,
	         .promises = {6}),
	SCENARIO("removal/again-then-stopped", again_then_stopped, KINDS_ALL, .promises = {6, 17}),
	SCENARIO("removal/destroyed-with-live-watches", destroyed_with_live_watches, KINDS_ALL,
	         .promises = {6, 7, 14}),
	SCENARIO("removal/destroyed-at-rest", destroyed_with_watches_at_rest, KINDS_ALL,
	         .promises = {7, 14, 18}),
	NO_MORE_SCENARIOS,
};

const struct group removal_group = {"removal", scenarios};
