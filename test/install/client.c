/* A program as an outsider would write it: a byte goes over a TCP connection to itself. */
#include <brink.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static brink_watch listener;
static brink_watch server;
static char received;

static void on_bytes(brink_watch *watch, unsigned ready)
{
	ssize_t n;

	(void)ready;
	while ((n = brink_watch_read(watch, &received, 1)) > 0)
		;
	if (n != -EAGAIN)
		brink_watch_close(watch); /* the loop has nothing left to wait for, and returns */
}

static void on_connection(brink_watch *watch, unsigned ready)
{
	int fd = brink_watch_accept(watch, NULL, NULL);

	(void)ready;
	if (fd == -EAGAIN)
		return;
	brink_watch_close(watch);
	brink_watch_init(&server, on_bytes);
	if (fd < 0 || brink_watch_start(watch->loop, &server, fd, BRINK_READ) != 0)
		fprintf(stderr, "client: accepted: %s\n", brink_strerror(fd));
}

/* A connection to our own listener, with a byte on its way and the end after it. */
static int call_ourselves(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) != 0)
		return -1;
	return write(fd, "b", 1) == 1 && close(fd) == 0 ? 0 : -1;
}

int main(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof address;
	brink_loop *loop = NULL;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int rc = brink_loop_create(&loop, NULL);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) != 0)
		perror("client: listener");
	brink_watch_init(&listener, on_connection);
	if (rc == 0)
		rc = brink_watch_start(loop, &listener, fd, BRINK_READ);
	if (rc == 0 && call_ourselves(&address) != 0)
		perror("client: connect");
	if (rc == 0)
		rc = brink_loop_run(loop);
	if (rc < 0)
		fprintf(stderr, "client: %s\n", brink_strerror(rc));
	brink_loop_destroy(loop);
	if (received != 'b' || strcmp(brink_version(), BRINK_VERSION_STRING) != 0)
		return 1;
	printf("libbrink %s: a byte came back\n", brink_version());
	return 0;
}
