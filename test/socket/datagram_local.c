/* Which address of this machine a datagram came to, and answers from that; broadcasts and groups. */
#include "datagram_stage.h"
#include "groups.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Its loopback interface, by one of the usual names. */
static unsigned loopback_index(void)
{
	unsigned index = if_nametoindex("lo");

	return index != 0 ? index : if_nametoindex("lo0");
}

static void parse(struct brink_address *address, const char *host, unsigned port)
{
	char text[BRINK_ADDRESS_TEXT];

	snprintf(text, sizeof text, "%s:%u", host, port);
	CHECK_OK(brink_address_parse(address, text));
}

static void reply_to_all(struct post *post, const struct brink_packet *packets, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		CHECK_OK(brink_datagram_reply(post->socket, &packets[i], packets[i].bytes, packets[i].size));
}

static struct post *start_at(brink_loop *loop, const char *address, unsigned flags)
{
	struct post *post = open_post(loop, AF_INET);

	post->options.address = address;
	post->options.flags = flags;
	start_post(post);
	return post;
}

/* ---- answers ---- */

/* A client that is connected to `host` takes only what comes from there. */
static void asked_at(brink_loop *loop, struct post *server, const char *host, const char *seen_as)
{
	struct post *client = open_post(loop, AF_INET);
	struct brink_address expected;
	unsigned before = server->count;
	const struct seen *seen = &server->seen[before % POST_SEEN];
	char text[BRINK_ADDRESS_TEXT];

	snprintf(text, sizeof text, "%s:%u", host, brink_address_port(&server->address));
	client->options.address = NULL;
	client->options.peer = text;
	start_post(client);
	CHECK_OK(brink_datagram_send(client->socket, numbered(9, 30), 30, NULL));
	RUN_UNTIL(loop, client->count == 1);
	CHECK(client->seen[0].sound && client->seen[0].number == 9);
	CHECK_EQ(server->count, before + 1);
	if (brink_datagram_features(server->socket) & BRINK_DATAGRAM_HAS_LOCAL) {
		parse(&expected, seen_as, brink_address_port(&server->address));
		CHECK(seen->has_to && brink_address_equal(&seen->to, &expected));
		CHECK(seen->has_local && brink_address_equal(&seen->local, &expected));
		CHECK_EQ(seen->interface_index, loopback_index());
	}
	close_post(client);
}

#if defined(__linux__)

static const char second_address[] = "127.0.0.2"; /* all of 127/8 is the loopback's */
#define TELLS_MAPPED true /* of IPv4 on a socket of IPv6 */

#else

static const char second_address[] = "127.0.0.1";
#define TELLS_MAPPED false

#endif

static void answered_from_where_it_came(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *server = start_at(loop, "0.0.0.0:0", 0);

	(void)kind;
	server->act = reply_to_all;
	asked_at(loop, server, "127.0.0.1", "127.0.0.1");
	asked_at(loop, server, second_address, second_address);
	asked_at(loop, server, "127.0.0.1", "127.0.0.1");
	close_post(server);
	if (ipv6_missing() == NULL) {
		server = start_at(loop, "[::]:0", BRINK_DATAGRAM_V6ONLY);
		server->act = reply_to_all;
		asked_at(loop, server, "[::1]", "[::1]");
		close_post(server);
	}
	CHECK_OK(brink_loop_destroy(loop));
}

static void answered_on_both(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *server = start_at(loop, "*:0", 0);

	(void)kind;
	server->act = reply_to_all;
	if (server->address.storage.ss_family == AF_INET) {
		close_post(server);
		CHECK_OK(brink_loop_destroy(loop));
		SKIP("this system keeps IPv4 and IPv6 apart");
	}
	if (ipv6_missing() == NULL)
		asked_at(loop, server, "[::1]", "[::1]");
	asked_at(loop, server, "127.0.0.1", "[::ffff:127.0.0.1]");
	asked_at(loop, server, second_address, second_address[8] == '2' ? "[::ffff:127.0.0.2]" : "[::ffff:127.0.0.1]");
	close_post(server);
	CHECK_OK(brink_loop_destroy(loop));
}

