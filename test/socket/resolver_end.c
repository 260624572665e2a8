/* Lookups that end otherwise than by an answer: cancelled, too late, too many, without memory or
 * threads; and resolvers that end before their lookups. */
#include "groups.h"
#include "names_stage.h"
#include "scarce.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAMES_ADDRESS "127.0.0.1:1"

struct stage {
	brink_loop *loop;
	brink_resolver *resolver;
};

/* "one.test" has an answer; "held.test" when it is released. */
static struct stage open_stage(const struct brink_resolver_options *options)
{
	struct stage stage;

	need_scripted_names();
	script_addresses("one.test", "127.0.0.1");
	script_addresses("held.test", "127.0.0.1");
	stage.loop = new_loop();
	stage.resolver = new_resolver(stage.loop, options);
	return stage;
}

static void close_stage(struct stage *stage)
{
	brink_resolver_destroy(stage->resolver);
	CHECK_OK(brink_loop_destroy(stage->loop));
	forget_names();
}

static void await_held(brink_loop *loop, unsigned count)
{
	RUN_UNTIL(loop, names_held() == count);
}

static struct asked *new_asked(void)
{
	struct asked *asked = malloc(sizeof *asked);

	CHECK(asked != NULL);
	init_asked(asked);
	return asked;
}

/* ---- too many ---- */

static unsigned order[8], answers;

static void note_order(struct asked *asked)
{
	CHECK_OK(asked->error);
	order[answers++] = asked->lookup.addresses[0].length > 0 ? brink_address_port(&asked->lookup.addresses[0]) : 0;
}

/* One is asked for, two wait; the next is refused until there is room. */
static void bounded(enum kind kind)
{
	struct stage stage = open_stage(&(struct brink_resolver_options){.parallel = 1, .waiting = 2});
	struct asked asked[4];

	(void)kind;
	for (unsigned i = 0; i < 4; i++) {
		init_asked(&asked[i]);
		asked[i].act = note_order;
	}
	ask_for(stage.resolver, &asked[0], "held.test:1");
	ask_for(stage.resolver, &asked[1], "held.test:2");
	ask_for(stage.resolver, &asked[2], "held.test:3");
	CHECK_ERROR(brink_lookup_start(stage.resolver, &asked[3].lookup, "held.test:4"), -EAGAIN);
	await_held(stage.loop, 1);
	/* Numbers need no room. */
	ask_for(stage.resolver, &asked[3], "127.0.0.1:7");
	expect_answer(stage.loop, &asked[3], "127.0.0.1:7");
	CHECK_OK(brink_lookup_cancel(&asked[1].lookup));
	ask_for(stage.resolver, &asked[3], "held.test:4");
	/* Who is cancelled while he is asked for still has his thread. */
	CHECK_OK(brink_lookup_cancel(&asked[0].lookup));
	CHECK_ERROR(brink_lookup_start(stage.resolver, &asked[0].lookup, "held.test:5"), -EAGAIN);
	CHECK_EQ(names_held(), 1);
	release_names();
	expect_answer(stage.loop, &asked[3], "127.0.0.1:4");
	CHECK_EQ(answers, 3);
	CHECK_EQ(order[1], 3);
	CHECK_EQ(order[2], 4);
	CHECK_EQ(asked[0].calls + asked[1].calls, 0);
	close_stage(&stage);
}

/* ---- cancelled ---- */

static void cancel_and_free(struct asked *asked)
{
	CHECK_OK(brink_lookup_cancel(&asked->lookup));
	CHECK_ERROR(brink_lookup_cancel(&asked->lookup), -ENOENT);
	CHECK_EQ(asked->calls, 0);
	memset(asked, 0x5a, sizeof *asked);
	free(asked);
}

/* While it waits, while it is asked for, and when the answer is there but not yet called with: its
 * memory is free at once. */
static void cancelled_at_any_time(enum kind kind)
{
	struct stage stage = open_stage(&(struct brink_resolver_options){.parallel = 1});
	struct asked *asked = new_asked(), *waiting = new_asked(), *answered = new_asked(), last;

	(void)kind;
	ask_for(stage.resolver, asked, "held.test:1");
	await_held(stage.loop, 1);
	ask_for(stage.resolver, waiting, "one.test:1");
	ask_for(stage.resolver, answered, "127.0.0.1:1");
	cancel_and_free(answered);
	cancel_and_free(waiting);
	cancel_and_free(asked);
	release_names();
	init_asked(&last);
	ask_for(stage.resolver, &last, "one.test:1");
	expect_answer(stage.loop, &last, NAMES_ADDRESS);
	CHECK_EQ(names_asked(), 2); /* nobody asked for the one that waited */
	close_stage(&stage);
}

