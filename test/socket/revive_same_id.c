/* A failed client comes back under the same id when its server does; and does not when it is
 * not to. */
#include "client_stage.h"
#include "groups.h"
#include "scarce.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define INTERVAL BRINK_MS(10)

static void open_reviving(struct client_stage *stage, enum kind kind)
{
	open_client_stage(stage, kind);
	stage->options.probe_interval = INTERVAL;
	stage->options.probe_interval_max = 2 * INTERVAL;
}

/* Connected to a server that runs, whose side of it is returned. */
static int open_connected(struct client_stage *stage, enum kind kind)
{
	open_reviving(stage, kind);
	start_server(&stage->server, 16);
	create_client(stage);
	return accept_client(stage);
}

/* The present connection, if any, ends; `probes` is what probing has left in the queue. */
static void lose_server(struct client_stage *stage, int *peer)
{
	unsigned closes = stage->seen.closes;

	stop_server(&stage->server);
	close_fd(peer);
	RUN_UNTIL(stage->loop, stage->seen.closes == closes + 1);
	CHECK(!resolves(stage->id));
}

static void server_restarts(enum kind kind)
{
	struct client_stage stage;
	struct brink_socket_info info;
	brink_socket *socket;
	brink_socket_id id;
	int peer = open_connected(&stage, kind);

	id = stage.id;
	for (unsigned life = 2; life <= 5; life++) {
		lose_server(&stage, &peer);
		turn_for(stage.loop, 3 * INTERVAL); /* probes in vain */
		CHECK(!resolves(id));
		start_server(&stage.server, 16);
		RUN_UNTIL(stage.loop, stage.seen.opens == life);
		CHECK_EQ(stage.seen.revives, life - 1);
		peer = accept_plain(stage.server.listener);
		write_text(id, "again");
		read_text(stage.loop, peer, "again");
		write_all(peer, "and back", 8);
		RUN_UNTIL(stage.loop, stage.seen.size == 8);
		CHECK(strcmp(stage.seen.bytes, "and back") == 0);
		socket = brink_socket_address(id);
		CHECK(socket != NULL);
		brink_socket_get_info(socket, &info);
		CHECK_EQ(info.lives, life);
		CHECK_EQ(info.state, BRINK_SOCKET_OPEN);
		brink_socket_release(socket);
	}
	close_client_stage(&stage);
	close_fd(&peer);
}

/* One that could not even connect at first. */
static void server_comes_later(enum kind kind)
{
	struct client_stage stage;
	int peer;

	open_reviving(&stage, kind);
	create_client(&stage);
	RUN_UNTIL(stage.loop, stage.seen.closes == 1);
	CHECK_EQ(stage.seen.opens, 0);
	start_server(&stage.server, 16);
	RUN_UNTIL(stage.loop, stage.seen.opens == 1);
	CHECK_EQ(stage.seen.revives, 1);
	peer = accept_plain(stage.server.listener);
	close_client_stage(&stage);
	close_fd(&peer);
}

/* The loop is held up until the time of a probe's connect is over: that it stood before counts. */
static void probe_held_up(enum kind kind)
{
	struct client_stage stage;
	uint64_t end;
	int peer;

	open_reviving(&stage, kind);
	stage.options.connect_timeout = BRINK_MS(100);
	create_client(&stage);
	RUN_UNTIL(stage.loop, stage.seen.closes == 1);
	start_server(&stage.server, 16);
	RUN_UNTIL(stage.loop, ready_now(stage.server.listener, BRINK_READ));
	for (end = monotonic_now() + BRINK_MS(100); monotonic_now() <= end;)
		usleep(10000);
	RUN_UNTIL(stage.loop, stage.seen.opens == 1);
	peer = accept_plain(stage.server.listener);
	CHECK(!ready_now(peer, BRINK_READ)); /* it is the first that is used */
	close_client_stage(&stage);
	close_fd(&peer);
}

