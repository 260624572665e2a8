/* Removal in a batch: a callback ends watches whose events were harvested with its own. */
#include "groups.h"
#include "removal.h"

#include <stdlib.h>
#include <string.h>

#define CROWD 6

struct crowd {
	brink_loop *loop;
	enum kind kind;
	struct pair pairs[CROWD];
	struct probe probes[CROWD];
	struct probe fresh[CROWD]; /* successors of the probes above */
	unsigned calls;
};

static void fill_crowd(struct crowd *crowd, enum kind kind, probe_fn *act)
{
	*crowd = (struct crowd){.kind = kind, .loop = new_loop()};
	for (int i = 0; i < CROWD; i++) {
		crowd->pairs[i] = open_pair(kind, BRINK_READ);
		feed(&crowd->pairs[i], 3);
		start_probe_acting(crowd->loop, &crowd->probes[i], "crowd", crowd->pairs[i].ours, BRINK_READ, act);
		crowd->probes[i].data = crowd;
	}
}

static void accept_crowd(struct crowd *crowd)
{
	for (int i = 0; i < CROWD; i++)
		accept_calls(&crowd->probes[i]);
}

static void end_crowd(struct crowd *crowd)
{
	for (int i = 0; i < CROWD; i++) {
		if (brink_watch_active(&crowd->probes[i].watch))
			stop_probe(&crowd->probes[i]);
		if (crowd->fresh[i].name != NULL && brink_watch_active(&crowd->fresh[i].watch))
			stop_probe(&crowd->fresh[i]);
		close_pair(&crowd->pairs[i]);
	}
	expect_silence(crowd->loop);
	CHECK_OK(brink_loop_destroy(crowd->loop));
}

static void act_stop_others(struct probe *probe, unsigned ready)
{
	struct crowd *crowd = probe->data;

	(void)ready;
	crowd->calls++;
	for (int i = 0; i < CROWD; i++)
		if (&crowd->probes[i] != probe && brink_watch_active(&crowd->probes[i].watch))
			stop_probe(&crowd->probes[i]);
}

static void stopped_by_the_first(enum kind kind)
{
	struct crowd crowd;

	fill_crowd(&crowd, kind, act_stop_others);
	RUN_UNTIL(crowd.loop, crowd.calls != 0);
	accept_crowd(&crowd);
	expect_silence(crowd.loop);
	CHECK_EQ(crowd.calls, 1);
	/* What they had to say is not lost: it is said to who starts again. */
	for (int i = 0; i < CROWD; i++) {
		if (brink_watch_active(&crowd.probes[i].watch))
			continue;
		start_probe(crowd.loop, &crowd.probes[i], "again", crowd.pairs[i].ours, BRINK_READ);
		expect_event(crowd.loop, &crowd.probes[i], BRINK_READ, NOT_READ);
	}
	end_crowd(&crowd);
}

static void act_close_others(struct probe *probe, unsigned ready)
{
	struct crowd *crowd = probe->data;

	(void)ready;
	crowd->calls++;
	for (int i = 0; i < CROWD; i++)
		if (&crowd->probes[i] != probe && brink_watch_active(&crowd->probes[i].watch))
			close_probe(&crowd->probes[i], &crowd->pairs[i].ours);
}

static void closed_by_the_first(enum kind kind)
{
	struct crowd crowd;

	fill_crowd(&crowd, kind, act_close_others);
	RUN_UNTIL(crowd.loop, crowd.calls != 0);
	accept_crowd(&crowd);
	expect_silence(crowd.loop);
	CHECK_EQ(crowd.calls, 1);
	end_crowd(&crowd);
}

/* Each stops only the one that comes after it in the batch, whichever that is. */
static void act_stop_one_other(struct probe *probe, unsigned ready)
{
	struct crowd *crowd = probe->data;

	(void)ready;
	crowd->calls++;
	for (int i = 0; i < CROWD; i++) {
		if (crowd->probes[i].calls != 0 || !brink_watch_active(&crowd->probes[i].watch))
			continue;
		stop_probe(&crowd->probes[i]);
		return;
	}
}

static void each_stops_one(enum kind kind)
{
	struct crowd crowd;
	unsigned stopped = 0;

	fill_crowd(&crowd, kind, act_stop_one_other);
	RUN_UNTIL(crowd.loop, crowd.calls >= CROWD / 2);
	accept_crowd(&crowd);
	expect_silence(crowd.loop);
	CHECK_EQ(crowd.calls, CROWD / 2);
	for (int i = 0; i < CROWD; i++) {
		bool active = brink_watch_active(&crowd.probes[i].watch);

		stopped += !active;
		CHECK_EQ(crowd.probes[i].calls, active);
	}
	CHECK_EQ(stopped, CROWD / 2);
	end_crowd(&crowd);
}

/* The numbers of all others are closed and used again in the first callback of the batch that
 * holds their events. */
static void act_reuse_others(struct probe *probe, unsigned ready)
{
	struct crowd *crowd = probe->data;

	(void)ready;
	if (crowd->calls++ != 0)
		return;
	for (int i = 0; i < CROWD; i++) {
		int number = crowd->pairs[i].ours;

		if (&crowd->probes[i] == probe)
			continue;
		close_probe(&crowd->probes[i], &crowd->pairs[i].ours);
		replace(&crowd->pairs[i], number);
		start_probe(crowd->loop, &crowd->fresh[i], "fresh", number, BRINK_READ);
	}
}

