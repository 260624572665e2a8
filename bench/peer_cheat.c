/* Servers that send the right number of wrong bytes: for the test that this is an error. */
#include "echo_by_hand.h"
#include "peers.h"

static int serve(int listener, const char *backend)
{
	char bytes[256] = {0};
	int fd;

	(void)backend;
	while ((fd = accept_one(listener)) < 0)
		usleep(1000);
	for (;;) {
		ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			return -errno;
		if (n > 0 && send(fd, memset(bytes, 'x', sizeof bytes), (size_t)n, MSG_NOSIGNAL) < 0)
			return -errno;
	}
}

static int serve_http(int listener, const char *backend, size_t size)
{
	char request[1024], reply[256];
	int head = snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
	int fd;

	(void)backend;
	if (head + (int)size > (int)sizeof reply)
		return -EINVAL;
	memset(reply + head, 'x', size);
	while ((fd = accept_one(listener)) < 0)
		usleep(1000);
	for (;;) {
		ssize_t n = recv(fd, request, sizeof request, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			return -errno;
		if (n > 0 && send(fd, reply, (size_t)head + size, MSG_NOSIGNAL) < 0)
			return -errno;
	}
}

const struct peer peer_cheat_http = {
	.name = "cheat-http",
	.about = "serves another page: for the test of this program",
	.only_by_name = true,
	.serve_http = serve_http,
};

const struct peer peer_cheat = {
	.name = "cheat",
	.about = "sends back other bytes: for the test of this program",
	.only_by_name = true,
	.serve = serve,
};
