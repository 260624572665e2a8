/* Sockets when the system says no: each call of a kind in turn, and each allocation in turn, fails
 * with each error that it may have, in every scenario, on every backend. Then the caller is told,
 * every request ends once, on_close comes once, and no descriptor and no memory is left. Errors
 * that are none, such as a write of a few bytes only, change nothing.
 *
 * The parts of the library that make these calls are compiled into this program, with the calls
 * renamed to the functions below: see local.mk. */
#undef accept4
#undef connect
#undef dup3
#undef fstat
#undef getsockopt
#undef pipe2
#undef readv
#undef sendmsg
#undef shutdown
#undef socket
#define _GNU_SOURCE /* accept4() and its like */
#include "config.h"

#include "cache.h"
#include "check.h"
#include "os.h"

#include <brink.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- faults ---- */

enum call { ACCEPT, CONNECT, DUP, FSTAT, PIPE, READ, SEND, SHUTDOWN, SOCKET, MEMORY, CALLS };

#define SHORT 1 /* for an error: one byte is written */

static struct {
	enum call call;
	int error;
	unsigned k; /* 0: none */
	unsigned count;
} fault;

static bool strikes(enum call call)
{
	if (fault.k == 0 || call != fault.call || ++fault.count != fault.k)
		return false;
	errno = fault.error;
	return true;
}

int faulty_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int faulty_connect(int fd, const struct sockaddr *address, socklen_t length);
int faulty_dup3(int from, int to, int flags);
int faulty_fstat(int fd, struct stat *status);
int faulty_pipe2(int fds[2], int flags);
ssize_t faulty_readv(int fd, const struct iovec *parts, int count);
ssize_t faulty_sendmsg(int fd, const struct msghdr *message, int flags);
int faulty_shutdown(int fd, int how);
int faulty_socket(int family, int type, int protocol);

int faulty_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	return strikes(ACCEPT) ? -1 : accept4(fd, address, length, flags);
}

int faulty_connect(int fd, const struct sockaddr *address, socklen_t length)
{
	return strikes(CONNECT) ? -1 : connect(fd, address, length);
}

int faulty_dup3(int from, int to, int flags)
{
	return strikes(DUP) ? -1 : dup3(from, to, flags);
}

int faulty_fstat(int fd, struct stat *status)
{
	return strikes(FSTAT) ? -1 : fstat(fd, status);
}

int faulty_pipe2(int fds[2], int flags)
{
	return strikes(PIPE) ? -1 : pipe2(fds, flags);
}

ssize_t faulty_readv(int fd, const struct iovec *parts, int count)
{
	return strikes(READ) ? -1 : readv(fd, parts, count);
}

ssize_t faulty_sendmsg(int fd, const struct msghdr *message, int flags)
{
	if (!strikes(SEND))
		return sendmsg(fd, message, flags);
	return fault.error != SHORT ? -1 : send(fd, message->msg_iov[0].iov_base, 1, flags);
}

int faulty_shutdown(int fd, int how)
{
	return strikes(SHUTDOWN) ? -1 : shutdown(fd, how);
}

int faulty_socket(int family, int type, int protocol)
{
	return strikes(SOCKET) ? -1 : socket(family, type, protocol);
}

static long blocks;

static void *allocate(void *block, size_t size, void *context)
{
	(void)context;
	if (size == 0) {
		blocks -= block != NULL;
		free(block);
		return NULL;
	}
	if (strikes(MEMORY))
		return NULL;
	blocks += block == NULL;
	return realloc(block, size);
}

static bool harmless(void)
{
	return fault.error == EINTR || fault.error == SHORT || fault.call == DUP;
}

/* ---- a socket and what it is told ---- */

#define LARGE 300000u

static const char *backend;

struct side {
	brink_loop *loop;
	brink_socket_id id;
	unsigned opens, closes, revives, taken, ended;
	int error; /* of the last on_close */
	size_t size; /* of what it read */
	unsigned accepts;
};

static void on_open(brink_socket *socket, void *arg)
{
	(void)socket;
	((struct side *)arg)->opens++;
}

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)socket;
	((struct side *)arg)->size += brink_buffer_length(in);
	brink_buffer_clear(in);
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	struct side *side = arg;

	(void)socket;
	(void)text;
	CHECK(error <= 0);
	side->closes++;
	side->error = error;
	CHECK(side->closes == side->revives + 1);
}

static void on_revive(brink_socket *socket, void *arg)
{
	struct side *side = arg;

	(void)socket;
	side->revives++;
	CHECK(side->closes == side->revives);
}

static void on_done(brink_socket *socket, int error, void *arg)
{
	(void)socket;
	CHECK(error <= 0);
	((struct side *)arg)->ended++;
}

static struct brink_socket_options options_of(struct side *side)
{
	return (struct brink_socket_options){
		.on_open = on_open, .on_bytes = on_bytes, .on_close = on_close, .on_revive = on_revive, .arg = side};
}

static bool make_loop(struct side *side)
{
	int result;

	memset(side, 0, sizeof *side);
	result = brink_loop_create(&side->loop, &(struct brink_loop_options){.backend = backend});
	CHECK(result <= 0 && (result == 0 || !harmless()));
	return result == 0;
}

