# The library, whole and with every backend (on the stand-in for kqueue(2), too), with its calls
# made by functions that fail when told so. Nothing of this is installed.

EXTRA_DIST += %reldir%/faults.h %reldir%/names.h

if LINUX
check_LTLIBRARIES += libbrink-faulty.la
libbrink_faulty_la_SOURCES = $(core_files) \
	backends/changes.h \
	backends/dispatcher.h \
	backends/filters.h \
	backends/kqueue.c \
	%reldir%/names.h
libbrink_faulty_la_CPPFLAGS = $(PROJECT_CPPFLAGS) $(BACKEND_CPPFLAGS) $(CARES_CFLAGS) $(HTTP_CFLAGS) -DHAVE_BACKEND_KQUEUE=1 \
	-I$(srcdir)/test/kqueue -I$(srcdir)/%reldir% -U_FORTIFY_SOURCE -include $(srcdir)/%reldir%/names.h
libbrink_faulty_la_LIBADD = libstand-in.la $(HTTP_LIBS) $(LIBURING_LIBS) $(CARES_LIBS) $(PTHREAD_LIBS) $(ATOMIC_LIBS)
if BACKEND_EPOLL
libbrink_faulty_la_SOURCES += backends/epoll.c
endif
if BACKEND_POLL
libbrink_faulty_la_SOURCES += backends/poll.c
endif
if BACKEND_IO_URING
libbrink_faulty_la_SOURCES += backends/io_uring.c backends/look.h backends/ring.h
libbrink_faulty_la_CPPFLAGS += $(LIBURING_CFLAGS)
endif

check_PROGRAMS += %reldir%/faults
TESTS += %reldir%/faults
%canon_reldir%_faults_SOURCES = \
	%reldir%/calls.c \
	%reldir%/clients.c \
	%reldir%/datagrams.c \
	%reldir%/ends.c \
	%reldir%/executors.c \
	%reldir%/faults.c \
	%reldir%/faults.h \
	%reldir%/listeners.c \
	%reldir%/lookups.c \
	%reldir%/loops.c \
	%reldir%/names.h \
	%reldir%/servers.c \
	%reldir%/sockets.c \
	%reldir%/stage.c \
	%reldir%/webs.c
%canon_reldir%_faults_CPPFLAGS = $(AM_CPPFLAGS) $(LIBURING_CFLAGS) -D_GNU_SOURCE=1 \
	-I$(srcdir)/test/kqueue -U_FORTIFY_SOURCE
%canon_reldir%_faults_LDADD = libbrink-faulty.la $(PTHREAD_LIBS)
endif
