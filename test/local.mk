# The tests. Each program and script ends with a line "N passed, N failed", perhaps with
# ", N skipped": script/test adds them up.

TEST_EXTENSIONS = .sh
SH_LOG_COMPILER = $(SHELL)
AM_TESTS_ENVIRONMENT = \
	srcdir='$(srcdir)'; export srcdir; \
	CC='$(CC)'; export CC; \
	CXX='$(CXX)'; export CXX; \
	CPPFLAGS='$(CPPFLAGS)'; export CPPFLAGS; \
	CFLAGS='$(SANITIZE_CFLAGS) $(PTHREAD_CFLAGS) $(SYSTEM_CPPFLAGS) $(CFLAGS)'; export CFLAGS; \
	NM='$(NM_FOR_TESTS)'; export NM; \
	MANDOC='$(MANDOC)'; export MANDOC; \
	PACKAGE_VERSION='$(PACKAGE_VERSION)'; export PACKAGE_VERSION;

EXTRA_DIST += \
	%reldir%/bench.sh \
	%reldir%/clients.sh \
	%reldir%/completions.sh \
	%reldir%/datagrams.sh \
	%reldir%/examples.sh \
	%reldir%/handbook.sh \
	%reldir%/headers.sh \
	%reldir%/http.sh \
	%reldir%/lib.sh \
	%reldir%/manpages.sh \
	%reldir%/names.sh \
	%reldir%/readme.sh \
	%reldir%/servers.sh \
	%reldir%/style.sh \
	%reldir%/symbols.sh \
	%reldir%/version.sh

TESTS += \
	%reldir%/bench.sh \
	%reldir%/clients.sh \
	%reldir%/completions.sh \
	%reldir%/datagrams.sh \
	%reldir%/examples.sh \
	%reldir%/handbook.sh \
	%reldir%/headers.sh \
	%reldir%/http.sh \
	%reldir%/manpages.sh \
	%reldir%/names.sh \
	%reldir%/readme.sh \
	%reldir%/servers.sh \
	%reldir%/style.sh \
	%reldir%/symbols.sh \
	%reldir%/version.sh

include $(srcdir)/test/conformance/local.mk
include $(srcdir)/test/faults/local.mk
include $(srcdir)/test/fuzz/local.mk
include $(srcdir)/test/kqueue/local.mk
include $(srcdir)/test/models/local.mk
include $(srcdir)/test/reference/local.mk
include $(srcdir)/test/socket/local.mk
include $(srcdir)/test/tls/local.mk
include $(srcdir)/test/unit/local.mk
include $(srcdir)/test/install/local.mk
include $(srcdir)/test/checks.mk
