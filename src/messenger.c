/* The messenger: the object, its messages, and how it takes the place of a socket's callbacks. */
#include "config.h"

#include "cache.h"
#include "memory.h"
#include "messenger.h"

#include <errno.h>
#include <string.h>

/* ---- messages ---- */

static const struct brink__cache messages = {
	.class_of = BRINK__CACHE_MESSAGES, .batch = 32, .batches = 32, .size = sizeof(brink_message)};

brink_message *brink__message_create(void)
{
	brink_message *message = brink__cache_get(&messages);

	if (message != NULL)
		*message = (brink_message){0};
	return message;
}

void brink_message_free(brink_message *message)
{
	struct brink__channel *channel;

	if (message == NULL)
		return;
	channel = message->channel;
	if (message->drop != NULL)
		message->drop(message);
	brink_buffer_clear(&message->body);
	brink__cache_put(&messages, message);
	if (channel != NULL)
		brink__channel_processed(channel);
}

/* ---- the object ---- */

static bool protocol_is_sound(const struct brink_protocol *protocol, const struct brink_messenger_options *options)
{
	return protocol->name != NULL && protocol->parse != NULL &&
	       (protocol->process != NULL || options->on_message != NULL) && protocol->reserved[0] == NULL;
}

static bool options_are_sound(const struct brink_messenger_options *options)
{
	static void *const zero[sizeof options->reserved / sizeof options->reserved[0]];

	if (options == NULL || options->protocols == NULL || options->protocol_count < 1 ||
	    options->protocol_count > BRINK__MAX_PROTOCOLS ||
	    (options->flags & ~BRINK_MESSENGER_NOT_IN_PLACE) != 0 ||
	    (options->flags != 0 && options->executor == NULL) ||
	    memcmp(options->reserved, zero, sizeof zero) != 0)
		return false;
	for (unsigned i = 0; i < options->protocol_count; i++)
		if (!protocol_is_sound(&options->protocols[i], options))
			return false;
	return true;
}

static brink_messenger *create(unsigned protocol_count)
{
	brink_messenger *made = brink__allocate(
	        1, sizeof *made + protocol_count * sizeof(struct brink_protocol));

	if (made != NULL) {
		atomic_init(&made->references, 1);
		made->protocol_count = protocol_count;
	}
	return made;
}

int brink_messenger_create(brink_messenger **messenger, const struct brink_messenger_options *options)
{
	brink_messenger *made;

	if (!options_are_sound(options))
		return -EINVAL;
	made = create(options->protocol_count);
	if (made == NULL)
		return -ENOMEM;
	made->flags = options->flags;
	made->executor = options->executor;
	made->on_message = options->on_message;
	made->arg = options->arg;
	for (unsigned i = 0; i < options->protocol_count; i++) {
		made->protocols[i] = options->protocols[i];
		if (made->protocols[i].max_message == 0)
			made->protocols[i].max_message = BRINK__MAX_MESSAGE;
	}
	*messenger = made;
	return 0;
}

int brink__messenger_create_raw(brink_messenger **messenger, brink_socket_bytes_fn *raw)
{
	*messenger = create(0);
	if (*messenger == NULL)
		return -ENOMEM;
	(*messenger)->raw = raw;
	return 0;
}

void brink_messenger_destroy(brink_messenger *messenger)
{
	if (messenger != NULL && atomic_fetch_sub(&messenger->references, 1) == 1)
		brink__free(messenger);
}

/* ---- channels ---- */

static void end_session(struct brink__channel *channel)
{
	if (channel->session != NULL)
		channel->session->destroy(channel->session);
	channel->session = NULL;
}

static void begin(struct brink__channel *channel, brink_socket *socket)
{
	end_session(channel);
	memset(channel, 0, sizeof *channel);
	channel->socket = socket;
	channel->cutter.messenger = brink__socket_options(socket)->messenger;
	channel->end = &channel->first;
	channel->room.task.call = brink__channel_room;
	channel->verdict_task.call = brink__channel_verdict;
	channel->end_task.call = brink__channel_finish;
	atomic_init(&channel->unprocessed, 1);
	brink_socket_hold(socket); /* until end_task was called */
}

void brink__channel_free(brink_socket *socket)
{
	if (socket->upper == NULL)
		return;
	end_session(socket->upper);
	brink__free(socket->upper);
	socket->upper = NULL;
}

/* The channel of this life. */
static struct brink__channel *channel_here(brink_socket *socket)
{
	struct brink__channel *channel = socket->upper;

	if (channel == NULL) {
		channel = brink__allocate(1, sizeof *channel);
		if (channel == NULL)
			return NULL;
		channel->over = true;
		socket->upper = channel;
	}
	if (channel->over)
		begin(channel, socket);
	return channel;
}

/* Once the count is 0 it stays so: end_task is posted once. */
bool brink__channel_enter(struct brink__channel *channel)
{
	unsigned count = atomic_load(&channel->unprocessed);

	do {
		if (count == 0)
			return false;
	} while (!atomic_compare_exchange_weak(&channel->unprocessed, &count, count + 1));
	return true;
}

