#include "server_stage.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void on_open(brink_socket *socket, void *arg)
{
	struct service *service = arg;

	CHECK_ALWAYS(brink_socket_arg(socket) == service);
	atomic_fetch_add(&service->opened, 1);
}

static void wait_at(struct service *service)
{
	atomic_fetch_add(&service->blocked, 1);
	while (atomic_load(&service->gate) != 0)
		sleep_ms(1);
	atomic_fetch_sub(&service->blocked, 1);
}

/* Who has no memory for an answer ends the connection; a crowded one waits for its peer. */
static void give_back(brink_socket *socket, brink_buffer *bytes)
{
	int rc = brink_socket_write(socket, bytes);

	if (rc == -BRINK_EOVERCROWDED)
		brink_buffer_clear(bytes);
	else if (rc < 0)
		brink_socket_fail(brink_socket_get_id(socket), rc, NULL);
}

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct service *service = arg;

	wait_at(service);
	give_back(socket, in);
	atomic_fetch_add(&service->processed, 1);
}

static void on_message(brink_message *message, void *arg)
{
	struct service *service = arg;

	wait_at(service);
	if (brink_buffer_append(&message->body, "\n", 1) == 0)
		give_back(message->socket, &message->body);
	else
		brink_socket_fail(brink_socket_get_id(message->socket), -ENOMEM, NULL);
	atomic_fetch_add(&service->processed, 1);
	brink_message_free(message);
}

static void on_written(brink_socket *socket, int error, void *arg)
{
	struct service *service = arg;

	(void)socket;
	if (error == 0)
		atomic_fetch_add(&service->written, 1);
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct service *service = arg;

	(void)socket, (void)text;
	if (error != 0)
		atomic_store(&service->error, error);
	atomic_fetch_add(&service->closed, 1);
}

static void on_stopped(brink_server *server, void *arg)
{
	struct service *service = arg;

	CHECK_ALWAYS(server == service->server);
	atomic_fetch_add(&service->stopped, 1);
}

/* Of the process alone, where the system has more than one: clients of other tests, which try again and again until
 * their server is back, would find this one at its port. */
#if defined(__linux__)

static void choose_host(char *text, size_t size)
{
	unsigned pid = (unsigned)getpid();

	snprintf(text, size, "127.%u.%u.%u:0", 1 + (pid >> 16) % 254, (pid >> 8) % 256, pid % 254 + 1);
}

#else

static void choose_host(char *text, size_t size)
{
	snprintf(text, size, "127.0.0.1:0");
}

#endif

static void choose_address(struct service *service, enum kind kind)
{
	int listener = open_listener(kind, 1);

	CHECK_OK(brink_address_of(listener, &service->address));
	CHECK_OK(brink_address_format(&service->address, service->text, sizeof service->text));
	if (kind == KIND_UNIX)
		strcat(service->text, "-server");
	else if (kind == KIND_TCP)
		choose_host(service->text, sizeof service->text);
	else
		strcpy(strrchr(service->text, ':'), ":0");
	close_fd(&listener);
	service->options.address = service->text;
}

static void add_group(struct service *service)
{
	CHECK_OK(brink_group_create(&service->group, &(struct brink_group_options){
		.loops = 3, .loop.backend = backend_name()}));
	service->options.group = service->group;
}

static void add_messages(struct service *service)
{
	service->protocol = (struct brink_protocol){.name = "line", .parse = brink_parse_line};
	service->options.protocols = &service->protocol;
	service->options.protocol_count = 1;
	service->options.on_message = on_message;
	service->options.on_bytes = NULL;
}

void open_service(struct service *service, enum kind kind, enum shape shape)
{
	memset(service, 0, sizeof *service);
	service->loop = new_loop();
	choose_address(service, kind);
	service->options.on_open = on_open;
	service->options.on_bytes = on_bytes;
	service->options.on_write_complete = on_written;
	service->options.on_close = on_close;
	service->options.on_stopped = on_stopped;
	service->options.arg = service;
	if (shape == GROUP || shape == EACH_ACCEPTS || shape == MESSAGES)
		add_group(service);
	if (shape == EACH_ACCEPTS)
		service->options.flags = BRINK_SERVER_EACH_ACCEPTS;
	if (shape == MESSAGES || shape == MESSAGES_ON_EXECUTOR)
		add_messages(service);
	if (shape == ON_EXECUTOR || shape == MESSAGES_ON_EXECUTOR) {
		CHECK_OK(brink_executor_create(&service->executor, &(struct brink_executor_options){.threads = 4}));
		service->options.executor = service->executor;
	}
}

void start_service(struct service *service)
{
	CHECK_OK(brink_server_create(&service->server, service->loop, &service->options));
	CHECK_OK(brink_server_address(service->server, 0, &service->address));
}

void destroy_service(struct service *service)
{
	brink_server_destroy(service->server);
	service->server = NULL;
}

void close_service(struct service *service)
{
	atomic_store(&service->gate, 0);
	destroy_service(service);
	CHECK_OK(brink_group_destroy(service->group));
	CHECK_OK(brink_loop_destroy(service->loop));
	CHECK_OK(brink_executor_destroy(service->executor));
	CHECK_ALWAYS(atomic_load(&service->closed) >= atomic_load(&service->opened));
}

int connect_client(const struct service *service)
{
	return connect_address(&service->address);
}

void connect_clients(struct service *service, int *clients, unsigned count)
{
	unsigned before = atomic_load(&service->opened);

	for (unsigned i = 0; i < count; i++) {
		clients[i] = connect_client(service);
		turn_briefly(service->loop);
	}
	RUN_UNTIL(service->loop, atomic_load(&service->opened) == before + count);
}

void read_back(struct service *service, int fd, char *bytes, size_t size)
{
	size_t got = 0;
	uint64_t end = hang_deadline();

	while (got < size) {
		ssize_t n = read(fd, bytes + got, size - got);

		if (n > 0) {
			got += (size_t)n;
			continue;
		}
		CHECK(n < 0 && errno == EAGAIN);
		CHECK(monotonic_now() < end);
		turn_briefly(service->loop);
	}
}

void talk_with(struct service *service, const int *clients, unsigned count)
{
	char sent[64], got[64];

	for (unsigned i = 0; i < count; i++) {
		snprintf(sent, sizeof sent, "client %08u says it\n", i);
		write_all(clients[i], sent, strlen(sent));
	}
	for (unsigned i = 0; i < count; i++) {
		snprintf(sent, sizeof sent, "client %08u says it\n", i);
		read_back(service, clients[i], got, strlen(sent));
		CHECK(memcmp(got, sent, strlen(sent)) == 0);
	}
}

void run_until_stopped(struct service *service)
{
	RUN_UNTIL(service->loop, atomic_load(&service->stopped) == 1);
}

void expect_gone(struct service *service, int fd, bool reset)
{
	uint64_t end = hang_deadline();
	char byte;

	for (;;) {
		ssize_t n = read(fd, &byte, 1);

		if (n == 0 || (n < 0 && errno != EAGAIN && reset))
			return;
		CHECK(n < 0 && errno == EAGAIN);
		CHECK(monotonic_now() < end);
		turn_briefly(service->loop);
	}
}
