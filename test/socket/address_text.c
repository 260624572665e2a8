/* Addresses and their text. */
#include "groups.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct brink_address parsed(const char *text)
{
	struct brink_address address;
	int result = brink_address_parse(&address, text);

	if (result != 0)
		FAIL("\"%s\": %s", text, brink_strerror(result));
	return address;
}

static const char *formatted(const struct brink_address *address)
{
	static char text[BRINK_ADDRESS_TEXT];
	int length = brink_address_format(address, text, sizeof text);

	CHECK_OK(length);
	CHECK_EQ(strlen(text), length);
	return text;
}

static void expect_text(const struct brink_address *address, const char *expected)
{
	if (strcmp(formatted(address), expected) != 0)
		FAIL("\"%s\" and not \"%s\"", formatted(address), expected);
}

static void there_and_back(enum kind kind)
{
	static const char *const texts[][2] = {
		{"127.0.0.1:80", "127.0.0.1:80"},
		{"0.0.0.0:0", "0.0.0.0:0"},
		{"255.255.255.255:65535", "255.255.255.255:65535"},
		{"10.0.0.1:0080", "10.0.0.1:80"},
		{"[::1]:80", "[::1]:80"},
		{"[::]:0", "[::]:0"},
		{"[2001:DB8:0:0::1]:443", "[2001:db8::1]:443"},
		{"[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.1]:1"},
		{"[fe80::1%4000000000]:9", "[fe80::1%4000000000]:9"},
		{"unix:/run/brink.sock", "unix:/run/brink.sock"},
		{"unix:here", "unix:here"},
		{"unix:/with:colon@and space", "unix:/with:colon@and space"},
	};

	(void)kind;
	for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct brink_address address = parsed(texts[i][0]), again;

		expect_text(&address, texts[i][1]);
		again = parsed(texts[i][1]);
		CHECK(brink_address_equal(&address, &again));
		CHECK_EQ(address.length, again.length);
	}
}

static void bytes_of_an_address(enum kind kind)
{
	struct brink_address address = parsed("192.0.2.7:4660");
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;

	(void)kind;
	memcpy(&v4, &address.storage, sizeof v4);
	CHECK_EQ(address.length, sizeof v4);
	CHECK_EQ(v4.sin_family, AF_INET);
	CHECK_EQ(ntohl(v4.sin_addr.s_addr), 0xc0000207);
	CHECK_EQ(ntohs(v4.sin_port), 0x1234);
	CHECK_EQ(brink_address_port(&address), 0x1234);
	address = parsed("[::2%7]:5");
	memcpy(&v6, &address.storage, sizeof v6);
	CHECK_EQ(address.length, sizeof v6);
	CHECK_EQ(v6.sin6_family, AF_INET6);
	CHECK_EQ(v6.sin6_addr.s6_addr[15], 2);
	CHECK_EQ(v6.sin6_scope_id, 7);
	CHECK_EQ(brink_address_port(&address), 5);
	address = parsed("unix:/a");
	memcpy(&un, &address.storage, sizeof un);
	CHECK_EQ(un.sun_family, AF_UNIX);
	CHECK_EQ(strcmp(un.sun_path, "/a"), 0);
	CHECK_EQ(address.length, offsetof(struct sockaddr_un, sun_path) + 3);
	CHECK_EQ(brink_address_port(&address), 0);
}

static void any_address(enum kind kind)
{
	static const char *const texts[] = {"*:8080", ":8080"};

	(void)kind;
	for (unsigned i = 0; i < 2; i++) {
		struct brink_address address = parsed(texts[i]);

		CHECK_EQ(brink_address_port(&address), 8080);
		expect_text(&address, address.storage.ss_family == AF_INET6 ? "[::]:8080" : "0.0.0.0:8080");
	}
}