/* The thread has answered, and the loop has not yet heard of it. */
static void cancelled_on_the_way(enum kind kind)
{
	struct stage stage = open_stage(NULL);

	(void)kind;
	for (unsigned i = 1; i <= 50; i++) {
		struct asked *asked = new_asked();

		ask_for(stage.resolver, asked, "one.test:1");
		for (uint64_t end = hang_deadline(); names_asked() < i || names_held() > 0;) {
			CHECK(monotonic_now() < end);
			sleep_ms(1);
		}
		if (i % 2 == 0)
			sleep_ms(1);
		cancel_and_free(asked);
		if (i % 3 == 0)
			turn_briefly(stage.loop);
	}
	close_stage(&stage);
}

/* ---- too late ---- */

static void times_out(enum kind kind)
{
	struct stage stage = open_stage(&(struct brink_resolver_options){.parallel = 1, .timeout = BRINK_MS(40)});
	struct asked first, second;
	uint64_t start = monotonic_now();

	(void)kind;
	init_asked(&first);
	init_asked(&second);
	ask_for(stage.resolver, &first, "held.test:1");
	second.lookup.timeout = BRINK_MS(60);
	ask_for(stage.resolver, &second, "one.test:1"); /* its turn does not come */
	expect_error(stage.loop, &first, -ETIMEDOUT);
	CHECK(monotonic_now() - start >= BRINK_MS(40));
	expect_error(stage.loop, &second, -ETIMEDOUT);
	CHECK(monotonic_now() - start >= BRINK_MS(60));
	release_names();
	second.lookup.timeout = BRINK_SECONDS(1000);
	ask_for(stage.resolver, &second, "one.test:1");
	expect_answer(stage.loop, &second, NAMES_ADDRESS);
	CHECK_EQ(first.calls, 0);
	close_stage(&stage);
}

/* Within which a slow machine, too, has begun to ask. */
#define WHILE BRINK_SECONDS(5)

/* The loop is held up until the time is over: an answer that came in time is one. */
static void held_up(enum kind kind)
{
	struct stage stage = open_stage(&(struct brink_resolver_options){.timeout = WHILE});
	uint64_t over = monotonic_now() + WHILE;
	struct asked asked;

	(void)kind;
	init_asked(&asked);
	ask_for(stage.resolver, &asked, "held.test:1");
	await_held(stage.loop, 1);
	release_names();
	while (monotonic_now() <= over)
		usleep(10000);
	expect_answer(stage.loop, &asked, NAMES_ADDRESS);
	close_stage(&stage);
}

/* ---- the end of the resolver ---- */

static struct asked *dropped;

static void drop_another(struct asked *asked)
{
	(void)asked;
	CHECK_OK(brink_lookup_cancel(&dropped->lookup));
}

/* It does not wait for those that get no answer, and what they hold is freed when they do. */
static void destroyed_meanwhile(enum kind kind)
{
	struct stage stage;
	struct asked *asked[5];
	long before;

	(void)kind;
	scarce_memory();
	need_scripted_names();
	before = blocks_live();
	stage = open_stage(&(struct brink_resolver_options){.parallel = 2});
	for (unsigned i = 0; i < 5; i++)
		asked[i] = new_asked();
	ask_for(stage.resolver, asked[0], "127.0.0.1:1");
	for (unsigned i = 1; i < 5; i++)
		ask_for(stage.resolver, asked[i], "held.test:1");
	for (uint64_t end = hang_deadline(); names_held() < 2; sleep_ms(1))
		CHECK(monotonic_now() < end);
	dropped = asked[4]; /* which waits behind the third */
	asked[3]->act = drop_another;
	brink_resolver_destroy(stage.resolver);
	for (unsigned i = 0; i < 5; i++) {
		CHECK_ERROR(brink_lookup_cancel(&asked[i]->lookup), -ENOENT);
		CHECK_EQ(asked[i]->calls, i == 4 ? 0 : 1);
		CHECK_ERROR(asked[i]->error, i == 4 ? 0 : -ECANCELED);
		free(asked[i]);
	}
	CHECK_OK(brink_loop_destroy(stage.loop));
	CHECK_EQ(names_held(), 2);
	CHECK(asks_cares() || blocks_live() > before);
	release_names();
	for (uint64_t end = hang_deadline(); blocks_live() > before; sleep_ms(1))
		CHECK(monotonic_now() < end);
	CHECK_EQ(names_asked(), 2);
	forget_names();
}