/* Sent from a chosen address, and by a chosen interface. */
static void sent_from_an_address(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *post = start_at(loop, "0.0.0.0:0", 0);
	struct brink_address to, from, came;
	int plain = open_plain(AF_INET, &to);
	struct brink_packet packet = {.bytes = numbered(3, 20), .size = 20, .to = &to, .from = &from};

	(void)kind;
	parse(&from, second_address, 1); /* a port that is not used */
	CHECK_EQ(brink_datagram_send_many(post->socket, &packet, 1), 1);
	CHECK_EQ(receive_plain(plain, 3, &came), 20);
	parse(&from, second_address, brink_address_port(&post->address));
	CHECK(brink_address_equal(&came, &from));
	packet.interface_index = loopback_index();
	packet.bytes = numbered(4, 20);
	if (brink_datagram_send_many(post->socket, &packet, 1) == 1)
		CHECK_EQ(receive_plain(plain, 4, &came), 20);
	else
		CHECK_ERROR(brink_datagram_send_many(post->socket, &packet, 1), -ENOTSUP);
	parse(&from, "192.0.2.77", 0); /* not of this machine */
	packet.interface_index = 0;
	CHECK(brink_datagram_send_many(post->socket, &packet, 1) < 0);
	close_plain(&plain, &to);
	close_post(post);
	CHECK_OK(brink_loop_destroy(loop));
}

/* ---- broadcast ---- */

static void broadcast(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *server = start_at(loop, "0.0.0.0:0", 0), *mute = start_at(loop, "127.0.0.1:0", 0);
	struct post *client = start_at(loop, "127.0.0.1:0", BRINK_DATAGRAM_BROADCAST);
	struct brink_address all;
	int result;

	(void)kind;
	server->act = reply_to_all;
	parse(&all, "127.255.255.255", brink_address_port(&server->address));
	result = brink_datagram_send(client->socket, numbered(6, 10), 10, &all);
	if (result == 0)
		CHECK_ERROR(brink_datagram_send(mute->socket, "no", 2, &all), -EACCES);
	if (result == 0)
		RUN_UNTIL(loop, client->count == 1);
	if (result == 0 && (brink_datagram_features(server->socket) & BRINK_DATAGRAM_HAS_LOCAL))
		CHECK(brink_address_equal(&server->seen[0].to, &all));
	close_post(server);
	close_post(mute);
	close_post(client);
	CHECK_OK(brink_loop_destroy(loop));
	if (result < 0)
		SKIP("the loopback of this system has no broadcasts: %s", brink_strerror(result));
}

/* To a socket of IPv6 that takes IPv4, too: it answers from an address of this machine. */
static void broadcast_to_both(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *server = start_at(loop, "*:0", 0), *client = start_at(loop, "127.0.0.1:0", BRINK_DATAGRAM_BROADCAST);
	bool possible = TELLS_MAPPED && server->address.storage.ss_family == AF_INET6;
	unsigned port = brink_address_port(&server->address);
	struct brink_address all, expected;

	(void)kind;
	if (possible) {
		server->act = reply_to_all;
		parse(&all, "127.255.255.255", port);
		CHECK_OK(brink_datagram_send(client->socket, numbered(6, 10), 10, &all));
		RUN_UNTIL(loop, client->count == 1);
		parse(&expected, "[::ffff:127.255.255.255]", port);
		CHECK(server->seen[0].has_to && brink_address_equal(&server->seen[0].to, &expected));
		parse(&expected, "[::ffff:127.0.0.1]", port);
		CHECK(server->seen[0].has_local && brink_address_equal(&server->seen[0].local, &expected));
	}
	close_post(server);
	close_post(client);
	CHECK_OK(brink_loop_destroy(loop));
	if (!possible)
		SKIP("this system has no broadcasts on its loopback, or keeps IPv4 and IPv6 apart");
}

/* ---- groups ---- */

static struct post *start_member(brink_loop *loop, const char *host, unsigned port)
{
	struct post *post = open_post(loop, AF_INET);
	char text[BRINK_ADDRESS_TEXT];

	snprintf(text, sizeof text, "%s:%u", host, port);
	post->options.address = text;
	post->options.flags = BRINK_DATAGRAM_REUSEADDR;
	start_post(post);
	return post;
}

static struct post *start_speaker(brink_loop *loop, const char *host, unsigned index, unsigned flags)
{
	struct post *post = open_post(loop, AF_INET);
	char text[BRINK_ADDRESS_TEXT];

	snprintf(text, sizeof text, "%s:0", host);
	post->options.address = text;
	post->options.flags = flags;
	post->options.ttl = 3;
	post->options.multicast_ttl = 2;
	post->options.multicast_index = index;
	start_post(post);
	return post;
}

