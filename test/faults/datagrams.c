/* Datagrams: two sockets at one loop, of which one gives back what it gets. */
#include "faults.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 6u
#define ROUNDS 2u
#define MOST 10000u /* of the largest scenario: nothing comes twice */

struct end {
	brink_datagram *socket;
	unsigned got, gave, errors;
	bool echoes;
};

struct post {
	brink_loop *loop;
	struct end ends[2]; /* who asks, and who answers */
	bool room;
};

static void on_packets(brink_datagram *socket, const struct brink_packet *packets, unsigned count, void *arg)
{
	struct end *end = arg;

	end->got += count;
	CHECK(end->got <= MOST);
	for (unsigned i = 0; end->echoes && i < count; i++) {
		int result = brink_datagram_reply(socket, &packets[i], packets[i].bytes, packets[i].size);

		end->gave += result != -EAGAIN && went_well(result);
	}
}

/* Of a datagram that is lost by it, or of nothing more than a call. */
static void on_error(brink_datagram *socket, int error, const struct brink_address *to, void *arg)
{
	(void)socket;
	(void)to;
	CHECK(error < 0 && fault_struck() && !fault_harmless());
	((struct end *)arg)->errors++;
}

static void on_writable(brink_datagram *socket, void *arg)
{
	(void)socket;
	(void)arg;
}

static struct brink_datagram_options usual(struct end *end)
{
	return (struct brink_datagram_options){
		.on_packets = on_packets, .on_error = on_error, .on_writable = on_writable, .arg = end, .batch = 4};
}

/* All that was taken has come, but for what was told to be lost: a receive that fails loses nothing. */
static bool has_come(const struct end *from, const struct end *to)
{
	bool loses = fault_is("sendmmsg") || fault_is("sendmsg");

	return to->got + (loses ? from->errors : 0) >= from->gave;
}

static void ask(struct post *post, const struct brink_address *to)
{
	struct end *asks = &post->ends[0], *answers = &post->ends[1];
	struct brink_packet packets[BATCH];
	unsigned given = 0;

	for (unsigned i = 0; i < BATCH; i++)
		packets[i] = (struct brink_packet){.bytes = "datagram", .size = 4 + i % 3, .to = to};
	while (given < BATCH) {
		int result = brink_datagram_send_many(asks->socket, packets + given, BATCH - given);

		CHECK(result != 0);
		if (result > 0)
			given += (unsigned)result;
		else if (result != -EAGAIN && !went_well(result))
			break;
		turn_loop(post->loop);
	}
	asks->gave += given;
	while (!has_come(asks, answers) || !has_come(answers, asks))
		turn_loop(post->loop);
	CHECK(given == BATCH || (fault_struck() && !fault_harmless()));
}

static void exchange(const char *address, unsigned flags, bool connected)
{
	struct post post = {.loop = make_loop(), .ends = {{.echoes = false}, {.echoes = true}}};
	struct brink_datagram_options asking = usual(&post.ends[0]), answering = usual(&post.ends[1]);
	struct brink_address to;
	char text[BRINK_ADDRESS_TEXT];

	if (post.loop == NULL)
		return;
	asking.flags = answering.flags = flags;
	answering.address = address;
	if (went_well(brink_datagram_create(&post.ends[1].socket, post.loop, &answering))) {
		brink_datagram_address(post.ends[1].socket, &to);
		CHECK(brink_address_format(&to, text, sizeof text) > 0);
		asking.address = connected ? NULL : address;
		asking.peer = connected ? text : NULL;
		if (went_well(brink_datagram_create(&post.ends[0].socket, post.loop, &asking)))
			for (unsigned round = 0; round < ROUNDS; round++)
				ask(&post, connected ? NULL : &to);
	}
	brink_datagram_destroy(post.ends[0].socket);
	brink_datagram_destroy(post.ends[1].socket);
	brink_loop_destroy(post.loop);
	if (fault_harmless() || !fault_struck())
		CHECK(post.ends[0].got == ROUNDS * BATCH && post.ends[1].got == ROUNDS * BATCH);
}

