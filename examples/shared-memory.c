/* shared-memory: two processes that talk through memory they share.
 *
 *     shared-memory [--backend NAME] [--bytes N]
 *
 * The parent sends N bytes (64 MiB) and checks what comes back from the child, who sends back
 * whatever comes. Both use sockets as over a network; only the transport differs. */
#include "shared_memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT_ONCE 100000u

struct talk {
	brink_loop *loop;
	struct shared_memory_end end;
	uint64_t size, sent, checked;
	struct brink_socket_info info;
	int error;
};

static int backend_of(const char *name, brink_loop **loop)
{
	return brink_loop_create(loop, &(struct brink_loop_options){.backend = name});
}

/* The byte at a place of the stream. */
static char byte_at(uint64_t place)
{
	return (char)(place * 7 + place / 256);
}

/* ---- the child: sends back ---- */

static void on_echo(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)arg;
	/* The same blocks, moved. Who reads no answers is not read either: on_high, on_low. */
	if (brink_socket_write(socket, in) < 0)
		brink_socket_fail(brink_socket_get_id(socket), -EIO, "echo");
}

static void pause_reading(brink_socket *socket, void *arg)
{
	(void)arg;
	brink_socket_pause(socket);
}

static void resume_reading(brink_socket *socket, void *arg)
{
	(void)arg;
	brink_socket_resume(socket);
}

/* ---- the parent: sends and checks ---- */

static void send_more(brink_socket *socket, void *arg)
{
	static char bytes[AT_ONCE];
	struct talk *talk = arg;
	struct brink_socket_info info;

	do {
		size_t size = talk->size - talk->sent < AT_ONCE ? (size_t)(talk->size - talk->sent) : AT_ONCE;

		for (size_t i = 0; i < size; i++)
			bytes[i] = byte_at(talk->sent + i);
		talk->sent += size; /* before the write, which may call on_written, which calls us */
		if (brink_socket_write_bytes(socket, bytes, size) < 0)
			return;
		brink_socket_get_info(socket, &info);
	} while (talk->sent < talk->size && info.unsent < 4 * AT_ONCE);
	if (talk->sent == talk->size)
		brink_socket_shutdown(socket);
}

static void on_written(brink_socket *socket, int error, void *arg)
{
	struct talk *talk = arg;
	struct brink_socket_info info;

	brink_socket_get_info(socket, &info);
	if (error == 0 && talk->sent < talk->size && info.unsent == 0)
		send_more(socket, arg);
}

static void on_check(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct talk *talk = arg;
	char bytes[4096];
	size_t size;

	while ((size = brink_buffer_copy(in, 0, bytes, sizeof bytes)) > 0) {
		for (size_t i = 0; i < size; i++)
			if (bytes[i] != byte_at(talk->checked + i)) {
				brink_socket_fail(brink_socket_get_id(socket), -EILSEQ, "another byte than was sent");
				return;
			}
		talk->checked += size;
		brink_buffer_pop(in, size);
	}
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct talk *talk = arg;

	talk->error = error;
	brink_socket_get_info(socket, &talk->info);
	if (error < 0)
		fprintf(stderr, "shared-memory: %s: %s\n", text, brink_strerror(error));
}

/* ---- both ---- */

static int run(struct talk *talk, const char *backend, int fd, bool parent)
{
	struct brink_socket_options options = {
		.fd = fd,
		.transport = &shared_memory_transport,
		.transport_arg = &talk->end,
		.on_bytes = parent ? on_check : on_echo,
		.on_open = parent ? send_more : NULL,
		.on_written = parent ? on_written : NULL,
		.on_high = parent ? NULL : pause_reading,
		.on_low = parent ? NULL : resume_reading,
		.on_close = on_close,
		.arg = talk,
	};
	brink_socket_id id;
	int result = backend_of(backend, &talk->loop);

	if (result == 0)
		result = brink_socket_create(&id, talk->loop, &options);
	if (result < 0)
		close(fd); /* which tells the other side */
	else
		result = brink_loop_run(talk->loop); /* until the socket is gone */
	brink_loop_destroy(talk->loop);
	return result < 0 ? result : talk->error;
}

int main(int argc, char **argv)
{
	struct shared_memory *memory = shared_memory_create();
	struct talk talk = {.size = 64 << 20};
	const char *backend = NULL;
	int fds[2], status = 0, result;
	pid_t child;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--backend") == 0)
			backend = argv[i + 1];
		else if (strcmp(argv[i], "--bytes") == 0)
			talk.size = strtoull(argv[i + 1], NULL, 10);
		else
			argc = 0;
	}
	if (argc % 2 == 0 || talk.size == 0) {
		fprintf(stderr, "usage: shared-memory [--backend NAME] [--bytes N]\n");
		return 2;
	}
	if (memory == NULL || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) {
		perror("shared-memory");
		return 1;
	}
	child = fork();
	if (child < 0) {
		perror("shared-memory: fork");
		return 1;
	}
	close(fds[child == 0 ? 0 : 1]);
	talk.end = shared_memory_end(memory, child == 0 ? 1 : 0);
	result = run(&talk, backend, fds[child == 0 ? 1 : 0], child != 0);
	if (child == 0)
		_exit(result < 0);
	waitpid(child, &status, 0);
	shared_memory_destroy(memory);
	printf("%" PRIu64 " bytes there and back through %s, %" PRIu64 " writes, %" PRIu64 " reads\n", talk.checked,
	       shared_memory_transport.name, talk.info.writes, talk.info.reads);
	if (result < 0 || status != 0 || talk.checked != talk.size) {
		fprintf(stderr, "shared-memory: %s\n", result < 0 ? brink_strerror(result) : "not all came back");
		return 1;
	}
	return 0;
}
