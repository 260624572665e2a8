/* Servers, on one loop and on a group's, with plain clients. */
#include "faults.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 3

struct service {
	brink_loop *loop;
	brink_server *server;
	atomic_uint opened, closed, written, requests;
	unsigned stopped;
};

static void on_open(brink_socket *socket, void *arg)
{
	(void)socket;
	((struct service *)arg)->opened++;
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	(void)socket;
	CHECK(error <= 0 && text != NULL);
	((struct service *)arg)->closed++;
}

static void on_written(brink_socket *socket, int error, void *arg)
{
	(void)socket;
	CHECK(error <= 0);
	((struct service *)arg)->written++;
}

/* Who has no memory for an answer ends the connection. */
static void give_back(brink_socket *socket, brink_buffer *bytes, struct service *service)
{
	int result = brink_socket_write(socket, bytes);

	service->requests += result == 0;
	if (result < 0)
		brink_socket_fail(brink_socket_get_id(socket), result, NULL);
}

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	give_back(socket, in, arg);
}

static void on_message(brink_message *message, void *arg)
{
	int result = brink_buffer_append(&message->body, "\n", 1);

	if (result == 0)
		give_back(message->socket, &message->body, arg);
	else
		brink_socket_fail(brink_socket_get_id(message->socket), result, NULL);
	brink_message_free(message);
}

static void on_stopped(brink_server *server, void *arg)
{
	struct service *service = arg;

	CHECK(server == service->server);
	service->stopped++;
}

/* Each of the clients says a line and hears it again, or the end. */
static void be_served(struct service *service, const struct brink_address *address)
{
	unsigned answered = 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		int fd = connect_to(address);
		ssize_t got = 0, more;

		(void)!send(fd, "line\n", 5, MSG_NOSIGNAL);
		while (got < 5 && (more = drain(fd)) >= 0) {
			got += more;
			turn_loop(service->loop);
		}
		answered += got == 5;
		close(fd);
	}
	CHECK(answered == CLIENTS || (fault_struck() && !fault_harmless()));
}

/* While one more client is served. */
static void stop(struct service *service, const struct brink_address *address)
{
	struct brink_server_counts counts;
	unsigned opened = service->opened;
	int fd = connect_to(address);

	while (service->opened == opened && drain(fd) >= 0)
		turn_loop(service->loop);
	(void)!send(fd, "line\n", 5, MSG_NOSIGNAL);
	CHECK(brink_server_stop(service->server, BRINK_SECONDS(1000)) == 0);
	while (service->stopped == 0)
		turn_loop(service->loop);
	close(fd);
	brink_server_counters(service->server, &counts);
	CHECK(service->stopped == 1 && counts.open == 0 && counts.accepted == counts.closed);
	CHECK(counts.accepted == service->closed && service->opened <= service->closed);
	CHECK(counts.accepted + counts.refused == CLIENTS + 1 || (fault_struck() && !fault_harmless()));
}

static const struct brink_protocol line = {.name = "line", .parse = brink_parse_line};

static struct brink_server_options usual(struct service *service)
{
	return (struct brink_server_options){.address = "127.0.0.1:0",
		.listener = {.retry_after = BRINK_MS(1), .drain_wait = BRINK_MS(1)},
		.socket = {.idle_timeout = BRINK_SECONDS(1000), .linger_timeout = BRINK_MS(1)},
		.on_open = on_open, .on_close = on_close, .on_write_complete = on_written,
		.on_stopped = on_stopped, .arg = service};
}

static void run_server(struct service *service, const struct brink_server_options *options)
{
	struct brink_address address;

	if (!went_well(brink_server_create(&service->server, service->loop, options)))
		return;
	CHECK(brink_server_address(service->server, 0, &address) == 0);
	be_served(service, &address);
	stop(service, &address);
	brink_server_destroy(service->server);
	service->server = NULL;
}

static void end_service(struct service *service)
{
	brink_loop_destroy(service->loop);
	CHECK(service->requests == service->written);
}

/* ---- on one loop ---- */

static void on_one_loop(void)
{
	struct service service = {.loop = make_loop()};
	struct brink_server_options options = usual(&service);

	if (service.loop == NULL)
		return;
	options.on_bytes = on_bytes;
	options.stop_on_signals = 1;
	run_server(&service, &options);
	end_service(&service);
}

static void lines_on_one_loop(void)
{
	struct service service = {.loop = make_loop()};
	struct brink_server_options options = usual(&service);

	if (service.loop == NULL)
		return;
	options.protocols = &line;
	options.protocol_count = 1;
	options.on_message = on_message;
	options.listener.max_connections = 2;
	run_server(&service, &options);
	end_service(&service);
}

/* It is destroyed while clients are connected. */
static void destroyed(void)
{
	struct service service = {.loop = make_loop()};
	struct brink_server_options options = usual(&service);
	struct brink_address address;
	int fd;

	if (service.loop == NULL)
		return;
	options.on_bytes = on_bytes;
	if (went_well(brink_server_create(&service.server, service.loop, &options))) {
		CHECK(brink_server_address(service.server, 0, &address) == 0);
		fd = connect_to(&address);
		while (service.opened == 0 && drain(fd) >= 0)
			turn_loop(service.loop);
		brink_server_destroy(service.server);
		brink_loop_destroy(service.loop);
		CHECK(service.closed >= service.opened && service.closed <= 1);
		close(fd);
	} else {
		brink_loop_destroy(service.loop);
	}
}

/* ---- on a group ---- */

static void on_a_group(unsigned flags, bool protocol, bool in_order)
{
	struct service service = {.loop = make_loop()};
	struct brink_server_options options = usual(&service);
	brink_executor *executor = NULL;

	if (service.loop == NULL)
		return;
	options.group = make_group(2);
	options.flags = flags;
	options.protocols = protocol ? &line : NULL;
	options.protocol_count = protocol;
	options.on_message = protocol ? on_message : NULL;
	options.on_bytes = protocol ? NULL : on_bytes;
	if (options.group != NULL &&
	    went_well(brink_executor_create(&executor, &(struct brink_executor_options){.threads = 2}))) {
		if (in_order)
			options.socket.executor = executor;
		else
			options.executor = executor;
		run_server(&service, &options);
	}
	CHECK(brink_group_destroy(options.group) == 0);
	end_service(&service);
	CHECK(brink_executor_destroy(executor) == 0);
}

static void one_accepts(void)
{
	on_a_group(0, true, false);
}

static void each_accepts(void)
{
	on_a_group(BRINK_SERVER_EACH_ACCEPTS, true, true);
}

static void bytes_on_an_executor(void)
{
	on_a_group(0, false, false);
}

const struct scenario server_scenarios[] = {
	{"a server on one loop", on_one_loop, false},
	{"a server of lines, with a limit", lines_on_one_loop, false},
	{"a server that is destroyed", destroyed, false},
	{"a server on a group", one_accepts, true},
	{"a server on a group, each accepts", each_accepts, true},
	{"a server of bytes on an executor", bytes_on_an_executor, true},
	{NULL, NULL, false},
};
