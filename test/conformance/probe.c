/* Probes, and what is expected of them. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

#define DIRECTIONS (BRINK_READ | BRINK_WRITE)
#define QUIET_TURNS 3                 /* turns without waiting, in which a busy loop shows */
#define QUIET_TIME BRINK_MS(10)       /* and a moment for what the kernel does late */
#define SPURIOUS_LIMIT 3              /* events for nothing, one after another */
#define TURN_LIMIT 64u                /* turns, and waits, in the time above; a busy loop makes thousands */

static atomic_uint unexpected; /* calls that no expectation has taken yet, of all probes */

const char *bits_text(unsigned bits)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {{BRINK_READ, "READ"}, {BRINK_WRITE, "WRITE"}, {BRINK_EOF, "EOF"}, {BRINK_ERROR, "ERROR"}};
	static _Thread_local char texts[4][40];
	static _Thread_local unsigned turn_of;
	char *text = texts[turn_of++ % 4];
	size_t used = 0;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if ((bits & names[i].bit) != 0)
			used += (size_t)snprintf(text + used, sizeof texts[0] - used, "%s%s", used ? "|" : "",
			                         names[i].name);
	if (used == 0)
		snprintf(text, sizeof texts[0], "silence");
	return text;
}

/* ---- calls are written down ---- */

static unsigned number_of(const char *name)
{
	struct case_record *record = child_record();
	unsigned count = atomic_load(&record->name_count);

	for (unsigned i = 0; i < count && i < NAME_LIMIT; i++)
		if (strcmp(record->names[i], name) == 0)
			return i;
	if (count + 1 > NAME_LIMIT || strlen(name) >= NAME_SIZE)
		FAIL("too many probe names, or too long a one: %s", name);
	strcpy(record->names[count], name);
	atomic_store(&record->name_count, count + 1);
	return count;
}

void init_probe(struct probe *probe, const char *name, probe_fn *act)
{
	memset(probe, 0, sizeof *probe);
	brink_watch_init(&probe->watch, probe_called);
	probe->name = name;
	probe->act = act;
	probe->id = number_of(name);
}

static void write_down(const struct probe *probe, unsigned ready)
{
	struct case_record *record = child_record();
	unsigned at = atomic_fetch_add(&record->call_count, 1u);

	if (at < CALL_LIMIT)
		record->calls[at] = (struct call_record){.probe = (uint8_t)probe->id, .ready = (uint8_t)ready};
}

void probe_called(brink_watch *watch, unsigned ready)
{
	struct probe *probe = brink_container_of(watch, struct probe, watch);

	if ((ready & DIRECTIONS) == 0 || (ready & ~(DIRECTIONS | BRINK_EOF | BRINK_ERROR)) != 0)
		FAIL("%s was called with bits 0x%x", probe->name, ready);
	write_down(probe, ready);
	atomic_fetch_add(&unexpected, 1u);
	probe->twice = probe->twice || (probe->new_ready & ready & DIRECTIONS) != 0;
	probe->new_ready |= ready;
	probe->new_calls++;
	probe->ready |= ready;
	probe->last = ready;
	probe->calls++;
	if (probe->act != NULL)
		probe->act(probe, ready);
}

/* Takes the probe's new calls from the unexpected ones: as one event in the trace, as they
 * came, or not at all. */
enum taken { AS_ONE, AS_THEY_CAME, HIDDEN };

static unsigned take_calls(struct probe *probe, enum taken how)
{
	struct case_record *record = child_record();
	unsigned count = atomic_load(&record->call_count), left = probe->new_calls, ready = probe->new_ready;

	for (unsigned i = count < CALL_LIMIT ? count : CALL_LIMIT; i-- > 0 && left > 0;) {
		if (record->calls[i].probe != probe->id)
			continue;
		left--;
		record->calls[i].hidden = how == HIDDEN;
		record->calls[i].merged = how == AS_ONE && left > 0; /* to the one before */
	}
	atomic_fetch_sub(&unexpected, probe->new_calls);
	probe->new_calls = 0;
	probe->new_ready = 0;
	probe->twice = false;
	return ready;
}

void accept_calls(struct probe *probe)
{
	take_calls(probe, AS_THEY_CAME);
}

void discard_calls(struct probe *probe)
{
	take_calls(probe, HIDDEN);
}

/* ---- starting and stopping ---- */

void start_probe_acting(brink_loop *loop, struct probe *probe, const char *name, int fd, unsigned interest,
                        probe_fn *act)
{
	init_probe(probe, name, act);
	CHECK_EQ(brink_watch_start(loop, &probe->watch, fd, interest), 0);
	CHECK_EQ(brink_watch_active(&probe->watch), 1);
}

void start_probe(brink_loop *loop, struct probe *probe, const char *name, int fd, unsigned interest)
{
	start_probe_acting(loop, probe, name, fd, interest, NULL);
}

void stop_probe(struct probe *probe)
{
	CHECK_EQ(brink_watch_stop(&probe->watch), 0);
	CHECK_EQ(brink_watch_active(&probe->watch), 0);
}

void close_probe(struct probe *probe, int *fd)
{
	CHECK_EQ(brink_watch_close(&probe->watch), 0);
	CHECK_EQ(brink_watch_active(&probe->watch), 0);
	*fd = -1;
}

/* ---- reading ---- */

ssize_t read_to_end(struct probe *probe, size_t *bytes)
{
	char chunk[4096];
	ssize_t n;

	while ((n = brink_watch_read(&probe->watch, chunk, sizeof chunk)) > 0)
		if (bytes != NULL)
			*bytes += (size_t)n;
	return n;
}

