# One file for each kernel mechanism; configure says which are compiled in.

libbrink_core_la_SOURCES += %reldir%/changes.h %reldir%/dispatcher.h

if BACKEND_EPOLL
libbrink_core_la_SOURCES += %reldir%/epoll.c
endif
if BACKEND_KQUEUE
libbrink_core_la_SOURCES += %reldir%/filters.h %reldir%/kqueue.c
endif
if BACKEND_POLL
libbrink_core_la_SOURCES += %reldir%/poll.c
endif
if BACKEND_IO_URING
libbrink_core_la_SOURCES += %reldir%/io_uring.c %reldir%/look.h %reldir%/moves.h \
	%reldir%/receive.h %reldir%/requests.h %reldir%/ring.h
libbrink_core_la_CPPFLAGS += $(LIBURING_CFLAGS)
endif
