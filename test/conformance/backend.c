/* How a backend is chosen, and what is said of it. */
#include "groups.h"
#include "seccomp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16 };

static size_t list_backends(struct brink_backend_info infos[MOST])
{
	size_t count = brink_backends(NULL, 0);

	CHECK(count > 0 && count <= MOST);
	CHECK_EQ(brink_backends(infos, MOST), count);
	return count;
}

static brink_loop *create(const char *backend)
{
	brink_loop *loop = NULL;

	CHECK_OK(brink_loop_create(&loop, &(struct brink_loop_options){.backend = backend}));
	return loop;
}

static void expect_backend(brink_loop *loop, const char *expected)
{
	CHECK(strcmp(brink_loop_backend(loop), expected) == 0);
	CHECK(strstr(brink_loop_description(loop), expected) != NULL);
	CHECK(strchr(brink_loop_description(loop), '\n') == NULL);
	CHECK_OK(brink_loop_destroy(loop));
}

static void list(enum kind kind)
{
	struct brink_backend_info infos[MOST];
	size_t count = list_backends(infos), defaults = 0, own = 0;

	(void)kind;
	SYSCALL(unsetenv("BRINK_COMPLETIONS")); /* a wish, of which the list knows nothing */
	for (size_t i = 0; i < count; i++) {
		CHECK(infos[i].name != NULL && infos[i].note != NULL && infos[i].status <= 0);
		defaults += infos[i].is_default != 0;
		if (strcmp(infos[i].name, backend_name()) == 0) {
			brink_loop *loop = new_loop();

			own++;
			CHECK_EQ(infos[i].status, 0);
			CHECK_EQ(brink_loop_features(loop), infos[i].features);
			CHECK_OK(brink_loop_destroy(loop));
		}
	}
	CHECK_EQ(own, 1);
	CHECK(defaults == 1 && infos[0].is_default);
	CHECK_EQ(brink_backends(infos, 1), count); /* writes no more than it may */
}

static void by_name(enum kind kind)
{
	char text[64];

	(void)kind;
	expect_backend(create(backend_name()), backend_name());
	snprintf(text, sizeof text, "%s,poll", backend_name());
	expect_backend(create(text), backend_name());
	snprintf(text, sizeof text, "%s,%s", backend_name(), backend_name());
	expect_backend(create(text), backend_name());
}

static void by_environment(enum kind kind)
{
	struct brink_backend_info infos[MOST];
	size_t count = list_backends(infos);
	brink_loop *loop = NULL;

	(void)kind;
	SYSCALL(setenv("BRINK_BACKEND", backend_name(), 1));
	expect_backend(create(NULL), backend_name());
	CHECK_OK(brink_loop_create(&loop, NULL));
	expect_backend(loop, backend_name());
	for (size_t i = 0; i < count; i++) /* an option wins */
		if (infos[i].status == 0)
			expect_backend(create(infos[i].name), infos[i].name);
	SYSCALL(setenv("BRINK_BACKEND", "no such backend", 1));
	CHECK_ERROR(brink_loop_create(&loop, NULL), -ENOENT);
	expect_backend(create(backend_name()), backend_name());
	SYSCALL(unsetenv("BRINK_BACKEND"));
	loop = create("auto");
	CHECK_OK(brink_loop_destroy(loop));
}

/* What the kernel, or a filter, refuses is passed over in a list, which says so; asked for
 * alone it fails with the reason. */
static void expect_refused(int error)
{
	struct brink_backend_info infos[MOST];
	brink_loop *loop = NULL;
	size_t count, refused = MOST;

	if (!refuse_io_uring(error))
		SKIP("this system cannot be made to refuse a backend");
	count = list_backends(infos);
	for (size_t i = 0; i < count; i++)
		if (strcmp(infos[i].name, "io_uring") == 0)
			refused = i;
	if (refused == MOST)
		SKIP("io_uring is not compiled in");
	CHECK_EQ(infos[refused].status, -error);
	CHECK_ERROR(brink_loop_create(&loop, &(struct brink_loop_options){.backend = "io_uring"}), -error);
	CHECK(loop == NULL);
	CHECK_ERROR(brink_loop_create(&loop, &(struct brink_loop_options){.backend = "io_uring,io_uring"}), -error);
	loop = create("io_uring, poll");
	CHECK(strstr(brink_loop_description(loop), "io_uring") != NULL);
	expect_backend(loop, "poll");
}

static void refused_by_filter(enum kind kind)
{
	(void)kind;
	expect_refused(EPERM);
}

static void refused_by_old_kernel(enum kind kind)
{
	(void)kind;
	expect_refused(ENOSYS);
}

static void options(enum kind kind)
{
	static int thing;
	struct brink_loop_options with_reserved = {.batch = 0};
	brink_loop *loop = NULL;

	(void)kind;
	CHECK_ERROR(try_loop(&loop, &(struct brink_loop_options){.batch = 65537}), -EINVAL);
	CHECK_ERROR(try_loop(&loop, &(struct brink_loop_options){.ring_entries = 32769}), -EINVAL);
	with_reserved.reserved[3] = &thing;
	CHECK_ERROR(try_loop(&loop, &with_reserved), -EINVAL);
	CHECK_ERROR(brink_loop_create(&loop, &(struct brink_loop_options){.backend = "no such backend"}), -ENOENT);
	CHECK_ERROR(brink_loop_create(&loop, &(struct brink_loop_options){.backend = ""}), -ENOENT);
	CHECK_OK(try_loop(&loop, &(struct brink_loop_options){.batch = 65536}));
	CHECK_OK(brink_loop_destroy(loop));
	CHECK_OK(try_loop(&loop, &(struct brink_loop_options){.batch = 1, .ring_entries = 1}));
	CHECK_EQ(brink_loop_run(loop), 0);
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("backend/list", list, 0, .promises = {24}),
	SCENARIO("backend/by-name", by_name, 0, .promises = {24}),
	SCENARIO("backend/by-environment", by_environment, 0, .promises = {24}),
	SCENARIO("backend/refused-by-a-filter", refused_by_filter, 0, .promises = {24}),
	SCENARIO("backend/refused-by-an-old-kernel", refused_by_old_kernel, 0, .promises = {24}),
	SCENARIO("backend/options", options, 0, .promises = {14, 24}),
	NO_MORE_SCENARIOS,
};

const struct group backend_group = {"backend", scenarios};
