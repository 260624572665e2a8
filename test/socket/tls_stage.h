/* Two sockets at one loop that speak TLS, with certificates that are made for the scenario. */
#ifndef SOCKET_TLS_STAGE_H
#define SOCKET_TLS_STAGE_H

#include "client_stage.h"

#include <brink/tls.h>

/* ---- certificates ---- */

struct identity {
	char *certificate, *key; /* PEM */
};

/* For `names` ("DNS:a.test,IP:127.0.0.1", NULL: a CA), valid from and until so many days from now,
 * by `issuer` (NULL: by itself). */
struct identity make_identity(const char *subject, const char *names, int from, int until,
                              const struct identity *issuer);
/* Valid from a day ago until so many seconds from now. */
struct identity make_short_identity(const char *subject, const char *names, int seconds, const struct identity *issuer);
/* With a key that OpenSSL does not show. */
struct identity make_weak_identity(const char *subject, const char *names, const struct identity *issuer);
void free_identity(struct identity *identity);
struct brink_tls_certificate as_certificate(const struct identity *identity);

/* ---- the two ---- */

enum { CLIENT, SERVER };

struct tls_side {
	struct brink_tls_options tls_options;
	struct brink_tls_certificate certificate; /* if it has a key, it is in the options */
	brink_tls *tls;
	struct brink_socket_options options;
	brink_socket_id id;
	struct seen seen;
	/* at on_open */
	struct brink_tls_info info;
	char protocol[64], server_name[64], subject[128];
};

struct tls_duo {
	struct pair pair;
	brink_loop *loop;
	struct identity ca, good; /* a CA, and what it gave to server.test and 127.0.0.1 */
	struct tls_side sides[2];
};

/* The server has `good`, and the client trusts the CA and asks for server.test. Change the options. */
void open_tls(struct tls_duo *duo, enum kind kind);
void create_tls_context(struct tls_duo *duo, int which);
void create_tls_socket(struct tls_duo *duo, int which);
void create_tls(struct tls_duo *duo); /* all of it */
void expect_open(struct tls_duo *duo);
/* Fails both, waits for their on_close, and lets everything go. */
void close_tls(struct tls_duo *duo);
/* Lets the two sockets go, for others between the same contexts. */
void again_tls(struct tls_duo *duo, enum kind kind);
/* Both close with these errors (0: any that is one), in the end. */
void expect_failures(struct tls_duo *duo, int client, int server);
void exchange_texts(struct tls_duo *duo, const char *question, const char *answer);

/* ---- the scenarios: tls_group.c has the table ---- */

typedef scenario_fn tls_scenario;
tls_scenario tls_both_ways, tls_both_ways_12, tls_half_ended, tls_half_ended_12, tls_much, tls_much_12, tls_both_busy, tls_failed,
	tls_by_threads, tls_beside_executor, tls_server_and_client;
tls_scenario tls_good, tls_expired, tls_not_yet, tls_other_name, tls_name_of_subject, tls_self_signed, tls_other_ca,
	tls_unverified, tls_any_name, tls_address, tls_name_with_dot, tls_other_address, tls_client_shown,
	tls_client_missing, tls_client_foreign, tls_client_asked, tls_names, tls_renewed, tls_protocols,
	tls_no_protocol, tls_protocol_unasked, tls_versions, tls_options;
tls_scenario tls_truncated, tls_truncated_in_handshake, tls_reset, tls_stalled, tls_trickled, tls_garbage, tls_plain_peer,
	tls_said_and_gone, tls_renegotiation, tls_key_updates, tls_flood, tls_flood_12, tls_steady, tls_closed_and_cut,
	tls_said_goodbye_and_gone, tls_asked_and_gone, tls_closed_in_ticket, tls_never_closed_in_ticket, tls_written_in_ticket;
tls_scenario tls_resumed, tls_resumed_12, tls_peers_apart, tls_expired_since, tls_other_certificates,
	tls_other_certificates_12, tls_changed_keys, tls_changed_keys_12, tls_keys_grow_old, tls_keys_shared;
tls_scenario tls_refused, tls_reply_cut, tls_stopped_in_handshake, tls_client_leaves;
tls_scenario tls_scarce_memory, tls_scarce_openssl, tls_nothing_is_left;

#endif
