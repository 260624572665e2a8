/* The life of a socket: the steps on the loop, and the end.
 *
 * Whatever changes a socket as a whole happens on its loop, in the socket's own task. Who
 * wants something of it sets a bit and posts the task, if it is not posted already: that
 * takes no memory, so that ending a socket cannot fail.
 *
 * How a life begins is in socket_open.c. The end, after socket_fail.c: the socket is
 * taken off the loop; when the reader has left and every request has ended, the descriptor
 * is closed and on_close is called; when nobody refers to it any more, the slot is free. */
#include "config.h"

#include "memory.h"
#include "messenger.h"
#include "os.h"
#include "socket.h"

#include <brink/error.h>

#include <errno.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

static void post_task(brink_socket *socket)
{
	brink_loop *loop = socket->loop;

	if (brink__loop_turning_here(loop)) {
		brink__task_post_here(loop, &socket->task);
		return;
	}
	/* Once it is posted, the loop may end the socket, and then itself. */
	brink__task_post_visiting(loop, &socket->task);
}

void brink__socket_post(brink_socket *socket, unsigned why)
{
	if (atomic_fetch_or(&socket->posted, why) == 0)
		post_task(socket);
}

void brink__socket_launch(brink_socket *socket, unsigned references, brink_socket_id *id)
{
	/* The bit before all: who goes through all slots may find the socket and fail it at once,
	 * and its end must not come to the loop before its start. */
	atomic_store(&socket->posted, BRINK__SOCKET_START);
	brink__slot_publish(socket, references);
	if (id != NULL)
		*id = brink_socket_get_id(socket);
	brink__loop_connection_added(socket->loop);
	post_task(socket);
}

/* ---- ending ---- */

/* When both sides have ended there is nothing left to come. */
static void settle(brink_socket *socket)
{
	int result;

	if (brink__socket_failed(socket) || !atomic_load(&socket->our_end))
		return;
	if (atomic_load(&socket->their_end)) {
		brink__socket_fail(socket, 0, NULL);
	} else if (atomic_load(&socket->closing)) {
		result = brink__timing_linger(socket);
		if (result < 0)
			brink__socket_fail(socket, result, "close");
		/* What still comes is dropped, so nobody is to be spared it. */
		brink_socket_resume(socket);
		brink__socket_resume_reading(socket);
	}
}

/* Ends the connection behind a number that stays in use. Linux resets one that is connected to nobody. */
static void cut_off(int fd, bool reset)
{
	static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

	if (!reset || connect(fd, &nobody, sizeof nobody) < 0)
		shutdown(fd, SHUT_RDWR);
}

/* Closes the descriptor, or, while others may still use its number, ends what is behind it. */
static void bury(brink_socket *socket)
{
	static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	bool reset = socket->reset || (atomic_load(&socket->end_counts) && !atomic_load(&socket->our_end));
	int fd = socket->fd;

	if (fd < 0)
		return;
	if (reset)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	if (brink__slot_alone(socket)) {
		socket->fd = -1;
		close(fd);
	} else if (brink__os_replace(fd, socket->loop->wakeup_fds[0]) < 0) {
		cut_off(fd, reset);
	}
}

/* Has the prober, whose reference is the only one left, go on. */
static void alone(brink_socket *socket)
{
	if (!brink__slot_abandoned(socket)) {
		brink__revive_alone(socket);
		return;
	}
	brink__revive_stop(socket); /* who gives up has no mark any more, by which the timer would know */
	brink__slot_give_up(socket);
}

/* No reader is left, and who gets the right to write from now on sees that it has failed. */
static void close_transport(brink_socket *socket)
{
	const struct brink_transport *transport = brink__socket_transport(socket);

	if (socket->transport_open && transport->close != NULL)
		transport->close(socket->transport_state, socket->fd);
	socket->transport_open = false;
}

static void close_down(brink_socket *socket)
{
	const struct brink_socket_options *options = brink__socket_options(socket);
	int error = atomic_load(&socket->error);

	socket->closed = true;
	socket->loop->references--;
	close_transport(socket);
	if (options->messenger != NULL)
		brink__channel_let_go(socket);
	bury(socket);
	brink__loop_connection_removed(socket->loop);
	brink_buffer_clear(&socket->in);
	atomic_store(&socket->state, BRINK_SOCKET_FAILED);
	if (options->on_close != NULL)
		options->on_close(socket, error, socket->text != NULL ? socket->text : brink_strerror(error),
		                  options->arg);
	if (!socket->revivable)
		brink_socket_release(socket);
	else if (brink__slot_alone(socket))
		alone(socket);
}

/* Of one that has failed. The queue last: a request's bytes are down before it has ended, and out of the queue after
 * that. */
static bool nobody_writes(brink_socket *socket)
{
	return atomic_load(&socket->unsent) == 0 && atomic_load(&socket->tail) == NULL;
}

/* Where nobody writes the descriptor is closed now. */
static void stop_watch(brink_socket *socket)
{
	if (!brink_watch_active(&socket->watch))
		return;
	if (nobody_writes(socket))
		brink__watch_stop_closing(&socket->watch);
	else
		brink_watch_stop(&socket->watch);
}

/* Goes as far as it can; who is in the way posts again when he has left. */
static void end(brink_socket *socket)
{
	/* Who has left and found that it has failed may be ahead of who fails it, whose reason and
	 * mark on the slot are to be there before on_close. */
	if (socket->closed || !atomic_load(&socket->doomed))
		return;
	/* Here and not by who fails it, so that to fail takes no lock. */
	brink__socket_wake_waiters(socket);
	if (atomic_load(&socket->readers) != 0)
		return;
	if (!socket->torn) {
		socket->torn = true;
		socket->loop->references++; /* until on_close: the watch was a reason to run so far */
		stop_watch(socket);
		brink__socket_take_result(socket);
		brink__socket_stream_close(socket);
		brink__socket_dial_stop(socket);
		brink__timing_stop(socket);
		if (socket->revivable)
			brink__revive_torn(socket);
	}
	brink__socket_write_edge(socket);
	if (nobody_writes(socket))
		close_down(socket);
}

