/* Slow clients are cut off, and the others are served meanwhile. Times are short here, so that
 * they pass; what must not be cut off comes at once, or has no time of its own. */
#include "groups.h"
#include "http_stage.h"

#include <string.h>
#include <unistd.h>

#define HOST "Host: h\r\n"
#define LONG BRINK_SECONDS(1000)
#define SHORT (is_slow() ? BRINK_SECONDS(1) : BRINK_MS(150))

static void open_timed(struct web *web, enum kind kind, uint64_t head, uint64_t body, uint64_t idle)
{
	open_web(web, kind, ONE_LOOP);
	web->options.head_timeout = head;
	web->options.body_timeout = body;
	web->options.idle_timeout = idle;
	start_web(web);
}

static void let_pass(struct web *web, uint64_t time)
{
	uint64_t end = monotonic_now() + time;

	while (monotonic_now() < end)
		turn_briefly(web->service.loop);
}

static void serve_another(struct web *web, int fd)
{
	ask(web, fd, "GET /e HTTP/1.1\r\n" HOST "\r\n");
	expect_body(web, fd, 200, "GET /e h\n");
}

static void says_nothing(enum kind kind)
{
	struct web web;
	int fd;

	open_timed(&web, kind, SHORT, LONG, LONG);
	fd = visit(&web);
	RUN_UNTIL(web.service.loop, atomic_load(&web.service.closed) == 1);
	CHECK_EQ(atomic_load(&web.service.error), -ETIMEDOUT);
	close_fd(&fd);
	close_web(&web);
}

/* A byte now and then, to the end: 408, long before that. */
static void drip(struct web *web, const char *text)
{
	int slow = visit(web), good = visit(web);
	uint64_t end = hang_deadline();

	ask(web, slow, text);
	while (!ready_now(slow, BRINK_READ)) {
		ask(web, slow, "x");
		serve_another(web, good);
		sleep_ms(5);
		CHECK(monotonic_now() < end);
	}
	expect_status(web, slow, 408);
	expect_over(web, slow);
	serve_another(web, good);
	close_fd(&slow);
	close_fd(&good);
}

static void slow_head(enum kind kind)
{
	struct web web;

	/* The good client's connection may be silent before its first request. */
	open_timed(&web, kind, BRINK_MS(500), LONG, LONG);
	drip(&web, "GET / HTTP/1.1\r\nX: ");
	close_web(&web);
}

static void slow_second_head(enum kind kind)
{
	struct web web;
	int fd;

	open_timed(&web, kind, BRINK_MS(300), LONG, LONG);
	fd = visit(&web);
	ask(&web, fd, "GET /e HTTP/1.1\r\n" HOST "\r\nGET /f");
	expect_body(&web, fd, 200, "GET /e h\n");
	expect_status(&web, fd, 408);
	expect_over(&web, fd);
	close_fd(&fd);
	close_web(&web);
}

