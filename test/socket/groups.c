#include "harness.h"

#include "groups.h"

const struct group *const groups[] = {
	&group_start_group, &group_pin_group, &group_place_group, &group_end_group,
	&executor_tasks_group, &executor_room_group,
	&socket_id_group, &socket_write_group, &socket_threads_group, &socket_runs_group, &socket_water_group,
	&socket_close_group, &socket_read_group, &streams_group, &stream_forks_group, &socket_executor_group,
	&socket_fail_group, &socket_loop_group, &socket_options_group, &socket_memory_group, &scarce_layers_group,
	&address_group, &listener_accept_group, &listener_limit_group, &listener_shortage_group,
	&listener_drain_group, &listener_unix_group, &listener_options_group,
	&messenger_place_group, &messenger_executor_group, &messenger_end_group,
	&http_serve_group, &http_reply_group, &http_refuse_group, &http_body_group, &http_time_group,
	&http_memory_group, &http_client_group, &http_cut_group, &http_stop_group, &http_late_group, &http_bound_group,
	&server_accept_group, &server_serve_group, &server_stop_group, &server_peers_group, &server_options_group,
	&connect_outcome_group, &connect_race_group, &timeout_open_group, &revive_group,
	&client_single_group, &client_pool_group, &client_idle_group, &client_group,
	&transport_group, &transport_cross_group, &tls_group,
	&resolver_group, &resolver_end_group, &resolver_family_group, &dial_group, &dial_end_group, &socket_name_group,
	&stress_write_group, &stress_ids_group, &stress_connect_group, &stress_end_group, &stress_server_group,
	&datagram_receive_group, &datagram_send_group, &datagram_errors_group, &datagram_local_group,
	&datagram_peer_group, &datagram_offload_group, &datagram_options_group,
	&review_end_group, &review_transport_group,
};
const size_t group_count = sizeof groups / sizeof groups[0];
