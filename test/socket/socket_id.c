/* Ids: they resolve while their socket lives, and never again. */
#include "groups.h"
#include "socket_stage.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fails_once(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct life life;
	brink_socket *socket;

	open_life(&life, loop, kind, NULL);
	socket = held(&life);
	CHECK_ERROR(brink_socket_fail(life.id, EIO, NULL), -EINVAL);
	CHECK(is_alive(life.id));
	CHECK_OK(brink_socket_fail(life.id, -EIO, "the scenario says so"));
	CHECK(!is_alive(life.id));
	CHECK_ERROR(brink_socket_fail(life.id, -EPROTO, "not this"), -ENOENT);
	CHECK_ERROR(brink_socket_abort(life.id), -ENOENT);
	CHECK_ERROR(brink_socket_write_bytes(socket, "x", 1), -EIO);
	CHECK_ERROR(brink_socket_shutdown(socket), -ENOTCONN);
	CHECK_ERROR(brink_socket_close(socket), -ENOTCONN);
	expect_close(&life, -EIO);
	CHECK_EQ(strcmp(life.text, "the scenario says so"), 0);
	CHECK_EQ(info_of(socket).state, BRINK_SOCKET_FAILED);
	CHECK_EQ(info_of(socket).error, -EIO);
	CHECK_EQ(brink_socket_get_id(socket), life.id);
	CHECK_ERROR(brink_socket_write_bytes(socket, "x", 1), -EIO);
	CHECK_ERROR(brink_socket_fail(life.id, 0, NULL), -ENOENT);
	brink_socket_pause(socket);
	brink_socket_resume(socket);
	expect_silence(loop);
	brink_socket_release(socket);
	expect_silence(loop);
	CHECK_ERROR(brink_socket_fail(life.id, 0, NULL), -ENOENT);
	CHECK_ERROR(brink_socket_abandon(life.id), -ENOENT);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

static void error_of_zero(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct life life;
	brink_socket *socket;

	open_life(&life, loop, kind, NULL);
	socket = held(&life);
	CHECK_OK(brink_socket_fail(life.id, 0, NULL));
	CHECK_ERROR(brink_socket_write_bytes(socket, "x", 1), -ECONNABORTED);
	CHECK_ERROR(brink_socket_wait(socket, 0), -ECONNABORTED);
	expect_close(&life, 0);
	CHECK_ERROR(brink_socket_write_bytes(socket, "x", 1), -ECONNABORTED);
	brink_socket_release(socket);
	end_life(&life);
	CHECK_OK(brink_loop_destroy(loop));
}

