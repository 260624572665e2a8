/* What sockets promise, over TLS: both ways, at once, by many threads, to a half-ended side. */
#include "tls_stage.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

static void speak(struct tls_duo *duo, enum kind kind, enum brink_tls_version version)
{
	open_tls(duo, kind);
	duo->sides[SERVER].tls_options.most = version;
}

static void both_ways(enum kind kind, enum brink_tls_version version)
{
	struct tls_duo duo;

	speak(&duo, kind, version);
	create_tls(&duo);
	write_text(duo.sides[CLIENT].id, "early "); /* before there is a connection */
	write_text(duo.sides[SERVER].id, "hello ");
	expect_open(&duo);
	RUN_UNTIL(duo.loop, duo.sides[CLIENT].seen.size == 6 && duo.sides[SERVER].seen.size == 6);
	write_text(duo.sides[CLIENT].id, "question");
	write_text(duo.sides[SERVER].id, "answer");
	RUN_UNTIL(duo.loop, duo.sides[CLIENT].seen.size == 12 && duo.sides[SERVER].seen.size == 14);
	CHECK(strcmp(duo.sides[CLIENT].seen.bytes, "hello answer") == 0);
	CHECK(strcmp(duo.sides[SERVER].seen.bytes, "early question") == 0);
	CHECK_EQ(duo.sides[CLIENT].seen.writes, 2);
	CHECK_EQ(duo.sides[SERVER].seen.writes, 2);
	close_tls(&duo);
}

static void half_ended(enum kind kind, enum brink_tls_version version)
{
	struct tls_duo duo;
	brink_socket *socket;

	speak(&duo, kind, version);
	create_tls(&duo);
	expect_open(&duo);
	socket = brink_socket_address(duo.sides[CLIENT].id);
	CHECK(socket != NULL);
	CHECK_OK(brink_socket_write_bytes(socket, "last", 4));
	CHECK_OK(brink_socket_shutdown(socket));
	brink_socket_release(socket);
	write_text(duo.sides[SERVER].id, "answer");
	RUN_UNTIL(duo.loop, duo.sides[CLIENT].seen.closes == 1 && duo.sides[SERVER].seen.closes == 1);
	CHECK(strcmp(duo.sides[SERVER].seen.bytes, "last") == 0);
	CHECK(strcmp(duo.sides[CLIENT].seen.bytes, "answer") == 0);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(duo.sides[i].seen.ends, 1);
		CHECK_EQ(duo.sides[i].seen.error, 0);
	}
	close_tls(&duo);
}

/* ---- much, both ways at once ---- */

struct flow {
	brink_socket_id id;
	uint64_t sent, got;
	unsigned calls;
	bool wrong;
	unsigned opens, closes;
	int error;
};

static uint8_t byte_at(uint64_t offset)
{
	return (uint8_t)(offset * 31 + offset / 251);
}

static void flow_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct flow *flow = arg;
	uint8_t bytes[4096];
	size_t size;

	while ((size = brink_buffer_copy(in, 0, bytes, sizeof bytes)) > 0) {
		for (size_t i = 0; i < size; i++)
			flow->wrong |= bytes[i] != byte_at(flow->got + i);
		flow->got += size;
		brink_buffer_pop(in, size);
	}
	if (++flow->calls % 8 == 0)
		brink_socket_pause(socket);
}

static void flow_open(brink_socket *socket, void *arg)
{
	(void)socket;
	((struct flow *)arg)->opens++;
}

static void flow_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct flow *flow = arg;

	(void)socket;
	(void)text;
	flow->closes++;
	flow->error = error;
}

/* A request of some size, as long as there are not too many unsent bytes. */
static void push(struct flow *flow, uint64_t all)
{
	static uint8_t bytes[100000];
	brink_socket *socket = brink_socket_address(flow->id);
	struct brink_socket_info info;
	size_t size = 1 + random_below(sizeof bytes - 1);

	CHECK(socket != NULL);
	brink_socket_resume(socket);
	brink_socket_get_info(socket, &info);
	size = size < all - flow->sent ? size : (size_t)(all - flow->sent);
	if (size > 0 && info.unsent < 4000000) {
		for (size_t i = 0; i < size; i++)
			bytes[i] = byte_at(flow->sent + i);
		CHECK_OK(brink_socket_write_bytes(socket, bytes, size));
		flow->sent += size;
	}
	brink_socket_release(socket);
}

