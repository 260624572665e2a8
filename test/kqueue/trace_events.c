/* Changes and events of a kqueue, and the words for them. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "trace.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int kq = -1;
bool without_data;

struct kevent change(int fd, bool write, unsigned flags, char tag)
{
	struct kevent change;
	uintptr_t udata = (unsigned char)tag;

	memset(&change, 0, sizeof change);
	change.ident = (uintptr_t)fd;
	if (write)
		change.filter = EVFILT_WRITE;
	else
		change.filter = EVFILT_READ;
	change.flags = (unsigned short)flags;
	memcpy(&change.udata, &udata, sizeof udata);
	return change;
}

int call(int queue, struct kevent *array, int changes, int room, long milliseconds)
{
	struct timespec limit = { .tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000 };
	int n;

	do
		n = kevent(queue, array, (unsigned short)changes, array, (unsigned short)room, &limit);
	while (n < 0 && errno == EINTR);
	return n;
}

/* One change, without room for answers: 0 or the error. */
int apply(int fd, bool write, unsigned flags, char tag)
{
	struct kevent array[1] = { change(fd, write, flags, tag) };

	return call(kq, array, 1, 0, 0) < 0 ? errno : 0;
}

void watch(int fd, const char *filters)
{
	for (; *filters != '\0'; filters++)
		if (apply(fd, *filters == 'W', EV_ADD | EV_CLEAR, 0) != 0)
			fail_here("EV_ADD");
}

static bool is_write(const struct kevent *event)
{
	return event->filter == EVFILT_WRITE;
}

static char tag_of(const struct kevent *event)
{
	return (char)(uintptr_t)event->udata;
}

void say(char *text, size_t size, const struct kevent *event)
{
	size_t used = strlen(text);
	char tag = tag_of(event), data[24] = "", parts[64];

	if (!is_write(event) && !without_data)
		snprintf(data, sizeof data, ",%lld", (long long)event->data);
	snprintf(parts, sizeof parts, "%s%s%s", data, event->flags & EV_EOF ? ",EOF" : "",
	         (event->flags & EV_EOF) && event->fflags != 0 ? ",ff" : "");
	if (event->flags & EV_ERROR)
		snprintf(parts, sizeof parts, ",%s", name_of((int)event->data));
	snprintf(text + used, size - used, "%s%.*s%s%s%s%s%s", used > 0 ? " " : "", tag != 0, &tag, tag != 0 ? ":" : "",
	         is_write(event) ? "W" : "R", parts[0] != '\0' ? "(" : "", parts[0] != '\0' ? parts + 1 : "",
	         parts[0] != '\0' ? ")" : "");
}

/* By tag, READ before WRITE; of what a filter said twice the last. */
static int order(const void *left, const void *right)
{
	const struct kevent *a = left, *b = right;

	if (tag_of(a) != tag_of(b))
		return tag_of(a) < tag_of(b) ? -1 : 1;
	return is_write(a) - is_write(b);
}

void record(struct record *record, const struct kevent *event)
{
	int i = 0;

	while (i < record->count && order(&record->events[i], event) != 0)
		i++;
	if (i == (int)(sizeof record->events / sizeof record->events[0]))
		return;
	record->events[i] = *event;
	if (i == record->count)
		record->count++;
	qsort(record->events, (size_t)record->count, sizeof record->events[0], order);
	record->text[0] = '\0';
	for (i = 0; i < record->count; i++)
		say(record->text, sizeof record->text, &record->events[i]);
}

long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (long)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Takes events, `room` at a time, until they are what step `id` expects, or nothing more
 * is to be hoped for. */
void wait_from(int queue, const char *id, int room)
{
	const struct step *step = step_of(id);
	bool silence = is_among("-", step->expected);
	long end = now() + (silence || (step->not_on_stand_in && on_stand_in) ? SILENCE : PATIENCE);
	struct record got = { .text = "-" };

	do {
		struct kevent array[8];
		long left = end - now();
		int n = call(queue, array, 0, room, left > 0 ? left : 0);

		if (n < 0)
			fail_here("kevent");
		for (int i = 0; i < n; i++)
			record(&got, &array[i]);
	} while (now() < end && (strcmp(got.text, "-") == 0 || !is_among(got.text, step->expected)));
	judge(id, got.text);
}

void expect(const char *id)
{
	wait_from(kq, id, 8);
}

void expect_error(const char *id, int error)
{
	judge(id, name_of(error));
}
