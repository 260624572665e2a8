/* Listeners: of TCP, with all their options, and of a UNIX path. */
#include "faults.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void on_accept(brink_listener *listener, int fd, const struct brink_address *peer, void *arg)
{
	struct side *side = arg;
	struct brink_socket_options options = options_of(side);

	CHECK(peer->storage.ss_family == AF_UNIX || brink_address_port(peer) != 0);
	side->accepts++;
	options.fd = fd;
	if (!went_well(brink_socket_create(&side->id, side->loop, &options)))
		close(fd);
	brink_listener_closed(listener); /* counts nothing where there is no limit */
}

static void on_drained(brink_listener *listener, void *arg)
{
	(void)listener;
	((struct side *)arg)->drained = true;
}

/* A client comes, is served, and goes. It may be turned away in want of something. */
static void serve_one(struct side *side, brink_listener *listener)
{
	struct brink_address address;
	int client;

	brink_listener_address(listener, &address);
	client = connect_to(&address);
	while (side->accepts == 0 && drain(client) >= 0)
		turn(side);
	CHECK(side->accepts == 1 || (fault_struck() && !fault_harmless()));
	if (side->id != 0)
		talk(side, client);
	else
		close(client);
}

/* ---- TCP ---- */

static void by_accept(void)
{
	struct brink_listener_options options = {.address = "127.0.0.1:0", .retry_after = BRINK_MS(1),
		.on_accept = on_accept};
	brink_listener *listener;
	struct side side;

	if (!make_side(&side))
		return;
	options.arg = &side;
	if (went_well(brink_listener_create(&listener, side.loop, &options))) {
		serve_one(&side, listener);
		brink_listener_destroy(listener);
	}
	end_side(&side);
}

static void with_options(void)
{
	struct brink_listener_options options = {.address = "127.0.0.1:0", .retry_after = BRINK_MS(1),
		.drain_wait = BRINK_MS(1), .max_connections = 1, .keepalive_idle = 10, .keepalive_interval = 10,
		.keepalive_count = 3, .on_accept = on_accept,
		.flags = BRINK_LISTEN_KEEPALIVE | BRINK_LISTEN_SHED |
		         BRINK_LISTEN_REUSEPORT_IF_BALANCED};
	brink_listener *listener;
	struct side side;

	if (!make_side(&side))
		return;
	options.arg = &side;
	if (went_well(brink_listener_create(&listener, side.loop, &options))) {
		serve_one(&side, listener);
		brink_listener_destroy(listener);
	}
	end_side(&side);
}

static void handed_over(void)
{
	struct brink_listener_options options = {.retry_after = BRINK_MS(1), .on_accept = on_accept};
	brink_listener *listener;
	struct brink_address address;
	struct side side;

	if (!make_side(&side))
		return;
	options.fd = listening(&address);
	options.arg = &side;
	if (went_well(brink_listener_create(&listener, side.loop, &options))) {
		serve_one(&side, listener);
		brink_listener_destroy(listener);
	} else {
		close(options.fd); /* is still ours */
	}
	end_side(&side);
}

/* ---- a UNIX path ---- */

static char folder[] = "/tmp/brink-faults-XXXXXX", text[sizeof folder + 16];
static const char *const path = text + sizeof "unix:" - 1;

static void remove_folder(void)
{
	unlink(path);
	rmdir(folder);
}

static void make_folder(void)
{
	if (text[0] != '\0')
		return;
	CHECK(mkdtemp(folder) != NULL);
	snprintf(text, sizeof text, "unix:%s/socket", folder);
	CHECK(atexit(remove_folder) == 0);
}

static void leave_stale_file(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, path, strlen(path) + 1);
	CHECK(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
	close(fd);
}

static void at_a_path(bool stale)
{
	struct brink_listener_options options = {.retry_after = BRINK_MS(1), .drain_wait = BRINK_MS(1),
		.unix_mode = 0600, .flags = BRINK_LISTEN_UNIX_REPLACE, .on_accept = on_accept};
	brink_listener *listener;
	bool made;
	struct side side;

	make_folder();
	if (!make_side(&side))
		return;
	if (stale)
		leave_stale_file();
	options.arg = &side;
	options.address = text;
	made = went_well(brink_listener_create(&listener, side.loop, &options));
	if (made) {
		serve_one(&side, listener);
		brink_listener_destroy(listener);
	}
	end_side(&side);
	/* What could not be removed is there still, and what was there before. */
	if (unlink(path) == 0)
		CHECK(fault_struck() && (stale || made));
}

static void at_a_new_path(void)
{
	at_a_path(false);
}

static void at_a_stale_path(void)
{
	at_a_path(true);
}

/* ---- the end ---- */

/* What is queued is served first. */
static void drains(const char *where)
{
	struct brink_listener_options options = {.address = where, .retry_after = BRINK_MS(1),
		.drain_wait = BRINK_MS(1), .on_accept = on_accept, .on_drained = on_drained};
	struct brink_address address;
	brink_listener *listener;
	struct side side;
	int client;

	if (!make_side(&side))
		return;
	options.arg = &side;
	if (went_well(brink_listener_create(&listener, side.loop, &options))) {
		brink_listener_address(listener, &address);
		client = connect_to(&address);
		CHECK(brink_listener_drain(listener) == 0);
		while (!side.drained)
			turn(&side);
		CHECK(side.accepts == 1 || (fault_struck() && !fault_harmless()));
		if (side.id != 0)
			talk(&side, client);
		else
			close(client);
		brink_listener_destroy(listener);
	}
	end_side(&side);
}

static void drains_tcp(void)
{
	drains("127.0.0.1:0");
}

static void drains_unix(void)
{
	make_folder();
	drains(text);
	unlink(path);
}

const struct scenario listener_scenarios[] = {
	{"a socket by a listener", by_accept, false},
	{"a listener with all options", with_options, false},
	{"a listener that was handed over", handed_over, false},
	{"a listener at a new path", at_a_new_path, false},
	{"a listener at a stale path", at_a_stale_path, false},
	{"a listener that drains", drains_tcp, false},
	{"a listener at a path that drains", drains_unix, false},
	{NULL, NULL, false},
};
