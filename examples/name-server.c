/* name-server: a name service of datagrams.  name-server [ADDRESS [NAME=VALUE]...]
 *
 * A question is a name and '?', an answer the question's name, a blank and the value:
 *
 *     lamp?            ->  lamp 10.0.0.7:80     or  lamp - where nobody knows
 *     lamp=10.0.0.7:80 ->  lamp 10.0.0.7:80     from this machine only
 *
 * Anything else is not answered: who sends what is no question may not be who he says he is. An
 * answer is at most a value longer than its question, so that the service is of little use against
 * others. A question may come twice, and is then answered twice: that is all that repeating needs. */
#include <brink.h>

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define NAMES 1000
#define LONGEST 64

static struct {
	char name[LONGEST], value[LONGEST];
} names[NAMES];
static unsigned count;
static brink_loop *loop;

static const char *find(const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].value;
	return NULL;
}

static int is_word(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length < LONGEST && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                                                      "0123456789.:_-[]%/@") == length;
}

static int learn(const char *name, const char *value)
{
	unsigned i = 0;

	if (!is_word(name) || !is_word(value))
		return 0;
	while (i < count && strcmp(names[i].name, name) != 0)
		i++;
	if (i == NAMES)
		return 0;
	count += i == count;
	snprintf(names[i].name, sizeof names[i].name, "%s", name);
	snprintf(names[i].value, sizeof names[i].value, "%s", value);
	return 1;
}

/* An IPv4 sender has an address of IPv6, ::ffff:127.0.0.1, where the server's takes both. */
static int from_this_machine(const struct brink_packet *packet)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (packet->from->storage.ss_family == AF_UNIX)
		return 1;
	if (packet->from->storage.ss_family == AF_INET6) {
		memcpy(&v6, &packet->from->storage, sizeof v6);
		return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) ||
		       (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && v6.sin6_addr.s6_addr[12] == 127);
	}
	memcpy(&v4, &packet->from->storage, sizeof v4);
	return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
}

static void answer(brink_datagram *socket, const struct brink_packet *packet)
{
	char question[2 * LONGEST + 2], reply[2 * sizeof question], *end;
	const char *value = NULL;

	if ((packet->flags & BRINK_PACKET_TRUNCATED) || packet->size >= sizeof question)
		return;
	memcpy(question, packet->bytes, packet->size);
	question[packet->size] = '\0';
	end = question + strcspn(question, "?=\r\n");
	if (*end == '=' && from_this_machine(packet)) {
		*end++ = '\0';
		end[strcspn(end, "\r\n")] = '\0';
		value = learn(question, end) ? end : NULL;
	} else if (*end == '?') {
		*end = '\0';
		value = is_word(question) ? find(question) : NULL;
		value = value == NULL && is_word(question) ? "-" : value;
	}
	if (value == NULL)
		return;
	/* One that cannot be sent now is asked for again. */
	snprintf(reply, sizeof reply, "%s %s\n", question, value);
	brink_datagram_reply(socket, packet, reply, strlen(reply));
}

static void on_packets(brink_datagram *socket, const struct brink_packet *packets, unsigned number, void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < number; i++)
		answer(socket, &packets[i]);
}

static void on_signal(brink_signal *stop)
{
	(void)stop;
	brink_loop_stop(loop);
}

static int serve(const char *address)
{
	struct brink_datagram_options options = {.address = address, .on_packets = on_packets, .max_size = 2 * LONGEST,
		.flags = BRINK_DATAGRAM_UNIX_REPLACE};
	brink_datagram *socket;
	struct brink_address bound;
	char text[BRINK_ADDRESS_TEXT];
	int rc = brink_datagram_create(&socket, loop, &options);

	if (rc < 0)
		return rc;
	brink_datagram_address(socket, &bound);
	brink_address_format(&bound, text, sizeof text);
	printf("%s: knows %u names\n", text, count);
	fflush(stdout);
	rc = brink_loop_run(loop); /* until SIGINT or SIGTERM */
	brink_datagram_destroy(socket);
	return rc;
}

int main(int argc, char **argv)
{
	static const int numbers[] = {SIGINT, SIGTERM};
	brink_signal stops[2];
	int rc;

	for (int i = 2; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (value != NULL)
			*value = '\0';
		if (value == NULL || !learn(argv[i], value + 1)) {
			fprintf(stderr, "name-server: %s: not NAME=VALUE, or too long, or one too many\n", argv[i]);
			return 2;
		}
	}
	rc = brink_loop_create(&loop, NULL);
	for (unsigned i = 0; i < 2 && rc == 0; i++) {
		brink_signal_init(&stops[i], on_signal);
		rc = brink_signal_start(loop, &stops[i], numbers[i]);
	}
	if (rc == 0)
		rc = serve(argc > 1 ? argv[1] : "127.0.0.1:7053");
	if (rc < 0)
		fprintf(stderr, "name-server: %s\n", brink_strerror(rc));
	brink_loop_destroy(loop);
	return rc < 0;
}
