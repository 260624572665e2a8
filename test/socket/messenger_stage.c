#include "messenger_stage.h"

#include <string.h>
#include <unistd.h>

static void raise_to(atomic_uint *most, unsigned value)
{
	unsigned seen = atomic_load(most);

	while (seen < value && !atomic_compare_exchange_weak(most, &seen, value))
		;
}

static void on_message(brink_message *message, void *arg)
{
	struct talk *talk = arg;
	size_t length = brink_buffer_length(&message->body);

	raise_to(&talk->most_at_once, atomic_fetch_add(&talk->at_once, 1) + 1);
	atomic_fetch_add(&talk->bytes, (unsigned)length);
	if (pthread_equal(pthread_self(), talk->loop_thread)) {
		atomic_fetch_add(&talk->on_loop, 1);
		talk->last[brink_buffer_copy(&message->body, 0, talk->last, sizeof talk->last - 1)] = '\0';
	}
	if (talk->act != NULL)
		talk->act(talk, message);
	atomic_fetch_sub(&talk->at_once, 1);
	atomic_fetch_add(&talk->processed, 1);
	brink_message_free(message);
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct talk *talk = arg;

	(void)socket;
	if (text != NULL)
		strncpy(talk->closed_text, text, sizeof talk->closed_text - 1);
	atomic_store(&talk->error, error);
	atomic_fetch_add(&talk->closed, 1);
}

void open_talk(struct talk *talk, enum kind kind)
{
	memset(talk, 0, sizeof *talk);
	talk->loop = new_loop();
	talk->pair = open_pair(kind, BRINK_READ);
	talk->loop_thread = pthread_self();
	talk->protocols[0] = (struct brink_protocol){.name = "line", .parse = brink_parse_line};
	talk->options.protocols = talk->protocols;
	talk->options.protocol_count = 1;
	talk->options.on_message = on_message;
	talk->options.arg = talk;
	talk->socket.fd = talk->pair.ours;
	talk->socket.on_close = on_close;
	talk->socket.arg = talk;
}

void add_executor(struct talk *talk, unsigned threads, size_t capacity)
{
	CHECK_OK(brink_executor_create(&talk->executor, &(struct brink_executor_options){
		.threads = threads, .capacity = capacity}));
	talk->options.executor = talk->executor;
}

void start_talk(struct talk *talk)
{
	CHECK_OK(brink_messenger_create(&talk->messenger, &talk->options));
	talk->socket.messenger = talk->messenger;
	CHECK_OK(brink_socket_create(&talk->id, talk->loop, &talk->socket));
	talk->pair.ours = -1;
	/* The sockets that use it keep it. */
	brink_messenger_destroy(talk->messenger);
}

void close_talk(struct talk *talk)
{
	atomic_store(&talk->gate, 0);
	brink_socket_fail(talk->id, -ECANCELED, NULL);
	RUN_UNTIL(talk->loop, atomic_load(&talk->closed) == 1);
	CHECK_OK(brink_executor_destroy(talk->executor));
	CHECK_OK(brink_loop_destroy(talk->loop));
	CHECK_EQ(atomic_load(&talk->closed), 1);
	close_pair(&talk->pair);
}

/* A UNIX socket takes only some hundred small writes: then the loop has to read. */
void say(struct talk *talk, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t written = write(talk->pair.theirs, text, left);

		if (written < 0) {
			CHECK_EQ(errno, EAGAIN);
			turn(talk->loop);
			continue;
		}
		text += written;
		left -= (size_t)written;
	}
}

void say_length(struct talk *talk, uint64_t id, size_t size)
{
	brink_buffer packed = {0}, body = {0};
	char bytes[4096];

	memset(bytes, 'b', sizeof bytes);
	for (size_t left = size; left > 0;) {
		size_t part = left < sizeof bytes ? left : sizeof bytes;

		CHECK_OK(brink_buffer_append(&body, bytes, part));
		left -= part;
	}
	CHECK_OK(brink_length_pack(&packed, &(struct brink_length){.id = id}, &body));
	while (brink_buffer_length(&packed) > 0) {
		size_t part = brink_buffer_copy(&packed, 0, bytes, sizeof bytes);

		write_all(talk->pair.theirs, bytes, part);
		brink_buffer_pop(&packed, part);
	}
}

void run_talk_until_closed(struct talk *talk, int error)
{
	RUN_UNTIL(talk->loop, atomic_load(&talk->closed) == 1);
	CHECK_EQ(atomic_load(&talk->error), error);
}

void expect_text(int fd, const char *text)
{
	char bytes[1024];

	CHECK(strlen(text) <= sizeof bytes);
	read_exactly(fd, bytes, strlen(text));
	CHECK(memcmp(bytes, text, strlen(text)) == 0);
}

void act_echo(struct talk *talk, brink_message *message)
{
	(void)talk;
	CHECK_OK(brink_buffer_append(&message->body, "\n", 1));
	brink_socket_write(message->socket, &message->body);
}

void act_block(struct talk *talk, brink_message *message)
{
	(void)message;
	while (atomic_load(&talk->gate) != 0)
		sleep_ms(1);
}
