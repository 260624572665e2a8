/* What a resolver answers, and when. */
#include "groups.h"
#include "names_stage.h"

#include <netdb.h>
#include <string.h>

struct stage {
	brink_loop *loop;
	brink_resolver *resolver;
};

static struct stage open_stage(const struct brink_resolver_options *options)
{
	struct stage stage;

	need_scripted_names();
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

/* ---- numbers ---- */

static void expect_itself(struct stage *stage, const char *name)
{
	struct asked asked;

	init_asked(&asked);
	ask_for(stage->resolver, &asked, name);
	expect_answer(stage->loop, &asked, name);
}

/* Nor does it need a thread. */
static void numbers_need_nobody(enum kind kind)
{
	struct stage stage = open_stage(NULL);
	struct asked asked;

	(void)kind;
	expect_itself(&stage, "127.0.0.1:80");
	expect_itself(&stage, "[::1]:0");
	expect_itself(&stage, "[2001:db8::17]:65535");
	expect_itself(&stage, "[fe80::1%1000000]:8"); /* the scope by number */
	expect_itself(&stage, "unix:/nowhere/to/be:found");
	init_asked(&asked);
	asked.lookup.family = AF_INET6;
	ask_for(stage.resolver, &asked, "127.0.0.1:80");
	expect_error(stage.loop, &asked, -EAFNOSUPPORT);
	CHECK_EQ(names_asked(), 0);
	close_stage(&stage);
}

static void numbers_with_services(enum kind kind)
{
	struct stage stage;
	struct asked asked;

	(void)kind;
	need_names_of_the_system();
	stage = open_stage(NULL);
	init_asked(&asked);
	ask_for(stage.resolver, &asked, "127.0.0.1:80junk");
	expect_error(stage.loop, &asked, -BRINK_ENOSERVICE);
	CHECK_ERROR(brink_lookup_start(stage.resolver, &asked.lookup, "[fe80::1%nosuchif]:https"), -ENODEV);
	if (getservbyname("https", "tcp") != NULL) { /* not on a system without netbase or its like */
		ask_for(stage.resolver, &asked, "[fe80::1%1000000]:https");
		expect_answer(stage.loop, &asked, "[fe80::1%1000000]:443");
		asked.lookup.family = AF_INET;
		ask_for(stage.resolver, &asked, "[::1]:https");
		expect_error(stage.loop, &asked, -EAFNOSUPPORT);
	}
	CHECK_EQ(names_asked(), 0);
	close_stage(&stage);
}

static void what_is_no_name(enum kind kind)
{
	static const char *const texts[] = {"", ":", "a", "a.test", "a.test:", "a:b:80", "[::1:80", "::1]:80", "[]:80",
		"[a:80", "[a.test]:80", "[127.0.0.1]:http", "a.test:65536", "a.test:99999999999999999999", "127.0.0.1", "unix:", "a.test:-1",
		"a.test:+80", "a.test:+70000", "a.test: 80", "127.0.0.1:\t80"};
	struct stage stage = open_stage(NULL);
	char text[400];
	struct asked asked;

	(void)kind;
	init_asked(&asked);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (brink_lookup_start(stage.resolver, &asked.lookup, texts[i]) != -EINVAL)
			FAIL("\"%s\" was taken", texts[i]);
	memset(text, 'a', sizeof text);
	strcpy(text + 256, ":80");
	CHECK_ERROR(brink_lookup_start(stage.resolver, &asked.lookup, text), -ENAMETOOLONG);
	strcpy(text, "a.test:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	CHECK_ERROR(brink_lookup_start(stage.resolver, &asked.lookup, text), -ENAMETOOLONG);
	CHECK_ERROR(brink_lookup_start(stage.resolver, &asked.lookup, "[fe80::1%nosuchif]:80"), -ENODEV);
	asked.lookup.family = AF_UNIX;
	CHECK_ERROR(brink_lookup_start(stage.resolver, &asked.lookup, "a.test:80"), -EINVAL);
	asked.lookup.family = 0;
	CHECK_ERROR(brink_lookup_cancel(&asked.lookup), -ENOENT);
	ask_for(stage.resolver, &asked, "127.0.0.1:1");
	CHECK_ERROR(brink_lookup_start(stage.resolver, &asked.lookup, "127.0.0.1:1"), -EEXIST);
	expect_answer(stage.loop, &asked, "127.0.0.1:1");
	asked.lookup.call = NULL;
	CHECK_ERROR(brink_lookup_start(stage.resolver, &asked.lookup, "127.0.0.1:1"), -EINVAL);
	CHECK_EQ(names_asked(), 0);
	close_stage(&stage);
}

/* ---- answers ---- */

static void addresses_in_order(enum kind kind)
{
	struct stage stage = open_stage(NULL);
	struct asked asked;

	(void)kind;
	script_addresses("many.test", "::2 127.0.0.2 ::2 127.0.0.1 127.0.0.2 ::1");
	init_asked(&asked);
	ask_for(stage.resolver, &asked, "many.test:80");
	expect_answer(stage.loop, &asked, "[::2]:80 127.0.0.2:80 127.0.0.1:80 [::1]:80");
	if (!asks_cares() || getservbyname("https", "tcp") != NULL) {
		ask_for(stage.resolver, &asked, "many.test:https");
		expect_answer(stage.loop, &asked, "[::2]:443 127.0.0.2:443 127.0.0.1:443 [::1]:443");
	}
	asked.lookup.family = AF_INET;
	ask_for(stage.resolver, &asked, "many.test:0");
	expect_answer(stage.loop, &asked, "127.0.0.2:0 127.0.0.1:0");
	asked.lookup.family = AF_INET6;
	ask_for(stage.resolver, &asked, "many.test:65535");
	expect_answer(stage.loop, &asked, "[::2]:65535 [::1]:65535");
	close_stage(&stage);
}

static void errors_told_apart(enum kind kind)
{
	static const int errors[] = {BRINK_ENONAME, BRINK_ENAMEAGAIN, BRINK_ENAMEFAILED, BRINK_ENOSERVICE, ENOMEM,
		EMFILE};
	struct stage stage = open_stage(NULL);
	struct asked asked;

	(void)kind;
	init_asked(&asked);
	/* Those after the third are told by no name server. */
	for (size_t i = 0; i < (asks_cares() ? 3 : sizeof errors / sizeof errors[0]); i++) {
		script_error("wrong.test", errors[i]);
		ask_for(stage.resolver, &asked, "wrong.test:80");
		expect_error(stage.loop, &asked, -errors[i]);
		for (size_t j = 0; j < i; j++)
			CHECK(strcmp(brink_strerror(-errors[i]), brink_strerror(-errors[j])) != 0);
	}
	/* It has none of this family. */
	script_addresses("four.test", "127.0.0.1");
	asked.lookup.family = AF_INET6;
	ask_for(stage.resolver, &asked, "four.test:80");
	expect_error(stage.loop, &asked, -BRINK_ENOADDRESS);
	close_stage(&stage);
}

/* As this machine has it: with the loopback interface alone, too. */
static void localhost(enum kind kind)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
	struct stage stage;
	struct brink_address address;
	char expected[512] = "", text[BRINK_ADDRESS_TEXT];
	struct asked asked;

	(void)kind;
	need_names_of_the_system();
	stage = open_stage(NULL);
	if (getaddrinfo("localhost", "7", &hints, &list) != 0) {
		close_stage(&stage);
		SKIP("this machine does not know localhost");
	}
	for (struct addrinfo *entry = list; entry != NULL; entry = entry->ai_next) {
		CHECK_OK(brink_address_from_sockaddr(&address, entry->ai_addr, entry->ai_addrlen));
		CHECK_OK(brink_address_format(&address, text, sizeof text));
		if (strstr(expected, text) != NULL)
			continue;
		if (expected[0] != '\0')
			strcat(expected, " ");
		strcat(expected, text);
	}
	freeaddrinfo(list);
	init_asked(&asked);
	ask_for(stage.resolver, &asked, "localhost:7");
	/* RFC 6761 has it that it is both, whatever the hosts file says; c-ares follows that by now. */
	RUN_UNTIL(stage.loop, asked.calls > 0);
	if (asks_cares() && asked.count == 2 && strstr(asked.text, "127.0.0.1:7") && strstr(asked.text, "[::1]:7"))
		strcpy(expected, asked.text);
	expect_answer(stage.loop, &asked, expected);
	close_stage(&stage);
}

/* A started lookup is a reason to run, and an ended one is not. */
static void keeps_the_loop(enum kind kind)
{
	struct stage stage = open_stage(NULL);
	struct asked asked;

	(void)kind;
	script_addresses("one.test", "127.0.0.1");
	init_asked(&asked);
	ask_for(stage.resolver, &asked, "one.test:1");
	CHECK_OK(brink_loop_run(stage.loop));
	CHECK_EQ(asked.calls, 1);
	close_stage(&stage);
}

/* In its own call a lookup may be started again, and the resolver destroyed. */
static struct {
	struct asked asked;
	brink_resolver *resolver;
} again;

static void destroy_here(struct asked *asked)
{
	(void)asked;
	brink_resolver_destroy(again.resolver);
}

static void start_here(struct asked *asked)
{
	asked->act = destroy_here;
	CHECK_ERROR(brink_lookup_cancel(&asked->lookup), -ENOENT);
	ask_for(again.resolver, asked, "one.test:2");
}

static void in_its_own_call(enum kind kind)
{
	struct stage stage = open_stage(NULL);

	(void)kind;
	script_addresses("one.test", "127.0.0.1");
	init_asked(&again.asked);
	again.resolver = stage.resolver;
	again.asked.act = start_here;
	ask_for(stage.resolver, &again.asked, "one.test:1");
	expect_answer(stage.loop, &again.asked, "127.0.0.1:1");
	expect_answer(stage.loop, &again.asked, "127.0.0.1:2");
	CHECK_OK(brink_loop_destroy(stage.loop));
	forget_names();
}

static void options_are_checked(enum kind kind)
{
	brink_loop *loop = new_loop();
	brink_resolver *resolver;
	int nothing = 0;

	(void)kind;
	CHECK_ERROR(brink_resolver_create(&resolver, NULL, NULL), -EINVAL);
	CHECK_ERROR(brink_resolver_create(&resolver, loop, &(struct brink_resolver_options){.reserved = {&nothing}}),
	            -EINVAL);
	CHECK_ERROR(brink_resolver_create(&resolver, loop, &(struct brink_resolver_options){.servers = "no address"}),
	            strcmp(brink_resolver_backend(), "c-ares") == 0 ? -EINVAL : -ENOTSUP);
	brink_resolver_destroy(NULL);
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("resolver/numbers-need-nobody", numbers_need_nobody, KIND_NONE),
	SCENARIO("resolver/numbers-with-services", numbers_with_services, KIND_NONE),
	SCENARIO("resolver/what-is-no-name", what_is_no_name, KIND_NONE),
	SCENARIO("resolver/addresses-in-order", addresses_in_order, KIND_NONE),
	SCENARIO("resolver/errors-told-apart", errors_told_apart, KIND_NONE),
	SCENARIO("resolver/localhost", localhost, KIND_NONE),
	SCENARIO("resolver/keeps-the-loop", keeps_the_loop, KIND_NONE),
	SCENARIO("resolver/in-its-own-call", in_its_own_call, KIND_NONE),
	SCENARIO("resolver/options-are-checked", options_are_checked, KIND_NONE),
	NO_MORE_SCENARIOS,
};
const struct group resolver_group = {"resolver", scenarios};
