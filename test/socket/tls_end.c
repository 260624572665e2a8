/* How a connection ends that does not end well: cut off, reset, stalled, and peers that speak
 * something else. */
#include "tls_stage.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The server's socket alone, with a peer that is the scenario's. */
static void open_server_alone(struct tls_duo *duo, enum kind kind, uint64_t timeout)
{
	open_tls(duo, kind);
	duo->sides[SERVER].options.fd = duo->pair.ours;
	duo->sides[SERVER].options.connect_timeout = timeout;
	create_tls_context(duo, SERVER);
	duo->sides[SERVER].options.transport_arg = duo->sides[SERVER].tls;
	CHECK_OK(brink_socket_create(&duo->sides[SERVER].id, duo->loop, &duo->sides[SERVER].options));
	duo->pair.ours = -1;
}

static void expect_server_failure(struct tls_duo *duo, int error, const char *text)
{
	struct seen *seen = &duo->sides[SERVER].seen;

	RUN_UNTIL(duo->loop, seen->closes == 1);
	CHECK_ERROR(seen->error, error);
	CHECK_EQ(seen->opens + seen->ends, 0);
	if (strstr(seen->text, text) == NULL)
		FAIL("%s", seen->text);
}

/* brink_socket_fail() sends no close_notify: what is seen of it is an end of TCP's. */
void tls_truncated(enum kind kind)
{
	struct seen *seen;
	struct tls_duo duo;

	open_tls(&duo, kind);
	create_tls(&duo);
	expect_open(&duo);
	exchange_texts(&duo, "this much", "and this");
	CHECK_OK(brink_socket_fail(duo.sides[CLIENT].id, 0, NULL));
	seen = &duo.sides[SERVER].seen;
	RUN_UNTIL(duo.loop, seen->closes == 1);
	CHECK_ERROR(seen->error, -BRINK_ETRUNCATED);
	CHECK_EQ(seen->ends, 0);
	CHECK(strcmp(seen->bytes, "this much") == 0);
	close_tls(&duo);
}

void tls_truncated_in_handshake(enum kind kind)
{
	struct tls_duo duo;

	open_server_alone(&duo, kind, 0);
	write_all(duo.pair.theirs, "\x16\x03\x01", 3); /* the beginning of a record */
	shut_theirs(&duo.pair);
	expect_server_failure(&duo, -BRINK_ETRUNCATED, "");
	close_tls(&duo);
}

void tls_reset(enum kind kind)
{
	static char bytes[100000];
	brink_socket *socket;
	struct tls_duo duo;

	open_tls(&duo, kind);
	create_tls(&duo);
	expect_open(&duo);
	for (int i = 0; i < 2; i++) {
		socket = brink_socket_address(duo.sides[i].id);
		CHECK(socket != NULL);
		for (unsigned n = 0; n < 50; n++)
			CHECK_OK(brink_socket_write_bytes(socket, bytes, sizeof bytes));
		brink_socket_release(socket);
	}
	turn(duo.loop);
	CHECK_OK(brink_socket_abort(duo.sides[CLIENT].id));
	expect_failures(&duo, -ECONNABORTED, -ECONNRESET);
	CHECK_EQ(duo.sides[SERVER].seen.writes, 50);
	close_tls(&duo);
}

/* Others are served while it waits, and the deadline ends it. */
void tls_stalled(enum kind kind)
{
	struct tls_duo stalled, other;
	unsigned served = 0;

	open_server_alone(&stalled, kind, BRINK_MS(300));
	write_all(stalled.pair.theirs, "\x16\x03\x01\x02", 4);
	open_tls(&other, kind);
	brink_loop_destroy(other.loop);
	other.loop = stalled.loop;
	create_tls(&other);
	expect_open(&other);
	RUN_UNTIL(stalled.loop, (write_text(other.sides[CLIENT].id, "x"), served++, stalled.sides[SERVER].seen.closes == 1));
	RUN_UNTIL(stalled.loop, other.sides[SERVER].seen.size == served);
	expect_server_failure(&stalled, -ETIMEDOUT, "connect timeout");
	brink_socket_fail(other.sides[CLIENT].id, 0, NULL);
	brink_socket_fail(other.sides[SERVER].id, 0, NULL);
	RUN_UNTIL(stalled.loop, other.sides[CLIENT].seen.closes == 1 && other.sides[SERVER].seen.closes == 1);
	other.sides[CLIENT].id = other.sides[SERVER].id = BRINK_NO_SOCKET;
	other.loop = new_loop();
	close_tls(&other);
	close_tls(&stalled);
}

/* ---- byte by byte ---- */

/* A byte each way, where there is one. */
static void carry(int from, int to)
{
	char byte;

	if (read(from, &byte, 1) == 1)
		write_all(to, &byte, 1);
}

void tls_trickled(enum kind kind)
{
	struct pair second = open_pair(kind, BRINK_READ);
	struct tls_duo duo;
	int relay[2];

	open_tls(&duo, kind);
	relay[0] = duo.pair.theirs;
	relay[1] = second.theirs;
	duo.sides[SERVER].options.fd = second.ours;
	create_tls(&duo);
	RUN_UNTIL(duo.loop, (carry(relay[0], relay[1]), carry(relay[1], relay[0]),
		duo.sides[CLIENT].seen.opens == 1 && duo.sides[SERVER].seen.opens == 1));
	write_text(duo.sides[CLIENT].id, "slowly");
	RUN_UNTIL(duo.loop, (carry(relay[0], relay[1]), carry(relay[1], relay[0]), duo.sides[SERVER].seen.size == 6));
	CHECK(strcmp(duo.sides[SERVER].seen.bytes, "slowly") == 0);
	close_tls(&duo);
	close_fd(&relay[0]);
	close_fd(&relay[1]);
}

/* ---- who speaks something else ---- */

void tls_garbage(enum kind kind)
{
	struct tls_duo duo;
	char bytes[300];

	open_server_alone(&duo, kind, 0);
	write_all(duo.pair.theirs, "GET / HTTP/1.0\r\n\r\n", 18);
	expect_server_failure(&duo, -EPROTO, "http request");
	close_tls(&duo);
	for (unsigned round = 0; round < 20; round++) {
		open_server_alone(&duo, kind, 0);
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (char)random_below(256);
		bytes[0] = (char)(0x80 + random_below(128)); /* of no record, and not of SSL 2 */
		bytes[2] = 0x7f;
		write_all(duo.pair.theirs, bytes, sizeof bytes);
		shut_theirs(&duo.pair);
		RUN_UNTIL(duo.loop, duo.sides[SERVER].seen.closes == 1);
		CHECK(duo.sides[SERVER].seen.error == -EPROTO || duo.sides[SERVER].seen.error == -BRINK_ETRUNCATED);
		close_tls(&duo);
	}
}

void tls_plain_peer(enum kind kind)
{
	struct tls_duo duo;
	struct seen *seen = &duo.sides[CLIENT].seen;

	open_tls(&duo, kind);
	create_tls_context(&duo, CLIENT);
	create_tls_socket(&duo, CLIENT);
	write_all(duo.pair.theirs, "220 mail.test ESMTP\r\n", 21);
	RUN_UNTIL(duo.loop, seen->closes == 1);
	CHECK_ERROR(seen->error, -EPROTO);
	CHECK(strstr(seen->text, "wrong version number") != NULL);
	close_tls(&duo);
}
