/* Bytes to messages: both protocols in every split, limits, detection, the end, hostile bytes. */
#include "check.h"

#include "messenger.h"

#include <errno.h>
#include <string.h>

static brink_messenger *messenger;
static struct brink__cutter cutter;
static brink_buffer in;

static void ignore(brink_message *message, void *arg)
{
	(void)arg;
	brink_message_free(message);
}

static void start(const struct brink_protocol *protocols, unsigned count)
{
	CHECK(brink_messenger_create(&messenger, &(struct brink_messenger_options){.protocols = protocols,
	                                                                           .protocol_count = count,
	                                                                           .on_message = ignore}) == 0);
	cutter = (struct brink__cutter){.messenger = messenger};
}

static void start_one(brink_parse_fn *parse, size_t limit)
{
	const struct brink_protocol protocol = {.name = "one", .parse = parse, .max_message = limit};

	start(&protocol, 1);
}

static void stop(void)
{
	brink__cutter_reset(&cutter);
	brink_messenger_destroy(messenger);
	brink_buffer_clear(&in);
}

static void feed(const void *bytes, size_t size)
{
	CHECK(brink_buffer_append(&in, bytes, size) == 0);
}

static int cut(bool at_end, brink_message **message)
{
	return brink__cut(&cutter, NULL, &in, at_end, message);
}

static void expect(bool at_end, const char *text)
{
	brink_message *message = NULL;
	char bytes[256];
	size_t size = strlen(text);

	CHECK(cut(at_end, &message) == 1);
	CHECK(brink_buffer_length(&message->body) == size && size <= sizeof bytes);
	CHECK(brink_buffer_copy(&message->body, 0, bytes, sizeof bytes) == size);
	CHECK(memcmp(bytes, text, size) == 0);
	brink_message_free(message);
}

static void expect_nothing(bool at_end)
{
	brink_message *message;

	CHECK(cut(at_end, &message) == 0);
}

static void expect_error(int error)
{
	brink_message *message;

	CHECK(cut(false, &message) == error);
}

/* ---- every split ---- */

struct expected {
	const char *text;
	struct brink_length header;
};

static const struct expected wanted[] = {
	{"first", {1, 7, 0}},
	{"", {UINT64_MAX, 65535, BRINK_LENGTH_REPLY | BRINK_LENGTH_ERROR}},
	{"third, with\r\nmore\n", {0x0102030405060708, 1, BRINK_LENGTH_REPLY}},
	{"", {0, 0, 0}},
	{"x", {5, 0, 0}},
};
#define WANTED (sizeof wanted / sizeof wanted[0])

static size_t pack_all(unsigned char *bytes, size_t room)
{
	brink_buffer packed = {0}, body = {0};
	size_t size;

	for (size_t i = 0; i < WANTED; i++) {
		CHECK(brink_buffer_append(&body, wanted[i].text, strlen(wanted[i].text)) == 0);
		CHECK(brink_length_pack(&packed, &wanted[i].header, &body) == 0);
		CHECK(brink_buffer_length(&body) == 0);
	}
	size = brink_buffer_copy(&packed, 0, bytes, room);
	CHECK(size == brink_buffer_length(&packed));
	brink_buffer_clear(&packed);
	return size;
}

static size_t take_length(size_t next)
{
	brink_message *message;
	char bytes[64];

	while (cut(false, &message) == 1) {
		const struct expected *want = &wanted[next++];

		CHECK(next <= WANTED);
		CHECK(message->id == want->header.id && message->kind == want->header.kind);
		CHECK(message->flags == want->header.flags);
		CHECK(brink_buffer_length(&message->body) == strlen(want->text));
		brink_buffer_copy(&message->body, 0, bytes, sizeof bytes);
		CHECK(memcmp(bytes, want->text, strlen(want->text)) == 0);
		brink_message_free(message);
	}
	return next;
}

static void length_in_every_split(void)
{
	unsigned char bytes[512];
	size_t size = pack_all(bytes, sizeof bytes);

	for (size_t first = 0; first <= size; first++) {
		for (size_t second = first; second <= size; second++) {
			size_t next;

			start_one(brink_parse_length, 0);
			feed(bytes, first);
			next = take_length(0);
			feed(bytes + first, second - first);
			next = take_length(next);
			feed(bytes + second, size - second);
			CHECK(take_length(next) == WANTED);
			expect_nothing(true);
			CHECK(brink_buffer_length(&in) == 0);
			stop();
		}
	}
	passed("length-prefixed messages in every split into three");
}

