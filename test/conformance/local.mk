# brink-conformance, which is installed, and the same scenarios on the imitation of
# kqueue(2) that test/kqueue/ has.

# What any main's program has, and what is this one's.
harness_common_files = \
	%reldir%/child.c \
	%reldir%/conformance.h \
	%reldir%/harness.h \
	%reldir%/pair.c \
	%reldir%/plan.c \
	%reldir%/probe.c \
	%reldir%/run.c

harness_files = %reldir%/main.c %reldir%/report.c

# It knows only what an outsider does: the public headers. Compiled once for all programs that have it.
noinst_LTLIBRARIES += libscenarios.la
libscenarios_la_CPPFLAGS = $(PUBLIC_CPPFLAGS) $(CUNIT_CFLAGS)
libscenarios_la_LIBTOOLFLAGS = $(STATIC_ONLY)
libscenarios_la_SOURCES = $(harness_common_files) \
	%reldir%/backend.c \
	%reldir%/batch.c \
	%reldir%/change.c \
	%reldir%/chaos.c \
	%reldir%/close.c \
	%reldir%/connect.c \
	%reldir%/cost.c \
	%reldir%/edge.c \
	%reldir%/embed.c \
	%reldir%/end.c \
	%reldir%/errors.c \
	%reldir%/file.c \
	%reldir%/file.h \
	%reldir%/file_linux.c \
	%reldir%/fork.c \
	%reldir%/groups.c \
	%reldir%/groups.h \
	%reldir%/helper.c \
	%reldir%/hook.c \
	%reldir%/level.c \
	%reldir%/listener.c \
	%reldir%/lost.c \
	%reldir%/memory.c \
	%reldir%/model.c \
	%reldir%/model.h \
	%reldir%/model_play.c \
	%reldir%/owners.c \
	%reldir%/process.c \
	%reldir%/refused.c \
	%reldir%/removal.c \
	%reldir%/removal.h \
	%reldir%/reset.c \
	%reldir%/reuse.c \
	%reldir%/running.c \
	%reldir%/scene.c \
	%reldir%/scene.h \
	%reldir%/seccomp.c \
	%reldir%/seccomp.h \
	%reldir%/signal.c \
	%reldir%/task.c \
	%reldir%/thread.c \
	%reldir%/ticket.c \
	%reldir%/timer.c \
	%reldir%/tracer.c \
	%reldir%/tracer.h \
	%reldir%/wait.c
if CUNIT
driver_file = %reldir%/driver_cunit.c
else
driver_file = %reldir%/driver_plain.c
endif
conformance_libraries = $(CUNIT_LIBS) $(PTHREAD_LIBS)

bin_PROGRAMS += brink-conformance
brink_conformance_SOURCES = $(harness_files) $(driver_file)
brink_conformance_CPPFLAGS = $(libscenarios_la_CPPFLAGS)
brink_conformance_LDADD = libscenarios.la libbrink.la $(conformance_libraries)

long_tests += brink-conformance$(EXEEXT)

# That the harness finds out what is wrong, and that the plain driver works.
check_PROGRAMS += conformance-self-test
conformance_self_test_SOURCES = $(harness_common_files) $(harness_files) %reldir%/driver_plain.c %reldir%/self/bad.c
conformance_self_test_CPPFLAGS = $(PUBLIC_CPPFLAGS)
conformance_self_test_LDADD = libbrink.la $(PTHREAD_LIBS)

EXTRA_DIST += %reldir%/promises.sh %reldir%/self/test.sh
TESTS += %reldir%/promises.sh %reldir%/self/test.sh