/* Answers that are on their way when it is destroyed. */
static void destroyed_on_the_way(enum kind kind)
{
	(void)kind;
	need_scripted_names();
	script_addresses("one.test", "127.0.0.1");
	for (unsigned i = 0; i < 50; i++) {
		brink_loop *loop = new_loop();
		brink_resolver *resolver = new_resolver(loop, NULL);
		struct asked asked[3];

		for (unsigned j = 0; j < 3; j++) {
			init_asked(&asked[j]);
			ask_for(resolver, &asked[j], "one.test:1");
		}
		for (unsigned j = i % 4; j > 0; j--)
			turn_briefly(loop);
		brink_resolver_destroy(resolver);
		CHECK_OK(brink_loop_destroy(loop));
	}
	forget_names();
}

static void in_a_forked_child(enum kind kind)
{
	struct stage stage = open_stage(NULL);
	struct asked asked, more;
	pid_t child;

	(void)kind;
	init_asked(&asked);
	init_asked(&more);
	ask_for(stage.resolver, &asked, "held.test:1");
	await_held(stage.loop, 1);
	child = fork();
	SYSCALL(child);
	if (child == 0) {
		bool well = brink_lookup_start(stage.resolver, &more.lookup, "one.test:1") == -ECANCELED;

		brink_resolver_destroy(stage.resolver);
		well = well && brink_lookup_cancel(&asked.lookup) == -ENOENT && brink_loop_destroy(stage.loop) == 0;
		_exit(well ? 0 : 1);
	}
	expect_success_of(child);
	release_names();
	expect_answer(stage.loop, &asked, NAMES_ADDRESS);
	close_stage(&stage);
}

/* ---- too little ---- */

static void without_memory(enum kind kind)
{
	bool failed = true;

	(void)kind;
	scarce_memory();
	need_scripted_names();
	script_addresses("two.test", "127.0.0.1 127.0.0.2");
	for (unsigned k = 1; failed; k++) {
		brink_loop *loop = new_loop();
		brink_resolver *resolver = NULL;
		struct asked asked[2];
		long before = blocks_live();
		int result;

		init_asked(&asked[0]);
		init_asked(&asked[1]);
		fail_allocation(k);
		result = brink_resolver_create(&resolver, loop, NULL);
		for (unsigned i = 0; i < 2 && result == 0; i++) {
			result = brink_lookup_start(resolver, &asked[i].lookup, i == 0 ? "two.test:1" : "127.0.0.1:1");
			if (result == 0) {
				RUN_UNTIL(loop, asked[i].calls > 0);
				result = asked[i].error;
			}
		}
		failed = allocation_failed();
		CHECK_ERROR(result, failed ? -ENOMEM : 0);
		brink_resolver_destroy(resolver);
		CHECK_EQ(blocks_live(), before);
		CHECK_OK(brink_loop_destroy(loop));
		CHECK(failed || k > 4);
	}
	forget_names();
}

/* The first name server is not there, so c-ares asks the next one, over a descriptor that it opens when other
 * lookups wait already; and the next one says everything once. What cannot be watched ends what is asked for,
 * and nothing else. */
static void without_a_watch(enum kind kind)
{
	struct brink_resolver_options options = {.parallel = 1};
	bool failed = true;
	char servers[128];

	(void)kind;
	if (!asks_cares())
		SKIP("nobody else has descriptors of his own");
	scarce_memory();
	need_scripted_names();
	script_addresses("once.test", "127.0.0.1");
	snprintf(servers, sizeof servers, "127.0.0.1:1,%s", getenv("BRINK_NAME_SERVERS"));
	options.servers = servers;
	for (unsigned k = 1; failed; k++) {
		brink_loop *loop = new_loop();
		brink_resolver *resolver = new_resolver(loop, &options);
		struct asked asked[3];
		unsigned errors = 0;

		for (unsigned i = 0; i < 3; i++) {
			init_asked(&asked[i]);
			asked[i].lookup.family = AF_INET; /* one question each */
			ask_for(resolver, &asked[i], "once.test:1");
		}
		fail_allocation(k);
		for (unsigned i = 0; i < 3; i++) {
			RUN_UNTIL(loop, asked[i].calls == 1);
			CHECK(asked[i].error == 0 || asked[i].error == -ENOMEM);
			errors += asked[i].error < 0;
		}
		failed = allocation_failed();
		CHECK_EQ(errors, failed);
		brink_resolver_destroy(resolver);
		CHECK_OK(brink_loop_destroy(loop));
		CHECK(failed || k > 1);
	}
	forget_names();
}

