/* A pool: connections that are taken and given back.
 *
 * `taken` are places, each for a connection that somebody has, or that is being made for him.
 * Idle connections are kept by their ids, and no reference with them: one that fails is
 * gone, and found out when its turn comes. So a new one is made only when no idle one is
 * left, and there are never more than `max`.
 *
 * Who gives a place back serves those who wait, as long as anything is free. Meanwhile nobody who comes
 * later takes it from them.
 *
 * An idle one rests: its timer closes it after a while. Who exchanges `resting` for false, the
 * timer or the taker, has it. */
#include "config.h"

#include "client.h"

#include <errno.h>

static struct brink_client_wait *wait_at(struct brink_list *node)
{
	return brink_container_of(node, struct brink_client_wait, node);
}

/* Those who wait are called one after the other, not one within the other's call: what is given back in a
 * call is left to whoever made it. These are the clients that this thread serves. */
struct service {
	brink_client *client; /* NULL: it was destroyed in a call */
	struct service *outer;
};
static _Thread_local struct service *innermost;

static struct service *find_service(const brink_client *client)
{
	struct service *service = innermost;

	while (service != NULL && service->client != client)
		service = service->outer;
	return service;
}

/* ---- with the lock ---- */

/* The latest that is well, with a reference; NULL. */
static brink_socket *pop(brink_client *client)
{
	while (client->idle > 0) {
		brink_socket *socket = brink_socket_address(client->ids[--client->idle]);

		if (socket == NULL)
			continue;
		if (atomic_exchange(&socket->resting, false)) {
			if (brink__client_is_well(socket))
				return socket;
			/* Not a close, which might write, and call what calls us. */
			if (!atomic_load(&socket->ending))
				brink__socket_fail(socket, 0, NULL);
		}
		brink_socket_release(socket);
	}
	return NULL;
}

static void push(brink_client *client, brink_socket *socket)
{
	brink__timing_rest(socket);
	atomic_store(&socket->resting, true);
	client->ids[client->idle++] = brink_socket_get_id(socket);
}

/* The one whose turn it is, who waits no longer; NULL. */
static struct brink_client_wait *next_waiter(brink_client *client)
{
	struct brink_client_wait *wait;

	if (client->waiting == 0)
		return NULL;
	wait = wait_at(client->waiters.next);
	brink__list_remove(&wait->node);
	client->waiting--;
	return wait;
}

/* What is free is first of all theirs who wait. But where no connection could be made there is none to
 * wait for: who asks then may try himself, and is told the error. */
static bool may_take(const brink_client *client)
{
	return client->taken < client->max && (client->waiting == 0 || client->failing);
}

/* Takes a place: with an idle connection, or NULL: one has to be made. What failed before says nothing of this. */
static brink_socket *occupy(brink_client *client)
{
	client->taken++;
	client->failing = false;
	return pop(client);
}

/* ---- without it ---- */

/* Gives a place up, for which no connection could be made; whether anybody waits. */
static bool vacate(brink_client *client)
{
	bool waited;

	pthread_mutex_lock(&client->lock);
	client->taken--;
	client->failing = true;
	waited = client->waiting > 0;
	pthread_mutex_unlock(&client->lock);
	return waited;
}

/* Those who wait, in turn, get what is free: an idle connection, or a new one; or are told why there is
 * none. False: nobody waits, or nothing is free. */
static bool serve_next(brink_client *client)
{
	struct brink_client_wait *wait = NULL;
	brink_socket *socket = NULL;
	int result = 0;

	pthread_mutex_lock(&client->lock);
	if (client->taken < client->max)
		wait = next_waiter(client);
	if (wait != NULL)
		socket = occupy(client);
	pthread_mutex_unlock(&client->lock);
	if (wait == NULL)
		return false;
	if (socket == NULL)
		result = brink__client_connect(client, &socket);
	if (result < 0)
		vacate(client);
	wait->call(wait, socket, result);
	return true;
}

static __attribute__((noinline)) void serve(brink_client *client)
{
	struct service service = {.client = client, .outer = innermost};

	if (find_service(client) != NULL)
		return;
	innermost = &service;
	while (service.client != NULL && serve_next(client))
		;
	innermost = service.outer;
}

int brink__pool_take(brink_client *client, brink_socket **socket, struct brink_client_wait *wait)
{
	int result = 0;

	*socket = NULL;
	pthread_mutex_lock(&client->lock);
	if (brink__unlikely(client->ending)) {
		result = -ECANCELED;
	} else if (may_take(client)) {
		*socket = occupy(client);
	} else if (wait == NULL) {
		result = -EAGAIN;
	} else {
		brink__list_append(&client->waiters, &wait->node);
		client->waiting++;
		result = 1;
	}
	pthread_mutex_unlock(&client->lock);
	if (result != 0 || *socket != NULL)
		return result;
	result = brink__client_connect(client, socket);
	if (result < 0 && vacate(client))
		serve(client);
	return result;
}

void brink__pool_give(brink_client *client, brink_socket *socket)
{
	bool well = brink__client_is_well(socket), waited;

	if (!well)
		brink__client_part(socket);
	pthread_mutex_lock(&client->lock);
	if (well)
		push(client, socket);
	client->taken--;
	waited = client->waiting > 0;
	pthread_mutex_unlock(&client->lock);
	if (well)
		brink_socket_release(socket);
	if (brink__unlikely(waited))
		serve(client);
}

int brink_client_cancel(brink_client *client, struct brink_client_wait *wait)
{
	int result = -ENOENT;

	pthread_mutex_lock(&client->lock);
	if (wait->node.next != NULL) {
		brink__list_remove(&wait->node);
		client->waiting--;
		result = 0;
	}
	pthread_mutex_unlock(&client->lock);
	return result;
}

void brink__pool_end(brink_client *client)
{
	struct service *service = find_service(client);
	struct brink_client_wait *wait;
	brink_socket *socket;

	if (service != NULL)
		service->client = NULL;
	client->ending = true;
	while ((socket = pop(client)) != NULL)
		brink__client_part(socket);
	while ((wait = next_waiter(client)) != NULL)
		wait->call(wait, NULL, -ECANCELED);
}