/* Failed by the user, though the server is well: not before the isolation is over. */
static void isolation(enum kind kind)
{
	struct client_stage stage;
	uint64_t failed;
	int peer;

	open_reviving(&stage, kind);
	stage.options.isolation = BRINK_MS(120);
	start_server(&stage.server, 16);
	create_client(&stage);
	peer = accept_client(&stage);
	failed = monotonic_now();
	CHECK_OK(brink_socket_fail(stage.id, -EPROTO, "nonsense"));
	RUN_UNTIL(stage.loop, stage.seen.opens == 2);
	CHECK(monotonic_now() - failed >= BRINK_MS(120));
	CHECK_EQ(stage.seen.closes, 1);
	CHECK_ERROR(stage.seen.error, -EPROTO);
	close_client_stage(&stage);
	close_fd(&peer);
}

/* ---- the user's own probe ---- */

static unsigned probes;
static uint64_t probed_at[16];
static unsigned well_after;

static int on_probe(brink_socket *socket, void *arg)
{
	struct seen *seen = arg;

	seen->disorder |= seen->open || resolves(brink_socket_get_id(socket));
	if (probes < 16)
		probed_at[probes] = brink_loop_now(brink_socket_loop(socket)); /* what timers go by */
	return ++probes >= well_after ? 0 : -EHOSTDOWN;
}

static void own_probe(enum kind kind)
{
	struct client_stage stage;
	int peer;

	well_after = 3;
	open_reviving(&stage, kind);
	stage.options.probe = on_probe;
	start_server(&stage.server, 16);
	create_client(&stage);
	peer = accept_client(&stage);
	close_fd(&peer);
	RUN_UNTIL(stage.loop, stage.seen.opens == 2);
	CHECK_EQ(probes, 3);
	CHECK_EQ(stage.seen.revives, 1);
	peer = accept_plain(stage.server.listener);
	write_text(stage.id, "hello");
	read_text(stage.loop, peer, "hello");
	close_client_stage(&stage);
	close_fd(&peer);
}

/* It says well where nothing listens: a new life without a connection, and so on. */
static void own_probe_errs(enum kind kind)
{
	struct client_stage stage;

	well_after = 1;
	open_reviving(&stage, kind);
	stage.options.probe = on_probe;
	create_client(&stage);
	RUN_UNTIL(stage.loop, probes >= 3);
	CHECK_EQ(stage.seen.opens, 0);
	close_client_stage(&stage);
}

/* Each pause is longer than the one before, up to the limit. A stall of the machine makes a pause
 * longer, and none shorter. */
static void back_off(enum kind kind)
{
	struct client_stage stage;

	well_after = 1000;
	open_reviving(&stage, kind);
	stage.options.probe = on_probe;
	stage.options.probe_interval_max = 4 * INTERVAL;
	create_client(&stage);
	RUN_UNTIL(stage.loop, probes == 6);
	for (unsigned i = 1; i < 6; i++) {
		uint64_t least = i == 1 ? INTERVAL : i == 2 ? 2 * INTERVAL : 4 * INTERVAL;

		CHECK(probed_at[i] - probed_at[i - 1] >= least);
	}
	close_client_stage(&stage);
}

#define CROWD 4

static brink_loop *crowd_loop;
static uint64_t failed_at, lateness, due_at[CROWD];
static unsigned stand;

static void note_open(brink_socket *socket, void *arg)
{
	(void)socket;
	(void)arg;
	stand++;
}

static void note_failure(brink_socket_id id)
{
	(void)id;
	failed_at = brink_loop_now(crowd_loop);
}

static void note_lateness(const struct brink_trace_record *record, void *context)
{
	(void)context;
	if (record->kind == BRINK_TRACE_TIMER)
		lateness = (uint64_t)record->value;
}

static int note_probe(brink_socket *socket, void *arg)
{
	(void)arg;
	if (probes < CROWD)
		due_at[probes] = brink_loop_now(brink_socket_loop(socket)) - lateness;
	probes++;
	return -EHOSTDOWN;
}

