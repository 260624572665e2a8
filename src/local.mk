# The core. All of the library's objects are in one convenience library, with every
# symbol hidden but the public ones: libbrink is made of it, and so are the tests that
# look inside.

core_files = \
	%reldir%/address.c \
	%reldir%/address.h \
	%reldir%/address_text.c \
	%reldir%/block.c \
	%reldir%/block.h \
	%reldir%/buffer.c \
	%reldir%/buffer.h \
	%reldir%/buffer_find.c \
	%reldir%/buffer_io.c \
	%reldir%/buffer_read.c \
	%reldir%/buffer_reserve.c \
	%reldir%/cache.c \
	%reldir%/cache.h \
	%reldir%/child.c \
	%reldir%/choice.c \
	%reldir%/client.c \
	%reldir%/client.h \
	%reldir%/client_pool.c \
	%reldir%/connect.c \
	%reldir%/datagram.c \
	%reldir%/datagram.h \
	%reldir%/datagram_open.c \
	%reldir%/datagram_queue.c \
	%reldir%/datagram_receive.c \
	%reldir%/datagram_send.c \
	%reldir%/dial.c \
	%reldir%/error.c \
	%reldir%/executor.c \
	%reldir%/executor.h \
	%reldir%/group.c \
	%reldir%/group_call.c \
	%reldir%/group_end.c \
	%reldir%/group.h \
	%reldir%/hook.c \
	%reldir%/list.h \
	%reldir%/listen_bind.c \
	%reldir%/listen_options.c \
	%reldir%/listen_unix.c \
	%reldir%/listener.c \
	%reldir%/listener.h \
	%reldir%/listener_accept.c \
	%reldir%/listener_limit.c \
	%reldir%/log.c \
	%reldir%/loop.c \
	%reldir%/loop.h \
	%reldir%/loop_create.c \
	%reldir%/memory.c \
	%reldir%/memory.h \
	%reldir%/messenger.c \
	%reldir%/messenger.h \
	%reldir%/messenger_cut.c \
	%reldir%/messenger_deliver.c \
	%reldir%/os.c \
	%reldir%/os.h \
	%reldir%/os_datagram.c \
	%reldir%/os_datagram.h \
	%reldir%/os_datagram_control.c \
	%reldir%/os_datagram_joined.c \
	%reldir%/os_io.c \
	%reldir%/os_listen.c \
	%reldir%/os_multicast.c \
	%reldir%/os_reuseport.c \
	%reldir%/os_thread.c \
	%reldir%/placement.c \
	%reldir%/protocol_length.c \
	%reldir%/protocol_line.c \
	%reldir%/renew.c \
	%reldir%/request.c \
	%reldir%/server.c \
	%reldir%/server.h \
	%reldir%/server_connection.c \
	%reldir%/server_gate.c \
	%reldir%/server_options.c \
	%reldir%/server_seat.c \
	%reldir%/server_stop.c \
	%reldir%/resolver.c \
	%reldir%/resolver.h \
	%reldir%/resolver_query.c \
	%reldir%/request.h \
	%reldir%/revive.c \
	%reldir%/signal.c \
	%reldir%/slot.c \
	%reldir%/slot.h \
	%reldir%/socket.c \
	%reldir%/socket.h \
	%reldir%/socket_create.c \
	%reldir%/socket_dial.c \
	%reldir%/socket_fail.c \
	%reldir%/socket_flush.c \
	%reldir%/socket_gone.c \
	%reldir%/socket_gone.h \
	%reldir%/socket_info.c \
	%reldir%/socket_open.c \
	%reldir%/socket_pause.c \
	%reldir%/socket_read.c \
	%reldir%/socket_timeout.c \
	%reldir%/socket_water.c \
	%reldir%/socket_write.c \
	%reldir%/socket_stream.c \
	%reldir%/stream.c \
	%reldir%/stream.h \
	%reldir%/table.c \
	%reldir%/table.h \
	%reldir%/task.c \
	%reldir%/ticket.c \
	%reldir%/ticket.h \
	%reldir%/timer.c \
	%reldir%/trace.c \
	%reldir%/transport.c \
	%reldir%/version.c \
	%reldir%/wakeup.c \
	%reldir%/watch.c \
	%reldir%/watch_io.c \
	%reldir%/watch_remote.c \
	%reldir%/watch_ticket.c \
	%reldir%/wheel.c \
	%reldir%/wheel.h