static uint64_t hang;

static void turn(struct side *side)
{
	CHECK(brink_loop_run_once(side->loop, (int64_t)BRINK_MS(1)) >= 0);
	CHECK(brink__os_now() < hang); /* else it is stuck */
}

static void write_some(struct side *side, size_t size, unsigned flags)
{
	static char bytes[LARGE];
	struct brink_write_options options = {.flags = flags, .done = on_done, .arg = side};
	brink_socket *socket = brink_socket_address(side->id);
	brink_buffer data = {0};
	int result;

	if (socket == NULL)
		return;
	result = brink_buffer_append(&data, bytes, size);
	if (result == 0)
		result = brink_socket_write_with(socket, &data, &options);
	CHECK(result <= 0 && (result == 0 || !harmless()));
	side->taken += result == 0;
	brink_buffer_clear(&data);
	brink_socket_release(socket);
}

/* What the peer can read now; -1 at the end or after an error. */
static ssize_t drain(int fd)
{
	static char bytes[65536];
	ssize_t total = 0, got;

	while ((got = read(fd, bytes, sizeof bytes)) > 0)
		total += got;
	return got < 0 && errno == EAGAIN ? total : total > 0 ? total : -1;
}

/* Both ends talk, ours shuts down, and the peer closes. Returns when on_close has come. */
static void talk(struct side *side, int peer)
{
	static const char reply[1000];
	size_t got = 0;
	ssize_t more;

	turn(side);
	for (int i = 0; i < 3; i++)
		write_some(side, 5, 0);
	write_some(side, LARGE, 0);
	write_some(side, 7, BRINK_WRITE_QUEUED);
	(void)!send(peer, reply, sizeof reply, MSG_NOSIGNAL);
	while (got < 15 + LARGE + 7 && side->closes == 0 && (more = drain(peer)) >= 0) {
		got += (size_t)more;
		if (fault.count >= fault.k && side->taken < 5)
			break; /* not all was taken */
		turn(side);
	}
	while (harmless() && side->closes == 0 && side->size < sizeof reply)
		turn(side);
	if (brink_socket_address(side->id) != NULL) {
		brink_socket *socket = brink_socket_address(side->id);
		int result = brink_socket_shutdown(socket);

		CHECK(result <= 0);
		brink_socket_release(socket);
		brink_socket_release(socket);
	}
	turn(side);
	while (drain(peer) >= 0 && side->closes == 0 && harmless())
		turn(side);
	close(peer);
	while (side->closes == 0)
		turn(side);
	if (harmless() || fault.count < fault.k) {
		CHECK(side->error == 0);
		CHECK(got == 15 + LARGE + 7 && side->size == sizeof reply);
	}
}

static void end_side(struct side *side)
{
	brink_loop_destroy(side->loop);
	CHECK(side->closes == side->revives + 1 || (side->closes == 0 && side->opens == 0));
	CHECK(side->ended == side->taken);
}

/* ---- scenarios ---- */

static void from_descriptor(void)
{
	struct brink_socket_options options;
	struct side side;
	int fds[2], result;

	if (!make_loop(&side))
		return;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	options = options_of(&side);
	options.fd = fds[0];
	result = brink_socket_create(&side.id, side.loop, &options);
	if (result == 0) {
		talk(&side, fds[1]);
	} else {
		CHECK(result < 0 && !harmless());
		close(fds[0]); /* is still ours */
		close(fds[1]);
	}
	end_side(&side);
}

static int listening(struct brink_address *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0 && brink_address_parse(address, "127.0.0.1:0") == 0);
	CHECK(bind(fd, (struct sockaddr *)&address->storage, address->length) == 0 && listen(fd, 16) == 0);
	CHECK(brink_address_of(fd, address) == 0);
	return fd;
}