void fill_by_watch(struct probe *probe)
{
	static const char bytes[65536];
	ssize_t n;

	fill(probe->watch.fd);
	while ((n = brink_watch_write(&probe->watch, bytes, sizeof bytes)) > 0)
		;
	CHECK_ERROR(n, -EAGAIN);
}

void act_drain(struct probe *probe, unsigned ready)
{
	ssize_t n;

	if ((ready & BRINK_READ) == 0)
		return;
	n = read_to_end(probe, &probe->bytes);
	if (n != -EAGAIN && n != 0)
		check_ok(HERE, "brink_watch_read", n);
}

void act_stop(struct probe *probe, unsigned ready)
{
	(void)ready;
	stop_probe(probe);
}

/* ---- expectations ---- */

unsigned expect_event(brink_loop *loop, struct probe *probe, unsigned required, unsigned forbidden)
{
	uint64_t end = hang_deadline();

	while ((probe->new_ready & required) != required && !probe->twice) {
		turn(loop);
		if (monotonic_now() > end)
			FAIL("%s: %s was to come, but %s came", probe->name, bits_text(required),
			     bits_text(probe->new_ready));
	}
	if (probe->twice)
		FAIL("%s: the same direction came again without rearm, waiting for %s, now %s", probe->name,
		     bits_text(required), bits_text(probe->last));
	if ((probe->new_ready & forbidden) != 0)
		FAIL("%s: %s came, of which %s must not", probe->name, bits_text(probe->new_ready),
		     bits_text(probe->new_ready & forbidden));
	return take_calls(probe, AS_ONE);
}

unsigned expect_one_call(brink_loop *loop, struct probe *probe, unsigned required, unsigned forbidden)
{
	uint64_t end = hang_deadline();

	while (probe->new_calls == 0) {
		turn(loop);
		if (monotonic_now() > end)
			FAIL("%s: %s was to come, but nothing came", probe->name, bits_text(required));
	}
	if (probe->new_calls != 1)
		FAIL("%s: one call was to come, but %u came", probe->name, probe->new_calls);
	if ((probe->new_ready & required) != required)
		FAIL("%s: %s was to come in one call, but that said %s", probe->name, bits_text(required),
		     bits_text(probe->new_ready));
	return expect_event(loop, probe, required, forbidden);
}

/* A wait that ends without a call was for nothing: a few are permitted (an edge for a closed
 * direction), a busy loop is not, be it one of turns or one inside a turn. */
static void quiet_turns(brink_loop *loop)
{
	struct brink_counters before, after;
	uint64_t now, end;
	unsigned turns = 0;

	brink_loop_counters(loop, &before);
	for (int i = 0; i < QUIET_TURNS; i++)
		CHECK_OK(brink_loop_run_once(loop, 0));
	end = monotonic_now() + QUIET_TIME;
	while ((now = monotonic_now()) < end && turns++ < TURN_LIMIT)
		CHECK_OK(brink_loop_run_once(loop, (int64_t)(end - now)));
	CHECK_OK(brink_loop_run_once(loop, 0));
	brink_loop_counters(loop, &after);
	if (turns > TURN_LIMIT || after.waits - before.waits > TURN_LIMIT)
		FAIL("a busy loop: %u turns, %llu waits in %u ms", turns,
		     (unsigned long long)(after.waits - before.waits), (unsigned)(QUIET_TIME / BRINK_MS(1)));
}

static void check_expected(const char *when)
{
	const struct case_record *record = child_record();
	unsigned count = atomic_load(&child_record()->call_count);
	const struct call_record *last = &record->calls[(count < CALL_LIMIT ? count : CALL_LIMIT) - 1];

	if (atomic_load(&unexpected) != 0)
		FAIL("%u unexpected calls %s silence; the last event, of %s, said %s", atomic_load(&unexpected), when,
		     record->names[last->probe], bits_text(last->ready));
}

void expect_silence(brink_loop *loop)
{
	if (atomic_load(&unexpected) != 0)
		check_expected("before");
	quiet_turns(loop);
	if (atomic_load(&unexpected) != 0)
		check_expected("instead of");
}

unsigned observe(brink_loop *loop, struct probe *probe, const char *cell, unsigned permitted)
{
	unsigned calls;

	quiet_turns(loop);
	if (probe->twice)
		FAIL("%s: the same direction came again without rearm: %s", probe->name, bits_text(probe->last));
	if ((probe->new_ready & ~permitted) != 0)
		FAIL("%s: %s: %s came, of which only %s is permitted", probe->name, cell,
		     bits_text(probe->new_ready), bits_text(permitted));
	calls = probe->new_calls;
	measure(cell, "%s", bits_text(probe->new_ready));
	return calls == 0 ? 0 : take_calls(probe, HIDDEN);
}

/* Whether rearm may give an event for nothing: where a mechanism reports by its own rules
 * of what changed, and not by the state that it finds. */
static bool spurious_permitted(void)
{
	return strcmp(backend_name(), "kqueue") == 0;
}

void expect_quiet(brink_loop *loop, struct probe *probe, unsigned direction)
{
	unsigned spurious = 0;

	if (!spurious_permitted()) {
		expect_silence(loop);
		return;
	}
	CHECK_EQ(probe->new_calls, 0);
	for (quiet_turns(loop); probe->new_calls != 0; quiet_turns(loop)) {
		unsigned ready = probe->new_ready;

		if (probe->twice || (ready & ~direction) != 0 || ++spurious > SPURIOUS_LIMIT)
			FAIL("%s: after rearm without readiness: %s, time %u", probe->name, bits_text(ready), spurious);
		take_calls(probe, HIDDEN);
		CHECK_OK(brink_watch_rearm(&probe->watch, ready));
	}
	measure("events for nothing after rearm", "%u", spurious);
	expect_silence(loop);
}
