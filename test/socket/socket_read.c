/* Reading: what is left comes again, nobody is starved, pause and resume. */
#include "groups.h"
#include "socket_stage.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A peer that writes the pattern as far as there is room. */
struct source {
	uint64_t at, end;
};

static void give(int fd, struct source *source)
{
	uint8_t part[65536];

	while (source->at < source->end) {
		size_t rest = (size_t)(source->end - source->at), size = rest < sizeof part ? rest : sizeof part;
		ssize_t n;

		lay_pattern(part, source->at, size);
		n = write(fd, part, size);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS))
			return;
		SYSCALL(n);
		source->at += (size_t)n;
	}
}

/* Checks the pattern, and takes what the scenario wants. */
struct sink {
	uint64_t at;
	size_t step; /* takes as many at a time; 0: all */
	bool paused; /* nothing may come */
	unsigned pause_each; /* pauses itself after so many calls */
	unsigned calls;
	atomic_bool self_paused;
};

static void check_bytes(struct sink *sink, brink_buffer *in, size_t size)
{
	uint8_t part[4096];

	while (size > 0) {
		size_t n = brink_buffer_copy(in, 0, part, size < sizeof part ? size : sizeof part);

		CHECK(n > 0);
		expect_part(part, sink->at, n);
		CHECK_EQ(brink_buffer_pop(in, n), n);
		sink->at += n;
		size -= n;
	}
}

static void sink_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct sink *sink = arg;
	size_t length = brink_buffer_length(in);

	CHECK(!sink->paused);
	check_bytes(sink, in, sink->step == 0 ? length : length - length % sink->step);
	if (sink->pause_each != 0 && ++sink->calls % sink->pause_each == 0) {
		brink_socket_pause(socket);
		sink->self_paused = true;
	}
}

