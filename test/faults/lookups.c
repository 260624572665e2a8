/* Names: looked up, dialed, and connected to. The one that is asked for is in every hosts file. */
#include "faults.h"

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOKUPS 3u

static unsigned threads(void)
{
	DIR *folder = opendir("/proc/self/task");
	unsigned count = 0;

	CHECK(folder != NULL);
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count;
}

/* What a thread has that nobody wants any more it frees itself, when it comes back. */
static void await_threads(unsigned before)
{
	static bool known; /* a checker may start a thread with our first one, which stays */

	for (unsigned i = 0; threads() > before && (known || i < 10000); i++)
		usleep(100);
	known = true;
}

/* ---- lookups ---- */

struct asked {
	brink_lookup lookup;
	unsigned calls;
};

static void on_lookup(brink_lookup *lookup, int error)
{
	struct asked *asked = brink_container_of(lookup, struct asked, lookup);

	asked->calls++;
	CHECK(went_well(error) == (lookup->count > 0));
}

static void with_resolver(brink_loop *loop, bool cancels)
{
	static const char *const names[LOOKUPS] = {"localhost:80", "127.0.0.1:80", "localhost:81"};
	struct asked asked[LOOKUPS] = {{.calls = 0}};
	brink_resolver *resolver;
	unsigned started = 0, calls = 0;

	if (!went_well(brink_resolver_create(&resolver, loop, &(struct brink_resolver_options){.parallel = 1})))
		return;
	for (unsigned i = 0; i < LOOKUPS; i++) {
		asked[i].lookup.call = on_lookup;
		started += went_well(brink_lookup_start(resolver, &asked[i].lookup, names[i]));
	}
	if (cancels && brink_lookup_cancel(&asked[0].lookup) == 0) {
		started--;
		told_errors += fault_struck(); /* it would have been told */
	}
	while (calls < started) {
		turn_loop(loop);
		calls = asked[0].calls + asked[1].calls + asked[2].calls;
	}
	brink_resolver_destroy(resolver);
	for (unsigned i = 0; i < LOOKUPS; i++)
		CHECK(asked[i].calls <= 1 && brink_lookup_cancel(&asked[i].lookup) == -ENOENT);
}

static void look_up(bool cancels)
{
	unsigned before = threads();
	brink_loop *loop = make_loop();

	if (loop == NULL)
		return;
	with_resolver(loop, cancels);
	brink_loop_destroy(loop);
	await_threads(before);
}

static void looked_up(void)
{
	look_up(false);
}

static void cancelled(void)
{
	look_up(true);
}

/* ---- dials ---- */

struct dialed {
	brink_dial dial;
	unsigned calls;
	int result;
};

static void on_dial(brink_dial *dial, int result)
{
	struct dialed *dialed = brink_container_of(dial, struct dialed, dial);

	dialed->calls++;
	dialed->result = result;
}

static void name_of(const struct brink_address *address, char name[64])
{
	snprintf(name, 64, "localhost:%d", brink_address_port(address));
}

static void dial_name(brink_loop *loop, const char *name)
{
	struct dialed dialed = {.dial = {.call = on_dial}};
	brink_resolver *resolver;

	if (!went_well(brink_resolver_create(&resolver, loop, NULL)))
		return;
	if (went_well(brink_dial_start(resolver, &dialed.dial, name))) {
		while (dialed.calls == 0)
			turn_loop(loop);
		if (went_well(dialed.result < 0 ? dialed.result : 0))
			close(dialed.result);
		CHECK(dialed.calls == 1 && brink_dial_cancel(&dialed.dial) == -ENOENT);
	}
	brink_resolver_destroy(resolver);
}

static void by_dial(void)
{
	struct brink_address address;
	int listener = listening(&address);
	unsigned before = threads();
	brink_loop *loop = make_loop();
	char name[64];

	name_of(&address, name);
	if (loop != NULL)
		dial_name(loop, name);
	brink_loop_destroy(loop);
	close(listener);
	await_threads(before);
}

/* ---- sockets ---- */

static void be_connected(struct side *side, struct brink_socket_options *options, int listener)
{
	bool made = went_well(brink_socket_create(&side->id, side->loop, options));
	int peer;

	while (made && side->opens == 0 && side->closes == 0)
		turn(side);
	if (side->opens > 0) {
		while ((peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0)
			turn(side);
		talk(side, peer);
	}
	CHECK((side->closes == 1) == made);
	CHECK(!made || side->opens == 1 || !went_well(side->error));
}

static void by_name(void)
{
	struct brink_socket_options options;
	struct brink_address address;
	unsigned before = threads();
	int listener = listening(&address);
	struct side side;
	char name[64];

	name_of(&address, name);
	if (make_side(&side)) {
		options = options_of(&side);
		options.name = name;
		be_connected(&side, &options, listener);
		end_side(&side);
	}
	close(listener);
	await_threads(before);
}

/* It is asked for again with each probe. */
static void revived_by_name(void)
{
	struct brink_socket_options options;
	struct brink_address address;
	unsigned before = threads();
	int listener = listening(&address);
	struct side side;
	char name[64];

	name_of(&address, name);
	if (make_side(&side)) {
		options = options_of(&side);
		options.name = name;
		options.probe_interval = BRINK_MS(1);
		if (went_well(brink_socket_create(&side.id, side.loop, &options))) {
			unsigned opens;

			while (side.opens == 0)
				turn(&side);
			told_errors += side.closes;
			opens = side.opens;
			brink_socket_fail(side.id, -ECANCELED, "once");
			while (side.opens == opens)
				turn(&side);
			brink_socket_abandon(side.id);
			while (side.closes != side.revives + 1)
				turn(&side);
			CHECK(brink_socket_address(side.id) == NULL);
		}
		end_side(&side);
	}
	close(listener);
	await_threads(before);
}

const struct scenario lookup_scenarios[] = {
	{"names that are looked up", looked_up, true},
	{"names of which one is not wanted", cancelled, true},
	{"a name that is dialed", by_dial, true},
	{"a socket by a name", by_name, true},
	{"a socket by a name that is revived", revived_by_name, true},
	{NULL, NULL, false},
};
