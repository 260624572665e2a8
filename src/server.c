/* The server: creation, destruction, and what others may ask. */
#include "config.h"

#include "memory.h"
#include "messenger.h"
#include "os.h"
#include "server.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DEADLINE BRINK_SECONDS(10)

/* ---- the object ---- */

void brink__server_release(brink_server *server)
{
	if (atomic_fetch_sub(&server->references, 1) != 1)
		return;
	for (unsigned i = 0; i < server->gate_count; i++)
		if (server->gates[i].config != NULL)
			brink__socket_config_drop(server->gates[i].config);
	brink_messenger_destroy(server->messenger);
	pthread_mutex_destroy(&server->lock);
	brink__free(server->gates);
	brink__free(server->seats);
	brink__free(server);
}

void brink__server_tell(brink_server *server, brink_task *task, bool *posted)
{
	pthread_mutex_lock(&server->lock);
	if (!server->destroyed && !*posted) {
		*posted = true;
		brink__server_hold(server);
		brink_task_post(server->loop, task);
	}
	pthread_mutex_unlock(&server->lock);
}

void brink__server_heard(brink_server *server, bool *posted)
{
	pthread_mutex_lock(&server->lock);
	*posted = false;
	pthread_mutex_unlock(&server->lock);
}

static int allocate(brink_server **made, unsigned gates, unsigned seats)
{
	brink_server *server = brink__allocate(1, sizeof *server);
	int rc = server != NULL ? -pthread_mutex_init(&server->lock, NULL) : -ENOMEM;

	if (rc < 0) {
		brink__free(server);
		return rc;
	}
	atomic_init(&server->references, 1);
	server->gates = brink__allocate(gates, sizeof *server->gates);
	server->seats = brink__allocate(seats, sizeof *server->seats);
	if (server->gates == NULL || server->seats == NULL) {
		brink__server_release(server);
		return -ENOMEM;
	}
	*made = server;
	return 0;
}

/* ---- which gates ---- */

static const char *address_at(const struct brink_server_options *options, unsigned index)
{
	return options->addresses != NULL ? options->addresses[index] : options->address;
}

static unsigned count_addresses(const struct brink_server_options *options)
{
	unsigned count = 0;

	while (options->addresses != NULL && options->addresses[count] != NULL)
		count++;
	return count > 0 ? count : 1;
}

/* Whether each loop of the group is to accept at this address. */
static int is_shared(const struct brink_server_options *options, const char *text, bool *shared)
{
	struct brink_address address;
	int rc = 0;

	*shared = (options->flags & BRINK_SERVER_EACH_ACCEPTS) != 0 && text != NULL &&
	          brink__os_reuseport_balances();
	if (*shared)
		rc = brink_address_parse(&address, text);
	*shared = *shared && rc == 0 && address.storage.ss_family != AF_UNIX;
	return rc;
}

static int add_gate(brink_server *server, const struct brink_server_options *options, unsigned address_index,
                    brink_loop *loop, bool shared)
{
	struct brink__gate *gate = &server->gates[server->gate_count];
	const char *text = address_at(options, address_index);

	gate->server = server;
	gate->loop = loop;
	gate->address_index = address_index;
	gate->shares = shared;
	gate->serves = shared || options->group == NULL;
	gate->closed = true;
	if (text != NULL && *text == '\0')
		return -EINVAL; /* the gate's text would say that there is a descriptor instead */
	if (text != NULL && strlen(text) >= sizeof gate->text)
		return -ENAMETOOLONG;
	memcpy(gate->text, text != NULL ? text : "", text != NULL ? strlen(text) + 1 : 1);
	server->gate_count++;
	return brink__server_config(gate, options);
}

static int add_gates(brink_server *server, const struct brink_server_options *options)
{
	int rc = 0;

	for (unsigned i = 0; i < server->address_count && rc == 0; i++) {
		bool shared;

		rc = is_shared(options, address_at(options, i), &shared);
		for (unsigned k = 0; rc == 0 && k < (shared ? server->seat_count : 1); k++)
			rc = add_gate(server, options, i, shared ? server->seats[k].loop : server->loop, shared);
	}
	return rc;
}

/* ---- opening them ---- */

/* Those that share an address with the first of them are told its port. */
static int open_shared(brink_server *server, const struct brink_server_options *options)
{
	int rc = 0;

	for (unsigned k = 0; k < server->seat_count && rc == 0; k++) {
		rc = brink__seat_open(&server->seats[k], options);
		for (unsigned i = 0; i < server->gate_count && rc == 0 && k == 0; i++) {
			struct brink__gate *gate = &server->gates[i];

			if (!gate->shares || gate->closed)
				continue;
			for (unsigned n = i + 1; n < server->gate_count && rc == 0; n++)
				if (server->gates[n].address_index == gate->address_index)
					rc = brink_address_format(&gate->address, server->gates[n].text,
					                          sizeof gate->text) < 0 ? -EINVAL : 0;
		}
	}
	return rc;
}

static int open_gates(brink_server *server, const struct brink_server_options *options)
{
	bool shared = false;
	int rc = 0;

	for (unsigned i = 0; i < server->gate_count; i++)
		shared |= server->gates[i].shares;
	if (shared)
		rc = open_shared(server, options);
	for (unsigned i = 0; i < server->gate_count && rc == 0; i++)
		if (!server->gates[i].shares)
			rc = brink__gate_open(&server->gates[i], options);
	return rc;
}

