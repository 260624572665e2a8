/* A server that sends back the right number of wrong bytes: for the test that this is an error. */
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

const struct peer peer_cheat = {
	.name = "cheat",
	.about = "sends back other bytes: for the test of this program",
	.only_by_name = true,
	.serve = serve,
};