static void in_batches(void)
{
	exchange("127.0.0.1:0", 0, false);
}

static void connected_ones(void)
{
	exchange("127.0.0.1:0", 0, true);
}

static void one_by_one(void)
{
	exchange("127.0.0.1:0", BRINK_DATAGRAM_ONE_BY_ONE | BRINK_DATAGRAM_NO_OFFLOAD, false);
}

/* ---- more than there is room for ---- */

/* A UNIX socket's peer that does not read: what its kernel's queue has no room for waits in ours. */
static void crowded(void)
{
	struct post post = {.loop = make_loop(), .ends = {{.echoes = false}, {.echoes = false}}};
	struct brink_datagram_options options = usual(&post.ends[0]);
	struct end *asks = &post.ends[0], *answers = &post.ends[1];
	int fds[2], result = 0;

	if (post.loop == NULL)
		return;
	open_datagram_pair(fds);
	options.fd = fds[0];
	options.queue_limit = 4096;
	if (went_well(brink_datagram_create(&asks->socket, post.loop, &options))) {
		while ((result = brink_datagram_send(asks->socket, "datagram", 8, NULL)) == 0)
			asks->gave++;
		CHECK(result == -EAGAIN || !went_well(result));
		options = usual(answers);
		options.fd = fds[1];
		if (went_well(brink_datagram_create(&answers->socket, post.loop, &options)))
			while (!has_come(asks, answers))
				turn_loop(post.loop);
		else
			close(fds[1]);
	} else {
		close(fds[0]);
		close(fds[1]);
	}
	brink_datagram_destroy(asks->socket);
	brink_datagram_destroy(answers->socket);
	brink_loop_destroy(post.loop);
}

/* ---- to nobody ---- */

static void on_refusal(brink_datagram *socket, int error, const struct brink_address *to, void *arg)
{
	(void)socket;
	(void)to;
	CHECK(error == -ECONNREFUSED || (fault_struck() && !fault_harmless()));
	((struct end *)arg)->errors++;
}

/* An address where nobody is, and comes: the socket that has it hears itself alone. */
static int open_nobody(struct brink_address *nobody)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t length = sizeof nobody->storage;

	CHECK(fd >= 0 && brink_address_parse(nobody, "127.0.0.1:0") == 0);
	CHECK(bind(fd, (const struct sockaddr *)&nobody->storage, nobody->length) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&nobody->storage, &length) == 0);
	CHECK(connect(fd, (const struct sockaddr *)&nobody->storage, nobody->length) == 0);
	return fd;
}

/* That it has come to nobody is told, where the system tells it: also when the next send has met the
 * socket's own error already, so that only the queue of errors has it. */
static void to_nobody(void)
{
	struct post post = {.loop = make_loop()};
	struct brink_datagram_options options = usual(&post.ends[0]);
	struct end *asks = &post.ends[0];
	struct brink_address nobody, own;
	int deaf;

	if (post.loop == NULL)
		return;
	deaf = open_nobody(&nobody);
	options.address = "127.0.0.1:0";
	options.on_error = on_refusal;
	if (went_well(brink_datagram_create(&asks->socket, post.loop, &options)) &&
	    (brink_datagram_features(asks->socket) & BRINK_DATAGRAM_HAS_ERRORS) != 0 &&
	    went_well(brink_datagram_send(asks->socket, "datagram", 8, &nobody))) {
		brink_datagram_address(asks->socket, &own);
		asks->gave += went_well(brink_datagram_send(asks->socket, "datagram", 8, &own));
		while ((asks->errors == 0 || asks->got < asks->gave) && (fault_harmless() || !fault_struck()))
			turn_loop(post.loop);
	}
	close(deaf);
	brink_datagram_destroy(asks->socket);
	brink_loop_destroy(post.loop);
}

const struct scenario datagram_scenarios[] = {
	{"datagrams in batches", in_batches, false},
	{"datagrams of a connected socket", connected_ones, false},
	{"datagrams one by one", one_by_one, false},
	{"more datagrams than there is room for", crowded, false},
	{"a datagram for nobody", to_nobody, false},
	{NULL, NULL, false},
};