static void by_connect(void)
{
	struct brink_socket_options options;
	struct brink_address address;
	struct side side;
	int listener, peer = -1, result;

	if (!make_loop(&side))
		return;
	listener = listening(&address);
	options = options_of(&side);
	options.address = &address;
	result = brink_socket_create(&side.id, side.loop, &options);
	CHECK(result <= 0 && (result == 0 || !harmless()));
	while (result == 0 && side.opens == 0 && side.closes == 0)
		turn(&side);
	if (side.opens > 0) {
		while ((peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0)
			turn(&side);
		talk(&side, peer);
	}
	close(listener);
	end_side(&side);
	CHECK((side.closes == 1) == (result == 0));
}

static void revived(void)
{
	struct brink_socket_options options;
	struct brink_address address;
	struct side side;
	int listener, result;

	if (!make_loop(&side))
		return;
	listener = listening(&address);
	options = options_of(&side);
	options.address = &address;
	options.probe_interval = BRINK_MS(1);
	result = brink_socket_create(&side.id, side.loop, &options);
	CHECK(result <= 0 && (result == 0 || !harmless()));
	while (result == 0 && side.opens == 0)
		turn(&side);
	if (result == 0) {
		unsigned opens = side.opens;

		brink_socket_fail(side.id, -ECANCELED, "once");
		while (side.opens == opens)
			turn(&side);
		brink_socket_abandon(side.id);
		while (side.closes != side.revives + 1)
			turn(&side);
		CHECK(brink_socket_address(side.id) == NULL);
	}
	close(listener);
	end_side(&side);
}

static void on_accept(brink_listener *listener, int fd, const struct brink_address *peer, void *arg)
{
	struct side *side = arg;
	struct brink_socket_options options = options_of(side);

	(void)listener;
	(void)peer;
	side->accepts++;
	options.fd = fd;
	if (brink_socket_create(&side->id, side->loop, &options) < 0)
		close(fd);
}

static void by_accept(void)
{
	struct brink_listener_options options = {.address = "127.0.0.1:0", .retry_after = BRINK_MS(1),
		.on_accept = on_accept};
	struct brink_address address;
	brink_listener *listener;
	struct side side;
	int client;

	if (!make_loop(&side))
		return;
	options.arg = &side;
	if (brink_listener_create(&listener, side.loop, &options) == 0) {
		brink_listener_address(listener, &address);
		client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		CHECK(connect(client, (struct sockaddr *)&address.storage, address.length) == 0);
		CHECK(fcntl(client, F_SETFL, O_NONBLOCK) == 0);
		while (side.accepts == 0)
			turn(&side);
		if (side.id != 0)
			talk(&side, client);
		else
			close(client);
		brink_listener_destroy(listener);
	} else {
		CHECK(!harmless());
	}
	end_side(&side);
}

/* ---- all of them, at every k ---- */

static const struct {
	const char *name;
	void (*run)(void);
} scenarios[] = {
	{"from a descriptor", from_descriptor},
	{"by a connect", by_connect},
	{"revived", revived},
	{"by a listener", by_accept},
};

static const struct {
	enum call call;
	int error;
	const char *name;
} faults[] = {
	{MEMORY, ENOMEM, "memory"},          {SOCKET, EMFILE, "socket: EMFILE"},
	{SOCKET, ENOBUFS, "socket: ENOBUFS"}, {CONNECT, ENOBUFS, "connect: ENOBUFS"},
	{CONNECT, ECONNREFUSED, "connect: ECONNREFUSED"}, {CONNECT, ETIMEDOUT, "connect: ETIMEDOUT"},
	{PIPE, EMFILE, "pipe2: EMFILE"},     {FSTAT, EBADF, "fstat: EBADF"},
	{SEND, EINTR, "sendmsg: EINTR"},    
	{SEND, SHORT, "sendmsg: one byte"},  {SEND, ENOBUFS, "sendmsg: ENOBUFS"},
	{SEND, ECONNRESET, "sendmsg: ECONNRESET"}, {SEND, EPIPE, "sendmsg: EPIPE"},
	{READ, EINTR, "readv: EINTR"},       {READ, ECONNRESET, "readv: ECONNRESET"},
	{READ, ENOMEM, "readv: ENOMEM"},     {SHUTDOWN, ENOTCONN, "shutdown: ENOTCONN"},
	{SHUTDOWN, ENOBUFS, "shutdown: ENOBUFS"}, {DUP, EMFILE, "dup3: EMFILE"},
	{ACCEPT, EMFILE, "accept4: EMFILE"}, {ACCEPT, ECONNABORTED, "accept4: ECONNABORTED"},
	{ACCEPT, ENOBUFS, "accept4: ENOBUFS"},
};

static unsigned descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static unsigned struck[sizeof faults / sizeof faults[0]];

static void at_every_k(size_t scenario, size_t which)
{
	for (unsigned k = 1;; k++) {
		unsigned open = descriptors();
		long live = blocks;

		hang = brink__os_now() + BRINK_SECONDS(300);
		fault.call = faults[which].call;
		fault.error = faults[which].error;
		fault.count = 0;
		fault.k = k;
		scenarios[scenario].run();
		fault.k = 0;
		CHECK(descriptors() == open);
		CHECK(blocks == live);
		if (fault.count < k)
			return;
		struck[which]++;
	}
}

static void on_backend(const char *name)
{
	char what[128];

	backend = name;
	memset(struck, 0, sizeof struck);
	for (size_t s = 0; s < sizeof scenarios / sizeof scenarios[0]; s++) {
		/* What is made once, and stays. */
		fault.k = 0;
		fault.error = EINTR;
		hang = brink__os_now() + BRINK_SECONDS(300);
		scenarios[s].run();
		for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++)
			at_every_k(s, f);
		snprintf(what, sizeof what, "a socket %s, on %s", scenarios[s].name, name);
		passed(what);
	}
	/* Each of them did come, so that calls which the library makes otherwise some day are missed. */
	for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++)
		CHECK(struck[f] > 0);
}

int main(void)
{
	struct brink_backend_info infos[8];
	size_t count;

	brink_set_allocator(allocate, NULL);
	brink__cache_keep(false);
	count = brink_backends(infos, sizeof infos / sizeof infos[0]);
	for (size_t i = 0; i < count && i < sizeof infos / sizeof infos[0]; i++)
		if (infos[i].status == 0)
			on_backend(infos[i].name);
	return finish();
}