/* They lose their server in one turn, and are not to come back in one: already the first pause is a little
 * longer for some than for others, and for none too short. It is measured by when the timers were due. */
static void crowd_comes_apart(enum kind kind)
{
	struct client_stage stage;
	brink_socket_id ids[CROWD];
	int peers[CROWD];
	bool apart = false;

	open_reviving(&stage, kind);
	crowd_loop = stage.loop;
	brink_loop_set_trace(stage.loop, note_lateness, NULL);
	stage.options.probe = note_probe;
	stage.options.probe_interval = stage.options.probe_interval_max = BRINK_MS(100);
	stage.options.on_open = note_open; /* several are open at a time */
	stage.seen.act_close = note_failure;
	start_server(&stage.server, 16);
	for (unsigned i = 0; i < CROWD; i++) {
		create_client(&stage);
		ids[i] = stage.id;
		RUN_UNTIL(stage.loop, stand == i + 1);
		peers[i] = accept_plain(stage.server.listener);
	}
	for (unsigned i = 0; i < CROWD; i++)
		CHECK_OK(brink_socket_fail(ids[i], -EPROTO, "all at once"));
	RUN_UNTIL(stage.loop, probes >= CROWD);
	CHECK_EQ(stage.seen.closes, CROWD);
	for (unsigned i = 0; i < CROWD; i++) {
		CHECK(due_at[i] - failed_at >= BRINK_MS(100) && due_at[i] - failed_at <= BRINK_MS(100) + BRINK_MS(100) / 8);
		apart = apart || due_at[i] != due_at[0];
		close_fd(&peers[i]);
	}
	CHECK(apart);
	for (unsigned i = 0; i + 1 < CROWD; i++)
		CHECK_OK(brink_socket_abandon(ids[i]));
	close_client_stage(&stage);
}

/* ---- references ---- */

/* As long as somebody has the failed one, nothing of it changes. */
static void holders_delay(enum kind kind)
{
	struct client_stage stage;
	struct brink_socket_info info;
	brink_socket *socket, *other;
	int peer = open_connected(&stage, kind);

	socket = brink_socket_address(stage.id);
	CHECK(socket != NULL);
	other = brink_socket_hold(socket);
	close_fd(&peer);
	RUN_UNTIL(stage.loop, stage.seen.closes == 1);
	turn_for(stage.loop, 10 * INTERVAL);
	brink_socket_release(other);
	turn_for(stage.loop, 5 * INTERVAL);
	CHECK_EQ(stage.seen.revives, 0);
	brink_socket_get_info(socket, &info);
	CHECK_EQ(info.state, BRINK_SOCKET_FAILED);
	CHECK(brink_socket_write_bytes(socket, "x", 1) < 0);
	brink_socket_release(socket);
	RUN_UNTIL(stage.loop, stage.seen.opens == 2);
	close_client_stage(&stage);
}

/* Held in the user's probe: the release brings it back. */
static brink_socket *held;

static int hold_in_probe(brink_socket *socket, void *arg)
{
	(void)arg;
	probes++;
	held = brink_socket_hold(socket);
	return 0;
}

static void held_in_probe(enum kind kind)
{
	struct client_stage stage;
	int peer;

	open_reviving(&stage, kind);
	stage.options.probe = hold_in_probe;
	start_server(&stage.server, 16);
	create_client(&stage);
	peer = accept_client(&stage);
	close_fd(&peer);
	RUN_UNTIL(stage.loop, probes == 1);
	turn_for(stage.loop, 3 * INTERVAL);
	CHECK_EQ(stage.seen.revives, 0);
	brink_socket_release(held);
	RUN_UNTIL(stage.loop, stage.seen.opens == 2);
	CHECK_EQ(probes, 1);
	close_client_stage(&stage);
}

static atomic_bool asking;