static void text_is_cut(enum kind kind)
{
	static const size_t sizes[] = {0, 1, 199, 200, 201, 1000};
	brink_loop *loop = new_loop();

	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct life life;
		char text[1001];

		memset(text, 't', sizes[i]);
		text[sizes[i]] = '\0';
		open_life(&life, loop, kind, NULL);
		CHECK_OK(brink_socket_fail(life.id, -EIO, text));
		memset(text, '?', sizeof text);
		expect_close(&life, -EIO);
		CHECK_EQ(strlen(life.text), sizes[i] < 200 ? sizes[i] : 200);
		CHECK_EQ(strspn(life.text, "t"), strlen(life.text));
		end_life(&life);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- slots are used again, ids are not ---- */

static int compare_ids(const void *left, const void *right)
{
	const brink_socket_id *one = left, *other = right;

	return (*one > *other) - (*one < *other);
}

static void old_ids(enum kind kind)
{
	unsigned count = is_slow() ? 300 : 2000;
	brink_socket_id *ids = calloc(count, sizeof *ids);
	brink_loop *loop = new_loop();

	(void)kind;
	CHECK(ids != NULL);
	CHECK(!is_alive(BRINK_NO_SOCKET));
	CHECK_ERROR(brink_socket_fail(BRINK_NO_SOCKET, 0, NULL), -ENOENT);
	for (unsigned i = 0; i < count; i++) {
		struct life life;

		start_life(&life, loop, KIND_UNIX, NULL);
		ids[i] = life.id;
		for (unsigned bit = 0; bit < 64; bit++)
			CHECK(!is_alive(life.id ^ (brink_socket_id)1 << bit));
		if (i % 2 == 0)
			RUN_UNTIL(loop, life.opens == 1);
		for (unsigned j = 0; j < 20 && i > 0; j++) {
			brink_socket_id old = ids[random_below(i)];

			CHECK(!is_alive(old));
			CHECK_ERROR(brink_socket_fail(old, -EIO, "old"), -ENOENT);
			CHECK_ERROR(brink_socket_abandon(old), -ENOENT);
			CHECK_ERROR(brink_socket_abort(old), -ENOENT);
		}
		CHECK(is_alive(life.id));
		end_life(&life);
	}
	for (unsigned i = 0; i < 1000; i++)
		CHECK(!is_alive(random_bits()));
	qsort(ids, count, sizeof *ids, compare_ids);
	for (unsigned i = 1; i < count; i++)
		CHECK(ids[i] != ids[i - 1]);
	free(ids);
	CHECK_OK(brink_loop_destroy(loop));
}

/* Four threads make and fail sockets on loops of their own; four others ask about ids that
 * they find, fail and write to them. */
#define MAKERS 4u
#define SHOWN 64u

static _Atomic(brink_socket_id) shown[SHOWN];
static atomic_uint making;

static void *make_sockets(void *arg)
{
	uint64_t state = (uint64_t)(uintptr_t)arg * 977 + seed();
	unsigned rounds = is_slow() ? 100 : 500;
	brink_loop *loop = new_loop();

	for (unsigned i = 0; i < rounds; i++) {
		struct life life;
		int result;

		start_life(&life, loop, KIND_UNIX, NULL);
		atomic_store(&shown[random_of(&state, SHOWN)], life.id);
		for (unsigned turns = random_of(&state, 3); turns > 0; turns--)
			CHECK_OK(brink_loop_run_once(loop, 0));
		result = brink_socket_fail(life.id, -EIO, "made");
		if (result != 0)
			CHECK_ERROR(result, -ENOENT);
		CHECK(!is_alive(life.id));
		end_life(&life);
	}
	CHECK_OK(brink_loop_destroy(loop));
	making--;
	return NULL;
}

static void *ask_about_sockets(void *arg)
{
	uint64_t state = (uint64_t)(uintptr_t)arg * 1009 + seed();

	while (making > 0) {
		brink_socket_id id = atomic_load(&shown[random_of(&state, SHOWN)]);
		brink_socket *socket = brink_socket_address(id);

		if (socket == NULL)
			continue;
		CHECK_EQ(brink_socket_get_id(socket), id);
		if (random_of(&state, 2) == 0) {
			brink_socket_hold(socket);
			brink_socket_release(socket);
		}
		if (random_of(&state, 4) == 0)
			(void)brink_socket_write_bytes(socket, "from anyone", 11);
		if (random_of(&state, 4) == 0 && brink_socket_fail(id, -EPROTO, "by another") == 0)
			CHECK(!is_alive(id));
		CHECK_EQ(brink_socket_get_id(socket), id);
		brink_socket_release(socket);
	}
	return NULL;
}

static void recycled_by_threads(enum kind kind)
{
	pthread_t threads[2 * MAKERS];

	(void)kind;
	making = MAKERS;
	for (uintptr_t i = 0; i < MAKERS; i++) {
		run_thread(&threads[i], make_sockets, (void *)i);
		run_thread(&threads[MAKERS + i], ask_about_sockets, (void *)i);
	}
	for (unsigned i = 0; i < 2 * MAKERS; i++)
		join_thread(threads[i]);
}

/* ---- references ---- */

static brink_socket_id hunted;

static void *address_until_gone(void *arg)
{
	unsigned found = 0;
	brink_socket *socket;

	(void)arg;
	while ((socket = brink_socket_address(hunted)) != NULL) {
		CHECK(brink_socket_hold(socket) == socket);
		brink_socket_release(socket);
		CHECK_EQ(brink_socket_get_id(socket), hunted);
		brink_socket_release(socket);
		found++;
	}
	CHECK(brink_socket_address(hunted) == NULL);
	return (void *)(uintptr_t)found;
}

static void references_against_fail(enum kind kind)
{
	brink_loop *loop = new_loop();

	for (unsigned round = 0; round < 8; round++) {
		pthread_t threads[8];
		struct life life;

		open_life(&life, loop, kind, NULL);
		hunted = life.id;
		for (unsigned i = 0; i < 8; i++)
			run_thread(&threads[i], address_until_gone, NULL);
		sleep_ms(random_below(3));
		CHECK_OK(brink_socket_fail(life.id, -EIO, NULL));
		expect_close(&life, -EIO);
		for (unsigned i = 0; i < 8; i++)
			join_thread(threads[i]);
		end_life(&life);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- the number of a descriptor ---- */

#define FILES 40

static int open_file(void)
{
	FILE *file = tmpfile();
	int fd;

	CHECK(file != NULL);
	SYSCALL(fd = dup(fileno(file)));
	CHECK_EQ(fclose(file), 0);
	return fd;
}

static atomic_bool writing;

static void *write_late(void *arg)
{
	brink_socket *socket = arg;

	while (writing) {
		int result = brink_socket_write_bytes(socket, "late", 4);

		if (result != 0)
			CHECK_ERROR(result, -EIO);
	}
	brink_socket_release(socket);
	return NULL;
}

/* A late writer never reaches a file that has got the number of the socket's descriptor. */
static void late_writer(enum kind kind)
{
	brink_loop *loop = new_loop();

	for (unsigned round = 0; round < 10; round++) {
		int files[FILES];
		pthread_t threads[2];
		struct taken taken = {0};
		struct life life;

		open_life(&life, loop, kind, NULL);
		writing = true;
		for (unsigned i = 0; i < 2; i++)
			run_thread(&threads[i], write_late, held(&life));
		sleep_ms(random_below(3));
		CHECK_OK(brink_socket_fail(life.id, -EIO, NULL));
		for (unsigned i = 0; i < FILES; i++) {
			if (i % 4 == 1)
				CHECK_OK(brink_loop_run_once(loop, 0));
			files[i] = open_file();
		}
		TAKE_UNTIL(&life, &taken, life.closes == 1);
		forget(&taken);
		sleep_ms(1);
		for (unsigned i = 0; i < FILES; i++)
			CHECK_EQ(lseek(files[i], 0, SEEK_END), 0);
		writing = false;
		for (unsigned i = 0; i < 2; i++)
			join_thread(threads[i]);
		for (unsigned i = 0; i < FILES; i++)
			close_fd(&files[i]);
		RUN_UNTIL(loop, fcntl(life.fd, F_GETFD) < 0);
		end_life(&life);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("socket-id/fails-once", fails_once, KINDS_STREAM),
	SCENARIO("socket-id/error-of-zero", error_of_zero, KINDS_STREAM),
	SCENARIO("socket-id/text-is-cut", text_is_cut, KINDS_STREAM),
	SCENARIO("socket-id/old-ids", old_ids, 0),
	SCENARIO("socket-id/recycled-by-threads", recycled_by_threads, 0),
	SCENARIO("socket-id/references-against-fail", references_against_fail, KINDS_STREAM),
	SCENARIO("socket-id/late-writer", late_writer, KINDS_STREAM),
	NO_MORE_SCENARIOS,
};
const struct group socket_id_group = {"socket-id", scenarios};
