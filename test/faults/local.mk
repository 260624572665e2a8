# The library, whole and with every backend (on the stand-in for kqueue(2), too), with its calls
# made by functions that fail when told so. Nothing of this is installed.

EXTRA_DIST += %reldir%/faults.h %reldir%/names.h %reldir%/no_tls.c %reldir%/strike.h %reldir%/sweep.h %reldir%/tls.c

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
libbrink_faulty_la_LIBTOOLFLAGS = $(STATIC_ONLY)
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

check_LTLIBRARIES += libbrink-tls-faulty.la
libbrink_tls_faulty_la_SOURCES = $(tls_files) %reldir%/names.h
libbrink_tls_faulty_la_CPPFLAGS = $(libbrink_faulty_la_CPPFLAGS) $(OPENSSL_CFLAGS)
libbrink_tls_faulty_la_LIBTOOLFLAGS = $(STATIC_ONLY)
libbrink_tls_faulty_la_LIBADD = libbrink-faulty.la $(OPENSSL_LIBS) $(PTHREAD_LIBS) $(ATOMIC_LIBS)

check_PROGRAMS += %reldir%/faults
long_tests += %reldir%/faults
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
	%reldir%/strike.h \
	%reldir%/table.c \
	%reldir%/webs.c \
	test/socket/scarce.h \
	test/socket/scarce_memory.c
if OPENSSL
%canon_reldir%_faults_SOURCES += %reldir%/tls.c
else
%canon_reldir%_faults_SOURCES += %reldir%/no_tls.c
endif
%canon_reldir%_faults_CPPFLAGS = $(AM_CPPFLAGS) $(OPENSSL_CFLAGS) $(LIBURING_CFLAGS) -D_GNU_SOURCE=1 \
	-I$(srcdir)/test/kqueue -I$(srcdir)/test/socket -U_FORTIFY_SOURCE
%canon_reldir%_faults_LDADD = libbrink-tls-faulty.la libbrink-faulty.la $(OPENSSL_LIBS) $(PTHREAD_LIBS)

# The scenarios of test/socket, with the library whose calls fail.
check_PROGRAMS += socket-conformance-faulty
long_tests += socket-conformance-faulty$(EXEEXT)
socket_conformance_faulty_SOURCES = \
	%reldir%/calls.c \
	%reldir%/strike.h \
	%reldir%/sweep.c \
	%reldir%/sweep.h \
	%reldir%/sweep_after.c \
	%reldir%/sweep_case.c \
	%reldir%/sweep_report.c \
	%reldir%/sweep_slots.c \
	%reldir%/table.c
socket_conformance_faulty_CPPFLAGS = $(AM_CPPFLAGS) $(LIBURING_CFLAGS) $(OPENSSL_CFLAGS) \
	-I$(srcdir)/test/conformance -I$(srcdir)/test/socket -I$(srcdir)/test/kqueue -U_FORTIFY_SOURCE
socket_conformance_faulty_LDADD = libsocket-scenarios.la libbrink-tls-core.la libbrink-faulty.la $(PTHREAD_LIBS) \
	$(OPENSSL_LIBS)
endif
