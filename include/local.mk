# What a program includes. Only <brink.h> is promised to stay where it is.

include_HEADERS = %reldir%/brink.h

brinkincludedir = $(includedir)/brink
brinkinclude_HEADERS = \
	%reldir%/brink/address.h \
	%reldir%/brink/backend.h \
	%reldir%/brink/base.h \
	%reldir%/brink/buffer.h \
	%reldir%/brink/child.h \
	%reldir%/brink/client.h \
	%reldir%/brink/datagram.h \
	%reldir%/brink/dial.h \
	%reldir%/brink/error.h \
	%reldir%/brink/executor.h \
	%reldir%/brink/group.h \
	%reldir%/brink/hook.h \
	%reldir%/brink/http.h \
	%reldir%/brink/listener.h \
	%reldir%/brink/log.h \
	%reldir%/brink/loop.h \
	%reldir%/brink/memory.h \
	%reldir%/brink/messenger.h \
	%reldir%/brink/resolver.h \
	%reldir%/brink/server.h \
	%reldir%/brink/signal.h \
	%reldir%/brink/socket.h \
	%reldir%/brink/task.h \
	%reldir%/brink/timer.h \
	%reldir%/brink/tls.h \
	%reldir%/brink/trace.h \
	%reldir%/brink/transport.h \
	%reldir%/brink/version.h \
	%reldir%/brink/watch.h
