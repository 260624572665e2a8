/* Name servers that answer for one family, and for the other late or never: where c-ares asks them. With
 * getaddrinfo(3) nothing can be done about it. */
#include "client_stage.h"
#include "groups.h"
#include "names_stage.h"
#include "scarce.h"

#include <unistd.h>

/* The library asks for the families apart before it. */
#define LONG BRINK_MS(500)

struct stage {
	brink_loop *loop;
	brink_resolver *resolver;
	long blocks; /* when nothing is asked for */
};

static struct stage open_stage(void)
{
	struct stage stage;

	if (!asks_cares())
		SKIP("the library does not put the questions");
	scarce_memory();
	need_scripted_names();
	script_addresses("held.test", "127.0.0.1 ::1");
	script_addresses("mute4.test", "127.0.0.1 ::1");
	script_addresses("mute6.test", "127.0.0.1 ::1");
	script_addresses("mute6only.test", "::1");
	stage.loop = new_loop();
	stage.resolver = new_resolver(stage.loop, &(struct brink_resolver_options){.parallel = 1});
	stage.blocks = blocks_live();
	return stage;
}

/* What was asked is kept until it is answered, and no longer. */
static void expect_forgotten(struct stage *stage)
{
	CHECK(blocks_live() > stage->blocks);
	release_names();
	RUN_UNTIL(stage->loop, blocks_live() == stage->blocks);
}

static void close_stage(struct stage *stage)
{
	brink_resolver_destroy(stage->resolver);
	CHECK_OK(brink_loop_destroy(stage->loop));
	forget_names();
}

/* ---- answered by half ---- */

/* Far sooner than c-ares gives up, or asks again; and what is left of it holds up neither the loop nor the next. */
static void answered_with_one(const char *name, const char *address)
{
	struct stage stage = open_stage();
	uint64_t start = monotonic_now();
	struct asked asked;

	init_asked(&asked);
	for (unsigned i = 0; i < 3; i++) {
		ask_for(stage.resolver, &asked, name);
		expect_answer(stage.loop, &asked, address);
	}
	CHECK_OK(brink_loop_run(stage.loop));
	CHECK(is_slow() || monotonic_now() - start < BRINK_SECONDS(4));
	expect_forgotten(&stage);
	CHECK_EQ(asked.calls, 0);
	close_stage(&stage);
}

static void ipv6_never(enum kind kind)
{
	(void)kind;
	answered_with_one("mute6.test:1", "127.0.0.1:1");
}

static void ipv4_never(enum kind kind)
{
	(void)kind;
	answered_with_one("mute4.test:1", "[::1]:1");
}

/* That it has no address of the one family is no answer for both. */
static void no_address_is_no_answer(enum kind kind)
{
	struct stage stage = open_stage();
	struct asked asked;

	(void)kind;
	init_asked(&asked);
	ask_for(stage.resolver, &asked, "mute6only.test:1");
	turn_for(stage.loop, LONG);
	CHECK_EQ(names_asked(), 2); /* for both, and apart */
	CHECK_EQ(asked.calls, 0);
	expect_forgotten(&stage);
	expect_answer(stage.loop, &asked, "[::1]:1");
	close_stage(&stage);
}

/* ---- no longer wanted ---- */

static void cancelled(enum kind kind)
{
	struct stage stage = open_stage();
	struct asked asked;

	(void)kind;
	init_asked(&asked);
	ask_for(stage.resolver, &asked, "mute6.test:1");
	RUN_UNTIL(stage.loop, names_asked() == 1);
	CHECK_OK(brink_lookup_cancel(&asked.lookup));
	turn_for(stage.loop, LONG);
	CHECK_EQ(names_asked(), 1); /* and not apart */
	expect_forgotten(&stage);
	CHECK_EQ(asked.calls, 0);
	close_stage(&stage);
}

