# The scenarios of what is above the loop, in the harness of brink-conformance: on every
# backend, and on the imitation of kqueue(2). Not installed.

# Compiled once for all programs that have it.
check_LTLIBRARIES += libsocket-scenarios.la
libsocket_scenarios_la_CPPFLAGS = $(PUBLIC_CPPFLAGS) -I$(srcdir)/test/conformance $(CUNIT_CFLAGS) $(OPENSSL_CFLAGS)
libsocket_scenarios_la_LIBTOOLFLAGS = $(STATIC_ONLY)
libsocket_scenarios_la_SOURCES = $(harness_common_files) \
	%reldir%/address_text.c \
	%reldir%/client_idle.c \
	%reldir%/client_kinds.c \
	%reldir%/client_pool.c \
	%reldir%/client_scene.c \
	%reldir%/client_scene.h \
	%reldir%/client_single.c \
	%reldir%/client_stage.c \
	%reldir%/client_stage.h \
	%reldir%/connect_outcome.c \
	%reldir%/connect_race.c \
	%reldir%/datagram_errors.c \
	%reldir%/datagram_local.c \
	%reldir%/datagram_offload.c \
	%reldir%/datagram_options.c \
	%reldir%/datagram_peer.c \
	%reldir%/datagram_receive.c \
	%reldir%/datagram_send.c \
	%reldir%/datagram_stage.c \
	%reldir%/datagram_stage.h \
	%reldir%/dial_end.c \
	%reldir%/dial_race.c \
	%reldir%/dial_stage.c \
	%reldir%/dial_stage.h \
	%reldir%/executor_room.c \
	%reldir%/executor_tasks.c \
	%reldir%/group_end.c \
	%reldir%/group_pin.c \
	%reldir%/group_place.c \
	%reldir%/group_start.c \
	%reldir%/groups.c \
	%reldir%/groups.h \
	%reldir%/http_body.c \
	%reldir%/http_bound.c \
	%reldir%/http_client.c \
	%reldir%/http_cut.c \
	%reldir%/http_late.c \
	%reldir%/http_memory.c \
	%reldir%/http_refuse.c \
	%reldir%/http_reply.c \
	%reldir%/http_serve.c \
	%reldir%/http_stage.c \
	%reldir%/http_stage.h \
	%reldir%/http_stop.c \
	%reldir%/http_time.c \
	%reldir%/listener_accept.c \
	%reldir%/listener_drain.c \
	%reldir%/listener_limit.c \
	%reldir%/listener_options.c \
	%reldir%/listener_shortage.c \
	%reldir%/listener_stage.c \
	%reldir%/listener_stage.h \
	%reldir%/listener_unix.c \
	%reldir%/messenger_end.c \
	%reldir%/messenger_executor.c \
	%reldir%/messenger_place.c \
	%reldir%/messenger_stage.c \
	%reldir%/messenger_stage.h \
	%reldir%/names_server.c \
	%reldir%/names_server.h \
	%reldir%/names_stage.c \
	%reldir%/names_stage.h \
	%reldir%/resolver_end.c \
	%reldir%/resolver_family.c \
	%reldir%/resolver_names.c \
	%reldir%/review_end.c \
	%reldir%/review_transport.c \
	%reldir%/revive_same_id.c \
	%reldir%/socket_close.c \
	%reldir%/socket_executor.c \
	%reldir%/socket_fail.c \
	%reldir%/socket_id.c \
	%reldir%/socket_loop.c \
	%reldir%/socket_memory.c \
	%reldir%/socket_name.c \
	%reldir%/socket_options.c \
	%reldir%/socket_read.c \
	%reldir%/stream_forks.c \
	%reldir%/streams.c \
	%reldir%/socket_stage.c \
	%reldir%/socket_stage.h \
	%reldir%/socket_runs.c \
	%reldir%/socket_threads.c \
	%reldir%/socket_water.c \
	%reldir%/socket_write.c \
	%reldir%/scarce.c \
	%reldir%/scarce.h \
	%reldir%/scarce_layers.c \
	%reldir%/scarce_memory.c \
	%reldir%/server_accept.c \
	%reldir%/server_options.c \
	%reldir%/server_peers.c \
	%reldir%/server_serve.c \
	%reldir%/server_stage.c \
	%reldir%/server_stage.h \
	%reldir%/server_stop.c \
	%reldir%/timeout_open.c \
	%reldir%/transport_cross.c \
	%reldir%/transport_kinds.c \
	examples/shared_memory.c \
	%reldir%/stress_connect.c \
	%reldir%/stress_end.c \
	%reldir%/stress_ids.c \
	%reldir%/stress_kit.c \
	%reldir%/stress_kit.h \
	%reldir%/stress_server.c \
	%reldir%/stress_write.c
if OPENSSL
libsocket_scenarios_la_SOURCES += \
	%reldir%/tls_end.c \
	%reldir%/tls_group.c \
	%reldir%/tls_memory.c \
	%reldir%/tls_partial.c \
	%reldir%/tls_peer.c \
	%reldir%/tls_peer_stage.c \
	%reldir%/tls_peer_stage.h \
	%reldir%/tls_refused.c \
	%reldir%/tls_session.c \
	%reldir%/tls_stage.c \
	%reldir%/tls_stage.h \
	%reldir%/tls_talk.c \
	%reldir%/tls_trust.c \
	%reldir%/tls_web.c
else
libsocket_scenarios_la_SOURCES += %reldir%/tls_none.c
endif
EXTRA_DIST += %reldir%/tls_none.c

check_PROGRAMS += socket-conformance
socket_conformance_SOURCES = $(brink_conformance_SOURCES)
socket_conformance_CPPFLAGS = $(libsocket_scenarios_la_CPPFLAGS)
socket_conformance_LDADD = libsocket-scenarios.la libbrink-tls.la libbrink.la $(conformance_libraries) $(OPENSSL_LIBS)

long_tests += socket-conformance$(EXEEXT)

if STAND_IN
check_PROGRAMS += socket-conformance-kqueue
socket_conformance_kqueue_SOURCES = $(brink_conformance_SOURCES)
# On that library's other backend it would be what socket-conformance is.
socket_conformance_kqueue_CPPFLAGS = $(socket_conformance_CPPFLAGS) -DDEFAULT_BACKENDS='"kqueue"'
socket_conformance_kqueue_LDADD = libsocket-scenarios.la libbrink-tls-core.la libbrink-kqueue.la $(conformance_libraries)

long_tests += socket-conformance-kqueue$(EXEEXT)
endif
