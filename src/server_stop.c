/* Stopping: the listeners take what is queued, the connections end when what had arrived is
 * dealt with, and at the deadline whoever is left fails. A gate that is full, or without descriptors,
 * may wait for what only the connections' ends make, so they are not closed after all gates are
 * drained, but after each is or waits, and once more at its next news: those that it has taken since.
 * All on the thread of the server's loop. */
#include "config.h"

#include "group.h"
#include "server.h"

#include <errno.h>
#include <signal.h>

static void stopped(brink_server *server)
{
	server->state = BRINK__STOPPED;
	brink_timer_stop(&server->deadline);
	brink__server_forget_signals(server);
	if (server->referred)
		brink_loop_unref(server->loop);
	server->referred = false;
	if (server->stop_on_signals)
		brink_loop_stop(server->loop);
	if (server->on_stopped != NULL)
		server->on_stopped(server, server->arg);
}

/* Whether each gate has got as far as `stage`. */
static bool all_have(const brink_server *server, enum brink__gate_stage stage)
{
	for (unsigned i = 0; i < server->gate_count; i++)
		if (server->gates[i].stage < stage)
			return false;
	return true;
}

/* There are no connections any more, and none can come. */
static bool is_over(brink_server *server)
{
	return server->state == BRINK__CLOSING && all_have(server, BRINK__GATE_DONE) &&
	       atomic_load(&server->open) == 0;
}

void brink__server_emptied(brink_task *task)
{
	brink_server *server = brink_container_of(task, brink_server, emptied);

	/* First this: whoever ends the last connection after the look tells it again. */
	brink__server_heard(server, &server->emptied_posted);
	if (is_over(server))
		stopped(server);
	brink__server_release(server);
}

static void close_connections(brink_server *server)
{
	server->state = BRINK__CLOSING;
	atomic_store(&server->closing, true);
	for (unsigned i = 0; i < server->seat_count; i++)
		brink__seat_settle(&server->seats[i]);
	if (is_over(server))
		brink__server_tell(server, &server->emptied, &server->emptied_posted);
}

void brink__server_gate_news(struct brink__gate *gate)
{
	brink_server *server = gate->server;

	if (gate->stage == BRINK__GATE_DONE)
		return;
	gate->stage = atomic_load(&gate->drained) ? BRINK__GATE_DONE : BRINK__GATE_WAITS;
	if (server->state == BRINK__CLOSING || (server->state == BRINK__DRAINING && all_have(server, BRINK__GATE_WAITS)))
		close_connections(server);
}

static bool has_stopped(const brink_group *group)
{
	return atomic_load(&group->stopping);
}

void brink__server_deadline(brink_timer *timer)
{
	brink_server *server = brink_container_of(timer, brink_server, deadline);

	for (unsigned i = 0; i < server->seat_count; i++)
		brink__seat_end(&server->seats[i]);
	for (unsigned i = 0; i < server->gate_count; i++) {
		if (server->gates[i].loop == server->loop)
			brink__gate_close(&server->gates[i]);
		else if (has_stopped(server->group))
			server->gates[i].stage = BRINK__GATE_DONE; /* it accepts nothing, and is not closed before the group ends */
	}
	brink__server_cut_off(server, -ETIMEDOUT, "not ended within the server's deadline");
	close_connections(server);
}

int brink_server_stop(brink_server *server, uint64_t deadline)
{
	uint64_t now = brink_loop_now(server->loop), ends = now + deadline < now ? UINT64_MAX : now + deadline;

	if (server->state == BRINK__STOPPED)
		return -EALREADY;
	if (server->state == BRINK__SERVING || ends < server->ends) {
		server->ends = ends;
		brink_timer_start(server->loop, &server->deadline, ends - now, 0);
	}
	if (server->state != BRINK__SERVING)
		return 0;
	server->state = BRINK__DRAINING;
	server->referred = true;
	brink_loop_ref(server->loop);
	for (unsigned i = 0; i < server->gate_count; i++)
		atomic_store(&server->gates[i].config->stopping, true);
	for (unsigned i = 0; i < server->seat_count; i++)
		if (server->seats[i].loop != server->loop)
			brink__seat_drain(&server->seats[i]);
	for (unsigned i = 0; i < server->gate_count; i++)
		if (server->gates[i].loop == server->loop)
			brink__gate_drain(&server->gates[i]);
	return 0;
}

/* ---- signals ---- */

/* The second one is impatient. */
static void on_signal(brink_signal *signal)
{
	brink_server *server = brink_container_of(signal, struct brink__server_signal, signal)->server;

	brink_server_stop(server, server->state == BRINK__SERVING ? server->stop_deadline : 0);
}

int brink__server_watch_signals(brink_server *server)
{
	static const int numbers[] = {SIGINT, SIGTERM};
	int rc = 0;

	for (int i = 0; i < 2 && rc == 0; i++) {
		server->signals[i].server = server;
		brink_signal_init(&server->signals[i].signal, on_signal);
		rc = brink_signal_start(server->loop, &server->signals[i].signal, numbers[i]);
	}
	return rc;
}

void brink__server_forget_signals(brink_server *server)
{
	for (int i = 0; i < 2 && server->signals[i].server != NULL; i++)
		brink_signal_stop(&server->signals[i].signal);
}
