/* The scene of most scenarios about endings and removal, a watch on one end of a pair, and
 * the steps that many scenarios take. A failure inside one of these names the scenario's
 * line. */
#ifndef CONFORMANCE_SCENE_H
#define CONFORMANCE_SCENE_H

#include "conformance.h"

#define DIRECTIONS (BRINK_READ | BRINK_WRITE)
#define NOT_READ (BRINK_WRITE | BRINK_EOF | BRINK_ERROR)
#define NOT_WRITE (BRINK_READ | BRINK_EOF | BRINK_ERROR)

/* ---- one watch on our end ---- */

struct scene {
	struct pair pair;
	brink_loop *loop;
	struct probe probe;
	size_t bytes; /* read so far */
};

/* A pair and a loop. What watch_scene() starts is called "ours". */
void open_scene(struct scene *scene, enum kind kind, unsigned end_of_pipe);
void watch_scene(struct scene *scene, unsigned interest);
/* Both; our end of a pipe is the one that is read, unless the interest is only in writing. */
void open_watched(struct scene *scene, enum kind kind, unsigned interest);
/* Stops the watch, if it is active, after which all must be silent. */
void close_scene(struct scene *scene);

/* The directions come, and nothing else. */
void expect_only(struct scene *scene, unsigned directions);
/* Bytes come, and READ for them. */
void feed_scene(struct scene *scene, size_t size);
/* Reads all there is, `total` bytes with those before, after which the watch waits. */
void read_scene_dry(struct scene *scene, size_t total);
/* Leaves no room: the writer has handed its ticket back, and waits. */
void block_writer(struct scene *scene, struct probe *writer);

/* ---- endings ---- */

/* Whether the backend tells an end and an error from readiness. */
bool mechanism_tells(void);
/* The directions must come, and `beside` with them, in one call or in several; nothing else,
 * and nothing twice. A mechanism that cannot tell all of it is measured. */
void expect_ending(struct scene *scene, const char *cell, unsigned directions, unsigned beside);
/* The peer's end, to one who reads. */
void expect_eof(struct scene *scene, const char *cell);
/* A reset, to one who reads and does not wait for room. */
void expect_reset(struct scene *scene, const char *cell);
/* Reads on, through events where they are needed, to what is not EAGAIN: 0 or an error. */
ssize_t read_on(struct scene *scene);
/* read_on() says `result`, and nothing comes after it. */
void expect_last(struct scene *scene, ssize_t result);
/* The result of writing to a peer that is gone. */
void expect_broken(ssize_t result);

/* SIGPIPE must not reach the program, nor be left pending or blocked. */
void look_for_sigpipe(void);
int sigpipes_seen(void);
void expect_no_sigpipe(void);

/* ---- a loop, its pair and a reader ---- */

/* Bytes come, and READ for them. */
void feed_and_expect(brink_loop *loop, struct pair *pair, struct probe *reader, size_t size);
/* Reads all there is, after which the reader waits. */
void read_dry(brink_loop *loop, struct probe *reader);
/* The loop ends, and then the pair. */
void end_loop(brink_loop *loop, struct pair *pair);

#ifndef HARNESS_ITSELF
#define open_scene(...) AT_((open_scene)(__VA_ARGS__))
#define watch_scene(scene, interest) AT_((watch_scene)(scene, interest))
#define open_watched(...) AT_((open_watched)(__VA_ARGS__))
#define close_scene(scene) AT_((close_scene)(scene))
#define expect_only(scene, directions) AT_((expect_only)(scene, directions))
#define feed_scene(scene, size) AT_((feed_scene)(scene, size))
#define read_scene_dry(scene, total) AT_((read_scene_dry)(scene, total))
#define block_writer(scene, writer) AT_((block_writer)(scene, writer))
#define expect_ending(...) AT_((expect_ending)(__VA_ARGS__))
#define expect_eof(scene, cell) AT_((expect_eof)(scene, cell))
#define expect_reset(scene, cell) AT_((expect_reset)(scene, cell))
#define read_on(scene) AT_((read_on)(scene))
#define expect_last(scene, result) AT_((expect_last)(scene, result))
#define expect_broken(result) AT_((expect_broken)(result))
#define expect_no_sigpipe() AT_((expect_no_sigpipe)())
#define feed_and_expect(...) AT_((feed_and_expect)(__VA_ARGS__))
#define read_dry(loop, reader) AT_((read_dry)(loop, reader))
#define end_loop(loop, pair) AT_((end_loop)(loop, pair))
#endif

#endif
