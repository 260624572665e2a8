/* The client: exchanges one after another over one connection. */
#include "config.h"

#include "http_client.h"
#include "memory.h"
#include "resolver.h"
#include "socket.h"

#include <errno.h>
#include <string.h>

#define TIMEOUT BRINK_SECONDS(60)

/* ---- exchanges in line ---- */

static void drop(brink_http_client *client)
{
	if (!client->destroyed || client->calls > 0)
		return;
	if (client->socket.resolver != NULL)
		brink__resolver_drop(client->socket.resolver);
	brink__free(client);
}

/* The first is over. The client may be gone afterwards, unless the caller counts as a call. */
static void finish(brink_http_client *client, int error)
{
	struct brink__http_exchange *exchange = client->first;
	struct brink_http_response response = {0};
	const struct brink__http_head *head = exchange->response;

	client->first = exchange->next;
	if (client->first == NULL)
		client->end = &client->first;
	client->active = false;
	brink_timer_stop(&client->timer);
	if (error == 0)
		response = (struct brink_http_response){head->status, head->minor, head->reason, head->headers,
			head->count, &exchange->body};
	client->calls++;
	exchange->on_response(error == 0 ? &response : NULL, error, exchange->arg);
	client->calls--;
	brink__http_exchange_destroy(exchange);
	if (!client->destroyed)
		brink__http_client_schedule(client);
	drop(client);
}

/* ---- the connection ---- */

static struct brink__http_link *give_up(brink_http_client *client)
{
	struct brink__http_link *link = client->link;

	client->link = NULL;
	if (link != NULL)
		link->client = NULL;
	return link;
}

static void fail_link(brink_http_client *client, int error)
{
	struct brink__http_link *link = give_up(client);

	if (link != NULL)
		brink_socket_fail(link->id, error, NULL);
}

/* Nothing is under way on it: it ends as it should, for which some transports have a mark. */
static void close_link(brink_http_client *client)
{
	struct brink__http_link *link = give_up(client);
	brink_socket *socket = link != NULL ? brink_socket_address(link->id) : NULL;

	if (socket == NULL)
		return;
	brink_socket_close(socket);
	brink_socket_release(socket);
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct brink__http_link *link = arg;
	brink_http_client *client = link->client;
	bool stale = link->used && !link->got;

	(void)socket, (void)text;
	brink__http_reader_destroy(&link->reader);
	brink__free(link);
	if (client == NULL)
		return;
	client->link = NULL;
	if (!client->active)
		return;
	if (stale && client->first->repeatable) {
		client->first->repeatable = client->active = false;
		brink__http_client_schedule(client);
	} else {
		finish(client, error != 0 ? error : -ECONNRESET);
	}
}

/* Keeps the connection for the next, if both sides may. Who answers a request that is not all sent does not want the
 * rest of it, without which nothing else can follow. */
static void complete(brink_http_client *client, struct brink__http_link *link, brink_socket *socket,
                     const brink_buffer *in)
{
	const struct brink__http_exchange *exchange = client->first;
	const struct brink__http_head *response = exchange->response;

	link->used = true;
	if (brink__socket_has_unsent(socket)) {
		fail_link(client, 0);
	} else if (exchange->last || !response->keep_alive || response->until_end || brink_buffer_length(in) > 0) {
		give_up(client);
		brink_socket_close(socket);
	}
	finish(client, 0);
}

static void take(struct brink__http_link *link, brink_socket *socket, brink_buffer *in, bool at_end)
{
	brink_http_client *client = link->client;
	int rc;

	/* What was not asked for is no response. */
	if (client == NULL || !client->active) {
		brink_buffer_clear(in);
		if (client != NULL)
			fail_link(client, -EPROTO);
		return;
	}
	link->got = link->got || brink_buffer_length(in) > 0;
	rc = brink__http_exchange_take(client->first, &link->reader, in, at_end);
	if (rc > 0) {
		complete(client, link, socket, in);
	} else if (rc < 0) {
		fail_link(client, rc);
		finish(client, rc);
	}
}

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	take(arg, socket, in, false);
}