static void *ask_on(void *arg)
{
	brink_socket_id id = *(brink_socket_id *)arg;

	while (atomic_load(&asking)) {
		brink_socket *socket = brink_socket_address(id);

		if (socket != NULL) {
			brink_socket_write_bytes(socket, "?", 1);
			brink_socket_release(socket);
		}
		brink_socket_fail(id, -EINTR, "by another thread");
	}
	return NULL;
}

#define ASKERS 3

/* Others ask for the id, write and fail all the time, while it dies and lives. */
static void asked_by_many(enum kind kind)
{
	struct client_stage stage;
	pthread_t threads[ASKERS];
	int fd, rounds = is_slow() ? 5 : 30;

	open_reviving(&stage, kind);
	stage.options.probe_interval = stage.options.probe_interval_max = BRINK_MS(1);
	start_server(&stage.server, 64);
	stage.seen.failed_by_others = true;
	create_client(&stage);
	atomic_store(&asking, true);
	for (int i = 0; i < ASKERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, ask_on, &stage.id), 0);
	while (stage.seen.revives < (unsigned)rounds) {
		turn(stage.loop);
		while ((fd = accept(stage.server.listener, NULL, NULL)) >= 0)
			close_fd(&fd);
	}
	atomic_store(&asking, false);
	for (int i = 0; i < ASKERS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	close_client_stage(&stage);
	CHECK_EQ(stage.seen.closes, stage.seen.revives + 1);
}

/* ---- giving up ---- */

static void abandoned(enum kind kind)
{
	struct client_stage stage;
	int peer = open_connected(&stage, kind);

	lose_server(&stage, &peer);
	CHECK_OK(brink_socket_abandon(stage.id));
	CHECK_ERROR(brink_socket_abandon(stage.id), -ENOENT);
	start_server(&stage.server, 16);
	turn_for(stage.loop, 6 * INTERVAL);
	CHECK_EQ(stage.seen.revives, 0);
	CHECK_EQ(stage.seen.closes, 1);
	CHECK(!resolves(stage.id));
	/* Nothing keeps the loop. */
	CHECK_EQ(brink_loop_run(stage.loop), 0);
	close_client_stage(&stage);
}

/* While it lives, while it is held, while a probe hangs. */
static void abandoned_alive(enum kind kind)
{
	struct client_stage stage;
	brink_socket *socket;
	int peer = open_connected(&stage, kind);

	socket = brink_socket_address(stage.id);
	CHECK(socket != NULL);
	CHECK_OK(brink_socket_abandon(stage.id));
	RUN_UNTIL(stage.loop, stage.seen.closes == 1);
	turn_for(stage.loop, 3 * INTERVAL);
	brink_socket_release(socket);
	CHECK_EQ(brink_loop_run(stage.loop), 0);
	CHECK_EQ(stage.seen.revives, 0);
	close_fd(&peer);
	close_client_stage(&stage);
}

static void abandoned_in_probe(enum kind kind)
{
	struct client_stage stage;
	struct crowd crowd;

	open_reviving(&stage, kind);
	create_client(&stage);
	RUN_UNTIL(stage.loop, stage.seen.closes == 1);
	start_server(&stage.server, 0);
	crowd_server(&stage.server, &crowd);
	turn_for(stage.loop, 4 * INTERVAL);
	CHECK_EQ(stage.seen.opens, 0);
	CHECK_OK(brink_socket_abandon(stage.id));
	CHECK_EQ(brink_loop_run(stage.loop), 0);
	disperse(&crowd);
	close_client_stage(&stage);
}

static atomic_bool coming_back;

static int on_probe_while_abandoned(brink_socket *socket, void *arg)
{
	(void)socket;
	(void)arg;
	atomic_store(&coming_back, true);
	return 0;
}

