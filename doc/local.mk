# Man pages, and the texts for those who use, study or port the library.

# They are installed in the folders that they have here, so that their links hold.
dist_doc_DATA += README.md
textsdir = $(docdir)/doc
dist_texts_DATA = \
	%reldir%/contract.md \
	%reldir%/design.md \
	%reldir%/models.md \
	%reldir%/performance.md \
	%reldir%/portability.md \
	%reldir%/protocol-length.md

# One chapter a mechanism. The programs in them are run by test/handbook.sh.
handbookdir = $(docdir)/doc/handbook
dist_handbook_DATA = \
	%reldir%/handbook/README.md \
	%reldir%/handbook/accepting.md \
	%reldir%/handbook/buffer.md \
	%reldir%/handbook/completions.md \
	%reldir%/handbook/datagrams.md \
	%reldir%/handbook/edge-and-ticket.md \
	%reldir%/handbook/edge-counter.md \
	%reldir%/handbook/http.md \
	%reldir%/handbook/messages.md \
	%reldir%/handbook/names.md \
	%reldir%/handbook/revive.md \
	%reldir%/handbook/threads.md \
	%reldir%/handbook/timers.md \
	%reldir%/handbook/tls.md \
	%reldir%/handbook/versioned-id.md \
	%reldir%/handbook/wakeup-pipe.md \
	%reldir%/handbook/write-queue.md

EXTRA_DIST += %reldir%/portability-table

# Functions keep their names where programs get others (configure --program-prefix).
notrans_dist_man3_MANS = \
	%reldir%/man/brink.3 \
	%reldir%/man/brink_address.3 \
	%reldir%/man/brink_backends.3 \
	%reldir%/man/brink_buffer.3 \
	%reldir%/man/brink_child.3 \
	%reldir%/man/brink_client.3 \
	%reldir%/man/brink_datagram.3 \
	%reldir%/man/brink_dial.3 \
	%reldir%/man/brink_executor.3 \
	%reldir%/man/brink_group.3 \
	%reldir%/man/brink_hook.3 \
	%reldir%/man/brink_http.3 \
	%reldir%/man/brink_listener.3 \
	%reldir%/man/brink_messenger.3 \
	%reldir%/man/brink_resolver.3 \
	%reldir%/man/brink_server.3 \
	%reldir%/man/brink_loop.3 \
	%reldir%/man/brink_set_allocator.3 \
	%reldir%/man/brink_set_log.3 \
	%reldir%/man/brink_signal.3 \
	%reldir%/man/brink_socket.3 \
	%reldir%/man/brink_socket_write.3 \
	%reldir%/man/brink_strerror.3 \
	%reldir%/man/brink_task.3 \
	%reldir%/man/brink_timer.3 \
	%reldir%/man/brink_trace.3 \
	%reldir%/man/brink_tls.3 \
	%reldir%/man/brink_transport.3 \
	%reldir%/man/brink_version.3 \
	%reldir%/man/brink_watch.3 \
	%reldir%/man/brink_watch_read.3

dist_man1_MANS = %reldir%/man/brink-conformance.1