/* Two members on one port, and one socket on it that is none. */
static int groups_of(brink_loop *loop, const char *any, const char *own, const char *group, unsigned index)
{
	struct post *one = start_member(loop, any, 0), *other, *none, *speaker = start_speaker(loop, own, index, 0);
	unsigned port = brink_address_port(&one->address);
	struct brink_address to;
	int result;

	other = start_member(loop, any, port);
	none = start_member(loop, any, port);
	parse(&to, group, port);
	result = brink_datagram_join(one->socket, &to, index);
	if (result == 0)
		result = brink_datagram_send(speaker->socket, numbered(1, 100), 100, &to);
	if (result == 0) {
		CHECK_ERROR(brink_datagram_join(one->socket, &to, index), -EADDRINUSE);
		CHECK_OK(brink_datagram_join(other->socket, &to, index));
		CHECK_OK(brink_datagram_send(speaker->socket, numbered(2, 100), 100, &to));
		RUN_UNTIL(loop, one->count == 2 && other->count == 1);
		CHECK_EQ(other->seen[0].number, 2);
		if (brink_datagram_features(one->socket) & BRINK_DATAGRAM_HAS_LOCAL) {
			CHECK(one->seen[0].has_to && brink_address_equal(&one->seen[0].to, &to));
			CHECK_EQ(one->seen[0].interface_index, index);
		}
		one->act = reply_to_all; /* not from the group's address */
		CHECK_OK(brink_datagram_leave(other->socket, &to, index));
		CHECK_ERROR(brink_datagram_leave(other->socket, &to, index), -EADDRNOTAVAIL);
		CHECK_OK(brink_datagram_send(speaker->socket, numbered(3, 100), 100, &to));
		RUN_UNTIL(loop, one->count == 3 && speaker->count == 1);
		CHECK(speaker->seen[0].sound && speaker->seen[0].number == 3);
		CHECK_EQ(other->count, 1);
		CHECK_EQ(none->count, 0);
	}
	close_post(one);
	close_post(other);
	close_post(none);
	close_post(speaker);
	return result;
}

static void groups_v4(enum kind kind)
{
	brink_loop *loop = new_loop();
	int result = groups_of(loop, "0.0.0.0", "127.0.0.1", "239.255.77.1", loopback_index());

	(void)kind;
	CHECK_OK(brink_loop_destroy(loop));
	if (result < 0)
		SKIP("the loopback of this system has no groups: %s", brink_strerror(result));
}

/* Linux has no such groups on the loopback. What is sent to one of this scope leaves the machine by no
 * other interface either, so any will do that has them. */
static void groups_v6(enum kind kind)
{
	struct if_nameindex *all = if_nameindex();
	brink_loop *loop = new_loop();
	int result = -ENODEV;
	char group[64];

	(void)kind;
	CHECK(all != NULL);
	for (unsigned i = 0; result < 0 && all[i].if_index != 0; i++) {
		snprintf(group, sizeof group, "[ff11::77:1%%%u]", all[i].if_index);
		result = groups_of(loop, "[::]", "[::]", group, all[i].if_index);
	}
	if_freenameindex(all);
	CHECK_OK(brink_loop_destroy(loop));
	if (result < 0)
		SKIP("no interface of this machine has groups of IPv6: %s", brink_strerror(result));
}

/* What is sent does not come back to this machine, if so wanted. */
static void no_loopback(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *member = start_member(loop, "0.0.0.0", 0);
	struct post *loud = start_speaker(loop, "127.0.0.1", loopback_index(), 0);
	struct post *mute = start_speaker(loop, "127.0.0.1", loopback_index(), BRINK_DATAGRAM_NO_LOOPBACK);
	int result, loops = 1, hops = 0, multicast_hops = 0;
	socklen_t length = sizeof loops;
	struct brink_address to;

	(void)kind;
	parse(&to, "239.255.77.2", brink_address_port(&member->address));
	result = brink_datagram_join(member->socket, &to, loopback_index());
	if (result == 0)
		result = brink_datagram_send(loud->socket, numbered(2, 4), 4, &to);
	if (result == 0) {
		/* On the loopback itself whatever is sent comes back. */
		CHECK_EQ(getsockopt(brink_datagram_fd(mute->socket), IPPROTO_IP, IP_MULTICAST_LOOP, &loops, &length), 0);
		CHECK_EQ(*(char *)&loops, 0);
		RUN_UNTIL(loop, member->count == 1);
	}
	length = sizeof hops;
	CHECK_EQ(getsockopt(brink_datagram_fd(mute->socket), IPPROTO_IP, IP_TTL, &hops, &length), 0);
	CHECK_EQ(hops, 3);
	length = sizeof multicast_hops;
	CHECK_EQ(getsockopt(brink_datagram_fd(mute->socket), IPPROTO_IP, IP_MULTICAST_TTL, &multicast_hops, &length), 0);
	CHECK_EQ(*(unsigned char *)&multicast_hops, 2);
	close_post(member);
	close_post(loud);
	close_post(mute);
	CHECK_OK(brink_loop_destroy(loop));
	if (result < 0)
		SKIP("the loopback of this system has no groups: %s", brink_strerror(result));
}

