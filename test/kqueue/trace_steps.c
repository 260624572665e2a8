/* What each step of the record expects, and what came of it. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct step steps[] = {
#include "record.h"
};

#define STEPS (sizeof steps / sizeof steps[0])

static unsigned passed, failed, skipped;

void fail_here(const char *what)
{
	fprintf(stderr, "trace: %s: %s\n", what, strerror(errno));
	exit(2);
}

struct step *step_of(const char *id)
{
	for (size_t i = 0; i < STEPS; i++)
		if (strcmp(steps[i].id, id) == 0)
			return &steps[i];
	fprintf(stderr, "trace: no step %s\n", id);
	exit(2);
}

/* Whether `got` is one of the alternatives of `expected`. */
bool is_among(const char *got, const char *expected)
{
	size_t length = strlen(got);

	for (;;) {
		const char *bar = strstr(expected, " | ");
		size_t size = bar != NULL ? (size_t)(bar - expected) : strlen(expected);

		if (size == length && memcmp(got, expected, size) == 0)
			return true;
		if (bar == NULL)
			return false;
		expected = bar + 3;
	}
}

void judge(const char *id, const char *got)
{
	struct step *step = step_of(id);

	step->done = true;
	if (step->not_on_stand_in != NULL && on_stand_in) {
		printf("skip  %s: %s: %s\n", id, step->what, step->not_on_stand_in);
		skipped++;
	} else if (is_among(got, step->expected)) {
		passed++;
	} else {
		printf("FAIL  %s: %s: %s, expected %s\n", id, step->what, got, step->expected);
		failed++;
	}
}

void judge_number(const char *id, long number)
{
	char text[32];

	snprintf(text, sizeof text, "%ld", number);
	judge(id, text);
}

const char *name_of(int error)
{
	static char other[16];

	switch (error) {
	case 0:
		return "0";
	case EBADF:
		return "EBADF";
	case ECONNREFUSED:
		return "ECONNREFUSED";
	case EINVAL:
		return "EINVAL";
	case ENOENT:
		return "ENOENT";
	case EPIPE:
		return "EPIPE";
	default:
		snprintf(other, sizeof other, "error %d", error);
		return other;
	}
}

unsigned verdict(void)
{
	for (size_t i = 0; i < STEPS; i++) {
		if (!steps[i].done) {
			printf("FAIL  %s: %s: not played\n", steps[i].id, steps[i].what);
			failed++;
		}
	}
	printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	return failed;
}
