/* Steps of scenarios: see scene.h. As one of the harness's files it leaves the place of a
 * check where the scenario was. */
#include "harness.h"

#include "scene.h"

#include <signal.h>
#include <string.h>

/* poll(2) says POLLRDHUP and POLLERR for sockets on Linux; elsewhere it makes them readable
 * and writable, and leaves it to read() and write() to say why. */
#if defined(__linux__)
#define POLL_TELLS true
#else
#define POLL_TELLS false
#endif

/* ---- one watch on our end ---- */

void open_scene(struct scene *scene, enum kind kind, unsigned end_of_pipe)
{
	*scene = (struct scene){.pair = open_pair(kind, end_of_pipe), .loop = new_loop()};
}

void watch_scene(struct scene *scene, unsigned interest)
{
	start_probe(scene->loop, &scene->probe, "ours", scene->pair.ours, interest);
}

void open_watched(struct scene *scene, enum kind kind, unsigned interest)
{
	open_scene(scene, kind, (interest & BRINK_READ) != 0 ? BRINK_READ : BRINK_WRITE);
	watch_scene(scene, interest);
}

void close_scene(struct scene *scene)
{
	if (brink_watch_active(&scene->probe.watch))
		stop_probe(&scene->probe);
	expect_silence(scene->loop);
	end_loop(scene->loop, &scene->pair);
}

void expect_only(struct scene *scene, unsigned directions)
{
	expect_event(scene->loop, &scene->probe, directions,
	             (DIRECTIONS | BRINK_EOF | BRINK_ERROR) & ~directions);
}

void feed_scene(struct scene *scene, size_t size)
{
	feed_and_expect(scene->loop, &scene->pair, &scene->probe, size);
}

void read_scene_dry(struct scene *scene, size_t total)
{
	CHECK_ERROR(read_to_end(&scene->probe, &scene->bytes), -EAGAIN);
	CHECK_EQ(scene->bytes, total);
	expect_quiet(scene->loop, &scene->probe, BRINK_READ);
}

void block_writer(struct scene *scene, struct probe *writer)
{
	fill_by_watch(writer);
	expect_quiet(scene->loop, writer, BRINK_WRITE);
}

/* ---- endings ---- */

bool mechanism_tells(void)
{
	return POLL_TELLS || strcmp(backend_name(), "poll") != 0;
}

void expect_ending(struct scene *scene, const char *cell, unsigned directions, unsigned beside)
{
	unsigned sure = directions | (mechanism_tells() ? beside : 0);
	struct probe *probe = &scene->probe;

	RUN_UNTIL(scene->loop, (probe->new_ready & sure) == sure || probe->twice);
	if (!mechanism_tells()) {
		observe(scene->loop, probe, cell, directions | beside);
		return;
	}
	if (probe->twice || probe->new_ready != sure)
		FAIL("%s: %s came, expected once: %s", cell, bits_text(probe->new_ready), bits_text(sure));
	discard_calls(probe);
}

void expect_eof(struct scene *scene, const char *cell)
{
	expect_ending(scene, cell, BRINK_READ, BRINK_EOF);
}

void expect_reset(struct scene *scene, const char *cell)
{
	expect_ending(scene, cell, BRINK_READ, BRINK_EOF | BRINK_ERROR);
}

ssize_t read_on(struct scene *scene)
{
	ssize_t result;

	while ((result = read_to_end(&scene->probe, &scene->bytes)) == -EAGAIN) {
		RUN_UNTIL(scene->loop, (scene->probe.new_ready & BRINK_READ) != 0);
		CHECK(!scene->probe.twice);
		discard_calls(&scene->probe);
	}
	return result;
}

void expect_last(struct scene *scene, ssize_t result)
{
	ssize_t last = read_on(scene);

	if (last != result)
		FAIL("reading on ended with %zd, expected %zd", last, result);
	expect_silence(scene->loop);
}

void expect_broken(ssize_t result)
{
	if (result != -EPIPE && result != -ECONNRESET)
		FAIL("writing to a peer that is gone said %zd", result);
}

/* ---- SIGPIPE ---- */

static volatile sig_atomic_t sigpipes;

static void count_sigpipe(int signal_number)
{
	(void)signal_number;
	sigpipes++;
}

void look_for_sigpipe(void)
{
	struct sigaction action = {.sa_handler = count_sigpipe};

	sigemptyset(&action.sa_mask);
	SYSCALL(sigaction(SIGPIPE, &action, NULL));
}

int sigpipes_seen(void)
{
	return (int)sigpipes;
}

void expect_no_sigpipe(void)
{
	sigset_t set;

	CHECK_EQ(sigpipes, 0);
	SYSCALL(sigpending(&set));
	CHECK_EQ(sigismember(&set, SIGPIPE), 0);
	SYSCALL(sigprocmask(SIG_BLOCK, NULL, &set));
	CHECK_EQ(sigismember(&set, SIGPIPE), 0);
}

/* ---- a loop, its pair and a reader ---- */

void feed_and_expect(brink_loop *loop, struct pair *pair, struct probe *reader, size_t size)
{
	feed(pair, size);
	expect_event(loop, reader, BRINK_READ, NOT_READ);
}

void read_dry(brink_loop *loop, struct probe *reader)
{
	CHECK_ERROR(read_to_end(reader, NULL), -EAGAIN);
	expect_quiet(loop, reader, BRINK_READ);
}

void end_loop(brink_loop *loop, struct pair *pair)
{
	CHECK_OK(brink_loop_destroy(loop));
	close_pair(pair);
}