static void much(enum kind kind, enum brink_tls_version version)
{
	uint64_t all = is_slow() ? 1000000 : 6000000;
	struct flow flows[2];
	struct tls_duo duo;

	memset(flows, 0, sizeof flows);
	speak(&duo, kind, version);
	for (int i = 0; i < 2; i++) {
		struct brink_socket_options *options = &duo.sides[i].options;

		*options = (struct brink_socket_options){.fd = options->fd, .transport = options->transport,
			.on_open = flow_open, .on_bytes = flow_bytes, .on_close = flow_close, .arg = &flows[i]};
	}
	create_tls(&duo);
	for (int i = 0; i < 2; i++)
		flows[i].id = duo.sides[i].id;
	RUN_UNTIL(duo.loop, (push(&flows[0], all), push(&flows[1], all), flows[0].got == all && flows[1].got == all));
	for (int i = 0; i < 2; i++) {
		CHECK(!flows[i].wrong);
		CHECK_EQ(flows[i].closes, 0);
	}
	/* The second may have heard of the first one's end before it is failed itself. */
	for (int i = 0; i < 2; i++) {
		brink_socket_fail(flows[i].id, 0, NULL);
		RUN_UNTIL(duo.loop, flows[i].closes == 1);
		duo.sides[i].id = BRINK_NO_SOCKET;
	}
	close_tls(&duo);
}

/* One side fails while it has much to send: its requests end with the error, and the other hears. */
void tls_failed(enum kind kind)
{
	static char bytes[100000];
	struct tls_duo duo;
	brink_socket *socket;

	open_tls(&duo, kind);
	create_tls(&duo);
	expect_open(&duo);
	socket = brink_socket_address(duo.sides[CLIENT].id);
	CHECK(socket != NULL);
	for (unsigned i = 0; i < 100; i++)
		CHECK_OK(brink_socket_write_bytes(socket, bytes, sizeof bytes));
	brink_socket_release(socket);
	turn(duo.loop);
	CHECK_OK(brink_socket_fail(duo.sides[CLIENT].id, -EPROTO, "on purpose"));
	expect_failures(&duo, -EPROTO, 0);
	CHECK_EQ(duo.sides[CLIENT].seen.writes, 100);
	CHECK_ERROR(duo.sides[CLIENT].seen.write_error, -EPROTO);
	CHECK_EQ(duo.sides[SERVER].seen.ends, 0);
	close_tls(&duo);
}

/* ---- many threads ---- */

#define WRITERS 4u

struct record {
	uint32_t writer, number;
};

static struct {
	brink_socket_id id;
	unsigned each;
	unsigned next[WRITERS]; /* the number expected of each */
	unsigned total;
} many;

static void *write_records(void *arg)
{
	struct record record = {.writer = (uint32_t)(uintptr_t)arg};
	brink_socket *socket = brink_socket_address(many.id);

	CHECK(socket != NULL);
	for (; record.number < many.each; record.number++)
		CHECK_OK(brink_socket_write_bytes(socket, &record, sizeof record));
	brink_socket_release(socket);
	return NULL;
}

static void check_records(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct record record;

	(void)socket;
	(void)arg;
	while (brink_buffer_length(in) >= sizeof record) {
		brink_buffer_copy(in, 0, &record, sizeof record);
		brink_buffer_pop(in, sizeof record);
		CHECK(record.writer < WRITERS);
		CHECK_EQ(record.number, many.next[record.writer]);
		many.next[record.writer]++;
		many.total++;
	}
}

void tls_by_threads(enum kind kind)
{
	pthread_t threads[WRITERS];
	struct tls_duo duo;

	many.each = is_slow() ? 500 : 10000;
	open_tls(&duo, kind);
	duo.sides[SERVER].options.on_bytes = check_records;
	create_tls(&duo);
	many.id = duo.sides[CLIENT].id;
	for (unsigned i = 0; i < WRITERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, write_records, (void *)(uintptr_t)i), 0);
	RUN_UNTIL(duo.loop, many.total == WRITERS * many.each && duo.sides[CLIENT].seen.writes == WRITERS * many.each);
	for (unsigned i = 0; i < WRITERS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	close_tls(&duo);
}

/* ---- a server and a client, as programs have them ---- */

static void echo(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)arg;
	CHECK_OK(brink_socket_write(socket, in));
}