static void bad_text(enum kind kind)
{
	static const char *const texts[] = {
		"", ":", "*", "*:", "80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:-1", "127.0.0.1:+1",
		"127.0.0.1:65536", "127.0.0.1:99999999999999999999999", "127.0.0.1: 80", "127.0.0.1:80 ", " 127.0.0.1:80",
		"127.0.0:80", "127.0.0.256:80", "127.0.0.1.1:80", "localhost:80", "example.org:http",
		"::1:80", "[::1]", "[::1]80", "[::1]:", "[::1:80", "::1]:80", "[]:80", "[127.0.0.1]:80", "[:::]:80",
		"[::1]]:80", "[[::1]:80", "[fe80::1%]:80", "[fe80::1%0]:80", "[fe80::1%99999999999]:80", "**:80",
		"[1:2:3:4:5:6:7:8:9]:80", "unix:", "UNIX:/x", "tcp://127.0.0.1:80", "unix:@",
		"[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]:1",
	};
	struct brink_address address = parsed("127.0.0.1:1"), before = address;

	(void)kind;
	for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		int result = brink_address_parse(&address, texts[i]);

		if (result != -EINVAL && !(strchr(texts[i], '%') != NULL && result == -ENODEV))
			FAIL("\"%s\": %d", texts[i], result);
		CHECK_EQ(memcmp(&address, &before, sizeof address), 0);
	}
	CHECK_ERROR(brink_address_parse(&address, "[fe80::1%no-such-if]:80"), -ENODEV);
	CHECK_EQ(memcmp(&address, &before, sizeof address), 0);
}

static void scopes(enum kind kind)
{
	char name[IF_NAMESIZE], text[BRINK_ADDRESS_TEXT], expected[BRINK_ADDRESS_TEXT];
	struct brink_address by_number, by_name;

	(void)kind;
	if (if_indextoname(1, name) == NULL)
		SKIP("no interface has the number 1");
	by_number = parsed("[fe80::1%1]:80");
	snprintf(text, sizeof text, "[fe80::1%%%s]:80", name);
	by_name = parsed(text);
	CHECK(brink_address_equal(&by_name, &by_number));
	snprintf(expected, sizeof expected, "[fe80::1%%%s]:80", name);
	expect_text(&by_number, expected);
}

static void long_paths(enum kind kind)
{
	char text[256] = "unix:/";
	size_t room = sizeof ((struct sockaddr_un *)NULL)->sun_path;
	struct brink_address address;

	(void)kind;
	memset(text + 6, 'p', room - 2);
	text[5 + room - 1] = '\0';
	address = parsed(text);
	expect_text(&address, text);
	text[5 + room - 1] = 'p';
	text[5 + room] = '\0';
	CHECK_ERROR(brink_address_parse(&address, text), -ENAMETOOLONG);
}

static void abstract_names(enum kind kind)
{
	char text[BRINK_ADDRESS_TEXT] = "unix:@", expected[BRINK_ADDRESS_TEXT] = "unix:@";
	size_t room = sizeof ((struct sockaddr_un *)NULL)->sun_path - 1;
	struct brink_address address;
	int result = brink_address_parse(&address, "unix:@name");

	(void)kind;
	if (result != 0) {
		CHECK_ERROR(result, -EINVAL);
		SKIP("the system has no abstract names");
	}
	CHECK_EQ(address.length, offsetof(struct sockaddr_un, sun_path) + 5);
	expect_text(&address, "unix:@name");
	address = parsed("unix:@a\\x00b\\x5c\\xfFc");
	CHECK_EQ(address.length, offsetof(struct sockaddr_un, sun_path) + 7);
	expect_text(&address, "unix:@a\\x00b\\x5c\377c");
	CHECK_ERROR(brink_address_parse(&address, "unix:@\\x0"), -EINVAL);
	CHECK_ERROR(brink_address_parse(&address, "unix:@\\x"), -EINVAL);
	CHECK_ERROR(brink_address_parse(&address, "unix:@\\y00"), -EINVAL);
	CHECK_ERROR(brink_address_parse(&address, "unix:@\\xg0"), -EINVAL);
	CHECK_ERROR(brink_address_parse(&address, "unix:@\\"), -EINVAL);
	/* The longest text there is. */
	for (size_t i = 0; i < room; i++)
		strcat(expected, "\\x00");
	address = parsed(expected);
	CHECK_EQ(address.length, sizeof(struct sockaddr_un));
	CHECK_EQ(brink_address_format(&address, text, sizeof text), strlen(expected));
	CHECK_EQ(strcmp(text, expected), 0);
	strcat(expected, "x");
	CHECK_ERROR(brink_address_parse(&address, expected), -ENAMETOOLONG);
}

