/* Gates: listening and accepting. Everything here is on the thread of the gate's loop, but for
 * the pause, which any thread makes and ends. */
#include "config.h"

#include "server.h"

#include <errno.h>
#include <unistd.h>

static void on_accept(brink_listener *listener, int fd, const struct brink_address *peer, void *arg)
{
	struct brink__gate *gate = arg;

	(void)peer;
	if (brink__server_adopt(gate, fd) == 0)
		return;
	close(fd);
	atomic_fetch_add_explicit(&gate->server->refused, 1, memory_order_relaxed);
	if (gate->limited)
		brink_listener_closed(listener);
}

static void on_error(brink_listener *listener, int error, void *arg)
{
	const brink_server *server = ((struct brink__gate *)arg)->server;

	server->on_accept_error(listener, error, server->arg);
}

void brink__gate_on_news(brink_task *task)
{
	struct brink__gate *gate = brink_container_of(task, struct brink__gate, news);
	brink_server *server = gate->server;

	brink__server_heard(server, &gate->news_posted);
	brink__server_gate_news(gate);
	brink__server_release(server);
}

static void on_short(void *arg)
{
	struct brink__gate *gate = arg;

	brink__server_tell(gate->server, &gate->news, &gate->news_posted);
}

/* No more come. */
static void tell_drained(struct brink__gate *gate)
{
	atomic_store(&gate->drained, true);
	brink__server_tell(gate->server, &gate->news, &gate->news_posted);
}

static void on_drained(brink_listener *listener, void *arg)
{
	(void)listener;
	tell_drained(arg);
}

void brink__gate_on_resume(brink_task *task)
{
	struct brink__gate *gate = brink_container_of(task, struct brink__gate, resume);
	brink_server *server = gate->server;

	brink__server_heard(server, &gate->resume_posted);
	if (!gate->closed)
		brink__listener_go_on(gate->listener);
	brink__server_release(server);
}

/* Every listener looks before each accept. */
void brink_server_pause(brink_server *server)
{
	atomic_store(&server->listening.paused, true);
}

void brink_server_resume(brink_server *server)
{
	pthread_mutex_lock(&server->lock);
	if (atomic_exchange(&server->listening.paused, false)) {
		for (unsigned i = 0; i < server->gate_count; i++) {
			struct brink__gate *gate = &server->gates[i];

			if (gate->resume_posted)
				continue;
			gate->resume_posted = true;
			brink__server_hold(server);
			brink_task_post(gate->loop, &gate->resume);
		}
	}
	pthread_mutex_unlock(&server->lock);
}

int brink__gate_open(struct brink__gate *gate, const struct brink_server_options *options)
{
	struct brink_listener_options listener = options->listener;
	unsigned gates = 1;
	int rc;

	gate->news.call = brink__gate_on_news;
	gate->resume.call = brink__gate_on_resume;
	listener.address = gate->text[0] != '\0' ? gate->text : NULL;
	listener.on_accept = on_accept;
	listener.on_error = options->on_accept_error != NULL ? on_error : NULL;
	listener.on_drained = on_drained;
	listener.arg = gate;
	if (gate->shares) {
		listener.flags |= BRINK_LISTEN_REUSEPORT;
		gates = brink_group_size(options->group);
	}
	listener.max_connections = listener.max_connections / gates + (listener.max_connections % gates != 0);
	gate->limited = listener.max_connections != 0;
	rc = brink_listener_create(&gate->listener, gate->loop, &listener);
	if (rc == 0) {
		gate->closed = false;
		gate->listener->on_short = on_short;
		gate->listener->shared = &gate->server->listening;
		brink_listener_address(gate->listener, &gate->address);
		if (brink__listener_is_tcp(gate->listener))
			gate->config->options.flags |= BRINK_SOCKET_TCP;
	}
	return rc;
}

void brink__gate_drain(struct brink__gate *gate)
{
	if (!gate->closed && brink_listener_drain(gate->listener) < 0)
		tell_drained(gate); /* it was so already */
}

void brink__gate_close(struct brink__gate *gate)
{
	if (gate->closed)
		return;
	/* With a limit the connections still name it, and its memory stays for them. */
	brink_listener_destroy(gate->listener);
	gate->closed = true;
	tell_drained(gate);
}