/* The handshakes are made on the threads of a group, with one context. */
void tls_server_and_client(enum kind kind)
{
	brink_group *group = NULL;
	brink_server *server = NULL;
	brink_client *client = NULL;
	struct brink_address address;
	brink_socket *sockets[8];
	struct seen seen;
	struct tls_duo duo;

	open_tls(&duo, kind);
	create_tls_context(&duo, CLIENT);
	create_tls_context(&duo, SERVER);
	CHECK_OK(brink_group_create(&group, &(struct brink_group_options){.loops = 2}));
	CHECK_OK(brink_server_create(&server, duo.loop, &(struct brink_server_options){.address = "127.0.0.1:0",
		.group = group, .on_bytes = echo,
		.socket = {.transport = brink_tls_transport(), .transport_arg = duo.sides[SERVER].tls}}));
	CHECK_OK(brink_server_address(server, 0, &address));
	see(&seen, &duo.sides[CLIENT].options);
	duo.sides[CLIENT].options.fd = 0;
	duo.sides[CLIENT].options.transport_arg = duo.sides[CLIENT].tls;
	CHECK_OK(brink_client_create(&client, &(struct brink_client_options){.address = &address,
		.kind = BRINK_CLIENT_SHORT, .loop = duo.loop, .socket = duo.sides[CLIENT].options}));
	for (unsigned i = 0; i < 8; i++) {
		CHECK_OK(brink_client_take(client, &sockets[i]));
		CHECK_OK(brink_socket_write_bytes(sockets[i], "echo", 4));
	}
	RUN_UNTIL(duo.loop, seen.size == 8 * 4 || seen.closes > 0);
	for (unsigned i = 0; i < 8; i++)
		brink_client_give(client, sockets[i]);
	RUN_UNTIL(duo.loop, seen.closes == 8);
	CHECK_EQ(seen.error, 0);
	brink_client_destroy(client);
	brink_server_destroy(server);
	CHECK_OK(brink_group_destroy(group));
	close_tls(&duo);
}

#define IN_EACH_VERSION(name) \
	void tls_##name(enum kind kind) \
	{ \
		name(kind, BRINK_TLS_1_3); \
	} \
	void tls_##name##_12(enum kind kind) \
	{ \
		name(kind, BRINK_TLS_1_2); \
	}

IN_EACH_VERSION(both_ways)
IN_EACH_VERSION(half_ended)
IN_EACH_VERSION(much)

/* ---- both write, and neither waits for the other ---- */

#define LUMP 100000u

/* The records that they have encrypted, and cannot send, keep nobody from reading. */
void tls_both_busy(enum kind kind)
{
	static const int rooms[] = {65536, 4608};
	static char bytes[LUMP];
	unsigned lumps = is_slow() ? 20 : 60;

	for (unsigned round = 0; round < 2; round++) {
		struct tls_duo duo;

		open_tls(&duo, kind);
		SYSCALL(setsockopt(duo.pair.ours, SOL_SOCKET, SO_SNDBUF, &rooms[round], sizeof rooms[0]));
		SYSCALL(setsockopt(duo.pair.theirs, SOL_SOCKET, SO_SNDBUF, &rooms[round], sizeof rooms[0]));
		create_tls(&duo);
		expect_open(&duo);
		for (int i = 0; i < 2; i++) {
			brink_socket *socket = brink_socket_address(duo.sides[i].id);

			CHECK(socket != NULL);
			for (unsigned n = 0; n < lumps; n++)
				CHECK_OK(brink_socket_write_bytes(socket, bytes, LUMP));
			brink_socket_release(socket);
		}
		for (int i = 0; i < 2; i++)
			RUN_UNTIL(duo.loop, duo.sides[i].seen.size == (size_t)lumps * LUMP);
		close_tls(&duo);
	}
}

/* ---- an executor, which has no part in it ---- */

static struct {
	pthread_t loop;
	unsigned calls, elsewhere;
} where;

static void note_where(brink_socket *socket, void *arg)
{
	(void)socket;
	(void)arg;
	where.calls++;
	where.elsewhere += !pthread_equal(pthread_self(), where.loop);
}

static void note_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	note_where(socket, arg);
	brink_buffer_clear(in);
}

void tls_beside_executor(enum kind kind)
{
	brink_executor *executor;
	struct tls_duo duo;
	brink_socket *socket;

	open_tls(&duo, kind);
	CHECK_OK(brink_executor_create(&executor, &(struct brink_executor_options){.threads = 2}));
	where.loop = pthread_self();
	duo.sides[SERVER].options.executor = executor;
	duo.sides[SERVER].options.on_open = note_where;
	duo.sides[SERVER].options.on_bytes = note_bytes;
	duo.sides[SERVER].options.on_end = note_where;
	create_tls(&duo);
	socket = brink_socket_address(duo.sides[CLIENT].id);
	CHECK(socket != NULL);
	CHECK_OK(brink_socket_write_bytes(socket, "a word", 6));
	CHECK_OK(brink_socket_shutdown(socket));
	brink_socket_release(socket);
	RUN_UNTIL(duo.loop, where.calls == 3);
	CHECK_EQ(where.elsewhere, 0);
	close_tls(&duo);
	brink_executor_destroy(executor);
}