/* ---- what it is ---- */

static void say(brink_server *server, const char *format, ...)
{
	size_t length = strlen(server->description);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(server->description + length, sizeof server->description - length, format, arguments);
	va_end(arguments);
}

static void describe(brink_server *server, const struct brink_server_options *options)
{
	bool each = false, all = true;
	char text[BRINK_ADDRESS_TEXT];

	for (unsigned i = 0; i < server->gate_count; i++) {
		const struct brink__gate *gate = &server->gates[i];

		each |= gate->shares;
		all &= gate->shares;
		if (i > 0 && gate->address_index == server->gates[i - 1].address_index)
			continue;
		if (brink_address_format(&gate->address, text, sizeof text) > 0)
			say(server, "%s%s", i == 0 ? "" : ", ", text);
	}
	if (server->group == NULL) {
		say(server, ": one loop accepts and serves");
		return;
	}
	say(server, ": %u loops (%s) serve; ", server->seat_count, brink_group_tag(server->group));
	if (each)
		say(server, all ? "each accepts" : "each accepts, but for UNIX addresses");
	else
		say(server, "one loop accepts");
	if (!each && (options->flags & BRINK_SERVER_EACH_ACCEPTS) != 0)
		say(server, brink__os_reuseport_balances() ? ", as UNIX addresses have to be"
		                                           : ", as the kernel does not balance between several");
}

/* ---- for the program ---- */

static int make_messenger(brink_server *server, const struct brink_server_options *options)
{
	struct brink_messenger_options messages = {
		.protocols = options->protocols,
		.protocol_count = options->protocol_count,
		.flags = options->messenger_flags,
		.on_message = options->on_message,
		.arg = options->arg,
		.executor = options->executor,
	};

	if (options->protocol_count > 0)
		return brink_messenger_create(&server->messenger, &messages);
	/* Only there a stop has to know whether a call is under way. */
	if (options->executor != NULL || options->socket.executor != NULL)
		return brink__messenger_create_raw(&server->messenger, options->on_bytes);
	return 0;
}

static void take_options(brink_server *server, brink_loop *loop, const struct brink_server_options *options)
{
	server->loop = loop;
	server->group = options->group;
	server->on_close = options->on_close;
	server->on_stopped = options->on_stopped;
	server->on_accept_error = options->on_accept_error;
	server->arg = options->arg;
	server->stop_on_signals = options->stop_on_signals != 0;
	server->stop_deadline = options->stop_deadline != 0 ? options->stop_deadline : DEADLINE;
	brink_timer_init(&server->deadline, brink__server_deadline);
	brink_task_init(&server->emptied, brink__server_emptied);
}

static int build(brink_server *server, const struct brink_server_options *options, unsigned seats)
{
	int rc;

	server->address_count = count_addresses(options);
	server->seat_count = seats;
	for (unsigned i = 0; i < seats; i++)
		brink__seat_init(&server->seats[i], server,
		                 server->group != NULL ? brink_group_loop(server->group, i) : server->loop);
	rc = make_messenger(server, options);
	if (rc == 0)
		rc = add_gates(server, options);
	if (rc == 0)
		rc = open_gates(server, options);
	if (rc == 0 && server->stop_on_signals)
		rc = brink__server_watch_signals(server);
	return rc;
}

int brink_server_create(brink_server **server, brink_loop *loop, const struct brink_server_options *options)
{
	unsigned seats, gates;
	brink_server *made;
	int rc = loop == NULL ? -EINVAL : brink__server_check(options);

	if (rc < 0)
		return rc;
	seats = options->group != NULL ? brink_group_size(options->group) : 1;
	gates = count_addresses(options);
	if (options->flags & BRINK_SERVER_EACH_ACCEPTS)
		gates *= seats;
	rc = allocate(&made, gates, seats);
	if (rc < 0)
		return rc;
	take_options(made, loop, options);
	rc = build(made, options, seats);
	if (rc < 0) {
		brink_server_destroy(made);
		return rc;
	}
	describe(made, options);
	*server = made;
	return 0;
}

void brink_server_destroy(brink_server *server)
{
	if (server == NULL)
		return;
	pthread_mutex_lock(&server->lock);
	server->destroyed = true;
	pthread_mutex_unlock(&server->lock);
	server->state = BRINK__STOPPED; /* for what was posted before */
	brink_timer_stop(&server->deadline);
	brink__server_forget_signals(server);
	if (server->referred)
		brink_loop_unref(server->loop);
	server->referred = false;
	for (unsigned i = 0; i < server->seat_count; i++)
		brink__seat_end(&server->seats[i]);
	for (unsigned i = 0; i < server->gate_count; i++)
		if (server->gates[i].loop == server->loop)
			brink__gate_close(&server->gates[i]);
	brink__server_cut_off(server, -ECANCELED, "the server was destroyed");
	brink__server_release(server);
}

int brink_server_address(const brink_server *server, unsigned index, struct brink_address *address)
{
	for (unsigned i = 0; i < server->gate_count; i++) {
		if (server->gates[i].address_index == index) {
			*address = server->gates[i].address;
			return 0;
		}
	}
	return -ENOENT;
}

const char *brink_server_description(const brink_server *server)
{
	return server->description;
}
