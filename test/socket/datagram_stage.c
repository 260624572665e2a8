#include "datagram_stage.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void each_family(void (*play)(int family))
{
	each_internet_family(play);
	play(AF_UNIX);
}

void each_internet_family(void (*play)(int family))
{
	play(AF_INET);
	if (ipv6_missing() == NULL)
		play(AF_INET6);
}

/* ---- numbered datagrams ---- */

static unsigned char byte_of(unsigned number, size_t index)
{
	return (unsigned char)(number * 31 + index * 7 + index / 251);
}

const void *numbered(unsigned number, size_t size)
{
	static _Thread_local unsigned char bytes[NUMBERED_MOST];

	CHECK(size <= sizeof bytes && (size == 0 || size >= sizeof number));
	for (size_t i = sizeof number; i < size; i++)
		bytes[i] = byte_of(number, i);
	if (size > 0)
		memcpy(bytes, &number, sizeof number);
	return bytes;
}

bool is_numbered(const void *bytes, size_t size, unsigned *number)
{
	const unsigned char *all = bytes;

	*number = 0;
	if (size == 0)
		return true;
	if (size < sizeof *number)
		return false;
	memcpy(number, bytes, sizeof *number);
	for (size_t i = sizeof *number; i < size; i++)
		if (all[i] != byte_of(*number, i))
			return false;
	return true;
}

/* ---- the post ---- */

static void note_packet(struct post *post, const struct brink_packet *packet)
{
	struct seen *seen = &post->seen[post->count++ % POST_SEEN];

	memset(seen, 0, sizeof *seen);
	seen->size = packet->size;
	seen->full_size = packet->full_size;
	seen->flags = packet->flags;
	seen->interface_index = packet->interface_index;
	seen->sound = is_numbered(packet->bytes, packet->size, &seen->number);
	CHECK(packet->from != NULL);
	seen->from = *packet->from;
	seen->has_to = packet->to != NULL;
	if (seen->has_to)
		seen->to = *packet->to;
	seen->has_local = packet->local != NULL;
	if (seen->has_local)
		seen->local = *packet->local;
}

static void on_packets(brink_datagram *socket, const struct brink_packet *packets, unsigned count, void *arg)
{
	struct post *post = arg;

	CHECK_ALWAYS(post->socket == NULL || socket == post->socket);
	CHECK_ALWAYS(count > 0);
	post->calls++;
	post->most = count > post->most ? count : post->most;
	for (unsigned i = 0; i < count; i++)
		note_packet(post, &packets[i]);
	if (post->act != NULL)
		post->act(post, packets, count);
}

static void on_error(brink_datagram *socket, int error, const struct brink_address *to, void *arg)
{
	struct post *post = arg;

	CHECK_ALWAYS(socket == post->socket);
	CHECK_ALWAYS(error < 0);
	post->errors++;
	post->error = error;
	post->has_error_to = to != NULL;
	if (to != NULL)
		post->error_to = *to;
	if (post->act_error != NULL)
		post->act_error(post);
}

static void on_writable(brink_datagram *socket, void *arg)
{
	struct post *post = arg;

	CHECK_ALWAYS(socket == post->socket);
	post->writables++;
	if (post->act_writable != NULL)
		post->act_writable(post);
}

/* A path beside that of one of the harness's listeners, in its directory. */
static void choose_path(struct brink_address *address)
{
	static unsigned paths;
	int listener = open_listener(KIND_UNIX, 1);
	char text[BRINK_ADDRESS_TEXT + 16];

	CHECK_OK(brink_address_of(listener, address));
	CHECK_OK(brink_address_format(address, text, BRINK_ADDRESS_TEXT));
	snprintf(text + strlen(text), 16, "-%u", paths++);
	CHECK_OK(brink_address_parse(address, text));
	close_fd(&listener);
}