# A name that has no page of its own leads to the page whose NAME section has it. The links
# are made by make, not kept in the tree; installing and uninstalling them is automake's.
man_links = \
	%reldir%/man/links/brink_container_of.3 \
	%reldir%/man/links/BRINK_MS.3 \
	%reldir%/man/links/BRINK_SECONDS.3 \
	%reldir%/man/links/brink_address_parse.3 \
	%reldir%/man/links/brink_address_format.3 \
	%reldir%/man/links/brink_address_from_sockaddr.3 \
	%reldir%/man/links/brink_address_of.3 \
	%reldir%/man/links/brink_address_of_peer.3 \
	%reldir%/man/links/brink_address_equal.3 \
	%reldir%/man/links/brink_address_port.3 \
	%reldir%/man/links/brink_buffer_init.3 \
	%reldir%/man/links/brink_buffer_clear.3 \
	%reldir%/man/links/brink_buffer_length.3 \
	%reldir%/man/links/brink_buffer_append.3 \
	%reldir%/man/links/brink_buffer_wrap.3 \
	%reldir%/man/links/brink_buffer_reserve.3 \
	%reldir%/man/links/brink_buffer_reserve_iovecs.3 \
	%reldir%/man/links/brink_buffer_commit.3 \
	%reldir%/man/links/brink_buffer_move.3 \
	%reldir%/man/links/brink_buffer_share.3 \
	%reldir%/man/links/brink_buffer_cut.3 \
	%reldir%/man/links/brink_buffer_pop.3 \
	%reldir%/man/links/brink_buffer_pop_back.3 \
	%reldir%/man/links/brink_buffer_copy.3 \
	%reldir%/man/links/brink_buffer_peek.3 \
	%reldir%/man/links/brink_buffer_iovecs.3 \
	%reldir%/man/links/brink_buffer_find.3 \
	%reldir%/man/links/brink_buffer_read_from.3 \
	%reldir%/man/links/brink_buffer_write_to.3 \
	%reldir%/man/links/brink_child_init.3 \
	%reldir%/man/links/brink_child_start.3 \
	%reldir%/man/links/brink_child_stop.3 \
	%reldir%/man/links/brink_datagram_create.3 \
	%reldir%/man/links/brink_datagram_destroy.3 \
	%reldir%/man/links/brink_datagram_send.3 \
	%reldir%/man/links/brink_datagram_send_many.3 \
	%reldir%/man/links/brink_datagram_reply.3 \
	%reldir%/man/links/brink_datagram_queued.3 \
	%reldir%/man/links/brink_datagram_pause.3 \
	%reldir%/man/links/brink_datagram_resume.3 \
	%reldir%/man/links/brink_datagram_join.3 \
	%reldir%/man/links/brink_datagram_leave.3 \
	%reldir%/man/links/brink_datagram_address.3 \
	%reldir%/man/links/brink_datagram_fd.3 \
	%reldir%/man/links/brink_datagram_features.3 \
	%reldir%/man/links/brink_datagram_counters.3 \
	%reldir%/man/links/brink_dial_start.3 \
	%reldir%/man/links/brink_dial_cancel.3 \
	%reldir%/man/links/brink_executor_create.3 \
	%reldir%/man/links/brink_executor_destroy.3 \
	%reldir%/man/links/brink_executor_post.3 \
	%reldir%/man/links/brink_executor_post_list.3 \
	%reldir%/man/links/brink_executor_queued.3 \
	%reldir%/man/links/brink_executor_wait.3 \
	%reldir%/man/links/brink_executor_call_when_free.3 \
	%reldir%/man/links/brink_executor_cancel_wait.3 \
	%reldir%/man/links/brink_group_create.3 \
	%reldir%/man/links/brink_group_destroy.3 \
	%reldir%/man/links/brink_group_stop.3 \
	%reldir%/man/links/brink_group_join.3 \
	%reldir%/man/links/brink_group_size.3 \
	%reldir%/man/links/brink_group_loop.3 \
	%reldir%/man/links/brink_group_place.3 \
	%reldir%/man/links/brink_group_tag.3 \
	%reldir%/man/links/brink_group_description.3 \
	%reldir%/man/links/brink_client_create.3 \
	%reldir%/man/links/brink_client_destroy.3 \
	%reldir%/man/links/brink_client_take.3 \
	%reldir%/man/links/brink_client_give.3 \
	%reldir%/man/links/brink_client_take_later.3 \
	%reldir%/man/links/brink_client_cancel.3 \
	%reldir%/man/links/brink_client_get_info.3 \
	%reldir%/man/links/brink_http_find.3 \
	%reldir%/man/links/brink_http_create.3 \
	%reldir%/man/links/brink_http_destroy.3 \
	%reldir%/man/links/brink_http_protocol.3 \
	%reldir%/man/links/brink_http_request_method.3 \
	%reldir%/man/links/brink_http_request_target.3 \
	%reldir%/man/links/brink_http_request_path.3 \
	%reldir%/man/links/brink_http_request_host.3 \
	%reldir%/man/links/brink_http_request_minor.3 \
	%reldir%/man/links/brink_http_request_headers.3 \
	%reldir%/man/links/brink_http_request_header.3 \
	%reldir%/man/links/brink_http_request_body.3 \
	%reldir%/man/links/brink_http_request_socket.3 \
	%reldir%/man/links/brink_http_request_read.3 \
	%reldir%/man/links/brink_http_reply.3 \
	%reldir%/man/links/brink_http_reply_bytes.3 \
	%reldir%/man/links/brink_http_reply_begin.3 \
	%reldir%/man/links/brink_http_reply_write.3 \
	%reldir%/man/links/brink_http_reply_end.3 \
	%reldir%/man/links/brink_http_request_free.3 \
	%reldir%/man/links/brink_http_client_create.3 \
	%reldir%/man/links/brink_http_client_destroy.3 \
	%reldir%/man/links/brink_http_fetch.3 \
	%reldir%/man/links/brink_hook_init.3 \
	%reldir%/man/links/brink_hook_start.3 \
	%reldir%/man/links/brink_hook_stop.3 \
	%reldir%/man/links/brink_listener_create.3 \
	%reldir%/man/links/brink_listener_destroy.3 \
	%reldir%/man/links/brink_listener_address.3 \
	%reldir%/man/links/brink_listener_fd.3 \
	%reldir%/man/links/brink_listener_pause.3 \
	%reldir%/man/links/brink_listener_resume.3 \
	%reldir%/man/links/brink_listener_closed.3 \
	%reldir%/man/links/brink_listener_connections.3 \
	%reldir%/man/links/brink_listener_drain.3 \
	%reldir%/man/links/brink_listener_counters.3 \
	%reldir%/man/links/brink_messenger_create.3 \
	%reldir%/man/links/brink_messenger_destroy.3 \
	%reldir%/man/links/brink_message_free.3 \
	%reldir%/man/links/brink_parse_length.3 \
	%reldir%/man/links/brink_length_pack.3 \
	%reldir%/man/links/brink_length_write.3 \
	%reldir%/man/links/brink_length_reply.3 \
	%reldir%/man/links/brink_parse_line.3 \
	%reldir%/man/links/brink_resolver_create.3 \
	%reldir%/man/links/brink_resolver_destroy.3 \
	%reldir%/man/links/brink_resolver_backend.3 \
	%reldir%/man/links/brink_lookup_start.3 \
	%reldir%/man/links/brink_lookup_cancel.3 \
	%reldir%/man/links/brink_server_create.3 \
	%reldir%/man/links/brink_server_destroy.3 \
	%reldir%/man/links/brink_server_stop.3 \
	%reldir%/man/links/brink_server_pause.3 \
	%reldir%/man/links/brink_server_resume.3 \
	%reldir%/man/links/brink_server_address.3 \
	%reldir%/man/links/brink_server_description.3 \
	%reldir%/man/links/brink_server_counters.3 \
	%reldir%/man/links/brink_server_each.3 \
	%reldir%/man/links/brink_loop_create.3 \
	%reldir%/man/links/brink_loop_destroy.3 \
	%reldir%/man/links/brink_loop_run.3 \
	%reldir%/man/links/brink_loop_run_once.3 \
	%reldir%/man/links/brink_loop_stop.3 \
	%reldir%/man/links/brink_loop_wakeup.3 \
	%reldir%/man/links/brink_loop_ref.3 \
	%reldir%/man/links/brink_loop_unref.3 \
	%reldir%/man/links/brink_loop_now.3 \
	%reldir%/man/links/brink_loop_update.3 \
	%reldir%/man/links/brink_loop_after_fork.3 \
	%reldir%/man/links/brink_loop_fd.3 \
	%reldir%/man/links/brink_loop_prepare.3 \
	%reldir%/man/links/brink_loop_backend.3 \
	%reldir%/man/links/brink_loop_features.3 \
	%reldir%/man/links/brink_loop_description.3 \
	%reldir%/man/links/brink_loop_set_data.3 \
	%reldir%/man/links/brink_loop_data.3 \
	%reldir%/man/links/brink_loop_counters.3 \
	%reldir%/man/links/brink_signal_init.3 \
	%reldir%/man/links/brink_signal_start.3 \
	%reldir%/man/links/brink_signal_stop.3 \
	%reldir%/man/links/brink_socket_create.3 \
	%reldir%/man/links/brink_socket_address.3 \
	%reldir%/man/links/brink_socket_hold.3 \
	%reldir%/man/links/brink_socket_release.3 \
	%reldir%/man/links/brink_socket_fail.3 \
	%reldir%/man/links/brink_socket_abandon.3 \
	%reldir%/man/links/brink_socket_abort.3 \
	%reldir%/man/links/brink_socket_close.3 \
	%reldir%/man/links/brink_socket_shutdown.3 \
	%reldir%/man/links/brink_socket_pause.3 \
	%reldir%/man/links/brink_socket_resume.3 \
	%reldir%/man/links/brink_socket_get_id.3 \
	%reldir%/man/links/brink_socket_loop.3 \
	%reldir%/man/links/brink_socket_arg.3 \
	%reldir%/man/links/brink_socket_fd.3 \
	%reldir%/man/links/brink_socket_host.3 \
	%reldir%/man/links/brink_socket_get_info.3 \
	%reldir%/man/links/brink_socket_local.3 \
	%reldir%/man/links/brink_socket_peer.3 \
	%reldir%/man/links/brink_socket_set_data.3 \
	%reldir%/man/links/brink_socket_data.3 \
	%reldir%/man/links/brink_socket_write_with.3 \
	%reldir%/man/links/brink_socket_write_bytes.3 \
	%reldir%/man/links/brink_socket_wait.3 \
	%reldir%/man/links/brink_transport_plain.3 \
	%reldir%/man/links/brink_transport_state.3 \
	%reldir%/man/links/brink_memory_resize.3 \
	%reldir%/man/links/brink_task_init.3 \
	%reldir%/man/links/brink_task_post.3 \
	%reldir%/man/links/brink_task_cancel.3 \
	%reldir%/man/links/brink_timer_init.3 \
	%reldir%/man/links/brink_timer_start.3 \
	%reldir%/man/links/brink_timer_stop.3 \
	%reldir%/man/links/brink_timer_postpone.3 \
	%reldir%/man/links/brink_timer_active.3 \
	%reldir%/man/links/brink_tls_create.3 \
	%reldir%/man/links/brink_tls_hold.3 \
	%reldir%/man/links/brink_tls_release.3 \
	%reldir%/man/links/brink_tls_for_peer.3 \
	%reldir%/man/links/brink_tls_set_certificates.3 \
	%reldir%/man/links/brink_tls_change_ticket_key.3 \
	%reldir%/man/links/brink_tls_error.3 \
	%reldir%/man/links/brink_tls_transport.3 \
	%reldir%/man/links/brink_tls_get_info.3 \
	%reldir%/man/links/brink_loop_set_trace.3 \
	%reldir%/man/links/brink_watch_init.3 \
	%reldir%/man/links/brink_watch_start.3 \
	%reldir%/man/links/brink_watch_stop.3 \
	%reldir%/man/links/brink_watch_close.3 \
	%reldir%/man/links/brink_watch_active.3 \
	%reldir%/man/links/brink_watch_set.3 \
	%reldir%/man/links/brink_watch_rearm.3 \
	%reldir%/man/links/brink_watch_again.3 \
	%reldir%/man/links/brink_watch_start_async.3 \
	%reldir%/man/links/brink_watch_stop_async.3 \
	%reldir%/man/links/brink_watch_readv.3 \
	%reldir%/man/links/brink_watch_write.3 \
	%reldir%/man/links/brink_watch_writev.3 \
	%reldir%/man/links/brink_watch_accept.3

notrans_nodist_man3_MANS = $(man_links)
CLEANFILES += $(man_links)

$(man_links): $(notrans_dist_man3_MANS)
	@$(MKDIR_P) %reldir%/man/links
	$(AM_V_GEN)name=`basename $@ .3` && \
	page=`cd $(srcdir)/%reldir%/man && grep -l "^\.Nm $$name\( ,\)*$$" *.3` && \
	echo ".so man3/$$page" >$@
