/* Which backend a loop gets. */
#include "config.h"

#include "loop.h"
#include "memory.h"
#include "os.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What "auto" prefers comes first. io_uring as readiness is no faster than epoll, and
 * closing is dearer: it is there to be asked for. */
static const struct brink__dispatcher_ops *const backends[] = {
#ifdef HAVE_BACKEND_KQUEUE
	&brink__kqueue,
#endif
#ifdef HAVE_BACKEND_EPOLL
	&brink__epoll,
#endif
#ifdef HAVE_BACKEND_POLL
	&brink__poll,
#endif
#ifdef HAVE_BACKEND_IO_URING
	&brink__io_uring,
#endif
};

#define BACKENDS (sizeof backends / sizeof backends[0])

static const struct brink__dispatcher_ops *named(const char *name, size_t length)
{
	if (length == 4 && memcmp(name, "auto", 4) == 0)
		return backends[0];
	for (size_t i = 0; i < BACKENDS; i++)
		if (strlen(backends[i]->name) == length && memcmp(backends[i]->name, name, length) == 0)
			return backends[i];
	return NULL;
}

static void describe(brink_loop *loop, const char *format, const char *name, const char *why)
{
	size_t used = strlen(loop->description);

	snprintf(loop->description + used, sizeof loop->description - used, format, name, why);
}

/* One name of the list: opens it, or says why not. */
static int try(brink_loop *loop, const char *name, size_t length)
{
	const struct brink__dispatcher_ops *ops = named(name, length);
	struct brink__dispatcher_options options = brink__loop_dispatcher_options(loop);
	int result;

	if (ops == NULL)
		return -ENOENT;
	loop->ops = ops;
	result = ops->open(&loop->dispatcher, &options);
	if (result == 0)
		brink__loop_note_features(loop);
	return result;
}

static const char *asked(const char *option)
{
	const char *environment;

	if (option != NULL)
		return option;
	environment = brink__os_getenv("BRINK_BACKEND");
	return environment != NULL && environment[0] != '\0' ? environment : BRINK_DEFAULT_BACKEND;
}

/* The name, without the spaces around it, that the list starts with; its length. */
static size_t first_name(const char **list)
{
	size_t length;

	*list += strspn(*list, " ");
	length = strcspn(*list, ",");
	while (length > 0 && (*list)[length - 1] == ' ')
		length--;
	return length;
}

int brink__choose(brink_loop *loop, const char *option)
{
	const char *list = asked(option);
	char passed[sizeof loop->description] = "";
	int result;

	for (;;) {
		size_t length = first_name(&list), used = strlen(passed);

		result = try(loop, list, length);
		if (result == 0)
			break;
		brink__log(BRINK_LOG_WARNING, "backend %.*s: %s", (int)length, list, brink_strerror(result));
		snprintf(passed + used, sizeof passed - used, "%s%.*s: %s", used != 0 ? "; " : "", (int)length, list,
		         result == -ENOENT ? "not compiled in" : brink_strerror(result));
		list += strcspn(list, ",");
		if (*list == '\0')
			return result;
		list++;
	}
	describe(loop, "%s%s", loop->ops->name, loop->ops->features & BRINK_FEATURE_STAND_IN ? " (stand-in)" : "");
	if (passed[0] != '\0')
		describe(loop, " (%s%s)", passed, "");
	brink__log(BRINK_LOG_INFO, "loop on %s", loop->description);
	return 0;
}

/* ---- brink_backends() ---- */

static int probe(const struct brink__dispatcher_ops *ops, unsigned *features)
{
	struct brink__table table = {0};
	struct brink__dispatcher_options options = {
		.table = &table, .batch = 1, .ring_entries = 1, .receive_buffers = 1};
	struct brink__dispatcher *dispatcher;
	int result = ops->open(&dispatcher, &options);

	*features = ops->features;
	if (result < 0)
		return result;
	if (ops->moves != NULL)
		*features |= ops->moves(dispatcher);
	ops->close(dispatcher);
	return 0;
}

static const struct brink__dispatcher_ops *first(void)
{
	size_t length = strcspn(BRINK_DEFAULT_BACKEND, ",");
	const struct brink__dispatcher_ops *ops = named(BRINK_DEFAULT_BACKEND, length);

	return ops != NULL ? ops : backends[0];
}

static void inform(struct brink_backend_info *info, const struct brink__dispatcher_ops *ops)
{
	unsigned features;
	int status = probe(ops, &features);

	*info = (struct brink_backend_info){
		.name = ops->name,
		.status = status,
		.features = features,
		.is_default = ops == first(),
		.note = ops->note,
	};
}

size_t brink_backends(struct brink_backend_info *list, size_t capacity)
{
	size_t written = 0;

	if (capacity > 0)
		inform(&list[written++], first());
	for (size_t i = 0; i < BACKENDS; i++)
		if (backends[i] != first() && written < capacity)
			inform(&list[written++], backends[i]);
	return BACKENDS;
}