static void *abandon_soon(void *arg)
{
	brink_socket_id id = *(brink_socket_id *)arg;
	unsigned delay = random_below(3000);

	while (!atomic_load(&coming_back))
		sched_yield();
	while (delay-- > 0)
		atomic_load(&coming_back);
	CHECK_OK(brink_socket_abandon(id));
	/* It may have come back before, but does not from now on. */
	for (int i = 0; i < 2000; i++)
		CHECK(!resolves(id));
	return NULL;
}

static void abandoned_while_coming_back(enum kind kind)
{
	struct client_stage stage;
	int fd, rounds = is_slow() ? 20 : 100;

	open_reviving(&stage, kind);
	stage.options.probe_interval = BRINK_MS(1);
	stage.options.probe = on_probe_while_abandoned;
	start_server(&stage.server, 64);
	stage.seen.failed_by_others = true;
	for (int i = 0; i < rounds; i++) {
		pthread_t thread;

		atomic_store(&coming_back, false);
		create_client(&stage);
		CHECK_EQ(pthread_create(&thread, NULL, abandon_soon, &stage.id), 0);
		CHECK_OK(brink_socket_fail(stage.id, -EINTR, "to be probed"));
		RUN_UNTIL(stage.loop, !brink_loop_run_once(stage.loop, 0) && atomic_load(&coming_back));
		CHECK_EQ(pthread_join(thread, NULL), 0);
		/* Nothing keeps the loop. */
		CHECK_EQ(brink_loop_run(stage.loop), 0);
		CHECK_EQ(stage.seen.closes, stage.seen.revives + (unsigned)i + 1);
		while ((fd = accept(stage.server.listener, NULL, NULL)) >= 0)
			close_fd(&fd);
	}
	close_client_stage(&stage);
}

struct abandoning {
	brink_socket_id id;
	unsigned delay;
	int result;
};
static atomic_uint ready_to_abandon;

static void *abandon_together(void *arg)
{
	struct abandoning *one = arg;

	atomic_fetch_add(&ready_to_abandon, 1);
	while (atomic_load(&ready_to_abandon) != 2)
		;
	while (one->delay-- > 0)
		atomic_load(&ready_to_abandon);
	one->result = brink_socket_abandon(one->id);
	return NULL;
}

/* One of two is told that it was he. */
static void abandoned_by_two(enum kind kind)
{
	unsigned rounds = is_slow() ? 50 : is_long() ? 5000 : 300;
	struct client_stage stage;

	open_reviving(&stage, kind);
	for (unsigned i = 0; i < rounds; i++) {
		struct abandoning two[2];
		pthread_t thread;

		create_client(&stage);
		for (int k = 0; k < 2; k++)
			two[k] = (struct abandoning){.id = stage.id, .delay = random_below(100)};
		atomic_store(&ready_to_abandon, 0);
		CHECK_EQ(pthread_create(&thread, NULL, abandon_together, &two[0]), 0);
		abandon_together(&two[1]);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		CHECK_EQ((two[0].result == 0) + (two[1].result == 0), 1);
		RUN_UNTIL(stage.loop, stage.seen.closes == i + 1);
	}
	close_client_stage(&stage);
}

/* The loop ends while one rests, one's probe hangs, and one's peer is well but it is held. */
static void loop_ends(enum kind kind)
{
	struct client_stage stage;
	struct crowd crowd;
	brink_socket_id id;

	open_reviving(&stage, kind);
	create_client(&stage);
	id = stage.id;
	stage.options.isolation = BRINK_SECONDS(1000);
	create_client(&stage);
	RUN_UNTIL(stage.loop, stage.seen.closes == 2);
	start_server(&stage.server, 0);
	crowd_server(&stage.server, &crowd);
	turn_for(stage.loop, 4 * INTERVAL);
	brink_loop_destroy(stage.loop);
	CHECK_EQ(stage.seen.closes, 2);
	CHECK(!resolves(id) && !resolves(stage.id));
	disperse(&crowd);
	close_server(&stage.server);
}

/* ---- many timeouts ---- */

