/* HTTP over TLS, where that makes a difference. */
#include "http_stage.h"
#include "tls_stage.h"

#include <unistd.h>

static void begin_reply(brink_http_request *request, void *arg)
{
	struct web *web = arg;
	brink_buffer part = {0};

	CHECK_OK(brink_http_reply_begin(request, 200, NULL, 0, -1, NULL, NULL));
	CHECK_OK(brink_buffer_append(&part, "hello", 5));
	CHECK(brink_http_reply_write(request, &part) >= 0);
	web->kept[0] = request;
	atomic_store(&web->kept_count, 1);
}

static void open_encrypted(struct web *web, struct tls_duo *duo, enum kind kind)
{
	open_tls(duo, kind);
	for (int i = 0; i < 2; i++)
		create_tls_context(duo, i);
	open_web(web, kind, ONE_LOOP);
	web->service.options.socket.transport = brink_tls_transport();
	web->service.options.socket.transport_arg = duo->sides[SERVER].tls;
	close_pair(&duo->pair);
	CHECK_OK(brink_loop_destroy(duo->loop));
	duo->loop = web->service.loop;
}

/* The client of the two talks to a web server, and not to its neighbour. */
static void begin_encrypted(struct web *web, struct tls_duo *duo)
{
	web->options.on_request = begin_reply;
	start_web(web);
	duo->pair.ours = connect_client(&web->service);
	duo->sides[CLIENT].options.fd = duo->pair.ours;
	create_tls_socket(duo, CLIENT);
	RUN_UNTIL(duo->loop, duo->sides[CLIENT].seen.opens == 1);
}

static void close_encrypted(struct web *web, struct tls_duo *duo)
{
	duo->loop = new_loop();
	close_web(web);
	close_tls(duo);
}

/* Of a reply whose end is the connection's, and that is cut off, neither end comes: not TCP's, and not
 * that of TLS. */
void tls_reply_cut(enum kind kind)
{
	struct seen *seen;
	struct tls_duo duo;
	struct web web;

	open_encrypted(&web, &duo, kind);
	begin_encrypted(&web, &duo);
	seen = &duo.sides[CLIENT].seen;
	write_text(duo.sides[CLIENT].id, "GET / HTTP/1.0\r\n\r\n");
	RUN_UNTIL(duo.loop, seen->size > 5 && atomic_load(&web.kept_count) == 1);
	destroy_service(&web.service);
	RUN_UNTIL(duo.loop, seen->closes == 1);
	CHECK_ERROR(seen->error, -ECONNRESET);
	CHECK_EQ(seen->ends, 0);
	brink_http_request_free(web.kept[0]);
	close_encrypted(&web, &duo);
}

static struct brink_server_counts counts_of(struct web *web)
{
	struct brink_server_counts counts;

	brink_server_counters(web->service.server, &counts);
	return counts;
}

/* Who has begun a handshake, or not even that, has asked for nothing: a stop does not wait for him. */
void tls_stopped_in_handshake(enum kind kind)
{
	struct tls_duo duo;
	struct web web;
	int clients[2];

	open_encrypted(&web, &duo, kind);
	web.service.options.listener.drain_wait = 1;
	start_web(&web);
	for (int i = 0; i < 2; i++)
		clients[i] = connect_client(&web.service);
	write_all(clients[1], "\x16\x03\x01\x02", 4);
	RUN_UNTIL(duo.loop, counts_of(&web).open == 2);
	CHECK_OK(brink_server_stop(web.service.server, BRINK_SECONDS(1000)));
	run_until_stopped(&web.service);
	CHECK_EQ(atomic_load(&web.service.closed), 2);
	CHECK_EQ(atomic_load(&web.service.opened) + (unsigned)atomic_load(&web.service.error), 0);
	for (int i = 0; i < 2; i++) {
		expect_gone(&web.service, clients[i], true);
		close_fd(&clients[i]);
	}
	close_encrypted(&web, &duo);
}

static void on_response(const struct brink_http_response *response, int error, void *arg)
{
	CHECK_OK(error);
	CHECK_EQ(response->status, 200);
	*(bool *)arg = true;
}

/* A client that has nothing under way takes its leave: for the server nothing was cut off. */
void tls_client_leaves(enum kind kind)
{
	struct brink_http_client_options options = {.host = "h", .socket = {.transport = brink_tls_transport()}};
	brink_http_client *client;
	struct tls_duo duo;
	struct web web;
	bool over = false;

	open_encrypted(&web, &duo, kind);
	start_web(&web);
	options.address = &web.service.address;
	options.socket.transport_arg = duo.sides[CLIENT].tls;
	CHECK_OK(brink_http_client_create(&client, duo.loop, &options));
	CHECK_OK(brink_http_fetch(client, &(struct brink_http_fetch_options){.on_response = on_response, .arg = &over}));
	RUN_UNTIL(duo.loop, over);
	brink_http_client_destroy(client);
	RUN_UNTIL(duo.loop, atomic_load(&web.service.closed) == 1);
	CHECK_EQ(atomic_load(&web.service.error), 0);
	close_encrypted(&web, &duo);
}