/* It may be the end of a body. */
static void on_end(brink_socket *socket, void *arg)
{
	struct brink__http_link *link = arg;
	brink_http_client *client = link->client;
	brink_buffer none = {0};

	if (client != NULL && client->active && link->got) {
		take(link, socket, &none, true);
		/* Else it came too early. */
		if (link->client != NULL && link->client->active) {
			fail_link(client, -EPROTO);
			finish(client, -EPROTO);
		}
	}
	brink_socket_fail(brink_socket_get_id(socket), -ECONNRESET, "the server has ended the connection");
}

static int connect_link(brink_http_client *client)
{
	struct brink_socket_options options = client->socket;
	struct brink__http_link *link = brink__allocate(1, sizeof *link);
	int rc;

	if (link == NULL)
		return -ENOMEM;
	rc = brink__http_reader_init(&link->reader, true, &client->limits, 0);
	if (rc == 0) {
		if (options.name == NULL)
			options.address = &client->address;
		options.on_bytes = on_bytes;
		options.on_end = on_end;
		options.on_close = on_close;
		options.arg = link;
		rc = brink_socket_create(&link->id, client->loop, &options);
	}
	if (rc < 0) {
		brink__http_reader_destroy(&link->reader);
		brink__free(link);
		return rc;
	}
	link->client = client;
	client->link = link;
	return 0;
}

/* A connection that has failed, of which on_close has not told yet, is as good as stale. */
static brink_socket *socket_of(brink_http_client *client, int *error)
{
	brink_socket *socket = client->link != NULL ? brink_socket_address(client->link->id) : NULL;

	*error = 0;
	if (socket != NULL)
		return socket;
	give_up(client);
	*error = connect_link(client);
	return *error < 0 ? NULL : brink_socket_address(client->link->id);
}

static int send_first(brink_http_client *client)
{
	brink_buffer out = {0};
	int rc;
	brink_socket *socket = socket_of(client, &rc);

	if (rc < 0)
		return rc;
	client->active = true;
	client->link->got = false;
	if (!brink_timer_active(&client->timer)) {
		client->overdue = false;
		brink_timer_start(client->loop, &client->timer, client->timeout, 0);
	}
	/* One that has failed at once says why by on_close. */
	if (socket == NULL)
		return 0;
	rc = brink_buffer_share(&out, &client->first->request);
	if (rc == 0)
		rc = brink_socket_write_with(socket, &out, &(struct brink_write_options){.flags = BRINK_WRITE_FORCE});
	brink_buffer_clear(&out);
	brink_socket_release(socket);
	return rc == -ENOMEM ? rc : 0;
}

/* What comes on a kept connection before the request was not asked for, and would be taken for the response to that;
 * or the connection has ended. What is there now is known to the loop after its next wait, and read in that turn. */
static bool has_to_hear(brink_http_client *client)
{
	const struct brink__http_link *link = client->link;
	brink_socket *socket = link != NULL && link->used ? brink_socket_address(link->id) : NULL;
	bool has = socket != NULL && client->heard < 2 && brink__socket_has_news(socket);

	if (socket != NULL)
		brink_socket_release(socket);
	client->heard = has ? client->heard + 1 : 0;
	return has;
}

void brink__http_client_begin(brink_task *task)
{
	brink_http_client *client = brink_container_of(task, brink_http_client, task);
	int rc;

	client->scheduled = false;
	if (client->active || client->first == NULL)
		return;
	if (has_to_hear(client)) {
		brink__http_client_schedule(client);
		return;
	}
	rc = send_first(client);
	if (rc < 0) {
		fail_link(client, rc);
		finish(client, rc);
	}
}

void brink__http_client_schedule(brink_http_client *client)
{
	if (client->scheduled || client->active || client->first == NULL)
		return;
	client->scheduled = true;
	brink_task_post(client->loop, &client->task);
}

static void on_timeout(brink_timer *timer)
{
	brink_http_client *client = brink_container_of(timer, brink_http_client, timer);

	/* If the loop was held up, what has come in time has not been read yet: another turn, and it is. */
	if (!client->overdue) {
		client->overdue = true;
		brink_timer_start(client->loop, timer, 0, 0);
		return;
	}
	fail_link(client, -ETIMEDOUT);
	finish(client, -ETIMEDOUT);
}

