/* Clients of each kind, and a server of the test's that gives back what it reads. */
#include "faults.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEERS 64
#define USES 3u

/* ---- the server ---- */

struct peers {
	struct brink_address address;
	int listener;
	int fds[PEERS];
	unsigned count;
};

static void open_peers(struct peers *peers)
{
	peers->listener = listening(&peers->address);
	peers->count = 0;
}

static void serve(struct peers *peers)
{
	char bytes[256];
	ssize_t got;
	int fd;

	while ((fd = accept4(peers->listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		CHECK(peers->count < PEERS);
		peers->fds[peers->count++] = fd;
	}
	for (unsigned i = 0; i < peers->count; i++) {
		while (peers->fds[i] >= 0 && (got = recv(peers->fds[i], bytes, sizeof bytes, 0)) >= 0) {
			if (got > 0 && send(peers->fds[i], bytes, (size_t)got, MSG_NOSIGNAL) == got)
				continue;
			close(peers->fds[i]);
			peers->fds[i] = -1;
		}
	}
}

static void close_peers(struct peers *peers)
{
	for (unsigned i = 0; i < peers->count; i++)
		if (peers->fds[i] >= 0)
			close(peers->fds[i]);
	close(peers->listener);
}

/* ---- using a client ---- */

struct user {
	struct side side;
	struct peers peers;
	brink_client *client;
	brink_socket_id last;
	unsigned sockets; /* that were taken, each counted once */
	struct brink_client_wait wait;
	unsigned waits, calls;
};

static void go_on(struct user *user)
{
	turn(&user->side);
	serve(&user->peers);
}

static bool is_well(brink_socket_id id)
{
	brink_socket *socket = brink_socket_address(id);

	if (socket != NULL)
		brink_socket_release(socket);
	return socket != NULL;
}

/* A use: what is written comes back, or the connection fails. */
static void use(struct user *user, brink_socket *socket)
{
	size_t before = user->side.size;
	brink_socket_id id = brink_socket_get_id(socket);

	user->sockets += id != user->last;
	user->last = user->side.id = id;
	write_some(&user->side, 5, 0);
	while (user->side.ended < user->side.taken || (is_well(id) && user->side.taken > 0 && !fault_struck() &&
	       user->side.size < before + 5))
		go_on(user);
}

static void on_free(struct brink_client_wait *wait, brink_socket *socket, int error)
{
	struct user *user = brink_container_of(wait, struct user, wait);

	user->calls++;
	if (error == -ECANCELED || !went_well(error))
		return;
	user->sockets += brink_socket_get_id(socket) != user->last;
	user->last = brink_socket_get_id(socket);
	brink_client_give(user->client, socket);
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	(void)socket;
	CHECK(error <= 0 && text != NULL);
	((struct side *)arg)->closes++;
}

static void on_revive(brink_socket *socket, void *arg)
{
	(void)socket;
	((struct side *)arg)->revives++;
}

/* One that is taken, and another that waits for it. */
static void take_and_give(struct user *user, bool pooled)
{
	brink_socket *socket, *second;

	if (!went_well(brink_client_take(user->client, &socket)))
		return;
	if (pooled) {
		user->wait = (struct brink_client_wait){.call = on_free};
		CHECK(brink_client_take_later(user->client, &second, &user->wait) == 1);
		user->waits++;
	}
	use(user, socket);
	brink_client_give(user->client, socket);
	CHECK(user->calls == user->waits);
}

static void with_client(enum brink_client_kind kind, uint64_t probe_interval)
{
	struct brink_client_options options = {.kind = kind, .max_connections = 1};
	struct brink_client_info info;
	struct user user = {.last = BRINK_NO_SOCKET};

	if (!make_side(&user.side))
		return;
	open_peers(&user.peers);
	options.address = &user.peers.address;
	options.loop = user.side.loop;
	options.socket = options_of(&user.side);
	options.socket.on_close = on_close;
	options.socket.on_revive = on_revive;
	options.socket.probe_interval = probe_interval;
	options.socket.linger_timeout = BRINK_MS(1);
	if (went_well(brink_client_create(&user.client, &options))) {
		for (unsigned i = 0; i < USES; i++) {
			take_and_give(&user, kind == BRINK_CLIENT_POOLED);
			go_on(&user);
		}
		brink_client_get_info(user.client, &info);
		CHECK(info.taken == 0 && info.waiting == 0 && info.connections >= user.sockets);
		brink_client_destroy(user.client);
		while (user.side.closes < user.sockets + user.side.revives)
			go_on(&user);
	}
	close_peers(&user.peers);
	brink_loop_destroy(user.side.loop);
	CHECK(user.side.closes == user.sockets + user.side.revives && user.side.ended == user.side.taken);
}

static void single(void)
{
	with_client(BRINK_CLIENT_SINGLE, 0);
}

static void single_that_revives(void)
{
	with_client(BRINK_CLIENT_SINGLE, BRINK_MS(1));
}

static void pooled(void)
{
	with_client(BRINK_CLIENT_POOLED, 0);
}

static void short_ones(void)
{
	with_client(BRINK_CLIENT_SHORT, 0);
}

const struct scenario client_scenarios[] = {
	{"a client with a single connection", single, false},
	{"a client whose connection revives", single_that_revives, false},
	{"a client with a pool", pooled, false},
	{"a client with short connections", short_ones, false},
	{NULL, NULL, false},
};