static int option_of(const struct post *post, int name)
{
	int value = 0;
	socklen_t length = sizeof value;

	CHECK_EQ(getsockopt(brink_datagram_fd(post->socket), IPPROTO_IP, name, &value, &length), 0);
	return value;
}

/* What a socket of IPv6 sends to IPv4 goes as the options say, too. */
static void options_of_both(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *member = start_member(loop, "0.0.0.0", 0);
	struct post *speaker = start_speaker(loop, "*", loopback_index(), BRINK_DATAGRAM_NO_LOOPBACK);
	bool possible = TELLS_MAPPED && speaker->address.storage.ss_family == AF_INET6;
	unsigned port = brink_address_port(&member->address);
	struct brink_address group, to;

	(void)kind;
	if (possible) {
		CHECK_EQ(option_of(speaker, IP_TTL), 3);
		CHECK_EQ(option_of(speaker, IP_MULTICAST_TTL), 2);
		CHECK_EQ(option_of(speaker, IP_MULTICAST_LOOP), 0);
		parse(&group, "239.255.77.4", port);
		parse(&to, "[::ffff:239.255.77.4]", port);
		CHECK_OK(brink_datagram_join(member->socket, &group, loopback_index()));
		CHECK_OK(brink_datagram_send(speaker->socket, numbered(5, 4), 4, &to));
		RUN_UNTIL(loop, member->count == 1);
	}
	close_post(member);
	close_post(speaker);
	CHECK_OK(brink_loop_destroy(loop));
	if (!possible)
		SKIP("this system keeps IPv4 and IPv6 apart");
}

static void no_group(enum kind kind)
{
	brink_loop *loop = new_loop();
	struct post *v4 = start_new_post(loop, AF_INET), *v6 = start_at(loop, "[::]:0", 0);
	struct post *local = start_new_post(loop, AF_UNIX);
	struct brink_address group, host;

	(void)kind;
	parse(&group, "239.255.77.3", 0);
	parse(&host, "127.0.0.1", 0);
	CHECK_ERROR(brink_datagram_join(v6->socket, &group, 0), -EAFNOSUPPORT);
	CHECK_ERROR(brink_datagram_leave(local->socket, &local->address, 0), -EAFNOSUPPORT);
	CHECK_ERROR(brink_datagram_join(v4->socket, &host, 0), -EINVAL);
	CHECK(brink_datagram_join(v4->socket, &group, 1u << 20) < 0); /* no such interface */
	CHECK_ERROR(brink_datagram_leave(v4->socket, &group, loopback_index()), -EADDRNOTAVAIL);
	close_post(v4);
	close_post(v6);
	close_post(local);
	CHECK_OK(brink_loop_destroy(loop));
}

static const struct scenario scenarios[] = {
	SCENARIO("datagram-local/answered-from-where-it-came", answered_from_where_it_came, KIND_NONE),
	SCENARIO("datagram-local/answered-on-both", answered_on_both, KIND_NONE),
	SCENARIO("datagram-local/sent-from-an-address", sent_from_an_address, KIND_NONE),
	SCENARIO("datagram-local/broadcast", broadcast, KIND_NONE),
	SCENARIO("datagram-local/broadcast-to-both", broadcast_to_both, KIND_NONE),
	SCENARIO("datagram-local/groups-ipv4", groups_v4, KIND_NONE),
	SCENARIO("datagram-local/groups-ipv6", groups_v6, KIND_NONE),
	SCENARIO("datagram-local/no-loopback", no_loopback, KIND_NONE),
	SCENARIO("datagram-local/options-of-both", options_of_both, KIND_NONE),
	SCENARIO("datagram-local/no-group", no_group, KIND_NONE),
	NO_MORE_SCENARIOS,
};
const struct group datagram_local_group = {"datagram-local", scenarios};