static void feed_fresh(struct crowd *crowd)
{
	expect_silence(crowd->loop);
	for (int i = 0; i < CROWD; i++) {
		if (crowd->fresh[i].name == NULL)
			continue;
		feed_and_expect(crowd->loop, &crowd->pairs[i], &crowd->fresh[i], 2);
		CHECK_EQ(unread(crowd->pairs[i].ours), 2);
	}
}

static void reused_in_the_batch(enum kind kind)
{
	struct crowd crowd;

	fill_crowd(&crowd, kind, act_reuse_others);
	RUN_UNTIL(crowd.loop, crowd.calls != 0);
	accept_crowd(&crowd);
	CHECK_EQ(crowd.calls, 1);
	feed_fresh(&crowd);
	end_crowd(&crowd);
}

/* With room for one event a wait the others' are still in the kernel, or lie completed in a
 * ring, when their numbers are used again. */
static void reused_before_the_harvest(enum kind kind)
{
	struct brink_loop_options options = {.batch = 1};
	struct crowd crowd = {.kind = kind, .loop = new_loop_with(&options)};

	for (int i = 0; i < CROWD; i++) {
		crowd.pairs[i] = open_pair(kind, BRINK_READ);
		start_probe_acting(crowd.loop, &crowd.probes[i], "crowd", crowd.pairs[i].ours, BRINK_READ,
		                   act_reuse_others);
		crowd.probes[i].data = &crowd;
	}
	expect_silence(crowd.loop);
	for (int i = 0; i < CROWD; i++)
		feed(&crowd.pairs[i], 3);
	RUN_UNTIL(crowd.loop, crowd.calls != 0);
	accept_crowd(&crowd);
	CHECK_EQ(crowd.calls, 1);
	feed_fresh(&crowd);
	end_crowd(&crowd);
}

/* Whoever is called first stops and starts all others: each must then come once, no more. */
static void act_restart_others(struct probe *probe, unsigned ready)
{
	struct crowd *crowd = probe->data;

	(void)ready;
	if (crowd->calls++ != 0)
		return;
	for (int i = 0; i < CROWD; i++) {
		if (&crowd->probes[i] == probe)
			continue;
		stop_probe(&crowd->probes[i]);
		CHECK_OK(brink_watch_start(crowd->loop, &crowd->probes[i].watch, crowd->pairs[i].ours, BRINK_READ));
	}
}

static void restarted_in_the_batch(enum kind kind)
{
	struct crowd crowd;

	fill_crowd(&crowd, kind, act_restart_others);
	RUN_UNTIL(crowd.loop, crowd.calls >= CROWD);
	accept_crowd(&crowd);
	expect_silence(crowd.loop);
	for (int i = 0; i < CROWD; i++)
		CHECK_EQ(crowd.probes[i].calls, 1);
	end_crowd(&crowd);
}

static void act_destroy_others(struct probe *probe, unsigned ready)
{
	struct probe **others = probe->data;

	(void)ready;
	for (int i = 0; i < CROWD; i++) {
		if (others[i] == NULL || others[i] == probe)
			continue;
		stop_probe(others[i]);
		memset(others[i], 0xa5, sizeof *others[i]);
		free(others[i]);
		others[i] = NULL;
	}
}

static void others_freed_in_callback(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct pair pairs[CROWD];
	struct probe *probes[CROWD], *last = NULL;

	for (int i = 0; i < CROWD; i++) {
		pairs[i] = open_pair(kind, BRINK_READ);
		feed(&pairs[i], 1);
		CHECK((probes[i] = malloc(sizeof *probes[i])) != NULL);
		start_probe_acting(loop, probes[i], "crowd", pairs[i].ours, BRINK_READ, act_destroy_others);
		probes[i]->data = probes;
	}
	while (last == NULL) {
		turn(loop);
		for (int i = 0; i < CROWD; i++)
			if (probes[i] != NULL && probes[i]->calls != 0)
				last = probes[i];
	}
	CHECK_EQ(last->calls, 1);
	accept_calls(last);
	expect_silence(loop);
	stop_probe(last);
	free(last);
	CHECK_OK(brink_loop_destroy(loop));
	for (int i = 0; i < CROWD; i++)
		close_pair(&pairs[i]);
}

static const struct scenario scenarios[] = {
	SCENARIO("removal/stopped-by-the-first", stopped_by_the_first, KINDS_ALL | KIND_UDP,
	         .promises = {6, 7, 1}, .flags = TRACE_FREE),
	SCENARIO("removal/closed-by-the-first", closed_by_the_first, KINDS_ALL | KIND_UDP,
	         .promises = {6, 7}, .flags = TRACE_FREE),
	SCENARIO("removal/each-stops-one", each_stops_one, KINDS_ALL,
	         .promises = {6, 7}, .flags = TRACE_FREE),
	SCENARIO("removal/reused-in-the-batch", reused_in_the_batch, KINDS_ALL,
	         .promises = {6, 7}, .flags = TRACE_FREE),
	SCENARIO("removal/reused-before-the-harvest", reused_before_the_harvest, KINDS_ALL,
	         .promises = {6}, .flags = TRACE_FREE),
	SCENARIO("removal/restarted-in-the-batch", restarted_in_the_batch, KINDS_ALL | KIND_UDP,
	         .promises = {1, 6, 7}, .flags = TRACE_FREE),
	SCENARIO("removal/others-freed-in-callback", others_freed_in_callback, KINDS_ALL,
	         .promises = {7}, .flags = TRACE_FREE),
	NO_MORE_SCENARIOS,
};

const struct group batch_group = {"batch", scenarios};