void brink__socket_clear_away(brink_socket *socket)
{
	if (socket->fd >= 0)
		close(socket->fd);
	socket->fd = -1;
	brink__channel_free(socket);
}

/* ---- among the loop's sockets ---- */

static void join_list(brink_socket *socket)
{
	brink_loop *loop = socket->loop;

	socket->next = loop->sockets;
	socket->previous = 0;
	if (socket->next != 0)
		brink__slot_at(socket->next - 1)->previous = socket->index + 1;
	loop->sockets = socket->index + 1;
}

static void leave_list(brink_socket *socket)
{
	if (socket->next != 0)
		brink__slot_at(socket->next - 1)->previous = socket->previous;
	if (socket->previous != 0)
		brink__slot_at(socket->previous - 1)->next = socket->next;
	else
		socket->loop->sockets = socket->next;
}

/* ---- the steps ---- */

static void recycle(brink_socket *socket)
{
	brink__socket_clear_away(socket);
	leave_list(socket);
	brink__timing_free(socket);
	brink__socket_rare_free(socket);
	brink__free(socket->text);
	brink__socket_config_drop(socket->config);
	brink__slot_give(socket);
}

static void start(brink_socket *socket)
{
	join_list(socket);
	if (!brink__socket_failed(socket))
		brink__socket_begin(socket);
}

static void look_whether_alone(brink_socket *socket)
{
	if (brink__slot_drop(socket) && socket->closed)
		alone(socket);
}

static void serve(brink_socket *socket, unsigned why)
{
	if (why & BRINK__SOCKET_START)
		start(socket);
	if (why & BRINK__SOCKET_FLUSH)
		brink__socket_take_over(socket);
	if (why & BRINK__SOCKET_WRITE)
		brink__socket_write_edge(socket);
	/* A late resume finds it closed, and may come with the last reference: nobody reads any more. */
	if (why & BRINK__SOCKET_READ && !socket->closed)
		brink__socket_read_on(socket);
	if (why & BRINK__SOCKET_WATER)
		brink__socket_tell_water(socket);
	if (why & BRINK__SOCKET_SETTLE)
		settle(socket);
	if (why & BRINK__SOCKET_DEADLINE && !socket->closed)
		brink__timing_again(socket);
	if (why & BRINK__SOCKET_FAIL)
		end(socket);
	if (why & BRINK__SOCKET_ALONE)
		look_whether_alone(socket);
	if (why & BRINK__SOCKET_RECYCLE)
		recycle(socket);
}

/* Takes the steps of the end that have come meanwhile: they follow at once, since a turn for each
 * would be a wait for each. All else has to wait for the next turn, as what is posted does. 0: the
 * task is left. */
static unsigned next_steps(brink_socket *socket)
{
	const unsigned steps = BRINK__SOCKET_FAIL | BRINK__SOCKET_RECYCLE;
	unsigned came = atomic_fetch_and(&socket->posted, ~steps) & steps;

	if (came == 0 && atomic_fetch_and(&socket->posted, ~(unsigned)BRINK__SOCKET_SERVED) != BRINK__SOCKET_SERVED)
		post_task(socket);
	return came;
}

void brink__socket_posted(brink_task *task)
{
	brink_socket *socket = brink_container_of(task, brink_socket, task);
	unsigned why = atomic_exchange(&socket->posted, BRINK__SOCKET_SERVED);

	while (why != 0) {
		serve(socket, why);
		why = why & BRINK__SOCKET_RECYCLE ? 0 : next_steps(socket);
	}
}

/* ---- the end of the loop ---- */

/* In a forked child that has not taken the loop over: no call, and nothing that the parent's
 * connection would notice. */
static void forget_all(brink_loop *loop)
{
	while (loop->sockets != 0) {
		brink_socket *socket = brink__slot_at(loop->sockets - 1);

		leave_list(socket);
		brink__slot_mark_failed(socket);
		/* What another thread was about when it forked is in a state that nobody knows. */
		if (socket->write_waits)
			brink__requests_forget(socket);
		brink__socket_stream_close(socket);
		brink__socket_dial_stop(socket);
		brink__revive_stop(socket);
		if (socket->fd >= 0)
			close(socket->fd);
	}
}

static void cancel_all(brink_loop *loop)
{
	for (uint32_t place = loop->sockets; place != 0; place = brink__slot_at(place - 1)->next) {
		brink_socket *socket = brink__slot_find(brink_socket_get_id(brink__slot_at(place - 1)));

		if (socket == NULL)
			continue; /* it is about to be recycled */
		brink__slot_abandon(socket);
		brink__socket_fail(socket, -ECANCELED, "its loop was destroyed");
		brink_socket_release(socket);
	}
}

void brink__sockets_cancel(brink_loop *loop)
{
	loop->ending = true;
	atomic_store_explicit(&loop->turning, brink__os_thread(), memory_order_relaxed);
	cancel_all(loop);
}

void brink__sockets_end(brink_loop *loop)
{
	if (!brink__loop_is_ours(loop)) {
		forget_all(loop);
		return;
	}
	brink__sockets_cancel(loop);
	/* Others may still hold references: their release wakes us. */
	while (loop->sockets != 0)
		if (brink__tasks_run(loop) == 0)
			brink__wakeup_wait(loop);
	while (atomic_load(&loop->visitors) != 0)
		sched_yield();
	brink__request_let_go(); /* of one of those sockets, most likely */
}
