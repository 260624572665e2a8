/* The least that a server can do for a request: it looks for the empty line that ends a head, and
 * answers what it has ready. It parses nothing. */
#include "echo_by_hand.h"
#include "page.h"
#include "peers.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>

#define MOST_HEAD 256

struct connection {
	int fd;
	unsigned seen; /* of CR LF CR LF */
};

struct answer {
	char *bytes; /* MOST_HEAD of them and the page */
	size_t size;
	const char *page;
	size_t page_size;
	time_t made;
};

static void renew(struct answer *answer)
{
	char date[DATE_SIZE];
	time_t now = time(NULL);

	if (now == answer->made)
		return;
	answer->made = now;
	write_date(date);
	answer->size = (size_t)snprintf(answer->bytes, MOST_HEAD,
	                                "HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Type: " PAGE_TYPE
	                                "\r\nContent-Length: %zu\r\n\r\n",
	                                date, answer->page_size);
	memcpy(answer->bytes + answer->size, answer->page, answer->page_size);
	answer->size += answer->page_size;
}

/* How many heads end in what has come. */
static size_t heads(struct connection *connection, const char *bytes, size_t size)
{
	static const char end[] = "\r\n\r\n";
	size_t found = 0;

	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != end[connection->seen])
			connection->seen = bytes[i] == '\r';
		else if (++connection->seen == 4)
			connection->seen = 0, found++;
	}
	return found;
}

/* A client that does not read its replies is none of this benchmark's: it is dropped. */
static int attend(struct connection *connection, const struct answer *answer)
{
	static char scratch[SCRATCH];
	ssize_t n = read(connection->fd, scratch, sizeof scratch);
	size_t found;

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -1;
	for (found = heads(connection, scratch, (size_t)n); found > 0; found--)
		if (write(connection->fd, answer->bytes, answer->size) != (ssize_t)answer->size)
			return -1;
	return 0;
}

static int add(int epoll, int fd)
{
	struct connection *connection = calloc(1, sizeof *connection);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

	if (connection == NULL)
		return -ENOMEM;
	connection->fd = fd;
	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int accept_all(int epoll, int listener)
{
	int fd, rc = 0;

	while (rc == 0 && (fd = accept_one(listener)) >= 0)
		rc = add(epoll, fd);
	return rc < 0 || errno == EAGAIN ? rc : -errno;
}

static int serve(int listener, const char *backend, size_t size)
{
	struct answer answer = {.bytes = malloc(MOST_HEAD + size), .page = make_page(size), .page_size = size};
	struct epoll_event events[256];
	int epoll = epoll_create1(EPOLL_CLOEXEC), rc = answer.bytes != NULL ? add(epoll, listener) : -ENOMEM;

	(void)backend;
	while (rc == 0) {
		int count = epoll_wait(epoll, events, 256, -1);

		if (count < 0 && errno != EINTR)
			return -errno;
		renew(&answer);
		for (int i = 0; i < count && rc == 0; i++) {
			struct connection *connection = events[i].data.ptr;

			if (connection->fd == listener) {
				rc = accept_all(epoll, listener);
			} else if (attend(connection, &answer) < 0) {
				close(connection->fd);
				free(connection);
			}
		}
	}
	return rc;
}

const struct peer peer_epoll_http = {
	.name = "epoll-http",
	.about = "written by hand: the same answer to whatever ends with an empty line",
	.serve_http = serve,
};
