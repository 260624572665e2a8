# Programs to learn from. They use the public headers only.

noinst_PROGRAMS += examples/echo-server examples/echo-client
examples_echo_server_SOURCES = %reldir%/echo-server.c
examples_echo_server_LDADD = libbrink.la
examples_echo_client_SOURCES = %reldir%/echo-client.c
examples_echo_client_LDADD = libbrink.la

noinst_PROGRAMS += examples/echo examples/echo-group
examples_echo_SOURCES = %reldir%/echo.c
examples_echo_LDADD = libbrink.la
examples_echo_group_SOURCES = %reldir%/echo-group.c
examples_echo_group_LDADD = libbrink.la

noinst_PROGRAMS += examples/many-writers
examples_many_writers_SOURCES = %reldir%/many-writers.c
examples_many_writers_LDADD = libbrink.la $(PTHREAD_LIBS)

noinst_PROGRAMS += examples/rpc-server examples/rpc-client examples/chat examples/chat-client
examples_rpc_server_SOURCES = %reldir%/rpc-server.c
examples_rpc_server_LDADD = libbrink.la
examples_rpc_client_SOURCES = %reldir%/rpc-client.c
examples_rpc_client_LDADD = libbrink.la $(PTHREAD_LIBS)
examples_chat_SOURCES = %reldir%/chat.c
examples_chat_LDADD = libbrink.la $(PTHREAD_LIBS)
examples_chat_client_SOURCES = %reldir%/chat-client.c
examples_chat_client_LDADD = libbrink.la

noinst_PROGRAMS += examples/shared-memory
examples_shared_memory_SOURCES = %reldir%/shared-memory.c %reldir%/shared_memory.c %reldir%/shared_memory.h
examples_shared_memory_LDADD = libbrink.la

noinst_PROGRAMS += examples/reconnect examples/forward
examples_reconnect_SOURCES = %reldir%/reconnect.c
examples_reconnect_LDADD = libbrink.la
examples_forward_SOURCES = %reldir%/forward.c
examples_forward_LDADD = libbrink.la

noinst_PROGRAMS += examples/datagram-echo examples/name-server examples/name-client
examples_datagram_echo_SOURCES = %reldir%/datagram-echo.c
examples_datagram_echo_LDADD = libbrink.la
examples_name_server_SOURCES = %reldir%/name-server.c
examples_name_server_LDADD = libbrink.la
examples_name_client_SOURCES = %reldir%/name-client.c
examples_name_client_LDADD = libbrink.la
noinst_PROGRAMS += examples/tls-echo
examples_tls_echo_SOURCES = %reldir%/tls-echo.c
examples_tls_echo_LDADD = libbrink-tls.la libbrink.la
noinst_PROGRAMS += examples/lookup
examples_lookup_SOURCES = %reldir%/lookup.c
examples_lookup_LDADD = libbrink.la

noinst_PROGRAMS += examples/fetch
examples_fetch_SOURCES = %reldir%/fetch.c
examples_fetch_LDADD = libbrink.la

noinst_PROGRAMS += examples/http-server examples/http-fetch examples/http-proxy
examples_http_server_SOURCES = %reldir%/http-server.c
examples_http_server_LDADD = libbrink-tls.la libbrink.la
examples_http_fetch_SOURCES = %reldir%/http-fetch.c
examples_http_fetch_LDADD = libbrink-tls.la libbrink.la
examples_http_proxy_SOURCES = %reldir%/http-proxy.c
examples_http_proxy_LDADD = libbrink-tls.la libbrink.la

examplesdir = $(docdir)/examples
dist_examples_DATA = \
	%reldir%/chat-client.c \
	%reldir%/chat.c \
	%reldir%/datagram-echo.c \
	%reldir%/echo-client.c \
	%reldir%/echo-group.c \
	%reldir%/echo-server.c \
	%reldir%/echo.c \
	%reldir%/fetch.c \
	%reldir%/forward.c \
	%reldir%/http-fetch.c \
	%reldir%/http-proxy.c \
	%reldir%/http-server.c \
	%reldir%/lookup.c \
	%reldir%/many-writers.c \
	%reldir%/name-client.c \
	%reldir%/name-server.c \
	%reldir%/reconnect.c \
	%reldir%/rpc-client.c \
	%reldir%/rpc-server.c \
	%reldir%/shared-memory.c \
	%reldir%/shared_memory.c \
	%reldir%/shared_memory.h \
	%reldir%/tls-echo.c
