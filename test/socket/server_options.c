/* What is refused of a server's options, and what happens without memory. */
#include "groups.h"
#include "scarce.h"
#include "server_stage.h"

#include <limits.h>
#include <string.h>

static void no_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)socket, (void)in, (void)arg;
}

static void no_call(brink_socket *socket, void *arg)
{
	(void)socket, (void)arg;
}

static void no_message(brink_message *message, void *arg)
{
	(void)arg;
	brink_message_free(message);
}

static void no_written(brink_socket *socket, int error, void *arg)
{
	(void)socket, (void)error, (void)arg;
}

static void no_close(brink_socket *socket, int error, const char *text, void *arg)
{
	(void)socket, (void)error, (void)text, (void)arg;
}

static int no_probe(brink_socket *socket, void *arg)
{
	(void)socket, (void)arg;
	return 0;
}

static void no_accept(brink_listener *listener, int fd, const struct brink_address *peer, void *arg)
{
	(void)listener, (void)fd, (void)peer, (void)arg;
}

static void no_error(brink_listener *listener, int error, void *arg)
{
	(void)listener, (void)error, (void)arg;
}

static void no_drained(brink_listener *listener, void *arg)
{
	(void)listener, (void)arg;
}

static const char *const no_addresses[] = {NULL}, *const some_addresses[] = {"127.0.0.1:0", NULL};
static struct brink_address some_address;
static struct brink_protocol a_line = {.name = "line", .parse = brink_parse_line};
static brink_messenger *a_messenger;
static brink_executor *an_executor;

#define SPOIL(name, change) \
	static void spoil_##name(struct brink_server_options *options) \
	{ \
		options->change; \
	}

SPOIL(nothing, on_bytes = NULL)
SPOIL(both_addresses, addresses = some_addresses)
SPOIL(no_addresses, addresses = (options->address = NULL, no_addresses))
SPOIL(nowhere, address = NULL)
SPOIL(bad_address, address = "127.0.0.1")
SPOIL(empty_address, address = "")
SPOIL(flags, flags = 2)
SPOIL(each_without_group, flags = BRINK_SERVER_EACH_ACCEPTS)
SPOIL(both, protocols = (options->protocol_count = 1, options->on_message = no_message, &a_line))
SPOIL(message, on_message = no_message)
SPOIL(protocols, protocols = &a_line)
SPOIL(messenger_flags, messenger_flags = BRINK_MESSENGER_NOT_IN_PLACE)
SPOIL(no_table, protocol_count = (options->on_bytes = NULL, 1))
SPOIL(nobody, protocols = (options->on_bytes = NULL, options->protocol_count = 1, &a_line))
SPOIL(reserved, reserved[3] = &a_line)
SPOIL(listener_address, listener.address = "127.0.0.1:0")
SPOIL(listener_accept, listener.on_accept = no_accept)
SPOIL(listener_error, listener.on_error = no_error)
SPOIL(listener_drained, listener.on_drained = no_drained)
SPOIL(listener_arg, listener.arg = &a_line)
SPOIL(listener_flags, listener.flags = 1u << 30)
SPOIL(socket_address, socket.address = &some_address)
SPOIL(socket_name, socket.name = "127.0.0.1:1")
SPOIL(socket_fd, socket.fd = 3)
SPOIL(socket_flags, socket.flags = BRINK_SOCKET_DELAY)
SPOIL(socket_open, socket.on_open = no_call)
SPOIL(socket_bytes, socket.on_bytes = no_bytes)
SPOIL(socket_close, socket.on_close = no_close)
SPOIL(socket_revive, socket.on_revive = no_call)
SPOIL(socket_written, socket.on_written = no_written)
SPOIL(socket_arg, socket.arg = &a_line)
SPOIL(socket_messenger, socket.messenger = a_messenger)
SPOIL(socket_probe, socket.probe = no_probe)
SPOIL(socket_interval, socket.probe_interval = 1)
SPOIL(socket_interval_max, socket.probe_interval_max = 1)
SPOIL(socket_isolation, socket.isolation = 1)
SPOIL(socket_executor, socket.executor = options->executor = an_executor)
SPOIL(socket_water, socket.low_water = (options->socket.high_water = 1, 2))
SPOIL(socket_reserved, socket.reserved[0] = &a_line)