static void room_for_text(enum kind kind)
{
	struct brink_address address = parsed("127.0.0.1:80");
	char text[16] = "untouched";

	(void)kind;
	CHECK_ERROR(brink_address_format(&address, text, 0), -ENOSPC);
	CHECK_ERROR(brink_address_format(&address, text, 12), -ENOSPC);
	CHECK_EQ(strcmp(text, "untouched"), 0);
	CHECK_EQ(brink_address_format(&address, text, 13), 12);
	CHECK_EQ(strcmp(text, "127.0.0.1:80"), 0);
	memset(&address, 0, sizeof address);
	CHECK_ERROR(brink_address_format(&address, text, sizeof text), -EAFNOSUPPORT);
}

static void out_of_system_calls(enum kind kind)
{
	struct brink_address address, other;
	struct sockaddr_storage behind;
	struct sockaddr_in v4;
	struct sockaddr_un un;
	struct sockaddr any;

	(void)kind;
	memset(&v4, 0, sizeof v4);
	v4.sin_family = AF_INET;
	v4.sin_port = htons(9);
	v4.sin_addr.s_addr = htonl(0x7f000001);
	CHECK_OK(brink_address_from_sockaddr(&address, (struct sockaddr *)&v4, sizeof v4));
	expect_text(&address, "127.0.0.1:9");
	CHECK_ERROR(brink_address_from_sockaddr(&address, (struct sockaddr *)&v4, sizeof v4 - 1), -EINVAL);
	CHECK_ERROR(brink_address_from_sockaddr(&address, (struct sockaddr *)&v4, 0), -EINVAL);
	CHECK_ERROR(brink_address_from_sockaddr(&address, (struct sockaddr *)&v4, sizeof address.storage + 1), -EINVAL);
	v4.sin_family = AF_INET6;
	CHECK_ERROR(brink_address_from_sockaddr(&address, (struct sockaddr *)&v4, sizeof v4), -EINVAL);
	memset(&any, 0, sizeof any);
	CHECK_ERROR(brink_address_from_sockaddr(&address, &any, sizeof any), -EAFNOSUPPORT);
	/* A path ends with its NUL, before it, or with the struct: it is the same path. */
	memset(&un, 0, sizeof un);
	un.sun_family = AF_UNIX;
	strcpy(un.sun_path, "/path");
	other = parsed("unix:/path");
	for (unsigned more = 0; more < 3; more++) {
		socklen_t length = offsetof(struct sockaddr_un, sun_path) + 5 + more;

		CHECK_OK(brink_address_from_sockaddr(&address, (struct sockaddr *)&un, more < 2 ? length : sizeof un));
		CHECK(brink_address_equal(&address, &other));
		expect_text(&address, "unix:/path");
	}
	/* One that fills the struct has no NUL at all. */
	memset(un.sun_path, 'p', sizeof un.sun_path);
	CHECK_OK(brink_address_from_sockaddr(&address, (struct sockaddr *)&un, sizeof un));
	CHECK_EQ(strlen(formatted(&address)), 5 + sizeof un.sun_path);
	/* But for Linux, which counts one that is behind it. */
	memset(&behind, 0, sizeof behind);
	memcpy(&behind, &un, sizeof un);
	CHECK_OK(brink_address_from_sockaddr(&other, (struct sockaddr *)&behind, sizeof un + 1));
	CHECK(brink_address_equal(&address, &other));
	CHECK_ERROR(brink_address_from_sockaddr(&other, (struct sockaddr *)&behind, sizeof un + 2), -EINVAL);
	/* A relative path that would read as an abstract name. */
	strcpy(un.sun_path, "@x");
	CHECK_OK(brink_address_from_sockaddr(&address, (struct sockaddr *)&un, sizeof un));
	expect_text(&address, "unix:./@x");
	/* No name. */
	CHECK_OK(brink_address_from_sockaddr(&address, (struct sockaddr *)&un, offsetof(struct sockaddr_un, sun_path)));
	expect_text(&address, "unix:");
}

