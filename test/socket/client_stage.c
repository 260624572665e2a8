#include "client_stage.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the server ---- */

static struct sockaddr *sockaddr_of(struct brink_address *address)
{
	return (struct sockaddr *)&address->storage;
}

static int bound(struct brink_address *address)
{
	int fd = socket(address->storage.ss_family, SOCK_STREAM, 0), on = 1;

	SYSCALL(fd);
	if (address->storage.ss_family != AF_UNIX)
		SYSCALL(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on));
	SYSCALL(bind(fd, sockaddr_of(address), address->length));
	CHECK_OK(brink_address_of(fd, address));
	set_nonblocking(fd);
	return fd;
}

static const char *path_of(const struct brink_address *address)
{
	static char text[BRINK_ADDRESS_TEXT];

	CHECK_OK(brink_address_format(address, text, sizeof text));
	return text + strlen("unix:");
}

void open_server(struct server *server, enum kind kind)
{
	int listener = open_listener(kind, 1);

	memset(server, 0, sizeof *server);
	server->kind = kind;
	server->listener = -1;
	CHECK_OK(brink_address_of(listener, &server->address));
	close_fd(&listener);
	if (kind == KIND_UNIX) {
		SYSCALL(unlink(path_of(&server->address)));
		return;
	}
	/* The port that the listener had may be another's by now. */
	CHECK_OK(brink_address_parse(&server->address, kind == KIND_TCP ? "127.0.0.1:0" : "[::1]:0"));
	for (unsigned i = 0; i < SERVER_STARTS; i++)
		server->sockets[i] = bound(&server->address);
}

void start_server(struct server *server, int backlog)
{
	CHECK(server->listener < 0 && server->starts < SERVER_STARTS);
	if (server->kind == KIND_UNIX)
		server->sockets[server->starts] = bound(&server->address);
	server->listener = server->sockets[server->starts++];
	SYSCALL(listen(server->listener, backlog));
}

void stop_server(struct server *server)
{
	if (server->listener < 0)
		return;
	close_fd(&server->listener);
	if (server->kind == KIND_UNIX)
		SYSCALL(unlink(path_of(&server->address)));
}

void close_server(struct server *server)
{
	stop_server(server);
	if (server->kind != KIND_UNIX)
		for (unsigned i = server->starts; i < SERVER_STARTS; i++)
			close_fd(&server->sockets[i]);
}

/* How long a connection on this machine takes at the most, if anybody takes it. */
#define LONG_ENOUGH_MS 150

static bool hangs(int fd, int result)
{
	if (result == -EAGAIN)
		return true;
	for (int i = 0; result == -EINPROGRESS && i < LONG_ENOUGH_MS / 10; i++) {
		if (ready_now(fd, BRINK_WRITE))
			return false;
		sleep_ms(10);
	}
	return result == -EINPROGRESS;
}

void crowd_server(struct server *server, struct crowd *crowd)
{
	int result;

	for (crowd->count = 0; crowd->count < 64; crowd->count++) {
		int fd = connect_start(server->listener, &result);

		if (result == -ECONNREFUSED) {
			close_fd(&fd);
			disperse(crowd);
			SKIP("here a crowded listener refuses");
		}
		crowd->fds[crowd->count] = fd;
		if (hangs(fd, result)) {
			crowd->count++;
			return;
		}
	}
	disperse(crowd);
	SKIP("here a listener is never crowded");
}

void disperse(struct crowd *crowd)
{
	while (crowd->count > 0)
		close_fd(&crowd->fds[--crowd->count]);
}

/* ---- what is seen ---- */

static void saw_open(brink_socket *socket, void *arg)
{
	struct seen *seen = arg;

	seen->disorder |= seen->open;
	seen->open = true;
	seen->opens++;
	if (seen->act_open != NULL)
		seen->act_open(socket);
}