void choose_address(int family, struct brink_address *address)
{
	if (family == AF_UNIX)
		choose_path(address);
	else
		CHECK_OK(brink_address_parse(address, family == AF_INET6 ? "[::1]:0" : "127.0.0.1:0"));
}

struct post *open_post(brink_loop *loop, int family)
{
	struct post *post = calloc(1, sizeof *post);

	CHECK(post != NULL);
	post->loop = loop;
	choose_address(family, &post->address);
	CHECK_OK(brink_address_format(&post->address, post->text, sizeof post->text));
	post->options = (struct brink_datagram_options){
		.address = post->text,
		.on_packets = on_packets,
		.on_error = on_error,
		.on_writable = on_writable,
		.arg = post,
	};
	return post;
}

int try_post(struct post *post)
{
	int result = brink_datagram_create(&post->socket, post->loop, &post->options);

	if (result == 0)
		brink_datagram_address(post->socket, &post->address);
	return result;
}

void start_post(struct post *post)
{
	CHECK_OK(try_post(post));
}

struct post *start_new_post(brink_loop *loop, int family)
{
	struct post *post = open_post(loop, family);

	start_post(post);
	return post;
}

int hand_over_pair(struct post *post)
{
	int fds[2];

	SYSCALL(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
	set_nonblocking(fds[1]);
	post->options.address = NULL;
	post->options.fd = fds[0];
	return fds[1];
}

void destroy_socket(struct post *post)
{
	brink_datagram *socket = post->socket;

	post->socket = NULL;
	brink_datagram_destroy(socket);
}

void close_post(struct post *post)
{
	destroy_socket(post);
	free(post);
}

struct brink_packet_counters counters_of(const struct post *post)
{
	struct brink_packet_counters counters;

	brink_datagram_counters(post->socket, &counters);
	return counters;
}

void rest_posts(brink_loop *loop)
{
	/* A look that finds nothing may come first. After that, what calls again spins. */
	for (unsigned i = 0; i < 5; i++) {
		int calls = brink_loop_run_once(loop, (int64_t)BRINK_MS(5));

		CHECK_OK(calls);
		CHECK(calls == 0 || i < 3);
	}
}

/* ---- plain sockets ---- */

int open_plain(int family, struct brink_address *address)
{
	int fd = socket(family, SOCK_DGRAM, 0);

	SYSCALL(fd);
	choose_address(family, address);
	SYSCALL(bind(fd, (const struct sockaddr *)&address->storage, address->length));
	if (family != AF_UNIX)
		CHECK_OK(brink_address_of(fd, address));
	set_nonblocking(fd);
	return fd;
}

void close_plain(int *fd, struct brink_address *address)
{
	char text[BRINK_ADDRESS_TEXT];

	close_fd(fd);
	if (address->storage.ss_family != AF_UNIX)
		return;
	CHECK_OK(brink_address_format(address, text, sizeof text));
	SYSCALL(unlink(text + strlen("unix:")));
}

void send_plain(int fd, const struct brink_address *to, unsigned number, size_t size)
{
	const void *bytes = numbered(number, size);
	ssize_t sent;

	/* A UNIX socket whose peer's queue is full says so; UDP would drop it. */
	CHECK_EQ(sent = sendto(fd, bytes, size, 0, (const struct sockaddr *)&to->storage, to->length), (ssize_t)size);
}

size_t receive_plain(int fd, unsigned number, struct brink_address *from)
{
	static unsigned char bytes[NUMBERED_MOST];
	struct sockaddr_storage name;
	socklen_t length = sizeof name;
	unsigned found;
	ssize_t got;

	await(fd, BRINK_READ);
	SYSCALL(got = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&name, &length));
	CHECK(is_numbered(bytes, (size_t)got, &found));
	if (got > 0)
		CHECK_EQ(found, number);
	if (from != NULL)
		CHECK_OK(brink_address_from_sockaddr(from, (struct sockaddr *)&name, length));
	return (size_t)got;
}

bool nothing_plain(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}