static void (*const spoils[])(struct brink_server_options *) = {
	spoil_nothing, spoil_both_addresses, spoil_no_addresses, spoil_nowhere, spoil_bad_address, spoil_empty_address,
	spoil_flags, spoil_each_without_group, spoil_both, spoil_message, spoil_protocols, spoil_messenger_flags,
	spoil_no_table, spoil_nobody, spoil_reserved, spoil_listener_address, spoil_listener_accept,
	spoil_listener_error, spoil_listener_drained, spoil_listener_arg, spoil_listener_flags,
	spoil_socket_address, spoil_socket_name, spoil_socket_fd, spoil_socket_flags, spoil_socket_open,
	spoil_socket_bytes, spoil_socket_close, spoil_socket_revive, spoil_socket_written, spoil_socket_arg,
	spoil_socket_messenger, spoil_socket_probe, spoil_socket_interval, spoil_socket_interval_max,
	spoil_socket_isolation, spoil_socket_executor, spoil_socket_water, spoil_socket_reserved,
};

static void bad_values(enum kind kind)
{
	const struct brink_server_options good = {.address = "127.0.0.1:0", .on_bytes = no_bytes};
	brink_loop *loop = new_loop();
	brink_server *server = NULL;

	(void)kind;
	CHECK_OK(brink_messenger_create(&a_messenger, &(struct brink_messenger_options){
		.protocols = &a_line, .protocol_count = 1, .on_message = no_message}));
	CHECK_OK(brink_executor_create(&an_executor, &(struct brink_executor_options){.threads = 1}));
	CHECK_ERROR(brink_server_create(&server, loop, NULL), -EINVAL);
	CHECK_ERROR(brink_server_create(&server, NULL, &good), -EINVAL);
	for (size_t i = 0; i < sizeof spoils / sizeof spoils[0]; i++) {
		struct brink_server_options options = good;
		int rc;

		spoils[i](&options);
		rc = brink_server_create(&server, loop, &options);
		if (rc != -EINVAL)
			FAIL("bad value %zu gives %d", i, rc);
		CHECK(server == NULL);
	}
	CHECK_OK(brink_server_create(&server, loop, &good));
	brink_server_destroy(server);
	brink_server_destroy(NULL);
	brink_messenger_destroy(a_messenger);
	CHECK_OK(brink_executor_destroy(an_executor));
	CHECK_OK(brink_loop_destroy(loop));
}

static void address_in_use(enum kind kind)
{
	static const enum shape shapes[] = {ONE_LOOP, GROUP};
	struct service first, second;
	char text[BRINK_ADDRESS_TEXT];

	for (size_t i = 0; i < 2; i++) {
		open_service(&first, kind, ONE_LOOP);
		start_service(&first);
		open_service(&second, kind, shapes[i]);
		CHECK_OK(brink_address_format(&first.address, text, sizeof text));
		second.options.address = text;
		CHECK_ERROR(brink_server_create(&second.server, second.loop, &second.options), -EADDRINUSE);
		CHECK(second.server == NULL);
		close_service(&second);
		close_service(&first);
	}
}

/* ---- without memory ---- */

/* The server may fail to start, or a connection to be opened; then it ends, and all is freed. */
static bool served_short_of(enum kind kind, enum shape shape, unsigned k)
{
	struct service service;
	bool reached;
	int fd = -1;

	open_service(&service, kind, shape);
	fail_allocation(k);
	if (brink_server_create(&service.server, service.loop, &service.options) == 0) {
		CHECK_OK(brink_server_address(service.server, 0, &service.address));
		fd = connect_client(&service);
		write_all(fd, "line\n", 5);
		RUN_UNTIL(service.loop, atomic_load(&service.closed) == 1 || ready_now(fd, BRINK_READ));
		close_fd(&fd);
		reached = allocation_failed();
		CHECK_OK(brink_server_stop(service.server, BRINK_SECONDS(60)));
		run_until_stopped(&service);
	} else {
		CHECK(service.server == NULL);
		reached = allocation_failed();
		CHECK(reached);
	}
	close_service(&service);
	return reached;
}

/* What stays are pages of slots, and what threads keep for their next use: no more after many
 * failures than after one success. What is lost otherwise is the leak checker's to say. */