# Who answers the resolver.
if CARES
core_files += \
	%reldir%/resolver_cares.c \
	%reldir%/resolver_cares.h \
	%reldir%/resolver_channel.c
else
core_files += %reldir%/resolver_system.c
endif

# HTTP, with the file that speaks to the parser that was found; or without.
http_files = \
	%reldir%/http.h \
	%reldir%/http_body.c \
	%reldir%/http_client.c \
	%reldir%/http_client_host.c \
	%reldir%/http_client.h \
	%reldir%/http_exchange.c \
	%reldir%/http_framing.c \
	%reldir%/http_head.c \
	%reldir%/http_line.c \
	%reldir%/http_protocol.c \
	%reldir%/http_reader.c \
	%reldir%/http_refuse.c \
	%reldir%/http_reply.c \
	%reldir%/http_request.c \
	%reldir%/http_scan.c \
	%reldir%/http_session.c \
	%reldir%/http_session.h \
	%reldir%/http_time.c \
	%reldir%/http_words.c \
	%reldir%/http_write.c
EXTRA_DIST += $(http_files) %reldir%/http_none.c %reldir%/http_parser_joyent.c %reldir%/http_parser_llhttp.c
if HTTP
core_files += $(http_files)
if HTTP_LLHTTP
core_files += %reldir%/http_parser_llhttp.c
else
core_files += %reldir%/http_parser_joyent.c
endif
else
core_files += %reldir%/http_none.c
endif

noinst_LTLIBRARIES += libbrink-core.la
libbrink_core_la_SOURCES = $(core_files)
libbrink_core_la_CPPFLAGS = $(PROJECT_CPPFLAGS) $(BACKEND_CPPFLAGS) $(CARES_CFLAGS) $(HTTP_CFLAGS)
libbrink_core_la_CFLAGS = $(AM_CFLAGS) $(VISIBILITY_CFLAGS)
libbrink_core_la_LIBADD = $(HTTP_LIBS) $(LIBURING_LIBS) $(CARES_LIBS) $(PTHREAD_LIBS) $(ATOMIC_LIBS)

# TLS stands on the public interface, in a library of its own. Its objects are in a convenience
# library, for the tests that link them with another libbrink.
if OPENSSL
tls_files = \
	%reldir%/tls.h \
	%reldir%/tls_bio.c \
	%reldir%/tls_certificate.c \
	%reldir%/tls_connection.c \
	%reldir%/tls_context.c \
	%reldir%/tls_error.c \
	%reldir%/tls_info.c \
	%reldir%/tls_session.c \
	%reldir%/tls_ticket.c \
	%reldir%/tls_transfer.c
else
tls_files = %reldir%/tls_none.c
endif
EXTRA_DIST += %reldir%/tls_none.c

noinst_LTLIBRARIES += libbrink-tls-core.la
libbrink_tls_core_la_SOURCES = $(tls_files)
libbrink_tls_core_la_CPPFLAGS = $(PROJECT_CPPFLAGS)
libbrink_tls_core_la_CFLAGS = $(AM_CFLAGS) $(VISIBILITY_CFLAGS) $(OPENSSL_CFLAGS)
libbrink_tls_core_la_LIBADD = $(OPENSSL_LIBS) $(PTHREAD_LIBS) $(ATOMIC_LIBS)

lib_LTLIBRARIES += libbrink.la libbrink-tls.la
libbrink_tls_la_SOURCES =
libbrink_tls_la_LIBADD = libbrink-tls-core.la libbrink.la
libbrink_tls_la_LDFLAGS = $(libbrink_la_LDFLAGS)
libbrink_la_SOURCES =
libbrink_la_LIBADD = libbrink-core.la
libbrink_la_LDFLAGS = $(AM_LDFLAGS) -no-undefined \
	-version-info $(BRINK_LT_CURRENT):$(BRINK_LT_REVISION):$(BRINK_LT_AGE)
