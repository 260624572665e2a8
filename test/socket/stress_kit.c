#include "stress_kit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- chance ---- */

struct chance new_chance(void)
{
	return (struct chance){random_bits()};
}

uint64_t chance_bits(struct chance *chance)
{
	uint64_t value = chance->state += 0x9e3779b97f4a7c15u;

	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
	return value ^ (value >> 31);
}

unsigned chance_below(struct chance *chance, unsigned end)
{
	return (unsigned)(chance_bits(chance) % end);
}

void rest_us(unsigned us)
{
	struct timespec rest = {.tv_sec = (time_t)(us / 1000000u), .tv_nsec = (long)(us % 1000000u) * 1000};

	nanosleep(&rest, NULL);
}

unsigned rounds(unsigned usual)
{
	unsigned count = is_long() ? usual * 20 : usual;

	if (is_slow())
		count = (count + 3) / 4;
	return count;
}

/* ---- threads ---- */

void start_team(struct team *team, unsigned count, void *(*body)(void *), void *members, size_t size)
{
	CHECK(count <= sizeof team->threads / sizeof team->threads[0]);
	team->count = count;
	for (unsigned i = 0; i < count; i++)
		CHECK_EQ(pthread_create(&team->threads[i], NULL, body, (char *)members + i * size), 0);
}

void join_team(struct team *team)
{
	for (unsigned i = 0; i < team->count; i++)
		CHECK_EQ(pthread_join(team->threads[i], NULL), 0);
	team->count = 0;
}

brink_group *start_loops(unsigned count)
{
	brink_group *group = NULL;

	CHECK_OK(brink_group_create(&group, &(struct brink_group_options){
		.loops = count, .placement = BRINK_PLACE_ROUND_ROBIN, .loop.backend = backend_name()}));
	return group;
}

/* ---- a site ---- */

static int bound(struct brink_address *address)
{
	int fd = socket(address->storage.ss_family, SOCK_STREAM, 0), on = 1;

	SYSCALL(fd);
	SYSCALL(fcntl(fd, F_SETFD, FD_CLOEXEC));
	if (address->storage.ss_family != AF_UNIX)
		SYSCALL(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on));
	SYSCALL(bind(fd, (struct sockaddr *)&address->storage, address->length));
	CHECK_OK(brink_address_of(fd, address));
	set_nonblocking(fd);
	return fd;
}

static void remove_path(const struct site *site)
{
	char text[BRINK_ADDRESS_TEXT];

	if (site->kind != KIND_UNIX)
		return;
	CHECK_OK(brink_address_format(&site->address, text, sizeof text));
	SYSCALL(unlink(text + strlen("unix:")));
}

void open_site(struct site *site, enum kind kind)
{
	int listener = open_listener(kind, 1);

	memset(site, 0, sizeof *site);
	site->kind = kind;
	site->keeper = -1;
	CHECK_OK(brink_address_of(listener, &site->address));
	close_fd(&listener);
	if (kind == KIND_UNIX) {
		remove_path(site);
		return;
	}
	/* The port that the listener had may be another's by now. */
	CHECK_OK(brink_address_parse(&site->address, kind == KIND_TCP ? "127.0.0.1:0" : "[::1]:0"));
	site->keeper = bound(&site->address);
}

int start_at(struct site *site, int backlog)
{
	struct brink_address address = site->address; /* others read that */
	int fd = bound(&address);

	SYSCALL(listen(fd, backlog));
	return fd;
}

void stop_at(struct site *site, int *listener)
{
	if (*listener < 0)
		return;
	close_fd(listener);
	remove_path(site);
}

void close_site(struct site *site)
{
	close_fd(&site->keeper);
}

int take_one(int listener)
{
	int fd = accept(listener, NULL, NULL);

	if (fd < 0) {
		CHECK(errno == EAGAIN || errno == EWOULDBLOCK || errno == ECONNABORTED || errno == EINTR);
		return -1;
	}
	SYSCALL(fcntl(fd, F_SETFD, FD_CLOEXEC));
	set_nonblocking(fd);
	return fd;
}

void reset_fd(int *fd)
{
	static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	/* A UNIX stream has no reset of its own, and may refuse the option. */
	if (*fd >= 0)
		setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close_fd(fd);
}