static void without_memory(enum kind kind)
{
	unsigned failures = 0;
	long kept;

	scarce_memory();
	CHECK(!served_short_of(kind, ONE_LOOP, UINT_MAX));
	kept = blocks_live();
	for (int shape = 0; shape < SHAPES; shape++) {
		unsigned k = 1;

		while (served_short_of(kind, (enum shape)shape, k))
			k++;
		CHECK(k > 3);
		failures += k;
	}
	CHECK(blocks_live() < kept + (long)failures / 2);
}

/* ---- a group that has been stopped ---- */

static void expect_canceled(struct service *service)
{
	int result = brink_server_create(&service->server, service->loop, &service->options);

	if (result == 0) {
		/* Where the kernel does not balance, no loop of the group's is asked. */
		CHECK(strstr(brink_server_description(service->server), "one loop accepts") != NULL);
		return;
	}
	CHECK_ERROR(result, -ECANCELED);
	CHECK(service->server == NULL);
}

static void group_has_stopped(enum kind kind)
{
	struct service service;

	for (int joined = 0; joined < 2; joined++) {
		open_service(&service, kind, EACH_ACCEPTS);
		brink_group_stop(service.group);
		if (joined)
			CHECK_OK(brink_group_join(service.group));
		expect_canceled(&service);
		close_service(&service);
	}
}

struct stopper {
	brink_task task;
	brink_group *group;
	atomic_bool begun;
};

static void stop_after_a_while(brink_task *task)
{
	struct stopper *stopper = brink_container_of(task, struct stopper, task);

	atomic_store(&stopper->begun, true);
	sleep_ms(50);
	brink_group_stop(stopper->group);
}

/* The last task that the loop ever calls; what is posted meanwhile comes too late. */
static void post_stopper(struct stopper *stopper, brink_group *group, unsigned index)
{
	stopper->group = group;
	atomic_init(&stopper->begun, false);
	brink_task_init(&stopper->task, stop_after_a_while);
	brink_task_post(brink_group_loop(group, index), &stopper->task);
	while (!atomic_load(&stopper->begun))
		sleep_ms(1);
}

static void group_stops_meanwhile(enum kind kind)
{
	for (unsigned index = 0; index < 3; index++) {
		struct service service;
		struct stopper stopper;

		open_service(&service, kind, EACH_ACCEPTS);
		post_stopper(&stopper, service.group, index);
		expect_canceled(&service);
		close_service(&service);
	}
}

static atomic_bool answered;

static void wait_for_answer(brink_loop *loop, unsigned index, void *arg)
{
	(void)loop;
	(void)index;
	(void)arg;
	while (!atomic_load(&answered))
		sleep_ms(1);
}

/* Whose on_stop waits for who makes a server on it, as one may that joins a thread of the program's. */
static void group_waits_as_it_stops(enum kind kind)
{
	const struct brink_group_options options = {
		.loops = 3, .on_stop = wait_for_answer, .loop.backend = backend_name()};

	for (unsigned index = 0; index < 3; index++) {
		struct service service;
		struct stopper stopper;

		open_service(&service, kind, EACH_ACCEPTS);
		CHECK_OK(brink_group_destroy(service.group));
		CHECK_OK(brink_group_create(&service.group, &options));
		service.options.group = service.group;
		atomic_store(&answered, false);
		post_stopper(&stopper, service.group, index);
		expect_canceled(&service);
		atomic_store(&answered, true);
		close_service(&service);
	}
}

static const struct scenario scenarios[] = {
	SCENARIO("server-options/bad-values", bad_values, 0),
	SCENARIO("server-options/address-in-use", address_in_use, KINDS_STREAM),
	SCENARIO("server-options/group-has-stopped", group_has_stopped, KINDS_TCP),
	SCENARIO("server-options/group-stops-meanwhile", group_stops_meanwhile, KINDS_TCP),
	SCENARIO("server-options/group-waits-as-it-stops", group_waits_as_it_stops, KINDS_TCP),
	SCENARIO("server-options/without-memory", without_memory, KIND_TCP | KIND_UNIX),
	NO_MORE_SCENARIOS,
};
const struct group server_options_group = {"server-options", scenarios};
