/* Messages to threads: in place, to the executor, or waiting until it has room; and the
 * question whether the connection may speak at all.
 *
 * What waits is in one list. It is added to by the reader; what is in it is handed on by the
 * reader, too, and what is left then holds reading back. From then on the channel is the
 * loop's thread's, which is called when there is room, or a verdict. So to hold reading
 * back comes first, and to ask for that call is the last that a thread does with the channel. */
#include "config.h"

#include "memory.h"
#include "messenger.h"

#include <errno.h>
#include <stdio.h>

#define PORTION 256u /* messages that are cut before those are handed on */

static brink_message *message_of(brink_task *task)
{
	return brink_container_of(task, brink_message, task);
}

static void process(brink_message *message)
{
	const struct brink__channel *channel = message->channel;
	const brink_messenger *messenger = channel->cutter.messenger;
	const struct brink_protocol *protocol = message->protocol;

	if (protocol->process != NULL)
		protocol->process(message, protocol->arg);
	else
		messenger->on_message(message, messenger->arg);
}

static void process_posted(brink_task *task)
{
	process(message_of(task));
}

/* ---- the list of those that wait ---- */

static void append(struct brink__channel *channel, brink_message *message)
{
	message->task.next = NULL;
	*channel->end = &message->task;
	channel->end = &message->task.next;
	channel->waiting++;
}

static brink_task *take_first(struct brink__channel *channel)
{
	brink_task *task = channel->first;

	channel->first = task->next;
	if (channel->first == NULL)
		channel->end = &channel->first;
	channel->waiting--;
	return task;
}

static void put_back(struct brink__channel *channel, brink_task *task)
{
	task->next = channel->first;
	if (channel->first == NULL)
		channel->end = &task->next;
	channel->first = task;
	channel->waiting++;
}

static void drop_waiting(struct brink__channel *channel)
{
	while (channel->first != NULL)
		brink_message_free(message_of(take_first(channel)));
}

/* ---- to the executor ---- */

static void hold_reading(struct brink__channel *channel)
{
	if (!channel->held) {
		channel->held = true;
		brink__socket_hold_reading(channel->socket);
	}
}

/* All at once, or as many as there is room for. */
static int post_waiting(struct brink__channel *channel)
{
	brink_executor *executor = channel->cutter.messenger->executor;
	int rc = brink_executor_post_list(executor, channel->first, channel->waiting);

	if (rc == 0) {
		channel->first = NULL;
		channel->end = &channel->first;
		channel->waiting = 0;
		return 0;
	}
	while (channel->first != NULL) {
		brink_task *task = channel->first, *next = task->next;

		task->next = NULL;
		rc = brink_executor_post(executor, task);
		if (rc != 0) {
			task->next = next;
			return rc;
		}
		channel->first = next;
		channel->waiting--;
	}
	channel->end = &channel->first;
	return 0;
}

static __attribute__((noinline)) bool hand_on_waiting(struct brink__channel *channel)
{
	brink_executor *executor = channel->cutter.messenger->executor;

	if (channel->verdict == BRINK__TO_ASK) {
		brink_task *first = take_first(channel);

		hold_reading(channel);
		channel->verdict = BRINK__ASKED;
		if (brink_executor_post(executor, first) == 0)
			return false; /* and the channel is the loop's thread's */
		channel->verdict = BRINK__TO_ASK;
		put_back(channel, first);
	} else if (post_waiting(channel) == 0) {
		return true;
	}
	hold_reading(channel);
	channel->line = true;
	brink_executor_call_when_free(executor, channel->socket->loop, channel->waiting, &channel->room);
	return false;
}

/* True: nothing waits. What it cannot hand on now holds reading back, and go_on() is called,
 * on the loop's thread, by what it waits for. */
static inline bool hand_on(struct brink__channel *channel)
{
	return channel->first == NULL || hand_on_waiting(channel);
}

/* ---- verification ---- */

static void refuse(brink_socket *socket, int error)
{
	char text[128];

	snprintf(text, sizeof text, "refused by verify: %s", brink_strerror(error));
	brink_socket_fail(brink_socket_get_id(socket), -EACCES, text);
}

/* On the executor: the first message, before any other is handed on. */
static void verify_posted(brink_task *task)
{
	brink_message *message = message_of(task);
	struct brink__channel *channel = message->channel;
	int rc = message->protocol->verify(message, message->protocol->arg);

	channel->verdict_error = rc < 0 ? rc : 0;
	brink__task_post_visiting(brink_socket_hold(channel->socket)->loop, &channel->verdict_task);
	if (rc == 0)
		process(message);
	else
		brink_message_free(message);
}

