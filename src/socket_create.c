/* Making a socket: its options, and the slot that it is put in. */
#include "config.h"

#include "memory.h"
#include "messenger.h"
#include "os.h"
#include "resolver.h"
#include "socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HIGH_WATER ((size_t)1 << 20)

/* ---- options ---- */

static bool is_usable(const struct brink_transport *transport)
{
	for (size_t i = 0; i < sizeof transport->reserved / sizeof transport->reserved[0]; i++)
		if (transport->reserved[i] != NULL)
			return false;
	return transport->readv != NULL && transport->writev != NULL;
}

#define FLAGS                                                                                                  \
	(BRINK_SOCKET_DELAY | BRINK_SOCKET_KEEPALIVE | BRINK_SOCKET_PAUSED | BRINK_SOCKET_AS_IT_IS | BRINK_SOCKET_TCP)

static bool connects(const struct brink_socket_options *options)
{
	return options->address != NULL || options->name != NULL;
}

/* A descriptor of 0 may be one that nothing was said of. */
static bool stream_is_sound(const struct brink_socket_options *options)
{
	return connects(options) ? options->fd <= 0 : options->fd >= 0 && options->probe_interval == 0;
}

static int check(const struct brink_socket_options *options)
{
	for (size_t i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++)
		if (options->reserved[i] != NULL)
			return -EINVAL;
	if ((options->flags & ~FLAGS) != 0)
		return -EINVAL;
	if (!stream_is_sound(options))
		return -EINVAL;
	if (options->name != NULL ? options->address != NULL : options->resolver != NULL)
		return -EINVAL;
	if (options->attempt_delay != 0 &&
	    (options->attempt_delay < BRINK_MS(10) || options->attempt_delay > BRINK_SECONDS(2)))
		return -EINVAL;
	if (options->messenger != NULL && options->on_bytes != NULL)
		return -EINVAL;
	if (options->transport != NULL && !is_usable(options->transport))
		return -EINVAL;
	return 0;
}

static void default_size(size_t *option, size_t size)
{
	if (*option == 0)
		*option = size;
}

static void default_time(uint64_t *option, uint64_t time)
{
	if (*option == 0)
		*option = time;
}

static void set_defaults(struct brink_socket_options *options)
{
	if (options->transport == NULL)
		options->transport = &brink__transport_plain;
	default_size(&options->unsent_limit, (size_t)64 << 20);
	/* Not above the limit: who is refused there hears of the low mark. */
	default_size(&options->high_water, options->unsent_limit < HIGH_WATER ? options->unsent_limit : HIGH_WATER);
	default_size(&options->low_water, options->high_water / 4);
	default_size(&options->read_budget, (size_t)256 << 10);
	default_time(&options->connect_timeout, BRINK_SECONDS(30));
	default_time(&options->linger_timeout, BRINK_SECONDS(2));
	if (options->unreachable_after == 0)
		options->unreachable_after = 3;
	default_time(&options->probe_interval_max,
	             options->probe_interval > UINT64_MAX / 64 ? UINT64_MAX : options->probe_interval * 64);
}

int brink__socket_config_create(struct brink__socket_config **created, const struct brink_socket_options *options)
{
	struct brink__socket_config *config;
	int result = check(options);

	if (result < 0)
		return result;
	config = brink__allocate(1, sizeof *config);
	if (config == NULL)
		return -ENOMEM;
	atomic_init(&config->references, 1);
	config->options = *options;
	if (options->address != NULL) {
		config->address = *options->address;
		config->options.address = &config->address;
	}
	set_defaults(&config->options);
	config->client = connects(options);
	config->raw = options->messenger == NULL;
	result = config->options.low_water > config->options.high_water ? -EINVAL : 0;
	if (result == 0 && options->name != NULL)
		result = brink__socket_name_create(config, options->name);
	if (result < 0) {
		brink__free(config);
		return result;
	}
	if (config->options.messenger != NULL)
		brink__messenger_install(config);
	*created = config;
	return 0;
}

