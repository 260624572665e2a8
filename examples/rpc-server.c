/* rpc-server: answers requests of the length-prefixed protocol, many at a time.
 *
 *     rpc-server [ADDRESS [THREADS]]
 *
 * Of kind 1 the answer is the body; of kind 2 the body is a number of milliseconds, which the
 * answer takes, but at most ten seconds. Requests are processed on an executor, so that a slow one blocks neither the
 * loop nor the others: the answers on a connection come in whatever order they are ready. */
#include <brink.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ECHO = 1, SLEEP = 2 };

static void sleep_for(unsigned long milliseconds)
{
	if (milliseconds > 10000)
		milliseconds = 10000;
	nanosleep(&(struct timespec){(time_t)(milliseconds / 1000), (long)(milliseconds % 1000) * 1000000}, NULL);
}

/* On a thread of the executor. */
static void on_request(brink_message *message, void *arg)
{
	char digits[16] = "";
	unsigned flags = 0;
	int rc;

	(void)arg;
	if (message->kind == SLEEP) {
		brink_buffer_copy(&message->body, 0, digits, sizeof digits - 1);
		sleep_for(strtoul(digits, NULL, 10));
	} else if (message->kind != ECHO) {
		flags = BRINK_LENGTH_ERROR;
	}
	/* The connection may be gone by now; then nobody wants the answer. Without memory, or where
	 * the client does not read its answers, it would wait for this one for ever. */
	rc = brink_length_reply(message, flags, &message->body);
	if (rc < 0)
		brink_socket_fail(brink_socket_get_id(message->socket), rc, "an answer is lost");
	brink_message_free(message);
}

static int serve(brink_loop *loop, brink_executor *executor, const char *address)
{
	const struct brink_protocol rpc = {
		.name = "rpc", .parse = brink_parse_length, .process = on_request, .max_message = 1 << 20};
	brink_server *server = NULL;
	int rc = brink_server_create(&server, loop, &(struct brink_server_options){
		.address = address,
		.protocols = &rpc,
		.protocol_count = 1,
		.executor = executor,
		.messenger_flags = BRINK_MESSENGER_NOT_IN_PLACE,
		.socket.write_timeout = BRINK_SECONDS(60), /* who does not read its answers */
		.stop_on_signals = 1,
	});

	if (rc == 0) {
		puts(brink_server_description(server));
		fflush(stdout);
		rc = brink_loop_run(loop);
	}
	brink_server_destroy(server);
	return rc;
}

int main(int argc, char **argv)
{
	struct brink_executor_options threads = {.threads = argc > 2 ? (unsigned)atoi(argv[2]) : 8};
	brink_loop *loop = NULL;
	brink_executor *executor = NULL;
	int rc = brink_loop_create(&loop, NULL);

	if (rc == 0)
		rc = brink_executor_create(&executor, &threads);
	if (rc == 0)
		rc = serve(loop, executor, argc > 1 ? argv[1] : "127.0.0.1:7000");
	if (rc < 0)
		fprintf(stderr, "rpc-server: %s\n", brink_strerror(rc));
	brink_loop_destroy(loop); /* waits for the answers that are under way */
	brink_executor_destroy(executor);
	return rc < 0;
}
