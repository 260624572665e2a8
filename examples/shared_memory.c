/* Two rings, one for each direction, each with one who puts and one who takes.
 *
 * Who takes, and finds the ring empty, empties the bell, says that it sleeps and looks once
 * more; who puts rings the bell if the other sleeps. So nobody sleeps beside bytes.
 *
 * Who puts, and finds the ring full, has to wait for room by the same bell, and for the write
 * direction of it: it rings until the bell takes no more. The other one empties the bell when
 * it has emptied the ring, and then the bell can be rung again: that is the event. So each
 * side reads for READ and writes for WRITE, and the two may be two threads. */
#include "shared_memory.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* the library has told the descriptor itself */
#endif

#define SIZE 65536u /* a power of two */

struct shared_ring {
	_Atomic uint64_t put, taken; /* bytes since the beginning */
	atomic_uint sleeps;          /* who takes waits for the bell */
	atomic_uint ended;           /* nothing more is put */
	char bytes[SIZE];
};

struct shared_memory {
	struct shared_ring rings[2];
};

struct shared_memory *shared_memory_create(void)
{
	struct shared_memory *memory =
	        mmap(NULL, sizeof *memory, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	/* Zeroed: two empty rings. Nobody looks into them before the first sound of the bell. */
	for (int i = 0; i < 2; i++)
		atomic_store(&memory->rings[i].sleeps, 1);
	return memory;
}

void shared_memory_destroy(struct shared_memory *memory)
{
	munmap(memory, sizeof *memory);
}

struct shared_memory_end shared_memory_end(struct shared_memory *memory, int side)
{
	return (struct shared_memory_end){.in = &memory->rings[side], .out = &memory->rings[1 - side]};
}

/* ---- the rings ---- */

/* Copies between `size` bytes of the ring at `at` and `bytes`. */
static void copy(struct shared_ring *ring, uint64_t at, char *bytes, size_t size, bool in)
{
	size_t start = (size_t)at & (SIZE - 1), first = size < SIZE - start ? size : SIZE - start;

	if (in) {
		memcpy(ring->bytes + start, bytes, first);
		memcpy(ring->bytes, bytes + first, size - first);
	} else {
		memcpy(bytes, ring->bytes + start, first);
		memcpy(bytes + first, ring->bytes, size - first);
	}
}

/* Moves what there is, or what there is room for: the bytes, or an error. */
static ssize_t move(struct shared_ring *ring, const struct iovec *parts, int count, bool in)
{
	uint64_t put = atomic_load(&ring->put), taken = atomic_load(&ring->taken), at = in ? put : taken;
	size_t left, moved = 0;

	if (put - taken > SIZE)
		return -EPROTO; /* the other side is not to be trusted */
	left = (size_t)(in ? SIZE - (put - taken) : put - taken);
	for (int i = 0; i < count && left > 0; i++) {
		size_t size = parts[i].iov_len < left ? parts[i].iov_len : left;

		copy(ring, at + moved, parts[i].iov_base, size, in);
		moved += size;
		left -= size;
	}
	/* Only now the other side may look at the bytes, or overwrite them. */
	atomic_store(in ? &ring->put : &ring->taken, at + moved);
	return (ssize_t)moved;
}

/* ---- the bell ---- */

/* Rings once, or with `all` until it takes no more. */
static int ring_bell(int fd, bool all)
{
	static const char sound[4096];
	ssize_t sent;

	do
		sent = send(fd, sound, all ? sizeof sound : 1, MSG_NOSIGNAL);
	while ((sent < 0 && errno == EINTR) || (sent > 0 && all));
	/* If it takes no more now it will be heard anyway. */
	return sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS ? -errno : 0;
}

/* Until it says EAGAIN: 0; or the other side is gone. */
static int empty_bell(int fd)
{
	char sound[4096];
	ssize_t got;

	do
		got = recv(fd, sound, sizeof sound, 0);
	while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	return got == 0 ? -ECONNRESET : -errno;
}

/* ---- the transport ---- */

static int open_end(brink_socket *socket, int fd, int client, void *arg, void **state)
{
	(void)socket;
	(void)fd;
	(void)client;
	*state = arg;
	return arg != NULL ? 0 : -EINVAL;
}

static ssize_t read_ring(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	struct shared_ring *ring = ((struct shared_memory_end *)state)->in;
	int gone = 0;

	for (int look = 0; look < 2; look++) {
		bool ended = atomic_load(&ring->ended) != 0; /* asked first: then no byte is missed */
		ssize_t moved = move(ring, parts, count, false);

		if (moved != 0)
			return moved;
		if (ended || gone < 0)
			return gone < 0 && !ended ? gone : 0;
		if (look > 0)
			break;
		gone = empty_bell(fd);
		atomic_store(&ring->sleeps, 1);
	}
	*waits = BRINK_READ;
	return -EAGAIN;
}

static ssize_t write_ring(void *state, int fd, const struct iovec *parts, int count, unsigned *waits)
{
	struct shared_ring *ring = ((struct shared_memory_end *)state)->out;
	ssize_t moved = move(ring, parts, count, true);
	int result = 0;

	if (moved == 0) {
		result = ring_bell(fd, true);
		moved = result < 0 ? result : move(ring, parts, count, true);
	}
	if (moved == 0) {
		*waits = BRINK_WRITE;
		return -EAGAIN;
	}
	if (moved > 0 && atomic_exchange(&ring->sleeps, 0) != 0)
		result = ring_bell(fd, false);
	return result < 0 ? result : moved;
}

static int end_ring(void *state, int fd, unsigned *waits)
{
	(void)waits;
	atomic_store(&((struct shared_memory_end *)state)->out->ended, 1);
	return ring_bell(fd, false);
}

const struct brink_transport shared_memory_transport = {
	.name = "shared memory",
	.open = open_end,
	.readv = read_ring,
	.writev = write_ring,
	.shutdown = end_ring,
};