void brink__socket_config_drop(struct brink__socket_config *config)
{
	if (atomic_fetch_sub(&config->references, 1) != 1)
		return;
	brink_messenger_destroy(config->options.messenger);
	brink__socket_name_free(config);
	brink__free(config);
}

/* ---- the socket ---- */

void brink__socket_new_life(brink_socket *socket, int fd)
{
	const struct brink_socket_options *options = brink__socket_options(socket);

	socket->fd = fd;
	socket->read_size = 4096;
	socket->write_waits = socket->read_again = socket->told_high = socket->reset = false;
	socket->early = false;
	atomic_init(&socket->gone, 0);
	brink__free(socket->text);
	socket->text = NULL;
	atomic_init(&socket->ending, false);
	atomic_init(&socket->closing, false);
	atomic_init(&socket->crowded, false);
	atomic_init(&socket->rose, false);
	atomic_init(&socket->parked, false);
	atomic_init(&socket->retell, false);
	atomic_init(&socket->refused, false);
	atomic_init(&socket->our_end, false);
	atomic_init(&socket->end_counts, false);
	atomic_init(&socket->their_end, false);
	atomic_init(&socket->paused, options->flags & BRINK_SOCKET_PAUSED ? BRINK__PAUSED_BY_USER : 0);
	atomic_init(&socket->edges, 0);
	atomic_init(&socket->read_wait, BRINK_READ);
	atomic_init(&socket->write_wait, BRINK_WRITE);
	atomic_init(&socket->state, BRINK_SOCKET_CONNECTING);
	atomic_init(&socket->doomed, false);
	atomic_init(&socket->error, BRINK__UNFAILED);
}

static void init(brink_socket *socket, brink_loop *loop, int fd, struct brink__socket_config *config)
{
	atomic_fetch_add_explicit(&config->references, 1, memory_order_relaxed);
	socket->loop = loop;
	socket->config = config;
	socket->revivable = config->client && config->options.probe_interval != 0;
	/* A transport whose calls all are the loop's is not read by the executor. */
	socket->offloaded = config->options.executor != NULL &&
	                    (config->options.transport->flags & BRINK_TRANSPORT_SINGLE_THREADED) == 0;
	brink_task_init(&socket->task, brink__socket_posted);
	brink__socket_new_life(socket, fd);
}

/* What few options ask for. */
static int make_rare(brink_socket *socket)
{
	bool named = socket->config->client && brink__socket_options(socket)->address == NULL;
	int result = 0;

	if (!socket->offloaded && !socket->revivable && !named)
		return 0;
	socket->rare = brink__allocate(1, sizeof *socket->rare);
	if (socket->rare == NULL)
		return -ENOMEM;
	if (socket->offloaded)
		result = brink__socket_offload_create(socket);
	if (result == 0 && socket->revivable)
		result = brink__revive_prepare(socket);
	if (result == 0 && named)
		result = brink__socket_dial_create(socket);
	return result;
}

void brink__socket_rare_free(brink_socket *socket)
{
	if (socket->rare == NULL)
		return;
	brink__revive_free(socket);
	brink__socket_dial_free(socket);
	brink__free(socket->rare->offload);
	brink__free(socket->rare);
	socket->rare = NULL;
}

static void unmake(brink_socket *socket)
{
	brink__socket_rare_free(socket);
	brink__socket_config_drop(socket->config);
	brink__slot_give(socket);
}

static int make(brink_socket **made, brink_loop *loop, int fd, struct brink__socket_config *config)
{
	int result;

	/* A program that answers each on_close with a new socket would never see the end. */
	if (loop->ending)
		return -ECANCELED;
	result = brink__slot_take(made);
	if (result < 0)
		return result;
	init(*made, loop, fd, config);
	result = make_rare(*made);
	if (result < 0)
		unmake(*made);
	return result;
}

int brink__socket_adopt(brink_socket_id *id, brink_loop *loop, int fd, struct brink__socket_config *config)
{
	brink_socket *socket;
	int result = config->options.flags & BRINK_SOCKET_AS_IT_IS ? 0
	                                                             : brink__socket_prepare(fd, config->options.flags);

	if (result == 0)
		result = make(&socket, loop, fd, config);
	if (result == 0)
		brink__socket_launch(socket, 1, id);
	return result;
}

