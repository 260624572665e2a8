/* name-client: asks a name-server.  name-client ADDRESS NAME...
 *
 * Datagrams get lost. So each question is asked again, after 0.1, 0.2, 0.4 ... seconds, until it is
 * answered or has been asked six times. The socket is connected: only the server's answers are heard, and
 * a server that is not there says so at once. */
#include <brink.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TIMES 6
#define MOST 100     /* questions at a time */
#define LONGEST 500 /* bytes of a name */

struct question {
	brink_timer timer;
	brink_loop *loop;
	brink_datagram *socket;
	const char *name;
	unsigned asked;
	int done;
};

static struct question *questions;
static unsigned count, open_questions, unanswered;

static void end(struct question *question)
{
	question->done = 1;
	brink_timer_stop(&question->timer);
	if (--open_questions == 0)
		brink_loop_stop(question->loop);
}

static void ask(brink_timer *timer)
{
	struct question *question = brink_container_of(timer, struct question, timer);
	char text[LONGEST + 2];
	int length = snprintf(text, sizeof text, "%s?", question->name);

	if (question->asked++ == TIMES) {
		fprintf(stderr, "%s: no answer\n", question->name);
		unanswered++;
		end(question);
		return;
	}
	/* What is refused for want of room is asked again in time, like what gets lost. */
	brink_datagram_send(question->socket, text, (size_t)length, NULL);
	brink_timer_start(question->loop, &question->timer, BRINK_MS(100) << (question->asked - 1), 0);
}

/* "name value": that of a question which is still open. */
static void take_answer(const char *answer)
{
	size_t length = strcspn(answer, " ");

	for (unsigned i = 0; i < count; i++) {
		struct question *question = &questions[i];

		if (question->done || strlen(question->name) != length || strncmp(question->name, answer, length) != 0)
			continue;
		printf("%s", answer);
		unanswered += strcmp(answer + length, " -\n") == 0;
		end(question);
	}
}

static void on_packets(brink_datagram *socket, const struct brink_packet *packets, unsigned number, void *arg)
{
	char answer[512];

	(void)socket, (void)arg;
	for (unsigned i = 0; i < number; i++) {
		if (packets[i].size >= sizeof answer)
			continue;
		memcpy(answer, packets[i].bytes, packets[i].size);
		answer[packets[i].size] = '\0';
		take_answer(answer);
	}
}

/* The server may be about to start: go on asking. */
static void on_error(brink_datagram *socket, int error, const struct brink_address *to, void *arg)
{
	static int told;

	(void)socket, (void)to, (void)arg;
	if (told != error)
		fprintf(stderr, "%s\n", brink_strerror(error));
	told = error;
}

static int ask_all(brink_loop *loop, const char *server, char **list)
{
	struct question all[MOST] = {{.name = NULL}};
	brink_datagram *socket;
	char own[64];
	int rc;

	/* A UNIX socket can be answered only if it has a name. One of UDP has a port without being asked. */
	snprintf(own, sizeof own, "unix:/tmp/name-client.%ld", (long)getpid());
	rc = brink_datagram_create(&socket, loop, &(struct brink_datagram_options){
		.address = strncmp(server, "unix:", 5) == 0 ? own : NULL, .flags = BRINK_DATAGRAM_UNIX_REPLACE,
		.peer = server, .on_packets = on_packets, .on_error = on_error});
	if (rc < 0)
		return rc;
	questions = all;
	open_questions = count;
	for (unsigned i = 0; i < count; i++) {
		all[i] = (struct question){.loop = loop, .socket = socket, .name = list[i]};
		brink_timer_init(&all[i].timer, ask);
		ask(&all[i].timer);
	}
	rc = brink_loop_run(loop);
	brink_datagram_destroy(socket);
	return rc;
}

static int usage(void)
{
	fprintf(stderr, "usage: name-client ADDRESS NAME...     (1 to %d names of 1 to %d bytes)\n", MOST, LONGEST);
	return 2;
}

int main(int argc, char **argv)
{
	brink_loop *loop = NULL;
	int rc;

	if (argc < 3 || argc - 2 > MOST)
		return usage();
	for (int i = 2; i < argc; i++)
		if (argv[i][0] == '\0' || strlen(argv[i]) > LONGEST)
			return usage();
	count = (unsigned)argc - 2;
	rc = brink_loop_create(&loop, NULL);
	if (rc == 0)
		rc = ask_all(loop, argv[1], argv + 2);
	if (rc < 0)
		fprintf(stderr, "name-client: %s\n", brink_strerror(rc));
	brink_loop_destroy(loop);
	return rc < 0 || unanswered > 0;
}