static void nobody_there(enum kind kind)
{
	struct client_stage stage;
	struct crowd crowd;

	open_reviving(&stage, kind);
	well_after = 1;
	stage.options.probe = on_probe; /* so that each life has a connect of its own */
	stage.options.unreachable_after = 3;
	stage.options.connect_timeout = BRINK_MS(30);
	start_server(&stage.server, 0);
	crowd_server(&stage.server, &crowd);
	create_client(&stage);
	for (unsigned life = 1; life <= 4; life++) {
		RUN_UNTIL(stage.loop, stage.seen.closes == life);
		CHECK_ERROR(stage.seen.error, life < 3 ? -ETIMEDOUT : -ENETUNREACH);
	}
	disperse(&crowd);
	close_client_stage(&stage);
}

/* The allocator fails at each call in turn, through a life, its end and the next life. */
static void without_memory(enum kind kind)
{
	struct client_stage stage;
	unsigned k = 0;
	bool failed;

	scarce_memory();
	open_reviving(&stage, kind);
	start_server(&stage.server, 64);
	do {
		unsigned closes = stage.seen.closes, revives = stage.seen.revives, opens = stage.seen.opens;
		int result, fd;

		fail_allocation(++k);
		result = brink_socket_create(&stage.id, stage.loop, &stage.options);
		CHECK(result == 0 || result == -ENOMEM);
		if (result == 0) {
			RUN_UNTIL(stage.loop, stage.seen.opens > opens);
			brink_socket_fail(stage.id, -EINTR, NULL);
			/* Wherever memory lacked, there is a next life. */
			RUN_UNTIL(stage.loop, stage.seen.revives > revives && stage.seen.open);
			CHECK_OK(brink_socket_abandon(stage.id));
			RUN_UNTIL(stage.loop, !stage.seen.open);
			CHECK_EQ(stage.seen.closes - closes, stage.seen.revives - revives + 1);
		}
		failed = allocation_failed();
		turn(stage.loop);
		while ((fd = accept(stage.server.listener, NULL, NULL)) >= 0)
			close_fd(&fd);
		CHECK(result == 0 || failed);
	} while (failed);
	CHECK(k > 1);
	brink_loop_destroy(stage.loop);
	close_server(&stage.server);
}

/* ---- nobody asks any more ---- */

static bool given_up;
static unsigned asked_late;

static int on_late_probe(brink_socket *socket, void *arg)
{
	(void)socket;
	(void)arg;
	probes++;
	asked_late += given_up;
	return -EHOSTDOWN;
}

/* Gives it up, and then has each turn last for a while: the abandoned one is let go step by step, and
 * between any two of them the prober's time may be over. */
static struct {
	brink_timer timer;
	brink_task task;
	brink_loop *loop;
	brink_socket_id id;
	unsigned stalls, microseconds;
} giving_up;

static void stall_a_turn(brink_task *task)
{
	usleep(giving_up.microseconds);
	if (--giving_up.stalls > 0)
		brink_task_post(giving_up.loop, task);
}

static void give_up(brink_timer *timer)
{
	(void)timer;
	CHECK_OK(brink_socket_abandon(giving_up.id));
	given_up = true;
	giving_up.stalls = 10;
	giving_up.microseconds = 300 + random_below(900);
	brink_task_post(giving_up.loop, &giving_up.task);
}

static void not_asked_after_abandon(enum kind kind)
{
	struct client_stage stage;
	unsigned rounds = is_slow() ? 20 : 60;

	open_reviving(&stage, kind);
	stage.options.probe_interval = stage.options.probe_interval_max = BRINK_MS(2);
	stage.options.probe = on_late_probe;
	giving_up.loop = stage.loop;
	brink_task_init(&giving_up.task, stall_a_turn);
	brink_timer_init(&giving_up.timer, give_up);
	for (unsigned i = 0; i < rounds; i++) {
		probes = 0;
		given_up = false;
		create_client(&stage);
		giving_up.id = stage.id;
		RUN_UNTIL(stage.loop, probes > 0);
		CHECK_OK(brink_timer_start(stage.loop, &giving_up.timer, BRINK_MS(2) + random_below(3000000), 0));
		CHECK_EQ(brink_loop_run(stage.loop), 0); /* until nothing keeps it */
		CHECK(given_up);
		CHECK_EQ(asked_late, 0);
	}
	close_client_stage(&stage);
}

