/* rpc-client: several threads ask an rpc-server over one connection.
 *
 *     rpc-client ADDRESS [THREADS [CALLS]]
 *
 * Each call has an id; the reply with this id ends it, in whatever order the replies come. The
 * first call of each thread is a slow one. Every reply is compared with what was asked. */
#include <brink.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ECHO = 1, SLEEP = 2 };

/* A thread has one call at a time, so its number is all that a call's id needs beside a count. */
struct caller {
	pthread_t thread;
	struct client *client;
	unsigned number, calls, overtaken;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	uint64_t id; /* of the call under way */
	int result;  /* 1: under way */
	brink_buffer reply;
};

struct client {
	brink_loop *loop;
	brink_socket_id connection;
	struct caller *callers;
	unsigned count, slow; /* calls of kind SLEEP under way, by the loop's and the callers' count */
	unsigned finished;
	pthread_mutex_t lock;
};

static void end_call(struct caller *caller, uint64_t id, int result, brink_buffer *reply)
{
	pthread_mutex_lock(&caller->lock);
	if (caller->result == 1 && (id == caller->id || reply == NULL)) {
		caller->result = result;
		if (reply != NULL)
			brink_buffer_move(&caller->reply, reply);
		pthread_cond_signal(&caller->ended);
	}
	pthread_mutex_unlock(&caller->lock);
}

/* On the loop's thread. */
static void on_reply(brink_message *message, void *arg)
{
	struct client *client = brink_socket_arg(message->socket);
	uint64_t number = message->id >> 32;

	(void)arg;
	if (number < client->count)
		end_call(&client->callers[number], message->id,
		         message->flags & BRINK_LENGTH_ERROR ? -1 : 0, &message->body);
	brink_message_free(message);
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct client *client = arg;

	(void)socket, (void)text;
	if (error < 0)
		fprintf(stderr, "rpc-client: %s\n", brink_strerror(error));
	for (unsigned i = 0; i < client->count; i++)
		end_call(&client->callers[i], 0, -1, NULL);
	brink_loop_stop(client->loop);
}

/* Blocks until the reply is there: 0, and in caller->reply what it says. */
static int call(struct caller *caller, uint32_t kind, const char *question)
{
	brink_socket *socket = brink_socket_address(caller->client->connection);
	brink_buffer body = {0};
	int rc = socket != NULL ? brink_buffer_append(&body, question, strlen(question)) : -1;

	caller->id = (uint64_t)caller->number << 32 | caller->calls++;
	pthread_mutex_lock(&caller->lock);
	caller->result = 1;
	pthread_mutex_unlock(&caller->lock);
	if (rc == 0)
		rc = brink_length_write(socket, &(struct brink_length){caller->id, kind, 0}, &body);
	if (socket != NULL)
		brink_socket_release(socket);
	brink_buffer_clear(&body);
	pthread_mutex_lock(&caller->lock);
	while (rc == 0 && caller->result == 1)
		pthread_cond_wait(&caller->ended, &caller->lock);
	rc = rc == 0 ? caller->result : rc;
	caller->result = 0;
	pthread_mutex_unlock(&caller->lock);
	return rc;
}

static int is_answered(struct caller *caller, const char *question)
{
	char text[64] = "";
	size_t size = brink_buffer_copy(&caller->reply, 0, text, sizeof text - 1);
	int same = size == strlen(question) && memcmp(text, question, size) == 0 &&
	           brink_buffer_length(&caller->reply) == size;

	brink_buffer_clear(&caller->reply);
	return same;
}

/* How many slow calls are under way, after `change`. */
static unsigned slow_calls(struct client *client, int change)
{
	unsigned slow;

	pthread_mutex_lock(&client->lock);
	slow = client->slow += (unsigned)change;
	pthread_mutex_unlock(&client->lock);
	return slow;
}

static void *run_caller(void *arg)
{
	struct caller *caller = arg;
	struct client *client = caller->client;
	unsigned calls = caller->calls, right = 0;
	int slow = caller->number % 2 == 0;

	caller->calls = 0;
	if (slow) {
		slow_calls(client, 1);
		right += call(caller, SLEEP, "200") == 0 && is_answered(caller, "200");
		slow_calls(client, -1);
	}
	while (caller->calls < calls) {
		char question[64];

		snprintf(question, sizeof question, "question %u of thread %u", caller->calls, caller->number);
		if (call(caller, ECHO, question) != 0 || !is_answered(caller, question))
			break;
		right++;
		caller->overtaken += slow_calls(client, 0) > 0;
	}
	pthread_mutex_lock(&client->lock);
	if (++client->finished == client->count)
		brink_loop_stop(client->loop);
	pthread_mutex_unlock(&client->lock);
	caller->calls = right;
	return NULL;
}

static int run(struct client *client, unsigned calls)
{
	unsigned right = 0, overtaken = 0, started = 0;

	for (; started < client->count; started++) {
		struct caller *caller = &client->callers[started];

		caller->client = client;
		caller->number = started;
		caller->calls = calls;
		pthread_mutex_init(&caller->lock, NULL);
		pthread_cond_init(&caller->ended, NULL);
		if (pthread_create(&caller->thread, NULL, run_caller, caller) != 0) {
			fprintf(stderr, "rpc-client: no more than %u threads can be had\n", started);
			exit(EXIT_FAILURE);
		}
	}
	brink_loop_run(client->loop);
	brink_socket_fail(client->connection, 0, NULL);
	brink_loop_run(client->loop);
	for (unsigned i = 0; i < started; i++) {
		pthread_join(client->callers[i].thread, NULL);
		right += client->callers[i].calls;
		overtaken += client->callers[i].overtaken;
	}
	printf("calls %u right %u overtaking %u\n", client->count * calls, right, overtaken);
	return right == client->count * calls ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	const struct brink_protocol rpc = {.name = "rpc", .parse = brink_parse_length, .process = on_reply};
	struct client client = {.count = argc > 2 ? (unsigned)atoi(argv[2]) : 4};
	unsigned calls = argc > 3 ? (unsigned)atoi(argv[3]) : 100;
	/* A server that is there and does not answer: nobody waits for it without end. */
	struct brink_socket_options options = {.on_close = on_close, .arg = &client, .read_timeout = BRINK_SECONDS(30)};
	brink_messenger *messenger = NULL;
	struct brink_address address;
	int rc, status = EXIT_FAILURE;

	if (argc < 2 || argc > 4 || client.count < 1 || client.count > 1000 || calls < 1 || calls > 1000000) {
		fprintf(stderr, "usage: rpc-client ADDRESS [THREADS [CALLS]]\n");
		return 2;
	}
	client.callers = calloc(client.count, sizeof *client.callers);
	pthread_mutex_init(&client.lock, NULL);
	rc = client.callers != NULL ? brink_address_parse(&address, argv[1]) : -ENOMEM;
	if (rc == 0)
		rc = brink_loop_create(&client.loop, NULL);
	if (rc == 0)
		rc = brink_messenger_create(&messenger, &(struct brink_messenger_options){
			.protocols = &rpc, .protocol_count = 1});
	options.address = &address;
	options.messenger = messenger;
	if (rc == 0)
		rc = brink_socket_create(&client.connection, client.loop, &options);
	if (rc == 0)
		status = run(&client, calls);
	else
		fprintf(stderr, "rpc-client: %s\n", brink_strerror(rc));
	brink_messenger_destroy(messenger);
	brink_loop_destroy(client.loop);
	free(client.callers);
	return status;
}