static void length_byte_by_byte(void)
{
	unsigned char bytes[512];
	size_t size = pack_all(bytes, sizeof bytes), next = 0;

	start_one(brink_parse_length, 0);
	for (size_t i = 0; i < size; i++) {
		feed(bytes + i, 1);
		next = take_length(next);
	}
	CHECK(next == WANTED);
	stop();
	passed("length-prefixed messages byte by byte");
}

static const char lines[] = "one\r\n\ntwo\rtwo\n\r\nthree\r\r\nlast";
static const char *const cut_lines[] = {"one", "", "two\rtwo", "", "three\r"};
#define LINES (sizeof cut_lines / sizeof cut_lines[0])

static size_t take_lines(size_t next)
{
	while (brink_buffer_find(&in, 0, "\n", 1) >= 0) {
		CHECK(next < LINES);
		expect(false, cut_lines[next++]);
	}
	expect_nothing(false);
	return next;
}

static void lines_in_every_split(void)
{
	size_t size = sizeof lines - 1;

	for (size_t first = 0; first <= size; first++) {
		for (size_t second = first; second <= size; second++) {
			size_t next;

			start_one(brink_parse_line, 0);
			feed(lines, first);
			next = take_lines(0);
			feed(lines + first, second - first);
			next = take_lines(next);
			feed(lines + second, size - second);
			CHECK(take_lines(next) == LINES);
			expect(true, "last");
			expect_nothing(true);
			stop();
		}
	}
	passed("lines in every split into three, the last without an end");
}

/* ---- limits ---- */

static void limits_of_lines(void)
{
	start_one(brink_parse_line, 8);
	feed("1234567\n", 8);
	expect(false, "1234567");
	feed("1234567", 7);
	expect_nothing(false);
	feed("8", 1);
	expect_error(-EMSGSIZE);
	stop();
	start_one(brink_parse_line, 8);
	feed("12345678\n", 9); /* at once */
	expect_error(-EMSGSIZE);
	stop();
	passed("a line at the limit and one above");
}

static void feed_length(size_t size)
{
	brink_buffer body = {0};
	char byte = 'b';

	for (size_t i = 0; i < size; i++)
		CHECK(brink_buffer_append(&body, &byte, 1) == 0);
	CHECK(brink_length_pack(&in, &(struct brink_length){.id = 1}, &body) == 0);
}

static void limits_of_lengths(void)
{
	brink_message *message;

	start_one(brink_parse_length, BRINK_LENGTH_HEADER + 100);
	feed_length(100);
	CHECK(cut(false, &message) == 1 && brink_buffer_length(&message->body) == 100);
	brink_message_free(message);
	feed_length(101);
	expect_error(-EMSGSIZE);
	stop();
	/* As soon as it is announced. */
	start_one(brink_parse_length, BRINK_LENGTH_HEADER + 100);
	feed_length(101);
	brink_buffer_pop_back(&in, 101);
	expect_error(-EMSGSIZE);
	stop();
	start_one(brink_parse_length, 0);
	feed("\353BRK\1\0\0\0\377\377\377\377\0\0\0\0\0\0\0\1", 20);
	expect_error(-EMSGSIZE);
	stop();
	passed("a length-prefixed message at the limit, one above, and announced only");
}

/* ---- which protocol ---- */

static const struct brink_protocol both[] = {
	{.name = "length", .parse = brink_parse_length},
	{.name = "line", .parse = brink_parse_line},
};

static void detection(void)
{
	start(both, 2);
	feed("GET\n\353BRK\n", 9);
	expect(false, "GET");
	expect(false, "\353BRK"); /* it stays with the first */
	stop();
	start(both, 2);
	for (int i = 0; i < 3; i++) {
		feed(&"\353BR"[i], 1);
		expect_nothing(false);
	}
	feed("X\n", 2);
	expect(false, "\353BRX");
	stop();
	for (size_t size = 1; size <= 3; size++) {
		const char part[] = {'\353', size > 1 ? 'B' : '\0', size > 2 ? 'R' : '\0', '\0'};

		start(both, 2);
		feed(part, size);
		expect_nothing(false);
		expect(true, part); /* it has become nothing else */
		stop();
	}
	start(both, 2);
	feed_length(3);
	expect(false, "bbb");
	feed("text\n", 5);
	expect_error(-EPROTO);
	stop();
	passed("the connection stays with the protocol that took its first message");
}

