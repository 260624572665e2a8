# A kqueue(2) for tests on Linux, and the library on it. Nothing of this is installed.

EXTRA_DIST += %reldir%/sys/event.h %reldir%/kqueue.c

if STAND_IN
check_LTLIBRARIES += libstand-in.la
libstand_in_la_SOURCES = %reldir%/kqueue.c
libstand_in_la_CPPFLAGS = $(SYSTEM_CPPFLAGS) -I$(srcdir)/%reldir%
libstand_in_la_LIBTOOLFLAGS = $(STATIC_ONLY)

# What the library is made of. Its other backend is what kqueue's event traces are
# compared with.
check_LTLIBRARIES += libbrink-kqueue.la
libbrink_kqueue_la_SOURCES = $(core_files) \
	backends/changes.h \
	backends/dispatcher.h \
	backends/filters.h \
	backends/kqueue.c \
	backends/poll.c
libbrink_kqueue_la_CPPFLAGS = $(PROJECT_CPPFLAGS) $(CARES_CFLAGS) $(HTTP_CFLAGS) -I$(srcdir)/%reldir% \
	-DHAVE_BACKEND_KQUEUE=1 -DHAVE_BACKEND_POLL=1 -DBRINK_DEFAULT_BACKEND='"kqueue"'
libbrink_kqueue_la_LIBTOOLFLAGS = $(STATIC_ONLY)
libbrink_kqueue_la_LIBADD = libstand-in.la $(CARES_LIBS) $(HTTP_LIBS) $(PTHREAD_LIBS) $(ATOMIC_LIBS)

check_PROGRAMS += brink-conformance-kqueue
brink_conformance_kqueue_SOURCES = $(brink_conformance_SOURCES)
brink_conformance_kqueue_CPPFLAGS = $(brink_conformance_CPPFLAGS)
brink_conformance_kqueue_LDADD = libscenarios.la libbrink-kqueue.la $(conformance_libraries)

TESTS += brink-conformance-kqueue$(EXEEXT)
endif

# The record of a BSD kernel's kqueue, played to this system's, or to the stand-in.
kqueue_trace_SOURCES = %reldir%/record.h %reldir%/trace.c %reldir%/trace.h %reldir%/trace_calls.c %reldir%/trace_edges.c \
	%reldir%/trace_events.c %reldir%/trace_pairs.c %reldir%/trace_steps.c
if STAND_IN
check_PROGRAMS += kqueue-trace
TESTS += kqueue-trace$(EXEEXT)
kqueue_trace_CPPFLAGS = $(SYSTEM_CPPFLAGS) -I$(srcdir)/%reldir%
kqueue_trace_LDADD = libstand-in.la $(PTHREAD_LIBS)
else
if BACKEND_KQUEUE
check_PROGRAMS += kqueue-trace
TESTS += kqueue-trace$(EXEEXT)
kqueue_trace_CPPFLAGS = $(SYSTEM_CPPFLAGS)
kqueue_trace_LDADD = $(PTHREAD_LIBS)
endif
endif