static void without_threads(enum kind kind)
{
	brink_loop *loop = new_loop();
	brink_resolver *resolver;
	struct asked asked;

	(void)kind;
	if (strcmp(brink_resolver_backend(), "getaddrinfo") != 0 || !limit_threads(0)) {
		brink_loop_destroy(loop);
		SKIP("threads cannot be made scarce here, or are not used");
	}
	resolver = new_resolver(loop, NULL);
	init_asked(&asked);
	ask_for(resolver, &asked, "one.test:1");
	expect_error(loop, &asked, -EAGAIN);
	ask_for(resolver, &asked, "127.0.0.1:1");
	expect_answer(loop, &asked, NAMES_ADDRESS);
	brink_resolver_destroy(resolver);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- many ---- */

#define LOOPS 4u
#define EACH 300u

static void *look_up_many(void *arg)
{
	brink_loop *loop = arg;
	brink_resolver *resolver = new_resolver(loop, &(struct brink_resolver_options){.parallel = 3});
	static const char *const names[] = {"one.test:1", "none.test:1", "127.0.0.1:1"};
	struct asked *asked = calloc(EACH, sizeof *asked);
	unsigned cancelled = 0, left = 0;

	CHECK(asked != NULL);
	for (unsigned i = 0; i < EACH; i++) {
		init_asked(&asked[i]);
		ask_for(resolver, &asked[i], names[i % 3]);
		if (i % 5 == 0) {
			turn_briefly(loop);
			cancelled += brink_lookup_cancel(&asked[i / 2].lookup) == 0;
		}
	}
	CHECK_OK(brink_loop_run(loop));
	for (unsigned i = 0; i < EACH; i++) {
		CHECK(asked[i].calls <= 1);
		left += asked[i].calls;
		CHECK(asked[i].calls == 0 || asked[i].error == (i % 3 == 1 ? -BRINK_ENONAME : 0));
	}
	CHECK_EQ(left, EACH - cancelled);
	free(asked);
	brink_resolver_destroy(resolver);
	return NULL;
}

static void many_from_many_loops(enum kind kind)
{
	pthread_t threads[LOOPS];
	brink_loop *loops[LOOPS];

	(void)kind;
	need_scripted_names();
	script_addresses("one.test", "127.0.0.1");
	for (unsigned i = 0; i < LOOPS; i++) {
		loops[i] = new_loop();
		CHECK_EQ(pthread_create(&threads[i], NULL, look_up_many, loops[i]), 0);
	}
	for (unsigned i = 0; i < LOOPS; i++) {
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
		CHECK_OK(brink_loop_destroy(loops[i]));
	}
	forget_names();
}

static const struct scenario scenarios[] = {
	SCENARIO("resolver-end/bounded", bounded, KIND_NONE),
	SCENARIO("resolver-end/cancelled-at-any-time", cancelled_at_any_time, KIND_NONE),
	SCENARIO("resolver-end/cancelled-on-the-way", cancelled_on_the_way, KIND_NONE),
	SCENARIO("resolver-end/times-out", times_out, KIND_NONE),
	SCENARIO("resolver-end/held-up", held_up, KIND_NONE),
	SCENARIO("resolver-end/destroyed-meanwhile", destroyed_meanwhile, KIND_NONE),
	SCENARIO("resolver-end/destroyed-on-the-way", destroyed_on_the_way, KIND_NONE),
	SCENARIO("resolver-end/in-a-forked-child", in_a_forked_child, KIND_NONE),
	SCENARIO("resolver-end/without-memory", without_memory, KIND_NONE),
	SCENARIO("resolver-end/without-a-watch", without_a_watch, KIND_NONE),
	SCENARIO("resolver-end/without-threads", without_threads, KIND_NONE),
	SCENARIO("resolver-end/many-from-many-loops", many_from_many_loops, KIND_NONE),
	NO_MORE_SCENARIOS,
};
const struct group resolver_end_group = {"resolver-end", scenarios};