static void cancelled_when_asked_apart(enum kind kind)
{
	struct stage stage = open_stage();
	struct asked asked;

	(void)kind;
	init_asked(&asked);
	ask_for(stage.resolver, &asked, "held.test:1");
	RUN_UNTIL(stage.loop, names_held() == 2);
	CHECK_OK(brink_lookup_cancel(&asked.lookup));
	ask_for(stage.resolver, &asked, "mute4.test:1");
	turn_briefly(stage.loop);
	CHECK_EQ(names_asked(), 2);
	release_names();
	expect_answer(stage.loop, &asked, "127.0.0.1:1 [::1]:1");
	RUN_UNTIL(stage.loop, blocks_live() == stage.blocks);
	close_stage(&stage);
}

static void out_of_time(enum kind kind)
{
	struct stage stage = open_stage();
	struct asked asked;

	(void)kind;
	init_asked(&asked);
	asked.lookup.timeout = LONG;
	ask_for(stage.resolver, &asked, "held.test:1");
	expect_error(stage.loop, &asked, -ETIMEDOUT);
	CHECK_EQ(names_asked(), 2);
	expect_forgotten(&stage);
	CHECK_EQ(asked.calls, 0);
	close_stage(&stage);
}

/* ---- the end of the resolver ---- */

/* Before it is asked apart, after that, and when it is answered by half. */
static void destroyed(enum kind kind)
{
	static const struct {
		const char *name;
		unsigned asked, calls;
		int error;
	} ends[] = {
		{"mute6.test:1", 1, 0, -ECANCELED},
		{"held.test:1", 2, 0, -ECANCELED},
		{"mute6.test:1", 2, 1, 0},
	};

	(void)kind;
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		struct stage stage = open_stage();
		struct asked asked;

		init_asked(&asked);
		ask_for(stage.resolver, &asked, ends[i].name);
		RUN_UNTIL(stage.loop, names_asked() == ends[i].asked && asked.calls == ends[i].calls);
		brink_resolver_destroy(stage.resolver);
		CHECK_EQ(asked.calls, 1);
		CHECK_ERROR(asked.error, ends[i].error);
		CHECK(blocks_live() < stage.blocks);
		turn_for(stage.loop, LONG); /* no timer is left of it */
		CHECK_OK(brink_loop_run(stage.loop));
		CHECK_OK(brink_loop_destroy(stage.loop));
		forget_names();
	}
}

static void destroyed_in_a_forked_child(enum kind kind)
{
	struct stage stage = open_stage();
	struct asked asked;
	pid_t child;

	(void)kind;
	init_asked(&asked);
	ask_for(stage.resolver, &asked, "held.test:1");
	RUN_UNTIL(stage.loop, names_held() == 2);
	child = fork();
	SYSCALL(child);
	if (child == 0) {
		brink_resolver_destroy(stage.resolver);
		_exit(brink_lookup_cancel(&asked.lookup) == -ENOENT && blocks_live() < stage.blocks ? 0 : 1);
	}
	expect_success_of(child);
	release_names();
	expect_answer(stage.loop, &asked, "127.0.0.1:1 [::1]:1");
	close_stage(&stage);
}

static const struct scenario scenarios[] = {
	SCENARIO("resolver-family/ipv6-never", ipv6_never, KIND_NONE),
	SCENARIO("resolver-family/ipv4-never", ipv4_never, KIND_NONE),
	SCENARIO("resolver-family/no-address-is-no-answer", no_address_is_no_answer, KIND_NONE),
	SCENARIO("resolver-family/cancelled", cancelled, KIND_NONE),
	SCENARIO("resolver-family/cancelled-when-asked-apart", cancelled_when_asked_apart, KIND_NONE),
	SCENARIO("resolver-family/out-of-time", out_of_time, KIND_NONE),
	SCENARIO("resolver-family/destroyed", destroyed, KIND_NONE),
	SCENARIO("resolver-family/destroyed-in-a-forked-child", destroyed_in_a_forked_child, KIND_NONE),
	NO_MORE_SCENARIOS,
};
const struct group resolver_family_group = {"resolver-family", scenarios};