/* Not all descriptors: a kqueue is not inherited, and Memcheck has its own in a child. */
static unsigned sockets_open(void)
{
	unsigned count = 0;
	struct stat status;

	for (int fd = 0; fd < 1024; fd++)
		count += fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
	return count;
}

/* A forked child lets its copy of a loop go, and has as many sockets as its parent after that. */
static void copied_while_probing(enum kind kind)
{
	struct client_stage stage;
	struct crowd crowd;
	unsigned before;
	int status;
	pid_t pid;

	open_reviving(&stage, kind);
	create_client(&stage);
	RUN_UNTIL(stage.loop, stage.seen.closes == 1);
	start_server(&stage.server, 0);
	crowd_server(&stage.server, &crowd);
	before = descriptors_open();
	RUN_UNTIL(stage.loop, descriptors_open() == before + 1); /* it connects, in vain */
	before = sockets_open();
	SYSCALL(pid = fork());
	brink_loop_destroy(stage.loop);
	if (pid == 0)
		_exit((int)sockets_open());
	CHECK_EQ(sockets_open(), before - 1);
	while (waitpid(pid, &status, 0) < 0)
		CHECK_EQ(errno, EINTR);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), before - 1);
	disperse(&crowd);
	close_server(&stage.server);
}

static const struct scenario scenarios[] = {
	SCENARIO("revive/server-restarts", server_restarts, KINDS_STREAM),
	SCENARIO("revive/server-comes-later", server_comes_later, KINDS_STREAM),
	SCENARIO("revive/probe-held-up", probe_held_up, KIND_TCP | KIND_TCP6),
	SCENARIO("revive/isolation", isolation, KINDS_STREAM),
	SCENARIO("revive/own-probe", own_probe, KINDS_STREAM),
	SCENARIO("revive/own-probe-errs", own_probe_errs, KINDS_STREAM),
	SCENARIO("revive/back-off", back_off, KIND_TCP),
	SCENARIO("revive/crowd-comes-apart", crowd_comes_apart, KINDS_STREAM),
	SCENARIO("revive/holders-delay", holders_delay, KINDS_STREAM),
	SCENARIO("revive/held-in-probe", held_in_probe, KINDS_STREAM),
	SCENARIO("revive/asked-by-many", asked_by_many, KINDS_STREAM, .flags = TRACE_FREE),
	SCENARIO("revive/abandoned", abandoned, KINDS_STREAM),
	SCENARIO("revive/abandoned-alive", abandoned_alive, KINDS_STREAM),
	SCENARIO("revive/abandoned-in-probe", abandoned_in_probe, KINDS_STREAM),
	SCENARIO("revive/abandoned-by-two", abandoned_by_two, KINDS_STREAM, .flags = TRACE_FREE),
	SCENARIO("revive/abandoned-while-coming-back", abandoned_while_coming_back, KINDS_STREAM, .flags = TRACE_FREE),
	SCENARIO("revive/loop-ends", loop_ends, KINDS_STREAM),
	SCENARIO("revive/unreachable", nobody_there, KINDS_STREAM),
	SCENARIO("revive/without-memory", without_memory, KINDS_STREAM),
	SCENARIO("revive/not-asked-after-abandon", not_asked_after_abandon, KINDS_STREAM, .flags = TRACE_FREE),
	SCENARIO("revive/copied-while-probing", copied_while_probing, KIND_TCP),
	NO_MORE_SCENARIOS,
};
const struct group revive_group = {"revive", scenarios};