/* 0: the message is to be processed as any other. 1: it is dealt with. Or it was refused. */
static int verify(struct brink__channel *channel, brink_message *message)
{
	const struct brink_protocol *protocol = message->protocol;
	int rc;

	if (protocol->verify == NULL) {
		channel->verdict = BRINK__WELL;
		return 0;
	}
	if ((channel->cutter.messenger->flags & BRINK_MESSENGER_NOT_IN_PLACE) != 0) {
		channel->verdict = BRINK__TO_ASK;
		message->task.call = verify_posted;
		return 0;
	}
	rc = protocol->verify(message, protocol->arg);
	channel->verdict = rc < 0 ? BRINK__REFUSED : BRINK__WELL;
	if (rc < 0)
		refuse(channel->socket, rc);
	if (rc != 0)
		brink_message_free(message);
	return rc;
}

/* ---- from the reader ---- */

/* To where it is to be processed. Below 0: no more are to be cut. */
static int deliver(struct brink__channel *channel, brink_message *message)
{
	const brink_messenger *messenger = channel->cutter.messenger;

	message->task.call = process_posted;
	if (channel->verdict == BRINK__UNASKED) {
		int rc = verify(channel, message);

		if (channel->socket->config->first_timeout != 0)
			brink__timing_first_kept(channel->socket);
		if (rc != 0)
			return rc;
	}
	if (messenger->executor == NULL) {
		process(message);
	} else if ((messenger->flags & BRINK_MESSENGER_NOT_IN_PLACE) != 0) {
		append(channel, message);
	} else {
		if (channel->last != NULL)
			append(channel, channel->last);
		channel->last = message;
	}
	return 0;
}

static bool may_go_on(struct brink__channel *channel)
{
	return !channel->broken && !brink__socket_failed(channel->socket) &&
	       !atomic_load(&channel->socket->closing);
}

static const char *explain(const struct brink__channel *channel, int error)
{
	if (error == -EMSGSIZE)
		return "a message is too long";
	if (error == -EPROTO)
		return channel->cutter.chosen ? "not in its protocol" : "no protocol takes these bytes";
	return NULL;
}

/* Counts one message more, if they are still taken. */
static bool enter(struct brink__channel *channel, brink_message *message)
{
	if (!brink__channel_enter(channel)) {
		brink_message_free(message);
		return false;
	}
	message->socket = channel->socket;
	message->channel = channel;
	brink__count(&channel->socket->messages, 1);
	return true;
}

static void cut_some(struct brink__channel *channel)
{
	brink_socket *socket = channel->socket;
	brink_message *message;
	int rc = 0;

	while (channel->waiting < PORTION && may_go_on(channel)) {
		rc = brink__cut(&channel->cutter, socket, &socket->in, channel->at_end, &message);
		if (rc <= 0)
			break;
		if (!enter(channel, message) || deliver(channel, message) < 0)
			channel->broken = true;
	}
	if (rc < 0) {
		channel->broken = true;
		channel->error = rc;
	}
	channel->more = rc > 0 && may_go_on(channel);
	if (channel->broken)
		brink_buffer_clear(&socket->in);
}

/* All complete messages are cut. */
static void finish_read(struct brink__channel *channel)
{
	brink_socket *socket = channel->socket;
	brink_message *last = channel->last;
	int error = channel->error;
	const char *text = explain(channel, error);

	channel->last = NULL;
	channel->error = 0;
	/* Not where it fails: another thread would take that for a good end until it has. */
	if (channel->at_end && error == 0)
		brink__channel_ended(channel);
	if (hand_on(channel) && channel->held) {
		channel->held = false;
		brink__socket_resume_reading(socket);
	}
	/* The channel may be another thread's from here on. */
	if (last != NULL)
		process(last);
	if (error < 0)
		brink_socket_fail(brink_socket_get_id(socket), error, text);
}

static void go_on(struct brink__channel *channel)
{
	do {
		if (!hand_on(channel))
			return;
		if (channel->more)
			cut_some(channel);
	} while (channel->more);
	finish_read(channel);
}

void brink__channel_take(struct brink__channel *channel, bool at_end)
{
	channel->at_end = at_end;
	channel->more = true;
	go_on(channel);
}

void brink__channel_room(brink_task *task)
{
	struct brink__channel *channel = brink_container_of(task, struct brink__channel, room.task);
	brink_socket *socket = brink_socket_hold(channel->socket);

	channel->line = false;
	go_on(channel);
	brink_socket_release(socket);
}

void brink__channel_verdict(brink_task *task)
{
	struct brink__channel *channel = brink_container_of(task, struct brink__channel, verdict_task);
	brink_socket *socket = channel->socket;

	if (channel->verdict_error < 0) {
		channel->verdict = BRINK__REFUSED;
		channel->broken = true;
		drop_waiting(channel);
		refuse(socket, channel->verdict_error);
	} else {
		channel->verdict = BRINK__WELL;
		if (!channel->over)
			go_on(channel);
	}
	brink_socket_release(socket);
}

void brink__channel_drop(struct brink__channel *channel)
{
	if (channel->line) {
		brink_executor_cancel_wait(channel->cutter.messenger->executor, &channel->room);
		channel->line = false;
	}
	drop_waiting(channel);
	brink_message_free(channel->last);
	channel->last = NULL;
	channel->more = channel->held = false;
	brink__cutter_reset(&channel->cutter);
}
