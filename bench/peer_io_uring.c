/* io_uring with completions: multishot accept, multishot receive into buffers that the kernel
 * picks, and sends that travel with the wait. */
#include "echo_by_hand.h"
#include "peers.h"

#include <liburing.h>
#include <sys/mman.h>

#define ENTRIES 4096
#define BUFFERS 1024 /* a power of two */
#define BUFFER_SIZE 16384
#define GROUP 1
#define NONE -1

/* What a completion is of: the low bits of the connection's address. */
enum kind { ACCEPT, RECEIVE, SEND };

struct connection {
	int fd, first, last; /* buffers that wait to be sent, of which the first is under way */
	bool sending, receiving, ending;
	size_t sent;                           /* of the first buffer */
	struct connection *next;               /* in the list of those that found no buffer */
};

static struct io_uring ring;
static struct io_uring_buf_ring *pool;
static char *memory;
static int next_of[BUFFERS];
static size_t size_of[BUFFERS];
static struct connection *hungry;
static int failed;

static struct io_uring_sqe *prepare(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (sqe == NULL) {
		io_uring_submit(&ring);
		sqe = io_uring_get_sqe(&ring);
	}
	if (sqe == NULL)
		abort();
	return sqe;
}

static void tag(struct io_uring_sqe *sqe, struct connection *connection, enum kind kind)
{
	io_uring_sqe_set_data64(sqe, (uintptr_t)connection | kind);
}

static void receive(struct connection *connection)
{
	struct io_uring_sqe *sqe = prepare();

	io_uring_prep_recv_multishot(sqe, connection->fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	tag(sqe, connection, RECEIVE);
	connection->receiving = true;
}

static void send_first(struct connection *connection)
{
	struct io_uring_sqe *sqe = prepare();
	int buffer = connection->first;

	io_uring_prep_send(sqe, connection->fd, memory + (size_t)buffer * BUFFER_SIZE + connection->sent,
	                   size_of[buffer] - connection->sent, MSG_WAITALL | MSG_NOSIGNAL);
	tag(sqe, connection, SEND);
	connection->sending = true;
}

static void give_back(int buffer)
{
	io_uring_buf_ring_add(pool, memory + (size_t)buffer * BUFFER_SIZE, BUFFER_SIZE, (unsigned short)buffer,
	                      io_uring_buf_ring_mask(BUFFERS), 0);
	io_uring_buf_ring_advance(pool, 1);
	if (hungry != NULL) {
		struct connection *connection = hungry;

		hungry = connection->next;
		receive(connection);
	}
}

static void close_if_idle(struct connection *connection)
{
	if (!connection->ending || connection->sending || connection->receiving)
		return;
	while (connection->first != NONE) {
		int buffer = connection->first;

		connection->first = next_of[buffer];
		give_back(buffer);
	}
	close(connection->fd);
	free(connection);
}

/* Its multishot request has ended, perhaps for want of a buffer. */
static void receive_again(struct connection *connection, int result)
{
	if (result != -ENOBUFS) {
		receive(connection);
		return;
	}
	connection->receiving = true; /* by its place in the list */
	connection->next = hungry;
	hungry = connection;
}

static void on_received(struct connection *connection, const struct io_uring_cqe *cqe)
{
	int buffer;

	if ((cqe->flags & IORING_CQE_F_MORE) == 0)
		connection->receiving = false;
	if (cqe->res > 0) {
		buffer = (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
		size_of[buffer] = (size_t)cqe->res;
		next_of[buffer] = NONE;
		if (connection->first == NONE)
			connection->first = buffer;
		else
			next_of[connection->last] = buffer;
		connection->last = buffer;
		if (!connection->sending)
			send_first(connection);
	} else if (cqe->res != -ENOBUFS) {
		connection->ending = true;
	}
	if (!connection->receiving && !connection->ending)
		receive_again(connection, cqe->res);
	close_if_idle(connection);
}

static void on_sent(struct connection *connection, const struct io_uring_cqe *cqe)
{
	int buffer = connection->first;

	connection->sending = false;
	if (cqe->res < 0)
		connection->ending = true;
	else
		connection->sent += (size_t)cqe->res;
	if (cqe->res >= 0 && connection->sent == size_of[buffer]) {
		connection->first = next_of[buffer];
		connection->sent = 0;
		give_back(buffer);
	}
	if (connection->first != NONE && cqe->res >= 0)
		send_first(connection);
	close_if_idle(connection);
}

static void accept_more(int listener)
{
	struct io_uring_sqe *sqe = prepare();

	io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
	tag(sqe, NULL, ACCEPT);
}

static void on_accepted(int listener, const struct io_uring_cqe *cqe)
{
	struct connection *connection = calloc(1, sizeof *connection);
	int on = 1;

	if (cqe->res < 0)
		failed = cqe->res;
	if (connection == NULL || cqe->res < 0)
		return;
	setsockopt(cqe->res, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	*connection = (struct connection){.fd = cqe->res, .first = NONE};
	receive(connection);
	if ((cqe->flags & IORING_CQE_F_MORE) == 0)
		accept_more(listener);
}

static void dispatch(int listener, const struct io_uring_cqe *cqe)
{
	uintptr_t data = (uintptr_t)io_uring_cqe_get_data64(cqe);
	struct connection *connection = (struct connection *)(data & ~(uintptr_t)3);

	switch ((enum kind)(data & 3)) {
	case ACCEPT: on_accepted(listener, cqe); break;
	case RECEIVE: on_received(connection, cqe); break;
	case SEND: on_sent(connection, cqe); break;
	}
}

static int make_pool(void)
{
	struct io_uring_buf_reg registration = {.ring_entries = BUFFERS, .bgid = GROUP};
	size_t size = BUFFERS * sizeof(struct io_uring_buf);

	pool = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	memory = malloc((size_t)BUFFERS * BUFFER_SIZE);
	if (pool == MAP_FAILED || memory == NULL)
		return -ENOMEM;
	registration.ring_addr = (uintptr_t)pool;
	io_uring_buf_ring_init(pool);
	for (int i = 0; i < BUFFERS; i++)
		io_uring_buf_ring_add(pool, memory + (size_t)i * BUFFER_SIZE, BUFFER_SIZE, (unsigned short)i,
		                      io_uring_buf_ring_mask(BUFFERS), i);
	io_uring_buf_ring_advance(pool, BUFFERS);
	return io_uring_register_buf_ring(&ring, &registration, 0);
}

static int serve(int listener, const char *backend)
{
	struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
	                                          IORING_SETUP_CQSIZE,
	                                 .cq_entries = 4 * ENTRIES};
	int rc = io_uring_queue_init_params(ENTRIES, &ring, &params);

	(void)backend;
	if (rc == 0)
		rc = make_pool();
	if (rc < 0)
		return rc;
	accept_more(listener);
	while (failed == 0 && (rc >= 0 || rc == -EINTR)) {
		struct io_uring_cqe *cqe;
		unsigned head, count = 0;

		rc = io_uring_submit_and_wait(&ring, 1);
		io_uring_for_each_cqe(&ring, head, cqe) {
			dispatch(listener, cqe);
			count++;
		}
		io_uring_cq_advance(&ring, count);
	}
	return failed < 0 ? failed : rc;
}

const struct peer peer_io_uring = {
	.name = "io_uring",
	.about = "written by hand: io_uring completions, multishot receive into a ring of 1,024 x 16 KiB",
	.serve = serve,
};