static void saw_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct seen *seen = arg;
	size_t size = brink_buffer_length(in), fits = sizeof seen->bytes - 1;

	(void)socket;
	seen->disorder |= !seen->open;
	seen->calls++;
	if (seen->size < fits)
		brink_buffer_copy(in, 0, seen->bytes + seen->size, size < fits - seen->size ? size : fits - seen->size);
	seen->size += size;
	brink_buffer_clear(in);
}

static void saw_end(brink_socket *socket, void *arg)
{
	struct seen *seen = arg;

	seen->disorder |= !seen->open;
	seen->ends++;
	brink_socket_close(socket);
}

static void saw_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct seen *seen = arg;

	seen->open = false;
	seen->closes++;
	seen->error = error;
	snprintf(seen->text, sizeof seen->text, "%s", text != NULL ? text : "");
	if (seen->act_close != NULL)
		seen->act_close(brink_socket_get_id(socket));
}

static void saw_revive(brink_socket *socket, void *arg)
{
	struct seen *seen = arg;

	seen->disorder |= seen->open || (!seen->failed_by_others && !resolves(brink_socket_get_id(socket)));
	seen->revives++;
	seen->size = 0;
	memset(seen->bytes, 0, sizeof seen->bytes);
}

static void saw_written(brink_socket *socket, int error, void *arg)
{
	struct seen *seen = arg;

	(void)socket;
	seen->writes++;
	if (error != 0)
		seen->write_error = error;
}

void see(struct seen *seen, struct brink_socket_options *options)
{
	memset(seen, 0, sizeof *seen);
	options->on_open = saw_open;
	options->on_bytes = saw_bytes;
	options->on_end = saw_end;
	options->on_close = saw_close;
	options->on_revive = saw_revive;
	options->on_written = saw_written;
	options->arg = seen;
}

/* ---- the stage ---- */

void open_client_stage(struct client_stage *stage, enum kind kind)
{
	memset(stage, 0, sizeof *stage);
	open_server(&stage->server, kind);
	stage->loop = new_loop();
	stage->options.address = &stage->server.address;
	see(&stage->seen, &stage->options);
}

void create_client(struct client_stage *stage)
{
	CHECK_OK(brink_socket_create(&stage->id, stage->loop, &stage->options));
	stage->created++;
}

void close_client_stage(struct client_stage *stage)
{
	brink_socket_abandon(stage->id);
	RUN_UNTIL(stage->loop, stage->seen.closes == stage->seen.revives + stage->created);
	CHECK_ALWAYS(!stage->seen.disorder);
	CHECK(!resolves(stage->id));
	brink_loop_destroy(stage->loop);
	close_server(&stage->server);
}

int accept_client(struct client_stage *stage)
{
	unsigned opens = stage->seen.opens;
	int fd = accept_plain(stage->server.listener);

	RUN_UNTIL(stage->loop, stage->seen.opens > opens || stage->seen.open);
	return fd;
}

void turn_for(brink_loop *loop, uint64_t time)
{
	uint64_t end = monotonic_now() + time;

	while (monotonic_now() < end)
		turn(loop);
}

bool resolves(brink_socket_id id)
{
	brink_socket *socket = brink_socket_address(id);

	if (socket != NULL)
		brink_socket_release(socket);
	return socket != NULL;
}

void write_text(brink_socket_id id, const char *text)
{
	brink_socket *socket = brink_socket_address(id);

	CHECK(socket != NULL);
	CHECK_OK(brink_socket_write_bytes(socket, text, strlen(text)));
	brink_socket_release(socket);
}

void read_text(brink_loop *loop, int fd, const char *text)
{
	char bytes[256] = "";
	size_t wanted = strlen(text);

	RUN_UNTIL(loop, unread(fd) >= wanted);
	read_exactly(fd, bytes, wanted);
	CHECK(memcmp(bytes, text, wanted) == 0);
	CHECK_EQ(unread(fd), 0);
}