static void slow_body(enum kind kind)
{
	struct web web;

	open_web(&web, kind, ONE_LOOP);
	web.options.head_timeout = web.options.idle_timeout = LONG;
	web.options.body_timeout = SHORT;
	web.options.min_rate = 1u << 20; /* no dripping can be as fast */
	start_web(&web);
	drip(&web, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n");
	close_web(&web);
}

/* ---- readers on a busy executor ---- */

struct blocker {
	brink_task task;
	atomic_int state; /* 0: waits for its turn; 1: blocks; 2: may go; 3: gone */
};

static void block(brink_task *task)
{
	struct blocker *blocker = brink_container_of(task, struct blocker, task);

	for (atomic_store(&blocker->state, 1); atomic_load(&blocker->state) == 1;)
		sleep_ms(1);
	atomic_store(&blocker->state, 3);
}

static void start_on_thread(struct web *web)
{
	CHECK_OK(brink_executor_create(&web->service.executor, &(struct brink_executor_options){.threads = 1}));
	web->service.options.socket.executor = web->service.executor;
	start_web(web);
}

static void post_blocker(struct web *web, struct blocker *blocker)
{
	memset(blocker, 0, sizeof *blocker);
	brink_task_init(&blocker->task, block);
	CHECK_OK(brink_executor_post(web->service.executor, &blocker->task));
}

static void wait_for_state(struct blocker *blocker, int state)
{
	uint64_t end = hang_deadline();

	while (atomic_load(&blocker->state) != state) {
		sleep_ms(1);
		CHECK(monotonic_now() < end);
	}
}

/* Whenever its time is over a byte of its is about to be read, since the executor is busy nearly always. */
static void slow_while_busy(enum kind kind, const char *head, const char *drop)
{
	const uint64_t brief = 3 * SHORT; /* enough for the first request, said at once */
	struct blocker blockers[2];
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	web.options.head_timeout = web.options.body_timeout = brief;
	web.options.min_rate = 1u << 20;
	web.options.idle_timeout = LONG;
	start_on_thread(&web);
	fd = visit(&web);
	serve_another(&web, fd);
	post_blocker(&web, &blockers[0]);
	wait_for_state(&blockers[0], 1);
	ask(&web, fd, head);
	for (unsigned i = 0; !ready_now(fd, BRINK_READ); i++) {
		struct blocker *now = &blockers[i % 2], *next = &blockers[1 - i % 2];

		ask(&web, fd, drop);
		let_pass(&web, brief);
		post_blocker(&web, next); /* behind the reader */
		atomic_store(&now->state, 2);
		wait_for_state(next, 1);
		CHECK(i < 10); /* its time was over long ago */
	}
	for (int i = 0; i < 2; i++)
		if (atomic_load(&blockers[i].state) == 1)
			atomic_store(&blockers[i].state, 2);
	expect_status(&web, fd, 408);
	expect_over(&web, fd);
	close_fd(&fd);
	close_web(&web);
}

static void slow_body_while_busy(enum kind kind)
{
	slow_while_busy(kind, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n", "x");
}

static void slow_head_while_busy(enum kind kind)
{
	slow_while_busy(kind, "GET / HTTP/1.1\r\nX: ", "x");
}

/* Nobody has looked yet at what has come in time: of a connection, or of one that has rested. */
static void head_while_busy(enum kind kind, bool rested)
{
	struct blocker blocker;
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	web.options.head_timeout = rested ? LONG : SHORT;
	web.options.idle_timeout = rested ? 10 * SHORT : LONG;
	start_on_thread(&web);
	if (rested) {
		fd = visit(&web);
		serve_another(&web, fd);
	}
	post_blocker(&web, &blocker);
	wait_for_state(&blocker, 1);
	if (!rested)
		fd = connect_client(&web.service);
	ask(&web, fd, "GET /e HTTP/1.1\r\n" HOST "\r\n");
	let_pass(&web, rested ? 15 * SHORT : 3 * SHORT);
	CHECK_EQ(atomic_load(&web.service.closed), 0);
	atomic_store(&blocker.state, 2);
	expect_body(&web, fd, 200, "GET /e h\n");
	close_fd(&fd);
	close_web(&web);
}

static void first_head_while_busy(enum kind kind)
{
	head_while_busy(kind, false);
}

static void next_head_while_busy(enum kind kind)
{
	head_while_busy(kind, true);
}

/* The executor is busy whenever the time is over, and in between the program does not read: then all of the time begins
 * again, and it is busy for the first time. */
static void kept_between_busy(enum kind kind)
{
	const uint64_t timeout = BRINK_SECONDS(is_slow() ? 5 : 2); /* between its steps a slow machine may rest */
	uint64_t before, rest;
	struct blocker blocker;
	brink_socket *socket;
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	web.options.head_timeout = timeout;
	web.options.idle_timeout = LONG;
	start_on_thread(&web);
	fd = visit(&web);
	serve_another(&web, fd);
	before = monotonic_now();
	ask(&web, fd, "GET /e HTTP/1.1\r\nX: ");
	let_pass(&web, SHORT);
	post_blocker(&web, &blocker);
	wait_for_state(&blocker, 1);
	rest = monotonic_now() - before;
	ask(&web, fd, "x");
	let_pass(&web, timeout);
	socket = their_socket(&web);
	brink_socket_pause(socket);
	before = monotonic_now();
	atomic_store(&blocker.state, 2);
	wait_for_state(&blocker, 3);
	let_pass(&web, BRINK_MS(300)); /* for a look */
	brink_socket_resume(socket);
	brink_socket_release(socket);
	let_pass(&web, BRINK_MS(300));
	post_blocker(&web, &blocker);
	wait_for_state(&blocker, 1);
	if (monotonic_now() - before > rest)
		rest = monotonic_now() - before;
	ask(&web, fd, "y\r\n" HOST "\r\n");
	let_pass(&web, 2 * timeout);
	atomic_store(&blocker.state, 2);
	if (rest < timeout) /* or else the machine stood still while nobody was busy, and the time was over */
		expect_body(&web, fd, 200, "GET /e h\n");
	close_fd(&fd);
	close_web(&web);
}

static struct blocker in_head;

static int block_in_head(const brink_http_request *request, void *arg)
{
	(void)request, (void)arg;
	block(&in_head.task);
	return BRINK_HTTP_STREAM;
}

/* Its time is over while the reader has the whole of it, and asks: it is refused, and nobody hears of it. */
static void late_head(enum kind kind)
{
	const uint64_t timeout = BRINK_MS(500);
	struct blocker blocker;
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	memset(&in_head, 0, sizeof in_head);
	web.options.head_timeout = timeout;
	web.options.body_timeout = web.options.idle_timeout = LONG;
	web.options.on_head = block_in_head;
	start_on_thread(&web);
	fd = visit(&web);
	serve_another(&web, fd);
	ask(&web, fd, "GET /e HTTP/1.1\r\n" HOST "\r\nPOST /stream HTTP");
	expect_body(&web, fd, 200, "GET /e h\n");
	post_blocker(&web, &blocker); /* behind the reader, who has seen the beginning */
	wait_for_state(&blocker, 1);
	ask(&web, fd, "/1.1\r\n" HOST "Content-Length: 1\r\n\r\n");
	let_pass(&web, 2 * timeout);
	atomic_store(&blocker.state, 2);
	wait_for_state(&in_head, 1);
	expect_status(&web, fd, 408);
	CHECK_EQ(atomic_load(&in_head.state), 1);
	atomic_store(&in_head.state, 2);
	expect_over(&web, fd);
	RUN_UNTIL(web.service.loop, atomic_load(&web.service.closed) == 1);
	CHECK_EQ(atomic_load(&web.asked), 2);
	close_fd(&fd);
	close_web(&web);
}

static void silent_bodies(enum kind kind)
{
	struct web web;
	int fd;

	open_timed(&web, kind, LONG, SHORT, LONG);
	fd = visit(&web);
	ask(&web, fd, "POST / HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nab");
	expect_status(&web, fd, 408);
	expect_over(&web, fd);
	close_fd(&fd);
	fd = visit(&web);
	ask(&web, fd, "POST /stream HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nab");
	RUN_UNTIL(web.service.loop, atomic_load(&web.body_state) == -ETIMEDOUT);
	close_fd(&fd);
	close_web(&web);
}

static void idle(enum kind kind)
{
	struct web web;
	int fd;

	open_timed(&web, kind, LONG, LONG, SHORT);
	fd = visit(&web);
	serve_another(&web, fd);
	expect_gone(&web.service, fd, false);
	close_fd(&fd);
	RUN_UNTIL(web.service.loop, atomic_load(&web.service.closed) == 1);
	CHECK_EQ(atomic_load(&web.service.error), 0);
	close_web(&web);
}

/* However long the program takes, and however long it does not read: that is not the client's. */
static void our_own_time(enum kind kind)
{
	struct web web;
	int fd;

	open_timed(&web, kind, LONG, SHORT, SHORT);
	fd = visit(&web);
	ask(&web, fd, "GET /keep HTTP/1.1\r\n" HOST "\r\n");
	RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) == 1);
	for (int i = 0; i < 10; i++)
		turn(web.service.loop), sleep_ms(40);
	CHECK_EQ(atomic_load(&web.service.closed), 0);
	answer_kept(&web, 0);
	expect_body(&web, fd, 200, "0");
	close_fd(&fd);
	close_web(&web);
}