/* ---- the object ---- */

static bool options_are_sound(const struct brink_http_client_options *options)
{
	static void *const zero[sizeof options->reserved / sizeof options->reserved[0]];
	const struct brink_socket_options *socket = &options->socket;

	return (options->address == NULL) != (options->name == NULL) && socket->address == NULL && socket->name == NULL &&
	       socket->fd == 0 && socket->on_open == NULL && socket->on_bytes == NULL && socket->on_end == NULL &&
	       socket->on_high == NULL && socket->on_low == NULL && socket->on_close == NULL &&
	       socket->on_revive == NULL && socket->on_written == NULL && socket->arg == NULL &&
	       socket->messenger == NULL && socket->executor == NULL && socket->probe_interval == 0 &&
	       (socket->flags & BRINK_SOCKET_PAUSED) == 0 &&
	       memcmp(options->reserved, zero, sizeof zero) == 0;
}

/* What each connection would be refused for is said at once. */
static int try_socket(const struct brink_http_client_options *options, const brink_loop *loop)
{
	struct brink_socket_options socket = options->socket;
	struct brink__socket_config *config;
	int rc;

	if (socket.resolver != NULL && brink__resolver_loop(socket.resolver) != loop)
		return -EINVAL;
	socket.address = options->address;
	socket.name = options->name;
	rc = brink__socket_config_create(&config, &socket);
	if (rc == 0)
		brink__socket_config_drop(config);
	return rc;
}

static void set_up(brink_http_client *client, brink_loop *loop, const struct brink_http_client_options *options)
{
	client->loop = loop;
	if (options->name != NULL)
		client->socket.name = strcpy(client->host + strlen(client->host) + 1, options->name);
	else
		client->address = *options->address;
	if (client->socket.resolver != NULL)
		brink__resolver_hold(client->socket.resolver);
	client->timeout = options->timeout == 0 ? TIMEOUT : options->timeout;
	client->end = &client->first;
	brink_task_init(&client->task, brink__http_client_begin);
	brink_timer_init(&client->timer, on_timeout);
}

int brink_http_client_create(brink_http_client **client, brink_loop *loop,
                             const struct brink_http_client_options *options)
{
	char host[BRINK__HTTP_HOST];
	struct brink_http_limits limits;
	brink_http_client *made;
	int rc;

	if (loop == NULL || options == NULL || !options_are_sound(options))
		return -EINVAL;
	limits = options->limits;
	rc = brink__http_limits_fill(&limits);
	if (rc == 0)
		rc = try_socket(options, loop);
	if (rc == 0)
		rc = brink__http_client_host(options, host, sizeof host);
	if (rc < 0)
		return rc;
	made = brink__allocate(1, sizeof *made + strlen(host) + 1 +
	                              (options->name != NULL ? strlen(options->name) + 1 : 0));
	if (made == NULL)
		return -ENOMEM;
	strcpy(made->host, host);
	made->limits = limits;
	made->socket = options->socket;
	set_up(made, loop, options);
	*client = made;
	return 0;
}

void brink_http_client_destroy(brink_http_client *client)
{
	if (client == NULL || client->destroyed)
		return;
	client->destroyed = true;
	if (client->scheduled)
		brink_task_cancel(client->loop, &client->task);
	if (client->active)
		fail_link(client, -ECANCELED);
	else
		close_link(client);
	client->calls++;
	while (client->first != NULL)
		finish(client, -ECANCELED);
	client->calls--;
	brink_timer_stop(&client->timer);
	drop(client);
}

int brink_http_fetch(brink_http_client *client, const struct brink_http_fetch_options *options)
{
	struct brink__http_exchange *exchange;
	int rc;

	if (client->destroyed)
		return -EINVAL;
	rc = brink__http_exchange_create(&exchange, client, options);
	if (rc < 0)
		return rc;
	*client->end = exchange;
	client->end = &exchange->next;
	brink__http_client_schedule(client);
	return 0;
}