void brink__channel_processed(struct brink__channel *channel)
{
	/* The last one's is still that of the channel, and of its reference to the socket: that goes with end_task. */
	if (atomic_fetch_sub(&channel->unprocessed, 1) == 1)
		brink__task_post_visiting(channel->socket->loop, &channel->end_task);
}

/* No more messages come: when all are processed, end_task is called. */
static void no_more(struct brink__channel *channel)
{
	if (!atomic_exchange(&channel->told, true))
		brink__channel_processed(channel);
}

void brink__channel_ended(struct brink__channel *channel)
{
	channel->ended = true;
	no_more(channel);
}

static void users_end(brink_socket *socket)
{
	const struct brink__socket_config *config = socket->config;

	if (config->below_end != NULL)
		config->below_end(socket, config->options.arg);
	else
		brink_socket_close(socket);
}

void brink__channel_finish(brink_task *task)
{
	struct brink__channel *channel = brink_container_of(task, struct brink__channel, end_task);
	brink_socket *socket = channel->socket;

	channel->finished = true;
	if (channel->ended && !brink__socket_failed(socket) && !atomic_load(&socket->closing))
		users_end(socket);
	if (channel->close)
		brink_socket_close(socket);
	brink_socket_release(socket);
}

void brink__channel_close(brink_socket *socket)
{
	struct brink__channel *channel = socket->upper;

	if (channel == NULL || channel->over || channel->finished) {
		brink_socket_close(socket);
		return;
	}
	/* The session is the reader's, too. */
	if (atomic_load(&socket->readers) == 0 && channel->session != NULL && channel->session->ending(channel->session))
		return;
	brink__socket_hold_reading(socket);
	channel->close = true;
	no_more(channel);
}

void brink__channel_let_go(brink_socket *socket)
{
	struct brink__channel *channel = socket->upper;
	unsigned none_but_one = 1;

	if (channel == NULL || channel->over || atomic_load(&channel->told) ||
	    !atomic_compare_exchange_strong(&channel->unprocessed, &none_but_one, 0))
		return;
	atomic_store(&channel->told, true);
	channel->finished = true;
	brink__slot_drop(socket);
}

/* ---- in the place of the socket's callbacks ---- */

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct brink__channel *channel = channel_here(socket);

	if (channel == NULL) {
		brink_socket_fail(brink_socket_get_id(socket), -ENOMEM, "no memory for messages");
		return;
	}
	if (channel->cutter.messenger->raw == NULL) {
		brink__channel_take(channel, false);
		return;
	}
	if (!brink__channel_enter(channel))
		return;
	brink__count(&socket->messages, 1);
	channel->cutter.messenger->raw(socket, in, arg);
	brink__channel_processed(channel);
}

static void on_end(brink_socket *socket, void *arg)
{
	struct brink__channel *channel = channel_here(socket);

	(void)arg;
	if (channel == NULL) {
		brink_socket_fail(brink_socket_get_id(socket), -ENOMEM, "no memory for messages");
		return;
	}
	if (channel->cutter.messenger->raw == NULL)
		brink__channel_take(channel, true);
	else
		brink__channel_ended(channel);
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	const struct brink__socket_config *config = socket->config;
	struct brink__channel *channel = socket->upper;

	if (channel != NULL && !channel->over) {
		if (channel->session != NULL)
			channel->session->closed(channel->session);
		brink__channel_drop(channel);
		no_more(channel);
		channel->over = true;
	}
	if (config->below_close != NULL)
		config->below_close(socket, error, text, arg);
}

/* Times that protocols give a peer: whoever speaks the most patient of them has so long. */
struct patience {
	uint64_t longest;
	unsigned have; /* how many give one */
};

static void add_protocol(struct patience *patience, uint64_t timeout)
{
	patience->have += timeout != 0;
	patience->longest = timeout > patience->longest ? timeout : patience->longest;
}

/* `partly`: where only some of them give one. */
static uint64_t patience_of_all(const struct patience *patience, unsigned protocols, uint64_t partly)
{
	return patience->have == 0 || patience->have == protocols ? patience->longest : partly;
}

static void set_timeouts(struct brink__socket_config *config, const brink_messenger *messenger)
{
	struct patience first = {0}, write = {0};

	for (unsigned i = 0; i < messenger->protocol_count; i++) {
		add_protocol(&first, messenger->protocols[i].first_timeout);
		add_protocol(&write, messenger->protocols[i].write_timeout);
	}
	/* The first one's "none" is UINT64_MAX, where there may be deadlines later. */
	config->first_timeout = patience_of_all(&first, messenger->protocol_count, UINT64_MAX);
	if (config->options.write_timeout == 0)
		config->options.write_timeout = patience_of_all(&write, messenger->protocol_count, 0);
}

void brink__messenger_install(struct brink__socket_config *config)
{
	struct brink_socket_options *options = &config->options;

	atomic_fetch_add(&options->messenger->references, 1);
	config->raw = options->messenger->raw != NULL;
	config->below_end = options->on_end;
	config->below_close = options->on_close;
	options->on_bytes = on_bytes;
	options->on_end = on_end;
	options->on_close = on_close;
	set_timeouts(config, options->messenger);
}
