/* A close is prompt: who waits for it learns of it without a turn of the loop. */
#include "groups.h"
#include "removal.h"

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

/* The peer learns of the close without a turn of the loop. */
static void peer_sees_close(enum kind kind)
{
	brink_loop *loop = new_loop();
	unsigned interest = kind == KIND_PIPE ? BRINK_WRITE : DIRECTIONS;

	for (int round = 0; round < 4; round++) {
		struct pair pair = open_pair(kind, BRINK_WRITE);
		struct probe probe;
		bool armed = round % 2 != 0, helper = round / 2 != 0;

		start_probe(loop, &probe, "ours", pair.ours, interest);
		if (armed) {
			expect_event(loop, &probe, BRINK_WRITE, NOT_WRITE);
			fill(pair.ours);
			CHECK_ERROR(brink_watch_write(&probe.watch, "x", 1), -EAGAIN);
			expect_quiet(loop, &probe, BRINK_WRITE);
		}
		if (helper) {
			close_probe(&probe, &pair.ours);
		} else {
			stop_probe(&probe);
			close_ours(&pair);
		}
		drain(pair.theirs);
		expect_end(pair.theirs);
		expect_silence(loop);
		close_pair(&pair);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static void act_close_and_look(struct probe *probe, unsigned ready)
{
	struct pair *pair = probe->data;

	(void)ready;
	close_probe(probe, &pair->ours);
	expect_end(pair->theirs);
}

static void peer_sees_close_in_callback(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_WRITE);
	brink_loop *loop = new_loop();
	struct probe probe;

	start_probe_acting(loop, &probe, "ours", pair.ours, BRINK_WRITE, act_close_and_look);
	probe.data = &pair;
	expect_event(loop, &probe, BRINK_WRITE, NOT_WRITE);
	expect_silence(loop);
	end_loop(loop, &pair);
}

/* A pipe's reader is gone when it was closed: the writer's next write says so. */
static void pipe_writer_sees_close(enum kind kind)
{
	struct pair pair = open_pair(kind, BRINK_READ);
	brink_loop *loop = new_loop();
	struct probe probe;
	uint64_t end = hang_deadline();
	ssize_t n;

	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	start_probe(loop, &probe, "reader", pair.ours, BRINK_READ);
	expect_silence(loop);
	close_probe(&probe, &pair.ours);
	while ((n = write(pair.theirs, "x", 1)) == 1 && monotonic_now() < end)
		sleep_ms(1);
	CHECK(n < 0 && errno == EPIPE);
	expect_silence(loop);
	end_loop(loop, &pair);
}

static void bind_again(const struct sockaddr *address, socklen_t length)
{
	int fd;

	SYSCALL(fd = socket(address->sa_family, SOCK_STREAM, 0));
	SYSCALL(bind(fd, address, length));
	SYSCALL(listen(fd, 1));
	close_fd(&fd);
}

static void port_bound_again(enum kind kind)
{
	brink_loop *loop = new_loop();

	for (int round = 0; round < 4; round++) {
		int listener = open_listener(kind, 4);
		struct sockaddr_storage address;
		socklen_t length = sizeof address;
		struct probe probe;

		SYSCALL(getsockname(listener, (struct sockaddr *)&address, &length));
		start_probe(loop, &probe, "listener", listener, BRINK_READ);
		if (round % 2 != 0)
			expect_silence(loop);
		if (round / 2 != 0) {
			close_probe(&probe, &listener);
		} else {
			stop_probe(&probe);
			close_fd(&listener);
		}
		bind_again((struct sockaddr *)&address, length);
		expect_silence(loop);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

struct rebind {
	struct probe closer, listening;
	int listener;
	struct sockaddr_storage address;
	socklen_t length;
};

static void act_close_listener(struct probe *probe, unsigned ready)
{
	struct rebind *rebind = probe->data;

	(void)ready;
	close_probe(&rebind->listening, &rebind->listener);
	bind_again((struct sockaddr *)&rebind->address, rebind->length);
}

static void port_bound_again_in_callback(enum kind kind)
{
	struct pair pair = open_pair(KIND_PIPE, BRINK_READ);
	brink_loop *loop = new_loop();
	struct rebind rebind = {.listener = open_listener(kind, 4), .length = sizeof rebind.address};

	SYSCALL(getsockname(rebind.listener, (struct sockaddr *)&rebind.address, &rebind.length));
	start_probe(loop, &rebind.listening, "listener", rebind.listener, BRINK_READ);
	start_probe_acting(loop, &rebind.closer, "closer", pair.ours, BRINK_READ, act_close_listener);
	rebind.closer.data = &rebind;
	expect_silence(loop);
	feed_and_expect(loop, &pair, &rebind.closer, 1);
	expect_silence(loop);
	stop_probe(&rebind.closer);
	end_loop(loop, &pair);
}

struct elsewhere {
	brink_loop *loop;
	brink_timer timer;
	pthread_mutex_t life; /* of the thread, which waits for it */
	atomic_bool has_run;
};

static void timer_stops(brink_timer *timer)
{
	brink_loop_stop(brink_container_of(timer, struct elsewhere, timer)->loop);
}

static void *run_and_live_on(void *data)
{
	struct elsewhere *elsewhere = data;

	CHECK_OK(brink_timer_start(elsewhere->loop, &elsewhere->timer, BRINK_MS(1), 0));
	CHECK_EQ(brink_loop_run(elsewhere->loop), 1);
	atomic_store(&elsewhere->has_run, true);
	pthread_mutex_lock(&elsewhere->life);
	pthread_mutex_unlock(&elsewhere->life);
	return NULL;
}

/* What the loop waited for on a thread that has run it, and does something else now, is over with the loop. */
static void port_bound_again_after_destroy(enum kind kind)
{
	for (int round = 0; round < 4; round++) {
		struct elsewhere elsewhere = {.loop = new_loop(), .life = PTHREAD_MUTEX_INITIALIZER};
		int listener = open_listener(kind, 4);
		struct sockaddr_storage address;
		socklen_t length = sizeof address;
		struct probe probe;
		pthread_t thread;

		SYSCALL(getsockname(listener, (struct sockaddr *)&address, &length));
		start_probe(elsewhere.loop, &probe, "listener", listener, BRINK_READ);
		brink_timer_init(&elsewhere.timer, timer_stops);
		pthread_mutex_lock(&elsewhere.life);
		CHECK_EQ(pthread_create(&thread, NULL, run_and_live_on, &elsewhere), 0);
		while (!atomic_load(&elsewhere.has_run))
			sleep_ms(1);
		CHECK_OK(brink_loop_destroy(elsewhere.loop));
		close_fd(&listener);
		bind_again((struct sockaddr *)&address, length);
		pthread_mutex_unlock(&elsewhere.life);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
}

static const struct scenario scenarios[] = {
	SCENARIO("removal/peer-sees-close", peer_sees_close, KINDS_ALL, .promises = {21}),
	SCENARIO("removal/peer-sees-close-in-callback", peer_sees_close_in_callback, KINDS_ALL,
	         .promises = {21}),
	SCENARIO("removal/pipe-writer-sees-close", pipe_writer_sees_close, KIND_PIPE, .promises = {21}),
	SCENARIO("removal/port-bound-again", port_bound_again, KINDS_TCP, .promises = {21}),
	SCENARIO("removal/port-bound-again-in-callback", port_bound_again_in_callback, KINDS_TCP,
	         .promises = {21}),
	SCENARIO("removal/port-bound-again-after-destroy", port_bound_again_after_destroy, KINDS_TCP,
	         .promises = {19, 21}),
	NO_MORE_SCENARIOS,
};

const struct group close_group = {"close", scenarios};