/* Errors of this machine, for who asks for the connection; others are the network's. */
static bool is_local(int error)
{
	static const int local[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS, EAFNOSUPPORT, EPROTONOSUPPORT, EINVAL};

	for (size_t i = 0; i < sizeof local / sizeof local[0]; i++)
		if (error == -local[i])
			return true;
	return false;
}

static int connect_to(brink_socket **held, brink_socket_id *id, brink_loop *loop, struct brink__socket_config *config)
{
	brink_socket *socket;
	int result, connected = -EINPROGRESS, fd = -1;

	if (config->options.resolver != NULL && brink__resolver_loop(config->options.resolver) != loop)
		return -EINVAL;
	result = make(&socket, loop, -1, config);
	if (result < 0)
		return result;
	/* A name is dialed on the loop. */
	if (brink__socket_dial_of(socket) == NULL)
		connected = brink__connect(&config->address, config->options.flags, &fd);
	if (is_local(connected)) {
		unmake(socket);
		return connected;
	}
	socket->fd = fd;
	socket->connecting = connected == -EINPROGRESS;
	brink__socket_launch(socket, 2, id);
	/* Its fields are the loop's by now. */
	if (connected < 0 && connected != -EINPROGRESS)
		brink__socket_fail(socket, connected, "connect");
	*held = socket;
	return 0;
}

int brink__socket_connect(brink_socket **socket, brink_loop *loop, struct brink__socket_config *config)
{
	return connect_to(socket, NULL, loop, config);
}

/* ---- options that many sockets share ---- */

/* Of the last socket that was made of a descriptor in a call of this loop's. A program that accepts
 * gives one after the other the same: they are compared, and kept once for all. */
struct brink__socket_recent {
	struct brink_socket_options given; /* but for the descriptor */
	struct brink__socket_config *config;
};

static void remember(brink_loop *loop, const struct brink_socket_options *given, struct brink__socket_config *config)
{
	struct brink__socket_recent *recent = loop->recent;

	if (recent == NULL)
		recent = loop->recent = brink__allocate(1, sizeof *recent);
	if (recent == NULL)
		return; /* only a saving */
	if (recent->config != NULL)
		brink__socket_config_drop(recent->config);
	atomic_fetch_add_explicit(&config->references, 1, memory_order_relaxed);
	recent->config = config;
	recent->given = *given;
}

void brink__socket_recent_drop(brink_loop *loop)
{
	if (loop->recent == NULL)
		return;
	brink__socket_config_drop(loop->recent->config);
	brink__free(loop->recent);
	loop->recent = NULL;
}

static int find_config(struct brink__socket_config **config, brink_loop *loop,
                       const struct brink_socket_options *options)
{
	struct brink_socket_options given = *options;
	struct brink__socket_recent *recent;
	int result;

	/* A messenger is the configuration's own. */
	if (options->messenger != NULL || connects(options) || options->fd < 0 ||
	    !brink__loop_turning_here(loop))
		return brink__socket_config_create(config, options);
	recent = loop->recent;
	given.fd = -1;
	if (recent != NULL && memcmp(&recent->given, &given, sizeof given) == 0) {
		*config = recent->config;
		atomic_fetch_add_explicit(&recent->config->references, 1, memory_order_relaxed);
		return 0;
	}
	result = brink__socket_config_create(config, options);
	if (result == 0)
		remember(loop, &given, *config);
	return result;
}

int brink_socket_create(brink_socket_id *id, brink_loop *loop, const struct brink_socket_options *options)
{
	struct brink__socket_config *config;
	brink_socket *socket;
	int result;

	if (loop == NULL || options == NULL)
		return -EINVAL;
	result = find_config(&config, loop, options);
	if (result < 0)
		return result;
	if (!config->client)
		result = brink__socket_adopt(id, loop, options->fd, config);
	else if ((result = connect_to(&socket, id, loop, config)) == 0)
		brink_socket_release(socket);
	brink__socket_config_drop(config);
	return result;
}