/* A request comes while the time to rest runs, and is answered when that would have been over long ago:
 * then the client has all of it again, and no more. */
static void rests_after_our_time(enum kind kind)
{
	struct web web;
	uint64_t answered;
	int fd;

	open_timed(&web, kind, LONG, LONG, SHORT);
	fd = visit(&web);
	serve_another(&web, fd);
	ask(&web, fd, "GET /keep HTTP/1.1\r\n" HOST "\r\n");
	RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) == 1);
	for (int i = 0; i < 10; i++)
		turn(web.service.loop), sleep_ms(40);
	CHECK_EQ(atomic_load(&web.service.closed), 0);
	answered = monotonic_now();
	answer_kept(&web, 0);
	expect_body(&web, fd, 200, "0");
	expect_gone(&web.service, fd, false);
	CHECK(monotonic_now() - answered >= SHORT);
	close_fd(&fd);
	RUN_UNTIL(web.service.loop, atomic_load(&web.service.closed) == 1);
	CHECK_EQ(atomic_load(&web.service.error), 0);
	close_web(&web);
}

/* The time of an answered request has passed unnoticed. When later the loop is held up, what came in time
 * is read before the connection is called idle. */
static void held_up_after_our_time(enum kind kind)
{
	const uint64_t idle = BRINK_SECONDS(1);
	uint64_t before, after;
	struct web web;
	int fd;

	open_web(&web, kind, ONE_LOOP);
	web.service.options.socket.idle_timeout = idle;
	web.options.head_timeout = web.options.body_timeout = LONG;
	web.options.idle_timeout = SHORT;
	start_web(&web);
	fd = visit(&web);
	serve_another(&web, fd);
	before = monotonic_now();
	ask(&web, fd, "GET /keep HTTP/1.1\r\n" HOST "\r\n");
	RUN_UNTIL(web.service.loop, atomic_load(&web.kept_count) == 1);
	after = monotonic_now();
	while (monotonic_now() < after + 2 * SHORT)
		turn_briefly(web.service.loop);
	write_all(fd, "GET /e HTTP/1.1\r\n" HOST "\r\n", sizeof "GET /e HTTP/1.1\r\n" HOST "\r\n" - 1);
	/* On a machine that stands still for so long it came too late. */
	if (monotonic_now() < before + idle) {
		while (monotonic_now() < after + idle + BRINK_MS(20))
			sleep_ms(10);
		turn(web.service.loop);
		turn(web.service.loop);
		CHECK_EQ(atomic_load(&web.service.closed), 0);
		answer_kept(&web, 0);
		expect_body(&web, fd, 200, "0");
		expect_body(&web, fd, 200, "GET /e h\n");
	} else {
		brink_http_request_free(web.kept[0]);
	}
	close_fd(&fd);
	close_web(&web);
}

