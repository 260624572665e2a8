#include "generator.h"

#include "bench.h"
#include "page.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATTERN 65521u       /* bytes until the pattern begins again: a prime, no message's size */
#define REQUESTS 256u        /* in the pattern, of HTTP */
#define MOST_HEAD 1024u      /* bytes of a reply's */
#define HANG 120000          /* ms without a byte, after which the server is given up */
#define AT_ONCE (64u * 1024) /* bytes in one system call */

struct link {
	int fd;
	bool waits;              /* for room to write */
	uint64_t sent, received; /* bytes */
	uint64_t owed;           /* bytes of the messages begun: what `sent` is to become */
	char *reply;             /* of HTTP: what has come of it */
	size_t have;
};

struct generator {
	int epoll;
	unsigned count, depth;
	size_t size;                /* of what is sent for a round trip */
	char *pattern;              /* what is sent, over and over, and the beginning of that once more */
	size_t period;              /* bytes until it begins again */
	char *page;                 /* of HTTP; NULL: what is sent comes back */
	size_t page_size;
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

		n = send(link->fd, generator->pattern + link->sent % generator->period, left < AT_ONCE ? left : AT_ONCE,
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

/* As recv(); 0: nothing has come. */
static ssize_t take(const struct link *link, char *bytes, size_t size)
{
	ssize_t n = recv(link->fd, bytes, size, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	return n == 0 ? -ECONNRESET : n;
}

/* Each message that is complete begins another one. */
static int receive(struct generator *generator, struct link *link)
{
	char bytes[AT_ONCE];
	ssize_t n = take(link, bytes, sizeof bytes);
	uint64_t before = link->received / generator->size, complete;

	if (n <= 0)
		return (int)n;
	if (link->received + (uint64_t)n > link->sent ||
	    memcmp(bytes, generator->pattern + link->received % generator->period, (size_t)n) != 0)
		return -EBADMSG;
	link->received += (uint64_t)n;
	complete = link->received / generator->size - before;
	generator->ended += complete;
	begin(generator, link, complete);
	return 0;
}

/* One request is under way, and so nothing follows its reply. */
static int receive_page(struct generator *generator, struct link *link)
{
	ssize_t n = take(link, link->reply + link->have, MOST_HEAD + generator->page_size - link->have), length;

	if (n <= 0)
		return (int)n;
	link->have += (size_t)n;
	length = check_reply(link->reply, link->have, generator->page, generator->page_size);
	if (length < 0 || (length > 0 && (size_t)length < link->have) ||
	    (length == 0 && link->have == MOST_HEAD + generator->page_size))
		return -EBADMSG;
	if (length == 0)
		return 0;
	link->have = 0;
	generator->ended++;
	begin(generator, link, 1);
	return 0;
}

static int attend(struct generator *generator, const struct epoll_event *event)
{
	struct link *link = event->data.ptr;
	int rc = 0;

	if (event->events & ~(uint32_t)EPOLLOUT)
		rc = generator->page != NULL ? receive_page(generator, link) : receive(generator, link);
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
		complain("the server did not send %s: %s", generator->page != NULL ? "its page" : "back what it was sent",
		         strerror(-rc));
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

static void fill_pattern(struct generator *generator)
{
	for (size_t i = 0; i < generator->period + AT_ONCE; i++)
		generator->pattern[i] = (char)((i % generator->period * 2654435761u) >> 13);
}

static void fill_requests(struct generator *generator, const char *request)
{
	for (size_t i = 0; i < generator->period + AT_ONCE; i++)
		generator->pattern[i] = request[i % generator->size];
}

static int link_open(struct generator *generator, struct link *link, unsigned port, unsigned number)
{
	link->fd = connect_to(port, number);
	if (link->fd < 0)
		return link->fd;
	if (generator->page != NULL && (link->reply = malloc(MOST_HEAD + generator->page_size)) == NULL)
		return -ENOMEM;
	return listen_for(generator, link, EPOLLIN, EPOLL_CTL_ADD);
}

static struct generator *create(unsigned count, size_t size, unsigned depth, size_t period)
{
	struct generator *made = calloc(1, sizeof *made);

	if (made == NULL)
		abort();
	*made = (struct generator){.count = count, .size = size, .depth = depth, .period = period,
	                           .epoll = epoll_create1(EPOLL_CLOEXEC), .pattern = malloc(period + AT_ONCE),
	                           .links = calloc(count, sizeof(struct link))};
	if (made->epoll < 0 || made->pattern == NULL || made->links == NULL)
		abort();
	return made;
}

static struct generator *connect_all(struct generator *generator, unsigned port)
{
	int rc = 0;

	for (unsigned i = 0; i < generator->count && rc == 0; i++)
		rc = link_open(generator, &generator->links[i], port, i);
	if (rc == 0)
		return generator;
	complain("connecting: %s", strerror(-rc));
	generator_destroy(generator);
	return NULL;
}

struct generator *generator_create(unsigned port, unsigned count, size_t size, unsigned depth)
{
	struct generator *made = create(count, size, depth, PATTERN);

	fill_pattern(made);
	return connect_all(made, port);
}

struct generator *generator_create_http(unsigned port, unsigned count, size_t size)
{
	char request[64];
	size_t length = (size_t)snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", port);
	struct generator *made = create(count, length, 1, length * REQUESTS);

	fill_requests(made, request);
	made->page = make_page(size);
	made->page_size = size;
	return connect_all(made, port);
}

void generator_destroy(struct generator *generator)
{
	if (generator == NULL)
		return;
	for (unsigned i = 0; i < generator->count; i++) {
		if (generator->links[i].fd > 0)
			close(generator->links[i].fd);
		free(generator->links[i].reply);
	}
	close(generator->epoll);
	free(generator->links);
	free(generator->pattern);
	free(generator->page);
	free(generator);
}
