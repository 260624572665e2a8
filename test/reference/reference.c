/* Plays each script with libuv and with libbrink on every backend, and compares. A
 * difference must be explained in the table, and an explained one must be there. */
#include "reference.h"

#include <brink.h>

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OUTCOME_SIZE 2048
#define HANG 60 /* seconds */

static char outcome[OUTCOME_SIZE];
static const char *playing, *playing_on;
static time_t started;

void say(const char *format, ...)
{
	size_t used = strlen(outcome);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(outcome + used, sizeof outcome - used, format, arguments);
	va_end(arguments);
}

void note(unsigned id)
{
	say("%u ", id);
}

_Noreturn void broken(const char *what, int line)
{
	printf("FAILED: %s on %s: line %d: %s\n0 passed, 1 failed, 0 skipped\n", playing, playing_on, line, what);
	exit(1);
}

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

void start_time(void)
{
	started = seconds();
}

bool in_time(void)
{
	return seconds() - started <= HANG;
}

void add_received(struct stream *stream, const void *bytes, size_t size)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < size; i++)
		stream->sum = stream->sum * 31 + at[i];
	stream->received += size;
	stream->pieces++;
	if (stream->on_data != NULL)
		stream->on_data(stream);
}

void add_end(struct stream *stream, int error)
{
	stream->ended = true;
	stream->end = error;
}

static void play(const struct script *script, const struct side *side, char *result)
{
	outcome[0] = '\0';
	playing = script->name;
	playing_on = side->name;
	side->start(side);
	script->play(side);
	side->stop();
	memcpy(result, outcome, OUTCOME_SIZE);
}

/* True when it is as the table says. */
static bool judge(const struct script *script, const char *backend, const char *uv, const char *brink)
{
	bool same = strcmp(uv, brink) == 0;

	if (same && script->difference == NULL) {
		printf("ok: %s on %s: %s\n", script->name, backend, brink);
		return true;
	}
	if (!same && script->difference != NULL) {
		printf("ok: %s on %s: libuv: %s / libbrink: %s (%s)\n", script->name, backend, uv, brink,
		       script->difference);
		return true;
	}
	printf("FAILED: %s on %s\n    libuv:    %s\n    libbrink: %s\n", script->name, backend, uv, brink);
	if (script->difference != NULL)
		printf("    the table explains a difference that is not there: %s\n", script->difference);
	return false;
}

int main(void)
{
	struct brink_backend_info backends[8];
	size_t count = brink_backends(backends, 8);
	unsigned passed = 0, failed = 0, skipped = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN); /* libuv leaves it to the program */
	for (size_t i = 0; i < count; i++) {
		struct side side = brink_side;

		side.name = backends[i].name;
		if (backends[i].status != 0) {
			printf("skipped: %s: %s\n", side.name, brink_strerror(backends[i].status));
			skipped++;
			continue;
		}
		for (const struct script *script = scripts; script->name != NULL; script++) {
			char uv[OUTCOME_SIZE], brink[OUTCOME_SIZE];

			play(script, &uv_side, uv);
			play(script, &side, brink);
			if (judge(script, side.name, uv, brink))
				passed++;
			else
				failed++;
		}
	}
	printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	return failed != 0;
}