static void of_sockets(enum kind kind)
{
	struct brink_address ours, theirs, other;
	struct pair pair = open_pair(kind, BRINK_READ);
	int listener = open_listener(kind, 1), ends[2];

	CHECK_OK(brink_address_of(pair.ours, &ours));
	CHECK_OK(brink_address_of_peer(pair.theirs, &other));
	CHECK(brink_address_equal(&ours, &other));
	CHECK_OK(brink_address_of_peer(pair.ours, &theirs));
	CHECK_OK(brink_address_of(pair.theirs, &other));
	CHECK(brink_address_equal(&theirs, &other));
	CHECK_EQ(brink_address_equal(&ours, &theirs), kind == KIND_UNIX); /* neither has a name */
	CHECK_OK(brink_address_of(listener, &other));
	CHECK(!brink_address_equal(&other, &ours));
	other = parsed(formatted(&other));
	CHECK_OK(brink_address_of(listener, &ours));
	CHECK(brink_address_equal(&ours, &other));
	CHECK_ERROR(brink_address_of_peer(listener, &other), -ENOTCONN);
	CHECK_ERROR(brink_address_of(-1, &other), -EBADF);
	SYSCALL(pipe(ends));
	CHECK_ERROR(brink_address_of(ends[0], &other), -ENOTSOCK);
	CHECK_ERROR(brink_address_of_peer(ends[0], &other), -ENOTSOCK);
	close_fd(&ends[0]);
	close_fd(&ends[1]);
	close_fd(&listener);
	close_pair(&pair);
}

static void equality(enum kind kind)
{
	static const char *const texts[] = {
		"127.0.0.1:80", "127.0.0.1:81", "127.0.0.2:80", "[::1]:80", "[::1]:81", "[::2]:80", "[::1%1]:80",
		"[::ffff:127.0.0.1]:80", "unix:/a", "unix:/b", "unix:/aa",
	};
	struct brink_address nothing;

	(void)kind;
	memset(&nothing, 0, sizeof nothing);
	for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		for (unsigned j = 0; j < sizeof texts / sizeof texts[0]; j++) {
			struct brink_address one = parsed(texts[i]), other = parsed(texts[j]);

			CHECK_EQ(brink_address_equal(&one, &other), i == j);
			CHECK(!brink_address_equal(&one, &nothing));
		}
	}
	CHECK(brink_address_equal(&nothing, &nothing));
}

/* Whatever the bytes: an address that reads back as itself, or -EINVAL and its like. */
static void random_text(enum kind kind)
{
	static const char letters[] = "0123456789abcdef:.[]%@*\\x/unix:";

	(void)kind;
	for (unsigned round = 0; round < (is_long() ? 1000000u : 50000u); round++) {
		struct brink_address address, again;
		char text[40];
		unsigned length = random_below(sizeof text);

		for (unsigned i = 0; i < length; i++)
			text[i] = letters[random_below(sizeof letters - 1)];
		text[length] = '\0';
		if (random_below(4) == 0 && length > 5)
			memcpy(text, random_below(2) ? "unix:@" : "[::1]:", 5 + (length > 6));
		if (brink_address_parse(&address, text) != 0)
			continue;
		again = parsed(formatted(&address));
		CHECK(brink_address_equal(&address, &again));
	}
}

static const struct scenario scenarios[] = {
	SCENARIO("address/there-and-back", there_and_back, 0),
	SCENARIO("address/bytes-of-an-address", bytes_of_an_address, 0),
	SCENARIO("address/any-address", any_address, 0),
	SCENARIO("address/bad-text", bad_text, 0),
	SCENARIO("address/scopes", scopes, 0),
	SCENARIO("address/long-paths", long_paths, 0),
	SCENARIO("address/abstract-names", abstract_names, 0),
	SCENARIO("address/room-for-text", room_for_text, 0),
	SCENARIO("address/out-of-system-calls", out_of_system_calls, 0),
	SCENARIO("address/of-sockets", of_sockets, KINDS_STREAM),
	SCENARIO("address/equality", equality, 0),
	SCENARIO("address/random-text", random_text, 0),
	NO_MORE_SCENARIOS,
};
const struct group address_group = {"address", scenarios};
