/* Seats: what is to be done on each loop that serves. A seat's tasks are posted by the
 * server's thread, each once, but for `settle`; they come on the seat's loop in that order. */
#include "config.h"

#include "group.h"
#include "memory.h"
#include "messenger.h"
#include "server.h"

#define LOOK_EVERY BRINK_MS(2)
#define QUIET 16u /* looks without a byte, after which no more of what was promised is waited for */

static void post(struct brink__seat *seat, brink_task *task)
{
	brink__server_hold(seat->server);
	brink_task_post(seat->loop, task);
}

/* ---- the connections of a stop ---- */

static bool is_plain(brink_socket *socket)
{
	return brink__socket_transport(socket) == &brink__transport_plain;
}

/* Whether something of what had arrived at the stop is still kept from the program. What a protocol has left in
 * the socket until it has room is looked at where nobody reads. */
static bool is_held(const struct brink__settling *settling, brink_socket *socket)
{
	if (atomic_load(&socket->state) == BRINK_SOCKET_CONNECTING || brink__socket_reading_held(socket))
		return true;
	return brink__socket_is_stalled(socket) &&
	       (!is_plain(socket) || atomic_load(&socket->readers) != 0 ||
	        atomic_load(&socket->bytes_read) - brink_buffer_length(&socket->in) < settling->wanted);
}

/* Whether all that had arrived at the stop was handed to the program. Where it stays away, as
 * with a peer whose reading is paused, silence has to do. */
static bool settled(struct brink__settling *settling, brink_socket *socket)
{
	uint64_t read = atomic_load(&socket->bytes_read);
	bool held = is_held(settling, socket);

	if (read != settling->seen || held) {
		settling->seen = read;
		settling->quiet = 0;
	} else {
		settling->quiet++;
	}
	/* On an executor the bytes are counted before they are handed over. */
	if (held || atomic_load(&socket->readers) != 0)
		return false;
	return (is_plain(socket) && read >= settling->wanted) || settling->quiet >= QUIET;
}

/* It was closed when it was settled before, and ends as soon as its messages are processed. */
static bool is_closing(brink_socket *socket)
{
	const struct brink__channel *channel = brink__socket_reading_held(socket) ? brink__channel_of(socket) : NULL;

	return channel != NULL && channel->close;
}

/* While hands are shaken there is nobody yet to take leave of. */
static void close_connection(brink_socket *socket)
{
	if (atomic_load(&socket->state) == BRINK_SOCKET_HANDSHAKE)
		brink__socket_fail(socket, 0, NULL);
	else
		brink__channel_close(socket);
}

/* True: it is on its way to its end, or there. */
static bool close_if_settled(struct brink__settling *settling)
{
	brink_socket *socket = brink_socket_address(settling->id);
	bool over;

	if (socket == NULL)
		return true;
	over = is_closing(socket) || settled(settling, socket);
	if (over)
		close_connection(socket);
	brink_socket_release(socket);
	return over;
}

static void forget_settling(struct brink__seat *seat)
{
	brink_timer_stop(&seat->timer);
	brink__free(seat->settling);
	seat->settling = NULL;
	seat->count = seat->room = 0;
}

static void look(brink_timer *timer)
{
	struct brink__seat *seat = brink_container_of(timer, struct brink__seat, timer);

	for (unsigned i = seat->count; i-- > 0;)
		if (close_if_settled(&seat->settling[i]))
			seat->settling[i] = seat->settling[--seat->count];
	if (seat->count == 0)
		forget_settling(seat);
}

static void add(struct brink__seat *seat, brink_socket *socket)
{
	if (seat->count == seat->room) {
		unsigned room = seat->room == 0 ? 64 : 2 * seat->room;
		struct brink__settling *grown = brink__resize(seat->settling, room, sizeof *grown);

		if (grown == NULL) {
			close_connection(socket); /* it cannot be remembered, so it ends now */
			return;
		}
		seat->settling = grown;
		seat->room = room;
	}
	seat->settling[seat->count].id = brink_socket_get_id(socket);
	seat->settling[seat->count].seen = atomic_load(&socket->bytes_read);
	seat->settling[seat->count].wanted = seat->settling[seat->count].seen + brink__socket_arrived(socket);
	seat->settling[seat->count++].quiet = 0;
}

void brink__seat_on_settle(brink_task *task)
{
	struct brink__seat *seat = brink_container_of(task, struct brink__seat, settle);
	brink_server *server = seat->server;
	brink_socket *socket;
	uint32_t index = 0;

	/* First this, and from the beginning: a later post is for connections that are not seen here. */
	atomic_store(&seat->settle_posted, false);
	seat->count = 0;
	/* What the kernel has received, and the loop has not looked at, would be in no count of what has arrived. */
	brink__loop_rest(seat->loop);
	/* After the deadline there is nothing to be waited for. */
	while (atomic_load(&server->cut_off) == 0 && (socket = brink__server_walk(server, &index)) != NULL) {
		if (socket->loop == seat->loop)
			add(seat, socket);
		brink_socket_release(socket);
	}
	if (seat->count > 0) {
		brink_timer_start(seat->loop, &seat->timer, LOOK_EVERY, LOOK_EVERY);
		look(&seat->timer);
	}
	brink__server_release(server);
}

void brink__seat_settle(struct brink__seat *seat)
{
	if (!atomic_exchange(&seat->settle_posted, true))
		post(seat, &seat->settle);
}

/* ---- the gates of the seat's loop ---- */

static void on_drain(brink_task *task)
{
	struct brink__seat *seat = brink_container_of(task, struct brink__seat, drain);
	brink_server *server = seat->server;

	for (unsigned i = 0; i < server->gate_count; i++)
		if (server->gates[i].loop == seat->loop)
			brink__gate_drain(&server->gates[i]);
	brink__server_release(server);
}

void brink__seat_drain(struct brink__seat *seat)
{
	post(seat, &seat->drain);
}

static void on_end(brink_task *task)
{
	struct brink__seat *seat = brink_container_of(task, struct brink__seat, end);
	brink_server *server = seat->server;

	forget_settling(seat);
	for (unsigned i = 0; i < server->gate_count; i++)
		if (server->gates[i].loop == seat->loop)
			brink__gate_close(&server->gates[i]);
	brink__server_release(server);
}

void brink__seat_end(struct brink__seat *seat)
{
	if (seat->ended)
		return;
	seat->ended = true;
	brink__server_hold(seat->server);
	/* What is on the server's own loop ends before brink_server_destroy() returns. */
	if (seat->loop == seat->server->loop)
		on_end(&seat->end);
	else
		brink_task_post(seat->loop, &seat->end);
}

static int open_gates(void *arg)
{
	const struct brink__seat *seat = arg;
	brink_server *server = seat->server;
	int rc = 0;

	for (unsigned i = 0; i < server->gate_count && rc == 0; i++)
		if (server->gates[i].loop == seat->loop)
			rc = brink__gate_open(&server->gates[i], seat->options);
	return rc;
}

int brink__seat_open(struct brink__seat *seat, const struct brink_server_options *options)
{
	seat->options = options;
	return brink__group_call(seat->server->group, (unsigned)(seat - seat->server->seats), open_gates, seat);
}

void brink__seat_init(struct brink__seat *seat, brink_server *server, brink_loop *loop)
{
	seat->server = server;
	seat->loop = loop;
	brink_task_init(&seat->drain, on_drain);
	brink_task_init(&seat->settle, brink__seat_on_settle);
	brink_task_init(&seat->end, on_end);
	brink_timer_init(&seat->timer, look);
}
