/* The groups of scenarios of this program, in the order in which they run. */
#ifndef SOCKET_GROUPS_H
#define SOCKET_GROUPS_H

#include "conformance.h"

extern const struct group group_start_group;    /* group_start.c */
extern const struct group group_pin_group;      /* group_pin.c */
extern const struct group group_place_group;    /* group_place.c */
extern const struct group group_end_group;      /* group_end.c */
extern const struct group executor_tasks_group; /* executor_tasks.c */
extern const struct group executor_room_group;  /* executor_room.c: waiting for room */
extern const struct group socket_id_group; /* socket_id.c: ids */
extern const struct group socket_write_group; /* socket_write.c: writes from the loop's thread */
extern const struct group socket_threads_group; /* socket_threads.c: many write to one */
extern const struct group socket_runs_group; /* socket_runs.c: small writes in one request */
extern const struct group socket_water_group; /* socket_water.c: limit and marks */
extern const struct group socket_close_group; /* socket_close.c: ends */
extern const struct group socket_read_group; /* socket_read.c: reading, pause */
extern const struct group streams_group; /* streams.c: bytes moved by the backend, and by the socket */
extern const struct group stream_forks_group; /* stream_forks.c: the same, and a child that goes on */
extern const struct group socket_executor_group; /* socket_executor.c: on an executor's threads */
extern const struct group socket_fail_group; /* socket_fail.c: failing at any moment */
extern const struct group socket_loop_group; /* socket_loop.c: loops that end, fork */
extern const struct group socket_options_group; /* socket_options.c: what the create says */
extern const struct group socket_memory_group; /* socket_memory.c: too little of it */
extern const struct group scarce_layers_group; /* scarce_layers.c: nor for what is above it, or below */
extern const struct group address_group; /* address_text.c */
extern const struct group http_serve_group; /* http_serve.c: what is answered, in order */
extern const struct group http_reply_group; /* http_reply.c: by bytes */
extern const struct group http_refuse_group; /* http_refuse.c: what is not HTTP, and limits */
extern const struct group http_body_group; /* http_body.c: bodies both ways, streamed */
extern const struct group http_time_group; /* http_time.c: slow clients */
extern const struct group http_late_group; /* http_late.c: bodies, readers and programs that are late */
extern const struct group http_bound_group; /* http_bound.c: how much is held of a peer */
extern const struct group http_cut_group; /* http_cut.c: replies that end with the connection, and too early */
extern const struct group http_stop_group; /* http_stop.c: a server that is stopped amid a body */
extern const struct group http_memory_group; /* http_memory.c: too little of it */
extern const struct group http_client_group; /* http_client.c */
extern const struct group listener_accept_group; /* listener_accept.c */
extern const struct group listener_limit_group; /* listener_limit.c */
extern const struct group listener_shortage_group; /* listener_shortage.c */
extern const struct group listener_drain_group; /* listener_drain.c */
extern const struct group listener_unix_group; /* listener_unix.c */
extern const struct group listener_options_group; /* listener_options.c */
extern const struct group datagram_errors_group; /* datagram_errors.c */
extern const struct group datagram_local_group; /* datagram_local.c: this machine's addresses, groups */
extern const struct group datagram_offload_group; /* datagram_offload.c: many as one */
extern const struct group datagram_options_group; /* datagram_options.c: and too little memory */
extern const struct group datagram_peer_group; /* datagram_peer.c: connected ones */
extern const struct group datagram_receive_group; /* datagram_receive.c */
extern const struct group datagram_send_group; /* datagram_send.c */
extern const struct group client_group; /* client_kinds.c */
extern const struct group client_idle_group; /* client_idle.c */
extern const struct group client_pool_group; /* client_pool.c */
extern const struct group client_single_group; /* client_single.c */
extern const struct group connect_outcome_group; /* connect_outcome.c */
extern const struct group messenger_place_group; /* messenger_place.c: in order, one at a time */
extern const struct group messenger_executor_group; /* messenger_executor.c */
extern const struct group messenger_end_group; /* messenger_end.c */
extern const struct group server_peers_group; /* server_peers.c: clients that misbehave */
extern const struct group server_options_group; /* server_options.c */
extern const struct group server_accept_group; /* server_accept.c: pauses, and what is counted */
extern const struct group server_serve_group; /* server_serve.c */
extern const struct group server_stop_group; /* server_stop.c */
extern const struct group connect_race_group; /* connect_race.c */
extern const struct group revive_group; /* revive_same_id.c */
extern const struct group timeout_open_group; /* timeout_open.c */
extern const struct group resolver_group; /* resolver_names.c: what it answers */
extern const struct group resolver_end_group; /* resolver_end.c: what is not answered */
extern const struct group resolver_family_group; /* resolver_family.c: what is answered by half */
extern const struct group dial_group; /* dial_race.c: which address it is */
extern const struct group dial_end_group; /* dial_end.c: none, too late, too little */
extern const struct group socket_name_group; /* socket_name.c */
extern const struct group transport_group; /* transport_kinds.c */
extern const struct group transport_cross_group; /* transport_cross.c */
extern const struct group tls_group; /* tls_group.c */
extern const struct group stress_connect_group; /* stress_connect.c */
extern const struct group stress_end_group; /* stress_end.c */
extern const struct group stress_ids_group; /* stress_ids.c */
extern const struct group stress_server_group; /* stress_server.c */
extern const struct group stress_write_group; /* stress_write.c */
extern const struct group review_end_group; /* review_end.c */
extern const struct group review_transport_group; /* review_transport.c */

#endif
