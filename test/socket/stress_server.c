/* A server whose clients misbehave at random: those that behave are served all the same, also
 * when descriptors are scarce, and each connection is told of its end once. */
#include "groups.h"
#include "listener_stage.h"
#include "stress_kit.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 8u
#define BODY 3000u
#define LONGEST 4096u

struct client {
	struct chance chance;
	unsigned visits;
};

static brink_server *server;
static struct brink_address address;
static atomic_uint opened, closed, left;

/* ---- the server ---- */

static void on_open(brink_socket *socket, void *arg)
{
	(void)socket;
	(void)arg;
	opened++;
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	(void)socket;
	(void)text;
	(void)arg;
	CHECK(error <= 0);
	closed++;
}

static void on_message(brink_message *message, void *arg)
{
	(void)arg;
	brink_length_reply(message, 0, &message->body);
	brink_message_free(message);
}

/* ---- clients, with plain blocking calls ---- */

/* Also where there is no descriptor for it at the moment. */
static int visit(void)
{
	for (;;) {
		int fd = socket(address.storage.ss_family, SOCK_STREAM, 0);

		if (fd >= 0) {
			/* Blocking: a crowded listener lets it wait. */
			SYSCALL(connect(fd, (struct sockaddr *)&address.storage, address.length));
			return fd;
		}
		CHECK_EQ(errno, EMFILE);
		rest_us(500);
	}
}

/* A message of the protocol, in one piece; its size. */
static size_t pack(struct chance *chance, unsigned char *bytes, uint64_t id)
{
	static const unsigned char body[BODY];
	brink_buffer data = {0}, out = {0};
	size_t size;

	CHECK_OK(brink_buffer_append(&data, body, chance_below(chance, BODY)));
	CHECK_OK(brink_length_pack(&out, &(struct brink_length){.id = id, .kind = 7}, &data));
	size = brink_buffer_copy(&out, 0, bytes, BRINK_LENGTH_HEADER + BODY);
	brink_buffer_clear(&out);
	return size;
}

static void send_all(int fd, const unsigned char *bytes, size_t size, size_t piece)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = write(fd, bytes + at, size - at < piece ? size - at : piece);

		SYSCALL(n);
		at += (size_t)n;
	}
}

/* Exactly this many bytes come back; after half a close, the end as well. */
static void expect_reply(int fd, size_t size, bool end)
{
	unsigned char bytes[1024];
	ssize_t got;

	while (size > 0) {
		got = read(fd, bytes, size < sizeof bytes ? size : sizeof bytes);
		CHECK(got > 0);
		size -= (size_t)got;
	}
	if (end)
		CHECK_EQ(read(fd, bytes, 1), 0);
}

static void behave(struct client *client, int fd, bool slow, bool half)
{
	unsigned char bytes[BRINK_LENGTH_HEADER + BODY];
	unsigned count = 1 + chance_below(&client->chance, 3);
	size_t total = 0;

	for (unsigned i = 0; i < count; i++) {
		size_t size = pack(&client->chance, bytes, i);

		send_all(fd, bytes, size, slow ? 1 + chance_below(&client->chance, 200) : size);
		total += size;
	}
	if (half)
		SYSCALL(shutdown(fd, SHUT_WR));
	expect_reply(fd, total, half);
}

/* The server ends the connection, whatever else it says. */
static void expect_to_be_dropped(int fd)
{
	unsigned char bytes[1024];

	while (read(fd, bytes, sizeof bytes) > 0)
		;
}

static void misbehave(struct client *client, int fd)
{
	unsigned char bytes[BRINK_LENGTH_HEADER + BODY];
	size_t size = pack(&client->chance, bytes, 1);

	switch (chance_below(&client->chance, 4)) {
	case 0: /* silent */
		rest_us(chance_below(&client->chance, 2000));
		break;
	case 1: /* gone in the middle of a message */
		send_all(fd, bytes, 1 + chance_below(&client->chance, (unsigned)size), size);
		break;
	case 2: /* nonsense */
		memset(bytes, 'x', sizeof bytes);
		(void)!write(fd, bytes, 1000);
		expect_to_be_dropped(fd);
		break;
	default: /* huge: the length says so */
		memset(bytes + 8, 0x70, 4); /* where the length is */
		(void)!write(fd, bytes, size);
		expect_to_be_dropped(fd);
		break;
	}
}

static void *visit_often(void *arg)
{
	struct client *client = arg;

	for (unsigned i = 0; i < client->visits; i++) {
		int fd = visit();

		if (chance_below(&client->chance, 2) == 0)
			behave(client, fd, chance_below(&client->chance, 2) == 0, chance_below(&client->chance, 2) == 0);
		else
			misbehave(client, fd);
		if (chance_below(&client->chance, 3) == 0)
			reset_fd(&fd);
		else
			close_fd(&fd);
	}
	left++;
	return NULL;
}

/* ---- the scenario ---- */

static uint64_t still_open(void)
{
	struct brink_server_counts counts;

	brink_server_counters(server, &counts);
	return counts.open;
}

static void play_round(enum kind kind, bool scarce)
{
	static const struct brink_protocol protocols[] = {
		{.name = "length", .parse = brink_parse_length, .max_message = LONGEST},
	};
	struct client clients[CLIENTS];
	struct team team;
	char text[BRINK_ADDRESS_TEXT];
	brink_loop *loop = new_loop();
	brink_group *group = start_loops(2);
	struct site site;

	opened = closed = left = 0;
	open_site(&site, kind);
	close_site(&site);
	if (kind == KIND_UNIX)
		CHECK_OK(brink_address_format(&site.address, text, sizeof text));
	CHECK_OK(brink_server_create(&server, loop, &(struct brink_server_options){
		.address = kind == KIND_UNIX ? text : "127.0.0.1:0", .group = group, .protocols = protocols,
		.protocol_count = 1, .on_open = on_open, .on_close = on_close, .on_message = on_message,
		.listener.retry_after = BRINK_MS(1), .socket.linger_timeout = BRINK_MS(20)}));
	CHECK_OK(brink_server_address(server, 0, &address));
	if (scarce)
		limit_descriptors(CLIENTS + 2); /* one for each client, and two for the server */
	for (unsigned i = 0; i < CLIENTS; i++)
		clients[i] = (struct client){.chance = new_chance(), .visits = is_slow() ? 20 : 60};
	start_team(&team, CLIENTS, visit_often, clients, sizeof clients[0]);
	RUN_UNTIL(loop, left == CLIENTS);
	join_team(&team);
	if (scarce)
		unlimit_descriptors();
	RUN_UNTIL(loop, still_open() == 0);
	brink_server_destroy(server);
	CHECK_OK(brink_group_destroy(group));
	CHECK_EQ(closed, opened);
	brink_loop_destroy(loop);
}

static void misbehaving_clients(enum kind kind)
{
	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR); /* of the clients' plain writes */
	for (unsigned i = 0; i < rounds(2); i++)
		play_round(kind, false);
}

static void scarce_descriptors(enum kind kind)
{
	skip_under_valgrind();
	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	for (unsigned i = 0; i < rounds(2); i++)
		play_round(kind, true);
}

static const struct scenario scenarios[] = {
	SCENARIO("stress-server/misbehaving-clients", misbehaving_clients, KIND_TCP | KIND_UNIX,
	         .flags = TRACE_FREE),
	SCENARIO("stress-server/scarce-descriptors", scarce_descriptors, KIND_TCP | KIND_UNIX, .flags = TRACE_FREE),
	NO_MORE_SCENARIOS,
};
const struct group stress_server_group = {"stress-server", scenarios};