static const struct scenario scenarios[] = {
	SCENARIO("http-time/says-nothing", says_nothing, KIND_TCP),
	SCENARIO("http-time/slow-head", slow_head, KIND_TCP),
	SCENARIO("http-time/slow-second-head", slow_second_head, KIND_TCP),
	SCENARIO("http-time/slow-body", slow_body, KIND_TCP),
	SCENARIO("http-time/slow-head-while-busy", slow_head_while_busy, KIND_TCP),
	SCENARIO("http-time/slow-body-while-busy", slow_body_while_busy, KIND_TCP),
	SCENARIO("http-time/first-head-while-busy", first_head_while_busy, KIND_TCP),
	SCENARIO("http-time/next-head-while-busy", next_head_while_busy, KIND_TCP),
	SCENARIO("http-time/kept-between-busy", kept_between_busy, KIND_TCP),
	SCENARIO("http-time/late-head", late_head, KIND_TCP),
	SCENARIO("http-time/silent-bodies", silent_bodies, KIND_TCP),
	SCENARIO("http-time/idle", idle, KIND_TCP),
	SCENARIO("http-time/our-own-time", our_own_time, KIND_TCP),
	SCENARIO("http-time/rests-after-our-time", rests_after_our_time, KIND_TCP),
	SCENARIO("http-time/held-up-after-our-time", held_up_after_our_time, KIND_TCP),
	NO_MORE_SCENARIOS,
};
const struct group http_time_group = {"http-time", scenarios};
