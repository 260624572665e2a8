/* chat: whatever line a client sends, all the others get.  chat [ADDRESS [LOOPS]]
 *
 * The connections live on several loops, and any of their threads writes to any of them. They
 * are known by nothing but their ids, which are always safe to ask about: one that is gone
 * just does not resolve. A client that does not read is dropped in the end, not waited for. */
#include <brink.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST 1000

static struct {
	pthread_mutex_t lock;
	brink_socket_id ids[MOST];
	unsigned count;
} room = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void on_open(brink_socket *socket, void *arg)
{
	(void)arg;
	pthread_mutex_lock(&room.lock);
	room.ids[room.count++] = brink_socket_get_id(socket); /* max_connections sees to the room */
	pthread_mutex_unlock(&room.lock);
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	(void)error, (void)text, (void)arg;
	pthread_mutex_lock(&room.lock);
	for (unsigned i = 0; i < room.count; i++)
		if (room.ids[i] == brink_socket_get_id(socket))
			room.ids[i] = room.ids[--room.count];
	pthread_mutex_unlock(&room.lock);
}

/* The bytes are shared by all who get them, not copied. */
static void send_to(brink_socket_id id, const brink_buffer *line)
{
	brink_socket *socket = brink_socket_address(id);
	brink_buffer share = {0};

	if (socket == NULL)
		return;
	if (brink_buffer_share(&share, line) == 0 && brink_socket_write(socket, &share) == -BRINK_EOVERCROWDED)
		brink_socket_fail(id, -BRINK_EOVERCROWDED, "does not read");
	brink_buffer_clear(&share);
	brink_socket_release(socket);
}

static void on_line(brink_message *message, void *arg)
{
	brink_socket_id from = brink_socket_get_id(message->socket);
	brink_buffer line = {0};
	char name[32];
	int length = snprintf(name, sizeof name, "%" PRIx64 ": ", from);

	(void)arg;
	if (brink_buffer_append(&message->body, "\n", 1) == 0 &&
	    brink_buffer_append(&line, name, (size_t)length) == 0) {
		brink_buffer_move(&line, &message->body);
		pthread_mutex_lock(&room.lock);
		for (unsigned i = 0; i < room.count; i++)
			if (room.ids[i] != from)
				send_to(room.ids[i], &line);
		pthread_mutex_unlock(&room.lock);
	}
	brink_buffer_clear(&line);
	brink_message_free(message);
}

static int serve(brink_loop *loop, brink_group *group, const char *address)
{
	const struct brink_protocol lines = {
		.name = "line", .parse = brink_parse_line, .process = on_line, .max_message = 4096};
	brink_server *server = NULL;
	int rc = brink_server_create(&server, loop, &(struct brink_server_options){
		.address = address,
		.group = group,
		.protocols = &lines,
		.protocol_count = 1,
		.on_open = on_open,
		.on_close = on_close,
		.stop_on_signals = 1,
		.listener.max_connections = MOST,
		.socket.unsent_limit = 1 << 20,
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
	struct brink_group_options threads = {.tag = "chat", .loops = argc > 2 ? (unsigned)atoi(argv[2]) : 0};
	brink_loop *loop = NULL;
	brink_group *group = NULL;
	int rc = brink_loop_create(&loop, NULL);

	if (rc == 0)
		rc = brink_group_create(&group, &threads);
	if (rc == 0)
		rc = serve(loop, group, argc > 1 ? argv[1] : "127.0.0.1:7000");
	if (rc < 0)
		fprintf(stderr, "chat: %s\n", brink_strerror(rc));
	brink_group_destroy(group);
	brink_loop_destroy(loop);
	return rc < 0;
}
