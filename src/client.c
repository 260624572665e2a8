#include "config.h"

#include "client.h"
#include "memory.h"
#include "socket_gone.h"

#include <errno.h>
#include <string.h>

/* ---- making one ---- */

static int check(const struct brink_client_options *options)
{
	for (size_t i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++)
		if (options->reserved[i] != NULL)
			return -EINVAL;
	if ((options->address == NULL) == (options->name == NULL) || (options->loop == NULL) == (options->group == NULL))
		return -EINVAL;
	if (options->socket.name != NULL || (options->group != NULL && options->socket.resolver != NULL))
		return -EINVAL;
	if ((unsigned)options->kind > BRINK_CLIENT_SHORT || options->socket.address != NULL || options->socket.fd != 0)
		return -EINVAL;
	if (options->kind != BRINK_CLIENT_SINGLE && options->socket.probe_interval != 0)
		return -EINVAL;
	return 0;
}

static int configure(struct brink__socket_config **config, const struct brink_client_options *options)
{
	struct brink_socket_options socket = options->socket;
	int result;

	socket.address = options->address;
	socket.name = options->name;
	result = brink__socket_config_create(config, &socket);
	if (result == 0 && options->kind == BRINK_CLIENT_POOLED)
		(*config)->rest_timeout = options->idle_timeout != 0 ? options->idle_timeout : BRINK_SECONDS(60);
	return result;
}

/* With a place for each connection of its pool, as many as it has. */
static brink_client *allocate(size_t places)
{
	brink_client *client = NULL;

	if (places <= (SIZE_MAX - sizeof *client) / sizeof client->ids[0])
		client = brink__allocate(1, sizeof *client + places * sizeof client->ids[0]);
	return client;
}

int brink_client_create(brink_client **created, const struct brink_client_options *options)
{
	unsigned max = options->max_connections != 0 ? options->max_connections : 16;
	struct brink__socket_config *config;
	brink_client *client;
	int result = check(options);

	if (result == 0)
		result = configure(&config, options);
	if (result < 0)
		return result;
	if (options->kind != BRINK_CLIENT_POOLED)
		max = 0;
	client = allocate(max);
	result = client != NULL ? -pthread_mutex_init(&client->lock, NULL) : -ENOMEM;
	if (result < 0) {
		brink__socket_config_drop(config);
		brink__free(client);
		return result;
	}
	client->kind = options->kind;
	client->config = config;
	client->loop = options->loop;
	client->group = options->group;
	client->max = max;
	atomic_init(&client->single, BRINK_NO_SOCKET);
	brink__list_init(&client->waiters);
	*created = client;
	return 0;
}

static void end_single(brink_client *client)
{
	brink_socket_id id = atomic_load(&client->single);
	brink_socket *socket = brink_socket_address(id);

	if (socket == NULL) {
		brink_socket_abandon(id); /* it may be probing */
		return;
	}
	/* It sends what was written, and does not come back. */
	brink__slot_abandon(socket);
	brink__client_part(socket);
}

void brink_client_destroy(brink_client *client)
{
	if (client == NULL)
		return;
	if (client->kind == BRINK_CLIENT_SINGLE)
		end_single(client);
	brink__pool_end(client);
	pthread_mutex_destroy(&client->lock);
	brink__socket_config_drop(client->config);
	brink__free(client);
}

/* ---- connections ---- */

int brink__client_connect(brink_client *client, brink_socket **socket)
{
	uint64_t number = atomic_fetch_add(&client->connections, 1);
	brink_loop *loop = client->loop;
	int result;

	/* There is no descriptor yet to place by: the connections' numbers are spread as well. */
	if (loop == NULL)
		loop = brink_group_place(client->group, (int)(number & INT32_MAX));
	result = brink__socket_connect(socket, loop, client->config);
	if (result < 0)
		atomic_fetch_sub(&client->connections, 1);
	return result;
}

bool brink__client_is_well(brink_socket *socket)
{
	return !brink__socket_failed(socket) && !brink__socket_hears_out(socket) && !atomic_load(&socket->ending) &&
	       !atomic_load(&socket->their_end);
}

void brink__client_part(brink_socket *socket)
{
	brink_socket_close(socket);
	brink_socket_release(socket);
}

/* ---- the single one ---- */

static brink_socket *find_single(brink_client *client)
{
	brink_socket *socket = brink_socket_address(atomic_load(&client->single));

	if (socket == NULL || brink__client_is_well(socket))
		return socket;
	brink_socket_release(socket);
	return NULL;
}

static int replace_single(brink_client *client, brink_socket **socket)
{
	bool revives = client->config->options.probe_interval != 0;
	int result;

	if (revives && !brink__slot_is_over(atomic_load(&client->single)))
		return -ENOTCONN;
	result = brink__client_connect(client, socket);
	if (result == 0)
		atomic_store(&client->single, brink_socket_get_id(*socket));
	return result;
}

/* One that is to revive has to fail first. If only its peer has ended its side, nobody may be about to
 * close it. */
static void close_half_open(brink_client *client)
{
	brink_socket *socket = brink_socket_address(atomic_load(&client->single));

	if (socket == NULL)
		return;
	if (atomic_load(&socket->their_end) && !atomic_load(&socket->ending))
		brink_socket_close(socket);
	brink_socket_release(socket);
}

static int take_single(brink_client *client, brink_socket **socket)
{
	int result = 0;

	*socket = find_single(client);
	if (brink__likely(*socket != NULL))
		return 0;
	pthread_mutex_lock(&client->lock);
	*socket = find_single(client); /* another may have been quicker */
	if (*socket == NULL)
		result = replace_single(client, socket);
	pthread_mutex_unlock(&client->lock);
	/* Without the lock: what it calls may take. */
	if (result == -ENOTCONN)
		close_half_open(client);
	return result;
}

/* ---- taking and giving ---- */

int brink_client_take(brink_client *client, brink_socket **socket)
{
	return brink_client_take_later(client, socket, NULL);
}

int brink_client_take_later(brink_client *client, brink_socket **socket, struct brink_client_wait *wait)
{
	if (client->kind == BRINK_CLIENT_SINGLE)
		return take_single(client, socket);
	if (client->kind == BRINK_CLIENT_POOLED)
		return brink__pool_take(client, socket, wait);
	return brink__client_connect(client, socket);
}

void brink_client_give(brink_client *client, brink_socket *socket)
{
	if (client->kind == BRINK_CLIENT_SINGLE)
		brink_socket_release(socket);
	else if (client->kind == BRINK_CLIENT_POOLED)
		brink__pool_give(client, socket);
	else
		brink__client_part(socket);
}

void brink_client_get_info(brink_client *client, struct brink_client_info *info)
{
	memset(info, 0, sizeof *info);
	info->connections = atomic_load(&client->connections);
	info->probe_error = atomic_load(&client->config->probe_error);
	pthread_mutex_lock(&client->lock);
	info->taken = client->taken;
	info->idle = client->idle;
	info->waiting = client->waiting;
	pthread_mutex_unlock(&client->lock);
}