static void everything_arrives(enum kind kind)
{
	static const size_t budgets[] = {0, 1, 1000, 65536};
	brink_loop *loop = new_loop();

	for (unsigned i = 0; i < sizeof budgets / sizeof budgets[0]; i++) {
		struct sink sink = {.step = i % 2 == 0 ? 0 : 1000};
		struct source source = {.end = budgets[i] == 1 ? 20000 : 3000000};
		struct life life;
		brink_socket *socket;

		open_life(&life, loop, kind, &(struct brink_socket_options){
			.on_bytes = sink_bytes, .arg = &sink, .read_budget = budgets[i]});
		socket = held(&life);
		RUN_UNTIL(loop, (give(life.pair.theirs, &source), life.got == source.end));
		CHECK_EQ(sink.at, source.end);
		CHECK_EQ(info_of(socket).bytes_read, source.end);
		CHECK_EQ(info_of(socket).messages_read, life.arrivals);
		expect_silence(loop);
		brink_socket_release(socket);
		end_life(&life);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

/* Nothing is taken until there are as many as wanted; they come again with the next. */
static void take_at_least(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct sink *sink = arg;

	(void)socket;
	sink->calls++;
	if (brink_buffer_length(in) >= sink->step)
		check_bytes(sink, in, brink_buffer_length(in));
}

static void left_comes_again(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct sink sink = {.step = 50};
	struct life life;

	open_life(&life, loop, kind, &(struct brink_socket_options){.on_bytes = take_at_least, .arg = &sink});
	for (unsigned i = 0; i < 50; i++) {
		uint8_t byte = pattern(i);

		write_all(life.pair.theirs, &byte, 1);
		RUN_UNTIL(loop, sink.calls == i + 1);
		CHECK_EQ(sink.at, i == 49 ? 50 : 0);
		if (i % 20 == 0)
			expect_silence(loop);
	}
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* One peer sends without end; the other's few bytes come nevertheless, and soon. */
static atomic_bool flooding;

static void *flood(void *arg)
{
	static const uint8_t bytes[65536];
	int fd = *(int *)arg;

	while (flooding)
		if (write(fd, bytes, sizeof bytes) < 0)
			CHECK(errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS);
	return NULL;
}

static void flood_starves_nobody(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct life flooded, quiet;
	pthread_t thread;

	open_life(&flooded, loop, kind, &(struct brink_socket_options){.read_budget = 65536});
	open_life(&quiet, loop, kind, NULL);
	flooding = true;
	run_thread(&thread, flood, &flooded.pair.theirs);
	RUN_UNTIL(loop, flooded.got > 65536);
	for (unsigned i = 1; i <= 50; i++) {
		unsigned turns = 0;

		write_all(quiet.pair.theirs, "x", 1);
		await(quiet.fd, BRINK_READ);
		RUN_UNTIL(loop, (turns++, quiet.got == i));
		CHECK(turns < 50);
	}
	flooding = false;
	join_thread(thread);
	end_life(&flooded);
	end_life(&quiet);
	CHECK_OK(brink_loop_destroy(loop));
}

/* A turn reads no more than the budget, but for the size of one read. */
static void budget_is_kept(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct sink sink = {0};
	struct source source = {.end = 100000};
	struct life life;
	size_t most = 0;

	open_life(&life, loop, kind, &(struct brink_socket_options){
		.on_bytes = sink_bytes, .arg = &sink, .read_budget = 4096});
	give(life.pair.theirs, &source);
	while (life.got < source.at) {
		size_t before = life.got;

		turn(loop);
		most = life.got - before > most ? life.got - before : most;
	}
	measure("bytes read in a turn with a budget of 4096", "%u", (unsigned)most);
	CHECK(most < source.at);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- pause ---- */

static void silent_while_paused(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct sink sink = {.paused = true};
	struct source source = {.end = 300000};
	struct life life;
	brink_socket *socket;

	open_life(&life, loop, kind, &(struct brink_socket_options){
		.on_bytes = sink_bytes, .arg = &sink, .flags = BRINK_SOCKET_PAUSED});
	socket = held(&life);
	for (unsigned round = 0; round < 3; round++) {
		source.end = (round + 1) * 100000;
		give(life.pair.theirs, &source);
		for (unsigned i = 0; i < 3; i++)
			turn(loop);
		CHECK_EQ(life.got, sink.at);
		sink.paused = false;
		brink_socket_resume(socket);
		brink_socket_resume(socket);
		RUN_UNTIL(loop, (give(life.pair.theirs, &source), life.got == source.end));
		brink_socket_pause(socket);
		brink_socket_pause(socket);
		sink.paused = true;
	}
	expect_silence(loop);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

static void pauses_itself(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct sink sink = {.pause_each = 1};
	struct source source = {.end = 500000};
	struct life life;
	brink_socket *socket;

	open_life(&life, loop, kind, &(struct brink_socket_options){
		.on_bytes = sink_bytes, .arg = &sink, .read_budget = 20000});
	socket = held(&life);
	while (life.got < source.end) {
		unsigned arrivals;

		give(life.pair.theirs, &source);
		RUN_UNTIL(loop, sink.self_paused || life.got == source.end);
		arrivals = life.arrivals;
		turn(loop);
		CHECK_EQ(life.arrivals, arrivals);
		sink.self_paused = false;
		brink_socket_resume(socket);
	}
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

/* Another thread pauses and resumes at random; the last word is a resume. */
static atomic_bool toggling;

static void *toggle(void *arg)
{
	brink_socket *socket = arg;
	uint64_t state = seed();

	while (toggling && is_alive(brink_socket_get_id(socket))) {
		if (random_of(&state, 2) == 0)
			brink_socket_pause(socket);
		else
			brink_socket_resume(socket);
	}
	brink_socket_resume(socket);
	brink_socket_release(socket);
	return NULL;
}

static void toggled_with(enum kind kind, brink_executor *executor)
{
	brink_loop *loop = new_loop();
	struct sink sink = {.step = 100};
	struct source source = {.end = is_slow() ? 1000000 : 5000000};
	struct life life;
	pthread_t threads[2];

	open_life(&life, loop, kind, &(struct brink_socket_options){
		.on_bytes = sink_bytes, .arg = &sink, .read_budget = 30000, .executor = executor});
	toggling = true;
	for (unsigned i = 0; i < 2; i++)
		run_thread(&threads[i], toggle, held(&life));
	RUN_UNTIL(loop, (give(life.pair.theirs, &source), life.got > source.end / 2));
	toggling = false;
	for (unsigned i = 0; i < 2; i++)
		join_thread(threads[i]);
	RUN_UNTIL(loop, (give(life.pair.theirs, &source), life.got == source.end));
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

static void toggled_by_threads(enum kind kind)
{
	toggled_with(kind, NULL);
}

static void toggled_on_an_executor(enum kind kind)
{
	brink_executor *executor;

	CHECK_OK(brink_executor_create(&executor, &(struct brink_executor_options){.threads = 2}));
	toggled_with(kind, executor);
	CHECK_OK(brink_executor_destroy(executor));
}

/* A pause on the loop's thread counts at once: with an executor only the call that is under
 * way may still come. */
static atomic_uint calls_seen;

static void slow_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)socket;
	(void)arg;
	brink_buffer_clear(in);
	calls_seen++;
	sleep_ms(1);
}

static void pause_on_an_executor(enum kind kind)
{
	brink_loop *loop = new_loop();
	brink_executor *executor;
	struct life life;
	brink_socket *socket;
	pthread_t thread;

	CHECK_OK(brink_executor_create(&executor, &(struct brink_executor_options){.threads = 2}));
	open_life(&life, loop, kind, &(struct brink_socket_options){
		.on_bytes = slow_bytes, .executor = executor, .read_budget = 65536});
	socket = held(&life);
	flooding = true;
	run_thread(&thread, flood, &life.pair.theirs);
	for (unsigned i = 0; i < 8; i++) {
		unsigned before = calls_seen;

		RUN_UNTIL(loop, calls_seen > before);
		brink_socket_pause(socket);
		before = calls_seen;
		sleep_ms(5);
		turn(loop);
		CHECK(calls_seen <= before + 1);
		brink_socket_resume(socket);
	}
	flooding = false;
	join_thread(thread);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
	CHECK_OK(brink_executor_destroy(executor));
}

static const struct scenario scenarios[] = {
	SCENARIO("socket-read/everything-arrives", everything_arrives, KINDS_STREAM),
	SCENARIO("socket-read/left-comes-again", left_comes_again, KINDS_STREAM),
	SCENARIO("socket-read/flood-starves-nobody", flood_starves_nobody, KINDS_STREAM),
	SCENARIO("socket-read/budget-is-kept", budget_is_kept, KINDS_STREAM),
	SCENARIO("socket-read/silent-while-paused", silent_while_paused, KINDS_STREAM),
	SCENARIO("socket-read/pauses-itself", pauses_itself, KINDS_STREAM),
	SCENARIO("socket-read/toggled-by-threads", toggled_by_threads, KINDS_STREAM),
	SCENARIO("socket-read/toggled-on-an-executor", toggled_on_an_executor, KINDS_STREAM),
	SCENARIO("socket-read/pause-on-an-executor", pause_on_an_executor, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group socket_read_group = {"socket-read", scenarios};
