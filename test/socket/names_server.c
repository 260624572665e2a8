#include "names_server.h"

#include "conformance.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define MESSAGE 512u
#define HEADER 12u
#define TYPE_A 1u
#define TYPE_AAAA 28u
#define WAITING 64u

struct question {
	unsigned char bytes[MESSAGE];
	size_t size; /* header and question, without what follows */
	char host[256];
	unsigned type;
	struct sockaddr_in from;
};

static int server = -1;
static pthread_t thread;
static atomic_bool stopping;
static names_script_fn *script;
static struct question waiting[WAITING];
static unsigned waiting_count;

/* ---- messages ---- */

static unsigned two_bytes(const unsigned char *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

/* The question is labels, each after its length, a type and a class. */
static bool read_question(struct question *question, size_t received)
{
	size_t at = HEADER, length = 0;

	if (received < HEADER || two_bytes(question->bytes + 4) != 1)
		return false;
	while (at < received && question->bytes[at] != 0) {
		size_t label = question->bytes[at++];

		if (label > 63 || at + label >= received || length + label + 1 >= sizeof question->host)
			return false;
		if (length > 0)
			question->host[length++] = '.';
		memcpy(question->host + length, question->bytes + at, label);
		length += label;
		at += label;
	}
	question->host[length] = '\0';
	if (at + 5 > received)
		return false;
	question->type = two_bytes(question->bytes + at + 1);
	question->size = at + 5;
	return true;
}

/* The name by reference to the question, type, class, a minute to live, the address. */
static size_t add_record(unsigned char *to, unsigned type, const void *address, size_t size)
{
	unsigned char record[12] = {0xc0, HEADER, 0, (unsigned char)type, 0, 1, 0, 0, 0, 60, 0, (unsigned char)size};

	memcpy(to, record, sizeof record);
	memcpy(to + sizeof record, address, size);
	return sizeof record + size;
}

static int family_of(const struct question *question)
{
	switch (question->type) {
	case TYPE_A: return AF_INET;
	case TYPE_AAAA: return AF_INET6;
	default: return AF_UNSPEC;
	}
}

static size_t add_records(struct question *question, char *addresses)
{
	size_t size = question->size, length = question->type == TYPE_A ? 4 : 16;
	int family = family_of(question);
	char *rest = NULL;

	for (char *text = strtok_r(addresses, " ", &rest); text != NULL; text = strtok_r(NULL, " ", &rest)) {
		unsigned char address[16];

		if (inet_pton(family, text, address) != 1)
			continue;
		CHECK(size + 12 + length <= MESSAGE);
		size += add_record(question->bytes + size, question->type, address, length);
		question->bytes[7]++;
	}
	return size;
}

static unsigned code_of(int error)
{
	switch (error) {
	case 0: return 0;
	case BRINK_ENAMEFAILED: return 1; /* it has not understood the question */
	case BRINK_ENAMEAGAIN: return 2;
	default: return 3;
	}
}

static void reply(struct question *question, int error, char *addresses)
{
	size_t size = question->size;

	question->bytes[2] = 0x81;
	question->bytes[3] = (unsigned char)(0x80 | code_of(error));
	memset(question->bytes + 6, 0, 6); /* no other sections */
	if (error == 0 && family_of(question) != AF_UNSPEC)
		size = add_records(question, addresses);
	sendto(server, question->bytes, size, 0, (struct sockaddr *)&question->from, sizeof question->from);
}

/* ---- the server ---- */

static bool answer(struct question *question, bool first)
{
	char addresses[256] = "";
	int error = script(question->host, family_of(question), addresses, first);

	if (error < 0)
		return false;
	reply(question, error, addresses);
	return true;
}

static void answer_those_who_wait(void)
{
	unsigned left = 0;

	for (unsigned i = 0; i < waiting_count; i++)
		if (!answer(&waiting[i], false))
			waiting[left++] = waiting[i];
	waiting_count = left;
}

static void *serve(void *arg)
{
	(void)arg;
	while (!stopping) {
		static struct question question;
		socklen_t length = sizeof question.from;
		ssize_t n = recvfrom(server, question.bytes, MESSAGE, 0, (struct sockaddr *)&question.from, &length);

		answer_those_who_wait();
		if (n <= 0 || !read_question(&question, (size_t)n) || answer(&question, true))
			continue;
		if (waiting_count < WAITING)
			waiting[waiting_count++] = question;
	}
	return NULL;
}

void start_names_server(names_script_fn *of, char address[64])
{
	struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval patience = {.tv_usec = 2000};
	struct brink_address bound;

	script = of;
	server = socket(AF_INET, SOCK_DGRAM, 0);
	SYSCALL(server);
	SYSCALL(bind(server, (struct sockaddr *)&loopback, sizeof loopback));
	SYSCALL(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience));
	CHECK_OK(brink_address_of(server, &bound));
	CHECK(brink_address_format(&bound, address, 64) > 0);
	stopping = false;
	waiting_count = 0;
	CHECK_EQ(pthread_create(&thread, NULL, serve, NULL), 0);
}

void stop_names_server(void)
{
	if (server < 0)
		return;
	stopping = true;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	close_fd(&server);
}
