/* Clients that misbehave: each alone, and all together at random. */
#include "groups.h"
#include "server_stage.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void reset(int *fd)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close_fd(fd);
}

/* Says all it has to say, ends its side, and gets its answers. */
static void half_closed(enum kind kind)
{
	struct service service;
	char got[9];
	int fd;

	for (int shape = 0; shape < SHAPES; shape++) {
		open_service(&service, kind, (enum shape)shape);
		start_service(&service);
		fd = connect_client(&service);
		write_all(fd, "one\ntwo\n\n", 9);
		SYSCALL(shutdown(fd, SHUT_WR));
		read_back(&service, fd, got, sizeof got);
		CHECK(shape == MESSAGES_ON_EXECUTOR || memcmp(got, "one\ntwo\n\n", 9) == 0);
		expect_gone(&service, fd, false);
		RUN_UNTIL(service.loop, atomic_load(&service.closed) == 1);
		CHECK_EQ(atomic_load(&service.error), 0);
		close_fd(&fd);
		close_service(&service);
	}
}

static void huge_and_malformed(enum kind kind)
{
	static const int errors[] = {-EMSGSIZE, -EPROTO};
	char bytes[1000];
	struct service service;
	int fds[2], other;

	memset(bytes, 'x', sizeof bytes);
	for (int i = 0; i < 2; i++) {
		open_service(&service, kind, MESSAGES);
		service.protocol.max_message = sizeof bytes;
		if (i == 1)
			service.protocol.parse = brink_parse_length;
		start_service(&service);
		connect_clients(&service, fds, 2);
		write_all(fds[0], bytes, sizeof bytes);
		expect_gone(&service, fds[0], true);
		RUN_UNTIL(service.loop, atomic_load(&service.closed) == 1);
		CHECK_EQ(atomic_load(&service.error), errors[i]);
		/* The others are served as before. */
		connect_clients(&service, &other, 1);
		if (i == 0)
			talk_with(&service, fds + 1, 1);
		CHECK_EQ(atomic_load(&service.closed), 1);
		close_all(fds, 2);
		close_fd(&other);
		close_service(&service);
	}
}

/* One that says much and reads nothing: the others are served, and it is not waited for. */
static void reads_nothing(enum kind kind)
{
	struct service service;
	char bytes[4096];
	int fds[2];

	memset(bytes, 'x', sizeof bytes);
	open_service(&service, kind, GROUP);
	service.options.socket.unsent_limit = 100000;
	service.options.socket.write_timeout = BRINK_MS(100);
	start_service(&service);
	connect_clients(&service, fds, 2);
	while (atomic_load(&service.closed) == 0) {
		for (int i = 0; i < 500; i++)
			(void)!send(fds[0], bytes, sizeof bytes, MSG_NOSIGNAL);
		talk_with(&service, fds + 1, 1);
	}
	RUN_UNTIL(service.loop, atomic_load(&service.closed) == 1);
	CHECK_EQ(atomic_load(&service.error), -ETIMEDOUT);
	talk_with(&service, fds + 1, 1);
	close_all(fds, 2);
	close_service(&service);
}

/* ---- all together ---- */

#define TROUBLEMAKERS 4

struct troublemaker {
	pthread_t thread;
	struct service *service;
	uint64_t chance;
	unsigned visits;
};

static unsigned pick(struct troublemaker *maker, unsigned end)
{
	maker->chance = maker->chance * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(maker->chance >> 33) % end;
}

/* None of them waits for the server. */
static void visit(struct troublemaker *maker)
{
	static const char *const texts[] = {"line\n", "half a line", "\n\n\n\n\n", "\353BRK\1\0", "x"};
	int fd = connect_client(maker->service);
	char bytes[512];

	for (unsigned steps = pick(maker, 5); steps > 0; steps--) {
		const char *text = texts[pick(maker, 5)];

		if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
			break;
		if (pick(maker, 3) == 0)
			sleep_ms(1);
		if (pick(maker, 4) == 0)
			(void)!read(fd, bytes, sizeof bytes);
	}
	if (pick(maker, 3) == 0)
		(void)shutdown(fd, pick(maker, 2) ? SHUT_WR : SHUT_RDWR);
	if (pick(maker, 2) == 0)
		reset(&fd);
	else
		close_fd(&fd);
}

static void *make_trouble(void *arg)
{
	struct troublemaker *maker = arg;

	for (unsigned i = 0; i < maker->visits; i++)
		visit(maker);
	return NULL;
}

static void at_random(enum kind kind)
{
	struct troublemaker makers[TROUBLEMAKERS];
	unsigned visits = is_long() ? 2000 : is_slow() ? 30 : 100;
	struct brink_server_counts counts;
	struct service service;
	int good;

	for (int shape = 0; shape < SHAPES; shape++) {
		open_service(&service, kind, (enum shape)shape);
		start_service(&service);
		connect_clients(&service, &good, 1);
		for (int i = 0; i < TROUBLEMAKERS; i++) {
			makers[i] = (struct troublemaker){.service = &service, .chance = random_bits(), .visits = visits};
			CHECK_EQ(pthread_create(&makers[i].thread, NULL, make_trouble, &makers[i]), 0);
		}
		/* Meanwhile one is served, and in the end nothing of the others is left. */
		do {
			talk_with(&service, &good, 1);
			brink_server_counters(service.server, &counts);
		} while (counts.accepted < TROUBLEMAKERS * visits / 2);
		RUN_UNTIL(service.loop, (brink_server_counters(service.server, &counts),
		                         counts.accepted == 1 + TROUBLEMAKERS * visits && counts.open == 1));
		for (int i = 0; i < TROUBLEMAKERS; i++)
			CHECK_EQ(pthread_join(makers[i].thread, NULL), 0);
		talk_with(&service, &good, 1);
		CHECK_EQ(atomic_load(&service.closed), TROUBLEMAKERS * visits);
		close_fd(&good);
		close_service(&service);
	}
}

static const struct scenario scenarios[] = {
	SCENARIO("server-peers/half-closed", half_closed, KINDS_STREAM),
	SCENARIO("server-peers/huge-and-malformed", huge_and_malformed, KINDS_STREAM),
	SCENARIO("server-peers/reads-nothing", reads_nothing, KINDS_STREAM),
	SCENARIO("server-peers/at-random", at_random, KIND_TCP | KIND_UNIX),
	NO_MORE_SCENARIOS,
};
const struct group server_peers_group = {"server-peers", scenarios};
