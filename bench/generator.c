#include "generator.h"

#include "bench.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATTERN 65521u       /* bytes until the pattern begins again: a prime, no message's size */
#define HANG 120000          /* ms without a byte, after which the server is given up */
#define AT_ONCE (64u * 1024) /* bytes in one system call */

struct link {
	int fd;
	bool waits;              /* for room to write */
	uint64_t sent, received; /* bytes */
	uint64_t owed;           /* bytes of the messages begun: what `sent` is to become */
};

struct generator {
	int epoll;
	unsigned count, depth;
	size_t size;
	char *pattern;
	struct link *links;
	uint64_t begun, ended, limit, deadline;
};

/* ---- bytes ---- */

static int listen_for(struct generator *generator, struct link *link, uint32_t events, int operation)
{
	struct epoll_event event = {.events = events, .data.ptr = link};

	return epoll_ctl(generator->epoll, operation, link->fd, &event) < 0 ? -errno : 0;
}

static int send_owed(struct generator *generator, struct link *link)
{
	ssize_t n = 0;
	bool waits;

	while (link->sent < link->owed) {
		size_t left = (size_t)(link->owed - link->sent);

		n = send(link->fd, generator->pattern + link->sent % PATTERN, left < AT_ONCE ? left : AT_ONCE,
		         MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			break;
		link->sent += (uint64_t)n;
	}
	if (n < 0 && errno != EAGAIN)
		return -errno;
	waits = link->sent < link->owed;
	if (waits == link->waits)
		return 0;
	link->waits = waits;
	return listen_for(generator, link, EPOLLIN | (waits ? EPOLLOUT : 0u), EPOLL_CTL_MOD);
}

static void begin(struct generator *generator, struct link *link, uint64_t messages)
{
	if (messages > generator->limit - generator->begun)
		messages = generator->limit - generator->begun;
	generator->begun += messages;
	link->owed += messages * generator->size;
}

/* Takes what has come; each message that is complete begins another one. */
static int receive(struct generator *generator, struct link *link)
{
	char bytes[AT_ONCE];
	ssize_t n = recv(link->fd, bytes, sizeof bytes, MSG_DONTWAIT);
	uint64_t before = link->received / generator->size, complete;

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	if (link->received + (uint64_t)n > link->sent ||
	    memcmp(bytes, generator->pattern + link->received % PATTERN, (size_t)n) != 0)
		return -EBADMSG;
	link->received += (uint64_t)n;
	complete = link->received / generator->size - before;
	generator->ended += complete;
	begin(generator, link, complete);
	return 0;
}

static int attend(struct generator *generator, const struct epoll_event *event)
{
	struct link *link = event->data.ptr;
	int rc = event->events & ~(uint32_t)EPOLLOUT ? receive(generator, link) : 0;

	return rc == 0 ? send_owed(generator, link) : rc;
}

static int turn(struct generator *generator)
{
	struct epoll_event events[256];
	int count = epoll_wait(generator->epoll, events, 256, HANG), rc = 0;

	if (count == 0)
		return -ETIMEDOUT;
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < count && rc == 0; i++)
		rc = attend(generator, &events[i]);
	if (nanoseconds() >= generator->deadline)
		generator->limit = generator->begun;
	return rc;
}

int64_t generator_run(struct generator *generator, uint64_t trips, double seconds)
{
	uint64_t before = generator->ended;
	int rc = 0;

	generator->limit = trips > UINT64_MAX - generator->begun ? UINT64_MAX : generator->begun + trips;
	generator->deadline = seconds > 0 ? nanoseconds() + (uint64_t)(seconds * 1e9) : UINT64_MAX;
	for (unsigned i = 0; i < generator->count && rc == 0; i++) {
		begin(generator, &generator->links[i], generator->depth);
		rc = send_owed(generator, &generator->links[i]);
	}
	while (rc == 0 && generator->ended < generator->begun)
		rc = turn(generator);
	if (rc < 0) {
		complain("the server did not send back what it was sent: %s", strerror(-rc));
		return rc;
	}
	return (int64_t)(generator->ended - before);
}

/* ---- connections ---- */

/* Each hundred ports another source address, so that ports that linger after their connection
 * do not run out. */
int connect_to(unsigned port, unsigned number)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in from = {.sin_family = AF_INET,
	                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK + number / 100 % 200)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

static char *make_pattern(void)
{
	char *pattern = malloc(PATTERN + AT_ONCE);

	for (size_t i = 0; pattern != NULL && i < PATTERN + AT_ONCE; i++)
		pattern[i] = (char)((i % PATTERN * 2654435761u) >> 13);
	return pattern;
}

static int link_open(struct generator *generator, struct link *link, unsigned port, unsigned number)
{
	link->fd = connect_to(port, number);
	if (link->fd < 0)
		return link->fd;
	return listen_for(generator, link, EPOLLIN, EPOLL_CTL_ADD);
}

struct generator *generator_create(unsigned port, unsigned count, size_t size, unsigned depth)
{
	struct generator *generator = calloc(1, sizeof *generator);
	int rc = generator == NULL ? -ENOMEM : 0;

	if (rc < 0)
		return NULL;
	*generator = (struct generator){.count = count, .size = size, .depth = depth, .epoll = epoll_create1(EPOLL_CLOEXEC),
	                                .pattern = make_pattern(), .links = calloc(count, sizeof(struct link))};
	if (generator->epoll < 0 || generator->pattern == NULL || generator->links == NULL)
		rc = -ENOMEM;
	for (unsigned i = 0; i < count && rc == 0; i++)
		rc = link_open(generator, &generator->links[i], port, i);
	if (rc == 0)
		return generator;
	complain("connecting: %s", strerror(-rc));
	generator_destroy(generator);
	return NULL;
}

void generator_destroy(struct generator *generator)
{
	if (generator == NULL)
		return;
	for (unsigned i = 0; generator->links != NULL && i < generator->count; i++)
		if (generator->links[i].fd > 0)
			close(generator->links[i].fd);
	close(generator->epoll);
	free(generator->links);
	free(generator->pattern);
	free(generator);
}