/* For the next life of its connection, which may speak another protocol. */
static void begun_anew(void)
{
	start(both, 2);
	feed_length(3);
	expect(false, "bbb");
	brink__cutter_reset(&cutter);
	feed("GET\n", 4);
	expect(false, "GET");
	stop();
	passed("a connection that is begun anew may speak the other protocol");
}

static void garbage(void)
{
	static const unsigned char versions[] = {0xeb, 'B', 'R', 'K', 2}, flags[] = {0xeb, 'B', 'R', 'K', 1, 4};

	start_one(brink_parse_length, 0);
	feed("garbage", 7);
	expect_error(-EPROTO);
	stop();
	start_one(brink_parse_length, 0);
	feed(versions, sizeof versions);
	expect_error(-EPROTO);
	stop();
	start_one(brink_parse_length, 0);
	feed(flags, sizeof flags);
	expect_error(-EPROTO);
	stop();
	passed("garbage, an unknown version, an unknown flag");
}

static void cut_short(void)
{
	brink_message *message;

	for (size_t left = 1; left < BRINK_LENGTH_HEADER + 3; left++) {
		start_one(brink_parse_length, 0);
		feed_length(3);
		brink_buffer_pop_back(&in, BRINK_LENGTH_HEADER + 3 - left);
		expect_nothing(false);
		CHECK(cut(true, &message) == -EPROTO);
		stop();
	}
	passed("an end within a length-prefixed message");
}

/* ---- what a protocol of the user's may do ---- */

static unsigned asked;
static size_t looked_at; /* in all calls together */

static int parse_counting(brink_socket *socket, brink_buffer *bytes, int at_end, brink_message *message, void *arg)
{
	size_t length = brink_buffer_length(bytes);

	(void)socket, (void)at_end, (void)arg;
	asked++;
	looked_at += length - message->state;
	message->state = length;
	message->needed = 1000;
	if (length < 1000)
		return BRINK_PARSE_MORE;
	return brink_buffer_cut(bytes, &message->body, 1000) == 1000 ? BRINK_PARSE_MESSAGE : -ENOMEM;
}

/* Takes it for its own until there is more of it, and leaves its traces there. */
static int parse_hasty(brink_socket *socket, brink_buffer *bytes, int at_end, brink_message *message, void *arg)
{
	(void)socket, (void)at_end;
	CHECK(brink_buffer_append(&message->body, "x", 1) == 0);
	message->id = message->state = message->needed = 1;
	message->kind = message->flags = 1;
	message->data = arg;
	return brink_buffer_length(bytes) < 3 ? BRINK_PARSE_MORE : BRINK_PARSE_NOT_MINE;
}

static int parse_fresh(brink_socket *socket, brink_buffer *bytes, int at_end, brink_message *message, void *arg)
{
	(void)socket, (void)at_end, (void)arg;
	CHECK(brink_buffer_length(&message->body) == 0 && message->data == NULL);
	CHECK(message->id == 0 && message->state == 0 && message->needed == 0);
	CHECK(message->kind == 0 && message->flags == 0);
	return brink_buffer_cut(bytes, &message->body, 3) == 3 ? BRINK_PARSE_MESSAGE : -ENOMEM;
}

static void zero_for_each(void)
{
	const struct brink_protocol protocols[] = {{.name = "hasty", .parse = parse_hasty, .arg = &in},
	                                           {.name = "fresh", .parse = parse_fresh}};

	start(protocols, 2);
	feed("ab", 2);
	expect_nothing(false);
	feed("c", 1);
	expect(false, "abc");
	stop();
	passed("what one protocol leaves in the message, the next does not find");
}

static void needed_is_waited_for(void)
{
	brink_message *message;

	asked = 0;
	start_one(parse_counting, 0);
	for (int i = 0; i < 1000; i++) {
		expect_nothing(false);
		feed("x", 1);
	}
	CHECK(asked == 1);
	CHECK(cut(false, &message) == 1);
	CHECK(asked == 2 && looked_at == 1000);
	brink_message_free(message);
	stop();
	passed("parse is not called before what it needs is there");
}

static int parse_badly(brink_socket *socket, brink_buffer *bytes, int at_end, brink_message *message, void *arg)
{
	(void)socket, (void)bytes, (void)at_end, (void)message;
	return *(int *)arg;
}

static void bad_answers(void)
{
	static const int answers[][2] = {
		{BRINK_PARSE_MESSAGE, -EPROTO}, {BRINK_PARSE_NOT_MINE, -EPROTO}, {3, -EPROTO}, {-EILSEQ, -EILSEQ}};

	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		int answer = answers[i][0];
		const struct brink_protocol protocol = {.name = "bad", .parse = parse_badly, .arg = &answer};

		start(&protocol, 1);
		feed("bytes", 5);
		expect_error(answers[i][1]);
		stop();
	}
	passed("answers that are errors, or none at all");
}

