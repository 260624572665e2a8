#include "dial_stage.h"

#include "scarce.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- spots ---- */

static void close_spots(struct dial_stage *stage)
{
	for (unsigned i = 0; i < stage->spot_count; i++) {
		disperse(&stage->spots[i].crowd);
		if (stage->spots[i].fd >= 0)
			close_fd(&stage->spots[i].fd);
	}
}

static int bind_spot(struct spot *spot, unsigned *port)
{
	struct brink_address address;
	char text[64];
	int result;

	snprintf(text, sizeof text, strchr(spot->host, ':') != NULL ? "[%s]:%u" : "%s:%u", spot->host, *port);
	CHECK_OK(brink_address_parse(&address, text));
	spot->fd = socket(address.storage.ss_family, SOCK_STREAM, 0);
	if (spot->fd < 0)
		return -errno;
	set_nonblocking(spot->fd);
	result = bind(spot->fd, (struct sockaddr *)&address.storage, address.length) < 0 ? -errno : 0;
	if (result == 0)
		CHECK_OK(brink_address_of(spot->fd, &address));
	*port = brink_address_port(&address);
	return result;
}

/* One port for all of them: another process may have it on one of the addresses. */
static int bind_spots(struct dial_stage *stage, unsigned *port)
{
	int result = 0;

	for (unsigned i = 0; i < stage->spot_count; i++)
		stage->spots[i].fd = -1;
	*port = 0;
	for (unsigned i = 0; i < stage->spot_count && result == 0; i++)
		result = bind_spot(&stage->spots[i], port);
	if (result < 0)
		close_spots(stage);
	return result;
}

static void prepare(struct spot *spot)
{
	struct server server = {.kind = KIND_TCP, .listener = spot->fd};

	if (spot->manner != REFUSES)
		SYSCALL(listen(spot->fd, spot->manner == HANGS ? 0 : 16));
	if (spot->manner == HANGS)
		crowd_server(&server, &spot->crowd);
}

bool was_connected_to(struct spot *spot)
{
	int fd = accept(spot->fd, NULL, NULL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

void open_crowd(struct spot *spot)
{
	while (was_connected_to(spot))
		;
}

/* ---- the stage ---- */

static void on_dial(brink_dial *dial, int result)
{
	struct dial_stage *stage = brink_container_of(dial, struct dial_stage, dial);
	char text[BRINK_ADDRESS_TEXT];

	stage->calls++;
	stage->result = result;
	if (result >= 0 && brink_address_format(&dial->address, text, sizeof text) > 0)
		snprintf(stage->winner, sizeof stage->winner, "%.*s", (int)(strrchr(text, ':') - text), text);
	if (stage->act != NULL)
		stage->act(stage);
}

void open_dial_stage(struct dial_stage *stage, const struct spot *spots)
{
	char addresses[256] = "";
	unsigned port = 0;
	int result, tries = 0;

	memset(stage, 0, sizeof *stage);
	need_scripted_names();
	for (; spots[stage->spot_count].host != NULL; stage->spot_count++) {
		stage->spots[stage->spot_count] = spots[stage->spot_count];
		snprintf(addresses + strlen(addresses), sizeof addresses - strlen(addresses), "%s ",
		         spots[stage->spot_count].host);
	}
	while ((result = bind_spots(stage, &port)) == -EADDRINUSE && tries < 100)
		tries++;
	if (result < 0)
		SKIP("there are no such addresses here");
	for (unsigned i = 0; i < stage->spot_count; i++)
		prepare(&stage->spots[i]);
	script_addresses("spots.test", addresses);
	snprintf(stage->name, sizeof stage->name, "spots.test:%u", port);
	stage->loop = new_loop();
	stage->resolver = new_resolver(stage->loop, NULL);
	stage->dial.call = on_dial;
	stage->descriptors = descriptors_open();
}

void close_dial_stage(struct dial_stage *stage)
{
	brink_resolver_destroy(stage->resolver);
	CHECK_OK(brink_loop_destroy(stage->loop));
	close_spots(stage);
	forget_names();
}

void start_dial(struct dial_stage *stage)
{
	stage->calls = stage->turns = 0;
	CHECK_OK(brink_dial_start(stage->resolver, &stage->dial, stage->name));
	CHECK_ALWAYS(stage->calls == 0);
}

void expect_nothing_open(struct dial_stage *stage)
{
	turn_briefly(stage->loop);
	/* c-ares keeps one for what it was asked, though nobody wants to know any more. */
	if (asks_cares() && names_held() > 0)
		release_names();
	if (asks_cares())
		RUN_UNTIL(stage->loop, descriptors_open() == stage->descriptors);
	CHECK_EQ(descriptors_open(), stage->descriptors);
}

static void expect_result(struct dial_stage *stage)
{
	RUN_UNTIL(stage->loop, (stage->turns++, stage->calls > 0));
	CHECK_EQ(stage->calls, 1);
	CHECK_ERROR(brink_dial_cancel(&stage->dial), -ENOENT);
}

void expect_connected(struct dial_stage *stage, const char *host, unsigned attempts)
{
	struct brink_address peer;

	expect_result(stage);
	CHECK_OK(stage->result);
	CHECK_OK(brink_address_of_peer(stage->result, &peer));
	CHECK(brink_address_equal(&peer, &stage->dial.address));
	if (strcmp(stage->winner, host) != 0)
		FAIL("connected to %s, and not to %s", stage->winner, host);
	CHECK_EQ(stage->dial.attempts, attempts);
	close_fd(&stage->result);
	expect_nothing_open(stage);
}

void expect_failed(struct dial_stage *stage, int error, unsigned attempts)
{
	expect_result(stage);
	CHECK_ERROR(stage->result, error);
	CHECK(attempts == ANY || stage->dial.attempts == attempts);
	expect_nothing_open(stage);
}
