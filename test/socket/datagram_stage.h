/* A datagram socket with what its scenarios need to see of it, and plain sockets as its peers. */
#ifndef SOCKET_DATAGRAM_STAGE_H
#define SOCKET_DATAGRAM_STAGE_H

#include "conformance.h"
#include "scarce.h"

#include <sys/socket.h>

#define POST_SEEN 4096u

struct seen {
	size_t size, full_size;
	unsigned flags, interface_index;
	bool has_to, has_local;
	bool sound; /* the bytes are those of a numbered datagram */
	unsigned number;
	struct brink_address from, to, local;
};

struct post {
	brink_loop *loop;
	brink_datagram *socket; /* NULL once destroyed */
	struct brink_datagram_options options;
	struct brink_address address;
	char text[BRINK_ADDRESS_TEXT]; /* options.address */
	unsigned calls, count, most; /* of on_packets; datagrams; the most in a call */
	struct seen seen[POST_SEEN];
	unsigned errors, writables;
	int error; /* the last */
	bool has_error_to;
	struct brink_address error_to;
	void (*act)(struct post *post, const struct brink_packet *packets, unsigned count);
	void (*act_error)(struct post *post);
	void (*act_writable)(struct post *post);
	void *data;
};

/* AF_INET, AF_INET6, where the system has it, and AF_UNIX in turn. */
void each_family(void (*play)(int family));
void each_internet_family(void (*play)(int family));

/* Zeroed, with the loopback address of the family, port 0, or a path that is free. Change the
 * options, and start. */
struct post *open_post(brink_loop *loop, int family);
int try_post(struct post *post);
void start_post(struct post *post); /* must succeed */
struct post *start_new_post(brink_loop *loop, int family);
/* The options name no address but one end of a pair of sockets; the other, which is non-blocking. */
int hand_over_pair(struct post *post);
void destroy_socket(struct post *post);
void close_post(struct post *post); /* frees it */

/* A plain socket, bound to the loopback address or a path, non-blocking. */
int open_plain(int family, struct brink_address *address);
void close_plain(int *fd, struct brink_address *address); /* and removes a UNIX socket's file */
/* A UNIX path, or an address with port 0. */
void choose_address(int family, struct brink_address *address);

/* Datagram `number`: its number, and bytes that follow from it. At least 4 bytes, or empty. */
#define NUMBERED_MOST 110000u
const void *numbered(unsigned number, size_t size);
bool is_numbered(const void *bytes, size_t size, unsigned *number);
void send_plain(int fd, const struct brink_address *to, unsigned number, size_t size);
/* Waits for one and returns its size; its number is checked. */
size_t receive_plain(int fd, unsigned number, struct brink_address *from);
bool nothing_plain(int fd); /* nothing is there now */

struct brink_packet_counters counters_of(const struct post *post);
/* A few turns in which nothing is handed over. */
void rest_posts(brink_loop *loop);

#endif