/* ---- hostile: the time is linear ---- */

static void endless_line(void)
{
	static char part[4096];
	brink_message *message;
	size_t total = 0;

	memset(part, 'a', sizeof part);
	start_one(brink_parse_line, (size_t)32 << 20);
	while (total + 16 < (size_t)16 << 20) {
		/* In small portions: a search from the beginning would look at terabytes. */
		feed(part, 16);
		total += 16;
		expect_nothing(false);
	}
	feed("\n", 1);
	CHECK(cut(false, &message) == 1 && brink_buffer_length(&message->body) == total);
	brink_message_free(message);
	stop();
	passed("a line of 16 MiB in a million portions");
}

static void bad_options(void)
{
	const struct brink_protocol good = {.name = "line", .parse = brink_parse_line, .process = ignore};
	struct brink_protocol protocol = good;
	struct brink_messenger_options options = {.protocols = &protocol, .protocol_count = 1};
	brink_messenger *made = NULL;

	CHECK(brink_messenger_create(&made, NULL) == -EINVAL);
	options.protocol_count = 0;
	CHECK(brink_messenger_create(&made, &options) == -EINVAL);
	options.protocol_count = 65;
	CHECK(brink_messenger_create(&made, &options) == -EINVAL);
	options.protocol_count = 1;
	protocol.name = NULL;
	CHECK(brink_messenger_create(&made, &options) == -EINVAL);
	protocol = good;
	protocol.parse = NULL;
	CHECK(brink_messenger_create(&made, &options) == -EINVAL);
	protocol = good;
	protocol.process = NULL;
	CHECK(brink_messenger_create(&made, &options) == -EINVAL);
	protocol = good;
	protocol.reserved[0] = &protocol;
	CHECK(brink_messenger_create(&made, &options) == -EINVAL);
	protocol = good;
	options.flags = 2;
	CHECK(brink_messenger_create(&made, &options) == -EINVAL);
	options.flags = BRINK_MESSENGER_NOT_IN_PLACE;
	CHECK(brink_messenger_create(&made, &options) == -EINVAL);
	options.flags = 0;
	options.reserved[3] = &options;
	CHECK(brink_messenger_create(&made, &options) == -EINVAL);
	options.reserved[3] = NULL;
	CHECK(made == NULL);
	CHECK(brink_messenger_create(&made, &options) == 0);
	brink_messenger_destroy(made);
	brink_messenger_destroy(NULL);
	brink_message_free(NULL);
	passed("bad options of a messenger");
}

static void bad_headers(void)
{
	brink_buffer out = {0};

	CHECK(brink_length_pack(&out, &(struct brink_length){.kind = 65536}, NULL) == -EINVAL);
	CHECK(brink_length_pack(&out, &(struct brink_length){.flags = 4}, NULL) == -EINVAL);
	CHECK(brink_buffer_length(&out) == 0);
	passed("bad headers are not packed");
}

/* ---- random portions against both protocols ---- */

static void random_bytes(unsigned rounds)
{
	for (unsigned round = 0; round < rounds; round++) {
		brink_message *message;
		int rc = 0;

		start(both, 2);
		cutter.messenger->protocols[1].max_message = 64;
		for (int i = 0; i < 50 && rc >= 0; i++) {
			unsigned char bytes[32];
			size_t size = random_below(sizeof bytes);

			for (size_t k = 0; k < size; k++)
				bytes[k] = (unsigned char)"\353BRK\1\0\n\r"[random_below(8)];
			feed(bytes, size);
			while ((rc = cut(false, &message)) > 0) {
				CHECK(brink_buffer_length(&message->body) < 64);
				brink_message_free(message);
			}
			CHECK(rc == 0 || rc == -EPROTO || rc == -EMSGSIZE);
		}
		stop();
	}
	passed("random bytes");
}

int main(int argc, char **argv)
{
	seed_random(argc, argv, 4711);
	length_in_every_split();
	length_byte_by_byte();
	lines_in_every_split();
	limits_of_lines();
	limits_of_lengths();
	detection();
	begun_anew();
	garbage();
	cut_short();
	zero_for_each();
	needed_is_waited_for();
	bad_answers();
	endless_line();
	bad_options();
	bad_headers();
	random_bytes(2000);
	return finish();
}
